"""Several endpoints, one study: P adjusted within the families that were stated beforehand.

A study that tests ten endpoints finds one in two times without any effect. The primary family holds those the
study stands on, and its error is that of the family; the rest is exploratory, where the share of false
findings counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.stats import posthoc, validate
from labkit.stats.comparison import Comparison

__all__ = ["families", "multiplicity"]

OVER = ("omnibus", "contrasts", "trend")


def families(
    comparisons: Mapping[str, Comparison | DataError],
    *,
    primary: Sequence[str],
    over: str = "omnibus",
    alpha: float | None = None,
) -> pd.DataFrame:
    """P of every endpoint adjusted within its family: by Holm in the primary, by Benjamini-Hochberg beyond.

    Parameters
    ----------
    comparisons
        The comparison of each endpoint by its name, or the `DataError` that says why there is none; such an
        endpoint stays in the table without P.
    primary
        Endpoints of the primary family, as study.toml names them. All others are secondary.
    over
        What is adjusted: "omnibus" (one P for each endpoint; its contrasts then keep their own adjustment,
        which is for one endpoint alone), "contrasts" (all contrasts of all endpoints of a family, each by its
        P before adjustment, so that one method covers endpoints and groups), or "trend" (over dose).
    alpha
        Level of the decisions; by default that of the comparisons.

    Returns
    -------
    DataFrame
        One row for each P, the primary family first: ``endpoint, family, tested`` (test or contrast), ``p,
        method, p_adjusted, decision``, the last in words: "difference" or "no difference shown"; "not tested:
        why".

    Raises
    ------
    DataError
        When a primary endpoint has no comparison, or levels differ.

    Examples
    --------
    >>> from labkit.stats.compare import compare
    >>> table = pd.DataFrame({"animal": list("abcdef"), "group": ["vehicle"] * 3 + ["drug"] * 3})
    >>> table["ltp"], table["density"] = [1.0, 2, 3, 6, 7, 9], [1.0, 2, 3, 2, 3, 4]
    >>> made = {y: compare(table, y, group="group", order=["vehicle", "drug"]) for y in ("density", "ltp")}
    >>> families(made, primary=["ltp"])[["endpoint", "family", "p_adjusted", "decision"]].round(4)
      endpoint     family  p_adjusted             decision
    0      ltp    primary      0.0072           difference
    1  density  secondary      0.2879  no difference shown
    """
    validate.choice(over, OVER, name="over")
    if missing := [name for name in primary if name not in comparisons]:
        raise DataError(
            f"there is no comparison of {validate.join(map(repr, missing))}",
            expected=f"primary endpoints among {validate.join(comparisons)}",
            todo="compare them too, or take them out of the primary family",
        )
    levels = {c.alpha for c in comparisons.values() if isinstance(c, Comparison)}
    if alpha is None and len(levels) > 1:
        raise DataError(
            f"the comparisons were made at α of {validate.join(sorted(levels))}", expected="one level for all"
        )
    alpha = validate.level(alpha if alpha is not None else next(iter(levels), 0.05))
    ordered = [*primary, *(name for name in comparisons if name not in primary)]
    rows = [
        {"endpoint": name, "family": "primary" if name in primary else "secondary", **row}
        for name in ordered
        for row in _tested(comparisons[name], over)
    ]
    table = pd.DataFrame(rows, columns=["endpoint", "family", "tested", "p", "why"])
    table["method"] = np.where(table["family"] == "primary", "Holm", "Benjamini-Hochberg")
    table["p_adjusted"] = np.nan
    for family, method in (("primary", "holm"), ("secondary", "bh")):
        held = table["family"] == family
        if held.any():
            table.loc[held, "p_adjusted"] = posthoc.adjust(table.loc[held, "p"].to_numpy(), method=method)
    found = np.where(table["p_adjusted"] < alpha, "difference", "no difference shown")
    table["decision"] = np.where(table["p"].notna(), found, "not tested: " + table["why"])
    return table[["endpoint", "family", "tested", "p", "method", "p_adjusted", "decision"]]


def multiplicity(table: pd.DataFrame) -> str:
    """How the P of `families` were adjusted, as a sentence of the methods section.

    Examples
    --------
    >>> rows = [("ltp", "primary", "one-way ANOVA"), ("density", "secondary", "one-way ANOVA")]
    >>> multiplicity(pd.DataFrame(rows, columns=["endpoint", "family", "tested"]))
    'P of the one primary endpoint (ltp) stands as it is; P of the one secondary endpoint (density) as well.'
    """
    said = []
    for family, method in (
        ("primary", "Holm's method"),
        ("secondary", "the method of Benjamini and Hochberg"),
    ):
        rows = table[table["family"] == family]
        if not len(rows):
            continue
        names = list(dict.fromkeys(rows["endpoint"]))
        of = f"{len(names) if len(names) > 1 else 'one'} {family} endpoint{'s' * (len(names) > 1)}"
        of = f"P of the {of} ({validate.join(names)})"
        if len(rows) == 1:
            said.append(f"{of} stands as it is" if not said else f"{of} as well")
        else:
            tests = f"{len(rows)} tests" if len(rows) > len(names) else "their tests"
            said.append(f"{of} were adjusted over {tests} by {method}")
    text = "; ".join(said)
    if said and said[-1].endswith("as well") and "adjusted" in said[0]:
        text = text.replace("as well", "stands as it is")
    return f"{text}." if text else ""


def _tested(comparison: Comparison | DataError, over: str) -> list[dict[str, object]]:
    """Each P of an endpoint, not adjusted for others."""
    if isinstance(comparison, DataError):
        return [{"tested": "", "p": np.nan, "why": str(comparison).rstrip(".")}]
    if over == "omnibus":
        outcome = comparison.omnibus
        return [{"tested": outcome.test, "p": outcome.p, "why": "P is not known"}]
    if over == "trend":
        if not len(comparison.trend):
            return [{"tested": "", "p": np.nan, "why": "no trend over dose was tested"}]
        return [
            {"tested": "linear trend over dose", "p": float(comparison.trend.loc["dose", "p"]), "why": ""}
        ]
    if not len(comparison.posthoc):
        return [{"tested": "", "p": np.nan, "why": "no contrasts were made"}]
    return [
        {"tested": row["contrast"], "p": _alone(row), "why": "P is not known"}
        for row in comparison.posthoc.to_dict("records")
    ]


def _alone(row: Mapping[str, float]) -> float:
    """Two-sided P of one contrast by itself."""
    from scipy import stats

    if "p" in row:
        return float(row["p"])
    return float(2 * stats.t.sf(abs(row["statistic"]), row["df"]))

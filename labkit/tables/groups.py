"""Comparisons of treatment groups set out: by group, contrast by contrast, test by test.

Numbers come from comparisons; here they are only set out and rounded. Endpoints compared as logarithms are
shown as what they mean: geometric means as folds of the control, and contrasts as ratios.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.tables import cells

if TYPE_CHECKING:
    from labkit.stats import Comparison, MixedModel

__all__ = ["assumptions", "by_group", "contrasts", "legend", "omnibus"]


def by_group(
    comparisons: Mapping[str, Comparison | DataError],
    *,
    labels: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
    p: bool = False,
) -> pd.DataFrame:
    """One row per treatment group, one column per endpoint: centre and spread over units, and n of units.

    Mean ± SD; for an endpoint compared as logarithms the geometric mean as fold of the control's, ×/÷ the
    geometric SD. With blocks or covariates both are adjusted for them, so that means differ as the contrasts
    do. `legend` says so in a sentence.

    Parameters
    ----------
    comparisons
        The comparison of each endpoint, by its column name; for a `DataError` cells say "not compared".
    labels
        How groups are written; by default as they are named.
    titles
        How endpoints are written; by default the label of their column with unit, and "fold of" the control
        for those compared as logarithms.
    p
        Whether P of the contrast against the control, adjusted as the comparison does, stands in each cell.

    Returns
    -------
    DataFrame
        Text, indexed by group in the order of the study, ready to print.
    """
    labels, titles = labels or {}, titles or {}
    table: dict[str, dict[str, str]] = {}
    names = dict.fromkeys(
        name
        for c in comparisons.values()
        if not isinstance(c, DataError)
        for name in map(str, c.groups.index)
    )
    for endpoint, c in comparisons.items():
        title = titles.get(endpoint, _title(endpoint, c, labels))
        if isinstance(c, DataError):
            table[title] = {labels.get(name, name): "not compared" for name in names}
            continue
        shown = centres(c)
        against = _against_control(c) if p else {}
        table[title] = {}
        for row in shown.itertuples():
            cell = cells.fold(row.centre, row.spread) if _ratio(c) else cells.pair(row.centre, row.spread)
            n = [f"n = {row.n}"] + ([f"P = {against[row.Index]}"] if row.Index in against else [])
            table[title][labels.get(str(row.Index), str(row.Index))] = f"{cell} ({', '.join(n)})"
    return pd.DataFrame(table).fillna("").rename_axis("Treatment group")


def centres(comparison: Comparison) -> pd.DataFrame:
    """``n, centre, spread`` of each group: mean and SD, or fold of control and geometric SD.

    Adjusted for blocks and covariates where there are any.
    """
    groups = comparison.groups
    centre, spread = groups["mean"], groups["sd"]
    if comparison.adjusted is not None:
        centre = groups["adjusted_mean"]
        units = comparison.units
        spread = units.groupby(comparison.group, observed=True)["adjusted"].std().reindex(groups.index)
    if _ratio(comparison):
        centre, spread = np.exp(centre - centre[comparison.control]), np.exp(spread)
    return pd.DataFrame({"n": groups["n"], "centre": centre, "spread": spread})


def legend(
    comparisons: Mapping[str, Comparison | DataError], *, labels: Mapping[str, str] | None = None
) -> str:
    """What the cells of `by_group` hold, in a sentence to print below the table."""
    made = [c for c in comparisons.values() if not isinstance(c, DataError)]
    units = " and ".join(dict.fromkeys(f"{c.unit}s" if c.unit else "values" for c in made))
    said = []
    if any(not _ratio(c) for c in made):
        said.append(f"mean ± SD over {units}")
    for control in dict.fromkeys(c.control for c in made if _ratio(c)):
        name = (labels or {}).get(control, control)
        said.append(f"folds are geometric means over that of {name}, ×/÷ the geometric SD over {units}")
    beside = dict.fromkeys(
        name
        for c in made
        if c.adjusted is not None
        for name in ([c.block] if c.block else []) + list(c.covariates)
    )
    if beside:
        said.append(f"adjusted for {' and '.join(beside)} where it stands in the model")
    text = "; ".join(said)
    return text[:1].upper() + text[1:] + "." if text else ""


def contrasts(
    comparisons: Mapping[str, Comparison | DataError],
    *,
    labels: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Every contrast of every endpoint: difference or ratio, and Hedges' g, with intervals, and adjusted P.

    Intervals of differences are simultaneous where the test gives such; g is given against the control only,
    and is of logarithms where these were compared. Comparisons without contrasts give no row.
    """
    labels, titles, rows = labels or {}, titles or {}, []
    made = {name: c for name, c in comparisons.items() if not isinstance(c, DataError)}
    what = " or ".join(
        kind for kind, any_ in (("Difference", any(not _ratio(c) for c in made.values())),
                                ("ratio", any(map(_ratio, made.values())))) if any_
    ).capitalize()  # fmt: skip
    for endpoint, c in made.items():
        percent = f"{100 * (1 - c.alpha):g}% CI"
        effects = c.effects[c.effects["effect"] == "hedges_g"].set_index("contrast")
        for row in c.posthoc.to_dict("records"):
            g = effects.loc[row["contrast"]] if row["contrast"] in effects.index else None
            ratio = _ratio(c) and "ratio" in row
            keys = ("ratio", "ratio_low", "ratio_high") if ratio else ("difference", "ci_low", "ci_high")
            size, *ends = (row.get(key, math.nan) for key in keys)
            between = " / " if ratio else " − "
            rows.append(
                {
                    "Endpoint": titles.get(endpoint, cells.title(endpoint)),
                    "Contrast": between.join(
                        labels.get(row[key], row[key]) for key in ("group", "reference")
                    ),
                    f"{what} ({percent})": f"{cells.number(size)}{cells.interval(*ends, size)}",
                    "Adjusted P": cells.p(row["p_adjusted"]),
                    f"Hedges' g ({percent})": ""
                    if g is None
                    else cells.number(g["value"], 1.0) + cells.interval(g["ci_low"], g["ci_high"], 1.0),
                }
            )
    keys = ["Endpoint", "Contrast"]
    return pd.DataFrame(rows, columns=None if rows else keys).fillna("").set_index(keys)


def omnibus(
    comparisons: Mapping[str, Comparison | MixedModel | DataError | None],
    *,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The test of any difference, one row for each comparison, and the P of each group against the control.

    A comparison or mixed model that could not be made gives a row that says so.
    """
    labels, rows = labels or {}, {}
    for name, comparison in comparisons.items():
        if comparison is None:
            rows[name] = {
                "Test": "not made: nothing is nested within the unit, or the model could not be fitted"
            }
            continue
        if isinstance(comparison, DataError):
            rows[name] = {"Test": f"not made: {comparison}"}
            continue
        outcome = comparison.omnibus
        df = ", ".join(f"{x:.4g}" for x in outcome.df)
        rows[name] = {
            "Test": outcome.test,
            "Statistic": f"{outcome.symbol}({df}) = {outcome.statistic:.2f}".replace(" ", "\u00a0"),
            "P": cells.p(outcome.p),
            **{f"P, {labels.get(group, group)}": p for group, p in _against_control(comparison).items()},
            "n": str(outcome.n),
        }
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def assumptions(comparison: Comparison) -> pd.DataFrame:
    """The tests of what the comparison assumes, one row each; they decide nothing."""
    shown = {
        name: {
            "Statistic": cells.fixed(row["statistic"], 3) or "not known",
            "P": cells.p(row["p"]),
            "Note": row["note"],
        }
        for name, row in comparison.assumptions.to_dict("index").items()
    }
    return pd.DataFrame.from_dict(shown, orient="index").rename_axis("Test")


def _against_control(comparison: Comparison | MixedModel) -> dict[str, str]:
    """P of each group against the control, where that contrast was tested (in either direction)."""
    found = {}
    for row in comparison.posthoc.to_dict("records"):
        if comparison.control in (row["group"], row["reference"]):
            other = row["reference"] if row["group"] == comparison.control else row["group"]
            found[other] = cells.p(row["p_adjusted"])
    return found


def _ratio(comparison: Comparison) -> bool:
    return comparison.scale != "linear"


def _title(endpoint: str, comparison: Comparison | DataError, labels: Mapping[str, str]) -> str:
    if isinstance(comparison, DataError) or not _ratio(comparison):
        return cells.title(endpoint)
    return f"{cells.title(endpoint)}, fold of {labels.get(comparison.control, comparison.control)}"

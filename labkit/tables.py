"""Tables of a study as its reader wants them: by treatment group, contrast by contrast, and what was counted.

Numbers come from comparisons and result tables; here they are only set out and rounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from labkit.columns import COLUMNS, axis_label
from labkit.errors import DataError

if TYPE_CHECKING:
    from labkit.stats import Comparison, MixedModel

__all__ = [
    "assumptions",
    "by_group",
    "contrasts",
    "labelled",
    "numbers",
    "omnibus",
    "picks_in_words",
    "unconfirmed",
]


def by_group(
    comparisons: Mapping[str, Comparison], *, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """One row per treatment group, one column per endpoint: mean ± SD over units, and n of units.

    Parameters
    ----------
    comparisons
        The comparison of each endpoint, by its column name.
    labels
        How groups are written; by default as they are named.

    Returns
    -------
    DataFrame
        Text, indexed by group in the order of the study, ready to print.
    """
    table = {
        axis_label(name): {
            (labels or {}).get(str(row.Index), str(row.Index)): f"{_pair(row.mean, row.sd)} (n = {row.n})"
            for row in comparison.groups.itertuples()
        }
        for name, comparison in comparisons.items()
    }
    return pd.DataFrame(table).rename_axis("Treatment group")


def labelled(table: pd.DataFrame, *, digits: int = 3) -> pd.DataFrame:
    """A result table as it is shown: labels with units for names, rounded, without columns that hold nothing.

    Percentages are given to one decimal, other numbers to `digits`.

    >>> labelled(pd.DataFrame({"code": ["R1"], "r2": [0.98765], "excluded": [""]})).to_dict("list")
    {'Code': ['R1'], 'R²': [0.988]}
    """
    empty = [name for name in table if table[name].isna().all() or table[name].astype(str).eq("").all()]
    names = {name: axis_label(name) for name in table if name in COLUMNS}
    decimals = {
        name: 1 if name in COLUMNS and COLUMNS[name].unit.startswith("%") else digits for name in table
    }
    return table.drop(columns=empty).round(decimals).rename(columns=names)


def assumptions(comparison: Comparison) -> pd.DataFrame:
    """The tests of what the comparison assumes, one row each; they decide nothing."""
    table = comparison.assumptions
    shown = {
        name: {
            "Statistic": _fixed(row["statistic"], 3) or "not known",
            "P": _p(row["p"]),
            "Note": row["note"],
        }
        for name, row in table.to_dict("index").items()
    }
    return pd.DataFrame.from_dict(shown, orient="index").rename_axis("Test")


def contrasts(
    comparisons: Mapping[str, Comparison], *, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Every contrast of every endpoint: difference and Hedges' g with their intervals, and adjusted P.

    Intervals of differences are simultaneous where the test gives such; g is given against the control only.
    Comparisons without contrasts give no row.
    """
    labels, rows = labels or {}, []
    for name, comparison in comparisons.items():
        percent = f"{100 * (1 - comparison.alpha):g}% CI"
        effects = comparison.effects[comparison.effects["effect"] == "hedges_g"].set_index("contrast")
        for row in comparison.posthoc.to_dict("records"):
            g = effects.loc[row["contrast"]] if row["contrast"] in effects.index else None
            difference = row.get("difference", math.nan)
            interval = _interval(row.get("ci_low", math.nan), row.get("ci_high", math.nan), difference)
            rows.append(
                {
                    "Endpoint": axis_label(name),
                    "Contrast": " − ".join(labels.get(row[key], row[key]) for key in ("group", "reference")),
                    f"Difference ({percent})": f"{_number(difference)}{interval}",
                    "Adjusted P": _p(row["p_adjusted"]),
                    f"Hedges' g ({percent})": ""
                    if g is None
                    else _number(g["value"], 1.0) + _interval(g["ci_low"], g["ci_high"], 1.0),
                }
            )
    keys = ["Endpoint", "Contrast"]
    return pd.DataFrame(rows, columns=None if rows else keys).set_index(keys)


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
        against = comparison.posthoc[comparison.posthoc["reference"] == comparison.control]
        outcome = comparison.omnibus
        df = ", ".join(f"{x:.4g}" for x in outcome.df)
        rows[name] = {
            "Test": outcome.test,
            "Statistic": f"{outcome.symbol}({df}) = {outcome.statistic:.2f}".replace(" ", "\u00a0"),
            "P": _p(outcome.p),
            **{
                f"P, {labels.get(row['group'], row['group'])}": _p(row["p_adjusted"])
                for row in against.to_dict("records")
            },
            "n": str(outcome.n),
        }
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def numbers(slices: pd.DataFrame, *, unit: str = "animal", value: str | None = None) -> pd.DataFrame:
    """Units and slices of each group, and how many slices were excluded or flagged.

    `slices` holds one row per slice with ``group``, `unit`, ``excluded`` (a reason, or '') and ``flags``.
    Units compared have a slice that is not excluded and, where `value` names a column, has a value in it.
    """
    out = slices["excluded"].ne("")
    known = ~out if value is None else ~out & slices[value].notna()
    frame = slices.assign(is_in=known, is_out=out, is_flagged=slices["flags"].ne(""))
    grouped = frame.groupby("group", observed=False)
    return pd.DataFrame(
        {
            f"{unit}s": grouped[unit].nunique(),
            f"{unit}s compared": frame[frame["is_in"]].groupby("group", observed=False)[unit].nunique(),
            "slices": grouped.size(),
            "slices excluded": grouped["is_out"].sum(),
            "slices flagged": grouped["is_flagged"].sum(),
        }
    )


def unconfirmed(provenance: Mapping[str, Any]) -> int:
    """How many of the picks that a result table was made from nobody has confirmed."""
    return sum(pick["origin"] == "proposed" for pick in provenance.get("picks", []))


def picks_in_words(provenance: Mapping[str, Any]) -> str:
    """Who decided what, and whether blind, from the provenance of a result table.

    >>> pick = {"origin": "confirmed", "by": "ana", "blind": True}
    >>> picks_in_words({"picks": [pick, pick, pick | {"origin": "proposed", "by": ""}]})
    '3 picks: 2 confirmed, 1 proposed and confirmed by nobody; by ana; all of them made blind.'
    """
    made = provenance.get("picks", [])
    stored = [pick for pick in made if pick["origin"] != "proposed"]
    said = {
        "confirmed": "confirmed",
        "changed": "changed by hand",
        "proposed": "proposed and confirmed by nobody",
    }
    counts = [(sum(pick["origin"] == origin for pick in made), words) for origin, words in said.items()]
    parts = [
        f"{len(made)} pick{'s' * (len(made) != 1)}: "
        + (", ".join(f"{n} {words}" for n, words in counts if n) or "none")
    ]
    if stored:
        blind = sum(bool(pick["blind"]) for pick in stored)
        parts.append("by " + ", ".join(sorted({pick["by"] or "unknown" for pick in stored})))
        parts.append(
            "all of them made blind" if blind == len(stored) else f"{blind} of {len(stored)} made blind"
        )
    return "; ".join(parts) + "."


def _decimals(x: float) -> int:
    """Decimals that show three significant digits of x."""
    return max(0, 2 - math.floor(math.log10(abs(x)))) if x and math.isfinite(x) else 2


def _number(x: float, like: float | None = None) -> str:
    return _fixed(x, _decimals(x if like is None else like))


def _fixed(x: float, decimals: int) -> str:
    """Text of x with a true minus, none before zero; '' for NaN.

    >>> _fixed(-1.26, 1), _fixed(-0.04, 1)
    ('−1.3', '0.0')
    """
    return "" if math.isnan(x) else f"{round(x, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def _pair(mean: float, sd: float) -> str:
    """Mean ± SD, both to the decimals of three digits of the mean.

    >>> _pair(151.234, 12.345), _pair(0.31299, 0.0456)
    ('151 ± 12', '0.313 ± 0.046')
    """
    return f"{_number(mean)} ± {_number(sd, mean) or 'unknown'}"


def _interval(low: float, high: float, like: float) -> str:
    """An interval in brackets to follow its number, '' when there is none; it stays on one line."""
    return (
        "" if math.isnan(low) else f" ({_number(low, like)} to {_number(high, like)})".replace(" ", "\u00a0")
    )


def _p(p: float) -> str:
    """P to three digits, as a table gives it.

    >>> _p(0.0123456), _p(3.2e-6), _p(0.9996), _p(float("nan"))
    ('0.0123', '3.2e-06', '> 0.999', 'not known')
    """
    if math.isnan(p):
        return "not known"
    return "> 0.999" if p > 0.999 else (f"{p:.1e}" if p < 1e-4 else f"{p:.3g}")

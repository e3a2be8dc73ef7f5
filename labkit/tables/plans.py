"""Families of endpoints, dose-response curves, equivalence and power, set out for a reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.tables import cells

if TYPE_CHECKING:
    from labkit.stats import DoseResponse, Equivalence

__all__ = ["equivalence", "families", "hill", "power"]


def families(table: pd.DataFrame, *, titles: Mapping[str, str] | None = None) -> pd.DataFrame:
    """`labkit.stats.families` as it is printed: family (method), endpoint, test, P, adjusted P, decision."""
    titles = titles or {}
    adjusted = zip(table["family"], table["method"], strict=True)
    return pd.DataFrame(
        {
            "Endpoint": [titles.get(name, cells.title(name)) for name in table["endpoint"]],
            "Family": [f"{family} ({method})" if method else family for family, method in adjusted],
            "Tested": table["tested"].to_numpy(),
            "P": ["" if np.isnan(p) else cells.p(p) for p in table["p"]],
            "Adjusted P": ["" if np.isnan(p) else cells.p(p) for p in table["p_adjusted"]],
            "Decision": table["decision"].to_numpy(),
        }
    ).set_index(["Family", "Endpoint"])


def hill(
    curves: Mapping[str, DoseResponse | DataError],
    *,
    dose_unit: str = "",
    titles: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Parameters of Hill curves with the intervals of their profiles, one row for each endpoint.

    A curve that was refused gives a row that says why; an open interval says what it leaves.
    """
    titles, rows = titles or {}, {}
    for endpoint, curve in curves.items():
        title = titles.get(endpoint, cells.title(endpoint))
        if isinstance(curve, DataError):
            rows[title] = {"Note": f"not fitted: {curve}"}
            continue
        percent = f"{100 * (1 - curve.alpha):g}% CI"
        unit = f", {dose_unit}" if dose_unit else ""
        names = {"ec50": f"EC50{unit}", "hill": "Hill slope", "bottom": "Bottom", "top": "Top"}
        rows[title] = {
            f"{label} ({percent})": _parameter(curve.parameters.loc[name]) for name, label in names.items()
        } | {
            "n": str(curve.n),
            "Lack of fit, P": "not tested" if curve.lack_of_fit is None else cells.p(curve.lack_of_fit.p),
            "Note": " ".join(curve.warnings),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").fillna("").rename_axis("Endpoint")
    note = table.pop("Note")
    return table if note.eq("").all() else table.assign(Note=note)


def _parameter(row: pd.Series) -> str:
    value, low, high = row["value"], row["ci_low"], row["ci_high"]
    if row["fixed"]:
        return f"{cells.number(value)} (fixed)"
    if np.isinf(low) and np.isinf(high):
        return f"{cells.number(value)} (no limit)"
    if np.isinf(high):
        return f"{cells.number(value)} (above {cells.number(low, value)})"
    if np.isinf(low):
        return f"{cells.number(value)} (below {cells.number(high, value)})"
    return cells.number(value) + cells.interval(low, high, value)


def equivalence(
    results: Mapping[str, Equivalence | DataError],
    *,
    labels: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Each group against the control: difference or ratio with its interval, margin, P, what it shows."""
    labels, titles, rows = labels or {}, titles or {}, []
    for endpoint, result in results.items():
        title = titles.get(endpoint, cells.title(endpoint))
        if isinstance(result, DataError):
            rows.append({"Endpoint": title, "Contrast": "", "Equivalent": f"not tested: {result}"})
            continue
        ratio = "ratio" in result.contrasts
        percent = f"{100 * (1 - 2 * result.alpha):g}% CI"
        keys = ("ratio", "ratio_low", "ratio_high") if ratio else ("difference", "ci_low", "ci_high")
        for row in result.contrasts.to_dict("records"):
            size, *ends = (row[key] for key in keys)
            between = " / " if ratio else " − "
            rows.append(
                {
                    "Endpoint": title,
                    "Contrast": between.join(
                        labels.get(row[key], row[key]) for key in ("group", "reference")
                    ),
                    "Margin": " to ".join(cells.number(x) for x in result.margin),
                    f"Difference or ratio ({percent})": cells.number(size) + cells.interval(*ends, size),
                    "Adjusted P": cells.p(row["p_adjusted"]),
                    "Equivalent": "yes" if row["equivalent"] else "not shown",
                }
            )
    order = ["Endpoint", "Contrast"]
    table = pd.DataFrame(rows).fillna("")
    last = table.pop("Equivalent")
    return table.assign(Equivalent=last).set_index(order)


def power(table: pd.DataFrame) -> pd.DataFrame:
    """`labkit.stats.power_table` in per cent, with what rows and columns count.

    >>> from labkit.stats import power_table
    >>> plan = {"means": {"vehicle": 130.0, "drug": 150.0}, "sd": {"animal": 12.0, "slice": 15.0}}
    >>> power(power_table((5,), subunits={"slice": (1, 4)}, **plan)).to_dict("index")
    {'5 animals per group': {'1 slice each': '31 %', '4 slices each': '50 %'}}
    """
    rows = [f"{n} {table.index.name}{'s' * (n != 1)} per group" for n in table.index]
    columns = [f"{m:g} {table.columns.name}{'s' * (m != 1)} each" for m in table.columns]
    cells_ = [[f"{100 * x:.0f} %" for x in row] for row in table.to_numpy()]
    return pd.DataFrame(cells_, index=pd.Index(rows, name="Power"), columns=columns)

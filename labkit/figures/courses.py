"""Numbers behind the panels: time courses averaged as the experiment is nested, error bars with a name.

The mean of a group is the mean of its animals; slices are averaged within their animal first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from labkit.errors import DataError

__all__ = [
    "ERRORS",
    "Error",
    "animal_courses",
    "counts",
    "group_courses",
    "half_width",
    "need",
    "subunit_column",
]

Error = Literal["ci", "sd", "sem"]
ERRORS: dict[str, str] = {"ci": "95% CI", "sd": "SD", "sem": "SEM"}


def animal_courses(
    table: pd.DataFrame,
    *,
    value: str = "percent_of_baseline",
    group: str = "group",
    unit: str = "animal",
    subunit: str | None = None,
    bin_min: float = 2.0,
) -> pd.DataFrame:
    """Time course of each animal: responses averaged in bins of time, then slices within the animal.

    Parameters
    ----------
    table
        One row per response: `group`, `unit`, ``time_min`` (0 is induction) and `value`.
    subunit
        Column that tells the slices of an animal apart; by default ``recording``, ``slice`` or ``code``.
    bin_min
        Width of a bin in minutes. Bins start at induction and run both ways, so none holds both sides of it.

    Returns
    -------
    DataFrame
        `group`, `unit`, ``time_min`` (middle of the bin) and `value`. Bins without a response have no
        row, nor those with less than half of the responses that a bin of this table usually has.

    Examples
    --------
    >>> table = pd.DataFrame({"group": "vehicle", "animal": "a1", "slice": ["s1", "s1", "s2"],
    ...                       "time_min": [0.5, 1.5, 1.0], "percent_of_baseline": [140.0, 160.0, 110.0]})
    >>> animal_courses(table)["percent_of_baseline"].tolist()  # (150 + 110) / 2
    [130.0]
    """
    need(table, [group, unit, "time_min", value])
    subunit = subunit_column(table, subunit)
    middle = (np.floor(table["time_min"] / bin_min) + 0.5) * bin_min
    frame = table.assign(time_min=middle).dropna(subset=[value, "time_min"])
    # A bin that recordings only begin to fill, such as the last, would show one response as if it were many.
    filled = frame["time_min"].map(frame["time_min"].value_counts())
    frame = frame[filled * 2 >= frame["time_min"].value_counts().median()]
    keys = [group, unit, "time_min"]
    if subunit:
        frame = frame.groupby([*keys, subunit], observed=True)[value].mean().reset_index()
    return frame.groupby(keys, observed=True)[value].mean().reset_index()


def group_courses(
    courses: pd.DataFrame, *, value: str = "percent_of_baseline", group: str = "group", error: Error = "ci"
) -> pd.DataFrame:
    """Mean over animals with its error bar, from the table of `animal_courses`.

    Returns
    -------
    DataFrame
        `group`, ``time_min``, ``mean``, ``low``, ``high``, ``n`` (animals). A bin in which fewer than half
        of the group's animals have a value is left out, since its mean would jump for want of animals;
        `low` and `high` are NaN for one animal.
    """
    table = (
        courses.groupby([group, "time_min"], observed=True)[value].agg(["mean", "std", "size"]).reset_index()
    )
    half = half_width(table["std"], table["size"], error)
    table = table.assign(low=table["mean"] - half, high=table["mean"] + half, n=table["size"])
    most = table.groupby(group, observed=True)["n"].transform("max")
    columns = [group, "time_min", "mean", "low", "high", "n"]
    return table.loc[table["n"] * 2 >= most, columns].reset_index(drop=True)


def half_width(sd: pd.Series, n: pd.Series, error: Error) -> pd.Series:
    """Half the length of the error bar of a mean of `n` values with standard deviation `sd`; NaN for one.

    ``"ci"`` is the 95 % confidence interval of the mean by Student's t with n - 1 degrees of freedom.

    >>> half_width(pd.Series([2.0]), pd.Series([4]), "sem").tolist()
    [1.0]
    """
    if error not in ERRORS:
        raise DataError(f"there is no error bar {error!r}", expected=f"one of {', '.join(ERRORS)}")
    if error == "sd":
        return sd
    from scipy.special import stdtrit

    sem = sd / np.sqrt(n)
    return sem if error == "sem" else sem * stdtrit(np.maximum(n - 1, 1), 0.975)


def need(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a table that lacks a column, or whose last named column holds nothing."""
    missing = [name for name in names if name not in table]
    if missing:
        raise DataError(
            f"the table has no column {', '.join(missing)}", expected=f"the columns {', '.join(names)}"
        )
    if not table[names[-1]].notna().any():
        raise DataError(f"the column {names[-1]} holds no value", expected="at least one row to draw")


def subunit_column(table: pd.DataFrame, subunit: str | None) -> str | None:
    """Which column tells the slices of an animal apart; None when no column does."""
    return subunit or next((name for name in ("recording", "slice", "code") if name in table), None)


def counts(table: pd.DataFrame, unit: str, subunit: str | None) -> str:
    """n as it is printed: units, and in brackets what was averaged within them.

    >>> counts(pd.DataFrame({"animal": ["a1", "a1", "a2"], "slice": ["s1", "s2", "s1"]}), "animal", "slice")
    '2 (3)'
    """
    units = table[unit].nunique()
    return f"{units} ({len(table[[unit, subunit]].drop_duplicates())})" if subunit else f"{units}"

"""Values compared as logarithms, so that differences between groups are ratios.

A blot gives fold changes: they multiply. So their natural logs are compared, and the difference of two means
of logs is the log of the ratio of two geometric means, which is what is shown.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.stats.rows import label, numbers

__all__ = ["SCALES", "geometric", "log_values", "with_ratios"]

# "log": logs are taken of the column; "logged": the column holds natural logs already.
SCALES = ("linear", "log", "logged")


def log_values(table: pd.DataFrame, value: str, *, excluded: str | None = "excluded") -> pd.DataFrame:
    """The table with natural logs in the column of the value.

    Raises
    ------
    DataError
        When a value that is not excluded is 0 or negative.

    Examples
    --------
    >>> log_values(pd.DataFrame({"ratio": [1.0, np.e]}), "ratio")["ratio"].tolist()
    [0.0, 1.0]
    """
    values = numbers(table[value], value)
    counts = np.ones(len(table), dtype=bool)
    if excluded is not None and excluded in table.columns:
        counts = np.array([label(x) == "" for x in table[excluded]])
    bad = counts & (values <= 0)
    if bad.any():
        rows = ", ".join(str(x) for x in table.index[bad][:5]) + (" ..." if bad.sum() > 5 else "")
        raise DataError(
            f"{value} is {values[bad][0]:g} in row {rows}, and has no logarithm",
            expected="values above 0",
            todo="exclude these rows with a reason, or use scale='linear', or scale='logged' if the column "
            "holds logarithms already",
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return table.assign(**{value: np.where(values > 0, np.log(values), np.nan)})


def with_ratios(contrasts: pd.DataFrame, *, of: str = "difference") -> pd.DataFrame:
    """The table of contrasts with ``ratio, ratio_low, ratio_high`` behind the difference of logs.

    >>> row = {"difference": np.log(2.0), "ci_low": 0.0, "ci_high": np.log(4.0), "p_adjusted": 0.05}
    >>> with_ratios(pd.DataFrame([row])).loc[0, ["ratio", "ratio_low", "ratio_high"]].round(9).tolist()
    [2.0, 1.0, 4.0]
    """
    if not {of, "ci_low", "ci_high"} <= set(contrasts.columns):
        return contrasts
    at = contrasts.columns.get_loc("ci_high") + 1
    made = contrasts.copy()
    for name, source in (("ratio_high", "ci_high"), ("ratio_low", "ci_low"), ("ratio", of)):
        made.insert(at, name, np.exp(contrasts[source].astype(float)))
    return made


def geometric(groups: pd.DataFrame) -> pd.DataFrame:
    """The table of groups with ``geometric_mean, geometric_low, geometric_high``.

    They are the mean of logs and its interval transformed back: the adjusted mean where there is one, so that
    the ratio of two is the ratio of their contrast.
    """
    prefix = "adjusted_" if "adjusted_mean" in groups else ""
    sources = (
        f"{prefix}mean",
        f"{prefix}ci_low" if prefix else "ci_low",
        f"{prefix}ci_high" if prefix else "ci_high",
    )
    made = groups.copy()
    for name, source in zip(("geometric_mean", "geometric_low", "geometric_high"), sources, strict=True):
        made[name] = np.exp(groups[source])
    return made

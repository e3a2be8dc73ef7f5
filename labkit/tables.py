"""Tables by treatment group, as the paper prints them: mean, spread named, n."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from labkit.columns import COLUMNS

if TYPE_CHECKING:
    from labkit.stats import Comparison

__all__ = ["by_group"]


def by_group(comparisons: Mapping[str, Comparison], *, labels: Mapping[str, str] | None = None, digits: int = 3) -> pd.DataFrame:
    """One row per treatment group, one column per endpoint: mean ± SD over units, and n of units.

    Parameters
    ----------
    comparisons
        The comparison of each endpoint, by its column name.
    labels
        How groups are written; by default as they are named.
    digits
        Significant digits of the mean; the SD is given to the same decimal place.

    Returns
    -------
    DataFrame
        Text, indexed by group in the order of the study, ready to print.
    """
    labels = labels or {}
    table = {}
    for name, comparison in comparisons.items():
        groups = comparison.groups
        title = f"{COLUMNS[name].label} ({COLUMNS[name].unit})" if COLUMNS[name].unit else COLUMNS[name].label
        table[title] = {
            str(labels.get(row.Index, row.Index)): f"{_pair(row.mean, row.sd, digits)} (n = {row.n})"
            for row in groups.itertuples()
        }
    return pd.DataFrame(table).rename_axis("Treatment group")


def _pair(mean: float, sd: float, digits: int) -> str:
    """Mean ± SD to the decimal place of the mean's last significant digit.

    >>> _pair(151.234, 12.345, 3), _pair(0.31299, 0.0456, 3)
    ('151 ± 12', '0.313 ± 0.046')
    """
    import math

    decimals = max(0, digits - 1 - math.floor(math.log10(abs(mean)))) if mean and math.isfinite(mean) else digits
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"

"""Estimates of groups that have a covariance of their own: intervals, contrasts, trends over dose.

They come from a mixed model, or from least squares with blocks or covariates.

Notation: k groups; beta (k,) their estimates, whose covariance and degrees of freedom a `Denominator` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from labkit.stats.denominator import Denominator
from labkit.stats.integrals import critical_range, range_exceeds
from labkit.stats.multivariate import largest_exceeds
from labkit.stats.posthoc import adjust

__all__ = ["HOLM", "all_pairs", "means", "versus"]

Array = NDArray[np.float64]

HOLM = (
    "Contrasts are correlated in a way that Dunnett's integral does not hold for, and too many for another, "
    "so P are adjusted by Holm's method and intervals by Bonferroni's."
)


def means(names: Sequence[str], beta: Array, tests: Denominator, *, alpha: float) -> pd.DataFrame:
    """``mean, se, df, ci_low, ci_high`` of each group, not adjusted for their number."""
    k = len(names)
    se = np.sqrt(np.diag(tests.covariance)[:k])
    df = np.array([tests.df(row) for row in np.eye(k, tests.covariance.shape[0])])
    half = stats.t.isf(alpha / 2, df) * se
    columns = {"mean": beta, "se": se, "df": df, "ci_low": beta - half, "ci_high": beta + half}
    return pd.DataFrame(columns, index=pd.Index(names, name="group"))


def versus(
    names: Sequence[str], beta: Array, tests: Denominator, *, control: str, alpha: float
) -> tuple[pd.DataFrame, str]:
    """Each group against the control, and how P and intervals are adjusted for the number of contrasts.

    By the multivariate t, each contrast on its own degrees of freedom: by Dunnett's integral where the
    correlations are products ``lam_i lam_j`` (always when estimates of groups are independent, and for two
    contrasts), by that of `labkit.stats.multivariate` for other correlations of up to four contrasts. For
    more, by Holm's method, with intervals by Bonferroni's.

    Returns
    -------
    DataFrame, str
        ``contrast, group, reference, difference, ci_low, ci_high, se, statistic, df, p, p_adjusted``; and
        "multivariate t", "Holm", or "none" for a single contrast.
    """
    others = [name for name in names if name != control]
    pairs = [(control, name) for name in others]
    covariance, table = _contrasted(names, pairs, beta, tests)
    se, df, t = (table[name].to_numpy() for name in ("se", "df", "statistic"))
    correlation = covariance / np.outer(se, se)
    known = np.isfinite(df)
    adjusted, critical = np.full(df.size, np.nan), np.full(df.size, np.nan)
    adjusted[known] = [largest_exceeds(abs(t[i]), correlation, df[i]) for i in np.flatnonzero(known)]
    holm = known.any() and np.isnan(adjusted[known]).any()
    if holm:
        adjusted[known] = adjust(table["p"].to_numpy()[known], method="holm")
        critical[known] = stats.t.isf(alpha / 2 / df.size, df[known])
    else:
        critical[known] = _critical(alpha, correlation, df[known])
    _finish(table, adjusted, critical)
    if df.size == 1:
        return table, "none"
    return table, "Holm" if holm else "multivariate t"


def all_pairs(names: Sequence[str], beta: Array, tests: Denominator, *, alpha: float) -> pd.DataFrame:
    """All pairs by the studentised range: exact when all differences have one standard error, else as Kramer.

    Columns as `versus`; the reference is the earlier group.
    """
    pairs = list(combinations(names, 2))
    _, table = _contrasted(names, pairs, beta, tests)
    t, df = table["statistic"].to_numpy(), table["df"].to_numpy()
    critical = {nu: critical_range(alpha, len(names), nu) / np.sqrt(2) for nu in np.unique(df)}
    p = [range_exceeds(abs(x) * np.sqrt(2), len(names), nu) for x, nu in zip(t, df, strict=True)]
    _finish(table, np.array(p), np.array([critical[nu] for nu in df]))
    return table


def _contrasted(
    names: Sequence[str], pairs: Sequence[tuple[str, str]], beta: Array, tests: Denominator
) -> tuple[Array, pd.DataFrame]:
    """Covariance of contrasts, and their table short of what is adjusted; pairs are (reference, group)."""
    eye = pd.DataFrame(np.eye(len(names), tests.covariance.shape[0]), index=list(names))
    contrasts = np.array(
        [eye.loc[group].to_numpy() - eye.loc[reference].to_numpy() for reference, group in pairs]
    )
    covariance = contrasts @ tests.covariance @ contrasts.T
    difference = contrasts[:, : len(names)] @ beta
    se = np.sqrt(np.diag(covariance))
    df = np.array([tests.df(row) for row in contrasts])
    table = pd.DataFrame(
        {
            "contrast": [f"{group} − {reference}" for reference, group in pairs],
            "group": [group for _, group in pairs],
            "reference": [reference for reference, _ in pairs],
            "difference": difference,
            "ci_low": np.nan,
            "ci_high": np.nan,
            "se": se,
            "statistic": difference / se,
            "df": df,
            "p": 2 * stats.t.sf(np.abs(difference / se), df),
        }
    )
    return covariance, table


def _finish(table: pd.DataFrame, adjusted: Array, critical: Array) -> None:
    half = critical * table["se"].to_numpy()
    table["ci_low"], table["ci_high"] = table["difference"] - half, table["difference"] + half
    table["p_adjusted"] = adjusted


def _critical(alpha: float, correlation: Array, df: Array) -> Array:
    """As `critical_largest`, for several df that lie close: each is found from the one before."""
    found: dict[float, float] = {}
    # In logs the exceedance rises with the tail of a single t almost as a line of slope 1.
    at, slope = np.log(alpha / len(correlation)), 1.0
    for nu in df:
        if nu in found:
            continue
        found[nu], before = np.nan, None
        for _ in range(20):
            t = float(stats.t.isf(np.exp(at) / 2, nu))
            over = np.log(largest_exceeds(t, correlation, nu) / alpha)
            if abs(over) < 1e-10:
                found[nu] = t
                break
            if before is not None and at != before[0]:
                slope = (over - before[1]) / (at - before[0])
            before = (at, over)
            at -= over / slope
    return np.array([found[nu] for nu in df])

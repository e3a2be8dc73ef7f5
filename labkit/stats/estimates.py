"""Estimates of groups that have a covariance of their own: intervals, and contrasts against a control.

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
from labkit.stats.integrals import many_to_one_exceeds
from labkit.stats.posthoc import adjust

__all__ = ["means", "versus"]

Array = NDArray[np.float64]


def means(names: Sequence[str], beta: Array, tests: Denominator, *, alpha: float) -> pd.DataFrame:
    """``mean, se, df, ci_low, ci_high`` of each group, not adjusted for their number."""
    se = np.sqrt(np.diag(tests.covariance))
    df = np.array([tests.df(row) for row in np.eye(len(names))])
    half = stats.t.isf(alpha / 2, df) * se
    columns = {"mean": beta, "se": se, "df": df, "ci_low": beta - half, "ci_high": beta + half}
    return pd.DataFrame(columns, index=pd.Index(names, name="group"))


def versus(
    names: Sequence[str], beta: Array, tests: Denominator, *, control: str, alpha: float
) -> tuple[pd.DataFrame, str]:
    """Each group against the control, and how P and intervals are adjusted for the number of contrasts.

    By the multivariate t where the correlations are products ``lam_i lam_j`` (always when estimates of
    groups are independent, or contrasts three at most and correlated as a shared control makes them), each
    contrast on its own degrees of freedom: Dunnett's integral. Otherwise by Holm's method, with intervals
    by Bonferroni's.

    Returns
    -------
    DataFrame, str
        ``contrast, group, reference, difference, ci_low, ci_high, se, statistic, df, p, p_adjusted``; and
        "multivariate t", "Holm", or "none" for a single contrast.
    """
    others = [name for name in names if name != control]
    eye = pd.DataFrame(np.eye(len(names)), index=names)
    contrasts = eye.loc[others].to_numpy() - eye.loc[control].to_numpy()
    covariance = contrasts @ tests.covariance @ contrasts.T
    se = np.sqrt(np.diag(covariance))
    difference = contrasts @ beta
    df = np.array([tests.df(row) for row in contrasts])
    t = difference / se
    p = 2 * stats.t.sf(np.abs(t), df)
    lam = _product(covariance / np.outer(se, se))
    known = np.isfinite(df)
    adjusted, critical = np.full(df.size, np.nan), np.full(df.size, np.nan)
    if lam is None:
        adjusted[known] = adjust(p[known], method="holm")
        critical[known] = stats.t.isf(alpha / 2 / df.size, df[known])
    else:
        adjusted[known] = [many_to_one_exceeds(abs(t[i]), lam, df[i]) for i in np.flatnonzero(known)]
        critical[known] = _critical(alpha, lam, df[known])
    table = pd.DataFrame(
        {
            "contrast": [f"{name} − {control}" for name in others],
            "group": others,
            "reference": control,
            "difference": difference,
            "ci_low": difference - critical * se,
            "ci_high": difference + critical * se,
            "se": se,
            "statistic": t,
            "df": df,
            "p": p,
            "p_adjusted": adjusted,
        }
    )
    if df.size == 1:
        return table, "none"
    return table, "Holm" if lam is None else "multivariate t"


def _critical(alpha: float, lam: Array, df: Array) -> Array:
    """As `critical_many_to_one`, for several df that lie close: each is found from the one before."""
    found: dict[float, float] = {}
    # In logs the exceedance rises with the tail of a single t almost as a line of slope 1.
    at, slope = np.log(alpha / lam.size), 1.0
    for nu in df:
        if nu in found:
            continue
        found[nu], before = np.nan, None
        for _ in range(20):
            t = float(stats.t.isf(np.exp(at) / 2, nu))
            over = np.log(many_to_one_exceeds(t, lam, nu) / alpha)
            if abs(over) < 1e-10:
                found[nu] = t
                break
            if before is not None and at != before[0]:
                slope = (over - before[1]) / (at - before[0])
            before = (at, over)
            at -= over / slope
    return np.array([found[nu] for nu in df])


def _product(correlation: Array) -> Array | None:
    """lam with ``correlation_ij = lam_i lam_j``, as Dunnett's integral needs; None when there is none."""
    size = correlation.shape[0]
    if size == 1:
        return np.array([0.5**0.5])
    pairs = list(combinations(range(size), 2))
    rho = np.array([correlation[pair] for pair in pairs])
    if rho.min() <= 0:
        return None
    which = np.zeros((len(pairs), size))
    for row, pair in zip(which, pairs, strict=True):
        row[list(pair)] = 1
    lam = np.exp(np.linalg.lstsq(which, np.log(rho), rcond=None)[0])
    near = np.abs(which @ np.log(lam) - np.log(rho)).max() < 1e-8
    return lam if near and lam.max() < 1 - 1e-12 else None

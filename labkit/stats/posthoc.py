"""Which groups differ: contrasts with P adjusted for their number, and simultaneous confidence intervals.

Notation: k groups, n_i units in group i, control 0; s² the pooled variance on nu = N - k degrees of freedom.
Each table has one row per contrast, in the order of the groups; the sign is that of *group* minus
*reference*.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from labkit.stats.integrals import critical_many_to_one, critical_range, many_to_one_exceeds, range_exceeds
from labkit.stats.oneway import Moments, moments
from labkit.stats.validate import Samples, check, choice, level

__all__ = ["adjust", "dunn", "dunnett", "games_howell", "pairwise", "tukey"]


def dunnett(samples: Samples, *, control: str | None = None, alpha: float = 0.05) -> pd.DataFrame:
    """Each group against the control: Dunnett's many-to-one test, two-sided.

    P is the probability that the largest of the k - 1 absolute t statistics, correlated through the shared
    control and the shared variance, exceeds the one seen; the intervals hold together at ``1 - alpha``. Both
    come from a quadrature (`labkit.stats.integrals`) that gives the same P at each call;
    `scipy.stats.dunnett` samples at random, to four decimals. Dunnett CW (1955) J Am Stat Assoc 50:1096.

    Parameters
    ----------
    samples
        Values of each group, one per experimental unit.
    control
        Name of the control; the first group if not given.
    alpha
        Family-wise level of the intervals.

    Returns
    -------
    DataFrame
        ``contrast, group, reference, difference, ci_low, ci_high, se, statistic, df, p_adjusted``.

    Raises
    ------
    DataError
        As `one_way`; also when the control is not among the groups.

    Examples
    --------
    >>> table = dunnett({"vehicle": [1, 2, 3], "low": [2, 3, 4], "high": [4, 5, 6]}, control="vehicle")
    >>> table[["contrast", "difference", "p_adjusted"]].round(4)
             contrast  difference  p_adjusted
    0   low − vehicle         1.0      0.4179
    1  high − vehicle         3.0      0.0184
    """
    control = str(next(iter(samples)) if control is None else control)
    m = moments(check(samples, test="Dunnett's test", control=control))
    zero = m.names.index(control)
    others = np.array([i for i in range(len(m.names)) if i != zero])
    lam = np.sqrt(m.n[others] / (m.n[others] + m.n[zero]))
    difference = m.mean[others] - m.mean[zero]
    se = np.sqrt(m.ms_within * (1 / m.n[others] + 1 / m.n[zero]))
    t = difference / se
    p = np.array([many_to_one_exceeds(abs(x), lam, m.df_within) for x in t])
    critical = critical_many_to_one(level(alpha), lam, m.df_within)
    pairs = [(zero, i) for i in others]
    return _table(m, pairs, difference, se, t, m.df_within, p, critical * se)


def tukey(samples: Samples, *, alpha: float = 0.05) -> pd.DataFrame:
    """All pairs of groups: Tukey's honestly significant difference (Tukey-Kramer when n differ).

    Variances are taken as equal.
    P and intervals come from the studentised range (`labkit.stats.integrals`).

    Returns
    -------
    DataFrame
        Columns as `dunnett`, one row per pair; the reference is the earlier group.

    Raises
    ------
    DataError
        As `one_way`.

    Examples
    --------
    >>> table = tukey({"vehicle": [1, 2, 3], "low": [2, 3, 4], "high": [4, 5, 6]})
    >>> table[["contrast", "p_adjusted"]].round(4)
             contrast  p_adjusted
    0   low − vehicle      0.4827
    1  high − vehicle      0.0242
    2      high − low      0.1089
    """
    m = moments(check(samples, test="Tukey's test"))
    return _ranged(m, "pooled", alpha)


def games_howell(samples: Samples, *, alpha: float = 0.05) -> pd.DataFrame:
    """All pairs of groups, each with a variance of its own: the Games-Howell test.

    As Tukey's test with Welch's standard errors and degrees of freedom for each pair. A pair with a single
    value, or with no variance in either group, has NaN. Games PA, Howell JF (1976) J Educ Stat 1:113.

    Returns
    -------
    DataFrame
        Columns as `dunnett`, one row per pair; the reference is the earlier group.

    Raises
    ------
    DataError
        As `one_way`.

    Examples
    --------
    >>> table = games_howell({"vehicle": [1, 2, 3], "low": [2, 3, 4], "high": [4, 5, 9]})
    >>> table["df"].round(3).tolist()
    [4.0, 2.56, 2.56]
    """
    m = moments(check(samples, test="The Games-Howell test"))
    return _ranged(m, "separate", alpha)


def _ranged(m: Moments, variance: str, alpha: float) -> pd.DataFrame:
    """All pairs by the studentised range."""
    k = m.n.size
    pairs = _pairs(m.names, None)
    difference, se, df = _contrasted(m, pairs, variance)
    t = difference / se
    p, half = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    known = np.flatnonzero(np.isfinite(t))
    p[known] = [range_exceeds(abs(t[i]) * np.sqrt(2), k, df[i]) for i in known]
    critical = {nu: critical_range(level(alpha), k, nu) / np.sqrt(2) for nu in np.unique(df[known])}
    half[known] = [critical[df[i]] * se[i] for i in known]
    return _table(m, pairs, difference, se, t, df, p, half)


def _contrasted(
    m: Moments, pairs: Sequence[tuple[int, int]], variance: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Difference, standard error and degrees of freedom of each pair, by pooled or by separate variances."""
    a, b = np.array(pairs).T
    part = (np.full(m.n.size, m.ms_within) if variance == "pooled" else m.variance) / m.n
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.where(part[a] + part[b] > 0, np.sqrt(part[a] + part[b]), np.nan)
        df = se**4 / (part[a] ** 2 / (m.n[a] - 1) + part[b] ** 2 / (m.n[b] - 1))
    if variance == "pooled":
        df = np.full(len(pairs), float(m.df_within))
    return m.mean[b] - m.mean[a], se, df


def pairwise(
    samples: Samples,
    *,
    control: str | None = None,
    variance: str = "pooled",
    method: str = "holm",
    alpha: float = 0.05,
) -> pd.DataFrame:
    """t tests of all pairs, or of each group against a control, with P adjusted for their number.

    Parameters
    ----------
    control
        With a control only its k - 1 contrasts are tested, and P adjusted for those.
    variance
        "pooled" over all k groups, or "separate" (Welch) for each pair.
    method
        As in `adjust`.

    Returns
    -------
    DataFrame
        Columns as `dunnett`, and ``p`` before adjustment. The intervals are those of single contrasts, not
        simultaneous.

    Raises
    ------
    DataError
        As `one_way`.

    Examples
    --------
    >>> table = pairwise({"vehicle": [1, 2, 3], "low": [2, 3, 4], "high": [4, 5, 6]}, control="vehicle")
    >>> table["p_adjusted"].round(4).tolist()
    [0.2666, 0.0208]
    """
    choice(variance, ("pooled", "separate"), name="variance")
    m = moments(check(samples, test="A t test", control=control))
    pairs = _pairs(m.names, control)
    difference, se, df = _contrasted(m, pairs, variance)
    t = difference / se
    p = 2 * stats.t.sf(np.abs(t), df)
    half = stats.t.isf(level(alpha) / 2, df) * se
    return _table(m, pairs, difference, se, t, df, adjust(p, method=method), half).assign(p=p)


def dunn(samples: Samples, *, control: str | None = None, method: str = "holm") -> pd.DataFrame:
    """Dunn's test: contrasts of mean ranks, corrected for ties, with P adjusted for their number.

    ``z = (mean rank of group - mean rank of reference) / sqrt((N (N + 1) - sum(t³ - t) / (N - 1)) / 12 (1/n_i
    + 1/n_j))``, t the number of values in each tie. Dunn OJ (1964) Technometrics 6:241.

    Parameters
    ----------
    control
        With a control only its k - 1 contrasts are tested, and P adjusted for those; all pairs without.
    method
        As in `adjust`.

    Returns
    -------
    DataFrame
        ``contrast, group, reference, rank_difference, se, statistic, p, p_adjusted``.

    Raises
    ------
    DataError
        As `kruskal`.

    Examples
    --------
    >>> dunn({"vehicle": [1, 2, 3], "low": [4, 5, 6], "high": [7, 8, 9]})["statistic"].round(4).tolist()
    [1.3416, 2.6833, 1.3416]
    """
    checked = check(samples, test="Dunn's test", spread="total", control=control)
    values = np.concatenate(list(checked.values()))
    n = np.array([group.size for group in checked.values()])
    ranks = np.split(stats.rankdata(values), np.cumsum(n)[:-1])
    mean_rank = np.array([r.mean() for r in ranks])
    ties = np.unique(values, return_counts=True)[1].astype(float)
    total = float(values.size)
    variance = (total * (total + 1) - (ties**3 - ties).sum() / (total - 1)) / 12
    names = tuple(checked)
    pairs = _pairs(names, control)
    a, b = np.array(pairs).T
    difference = mean_rank[b] - mean_rank[a]
    se = np.sqrt(variance * (1 / n[a] + 1 / n[b]))
    p = 2 * stats.norm.sf(np.abs(difference / se))
    table = _contrasts(names, pairs)
    table["rank_difference"], table["se"], table["statistic"] = difference, se, difference / se
    table["p"], table["p_adjusted"] = p, adjust(p, method=method)
    return table


_METHODS = {"holm": "holm", "bh": "fdr_bh", "bonferroni": "bonferroni", "sidak": "sidak", "none": ""}


def adjust(p: ArrayLike, *, method: str = "holm") -> NDArray[np.float64]:
    """P adjusted for their number by `statsmodels.stats.multitest.multipletests`.

    Parameters
    ----------
    p
        P of one family; NaN (a test that could not be made) does not count and stays NaN.
    method
        "holm" or "bonferroni" or "sidak" (family-wise error), "bh" (false discovery rate), or "none".

    Examples
    --------
    >>> adjust([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    choice(method, tuple(_METHODS), name="method")
    p = np.array(p, dtype=float)
    known = np.isfinite(p)
    if method != "none" and known.any():
        from statsmodels.stats.multitest import multipletests

        p[known] = multipletests(p[known], method=_METHODS[method])[1]
    return p


def _pairs(names: Sequence[str], control: str | None) -> list[tuple[int, int]]:
    """(reference, group) of each contrast."""
    if control is None:
        return list(combinations(range(len(names)), 2))
    zero = list(names).index(str(control))
    return [(zero, i) for i in range(len(names)) if i != zero]


def _contrasts(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> pd.DataFrame:
    table = pd.DataFrame({"group": [names[b] for _, b in pairs], "reference": [names[a] for a, _ in pairs]})
    table.insert(0, "contrast", [f"{names[b]} − {names[a]}" for a, b in pairs])
    return table


def _table(
    m: Moments,
    pairs: Sequence[tuple[int, int]],
    difference: ArrayLike,
    se: ArrayLike,
    statistic: ArrayLike,
    df: ArrayLike,
    p: ArrayLike,
    half: ArrayLike,
) -> pd.DataFrame:
    table = _contrasts(m.names, pairs)
    table["difference"] = difference
    table["ci_low"], table["ci_high"] = np.subtract(difference, half), np.add(difference, half)
    table["se"], table["statistic"], table["df"], table["p_adjusted"] = se, statistic, df, p
    return table

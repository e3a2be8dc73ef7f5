"""Does the response rise or fall with dose: linear contrasts of group means, and Jonckheere's test on ranks.

A contrast asks one question in place of k - 1, so it finds a steady rise that no single dose shows. Which
scale of dose is primary is chosen beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from labkit.errors import DataError
from labkit.stats.oneway import Outcome, moments
from labkit.stats.validate import Samples, check, join, level

__all__ = ["Jonckheere", "jonckheere", "trend", "trend_of"]

# Exact counts grow as n², and the normal approximation is good long before.
_EXACT_UP_TO = 100


def trend(samples: Samples, *, doses: Mapping[str, float] | None = None, alpha: float = 0.05) -> pd.DataFrame:
    """Linear trend of the group means over rank, dose and log(1 + dose).

    The contrast ``sum(c_i mean_i)``, c the scores less their mean, is tested by t with the pooled variance of
    all groups on N - k degrees of freedom. Its slope, ``estimate / sum(c²)``, is the rise per unit of the
    score. log(1 + dose) depends on the unit of dose.

    Parameters
    ----------
    samples
        Values of each group, in order.
    doses
        Dose of each group. A group without one (NaN: a positive control) lends its variance only. Without
        doses the trend is over the rank of the groups as they stand.

    Returns
    -------
    DataFrame
        Indexed by scale ("rank", "dose", "log1p_dose"): ``estimate, se, statistic, df, p, slope, ci_low,
        ci_high``, the last two the interval of the slope.

    Raises
    ------
    DataError
        As `one_way`; also when fewer than two groups have doses that differ.

    Examples
    --------
    >>> doses = {"vehicle": 0, "low": 1, "high": 2}
    >>> table = trend({"vehicle": [1, 2, 3], "low": [2, 3, 4], "high": [3, 4, 5]}, doses=doses)
    >>> table.loc["dose", ["slope", "statistic"]].round(4).tolist()
    [1.0, 2.4495]
    """
    m = moments(check(samples, test="The linear trend"))
    return trend_of(m.names, m.mean, np.diag(m.ms_within / m.n), df=m.df_within, doses=doses, alpha=alpha)


def trend_of(
    names: Sequence[str],
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    *,
    df: float,
    doses: Mapping[str, float] | None,
    alpha: float,
) -> pd.DataFrame:
    """As `trend`, of k means (or adjusted means) with their (k, k) covariance on df degrees of freedom."""
    given = (
        np.arange(1.0, len(names) + 1)
        if doses is None
        else np.array([doses[name] for name in names], dtype=float)
    )
    used = np.isfinite(given)
    if np.unique(given[used]).size < 2:
        raise DataError(
            f"the doses of {join(np.array(names)[used])} do not differ"
            if used.any()
            else "no group has a dose",
            expected="at least two doses",
            todo="the groups can still be compared without a trend",
        )
    scores = {"rank": np.full(given.size, np.nan)}
    scores["rank"][used] = stats.rankdata(given[used], method="dense")
    if doses is not None:
        scores |= {"dose": given, "log1p_dose": np.log1p(given)}
    rows = {}
    for scale, score in scores.items():
        c = np.where(used, score - score[used].mean(), 0.0)
        estimate, se = float(c @ mean), float(np.sqrt(c @ covariance @ c))
        t, slope, per = estimate / se, estimate / (c @ c), 1 / (c @ c)
        half = float(stats.t.isf(level(alpha) / 2, df)) * se * per
        p = float(2 * stats.t.sf(abs(t), df))
        rows[scale] = {
            "estimate": estimate, "se": se, "statistic": t, "df": df, "p": p,
            "slope": slope, "ci_low": slope - half, "ci_high": slope + half,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scale")


@dataclass(frozen=True)
class Jonckheere(Outcome):
    """Jonckheere's test: `statistic` is z, `p` that of the normal approximation.

    Attributes
    ----------
    j, mean, variance
        Number of pairs of units in which the later group is higher (ties half), its mean and variance under
        no trend.
    p_exact
        Two-sided P by counting all orders; NaN with ties or more than 100 units.
    """

    j: float
    mean: float
    variance: float
    p_exact: float


def jonckheere(samples: Samples) -> Jonckheere:
    """Jonckheere-Terpstra test of a monotonic trend over groups in the order given, two-sided.

    The normal approximation has the variance corrected for ties and no correction for continuity.
    Jonckheere AR (1954) Biometrika 41:133; Hollander & Wolfe, Nonparametric Statistical Methods, section 6.2.

    Raises
    ------
    DataError
        As `kruskal`.

    Examples
    --------
    >>> outcome = jonckheere({"vehicle": [1, 2], "low": [3, 4], "high": [5, 6]})
    >>> outcome.j, outcome.mean, round(outcome.p_exact, 4)
    (12.0, 6.0, 0.0222)
    """
    checked = list(check(samples, test="Jonckheere's test", spread="total").values())
    j, below = 0.0, checked[0]
    for later in checked[1:]:
        # `below` is sorted: a value has all those before it below, and half of those equal to it.
        j += (np.searchsorted(below, later, "left") + np.searchsorted(below, later, "right")).sum() / 2
        below = np.sort(np.concatenate([below, later]))
    n = np.array([group.size for group in checked], dtype=float)
    ties = np.unique(below, return_counts=True)[1].astype(float)
    mean, variance = _null_moments(n, ties)
    z = (j - mean) / np.sqrt(variance)
    p_exact = np.nan
    if ties.max() == 1 and n.sum() <= _EXACT_UP_TO:
        chance = _null_distribution([group.size for group in checked])
        tail = min(chance[: int(j) + 1].sum(), chance[int(j) :].sum())
        p_exact = float(min(1.0, 2 * tail))
    p = float(2 * stats.norm.sf(abs(z)))
    return Jonckheere(
        "Jonckheere-Terpstra test", "z", float(z), (), p, int(n.sum()), float(j), mean, variance, p_exact
    )


def _null_moments(n: NDArray[np.float64], ties: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and variance of J when no group tends to be higher; `ties` counts each distinct value."""
    total = n.sum()

    def two(x: NDArray[np.float64] | float) -> float:
        return float(np.sum(x * (x - 1)))

    def three(x: NDArray[np.float64] | float) -> float:
        return float(np.sum(x * (x - 1) * (x - 2)))

    def five(x: NDArray[np.float64] | float) -> float:
        return float(np.sum(x * (x - 1) * (2 * x + 5)))

    variance = (five(total) - five(n) - five(ties)) / 72 + two(n) * two(ties) / (8 * two(total))
    if total > 2:
        variance += three(n) * three(ties) / (36 * three(total))
    return float((total**2 - (n**2).sum()) / 4), variance


def _null_distribution(n: list[int]) -> NDArray[np.float64]:
    """Probability of each J from 0 without ties: the Gaussian multinomial coefficient, in whole numbers."""
    counts, placed = [1], n[0]
    for size in n[1:]:
        placed += size
        for i in range(1, size + 1):
            counts = _times(counts, placed - size + i)
            counts = _over(counts, i)
    total = sum(counts)
    return np.array([count / total for count in counts])


def _times(counts: list[int], power: int) -> list[int]:
    """The polynomial times (1 - q^power)."""
    out = counts + [0] * power
    for i, count in enumerate(counts):
        out[i + power] -= count
    return out


def _over(counts: list[int], power: int) -> list[int]:
    """The polynomial over (1 - q^power), which divides it."""
    out = list(counts)
    for i in range(power, len(out)):
        out[i] += out[i - power]
    return out[: len(out) - power]

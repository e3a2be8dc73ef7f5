"""The largest of several t statistics, and the noncentral t, by Gauss-Legendre quadrature.

The result is the same at each call and on each platform, to some 1e-13, and small probabilities keep their
digits because the exceedance itself is integrated, never 1 less the rest.

Notation: Z standard normal with density phi and distribution Phi; s the estimated SD over the true one, on nu
degrees of freedom, so that nu s² is chi-squared.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

__all__ = [
    "critical_many_to_one",
    "critical_range",
    "critical_t",
    "legendre",
    "many_to_one_exceeds",
    "noncentral_t_below",
    "range_exceeds",
    "spread_nodes",
]

Nodes = tuple[NDArray[np.float64], NDArray[np.float64]]


def many_to_one_exceeds(t: float, lam: NDArray[np.float64], df: float) -> float:
    """P(max_i |T_i| > t) for t statistics that share one control and one variance: Dunnett's distribution.

    With ``lam_i = sqrt(n_i / (n_i + n_0))`` and ``c_i = sqrt(1 - lam_i²)``, given s the T_i are independent
    once Z of the control is fixed, so that

        ``P = E_s ∫ phi(z) (1 - Prod_i [Phi((lam_i z + t s) / c_i) - Phi((lam_i z - t s) / c_i)]) dz``.

    Examples
    --------
    >>> round(many_to_one_exceeds(2.0, np.array([0.5**0.5]), 10), 6)  # one comparison: Student's t
    0.073388
    """
    if t == 0:
        return 1.0
    s, weight_s = spread_nodes(df, 14 / t)
    lam, count = np.unique(lam, return_counts=True)
    c = np.sqrt(1 - lam**2)
    # The integrand is even in z, and changes over c / lam.
    z, weight_z = _nodes(ceil(100 * max(1.0, float((0.5 * lam / c).max()))), 0.0, 9.5)
    log_inside = np.zeros((z.size, s.size))
    for lam_i, c_i, times in zip(lam, c, count, strict=True):
        at, reach = lam_i * z[:, None] / c_i, t * s / c_i
        outside = special.ndtr(-at - reach) + special.ndtr(at - reach)
        log_inside += times * np.log1p(-np.minimum(outside, 1 - 1e-16))
    return min(1.0, float((2 * weight_z * _phi(z)) @ -np.expm1(log_inside) @ weight_s))


def range_exceeds(q: float, k: int, df: float) -> float:
    """P(range of k standard normals > q s): the studentised range.

        ``P = E_s k ∫ phi(z) (Phi(z)^(k-1) - [Phi(z) - Phi(z - q s)]^(k-1)) dz``.

    `scipy.stats.studentized_range` agrees to 1e-9 but is rounding noise or 0 below some 1e-8, and slower.

    Examples
    --------
    >>> round(range_exceeds(2.0 * 2**0.5, 2, 10), 6)  # two groups: Student's t
    0.073388
    """
    if q == 0:
        return 1.0
    s, weight_s = spread_nodes(df, 20 / q)
    z, weight_z = _nodes(200, -10.0, 10.0)
    below = special.ndtr(z)[:, None]
    apart = special.ndtr(z[:, None] - q * s) / below
    gone = below ** (k - 1) * -np.expm1((k - 1) * np.log1p(-np.minimum(apart, 1 - 1e-16)))
    return min(1.0, float((k * weight_z * _phi(z)) @ gone @ weight_s))


def noncentral_t_below(t: float, df: float, nc: float) -> float:
    """P(T <= t) for the noncentral t, t not negative.

    ``E_s Phi(t s - nc)``; where t is large beside the spread of s, and that a step in s, in the form
    ``Phi(-nc) + ∫_0^inf phi(x - nc) P(s > x / t) dx``. `scipy.stats.nct` is NaN for some large t on few df.

    Examples
    --------
    >>> round(noncentral_t_below(0.0, 10, 1.0), 6)  # at 0 a normal's
    0.158655
    """
    if t < np.sqrt(2 * df):
        s, weight = spread_nodes(df, np.inf)
        return float(special.ndtr(t * s - nc) @ weight)
    x, weight = _nodes(160, max(0.0, nc - 9.5), max(nc, 0.0) + 9.5)
    below = special.ndtr(max(0.0, nc - 9.5) - nc)
    return float(below + (_phi(x - nc) * stats.chi2.sf(df * (x / t) ** 2, df)) @ weight)


def critical_many_to_one(alpha: float, lam: NDArray[np.float64], df: float) -> float:
    """The t that the largest |T_i| exceeds with probability `alpha`."""
    return critical_t(lambda t: many_to_one_exceeds(t, lam, df), alpha, df, comparisons=lam.size)


def critical_range(alpha: float, k: int, df: float) -> float:
    """The q that the studentised range of k groups exceeds with probability `alpha`."""
    return np.sqrt(2) * critical_t(
        lambda t: range_exceeds(t * np.sqrt(2), k, df), alpha, df, comparisons=k * (k - 1) // 2
    )


def critical_t(exceeds: Callable[[float], float], alpha: float, df: float, *, comparisons: int) -> float:
    """Root between Student's critical value, exact for one comparison, and Bonferroni's."""
    low, high = stats.t.isf([alpha / 2, alpha / 2 / comparisons], df)
    if comparisons == 1:
        return float(low)
    return float(
        optimize.brentq(lambda t: exceeds(t) - alpha, low * 0.999, high * 1.001, xtol=1e-11, rtol=1e-13)
    )


@lru_cache(maxsize=64)
def spread_nodes(df: float, furthest: float, *, count: int = 160) -> Nodes:
    """Nodes of s, and weights times its density; beyond `furthest` the exceedance is below 1e-40."""
    low, high = np.sqrt(stats.chi2.ppf([1e-40, 1 - 1e-16], df) / df)
    # Below the least likely s all is exceeded with a probability under 1e-40, however it is integrated.
    high = min(high, furthest)
    low = low if low < high else high / 2
    # In the fourth root of s the density is smooth at 0 for a fractional df too.
    root, weight = _nodes(count, low**0.25, high**0.25)
    s = root**4
    log_density = (
        np.log(2) + df / 2 * np.log(df / 2) - special.gammaln(df / 2) + (df - 1) * np.log(s) - df * s**2 / 2
    )
    return s, weight * 4 * root**3 * np.exp(log_density)


def _phi(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def _nodes(count: int, low: float, high: float) -> Nodes:
    x, weight = legendre(count)
    return low + (high - low) * (x + 1) / 2, weight * (high - low) / 2


@lru_cache(maxsize=16)
def legendre(count: int) -> Nodes:
    """Nodes and weights on [-1, 1]."""
    return special.roots_legendre(count)

"""The largest of several absolute t statistics with any correlation, by quadrature: the same P at each call.

Dunnett's integral (`labkit.stats.integrals`) holds when correlations are products ``lam_i lam_j``, as a
shared control makes them. Covariates and incomplete blocks bend them. The exceedance is then

    ``P(max |T_i| > t) = sum_i P(|T_i| > t, |T_j| <= t for all j < i)``,

a sum of parts of which none cancels. Given the spread s, T_i is Z_i / s, and each part an integral over
normals, one within the limits that those before leave it (the triangular root of the correlation), the last
in closed form. What holds for normals is laid out once, as a polynomial; any t on any degrees of freedom then
costs an integral over s alone.

Notation: m statistics; s the estimated SD over the true one, on df degrees of freedom.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import special

from labkit.stats.integrals import critical_t, legendre, many_to_one_exceeds, spread_nodes

__all__ = ["MOST", "critical_largest", "largest_exceeds", "products"]

Array = NDArray[np.float64]

# Statistics up to which the integral takes half a second at most; each more takes it some twenty times.
MOST = 5

# Nodes of the tail, and of each normal inside: P to 1e-12; to 1e-7 for five, or for strong correlations.
_NODES, _NODES_OF_FIVE = (32, 28), (20, 16)

# Up to this |Z| the polynomial is laid out, of this degree; beyond, where P is below 1e-42, it is constant.
_FURTHEST, _DEGREE = 14.0, 90


def largest_exceeds(t: float, correlation: Array, df: float) -> float:
    """P(max |T_i| > t) for m = 1 to `MOST` t statistics of that (m, m) correlation and one shared spread.

    NaN for more statistics, and when one is a combination of others.

    Examples
    --------
    >>> bent = np.array([[1.0, 0.5, 0.1], [0.5, 1.0, 0.6], [0.1, 0.6, 1.0]])
    >>> round(largest_exceeds(2.0, bent, 20), 6)
    0.144726
    """
    m = correlation.shape[0]
    if (lam := products(correlation)) is not None:
        return many_to_one_exceeds(t, lam, df)
    if m > MOST or np.linalg.eigvalsh(correlation)[0] < 1e-10:
        return np.nan
    if t == 0:
        return 1.0
    s, weight = spread_nodes(df, _FURTHEST / t)
    reach = t * s
    shares = _shares(m, np.ascontiguousarray(correlation).tobytes())
    share = chebyshev.chebval(2 * reach / _FURTHEST - 1, shares)
    return min(1.0, float((2 * m * special.ndtr(-reach) * share) @ weight))


@lru_cache(maxsize=32)
def _shares(m: int, correlation: bytes) -> Array:
    """Chebyshev coefficients of P(max |Z_i| > r) over Bonferroni's bound 2 m P(Z > r), r from 0.

    It rises smoothly from 1 / m to 1.
    """
    matrix = np.frombuffer(correlation).reshape(m, m)

    def share(x: Array) -> Array:
        reach = _FURTHEST * (x + 1) / 2
        tail = special.ndtr(-reach)
        total = tail.copy()
        for i in range(1, m):
            order = [i, *range(i)]
            root = np.linalg.cholesky(matrix[np.ix_(order, order)])
            total += _part(reach, root, _NODES if m < 5 else _NODES_OF_FIVE)
        return total / (m * tail)

    return chebyshev.chebinterpolate(share, _DEGREE)


def _part(reach: Array, root: Array, nodes: tuple[int, int]) -> Array:
    """P(Z_0 > reach, |Z_j| <= reach for the rest) at each reach; Z = root e, e independent."""
    x, w = legendre(nodes[0])
    # Far out the tail falls off within a fraction of an SD.
    span = np.minimum(10.0, 40.0 / np.maximum(reach, 1e-3))[:, None]
    e = reach[:, None] + span * (x + 1) / 2
    weight = span / 2 * w * _phi(e)
    shift = [e * row[0] for row in root[1:]]
    return (weight * _inside(reach[:, None], root[1:, 1:], shift, nodes[1])).sum(axis=1)


def _inside(reach: Array, root: Array, shift: list[Array], count: int) -> Array:
    """P(|shift_j + (root e)_j| <= reach for all j), the first one outermost."""
    low, high = (-reach - shift[0]) / root[0, 0], (reach - shift[0]) / root[0, 0]
    if root.shape[0] == 1:
        # On the side where both are small, so that the difference keeps its digits.
        upper = low > 0
        low, high = np.where(upper, -high, low), np.where(upper, -low, high)
        return special.ndtr(high) - special.ndtr(low)
    low, high = np.clip(low, -9.0, 9.0), np.clip(high, -9.0, 9.0)
    x, w = legendre(count)
    half = ((high - low) / 2)[..., None]
    e = ((high + low) / 2)[..., None] + half * x
    rest = [before[..., None] + e * row[0] for before, row in zip(shift[1:], root[1:], strict=True)]
    return (half * w * _phi(e) * _inside(reach[..., None], root[1:, 1:], rest, count)).sum(axis=-1)


def critical_largest(alpha: float, correlation: Array, df: float) -> float:
    """The t that the largest |T_i| exceeds with probability `alpha`; NaN as `largest_exceeds`."""
    if correlation.shape[0] > MOST and products(correlation) is None:
        return np.nan
    return critical_t(lambda t: largest_exceeds(t, correlation, df), alpha, df, comparisons=len(correlation))


def products(correlation: Array) -> Array | None:
    """lam with ``correlation_ij = lam_i lam_j`` once some statistics are turned round; None if there is none.

    Two-sided tests do not see a statistic turned round.

    >>> products(np.array([[1.0, 0.5], [0.5, 1.0]])).round(4).tolist()
    [0.7071, 0.7071]
    """
    size = correlation.shape[0]
    if size == 1:
        return np.array([0.5**0.5])
    sign = np.where(correlation[0] < 0, -1.0, 1.0)
    correlation = correlation * np.outer(sign, sign)
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


def _phi(z: Array) -> Array:
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

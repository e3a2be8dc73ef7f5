"""The least squares of a sigmoid over dose: fit, covariance, and how far each parameter may move.

Notation: k doses x_i, with n_i units of mean y_i; ``p_i = 1 / (1 + (ec50 / x_i)^h)`` with h > 0, so that p is
0 at dose 0 exactly and no logarithm of 0 is taken; mean response ``a (1 - p) + d p``: a without drug, d at
the plateau. As units weigh alike, only n_i, y_i and the sum of squares within doses enter.

For given ``log ec50`` and h the rest is linear, so a and d are solved for and only the other two are searched
(variable projection; Golub GH, Pereyra V (1973) SIAM J Numer Anal 10:413; Jacobian of Kaufman L (1975) BIT
15:49): a grid first, then the lowest valleys of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

__all__ = ["PARAMETERS", "Doses", "Sigmoid", "fit", "limits", "profile_limits"]

Array = NDArray[np.float64]

PARAMETERS = ("a", "d", "log_ec50", "h")

# Beyond e^30 of the doses a curve is a power of dose or flat within them, and changes no more.
_BEYOND = 30.0
_SLOPES = (0.02, 60.0)


@dataclass(frozen=True, eq=False)
class Doses:
    """Units gathered by dose: `x` (k,) rising, `n`, `mean` (k,), and the sum of squares within doses."""

    x: Array
    n: Array
    mean: Array
    ss_within: float

    @property
    def log_x(self) -> Array:
        """Natural logarithm; -inf at dose 0, where the curve is a."""
        with np.errstate(divide="ignore"):
            return np.log(self.x)


@dataclass(frozen=True, eq=False)
class Sigmoid:
    """A fitted curve: `theta` (a, d, log_ec50, h), which were free, and the residual sum of squares."""

    theta: Array
    free: tuple[int, ...]
    rss: float

    def mean(self, log_x: Array) -> Array:
        """Response at doses."""
        p = _share(log_x, self.theta[2], self.theta[3])
        return self.theta[0] * (1 - p) + self.theta[1] * p

    def gradient(self, log_x: Array) -> Array:
        """Its derivatives by the free parameters, (len(log_x), n_free)."""
        a, d, log_ec50, h = self.theta
        p = _share(log_x, log_ec50, h)
        by_log_ec50, by_h = _turned(log_x, log_ec50, h, p)
        return np.column_stack([1 - p, p, (d - a) * by_log_ec50, (d - a) * by_h])[:, self.free]


def limits(doses: Doses) -> dict[int, tuple[float, float]]:
    """Where log_ec50 and h are looked for; a fit at a limit has no plateau, or no rise, within the doses."""
    seen = doses.log_x[doses.x > 0]
    return {2: (seen.min() - _BEYOND, seen.max() + _BEYOND), 3: _SLOPES}


def fit(doses: Doses, fixed: Mapping[int, float], *, start: Array | None = None) -> Sigmoid:
    """The least squares with some parameters fixed, by their place in `PARAMETERS`.

    From `start` (log_ec50, h) alone when given, as along a profile; else from the lowest valleys of a grid.
    """
    bounds = limits(doses)
    searched = [i for i in (2, 3) if i not in fixed]
    starts = [start] if start is not None else _valleys(doses, fixed, bounds)
    best: Sigmoid | None = None
    for at in starts:
        if searched:
            low, high = (np.array([_scaled(i, bounds[i][side]) for i in searched]) for side in (0, 1))
            x0 = np.clip([_scaled(i, at[i - 2]) for i in searched], low + 1e-9, high - 1e-9)
            found = optimize.least_squares(
                lambda x: _projected(doses, fixed, searched, x)[0], x0,
                jac=lambda x: _projected(doses, fixed, searched, x)[1],
                bounds=(low, high), xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=300,
            ).x  # fmt: skip
        else:
            found = np.empty(0)
        tried = _solved(doses, fixed, searched, found)
        if best is None or tried.rss < best.rss:
            best = tried
    assert best is not None
    return best


def profile_limits(
    doses: Doses, best: Sigmoid, which: int, fixed: Mapping[int, float], *, step: float, allowed: float
) -> tuple[float, float]:
    """Interval of one parameter: where the least squares with it held there reach `allowed`.

    Infinite (0 below h) on a side where no curve that the doses can tell apart reaches it.
    """

    def excess(value: float, at: Array) -> tuple[float, Array]:
        now = {**fixed, which: value}
        held = fit(doses, now, start=at)
        # A path followed from the best fit may have led into a side valley.
        if held.rss > allowed and _floor(doses, now) < allowed + 0.3 * (allowed - best.rss):
            held = min(held, fit(doses, now), key=lambda curve: curve.rss)
        return held.rss - allowed, held.theta[2:]

    near, far = best.theta[which], 100 * np.ptp(doses.mean)
    edges = limits(doses).get(which, (near - far, near + far))
    found = []
    for sign, edge in zip((-1.0, 1.0), edges, strict=True):
        inside, at, reach = near, best.theta[2:], step
        while True:
            value = float(min(near + reach, edge) if sign > 0 else max(near - reach, edge))
            over, at_value = excess(value, at)
            if over > 0:
                root = optimize.brentq(
                    lambda v, at=at: excess(v, at)[0], inside, value, rtol=1e-9, xtol=1e-9 * step
                )
                found.append(float(root))
                break
            if value == edge:
                found.append(0.0 if which == 3 and sign < 0 else sign * np.inf)
                break
            inside, at, reach = value, at_value, 1.6 * reach
    return found[0], found[1]


def _share(log_x: Array, log_ec50: float, h: float) -> Array:
    return special.expit(h * (log_x - log_ec50))


def _turned(log_x: Array, log_ec50: float, h: float, p: Array) -> tuple[Array, Array]:
    """Derivatives of p by log_ec50 and by h; both are 0 at dose 0."""
    slope = p * (1 - p)
    distance = np.where(slope > 0, np.where(np.isfinite(log_x), log_x, 0.0) - log_ec50, 0.0)
    return -h * slope, slope * distance


def _scaled(i: int, value: float) -> float:
    """h is searched by its logarithm."""
    return float(np.log(value)) if i == 3 else float(value)


def _linear(
    doses: Doses, fixed: Mapping[int, float], log_ec50: float, h: float
) -> tuple[Array, Array, Array]:
    """Weighted columns of the free ones of a and d, what they are to explain, and their scale."""
    p = _share(doses.log_x, log_ec50, h)
    w = np.sqrt(doses.n)
    columns = np.column_stack([special.expit(-h * (doses.log_x - log_ec50)), p])
    target = w * (
        doses.mean - sum((fixed[i] * columns[:, i] for i in (0, 1) if i in fixed), np.zeros(p.size))
    )
    free = [i for i in (0, 1) if i not in fixed]
    design = w[:, None] * columns[:, free]
    scale = np.sqrt((design**2).sum(axis=0))
    return design / np.where(scale > 0, scale, 1.0), target, scale


def _pair(fixed: Mapping[int, float], searched: list[int], x: Array) -> tuple[float, float]:
    values = {**fixed, **dict(zip(searched, x, strict=True))}
    return values[2], float(np.exp(values[3])) if 3 in searched else values[3]


def _projected(
    doses: Doses, fixed: Mapping[int, float], searched: list[int], x: Array
) -> tuple[Array, Array]:
    """Residuals once a and d are solved for, and Kaufman's Jacobian of them."""
    log_ec50, h = _pair(fixed, searched, x)
    design, target, scale = _linear(doses, fixed, log_ec50, h)
    coefficient = np.linalg.lstsq(design, target, rcond=None)[0]
    residual = target - design @ coefficient
    level = _levels(fixed, coefficient, scale)
    p = _share(doses.log_x, log_ec50, h)
    by_log_ec50, by_h = _turned(doses.log_x, log_ec50, h, p)
    moves = {2: by_log_ec50, 3: by_h * h}
    rise = np.sqrt(doses.n)[:, None] * (level[1] - level[0])
    jacobian = -rise * np.column_stack([moves[i] for i in searched])
    if design.shape[1]:
        q = np.linalg.qr(design)[0]
        jacobian = jacobian - q @ (q.T @ jacobian)
    return residual, jacobian


def _levels(fixed: Mapping[int, float], coefficient: Array, scale: Array) -> dict[int, float]:
    """a and d."""
    free = [i for i in (0, 1) if i not in fixed]
    return {**fixed, **dict(zip(free, coefficient / np.where(scale > 0, scale, 1.0), strict=True))}


def _solved(doses: Doses, fixed: Mapping[int, float], searched: list[int], x: Array) -> Sigmoid:
    log_ec50, h = _pair(fixed, searched, x)
    design, target, scale = _linear(doses, fixed, log_ec50, h)
    coefficient = np.linalg.lstsq(design, target, rcond=None)[0]
    level = _levels(fixed, coefficient, scale)
    rss = float(((target - design @ coefficient) ** 2).sum()) + doses.ss_within
    values = np.array([level[0], level[1], log_ec50, h])
    return Sigmoid(values, tuple(i for i in range(4) if i not in fixed), rss)


def _valleys(
    doses: Doses, fixed: Mapping[int, float], bounds: Mapping[int, tuple[float, float]], *, most: int = 4
) -> list[Array]:
    """(log_ec50, h) at the lowest points of a grid that no neighbour undercuts."""
    across, steep = _grid(doses, fixed, bounds)
    rss = _on_grid(doses, fixed, across, steep)
    padded = np.pad(rss, 1, constant_values=np.inf)
    rows, columns = rss.shape
    around = [padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    lowest = np.argwhere(rss <= np.min(around, axis=0))
    lowest = sorted(map(tuple, lowest), key=lambda at: rss[at])[:most]
    return [np.array([across[i], steep[j]]) for i, j in lowest]


def _grid(
    doses: Doses, fixed: Mapping[int, float], bounds: Mapping[int, tuple[float, float]]
) -> tuple[Array, Array]:
    seen = doses.log_x[doses.x > 0]
    near = np.linspace(seen.min() - 4, seen.max() + 4, 41)
    across = np.array([fixed[2]]) if 2 in fixed else np.array([bounds[2][0], *near, bounds[2][1]])
    steep = np.array([fixed[3]]) if 3 in fixed else np.exp(np.linspace(*np.log([0.1, 30.0]), 13))
    return across, steep


def _floor(doses: Doses, fixed: Mapping[int, float]) -> float:
    """The lowest residual sum of squares on the grid."""
    return float(_on_grid(doses, fixed, *_grid(doses, fixed, limits(doses))).min()) + doses.ss_within


def _on_grid(doses: Doses, fixed: Mapping[int, float], across: Array, steep: Array) -> Array:
    """Residual sum of squares of the means at each log_ec50 (rows) and h, by the normal equations."""
    p = special.expit(steep[:, None] * (doses.log_x - across[:, None, None]))
    w = doses.n
    if 0 in fixed and 1 in fixed:
        return ((doses.mean - fixed[0] * (1 - p) - fixed[1] * p) ** 2) @ w
    if 0 in fixed or 1 in fixed:
        rest, column = (1 - p, p) if 0 in fixed else (p, 1 - p)
        y = doses.mean - fixed[0 if 0 in fixed else 1] * rest
    else:
        y = np.broadcast_to(doses.mean - doses.mean @ w / w.sum(), p.shape)
        column = p - (p @ w)[..., None] / w.sum()
    xx = (column**2) @ w
    return (y**2) @ w - ((y * column) @ w) ** 2 / np.where(xx > 1e-300, xx, np.inf)

"""Restricted maximum likelihood with nested random intercepts, exactly and in time linear in the rows.

Notation: N rows, p fixed effects X, L levels of nested groups of rows from the outermost (animals, neurons in
animals), q = L + 1 variance components theta, the last that of the residuals. V = sum of theta_j Z_j Z_j' +
theta_q I; A = X' V⁻¹ X; Phi = A⁻¹.

The inverse of V is never formed. A group of rows enters through its mean alone, which has variance
``d = theta_j + v``, v being what its inner levels leave; weighted by 1 / d the means of groups make the mean
of the group around them, with ``v = 1 / sum(1 / d)``. So [X y]' V⁻¹ [X y] is a sum of squares of which none
cancels, and rows of one innermost group count by their number, mean and cross-products only.

All derivatives come from the same recursion, carried out on numbers with two derivatives (`Jet`). V is
linear in theta, so the second derivatives of log|V| and of A are the traces and the matrices that Kenward
and Roger need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labkit.stats.jets import Jet, component, constant

__all__ = ["Fit", "Nest", "Rows", "fit", "nest", "solved"]

Array = NDArray[np.float64]

# A fit no further from the optimum, in standard errors of theta, is found; rounding leaves 1e-8.
_NEAR = 1e-5


@dataclass(frozen=True, eq=False)
class Nest:
    """All that the likelihood needs of the rows.

    Attributes
    ----------
    n_rows
        N.
    sizes : (G,) rows in each innermost group
    means : (p + 1, G) means of [X y] in each
    within : (p + 1, p + 1) cross-products of the deviations of rows from those means
    starts, parents
        For each level but the outermost, from the outermost on: the first group within each group of the
        level around it, and the index of the group around each.
    n_groups
        Groups at each level, from the outermost.
    varies : (p + 1,) whether a column varies within the outermost groups
    offset : (p,) fixed effects by least squares, which y is the residual of
    scale
        Root mean square of those residuals, which y is divided by.
    """

    n_rows: int
    sizes: Array
    means: Array
    within: Array
    starts: tuple[NDArray[np.intp], ...]
    parents: tuple[NDArray[np.intp], ...]
    n_groups: tuple[int, ...]
    varies: NDArray[np.bool_]
    offset: Array
    scale: float

    @property
    def residual_share(self) -> float:
        """Part of the residual sum of squares that lies within the innermost groups; 0 leaves no optimum."""
        x, y = self.within[:-1, :-1], self.within[:-1, -1]
        left = self.within[-1, -1] - y @ np.linalg.pinv(x, rcond=1e-10, hermitian=True) @ y
        return max(float(left), 0.0) / self.n_rows

    def products(self, theta: Array, k: int) -> tuple[Jet, Jet]:
        """log|V| as (1, 1), and [X y]' V⁻¹ [X y], with derivatives by k = q or 0 components."""
        return _products(self, theta, k)


class Rows(Protocol):
    """What a fit needs of its rows; see `Nest`."""

    n_rows: int
    n_groups: tuple[int, ...]
    offset: Array
    scale: float

    @property
    def residual_share(self) -> float:
        """As `Nest.residual_share`."""

    def products(self, theta: Array, k: int) -> tuple[Jet, Jet]:
        """As `Nest.products`."""


def nest(y: Array, x: Array, levels: Sequence[NDArray[np.intp]]) -> Nest:
    """Sum rows up by their groups.

    Parameters
    ----------
    y, x
        (N,) values and (N, p) fixed effects, of full rank.
    levels
        For each level from the outermost, the (N,) number of the group of each row within its outer group;
        the same number in another outer group is another group.
    """
    order = np.lexsort((y, *x.T, *levels[::-1]))
    y, x, levels = y[order], x[order], [level[order] for level in levels]
    offset = np.linalg.lstsq(x, y, rcond=None)[0]
    residual = y - x @ offset
    scale = float(np.sqrt(residual @ residual / y.size))
    z = np.column_stack([x, residual / (scale or 1.0)]).T
    new = np.zeros(y.size, dtype=bool)
    new[0] = True
    firsts = []
    for level in levels:
        new = new | np.r_[True, level[1:] != level[:-1]]
        firsts.append(np.flatnonzero(new))
    sizes = np.diff(np.r_[firsts[-1], y.size]).astype(float)
    means = np.add.reduceat(z, firsts[-1], axis=1) / sizes
    deviations = z - np.repeat(means, sizes.astype(int), axis=1)
    outer = np.diff(np.r_[firsts[0], y.size])
    spread = np.abs(z - np.repeat(z[:, firsts[0]], outer, axis=1)).max(axis=1)
    pairs = list(pairwise(firsts))
    return Nest(
        n_rows=y.size,
        sizes=sizes,
        means=means,
        within=deviations @ deviations.T,
        starts=tuple(np.searchsorted(inner, around) for around, inner in pairs),
        parents=tuple(np.searchsorted(around, inner, side="right") - 1 for around, inner in pairs),
        n_groups=tuple(first.size for first in firsts),
        varies=np.r_[spread[:-1] > 0, True],
        offset=offset,
        scale=scale,
    )


def _products(rows: Nest, theta: Array, k: int) -> tuple[Jet, Jet]:
    """log|V| as (1, 1), and [X y]' V⁻¹ [X y]."""
    residual = component(theta, theta.size - 1, k)
    free = constant(np.array([[rows.n_rows - rows.sizes.size]], dtype=float), k)
    log_det = residual.log() * free
    log_det.value[...] += np.log(rows.sizes).sum()
    products = residual.inverse() * constant(rows.within, k)
    v = residual * constant(1 / rows.sizes[None], k)
    inner = np.flatnonzero(rows.varies)
    z = constant(rows.means[inner], k)
    everything = np.array([0])
    for j in range(theta.size - 2, -1, -1):
        d = v + component(theta, j, k)
        log_det = log_det + d.log().sums(everything)
        weight = d.inverse()
        if j == 0:
            break
        starts, parents = rows.starts[j - 1], rows.parents[j - 1]
        total = weight.sums(starts)
        log_det = log_det + total.log().sums(everything)
        v = total.inverse()
        around = (weight * z).sums(starts) * v
        apart = z - around.take(parents)
        _add(products, (weight * apart).cross(apart), inner)
        z = around
    # Columns that do not vary within the outermost groups are their own means.
    whole = constant(rows.means[:, _first_inner(rows)], k)
    whole = Jet(whole.value.copy(), whole.first.copy(), whole.second.copy())
    whole.value[inner], whole.first[:, inner], whole.second[:, :, inner] = z.value, z.first, z.second
    return log_det, products + (weight * whole).cross(whole)


def _first_inner(rows: Nest) -> NDArray[np.intp]:
    """The first innermost group in each outermost."""
    first = np.arange(rows.n_groups[0])
    for starts in rows.starts:
        first = starts[first]
    return first


def _add(products: Jet, part: Jet, columns: NDArray[np.intp]) -> None:
    at = np.ix_(columns, columns)
    products.value[at] += part.value
    products.first[:, at[0], at[1]] += part.first
    products.second[:, :, at[0], at[1]] += part.second


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit by restricted maximum likelihood, and what tests of fixed effects need of it.

    Attributes
    ----------
    theta : (q,) variance components, the residual's last
    beta : (p,) fixed effects
    phi : (p, p) their covariance when theta is taken as known
    a_first, a_second : (q, p, p), (q, q, p, p) derivatives of ``A = X' V⁻¹ X`` by theta
    gradient, observed, expected
        (q,), (q, q), (q, q): of minus twice the log likelihood, the gradient, the second derivatives, and
        their expectation.
    criterion
        Minus twice the log restricted likelihood.
    score
        How far, in standard errors, theta lies from where the gradient (of components that are not 0) is 0.
    """

    theta: Array
    beta: Array
    phi: Array
    a_first: Array
    a_second: Array
    gradient: Array
    observed: Array
    expected: Array
    criterion: float
    score: float

    @property
    def found(self) -> bool:
        """Whether this is an optimum, for components that are 0 one at the border."""
        at_zero = self.theta == 0
        spread = np.sqrt(np.abs(np.diag(self.expected)))
        return bool(self.score < _NEAR and (self.gradient[at_zero] > -_NEAR * spread[at_zero]).all())


def _evaluate(rows: Rows, theta: Array) -> Fit:
    """The likelihood and its derivatives at theta."""
    log_det, m = rows.products(theta, theta.size)
    p = m.value.shape[0] - 1
    phi = np.linalg.inv(m.value[:p, :p])
    beta = phi @ m.value[:p, p]
    u = np.r_[-beta, 1.0]
    a_first, a_second = m.first[:, :p, :p], m.second[:, :, :p, :p]
    known = -log_det.second[:, :, 0, 0] - np.einsum("ab,ijba->ij", phi, a_second)
    moved = phi @ a_first
    expected = known + np.einsum("iab,jba->ij", moved, moved)
    slope = m.first[:, :p, :] @ u
    observed = -expected + u @ m.second @ u - 2 * slope @ phi @ slope.T
    gradient = log_det.first[:, 0, 0] + np.einsum("iaa->i", moved) + u @ m.first @ u
    free = (theta > 0) | (gradient < 0)
    decrement = gradient[free] @ solved(expected[np.ix_(free, free)], gradient[free])[0]
    return Fit(
        theta, beta, phi, a_first, a_second, gradient, observed, expected,
        _value(rows, log_det, m), float(np.sqrt(max(decrement, 0.0))),
    )  # fmt: skip


def _value(rows: Rows, log_det: Jet, m: Jet) -> float:
    p = m.value.shape[0] - 1
    a = m.value[:p, :p]
    u = np.r_[-np.linalg.solve(a, m.value[:p, p]), 1.0]
    constant = (rows.n_rows - p) * np.log(2 * np.pi)
    return float(constant + log_det.value[0, 0] + np.linalg.slogdet(a)[1] + u @ m.value @ u)


def fit(rows: Rows) -> Fit:
    """The restricted maximum likelihood fit.

    One search from one start can stop at a lower maximum, or short of any. So the likelihood is laid out
    over a grid of variance ratios, from 0 to where residuals hardly count; the search starts from each of
    its lowest hollows (Newton's steps, kept at 0 or above), and the best end is kept. `Fit.found` says
    whether the score is 0 there.
    """
    ends = [_descend(rows, start) for start in _starts(rows)]
    best = min(ends, key=lambda end: end.criterion)
    # Undo what `nest` did to y.
    s, p = rows.scale, rows.offset.size
    return Fit(
        theta=best.theta * s**2,
        beta=rows.offset + best.beta * s,
        phi=best.phi * s**2,
        a_first=best.a_first / s**4,
        a_second=best.a_second / s**6,
        gradient=best.gradient / s**2,
        observed=best.observed / s**4,
        expected=best.expected / s**4,
        criterion=best.criterion + 2 * (rows.n_rows - p) * np.log(s),
        score=best.score,
    )


def _starts(rows: Rows, *, most: int = 3) -> list[Array]:
    """Lowest hollows of the likelihood over a grid of ratios to the residual variance, that profiled out."""
    levels = len(rows.n_groups)
    weights = {1: np.r_[0, np.logspace(-2, 5, 22)], 2: np.array([0, 0.1, 1, 10, 100, 1000])}.get(
        levels, np.array([0, 0.5, 10, 200])
    )
    p = rows.offset.size
    # A ratio matters by how many rows share the intercept.
    shared = rows.n_rows / np.array(rows.n_groups)
    grid = [np.r_[ratios / shared, 1.0] for ratios in map(np.array, product(weights, repeat=levels))]
    residual, values = np.empty(len(grid)), np.empty(len(grid))
    for i, ratios in enumerate(grid):
        log_det, m = rows.products(ratios, 0)
        a = m.value[:p, :p]
        square = m.value[p, p] - m.value[p, :p] @ np.linalg.solve(a, m.value[:p, p])
        residual[i] = max(square, 1e-300) / (rows.n_rows - p)
        values[i] = log_det.value[0, 0] + np.linalg.slogdet(a)[1] + (rows.n_rows - p) * np.log(residual[i])
    square = values.reshape((weights.size,) * levels)
    hollows = np.flatnonzero(square == ndimage.minimum_filter(square, size=3, mode="nearest"))
    return [grid[i] * residual[i] for i in hollows[np.argsort(values[hollows], kind="stable")][:most]]


def _descend(rows: Rows, theta: Array, *, most: int = 100) -> Fit:
    """Newton's steps downhill, by the expected second derivatives where the observed do not point down."""
    at = _evaluate(rows, theta)
    for _ in range(most):
        free = np.flatnonzero((at.theta > 0) | (at.gradient < 0))
        step = np.zeros(theta.size)
        gradient = at.gradient[free]
        for matrix in (at.observed, at.expected):
            uphill, curvature = solved(matrix[np.ix_(free, free)], gradient)
            step[free] = -uphill
            if curvature > 1e-10:
                break
        if -gradient @ step[free] < 1e-22:
            break
        after = _shorter(rows, at, step)
        # At the bottom only rounding is left to gain.
        if after is None or (after.score >= at.score and at.score < 1e-7):
            break
        at = after
    return at


def solved(matrix: Array, right: Array) -> tuple[Array, float]:
    """``matrix⁻¹ right``, and the least eigenvalue of the matrix when its diagonal is scaled to 1."""
    scale = 1 / np.sqrt(np.abs(np.diag(matrix)))
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    kept = np.where(np.abs(values) > 1e-14, values, np.inf)
    return scale * (vectors @ ((vectors.T @ (right * scale)) / kept)), float(values[0])


def _shorter(rows: Rows, at: Fit, step: Array) -> Fit | None:
    """The fit after the step, or after as much of it as goes downhill; None when none does."""
    slack = 1e-13 * (rows.n_rows + abs(at.criterion))
    for part in 0.5 ** np.arange(40):
        trial = np.maximum(at.theta + part * step, 0.0)
        trial[-1] = max(trial[-1], at.theta[-1] / 10)
        allowed = at.criterion + 1e-4 * at.gradient @ (trial - at.theta) + slack
        if _value(rows, *rows.products(trial, 0)) <= allowed:
            return _evaluate(rows, trial)
    return None

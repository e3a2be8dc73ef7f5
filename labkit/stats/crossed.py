"""Restricted maximum likelihood with random intercepts that cross: an animal on several membranes.

Notation as in `labkit.stats.reml`; U (N, m) says to which level of each factor a row belongs, m levels of all
factors together, so that V = U diag(theta) U' + theta_q I.

Only U'U, U'[X y] and [X y]'[X y] enter, and one (m, m) matrix is inverted, so time does not grow with the
rows but with the cube of the levels. V is linear in theta, so log|V| and [X y]' V⁻¹ [X y] are homogeneous in
it, and Euler's theorem gives the derivatives by the residual variance from those by the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from labkit.stats.jets import Jet

__all__ = ["Cross", "cross"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cross:
    """All that the likelihood needs of rows whose groups cross; takes the place of `labkit.stats.reml.Nest`.

    Attributes
    ----------
    n_rows
        N.
    n_groups
        Levels of each factor.
    uu, uz, zz
        (m, m), (m, p + 1), (p + 1, p + 1) products of U and of [X y].
    residual_share
        Part of the residual sum of squares that all factors together leave; 0 leaves no optimum.
    offset, scale
        As in `Nest`.
    """

    n_rows: int
    n_groups: tuple[int, ...]
    uu: Array
    uz: Array
    zz: Array
    residual_share: float
    offset: Array
    scale: float

    def products(self, theta: Array, k: int) -> tuple[Jet, Jet]:
        """log|V| as (1, 1), and [X y]' V⁻¹ [X y], with derivatives by k = q or 0 components."""
        root, left = np.sqrt(np.repeat(theta[:-1], self.n_groups)), theta[-1]
        inner = left * np.eye(root.size) + root[:, None] * self.uu * root
        triangle = np.linalg.cholesky(inner)
        half = np.linalg.solve(triangle, root[:, None] * np.hstack([self.uu, self.uz]))
        m = root.size
        log_det = 2 * np.log(np.diag(triangle)).sum() + (self.n_rows - m) * np.log(left)
        products = (self.zz - half[:, m:].T @ half[:, m:]) / left
        c = products.shape[0]
        if k == 0:
            return _jet(np.array([[log_det]]), 0), _jet(products, 0)
        uvu = (self.uu - half[:, :m].T @ half[:, :m]) / left
        uvz = (self.uz - half[:, :m].T @ half[:, m:]) / left
        edges = np.cumsum([0, *self.n_groups])
        parts = [slice(a, b) for a, b in pairwise(edges)]
        det_first, det_second = np.zeros((k, 1, 1)), np.zeros((k, k, 1, 1))
        first, second = np.zeros((k, c, c)), np.zeros((k, k, c, c))
        for i, here in enumerate(parts):
            det_first[i] = np.trace(uvu[here, here])
            first[i] = -uvz[here].T @ uvz[here]
            for j, there in enumerate(parts):
                det_second[i, j] = -(uvu[here, there] ** 2).sum()
                bent = uvz[here].T @ uvu[here, there] @ uvz[there]
                second[i, j] = bent + bent.T
        _euler(theta, det_first, det_second, total=float(self.n_rows), degree=0)
        _euler(theta, first, second, total=-products, degree=-1)
        return Jet(np.array([[log_det]]), det_first, det_second), Jet(products, first, second)


def _jet(value: Array, k: int) -> Jet:
    return Jet(value, np.zeros((k, *value.shape)), np.zeros((k, k, *value.shape)))


def _euler(theta: Array, first: Array, second: Array, *, total: Array | float, degree: int) -> None:
    """Fill in derivatives by the last component: ``sum theta_i f_i = total``, and f_i of one degree less."""
    rest, last = theta[:-1], theta[-1]
    first[-1] = (total - np.tensordot(rest, first[:-1], axes=1)) / last
    for i in range(rest.size):
        mixed = ((degree - 1) * first[i] - np.tensordot(rest, second[i, :-1], axes=1)) / last
        second[i, -1] = second[-1, i] = mixed
    second[-1, -1] = ((degree - 1) * first[-1] - np.tensordot(rest, second[-1, :-1], axes=1)) / last


def cross(y: Array, x: Array, factors: Sequence[NDArray[np.intp]]) -> Cross:
    """Sum rows up by their groups.

    Parameters
    ----------
    y, x
        (N,) values and (N, p) fixed effects, of full rank.
    factors
        For each factor the (N,) number of the level of each row, from 0 and without gaps.
    """
    order = np.lexsort((y, *x.T, *factors[::-1]))
    y, x, factors = y[order], x[order], [factor[order] for factor in factors]
    offset = np.linalg.lstsq(x, y, rcond=None)[0]
    residual = y - x @ offset
    scale = float(np.sqrt(residual @ residual / y.size))
    z = np.column_stack([x, residual / (scale or 1.0)])
    counts = tuple(int(factor.max()) + 1 for factor in factors)
    edges = np.cumsum([0, *counts])
    columns = [factor + edge for factor, edge in zip(factors, edges[:-1], strict=True)]
    uu, uz = np.zeros((edges[-1], edges[-1])), np.zeros((edges[-1], z.shape[1]))
    for a in columns:
        np.add.at(uz, a, z)
        for b in columns:
            np.add.at(uu, (a, b), 1.0)
    zz = z.T @ z
    # What X and U leave of y, from their products alone.
    both = np.block([[uu, uz[:, :-1]], [uz[:, :-1].T, zz[:-1, :-1]]])
    right = np.r_[uz[:, -1], zz[:-1, -1]]
    left = zz[-1, -1] - right @ np.linalg.pinv(both, rcond=1e-10, hermitian=True) @ right
    return Cross(y.size, counts, uu, uz, zz, max(float(left), 0.0) / y.size, offset, scale)

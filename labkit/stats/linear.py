"""Least squares with several terms: what one term explains beyond others, whatever its coding.

Notation: N rows; X (N, p) columns of full rank; beta (p,) their coefficients; s² the residual variance on
nu = N - p degrees of freedom. Sums of squares are squared lengths of projections, never differences of two
residual sums, so that a small effect beside a large one keeps its digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from labkit.stats import effects
from labkit.stats.denominator import FTest

__all__ = ["LeastSquares", "basis", "explained", "indicators", "least_squares", "sum_coded", "terms_table"]

Array = NDArray[np.float64]

# Columns that others explain to this share of their length add nothing but rounding.
_SPANNED = 1e-9


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """A fit by least squares; a `Denominator` for contrasts of its coefficients.

    Attributes
    ----------
    beta : (p,)
    unscaled : (p, p) inverse of X'X, the covariance of beta over s²
    fitted, residuals : (N,)
    df_residual
        nu.
    ss_residual
        Sum of squared residuals.
    """

    beta: Array
    unscaled: Array
    fitted: Array
    residuals: Array
    df_residual: int
    ss_residual: float

    @property
    def variance(self) -> float:
        """s²."""
        return self.ss_residual / self.df_residual

    @property
    def covariance(self) -> Array:
        """Covariance of beta, (p, p)."""
        return self.variance * self.unscaled

    def df(self, contrast: Array) -> float:
        """Degrees of freedom of t for one contrast: nu for all."""
        return float(self.df_residual)

    def test(self, contrasts: Array) -> FTest:
        """F test that all rows of L beta are 0."""
        estimate = contrasts @ self.beta
        wald = estimate @ np.linalg.solve(contrasts @ self.covariance @ contrasts.T, estimate)
        return FTest(float(wald / contrasts.shape[0]), contrasts.shape[0], float(self.df_residual))


def least_squares(y: Array, x: Array) -> LeastSquares:
    """Fit y (N,) by columns x (N, p) of full rank.

    Examples
    --------
    >>> fit = least_squares(np.array([1.0, 2.0, 4.0, 5.0]), np.array([[1.0, 0], [1, 0], [1, 1], [1, 1]]))
    >>> fit.beta.round(9).tolist(), round(fit.variance, 9)
    ([1.5, 3.0], 0.5)
    """
    q, r = np.linalg.qr(x)
    inverse = np.linalg.inv(r)
    beta = inverse @ (q.T @ y)
    fitted = q @ (q.T @ y)
    residuals = y - fitted
    # Once more, for what rounding left of the first projection.
    residuals -= q @ (q.T @ residuals)
    return LeastSquares(
        beta, inverse @ inverse.T, fitted, residuals, y.size - x.shape[1], float(residuals @ residuals)
    )


def basis(columns: Array, given: Array | None = None) -> Array:
    """Orthonormal columns for what `columns` (N, c) span beyond the orthonormal `given`.

    >>> basis(np.array([[1.0, 2.0], [1.0, 2.0]])).shape  # the second column says nothing new
    (2, 1)
    """
    norms = np.linalg.norm(columns, axis=0)
    left = columns / np.where(norms > 0, norms, 1.0)
    if given is not None:
        for _ in range(2):  # twice is enough for orthogonality to rounding
            left = left - given @ (given.T @ left)
    if left.shape[1] == 0:
        return left
    u, values, _ = np.linalg.svd(left, full_matrices=False)
    return u[:, values > _SPANNED]


def explained(y: Array, columns: Array, given: Array) -> tuple[float, int]:
    """Sum of squares of y, and df, that `columns` explain beyond `given`; neither need be of full rank."""
    beyond = basis(columns, basis(given))
    return float(((beyond.T @ y) ** 2).sum()), beyond.shape[1]


def terms_table(
    y: Array, terms: Mapping[str, tuple[Array, Array]], *, ss_residual: float, df_residual: int, alpha: float
) -> pd.DataFrame:
    """An analysis of variance: what each term explains beyond what it is given.

    Parameters
    ----------
    terms
        By name, the (N, c) columns of the term and those it is given.

    Returns
    -------
    DataFrame
        Indexed by term, and "residual" last: ``ss, df, statistic, p, partial_eta2, partial_eta2_low,
        partial_eta2_high, partial_omega2``. A term of which nothing is left (df 0) has NaN.
    """
    rows = {}
    for name, (columns, given) in terms.items():
        ss, df = explained(y, columns, given)
        rows[name] = {"ss": ss, "df": df}
        if df == 0:
            continue
        f = ss / df / (ss_residual / df_residual)
        part = effects.partial_explained(f, df, df_residual, y.size, confidence=1 - alpha)
        rows[name] |= {
            "statistic": f,
            "p": float(stats.f.sf(f, df, df_residual)),
            "partial_eta2": part.loc["partial_eta2", "value"],
            "partial_eta2_low": part.loc["partial_eta2", "ci_low"],
            "partial_eta2_high": part.loc["partial_eta2", "ci_high"],
            "partial_omega2": part.loc["partial_omega2", "value"],
        }
    rows["residual"] = {"ss": ss_residual, "df": df_residual}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("term").astype({"df": int})


def indicators(codes: NDArray[np.intp], count: int) -> Array:
    """(N, count) columns of 0 and 1 that say to which level each row belongs."""
    return np.eye(count)[codes]


def sum_coded(codes: NDArray[np.intp], count: int) -> Array:
    """(N, count - 1) columns that sum to 0 over the levels, so that other coefficients are means over levels.

    >>> sum_coded(np.array([0, 1, 2]), 3).tolist()
    [[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]
    """
    return np.vstack([np.eye(count - 1), -np.ones(count - 1)])[codes]

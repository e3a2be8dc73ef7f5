"""Tests of the fixed effects of a mixed model when units are few: how many degrees of freedom there are.

Notation as in `labkit.stats.reml`; L (r, p) contrasts of the p fixed effects beta; W the covariance of theta.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from labkit.stats.reml import Fit, solved

__all__ = ["Combined", "Denominator", "FTest", "KenwardRoger", "Satterthwaite"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FTest:
    """F on (df1, df2) degrees of freedom; NaN where the units are too few for the approximation."""

    statistic: float
    df1: int
    df2: float

    @property
    def p(self) -> float:
        """Probability of a larger F."""
        return float(stats.f.sf(self.statistic, self.df1, self.df2))


class Denominator(Protocol):
    """Covariance (p, p) of beta, and tests of contrasts with it."""

    covariance: Array

    def test(self, contrasts: Array) -> FTest:
        """F test that all rows of L beta are 0."""

    def df(self, contrast: Array) -> float:
        """Degrees of freedom of t for one contrast."""


@dataclass(frozen=True, eq=False)
class Combined:
    """Tests of linear combinations of beta, the rows of `over` (c, p), in place of beta itself."""

    tests: Denominator
    over: Array

    @property
    def covariance(self) -> Array:
        """Covariance of the combinations, (c, c)."""
        return self.over @ self.tests.covariance @ self.over.T

    def test(self, contrasts: Array) -> FTest:
        """F test that all rows of L over beta are 0."""
        return self.tests.test(contrasts @ self.over)

    def df(self, contrast: Array) -> float:
        """Degrees of freedom of t for one contrast."""
        return self.tests.df(contrast @ self.over)


class KenwardRoger:
    """The covariance of beta corrected for theta being estimated, and F scaled to match an F distribution.

    ``Phi_A = Phi + 2 Phi sum_ij W_ij (Q_ij - P_i Phi P_j) Phi`` with ``P_i = dA/dtheta_i``, ``Q_ij = X' V⁻¹
    G_i V⁻¹ G_j V⁻¹ X`` (here half the second derivative of A), ``G_i = dV/dtheta_i``, and W from the
    expected information. A variance estimated as 0 counts as any other, so that units stay units. For
    balanced data the test is that of unit means. Kenward MG, Roger JH (1997) Biometrics 53:983; Halekoh U,
    Højsgaard S (2014) J Stat Softw 59(9).
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        q = fit.theta.size
        self._w = np.array([solved(fit.expected, 2 * row)[0] for row in np.eye(q)])
        p_first, phi = fit.a_first, fit.phi
        bent = fit.a_second / 2 - p_first[:, None] @ phi @ p_first[None]
        self.covariance = phi + 2 * phi @ np.einsum("ij,ijab->ab", self._w, bent) @ phi
        self.covariance = (self.covariance + self.covariance.T) / 2

    def _match(self, contrasts: Array) -> tuple[float, float]:
        """Degrees of freedom, and the scale of F."""
        phi, r = self._fit.phi, contrasts.shape[0]
        theta = contrasts.T @ np.linalg.solve(contrasts @ phi @ contrasts.T, contrasts)
        moved = theta @ phi @ self._fit.a_first @ phi
        trace = np.einsum("iaa->i", moved)
        a1 = float(trace @ self._w @ trace)
        a2 = float(np.einsum("ij,iab,jba->", self._w, moved, moved))
        b = (a1 + 6 * a2) / (2 * r)
        g = ((r + 1) * a1 - (r + 4) * a2) / ((r + 2) * a2)
        scale = 3 * r + 2 * (1 - g)
        v0, v1, v2 = 1 + g / scale * b, 1 - (r - g) / scale * b, 1 - (r + 2 - g) / scale * b
        v0 = 0.0 if abs(v0) < 1e-10 else v0
        mean = 1 - a2 / r
        # On 2 degrees of freedom both are 0, and on 4 the variance is infinite: the limits are what is meant.
        ratio = 1.0 if max(abs(mean), abs(v1)) < 1e-10 else mean / v1
        rho = ratio**2 * v0 / v2 / r if v2 != 0 else np.inf
        df = 4 + (r + 2) / (r * rho - 1) if r * rho != 1 else np.inf
        return df, 1.0 if abs(df - 2) < 1e-2 else df * mean / (df - 2)

    def test(self, contrasts: Array) -> FTest:
        """F test that all rows of L beta are 0."""
        df, scale = self._match(contrasts)
        estimate = contrasts @ self._fit.beta
        wald = estimate @ np.linalg.solve(contrasts @ self.covariance @ contrasts.T, estimate)
        r = contrasts.shape[0]
        return FTest(float(scale * wald / r), r, df) if df > 0 and scale > 0 else FTest(np.nan, r, np.nan)

    def df(self, contrast: Array) -> float:
        """Degrees of freedom of t for one contrast."""
        df = self._match(contrast[None])[0]
        return df if df > 0 else np.nan


class Satterthwaite:
    """Degrees of freedom that match the variance of each contrast, W from the observed information.

    For several contrasts the test is split into independent ones; which of these depends on how the
    contrasts are written, so that df2 is good to two or three digits. Meaningless when a variance is
    estimated as 0: nothing then holds the degrees of freedom at the number of units. Fai AHT, Cornelius PL
    (1996) J Stat Comput Simul 54:363.
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self.covariance = fit.phi

    def test(self, contrasts: Array) -> FTest:
        """F test that all rows of L beta are 0."""
        values, vectors = np.linalg.eigh(contrasts @ self.covariance @ contrasts.T)
        apart = vectors.T @ contrasts
        r = contrasts.shape[0]
        f = float(((apart @ self._fit.beta) ** 2 / values).sum() / r)
        nu = np.array([self.df(row) for row in apart])
        if np.ptp(nu) < 1e-8 * nu.max():
            return FTest(f, r, float(nu.mean()))
        if nu.min() <= 2:
            return FTest(f, r, 2.0)
        expected = float((nu / (nu - 2)).sum())
        return FTest(f, r, 2 * expected / (expected - r))

    def df(self, contrast: Array) -> float:
        """Degrees of freedom of t for one contrast."""
        moved = self.covariance @ contrast
        slope = -moved @ self._fit.a_first @ moved
        return float(2 * (contrast @ moved) ** 2 / (slope @ solved(self._fit.observed, 2 * slope)[0]))

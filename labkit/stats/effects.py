"""How large an effect is, with exact confidence intervals.

Notation: k groups, N units; d the difference of two means over their pooled SD.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from labkit.stats.integrals import noncentral_t_below
from labkit.stats.oneway import Anova, Outcome, moments
from labkit.stats.validate import Samples, check

__all__ = ["hedges_g", "partial_explained", "rank_epsilon2", "standardised", "variance_explained"]


def hedges_g(samples: Samples, *, control: str | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Hedges' g of each group against the control: the standardised difference, free of small-sample bias.

    ``g = J d``, d over the SD pooled from the two groups on ``nu = n_1 + n_2 - 2`` degrees of freedom, and
    ``J = Gamma(nu / 2) / (sqrt(nu / 2) Gamma((nu - 1) / 2))`` exactly. The interval is that of d by the
    noncentral t, times J: exact for J times the true difference, so a little too near 0 for the difference
    itself (J is 0.90 for two groups of five). Hedges LV (1981) J Educ Stat 6:107.

    Parameters
    ----------
    control
        Name of the control; the first group if not given.

    Returns
    -------
    DataFrame
        ``contrast, group, reference, value, ci_low, ci_high``; NaN where neither group varies or both have
        one value. With ``nu = 1`` g is NaN (J is 0: no unbiased estimate exists).

    Raises
    ------
    DataError
        As `one_way`.

    Examples
    --------
    >>> hedges_g({"vehicle": [1, 2, 3, 4], "drug": [3, 4, 5, 6]})[["value", "ci_low", "ci_high"]].round(3)
       value  ci_low  ci_high
    0  1.346  -0.108    2.722
    """
    control = str(next(iter(samples)) if control is None else control)
    m = moments(check(samples, test="Hedges' g", control=control))
    zero = m.names.index(control)
    rows = []
    for i, name in enumerate(m.names):
        if i == zero:
            continue
        nu = int(m.n[i] + m.n[zero] - 2)
        pooled = np.sqrt((m.ss[i] + m.ss[zero]) / nu) if nu > 0 else 0.0
        rows.append((f"{name} − {control}", name, control, np.nan, np.nan, np.nan))
        if nu < 2 or pooled == 0:
            continue
        d = (m.mean[i] - m.mean[zero]) / pooled
        per_t = np.sqrt(1 / m.n[i] + 1 / m.n[zero])
        rows[-1] = (*rows[-1][:3], *standardised(d, per_t, nu, confidence=confidence))
    return pd.DataFrame(rows, columns=["contrast", "group", "reference", "value", "ci_low", "ci_high"])


def standardised(d: float, per_t: float, nu: float, *, confidence: float) -> tuple[float, float, float]:
    """g and its interval, of a difference d in units of an SD estimated on nu degrees of freedom.

    `per_t` is d over its t statistic: the standard error of the difference over the SD. With ``nu < 2`` all
    are NaN.
    """
    if nu < 2:
        return np.nan, np.nan, np.nan
    correction = np.exp(special.gammaln(nu / 2) - special.gammaln((nu - 1) / 2) - np.log(nu / 2) / 2)
    low, high = _noncentral_t(d / per_t, nu, confidence)
    return correction * d, correction * low * per_t, correction * high * per_t


def variance_explained(anova: Anova, *, confidence: float = 0.95) -> pd.DataFrame:
    """Part of the variance that the groups explain: η², ω² and ε².

    ``eta2 = SS_between / SS_total`` is that of the sample, too high for the population, most with few units;
    ``epsilon2 = (SS_between - df_between MS_within) / SS_total`` and ``omega2 = (SS_between - df_between
    MS_within) / (SS_total + MS_within)`` take the bias off and are 0 when negative.

    The interval of η² is exact: the noncentralities of F that make the F seen the lower or upper tail, as
    ``ncp / (ncp + df_within)``. Those of ω² and ε² repeat this for the F that would give the corrected value,
    as the R package effectsize does; near 0 they are too narrow (down to [0, 0]), so the interval to report
    is that of η².

    Returns
    -------
    DataFrame
        Indexed by effect: ``eta2, omega2, epsilon2``; columns ``value, ci_low, ci_high``.

    Examples
    --------
    >>> from labkit.stats.oneway import one_way
    >>> variance_explained(one_way({"vehicle": [1, 2, 3], "drug": [3, 4, 5]})).round(3).T
    effect    eta2  omega2  epsilon2
    value    0.600   0.455     0.500
    ci_low   0.000   0.000     0.000
    ci_high  0.858   0.805     0.822
    """
    df1, df2 = anova.df
    total = anova.ss_between + anova.ss_within
    explained = max(anova.ss_between - df1 * anova.ms_within, 0.0)
    values = {
        "eta2": anova.r2,
        "omega2": explained / (total + anova.ms_within),
        "epsilon2": explained / total,
    }
    return _with_intervals(values, df1, df2, confidence)


def partial_explained(f: float, df1: float, df2: float, n: int, *, confidence: float = 0.95) -> pd.DataFrame:
    """Part of the variance that a term explains of what the other terms leave: partial η² and partial ω².

    ``partial_eta2 = df1 F / (df1 F + df2)``, with the interval of the noncentral F; ``partial_omega2 = df1
    (F - 1) / (df1 (F - 1) + n)``, at least 0, with the interval of the F that would give it as η². For a
    one-way design they are η² and ω². Olejnik S, Algina J (2003) Psychol Methods 8:434.

    Returns
    -------
    DataFrame
        Indexed by effect: ``partial_eta2, partial_omega2``; columns ``value, ci_low, ci_high``.

    Examples
    --------
    >>> partial_explained(6.0, 1, 4, 6).round(3).T
    effect   partial_eta2  partial_omega2
    value           0.600           0.455
    ci_low          0.000           0.000
    ci_high         0.858           0.805
    """
    beyond = df1 * max(f - 1, 0.0)
    values = {"partial_eta2": df1 * f / (df1 * f + df2), "partial_omega2": beyond / (beyond + n)}
    return _with_intervals(values, df1, df2, confidence)


def _with_intervals(values: Mapping[str, float], df1: float, df2: float, confidence: float) -> pd.DataFrame:
    rows = {}
    for name, value in values.items():
        f = (value / df1) / ((1 - value) / df2)
        low, high = _noncentral_f(f, df1, df2, confidence)
        rows[name] = {"value": value, "ci_low": low / (low + df2), "ci_high": high / (high + df2)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("effect")


def rank_epsilon2(outcome: Outcome) -> float:
    """ε² of the Kruskal-Wallis test, ``H / (N - 1)``: part of the variance of ranks that the groups explain.

    Tomczak M, Tomczak E (2014) Trends Sport Sci 1:19.
    """
    return outcome.statistic / (outcome.n - 1)


def _noncentral_t(t: float, df: int, confidence: float) -> tuple[float, float]:
    """Noncentralities for which t lies at the upper and the lower tail."""
    if t < 0:
        low, high = _noncentral_t(-t, df, confidence)
        return -high, -low
    tail = (1 - confidence) / 2
    return (
        _falling_root(lambda nc: noncentral_t_below(t, df, nc) - (1 - tail), t, -1.0),
        _falling_root(lambda nc: noncentral_t_below(t, df, nc) - tail, t, 1.0),
    )


def _noncentral_f(f: float, df1: float, df2: float, confidence: float) -> tuple[float, float]:
    """Noncentralities for which f lies at the upper and the lower tail; 0 where the central F lies below."""
    tail = (1 - confidence) / 2
    bounds = []
    for q in (1 - tail, tail):
        central = stats.f.cdf(f, df1, df2)
        bounds.append(
            0.0
            if central <= q
            else _falling_root(lambda nc, q=q: special.ncfdtr(df1, df2, nc, f) - q, 0.0, 1.0)
        )
    return bounds[0], bounds[1]


def _falling_root(difference: Callable[[float], float], start: float, direction: float) -> float:
    """Root of a falling function, sought from `start` in ever wider steps; NaN when the function fails."""
    step, edge = direction, start
    while np.isfinite(value := difference(edge + step)) and value * direction > 0 and abs(step) < 1e9:
        edge, step = edge + step, 2 * step
    if not np.isfinite(value):
        return np.nan
    inside, outside = sorted((start, edge + step))
    return float(optimize.brentq(difference, inside, outside, xtol=1e-12, rtol=1e-13))

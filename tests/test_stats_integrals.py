"""The quadratures against closed forms, SciPy's own integrals and published tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from labkit.stats.integrals import (
    critical_many_to_one,
    critical_range,
    many_to_one_exceeds,
    noncentral_t_below,
    range_exceeds,
)

DF = st.one_of(st.integers(1, 2000).map(float), st.floats(1, 30))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 20), st.floats(0.05, 0.999), DF)
def test_one_comparison_is_students_t(t, lam, df):
    exact = 2 * stats.t.sf(t, df)
    # 160 nodes leave some 1e-12; far tails lose relative digits where P is below 1e-14.
    assert many_to_one_exceeds(t, np.array([lam]), df) == pytest.approx(exact, rel=1e-10, abs=1e-14)
    assert range_exceeds(t * np.sqrt(2), 2, df) == pytest.approx(exact, rel=1e-10, abs=1e-14)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 8), st.integers(2, 12), st.integers(1, 300))
def test_the_studentised_range_is_scipys(q, k, df):
    # SciPy's own integral is good to some 1e-11 here.
    assert range_exceeds(q, k, df) == pytest.approx(stats.studentized_range.sf(q, k, df), abs=1e-9)


def test_small_probabilities_keep_their_digits():
    """Bonferroni's bound is exact in the far tail, where 1 - P(inside) would be rounding noise."""
    t, df = 30.0, 20
    bound = 3 * 2 * stats.t.sf(t, df)
    lam = np.full(3, np.sqrt(0.5))
    assert many_to_one_exceeds(t, lam, df) < bound
    assert many_to_one_exceeds(t, lam, df) == pytest.approx(bound, rel=0.2)
    assert 0 < range_exceeds(t * np.sqrt(2), 3, df) < bound


@pytest.mark.parametrize(
    ("comparisons", "df", "published"),
    [(1, 10, 2.23), (2, 10, 2.57), (3, 10, 2.76), (2, 20, 2.38), (3, 60, 2.41), (5, 30, 2.66)],
)
def test_dunnetts_table(comparisons, df, published):
    """Dunnett (1964), two-sided 5 %, equal n; printed to two decimals."""
    lam = np.full(comparisons, np.sqrt(0.5))
    assert critical_many_to_one(0.05, lam, df) == pytest.approx(published, abs=0.0051)


@pytest.mark.parametrize(("k", "df", "published"), [(3, 10, 3.877), (4, 20, 3.958), (10, 60, 4.646)])
def test_the_table_of_the_studentised_range(k, df, published):
    """Upper 5 % points as printed in textbooks, to three decimals."""
    assert critical_range(0.05, k, df) == pytest.approx(published, abs=0.00051)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001])
def test_a_critical_value_is_exceeded_with_its_probability(alpha):
    lam = np.sqrt([0.3, 0.5, 0.9])
    # The root is sought to 1e-11 in t.
    t = critical_many_to_one(alpha, lam, 7)
    assert many_to_one_exceeds(t, lam, 7) == pytest.approx(alpha, abs=1e-11)
    assert range_exceeds(critical_range(alpha, 5, 7), 5, 7) == pytest.approx(alpha, abs=1e-11)


def test_a_control_far_smaller_than_the_groups_needs_more_nodes():
    """n_i = 1000 n_0: the integrand changes within 0.03. The truth is SciPy's adaptive integral."""
    from scipy.integrate import quad

    lam, t, df = np.sqrt(1000 / 1001), 2.5, 1e7
    c = np.sqrt(1 - lam**2)

    def inside(z):
        part = stats.norm.cdf((lam * z + t) / c) - stats.norm.cdf((lam * z - t) / c)
        return stats.norm.pdf(z) * part**3

    truth = 1 - quad(inside, -9, 9, points=[-t, t], epsabs=1e-12, limit=400)[0]
    # With 1e7 degrees of freedom s is 1 to 2e-4, and P is that of normal variables to some 1e-8.
    assert many_to_one_exceeds(t, np.full(3, lam), df) == pytest.approx(truth, abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 300), st.floats(0, 2), DF)
def test_the_noncentral_t_is_scipys_where_that_is_known(t, share, df):
    theirs = stats.nct.cdf(t, df, t * share)
    assume(np.isfinite(theirs))
    # SciPy's own series is good to some 1e-12 in the body.
    assert noncentral_t_below(t, df, t * share) == pytest.approx(theirs, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1e4), st.floats(-0.5, 3))
def test_the_noncentral_t_on_two_degrees_of_freedom_is_in_closed_form(t, share):
    """s² is then exponential: P(T <= t) = Phi(-nc) + t / r exp(-nc² / r²) Phi(t nc / r), r² = t² + 2."""
    nc, r = t * share, np.sqrt(t**2 + 2)
    exact = stats.norm.cdf(-nc) + t / r * np.exp(-((nc / r) ** 2)) * stats.norm.cdf(t * nc / r)
    # 160 nodes leave some 1e-12.
    assert noncentral_t_below(t, 2, nc) == pytest.approx(exact, abs=1e-10)

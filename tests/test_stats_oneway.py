"""Descriptions and omnibus tests against answers worked by hand; test_stats_reference.py holds R and NIST."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from labkit.stats import assumptions, describe, kruskal, one_way, welch

TWO = {"vehicle": [3, 1, 2], "drug": [3, 4, 5]}


def test_describe_by_hand():
    row = describe({"vehicle": [4.0, 1.0, 2.0, 3.0]}).loc["vehicle"]
    sd = np.sqrt(5 / 3)
    assert row[["n", "mean", "median"]].tolist() == [4, 2.5, 2.5]
    assert row["sd"] == pytest.approx(sd, rel=1e-15)
    assert row["sem"] == pytest.approx(sd / 2, rel=1e-15)
    # t(0.975, 3) = 3.182446305 in every table.
    assert row["ci_high"] == pytest.approx(2.5 + 3.182446305 * sd / 2, abs=1e-8)
    assert row["ci_low"] + row["ci_high"] == pytest.approx(5)


def test_describe_knows_no_spread_of_one_value():
    table = describe({"one": [7.0], "none": []})
    assert table.loc["one", ["n", "mean"]].tolist() == [1, 7]
    assert table.loc["one", ["sd", "sem", "ci_low", "ci_high"]].isna().all()
    assert table.loc["none", "n"] == 0


def test_anova_by_hand():
    """Means 2 and 4 about 3: SS between 3 (1 + 1) = 6; within 2 + 2 = 4 on 4 degrees of freedom."""
    result = one_way(TWO)
    assert (result.ss_between, result.ss_within, result.df, result.n) == (6, 4, (1, 4), 6)
    assert result.statistic == pytest.approx(6, rel=1e-14)
    assert (result.ms_between, result.ms_within, result.r2, result.residual_sd) == (6, 1, 0.6, 1)
    # Two groups: F is the square of Student's t.
    assert result.p == pytest.approx(2 * scipy_stats.t.sf(np.sqrt(6), 4), rel=1e-12)


def test_welch_of_two_groups_is_welchs_t():
    samples = {"vehicle": [1.0, 2.0, 3.0, 9.0], "drug": [3.0, 4.0, 4.5]}
    t = scipy_stats.ttest_ind(*samples.values(), equal_var=False)
    result = welch(samples)
    # The same formula by another route: rounding only.
    assert result.statistic == pytest.approx(t.statistic**2, rel=1e-12)
    assert result.df == (1, pytest.approx(t.df, rel=1e-12))
    assert result.p == pytest.approx(t.pvalue, rel=1e-11)


def test_kruskal_by_hand():
    """Rank sums 6 and 15: H = 12 / (6 * 7) (36 / 3 + 225 / 3) - 3 * 7 = 27 / 7."""
    result = kruskal({"vehicle": [1, 2, 3], "drug": [10, 20, 30]})
    assert result.statistic == pytest.approx(27 / 7, rel=1e-14)
    assert result.df == (1,)


def test_an_offset_of_a_thousand_million_costs_no_digits():
    """Raw ADC counts: integers are exact in float64, so nothing may change."""
    far = {name: np.array(values) + 1e9 for name, values in TWO.items()}
    assert one_way(far) == one_way(TWO)
    assert welch(far) == welch(TWO)
    assert describe(far)["sd"].tolist() == describe(TWO)["sd"].tolist()


def test_assumptions_that_cannot_be_tested_say_why():
    table = assumptions({"vehicle": [1.0, 2.0], "drug": [3.0, 4.0]})
    assert np.isnan(table.loc["Brown-Forsythe", "p"])
    assert "the same within each group" in table.loc["Brown-Forsythe", "note"]
    table = assumptions({"vehicle": [1.0, 2.0, 5.0], "drug": [3.0]})
    assert "no variance of its own" in table.loc["Bartlett", "note"]
    table = assumptions({"vehicle": np.arange(3000.0), "drug": np.arange(3000.0)})
    assert "5000" in table.loc["Shapiro-Wilk on residuals", "note"]


def test_assumptions_notice_what_they_test_for():
    rng = np.random.default_rng(1)
    table = assumptions({"a": rng.normal(0, 1, 40), "b": rng.normal(0, 6, 40)})
    assert (table.loc[["Brown-Forsythe", "Bartlett"], "p"] < 1e-6).all()
    table = assumptions({"a": rng.exponential(1, 40), "b": rng.exponential(1, 40)})
    assert table.loc["Shapiro-Wilk on residuals", "p"] < 1e-4


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_anova_splits_the_sum_of_squares(data):
    sizes = data.draw(st.lists(st.integers(2, 6), min_size=2, max_size=5))
    samples = {
        str(i): [0.0, 1.0, *data.draw(st.lists(st.integers(-50, 50), min_size=n, max_size=n))]
        for i, n in enumerate(sizes)
    }
    values = np.concatenate(list(samples.values()))
    result = one_way(samples)
    total = ((values - values.mean()) ** 2).sum()
    assert result.ss_between + result.ss_within == pytest.approx(total, rel=1e-12)
    assert result.ms_between / result.ms_within == pytest.approx(result.statistic, rel=1e-10, abs=1e-12)

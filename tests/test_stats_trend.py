"""Trends against regression, enumeration and answers worked by hand; test_stats_reference.py holds R."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DataError
from labkit.stats import jonckheere, one_way, trend

DOSES = {"vehicle": 0.0, "low": 1.0, "high": 3.0}
SAMPLES = {"vehicle": [1.0, 2.0, 3.0], "low": [2.0, 4.0], "high": [5.0, 6.0, 7.0, 8.0]}


def test_a_line_through_the_means_is_recovered():
    """Means 2 + 1.5 dose with known spread: slope 1.5, and t its ratio to s sqrt(sum(c² / n)) / sum(c²)."""
    samples = {name: [2 + 1.5 * dose - 1, 2 + 1.5 * dose + 1] for name, dose in DOSES.items()}
    row = trend(samples, doses=DOSES).loc["dose"]
    c = np.array([0, 1, 3]) - 4 / 3
    assert row["slope"] == pytest.approx(1.5)
    assert row["se"] == pytest.approx(np.sqrt(2) * np.sqrt((c**2 / 2).sum()))
    assert row["df"] == 3
    assert row["statistic"] == pytest.approx(1.5 * (c**2).sum() / row["se"])


def test_two_groups_ask_the_question_of_the_anova():
    samples = {"vehicle": SAMPLES["vehicle"], "high": SAMPLES["high"]}
    table = trend(samples, doses=DOSES)
    assert table["p"].tolist() == pytest.approx([one_way(samples).p] * 3, rel=1e-10)


def test_a_group_without_a_dose_lends_its_variance_only():
    doses = DOSES | {"positive": np.nan}
    with_positive = trend(SAMPLES | {"positive": [90.0, 91.0, 92.0]}, doses=doses)
    without = trend(SAMPLES, doses=DOSES)
    assert with_positive["slope"].tolist() == pytest.approx(without["slope"].tolist())
    assert (with_positive["df"] == without["df"] + 2).all()


def test_without_doses_the_trend_is_over_the_order_given():
    assert trend(SAMPLES).index.tolist() == ["rank"]
    backwards = dict(reversed(SAMPLES.items()))
    assert trend(backwards).loc["rank", "statistic"] == pytest.approx(
        -trend(SAMPLES).loc["rank", "statistic"]
    )


def test_doses_that_do_not_differ_are_refused():
    with pytest.raises(
        DataError, match="the doses of vehicle, low and high do not differ; expected at least two"
    ):
        trend(SAMPLES, doses=dict.fromkeys(DOSES, 1.0))
    with pytest.raises(DataError, match="no group has a dose"):
        trend(SAMPLES, doses=dict.fromkeys(DOSES, np.nan))


def test_jonckheere_by_hand():
    """All 12 pairs rise: J = 12 of a mean of 6, and one order of the 90 does so."""
    result = jonckheere({"vehicle": [1, 2], "low": [3, 4], "high": [5, 6]})
    assert (result.j, result.mean) == (12, 6)
    assert result.variance == pytest.approx((6 * 5 * 17 - 3 * 2 * 1 * 9) / 72)
    assert result.p_exact == pytest.approx(2 / 90, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)))
def test_the_exact_p_is_that_of_enumeration(values):
    sizes = (1, 2, 3)

    def j(order):
        groups = np.split(np.array(order), np.cumsum(sizes)[:-1])
        return sum((a[:, None] < b).sum() for i, a in enumerate(groups) for b in groups[i + 1 :])

    every = np.array([j(order) for order in permutations(range(6))])
    seen = j(values)
    expected = min(1.0, 2 * min((every <= seen).mean(), (every >= seen).mean()))
    groups = np.split(np.array(values), np.cumsum(sizes)[:-1])
    result = jonckheere({str(i): group for i, group in enumerate(groups)})
    assert result.j == seen
    assert result.p_exact == pytest.approx(expected, rel=1e-12)
    assert result.variance == pytest.approx(every.var(), rel=1e-12)


def test_ties_count_half_and_have_the_variance_of_enumeration():
    values, sizes = [1, 1, 2, 2, 2, 3], (2, 2, 2)

    def j(order):
        a, b, c = np.split(np.array(order), np.cumsum(sizes)[:-1])
        pairs = [(a, b), (a, c), (b, c)]
        return sum((x[:, None] < y).sum() + (x[:, None] == y).sum() / 2 for x, y in pairs)

    every = np.array([j(order) for order in permutations(values)])
    result = jonckheere({"a": values[:2], "b": values[2:4], "c": values[4:]})
    assert result.j == j(values)
    assert (result.mean, result.variance) == pytest.approx((every.mean(), every.var()), rel=1e-12)
    assert np.isnan(result.p_exact)

"""Contrasts against closed forms and, roughly, against SciPy; test_stats_reference.py holds R."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from labkit.errors import DataError
from labkit.stats import adjust, dunn, dunnett, games_howell, kruskal, pairwise, tukey

FOUR = {
    "vehicle": [12.1, 14.3, 11.0, 13.7, 12.9, 15.1],
    "low": [13.5, 15.2, 12.2, 14.8],
    "middle": [16.1, 14.9, 15.7, 17.3, 15.2],
    "high": [18.2, 15.9, 19.4, 17.7, 16.6, 20.1, 17.0],
}


def test_two_groups_are_students_t_in_every_pooled_test():
    samples = {"vehicle": FOUR["vehicle"], "drug": FOUR["high"]}
    t = scipy_stats.ttest_ind(samples["drug"], samples["vehicle"])
    low, high = t.confidence_interval(0.95)
    for table in (dunnett(samples), tukey(samples), pairwise(samples)):
        row = table.iloc[0]
        assert row["contrast"] == "drug − vehicle"
        # The quadrature's own error is some 1e-13.
        assert row["p_adjusted"] == pytest.approx(t.pvalue, rel=1e-9)
        assert row["statistic"] == pytest.approx(t.statistic, rel=1e-12)
        assert [row["ci_low"], row["ci_high"]] == pytest.approx([low, high], rel=1e-9)


def test_two_groups_are_welchs_t_with_separate_variances():
    samples = {"vehicle": FOUR["vehicle"], "drug": FOUR["high"]}
    t = scipy_stats.ttest_ind(samples["drug"], samples["vehicle"], equal_var=False)
    for table in (games_howell(samples), pairwise(samples, variance="separate")):
        assert table.loc[0, "p_adjusted"] == pytest.approx(t.pvalue, rel=1e-9)
        assert table.loc[0, "df"] == pytest.approx(t.df, rel=1e-12)


def test_dunnett_agrees_with_scipys_random_integration():
    table = dunnett(FOUR, control="vehicle")
    control, *others = FOUR.values()
    rough = scipy_stats.dunnett(*others, control=control, rng=np.random.default_rng(1))
    interval = rough.confidence_interval(0.95)
    # SciPy's integration is random: four decimals of P, three of the interval.
    assert table["p_adjusted"].to_numpy() == pytest.approx(rough.pvalue, abs=1e-3)
    assert table["statistic"].to_numpy() == pytest.approx(rough.statistic, rel=1e-12)
    assert table["ci_low"].to_numpy() == pytest.approx(interval.low, abs=0.02)


def test_dunnett_gives_the_same_bits_at_each_call_and_quickly():
    once = dunnett(FOUR)
    start = time.process_time()
    again = dunnett({name: values[::-1] for name, values in FOUR.items()})
    assert once.equals(again)
    # Measured 0.04 s; the limit allows for a slow machine.
    assert time.process_time() - start < 0.3


def test_dunnett_names_the_control_in_each_contrast_and_keeps_the_order():
    table = dunnett(FOUR, control="middle")
    assert table["contrast"].tolist() == ["vehicle − middle", "low − middle", "high − middle"]
    assert (table["reference"] == "middle").all()
    assert table.loc[2, "difference"] == pytest.approx(np.mean(FOUR["high"]) - np.mean(FOUR["middle"]))


@pytest.mark.parametrize(("test", "equal"), [(tukey, True), (games_howell, False)])
def test_all_pairs_agree_with_scipys_tukey(test, equal):
    table = test(FOUR)
    theirs = scipy_stats.tukey_hsd(*FOUR.values(), equal_var=equal)
    interval = theirs.confidence_interval(0.95)
    names = list(FOUR)
    for row in table.itertuples():
        i, j = names.index(row.group), names.index(row.reference)
        # SciPy's integral is good to some 1e-9.
        assert row.p_adjusted == pytest.approx(theirs.pvalue[i, j], abs=1e-8)
        assert row.ci_low == pytest.approx(interval.low[i, j], rel=1e-6)


def test_games_howell_knows_nothing_of_a_single_value():
    table = games_howell({"vehicle": [1.0, 2.0, 4.0], "one": [3.0], "drug": [5.0, 6.0, 9.0]}).set_index(
        "contrast"
    )
    assert table["p_adjusted"].isna().tolist() == [True, False, True]
    assert table["ci_low"].isna().tolist() == [True, False, True]


def test_dunn_by_hand():
    """Mean ranks 2 and 5 of 6: z = 3 / sqrt(6 * 7 / 12 * 2 / 3), the root of Kruskal and Wallis's 27 / 7."""
    table = dunn({"vehicle": [1, 2, 3], "drug": [4, 5, 6]})
    assert table.loc[0, "rank_difference"] == 3
    assert table.loc[0, "statistic"] == pytest.approx(np.sqrt(27 / 7), rel=1e-14)


def test_dunn_of_two_groups_is_kruskal_wallis_with_ties_too():
    samples = {"vehicle": [1, 2, 2, 3], "drug": [2, 3, 4, 4, 4]}
    assert dunn(samples).loc[0, "p_adjusted"] == pytest.approx(kruskal(samples).p, rel=1e-12)


@pytest.mark.parametrize("test", [dunn, pairwise])
def test_against_a_control_fewer_contrasts_are_adjusted_for(test):
    against, pairs = test(FOUR, control="vehicle"), test(FOUR)
    assert against["reference"].tolist() == ["vehicle"] * 3
    assert against["p"].tolist() == pairs["p"][:3].tolist()
    assert against["p_adjusted"].max() <= pairs["p_adjusted"][:3].max()


def test_adjustments_by_hand():
    """Holm: 3 x 0.01; 2 x 0.03; 0.04 raised to the one before. BH: 3 x 0.01; min(3/2 x 0.03, 0.04); 0.04."""
    p = [0.01, 0.04, 0.03]
    assert adjust(p, method="holm") == pytest.approx([0.03, 0.06, 0.06])
    assert adjust(p, method="bh") == pytest.approx([0.03, 0.04, 0.04])
    assert adjust(p, method="bonferroni") == pytest.approx([0.03, 0.12, 0.09])
    assert adjust(p, method="sidak") == pytest.approx(1 - (1 - np.array(p)) ** 3)
    assert adjust(p, method="none").tolist() == p
    assert adjust([0.5, 0.6], method="bonferroni").tolist() == [1, 1]


def test_a_test_that_could_not_be_made_is_not_counted():
    assert adjust([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    with pytest.raises(DataError, match="method is 'bonferoni'; expected one of 'holm'"):
        adjust([0.1], method="bonferoni")


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_adjusted_p_lie_between_the_raw_and_bonferronis(data):
    samples = {
        name: [0.0, 1.0, *data.draw(st.lists(st.integers(-20, 20), min_size=1, max_size=5))]
        for name in "vabc"
    }
    raw = pairwise(samples, control="v", method="none")["p_adjusted"].to_numpy()
    bonferroni = np.minimum(1, 3 * raw)
    p = dunnett(samples, control="v")["p_adjusted"].to_numpy()
    # Within the quadrature's 1e-13.
    assert (p >= raw - 1e-12).all()
    assert (p <= bonferroni + 1e-12).all()

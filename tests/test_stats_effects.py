"""Effect sizes against closed forms; test_stats_reference.py holds the R package effectsize."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from labkit.stats import hedges_g, kruskal, one_way, rank_epsilon2, variance_explained


def test_g_by_hand():
    """d = 2 / sqrt(1/2); with nu = 2, J = Gamma(1) / Gamma(1/2) = 1 / sqrt(pi)."""
    row = hedges_g({"vehicle": [1, 2], "drug": [3, 4]}).iloc[0]
    assert row["value"] == pytest.approx(np.sqrt(8 / np.pi), rel=1e-14)
    assert (row["contrast"], row["reference"]) == ("drug − vehicle", "vehicle")


def test_the_interval_of_no_difference_is_normal():
    """At t = 0 the noncentral t is Phi(-ncp) whatever the degrees of freedom, so ncp lies within 1.959964.

    With nu = 8, J = Gamma(4) / (2 Gamma(7/2)) = 3 / (15 sqrt(pi) / 8) = 1.6 / sqrt(pi).
    """
    row = hedges_g({"vehicle": [1, 2, 3, 4, 5], "drug": [1, 2, 3, 4, 5]}).iloc[0]
    expected = scipy_stats.norm.isf(0.025) * np.sqrt(2 / 5) * 1.6 / np.sqrt(np.pi)
    assert row["value"] == pytest.approx(0, abs=1e-15)
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([-expected, expected], rel=1e-9)


def test_g_needs_two_degrees_of_freedom_and_variance():
    table = hedges_g({"vehicle": [1.0, 1.0], "flat": [2.0, 2.0], "one": [3.0], "drug": [4.0, 5.0, 7.0]})
    assert table.set_index("group")["value"].isna().to_dict() == {"flat": True, "one": True, "drug": False}


def test_variance_explained_by_hand():
    """SS 6 and 4 on 1 and 4: η² 6/10, ε² (6 - 1)/10, ω² (6 - 1)/(10 + 1)."""
    table = variance_explained(one_way({"vehicle": [1, 2, 3], "drug": [3, 4, 5]}))
    assert table["value"].to_dict() == pytest.approx({"eta2": 0.6, "omega2": 5 / 11, "epsilon2": 0.5})


def test_corrected_effects_are_never_negative_and_nothing_has_no_interval():
    table = variance_explained(one_way({"vehicle": [1, 2, 3], "drug": [1, 2, 3]}))
    assert (table[["value", "ci_low", "ci_high"]] == 0).all(axis=None)


def test_the_interval_of_eta2_holds_the_f_seen_at_its_tails():
    result = one_way({"a": [1, 2, 3, 5], "b": [6, 7, 9], "c": [12, 13, 15, 16]})
    row = variance_explained(result, confidence=0.9).loc["eta2"]
    for bound, tail in ((row["ci_low"], 0.95), (row["ci_high"], 0.05)):
        ncp = bound / (1 - bound) * result.df[1]
        # The root is sought to 1e-12 in ncp.
        assert scipy_stats.ncf.cdf(result.statistic, *result.df, ncp) == pytest.approx(tail, abs=1e-9)


def test_rank_epsilon_by_hand():
    assert rank_epsilon2(kruskal({"vehicle": [1, 2, 3], "drug": [4, 5, 6]})) == pytest.approx(27 / 7 / 5)


def test_g_is_unbiased_and_its_interval_covers():
    """600 simulated pairs of groups of five, 0.8 SD apart; within 3 standard errors of the simulation."""
    rng, n, delta, correction = np.random.default_rng(1), 600, 0.8, 1.6 / np.sqrt(np.pi)
    pairs = zip(rng.normal(size=(n, 5)), rng.normal(delta, 1, size=(n, 5)), strict=True)
    rows = [hedges_g({"v": v, "d": d}).iloc[0] for v, d in pairs]
    g = np.array([row["value"] for row in rows])
    covered = np.mean([row["ci_low"] <= correction * delta <= row["ci_high"] for row in rows])
    assert g.mean() == pytest.approx(delta, abs=3 * g.std() / np.sqrt(n))
    assert covered == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / n))


@settings(max_examples=40, deadline=None)
@given(st.floats(-1e4, 1e4), st.integers(2, 40), st.integers(2, 40))
def test_the_interval_of_g_is_found_however_large_the_effect(difference, n, m):
    samples = {"v": np.arange(n, dtype=float), "d": np.arange(m) + difference}
    row = hedges_g(samples).iloc[0]
    assert row["ci_low"] < row["value"] < row["ci_high"]
    mirrored = hedges_g({"d": samples["d"], "v": samples["v"]}).iloc[0]
    assert mirrored["ci_low"] == pytest.approx(-row["ci_high"], rel=1e-6, abs=1e-9)

"""Equivalence: an independent library, drawn experiments at the margin, what interval and P must share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_ind

from labkit import stats
from labkit.errors import DataError
from labkit.stats.equivalence import _any_exceeds, _critical, _worst

GROUPS = ["vehicle", "low", "high"]


def study(sizes=(6, 7, 5), *, seed=1, shift=(0.0, 0.1, 0.5), sd=0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (f"{g}{i}", i, g, 3 + d + rng.normal(0, sd))
        for g, n, d in zip(GROUPS, sizes, shift, strict=True)
        for i in range(n)
    ]
    return pd.DataFrame(rows, columns=["animal", "membrane", "group", "slope"])


def compare(table, **arguments) -> stats.Comparison:
    return stats.compare(table, "slope", **{"group": "group", "order": GROUPS} | arguments)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(2, 9), st.integers(2, 9), st.floats(0.05, 2.0), st.floats(0.05, 2.0)
)
def test_two_groups_agree_with_statsmodels(seed, n, m, low, high):
    table = study((n, m, 0), seed=seed)
    one, other = (table.loc[table["group"] == g, "slope"].to_numpy() for g in GROUPS[:2])
    for posthoc, variance in (("dunnett", "pooled"), ("games-howell", "unequal")):
        result = compare(table, order=GROUPS[:2], posthoc=posthoc)
        found = stats.equivalence(result, margin=(-low, high)).contrasts.iloc[0]
        p, lower, upper = ttost_ind(other, one, -low, high, usevar=variance)
        assert found["p"] == pytest.approx(p, rel=1e-8)
        assert (found["p_lower"], found["p_upper"]) == pytest.approx((lower[1], upper[1]), rel=1e-8)
        assert found["p_adjusted"] == found["p"]


def test_the_interval_says_what_p_says():
    """At the level of P the interval just touches the margin."""
    for adjust in ("dunnett", "none"):
        result = compare(study())
        found = stats.equivalence(result, margin=0.5, adjust=adjust).contrasts
        assert (found["equivalent"] == (found["p_adjusted"] < 0.05)).all()
        for row in found.to_dict("records"):
            if row["p_adjusted"] < 0.5:
                again = stats.equivalence(
                    result, margin=0.5, adjust=adjust, alpha=row["p_adjusted"]
                ).contrasts
                there = again.set_index("group").loc[row["group"]]
                assert max(there["ci_high"], -there["ci_low"]) == pytest.approx(0.5, abs=1e-7)


def test_one_contrast_is_the_plain_test():
    """Student's t for one statistic, and its critical value."""
    from scipy import stats as sp

    for t in (0.3, 2.0, 5.0):
        assert _any_exceeds(t, np.array([0.7]), 9) == pytest.approx(sp.t.sf(t, 9), rel=1e-11)
    assert _critical(0.05, np.array([0.7]), 9) == pytest.approx(sp.t.isf(0.05, 9), rel=1e-9)


def test_the_worst_sides_agree_with_drawn_statistics():
    """400 000 draws: three standard errors are 0.0015. Opposite sides exceed more often than the same."""
    rng, lam, df = np.random.default_rng(4), np.array([0.7, 0.6, 0.75]), 12
    z = rng.normal(size=(400_000, 1)) * lam + rng.normal(size=(400_000, 3)) * np.sqrt(1 - lam**2)
    t = z / np.sqrt(rng.chisquare(df, (400_000, 1)) / df)
    shares = [((t * s).max(axis=1) > 2.0).mean() for s in ([1, 1, 1], [1, 1, -1], [1, -1, 1], [1, -1, -1])]
    assert _worst(2.0, lam, df) == pytest.approx(max(shares), abs=0.0015)
    assert _any_exceeds(2.0, lam, df) == pytest.approx(shares[0], abs=0.0015)
    assert _worst(2.0, lam, df) > _any_exceeds(2.0, lam, df) + 0.003


def test_wrong_claims_stay_below_the_level():
    """Two groups exactly at opposite margins, 4000 experiments: a claim of either is wrong."""
    rng, n, margin = np.random.default_rng(6), 6, 1.0
    lam, df = np.array([0.5, 0.5]) ** 0.5, 15
    y = rng.normal(size=(4000, 3, n)) + np.array([0, margin, -margin])[:, None]
    se = np.sqrt(y.var(axis=2, ddof=1).mean(axis=1) * 2 / n)
    d = y.mean(axis=2)
    t = np.column_stack([margin - (d[:, 1] - d[:, 0]), margin + (d[:, 2] - d[:, 0])]) / se[:, None]
    wrong = (t > _critical(0.05, lam, df)).any(axis=1).mean()
    # Three standard errors of a share of 0.05 in 4000.
    assert wrong == pytest.approx(0.05, abs=0.0103)


def test_adjustment_costs_and_lies_below_bonferroni():
    found = {
        a: stats.equivalence(compare(study()), margin=0.6, adjust=a).contrasts for a in ("dunnett", "none")
    }
    assert (found["dunnett"]["p_adjusted"] > found["none"]["p_adjusted"]).all()
    assert (found["dunnett"]["p_adjusted"] <= 2 * found["none"]["p"]).all()
    pd.testing.assert_series_equal(found["dunnett"]["p"], found["none"]["p"])


def test_laws():
    table = study()
    one = stats.equivalence(compare(table), margin=0.5).contrasts
    scaled = stats.equivalence(compare(table.assign(slope=table["slope"] * -20 + 7)), margin=10.0).contrasts
    assert scaled["p_adjusted"].to_numpy() == pytest.approx(one["p_adjusted"].to_numpy(), rel=1e-9)
    assert scaled["difference"].to_numpy() == pytest.approx(-20 * one["difference"].to_numpy(), rel=1e-9)
    wide = stats.equivalence(compare(table), margin=0.9).contrasts
    assert (wide["p"] < one["p"]).all()
    shuffled = stats.equivalence(compare(table.sample(frac=1, random_state=2)), margin=0.5).contrasts
    pd.testing.assert_frame_equal(one, shuffled, check_exact=True)
    tukey = stats.equivalence(compare(table, posthoc="tukey"), margin=0.5).contrasts
    pd.testing.assert_frame_equal(one, tukey, rtol=1e-12)
    middle = stats.equivalence(compare(table, posthoc="tukey", control="low"), margin=0.5).contrasts
    dunnett = stats.equivalence(compare(table, control="low"), margin=0.5).contrasts
    pd.testing.assert_frame_equal(middle, dunnett, rtol=1e-12)


def test_ratios_have_ratios_for_margins():
    table = study().assign(slope=lambda t: np.exp(t["slope"]))
    logs = study()
    found = stats.equivalence(compare(table, scale="log"), margin=1.25)
    by_hand = stats.equivalence(compare(logs), margin=np.log(1.25)).contrasts
    assert found.contrasts["p_adjusted"].to_numpy() == pytest.approx(
        by_hand["p_adjusted"].to_numpy(), rel=1e-9
    )
    assert found.contrasts["ratio_high"].to_numpy() == pytest.approx(np.exp(by_hand["ci_high"]), rel=1e-9)
    assert found.margin == pytest.approx((0.8, 1.25))
    assert "for ratios between 0.800 and 1.25" in found.summary()


def test_blocks_stay_in_the_model():
    table = study((6, 6, 6))
    table["slope"] += 5.0 * table["membrane"]
    plain, blocked = (stats.equivalence(compare(table, block=b), margin=0.5) for b in (None, "membrane"))
    assert blocked.adjust == "dunnett"
    assert (blocked.contrasts["p"] < plain.contrasts["p"]).all()
    uneven = stats.equivalence(compare(table.iloc[1:], block="membrane"), margin=0.5)
    assert uneven.adjust == "bonferroni"
    assert uneven.contrasts["p_adjusted"].to_numpy() == pytest.approx(
        np.minimum(1, 2 * uneven.contrasts["p"].to_numpy())
    )


def test_the_summary_says_margin_interval_and_verdict():
    said = stats.equivalence(compare(study()), margin=0.7).summary()
    assert "equivalence to vehicle for differences between −0.700 and 0.700 by two one-sided tests" in said
    assert "(90% CI [" in said
    assert "low − vehicle" in said
    assert ", equivalent" in said
    assert "not shown to be equivalent" in stats.equivalence(compare(study()), margin=0.1).summary()


@pytest.mark.parametrize(
    ("arguments", "margin", "sentence"),
    [
        ({}, 0.0, "the margin is 0.0; expected a difference above 0"),
        ({}, (0.1, 0.5), "or two around 0"),
        ({}, np.inf, "the margin is inf"),
        ({"scale": "log"}, 0.9, "expected a ratio above 1"),
        ({"scale": "log"}, -2.0, "expected a ratio above 1"),
        ({"omnibus": "kruskal", "posthoc": "dunn"}, 0.5, "ranks have no difference"),
        ({"posthoc": "none"}, 0.5, "the comparison has no contrasts; expected posthoc='dunnett'"),
    ],
)
def test_what_makes_no_margin_is_refused(arguments, margin, sentence):
    with pytest.raises(DataError, match=sentence):
        stats.equivalence(compare(study(), **arguments), margin=margin)


def test_contrasts_without_a_standard_error_are_named():
    table = study((6, 1, 5))
    with pytest.raises(DataError, match="standard error of low − vehicle is not known"):
        stats.equivalence(compare(table, posthoc="games-howell"), margin=0.5)

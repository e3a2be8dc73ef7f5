"""Power: published values, an independent library, experiments simulated whole, and laws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sp

from labkit import stats
from labkit.errors import DataError

MEANS = {"vehicle": 130.0, "low": 140.0, "high": 155.0}


def of_effect(f: float, k: int) -> dict:
    """k means of which one differs, and the SD with which their effect size is Cohen's f."""
    values = [0.0] * (k - 1) + [1.0]
    return {"means": dict(zip("abcdefghij", values, strict=False)), "sd": float(np.std(values)) / f}


G_POWER = {"means": {"a": 0, "b": 12.2, "c": 24.4}, "sd": float(np.std([0, 12.2, 24.4])) / 0.0996126}


@pytest.mark.parametrize(
    ("design", "n", "published"),
    [
        # R's help of power.anova.test: groups = 4, n = 5, between.var = 1, within.var = 3.
        (of_effect((3 / 4 / 3) ** 0.5, 4), 5, 0.3535594),
        # R package pwr, pwr.anova.test(f = 0.28, k = 4, n = 20).
        (of_effect(0.28, 4), 20, 0.5149793),
        # G*Power: three means 12.2 apart, f = 0.0996126, 975 in all.
        (G_POWER, 325, 0.8004415),
        # R's power.t.test(n = 20, delta = 1, sd = 1), strict = TRUE (both tails).
        ({"means": {"a": 0.0, "b": 1.0}, "sd": 1.0}, 20, 0.8689530),
    ],
)
def test_published_powers(design, n, published):
    # They are printed to seven digits.
    assert stats.power(n, test="anova", **design).power == pytest.approx(published, abs=6e-8)
    if len(design["means"]) == 2:
        for test in ("dunnett", "trend"):
            doses = {"a": 0, "b": 1}
            assert stats.power(n, test=test, doses=doses, **design).power == pytest.approx(
                published, abs=6e-8
            )


@pytest.mark.parametrize(
    ("design", "target", "published"),
    [
        # R's help: 11.92613 per group, and 15.18834 for means 120, 130, 140, 150 with within.var = 500.
        (of_effect((3 / 4 / 3) ** 0.5, 4), 0.8, 11.92613),
        ({"means": dict(zip("abcd", (120, 130, 140, 150), strict=True)), "sd": 500**0.5}, 0.9, 15.18834),
        # R's help of power.t.test: power = 0.90, delta = 1 needs 22.02110.
        ({"means": {"a": 0.0, "b": 1.0}, "sd": 1.0}, 0.9, 22.02110),
        # G*Power: 975 in all.
        (G_POWER, 0.8, 325),
    ],
)
def test_published_sample_sizes(design, target, published):
    found = stats.sample_size(power=target, test="anova", **design)
    n = int(np.ceil(published))
    assert set(found.n.values()) == {n}
    assert found.power >= target > stats.power(n - 1, test="anova", **design).power


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 8), st.integers(2, 60), st.floats(0.05, 1.5), st.sampled_from([0.05, 0.01, 0.1]))
def test_statsmodels_finds_the_same(k, n, f, alpha):
    from statsmodels.stats.power import FTestAnovaPower

    theirs = FTestAnovaPower().power(f, n * k, alpha, k)
    assert stats.power(n, test="anova", alpha=alpha, **of_effect(f, k)).power == pytest.approx(
        theirs, rel=1e-7
    )


def test_dunnett_agrees_with_drawn_experiments():
    """400 000 draws of the statistics: three standard errors of a share are 0.0024 at most."""
    rng, n, sd, draws = np.random.default_rng(5), np.array([9, 6, 7, 6]), 16.0, 400_000
    mu = np.array([130.0, 140.0, 150.0, 118.0])
    names = ["vehicle", "low", "high", "other"]
    means = mu + rng.normal(size=(draws, 4)) * sd / np.sqrt(n)
    df = n.sum() - 4
    s = sd * np.sqrt(rng.chisquare(df, draws) / df)
    t = (means[:, 1:] - means[:, :1]) / (s[:, None] * np.sqrt(1 / n[1:] + 1 / n[0]))
    lam = np.sqrt(n[1:] / (n[1:] + n[0]))
    from labkit.stats.integrals import critical_many_to_one

    out = np.abs(t) > critical_many_to_one(0.05, lam, df)
    design = {"means": dict(zip(names, mu, strict=True)), "sd": sd}
    counts = dict(zip(names, n, strict=True))
    any_, all_ = (stats.power(counts, finding=what, **design) for what in ("any", "all"))
    assert any_.power == pytest.approx(out.any(axis=1).mean(), abs=0.0024)
    assert all_.power == pytest.approx(out.all(axis=1).mean(), abs=0.0024)
    assert any_.contrasts["power"].to_numpy() == pytest.approx(out.mean(axis=0), abs=0.0024)
    one = stats.power(counts, finding="other", **design)
    assert one.power == any_.contrasts.loc["other", "power"]


def simulated(rng, n, slices, sd, mu, draws):
    """Share of experiments in which the ANOVA of animal means finds a difference."""
    animal = rng.normal(0, sd[0], (draws, len(mu), n))
    inner = rng.normal(0, sd[1], (draws, len(mu), n, slices)).mean(axis=-1)
    y = np.asarray(mu)[:, None] + animal + inner
    within = y.var(axis=2, ddof=1).mean(axis=1)
    f = n * y.mean(axis=2).var(axis=1, ddof=1) / within
    return (sp.f.sf(f, len(mu) - 1, len(mu) * (n - 1)) < 0.05).mean()


@pytest.mark.parametrize("slices", [1, 3])
def test_animals_with_slices_simulated_whole(slices):
    """20 000 experiments: three standard errors are 0.011 at most."""
    found = simulated(np.random.default_rng(slices), 6, slices, (12.0, 18.0), list(MEANS.values()), 20_000)
    exact = stats.power(
        6, means=MEANS, sd={"animal": 12.0, "slice": 18.0}, subunits={"slice": slices}, test="anova"
    )
    assert exact.power == pytest.approx(found, abs=0.011)
    assert exact.unit_sd == pytest.approx((12**2 + 18**2 / slices) ** 0.5)


def test_complete_blocks_simulated_whole():
    """Membranes that differ by ten times the residual: what counts is the residual. 20 000 experiments."""
    rng, b, mu = np.random.default_rng(8), 6, np.array([0.0, 0.2, 0.4])
    y = mu + rng.normal(0, 3.0, (20_000, b, 1)) + rng.normal(0, 0.3, (20_000, b, 3))
    left = (
        y - y.mean(axis=1, keepdims=True) - y.mean(axis=2, keepdims=True) + y.mean(axis=(1, 2), keepdims=True)
    )
    ms = (left**2).sum(axis=(1, 2)) / ((b - 1) * 2)
    f = b * y.mean(axis=1).var(axis=1, ddof=1) / ms
    found = (sp.f.sf(f, 2, (b - 1) * 2) < 0.05).mean()
    exact = stats.power(b, means=dict(zip("vab", mu, strict=True)), sd=0.3, per_block=1, test="anova")
    assert exact.df == (2, 10)
    assert exact.power == pytest.approx(found, abs=0.011)


def test_slices_do_not_replace_animals():
    table = stats.power_table(
        (4, 8, 16), subunits={"slice": (1, 2, 4, 1000)}, means={"vehicle": 130.0, "drug": 150.0},
        sd={"animal": 15.0, "slice": 15.0},
    )  # fmt: skip
    assert (table.index.name, table.columns.name) == ("animal", "slice")
    assert (table.diff().iloc[1:] > 0).all().all()
    assert (table.T.diff().iloc[1:] > 0).all().all()
    # Any number of slices leaves the SD of animals; eight animals with one slice beat four with a thousand.
    alone = stats.power(4, means={"vehicle": 130.0, "drug": 150.0}, sd=15.0).power
    assert table.loc[4, 1000] == pytest.approx(alone, abs=1e-3)
    assert table.loc[16, 1] > table.loc[4, 1000]


@pytest.mark.parametrize("test", ["anova", "dunnett", "trend"])
def test_laws(test):
    doses = {"vehicle": 0.0, "low": 10.0, "high": 30.0}
    plan = {"test": test, "doses": doses, "sd": 16.0}
    one = stats.power(7, means=MEANS, **plan)
    scaled = stats.power(7, means={g: 5 * m + 3 for g, m in MEANS.items()}, **plan | {"sd": 80.0})
    assert scaled.power == pytest.approx(one.power, rel=1e-9)
    mirrored = stats.power(7, means={g: -m for g, m in MEANS.items()}, **plan)
    assert mirrored.power == pytest.approx(one.power, rel=1e-9)
    logs = stats.power(
        7, means={g: np.exp(m / 100) for g, m in MEANS.items()}, scale="log", **plan | {"sd": 0.16}
    )
    assert logs.power == pytest.approx(one.power, rel=1e-9)
    assert stats.power(7, means=MEANS, **plan).power == one.power
    rising = [stats.power(n, means=MEANS, **plan).power for n in (2, 3, 5, 9, 17, 60)]
    assert rising == sorted(rising)
    assert rising[-1] > 0.99
    nearly = {g: 100 + 1e-7 * m for g, m in MEANS.items()}
    # Without a difference the test finds one in 5 % of experiments.
    assert stats.power(7, means=nearly, **plan).power == pytest.approx(0.05, abs=1e-6)
    assert stats.power(dict.fromkeys(MEANS, 7), means=MEANS, **plan).power == one.power


def test_groups_that_do_not_differ_add_no_power():
    means = {"vehicle": 100.0, "a": 100.0, "b": 120.0}
    found = stats.power(8, means=means, sd=15.0)
    assert found.power == found.contrasts.loc["b", "power"]
    assert found.power > stats.power(8, means=means | {"c": 100.0}, sd=15.0).power


def test_what_can_be_found_is_found():
    delta = stats.detectable(8, groups=("vehicle", "low", "high"), sd=16.0, power=0.9)
    means = {"vehicle": 0.0, "low": 0.0, "high": delta}
    assert stats.power(8, means=means, sd=16.0).power == pytest.approx(0.9, abs=1e-8)
    fold = stats.detectable(8, groups=("vehicle", "low"), sd=0.2, scale="log")
    assert stats.power(8, means={"vehicle": 1.0, "low": fold}, sd=0.2, scale="log").power == pytest.approx(
        0.8
    )


def test_components_come_from_the_comparison():
    rng = np.random.default_rng(2)
    rows = [
        (f"{g}{i}", j, g, 100 + a + rng.normal(0, 5))
        for g in ("vehicle", "drug")
        for i in range(8)
        for a in [rng.normal(0, 10)]
        for j in range(3)
    ]
    table = pd.DataFrame(rows, columns=["animal", "slice", "group", "ltp"])
    result = stats.compare(table, "ltp", group="group", nested=("slice",), order=["vehicle", "drug"])
    found = stats.variance_components(result)
    assert list(found) == ["animal", "slice"]
    # Balanced: the variance of animal means is what the ANOVA of them leaves.
    pooled = (result.units["residual"] ** 2).sum() / 14
    assert found["animal"] ** 2 + found["slice"] ** 2 / 3 == pytest.approx(pooled, rel=1e-6)
    planned = stats.power(8, means={"vehicle": 100.0, "drug": 112.0}, sd=found, subunits={"slice": 3})
    assert planned.unit_sd == pytest.approx(pooled**0.5, rel=1e-6)
    plain = stats.compare(table, "ltp", group="group", order=["vehicle", "drug"])
    assert stats.variance_components(plain) == {"animal": pytest.approx(pooled**0.5)}
    # In 80 % of experiments the SD lies below its upper limit of 80 %.
    upper = stats.variance_components(plain, upper=0.8)["animal"]
    assert sp.chi2.cdf(14 * pooled / upper**2, 14) == pytest.approx(0.2)


def test_the_summary_says_all_that_was_supposed():
    found = stats.power(8, means=MEANS, sd={"animal": 12.0, "slice": 15.0}, subunits={"slice": 2})
    assert found.summary() == (
        "With 8 animals per group, 2 slices each, Dunnett's test against vehicle at α = 0.05 has a power of "
        "77 % for any of the groups that differ, if means are 130.0 vehicle, 140.0 low and 155.0 high and "
        "the SD is 12.0 between animals and 15.0 between slices."
    )
    assert (
        "in complete blocks with 1 of each group"
        in stats.power(4, means=MEANS, sd=9.0, per_block=1).summary()
    )
    assert "SD of natural logarithms" in stats.power(4, means=MEANS, sd=0.2, scale="log").summary()


@pytest.mark.parametrize(
    ("n", "arguments", "sentence"),
    [
        (5, {"means": {"vehicle": 1.0}}, "one mean is given"),
        (5, {"means": {"vehicle": 1.0, "drug": 1.0}}, "the means do not differ"),
        (5, {"means": {"vehicle": 1.0, "drug": np.nan}}, "a mean is not finite"),
        (5, {"sd": 0.0}, "every SD is 0"),
        (5, {"sd": -1.0}, "an SD is negative"),
        (5, {"sd": {"animal": 1.0, "slice": 2.0}}, "subunits for none; expected subunits for slice"),
        (5, {"subunits": {"slice": 2}}, "sd by level, the unit first"),
        (5, {"sd": {"animal": 1, "slice": 2}, "subunits": {"slice": 0}}, "number of subunits is not above 0"),
        (1, {}, "no degrees of freedom are left"),
        (0, {}, "n is below 1"),
        ({"vehicle": 4}, {}, "n is given for vehicle; expected n for vehicle, low and high"),
        (5, {"per_block": 2}, "a multiple of 2: blocks are complete"),
        (5, {"test": "welch"}, "test is 'welch'; expected one of 'anova', 'dunnett' or 'trend'"),
        (5, {"test": "trend"}, "needs a dose of each group"),
        (5, {"test": "trend", "doses": dict.fromkeys(MEANS, 1.0)}, "fewer than two doses differ"),
        (5, {"finding": "saline"}, "finding is 'saline'"),
        (5, {"control": "saline"}, "control is 'saline'"),
        (5, {"scale": "log", "means": {"vehicle": 1.0, "drug": 0.0}}, "a mean is not above 0"),
        (5, {"alpha": 2}, "alpha is 2"),
    ],
)
def test_plans_that_make_no_sense_are_refused(n, arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        stats.power(n, **{"means": MEANS, "sd": 16.0} | arguments)


def test_a_size_that_is_out_of_reach_is_said():
    with pytest.raises(DataError, match=r"200 units per group do not reach a power of 0\.8"):
        stats.sample_size(means={"vehicle": 100.0, "drug": 100.1}, sd=50.0, most=200)
    with pytest.raises(DataError, match="power is 80"):
        stats.sample_size(power=80, means=MEANS, sd=16.0)
    with pytest.raises(DataError, match="0 inner levels have several numbers"):
        stats.power_table((4,), subunits={}, means=MEANS, sd=16.0)

"""Groups within blocks and with covariates: laws, simulated truth, and sentences for what cannot be said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from labkit import stats
from labkit.errors import DataError
from labkit.stats.design import linked

GROUPS = ["vehicle", "low", "mid", "high"]
DOSES = {"vehicle": 0.0, "low": 3.0, "mid": 10.0, "high": 30.0}
EFFECT = np.array([0.0, 0.1, 0.3, 0.5])


def lanes(blocks=5, missing=(), seed=1, noise=0.15, spread=2.0) -> pd.DataFrame:
    """One lane of each group on each membrane; the log ratio is membrane + effect + noise."""
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, spread, blocks)
    rows = []
    for b in range(blocks):
        for g, name in enumerate(GROUPS):
            value = shift[b] + EFFECT[g] + rng.normal(0, noise)
            if (name, b) not in missing:
                rows.append((f"{name} {b}", f"B{b}", name, DOSES[name], value))
    table = pd.DataFrame(rows, columns=["animal", "membrane", "group", "dose", "log_ratio"])
    return table.assign(group=pd.Categorical(table["group"], categories=GROUPS, ordered=True))


def compare(table, **arguments) -> stats.Comparison:
    given = {"group": "group", "block": "membrane", "dose": "dose", "scale": "logged"} | arguments
    return stats.compare(table, "log_ratio", **given)


def by_statsmodels(table: pd.DataFrame) -> pd.Series:
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    plain = table.assign(group=table["group"].astype(str))
    return anova_lm(ols("log_ratio ~ C(group) + C(membrane)", plain).fit(), typ=2).loc["C(group)"]


@pytest.mark.parametrize(
    "missing", [(), (("low", 0),), (("low", 0), ("mid", 1), ("high", 1), ("vehicle", 3))]
)
def test_f_of_the_group_is_that_of_statsmodels(missing):
    table = lanes(missing=missing)
    row, ours = by_statsmodels(table), compare(table).omnibus
    # Two programs of the same least squares in double precision.
    assert ours.statistic == pytest.approx(row["F"], rel=1e-10)
    assert ours.p == pytest.approx(row["PR(>F)"], rel=1e-9)
    assert ours.df == (3, len(table) - 4 - 4)


def test_full_blocks_by_hand():
    """Two-way analysis of variance without interaction, and Dunnett's test on its residual."""
    table = lanes()
    y = table["log_ratio"].to_numpy().reshape(5, 4)
    left = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    ms, means = (left**2).sum() / 12, y.mean(axis=0)
    result = compare(table)
    assert result.omnibus.statistic == pytest.approx(5 * means.var(ddof=1) / ms, rel=1e-12)
    assert result.groups["adjusted_mean"].to_numpy() == pytest.approx(means, rel=1e-12)
    assert result.posthoc["se"].to_numpy() == pytest.approx(np.full(3, np.sqrt(2 * ms / 5)), rel=1e-12)
    t = (means[1:] - means[0]) / np.sqrt(2 * ms / 5)
    alone = 2 * scipy_stats.t.sf(np.abs(t), 12)
    # Adjusted P lie between that of one contrast and Bonferroni's.
    assert (result.posthoc["p_adjusted"] > alone).all()
    assert (result.posthoc["p_adjusted"] < 3 * alone).all()
    assert result.adjusted.adjustment == "multivariate t"


def test_the_effect_is_found_through_membranes_that_differ_more():
    """Membranes differ by ten times the effect; blocks take that away, and ratios are near the truth."""
    table = lanes(blocks=40, missing=[("low", b) for b in range(0, 40, 3)], noise=0.05)
    result = compare(table)
    # 40 lanes of SD 0.05: four standard errors are 0.05 (0.06 for the group with empty cells).
    assert result.posthoc["ratio"].to_numpy() == pytest.approx(np.exp(EFFECT[1:]), rel=0.06)
    assert result.omnibus.p < 1e-10
    assert stats.compare(table, "log_ratio", group="group").omnibus.p > 1e-4


def test_differences_of_logs_are_ratios():
    table = lanes(missing=[("low", 0)])
    result = compare(table)
    for ratio, of in (("ratio", "difference"), ("ratio_low", "ci_low"), ("ratio_high", "ci_high")):
        assert result.posthoc[ratio].to_numpy() == pytest.approx(np.exp(result.posthoc[of]), rel=1e-15)
    means = result.groups["geometric_mean"]
    assert means["low"] / means["vehicle"] == pytest.approx(result.posthoc["ratio"][0], rel=1e-12)
    assert result.trend["ratio"].to_numpy() == pytest.approx(np.exp(result.trend["slope"]), rel=1e-15)
    assert "-fold (95% CI " in result.summary()
    assert "atural logarithms" in result.methods()
    assert result.table().loc["high", "ratio"] == result.posthoc["ratio"][2]


def test_logs_taken_here_are_those_of_the_column():
    table = lanes()
    ratios = table.assign(log_ratio=np.exp(table["log_ratio"]))
    one, other = compare(table), compare(ratios, scale="log")
    # exp and log round to 1e-16 each.
    assert other.omnibus.p == pytest.approx(one.omnibus.p, rel=1e-10)
    np.testing.assert_allclose(other.posthoc["ratio"], one.posthoc["ratio"], rtol=1e-12)
    plain = stats.compare(ratios, "log_ratio", group="group", scale="log")
    assert plain.posthoc["ratio"].to_numpy() == pytest.approx(np.exp(plain.posthoc["difference"]), rel=1e-15)
    assert plain.adjusted is None


def test_linear_scale_has_no_ratios():
    result = compare(lanes(), scale="linear")
    assert "ratio" not in result.posthoc
    assert "geometric_mean" not in result.groups
    assert "logarithms" not in result.methods()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 30), st.integers(0, 10**6))
def test_order_of_rows_and_names_change_no_bit(seed, shuffle):
    table = lanes(missing=[("low", 0), ("mid", 2)], seed=seed)
    shuffled = table.sample(frac=1, random_state=shuffle)
    one, other = compare(table), compare(shuffled)
    assert one.omnibus == other.omnibus
    for name in ("groups", "posthoc", "trend", "effects", "units"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    renamed = shuffled.assign(membrane=shuffled["membrane"].map(lambda x: f"gel {9 - int(x[1])}"))
    # Sums over membranes in another order.
    assert compare(renamed).omnibus.p == pytest.approx(one.omnibus.p, rel=1e-9)
    np.testing.assert_allclose(compare(renamed).posthoc["p_adjusted"], one.posthoc["p_adjusted"], rtol=1e-7)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 30), st.floats(1e-4, 1e4), st.floats(-100, 100))
def test_units_of_measurement_and_what_a_membrane_adds_change_no_p(seed, scale, constant):
    table = lanes(missing=[("low", 0)], seed=seed)
    added = table["membrane"].map(lambda x: constant * int(x[1]))
    one = compare(table, scale="linear")
    other = compare(table.assign(log_ratio=(table["log_ratio"] + added) * scale), scale="linear")
    # A constant of some thousand residual SD costs four of 16 digits.
    assert other.omnibus.p == pytest.approx(one.omnibus.p, rel=1e-7)
    np.testing.assert_allclose(other.posthoc["p_adjusted"], one.posthoc["p_adjusted"], rtol=1e-6)
    np.testing.assert_allclose(
        other.posthoc["difference"], scale * one.posthoc["difference"], rtol=1e-7, atol=1e-10 * scale
    )
    g = one.effects["effect"] == "hedges_g"
    np.testing.assert_allclose(
        other.effects.loc[g, "value"], one.effects.loc[g, "value"], rtol=1e-6, atol=1e-9
    )


def test_replicates_of_an_animal_count_once():
    """Entering every lane twice changes nothing but the count of sub-units."""
    table = lanes(missing=[("low", 0)])
    twice = pd.concat([table.assign(lane="a"), table.assign(lane="b")])
    one, other = compare(table), compare(twice, nested=("lane",))
    assert other.omnibus.df == one.omnibus.df
    assert other.omnibus.p == pytest.approx(one.omnibus.p, rel=1e-12)
    assert other.groups["n_subunits"].tolist() == (2 * one.groups["n"]).tolist()


def test_a_membrane_with_one_group_changes_nothing():
    table = lanes()
    extra = pd.DataFrame(
        {"animal": ["x"], "membrane": ["B9"], "group": ["high"], "dose": [30.0], "log_ratio": [40.0]}
    )
    both = pd.concat([table.astype({"group": str}), extra], ignore_index=True)
    one, other = compare(table), compare(both, order=GROUPS)
    assert other.omnibus.p == pytest.approx(one.omnibus.p, rel=1e-9)
    assert other.omnibus.df == one.omnibus.df
    assert any("'B9' holds a single group" in said for said in other.warnings)


def test_an_animal_on_every_membrane_is_averaged_and_on_some_is_refused():
    rng = np.random.default_rng(2)
    rows = [(f"{g}{i}", f"B{b}", g, rng.normal() + b) for g in GROUPS for i in range(4) for b in range(3)]
    table = pd.DataFrame(rows, columns=["animal", "membrane", "group", "log_ratio"])
    arguments = {"dose": None, "order": GROUPS}
    result = compare(table, **arguments)
    means = table.groupby(["group", "animal"], as_index=False)["log_ratio"].mean()
    assert result.omnibus.p == pytest.approx(
        stats.compare(means, "log_ratio", group="group", order=GROUPS).omnibus.p, rel=1e-10
    )
    assert result.block is None
    assert any("stands in every membrane" in said for said in result.warnings)
    with pytest.raises(DataError, match="animal 'vehicle0' stands in membrane B1 and B2"):
        compare(table.iloc[1:], **arguments)


def test_empty_cells_are_told_and_compared():
    result = compare(lanes(missing=[("low", 0), ("mid", 2)]))
    said = " ".join(result.warnings)
    assert "2 of 20 cells of group and membrane are empty (low in B0, mid in B2)" in said
    assert result.mixed.random == ("membrane",)
    assert result.mixed.posthoc["ratio"].tolist() == np.exp(result.mixed.posthoc["difference"]).tolist()
    assert "-fold" in repr(result.mixed)
    assert compare(lanes()).mixed is None


def test_the_model_leaves_what_it_should():
    """Residuals sum to 0 over groups and membranes; adjusted values have the adjusted means."""
    result = compare(lanes(missing=[("low", 0), ("mid", 2)]))
    for by in ("group", "membrane"):
        assert np.abs(result.units.groupby(by, observed=True)["residual"].sum()).max() < 1e-12
    means = result.units.groupby("group", observed=True)["adjusted"].mean()
    assert means.to_numpy() == pytest.approx(result.groups["adjusted_mean"].to_numpy(), rel=1e-12)
    assert result.assumptions.loc["Shapiro-Wilk on residuals", "note"] == "on residuals of the model"


def test_all_pairs_with_blocks():
    result = compare(lanes(), posthoc="tukey")
    assert len(result.posthoc) == 6
    versus = compare(lanes()).posthoc.set_index("group")
    pairs = result.posthoc[result.posthoc["reference"] == "vehicle"].set_index("group")
    assert pairs["difference"].to_dict() == versus["difference"].to_dict()
    assert (pairs["p_adjusted"] > versus["p_adjusted"]).all()
    assert "all pairs of adjusted means" in result.summary()


@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        (lambda t: t.assign(membrane="B1"), {}, "all values are in one membrane, 'B1'.* mid and high can"),
        (lambda t: t.assign(membrane=t["group"].astype(str)), {}, "each membrane holds a single group"),
        (lambda t: t[t["group"].isin(["vehicle", "low"]) ^ t["membrane"].isin(["B0", "B1"])], {},
         "no membrane links vehicle and low with mid and high.*vehicle and low can.*mid and high can"),
        (lambda t: t.assign(log_ratio=t["group"].cat.codes + t["membrane"].str[1].astype(int)), {},
         "group and membrane tell every value exactly"),
        (lambda t: t.assign(log_ratio=1.0), {}, "all 20 values are 1; .* no comparison can be made"),
        (lambda t: t.assign(log_ratio=np.inf), {}, "infinite in row"),
        (lambda t: t.assign(log_ratio=np.nan), {}, "no group has values"),
        (lambda t: t[t["group"] == "low"], {}, "only group 'low' has values"),
        (lambda t: t.iloc[[0, 1, 5, 6, 7]], {}, "5 units for the 5 coefficients of group and membrane"),
        (lambda t: t.assign(membrane=""), {}, "have a value but no membrane"),
        (lambda t: t, {"block": "gel"}, "no column 'gel'.*name the column of the block"),
        (lambda t: t, {"omnibus": "welch"}, "omnibus='welch' has no place for membrane"),
        (lambda t: t, {"posthoc": "games-howell"}, "with membrane in the model posthoc is 'games-howell'"),
        (lambda t: t, {"scale": "log2"}, "scale is 'log2'"),
        (lambda t: t, {"scale": "log"}, r"log_ratio is -[\d.]+ in row .* has no logarithm"),
        (lambda t: t.assign(animal="a1"), {}, "stands in groups"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(change, arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        compare(change(lanes()), **arguments)


def test_missing_values_are_dropped_and_counted():
    table = lanes()
    table.loc[3, "log_ratio"] = np.nan
    result = compare(table)
    assert result.dropped["reason"].tolist() == ["value missing"]
    assert result.omnibus.p == compare(table.drop(index=3)).omnibus.p


def test_chains_of_blocks_link_groups():
    cells = pd.DataFrame({"B1": [1, 1, 0], "B2": [0, 2, 1]}, index=["v", "a", "b"])
    assert linked(cells) == [["v", "a", "b"]]
    # A cycle's end joins what came later.
    far = pd.DataFrame({"B1": [1, 0, 0, 1], "B2": [0, 1, 0, 1], "B3": [0, 0, 1, 0]}, index=list("vabc"))
    assert linked(far) == [["v", "a", "c"], ["b"]]


# Covariates.


def animals(n=8, slope=0.6, seed=3, shift=(0, 0, 0, 0)) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = np.repeat(GROUPS, n)
    baseline = rng.normal(100, 10, 4 * n) + np.repeat(shift, n)
    value = 20 + slope * baseline + 10 * np.repeat(EFFECT, n) + rng.normal(0, 2, 4 * n)
    table = pd.DataFrame({"group": group, "baseline": baseline, "post": value})
    table["animal"] = [f"a{i}" for i in range(4 * n)]
    return table.assign(group=pd.Categorical(group, categories=GROUPS, ordered=True))


def test_a_covariate_takes_away_what_it_explains():
    table = animals(n=200)
    result = stats.compare(table, "post", group="group", covariate="baseline")
    # Residual SD 2, 200 a group: four standard errors are 0.8; the slope's SE is 2 / (10 sqrt(800)) = 0.007.
    assert result.posthoc["difference"].to_numpy() == pytest.approx(10 * EFFECT[1:], abs=0.8)
    assert result.adjusted.slopes.loc["baseline", "slope"] == pytest.approx(0.6, abs=0.03)
    assert result.adjusted.residual_sd == pytest.approx(2, rel=0.1)
    raw = stats.compare(table, "post", group="group")
    assert result.omnibus.statistic > raw.omnibus.statistic
    assert "covariate" in result.methods()


def test_a_slope_that_differs_between_groups_is_said():
    table = animals(n=30)
    steep = table["group"] == "high"
    table.loc[steep, "post"] += 2 * (table.loc[steep, "baseline"] - 100)
    model = stats.ancova(table, "post", group="group", covariate="baseline")
    assert model.same_slopes.p < 1e-6
    assert any("slope of baseline differs between groups" in said for said in model.warnings)
    flat = stats.ancova(animals(n=30), "post", group="group", covariate="baseline")
    assert not any("slope" in said for said in flat.warnings)


def test_a_covariate_that_the_groups_differ_in_is_said():
    table = animals(shift=(0, 0, 0, 80))
    model = stats.ancova(table, "post", group="group", covariate="baseline")
    said = " ".join(model.warnings)
    assert "baseline differs between groups" in said
    assert "lies outside the values of mid and high" in said


def test_covariates_are_averaged_to_the_animal_as_values_are():
    table = animals()
    slices = pd.concat(
        [table.assign(slice=s, baseline=table["baseline"] + d) for s, d in (("a", -1), ("b", 1))]
    )
    arguments = {"group": "group", "covariate": "baseline"}
    one = stats.compare(table, "post", **arguments)
    other = stats.compare(slices, "post", nested=("slice",), **arguments)
    assert other.omnibus.p == pytest.approx(one.omnibus.p, rel=1e-10)


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.floats(-5, 5))
def test_scale_of_the_covariate_and_what_it_adds_change_no_p(scale, constant, slope):
    table = animals()
    moved = table.assign(
        baseline=scale * table["baseline"] + constant, post=table["post"] + slope * table["baseline"]
    )
    one, other = (stats.ancova(t, "post", group="group", covariate="baseline") for t in (table, moved))
    assert other.omnibus.p == pytest.approx(one.omnibus.p, rel=1e-7)
    np.testing.assert_allclose(other.posthoc["p_adjusted"], one.posthoc["p_adjusted"], rtol=1e-7)
    assert other.same_slopes.p == pytest.approx(one.same_slopes.p, rel=1e-6)


def test_block_and_covariate_together():
    table = animals().assign(batch=["x", "y"] * 16)
    model = stats.ancova(table, "post", group="group", covariate="baseline", block="batch")
    assert model.omnibus.test == "ANCOVA with batch as block and baseline as covariate"
    assert model.omnibus.df == (3, 32 - 4 - 1 - 1)
    assert model.terms.index.tolist() == ["group", "batch", "baseline", "residual"]
    assert "ANCOVA with batch as block" in model.summary()
    assert "high − vehicle +" in repr(model)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.assign(baseline=1.0), "baseline is 1 in all 32 units.*can still be compared without it"),
        (lambda t: t.assign(baseline=t["group"].cat.codes), "baseline follows from group"),
        (lambda t: t.assign(baseline=np.inf), "a covariate is infinite"),
        (lambda t: t.assign(baseline="x"), "column 'baseline' holds 'x'"),
        (lambda t: t.assign(post=2 * t["baseline"] + t["group"].cat.codes), "tell every value exactly"),
        (lambda t: t.groupby("group", observed=True).head(1), "4 units for the 5 coefficients"),
    ],
)  # fmt: skip
def test_covariates_that_cannot_be_adjusted_for_are_refused(change, sentence):
    table = change(animals())
    if len(table) == 4:
        table = table.assign(baseline=[1.0, 2.0, 3.0, 5.0])
    with pytest.raises(DataError, match=sentence):
        stats.ancova(table, "post", group="group", covariate="baseline")


def test_a_missing_covariate_drops_the_row_and_says_so():
    table = animals()
    table.loc[2, "baseline"] = np.nan
    model = stats.ancova(table, "post", group="group", covariate="baseline")
    assert model.dropped["reason"].tolist() == ["baseline missing"]
    assert model.omnibus.n == 31


# The integral behind contrasts whose correlations are no products.


def bent(m: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(m, m + 1)) + 0.7
    covariance = a @ a.T
    sd = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sd, sd)


@pytest.mark.parametrize("m", [2, 3, 4, 5])
@pytest.mark.parametrize("df", [4.5, 20])
@pytest.mark.parametrize("t", [0.3, 2.0, 4.0, 8.0])
def test_the_general_integral_is_dunnetts_where_that_holds(monkeypatch, m, df, t):
    from labkit.stats import multivariate
    from labkit.stats.integrals import many_to_one_exceeds

    lam = np.random.default_rng(m).uniform(0.4, 0.85, m)
    correlation = np.outer(lam, lam)
    np.fill_diagonal(correlation, 1.0)
    monkeypatch.setattr(multivariate, "products", lambda _: None)
    # Five statistics have fewer nodes.
    tolerance = 1e-12 if m < 5 else 1e-7
    assert multivariate.largest_exceeds(t, correlation, df) == pytest.approx(
        many_to_one_exceeds(t, lam, df), rel=tolerance
    )


@pytest.mark.parametrize("m", [3, 4])
def test_the_general_integral_agrees_with_random_integration(m):
    from labkit.stats.multivariate import largest_exceeds, products

    correlation = bent(m, seed=5)
    assert products(correlation) is None
    within = scipy_stats.multivariate_t.cdf(
        np.full(m, 2.5),
        shape=correlation,
        df=12,
        lower_limit=np.full(m, -2.5),
        random_state=1,
        maxpts=200_000,
    )
    # That of SciPy is random to some 1e-4.
    assert largest_exceeds(2.5, correlation, 12) == pytest.approx(1 - within, abs=2e-4)


def test_statistics_turned_round_have_the_same_largest():
    from labkit.stats.multivariate import largest_exceeds

    correlation = bent(4, seed=6)
    sign = np.array([1.0, -1, 1, -1])
    order = [2, 0, 3, 1]
    turned = (correlation * np.outer(sign, sign))[np.ix_(order, order)]
    # Strongly correlated statistics have steep limits, which cost the quadrature some digits.
    assert largest_exceeds(2.2, turned, 9) == pytest.approx(largest_exceeds(2.2, correlation, 9), rel=1e-7)

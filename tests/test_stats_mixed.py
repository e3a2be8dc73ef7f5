"""The mixed model: against R, against dense algebra written out, and by laws that it keeps.

Run as a program, this file prints the digits of agreement with R that docs/statistics.md shows.
"""

from __future__ import annotations

import json
import math
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

sys.path.insert(0, str(Path(__file__).parent))
from test_stats_reference import CASES, ids, no_cases, plan, prepared

from labkit import stats
from labkit.errors import DataError
from labkit.stats import words
from labkit.stats.denominator import KenwardRoger, Satterthwaite
from labkit.stats.reml import fit, nest

GROUPS = ["vehicle", "low", "high"]


def spines(sizes=(3, 4, 5), *, neurons=3, most=6, seed=2, between=1.0) -> pd.DataFrame:
    """Animals with neurons with spines, their numbers at random up to `most`."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, n in zip(GROUPS, sizes, strict=True):
        for i in range(n):
            animal = rng.normal(0, between)
            for j in range(rng.integers(1, neurons + 1)):
                neuron = rng.normal(0, between)
                for value in animal + neuron + rng.normal(size=rng.integers(1, most + 1)):
                    rows.append((f"{name} {i}", f"n{j}", name, value))
    table = pd.DataFrame(rows, columns=["animal", "neuron", "group", "length"])
    return table.assign(group=pd.Categorical(table["group"], categories=GROUPS, ordered=True))


def balanced(values: np.ndarray, groups: int) -> pd.DataFrame:
    """(animals, slices) values, animals dealt to groups in turn."""
    animal, slice_ = np.indices(values.shape)
    table = pd.DataFrame({"animal": animal.ravel(), "slice": slice_.ravel(), "ltp": values.ravel()})
    return table.assign(group=table["animal"] % groups)


def model(table, **arguments) -> stats.MixedModel:
    return stats.mixed_model(
        table, "length", **{"group": "group", "random": ("animal", "neuron")} | arguments
    )


# Against R.


@cache
def in_r(name: str) -> dict:
    return json.loads((CASES / "expected" / f"{name}.json").read_text())["result"]


@cache
def in_labkit(name: str, method: str = "kenward-roger") -> stats.MixedModel:
    row = plan().set_index("id").loc[name]
    table = prepared(pd.read_csv(CASES / "data" / f"{row['file']}.csv"), row["subset"], row["prep"])
    random = re.search(r"\(1\|(.*)\)", row["formula"])[1].split("/")
    order = [group for group, n in in_r(name)["n_obs"].items() if n]
    return stats.mixed_model(
        table, row["y"], group=row["group"], random=random, control=row["control"], order=order, method=method
    )


def pairs(name: str, method: str):
    """(need, ours, R's, relative, absolute tolerance) of everything that both have."""
    m, r = in_labkit(name, method), in_r(name)["lmm"]
    label = {"kenward-roger": "Kenward-Roger", "satterthwaite": "Satterthwaite"}[method]
    versus = {key: np.atleast_1d(part) for key, part in r[f"vs_control_{method}"].items()}
    f = r[f"anova_{label}"][0]
    parts = {level.split(":")[0].lower(): part for level, part in r["varcomp"].items()}
    variance = [parts[level.lower()] for level in m.variance.index]
    # lme4 stops where the likelihood is flat: at 1e-6 of the variances, which moves P by ten times that.
    yield "log likelihood", [m.log_likelihood], [r["reml_loglik"]], 1e-9, 1e-9
    yield "variance components", m.variance["variance"], variance, 1e-4, 1e-8 * max(variance)
    yield f"{label}: F", [m.omnibus.statistic], [f["F"]], 1e-4, 0
    # Satterthwaite's second df depends on how the contrasts are written.
    several = f["num_df"] > 1 and method == "satterthwaite"
    yield f"{label}: df2", [m.omnibus.df[1]], [f["den_df"]], 1e-2 if several else 1e-4, 0
    yield f"{label}: P", [m.omnibus.p], [f["p"]], 1e-2 if several else 1e-4, 0
    yield f"{label}: group means", m.groups["mean"], versus["emmean"], 1e-5, 0
    yield f"{label}: SE of group means", m.groups["se"], versus["emmean_se"], 1e-4, 0
    yield f"{label}: contrasts", m.posthoc["difference"], versus["estimate"], 1e-4, 1e-8
    yield f"{label}: SE of contrasts", m.posthoc["se"], versus["se"], 1e-4, 0
    yield f"{label}: df of contrasts", m.posthoc["df"], versus["df"], 1e-4, 0
    yield f"{label}: P of contrasts, not adjusted", m.posthoc["p"], versus["p_none"], 1e-4, 1e-9
    if m.adjustment == "multivariate t":
        # R integrates at random, to 1e-3, and on whole df; the digits are those of the balanced data below.
        yield f"{label}: P by multivariate t", m.posthoc["p_adjusted"], versus["p_mvt"], 0, 3e-3
    else:
        yield f"{label}: P by Holm", m.posthoc["p_adjusted"], versus["p_holm"], 1e-4, 1e-9


@pytest.mark.parametrize("name", ids("nested") or no_cases)
def test_mixed_models_agree_with_r(name):
    assert in_labkit(name).singular == in_r(name)["lmm"]["singular"]
    methods = ["kenward-roger"] if in_r(name)["lmm"]["singular"] else ["kenward-roger", "satterthwaite"]
    for method in methods:
        for need, ours, theirs, relative, absolute in pairs(name, method):
            assert np.asarray(ours) == pytest.approx(np.asarray(theirs), rel=relative, abs=absolute), need


FACTORIAL = {"elmasri_n2b_ko_factorial": ["genotype", "transfection"], "r_oats": ["nitro", "Variety"]}


@pytest.mark.parametrize("name", [name for name in ids("lmm") if name in FACTORIAL] or no_cases)
def test_factors_that_vary_within_units_agree_with_r(name):
    """Two factors and their interaction (sum coding), some within a level; one fit is singular."""
    row = plan().set_index("id").loc[name]
    table = pd.read_csv(CASES / "data" / f"{row['file']}.csv")
    y = table[row["y"]] if row["y"] in table else np.log(table["decay"])
    assert row["prep"] in ("", "{d$ldec<-log(d$decay); d}")
    parts = [np.ones((len(table), 1))]
    for factor in FACTORIAL[name]:
        code = pd.factorize(table[factor].astype(str), sort=True)[0]
        parts.append(np.vstack([np.eye(code.max()), -np.ones(code.max())])[code])
    parts.append(np.einsum("ni,nj->nij", *parts[1:]).reshape(len(table), -1))
    random = re.search(r"\(1\|(.*)\)", row["formula"])[1].split("/")
    fitted = fit(nest(y.to_numpy(), np.hstack(parts), [pd.factorize(table[level])[0] for level in random]))
    expected = in_r(name)
    assert fitted.found
    assert (fitted.theta == 0).any() == expected["singular"]
    assert -fitted.criterion / 2 == pytest.approx(expected["reml_loglik"], rel=1e-9)
    columns = np.split(np.eye(fitted.beta.size), np.cumsum([part.shape[1] for part in parts])[:-1])
    for term, contrasts in zip(expected["anova_Kenward-Roger"], columns[1:], strict=True):
        test = KenwardRoger(fitted).test(contrasts)
        assert test.df1 == term["num_df"]
        # lme4's own tolerance, as above.
        assert (test.statistic, test.df2, test.p) == pytest.approx(
            (term["F"], term["den_df"], term["p"]), rel=1e-4
        )


# Against the same algebra with V written out, row by row.


def dense(y, x, levels, theta) -> dict[str, np.ndarray]:
    """Criterion, and what Kenward and Roger's paper calls A, P_i, Q_ij and the information, from V itself."""
    path, parts = np.zeros(y.size, dtype=int), []
    for level in levels:
        path = np.unique(np.column_stack([path, level]), axis=0, return_inverse=True)[1].ravel()
        parts.append((path[:, None] == path).astype(float))
    parts.append(np.eye(y.size))
    v = sum(t * part for t, part in zip(theta, parts, strict=True))
    w = np.linalg.inv(v)
    a = x.T @ w @ x
    phi = np.linalg.inv(a)
    beta = phi @ x.T @ w @ y
    r = y - x @ beta
    sign = np.linalg.slogdet(v)[1] + np.linalg.slogdet(a)[1] + (y.size - x.shape[1]) * np.log(2 * np.pi)
    p = np.array([-x.T @ w @ g @ w @ x for g in parts])
    q = np.array([[x.T @ w @ g @ w @ h @ w @ x for h in parts] for g in parts])
    m = w - w @ x @ phi @ x.T @ w
    return {
        "criterion": sign + r @ w @ r, "beta": beta, "phi": phi, "p": p, "q": q,
        "gradient": np.array([np.trace(m @ g) - y @ m @ g @ m @ y for g in parts]),
        "expected": np.array([[np.trace(m @ g @ m @ h) for h in parts] for g in parts]),
        "observed": np.array(
            [[2 * y @ m @ g @ m @ h @ m @ y - np.trace(m @ g @ m @ h) for h in parts] for g in parts]
        ),
    }  # fmt: skip


def arrays(table: pd.DataFrame, *, within: bool):
    """y, X (with a covariate of the rows if `within`) and codes of animals and neurons."""
    x = np.eye(3)[table["group"].cat.codes]
    if within:
        x = np.column_stack([x, np.sin(np.arange(len(table)))])
    return table["length"].to_numpy(), x, [pd.factorize(table[name])[0] for name in ("animal", "neuron")]


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_blocks_give_what_the_whole_matrix_gives(seed, within):
    y, x, levels = arrays(spines(seed=seed), within=within)
    fitted = fit(nest(y, x, levels))
    whole = dense(y, x, levels, fitted.theta)
    # Inverses of matrices of some 100 rows keep 10 digits or more.
    near = {"rtol": 1e-8, "atol": 1e-8}
    np.testing.assert_allclose(fitted.criterion, whole["criterion"], **near)
    np.testing.assert_allclose(fitted.beta, whole["beta"], **near)
    np.testing.assert_allclose(fitted.phi, whole["phi"], **near)
    np.testing.assert_allclose(fitted.a_first, whole["p"], **near)
    np.testing.assert_allclose(fitted.a_second, whole["q"] + whole["q"].swapaxes(2, 3), **near)
    np.testing.assert_allclose(fitted.gradient, whole["gradient"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(fitted.expected, whole["expected"], **near)
    np.testing.assert_allclose(fitted.observed, whole["observed"], **near)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 1.0, 30.0]), st.sampled_from([1, 2, 15]))
def test_the_score_is_zero_where_the_fit_stops(seed, between, most):
    """Judged by the whole matrix, at residual variances from most to a thousandth of all."""
    y, x, levels = arrays(spines(seed=seed, between=between, most=most), within=False)
    rows = nest(y, x, levels)
    if rows.residual_share == 0:
        return
    fitted = fit(rows)
    assert fitted.found
    whole = dense(y, x, levels, fitted.theta)
    gradient = whole["gradient"] / np.sqrt(np.diag(whole["expected"]))
    inside = fitted.theta > 0
    # In standard errors: a millionth changes no digit that is printed.
    assert np.abs(gradient[inside]).max() < 1e-6
    assert (gradient[~inside] > -1e-6).all()


@pytest.mark.parametrize("seed", range(4))
def test_no_other_search_finds_a_better_fit(seed):
    """SciPy's simplex on the whole matrix, from two random starts."""
    y, x, levels = arrays(spines((2, 3, 2), seed=seed, between=0.5, most=4), within=False)
    fitted = fit(nest(y, x, levels))
    for start in np.random.default_rng(seed).exponential(1, (2, 3)):
        other = optimize.minimize(
            lambda theta: dense(y, x, levels, np.abs(theta))["criterion"], start,
            method="Nelder-Mead", options={"maxfev": 200},
        )  # fmt: skip
        assert fitted.criterion <= other.fun + 1e-9


def test_the_lower_of_two_hollows_is_found():
    """A likelihood with an optimum at 0 and another, better one inside: a search from 0 stays at 0."""
    rng = np.random.default_rng(1444)
    n = rng.integers(1, rng.choice([3, 12, 40]), rng.integers(5, 9))
    n[0] = max(n[0], 2)
    animal = np.repeat(np.arange(n.size), n)
    y = rng.normal(0, rng.choice([0.1, 0.5, 2]), n.size)[animal] + rng.normal(size=animal.size)
    x = np.eye(2)[animal % 2]

    def profile(ratio):
        one = dense(y, x, [animal], np.array([ratio, 1.0]))
        r = y - x @ one["beta"]
        v = ratio * (animal[:, None] == animal) + np.eye(y.size)
        residual = r @ np.linalg.solve(v, r) / (y.size - 2)
        return dense(y, x, [animal], residual * np.array([ratio, 1.0]))["criterion"]

    ratios = np.r_[0, np.logspace(-2, 2, 60)]
    values = np.array([profile(ratio) for ratio in ratios])
    hollows = [i for i in range(1, 60) if values[i] < min(values[i - 1], values[i + 1])]
    assert values[0] < values[1]
    assert len(hollows) == 1
    fitted = fit(nest(y, x, [animal]))
    assert fitted.theta[0] > 0
    assert fitted.criterion <= values.min() < values[0] - 0.1


# Laws.


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(2, 4), st.integers(2, 4), st.floats(0.0, 3.0))
def test_balanced_data_are_the_anova_of_animal_means(seed, groups, animals, slices, between):
    rng = np.random.default_rng(seed)
    n = groups * animals
    table = balanced(rng.normal(0, between, (n, 1)) + rng.normal(size=(n, slices)), groups)
    m = stats.mixed_model(table, "ltp", group="group")
    # Units stay units whether or not their variance is estimated as 0.
    assert m.omnibus.df == pytest.approx((groups - 1, n - groups), rel=1e-7)
    assert m.posthoc["df"].to_numpy() == pytest.approx(np.full(groups - 1, n - groups), rel=1e-7)
    means = table.groupby(["group", "animal"], as_index=False)["ltp"].mean()
    samples = {str(g): part["ltp"].to_numpy() for g, part in means.groupby("group")}
    anova = stats.one_way(samples)
    if m.singular:
        # The residual variance then serves for both, and is not below what means show.
        assert m.omnibus.statistic <= anova.statistic * (1 + 1e-9)
        return
    # An animal variance near 0 leaves the optimum flat.
    assert m.omnibus.statistic == pytest.approx(anova.statistic, rel=1e-8)
    assert m.omnibus.p == pytest.approx(anova.p, rel=1e-6)
    dunnett = stats.dunnett(samples)
    for name in ("difference", "se", "statistic", "ci_low", "ci_high", "p_adjusted"):
        assert m.posthoc[name].to_numpy() == pytest.approx(dunnett[name].to_numpy(), rel=1e-6, abs=1e-9), name


def test_balanced_neurons_within_animals_are_the_anova_of_animal_means():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(12, 1, 1)) + rng.normal(size=(12, 3, 1)) + rng.normal(size=(12, 3, 4))
    index = pd.MultiIndex.from_product([range(12), range(3), range(4)], names=["animal", "neuron", "spine"])
    table = (
        pd.DataFrame({"length": values.ravel()}, index=index)
        .reset_index()
        .assign(group=lambda t: t.animal % 3)
    )
    m = model(table, random=("animal", "neuron", "spine"))
    means = table.groupby(["group", "animal"])["length"].mean()
    anova = stats.one_way({str(g): means[g].to_numpy() for g in range(3)})
    assert m.random == ("animal", "neuron")
    assert m.n_levels == {"animal": 12, "neuron": 36}
    assert m.omnibus.df == pytest.approx(anova.df, rel=1e-9)
    assert m.omnibus.p == pytest.approx(anova.p, rel=1e-8)
    # Expected mean squares of a balanced design, by hand.
    per_neuron = values.mean(axis=2)
    residual = values.var(axis=2, ddof=1).mean()
    neuron = per_neuron.var(axis=1, ddof=1).mean() - residual / 4
    animal = anova.ms_within - per_neuron.var(axis=1, ddof=1).mean() / 3
    assert m.variance["variance"].tolist() == pytest.approx([animal, neuron, residual], rel=1e-8)
    assert m.variance["icc"].sum() == pytest.approx(1)


def test_an_animal_variance_of_zero_keeps_the_animals():
    """Animal means that agree better than their slices allow: Satterthwaite would count the slices."""
    slices = np.array([-3.0, 0.0, 3.0]) + np.array([[0.1], [-0.1], [0.2], [-0.2], [0.0], [0.3]])
    table = balanced(slices, 2)
    m = stats.mixed_model(table, "ltp", group="group")
    assert m.singular
    assert m.variance.loc["animal", "variance"] == 0
    assert m.omnibus.df == pytest.approx((1, 4), rel=1e-9)
    assert any("between animals is estimated as 0" in said for said in m.warnings)
    assert "singular fit" in words.mixed(m)
    with pytest.raises(DataError, match="use method='kenward-roger', which keeps the units"):
        stats.mixed_model(table, "ltp", group="group", method="satterthwaite")


def test_pooling_the_rows_would_find_what_is_not_there():
    table = spines((6, 6, 6), most=20, seed=8, between=2.0)
    pooled = stats.compare(table, "length", group="group", unit=None).omnibus
    m = model(table)
    assert pooled.p < 1e-3 < 0.05 < m.omnibus.p
    assert m.omnibus.df[1] < 18


NUMBERS = ("groups", "posthoc", "variance")


def test_order_of_rows_changes_no_bit():
    table = spines()
    one, other = model(table), model(table.sample(frac=1, random_state=1))
    for name in NUMBERS:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert one.omnibus == other.omnibus


def test_names_change_names_only():
    table = spines()
    names = dict(zip(GROUPS, ["z", "y", "x"], strict=True))
    animals = {name: f"m{hash_:03d}" for hash_, name in enumerate(reversed(table["animal"].unique()))}
    renamed = table.assign(
        group=table["group"].cat.rename_categories(names), animal=table["animal"].map(animals)
    )
    one, other = model(table), model(renamed)
    assert other.control == "z"
    assert other.posthoc["group"].tolist() == ["y", "x"]
    for name in NUMBERS:
        a, b = (getattr(m, name).select_dtypes("number").to_numpy() for m in (one, other))
        # Other sums in another order.
        np.testing.assert_allclose(a, b, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3), st.booleans())
def test_units_of_measurement_and_a_constant_change_no_p(seed, scale, constant, mirrored):
    table = spines(seed=seed)
    factor = -scale if mirrored else scale
    one, other = model(table), model(table.assign(length=(table["length"] + constant) * factor))
    # A constant of a thousand SD costs three of 16 digits, and P some more.
    assert other.omnibus.df == pytest.approx(one.omnibus.df, rel=1e-6)
    assert other.omnibus.p == pytest.approx(one.omnibus.p, rel=1e-6)
    assert other.posthoc["p_adjusted"].tolist() == pytest.approx(one.posthoc["p_adjusted"].tolist(), rel=1e-6)
    assert other.posthoc["difference"].to_numpy() == pytest.approx(
        factor * one.posthoc["difference"], rel=1e-6
    )
    assert other.groups["mean"].to_numpy() == pytest.approx(
        factor * (one.groups["mean"] + constant), rel=1e-6
    )
    assert other.variance["variance"].to_numpy() == pytest.approx(
        scale**2 * one.variance["variance"], rel=1e-5, abs=1e-8 * scale**2
    )
    shift = -(len(table) - 3) * math.log(scale)
    assert other.log_likelihood == pytest.approx(one.log_likelihood + shift, rel=1e-8, abs=1e-6)


def test_another_control_turns_the_contrasts_round():
    table = spines()
    one, other = model(table), model(table, control="high")
    assert one.omnibus == other.omnibus
    a, b = one.posthoc.set_index("group").loc["high"], other.posthoc.set_index("group").loc["vehicle"]
    assert b["difference"] == pytest.approx(-a["difference"], rel=1e-12)
    assert b["df"] == pytest.approx(a["df"], rel=1e-9)
    assert b["p"] == pytest.approx(a["p"], rel=1e-9)


def test_intervals_hold_together_at_the_level_of_p():
    """At alpha equal to the adjusted P of a contrast its interval ends at 0."""
    m = model(spines())
    for i, row in enumerate(m.posthoc.to_dict("records")):
        again = model(spines(), alpha=row["p_adjusted"]).posthoc.loc[i]
        end = again["ci_low"] if row["difference"] > 0 else again["ci_high"]
        # Critical values are found to 1e-10 of P.
        assert abs(end) < 1e-8 * row["se"]


def test_groups_within_membranes_are_compared_within_them():
    """Each lane differs from its membrane's others by the same: membranes far apart change nothing."""
    rng = np.random.default_rng(4)
    effect, noise = np.array([0.0, 1.0, 2.0, 3.0]), rng.normal(0, 0.3, (6, 4))
    rows = [(f"b{i}", g, 100.0 * i + effect[g] + noise[i, g]) for i in range(6) for g in range(4)]
    table = pd.DataFrame(rows, columns=["membrane", "group", "ratio"])
    m = stats.mixed_model(table, "ratio", group="group", random="membrane")
    # Two-way analysis of variance of the blocks, by hand.
    left = noise - noise.mean(axis=1, keepdims=True) - noise.mean(axis=0) + noise.mean()
    ms = (left**2).sum() / 15
    means = effect + noise.mean(axis=0)
    assert m.omnibus.df == pytest.approx((3, 15), rel=1e-8)
    assert m.omnibus.statistic == pytest.approx(6 * means.var(ddof=1) / ms, rel=1e-8)
    assert m.posthoc["se"].to_numpy() == pytest.approx(np.full(3, np.sqrt(2 * ms / 6)), rel=1e-8)
    assert m.adjustment == "multivariate t"


def test_contrasts_whose_correlations_are_no_products_are_adjusted_by_holm():
    rng = np.random.default_rng(4)
    rows = [(f"b{i}", g, rng.normal()) for i in range(8) for g in range(7) if (i, g) not in ((0, 1), (1, 2))]
    table = pd.DataFrame(rows, columns=["membrane", "group", "ratio"])
    m = stats.mixed_model(table, "ratio", group="group", random="membrane")
    assert m.adjustment == "Holm"
    assert any("Holm's method" in said for said in m.warnings)
    assert "adjusted by Holm's method" in words.mixed(m)
    assert m.posthoc["p_adjusted"].tolist() == stats.adjust(m.posthoc["p"]).tolist()


def test_levels_that_say_nothing_are_left_out():
    table = spines()
    table["spine"] = np.arange(len(table))
    table["cage"] = table["animal"]
    m = model(table, random=("animal", "cage", "neuron", "spine"))
    assert m.random == ("animal", "neuron")
    assert "Each animal has a single cage, so the two share one variance." in m.warnings
    assert m.omnibus == model(table).omnibus


def test_rows_left_out_are_accounted_for():
    table = spines()
    extra = table.iloc[:3].assign(length=[np.nan, 50.0, 60.0], reason=["", "blurred", ""])
    extra.loc[2, "group"] = "low"
    both = pd.concat([table.assign(reason=""), extra], ignore_index=True)
    m = model(both, excluded="reason", order=["vehicle", "high"])
    assert m.dropped["reason"].value_counts().to_dict() == {
        "group left out by order": int((table["group"] == "low").sum()) + 1,
        "value missing": 1,
        "blurred": 1,
    }
    assert m.n_rows + len(m.dropped) == len(both)
    assert m.groups.index.tolist() == ["vehicle", "high"]


@pytest.mark.parametrize(
    ("table", "arguments", "sentence"),
    [
        (spines(most=1, neurons=1), {}, "each animal has a single value; .* needs no mixed model"),
        (spines((1, 1, 1)), {}, "every group has a single animal"),
        (spines().assign(length=1.0), {}, "within each neuron all values are the same"),
        (spines().assign(length=lambda t: t["group"].cat.codes), {"random": "animal"}, "within each animal"),
        (spines(), {"random": "mouse"}, "no column 'mouse'"),
        (spines(), {"control": "saline"}, "control 'saline' has no values"),
        (spines(), {"method": "wald"}, "method is 'wald'; expected one of 'kenward-roger'"),
        (spines().assign(length=np.inf), {}, "infinite"),
        (spines().assign(length=np.nan), {}, "there are no values"),
        (spines().query("group == 'low'"), {}, "only group 'low' has values"),
        (spines().assign(group=lambda t: t["group"].astype(str)), {}, "no control is named"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_said(table, arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        model(table, **arguments)


# Beside the comparison of means.


def compare(table, **arguments) -> stats.Comparison:
    return stats.compare(table, "length", **{"group": "group", "nested": ("neuron",)} | arguments)


def test_the_companion_stands_beside_and_changes_nothing():
    table = spines()
    table = table.assign(spine=table.groupby(["animal", "neuron"]).cumcount())
    result = compare(table, nested=("neuron", "spine"))
    plain = compare(table, nested=())
    assert result.mixed.omnibus == model(table).omnibus
    assert result.mixed.control == result.control
    assert result.mixed.n_levels["animal"] == result.omnibus.n
    assert "mixed" not in result.summary()
    assert "linear mixed model with random intercepts of animals and neurons" in result.methods()
    assert plain.mixed is None
    assert "mixed" not in plain.methods()


def test_the_companion_leaves_out_what_the_comparison_leaves_out():
    table = spines().assign(excluded="")
    table.loc[table["animal"] == "low 1", "excluded"] = "epileptic"
    order = ["vehicle", "low"]
    result = compare(table, order=order)
    by_hand = table[(table["excluded"] == "") & table["group"].isin(order)]
    assert result.mixed.omnibus == model(by_hand, order=order).omnibus
    assert result.mixed.n_levels["animal"] == result.omnibus.n


def test_a_companion_that_cannot_be_fitted_is_a_warning():
    table = spines(neurons=1, most=4)
    table["length"] = table.groupby("animal")["length"].transform("mean")
    table["spine"] = table.groupby("animal").cumcount()
    result = compare(table, nested=("spine",))
    assert result.mixed is None
    assert any(
        said.startswith("No mixed model beside the comparison of means: within each")
        for said in result.warnings
    )
    assert result.omnibus.p > 0


def test_without_sub_units_there_is_nothing_to_model():
    result = compare(spines(neurons=1, most=1))
    assert result.mixed is None
    assert not any("mixed" in said for said in result.warnings)


def test_satterthwaite_counts_animals_too_when_their_variance_is_seen():
    """Balanced data have the animals' degrees of freedom by either method."""
    table = balanced(
        np.random.default_rng(3).normal(size=(8, 1)) * 3 + np.random.default_rng(4).normal(size=(8, 3)), 2
    )
    y, x = table["ltp"].to_numpy(), np.eye(2)[table["group"]]
    fitted = fit(nest(y, x, [table["animal"].to_numpy()]))
    contrast = np.array([[-1.0, 1.0]])
    for method in (KenwardRoger, Satterthwaite):
        assert method(fitted).test(contrast).df2 == pytest.approx(6, rel=1e-9)
        assert method(fitted).df(contrast[0]) == pytest.approx(6, rel=1e-9)


def digits() -> pd.DataFrame:
    """Digits of agreement with R: -log10 of the relative error, of the absolute for P of contrasts."""
    found: dict[str, list[float]] = {}
    for name in ids("nested"):
        for method in ("kenward-roger", "satterthwaite")[: 1 if in_labkit(name).singular else 2]:
            for need, ours, theirs, *_ in pairs(name, method):
                a, b = np.asarray(ours, float), np.asarray(theirs, float)
                error = np.abs(a - b) / (1 if "multivariate" in need else np.maximum(np.abs(b), 1e-300))
                error = np.where((a == 0) & (b == 0), 0, error)
                found.setdefault(need, []).append(-math.log10(max(error.max(), 1e-15)))
    rows = [(need, len(d), min(d), float(np.median(d))) for need, d in found.items()]
    return pd.DataFrame(rows, columns=["need", "cases", "fewest", "median"])


if __name__ == "__main__":
    print(digits().round(1).to_string(index=False))

"""Two factors, repeated measures and factorial mixed models: laws, and sentences for what cannot be said."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import stats
from labkit.errors import DataError
from labkit.stats import reml
from labkit.stats.crossed import cross
from labkit.stats.repeated import Sphericity

GROUPS = ["vehicle", "low", "high"]
TIMES = [0, 10, 20, 30]


def cells(sizes=((4, 5), (3, 6), (5, 4)), seed=1, interaction=0.0) -> pd.DataFrame:
    """Animals in groups of two sexes, numbers as given; sex adds 1, groups 0, 1 and 3."""
    rng = np.random.default_rng(seed)
    rows = []
    for (g, name), (s, sex) in itertools.product(enumerate(GROUPS), enumerate("FM")):
        for _ in range(sizes[g][s]):
            rows.append((name, sex, (0, 1, 3)[g] + s + interaction * g * s + rng.normal()))
    table = pd.DataFrame(rows, columns=["group", "sex", "density"])
    table["animal"] = [f"a{i}" for i in range(len(table))]
    return table.assign(group=pd.Categorical(table["group"], categories=GROUPS, ordered=True))


def two_way(table, **arguments) -> stats.TwoWay:
    return stats.two_way(table, "density", **{"group": "group", "by": "sex"} | arguments)


def course(sizes=(5, 6, 4), seed=2, times=TIMES, effect=1.0) -> pd.DataFrame:
    """Animals in groups, each at all times; animals differ, values drift, and high rises with time."""
    rng = np.random.default_rng(seed)
    rows = []
    for g, name in enumerate(GROUPS):
        for i in range(sizes[g]):
            animal, drift = rng.normal(0, 2), np.cumsum(rng.normal(0, 0.7, len(times)))
            for j, time in enumerate(times):
                rows.append(
                    (f"{name} {i}", name, time, 100 + animal + drift[j] + effect * g * j + rng.normal())
                )
    table = pd.DataFrame(rows, columns=["animal", "group", "time", "slope"])
    return table.assign(group=pd.Categorical(table["group"], categories=GROUPS, ordered=True))


def mixed_anova(table, **arguments) -> stats.MixedAnova:
    return stats.mixed_anova(table, "slope", **{"group": "group", "time": "time"} | arguments)


def factorial(table, value="slope", **arguments) -> stats.FactorialModel:
    return stats.mixed_factorial(table, value, **{"factors": ("group", "time")} | arguments)


MODELS = {
    "two_way": (cells, two_way, "density"),
    "mixed_anova": (course, mixed_anova, "slope"),
    "mixed_factorial": (course, factorial, "slope"),
}
every_model = pytest.mark.parametrize(("made", "fit", "value"), MODELS.values(), ids=MODELS)


# Laws.


@every_model
def test_order_of_rows_changes_nothing(made, fit, value):
    table = made()
    one, other = fit(table), fit(table.sample(frac=1, random_state=5))
    # The mixed model sums over animals in another order; the others not even that.
    tolerance = 1e-7 if fit is factorial else 0
    pd.testing.assert_frame_equal(one.terms, other.terms, rtol=tolerance, check_exact=tolerance == 0)
    pd.testing.assert_frame_equal(one.posthoc, other.posthoc, rtol=max(tolerance, 1e-12))


@every_model
def test_names_change_nothing(made, fit, value):
    table = made()
    names = dict(zip(GROUPS, ["z", "a", "m"], strict=True))
    renamed = table.assign(
        group=table["group"].cat.rename_categories(names),
        animal=table["animal"].map({a: f"x{99 - i}" for i, a in enumerate(table["animal"].unique())}),
    )
    one, other = fit(table), fit(renamed)
    np.testing.assert_allclose(one.terms["p"], other.terms["p"], rtol=1e-7)
    assert other.control == "z"


@every_model
@settings(max_examples=10, deadline=None)
@given(st.floats(1e-5, 1e5), st.floats(-1e4, 1e4), st.booleans())
def test_units_of_measurement_and_a_constant_change_no_p(made, fit, value, scale, constant, mirrored):
    table = made()
    factor = -scale if mirrored else scale
    one, other = fit(table), fit(table.assign(**{value: (table[value] + constant) * factor}))
    # A constant of ten thousand SD costs five of 16 digits, and P some more.
    np.testing.assert_allclose(other.terms["p"], one.terms["p"], rtol=1e-5)
    np.testing.assert_allclose(other.posthoc["p_adjusted"], one.posthoc["p_adjusted"], rtol=1e-5)
    np.testing.assert_allclose(other.posthoc["difference"], factor * one.posthoc["difference"], rtol=1e-6)


@every_model
def test_the_summary_says_what_was_tested(made, fit, value):
    said = fit(made()).summary()
    assert value in said
    assert "F(" in said
    assert "animals" in said
    assert repr(fit(made())) == said


# Two factors.


def test_equal_numbers_make_the_types_one_and_squares_add_up():
    table = cells(sizes=((4, 4),) * 3)
    result = two_way(table)
    pd.testing.assert_frame_equal(result.type2, result.type3, rtol=1e-10)
    total = ((table["density"] - table["density"].mean()) ** 2).sum()
    assert result.terms["ss"].sum() == pytest.approx(total, rel=1e-12)


def test_an_interaction_is_found_and_none_is_not():
    assert two_way(cells(interaction=3.0)).terms.loc["group:sex", "p"] < 1e-3
    # Under the null P is uniform: of 40 seeds some 2 lie below 0.05, and more than 7 once in 1,000 times.
    p = [two_way(cells(seed=i)).terms.loc["group:sex", "p"] for i in range(40)]
    assert sum(x < 0.05 for x in p) <= 7


def test_one_level_within_the_other_is_a_comparison_with_the_pooled_variance():
    result = two_way(cells())
    one = result.cells.xs("F", level="sex")
    assert result.simple.loc["F", "df2"] == 27 - 6
    ss = (one["n"] * (one["mean"] - (one["n"] * one["mean"]).sum() / one["n"].sum()) ** 2).sum()
    assert result.simple.loc["F", "statistic"] == pytest.approx(ss / 2 / result.residual_sd**2, rel=1e-10)
    here = result.simple_posthoc[result.simple_posthoc["sex"] == "F"].set_index("group")
    assert here.loc["high", "difference"] == pytest.approx(
        one.loc["high", "mean"] - one.loc["vehicle", "mean"], rel=1e-10
    )


def test_means_over_sex_count_sexes_alike():
    result = two_way(cells())
    by_hand = result.cells["mean"].unstack("sex").mean(axis=1)  # noqa: PD010
    assert result.means["mean"].to_numpy() == pytest.approx(by_hand[GROUPS].to_numpy(), rel=1e-12)


def test_an_empty_cell_leaves_type_two():
    table = cells(sizes=((4, 5), (0, 6), (5, 4)))
    with pytest.raises(DataError, match=r"low in F has no values, and type III.*use type=2"):
        two_way(table)
    result = two_way(table, type=2)
    assert result.type3.empty
    assert result.terms["df"].tolist() == [2, 1, 1, 24 - 5]
    assert any("low in F has no values" in said for said in result.warnings)
    assert result.cells.loc[("low", "F"), "n"] == 0
    from statsmodels.formula.api import ols

    plain = table.assign(group=table["group"].astype(str))
    full, rest = (ols(f"density ~ {f}", plain).fit() for f in ("C(group) + C(sex)", "C(sex)"))
    assert result.terms.loc["group", "ss"] == pytest.approx(rest.ssr - full.ssr, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        (lambda t: t.assign(sex="F"), {}, "sex has one level, 'F'.*compare by group alone"),
        (lambda t: t[t["group"] == "low"], {}, "group has one level, 'low'.*compare by sex alone"),
        (lambda t: t.assign(density=np.nan), {}, "there are no values"),
        (lambda t: t.assign(density=np.inf), {}, "infinite in row"),
        (lambda t: t.assign(density=2.0), {}, "no cell of group and sex varies"),
        (lambda t: t.drop_duplicates(["group", "sex"]), {}, "6 units for the 6 coefficients"),
        (lambda t: pd.concat([t, t.iloc[:1].assign(sex="M")]), {}, "animal 'a0' stands in sex F and M"),
        (lambda t: pd.concat([t.assign(sex=s) for s in "FM"]), {}, "stands in every sex.*mixed_anova"),
        (lambda t: pd.concat([t, t.iloc[:1].assign(group="high")]), {}, "a0' stands in groups"),
        (lambda t: t[(t["group"] == "high") ^ (t["sex"] == "F")], {"type": 2}, "no sex links all groups"),
        (lambda t: t, {"type": 1}, "type is 1; expected 2 or 3"),
        (lambda t: t, {"by": "gender"}, "no column 'gender'"),
        (lambda t: t.assign(sex=["", *t["sex"][1:]]), {}, "row 0 has a value but no sex"),
    ],
)  # fmt: skip
def test_two_factors_that_cannot_be_compared_are_said(change, arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        two_way(change(cells()), **arguments)


# Repeated measures.


def test_two_times_are_a_comparison_of_changes():
    """With two times the interaction is the comparison of differences, and the group that of means."""
    table = course(times=[0, 10])
    result = mixed_anova(table)
    wide = table.set_index(["animal", "time"])["slope"].unstack("time")  # noqa: PD010
    groups = table.drop_duplicates("animal").set_index("animal")["group"].reindex(wide.index)
    change = {g: (wide[10] - wide[0])[groups == g].to_numpy() for g in GROUPS}
    mean = {g: wide.mean(axis=1)[groups == g].to_numpy() for g in GROUPS}
    assert result.terms.loc["group:time", "statistic"] == pytest.approx(
        stats.one_way(change).statistic, rel=1e-10
    )
    assert result.terms.loc["group", "p"] == pytest.approx(stats.one_way(mean).p, rel=1e-10)
    assert result.sphericity == Sphericity(1.0, 1.0, *[pytest.approx(np.nan, nan_ok=True)] * 2)
    assert result.terms.loc["group:time", "p_gg"] == result.terms.loc["group:time", "p"]


def test_epsilon_lies_where_it_must_and_corrected_p_are_larger():
    for seed in range(10):
        result = mixed_anova(course(seed=seed))
        s = result.sphericity
        assert 1 / 3 <= s.greenhouse_geisser <= 1
        assert s.greenhouse_geisser <= s.huynh_feldt
        # F above 1: fewer degrees of freedom, larger P.
        rows = result.terms.iloc[1:]
        rows = rows[rows["statistic"] > 1.5]
        assert (rows["p_gg"] >= rows["p_hf"]).all()
        assert (rows["p_hf"] >= rows["p"]).all()


def test_a_balanced_time_course_is_the_mixed_model_with_random_animals():
    table = course(sizes=(5, 5, 5))
    anova, model = mixed_anova(table), factorial(table)
    assert not model.singular
    for term in ("group", "time", "group:time"):
        row = anova.terms.loc[term]
        assert model.terms.loc[term, "statistic"] == pytest.approx(row["statistic"], rel=1e-8)
        assert model.terms.loc[term, "df2"] == pytest.approx(row["df_error"], rel=1e-8)


def test_incomplete_animals_are_left_out_and_counted():
    table = course().drop(index=[1, 9])
    result = mixed_anova(table)
    complete = table[~table["animal"].isin(["vehicle 0", "vehicle 2"])]
    pd.testing.assert_frame_equal(result.terms, mixed_anova(complete).terms)
    assert (result.n, result.n_incomplete) == (13, 2)
    assert len(result.dropped) == 6
    assert set(result.dropped["reason"]) == {"animal without a value at some time"}
    assert any("2 of 15 animals have no value at some time" in said for said in result.warnings)
    # The mixed model uses them.
    assert factorial(table).n_levels == {"animal": 15}


def test_slices_are_averaged_before():
    table = course()
    slices = pd.concat([table.assign(slice=s, slope=table["slope"] + d) for s, d in (("a", -1), ("b", 1))])
    np.testing.assert_allclose(
        mixed_anova(slices, nested=("slice",)).terms["p"], mixed_anova(table).terms["p"], rtol=1e-9
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t[t["time"] == 0], "all values are at one time.*use compare"),
        (lambda t: t[t["group"] == "low"], "only low has animals with a value at each time"),
        (lambda t: t[~((t["time"] == 0) & (t["group"] != "low"))], "only low has animals.*mixed_model"),
        (lambda t: t[t["animal"].str.endswith(" 0")], "every group has a single complete animal"),
        (lambda t: t.assign(slope=t["group"].cat.codes + t["time"]), "all units of a group are the same"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "rows 0 and 0 are the same in every column"),
        (lambda t: pd.concat([t, t.iloc[:1].assign(group="high")]), "stands in groups vehicle and high"),
        (lambda t: t.assign(slope=np.inf), "infinite"),
        (lambda t: t.assign(slope=np.nan), "there are no values"),
        (lambda t: t.rename(columns={"time": "minute"}), "no column 'time'"),
    ],
)  # fmt: skip
def test_courses_that_cannot_be_compared_are_said(change, sentence):
    with pytest.raises(DataError, match=sentence):
        mixed_anova(change(course()))


def test_several_values_at_one_time_are_averaged_and_said():
    table = course()
    again = table.iloc[:1].assign(slope=99.0)
    result = mixed_anova(pd.concat([table, again], ignore_index=True))
    assert any("Several rows of the same animal and time are averaged" in said for said in result.warnings)


# Factorial mixed models.


def spines(seed=3, animals=6) -> pd.DataFrame:
    """Dendrites of animals, imaged at times; some dendrites are lost."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(animals):
        animal = rng.normal()
        for j in range(rng.integers(2, 5)):
            dendrite = animal + rng.normal()
            for time in TIMES:
                if rng.random() < 0.9:
                    rows.append((f"a{i}", f"d{j}", GROUPS[i % 2], time, dendrite + rng.normal()))
    return pd.DataFrame(rows, columns=["animal", "dendrite", "group", "time", "slope"])


def test_names_read_within_animals_and_names_of_their_own_are_one():
    table = spines()
    own = table.assign(dendrite=table["animal"] + table["dendrite"])
    arguments = {"random": ("animal", "dendrite"), "control": "vehicle"}
    pd.testing.assert_frame_equal(factorial(table, **arguments).terms, factorial(own, **arguments).terms)


def test_levels_written_as_crossed_that_are_nested_give_the_nested_fit():
    """Two ways to the same likelihood: by the recursion over nests, and by one matrix of all levels."""
    table = spines().assign(dendrite=lambda t: t["animal"] + t["dendrite"])
    nested = factorial(table, random=("animal", "dendrite"), control="vehicle")
    crossed = factorial(table, random=(), crossed=("animal", "dendrite"), control="vehicle")
    assert crossed.log_likelihood == pytest.approx(nested.log_likelihood, rel=1e-10)
    # Both searches end at a score of 0, to rounding.
    for column in ("statistic", "df2", "p"):
        np.testing.assert_allclose(crossed.terms[column], nested.terms[column], rtol=1e-6)
    np.testing.assert_allclose(crossed.variance["variance"], nested.variance["variance"], rtol=1e-6)


def test_crossed_likelihood_and_derivatives_are_those_of_the_whole_matrix():
    rng = np.random.default_rng(0)
    n = 120
    a, b = rng.integers(0, 9, n), rng.integers(0, 5, n)
    a, b = (np.unique(code, return_inverse=True)[1] for code in (a, b))
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = x @ [1.0, 2.0] + rng.normal(size=9)[a] + 1.5 * rng.normal(size=5)[b] + rng.normal(size=n)
    fit = reml.fit(cross(y, x, [a, b]))
    parts = [(code[:, None] == code).astype(float) for code in (a, b)] + [np.eye(n)]
    v = sum(t * part for t, part in zip(fit.theta, parts, strict=True))
    w = np.linalg.inv(v)
    phi = np.linalg.inv(x.T @ w @ x)
    m = w - w @ x @ phi @ x.T @ w
    criterion = np.linalg.slogdet(v)[1] - np.linalg.slogdet(phi)[1] + y @ m @ y + (n - 2) * np.log(2 * np.pi)
    assert fit.found
    assert fit.criterion == pytest.approx(criterion, rel=1e-11)
    # Inverses of matrices of a hundred rows keep 10 digits or more.
    near = {"rtol": 1e-8, "atol": 1e-8}
    np.testing.assert_allclose(fit.phi, phi, **near)
    np.testing.assert_allclose(fit.a_first, [-x.T @ w @ g @ w @ x for g in parts], **near)
    q = np.array([[x.T @ w @ g @ w @ h @ w @ x for h in parts] for g in parts])
    np.testing.assert_allclose(fit.a_second, q + q.swapaxes(2, 3), **near)
    np.testing.assert_allclose(
        fit.expected, [[np.trace(m @ g @ m @ h) for h in parts] for g in parts], **near
    )
    observed = [[2 * y @ m @ g @ m @ h @ m @ y - np.trace(m @ g @ m @ h) for h in parts] for g in parts]
    np.testing.assert_allclose(fit.observed, observed, rtol=1e-6, atol=1e-6)


def test_an_animal_on_several_membranes_is_modelled_by_both():
    """Lanes of each animal on two membranes of five, which differ by ten SD: the model takes that away."""
    rng = np.random.default_rng(4)
    membrane = rng.normal(0, 10, 5)
    rows = []
    for i in range(15):
        animal = rng.normal(0, 0.5) + (i % 3)
        for b in rng.choice(5, size=2, replace=False):
            rows.append((f"a{i}", f"B{b}", GROUPS[i % 3], animal + membrane[b] + rng.normal(0, 0.5)))
    table = pd.DataFrame(rows, columns=["animal", "membrane", "group", "log_ratio"])
    model = factorial(
        table, "log_ratio", factors=("group",), crossed="membrane", control="vehicle", order=GROUPS
    )
    assert model.n_levels == {"animal": 15, "membrane": 5}
    # Truth 1 and 2; an SE of some 0.4.
    assert model.posthoc["difference"].to_numpy() == pytest.approx([1, 2], abs=1.2)
    assert model.variance.loc["membrane", "sd"] > 4
    assert 8 < model.terms.loc["group", "df2"] < 16
    shuffled = factorial(table.sample(frac=1, random_state=1), "log_ratio", factors=("group",),
                         crossed="membrane", control="vehicle", order=GROUPS)  # fmt: skip
    assert shuffled.terms.loc["group", "p"] == pytest.approx(model.terms.loc["group", "p"], rel=1e-7)


def test_one_factor_is_the_mixed_model_of_groups():
    table = spines()
    arguments = {"random": ("animal", "dendrite"), "control": "vehicle"}
    one = stats.mixed_model(table, "slope", group="group", **arguments)
    other = factorial(table, factors="group", **arguments)
    assert other.terms.loc["group", "p"] == pytest.approx(one.omnibus.p, rel=1e-8)
    assert other.posthoc["p_adjusted"].tolist() == pytest.approx(one.posthoc["p_adjusted"].tolist(), rel=1e-8)
    assert other.means["mean"].tolist() == pytest.approx(one.groups["mean"].tolist(), rel=1e-8)
    assert other.simple.empty


def test_simple_effects_and_cells_of_a_balanced_course():
    table = course(sizes=(5, 5, 5))
    model = factorial(table)
    means = table.groupby(["group", "time"], observed=True)["slope"].mean()
    assert model.cells["mean"].to_numpy() == pytest.approx(means.to_numpy(), rel=1e-10)
    assert (model.cells["n"] == 5).all()
    assert model.simple.index.tolist() == ["0", "10", "20", "30"]
    # Groups drift apart.
    assert model.simple["statistic"].iloc[-1] > model.simple["statistic"].iloc[0]


@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        (lambda t: t.assign(time=0), {}, "time has one level, '0'.*leave time out"),
        (lambda t: t[t["group"] == "low"], {}, "group has one level"),
        (lambda t: t[~((t["time"] == 10) & (t["group"] == "low"))], {}, "low and 10 has no values.*=False"),
        (lambda t: t.assign(slope=1.0), {}, "all values are the same"),
        (lambda t: t.assign(slope=np.inf), {}, "infinite"),
        (lambda t: t.assign(slope=np.nan), {}, "there are no values"),
        (lambda t: t.drop_duplicates("animal"), {"factors": "group"}, "each animal has a single value"),
        (lambda t: t, {"factors": ()}, "no factor is named"),
        (lambda t: t, {"random": ()}, "no random intercept is named"),
        (lambda t: t, {"random": "mouse"}, "no column 'mouse'"),
        (lambda t: t, {"method": "wald"}, "method is 'wald'"),
        (lambda t: t, {"control": "saline"}, "control 'saline' has no values"),
    ],
)  # fmt: skip
def test_factors_that_cannot_be_modelled_are_said(change, arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        factorial(change(course()), **arguments)


def test_main_effects_alone_stand_an_empty_cell():
    table = course()
    table = table[~((table["time"] == 10) & (table["group"] == "low"))]
    model = factorial(table, interactions=False)
    assert model.terms.index.tolist() == ["group", "time"]
    assert model.simple.empty

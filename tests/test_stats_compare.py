"""The one call: laws that every comparison keeps, and sentences where it cannot be made."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import stats
from labkit.errors import DataError

GROUPS = ["vehicle", "low", "high"]
DOSES = {"vehicle": 0.0, "low": 1.0, "high": 10.0}
TABLES = ("groups", "posthoc", "trend", "effects", "assumptions", "units")


def study(sizes=(4, 5, 6), slices=2, seed=3) -> pd.DataFrame:
    """Animals with slices; the group an ordered Categorical whose order is not the alphabet's."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, n, shift in zip(GROUPS, sizes, (0, 5, 25), strict=True):
        for animal in range(n):
            mean = 120 + shift + rng.normal(0, 8)
            for slice_ in range(1 + (animal % slices)):
                rows.append((f"{name}{animal}", f"s{slice_}", name, DOSES[name], mean + rng.normal(0, 5)))
    table = pd.DataFrame(rows, columns=["animal", "slice", "group", "dose", "ltp"])
    return table.assign(group=pd.Categorical(table["group"], categories=GROUPS, ordered=True))


def compare(table, **arguments) -> stats.Comparison:
    return stats.compare(table, "ltp", **{"group": "group", "dose": "dose", "nested": ("slice",)} | arguments)


def same(one: stats.Comparison, other: stats.Comparison, **tolerance) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), **tolerance)
    assert one.omnibus.p == pytest.approx(other.omnibus.p, rel=tolerance.get("rtol", 0))


ROUTES = [("anova", "dunnett"), ("anova", "tukey"), ("welch", "games-howell"), ("kruskal", "dunn")]
routes = pytest.mark.parametrize(("omnibus", "posthoc"), ROUTES)


@routes
def test_slices_are_averaged_and_only_animals_are_tested(omnibus, posthoc):
    table = study()
    result = compare(table, omnibus=omnibus, posthoc=posthoc)
    means = table.groupby(["group", "animal"], observed=True)["ltp"].mean().reset_index()
    by_hand = stats.compare(means, "ltp", group="group", dose=None, omnibus=omnibus, posthoc=posthoc)
    assert result.omnibus.p == pytest.approx(by_hand.omnibus.p, rel=1e-12)
    assert result.omnibus.n == 15
    assert result.groups["n"].to_dict() == {"vehicle": 4, "low": 5, "high": 6}
    assert result.groups["n_subunits"].sum() == len(table)


def test_the_experimental_unit_matters():
    """The same rows taken as independent find more: what the unit protects from."""
    table = study(slices=4)
    assert compare(table).omnibus.p > stats.compare(table, "ltp", group="group", unit=None).omnibus.p


@routes
def test_order_of_rows_changes_no_bit(omnibus, posthoc):
    table = study()
    shuffled = table.sample(frac=1, random_state=7)
    one = compare(table, omnibus=omnibus, posthoc=posthoc)
    other = compare(shuffled, omnibus=omnibus, posthoc=posthoc)
    same(one, other, check_exact=True)
    assert one.summary() == other.summary()
    # Without names of units only their values can be put in order.
    rows = [compare(t, omnibus=omnibus, posthoc=posthoc, unit=None, nested=()) for t in (table, shuffled)]
    pd.testing.assert_frame_equal(rows[0].posthoc, rows[1].posthoc, check_exact=True)
    assert rows[0].omnibus == rows[1].omnibus


@routes
def test_names_of_groups_change_names_only(omnibus, posthoc):
    table = study()
    # New names whose alphabet runs the other way.
    names = dict(zip(GROUPS, ["z", "y", "x"], strict=True))
    renamed = table.assign(group=table["group"].cat.rename_categories(names))
    one, other = (compare(t, omnibus=omnibus, posthoc=posthoc) for t in (table, renamed))
    assert other.groups.index.tolist() == ["z", "y", "x"]
    assert other.posthoc["reference"].tolist() == [names[name] for name in one.posthoc["reference"]]
    numbers = one.posthoc.select_dtypes("number")
    pd.testing.assert_frame_equal(numbers, other.posthoc[numbers.columns], check_exact=True)
    assert (one.omnibus.statistic, one.omnibus.p) == (other.omnibus.statistic, other.omnibus.p)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(ROUTES), st.floats(1e-3, 1e3), st.integers(-1000, 1000), st.booleans())
def test_units_of_measurement_and_a_constant_change_no_p(route, scale, constant, mirrored):
    table = study()
    factor = -scale if mirrored else scale
    moved = table.assign(ltp=table["ltp"] * factor + constant)
    one, other = (compare(t, omnibus=route[0], posthoc=route[1]) for t in (table, moved))
    # A constant of up to 1e3 on a spread of 1e-2 costs 5 of 16 digits.
    near = {"rel": 1e-8, "abs": 1e-12}
    assert other.omnibus.p == pytest.approx(one.omnibus.p, **near)
    assert other.posthoc["p_adjusted"].tolist() == pytest.approx(one.posthoc["p_adjusted"].tolist(), **near)
    assert other.trend["p"].tolist() == pytest.approx(one.trend["p"].tolist(), **near)
    sign = -1 if mirrored else 1
    g, moved_g = (c.effects.query("effect == 'hedges_g'")["value"].to_numpy() for c in (one, other))
    assert moved_g == pytest.approx(sign * g, rel=1e-7)
    if "difference" in one.posthoc:
        assert other.posthoc["difference"].to_numpy() == pytest.approx(
            factor * one.posthoc["difference"], rel=1e-7
        )


def test_a_slice_recorded_again_changes_only_its_count():
    table = study()
    again = pd.concat([table, table.assign(slice="again " + table["slice"])], ignore_index=True)
    one, other = compare(table), compare(again)
    for name in ("posthoc", "trend", "effects", "assumptions"):
        # Means of doubled values may differ by their rounding.
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), rtol=1e-9)
    assert other.groups["n"].tolist() == one.groups["n"].tolist()
    assert other.groups["n_subunits"].tolist() == (2 * one.groups["n_subunits"]).tolist()


def test_missing_values_change_only_what_is_counted_as_dropped():
    table = study()
    extra = table.iloc[:2].assign(ltp=np.nan, slice="lost")
    result = compare(pd.concat([table, extra], ignore_index=True))
    same(compare(table), result, check_exact=True)
    assert result.dropped["reason"].tolist() == ["value missing"] * 2
    assert "2 rows left out: value missing (2)." in result.summary()


def test_groups_follow_the_study_and_the_control_is_named():
    result = compare(study())
    assert result.control == "vehicle"
    assert result.groups.index.tolist() == GROUPS
    assert result.posthoc["contrast"].tolist() == ["low − vehicle", "high − vehicle"]
    table = result.table()
    assert table.index.tolist() == GROUPS
    assert table.loc["vehicle", ["difference", "p_adjusted", "hedges_g"]].isna().all()
    assert table.loc["high", "p_adjusted"] == result.posthoc.loc[1, "p_adjusted"]


def test_another_group_can_be_the_control():
    result = compare(study(), control="low")
    assert result.groups.index.tolist() == GROUPS
    assert result.posthoc["contrast"].tolist() == ["vehicle − low", "high − low"]
    assert set(result.effects["reference"]) == {"", "low"}
    assert np.isnan(result.table().loc["low", "p_adjusted"])


def test_assumptions_are_shown_and_never_switch_the_test():
    table = study()
    table.loc[table["animal"] == "high0", "ltp"] = 9000.0
    result = compare(table)
    assert result.assumptions.loc["Shapiro-Wilk on residuals", "p"] < 1e-4
    assert (result.omnibus.test, result.posthoc_test) == ("one-way ANOVA", "dunnett")


def test_residuals_belong_to_the_units():
    units = compare(study()).units
    # Rounding of means of some 120.
    assert units.groupby("group", observed=True)["residual"].sum().abs().max() < 1e-11
    assert list(units.columns) == ["animal", "group", "dose", "ltp", "n_subunits", "residual"]


def test_alpha_sets_the_width_of_all_intervals():
    wide, narrow = compare(study(), alpha=0.01), compare(study(), alpha=0.2)
    for name in ("groups", "posthoc", "effects", "trend"):
        a, b = getattr(wide, name), getattr(narrow, name)
        assert ((a["ci_high"] - a["ci_low"]) > (b["ci_high"] - b["ci_low"])).all()


def test_without_doses_there_is_no_trend():
    result = compare(study(), dose=None)
    assert len(result.trend) == 0
    assert result.jonckheere is None
    assert "trend" not in result.summary() + result.methods()


def test_a_group_without_a_dose_stays_out_of_the_trend():
    table = study()
    table.loc[table["group"] == "low", "dose"] = np.nan
    result = compare(table)
    assert "Without a dose, so not in the trend: low." in result.warnings
    assert result.jonckheere.n == 10


def test_tests_that_do_not_fit_together_are_made_and_said():
    result = compare(study(), omnibus="welch", posthoc="dunnett")
    assert any("do not make the same assumptions" in said for said in result.warnings)
    assert len(result.posthoc) == 2
    assert len(compare(study(), posthoc="none").posthoc) == 0


def spoiled(**cells) -> pd.DataFrame:
    table = study(slices=1)
    for name, value in cells.items():
        table.loc[table["group"] == name, "ltp"] = value
    return table


@pytest.mark.parametrize(
    ("table", "arguments", "sentence"),
    [
        (
            spoiled(low=np.inf),
            {},
            "infinite in rows 4, 5, 6, 7 and 8 .* vehicle and high can still be compared",
        ),
        (
            spoiled(vehicle=np.nan),
            {"control": "vehicle"},
            "control 'vehicle' has no values; .* low and high can still",
        ),
        (spoiled(low=np.nan, high=np.nan), {}, "only group 'vehicle' has values"),
        (spoiled(vehicle=1, low=1, high=1), {}, "all 15 values are 1; .* no comparison can be made"),
        (spoiled(vehicle=1, low=2, high=3), {}, "no group varies: .* only ranks can be compared"),
        (
            spoiled(low=1),
            {"omnibus": "welch"},
            "group 'low' has none: .* vehicle and high can still be compared",
        ),
        (
            study((3, 1, 3), 1),
            {"omnibus": "welch"},
            "group 'low' has fewer; .* vehicle and high can still be",
        ),
        (study((1, 1, 1), 1), {}, "every group has a single value"),
        (study(), {"control": "saline"}, "control 'saline' has no values"),
        (study(), {"omnibus": "f"}, "omnibus is 'f'; expected one of 'anova', 'welch' or 'kruskal'"),
        (study(), {"posthoc": "lsd"}, "posthoc is 'lsd'; expected one of 'dunnett', 'tukey'"),
        (study(), {"alpha": 5}, "alpha is 5"),
        (study().astype({"group": str}), {"dose": None}, "no control is named and 'group' has no order"),
        (study().drop(columns="ltp"), {}, "has no column 'ltp'"),
        (study().assign(dose="10 mg/kg"), {}, "column 'dose' holds '10 mg/kg'"),
    ],
)
def test_what_cannot_be_compared_is_said(table, arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        compare(table, **arguments)


def test_ranks_compare_where_nothing_varies_within_groups():
    result = compare(spoiled(vehicle=1, low=2, high=3), omnibus="kruskal", posthoc="dunn")
    assert result.omnibus.p < 0.01
    assert len(result.trend) == 0
    assert result.jonckheere.p < 0.01


def test_one_animal_in_a_group_is_a_caution():
    result = compare(study((4, 1, 5), 1), omnibus="anova", posthoc="games-howell")
    assert any(
        "'low' has a single animal" in said and "still be compared" in said for said in result.warnings
    )
    assert any(said.startswith("No P for low − vehicle and high − low") for said in result.warnings)
    assert "P not known" in result.summary()


def test_a_result_cannot_be_changed():
    result = compare(study())
    with pytest.raises(AttributeError):
        result.alpha = 0.5


def test_libraries_that_are_slow_to_load_wait_until_they_are_needed():
    code = "import sys, labkit.stats; sys.exit('statsmodels' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

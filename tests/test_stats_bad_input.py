"""Bad input to every design: a sentence that says what is wrong and what can still be compared, or a caution.

Nothing here may end in an exception of a library, in a warning that nobody reads, or in a P that looks fine.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from labkit import stats
from labkit.errors import DataError

GROUPS = ["vehicle", "low", "high"]
DESIGNS = {
    "anova": {},
    "welch": {"omnibus": "welch", "posthoc": "games-howell"},
    "kruskal": {"omnibus": "kruskal", "posthoc": "dunn"},
    "tukey": {"posthoc": "tukey"},
    "blocks": {"block": "membrane"},
    "covariate": {"covariate": "weight"},
    "both": {"block": "membrane", "covariate": "weight"},
    "logs": {"scale": "log"},
}
designs = pytest.mark.parametrize("design", list(DESIGNS))


def study(animals: int = 6) -> pd.DataFrame:
    """Animals with two slices, each animal on a membrane of its own number, and a body weight."""
    rng = np.random.default_rng(4)
    rows = [
        (f"{group}{i}", f"s{j}", group, dose, f"B{i % 3}", rng.normal(10 + dose / 10, 1), 20 + rng.normal())
        for group, dose in zip(GROUPS, (0.0, 10.0, 30.0), strict=True)
        for i in range(animals)
        for j in range(2)
    ]
    names = ["animal", "slice", "group", "dose", "membrane", "ltp", "weight"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(group=pd.Categorical(table["group"], categories=GROUPS, ordered=True))


def compare(table: pd.DataFrame, design: str = "anova", **arguments) -> stats.Comparison:
    given = {"group": "group", "nested": ("slice",), "dose": "dose"} | DESIGNS[design] | arguments
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return stats.compare(table, "ltp", **given)


def where(table: pd.DataFrame, rows: pd.Series, value: object) -> pd.DataFrame:
    """The table with a value of the endpoint put into some rows."""
    return table.assign(ltp=table["ltp"].astype(object).where(~rows, value))


@designs
def test_missing_values_are_dropped_and_counted(design):
    table = study()
    result = compare(where(table, table.index % 5 == 0, np.nan), design)
    assert len(result.dropped) == 8
    assert set(result.dropped["reason"]) == {"value missing"}
    assert "8 rows left out: value missing (8)." in result.summary()
    assert np.isfinite(result.omnibus.p)


@designs
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_refused(design, value):
    table = study()
    # A logarithm of minus infinity is told as a value that has none.
    said = "infinite in row 3 .*low and high can still" if design != "logs" or value > 0 else "no logarithm"
    with pytest.raises(DataError, match=said):
        compare(where(table, table.index == 3, value), design)


@designs
def test_a_group_without_values_is_named_and_the_others_are_compared(design):
    table = study()
    result = compare(where(table, table["group"] == "low", np.nan), design)
    assert result.groups.index.tolist() == ["vehicle", "high"]
    assert any("'low' (no value left); vehicle and high can still be compared" in w for w in result.warnings)


@designs
def test_the_control_without_values_is_never_replaced(design):
    table = study()
    with pytest.raises(
        DataError, match=r"control 'vehicle' has no values; .*low and high can still be compared"
    ):
        compare(where(table, table["group"] == "vehicle", np.nan), design)
    assert compare(where(table, table["group"] == "vehicle", np.nan), design, control="low").control == "low"


@designs
def test_one_group_or_none(design):
    table = study()
    with pytest.raises(DataError, match=r"only group 'low' has values; .*until a second group has values"):
        compare(table[table["group"] == "low"], design)
    for none in (table[:0], where(table, table["ltp"] > 0, np.nan)):
        with pytest.raises(DataError, match="no group has values"):
            compare(none, design)


@designs
def test_a_group_of_one_is_a_caution_or_a_refusal_that_names_it(design):
    table = study()
    one = table[(table["group"] != "low") | (table["animal"] == "low0")]
    if design == "welch":
        with pytest.raises(
            DataError, match=r"group 'low' has fewer; .*vehicle and high can still be compared"
        ):
            compare(one, design)
        return
    result = compare(one, design)
    assert any("'low' has a single animal" in said for said in result.warnings)
    assert np.isnan(result.groups.loc["low", "sd"])


@designs
def test_one_animal_in_every_group(design):
    table = study(1)
    if design == "kruskal":
        assert any("have a single animal" in said for said in compare(table, design).warnings)
        return
    with pytest.raises(DataError, match=r"single value|all values are in one membrane|leave none to show"):
        compare(table, design)


@designs
@pytest.mark.parametrize("group", ["vehicle", "low"])
def test_a_group_without_variance(design, group):
    table = study()
    flat = where(table, table["group"] == group, 5.0)
    if design == "welch":
        with pytest.raises(DataError, match=f"group '{group}' has none: all values are the same"):
            compare(flat, design)
        return
    result = compare(flat, design)
    assert any(f"'{group}' has no variance" in said for said in result.warnings)
    assert np.isfinite(result.omnibus.p)


@designs
def test_no_group_varies(design):
    table = study()
    steps = table.assign(ltp=table["group"].cat.codes + 1.0)
    if design == "kruskal":
        assert compare(steps, design).omnibus.p < 0.01
        return
    with pytest.raises(DataError, match=r"no group varies|tell every value exactly"):
        compare(steps, design)


@designs
def test_constant_values(design):
    with pytest.raises(DataError, match=r"all 18 values are .*; no comparison can be made"):
        compare(study().assign(ltp=5.0), design)


@designs
def test_an_animal_in_two_groups(design):
    table = study()
    twice = table.assign(animal=table["animal"].where(table.index != 13, "vehicle0"))
    with pytest.raises(
        DataError, match=r"animal 'vehicle0' stands in groups vehicle and low; .*each animal in one"
    ):
        compare(twice, design)


@designs
def test_rows_entered_twice(design):
    table = study()
    with pytest.raises(
        DataError, match=r"rows 0, 1, 0 and 1 are the same in every column; .*low and high can still"
    ):
        compare(pd.concat([table, table.iloc[:2]]), design)


def test_rows_that_may_be_entered_twice_are_said():
    """Without the name of the slice two equal rows may be two slices."""
    table = study().drop(columns="slice")
    result = compare(pd.concat([table, table.iloc[:1]], ignore_index=True), nested=())
    assert any("are the same in every column: if one was entered twice" in said for said in result.warnings)


@designs
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.assign(dose="10 mg/kg"), "column 'dose' holds '10 mg/kg'; .*|holds '10 mg/kg' in rows"),
        (lambda t: t.assign(dose=t["dose"].where(t.index != 13, 99.0)), "group 'low' has doses 10 and 99; "),
        (lambda t: t.assign(dose=-t["dose"]), "dose of 'low' and 'high' is negative .*compare without dose"),
        (
            lambda t: where(t, t.index == 3, "n.d."),
            "column 'ltp' holds 'n.d.' in row 3; .*other rows can then",
        ),
        (lambda t: t.assign(ltp=t["ltp"] * 1j), "holds complex numbers"),
        (lambda t: pd.concat([t, t[["ltp"]]], axis=1), "the table has 2 columns 'ltp'"),
        (lambda t: t.drop(columns="ltp"), "no column 'ltp'; expected one of its columns: animal, slice, "),
        (lambda t: t.drop(columns="group"), "no column 'group'"),
        (lambda t: t.drop(columns="animal"), "no column 'animal'.*or unit=None"),
        (lambda t: t.drop(columns="slice"), "no column 'slice'.*name the column of the nested level"),
        (lambda t: t.assign(group=t["group"].where(t.index != 3)), "row 3 has a value but no group"),
        (lambda t: t.assign(animal=t["animal"].where(t.index != 3)), "expected an animal for each value"),
    ],
)
def test_cells_and_columns_that_are_wrong_are_named(design, change, sentence):
    with pytest.raises(DataError, match=sentence):
        compare(change(study()), design)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"order": ["vehicle", "medium"]},
            "order names 'medium'; expected groups of the table: vehicle, low",
        ),
        ({"order": ["vehicle", "low", "low"]}, "order names 'low' more than once"),
        ({"order": ["vehicle"]}, "only group 'vehicle' has values"),
        ({"control": "saline"}, "control 'saline' has no values"),
        ({"nested": ("cell",)}, "no column 'cell'"),
        ({"alpha": 0}, "alpha is 0"),
        ({"block": "gel"}, "no column 'gel'.*name the column of the block"),
        ({"covariate": "age"}, "no column 'age'.*name the column of the covariate"),
    ],
)
def test_arguments_that_name_nothing_are_refused(arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        compare(study(), **arguments)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.assign(membrane=t["membrane"].where(t.index != 3)), "row 3 has a value but no membrane"),
        (lambda t: t.assign(membrane=t["group"].astype(str)), "each membrane holds a single group"),
        (lambda t: t.assign(membrane="B1"), "all values are in one membrane.* can still be compared"),
    ],
)
def test_blocks_that_tell_nothing_are_refused(change, sentence):
    with pytest.raises(DataError, match=sentence):
        compare(change(study()), "blocks")


def test_missing_cells_of_blocks_are_said_and_all_groups_compared():
    table = study()
    result = compare(table[~((table["group"] == "low") & (table["membrane"] == "B1"))], "blocks")
    assert any("1 of 9 cells of group and membrane are empty (low in B1)" in said for said in result.warnings)
    assert len(result.posthoc) == 2


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_values_without_a_logarithm_are_refused(value):
    table = study()
    with pytest.raises(DataError, match=r"in row 3, and has no logarithm; .*scale='linear'"):
        compare(where(table, table.index == 3, value), "logs")


@designs
def test_an_absent_endpoint_takes_nothing_else_with_it(design):
    """Each endpoint by itself: the one that is absent says so, the other is compared as if it stood alone."""
    table = study()
    options = {"group": "group", "nested": ("slice",), "dose": "dose"} | DESIGNS[design]
    found = {}
    for name in ("ltp", "psd95"):
        found |= stats.sensitivity({name: {"table": table}}, name, **options)
    assert str(found["psd95"]).startswith("the table has no column 'psd95'")
    assert found["ltp"].omnibus == compare(table, design).omnibus

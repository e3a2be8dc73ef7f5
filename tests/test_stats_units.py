"""From rows to experimental units: averages worked by hand, and nothing left out unsaid."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DataError
from labkit.stats import experimental_units


@pytest.fixture
def slices():
    """Animal b1 has two slices, one of them measured twice."""
    return pd.DataFrame(
        {
            "animal": ["a1", "a2", "b1", "b1", "b1"],
            "slice": ["s1", "s1", "s1", "s1", "s2"],
            "group": ["vehicle", "vehicle", "drug", "drug", "drug"],
            "dose": [0.0, 0.0, 10.0, 10.0, 10.0],
            "ltp": [1.0, 2.0, 3.0, 5.0, 10.0],
        }
    )


ARGUMENTS = {"group": "group", "unit": "animal", "order": ["vehicle", "drug"]}


def test_rows_are_averaged_to_the_animal(slices):
    units = experimental_units(slices, "ltp", **ARGUMENTS)
    assert units.table["animal"].tolist() == ["a1", "a2", "b1"]
    assert units.table["ltp"].tolist() == [1, 2, (3 + 5 + 10) / 3]
    assert units.table["n_subunits"].tolist() == [1, 1, 3]


def test_nested_levels_are_averaged_one_by_one(slices):
    units = experimental_units(slices, "ltp", nested=("slice",), **ARGUMENTS)
    assert units.table["ltp"].tolist() == [1, 2, ((3 + 5) / 2 + 10) / 2]
    assert units.table["n_subunits"].tolist() == [1, 1, 2]


def test_without_a_unit_each_row_counts_even_when_the_index_repeats(slices):
    doubled = pd.concat([slices, slices])
    units = experimental_units(doubled, "ltp", group="group", unit=None, order=["vehicle", "drug"])
    assert len(units.table) == 10
    assert sorted(units.table["ltp"]) == sorted(doubled["ltp"])


@pytest.mark.parametrize(
    ("group", "arguments", "expected"),
    [
        (pd.Categorical(["b", "a"], categories=["b", "a"], ordered=True), {}, ["b", "a"]),
        (["b", "a"], {"dose": "dose"}, ["a", "b"]),  # by dose
        ([10.0, 2.0], {}, ["2", "10"]),  # by number, not as text
        (["b", "a"], {"order": ["a", "b"]}, ["a", "b"]),
    ],
)
def test_order_of_groups(group, arguments, expected):
    table = pd.DataFrame({"animal": ["x", "y"], "group": group, "dose": [5.0, 1.0], "ltp": [1.0, 2.0]})
    units = experimental_units(table, "ltp", group="group", unit="animal", **arguments)
    assert list(units.table["group"].cat.categories) == expected
    assert units.ordered


def test_the_alphabet_is_no_order():
    """An unordered Categorical sorts its categories; groups then stand as they appear, and that is said."""
    table = pd.DataFrame(
        {"animal": ["x", "y"], "group": pd.Categorical(["vehicle", "dose1"]), "ltp": [1.0, 2.0]}
    )
    units = experimental_units(table, "ltp", group="group", unit="animal")
    assert list(units.table["group"].cat.categories) == ["vehicle", "dose1"]
    assert not units.ordered
    assert any("no order of its own" in said for said in units.warnings)


def test_what_is_dropped_is_listed_with_its_reason(slices):
    slices["excluded"] = ["", np.nan, "", "electrode moved", ""]
    slices.loc[4, "ltp"] = np.nan
    units = experimental_units(slices, "ltp", **ARGUMENTS)
    assert units.dropped.to_dict("records") == [
        {"row": 3, "animal": "b1", "group": "drug", "reason": "electrode moved"},
        {"row": 4, "animal": "b1", "group": "drug", "reason": "value missing"},
    ]
    assert units.table["ltp"].tolist() == [1, 2, 3]
    assert experimental_units(slices, "ltp", excluded=None, **ARGUMENTS).table["ltp"].tolist() == [1, 2, 4]


def test_groups_left_out_by_order_are_counted(slices):
    units = experimental_units(slices, "ltp", group="group", unit="animal", order=["vehicle"])
    assert set(units.dropped["reason"]) == {"group left out by order"}
    assert len(units.dropped) == 3


def test_a_group_without_values_is_named(slices):
    slices.loc[2:, "ltp"] = np.nan
    units = experimental_units(slices, "ltp", **ARGUMENTS)
    assert units.warnings == ("Without values: 'drug' (no value left); no other comparison is left.",)


def test_numbers_written_as_text_are_numbers(slices):
    slices["ltp"] = ["1", " 2", "3", "", "10"]
    units = experimental_units(slices, "ltp", **ARGUMENTS)
    assert units.table["ltp"].tolist() == [1, 2, 6.5]
    assert len(units.dropped) == 1


def change(**cells):
    def changed(table):
        for name, (row, value) in cells.items():
            table[name] = table[name].astype(object)
            table.loc[row, name] = value
        return table

    return changed


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (change(ltp=(2, "n.d.")), "column 'ltp' holds 'n.d.' in row 2; expected numbers"),
        (change(dose=(2, "10 mg")), "column 'dose' holds '10 mg' in row 2; expected numbers"),
        (change(ltp=(2, np.inf)), r"the value is infinite in row 2 \(drug\); .* no other comparison is left"),
        (change(animal=(0, None)), "row 0 has a value but no animal"),
        (change(group=(0, np.nan)), "row 0 has a value but no group"),
        (
            change(group=(4, "vehicle")),
            "animal 'b1' stands in groups drug and vehicle; expected each animal in one",
        ),
        (change(dose=(4, 30.0)), "group 'drug' has doses 10 and 30; expected one dose in each group"),
        (change(dose=(slice(2, 4), -1.0)), "the dose of 'drug' is negative or infinite"),
        (lambda table: table.drop(columns="ltp"), "has no column 'ltp'; .* name the column of the value"),
        (
            lambda table: table.drop(columns="animal"),
            "has no column 'animal'; .* or unit=None if every row is",
        ),
        (
            lambda table: pd.concat([table, table[:1]]),
            "rows 0 and 0 are the same in every column; .* remove the copies",
        ),
    ],
)
def test_what_is_wrong_is_said(slices, spoil, sentence):
    with pytest.raises(DataError, match=sentence):
        experimental_units(spoil(slices), "ltp", dose="dose", nested=("slice",), **ARGUMENTS)


def test_two_equal_rows_without_a_slice_name_are_said_and_kept(slices):
    table = pd.concat([slices.drop(columns="slice"), slices.drop(columns="slice")[:1]], ignore_index=True)
    units = experimental_units(table, "ltp", **ARGUMENTS)
    assert units.warnings == (
        "rows 0 and 5 are the same in every column: if one was entered twice, remove it.",
    )
    assert units.table["n_subunits"].tolist() == [2, 1, 3]


def test_an_order_that_names_no_group_is_refused(slices):
    with pytest.raises(
        DataError, match="order names 'saline'; expected groups of the table: vehicle and drug"
    ):
        experimental_units(slices, "ltp", group="group", unit="animal", order=["saline", "drug"])


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(9)), st.lists(st.floats(-1e6, 1e6), min_size=9, max_size=9))
def test_the_order_of_rows_changes_no_bit(permutation, values):
    table = pd.DataFrame({"animal": list("aaabbbccc"), "group": list("vvvvvvddd"), "ltp": values})
    arguments = {"group": "group", "unit": "animal", "order": ["v", "d"]}
    once = experimental_units(table, "ltp", **arguments).table
    again = experimental_units(table.iloc[list(permutation)], "ltp", **arguments).table
    pd.testing.assert_frame_equal(once, again, check_exact=True)

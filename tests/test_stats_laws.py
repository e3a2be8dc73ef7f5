"""Laws that every design keeps: what must not matter changes no bit, or no digit that counts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import test_stats_bad_input as bad

from labkit import stats

GROUPS, DESIGNS = bad.GROUPS, bad.DESIGNS
designs = pytest.mark.parametrize("design", list(DESIGNS))
compare, study = bad.compare, bad.study
TABLES = ("groups", "posthoc", "trend", "effects", "assumptions")


def same(one: stats.Comparison, other: stats.Comparison) -> None:
    """To the last bit."""
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert one.omnibus == other.omnibus
    assert one.summary() == other.summary()


@designs
def test_the_same_call_gives_the_same_bits(design):
    same(compare(study(), design), compare(study(), design))


@designs
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_order_of_rows_changes_no_bit(design, seed):
    table = study()
    same(compare(table, design), compare(table.sample(frac=1, random_state=seed), design))


@designs
def test_order_of_columns_and_the_index_change_no_bit(design):
    table = study()
    other = table[table.columns[::-1]].set_index(np.arange(len(table))[::-1] * 7 + 1000)
    same(compare(table, design), compare(other, design))


@designs
@settings(max_examples=3, deadline=None)
@given(names=st.permutations(["a", "m", "z"]))
def test_groups_stand_in_the_order_of_the_study_never_of_the_alphabet(design, names):
    table = study()
    named = dict(zip(GROUPS, names, strict=True))
    other = table.assign(group=table["group"].cat.rename_categories(named))
    one, two = compare(table, design), compare(other, design)
    assert two.groups.index.tolist() == list(names)
    assert two.control == names[0]
    numbers = one.posthoc.select_dtypes("number")
    pd.testing.assert_frame_equal(numbers, two.posthoc[numbers.columns], check_exact=True)
    assert two.posthoc["reference"].tolist() == [named[g] for g in one.posthoc["reference"]]
    assert (one.omnibus.statistic, one.omnibus.p) == (two.omnibus.statistic, two.omnibus.p)
    # Text in any order of rows, with the dose to say what comes first.
    text = table.assign(group=table["group"].astype(str).map(named)).iloc[::-1]
    assert compare(text, design).groups.index.tolist() == list(names)


@designs
def test_names_of_animals_and_slices_change_no_digit(design):
    """Animals are summed in the order of their names where values tie, so the last bits may move."""
    table = study()
    other = table.assign(
        animal="z" + table["animal"].str[::-1], slice=table["slice"].map({"s0": "q", "s1": "p"})
    )
    one, two = compare(table, design), compare(other, design)
    assert two.omnibus.p == pytest.approx(one.omnibus.p, rel=1e-10)
    assert two.posthoc["p_adjusted"].tolist() == pytest.approx(one.posthoc["p_adjusted"].tolist(), rel=1e-9)


@designs
@settings(max_examples=3, deadline=None)
@given(factor=st.floats(1e-3, 1e3))
def test_the_unit_of_measurement_changes_no_p(design, factor):
    table = study()
    one, two = compare(table, design), compare(table.assign(ltp=table["ltp"] * factor), design)
    near = {"rel": 1e-7, "abs": 1e-12}
    assert two.omnibus.p == pytest.approx(one.omnibus.p, **near)
    assert two.posthoc["p_adjusted"].tolist() == pytest.approx(one.posthoc["p_adjusted"].tolist(), **near)
    assert two.trend["p"].tolist() == pytest.approx(one.trend["p"].tolist(), **near)
    if design == "logs":
        assert two.posthoc["ratio"].tolist() == pytest.approx(one.posthoc["ratio"].tolist(), rel=1e-9)
    elif "difference" in one.posthoc:
        scaled = (factor * one.posthoc["difference"]).tolist()
        assert two.posthoc["difference"].tolist() == pytest.approx(scaled, rel=1e-8)


@designs
@settings(max_examples=3, deadline=None)
@given(constant=st.integers(-1000, 1000))
def test_a_constant_changes_no_p_of_differences(design, constant):
    if design == "logs":
        return
    table = study()
    one, two = compare(table, design), compare(table.assign(ltp=table["ltp"] + constant), design)
    near = {"rel": 1e-8, "abs": 1e-12}
    assert two.omnibus.p == pytest.approx(one.omnibus.p, **near)
    assert two.posthoc["p_adjusted"].tolist() == pytest.approx(one.posthoc["p_adjusted"].tolist(), **near)


@designs
def test_the_unit_of_dose_changes_no_p_of_the_trend_over_dose(design):
    table = study()
    one, two = compare(table, design).trend, compare(table.assign(dose=table["dose"] * 1000), design).trend
    for scale in ("rank", "dose"):
        assert two.loc[scale, "p"] == pytest.approx(one.loc[scale, "p"], rel=1e-9)
    assert two.loc["dose", "slope"] == pytest.approx(one.loc["dose", "slope"] / 1000, rel=1e-9)


@designs
def test_the_control_is_named_in_every_contrast_against_it(design):
    for control in GROUPS:
        result = compare(study(), design, control=control)
        assert result.control == control
        if result.posthoc_test == "dunnett":
            assert set(result.posthoc["reference"]) == {control}
            assert control not in set(result.posthoc["group"])
        for row in result.posthoc.to_dict("records"):
            assert row["contrast"] == f"{row['group']} − {row['reference']}"
        assert control in result.summary()
        assert set(result.effects["reference"]) <= {"", control}


@designs
def test_a_column_that_takes_no_part_takes_no_part(design):
    table = study()
    same(compare(table, design), compare(table.assign(note="x", other=np.arange(len(table))[::-1]), design))


@designs
def test_the_table_is_left_as_it_was(design):
    table = study()
    before = table.copy(deep=True)
    compare(table, design)
    pd.testing.assert_frame_equal(table, before)


@designs
def test_a_row_with_a_reason_is_as_good_as_absent(design):
    table = study()
    extra = table.iloc[[0, 20]].assign(slice="s9", ltp=99.0, excluded="bubble")
    both = pd.concat([table.assign(excluded=""), extra], ignore_index=True)
    one, two = compare(table, design), compare(both, design)
    assert one.omnibus == two.omnibus
    pd.testing.assert_frame_equal(one.posthoc, two.posthoc, check_exact=True)
    assert two.dropped["reason"].tolist() == ["bubble", "bubble"]

"""Classes at and around the thresholds of the published rules; density without end zones, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import spines
from labkit.columns import COLUMNS
from labkit.demo.dendrite import simulate
from labkit.errors import DataError


def sizes(*rows, **columns):
    return pd.DataFrame(rows, columns=["length_um", "head_width_um", "neck_width_um"]).assign(**columns)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((1.0, 0.35, 0.20), "mushroom"),  # a neck, and a head of the threshold itself
        ((1.0, 0.34, 0.20), "thin"),
        ((1.0, 0.34, np.nan), "thin"),  # a neck too faint to be measured is a neck
        ((1.0, 0.44, 0.40), "stubby"),  # 1.1 times is not more than 1.1 times
        ((1.0, 0.45, 0.40), "mushroom"),
        ((1.0, 0.40, 0.40), "thin"),  # no neck: slender at 2.5
        ((0.99, 0.40, 0.40), "stubby"),
        ((3.0, 0.30, 0.20), "thin"),
        ((3.1, 0.30, 0.20), "filopodium"),
        ((3.1, 0.50, 0.20), "mushroom"),  # a head makes it a mushroom, however long
    ],
)
def test_rodriguez(row, expected):
    assert spines.classify(sizes(row))["spine_class"].tolist() == [expected]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((2.1, 0.9, 0.2), "filopodium"),
        ((1.6, 0.39, 0.2), "filopodium"),  # slender: under a quarter, and longer than 1.5
        ((1.6, 0.41, 0.2), "thin"),
        ((1.5, 0.30, 0.2), "thin"),
        ((1.5, 0.61, 0.2), "mushroom"),
        ((0.5, 0.60, 0.6), "stubby"),
        ((0.6, 0.60, 0.6), "thin"),
        ((2.0, 0.55, 0.2), "unclassified"),
    ],
)
def test_risher(row, expected):
    assert spines.classify(sizes(row), rule="risher2014")["spine_class"].tolist() == [expected]


def test_margin_is_the_change_that_changes_the_class():
    """A head of 0.37 with threshold 0.35: 5.7 % smaller is thin, so 6 in whole percents."""
    table = spines.classify(sizes((1.0, 0.37, 0.1), (1.0, 0.7, 0.1)))
    assert table["class_margin_percent"].tolist()[0] == 6
    assert np.isnan(table["class_margin_percent"][1])
    assert table["flags"].tolist() == ["near another class", ""]


@settings(max_examples=60, deadline=None)
@given(
    length=st.floats(0.2, 4.0), head=st.floats(0.1, 1.5), neck=st.floats(0.05, 1.0),
    rule=st.sampled_from(sorted(spines.RULES)),
)  # fmt: skip
def test_within_the_margin_the_class_stays(length, head, neck, rule):
    row = spines.classify(sizes((length, head, neck)), rule=rule).iloc[0]
    margin = row["class_margin_percent"]
    whole = 51 if np.isnan(margin) else int(margin)
    scaled = [
        [size * (factor if i == j else 1) for j, size in enumerate((length, head, neck))]
        for percent in range(1, whole + (whole < 51))
        for i in range(3)
        for factor in (1 + percent / 100, 1 / (1 + percent / 100))
    ]
    same = (spines.classify(sizes(*scaled), rule=rule)["spine_class"] == row["spine_class"]).to_numpy()
    # Six changes for each percent: all keep the class, but for one or more of the margin itself.
    assert same[: 6 * (whole - 1)].all()
    assert whole == 51 or not same[-6:].all()


def test_what_is_hidden_or_cut_has_no_class():
    words = ["touches the last plane", "above or below the shaft: sizes are not seen", "saturated", ""]
    table = spines.classify(sizes(*[(1.0, 0.5, 0.2)] * 4, flags=words))
    assert table["spine_class"].tolist() == ["unclassified", "unclassified", "mushroom", "mushroom"]
    assert spines.classify(sizes((np.nan, 0.5, 0.2)))["spine_class"].tolist() == ["unclassified"]


def test_a_persons_class_stays():
    """Of an added spine it is the class shown when it was added; one that nobody saw is found anew."""
    origins = ["reclassed", "added", "moved", "auto", "removed"]
    table = sizes(*[(1.0, 0.5, 0.2)] * 5, origin=origins, spine_class="stubby", flags="")
    assert spines.classify(table)["spine_class"].tolist() == ["stubby"] * 3 + ["mushroom"] * 2


def test_classifying_twice_changes_nothing_and_thresholds_can_be_given():
    table = sizes((1.0, 0.37, 0.1), flags="saturated")
    once = spines.classify(table)
    pd.testing.assert_frame_equal(spines.classify(once), once)
    other = spines.classify(table, thresholds={"mushroom_head_um": 0.5})
    assert other["spine_class"].tolist() == ["thin"]
    assert table.columns.tolist() == ["length_um", "head_width_um", "neck_width_um", "flags"]


def test_bad_rules():
    with pytest.raises(DataError, match="no rule 'harris'"):
        spines.classify(sizes((1, 1, 1)), rule="harris")
    with pytest.raises(DataError, match="no threshold 'head'"):
        spines.classify(sizes((1, 1, 1)), thresholds={"head": 1})
    with pytest.raises(DataError, match="no column head_width_um"):
        spines.classify(pd.DataFrame({"length_um": [1.0]}))


def dendrite(length=30.0, clear=None, flags=""):
    n = round(length * 10) + 1
    path = np.column_stack([np.zeros(n), np.zeros(n), np.linspace(0, length, n)])
    return spines.Dendrite(
        path, length, length, np.full(n, 0.4), clear or (0.0, length), np.zeros((2, 3)), flags
    )


def counted(*positions, **columns):
    base = {"position_um": positions, "origin": "auto", "spine_class": "thin", "flags": ""}
    return pd.DataFrame({**base, **columns})


def test_density_by_hand():
    """25 um of 30 count; of six spines, two stand in end zones and one was removed: 3 on 25 um."""
    table = counted(1, 5, 10, 15, 20, 29, origin=["auto", "auto", "added", "removed", "auto", "auto"])
    table["spine_class"] = ["thin", "thin", "mushroom", "thin", "", "thin"]
    row = spines.density(table, dendrite()).iloc[0]
    assert (row["n_spines"], row["counted_length_um"]) == (3, 25.0)
    assert row["density_per_10um"] == pytest.approx(1.2)
    classes = {name: row[f"{name}_per_10um"] for name in spines.CLASSES}
    assert classes == pytest.approx(
        {"stubby": 0, "thin": 0.4, "mushroom": 0.4, "filopodium": 0, "unclassified": 0.4}
    )
    assert row["flags"] == ""
    everything = spines.density(table, dendrite(), end_um=0).iloc[0]
    assert (everything["n_spines"], everything["counted_length_um"]) == (5, 30.0)


def test_lit_ends_are_left_out_too():
    row = spines.density(counted(4, 10), dendrite(clear=(6.0, 30.0))).iloc[0]
    assert (row["n_spines"], row["counted_length_um"]) == (1, 21.5)
    assert "3.5 um more left out at the start" in row["flags"]


def test_doubts_of_a_density():
    row = spines.density(counted(4, 5, flags="touches the first plane"), dendrite(9.0, flags="dark")).iloc[0]
    assert row["flags"] == "dark; only 4.0 um are counted; 2 spines touch the first or last plane"
    with pytest.raises(DataError, match="nothing is left of a dendrite of 4"):
        spines.density(counted(2), dendrite(4.0))
    with pytest.raises(DataError, match="no column origin"):
        spines.density(pd.DataFrame({"position_um": [1.0]}), dendrite())
    with pytest.raises(DataError, match="end_um is -1"):
        spines.density(counted(2), dendrite(), end_um=-1)


def test_every_column_is_declared():
    made = simulate(length_um=15.0, n_spines=5)
    stack = spines.Stack.from_array(made.voxels, voxel_um=made.voxel_um, modality="fluorescence")
    path = spines.trace(stack, made.waypoints)
    table = spines.classify(spines.detect(stack, path))
    assert set(table) | set(spines.density(table, path)) <= set(COLUMNS)


def test_human_agreement_stands_beside():
    assert 0 < spines.HUMAN_AGREEMENT["kappa"] < spines.HUMAN_AGREEMENT["pairwise"] < 1

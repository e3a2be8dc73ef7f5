"""Marks of spines: what a person does to them, and how far person and detector agree."""

from __future__ import annotations

import copy
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import DataError
from labkit.pickers import spines_marks as marks
from labkit.pickers.spines_compare import agreement, matched

SPINES = [(3.0, 4.0, 4.0, "thin"), (3.0, 6.0, 8.0, "mushroom"), (3.5, 6.2, 13.0, "stubby")]


def found():
    table = pd.DataFrame(SPINES, columns=["z_um", "y_um", "x_um", "spine_class"])
    return marks.found(table.assign(confidence=[0.9, 0.7, 0.2]))


def test_a_mark_tells_what_was_found_and_what_a_person_did():
    first, second, _ = [marks.place(mark) for mark in found()]
    edited = marks.reclassed(marks.moved(found(), first, (3, 4, 4.3)), (3, 4, 4.3), "filopodium")
    edited = marks.removed(edited, second)
    edited = marks.added(edited, (3, 5.9, 10), "stubby")
    assert [mark["origin"] for mark in edited] == ["moved", "removed", "auto", "added"]
    assert edited[0]["detected"] == [3.0, 4.0, 4.0, "thin"]
    assert marks.table(marks.present(edited))["spine_class"].tolist() == ["filopodium", "stubby", "stubby"]
    assert json.loads(json.dumps(edited)) == marks.checked_marks(edited), "as it is stored"


def test_steps_that_are_taken_back_leave_no_trace():
    first = marks.place(found()[0])
    assert marks.removed(marks.removed(found(), first), first) == found()
    assert marks.moved(marks.moved(found(), first, (1, 1, 1)), (1, 1, 1), first) == found()
    assert marks.removed(marks.added(found(), (1, 1, 1)), (1, 1, 1)) == found()


EDITS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "move", "reclass"]), st.integers(0, 30), st.integers(0, 400)),
    max_size=25,
)


@given(EDITS)
def test_any_edits_keep_the_count_and_the_record_of_the_detector(edits):
    now, added, gone = found(), 0, 0
    for what, which, where in edits:
        before = copy.deepcopy(now)
        place = (1.0, where / 20, 2.0)
        try:
            if what == "add":
                after = marks.added(now, place, "thin")
                added += 1
            else:
                mark = now[which % len(now)]
                at = marks.place(mark)
                if what == "remove":
                    after = marks.removed(now, at)
                    if mark["origin"] == "added":
                        added -= 1
                    else:
                        gone += -1 if mark["origin"] == "removed" else 1
                elif mark["origin"] == "removed":
                    continue
                elif what == "move":
                    after = marks.moved(now, at, place)
                else:
                    after = marks.reclassed(now, at, marks.CLASSES[where % 5])
        except DataError:  # two spines at one place
            after = now
        assert now == before, "a list that was given away is never changed"
        now = marks.checked_marks(after)
    assert len(marks.present(now)) == len(SPINES) - gone + added
    counts = agreement({"D1": now}).iloc[-1]
    assert counts["detected"] == len(SPINES)
    assert counts["kept"] + counts["false"] == counts["detected"]
    assert counts["kept"] + counts["missed"] == len(marks.present(now))


def test_marks_that_cannot_be_used_are_refused():
    with pytest.raises(DataError, match="no spine at that place any more"):
        marks.removed(found(), (0, 0, 0))
    with pytest.raises(DataError, match="a spine at that place already"):
        marks.added(found(), SPINES[0][:3])
    with pytest.raises(DataError, match="expected mushroom, thin"):
        marks.reclassed(found(), SPINES[0][:3], "large")
    with pytest.raises(DataError, match="of the class 'large'"):
        marks.found(pd.DataFrame({"z_um": [0], "y_um": [0], "x_um": [0], "spine_class": ["large"]}))
    for broken in ("spines", [{"z": 1}], [{**found()[0], "x": float("nan")}], [found()[0], found()[0]]):
        with pytest.raises(DataError):
            marks.checked_marks(broken)


def test_finding_again_keeps_what_a_person_touched():
    mine = marks.removed(found(), SPINES[0][:3])
    mine = marks.moved(mine, SPINES[1][:3], (3.0, 6.0, 9.0))
    mine = marks.added(mine, (3.0, 4.1, 15.0), "thin")
    again = marks.merged(mine, found())
    assert [mark["origin"] for mark in again] == ["removed", "moved", "added", "auto"]
    assert marks.place(again[-1]) == SPINES[2][:3]
    assert marks.merged(again, found()) == again


def test_precision_and_recall_by_hand():
    # three found: one kept, one removed, one dragged 2 µm away to another spine; one added
    mine = marks.removed(found(), SPINES[0][:3])
    mine = marks.moved(mine, SPINES[1][:3], (3.0, 6.0, 10.0))
    mine = marks.added(mine, (3.0, 4.1, 15.0))
    mine = marks.reclassed(mine, SPINES[2][:3], "thin")
    table = agreement({"D1": mine, "D2": found(), "D3": []}).set_index("code")
    assert table.loc["D1", ["detected", "kept", "false", "missed", "reclassed"]].tolist() == [3, 1, 2, 2, 1]
    assert table.loc["D1", "precision"] == pytest.approx(1 / 3)
    assert table.loc["D1", "recall"] == pytest.approx(1 / 3)
    assert table.loc["D2", ["precision", "recall", "f1"]].tolist() == [1, 1, 1]
    assert table.loc["D3", ["precision", "recall", "f1"]].isna().all()
    # all: 6 found, 4 kept, 2 missed
    assert table.loc["all", ["precision", "recall", "f1"]].tolist() == pytest.approx([4 / 6, 4 / 6, 4 / 6])


def test_as_many_spines_as_possible_are_matched():
    def at(*places):
        made = []
        for x, spine_class in places:
            made = marks.added(made, (0, 0, x), spine_class)
        return made

    # the nearest pair, 0.0 and 0.05, would leave 0.63 and -0.58 alone
    first, second = (
        at((0.0, "thin"), (0.63, "stubby")),
        at((0.05, "stubby"), (-0.58, "thin"), (9, "mushroom")),
    )
    pairs = matched(first, second)
    assert sorted(map(tuple, pairs.to_numpy())) == [("", "mushroom"), ("stubby", "stubby"), ("thin", "thin")]
    assert matched([], first)["second"].tolist() == ["thin", "stubby"]

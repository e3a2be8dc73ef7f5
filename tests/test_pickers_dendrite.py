"""The dendrite picker without a browser: picks, messages, what is looked at, the script's maths."""

from __future__ import annotations

import base64
import io
import itertools
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from labkit import picks
from labkit.errors import DataError, ImageError, PickError
from labkit.pickers import DendriteItem, DendritePicker, dendrite_items
from labkit.pickers import spines_marks as marks
from labkit.pickers.dendrite_images import Looks, along, brightest_z
from labkit.pickers.dendrite_items import with_repeats
from labkit.pickers.dendrite_picture import projected

SCRIPTS = Path(__file__).parent.parent / "labkit" / "pickers"
VOXEL_UM = (0.5, 0.1, 0.1)
SHAPE = (12, 96, 200)
# A straight dendrite from x = 2 to 18 µm at z = 3, y = 5; spines beside it, the last one of them dim.
PATH = [[3.0, 5.0, 2.0], [3.0, 5.0, 18.0]]
SPINES = [(3.0, 4.0, 4.0, "thin"), (3.0, 6.0, 8.0, "mushroom"), (3.5, 6.2, 13.0, "stubby")]
CONFIDENCE = [0.9, 0.7, 0.2]


def stack(kind="fluorescence", dtype=np.uint8, voxel_um=VOXEL_UM):
    """The dendrite and its spines as Gaussian spots, over an even ground."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    z, y, x = (axis * size for axis, size in zip((z, y, x), VOXEL_UM, strict=True))
    off = np.clip(2 - x, 0, None) + np.clip(x - 18, 0, None)
    light = 120 * np.exp(-((z - 3) ** 2 + (y - 5) ** 2 + off**2) / (2 * 0.3**2))
    for sz, sy, sx, _ in SPINES:
        light = light + 90 * np.exp(-((z - sz) ** 2 + (y - sy) ** 2 + (x - sx) ** 2) / (2 * 0.2**2))
    light = np.clip(light + 10, 0, 250)
    if kind == "brightfield":
        light = 255 - light
    scale = {np.uint8: 1, np.uint16: 100, np.float32: 1.0}[dtype]
    return SimpleNamespace(data=(light * scale).astype(dtype), voxel_um=voxel_um, modality=kind)


def trace(stack, waypoints_um):
    """The straight line through the points, a tenth of a micrometre a step."""
    points = np.asarray(waypoints_um, float)
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, steps[-1], max(2, round(steps[-1] / 0.1) + 1))
    path = np.column_stack([np.interp(at, steps, points[:, k]) for k in range(3)])
    return SimpleNamespace(
        path_um=path, length_um=float(steps[-1]), radius_um=np.full(len(at), 0.3), flags=""
    )


def detect(stack, dendrite):
    table = pd.DataFrame(SPINES, columns=["z_um", "y_um", "x_um", "spine_class"])
    return table.assign(confidence=CONFIDENCE)


def item(folder, code="D101", dendrite="1-1", *, file=None, data=None, **changes):
    raw = Path(folder) / (file or f"m07_vehicle_{code}.tif")
    if not raw.exists():
        raw.write_bytes(f"raw bytes of {raw.name}".encode())
    return DendriteItem(code, raw, dendrite, stack() if data is None else data, **changes)


def made(items, **changes):
    return DendritePicker(items, **({"trace": trace, "detect": detect, "by": "ana", "repeat": 0} | changes))


@pytest.fixture(autouse=True)
def not_strict(monkeypatch):
    monkeypatch.delenv("LABKIT_STRICT", raising=False)


@pytest.fixture
def items(tmp_path):
    """Three dendrites, two of them in one file."""
    return [
        item(tmp_path, "D101", "1-1", file="m07_vehicle_n1.tif"),
        item(tmp_path, "D102", "1-2", file="m07_vehicle_n1.tif"),
        item(tmp_path, "D103", "2-1"),
    ]


def traced(picker, index=0):
    picker.draw(index, PATH)
    picker.find(index)


def say(picker, **message):
    """One message as the browser sends it, by the way it comes in."""
    picker._handle_custom_msg({"view": "v1", "number": 1, **message}, [])
    return picker._state


def asked(picker, **message):
    """What is sent for a question: the message and its bytes."""
    sent = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picker, "send", lambda content, buffers=None: sent.append((content, buffers or [])))
        picker._handle_custom_msg(message, [])
    return sent[-1]


def found():
    return marks.found(detect(None, None))


# -- picks


def test_a_dendrite_is_open_until_a_person_traced_and_confirmed_it(items):
    picker = made(items)
    assert repr(picker) == "Paths and spines of 3 dendrites: 0 confirmed, 0 changed, 3 not traced"
    assert picker.dendrites() == {}
    assert picker.picks() == []
    assert picker.caution().startswith("3 of 3 dendrites are not traced and confirmed")
    traced(picker)
    assert picker.dendrites() == {}, "what is not confirmed does not count"
    assert picks.load(items[0].file) is None, "nothing is written by looking"
    picker.confirm(0)
    one = picker.dendrites()["D101"]
    assert one.waypoints_um.tolist() == PATH
    assert one.dendrite.length_um == 16
    assert one.spines["spine_class"].tolist() == ["thin", "mushroom", "stubby"]
    assert (one.origin, one.excluded, len(one.removed)) == ("confirmed", "", 0)
    assert picker.caution().startswith("2 of 3 dendrites")
    assert picker.status()["status"].tolist() == ["confirmed", "not traced", "not traced"]


def test_what_is_stored_comes_back_in_another_session(items):
    picker = made(items)
    picker.draw(0, [(3.00049, 5, 2), (3, 5, 18)])
    picker.find(0)
    picker.remove(0, SPINES[1][:3])
    picker.add(0, (3, 4.2, 15), "filopodium")
    picker.confirm(0)
    stored = picks.load(items[0].file).picks
    assert set(stored) == {"path 1-1", "spines 1-1"}
    path, spines = stored["path 1-1"], stored["spines 1-1"]
    assert (path.kind, path.unit, path.origin, path.by, path.blind) == (
        "path",
        "um",
        "confirmed",
        "ana",
        True,
    )
    assert path.value == [[3.0, 5.0, 2.0], [3.0, 5.0, 18.0]], "in µm, to a thousandth"
    assert (spines.kind, spines.origin) == ("spines", "changed")
    assert spines.value[1] == {
        "z": 3.0, "y": 6.0, "x": 8.0, "class": "mushroom", "origin": "removed", "confidence": 0.7,
    }  # fmt: skip
    again = made(items).dendrites()["D101"]
    assert again.spines["origin"].tolist() == ["auto", "auto", "added"]
    assert again.removed["spine_class"].tolist() == ["mushroom"]
    assert again.origin == "changed"
    assert made(items).agreement().iloc[-1][["precision", "recall"]].tolist() == pytest.approx([2 / 3, 2 / 3])


def test_dendrites_of_one_file_are_picked_and_excluded_each_for_itself(items):
    picker = made(items)
    for index in (0, 1):
        traced(picker, index)
        picker.confirm(index)
    picker.exclude(1, "out of focus")
    assert set(picks.load(items[0].file).picks) == {
        "path 1-1", "spines 1-1", "path 1-2", "spines 1-2", "exclude 1-2",
    }  # fmt: skip
    assert picker.status()["excluded"].tolist() == ["", "out of focus", ""]
    assert picker.dendrites()["D102"].excluded == "out of focus", "what is excluded stays to be seen"
    assert picker.agreement()["code"].tolist() == ["D101", "all"]


def test_undo_goes_back_through_marks_paths_and_what_is_stored(items):
    picker = made(items)
    traced(picker)
    picker.confirm(0)
    before = picks.load(items[0].file).picks
    picker.remove(0, SPINES[0][:3])
    picker.confirm(0)
    assert picker.undo() == 0
    assert picks.load(items[0].file).picks == before
    assert picker._state["hand"]["marks"][0]["origin"] == "removed"
    picker.undo()
    assert picker._state["hand"]["marks"] == found()
    picker.undo()
    assert picks.load(items[0].file).picks == {}
    picker.undo()
    picker.undo()
    assert picker._state["hand"]["points"] == []
    assert picker.undo() is None


def test_a_new_path_asks_for_spines_to_be_found_again_and_keeps_what_was_marked(items):
    picker = made(items)
    with pytest.raises(PickError, match="D101: no path is traced; click two or more points"):
        picker.confirm(0)
    picker.draw(0, PATH)
    with pytest.raises(PickError, match="spines were not looked for along this path"):
        picker.confirm(0)
    picker.find(0)
    picker.remove(0, SPINES[0][:3])
    picker.confirm(0)
    picker.draw(0, [*PATH, [3.0, 5.0, 19.0]])
    assert picker._state["hand"]["stale"]
    with pytest.raises(PickError, match="not looked for"):
        picker.confirm(0)
    picker.find(0)
    picker.confirm(0)
    assert picker.dendrites()["D101"].removed["x_um"].tolist() == [4.0]
    assert len(picker.dendrites()["D101"].spines) == 2


def test_strict_mode_names_what_is_open(items, monkeypatch):
    picker = made(items)
    traced(picker)
    picker.confirm(0)
    picker.exclude(1, "crossing neurites")
    with pytest.raises(PickError, match=r"1 of 3 dendrites are not traced and confirmed \(D103\)"):
        picker.dendrites(strict=True)
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(PickError):
        picker.dendrites()
    picker.exclude(2, "no dendrite here")
    assert set(picker.dendrites()) == {"D101"}, "an excluded dendrite needs no path"
    assert picker.caution() == ""


def test_picks_on_other_bytes_are_told_without_the_file_name(items):
    picker = made(items)
    traced(picker)
    picker.confirm(0)
    items[0].file.write_bytes(b"other bytes")
    again = made(items)
    problem = again._state["items"][0]["problem"]
    assert "other bytes" in problem
    assert "vehicle" not in problem
    with pytest.raises(PickError, match="other bytes"):
        again.dendrites()


def test_stored_marks_that_do_not_fit_are_told(items):
    picks.save(items[0].file, "path 1-1", [[0, 0, 0], [0, 0, 900]], kind="path")
    picks.save(items[0].file, "spines 1-1", [{"z": 0}], kind="spines")
    picker = made(items)
    assert "does not fit this dendrite" in picker._state["items"][0]["problem"]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([[3, 5, 2]], "the path has 1 point; expected two or more"),
        ([[3, 5, 2], [3, 5, 2]], "two points of the path are the same"),
        (
            [[3, 5, 2], [3, 5, 25]],
            "point 2 of the path lies outside the stack; expected points within 6 x 9.6",
        ),
        ([[3, 5, 2], [3, 5]], "the points cannot be read"),
        ([[3, 5, 2], [3, "b", 5]], "the points cannot be read"),
        ([[None, 5, 2], [None, 5, 25]], "a point lies outside the stack"),
    ],
)
def test_paths_that_cannot_be_are_refused_in_a_sentence(items, points, said):
    picker = made(items)
    with pytest.raises(DataError, match=said):
        picker.draw(0, points)
    assert picker._state["hand"]["points"] == []


def test_when_tracing_fails_it_is_told_and_the_path_before_is_kept(items):
    def cannot(stack, waypoints_um):
        if len(waypoints_um) > 2:
            raise ValueError("no way through")
        return trace(stack, waypoints_um)

    picker = made(items, trace=cannot)
    picker.draw(0, PATH)
    state = say(picker, do="path", index=0, points=[*PATH, [3, 6, 19]])
    assert state["error"] == "D101: no path could be traced (ValueError: no way through)."
    assert state["hand"]["points"] == PATH

    def own(stack, dendrite):
        raise ImageError("the dendrite is shorter than 2 um", todo="trace a longer one")

    said = say(made(items, trace=trace, detect=own), do="path", index=0, points=PATH)
    assert said["error"] == ""
    said = say(made(items, detect=own), do="find", index=0)
    assert "no path is traced" in said["error"]


# -- depth of a click on a projection


def test_a_click_on_a_projection_takes_the_brightest_plane(tmp_path):
    one = item(tmp_path)
    assert brightest_z(one, 5.0, 10.0) == 3.0
    assert brightest_z(one, 6.2, 13.0) == 3.5
    dark = item(tmp_path, data=stack("brightfield"))
    assert brightest_z(dark, 5.0, 10.0) == 3.0, "in brightfield the darkest"
    picker = made([one])
    picker.draw(0, [(None, 5, 2), (float("nan"), 5, 18)])
    assert picker._state["hand"]["points"] == PATH
    picker.draw(0, [(None, 5, 2), (None, 5, 18)], planes=(0, 5))
    assert [point[0] for point in picker._state["hand"]["points"]] == [2.5, 2.5], "among the planes seen"


def test_a_spine_clicked_on_a_projection_lies_near_the_path_not_on_what_crosses_it(tmp_path):
    data = stack()
    data.data[11, 55:66, 95:106] = 255  # something brighter, 2.5 µm below
    picker = made([item(tmp_path, data=data)])
    traced(picker)
    picker.add(0, (None, 6.0, 10.0))
    assert abs(picker._state["hand"]["marks"][-1]["z"] - 3.0) <= 2.0
    picker.shift(0, SPINES[0][:3], (None, 6.2, 13.1))
    assert picker._state["hand"]["marks"][0]["z"] == 3.5


def test_an_added_spine_gets_the_class_that_is_measured(items):
    asked_for = []

    def measure(stack, dendrite, points_um):
        asked_for.append((dendrite.length_um, points_um.tolist()))
        z, y, x = points_um.T
        return pd.DataFrame({"z_um": z, "y_um": y, "x_um": x, "spine_class": ["stubby"] * len(z)})

    picker = made(items, measure=measure)
    traced(picker)
    picker.add(0, (3, 4.2, 15))
    picker.add(0, (3, 4.2, 16), "thin")
    assert [mark["class"] for mark in picker._state["hand"]["marks"][-2:]] == ["stubby", "thin"]
    assert asked_for == [(16.0, [[3.0, 4.2, 15.0]])]
    plain = made(items[1:])
    traced(plain)
    plain.add(0, (3, 4.2, 15))
    assert plain._state["hand"]["marks"][-1]["class"] == "unclassified"


# -- second looks


def many(folder, n=20):
    return [item(folder, f"D{200 + k}", f"1-{k}", file="n1.tif") for k in range(n)]


def test_a_share_is_shown_again_at_the_end_under_other_codes(tmp_path):
    first = many(tmp_path)
    shown = with_repeats(first, share=0.1, seed=3)
    again = shown[20:]
    assert shown[:20] == first
    assert len(again) == 2
    assert len({one.code for one in shown}) == 22
    assert [(one.code, one.repeat_of) for one in again] == [
        (one.code, one.repeat_of) for one in with_repeats(first, share=0.1, seed=3)[20:]
    ]
    drawn = {
        frozenset(one.repeat_of for one in with_repeats(first, share=0.1, seed=k)[20:]) for k in range(9)
    }
    assert len(drawn) > 3, "another seed draws others"
    with pytest.raises(DataError, match="a share from 0 to 1"):
        with_repeats(first, share=10, seed=0)


def test_second_looks_are_stored_apart_and_give_pairs(tmp_path):
    picker = made(many(tmp_path), repeat=0.1, seed=3)
    codes = [one["code"] for one in picker._items]
    assert "repeat" not in json.dumps(picker.get_state()["_items"]), "the person does not know"
    again = picker._all[20]
    first = codes.index(again.repeat_of)
    for index in (first, 20):
        traced(picker, index)
    picker.remove(20, SPINES[0][:3])
    picker.reclass(20, SPINES[1][:3], "stubby")
    picker.add(20, (3, 4.2, 15), "thin")
    for index in (first, 20):
        picker.confirm(index)
    assert f"path {again.dendrite} again" in picks.load(again.file).picks
    both = picker.repeatability()
    row = both.dendrites.iloc[0]
    assert (row["code"], row["code_again"]) == (again.repeat_of, again.code)
    assert (row["spines"], row["spines_again"], row["mushroom"], row["mushroom_again"]) == (3, 3, 1, 0)
    assert row["density_per_10um"] == pytest.approx(30 / 16)
    seen = sorted(map(tuple, both.spines[["first", "second"]].to_numpy()))
    assert seen == [("", "thin"), ("mushroom", "stubby"), ("stubby", "stubby"), ("thin", "")]
    assert set(picker.dendrites()) == {again.repeat_of}, "a second look is no second dendrite"
    assert "1 of 2 second looks" in picker.caution()
    assert repr(picker).endswith("; 1 of 2 shown again confirmed")
    # another draw leaves the finished one among what is shown
    kept = made(many(tmp_path), repeat=0.0)
    assert [one.repeat_of for one in kept._all[20:]] == [again.repeat_of]
    assert len(kept.repeatability().dendrites) == 1


def test_pairs_of_a_study_without_second_looks_are_empty_tables(items):
    both = made(items).repeatability()
    assert (len(both.dendrites), len(both.spines)) == (0, 0)
    assert "spines_again" in both.dendrites


# -- messages of the browser


def test_messages_do_what_the_methods_do_and_are_answered_with_the_dendrite_in_hand(items):
    picker = made(items)
    state = say(picker, do="path", index=2, points=[[None, 5, 2], [3, 5, 18]], number=4)
    assert (state["view"], state["number"], state["error"]) == ("v1", 4, "")
    assert (state["hand"]["index"], state["hand"]["points"], state["hand"]["stale"]) == (2, PATH, True)
    assert state["items"][2]["status"] == "moved"
    state = say(picker, do="find", index=2)
    assert not state["hand"]["stale"]
    assert state["items"][2]["spines"] == 3
    say(picker, do="add", index=2, at=[None, 4.2, 15], planes=[4, 8])
    say(picker, do="shift", index=2, at=SPINES[0][:3], to=[3, 4.1, 4])
    say(picker, do="reclass", index=2, at=[3, 4.1, 4], **{"class": "stubby"})
    state = say(picker, do="remove", index=2, at=SPINES[1][:3])
    assert [mark["origin"] for mark in state["hand"]["marks"]] == ["moved", "removed", "auto", "added"]
    state = say(picker, do="confirm", index=2)
    assert state["items"][2]["status"] == "changed"
    assert set(picks.load(items[2].file).picks) == {"path 2-1", "spines 2-1"}
    assert say(picker, do="exclude", index=0, reason="too short")["items"][0]["reason"] == "too short"
    assert say(picker, do="undo")["show"] == 0
    assert say(picker, do="find", index=1)["hand"]["index"] == 1, "also when it cannot be done"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"do": "format the disk"},
        {"do": "path", "index": 0},
        {"do": "path", "index": 0, "points": 7},
        {"do": "path", "index": 0, "points": [[1, 2], 3]},
        {"do": "path", "index": 99, "points": PATH},
        {"do": "path", "index": "0", "points": PATH},
        {"do": "path", "index": 0, "points": PATH[:1]},
        {"do": "find", "index": 0},
        {"do": "add", "index": 0, "at": [1, 2]},
        {"do": "add", "index": 0, "at": [3, 5, 900]},
        {"do": "remove", "index": 0, "at": [3, 5, 9]},
        {"do": "remove", "index": 0, "at": None},
        {"do": "shift", "index": 0, "at": [3, 5, 9], "to": [3, 5, 10]},
        {"do": "reclass", "index": 0, "at": [3, 5, 9], "class": "large"},
        {"do": "confirm", "index": 0},
        {"do": "exclude", "index": 0, "reason": ""},
    ],
)
def test_a_malformed_message_changes_nothing_and_is_answered_with_a_sentence(items, message):
    picker = made(items)
    before = picker._state["items"]
    state = say(picker, **message)
    assert state["error"].endswith(".")
    assert state["items"] == before
    assert picks.load(items[0].file) is None


@pytest.mark.parametrize(
    "message",
    [
        {"do": "open", "index": 7},
        {"do": "frame", "index": 0},
        {"do": "frame", "index": 0, "planes": [0, 0], "box": [0, 900, 0, 10], "step": 1, "key": "k"},
        {"do": "frame", "index": 0, "planes": [0, 0], "box": [0, 9, 0, 10], "step": 0, "key": "k"},
        {"do": "crops", "index": 0, "key": "k", "at": [[1, 2]]},
        {"do": "line", "index": 0},
    ],
)
def test_a_question_that_cannot_be_answered_is_told(items, message):
    told, _ = asked(made(items), **message)
    assert told["failed"]["do"] == message["do"]


def test_nothing_sent_to_the_browser_names_a_file_while_blind(items):
    picker = made(items)
    traced(picker)
    picker.confirm(0)
    state = picker.get_state()
    told = json.dumps({key: state[key] for key in ("_items", "_state")}) + repr(picker)
    told += picker.status().to_csv() + json.dumps(asked(picker, do="open", index=0)[0])
    assert "vehicle" not in told
    assert "m07" not in told
    assert "vehicle" in json.dumps(made(items, blind=False).get_state()["_items"])


# -- what is looked at


def frame(picker, **changes):
    message = {"do": "frame", "index": 0, "planes": [6, 6], "box": [0, 96, 0, 200], "step": 1, "key": "k"}
    told, (data,) = asked(picker, **(message | changes))
    return np.frombuffer(data, np.uint8).reshape(told["frame"]["height"], told["frame"]["width"])


def test_planes_and_projections_are_those_of_the_stack(tmp_path):
    one = item(tmp_path)
    picker = made([one])
    data = one.stack.data
    assert np.array_equal(frame(picker), data[6])
    assert np.array_equal(frame(picker, planes=[0, 11]), data.max(axis=0))
    assert np.array_equal(
        frame(picker, planes=[5, 7], box=[10, 20, 30, 50]), data[5:8, 10:20, 30:50].max(axis=0)
    )
    coarse = frame(picker, step=4)
    blocks = data[6].reshape(24, 4, 50, 4).mean(axis=(1, 3))
    assert np.abs(coarse - blocks).max() <= 0.5, "means, rounded"
    dark = made([item(tmp_path, "D9", data=stack("brightfield"))])
    assert np.array_equal(frame(dark, planes=[0, 11]), stack("brightfield").data.min(axis=0))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_other_depths_are_shown_in_256_levels_that_say_what_they_stand_for(tmp_path, dtype):
    one = item(tmp_path, data=stack(dtype=dtype))
    picker = made([one])
    told = Looks(one)
    seen = told.levels[frame(picker)]
    span = told.levels[-1] - told.levels[0]
    # the levels are squares: half a step is at most 1/255 of the span
    assert np.abs(seen - one.stack.data[6]).max() <= span / 255
    faint = one.stack.data[6] < told.levels[0] + span / 50
    assert np.abs(seen - one.stack.data[6])[faint].max() <= span / 1500, "finer where a stack is dark"


def test_a_stack_is_cut_and_never_read_whole(tmp_path):
    """A virtual stack of 50 planes of 20,000 x 20,000 pixels: 40 GB, were it read."""

    class Virtual:
        shape, dtype, read = (50, 20_000, 20_000), np.dtype(np.uint16), 0

        def __getitem__(self, cut):
            assert [type(each) for each in cut] == [slice] * 3, "as planes that are decoded on demand are cut"
            sizes = [len(range(*c.indices(n))) for c, n in zip(cut, self.shape, strict=True)]
            self.read += int(np.prod(sizes))
            assert np.prod(sizes) < 3e6, "one cut is small"
            return np.ones(sizes, np.uint16) * 7

    data = Virtual()
    one = item(tmp_path, data=SimpleNamespace(data=data, voxel_um=VOXEL_UM, modality="fluorescence"))
    picker = made([one])
    picker.draw(0, [(5, 500, 500), (5, 560, 560)])
    told, (strip,) = asked(picker, do="line", index=0, key=repr(picker._points(one)))
    assert told["line"]["length"] == pytest.approx(60 * np.sqrt(2))
    assert len(strip) == told["line"]["height"] * told["line"]["width"]
    asked(picker, do="crops", index=0, key="k", at=[[5, 520, 520]])
    frame(picker, box=[4000, 5000, 4000, 5000])
    assert data.read < 3e7


def test_the_strip_shows_a_spine_where_it_says_it_lies(tmp_path):
    one = item(tmp_path)
    picker = made([one])
    traced(picker)
    key = repr(picker._points(one))
    told, (data,) = asked(picker, do="line", index=0, key=key)
    told = told["line"]
    strip = np.frombuffer(data, np.uint8).reshape(told["height"], told["width"])
    middle = strip[told["height"] // 2]
    assert np.median(middle) > 115, "the shaft lies in the middle"
    answer, (crops,) = asked(picker, do="crops", index=0, key=key, at=[list(s[:3]) for s in SPINES])
    crops = np.frombuffer(crops, np.uint8).reshape(3, 56, 56)
    for (s, d), crop, (_, y, x, _) in zip(answer["crops"]["along"], crops, SPINES, strict=True):
        assert (s, d) == pytest.approx((x - 2, 5 - y), abs=0.06), (
            "left of a path to the right is up, which is less y"
        )
        row = round((told["half_um"] - d) / told["um_per_px"])
        column = round(s / told["um_per_px"])
        spot = strip[row - 1 : row + 2, column - 1 : column + 2]
        beside = strip[row - 1 : row + 2, column + 9 : column + 12]
        assert spot.mean() > beside.mean() + 50
        assert crop[26:30, 26:30].mean() > crop[26:30, :4].mean() + 50, "a spine is in the middle of its crop"


def test_a_path_that_turns_keeps_its_sides():
    turn = np.array([[0, 10, 0], [0, 10, 10], [0, 0, 10]], float)
    line = trace(None, turn).path_um
    (s, d), (s2, d2) = along(line, [[0, 8, 5], [0, 5, 12]])
    # to the right, y is down: 8 lies to the left; then up: x = 12 lies to the right
    assert (s, d) == pytest.approx((5, 2), abs=0.06)
    assert (s2, d2) == pytest.approx((15, -2), abs=0.06)


def test_one_plane_is_a_stack_too(tmp_path):
    flat = SimpleNamespace(data=stack().data[6:7], voxel_um=(float("nan"), 0.1, 0.1), modality="fluorescence")
    picker = made([item(tmp_path, data=flat)])
    picker.draw(0, [(None, 5, 2), (None, 5, 18)])
    picker.find(0)
    assert picker._state["hand"]["points"] == [[0.0, 5.0, 2.0], [0.0, 5.0, 18.0]]
    picker.add(0, (None, 4.2, 15))
    assert picker._state["hand"]["marks"][-1]["z"] == 0
    told, _ = asked(picker, do="line", index=0, key=repr(PATH).replace("3.0", "0.0"))
    assert told["line"]["width"] > 100
    assert frame(picker, planes=[0, 0]).shape == (96, 200)


# -- items


def test_items_come_from_the_table_of_images(tmp_path):
    images = pd.DataFrame(
        {
            "code": ["D5", "D6"],
            "file": [tmp_path / "a.tif"] * 2,
            "animal": "007",
            "neuron": "1",
            "dendrite": ["1", "2"],
        }
    )
    made_of = dendrite_items({"D5": stack(), "D6": stack()}, images)
    assert [(one.code, one.dendrite) for one in made_of] == [("D5", "1-1"), ("D6", "1-2")]
    with pytest.raises(DataError, match="there is no stack for D6"):
        dendrite_items({"D5": stack()}, images)


@pytest.mark.parametrize(
    ("data", "voxel_um", "said"),
    [
        (np.zeros((9, 9)), VOXEL_UM, r"the stack has the shape \(9, 9\)"),
        (np.zeros((3, 9, 9)), (float("nan"), 0.1, 0.1), "their size along z, y and x"),
        (np.zeros((3, 9, 9)), (0.5, 0, 0.1), "their size along z, y and x"),
    ],
)
def test_stacks_that_cannot_be_picked_on_are_refused_in_a_sentence(tmp_path, data, voxel_um, said):
    with pytest.raises(DataError, match=said) as caught:
        item(tmp_path, data=SimpleNamespace(data=data, voxel_um=voxel_um))
    assert str(caught.value).startswith("D101: ")


def test_no_items_and_two_items_for_one_pick_are_refused(tmp_path):
    with pytest.raises(DataError, match="no dendrite to pick on"):
        made([])
    with pytest.raises(DataError, match="D1 and D2 would store the same pick"):
        made([item(tmp_path, "D1", file="a.tif"), item(tmp_path, "D2", file="a.tif")])


# -- the static picture


def test_the_bundle_holds_a_picture_with_alt_text_and_a_sentence(items):
    picker = made(items)
    traced(picker)
    picker.confirm(0)
    picker.exclude(2, "out of focus")
    data, metadata = picker._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert (
        data["text/plain"]
        == "Paths and spines of 3 dendrites: 1 confirmed, 0 changed, 1 not traced, 1 excluded"
    )
    alt = metadata["image/png"]["alt"]
    assert alt.startswith(data["text/plain"])
    assert "D101 16.0 µm, 3 spines; D102 not traced" in alt
    assert data == picker._repr_mimebundle_()[0], "the same picks give the same picture"
    traced(picker, 1)
    picker.confirm(1)
    assert data["image/png"] != picker._repr_mimebundle_()[0]["image/png"]


def test_the_picture_shows_each_spine_in_its_colour_where_it_is(tmp_path):
    from PIL import Image

    picker = made([item(tmp_path)])
    traced(picker)
    picker.confirm(0)
    png = base64.b64decode(picker._repr_mimebundle_()[0]["image/png"])
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)[80:]  # below the legend

    def centre(colour):
        near = np.abs(pixels - [int(colour[k : k + 2], 16) for k in (1, 3, 5)]).sum(axis=2) < 40
        return np.argwhere(near).mean(axis=0)

    thin, mushroom, stubby = centre("#56b4e9"), centre("#e69f00"), centre("#009e73")
    # y 4, 6, 6.2 and x 4, 8, 13: the same proportions in the picture
    assert (stubby[1] - thin[1]) / (mushroom[1] - thin[1]) == pytest.approx(9 / 4, rel=0.02)
    assert (stubby[0] - thin[0]) / (mushroom[0] - thin[0]) == pytest.approx(2.2 / 2, rel=0.05)
    per_um = (mushroom[1] - thin[1]) / 4
    assert mushroom[0] - thin[0] == pytest.approx(2 * per_um, rel=0.05), "pixels are square"


def test_the_picture_shows_path_and_spines_on_the_image(tmp_path):
    looks = Looks(item(tmp_path))
    path = np.array(trace(None, PATH).path_um)
    places = np.array([spine[:3] for spine in SPINES])
    seen = projected(looks, path, places)
    for row, column in [*seen["path"][20:-20:20], *seen["spines"]]:
        around = seen["grey"][int(row) - 1 : int(row) + 2, int(column) - 1 : int(column) + 2]
        assert around.mean() > 150, "on what is bright"
    assert np.median(seen["grey"]) < 60
    assert seen["um_per_px"] == 0.1


def test_the_picture_of_25_noisy_dendrites_is_small(tmp_path):
    noise = np.random.default_rng(5)
    data = stack()
    data.data = np.clip(data.data + noise.normal(0, 12, SHAPE), 0, 255).astype(np.uint8)
    picker = made([item(tmp_path, f"D{k}", f"1-{k}", file="n1.tif", data=data) for k in range(100, 125)])
    for index in range(25):
        traced(picker, index)
        picker.confirm(index)
    png = base64.b64decode(picker._repr_mimebundle_()[0]["image/png"])
    assert len(png) < 500_000


# -- SWC and ImageJ


def test_a_line_drawn_in_imagej_is_taken_as_a_path(tmp_path, items):
    from roifile import ROI_TYPE, ImagejRoi

    roi = ImagejRoi.frompoints(np.array([[20.5, 50.5], [180.5, 50.5]]))
    roi.roitype = ROI_TYPE.POLYLINE
    roi.tofile(tmp_path / "line.roi")
    picker = made(items)
    picker.take(0, tmp_path / "line.roi")
    assert picker._state["hand"]["points"] == PATH, "its depth is where the line is brightest"
    (tmp_path / "broken.roi").write_bytes(b"no region")
    with pytest.raises(DataError, match="cannot be read"):
        picker.take(0, tmp_path / "broken.roi")


def test_confirmed_dendrites_are_written_by_code_and_can_be_taken_again(tmp_path, items):
    picker = made(items)
    traced(picker)
    picker.confirm(0)
    written = picker.export(tmp_path / "out")
    assert [file.name for file in written] == ["D101.swc", "D101.zip"]
    for file in written:
        picker.take(1, file)
        points = picker._state["hand"]["points"]
        assert points[0] == PATH[0]
        assert points[-1] == PATH[-1]
        assert np.abs(np.diff([point[2] for point in points])).max() <= 16


# -- the script


def node(expression: str, *names: str):
    tool = shutil.which("node")
    if tool is None:
        pytest.skip("node is not installed: the maths of the picker's script is not tried")
    script = "\n".join((SCRIPTS / name).read_text() for name in names or ("dendrite_view.js",))
    script += f"\nconsole.log(JSON.stringify({expression}));"
    done = subprocess.run([tool, "--input-type=module"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


PORT = "(() => { const p = new Port({ shape: [5, 100, 200], voxel: [1, 0.2, 0.1] }); p.fit(400, 300); %s })()"


def test_the_view_keeps_the_place_under_the_pointer_and_true_proportions():
    # 100 rows of 0.2 and 200 columns of 0.1 µm are a square of 20 µm: 300 pixels high
    assert node(PORT % "return [p.scale, p.toPx([0, 0]), p.toPx([0.2, 0.1])]") == [
        15, pytest.approx([50.75, 1.5]), pytest.approx([52.25, 4.5]),
    ]  # fmt: skip
    before, after = node(
        PORT % "const a = p.toUm([300, 80]); p.zoom(3, [300, 80]); return [a, p.toUm([300, 80])]"
    )
    assert after == pytest.approx(before)
    low, high = node(
        PORT % "p.zoom(1e6, [0, 0]); const a = p.scale; p.zoom(1e-6, [0, 0]); return [p.scale, a]"
    )
    assert (low, high) == (15, 240), "from the whole to 24 pixels a pixel"
    assert node(PORT % "p.zoom(4, [200, 150]); p.pan(1e5, 1e5); return p.toUm([0, 0])") == pytest.approx(
        [-0.1, -0.05]
    )


def test_a_new_point_goes_between_two_on_the_line_or_beyond_the_nearer_end():
    points, line = "[[0,0,0],[0,0,10],[0,0,20]]", "Array.from({length: 201}, (_, k) => [0, 0, k / 10])"
    slot = f"slotFor({points}, {line}, [null, %s], 0.5)"
    assert node(slot % "0.2, 4") == 1
    assert node(slot % "0.2, 14") == 2
    assert node(slot % "3, 14") == 3, "not on the line: beyond the nearer end"
    assert node(slot % "0, -5") == 0
    assert node("slotFor([[0,0,0]], [], [0, 0, -5], 1)") == 1


def test_page_and_python_agree_where_a_place_of_the_strip_lies():
    path = trace(None, [[0, 0, 0], [1, 8, 13.8]]).path_um
    grid = list(itertools.product((0.5, 4, 9.7, 15.5), (-3, 0, 2.5)))
    line = np.round(path, 6).tolist()
    places = node(f"{json.dumps(grid)}.map(([s, d]) => placeAt({line}, s, d))")
    # positions are looked up every 0.05 µm
    np.testing.assert_allclose(along(path, places), grid, atol=0.06)


def test_planes_and_parts_that_are_asked_for():
    assert node("[planesOf('slice', 3, 2, 9), planesOf('slab', 1, 2, 9), planesOf('whole', 3, 2, 9)]") == [
        [3, 3], [0, 3], [0, 8],
    ]  # fmt: skip
    port = """(() => {
      const item = { shape: [5, 9000, 9000], voxel: [1, 0.1, 0.1] };
      const p = new Port(item);
      p.fit(800, 500);
      %s;
      return partOf(item.shape, p, 4e6);
    })()"""
    assert node(port % "") == {"box": [0, 9000, 0, 9000], "step": 5}
    near = node(port % "p.zoom(20, [400, 250])")
    assert near["step"] == 1
    top, bottom, left, right = near["box"]
    assert (bottom - top) * (right - left) <= 4e6
    assert node("around(-1, 2)") == [-1, 1, -2, 2]


def test_contrast_maps_levels_to_greys_and_slabs_are_made_of_planes():
    names = ("dendrite_frames.js",)
    table = node(
        "[...lookup([...Array(256).keys()], { low: 50, high: 150, gamma: 1 })].map((v) => v & 255)", *names
    )
    assert table[:51] == [0] * 51
    assert table[100] == 128
    assert table[150:] == [255] * 106
    made_here = """(() => {
      const sent = [];
      const frames = new Frames((message) => sent.push(message.key), () => {});
      const spec = (a, b) => ({ index: 0, planes: [a, b], box: [0, 1, 0, 3], step: 1, dark: %s });
      frames.want([0, 1, 2, 3].map((k) => spec(k, k)));
      const under = sent.length;
      const rows = [[1, 5, 3], [4, 2, 3], [0, 0, 9]];
      const size = { index: 0, height: 1, width: 3 };
      rows.forEach((row, k) => frames.take({ key: sent[k], ...size }, new Uint8Array(row)));
      return [under, sent.length, frames.get(spec(2, 3)), [...frames.get(spec(0, 2)).grey]];
    })()"""
    assert node(made_here % "false", *names) == [2, 4, None, [4, 5, 9]], "two at a time are under way"
    assert node(made_here % "true", *names)[3] == [0, 0, 3]


def test_the_joined_script_parses_and_asks_for_nothing_from_outside():
    tool = shutil.which("node")
    if tool is None:
        pytest.skip("node is not installed: the picker's script is not checked")
    script = DendritePicker._esm
    done = subprocess.run(
        [tool, "--input-type=module", "--check"], input=script, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "\nimport " not in script
    assert "://" not in script + DendritePicker._css

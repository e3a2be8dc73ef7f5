"""The lanes picker without a browser: picks, messages, storing, the static picture, the script's maths."""

from __future__ import annotations

import base64
import errno
import io
import itertools
import json
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import check_module, maths

from labkit import blots, picks
from labkit.blots.lanes import Lanes
from labkit.errors import DataError, PickError
from labkit.pickers import LanesItem, LanesPicker, Regions, lane_items
from labkit.pickers.display import display
from labkit.pickers.lanes_items import with_polarity
from labkit.pickers.shapes import carried, checked_band, checked_lanes, corners, even_lanes

HEIGHT, WIDTH = 200, 320
CENTRES = [40, 100, 160, 220, 280]
LANES = {"roi": [10.0, 190.0, 5.0, 315.0], "lanes": [[x - 2.0, x + 2.0, 22.0] for x in CENTRES]}
BAND = {"centres": [100.0, 101.0, 102.0, 101.0, 100.0], "half_height": 9.0}


def blot(polarity="dark", bits=16):
    """A band at row 100 in each lane, twice as much protein in each next one."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    strengths = 2.0 ** -np.arange(5)[::-1]
    signal = sum(
        s * np.exp(-(((x - c) / 18) ** 4) - ((y - 100) / 4) ** 2)
        for s, c in zip(strengths, CENTRES, strict=True)
    )
    full = 2**bits - 1
    values = (full * (0.02 + 0.9 * signal)).astype(np.uint16 if bits == 16 else np.uint8)
    return blots.as_image(values if polarity == "bright" else full - values, polarity=polarity)


def item(folder, code="B417", target="PSD-95", membrane="M1", *, file=None, **changes):
    raw = Path(folder) / (file or f"mouse_vehicle_{code}.tif")
    if not raw.exists():
        raw.write_bytes(f"raw bytes of {raw.name}".encode())
    what = {"image": blot(), "lanes": LANES, "band": BAND}
    return LanesItem(code, target, membrane, raw, **(what | changes))


@pytest.fixture(autouse=True)
def not_strict(monkeypatch):
    monkeypatch.delenv("LABKIT_STRICT", raising=False)


@pytest.fixture
def items(tmp_path):
    """Two targets on one image, and one on an image of its own."""
    shared = {"file": "mouse_vehicle_shared.tif"}
    return [
        item(tmp_path, "B417", "PSD-95", **shared),
        item(tmp_path, "B523", "GAPDH", **shared, band={"centres": [150.0] * 5, "half_height": 7.0}),
        item(tmp_path, "B901", "PSD-95", "M2"),
    ]


def moved(lane=0, by=3.0):
    lanes = [list(one) for one in LANES["lanes"]]
    lanes[lane][0] += by
    return {**LANES, "lanes": lanes}


def say(picker, **message):
    """One message as the browser sends it, by the way it comes in."""
    picker._handle_custom_msg({"view": "v1", "number": 1, **message}, [])
    return picker._state


# -- picks


def test_proposals_count_until_confirmed_and_nothing_is_written_by_looking(items):
    picker = LanesPicker(items)
    regions = picker.regions()
    assert set(regions) == {"B417", "B523", "B901"}
    assert isinstance(regions["B417"], Regions)
    assert (regions["B417"].lanes, regions["B417"].band) == (LANES, BAND)
    assert (regions["B417"].polarity, regions["B417"].excluded) == ("dark", "")
    assert list(picker.status()["status"]) == ["proposed"] * 3
    picker.move(0, lanes=moved())
    assert picker.regions()["B417"].lanes == LANES, "lanes that are not confirmed do not count"
    assert picks.load(items[0].files) is None


def test_lanes_and_polarity_belong_to_the_image_and_the_window_to_its_target(items):
    picker = LanesPicker(items, by="ana")
    picker.move(0, lanes=moved(), band={**BAND, "half_height": 11})
    picker.confirm(0)
    stored = picks.load(items[0].files).picks
    assert set(stored) == {"lanes", "polarity", "band PSD-95"}
    assert stored["lanes"].value == moved()
    assert stored["band PSD-95"].value == {"centres": BAND["centres"], "half_height": 11}
    assert {name: pick.origin for name, pick in stored.items()} == {
        "lanes": "changed", "polarity": "confirmed", "band PSD-95": "changed",
    }  # fmt: skip
    assert [(pick.kind, pick.unit) for pick in stored.values()] == [
        ("lanes", "px"),
        ("polarity", ""),
        ("band", "px"),
    ]
    assert all(pick.by == "ana" and pick.blind for pick in stored.values())
    assert picker.regions()["B523"].lanes == moved(), "the other target of the image has the same lanes"
    assert list(picker.status()["status"]) == ["changed", "proposed", "proposed"]
    picker.confirm(1)
    again = LanesPicker(items)
    assert list(again.status()["status"]) == ["changed", "changed", "proposed"]
    assert again.regions()["B417"].band["half_height"] == 11
    assert again.regions()["B523"].band == items[1].proposed_band


def test_regions_are_of_the_classes_of_the_proposals(tmp_path):
    proposal = Lanes(
        10, 190, 5, 315, *np.array(LANES["lanes"]).T, confidence=0.8, flags=("", "", "", "", "edge")
    )
    picker = LanesPicker([item(tmp_path, lanes=proposal)])
    assert picker.regions()["B417"].lanes is proposal, "with its confidence and flags"
    picker.move(0, lanes=moved(lane=2))
    picker.confirm(0)
    lanes = picker.regions()["B417"].lanes
    assert isinstance(lanes, Lanes)
    assert lanes.x_top_px[2] == 161
    assert lanes.as_pick() == moved(lane=2)


def test_confirming_again_without_a_move_adds_no_history(items):
    picker = LanesPicker(items)
    picker.confirm(0)
    before = picks.sidecar_path(items[0].files).read_bytes()
    picker.confirm(0)
    assert picks.sidecar_path(items[0].files).read_bytes() == before


def test_another_number_of_lanes_carries_the_windows_of_all_targets_along(items):
    picker = LanesPicker(items)
    for index in (0, 1):
        picker.confirm(index)
    picker.propose(0, 4)
    marks = picker._state["items"]
    assert [len(mark["lanes"]["lanes"]) for mark in marks] == [4, 4, 5]
    assert [len(mark["band"]["centres"]) for mark in marks] == [4, 4, 5]
    assert [mark["status"] for mark in marks] == ["moved", "moved", "proposed"]
    picker.confirm(0)
    assert list(picker.status()["n_lanes"]) == [4, 4, 5]
    # the window of the other target was made on five lanes: it needs another look, now and later
    for one in (picker, LanesPicker(items)):
        assert list(one.status()["status"]) == ["changed", "proposed", "proposed"]
        assert one.regions()["B523"].band == {"centres": [150.0] * 4, "half_height": 7.0}
        with pytest.raises(PickError, match="B523 GAPDH"):
            one.regions(strict=True)
    picker.confirm(1)
    assert LanesPicker(items).regions()["B523"].band["centres"] == [150.0] * 4


def test_going_back_to_as_many_lanes_as_count_leaves_other_windows_confirmed(items):
    picker = LanesPicker(items)
    for index in (0, 1):
        picker.confirm(index)
    picker.propose(0, 4)
    picker.reset(0)
    assert [mark["status"] for mark in picker._state["items"]] == ["confirmed", "confirmed", "proposed"]


def test_lanes_are_placed_anew_by_the_function_of_the_item(tmp_path):
    asked = []

    def propose(image, n, roi, near):
        asked.append((float(image.signal[100, 280]), n, roi, near))
        return even_lanes(n, roi), {"centres": [near] * n, "half_height": 8}

    picker = LanesPicker([item(tmp_path, propose=propose)])
    signal = picker._all[0].image.signal[100, 280]
    picker.propose(0, 6, [20, 180, 10, 310])
    picker.move(0, polarity="bright")
    picker.propose(0)
    assert asked[0] == (signal, 6, (20.0, 180.0, 10.0, 310.0), 101.0)
    turned = with_polarity(picker._all[0].image, "bright").signal[100, 280]
    assert asked[1][0] == turned < signal, "the image is turned round with the polarity"
    assert asked[1][1:3] == (6, (20.0, 180.0, 10.0, 310.0))
    assert picker._state["items"][0]["lanes"] == even_lanes(6, [20, 180, 10, 310])


def test_exclusions_of_a_lane_and_of_a_blot(items):
    picker = LanesPicker(items)
    picker.exclude(0, " bubble\n over it ", lane=3)
    picker.exclude(2, "transfer failed")
    assert list(picker.status()["excluded"]) == [
        "lane 3: bubble over it",
        "lane 3: bubble over it",
        "transfer failed",
    ]
    assert list(picker.status()["status"]) == ["proposed", "proposed", "excluded"]
    stored = picks.load(items[0].files).picks["exclude lane 3"]
    assert (stored.kind, stored.value) == ("exclusion", "bubble over it")
    again = LanesPicker(items)
    assert again.regions()["B417"].excluded_lanes == {3: "bubble over it"}
    assert again.regions()["B901"].excluded == "transfer failed"
    again.include(0, lane=3)
    again.include(2)
    assert set(LanesPicker(items).status()["excluded"]) == {""}
    assert picks.load(items[0].files).history[0].pick.value == "bubble over it"


def test_an_exclusion_by_target_leaves_the_other_one(items):
    picker = LanesPicker(items, exclude_lane_name="exclude {target} lane {lane}")
    picker.exclude(0, "bubble", lane=3)
    assert list(picker.status()["excluded"]) == ["lane 3: bubble", "", ""]


@pytest.mark.parametrize("lane", [0, 6, True, "3", 2.0])
def test_a_lane_that_does_not_exist_is_refused(items, lane):
    with pytest.raises(DataError, match="a number from 1 to 5"):
        LanesPicker(items).exclude(0, "bubble", lane=lane)


def test_undo_goes_back_step_by_step_in_the_picker_and_on_disk(items):
    picker = LanesPicker(items, by="ana")
    picker.confirm(0)
    first = picks.load(items[0].files).picks
    picker.move(0, lanes=moved())
    picker.exclude(0, "bubble", lane=2)
    picker.confirm(1)
    assert picks.load(items[0].files).picks["lanes"].value == moved()
    assert picker.undo() == 1
    assert picks.load(items[0].files).picks["lanes"] == first["lanes"], "with who picked it and when"
    assert "band GAPDH" not in picks.load(items[0].files).picks
    assert picker.undo() == 0
    assert picks.load(items[0].files).picks == first
    assert picker._state["items"][0]["status"] == "moved"
    assert picker.undo() == 0
    assert picker._state["items"][0]["status"] == "confirmed"
    assert picker.undo() == 0
    assert picks.load(items[0].files).picks == {}
    assert picker.undo() is None


def test_strict_mode_names_the_blots_that_nobody_confirmed(items, monkeypatch):
    picker = LanesPicker(items)
    picker.confirm(0)
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(
        PickError, match=r"2 of 3 lanes and windows are confirmed by nobody \(B523 GAPDH, B901"
    ):
        picker.regions()
    picker.confirm(1)
    picker.exclude(2, "transfer failed")
    assert len(picker.regions()) == 3, "an excluded blot needs no window"


def test_provenance_lists_each_pick_once_and_says_which_are_proposals(items):
    picker = LanesPicker(items)
    picker.confirm(0)
    picker.exclude(0, "bubble", lane=1)
    assert [(pick.name, pick.origin) for pick in picker.picks()] == [
        ("lanes", "confirmed"),
        ("polarity", "confirmed"),
        ("band PSD-95", "confirmed"),
        ("exclude lane 1", "changed"),
        ("band GAPDH", "proposed"),
        ("lanes", "proposed"),
        ("polarity", "proposed"),
        ("band PSD-95", "proposed"),
    ]
    assert picker.caution().startswith("2 of 3 lanes and windows are proposals")
    assert picker.caution().endswith("notebook 2.")


def test_lanes_that_the_sheet_does_not_list_are_told(tmp_path):
    one = item(tmp_path, roles=("ladder", *["sample"] * 5))
    picker = LanesPicker([one])
    picker.confirm(0)
    assert picker.caution().startswith("B417 has 5 lanes where the sheet of lanes lists 6")
    picker.exclude(0, "torn")
    assert picker.caution() == ""


def test_a_polarity_stored_by_a_person_counts(items):
    picker = LanesPicker(items)
    picker.move(2, polarity="bright")
    assert picker.regions()["B901"].polarity == "dark"
    picker.confirm(2)
    assert picker.regions()["B901"].polarity == "bright"
    assert LanesPicker(items).regions()["B901"].polarity == "bright"
    assert picks.load(items[2].files).picks["polarity"].origin == "changed"


def test_picks_on_other_bytes_are_told_without_the_file_name_and_mended_by_confirming(items):
    picker = LanesPicker(items)
    picker.confirm(0)
    picker.confirm(1)
    items[0].file.write_bytes(b"other bytes")
    again = LanesPicker(items)
    problems = [mark["problem"] for mark in again._state["items"]]
    assert "other bytes" in problems[0]
    assert "other bytes" in problems[1]
    assert "vehicle" not in "".join(problems), "the name of the file would break the blind"
    with pytest.raises(PickError, match="other bytes"):
        again.regions()
    again.confirm(0)
    again.confirm(1)
    assert list(LanesPicker(items).status()["status"]) == ["confirmed", "confirmed", "proposed"]


def test_stored_lanes_that_do_not_fit_the_image_are_told(items):
    picks.save(items[0].files, "lanes", {**LANES, "roi": [0, 900, 0, 300]}, kind="lanes", unit="px")
    picks.save(items[2].files, "band PSD-95", "low", kind="band", unit="px")
    marks = LanesPicker(items)._state["items"]
    assert "the stored lanes does not fit this blot" in marks[0]["problem"]
    assert "does not fit" in marks[2]["problem"]


# -- what can be asked for


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lanes": {"roi": [0, 200, 0, 320], "lanes": []}}, "1 to 99"),
        ({"lanes": {**LANES, "roi": [0, 201, 0, 320]}}, "200 rows and 320 columns"),
        ({"lanes": {**LANES, "lanes": [[40, 40, 0]]}}, "a lane of 1 px or more"),
        ({"lanes": {**LANES, "lanes": [[40, np.nan, 9]]}}, "roi and lanes, in pixels"),
        ({"lanes": "lanes"}, "roi and lanes, in pixels"),
        ({"band": {"centres": [100] * 4, "half_height": 9}}, "5 lanes and a window in 4 lanes"),
        ({"band": {"centres": [100] * 4 + [300], "half_height": 9}}, "on the image of 200 rows"),
        ({"band": {"centres": [100] * 5, "half_height": 0.2}}, "1 px or more"),
        ({"band": {"centres": [100] * 5}}, "centres and half_height"),
    ],
)
def test_items_that_cannot_be_picked_on_are_refused_in_a_sentence(tmp_path, changes, said):
    with pytest.raises(DataError, match=said) as caught:
        item(tmp_path, **changes)
    assert str(caught.value).startswith("B417 PSD-95: ")


def test_no_items_and_two_items_for_one_pick_are_refused(tmp_path):
    with pytest.raises(DataError, match="no blot to pick on"):
        LanesPicker([])
    with pytest.raises(DataError, match="B417 PSD-95 and B418 PSD-95 would store the same pick"):
        LanesPicker([item(tmp_path, "B417", file="a.tif"), item(tmp_path, "B418", file="a.tif")])


def test_a_window_of_another_number_of_lanes_is_refused(items):
    picker = LanesPicker(items)
    with pytest.raises(DataError, match="the window has 2 centres in 5 lanes"):
        picker.move(0, band={"centres": [100, 100], "half_height": 9})
    picker.move(0, lanes=even_lanes(2, LANES["roi"]), band={"centres": [100, 100], "half_height": 9})
    assert picker._state["items"][0]["band"]["centres"] == [100, 100]


def test_items_come_from_the_tables_of_the_study(tmp_path):
    files = [tmp_path / f"{name}.tif" for name in "ab"]
    for file in files:
        file.write_bytes(file.name.encode())
    sheet = pd.DataFrame(
        {"code": ["B1", "B2"], "file": files, "membrane": ["M1", "M2"], "target": ["X", "Y"]}
    )
    lanes = pd.DataFrame(
        {"membrane": ["M1"] * 5, "lane": [2, 1, 3, 4, 5], "role": ["", "ladder", "sample", "sample", "empty"]}
    )
    images = {"B1": blot(), "B2": blot()}
    proposals = dict.fromkeys(images, (LANES, BAND))
    made = lane_items(images, proposals, sheet, lanes=lanes)
    assert [one.name for one in made] == ["B1 X", "B2 Y"]
    assert made[0].roles == ("ladder", "sample", "sample", "sample", "empty")
    assert made[1].roles == ()
    assert [one.file for one in made] == files
    with pytest.raises(DataError, match="no image or no proposal for B2"):
        lane_items({"B1": blot()}, proposals, sheet)


def test_find_again_follows_the_band_near_the_window(tmp_path):
    image = blot()
    sheet = pd.DataFrame({"code": ["B1"], "file": [tmp_path / "a.tif"], "membrane": ["M1"], "target": ["X"]})
    (tmp_path / "a.tif").write_bytes(b"raw")
    lanes = blots.find_lanes(image, 4)
    [one] = lane_items({"B1": image}, {"B1": (lanes, blots.find_band(image, lanes))}, sheet)
    picker = LanesPicker([one])
    picker.propose(0, 5, [20, 180, 10, 310])
    mark = picker._state["items"][0]
    # bands are 36 px wide and 8 px high; a quarter of that is a hit
    assert [(a + b) / 2 for a, b, _ in mark["lanes"]["lanes"]] == pytest.approx(CENTRES, abs=9)
    assert mark["band"]["centres"] == pytest.approx([100] * 5, abs=2)
    with pytest.raises(DataError):
        picker.propose(0, 500)


def test_the_strips_that_are_shown_are_those_that_are_measured():
    from labkit.blots import volumes

    shown = LanesItem.__dataclass_fields__["strips"].default
    measured = ((volumes._GAP, volumes._LEAST_GAP_PX), (volumes._STRIP, volumes._LEAST_STRIP_PX))
    assert shown == measured
    assert shape("stripsOf({half_height: 20}, [[0.2, 2], [0.5, 4]])") == [4, 10]
    assert shape("stripsOf({half_height: 5}, [[0.2, 2], [0.5, 4]])") == [2, 4]


# -- shapes


def test_corners_of_boxes_follow_tilted_lanes():
    # half way down the region a lane stands half way between its ends
    lanes = {"roi": [0.0, 100.0, 0.0, 90.0], "lanes": [[20.0, 40.0, 5.0], [60.0, 60.0, 8.0]]}
    boxes = corners(lanes, {"centres": [50.0, 25.0], "half_height": 10.0})
    assert boxes.tolist() == [[25, 40, 35, 60], [52, 15, 68, 35]]


@given(
    n=st.integers(1, 26),
    to=st.integers(1, 26),
    rows=st.lists(st.floats(0, 200), min_size=26, max_size=26),
    half=st.floats(1, 50),
)
def test_a_window_carried_to_other_lanes_stays_within_its_rows(n, to, rows, half):
    band = checked_band({"centres": rows[:n], "half_height": half}, (200, 400))
    there = carried(band, even_lanes(to, [0, 200, 0, 400]), before=even_lanes(n, [0, 200, 0, 400]))
    assert len(there["centres"]) == to
    # interpolation cannot leave the range, and values are rounded to 0.01
    assert min(band["centres"]) - 0.006 <= min(there["centres"])
    assert max(there["centres"]) <= max(band["centres"]) + 0.006
    assert there["half_height"] == band["half_height"]


@given(n=st.integers(1, 60), left=st.floats(0, 100), width=st.floats(200, 1000))
def test_even_lanes_fill_the_region_and_can_be_stored(n, left, width):
    roi = [0, 100, left, left + width]
    lanes = checked_lanes(even_lanes(n, roi), (100, 1200))
    ends = [(x - half, x + half) for x, _, half in lanes["lanes"]]
    gap = 0.15 * width / n
    assert ends[0][0] - left == pytest.approx(gap / 2, abs=0.02)  # both are rounded to 0.01
    assert all(b[0] - a[1] == pytest.approx(gap, abs=0.03) for a, b in itertools.pairwise(ends))


# -- messages of the browser


def test_messages_do_what_the_methods_do_and_are_answered_with_their_number(items):
    picker = LanesPicker(items)
    state = say(picker, do="move", index=0, lanes=moved(), number=7)
    assert (state["view"], state["number"], state["error"]) == ("v1", 7, "")
    assert state["items"][0]["lanes"] == state["items"][1]["lanes"] == moved()
    assert state["items"][0]["band"] == BAND
    state = say(picker, do="confirm", index=0, band={**BAND, "half_height": 12.5})
    assert state["items"][0]["status"] == "changed"
    assert picks.load(items[0].files).picks["band PSD-95"].value["half_height"] == 12.5
    assert picks.load(items[0].files).picks["lanes"].value == moved()
    assert say(picker, do="confirm", index=2)["items"][2]["status"] == "confirmed"
    state = say(picker, do="exclude", index=2, reason="bubble", lane=2)
    assert state["items"][2]["out"] == {"2": "bubble"}
    assert say(picker, do="include", index=2, lane=2)["items"][2]["out"] == {}
    assert say(picker, do="exclude", index=2, reason="torn")["items"][2]["status"] == "excluded"
    assert say(picker, do="include", index=2)["items"][2]["reason"] == ""
    assert len(say(picker, do="propose", index=2, n=7, roi=LANES["roi"])["items"][2]["lanes"]["lanes"]) == 7
    assert say(picker, do="reset", index=2)["items"][2]["lanes"] == LANES
    assert say(picker, do="undo")["show"] == 2


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"do": "move", "index": 0},
        {"do": "move", "index": 0, "lanes": {"roi": [0, 1]}},
        {"do": "move", "index": 0, "lanes": {**LANES, "lanes": [["a", None, 3]]}},
        {"do": "move", "index": 0, "lanes": {**LANES, "lanes": [[1e9, 1e9, 3]]}},
        {"do": "move", "index": 0, "band": {"centres": [float("inf")] * 5, "half_height": 3}},
        {"do": "move", "index": 0, "polarity": "grey"},
        {"do": "move", "index": 99, "polarity": "dark"},
        {"do": "confirm", "index": 0, "band": [1, 2]},
        {"do": "propose", "index": 0, "n": 0, "roi": [0, 1, 2, 3]},
        {"do": "propose", "index": 0, "n": 0, "roi": LANES["roi"]},
        {"do": "propose", "index": 0, "n": "many", "roi": LANES["roi"]},
        {"do": "propose", "index": 0, "n": 3, "roi": [0, 1]},
        {"do": "exclude", "index": 0, "reason": "bubble", "lane": 9},
        {"do": "exclude", "index": 0, "reason": " "},
        {"do": "include", "index": None, "lane": 1},
    ],
)
def test_a_malformed_message_changes_nothing_and_is_answered_with_a_sentence(items, message):
    picker = LanesPicker(items)
    before = picker._state["items"]
    state = say(picker, **message)
    assert state["error"].endswith(".")
    assert state["items"] == before
    assert picks.load(items[0].files) is None


def test_when_saving_fails_it_is_told_and_what_was_moved_is_kept(items, monkeypatch):
    picker = LanesPicker(items)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", str(items[0].file))

    with monkeypatch.context() as patch:
        patch.setattr("labkit.files.write_text_whole", full)
        state = say(picker, do="confirm", index=0, lanes=moved())
    assert state["error"].startswith("B417 PSD-95: the pick could not be saved (No space left on device)")
    assert "vehicle" not in state["error"]
    assert state["show"] == 0, "the blot that is not saved is shown again"
    assert (state["items"][0]["lanes"], state["items"][0]["status"]) == (moved(), "moved")
    state = say(picker, do="confirm", index=0)
    assert state["error"] == ""
    assert picks.load(items[0].files).picks["lanes"].value == moved()


def test_a_step_that_fails_half_way_leaves_no_draft_and_can_be_taken_back(items, monkeypatch):
    from labkit import files

    picker = LanesPicker(items)
    whole, calls = files.write_text_whole, []

    def full_from_the_second_on(*args):
        calls.append(args)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(*args)

    with monkeypatch.context() as patch:
        patch.setattr("labkit.files.write_text_whole", full_from_the_second_on)
        with pytest.raises(PickError, match="could not be saved"):
            picker.confirm(0)
    assert set(picks.load(items[0].files).picks) == {"lanes"}
    assert [pick.origin for pick in picker.picks()[:3]] == ["confirmed", "proposed", "proposed"]
    assert picker.undo() == 0
    assert picks.load(items[0].files).picks == {}

    def drafts_and_fails(item, held):
        held.drafts["lanes"] = moved()
        raise DataError("no")

    with pytest.raises(DataError):
        picker._do(0, drafts_and_fails)
    assert picker._status(items[0]) == "proposed"
    assert picker.undo() is None


def test_nothing_sent_to_the_browser_names_a_file_while_blind(items):
    import dataclasses

    warned = dataclasses.replace(
        items[0].image, warnings=("The polarity of mouse_vehicle_B901.tif is a guess.",)
    )
    items[2] = dataclasses.replace(items[2], image=warned)
    picker = LanesPicker(items)
    picker.confirm(0)
    state = picker.get_state()
    told = (
        json.dumps({key: state[key] for key in ("_items", "_state")})
        + repr(picker)
        + picker.status().to_csv()
    )
    assert "vehicle" not in told
    assert "The polarity of B901 is a guess." in state["_items"][2]["warnings"]
    assert "vehicle" in json.dumps(LanesPicker(items, blind=False).get_state()["_items"])


# -- the image that is looked at


def test_an_image_is_sent_when_it_is_asked_for(items, monkeypatch):
    sent = []
    picker = LanesPicker(items)
    monkeypatch.setattr(picker, "send", lambda content, buffers: sent.append((content["image"], buffers[0])))
    state = picker._state
    say(picker, do="image", index=2)
    say(picker, do="image", index=99)
    assert picker._state is state, "looking changes nothing"
    [(told, packed)] = sent
    assert {key: told[key] for key in ("index", "width", "height", "factor")} == {
        "index": 2, "width": WIDTH, "height": HEIGHT, "factor": 1,
    }  # fmt: skip
    grey, marks = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(2, HEIGHT, WIDTH)
    signal = items[2].image.signal
    back = told["low"] + (grey / 255.0) ** 2 * (told["high"] - told["low"])
    # half a step of 1/255 in the root is at most 1/255 of the range in the value
    assert np.abs(back - signal).max() <= (told["high"] - told["low"]) / 255 * 1.01
    assert not marks.any()


def test_a_faint_band_keeps_its_greys(tmp_path):
    copy = display(blot())
    signal = blot().signal
    faint = signal[90:110, 20:60]  # 6 % of the range: 16 of 256 equal steps
    assert len(np.unique(copy.grey[90:110, 20:60])) > 2 * np.ptp(faint) / (copy.high - copy.low) * 255


def test_a_large_image_is_shrunk_by_means_and_keeps_its_saturated_pixels():
    import dataclasses

    image = blots.as_image(np.arange(35, dtype=np.uint16).reshape(5, 7), polarity="bright")
    saturated = np.zeros((5, 7), bool)
    saturated[4, 6] = saturated[0, 1] = True
    coloured = np.zeros((5, 7), bool)
    coloured[0, 0] = coloured[2, 2] = True
    copy = display(dataclasses.replace(image, saturated=saturated, coloured=coloured), most_pixels=10)
    assert (copy.factor, copy.grey.shape) == (2, (3, 4))
    assert copy.marks.tolist() == [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 2]]
    # values 0, 1, 7, 8 of 0 to 34 have the mean 4
    assert copy.grey[0, 0] == round(255 * np.sqrt(4 / 34))


def test_turning_the_polarity_turns_the_signal_as_reading_it_so_would_but_for_a_constant():
    values = np.linspace(0, 60000, 400).reshape(20, 20).astype(np.uint16)
    values[0] = 0
    dark = blots.as_image(values, polarity="dark")
    assert dark.saturated[0].all()
    turned = with_polarity(dark, "bright")
    apart = turned.signal - blots.as_image(values, polarity="bright").signal
    assert np.ptp(apart) == 0
    assert not turned.saturated.any()
    assert (turned.polarity, turned.polarity_stated) == ("bright", True)
    assert with_polarity(dark, "dark") is dark


# -- the static picture


def pixels(picker):
    from PIL import Image

    data, metadata = picker._repr_mimebundle_()
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")).astype(
        int
    ), metadata


def test_the_bundle_holds_the_widget_a_picture_with_alt_text_and_a_sentence(items):
    picker = LanesPicker(items)
    picker.confirm(0)
    picker.exclude(0, "bubble", lane=2)
    picker.exclude(2, "transfer failed")
    data, metadata = picker._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    said = "Lanes and windows of 3 blots: 1 confirmed, 0 changed, 1 proposed, 1 excluded"
    assert data["text/plain"] == said
    assert metadata["image/png"]["alt"].startswith(said)
    assert "B417 PSD-95: 5 lanes, lane 2 excluded (bubble)" in metadata["image/png"]["alt"]
    assert data == picker._repr_mimebundle_()[0], "the same picks give the same picture"
    picker.include(2)
    assert data["image/png"] != picker._repr_mimebundle_()[0]["image/png"]


def test_the_picture_shows_bands_dark_and_each_box_where_it_is(tmp_path):
    picture, metadata = pixels(LanesPicker([item(tmp_path)]))
    assert picture.shape[:2] == (2 * metadata["image/png"]["height"], 2 * metadata["image/png"]["width"])
    scale = 2 * 420 / WIDTH  # a single blot is 420 CSS pixels wide and starts at (14, 50)
    at = lambda x, y: (round(100 + scale * y), round(28 + scale * x))  # noqa: E731
    band, ground = picture[at(292, 101)], picture[at(250, 60)]
    assert band.max() < 60
    assert ground.min() > 220
    column = picture[:, at(160, 0)[1]]
    amber = np.flatnonzero((column[:, 0] - column[:, 2] > 100) & (column[:, 1] < 200))
    edges = (amber[[0, -1]] - 100) / scale
    # an edge is 1.6 pixels of the bitmap wide, 0.6 pixels of the image
    assert edges == pytest.approx([102 - 9, 102 + 9], abs=1.0)


@pytest.mark.parametrize("n", [1, 4, 13, 25])
def test_every_number_of_blots_can_be_drawn_in_little_space(tmp_path, n):
    many = [item(tmp_path, f"B{k:03d}", "$x$ & <b>") for k in range(n)]
    many[-1] = item(tmp_path, "B999", image=blots.as_image(np.zeros((400, 100), np.uint8), polarity="bright"),
                    lanes={"roi": [0, 400, 0, 100], "lanes": [[50, 50, 20]]},
                    band={"centres": [200], "half_height": 9})  # fmt: skip
    data, metadata = LanesPicker(many)._repr_mimebundle_()
    assert metadata["image/png"]["width"] == 1000
    assert len(base64.b64decode(data["image/png"])) < 500_000


# -- the maths of the script, in node


def shape(expression: str):
    return maths("lanes_shape.js", expression)


SHAPE = json.dumps([HEIGHT, WIDTH])


def test_the_script_draws_boxes_where_python_has_them():
    lanes = {"roi": [0.0, 100.0, 0.0, 90.0], "lanes": [[20.0, 40.0, 5.0], [60.0, 60.0, 8.0]]}
    band = {"centres": [50.0, 25.0], "half_height": 10.0}
    boxes = shape(f"boxesOf({json.dumps(lanes)}, {json.dumps(band)})")
    drawn = [[box[edge] for edge in ("left", "top", "right", "bottom")] for box in boxes]
    assert drawn == corners(lanes, band).tolist()


def test_a_lane_moves_whole_or_at_one_end_and_stays_between_its_neighbours():
    lanes = json.dumps(LANES)
    lane = lambda top, bottom: shape(f"withLane({lanes}, 1, {top}, {bottom}, {SHAPE}).lanes[1]")  # noqa: E731
    assert lane(5, 5) == [103, 107, 22]
    assert lane(5, 0) == [103, 102, 22]
    assert lane(0, -5) == [98, 97, 22]
    assert lane(500, 500) == [157, 161, 22]
    assert lane(-500, -500) == [39, 43, 22]
    assert lane(500, 0) == [216, 102, 22], "its middle stays left of the next lane's"


def test_windows_and_widths_stay_on_the_image():
    band, lanes = json.dumps(BAND), json.dumps(LANES)
    assert shape(f"withRows({band}, 7, {SHAPE}).centres") == [107, 108, 109, 108, 107]
    assert shape(f"withRows({band}, 700, {SHAPE}).centres") == [198, 199, 200, 199, 198]
    assert shape(f"withRows({band}, -3, {SHAPE}, 2).centres") == [100, 101, 99, 101, 100]
    assert shape(f"withHeight({band}, -50, {SHAPE}).half_height") == 1
    assert [lane[2] for lane in shape(f"withWidth({lanes}, 2, {SHAPE}).lanes")] == [24] * 5
    assert [lane[2] for lane in shape(f"withWidth({lanes}, 2, {SHAPE}, 1).lanes")] == [22, 24, 22, 22, 22]


def test_an_edge_of_the_region_leaves_the_lines_where_they_are():
    moved = shape(f"withEdge({json.dumps(LANES)}, 0, 45, {SHAPE})")
    assert moved["roi"] == [55, 190, 5, 315]
    # a quarter of the way down a line that leans by 4 px
    assert moved["lanes"][0] == [39, 42, 22]
    assert shape(f"withEdge({json.dumps(LANES)}, 1, 99, {SHAPE})")["roi"] == [10, 200, 5, 315]
    assert shape(f"withEdge({json.dumps(LANES)}, 2, 999, {SHAPE})")["roi"] == [10, 190, 295, 315]


def test_the_view_keeps_the_point_under_the_pointer_and_the_image_in_the_frame():
    frame = "[400, 300]"
    whole = shape(f"wholeView({SHAPE}, {frame})")
    assert whole == {"x": 0, "y": pytest.approx((200 - 300 / 1.25) / 2), "scale": 1.25}
    near = shape(f"zoomedView(wholeView({SHAPE}, {frame}), 4, [100, 120], {SHAPE}, {frame})")
    assert near["scale"] == 5
    assert near["x"] + 100 / 5 == pytest.approx(whole["x"] + 100 / 1.25)
    assert near["y"] + 120 / 5 == pytest.approx(whole["y"] + 120 / 1.25)
    corner = shape(f"keptView({{x: 999, y: -999, scale: 5}}, {SHAPE}, {frame})")
    assert corner == {"x": WIDTH - 400 / 5, "y": 0, "scale": 5}
    assert shape(f"zoomedView({json.dumps(near)}, 0.01, [0, 0], {SHAPE}, {frame})") == whole


def test_contrast_is_a_lookup_of_kept_greys():
    full = "{low: 0, high: 1, gamma: 1, inverted: false}"
    shade = lambda look, turned="false": [v & 255 for v in shape(f"[...lookup({look}, {turned})]")]  # noqa: E731
    greys = np.arange(256)
    expected = np.rint(255 * (1 - (greys / 255) ** 2))
    assert np.abs(np.array(shade(full)) - expected).max() <= 1, "protein is dark; halves may round either way"
    assert shade(full, "true") == shade(full.replace("false", "true")), "turned round, strong becomes faint"
    narrow = shade("{low: 0.2, high: 0.4, gamma: 1, inverted: false}")
    assert narrow[: round(255 * np.sqrt(0.2))] == [255] * round(255 * np.sqrt(0.2))
    assert set(narrow[round(255 * np.sqrt(0.4)) + 1 :]) == {0}
    assert shape("partBelow([0, 0, 0, 255], 0.7, false)") == 0
    assert shape("partBelow([0, 0, 0, 255], 0.2, true)") == 0
    assert shape("partBelow([0, 0, 0, 255], 0.9, true)") == 1


def test_the_profile_is_the_mean_over_the_lane():
    copy = display(blot())
    told = f"{{grey: {copy.grey.ravel().tolist()}, width: {WIDTH}, height: {HEIGHT}, factor: 1}}"
    got = np.array(shape(f"[...profileOf({told}, {json.dumps(LANES)}, 4, false)]"))
    rows = np.arange(HEIGHT) + 0.5
    x = 278 + 4 * (rows - 10) / 180
    part = (copy.grey / 255.0) ** 2
    expected = [
        part[y, int(np.floor(c - 22 + 0.5)) : int(np.floor(c + 22 + 0.5))].mean() for y, c in enumerate(x)
    ]
    # the same sums in the same precision; an edge that falls on half a pixel may round the other way
    np.testing.assert_allclose(got, expected, atol=2e-3)
    assert got.argmax() == pytest.approx(100, abs=1)


def test_the_joined_script_parses_and_asks_for_nothing_from_outside():
    check_module(LanesPicker._esm, LanesPicker._css)

"""The trace picker without a browser: picks, messages, storing, the static picture, the script's maths."""

from __future__ import annotations

import base64
import errno
import io
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import check_module, maths

from labkit import picks
from labkit.errors import DataError, PickError
from labkit.pickers import TraceItem, TracePicker

TIME_MS = np.arange(-5, 40, 0.05)
PROPOSAL = (3.3, 4.8)


def item(folder, code="R01", pathway="S0", *, file=None, **changes):
    raw = Path(folder) / (file or f"mouse_vehicle_{code}.abf")
    if not raw.exists():
        raw.write_bytes(f"raw bytes of {code}".encode())
    rise = np.clip(TIME_MS - 3, 0, None)
    trace = -rise * np.exp(-rise / 3)
    what = {
        "files": (raw,),
        "time_ms": TIME_MS,
        "traces_mV": {"baseline": trace, "after induction": 1.5 * trace},
        "proposal_ms": PROPOSAL,
        "blank_ms": (0.0, 1.0),
    }
    return TraceItem(code, pathway, **(what | changes))


@pytest.fixture(autouse=True)
def not_strict(monkeypatch):
    monkeypatch.delenv("LABKIT_STRICT", raising=False)


@pytest.fixture
def items(tmp_path):
    return [item(tmp_path, code, pathway) for code in ("R01", "R02") for pathway in ("S0", "S1")]


def say(picker, **message):
    """One message as the browser sends it, by the way it comes in."""
    picker._handle_custom_msg({"view": "v1", "number": 1, **message}, [])
    return picker._state


# -- picks


def test_proposals_count_until_confirmed_and_nothing_is_written_by_looking(items):
    picker = TracePicker(items)
    assert picker.windows() == {(i.code, i.pathway): PROPOSAL for i in items}
    assert list(picker.status()["origin"]) == ["proposed"] * 4
    picker.move(0, 3.0, 4.0)
    assert picker.windows()["R01", "S0"] == PROPOSAL, "a window that is not confirmed does not count"
    assert picks.load(items[0].files) is None


def test_confirmed_and_changed_windows_come_back_in_another_session(items):
    picker = TracePicker(items, by="ana")
    picker.confirm(0)
    picker.move(1, 3.05, 4.55)
    picker.confirm(1)
    again = TracePicker(items)
    assert again.windows()["R01", "S0"] == PROPOSAL
    assert again.windows()["R01", "S1"] == (3.05, 4.55)
    assert list(again.status()["origin"]) == ["confirmed", "changed", "proposed", "proposed"]
    stored = picks.load(items[0].files).picks
    assert set(stored) == {"window_ms S0", "window_ms S1"}
    first = stored["window_ms S0"]
    assert (first.kind, first.unit, first.by, first.blind) == ("window", "ms", "ana", True)
    assert first.value == list(PROPOSAL)


def test_confirming_again_without_a_move_adds_no_history(items):
    picker = TracePicker(items)
    picker.confirm(0)
    before = picks.sidecar_path(items[0].files).read_bytes()
    picker.confirm(0)
    assert picks.sidecar_path(items[0].files).read_bytes() == before


def test_moving_back_onto_the_proposal_is_a_confirmation(items):
    picker = TracePicker(items)
    picker.move(0, 2.0, 3.5)
    picker.confirm(0)
    picker.move(0, *PROPOSAL)
    picker.confirm(0)
    assert picks.load(items[0].files).picks["window_ms S0"].origin == "confirmed"


def test_an_exclusion_holds_for_both_pathways_and_can_be_taken_back(items):
    picker = TracePicker(items)
    picker.exclude(1, "  baseline\n drift ")
    assert list(picker.status()["excluded"]) == ["baseline drift", "baseline drift", "", ""]
    stored = picks.load(items[0].files).picks["exclude"]
    assert (stored.kind, stored.value) == ("exclusion", "baseline drift")
    assert list(TracePicker(items).status()["excluded"]) == ["baseline drift", "baseline drift", "", ""]
    picker.include(0)
    assert set(TracePicker(items).status()["excluded"]) == {""}
    assert picks.load(items[0].files).history[0].pick.value == "baseline drift"


def test_an_exclusion_by_pathway_leaves_the_other_one(items):
    picker = TracePicker(items, exclude_name="exclude {pathway}")
    picker.exclude(1, "no response")
    assert list(picker.status()["excluded"]) == ["", "no response", "", ""]


def test_excluding_without_a_reason_is_refused(items):
    picker = TracePicker(items)
    with pytest.raises(PickError, match="R01 S1: no reason"):
        picker.exclude(1, "  \n ")
    assert picks.load(items[0].files) is None


def test_undo_goes_back_step_by_step_in_the_picker_and_on_disk(items):
    picker = TracePicker(items, by="ana")
    picker.confirm(0)
    first = picks.load(items[0].files).picks["window_ms S0"]
    picker.move(0, 3.0, 4.0)
    picker.confirm(0)
    picker.exclude(1, "drift")
    assert picker.undo() == 1
    assert "exclude" not in picks.load(items[0].files).picks
    assert set(picker.status()["excluded"]) == {""}
    assert picker.undo() == 0
    back = picks.load(items[0].files).picks["window_ms S0"]
    assert back == first, "with who picked it and when"
    assert picker._state["items"][0]["status"] == "moved"
    assert picker.undo() == 0
    assert picker._state["items"][0]["status"] == "confirmed"
    assert picker.undo() == 0
    assert "window_ms S0" not in picks.load(items[0].files).picks
    assert picker.undo() is None


def test_strict_mode_names_the_windows_that_nobody_confirmed(items, monkeypatch):
    picker = TracePicker(items)
    for index in (0, 1):
        picker.confirm(index)
    picker.exclude(2, "drift")
    picker.include(2)
    with pytest.raises(PickError, match=r"2 of 4 slope windows are confirmed by nobody \(R02 S0, R02 S1\)"):
        picker.windows(strict=True)
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(PickError):
        picker.windows()
    picker.exclude(2, "drift")
    assert len(picker.windows()) == 4, "an excluded trace needs no window"


def test_provenance_lists_each_pick_once_and_says_which_are_proposals(items):
    picker = TracePicker(items)
    assert "4 of 4 slope windows are proposals" in picker.caution()
    picker.confirm(0)
    picker.exclude(2, "drift")
    assert [(pick.name, pick.origin) for pick in picker.picks()] == [
        ("window_ms S0", "confirmed"),
        ("window_ms S1", "proposed"),
        ("window_ms S0", "proposed"),
        ("exclude", "changed"),
        ("window_ms S1", "proposed"),
    ]
    assert picker.caution().startswith("1 of 4 slope windows")
    picker.confirm(1)
    assert picker.caution() == ""


def test_picks_on_other_bytes_are_told_without_the_file_name_and_mended_by_confirming(items):
    picker = TracePicker(items)
    picker.confirm(0)
    items[0].files[0].write_bytes(b"other bytes")
    again = TracePicker(items)
    problem = again._state["items"][0]["problem"]
    assert "other bytes" in problem
    assert "vehicle" not in problem, "the name of the file would break the blind"
    with pytest.raises(PickError, match="other bytes"):
        again.windows()
    again.confirm(0)
    again.confirm(1)
    assert again.windows()["R01", "S0"] == PROPOSAL
    assert TracePicker(items).status()["origin"].tolist()[:2] == ["confirmed", "confirmed"]


def test_a_damaged_picks_file_is_told_and_not_overwritten(items):
    path = picks.sidecar_path(items[0].files)
    path.write_text("{")
    picker = TracePicker(items)
    assert "damaged" in picker._state["items"][0]["problem"]
    state = say(picker, do="confirm", index=0, window=[3.3, 4.8])
    assert "damaged" in state["error"]
    assert path.read_text() == "{"


def test_a_stored_window_that_does_not_fit_the_trace_is_told(items):
    picks.save(items[0].files, "window_ms S0", [100, 200], kind="window", unit="ms")
    picks.save(items[0].files, "window_ms S1", "early", kind="window", unit="ms")
    picker = TracePicker(items)
    assert all("does not fit" in mark["problem"] for mark in picker._state["items"][:2])


# -- what can be asked for


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"time_ms": TIME_MS[::-1]}, "rising"),
        ({"time_ms": TIME_MS[:-1]}, "one value for each of the 899 times"),
        ({"time_ms": np.zeros((2, 3))}, "in one row"),
        ({"traces_mV": {}}, "at least one trace"),
        ({"proposal_ms": (np.nan, np.nan)}, "two numbers"),
        ({"proposal_ms": (4.8, 3.3)}, "3 samples or more between -5 and 39.95 ms"),
        ({"proposal_ms": (38, 80)}, "3 samples or more"),
        ({"files": ()}, "no raw file"),
    ],
)
def test_items_that_cannot_be_picked_on_are_refused_in_a_sentence(tmp_path, changes, said):
    with pytest.raises(DataError, match=said) as caught:
        item(tmp_path, **changes)
    assert str(caught.value).startswith("R01 S0: ")


def test_no_items_and_two_items_for_one_pick_are_refused(tmp_path):
    with pytest.raises(DataError, match="no trace to pick on"):
        TracePicker([])
    with pytest.raises(DataError, match="R01 S0 and R02 S0 would store the same pick"):
        TracePicker([item(tmp_path, "R01", file="a.abf"), item(tmp_path, "R02", file="a.abf")])


@pytest.mark.parametrize("index", [-1, 4, True, "0", 1.0])
def test_a_trace_that_does_not_exist_is_refused(items, index):
    with pytest.raises(DataError, match="a number from 0 to 3"):
        TracePicker(items).confirm(index)


@given(start=st.floats(-10, 50), width=st.floats(-1, 20))
def test_any_window_is_kept_to_a_tenth_of_a_microsecond_or_refused(tmp_path_factory, start, width):
    one = item(tmp_path_factory.getbasetemp())
    try:
        a, b = one.checked(start, start + width)
    except DataError:
        inside = ((start - 1e-3 <= TIME_MS) & (start + width + 1e-3 >= TIME_MS)).sum()
        # refused for too few samples (one beside each edge may go either way) or for lying outside
        assert inside < 5 or start < -5 or start + width > TIME_MS[-1]
    else:
        assert a == pytest.approx(start, abs=0.5001e-4)
        assert b == pytest.approx(start + width, abs=0.5001e-4)


# -- messages of the browser


def test_messages_do_what_the_methods_do_and_are_answered_with_their_number(items):
    picker = TracePicker(items)
    state = say(picker, do="move", index=1, window=[3.0, 4.0], number=7)
    assert (state["view"], state["number"], state["error"]) == ("v1", 7, "")
    assert state["items"][1]["status"] == "moved"
    assert state["items"][1]["window"] == (3.0, 4.0)
    state = say(picker, do="confirm", index=1, window=[3.1, 4.1])
    assert state["items"][1]["status"] == "changed"
    assert picks.load(items[1].files).picks["window_ms S1"].value == [3.1, 4.1]
    assert say(picker, do="exclude", index=2, reason="drift")["items"][2]["reason"] == "drift"
    assert say(picker, do="include", index=2)["items"][2]["status"] == "proposed"
    assert say(picker, do="undo")["show"] == 2


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"do": "format the disk"},
        {"do": "move", "index": 0},
        {"do": "move", "index": 0, "window": [1]},
        {"do": "move", "index": 0, "window": ["a", None]},
        {"do": "move", "index": 0, "window": [3, float("nan")]},
        {"do": "move", "index": 99, "window": [3, 4]},
        {"do": "confirm", "index": None, "window": [3, 4]},
        {"do": "exclude", "index": 0, "reason": ""},
        {"do": "exclude", "index": 0, "reason": 5},
    ],
)
def test_a_malformed_message_changes_nothing_and_is_answered_with_a_sentence(items, message):
    picker = TracePicker(items)
    before = picker._state["items"]
    state = say(picker, **message)
    assert state["error"].endswith(".")
    assert state["items"] == before
    assert picks.load(items[0].files) is None


def test_a_message_that_is_no_table_is_answered_too(items):
    picker = TracePicker(items)
    picker._handle_custom_msg("confirm", [])
    assert picker._state["error"]


def test_when_saving_fails_it_is_told_and_the_window_is_kept(items, monkeypatch):
    picker = TracePicker(items)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", str(items[0].files[0]))

    with monkeypatch.context() as patch:
        patch.setattr("labkit.files.write_text_whole", full)
        state = say(picker, do="confirm", index=0, window=[3.0, 4.5])
    assert state["error"].startswith("R01 S0: the pick could not be saved (No space left on device)")
    assert "vehicle" not in state["error"]
    assert state["show"] == 0, "the trace that is not saved is shown again"
    assert state["items"][0]["window"] == (3.0, 4.5)
    assert state["items"][0]["status"] == "moved"
    state = say(picker, do="confirm", index=0, window=[3.0, 4.5])
    assert state["error"] == ""
    assert picks.load(items[0].files).picks["window_ms S0"].value == [3.0, 4.5]


def test_nothing_sent_to_the_browser_names_a_file_while_blind(items):
    picker = TracePicker(items)
    picker.confirm(0)
    state = picker.get_state()
    told = (
        json.dumps({key: state[key] for key in ("_items", "_state")})
        + repr(picker)
        + picker.status().to_csv()
    )
    assert "vehicle" not in told
    assert "vehicle" in json.dumps(TracePicker(items, blind=False).get_state()["_items"])
    assert picks.load(items[0].files).picks["window_ms S0"].blind


def test_the_bytes_for_the_browser_hold_times_and_traces(items):
    packed = TracePicker(items)._traces[0]
    n = TIME_MS.size
    assert np.array_equal(np.frombuffer(packed, "<f8", n), TIME_MS)
    sent = np.frombuffer(packed, "<f4", 2 * n, 8 * n).reshape(2, n)
    # float32 holds 24 bits: a relative error of 6e-8
    np.testing.assert_allclose(sent, list(items[0].traces_mV.values()), rtol=6e-8, atol=1e-12)


# -- the static picture


def test_the_bundle_holds_the_widget_a_picture_with_alt_text_and_a_sentence(items):
    picker = TracePicker(items)
    picker.confirm(0)
    picker.exclude(2, "population spike")
    data, metadata = picker._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == "Slope windows of 4 traces: 1 confirmed, 0 changed, 1 proposed, 2 excluded"
    assert metadata["image/png"]["alt"].startswith(data["text/plain"])
    assert "R01 S0 3.30 to 4.80 ms" in metadata["image/png"]["alt"]
    assert data == picker._repr_mimebundle_()[0], "the same picks give the same picture"
    picker.include(2)
    assert data["image/png"] != picker._repr_mimebundle_()[0]["image/png"]


def test_the_picture_shows_each_window_where_it_is(tmp_path):
    from PIL import Image

    one = item(tmp_path, traces_mV={"mean": np.zeros(TIME_MS.size)}, proposal_ms=(2.0, 6.0), blank_ms=None)
    picker = TracePicker([one])
    data, metadata = picker._repr_mimebundle_()
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")).astype(
        int
    )
    height, width = pixels.shape[:2]
    assert (width, height) == (2 * metadata["image/png"]["width"], 2 * metadata["image/png"]["height"])
    row = pixels[height // 2]
    amber = np.flatnonzero((row[:, 0] > 235) & (row[:, 1] > 200) & (row[:, 2] < 200))
    # times run from -1 to 12 ms over a plot of 420 CSS pixels that starts at 14; an edge is 2 CSS pixels wide
    for found, time in ((amber[0], 2.0), (amber[-1], 6.0)):
        assert found / 2 == pytest.approx(14 + (time + 1) / 13 * 420, abs=3)


@pytest.mark.parametrize("n", [1, 3, 13, 40])
def test_every_number_of_traces_and_awkward_traces_can_be_drawn(tmp_path, n):
    awkward = [np.zeros(TIME_MS.size), np.full(TIME_MS.size, np.nan), np.where(TIME_MS > 10, np.nan, 5e3)]
    many = [
        item(tmp_path, f"R{k:02d}", traces_mV={"$x$ & <b>": awkward[k % 3]}, blank_ms=None) for k in range(n)
    ]
    data, metadata = TracePicker(many)._repr_mimebundle_()
    assert data["image/png"]
    assert metadata["image/png"]["width"] == 1000


def test_an_exported_notebook_shows_the_picture_in_place_of_the_widget(items):
    from nbconvert import HTMLExporter

    picker = TracePicker(items)
    data, metadata = picker._repr_mimebundle_()
    output = nbformat.v4.new_output("execute_result", data=data, metadata=metadata, execution_count=1)
    cell = nbformat.v4.new_code_cell("picker", outputs=[output], execution_count=1, id="picker")
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert data["image/png"][:200] in html
    assert f'"model_id": "{picker.model_id}"' not in html


# -- the maths of the script, in node


def node(expression: str):
    return maths("axes.js", expression)


def test_the_line_through_the_window_is_the_least_squares_line():
    rng = np.random.default_rng(1)
    t = np.arange(0, 10, 0.1)
    y = 2 - 0.7 * t + rng.normal(0, 0.3, t.size)
    got = node(f"fitLine({t.tolist()}, {y.tolist()}, [2.0, 5.0])")
    inside = slice(20, 51)
    slope, intercept = np.polyfit(t[inside], y[inside], 1)
    r2 = np.corrcoef(t[inside], y[inside])[0, 1] ** 2
    assert got["n"] == 31
    # both are float64 sums over 31 points
    assert [got["slope"], got["intercept"], got["r2"]] == pytest.approx([slope, intercept, r2], rel=1e-9)


def test_windows_stay_inside_the_trace_and_keep_their_least_width():
    assert node("shifted([2, 4], 3, [0, 10])") == [5, 7]
    assert node("shifted([2, 4], 30, [0, 10])") == [8, 10]
    assert node("shifted([2, 4], -30, [0, 10])") == [0, 2]
    assert node("stretched([2, 4], -1, 0, [0, 10], 1)") == [1, 4]
    assert node("stretched([2, 4], 9, 0, [0, 10], 1)") == [3, 4]
    assert node("stretched([2, 4], 0, -9, [0, 10], 1)") == [2, 3]
    assert node("stretched([2, 4], 5, -5, [0, 10], 1)") == [2.5, 3.5]
    assert node("stretched([2, 4], -9, 9, [0, 10], 1)") == [0, 10]


def test_ticks_are_round_and_the_zoom_keeps_the_point_under_the_pointer():
    assert node("ticks(-0.93, 0.21, 5)") == {
        "values": pytest.approx([-0.8, -0.6, -0.4, -0.2, 0, 0.2]),
        "decimals": 1,
    }
    assert node("ticks(0, 40, 4)") == {"values": [0, 10, 20, 30, 40], "decimals": 0}
    assert node("ticks(0.001, 0.0042, 3)")["decimals"] == 3
    low, high = node("zoomed([0, 10], 2, 2, [0, 10], 0.1)")
    assert (2 - low) / (high - low) == pytest.approx(0.2)
    assert high - low == pytest.approx(5)
    assert node("zoomed([0, 10], 2, 0.5, [0, 10], 0.1)") == [0, 10]


def test_numbers_have_a_true_minus_and_no_minus_zero():
    assert node("[tell(-0.4, 2), tell(-0.001, 2), tell(NaN, 2)]") == ["−0.40", "0.00", "–"]


def test_the_joined_script_parses_and_asks_for_nothing_from_outside():
    check_module(TracePicker._esm, TracePicker._css)

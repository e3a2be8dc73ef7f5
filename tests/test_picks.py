"""Picks last: they survive restarts, keep their history, and are never applied to other data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import files, picks
from labkit.errors import PickError


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "rec01.abf"
    path.write_bytes(b"ABF2 some bytes")
    return path


def test_what_is_saved_comes_back(raw):
    saved = picks.save(raw, "window_ms S0", [1.5, 6.25], kind="window", unit="ms", by="ana", origin="changed")
    assert picks.get(raw, "window_ms S0", strict=True) == saved
    assert saved.value == [1.5, 6.25]
    assert (saved.by, saved.origin, saved.blind) == ("ana", "changed", True)
    stored = json.loads((raw.parent / "rec01.abf.picks.json").read_text())
    assert stored["source"] == {"rec01.abf": files.sha256(raw)}


def test_a_proposal_is_marked_as_nobodys_and_not_stored(raw):
    pick = picks.get(raw, "window_ms S0", proposal=[1, 2], kind="window", unit="ms", strict=False)
    assert (pick.origin, pick.by, pick.value) == ("proposed", "", [1, 2])
    assert picks.load(raw) is None


def test_strict_mode_refuses_what_nobody_confirmed(raw, monkeypatch):
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(PickError, match=r"rec01\.abf: nobody has confirmed the pick 'window_ms S0'; open"):
        picks.get(raw, "window_ms S0", proposal=[1, 2])


def test_replaced_and_removed_picks_are_kept(raw):
    picks.save(raw, "exclude", "broken slice", kind="exclusion", at="2026-01-01T00:00:00+00:00")
    picks.save(raw, "exclude", "epileptic slice", kind="exclusion", at="2026-01-02T00:00:00+00:00")
    picks.remove(raw, "exclude", reason="included again")
    sidecar = picks.load(raw)
    assert sidecar.picks == {}
    assert [(old.pick.value, old.reason) for old in sidecar.history] == [
        ("broken slice", "replaced"),
        ("epileptic slice", "included again"),
    ]


def test_picks_made_on_other_bytes_are_refused_and_retired(raw):
    picks.save(raw, "a", 1, kind="time")
    picks.save(raw, "b", 2, kind="time")
    raw.write_bytes(b"ABF2 other bytes")
    with pytest.raises(PickError, match=r"made on other bytes of rec01\.abf"):
        picks.get(raw, "a", strict=False)
    picks.save(raw, "a", 3, kind="time")
    sidecar = picks.load(raw)
    assert set(sidecar.picks) == {"a"}
    assert {(old.pick.name, old.reason) for old in sidecar.history} == {
        ("a", "the raw file changed"),
        ("b", "the raw file changed"),
    }


def test_a_recording_of_several_files_is_picked_as_one(raw):
    second = raw.with_name("rec02.abf")
    second.write_bytes(b"more")
    picks.save([raw, second], "a", 1, kind="time")
    assert set(picks.load([raw, second]).source) == {"rec01.abf", "rec02.abf"}
    with pytest.raises(PickError, match=r"other bytes of rec02\.abf"):
        picks.get(raw, "a", strict=False)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": "labkit picks 9", "source": {}}', '{"format": "labkit picks 1"}', "\xff"],
)
def test_a_damaged_file_is_told_in_one_sentence_and_left_alone(raw, text):
    sidecar = picks.sidecar_path(raw)
    sidecar.write_text(text, encoding="latin-1")
    for action in (lambda: picks.get(raw, "a", proposal=1), lambda: picks.save(raw, "a", 1, kind="time")):
        with pytest.raises(PickError, match=r"rec01\.abf\.picks\.json: .*restore it from a copy") as caught:
            action()
        assert "\n" not in str(caught.value)
    assert sidecar.read_text(encoding="latin-1") == text


def test_a_full_disk_leaves_the_old_pick(raw, monkeypatch):
    picks.save(raw, "a", 1, kind="time")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(PickError, match=r"could not be saved .*No space left"):
        picks.save(raw, "a", 2, kind="time")
    monkeypatch.undo()
    assert picks.get(raw, "a", strict=True).value == 1
    assert sorted(path.name for path in raw.parent.iterdir()) == ["rec01.abf", "rec01.abf.picks.json"]


def test_a_missing_raw_file_is_named(tmp_path):
    with pytest.raises(PickError, match=r"gone\.abf"):
        picks.save(tmp_path / "gone.abf", "a", 1, kind="time")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(name=st.text(min_size=1), value=json_values, note=st.text())
def test_any_value_survives_the_round_trip(tmp_path_factory, name, value, note):
    path = tmp_path_factory.mktemp("picks") / "a.abf"
    path.write_bytes(b"x")
    picks.save(path, name, value, kind="any", note=note, by="ana")
    pick = picks.get(path, name, strict=True)
    assert (pick.value, pick.note) == (value, note)

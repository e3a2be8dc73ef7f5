"""Recordings: windows, channels and units, joined files, tags, and what induced."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.demo import abf
from labkit.errors import RecordingError
from labkit.ltp.recording import Recording, read

REAL = Path(__file__).resolve().parents[2] / "shared/real/ltp"
NOON = datetime(2026, 3, 2, 12)
RATE = 10_000.0


def real(name: str) -> Path:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the real recording {name} is not beside this checkout")
    return path


def sweeps(n_sweeps: int = 4, n_points: int = 400, *, seed: int = 1, scale: float = 1.0) -> np.ndarray:
    """Noise, an artefact at 5 ms and a response of 1 mV (times `scale`)."""
    rng = np.random.default_rng(seed)
    time_ms = np.arange(n_points) / RATE * 1e3 - 5
    values = rng.normal(0, 0.02, (n_sweeps, n_points)) - np.exp(-(((time_ms - 6) / 2) ** 2))
    values[:, 50:53] += [2.0, -2.0, 0.5]
    return scale * values


def write(path: Path, values: np.ndarray | None = None, **options: object) -> Path:
    values = sweeps() if values is None else values
    n = len(values)
    defaults = {
        "rate_hz": RATE,
        "start_s": 0.02 + 15.0 * np.arange(n),
        "recorded_at": NOON,
    }
    if "epochs" not in options:
        defaults["epochs"] = abf.stimulus(values[0].shape[-1], 50)
    return abf.write_abf2(path, values, **(defaults | options))


# ------------------------------------------------------------------ windows


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_windows_are_those_of_the_sweeps(data: st.DataObject) -> None:
    """Any window of any sweep, against slices of an array padded with NaN on both sides."""
    n_sweeps, n_points = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 40))
    lengths = data.draw(st.lists(st.integers(1, n_points), min_size=n_sweeps, max_size=n_sweeps))
    values = np.arange(n_sweeps * n_points, dtype=float).reshape(n_sweeps, n_points)
    for row, length in zip(values, lengths, strict=True):
        row[length:] = np.nan
    recording = Recording.from_arrays(values, rate_hz=1000, stimuli=0.0)
    assert recording.lengths.tolist() == lengths
    np.testing.assert_array_equal(recording.sweeps_mV, values[:, : max(lengths)])
    n = data.draw(st.integers(1, 50))
    which = data.draw(st.lists(st.integers(0, n_sweeps - 1), max_size=9))
    starts = data.draw(st.lists(st.integers(-60, 60), min_size=len(which), max_size=len(which)))
    padded = np.pad(values, ((0, 0), (60, 120)), constant_values=np.nan)
    expected = [
        padded[sweep, 60 + start : 60 + start + n] for sweep, start in zip(which, starts, strict=True)
    ]
    np.testing.assert_array_equal(
        recording.segments_mV(which, starts, n), np.reshape(expected, (len(which), n))
    )


@pytest.mark.parametrize("writer", [abf.write_abf1, abf.write_abf2])
def test_windows_of_files(tmp_path: Path, writer: object) -> None:
    """Two channels in one file, more sweeps than are read at once: values to half a step of the converter."""
    values = np.random.default_rng(2).uniform(-4, 4, (600, 2, 100))
    path = writer(tmp_path / "a.abf", values, rate_hz=RATE, channel=("one", "two"), full_scale=5.0)
    for number in (0, 1):
        recording = read(path, channel=number, stimulus_ms=1)
        np.testing.assert_allclose(recording.sweeps_mV, values[:, number], rtol=0, atol=5 / 32768 / 2 * 1.001)
        order = np.random.default_rng(3).permutation(600)
        found = recording.segments_mV(order, 30, 20)
        np.testing.assert_array_equal(found, recording.sweeps_mV[order, 30:50])


def test_windows_of_sweeps_of_unequal_length(tmp_path: Path) -> None:
    values = [np.full(50, 1.0), np.full(80, 2.0), np.full(20, 3.0)]
    path = abf.write_abf2(tmp_path / "a.abf", values, rate_hz=RATE, start_s=[0, 1, 5])
    recording = read(path, stimulus_ms=1)
    assert recording.lengths.tolist() == [50, 80, 20]
    assert recording.n_points == 80
    np.testing.assert_allclose(np.nanmean(recording.sweeps_mV, axis=1), [1, 2, 3], atol=2e-4)
    assert np.isnan(recording.sweeps_mV).sum(axis=1).tolist() == [30, 0, 60]


def test_gap_free_is_one_sweep(tmp_path: Path) -> None:
    path = abf.write_abf2(
        tmp_path / "a.abf", np.zeros((1, 5000)), rate_hz=RATE, gap_free=True, tags=[(0.2, "x")]
    )
    recording = read(path, stimulus_ms=[100, 300])
    assert (recording.n_sweeps, recording.n_points, recording.start_s.tolist()) == (1, 5000, [0.0])
    assert recording.tags[["time_s", "sweep"]].to_numpy().tolist() == [[0.2, 0]]


def test_windows_that_cannot_be(tmp_path: Path) -> None:
    recording = read(write(tmp_path / "a.abf"))
    for wrong in ([4], [-1]):
        with pytest.raises(RecordingError, match="0 to 3"):
            recording.segments_mV(wrong, 0, 10)
    with pytest.raises(RecordingError, match="1 or more"):
        recording.segments_mV([0], 0, 0)


def test_a_file_that_changes_after_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.abf")
    recording = read(path)
    path.write_bytes(path.read_bytes()[:-512])
    with pytest.raises(RecordingError, match=r"a\.abf: the file has changed"):
        _ = recording.sweeps_mV
    path.unlink()
    with pytest.raises(RecordingError, match=r"a\.abf: the file is no longer there"):
        _ = recording.sweeps_mV


def test_pickles_without_its_data(tmp_path: Path) -> None:
    recording = read(write(tmp_path / "a.abf", np.tile(sweeps(), (50, 1))))
    data = pickle.dumps(recording)
    assert len(data) < recording.sweeps_mV.nbytes / 10
    again = pickle.loads(data)
    np.testing.assert_array_equal(again.sweeps_mV, recording.sweeps_mV)
    pd.testing.assert_frame_equal(again.stimuli, recording.stimuli)


def _mean(recording: Recording) -> float:
    return float(recording.sweeps_mV.mean())


def test_goes_to_another_process(tmp_path: Path) -> None:
    import multiprocessing

    recording = read(write(tmp_path / "a.abf"))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(_mean, recording).result(timeout=60) == _mean(recording)


# ------------------------------------------------------------------ channels and units


def three_channels(path: Path) -> Path:
    values = np.stack([sweeps(seed=5) * 100, sweeps(), 1e3 * sweeps(seed=4)], axis=1)
    names, units = ("Im", "Field 1", "Field 2"), ("pA", "mV", "uV")
    return write(path, values, channel=names, unit=units, full_scale=(1000.0, 10.0, 10_000.0))


def test_choice_of_channel(tmp_path: Path) -> None:
    path = three_channels(tmp_path / "a.abf")
    recording = read(path)
    assert (recording.channel, recording.unit) == ("Field 1", "mV")
    assert recording.warnings == ("channel Field 1 is taken; the file also has Field 2 (uV)",)
    for wanted in (2, "2", "Field 2", " field 2"):
        chosen = read(path, channel=wanted)
        assert (chosen.channel, chosen.unit, chosen.warnings) == ("Field 2", "mV", ())
        # µV in the file, mV here.
        np.testing.assert_allclose(chosen.sweeps_mV, sweeps(seed=4), rtol=0, atol=10 / 32768)
    for wrong in (3, -1, "field", "9", 1.0):
        with pytest.raises(
            RecordingError, match=r"one of: 0 = Im \(pA\), 1 = Field 1 \(mV\), 2 = Field 2 \(uV\)"
        ):
            read(path, channel=wrong)


def test_what_is_no_voltage(tmp_path: Path) -> None:
    path = three_channels(tmp_path / "a.abf")
    recording = read(path, channel=0)
    assert recording.unit == "pA"
    np.testing.assert_allclose(recording.sweeps_mV, 100 * sweeps(seed=5), rtol=0, atol=1000 / 32768)
    assert 'unit="mV"' in recording.warnings[0]
    told = read(path, channel=0, unit="uV")
    assert told.unit == "mV"
    np.testing.assert_allclose(told.sweeps_mV, recording.sweeps_mV * 1e-3)
    with pytest.raises(RecordingError, match="the unit is 'pA'; expected mV, uV or V"):
        read(path, unit="pA")


@pytest.mark.parametrize(
    ("unit", "factor"), [("V", 1e3), ("mV", 1.0), ("µV", 1e-3), ("uV", 1e-3), ("mv", 1.0)]
)
def test_voltages_in_mV(tmp_path: Path, unit: str, factor: float) -> None:
    path = write(tmp_path / "a.abf", sweeps() / factor, unit=unit, full_scale=10 / factor)
    recording = read(path)
    assert recording.unit == "mV"
    assert recording.warnings == ()
    np.testing.assert_allclose(recording.sweeps_mV, sweeps(), rtol=0, atol=10 / 32768)


@pytest.mark.parametrize(
    ("stated", "truth", "factor"), [("V", "mV", 1.0), ("mV", "uV", 1e3), ("uV", "mV", 1.0)]
)
def test_a_size_no_response_has(tmp_path: Path, stated: str, truth: str, factor: float) -> None:
    """The header states the wrong unit; the warning names the right one, with which the numbers are right."""
    path = write(tmp_path / "a.abf", sweeps() * factor, unit=stated, full_scale=10 * factor)
    assert f'read with unit="{truth}"' in read(path).warnings[-1]
    told = read(path, unit=truth)
    assert told.warnings == ()
    np.testing.assert_allclose(told.sweeps_mV, sweeps(), rtol=0, atol=10 / 32768)


def test_real_units() -> None:
    assert read(real("pyabf/opto_aps_good_units.abf")).unit == "mV"
    for name, unit in (("opto_aps_bad_units.abf", "pA"), ("sine sweep magnitude 20.abf", "?")):
        recording = read(real(f"pyabf/{name}"))
        assert recording.unit == unit
        assert f"is in {unit}, not a voltage" in recording.warnings[0]
    taken = read(real("pyabf/16d22006_kim_gapfree.abf"))
    assert (taken.channel, taken.unit) == ("IN 3", "mV")  # the other one is in dB


# ------------------------------------------------------------------ several files


def three_files(folder: Path, **options: object) -> list[Path]:
    """Named against the order of recording: c, a, b."""
    in_turn = {"epochs": abf.stimulus(400, 50, bits=1, alternate=2), "alternating": True}
    train = abf.stimulus(12_000, 500, bits=2, pulses=100, period=100)
    return [
        write(folder / "c.abf", sweeps(seed=1), **(in_turn | options)),
        write(
            folder / "a.abf",
            np.zeros((2, 12_000)),
            recorded_at=NOON + timedelta(seconds=60.5),
            start_s=[0.0, 20.0],
            epochs=train,
        ),
        write(folder / "b.abf", sweeps(seed=3), recorded_at=NOON + timedelta(seconds=120), **in_turn),
    ]


def test_files_are_joined_as_recorded(tmp_path: Path) -> None:
    paths = three_files(tmp_path)
    recording = read(sorted(paths))
    assert [path.name for path in recording.paths] == ["c.abf", "a.abf", "b.abf"]
    assert recording.file_index.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]
    # The first sweep begins 0.02 s after the clock of its file, at which time is zero.
    expected = [0, 15, 30, 45, 60.48, 80.48, 120, 135, 150, 165]
    np.testing.assert_allclose(recording.start_s, expected, rtol=0, atol=1e-3)
    assert recording.pathway.tolist() == ["S0", "S1", "S0", "S1", "S1", "S1", "S0", "S1", "S0", "S1"]
    assert recording.stimuli["kind"].tolist() == ["test"] * 4 + ["HFS"] * 2 + ["test"] * 4
    assert recording.stimuli["sweep"].tolist() == list(range(10))
    assert recording.induction_s == pytest.approx(80.48 + 0.05, abs=1e-3)  # the last train, at 50 ms
    assert recording.recorded_at == NOON
    alone = np.concatenate([read(path).segments_mV(range(4), 0, 400) for path in (paths[0], paths[2])])
    np.testing.assert_array_equal(recording.segments_mV([0, 1, 2, 3, 6, 7, 8, 9], 0, 400), alone)
    assert np.isnan(recording.sweeps_mV[0, 400:]).all()


def test_files_that_are_not_one_recording(tmp_path: Path) -> None:
    first = write(tmp_path / "a.abf")
    later = NOON + timedelta(minutes=5)
    for options, words in [
        ({}, "was recorded while a.abf still was"),
        ({"recorded_at": later, "rate_hz": 20_000.0}, "sampled at 20000 Hz, a.abf at 10000 Hz"),
        ({"recorded_at": later, "channel": "other"}, "its channel is other in mV, that of a.abf IN 0 in mV"),
    ]:
        second = write(tmp_path / "b.abf", **options)
        with pytest.raises(RecordingError, match=words):
            read([first, second])
    with pytest.raises(RecordingError, match="still was"):
        read([first, first])
    with pytest.raises(RecordingError, match="no file was named"):
        read([])


def test_files_without_a_date(tmp_path: Path) -> None:
    """In the order given, the second one interval after the last sweep of the first."""
    paths = [write(tmp_path / f"{name}.abf", sweeps(seed=i)) for i, name in enumerate("ba")]
    data = bytearray(paths[0].read_bytes())
    data[16:20] = bytes(4)
    paths[0].write_bytes(data)
    recording = read(paths)
    assert [path.name for path in recording.paths] == ["b.abf", "a.abf"]
    np.testing.assert_allclose(recording.start_s, 15.0 * np.arange(8), rtol=0, atol=1e-3)
    assert "no date of recording in b.abf" in recording.warnings[0]


def test_the_order_of_real_files() -> None:
    """The file numbered 4 was recorded after the one numbered 7."""
    recording = read([real("evoked/2025_03_06_0004.abf"), real("evoked/2025_03_06_0007.abf")])
    assert [path.name for path in recording.paths] == ["2025_03_06_0007.abf", "2025_03_06_0004.abf"]
    # 15:10:11.174 and 15:56:44.179; the first sweeps begin 21 ms after either.
    assert recording.start_s[33] == pytest.approx(46 * 60 + 33.005, abs=1e-4)


# ------------------------------------------------------------------ tags and induction


def test_tag_of_a_real_file() -> None:
    tags = read(real("pyabf/2018_11_16_sh_0006.abf")).tags
    assert tags["sweep"].tolist() == [36]
    assert tags["time_s"].iloc[0] == pytest.approx(180.378, abs=1e-3)
    tags = read(real("pyabf/multichannelAbf1WithTags.abf")).tags
    assert tags["sweep"].tolist() == [86, 147]  # 173.98 and 294.86 s, sweeps every 2 s


@pytest.mark.parametrize("writer", [abf.write_abf1, abf.write_abf2])
def test_tags_belong_to_the_sweep_in_progress(tmp_path: Path, writer: object) -> None:
    """A tag before the first sweep goes to it; one at the very start of a sweep to that sweep."""
    path = writer(
        tmp_path / "a.abf",
        sweeps(),
        rate_hz=RATE,
        start_s=1.0 + 15.0 * np.arange(4),
        tags=[(0.5, "bath on"), (16.0, "drug"), (30.9, "HFS"), (400.0, "end")],
    )
    tags = read(path).tags
    assert tags["sweep"].tolist() == [0, 1, 1, 3]
    np.testing.assert_allclose(tags["time_s"], [-0.5, 15.0, 29.9, 399.0], rtol=0, atol=1e-3)
    assert read(path).induction_s == pytest.approx(29.9, abs=1e-3)


@pytest.mark.parametrize(
    ("comments", "position"),
    [
        (["HFS 3x100 Hz"], 0),
        (["drug", "tetanus"], 1),
        (["LTP induction"], 0),
        (["theta burst", "theta burst"], 1),
        (["TBS", "10 min post TBS"], 0),
        (["before HFS"], None),
        (["+drug at 3min", "chfsx"], None),
        ([], None),
    ],
)
def test_tags_that_name_an_induction(comments: list[str], position: int | None) -> None:
    tags = pd.DataFrame({"time_s": 10.0 * np.arange(len(comments)), "comment": comments})
    recording = Recording.from_arrays(np.zeros((3, 50)), rate_hz=1000, stimuli=5.0, tags=tags)
    expected = np.nan if position is None else 10.0 * position
    np.testing.assert_equal(recording.induction_s, expected)


# ------------------------------------------------------------------ arrays


def test_arrays_that_do_not_fit() -> None:
    for values in (np.zeros(5), np.zeros((0, 5)), np.zeros((2, 3, 4))):
        with pytest.raises(RecordingError, match="shape"):
            Recording.from_arrays(values, rate_hz=1000)
    with pytest.raises(RecordingError, match="sampling rate"):
        Recording.from_arrays(np.zeros((2, 5)), rate_hz=0)
    with pytest.raises(RecordingError, match="start_s has the shape"):
        Recording.from_arrays(np.zeros((2, 5)), rate_hz=1000, start_s=[0.0])
    with pytest.raises(RecordingError, match="sweep 1 holds nothing"):
        Recording.from_arrays([[0.0, 1.0], [np.nan, np.nan]], rate_hz=1000)


def test_reading_leaves_the_file_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.abf")
    before = (path.read_bytes(), path.stat().st_mtime_ns, list(tmp_path.iterdir()))
    recording = read(path)
    recording.sweeps_mV[:] = 0.0
    assert (path.read_bytes(), path.stat().st_mtime_ns, list(tmp_path.iterdir())) == before

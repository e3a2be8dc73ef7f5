"""ABF files as written, against readers that do not know the writer: pyABF, Neo, the format's own offsets."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pyabf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.demo.abf import Epoch, stimulus, write_abf1, write_abf2
from labkit.errors import DataError

BOTH = pytest.mark.parametrize("write", [write_abf1, write_abf2])
REAL = Path(__file__).parents[2] / "shared" / "real" / "ltp"
MORNING = datetime(2026, 3, 4, 10, 20, 30, 456_000)


def values(shape, seed=0, scale=2.0):
    return np.random.default_rng(seed).normal(0, scale, shape)


def at(data: bytes, offset: int, kind: str):
    found = struct.unpack_from("<" + kind, data, offset)
    return found[0] if len(found) == 1 else found


def starts_s(path: Path) -> list[float]:
    """Sweep starts by the offsets of the format: pointer, count and unit of the synch array."""
    data = path.read_bytes()
    if data[:4] == b"ABF2":
        (block, size, count), unit_us = at(data, 316, "IIq"), at(data, at(data, 76, "I") * 512 + 14, "f")
    else:
        (block, count), size, unit_us = at(data, 92, "ii"), 8, at(data, 130, "f")
    return [at(data, block * 512 + size * i, "i") * unit_us * 1e-6 for i in range(count)]


def read_all(path: Path) -> tuple[pyabf.ABF, np.ndarray]:
    """Values of every sweep and channel (S, C, N) by pyABF; its warnings are errors here."""
    recording = pyabf.ABF(path)
    shape = (recording.channelCount, recording.sweepCount, recording.sweepPointCount)
    return recording, recording.data.reshape(shape).swapaxes(0, 1)


def half_a_count(full_scale: float) -> float:
    """Rounding to the nearest count, plus what float32 readers lose of a number as large as that."""
    return full_scale * (0.5 / 32768 + 2 * np.finfo(np.float32).eps)


def test_offsets_in_this_file_read_real_recordings():
    real = [
        ("evoked/2025_03_05_0004.abf", 33, 10.0),
        ("pyabf/05210017_vc_abf1.abf", 6, 60.0),
        ("pyabf/f1.abf", 10, 3.0),
        ("pyabf/multichannelAbf1WithTags.abf", 187, 2.0),
    ]
    for name, n_sweeps, interval in real:
        if not (REAL / name).exists():
            pytest.skip("the real recordings are not beside the project")
        intervals = np.diff(starts_s(REAL / name))
        # Starts are stored in units of 12.5 or 50 µs.
        np.testing.assert_allclose(intervals, np.full(n_sweeps - 1, interval), atol=1e-4)


@BOTH
def test_one_channel_is_read_back(write, tmp_path):
    sweeps = values((7, 400))
    start = 0.021 + 15.0 * np.arange(7)
    tags = [(31.5, "HFS 3x100 Hz"), (61.25, "bath 31.5 C")]
    path = write(
        tmp_path / "2026_03_04_0001.abf", sweeps, rate_hz=10_000, start_s=start, recorded_at=MORNING,
        tags=tags, channel="fEPSP", comment="slice 1", protocol="D:\\Protocols\\LTP.pro",
    )  # fmt: skip
    recording, found = read_all(path)
    np.testing.assert_allclose(found[:, 0], sweeps, rtol=0, atol=half_a_count(10.0))
    assert (recording.dataRate, recording.adcNames, recording.adcUnits) == (10_000, ["fEPSP"], ["mV"])
    assert recording.abfDateTime == MORNING
    assert (recording.protocol, recording.abfFileComment, recording.nOperationMode) == ("LTP", "slice 1", 5)
    assert list(zip(recording.tagTimesSec, recording.tagComments, strict=True)) == tags
    # One unit of the synch array is a sampling interval here, 100 µs.
    np.testing.assert_allclose(starts_s(path), start, rtol=0, atol=50e-6)
    if write is write_abf2:
        assert recording.sweepIntervalSec == 15.0


@BOTH
def test_channels_keep_their_own_unit_and_scale(write, tmp_path):
    sweeps = np.stack([values((5, 300), 1), values((5, 300), 2, 400.0)], axis=1)
    path = write(
        tmp_path / "two.abf", sweeps, rate_hz=20_000, start_s=2.0 * np.arange(5), unit=("mV", "pA"),
        channel=("radiatum", "IN 1"), full_scale=(10.0, 2000.0), tags=[(4.5, "wash")],
    )  # fmt: skip
    recording, found = read_all(path)
    for channel, full_scale in enumerate((10.0, 2000.0)):
        expected, atol = sweeps[:, channel], half_a_count(full_scale)
        np.testing.assert_allclose(found[:, channel], expected, rtol=0, atol=atol)
    assert (recording.adcNames, recording.adcUnits) == (["radiatum", "IN 1"], ["mV", "pA"])
    assert recording.dataRate == 20_000
    assert recording.tagTimesSec == [4.5]
    np.testing.assert_allclose(starts_s(path), 2.0 * np.arange(5), rtol=0, atol=25e-6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n_sweeps=st.integers(1, 9),
    n_channels=st.integers(1, 4),
    n_points=st.integers(1, 700),
    rate_hz=st.sampled_from([403.2258, 1000, 10_000, 20_000, 50_000, 100_000]),
    interval_s=st.floats(0.9, 50_000),
    full_scale=st.sampled_from([5.0, 10.0, 20.0, 1234.5]),
    write=st.sampled_from([write_abf1, write_abf2]),
)
def test_any_shape_rate_and_interval_is_read_back(
    tmp_path, n_sweeps, n_channels, n_points, rate_hz, interval_s, full_scale, write
):
    """Also starts that do not fit an int32 of sampling intervals, from 6 hours at 100 kHz."""
    sweeps = values((n_sweeps, n_channels, n_points), n_points, full_scale / 6).clip(
        -full_scale, full_scale * 0.9999
    )
    start = (interval_s + n_points / rate_hz) * np.arange(n_sweeps)
    path = write(tmp_path / "any.abf", sweeps, rate_hz=rate_hz, start_s=start, full_scale=full_scale)
    recording, found = read_all(path)
    assert found.shape == sweeps.shape
    np.testing.assert_allclose(found, sweeps, rtol=0, atol=half_a_count(full_scale))
    # The reader drops decimals of the rate; the header holds the interval as float32.
    assert recording.dataRate in (int(rate_hz), int(rate_hz) - 1)
    # A unit is at most ten times what would fill an int32 with the last start.
    coarsest_us = max(1e6 / rate_hz, 10 * start[-1] * 1e6 / 2**31)
    np.testing.assert_allclose(starts_s(path), start, rtol=2e-7, atol=0.5e-6 * coarsest_us * (1 + 1e-6))


@BOTH
def test_values_are_rounded_to_the_nearest_count_and_saturate(write, tmp_path):
    count = 10.0 / 32768
    sweep = np.array([[-0.6, -0.4, 0.0, 0.4, 0.6, 1.4, 1.6, 1e6, -1e6]]) * count
    _, found = read_all(write(tmp_path / "r.abf", sweep, rate_hz=1000))
    np.testing.assert_allclose(found[0, 0] / count, [-1, 0, 0, 0, 1, 1, 2, 32767, -32768])


@BOTH
def test_counts_are_written_as_they_stand(write, tmp_path):
    counts = np.array([[-32768, -1, 0, 1, 32767]], dtype=np.int16)
    _, found = read_all(write(tmp_path / "c.abf", counts, rate_hz=1000, full_scale=32768.0))
    np.testing.assert_array_equal(found[0, 0], counts[0])


def test_digital_output_of_a_pathway_is_seen_by_pyabf(tmp_path):
    path = write_abf2(
        tmp_path / "s.abf", np.zeros((4, 400)), rate_hz=10_000, start_s=[0, 15, 30, 45],
        epochs=stimulus(400, 50, bits=1, alternate=2), alternating=True,
    )  # fmt: skip
    recording = pyabf.ABF(path)
    assert np.flatnonzero(recording.sweepD(0)).tolist() == [50]
    assert not recording.sweepD(1).any()
    np.testing.assert_array_equal(recording.sweepC, np.zeros(400))


def test_alternating_outputs_stand_where_the_formats_put_them(tmp_path):
    epochs = stimulus(400, 50, bits=1, alternate=2)
    options = {"rate_hz": 10_000, "start_s": [0, 15], "epochs": epochs, "alternating": True}
    data = write_abf2(tmp_path / "2.abf", np.zeros((2, 400)), **options).read_bytes()
    protocol, section = (at(data, offset, "I") * 512 for offset in (76, 124))
    assert at(data, 124, "IIq")[1:] == (32, 2)
    assert (at(data, protocol + 140, "h"), at(data, protocol + 184, "h")) == (1, 1)
    # Number, digital, train, alternate, alternate train; the outputs rise in the second epoch.
    assert at(data, section + 32, "5h") == (1, 1, 0, 2, 0)

    data = write_abf1(tmp_path / "1.abf", np.zeros((2, 400)), **options).read_bytes()
    assert (at(data, 1436, "h"), at(data, 5918, "h")) == (1, 1)
    assert at(data, 1588, "3h") == (0, 1, 0)
    assert at(data, 5878, "3h") == (0, 2, 0)
    assert at(data, 2508, "3i") == (44, 1, 0)


@BOTH
def test_a_train_has_period_and_width(write, tmp_path):
    (wait, train) = stimulus(11_000, 500, bits=2, pulses=100, period=100, width=1)
    assert (wait.points, train.points) == (500 - 11_000 // 64, 10_000)
    data = write(tmp_path / "t.abf", np.zeros((3, 11_000)), rate_hz=10_000, epochs=(wait, train)).read_bytes()
    if write is write_abf2:
        epoch, digital = at(data, 156, "I") * 512 + 48, at(data, 124, "I") * 512 + 32
        assert at(data, epoch + 14, "4i") == (10_000, 0, 100, 1)
        assert at(data, digital, "3h") == (1, 0, 2)
    else:
        assert (at(data, 2508 + 4, "i"), at(data, 2136 + 4, "i"), at(data, 2216 + 4, "i")) == (10_000, 100, 1)
        assert at(data, 2668, "2h") == (0, 2)


@BOTH
def test_gap_free(write, tmp_path):
    sweep = values((1, 5000))
    path = write(tmp_path / "g.abf", sweep, rate_hz=1000, gap_free=True, tags=[(2.5, "drug")])
    recording, found = read_all(path)
    np.testing.assert_allclose(found[0], sweep, rtol=0, atol=half_a_count(10.0))
    assert (recording.nOperationMode, recording.tagTimesSec, starts_s(path)) == (3, [2.5], [])


def test_sweeps_of_different_lengths(tmp_path):
    sweeps = [values(40, 1), values(100, 2), values(7, 3)]
    path = write_abf2(tmp_path / "v.abf", sweeps, rate_hz=1000, start_s=[0, 3, 9])
    recording = pyabf.ABF(path)
    assert recording.nOperationMode == 1
    for i, sweep in enumerate(sweeps):
        recording.setSweep(i)
        np.testing.assert_allclose(recording.sweepY, sweep, rtol=0, atol=half_a_count(10.0))


@BOTH
def test_neo_reads_the_same(write, tmp_path):
    """An independent reader, installed with the extra `formats`."""
    io = pytest.importorskip("neo.io", reason="Neo is not installed")
    sweeps = np.stack([values((4, 300), 1), values((4, 300), 2)], axis=1)
    start = 0.021 + 15.0 * np.arange(4)
    path = write(
        tmp_path / "n.abf", sweeps, rate_hz=10_000, start_s=start, channel=("a", "b"), recorded_at=MORNING
    )
    block = io.AxonIO(str(path)).read_block()
    assert abs(block.rec_datetime - MORNING).total_seconds() < 1e-3
    assert len(block.segments) == 4
    for i, segment in enumerate(block.segments):
        found = np.concatenate([signal.magnitude for signal in segment.analogsignals], axis=1).T
        np.testing.assert_allclose(found, sweeps[i], rtol=0, atol=half_a_count(10.0))
        assert abs(float(segment.analogsignals[0].t_start) - start[i]) < 1e-4
        assert float(segment.analogsignals[0].sampling_rate) == 10_000


@BOTH
def test_the_same_arguments_give_the_same_bytes(write, tmp_path):
    first, second = (
        write(tmp_path / name, values((3, 50)), rate_hz=1000).read_bytes() for name in ("a", "b")
    )
    assert first == second


@BOTH
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"sweeps": np.array([[0.0, np.nan]])}, "not finite"),
        ({"sweeps": np.zeros((0, 5))}, "no common shape"),
        ({"sweeps": np.zeros((2, 17, 5))}, "17 channels"),
        ({"start_s": [0.0]}, "1 start times for 2 sweeps"),
        ({"start_s": [5.0, 0.0]}, "start times"),
        ({"rate_hz": 0}, "0 Hz"),
        ({"gap_free": True}, "gap-free recording of 2 sweeps"),
        ({"channel": ["a", "b"]}, "2 values of channel for 1 channels"),
        ({"unit": "a unit too long for the format" * 10}, "a unit too long"),
        ({"tags": [(1.0, "x" * 57)]}, "xxx"),
        ({"tags": [(1.0, "θ bursts")]}, "θ bursts"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(write, changes, found, tmp_path):
    arguments = {"sweeps": np.zeros((2, 5)), "rate_hz": 1000.0} | changes
    with pytest.raises(DataError, match=found):
        write(tmp_path / "x.abf", arguments.pop("sweeps"), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_stimulus_that_does_not_fit_is_refused():
    with pytest.raises(DataError, match="do not fit"):
        stimulus(400, 3)
    with pytest.raises(DataError, match="do not fit"):
        stimulus(400, 350, pulses=2, period=100)
    with pytest.raises(DataError, match="at most 10"):
        write_abf1("never written.abf", np.zeros((1, 640)), rate_hz=1000, epochs=[Epoch(1)] * 11)

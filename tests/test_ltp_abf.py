"""Headers of ABF files: facts of real recordings, files changed byte by byte, files broken in every way."""

from __future__ import annotations

import contextlib
import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pyabf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.demo import abf
from labkit.errors import RecordingError
from labkit.ltp.abf import open_abf
from labkit.ltp.abf_header import Channel, Digital
from labkit.ltp.recording import read

REAL = Path(__file__).resolve().parents[2] / "shared/real/ltp"
WRITERS = {"abf1": abf.write_abf1, "abf2": abf.write_abf2}
# Where ABF headers keep what the tests change (Axon's header description).
ABF1_UNITS, ABF1_SYNCH, ABF1_FORMAT, ABF1_SCALE, ABF1_INTERVAL = 602, 92, 100, 922, 178
ABF2_EPISODES, ABF2_FORMAT, ABF2_SECTIONS = 12, 30, {"protocol": 76, "adc": 92, "data": 236, "synch": 316}


def real(name: str) -> Path:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the real recording {name} is not beside this checkout")
    return path


@pytest.fixture(params=WRITERS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return simulated(tmp_path / f"{request.param}.abf", request.param)


def simulated(path: Path, version: str) -> Path:
    """Six sweeps of 300 points every 15 s, two pathways in turn, one tag."""
    rng = np.random.default_rng(7)
    sweeps = rng.normal(0, 0.05, (6, 300))
    sweeps[:, 60:63] += [1.0, -1.0, 0.3]
    return WRITERS[version](
        path,
        sweeps,
        rate_hz=10_000,
        start_s=np.arange(6) * 15.0,
        epochs=abf.stimulus(300, 60, bits=1, alternate=2),
        alternating=True,
        tags=[(46.0, "HFS")],
    )


def section(data: bytes, name: str) -> tuple[int, int, int]:
    block, width, count = struct.unpack_from("<IIq", data, ABF2_SECTIONS[name])
    return 512 * block, width, count


# ------------------------------------------------------------------ facts of real files


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("pyabf/05210017_vc_abf1.abf", 60.0),
        ("pyabf/File_axon_3.abf", 90.0),
        ("pyabf/f1.abf", 3.0),
        ("pyabf/multichannelAbf1WithTags.abf", 2.0),
        ("pyabf/2018_11_16_sh_0006.abf", 5.0),
        ("evoked/2025_03_02_0000.abf", 10.0),
    ],
)
def test_sweeps_start_when_the_synch_array_says(name: str, seconds: float) -> None:
    starts = open_abf(real(name)).start_s
    # Two ticks of the synch array, of at most 50 µs.
    np.testing.assert_allclose(np.diff(starts), seconds, rtol=0, atol=1e-4)


def test_rate_and_interval_are_not_rounded() -> None:
    file = open_abf(real("pyabf/File_axon_7.abf"))
    # 2480 µs between points; the header promises 10 s between sweeps, the synch array tells 8.93 s.
    assert file.rate_hz == 1e6 / 2480
    np.testing.assert_allclose(np.diff(file.start_s), 8.93, rtol=0, atol=5e-3)


@pytest.mark.parametrize(
    ("name", "lengths", "starts"),
    [
        ("2020_06_16_0000.abf", [3540, 70040, 16040], [1.4479, 4.4979, 14.7479]),
        ("2020_06_16_0001.abf", [22040, 11040], [2.6979, 5.9979]),
    ],
)
def test_sweeps_of_unequal_length(name: str, lengths: list[int], starts: list[float]) -> None:
    file = open_abf(real(f"pyabf/{name}"))
    assert file.lengths.tolist() == lengths
    assert file.first.tolist() == [0, *np.cumsum(lengths)[:-1]]
    np.testing.assert_allclose(file.start_s, starts, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["invalidDate-abf1.abf", "invalidDate-abf2.abf", "171116sh_0020_saved.abf"])
def test_a_date_that_is_none(name: str) -> None:
    assert open_abf(real(f"pyabf/{name}")).recorded_at is None


def test_date_and_milliseconds() -> None:
    recorded_at = open_abf(real("evoked/2025_05_22_0000.abf")).recorded_at
    assert recorded_at == datetime(2025, 5, 21, 15, 27, 3, 447_000)


def test_missing_start_times_are_told() -> None:
    file = open_abf(real("pyabf/171116sh_0020_saved.abf"))
    np.testing.assert_allclose(np.diff(file.start_s), 10.0)
    assert "back to back" in file.warnings[0]


def test_pulse_trains_of_old_headers() -> None:
    """The same recording in both formats has the same waveform table, trains included."""
    old, new = (open_abf(real(f"pyabf/18425108{end}.abf")).protocol for end in ("_abf1", ""))
    # Epochs that are steps keep a period in one format only; a train has it in both.
    assert [e for e in old.epochs if e.kind == 3] == [e for e in new.epochs if e.kind == 3]
    assert {k: v for k, v in old.digital.items() if v.bits} == {
        k: v for k, v in new.digital.items() if v.bits
    }
    assert list(old.dacs) == list(new.dacs) == [1]


def test_values_are_those_of_pyabf() -> None:
    """Every channel of every real file; float32 in pyABF, so a relative 1e-6 of the largest value."""
    paths = sorted(real("pyabf").glob("*.abf")) + sorted(real("evoked").glob("*.abf"))
    checked = 0
    for path in paths:
        peer = pyabf.ABF(path)
        starts = np.r_[0, np.cumsum(open_abf(path).lengths)]
        for number in peer.channelList:
            recording = read(path, channel=number, stimulus_ms=0)
            factor = {"V": 1e3, "uV": 1e-3}.get(peer.adcUnits[number], 1.0)
            expected = peer.data[number].astype(float) * factor
            assert starts[-1] == len(expected), path.name
            for sweep in {0, recording.n_sweeps // 2, recording.n_sweeps - 1}:
                length = int(recording.lengths[sweep])
                found = recording.segments_mV([sweep], [0], length)[0]
                wanted = expected[starts[sweep] : starts[sweep] + length]
                np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * np.abs(expected).max() + 1e-9)
                checked += 1
    assert checked > 100


# ------------------------------------------------------------------ files made for the purpose


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    one, two = (open_abf(simulated(tmp_path / f"{version}.abf", version)) for version in WRITERS)
    for file in (one, two):
        assert file.rate_hz == 10_000
        assert file.lengths.tolist() == [300] * 6
        np.testing.assert_allclose(file.start_s, np.arange(6) * 15.0, rtol=0, atol=1e-4)
        assert [(round(time, 3), text) for time, text in file.tags] == [(46.0, "HFS")]
        assert file.warnings == ()
        assert file.protocol.alternate_digital
    bits = [{k: v for k, v in file.protocol.digital.items() if any(v)} for file in (one, two)]
    assert bits[0] == bits[1] == {1: Digital(1, 0, 2, 0)}


@pytest.mark.parametrize("n_channels", [1, 2, 5])
@pytest.mark.parametrize("version", WRITERS)
def test_interval_keeps_its_fractions(tmp_path: Path, version: str, n_channels: int) -> None:
    """12.5 µs between points; ABF1 states it per value (12.5, 6.25, 2.5 µs), each exact as a float32."""
    values = np.zeros((2, n_channels, 300))
    names = tuple(f"IN {i}" for i in range(n_channels))
    path = WRITERS[version](tmp_path / "a.abf", values, rate_hz=80_000, channel=names, start_s=[0.0, 1.0])
    assert open_abf(path).rate_hz == 80_000


def test_micro_sign_of_old_headers(tmp_path: Path) -> None:
    """One byte of the Windows code page; to lose it would make volts of microvolts."""
    path = simulated(tmp_path / "a.abf", "abf1")
    data = bytearray(path.read_bytes())
    data[ABF1_UNITS : ABF1_UNITS + 8] = b"\xb5V      "
    path.write_bytes(data)
    assert open_abf(path).channels[0].unit == "µV"


def test_telegraphed_gain_divides(tmp_path: Path) -> None:
    path = simulated(tmp_path / "a.abf", "abf2")
    data = bytearray(path.read_bytes())
    before = open_abf(path).channels[0]
    start = section(data, "adc")[0]
    struct.pack_into("<h", data, start + 2, 1)
    struct.pack_into("<f", data, start + 6, 2.5)
    path.write_bytes(data)
    after = open_abf(path).channels[0]
    assert after == Channel(before.name, before.unit, before.gain / 2.5, before.offset)


def test_floats_of_old_headers(tmp_path: Path) -> None:
    """Floats are values in the unit, whatever the scale says."""
    path = simulated(tmp_path / "a.abf", "abf1")
    data = bytearray(path.read_bytes())
    start = 512 * struct.unpack_from("<i", data, 40)[0]
    values = np.linspace(-1, 1, 6 * 300).astype("<f4")
    struct.pack_into("<ii", data, 44, 0, 0)  # tags and synch array would lie within the longer data
    struct.pack_into("<ii", data, ABF1_SYNCH, 0, 0)
    struct.pack_into("<h", data, ABF1_FORMAT, 1)
    path.write_bytes(data[:start] + values.tobytes())
    np.testing.assert_array_equal(read(path).sweeps_mV.ravel(), values)


def test_counter_that_starts_again(tmp_path: Path) -> None:
    """Start times are 32-bit; a recording that runs past their end goes on from the bottom."""
    path = simulated(tmp_path / "a.abf", "abf2")
    data = bytearray(path.read_bytes())
    start = section(data, "synch")[0]
    ticks = [struct.unpack_from("<i", data, start + 8 * i)[0] for i in range(6)]
    shift = 2**31 - ticks[3]
    for i, tick in enumerate(ticks):
        struct.pack_into("<i", data, start + 8 * i, (tick + shift + 2**31) % 2**32 - 2**31)
    path.write_bytes(data)
    file = open_abf(path)
    np.testing.assert_allclose(np.diff(file.start_s), 15.0, rtol=0, atol=1e-4)
    assert file.warnings == ()


def test_interval_as_programmed_when_the_synch_array_is_missing(tmp_path: Path) -> None:
    path = simulated(tmp_path / "a.abf", "abf1")
    data = bytearray(path.read_bytes())
    struct.pack_into("<ii", data, ABF1_SYNCH, 0, 0)
    struct.pack_into("<f", data, ABF1_INTERVAL, 15.25)
    path.write_bytes(data)
    file = open_abf(path)
    assert np.diff(file.start_s).tolist() == [15.25] * 5
    assert "as programmed" in file.warnings[0]


def test_sweeps_never_slip(tmp_path: Path) -> None:
    """Points that are no whole sweep are left out, with a warning; they do not shift the others."""
    path = simulated(tmp_path / "a.abf", "abf2")
    whole = read(path).sweeps_mV
    data = bytearray(path.read_bytes())
    struct.pack_into("<q", data, ABF2_SECTIONS["data"] + 8, 6 * 300 - 7)
    path.write_bytes(data)
    recording = read(path)
    np.testing.assert_array_equal(recording.sweeps_mV, whole[:5])
    assert recording.warnings[0] == "of 6 sweeps 5 are whole; the rest is left out"


# ------------------------------------------------------------------ what is broken


def refused(path: Path | str, *words: str) -> str:
    with pytest.raises(RecordingError) as caught:
        read(path)
    text = str(caught.value)
    assert text.count("\n") == 0
    for word in (Path(path).name, *words):
        assert word in text
    return text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"A", "not an ABF"),
        (b"time,mV\n0,1\n", "not an ABF"),
        (b"ABF2", "truncated"),
        (b"ABF ", "truncated"),
        (b"ABF2" + bytes(4096), "damaged"),
        (b"ABF " + bytes(8192), "damaged"),
        (b"ABF2" + b"\xff" * 4096, "damaged"),
        (b"ABF " + b"\xff" * 8192, "damaged"),
    ],
)
def test_what_is_no_recording(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.abf"
    path.write_bytes(data)
    refused(path, words)


def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(tmp_path, "folder")
    refused(tmp_path / "nothing.abf", "no such file")
    refused(tmp_path / ("long" * 100 + ".abf"), "cannot be opened")
    with pytest.raises(RecordingError, match="cannot be opened"):
        read("null\0byte.abf")
    path = simulated(tmp_path / "a.abf", "abf2")

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    refused(path, "Permission denied")


def test_cut_anywhere(path: Path) -> None:
    """Every 97 bytes: refused, or else what was cut off was the padding of the last block."""
    data, whole, sweeps = path.read_bytes(), read(path), read(path).sweeps_mV
    texts = []
    for size in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:size])
        try:
            recording = read(path)
        except RecordingError as error:
            texts.append(str(error))
        else:
            assert len(data) - size < 512
            np.testing.assert_array_equal(recording.sweeps_mV, sweeps)
            assert recording.tags.equals(whole.tags)
    assert not any("\n" in text for text in texts)
    assert all(f"the file holds {n}" in "".join(texts) for n in range(6))


@pytest.mark.parametrize("keep", [0, 1, 3, 5])
def test_cut_within_the_data(tmp_path: Path, keep: int) -> None:
    """The message counts the sweeps that are left."""
    path = simulated(tmp_path / "a.abf", "abf2")
    data = path.read_bytes()
    path.write_bytes(data[: section(data, "data")[0] + 2 * (300 * keep + 150)])
    refused(path, f"truncated: its header promises 6 sweeps, the file holds {keep}")


@pytest.mark.parametrize(
    ("version", "offset", "values", "words"),
    [
        ("abf1", ("<i", 16), 0, "no sweeps"),
        ("abf1", ("<i", 16), -1, "no sweeps"),
        ("abf2", ("<i", ABF2_EPISODES), 0, "no sweeps"),
        ("abf1", ("<i", 10), 0, "no points"),
        ("abf2", ("<q", ABF2_SECTIONS["data"] + 8), 0, "no points"),
        ("abf1", ("<i", 10), 2**31 - 1, "truncated"),
        ("abf2", ("<q", ABF2_SECTIONS["data"] + 8), 2**62, "truncated"),
        ("abf2", ("<q", ABF2_SECTIONS["adc"] + 8), 2**31 - 1, "truncated"),
        ("abf2", ("<q", ABF2_SECTIONS["synch"] + 8), 2**40, "truncated"),
        ("abf1", ("<i", 48), 2**31 - 1, "tag"),
        ("abf1", ("<f", ABF1_SCALE), 0.0, "scale"),
        ("abf1", ("<f", ABF1_SCALE), float("nan"), "scale"),
        ("abf1", ("<f", 122), 0.0, "sampling interval"),
        ("abf1", ("<f", 122), float("inf"), "sampling interval"),
        ("abf1", ("<h", 120), 0, "0 channels"),
        ("abf1", ("<h", 410), 77, "input 77"),
        ("abf1", ("<h", 8), 9, "mode 9"),
        ("abf1", ("<h", ABF1_FORMAT), 2, "neither integers nor floats"),
        ("abf2", ("<H", ABF2_FORMAT), 1, "neither integers nor floats"),
    ],
)
def test_impossible_numbers(
    tmp_path: Path, version: str, offset: tuple[str, int], values: float, words: str
) -> None:
    path = simulated(tmp_path / "a.abf", version)
    data = bytearray(path.read_bytes())
    struct.pack_into(offset[0], data, offset[1], values)
    path.write_bytes(data)
    refused(path, words)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    version=st.sampled_from(sorted(WRITERS)),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    near=st.sampled_from([400, 1000, 6500]),
)
def test_flipped_bytes(tmp_path: Path, version: str, flips: list[tuple[float, int]], near: int) -> None:
    """Whatever a header says, the answer is a recording or one sentence; arrays stay as small as the file."""
    template = tmp_path / version
    if not template.exists():
        simulated(template, version)
    data = bytearray(template.read_bytes())
    for where, value in flips:
        data[4 + int(where * (min(near, len(data)) - 5))] = value
    path = tmp_path / "a.abf"
    path.write_bytes(data)
    with contextlib.suppress(RecordingError):
        recording = read(path)
        assert recording.lengths.sum() <= len(data) / 2
        assert recording.pathway.shape == recording.start_s.shape == (recording.n_sweeps,)

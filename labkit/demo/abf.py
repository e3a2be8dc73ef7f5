"""Axon binary files written from arrays: ABF 2.9 (pCLAMP 10 and later) and ABF 1.83 (pCLAMP 9 and earlier).

S sweeps, C channels, N points. Both versions carry what an LTP recording needs and what readers disagree
about: the synch array (when each sweep began), tags, digital epochs, and the alternating digital output by
which Clampex drives two pathways in turn. Integers are little-endian, sections begin at multiples of 512
bytes, and samples are 16-bit counts of a converter that saturates at its ends.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from labkit.errors import DataError

__all__ = ["Epoch", "stimulus", "write_abf1", "write_abf2"]

BLOCK = 512
ADC_RANGE_V, ADC_COUNTS = 10.0, 32768
MODE_VARIABLE, MODE_GAP_FREE, MODE_EPISODIC = 1, 3, 5
_POINTS_AT_A_TIME = 1 << 22
_INT32_MAX = 2**31 - 1
# The order of the section index that starts at byte 76 of an ABF2 file.
_SECTIONS = (
    *("Protocol", "ADC", "DAC", "Epoch", "ADCPerDAC", "EpochPerDAC", "UserList", "StatsRegion", "Math"),
    *("Strings", "Data", "Tag", "Scope", "Delta", "VoiceTag", "Synch", "Annotation", "Stats"),
)


@dataclass(frozen=True)
class Epoch:
    """One column of Clampex's waveform table, on the first analogue output.

    `digital` bits are high throughout the epoch, `train` bits give pulses of `width` points every `period`
    points. When the outputs alternate, sweeps 1, 3, 5, ... use `alternate` and `alternate_train` instead.
    """

    points: int
    digital: int = 0
    train: int = 0
    alternate: int = 0
    alternate_train: int = 0
    period: int = 0
    width: int = 0
    level: float = 0.0


def stimulus(
    n_points: int,
    at: int,
    *,
    bits: int = 1,
    alternate: int = 0,
    pulses: int = 1,
    period: int = 0,
    width: int = 1,
) -> tuple[Epoch, ...]:
    """Epochs of a sweep of `n_points` whose digital output rises first at point `at`.

    Clampex holds the first 1/64 of a sweep before its first epoch, so `at` cannot be earlier.

    Parameters
    ----------
    bits, alternate
        Output bits on even and on odd sweeps: 1 is output 0, 2 is output 1, 4 is output 2.
    pulses, period
        A train of so many pulses, so many points apart, when `pulses` is more than 1.

    Examples
    --------
    >>> for epoch in stimulus(400, 50, bits=1, alternate=2):
    ...     print(epoch.points, epoch.digital, epoch.alternate)
    44 0 0
    1 1 2
    """
    hold = n_points // 64
    length = width if pulses == 1 else pulses * period
    if at < hold or at + length > n_points or (pulses > 1 and period <= width):
        raise DataError(
            f"{pulses} pulses {period} points apart from point {at} do not fit a sweep of {n_points} points",
            expected=f"a first pulse at or after point {hold}, and the last one inside the sweep",
        )
    wait = (Epoch(at - hold),) if at > hold else ()
    if pulses == 1:
        return (*wait, Epoch(width, digital=bits, alternate=alternate))
    return (*wait, Epoch(length, train=bits, alternate_train=alternate, period=period, width=width))


def write_abf2(
    path: str | Path,
    sweeps: np.ndarray | Sequence[np.ndarray],
    *,
    rate_hz: float,
    start_s: Sequence[float] | np.ndarray | None = None,
    recorded_at: datetime = datetime(2026, 1, 1, 12),
    unit: str | Sequence[str] = "mV",
    channel: str | Sequence[str] = "IN 0",
    full_scale: float | Sequence[float] = 10.0,
    epochs: Sequence[Epoch] = (),
    alternating: bool = False,
    tags: Sequence[tuple[float, str]] = (),
    gap_free: bool = False,
    protocol: str = "C:\\Protocols\\field.pro",
    comment: str = "",
) -> Path:
    """Write an ABF 2.9 file.

    Parameters
    ----------
    sweeps
        (S, N) for one channel or (S, C, N) for several, in `unit`; int16 arrays are converter counts. A list
        of (N,) or (C, N) arrays of different lengths makes a file of variable-length sweeps.
    rate_hz
        Samples per second and channel. The header stores the interval in µs as float32.
    start_s
        Start of each sweep in seconds after `recorded_at`, (S,); sweeps follow without a gap when it is None.
    unit, channel, full_scale
        One value, or one for each channel. `full_scale` is the value, in the unit, at which the converter
        saturates; one count is `full_scale` / 32768, and values are rounded to the nearest count.
    epochs, alternating
        Waveform table with its digital outputs, and whether they alternate from sweep to sweep.
    tags
        (seconds after `recorded_at`, comment of at most 56 characters).
    gap_free
        One sweep recorded without protocol (operation mode 3): no synch array, as Clampex writes it.

    Raises
    ------
    DataError
        Shapes that do not fit together, values that are not finite, or text that the format cannot hold.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_abf2(folder / "a.abf", np.zeros((2, 400)), rate_hz=10_000, start_s=[0, 15]).stat().st_size
    5632
    """
    file = _File(sweeps, rate_hz, start_s, unit, channel, full_scale, tags, gap_free, 2)
    strings: list[str] = []

    def text(value: str) -> int:
        """Index of a string; they count from 1, and 0 means none."""
        if not value:
            return 0
        strings.append(value)
        return len(strings)

    header = _Block(BLOCK)
    creator, protocol_index, comment_index = text("Clampex"), text(protocol), text(comment)
    header.put("4s", 0, b"ABF2")
    header.put("4B", 4, 0, 0, 9, 2)
    header.put("IIII", 8, BLOCK, file.n_sweeps, int(f"{recorded_at:%Y%m%d}"), _milliseconds(recorded_at))
    header.put("HHH", 28, 1, 0, 1)
    header.put("4B", 56, 3, 0, 7, 10)
    header.put("I", 60, creator)
    header.put("I", 72, protocol_index)

    settings = _Block(BLOCK)
    settings.put("hf", 0, file.mode, file.interval_us)
    settings.put("I", 10, 1)
    settings.put("ff", 14, file.synch_us, 0.0)
    settings.put("iiiii", 22, int(file.lengths[0]) * file.n_channels, 16, file.n_sweeps, 1, 1)
    settings.put("f", 62, file.sweep_interval_s)
    settings.put("i", 70, 1)
    settings.put("ffii", 110, ADC_RANGE_V, ADC_RANGE_V, ADC_COUNTS, ADC_COUNTS)
    settings.put("hhh", 126, 2, 0, int(bool(comment)))
    settings.put("i", 132, comment_index)
    settings.put("h", 140, int(_drives_outputs(epochs)))
    settings.put("h", 150, 1)
    settings.put("h", 184, int(alternating))
    settings.put("hhhhh", 198, 16, 4, 16, 8, 6)

    adcs = _Block(128 * file.n_channels)
    for i, (name, symbol, scale) in enumerate(zip(file.names, file.units, file.scales, strict=True)):
        adcs.put("h", 128 * i, i)
        adcs.put("f", 128 * i + 6, 1.0)
        adcs.put("hhffffffff", 128 * i + 24, i, i, 1.0, 1.0, 0.0, scale, 0.0, 1.0, 0.0, 2000.0)
        adcs.put("ii", 128 * i + 74, text(name), text(symbol))
    n_dacs = max(4, file.n_channels)
    dacs = _Block(256 * n_dacs)
    for i in range(n_dacs):
        dacs.put("h", 256 * i, i)
        dacs.put("f", 256 * i + 8, 1.0)
        dacs.put("fiii", 256 * i + 16, 1.0, 0, text(f"AO #{i}"), text("mV"))
        dacs.put("hh", 256 * i + 40, int(i == 0 and bool(epochs)), 1)

    outputs, waveform = _Block(32 * len(epochs)), _Block(48 * len(epochs))
    for i, e in enumerate(epochs):
        outputs.put("5h", 32 * i, i, e.digital, e.train, e.alternate, e.alternate_train)
        waveform.put("hhhffiiii", 48 * i, i, 0, 1, e.level, 0.0, e.points, 0, e.period, e.width)

    joined = b"".join(_encode(string, 255) + b"\0" for string in strings)
    longest = max(len(string) for string in strings) + 1
    soup = struct.pack("<4s4I24x", b"SSCH", 1, len(strings), longest, len(joined)) + joined

    before = [
        ("Protocol", BLOCK, 1, settings.bytes),
        ("ADC", 128, file.n_channels, adcs.bytes),
        ("DAC", 256, n_dacs, dacs.bytes),
        ("EpochPerDAC", 48, len(epochs), waveform.bytes),
        ("Epoch", 32, len(epochs), outputs.bytes),
        ("Strings", len(soup), len(strings), soup),
    ]
    after = [("Synch", 8, len(file.synch), file.synch.tobytes()), ("Tag", 64, len(tags), file.tag_section())]

    position, index = 1, {}
    for name, size, count, content in before:
        index[name] = (position, size, count)
        position += _blocks(len(content))
    index["Data"] = (position, 2, file.n_samples)
    position += _blocks(2 * file.n_samples)
    for name, size, count, content in after:
        index[name] = (position, size, count)
        position += _blocks(len(content))
    for name, (start, size, count) in index.items():
        header.put("IIq", 76 + 16 * _SECTIONS.index(name), start if count else 0, size if count else 0, count)

    path = Path(path)
    with _whole(path) as out:
        out.write(header.bytes)
        for *_, content in before:
            out.write(_padded(content))
        file.write_data(out)
        for *_, content in after:
            out.write(_padded(content))
        # Readers that take each string to be as long as the whole section read this far.
        out.truncate(max(out.tell(), BLOCK * index["Strings"][0] + len(soup) * len(strings)))
    return path


def write_abf1(
    path: str | Path,
    sweeps: np.ndarray | Sequence[np.ndarray],
    *,
    rate_hz: float,
    start_s: Sequence[float] | np.ndarray | None = None,
    recorded_at: datetime = datetime(2006, 1, 1, 12),
    unit: str | Sequence[str] = "mV",
    channel: str | Sequence[str] = "IN 0",
    full_scale: float | Sequence[float] = 10.0,
    epochs: Sequence[Epoch] = (),
    alternating: bool = False,
    tags: Sequence[tuple[float, str]] = (),
    gap_free: bool = False,
    protocol: str = "C:\\Protocols\\field.pro",
    comment: str = "",
) -> Path:
    """Write an ABF 1.83 file; arguments as for `write_abf2`, with at most ten epochs.

    The header is the fixed one of 6144 bytes. Its group 22 holds the alternating digital pattern: for each of
    ten epochs the levels (from byte 5878) and the trains (5898), then whether they are used (5918).

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_abf1(folder / "a.abf", np.zeros((2, 400)), rate_hz=10_000, start_s=[0, 15]).stat().st_size
    8704
    """
    file = _File(sweeps, rate_hz, start_s, unit, channel, full_scale, tags, gap_free, 1)
    if len(epochs) > 10:
        raise DataError(f"{len(epochs)} epochs were given", expected="at most 10 in an ABF1 file")
    data_block = 12
    synch_block = data_block + _blocks(2 * file.n_samples)
    tag_block = synch_block + _blocks(file.synch.nbytes)
    padding = [0] * (10 - len(epochs))

    h = _Block(data_block * BLOCK)
    seconds, milliseconds = divmod(_milliseconds(recorded_at), 1000)
    h.put("4sfhihi", 0, b"ABF ", 1.83, file.mode, file.n_samples, 0, file.n_sweeps)
    h.put("iiifhh", 20, int(f"{recorded_at:%Y%m%d}"), seconds, 0, 1.83, 1, 0)
    h.put("iii", 40, data_block, tag_block if tags else 0, len(tags))
    h.put("iihh", 92, synch_block if len(file.synch) else 0, len(file.synch), 0, 1)
    h.put("hff", 120, file.n_channels, file.interval_us / file.n_channels, 0.0)
    h.put("ff", 130, file.synch_us, 0.0)
    h.put("iiiii", 138, int(file.lengths[0]) * file.n_channels, 16, file.n_sweeps, 1, 1)
    h.put("f", 178, file.sweep_interval_s)
    h.put("i", 190, 1)
    h.put("ffii", 244, ADC_RANGE_V, ADC_RANGE_V, ADC_COUNTS, ADC_COUNTS)
    h.put("h", 260, 2)
    h.put("16s56sh", 294, b"Clampex".ljust(16), _encode(comment[:56], 56).ljust(56), milliseconds)
    used = list(range(file.n_channels))
    h.put("16h16h", 378, *range(16), *used, *[-1] * (16 - len(used)))
    for i in range(16):
        known = i < file.n_channels
        h.put("10s", 442 + 10 * i, _encode(file.names[i] if known else f"IN {i}", 10).ljust(10))
        h.put("8s", 602 + 8 * i, _encode(file.units[i] if known else "V", 8).ljust(8))
        h.put("f", 922 + 4 * i, file.scales[i] if known else 1.0)
        for offset in (
            730,
            794,
            1050,
            4576,
        ):  # programmable gain, display gain, signal gain, telegraphed gain
            h.put("f", offset + 4 * i, 1.0)
    for i in range(4):
        h.put("10s", 1306 + 10 * i, _encode(f"AO #{i}", 10).ljust(10))
        h.put("8s", 1346 + 8 * i, b"mV".ljust(8))
        h.put("f", 2074 + 4 * i, 1.0)
    h.put("h", 1436, int(_drives_outputs(epochs)))
    h.put("10h", 1588, *(e.digital for e in epochs), *padding)
    h.put("i", 2034, data_block * BLOCK)
    h.put("10i", 2136, *(e.period for e in epochs), *padding)
    h.put("10i", 2216, *(e.width for e in epochs), *padding)
    h.put("hhhh", 2296, int(bool(epochs)), 0, 1, 1)
    h.put("10h", 2308, *(1 for _ in epochs), *padding)
    h.put("10f", 2348, *(e.level for e in epochs), *padding)
    h.put("10i", 2508, *(e.points for e in epochs), *padding)
    h.put("10hh", 2668, *(e.train for e in epochs), *padding, 1)
    h.put("256s128s", 4898, _encode(protocol, 256).ljust(256), _encode(comment, 128).ljust(128))
    h.put("4h", 5798, 9, 2, 1, 9)
    h.put("h", 5876, 0)
    h.put("10h", 5878, *(e.alternate for e in epochs), *padding)
    h.put("10h", 5898, *(e.alternate_train for e in epochs), *padding)
    h.put("h", 5918, int(alternating))

    path = Path(path)
    with _whole(path) as out:
        out.write(h.bytes)
        file.write_data(out)
        out.write(_padded(file.synch.tobytes()))
        out.write(_padded(file.tag_section()))
    return path


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name only when all of it is written."""
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        with unfinished.open("wb") as out:
            yield out
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class _File:
    """What both versions share: the sweeps and their times in the units that the headers store."""

    def __init__(
        self,
        sweeps: Any,
        rate_hz: float,
        start_s: Any,
        unit: str | Sequence[str],
        channel: str | Sequence[str],
        full_scale: float | Sequence[float],
        tags: Sequence[tuple[float, str]],
        gap_free: bool,
        version: int,
    ) -> None:
        ragged = not isinstance(sweeps, np.ndarray)
        self.sweeps = [np.atleast_2d(s) for s in sweeps] if ragged else sweeps
        if not ragged and sweeps.ndim == 2:
            self.sweeps = sweeps[:, np.newaxis, :]
        if len(self.sweeps) == 0 or np.ndim(self.sweeps[0]) != 2 or len({len(s) for s in self.sweeps}) != 1:
            raise DataError(
                "the sweeps have no common shape", expected="(sweeps, points) or (sweeps, channels, points)"
            )
        self.n_sweeps, self.n_channels = len(self.sweeps), len(self.sweeps[0])
        self.lengths = np.array([s.shape[1] for s in self.sweeps])
        self.n_samples = int(self.lengths.sum()) * self.n_channels
        if not 1 <= self.n_channels <= 16 or self.lengths.min() < 1:
            raise DataError(
                f"{self.n_channels} channels of {self.lengths.min()} points", expected="1-16 channels"
            )
        if gap_free and self.n_sweeps > 1:
            raise DataError(f"a gap-free recording of {self.n_sweeps} sweeps", expected="one sweep")
        even = bool(np.all(self.lengths == self.lengths[0]))
        self.mode = MODE_GAP_FREE if gap_free else MODE_EPISODIC if even else MODE_VARIABLE
        if not rate_hz > 0:
            raise DataError(f"a sampling rate of {rate_hz} Hz", expected="a positive rate")

        self.units, self.names = self._each(unit, "unit", str), self._each(channel, "channel", str)
        self.full_scale = self._each(full_scale, "full_scale", float)
        self.scales = [float(np.float32(ADC_RANGE_V / value)) for value in self.full_scale]
        self.interval_us = float(np.float32(1e6 / rate_hz))

        ends = np.cumsum(self.lengths) / rate_hz
        start = ends - self.lengths / rate_hz if start_s is None else np.asarray(start_s, dtype=float)
        if (
            start.shape != (self.n_sweeps,)
            or not np.all(np.isfinite(start))
            or np.any(np.diff(start) < 0)
            or start[0] < 0
        ):
            raise DataError(
                f"{start.size} start times for {self.n_sweeps} sweeps",
                expected="one start time for each sweep, not negative and not decreasing",
            )
        self.sweep_interval_s = float(np.round(np.median(np.diff(start)), 6)) if self.n_sweeps > 1 else 0.0
        # The unit in which starts and tags are counted. Clampex counts samples and writes 0 where no protocol
        # timed the sweeps; multi-channel ABF1 files have a finer unit, the one that their tags are read with.
        divisor = 1 if version == 2 else self.n_channels**2
        timed = self.mode == MODE_EPISODIC
        unit_us = float(np.float32(self.interval_us / (divisor if timed else self.n_channels)))
        times = np.array([time for time, _ in tags], dtype=float)
        last_us = max([start[-1], *times]) * 1e6
        while timed and last_us / unit_us > _INT32_MAX:
            unit_us *= 10
        if last_us / unit_us > _INT32_MAX:
            raise DataError(
                f"a time of {last_us / 1e6:.0f} s", expected="a time that int32 can count in samples"
            )
        self.synch_us = unit_us if timed else 0.0
        counts = np.rint(start * 1e6 / unit_us)
        self.synch = np.column_stack([counts, self.lengths * self.n_channels]).astype("<i4")
        if gap_free:
            self.synch = self.synch[:0]
        notes = [_encode(note, 56) for _, note in tags]
        self.tags = list(zip(np.rint(times * 1e6 / unit_us).astype(int).tolist(), notes, strict=True))

    def _each(self, value: Any, name: str, kind: Callable[[Any], Any]) -> list[Any]:
        """One value for each channel."""
        alone = isinstance(value, (str, int, float))
        values = [kind(value)] * self.n_channels if alone else [kind(v) for v in value]
        if alone and name == "channel":
            values = values if self.n_channels == 1 else [f"IN {i}" for i in range(self.n_channels)]
        if len(values) != self.n_channels:
            raise DataError(
                f"{len(values)} values of {name} for {self.n_channels} channels", expected="one for each"
            )
        return values

    def tag_section(self) -> bytes:
        return b"".join(struct.pack("<i56shh", time, note.ljust(56), 1, 0) for time, note in self.tags)

    def write_data(self, out: BinaryIO) -> None:
        """Samples as counts, channels interleaved, padded to a whole block."""
        per_count = np.array([ADC_RANGE_V / scale / ADC_COUNTS for scale in self.scales])[:, np.newaxis]
        lowest, highest = -ADC_COUNTS, ADC_COUNTS - 1
        step = max(1, _POINTS_AT_A_TIME // int(self.lengths.max() * self.n_channels))
        step = 1 if self.mode == MODE_VARIABLE else step
        for first in range(0, self.n_sweeps, step):
            part = np.asarray(self.sweeps[first : first + step])
            if part.dtype != np.int16:
                part = part / per_count
                np.rint(part, out=part)
                if not np.isfinite(part).all():
                    raise DataError("the sweeps hold values that are not finite", expected="numbers only")
                np.clip(part, lowest, highest, out=part)
            np.ascontiguousarray(part.astype("<i2", copy=False).swapaxes(1, 2)).tofile(out)
        out.write(bytes(-2 * self.n_samples % BLOCK))


class _Block:
    """Bytes filled by offset, as the format's tables give them."""

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)

    def put(self, kind: str, offset: int, *values: Any) -> None:
        struct.pack_into("<" + kind, self.bytes, offset, *values)


def _blocks(n_bytes: int) -> int:
    return -(-n_bytes // BLOCK)


def _padded(content: bytes | bytearray) -> bytes:
    return bytes(content) + bytes(-len(content) % BLOCK)


def _milliseconds(moment: datetime) -> int:
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1000 + moment.microsecond // 1000


def _drives_outputs(epochs: Sequence[Epoch]) -> bool:
    return any(e.digital or e.train or e.alternate or e.alternate_train for e in epochs)


def _encode(value: str, longest: int) -> bytes:
    """Text as Windows stored it."""
    try:
        encoded = value.encode("cp1252")
    except UnicodeEncodeError:
        encoded = b"\0"
    if len(encoded) > longest or b"\0" in encoded:
        raise DataError(f"the text {value!r}", expected=f"at most {longest} Western European characters")
    return encoded

"""What both versions of the Axon binary file are made of: blocks, text, dates, samples, start times, tags.

S sweeps, C channels, N points. A block is 512 bytes; integers are little-endian, and samples are 16-bit
counts of a converter that saturates at its ends.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from labkit.errors import DataError

__all__ = [
    "ADC_COUNTS",
    "ADC_RANGE_V",
    "BLOCK",
    "Block",
    "Stored",
    "blocks",
    "encode",
    "milliseconds",
    "padded",
    "whole",
]

BLOCK = 512
ADC_RANGE_V, ADC_COUNTS = 10.0, 32768
_MODE_VARIABLE, _MODE_GAP_FREE, _MODE_EPISODIC = 1, 3, 5
_POINTS_AT_A_TIME = 1 << 22
_INT32_MAX = 2**31 - 1


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name only when all of it is written."""
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        with unfinished.open("wb") as out:
            yield out
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class Stored:
    """Sweeps and their times in the units that the headers store; arguments as for `write_abf2`."""

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
        self.mode = _MODE_GAP_FREE if gap_free else _MODE_EPISODIC if even else _MODE_VARIABLE
        if not rate_hz > 0:
            raise DataError(f"a sampling rate of {rate_hz} Hz", expected="a positive rate")

        self.units, self.names = self._each(unit, "unit", str), self._each(channel, "channel", str)
        full_scales = self._each(full_scale, "full_scale", float)
        self.scales = [float(np.float32(ADC_RANGE_V / value)) for value in full_scales]
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
        timed = self.mode == _MODE_EPISODIC
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
        notes = [encode(note, 56) for _, note in tags]
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
        step = 1 if self.mode == _MODE_VARIABLE else step
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


class Block:
    """Bytes filled by offset, as the format's tables give them."""

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)

    def put(self, kind: str, offset: int, *values: Any) -> None:
        struct.pack_into("<" + kind, self.bytes, offset, *values)


def blocks(n_bytes: int) -> int:
    return -(-n_bytes // BLOCK)


def padded(content: bytes | bytearray) -> bytes:
    return bytes(content) + bytes(-len(content) % BLOCK)


def milliseconds(moment: datetime) -> int:
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1000 + moment.microsecond // 1000


def encode(value: str, longest: int) -> bytes:
    """Text as Windows stored it."""
    try:
        encoded = value.encode("cp1252")
    except UnicodeEncodeError:
        encoded = b"\0"
    if len(encoded) > longest or b"\0" in encoded:
        raise DataError(f"the text {value!r}", expected=f"at most {longest} Western European characters")
    return encoded

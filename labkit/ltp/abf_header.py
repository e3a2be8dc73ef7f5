"""What the header of an ABF file says, in either version of the format: its parts, and how their bytes read.

Numbers stand as in the file (counts of values, ticks of a clock); `labkit.ltp.abf` makes sweeps and seconds
of them. Offsets and widths, here and in the two parsers, follow Axon's description of the format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.errors import RecordingError

__all__ = [
    "BLOCK",
    "Channel",
    "Digital",
    "Epoch",
    "Header",
    "Protocol",
    "damaged",
    "date_time",
    "entries",
    "gain_of",
    "refuse_cut",
    "synch_entries",
    "tag_entries",
    "text_of",
    "truncated",
]

BLOCK = 512  # bytes; where parts of a file begin is counted in these


class Channel(NamedTuple):
    """One recorded channel: value in `unit` = number in the file x gain + offset."""

    name: str
    unit: str
    gain: float
    offset: float


class Epoch(NamedTuple):
    """One column of the waveform table of one analogue output; `*_step` is added once per sweep."""

    dac: int
    number: int
    kind: int  # 1 step, 2 ramp, 3 pulse train, 4 triangle train, 5 cosine train, 7 biphasic train
    level: float
    level_step: float
    points: int
    points_step: int
    period: int
    width: int


class Digital(NamedTuple):
    """Digital outputs during one epoch: bits held high, bits given as a train; and on alternate sweeps."""

    bits: int
    train: int
    alternate_bits: int
    alternate_train: int


@dataclass(frozen=True)
class Protocol:
    """The outputs as programmed; `dacs` maps each analogue output that epochs drive to its holding level."""

    epochs: tuple[Epoch, ...] = ()
    dacs: dict[int, float] = field(default_factory=dict)
    digital: dict[int, Digital] = field(default_factory=dict)
    digital_dac: int = 0
    digital_holding: int = 0
    alternate_digital: bool = False
    alternate_dac: bool = False
    user_list: bool = False


class Header(NamedTuple):
    """What a header says, before sweeps are worked out and checked."""

    version: str
    mode: int
    channels: list[Channel]
    interval_us: float  # between points of one channel
    synch_unit_us: float  # 0: the time between two values, of whatever channel
    synch: NDArray[Any]  # start and length of each sweep
    interval_s: float  # start to start as programmed; 0 when not said
    n_sweeps: int
    n_values: int
    values_per_sweep: int
    data_start: int
    dtype: str  # '' when unknown
    recorded_at: datetime | None
    tags: list[tuple[int, str]]
    protocol: Protocol


def damaged(detail: str) -> RecordingError:
    """A header that contradicts itself or the file; `open_abf` adds which file."""
    return _copy_again(f"the header is damaged ({detail})")


def truncated(detail: str) -> RecordingError:
    """A file that ends too early; `open_abf` adds which file."""
    return _copy_again(f"the file is truncated{detail}")


def _copy_again(found: str) -> RecordingError:
    return RecordingError(found, todo="copy the file again from the recording computer")


def refuse_cut(n_sweeps: int, n_values: int, held: int) -> None:
    """Refuse a file that holds fewer values than its header promises."""
    held = max(held, 0)
    if n_values <= held:
        return
    if n_sweeps > 1:
        whole = held * n_sweeps // n_values
        raise truncated(f": its header promises {n_sweeps} sweeps, the file holds {whole}")
    raise truncated(f": its header promises {n_values} values, the file holds {held}")


def entries(file: BinaryIO, section: tuple[int, int, int], fields: list[Any]) -> NDArray[Any]:
    """The `fields` with which each entry of a section (start, width of an entry, count) begins."""
    start, width, count = section
    packed = np.dtype(fields)
    if not start or not count:
        return np.zeros(0, packed)
    file.seek(start)
    data = file.read(width * count)
    if len(data) < width * count:
        raise truncated(" within its header")
    known = np.frombuffer(data, np.uint8).reshape(count, width)[:, : packed.itemsize]
    return np.ascontiguousarray(known).view(packed)[:, 0]


def synch_entries(file: BinaryIO, section: tuple[int, int, int]) -> NDArray[Any]:
    """When each sweep began and how many values it has."""
    return entries(file, section, [("start", "<i4"), ("length", "<i4")])


def tag_entries(file: BinaryIO, section: tuple[int, int, int]) -> list[tuple[int, str]]:
    """Time and comment of each tag."""
    tags = entries(file, section, [("time", "<i4"), ("comment", "S56")])
    return [(int(tag["time"]), text_of(tag["comment"])) for tag in tags]


def gain_of(range_v: float, resolution: int, factors: list[float]) -> float:
    """Volts at the input over the product of all amplification; 0 when it cannot be worked out."""
    product = float(np.prod(np.asarray(factors, float)))
    gain = range_v / resolution / product if resolution and product else 0.0
    return gain if np.isfinite(gain) else 0.0


def text_of(raw: bytes) -> str:
    """Text of a header: UTF-8, or the Windows code page of old files, where one byte is the micro sign.

    >>> text_of(b"\\xb5V      "), text_of(b"")
    ('µV', '?')
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    text = "".join(c for c in text.replace("\u03bc", "\u00b5") if c.isprintable())
    return text.strip() or "?"


def date_time(yyyymmdd: int, milliseconds: int) -> datetime | None:
    """Date and time in the header, or None when there is none worth the name."""
    try:
        year, month, day = yyyymmdd // 10000, yyyymmdd // 100 % 100, yyyymmdd % 100
        day_start = datetime(year, month, day)
    except ValueError:
        return None
    return day_start + timedelta(milliseconds=milliseconds) if 1980 <= year < 2200 else None

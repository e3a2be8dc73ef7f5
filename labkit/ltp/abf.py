"""What one ABF file says of itself: channels, sweeps and their true times, tags, protocol, place of the data.

Notation: a file holds N sweeps of C channels; one *frame* is the C values taken at one instant, so that a
sweep of M points is M frames. pyABF reads the fixed headers. The synch array (when each sweep began and how
long it was), the digital outputs with their trains and alternate patterns, units, strings and rates are read
here from the bytes, because pyABF leaves them out, rounds them or mistakes them. Offsets follow Axon's ABF
header description.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.errors import RecordingError

__all__ = ["AbfFile", "Channel", "Epoch", "Protocol", "open_abf"]

_BLOCK = 512
_GAP_FREE, _EPISODIC = 3, 5
_MODES = {
    1: "variable-length events",
    2: "fixed-length events",
    3: "gap-free",
    4: "oscilloscope",
    5: "episodic",
}
# Where the table of sections of an ABF2 header names each section, and the bytes of an entry that are read
# here.
_SECTIONS = {
    "protocol": (76, 208),
    "adc": (92, 82),
    "dac": (108, 132),
    "digital": (124, 10),
    "epoch": (156, 30),
    "user list": (172, 10),
    "strings": (220, 1),
    "data": (236, 2),
    "tag": (252, 64),
    "synch": (316, 8),
}


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


@dataclass(frozen=True)
class AbfFile:
    """One ABF file, its data not yet read.

    `start_s` counts from the clock of the file; `first` and `lengths` are frames; `tags` are (seconds,
    comment).
    """

    path: Path
    version: str
    mode: str
    channels: tuple[Channel, ...]
    rate_hz: float
    start_s: NDArray[np.float64]
    first: NDArray[np.int64]
    lengths: NDArray[np.int64]
    data_start: int
    dtype: str
    size: int
    recorded_at: datetime | None
    tags: tuple[tuple[float, str], ...]
    protocol: Protocol
    warnings: tuple[str, ...]


class _Header(NamedTuple):
    """What either version of the format says, before sweeps are worked out and checked."""

    version: str
    mode: int
    channels: list[Channel]
    interval_us: float  # between frames
    synch_unit_us: float
    synch: NDArray[np.int64]
    interval_s: float  # start to start as programmed; 0 when not said
    n_sweeps: int
    n_values: int
    values_per_sweep: int
    data_start: int
    dtype: str
    recorded_at: datetime | None
    tags: list[tuple[int, str]]
    protocol: Protocol


# Fields of entries, from their start; V stands for bytes that are passed over.
_SYNCH = [("start", "<i4"), ("length", "<i4")]
_TAG = [("time", "<i4"), ("comment", "S56")]
_DIGITAL = [("number", "<i2"), *((name, "<i2") for name in Digital._fields)]
_EPOCH = [(name, "<i2") for name in ("number", "dac", "kind")]
_EPOCH += [("level", "<f4"), ("level_step", "<f4")]
_EPOCH += [(name, "<i4") for name in ("points", "points_step", "period", "width")]
_DAC = [("number", "<i2"), ("_1", "V14"), ("holding", "<f4"), ("_2", "V20"), ("on", "<i2"), ("source", "<i2")]
_USER_LIST = [("_1", "V4"), ("parameter", "<i2")]


def open_abf(path: str | Path) -> AbfFile:
    """Read the header of an ABF1 or ABF2 file and check it against the size of the file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    AbfFile
        Everything but the data. Start times are those of the synch array; without one they are taken from the
        programmed interval, or else back to back, and `warnings` says so.

    Raises
    ------
    RecordingError
        If the file is missing, unreadable, not an ABF, cut short, or says impossible things of itself.

    Examples
    --------
    >>> open_abf("no such file.abf")
    Traceback (most recent call last):
    labkit.errors.RecordingError: no such file.abf: there is no such file; check the name and the folder.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise RecordingError("this is a folder", expected="an ABF file", todo="name the file", where=path)
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            signature = file.read(4)
            if signature not in (b"ABF ", b"ABF2"):
                what = "the file is empty" if size == 0 else "the file is not an ABF file"
                raise RecordingError(
                    what, expected="a recording by Clampex or AxoScope", todo=_COPY, where=path
                )
            header = _parse(file, size, signature, path)
    except FileNotFoundError:
        found, todo = "there is no such file", "check the name and the folder"
        raise RecordingError(found, todo=todo, where=path) from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or str(error)
        raise RecordingError(f"the file cannot be opened ({reason})", where=path) from None
    return _checked(header, size, path)


_COPY = "copy the file again from the recording computer"


def _parse(file: BinaryIO, size: int, signature: bytes, path: Path) -> _Header:
    parse = _parse_abf2 if signature == b"ABF2" else _parse_abf1
    try:
        with np.errstate(all="ignore"):
            return parse(file, size)
    except _Broken as broken:
        raise RecordingError(str(broken), todo=_COPY, where=path) from None
    except struct.error:
        raise RecordingError("the file is truncated within its header", todo=_COPY, where=path) from None
    except (ValueError, LookupError, ArithmeticError, TypeError, AssertionError) as error:
        # pyABF answers damaged headers with whatever Python raises first.
        raise RecordingError(f"the header is damaged ({error})", todo=_COPY, where=path) from None


class _Broken(Exception):
    """What is wrong with a header, as a clause."""


def _refuse_cut(n_sweeps: int, n_values: int, held: int) -> None:
    """Refuse a file that holds fewer values than its header promises."""
    held = max(held, 0)
    if n_values <= held:
        return
    if n_sweeps > 1:
        whole = held * n_sweeps // n_values
        raise _Broken(f"the file is truncated: its header promises {n_sweeps} sweeps, the file holds {whole}")
    raise _Broken(f"the file is truncated: its header promises {n_values} values, the file holds {held}")


def _read(file: BinaryIO, offset: int, dtype: str, count: int) -> NDArray[Any]:
    """`count` items from `offset`; the callers have checked that they are few."""
    file.seek(offset)
    n_bytes = np.dtype(dtype).itemsize * count
    data = file.read(n_bytes)
    if len(data) < n_bytes:
        raise _Broken("the file is truncated within its header")
    return np.frombuffer(data, dtype)


def _parse_abf2(file: BinaryIO, size: int) -> _Header:
    sections = {}
    for name, (offset, least) in _SECTIONS.items():
        block, width = (int(value) for value in _read(file, offset, "<u4", 2))
        count = int(_read(file, offset + 8, "<i8", 1)[0])
        if count and (count < 0 or width < least or width > size):
            raise _Broken(f"the header is damaged (its {name} section has {count} entries of {width} bytes)")
        sections[name] = (block * _BLOCK, width, count)
    data_start, data_width, n_values = sections["data"]
    _refuse_cut(int(_read(file, 12, "<u4", 1)[0]), n_values, (size - data_start) // max(data_width, 1))
    for name, (start, width, count) in sections.items():
        # The strings are one heap, however many they are; their width is that of all.
        if count and start + width * (1 if name == "strings" else count) > size:
            raise _Broken(f"the file is truncated: its {name} section lies beyond its end")
    for name in ("protocol", "adc"):
        if not 1 <= sections[name][2] <= 64:
            raise _Broken(f"the header is damaged (its {name} section has {sections[name][2]} entries)")
    if max(sections[name][2] for name in ("dac", "digital", "epoch", "user list")) > 1000:
        raise _Broken("the header is damaged (its protocol has more than 1000 entries)")

    from pyabf.abf2.adcSection import ADCSection
    from pyabf.abf2.headerV2 import HeaderV2
    from pyabf.abf2.protocolSection import ProtocolSection

    head, protocol, adc = HeaderV2(file), ProtocolSection(file), ADCSection(file)
    strings = _strings(file, sections["strings"])
    channels = []
    for i in range(sections["adc"][2]):
        factors = [adc.fInstrumentScaleFactor[i], adc.fSignalGain[i], adc.fADCProgrammableGain[i]]
        if adc.nTelegraphEnable[i] == 1:
            factors.append(adc.fTelegraphAdditGain[i])
        gain = _gain(protocol.fADCRange, protocol.lADCResolution, factors)
        offset = adc.fInstrumentOffset[i] - adc.fSignalOffset[i]
        name, unit = (_string(strings, k) for k in (adc.lADCChannelNameIndex[i], adc.lADCUnitsIndex[i]))
        channels.append(Channel(name, unit, gain, offset))
    dtype = {(0, 2): "<i2", (1, 4): "<f4"}.get((head.nDataFormat, data_width), "")
    return _Header(
        version=f"ABF {head.abfVersionDict['major']}.{head.abfVersionDict['minor']}",
        mode=protocol.nOperationMode,
        channels=channels,
        interval_us=protocol.fADCSequenceInterval,
        synch_unit_us=protocol.fSynchTimeUnit,
        synch=_entries(file, sections["synch"], _SYNCH),
        interval_s=protocol.fEpisodeStartToStart,
        n_sweeps=head.lActualEpisodes,
        n_values=n_values,
        values_per_sweep=protocol.lNumSamplesPerEpisode,
        data_start=data_start,
        dtype=dtype,
        recorded_at=_date(head.uFileStartDate, head.uFileStartTimeMS),
        tags=_tags(_entries(file, sections["tag"], _TAG)),
        protocol=Protocol(
            epochs=tuple(
                Epoch(*(row[name].item() for name in Epoch._fields))
                for row in _entries(file, sections["epoch"], _EPOCH)
            ),
            dacs={
                int(row["number"]): float(row["holding"])
                for row in _entries(file, sections["dac"], _DAC)
                if row["on"] and row["source"] == 1
            },
            digital={
                int(row["number"]): Digital(*(int(row[k]) & 0xFFFF for k in Digital._fields))
                for row in _entries(file, sections["digital"], _DIGITAL)
            }
            if protocol.nDigitalEnable
            else {},
            digital_dac=protocol.nActiveDACChannel,
            digital_holding=protocol.nDigitalHolding & 0xFFFF,
            alternate_digital=bool(protocol.nAlternateDigitalOutputState),
            alternate_dac=bool(protocol.nAlternateDACOutputState),
            # The third number of an entry is the parameter that varies; 0 stands in unused entries.
            user_list=bool((_entries(file, sections["user list"], _USER_LIST)["parameter"] > 0).any()),
        ),
    )


# In files as old as these the header ends at byte 2048, and what lies beyond are data.
_OLD_HEADER = 2048


def _parse_abf1(file: BinaryIO, size: int) -> _Header:
    version, mode, n_values, skipped, n_sweeps = struct.unpack("<fhihi", _read(file, 4, "u1", 16).tobytes())
    data_block, tag_block, n_tags = (int(value) for value in _read(file, 40, "<i4", 3))
    synch_block, n_synch = (int(value) for value in _read(file, 92, "<i4", 2))
    n_channels = int(_read(file, 120, "<i2", 1)[0])
    if not 1 <= n_channels <= 16:
        raise _Broken(f"the header is damaged (it counts {n_channels} channels)")
    if not 4 <= data_block <= size // _BLOCK + 1 or n_values < 0 or skipped < 0:
        raise _Broken("the header is damaged (it says impossible things of where the data lie)")
    width = 4 if _read(file, 100, "<i2", 1)[0] == 1 else 2
    _refuse_cut(n_sweeps, n_values, (size - data_block * _BLOCK) // width - skipped)
    for name, block, count, each in (("synch", synch_block, n_synch, 8), ("tag", tag_block, n_tags, 64)):
        if block < 0 or count < 0:
            raise _Broken(f"the header is damaged (its {name} section has {count} entries)")
        if block and count and block * _BLOCK + count * each > size:
            raise _Broken(f"the file is truncated: its {name} section lies beyond its end")
    file.seek(0)
    raw = file.read(data_block * _BLOCK)[:6144].ljust(6144, b"\0")  # short headers: the rest counts as zero
    extended = data_block * _BLOCK > _OLD_HEADER and version >= 1.6

    def at(offset: int, dtype: str, count: int) -> list[Any]:
        known = extended or offset < _OLD_HEADER
        return np.frombuffer(raw, dtype, count, offset).tolist() if known else [0] * count

    range_v, resolution = at(244, "<f4", 1)[0], at(252, "<i4", 1)[0]
    names, units = at(442, "S10", 16), at(602, "S8", 16)
    tables = [at(offset, "<f4", 16) for offset in (922, 1050, 730, 4576, 986, 1114)]
    telegraphed = at(4512, "<i2", 16)
    channels = []
    for k in at(410, "<i2", 16)[:n_channels]:
        if not 0 <= k < 16:
            raise _Broken(f"the header is damaged (it samples from input {k})")
        scale, signal, programmable, telegraph, instrument_offset, signal_offset = (
            table[k] for table in tables
        )
        gain = _gain(range_v, resolution, [scale, signal, programmable] + [telegraph] * (telegraphed[k] == 1))
        channels.append(Channel(_text(names[k]), _text(units[k]), gain, instrument_offset - signal_offset))
    interval_us = at(122, "<f4", 1)[0] * n_channels
    data_format = at(100, "<i2", 1)[0]
    dtype = {0: "<i2", 1: "<f4"}.get(data_format, "")
    date, seconds = at(20, "<i4", 2)
    return _Header(
        version=f"ABF {version:.2f}",
        mode=mode,
        channels=channels,
        interval_us=interval_us,
        synch_unit_us=at(130, "<f4", 1)[0],
        synch=_entries(file, (synch_block * _BLOCK, 8, n_synch), _SYNCH),
        interval_s=at(178, "<f4", 1)[0],
        n_sweeps=n_sweeps,
        n_values=n_values,
        values_per_sweep=at(138, "<i4", 1)[0],
        data_start=data_block * _BLOCK + skipped * width,
        dtype=dtype,
        recorded_at=_date(date, seconds * 1000 + at(366, "<i2", 1)[0]),
        tags=_tags(_entries(file, (tag_block * _BLOCK, 64, n_tags if tag_block else 0), _TAG)),
        protocol=_protocol_abf1(at) if extended else Protocol(),
    )


def _protocol_abf1(at: Any) -> Protocol:
    """Waveform and digital outputs of an ABF1 header: ten epochs on each of two analogue outputs."""
    tables = [
        at(offset, dtype, 20)
        for offset, dtype in [(2308, "<i2"), (2348, "<f4"), (2428, "<f4")]
        + [(offset, "<i4") for offset in (2508, 2588, 2136, 2216)]
    ]
    epochs = tuple(Epoch(i // 10, i % 10, *row) for i, row in enumerate(zip(*tables, strict=True)) if row[0])
    digital = zip(*(at(offset, "<i2", 10) for offset in (1588, 2668, 5878, 5898)), strict=True)
    holding = at(5298, "<f4", 4)
    return Protocol(
        epochs=epochs,
        dacs={
            dac: holding[dac]
            for dac, on, source in zip(range(2), at(2296, "<i2", 2), at(2300, "<i2", 2), strict=True)
            if on and source == 1
        },
        digital={i: Digital(*(bits & 0xFFFF for bits in row)) for i, row in enumerate(digital)}
        if at(1436, "<i2", 1)[0]
        else {},
        digital_dac=at(1440, "<i2", 1)[0],
        digital_holding=at(1584, "<i2", 1)[0] & 0xFFFF,
        alternate_digital=bool(at(5918, "<i2", 1)[0]),
        alternate_dac=bool(at(5876, "<i2", 1)[0]),
        user_list=any(at(3360, "<i2", 4)),
    )


def _entries(file: BinaryIO, section: tuple[int, int, int], fields: list[Any]) -> NDArray[Any]:
    """The entries of one section, whose own width may exceed the fields that are read."""
    start, width, count = section
    packed = np.dtype(fields)
    if not start or not count:
        return np.zeros(0, packed)
    described = {
        "names": packed.names,
        "formats": [packed[name] for name in packed.names],
        "offsets": [packed.fields[name][1] for name in packed.names],
        "itemsize": width,
    }
    file.seek(start)
    data = file.read(width * count)
    if len(data) < width * count:
        raise _Broken("the file is truncated within its header")
    return np.frombuffer(data, np.dtype(described), count)


def _gain(range_v: float, resolution: int, factors: list[float]) -> float:
    """Volts at the input over the product of all amplification; 0 when it cannot be worked out."""
    product = float(np.prod(np.asarray(factors, float)))
    gain = range_v / resolution / product if resolution and product else 0.0
    return gain if np.isfinite(gain) else 0.0


def _strings(file: BinaryIO, section: tuple[int, int, int]) -> list[str]:
    """The strings that ABF2 headers point to by number, from 1; 44 bytes of description come before them."""
    start, width, count = section
    if not count:
        return []
    file.seek(start)
    raw = file.read(width)
    if raw[:4] != b"SSCH":
        raise _Broken("the header is damaged (its strings cannot be found)")
    return ["", *(_text(string) for string in raw[44:].split(b"\0"))]


def _string(strings: list[str], index: int) -> str:
    return strings[index] if 0 < index < len(strings) else "?"


def _text(raw: bytes) -> str:
    """Text of a header: UTF-8, or the Windows code page of old files, where one byte is the micro sign."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    text = "".join(c for c in text.replace("\u03bc", "\u00b5") if c.isprintable())
    return text.strip() or "?"


def _tags(entries: NDArray[Any]) -> list[tuple[int, str]]:
    return [(int(entry["time"]), _text(entry["comment"])) for entry in entries]


def _date(yyyymmdd: int, milliseconds: int) -> datetime | None:
    """Date and time in the header, or None when there is none worth the name."""
    try:
        year, month, day = yyyymmdd // 10000, yyyymmdd // 100 % 100, yyyymmdd % 100
        day_start = datetime(year, month, day)
    except ValueError:
        return None
    return day_start + timedelta(milliseconds=milliseconds) if 1980 <= year < 2200 else None


def _checked(header: _Header, size: int, path: Path) -> AbfFile:
    """Work out the sweeps, and refuse a file that does not hold what it promises."""
    warnings: list[str] = []

    def refuse(found: str, todo: str = _COPY) -> None:
        raise RecordingError(found, todo=todo, where=path)

    if header.mode not in _MODES:
        refuse(f"the header is damaged (acquisition mode {header.mode})")
    if not header.dtype:
        refuse("the header is damaged (it says neither integers nor floats of the data)")
    if not (np.isfinite(header.interval_us) and 0.1 <= header.interval_us <= 1e7):
        refuse(f"the header is damaged (a sampling interval of {header.interval_us:g} µs)")
    if header.n_values <= 0:
        refuse("the recording holds no points", "record it again, or leave it out")
    if header.n_sweeps <= 0 and header.mode != _GAP_FREE:
        refuse("the recording holds no sweeps", "record it again, or leave it out")
    n_channels = len(header.channels)
    lengths = _lengths(header, warnings, refuse)
    if (lengths % n_channels).any():
        refuse(f"the header is damaged (sweeps that do not divide by {n_channels} channels)")
    frames = lengths // n_channels
    start_s = _starts(header, frames, warnings)
    unit_s = (header.synch_unit_us or header.interval_us / n_channels) * 1e-6
    tags = [(time * unit_s, comment) for time, comment in header.tags if np.isfinite(unit_s)]
    return AbfFile(
        path=path,
        version=header.version,
        mode=_MODES[header.mode],
        channels=tuple(header.channels),
        rate_hz=1e6 / header.interval_us,
        start_s=start_s,
        first=np.r_[0, np.cumsum(frames)[:-1]],
        lengths=frames,
        data_start=header.data_start,
        dtype=header.dtype,
        size=size,
        recorded_at=header.recorded_at,
        tags=tuple(tags),
        protocol=header.protocol if header.mode == _EPISODIC else Protocol(),
        warnings=tuple(warnings),
    )


def _lengths(header: _Header, warnings: list[str], refuse: Any) -> NDArray[np.int64]:
    """Values in each sweep, all channels together; they follow one another without gaps in the file."""
    synch = header.synch["length"].astype(np.int64)
    if len(synch) and (synch <= 0).any():
        refuse("the header is damaged (its synch array has sweeps without points)")
    if header.mode == _GAP_FREE and len(synch) < 2:
        return np.array([header.n_values])
    if len(synch) and synch.sum() == header.n_values:
        if len(synch) != header.n_sweeps:
            warnings.append(
                f"the header counts {header.n_sweeps} sweeps, its synch array {len(synch)}, which is used"
            )
        return synch
    if header.mode in (1, _GAP_FREE):
        refuse(
            f"the header is damaged (its synch array accounts for {synch.sum()} of {header.n_values} values)"
        )
    each = header.values_per_sweep
    if len(synch) and (synch == synch[0]).all() and each != synch[0]:
        refuse(f"the header is damaged (sweeps of {each} and of {synch[0]} values)")
    if each <= 0:
        refuse("the header is damaged (sweeps without points)")
    n_sweeps = min(header.n_values // each, header.n_sweeps)
    if n_sweeps == 0:
        refuse(f"the recording holds no whole sweep ({header.n_values} of {each} values)", "leave it out")
    if n_sweeps < header.n_sweeps:
        warnings.append(f"of {header.n_sweeps} sweeps {n_sweeps} are whole; the rest is left out")
    elif n_sweeps * each < header.n_values:
        warnings.append(f"{header.n_values - n_sweeps * each} values after the last whole sweep are left out")
    return np.full(n_sweeps, each, np.int64)


def _starts(header: _Header, frames: NDArray[np.int64], warnings: list[str]) -> NDArray[np.float64]:
    """When each sweep began, in seconds on the clock of the file."""
    length_s = frames * header.interval_us * 1e-6
    if len(header.synch) >= len(frames):
        ticks = header.synch["start"][: len(frames)].astype(np.int64)
        # The counter has 32 bits: in long recordings it starts again from the bottom.
        ticks = ticks[0] + np.r_[0, np.cumsum(np.diff(ticks) % 2**32)]
        start_s = ticks * (header.synch_unit_us or header.interval_us / len(header.channels)) * 1e-6
        # Half a millisecond for starts that were rounded to their unit.
        if np.isfinite(start_s).all() and (np.diff(start_s) >= length_s[:-1] - 5e-4).all():
            return start_s
        warnings.append(
            "the start times of the sweeps in the header contradict their lengths and are not used"
        )
    if len(frames) == 1:
        return np.zeros(1)
    interval_s = header.interval_s
    if np.isfinite(interval_s) and length_s.max() <= interval_s < 1e5:
        warnings.append(
            f"the file does not say when its sweeps began; taken as every {interval_s:g} s as programmed"
        )
        return np.arange(len(frames)) * float(interval_s)
    warnings.append(
        "the file does not say when its sweeps began; taken as back to back, so times may be too short"
    )
    return np.r_[0.0, np.cumsum(length_s)[:-1]]

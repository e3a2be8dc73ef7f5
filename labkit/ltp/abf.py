"""One ABF file, opened and checked: its sweeps and their true times, and the place of its data.

Notation: a file holds N sweeps of C channels; one *frame* is the C values taken at one instant, so that a
sweep of M points is M frames. Sweeps and their start times are worked out here, from the synch array when the
header has a sound one, and a file that does not hold what it promises is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labkit.errors import RecordingError
from labkit.ltp.abf1 import parse_abf1
from labkit.ltp.abf2 import parse_abf2
from labkit.ltp.abf_header import Channel, Header, Protocol, damaged, truncated

__all__ = ["AbfFile", "open_abf"]

_GAP_FREE, _EPISODIC = 3, 5
_MODES = {
    1: "variable-length events",
    2: "fixed-length events",
    3: "gap-free",
    4: "oscilloscope",
    5: "episodic",
}


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
        header, size = _read_header(path)
        return _checked(header, size, path)
    except RecordingError as error:
        raise RecordingError(error.found, expected=error.expected, todo=error.todo, where=path) from None


def _read_header(path: Path) -> tuple[Header, int]:
    """What the header says, and the size of the file."""
    try:
        if path.is_dir():
            raise RecordingError("this is a folder", expected="an ABF file", todo="name the file")
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            parse = {b"ABF ": parse_abf1, b"ABF2": parse_abf2}.get(file.read(4))
            if parse is None:
                raise RecordingError(
                    "the file is not an ABF file" if size else "the file is empty",
                    expected="a recording by Clampex or AxoScope",
                    todo="copy the file again from the recording computer",
                )
            try:
                with np.errstate(all="ignore"):
                    return parse(file, size), size
            except struct.error:
                raise truncated(" within its header") from None
            except (ValueError, LookupError, ArithmeticError, TypeError, AssertionError) as error:
                # pyABF answers damaged headers with whatever Python raises first.
                raise damaged(str(error)) from None
    except FileNotFoundError:
        raise RecordingError("there is no such file", todo="check the name and the folder") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or str(error)
        raise RecordingError(f"the file cannot be opened ({reason})") from None


def _checked(header: Header, size: int, path: Path) -> AbfFile:
    """Work out the sweeps, and refuse a file that does not hold what it promises."""
    if header.mode not in _MODES:
        raise damaged(f"acquisition mode {header.mode}")
    if not header.dtype:
        raise damaged("it says neither integers nor floats of the data")
    if not (np.isfinite(header.interval_us) and 0.1 <= header.interval_us <= 1e7):
        raise damaged(f"a sampling interval of {header.interval_us:g} µs")
    for what, count in (("points", header.n_values), ("sweeps", header.n_sweeps)):
        if count <= 0 and (what, header.mode) != ("sweeps", _GAP_FREE):
            raise RecordingError(f"the recording holds no {what}", todo="record it again, or leave it out")
    n_channels = len(header.channels)
    warnings: list[str] = []
    n_values = _lengths(header, warnings)
    if (n_values % n_channels).any():
        raise damaged(f"sweeps that do not divide by {n_channels} channels")
    frames = n_values // n_channels
    tick_us = header.synch_unit_us or header.interval_us / n_channels
    return AbfFile(
        path=path,
        version=header.version,
        mode=_MODES[header.mode],
        channels=tuple(header.channels),
        rate_hz=1e6 / header.interval_us,
        start_s=_starts(header, frames, tick_us, warnings),
        first=np.r_[0, np.cumsum(frames)[:-1]],
        lengths=frames,
        data_start=header.data_start,
        dtype=header.dtype,
        size=size,
        recorded_at=header.recorded_at,
        tags=tuple((time * (tick_us * 1e-6), text) for time, text in header.tags if np.isfinite(tick_us)),
        protocol=header.protocol if header.mode == _EPISODIC else Protocol(),
        warnings=tuple(warnings),
    )


def _lengths(header: Header, warnings: list[str]) -> NDArray[np.int64]:
    """Values in each sweep, all channels together; they follow one another without gaps in the file."""
    synch = header.synch["length"].astype(np.int64)
    if (synch <= 0).any():
        raise damaged("its synch array has sweeps without points")
    if header.mode == _GAP_FREE and len(synch) < 2:
        return np.array([header.n_values])
    if len(synch) and synch.sum() == header.n_values:
        if len(synch) != header.n_sweeps:
            warnings.append(
                f"the header counts {header.n_sweeps} sweeps, its synch array {len(synch)}, which is used"
            )
        return synch
    if header.mode in (1, _GAP_FREE):
        raise damaged(f"its synch array accounts for {synch.sum()} of {header.n_values} values")
    each = header.values_per_sweep
    if len(synch) and (synch == synch[0]).all() and each != synch[0]:
        raise damaged(f"sweeps of {each} and of {synch[0]} values")
    if each <= 0:
        raise damaged("sweeps without points")
    n_sweeps = min(header.n_values // each, header.n_sweeps)
    if n_sweeps == 0:
        found = f"the recording holds no whole sweep ({header.n_values} of {each} values)"
        raise RecordingError(found, todo="leave it out")
    if n_sweeps < header.n_sweeps:
        warnings.append(f"of {header.n_sweeps} sweeps {n_sweeps} are whole; the rest is left out")
    elif n_sweeps * each < header.n_values:
        warnings.append(f"{header.n_values - n_sweeps * each} values after the last whole sweep are left out")
    return np.full(n_sweeps, each, np.int64)


def _starts(
    header: Header, frames: NDArray[np.int64], tick_us: float, warnings: list[str]
) -> NDArray[np.float64]:
    """When each sweep began, in seconds on the clock of the file."""
    length_s = frames * header.interval_us * 1e-6
    if len(header.synch) >= len(frames):
        ticks = header.synch["start"][: len(frames)].astype(np.int64)
        # The counter has 32 bits: in long recordings it starts again from the bottom.
        ticks = ticks[0] + np.r_[0, np.cumsum(np.diff(ticks) % 2**32)]
        start_s = ticks * tick_us * 1e-6
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

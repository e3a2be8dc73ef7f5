"""A recording: the sweeps of one channel from one or more files, on one clock, with stimuli and pathways.

Notation: N sweeps of up to M points; windows are k x n. Data stay in the files: they are mapped when asked
for, one stretch at a time, so that memory holds what is asked for and no more. A `Recording` therefore
pickles in a few bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labkit.errors import RecordingError
from labkit.ltp import stimuli as _stimuli
from labkit.ltp.abf import AbfFile, open_abf
from labkit.ltp.abf_header import Channel

__all__ = ["Recording", "read"]

_TO_MV = {"v": 1e3, "mv": 1.0, "uv": 1e-3}
# Evoked field potentials lie in this range; what lies outside is more often a wrong unit than a response.
_PLAUSIBLE_MV = (0.02, 10.0)
_INDUCTION = re.compile(
    r"\b(HFS|TBS|LFS|theta|tetan\w*|high[- ]freq\w*|low[- ]freq\w*|(LTP|LTD) ?ind\w*|induc\w*)", re.I
)
_NOT_INDUCTION = re.compile(r"\b(no|not|without|before|pre|after|post|end|min|since|until)\b", re.I)
_ROWS_AT_ONCE = 256


class _Mapped(NamedTuple):
    """One channel of the data of one file."""

    path: Path
    size: int
    data_start: int
    dtype: str
    n_channels: int
    channel: int
    gain: float
    offset: float

    def frames(self, first: int, last: int) -> NDArray[Any]:
        """The raw values between two frames, as a map that is let go with its last reader."""
        start = self.data_start + first * self.n_channels * np.dtype(self.dtype).itemsize
        shape = (last - first, self.n_channels)
        return np.memmap(self.path, self.dtype, "r", start, shape)[:, self.channel]

    def check(self) -> None:
        try:
            size = self.path.stat().st_size
        except OSError:
            found, todo = "the file is no longer there", "put it back and read the recording again"
            raise RecordingError(found, todo=todo, where=self.path) from None
        if size != self.size:
            raise RecordingError(
                "the file has changed since it was read", todo="read it again", where=self.path
            )


class _Held(NamedTuple):
    """Data that are already in memory, sweep after sweep."""

    values: NDArray[np.float64]
    gain: float = 1.0
    offset: float = 0.0

    def frames(self, first: int, last: int) -> NDArray[Any]:
        return self.values[first:last]

    def check(self) -> None:
        pass


@dataclass(frozen=True)
class Recording:
    """Sweeps of one channel in mV, with when and how they were stimulated.

    Attributes
    ----------
    paths
        The files, in the order of recording.
    channel, unit
        Name of the channel; unit of the numbers given out: mV for a voltage, else as the file says.
    rate_hz
        Sampling rate, exact.
    n_sweeps, n_points
        Number of sweeps; points of the longest.
    lengths
        (N,) points of each sweep.
    start_s
        (N,) start of each sweep in seconds since the start of the first.
    file_index
        (N,) position in `paths`.
    recorded_at
        Date and time of the first file; None when its header has none.
    stimuli
        One row per stimulus: ``sweep``, ``time_ms`` (of its first pulse, within the sweep), ``pulses``,
        ``interval_ms`` (NaN for one pulse), ``kind`` (test, pair, HFS, TBS, LFS, train), ``source`` (digital,
        DAC, artefact, given).
    pathway
        (N,) name of the pathway stimulated: S0, S1, ...
    tags
        ``time_s`` (since the start of the first sweep), ``comment``, ``sweep`` (the one last begun).
    induction_s
        Start of the last induction, in the clock of `start_s`; NaN when none is known.
    warnings
        What a reader should know, in words.
    """

    paths: tuple[Path, ...]
    channel: str
    unit: str
    rate_hz: float
    lengths: NDArray[np.int64]
    start_s: NDArray[np.float64]
    file_index: NDArray[np.int64]
    recorded_at: datetime | None
    stimuli: pd.DataFrame
    pathway: NDArray[np.str_]
    tags: pd.DataFrame
    induction_s: float
    warnings: tuple[str, ...]
    _first: NDArray[np.int64] = field(repr=False)
    _sources: tuple[_Mapped | _Held, ...] = field(repr=False)

    def __repr__(self) -> str:
        return (
            f"Recording({', '.join(path.name for path in self.paths) or 'arrays'}: channel {self.channel}, "
            f"{self.n_sweeps} sweeps x {self.n_points} points at {self.rate_hz:g} Hz)"
        )

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def n_sweeps(self) -> int:
        return len(self.lengths)

    @property
    def n_points(self) -> int:
        return int(self.lengths.max())

    @property
    def sweeps_mV(self) -> NDArray[np.float64]:
        """(N, M) all sweeps, NaN after the end of the shorter ones. Read anew at every use."""
        return self.segments_mV(np.arange(self.n_sweeps), 0, self.n_points)

    def segments_mV(self, sweeps: ArrayLike, start_points: ArrayLike, n_points: int) -> NDArray[np.float64]:
        """Windows cut from sweeps, without reading the rest.

        Parameters
        ----------
        sweeps
            (k,) sweep of each window.
        start_points
            (k,) or one for all: point of the sweep at which the window starts; may be negative.
        n_points
            Length of every window.

        Returns
        -------
        ndarray
            (k, n) values; points outside the sweep are NaN.

        Raises
        ------
        RecordingError
            If a sweep does not exist, or a file has changed or gone since it was read.

        Examples
        --------
        >>> recording = Recording.from_arrays([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], rate_hz=1000, stimuli=1.0)
        >>> recording.segments_mV([1, 0], [1, -1], 2).tolist()
        [[4.0, 5.0], [nan, 0.0]]
        """
        sweeps = np.atleast_1d(np.asarray(sweeps, np.int64))
        starts = np.broadcast_to(np.asarray(start_points, np.int64), sweeps.shape)
        if len(sweeps) and not 0 <= sweeps.min() <= sweeps.max() < self.n_sweeps:
            expected = f"0 to {self.n_sweeps - 1}"
            raise RecordingError(f"sweep {sweeps.max()} was asked for", expected=expected, where=self._where)
        if n_points < 1:
            raise RecordingError(f"a window of {n_points} points was asked for", expected="1 or more")
        out = np.full((len(sweeps), n_points), np.nan)
        files = self.file_index[sweeps]
        for index in np.unique(files):
            self._sources[index].check()
            rows = np.flatnonzero(files == index)
            # A few rows at a time: a page of the file stays in memory as long as its map.
            for at in range(0, len(rows), _ROWS_AT_ONCE):
                with np.errstate(invalid="ignore", over="ignore"):  # what is no number in the file stays none
                    self._fill(out, rows[at : at + _ROWS_AT_ONCE], sweeps, starts, self._sources[index])
        return out

    def _fill(self, out: Any, rows: Any, sweeps: Any, starts: Any, source: _Mapped | _Held) -> None:
        n_points = out.shape[1]
        first, length, start = self._first[sweeps[rows]], self.lengths[sweeps[rows]], starts[rows]
        lowest, highest = int(first.min()), int((first + length).max())
        frames = source.frames(lowest, highest)
        inside = (start >= 0) & (start + n_points <= length)
        if inside.any():
            windows = np.lib.stride_tricks.sliding_window_view(frames, n_points)
            out[rows[inside]] = windows[(first + start - lowest)[inside]]
        for row, a, m, s in zip(*(x[~inside].tolist() for x in (rows, first, length, start)), strict=True):
            begin, end = max(0, s), min(m, s + n_points)
            if begin < end:
                out[row, begin - s : end - s] = frames[a - lowest + begin : a - lowest + end]
        out[rows] = out[rows] * source.gain + source.offset

    @property
    def _where(self) -> str:
        return ", ".join(path.name for path in self.paths)

    @classmethod
    def from_arrays(
        cls,
        sweeps_mV: ArrayLike,
        *,
        rate_hz: float,
        start_s: ArrayLike | None = None,
        stimuli: pd.DataFrame | ArrayLike | None = None,
        pathway: ArrayLike | None = None,
        tags: pd.DataFrame | None = None,
        induction_s: float | None = None,
        recorded_at: datetime | None = None,
        channel: str = "",
        unit: str = "mV",
    ) -> Recording:
        """A recording from arrays: simulated, or read from a format of one's own.

        Parameters
        ----------
        sweeps_mV
            (N, M) values in mV; NaN after the end of shorter sweeps.
        rate_hz
            Sampling rate.
        start_s
            (N,) start of each sweep; back to back when not given.
        stimuli
            The table of stimuli, of which ``sweep`` and ``time_ms`` must be there; or the time in ms of the
            stimulus (of each pulse, when several) within every sweep; or None: look for artefacts.
        pathway
            (N,) names; all S0 when not given.
        tags
            ``time_s`` and ``comment``.
        induction_s
            Start of induction; by default that of the last train, or of a tag that names one.
        recorded_at, channel, unit
            As in `Recording`.

        Raises
        ------
        RecordingError
            If the shapes do not fit one another.

        Examples
        --------
        >>> recording = Recording.from_arrays(np.zeros((3, 200)), rate_hz=10_000, stimuli=5.0)
        >>> recording.stimuli[["sweep", "time_ms", "kind"]].to_numpy().tolist()
        [[0, 5.0, 'test'], [1, 5.0, 'test'], [2, 5.0, 'test']]
        """
        values = np.asarray(sweeps_mV, float)
        if values.ndim != 2 or 0 in values.shape:
            raise RecordingError(
                f"the sweeps have the shape {values.shape}", expected="(sweeps, points), none empty"
            )
        if not (np.isfinite(rate_hz) and rate_hz > 0):
            raise RecordingError(f"the sampling rate is {rate_hz}", expected="a number of Hz above 0")
        n_sweeps, n_points = values.shape
        finite = ~np.isnan(values)
        lengths = np.where(finite.any(axis=1), n_points - np.argmax(finite[:, ::-1], axis=1), 0)
        if (lengths == 0).any():
            raise RecordingError(
                f"sweep {int(np.argmin(lengths))} holds nothing but NaN", todo="leave it out"
            )
        start = (
            np.r_[0.0, np.cumsum(lengths / rate_hz)[:-1]] if start_s is None else np.asarray(start_s, float)
        )
        names = np.full(n_sweeps, "S0") if pathway is None else np.asarray(pathway, str)
        for what, array in (("start_s", start), ("pathway", names)):
            if array.shape != (n_sweeps,):
                raise RecordingError(
                    f"{what} has the shape {array.shape}", expected=f"one for each of {n_sweeps} sweeps"
                )
        start = start - start[0]
        recording = cls(
            paths=(),
            channel=channel,
            unit=unit,
            rate_hz=float(rate_hz),
            lengths=lengths,
            start_s=start,
            file_index=np.zeros(n_sweeps, np.int64),
            recorded_at=recorded_at,
            stimuli=_stimuli.empty(),
            pathway=names,
            tags=_tag_table([] if tags is None else zip(tags["time_s"], tags["comment"], strict=True), start),
            induction_s=np.nan,
            warnings=(),
            _first=np.arange(n_sweeps) * n_points,
            _sources=(_Held(values.ravel()),),
        )
        warnings: list[str] = []
        if isinstance(stimuli, pd.DataFrame):
            table = _stimuli.complete(stimuli, n_sweeps=n_sweeps)
        elif stimuli is not None:
            table = _stimuli.given(stimuli, recording.lengths / rate_hz * 1e3)
        else:
            found = _stimuli.locate(recording, np.arange(n_sweeps), _stimuli.Programmed())
            table, warnings = found.table, list(found.warnings)
        when = _induction(table, start, recording.tags) if induction_s is None else float(induction_s)
        return replace(recording, stimuli=table, induction_s=when, warnings=tuple(warnings))


def read(
    paths: str | Path | Iterable[str | Path],
    *,
    channel: str | int | None = None,
    unit: str | None = None,
    stimulus_ms: ArrayLike | None = None,
) -> Recording:
    """Read one recording from an ABF file, or from several that continue one another.

    Parameters
    ----------
    paths
        The file or files. Several are joined in the order in which they were recorded, whatever their names.
    channel
        Name or number (from 0) of the channel; by default the first that records a voltage.
    unit
        What the numbers in the file really are, ``mV``, ``uV`` or ``V``, when the header is wrong.
    stimulus_ms
        Time of the stimulus (of each pulse, when several) within every sweep, when neither protocol nor
        artefact tells.

    Returns
    -------
    Recording
        Values in mV for a voltage; otherwise as they stand, with a warning. Stimuli come from the programmed
        digital and analogue outputs, moved onto the artefact when that is seen within 1 ms of them; failing
        those, from artefacts alone. Pathways come from the digital output that each sweep uses.

    Raises
    ------
    RecordingError
        If a file is missing, damaged or cut short, has no such channel, or does not continue the others.

    Examples
    --------
    >>> import tempfile
    >>> from labkit.demo import abf
    >>> sweeps, epochs = np.zeros((4, 400)), abf.stimulus(400, 50, bits=1, alternate=2)
    >>> file = Path(tempfile.mkdtemp()) / "a.abf"
    >>> path = abf.write_abf2(
    ...     file, sweeps, rate_hz=10_000, start_s=[0, 15, 30, 45], epochs=epochs, alternating=True
    ... )
    >>> recording = read(path)
    >>> recording.start_s.tolist(), recording.pathway.tolist(), recording.stimuli["time_ms"].tolist()
    ([0.0, 15.0, 30.0, 45.0], ['S0', 'S1', 'S0', 'S1'], [5.0, 5.0, 5.0, 5.0])
    """
    listed = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not listed:
        raise RecordingError("no file was named", expected="one ABF file or more")
    files, offsets, warnings = _in_order([open_abf(path) for path in listed])
    picked = [_pick_channel(file, channel, unit) for file in files]
    for file, choice in zip(files, picked, strict=True):
        where = f"{file.path.name}: " if len(files) > 1 else ""
        warnings += [
            where + text for text in (*file.warnings, *choice.warnings) if where + text not in warnings
        ]
    _same(files, picked)
    start_s = np.concatenate([file.start_s + offset for file, offset in zip(files, offsets, strict=True)])
    begin = start_s[0]
    file_index = np.repeat(np.arange(len(files)), [len(file.lengths) for file in files])
    tagged = [
        (round(time + offset - begin, 6), comment)
        for file, offset in zip(files, offsets, strict=True)
        for time, comment in file.tags
    ]
    recording = Recording(
        paths=tuple(file.path for file in files),
        channel=picked[0].channel.name,
        unit=picked[0].unit,
        rate_hz=files[0].rate_hz,
        lengths=np.concatenate([file.lengths for file in files]),
        start_s=start_s - begin,
        file_index=file_index,
        recorded_at=files[0].recorded_at,
        stimuli=_stimuli.empty(),
        pathway=np.full(len(file_index), "S0"),
        tags=_tag_table(tagged, start_s - begin),
        induction_s=np.nan,
        warnings=(),
        _first=np.concatenate([file.first for file in files]),
        _sources=tuple(
            _Mapped(
                path=file.path,
                size=file.size,
                data_start=file.data_start,
                dtype=file.dtype,
                n_channels=len(file.channels),
                channel=choice.index,
                gain=(choice.channel.gain if file.dtype == "<i2" else 1.0) * choice.to_mV,
                offset=(choice.channel.offset if file.dtype == "<i2" else 0.0) * choice.to_mV,
            )
            for file, choice in zip(files, picked, strict=True)
        ),
    )
    found, lines = [], []
    for index, file in enumerate(files):
        own = np.flatnonzero(file_index == index)
        programmed = _stimuli.programmed(file.protocol, recording.lengths[own], recording.rate_hz)
        lines.append(programmed.lines(len(own)))
        if stimulus_ms is None:
            one = _stimuli.locate(recording, own, programmed)
            if not one.seen and programmed.lines(len(own)).any():
                one = _seen_elsewhere(recording, file, index, own, programmed) or one
            where = f"{file.path.name}: " if len(files) > 1 else ""
            warnings += [where + text for text in one.warnings]
            found.append(one.table)
    if stimulus_ms is not None:
        found = [_stimuli.given(stimulus_ms, recording.lengths / recording.rate_hz * 1e3)]
    found = [one for one in found if len(one)] or [_stimuli.empty()]
    table = pd.concat(found, ignore_index=True) if len(found) > 1 else found[0]
    pathway, doubts = _stimuli.name_pathways(lines)
    recording = replace(
        recording,
        stimuli=table,
        pathway=pathway,
        induction_s=_induction(table, recording.start_s, recording.tags),
    )
    return replace(recording, warnings=(*warnings, *doubts, *_implausible(recording, picked[0])))


def _seen_elsewhere(
    recording: Recording, file: AbfFile, index: int, own: NDArray[np.int64], programmed: _stimuli.Programmed
) -> _stimuli.Found | None:
    """Stimuli as another channel of the same file shows them, when the chosen one shows no artefact."""
    for number, channel in enumerate(file.channels):
        source = recording._sources[index]
        if number == source.channel or not channel.gain:
            continue
        sources = list(recording._sources)
        sources[index] = source._replace(channel=number, gain=channel.gain, offset=channel.offset)
        found = _stimuli.locate(replace(recording, _sources=tuple(sources)), own, programmed)
        if found.seen:
            note = f"artefacts are seen on channel {channel.name} and not on {recording.channel}"
            return found._replace(warnings=(note, *found.warnings))
    return None


class _Choice(NamedTuple):
    index: int
    channel: Channel
    unit: str
    to_mV: float
    warnings: list[str]


def _in_voltage(unit: str) -> float | None:
    """Factor to mV, or None for what is no voltage.

    >>> [_in_voltage(unit) for unit in ("mV", "µV", "uv", "V", "pA")]
    [1.0, 0.001, 0.001, 1000.0, None]
    """
    return _TO_MV.get(unit.strip().replace("\u00b5", "u").replace("\u03bc", "u").casefold())


def _pick_channel(file: AbfFile, wanted: str | int | None, unit: str | None) -> _Choice:
    channels, warnings = file.channels, []
    there = ", ".join(f"{i} = {channel.name} ({channel.unit})" for i, channel in enumerate(channels))
    voltages = [i for i, channel in enumerate(channels) if _in_voltage(channel.unit) is not None]
    if wanted is None:
        index = (voltages or [0])[0]
        others = voltages[1:] if voltages else list(range(1, len(channels)))
        if others:
            names = ", ".join(f"{channels[i].name} ({channels[i].unit})" for i in others)
            warnings.append(f"channel {channels[index].name} is taken; the file also has {names}")
    else:
        names = [channel.name.casefold() for channel in channels]
        text = str(wanted).strip().casefold()
        if not isinstance(wanted, (int, np.integer)) and text in names:
            index = names.index(text)
        elif text.isdecimal() and int(text) < len(channels):
            index = int(text)
        else:
            found = f"there is no channel {wanted!r}"
            raise RecordingError(found, expected=f"one of: {there}", where=file.path)
    channel = channels[index]
    scaled = 1e-12 < abs(channel.gain) < 1e9 and abs(channel.offset) < 1e9
    if file.dtype == "<i2" and not scaled:
        found = f"the scale of channel {channel.name} in the header is zero or absurd"
        raise RecordingError(found, todo="copy the file again, or take another channel", where=file.path)
    if unit is not None and _in_voltage(unit) is None:
        raise RecordingError(f"the unit is {unit!r}", expected="mV, uV or V", where=file.path)
    factor = _in_voltage(channel.unit if unit is None else unit)
    if factor is None:
        warnings.append(
            f"channel {channel.name} is in {channel.unit}, not a voltage; its numbers stand as they are "
            '(if they really are mV, read with unit="mV")'
        )
        return _Choice(index, channel, channel.unit, 1.0, warnings)
    return _Choice(index, channel, "mV", factor, warnings)


def _in_order(files: list[AbfFile]) -> tuple[list[AbfFile], list[float], list[str]]:
    """The files as they were recorded, and what to add to the clock of each so that all share one."""
    if len(files) == 1:
        return files, [0.0], []
    if any(file.recorded_at is None for file in files):
        undated = ", ".join(file.path.name for file in files if file.recorded_at is None)
        warning = f"no date of recording in {undated}; the files are joined back to back in the order given"
        offsets, end = [], 0.0
        for file in files:
            offsets.append(end - file.start_s[0])
            end = offsets[-1] + file.start_s[-1] + max(file.lengths[-1] / file.rate_hz, _interval(file))
        return files, offsets, [warning]
    files = sorted(files, key=_begun)
    zero = files[0].recorded_at
    offsets = [(file.recorded_at - zero).total_seconds() for file in files]
    for i in range(1, len(files)):
        before, after = files[i - 1], files[i]
        end = offsets[i - 1] + before.start_s[-1] + before.lengths[-1] / before.rate_hz
        # The date of a file is that of a computer clock, good to some tens of ms.
        if offsets[i] + after.start_s[0] < end - 0.1:
            found = f"it was recorded while {before.path.name} still was"
            todo = "give each file once, and only files of one slice"
            raise RecordingError(found, expected="files that follow one another", todo=todo, where=after.path)
    return files, offsets, []


def _begun(file: AbfFile) -> datetime:
    return file.recorded_at + timedelta(seconds=float(file.start_s[0]))


def _interval(file: AbfFile) -> float:
    return float(np.median(np.diff(file.start_s))) if len(file.start_s) > 1 else 0.0


def _same(files: list[AbfFile], picked: list[_Choice]) -> None:
    """Refuse files that cannot be one recording."""
    for file, choice in zip(files[1:], picked[1:], strict=True):
        if abs(file.rate_hz / files[0].rate_hz - 1) > 1e-6:
            found = f"it was sampled at {file.rate_hz:g} Hz, {files[0].path.name} at {files[0].rate_hz:g} Hz"
        elif (choice.channel.name, choice.unit) != (picked[0].channel.name, picked[0].unit):
            names = [f"{one.channel.name} in {one.channel.unit}" for one in (choice, picked[0])]
            found = f"its channel is {names[0]}, that of {files[0].path.name} {names[1]}"
        else:
            continue
        todo = "join only files of one recording, and name the channel if they have several"
        raise RecordingError(found, todo=todo, where=file.path)


def _tag_table(tags: Iterable[tuple[float, str]], start_s: NDArray[np.float64]) -> pd.DataFrame:
    """Tags in order of time, each with the sweep last begun."""
    rows = sorted(tags)
    time_s = np.array([time for time, _ in rows], float)
    # A tag that precedes the first sweep belongs to it.
    sweep = np.maximum(np.searchsorted(start_s, time_s, side="right") - 1, 0)
    comments = pd.Series([comment for _, comment in rows], dtype=object)
    return pd.DataFrame({"time_s": time_s, "comment": comments, "sweep": sweep})


def _induction(table: pd.DataFrame, start_s: NDArray[np.float64], tags: pd.DataFrame) -> float:
    """Start of the last train that induces; else of the last tag that names an induction."""
    inducing = np.isin(table["kind"].to_numpy(str), _stimuli.INDUCING)
    if inducing.any():
        sweep, time_ms = table["sweep"].to_numpy()[inducing], table["time_ms"].to_numpy()[inducing]
        return float((start_s[sweep] + time_ms / 1e3).max())
    named = [
        row.time_s
        for row in tags.itertuples()
        if _INDUCTION.search(row.comment) and not _NOT_INDUCTION.search(row.comment)
    ]
    return float(named[-1]) if named else np.nan


def _implausible(recording: Recording, choice: _Choice) -> list[str]:
    """A warning when responses have a size that field potentials do not, with the unit that would mend it."""
    if choice.unit != "mV":
        return []
    size = _stimuli.response_size(recording)
    low, high = _PLAUSIBLE_MV
    if not np.isfinite(size) or low <= size <= high:
        return []
    raw = size / choice.to_mV
    better = [name for name, factor in (("mV", 1.0), ("uV", 1e-3), ("V", 1e3)) if low <= raw * factor <= high]
    advice = f'; if the numbers in the file are {better[0]}, read with unit="{better[0]}"' if better else ""
    return [f"responses of about {size:.2g} mV; field potentials are {low:g} to {high:g} mV{advice}"]

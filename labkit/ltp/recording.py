"""A recording: the sweeps of one channel from one or more files, on one clock, with stimuli and pathways.

Notation: N sweeps of up to M points; windows are k x n. `read` is the whole way from files: headers
(`abf`), order and clock (`joining`), channel and unit (`channels`), stimuli (`programmed`, `locating`),
pathways and induction (`stimuli`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labkit.errors import RecordingError
from labkit.ltp import stimuli as _stimuli
from labkit.ltp.abf import AbfFile, open_abf
from labkit.ltp.channels import Choice, doubtful_unit, pick_channel
from labkit.ltp.joining import join, refuse_strangers
from labkit.ltp.locating import Found, locate
from labkit.ltp.programmed import Programmed, programmed
from labkit.ltp.storage import Held, Mapped, fill_windows

__all__ = ["Recording", "read"]


@dataclass(frozen=True, eq=False)
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
    _first: NDArray[np.int64]
    _sources: tuple[Mapped | Held, ...]

    def __repr__(self) -> str:
        return (
            f"Recording({', '.join(path.name for path in self.paths) or 'arrays'}: channel {self.channel}, "
            f"{self.n_sweeps} sweeps x {self.n_points} points at {self.rate_hz:g} Hz)"
        )

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
            expected, where = f"0 to {self.n_sweeps - 1}", ", ".join(path.name for path in self.paths)
            raise RecordingError(f"sweep {sweeps.max()} was asked for", expected=expected, where=where)
        if n_points < 1:
            raise RecordingError(f"a window of {n_points} points was asked for", expected="1 or more")
        out = np.full((len(sweeps), n_points), np.nan)
        files = self.file_index[sweeps]
        for index in np.unique(files):
            rows = np.flatnonzero(files == index)
            own = sweeps[rows]
            fill_windows(
                out,
                rows,
                self._sources[index],
                first=self._first[own],
                length=self.lengths[own],
                start=starts[rows],
            )
        return out

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
            np.cumsum(np.r_[0.0, lengths[:-1] / rate_hz]) if start_s is None else np.asarray(start_s, float)
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
            _sources=(Held(values.ravel()),),
        )
        warnings: tuple[str, ...] = ()
        if isinstance(stimuli, pd.DataFrame):
            table = _stimuli.complete(stimuli, n_sweeps=n_sweeps)
        elif stimuli is not None:
            table = _stimuli.given(stimuli, lengths / rate_hz * 1e3)
        else:
            table, warnings, _ = locate(recording, np.arange(n_sweeps), Programmed())
        if induction_s is None:
            induction_s = _stimuli.induction_s(table, start, recording.tags)
        return replace(recording, stimuli=table, induction_s=float(induction_s), warnings=warnings)


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
    files, start_s, file_index, tags, warnings = join([open_abf(path) for path in listed])
    choices = [pick_channel(file, channel, unit) for file in files]
    refuse_strangers(files, choices)
    where = [f"{file.path.name}: " if len(files) > 1 else "" for file in files]
    for name, file, choice in zip(where, files, choices, strict=True):
        warnings += [name + text for text in (*file.warnings, *choice.warnings)]
    recording = Recording(
        paths=tuple(file.path for file in files),
        channel=choices[0].channel.name,
        unit=choices[0].unit,
        rate_hz=files[0].rate_hz,
        lengths=np.concatenate([file.lengths for file in files]),
        start_s=start_s,
        file_index=file_index,
        recorded_at=files[0].recorded_at,
        stimuli=_stimuli.empty(),
        pathway=np.full(len(start_s), "S0"),
        tags=_tag_table(tags, start_s),
        induction_s=np.nan,
        warnings=(),
        _first=np.concatenate([file.first for file in files]),
        _sources=tuple(_mapped(file, choice) for file, choice in zip(files, choices, strict=True)),
    )
    tables, lines = [], []
    for index, file in enumerate(files):
        own = np.flatnonzero(file_index == index)
        promised = programmed(file.protocol, file.lengths, file.rate_hz)
        lines.append(promised.lines(len(own)))
        if stimulus_ms is None:
            found = locate(recording, own, promised)
            if not found.seen and lines[-1].any():
                found = _seen_elsewhere(recording, file, index, own, promised) or found
            warnings += [where[index] + text for text in found.warnings]
            tables.append(found.table)
    if stimulus_ms is not None:
        tables = [_stimuli.given(stimulus_ms, recording.lengths / recording.rate_hz * 1e3)]
    tables = [table for table in tables if len(table)] or [_stimuli.empty()]
    stimuli = pd.concat(tables, ignore_index=True)
    pathway, doubts = _stimuli.name_pathways(lines)
    induction_s = _stimuli.induction_s(stimuli, start_s, recording.tags)
    recording = replace(recording, stimuli=stimuli, pathway=pathway, induction_s=induction_s)
    return replace(recording, warnings=(*warnings, *doubts, *doubtful_unit(recording, choices[0])))


def _mapped(file: AbfFile, choice: Choice) -> Mapped:
    """The data of the chosen channel; integers are scaled, floats are values in the unit already."""
    gain, offset = (choice.channel.gain, choice.channel.offset) if file.dtype == "<i2" else (1.0, 0.0)
    return Mapped(
        path=file.path,
        size=file.size,
        data_start=file.data_start,
        dtype=file.dtype,
        n_channels=len(file.channels),
        channel=choice.index,
        gain=gain * choice.to_mV,
        offset=offset * choice.to_mV,
    )


def _seen_elsewhere(
    recording: Recording, file: AbfFile, index: int, own: NDArray[np.int64], promised: Programmed
) -> Found | None:
    """Stimuli as another channel of the same file shows them, when the chosen one shows no artefact."""
    source = recording._sources[index]
    for number, channel in enumerate(file.channels):
        if number == source.channel or not channel.gain:
            continue
        sources = list(recording._sources)
        sources[index] = source._replace(channel=number, gain=channel.gain, offset=channel.offset)
        found = locate(replace(recording, _sources=tuple(sources)), own, promised)
        if found.seen:
            note = f"artefacts are seen on channel {channel.name} and not on {recording.channel}"
            return found._replace(warnings=(note, *found.warnings))
    return None


def _tag_table(tags: Iterable[tuple[float, str]], start_s: NDArray[np.float64]) -> pd.DataFrame:
    """Tags in order of time, each with the sweep last begun."""
    rows = sorted(tags)
    time_s = np.array([time for time, _ in rows], float)
    # A tag that precedes the first sweep belongs to it.
    sweep = np.maximum(np.searchsorted(start_s, time_s, side="right") - 1, 0)
    comments = pd.Series([comment for _, comment in rows], dtype=object)
    return pd.DataFrame({"time_s": time_s, "comment": comments, "sweep": sweep})

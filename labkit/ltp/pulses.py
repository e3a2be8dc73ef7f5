"""Which pulses of a recording give a response, and the windows cut around them.

Notation: M pulses; a pulse of a train that induces plasticity gives no response.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labkit.errors import RecordingError
from labkit.ltp.recording import Recording
from labkit.ltp.stimuli import INDUCING

__all__ = ["Pulses", "averaged", "cut", "measured_pulses"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A pause this many times the usual interval parts two stretches of a recording.
_PAUSE = 3.5


@dataclass(frozen=True)
class Pulses:
    """M pulses in order of pathway, pulse number and time; every array is (M,).

    `point` is the sample of the stimulus within its sweep and `late_ms` how much later than that sample the
    stimulus is. `before_ms` and `after_ms` are the room to the previous pulse or the sweep's start, and to
    the next pulse or the sweep's end. `segment` numbers stretches without induction, pause or change of
    file between them.
    """

    sweep: Ints
    pulse: Ints
    point: Ints
    late_ms: Floats
    time_s: Floats
    pathway: NDArray[np.str_]
    segment: Ints
    before_ms: Floats
    after_ms: Floats

    def __len__(self) -> int:
        return len(self.sweep)

    def take(self, rows: NDArray) -> Pulses:
        return Pulses(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


def measured_pulses(recording: Recording) -> Pulses:
    """Every pulse whose response is measured: all but those of HFS, TBS and LFS.

    Raises
    ------
    RecordingError
        If the unit is no voltage, or no stimulus is known.
    """
    where = ", ".join(path.name for path in recording.paths)
    if recording.unit != "mV":
        raise RecordingError(
            f"channel {recording.channel} is in {recording.unit}",
            expected="a voltage",
            todo='choose another channel, or read with unit="mV" if the header is wrong',
            where=where,
        )
    table = recording.stimuli[~recording.stimuli["kind"].isin(INDUCING)]
    if table.empty:
        found, todo = (
            "no stimulus was found",
            "read with stimulus_ms=... to say when it comes within each sweep",
        )
        if not recording.stimuli.empty:
            found, todo = "all stimuli induce plasticity", "name the files that hold the test pulses as well"
        raise RecordingError(found, expected="test pulses", todo=todo, where=where)
    count = table["pulses"].to_numpy(np.int64)
    rows = np.repeat(np.arange(len(table)), count)
    pulse = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count) + 1
    sweep = table["sweep"].to_numpy(np.int64)[rows]
    gap_ms = np.nan_to_num(table["interval_ms"].to_numpy(float))[rows]
    time_ms = table["time_ms"].to_numpy(float)[rows] + (pulse - 1) * gap_ms
    if (np.bincount(sweep[pulse == 1], minlength=1) > 1).any():
        # Several stimuli in one sweep: number its pulses throughout.
        order = np.lexsort((time_ms, sweep))
        sweep, time_ms = sweep[order], time_ms[order]
        begins = np.flatnonzero(np.r_[True, np.diff(sweep) != 0])
        pulse = np.arange(len(sweep)) - np.repeat(begins, np.diff(np.r_[begins, len(sweep)])) + 1
    to_points = recording.rate_hz / 1e3
    point = np.round(time_ms * to_points).astype(np.int64)
    length_ms = recording.lengths[sweep] / to_points
    same = np.r_[False, sweep[1:] == sweep[:-1]]
    before = np.where(same, np.r_[0.0, np.diff(time_ms)], time_ms)
    after = np.where(np.r_[same[1:], False], np.r_[np.diff(time_ms), 0.0], length_ms - time_ms)
    time_s = recording.start_s[sweep] + time_ms / 1e3
    pathway = recording.pathway[sweep]
    order = np.lexsort((time_s, pulse, pathway))
    pulses = Pulses(
        sweep=sweep[order],
        pulse=pulse[order],
        point=point[order],
        late_ms=(time_ms - point / to_points)[order],
        time_s=time_s[order],
        pathway=pathway[order],
        segment=np.zeros(len(order), np.int64),
        before_ms=before[order],
        after_ms=after[order],
    )
    return Pulses(**{**pulses.__dict__, "segment": _segments(recording, pulses)})


def averaged(pulses: Pulses, n: int) -> tuple[Ints, Ints]:
    """Runs of `n` pulses that follow one another in a segment: index of the first of each, and its length.

    The last run of a segment is shorter when the segment's length is no multiple of `n`.
    """
    begins = np.flatnonzero(np.r_[True, np.diff(pulses.segment) != 0])
    lengths = np.diff(np.r_[begins, len(pulses)])
    place = np.arange(len(pulses)) - np.repeat(begins, lengths)
    first = np.flatnonzero(place % n == 0)
    return first, np.diff(np.r_[first, len(pulses)])


def cut(recording: Recording, pulses: Pulses, *, before: int, after: int) -> tuple[Floats, Floats]:
    """(M, before + after + 1) mV around each pulse, and the (N,) times in ms; NaN outside of the sweep."""
    time_ms = np.arange(-before, after + 1) / recording.rate_hz * 1e3
    return recording.segments_mV(pulses.sweep, pulses.point - before, len(time_ms)), time_ms


def _segments(recording: Recording, pulses: Pulses) -> Ints:
    """Number the stretches of consecutive responses of one pathway and pulse."""
    change = (np.diff(pulses.pulse) != 0) | (pulses.pathway[1:] != pulses.pathway[:-1])
    change |= np.diff(recording.file_index[pulses.sweep]) != 0
    gap = np.diff(pulses.time_s)
    usual = np.median(gap[~change]) if (~change).any() else np.inf
    change |= gap > _PAUSE * usual
    trains = recording.stimuli[recording.stimuli["kind"].isin(INDUCING)]
    times = np.sort(
        recording.start_s[trains["sweep"].to_numpy(np.int64)] + trains["time_ms"].to_numpy(float) / 1e3
    )
    if np.isfinite(recording.induction_s):
        times = np.sort(np.r_[times, recording.induction_s])
    change |= np.diff(np.searchsorted(times, pulses.time_s, side="right")) != 0
    return np.r_[0, np.cumsum(change)].astype(np.int64)

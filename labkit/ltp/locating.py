"""When each sweep was stimulated: what the protocol promises held against what the recording shows.

The programmed outputs say when a pulse was sent, the artefact when it arrived, and each has its trap: a
protocol may start a stimulator that gives a train of its own; action potentials and the edges of a membrane
test look like artefacts. So the protocol leads, the recording confirms it and sets the exact time, and
artefacts alone are believed only when they come at the same time in every sweep, or at regular intervals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.ltp.jumps import Steps, equal_train, group_jumps, is_regular, without_edges, without_steps
from labkit.ltp.programmed import LIMIT_PULSES, ONE_PULSE_MS, Programmed, Pulses
from labkit.ltp.stimuli import empty, group_begins, table

if TYPE_CHECKING:
    from labkit.ltp.recording import Recording

__all__ = ["Found", "locate"]

# Within this of the programmed time an artefact is that of the pulse; the largest jump of the sweep may come
# a little later, because some stimulators take their time.
_LAG_MS = (-0.3, 1.0)
_LATE_MS = 1.5
_SAMPLED = 24  # sweeps looked at
_SAMPLED_POINTS = 1_000_000
_SCANNED_POINTS = 16_000_000  # above this, sweeps are not searched one by one for trains of their own
_STRETCH = 1 << 20
_NOTHING = "no stimulus was found, neither in the protocol nor as an artefact; give its time as stimulus_ms"
_IRREGULAR = "jumps at irregular times are not taken as stimuli; read with stimulus_ms if there were any"


class Found(NamedTuple):
    """Stimuli of some sweeps; `seen` tells whether artefacts in the recording confirm them."""

    table: pd.DataFrame
    warnings: tuple[str, ...]
    seen: bool


def locate(recording: Recording, own: NDArray[np.int64], programmed: Programmed) -> Found:
    """Stimuli of the sweeps `own`, of one protocol: programmed ones as the recording confirms them.

    Of the digital and the analogue pulses, those count that an artefact confirms; the digital ones when both
    or none are. All are moved by the lag of the artefact when that is at most 1 ms (1.5 ms for the largest
    jump of the sweep). One pulse that is followed by equal artefacts at equal intervals has started a train,
    which is then taken. Without any programmed pulse artefacts serve alone.
    """
    notes, rate_hz = list(programmed.warnings), recording.rate_hz
    sample = own[np.unique(np.linspace(0, len(own) - 1, _SAMPLED).astype(int))]
    longest = int(recording.lengths[sample].max())
    sample = sample[: max(1, _SAMPLED_POINTS // longest)]
    sources = {"digital": programmed.digital, "DAC": programmed.dac}
    present = {name: pulses for name, pulses in sources.items() if len(pulses.sweep)}
    if not present:
        found = _artefacts_only(recording, own, sample, programmed.edges.point)
        return Found(found.table, (*notes, *found.warnings), found.seen)

    n_points = int(recording.lengths[sample].min())
    steps = Steps.of(recording.segments_mV(sample, 0, n_points))
    lags = {name: _lag(recording, own, sample, pulses, steps) for name, pulses in present.items()}
    confirmed = [name for name in present if lags[name] is not None]
    source = (confirmed or list(present))[0]
    pulses, lag = present[source], lags[source] or 0
    if _lines_in_turn(pulses):
        notes.append(
            "different lines are pulsed in turn within one sweep, but a sweep is counted to one pathway"
        )
    jumps = without_edges(steps.artefacts(rate_hz), programmed.edges.point, rate_hz)
    if len(pulses.sweep) == len(np.unique(pulses.sweep)) == len(own) and len(np.unique(pulses.point)) == 1:
        at = int(pulses.point[0] + lag)
        train = equal_train(jumps, at, rate_hz)
        if confirmed and len(train) > 1:
            notes.append(
                f"the protocol gives one pulse at {_ms(at, rate_hz):.2f} ms, the recording shows "
                f"{len(train)} equal artefacts from there, taken as a train"
            )
            sweep, point = np.repeat(own, len(train)), np.tile(train, len(own))
            return Found(table(sweep, _ms(point, rate_hz), "artefact"), tuple(notes), True)
        if not confirmed and len(jumps.point):
            seen = ", ".join(f"{_ms(point, rate_hz):.2f}" for point in jumps.point[:5])
            notes.append(
                f"the protocol gives a pulse at {_ms(at, rate_hz):.2f} ms, where the recording shows no "
                f"artefact, but it jumps at {seen} ms; if that is the stimulus, read with stimulus_ms"
            )
    if lag:
        notes.append(
            f"stimuli are taken {_ms(lag, rate_hz):+.2f} ms from the programmed time of the {source} output, "
            "where the artefact begins"
        )
    return Found(
        table(own[pulses.sweep], _ms(pulses.point + lag, rate_hz), source), tuple(notes), bool(confirmed)
    )


def _ms(point: Any, rate_hz: float) -> Any:
    return point * 1e3 / rate_hz


def _lines_in_turn(pulses: Pulses) -> bool:
    """Whether two pulses of one sweep have no line in common."""
    same = np.diff(pulses.sweep) == 0
    return bool((same & ((pulses.line[1:] & pulses.line[:-1]) == 0)).any())


def _lag(
    recording: Recording, own: NDArray[np.int64], sample: NDArray[np.int64], pulses: Pulses, steps: Steps
) -> int | None:
    """Points from the programmed time to the artefact, or None when there is none within reach."""
    rate_hz = recording.rate_hz
    sweep = own[pulses.sweep]
    of_sample = np.flatnonzero(np.isin(sweep, sample))
    if not len(of_sample):
        return None
    of_sample = of_sample[np.unique(np.linspace(0, len(of_sample) - 1, 256).astype(int))]
    before, after = int(np.ceil(1e-3 * rate_hz)), int(np.ceil(2e-3 * rate_hz))
    windows = recording.segments_mV(sweep[of_sample], pulses.point[of_sample] - before, before + after)
    steps_here = np.abs(np.diff(windows, axis=1))
    known = ~np.isnan(steps_here).any(axis=0)
    size = np.zeros(steps_here.shape[1])
    if known.any():
        size[known] = np.median(steps_here[:, known], axis=0)
    lags = np.arange(len(size)) + 1 - before
    lag_ms = lags / rate_hz * 1e3
    reach = (lag_ms >= _LAG_MS[0]) & (lag_ms <= _LAG_MS[1])
    late = (lag_ms > _LAG_MS[1]) & (lag_ms <= _LATE_MS)
    limit = max(steps.limit, 0.2 * size[reach].max(initial=0.0))
    hits = np.flatnonzero(reach & (size > limit))
    if not len(hits):
        hits = np.flatnonzero(late & (size > max(3 * steps.limit, 0.8 * steps.size.max(initial=0.0))))
    return int(lags[hits[0]]) if len(hits) else None


def _artefacts_only(
    recording: Recording, own: NDArray[np.int64], sample: NDArray[np.int64], edges: NDArray[np.int64]
) -> Found:
    """Stimuli from artefacts: those at one time in all sweeps, and trains that single sweeps have besides."""
    rate_hz = recording.rate_hz
    lengths = recording.lengths[own]
    if len(own) == 1 or len(np.unique(lengths)) > 1 or lengths[0] > _SAMPLED_POINTS:
        return _continuous(recording, own)
    steps = Steps.of(recording.segments_mV(sample, 0, int(lengths[0])))
    all_jumps = without_edges(steps.artefacts(rate_hz), edges, rate_hz)
    jumps = without_steps(all_jumps)
    notes = []
    if len(jumps.point) < len(all_jumps.point):
        notes.append("jumps up and down like those of a membrane test are not taken as stimuli")
    if len(jumps.point) > 4 and not is_regular(jumps.point, rate_hz):
        return Found(empty(), (*notes, _IRREGULAR), False)
    if not len(jumps.point):
        return Found(empty(), (*notes, _NOTHING), False)
    sweep, point = np.repeat(own, len(jumps.point)), np.tile(jumps.point, len(own))
    if lengths.sum() <= _SCANNED_POINTS:
        limit = max(steps.limit, 0.35 * float(jumps.size.max()))
        train_sweep, train_point = _own_trains(recording, own, limit, fewest=max(4, 3 * len(jumps.point)))
        common = ~np.isin(sweep, train_sweep)
        sweep, point = np.r_[sweep[common], train_sweep], np.r_[point[common], train_point]
    notes.append("the protocol does not say when stimuli were given; they are taken from artefacts")
    return Found(table(sweep, _ms(point, rate_hz), "artefact"), tuple(notes), True)


def _own_trains(
    recording: Recording, own: NDArray[np.int64], limit: float, *, fewest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sweep and point of the artefacts of sweeps that have many, such as an HFS among test pulses."""
    rate_hz = recording.rate_hz
    at_once = max(1, _STRETCH // recording.n_points)
    parts = []
    for begin in range(0, len(own), at_once):
        some = own[begin : begin + at_once]
        size = np.abs(np.diff(recording.segments_mV(some, 0, int(recording.lengths[own[0]])), axis=1))
        row, point = np.nonzero(size > limit)
        begins = group_begins(row, point, ONE_PULSE_MS * 1e-3 * rate_hz)
        parts.append((some[row[begins]], point[begins] + 1))
    sweep, point = (np.concatenate(part) for part in zip(*parts, strict=True))
    which, count = np.unique(sweep, return_counts=True)
    regular = [s for s in which[count >= fewest] if is_regular(point[sweep == s], rate_hz)]
    keep = np.isin(sweep, regular)
    return sweep[keep], point[keep]


def _continuous(recording: Recording, own: NDArray[np.int64]) -> Found:
    """Stimuli from artefacts at regular intervals in long or unequal sweeps, read a stretch at a time."""
    rate_hz = recording.rate_hz
    found = []
    for sweep in own.tolist():
        length = int(recording.lengths[sweep])
        starts = np.unique(np.linspace(0, max(0, length - 4096), 64).astype(int))
        limit = Steps.of(recording.segments_mV(np.full(len(starts), sweep), starts, min(4096, length))).limit
        for start in range(0, length, _STRETCH):
            n_points = min(_STRETCH + 1, length - start)
            steps = np.diff(recording.segments_mV([sweep], [start], n_points)[0])
            above = np.flatnonzero(np.abs(steps) > limit)
            found.append((np.full(len(above), sweep), above + start, steps[above]))
            if sum(len(part[1]) for part in found) > LIMIT_PULSES:
                return Found(empty(), (_IRREGULAR,), False)
    sweep, above, steps = (np.concatenate(part) for part in zip(*found, strict=True))
    strong = np.abs(steps) > 0.2 * np.abs(steps).max(initial=0.0)
    sweep, above, steps = sweep[strong], above[strong], steps[strong]
    pulses: list[tuple[int, int]] = []
    irregular = False
    for one in np.unique(sweep).tolist():
        mine = sweep == one
        jumps = without_steps(group_jumps(above[mine], np.abs(steps[mine]), steps[mine], rate_hz))
        if len(jumps.point) > 4 and is_regular(jumps.point, rate_hz):
            pulses += [(one, point) for point in jumps.point.tolist()]
        else:
            irregular |= len(jumps.point) > 0
    if not pulses:
        return Found(empty(), (_IRREGULAR if irregular else _NOTHING,), False)
    sweep, point = np.array(pulses).T
    note = "the protocol does not say when stimuli were given; they are taken from regular artefacts"
    return Found(table(sweep, _ms(point, rate_hz), "artefact"), (note,), True)

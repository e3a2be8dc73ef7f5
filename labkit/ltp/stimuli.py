"""When each sweep was stimulated, by which line, and what kind of protocol that makes.

The programmed outputs say when a pulse was sent, the artefact when it arrived, and each has its trap: a
protocol may start a stimulator that gives a train of its own; action potentials and the edges of a membrane
test look like artefacts. So the protocol leads, the recording confirms it and sets the exact time, and
artefacts alone are believed only when they come at the same time in every sweep, or at regular intervals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labkit.errors import RecordingError
from labkit.ltp.abf_header import Epoch, Protocol

if TYPE_CHECKING:
    from labkit.ltp.recording import Recording

__all__ = [
    "INDUCING",
    "Found",
    "Programmed",
    "Pulses",
    "complete",
    "empty",
    "given",
    "locate",
    "name_pathways",
    "programmed",
    "response_size",
    "table",
]

INDUCING = ("HFS", "TBS", "LFS")
_TYPES = {
    "sweep": np.int64,
    "time_ms": float,
    "pulses": np.int64,
    "interval_ms": float,
    "kind": object,
    "source": object,
}
_COLUMNS = list(_TYPES)
_EMPTY = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _TYPES.items()})

# An analogue step no longer than this, and back again, is a pulse to a stimulator; others are commands to a
# cell.
_PULSE_MS = 5.0
# Pulses closer than this are one stimulus: a biphasic pulse, or an artefact and its tail.
_ONE_MS = 2.0
# Within this of the programmed time an artefact is that of the pulse; the largest jump of the sweep may come
# a little later, because some stimulators take their time.
_LAG_MS = (-0.3, 1.0)
_LATE_MS = 1.5
# A jump that takes longer (at half height of dV/dt) is a response, not an artefact.
_WIDTH_MS = 0.6
_SAMPLED = 24  # sweeps looked at
_SAMPLED_POINTS = 1_000_000
_SCANNED_POINTS = 16_000_000  # above this, sweeps are not searched one by one for trains of their own
_STRETCH = 1 << 20
_LIMIT_PULSES = 2_000_000


class Pulses(NamedTuple):
    """Single pulses: sweep, point within it, mask of the lines (bits or analogue outputs) that gave it."""

    sweep: NDArray[np.int64]
    point: NDArray[np.int64]
    line: NDArray[np.int64]


_NONE = Pulses(*(np.zeros(0, np.int64) for _ in range(3)))


@dataclass(frozen=True)
class Programmed:
    """Pulses that the protocol says were given, and edges of longer analogue steps."""

    digital: Pulses = _NONE
    dac: Pulses = _NONE
    edges: Pulses = _NONE
    warnings: tuple[str, ...] = ()

    def lines(self, n_sweeps: int) -> NDArray[np.int64]:
        """(2, n) mask of the digital and of the analogue lines that each sweep uses."""
        masks = np.zeros((2, n_sweeps), np.int64)
        for mask, pulses in zip(masks, (self.digital, self.dac), strict=True):
            np.bitwise_or.at(mask, pulses.sweep, pulses.line)
        return masks


class Found(NamedTuple):
    """Stimuli of some sweeps; `seen` tells whether artefacts in the recording confirm them."""

    table: pd.DataFrame
    warnings: tuple[str, ...]
    seen: bool


def empty() -> pd.DataFrame:
    """A table of no stimuli."""
    return _EMPTY.copy()


def programmed(protocol: Protocol, lengths: NDArray[np.int64], rate_hz: float) -> Programmed:
    """Pulses of the digital and the analogue outputs, sweep by sweep, as the waveform table gives them.

    Parameters
    ----------
    protocol
        As read from the file. The first epoch begins at 1/64 of the sweep; durations and levels change by
        their step in each sweep; with alternate outputs, odd sweeps (counting from 0) use the alternate
        digital pattern, or the second analogue output.
    lengths
        (n,) points of each sweep.
    rate_hz
        Sampling rate.
    """
    if protocol.user_list:
        text = "a user list changes the protocol from sweep to sweep, so stimuli are taken from artefacts"
        return Programmed(warnings=(text,))
    sweep = np.arange(len(lengths))
    odd = sweep % 2 == 1
    digital: list[Pulses] = []
    dac_pulses: list[Pulses] = []
    edges: list[Pulses] = []
    n_pulses = 0
    for dac in sorted({*protocol.dacs, protocol.digital_dac}):
        on = protocol.dacs.get(dac)
        # With alternate waveforms the first output serves even sweeps and the second odd ones.
        serves = (odd == (dac == 1)) if protocol.alternate_dac and dac < 2 else np.ones(len(sweep), bool)
        start = lengths // 64
        before = np.full(len(sweep), on or 0.0)
        held = np.full(len(sweep), protocol.digital_holding)
        epochs = sorted((e for e in protocol.epochs if e.dac == dac and e.kind), key=lambda e: e.number)
        levels = [epoch.level + epoch.level_step * sweep.astype(float) for epoch in epochs]
        levels.append(np.full(len(sweep), on or 0.0))
        for i, epoch in enumerate(epochs):
            points = np.clip(epoch.points + epoch.points_step * sweep, 0, lengths)
            lasts = points > 0
            if on is not None:
                level = levels[i]
                drives = serves & lasts & (level != before)
                returns = (level - before) * (level - levels[i + 1]) > 0
                if epoch.kind in (3, 4, 7) and epoch.period > 0:
                    dac_pulses.append(_train(sweep, start, points, epoch.period, drives, 1 << dac))
                elif epoch.kind == 1 and epoch.points <= _PULSE_MS * 1e-3 * rate_hz:
                    dac_pulses.append(_once(sweep, start, drives & returns, 1 << dac))
                else:
                    ends = serves & lasts & (level != levels[i + 1])
                    edges += [_once(sweep, start, drives, 0), _once(sweep, start + points, ends, 0)]
                before = np.where(lasts, level, before)
            if dac == protocol.digital_dac and epoch.number in protocol.digital:
                now = protocol.digital[epoch.number]
                other = odd & protocol.alternate_digital
                bits = np.where(other, now.alternate_bits, now.bits)
                train = np.where(other, now.alternate_train, now.train)
                rise = bits & ~held
                digital.append(_once(sweep, start, lasts & (rise > 0), rise))
                if train.any():
                    digital.append(_train(sweep, start, points, _period(epoch), lasts & (train > 0), train))
                held = np.where(lasts, bits, held)
            start = np.minimum(start + points, lengths)
            n_pulses = sum(len(p.sweep) for p in (*digital, *dac_pulses))
            if n_pulses > _LIMIT_PULSES:
                return Programmed(warnings=("the protocol has an absurd number of pulses and is not used",))
    joined = [_join(parts, lengths, rate_hz) for parts in (digital, dac_pulses, edges)]
    return Programmed(*joined)


def _ms(point: Any, rate_hz: float) -> Any:
    return point * 1e3 / rate_hz


def _lines_in_turn(pulses: Pulses) -> bool:
    """Whether two pulses of one sweep have no line in common."""
    same = np.diff(pulses.sweep) == 0
    return bool((same & ((pulses.line[1:] & pulses.line[:-1]) == 0)).any())


def _period(epoch: Epoch) -> int:
    return epoch.period if epoch.period > 0 else max(epoch.points, 1)


def _once(sweep: NDArray[Any], point: NDArray[Any], where: NDArray[np.bool_], line: Any) -> Pulses:
    line = np.broadcast_to(np.asarray(line, np.int64), sweep.shape)
    return Pulses(sweep[where], point[where], line[where])


def _train(
    sweep: NDArray[Any],
    start: NDArray[Any],
    points: NDArray[Any],
    period: int,
    where: NDArray[np.bool_],
    line: Any,
) -> Pulses:
    """Every `period` points from `start`, as often as it fits into the epoch."""
    once = _once(sweep, start, where, line)
    each = np.minimum(points[where] // period, _LIMIT_PULSES // max(1, int(where.sum())) + 1)
    order = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
    sweep, point, line = (np.repeat(part, each) for part in once)
    return Pulses(sweep, point + order * period, line)


def _join(parts: list[Pulses], lengths: NDArray[np.int64], rate_hz: float) -> Pulses:
    """In order of time, within the sweeps, and pulses less than 2 ms after another joined to it."""
    if not parts:
        return _NONE
    sweep, point, line = (np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True))
    order = np.lexsort((point, sweep))
    order = order[point[order] < lengths[sweep[order]]]
    sweep, point, line = sweep[order], point[order], line[order]
    begins = _begins(sweep, point, _ONE_MS * 1e-3 * rate_hz)
    if not len(begins):
        return _NONE
    return Pulses(sweep[begins], point[begins], np.bitwise_or.reduceat(line, begins))


def _begins(sweep: NDArray[Any], when: NDArray[Any], gap: float) -> NDArray[np.int64]:
    """Positions at which a new sweep or, after more than `gap`, a new group begins."""
    if not len(when):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.r_[True, (np.diff(sweep) != 0) | (np.diff(when) >= gap)])


def table(sweep: ArrayLike, time_ms: ArrayLike, source: str) -> pd.DataFrame:
    """Group single pulses into stimuli and name each kind.

    Pulses up to 500 ms apart in one sweep are one stimulus. One pulse is a *test*, two are a *pair*. Bursts
    of at least 10 pulses at 12 ms or less are *HFS*; two or more bursts of 3 to 6 pulses at 25 ms or less,
    repeated every 120 to 350 ms, are *TBS*; 100 or more pulses or pairs every 0.5 to 2 s in one sweep are
    *LFS*. What is left is a *train*. The limits are choices made to hold the common protocols (100 pulses at
    100 Hz; 4 at 100 Hz every 200 ms; 900 at 1 Hz), not a standard.

    Parameters
    ----------
    sweep, time_ms
        (n,) sweep and time of each pulse.
    source
        Where the times come from.

    Returns
    -------
    DataFrame
        ``sweep``, ``time_ms`` (first pulse), ``pulses``, ``interval_ms`` (mean within bursts; NaN for one
        pulse), ``kind``, ``source``.

    Examples
    --------
    >>> stimuli = table([0, 0, 1], [50.0, 100.0, 50.0], "given")
    >>> stimuli[["sweep", "pulses", "interval_ms", "kind"]].to_numpy().tolist()
    [[0, 2, 50.0, 'pair'], [1, 1, nan, 'test']]
    """
    sweep, time_ms = np.asarray(sweep, np.int64), np.asarray(time_ms, float)
    order = np.lexsort((time_ms, sweep))
    sweep, time_ms = sweep[order], time_ms[order]
    begins = _begins(sweep, time_ms, 500.0)
    if not len(begins):
        return empty()
    pulses = np.diff(np.r_[begins, len(time_ms)])
    interval = np.diff(time_ms, prepend=np.nan)
    interval[begins] = np.nan

    # Bursts within a stimulus: pulses at 50 ms or less.
    bursts = _begins(sweep, time_ms, 50.0)
    burst_pulses = np.diff(np.r_[bursts, len(time_ms)])
    first_burst = np.searchsorted(bursts, begins)
    n_bursts = np.diff(np.r_[first_burst, len(bursts)])
    fewest, most = (f.reduceat(burst_pulses, first_burst) for f in (np.minimum, np.maximum))
    apart = np.diff(time_ms[bursts], prepend=np.nan)
    apart[first_burst] = np.nan
    nearest, farthest = (f.reduceat(apart, first_burst) for f in (np.fmin, np.fmax))
    within = np.where(np.isin(np.arange(len(time_ms)), bursts), np.nan, interval)
    mean_within, mean_all = (_mean_of_groups(x, begins) for x in (within, interval))

    kind = np.full(len(begins), "train", object)
    kind[pulses == 1] = "test"
    kind[pulses == 2] = "pair"
    kind[(fewest >= 10) & (mean_within <= 12)] = "HFS"
    theta = (n_bursts >= 2) & (nearest >= 120) & (farthest <= 350)
    kind[theta & (fewest >= 3) & (most <= 6) & (mean_within <= 25)] = "TBS"
    result = pd.DataFrame(
        {
            "sweep": sweep[begins],
            "time_ms": time_ms[begins],
            "pulses": pulses,
            "interval_ms": np.where(np.isnan(mean_within), mean_all, mean_within),
            "kind": kind,
            "source": np.full(len(begins), source, object),
        }
    )
    return _slow_trains(result)


def _mean_of_groups(values: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    total = np.add.reduceat(np.where(known, values, 0.0), begins)
    count = np.add.reduceat(known.astype(np.int64), begins)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _slow_trains(stimuli: pd.DataFrame) -> pd.DataFrame:
    """Join 100 or more single pulses or pairs at about 1 Hz within one sweep into one row."""
    sweep, time_ms = stimuli["sweep"].to_numpy(), stimuli["time_ms"].to_numpy()
    single = stimuli["pulses"].to_numpy() <= 2
    apart = np.diff(time_ms)
    linked = (np.diff(sweep) == 0) & (apart <= 2000) & single[1:] & single[:-1]
    begins = np.flatnonzero(np.r_[True, ~linked])
    sizes = np.diff(np.r_[begins, len(stimuli)])
    if sizes.max() < 100:
        return stimuli
    keep = np.ones(len(stimuli), bool)
    pulses, interval, kind = (stimuli[name].to_numpy(copy=True) for name in ("pulses", "interval_ms", "kind"))
    for begin, size in zip(begins[sizes >= 100], sizes[sizes >= 100], strict=True):
        keep[begin + 1 : begin + size] = False
        pulses[begin] = pulses[begin : begin + size].sum()
        interval[begin] = np.diff(time_ms[begin : begin + size]).mean()
        kind[begin] = "LFS"
    stimuli = stimuli.assign(pulses=pulses, interval_ms=interval, kind=kind)
    return stimuli[keep].reset_index(drop=True)


def given(times_ms: ArrayLike, lengths_ms: NDArray[np.float64]) -> pd.DataFrame:
    """Stimuli at the same times in every sweep that is long enough.

    Raises
    ------
    RecordingError
        If a time is not a number or lies in no sweep.
    """
    times = np.sort(np.atleast_1d(np.asarray(times_ms, float)).ravel())
    if not len(times) or not np.isfinite(times).all() or times[0] < 0 or times[-1] >= lengths_ms.max():
        found = f"stimulus times {times.tolist()} ms"
        raise RecordingError(
            found, expected=f"times from 0 to {lengths_ms.max():g} ms, the length of a sweep"
        )
    sweep, which = np.nonzero(times[None, :] < lengths_ms[:, None])
    return table(sweep, times[which], "given")


def complete(stimuli: pd.DataFrame, *, n_sweeps: int) -> pd.DataFrame:
    """A user's table of stimuli with all columns; those that are missing are those of single test pulses.

    Raises
    ------
    RecordingError
        If sweeps or times are missing, or name sweeps that do not exist.
    """
    missing = [name for name in ("sweep", "time_ms") if name not in stimuli]
    if missing:
        raise RecordingError(
            f"the table of stimuli has no column {missing[0]}", expected="sweep and time_ms at least"
        )
    defaults = {"pulses": 1, "interval_ms": np.nan, "kind": "test", "source": "given"}
    result = stimuli.assign(**{name: value for name, value in defaults.items() if name not in stimuli})[
        _COLUMNS
    ]
    sweep = result["sweep"].to_numpy()
    if len(sweep) and not 0 <= sweep.min() <= sweep.max() < n_sweeps:
        raise RecordingError(f"a stimulus in sweep {sweep.max()}", expected=f"sweeps 0 to {n_sweeps - 1}")
    return result.sort_values(["sweep", "time_ms"], ignore_index=True)


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
        found = _artefacts_only(recording, own, sample, programmed.edges)
        return Found(found.table, (*notes, *found.warnings), found.seen)

    n_points = int(recording.lengths[sample].min())
    steps = _Steps.of(recording.segments_mV(sample, 0, n_points))
    lags = {name: _lag(recording, own, sample, pulses, steps) for name, pulses in present.items()}
    confirmed = [name for name in present if lags[name] is not None]
    source = (confirmed or list(present))[0]
    pulses, lag = present[source], lags[source] or 0
    if _lines_in_turn(pulses):
        notes.append(
            "different lines are pulsed in turn within one sweep, but a sweep is counted to one pathway"
        )
    jumps = _without_edges(steps.artefacts(rate_hz), programmed.edges, rate_hz)
    if len(pulses.sweep) == len(np.unique(pulses.sweep)) == len(own) and len(np.unique(pulses.point)) == 1:
        at = int(pulses.point[0] + lag)
        train = _started_train(jumps, at, rate_hz)
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


class _Jumps(NamedTuple):
    """Artefacts common to the sweeps looked at: first point after the jump, size of dV and its first sign."""

    point: NDArray[np.int64]
    size: NDArray[np.float64]
    sign: NDArray[np.float64]


class _Steps(NamedTuple):
    """dV from point to point: (n, M - 1) of each sweep, median size over sweeps, and the limit of noise."""

    each: NDArray[np.float64]
    size: NDArray[np.float64]
    limit: float

    @classmethod
    def of(cls, traces: NDArray[np.float64]) -> _Steps:
        each = np.diff(np.nan_to_num(traces, posinf=0.0, neginf=0.0), axis=1)
        size = np.abs(each)
        some = size.ravel()[:: size.size // 30_000 + 1]
        middle = np.median(some)
        spread = np.median(np.abs(some - middle))
        # With a coarse converter most steps are equal and their spread is zero; the bulk still tells.
        bulk = np.sort(some)[: int(0.9 * len(some)) + 1]
        limit = max(
            middle + 12 * spread, 6 * float(np.sqrt(np.mean(bulk**2))), 3 * some[some > 0].min(initial=np.inf)
        )
        return cls(each, np.median(size, axis=0), float(limit))

    def artefacts(self, rate_hz: float) -> _Jumps:
        """Jumps above the noise and 1/5 of the largest, less what is too slow and edges of steps."""
        if not len(self.size):
            return _Jumps(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        above = np.flatnonzero(self.size > max(self.limit, 0.2 * self.size.max()))
        signed = np.zeros_like(self.size)
        near = np.unique(np.clip(above[:, None] + np.arange(-1, int(2e-3 * rate_hz) + 2), 0, len(signed) - 1))
        signed[near] = np.median(self.each[:, near], axis=0)
        return _jumps(above, self.size[above], signed[above], (self.size, signed), rate_hz)


def _jumps(above: Any, size: Any, signed: Any, course: tuple[Any, Any] | None, rate_hz: float) -> _Jumps:
    """Steps above the limit, joined; with the `course` of dV only those as fast as an artefact."""
    begins = _begins(np.zeros_like(above), above, _ONE_MS * 1e-3 * rate_hz)
    if not len(begins):
        return _Jumps(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    largest = np.maximum.reduceat(size, begins)
    group = np.searchsorted(begins, np.arange(len(above)), side="right") - 1
    peak = np.flatnonzero(size == largest[group])
    peak = peak[np.unique(group[peak], return_index=True)[1]]
    fast = np.ones(len(begins), bool)
    if course is not None:
        reach = int(np.ceil(_WIDTH_MS * 1e-3 * rate_hz)) + 1
        for i, at in enumerate(above[peak].tolist()):
            around = course[0][max(0, at - reach) : at + reach + 1] >= largest[i] / 2
            fast[i] = _run(around, min(at, reach)) <= max(2, _WIDTH_MS * 1e-3 * rate_hz)
            path = course[1][max(0, at - 1) : at + int(1.5e-3 * rate_hz) + 1]
            # A step goes to its new level and stays; an artefact comes back.
            fast[i] &= abs(path.sum()) < 0.8 * np.abs(path).sum()
    return _Jumps(above[begins][fast] + 1, largest[fast], np.sign(signed[begins])[fast])


def _run(flags: NDArray[np.bool_], at: int) -> int:
    """Length of the run of true values around position `at`."""
    left = np.argmin(np.r_[flags[: at + 1][::-1], False])
    right = np.argmin(np.r_[flags[at:], False])
    return int(left + right - 1)


def _without_edges(jumps: _Jumps, edges: Pulses, rate_hz: float) -> _Jumps:
    """Leave out jumps at the edges of programmed steps, such as a membrane test."""
    if not len(jumps.point) or not len(edges.point):
        return jumps
    known = np.unique(edges.point)
    nearest = np.abs(jumps.point[:, None] - known[None, :]).min(axis=1)
    keep = nearest > 1e-3 * rate_hz
    return _Jumps(*(part[keep] for part in jumps))


def _started_train(jumps: _Jumps, at: int, rate_hz: float) -> NDArray[np.int64]:
    """Artefacts like the one at point `at`, at equal intervals from it."""
    near = np.abs(jumps.point - at) <= max(2, 3e-4 * rate_hz)
    if not near.any():
        return np.zeros(0, np.int64)
    first = int(np.flatnonzero(near)[0])
    like = jumps.size[first:] >= 0.5 * jumps.size[first]
    like &= jumps.size[first:] <= 2 * jumps.size[first]
    points = jumps.point[first:][like]
    points = points[(jumps.sign[first:] == jumps.sign[first])[like]]
    apart = np.diff(points)
    # Under 8 ms one more jump may be a population spike.
    if not len(apart) or (len(apart) < 3 and apart.min() < 8e-3 * rate_hz):
        return points[:1]
    equal = np.abs(apart - np.median(apart)) <= 0.02 * np.median(apart) + 2
    return points if equal.all() else points[:1]


def _lag(
    recording: Recording, own: NDArray[np.int64], sample: NDArray[np.int64], pulses: Pulses, steps: _Steps
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
    recording: Recording, own: NDArray[np.int64], sample: NDArray[np.int64], edges: Pulses
) -> Found:
    """Stimuli from artefacts: those at one time in all sweeps, and trains that single sweeps have besides."""
    rate_hz = recording.rate_hz
    longest = int(recording.lengths[own].max())
    total = int(recording.lengths[own].sum())
    if len(own) == 1 or len(np.unique(recording.lengths[own])) > 1 or longest > _SAMPLED_POINTS:
        return _continuous(recording, own)
    traces = recording.segments_mV(sample, 0, longest)
    steps = _Steps.of(traces)
    jumps = _without_edges(steps.artefacts(rate_hz), edges, rate_hz)
    steady = _stimuli_like(jumps)
    notes = []
    if len(steady.point) < len(jumps.point):
        notes.append("jumps up and down like those of a membrane test are not taken as stimuli")
    jumps = steady
    if len(jumps.point) > 4 and not _regular(jumps.point, rate_hz):
        return Found(empty(), (*notes, _IRREGULAR), False)
    if not len(jumps.point):
        return Found(empty(), (*notes, _NOTHING), False)
    sweep, point = np.repeat(own, len(jumps.point)), np.tile(jumps.point, len(own))
    if total <= _SCANNED_POINTS:
        trains = _own_trains(recording, own, jumps, max(steps.limit, 0.35 * float(jumps.size.max())))
        other = np.isin(sweep, trains.sweep)
        sweep, point = np.r_[sweep[~other], trains.sweep], np.r_[point[~other], trains.point]
    notes.append("the protocol does not say when stimuli were given; they are taken from artefacts")
    return Found(table(sweep, _ms(point, rate_hz), "artefact"), tuple(notes), True)


_NOTHING = "no stimulus was found, neither in the protocol nor as an artefact; give its time as stimulus_ms"
_IRREGULAR = "jumps at irregular times are not taken as stimuli; read with stimulus_ms if there were any"


def _stimuli_like(jumps: _Jumps) -> _Jumps:
    """Leave out pairs of neighbours of opposite sign and like size: the two edges of a step."""
    edge = np.zeros(len(jumps.point), bool)
    opposite = (np.diff(jumps.sign) != 0) & (np.abs(np.diff(np.log(jumps.size))) < np.log(2))
    for i in np.flatnonzero(opposite).tolist():
        if not edge[i]:
            edge[i : i + 2] = True
    return _Jumps(*(part[~edge] for part in jumps))


def _own_trains(recording: Recording, own: NDArray[np.int64], jumps: _Jumps, limit: float) -> Pulses:
    """Artefacts of the sweeps that have many more than the rest, such as an HFS among test pulses."""
    rate_hz = recording.rate_hz
    at_once = max(1, _STRETCH // recording.n_points)
    parts = []
    for begin in range(0, len(own), at_once):
        some = own[begin : begin + at_once]
        size = np.abs(np.diff(recording.segments_mV(some, 0, int(recording.lengths[own[0]])), axis=1))
        row, point = np.nonzero(size > limit)
        begins = _begins(row, point, _ONE_MS * 1e-3 * rate_hz)
        parts.append((some[row[begins]], point[begins] + 1))
    sweep, point = (np.concatenate(part) for part in zip(*parts, strict=True))
    which, count = np.unique(sweep, return_counts=True)
    many = which[count >= max(4, 3 * len(jumps.point))]
    regular = [s for s in many if _regular(point[sweep == s], rate_hz)]
    keep = np.isin(sweep, regular)
    return Pulses(sweep[keep], point[keep], np.zeros(int(keep.sum()), np.int64))


def _regular(point: NDArray[np.int64], rate_hz: float) -> bool:
    """Whether four in five intervals are one of at most three lengths, as those of a protocol are."""
    apart = np.diff(np.sort(point)).astype(float)
    n_intervals = len(apart)
    for _ in range(3):
        if len(apart):
            middle = np.sort(apart)[len(apart) // 2]
            apart = apart[np.abs(apart - middle) > np.maximum(0.01 * middle, 2.5e-4 * rate_hz)]
    return n_intervals > 3 and len(apart) <= 0.2 * n_intervals


def _continuous(recording: Recording, own: NDArray[np.int64]) -> Found:
    """Stimuli from artefacts at regular intervals in long or unequal sweeps, read a stretch at a time."""
    rate_hz = recording.rate_hz
    found = []
    for sweep in own.tolist():
        length = int(recording.lengths[sweep])
        starts = np.unique(np.linspace(0, max(0, length - 4096), 64).astype(int))
        limit = _Steps.of(recording.segments_mV(np.full(len(starts), sweep), starts, min(4096, length))).limit
        for start in range(0, length, _STRETCH):
            n_points = min(_STRETCH + 1, length - start)
            steps = np.diff(recording.segments_mV([sweep], [start], n_points)[0])
            above = np.flatnonzero(np.abs(steps) > limit)
            found.append((np.full(len(above), sweep), above + start, steps[above]))
            if sum(len(part[1]) for part in found) > _LIMIT_PULSES:
                return Found(empty(), (_IRREGULAR,), False)
    sweep, above, steps = (np.concatenate(part) for part in zip(*found, strict=True))
    strong = np.abs(steps) > 0.2 * np.abs(steps).max(initial=0.0)
    sweep, above, steps = sweep[strong], above[strong], steps[strong]
    pulses: list[tuple[int, int]] = []
    irregular = False
    for one in np.unique(sweep).tolist():
        mine = sweep == one
        jumps = _stimuli_like(_jumps(above[mine], np.abs(steps[mine]), steps[mine], None, rate_hz))
        if len(jumps.point) > 4 and _regular(jumps.point, rate_hz):
            pulses += [(one, point) for point in jumps.point.tolist()]
        else:
            irregular |= len(jumps.point) > 0
    if not pulses:
        return Found(empty(), (_IRREGULAR if irregular else _NOTHING,), False)
    sweep, point = np.array(pulses).T
    note = "the protocol does not say when stimuli were given; they are taken from regular artefacts"
    return Found(table(sweep, _ms(point, rate_hz), "artefact"), (note,), True)


def name_pathways(lines: Iterable[NDArray[np.int64]]) -> tuple[NDArray[np.str_], list[str]]:
    """The pathway of each sweep, from the lines that stimulate it: S0 for the lowest, S1 for the next.

    Parameters
    ----------
    lines
        For each file, (2, n) masks of the digital and of the analogue lines of its sweeps. The same line is
        the same pathway in all files; lines that every sweep uses tell nothing and are left out.

    Returns
    -------
    tuple
        (n,) names, and warnings.

    Examples
    --------
    >>> name_pathways([np.array([[1, 2, 1, 2], [0, 0, 0, 0]])])[0].tolist()
    ['S0', 'S1', 'S0', 'S1']
    """
    masks = np.concatenate(list(lines), axis=1)
    for mask in masks:
        used = np.unique(mask[mask > 0])
        if len(used) < 2:
            continue
        common = np.bitwise_and.reduce(used)
        if (used & ~common).all():
            mask, used = mask & ~common, np.unique(used & ~common)
        names = np.array([f"S{i}" for i in range(len(used))])
        where = np.searchsorted(used, mask)
        warnings = []
        if (mask == 0).any():
            warnings.append(f"{int((mask == 0).sum())} sweeps use no stimulus line; they are counted to S0")
        if len(used) > 2:
            warnings.append(
                f"the sweeps use {len(used)} combinations of stimulus lines, named S0 to S{len(used) - 1}"
            )
        return names[where], warnings
    return np.full(masks.shape[1], "S0"), []


def response_size(recording: Recording) -> float:
    """Largest deflection in mV 2 to 20 ms after test pulses, on the median of up to 32 of each pathway."""
    tests = recording.stimuli[recording.stimuli["kind"].isin(["test", "pair"])]
    rate_hz, largest = recording.rate_hz, np.nan
    before, after = (int(np.ceil(t * rate_hz)) for t in (5e-3, 20e-3))
    for pathway in np.unique(recording.pathway):
        rows = tests[recording.pathway[tests["sweep"].to_numpy(np.int64)] == pathway].iloc[
            :: max(1, len(tests) // 32)
        ]
        if rows.empty:
            continue
        point = np.round(rows["time_ms"].to_numpy() * 1e-3 * rate_hz).astype(np.int64)
        windows = recording.segments_mV(rows["sweep"].to_numpy(), point - before, before + after)
        known = ~np.isnan(windows).any(axis=0)
        windows = windows[:, known]
        when = (np.arange(before + after) - before)[known]
        rest, response = windows[:, when < 0], windows[:, when >= 2e-3 * rate_hz]
        if rest.size and response.size:
            curve = np.median(response - np.median(rest, axis=1, keepdims=True), axis=0)
            largest = np.fmax(largest, np.abs(curve).max())
    return float(largest)

"""When stimulators were told to pulse: the digital and analogue outputs as the protocol programmes them.

What the waveform table says, sweep by sweep, and nothing of what the recording shows: a programmed pulse is a
promise, which `labkit.ltp.locating` holds against the artefacts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.ltp.abf_header import Epoch, Protocol
from labkit.ltp.stimuli import group_begins

__all__ = ["LIMIT_PULSES", "ONE_PULSE_MS", "Programmed", "Pulses", "programmed"]

# Pulses closer than this are one: a biphasic pulse, or an artefact and its tail.
ONE_PULSE_MS = 2.0
LIMIT_PULSES = 2_000_000
# An analogue step no longer than this, and back again, is a pulse to a stimulator; others are commands to a
# cell.
_PULSE_MS = 5.0


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


class _Span(NamedTuple):
    """One epoch of one output, with its first point and its length in each sweep."""

    epoch: Epoch
    start: NDArray[np.int64]
    points: NDArray[np.int64]


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
    parts: dict[str, list[Pulses]] = {"digital": [], "dac": [], "edges": []}
    n_pulses = 0
    for dac in sorted({*protocol.dacs, protocol.digital_dac}):
        spans = _spans(protocol, dac, lengths)
        analogue = _analogue(protocol, dac, spans, sweep, rate_hz) if dac in protocol.dacs else ()
        digital = _digital(protocol, spans, sweep) if dac == protocol.digital_dac else ()
        for name, pulses in chain(analogue, digital):
            parts[name].append(pulses)
            n_pulses += len(pulses.sweep) * (name != "edges")
            if n_pulses > LIMIT_PULSES:
                return Programmed(warnings=("the protocol has an absurd number of pulses and is not used",))
    return Programmed(**{name: _join(found, lengths, rate_hz) for name, found in parts.items()})


def _spans(protocol: Protocol, dac: int, lengths: NDArray[np.int64]) -> list[_Span]:
    spans, start = [], lengths // 64
    for epoch in sorted((e for e in protocol.epochs if e.dac == dac and e.kind), key=lambda e: e.number):
        points = np.clip(epoch.points + epoch.points_step * np.arange(len(lengths)), 0, lengths)
        spans.append(_Span(epoch, start, points))
        start = np.minimum(start + points, lengths)
    return spans


def _analogue(
    protocol: Protocol, dac: int, spans: list[_Span], sweep: NDArray[np.int64], rate_hz: float
) -> Iterator[tuple[str, Pulses]]:
    """Pulses of one analogue output, and the edges of its longer steps."""
    # With alternate waveforms the first output serves even sweeps and the second odd ones.
    serves = (sweep % 2 == dac) if protocol.alternate_dac and dac < 2 else np.ones(len(sweep), bool)
    before = np.full(len(sweep), protocol.dacs[dac])
    levels = [epoch.level + epoch.level_step * sweep.astype(float) for epoch, _, _ in spans] + [before]
    for (epoch, start, points), level, after in zip(spans, levels[:-1], levels[1:], strict=True):
        lasts = points > 0
        drives = serves & lasts & (level != before)
        if epoch.kind in (3, 4, 7) and epoch.period > 0:
            yield "dac", _train(sweep, start, points, epoch.period, drives, 1 << dac)
        elif epoch.kind == 1 and epoch.points <= _PULSE_MS * 1e-3 * rate_hz:
            returns = (level - before) * (level - after) > 0
            yield "dac", _once(sweep, start, drives & returns, 1 << dac)
        else:
            yield "edges", _once(sweep, start, drives, 0)
            yield "edges", _once(sweep, start + points, serves & lasts & (level != after), 0)
        before = np.where(lasts, level, before)


def _digital(
    protocol: Protocol, spans: list[_Span], sweep: NDArray[np.int64]
) -> Iterator[tuple[str, Pulses]]:
    """Pulses of the digital output: each rise of a bit, and trains."""
    held = np.full(len(sweep), protocol.digital_holding)
    alternate = (sweep % 2 == 1) & protocol.alternate_digital
    for epoch, start, points in spans:
        if epoch.number not in protocol.digital:
            continue
        now, lasts = protocol.digital[epoch.number], points > 0
        bits = np.where(alternate, now.alternate_bits, now.bits)
        train = np.where(alternate, now.alternate_train, now.train)
        rise = bits & ~held
        yield "digital", _once(sweep, start, lasts & (rise > 0), rise)
        if train.any():
            period = epoch.period if epoch.period > 0 else max(epoch.points, 1)
            yield "digital", _train(sweep, start, points, period, lasts & (train > 0), train)
        held = np.where(lasts, bits, held)


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
    each = np.minimum(points[where] // period, LIMIT_PULSES // max(1, int(where.sum())) + 1)
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
    begins = group_begins(sweep, point, ONE_PULSE_MS * 1e-3 * rate_hz)
    if not len(begins):
        return _NONE
    return Pulses(sweep[begins], point[begins], np.bitwise_or.reduceat(line, begins))

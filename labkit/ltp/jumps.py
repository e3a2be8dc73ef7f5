"""Jumps of the trace that may be stimulus artefacts: above the noise, fast, and no edges of a step.

Notation: n sweeps of M points; a step is the difference from one point to the next, a jump what steps above
the noise less than 2 ms apart make together. Numbers in, numbers out: which jumps are stimuli is decided in
`labkit.ltp.locating`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.ltp.programmed import ONE_PULSE_MS
from labkit.ltp.stimuli import group_begins

__all__ = ["Jumps", "Steps", "equal_train", "group_jumps", "is_regular", "without_edges", "without_steps"]

# A jump that takes longer (at half height of dV/dt) is a response, not an artefact.
_WIDTH_MS = 0.6


class Jumps(NamedTuple):
    """Jumps in order of time: first point after the jump, size of dV and its first sign."""

    point: NDArray[np.int64]
    size: NDArray[np.float64]
    sign: NDArray[np.float64]

    def where(self, keep: NDArray[np.bool_]) -> Jumps:
        return Jumps(*(part[keep] for part in self))


def group_jumps(
    above: NDArray[np.int64], size: NDArray[np.float64], signed: NDArray[np.float64], rate_hz: float
) -> Jumps:
    """Steps that are above the noise, at positions `above`, joined to jumps."""
    begins = group_begins(np.zeros_like(above), above, ONE_PULSE_MS * 1e-3 * rate_hz)
    if not len(begins):
        return Jumps(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    return Jumps(above[begins] + 1, np.maximum.reduceat(size, begins), np.sign(signed[begins]))


class Steps(NamedTuple):
    """dV from point to point: (n, M - 1) of each sweep, median size over sweeps, and the limit of noise."""

    each: NDArray[np.float64]
    size: NDArray[np.float64]
    limit: float

    @classmethod
    def of(cls, traces: NDArray[np.float64]) -> Steps:
        """Steps of (n, M) traces, what is no number counting as 0."""
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

    def artefacts(self, rate_hz: float) -> Jumps:
        """Jumps common to the sweeps, above the noise and 1/5 of the largest, that are fast and come back."""
        above = np.flatnonzero(self.size > max(self.limit, 0.2 * self.size.max(initial=0.0)))
        signed = np.zeros_like(self.size)
        near = np.unique(np.clip(above[:, None] + np.arange(-1, int(2e-3 * rate_hz) + 2), 0, len(signed) - 1))
        signed[near] = np.median(self.each[:, near], axis=0)
        jumps = group_jumps(above, self.size[above], signed[above], rate_hz)
        groups = np.split(above, np.searchsorted(above, jumps.point[1:] - 1))
        fast = np.ones(len(jumps.point), bool)
        width = _WIDTH_MS * 1e-3 * rate_hz
        reach = int(np.ceil(width)) + 1
        for i in range(len(fast)):
            at = int(groups[i][np.argmax(self.size[groups[i]])])
            around = self.size[max(0, at - reach) : at + reach + 1] >= jumps.size[i] / 2
            path = signed[max(0, at - 1) : at + int(1.5e-3 * rate_hz) + 1]
            # A step goes to its new level and stays; an artefact comes back.
            returns = abs(path.sum()) < 0.8 * np.abs(path).sum()
            fast[i] = returns and _run(around, min(at, reach)) <= max(2, width)
        return jumps.where(fast)


def _run(flags: NDArray[np.bool_], at: int) -> int:
    """Length of the run of true values around position `at`."""
    left = np.argmin(np.r_[flags[: at + 1][::-1], False])
    right = np.argmin(np.r_[flags[at:], False])
    return int(left + right - 1)


def without_edges(jumps: Jumps, edges: NDArray[np.int64], rate_hz: float) -> Jumps:
    """Leave out jumps within 1 ms of the edges of programmed steps, such as a membrane test."""
    if not len(jumps.point) or not len(edges):
        return jumps
    nearest = np.abs(jumps.point[:, None] - np.unique(edges)[None, :]).min(axis=1)
    return jumps.where(nearest > 1e-3 * rate_hz)


def without_steps(jumps: Jumps) -> Jumps:
    """Leave out pairs of neighbours of opposite sign and like size: the two edges of a step."""
    edge = np.zeros(len(jumps.point), bool)
    opposite = (np.diff(jumps.sign) != 0) & (np.abs(np.diff(np.log(jumps.size))) < np.log(2))
    for i in np.flatnonzero(opposite).tolist():
        if not edge[i]:
            edge[i : i + 2] = True
    return jumps.where(~edge)


def equal_train(jumps: Jumps, at: int, rate_hz: float) -> NDArray[np.int64]:
    """Points of the jumps that are like the one at point `at` and follow it at equal intervals."""
    near = np.abs(jumps.point - at) <= max(2, 3e-4 * rate_hz)
    if not near.any():
        return np.zeros(0, np.int64)
    first = int(np.argmax(near))
    size, sign = jumps.size[first:], jumps.sign[first:]
    like = (size >= 0.5 * size[0]) & (size <= 2 * size[0]) & (sign == sign[0])
    points = jumps.point[first:][like]
    apart = np.diff(points)
    # Under 8 ms one more jump may be a population spike.
    if not len(apart) or (len(apart) < 3 and apart.min() < 8e-3 * rate_hz):
        return points[:1]
    equal = np.abs(apart - np.median(apart)) <= 0.02 * np.median(apart) + 2
    return points if equal.all() else points[:1]


def is_regular(point: NDArray[np.int64], rate_hz: float) -> bool:
    """Whether four in five intervals are one of at most three lengths, as those of a protocol are.

    >>> is_regular(np.arange(0, 9000, 1000), 1000.0), is_regular(np.arange(9) ** 3, 1000.0)
    (True, False)
    """
    apart = np.diff(np.sort(point)).astype(float)
    n_intervals = len(apart)
    for _ in range(3):
        if len(apart):
            middle = np.sort(apart)[len(apart) // 2]
            apart = apart[np.abs(apart - middle) > np.maximum(0.01 * middle, 2.5e-4 * rate_hz)]
    return n_intervals > 3 and len(apart) <= 0.2 * n_intervals

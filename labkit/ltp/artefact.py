"""The stimulus artefact: blanked by a line, and its tail fitted and taken out.

Notation: M responses of N points with the baseline at 0, `time_ms` (N,) after the stimulus.

A tail that still decays while the fEPSP rises adds its own slope to that of the fEPSP: a tail that doubles
when the fEPSP grows to 150 % makes it read 160 %. Between blank and foot nothing but the tail and the fibre
volley is there, so both are fitted to the mean of a pathway: an exponential, and a volley of three phases.
Each single response then gets its own amount of both by linear least squares, and its own tail is
subtracted.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tail", "blank", "fit_tail", "subtract_tail"]

Floats = NDArray[np.float64]

# Fewer samples, or a shorter stretch, cannot tell a tail; a stretch that is not longer, not a tail from a
# volley.
_LEAST_POINTS = 5
_LEAST_MS = 0.35
_VOLLEY_MS = 0.8


@dataclass(frozen=True)
class Tail:
    """Shape of the artefact's tail, as fitted between `start_ms` and `end_ms` of a mean response.

    `decay_ms` is the time constant, `level_mV` the tail at `start_ms`; `volley_ms` and `volley_width_ms`
    describe the volley fitted beside it (`volley_mV` its depth). `residual_mV` is the root mean square of
    what is left.
    """

    start_ms: float
    end_ms: float
    decay_ms: float
    level_mV: float
    volley_ms: float
    volley_width_ms: float
    volley_mV: float
    residual_mV: float

    def slope_at(self, time_ms: float) -> float:
        """Slope of the tail (mV/ms) at a time after the stimulus."""
        return -self.level_mV / self.decay_ms * float(np.exp(-(time_ms - self.start_ms) / self.decay_ms))


def blank(traces: Floats, time_ms: Floats, *, end_ms: float) -> Floats:
    """Replace 0 to `end_ms` by a line from the baseline (0) to the first sample after it, before any filter.

    A filter would smear an artefact of some 10 mV over the response.
    """
    first = int(np.searchsorted(time_ms, -1e-9))
    last = min(int(np.searchsorted(time_ms, end_ms - 1e-9)), len(time_ms) - 1)
    out = np.array(traces, float)
    if last >= first:
        part = np.arange(1, last - first + 2) / (last - first + 1)
        out[..., first : last + 1] = part * out[..., [last]]
    return out


def fit_tail(mean: Floats, time_ms: Floats, *, start_ms: float, end_ms: float) -> Tail | None:
    """Fit exponential tail and fibre volley to a mean response between blank and foot.

    The time constant (0.15 to 12 ms) and the volley's time and width are searched on a grid that is refined
    twice; tail and volley are linear. None when the stretch is too short.
    """
    inside = (time_ms >= start_ms - 1e-9) & (time_ms <= end_ms + 1e-9)
    x, y = time_ms[inside] - start_ms, mean[inside]
    if x.size < _LEAST_POINTS or x[-1] < _LEAST_MS:
        return None
    decays = np.geomspace(0.15, 12, 28)
    centres = np.linspace(0, x[-1], max(4, round(x[-1] / 0.1)))
    widths = np.array([0.12, 0.17, 0.24, 0.34])
    for _ in range(3):
        tails = np.exp(-x / decays[:, None])
        centre, width = (grid.ravel() for grid in np.meshgrid(centres, widths, indexing="ij"))
        volleys = _three_phases((x - centre[:, None]) / width[:, None])
        tt, vv = np.sum(tails**2, axis=1)[:, None], np.sum(volleys**2, axis=1)[None]
        tv, ty, vy = tails @ volleys.T, (tails @ y)[:, None], (volleys @ y)[None]
        # Two bases that are nearly one tell nothing about either.
        determinant = np.maximum(tt * vv - tv**2, 1e-6 * tt * vv)
        tail, volley = (ty * vv - vy * tv) / determinant, (vy * tt - ty * tv) / determinant
        if x[-1] < _VOLLEY_MS:
            tail, volley = np.broadcast_to(ty / tt, tail.shape), np.zeros_like(volley)
        left = y @ y - tail * ty - volley * vy
        i, j = np.unravel_index(np.argmin(left), left.shape)
        best = (decays[i], centre[j], width[j], tail[i, j], volley[i, j], left[i, j])
        ratio, spacing = decays[1] / decays[0], centres[1] - centres[0]
        decays = best[0] * np.geomspace(1 / ratio, ratio, 11)
        centres = best[1] + spacing * np.linspace(-1, 1, 7)
        ratio = widths[1] / widths[0]
        widths = best[2] * np.geomspace(1 / ratio, ratio, 7)
    return Tail(
        start_ms=start_ms,
        end_ms=end_ms,
        decay_ms=float(best[0]),
        level_mV=float(best[3]),
        volley_ms=float(best[1] + start_ms),
        volley_width_ms=float(best[2]),
        volley_mV=float(best[4]),
        residual_mV=float(np.sqrt(max(best[5], 0) / max(x.size - 5, 1))),
    )


def subtract_tail(traces: Floats, time_ms: Floats, tail: Tail) -> Floats:
    """The traces with, from the stimulus on, their own tail taken away."""
    inside, weights, decay = _estimator(tail, float(time_ms[0]), float(time_ms[-1]), len(time_ms))
    level = traces[:, inside] @ weights
    return traces - level[:, None] * decay


@functools.lru_cache(maxsize=16)
def _estimator(tail: Tail, first_ms: float, last_ms: float, n_points: int) -> tuple[slice, Floats, Floats]:
    """Where the tail is estimated, the weights that give its level there, and its course."""
    time_ms = np.linspace(first_ms, last_ms, n_points)
    inside = slice(*np.searchsorted(time_ms, (tail.start_ms - 1e-6, tail.end_ms + 1e-6)))
    x = time_ms[inside]
    bases = [np.exp(-(x - tail.start_ms) / tail.decay_ms)]
    if tail.volley_mV != 0:
        bases.append(_three_phases((x - tail.volley_ms) / tail.volley_width_ms))
    # Before the blank ends the tail would grow without bound.
    after_ms = np.maximum(time_ms, tail.start_ms) - tail.start_ms
    decay = np.where(time_ms >= -1e-6, np.exp(-after_ms / tail.decay_ms), 0)
    return inside, np.linalg.pinv(np.column_stack(bases))[0], decay


def _three_phases(u: Floats) -> Floats:
    """Second derivative of a Gaussian, turned so that its middle is 1."""
    return (1 - u**2) * np.exp(-(u**2) / 2)

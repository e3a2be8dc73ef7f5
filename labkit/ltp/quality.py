"""What makes a response doubtful, in words. Nothing is left out because of it.

The limits are starting points, not literature: a signal-to-noise ratio of 5, R² of 0.9, four points, 30 %
between the two slopes, and 3 median absolute deviations for latency and noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labkit.ltp.rise import Rise

__all__ = ["clipped", "flags"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST_SNR = 5.0
_LEAST_R2 = 0.9
_LEAST_POINTS = 4
_MOST_DISAGREEMENT = 0.3
_MOST_MAD = 3.0
# Sampling and filter leave latency this much play.
_LATENCY_PLAY_MS = 0.2
# A converter that has reached its limit repeats one value.
_REPEATS = 5


def flags(
    rise: Rise,
    *,
    slope: Floats,
    snr: Floats,
    noise: Floats,
    baseline_ms: Floats,
    short: Bools,
    saturated: Bools,
    count: NDArray[np.int64],
    wanted: int,
) -> list[str]:
    """One text per response, the reasons joined by ``; ``, empty when there is none.

    Parameters
    ----------
    rise
        The measures.
    slope
        (M,) what stands in the table as slope.
    snr, noise, baseline_ms
        (M,) signal-to-noise ratio, standard deviation and length of the baseline.
    short, saturated
        (M,) whether the sweep ends before the peak does, and whether the converter was at its limit.
    count, wanted
        (M,) number of responses averaged, and what was asked for.
    """
    n = len(slope)
    with np.errstate(invalid="ignore", divide="ignore"):
        silent = snr < _LEAST_SNR
        clear = ~silent & np.isfinite(slope)
        ratio = rise.slope / rise.max_slope
        judged = ~silent & np.isfinite(ratio)
        usual = np.median(ratio[judged]) if judged.any() else np.nan
        unlike = np.abs(ratio / usual - 1) > _MOST_DISAGREEMENT
    known = np.isfinite(noise)
    middle = float(np.median(noise[known])) if known.any() else 0.0
    late = _outlying(rise.latency_ms, ~silent & np.isfinite(rise.latency_ms), least=_LATENCY_PLAY_MS)
    loud = _outlying(noise, known, least=0.5 * middle) & (noise > middle)
    reasons = [
        (~np.isfinite(slope), lambda i: "no slope"),
        (silent, lambda i: f"no clear response (signal/noise {snr[i]:.1f})"),
        (baseline_ms == 0, lambda i: "no baseline before the stimulus, the sweep's end is taken"),
        (clear & (rise.r2 < _LEAST_R2), lambda i: f"slope fits poorly (R² {rise.r2[i]:.2f})"),
        (clear & (rise.points < _LEAST_POINTS), lambda i: f"only {rise.points[i]:.0f} points on the slope"),
        (clear & unlike, lambda i: "slope and maximum slope disagree"),
        (clear & rise.edge, lambda i: "steepest at the edge of the window"),
        (clear & rise.spike_on_rise, lambda i: "population spike on the rise"),
        (saturated, lambda i: "saturated"),
        (late, lambda i: "unusual latency"),
        (loud, lambda i: "noisy baseline"),
        (short, lambda i: "cut off by the end of the sweep"),
        (count < wanted, lambda i: f"mean of {count[i]} instead of {wanted}"),
    ]
    words: dict[int, list[str]] = {}
    for doubtful, say in reasons:
        for i in np.flatnonzero(doubtful).tolist():
            words.setdefault(i, []).append(say(i))
    out = [""] * n
    for i, reason in words.items():
        out[i] = "; ".join(reason)
    return out


def clipped(traces: Floats, time_ms: Floats, *, from_ms: float) -> Bools:
    """Whether the extreme value after `from_ms`, where first reached, repeats for five samples; (M,)."""
    after = traces[:, np.searchsorted(time_ms, from_ms) :]
    out = np.zeros(len(traces), bool)
    if after.shape[1] < _REPEATS:
        return out
    rows = np.arange(len(after))[:, None]
    for extreme in (np.argmax, np.argmin):
        at = np.minimum(extreme(after, axis=1), after.shape[1] - _REPEATS)
        run = after[rows, at[:, None] + np.arange(_REPEATS)]
        out |= (run == run[:, :1]).all(axis=1) & (after[rows[:, 0], at] != after[:, 0])
    return out


def _outlying(values: Floats, counted: Bools, *, least: float) -> Bools:
    """Further from the median than 3 MAD (scaled to a standard deviation), and than `least`."""
    out = np.zeros(len(values), bool)
    if counted.sum() >= 5:
        away = np.abs(values[counted] - np.median(values[counted]))
        out[counted] = away > max(_MOST_MAD * 1.4826 * np.median(away), least)
    return out

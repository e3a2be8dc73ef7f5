"""The template of a pathway: what its mean response tells about each single one.

What cannot be told from one noisy sweep is told from the mean of a pathway: the direction of the fEPSP, the
window of its rise, the shape of the artefact's tail, and where the fibre volley stands. Arrays in, arrays
out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labkit.ltp.artefact import Tail, blank, fit_tail, subtract_tail
from labkit.ltp.landmarks import crossing, first_rise, locate, lowpass

__all__ = [
    "AFTER_MS",
    "BASELINE_MS",
    "BEFORE_MS",
    "BLANK_MS",
    "LOWPASS_HZ",
    "RESPONSE_MS",
    "ROWS_FOR_MEAN",
    "Template",
    "filled",
    "fit_template",
    "noise_level",
    "zeroed",
]

Floats = NDArray[np.float64]

BASELINE_MS = (-5.0, -0.5)
BLANK_MS = 0.7
LOWPASS_HZ = 1000.0
BEFORE_MS = 5.0
AFTER_MS = 20.0
# A response is over so long after its rise.
RESPONSE_MS = 7.0

# A second pulse rides on the decay of the first response: only what lies just before it is its baseline.
_LATER_BASELINE_MS = (-2.0, -0.3)
# With less than 1 ms before the stimulus everything up to this much before it counts.
_SHORT_GAP_MS = 0.1
# An fEPSP that is over by then is a fibre volley.
_VOLLEY_OVER_MS = 1.8
# Enough responses for a mean; more would only take longer to read.
ROWS_FOR_MEAN = 400


@dataclass(frozen=True)
class Template:
    """What the mean response of one pathway (and pulse) tells; times in ms after the stimulus.

    `window_ms` is where the rise passes 20 and 80 %, or the window given; `search_ms` is where the steepest
    point of single responses is looked for; `amplitude_mV` is that of the mean from foot to peak, and
    `clear` whether it stands out of the noise; `level_mV` is the level of its peak. `volley_ms` are the
    shoulders and the trough of the fibre volley, None without room for one.
    """

    polarity: int
    window_ms: tuple[float, float]
    search_ms: tuple[float, float]
    foot_ms: float
    peak_ms: float
    amplitude_mV: float
    level_mV: float
    blank_ms: float
    tail: Tail | None
    volley_ms: tuple[float, float, float] | None
    clear: bool


def zeroed(
    traces: Floats, time_ms: Floats, *, baseline_ms: tuple[float, float], room_ms: Floats, first: bool = True
) -> tuple[Floats, Floats, Floats]:
    """Subtract, in place, the mean before the stimulus.

    Parameters
    ----------
    traces, time_ms
        (M, N) and (N,); NaN outside of the sweep.
    baseline_ms
        Start and end of the baseline, ms from the stimulus.
    room_ms
        (M,) time from the start of the sweep, or from the pulse before, to the stimulus.
    first
        False for the second pulse of a pair, whose baseline is what lies just before it.

    Returns
    -------
    traces, noise, length : (M, N), (M,), (M,)
        Noise is the standard deviation of the baseline (NaN under three samples) and length its ms. Without
        any baseline the end of the sweep serves, and the length is 0.
    """
    start, end = baseline_ms if first else _LATER_BASELINE_MS
    step = time_ms[1] - time_ms[0]
    before = time_ms < -1e-9
    part, t = traces[:, before], time_ms[before]
    # Rows with less room than 1 ms take all there is.
    short = room_ms < 1.0 if first else np.zeros(len(traces), bool)
    if not short.any() and (room_ms >= -t[0] - 1e-9).all():
        used = np.flatnonzero((t >= start - 1e-9) & (t <= end + 1e-9))
        part = part[:, used[0] : used[-1] + 1] if used.size else part[:, :0]
        count = np.full(len(traces), part.shape[1])
        weight = None
    else:
        begins = np.maximum(start, -room_ms - 1e-9)
        ends = np.where(short, -_SHORT_GAP_MS, end)
        weight = (t >= begins[:, None] - 1e-9) & (t <= ends[:, None] + 1e-9) & np.isfinite(part)
        count = weight.sum(axis=1)
        part = np.where(weight, part, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = part.sum(axis=1) / count
        spread = part - mean[:, None]
        if weight is not None:
            spread *= weight
        noise = np.where(count >= 3, np.sqrt(np.einsum("ij,ij->i", spread, spread) / (count - 1)), np.nan)
    none = count == 0
    if none.any():
        mean[none] = np.nanmedian(traces[none][:, time_ms >= 0.9 * time_ms[-1]], axis=1)
    traces -= mean[:, None]
    return traces, np.where(none, np.nan, noise), np.where(none, 0.0, count * step)


def filled(traces: Floats) -> Floats:
    """NaN before the sweep as 0 (the baseline), NaN after its end as the last value; (M, N)."""
    # What is missing is missing at an end.
    if not np.isnan(traces[:, [0, -1]]).any():
        return traces
    missing = np.isnan(traces)
    out = np.where(missing, 0.0, traces)
    last = traces.shape[1] - 1 - np.argmax(~missing[:, ::-1], axis=1)
    after = np.arange(traces.shape[1]) > last[:, None]
    held = out[np.arange(len(out)), last]
    return np.where(after, held[:, None], out)


def noise_level(smooth: Floats, time_ms: Floats, *, from_ms: float) -> float:
    """Standard deviation of the noise of low-passed responses, from their late part.

    Each value is compared with the mean of those 0.5 ms before and after it, in which the slow decay of the
    fEPSP cancels; the median over samples and responses is not moved by a population spike.
    """
    step = time_ms[1] - time_ms[0]
    lag = max(1, round(0.5 / step))
    late = smooth[:, time_ms >= min(from_ms, time_ms[-1] - 4.0)][:200]
    if late.shape[1] < 3 * lag:
        return 0.0
    bend = late[:, lag:-lag] - (late[:, 2 * lag :] + late[:, : -2 * lag]) / 2
    return float(np.median(np.median(np.abs(bend), axis=1)) / 0.6745 / np.sqrt(1.5))


def fit_template(
    mean: Floats,
    time_ms: Floats,
    *,
    rate_hz: float,
    noise_mV: float,
    window_ms: tuple[float, float] | None = None,
    volley_ms: tuple[float, float] | None = None,
    blank_ms: float = BLANK_MS,
    lowpass_hz: float = LOWPASS_HZ,
    polarity: int | None = None,
    tail: bool = True,
) -> Template:
    """Describe a mean response (N,), baseline at 0; `noise_mV` is the noise of the low-passed mean."""
    if polarity is None:
        smooth = lowpass(blank(mean, time_ms, end_ms=blank_ms), rate_hz=rate_hz, corner_hz=lowpass_hz)
        polarity = _direction(smooth, time_ms, window_ms)
    up = polarity * mean
    fitted: Tail | None = None
    shape = None
    end_ms = np.nan
    for _ in range(8):
        clean = up if fitted is None else subtract_tail(up[None], time_ms, fitted)[0]
        smooth = lowpass(blank(clean, time_ms, end_ms=blank_ms), rate_hz=rate_hz, corner_hz=lowpass_hz)
        shape = _rise(smooth, time_ms, window_ms, blank_ms, noise_mV)
        # Where the line through the rise meets the foot, less what an S-shaped start takes.
        width = shape["rise"][1] - shape["rise"][0]
        new_end = float(np.clip(shape["rise"][0] - (1 / 3 + 0.35) * width, blank_ms + 0.5, blank_ms + 4))
        if not tail or abs(new_end - end_ms) < 0.6e3 / rate_hz:
            break
        end_ms = new_end
        fitted = fit_tail(up, time_ms, start_ms=blank_ms, end_ms=end_ms)
        if fitted is None:
            break
    if fitted is not None and not _credible(fitted, shape, noise_mV):
        fitted = None
        smooth = lowpass(blank(up, time_ms, end_ms=blank_ms), rate_hz=rate_hz, corner_hz=lowpass_hz)
        shape = _rise(smooth, time_ms, window_ms, blank_ms, noise_mV)
    window = tuple(float(x) for x in (window_ms or shape["rise"]))
    # A volley lasts 0.5 ms: the corner that suits the fEPSP would take most of it away.
    clean = up if fitted is None else subtract_tail(up[None], time_ms, fitted)[0]
    sharp = lowpass(blank(clean, time_ms, end_ms=blank_ms), rate_hz=rate_hz, corner_hz=4 * lowpass_hz)
    width = window[1] - window[0]
    room = volley_ms or (blank_ms, min(shape["rise"][0], window[0]))
    return Template(
        polarity=polarity,
        window_ms=window,
        search_ms=(max(window[0] - 0.25 * width, blank_ms), window[1] + 0.5 * width),
        foot_ms=shape["foot_ms"],
        peak_ms=shape["peak_ms"],
        amplitude_mV=shape["amplitude"],
        level_mV=shape["level"],
        blank_ms=blank_ms,
        tail=fitted,
        # The volley is negative whichever way the fEPSP goes.
        volley_ms=_volley(-polarity * sharp, time_ms, room),
        clear=shape["amplitude"] > 5 * noise_mV,
    )


def _rise(
    smooth: Floats, time_ms: Floats, window_ms: tuple[float, float] | None, blank_ms: float, noise_mV: float
) -> dict:
    """Foot, peak, amplitude and the times of 20 and 80 % on one low-passed mean."""
    after = time_ms >= blank_ms
    turn = max(5 * noise_mV, 0.03 * float(np.ptp(smooth[after])), 1e-12)
    limits = (blank_ms, float(min(time_ms[-1], 15.0)))
    if window_ms is None:
        found = first_rise(smooth, time_ms, turn_mV=turn, limits_ms=limits, after_ms=_VOLLEY_OVER_MS)
        if found is None:
            found = (int(np.searchsorted(time_ms, 2.0)), int(np.searchsorted(time_ms, 4.0)))
        search = (max(float(time_ms[found[0]]), _VOLLEY_OVER_MS), float(time_ms[found[1]]))
        if search[1] - search[0] < 0.3:
            search = (float(time_ms[found[0]]), float(time_ms[found[1]]))
    else:
        search = window_ms
        limits = (blank_ms, float(min(time_ms[-1], window_ms[1] + RESPONSE_MS)))
    marks = locate(
        smooth[None], time_ms, search_ms=search, limits_ms=limits, turn_mV=np.array([turn]), width_ms=0.75
    )
    amplitude = float(marks.peak[0] - marks.foot[0])
    rise = [
        float(
            crossing(smooth[None], time_ms, marks.foot + part * amplitude, marks.steep_index, after=after)[0][
                0
            ]
        )
        for part, after in ((0.2, False), (0.8, True))
    ]
    step = time_ms[1] - time_ms[0]
    if not rise[1] - rise[0] > 2 * step:
        rise = [float(marks.steep_ms[0] - 0.5), float(marks.steep_ms[0] + 0.5)]
    return {
        "rise": tuple(rise),
        "foot_ms": float(time_ms[marks.foot_index[0]]),
        "peak_ms": float(time_ms[marks.peak_index[0]]),
        "amplitude": amplitude,
        "level": float(marks.peak[0]),
        "rate": float(marks.rate[0]),
    }


def _credible(tail: Tail, shape: dict, noise_mV: float) -> bool:
    """Whether a fitted tail describes the trace, and matters where the fEPSP rises."""
    matters = abs(tail.slope_at(shape["rise"][0])) > 1e-3 * abs(shape["rate"])
    close = tail.residual_mV < max(0.05 * abs(tail.level_mV), 2 * noise_mV)
    return bool(matters and close and tail.decay_ms < 11)


def _direction(smooth: Floats, time_ms: Floats, window_ms: tuple[float, float] | None) -> int:
    """-1 when the fEPSP goes down, +1 when up."""
    if window_ms is not None:
        start, end = (smooth[np.argmin(np.abs(time_ms - t))] for t in window_ms)
        return 1 if end > start else -1
    part = smooth[(time_ms >= 2.0) & (time_ms <= 15.0)]
    return 1 if part.size and part.max() > -part.min() else -1


def _volley(down: Floats, time_ms: Floats, room_ms: tuple[float, float]) -> tuple[float, float, float] | None:
    """Shoulder, trough and shoulder of the volley: the greatest rise of `down` above its lower hull."""
    inside = np.flatnonzero((time_ms >= room_ms[0] - 1e-9) & (time_ms <= room_ms[1] + 1e-9))
    if inside.size < 5 or time_ms[inside[-1]] - time_ms[inside[0]] < 0.4:
        return None
    x, y = time_ms[inside], down[inside]
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1 and (y[hull[-1]] - y[hull[-2]]) * (x[i] - x[hull[-2]]) >= (y[i] - y[hull[-2]]) * (
            x[hull[-1]] - x[hull[-2]]
        ):
            hull.pop()
        hull.append(i)
    above = y - np.interp(x, x[hull], y[hull])
    middle = int(np.argmax(above))
    if above[middle] <= 0:
        return None
    left = max(i for i in hull if i < middle)
    right = min(i for i in hull if i > middle)
    return float(x[left]), float(x[middle]), float(x[right])

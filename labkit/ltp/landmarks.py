"""Where a response begins, is steepest and turns, and the lines fitted there: arrays in, arrays out.

Notation: M responses of N points, `time_ms` (N,) after the stimulus, evenly spaced. `up` (M, N) are
responses turned so that the fEPSP is positive, with the baseline at 0 and the artefact taken out. Times
that are found lie between samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Landmarks",
    "around",
    "crossing",
    "derivative",
    "first_rise",
    "line",
    "line_weights",
    "locate",
    "lowpass",
    "neighbours",
    "notch",
    "running_mean",
    "top_weights",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The foot is where the rise, followed backwards, has slowed to this fraction of its steepest, or where it
# is about to quicken again by as much: the shoulder that a fibre volley leaves, even where the trace does
# not turn.
_FOOT_FRACTION = 0.15
_SHOULDER_FRACTION = 0.15
_FOOT_WIDTH_MS = 0.5


@dataclass(frozen=True)
class Landmarks:
    """Points on M responses: indices (M,) into the samples, and levels (M,) in mV.

    `steep_ms` is the time of the steepest point between samples, `steep` the level there and `rate` (mV/ms)
    the slope; `foot` is the last turn or shoulder before it, `peak` the first turn after it. `edge` tells
    that the steepest point lies at the edge of where it was looked for.
    """

    steep_index: Ints
    steep_ms: Floats
    steep: Floats
    rate: Floats
    foot_index: Ints
    foot: Floats
    peak_index: Ints
    peak: Floats
    edge: NDArray[np.bool_]

    def take(self, rows: slice) -> Landmarks:
        """The landmarks of some responses."""
        return Landmarks(**{name: values[rows] for name, values in self.__dict__.items()})


def lowpass(traces: Floats, *, rate_hz: float, corner_hz: float) -> Floats:
    """Zero-phase Butterworth low-pass of order 2.

    It does what filtering forwards and backwards does, and is 6 dB down at `corner_hz`; the ends are
    continued by their mirror image. A corner too near to half of the sampling rate leaves the traces as
    they are. The square of the digital filter's gain is multiplied onto the spectrum, which takes half of
    the time of a recursive filter.
    """
    from scipy import fft

    if not 0 < corner_hz < 0.45 * rate_hz:
        return np.array(traces, float)
    n = traces.shape[-1]
    # The response of the filter to an edge has died away after two periods of its corner.
    pad = min(n - 1, round(2 * rate_hz / corner_hz))
    whole = fft.next_fast_len(n + 2 * pad, real=True)
    frequency = np.arange(whole // 2 + 1) / whole
    ratio = np.tan(np.pi * np.minimum(frequency, 0.4999)) / np.tan(np.pi * corner_hz / rate_hz)
    padded = np.empty((*traces.shape[:-1], whole))
    padded[..., pad : pad + n] = traces
    padded[..., :pad] = 2 * traces[..., :1] - traces[..., pad:0:-1]
    padded[..., pad + n : n + 2 * pad] = 2 * traces[..., -1:] - traces[..., -2 : -pad - 2 : -1]
    padded[..., n + 2 * pad :] = padded[..., n + 2 * pad - 1 : n + 2 * pad]
    spectrum = fft.rfft(padded, axis=-1, overwrite_x=True)
    spectrum *= 1 / (1 + ratio**4)
    return fft.irfft(spectrum, whole, axis=-1, overwrite_x=True)[..., pad : pad + n]


def derivative(traces: Floats, *, step_ms: float, width_ms: float) -> Floats:
    """Slope (mV/ms) of the least-squares line over `width_ms` around each point (Savitzky-Golay, order 1)."""
    from scipy.ndimage import correlate1d

    weights = line_weights(max(1, round(width_ms / 2 / step_ms)), step_ms)
    return correlate1d(traces, weights.astype(traces.dtype), axis=-1, mode="nearest")


def neighbours(
    shapes: Floats, *, half: int, segment: Ints, least_mV: float, part: float
) -> tuple[Ints, Ints]:
    """How many rows before and after each row are like it: (M,), (M,), each at most `half`.

    Rows are alike while their root mean square difference stays under `part` of the row's own root mean
    square, or under `least_mV` (what noise alone makes), and while they lie in the same stretch; `segment`
    (M,) numbers stretches.
    """
    n = len(shapes)
    before, after = np.zeros(n, np.int64), np.zeros(n, np.int64)
    square = np.einsum("ij,ij->i", shapes, shapes)
    limit = np.maximum(part**2 * square, shapes.shape[1] * least_mV**2)
    for offset in range(1, min(half, n - 1) + 1):
        apart = shapes[offset:] - shapes[:-offset]
        distance = np.einsum("ij,ij->i", apart, apart)
        same = segment[offset:] == segment[:-offset]
        before[offset:] += same & (distance < limit[offset:]) & (before[offset:] == offset - 1)
        after[:-offset] += same & (distance < limit[:-offset]) & (after[:-offset] == offset - 1)
    return before, after


def running_mean(traces: Floats, *, before: Ints, after: Ints) -> tuple[Floats, Ints]:
    """Mean of each row with `before` and `after` (M,) rows on either side, and how many rows that is."""
    count = before + after + 1
    if count.max(initial=1) == 1:
        return traces, count
    rows = np.arange(len(traces))
    total = np.zeros((len(traces) + 1, traces.shape[1]))
    np.cumsum(traces, axis=0, out=total[1:])
    return (total[rows + after + 1] - total[rows - before]) / count[:, None], count


def line(traces: Floats, time_ms: Floats, start_ms: Floats, end_ms: Floats) -> tuple[Floats, Floats, Floats]:
    """Least-squares line through each trace between two times.

    A sample counts by the part of its interval that lies between the times, so that the slope does not jump
    when a limit moves across a sample.

    Parameters
    ----------
    traces, time_ms
        (M, N) and (N,).
    start_ms, end_ms
        (M,) limits.

    Returns
    -------
    slope, r2, points : (M,) each
        mV/ms; share of the variance that the line explains; number of samples. NaN where fewer than two
        samples lie between the limits.
    """
    step = time_ms[1] - time_ms[0]
    with np.errstate(invalid="ignore"):
        low = np.searchsorted(time_ms, np.nanmin(start_ms) - step) if np.isfinite(start_ms).any() else 0
        high = np.searchsorted(time_ms, np.nanmax(end_ms) + step) if np.isfinite(end_ms).any() else 2
    low, high = min(low, len(time_ms) - 2), max(high, low + 2)
    t, y = time_ms[low:high], traces[:, low:high]
    weight = np.minimum((end_ms[:, None] - t) / step, 0.5) + np.minimum((t - start_ms[:, None]) / step, 0.5)
    weight = np.nan_to_num(np.clip(weight, 0, 1))
    points = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = t - ((weight @ t) / points)[:, None]
        level = y - (np.einsum("ij,ij->i", weight, y) / points)[:, None]
        weighted = weight * centred
        txy = np.einsum("ij,ij->i", weighted, level)
        txx = np.einsum("ij,ij->i", weighted, centred)
        tyy = np.einsum("ij,ij,ij->i", weight, level, level)
        enough = points >= 2
        slope = np.where(enough, txy / txx, np.nan)
        r2 = np.where(enough & (tyy > 0), txy**2 / (txx * tyy), np.nan)
    return slope, r2, points


def crossing(
    up: Floats, time_ms: Floats, level: Floats, index: Ints, *, after: bool
) -> tuple[Floats, NDArray[np.bool_]]:
    """Time nearest to `index` at which each trace passes `level`: the last before it, or the first after.

    Returns the (M,) times, interpolated between samples, and whether there is such a crossing.
    """
    rows = np.arange(len(up))
    if after:
        begin = int(index.min())
        part = up[:, begin:]
        passed = (np.arange(begin, len(time_ms)) >= index[:, None]) & (part >= level[:, None])
        before = np.argmax(passed, axis=1) + begin - 1
    else:
        end = int(index.max()) + 1
        part = up[:, :end]
        passed = (np.arange(end) <= index[:, None]) & (part <= level[:, None])
        before = end - 1 - np.argmax(passed[:, ::-1], axis=1)
    before = np.clip(before, 0, len(time_ms) - 2)
    low, high = up[rows, before], up[rows, before + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.where(high != low, (level - low) / (high - low), 0.0)
    fraction = np.clip(np.nan_to_num(fraction), 0, 1)
    return time_ms[before] + fraction * (time_ms[1] - time_ms[0]), passed.any(axis=1)


def around(traces: Floats, index: Ints, weights: Floats) -> Floats:
    """Weighted sum of the samples around `index`, the middle weight on it; (M,)."""
    half = len(weights) // 2
    columns = np.clip(index[:, None] + np.arange(-half, half + 1), 0, traces.shape[1] - 1)
    return traces[np.arange(len(traces))[:, None], columns] @ weights


def top_weights(half: int) -> Floats:
    """Weights that give the middle of the least-squares parabola through 2 half + 1 samples."""
    return np.linalg.pinv(np.vander(np.arange(-half, half + 1.0), 3))[2]


def line_weights(half: int, step_ms: float) -> Floats:
    """Weights that give the slope of the least-squares line through 2 half + 1 samples."""
    offsets = np.arange(-half, half + 1.0)
    return offsets / (step_ms * np.sum(offsets**2))


def locate(
    up: Floats,
    time_ms: Floats,
    *,
    search_ms: tuple[float, float],
    limits_ms: tuple[float, float],
    turn_mV: Floats,
    width_ms: float,
) -> Landmarks:
    """Steepest point within `search_ms`, the foot before it and the peak after it.

    Parameters
    ----------
    up, time_ms
        (M, N) low-passed responses and (N,) times.
    search_ms
        Where the steepest point may lie.
    limits_ms
        Where foot and peak may lie.
    turn_mV
        (M,) how far a trace must fall back after a peak for it to count as a turn.
    width_ms
        Length of the line whose slope is compared.
    """
    step = float(time_ms[1] - time_ms[0])
    rows = np.arange(len(up))
    first, last = np.searchsorted(time_ms, (search_ms[0] - 1e-9, search_ms[1] + 1e-9))
    last = max(last, first + 3)
    # The slope is worked out where it is looked at, with room for its line.
    margin = round(width_ms / 2 / step) + 1
    begin = max(first - margin, 0)
    rate = derivative(up[:, begin : last + margin], step_ms=step, width_ms=width_ms)
    # The first hump of the slope that is at least half as steep as the steepest: what follows a population
    # spike is a second descent, which may be steeper. A slope that only falls off belongs to the volley.
    within = rate[:, first - begin : last - begin]
    fastest = np.maximum(within.max(axis=1, keepdims=True), 0)
    risen = within > np.minimum.accumulate(within, axis=1) + 0.1 * fastest
    counted = np.logical_or.accumulate(risen, axis=1)
    fastest = np.max(np.where(counted, within, -np.inf), axis=1, keepdims=True)
    counted |= ~np.isfinite(fastest)
    fastest = np.where(np.isfinite(fastest), fastest, within.max(axis=1, keepdims=True))
    high = counted & (within >= 0.5 * np.maximum(fastest, 0))
    begun = np.logical_or.accumulate(high, axis=1)
    ended = np.logical_or.accumulate(begun & ~high, axis=1)
    best = np.argmax(np.where(high & ~ended, within, -np.inf), axis=1)
    edge = (best == 0) | (best == last - first - 1)
    index = best + first
    middle = np.clip(index - begin, 1, rate.shape[1] - 2)
    a, b, c = rate[rows, middle - 1], rate[rows, middle], rate[rows, middle + 1]
    bend = a - 2 * b + c
    shift = np.where(bend < 0, 0.5 * (a - c) / np.where(bend < 0, bend, 1), 0).clip(-0.5, 0.5).astype(float)

    start, end = int(index.min()), int(np.searchsorted(time_ms, limits_ms[1] + 1e-9))
    ahead = np.where(np.arange(start, end) >= index[:, None], up[:, start:end], -np.inf)
    fallen = ahead < np.maximum.accumulate(ahead, axis=1) - turn_mV[:, None]
    fallen &= np.isfinite(ahead)
    ahead[np.logical_or.accumulate(fallen, axis=1)] = -np.inf
    peak_index = np.argmax(ahead, axis=1) + start

    foot_index = _feet(up, time_ms, index, step=step, from_ms=limits_ms[0])
    return Landmarks(
        steep_index=index,
        steep_ms=time_ms[index] + shift * step,
        steep=up[rows, index] + b * shift * step,
        rate=b.astype(float),
        foot_index=foot_index,
        # A foot below the baseline is what is left of the artefact: the fEPSP starts from the baseline.
        foot=np.maximum(up[rows, foot_index], 0).astype(float),
        peak_index=peak_index,
        peak=up[rows, peak_index].astype(float),
        edge=edge,
    )


def _feet(up: Floats, time_ms: Floats, steep: Ints, *, step: float, from_ms: float) -> Ints:
    """Where the rise to the steepest point begins: where it is slow, or at the shoulder before it."""
    rows, n_points = np.arange(len(up)), len(time_ms)
    start = min(int(np.searchsorted(time_ms, from_ms - 1e-9)), int(steep.min()))
    last = int(steep.max()) + 1
    # Backwards in time, from the steepest point of each response.
    margin = round(_FOOT_WIDTH_MS / 2 / step) + 1
    begin = max(start - margin, 0)
    rate = derivative(up[:, begin : last + margin], step_ms=step, width_ms=_FOOT_WIDTH_MS)
    rate = rate[:, start - begin : last - begin][:, ::-1]
    back = last - 1 - steep
    at = np.arange(rate.shape[1])
    earlier = at >= back[:, None]
    fastest = rate[rows, back][:, None]
    slow = earlier & (rate <= _FOOT_FRACTION * fastest)
    least = np.minimum.accumulate(np.where(earlier, rate, np.inf), axis=1)
    again = earlier & (rate > least + _SHOULDER_FRACTION * fastest) & (least < 0.7 * fastest)
    beyond = np.logical_or.accumulate(again, axis=1)
    shoulder = np.argmin(np.where(earlier & ~beyond, rate, np.inf), axis=1)
    none = rate.shape[1] - 1
    first_slow = np.where(slow.any(axis=1), np.argmax(slow, axis=1), none)
    foot = np.minimum(first_slow, np.where(again.any(axis=1), shoulder, none))
    return np.clip(last - 1 - foot, start, n_points - 1)


def notch(up: Floats, time_ms: Floats, peak_index: Ints, *, end_ms: float) -> tuple[Floats, Ints, Ints]:
    """The greatest climb back after the peak: how much (M,), from which sample, to which.

    A population spike cuts a notch into the fEPSP, after which the trace climbs to a second shoulder.
    """
    rows = np.arange(len(up))
    start, end = int(peak_index.min()), int(np.searchsorted(time_ms, end_ms + 1e-9))
    part = up[:, start : max(end, start + 1)]
    at = np.arange(start, start + part.shape[1])
    after = np.where(at >= peak_index[:, None], part, np.inf)
    climb = part - np.minimum.accumulate(after, axis=1)
    second = np.argmax(climb, axis=1)
    after[np.arange(part.shape[1]) > second[:, None]] = np.inf
    bottom = np.argmin(after, axis=1)
    return np.maximum(climb[rows, second], 0), bottom + start, second + start


def first_rise(
    up: Floats, time_ms: Floats, *, turn_mV: float, limits_ms: tuple[float, float], after_ms: float
) -> tuple[int, int] | None:
    """Foot and peak of the fEPSP on one (N,) trace: the first great climb that ends after `after_ms`.

    None when there is no climb. Climbs are stretches between turns of more than `turn_mV`. A great one is at
    least 30 % of the greatest; a climb that ends before `after_ms` is a fibre volley.
    """
    inside = np.flatnonzero((time_ms >= limits_ms[0]) & (time_ms <= limits_ms[1]))
    y = up[inside]
    climbs: list[tuple[int, int]] = []
    low = high = start = 0
    climbing: bool | None = None
    for i in range(1, len(y)):
        low = i if y[i] < y[low] else low
        high = i if y[i] > y[high] else high
        if climbing is not True and y[i] - y[low] > turn_mV:
            climbing, start, high = True, low, i
        elif climbing is not False and y[high] - y[i] > turn_mV:
            if climbing:
                climbs.append((start, high))
            climbing, low = False, i
    if climbing:
        climbs.append((start, high))
    climbs = [(a, b) for a, b in climbs if time_ms[inside[b]] > after_ms]
    if not climbs:
        return None
    heights = np.array([y[b] - y[a] for a, b in climbs])
    a, b = climbs[int(np.argmax(heights >= 0.3 * heights.max()))]
    return int(inside[a]), int(inside[b])

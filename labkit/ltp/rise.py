"""The rise of responses of one pathway, measured: arrays in, arrays out.

Notation: M responses of N points in order of time, baseline at 0, `time_ms` (N,) after the stimulus.

1. The tail of the artefact is taken out, the artefact is blanked by a line, and then the traces are
   low-passed.
2. Foot, steepest point and peak are found on a copy that is averaged with alike neighbours until noise is
   less than 1/400 of the response (at most 12 on either side; never across induction, a pause, or a change
   of file; only responses whose rise differs by less than 10 %, or by less than noise makes). Landmarks
   chosen on the noise of the trace that is measured bias its slope: with 20 µV of noise on 0.3 mV, 150 %
   would read 155 to 220 %.
3. The slope is that of the least-squares line through the low-passed response itself, between 20 and 80 %
   of the way from foot to peak.
4. A population spike cuts the peak off, so that 80 % of what is left comes too early. What the peak would
   have been is judged by the level of the steepest point, which has a fixed place on the rise of responses
   without a spike. When the spike reaches into the rise itself, the slope comes from the lower part of the
   rise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labkit.ltp.artefact import blank, subtract_tail
from labkit.ltp.landmarks import (
    Landmarks,
    around,
    crossing,
    line,
    line_weights,
    locate,
    lowpass,
    neighbours,
    notch,
    running_mean,
    top_weights,
)
from labkit.ltp.template import RESPONSE_MS, Template

__all__ = ["Rise", "measure_rise", "smoothed_maximum"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Averaging with neighbours stops at this signal-to-noise ratio, and at this many on either side; neighbours
# whose rise differs by more than this part (and by more than noise does) are not averaged.
_SNR_TO_LOCATE = 400.0
_NEIGHBOURS = 12
_ALIKE_PART = 0.1
# The line that finds the steepest point is as long as most of the rise: a shorter one finds noise, a longer
# one reaches into a population spike.
_LINE_TO_LOCATE_MS = (0.75, 1.2)
# A climb back after the peak is a population spike above this many times the noise and this part of the peak.
_SPIKE_NOISE, _SPIKE_PART = 6.0, 0.03
# A spike that follows the 80 % point sooner than this reaches into the rise; the slope then comes from this
# part.
_SPIKE_NEAR_MS, _LOWER_PART = 0.3, 0.7
# So many responses without a spike tell what shape those with one would have.
_LEAST_ALIKE = 5
# The peak without its spike is at most this many times what is left of it.
_MOST_CUT = 1.25
# Landmarks and slopes of low-passed traces are taken at this rate or more.
_ENOUGH_HZ = 10_000.0
# Responses at once: bounds memory, and keeps what is worked on near the processor.
_ROWS = 512
# With no more responses than this the copies are kept for a second look; else they are made anew.
_ROWS_KEPT = 1024


@dataclass(frozen=True)
class Rise:
    """Measures of M responses, (M,) each; slopes and heights are magnitudes in mV and ms.

    `points` is the number of samples on the slope's line, `edge` tells that the steepest point lies at the
    edge of where it was looked for, `spike_on_rise` that the slope comes from the lower part of the rise.
    """

    slope: Floats
    max_slope: Floats
    fixed_slope: Floats
    amplitude: Floats
    latency_ms: Floats
    volley: Floats
    spike: Floats
    r2: Floats
    points: Floats
    edge: Bools
    spike_on_rise: Bools


def measure_rise(
    traces: Floats,
    time_ms: Floats,
    *,
    template: Template,
    segment: Ints,
    noise_mV: float,
    rate_hz: float,
    lowpass_hz: float,
    span: tuple[float, float],
    line_ms: float,
) -> Rise:
    """Measure responses (M, N) by the shape of their pathway's mean.

    Parameters
    ----------
    traces, time_ms
        Responses, baseline at 0, without NaN; times.
    template
        From `fit_template` on their mean.
    segment
        (M,) number of the stretch that each response belongs to.
    noise_mV
        Standard deviation of the noise of low-passed responses.
    span
        The two percentages of the slope.
    line_ms
        Length of the line of the maximum slope.
    """
    n, step = len(traces), float(time_ms[1] - time_ms[0])
    start_ms, end_ms = template.window_ms
    width = end_ms - start_ms
    # Filtering costs most, so nothing is filtered after the response is over.
    last_ms = min(end_ms + RESPONSE_MS, float(time_ms[-1]))
    near = slice(int(np.searchsorted(time_ms, -1.5)), int(np.searchsorted(time_ms, last_ms + 1.0)) + 1)
    t = time_ms[near]
    # What is low-passed needs fewer samples; landmarks lie between samples anyway.
    every = max(1, int(rate_hz / max(_ENOUGH_HZ, 10 * lowpass_hz)))
    few = t[::every]
    half = _neighbours_wanted(noise_mV, template.level_mV)
    rising = slice(*np.searchsorted(few, (start_ms, max(template.peak_ms, end_ms))))
    steepest_line = line_weights(max(1, round(line_ms / 2 / step)), step)
    fixed_line = _line_between(t, start_ms, end_ms)
    top = top_weights(max(1, round(0.5 / step)))
    # The volley is negative whichever way the fEPSP goes.
    volley_depth = -template.polarity * _volley_weights(t, template.volley_ms)
    kept: dict[int, tuple] = {}

    def prepared(rows: slice) -> tuple[Floats, Floats, Floats, Floats]:
        """Raw, low-passed and averaged copies of some rows, and the noise left in the last."""
        if rows.start in kept:
            return kept[rows.start]
        wide = slice(max(rows.start - half, 0), rows.stop + half)
        part = template.polarity * traces[wide, near]
        if template.tail is not None:
            part = subtract_tail(part, t, template.tail)
        part = blank(part, t, end_ms=template.blank_ms)
        smooth = lowpass(part, rate_hz=rate_hz, corner_hz=lowpass_hz)[:, ::every].copy()
        before, after = neighbours(
            smooth[:, rising], half=half, segment=segment[wide], least_mV=2 * noise_mV, part=_ALIKE_PART
        )
        copy, together = running_mean(smooth, before=before, after=after)
        own = slice(rows.start - wide.start, rows.stop - wide.start)
        # Single precision is fine enough to look for something, and takes half of the time.
        out = part[own], smooth[own], copy[own].astype(np.float32), noise_mV / np.sqrt(together[own])
        if n <= _ROWS_KEPT:
            kept[rows.start] = out
        return out

    def landmarks(rows: slice) -> tuple:
        raw, smooth, copy, left = prepared(rows)
        marks = locate(
            copy,
            few,
            search_ms=template.search_ms,
            limits_ms=(max(template.blank_ms, template.foot_ms - 0.5 * width), last_ms),
            turn_mV=np.maximum(5 * left, 0.02 * abs(template.level_mV)),
            width_ms=float(np.clip(0.8 * width, *_LINE_TO_LOCATE_MS)),
        )
        climb, bottom, second = notch(copy, few, marks.peak_index, end_ms=last_ms)
        spiking = climb > np.maximum(_SPIKE_NOISE * left, _SPIKE_PART * marks.peak)
        depth = np.zeros(len(raw))
        depth[spiking] = _depth(
            raw[spiking],
            *(every * at[spiking] for at in (marks.peak_index, bottom, second)),
            round(0.05 / step),
        )
        others = (
            around(raw, np.rint((marks.steep_ms - t[0]) / step).astype(np.int64), steepest_line),
            raw @ fixed_line,
            # The top of a parabola through 1 ms: unlike a mean it does not flatten the peak, and unlike the
            # greatest sample it does not grow with noise, as the peak was found on the averaged copy.
            around(raw, every * marks.peak_index, top),
            raw @ volley_depth,
        )
        slope, r2, points, _, _ = slopes(smooth, copy, marks, marks.peak - marks.foot)
        return (*marks.__dict__.values(), spiking, depth, *others, slope, r2, points)

    def slopes(smooth: Floats, copy: Floats, marks: Landmarks, height: Floats) -> tuple:
        low, _ = crossing(copy, few, marks.foot + span[0] / 100 * height, marks.steep_index, after=False)
        high, reached = crossing(
            copy, few, marks.foot + span[1] / 100 * height, marks.steep_index, after=True
        )
        peak_ms = few[marks.peak_index]
        high = np.where(reached, np.minimum(high, peak_ms), peak_ms)
        return (*line(smooth, few, low, high), low, high)

    columns = _by_chunks(landmarks, n)
    marks = Landmarks(*columns[:-9])
    spiking, depth, steepest, fixed, amplitude, volley, slope, r2, points = columns[-9:]
    spike_on_rise = np.zeros(n, bool)
    if spiking.any():
        # Steep enough to have the shape of those with a spike.
        alike = ~spiking & (marks.rate > 0.3 * np.median(marks.rate[spiking]))
        height = _uncut_height(marks, spiking, alike, segment)

        def again(rows: slice) -> tuple:
            _, smooth, copy, _ = prepared(rows)
            slope, r2, points, low, high = slopes(smooth, copy, marks.take(rows), height[rows])
            return slope, r2, points, high, line(smooth, few, low, low + _LOWER_PART * (high - low))[0]

        slope, r2, points, high_ms, lower = _by_chunks(again, n)
        if alike.sum() >= _LEAST_ALIKE:
            spike_on_rise = spiking & (few[marks.peak_index] - high_ms < _SPIKE_NEAR_MS)
            usual = np.nanmean(slope[alike]) / np.nanmean(lower[alike])
            slope = np.where(spike_on_rise, lower * usual, slope)
    with np.errstate(invalid="ignore", divide="ignore"):
        latency = np.where(marks.rate > 0, marks.steep_ms - (marks.steep - marks.foot) / marks.rate, np.nan)
    return Rise(
        slope=slope,
        max_slope=steepest,
        fixed_slope=fixed,
        amplitude=amplitude,
        latency_ms=latency,
        volley=volley,
        spike=depth,
        r2=r2,
        points=points * every,
        edge=marks.edge,
        spike_on_rise=spike_on_rise,
    )


def smoothed_maximum(
    up: Floats, time_ms: Floats, *, window_ms: tuple[float, float], smooth_ms: float, line_ms: float
) -> Floats:
    """Slope of the line of `line_ms` at the steepest sample of each smoothed response within the window.

    The smoothing is a Savitzky-Golay filter of order 3; the steepest sample is that of the central
    difference, and the line goes through the smoothed samples. (M,) mV/ms.
    """
    from scipy.signal import savgol_filter

    step = float(time_ms[1] - time_ms[0])
    length = 2 * (round(smooth_ms / step) // 2) + 1
    smooth = savgol_filter(up, length, 3, axis=1) if 3 < length <= up.shape[1] else up
    inside = np.flatnonzero((time_ms >= window_ms[0] - 1e-9) & (time_ms < window_ms[1] - 1e-9))
    best = np.argmax(np.gradient(smooth, step, axis=1)[:, inside], axis=1) + inside[0]
    return around(smooth, best, line_weights(max(1, round(line_ms / 2 / step)), step))


def _neighbours_wanted(noise_mV: float, level_mV: float) -> int:
    """How many responses on either side it takes to find landmarks well enough."""
    if not noise_mV > 0:
        return 0
    wanted = (_SNR_TO_LOCATE * noise_mV / max(level_mV, noise_mV)) ** 2
    return int(np.clip(np.ceil((wanted - 1) / 2), 0, _NEIGHBOURS))


def _uncut_height(marks: Landmarks, spiking: Bools, alike: Bools, segment: Ints) -> Floats:
    """Height from foot to peak; for spiking responses what it would be without the spike.

    The steepest point lies at a fixed part of the height on responses of one shape; on a spiking response
    that part is greater, as the peak is cut. The ratio is averaged over up to 11 neighbours, as the
    steepest point of a single response is uncertain.
    """
    height = marks.peak - marks.foot
    if alike.sum() < _LEAST_ALIKE:
        return height
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(height > 0, (marks.steep - marks.foot) / height, np.nan)
    ratio = part / np.nanmedian(part[alike])
    counted = spiking & np.isfinite(ratio)
    both = np.column_stack([np.where(counted, ratio, 0.0), counted])
    all_alike = np.zeros((len(both), 1))
    before, after = neighbours(all_alike, half=5, segment=segment, least_mV=1.0, part=0.0)
    mean, _ = running_mean(both, before=before, after=after)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(mean[:, 1] > 0, mean[:, 0] / mean[:, 1], 1.0)
    return np.where(spiking, height * np.clip(factor, 1.0, _MOST_CUT), height)


def _depth(raw: Floats, peak: Ints, bottom: Ints, second: Ints, half: int) -> Floats:
    """Height of the population spike: how far the trace lies from the line between its shoulders."""
    mean = np.full(2 * half + 1, 1 / (2 * half + 1))
    left, low, right = (around(raw, index, mean) for index in (peak, bottom, second))
    part = np.where(second > peak, (bottom - peak) / np.maximum(second - peak, 1), 0.0)
    return np.maximum(left + part * (right - left) - low, 0)


def _line_between(t: Floats, start_ms: float, end_ms: float) -> Floats:
    """Weights (N,) of the slope of the least-squares line between two times."""
    unit = np.eye(len(t))
    return line(unit, t, np.full(len(t), start_ms), np.full(len(t), end_ms))[0]


def _volley_weights(t: Floats, where: tuple[float, float, float] | None) -> Floats:
    """Weights (N,) of the trough against the line between its shoulders, each the mean of 0.1 ms."""
    if where is None:
        return np.full(len(t), np.nan)
    half = round(0.05 / (t[1] - t[0]))
    part = (where[1] - where[0]) / (where[2] - where[0])
    weights = np.zeros(len(t))
    for time, share in zip(where, (part - 1, 1.0, -part), strict=True):
        at = int(np.searchsorted(t, time - 1e-9))
        weights[at - half : at + half + 1] += share / (2 * half + 1)
    return weights


def _chunks(n: int) -> list[slice]:
    return [slice(low, min(low + _ROWS, n)) for low in range(0, n, _ROWS)]


def _by_chunks(function: Callable[[slice], tuple], n: int) -> list:
    """What `function` gives for some rows at a time, put together."""
    return [np.concatenate(column) for column in zip(*map(function, _chunks(n)), strict=True)]

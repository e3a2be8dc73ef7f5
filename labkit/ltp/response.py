"""Measure evoked responses: slope, amplitude, latency, volley and population spike, one row each.

Notation: M responses of one pathway, N points each; times in ms after the stimulus.

How a response is measured
--------------------------
1. The baseline before the stimulus is subtracted; the artefact is blanked by a line before anything is
   filtered; the tail of the artefact is fitted on the pathway's mean and taken out of each response
   (`artefact`).
2. Foot, steepest point and peak are found on a low-passed copy, never on the trace that is measured. When
   noise is more than 1/150 of the response, the copy is averaged with its neighbours of the same pathway
   until it is not (at most 12 on either side, never across induction, a pause, or a change of file).
   Landmarks chosen on the noise of the very trace that is measured bias its slope: 150 % at 0.3 mV and 20
   µV noise reads 155 to 220 %.
3. The slope is that of the least-squares line through the unfiltered response between 20 and 80 % of the
   way from foot to peak.
4. A population spike cuts the peak off, so that 80 % of what is left is too early. What the peak would have
   been is judged by the level of the steepest point, which has a fixed place on the rise of responses
   without a spike. When the spike reaches into the rise itself, the slope comes from the lower part of the
   rise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError, RecordingError
from labkit.ltp.artefact import blank, subtract_tail
from labkit.ltp.landmarks import (
    Landmarks,
    crossing,
    line,
    locate,
    lowpass,
    neighbours,
    notch,
    running_mean,
    value_at,
)
from labkit.ltp.marks import measure_marks, span_of
from labkit.ltp.pulses import Pulses, averaged, cut, measured_pulses
from labkit.ltp.recording import Recording
from labkit.ltp.window import (
    AFTER_MS,
    BASELINE_MS,
    BEFORE_MS,
    BLANK_MS,
    LOWPASS_HZ,
    MeanTrace,
    Template,
    filled,
    fit_template,
    mean_responses,
    mean_trace,
    noise_level,
    propose_window,
    zeroed,
)

__all__ = ["MeanTrace", "mean_responses", "mean_trace", "measure", "measure_marks", "propose_window"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Averaging with neighbours for locating stops at this signal-to-noise ratio, and at this many on either side.
_SNR_TO_LOCATE = 400.0
_NEIGHBOURS = 12
# Neighbours whose rise differs by more than this part (and by more than noise does) are not averaged.
_ALIKE_PART = 0.1
# A climb back after the peak is a population spike above this many times the noise and this part of the peak.
_SPIKE_NOISE, _SPIKE_PART = 6.0, 0.03
# A spike that follows the 80 % point sooner than this reaches into the rise; the slope then comes from this
# part.
_SPIKE_NEAR_MS, _LOWER_PART = 0.3, 0.7
# Responses at once; bounds memory on long recordings.
_ROWS = 512


@dataclass(frozen=True)
class _Options:
    method: str
    span: tuple[float, float]
    blank_ms: float
    baseline_ms: tuple[float, float]
    lowpass_hz: float
    line_ms: float
    smooth_ms: float | None


def measure(
    recording: Recording,
    *,
    window_ms: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
    volley_ms: tuple[float, float] | None = None,
    method: str = "20-80",
    average: int = 1,
    blank_ms: float = BLANK_MS,
    baseline_ms: tuple[float, float] = BASELINE_MS,
    lowpass_hz: float = LOWPASS_HZ,
    remove_tail: bool = True,
    polarity: int | None = None,
    line_ms: float = 1.0,
    smooth_ms: float | None = None,
) -> pd.DataFrame:
    """Measure every test response of a recording.

    Parameters
    ----------
    recording
        From `read` or `Recording.from_arrays`.
    window_ms
        (start, end) of the rise of the fEPSP in ms after the stimulus, for all pathways or by pathway; by
        default `propose_window`. The steepest point is looked for from a quarter of its length before it to
        half of its length after it.
    volley_ms
        (start, end) of the fibre volley; by default from the end of the blank to the rise.
    method
        What goes into ``slope_mV_per_ms``: ``"20-80"`` or any two percentages, ``"max"`` (the line of
        `line_ms` at the steepest point), or ``"fixed"`` (the line through the window itself).
    average
        Number of consecutive responses of a pathway that are averaged before measuring; never across
        induction, a pause, or a change of file.
    blank_ms
        End of the stimulus artefact.
    baseline_ms
        Start and end of the baseline. The second pulse of a pair uses -2 to -0.3 ms.
    lowpass_hz
        Corner of the zero-phase filter of the copy that landmarks are found on; 6 dB down there.
    remove_tail
        Fit the tail of the artefact and take it out.
    polarity
        -1 or 1 when the direction of the fEPSP is known; by default it is read off the mean response.
    line_ms
        Length of the line of the maximum slope.
    smooth_ms
        For ``method="max"``: find the steepest point of each response strictly within the window, on the
        response smoothed by a Savitzky-Golay filter of order 3 and this length, and fit the line to it.
        Some programs define the maximum slope so; it needs a window.

    Returns
    -------
    DataFrame
        One row per response in order of time; pulses of HFS, TBS and LFS give none. Slopes and amplitudes
        are magnitudes, ``polarity`` tells the direction. ``flags`` says in words what makes a value
        doubtful; nothing is left out. NaN: where fewer than two samples lie on the rise, where there is no
        baseline (``snr``), or no room for a volley (``volley_mV``). ``attrs`` holds ``induction_s``,
        ``window_ms`` and ``tail_ms`` by pathway (NaN: none taken out), and ``warnings``.

    Raises
    ------
    RecordingError
        If there is no stimulus, the channel is no voltage, or the window lies outside of the sweeps.
    DataError
        If an argument makes no sense.

    Notes
    -----
    Bias of the default on simulated responses whose slope goes to 150 %: under 1 point for noise of 20 µV
    on 0.3 mV, for a latency 0.3 ms longer, and for an artefact tail twice as large; under 2 points when a
    population spike of a third of the fEPSP appears as well. See ``benchmarks/accuracy_ltp.py`` for these
    and other methods.

    Examples
    --------
    >>> from labkit.demo import field
    >>> t = np.arange(-100, 400) / 20
    >>> sweeps = field.response(t, rng=None, slope_mV_per_ms=[0.5, 0.6, 0.75])
    >>> recording = Recording.from_arrays(sweeps, rate_hz=20_000, stimuli=5.0, start_s=[0, 30, 60])
    >>> measure(recording)[["time_s", "slope_mV_per_ms", "latency_ms"]].round(2)
       time_s  slope_mV_per_ms  latency_ms
    0     0.0             0.50        2.82
    1    30.0             0.60        2.82
    2    60.0             0.75        2.82
    """
    options = _options(method, average, blank_ms, baseline_ms, lowpass_hz, line_ms, smooth_ms, window_ms)
    pulses = measured_pulses(recording)
    names = [str(name) for name in np.unique(pulses.pathway)]
    windows = _windows(window_ms, names, pulses, blank_ms, recording)
    warnings = _sweeps_left_out(recording)
    tables: list[pd.DataFrame] = []
    templates: dict[str, Template] = {}
    for name in names:
        for number in np.unique(pulses.pulse[pulses.pathway == name]):
            group = pulses.take((pulses.pathway == name) & (pulses.pulse == number))
            traces, time_ms, info = _prepare(recording, group, average, options, windows.get(name))
            smooth = lowpass(traces[:200], rate_hz=recording.rate_hz, corner_hz=lowpass_hz)
            noise = noise_level(smooth, time_ms, from_ms=8.0)
            template = fit_template(
                traces.mean(axis=0),
                time_ms,
                rate_hz=recording.rate_hz,
                noise_mV=noise / np.sqrt(len(traces)),
                # The second response rises where the first does.
                window_ms=windows.get(name) or (templates[name].window_ms if name in templates else None),
                volley_ms=volley_ms,
                blank_ms=blank_ms,
                lowpass_hz=lowpass_hz,
                polarity=polarity or (templates[name].polarity if name in templates else None),
                tail=remove_tail,
            )
            templates.setdefault(name, template)
            warnings += _about(name, int(number), template, info)
            tables.append(_measure_group(traces, time_ms, template, info, noise, recording.rate_hz, options))
    table = pd.concat(tables, ignore_index=True).sort_values(
        ["time_s", "pulse"], kind="stable", ignore_index=True
    )
    table.attrs.update(
        induction_s=float(recording.induction_s),
        window_ms={name: tuple(round(x, 4) for x in t.window_ms) for name, t in templates.items()},
        tail_ms={name: t.tail.decay_ms if t.tail else float("nan") for name, t in templates.items()},
        warnings=tuple(warnings),
    )
    return table


@dataclass(frozen=True)
class _Info:
    """What belongs to M (averaged) responses besides their traces; arrays are (M,)."""

    first: Pulses
    time_s: Floats
    count: NDArray[np.int64]
    wanted: int
    noise: Floats
    baseline_ms: Floats
    known_ms: Floats
    segment: NDArray[np.int64]
    clipped: Bools


def _prepare(
    recording: Recording, group: Pulses, average: int, options: _Options, window: tuple[float, float] | None
) -> tuple[Floats, Floats, _Info]:
    """Cut, average and zero the responses of one pathway and pulse."""
    to_points = recording.rate_hz / 1e3
    wanted_ms = max(AFTER_MS, (window[1] if window else 0) + 12.0)
    after_ms = min(wanted_ms, float(group.after_ms.max()))
    # The sample of the next pulse belongs to its artefact.
    after = max(int(np.ceil(after_ms * to_points)) - 2, 4)
    before = round(min(BEFORE_MS, max(-options.baseline_ms[0], 1.0)) * to_points)
    first, count = averaged(group, average)
    ends = np.r_[first[1:], len(group)]
    room = np.minimum.reduceat(group.after_ms, first)
    pieces, clipped = [], []
    # Whole averages at a time: memory holds a few hundred sweeps beside the averages.
    step = max(1, _ROWS // average)
    for low in range(0, len(first), step):
        high = min(low + step, len(first))
        part = group.take(np.arange(first[low], ends[high - 1]))
        cuts, time_ms = cut(recording, part, before=before, after=after)
        if np.any(part.after_ms < after_ms):
            cuts[time_ms > part.after_ms[:, None] - 2 / to_points] = np.nan
        starts = first[low:high] - first[low]
        clipped.append(np.logical_or.reduceat(_clipped(cuts, time_ms, options.blank_ms), starts))
        if average > 1:
            cuts = np.add.reduceat(cuts, starts, axis=0) / count[low:high, None]
        pieces.append(cuts)
    traces = np.concatenate(pieces)
    heads = group.take(first)
    traces, noise, length = zeroed(
        traces,
        time_ms,
        baseline_ms=options.baseline_ms,
        room_ms=heads.before_ms,
        first=bool(heads.pulse[0] == 1),
    )
    info = _Info(
        first=heads,
        time_s=np.add.reduceat(group.time_s, first) / count,
        count=count,
        wanted=average,
        noise=noise,
        baseline_ms=length,
        known_ms=room,
        segment=heads.segment,
        clipped=np.concatenate(clipped),
    )
    return filled(traces), time_ms, info


def _measure_group(
    traces: Floats,
    time_ms: Floats,
    template: Template,
    info: _Info,
    noise: float,
    rate_hz: float,
    options: _Options,
) -> pd.DataFrame:
    """All measures of the responses of one pathway and pulse."""
    step = float(time_ms[1] - time_ms[0])
    n = len(traces)
    up = template.polarity * traces
    end_ms = min(template.window_ms[1] + 8.0, float(time_ms[-1]))
    # Filtering costs most: only what is looked at, with a margin for the filter's edge.
    near = slice(int(np.searchsorted(time_ms, -1.5)), int(np.searchsorted(time_ms, end_ms + 1.0)) + 1)
    t = time_ms[near]
    raw = np.empty((n, len(t)))
    smooth = np.empty((n, len(t)))
    for low in range(0, n, _ROWS):
        rows = slice(low, low + _ROWS)
        part = up[rows] if template.tail is None else subtract_tail(up[rows], time_ms, template.tail)
        raw[rows] = blank(part[:, near], t, end_ms=options.blank_ms)
        smooth[rows] = lowpass(raw[rows], rate_hz=rate_hz, corner_hz=options.lowpass_hz)

    size = float(np.median(value_at(smooth, np.full(n, np.searchsorted(t, template.peak_ms)), half=0)))
    snr = size / noise if noise > 0 else np.inf
    half = (
        int(np.clip(np.ceil(((_SNR_TO_LOCATE / snr) ** 2 - 1) / 2), 0, _NEIGHBOURS))
        if snr > 0
        else _NEIGHBOURS
    )
    rising = slice(*np.searchsorted(t, (template.window_ms[0], max(template.peak_ms, template.window_ms[1]))))
    before, after = neighbours(
        smooth[:, rising], half=half, segment=info.segment, least_mV=2 * noise, part=_ALIKE_PART
    )
    copy, together = running_mean(smooth, before=before, after=after)
    remaining = noise / np.sqrt(together)

    width = template.window_ms[1] - template.window_ms[0]
    marks = _in_chunks(
        lambda rows: locate(
            copy[rows],
            t,
            search_ms=template.search_ms,
            limits_ms=(max(options.blank_ms, template.foot_ms - 0.5 * width), end_ms),
            turn_mV=np.maximum(5 * remaining[rows], 0.02 * abs(size)),
            width_ms=max(0.75, 0.6 * width),
        ),
        n,
    )
    climb, bottom, second = (
        np.concatenate(x)
        for x in zip(
            *(
                notch(copy[rows], t, marks.peak_index[rows], end_ms=end_ms)
                for rows in _chunks(n)
            ),
            strict=True,
        )
    )  # fmt: skip
    spiking = climb > np.maximum(_SPIKE_NOISE * remaining, _SPIKE_PART * marks.peak)
    height = marks.peak - marks.foot
    full = _uncut_height(marks, height, spiking, info.segment)
    low_ms, _ = _crossings(copy, t, marks, marks.foot + options.span[0] / 100 * full, after=False)
    high_ms, reached = _crossings(copy, t, marks, marks.foot + options.span[1] / 100 * full, after=True)
    peak_ms = t[marks.peak_index]
    high_ms = np.where(reached, np.minimum(high_ms, peak_ms), peak_ms)

    slope, r2, points = _lines(smooth, t, low_ms, high_ms)
    into_rise = spiking & (peak_ms - high_ms < _SPIKE_NEAR_MS)
    lower, _, _ = _lines(smooth, t, low_ms, low_ms + _LOWER_PART * (high_ms - low_ms))
    alike = _alike(marks, spiking)
    if into_rise.any() and alike.sum() >= 5:
        slope = np.where(into_rise, lower * np.nanmean(slope[alike]) / np.nanmean(lower[alike]), slope)
    steepest, _, _ = _lines(
        raw, t, marks.steep_ms - options.line_ms / 2, marks.steep_ms + options.line_ms / 2
    )
    fixed, _, _ = _lines(raw, t, *(np.full(n, x) for x in template.window_ms))
    if options.smooth_ms is not None:
        steepest = _smoothed_maximum(up, time_ms, template.window_ms, options)
    amplitude = value_at(raw, marks.peak_index, half=max(1, round(0.5 / step)), order=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        latency = marks.steep_ms - (marks.steep - marks.foot) / marks.rate - info.first.late_ms
        snr_each = np.where(info.noise > 0, amplitude / info.noise, np.where(info.noise == 0, np.inf, np.nan))
    spike = np.where(spiking, _notch_depth(raw, marks.peak_index, bottom, second, step), 0.0)
    table = pd.DataFrame(
        {
            "sweep": info.first.sweep,
            "time_s": info.time_s,
            "pathway": info.first.pathway.astype(object),
            "pulse": info.first.pulse,
            "n_averaged": info.count,
            "slope_mV_per_ms": {"max": steepest, "fixed": fixed}.get(options.method, slope),
            "max_slope_mV_per_ms": steepest,
            "fixed_slope_mV_per_ms": fixed,
            "amplitude_mV": amplitude,
            "latency_ms": latency,
            "volley_mV": _volley(-template.polarity * raw, t, template.volley_ms),
            "population_spike_mV": np.maximum(spike, 0.0),
            "polarity": template.polarity,
            "r2": r2,
            "snr": snr_each,
            "baseline_noise_mV": info.noise,
        }
    )
    table["flags"] = _flags(table, slope, points, marks, info, into_rise, template, end_ms, step)
    return table


def _uncut_height(marks: Landmarks, height: Floats, spiking: Bools, segment: NDArray[np.int64]) -> Floats:
    """Height from foot to peak, for spiking responses what it would be without the spike.

    The steepest point lies at a fixed part of the height on responses of one shape; on a spiking response
    that part is greater, as the peak is cut. The ratio is averaged over up to 11 neighbours, as the
    steepest point of a single response is uncertain, and taken to be at most 1.25.
    """
    alike = _alike(marks, spiking)
    if not spiking.any() or alike.sum() < 5:
        return height
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(height > 0, (marks.steep - marks.foot) / height, np.nan)
    usual = np.nanmedian(part[alike])
    ratio = np.where(spiking & np.isfinite(part), part / usual, 0.0)
    both = np.column_stack([ratio, (ratio > 0).astype(float)])
    before, after = neighbours(np.zeros((len(both), 1)), half=5, segment=segment, least_mV=1.0, part=0.0)
    mean, _ = running_mean(both, before=before, after=after)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(mean[:, 1] > 0, mean[:, 0] / mean[:, 1], 1.0)
    return np.where(spiking, height * np.clip(factor, 1.0, 1.25), height)


def _alike(marks: Landmarks, spiking: Bools) -> Bools:
    """Responses without a spike that are steep enough to have the shape of those with one."""
    if not spiking.any():
        return ~spiking
    return ~spiking & (marks.rate > 0.3 * np.median(marks.rate[spiking]))


def _notch_depth(smooth: Floats, peak: NDArray, bottom: NDArray, second: NDArray, step: float) -> Floats:
    """Height of the population spike: how far the trace lies below the line between the shoulders."""
    half = max(0, round(0.05 / step))
    left, low, right = (value_at(smooth, index, half=half) for index in (peak, bottom, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(second > peak, (bottom - peak) / np.maximum(second - peak, 1), 0.0)
    return left + part * (right - left) - low


def _volley(down: Floats, time_ms: Floats, where: tuple[float, float, float] | None) -> Floats:
    """Depth of the trough from the line between its shoulders, at the times that the mean response gives."""
    if where is None:
        return np.full(len(down), np.nan)
    step = time_ms[1] - time_ms[0]
    half = max(0, round(0.05 / step))
    index = [np.full(len(down), np.searchsorted(time_ms, x - 1e-9)) for x in where]
    left, middle, right = (value_at(down, i, half=half) for i in index)
    part = (where[1] - where[0]) / (where[2] - where[0])
    return (middle - left - part * (right - left)).astype(float)


def _smoothed_maximum(up: Floats, time_ms: Floats, window: tuple[float, float], options: _Options) -> Floats:
    """Line at the steepest sample of each smoothed response within the window."""
    from scipy.signal import savgol_filter

    step = time_ms[1] - time_ms[0]
    length = 2 * (round(options.smooth_ms / step) // 2) + 1
    smooth = savgol_filter(up, length, 3, axis=1) if length > 3 else up
    inside = np.flatnonzero((time_ms >= window[0] - 1e-9) & (time_ms < window[1] - 1e-9))
    best = np.argmax(np.gradient(smooth, step, axis=1)[:, inside], axis=1) + inside[0]
    half = max(1, round(options.line_ms / 2 / step))
    offsets = np.arange(-half, half + 1)
    columns = np.clip(best[:, None] + offsets, 0, len(time_ms) - 1)
    weights = offsets / (step * np.sum(offsets.astype(float) ** 2))
    return smooth[np.arange(len(smooth))[:, None], columns] @ weights


def _flags(
    table: pd.DataFrame,
    slope: Floats,
    points: Floats,
    marks: Landmarks,
    info: _Info,
    into_rise: Bools,
    template: Template,
    end_ms: float,
    step: float,
) -> list[str]:
    """What makes each response doubtful, in words."""
    snr, r2, noise = (table[name].to_numpy() for name in ("snr", "r2", "baseline_noise_mV"))
    latency, steepest = table["latency_ms"].to_numpy(), table["max_slope_mV_per_ms"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = slope / steepest
        silent = ~(snr >= 5)
        usual = (
            np.nanmedian(np.where(silent, np.nan, ratio)) if (~silent & np.isfinite(ratio)).any() else np.nan
        )
        unlike = np.abs(ratio / usual - 1) > 0.3
    # Sampling and filter leave this much play in latency; noise scatters by itself.
    late = _outlying(latency, ~silent, least=0.2)
    loud = _outlying(
        noise, np.isfinite(noise), least=0.5 * float(np.nanmedian(noise)) if np.isfinite(noise).any() else 1
    )
    loud &= noise > np.nanmedian(noise) if np.isfinite(noise).any() else False
    clear = ~silent | ~np.isfinite(snr)
    reasons = [
        (silent & np.isfinite(snr), [f"no clear response (signal/noise {x:.1f})" for x in snr]),
        (
            info.baseline_ms == 0,
            ["no baseline before the stimulus, the end of the sweep is taken"] * len(table),
        ),
        (clear & (r2 < 0.9), [f"slope fits poorly (R² {x:.2f})" for x in r2]),
        (clear & (points < 4), [f"only {x:.0f} points on the slope" for x in points]),
        (clear & unlike, ["slope and maximum slope disagree"] * len(table)),
        (clear & marks.edge, ["steepest at the edge of the window"] * len(table)),
        (clear & into_rise, ["population spike on the rise"] * len(table)),
        (info.clipped, ["saturated"] * len(table)),
        (late, ["unusual latency"] * len(table)),
        (loud, ["noisy baseline"] * len(table)),
        (
            info.known_ms < min(template.peak_ms, end_ms) + 1.0,
            ["cut off by the end of the sweep"] * len(table),
        ),
        (info.count < info.wanted, [f"mean of {x} instead of {info.wanted}" for x in info.count]),
        (~np.isfinite(table["slope_mV_per_ms"].to_numpy()), ["no slope"] * len(table)),
    ]
    flags: list[list[str]] = [[] for _ in range(len(table))]
    for doubtful, words in reasons:
        for row in np.flatnonzero(doubtful):
            flags[row].append(words[row])
    return ["; ".join(words) for words in flags]


def _outlying(values: Floats, counted: Bools, *, least: float) -> Bools:
    """Further from the median than 3 MAD (scaled to a standard deviation), and than `least`."""
    if counted.sum() < 5:
        return np.zeros(len(values), bool)
    middle = np.nanmedian(values[counted])
    spread = 1.4826 * np.nanmedian(np.abs(values[counted] - middle))
    with np.errstate(invalid="ignore"):
        return counted & (np.abs(values - middle) > max(3 * spread, least))


def _clipped(cuts: Floats, time_ms: Floats, blank_ms: float) -> Bools:
    """Five or more neighbouring samples after the artefact that share the extreme value: a converter at its limit."""
    after = cuts[:, time_ms >= blank_ms]
    out = np.zeros(len(cuts), bool)
    with np.errstate(invalid="ignore"):
        for extreme in (np.fmax.reduce(after, axis=1), np.fmin.reduce(after, axis=1)):
            same = after == extreme[:, None]
            some = np.flatnonzero(same.sum(axis=1) >= 5)
            run = same[some]
            together = np.logical_and.reduce([run[:, i : run.shape[1] - 4 + i] for i in range(5)]).any(axis=1)
            out[some] |= together & (
                np.fmax.reduce(after[some], axis=1) > np.fmin.reduce(after[some], axis=1)
            )
    return out


def _chunks(n: int) -> list[slice]:
    return [slice(low, min(low + _ROWS, n)) for low in range(0, n, _ROWS)]


def _in_chunks(function, n: int) -> Landmarks:
    parts = [function(rows) for rows in _chunks(n)]
    names = Landmarks.__dataclass_fields__
    return Landmarks(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _crossings(
    copy: Floats, t: Floats, marks: Landmarks, level: Floats, *, after: bool
) -> tuple[Floats, Bools]:
    parts = [crossing(copy[r], t, level[r], marks.steep_index[r], after=after) for r in _chunks(len(copy))]
    return np.concatenate([time for time, _ in parts]), np.concatenate([there for _, there in parts])


def _lines(traces: Floats, t: Floats, start: Floats, end: Floats) -> tuple[Floats, Floats, Floats]:
    parts = [line(traces[rows], t, start[rows], end[rows]) for rows in _chunks(len(traces))]
    return tuple(np.concatenate([part[i] for part in parts]) for i in range(3))


def _options(method, average, blank_ms, baseline_ms, lowpass_hz, line_ms, smooth_ms, window_ms) -> _Options:
    span = span_of(method) if isinstance(method, str) else None
    if span is None and method not in ("max", "fixed"):
        raise DataError(
            f"the method is {method!r}", expected='two percentages such as "20-80", "max" or "fixed"'
        )
    if average != int(average) or average < 1:
        raise DataError(f"average is {average}", expected="a whole number from 1")
    if not 0 < blank_ms < 10:
        raise DataError(f"blank_ms is {blank_ms:g}", expected="the end of the artefact, 0.3 to 2 ms")
    if not baseline_ms[0] < baseline_ms[1] <= 0:
        raise DataError(
            f"baseline_ms is {tuple(baseline_ms)}", expected="a rising pair before the stimulus (0)"
        )
    if not (lowpass_hz > 0 and line_ms > 0 and (smooth_ms is None or smooth_ms >= 0)):
        raise DataError(
            "a filter or line has no length", expected="lowpass_hz, line_ms and smooth_ms above 0"
        )
    if smooth_ms is not None and (method != "max" or window_ms is None):
        raise DataError("smooth_ms is given", expected='method="max" and a window with it')
    return _Options(
        method, span or (20.0, 80.0), blank_ms, tuple(baseline_ms), lowpass_hz, line_ms, smooth_ms
    )


def _windows(window_ms, names: list[str], pulses: Pulses, blank_ms: float, recording: Recording) -> dict:
    """The window of each pathway that has one, checked."""
    if window_ms is None:
        return {}
    given = dict(window_ms) if isinstance(window_ms, Mapping) else dict.fromkeys(names, window_ms)
    where = ", ".join(path.name for path in recording.paths)
    for name, window in given.items():
        if name not in names:
            raise RecordingError(
                f"a window is given for pathway {name}", expected=", ".join(names), where=where
            )
        pair = tuple(float(x) for x in window)
        if len(pair) != 2 or not np.all(np.isfinite(pair)) or not pair[0] < pair[1]:
            raise RecordingError(
                f"the window of {name} is {pair}", expected="start before end, in ms", where=where
            )
        end = float(pulses.after_ms[pulses.pathway == name].max())
        if pair[0] < 0 or pair[1] > end:
            raise RecordingError(
                f"the window of {name} is {pair[0]:g} to {pair[1]:g} ms after the stimulus",
                expected=f"a window after the stimulus and before {end:.1f} ms, where sweeps end",
                where=where,
            )
        given[name] = pair
    return given


def _sweeps_left_out(recording: Recording) -> list[str]:
    without = recording.n_sweeps - recording.stimuli["sweep"].nunique()
    return [f"{without} of {recording.n_sweeps} sweeps have no stimulus and give no row"] if without else []


def _about(name: str, number: int, template: Template, info: _Info) -> list[str]:
    which = name if number == 1 else f"{name}, pulse {number}"
    out = []
    length = float(np.median(info.baseline_ms))
    if number == 1 and 0 < length < 1.0:
        out.append(f"{which}: only {length:.2f} ms before the stimulus serve as baseline")
    if not template.clear:
        out.append(f"{which}: the mean response does not stand out of the noise")
    return out

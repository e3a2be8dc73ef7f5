"""Measure evoked responses: slope, amplitude, latency, volley and population spike, one row each.

Notation: M responses of one pathway, N points each; times in ms after the stimulus.

`rise` says how; here are the arguments, the cutting and averaging of sweeps, and the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError, RecordingError
from labkit.ltp.landmarks import lowpass
from labkit.ltp.marks import measure_marks, span_of
from labkit.ltp.pulses import Pulses, averaged, cut, measured_pulses
from labkit.ltp.quality import clipped, flags
from labkit.ltp.recording import Recording
from labkit.ltp.rise import measure_rise, smoothed_maximum
from labkit.ltp.template import (
    AFTER_MS,
    BASELINE_MS,
    BEFORE_MS,
    BLANK_MS,
    LOWPASS_HZ,
    RESPONSE_MS,
    ROWS_FOR_MEAN,
    Template,
    filled,
    fit_template,
    noise_level,
    zeroed,
)
from labkit.ltp.window import MeanTrace, mean_responses, mean_trace, propose_window

__all__ = ["MeanTrace", "mean_responses", "mean_trace", "measure", "measure_marks", "propose_window"]

Floats = NDArray[np.float64]

# Sweeps read at once.
_ROWS = 256


@dataclass(frozen=True)
class _Group:
    """M responses of one pathway and pulse: (M, N) traces in mV, baseline at 0, and (M,) what goes with them.

    `first` holds the first pulse of each average, `count` how many were averaged, `room_ms` how long the
    trace is known after the stimulus.
    """

    traces: Floats
    time_ms: Floats
    first: Pulses
    time_s: Floats
    count: NDArray[np.int64]
    noise: Floats
    baseline_ms: Floats
    room_ms: Floats
    saturated: NDArray[np.bool_]


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
        Corner of the zero-phase filter (6 dB down there) for landmarks and the slope between percentages. At
        1 kHz a rise of 0.6 ms from 20 to 80 % reads 3 to 5 % less, one of 0.9 ms or more nothing less.
    remove_tail
        Fit the tail of the artefact and take it out, if it changes the slope by more than 0.1 %.
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
    0     0.0             0.50        2.79
    1    30.0             0.60        2.79
    2    60.0             0.75        2.79
    """
    span = _check(method, average, blank_ms, baseline_ms, lowpass_hz, line_ms, smooth_ms, window_ms)
    pulses = measured_pulses(recording)
    names = [str(name) for name in np.unique(pulses.pathway)]
    windows = _windows(window_ms, names, pulses, recording)
    warnings = _sweeps_left_out(recording)
    tables: list[pd.DataFrame] = []
    templates: dict[str, Template] = {}
    for name in names:
        for number in np.unique(pulses.pulse[pulses.pathway == name]):
            own = pulses.take((pulses.pathway == name) & (pulses.pulse == number))
            until_ms = max(AFTER_MS, windows[name][1] + 12.0 if name in windows else 0.0)
            cutting = {"baseline_ms": baseline_ms, "blank_ms": blank_ms}
            if len(own) > ROWS_FOR_MEAN * average:
                # The mean of some hundred tells the template, and then how much of the rest need be read.
                some = own.take(np.linspace(0, len(own) - 1, ROWS_FOR_MEAN).astype(int))
                sample = _gather(recording, some, average=1, until_ms=until_ms, **cutting)
                group = None
            else:
                group = sample = _gather(recording, own, average=average, until_ms=until_ms, **cutting)
            smooth = lowpass(sample.traces[:200], rate_hz=recording.rate_hz, corner_hz=lowpass_hz)
            noise = noise_level(smooth, sample.time_ms, from_ms=8.0)
            # The second response rises where the first does.
            first = templates.get(name)
            template = fit_template(
                sample.traces.mean(axis=0),
                sample.time_ms,
                rate_hz=recording.rate_hz,
                noise_mV=noise / np.sqrt(len(sample.traces)),
                window_ms=windows.get(name) or (first and first.window_ms),
                volley_ms=volley_ms,
                blank_ms=blank_ms,
                lowpass_hz=lowpass_hz,
                polarity=polarity or (first and first.polarity),
                tail=remove_tail,
            )
            if group is None:
                enough_ms = min(until_ms, template.window_ms[1] + RESPONSE_MS + 1.5)
                group = _gather(recording, own, average=average, until_ms=enough_ms, **cutting)
                noise /= np.sqrt(average)
            templates.setdefault(name, template)
            warnings += _about(name if number == 1 else f"{name}, pulse {number}", number, template, group)
            rise = measure_rise(
                group.traces,
                group.time_ms,
                template=template,
                segment=group.first.segment,
                noise_mV=noise,
                rate_hz=recording.rate_hz,
                lowpass_hz=lowpass_hz,
                span=span,
                line_ms=line_ms,
            )
            steepest = rise.max_slope
            if smooth_ms is not None:
                steepest = smoothed_maximum(
                    template.polarity * group.traces,
                    group.time_ms,
                    window_ms=template.window_ms,
                    smooth_ms=smooth_ms,
                    line_ms=line_ms,
                )
            slope = {"max": steepest, "fixed": rise.fixed_slope}.get(method, rise.slope)
            with np.errstate(invalid="ignore", divide="ignore"):
                snr = np.where(group.noise >= 0, rise.amplitude / group.noise, np.nan)
            table = {
                "sweep": group.first.sweep,
                "time_s": group.time_s,
                "pathway": name,
                "pulse": number,
                "n_averaged": group.count,
                "slope_mV_per_ms": slope,
                "max_slope_mV_per_ms": steepest,
                "fixed_slope_mV_per_ms": rise.fixed_slope,
                "amplitude_mV": rise.amplitude,
                # The stimulus falls between samples.
                "latency_ms": rise.latency_ms - group.first.late_ms,
                "volley_mV": rise.volley,
                "population_spike_mV": rise.spike,
                "polarity": template.polarity,
                "r2": rise.r2,
                "snr": snr,
                "baseline_noise_mV": group.noise,
                "flags": flags(
                    rise,
                    slope=slope,
                    snr=snr,
                    noise=group.noise,
                    baseline_ms=group.baseline_ms,
                    short=group.room_ms < template.peak_ms + 1.0,
                    saturated=group.saturated,
                    count=group.count,
                    wanted=average,
                ),
            }
            tables.append(pd.DataFrame(table))
    table = pd.concat(tables, ignore_index=True)
    table = table.sort_values(["time_s", "pulse"], kind="stable", ignore_index=True)
    table.attrs.update(
        induction_s=float(recording.induction_s),
        window_ms={name: tuple(round(x, 4) for x in one.window_ms) for name, one in templates.items()},
        tail_ms={name: one.tail.decay_ms if one.tail else float("nan") for name, one in templates.items()},
        warnings=tuple(warnings),
    )
    return table


def _gather(
    recording: Recording,
    pulses: Pulses,
    *,
    average: int,
    baseline_ms: tuple[float, float],
    blank_ms: float,
    until_ms: float,
) -> _Group:
    """Cut, average and zero the responses of one pathway and pulse."""
    to_points = recording.rate_hz / 1e3
    until_ms = min(until_ms, float(pulses.after_ms.max()))
    before = round(max(-baseline_ms[0], BEFORE_MS if pulses.pulse[0] == 1 else 2.0) * to_points)
    # The sample of the next pulse belongs to its artefact.
    after = max(int(np.ceil(until_ms * to_points)) - 2, 4)
    first, count = averaged(pulses, average)
    ends = first + count
    heads = pulses.take(first)
    room_ms = np.minimum.reduceat(pulses.before_ms, first)
    parts: list[tuple] = []
    # Whole averages at a time: memory holds some hundred sweeps beside the averages.
    step = max(1, _ROWS // average)
    for low in range(0, len(first), step):
        high = min(low + step, len(first))
        part = pulses.take(np.arange(first[low], ends[high - 1]))
        cuts, time_ms = cut(recording, part, before=before, after=after)
        if np.any(part.after_ms < until_ms):
            cuts[time_ms > part.after_ms[:, None] - 2 / to_points] = np.nan
        starts = first[low:high] - first[low]
        saturated = np.logical_or.reduceat(clipped(cuts, time_ms, from_ms=blank_ms), starts)
        if average > 1:
            cuts = np.add.reduceat(cuts, starts, axis=0) / count[low:high, None]
        traces, noise, length = zeroed(
            cuts,
            time_ms,
            baseline_ms=baseline_ms,
            room_ms=room_ms[low:high],
            first=bool(heads.pulse[0] == 1),
        )
        parts.append((filled(traces), noise, length, saturated))
    traces, noise, length, saturated = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Group(
        traces=traces,
        time_ms=time_ms,
        first=heads,
        time_s=np.add.reduceat(pulses.time_s, first) / count,
        count=count,
        noise=noise,
        baseline_ms=length,
        room_ms=np.minimum.reduceat(pulses.after_ms, first),
        saturated=saturated,
    )


def _check(
    method: str,
    average: int,
    blank_ms: float,
    baseline_ms: tuple[float, float],
    lowpass_hz: float,
    line_ms: float,
    smooth_ms: float | None,
    window_ms: object,
) -> tuple[float, float]:
    """The percentages of the method, if the arguments make sense."""
    span = span_of(method) if isinstance(method, str) else None
    if span is None and method not in ("max", "fixed"):
        found = f"the method is {method!r}"
        raise DataError(found, expected='two percentages such as "20-80", or "max", or "fixed"')
    if average != int(average) or average < 1:
        raise DataError(f"average is {average}", expected="a whole number from 1")
    if not 0 < blank_ms < 10:
        raise DataError(f"blank_ms is {blank_ms:g}", expected="the end of the artefact, mostly 0.3 to 2 ms")
    if not baseline_ms[0] < baseline_ms[1] <= 0:
        raise DataError(
            f"baseline_ms is {tuple(baseline_ms)}", expected="a rising pair up to 0 (the stimulus)"
        )
    for name, value in (("lowpass_hz", lowpass_hz), ("line_ms", line_ms), ("smooth_ms", smooth_ms)):
        if value is not None and not value > 0:
            raise DataError(f"{name} is {value}", expected="a number above 0")
    if smooth_ms is not None and (method != "max" or window_ms is None):
        raise DataError("smooth_ms is given", expected='method="max" and a window with it')
    return span or (20.0, 80.0)


def _windows(
    window_ms: tuple[float, float] | Mapping[str, tuple[float, float]] | None,
    names: list[str],
    pulses: Pulses,
    recording: Recording,
) -> dict[str, tuple[float, float]]:
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


def _about(which: str, number: int, template: Template, group: _Group) -> list[str]:
    """Warnings that hold for all responses of a group."""
    out = []
    length = float(np.median(group.baseline_ms))
    if number == 1 and 0 < length < 1.0:
        out.append(f"{which}: only {length:.2f} ms before the stimulus serve as baseline")
    if not template.clear:
        out.append(f"{which}: the mean response does not stand out of the noise")
    return out

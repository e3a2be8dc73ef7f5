"""The mean responses of a recording's pathways, and the window that is proposed for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labkit.errors import RecordingError
from labkit.ltp.landmarks import lowpass
from labkit.ltp.pulses import Pulses, cut, measured_pulses
from labkit.ltp.recording import Recording
from labkit.ltp.template import (
    AFTER_MS,
    BASELINE_MS,
    BEFORE_MS,
    BLANK_MS,
    LOWPASS_HZ,
    ROWS_FOR_MEAN,
    filled,
    fit_template,
    noise_level,
    zeroed,
)

__all__ = ["MeanTrace", "mean_responses", "mean_trace", "propose_window"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MeanTrace:
    """Mean responses of one pathway for a picker or a figure, with the window that is proposed.

    `time_ms` (N,) counts from the stimulus; `traces_mV` holds (N,) mV by label, with the baseline at 0 and
    the artefact as recorded: *baseline* and *after induction*, or *mean* when nothing was induced.
    """

    pathway: str
    time_ms: Floats
    traces_mV: Mapping[str, Floats]
    proposal_ms: tuple[float, float]
    blank_ms: tuple[float, float]


def propose_window(
    recording: Recording, *, pathway: str | None = None, blank_ms: float = BLANK_MS
) -> dict[str, tuple[float, float]]:
    """Where the fEPSP rises from 20 to 80 %, on the mean response of each pathway.

    The rise is the first great climb after the fibre volley, from its last shoulder to its first turn; a
    population spike that cuts the peak therefore does not move the window much.

    Parameters
    ----------
    recording
        From `read`.
    pathway
        One pathway; by default each.
    blank_ms
        End of the stimulus artefact, ms after the stimulus.

    Returns
    -------
    dict
        Pathway to (start, end) in ms after the stimulus. A pathway that gives no response gets the window
        of its noise; `measure` flags such responses.

    Raises
    ------
    RecordingError
        If there is no stimulus, no such pathway, or no voltage.

    Examples
    --------
    >>> from labkit.demo import field
    >>> t = np.arange(-100, 400) / 20
    >>> sweeps = field.response(t, rng=None, slope_mV_per_ms=np.full(4, 0.5))
    >>> recording = Recording.from_arrays(sweeps, rate_hz=20_000, stimuli=5.0, start_s=[0, 30, 60, 90])
    >>> propose_window(recording)  # foot at 2.6 ms, 20 and 80 % passed 0.62 and 2.00 ms later
    {'S0': (3.22, 4.6)}
    """
    pulses = measured_pulses(recording)
    out = {}
    for name in _pathways(pulses, pathway):
        up, time_ms, n = _mean(recording, pulses, name, None)
        noise = n[1]
        template = fit_template(up, time_ms, rate_hz=recording.rate_hz, noise_mV=noise, blank_ms=blank_ms)
        out[name] = (round(template.window_ms[0], 2), round(template.window_ms[1], 2))
    return out


def mean_trace(
    recording: Recording, *, pathway: str, induction_s: float | None = None, blank_ms: float = BLANK_MS
) -> MeanTrace:
    """Mean responses of one pathway before and after induction, and the proposed window.

    Parameters
    ----------
    recording, pathway
        Which responses.
    induction_s
        Seconds since the start of the recording; by default what the recording says. NaN means that nothing
        was induced.
    """
    time_ms, traces = mean_responses(recording, pathway=pathway, induction_s=induction_s)
    window = propose_window(recording, pathway=pathway, blank_ms=blank_ms)[pathway]
    return MeanTrace(pathway, time_ms, traces, window, (0.0, blank_ms))


def mean_responses(
    recording: Recording, *, pathway: str | None = None, induction_s: float | None = None
) -> tuple[Floats, dict[str, Floats]]:
    """Mean first responses of a pathway: at baseline and after induction.

    Returns
    -------
    time_ms : (N,) ndarray
        From 5 ms before to 20 ms after the stimulus, as far as the sweeps go.
    traces_mV : dict
        *baseline* and *after induction*; only *mean* when nothing was induced. (N,) each, baseline at 0.
    """
    pulses = measured_pulses(recording)
    name = _pathways(pulses, pathway)[0]
    when = recording.induction_s if induction_s is None else induction_s
    early = pulses.time_s < when
    parts = {"mean": np.ones(len(pulses), bool)}
    if (
        np.isfinite(when)
        and (early & (pulses.pathway == name)).any()
        and (~early & (pulses.pathway == name)).any()
    ):
        parts = {"baseline": early, "after induction": ~early}
    traces = {label: _mean(recording, pulses, name, rows) for label, rows in parts.items()}
    time_ms = next(iter(traces.values()))[1]
    means = {label: mean for label, (mean, _, _) in traces.items()}
    known = np.all([np.isfinite(mean) for mean in means.values()], axis=0)
    return time_ms[known], {label: mean[known] for label, mean in means.items()}


def _pathways(pulses: Pulses, wanted: str | None) -> list[str]:
    names = [str(name) for name in np.unique(pulses.pathway)]
    if wanted is None:
        return names
    if wanted not in names:
        raise RecordingError(f"there is no pathway {wanted}", expected=f"one of {', '.join(names)}")
    return [wanted]


def _mean(
    recording: Recording, pulses: Pulses, pathway: str, chosen: NDArray[np.bool_] | None
) -> tuple[Floats, Floats, tuple[int, float]]:
    """Mean first response of a pathway, its times, and (number of responses, noise of low-passed mean)."""
    rows = np.flatnonzero(
        (pulses.pathway == pathway) & (pulses.pulse == 1) & (True if chosen is None else chosen)
    )
    if len(rows) > ROWS_FOR_MEAN:
        rows = rows[np.linspace(0, len(rows) - 1, ROWS_FOR_MEAN).astype(int)]
    part = pulses.take(rows)
    to_points = recording.rate_hz / 1e3
    after_ms = min(AFTER_MS, float(np.median(part.after_ms)))
    traces, time_ms = cut(
        recording, part, before=round(BEFORE_MS * to_points), after=max(round(after_ms * to_points) - 1, 4)
    )
    traces, _, _ = zeroed(traces, time_ms, baseline_ms=BASELINE_MS, room_ms=part.before_ms)
    count = np.isfinite(traces).sum(axis=0)
    mean = np.where(count > 0, np.nansum(traces, axis=0) / np.maximum(count, 1), np.nan)
    if chosen is not None:
        return mean, time_ms, (len(rows), np.nan)
    smooth = lowpass(filled(traces[:200]), rate_hz=recording.rate_hz, corner_hz=LOWPASS_HZ)
    noise = noise_level(smooth, time_ms, from_ms=8.0) / np.sqrt(len(rows))
    return filled(mean[None])[0], time_ms, (len(rows), noise)

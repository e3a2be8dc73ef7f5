"""Field potentials made from stated truth: artefact, fibre volley, fEPSP, population spike, noise.

Notation: N points, M sweeps. Times are in ms after the stimulus, voltages in mV. Every parameter that may
differ between sweeps is a number or an array of M numbers; the answer is (N,) when all are numbers and (M, N)
otherwise.

The fEPSP is ``(1 - exp(-t/rise))**power * exp(-t/decay)``, which starts at the latency and peaks once, at
``rise * log(1 + power*decay/rise)``. `power` 1 is the difference of two exponentials; 2 and 3 start
S-shaped, as real fEPSPs do. Its slope is stated, not measured: it is the least-squares line through the
noise-free curve between the points where it passes 20 and 80 % of its peak, with infinitely many samples.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FepspShape",
    "artefact",
    "fepsp",
    "fepsp_shape",
    "noise",
    "population_spike",
    "response",
    "volley",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FepspShape:
    """Truths of a noise-free fEPSP of amplitude 1, times in ms after its foot.

    `slope_per_mV` is the slope (1/ms) of the least-squares line between `low_ms` and `high_ms`; an fEPSP of
    A mV therefore has the slope ``A * slope_per_mV`` mV/ms. `max_slope_per_mV` is its steepest derivative.
    """

    peak_ms: float
    low_ms: float
    high_ms: float
    slope_per_mV: float
    max_slope_per_mV: float


@functools.lru_cache(maxsize=256)
def fepsp_shape(*, rise_ms: float = 1.5, decay_ms: float = 8.0, power: float = 2.0) -> FepspShape:
    """Exact times and slope of the fEPSP, from its formula rather than from samples.

    Examples
    --------
    >>> shape = fepsp_shape(rise_ms=1.0, decay_ms=1.0, power=1.0)
    >>> round(shape.peak_ms, 6)  # rise * log(2)
    0.693147
    """
    peak_ms = rise_ms * np.log1p(power * decay_ms / rise_ms)

    def curve(t: Floats) -> Floats:
        return _unscaled(t, rise_ms, decay_ms, power)

    top = float(curve(np.array(peak_ms)))
    low_ms, high_ms = (_crossing(curve, top * part, peak_ms) for part in (0.2, 0.8))
    # Gauss-Legendre with 64 nodes integrates this smooth curve to rounding error.
    nodes, weights = np.polynomial.legendre.leggauss(64)
    half = (high_ms - low_ms) / 2
    slope = 1.5 * np.sum(weights * nodes * curve(low_ms + half * (nodes + 1))) / (half * top)
    # The derivative vanishes at foot and peak; its maximum is found on a grid fine enough for 1e-6.
    grid = np.linspace(0, peak_ms, 4001)[1:-1]
    rate = curve(grid) * (
        power * np.exp(-grid / rise_ms) / (rise_ms * -np.expm1(-grid / rise_ms)) - 1 / decay_ms
    )
    return FepspShape(float(peak_ms), float(low_ms), float(high_ms), float(slope), float(rate.max() / top))


def fepsp(
    time_ms: ArrayLike,
    *,
    slope_mV_per_ms: ArrayLike,
    latency_ms: ArrayLike = 2.6,
    rise_ms: float = 1.5,
    decay_ms: float = 8.0,
    power: float = 2.0,
    polarity: int = -1,
) -> Floats:
    """Noise-free fEPSP whose 20-80 % slope is exactly `slope_mV_per_ms` (a magnitude).

    Parameters
    ----------
    time_ms
        (N,) times after the stimulus.
    slope_mV_per_ms, latency_ms
        Number or (M,): slope, and time of the foot after the stimulus.
    rise_ms, decay_ms, power
        Shape (see the head of the module).
    polarity
        -1 for stratum radiatum (a sink), +1 for a source.

    Returns
    -------
    (N,) or (M, N) mV. The amplitude is ``slope_mV_per_ms / fepsp_shape(...).slope_per_mV``.

    Examples
    --------
    >>> wave = fepsp(np.linspace(0, 20, 2001), slope_mV_per_ms=0.5)
    >>> round(float(-wave.min() * fepsp_shape().slope_per_mV), 4)
    0.5
    """
    slope, latency = np.asarray(slope_mV_per_ms, float), np.asarray(latency_ms, float)
    shape = fepsp_shape(rise_ms=rise_ms, decay_ms=decay_ms, power=power)
    top = _unscaled(np.array(shape.peak_ms), rise_ms, decay_ms, power)
    curve = _unscaled(_after(time_ms, latency), rise_ms, decay_ms, power)
    return polarity * (slope / (shape.slope_per_mV * top))[..., None] * curve


def volley(
    time_ms: ArrayLike, *, volley_mV: ArrayLike = 0.1, at_ms: ArrayLike = 1.5, width_ms: float = 0.18
) -> Floats:
    """Fibre volley: up, down, up; `volley_mV` from its trough to the line between its shoulders."""
    u = _after(time_ms, np.asarray(at_ms, float)) / width_ms
    ricker = (u**2 - 1) * np.exp(-(u**2) / 2)
    return (np.asarray(volley_mV, float) / (1 + 2 * np.exp(-1.5)))[..., None] * ricker


def population_spike(
    time_ms: ArrayLike,
    *,
    height_mV: ArrayLike,
    at_ms: ArrayLike = 6.0,
    width_ms: float = 0.35,
    polarity: int = -1,
) -> Floats:
    """Population spike as a Gaussian against the fEPSP, `height_mV` high; `polarity` is that of the fEPSP."""
    u = _after(time_ms, np.asarray(at_ms, float)) / width_ms
    return -polarity * np.asarray(height_mV, float)[..., None] * np.exp(-(u**2) / 2)


def artefact(
    time_ms: ArrayLike,
    *,
    pulse_mV: ArrayLike = 5.0,
    pulse_ms: float = 0.1,
    tail_mV: ArrayLike = 0.3,
    tail_ms: float = 1.2,
) -> Floats:
    """Stimulus artefact: a biphasic pulse of two `pulse_ms`, and a tail of `tail_mV` decaying with `tail_ms`.

    The tail counts from the stimulus (time 0), where it would be `tail_mV` high.
    """
    t = np.asarray(time_ms, float)
    pulse = np.where((t >= 0) & (t < pulse_ms), 1.0, 0.0) - np.where(
        (t >= pulse_ms) & (t < 2 * pulse_ms), 0.8, 0.0
    )
    tail = np.where(t >= 0, np.exp(-np.clip(t, 0, None) / tail_ms), 0.0)
    return np.asarray(pulse_mV, float)[..., None] * pulse + np.asarray(tail_mV, float)[..., None] * tail


def noise(
    shape: tuple[int, ...],
    *,
    rng: np.random.Generator,
    rate_hz: float,
    white_mV: float = 0.02,
    slow_mV: float = 0.0,
    slow_hz: float = 20.0,
    mains_mV: float = 0.0,
    mains_hz: float = 50.0,
) -> Floats:
    """Noise of standard deviation `white_mV`, plus slow wander and mains hum of random phase per sweep.

    `slow_mV` is the standard deviation of a first-order process with its corner at `slow_hz`; `mains_mV` is
    the amplitude of the hum. Shape is (N,) or (M, N).
    """
    out = rng.normal(0.0, white_mV, shape) if white_mV else np.zeros(shape)
    if slow_mV:
        keep = np.exp(-2 * np.pi * slow_hz / rate_hz)
        drive = rng.normal(0.0, slow_mV * np.sqrt(1 - keep**2), shape)
        drive[..., 0] = rng.normal(0.0, slow_mV, shape[:-1])
        # A loop over samples, all sweeps at once: importing a filter would take longer than filtering.
        steps = np.ascontiguousarray(drive.reshape(-1, shape[-1]).T)
        for before, now in itertools.pairwise(steps):
            now += keep * before
        out += steps.T.reshape(shape)
    if mains_mV:
        phase = rng.uniform(0, 2 * np.pi, (*shape[:-1], 1))
        out += mains_mV * np.sin(2 * np.pi * mains_hz / rate_hz * np.arange(shape[-1]) + phase)
    return out


def response(
    time_ms: ArrayLike,
    *,
    rng: np.random.Generator | None,
    slope_mV_per_ms: ArrayLike,
    latency_ms: ArrayLike = 2.6,
    rise_ms: float = 1.5,
    decay_ms: float = 8.0,
    power: float = 2.0,
    polarity: int = -1,
    volley_mV: ArrayLike = 0.1,
    volley_ms: ArrayLike = 1.5,
    population_spike_mV: ArrayLike = 0.0,
    population_spike_ms: ArrayLike | None = None,
    pulse_mV: ArrayLike = 5.0,
    tail_mV: ArrayLike = 0.3,
    tail_ms: float = 1.2,
    offset_mV: ArrayLike = 0.0,
    noise_mV: float = 0.02,
    slow_mV: float = 0.0,
    mains_mV: float = 0.0,
) -> Floats:
    """One evoked response per sweep: artefact + volley + fEPSP + population spike + noise.

    Parameters
    ----------
    time_ms
        (N,) evenly spaced times after the stimulus; negative before it.
    rng
        Source of the noise; None for none.
    slope_mV_per_ms
        The true 20-80 % slope of the fEPSP, number or (M,).
    population_spike_ms
        Its time after the stimulus; None puts it at the peak of the fEPSP.

    Returns
    -------
    (N,) or (M, N) mV.

    Examples
    --------
    >>> t = np.arange(-100, 400) / 20
    >>> response(t, rng=np.random.default_rng(1), slope_mV_per_ms=np.full(3, 0.4)).shape
    (3, 500)
    """
    t = np.asarray(time_ms, float)
    latency = np.asarray(latency_ms, float)
    if population_spike_ms is None:
        peak = fepsp_shape(rise_ms=rise_ms, decay_ms=decay_ms, power=power).peak_ms
        population_spike_ms = latency + peak
    wave = (
        fepsp(
            t,
            slope_mV_per_ms=slope_mV_per_ms,
            latency_ms=latency,
            rise_ms=rise_ms,
            decay_ms=decay_ms,
            power=power,
            polarity=polarity,
        )
        + volley(t, volley_mV=volley_mV, at_ms=volley_ms)
        + population_spike(t, height_mV=population_spike_mV, at_ms=population_spike_ms, polarity=polarity)
        + artefact(t, pulse_mV=pulse_mV, tail_mV=tail_mV, tail_ms=tail_ms)
        + np.asarray(offset_mV, float)[..., None]
    )
    if rng is None:
        return wave
    rate_hz = 1000.0 * (t.size - 1) / (t[-1] - t[0])
    return wave + noise(
        wave.shape, rng=rng, rate_hz=rate_hz, white_mV=noise_mV, slow_mV=slow_mV, mains_mV=mains_mV
    )


def _after(time_ms: ArrayLike, start_ms: Floats) -> Floats:
    """(N,) or (M, N) times after `start_ms`, a number or (M,)."""
    return np.asarray(time_ms, float) - start_ms[..., None]


def _unscaled(t: Floats, rise_ms: float, decay_ms: float, power: float) -> Floats:
    t = np.clip(t, 0.0, None)
    return (-np.expm1(-t / rise_ms)) ** power * np.exp(-t / decay_ms)


def _crossing(curve: Callable[[Floats], Floats], level: float, peak_ms: float) -> float:
    """Time before the peak at which the rising curve passes `level`, by bisection to rounding error."""
    low, high = 0.0, peak_ms
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if curve(np.array(middle)) < level else (low, middle)
    return (low + high) / 2

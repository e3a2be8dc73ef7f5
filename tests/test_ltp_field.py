"""The simulated field potentials are what they say they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.demo import field

FINE_MS = np.arange(0, 30, 0.0005)

shapes = st.tuples(st.floats(0.4, 3.0), st.floats(4.0, 15.0), st.floats(1.0, 4.0))


@settings(max_examples=40, deadline=None)
@given(shapes, st.floats(0.01, 3.0))
def test_stated_slope_is_the_line_through_20_to_80_percent(shape, slope):
    """Against least squares on samples 0.5 µs apart, found without the formula of the peak."""
    rise, decay, power = shape
    wave = field.fepsp(
        FINE_MS, slope_mV_per_ms=slope, latency_ms=1.0, rise_ms=rise, decay_ms=decay, power=power, polarity=1
    )
    peak = int(np.argmax(wave))
    rising = wave[: peak + 1]
    inside = np.flatnonzero((rising >= 0.2 * wave[peak]) & (rising <= 0.8 * wave[peak]))
    fitted = np.polyfit(FINE_MS[inside], wave[inside], 1)[0]
    # The ends of the sampled line are one sample off: of some 500 samples on the fastest rise.
    assert fitted == pytest.approx(slope, rel=2e-3)


def test_difference_of_exponentials_has_its_closed_form():
    """power 1: exp(-t/d) - exp(-t(1/r + 1/d)); with r = d = 1 the peak is 1/2 - 1/4, at log 2."""
    shape = field.fepsp_shape(rise_ms=1.0, decay_ms=1.0, power=1.0)
    assert shape.peak_ms == pytest.approx(np.log(2), rel=1e-12)
    # e - e^2 = 0.2 * 0.25 has the roots e = (1 ± sqrt(1 - 0.2)) / 2, of which the earlier is the greater.
    assert shape.low_ms == pytest.approx(-np.log((1 + np.sqrt(0.8)) / 2), rel=1e-9)
    assert shape.high_ms == pytest.approx(-np.log((1 + np.sqrt(0.2)) / 2), rel=1e-9)
    # It is steepest at its foot: derivative 1, which is 4 amplitudes; the grid begins just after.
    assert shape.max_slope_per_mV == pytest.approx(4.0, rel=1e-2)


def test_sweeps_differ_in_what_is_given_per_sweep():
    t = np.arange(-20, 400) / 20
    wave = field.response(t, rng=None, slope_mV_per_ms=[0.2, 0.4], tail_mV=0, volley_mV=0, pulse_mV=0)
    assert wave.shape == (2, 420)
    np.testing.assert_allclose(wave[1], 2 * wave[0], rtol=1e-12)
    assert np.all(wave[:, t < 2.6] == 0)


def test_volley_is_as_deep_as_stated_between_its_shoulders():
    t = np.arange(0, 3, 0.0001)
    wave = field.volley(t, volley_mV=0.3, at_ms=1.5, width_ms=0.2)
    left, right = wave[t < 1.5].max(), wave[t > 1.5].max()
    assert left == pytest.approx(right, rel=1e-6)
    assert left - wave.min() == pytest.approx(0.3, rel=1e-6)


def test_tail_doubles_and_decays():
    wave = field.artefact(np.array([-1.0, 1.2, 2.4]), tail_mV=0.6, tail_ms=1.2)
    np.testing.assert_allclose(wave, [0, 0.6 / np.e, 0.6 / np.e**2])


def test_population_spike_is_against_the_fepsp():
    spike = field.population_spike(np.array([6.0]), height_mV=0.4, polarity=-1)
    assert spike[0] == pytest.approx(0.4)
    assert field.population_spike(np.array([6.0]), height_mV=0.4, polarity=1)[0] == pytest.approx(-0.4)


def test_noise_has_the_stated_size_and_repeats_with_its_seed():
    def noise(seed):
        rng = np.random.default_rng(seed)
        return field.noise((200, 2000), rng=rng, rate_hz=20_000, white_mV=0.02, slow_mV=0.03, mains_mV=0.01)

    # Variances add; the slow part has a correlation time of 8 ms: 20 s hold some 2500 independent values.
    assert noise(1).std() == pytest.approx(np.sqrt(0.02**2 + 0.03**2 + 0.01**2 / 2), rel=0.05)
    np.testing.assert_array_equal(noise(1), noise(1))
    assert not np.array_equal(noise(1), noise(2))

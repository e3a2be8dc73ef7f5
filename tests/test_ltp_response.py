"""Slopes, amplitudes, latencies and flags against stated truth, laws of measuring, and other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import ltp
from labkit.demo import field
from labkit.errors import DataError, RecordingError
from labkit.ltp.landmarks import line, lowpass

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "ltp"
RATE_HZ, STIMULUS_MS = 20_000.0, 5.0
TIME_MS = (np.arange(600) - 100) / 20.0


def recording(sweeps, *, every_s=30.0, rate_hz=RATE_HZ, stimuli=STIMULUS_MS, **given):
    start_s = given.pop("start_s", every_s * np.arange(len(sweeps)))
    return ltp.Recording.from_arrays(sweeps, rate_hz=rate_hz, stimuli=stimuli, start_s=start_s, **given)


def clean(slope, **given):
    """Noise-free responses with artefact, tail and volley."""
    return field.response(TIME_MS, rng=None, slope_mV_per_ms=np.atleast_1d(slope), **given)


def noisy(n, *, seed=1, **given):
    given = {"slope_mV_per_ms": 0.44, **given}
    given["slope_mV_per_ms"] = np.broadcast_to(given["slope_mV_per_ms"], n)
    return field.response(TIME_MS, rng=np.random.default_rng(seed), **given)


# Truth


@pytest.mark.parametrize("shape", [(1.5, 8.0, 2.0), (1.0, 6.0, 3.0), (2.5, 12.0, 2.0), (2.0, 12.0, 1.0)])
@pytest.mark.parametrize("polarity", [-1, 1])
def test_noise_free_slope_is_the_stated_one(shape, polarity):
    """Within 1.5 %: the filter rounds the foot of a rise that starts at once (power 1) by 1 %."""
    form = dict(zip(("rise_ms", "decay_ms", "power"), shape, strict=True))
    truth = field.fepsp_shape(**form)
    table = ltp.measure(recording(clean([0.2, 0.5, 1.0], polarity=polarity, **form)))
    np.testing.assert_allclose(table["slope_mV_per_ms"], [0.2, 0.5, 1.0], rtol=0.015)
    # The parabola through 1 ms at the peak is off by its fourth order only.
    np.testing.assert_allclose(
        table["amplitude_mV"], table["slope_mV_per_ms"] / truth.slope_per_mV, rtol=0.02
    )
    assert (table["polarity"] == polarity).all()
    # A rise is no straight line: that of power 1 bends most.
    assert (table["r2"] > 0.97).all()


CASES = {
    "0.3 mV": {"amplitude": 0.3},
    "latency": {"later": 0.3},
    "population spike": {"spike": 0.3},
    "tail x2": {"tail": (0.3, 1.2)},
    "slow tail x2": {"tail": (0.8, 2.5)},
    "all": {"amplitude": 0.3, "later": 0.3, "spike": 0.3, "tail": (0.8, 2.5)},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("shape", [(1.5, 8.0, 2.0), (1.0, 6.0, 3.0)])
def test_potentiation_is_read_within_2_points_in_spite_of(case, shape):
    """400 + 400 responses, true 150 %, 20 µV noise, mean of three runs.

    At 0.3 mV single slopes scatter by 6 %, which leaves 0.6 points on a run; what the peak under a spike
    would have been is uncertain by another point.
    """
    n = 400
    form = dict(zip(("rise_ms", "decay_ms", "power"), shape, strict=True))
    truth = field.fepsp_shape(**form)
    after = np.repeat([0.0, 1.0], n)
    amplitude = case.get("amplitude", 1.0)
    level, decay_ms = case.get("tail", (0.3, 1.2))
    latency = 2.6 + case.get("later", 0.0) * after
    reads = []
    for seed in range(3):
        sweeps = noisy(
            2 * n,
            seed=seed,
            slope_mV_per_ms=amplitude * truth.slope_per_mV * (1 + 0.5 * after),
            latency_ms=latency,
            volley_mV=0.1 * amplitude,
            population_spike_mV=1.5 * case.get("spike", 0.0) * amplitude * after,
            population_spike_ms=latency + 0.95 * truth.peak_ms,
            tail_mV=level * amplitude * (1 + after if "tail" in case else 1),
            tail_ms=decay_ms,
            **form,
        )
        table = ltp.measure(recording(sweeps, induction_s=30.0 * n - 15))
        slope = table["slope_mV_per_ms"].to_numpy()
        reads.append(100 * slope[n:].mean() / slope[:n].mean())
        assert slope[:n].mean() == pytest.approx(amplitude * truth.slope_per_mV, rel=0.02)
        times = table["latency_ms"].to_numpy()
        assert times[n:].mean() - times[:n].mean() == pytest.approx(case.get("later", 0.0), abs=0.02)
        spikes = table["population_spike_mV"].to_numpy() > 0
        assert spikes[:n].mean() < 0.01
        assert spikes[n:].mean() > 0.99 if "spike" in case else spikes[n:].mean() < 0.01
    assert np.mean(reads) == pytest.approx(150, abs=2)


def test_single_responses_scatter_no_more_than_noise_makes_them():
    """The line through 1.38 ms of white noise at 20 kHz: 20 µV * sqrt(12) / (1.38 ms * sqrt(27.6)) mV/ms."""
    table = ltp.measure(recording(noisy(300)))
    limit = 0.02 * np.sqrt(12) / (1.38 * np.sqrt(1.38 * 20))
    # The filter takes some noise away; what finding the landmarks adds must not make up for more.
    assert table["slope_mV_per_ms"].std() < 1.1 * limit


def test_volley_and_its_change_are_read():
    """Unbiased: half of the volleys are 20 % larger; 200 values of 14 µV scatter each, 1.4 % of 100 µV."""
    volley = np.repeat([0.1, 0.12], 200)
    table = ltp.measure(recording(noisy(400, volley_mV=volley)))
    means = table["volley_mV"].to_numpy().reshape(2, -1).mean(axis=1)
    # Means of 0.1 ms at trough and shoulders flatten a volley of 0.18 ms width by some 8 %.
    assert means[0] == pytest.approx(0.1, rel=0.12)
    assert means[1] / means[0] == pytest.approx(1.2, abs=0.05)


def test_population_spike_height_and_its_absence():
    heights = np.array([0.0, 0.3, 0.6])
    table = ltp.measure(
        recording(clean(np.full(3, 0.5), population_spike_mV=heights, population_spike_ms=6.3))
    )
    spikes = table["population_spike_mV"].to_numpy()
    assert spikes[0] == 0
    # From the line between its shoulders, the height grows by what the spike grows, less what shoulders
    # climb.
    assert 0.2 < spikes[1] < 0.32
    assert spikes[2] - spikes[1] == pytest.approx(0.3, rel=0.15)


@pytest.mark.parametrize("rate_hz", [5_000.0, 10_000.0, 50_000.0])
def test_sampling_rate_does_not_matter(rate_hz):
    """2 %: at 5 kHz seven samples lie on the rise."""
    time_ms = np.arange(-0.005 * rate_hz, 0.025 * rate_hz) * 1e3 / rate_hz
    sweeps = field.response(time_ms, rng=None, slope_mV_per_ms=np.full(3, 0.5), pulse_mV=1.0)
    table = ltp.measure(recording(sweeps, rate_hz=rate_hz))
    np.testing.assert_allclose(table["slope_mV_per_ms"], 0.5, rtol=0.02)


# Laws


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 20), st.floats(-50, 50), st.integers(-40, 40))
def test_scaling_offset_and_shift(scale, offset, shift):
    """Slopes and heights scale; an offset, or a shift of the whole sweep, does nothing."""
    long_ms = np.arange(-200, 600) / 20
    rng = np.random.default_rng(1)
    base = field.response(long_ms, rng=rng, slope_mV_per_ms=np.full(6, 0.44), noise_mV=0.01)
    moved = scale * np.roll(base, shift, axis=1) + offset
    first = ltp.measure(recording(base, stimuli=10.0))
    second = ltp.measure(recording(moved, stimuli=10.0 + shift / 20))
    for name in (
        "slope_mV_per_ms",
        "max_slope_mV_per_ms",
        "fixed_slope_mV_per_ms",
        "amplitude_mV",
        "volley_mV",
    ):
        # Single precision in finding landmarks; rolled samples at the ends.
        np.testing.assert_allclose(second[name], scale * first[name], rtol=2e-3, err_msg=name)
    np.testing.assert_allclose(second["latency_ms"], first["latency_ms"], atol=5e-3)
    np.testing.assert_allclose(second["snr"], first["snr"], rtol=2e-3)


def test_latency_is_where_the_steepest_tangent_leaves_the_baseline():
    """Against the noise-free curve in steps of 1 µs; the filter moves the tangent by a sample at most."""
    fine_ms = np.arange(0, 10, 0.001)
    curve = field.fepsp(fine_ms, slope_mV_per_ms=0.5, polarity=1)
    rate = np.gradient(curve, fine_ms)
    at = int(np.argmax(rate))
    table = ltp.measure(recording(clean([0.5])))
    assert table["latency_ms"][0] == pytest.approx(fine_ms[at] - curve[at] / rate[at], abs=0.05)


@pytest.mark.parametrize("points", [-6, 6, 12])
def test_a_later_response_has_a_longer_latency_only(points):
    """The response, not the artefact, moved by whole samples."""
    first, second = (
        ltp.measure(recording(clean([0.5], latency_ms=3.2 + late, volley_mV=0, tail_mV=0)))
        for late in (0.0, points / 20)
    )
    assert second["latency_ms"][0] - first["latency_ms"][0] == pytest.approx(points / 20, abs=2e-3)
    assert second["slope_mV_per_ms"][0] == pytest.approx(first["slope_mV_per_ms"][0], rel=2e-3)


def test_order_of_sweeps_permutes_rows():
    sweeps = clean(np.linspace(0.3, 0.6, 8))
    order = np.random.default_rng(3).permutation(8)
    straight, mixed = ltp.measure(recording(sweeps)), ltp.measure(recording(sweeps[order]))
    np.testing.assert_allclose(
        mixed["slope_mV_per_ms"], straight["slope_mV_per_ms"].to_numpy()[order], rtol=1e-6
    )


def test_polarity_changes_nothing_but_the_sign():
    sweeps = noisy(5, volley_mV=0)
    down, up = ltp.measure(recording(sweeps)), ltp.measure(recording(-sweeps))
    assert (down["polarity"] == -1).all()
    assert (up["polarity"] == 1).all()
    for name in ("slope_mV_per_ms", "amplitude_mV", "latency_ms"):
        np.testing.assert_allclose(up[name], down[name], rtol=1e-9)


@settings(deadline=None)
@given(st.floats(-5, 5), st.floats(-3, 3), st.floats(0.1, 0.9), st.floats(0.2, 0.9))
def test_line_through_a_straight_trace_is_exact_between_any_limits(slope, level, start, length):
    time_ms = np.arange(60) / 20
    found, r2, points = line(
        (level + slope * time_ms)[None], time_ms, np.array([start]), np.array([start + length])
    )
    assert found[0] == pytest.approx(slope, abs=1e-9)
    assert points[0] == pytest.approx(length * 20, abs=1e-6)
    # A flat trace has no variance to explain.
    assert abs(slope) < 1e-3 or r2[0] == pytest.approx(1, abs=1e-6)


def test_lowpass_is_butterworth_run_both_ways():
    from scipy.signal import butter, sosfiltfilt

    trace = np.random.default_rng(0).normal(size=(3, 1000))
    expected = sosfiltfilt(butter(2, 1000, fs=RATE_HZ, output="sos"), trace, axis=1)
    got = lowpass(trace, rate_hz=RATE_HZ, corner_hz=1000)
    # Ends are continued differently; 5 ms inside of them nothing is left of that.
    np.testing.assert_allclose(got[:, 100:-100], expected[:, 100:-100], atol=1e-6)


# Rows


def test_averages_are_of_one_pathway_and_do_not_cross_induction_or_a_pause():
    n = 26
    sweeps = clean(np.where(np.arange(n) % 2 == 0, 0.2, 0.6))
    pathway = np.where(np.arange(n) % 2 == 0, "S0", "S1")
    start_s = 15.0 * np.arange(n)
    start_s[20:] += 600
    table = ltp.measure(
        recording(sweeps, pathway=pathway, start_s=start_s, induction_s=15.0 * 10 - 7), average=4
    )
    # S0 and S1: 5 responses before induction, 5 before the pause, 3 after it.
    for name, slope in (("S0", 0.2), ("S1", 0.6)):
        own = table[table["pathway"] == name]
        assert own["n_averaged"].tolist() == [4, 1, 4, 1, 3]
        np.testing.assert_allclose(own["slope_mV_per_ms"], slope, rtol=0.015)
    assert table["flags"].str.contains("mean of 1 instead of 4").sum() == 4
    assert table["time_s"].is_monotonic_increasing


def test_mean_of_four_is_measured_not_four_measures_averaged():
    sweeps = noisy(4, noise_mV=0.05)
    one = ltp.measure(recording(sweeps.mean(axis=0, keepdims=True)))
    four = ltp.measure(recording(sweeps), average=4)
    assert four["slope_mV_per_ms"][0] == pytest.approx(one["slope_mV_per_ms"][0], rel=1e-9)
    assert four["baseline_noise_mV"][0] == pytest.approx(one["baseline_noise_mV"][0], rel=1e-9)
    assert four["sweep"][0] == 0
    assert four["time_s"][0] == pytest.approx(45 + STIMULUS_MS / 1e3)


def test_pairs_give_two_rows_of_which_the_second_has_its_own_baseline():
    time_ms = (np.arange(2400) - 100) / 20
    slopes = [0.4, 0.6]
    sweep = sum(
        field.response(time_ms - at, rng=None, slope_mV_per_ms=slope, tail_mV=0.1)
        for at, slope in zip((0.0, 50.0), slopes, strict=True)
    )
    table = ltp.measure(recording(np.tile(sweep, (3, 1)), stimuli=[5.0, 55.0]))
    assert table["pulse"].tolist() == [1, 2] * 3
    # 50 ms later the first response still decays by 0.4 % of its amplitude per ms.
    np.testing.assert_allclose(table["slope_mV_per_ms"], slopes * 3, rtol=0.02)
    np.testing.assert_allclose(np.diff(table["time_s"])[::2], 0.05, atol=1e-9)


def test_induction_gives_no_row():
    sweeps = clean(np.full(6, 0.5))
    stimuli = pd.DataFrame({"sweep": range(6), "time_ms": 5.0, "kind": ["test"] * 3 + ["HFS"] + ["test"] * 2})
    stimuli["pulses"] = np.where(stimuli["kind"] == "HFS", 100, 1)
    stimuli["interval_ms"] = np.where(stimuli["kind"] == "HFS", 10.0, np.nan)
    table = ltp.measure(recording(sweeps, stimuli=stimuli))
    assert table["sweep"].tolist() == [0, 1, 2, 4, 5]
    assert table.attrs["induction_s"] == pytest.approx(90.005)


def test_one_sweep_is_enough():
    table = ltp.measure(recording(clean([0.5])))
    assert table["slope_mV_per_ms"][0] == pytest.approx(0.5, rel=0.015)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_flat_and_noisy_sweeps_do_not_break_anything(level):
    table = ltp.measure(recording(np.full((4, 600), level)))
    np.testing.assert_allclose(table["slope_mV_per_ms"].fillna(0), 0, atol=1e-9)
    assert (table["flags"] != "").all()
    tiny = np.random.default_rng(0).normal(0, 0.02, (2, 160))
    assert len(ltp.measure(recording(tiny))) == 2


# Doubt in words


def test_silence_is_flagged_and_a_response_is_not():
    silent = noisy(30, slope_mV_per_ms=np.repeat([0.4, 0.0], 15), volley_mV=0)
    flags = ltp.measure(recording(silent))["flags"]
    assert (flags[:15] == "").all()
    assert flags[15:].str.contains("no clear response").all()


def test_a_jump_of_latency_noise_saturation_and_short_sweeps_are_flagged():
    sweeps = noisy(40)
    sweeps[7] = noisy(1, seed=5, latency_ms=3.4)[0]
    sweeps[11] += np.random.default_rng(2).normal(0, 0.1, 600)
    sweeps[13] = np.maximum(sweeps[13], -0.6)
    sweeps[17, 190:] = np.nan
    flags = ltp.measure(recording(sweeps))["flags"]
    assert "unusual latency" in flags[7]
    assert "noisy baseline" in flags[11]
    assert "saturated" in flags[13]
    assert "cut off by the end of the sweep" in flags[17]
    assert (flags.drop([7, 11, 13, 17]) == "").all()


def test_short_baseline_is_used_and_told():
    """As on recordings whose stimulus comes 0.45 ms after the start of the sweep."""
    sweeps = noisy(20)[:, 91:]
    table = ltp.measure(recording(sweeps, stimuli=0.45))
    assert table["slope_mV_per_ms"].mean() == pytest.approx(0.44, rel=0.02)
    assert "0.40 ms before the stimulus" in table.attrs["warnings"][0]
    none = ltp.measure(recording(noisy(5)[:, 100:], stimuli=0.0))
    assert none["flags"].str.contains("no baseline").all()
    assert none["snr"].isna().all()
    assert none["slope_mV_per_ms"].mean() == pytest.approx(0.44, rel=0.1)


# Methods and windows


def test_methods_choose_the_slope():
    sweeps = recording(noisy(4))
    table = ltp.measure(sweeps)
    assert ltp.measure(sweeps, method="max")["slope_mV_per_ms"].equals(table["max_slope_mV_per_ms"])
    assert ltp.measure(sweeps, method="fixed")["slope_mV_per_ms"].equals(table["fixed_slope_mV_per_ms"])
    steeper = ltp.measure(sweeps, method="30-60")["slope_mV_per_ms"]
    assert (steeper > table["slope_mV_per_ms"]).all()


def test_smoothed_maximum_is_the_line_at_the_steepest_sample():
    """Against numpy, sample by sample."""
    from scipy.signal import savgol_filter

    sweeps = noisy(5)
    table = ltp.measure(recording(sweeps), method="max", window_ms=(2.5, 5.5), smooth_ms=1.05, line_ms=0.4)
    for sweep, slope in zip(sweeps, table["slope_mV_per_ms"], strict=True):
        smooth = savgol_filter(sweep, 21, 3)
        inside = np.flatnonzero((TIME_MS >= 2.5) & (TIME_MS < 5.5))
        at = inside[np.argmin(np.gradient(smooth)[inside])]
        rows = slice(at - 4, at + 5)
        assert slope == pytest.approx(-np.polyfit(TIME_MS[rows], smooth[rows], 1)[0], rel=1e-9)


def test_proposed_window_is_where_the_rise_passes_20_and_80_percent():
    """Filtered at 1 kHz: within two samples."""
    truth = field.fepsp_shape()
    window = ltp.propose_window(recording(noisy(20)))["S0"]
    assert window == pytest.approx((2.6 + truth.low_ms, 2.6 + truth.high_ms), abs=0.1)


def test_windows_by_pathway():
    pathway = np.array(["S0", "S1"] * 4)
    sweeps = recording(clean(np.full(8, 0.5)), pathway=pathway)
    table = ltp.measure(sweeps, window_ms={"S0": (3.2, 4.6), "S1": (3.4, 4.0)})
    assert table.attrs["window_ms"] == {"S0": (3.2, 4.6), "S1": (3.4, 4.0)}
    np.testing.assert_allclose(table["slope_mV_per_ms"], 0.5, rtol=0.02)


def test_mean_traces_before_and_after_induction():
    sweeps = recording(clean(np.repeat([0.4, 0.6], 10)), induction_s=295.0)
    trace = ltp.mean_trace(sweeps, pathway="S0")
    assert list(trace.traces_mV) == ["baseline", "after induction"]
    before, after = trace.traces_mV.values()
    late = trace.time_ms > 3.5
    tail = field.response(trace.time_ms, rng=None, slope_mV_per_ms=0.0)
    np.testing.assert_allclose((after - tail)[late], 1.5 * (before - tail)[late], rtol=1e-6)
    assert ltp.mean_responses(recording(clean([0.4, 0.4])))[1].keys() == {"mean"}
    assert trace.proposal_ms == ltp.propose_window(sweeps)["S0"]


# Mistakes


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ((5.0, 3.0), "start before end"),
        ((3.0, np.nan), "start before end"),
        ((30.0, 40.0), "where sweeps end"),
        ((-2.0, 3.0), "after the stimulus"),
        ({"S7": (3.0, 5.0)}, "pathway S7"),
    ],
)
def test_impossible_windows_are_refused(window, words):
    with pytest.raises(RecordingError, match=words):
        ltp.measure(recording(clean([0.5])), window_ms=window)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "20-80-90"}, "the method is"),
        ({"method": "80-20"}, "two rising percentages"),
        ({"average": 0}, "average is 0"),
        ({"blank_ms": -1}, "blank_ms is -1"),
        ({"baseline_ms": (-0.5, -5)}, "baseline_ms"),
        ({"lowpass_hz": 0}, "lowpass_hz is 0"),
        ({"smooth_ms": 1.0}, "a window with it"),
    ],
)
def test_senseless_options_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        ltp.measure(recording(clean([0.5])), **options)


def test_no_stimulus_and_no_voltage_are_refused():
    quiet = ltp.Recording.from_arrays(np.zeros((3, 600)), rate_hz=RATE_HZ)
    with pytest.raises(
        RecordingError, match="no stimulus was found; expected test pulses; read with stimulus_ms"
    ):
        ltp.measure(quiet)
    with pytest.raises(RecordingError, match="in pA; expected a voltage"):
        ltp.measure(recording(clean([0.5]), unit="pA"))
    with pytest.raises(RecordingError, match="no pathway S4"):
        ltp.propose_window(recording(clean([0.5])), pathway="S4")


# Hand marks


def test_marks_on_a_ramp_give_its_slope():
    """0 to 2 mV in 20 samples of 0.1 ms: amplitude 2, slope 1 mV/ms, line from sample 4 to 18 of it."""
    ramp = np.r_[np.zeros(5), np.linspace(0, 2, 21), np.full(5, 2.0)]
    table = ltp.measure_marks(ramp, start=5, peak=25, rate_hz=10_000)
    assert table.loc[0].tolist() == pytest.approx([2.0, 1.0, 9, 23])
    turned = ltp.measure_marks(-ramp, start=5, peak=25, rate_hz=10_000)
    assert turned["slope_mV_per_ms"][0] == pytest.approx(-1.0)


def test_marks_out_of_place():
    with pytest.raises(DataError, match="start before peak"):
        ltp.measure_marks(np.zeros((1, 9)), start=[5], peak=[5], rate_hz=1000)
    with pytest.raises(DataError, match="two percentages"):
        ltp.measure_marks(np.zeros((1, 9)), start=[5], peak=[7], rate_hz=1000, method="max")
    missing = ltp.measure_marks(np.ones((1, 9)), start=[np.nan], peak=[7], rate_hz=1000)
    assert missing[["amplitude_mV", "slope_mV_per_ms"]].isna().all(axis=None)


# Other programs on real recordings


def _real(name):
    folder = REAL / name
    if not folder.is_dir():
        pytest.skip(f"the real recordings of {name} are not here")
    return folder


def test_slopes_of_another_program_by_its_definition():
    """Savitzky-Golay of 21 samples, steepest sample 2.5 to 5 ms into the sweep, line through nine samples.

    The reference holds single precision: 1e-6 of the least slope.
    """
    folder = _real("evoked")
    for path in folder.glob("reference_*.csv"):
        sweeps = ltp.read(folder / f"{path.stem.removeprefix('reference_')}.abf")
        at_ms = float(sweeps.stimuli["time_ms"].median())
        table = ltp.measure(
            sweeps,
            average=3,
            window_ms=(2.5 - at_ms, 5.0 - at_ms),
            method="max",
            smooth_ms=1.05,
            line_ms=0.4,
            polarity=-1,
        )
        reference = pd.read_csv(path)["epsp_slope"]
        np.testing.assert_allclose(table["slope_mV_per_ms"], reference, rtol=1e-6)


def test_no_slope_collapses_on_real_input_output_curves():
    """A population spike makes plain 20-80 % slopes fall to 2 % of the maximum slope on some of these."""
    for path in sorted(_real("evoked").glob("*.abf")):
        table = ltp.measure(ltp.read(path), average=3)
        large = table["amplitude_mV"] > 0.25 * table["amplitude_mV"].max()
        ratio = (table["slope_mV_per_ms"] / table["max_slope_mV_per_ms"])[large]
        assert ratio.between(0.6, 1.4).all(), path.name
        assert large.sum() >= 6, path.name


def test_hand_marked_responses_of_another_program():
    from scipy.io import loadmat

    folder = _real("slutsky")
    marked = loadmat(folder / "ExampleData_fepsp_markings.mat")
    results = loadmat(folder / "ExampleData_fepsp_results.mat")["results"][0, 0]["all_traces"][0, 0]
    marks, n = marked["markings"][0, 0], 0
    for where in np.ndindex(marked["traces"].shape):
        table = ltp.measure_marks(
            marked["traces"][where].T,
            start=marks["starts"][where].ravel().astype(float) - 1,
            peak=marks["peaks"][where].ravel().astype(float) - 1,
            rate_hz=20_000,
        )
        np.testing.assert_allclose(table["amplitude_mV"], results["Amp"][where].ravel(), atol=1e-9)
        np.testing.assert_allclose(table["slope_mV_per_ms"], results["Slope"][where].ravel(), atol=1e-9)
        n += len(table)
    assert n == 78

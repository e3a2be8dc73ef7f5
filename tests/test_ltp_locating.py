"""Stimuli located: artefacts put into noise, alone and against a protocol, and in real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labkit.demo import abf
from labkit.ltp.recording import Recording, read

REAL = Path(__file__).resolve().parents[2] / "shared/real/ltp"
RATE = 20_000.0
ARTEFACT = np.array([2.0, -2.0, 0.6, -0.2])  # mV, point by point


def real(name: str) -> Path:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the real recording {name} is not beside this checkout")
    return path


def noise(n_sweeps: int, n_points: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.02, (n_sweeps, n_points))


def with_artefacts(sweeps: np.ndarray, *points: int, size: float = 1.0) -> np.ndarray:
    """Artefacts of which the first point is the first to differ."""
    for point in points:
        sweeps[..., point : point + 4] += size * ARTEFACT
    return sweeps


# ------------------------------------------------------------------ artefacts


def arrays(sweeps: np.ndarray, **options: object) -> Recording:
    return Recording.from_arrays(sweeps, rate_hz=RATE, **options)


def test_artefacts_without_a_protocol() -> None:
    recording = arrays(with_artefacts(noise(20, 2000), 400))
    assert recording.stimuli[["time_ms", "kind", "source"]].drop_duplicates().to_numpy().tolist() == [
        [20.0, "test", "artefact"]
    ]
    assert len(recording.stimuli) == 20
    assert "artefacts" in recording.warnings[0]


def test_nothing_in_noise() -> None:
    """Noise alone, coarse noise of whole numbers, and no noise at all."""
    for sweeps in (
        noise(20, 2000),
        np.round(noise(20, 2000) / 0.02) * 0.02,
        np.zeros((5, 100)),
        noise(1, 50_000),
    ):
        recording = arrays(sweeps)
        assert recording.stimuli.empty
        assert "no stimulus" in recording.warnings[0]


def test_a_response_is_no_artefact() -> None:
    """1 mV in 2 ms, without an artefact."""
    time_ms = np.arange(2000) / RATE * 1e3 - 20
    response = -np.exp(-(((time_ms - 4) / 1.5) ** 2))
    assert arrays(noise(20, 2000) + response).stimuli.empty


def test_edges_of_a_membrane_test_are_no_artefacts() -> None:
    """A step of 5 mV and back, each edge with a transient; the stimulus follows."""
    sweeps = noise(20, 4000)
    sweeps[:, 500:1500] += 5
    for edge, sign in ((500, 1), (1500, -1)):
        sweeps[:, edge : edge + 100] += sign * 5 * np.exp(-np.arange(100) / 15)
    assert arrays(sweeps).stimuli.empty
    found = arrays(with_artefacts(sweeps, 2500, size=1.5)).stimuli
    assert found["time_ms"].unique().tolist() == [125.0]


def test_a_train_among_test_pulses() -> None:
    sweeps = with_artefacts(noise(20, 24_000), 400)
    with_artefacts(sweeps[10], *range(600, 600 + 99 * 200, 200))
    found = arrays(sweeps).stimuli
    assert found.loc[found["sweep"] == 10, ["time_ms", "pulses", "kind"]].to_numpy().tolist() == [
        [20.0, 100, "HFS"]
    ]
    assert (found.loc[found["sweep"] != 10, "kind"] == "test").all()
    assert arrays(sweeps, start_s=15.0 * np.arange(20)).induction_s == 150.02


def test_continuous_recording() -> None:
    """Ten minutes at 1 kHz with a stimulus every 30 s."""
    trace = with_artefacts(noise(1, 600_000), *range(5000, 600_000, 30_000))
    found = Recording.from_arrays(trace, rate_hz=1000).stimuli
    assert found["time_ms"].tolist() == [float(t) for t in range(5000, 600_000, 30_000)]
    assert (found["kind"] == "test").all()


def test_spikes_at_irregular_times_are_not_stimuli() -> None:
    points = np.cumsum(np.random.default_rng(5).exponential(8000, 60).astype(int) + 100)
    recording = arrays(with_artefacts(noise(1, 600_000), *points[points < 590_000]))
    assert recording.stimuli.empty
    assert "irregular" in recording.warnings[0]


# ------------------------------------------------------------------ protocol and recording together


def file(path: Path, sweeps: np.ndarray, *, at: int = 400, **options: object) -> Recording:
    epochs = abf.stimulus(sweeps.shape[-1], at, **options)
    return read(abf.write_abf2(path, sweeps, rate_hz=RATE, epochs=epochs))


@pytest.mark.parametrize("late", [-4, 0, 3, 20])
def test_the_artefact_sets_the_time(tmp_path: Path, late: int) -> None:
    """Within -0.2 and 1 ms of the programmed time, which is 20 ms."""
    recording = file(tmp_path / "a.abf", with_artefacts(noise(20, 2000), 400 + late))
    np.testing.assert_allclose(recording.stimuli["time_ms"], 20 + late / 20, rtol=1e-12)
    assert (recording.stimuli["source"] == "digital").all()
    assert any("programmed" in text for text in recording.warnings) == (late != 0)


def test_an_artefact_elsewhere_is_told(tmp_path: Path) -> None:
    recording = file(tmp_path / "a.abf", with_artefacts(noise(20, 2000), 600))
    assert recording.stimuli["time_ms"].unique().tolist() == [20.0]
    assert "30.00 ms; if that is the stimulus" in " ".join(recording.warnings)


def test_without_artefact_the_protocol_stands(tmp_path: Path) -> None:
    recording = file(tmp_path / "a.abf", noise(20, 2000))
    assert recording.stimuli["time_ms"].unique().tolist() == [20.0]
    assert all("responses of about" in text for text in recording.warnings)


@pytest.mark.parametrize("period", [200, 1000])
def test_a_pulse_that_starts_a_train(tmp_path: Path, period: int) -> None:
    sweeps = with_artefacts(noise(20, 24_000), *range(402, 402 + 10 * period, period))
    found = file(tmp_path / "a.abf", sweeps).stimuli
    assert found[["time_ms", "pulses", "source"]].drop_duplicates().to_numpy().tolist() == [
        [20.1, 10, "artefact"]
    ]


def test_a_population_spike_is_no_second_pulse(tmp_path: Path) -> None:
    """As large as the artefact, 5 ms after it, one point wide."""
    sweeps = with_artefacts(noise(20, 2000), 400, 500)
    assert file(tmp_path / "a.abf", sweeps).stimuli["pulses"].unique().tolist() == [1]


def test_lines_in_turn_within_a_sweep_are_told(tmp_path: Path) -> None:
    epochs = (abf.Epoch(369), abf.Epoch(2, digital=1), abf.Epoch(800), abf.Epoch(2, digital=2))
    path = abf.write_abf2(tmp_path / "a.abf", noise(4, 2000), rate_hz=RATE, epochs=epochs)
    assert "in turn within one sweep" in " ".join(read(path).warnings)


def test_trains_on_a_digital_output(tmp_path: Path) -> None:
    found = file(tmp_path / "a.abf", noise(3, 24_000), pulses=100, period=200, width=2).stimuli
    assert (
        found[["time_ms", "pulses", "interval_ms", "kind"]].to_numpy().tolist()
        == [[20.0, 100, 10.0, "HFS"]] * 3
    )


# ------------------------------------------------------------------ real recordings


def test_evoked_files() -> None:
    """The waveform starts at point 7 and the artefact at point 9, in each of them."""
    for path in sorted(real("evoked").glob("*.abf")):
        recording = read(path)
        found = recording.stimuli
        assert len(found) == recording.n_sweeps == 33
        assert found[["time_ms", "pulses", "kind", "source"]].drop_duplicates().to_numpy().tolist() == [
            [0.45, 1, "test", "DAC"]
        ]
        assert "+0.10 ms" in recording.warnings[0]


@pytest.mark.parametrize(
    ("name", "channel", "row"),
    [
        # one trigger at 164 ms, and five artefacts at 50 Hz
        ("f1.abf", "CH1", [164.2, 5, "train", "artefact"]),
        # the same when the channel shows no artefact and another one does
        ("f1.abf", None, [164.2, 5, "train", "artefact"]),
        # a light pulse that leaves no artefact, after a membrane test that leaves two
        ("17o05026_vc_stim.abf", None, [1156.25, 1, "test", "digital"]),
        ("opto_aps_good_units.abf", None, [5312.5, 50, "train", "digital"]),
        # the output with 15 pulses is off; the one that is on gives 20, and the cell fires 20 times
        ("18425108.abf", "10_Vm", [1000.04, 20, "HFS", "DAC"]),
        ("18425108_abf1.abf", "10_Vm", [1000.04, 20, "HFS", "DAC"]),
        # a stimulator that takes 1.4 ms
        ("File_axon_3.abf", "VmRK", [17.5, 1, "test", "digital"]),
        ("05210017_vc_abf1.abf", None, [602.85, 1, "test", "digital"]),
    ],
)
def test_real_stimuli(name: str, channel: str | None, row: list[object]) -> None:
    recording = read(real(f"pyabf/{name}"), channel=channel)
    found = recording.stimuli
    assert found["sweep"].tolist() == list(range(recording.n_sweeps))
    assert found[["time_ms", "pulses", "kind", "source"]].drop_duplicates().to_numpy().tolist() == [row]


@pytest.mark.parametrize(
    "name",
    [
        "2018_11_16_sh_0006.abf",
        "multichannelAbf1WithTags.abf",
        "16d22006_kim_gapfree.abf",
        "File_axon_2.abf",
        "2020_07_29_0062.abf",
        "user-list-durations.abf",
        "171116sh_0020_saved.abf",
    ],
)
def test_real_recordings_without_stimulus(name: str) -> None:
    """Membrane tests, ramps, spontaneous spikes and gap-free recordings."""
    recording = read(real(f"pyabf/{name}"))
    assert recording.stimuli.empty
    assert any("stimulus_ms" in text for text in recording.warnings)

"""Stimuli: from waveform tables worked out by hand, from artefacts put into noise, and in real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.demo import abf
from labkit.errors import RecordingError
from labkit.ltp import stimuli
from labkit.ltp.abf_header import Digital, Epoch, Protocol
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


def step(number: int, points: int, *, level: float = 0.0, **more: float) -> Epoch:
    whole = {"dac": 0, "kind": 1, "level_step": 0.0, "points_step": 0, "period": 0, "width": 0} | more
    return Epoch(number=number, points=points, level=level, **whole)


# ------------------------------------------------------------------ kinds


@pytest.mark.parametrize(
    ("times", "kind", "interval"),
    [
        ([50.0], "test", np.nan),
        ([50.0, 100.0], "pair", 50.0),
        (50 + 10.0 * np.arange(100), "HFS", 10.0),
        (50 + 5.0 * np.arange(20), "HFS", 5.0),
        (np.add.outer(200.0 * np.arange(10), 10.0 * np.arange(4)).ravel(), "TBS", 10.0),
        (np.add.outer(200.0 * np.arange(5), 10.0 * np.arange(5)).ravel(), "TBS", 10.0),
        (1000.0 * np.arange(900), "LFS", 1000.0),
        (50 + 20.0 * np.arange(5), "train", 20.0),
        (50 + 100.0 * np.arange(50), "train", 100.0),
        (50 + 10.0 * np.arange(9), "train", 10.0),
    ],
)
def test_kind_of_one_sweep(times: list[float], kind: str, interval: float) -> None:
    table = stimuli.table(np.full(len(times), 3), times, "given")
    assert table[["sweep", "kind", "pulses"]].to_numpy().tolist() == [[3, kind, len(times)]]
    np.testing.assert_allclose(table["interval_ms"], [interval])
    assert table["time_ms"].tolist() == [times[0]]


def test_what_is_apart_is_apart() -> None:
    """Pulses a second apart are tests unless there are 100; trains 20 s apart are trains of their own."""
    assert stimuli.table(np.zeros(99), 1000.0 * np.arange(99), "given")["kind"].unique().tolist() == ["test"]
    trains = np.add.outer(20_000.0 * np.arange(3), 10.0 * np.arange(100)).ravel()
    table = stimuli.table(np.zeros(300), trains, "given")
    assert table[["time_ms", "pulses", "kind"]].to_numpy().tolist() == [
        [0.0, 100, "HFS"],
        [20_000.0, 100, "HFS"],
        [40_000.0, 100, "HFS"],
    ]
    assert stimuli.table([0, 0, 1, 1], [5.0, 55.0, 5.0, 605.0], "given")["kind"].tolist() == [
        "pair",
        "test",
        "test",
    ]


def test_low_frequency_pairs_count_all_pulses() -> None:
    pairs = np.add.outer(1000.0 * np.arange(100), [0.0, 50.0]).ravel()
    table = stimuli.table(np.zeros(200), pairs, "given")
    assert table[["pulses", "interval_ms", "kind"]].to_numpy().tolist() == [[200, 1000.0, "LFS"]]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4000)), min_size=1, max_size=60, unique=True),
    st.randoms(),
)
@settings(deadline=None)
def test_pulses_are_neither_lost_nor_made(pulses: list[tuple[int, int]], random: object) -> None:
    """Whatever the grouping: every pulse counts once, the order of the input does not matter."""
    shuffled = random.sample(pulses, len(pulses))
    table = stimuli.table(*zip(*shuffled, strict=True), "given")
    assert table["pulses"].sum() == len(pulses)
    assert table.equals(stimuli.table(*zip(*sorted(pulses), strict=True), "given"))
    assert table["time_ms"].isin([time for _, time in pulses]).all()


def test_times_given_by_hand() -> None:
    table = stimuli.given([10.0, 60.0], np.array([100.0, 50.0]))
    assert table[["sweep", "time_ms", "kind"]].to_numpy().tolist() == [[0, 10.0, "pair"], [1, 10.0, "test"]]
    for wrong in (-1.0, 100.0, np.nan, []):
        with pytest.raises(RecordingError, match="times from 0 to 100 ms"):
            stimuli.given(wrong, np.array([100.0, 50.0]))


def test_table_made_by_hand() -> None:
    table = stimuli.complete(stimuli.empty().assign()[["sweep", "time_ms"]], n_sweeps=2)
    assert table.empty
    assert list(table) == list(stimuli.empty())
    with pytest.raises(RecordingError, match="no column time_ms"):
        stimuli.complete(stimuli.empty()[["sweep"]], n_sweeps=2)
    one = stimuli.given(5.0, np.array([100.0, 100.0, 100.0]))
    with pytest.raises(RecordingError, match="sweep 2"):
        stimuli.complete(one, n_sweeps=2)


# ------------------------------------------------------------------ programmed


def test_durations_and_levels_that_change() -> None:
    """Sweeps of 640 points: the first epoch starts at point 10; it lengthens by 5 points a sweep."""
    epochs = (step(0, 100, points_step=5), step(1, 2, level=5.0, level_step=-5.0), step(2, 50))
    found = stimuli.programmed(Protocol(epochs, dacs={0: 0.0}), np.full(3, 640), RATE).dac
    # In sweep 1 the pulse has the level of rest: there is none.
    assert found.sweep.tolist() == [0, 2]
    assert found.point.tolist() == [110, 120]


def test_pulse_trains_of_an_analogue_output() -> None:
    epochs = (step(0, 90), step(1, 350, level=5.0, kind=3, period=100, width=2))
    found = stimuli.programmed(Protocol(epochs, dacs={0: 0.0}), np.full(2, 640), RATE).dac
    assert found.point.tolist() == [100, 200, 300] * 2


def test_an_output_that_is_off_gives_no_pulse() -> None:
    epochs = (step(0, 90), step(1, 2, level=5.0))
    assert not len(stimuli.programmed(Protocol(epochs), np.full(2, 640), RATE).dac.point)


def test_commands_to_a_cell_are_no_pulses() -> None:
    """A membrane test (long), and a short step on the way to another level."""
    epochs = (
        step(0, 100, level=-70.0),
        step(1, 20, level=-75.0),
        step(2, 200, level=-80.0),
        step(3, 50, level=-70.0),
    )
    found = stimuli.programmed(Protocol(epochs, dacs={0: -70.0}), np.full(1, 640), RATE)
    assert not len(found.dac.point)


def test_digital_bits_in_turn() -> None:
    """Bit 0 on even and bit 1 on odd sweeps, as Clampex alternates them; a bit that stays high rises once."""
    digital = {1: Digital(1, 0, 2, 0), 2: Digital(1, 0, 2, 0), 3: Digital(0, 0, 0, 0), 4: Digital(1, 0, 2, 0)}
    epochs = (step(0, 90), step(1, 10), step(2, 10), step(3, 80), step(4, 10))
    protocol = Protocol(epochs, digital=digital, alternate_digital=True)
    found = stimuli.programmed(protocol, np.full(2, 640), RATE)
    assert found.digital.point.tolist() == [100, 200] * 2
    assert found.digital.line.tolist() == [1, 1, 2, 2]
    same = stimuli.programmed(Protocol(epochs, digital=digital), np.full(2, 640), RATE)
    assert same.digital.line.tolist() == [1, 1, 1, 1]


def test_digital_trains() -> None:
    epochs = (step(0, 90), step(1, 200, period=50, width=2))
    protocol = Protocol(epochs, digital={1: Digital(0, 4, 0, 8)}, alternate_digital=True)
    found = stimuli.programmed(protocol, np.full(2, 640), RATE).digital
    assert found.point.tolist() == [100, 150, 200, 250] * 2
    assert found.line.tolist() == [4] * 4 + [8] * 4


def test_analogue_outputs_in_turn() -> None:
    """The first output serves even sweeps, the second odd ones."""
    epochs = tuple(step(n, p, level=v, dac=dac) for dac in (0, 1) for n, p, v in [(0, 90, 0.0), (1, 2, 5.0)])
    protocol = Protocol(epochs, dacs={0: 0.0, 1: 0.0}, alternate_dac=True)
    found = stimuli.programmed(protocol, np.full(4, 640), RATE)
    assert found.dac.line.tolist() == [1, 2, 1, 2]
    assert stimuli.name_pathways([found.lines(4)])[0].tolist() == ["S0", "S1", "S0", "S1"]


def test_a_user_list_is_not_guessed() -> None:
    epochs = (step(0, 90), step(1, 2, level=5.0))
    found = stimuli.programmed(Protocol(epochs, dacs={0: 0.0}, user_list=True), np.full(2, 640), RATE)
    assert not len(found.dac.point)
    assert "user list" in found.warnings[0]


# ------------------------------------------------------------------ pathways


@pytest.mark.parametrize(
    ("digital", "names"),
    [
        ([1, 1, 1], ["S0", "S0", "S0"]),
        ([2, 2, 2], ["S0", "S0", "S0"]),
        ([0, 0, 0], ["S0", "S0", "S0"]),
        ([2, 1, 2], ["S1", "S0", "S1"]),
        ([9, 10, 9], ["S0", "S1", "S0"]),  # bit 3 in all sweeps tells nothing
    ],
)
def test_pathway_names(digital: list[int], names: list[str]) -> None:
    found, warnings = stimuli.name_pathways([np.array([digital, [0] * len(digital)])])
    assert found.tolist() == names
    assert warnings == []


def test_one_line_is_one_pathway_in_all_files() -> None:
    baseline, induction = np.array([[1, 2, 1, 2], [0] * 4]), np.array([[2, 2], [0, 0]])
    assert stimuli.name_pathways([baseline, induction])[0].tolist() == ["S0", "S1", "S0", "S1", "S1", "S1"]


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

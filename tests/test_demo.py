"""The demo study: written the same each time, true to its stated truth, and in the shape of a real study."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyabf
import pytest

from labkit import demo, ltp, picks
from labkit.demo import ltp as simulated
from labkit.errors import LabkitError
from labkit.study import check, open_study

COMMITTED = Path(__file__).parents[1] / "data" / "demo"
ANIMALS, SLICES = simulated.design()
# What the person of the demo study does beside confirming.
MOVED_MS = {"M09-2": 0.1, "M15-3": -0.1}
EXCLUDED = "M01-2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return demo.write(tmp_path_factory.mktemp("demo") / "study")


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return pd.read_csv(
        COMMITTED / "truth" / "truth.csv", dtype={"slice": str}, keep_default_na=False, na_values=""
    )


@pytest.fixture(scope="module")
def recordings() -> pd.DataFrame:
    return open_study(COMMITTED).recordings.set_index("recording")


def own_files(path: Path) -> list[str]:
    """Files of the simulation, without picks and results that may stand beside them."""
    found = [p for p in path.rglob("*") if p.is_file() and p.suffix in (".abf", ".csv", ".toml", ".md")]
    return sorted(str(p.relative_to(path)) for p in found if "results" not in p.parts)


def counts(path: Path) -> tuple[bytes, np.ndarray, bytes]:
    """Header, samples and what follows them, of either version of the format."""
    data = path.read_bytes()
    if data[:4] == b"ABF2":
        block, _, n_samples = struct.unpack_from("<IIq", data, 236)
    else:
        (block,), (n_samples,) = struct.unpack_from("<i", data, 40), struct.unpack_from("<i", data, 10)
    end = block * 512 + 2 * n_samples
    return data[: block * 512], np.frombuffer(data[block * 512 : end], "<i2"), data[end:]


def test_the_committed_study_is_what_is_written(folder):
    """Samples may differ by one count, where another processor rounds a sum the other way."""
    assert own_files(folder) == own_files(COMMITTED)
    for name in own_files(folder):
        if not name.endswith(".abf"):
            assert (folder / name).read_bytes() == (COMMITTED / name).read_bytes(), name
            continue
        (head, samples, tail), (head_0, samples_0, tail_0) = counts(folder / name), counts(COMMITTED / name)
        assert (head, tail) == (head_0, tail_0), name
        assert np.abs(samples.astype(int) - samples_0).max() <= 1, name


@pytest.mark.parametrize("index", [0, 4, 17])
def test_one_slice_alone_is_the_same(folder, tmp_path, index):
    for path in simulated.write_slice(SLICES[index], tmp_path):
        assert path.read_bytes() == (folder / "ltp" / path.name).read_bytes()


def test_another_seed_is_another_study():
    _, others = simulated.design(seed=simulated.SEED + 1)
    assert [s.plateau_percent for s in others] != [s.plateau_percent for s in SLICES]
    assert simulated.true_values(others[0]) != simulated.true_values(SLICES[0])


def test_the_study_is_in_order():
    assert check(COMMITTED) == []
    study = open_study(COMMITTED)
    assert study.groups[0].name == study.control == "vehicle"
    assert [group.dose for group in study.groups] == [0, 10, 30]
    assert study.blind


def test_the_design():
    """Seven animals a group, one of each group in a cage of one sex, one to three slices each."""
    cages = ANIMALS.groupby("cage")
    assert cages["group"].nunique().tolist() == [3] * 7
    assert cages["sex"].nunique().tolist() == [1] * 7
    assert ANIMALS["group"].value_counts().tolist() == [7, 7, 7]
    assert set(ANIMALS["sex"]) == {"F", "M"}
    per_animal = pd.Series([s.animal for s in SLICES]).value_counts()
    assert (len(per_animal), per_animal.min(), per_animal.max()) == (21, 1, 3)
    # One animal a day: no rig records two slices at once, and time runs on.
    starts = pd.Series([s.recorded_at for s in SLICES])
    assert (starts.diff().dropna() > pd.Timedelta(minutes=90)).all()


def test_the_variety_of_the_recordings():
    abf1 = [s for s in SLICES if s.rig == "B"]
    assert len(abf1) >= len(SLICES) / 4
    assert any(s.control for s in abf1)
    assert {s.layout for s in SLICES} == {"tag", "three files", "sheet"}
    assert {s.planted for s in SLICES} == {"", *simulated.PLANTED}
    assert {s.test for s in SLICES} == {"S0", "S1"}
    assert any(not s.control for s in SLICES)
    assert any(s.population_spike for s in SLICES)


def test_nothing_before_notebook_04_gives_the_group_away():
    sheet = (COMMITTED / "recordings.csv").read_text().lower()
    names = " ".join(own_files(COMMITTED / "ltp"))
    for word in ("vehicle", "levo", "mg/kg"):
        assert word not in sheet + names
        assert not any(word.encode() in counts(p)[0].lower() for p in (COMMITTED / "ltp").glob("*.abf"))


def test_the_study_is_small_enough_to_commit():
    files = [COMMITTED / name for name in own_files(COMMITTED)]
    assert sum(file.stat().st_size for file in files) < 15e6


def test_the_truth_is_that_of_the_design(truth):
    groups = pd.read_csv(COMMITTED / "truth" / "groups.csv").set_index("group")
    test = truth[truth["role"] == "test"]
    assert len(test) == len(SLICES)
    assert set(truth.loc[truth["role"] == "control", "recording"]) == {
        s.recording for s in SLICES if s.control
    }
    ratio = 100 * truth["post_slope_mV_per_ms"] / truth["baseline_slope_mV_per_ms"]
    np.testing.assert_allclose(truth["potentiation_percent"], ratio, rtol=1e-4)  # six decimals in the file
    means = test.groupby(["group", "animal"])["potentiation_percent"].mean().groupby("group").mean()
    for name, _, _, stated in simulated.GROUPS:
        assert groups.loc[name, "stated_mean_percent"] == stated
        assert abs(groups.loc[name, "drawn_mean_percent"] - means[name]) < 1e-5
        # Three standard errors of a mean of 7 animals with 2 slices each.
        spread = np.hypot(simulated.ANIMAL_SD, simulated.SLICE_SD / np.sqrt(2))
        assert abs(means[name] - stated) < 3 * spread / np.sqrt(7)
    # A mean of 20 responses with a CV of 4 % over another has an SE of 1.3 %. What is left of short-term
    # potentiation after 55 minutes, 0.15 exp(-55 / 12), is below 0.3 %.
    sound = test[~test["planted"].isin(["baseline drift", "volley change"])]
    error = sound["potentiation_percent"] / sound["plateau_percent"] - 1
    assert error.abs().max() < 4 * 0.013
    assert abs(error.mean()) < 0.003 + 3 * 0.013 / np.sqrt(len(sound))


def test_what_is_planted_stands_in_the_truth(truth):
    test = truth[truth["role"] == "test"].set_index("recording")
    drifting, changing = test["planted"] == "baseline drift", test["planted"] == "volley change"
    assert (test.loc[drifting, "baseline_drift_percent"] < -12).all()
    assert (test.loc[~drifting, "baseline_drift_percent"].abs() < 1e-6).all()
    np.testing.assert_allclose(test.loc[changing, "volley_change_percent"], -28)
    assert (test.loc[~changing, "volley_change_percent"].abs() < 1e-6).all()


def test_a_recording_holds_the_response_it_was_made_from(truth):
    """By hand with pyABF: the mean fEPSP of the two periods, well after artefact and volley."""
    item = next(
        s for s in SLICES if not s.control and s.rig == "A" and s.layout == "tag" and not s.population_spike
    )
    abf = pyabf.ABF(COMMITTED / "ltp" / simulated.file_names(item)[0])
    sweeps = abf.data[0].reshape(abf.sweepCount, abf.sweepPointCount).astype(float)
    sweeps -= sweeps[:, :90].mean(axis=1, keepdims=True)
    # Every 30 s; the first sweep after 20 min comes 30 s after the induction at 1245 s.
    minutes = np.r_[np.arange(40) * 0.5 - 20.75, 0.5 + np.arange(120) * 0.5]
    late = (
        np.arange(sweeps.shape[1]) > 300
    )  # 10 ms after the stimulus and later: nothing but the fEPSP's decay
    before = sweeps[(minutes >= -10) & (minutes < 0)].mean(axis=0)[late]
    after = sweeps[(minutes >= 50) & (minutes <= 60)].mean(axis=0)[late]
    expected = truth.set_index("recording").loc[item.recording, "potentiation_percent"]
    # The fEPSP comes up to 0.25 ms later at the end, on a decay of 7 ms or more: up to 3.6 %.
    assert abs(100 * (before @ after) / (before @ before) / expected - 1) < 0.036


@pytest.fixture(scope="module")
def measured(recordings, truth) -> pd.DataFrame:
    """What labkit reads and measures with its defaults, beside the truth: one row for each pathway."""
    rows = []
    for name, row in recordings.iterrows():
        recording = ltp.read(row["files"], channel=row["channel"], unit=row["unit"])
        induction_s = row["induction_s"] if np.isfinite(row["induction_s"]) else recording.induction_s
        summary = ltp.plasticity(ltp.measure(recording), induction_s=induction_s).summary
        rows.append(summary.assign(recording=name))
    keys = ["recording", "pathway"]
    table = pd.concat(rows).merge(truth, on=keys, suffixes=("", "_true"), how="outer", validate="one_to_one")
    table["error"] = table["potentiation_percent"] - table["potentiation_percent_true"]
    shown = table[[*keys, "potentiation_percent_true", "potentiation_percent", "error", "flags", "planted"]]
    print(shown.round(2).to_string(index=False))
    print(f"bias {table['error'].mean():.2f}, SD {table['error'].std():.2f} % of baseline")
    return table


def test_potentiation_is_measured(measured):
    """At a signal-to-noise ratio of 40 the slope of one response is measured to 5 %, so that of two means
    of 20 to 1.6 %; four of these. A glitch in one of 20 responses can add more."""
    sound = measured[measured["planted"] != "glitches"]
    assert not measured["error"].isna().any()
    assert (sound["error"].abs() < 0.06 * sound["potentiation_percent_true"]).all()
    # The mean of 60 such errors (0.2), and what changing latency and spikes do to a slope.
    assert abs(sound["error"].mean()) < 1
    assert measured["error"].abs().max() < 15


def test_animals_are_measured(measured):
    """As above; averaging slices only helps, and a glitch spoils at most one slice of two."""
    test = measured[measured["role"] == "test"]
    means = test.groupby("animal")[["potentiation_percent", "potentiation_percent_true"]].mean()
    error = means["potentiation_percent"] - means["potentiation_percent_true"]
    assert (error.abs() < 0.06 * means["potentiation_percent_true"]).all()
    groups = test.groupby("group")[["potentiation_percent", "potentiation_percent_true"]].mean()
    assert (groups["potentiation_percent"] - groups["potentiation_percent_true"]).abs().max() < 2


def test_planted_mistakes_are_flagged(measured):
    test = measured[measured["role"] == "test"].set_index("recording")
    drifting, changing = test["planted"] == "baseline drift", test["planted"] == "volley change"
    assert test.loc[drifting, "flags"].str.contains("drift").all()
    assert test.loc[changing, "flags"].str.contains("volley").all()
    assert not test.loc[~drifting, "flags"].str.contains("drift").any()
    assert not test.loc[~changing, "flags"].str.contains("volley").any()


def picks_of(files: tuple[Path, ...]) -> dict[str, picks.Pick]:
    """What is stored for one slice, checked against the bytes of its files."""
    return {name: picks.get(files, name, strict=True) for name in picks.load(files).picks}


def test_every_pathway_has_a_window_that_the_demo_confirmed(recordings):
    for name, row in recordings.iterrows():
        found = picks_of(row["files"])
        paths = [row["test_pathway"], *filter(None, [row["control_pathway"]])]
        wanted = {f"window_ms {path}" for path in paths} | ({"exclude"} if name == EXCLUDED else set())
        assert set(found) == wanted, name
        assert {(pick.by, pick.blind) for pick in found.values()} == {("demo", True)}, name
        windows = [pick for pick in found.values() if pick.name != "exclude"]
        assert {(pick.kind, pick.unit) for pick in windows} == {("window", "ms")}, name
        assert {pick.origin for pick in windows} == {"changed" if name in MOVED_MS else "confirmed"}, name
    excluded = picks_of(recordings.loc[EXCLUDED, "files"])["exclude"]
    assert (excluded.kind, excluded.origin) == ("exclusion", "changed")
    assert "drifts" in excluded.value
    assert SLICES[[s.recording for s in SLICES].index(EXCLUDED)].planted == "baseline drift"


@pytest.mark.parametrize("name", ["M02-1", *MOVED_MS])
def test_a_window_is_the_proposal_or_that_moved(recordings, name):
    row = recordings.loc[name]
    proposed = ltp.propose_window(ltp.read(row["files"], channel=row["channel"], unit=row["unit"]))
    found = picks_of(row["files"])
    for path, window in proposed.items():
        # Half of the smaller move.
        expected = np.add(window, MOVED_MS.get(name, 0.0))
        np.testing.assert_allclose(found[f"window_ms {path}"].value, expected, rtol=0, atol=0.05)


def test_the_committed_picks_are_what_is_proposed_today(folder, recordings):
    """The picks of `folder` were made a moment ago: a proposal that drifts is seen here."""
    for files in recordings["files"]:
        written = picks_of(tuple(folder / "ltp" / path.name for path in files))
        committed = picks_of(files)
        assert written.keys() == committed.keys()
        for name, pick in committed.items():
            other = written[name]
            told = ("kind", "unit", "origin", "by", "at", "blind", "note")
            assert [getattr(other, key) for key in told] == [getattr(pick, key) for key in told]
            if pick.kind == "window":
                # One sample of 20 kHz: a drift that matters is greater, another processor's rounding smaller.
                np.testing.assert_allclose(other.value, pick.value, rtol=0, atol=0.05)
            else:
                assert other.value == pick.value


def test_a_study_of_the_same_seed_is_written_again(folder):
    """What a person picked stays as it is; recordings without picks get those of the demo."""
    (folder / "study.toml").write_text((folder / "study.toml").read_text().replace("0.05", "0.01"))
    slices = open_study(folder).recordings["files"]
    mine, gone = picks.sidecar_path(slices.iloc[0]), picks.sidecar_path(slices.iloc[1])
    as_written = {path: path.read_bytes() for path in (mine, gone)}
    picks.save(
        slices.iloc[0], "window_ms S0", [1.0, 9.0], kind="window", unit="ms", by="ana", origin="changed"
    )
    by_ana = mine.read_bytes()
    gone.unlink()
    assert demo.write(folder) == folder
    assert (folder / "study.toml").read_bytes() == (COMMITTED / "study.toml").read_bytes()
    assert mine.read_bytes() == by_ana
    assert gone.read_bytes() == as_written[gone]
    mine.write_bytes(as_written[mine])


def test_another_folder_is_left_alone(tmp_path, folder):
    (tmp_path / "mine.txt").write_text("mine")
    for target, seed in [(tmp_path, simulated.SEED), (folder, simulated.SEED + 1)]:
        with pytest.raises(LabkitError, match="the folder is not empty"):
            demo.write(target, seed=seed)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(LabkitError, match="this is a file"):
        demo.write(tmp_path / "mine.txt")
    with pytest.raises(LabkitError, match="cannot be written"):
        demo.write(tmp_path / "mine.txt" / "demo")

"""Results joined with the treatment: what each endpoint is compared by, for any mix of methods."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labkit import endpoints, results, stats
from labkit.errors import DataError, ResultError
from labkit.study import open_study

DEMO = Path(__file__).parents[1] / "data" / "demo"
GROUPS = ("vehicle", "drug")


@pytest.fixture
def demo():
    """The demo study, once its notebooks have written results, as they do in a whole run of the tests."""
    if not (DEMO / "results" / "blot_ratios.csv").is_file():
        pytest.skip("the notebooks have not been run on the demo study")
    return DEMO


@pytest.fixture
def make(tmp_path):
    """A study with the methods asked for, and results as notebooks write them."""

    def make_study(*methods, membranes=("M1", "M2"), omnibus="anova"):
        for name in ("ltp", "blots"):
            (tmp_path / name).mkdir()
        groups = "".join(f'[[groups]]\nname = "{name}"\n' for name in GROUPS)
        (tmp_path / "study.toml").write_text(
            f'title = "Mine"\n{groups}[blots]\nloading = "GAPDH"\n[statistics]\nomnibus = "{omnibus}"\n'
        )
        animals = [f"a{i}" for i in range(8)]
        rows = "".join(f"{a},{GROUPS[i % 2]}\n" for i, a in enumerate(animals))
        (tmp_path / "animals.csv").write_text("animal,group\n" + rows)
        noise = np.random.default_rng(3)
        if "recordings" in methods:
            (tmp_path / "ltp" / "a.abf").touch()
            (tmp_path / "recordings.csv").write_text("files,animal,slice\nltp/a.abf,a0,1\n")
            table = pd.DataFrame({"code": animals, "animal": animals, "slice": "1", "pathway": "S0"})
            table = table.assign(role="test", flags="", excluded="")
            for name in endpoints.TABLES[1][1]:
                table[name] = 100 + noise.normal(size=8)
            results.write(tmp_path / "results" / "ltp.csv", table)
            results.write(tmp_path / "results" / "ltp_time_course.csv", table[["code", "animal", "pathway"]])
        if "blots" in methods:
            (tmp_path / "blots" / "a.tif").touch()
            blots = "".join(f"blots/a.tif,{m},{t}\n" for m in membranes for t in ("PSD-95", "GAPDH"))
            (tmp_path / "blots.csv").write_text("file,membrane,target\n" + blots)
            each = 8 // len(membranes)
            at = [
                (m, lane + 1, animals[each * k + lane])
                for k, m in enumerate(membranes)
                for lane in range(each)
            ]
            lanes = "".join(f"{m},{lane},{a}\n" for m, lane, a in at)
            (tmp_path / "lanes.csv").write_text("membrane,lane,animal\n" + lanes)
            bands = pd.DataFrame(at, columns=["membrane", "lane", "animal"]).assign(role="sample", flags="")
            bands = pd.concat([bands.assign(target=t) for t in ("PSD-95", "GAPDH")]).assign(excluded="")
            bands["volume"] = np.exp(noise.normal(10, 0.1, len(bands)))
            results.write(tmp_path / "results" / "blots.csv", bands)
            from labkit.blots import ratios

            results.write(tmp_path / "results" / "blot_ratios.csv", ratios(bands, loading="GAPDH"))
        return open_study(tmp_path)

    return make_study


def test_a_study_with_blots_alone_has_table_2_alone(make):
    found = endpoints.load(make("blots"))
    assert found.tables() == {2: "Synaptic proteins"}
    compared = found.compare()
    assert list(compared) == ["PSD-95"]
    one = compared["PSD-95"]
    assert (one.block, one.scale) == ("membrane", "logged")
    # the same numbers by the parts that it is made of
    again = stats.compare(
        found.by_name["PSD-95"].rows,
        "PSD-95",
        group="group",
        block="membrane",
        scale="logged",
        control="vehicle",
    )
    assert one.omnibus.p == again.omnibus.p
    assert list(found.loading()) == ["GAPDH (loading control)"]
    assert found.primary == ()  # the planned endpoint was not measured


def test_a_study_with_recordings_alone_has_table_1_alone(make):
    found = endpoints.load(make("recordings"))
    assert found.tables() == {1: "Electrophysiology (LTP)"}
    assert list(found.compare()) == list(endpoints.TABLES[1][1])
    assert found.loading() == {}
    assert set(found.main(found.compare())) == {"potentiation_percent"}


def test_a_single_membrane_is_no_block(make):
    one = endpoints.load(make("blots", membranes=("M1",))).by_name["PSD-95"]
    assert one.block is None


def test_tests_that_know_no_block_give_way_where_membranes_are_blocks(make):
    found = endpoints.load(make("recordings", "blots", omnibus="kruskal"))
    asked = {name: one.question(found.study)["omnibus"] for name, one in found.by_name.items()}
    assert asked["potentiation_percent"] == "kruskal"
    assert asked["PSD-95"] == "anova"


def test_ratios_to_the_control_of_each_membrane_are_refused_and_the_rest_goes_on(make):
    found = endpoints.load(make("recordings", "blots"))
    one = found.by_name["PSD-95"]
    control = one.rows[one.rows["group"] == "vehicle"].groupby("membrane")["PSD-95"].mean()
    rows = one.rows.assign(**{"PSD-95": one.rows["PSD-95"] - one.rows["membrane"].map(control)})
    spoilt = replace(found, by_name=found.by_name | {"PSD-95": replace(one, rows=rows)})
    compared = spoilt.compare()
    assert isinstance(compared["PSD-95"], DataError)
    assert "on each of 2 membranes" in str(compared["PSD-95"])
    assert isinstance(compared["potentiation_percent"], stats.Comparison)
    assert list(spoilt.next_experiment(compared).index) == [
        "Baseline fEPSP slope",
        "Post-HFS fEPSP slope",
        "Potentiation",
    ]


def test_a_membrane_without_a_group_is_told(make):
    found = endpoints.load(make("blots"))
    assert found.balance()[["membrane", "vehicle", "drug"]].to_numpy().tolist() == [
        ["M1", 2, 2],
        ["M2", 2, 2],
    ]
    one = found.by_name["PSD-95"]
    rows = one.rows[(one.rows["membrane"] != "M2") | (one.rows["group"] != "vehicle")]
    fewer = replace(found, by_name={"PSD-95": replace(one, rows=rows)})
    assert "no vehicle" in fewer.balance().set_index("membrane").loc["M2", "flags"]
    assert isinstance(fewer.compare()["PSD-95"], stats.Comparison)  # within M1


def test_missing_results_name_the_notebook(make):
    study = make("blots")
    (study.results / "blot_ratios.csv").unlink()
    with pytest.raises(ResultError, match="run notebook 2 first"):
        endpoints.load(study)


def test_excluded_and_refused_rows_are_told_once(make):
    study = make("recordings", "blots")
    table = results.read(study.results / "ltp.csv")
    table.loc[0, "excluded"] = "died"
    results.write(study.results / "ltp.csv", table)
    ratios = results.read(study.results / "blot_ratios.csv")
    ratios.loc[1, ["log_ratio", "refused"]] = [np.nan, "GAPDH is saturated"]
    results.write(study.results / "blot_ratios.csv", ratios)
    found = endpoints.load(study)
    said = found.doubtful()
    assert said[["endpoint", "part", "excluded", "flags"]].to_numpy().tolist() == [
        ["Electrophysiology (LTP)", "slice 1", "died", ""],
        ["PSD-95", "membrane M1", "", "GAPDH is saturated"],
    ]
    numbers = found.numbers()
    assert numbers.loc["Potentiation", "excluded"].sum() == 1
    assert numbers.loc["PSD-95", "no value"].sum() == 1
    assert found.compare()["PSD-95"].omnibus.n == 7


def test_the_demo_finds_the_fold_changes_that_were_put_into_it(demo):
    """Drawn group means of 7 animals, within membranes; measuring adds 5 % a ratio, so 2 % to a group mean,
    and adjusting for unequal membranes about as much: 8 % is four standard errors."""
    found = endpoints.load(open_study(demo))
    truth = pd.read_csv(demo / "truth" / "blots_groups.csv").set_index(["endpoint", "group"])
    for name, one in found.table(2, found.compare()).items():
        means = one.groups["adjusted_mean"] - one.groups.loc[one.control, "adjusted_mean"]
        drawn = truth.loc[name, "drawn_mean_log_ratio"]
        assert np.abs(means - (drawn - drawn[one.control])).max() < 0.08, name


def test_a_study_without_recordings_keeps_its_blots(tmp_path, demo):
    folder = shutil.copytree(demo, tmp_path / "demo", ignore=shutil.ignore_patterns("ltp", "truth", "*.abf*"))
    (folder / "recordings.csv").unlink()
    found = endpoints.load(open_study(folder))
    assert 1 not in found.tables()
    assert found.titles["PSD-95"] == "PSD-95"
    assert not any(isinstance(one, DataError) for one in found.compare().values())

"""The sheets of blots and lanes: what is right opens blind, what is wrong is said at once."""

from __future__ import annotations

import pytest

from labkit.errors import StudyError
from labkit.study import check, open_study

TOML = 'title = "Blots"\n[[groups]]\nname = "vehicle"\n[[groups]]\nname = "drug 10"\n'
RECORDINGS = "files,animal,slice\nltp/c.abf,007,1\n"
BLOTS = "file,membrane,target,polarity\nltp/a.abf,M1,PSD-95,\nltp/b.abf,M1,GAPDH,Bright\n"
LANES = "membrane,lane,animal,replicate,role,ug\nM1,2,007,,,20\nM1,1,,,ladder,\nM1,3,m 2,2,sample,20\n"


@pytest.fixture
def make(tmp_path):
    def make_study(*, toml=TOML, blots=BLOTS, lanes=LANES, recordings=None):
        """A study folder; a sheet given as None is left out."""
        (tmp_path / "ltp").mkdir(exist_ok=True)
        for name in "abc":
            (tmp_path / "ltp" / f"{name}.abf").write_text(name)
        texts = {"blots.csv": blots, "lanes.csv": lanes, "recordings.csv": recordings, "study.toml": toml}
        texts["animals.csv"] = "animal,group\n007,drug 10\nm 2,vehicle\n"
        for name, text in texts.items():
            (tmp_path / name).unlink(missing_ok=True)
            if text is not None:
                (tmp_path / name).write_text(text)
        return tmp_path

    return make_study


def sentences(folder):
    return [str(problem) for problem in check(folder)]


def test_a_study_may_have_blots_alone(make):
    folder = make(toml=TOML + "[blinding]\nblind = false\n")
    assert check(folder) == []
    study = open_study(folder)
    assert study.recordings.empty
    assert study.blots.drop(columns="code").to_dict("list") == {
        "blot": ["M1 PSD-95", "M1 GAPDH"], "file": [folder / "ltp" / "a.abf", folder / "ltp" / "b.abf"],
        "membrane": ["M1", "M1"], "target": ["PSD-95", "GAPDH"], "polarity": [None, "bright"],
        "exposure": ["", ""], "note": ["", ""],
    }  # fmt: skip
    lanes = study.lanes
    assert lanes[["lane", "animal", "replicate", "role"]].to_numpy().tolist() == [
        [1, "", "1", "ladder"], [2, "007", "1", "sample"], [3, "m 2", "2", "sample"],
    ]  # fmt: skip
    assert study.summary().to_dict("records") == [{"membranes": 1, "blots": 2, "animals": 2, "files": 2}]
    assert study.blots["code"].str.fullmatch(r"B\d{3}").all()


def test_a_sheet_without_rows_is_a_method_that_the_study_does_not_have(make):
    folder = make(blots="file,membrane,target\n", lanes="membrane,lane\n", recordings=RECORDINGS)
    assert check(folder) == []
    assert open_study(folder).blots.empty
    make(recordings="files,animal,slice\n")
    assert check(folder) == []


def test_a_misspelt_sheet_is_not_passed_over(make):
    folder = make(blots=None, lanes=None, recordings=RECORDINGS)
    (folder / "blot.csv").write_text(BLOTS)
    assert sentences(folder) == [
        "blots.csv: the sheet is not there, but blot.csv is; expected blots.csv or blots.xlsx in the study "
        "folder; save it as blots.xlsx or blots.csv.",
        "lanes.csv: the sheet is not there; expected lanes.csv or lanes.xlsx in the study folder; "
        "add it: labkit new writes an example.",
    ]


BLOT_PROBLEMS = {
    "ltp/c.abf,M1,GAPDH,": "row 4, column target: membrane 'M1' has an image of 'GAPDH' in row 3 already; "
    "expected one image of each target on a membrane; keep the one whose bands are not saturated, and take "
    "the other row out.",
    "ltp/c.abf,M2,CREB,": "row 4, column membrane: membrane 'M2' is not in lanes.csv; expected a membrane of "
    "both sheets; lanes.csv has M1; add it to lanes.csv, or take it out here.",
    "ltp/x.tif,M1,CREB,": "row 4, column file: the file 'ltp/x.tif' is not there; expected a path that "
    "starts "
    "from the study folder; copy the file there, or correct the name.",
    "ltp/a.abf,M1,CREB,drak": "row 4, column polarity: found 'drak'; expected how the bands look: "
    "bright, dark; "
    "write 'dark' if that is meant.",
}
LANE_PROBLEMS = {
    "M1,3,007,5,,": "row 5, column lane: lane 3 of membrane 'M1' stands in row 4 already; expected one "
    "row for "
    "each lane; correct the number of the lane, or take the row out.",
    "M1,4,007,,,": "row 5, column animal: animal '007' is in lane 2 of membrane 'M1' too, with the same "
    "replicate; expected each lane of an animal with a replicate of its own; number them 1, 2, ... in column "
    "replicate, or correct the animal.",
    "M1,5,007,2,,": "column lane: membrane 'M1' has 5 lanes, but lane 4 has no row; expected every lane from "
    "left to right, empty ones and the ladder too; add the row, with what the lane holds in column role.",
    "M1,4,,,,": "row 5, column animal: the cell is empty; expected the animal whose sample the lane holds; "
    "fill it in, or say in column role what the lane holds (ladder, reference, dilution, empty).",
    "M1,4,007,,empty,": "row 5, column animal: found '007' in a lane whose role is empty; expected no animal "
    "there; empty the cell, or write sample in column role.",
    "M1,4,,,dilution,": "row 5, column ug: the cell is empty; expected the amount of protein in µg, as "
    "the lane "
    "belongs to a dilution series; fill it in, or write reference in column role.",
    "M1,four,,,empty,": "row 5, column lane: found 'four'; expected the number of the lane, 1 for the "
    "one at the "
    "left; write a whole number from 1.",
    "M1,4,m3,,,": "row 5, column animal: animal 'm3' is not in animals.csv; expected an animal with a group; "
    "add the animal to animals.csv.",
    "M1,4,,,laddder,": "row 5, column role: found 'laddder'; expected what the lane holds: sample, ladder, "
    "reference, dilution, empty; write 'ladder' if that is meant.",
}


@pytest.mark.parametrize("row", BLOT_PROBLEMS)
def test_mistakes_in_the_sheet_of_blots(make, row):
    assert sentences(make(blots=BLOTS + row + "\n")) == [f"blots.csv, {BLOT_PROBLEMS[row]}"]


@pytest.mark.parametrize("row", LANE_PROBLEMS)
def test_mistakes_in_the_sheet_of_lanes(make, row):
    said = sentences(make(lanes=LANES + row + "\n"))
    assert f"lanes.csv, {LANE_PROBLEMS[row]}" in said
    assert len(said) == 1 + (
        row == "M1,4,,,laddder,"
    )  # an unknown role is taken for a sample, without animal


def test_the_treatment_stands_in_no_sheet_that_is_read_blind(make):
    lanes = LANES.replace("ug\n", "ug,group\n", 1)
    assert any("column 'group'" in text for text in sentences(make(lanes=lanes)))


def test_settings_of_blots_name_targets_that_are_there(make):
    toml = TOML + '[blots]\nloading = "GADPH"\nphospho = [["p-CREB", "GAPDH"]]\n'
    assert sentences(make(toml=toml)) == [
        "study.toml, [blots], loading: found 'GADPH', which is no target in blots.csv; expected one of "
        "GAPDH, "
        "PSD-95; write 'GAPDH' if that is meant.",
        "study.toml, [blots], phospho: found 'p-CREB', which is no target in blots.csv; expected one of "
        "GAPDH, "
        "PSD-95; correct it, or add its images.",
    ]


def test_raw_files_are_named_by_code_and_a_shared_image_once(make):
    study = open_study(make(blots=BLOTS + "ltp/a.abf,M1,synaptophysin,\n", recordings=RECORDINGS))
    named = study.raw_files()
    assert sorted(files[0].name for files in named.values()) == ["a.abf", "b.abf", "c.abf"]
    assert study.raw_files("recordings") == {study.recordings["code"][0]: (study.path / "ltp" / "c.abf",)}
    assert set(study.raw_files("blots")) < set(study.blots["code"])


def test_what_a_notebook_needs_is_told_when_it_is_not_there(make):
    with pytest.raises(StudyError, match="the study has no recordings; expected rows in"):
        open_study(make(), needs="recordings")
    assert open_study(make(), needs="blots").blots.shape[0] == 2

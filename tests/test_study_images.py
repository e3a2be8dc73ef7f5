"""The sheet of dendrites: what is right opens blind, what is wrong is said at once."""

from __future__ import annotations

import pytest

from labkit.study import check, open_study

IMAGES = """file,animal,neuron,dendrite,voxel_z_um,voxel_y_um,voxel_x_um,modality
spines/a.tif,007,1,1,,,,
spines/a.tif,007,1,2,"0,5",0.1,0.1,Brightfield
"""


@pytest.fixture
def make(tmp_path):
    def make_study(images=IMAGES):
        (tmp_path / "spines").mkdir(exist_ok=True)
        (tmp_path / "spines" / "a.tif").write_text("a")
        (tmp_path / "study.toml").write_text(
            'title = "Spines"\n[[groups]]\nname = "vehicle"\n[blinding]\nblind = false\n'
        )
        (tmp_path / "animals.csv").write_text("animal,group\n007,vehicle\n")
        (tmp_path / "images.csv").write_text(images)
        return tmp_path

    return make_study


def test_a_study_may_have_images_alone(make):
    folder = make()
    assert check(folder) == []
    study = open_study(folder, needs="images")
    table = study.images
    assert table["image"].tolist() == ["007-1-1", "007-1-2"]
    assert table["voxel_um"].tolist() == [None, (0.5, 0.1, 0.1)]
    assert table["modality"].tolist() == [None, "brightfield"]
    assert study.raw_files() == {table["code"][0]: (folder / "spines" / "a.tif",)}
    assert study.summary().to_dict("records") == [{"dendrites": 2, "animals": 1, "files": 1}]


PROBLEMS = {
    "spines/a.tif,007,1,1,,,,": "row 4, column dendrite: animal '007', neuron '1', dendrite '1' "
    "stands in row 2 "
    "already; expected one row for each dendrite; correct the neuron or the dendrite, or take the row out.",
    "spines/a.tif,007,1,3,,0.1,0.1,": "row 4, column voxel_z_um: voxel_z_um is empty; expected all "
    "three sizes of "
    "a voxel in µm, or none where the file states them; fill it in; a flat image takes the depth of "
    "focus or 1 "
    "as voxel_z_um.",
    "spines/a.tif,m9,1,3,,,,": "row 4, column animal: animal 'm9' is not in animals.csv; expected "
    "an animal with "
    "a group; add the animal to animals.csv.",
    "spines/a.tif,007,1,3,0,1,1,": "row 4, column voxel_z_um: found '0'; expected a number above 0; "
    "correct the "
    "number.",
}


@pytest.mark.parametrize("row", PROBLEMS)
def test_mistakes_in_the_sheet_of_images(make, row):
    assert f"images.csv, {PROBLEMS[row]}" in [str(problem) for problem in check(make(IMAGES + row + "\n"))]

"""Paths and spines as files of other programs: SWC, regions of ImageJ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit.errors import DataError
from labkit.pickers.dendrite_roi import read_rois, write_rois
from labkit.pickers.swc import read_swc, write_swc

VOXEL_UM = (0.5, 0.1, 0.1)
PATH = [[3.0, 5.0, 2.0], [3.0, 5.0, 18.0]]


def test_a_path_goes_to_swc_and_back(tmp_path):
    path = np.linspace(*PATH, 161)
    radius = np.linspace(0.2, 0.4, len(path))
    ((points, back),) = read_swc(write_swc(tmp_path / "a.swc", path, radius))
    # four decimals are written
    np.testing.assert_allclose(points, path, atol=0.5001e-4)
    np.testing.assert_allclose(back, radius, atol=0.5001e-4)


def test_a_branched_tracing_comes_in_pieces_the_longest_first(tmp_path):
    file = tmp_path / "b.swc"
    file.write_text("# a Y\n1 3 0 0 0 1 -1\n2 3 5 0 0 1 1\n3 3 9 3 0 1 2\n\n4 3 5 8 0 1 2\n5 3 5 9 0 1 4\n")
    pieces = read_swc(file)
    lengths = [np.linalg.norm(np.diff(points, axis=0), axis=1).sum() for points, _ in pieces]
    assert lengths == [9.0, 5.0, 5.0]
    assert pieces[0][0].tolist() == [[0, 0, 5], [0, 8, 5], [0, 9, 5]]


@pytest.mark.parametrize("text", ["", "# nothing\n", "1 3 0 0 0 1\n", "a b c d e f g\n", "1 3 0 0 0 1 7\n"])
def test_what_is_no_swc_is_refused(tmp_path, text):
    file = tmp_path / "c.swc"
    file.write_text(text)
    with pytest.raises(DataError, match=r"c\.swc: "):
        read_swc(file)


def test_paths_and_spines_go_to_imagej_and_back(tmp_path):
    rows = [(3.0, 4.0, 4.0, "thin"), (3.0, 6.0, 8.0, "mushroom"), (3.5, 6.2, 13.0, "stubby")]
    spines = pd.DataFrame(rows, columns=["z_um", "y_um", "x_um", "spine_class"])
    file = write_rois(tmp_path / "a.zip", np.array(PATH), spines, voxel_um=VOXEL_UM)
    write_rois(file, np.array(PATH), spines, voxel_um=VOXEL_UM)  # replaced, not added to
    points, back = read_rois(file, voxel_um=VOXEL_UM)
    np.testing.assert_allclose(points, PATH, atol=1e-5)  # float32 pixels
    assert back["spine_class"].tolist() == spines["spine_class"].tolist()
    np.testing.assert_allclose(back[["z_um", "y_um", "x_um"]], spines[["z_um", "y_um", "x_um"]], atol=1e-5)
    from roifile import roiread

    line = roiread(file)[0]
    # the middle of pixel (50, 20) is at 20.5, 50.5 in ImageJ, and plane 6 from 0 is its 7th
    assert line.coordinates()[0].tolist() == [20.5, 50.5]
    assert line.position == 7
    assert len(roiread(file)) == 1 + len(PATH) + len(rows)

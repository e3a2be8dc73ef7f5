"""Lanes and windows to ImageJ and back."""

from __future__ import annotations

import zipfile

import pytest
import roifile
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DataError
from labkit.pickers.imagej import read_regions, write_regions
from labkit.pickers.shapes import corners

LANES = {"roi": [10.0, 190.0, 5.0, 315.0], "lanes": [[38.25, 42.5, 17.35], [98.0, 102.0, 17.5]]}
BAND = {"centres": [100.5, 102.23], "half_height": 9.11}


def rectangle(name, left, top, right, bottom):
    kind = roifile.ROI_TYPE.RECT
    return roifile.ImagejRoi(roitype=kind, name=name, left=left, top=top, right=right, bottom=bottom)


def line(name, x1, y1, x2, y2, width=0):
    kind = roifile.ROI_TYPE.LINE
    return roifile.ImagejRoi(roitype=kind, name=name, x1=x1, y1=y1, x2=x2, y2=y2, stroke_width=width)


def test_what_is_written_comes_back(tmp_path):
    path = write_regions(tmp_path / "B417.zip", LANES, BAND, name="PSD-95")
    assert read_regions(path) == (LANES, BAND)
    assert [file.name for file in tmp_path.iterdir()] == ["B417.zip"]


def test_writing_again_replaces_the_file(tmp_path):
    path = write_regions(tmp_path / "B417.zip", LANES, BAND)
    write_regions(path, LANES, name="other")
    assert zipfile.ZipFile(path).namelist() == ["region.roi", "lane 01.roi", "lane 02.roi"]


def test_the_regions_are_what_imagej_expects(tmp_path):
    path = write_regions(tmp_path / "B417.zip", LANES, BAND, name="p-CREB/CREB")
    rois = {roi.name: roi for roi in roifile.roiread(path)}
    assert list(rois) == ["region", "lane 01", "lane 02", "p-CREB/CREB 01", "p-CREB/CREB 02"]
    region = rois["region"]
    # whole numbers for programs that read no fractions, not one pixel more
    assert (region.left, region.top, region.right, region.bottom) == (5, 10, 315, 190)
    assert (region.xd, region.yd, region.widthd, region.heightd) == (5, 10, 310, 180)
    first = rois["lane 01"]
    assert (first.x1, first.y1, first.x2, first.y2) == (38.25, 10, 42.5, 190)
    assert first.stroke_width == 35
    box = rois["p-CREB/CREB 02"]
    left, top, right, bottom = corners(LANES, BAND)[1]
    assert (box.left, box.top, box.right, box.bottom) == (
        round(left),
        round(top),
        round(right),
        round(bottom),
    )
    # coordinates are float32: 24 bits, a relative error of 6e-8
    assert (box.xd, box.yd) == pytest.approx((left, top), rel=1e-7)
    assert (box.xd + box.widthd, box.yd + box.heightd) == pytest.approx((right, bottom), rel=1e-7)


def test_a_rectangle_drawn_in_imagej_keeps_its_size(tmp_path):
    path = tmp_path / "box.roi"
    rectangle("box", 20, 60, 60, 80).tofile(path)
    lanes, band = read_regions(path)
    assert lanes == {"roi": [60, 80, 20, 60], "lanes": [[40, 40, 20]]}
    assert band == {"centres": [70], "half_height": 10}


def test_boxes_alone_are_upright_lanes_from_left_to_right(tmp_path):
    path = tmp_path / "boxes.zip"
    rois = [
        rectangle("b", 80, 64, 120, 84),
        rectangle("a", 20, 60, 60, 80),
        rectangle("Region", 0, 10, 200, 150),
    ]
    roifile.roiwrite(path, rois)
    lanes, band = read_regions(path)
    assert lanes == {"roi": [10, 150, 0, 200], "lanes": [[40, 40, 20], [100, 100, 20]]}
    assert band == {"centres": [70, 74], "half_height": 10}


def test_lines_are_carried_to_the_rows_of_the_region_whichever_way_they_were_drawn(tmp_path):
    path = tmp_path / "lines.zip"
    rois = [
        line("up", 60, 120, 50, 20, 30),
        line("down", 10, 20, 20, 120),
        rectangle("region", 0, 0, 99, 140),
    ]
    roifile.roiwrite(path, rois[:1] + rois[2:])
    lanes, band = read_regions(path)
    # 10 columns in 100 rows: 2 more columns at either end
    assert lanes == {"roi": [0, 140, 0, 99], "lanes": [[48, 62, 15]]}
    assert band is None
    boxes = [rectangle("1", 5, 60, 25, 80), rectangle("2", 45, 60, 65, 80)]
    roifile.roiwrite(path, [*rois, *boxes], mode="w")
    lanes, band = read_regions(path)
    assert lanes["lanes"] == [[8, 22, 10], [48, 62, 15]], "a line without a stroke is as wide as its box"
    assert band == {"centres": [70, 70], "half_height": 10}


@pytest.mark.parametrize(
    ("rois", "said"),
    [
        ([rectangle("region", 0, 0, 9, 9)], "there is no lane"),
        (
            [line("a", 1, 1, 1, 9, 3), rectangle("b", 0, 1, 2, 3), rectangle("c", 5, 1, 7, 3)],
            "1 lines and 2 boxes",
        ),
        ([line("a", 1, 1, 1, 9)], "the width of the lanes is not told"),
        ([line("a", 1, 5, 9, 5, 3)], "the line of lane 1 is level"),
    ],
)
def test_regions_that_are_no_lanes_are_refused(tmp_path, rois, said):
    path = tmp_path / "regions.zip"
    roifile.roiwrite(path, rois)
    with pytest.raises(DataError, match=said) as caught:
        read_regions(path)
    assert str(caught.value).startswith("regions.zip: ")


def test_files_that_are_no_regions_are_refused(tmp_path):
    for name in ("text.roi", "text.zip"):
        (tmp_path / name).write_text("not a region")
        with pytest.raises(DataError, match="cannot be read"):
            read_regions(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        read_regions(tmp_path / "missing.zip")
    with pytest.raises(DataError, match=r"expected a \.zip file"):
        write_regions(tmp_path / "B417.roi", LANES)


@settings(max_examples=40)
@given(
    ends=st.lists(
        st.tuples(st.floats(0, 2048), st.floats(0, 2048), st.floats(1, 200)), min_size=1, max_size=26
    ),
    half=st.floats(0.5, 300),
    row=st.floats(0, 2048),
)
def test_any_lanes_come_back_to_a_hundredth_of_a_pixel(tmp_path_factory, ends, half, row):
    ends.sort(key=lambda lane: lane[0] + lane[1])
    lanes = {"roi": [0.0, 2048.0, 0.0, 2048.0], "lanes": [list(lane) for lane in ends]}
    band = {"centres": [row] * len(ends), "half_height": half}
    path = write_regions(tmp_path_factory.getbasetemp() / "any.zip", lanes, band)
    back, window = read_regions(path)
    assert back["roi"] == lanes["roi"]
    # rounded to 0.01, and float32 on the way: 1e-4 at 2048
    for got, put in zip(back["lanes"], lanes["lanes"], strict=True):
        assert got == pytest.approx(put, abs=0.0052)
    assert window["half_height"] == pytest.approx(half, abs=0.0055)
    # boxes come back in the order of their columns, and all have one row here
    assert window["centres"] == pytest.approx(band["centres"], abs=0.0055)

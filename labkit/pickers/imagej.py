"""Lanes, windows and region as ImageJ regions: a `.roi` each, or a `.zip` as the ROI manager saves it.

A row or column is an edge of pixels in both, so numbers need no shift. Rectangles are written with fractions
beside the whole numbers that older programs read. Use the files to look at regions in ImageJ, or to bring
them over from there (`picker.move(index, lanes=lanes, band=band)`); what counts is stored with the picks.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from statistics import median
from typing import Any

from labkit.errors import DataError
from labkit.pickers.shapes import Band, Lanes, centres_x, corners, numbers

__all__ = ["read_regions", "write_regions"]


def write_regions(path: str | Path, lanes: Any, band: Any = None, *, name: str = "band") -> Path:
    """Write regions for the ROI manager of ImageJ.

    Parameters
    ----------
    path
        A file that ends in ``.zip``.
    lanes, band
        As they are stored, or `labkit.blots` objects; without a window only lanes and region are written.
    name
        Begins the names of the boxes: ``PSD-95 03``.

    Returns
    -------
    Path
        The file, written whole: a rectangle ``region``; for each lane a line ``lane 01``, ..., its stroke as
        wide as the lane; and for each box a rectangle.
    """
    from roifile import ROI_TYPE, ImagejRoi

    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise DataError(
            f"the file ends in {path.suffix or 'nothing'}", expected="a .zip file", where=path.name
        )
    lanes = lanes.as_pick() if hasattr(lanes, "as_pick") else lanes
    band = band.as_pick() if hasattr(band, "as_pick") else band
    top, bottom, left, right = lanes["roi"]
    rois = [_rectangle("region", left, top, right, bottom)]
    for number, (at_top, at_bottom, half) in enumerate(lanes["lanes"], 1):
        rois.append(
            ImagejRoi(
                roitype=ROI_TYPE.LINE, name=f"lane {number:02d}", x1=at_top, y1=top, x2=at_bottom, y2=bottom,
                stroke_width=round(2 * half), float_stroke_width=2 * half, version=228,
            )
        )  # fmt: skip
    if band is not None:
        boxes = corners(lanes, band)
        rois += [_rectangle(f"{name} {number:02d}", *box) for number, box in enumerate(boxes, 1)]
    part = path.with_name(path.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for roi in rois:
            # A name is a file name inside the archive.
            archive.writestr(f"{roi.name.replace('/', '-')}.roi", roi.tobytes())
    return part.replace(path)


def _rectangle(name: str, left: float, top: float, right: float, bottom: float) -> Any:
    """An upright rectangle. Made of its corners by `frompoints` it would come back one pixel larger."""
    from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

    edges = {"left": left, "top": top, "right": right, "bottom": bottom}
    exact = {"xd": left, "yd": top, "widthd": right - left, "heightd": bottom - top}
    whole = {edge: math.floor(value + 0.5) for edge, value in edges.items()}
    return ImagejRoi(
        roitype=ROI_TYPE.RECT,
        name=name,
        version=228,
        options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION,
        **whole,
        **exact,
    )


def _edges(roi: Any) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a rectangle, with fractions where it has them."""
    if roi.subpixelrect:
        return roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
    return float(roi.left), float(roi.top), float(roi.right), float(roi.bottom)


def read_regions(path: str | Path) -> tuple[Lanes, Band | None]:
    """Read lanes and window out of ImageJ regions.

    Lines are lanes, from left to right; their stroke is the width. Rectangles are boxes, apart from one named
    *region*, the region of interest. Without lines, or where a line has no stroke, the boxes give the width.
    Rows of the boxes make the window; its height is the median of theirs.

    Parameters
    ----------
    path
        A ``.zip`` of the ROI manager, or a single ``.roi``.

    Returns
    -------
    lanes, band
        In the form in which they are stored; the window is None when there are no boxes.

    Raises
    ------
    DataError
        If the file holds neither lines nor boxes, or another number of boxes than of lines.
    """
    from roifile import ROI_TYPE, roiread

    path = Path(path)
    try:
        found = roiread(path)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"the regions cannot be read ({error})", where=path.name) from error
    rois = found if isinstance(found, list) else [found]
    lines, boxes, region = [], [], None
    for roi in rois:
        if roi.roitype == ROI_TYPE.LINE:
            half = (roi.float_stroke_width or roi.stroke_width) / 2
            lines.append((roi.y1, roi.x1, roi.y2, roi.x2, half))
        elif roi.roitype == ROI_TYPE.RECT:
            if roi.name.casefold() == "region":
                left, top, right, bottom = _edges(roi)
                region = [top, bottom, left, right]
            else:
                boxes.append(_edges(roi))
    lines.sort(key=lambda line: line[1] + line[3])
    boxes.sort(key=lambda box: box[0] + box[2])
    if not lines and not boxes:
        raise DataError(
            "there is no lane", expected="a line for each lane, or a rectangle for each box", where=path.name
        )
    if lines and boxes and len(lines) != len(boxes):
        raise DataError(
            f"there are {len(lines)} lines and {len(boxes)} boxes",
            expected="a line and a box for each lane", where=path.name,
        )  # fmt: skip
    for number, (y1, _, y2, *_) in enumerate(lines, 1):
        if y2 == y1:
            raise DataError(
                f"the line of lane {number} is level", expected="a line along the lane", where=path.name
            )
    if region is None:
        region = _around(lines, boxes)
    lanes: Lanes = {"roi": numbers(region), "lanes": [numbers(lane) for lane in _lanes(lines, boxes, region)]}
    if any(not half > 0 for *_, half in lanes["lanes"]):
        raise DataError(
            "the width of the lanes is not told", expected="lines with a stroke, or boxes", where=path.name
        )
    if not boxes:
        return lanes, None
    rows = [(top + bottom) / 2 for _, top, _, bottom in boxes]
    (half,) = numbers([median((bottom - top) / 2 for _, top, _, bottom in boxes)])
    return lanes, {"centres": numbers(rows), "half_height": half}


def _around(lines: list, boxes: list) -> list[float]:
    """The region that holds all lines and boxes: top, bottom, left, right."""
    rows = [row for line in lines for row in (line[0], line[2])] + [r for b in boxes for r in (b[1], b[3])]
    edges = [x + side * half for *ends, half in lines for x in (ends[1], ends[3]) for side in (-1, 1)]
    edges += [x for box in boxes for x in (box[0], box[2])]
    return [float(value) for value in (min(rows), max(rows), min(edges), max(edges))]


def _lanes(lines: list, boxes: list, region: list[float]) -> list[list[float]]:
    """Each line carried on to the rows of the region; without lines they stand upright through the boxes."""
    if not lines:
        return [[(a + b) / 2, (a + b) / 2, (b - a) / 2] for a, _, b, _ in boxes]
    lanes = []
    for number, (y1, x1, y2, x2, half) in enumerate(lines):
        line: Lanes = {"roi": [y1, y2, 0, 0], "lanes": [[x1, x2, half]]}
        ends = [centres_x(line, [row])[0] for row in region[:2]]
        width = half or ((boxes[number][2] - boxes[number][0]) / 2 if boxes else 0.0)
        lanes.append([*ends, width])
    return lanes

"""Paths and spines as regions of ImageJ: a set (.zip) that opens in its ROI Manager, and back.

A set holds the path as a segmented line, its points one by one as ``path 01``, ... with their plane, and each
spine as ``spine 01 mushroom``. ImageJ counts planes from 1 and has no fraction of one, so that depths come
back to the nearest plane; its pixels reach from i to i + 1, so that the middle of the first lies at 0.5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.pickers.spines_marks import CLASSES

__all__ = ["read_rois", "write_rois"]

_POINT = re.compile(r"path (\d+)$")
_SPINE = re.compile(r"spine \d+ (\w+)$")


def write_rois(
    path: str | Path, waypoints_um: np.ndarray, spines: pd.DataFrame, *, voxel_um: Sequence[float]
) -> Path:
    """Write a set of regions.

    Parameters
    ----------
    path
        A new file or one to be replaced, ending in ``.zip``.
    waypoints_um
        (k, 3) points z, y, x of the path, two or more.
    spines
        Columns z_um, y_um, x_um, spine_class.
    voxel_um
        Size of a voxel along z, y and x; that of z does not matter for one plane.
    """
    from roifile import ROI_TYPE, ImagejRoi, roiwrite

    def region(points: np.ndarray, name: str, kind: ROI_TYPE) -> ImagejRoi:
        pixels = points[:, 1:] / np.asarray(voxel_um[1:], float) + 0.5
        roi = ImagejRoi.frompoints(pixels[:, ::-1], name=name)
        roi.roitype = kind
        plane = float(np.median(points[:, 0])) / voxel_um[0] if voxel_um[0] > 0 else 0.0
        roi.position = round(plane) + 1
        return roi

    points = np.asarray(waypoints_um, float)
    regions = [region(points, "path", ROI_TYPE.POLYLINE)]
    regions += [region(one[None], f"path {k:02d}", ROI_TYPE.POINT) for k, one in enumerate(points, 1)]
    places = spines[["z_um", "y_um", "x_um"]].to_numpy(float)
    for k, (one, spine_class) in enumerate(zip(places, spines["spine_class"], strict=True), 1):
        regions.append(region(one[None], f"spine {k:02d} {spine_class}", ROI_TYPE.POINT))
    path = Path(path)
    path.unlink(missing_ok=True)  # regions would be added to a set that is there
    roiwrite(path, regions)
    return path


def read_rois(path: str | Path, *, voxel_um: Sequence[float]) -> tuple[np.ndarray, pd.DataFrame]:
    """Points of a path, and spines, from one region (.roi) or a set (.zip).

    Returns
    -------
    waypoints_um : (k, 3) ndarray
        z, y, x: the points that `write_rois` wrote, else the vertices of the first line, with z NaN where the
        line does not say its plane.
    spines : DataFrame
        z_um, y_um, x_um, spine_class: points named as `write_rois` names them.

    Raises
    ------
    DataError
        If there is no line and no such points, or the file is none of ImageJ's.
    """
    from roifile import ROI_TYPE, roiread

    where = Path(path).name
    try:
        regions = roiread(path)
    except Exception as error:  # a damaged file fails in many ways
        raise DataError(f"the regions cannot be read ({error})", expected="a .roi or .zip of ImageJ",
                        where=where) from error  # fmt: skip
    regions = regions if isinstance(regions, list) else [regions]

    def places(roi: object) -> np.ndarray:
        pixels = np.asarray(roi.coordinates(), float)[:, ::-1] - 0.5
        z = (roi.position - 1) * voxel_um[0] if roi.position > 0 and voxel_um[0] > 0 else np.nan
        return np.column_stack([np.full(len(pixels), z), pixels * np.asarray(voxel_um[1:], float)])

    lines = [places(roi) for roi in regions if roi.roitype in (ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE)]
    points = sorted((int(m[1]), k) for k, roi in enumerate(regions) if (m := _POINT.match(roi.name or "")))
    if not lines and len(points) < 2:
        raise DataError("there is no line", expected="a segmented or freehand line", where=where)
    waypoints = np.concatenate([places(regions[k]) for _, k in points]) if points else lines[0]
    rows = [
        (*places(roi)[0], match[1])
        for roi in regions
        if (match := _SPINE.match(roi.name or "")) and match[1] in CLASSES
    ]
    return waypoints, pd.DataFrame(rows, columns=["z_um", "y_um", "x_um", "spine_class"])

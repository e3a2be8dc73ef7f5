"""Lanes and windows in the form in which they are stored: plain numbers in pixels of the uncropped image.

Column x and row y are edges of pixels, as in ImageJ: pixel i reaches from i to i + 1. N lanes stand from left
to right; each is a straight line from (`x_top`, roi top) to (`x_bottom`, roi bottom) with a half width. The
window of a target has a centre row in each lane and one half height.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labkit.errors import DataError

__all__ = [
    "Band",
    "Lanes",
    "carried",
    "centres_x",
    "checked_band",
    "checked_lanes",
    "corners",
    "even_lanes",
    "numbers",
]

Lanes = dict[str, list]  # {"roi": [top, bottom, left, right], "lanes": [[x_top, x_bottom, half_width], ...]}
Band = dict[str, Any]  # {"centres": [row, ...], "half_height": h}
_DIGITS = 2  # a hundredth of a pixel
_LEAST_ROI_PX = 5
_LEAST_HALF_PX = 0.5
_MOST_LANES = 99


def checked_lanes(value: Mapping[str, Any], shape: tuple[int, int]) -> Lanes:
    """The lanes rounded to what is stored, in order from left to right.

    Raises
    ------
    DataError
        If they are not lanes on an image of this shape (rows, columns).

    Examples
    --------
    >>> checked_lanes({"roi": [0, 50, 0, 80], "lanes": [[40, 42, 8.123], [15, 16, 8]]}, (100, 100))["lanes"]
    [[15.0, 16.0, 8.0], [40.0, 42.0, 8.12]]
    """
    try:
        roi = numbers(value["roi"], 4)
        lanes = [numbers(lane, 3) for lane in value["lanes"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("the lanes cannot be read", expected="roi and lanes, in pixels") from error
    height, width = shape
    top, bottom, left, right = roi
    if not (
        0 <= top <= bottom - _LEAST_ROI_PX
        and bottom <= height
        and 0 <= left <= right - _LEAST_ROI_PX
        and right <= width
    ):
        raise DataError(
            f"the region reaches over rows {top:g} to {bottom:g} and columns {left:g} to {right:g}",
            expected=f"{_LEAST_ROI_PX} px or more inside the image of {height} rows and {width} columns",
        )
    if not 1 <= len(lanes) <= _MOST_LANES:
        raise DataError(f"there are {len(lanes)} lanes", expected=f"1 to {_MOST_LANES}")
    lanes.sort(key=lambda lane: lane[0] + lane[1])
    for number, (at_top, at_bottom, half) in enumerate(lanes, 1):
        middle = (at_top + at_bottom) / 2
        if half < _LEAST_HALF_PX or not -half < middle < width + half:
            raise DataError(
                f"lane {number} stands at column {middle:g} and is {2 * half:g} px wide",
                expected=f"a lane of 1 px or more on the image of {width} columns",
            )
    return {"roi": roi, "lanes": lanes}


def checked_band(value: Mapping[str, Any], shape: tuple[int, int]) -> Band:
    """The window rounded to what is stored.

    Raises
    ------
    DataError
        If it is no window on an image of this shape.
    """
    try:
        centres = numbers(value["centres"])
        (half,) = numbers([value["half_height"]])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("the window cannot be read", expected="centres and half_height, in pixels") from error
    if half < _LEAST_HALF_PX or not centres or any(not 0 <= row <= shape[0] for row in centres):
        raise DataError(
            f"the window is {2 * half:g} px high around rows {min(centres, default=0):g} to "
            f"{max(centres, default=0):g}",
            expected=f"a window of 1 px or more on the image of {shape[0]} rows",
        )
    return {"centres": centres, "half_height": half}


def numbers(values: Sequence[Any], n: int | None = None) -> list[float]:
    """Finite numbers, `n` of them, rounded to what is stored, or a `ValueError`."""
    found = [round(float(value), _DIGITS) + 0.0 for value in values]
    if (n is not None and len(found) != n) or not all(map(math.isfinite, found)):
        raise ValueError(values)
    return found


def even_lanes(n: int, roi: Sequence[float]) -> Lanes:
    """`n` upright lanes of one width, side by side over the region; the central 85 % of each counts.

    >>> even_lanes(2, [0, 50, 10, 90])["lanes"]
    [[30.0, 30.0, 17.0], [70.0, 70.0, 17.0]]
    """
    left, right = roi[2:]
    pitch = (right - left) / n
    centres = [round(left + (k + 0.5) * pitch, _DIGITS) for k in range(n)]
    half = round(0.85 * pitch / 2, _DIGITS)
    return {"roi": [float(v) for v in roi], "lanes": [[x, x, half] for x in centres]}


def centres_x(lanes: Lanes, rows: Sequence[float]) -> list[float]:
    """Column of each lane's centre at its own row."""
    top, bottom = lanes["roi"][:2]
    return [
        a + (b - a) * (y - top) / (bottom - top) for (a, b, _), y in zip(lanes["lanes"], rows, strict=True)
    ]


def carried(band: Band, to: Lanes, *, before: Lanes | None = None) -> Band:
    """The window carried to other lanes: its rows are interpolated over the columns.

    Without the lanes it was made on, these are taken to stand evenly over the new ones.

    >>> lanes = even_lanes(3, [0, 50, 0, 60])
    >>> carried({"centres": [10.0, 14.0], "half_height": 3.0}, lanes)["centres"]
    [10.0, 12.0, 14.0]
    """
    now = [(a + b) / 2 for a, b, _ in to["lanes"]]
    if before is not None and len(before["lanes"]) == len(band["centres"]):
        then = [(a + b) / 2 for a, b, _ in before["lanes"]]
    else:
        then = np.linspace(now[0], now[-1], len(band["centres"])).tolist()
    rows = np.interp(now, then, band["centres"]) if len(then) > 1 else [band["centres"][0]] * len(now)
    return {**band, "centres": [round(float(row), _DIGITS) for row in rows]}


def corners(lanes: Lanes, band: Band) -> np.ndarray:
    """(N, 4) left, top, right and bottom of the box in each lane."""
    rows, half = np.asarray(band["centres"], float), band["half_height"]
    x = np.asarray(centres_x(lanes, band["centres"]))
    widths = np.asarray([lane[2] for lane in lanes["lanes"]])
    return np.column_stack([x - widths, rows - half, x + widths, rows + half])

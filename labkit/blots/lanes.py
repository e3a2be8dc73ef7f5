"""Lanes of a gel: how many there are, where each runs, and how much of its width is integrated.

Notation: N lanes; an image has H rows and W columns. Row 0 is the upper one; pixel (0, 0) has its centre at
x = y = 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.blots.comb import (
    band_energy,
    column_profile,
    even_combs,
    heights,
    lane_lean,
    propose_count,
    settle,
    shrink,
    teeth_of,
)
from labkit.errors import DataError

if TYPE_CHECKING:
    from labkit.blots.image import BlotImage

__all__ = ["Lanes", "find_lanes", "lane_profiles"]

# The central part of a lane that is integrated: the outer 15 % carry the bleed of the neighbours.
CENTRAL = 0.85
# A lane narrower than this cannot be told from its neighbours.
_LEAST_PITCH_PX = 6.0
# Longer side of the shrunken image: a lane of a 26-well gel is still 15 px wide.
_SMALL_PX = 400


@dataclass(frozen=True, eq=False)
class Lanes:
    """N lanes from left to right: straight, possibly tilted centre lines and the half widths integrated.

    Attributes
    ----------
    top_px, bottom_px, left_px, right_px
        The region of interest, in pixels of the image; row 0 is the upper one.
    x_top_px, x_bottom_px
        (N,) centre of each lane at `top_px` and at `bottom_px`.
    half_width_px
        (N,) half of the width that is integrated: the central 85 % of the lane.
    confidence
        0 to 1: how well the bands of the image stand on the lanes, and not between them.
    flags
        One text per lane, empty when nothing is doubtful.
    """

    top_px: float
    bottom_px: float
    left_px: float
    right_px: float
    x_top_px: np.ndarray
    x_bottom_px: np.ndarray
    half_width_px: np.ndarray
    confidence: float
    flags: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.x_top_px)

    def centre(self, y: float | np.ndarray) -> np.ndarray:
        """(N, ...) column of the centre lines at row `y`."""
        part = (np.asarray(y, float) - self.top_px) / (self.bottom_px - self.top_px)
        shape = (-1,) + (1,) * part.ndim
        return self.x_top_px.reshape(shape) + (self.x_bottom_px - self.x_top_px).reshape(shape) * part

    def as_pick(self) -> dict[str, Any]:
        """Plain numbers, rounded to 0.01 px, for the file of picks."""
        roi = [self.top_px, self.bottom_px, self.left_px, self.right_px]
        lanes = np.column_stack([self.x_top_px, self.x_bottom_px, self.half_width_px])
        return {
            "roi": [round(float(value), 2) for value in roi],
            "lanes": [[round(float(value), 2) for value in lane] for lane in lanes],
        }

    @classmethod
    def from_pick(cls, pick: Mapping[str, Any]) -> Lanes:
        """The lanes of a pick; sorted from left to right, confidence 1 (a person vouches for them).

        >>> pick = {"roi": [0, 100, 0, 60], "lanes": [[40, 42, 8.5], [15, 16, 8.5]]}
        >>> Lanes.from_pick(pick).as_pick()["lanes"]
        [[15.0, 16.0, 8.5], [40.0, 42.0, 8.5]]
        """
        try:
            roi = [float(value) for value in pick["roi"]]
            lanes = np.array([[float(value) for value in lane] for lane in pick["lanes"]])
        except (KeyError, TypeError, ValueError) as err:
            raise DataError("the pick of the lanes is damaged", expected="roi and lanes, in pixels") from err
        if len(roi) != 4 or lanes.ndim != 2 or lanes.shape[1] != 3 or not np.all(np.isfinite(lanes)):
            raise DataError(
                "the pick of the lanes is damaged or empty",
                expected="a roi of 4 numbers and one lane or more of 3 numbers",
                todo="pick the lanes again",
            )
        top, bottom, left, right = roi
        if not bottom > top or not right > left or not np.all(lanes[:, 2] > 0):
            raise DataError(
                "the pick of the lanes holds a region or lane without extent", todo="pick it again"
            )
        lanes = lanes[np.argsort(lanes[:, :2].sum(axis=1), kind="stable")]
        return cls(top, bottom, left, right, *lanes.T, confidence=1.0, flags=("",) * len(lanes))


def find_lanes(image: BlotImage, n_lanes: int | None = None, *, roi: Sequence[float] | None = None) -> Lanes:
    """Find the lanes of a gel or blot, proposing their number when it is not told.

    Parameters
    ----------
    image
        From `read` or `as_image`; high signal is more protein.
    n_lanes
        Number of lanes with samples (ladder lanes count when they are inside the region). Tell it when it is
        known: a nearly empty lane at either end cannot be proposed.
    roi
        (top, bottom, left, right) in pixels around the lanes; by default the image less its border.

    Returns
    -------
    Lanes
        Lanes lean by one common angle when bands at several heights show it; the image is not turned. A lane
        in which nothing stands out is placed by the comb and flagged.

    Raises
    ------
    DataError
        If no lanes, or more than fit in the region, are asked for; if the region lies outside of the image;
        if the number is not told and nothing looks like bands.

    Notes
    -----
    Teeth less gaps of an even comb over the compressed energy of the bands; lanes may then leave the comb,
    as a chain whose links resist stretching (dynamic programme).

    Examples
    --------
    >>> from labkit.blots import as_image
    >>> y, x = np.mgrid[:120, :200]
    >>> signal = sum(np.exp(-(((x - c) / 8) ** 4) - ((y - 60) / 4) ** 2) for c in (30, 75, 120, 165))
    >>> lanes = find_lanes(as_image(np.uint16(1000 + 20000 * signal), polarity="bright"))
    >>> [int(value) for value in lanes.centre(60).round()]
    [30, 75, 120, 165]
    """
    signal = np.asarray(image.signal)
    top, bottom, left, right = _region(signal.shape, roi)
    if n_lanes is not None:
        _check_count(n_lanes, right - left)
    factor = max(1, int(np.ceil(max(bottom - top, right - left) / _SMALL_PX)))
    small = shrink(signal[top:bottom, left:right], factor)
    energy = band_energy(small)
    pitch_least = max(_LEAST_PITCH_PX / factor, 3.0)
    told = roi is not None
    lean, margin = 0.0, 1.0
    for upright in (True, False):
        profile = column_profile(energy, lean)
        n = n_lanes
        if n is None:
            n, margin = propose_count(profile, pitch_least, told=told)
        if n == 0:
            raise DataError(
                "nothing in the image looks like a row of bands",
                expected="bands that stand out",
                todo="tell the number of lanes and draw the region, or check the polarity",
            )
        pitch, first = even_combs(profile, np.array([n]), pitch_least, told=told)[n]
        if upright:
            lean = lane_lean(energy, n, pitch, first)
        if lean == 0:
            break
    centres = settle(profile, n, pitch, first)
    return _lanes(profile, centres, pitch, lean, margin, (top, bottom, left, right), factor)


def lane_profiles(signal: np.ndarray, lanes: Lanes) -> np.ndarray:
    """(N, H) mean of the integrated width of each lane, row by row, over all rows of the image.

    The rows of a lane that leans are followed to a whole pixel; outside of the image they are NaN.
    """
    height, width = signal.shape
    rows = np.arange(height)
    out = np.full((len(lanes), height), np.nan)
    for one, (centre, half) in enumerate(zip(lanes.centre(rows), lanes.half_width_px, strict=True)):
        first = np.rint(centre - half).astype(int)
        count = max(round(2 * half), 1)
        if first[0] == first[-1] and first[0] >= 0 and first[0] + count <= width:
            out[one] = signal[:, first[0] : first[0] + count].mean(axis=1)
            continue
        columns = first[:, None] + np.arange(count)
        inside = (columns >= 0) & (columns < width)
        values = np.where(inside, signal[rows[:, None], np.clip(columns, 0, width - 1)], 0.0)
        counted = inside.sum(axis=1)
        out[one] = np.where(counted > 0, values.sum(axis=1) / np.maximum(counted, 1), np.nan)
    return out


def _region(shape: tuple[int, int], roi: Sequence[float] | None) -> tuple[int, int, int, int]:
    height, width = shape
    if roi is None:
        # Scanners and crops leave a rim of a few pixels that is no membrane.
        rim = max(1, round(0.01 * max(height, width)))
        return rim, height - rim, rim, width - rim
    try:
        top, bottom, left, right = (float(value) for value in roi)
    except (TypeError, ValueError) as err:
        raise DataError(f"roi is {roi!r}", expected="top, bottom, left and right in pixels") from err
    if not (bottom > top and right > left) or bottom <= 0 or right <= 0 or top >= height or left >= width:
        raise DataError(
            f"roi is rows {top:g} to {bottom:g}, columns {left:g} to {right:g}",
            expected=f"a region within the image of {height} rows and {width} columns",
            todo="draw the region again",
        )
    box = max(round(top), 0), min(round(bottom), height), max(round(left), 0), min(round(right), width)
    if box[1] - box[0] < 5 or box[3] - box[2] < 5:
        raise DataError("the region is less than 5 px wide or high", todo="draw it around all lanes")
    return box


def _check_count(n_lanes: int, width: int) -> None:
    if int(n_lanes) != n_lanes or n_lanes < 1:
        raise DataError(f"{n_lanes} lanes are asked for", expected="a whole number from 1")
    if width < n_lanes * _LEAST_PITCH_PX:
        raise DataError(
            f"{n_lanes} lanes are asked for in a region of {width} columns",
            expected=f"lanes of {_LEAST_PITCH_PX:g} px or more",
            todo="check the number of lanes, or give the image at full resolution",
        )


def _at(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return values[np.clip(np.rint(columns).astype(int), 0, len(values) - 1)]


def _standing(profile: np.ndarray, centres: np.ndarray, pitch: float) -> np.ndarray:
    """Which lanes stand out by a tenth of what is usual."""
    teeth = _at(teeth_of(profile, pitch), centres)
    return teeth > 0.1 * max(float(np.median(np.sort(teeth)[len(teeth) // 2 :])), 0.0)


def _between(centres: np.ndarray, stands: np.ndarray, pitch: float) -> np.ndarray:
    """Lanes in which nothing stands out, placed evenly between those that do, or a pitch further out."""
    known = np.flatnonzero(stands)
    if not len(known):
        return centres
    lane = np.arange(len(centres))
    beyond = (np.minimum(lane - known[0], 0) + np.maximum(lane - known[-1], 0)) * pitch
    return np.interp(lane, known, centres[known]) + beyond


def _confidence(profile: np.ndarray, centres: np.ndarray, stands: np.ndarray, pitch: float) -> float:
    """Share of lanes that stand out, less when they hardly do, or stand unevenly as chance would have it."""
    top = _at(profile, centres)[stands]
    if not len(top):
        return 0.0
    height = heights(profile, centres, pitch)[stands]
    clear = np.clip(5 * np.median(height / np.maximum(top, 1e-12)), 0, 1)
    lane = np.arange(len(centres))
    even = np.polynomial.Polynomial.fit(lane, centres, min(2, len(lane) - 1))(lane)
    uneven = np.sqrt(np.mean((centres - even) ** 2)) / pitch
    return float(stands.mean() * clear * np.exp(-((uneven / 0.2) ** 2)))


def _middles(smooth: np.ndarray, centres: np.ndarray, pitch: float) -> np.ndarray:
    """The middle between both flanks of each lane at half height; a lopsided band draws the comb aside."""
    moved = centres.copy()
    reach = round(0.65 * pitch)
    for lane, start in enumerate(np.rint(centres).astype(int)):
        sides = [smooth[start : start + reach], smooth[max(start - reach + 1, 0) : start + 1][::-1]]
        if min(len(side) for side in sides) < 2:
            continue
        # One level for both flanks, above the shallower valley.
        valley = max(side.min() for side in sides)
        if smooth[start] - valley < 0.1 * smooth.max():
            continue
        half = (smooth[start] + valley) / 2
        ends = [int(np.argmax(side < half)) for side in sides]
        right, left = (
            end - (half - side[end]) / (side[end - 1] - side[end])
            for end, side in zip(ends, sides, strict=True)
        )
        moved[lane] += np.clip(start + (right - left) / 2 - moved[lane], -0.15 * pitch, 0.15 * pitch)
    return moved


def _borders(smooth: np.ndarray, centres: np.ndarray, pitch: float) -> np.ndarray:
    """(N + 1,) borders: valleys between lanes, and half a pitch outward at the ends."""
    borders = [centres[0] - pitch / 2]
    for a, b in pairwise(centres):
        low, high = round(a + 0.25 * (b - a)), round(b - 0.25 * (b - a)) + 1
        valley = smooth[low:high]
        lowest = np.flatnonzero(valley <= valley.min() + 0.02 * smooth.max())
        borders.append(low + float(lowest.mean()))
    return np.array([*borders, centres[-1] + pitch / 2])


def _lanes(
    profile: np.ndarray,
    centres: np.ndarray,
    pitch: float,
    lean: float,
    margin: float,
    region: tuple[int, int, int, int],
    factor: int,
) -> Lanes:
    """Lanes in pixels of the image, with widths, confidence and flags."""
    from scipy import ndimage

    top, bottom, left, right = region
    smooth = ndimage.gaussian_filter1d(profile, 0.08 * pitch, mode="constant")
    stands = _standing(profile, centres, pitch)
    centres = _between(_middles(smooth, centres, pitch), stands, pitch)
    edges = _borders(smooth, centres, pitch)
    room = np.minimum(centres - edges[:-1], edges[1:] - centres)
    # One width for all lanes, less only where a neighbour comes nearer.
    half = np.minimum(CENTRAL * np.median(room), room)
    flags = []
    for x, h, stood in zip(centres, half, stands, strict=True):
        words = []
        if x - h < 0 or x + h > len(profile) - 1:
            words.append("lane runs into the border")
        if not stood:
            words.append("nothing stands out in the lane; placed between its neighbours")
        flags.append("; ".join(words))
    # The lanes lean about the middle row of the shrunken image.
    height = bottom - top
    middle = (height // factor * factor - 1) / 2
    x = left + (centres + 0.5) * factor - 0.5
    return Lanes(
        top_px=float(top),
        bottom_px=float(bottom),
        left_px=float(left),
        right_px=float(right),
        x_top_px=x - lean * middle,
        x_bottom_px=x + lean * (height - middle),
        half_width_px=half * factor,
        confidence=_confidence(profile, centres, stands, pitch) * min(1.0, 0.5 + 2 * margin),
        flags=tuple(flags),
    )

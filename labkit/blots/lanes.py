"""Lanes of a gel: how many there are, where each runs, and how much of its width is integrated.

N lanes; an image of H rows and W columns. Lanes are told from each other by the bands in them: the image is
shrunk, what is thin in the running direction and rises above both sides of itself is kept and compressed, and a
comb of equal teeth is laid over the sum along the lanes. The comb places a lane that holds nothing as well, which
no search for peaks can do. The teeth are then let go, each to its own bands, held by their neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import DataError

if TYPE_CHECKING:
    from labkit.blots.image import BlotImage

__all__ = ["Lanes", "find_lanes", "lane_profiles"]

# The central part of a lane that is integrated: the outer 15 % carry the bleed of the neighbours.
CENTRAL = 0.85
# Most lanes that are proposed without being told; combs of gels have up to 26 wells.
_MOST = 30
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
        If no lanes, or more than fit in the region, are asked for; if the region lies outside of the image; if
        the number is not told and nothing looks like bands.

    Notes
    -----
    Teeth less gaps of an even comb over the compressed energy of the bands; lanes may then leave the comb by a
    quarter of the pitch, as a chain whose links resist stretching (dynamic programme).

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
    small = _shrink(signal[top:bottom, left:right], factor)
    energy = _band_energy(small)
    pitch_least = max(_LEAST_PITCH_PX / factor, 3.0)
    lean = _lean(energy)
    profile = _profile(energy, lean)
    if n_lanes is None:
        n_lanes, margin = _propose(profile, pitch_least, told=roi is not None)
        if n_lanes == 0:
            raise DataError(
                "nothing in the image looks like a row of bands",
                expected="bands that stand out in two lanes or more",
                todo="tell the number of lanes and draw the region, or check the polarity",
            )
    else:
        margin = 1.0
    pitch, first, _ = _comb(profile, n_lanes, pitch_least, told=roi is not None)
    centres = _settle(profile, n_lanes, pitch, first)
    return _lanes(profile, centres, pitch, lean, margin, (top, bottom, left, right), factor)

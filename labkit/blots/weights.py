"""Molecular weights of bands from the markers of a ladder lane; never beyond its markers.

Proteins in a gel run so that the logarithm of their weight falls with the distance, nearly straight over some
middle range and bent towards both ends. Notation: M markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labkit.blots.lanes import Lanes, lane_profiles
from labkit.errors import DataError

if TYPE_CHECKING:
    from labkit.blots.bands import Band
    from labkit.blots.image import BlotImage

__all__ = ["Ladder", "find_markers", "weights"]

METHODS = ("linear", "quadratic", "pchip")
# With fewer markers a curve would follow their errors.
_ENOUGH_FOR_CURVE = 5


@dataclass(frozen=True, eq=False)
class Ladder:
    """Markers of a ladder lane and the curve through them.

    Attributes
    ----------
    position_px, kda
        (M,) rows of the markers from the top, and their weights.
    method
        "linear", "quadratic" or "pchip" in log10 of the weight.
    residual_percent
        (M,) by how much each marker's weight is missed by the curve through the others, in % of its weight;
        NaN at the first and last, which would be beyond it.
    error_percent
        Root mean square of those.
    smile
        A band whose course through the lanes tells how far each lane ran ahead of the ladder, or None.
    lane
        Index of the ladder lane from 1, for `smile`.
    """

    position_px: np.ndarray
    kda: np.ndarray
    method: str
    residual_percent: np.ndarray
    error_percent: float
    smile: Band | None = None
    lane: int | None = None

    def weight_at(
        self, position_px: np.ndarray | float, lane: np.ndarray | int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights in kDa at rows (of lanes numbered from 1), NaN beyond the markers; and which are beyond."""
        row = np.asarray(position_px, float)
        if self.smile is not None and lane is not None:
            ahead = self.smile.centre_px - self.smile.centre_px[self.lane - 1]
            row = row - ahead[np.asarray(lane, int) - 1]
        beyond = (row < self.position_px[0]) | (row > self.position_px[-1])
        inside = np.clip(row, self.position_px[0], self.position_px[-1])
        log10 = _curve(self.position_px, np.log10(self.kda), self.method)(inside)
        return np.where(beyond, np.nan, 10**log10), beyond


def weights(
    kda: Sequence[float],
    *,
    position_px: Sequence[float],
    method: str | None = None,
    smile: Band | None = None,
    lane: int | None = None,
) -> Ladder:
    """Calibrate rows to molecular weights by a ladder.

    Parameters
    ----------
    kda
        Weights of the markers, in the order of `position_px`.
    position_px
        Rows of the markers in the ladder lane, from `find_markers` or picked.
    method
        Course of log10 of the weight over the row: "linear", "quadratic", or "pchip" (through every marker).
        By default linear below five markers, otherwise the one that misses left-out markers least.
    smile, lane
        A band that runs through all lanes, and the number of the ladder lane: rows of other lanes are then
        taken back by how far that band lies lower there.

    Returns
    -------
    Ladder

    Raises
    ------
    DataError
        With fewer than two markers, weights that do not fall from top to bottom, or an unknown method.

    Notes
    -----
    The residual is of a marker left out. That of a fit that knew the marker is smaller, and 0 for pchip.

    Examples
    --------
    >>> ladder = weights([100, 50, 25], position_px=[100, 200, 300])
    >>> ladder.weight_at([150, 300, 301])[0].round(2).tolist()
    [70.71, 25.0, nan]
    >>> ladder.residual_percent.round(6).tolist()
    [nan, 0.0, nan]
    """
    row, weight = np.asarray(position_px, float), np.asarray(kda, float)
    if row.ndim != 1 or row.shape != weight.shape or len(row) < 2:
        raise DataError(
            f"the ladder has {row.size} rows and {weight.size} weights",
            expected="as many rows as weights, two or more",
            todo="give the weight of every marker that was picked, and of no other",
        )
    order = np.argsort(row)
    row, weight = row[order], weight[order]
    if not (np.all(np.isfinite(weight)) and np.all(weight > 0) and np.all(np.diff(weight) < 0)) or np.any(
        np.diff(row) <= 0
    ):
        raise DataError(
            f"the markers are {', '.join(f'{value:g}' for value in weight)} kDa from top to bottom",
            expected="weights that fall, each at a row of its own",
            todo="check the markers, or turn the image over",
        )
    if method is not None and method not in METHODS:
        raise DataError(f"the method is {method!r}", expected=" or ".join(METHODS))
    if smile is not None and (lane is None or not 1 <= lane <= len(smile.centre_px)):
        raise DataError(
            f"the ladder lane is {lane}", expected=f"its number, 1 to {len(smile.centre_px)}, with a smile"
        )
    if method == "quadratic" and len(row) < 3:
        raise DataError("two markers are given", expected="three or more for a quadratic curve")
    tried = [method] if method else list(METHODS if len(row) >= _ENOUGH_FOR_CURVE else METHODS[:1])
    best = None
    for one in tried:
        missed = _left_out(row, np.log10(weight), one)
        error = float(np.sqrt(np.nanmean(missed**2))) if np.isfinite(missed).any() else np.nan
        bent = np.diff(_curve(row, np.log10(weight), one)(np.linspace(row[0], row[-1], 200))).max() >= 0
        # A parabola that turns within the ladder gives one weight to two rows.
        if not bent and (best is None or error < best.error_percent):
            best = Ladder(row, weight, one, missed, error, smile, lane)
    if best is None:
        raise DataError(
            "the quadratic curve turns within the ladder", expected="falling weights", todo="use pchip"
        )
    return best


def find_markers(image: BlotImage, lanes: Lanes, *, lane: int, n: int | None = None) -> np.ndarray:
    """Rows of the bands of the ladder lane, from the top.

    Parameters
    ----------
    image, lanes
        From `read` and `find_lanes`.
    lane
        Number of the ladder lane, from 1.
    n
        Number of markers: the ones that stand out most; by default all that stand out.

    Returns
    -------
    ndarray
        (M,) rows, to a part of a pixel.

    Raises
    ------
    DataError
        If there is no such lane, or fewer than `n` markers stand out.

    Examples
    --------
    >>> from labkit.blots import Lanes, as_image
    >>> y = np.arange(200.0)[:, None]
    >>> three = sum(np.exp(-(((y - row) / 4) ** 2) / 2) for row in (40.25, 90, 150))
    >>> lanes = Lanes.from_pick({"roi": [0, 200, 0, 30], "lanes": [[15, 15, 8]]})
    >>> find_markers(as_image(100 + 1000 * three * np.ones(30), polarity="bright"), lanes, lane=1).round(2)
    array([ 40.25,  90.  , 150.  ])
    """
    from scipy import ndimage, signal

    if not 1 <= lane <= len(lanes):
        raise DataError(f"the ladder lane is {lane}", expected=f"1 to {len(lanes)}")
    top, bottom = max(round(lanes.top_px), 0), min(round(lanes.bottom_px), image.signal.shape[0])
    profile = np.nan_to_num(lane_profiles(image.signal, lanes)[lane - 1, top:bottom])
    step = np.diff(profile)
    noise = 1.4826 * np.median(np.abs(step - np.median(step))) / np.sqrt(2)
    smooth = ndimage.gaussian_filter1d(profile, max(1.0, 0.003 * len(profile)))
    peaks, found = signal.find_peaks(smooth, prominence=max(5 * noise, 0.02 * np.ptp(smooth), 1e-300))
    if n is not None and len(peaks) < n:
        raise DataError(
            f"{len(peaks)} markers stand out in lane {lane}",
            expected=str(n),
            todo="check the ladder lane, or pick the markers by hand",
        )
    if n is not None:
        peaks = np.sort(peaks[np.argsort(found["prominences"])[::-1][:n]])
    left, here, right = smooth[peaks - 1], smooth[peaks], smooth[peaks + 1]
    return top + peaks + 0.5 * (left - right) / (left - 2 * here + right)


def _curve(row: np.ndarray, log10: np.ndarray, method: str):
    """log10 of the weight as a function of the row."""
    from scipy.interpolate import PchipInterpolator

    if method == "pchip":
        return PchipInterpolator(row, log10)
    return np.polynomial.Polynomial.fit(row, log10, 2 if method == "quadratic" else 1)


def _left_out(row: np.ndarray, log10: np.ndarray, method: str) -> np.ndarray:
    """(M,) % by which each inner marker is missed by the curve through all others."""
    missed = np.full(len(row), np.nan)
    least = {"linear": 2, "quadratic": 3, "pchip": 2}[method]
    for i in range(1, len(row) - 1):
        others = np.arange(len(row)) != i
        if others.sum() >= least:
            predicted = _curve(row[others], log10[others], method)(row[i])
            missed[i] = 100 * (10 ** (predicted - log10[i]) - 1)
    return missed

"""The window of one target in every lane: a row in each lane, and one half height for all.

A band lies on a curve across the lanes, bent by smile and skew. The curve is found first, as the smooth path
over the lanes that collects most; then each lane with a clear band keeps its own centre, and a weak or empty
lane gets the row where the curve passes, so that what is measured there does not depend on its noise.

Notation: N lanes, H rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.blots.lanes import Lanes, lane_profiles
from labkit.errors import DataError

if TYPE_CHECKING:
    from labkit.blots.image import BlotImage

__all__ = ["Band", "find_band"]

# Rows of the shrunken profiles on which the path is sought.
_SMALL_ROWS = 500
# Half thicknesses of bands looked for, as parts of the region's height.
_THICKNESSES = (0.005, 0.01, 0.02)
# A band bends by up to so many rows for each column: skew and smile of 9 degrees.
_STEEPEST = 0.16
# A lane has a clear band when it stands out of the noise so many times, and is this part of the usual one.
_CLEAR, _LEAST_PART = 6.0, 0.03
# A Gaussian falls to 5 % at 2.08 times its half width at half height.
_HALF_TO_FOOT = 2.08
_FOOT = 0.05
# The window is higher than that, so that what tails out counts and a band may lie askew in it.
_ROOM = 1.3


@dataclass(frozen=True, eq=False)
class Band:
    """The window of one target.

    Attributes
    ----------
    centre_px
        (N,) row of the middle of the window in each lane.
    half_height_px
        Half of its height, the same for all lanes: a window that fitted each lane would favour strong ones.
    """

    centre_px: np.ndarray
    half_height_px: float

    def as_pick(self) -> dict[str, Any]:
        """Plain numbers, rounded to 0.01 px, for the file of picks."""
        return {
            "centres": [round(float(row), 2) for row in self.centre_px],
            "half_height": round(float(self.half_height_px), 2),
        }

    @classmethod
    def from_pick(cls, pick: Mapping[str, Any]) -> Band:
        """The window of a pick.

        >>> Band.from_pick({"centres": [40, 41.5], "half_height": 6}).centre_px
        array([40. , 41.5])
        """
        try:
            centres = np.array([float(row) for row in pick["centres"]])
            half = float(pick["half_height"])
        except (KeyError, TypeError, ValueError) as err:
            raise DataError(
                "the pick of the band is damaged", expected="centres and half_height, in pixels"
            ) from err
        if not len(centres) or not np.all(np.isfinite(centres)) or not 0 < half < np.inf:
            raise DataError(
                "the pick of the band has no lane or no height",
                expected="a row for each lane and a half height above 0",
                todo="pick the band again",
            )
        return cls(centres, half)


def find_band(image: BlotImage, lanes: Lanes, *, near_px: float | None = None) -> Band:
    """Follow one target's band through all lanes.

    Parameters
    ----------
    image
        From `read` or `as_image`.
    lanes
        From `find_lanes` or a pick.
    near_px
        A row near the band in the middle of the membrane; by default the strongest band that most lanes
        share.

    Returns
    -------
    Band
        A lane in which nothing stands out gets the row of the curve through the others. The half height is
        the median over clear lanes of the distance to 5 % of the height, and a fifth more.

    Raises
    ------
    DataError
        If nothing stands out in any lane, or `near_px` lies outside of the region.

    Notes
    -----
    The path is a dynamic programme over the lanes; the curve a polynomial of degree 3 or less, fitted with
    Tukey's biweight.

    Examples
    --------
    >>> from labkit.blots import as_image, find_lanes
    >>> y, x = np.mgrid[:120, :200]
    >>> smile = 60 - 0.001 * (x - 100) ** 2
    >>> signal = sum(np.exp(-(((x - c) / 8) ** 4) - ((y - smile) / 3) ** 2) for c in (30, 75, 120, 165))
    >>> image = as_image(np.uint16(1000 + 20000 * signal), polarity="bright")
    >>> find_band(image, find_lanes(image, 4)).centre_px.round().tolist()
    [55.0, 59.0, 60.0, 56.0]
    """
    signal = np.asarray(image.signal)
    top, bottom = max(round(lanes.top_px), 0), min(round(lanes.bottom_px), signal.shape[0])
    if near_px is not None and not top <= near_px < bottom:
        raise DataError(
            f"the band is said to be near row {near_px:g}",
            expected=f"a row within the region of the lanes, {top} to {bottom}",
        )
    profiles = np.nan_to_num(lane_profiles(signal[top:bottom], _moved(lanes, top)))
    factor = max(1, int(np.ceil(profiles.shape[1] / _SMALL_ROWS)))
    rows = profiles.shape[1] // factor
    small = profiles[:, : rows * factor].reshape(len(lanes), rows, factor).mean(axis=2)
    rises, half = _rises(small)
    gain = np.log1p(rises / (0.02 * max(rises.max(), 1e-300)))
    if near_px is not None:
        away = (np.arange(rows) + 0.5) * factor + top - near_px
        gain = gain * np.exp(-((away / (0.03 * rows * factor)) ** 2) / 2)
    if not rises.max() > 0:
        raise DataError(
            "no band stands out in any lane",
            expected="a band in one lane or more",
            todo="check the polarity, or place the window by hand",
        )
    middle = (lanes.x_top_px + lanes.x_bottom_px) / 2
    pitch = float(np.median(np.diff(middle))) if len(lanes) > 1 else 2 * float(lanes.half_width_px[0])
    path = _path(gain, reach=max(1, round(_STEEPEST * pitch / factor)))
    return _settled(profiles, middle, (path + 0.5) * factor - 0.5, max(1.0, half * factor), top)


def _moved(lanes: Lanes, top: int) -> Lanes:
    """The same lanes in an image whose first row was row `top`."""
    return Lanes(
        lanes.top_px - top,
        lanes.bottom_px - top,
        lanes.left_px,
        lanes.right_px,
        lanes.x_top_px,
        lanes.x_bottom_px,
        lanes.half_width_px,
        lanes.confidence,
        lanes.flags,
    )


def _rises(profiles: np.ndarray) -> tuple[np.ndarray, int]:
    """(N, rows) by how much each row rises above both sides, less noise; half thickness that shows most."""
    rows = profiles.shape[1]
    best, thickness, most = np.zeros_like(profiles), 1, -1.0
    for part in _THICKNESSES:
        half = max(1, round(part * rows))
        offset = 3 * half + 1
        padded = np.pad(profiles, ((0, 0), (half + offset + 1, half + offset)), mode="edge")
        sums = np.cumsum(padded, axis=1)
        mean = (sums[:, 2 * half + 1 :] - sums[:, : -2 * half - 1]) / (2 * half + 1)
        rise = mean[:, offset : offset + rows] - np.maximum(mean[:, :rows], mean[:, 2 * offset :])
        noise = 1.4826 * np.median(np.abs(rise - np.median(rise, axis=1, keepdims=True)), axis=1)
        rise = np.maximum(rise - 3 * noise[:, None], 0)
        if rise.max() > most:
            thickness, most = half, float(rise.max())
        np.maximum(best, rise, out=best)
    return best, thickness


def _path(gain: np.ndarray, *, reach: int) -> np.ndarray:
    """The row in each lane of the path that collects most; a step of `reach` rows costs half a usual gain."""
    count, rows = gain.shape
    steps = np.arange(-reach, reach + 1)
    cost = 0.5 * float(np.median(gain.max(axis=1))) * (steps / reach) ** 2
    total, back = gain[0], []
    for lane in range(1, count):
        padded = np.pad(total, reach, constant_values=-np.inf)
        ways = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1) - cost
        chosen = np.argmax(ways, axis=1)
        back.append(chosen)
        total = gain[lane] + ways[np.arange(rows), chosen]
    path = [int(np.argmax(total))]
    for chosen in reversed(back):
        path.append(path[-1] + int(steps[chosen[path[-1]]]))
    return np.array(path[::-1], float)


def _settled(profiles: np.ndarray, x: np.ndarray, path: np.ndarray, half: float, top: int) -> Band:
    """Own centres of clear lanes, the curve through them for the others, and the half height."""
    step = np.diff(profiles, axis=1)
    away = np.abs(step - np.median(step, axis=1, keepdims=True))
    noise = 1.4826 * np.median(away, axis=1) / np.sqrt(2)
    found = [_own(*one, half) for one in zip(profiles, path, noise, strict=True)]
    centre, height, foot = np.array(found).T
    usual = np.median(height[height > _CLEAR * noise]) if np.any(height > _CLEAR * noise) else 0.0
    clear = (height > _CLEAR * noise) & (height > _LEAST_PART * usual) & np.isfinite(centre)
    if not clear.any():
        clear = height == height.max()
    half_height = _ROOM * float(np.median(foot[clear])) + 0.5
    curve = _curve(x, np.where(clear, centre, path), clear)
    near = clear & (np.abs(centre - curve) <= half_height)
    return Band(np.where(near, centre, curve) + top, half_height)


def _own(profile: np.ndarray, row: float, noise: float, half: float) -> tuple[float, float, float]:
    """Centre, height and distance to the foot of the band of one lane near a row."""
    reach = round(6 * half + 6)
    low, high = max(round(row) - reach, 0), min(round(row) + reach + 1, len(profile))
    piece = profile[low:high]
    third = max(len(piece) // 4, 2)
    # The lower part of either end: a neighbouring band there must not count.
    left, right = np.percentile(piece[:third], 30), np.percentile(piece[-third:], 30)
    at = np.arange(len(piece))
    flat = piece - left - (right - left) * (at - third / 2) / max(len(piece) - third, 1)
    smooth = np.convolve(np.pad(flat, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    near = np.flatnonzero(np.abs(at + low - row) <= 2 * half + 1)
    peak = int(near[np.argmax(smooth[near])])
    height = float(smooth[peak])
    if not height > 0:
        return float(row), height, np.nan
    above = smooth > 0.5 * height
    first = peak - int(np.argmin(np.append(above[peak::-1], False)))
    last = peak + int(np.argmin(np.append(above[peak:], False)))
    inside = slice(first + 1, last)
    centre = float(np.sum(at[inside] * flat[inside]) / np.sum(flat[inside])) + low
    upper = _crossing(smooth[: peak + 1][::-1], 0.5 * height) + _crossing(smooth[peak:], 0.5 * height)
    foot = _HALF_TO_FOOT * upper / 2
    if height > 40 * noise:
        ends = [_crossing(side, _FOOT * height) for side in (smooth[: peak + 1][::-1], smooth[peak:])]
        foot = float(np.clip(np.mean(ends), 0.8 * foot, 1.5 * foot))
    return centre, height, foot


def _crossing(side: np.ndarray, level: float) -> float:
    """Rows from the peak to where a flank falls to a level, or to where it turns up again."""
    below = side <= level
    turns = np.diff(side, append=np.inf) > 0
    end = int(np.argmax(below | turns))
    if not below[end] or end == 0:
        return float(end)
    return end - (level - side[end]) / (side[end - 1] - side[end])


def _curve(x: np.ndarray, y: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """A polynomial through the clear lanes that lanes off the curve do not draw to themselves."""
    known = np.flatnonzero(clear)
    degree = 3 if len(known) > 6 else 2 if len(known) > 3 else min(len(known) - 1, 1)
    scaled = (x - x.mean()) / max(np.ptp(x), 1e-9) * 2
    basis = np.vander(scaled, degree + 1)

    def through(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fit = np.linalg.lstsq(basis * weight[:, None], y * weight, rcond=None)[0]
        return fit, np.abs(y - basis @ fit)

    # An outer lane draws the first fit to itself: the start is the fit without the lane that spoils it most.
    starts = [clear & (np.arange(len(x)) != lane) for lane in known] if len(known) > degree + 3 else [clear]
    fit, off = min(
        (through(start.astype(float)) for start in starts), key=lambda found: np.median(found[1][known])
    )
    for _ in range(10):
        spread = max(1.4826 * float(np.median(off[known])), 0.5)
        fit, off = through(np.where(clear, np.clip(1 - (off / (4.7 * spread)) ** 2, 0, None), 0.0))
    inside = np.clip(scaled, scaled[clear].min(), scaled[clear].max())
    value = np.vander(inside, degree + 1) @ fit
    # Beyond the last clear lane the curve goes on straight: a polynomial would turn away.
    if degree:
        slope = np.vander(inside, degree) @ np.polyder(fit)
        value = value + slope * (scaled - inside)
    return value

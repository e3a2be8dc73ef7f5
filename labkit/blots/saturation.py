"""Where the camera or the export was clipped, as far as an image can tell.

A clipped image rarely stands at the greatest value of its file type: real 16-bit exports are clipped at 65520
(4095 x 16), 65522, 64024. So it is the plateau that is looked for: several pixels that share the extreme of
the image, touch each other, and are far more than those of the next values. Gamma and a contrast that was set
before the image was made 8-bit leave no trace, so their absence is never stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.blots.formats import EXPORT

__all__ = ["Plateau", "contrast_told", "plateau", "shades_of"]

# A plateau has so many pixels, so many of which touch.
_FEWEST, _TOUCHING = 3, 3
# It has so many times the pixels of any of the next values. In an image that is not clipped the last values
# are the rarest.
_SPIKE, _NEXT_VALUES = 2.0, 8
# Hot pixels may stand above the plateau.
_HOT = 2
# A lossy compression spreads a plateau over so much of the full scale.
_LOSSY_SPREAD = 0.012
# Share of pixels at the end of the background from which on it was cut off there.
_CUT_OFF = 0.01
# One value that so many pixels have is no background with noise.
_ONE_VALUE = 0.5
# An empty value between values that so many pixels have each, so many times: a comb.
_CROWDED, _GAPS = 20, 3
_EIGHT_BIT_VALUES = 256


#: The values that occur, from the least, and how many pixels have each.
Shades = tuple[NDArray[Any], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Plateau:
    """Pixels that are clipped at one end: `value`, and the (H, W) `mask`, empty when there is none."""

    value: float
    mask: NDArray[np.bool_]

    @property
    def n_pixels(self) -> int:
        return int(self.mask.sum())


def plateau(
    values: NDArray[Any],
    *,
    end: str,
    full_scale: float | None = None,
    lossy: bool = False,
    shades: Shades | None = None,
) -> Plateau:
    """The pixels at which an image is clipped at its high or its low end.

    Parameters
    ----------
    values
        (H, W), as stored.
    end
        "high" or "low".
    full_scale
        The greatest value that can be stored; None for floating-point values. Pixels that touch at 0 or at
        the full scale are clipped however many have the next value.
    lossy
        Whether the compression spreads a plateau over some values.
    shades
        `shades_of` the values, where they were counted before.

    Returns
    -------
    Plateau
        The mask holds every pixel of the value, also those that touch no other.

    Notes
    -----
    Of 15 simulated images whose clipping is known, the six clipped ones are found and no other. A film
    levels off without a step as it darkens, and no plateau tells so.

    Examples
    --------
    >>> ramp = np.add.outer(np.arange(40.0), np.arange(40.0))
    >>> plateau(np.minimum(ramp, 70.0), end="high").n_pixels
    45
    >>> plateau(ramp, end="high").n_pixels
    0
    """
    from scipy import ndimage

    distinct, counts = shades or shades_of(values)
    if end == "high":
        distinct, counts = distinct[::-1], counts[::-1]
    none = Plateau(float(distinct[0]), np.zeros(values.shape, bool))
    if distinct.size == 1:
        return none
    above = np.cumsum(counts) - counts
    for i in np.flatnonzero(above[: _HOT + 1] <= _HOT):
        value, count = distinct[i], counts[i]
        if count < _FEWEST:
            continue
        at_limit = full_scale is not None and value == (full_scale if end == "high" else 0)
        following = counts[i + 1 : i + 1 + _NEXT_VALUES]
        if not at_limit and (following.size == 0 or count < _SPIKE * following.max()):
            continue
        mask = values == value
        labels, n_labels = ndimage.label(mask, np.ones((3, 3)))
        if np.bincount(labels.ravel(), minlength=n_labels + 1)[1:].max() < _TOUCHING:
            continue
        if lossy and full_scale is not None:
            mask = np.abs(values.astype(np.float64) - float(value)) <= _LOSSY_SPREAD * full_scale
        return Plateau(float(value), mask | ((values > value) if end == "high" else (values < value)))
    return none


def contrast_told(
    values: NDArray[Any],
    *,
    bands: Plateau,
    floor: Plateau,
    full_scale: float | None,
    lossy: bool = False,
    shades: Shades | None = None,
) -> tuple[str, ...]:
    """What an image shows of how it was exported, in sentences that say what to do.

    Parameters
    ----------
    values
        (H, W), as stored.
    bands, floor
        The plateaus at the end of the bands and at that of the background.
    full_scale
        The greatest value that can be stored; None for floating-point values.
    lossy
        Of a JPEG, whose reader has told already that it has 8 bits.
    shades
        `shades_of` the values, where they were counted before.

    Returns
    -------
    tuple of str
    """
    told: list[str] = []
    n_pixels = values.size
    if bands.n_pixels:
        told.append(
            f"{bands.n_pixels} pixels are saturated at {bands.value:g}: bands that reach them hold more "
            "protein than they measure; expose for a shorter time or load less"
        )
    cut_off = floor.n_pixels / n_pixels if floor.n_pixels >= _CUT_OFF * n_pixels else 0.0
    distinct, counts = shades or shades_of(values)
    common = counts.max() / n_pixels
    limits = (0, full_scale)
    if bands.n_pixels and cut_off and bands.value in limits and floor.value in limits:
        told.append(
            f"the contrast was stretched until {100 * bands.n_pixels / n_pixels:.2g} % of the pixels were at "
            f"one end and {100 * cut_off:.2g} % at the other: ratios of bands come out too small; {EXPORT}"
        )
    elif cut_off:
        told.append(
            f"{100 * cut_off:.2g} % of the pixels have the value {floor.value:g}, where the background was "
            f"cut off: faint bands may measure too little; {EXPORT}, without subtracting a background"
        )
    elif distinct.size > 2 and common > _ONE_VALUE:
        told.append(
            f"{100 * common:.0f} % of the pixels have the value {distinct[counts.argmax()]:g}: the "
            f"background was cut off or rounded away, and with it faint bands; {EXPORT}"
        )
    if full_scale is not None and full_scale < _EIGHT_BIT_VALUES:
        gaps = _gaps(values)
        if gaps >= _GAPS:
            told.append(
                f"{gaps} grey values between the darkest and the brightest do not occur at all: contrast or "
                f"gamma was changed after the image was made 8-bit; {EXPORT}"
            )
        elif not lossy:
            told.append(
                "this image has 8 bits, as images for display have: faint bands are coarse, and whether its "
                f"contrast or gamma was changed cannot be seen; {EXPORT}"
            )
    elif _EIGHT_BIT_VALUES >= distinct.size > 2 and np.ptp(distinct) > 2 * _EIGHT_BIT_VALUES:
        told.append(
            f"the image has only {distinct.size} grey values: it was made from an 8-bit image, so that faint "
            f"bands are coarse and its contrast may have been changed; {EXPORT}"
        )
    return tuple(told)


def shades_of(values: NDArray[Any]) -> Shades:
    """The values that occur, from the least, and how many pixels have each."""
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        counts = np.bincount(values.ravel())
        distinct = np.flatnonzero(counts)
        return distinct.astype(values.dtype), counts[distinct]
    return np.unique(values, return_counts=True)


def _gaps(values: NDArray[Any]) -> int:
    """Empty values whose two neighbours are crowded, as changing the contrast of an 8-bit image leaves."""
    counts = np.bincount(values.ravel().astype(np.int64), minlength=_EIGHT_BIT_VALUES)
    crowded = counts >= _CROWDED
    return int((crowded[:-2] & (counts[1:-1] == 0) & crowded[2:]).sum())

"""The copy of an image that is looked at: 8 bits, at most a few million pixels; never measured.

The grey values are square roots: of a 16-bit image, 8 bits in equal steps would leave two or three greys
for a faint band; the root leaves it thirty.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["COLOURED", "SATURATED", "Display", "display"]

COLOURED, SATURATED = 1, 2  # of several pixels in a block the greatest mark is shown
_MOST_PIXELS = 5_000_000


@dataclass(frozen=True, eq=False)
class Display:
    """A copy to look at.

    Attributes
    ----------
    grey : (h, w) uint8 ndarray
        255 times the root of where a value lies from `low` to `high`; high for protein.
    marks : (h, w) uint8 ndarray
        `SATURATED`, `COLOURED` or 0.
    low, high
        Least and greatest value of the image.
    factor
        How many pixels of the image, across and down, one pixel of the copy stands for.
    """

    grey: np.ndarray
    marks: np.ndarray
    low: float
    high: float
    factor: int

    def packed(self) -> bytes:
        """Greys, then marks, deflated: half the size in a few hundredths of a second."""
        return zlib.compress(self.grey.tobytes() + self.marks.tobytes(), 1)


def display(image: Any, *, most_pixels: int = _MOST_PIXELS) -> Display:
    """The copy of a `labkit.blots.BlotImage` to look at.

    A large image is shrunk by a whole number: greys are means, and one saturated pixel marks its block.
    """
    signal = np.asarray(image.signal)
    factor = max(1, math.ceil(math.sqrt(signal.size / most_pixels)))
    low, high = float(np.nanmin(signal)), float(np.nanmax(signal))
    marks = np.zeros(signal.shape, np.uint8)
    marks[np.asarray(image.coloured, bool)] = COLOURED
    marks[np.asarray(image.saturated, bool)] = SATURATED
    values = signal.astype(np.float32)
    if factor > 1:
        values = _blocks(np.add, values, factor) / _blocks(np.add, np.ones_like(values), factor)
        marks = _blocks(np.maximum, marks, factor)
    part = np.clip((np.nan_to_num(values, nan=low) - low) / ((high - low) or 1.0), 0, 1)
    return Display(np.rint(255 * np.sqrt(part)).astype(np.uint8), marks, low, high, factor)


def _blocks(combine: np.ufunc, values: np.ndarray, factor: int) -> np.ndarray:
    """Values combined over blocks of `factor` rows and columns; at the lower and right edge of less.

    Slice by slice: `reduceat` takes twenty times as long.
    """
    for _ in ("rows", "columns"):
        out = values[::factor].copy()
        for k in range(1, factor):
            part = values[k::factor]
            combine(out[: len(part)], part, out=out[: len(part)])
        values = out.T
    return values

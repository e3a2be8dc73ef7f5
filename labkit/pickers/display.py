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

SATURATED, COLOURED = 1, 2
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
    marks = np.zeros(signal.shape, np.uint8)
    marks[np.asarray(image.coloured, bool)] = COLOURED
    marks[np.asarray(image.saturated, bool)] = SATURATED
    low, high = float(np.nanmin(signal)), float(np.nanmax(signal))
    signal = signal.astype(np.float32)
    if factor > 1:
        signal = _blocks(signal, factor).mean(axis=(1, 3))
        blocks = _blocks(marks, factor)
        marks = np.where((blocks == SATURATED).any(axis=(1, 3)), SATURATED, blocks.max(axis=(1, 3)))
    part = np.clip((signal - low) / ((high - low) or 1.0), 0, 1)
    grey = np.rint(255 * np.sqrt(np.nan_to_num(part)))
    return Display(grey.astype(np.uint8), marks.astype(np.uint8), low, high, factor)


def _blocks(values: np.ndarray, factor: int) -> np.ndarray:
    """(h, factor, w, factor) view; edges are repeated to fill the last blocks."""
    pad = [(0, -size % factor) for size in values.shape]
    values = np.pad(values, pad, mode="edge")
    return values.reshape(values.shape[0] // factor, factor, values.shape[1] // factor, factor)

"""Bio-Rad .1sc scans, as ChemiDoc XRS and Quantity One write them: the image alone.

A file holds eleven blocks, named by their type in a table at the head; the block of type 130 is the image,
two bytes a pixel, from the bottom row to the top, and that of type 129 says how wide and how high it is.
Checked on the one public file whose export from Image Lab is public too: every pixel is the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ImageError

__all__ = ["MAGIC", "decode_1sc"]

MAGIC = b"\xaf\xafStable File Version"
_LITTLE_ENDIAN = b"Intel Format"
_HEAD, _TABLE_AT, _ENTRY, _ENTRIES = 0x88, 0xA0, struct.Struct("<HH4xII4x"), 11
_SCAN_BLOCK, _IMAGE_BLOCK = 129, 130
_EXPORT = "open it in Image Lab or Quantity One and export it as a 16-bit TIFF for analysis"


def decode_1sc(data: bytes) -> NDArray[np.uint16]:
    """The image of a .1sc file.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    ndarray
        (H, W) uint16, the top row first, as Image Lab exports it.

    Raises
    ------
    ImageError
        If the file is cut short, or is of another make than those that are known.
    """
    if _LITTLE_ENDIAN not in data[:_HEAD]:
        raise ImageError("this .1sc file is not in the Intel byte order", todo=_EXPORT)
    try:
        table = [_ENTRY.unpack_from(data, _TABLE_AT + i * _ENTRY.size) for i in range(_ENTRIES)]
    except struct.error:
        raise ImageError("the .1sc file is cut short", todo="copy it again from the instrument") from None
    blocks = {kind: (start, length) for kind, _, start, length in table}
    if not {_SCAN_BLOCK, _IMAGE_BLOCK} <= blocks.keys():
        raise ImageError("this kind of .1sc file is not known", todo=_EXPORT)
    start, length = blocks[_IMAGE_BLOCK]
    if start + length > len(data):
        raise ImageError(
            f"the .1sc file is cut short ({len(data)} of {start + length} bytes)",
            todo="copy it again from the instrument",
        )
    scan_start, scan_length = blocks[_SCAN_BLOCK]
    sizes = set(_sizes(data[scan_start : scan_start + scan_length], length))
    if len(sizes) != 1:
        raise ImageError("the .1sc file does not say how wide and high its image is", todo=_EXPORT)
    width, height = sizes.pop()
    return np.frombuffer(data, "<u2", width * height, start).reshape(height, width)[::-1]


def _sizes(block: bytes, length: int) -> Iterator[tuple[int, int]]:
    """Neighbouring numbers that multiply to the number of pixels: width, height."""
    numbers = np.frombuffer(block[: len(block) // 2 * 2], "<u2").astype(np.int64)
    for i in np.flatnonzero((numbers[:-1] * numbers[1:] * 2 == length) & (numbers[:-1] > 1)):
        if numbers[i + 1] > 1:
            yield int(numbers[i]), int(numbers[i + 1])

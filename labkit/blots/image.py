"""The image of a blot as numbers: signal that grows with protein, in float64, as it was recorded.

Notation: an image has H rows and W columns. Its values are never rescaled, so that two images of one membrane
stay comparable; an image with dark bands is turned round by taking its values from the full scale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.blots.formats import EXPORT, Pixels, read_pixels
from labkit.blots.grey import to_grey
from labkit.blots.polarity import UNSURE_BELOW, Polarity, propose_polarity
from labkit.blots.saturation import contrast_told, plateau, shades_of
from labkit.errors import ImageError

__all__ = ["BlotImage", "as_image", "read"]

# From this confidence on, a stated polarity that the image contradicts is worth a second look.
_SURE = 0.5


@dataclass(frozen=True, eq=False)
class BlotImage:
    """An image of a blot, ready to be measured.

    Attributes
    ----------
    signal
        (H, W) float64, high where there is more protein, in the grey values of the file.
    saturated
        (H, W) bool, pixels on the plateau at the end of the bands, where the camera or the export clipped.
        Those in the box of a band spoil it; those of letters or of the ladder do not matter.
    coloured
        (H, W) bool, pixels whose colour channels differ: marks that were painted over the image.
    bit_depth
        Bits of a stored value.
    polarity
        How bands look in the file: "bright" or "dark".
    polarity_stated
        Whether a person said so; otherwise it is proposed from the image.
    warnings
        Sentences on what is doubtful about the image, each with what to do.
    path
        The file, or None for an array.
    """

    signal: NDArray[np.float64]
    saturated: NDArray[np.bool_]
    coloured: NDArray[np.bool_]
    bit_depth: int
    polarity: Polarity
    polarity_stated: bool
    warnings: tuple[str, ...]
    path: Path | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.signal.shape


def read(path: str | Path, *, polarity: Polarity | None = None) -> BlotImage:
    """Read the image of a blot from a file.

    Parameters
    ----------
    path
        A TIFF (8, 16, 32 bits or floating point, any compression, tiled; of several images the largest), a
        PNG, a JPEG or a Bio-Rad .1sc, known by its first bytes. RGB is read when it is grey.
    polarity
        How bands look in the file, "bright" or "dark"; by default it is proposed from the image, and a
        warning says when that is a guess.

    Returns
    -------
    BlotImage

    Raises
    ------
    ImageError
        If the file is missing, damaged or of another format, in colour, black and white only, or holds values
        that are no numbers.

    Examples
    --------
    >>> read("no such file.tif")
    Traceback (most recent call last):
    labkit.errors.ImageError: no such file.tif: there is no such file; check the name and the folder.
    """
    path = Path(path)
    try:
        return replace(_image(read_pixels(path), polarity), path=path)
    except ImageError as error:
        raise ImageError(error.found, expected=error.expected, todo=error.todo, where=path) from None


def as_image(array: ArrayLike, *, polarity: Polarity | None = None) -> BlotImage:
    """Take an array for the image of a blot, with the checks that a file gets.

    Parameters
    ----------
    array
        (H, W), or (H, W, C) with channels of colour and alpha; integers of up to 32 bits, whose full scale is
        that of their type, or other numbers, whose full scale is taken to be the greatest among them.
    polarity
        As for `read`.

    Returns
    -------
    BlotImage
        The signal of dark bands is the full scale less the value; of bright ones the value.

    Raises
    ------
    ImageError
        As for `read`.

    Examples
    --------
    >>> membrane = np.full((60, 80), 200, np.uint8)
    >>> membrane[30:33, 10:70] -= np.uint8(50)
    >>> image = as_image(membrane)
    >>> image.polarity, float(image.signal[31, 40] - image.signal[0, 0])
    ('dark', 50.0)
    """
    values = np.asarray(array)
    return _image(Pixels(values, bit_depth=8 * values.dtype.itemsize), polarity)


def _image(pixels: Pixels, polarity: Polarity | None) -> BlotImage:
    if polarity not in (None, "bright", "dark"):
        raise ImageError(
            f"the polarity is {polarity!r}",
            expected="bright or dark",
            todo="say how bands look in the file, or leave it out",
        )
    _check(pixels.values)
    full_scale = _full_scale(pixels)
    greatest = full_scale or float(pixels.values.max())
    values, coloured, told = to_grey(pixels.values, full_scale=greatest)
    proposed, confidence = propose_polarity(values)
    chosen = polarity or proposed
    ends = ("high", "low") if chosen == "bright" else ("low", "high")
    limit = full_scale if values.dtype.kind == "u" else None
    known = {"full_scale": limit, "lossy": pixels.lossy, "shades": shades_of(values)}
    bands, floor = (plateau(values, end=end, **known) for end in ends)
    signal = values.astype(np.float64)
    return BlotImage(
        signal=signal if chosen == "bright" else greatest - signal,
        saturated=bands.mask,
        coloured=coloured,
        bit_depth=pixels.bit_depth,
        polarity=chosen,
        polarity_stated=polarity is not None,
        warnings=(
            *_polarity_told(polarity, proposed, confidence),
            *pixels.told,
            *told,
            *_shades_told(values),
            *contrast_told(values, bands=bands, floor=floor, **known),
        ),
    )


def _full_scale(pixels: Pixels) -> float | None:
    """The greatest value that can be stored; None of floating-point numbers.

    Nor of integers above 32 bits: no instrument fills them, and float64 cannot hold their full scale.
    """
    kind = pixels.values.dtype.kind
    if kind == "f" or pixels.bit_depth > 32:
        return None
    return float(2 ** (pixels.bit_depth - (kind == "i")) - 1)


def _check(values: NDArray[Any]) -> None:
    if values.ndim not in (2, 3) or not values.size:
        raise ImageError(
            f"the image has the shape {values.shape}", expected="rows and columns of grey values", todo=EXPORT
        )
    if values.dtype.kind not in "iuf":
        raise ImageError(
            f"the image holds values of the type {values.dtype}", expected="grey values", todo=EXPORT
        )
    if values.dtype.kind == "f":
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, column = bad[0][:2]
            raise ImageError(
                f"{len(bad)} {'pixel is' if len(bad) == 1 else 'pixels are'} not a number or infinite, the "
                f"first in row {row + 1}, column {column + 1}",
                expected="grey values",
                todo="crop the image to the part that was recorded, or export it again",
            )


def _shades_told(values: NDArray[Any]) -> tuple[str, ...]:
    first, last = values.min(), values.max()
    if first == last:
        return (f"every pixel has the value {first:g}, so that there is nothing to measure; {EXPORT}",)
    if ((values == first) | (values == last)).all():
        return (f"the image has two grey values only, so that bands have no measure; {EXPORT}",)
    return ()


def _polarity_told(stated: Polarity | None, proposed: Polarity, confidence: float) -> tuple[str, ...]:
    if stated is None and confidence < UNSURE_BELOW:
        return (
            f"it is not clear from the image whether bands are dark or bright; {proposed} is taken; look at "
            "it and say which they are",
        )
    if stated is not None and stated != proposed and confidence >= _SURE:
        return (
            f"bands are said to be {stated}, but look {proposed}; look at the image and correct it if so",
        )
    return ()

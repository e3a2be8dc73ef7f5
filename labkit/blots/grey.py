"""Grey values of an image that is stored in colour.

Programs export a grey blot as RGB with equal channels, and paint over it: Image Lab marks clipped pixels in
red, people write in blue. Pixels whose channels differ are counted and masked; a colour photograph is
refused, since its channels are no measure of protein.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.blots.formats import EXPORT
from labkit.errors import ImageError

__all__ = ["to_grey"]

# Channels that differ by less of the full scale are the same, but for rounding and the colours of a JPEG.
_SAME = 0.04
# The image is not a grey one that was painted over if more than this part of its pixels is coloured, or of
# its light above the darkest pixel: bands of one colour on black are few pixels, but all the light.
_MOST_COLOURED, _MOST_LIGHT = 0.05, 0.5


def to_grey(
    values: NDArray[Any], *, full_scale: float
) -> tuple[NDArray[Any], NDArray[np.bool_], tuple[str, ...]]:
    """The grey values behind colour channels.

    Parameters
    ----------
    values
        (H, W), or (H, W, C): grey and alpha; red, green and blue; the same and alpha.
    full_scale
        The greatest value that can be stored.

    Returns
    -------
    grey : ndarray
        (H, W), of the dtype of `values`. The middle one of three channels, which stays what it was where one
        channel or two were painted over with nothing.
    coloured : ndarray of bool
        (H, W), where channels differ by more than 4 % of the full scale.
    told : tuple of str
        Sentences for the user.

    Raises
    ------
    ImageError
        If more than 5 % of the pixels are coloured, or half of the light is, or if a channel is empty that
        others are not.

    Examples
    --------
    >>> ramp = np.tile(np.arange(100, dtype=np.uint8), (100, 1))
    >>> image = np.dstack([ramp, ramp, ramp])
    >>> image[4, 0] = 255, 0, 0
    >>> grey, coloured, _ = to_grey(image, full_scale=255)
    >>> int(grey[4, 0]), int(coloured.sum())
    (0, 1)
    """
    if values.ndim == 2:
        return values, np.zeros(values.shape, bool), ()
    told: list[str] = []
    n_channels = values.shape[2]
    if n_channels in (2, 4):
        see_through = int((values[..., -1] < full_scale).sum())
        if see_through:
            told.append(
                f"{see_through} pixels are transparent and are measured as if they were not; {EXPORT}"
            )
        values = values[..., :-1]
    if values.shape[2] == 1:
        return values[..., 0], np.zeros(values.shape[:2], bool), tuple(told)
    if values.shape[2] != 3:
        raise ImageError(f"the image has {n_channels} channels", expected="grey values", todo=EXPORT)
    low, high = values.min(axis=2), values.max(axis=2)
    # In float64, since a difference of signed values may not fit their type.
    apart = high.astype(np.float64) - low
    coloured = apart > _SAME * full_scale
    light = (high - high.min().astype(np.float64)).sum()
    empty = np.ptp(values, axis=(0, 1)) == 0
    if (
        coloured.mean() > _MOST_COLOURED
        or apart[coloured].sum() > _MOST_LIGHT * light
        or (empty.any() and not empty.all())
    ):
        raise ImageError(
            "the image is in colour, as a photograph, false colours or several fluorescent channels are",
            expected="an image in shades of grey",
            todo="export the channel of the bands in grey, as a 16-bit TIFF",
        )
    n_coloured = int(coloured.sum())
    if n_coloured:
        told.append(
            f"{n_coloured} {'pixel is' if n_coloured == 1 else 'pixels are'} painted over in colour, as "
            "Image Lab does where the camera was saturated; bands that they touch are in doubt, so export "
            "the raw 16-bit image without marks and overlays"
        )
    first, second, third = np.moveaxis(values, 2, 0)
    grey = np.maximum(np.minimum(first, second), np.minimum(np.maximum(first, second), third))
    return grey, coloured, tuple(told)

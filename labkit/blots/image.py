"""The image of a blot as numbers: signal that grows with protein, in float64, as it was recorded.

Notation: an image has H rows and W columns. Its values are never rescaled, so that two images of one membrane
stay comparable; an image with dark bands is turned round by taking its values from the full scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.blots.polarity import Polarity, propose_polarity
from labkit.errors import ImageError

__all__ = ["BlotImage", "as_image", "read"]


@dataclass(frozen=True, eq=False)
class BlotImage:
    """An image of a blot, ready to be measured.

    Attributes
    ----------
    signal
        (H, W) float64, high where there is more protein.
    saturated
        (H, W) bool, pixels on the plateau where the camera or the export was clipped.
    coloured
        (H, W) bool, pixels whose colour channels differ: marks that were painted over the image.
    bit_depth
        Bits of a stored value.
    polarity
        How bands look in the file: "bright" or "dark".
    polarity_stated
        Whether a person said so; otherwise it is proposed from the image.
    warnings
        Sentences on what is doubtful about the image and what to do.
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
    path: Path | None


def read(path: str | Path, *, polarity: Polarity | None = None) -> BlotImage:
    """Read a blot from a file."""
    import tifffile

    image = as_image(tifffile.imread(path), polarity=polarity)
    return BlotImage(**{**image.__dict__, "path": Path(path)})


def as_image(array: ArrayLike, *, polarity: Polarity | None = None) -> BlotImage:
    """Take an array (H, W) for a blot."""
    values = np.asarray(array)
    if values.ndim == 3:
        values = np.median(values[..., :3], axis=2).astype(values.dtype)
    if values.ndim != 2 or not values.size:
        raise ImageError(
            f"the image has the shape {values.shape}", expected="rows and columns of grey values"
        )
    proposed, _ = propose_polarity(values)
    chosen = polarity or proposed
    signal = values.astype(np.float64)
    if chosen == "dark":
        signal = (np.iinfo(values.dtype).max if values.dtype.kind in "iu" else signal.max()) - signal
    none = np.zeros(values.shape, bool)
    return BlotImage(
        signal=signal,
        saturated=none,
        coloured=none.copy(),
        bit_depth=8 * values.dtype.itemsize,
        polarity=chosen,
        polarity_stated=polarity is not None,
        warnings=(),
        path=None,
    )

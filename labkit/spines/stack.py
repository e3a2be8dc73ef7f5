"""A stack of images of a dendrite: voxels that are read where they are needed, and their true size.

Notation: Z planes of Y x X pixels. Points are (z, y, x), as indices of voxels where a name says ``voxel`` and
in micrometres where it says ``um``. Voxel (0, 0, 0) lies at 0 um.

A voxel size is never guessed: lengths, densities and classes all hang on it. One plane has no depth; its z
size is NaN, and all of its points lie at z = 0 um.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.errors import ImageError
from labkit.spines.formats import open_image

__all__ = ["Modality", "Stack", "read"]

Modality = Literal["fluorescence", "brightfield"]

# Sizes that a light microscope on dendrites can have; outside of them a unit is wrong.
_LATERAL_UM = (0.01, 1.0)
_AXIAL_UM = (0.02, 10.0)
# Every so many-th pixel of some rows of some planes tells the brightness of the whole.
_STRIDE = 8
_MOST_PLANES, _MOST_ROWS = 16, 128


@dataclass(frozen=True, eq=False)
class Stack:
    """One channel of a stack, read when it is cut.

    Attributes
    ----------
    data
        (Z, Y, X) voxels as stored: a memory map, an array, or planes decoded on demand. Cut it with slices.
    voxel_um
        Size of a voxel along z, y and x. z is NaN for one plane.
    modality
        ``fluorescence`` (bright on dark) or ``brightfield`` (dark on bright, as Golgi).
    white
        Value of clear glass in brightfield, from which optical density is reckoned; NaN in fluorescence.
    path, channel
        Where the voxels come from.
    warnings
        What a reader should know, in words.
    """

    data: Any
    voxel_um: tuple[float, float, float]
    modality: Modality = "fluorescence"
    white: float = math.nan
    path: Path | None = None
    channel: int = 0
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_array(
        cls, data: ArrayLike, *, voxel_um: Sequence[float], modality: Modality | None = None
    ) -> Stack:
        """A stack from voxels in memory, of axes (z, y, x) or (y, x).

        Examples
        --------
        >>> voxels = np.arange(5 * 64 * 64).reshape(5, 64, 64)
        >>> Stack.from_array(voxels, voxel_um=(1, 0.1, 0.1), modality="fluorescence")
        Stack(array: 5 planes of 64 x 64, voxel 1 x 0.1 x 0.1 um, fluorescence)
        """
        voxels = np.asarray(data)
        voxels = voxels[None] if voxels.ndim == 2 else voxels
        if voxels.ndim != 3:
            raise ImageError(f"the array has {voxels.ndim} axes", expected="z, y, x or y, x")
        return _made(voxels, (math.nan,) * 3, voxel_um, modality, None, 0)

    def __repr__(self) -> str:
        z, y, x = self.shape
        size = " x ".join(f"{v:g}" for v in self.voxel_um if np.isfinite(v))
        name = self.path.name if self.path else "array"
        planes = f"{z} planes of" if z > 1 else "one plane of"
        return f"Stack({name}: {planes} {y} x {x}, voxel {size} um, {self.modality})"

    @property
    def shape(self) -> tuple[int, int, int]:
        return tuple(self.data.shape)

    @property
    def is_plane(self) -> bool:
        """Whether there is one plane only, so that no depth is known."""
        return self.shape[0] == 1

    @property
    def scale_um(self) -> NDArray[np.float64]:
        """(3,) what an index is multiplied by to be in um; that of z is 0 for one plane."""
        return np.nan_to_num(np.array(self.voxel_um, float), nan=0.0)

    def to_um(self, voxels: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) positions in um of (fractional) voxel indices."""
        return np.asarray(voxels, float) * self.scale_um

    def to_voxels(self, um: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) fractional voxel indices of positions in um."""
        scale = self.scale_um
        return np.asarray(um, float) / np.where(scale > 0, scale, 1.0)

    def signal(self, cut: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """A cut of the stack as numbers that grow with the amount of label.

        Fluorescence as stored; brightfield as optical density, ``-log10(I / I_white)``, which is
        proportional to the amount of stain, and not below 0.
        """
        voxels = np.asarray(self.data[cut]).astype(np.float32)
        if self.modality == "fluorescence":
            return voxels
        # A black voxel has no finite density: half a grey level is the least that light there can be.
        return np.maximum(-np.log10(np.maximum(voxels, 0.5) / np.float32(self.white)), 0.0)

    def projection(self, cut: tuple[slice, slice, slice] | None = None) -> NDArray[np.float32]:
        """(Y, X) greatest signal along z, one plane in memory at a time."""
        z, y, x = cut or (slice(None),) * 3
        out: NDArray[np.float32] | None = None
        for plane in range(*z.indices(self.shape[0])):
            one = self.signal((slice(plane, plane + 1), y, x))[0]
            out = one if out is None else np.maximum(out, one, out=out)
        if out is None:
            raise ImageError("no plane is asked for", expected=f"planes of 0 to {self.shape[0] - 1}")
        return out


def read(
    path: str | Path,
    *,
    voxel_um: Sequence[float] | None = None,
    channel: int | str | None = None,
    modality: Modality | None = None,
    axes: str | None = None,
) -> Stack:
    """Open a stack or an image; its voxels are read later, where they are needed.

    Parameters
    ----------
    path
        TIFF, OME-TIFF, ImageJ hyperstack, LSM; PNG and JPEG as one plane.
    voxel_um
        (z, y, x), or (y, x) for one plane, in micrometres. Wins over what the file says.
    channel
        Number of the channel from 0. Needed when the file has several; ``"mean"`` averages the colours
        of a colour image, as is right for Golgi stain.
    modality
        ``fluorescence`` or ``brightfield``. By default what the histogram says, which is told in `warnings`
        when it is brightfield.
    axes
        Letters of the file's axes where it says them wrong, such as ``"ZYX"``.

    Returns
    -------
    Stack

    Raises
    ------
    ImageError
        If the file cannot be read, has several channels of which none is chosen, or its voxel size is
        missing or is not one that a light microscope can have.

    Notes
    -----
    Memory stays small whatever the size of the file: an uncompressed TIFF is mapped, and of a compressed one
    single planes are decoded.
    """
    opened = open_image(path, axes=axes)
    voxels, number = _channel(opened, channel, Path(path))
    return _made(voxels, opened.voxel_um, voxel_um, modality, Path(path), number)


def _channel(opened: Any, wanted: int | str | None, path: Path) -> tuple[Any, int]:
    n = len(opened.channels)
    if wanted == "mean" and opened.is_colour:
        return np.mean(opened.channels, axis=0).astype(np.float32), -1
    if wanted is None and n == 1:
        return opened.channels[0], 0
    if isinstance(wanted, int) and 0 <= wanted < n:
        return opened.channels[wanted], wanted
    kind = "colours" if opened.is_colour else "channels"
    mean = ", or 'mean' for Golgi stain" if opened.is_colour else ""
    raise ImageError(
        f"the file has {n} {kind}" + (f" and channel is {wanted!r}" if wanted is not None else ""),
        expected=f"channel = 0 to {n - 1}{mean}" if n > 1 else "channel = 0",
        todo="say which channel shows the dendrites",
        where=path.name,
    )


def _made(
    voxels: Any,
    told: tuple[float, float, float],
    given: Sequence[float] | None,
    modality: Modality | None,
    path: Path | None,
    channel: int,
) -> Stack:
    """A stack whose voxel size, modality and brightness are checked."""
    where = path.name if path else ""
    warnings: tuple[str, ...] = ()
    if min(voxels.shape) == 0:
        raise ImageError("the image is empty", where=where)
    size = _voxel(voxels.shape[0] == 1, told, given, where)
    if given is not None and np.isfinite(told[2]) and abs(told[2] / size[2] - 1) > 0.02:
        warnings = (*warnings, f"the file says pixels of {told[2]:g} um; {size[2]:g} um is used, as given")
    sample = _sample(voxels, _STRIDE)
    if sample.min() == sample.max():
        sample = _sample(voxels, 1)
    if not np.isfinite(sample).all():
        raise ImageError("the image has voxels that are not numbers", where=where)
    if sample.min() == sample.max():
        raise ImageError(f"all voxels looked at are {sample.min():g}", expected="an image", where=where)
    if modality is None:
        low, middle, high = np.percentile(sample, [1, 50, 99])
        # Dendrites fill little of an image, so that most voxels are background: dark or bright.
        modality = "brightfield" if middle - low > high - middle else "fluorescence"
        if modality == "brightfield":
            warnings = (*warnings, "taken as brightfield, since most of the image is bright")
    elif modality not in ("fluorescence", "brightfield"):
        raise ImageError(f"modality is {modality!r}", expected="'fluorescence' or 'brightfield'", where=where)
    white = float(np.percentile(sample, 95)) if modality == "brightfield" else math.nan
    if modality == "brightfield" and not white > 0:
        raise ImageError(
            "the background is black", expected="a bright background", todo="set modality", where=where
        )
    return Stack(voxels, size, modality, white, path, channel, warnings)


def _voxel(
    plane: bool, told: tuple[float, float, float], given: Sequence[float] | None, where: str
) -> tuple[float, float, float]:
    """Voxel size in um, from what is given or else told by the file; refused if missing or implausible."""
    if given is None:
        size, source = tuple(told), "the file says"
    else:
        numbers = tuple(float(v) for v in np.atleast_1d(np.asarray(given, float)))
        if len(numbers) == 2 and plane:
            numbers = (math.nan, *numbers)
        if len(numbers) != 3:
            wanted = "(z, y, x) or, for one plane, (y, x)" if plane else "(z, y, x)"
            raise ImageError(f"voxel_um has {len(numbers)} numbers", expected=wanted, where=where)
        size, source = numbers, "voxel_um is"
    if plane:
        size = (math.nan, *size[1:])
    needed = size[1:] if plane else size
    if not all(np.isfinite(needed)):
        missing = "pixel size" if plane or not all(np.isfinite(size[1:])) else "distance of the planes"
        raise ImageError(
            f"the {missing} is not known",
            expected="micrometres" if plane else "the size of a voxel along z, y and x in micrometres",
            todo="look it up at the microscope and give it as voxel_um in images.csv",
            where=where,
        )
    bounds = [_AXIAL_UM, _LATERAL_UM, _LATERAL_UM][-len(needed) :]
    if not all(low <= v <= high for v, (low, high) in zip(needed, bounds, strict=True)):
        shown = " x ".join(f"{v:g}" for v in needed)
        nanometres = all(low <= v / 1000 <= high for v, (low, high) in zip(needed, bounds, strict=True))
        raise ImageError(
            f"{source} {shown} um",
            expected=f"pixels of {_LATERAL_UM[0]:g} to {_LATERAL_UM[1]:g} um"
            + ("" if plane else f" and planes {_AXIAL_UM[0]:g} to {_AXIAL_UM[1]:g} um apart"),
            todo="if these are nanometres, divide by 1000" if nanometres else "give the true one as voxel_um",
            where=where,
        )
    return size


def _sample(voxels: Any, stride: int) -> NDArray[np.float64]:
    """Some voxels of some planes, enough to know the histogram; few rows, since whole rows are read."""
    n, height, width = voxels.shape
    chosen = np.unique(np.linspace(0, n - 1, min(n, _MOST_PLANES)).round().astype(int))
    rows = slice(None, None, max(height // _MOST_ROWS, 1) if stride > 1 else 1)
    columns = slice(None, None, stride if width >= 16 * stride else 1)
    return np.concatenate([np.asarray(voxels[z : z + 1, rows, columns], float).ravel() for z in chosen])

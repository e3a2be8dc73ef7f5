"""Opening image files without loading them: axes, voxel size and planes of a TIFF, ImageJ or OME-TIFF file.

A file is opened as `Opened`: one array of axes (z, y, x) a channel that is cut like a numpy array and reads
only what is cut. Uncompressed files are mapped; compressed ones are decoded plane by plane.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ImageError

__all__ = ["Opened", "Planes", "open_image"]

# Micrometres in one of the unit, as microscopes and ImageJ write it.
_MICROMETRES = {
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "micrometre": 1.0, "nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "cm": 1e4, "inch": 25_400.0, "m": 1e6,
}  # fmt: skip
# Written where a camera does not know its scale: dots of a screen or a printer.
_SCREEN_DPI = (72.0, 96.0, 150.0, 300.0)


class Planes:
    """An array of axes (z, y, x) whose planes are decoded when they are cut, and one at a time.

    `planes` is given the numbers of some planes and yields these.
    """

    ndim = 3

    def __init__(
        self,
        shape: tuple[int, int, int],
        dtype: np.dtype,
        planes: Callable[[Sequence[int]], Iterator[NDArray[Any]]],
    ) -> None:
        self.shape, self.dtype, self._planes = shape, dtype, planes

    def __getitem__(self, cut: tuple[slice, slice, slice]) -> NDArray[Any]:
        depths = range(*cut[0].indices(self.shape[0]))
        rows, columns = (len(range(*c.indices(n))) for c, n in zip(cut[1:], self.shape[1:], strict=True))
        out = np.empty((len(depths), rows, columns), self.dtype)
        for i, plane in enumerate(self._planes(depths)):
            out[i] = plane[cut[1], cut[2]]
        return out


@dataclass(frozen=True, eq=False)
class Opened:
    """An image file that is open.

    Attributes
    ----------
    channels
        One array or `Planes` of axes (z, y, x) for each channel.
    voxel_um
        Size of a voxel along z, y and x; NaN where the file does not say.
    is_colour
        Whether the channels are red, green and blue of a camera.
    """

    channels: tuple[Any, ...]
    voxel_um: tuple[float, float, float]
    is_colour: bool = False


def open_image(path: str | Path, *, axes: str | None = None) -> Opened:
    """Open an image file.

    Parameters
    ----------
    path
        TIFF, OME-TIFF, ImageJ hyperstack; PNG and JPEG as single planes.
    axes
        The letters of the file's axes, such as ``"ZYX"``, where the file says them wrong.

    Raises
    ------
    ImageError
        If the file is missing, damaged, or not an image, or its axes are not those of a stack.
    """
    path = Path(path)
    if not path.is_file():
        raise ImageError("there is no such file", todo="check the name in images.csv", where=path)
    if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp"):
        return _picture(path)
    if path.suffix.lower() not in (".tif", ".tiff", ".btf", ".tf8", ".lsm"):
        raise ImageError(
            f"files of type '{path.suffix}' are not read",
            expected="TIFF, OME-TIFF or an ImageJ hyperstack",
            todo="export the stack as TIFF with its scale, for instance by Bio-Formats in Fiji",
            where=path.name,
        )
    return _tiff(path, axes)


def _picture(path: Path) -> Opened:
    """A PNG or JPEG file: one plane, without a scale."""
    from skimage.io import imread

    try:
        pixels = np.asarray(imread(path))
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"the image cannot be decoded ({error})", where=path.name) from error
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if pixels.ndim == 2:
        return Opened((pixels[None],), (math.nan,) * 3)
    return _colours(pixels[None, ..., :3], (math.nan,) * 3)


def _colours(planes: NDArray[Any], voxel_um: tuple[float, float, float]) -> Opened:
    """Channels of an image of axes (z, y, x, colour); a grey image saved in colour is one channel."""
    if all(np.array_equal(planes[..., 0], planes[..., i]) for i in (1, 2)):
        return Opened((planes[..., 0],), voxel_um)
    return Opened(tuple(planes[..., i] for i in range(3)), voxel_um, is_colour=True)


def _tiff(path: Path, axes: str | None) -> Opened:
    import tifffile

    # What tifffile logs about odd tags is not the user's to mend; what it cannot read, it raises.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(path) as file:
            return _series(file, path, axes)
    except _BROKEN as error:
        raise ImageError(
            f"the file cannot be read as TIFF ({error})", todo="copy or export it anew", where=path.name
        ) from error


# What tifffile and its codecs raise on damaged files; TiffFileError is a plain Exception's child.
_BROKEN = (OSError, ValueError, IndexError, KeyError, RuntimeError, AttributeError, TypeError)


def _series(file: Any, path: Path, axes: str | None) -> Opened:
    """The first series of an open TIFF file."""
    series = file.series[0]
    voxel_um = _tiff_voxel(file)
    shape = series.shape
    letters = _letters(series.axes, shape, axes, path)
    whole = tuple(n for n in shape if n != 1)
    kept = "".join(a for a, n in zip(letters, shape, strict=True) if n != 1)
    if "Y" not in kept or "X" not in kept or set(kept) - set("CZYXS"):
        raise ImageError(
            f"the axes of the file are {letters} with {' x '.join(map(str, shape))} points",
            expected="one image or one stack: z, y, x and channels",
            todo="save one time point or position as a file, or say which axis is which with axes='ZYX'",
            where=path.name,
        )
    sizes = dict(zip(kept, whole, strict=True))
    if sizes.get("C", 1) > 6 and "Z" not in sizes:
        raise ImageError(
            f"the file says {sizes['C']} channels and no depth",
            expected="a few channels",
            todo="if the planes are a z-stack, read it with axes='ZYX'",
            where=path.name,
        )
    dtype = np.dtype(series.dtype)
    if dtype.kind not in "uif":
        raise ImageError(f"voxels are of type {dtype}", expected="8- or 16-bit or float", where=path.name)
    _refuse_truncated(series, path)
    if kept in ("YXS", "ZYXS"):
        return _colours(series.asarray().reshape(-1, *whole[-3:])[..., :3], voxel_um)
    outer = kept[:-2]
    if kept[-2:] != "YX" or outer not in ("", "Z", "C", "ZC", "CZ"):
        raise ImageError(f"the axes of the file are {letters}", expected="planes of y and x", where=path.name)
    n_z, n_c = sizes.get("Z", 1), sizes.get("C", 1)
    if series.dataoffset is not None:
        shape4 = (n_z, n_c, *whole[-2:]) if outer == "ZC" else (n_c, n_z, *whole[-2:])
        mapped = np.memmap(path, dtype.newbyteorder(file.byteorder), "r", series.dataoffset, shape4)
        return Opened(tuple(mapped.swapaxes(0, 1) if outer == "ZC" else mapped), voxel_um)

    def reader(channel: int) -> Callable[[Sequence[int]], Iterator[NDArray[Any]]]:
        pages = [z * n_c + channel if outer == "ZC" else channel * n_z + z for z in range(n_z)]
        return lambda depths: _decoded(path, [pages[z] for z in depths])

    return Opened(
        tuple(Planes((n_z, *whole[-2:]), dtype, reader(channel)) for channel in range(n_c)), voxel_um
    )


def _decoded(path: Path, pages: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Single planes of the first series of a TIFF file."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        for index in pages:
            try:
                yield file.series[0].pages[index].asarray()
            except _BROKEN as error:
                raise ImageError(
                    f"plane {index} cannot be decoded ({error})",
                    todo="copy or export the file anew",
                    where=path.name,
                ) from error


def _letters(found: str, shape: tuple[int, ...], given: str | None, path: Path) -> str:
    """Letters of the axes: those given, else those of the file, with unnamed planes taken as depth."""
    if given is not None:
        long = [n for n in shape if n != 1]
        letters = given.upper()
        if len(letters) == len(shape):
            return letters
        if len(letters) == len(long):
            each = iter(letters)
            return "".join("I" if n == 1 else next(each) for n in shape)
        raise ImageError(
            f"axes is '{given}'",
            expected=f"one letter for each of {' x '.join(map(str, shape))}",
            where=path.name,
        )
    letters = found
    # ImageJ writes a stack without named axes as a plain list of images; so do cameras.
    for unnamed in "IQ":
        if "Z" not in letters and letters.count(unnamed) == 1:
            letters = letters.replace(unnamed, "Z")
    return letters


def _refuse_truncated(series: Any, path: Path) -> None:
    size = path.stat().st_size
    if series.dataoffset is not None:
        needed = series.dataoffset + series.nbytes
    else:
        pages = [page for page in series.pages if page is not None]
        needed = max(
            (o + n for p in pages for o, n in zip(p.dataoffsets, p.databytecounts, strict=True)), default=0
        )
    if needed > size:
        raise ImageError(
            f"the file ends early: {size:,} of {needed:,} bytes are there",
            todo="copy it again from the microscope",
            where=path.name,
        )


def _tiff_voxel(file: Any) -> tuple[float, float, float]:
    """Voxel size (z, y, x) in um from OME, ImageJ or plain tags; NaN where none is told."""
    if file.is_ome:
        return _ome_voxel(file.ome_metadata)
    page = file.pages[0]
    lsm = file.lsm_metadata if file.is_lsm else None
    if lsm:
        return tuple(float(lsm[f"VoxelSize{a}"]) * 1e6 for a in "ZYX")
    resolution = [_ratio(page.tags.get(name)) for name in ("YResolution", "XResolution")]
    if file.is_imagej:
        meta = file.imagej_metadata or {}
        factor = _MICROMETRES.get(str(meta.get("unit", "")).strip().lower(), math.nan)
        lateral = [factor / r if r > 0 else math.nan for r in resolution]
        return (float(meta.get("spacing", math.nan)) * factor, *lateral)
    unit = page.tags.get("ResolutionUnit")
    factor = {2: 25_400.0, 3: 10_000.0}.get(int(unit.value) if unit else 2, math.nan)
    screen = factor == 25_400.0 and any(abs(resolution[1] - dpi) < 0.5 for dpi in _SCREEN_DPI)
    if screen or not all(r > 0 for r in resolution):
        return (math.nan,) * 3
    return (math.nan, *(factor / r for r in resolution))


def _ratio(tag: Any) -> float:
    if tag is None:
        return math.nan
    above, below = tag.value
    return above / below if below else math.nan


def _ome_voxel(xml: str) -> tuple[float, float, float]:
    """Physical size of the first image of OME-XML, in um."""
    pixels = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", xml)
    if pixels is None:
        return (math.nan,) * 3
    named = dict(re.findall(r'(\w+)="([^"]*)"', pixels.group()))
    sizes = []
    for axis in "ZYX":
        unit = named.get(f"PhysicalSize{axis}Unit", "µm")
        sizes.append(float(named.get(f"PhysicalSize{axis}", "nan")) * _MICROMETRES.get(unit, math.nan))
    return tuple(sizes)

"""Image files as instruments and their programs write them: stored numbers, and what is doubtful about them.

A file is known by its first bytes, never by its extension. Numbers come as they are stored: neither inverted
when a TIFF says that 0 is white (Image Lab says so of images whose high values are signal), nor rescaled. The
one exception is the square-root scale of Typhoon's .gel files, which is undone as the file prescribes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.blots import biorad
from labkit.errors import ImageError

__all__ = ["EXPORT", "Pixels", "read_pixels"]

#: What to do about every file that cannot be measured, or not well.
EXPORT = "export the raw 16-bit image as TIFF from the imager's program"

_JPEG, _PNG, _PNG_HEADER = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", 33
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FOREIGN = (
    (b"BM", "a BMP picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive, or a document of an office program"),
    (b"\xd0\xcf\x11\xe0", "a document of an old office program"),
    (b"RIFF", "a WebP picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"SIMPLE  =", "a FITS image"),
)
# An image of more pixels is no blot, but a damaged header; the finest scans have some 150 million.
_MOST_PIXELS = 400_000_000
# Colour spaces of TIFF in which the numbers are grey values, or red, green and blue.
_GREY, _PALETTE, _COLOURS = ("MINISWHITE", "MINISBLACK"), "PALETTE", ("RGB", "YCBCR")
_LOSSY = ("JPEG", "OJPEG", "JPEG_LOSSY", "JPEG_2000_LOSSY", "JPEGXR_NDPI", "JPEGXL", "WEBP", "LERC")
# Molecular Dynamics: tag 33445 says how numbers are stored, 33446 the factor.
_MD_SCALED, _MD_FACTOR, _MD_SQUARE_ROOT = 33445, 33446, 2


@dataclass(frozen=True, eq=False)
class Pixels:
    """What a file holds.

    `values` is (H, W), or (H, W, C) with C channels: grey and alpha, or red, green, blue and perhaps alpha.
    `bit_depth` counts the bits of a stored value; `lossy` says whether the compression changed the values;
    `told` holds sentences for the user.
    """

    values: NDArray[Any]
    bit_depth: int
    lossy: bool = False
    told: tuple[str, ...] = ()


def read_pixels(path: Path) -> Pixels:
    """Read the stored numbers of an image file.

    Parameters
    ----------
    path
        A TIFF (any compression, tiled, several pages), PNG, JPEG, or Bio-Rad .1sc.

    Returns
    -------
    Pixels

    Raises
    ------
    ImageError
        If the file is missing, empty, cut short, damaged, or of another format.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError("there is no such file", todo="check the name and the folder") from None
    except IsADirectoryError:
        raise ImageError("this is a folder", expected="an image file", todo="name the file") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"the file cannot be opened ({reason})") from None
    decode = _decoder(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = decode(data)
    except ImageError:
        raise
    except Exception as error:
        # Codecs answer damaged data with whatever error they have, each its own.
        raise ImageError(
            f"the image is damaged or cut short ({error or type(error).__name__})",
            todo="copy the file again from the imaging computer",
        ) from None
    if not pixels.values.size:
        raise ImageError("the image has no pixels", todo=EXPORT)
    return pixels


def _decoder(data: bytes) -> Callable[[bytes], Pixels]:
    if data.startswith(_TIFF):
        return _tiff
    if data.startswith(_PNG):
        return _png
    if data.startswith(_JPEG):
        return _jpeg
    if data.startswith(biorad.MAGIC):
        return lambda data: Pixels(biorad.decode_1sc(data), bit_depth=16)
    if not data.strip(b"\0"):
        found = "the file holds nothing but zeros" if data else "the file is empty"
        raise ImageError(found, todo="copy it again from the imaging computer")
    kind = next((name for magic, name in _FOREIGN if data.startswith(magic)), "of a format that is not known")
    raise ImageError(
        f"the file is {kind}", expected="a TIFF, PNG, JPEG or Bio-Rad .1sc image of a blot", todo=EXPORT
    )


def _png(data: bytes) -> Pixels:
    import imagecodecs

    if len(data) < _PNG_HEADER:
        raise ImageError("the PNG is cut short", todo="copy it again from the imaging computer")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    _check_size(width, height)
    depth, colour = data[24], data[25]
    if depth < 8 and colour == 0:
        raise _too_few_bits(depth)
    return Pixels(imagecodecs.png_decode(data), bit_depth=max(8, depth))


def _jpeg(data: bytes) -> Pixels:
    import imagecodecs

    # The decoder fills up what is missing. The end of the image stands after the start of its last scan.
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise ImageError("the JPEG is cut short", todo="copy it again from the imaging computer")
    values = imagecodecs.jpeg_decode(data)
    if values.ndim == 3 and values.shape[2] == 4:
        raise _colour_space("CMYK")
    told = (
        "this is a JPEG, which has 8 bits and changes grey values to save space: bands are a few per cent "
        f"off, clipping is blurred, and whether contrast or gamma was changed cannot be seen; {EXPORT}",
    )
    return Pixels(values, bit_depth=8 * values.dtype.itemsize, lossy=True, told=told)


def _tiff(data: bytes) -> Pixels:
    import io

    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages = [p for p in file.pages if isinstance(p, tifffile.TiffPage)]
        if not pages:
            raise ImageError("the TIFF holds no image", todo="copy the file again from the imaging computer")
        sizes = [p.imagewidth * p.imagelength for p in pages]
        page = pages[int(np.argmax(sizes))]
        _check_size(page.imagewidth, page.imagelength)
        _check_kind(page)
        told = _pages_told(sizes, pages, file)
        values = page.asarray()
        if page.axes.startswith("S"):
            values = np.moveaxis(values, 0, -1)
        elif values.ndim > 3 or not page.axes.startswith("YX"):
            raise ImageError(f"the TIFF holds an image of the shape {values.shape}", todo=EXPORT)
        depth = page.bitspersample
        if page.photometric.name == _PALETTE:
            values = _through_palette(values, page.colormap)
        if _MD_SCALED in page.tags:
            values, told = _undo_square_root(values, page, told)
        lossy = page.compression.name in _LOSSY
        if lossy:
            told += (
                "the TIFF holds a JPEG or the like, which changes grey values to save space: bands are a few "
                f"per cent off; {EXPORT}",
            )
        return Pixels(values, bit_depth=depth, lossy=lossy, told=told)


def _check_kind(page: Any) -> None:
    photometric = getattr(page.photometric, "name", str(page.photometric))
    if photometric not in (*_GREY, _PALETTE, *_COLOURS):
        raise _colour_space(photometric)
    if page.bitspersample < 8:
        raise _too_few_bits(page.bitspersample)
    if page.dtype is None or page.dtype.kind not in "iuf":
        raise ImageError(f"the TIFF holds values of the kind {page.dtype}", todo=EXPORT)


def _pages_told(sizes: list[int], pages: list[Any], file: Any) -> tuple[str, ...]:
    """What other images there are in the file than the one that is read."""
    stored = sum(size == max(sizes) for size in sizes)
    # ImageJ may store a stack behind a single page.
    stack = (file.imagej_metadata or {}).get("images", 1) if file.is_imagej else 1
    if max(stored, stack) > 1:
        return (
            f"the file holds {max(stored, stack)} images of the same size and the first is read; save each "
            "channel or exposure in a file of its own to measure the others",
        )
    if len(pages) > 1:
        return (
            f"the file holds {len(pages)} images; the largest is read, the others are taken for its previews",
        )
    return ()


def _through_palette(values: NDArray[Any], colormap: NDArray[Any]) -> NDArray[Any]:
    """Colours of a palette, in 8 bits if they come from 8 bits."""
    colours = np.moveaxis(colormap[:, values], 0, -1)
    return (colours // 257).astype(np.uint8) if (colormap % 257 == 0).all() else colours


def _undo_square_root(
    values: NDArray[Any], page: Any, told: tuple[str, ...]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Typhoon and Storm store the square root of the signal, to hold five decades in 16 bits."""
    if page.tags[_MD_SCALED].value != _MD_SQUARE_ROOT:
        return values, told
    above, below = page.tags[_MD_FACTOR].value if _MD_FACTOR in page.tags else (1, 1)
    scaled = values.astype(np.float64) ** 2 * (above / below)
    return scaled, (*told, "the square-root scale of this .gel file is undone, as the file prescribes")


def _check_size(width: int, height: int) -> None:
    if not width or not height:
        raise ImageError("the image has no pixels", todo=EXPORT)
    if width * height > _MOST_PIXELS:
        raise ImageError(
            f"the file says that its image has {width} x {height} pixels",
            expected=f"at most {_MOST_PIXELS // 1_000_000} million pixels",
            todo="copy the file again from the imaging computer, or crop the image to the membrane",
        )


def _too_few_bits(bits: int) -> ImageError:
    shades = "black and white only" if bits == 1 else f"{2**bits} shades of grey"
    return ImageError(f"the image has {shades}, so that bands cannot be measured", todo=EXPORT)


def _colour_space(name: str) -> ImageError:
    return ImageError(
        f"the colours of the image are stored as {name}",
        expected="grey values, or RGB that is grey",
        todo=EXPORT,
    )

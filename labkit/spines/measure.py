"""Sizes of spines: length, head, neck, volume and brightness.

Notation: D distances along the axis of a spine, from the middle of the shaft through the head and beyond; E
distances across it, in the plane of the image. Widths are never taken in depth, where the focus is some times
longer than a spine.

Every width is a full width at half maximum (FWHM) and holds the blur of the microscope. A ball of diameter d
that is much larger than the focus across and smaller than it in depth has a FWHM of 0.8 d; one much smaller
shows the focus, whatever its size. Compare widths of images from one microscope setting only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labkit.errors import ImageError
from labkit.spines.dendrite import Dendrite
from labkit.spines.stack import Stack
from labkit.spines.straighten import interpolate, normals

__all__ = ["measure"]

Floats = NDArray[np.float64]

_STEP_UM = 0.05
# Depths, around that of the spine, whose mean is measured.
_DEPTHS_UM = (-0.5, 0.0, 0.5)
# The axis may start so far along the dendrite from the point of the path that is nearest to the head.
_LEAN_UM = np.arange(-1.0, 1.01, 0.25)
_BEYOND_UM, _ASIDE_UM = 1.5, 1.25
_PIECE = 32
# A neck is measured where it is so much brighter, in noise of its surroundings, than they are.
_NECK_CONTRAST = 3.0
# Closer to the middle of the shaft than this part of its radius, a spine points up or down.
_ON_TOP = 0.7


class _Sizes(NamedTuple):
    length_um: float
    neck_length_um: float
    head_width_um: float
    neck_width_um: float
    peak: float
    doubt: str


def measure(
    stack: Stack, dendrite: Dendrite, places_um: ArrayLike, *, resolution_um: float | None = None
) -> pd.DataFrame:
    """Measure the spines whose heads lie at the places given.

    Parameters
    ----------
    stack, dendrite
        From `read` and `trace`.
    places_um
        (n, 3) centres (z, y, x) of the heads, from `detect` or from a person.
    resolution_um
        FWHM of the microscope in the plane, where it is known: widths below 1.2 times of it are flagged.

    Returns
    -------
    DataFrame
        One row per place, in the order given:

        ``z_um, y_um, x_um``: the place; ``position_um``: its foot along the dendrite; ``side``: left or right
        of the path on the image; ``length_um``: from the edge of the shaft to the tip, where the head has
        fallen to half of its brightness; ``head_width_um``: FWHM across the head where it is widest;
        ``neck_width_um``: least FWHM between shaft and head, NaN where the neck is too faint to be measured;
        ``neck_length_um``: from the edge of the shaft to the head; ``volume_um3``: of a ball of the head's
        width and a cylinder for the neck; ``brightness_over_shaft``: of the head over that of the shaft
        beside it, each over its surroundings; ``flags``. Sizes are NaN where nothing stands out.

    Raises
    ------
    ImageError
        If a place lies outside of the stack.
    """
    places = np.asarray(places_um, float).reshape(-1, 3)
    _refuse_outside(stack, places)
    path = dendrite.path_um
    along = dendrite.position_um
    left, _ = normals(path)
    nearest, feet = _feet(stack, path, along, places)
    shaft, beside = _shaft(stack, path, left)
    rows = []
    for begin in range(0, len(places), _PIECE):
        part = slice(begin, begin + _PIECE)
        rows += _sizes(stack, path, dendrite.radius_um, places[part], feet[part])
    table = []
    for i, sizes in enumerate(rows):
        k = nearest[i]
        sideways = float((places[i] - path[k]) @ left[k])
        flags = [sizes.doubt] if sizes.doubt else []
        flags += _border(stack, places[i])
        if abs(sideways) < _ON_TOP * dendrite.radius_um[k]:
            flags.append("above or below the shaft: sizes are not seen")
        if _saturated(stack, places[i]):
            flags.append("saturated")
        if resolution_um is not None:
            for name, width in (("head", sizes.head_width_um), ("neck", sizes.neck_width_um)):
                if width < 1.2 * resolution_um:
                    flags.append(f"{name} at the limit of resolution")
        neck = 0.0 if np.isnan(sizes.neck_width_um) else sizes.neck_width_um
        volume = np.pi / 6 * sizes.head_width_um**3 + np.pi / 4 * neck**2 * sizes.neck_length_um
        height = shaft[feet[i]] - beside[feet[i]]
        table.append(
            {
                **dict(zip(("z_um", "y_um", "x_um"), places[i], strict=True)),
                "position_um": along[feet[i]],
                "side": "left" if sideways >= 0 else "right",
                "length_um": sizes.length_um,
                "head_width_um": sizes.head_width_um,
                "neck_width_um": sizes.neck_width_um,
                "neck_length_um": sizes.neck_length_um,
                "volume_um3": volume,
                "brightness_over_shaft": (sizes.peak - beside[feet[i]]) / height if height > 0 else np.nan,
                "flags": "; ".join(flags),
            }
        )
    return pd.DataFrame(table, columns=list(_COLUMNS)).astype(_COLUMNS)


_COLUMNS = {
    "z_um": float, "y_um": float, "x_um": float, "position_um": float, "side": str, "length_um": float,
    "head_width_um": float, "neck_width_um": float, "neck_length_um": float, "volume_um3": float,
    "brightness_over_shaft": float, "flags": str,
}  # fmt: skip


def _refuse_outside(stack: Stack, places: Floats) -> None:
    voxels = stack.to_voxels(places)
    out = ~np.isfinite(voxels).all(axis=1) | ((voxels < -0.5) | (voxels > np.array(stack.shape) - 0.5)).any(
        axis=1
    )
    if out.any():
        shown = ", ".join(f"{v:.1f}" for v in places[np.argmax(out)])
        raise ImageError(f"a spine at ({shown}) um lies outside the stack", todo="remove it or move it")


def _feet(
    stack: Stack, path: Floats, along: Floats, places: Floats
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each place the nearest point of the path, and the one at which its spine most likely stands.

    The foot is where the straight way to the head is brightest; 1 um of lean costs as much as losing half
    of the brightness.
    """
    from scipy.spatial import cKDTree

    if len(places) == 0:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    nearest = cKDTree(path).query(places)[1]
    candidates = np.clip(
        nearest[:, None] + np.round(_LEAN_UM / (along[1] - along[0])).astype(int), 0, len(path) - 1
    )
    # From a third of the way, where the shaft ends, to the head.
    parts = np.linspace(0.35, 0.9, 7)
    ways = path[candidates][:, :, None] + parts[None, None, :, None] * (
        places[:, None, None] - path[candidates][:, :, None]
    )
    ways[..., 0] = places[:, 0, None, None]
    levels = np.concatenate([interpolate(stack, ways[i : i + _PIECE]) for i in range(0, len(places), _PIECE)])
    brightness = np.log(np.maximum(levels, 1e-3 * levels.max(initial=1e-12))).mean(axis=2)
    chosen = np.argmax(brightness - np.log(2) * np.abs(_LEAN_UM), axis=1)
    return nearest, candidates[np.arange(len(places)), chosen]


def _shaft(stack: Stack, path: Floats, left: Floats) -> tuple[Floats, Floats]:
    """Brightness (N,) of the shaft, and of its surroundings 2 to 3 um beside it; medians over 3 um."""
    from scipy.ndimage import median_filter

    offsets = np.array([0.0, 2.0, 2.5, 3.0, -2.0, -2.5, -3.0])
    points = path[:, None] + offsets[None, :, None] * left[:, None]
    pieces = [interpolate(stack, points[i : i + 150]) for i in range(0, len(path), 150)]
    levels = np.concatenate(pieces).astype(float)
    window = min(31, len(path))
    return median_filter(levels[:, 0], window, mode="nearest"), median_filter(
        np.median(levels[:, 1:], axis=1), window, mode="nearest"
    )


def _sizes(
    stack: Stack, path: Floats, radius: Floats, places: Floats, feet: NDArray[np.intp]
) -> list[_Sizes]:
    """Sizes of some spines, from the images of all of them sampled at once along their axes."""
    start = path[feet]
    outward = places[:, 1:] - start[:, 1:]
    distance = np.linalg.norm(outward, axis=1)
    tangent = np.gradient(path, axis=0)[feet][:, 1:]
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    # A head right above the shaft has no direction; across the shaft is as good as any.
    across = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    axis = np.where(distance[:, None] > 0.05, outward / np.maximum(distance, 1e-12)[:, None], across)
    aside = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    lean = np.abs(np.sum(axis * across, axis=1))
    edge = radius[feet] / np.maximum(lean, 0.5)
    d = np.arange(0, float(distance.max()) + _BEYOND_UM, _STEP_UM)
    e = np.arange(-_ASIDE_UM, _ASIDE_UM + 1e-9, _STEP_UM)
    depths = np.array(_DEPTHS_UM) if not stack.is_plane else np.zeros(1)
    points = np.empty((len(places), len(depths), len(d), len(e), 3))
    points[..., 0] = places[:, 0, None, None, None] + depths[None, :, None, None]
    for j in (0, 1):
        plane = d[None, :, None] * axis[:, j, None, None] + e[None, None, :] * aside[:, j, None, None]
        points[..., j + 1] = start[:, j + 1, None, None, None] + plane[:, None]
    images = [interpolate(stack, one).mean(axis=0) for one in points]
    return [_one(image, d, e, distance[i], edge[i]) for i, image in enumerate(images)]


def _one(image: NDArray[np.float32], d: Floats, e: Floats, head_at: float, edge: float) -> _Sizes:
    """Sizes from the image (D, E) of one spine whose axis is the middle column."""
    from scipy.ndimage import gaussian_filter1d, median_filter

    # Smoothing against noise, much shorter than a head and, across it, than any focus.
    image = gaussian_filter1d(image.astype(float), 0.1 / _STEP_UM, axis=0, mode="nearest")
    image = gaussian_filter1d(image, 0.05 / _STEP_UM, axis=1, mode="nearest")
    width, height, spread, peak = _widths(image, e)
    near = np.abs(d - head_at) <= 0.3
    near &= d >= min(edge, head_at)
    middle = int(np.flatnonzero(near)[np.argmax(height[near])])
    if not height[middle] > 0:
        return _Sizes(*[np.nan] * 4, float(peak[middle]), "no brighter than its sides: not measured")
    beyond = height[middle:] < height[middle] / 2
    tip = d[min(middle + (int(np.argmax(beyond)) if beyond.any() else len(beyond) - 1), len(d) - 1)]
    # The equator: the widest place near the middle, as the median over 0.25 um against noise.
    equator = near & (height > 0.6 * height[middle])
    head = float(median_filter(width, 5, mode="nearest")[equator].max())
    length = max(float(tip - edge), 0.0)
    neck_length = max(float(d[middle] - head / 2 - edge), 0.0)
    stretch = (d >= edge) & (d <= d[middle])
    doubt = ""
    if neck_length > 0 and stretch.any():
        seen = stretch & (height > _NECK_CONTRAST * spread)
        dark = stretch & ~seen & (d < d[middle] - head / 2)
        neck = np.nan if dark.any() or not seen.any() else float(width[seen].min())
        if np.isnan(neck):
            doubt = "neck too faint to measure"
    else:
        neck = float(width[stretch].min()) if stretch.any() else head
    return _Sizes(
        length, neck_length, head, neck if np.isnan(neck) else min(neck, head), float(peak[middle]), doubt
    )


def _widths(image: Floats, e: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """FWHM (D,) across the axis, height over the sides, noise of the sides, and the greatest value.

    The sides are level with the axis' own distance from the shaft, so that the shaft's glow, which is the
    same all across, falls out.
    """
    rows = np.arange(len(image))
    central = np.flatnonzero(np.abs(e) <= 0.25)
    top = central[np.argmax(image[:, central], axis=1)]
    peak = image[rows, top]
    outer = image[:, np.abs(e) >= 0.8]
    # Neighbours brighten one side; a low percentile of both is the ground.
    base = np.percentile(outer, 25, axis=1)
    spread = np.maximum(base - outer.min(axis=1), 0)
    height = peak - base
    half = (peak + base) / 2
    width = np.zeros(len(image))
    for step in (1, -1):
        reach = np.full(len(image), float(_ASIDE_UM))
        open_ = np.ones(len(image), bool)
        for n in range(1, len(e)):
            at = top + step * n
            inside = (at >= 0) & (at < len(e)) & open_
            if not inside.any():
                break
            value = image[rows[inside], at[inside]]
            before = image[rows[inside], at[inside] - step]
            crossed = value < half[inside]
            index = rows[inside][crossed]
            part = (before[crossed] - half[index]) / np.maximum(before[crossed] - value[crossed], 1e-12)
            reach[index] = (n - 1 + np.clip(part, 0, 1)) * _STEP_UM
            open_[index] = False
        width += reach
    return width, height, spread, peak


def _border(stack: Stack, place: Floats) -> list[str]:
    """Words on a spine that may be cut by the first or last plane, or by the edge of the image."""
    flags = []
    z, y, x = stack.to_voxels(place)
    if not stack.is_plane:
        for name, far in (("first", z), ("last", stack.shape[0] - 1 - z)):
            if far < 0.75:
                flags.append(f"touches the {name} plane")
    near = min(y, x, stack.shape[1] - 1 - y, stack.shape[2] - 1 - x)
    if near * min(stack.voxel_um[1:]) < 0.5:
        flags.append("touches the edge of the image")
    return flags


def _saturated(stack: Stack, place: Floats) -> bool:
    """Whether voxels at a place stand at the end of the scale, as more than two within 0.25 um do."""
    kind = np.dtype(stack.data.dtype)
    if kind.kind not in "ui":
        return False
    middle = np.clip(np.round(stack.to_voxels(place)).astype(int), 0, np.array(stack.shape) - 1)
    reach = [0, *(max(round(0.25 / stack.voxel_um[axis]), 1) for axis in (1, 2))]
    cut = tuple(slice(max(m - r, 0), m + r + 1) for m, r in zip(middle, reach, strict=True))
    voxels = np.asarray(stack.data[cut])
    end = 0 if stack.modality == "brightfield" else np.iinfo(kind).max
    return int(np.sum(voxels == end)) > 2

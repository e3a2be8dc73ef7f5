"""The path of a dendrite between points that a person clicked, its length and its calibre.

Notation: K points clicked, N points of the path. A path of voxels is 7 to 19 % longer than the dendrite,
since it goes in steps; a path in the projection is up to 9 % shorter, since it has no depth. Both errors go
straight into a density, so the length given is that of the recentred and smoothed path in three dimensions.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.errors import ImageError
from labkit.spines.stack import Stack
from labkit.spines.straighten import cross_sections, resample, smooth, steps_um

__all__ = ["Dendrite", "trace"]

Floats = NDArray[np.float64]

STEP_UM = 0.1
# Search grid: fine enough for a thin dendrite (0.4 um and its blur), no finer, since centring follows.
_GRID_UM = 0.35
_MOST_VOXELS = 4_000_000
# How far the path may leave the straight line between two clicks before the search is widened.
_CORRIDOR_UM, _CORRIDOR_PART = 6.0, 0.15
_WIDENINGS = 3
# Cost of a voxel without signal, against 1 for one as bright as the dendrite at the clicks.
_DARK = 0.02
# Window and repeats of recentring.
_CENTRE_UM, _CENTRE_DEPTH_UM, _RECENTRINGS = 1.0, 2.0, 3
# A path is in the background where it is not this much brighter, in noise, than both of its sides.
_CONTRAST = 2.0
_SMOOTH_NOISE_UM = 1.0
# Lit surroundings have this part of the shaft's usual brightness; an end is lit at most so far.
_LIT, _MOST_LIT_UM, _MOST_LIT_PART = 0.1, 10.0, 0.3
# The focus is some times longer than wide, and so is the error of the centre in depth.
_DEPTH_SMOOTHER = 3.0


@dataclass(frozen=True, eq=False)
class Dendrite:
    """A traced dendrite.

    Attributes
    ----------
    path_um
        (N, 3) points (z, y, x) of the recentred, smoothed path, 0.1 um apart.
    length_um
        Its length in three dimensions.
    length_mip_um
        Its length in the projection along z, for comparison with what two-dimensional tools give.
    radius_um
        (N,) half of the width at half of the greatest brightness, in the plane of the image. It holds the
        blur of the microscope: a shaft thinner than the resolution shows the resolution.
    clear_um
        Positions along the path between which its surroundings are dark. Outside of them a thicker branch,
        from which the dendrite springs or into which it runs, lights up the place where spines would be.
    waypoints
        (K, 3) points clicked, as voxel indices.
    flags
        What makes the path doubtful, in words; empty when nothing does.
    """

    path_um: Floats
    length_um: float
    length_mip_um: float
    radius_um: Floats
    clear_um: tuple[float, float]
    waypoints: Floats
    flags: str = ""

    @property
    def position_um(self) -> Floats:
        """(N,) distance along the path of each of its points from the first."""
        return steps_um(self.path_um)

    def __repr__(self) -> str:
        return (
            f"Dendrite({self.length_um:.1f} um long, {self.length_mip_um:.1f} um in projection, "
            f"median radius {np.median(self.radius_um):.2f} um)"
        )


def trace(stack: Stack, waypoints: ArrayLike, *, smooth_um: float = 1.0) -> Dendrite:
    """Follow a dendrite through two or more points clicked on it.

    Parameters
    ----------
    stack
        From `read`.
    waypoints
        (K, 3) points (z, y, x) or (K, 2) points (y, x) as voxel indices, fractions allowed, in the order of
        the path. Where z is NaN or not given, the brightest plane there is taken.
    smooth_um
        Standard deviation of the Gaussian by which the path is smoothed along itself. It shortens an arc of
        radius R by the part ``smooth_um**2 / (2 * R**2)``: 0.5 % at 10 um.

    Returns
    -------
    Dendrite
        ``length_um`` is that of the smoothed path. One plane has no depth: its length is that in projection,
        and the flags say so.

    Raises
    ------
    ImageError
        If there are fewer than two points, or one lies outside the stack.

    Notes
    -----
    Between two clicks the path is that of least cost, where a step costs its length in um over the
    brightness, which is counted from the background to the brightness at the clicks: a brighter neighbour
    does not attract the path more than the dendrite itself. It is then moved to the centre of brightness of
    its cross-sections and smoothed.

    Examples
    --------
    A straight line of 3 um in y and 4 um in x is 5 um long, whatever the voxels:

    >>> from scipy.ndimage import gaussian_filter
    >>> plane = np.zeros((120, 140))
    >>> for i in np.linspace(0, 1, 500):
    ...     plane[round(30 + 60 * i), round(30 + 80 * i)] = 1
    >>> stack = Stack.from_array(gaussian_filter(plane, 4), voxel_um=(0.05, 0.05), modality="fluorescence")
    >>> round(trace(stack, [(30, 30), (90, 110)]).length_um, 1)
    5.0
    """
    points = _checked(stack, waypoints)
    if not (np.isfinite(smooth_um) and smooth_um >= 0):
        raise ImageError(f"smooth_um is {smooth_um}", expected="a number not below 0")
    pieces = [_least_cost(stack, a, b) for a, b in itertools.pairwise(points)]
    rough = np.concatenate([pieces[0][:1], *[piece[1:] for piece in pieces]])
    path = resample(smooth(resample(rough, STEP_UM), STEP_UM, max(smooth_um, 0.5)), STEP_UM)
    for _ in range(_RECENTRINGS):
        path = _recentred(stack, path, smooth_um)
    path = resample(path, STEP_UM)
    radius, contrast, lit = _calibre(stack, path)
    length = float(steps_um(path)[-1])
    mip = float(steps_um(path * (0.0, 1.0, 1.0))[-1])
    clear = (_lit_end(lit, length), length - _lit_end(lit[::-1], length))
    return Dendrite(path, length, mip, radius, clear, points, _flags(stack, path, contrast))


def _checked(stack: Stack, waypoints: ArrayLike) -> Floats:
    """Waypoints with a z each."""
    points = np.asarray(waypoints, float)
    if points.ndim != 2 or points.shape[1] not in (2, 3) or len(points) < 2:
        raise ImageError(
            f"the points have shape {points.shape}", expected="two or more points (z, y, x) or (y, x)"
        )
    if points.shape[1] == 2:
        points = np.column_stack([np.full(len(points), np.nan), points])
    last = np.array(stack.shape) - 1
    for i, point in enumerate(points):
        inside = (point >= -0.5) & (point <= last + 0.5)
        if not (inside[1] and inside[2] and (inside[0] or np.isnan(point[0]))):
            shown = ", ".join(f"{v:g}" for v in point)
            raise ImageError(
                f"point {i + 1} ({shown}) lies outside the stack",
                expected="z, y, x within " + " x ".join(str(n) for n in stack.shape) + " voxels",
                todo="pick the path anew on this file",
            )
    points = np.clip(points, 0, last)
    for point in points:
        if np.isnan(point[0]):
            point[0] = _brightest_plane(stack, point)
    if np.any(np.linalg.norm(np.diff(stack.to_um(points), axis=0), axis=1) == 0):
        raise ImageError("two points that follow each other are the same", todo="remove one of them")
    return points


def _brightest_plane(stack: Stack, point: Floats) -> float:
    """Plane in which the surroundings of a point of the projection, of some 0.5 um, are brightest."""
    cut = [slice(None)]
    for axis in (1, 2):
        half = max(round(0.25 / stack.voxel_um[axis]), 1)
        middle = round(point[axis])
        cut.append(slice(max(middle - half, 0), middle + half + 1))
    from scipy.ndimage import gaussian_filter1d

    brightness = stack.signal(tuple(cut)).mean(axis=(1, 2))
    return (
        float(np.argmax(gaussian_filter1d(brightness, 0.5 / stack.voxel_um[0], mode="nearest")))
        if len(brightness) > 1
        else 0.0
    )


def _least_cost(stack: Stack, start: Floats, end: Floats) -> Floats:
    """(n, 3) path in um between two points, on a coarse grid inside a corridor around the straight line."""
    distance = float(np.linalg.norm(stack.to_um(end) - stack.to_um(start)))
    width = _CORRIDOR_UM + _CORRIDOR_PART * distance
    for _ in range(_WIDENINGS):
        path, touches = _search(stack, start, end, width)
        if not touches:
            break
        width *= 2
    return np.concatenate([stack.to_um(start)[None], path[1:-1], stack.to_um(end)[None]])


def _search(stack: Stack, start: Floats, end: Floats, width_um: float) -> tuple[Floats, bool]:
    """Path in um, and whether it touches the border of the corridor where the stack goes on."""
    from skimage.graph import MCP_Geometric

    scale = np.where(stack.scale_um > 0, stack.scale_um, 1.0)
    last = np.array(stack.shape) - 1
    reach = width_um / scale
    low = np.clip(np.floor(np.minimum(start, end) - reach), 0, last).astype(int)
    high = np.clip(np.ceil(np.maximum(start, end) + reach), 0, last).astype(int)
    grid, pooled = _pooled(stack, low, high, scale)
    centres = [low[i] + (np.arange(n) + 0.5) * pooled[i] - 0.5 for i, n in enumerate(grid.shape)]
    inside = _within(centres, scale, start, end, width_um)
    ends = [tuple(int(np.argmin(np.abs(centres[i] - point[i]))) for i in range(3)) for point in (start, end)]
    inside[ends[0]] = inside[ends[1]] = True
    background = np.median(grid[inside])
    bright = np.mean([_around(grid, point) for point in ends])
    level = np.clip((grid - background) / max(bright - background, 1e-6 * max(abs(bright), 1e-12)), 0, 1)
    cost = np.where(inside, 1 / (_DARK + level), -1.0)
    search = MCP_Geometric(cost, sampling=tuple(scale * pooled))
    search.find_costs([ends[0]], [ends[1]])
    index = np.array(search.traceback(ends[1]))
    path = np.stack([centres[i][index[:, i]] for i in range(3)], axis=1)
    # One grid step from the border is as good as on it.
    shrunk = _within(
        [c[index[:, i]] for i, c in enumerate(centres)],
        scale,
        start,
        end,
        width_um - float((scale * pooled)[1:].max()) * 1.5,
        paired=True,
    )
    return stack.to_um(path), not bool(shrunk.all())


def _pooled(
    stack: Stack, low: NDArray[np.int_], high: NDArray[np.int_], scale: Floats
) -> tuple[NDArray[np.float32], NDArray[np.int_]]:
    """Means over blocks of some 0.35 um (more in large boxes), one plane in memory at a time."""
    shape = high - low + 1
    factor = np.maximum(np.round(_GRID_UM / scale), 1).astype(int)
    if stack.is_plane:
        factor[0] = 1
    while np.prod(np.ceil(shape / factor)) > _MOST_VOXELS:
        factor[1:] += 1
    factor = np.minimum(factor, shape)
    n = shape // factor
    grid = np.zeros(n, np.float32)
    y, x = (slice(low[i], low[i] + n[i] * factor[i]) for i in (1, 2))
    for plane in range(n[0] * factor[0]):
        one = stack.signal((slice(low[0] + plane, low[0] + plane + 1), y, x))[0]
        blocks = one.reshape(n[1], factor[1], n[2], factor[2])
        grid[plane // factor[0]] += blocks.mean(axis=(1, 3)) / factor[0]
    return grid, factor


def _within(
    centres: Sequence[Floats],
    scale: Floats,
    start: Floats,
    end: Floats,
    width_um: float,
    *,
    paired: bool = False,
) -> NDArray[np.bool_]:
    """Points no farther than `width_um` from the straight line from start to end, seen along z."""
    y, x = centres[1] * scale[1], centres[2] * scale[2]
    if not paired:
        y, x = y[:, None], x[None, :]
    a, b = (point[1:] * scale[1:] for point in (start, end))
    along = b - a
    length2 = max(float(along @ along), 1e-12)
    t = np.clip(((y - a[0]) * along[0] + (x - a[1]) * along[1]) / length2, 0, 1)
    near = np.hypot(y - a[0] - t * along[0], x - a[1] - t * along[1]) <= width_um
    return near if paired else np.broadcast_to(near, (len(centres[0]), *near.shape)).copy()


def _around(grid: NDArray[np.float32], point: tuple[int, ...]) -> float:
    """Brightness at a point, as the greatest of its neighbours' on the grid."""
    return float(grid[tuple(slice(max(i - 1, 0), i + 2) for i in point)].max())


def _recentred(stack: Stack, path: Floats, smooth_um: float) -> Floats:
    """The path moved to the centre of brightness of its cross-sections, and smoothed."""
    from labkit.spines.straighten import normals

    across = np.arange(-_CENTRE_UM, _CENTRE_UM + 0.01, 0.1)
    n_depth = 1 if stack.is_plane else 2 * int(np.ceil(_CENTRE_DEPTH_UM / min(stack.voxel_um[0], 0.5))) + 1
    depths = np.linspace(-_CENTRE_DEPTH_UM, _CENTRE_DEPTH_UM, n_depth) if n_depth > 1 else np.zeros(1)
    path = resample(path, STEP_UM)
    sections = cross_sections(stack, path, across, depths).astype(np.float64)
    # Along the path a spine is short and the shaft is long: smoothing keeps the shaft.
    sections = smooth(sections, STEP_UM, _SMOOTH_NOISE_UM)
    top = sections.max(axis=(1, 2), keepdims=True)
    floor = np.percentile(sections, 20, axis=(1, 2), keepdims=True)
    weight = np.maximum(sections - (top + floor) / 2, 0)
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-12)
    left, below = normals(path)
    shift = (weight.sum(axis=1) @ across) / total
    sink = (weight.sum(axis=2) @ depths) / total
    moved = path + shift[:, None] * left + sink[:, None] * below
    moved[:, 0] = np.clip(moved[:, 0], 0, (stack.shape[0] - 1) * stack.scale_um[0])
    if smooth_um == 0:
        return moved
    depth = smooth(moved[:, :1], STEP_UM, _DEPTH_SMOOTHER * smooth_um)
    return np.concatenate([depth, smooth(moved[:, 1:], STEP_UM, smooth_um)], axis=1)


def _calibre(stack: Stack, path: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Radius (N,) at half of the height, contrast (N,) to the sides in noise, and where (N,) they are lit."""
    from scipy.ndimage import percentile_filter

    across = np.arange(-3.0, 3.001, 0.1)
    profile = cross_sections(stack, path, across, np.zeros(1))[:, 0].astype(np.float64)
    profile = smooth(profile, STEP_UM, 0.3)
    window = min(int(3.0 / STEP_UM), len(profile))
    shaft = percentile_filter(profile, 40, size=(window, 1), mode="nearest")
    floor = np.percentile(shaft, 20, axis=1)
    middle = shaft[:, np.abs(across) <= 0.35].max(axis=1)
    half = (middle + floor) / 2
    centre = len(across) // 2
    radius = np.zeros(len(path))
    for side in (slice(centre, None), slice(centre, None, -1)):
        one = shaft[:, side]
        beyond = one < half[:, None]
        first = np.where(beyond.any(axis=1), beyond.argmax(axis=1), one.shape[1] - 1)
        first = np.maximum(first, 1)
        rows = np.arange(len(one))
        inner, outer = one[rows, first - 1], one[rows, first]
        part = np.clip((inner - half) / np.where(inner > outer, inner - outer, 1.0), 0, 1)
        radius += 0.1 * (first - 1 + part) / 2
    sides = profile[:, np.abs(across) > 1.5]
    spread = 1.4826 * np.median(np.abs(sides - np.median(sides, axis=1, keepdims=True)))
    contrast = (profile[:, np.abs(across) <= 0.25].mean(axis=1) - np.median(sides, axis=1)) / max(
        spread, 1e-12
    )
    flanks = [
        np.median(smooth(profile[:, part], STEP_UM, 0.5), axis=1) for part in (across > 1.5, across < -1.5)
    ]
    brighter = np.maximum(*flanks)
    dark = np.percentile(brighter, 20)
    lit = brighter - dark > _LIT * (np.median(middle) - dark)
    return smooth(radius, STEP_UM, 1.0), contrast, lit


def _lit_end(lit: NDArray[np.bool_], length_um: float) -> float:
    """How far from its first point the surroundings stay lit: to the first whole um that is dark."""
    dark = np.convolve(~lit, np.ones(round(1 / STEP_UM)), "valid") > 1 / STEP_UM - 0.5
    reach = float(np.argmax(dark)) * STEP_UM if dark.any() else length_um
    return min(reach, _MOST_LIT_UM, _MOST_LIT_PART * length_um)


def _flags(stack: Stack, path: Floats, contrast: Floats) -> str:
    flags = []
    if stack.is_plane:
        flags.append("one plane: the length is that in projection")
    dark = float(np.mean(contrast < _CONTRAST)) * steps_um(path)[-1]
    if dark > 1.0:
        flags.append(f"{dark:.1f} um of the path are hardly brighter than their sides")
    deep = (stack.shape[0] - 1) * stack.scale_um[0]
    if not stack.is_plane:
        edge = float(np.mean((path[:, 0] < 0.5) | (path[:, 0] > deep - 0.5))) * steps_um(path)[-1]
        if edge > 1.0:
            flags.append(f"{edge:.1f} um of the path run along the first or last plane")
    return "; ".join(flags)

"""The surroundings of a path, laid out straight: position along it, offset across it, depth below it.

Notation: N points of a path; S positions along it, U offsets across it in the plane of the image, W offsets
in depth. The offset across grows to the left of someone who walks the path on the image with y downwards
(from x to -y), so that the same spine has the same sign whatever its depth.

Only boxes around short pieces of the path are read, one after the other: what is read, and what is held in
memory, grows with the length of the path and not with the stack.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.spines.stack import Stack

__all__ = [
    "Straightened",
    "cross_sections",
    "interpolate",
    "normals",
    "resample",
    "smooth",
    "steps_um",
    "straighten",
]

Floats = NDArray[np.float64]

# Length of the path that is read at once.
_PIECE_UM = 15.0
# A path steeper than this, in sine of the angle to the optical axis, keeps the direction it had across.
_LEAST_LATERAL = 0.2


@dataclass(frozen=True, eq=False)
class Straightened:
    """The surroundings of a path, laid out straight.

    Attributes
    ----------
    volume
        (S, W, U) signal.
    position_um, depth_um, across_um
        (S,), (W,) and (U,) coordinates of the grid.
    path_um, left, below
        (S, 3) points of the path, and the unit vectors across and in depth there.
    """

    volume: NDArray[np.float32]
    position_um: Floats
    depth_um: Floats
    across_um: Floats
    path_um: Floats
    left: Floats
    below: Floats

    @property
    def step_um(self) -> float:
        """Grid along and across."""
        return float(self.across_um[1] - self.across_um[0])

    def to_um(self, s: NDArray[np.intp], across_um: ArrayLike, depth_um: ArrayLike) -> Floats:
        """(n, 3) positions (z, y, x) in um of points given by grid index along and offsets in um."""
        across, depth = (np.asarray(v, float)[:, None] for v in (across_um, depth_um))
        return self.path_um[s] + across * self.left[s] + depth * self.below[s]


def steps_um(path_um: Floats) -> Floats:
    """(N,) length of the path from its start to each of its points.

    >>> steps_um(np.array([[0.0, 0, 0], [0, 3, 4], [2, 3, 4]])).tolist()
    [0.0, 5.0, 7.0]
    """
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path_um, axis=0), axis=1))])


def resample(path_um: Floats, step_um: float) -> Floats:
    """The path with points at equal distances, `step_um` or slightly less; first and last point stay."""
    along = steps_um(path_um)
    kept = np.concatenate([[True], np.diff(along) > 0])
    n = max(int(np.ceil(along[-1] / step_um)), 1) + 1
    at = np.linspace(0, along[-1], n)
    return np.stack([np.interp(at, along[kept], path_um[kept, i]) for i in range(3)], axis=1)


def smooth(values: Floats, step_um: float, sigma_um: float) -> Floats:
    """Gaussian smoothing along a path of equal steps.

    Beyond an end the path is continued by its own image through the end point, so that the ends stay where
    they are and a straight path stays straight.
    """
    from scipy.ndimage import gaussian_filter1d

    reach = min(int(np.ceil(4 * sigma_um / step_um)), len(values) - 1)
    if reach < 1:
        return values
    before = 2 * values[0] - values[reach:0:-1]
    after = 2 * values[-1] - values[-2 : -reach - 2 : -1]
    whole = np.concatenate([before, values, after])
    return gaussian_filter1d(whole, sigma_um / step_um, axis=0, mode="nearest")[reach : reach + len(values)]


def normals(path_um: Floats) -> tuple[Floats, Floats]:
    """Unit vectors across the path in the plane of the image, and at right angles to both in depth.

    Where the path runs along the optical axis, the direction across is the one it had before.
    """
    tangent = np.gradient(path_um, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    lateral = np.hypot(tangent[:, 1], tangent[:, 2])
    left = np.stack([np.zeros(len(tangent)), -tangent[:, 2], tangent[:, 1]], axis=1)
    steep = lateral < _LEAST_LATERAL
    if steep.all():
        left[:] = (0.0, -1.0, 0.0)
    elif steep.any():
        known = np.flatnonzero(~steep)
        nearest = known[np.argmin(np.abs(np.flatnonzero(steep)[:, None] - known[None, :]), axis=1)]
        left[steep] = left[nearest]
        left[steep] -= np.sum(left[steep] * tangent[steep], axis=1, keepdims=True) * tangent[steep]
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    below = np.cross(tangent, left)
    below *= np.where(below[:, :1] < 0, -1.0, 1.0)
    return left, below


def cross_sections(
    stack: Stack, path_um: Floats, across_um: Floats, depths_um: Floats
) -> NDArray[np.float32]:
    """(N, W, U) signal in the planes at right angles to the path, by linear interpolation.

    Beyond the stack the nearest voxel is taken.
    """
    left, below = normals(path_um)
    out = np.empty((len(path_um), len(depths_um), len(across_um)), np.float32)
    for piece in _pieces(path_um):
        points = (
            path_um[piece, None, None]
            + depths_um[None, :, None, None] * below[piece, None, None]
            + across_um[None, None, :, None] * left[piece, None, None]
        )
        out[piece] = interpolate(stack, points)
    return out


def straighten(
    stack: Stack,
    path_um: Floats,
    *,
    step_um: float = 0.08,
    half_width_um: float = 4.0,
    half_depth_um: float = 2.5,
) -> Straightened:
    """Lay the surroundings of a path out straight.

    Parameters
    ----------
    stack, path_um
        The stack, and (N, 3) points along the dendrite.
    step_um
        Grid of the answer, along and across.
    half_width_um, half_depth_um
        How far to look on either side, and above and below the path. In depth the grid is half a plane, and
        no more than 0.5 um.
    """
    path = resample(path_um, step_um)
    n = round(half_width_um / step_um)
    across = np.arange(-n, n + 1) * step_um
    depths = _depths(stack, half_depth_um)
    left, below = normals(path)
    volume = cross_sections(stack, path, across, depths)
    return Straightened(volume, steps_um(path), depths, across, path, left, below)


def _depths(stack: Stack, half_depth_um: float) -> Floats:
    """Offsets in depth, 0 among them; only 0 for one plane."""
    if stack.is_plane:
        return np.zeros(1)
    n = int(np.ceil(half_depth_um / min(stack.voxel_um[0], 0.5)))
    return np.linspace(-half_depth_um, half_depth_um, 2 * n + 1)


def _pieces(path_um: Floats) -> list[slice]:
    along = steps_um(path_um)
    n = max(int(np.ceil(along[-1] / _PIECE_UM)), 1)
    edges = np.searchsorted(along, np.linspace(0, along[-1], n + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], edges, [len(path_um)]]))
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def interpolate(stack: Stack, points_um: Floats) -> NDArray[np.float32]:
    """Signal at points (..., 3), reading only the box around them."""
    from scipy.ndimage import map_coordinates

    voxels = stack.to_voxels(points_um)
    flat = voxels.reshape(-1, 3)
    last = np.array(stack.shape) - 1
    low = np.clip(np.floor(flat.min(axis=0)).astype(int), 0, last)
    high = np.clip(np.ceil(flat.max(axis=0)).astype(int), 0, last)
    box = stack.signal(tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True)))
    return map_coordinates(box, np.moveaxis(voxels - low, -1, 0), order=1, mode="nearest", output=np.float32)

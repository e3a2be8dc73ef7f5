"""What is looked at of a stack, never measured: planes, projections, the straightened strip, crops of spines.

All is 8 bits. An 8-bit stack keeps its values; of others the 256 levels lie as squares between the least and
the greatest value, so that a faint dendrite beside a bright soma keeps its greys. `levels` says which value
each grey stands for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labkit.pickers.dendrite_items import DendriteItem

__all__ = ["STRIP_HALF_UM", "Looks", "along", "brightest_z", "normals_xy"]

STRIP_HALF_UM = 4.0
CROP_PX, CROP_HALF_UM = 56, 1.4
_STRIP_STEP_UM = 0.08
_STRIP_MOST_PX = 6000
_DEPTH_UM = 1.0  # how far above and below its own plane a strip looks; a crop, half of it
_PIECE_PX = 160  # of a strip that is cut at once: the box around it stays small whatever the stack
_MOST_VOXELS = 400_000_000  # that a projection reads
_SAMPLE_PLANES, _SAMPLE_PIXELS = 24, 250_000


class Looks:
    """The 8-bit looks of one stack.

    Attributes
    ----------
    levels : (256,) ndarray
        Value of the stack that each grey stands for.
    window
        Lowest and highest value of a fair first contrast.
    """

    def __init__(self, item: DendriteItem) -> None:
        self.item = item
        self._data = item.stack.data
        sample = _sample(self._data)
        self._is_8_bit = np.dtype(self._data.dtype) == np.uint8
        if self._is_8_bit:
            self.levels = np.arange(256.0)
        else:
            low, high = float(sample.min()), float(sample.max())
            # A sample misses the brightest voxels: beyond it there is room.
            high += 0.25 * ((high - low) or 1.0)
            self.levels = low + (high - low) * (np.arange(256) / 255) ** 2
        at = [0.5, 99.9] if item.is_brightfield else [40.0, 99.95]
        low, high = (float(v) for v in np.percentile(sample, at))
        self.window = (low, high) if high > low else (float(self.levels[0]), float(self.levels[-1]))

    def grey(self, values: np.ndarray) -> np.ndarray:
        """Values as 8 bits."""
        if values.dtype == np.uint8:
            return values
        if self._is_8_bit:
            return np.clip(np.rint(values), 0, 255).astype(np.uint8)
        low, high = np.float32(self.levels[0]), np.float32(self.levels[-1])
        part = np.clip((values.astype(np.float32) - low) / (high - low), 0, 1)
        return (255 * np.sqrt(part) + 0.5).astype(np.uint8)

    def frame(self, planes: tuple[int, int], box: tuple[int, int, int, int], step: int) -> np.ndarray:
        """(h, w) look at a plane, or at the projection of planes from first to last.

        Parameters
        ----------
        planes
            First and last plane, from 0.
        box
            First row, row after the last, first column, column after the last.
        step
            Each so many rows and columns are one: their mean, of a large stack the pixel in their middle.
        """
        z, y, x = self.item.shape
        first, last = (int(np.clip(plane, 0, z - 1)) for plane in sorted(planes))
        top, bottom, left, right = box
        rows = slice(max(0, top), min(y, bottom))
        columns = slice(max(0, left), min(x, right))
        pick = np.minimum if self.item.is_brightfield else np.maximum
        is_sampled = step > 1 and (last - first) * y * x > _MOST_VOXELS
        if is_sampled:
            # Every voxel of a large stack would take seconds: for a coarse look one pixel tells its block.
            rows, columns = (
                slice(cut.start + step // 2, cut.start + (cut.stop - cut.start) // step * step, step)
                for cut in (rows, columns)
            )
        seen = _plane(self._data, first, rows, columns)
        for plane in range(first + 1, last + 1):  # one in memory at a time
            seen = pick(seen, _plane(self._data, plane, rows, columns))
        if step > 1 and not is_sampled:
            h, w = (max(1, n // step) for n in seen.shape)
            seen = seen[: h * step, : w * step].reshape(h, min(step, seen.shape[0]), w, -1).mean(axis=(1, 3))
        return np.ascontiguousarray(self.grey(seen))

    def strip(self, path_um: np.ndarray) -> tuple[np.ndarray, float]:
        """The surroundings of a path laid out straight: (h, w) greys, and the µm of one of their pixels.

        Rows run from `STRIP_HALF_UM` to -`STRIP_HALF_UM` across the path in the plane of the image, so that a
        path from left to right is seen as it lies; columns run along it. Of the planes within 1 µm of the
        path's own the brightest is seen.
        """
        length = float(_steps(path_um)[-1])
        step = max(_STRIP_STEP_UM, length / _STRIP_MOST_PX)
        at = np.arange(0, length + step / 2, step)
        path = _at(path_um, at)
        left = normals_xy(path)
        across = np.arange(STRIP_HALF_UM, -STRIP_HALF_UM - step / 2, -step)
        seen = np.empty((len(across), len(at)), np.uint8)
        for start in range(0, len(at), _PIECE_PX):
            cut = slice(start, start + _PIECE_PX)
            points = path[None, cut] + across[:, None, None] * left[None, cut]
            seen[:, cut] = self.grey(self._brightest(points, _DEPTH_UM))
        return seen, step

    def crop(self, at_um: np.ndarray) -> np.ndarray:
        """(`CROP_PX`, `CROP_PX`) greys around a spine, 2.8 µm wide."""
        across = np.linspace(-CROP_HALF_UM, CROP_HALF_UM, CROP_PX)
        points = np.zeros((CROP_PX, CROP_PX, 3)) + np.asarray(at_um, float)
        points[..., 1] += across[:, None]
        points[..., 2] += across[None, :]
        return self.grey(self._brightest(points, _DEPTH_UM / 2))

    def _brightest(self, points_um: np.ndarray, depth_um: float) -> np.ndarray:
        """Values at points (..., 3), the brightest of the planes within the depth; 0 beyond the stack."""
        voxels = self.item.to_voxels(points_um)
        planes = self.item.shape[0]
        n = min(6, math.ceil(depth_um / self.item.voxel_um[0])) if planes > 1 else 0
        shifts = np.linspace(-depth_um, depth_um, 2 * n + 1) / self.item.voxel_um[0] if n else [0.0]
        margin = np.array([n and depth_um / self.item.voxel_um[0], 1, 1])
        low = np.floor(voxels.min(axis=(0, 1)) - margin).astype(int)
        high = np.ceil(voxels.max(axis=(0, 1)) + margin).astype(int) + 1
        low, high = np.maximum(low, 0), np.minimum(high, self.item.shape)
        if (high <= low).any():
            return np.full(points_um.shape[:-1], self.levels[0])
        box = np.asarray(self._data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]).astype(
            np.float32
        )
        return _interpolated(box, voxels - low, shifts, self.item.is_brightfield)


def _interpolated(box: np.ndarray, voxels: np.ndarray, shifts: Any, is_dark: bool) -> np.ndarray:
    from scipy.ndimage import map_coordinates

    where = np.moveaxis(voxels, -1, 0)
    outside = float(box.max() if is_dark else box.min())
    best: np.ndarray | None = None
    for shift in shifts:
        z = np.clip(where[0] + shift, 0, box.shape[0] - 1)
        seen = map_coordinates(box, [z, where[1], where[2]], order=1, mode="constant", cval=outside)
        best = seen if best is None else (np.minimum if is_dark else np.maximum)(best, seen)
    assert best is not None
    return best


def _sample(data: Any) -> np.ndarray:
    """Some voxels of some planes: enough to judge brightness by, whatever the size of the stack."""
    z, y, x = data.shape
    step = max(1, math.ceil(math.sqrt(y * x * min(z, _SAMPLE_PLANES) / _SAMPLE_PIXELS)))
    planes = np.unique(np.linspace(0, z - 1, min(z, _SAMPLE_PLANES)).round().astype(int))
    few = slice(None, None, step)
    return np.concatenate([_plane(data, int(plane), few, few).ravel() for plane in planes])


def _plane(data: Any, plane: int, rows: slice, columns: slice) -> np.ndarray:
    """A part of one plane. A stack is cut with slices only: its planes may be decoded on demand."""
    return np.asarray(data[slice(plane, plane + 1), rows, columns])[0]


def brightest_z(item: DendriteItem, y_um: float, x_um: float, planes: tuple[int, int] | None = None) -> float:
    """Depth in µm at which the place under a click on a projection is brightest (brightfield: darkest).

    Means of 3 x 3 pixels are compared, each with its neighbours in depth; `planes` limits them to those from
    first to last.
    """
    _, y, x = np.rint(item.to_voxels([0.0, y_um, x_um])).astype(int)
    first, last = (0, item.shape[0] - 1) if planes is None else sorted(planes)
    first, last = max(0, first), min(item.shape[0] - 1, last)
    rows = slice(int(np.clip(y - 1, 0, item.shape[1] - 1)), int(np.clip(y + 2, 1, item.shape[1])))
    columns = slice(int(np.clip(x - 1, 0, item.shape[2] - 1)), int(np.clip(x + 2, 1, item.shape[2])))
    values = np.asarray(item.stack.data[slice(first, last + 1), rows, columns]).mean(axis=(1, 2))
    smooth = np.convolve(np.pad(values, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    best = int(np.argmin(smooth) if item.is_brightfield else np.argmax(smooth))
    return (first + best) * float(item.voxel_um[0])


# -- along a path


def along(path_um: np.ndarray, points_um: Any) -> np.ndarray:
    """(n, 2) position along the path and offset across it in the plane of the image, of each point in µm.

    >>> along(np.array([[0.0, 0, 0], [0, 0, 10]]), [[0, 2, 4]]).tolist()
    [[4.0, -2.0]]
    """
    points = np.asarray(points_um, float).reshape(-1, 3)
    length = float(_steps(path_um)[-1])
    at = np.linspace(0, length, max(2, math.ceil(length / 0.05) + 1))
    path = _at(path_um, at)
    left = normals_xy(path)
    out = np.empty((len(points), 2))
    for k, point in enumerate(points):
        near = int(np.argmin(((path - point) ** 2).sum(axis=1)))
        out[k] = at[near], float((point - path[near])[1:] @ left[near, 1:])
    return out


def normals_xy(path_um: np.ndarray) -> np.ndarray:
    """(n, 3) unit vectors across a path in the plane of the image, to the left of who walks it (y is down).

    The direction of the path is taken over some points, so that a step to the next voxel does not turn it.
    """
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d

    steps = np.gradient(path_um, axis=0)[:, 1:]
    spacing = max(float(_steps(path_um)[-1]) / max(1, len(path_um) - 1), 1e-9)
    steps = uniform_filter1d(steps, max(1, round(0.4 / spacing)), axis=0, mode="nearest")
    steps = gaussian_filter1d(steps, max(0.5, 0.4 / spacing), axis=0, mode="nearest")
    size = np.linalg.norm(steps, axis=1, keepdims=True)
    steps = np.where(size > 1e-9, steps / np.maximum(size, 1e-9), [0.0, 1.0])
    return np.column_stack([np.zeros(len(steps)), -steps[:, 1], steps[:, 0]])


def _steps(path_um: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path_um, axis=0), axis=1))])


def _at(path_um: np.ndarray, positions_um: np.ndarray) -> np.ndarray:
    steps = _steps(path_um)
    kept = np.concatenate([[True], np.diff(steps) > 0])
    return np.column_stack([np.interp(positions_um, steps[kept], path_um[kept, k]) for k in range(3)])

"""Paths in SWC, the text format of neuron tracings: one line per point, x, y, z and radius in µm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labkit.errors import DataError
from labkit.files import write_text_whole

__all__ = ["read_swc", "spaced", "write_swc"]

_DENDRITE = 3


def write_swc(path: str | Path, path_um: np.ndarray, radius_um: np.ndarray | None = None) -> Path:
    """Write an unbranched path.

    Parameters
    ----------
    path_um
        (n, 3) points z, y, x.
    radius_um
        (n,) radius at each; 0 where it is not known.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_swc(Path(folder, "a.swc"), [[0, 1, 2], [3, 5, 2]], [0.4, 0.3])
    ...     print(file.read_text(encoding="utf-8"), end="")
    # x, y, z and radius in um; type 3 is dendrite
    1 3 2.0000 1.0000 0.0000 0.4000 -1
    2 3 2.0000 5.0000 3.0000 0.3000 1
    """
    points = np.asarray(path_um, float)
    radii = np.zeros(len(points)) if radius_um is None else np.asarray(radius_um, float)
    if points.ndim != 2 or points.shape[1] != 3 or radii.shape != (len(points),):
        raise DataError(
            f"the path has the shape {points.shape} and the radius {radii.shape}",
            expected="points z, y, x, and a radius for each",
        )
    lines = ["# x, y, z and radius in um; type 3 is dendrite"]
    for k, ((z, y, x), radius) in enumerate(zip(points, radii, strict=True), 1):
        lines.append(f"{k} {_DENDRITE} {x:.4f} {y:.4f} {z:.4f} {radius:.4f} {k - 1 or -1}")
    return write_text_whole(path, "\n".join(lines) + "\n")


def read_swc(path: str | Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The unbranched pieces of a tracing, the longest first.

    Returns
    -------
    list of (points, radius)
        (n, 3) points z, y, x in µm, and (n,) radius: from each root or branch point to the next branch point
        or tip, both included.

    Raises
    ------
    DataError
        If the file is no SWC.
    """
    where = Path(path).name
    points: dict[int, tuple[float, float, float, float]] = {}
    parents: dict[int, int] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            key, _, x, y, z, radius, parent = (float(word) for word in words[:7])
        except ValueError as error:
            raise DataError(
                f"line {number} holds {line.strip()[:60]!r}",
                expected="seven numbers: id, type, x, y, z, radius, parent", where=where,
            ) from error  # fmt: skip
        points[int(key)] = (z, y, x, radius)
        parents[int(key)] = int(parent)
    orphans = [key for key, parent in parents.items() if parent != -1 and parent not in points]
    if not points or orphans:
        told = f"point {orphans[0]} has a parent that is not there" if orphans else "there are no points"
        raise DataError(told, expected="a tracing as SWC", where=where)
    pieces = [np.array([points[key] for key in piece]) for piece in _pieces(parents)]
    pieces = [piece for piece in pieces if len(piece) > 1]
    pieces.sort(key=lambda piece: -np.linalg.norm(np.diff(piece[:, :3], axis=0), axis=1).sum())
    return [(piece[:, :3], piece[:, 3]) for piece in pieces]


def _pieces(parents: dict[int, int]) -> list[list[int]]:
    children: dict[int, list[int]] = {}
    for key, parent in parents.items():
        children.setdefault(parent, []).append(key)
    pieces = []
    for key, parent in parents.items():
        if parent == -1:
            starts = [[key, child] for child in children.get(key, [])]
        elif len(children.get(key, [])) > 1:
            starts = [[key, child] for child in children[key]]
        else:
            continue
        for piece in starts:
            while len(children.get(piece[-1], [])) == 1:
                piece.append(children[piece[-1]][0])
            pieces.append(piece)
    return pieces


def spaced(path_um: np.ndarray, *, every_um: float = 8.0) -> np.ndarray:
    """(k, 3) points on a path no farther apart than `every_um` along it, its ends among them.

    >>> spaced(np.array([[0.0, 0, 0], [0, 0, 9]]), every_um=5).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 4.5], [0.0, 0.0, 9.0]]
    """
    path: Sequence[Sequence[float]] = np.asarray(path_um, float)
    steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, steps[-1], max(1, int(np.ceil(steps[-1] / every_um))) + 1)
    return np.column_stack([np.interp(at, steps, np.asarray(path)[:, k]) for k in range(3)])

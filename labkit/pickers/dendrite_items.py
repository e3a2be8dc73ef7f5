"""What the dendrite picker shows and picks on: one dendrite in a stack; and which ones are shown twice."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labkit import picks
from labkit.errors import DataError, PickError

__all__ = ["DendriteItem", "Waypoints", "checked_waypoints", "dendrite_items", "with_repeats"]

Waypoints = list[list[float]]  # [[z, y, x], ...] in µm
_DIGITS = 3
_SLACK_UM = 1e-3


@dataclass(frozen=True, eq=False)
class DendriteItem:
    """One dendrite in one stack.

    Attributes
    ----------
    code
        Blind code; all that is shown while blind.
    file
        Raw file of the stack; picks are stored beside it. Several items may share one.
    dendrite
        Names the picks, as in ``1-2`` for the second dendrite of the first neuron. No animal stands in it.
    stack
        A `labkit.spines.Stack`: `data` (Z, Y, X), cut with slices; `voxel_um` (z, y, x), z NaN for one plane;
        `modality`, fluorescence or brightfield.
    repeat_of
        Code of the item that this one shows a second time, '' for a first time.

    Raises
    ------
    DataError
        If the stack has no three axes or no voxel size.
    """

    code: str
    file: Path
    dendrite: str
    stack: Any
    repeat_of: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", Path(self.file))
        shape, size = tuple(self.stack.data.shape), tuple(self.stack.voxel_um)
        if len(shape) != 3 or min(shape) < 1:
            raise DataError(
                f"the stack has the shape {shape}", expected="planes, rows and columns", where=self.name
            )
        needed = size if shape[0] > 1 else size[1:]
        if len(size) != 3 or not all(math.isfinite(value) and value > 0 for value in needed):
            raise DataError(
                f"the voxels are {size} µm", expected="their size along z, y and x", where=self.name,
                todo="give voxel_z_um, voxel_y_um and voxel_x_um in images.csv",
            )  # fmt: skip

    @property
    def name(self) -> str:
        """Code, as in ``D417``."""
        return self.code

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file,)

    @property
    def shape(self) -> tuple[int, int, int]:
        return tuple(self.stack.data.shape)

    @property
    def voxel_um(self) -> np.ndarray:
        """(3,) what an index is multiplied by to be in µm; 0 along z for one plane."""
        return np.nan_to_num(np.asarray(self.stack.voxel_um, float), nan=0.0)

    @property
    def is_brightfield(self) -> bool:
        return getattr(self.stack, "modality", "fluorescence") == "brightfield"

    @property
    def pick_suffix(self) -> str:
        """What the names of its picks end in."""
        return f" {self.dendrite}{' again' if self.repeat_of else ''}"

    def to_voxels(self, um: Any) -> np.ndarray:
        """(..., 3) fractional voxel indices of positions in µm."""
        return np.asarray(um, float) / np.where(self.voxel_um > 0, self.voxel_um, 1.0)

    def inside(self, at: Sequence[float]) -> bool:
        """Whether a position in µm lies in the stack."""
        voxels = self.to_voxels(at)
        slack = 0.5 + _SLACK_UM
        return bool(((voxels >= -slack) & (voxels <= np.asarray(self.shape) - 1 + slack)).all())


def checked_waypoints(item: DendriteItem, value: Any) -> Waypoints:
    """Waypoints rounded to what is stored, in the order of the path.

    Raises
    ------
    DataError
        If they are fewer than two, lie outside the stack, or two neighbours are the same.
    """
    try:
        points = [[round(float(v), _DIGITS) + 0.0 for v in (z, y, x)] for z, y, x in value]
    except (TypeError, ValueError) as error:
        raise DataError(
            "the path cannot be read", expected="points z, y, x in µm", where=item.name
        ) from error
    if len(points) < 2:
        raise DataError(
            f"the path has {len(points)} point{'' if len(points) == 1 else 's'}",
            expected="two or more", todo="click on the dendrite", where=item.name,
        )  # fmt: skip
    for k, point in enumerate(points):
        if not (all(map(math.isfinite, point)) and item.inside(point)):
            raise DataError(
                f"point {k + 1} of the path lies outside the stack", where=item.name,
                expected="points within " + " x ".join(f"{n * v:g}" for n, v in zip(item.shape, item.voxel_um,
                                                                                    strict=True)) + " µm",
            )  # fmt: skip
        if k and point == points[k - 1]:
            raise DataError("two points of the path are the same", todo="remove one", where=item.name)
    return points


def dendrite_items(stacks: Mapping[str, Any], images: pd.DataFrame) -> list[DendriteItem]:
    """The items of a `DendritePicker`, in the order of the table of images.

    Parameters
    ----------
    stacks
        `labkit.spines.Stack` by code.
    images
        The study's table of images: columns code, file, neuron, dendrite, one row per dendrite.

    Raises
    ------
    DataError
        If a dendrite has no stack.
    """
    missing = [code for code in images["code"] if code not in stacks]
    if missing:
        raise DataError(
            f"there is no stack for {', '.join(missing[:5])}",
            expected="one for every dendrite", todo="read all images of the study",
        )  # fmt: skip
    return [
        DendriteItem(
            code=row.code, file=row.file, dendrite=f"{row.neuron}-{row.dendrite}", stack=stacks[row.code]
        )
        for row in images.itertuples()
    ]


def with_repeats(items: Sequence[DendriteItem], *, share: float, seed: int) -> list[DendriteItem]:
    """The items and, at the end, a share of them a second time under codes of their own.

    Which ones, their codes and their order are drawn from hashes of seed and code. One whose second look is
    stored stays among them, also where a study that grew would not draw it again.

    >>> from types import SimpleNamespace
    >>> stack = SimpleNamespace(data=np.zeros((2, 9, 9)), voxel_um=(1, 1, 1))
    >>> items = [DendriteItem(f"D{k}", "a.tif", f"1-{k}", stack) for k in range(100, 110)]
    >>> twice = with_repeats(items, share=0.2, seed=1)[10:]
    >>> len(twice)
    2
    >>> [item.repeat_of in {"D%d" % k for k in range(100, 110)} for item in twice]
    [True, True]
    """
    if not 0 <= share <= 1:
        raise DataError(f"repeat is {share}", expected="a share from 0 to 1")
    first = list(items)
    n = math.floor(share * len(first) + 0.5)
    drawn = sorted(first, key=lambda item: _hash(seed, "drawn", item.code))
    chosen = drawn[:n] + [item for item in drawn[n:] if _stored_twice(item)]
    codes = {item.code for item in first}
    again = []
    for item in sorted(chosen, key=lambda item: _hash(seed, "order", item.code)):
        for draw in range(1000):
            code = (
                f"{item.code[:1]}{100 + _hash(seed, f'code {draw}', item.code) % (900 * 10 ** (draw // 4))}"
            )
            if code not in codes:
                break
        codes.add(code)
        again.append(replace(item, code=code, repeat_of=item.code))
    return first + again


def _hash(seed: int, purpose: str, code: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}|{purpose}|{code}".encode()).digest()[:16])


def _stored_twice(item: DendriteItem) -> bool:
    try:
        sidecar = picks.load(item.files)
    except PickError:  # told when the picks are loaded
        return False
    return sidecar is not None and f"path {item.dendrite} again" in sidecar.picks

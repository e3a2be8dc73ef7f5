"""What groups in blocks, with covariates, can answer: checked, and told in words, before a model is fitted.

Groups are compared within blocks. Two groups that share no block are compared through a third that stands
with both; groups that no such chain links cannot be compared at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError
from labkit.stats.linear import basis
from labkit.stats.validate import constant, join, still

__all__ = ["check_blocks", "check_covariates", "check_residual_df", "linked"]


def linked(cells: pd.DataFrame) -> list[list[str]]:
    """Groups that a chain of shared blocks links, set by set, in the order of the groups.

    Parameters
    ----------
    cells
        Units in each group (rows) and block (columns).

    Examples
    --------
    >>> linked(pd.DataFrame({"B1": [1, 1, 0, 0], "B2": [0, 0, 1, 1]}, index=list("vabc")))
    [['v', 'a'], ['b', 'c']]
    """
    present = cells.to_numpy() > 0
    sets: list[list[int]] = []
    left = list(range(len(cells)))
    while left:
        found, more = {left[0]}, True
        while more:
            blocks = present[sorted(found)].any(axis=0)
            grown = {i for i in left if (present[i] & blocks).any()} | found
            more, found = grown != found, grown
        sets.append(sorted(found))
        left = [i for i in left if i not in found]
    names = [str(name) for name in cells.index]
    return [[names[i] for i in members] for members in sets]


def check_blocks(cells: pd.DataFrame, *, block: str) -> list[str]:
    """What weakens a comparison within blocks, in sentences.

    Raises
    ------
    DataError
        When there is one block, when each holds a single group, or when no chain of blocks links all groups.
    """
    names, blocks = [str(name) for name in cells.index], [str(name) for name in cells.columns]
    present = cells.to_numpy() > 0
    if len(blocks) < 2:
        raise DataError(
            f"all values are in one {block}, {blocks[0]!r}" if blocks else f"there is no {block}",
            expected=f"at least two of {block}",
            todo=f"compare without {block}: {still(names)}",
        )
    sets = linked(cells)
    if len(sets) > 1:
        several = [members for members in sets if len(members) > 1]
        if not several:
            raise DataError(
                f"each {block} holds a single group, so group and {block} cannot be told apart",
                expected=f"several groups in the same {block}",
                todo=f"no comparison can be made within a {block}; without {block} in the model, differences "
                f"between groups may be differences of {block}",
            )
        raise DataError(
            f"no {block} links {join(map(join, sets), word='with')}, so their difference cannot be told from "
            f"that of {block}",
            expected=f"groups that share a {block}, or a chain of them",
            todo="compare within a set by naming its groups in order: "
            + "; ".join(still(members) for members in several),
        )
    said = []
    empty = [(names[i], blocks[j]) for i, j in zip(*np.nonzero(~present), strict=True)]
    if empty:
        shown = [f"{name} in {where}" for name, where in empty[:6]]
        more = f" and {len(empty) - 6} more" if len(empty) > 6 else ""
        said.append(
            f"{len(empty)} of {present.size} cells of group and {block} are empty "
            f"({', '.join(shown)}{more}): means are adjusted for it, and all groups can be compared through "
            f"what they share of {block}."
        )
    alone = [blocks[j] for j in np.flatnonzero(present.sum(axis=0) == 1)]
    if alone:
        said.append(
            f"{block} {join(map(repr, alone))} {'holds' if len(alone) == 1 else 'hold'} a single group and "
            f"{'says' if len(alone) == 1 else 'say'} nothing of differences between groups."
        )
    return said


def check_covariates(
    covariates: Mapping[str, NDArray[np.float64]],
    given: NDArray[np.float64],
    member: NDArray[np.intp],
    names: Sequence[str],
    *,
    beside: str,
) -> list[str]:
    """What weakens an adjustment for covariates, in sentences; `given` (N, c) are the columns of the rest.

    Raises
    ------
    DataError
        When a covariate is the same in all units, or the group (and the block, and other covariates) tell it
        exactly.
    """
    said = []
    for name, x in covariates.items():
        if constant(x):
            raise DataError(
                f"{name} is {x[0]:g} in all {x.size} units",
                expected="a covariate that varies",
                todo=f"leave {name} out: {still(names)} without it",
            )
        centred = (x - x.mean())[:, None]
        if basis(centred, basis(given)).shape[1] == 0:
            raise DataError(
                f"{name} follows from {beside}, so its effect and theirs cannot be told apart",
                expected="a covariate that varies within groups",
                todo=f"leave {name} out: {still(names)} without it, though they differ in {name}",
            )
        given = np.column_stack([given, centred])
        outside = [
            group
            for i, group in enumerate(names)
            if not x[member == i].min() <= x.mean() <= x[member == i].max()
        ]
        if outside:
            said.append(
                f"The mean {name} ({x.mean():.4g}) lies outside the values of {join(outside)}, whose "
                f"adjusted {'mean is' if len(outside) == 1 else 'means are'} extrapolated along the line."
            )
    return said


def check_residual_df(n: int, columns: int, *, parts: str) -> None:
    """Refuse a model with as many coefficients as units."""
    if n <= columns:
        raise DataError(
            f"{n} units for the {columns} coefficients of {parts} leave none to show how much units vary",
            expected=f"at least {columns + 1} units",
            todo="measure more units, or leave a term out of the model",
        )

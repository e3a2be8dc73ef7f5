"""All dendrites of a study at once: open their stacks, and measure what a person traced and marked.

Each call does for every row of a study's images what `read`, `measure`, `classify` and `density` do for one
dendrite, and tells all mistakes together. Rows are named by the blind code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd

from labkit.errors import DataError, LabkitError, StudyError, together
from labkit.spines.classify import classify
from labkit.spines.dendrite import Dendrite, trace
from labkit.spines.density import density
from labkit.spines.detect import detect
from labkit.spines.measure import measure
from labkit.spines.stack import Stack, read

__all__ = ["Finder", "Picked", "amiss", "measure_dendrites", "overview", "read_stacks"]

_IDENTITY = ["code", "image", "animal", "neuron", "dendrite"]


class Picked(Protocol):
    """One dendrite as a person left it: its path, the marks that hold, and those that were removed."""

    dendrite: Dendrite
    spines: pd.DataFrame
    removed: pd.DataFrame
    excluded: str


@dataclass(frozen=True)
class Finder:
    """How a study's spines are traced, found, measured and named: the calls that the picker makes.

    Attributes
    ----------
    sensitivity, rule, thresholds
        See `detect` and `classify`.
    resolution_um
        See `measure`.
    """

    sensitivity: float = 1.0
    rule: str = "rodriguez2008"
    thresholds: Mapping[str, float] | None = None
    resolution_um: float | None = None

    def trace(self, stack: Stack, waypoints_um: np.ndarray) -> Dendrite:
        """The dendrite through points in micrometres."""
        return trace(stack, stack.to_voxels(waypoints_um))

    def find(self, stack: Stack, dendrite: Dendrite) -> pd.DataFrame:
        """The spines of a dendrite with their classes."""
        return self.classed(detect(stack, dendrite, sensitivity=self.sensitivity))

    def measure(self, stack: Stack, dendrite: Dendrite, places_um: np.ndarray) -> pd.DataFrame:
        """Sizes and classes of spines at given places."""
        return self.classed(measure(stack, dendrite, places_um, resolution_um=self.resolution_um))

    def classed(self, spines: pd.DataFrame) -> pd.DataFrame:
        """The table with the classes of the rule."""
        return classify(spines, rule=self.rule, thresholds=self.thresholds)


def read_stacks(images: pd.DataFrame) -> dict[str, Stack]:
    """Open the stack of every dendrite of a study.

    Parameters
    ----------
    images
        One row per dendrite with ``code, file, channel, voxel_um, modality``, as `Study.images` has them.

    Returns
    -------
    dict
        The `Stack` of each code, in the order of the codes. Dendrites of one image share the stack.

    Raises
    ------
    StudyError
        If files cannot be read, or do not say how large a voxel is: one sentence for each of them.
    """
    opened = {row.code: (row.file, row.channel, row.voxel_um, row.modality) for row in images.itertuples()}
    jobs = {
        key: partial(read, key[0], channel=key[1], voxel_um=key[2], modality=key[3])
        for key in dict.fromkeys(opened.values())
    }
    stacks = together(jobs)
    return {code: stacks[opened[code]] for code in sorted(opened)}


def amiss(images: pd.DataFrame) -> list[LabkitError]:
    """What keeps the stacks of a study from being read: one sentence each."""
    try:
        read_stacks(images)
    except StudyError as error:
        return list(error.problems)
    return []


def overview(stacks: Mapping[str, Stack]) -> pd.DataFrame:
    """What each stack is: per code its size, voxels, modality, and the reader's warnings."""
    rows = [
        {
            "code": code,
            "planes": stack.data.shape[0],
            "pixels": f"{stack.data.shape[2]} × {stack.data.shape[1]}",
            "voxel (µm)": " × ".join(f"{size:.3g}" for size in stack.voxel_um if np.isfinite(size)),
            "modality": stack.modality,
            "warnings": "; ".join(text.rstrip(".") for text in stack.warnings),
        }
        for code, stack in stacks.items()
    ]
    return pd.DataFrame(rows).set_index("code")


def measure_dendrites(
    stacks: Mapping[str, Stack],
    picked: Mapping[str, Picked],
    images: pd.DataFrame,
    *,
    finder: Finder | None = None,
    end_um: float = 2.5,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure, class and count the spines that a person left on every dendrite.

    Parameters
    ----------
    stacks
        From `read_stacks`.
    picked
        Path and marks by code, as the picker gives them; dendrites that are not there are left out.
    images
        The study's table of dendrites.
    finder
        How spines are measured and named.
    end_um
        See `density`.

    Returns
    -------
    spines : DataFrame
        One row per mark: ``code, image, animal, neuron, dendrite``, the columns of `measure` and `classify`,
        ``confidence``, ``origin`` (auto, added, moved, reclassed, removed) and ``excluded``. The class is
        that of the sizes, except on marks that a person added, moved or reclassed.
    dendrites : DataFrame
        One row per dendrite: the same identity, the columns of `density`, and ``excluded``.

    Raises
    ------
    DataError
        If nothing was picked.
    StudyError
        If dendrites cannot be measured: one sentence for each.
    """
    if not picked:
        raise DataError(
            "no dendrite was traced and confirmed",
            expected="at least one",
            todo="trace the dendrites in the picker of notebook 3",
        )
    finder = finder or Finder()
    rows = {row.code: row for row in images.itertuples()}
    made = together(
        {code: partial(_measured, stacks[code], one, finder, end_um) for code, one in picked.items()}
    )
    tables = []
    for part in range(2):
        named = [
            table[part].assign(
                **{name: getattr(rows[code], name) for name in _IDENTITY}, excluded=picked[code].excluded
            )
            for code, table in made.items()
        ]
        table = pd.concat(named, ignore_index=True)
        rest = [name for name in table if name not in [*_IDENTITY, "excluded"]]
        tables.append(table[[*_IDENTITY, *rest, "excluded"]])
    return tables[0], tables[1]


def _measured(stack: Stack, one: Picked, finder: Finder, end_um: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    marks = pd.concat([one.spines, one.removed], ignore_index=True)
    places = marks[["z_um", "y_um", "x_um"]].to_numpy(float)
    sizes = measure(stack, one.dendrite, places, resolution_um=finder.resolution_um)
    kept = marks[["spine_class", "origin", "confidence"]].reset_index(drop=True)
    spines = finder.classed(pd.concat([sizes, kept], axis="columns"))
    spines = spines.sort_values("position_um", kind="stable", ignore_index=True)
    return spines, density(spines, one.dendrite, end_um=end_um)

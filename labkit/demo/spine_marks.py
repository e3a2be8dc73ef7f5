"""What a careful person would store for the demo study's dendrites: points of the path, corrected marks.

The person clicks near the true path, has spines found, removes what is no spine, adds what was missed and
corrects classes. They see the image and not the truth: some per cent of their decisions are wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.demo.spines import CLASSES, Dendrite, Image, Spines

if TYPE_CHECKING:
    from labkit.spines import Stack

__all__ = ["matched", "picks_of"]

Floats = NDArray[np.float64]

# Standard deviations of clicks: in depth, and in the plane.
CLICK_UM = (0.15, 0.06, 0.06)
# Decisions that are wrong: a false spine is left, a true one removed, a missed one overlooked, a class
# mistaken.
LEFT, TAKEN, OVERLOOKED, MISTAKEN = 0.05, 0.005, 0.05, 0.05
# A mark and a true head are one spine if they are so close in the plane, and in depth.
NEAR_UM, NEAR_DEPTH_UM = 0.6, 1.5
_PLACE = ["z_um", "y_um", "x_um"]


def picks_of(
    design: Spines, stack: Stack, *, animal: str, neuron: str, dendrite: str, again: bool = False
) -> list[dict[str, Any]]:
    """The picks of one dendrite, as the dendrite picker stores them.

    Parameters
    ----------
    design
        From `labkit.demo.spines.design`.
    stack
        The file of the dendrite, as `labkit.spines.read` gives it.
    animal, neuron, dendrite
        Which dendrite.
    again
        Whether it is the second look at a dendrite that is shown twice, with errors of its own.

    Returns
    -------
    list of dict
        Two, each with the arguments ``name``, ``value``, ``kind``, ``unit`` and ``origin`` of
        `labkit.picks.save`: the path, and the spines along it.

    Raises
    ------
    KeyError
        If the design has no such dendrite.
    """
    from labkit import spines
    from labkit.pickers import spines_marks as marks

    image, item = design.find(animal, neuron, dendrite)
    rng = image.rng(2, image.dendrites.index(item), int(again))
    points = _clicks(rng, image, item)
    traced = spines.trace(stack, stack.to_voxels(points))
    found = marks.found(spines.classify(spines.detect(stack, traced)))
    corrected = _corrected(rng, image, item, found)
    suffix = f" {neuron}-{dendrite}{' again' if again else ''}"
    edited = any(mark["origin"] != "auto" for mark in corrected)
    return [
        {"name": "path" + suffix, "value": points, "kind": "path", "unit": "um", "origin": "confirmed"},
        {
            "name": "spines" + suffix,
            "value": marks.checked_marks(corrected),
            "kind": "spines",
            "unit": "um",
            "origin": "changed" if edited else "confirmed",
        },
    ]


def matched(places_um: Floats, heads_um: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which marks and which true heads are one spine: (k,) indices of either, each used once at most.

    Examples
    --------
    >>> marks, heads = matched(np.array([[1.0, 2.0, 3.0], [1.0, 9.0, 9.0]]), np.array([[1.5, 2.0, 3.3]]))
    >>> marks.tolist(), heads.tolist()
    ([0], [0])
    """
    from scipy.optimize import linear_sum_assignment

    apart = places_um[:, np.newaxis] - heads_um[np.newaxis]
    plane = np.hypot(apart[..., 1], apart[..., 2])
    near = (plane <= NEAR_UM) & (np.abs(apart[..., 0]) <= NEAR_DEPTH_UM)
    # As many pairs as there can be, and of these the nearest.
    i, j = linear_sum_assignment(np.where(near, plane - 100 * NEAR_UM, 0.0))
    return i[near[i, j]], j[near[i, j]]


def _clicks(rng: np.random.Generator, image: Image, item: Dendrite) -> list[list[float]]:
    """Both ends of the path and one or two points between them, near where they are."""
    path = item.path_um
    between = int(rng.integers(1, 3))
    at = np.linspace(0, len(path) - 1, between + 2).round().astype(int)
    return [_click(rng, image, path[i]) for i in at]


def _click(rng: np.random.Generator, image: Image, place_um: Floats) -> list[float]:
    last = (np.array(image.shape) - 1) * image.voxel_um
    return np.round(np.clip(place_um + rng.normal(0.0, CLICK_UM), 0.0, last), 3).tolist()


def _corrected(
    rng: np.random.Generator, image: Image, item: Dendrite, found: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Marks as the person leaves them."""
    from labkit.pickers import spines_marks as marks

    truth = item.spines
    heads = truth[_PLACE].to_numpy()
    hits, owners = matched(np.array([marks.place(mark) for mark in found]).reshape(-1, 3), heads)
    owner = dict(zip(hits.tolist(), owners.tolist(), strict=True))
    kept = found
    for k, mark in enumerate(found):
        at = marks.place(mark)
        if k not in owner:
            if rng.random() >= LEFT:
                kept = marks.removed(kept, at)
        elif rng.random() < TAKEN:
            kept = marks.removed(kept, at)
        else:
            judged = _judged(rng, truth.iloc[owner[k]])
            kept = marks.reclassed(kept, at, judged)
    missed = np.flatnonzero(item.along & _seen(image, heads))
    for j in np.setdiff1d(missed, owners):
        if rng.random() >= OVERLOOKED:
            kept = marks.added(kept, _click(rng, image, heads[j]), _judged(rng, truth.iloc[j]))
    return kept


def _seen(image: Image, heads: Floats) -> NDArray[np.bool_]:
    """Whether a head lies in the picture, or so little above or below that its light is seen."""
    last = (np.array(image.shape) - 1) * image.voxel_um
    slack = np.array([0.3, 0.0, 0.0])
    return ((heads >= -slack) & (heads <= last + slack)).all(axis=1)


def _judged(rng: np.random.Generator, spine: pd.Series) -> str:
    """The class that the person sees."""
    others = [kind for kind in CLASSES if kind != spine["spine_class"]]
    return str(rng.choice(others)) if rng.random() < MISTAKEN else str(spine["spine_class"])

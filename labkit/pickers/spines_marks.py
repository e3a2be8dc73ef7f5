"""Marks of spines as they are stored, and what a person does to them: added, removed, moved, reclassed.

A mark is a plain mapping: `z`, `y`, `x` in µm, `class`, `origin`, `confidence` (None where a person added
it), and, where a person changed what was found, `detected`: [z, y, x, class] as the detector left it. A spine
that was found and then removed stays in the list with the origin *removed*, so that the detector can be
judged; one that a person added and then removed leaves nothing. No function here changes the list that it is
given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from labkit.errors import DataError

__all__ = [
    "CLASSES", "MATCH_UM", "Mark", "added", "checked_marks", "class_found", "distances",
    "found", "merged", "moved", "place", "place_found", "present", "reclassed", "removed", "table",
]  # fmt: skip

Mark = dict[str, Any]
CLASSES = ("mushroom", "thin", "stubby", "filopodium", "unclassified")
ORIGINS = ("auto", "added", "removed", "moved", "reclassed")
MATCH_UM = 0.6  # two marks no farther apart are of one spine: the least distance of two detected ones
_DIGITS = 3
_COLUMNS = ["z_um", "y_um", "x_um", "spine_class", "origin", "confidence"]


def checked_marks(value: Any) -> list[Mark]:
    """Marks in the form that is stored.

    Raises
    ------
    DataError
        If they are none, or two stand at one place.
    """
    try:
        marks = [_checked(mark) for mark in value]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            "the marks of the spines cannot be read", expected="z, y, x, class, origin"
        ) from error
    if len({place(mark) for mark in marks}) < len(marks):
        raise DataError("two spines stand at one place", todo="remove one of them")
    return marks


def _checked(mark: Mapping[str, Any]) -> Mark:
    if mark["origin"] not in ORIGINS or mark["class"] not in CLASSES:
        raise ValueError(mark)
    confidence = mark.get("confidence")
    one = _made(
        (mark["z"], mark["y"], mark["x"]), mark["class"], mark["origin"],
        None if confidence is None else float(confidence),
    )  # fmt: skip
    if mark.get("detected") is not None:
        *place, spine_class = mark["detected"]
        if spine_class not in CLASSES:
            raise ValueError(mark)
        one["detected"] = [*_rounded(place), spine_class]
    return one


def _made(at: Sequence[float], spine_class: str, origin: str, confidence: float | None) -> Mark:
    z, y, x = _rounded(at)
    if confidence is not None:
        confidence = round(confidence, _DIGITS) if math.isfinite(confidence) else None
    return {"z": z, "y": y, "x": x, "class": spine_class, "origin": origin, "confidence": confidence}


def _rounded(at: Sequence[float]) -> tuple[float, float, float]:
    z, y, x = (round(float(value), _DIGITS) + 0.0 for value in at)
    if not all(map(math.isfinite, (z, y, x))):
        raise ValueError(at)
    return z, y, x


def place(mark: Mark) -> tuple[float, float, float]:
    return mark["z"], mark["y"], mark["x"]


def present(marks: Sequence[Mark]) -> list[Mark]:
    """The spines that there are: all but the removed ones."""
    return [mark for mark in marks if mark["origin"] != "removed"]


def table(marks: Sequence[Mark]) -> pd.DataFrame:
    """One row per mark: z_um, y_um, x_um, spine_class, origin, confidence (NaN where added)."""
    rows = [(*place(mark), mark["class"], mark["origin"], mark["confidence"]) for mark in marks]
    made = pd.DataFrame(rows, columns=_COLUMNS)
    numbers = ["z_um", "y_um", "x_um", "confidence"]
    return made.astype(dict.fromkeys(numbers, float))


# -- what the detector says


def found(spines: pd.DataFrame) -> list[Mark]:
    """Marks of what a detector found: z_um, y_um, x_um, and where it has them confidence and spine_class.

    Raises
    ------
    DataError
        If a class is none of `CLASSES`; an empty one is *unclassified*.
    """
    marks: dict[tuple[float, float, float], Mark] = {}
    n = len(spines)
    classes = spines["spine_class"] if "spine_class" in spines else [""] * n
    confidences = spines["confidence"] if "confidence" in spines else [math.nan] * n
    for z, y, x, spine_class, confidence in zip(
        spines["z_um"], spines["y_um"], spines["x_um"], classes, confidences, strict=True
    ):
        named = "unclassified" if pd.isna(spine_class) or spine_class == "" else str(spine_class)
        if named not in CLASSES:
            raise DataError(f"a spine is of the class {named!r}", expected=", ".join(CLASSES))
        mark = _made((z, y, x), named, "auto", float(confidence))
        marks.setdefault(place(mark), mark)
    return list(marks.values())


def merged(marks: Sequence[Mark], again: Sequence[Mark]) -> list[Mark]:
    """Marks after the detector ran anew: what a person touched stays, what nobody touched is found anew.

    What is found within `MATCH_UM` of a touched mark, or of where it was found before, is that spine.

    >>> mine = added([], (1, 2, 3), "thin")
    >>> [mark["origin"] for mark in merged(mine, found(table(added([], (1, 2, 3.2), "stubby"))))]
    ['added']
    """
    touched = [mark for mark in marks if mark["origin"] != "auto"]
    taken = [at for mark in touched for at in {place(mark), place_found(mark) or place(mark)}]
    fresh = [mark for mark in again if not taken or distances(place(mark), taken).min() > MATCH_UM]
    return touched + fresh


def place_found(mark: Mark) -> tuple[float, float, float] | None:
    """Where the detector found it; None when a person added it."""
    if mark["origin"] == "added":
        return None
    return tuple(mark["detected"][:3]) if "detected" in mark else place(mark)


def class_found(mark: Mark) -> str:
    return mark["detected"][3] if "detected" in mark else mark["class"]


def distances(at: Sequence[float], places: Sequence[Sequence[float]]) -> np.ndarray:
    return np.linalg.norm(np.asarray(places, float) - np.asarray(at, float), axis=1)


# -- what a person does


def added(marks: Sequence[Mark], at: Sequence[float], spine_class: str = "unclassified") -> list[Mark]:
    """The marks and one more."""
    mark = _made(_given(at), _known(spine_class), "added", None)
    if place(mark) in {place(other) for other in marks}:
        raise DataError("there is a spine at that place already")
    return [*marks, mark]


def removed(marks: Sequence[Mark], at: Sequence[float]) -> list[Mark]:
    """The marks without one; one that was removed before comes back."""
    k = _index(marks, at)
    mark = marks[k]
    if mark["origin"] == "added":
        return [*marks[:k], *marks[k + 1 :]]
    return _with(marks, k, {**mark, "origin": "removed" if mark["origin"] != "removed" else _origin(mark)})


def moved(marks: Sequence[Mark], at: Sequence[float], to: Sequence[float]) -> list[Mark]:
    """The marks with one in another place."""
    k = _index(marks, at)
    z, y, x = _given(to)
    if any((z, y, x) == place(mark) for i, mark in enumerate(marks) if i != k):
        raise DataError("there is a spine at that place already")
    return _edited(marks, k, z=z, y=y, x=x)


def reclassed(marks: Sequence[Mark], at: Sequence[float], spine_class: str) -> list[Mark]:
    """The marks with one of another class.

    >>> marks = found(table(added([], (1, 2, 3), "thin")))
    >>> changed = reclassed(marks, (1, 2, 3), "stubby")
    >>> changed[0]["origin"], changed[0]["detected"]
    ('reclassed', [1.0, 2.0, 3.0, 'thin'])
    >>> reclassed(changed, (1, 2, 3), "thin") == marks
    True
    """
    return _edited(marks, _index(marks, at), **{"class": _known(spine_class)})


def _known(spine_class: Any) -> str:
    if spine_class not in CLASSES:
        raise DataError(f"the class is {spine_class!r}", expected=", ".join(CLASSES))
    return str(spine_class)


def _given(at: Sequence[float]) -> tuple[float, float, float]:
    try:
        return _rounded(at)
    except (TypeError, ValueError) as error:
        raise DataError(f"the place is {at!r}", expected="three numbers: z, y, x in µm") from error


def _index(marks: Sequence[Mark], at: Sequence[float]) -> int:
    where = _given(at)
    for k, mark in enumerate(marks):
        if place(mark) == where:
            return k
    raise DataError("there is no spine at that place any more", todo="look again and repeat the step")


def _with(marks: Sequence[Mark], k: int, mark: Mark) -> list[Mark]:
    return [*marks[:k], mark, *marks[k + 1 :]]


def _edited(marks: Sequence[Mark], k: int, **changes: Any) -> list[Mark]:
    before = marks[k]
    mark = {**before, **changes}
    if before["origin"] != "added":
        detected = before.get("detected", [*place(before), before["class"]])
        mark.pop("detected", None)
        if detected != [*place(mark), mark["class"]]:
            mark["detected"] = detected
        mark["origin"] = _origin(mark)
    return _with(marks, k, mark)


def _origin(mark: Mark) -> str:
    """Of a found mark: *moved* where it stands elsewhere now, else *reclassed* where its class is another."""
    if "detected" not in mark:
        return "auto"
    return "moved" if mark["detected"][:3] != [*place(mark)] else "reclassed"

"""Marks of spines compared: the detector with a person, and a person with themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from labkit.pickers.spines_marks import (
    CLASSES,
    MATCH_UM,
    Mark,
    class_found,
    distances,
    place,
    place_found,
    present,
)

__all__ = ["Look", "Repeats", "agreement", "matched", "repeats"]


def agreement(marks: Mapping[str, Sequence[Mark]]) -> pd.DataFrame:
    """How far a person kept what the detector found, one row for each code and one for all.

    Parameters
    ----------
    marks
        Final marks by code.

    Returns
    -------
    DataFrame
        `code`; `detected`: spines that the detector found; `kept`: those a person left, moved by no more than
        `MATCH_UM` or reclassed; `false`: the other ones; `missed`: spines that a person added, or moved a
        mark to from farther away; `reclassed`: kept ones of another class; `precision` = kept / detected and
        `recall` = kept / (kept + missed), NaN where there is nothing to divide by; `f1`, their harmonic mean.

    Notes
    -----
    The person saw what was found before deciding, so that both are upper bounds of what an independent count
    would give.
    """
    rows = [(code, *_counts(own)) for code, own in marks.items()]
    totals = [sum(row[k] for row in rows) for k in range(1, 6)]
    counts = pd.DataFrame(
        [*rows, ("all", *totals)], columns=["code", "detected", "kept", "false", "missed", "reclassed"]
    )
    kept, detected = counts["kept"].astype(float), counts["detected"].astype(float)
    counts["precision"] = kept / detected.where(detected > 0)
    counts["recall"] = kept / (kept + counts["missed"]).where(kept + counts["missed"] > 0)
    counts["f1"] = (
        2 * kept / (detected + kept + counts["missed"]).where(detected + kept + counts["missed"] > 0)
    )
    return counts


def _counts(marks: Sequence[Mark]) -> tuple[int, int, int, int, int]:
    detected = kept = missed = other_class = 0
    for mark in marks:
        where = place_found(mark)
        detected += where is not None
        if mark["origin"] == "removed":
            continue
        if where is None or float(distances(place(mark), [where])[0]) > MATCH_UM:
            missed += 1
        else:
            kept += 1
            other_class += mark["class"] != class_found(mark)
    return detected, kept, detected - kept, missed, other_class


def matched(first: Sequence[Mark], second: Sequence[Mark], *, within_um: float = MATCH_UM) -> pd.DataFrame:
    """Which spines of two looks are the same: `first` and `second` class, '' where not marked.

    Pairs are chosen so that as many as possible lie within the distance, and then as near as possible.
    """
    from scipy.optimize import linear_sum_assignment

    first, second = present(first), present(second)
    pairs: list[tuple[int, int]] = []
    if first and second:
        far = np.stack([distances(place(mark), [place(other) for other in second]) for mark in first])
        # One pair more is worth any distance.
        cost = np.where(far <= within_um, far - 2 * within_um * min(far.shape), 0.0)
        pairs = [(i, j) for i, j in zip(*linear_sum_assignment(cost), strict=True) if far[i, j] <= within_um]
    ones, others = {i for i, _ in pairs}, {j for _, j in pairs}
    rows = [(first[i]["class"], second[j]["class"]) for i, j in pairs]
    rows += [(mark["class"], "") for i, mark in enumerate(first) if i not in ones]
    rows += [("", mark["class"]) for j, mark in enumerate(second) if j not in others]
    return pd.DataFrame(rows, columns=["first", "second"])


@dataclass(frozen=True, eq=False)
class Repeats:
    """Dendrites that a person picked twice without knowing it, from which agreement is reckoned.

    Attributes
    ----------
    dendrites : DataFrame
        One row per pair: code, code_again, and of each look length_um, spines, density_per_10um and the
        number of each class (`spines`, `spines_again`, `mushroom`, `mushroom_again`, ...): pairs for an ICC.
    spines : DataFrame
        One row per spine: code, first, second: its class at either look, '' where it was not marked: pairs
        for a kappa.
    """

    dendrites: pd.DataFrame
    spines: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Look:
    """One look at a dendrite: its code, the length of its path, its marks."""

    code: str
    length_um: float
    marks: Sequence[Mark]

    def counts(self) -> dict[str, float]:
        own = present(self.marks)
        density = 10 * len(own) / self.length_um
        by_class = {name: sum(mark["class"] == name for mark in own) for name in CLASSES}
        return {"length_um": self.length_um, "spines": len(own), "density_per_10um": density, **by_class}


def repeats(pairs: Sequence[Sequence[Look]]) -> Repeats:
    """Both looks at each dendrite, side by side."""
    rows: list[dict[str, Any]] = []
    spines = [pd.DataFrame(columns=["code", "first", "second"], dtype=object)]
    names = ["length_um", "spines", "density_per_10um", *CLASSES]
    for first, again in pairs:
        row: dict[str, Any] = {"code": first.code, "code_again": again.code}
        once, twice = first.counts(), again.counts()
        for name in names:
            row |= {name: once[name], f"{name}_again": twice[name]}
        rows.append(row)
        both = matched(first.marks, again.marks)
        spines.append(both.assign(code=first.code)[["code", "first", "second"]])
    columns = ["code", "code_again", *(name + suffix for name in names for suffix in ("", "_again"))]
    return Repeats(pd.DataFrame(rows, columns=columns), pd.concat(spines, ignore_index=True))

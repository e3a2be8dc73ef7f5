"""Classes of spines by published rules, and how near each spine is to another class.

Sizes of spines form one continuum, and eight experts agree on the class of a spine in 60 % of pairs (Fleiss
kappa 0.43). Test length, head and neck first; classes are for comparison with the literature. Thresholds in
micrometres are near the resolution of light: keep one microscope setting within a study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError

__all__ = ["CLASSES", "HUMAN_AGREEMENT", "RULES", "Rule", "classify"]

CLASSES = ("stubby", "thin", "mushroom", "filopodium", "unclassified")
# Pairs of eight experts on 331 spines; what any rule can be held against.
HUMAN_AGREEMENT = {"pairwise": 0.60, "kappa": 0.43}

Floats = NDArray[np.float64]
Words = NDArray[np.object_]
# Marks whose class a person gave, or saw when placing them.
_BY_HAND = ("reclassed", "added", "moved")
_SIZES = ("length_um", "head_width_um", "neck_width_um")
# A size that is off by less than this would have given another class.
_NEAR_PERCENT = 10.0
_PERCENTS = np.arange(1, 51)


class Rule(NamedTuple):
    """A rule by name: its thresholds, and the classes it gives to length, head and neck width."""

    source: str
    thresholds: Mapping[str, float]
    assign: Callable[[Floats, Floats, Floats, Mapping[str, float]], Words]


def _rodriguez(length: Floats, head: Floats, neck: Floats, limit: Mapping[str, float]) -> Words:
    """Neck or none, then size of the head or slenderness. A neck too faint to be measured is one."""
    necked = np.isnan(neck) | (head > limit["head_over_neck"] * neck)
    large = head >= limit["mushroom_head_um"]
    slender = length >= limit["length_over_head"] * head
    out = np.where(necked, np.where(large, "mushroom", "thin"), np.where(slender, "thin", "stubby"))
    return np.where((out == "thin") & (length > limit["filopodium_length_um"]), "filopodium", out).astype(
        object
    )


def _risher(length: Floats, head: Floats, neck: Floats, limit: Mapping[str, float]) -> Words:
    """Length and width only: what is long or slender first, then what is wide."""
    slender = (head < limit["slender_width_over_length"] * length) & (length > limit["slender_length_um"])
    return np.select(
        [
            (length > limit["filopodium_length_um"]) | slender,
            head > limit["mushroom_head_um"],
            (length < head) & (length < limit["stubby_length_um"]),
            length < limit["filopodium_length_um"],
        ],
        ["filopodium", "mushroom", "stubby", "thin"],
        "unclassified",
    ).astype(object)


RULES = {
    "rodriguez2008": Rule(
        "Rodriguez et al. 2008 (NeuronStudio); thresholds as coded in Dendritic Spine Counter",
        {
            "head_over_neck": 1.1,
            "length_over_head": 2.5,
            "mushroom_head_um": 0.35,
            "filopodium_length_um": 3.0,
        },
        _rodriguez,
    ),
    "risher2014": Rule(
        "Risher et al. 2014, for Golgi stain; thresholds as coded in ManualSpineTypes-GOLGI",
        {
            "filopodium_length_um": 2.0,
            "slender_width_over_length": 0.25,
            "slender_length_um": 1.5,
            "mushroom_head_um": 0.6,
            "stubby_length_um": 1.0,
        },
        _risher,
    ),
}


def classify(
    spines: pd.DataFrame, *, rule: str = "rodriguez2008", thresholds: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Name the class of each spine.

    Parameters
    ----------
    spines
        With ``length_um``, ``head_width_um`` and ``neck_width_um``, as `detect` or `measure` give them.
    rule
        ``rodriguez2008`` or ``risher2014``; see `RULES` for source and thresholds.
    thresholds
        Other values for some thresholds of the rule, by name.

    Returns
    -------
    DataFrame
        A copy with ``spine_class`` and ``class_margin_percent``: the least change of one size, in %, that
        would change the class; NaN when none up to 50 % does. Below 10 % the flags say so. Without a length
        or head, and for spines that the border of the stack cuts or the shaft hides, the class is
        ``unclassified``. A class that a person gave or saw (origin ``reclassed``, ``added`` or ``moved``)
        stays.

    Raises
    ------
    DataError
        If the rule, a threshold or a column is unknown.

    Examples
    --------
    >>> sizes = {"length_um": [0.4, 1.2, 1.2], "head_width_um": [0.6, 0.3, 0.6]}
    >>> classify(pd.DataFrame({**sizes, "neck_width_um": [0.6, 0.2, 0.2]}))["spine_class"].tolist()
    ['stubby', 'thin', 'mushroom']
    """
    if rule not in RULES:
        raise DataError(f"there is no rule {rule!r}", expected=" or ".join(RULES))
    unknown = set(thresholds or {}) - set(RULES[rule].thresholds)
    if unknown:
        names = ", ".join(RULES[rule].thresholds)
        raise DataError(f"{rule} has no threshold {sorted(unknown)[0]!r}", expected=f"one of {names}")
    missing = [name for name in _SIZES if name not in spines]
    if missing:
        raise DataError(f"the table has no column {missing[0]}", expected="the table that detect gives")
    limit = {**RULES[rule].thresholds, **(thresholds or {})}
    sizes = [spines[name].to_numpy(float) for name in _SIZES]
    assign = RULES[rule].assign
    found = assign(*sizes, limit)
    flags = spines["flags"] if "flags" in spines else pd.Series("", index=spines.index)
    hidden = flags.str.contains("touches the|sizes are not seen").to_numpy(bool)
    unseen = hidden | ~np.isfinite(sizes[0]) | ~np.isfinite(sizes[1])
    margin = _margins(assign, sizes, limit, found)
    out = spines.copy()
    found[unseen], margin[unseen] = "unclassified", np.nan
    near = margin < _NEAR_PERCENT
    if "origin" in spines and "spine_class" in spines:
        by_hand = (spines["origin"].isin(_BY_HAND) & spines["spine_class"].isin(CLASSES)).to_numpy()
        found[by_hand], margin[by_hand] = spines.loc[by_hand, "spine_class"], np.nan
        near &= ~by_hand
    out["spine_class"] = found.astype(str)
    out["class_margin_percent"] = margin
    told = flags.str.replace(r"(; )?near another class", "", regex=True)
    out["flags"] = [
        "; ".join(part for part in (words, "near another class" if one else "") if part)
        for words, one in zip(told, near, strict=True)
    ]
    return out


def _margins(
    assign: Callable[..., Words], sizes: list[Floats], limit: Mapping[str, float], found: Words
) -> Floats:
    """Least change (n,) of one size in % that gives another class."""
    margin = np.full(len(found), np.nan)
    for percent in _PERCENTS[::-1]:
        for i in range(len(sizes)):
            for factor in (1 + percent / 100, 1 / (1 + percent / 100)):
                other = assign(*(size * factor if j == i else size for j, size in enumerate(sizes)), limit)
                margin[other != found] = percent
    return margin

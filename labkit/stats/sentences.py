"""Dose-response curves, planned experiments and equivalence in sentences, as a paper prints them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from labkit.stats.validate import join
from labkit.stats.words import dropped, interval, label, number, outcome, p_value, plural

if TYPE_CHECKING:
    from labkit.stats.equivalence import Equivalence
    from labkit.stats.hill import DoseResponse
    from labkit.stats.planned import Power

__all__ = ["dose_response", "equivalence", "power"]


def dose_response(curve: DoseResponse) -> str:
    """A Hill curve in sentences; see `DoseResponse.summary`."""
    percent = f"{100 * (1 - curve.alpha):g}% CI"
    spread = curve.sigma

    def said(name: str, text: str, *, like: float | None = None, first: bool = False) -> str:
        row = curve.parameters.loc[name]
        value = number(row["value"], like=like)
        if row["fixed"]:
            return f"{text} {value} (fixed)"
        low, high = (number(row[end], like=like) for end in ("ci_low", "ci_high"))
        return f"{text} {value} ({percent + ' ' if first else ''}{_range(low, high, row)})"

    rises = curve.parameters.loc["hill", "value"] > 0
    ends = [said("bottom", "bottom", like=spread), said("top", "top", like=spread)]
    unit = plural(curve.unit) if curve.unit else "rows, each an independent unit,"
    sentences = [
        f"Hill curve of {label(curve.value)} over {curve.dose}: {said('ec50', 'EC50', first=True)}, "
        f"{said('hill', 'Hill slope', like=1.0)}, {join(ends if rises else ends[::-1])}; "
        f"n = {curve.n} {unit} at {len(curve.doses)} doses."
    ]
    if curve.lack_of_fit is not None:
        sentences.append(f"Lack of fit: {outcome(curve.lack_of_fit, alpha=curve.alpha)}.")
    if len(curve.dropped):
        sentences.append(dropped(curve.dropped))
    return " ".join([*sentences, *curve.warnings])


def _range(low: str, high: str, row: pd.Series) -> str:
    """Two limits in words, an open one as what it leaves."""
    if np.isinf(row["ci_high"]):
        return f"above {low}" if row["ci_low"] > 0 or np.isfinite(row["ci_low"]) else "not limited"
    return f"below {high}" if np.isinf(row["ci_low"]) else f"{low} to {high}"


def power(p: Power) -> str:
    """The power of a planned experiment in a sentence; see `Power.summary`."""
    unit = plural(p.unit)
    sizes = set(p.n.values())
    many = (
        f"{sizes.pop()} {unit} per group"
        if len(sizes) == 1
        else f"{join(f'{n} {g}' for g, n in p.n.items())}"
    )
    if p.subunits:
        many += (
            f", {join(f'{m:g} {plural(level) if m != 1 else level}' for level, m in p.subunits.items())} each"
        )
    if p.per_block:
        many += f", in complete blocks with {p.per_block} of each group"
    tested = {
        "anova": "one-way analysis of variance",
        "dunnett": f"Dunnett's test against {p.control}",
        "trend": "the linear trend over dose",
    }[p.test]
    found = {"any": " for any of the groups that differ", "all": " for all groups that differ"}
    finding = found.get(p.finding, f" for {p.finding}" if p.finding else "")
    means = join(f"{number(x, like=_step(p.means.values()))} {name}" for name, x in p.means.items())
    spread = join(f"{number(sd)} between {plural(level)}" for level, sd in p.sd.items())
    kind = "geometric means" if p.scale == "log" else "means"
    logs = " of natural logarithms" if p.scale == "log" else ""
    return (
        f"With {many}, {tested} at α = {p.alpha:g} has a power of {100 * p.power:.0f} %{finding}, if {kind} "
        f"are {means} and the SD{logs} is {spread}."
    )


def _step(values: Iterable[float]) -> float:
    """The smallest difference of values that differ: the spread to which they are printed."""
    gaps = np.diff(np.unique(list(values)))
    return float(gaps.min()) if gaps.size else 1.0


def equivalence(e: Equivalence) -> str:
    """Equivalence to the control in sentences; see `Equivalence.summary`."""
    ratio = "ratio" in e.contrasts
    low, high = (number(x) for x in e.margin)
    percent = f"{100 * (1 - 2 * e.alpha):g}% CI"
    how = {
        "dunnett": ", P and intervals adjusted for the number of groups (Bofinger and Bofinger)",
        "bonferroni": ", P and intervals adjusted by Bonferroni's method",
        "none": "",
    }[e.adjust]
    said = []
    for i, row in enumerate(e.contrasts.to_dict("records")):
        names = ("ratio", "ratio_low", "ratio_high") if ratio else ("difference", "ci_low", "ci_high")
        size, *ends = (row[name] for name in names)
        like = ends[1] - ends[0]
        first = percent + " " if i == 0 else ""
        verdict = "equivalent" if row["equivalent"] else "not shown to be equivalent"
        said.append(
            f"{row['contrast']} {number(size, like=like, sign=not ratio)} "
            f"({first}{interval(*ends, like=like)}), {p_value(row['p_adjusted'], alpha=e.alpha)}, {verdict}"
        )
    what = "ratios" if ratio else "differences"
    return (
        f"{label(e.value)}: equivalence to {e.control} for {what} between {low} and {high} by two one-sided "
        f"tests at α = {e.alpha:g}{how}: {'; '.join(said)}."
    )

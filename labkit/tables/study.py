"""What a study holds: result tables labelled and rounded, what was counted, who decided what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from labkit.columns import COLUMNS, axis_label
from labkit.tables import cells

if TYPE_CHECKING:
    from labkit.stats import Agreement

__all__ = ["agreement", "labelled", "numbers", "picks_in_words", "unconfirmed"]


def agreement(found: Mapping[str, Agreement], *, confidence: float = 0.95) -> pd.DataFrame:
    """Measures of agreement set out: what was looked at twice, the measure with its interval, and n."""
    rows = {}
    for name, one in found.items():
        known = not math.isnan(one.value)
        rows[name] = {
            "Measure": one.what,
            f"Value ({100 * confidence:g}% CI)": cells.fixed(one.value, 2) + _between(one)
            if known
            else "not known",
            "n": str(one.n),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _between(one: Agreement) -> str:
    return f" ({cells.fixed(one.ci_low, 2)} to {cells.fixed(one.ci_high, 2)})"


def labelled(table: pd.DataFrame, *, digits: int = 3) -> pd.DataFrame:
    """A result table as it is shown: labels with units for names, rounded, without columns that hold nothing.

    Percentages are given to one decimal, other numbers to `digits`.

    >>> labelled(pd.DataFrame({"code": ["R1"], "r2": [0.98765], "excluded": [""]})).to_dict("list")
    {'Code': ['R1'], 'R²': [0.988]}
    """
    empty = [name for name in table if table[name].isna().all() or table[name].astype(str).eq("").all()]
    names = {name: axis_label(name) for name in table if name in COLUMNS}
    decimals = {
        name: 1 if name in COLUMNS and COLUMNS[name].unit.startswith("%") else digits for name in table
    }
    return table.drop(columns=empty).round(decimals).rename(columns=names)


def numbers(slices: pd.DataFrame, *, unit: str = "animal", value: str | None = None) -> pd.DataFrame:
    """Units and slices of each group, and how many slices were excluded or flagged.

    `slices` holds one row per slice with ``group``, `unit`, ``excluded`` (a reason, or '') and ``flags``.
    Units compared have a slice that is not excluded and, where `value` names a column, has a value in it.
    """
    out = slices["excluded"].ne("")
    known = ~out if value is None else ~out & slices[value].notna()
    frame = slices.assign(is_in=known, is_out=out, is_flagged=slices["flags"].ne(""))
    grouped = frame.groupby("group", observed=False)
    return pd.DataFrame(
        {
            f"{unit}s": grouped[unit].nunique(),
            f"{unit}s compared": frame[frame["is_in"]].groupby("group", observed=False)[unit].nunique(),
            "slices": grouped.size(),
            "slices excluded": grouped["is_out"].sum(),
            "slices flagged": grouped["is_flagged"].sum(),
        }
    )


def unconfirmed(provenance: Mapping[str, Any]) -> int:
    """How many of the picks that a result table was made from nobody has confirmed."""
    return sum(pick["origin"] == "proposed" for pick in provenance.get("picks", []))


def picks_in_words(provenance: Mapping[str, Any]) -> str:
    """Who decided what, and whether blind, from the provenance of a result table.

    >>> pick = {"origin": "confirmed", "by": "ana", "blind": True}
    >>> picks_in_words({"picks": [pick, pick, pick | {"origin": "proposed", "by": ""}]})
    '3 picks: 2 confirmed, 1 proposed and confirmed by nobody; by ana; all of them made blind.'
    """
    made = provenance.get("picks", [])
    stored = [pick for pick in made if pick["origin"] != "proposed"]
    said = {
        "confirmed": "confirmed",
        "changed": "changed by hand",
        "proposed": "proposed and confirmed by nobody",
    }
    counts = [(sum(pick["origin"] == origin for pick in made), words) for origin, words in said.items()]
    parts = [
        f"{len(made)} pick{'s' * (len(made) != 1)}: "
        + (", ".join(f"{n} {words}" for n, words in counts if n) or "none")
    ]
    if stored:
        blind = sum(bool(pick["blind"]) for pick in stored)
        parts.append("by " + ", ".join(sorted({pick["by"] or "unknown" for pick in stored})))
        parts.append(
            "all of them made blind" if blind == len(stored) else f"{blind} of {len(stored)} made blind"
        )
    return "; ".join(parts) + "."

"""The ARRIVE 2.0 Essential 10 of a study, filled from what the kit knows, open where nobody has said.

Percie du Sert N et al. (2020) PLoS Biol 18:e3000410. What only people know (how animals were allotted, how
their number was decided) is taken as plain text; where it is absent the table says what to state, so that an
empty line is seen by the author and not by the referee.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from labkit.errors import DataError
from labkit.tables import cells
from labkit.tables.groups import centres

if TYPE_CHECKING:
    from labkit.stats import Comparison

__all__ = ["arrive"]


def arrive(
    comparisons: Mapping[str, Comparison | DataError],
    *,
    primary: Sequence[str],
    excluded: pd.DataFrame | None = None,
    animals: str = "",
    sample_size: str = "",
    criteria: str = "",
    randomisation: str = "",
    confounders: str = "",
    blinding: str = "",
    multiplicity: str = "",
    procedures: str = "",
    software: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """What a paper must report of an animal study, one row per item of the ARRIVE 2.0 Essential 10.

    Parameters
    ----------
    comparisons
        The comparison of each endpoint, by its column name; a `DataError` is told as such.
    primary
        Endpoints that the study stands on; all others are secondary.
    excluded
        One row per thing excluded, with ``group`` and ``excluded`` (the reason), as the joined result tables
        have them; rows with an empty reason count as included.
    animals
        Species, strain, sex, age and source.
    sample_size
        How the number of animals was decided, such as `Power.summary()` of the plan.
    criteria
        Criteria of inclusion and exclusion, and whether they were set beforehand.
    randomisation
        Whether and how animals were allotted to groups.
    confounders
        What was done about order, cage, day, side of the membrane.
    blinding
        Who knew of the groups at allotment, experiment, measurement and analysis; picks tell it of the
        measurement (`picks_in_words`).
    multiplicity
        How several endpoints were handled, if they were.
    procedures
        What was done to each group, how, when and where.
    software
        Versions by name.
    labels
        How groups are written.

    Returns
    -------
    DataFrame
        ``Reported`` and ``Stated`` ("yes" or "to be stated"), indexed by item and topic.

    Raises
    ------
    DataError
        When nothing was compared, or a primary endpoint is not among the comparisons.
    """
    made = {name: c for name, c in comparisons.items() if not isinstance(c, DataError)}
    if not made:
        raise DataError("no endpoint was compared", expected="at least one comparison")
    if missing := [name for name in primary if name not in comparisons]:
        raise DataError(
            f"primary endpoint {missing[0]!r} was not compared",
            expected=f"primary endpoints among {', '.join(comparisons)}",
        )
    labels = labels or {}
    first = next(iter(made.values()))
    groups = list(dict.fromkeys(str(name) for c in made.values() for name in c.groups.index))
    named = [labels.get(name, name) + (" (control)" if name == first.control else "") for name in groups]
    items = [
        ("1a", "Groups compared", ", ".join(named)),
        ("1b", "Experimental unit", "; ".join(dict.fromkeys(_unit(c) for c in made.values()))),
        ("2a", "Number per group", "; ".join(_numbers(name, c, labels) for name, c in made.items())),
        ("2b", "How the number was decided", sample_size),
        ("3a", "Criteria of inclusion and exclusion", criteria),
        ("3b", "Exclusions", _exclusions(excluded, groups, labels)),
        ("3c", "Number in each analysis", "; ".join(_lost(name, c) for name, c in made.items())),
        ("4a", "Randomisation", randomisation),
        ("4b", "Confounders", confounders),
        ("5", "Blinding", blinding),
        ("6a", "Outcome measures", _outcomes(comparisons, primary)),
        ("6b", "Primary outcome", ", ".join(map(cells.title, primary))),
        ("7a", "Statistical methods", _methods(made, multiplicity, software or {})),
        ("7b", "Assumptions", _assumptions(made)),
        ("8", "Animals", animals),
        ("9", "Procedures", procedures),
        ("10a", "Results by group", "; ".join(_results(name, c, labels) for name, c in made.items())),
        ("10b", "Effect sizes with intervals", _effects(made, primary)),
    ]
    rows = [
        {
            "Item": item,
            "Topic": topic,
            "Reported": text or _OPEN[item],
            "Stated": "yes" if text else "to be stated",
        }
        for item, topic, text in items
    ]
    return pd.DataFrame(rows).set_index(["Item", "Topic"])


_OPEN = {
    "2b": "State how the number of animals was decided, before the study.",
    "3a": "State which animals, slices or images were to be left out, and whether this was set beforehand.",
    "3b": "State exclusions, or that there were none.",
    "4a": "State whether and how animals were allotted to groups at random.",
    "4b": "State what was done about order, cage and day.",
    "5": "State who knew of the groups when animals were allotted, treated, measured and analysed.",
    "6b": "Name the primary outcome.",
    "8": "State species, strain, sex, age and source.",
    "9": "State what was done to each group, how, when and where.",
}


def _effects(made: Mapping[str, Comparison], primary: Sequence[str]) -> str:
    """The primary endpoints in full; of many others their table says it better."""
    told = [made[name].summary() for name in primary if name in made]
    others = [cells.title(name) for name in made if name not in primary]
    return " ".join([*told, *([f"Others: see the contrasts of {', '.join(others)}."] if others else [])])


def _unit(c: Comparison) -> str:
    if c.unit is None:
        return "each row of the table"
    inner = " and ".join(f"{level}s" for level in c.nested)
    return f"the {c.unit}" + (f"; {inner} were averaged to it" if inner else "")


def _numbers(name: str, c: Comparison, labels: Mapping[str, str]) -> str:
    counts = ", ".join(f"{labels.get(str(g), str(g))} {n}" for g, n in c.groups["n"].items())
    return f"{cells.title(name)}: {counts}"


def _exclusions(excluded: pd.DataFrame | None, groups: Sequence[str], labels: Mapping[str, str]) -> str:
    if excluded is None:
        return ""
    out = excluded[excluded["excluded"].astype(str).ne("") & excluded["excluded"].notna()]
    said = []
    for name in groups:
        reasons = out.loc[out["group"].astype(str) == name, "excluded"].value_counts(sort=False)
        told = ", ".join(f"{reason} ({n})" for reason, n in reasons.items())
        said.append(f"{labels.get(name, name)}: {told or 'none'}")
    return "; ".join(said)


def _lost(name: str, c: Comparison) -> str:
    reasons = c.dropped["reason"].value_counts(sort=False)
    told = ", ".join(f"{reason} ({n})" for reason, n in reasons.items())
    rows, units = int(c.groups["n_subunits"].sum()), int(c.groups["n"].sum())
    return f"{cells.title(name)}: {rows} values of {units} {c.unit or 'row'}s, left out: {told or 'none'}"


def _outcomes(comparisons: Mapping[str, Comparison | DataError], primary: Sequence[str]) -> str:
    parts = [("primary", [n for n in comparisons if n in primary]),
             ("secondary", [n for n in comparisons if n not in primary])]  # fmt: skip
    said = [f"{kind}: {', '.join(map(cells.title, names))}" for kind, names in parts if names]
    failed = [f"{cells.title(n)} ({c})" for n, c in comparisons.items() if isinstance(c, DataError)]
    return "; ".join(said) + (f"; not compared: {', '.join(failed)}" if failed else "")


def _methods(made: Mapping[str, Comparison], multiplicity: str, software: Mapping[str, str]) -> str:
    """One paragraph for all endpoints that share it."""
    paragraphs: dict[str, list[str]] = {}
    for name, c in made.items():
        paragraphs.setdefault(c.methods(), []).append(cells.title(name))
    several = len(paragraphs) > 1
    said = [f"{', '.join(names)}: {text}" if several else text for text, names in paragraphs.items()]
    if multiplicity:
        said.append(multiplicity)
    if software:
        said.append("Software: " + ", ".join(f"{name} {version}" for name, version in software.items()) + ".")
    return " ".join(said)


def _assumptions(made: Mapping[str, Comparison]) -> str:
    said = []
    for name, c in made.items():
        tests = ", ".join(f"{test} P = {p:.2g}" for test, p in c.assumptions["p"].items() if pd.notna(p))
        said.append(f"{cells.title(name)}: {tests or 'not tested'}")
    return "; ".join(said) + ". Looked at, and not used to choose a test."


def _results(name: str, c: Comparison, labels: Mapping[str, str]) -> str:
    kind = "mean ± SD" if c.scale == "linear" else "geometric mean as fold of control ×/÷ geometric SD"
    sign = "±" if c.scale == "linear" else "×/÷"
    told = ", ".join(
        f"{labels.get(str(row.Index), str(row.Index))} {row.centre:.3g} {sign} {row.spread:.2g}"
        for row in centres(c).itertuples()
    )
    return f"{cells.title(name)} ({kind}): {told}"

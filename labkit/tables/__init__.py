"""Tables of a study as its reader wants them: by group, contrast by contrast, and what was counted."""

from __future__ import annotations

from labkit.tables.arrive import arrive
from labkit.tables.groups import assumptions, by_group, contrasts, legend, omnibus
from labkit.tables.plans import equivalence, families, hill, power
from labkit.tables.study import agreement, labelled, numbers, picks_in_words, unconfirmed

__all__ = [
    "agreement",
    "arrive",
    "assumptions",
    "by_group",
    "contrasts",
    "equivalence",
    "families",
    "hill",
    "labelled",
    "legend",
    "numbers",
    "omnibus",
    "picks_in_words",
    "power",
    "unconfirmed",
]

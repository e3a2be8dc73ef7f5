"""Dendritic spines: read a stack, trace a dendrite, find, measure and classify its spines, and count them.

``read`` gives a `Stack`; ``trace`` a `Dendrite` between clicked points; ``detect`` one row per spine;
``measure`` the sizes of spines that a person added; ``classify`` their classes; ``density`` spines per 10 um.
"""

from __future__ import annotations

from labkit.spines.classify import CLASSES, HUMAN_AGREEMENT, RULES, classify
from labkit.spines.dendrite import Dendrite, trace
from labkit.spines.density import counted_span, density
from labkit.spines.detect import detect
from labkit.spines.images import Finder, amiss, measure_dendrites, overview, read_stacks
from labkit.spines.measure import measure
from labkit.spines.stack import Stack, read
from labkit.spines.straighten import Straightened, straighten

__all__ = [
    "CLASSES",
    "HUMAN_AGREEMENT",
    "RULES",
    "Dendrite",
    "Finder",
    "Stack",
    "Straightened",
    "amiss",
    "classify",
    "counted_span",
    "density",
    "detect",
    "measure",
    "measure_dendrites",
    "overview",
    "read",
    "read_stacks",
    "straighten",
    "trace",
]

"""Comparison of treatment groups on experimental units: one call, and the parts that it is made of."""

from __future__ import annotations

from labkit.stats.adjusted import Adjusted
from labkit.stats.agreement import Agreement, icc, kappa
from labkit.stats.ancova import ancova, blocked
from labkit.stats.compare import compare
from labkit.stats.comparison import Comparison
from labkit.stats.effects import hedges_g, rank_epsilon2, variance_explained
from labkit.stats.equivalence import Equivalence, equivalence
from labkit.stats.factorial import FactorialModel, mixed_factorial
from labkit.stats.families import families, multiplicity
from labkit.stats.hill import DoseResponse, hill
from labkit.stats.mixed import MixedModel, mixed_model
from labkit.stats.oneway import Anova, Outcome, assumptions, describe, kruskal, one_way, welch
from labkit.stats.planned import Power
from labkit.stats.posthoc import adjust, dunn, dunnett, games_howell, pairwise, tukey
from labkit.stats.power import detectable, power, power_table, sample_size, variance_components
from labkit.stats.repeated import MixedAnova, mixed_anova
from labkit.stats.sensitivity import sensitivity
from labkit.stats.trend import Jonckheere, jonckheere, trend
from labkit.stats.twoway import TwoWay, two_way
from labkit.stats.units import Units, experimental_units

__all__ = [
    "Adjusted",
    "Agreement",
    "Anova",
    "Comparison",
    "DoseResponse",
    "Equivalence",
    "FactorialModel",
    "Jonckheere",
    "MixedAnova",
    "MixedModel",
    "Outcome",
    "Power",
    "TwoWay",
    "Units",
    "adjust",
    "ancova",
    "assumptions",
    "blocked",
    "compare",
    "describe",
    "detectable",
    "dunn",
    "dunnett",
    "equivalence",
    "experimental_units",
    "families",
    "games_howell",
    "hedges_g",
    "hill",
    "icc",
    "jonckheere",
    "kappa",
    "kruskal",
    "mixed_anova",
    "mixed_factorial",
    "mixed_model",
    "multiplicity",
    "one_way",
    "pairwise",
    "power",
    "power_table",
    "rank_epsilon2",
    "sample_size",
    "sensitivity",
    "trend",
    "tukey",
    "two_way",
    "variance_components",
    "variance_explained",
    "welch",
]

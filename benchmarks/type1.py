"""False positives at 5 % of tests of nested data: slices in animals, spines in animals, no group differing.

    python benchmarks/type1.py [--sets N] [--designs K ...] [--jobs N] [--means]

Each null set has four groups of animals whose sub-units share an intercept; the part of the variance that
lies between animals is the ICC. Counted is how often P < 0.05. labkit's default is the analysis of animal
means, with Dunnett's test for contrasts (counted when any of the three is found). Beside it stand what it
protects from, all sub-units pooled; and a mixed model of all values, tested by Wald's chi-squared (as
statsmodels prints it), by Satterthwaite's F (labkit refuses it when the variance between animals is estimated
as 0, counted apart; here it is made even then, as other programs do) and by Kenward and Roger's F; and
Kruskal-Wallis on animal means. --means counts the tests of means only, for longer runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import chi2

from labkit import stats
from labkit.stats import reml
from labkit.stats.denominator import KenwardRoger, Satterthwaite
from labkit.stats.integrals import critical_many_to_one

GROUPS = ("vehicle", "dose1", "dose2", "dose3")
ALPHA = 0.05


@dataclass(frozen=True)
class Design:
    """Animals per group, least and most sub-units of an animal, and the ICC."""

    name: str
    animals: tuple[int, int, int, int]
    least: int
    most: int
    icc: float


DESIGNS = (
    Design("4 animals, 1-5 slices, ICC 0.5", (4, 4, 4, 4), 1, 5, 0.5),
    Design("6 animals, 3 slices, ICC 0.5", (6, 6, 6, 6), 3, 3, 0.5),
    Design("6 animals, 1-8 slices, ICC 0.2", (6, 6, 6, 6), 1, 8, 0.2),
    Design("5 animals, 10-40 spines, ICC 0.1", (5, 5, 5, 5), 10, 40, 0.1),
    Design("3, 4, 6, 8 animals, 1-10 slices, ICC 0.3", (3, 4, 6, 8), 1, 10, 0.3),
    Design("4 animals, 1-5 slices, ICC 0.05", (4, 4, 4, 4), 1, 5, 0.05),
)
TESTS = {
    "pooled": "pooled ANOVA",
    "means": "**animal means**",
    "dunnett": "**Dunnett on means**",
    "wald": "Wald χ²",
    "satterthwaite": "Satterthwaite F",
    "kenward_roger": "Kenward-Roger F",
    "kruskal": "Kruskal-Wallis on means",
    "singular": "singular",
}


def found(design: Design, seed: Iterable[int], *, modelled: bool) -> dict[str, bool]:
    """Which tests find a difference in one null set, and (if `modelled`) whether its fit was singular."""
    rng = np.random.default_rng(list(seed))
    group = np.repeat(np.arange(4), design.animals)
    count = rng.integers(design.least, design.most + 1, group.size)
    animal = np.repeat(np.arange(group.size), count)
    shift = rng.normal(0, np.sqrt(design.icc), group.size)
    y = shift[animal] + rng.normal(0, np.sqrt(1 - design.icc), animal.size)
    mean = np.bincount(animal, y) / count
    pooled = {name: y[group[animal] == i] for i, name in enumerate(GROUPS)}
    means = {name: mean[group == i] for i, name in enumerate(GROUPS)}
    anova = stats.one_way(means)
    zero, *others = (part.mean() for part in means.values())
    n = np.array(design.animals)
    t = (np.array(others) - zero) / np.sqrt(anova.ms_within * (1 / n[1:] + 1 / n[0]))
    tested = {
        "means": anova.p < ALPHA,
        "dunnett": bool(np.abs(t).max() > critical(design.animals)),
        "kruskal": stats.kruskal(means).p < ALPHA,
    }
    if not modelled:
        return tested
    x = np.eye(4)[group[animal]]
    fit = reml.fit(reml.nest(y, x, [animal]))
    contrasts = np.diff(np.eye(4), axis=0)
    estimate = contrasts @ fit.beta
    wald = float(estimate @ np.linalg.solve(contrasts @ fit.phi @ contrasts.T, estimate))
    return tested | {
        "pooled": stats.one_way(pooled).p < ALPHA,
        "wald": float(chi2.sf(wald, 3)) < ALPHA,
        "satterthwaite": Satterthwaite(fit).test(contrasts).p < ALPHA,
        "kenward_roger": KenwardRoger(fit).test(contrasts).p < ALPHA,
        "singular": bool(fit.theta[0] <= 1e-8 * fit.theta[1]),
    }


@cache
def critical(animals: tuple[int, ...]) -> float:
    """Dunnett's critical value for these numbers of animals."""
    n = np.array(animals, dtype=float)
    return critical_many_to_one(ALPHA, np.sqrt(n[1:] / (n[1:] + n[0])), n.sum() - 4)


def counted(task: tuple[int, int, int, bool]) -> pd.Series:
    """How often each test finds a difference in sets `first` to `last` of a design."""
    which, first, last, modelled = task
    rows = [found(DESIGNS[which], (2026, which, i), modelled=modelled) for i in range(first, last)]
    return pd.DataFrame(rows).sum()


def main() -> None:
    """Print a table of percentages, one line per design."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--designs", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6], choices=range(1, 7))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--means", action="store_true")
    options = parser.parse_args()
    begun = time.perf_counter()
    se = 100 * np.sqrt(ALPHA * (1 - ALPHA) / options.sets)
    print(f"False positives in %, {options.sets} null sets each (SE of 5 %: {se:.2f})\n")
    shown = [test for test in TESTS if not options.means or test in ("means", "dunnett", "kruskal")]
    print("| 4 groups | " + " | ".join(TESTS[test] for test in shown) + " |")
    print("|---" * (len(shown) + 1) + "|")
    outside = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for number in options.designs:
            edges = np.linspace(0, options.sets, 4 * options.jobs + 1).astype(int)
            tasks = [(number - 1, a, b, not options.means) for a, b in pairwise(edges)]
            share = 100 * sum(pool.map(counted, tasks)) / options.sets
            print(
                f"| {DESIGNS[number - 1].name} | " + " | ".join(f"{share[test]:.1f}" for test in shown) + " |"
            )
            outside += [
                f"{TESTS[test].strip('*')}, design {number}: {share[test]:.2f} %"
                for test in ("means", "dunnett")
                if not 4 <= share[test] <= 5.5
            ]
    print(f"\nDefaults outside 4-5.5 %: {'; '.join(outside) or 'none'}. {time.perf_counter() - begun:.0f} s.")


if __name__ == "__main__":
    main()

"""False positives and power of the ways in which blots are normalised, on simulated membranes.

    python benchmarks/blots_ratios.py [--runs N] [--many N]

Three groups, vehicle and two doses. Volumes are lognormal: animals differ with a CV of 30 %, membranes with
40 %, the ratio of one lane has a technical error of 10 %, and lanes are loaded with a CV of 20 %. A cell is
"false positives / power" in % at P < 0.05: no effect, and doses at 1.5 times vehicle. Log ratios come from
`labkit.blots.ratios`, F of the group from least squares with the membrane in the model; some of the sets go
through `labkit.stats.compare` as well, whose F and P are held against it. "Many" null sets narrow the false
positives of that route; they take the log of the same volumes directly.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from labkit import blots, stats

GROUPS = ("vehicle", "dose1", "dose2")
DOSES = np.log([1.0, 1.5, 1.5])
ALPHA = 0.05
PAIR = ("p-CREB", "CREB")


def sigma(cv: float) -> float:
    """Standard deviation of the log of a lognormal value."""
    return float(np.sqrt(np.log1p(cv**2)))


ANIMAL, MEMBRANE, TECHNICAL, LOAD, TOTAL = map(sigma, (0.3, 0.4, 0.1, 0.2, 0.2))


@dataclass(frozen=True)
class Design:
    """Membranes, animals of each group on every membrane, lanes of each animal, and how the target is got.

    With `phospho` the phosphorylated target and its total stand on two membranes, each with a control.
    """

    membranes: int
    animals: int
    lanes: int = 1
    phospho: bool = False


DESIGNS = [(4, 1), (6, 1), (3, 2), (2, 4), (1, 6)]
VARIANTS = {
    "one lane an animal": {},
    "two lanes an animal": {"lanes": 2},
    "p-CREB/CREB over two membranes": {"phospho": True},
}


def volumes(design: Design, runs: int, effect: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Volumes (runs, membranes, groups, animals, lanes): target and control, of the total too with a pair."""
    units = (runs, design.membranes, len(GROUPS), design.animals, 1)
    lanes = (*units[:-1], design.lanes)
    animal = effect[:, None, None] + rng.normal(0, ANIMAL, units)
    total = rng.normal(0, TOTAL, units) if design.phospho else 0.0
    out = []
    for amount in (animal + total, total)[: 1 + design.phospho]:
        load = rng.normal(0, LOAD, lanes)
        for log in (amount + rng.normal(0, MEMBRANE, (runs, design.membranes, 1, 1, 1)), 0.0):
            # Half of the technical variance of the ratio is the target's, half the control's.
            out.append(np.exp(log + load + rng.normal(0, TECHNICAL / np.sqrt(2), lanes)))
    return out


def bands(design: Design, made: Sequence[np.ndarray]) -> pd.DataFrame:
    """The study-level table of bands of all runs; a run has its own membranes and animals."""
    run, membrane, group, animal, lane = (axis.ravel() for axis in np.indices(made[0].shape))
    where = "R" + pd.Series(run).astype(str) + "M" + pd.Series(membrane).astype(str)
    table = pd.DataFrame(
        {
            "animal": where + "-" + pd.Series(group).astype(str) + "-" + pd.Series(animal).astype(str),
            "lane": 1 + (group * design.animals + animal) * design.lanes + lane,
            "replicate": 1 + lane,
        }
    )
    names = [("p", PAIR[0]), ("p", "GAPDH"), ("t", PAIR[1]), ("t", "GAPDH")]
    parts = [
        table.assign(membrane=where + (side if design.phospho else ""), target=name, volume=volume.ravel())
        for (side, name), volume in zip(names, made, strict=False)
    ]
    return pd.concat(parts, ignore_index=True)


def log_ratios(design: Design, made: Sequence[np.ndarray]) -> tuple[np.ndarray, pd.DataFrame]:
    """Log ratios (runs, membranes, groups, animals) as the kit makes them, and its table."""
    asked = {"phospho": [PAIR]} if design.phospho else {"targets": [PAIR[0]]}
    table = blots.ratios(bands(design, made), loading="GAPDH", **asked)
    names = table["animal"].str.extract(r"R(\d+)M(\d+)-(\d+)-(\d+)").astype(int)
    out = np.full(made[0].shape[:-1], np.nan)
    out[tuple(names[c].to_numpy() for c in names)] = table["log_ratio"]
    return out, table.assign(group=[GROUPS[g] for g in names[2]], run=names[0])


def direct(made: Sequence[np.ndarray]) -> np.ndarray:
    """Log ratio of every lane from the volumes, without tables."""
    logs = [np.log(volume) for volume in made]
    return logs[0] - logs[1] - (logs[2] - logs[3] if len(logs) > 2 else 0)


def p_anova(y: np.ndarray) -> np.ndarray:
    """P of a one-way ANOVA of (runs, membranes, groups, units) that knows of no membrane."""
    groups = np.moveaxis(y, 2, 0).reshape(y.shape[2], y.shape[0], -1)
    return scipy_stats.f_oneway(*groups, axis=1).pvalue


def f_blocked(y: np.ndarray, group: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, int, int]:
    """F of the group beside the block, of (runs, units), with its degrees of freedom: type II squares."""
    blocks = (block[:, None] == np.unique(block)).astype(float)
    both = np.hstack([blocks, group[:, None] == np.unique(group)[1:]])

    def residual(design: np.ndarray) -> np.ndarray:
        q = np.linalg.qr(design)[0]
        return (y**2).sum(axis=1) - ((y @ q) ** 2).sum(axis=1)

    df1, df2 = both.shape[1] - blocks.shape[1], len(group) - both.shape[1]
    rest = residual(both)
    return (residual(blocks) - rest) / df1 / (rest / df2), df1, df2


def p_blocked(y: np.ndarray) -> np.ndarray:
    """P of the group with the membrane as block, of (runs, membranes, groups, units)."""
    _, membrane, group, _ = np.indices((1, *y.shape[1:]))
    f, df1, df2 = f_blocked(y.reshape(len(y), -1), group.ravel(), membrane.ravel())
    return scipy_stats.f.sf(f, df1, df2)


def naive(made: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """P of the usual ways, by name, and the spread of vehicle beside that of the doses."""
    ratio = (made[0] / made[1]).mean(axis=-1)
    if len(made) > 2:
        ratio = ratio / (made[2] / made[3]).mean(axis=-1)
    own = ratio / ratio[:, :, :1].mean(axis=3, keepdims=True)
    spread = np.moveaxis(own, 2, 0).reshape(len(GROUPS), len(own), -1).std(axis=2, ddof=1).mean(axis=1)
    lanes = direct(made)
    return {
        "raw": p_anova(ratio),
        "own": p_anova(own),
        "t": scipy_stats.ttest_1samp(own[:, :, 1].reshape(len(own), -1), 1, axis=1).pvalue,
        "mean": p_anova(ratio / ratio.mean(axis=(2, 3), keepdims=True)),
        "lanes": p_blocked(lanes.reshape(*lanes.shape[:3], -1)),
        "spread": spread[0] / spread[1:].mean(),
    }


HEAD = [
    "membranes × animals of a group",
    "raw ratio, ANOVA",
    "/ own vehicle, ANOVA",
    "/ own vehicle, t test v 1",
    "/ membrane mean, ANOVA",
    "log ratio, block, lanes as animals",
    "**log ratio, membrane as block**",
    "**many null sets**",
    "SD vehicle / SD dose, / own vehicle",
]


def percent(p: np.ndarray) -> float:
    """Share of P below the level, in %."""
    return 100 * float(np.mean(p < ALPHA))


def line(cells: Sequence[str]) -> str:
    """One row of a markdown table."""
    return f"| {' | '.join(cells)} |"


def row(design: Design, runs: int, many: int) -> tuple[list[str], list[float]]:
    """Cells of one design, and how far `stats.compare` is from the least squares here (F, P; relative)."""
    found, gaps = [], []
    for seed, effect in enumerate((np.zeros(len(GROUPS)), DOSES)):
        made = volumes(design, runs, effect, np.random.default_rng([seed, *map(int, vars(design).values())]))
        y, table = log_ratios(design, made)
        np.testing.assert_allclose(y, direct(made).mean(axis=-1), rtol=0, atol=1e-9)
        found.append({**naive(made), "ours": p_blocked(y)})
        gaps.append(against_compare(y, table))
    null, real = found
    rng = np.random.default_rng([2, *map(int, vars(design).values())])
    parts = [direct(volumes(design, 2000, np.zeros(3), rng)).mean(axis=-1) for _ in range(many // 2000)]
    wide = percent(p_blocked(np.concatenate(parts)))
    shown = {key: f"{percent(null[key]):.1f} / {percent(real[key]):.0f}" for key in null if key != "spread"}
    cells = [f"{design.membranes} × {design.animals}", shown["raw"], shown["own"], shown["t"], shown["mean"]]
    cells += [shown["lanes"] if design.lanes > 1 else "", f"**{shown['ours']}**", f"**{wide:.2f}**"]
    return [*cells, f"{null['spread']:.2f}"], [max(gap) for gap in zip(*gaps, strict=True)]


def against_compare(y: np.ndarray, table: pd.DataFrame, sets: int = 3) -> tuple[float, float]:
    """Greatest relative gap of F and P between `stats.compare` and the least squares here."""
    _, membrane, group, _ = np.indices((1, *y.shape[1:]))
    f, df1, df2 = f_blocked(y.reshape(len(y), -1), group.ravel(), membrane.ravel())
    p = scipy_stats.f.sf(f, df1, df2)
    gaps = []
    block = "membrane" if y.shape[1] > 1 else None  # a single one is no block
    for run in range(min(sets, len(y))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = stats.compare(
                table[table["run"] == run], "log_ratio", group="group", block=block, order=GROUPS,
                control="vehicle", scale="logged", posthoc="none",
            )  # fmt: skip
        gaps.append((abs(result.omnibus.statistic / f[run] - 1), abs(result.omnibus.p / p[run] - 1)))
    return tuple(max(gap) for gap in zip(*gaps, strict=True))


# Animals of each group on each of two membranes.
SHARED = {
    "the same 4 on both": (range(4), range(4)),
    "the same 4, 2 lanes of one membrane lost": (range(4), range(4)),
    "4 on each, 2 of them on both": (range(4), range(2, 6)),
}
SHARED_HEAD = [
    "animals of a group on two membranes",
    "mean over membranes, no block",
    "every lane an animal, membrane as block",
    "**mean over membranes, set of membranes as block**",
    "**many null sets**",
]


def shared(name: str, runs: int, effect: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """P of each way to use animals that stand on several membranes."""
    rng = np.random.default_rng([seed, list(SHARED).index(name)])
    keys = [(m, g, a) for m, those in enumerate(SHARED[name]) for g in range(len(GROUPS)) for a in those]
    if "lost" in name:
        keys = [key for key in keys if key not in ((1, 0, 0), (1, 2, 1))]
    membrane, group, animal = np.array(keys).T
    who = group * 10 + animal
    y = (
        effect[group]
        + rng.normal(0, ANIMAL, (runs, 30))[:, who]
        + rng.normal(0, TECHNICAL, (runs, len(keys)))
    )
    y += rng.normal(0, MEMBRANE, (runs, 2))[:, membrane]
    run, lane = (axis.ravel() for axis in np.indices(y.shape))
    names = {"membrane": np.char.mod("R%d", run), "lane": lane + 1, "animal": np.char.mod("R%d", run)}
    table = pd.DataFrame(names)
    table["membrane"] += np.char.mod("M%d", membrane[lane])
    table["animal"] += np.char.mod("-%d", who[lane])
    table = pd.concat(
        [table.assign(target="T", volume=np.exp(y.ravel())), table.assign(target="GAPDH", volume=1.0)]
    )
    found = blots.ratios(table, loading="GAPDH")
    names = found["animal"].str.extract(r"R(\d+)-(\d+)").astype(int)
    wide = found.assign(run=names[0], who=names[1]).set_index(["run", "who"])["log_ratio"]
    wide = wide.sort_index().to_numpy().reshape(runs, -1)
    sets = found["membrane"].str.replace(r"R\d+", "", regex=True).groupby(names[1]).first()
    groups = sets.index.to_numpy() // 10

    def p(values: np.ndarray, g: np.ndarray, block: np.ndarray) -> np.ndarray:
        f, df1, df2 = f_blocked(values, g, block)
        return scipy_stats.f.sf(f, df1, df2)

    return {
        "plain": p(wide, groups, np.zeros(len(groups))),
        "lanes": p(y, group, membrane),
        "ours": p(wide, groups, sets.to_numpy(str)),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--many", type=int, default=20_000)
    options = parser.parse_args()
    gaps = []
    for name, given in VARIANTS.items():
        print(f"\n{name}, {options.runs} sets a cell ({options.many} in *many null sets*):\n")
        print(line(HEAD), line(["---"] * len(HEAD)), sep="\n")
        for membranes, animals in DESIGNS:
            cells, gap = row(Design(membranes, animals, **given), options.runs, options.many)
            gaps.append(gap)
            print(line(cells))
    print(f"\nAnimals on several membranes, {options.runs} sets a cell:\n")
    print(line(SHARED_HEAD), line(["---"] * len(SHARED_HEAD)), sep="\n")
    for name in SHARED:
        null = shared(name, options.runs, np.zeros(3), 0)
        real, wide = shared(name, options.runs, DOSES, 1), shared(name, options.many, np.zeros(3), 2)
        cells = [f"{percent(null[key]):.1f} / {percent(real[key]):.0f}" for key in null]
        print(line([name, *cells[:-1], f"**{cells[-1]}**", f"**{percent(wide['ours']):.2f}**"]))
    f, p = np.max(gaps, axis=0)
    print(f"\nstats.compare against least squares: F differs by {f:.1g}, P by {p:.1g} at most (relative).")


if __name__ == "__main__":
    main()

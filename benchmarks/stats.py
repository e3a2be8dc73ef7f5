"""How long the mixed model takes beside statsmodels' fit of the same model, and R's when Rscript is there.

    python benchmarks/stats.py [--runs N] [--rows N ...]

Spines in dendrites in animals, their numbers at random, four groups; then with time as a second factor
within dendrites. labkit's time is that of the whole call: cleaning the table, the fit, Kenward and Roger's
tests, and contrasts adjusted by the multivariate t; the least of N runs. statsmodels' is that of one fit
alone with its default search, for it has no degrees of freedom.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from labkit import stats

GROUPS = ("vehicle", "dose1", "dose2", "dose3")
# Animals, dendrites per animal and spines per dendrite at most.
DESIGNS = {1_000: (24, 7, 19), 10_000: (40, 23, 39), 100_000: (100, 39, 99)}
R = """
suppressMessages({library(lme4); library(pbkrtest)})
d <- read.csv(commandArgs(TRUE)[1]); d$group <- factor(d$group, unique(d$group))
seconds <- function(x) system.time(x)[["elapsed"]]
fit <- seconds(m <- lmer(y ~ group + (1 | animal/dendrite), d))
small <- lmer(y ~ 1 + (1 | animal/dendrite), d)
kr <- if (nrow(d) <= as.numeric(commandArgs(TRUE)[2])) seconds(KRmodcomp(m, small)) else NA
cat(fit, kr)
"""


def spines(animals: int, dendrites: int, most: int) -> pd.DataFrame:
    """A table of spines; an animal shifts by half an SD, as does a dendrite."""
    rng = np.random.default_rng(1)
    parts = []
    for animal in range(animals):
        shift = rng.normal(0, 0.5)
        for dendrite in range(rng.integers(1, dendrites + 1)):
            values = shift + rng.normal(0, 0.5) + rng.normal(size=rng.integers(1, most + 1))
            names = {"animal": f"a{animal}", "dendrite": f"d{dendrite}", "group": GROUPS[animal % 4]}
            parts.append(pd.DataFrame({"y": values}).assign(**names))
    return pd.concat(parts, ignore_index=True)


def timed(function: Callable[[], object], runs: int) -> tuple[float, object]:
    """Least seconds of some runs, and what the last gave."""
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - begun)
    return min(seconds), result


def by_statsmodels(table: pd.DataFrame, fixed: str = "C(group)") -> float:
    """Log restricted likelihood that MixedLM reaches from its own start."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a border on every fit
        model = MixedLM.from_formula(
            f"y ~ {fixed}", table, groups="animal", re_formula="1", vc_formula={"dendrite": "0 + C(dendrite)"}
        )
        return float(model.fit().llf)


def by_r(table: pd.DataFrame, most_rows: int) -> tuple[float, float] | None:
    """Seconds of lmer and of KRmodcomp (NaN above `most_rows`); None without R and its packages."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        script, data = Path(folder, "run.R"), Path(folder, "data.csv")
        script.write_text(R)
        table.to_csv(data, index=False)
        run = subprocess.run(
            ["Rscript", script, data, str(most_rows)], capture_output=True, text=True, check=False
        )
    if run.returncode:
        return None
    fit, kr = (float(x) for x in run.stdout.replace("NA", "nan").split())
    return fit, kr


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="+", choices=list(DESIGNS), default=list(DESIGNS))
    options = parser.parse_args()
    for size in options.rows:
        table = spines(*DESIGNS[size])

        def ours(table: pd.DataFrame = table) -> stats.MixedModel:
            return stats.mixed_model(table, "y", group="group", random=("animal", "dendrite"), order=GROUPS)

        ours()  # imports
        seconds, model = timed(ours, options.runs)
        theirs, log_likelihood = timed(lambda table=table: by_statsmodels(table), 1)
        levels = ", ".join(f"{n} {level}s" for level, n in model.n_levels.items())
        print(f"{model.n_rows} rows, {levels}: labkit {seconds:.2f} s (fit, Kenward-Roger, contrasts)")
        print(
            f"    statsmodels {theirs:.2f} s (fit), {theirs / seconds:.1f} times labkit's; it stops "
            f"{model.log_likelihood - log_likelihood:.2g} below in log likelihood"
        )
        if (r := by_r(table, 20_000)) is not None:
            print(f"    R: lmer {r[0]:.2f} s, KRmodcomp {r[1]:.2f} s; {sum(r) / seconds:.1f} times labkit's")
        factorial(table.assign(time=np.arange(len(table)) % 5), options.runs)


def factorial(table: pd.DataFrame, runs: int) -> None:
    """Print the times of group and time with their interaction."""

    def ours() -> stats.FactorialModel:
        return stats.mixed_factorial(
            table, "y", factors=("group", "time"), random=("animal", "dendrite"), order=GROUPS
        )

    ours()
    seconds, _ = timed(ours, runs)
    print(f"    group x time: labkit {seconds:.2f} s (fit, Kenward-Roger for 3 terms, contrasts)", end="")
    if len(table) > 20_000:
        print("; statsmodels not tried above 20 000 rows")
        return
    theirs, _ = timed(lambda: by_statsmodels(table, "C(group, Sum) * C(time, Sum)"), 1)
    print(f"; statsmodels {theirs:.2f} s (fit), {theirs / seconds:.1f} times labkit's")


if __name__ == "__main__":
    main()

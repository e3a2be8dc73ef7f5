"""Several factors in one mixed model: does the treatment act, does time, and does the one change the other?

Each factor is coded to sum to 0, so that a term is tested beyond all others (type III) whatever the numbers
in cells; which rows share an animal, a slice or a dendrite is told by random intercepts, nested or crossed.

Notation as in `labkit.stats.reml`; a cell is a combination of one level of each factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError
from labkit.stats import estimates, validate, words
from labkit.stats.denominator import Combined
from labkit.stats.intercepts import METHODS, Fitted, fit_intercepts, levels_of, outcome
from labkit.stats.linear import basis
from labkit.stats.oneway import Outcome
from labkit.stats.rows import level_order, read_rows

__all__ = ["FactorialModel", "mixed_factorial"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class FactorialModel:
    """A linear mixed model of several factors, fitted and tested.

    Attributes
    ----------
    value, factors
        Column compared, and columns of the factors.
    random, crossed
        Columns with a random intercept: nested from the outermost, and crossed.
    method, alpha
        Of the degrees of freedom: "kenward-roger" or "satterthwaite"; intervals are at ``1 - alpha``.
    n_rows, n_levels
        Values used, and how many animals, dendrites, ... by column of `random` and `crossed`.
    terms
        Indexed by term ("condition", "time", "condition:time"): ``statistic, df1, df2, p``; type III.
    cells
        Indexed by the factors: ``n`` rows, the ``mean`` of the model, its ``se, df, ci_low, ci_high``; of all
        combinations.
    means
        Indexed by level of the first factor: its ``mean`` over all other factors with equal weight, ``se, df,
        ci_low, ci_high``.
    posthoc
        Contrasts of `means` against the control, as `labkit.stats.estimates` gives them.
    simple
        Indexed by the other factors: F of the first factor within each of their combinations, ``statistic,
        df1, df2, p``, not adjusted; empty without an interaction in the model.
    control
        Level of the first factor that the others are compared with.
    variance
        Indexed by column of `random` and `crossed`, and "residual": ``variance, sd, icc``.
    singular
        Whether a variance was estimated as 0.
    log_likelihood, score
        Restricted log likelihood (of cell means), and how far in standard errors the fit lies from a score of
        0.
    dropped
        One row per row of the table left out, with the reason.
    warnings
        Sentences that a reader should see.
    """

    value: str
    factors: tuple[str, ...]
    random: tuple[str, ...]
    crossed: tuple[str, ...]
    method: str
    alpha: float
    n_rows: int
    n_levels: dict[str, int]
    terms: pd.DataFrame
    cells: pd.DataFrame
    means: pd.DataFrame
    posthoc: pd.DataFrame
    simple: pd.DataFrame
    control: str
    variance: pd.DataFrame
    singular: bool
    log_likelihood: float
    score: float
    dropped: pd.DataFrame
    warnings: tuple[str, ...]

    def summary(self) -> str:
        """The tests in a sentence, and what a reader should know."""
        tests = []
        for term, row in self.terms.iterrows():
            found = Outcome(
                "", "F", float(row["statistic"]), (int(row["df1"]), float(row["df2"])), float(row["p"]), 0
            )
            tests.append(f"{term} {words.outcome(found, alpha=self.alpha)}")
        levels = validate.join(words.plural(name) for name in (*self.random, *self.crossed))
        n = validate.join(
            [f"{self.n_rows} values", *(f"{n} {words.plural(x)}" for x, n in self.n_levels.items())]
        )
        how = "Kenward-Roger" if self.method == "kenward-roger" else "Satterthwaite"
        said = (
            f"{self.value} by {validate.join(self.factors)}: linear mixed model with random intercepts of "
            f"{levels} (REML, {how} df, type III), {'; '.join(tests)}; n = {n}."
        )
        return " ".join([said, *self.warnings])

    def __repr__(self) -> str:
        return self.summary()


def mixed_factorial(
    table: pd.DataFrame,
    value: str,
    *,
    factors: Sequence[str],
    random: str | Sequence[str] = "animal",
    crossed: str | Sequence[str] = (),
    interactions: bool = True,
    control: str | None = None,
    method: str = "kenward-roger",
    alpha: float = 0.05,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
) -> FactorialModel:
    """Compare a value between levels of several factors by a linear mixed model with random intercepts.

    Factors may lie between animals (treatment), within them (time, transfected or not), or both.

    Parameters
    ----------
    table
        Tidy table, one row per smallest thing measured.
    value
        Column of the number compared.
    factors
        Columns of the factors, such as ``("condition", "time")``; the first is the one whose levels are
        contrasted. Levels stand in the order of an ordered Categorical, of their numbers, or of the rows.
    random
        Columns with a random intercept from the outermost, such as ``("animal", "dendrite")``; names of inner
        levels are read within the outer ones. A level with one row in each is the residual and is left out.
    crossed
        Columns with a random intercept that crosses those, such as ``"membrane"`` when lanes of an animal
        lie on several.
    interactions
        Whether all interactions of the factors are in the model.
    control
        Level of the first factor that the others are compared with; the first level if their order means
        something.
    method
        "kenward-roger", or "satterthwaite", which is refused when a variance is estimated as 0. The latter's
        df2 of several contrasts at once depends on how they are written, in its third digit.
    order
        Levels of the first factor in order; rows of others are left out and counted.
    excluded
        As in `compare`.

    Returns
    -------
    FactorialModel

    Raises
    ------
    DataError
        As `mixed_model`; also when a factor has one level, and when cells are empty so that terms cannot be
        told apart: the sentence names them.

    Examples
    --------
    >>> rows = [(a, "v" if a < "e" else "w", t) for a in "abcdefgh" for t in (0, 1, 2)]
    >>> table = pd.DataFrame(rows, columns=["animal", "group", "time"])
    >>> v, w = [9, 9, 11, 12, 11, 12, 10, 12, 10, 8, 8, 9], [11, 13, 14, 9, 12, 13, 12, 14, 17, 10, 12, 12]
    >>> table["slope"] = v + w
    >>> model = mixed_factorial(table, "slope", factors=("group", "time"), order=["v", "w"])
    >>> model.terms.round(3)[["statistic", "df1", "df2"]].to_numpy().tolist()
    [[5.37, 1.0, 6.0], [12.167, 2.0, 12.0], [5.389, 2.0, 12.0]]
    """
    validate.choice(method, METHODS, name="method")
    validate.level(alpha)
    factors = (factors,) if isinstance(factors, str) else tuple(factors)
    random = (random,) if isinstance(random, str) else tuple(random)
    crossed = (crossed,) if isinstance(crossed, str) else tuple(crossed)
    if not factors or not (random or crossed):
        raise DataError(
            "no factor is named" if not factors else "no random intercept is named",
            expected="columns of factors, and of what rows share",
        )
    first, *others = factors
    rows = read_rows(
        table, value, group=first, unit=None, nested=[*random, *crossed], factors=others, order=order,
        excluded=excluded, arguments={"group": [], "nested": [], "factors": factors, "random": random,
                                      "crossed": crossed},
    )  # fmt: skip
    kept = rows.kept.rename(columns={"group": f"factor {first}"})
    present = set(kept[f"factor {first}"])
    levels = {first: [name for name in rows.names if name in present]}
    levels |= {name: level_order(table[name], kept[f"factor {name}"]) for name in others}
    _refuse_levels(levels)
    control = validate.control(control, levels[first], ordered=rows.ordered, group=first, first=rows.names[0])
    codes = {
        name: pd.Categorical(kept[f"factor {name}"], categories=found).codes.astype(np.intp)
        for name, found in levels.items()
    }
    shape = tuple(len(found) for found in levels.values())
    cell = np.ravel_multi_index(tuple(codes.values()), shape)
    # All cells, the last factor fastest; the rows of the model are those of their cells.
    grid = np.array(list(product(*(range(n) for n in shape))))
    design, spans = _coded(grid, factors, shape, interactions=interactions)
    x = design[cell]
    if basis(x).shape[1] < x.shape[1]:
        _refuse_empty(np.bincount(cell, minlength=len(grid)), grid, levels, interactions=interactions)
    nested = levels_of(kept, random) if random else ([], [], [])
    found = fit_intercepts(kept, x, nested, crossed=crossed, method=method)
    warnings = list(found.warnings)
    outermost = next(iter(found.n_levels.values()))
    terms = _terms(found, spans, outermost)
    if terms["df2"].isna().any():
        warnings.append("Too few units for degrees of freedom of some terms: they have no P.")
    n = pd.Series(np.bincount(cell, minlength=len(grid)))
    cells, means, posthoc, adjustment = _estimates(found, design, n, levels, control, alpha)
    if adjustment == "Holm":
        warnings.append(estimates.HOLM)
    shown = rows.dropped[["row", *(f"level {name}" for name in (*random, *crossed)), "group", "reason"]]
    shown = shown.rename(columns={"group": first} | {f"level {name}": name for name in (*random, *crossed)})
    return FactorialModel(
        value=value,
        factors=factors,
        random=tuple(name for name in found.n_levels if name in random),
        crossed=crossed,
        method=method,
        alpha=float(alpha),
        n_rows=found.n_rows,
        n_levels=found.n_levels,
        terms=terms,
        cells=cells,
        means=means,
        posthoc=posthoc,
        simple=_simple(found, design, levels, grid) if interactions and others else pd.DataFrame(),
        control=control,
        variance=found.variance,
        singular=found.singular,
        log_likelihood=-found.fit.criterion / 2,
        score=found.fit.score,
        dropped=shown.reset_index(drop=True),
        warnings=tuple(warnings),
    )


def _refuse_levels(levels: dict[str, list[str]]) -> None:
    for name, found in levels.items():
        if len(found) < 2:
            raise DataError(
                f"{name} has one level, {found[0]!r}" if found else "there are no values",
                expected="at least two levels of each factor",
                todo=f"leave {name} out of the factors: the others can still be compared"
                if found
                else "check the reasons for exclusion",
            )


def _coded(
    grid: NDArray[np.intp], factors: Sequence[str], shape: Sequence[int], *, interactions: bool
) -> tuple[Array, dict[str, slice]]:
    """Columns (cells, p) of a constant and of each term, coded to sum to 0, and which are whose."""
    single = [np.vstack([np.eye(n - 1), -np.ones(n - 1)])[grid[:, i]] for i, n in enumerate(shape)]
    columns, spans, at = [np.ones((len(grid), 1))], {}, 1
    for size in range(1, len(shape) + 1 if interactions else 2):
        for which in combinations(range(len(shape)), size):
            part = np.ones((len(grid), 1))
            for i in which:
                part = (part[:, :, None] * single[i][:, None, :]).reshape(len(grid), -1)
            columns.append(part)
            spans[":".join(factors[i] for i in which)] = slice(at, at + part.shape[1])
            at += part.shape[1]
    return np.hstack(columns), spans


def _refuse_empty(
    count: NDArray[np.intp], grid: NDArray[np.intp], levels: dict[str, list[str]], *, interactions: bool
) -> None:
    named = list(levels.values())
    empty = [" and ".join(named[j][i] for j, i in enumerate(grid[at])) for at in np.flatnonzero(count == 0)]
    shown = validate.join(empty[:4]) + (f" and {len(empty) - 4} more" if len(empty) > 4 else "")
    raise DataError(
        f"{shown} {'has' if len(empty) == 1 else 'have'} no values, so the terms of "
        f"{validate.join(levels)} cannot be told apart",
        expected="values in each combination of the factors",
        todo="leave out a level, or make the model without interactions (interactions=False)"
        if interactions
        else "leave out a level or a factor; within each level of the others groups can still be compared",
    )


def _terms(found: Fitted, spans: dict[str, slice], n: int) -> pd.DataFrame:
    eye = np.eye(found.fit.beta.size)
    tested = {name: outcome(found.tests.test(eye[span]), n) for name, span in spans.items()}
    rows = {
        name: {"statistic": t.statistic, "df1": int(t.df[0]), "df2": t.df[1], "p": t.p}
        for name, t in tested.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("term").astype({"df1": int})


def _estimates(
    found: Fitted, design: Array, n: pd.Series, levels: dict[str, list[str]], control: str, alpha: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Means of cells, of the first factor, and contrasts of those, with how they are adjusted."""
    beta = found.fit.beta
    index = pd.MultiIndex.from_product(levels.values(), names=list(levels))
    cells = estimates.means(
        range(len(design)), design @ beta, Combined(found.tests, design), alpha=alpha
    ).set_axis(index if len(levels) > 1 else index.get_level_values(0))
    cells.insert(0, "n", n.to_numpy())
    first = next(iter(levels.values()))
    over = design.reshape(len(first), -1, design.shape[1]).mean(axis=1)
    tests = Combined(found.tests, over)
    means = estimates.means(first, over @ beta, tests, alpha=alpha).rename_axis(next(iter(levels)))
    posthoc, adjustment = estimates.versus(first, over @ beta, tests, control=control, alpha=alpha)
    return cells, means, posthoc, adjustment


def _simple(
    found: Fitted, design: Array, levels: dict[str, list[str]], grid: NDArray[np.intp]
) -> pd.DataFrame:
    """F of the first factor within each combination of the others."""
    _, *others = levels
    rows = []
    for combination in product(*(range(len(levels[name])) for name in others)):
        here = (grid[:, 1:] == combination).all(axis=1)
        test = found.tests.test(np.diff(design[here], axis=0))
        names = [levels[name][i] for name, i in zip(others, combination, strict=True)]
        rows.append((*names, test.statistic, test.df1, test.df2, test.p))
    return pd.DataFrame(rows, columns=[*others, "statistic", "df1", "df2", "p"]).set_index(others)

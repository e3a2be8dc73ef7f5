"""Two factors at once: does the treatment act, does sex matter, and does the treatment act the same in both?

Notation: a levels of the group, b of the other factor; N units in the a x b cells; cell means mu_ij.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError
from labkit.stats import design, estimates, validate, words
from labkit.stats.denominator import Combined
from labkit.stats.linear import LeastSquares, indicators, least_squares, sum_coded, terms_table
from labkit.stats.oneway import Outcome
from labkit.stats.rows import level_order
from labkit.stats.units import experimental_units

__all__ = ["TwoWay", "two_way"]

POSTHOC = ("dunnett", "tukey")

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class TwoWay:
    """A two-way analysis of variance.

    Attributes
    ----------
    value, group, by, unit, control
        Columns compared, and the name of the control group; `unit` None when rows were units.
    type, alpha
        Type of sums of squares of `terms`; intervals are at ``1 - alpha``.
    terms
        Indexed by term (group, by, "group:by", "residual"): ``ss, df, statistic, p, partial_eta2,
        partial_eta2_low, partial_eta2_high, partial_omega2``.
    type2, type3
        `terms` of either type; `type3` empty when a cell is.
    cells
        Indexed by group and level of `by`: ``n, mean, sd, sem``.
    means
        Indexed by group: the ``mean`` over levels of `by` with equal weight, ``se, df, ci_low, ci_high``;
        empty when a cell is.
    posthoc
        Contrasts of `means`, as `labkit.stats.estimates` gives them.
    simple
        Indexed by level of `by`: F of the groups within it by the residual variance of all cells,
        ``statistic, df1, df2, p``.
    simple_posthoc
        Contrasts of groups within each level of `by`, named in its column; P and intervals adjusted within
        the level.
    residual_sd
        Square root of the residual variance.
    n
        Units.
    dropped
        One row per row of the table that was left out, with the reason.
    warnings
        Sentences that a reader should see.
    """

    value: str
    group: str
    by: str
    unit: str | None
    control: str
    type: int
    alpha: float
    terms: pd.DataFrame
    type2: pd.DataFrame
    type3: pd.DataFrame
    cells: pd.DataFrame
    means: pd.DataFrame
    posthoc: pd.DataFrame
    simple: pd.DataFrame
    simple_posthoc: pd.DataFrame
    residual_sd: float
    n: int
    dropped: pd.DataFrame
    warnings: tuple[str, ...]

    def summary(self) -> str:
        """The tests in a sentence, and what a reader should know."""
        units = words.plural(self.unit) if self.unit else "rows, each an independent unit"
        tests = "; ".join(
            f"{term} {words.outcome(_outcome(self.terms, term, self.n), alpha=self.alpha)}, partial η² = "
            f"{row['partial_eta2']:.2f}"
            for term, row in self.terms.iloc[:-1].iterrows()
            if row["df"] > 0
        )
        said = (
            f"{self.value} by {self.group} and {self.by}: two-way ANOVA (type {'I' * self.type}), {tests}; "
        )
        return " ".join([f"{said}n = {self.n} {units}.", *self.warnings])

    def __repr__(self) -> str:
        return self.summary()


def _outcome(terms: pd.DataFrame, term: str, n: int) -> Outcome:
    row = terms.loc[term]
    df = (int(row["df"]), int(terms.loc["residual", "df"]))
    return Outcome("two-way ANOVA", "F", float(row["statistic"]), df, float(row["p"]), n)


def two_way(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    by: str,
    unit: str | None = "animal",
    nested: Sequence[str] = (),
    control: str | None = None,
    type: int = 3,
    posthoc: str = "dunnett",
    alpha: float = 0.05,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
) -> TwoWay:
    """Compare groups, a second factor such as sex, and how they act on each other.

    The factors are coded so that the sums of squares are right whatever their contrasts: programs that take
    type III from treatment coding give wrong ones without a word.

    Parameters
    ----------
    table, value, group, unit, nested, control, alpha, order, excluded
        As in `compare`. A unit stands in one cell.
    by
        Column of the second factor. Its levels stand in the order of an ordered Categorical, of their
        numbers, or of the rows.
    type
        3: each term given all others, so that cells count alike whatever their numbers. 2: a main effect
        given the other, which takes no interaction to exist and then finds more. With equal numbers they are
        one.
    posthoc
        "dunnett" (groups against the control) or "tukey" (all pairs), over both levels and within each.

    Returns
    -------
    TwoWay

    Raises
    ------
    DataError
        As `compare`; also when a factor has one level, when no cell has two units, when type III is asked for
        with an empty cell, and when a unit stands in several levels of `by` (`mixed_anova` is for those).

    Examples
    --------
    >>> table = pd.DataFrame({"sex": list("FFMM") * 2, "group": ["v"] * 4 + ["d"] * 4})
    >>> table["density"] = [1.0, 1.2, 1.3, 1.5, 1.6, 1.8, 1.8, 2.0]
    >>> result = two_way(table, "density", group="group", by="sex", unit=None, order=["v", "d"])
    >>> result.terms["statistic"].round(6).tolist()[:3]
    [30.25, 6.25, 0.25]
    """
    validate.choice(posthoc, POSTHOC, name="posthoc")
    validate.level(alpha)
    if type not in (2, 3):
        raise DataError(f"type is {type!r}", expected="2 or 3")
    found = experimental_units(
        table, value, group=group, unit=unit, nested=nested, block=by, order=order, excluded=excluded
    )
    if found.block is None:
        raise DataError(
            f"each {unit} stands in every {by}",
            expected=f"each {unit} in one {by}",
            todo=f"use mixed_anova with time={by!r}, which compares values within each {unit}",
        )
    rows = found.table
    names = [str(name) for name in rows[group].cat.categories]
    levels = level_order(table[by], rows[by])
    _refuse_levels(names, levels, group, by)
    control = validate.control(control, names, ordered=found.ordered, group=group, first=found.first)
    # By value too, so that no sum depends on the order of rows.
    rows = rows.sort_values([group, by, value], ignore_index=True)
    member = rows[group].cat.codes.to_numpy().astype(np.intp)
    other = pd.Categorical(rows[by], categories=levels).codes.astype(np.intp)
    a, b = len(names), len(levels)
    cell = member * b + other
    count = np.bincount(cell, minlength=a * b)
    said = list(found.warnings)
    empty = [(names[i // b], levels[i % b]) for i in np.flatnonzero(count == 0)]
    if empty:
        said.append(
            _empty(empty, pd.DataFrame(count.reshape(a, b), index=names, columns=levels), group, by, type)
        )
    shift = float(rows[value].median())
    y = rows[value].to_numpy(float) - shift
    filled = np.flatnonzero(count > 0)
    design.check_residual_df(len(y), filled.size, parts=f"the cells of {group} and {by}")
    fit = least_squares(y, indicators(np.searchsorted(filled, cell), filled.size))
    if fit.ss_residual <= 1e-20 * float(((y - y.mean()) ** 2).sum()) or validate.constant(
        rows[value].to_numpy()
    ):
        raise DataError(
            f"no cell of {group} and {by} varies: within each all values are the same",
            expected="some variance within cells",
            todo="check the measurement and the column; no comparison can be made",
        )
    type2, type3 = _tables(y, member, other, (a, b), (group, by), fit, alpha, whole=not empty)
    means = pd.DataFrame()
    contrasts = pd.DataFrame()
    if not empty:
        over = np.repeat(np.eye(a), b, axis=1) / b
        marginal = Combined(fit, over)
        means = estimates.means(names, over @ fit.beta, marginal, alpha=alpha)
        means[["mean", "ci_low", "ci_high"]] += shift
        contrasts = _contrasts(names, over @ fit.beta, marginal, posthoc, control, alpha)
    simple, simple_posthoc = _simple(names, levels, by, count, fit, filled, posthoc, control, alpha)
    grouped = rows.groupby([group, by], observed=True, sort=True)[value]
    cells = grouped.agg(n="size", mean="mean", sd="std")
    cells["sem"] = cells["sd"] / np.sqrt(cells["n"])
    cells = cells.reindex(pd.MultiIndex.from_product([names, levels], names=[group, by])).fillna({"n": 0})
    return TwoWay(
        value=value,
        group=group,
        by=by,
        unit=unit,
        control=control,
        type=type,
        alpha=float(alpha),
        terms=type3 if type == 3 else type2,
        type2=type2,
        type3=type3,
        cells=cells.astype({"n": int}),
        means=means,
        posthoc=contrasts,
        simple=simple,
        simple_posthoc=simple_posthoc,
        residual_sd=float(np.sqrt(fit.variance)),
        n=len(y),
        dropped=found.dropped,
        warnings=tuple(said),
    )


def _refuse_levels(names: Sequence[str], levels: Sequence[str], group: str, by: str) -> None:
    for column, found in ((group, names), (by, levels)):
        if len(found) < 2:
            left = f"compare by {by if column == group else group} alone"
            raise DataError(
                f"{column} has one level, {found[0]!r}" if found else "there are no values",
                expected=f"at least two levels of {group} and of {by}",
                todo=left if found else "check the reasons for exclusion",
            )


def _empty(empty: list[tuple[str, str]], cells: pd.DataFrame, group: str, by: str, type: int) -> str:
    """What is said of empty cells; refused when nothing can be told apart, or type III is asked for."""
    shown = validate.join(f"{name} in {level}" for name, level in empty)
    if len(design.linked(cells)) > 1:
        raise DataError(
            f"no {by} links all groups ({shown} without values)",
            expected=f"groups that share a level of {by}",
            todo="compare within a set by naming its groups in order: "
            + "; ".join(validate.still(part) for part in design.linked(cells)),
        )
    if type == 3:
        raise DataError(
            f"{shown} {'has' if len(empty) == 1 else 'have'} no values, and type III sums of squares then "
            "depend on how the factors are coded",
            expected="values in each cell",
            todo=f"use type=2, or leave a level out; within each {by} its groups can still be compared",
        )
    return (
        f"{shown} {'has' if len(empty) == 1 else 'have'} no values: type III and means over {by} cannot be "
        "told, and the interaction is that of the other cells."
    )


def _tables(
    y: Array,
    member: NDArray[np.intp],
    other: NDArray[np.intp],
    shape: tuple[int, int],
    names: tuple[str, str],
    fit: LeastSquares,
    alpha: float,
    *,
    whole: bool,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sums of squares of type II, and of type III (empty unless all cells are filled)."""
    one = np.ones((y.size, 1))
    a, b = sum_coded(member, shape[0]), sum_coded(other, shape[1])
    ab = (a[:, :, None] * b[:, None, :]).reshape(y.size, -1)
    both = f"{names[0]}:{names[1]}"
    shared = {"ss_residual": fit.ss_residual, "df_residual": fit.df_residual, "alpha": alpha}

    def made(beside: Sequence[Array]) -> pd.DataFrame:
        terms = {
            names[0]: (a, np.hstack([one, b, *beside])),
            names[1]: (b, np.hstack([one, a, *beside])),
            both: (ab, np.hstack([one, a, b])),
        }
        return terms_table(y, terms, **shared)

    return made([]), made([ab]) if whole else pd.DataFrame()


def _contrasts(
    names: Sequence[str], beta: Array, tests: Combined, posthoc: str, control: str, alpha: float
) -> pd.DataFrame:
    if posthoc == "tukey":
        return estimates.all_pairs(names, beta, tests, alpha=alpha)
    return estimates.versus(names, beta, tests, control=control, alpha=alpha)[0]


def _simple(
    names: Sequence[str],
    levels: Sequence[str],
    by: str,
    count: NDArray[np.intp],
    fit: LeastSquares,
    filled: NDArray[np.intp],
    posthoc: str,
    control: str,
    alpha: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Groups within each level of the other factor, by the residual variance of all cells."""
    tests, tables = {}, []
    for j, level in enumerate(levels):
        here = [i for i in range(len(names)) if count[i * len(levels) + j] > 0]
        if len(here) < 2:
            tests[level] = {"statistic": np.nan, "df1": 0, "df2": fit.df_residual, "p": np.nan}
            continue
        over = np.eye(filled.size)[np.searchsorted(filled, [i * len(levels) + j for i in here])]
        f = fit.test(np.diff(over, axis=0))
        tests[level] = {"statistic": f.statistic, "df1": f.df1, "df2": int(f.df2), "p": f.p}
        present = [names[i] for i in here]
        if posthoc == "dunnett" and control not in present:
            continue
        table = _contrasts(present, over @ fit.beta, Combined(fit, over), posthoc, control, alpha)
        table.insert(0, by, level)
        tables.append(table)
    simple = pd.DataFrame.from_dict(tests, orient="index").rename_axis(by)
    return simple, pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

"""The same question asked of every value at once: a linear mixed model with random intercepts.

A companion to the comparison of unit means, never in its place. With as many sub-units in each unit the two
are one test; when numbers differ, the model weighs a unit with many sub-units more.

Notation: k groups; p = k group means beta; theta the variance components, as in `labkit.stats.reml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError
from labkit.stats import estimates, validate, words
from labkit.stats.intercepts import METHODS, fit_intercepts, levels_of, outcome
from labkit.stats.oneway import Outcome
from labkit.stats.rows import read_rows

__all__ = ["MixedModel", "mixed_model"]


@dataclass(frozen=True, eq=False, repr=False)
class MixedModel:
    """A linear mixed model of groups, fitted and tested.

    Attributes
    ----------
    value, group, control
        Column compared, column of groups, and name of the control.
    random
        Columns with a random intercept, from the outermost.
    method
        Of the degrees of freedom: "kenward-roger" or "satterthwaite".
    alpha
        Intervals are at ``1 - alpha``.
    n_rows, n_levels
        Values used, and how many animals, neurons, ... by column of `random`.
    omnibus
        F test of any difference between groups; ``n`` is the number of outermost units.
    groups
        Indexed by group: ``mean`` (of the model), ``se, df, ci_low, ci_high``.
    posthoc
        Each group against the control: ``contrast, group, reference, difference, ci_low, ci_high, se,
        statistic, df, p, p_adjusted``.
    adjustment
        How P and intervals of `posthoc` are adjusted: "multivariate t", "Holm", or "none" for one contrast.
    variance
        Indexed by column of `random` and "residual": ``variance, sd, icc``, the last the part of the variance
        that lies there.
    singular
        Whether a variance was estimated as 0.
    log_likelihood, score
        Restricted log likelihood, and how far in standard errors the fit lies from a score of 0.
    dropped
        One row per row of the table left out, with the reason.
    warnings
        Sentences that a reader should see.
    """

    value: str
    group: str
    control: str
    random: tuple[str, ...]
    method: str
    alpha: float
    n_rows: int
    n_levels: dict[str, int]
    omnibus: Outcome
    groups: pd.DataFrame
    posthoc: pd.DataFrame
    adjustment: str
    variance: pd.DataFrame
    singular: bool
    log_likelihood: float
    score: float
    dropped: pd.DataFrame
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return words.mixed(self)


def mixed_model(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    random: str | Sequence[str] = "animal",
    control: str | None = None,
    method: str = "kenward-roger",
    alpha: float = 0.05,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
) -> MixedModel:
    """Compare a value between groups by a linear mixed model with nested random intercepts.

    ``value = mean of the group + intercept of the animal + intercept of the neuron + ... + residual``,
    fitted by restricted maximum likelihood. Kenward and Roger's method takes into account that the
    variances are estimated from few units and keeps its level with them; Wald tests, as most programs
    print, do not. Sub-units within a unit may differ in number. With numbers all the same, and no variance
    estimated as 0, the F test is that of unit means to the last digit.

    Parameters
    ----------
    table
        Tidy table, one row per smallest thing measured.
    value, group
        Columns of the number compared and of the group; groups stand in order as in `compare`.
    random
        Columns with a random intercept from the outermost, such as ``("animal", "neuron")``. Names of inner
        levels are read within the outer ones. A level with one row in each is the residual and is left out,
        as is, with a warning, one that parts the rows no further than the level around it. Groups may also
        lie within a level: with ``random="membrane"`` lanes are compared within their membrane.
    control
        Name of the control; the first group if not given and the order of groups means something.
    method
        "kenward-roger", or "satterthwaite", which is refused when a variance is estimated as 0: its degrees
        of freedom would then be those of the rows.
    alpha
        Intervals are at ``1 - alpha``; those of contrasts hold together.
    order, excluded
        As in `compare`.

    Returns
    -------
    MixedModel
        Contrasts are adjusted as `labkit.stats.estimates.versus` says: by Dunnett's integral (the
        multivariate t) whenever each unit is in one group.

    Raises
    ------
    DataError
        As `compare`; also when no level has several rows, when nothing varies within the innermost level,
        when there are no more units than groups, and when the fit is not found.

    Examples
    --------
    >>> slices = pd.DataFrame({
    ...     "animal": ["a1", "a1", "a2", "a3", "a3", "b1", "b2", "b2", "b3"],
    ...     "group": ["vehicle"] * 5 + ["drug"] * 4,
    ...     "ltp": [120.0, 124.0, 130.0, 126.0, 123.0, 150.0, 140.0, 143.0, 146.0],
    ... })
    >>> model = mixed_model(slices, "ltp", group="group", order=["vehicle", "drug"])
    >>> print(words.outcome(model.omnibus))
    F(1, 3.9) = 35.7, P = 0.0041
    >>> model.variance["icc"].round(2).to_dict()
    {'animal': 0.69, 'residual': 0.31}
    """
    validate.choice(method, METHODS, name="method")
    validate.level(alpha)
    random = (random,) if isinstance(random, str) else tuple(random)
    rows = read_rows(
        table, value, group=group, unit=None, nested=random, order=order, excluded=excluded,
        arguments={"nested": [], "random": random},
    )  # fmt: skip
    kept = rows.kept
    names = [name for name in rows.names if name in set(kept["group"])]
    if len(names) < 2:
        raise DataError(
            f"only group {names[0]!r} has values" if names else "there are no values",
            expected="values in at least two groups",
            todo="check the groups, and the reasons for exclusion",
        )
    control = validate.control(control, names, ordered=rows.ordered, group=group, first=rows.names[0])
    member = pd.Categorical(kept["group"], categories=names).codes
    levels = levels_of(kept, random)
    _refuse_few(levels[0][0], member, levels[1][0], names)
    found = fit_intercepts(kept, np.eye(len(names))[member], levels, method=method)
    fit, tests, warnings = found.fit, found.tests, list(found.warnings)
    omnibus = outcome(tests.test(np.diff(np.eye(len(names)), axis=0)), next(iter(found.n_levels.values())))
    if not np.isfinite(omnibus.df[1]):
        warnings.append("Too few units for degrees of freedom: the mixed model gives no P.")
    contrasts, adjustment = estimates.versus(names, fit.beta, tests, control=control, alpha=alpha)
    if adjustment == "Holm":
        warnings.append(estimates.HOLM)
    return MixedModel(
        value=value,
        group=group,
        control=control,
        random=tuple(found.n_levels),
        method=method,
        alpha=float(alpha),
        n_rows=found.n_rows,
        n_levels=found.n_levels,
        omnibus=omnibus,
        groups=estimates.means(names, fit.beta, tests, alpha=alpha),
        posthoc=contrasts,
        adjustment=adjustment,
        variance=found.variance,
        singular=found.singular,
        log_likelihood=-fit.criterion / 2,
        score=fit.score,
        dropped=_dropped(rows.dropped, random[0], group),
        warnings=tuple(warnings),
    )


def _dropped(dropped: pd.DataFrame, outermost: str, group: str) -> pd.DataFrame:
    """Rows left out, by the names that the table has."""
    shown = dropped[["row", f"level {outermost}", "group", "reason"]].reset_index(drop=True)
    shown.columns = ["row", outermost, group, "reason"]
    return shown


def _refuse_few(
    outermost: NDArray[np.intp], member: NDArray[np.intp], level: str, names: Sequence[str]
) -> None:
    pairs = np.unique(np.column_stack([outermost, member]), axis=0)
    count = np.unique(outermost).size
    if len(pairs) == count and count <= len(names):
        raise DataError(
            f"every group has a single {level}, so nothing shows how much {words.plural(level)} vary",
            expected=f"at least two {words.plural(level)} in one group",
            todo="no comparison can be made until more are measured",
        )

"""Random intercepts of a table: which levels can have one, the fit, and its tests of fixed effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError
from labkit.stats import reml, validate, words
from labkit.stats.crossed import cross
from labkit.stats.denominator import Denominator, FTest, KenwardRoger, Satterthwaite
from labkit.stats.oneway import Outcome

__all__ = ["METHODS", "Fitted", "fit_intercepts", "levels_of", "outcome"]

METHODS = ("kenward-roger", "satterthwaite")

Array = NDArray[np.float64]
Codes = list[NDArray[np.intp]]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A mixed model fitted, and the tests of its fixed effects.

    Attributes
    ----------
    fit, tests
        The fit, and its `Denominator`.
    n_rows, n_levels
        Rows, and levels by name.
    variance
        Indexed by level and "residual": ``variance, sd, icc``.
    singular
        Whether a variance was estimated as 0.
    warnings
        Sentences.
    """

    fit: reml.Fit
    tests: Denominator
    n_rows: int
    n_levels: dict[str, int]
    variance: pd.DataFrame
    singular: bool
    warnings: tuple[str, ...]


def levels_of(kept: pd.DataFrame, random: Sequence[str]) -> tuple[Codes, list[str], list[str]]:
    """Codes and names of the nested levels that part the rows further than the one around, and sentences.

    A level with one row in each is the residual, and is left out.
    """
    codes, used, said = [], [], []
    path, count = np.zeros(len(kept), dtype=np.intp), 0
    for name in random:
        code = pd.factorize(kept[f"level {name}"], sort=True)[0]
        path = pd.factorize(path * (code.max() + 1) + code)[0]
        if path.max() + 1 == len(kept):
            break
        if path.max() + 1 == count:
            said.append(f"Each {used[-1]} has a single {name}, so the two share one variance.")
            continue
        codes.append(code)
        used.append(name)
        count = path.max() + 1
    if random and not codes:
        raise DataError(
            f"each {random[0]} has a single value",
            expected=f"several values in some {random[0]}",
            todo="compare the values as they stand, which needs no mixed model",
        )
    return codes, used, said


def fit_intercepts(
    kept: pd.DataFrame,
    x: Array,
    nested: tuple[Codes, list[str], list[str]],
    *,
    crossed: Sequence[str] = (),
    method: str,
) -> Fitted:
    """Fit values (column ``value`` of `kept`) by fixed effects x (N, p), of full rank, and random intercepts.

    Parameters
    ----------
    nested
        What `levels_of` gives.
    crossed
        Further columns with a random intercept each, whose levels cross the nested ones and each other.

    Raises
    ------
    DataError
        When nothing varies within the levels, the fit is not found, the variances cannot be told apart, or
        Satterthwaite's method is asked for with a variance estimated as 0.
    """
    codes, used, said = nested
    y = kept["value"].to_numpy(float)
    if crossed:
        paths, path = [], np.zeros(len(kept), dtype=np.intp)
        for code in codes:
            path = pd.factorize(path * (code.max() + 1) + code, sort=True)[0]
            paths.append(path)
        paths += [pd.factorize(kept[f"level {name}"], sort=True)[0] for name in crossed]
        used = [*used, *crossed]
        rows: reml.Rows = cross(y, x, paths)
    else:
        rows = reml.nest(y, x, codes)
    if rows.scale == 0 or rows.residual_share < 1e-20:
        raise DataError(
            f"within each {validate.join(used[-1:] if not crossed else used)} all values are the same",
            expected="values that vary",
            todo=f"check the measurement; compare the means of each {used[-1]} in place of a mixed model",
        )
    fit = _found(rows, used)
    # As lme4 counts it: a standard deviation below 1e-4 of the residual's.
    zero = [level for level, part in zip(used, fit.theta[:-1], strict=True) if part <= 1e-8 * fit.theta[-1]]
    if zero and method == "satterthwaite":
        raise DataError(
            f"the variance between {words.plural(zero[0])} is estimated as 0, and Satterthwaite's degrees of "
            "freedom are then those of the rows",
            expected="variances above 0",
            todo="use method='kenward-roger', which keeps the units",
        )
    variance = pd.DataFrame({"variance": fit.theta}, index=pd.Index([*used, "residual"], name="level"))
    variance["sd"] = np.sqrt(variance["variance"])
    variance["icc"] = variance["variance"] / variance["variance"].sum()
    return Fitted(
        fit=fit,
        tests=KenwardRoger(fit) if method == "kenward-roger" else Satterthwaite(fit),
        n_rows=rows.n_rows,
        n_levels=dict(zip(used, rows.n_groups, strict=True)),
        variance=variance,
        singular=bool(zero),
        warnings=(*said, *(_singular(level) for level in zero)),
    )


def outcome(test: FTest, n: int) -> Outcome:
    """An F test of a mixed model; balanced data have whole degrees of freedom, short of rounding."""
    df2 = round(test.df2, 9) if abs(test.df2 - np.round(test.df2)) < 1e-7 else test.df2
    return Outcome("linear mixed model", "F", test.statistic, (test.df1, df2), test.p, n)


def _found(rows: reml.Rows, used: Sequence[str]) -> reml.Fit:
    try:
        fit = reml.fit(rows)
    except np.linalg.LinAlgError:
        fit = None
    if fit is None or not fit.found:
        raise DataError(
            "the likelihood of the mixed model has no maximum that could be found",
            expected="values from which the variances can be estimated",
            todo=f"compare the means of each {used[0]}, which needs no fit",
        )
    if reml.solved(fit.expected, fit.gradient)[1] < 1e-10:
        raise DataError(
            f"the variances of {validate.join([*used, 'residual'])} cannot be told apart",
            expected=f"several {words.plural(used[-1])} with several values",
            todo=f"leave {used[-1]} out of the levels",
        )
    return fit


def _singular(level: str) -> str:
    return (
        f"The variance between {words.plural(level)} is estimated as 0 (a singular fit), as happens when "
        "they are few or nearly alike; it does not show that their values are independent."
    )

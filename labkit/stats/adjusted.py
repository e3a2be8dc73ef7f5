"""Groups compared with blocks and covariates in the model: means adjusted to what all groups would share.

A block is what units were measured together in: lanes of a membrane differ from those of another by
exposure and transfer, which within the membrane is shared. A covariate is a number known of each unit, such
as its baseline. Both are fixed terms of one linear model ``value = group + block + slope x covariate +
residual``, fitted by least squares, so empty cells and unequal numbers are no matter.

Notation: N units, k groups, b blocks, c covariates; nu = N - k - (b - 1) - c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from labkit.errors import DataError
from labkit.stats import design, effects, estimates, validate, words
from labkit.stats.linear import LeastSquares, explained, indicators, least_squares, sum_coded, terms_table
from labkit.stats.oneway import Outcome
from labkit.stats.trend import trend_of

__all__ = ["POSTHOC", "Adjusted", "adjusted"]

POSTHOC = ("dunnett", "tukey", "none")

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Adjusted:
    """Groups compared with blocks or covariates in the model.

    Attributes
    ----------
    value, group, unit, control, block, covariates
        Columns compared, and the name of the control; `block` None without, `unit` None when rows were units.
    alpha
        Intervals are at ``1 - alpha``.
    omnibus
        F of any difference between groups, given blocks and covariates.
    terms
        Indexed by term (group, block, covariates, "residual"), as `labkit.stats.linear.terms_table` gives it,
        each given all others (type II, which is type III here: the model has no interaction).
    means
        Indexed by group: ``n``, the adjusted ``mean``, its ``se, df, ci_low, ci_high``: averaged over blocks
        with equal weight, at the mean of each covariate.
    slopes
        Indexed by covariate: ``slope, se, ci_low, ci_high``, common to all groups.
    posthoc_test, posthoc, adjustment
        Contrasts of adjusted means, as `labkit.stats.estimates` gives them, and how P is adjusted: "Dunnett",
        "multivariate t", "Holm", "Tukey" or "none".
    trend
        Linear trends of the adjusted means over dose, as `labkit.stats.trend`; empty without doses.
    effects
        ``effect, contrast, group, reference, value, ci_low, ci_high``: partial η² and ω² of the groups, and g
        of each against the control, the difference of adjusted means over the residual SD.
    same_slopes
        F test that the slopes are the same in all groups; None without covariates or when too few units are
        left for it.
    cells
        Units in each group and block; empty without blocks.
    residual_sd
        Square root of the residual variance.
    rows
        One row per unit: its names, value, ``residual``, and ``adjusted``, the value less what its block and
        covariates add.
    dropped
        One row per row of the table that was left out, with the reason.
    warnings
        Sentences that a reader should see.
    """

    value: str
    group: str
    unit: str | None
    control: str
    block: str | None
    covariates: tuple[str, ...]
    alpha: float
    omnibus: Outcome
    terms: pd.DataFrame
    means: pd.DataFrame
    slopes: pd.DataFrame
    posthoc_test: str
    posthoc: pd.DataFrame
    adjustment: str
    trend: pd.DataFrame
    effects: pd.DataFrame
    same_slopes: Outcome | None
    cells: pd.DataFrame
    residual_sd: float
    rows: pd.DataFrame
    dropped: pd.DataFrame
    warnings: tuple[str, ...]

    def summary(self) -> str:
        """The test and the contrasts of adjusted means in sentences, and what a reader should know."""
        n = validate.join(f"{n} {name}" for name, n in self.means["n"].items())
        units = words.plural(self.unit) if self.unit else "rows, each an independent unit"
        said = [
            f"{self.value} by {self.group}: {self.omnibus.test}, "
            f"{words.outcome(self.omnibus, alpha=self.alpha)}; n = {self.omnibus.n} {units} ({n})."
        ]
        if len(self.posthoc):
            contrasts = words.contrasts_in_row(self.posthoc, spread=self.residual_sd, alpha=self.alpha)
            said.append(f"Adjusted means: {contrasts}.")
        return " ".join([*said, *self.warnings])

    def __repr__(self) -> str:
        return self.summary()


def adjusted(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    unit: str | None,
    block: str | None,
    covariates: tuple[str, ...],
    control: str,
    doses: Mapping[str, float],
    posthoc: str,
    alpha: float,
    dropped: pd.DataFrame,
    warnings: Sequence[str] = (),
) -> Adjusted:
    """The model on one row per unit, as `experimental_units` gives them."""
    validate.choice(posthoc, POSTHOC, name="posthoc")
    validate.level(alpha)
    names = [str(name) for name in table[group].cat.categories]
    if len(names) < 2:
        validate.check(dict.fromkeys(names, table[value]), test="The comparison")
    # By value too, so that no sum depends on the order of rows.
    keys = [value, *covariates, *([block] if block else [])]
    table = table.iloc[np.lexsort([*(table[key].to_numpy() for key in keys), table[group].cat.codes])]
    member = table[group].cat.codes.to_numpy().astype(np.intp)
    said, parts, spans = list(warnings), [group], {group: indicators(member, len(names))}
    cells = pd.DataFrame(index=pd.Index(names, name=group))
    if block is not None:
        codes, labels = pd.factorize(table[block], sort=True)
        cells = pd.crosstab(table[group].astype(str), table[block]).reindex(names)
        said += design.check_blocks(cells, block=block)
        spans[block] = sum_coded(codes.astype(np.intp), len(labels))
        parts.append(block)
    measured = {name: table[name].to_numpy(float) for name in covariates}
    rest = np.column_stack(list(spans.values()))
    coefficients = rest.shape[1] + len(measured)
    design.check_residual_df(len(table), coefficients, parts=validate.join([*parts, *covariates]))
    said += design.check_covariates(measured, rest, member, names, beside=validate.join(parts))
    spans |= {name: (x - x.mean())[:, None] for name, x in measured.items()}
    x = np.column_stack(list(spans.values()))
    shift = float(table[value].median())
    y = table[value].to_numpy(float) - shift
    fit = least_squares(y, x)
    if fit.ss_residual <= 1e-20 * float(((y - y.mean()) ** 2).sum()) or validate.constant(
        table[value].to_numpy()
    ):
        raise DataError(
            f"{validate.join(spans)} tell every value exactly: nothing shows how much units vary",
            expected="units that vary within groups",
            todo="check the measurement and the column; no comparison can be made",
        )
    terms = _terms(y, spans, fit, alpha)
    k = len(names)
    f = terms.loc[group]
    outcome = Outcome(
        _test_name(block, covariates), "F", float(f["statistic"]), (int(f["df"]), fit.df_residual),
        float(f["p"]), len(table),
    )  # fmt: skip
    means = estimates.means(names, fit.beta[:k], fit, alpha=alpha)
    means[["mean", "ci_low", "ci_high"]] += shift
    means.insert(0, "n", np.bincount(member, minlength=k))
    contrasts, adjustment = _contrasts(names, fit, posthoc, control, alpha)
    if adjustment == "Holm":
        said.append(estimates.HOLM)
    same = _same_slopes(y, spans, fit, covariates, group)
    if same is not None and same.p < alpha:
        said.append(
            f"The slope of {validate.join(covariates)} differs between groups "
            f"({words.outcome(same, alpha=alpha)}), so that groups differ otherwise at other values of it: "
            "adjusted means hold at its mean alone."
        )
    if covariates:
        said += _moved(measured, spans[group], names, alpha)
    trend = pd.DataFrame()
    if doses and len({d for d in doses.values() if np.isfinite(d)}) > 1:
        trend = trend_of(
            names, fit.beta[:k], fit.covariance[:k, :k], df=fit.df_residual, doses=doses, alpha=alpha
        )
    rows = table.assign(residual=fit.residuals, adjusted=table[value] - x[:, k:] @ fit.beta[k:]).sort_index()
    return Adjusted(
        value=value,
        group=group,
        unit=unit,
        control=control,
        block=block,
        covariates=covariates,
        alpha=float(alpha),
        omnibus=outcome,
        terms=terms,
        means=means,
        slopes=_slopes(fit, covariates, alpha),
        posthoc_test=posthoc,
        posthoc=contrasts,
        adjustment=adjustment,
        trend=trend,
        effects=_effects(names, fit, outcome, control, alpha),
        same_slopes=same,
        cells=cells,
        residual_sd=float(np.sqrt(fit.variance)),
        rows=rows,
        dropped=dropped,
        warnings=tuple(said),
    )


def _test_name(block: str | None, covariates: Sequence[str]) -> str:
    along = [f"{block} as block"] if block else []
    if covariates:
        along.append(
            f"{validate.join(covariates)} as {'covariate' if len(covariates) == 1 else 'covariates'}"
        )
    return f"{'ANCOVA' if covariates else 'ANOVA'} with {' and '.join(along)}" if along else "ANOVA"


def _terms(y: Array, spans: Mapping[str, Array], fit: LeastSquares, alpha: float) -> pd.DataFrame:
    """Each term given all others."""
    one = np.ones((y.size, 1))
    given = {
        term: np.hstack([one, *(other for name, other in spans.items() if name != term)]) for term in spans
    }
    return terms_table(
        y, {term: (columns, given[term]) for term, columns in spans.items()},
        ss_residual=fit.ss_residual, df_residual=fit.df_residual, alpha=alpha,
    )  # fmt: skip


def _contrasts(
    names: Sequence[str], fit: LeastSquares, posthoc: str, control: str, alpha: float
) -> tuple[pd.DataFrame, str]:
    beta = fit.beta[: len(names)]
    if posthoc == "tukey":
        return estimates.all_pairs(names, beta, fit, alpha=alpha), "Tukey"
    table, adjustment = estimates.versus(names, beta, fit, control=control, alpha=alpha)
    return (table, adjustment) if posthoc == "dunnett" else (table.iloc[:0], "none")


def _slopes(fit: LeastSquares, covariates: Sequence[str], alpha: float) -> pd.DataFrame:
    at = slice(len(fit.beta) - len(covariates), None)
    slope, se = fit.beta[at], np.sqrt(np.diag(fit.covariance)[at])
    half = stats.t.isf(alpha / 2, fit.df_residual) * se
    columns = {"slope": slope, "se": se, "ci_low": slope - half, "ci_high": slope + half}
    return pd.DataFrame(columns, index=pd.Index(covariates, name="covariate", dtype=object))


def _same_slopes(
    y: Array, spans: Mapping[str, Array], fit: LeastSquares, covariates: Sequence[str], group: str
) -> Outcome | None:
    """F of the interaction of group and covariates."""
    if not covariates:
        return None
    apart = np.column_stack([spans[group] * spans[name] for name in covariates])
    ss, df = explained(y, apart, np.column_stack(list(spans.values())))
    left, left_df = fit.ss_residual - ss, fit.df_residual - df
    if df == 0 or left_df < 1 or left <= 1e-12 * fit.ss_residual:
        return None
    f = ss / df / (left / left_df)
    return Outcome("equal slopes", "F", f, (df, left_df), float(stats.f.sf(f, df, left_df)), y.size)


def _moved(measured: Mapping[str, Array], group: Array, names: Sequence[str], alpha: float) -> list[str]:
    """A covariate that differs between groups may itself be an effect of the treatment."""
    said = []
    for name, x in measured.items():
        fit = least_squares(x - x.mean(), group)
        if fit.df_residual < 1 or fit.ss_residual <= 0:
            continue
        f = fit.test(np.diff(np.eye(len(names)), axis=0))
        if f.p < alpha:
            said.append(
                f"{name} differs between groups (F({f.df1}, {f.df2:.0f}) = {words.number(f.statistic)}, "
                f"{words.p_value(f.p, alpha=alpha)}): if the treatment changed it, adjusting for it takes "
                "away part of the effect."
            )
    return said


def _effects(
    names: Sequence[str], fit: LeastSquares, outcome: Outcome, control: str, alpha: float
) -> pd.DataFrame:
    every = {"contrast": "all groups", "group": "", "reference": ""}
    part = effects.partial_explained(
        outcome.statistic, *outcome.df, outcome.n, confidence=1 - alpha
    ).reset_index()
    rows = [row | every for row in part.to_dict("records")]
    sd, zero = np.sqrt(fit.variance), list(names).index(control)
    for i, name in enumerate(names):
        if i == zero:
            continue
        contrast = np.zeros(fit.beta.size)
        contrast[i], contrast[zero] = 1.0, -1.0
        per_t = float(np.sqrt(contrast @ fit.unscaled @ contrast))
        g = effects.standardised(
            float(contrast @ fit.beta / sd), per_t, fit.df_residual, confidence=1 - alpha
        )
        labels = {
            "effect": "hedges_g",
            "contrast": f"{name} − {control}",
            "group": name,
            "reference": control,
        }
        rows.append(labels | dict(zip(("value", "ci_low", "ci_high"), g, strict=True)))
    columns = ["effect", "contrast", "group", "reference", "value", "ci_low", "ci_high"]
    return pd.DataFrame(rows)[columns]

"""One call from a tidy table to a complete comparison of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.stats import effects, oneway, posthoc, scales, validate
from labkit.stats import trend as trends
from labkit.stats.adjusted import POSTHOC as MODEL_POSTHOC
from labkit.stats.adjusted import Adjusted, adjusted
from labkit.stats.comparison import Comparison
from labkit.stats.mixed import MixedModel, mixed_model
from labkit.stats.oneway import Outcome
from labkit.stats.rows import refuse_columns
from labkit.stats.trend import Jonckheere
from labkit.stats.units import Units, experimental_units

__all__ = ["Comparison", "compare"]

OMNIBUS = ("anova", "welch", "kruskal")
POSTHOC = ("dunnett", "tukey", "games-howell", "dunn", "none")

# Post-hoc tests that make the same assumptions as the omnibus; another choice is carried out, and said.
_FITTING = {
    "anova": ("dunnett", "tukey", "none"),
    "welch": ("games-howell", "none"),
    "kruskal": ("dunn", "none"),
}


def compare(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    unit: str | None = "animal",
    nested: Sequence[str] = (),
    block: str | None = None,
    covariate: str | Sequence[str] | None = None,
    control: str | None = None,
    dose: str | None = None,
    scale: str = "linear",
    omnibus: str = "anova",
    posthoc: str = "dunnett",
    alpha: float = 0.05,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
) -> Comparison:
    """Compare a value between groups of experimental units.

    Sub-units (slices of an animal) are averaged to the unit first, and only units are tested. The tests are
    those named here: tests of assumptions are made to be looked at and never change them. All tests are
    two-sided.

    Parameters
    ----------
    table
        Tidy table, one row per smallest thing measured.
    value, group
        Columns of the number compared and of the group. Groups stand in the order of an ordered Categorical,
        else of `order`, else of `dose`, else of their numbers; never of the alphabet.
    unit
        Column of the experimental unit; None when each row is an independent unit.
    nested
        Columns of the levels within the unit from the outermost, such as ``("slice",)``: averaged level by
        level from the innermost, and counted.
    block
        Column of what units were measured together in, such as ``"membrane"``: groups are compared within
        it. Each unit stands in one block, or each in all. F is that of the group with the block in the model,
        and contrasts are those of adjusted means (`blocked`).
    covariate
        Column, or columns, of numbers such as a baseline: groups are compared at its mean (`ancova`).
    control
        Name of the control; the first group if not given and the order of groups means something.
    dose
        Column of the dose of each group, for the trend.
    scale
        "linear", "log" (natural logs of the column are taken before anything is averaged), or "logged" (the
        column holds natural logs, as a log ratio does). On logs, differences are shown as ratios too.
    omnibus
        "anova" (variances equal), "welch" (not), or "kruskal" (ranks). With `block` or `covariate`: "anova".
    posthoc
        "dunnett" (each group against control), "tukey" (all pairs), "games-howell" (all pairs, variances not
        equal), "dunn" (all pairs by ranks, Holm's adjustment), or "none". With `block` or `covariate`:
        "dunnett", "tukey" or "none".
    alpha
        Level of significance; confidence intervals are at ``1 - alpha``.
    order
        Groups in order; rows of groups not named are left out and counted.
    excluded
        Column with a reason for exclusion, empty for rows that count; passed over when there is none.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        When the question cannot be answered; the sentence says what is wrong and which comparisons can still
        be made.

    Examples
    --------
    >>> slices = pd.DataFrame({
    ...     "animal": ["a1", "a1", "a2", "a3", "b1", "b2", "b3"],
    ...     "group": ["vehicle"] * 4 + ["drug"] * 3,
    ...     "ltp": [120.0, 124.0, 130.0, 126.0, 150.0, 140.0, 146.0],
    ... })
    >>> result = compare(slices, "ltp", group="group", control="vehicle", order=["vehicle", "drug"])
    >>> result.groups[["n", "n_subunits", "mean"]].to_dict("index")["vehicle"]
    {'n': 3, 'n_subunits': 4, 'mean': 126.0}
    >>> round(result.omnibus.statistic, 1), round(result.omnibus.p, 5)
    (27.1, 0.00648)
    """
    validate.choice(omnibus, OMNIBUS, name="omnibus")
    validate.choice(posthoc, POSTHOC, name="posthoc")
    validate.choice(scale, scales.SCALES, name="scale")
    validate.level(alpha)
    covariates = () if covariate is None else (covariate,) if isinstance(covariate, str) else tuple(covariate)
    if block or covariates:
        _refuse_tests(omnibus, posthoc, validate.join([*([block] if block else []), *covariates]))
    if scale == "log":
        refuse_columns(table, {"value": [value]})
        table = scales.log_values(table, value, excluded=excluded)
    units = experimental_units(
        table, value, group=group, unit=unit, nested=nested, block=block, covariates=covariates, dose=dose,
        order=order, excluded=excluded,
    )  # fmt: skip
    samples = {
        str(name): part.to_numpy()
        for name, part in units.table.groupby(group, observed=True, sort=True)[value]
    }
    checked = validate.check(samples, test="The comparison", spread="total")
    control = validate.control(control, list(samples), ordered=units.ordered, group=group, first=units.first)
    ranks = omnibus == "kruskal" and posthoc in ("dunn", "none")
    warnings = [*units.warnings, *validate.cautions(checked, unit=unit or "unit", ranks=ranks)]
    groups = oneway.describe(samples, confidence=1 - alpha)
    n_subunits = units.table.groupby(group, observed=True, sort=True)["n_subunits"].sum()
    groups.insert(1, "n_subunits", n_subunits.to_numpy())
    model = None
    if units.block or covariates:
        model = adjusted(
            units.table, value, group=group, unit=unit, block=units.block, covariates=covariates,
            control=control, doses=units.doses, posthoc=posthoc, alpha=alpha, dropped=units.dropped,
        )  # fmt: skip
        tested, said = _of_model(model), list(model.warnings)
        names = {"mean": "adjusted_mean", "se": "adjusted_se"} | {
            c: f"adjusted_{c}" for c in ("ci_low", "ci_high")
        }
        groups = groups.join(model.means[list(names)].rename(columns=names))
    else:
        tested, said = _of_means(samples, units, omnibus, posthoc, control, alpha)
    warnings += said
    if scale != "linear":
        groups = scales.geometric(groups)
        tested |= {"posthoc": scales.with_ratios(tested["posthoc"])}
        tested |= {"trend": scales.with_ratios(tested["trend"], of="slope")}
    mixed, said = _companion(
        table, value, units, model, unit=unit, nested=nested, group=group, control=control, alpha=alpha,
        order=list(samples), excluded=excluded,
    )  # fmt: skip
    if mixed is not None and scale != "linear":
        mixed = replace(mixed, posthoc=scales.with_ratios(mixed.posthoc))
    residual = units.table[value] - groups["mean"].reindex(units.table[group].astype(str)).to_numpy()
    return Comparison(
        value=value,
        group=group,
        unit=unit,
        nested=tuple(nested),
        control=control,
        alpha=float(alpha),
        block=units.block,
        covariates=covariates,
        scale=scale,
        groups=groups,
        posthoc_test=posthoc,
        units=model.rows if model else units.table.assign(residual=residual),
        dropped=units.dropped,
        warnings=(*warnings, *said),
        mixed=mixed,
        adjusted=model,
        **tested,
    )


def _refuse_tests(omnibus: str, posthoc: str, beside: str) -> None:
    if omnibus != "anova":
        raise DataError(
            f"omnibus={omnibus!r} has no place for {beside}",
            expected=f"omnibus='anova' with {beside} in the model",
            todo=f"choose that, or leave {beside} out",
        )
    validate.choice(posthoc, MODEL_POSTHOC, name=f"with {beside} in the model posthoc")


def _of_means(
    samples: validate.Samples, units: Units, omnibus: str, posthoc: str, control: str, alpha: float
) -> tuple[dict[str, Any], list[str]]:
    """What is tested on unit means alone, by attribute of `Comparison`, and sentences."""
    test = {"anova": oneway.one_way, "welch": oneway.welch, "kruskal": oneway.kruskal}[omnibus]
    outcome = test(samples)
    said = _fit_warnings(omnibus, posthoc, samples)
    contrasts = _posthoc(samples, posthoc, control, alpha)
    if contrasts["p_adjusted"].isna().any():
        unknown = contrasts.loc[contrasts["p_adjusted"].isna(), "contrast"]
        said.append(f"No P for {validate.join(unknown)}: the variance of a group is not known.")
    trend, jonckheere, more = _trends(samples, units, alpha)
    tested = {
        "omnibus": outcome,
        "posthoc": contrasts,
        "trend": trend,
        "jonckheere": jonckheere,
        "effects": _effects(samples, outcome, control, alpha),
        "assumptions": oneway.assumptions(samples),
    }
    return tested, said + more


def _of_model(model: Adjusted) -> dict[str, Any]:
    """What is tested with blocks or covariates in the model, by attribute of `Comparison`."""
    residuals = {
        str(name): part.to_numpy()
        for name, part in model.rows.groupby(model.group, observed=True, sort=True)["residual"]
    }
    assumptions = oneway.assumptions(residuals)
    assumptions["note"] = assumptions["note"].where(assumptions["note"] != "", "on residuals of the model")
    return {
        "omnibus": model.omnibus,
        "posthoc": model.posthoc,
        "trend": model.trend,
        "jonckheere": None,
        "effects": model.effects,
        "assumptions": assumptions,
    }


def _companion(
    table: pd.DataFrame,
    value: str,
    units: Units,
    model: Adjusted | None,
    *,
    unit: str | None,
    nested: Sequence[str],
    **options: Any,
) -> tuple[MixedModel | None, list[str]]:
    """The mixed model that asks the same: of sub-units, or of blocks with unequal cells."""
    several = bool(unit and nested and (units.table["n_subunits"] > 1).any())
    unequal = units.block is not None and np.ptp(model.cells.to_numpy()) > 0
    if not (several or unequal) or (model and model.covariates):
        return None, []
    random = ([units.block] if units.block else []) + ([unit, *nested] if unit else [])
    try:
        return mixed_model(table, value, random=random, **options), []
    except DataError as problem:
        return None, [f"No mixed model beside the comparison of means: {problem}"]


def _fit_warnings(omnibus: str, posthoc: str, samples: validate.Samples) -> list[str]:
    said = []
    if posthoc not in _FITTING[omnibus]:
        fitting = validate.join([repr(name) for name in _FITTING[omnibus] if name != "none"], word="or")
        said.append(
            f"omnibus={omnibus!r} and posthoc={posthoc!r} do not make the same assumptions; "
            f"posthoc={fitting} would fit."
        )
    if omnibus == "kruskal" and min(np.size(values) for values in samples.values()) < 5:
        said.append("A group has fewer than 5 values, so the P of the Kruskal-Wallis test is rough.")
    return said


def _posthoc(samples: validate.Samples, test: str, control: str, alpha: float) -> pd.DataFrame:
    if test == "dunnett":
        return posthoc.dunnett(samples, control=control, alpha=alpha)
    if test == "tukey":
        return posthoc.tukey(samples, alpha=alpha)
    if test == "games-howell":
        return posthoc.games_howell(samples, alpha=alpha)
    if test == "dunn":
        return posthoc.dunn(samples, method="holm")
    columns = ["contrast", "group", "reference", "difference", "ci_low", "ci_high", "p_adjusted"]
    return pd.DataFrame(columns=columns).astype(dict.fromkeys(columns[3:], float))


def _trends(
    samples: validate.Samples, units: Units, alpha: float
) -> tuple[pd.DataFrame, Jonckheere | None, list[str]]:
    """Linear trends and Jonckheere's test over the groups that have a dose, in the order of dose."""
    dosed = sorted(
        (name for name, amount in units.doses.items() if np.isfinite(amount)), key=units.doses.__getitem__
    )
    if not units.doses:
        return pd.DataFrame(), None, []
    if len({units.doses[name] for name in dosed}) < 2:
        return pd.DataFrame(), None, ["No trend: fewer than two doses differ."]
    without = [name for name in samples if name not in dosed]
    said = [f"Without a dose, so not in the trend: {validate.join(without)}."] if without else []
    tested = pd.DataFrame()
    if any(not validate.constant(np.asarray(values)) for values in samples.values()):
        tested = trends.trend(samples, doses=units.doses, alpha=alpha)
    levels: dict[float, list[np.ndarray]] = {}
    for name in dosed:
        levels.setdefault(units.doses[name], []).append(np.asarray(samples[name]))
    by_dose = {str(amount): np.concatenate(values) for amount, values in levels.items()}
    return tested, trends.jonckheere(by_dose), said


def _effects(samples: validate.Samples, outcome: Outcome, control: str, alpha: float) -> pd.DataFrame:
    every = {"contrast": "all groups", "group": "", "reference": ""}
    rows = []
    if isinstance(outcome, oneway.Anova) or outcome.symbol == "F":
        explained = effects.variance_explained(oneway.one_way(samples), confidence=1 - alpha)
        rows.append(explained.reset_index().assign(**every))
    else:
        ranks = {
            "effect": "rank_epsilon2",
            "value": effects.rank_epsilon2(outcome),
            "ci_low": np.nan,
            "ci_high": np.nan,
        }
        rows.append(pd.DataFrame([ranks | every]))
    if any(not validate.constant(np.asarray(values)) for values in samples.values()):
        rows.append(
            effects.hedges_g(samples, control=control, confidence=1 - alpha).assign(effect="hedges_g")
        )
    columns = ["effect", "contrast", "group", "reference", "value", "ci_low", "ci_high"]
    return pd.concat(rows, ignore_index=True)[columns]

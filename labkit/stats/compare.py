"""One call from a tidy table to a complete comparison of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.stats import effects, oneway, posthoc, validate, words
from labkit.stats import trend as trends
from labkit.stats.mixed import MixedModel, mixed_model
from labkit.stats.oneway import Outcome
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


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """A comparison of groups, complete.

    Attributes
    ----------
    value, group, unit, nested
        Columns compared; `unit` None when each row was a unit.
    control
        Name of the control group.
    alpha
        Level of significance; intervals are at ``1 - alpha``.
    groups
        Indexed by group, in order: ``n`` units, ``n_subunits``, ``mean, sd, sem, median, ci_low, ci_high``.
    omnibus
        The test of any difference.
    posthoc_test, posthoc
        Name of the test of contrasts, and one row per contrast: ``contrast, group, reference, difference,
        ci_low, ci_high, se, statistic, df, p_adjusted`` (``rank_difference`` and no interval for Dunn's).
    trend
        Indexed by scale of dose ("rank", "dose", "log1p_dose"), as `labkit.stats.trend` gives it; empty
        without doses.
    jonckheere
        The rank test of trend; None without doses.
    effects
        ``effect, contrast, group, reference, value, ci_low, ci_high``: of all groups (η², ω², ε²; ε² of ranks
        for Kruskal-Wallis), and Hedges' g against the control.
    assumptions
        As `labkit.stats.assumptions` gives it. Nothing is chosen by it.
    units
        One row per experimental unit: unit, group, dose, value, ``n_subunits`` and ``residual`` from the
        group mean.
    dropped
        One row per row of the table that was left out, with the reason.
    warnings
        Sentences that a reader should see.
    mixed
        The same question asked of all sub-units by a linear mixed model, to be looked at beside `omnibus` and
        `posthoc` and never in their place. None without `nested`, when each unit has one value, and when the
        model cannot be fitted, which `warnings` then says.
    """

    value: str
    group: str
    unit: str | None
    nested: tuple[str, ...]
    control: str
    alpha: float
    groups: pd.DataFrame
    omnibus: Outcome
    posthoc_test: str
    posthoc: pd.DataFrame
    trend: pd.DataFrame
    jonckheere: Jonckheere | None
    effects: pd.DataFrame
    assumptions: pd.DataFrame
    units: pd.DataFrame
    dropped: pd.DataFrame
    warnings: tuple[str, ...]
    mixed: MixedModel | None

    def summary(self) -> str:
        """The result as a paper reports it: test, statistic, df, exact P, effect with interval, n of what."""
        return words.summary(self)

    def methods(self) -> str:
        """One paragraph for the methods section."""
        return words.methods(self)

    def table(self) -> pd.DataFrame:
        """The group table with the contrasts against the control beside it.

        Returns
        -------
        DataFrame
            `groups`, and for each group but the control ``difference, difference_low, difference_high,
            p_adjusted, hedges_g, hedges_g_low, hedges_g_high`` as far as the tests made give them.
        """
        table = self.groups.copy()
        versus = self.posthoc[self.posthoc["reference"] == self.control].set_index("group")
        names = {"ci_low": "difference_low", "ci_high": "difference_high"}
        for column in ("difference", "ci_low", "ci_high", "p_adjusted"):
            if column in versus and len(versus):
                table[names.get(column, column)] = versus[column].reindex(table.index)
        g = self.effects[self.effects["effect"] == "hedges_g"].set_index("group")
        for column, name in (("value", "hedges_g"), ("ci_low", "hedges_g_low"), ("ci_high", "hedges_g_high")):
            table[name] = g[column].reindex(table.index)
        return table

    def __repr__(self) -> str:
        return self.summary()


def compare(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    unit: str | None = "animal",
    nested: Sequence[str] = (),
    control: str | None = None,
    dose: str | None = None,
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
    control
        Name of the control; the first group if not given and the order of groups means something.
    dose
        Column of the dose of each group, for the trend.
    omnibus
        "anova" (variances equal), "welch" (not), or "kruskal" (ranks).
    posthoc
        "dunnett" (each group against control), "tukey" (all pairs), "games-howell" (all pairs, variances not
        equal), "dunn" (all pairs by ranks, Holm's adjustment), or "none".
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
    >>> print(words.outcome(result.omnibus))
    F(1, 4) = 27.1, P = 0.00648
    """
    validate.choice(omnibus, OMNIBUS, name="omnibus")
    validate.choice(posthoc, POSTHOC, name="posthoc")
    validate.level(alpha)
    units = experimental_units(
        table, value, group=group, unit=unit, nested=nested, dose=dose, order=order, excluded=excluded
    )
    samples = {
        str(name): part.to_numpy()
        for name, part in units.table.groupby(group, observed=True, sort=True)[value]
    }
    checked = validate.check(samples, test="The comparison", spread="none")
    control = _control(control, units, group)
    test = {"anova": oneway.one_way, "welch": oneway.welch, "kruskal": oneway.kruskal}[omnibus]
    outcome = test(samples)

    ranks = omnibus == "kruskal" and posthoc in ("dunn", "none")
    warnings = [*units.warnings, *validate.cautions(checked, unit=unit or "unit", ranks=ranks)]
    warnings += _fit_warnings(omnibus, posthoc, checked)
    contrasts = _posthoc(samples, posthoc, control, alpha)
    if contrasts["p_adjusted"].isna().any():
        unknown = contrasts.loc[contrasts["p_adjusted"].isna(), "contrast"]
        warnings.append(f"No P for {validate.join(unknown)}: the variance of a group is not known.")
    trend, jonckheere, said = _trends(samples, units, alpha)
    warnings += said

    mixed = None
    if unit and nested and (units.table["n_subunits"] > 1).any():
        try:
            mixed = mixed_model(
                table, value, group=group, random=(unit, *nested), control=control, alpha=alpha,
                order=list(samples), excluded=excluded,
            )  # fmt: skip
        except DataError as problem:
            warnings.append(f"No mixed model beside the comparison of means: {problem}")

    groups = oneway.describe(samples, confidence=1 - alpha)
    n_subunits = units.table.groupby(group, observed=True, sort=True)["n_subunits"].sum()
    groups.insert(1, "n_subunits", n_subunits.to_numpy())
    table_of_units = units.table.assign(
        residual=units.table[value] - groups["mean"].reindex(units.table[group].astype(str)).to_numpy()
    )
    return Comparison(
        value=value,
        group=group,
        unit=unit,
        nested=tuple(nested),
        control=control,
        alpha=float(alpha),
        groups=groups,
        omnibus=outcome,
        posthoc_test=posthoc,
        posthoc=contrasts,
        trend=trend,
        jonckheere=jonckheere,
        effects=_effects(samples, outcome, control, alpha),
        assumptions=oneway.assumptions(samples),
        units=table_of_units,
        dropped=units.dropped,
        warnings=tuple(warnings),
        mixed=mixed,
    )


def _control(control: str | None, units: Units, group: str) -> str:
    names = list(units.table[group].cat.categories)
    if control is None:
        if not units.ordered:
            raise DataError(
                f"no control is named and {group!r} has no order",
                expected=f"one of {validate.join(names, word='or')}",
                todo="name the control, or give the order of groups with the control first",
            )
        return names[0]
    if str(control) not in names:
        raise DataError(
            f"the control {str(control)!r} has no values",
            expected=f"values of the control; groups with values are {validate.join(names)}",
            todo=f"choose another control; {validate.still(names)}",
        )
    return str(control)


def _fit_warnings(omnibus: str, posthoc: str, samples: validate.Checked) -> list[str]:
    said = []
    if posthoc not in _FITTING[omnibus]:
        fitting = validate.join([repr(name) for name in _FITTING[omnibus] if name != "none"], word="or")
        said.append(
            f"omnibus={omnibus!r} and posthoc={posthoc!r} do not make the same assumptions; "
            f"posthoc={fitting} would fit."
        )
    if omnibus == "kruskal" and min(values.size for values in samples.values()) < 5:
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

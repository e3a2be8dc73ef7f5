"""The result of a comparison of groups: its tables, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from labkit.stats import words
from labkit.stats.adjusted import Adjusted
from labkit.stats.mixed import MixedModel
from labkit.stats.oneway import Outcome
from labkit.stats.trend import Jonckheere

__all__ = ["Comparison"]


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
    block, covariates
        What units were measured together in, and numbers known of each, both in the model; None and empty
        without.
    scale
        "linear"; or "log" or "logged" when natural logs are compared: all below is of logs then, but for
        ``ratio, ratio_low, ratio_high`` of contrasts and trends (exp of the difference, or of the slope) and
        ``geometric_mean, geometric_low, geometric_high`` of groups.
    groups
        Indexed by group, in order: ``n`` units, ``n_subunits``, ``mean, sd, sem, median, ci_low, ci_high``;
        with blocks or covariates also ``adjusted_mean, adjusted_se, adjusted_ci_low, adjusted_ci_high``.
    omnibus
        The test of any difference.
    posthoc_test, posthoc
        Name of the test of contrasts, and one row per contrast: ``contrast, group, reference, difference,
        ci_low, ci_high, se, statistic, df, p_adjusted`` (``rank_difference`` and no interval for Dunn's).
    trend
        Indexed by scale of dose ("rank", "dose", "log1p_dose"), as `labkit.stats.trend` gives it; empty
        without doses.
    jonckheere
        The rank test of trend; None without doses, and with blocks or covariates.
    effects
        ``effect, contrast, group, reference, value, ci_low, ci_high``: of all groups (η², ω², ε²; ε² of ranks
        for Kruskal-Wallis; partial η² and ω² with blocks or covariates), and Hedges' g against the control.
    assumptions
        As `labkit.stats.assumptions` gives it. Nothing is chosen by it.
    units
        One row per experimental unit: unit, group, dose, block, covariates, value, ``n_subunits`` and
        ``residual`` from the group mean (from the model with blocks or covariates, and then also
        ``adjusted``, the value less what its block and covariates add).
    dropped
        One row per row of the table that was left out, with the reason.
    warnings
        Sentences that a reader should see.
    mixed
        The same question asked of all sub-units by a linear mixed model, to be looked at beside `omnibus` and
        `posthoc` and never in their place. None without `nested`, when each unit has one value, and when the
        model cannot be fitted, which `warnings` then says; None with covariates, which it has no place for.
        With unequal cells of group and block the block is a random intercept in it.
    adjusted
        The model with blocks or covariates, with its table of terms and test of equal slopes; None without.
    """

    value: str
    group: str
    unit: str | None
    nested: tuple[str, ...]
    control: str
    alpha: float
    block: str | None
    covariates: tuple[str, ...]
    scale: str
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
    adjusted: Adjusted | None

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
            ratio, ratio_low, ratio_high, p_adjusted, hedges_g, hedges_g_low, hedges_g_high`` as far as the
            tests made give them.
        """
        table = self.groups.copy()
        versus = self.posthoc[self.posthoc["reference"] == self.control].set_index("group")
        names = {"ci_low": "difference_low", "ci_high": "difference_high"}
        for column in ("difference", "ci_low", "ci_high", "ratio", "ratio_low", "ratio_high", "p_adjusted"):
            if column in versus and len(versus):
                table[names.get(column, column)] = versus[column].reindex(table.index)
        g = self.effects[self.effects["effect"] == "hedges_g"].set_index("group")
        for column, name in (("value", "hedges_g"), ("ci_low", "hedges_g_low"), ("ci_high", "hedges_g_high")):
            table[name] = g[column].reindex(table.index)
        return table

    def __repr__(self) -> str:
        return self.summary()

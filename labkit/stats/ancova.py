"""Groups compared within blocks, or at the same value of a covariate: from a tidy table to adjusted means."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from labkit.errors import DataError
from labkit.stats import validate
from labkit.stats.adjusted import Adjusted, adjusted
from labkit.stats.units import experimental_units

__all__ = ["ancova", "blocked"]


def blocked(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    block: str,
    unit: str | None = "animal",
    nested: Sequence[str] = (),
    control: str | None = None,
    dose: str | None = None,
    posthoc: str = "dunnett",
    alpha: float = 0.05,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
) -> Adjusted:
    """Compare groups within blocks: an analysis of variance with the block in the model.

    Parameters
    ----------
    block
        Column of what units were measured together in, such as ``"membrane"``. Cells may be empty as long as
        a chain of blocks links all groups.
    posthoc
        "dunnett" (each adjusted mean against the control's), "tukey" (all pairs) or "none".
    table, value, group, unit, nested, control, dose, alpha, order, excluded
        As in `compare`.

    Returns
    -------
    Adjusted
        With all cells filled alike, F and contrasts are those of the two-way analysis of variance without
        interaction.

    Raises
    ------
    DataError
        As `compare`; also with one block, with groups that no chain of blocks links, and with as many
        coefficients as units. The sentence says which comparisons can still be made.

    Examples
    --------
    >>> lanes = pd.DataFrame({"membrane": ["B1", "B1", "B2", "B2", "B3", "B3"], "group": ["v", "d"] * 3})
    >>> lanes["log_ratio"] = [0.0, 0.4, 1.0, 1.6, -1.0, -0.5]
    >>> result = blocked(lanes, "log_ratio", group="group", block="membrane", unit=None, control="v")
    >>> round(result.omnibus.statistic, 6), round(result.omnibus.p, 4)
    (75.0, 0.0131)
    """
    return _public(
        table, value, group=group, unit=unit, nested=nested, block=block, covariates=(), control=control,
        dose=dose, posthoc=posthoc, alpha=alpha, order=order, excluded=excluded,
    )  # fmt: skip


def ancova(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    covariate: str | Sequence[str],
    block: str | None = None,
    unit: str | None = "animal",
    nested: Sequence[str] = (),
    control: str | None = None,
    dose: str | None = None,
    posthoc: str = "dunnett",
    alpha: float = 0.05,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
) -> Adjusted:
    """Compare groups at the same value of a covariate: analysis of covariance.

    A covariate must not be changed by the treatment (a baseline, an age), else adjusting for it takes away
    part of the effect. The slope is taken as common to all groups; `Adjusted.same_slopes` tests that.

    Parameters
    ----------
    covariate
        Column, or columns, of numbers.
    table, value, group, block, unit, nested, control, dose, posthoc, alpha, order, excluded
        As in `blocked`.

    Returns
    -------
    Adjusted
        F of the group given the covariates (type II, which is type III here); adjusted means at the mean of
        each covariate over all units.

    Raises
    ------
    DataError
        As `blocked`; also when a covariate is constant, or follows from the group.

    Examples
    --------
    >>> table = pd.DataFrame({"group": ["v"] * 4 + ["d"] * 4, "baseline": [1.0, 2, 3, 4, 2, 3, 4, 5]})
    >>> table["post"] = [1.1, 1.9, 3.2, 3.9, 3.0, 4.1, 5.1, 5.9]
    >>> result = ancova(table, "post", group="group", covariate="baseline", unit=None, control="v")
    >>> result.means["mean"].round(4).to_dict()
    {'v': 3.01, 'd': 4.04}
    """
    covariates = (covariate,) if isinstance(covariate, str) else tuple(covariate)
    if not covariates:
        raise DataError(
            "no covariate is named", expected="a column of numbers", todo="name it, or use compare"
        )
    return _public(
        table, value, group=group, unit=unit, nested=nested, block=block, covariates=covariates,
        control=control, dose=dose, posthoc=posthoc, alpha=alpha, order=order, excluded=excluded,
    )  # fmt: skip


def _public(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    unit: str | None,
    nested: Sequence[str],
    block: str | None,
    covariates: Sequence[str],
    control: str | None,
    dose: str | None,
    posthoc: str,
    alpha: float,
    order: Sequence[str] | None,
    excluded: str | None,
) -> Adjusted:
    found = experimental_units(
        table, value, group=group, unit=unit, nested=nested, block=block, covariates=covariates, dose=dose,
        order=order, excluded=excluded,
    )  # fmt: skip
    if block and found.block is None and not covariates:
        raise DataError(
            f"each {unit} stands in every {block}, so its mean over them has no {block} left",
            expected=f"each {unit} in one {block}",
            todo=f"compare the means of each {unit}, which need no {block} in the model",
        )
    names = list(found.table[group].cat.categories)
    return adjusted(
        found.table, value, group=group, unit=unit, block=found.block, covariates=tuple(covariates),
        control=validate.control(control, names, ordered=found.ordered, group=group, first=found.first),
        doses=found.doses, posthoc=posthoc, alpha=alpha, dropped=found.dropped, warnings=found.warnings,
    )  # fmt: skip

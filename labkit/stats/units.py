"""From a tidy table to one value per experimental unit, with every row that is left out accounted for.

Slices of one animal, or spines of one dendrite, are not independent: testing them as if they were makes 8-54
% false positives in place of 5 %. So sub-units are averaged to the unit that was given the treatment, level
by level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from labkit.errors import DataError
from labkit.stats.rows import read_rows, rows_named
from labkit.stats.validate import join, still

__all__ = ["Units", "experimental_units"]


@dataclass(frozen=True, eq=False)
class Units:
    """One row per experimental unit, and what was left out on the way.

    Attributes
    ----------
    table
        One row per unit, by group and name of unit: the unit, the group (ordered Categorical), the dose if
        there is one, its block and covariates, the value, and ``n_subunits`` averaged into it.
    dropped
        One row per row of the input left out: ``row`` (its index label), unit, group, and the reason in
        words.
    doses
        Dose of each group; empty without doses, NaN for a group that has none.
    ordered
        Whether the order of groups means something (given, categorical, by dose or numeric), or is that of
        the rows.
    first
        The first group in order, with or without values: the control, unless another is named.
    n_rows
        Rows averaged.
    block
        Column of blocks in `table`; None without, and when each unit was averaged over all of them.
    warnings
        Sentences.
    """

    table: pd.DataFrame
    dropped: pd.DataFrame
    doses: dict[str, float]
    ordered: bool
    first: str
    n_rows: int
    block: str | None
    warnings: tuple[str, ...]


def experimental_units(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    unit: str | None,
    nested: Sequence[str] = (),
    block: str | None = None,
    covariates: Sequence[str] = (),
    dose: str | None = None,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
) -> Units:
    """Average sub-units to units, drop what cannot be used and say so.

    Rows with no value, rows excluded by a person, and rows of groups outside `order` are dropped with the
    reason. The mean over sub-units is the plain mean at each level of `nested`, the innermost first; sums are
    exact (`math.fsum`), so the order of rows does not matter.

    Parameters
    ----------
    table
        Tidy table, one row per smallest thing measured.
    value, group, unit, dose
        Names of columns. With ``unit=None`` each row is a unit of its own.
    nested
        Columns that name the levels within a unit, from the outermost, such as ``("slice",)``.
    block
        Column of what units were measured together in, such as ``"membrane"``. Each unit stands in one, or
        each in all of them: then it is averaged over them.
    covariates
        Columns of numbers measured with the value, averaged to the unit in the same way; a row without one
        is dropped.
    order
        Groups in order; groups not named are left out.
    excluded
        Column with the reason for exclusion, empty for a row that counts; passed over when the table has
        none.

    Raises
    ------
    DataError
        When a column is absent, a value is not a finite number, a unit or group is not named, a unit stands
        in two groups or in some of the blocks, a row stands twice, or a group has two doses.

    Examples
    --------
    >>> slices = pd.DataFrame({"animal": ["a", "a", "b"], "group": ["v", "v", "d"], "ltp": [1.0, 3.0, 5.0]})
    >>> experimental_units(slices, "ltp", group="group", unit="animal", order=["v", "d"]).table
      animal group  ltp  n_subunits
    0      a     v  2.0           2
    1      b     d  5.0           1
    """
    rows = read_rows(
        table, value, group=group, unit=unit, nested=nested, factors=[block] if block else [],
        covariates=covariates, dose=dose, order=order, excluded=excluded,
        arguments={"factor": [], "block": [block]},
    )  # fmt: skip
    kept, names = rows.kept.rename(columns={f"factor {block}": "block"}), rows.names
    inside, said = _blocks(kept, unit=unit, block=block)
    warnings = _lost_groups(names, kept, rows.dropped)
    if not rows.ordered:
        warnings.append(
            f"{group!r} has no order of its own, so groups stand as they first appear and no trend is tested."
        )
    if unit and not nested:
        warnings += _identical_rows(table, kept)
    warnings += said

    # Level by level from the innermost, so that a neuron with many spines weighs no more than another.
    levels = ["group", "unit", *["block"] * inside, *[f"level {name}" for name in nested]]
    measured = ["value", *[f"covariate {name}" for name in covariates]]
    means = kept
    for depth in range(len(levels), 1, -1):
        grouped = means.groupby(levels[:depth], sort=False, observed=True)
        means = grouped[measured].agg(_mean).assign(n_subunits=grouped.size()).reset_index()
    present = [name for name in names if name in set(kept["group"])]
    means["group"] = pd.Categorical(means["group"], categories=present, ordered=True)
    means = means.sort_values(["group", "unit"], ignore_index=True) if unit else means
    means = means.sort_values("group", ignore_index=True, kind="stable")
    doses = _doses(kept, present) if dose is not None else {}
    result = pd.DataFrame({unit or "unit": means["unit"], group: means["group"]})
    if dose is not None and dose != group:
        result[dose] = [doses[name] for name in means["group"]]
    if block is not None and not inside:
        homes = kept.drop_duplicates("unit").set_index("unit")["block"]
        result[block] = homes.reindex(means["unit"]).to_numpy()
    for name in covariates:
        result[name] = means[f"covariate {name}"].astype(float)
    result[value] = means["value"].astype(float)
    result["n_subunits"] = means["n_subunits"].astype(int)
    dropped = rows.dropped[["row", "unit", "group", "reason"]].reset_index(drop=True)
    dropped.columns = ["row", unit or "unit", group, "reason"]
    blocked = None if inside else block
    first = names[0] if names else ""
    return Units(result, dropped, doses, rows.ordered, first, len(kept), blocked, tuple(warnings))


def _blocks(kept: pd.DataFrame, *, unit: str | None, block: str | None) -> tuple[bool, list[str]]:
    """Whether each unit stands in all blocks and is averaged over them, and what is said of that."""
    if block is None or unit is None:
        return False, []
    homes = kept.drop_duplicates(["unit", "block"])
    count = homes["unit"].value_counts(sort=False)
    if (count == 1).all():
        return False, []
    blocks = list(dict.fromkeys(kept["block"]))
    if (count == len(blocks)).all():
        return True, [
            f"Each {unit} stands in every {block}, so it is averaged over them, and {block} needs no place "
            "in the model."
        ]
    first = count.index[count > 1][0]
    more = f", and {(count > 1).sum() - 1} more in several" if (count > 1).sum() > 1 else ""
    raise DataError(
        f"{unit} {first!r} stands in {block} {join(homes.loc[homes['unit'] == first, 'block'])}{more}",
        expected=f"each {unit} in one {block}, or each in all",
        todo=f"average the values of each {unit} first, keep one {block} of each, or use mixed_factorial "
        f"with random={unit!r} and crossed={block!r}; without {block} "
        f"{still(list(dict.fromkeys(kept['group'])))}",
    )


def _identical_rows(table: pd.DataFrame, kept: pd.DataFrame) -> list[str]:
    """Without the name of the sub-unit two equal rows may be two slices, so this is said and not refused."""
    doubled = table.iloc[kept.index].duplicated(keep=False).to_numpy()
    if not doubled.any():
        return []
    return [
        f"{rows_named(kept['row'][doubled])} are the same in every column: if one was entered twice, remove "
        "it."
    ]


def _lost_groups(names: Sequence[str], kept: pd.DataFrame, dropped: pd.DataFrame) -> list[str]:
    present, seen = set(kept["group"]), set(dropped["group"])
    lost = [name for name in names if name not in present]
    if not lost:
        return []
    said = [f"{name!r} ({'no value left' if name in seen else 'no rows'})" for name in lost]
    return [f"Without values: {join(said)}; {still([name for name in names if name in present])}."]


def _doses(kept: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    doses = {}
    for name in names:
        found = kept.loc[kept["group"] == name, "dose"].drop_duplicates().tolist()
        if len(found) > 1:
            raise DataError(
                f"group {name!r} has doses {join(f'{x:g}' for x in found)}",
                expected="one dose in each group",
                todo=f"correct the doses; {still([other for other in names if other != name])}",
            )
        doses[name] = found[0]
    if negative := [name for name, amount in doses.items() if amount < 0 or math.isinf(amount)]:
        raise DataError(
            f"the dose of {join(map(repr, negative))} is negative or infinite",
            expected="doses of 0 or more",
            todo="correct the doses, or compare without dose=",
        )
    return doses


def _mean(values: pd.Series) -> float:
    return math.fsum(values) / len(values)

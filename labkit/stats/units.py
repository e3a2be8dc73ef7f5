"""From a tidy table to one value per experimental unit, with every row that is left out accounted for.

Slices of one animal, or spines of one dendrite, are not independent: testing them as if they were makes 8-54
% false positives in place of 5 %. So sub-units are averaged to the unit that was given the treatment, level
by level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.stats.validate import join, still

__all__ = ["Units", "experimental_units", "group_order", "label", "numbers", "refuse_columns", "refuse_rows"]


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
    wanted = {"value": [value], "group": [group], "unit": [unit], "dose": [dose], "nested": list(nested)}
    refuse_columns(table, wanted | {"block": [block], "covariate": list(covariates)})
    rows = pd.DataFrame(index=range(len(table)))
    rows["row"] = table.index
    rows["group"] = [label(x) for x in table[group]]
    rows["unit"] = [label(x) for x in table[unit]] if unit else [str(i) for i in rows.index]
    rows["value"] = numbers(table[value], value)
    for name in nested:
        rows[f"level {name}"] = [label(x) for x in table[name]]
    if block is not None:
        rows["block"] = [label(x) for x in table[block]]
    for name in covariates:
        rows[f"covariate {name}"] = numbers(table[name], name)
    if dose is not None:
        rows["dose"] = numbers(table[dose], dose)

    names, ordered = group_order(table[group], rows, order)
    reason = pd.Series("", index=rows.index, dtype=object)
    if order is not None:
        reason[~rows["group"].isin([*names, ""])] = "group left out by order"
    reason[rows["value"].isna() & (reason == "")] = "value missing"
    for name in covariates:
        reason[rows[f"covariate {name}"].isna() & (reason == "")] = f"{name} missing"
    if excluded is not None and excluded in table.columns:
        said = [label(x) for x in table[excluded]]
        for i, text in enumerate(said):
            if text:
                reason[i] = text
    dropped = rows.loc[reason != "", ["row", "unit", "group"]].assign(reason=reason[reason != ""])
    kept = rows[reason == ""]

    refuse_rows(table, kept, group=group, unit=unit, nested=nested, block=block)
    inside, said = _blocks(kept, unit=unit, block=block)
    warnings = _lost_groups(names, kept, rows)
    if not ordered:
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
    dropped = dropped.rename(columns={"unit": unit or "unit", "group": group}).reset_index(drop=True)
    blocked = None if inside else block
    return Units(result, dropped, doses, ordered, len(kept), blocked, tuple(warnings))


def refuse_columns(table: pd.DataFrame, wanted: Mapping[str, Sequence[str | None]]) -> None:
    """Refuse names that are no columns of the table; `wanted` holds them by argument."""
    for argument, names in wanted.items():
        for name in names:
            if name is not None and name not in table.columns:
                alone = ", or unit=None if every row is an independent unit" if argument == "unit" else ""
                raise DataError(
                    f"the table has no column {name!r}",
                    expected=f"one of its columns: {join(map(str, table.columns), word='or')}",
                    todo=f"name the column of the {argument}{alone}",
                )


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
        todo=f"average the values of each {unit} first, or keep one {block} of each; without {block} "
        f"{still(list(dict.fromkeys(kept['group'])))}",
    )


def label(x: object) -> str:
    """A name as text; '' for none. Whole numbers lose their '.0', so that 1 and 1.0 are one group.

    >>> label(0.5), label(2.0), label(None), label(" a01 ")
    ('0.5', '2', '', 'a01')
    """
    if x is None or x is pd.NA or (isinstance(x, float | np.floating) and math.isnan(x)):
        return ""
    if isinstance(x, float | np.floating) and float(x).is_integer():
        return str(int(x))
    return str(x).strip()


def numbers(column: pd.Series, name: str) -> np.ndarray:
    column = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
    found = pd.to_numeric(column, errors="coerce")
    text = ~column.isna() & (column.astype(str).str.strip() != "") & found.isna()
    if text.any():
        raise DataError(
            f"column {name!r} holds {column[text].iloc[0]!r} in {_rows(column.index[text])}",
            expected="numbers, or nothing where none was measured",
            todo="mend these cells; the other rows can then be compared",
        )
    return found.to_numpy(dtype=float, na_value=np.nan)


def group_order(column: pd.Series, rows: pd.DataFrame, order: Sequence[str] | None) -> tuple[list[str], bool]:
    """Names of the groups in order, and whether that order means something."""
    found = [name for name in dict.fromkeys(rows["group"]) if name]
    if order is not None:
        names = [label(name) for name in order]
        if unknown := [name for name in names if name not in found and name not in _categories(column)]:
            raise DataError(
                f"order names {join(map(repr, unknown))}", expected=f"groups of the table: {join(found)}"
            )
        return names, True
    # The categories of an unordered Categorical are mostly the alphabet.
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        return _categories(column), True
    if "dose" in rows and rows.loc[rows["group"] != "", "dose"].notna().all():
        first = rows.drop_duplicates("group").set_index("group")["dose"]
        return sorted(found, key=lambda name: first[name]), True
    if pd.api.types.is_numeric_dtype(column):
        return sorted(found, key=float), True
    return found, False


def _categories(column: pd.Series) -> list[str]:
    return [label(x) for x in column.cat.categories] if isinstance(column.dtype, pd.CategoricalDtype) else []


def refuse_rows(
    table: pd.DataFrame,
    kept: pd.DataFrame,
    *,
    group: str,
    unit: str | None,
    nested: Sequence[str],
    block: str | None = None,
) -> None:
    every = dict.fromkeys(kept["group"])

    def rest(bad: pd.Series) -> str:
        return still([name for name in every if name and name not in set(bad)])

    infinite = kept[np.isinf(kept.filter(regex="^(value|covariate .*)$")).any(axis=1)]
    if len(infinite):
        what = "the value" if np.isinf(infinite["value"]).any() else "a covariate"
        raise DataError(
            f"{what} is infinite in {_rows(infinite['row'])} ({join(dict.fromkeys(infinite['group']))})",
            expected="finite numbers",
            todo="mend the measurement, or exclude these rows with a reason; "
            f"without these groups, {rest(infinite['group'])}",
        )
    named = {"group": group, "unit": unit, **{f"level {name}": name for name in nested}}
    named |= {"block": block} if block else {}
    for what, column in named.items():
        nameless = kept[kept[what] == ""]
        if len(nameless):
            raise DataError(
                f"{_rows(nameless['row'])} {'has' if len(nameless) == 1 else 'have'} a value but no {column}",
                expected=f"a {column} for each value",
                todo="fill it in, or exclude these rows with a reason; the other rows can then be compared",
            )
    if unit is None:
        return
    homes = kept.drop_duplicates(["unit", "group"])
    twice = homes[homes.duplicated("unit", keep=False)]
    if len(twice):
        first, *others = dict.fromkeys(twice["unit"])
        more = f", and {len(others)} more in two groups" if others else ""
        raise DataError(
            f"{unit} {first!r} stands in groups {join(twice.loc[twice['unit'] == first, 'group'])}{more}",
            expected=f"each {unit} in one group",
            todo=f"correct the table, or name the {unit}s apart; as it stands, {rest(twice['group'])}",
        )
    if nested:
        doubled = table.iloc[kept.index].duplicated(keep=False).to_numpy()
        if doubled.any():
            raise DataError(
                f"{_rows(kept['row'][doubled])} are the same in every column",
                expected="each measurement once",
                todo=f"remove the copies; without these groups, {rest(kept['group'][doubled])}",
            )


def _identical_rows(table: pd.DataFrame, kept: pd.DataFrame) -> list[str]:
    """Without the name of the sub-unit two equal rows may be two slices, so this is said and not refused."""
    doubled = table.iloc[kept.index].duplicated(keep=False).to_numpy()
    if not doubled.any():
        return []
    return [
        f"{_rows(kept['row'][doubled])} are the same in every column: if one was entered twice, remove it."
    ]


def _lost_groups(names: Sequence[str], kept: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    present, seen = set(kept["group"]), set(rows["group"])
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
            f"the dose of {join(map(repr, negative))} is negative or infinite", expected="doses of 0 or more"
        )
    return doses


def _mean(values: pd.Series) -> float:
    return math.fsum(values) / len(values)


def _rows(labels: pd.Index | pd.Series, *, most: int = 5) -> str:
    """Index labels of rows as a sentence names them."""
    said = [str(x) for x in labels]
    shown = join(said) if len(said) <= most else f"{', '.join(said[:most])} and {len(said) - most} more"
    return f"row {shown}" if len(said) == 1 else f"rows {shown}"

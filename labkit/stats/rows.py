"""Rows of a tidy table that count, with names as text and values as numbers, and why others are left out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError
from labkit.stats.validate import join, still

__all__ = [
    "Rows",
    "label",
    "labels",
    "level_order",
    "numbers",
    "read_rows",
    "refuse_columns",
    "refuse_rows",
    "rows_named",
]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that count and rows that do not.

    Attributes
    ----------
    kept, dropped
        ``row`` (the index label), ``group, unit, value``, ``level X`` of nested, ``factor X`` and
        ``covariate X`` columns, ``dose``; `kept` is indexed by position in the table, `dropped` has the
        ``reason`` in words.
    names
        Groups in order, also those without values.
    ordered
        Whether that order means something (given, categorical, by dose or numeric), or is that of the rows.
    """

    kept: pd.DataFrame
    dropped: pd.DataFrame
    names: list[str]
    ordered: bool


def read_rows(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    unit: str | None,
    nested: Sequence[str] = (),
    factors: Sequence[str] = (),
    covariates: Sequence[str] = (),
    dose: str | None = None,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
    arguments: Mapping[str, Sequence[str | None]] | None = None,
) -> Rows:
    """Clean a table and refuse what no comparison can use; parameters as `experimental_units`.

    Parameters
    ----------
    factors
        Columns of names that each row must have.
    arguments
        What refusals call the columns, by argument; by default the names used here.
    """
    wanted = {"value": [value], "group": [group], "unit": [unit], "dose": [dose], "nested": list(nested)}
    wanted |= {"factor": list(factors), "covariate": list(covariates)} | dict(arguments or {})
    refuse_columns(table, wanted)
    rows = pd.DataFrame(index=range(len(table)))
    rows["row"] = table.index
    rows["group"] = labels(table[group])
    rows["unit"] = labels(table[unit]) if unit else [str(i) for i in rows.index]
    rows["value"] = numbers(table[value], value)
    for kind, names in (("level", nested), ("factor", factors)):
        for name in names:
            rows[f"{kind} {name}"] = labels(table[name])
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
        said = pd.Series(labels(table[excluded]), index=rows.index, dtype=object)
        reason = said.where(said != "", reason)
    dropped = rows[reason != ""].assign(reason=reason[reason != ""])
    kept = rows[reason == ""]
    refuse_rows(table, kept, group=group, unit=unit, nested=nested, factors=factors)
    return Rows(kept, dropped, names, ordered)


def refuse_columns(table: pd.DataFrame, wanted: Mapping[str, Sequence[str | None]]) -> None:
    """Refuse names that are no columns of the table; `wanted` holds them by argument."""
    for argument, names in wanted.items():
        for name in names:
            if name is not None and name not in table.columns:
                alone = ", or unit=None if every row is an independent unit" if argument == "unit" else ""
                raise DataError(
                    f"the table has no column {name!r}",
                    expected=f"one of its columns: {join(map(str, table.columns), word='or')}",
                    todo=f"name the column of the {argument.replace('nested', 'nested level')}{alone}",
                )
            if name is not None and isinstance(table[name], pd.DataFrame):
                raise DataError(
                    f"the table has {table[name].shape[1]} columns {name!r}",
                    expected="each column once",
                    todo="rename or remove all but one",
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


def labels(column: pd.Series) -> NDArray[np.object_]:
    """Names as text, each made once."""
    codes, distinct = pd.factorize(column)
    return np.array([*(label(x) for x in distinct), ""], dtype=object)[codes]


def numbers(column: pd.Series, name: str) -> NDArray[np.float64]:
    """A column as floats, NaN where nothing is; text that is no number is refused."""
    column = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
    if pd.api.types.is_complex_dtype(column.dtype):
        raise DataError(f"column {name!r} holds complex numbers", expected="real numbers")
    found = pd.to_numeric(column, errors="coerce")
    text = ~column.isna() & (column.astype(str).str.strip() != "") & found.isna()
    if text.any():
        raise DataError(
            f"column {name!r} holds {column[text].iloc[0]!r} in {rows_named(column.index[text])}",
            expected="numbers, or nothing where none was measured",
            todo="mend these cells; the other rows can then be compared",
        )
    return found.to_numpy(dtype=float, na_value=np.nan)


def group_order(column: pd.Series, rows: pd.DataFrame, order: Sequence[str] | None) -> tuple[list[str], bool]:
    """Names of the groups in order, and whether that order means something."""
    found = [name for name in rows["group"].unique() if name]
    if order is not None:
        names = [label(name) for name in order]
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise DataError(
                f"order names {join(map(repr, twice))} more than once", expected="each group once"
            )
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


def level_order(column: pd.Series, found: pd.Series) -> list[str]:
    """Levels of a factor in order: that of an ordered Categorical, of their numbers, or of the rows.

    >>> level_order(pd.Series([10, 2, 10]), pd.Series(["10", "2", "10"]))
    ['2', '10']
    """
    present = found.unique().tolist()
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        return [name for name in _categories(column) if name in present]
    return sorted(present, key=float) if pd.api.types.is_numeric_dtype(column) else present


def _categories(column: pd.Series) -> list[str]:
    return [label(x) for x in column.cat.categories] if isinstance(column.dtype, pd.CategoricalDtype) else []


def refuse_rows(
    table: pd.DataFrame,
    kept: pd.DataFrame,
    *,
    group: str,
    unit: str | None,
    nested: Sequence[str],
    factors: Sequence[str] = (),
) -> None:
    """Refuse values that are infinite, rows without a name, units in two groups, and rows entered twice."""
    every = kept["group"].unique()

    def rest(bad: pd.Series) -> str:
        return still([name for name in every if name and name not in set(bad)])

    infinite = kept[np.isinf(kept.filter(regex="^(value|covariate .*)$")).any(axis=1)]
    if len(infinite):
        what = "the value" if np.isinf(infinite["value"]).any() else "a covariate"
        raise DataError(
            f"{what} is infinite in {rows_named(infinite['row'])} ({join(dict.fromkeys(infinite['group']))})",
            expected="finite numbers",
            todo="mend the measurement, or exclude these rows with a reason; "
            f"without these groups, {rest(infinite['group'])}",
        )
    named = {"group": group, "unit": unit, **{f"level {name}": name for name in nested}}
    named |= {f"factor {name}": name for name in factors}
    for what, column in named.items():
        nameless = kept[kept[what] == ""]
        if len(nameless):
            have = "has" if len(nameless) == 1 else "have"
            raise DataError(
                f"{rows_named(nameless['row'])} {have} a value but no {column}",
                expected=f"{'an' if column[:1].lower() in 'aeiou' else 'a'} {column} for each value",
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
                f"{rows_named(kept['row'][doubled])} are the same in every column",
                expected="each measurement once",
                todo=f"remove the copies; without these groups, {rest(kept['group'][doubled])}",
            )


def rows_named(labels: pd.Index | pd.Series, *, most: int = 5) -> str:
    """Index labels of rows as a sentence names them."""
    said = [str(x) for x in labels]
    shown = join(said) if len(said) <= most else f"{', '.join(said[:most])} and {len(said) - most} more"
    return f"row {shown}" if len(said) == 1 else f"rows {shown}"

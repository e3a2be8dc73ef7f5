"""The membrane as a block: whether each has every group, % of control to look at, and a division to refuse.

These take the table of ratios with the group of each animal joined to it, so they belong where a study is no
longer blind.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from labkit.blots.membrane import listed
from labkit.errors import DataError

__all__ = ["balance", "percent_of_control", "refuse_own_control"]

# What a control is set to by those who divide by it; 0 on a logarithmic scale.
_CONSTANTS = (1.0, 100.0, 0.0)


def balance(
    table: pd.DataFrame, *, group: str = "group", membrane: str = "membrane", value: str = "log_ratio"
) -> pd.DataFrame:
    """How many animals of each group every membrane has, and what a block for it costs.

    Groups are compared within membranes. A membrane without a group says nothing of that group; two groups
    that no chain of membranes joins cannot be compared at all.

    Parameters
    ----------
    table
        The table of `labkit.blots.ratios` with the group of each animal.
    group, membrane, value
        Names of columns. Rows without a value, and excluded ones, do not count.

    Returns
    -------
    DataFrame
        One row per endpoint and membrane: ``endpoint`` (where the table has it), the membrane, one column per
        group with the number of animals, and ``flags``.

    Raises
    ------
    DataError
        If columns are missing or an animal has no group.

    Examples
    --------
    >>> table = pd.DataFrame({"animal": list("abcd"), "membrane": ["M1", "M1", "M1", "M2"],
    ...     "group": ["vehicle", "dose", "dose", "dose"], "log_ratio": [0.0, 0.1, 0.2, 0.3]})
    >>> cells = balance(table)
    >>> cells[["membrane", "dose", "vehicle"]]
      membrane  dose  vehicle
    0       M1     2        1
    1       M2     1        0
    >>> cells["flags"].tolist()
    ['', 'no vehicle; only one group, which says nothing']
    """
    _need(table, group, membrane, value)
    groups = _groups(table[group])
    parts = []
    for endpoint, own in _endpoints(table):
        counted = own[_counts(own, value)]
        cells = pd.crosstab(counted[membrane], counted[group].astype(str)).reindex(
            index=sorted(own[membrane].unique()), columns=groups, fill_value=0
        )
        part = cells.rename_axis(index=membrane, columns=None).reset_index()
        part["flags"] = _told(cells)
        if endpoint is not None:
            part.insert(0, "endpoint", endpoint)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def percent_of_control(
    table: pd.DataFrame,
    *,
    control: str,
    group: str = "group",
    membrane: str = "membrane",
    value: str = "log_ratio",
) -> pd.DataFrame:
    """% of control, to look at and never to test.

    ``log_ratio = group + membrane + error`` is fitted by least squares; the effect of its membrane is taken
    from each value, and the mean of the control's adjusted logs, ONE constant for the whole endpoint, is 100
    %. The control keeps its spread between animals (dividing each membrane by its own control would leave
    none) and its geometric mean is 100. The adjusted values have lost a degree of freedom for each membrane,
    which a test of them would not know: test ``log_ratio`` with the membrane as block.

    Parameters
    ----------
    table
        The table of `labkit.blots.ratios` with the group of each animal.
    control
        Name of the control group.
    group, membrane, value
        Names of columns.

    Returns
    -------
    DataFrame
        The table with ``percent_of_control``, NaN for rows without a value and for rows excluded by a person,
        which take no part in the fit.

    Raises
    ------
    DataError
        If columns are missing, an endpoint has no control animals, or no chain of membranes joins its groups.

    Examples
    --------
    >>> table = pd.DataFrame({"membrane": ["M1", "M1", "M2", "M2"], "group": ["vehicle", "dose"] * 2,
    ...     "log_ratio": np.log([1.0, 2.0, 4.0, 8.0])})
    >>> percent_of_control(table, control="vehicle")["percent_of_control"].round(6).tolist()
    [100.0, 200.0, 100.0, 200.0]
    """
    _need(table, group, membrane, value)
    percent = pd.Series(np.nan, index=pd.RangeIndex(len(table)))
    rows = table.reset_index(drop=True)
    for endpoint, own in _endpoints(rows):
        used = own[_counts(own, value)]
        of = f" of {endpoint}" if endpoint is not None else ""
        is_control = (used[group].astype(str) == str(control)).to_numpy()
        if not is_control.any():
            raise DataError(
                f"no ratio{of} belongs to the control group {control!r}",
                expected=f"one of {listed(_groups(table[group]))}",
            )
        adjusted = _adjusted(used, value, group, membrane, of)
        percent[used.index] = 100 * np.exp(adjusted - adjusted[is_control].mean())
    return table.assign(percent_of_control=percent.to_numpy())


def refuse_own_control(table: pd.DataFrame, value: str, *, group: str, membrane: str, control: str) -> None:
    """Refuse values of which each membrane was divided by its own control lanes.

    On every membrane the mean of the control is then the same to the last digit, mostly 1 or 100 or, of logs,
    0: no measured control does that. With one control lane on each membrane the control has no spread left;
    the F test then trusts it as if it were known, and a t test of a group against 1 has 9 to 15 % false
    positives where a membrane has several control lanes. A single membrane divided by one constant is not
    refused.

    Parameters
    ----------
    table
        Tidy table of one endpoint.
    value, group, membrane
        Names of columns.
    control
        Name of the control group.

    Raises
    ------
    DataError
        If the control has the same arithmetic, or geometric, mean on every membrane.

    Notes
    -----
    Means are held against 1, 100 and 0 with the error that rounding in a sheet leaves, and
    against each other, whatever their number, with that of double precision.

    Examples
    --------
    >>> table = pd.DataFrame({"membrane": ["M1", "M1", "M2", "M2"], "group": ["vehicle", "dose"] * 2,
    ...     "ratio": [1.0, 1.4, 1.0, 1.7]})
    >>> refuse_own_control(table, "ratio", group="group", membrane="membrane", control="vehicle")
    Traceback (most recent call last):
    labkit.errors.DataError: on each of 2 membranes the mean ratio of vehicle is 1, ...
    """
    _need(table, group, membrane, value)
    own = table[(table[group].astype(str) == str(control)) & table[value].notna()]
    if own[membrane].nunique() < 2:
        return
    values = own[value].to_numpy(float)
    means = [own.groupby(membrane)[value].mean().to_numpy(float)]
    if (values > 0).all():
        means.append(np.exp(np.log(own[value]).groupby(own[membrane]).mean().to_numpy(float)))
    for each in means:
        scale = max(float(np.abs(values).max()), 1e-300)
        alike = np.ptp(each) <= 1e-9 * scale
        # The mean of values rounded to a step is off by half a step at most.
        rounding = max(min(0.5 * _step(values), 0.01 * scale), 1e-9 * scale)
        near = [c for c in _CONSTANTS if (np.abs(each - c) <= rounding).all()]
        if alike or near:
            constant = near[0] if near else float(each[0])
            single = (own.groupby(membrane).size() == 1).all()
            harm = "no spread is left" if single else "the error of their own mean is lost"
            raise DataError(
                f"on each of {len(each)} membranes the mean {value} of {control} is {constant:g}, as when "
                f"each was divided by its own {control} lanes: {harm} to them",
                expected="ratios to the loading control alone",
                todo="compare log_ratio with the membrane as block, and show % of control by "
                "percent_of_control",
            )


def _step(values: np.ndarray) -> float:
    """Step to which the values were rounded; 0 when they bear more than 6 decimals."""
    for decimals in range(7):
        if np.allclose(values, np.round(values, decimals), rtol=0, atol=1e-12):
            return 10.0**-decimals
    return 0.0


def _adjusted(used: pd.DataFrame, value: str, group: str, membrane: str, of: str) -> np.ndarray:
    """Values less the effect of their membrane, fitted beside the group."""
    cells = pd.crosstab(used[membrane], used[group].astype(str))
    apart = _components(cells)
    if len(apart) > 1:
        raise DataError(
            f"the groups{of} share no membrane: {' and '.join(listed(part) for part in apart)}",
            expected="membranes that hold several groups, with the control among them",
            todo="repeat the samples on a membrane that has both, or leave these groups out",
        )
    blocks = pd.get_dummies(used[membrane], dtype=float).to_numpy()
    groups = pd.get_dummies(used[group].astype(str), dtype=float).to_numpy()[:, 1:]
    y = used[value].to_numpy(float)
    effects = np.linalg.lstsq(np.hstack([blocks, groups]), y, rcond=None)[0]
    return y - blocks @ effects[: blocks.shape[1]]


def _components(cells: pd.DataFrame) -> list[list[str]]:
    """Groups that membranes join, directly or through other groups."""
    parts: list[set[str]] = []
    for _, row in cells.iterrows():
        here = set(row.index[row > 0])
        joined = [part for part in parts if part & here]
        parts = [part for part in parts if part not in joined] + [here.union(*joined)]
    order = list(cells.columns)
    return sorted((sorted(part, key=order.index) for part in parts if part), key=lambda p: order.index(p[0]))


def _told(cells: pd.DataFrame) -> list[str]:
    """Flags of each membrane."""
    apart = _components(cells)
    told = []
    for _, row in cells.iterrows():
        there = list(row.index[row > 0])
        words = [f"no {name}" for name in row.index[row == 0]]
        if not there:
            words = ["no ratio at all"]
        elif len(there) == 1 and len(cells) > 1:
            words.append("only one group, which says nothing")
        if len(apart) > 1 and there:
            here = next(part for part in apart if there[0] in part)
            others = [name for part in apart if part is not here for name in part]
            words.append(f"{listed(here)} cannot be compared with {listed(others)}: no membrane joins them")
        told.append("; ".join(words))
    return told


def _groups(column: pd.Series) -> list[str]:
    """Groups in the order of the study, where the column has one."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [str(name) for name in column.cat.categories if (column == name).any()]
    return sorted(column.astype(str).unique())


def _endpoints(table: pd.DataFrame) -> list[tuple[str | None, pd.DataFrame]]:
    if "endpoint" not in table:
        return [(None, table)]
    return [(str(name), own) for name, own in table.groupby("endpoint", sort=False)]


def _counts(table: pd.DataFrame, value: str) -> pd.Series:
    known = table[value].notna()
    return known & (table["excluded"].fillna("") == "") if "excluded" in table else known


def _need(table: pd.DataFrame, group: str, membrane: str, value: str) -> None:
    for name in (value, group, membrane):
        if name not in table:
            raise DataError(
                f"the table has no column {name}", expected="ratios with the group of each animal"
            )
    if table.empty:
        raise DataError("the table of ratios is empty", expected="a row for each animal")
    if table[group].isna().any():
        who = f" ({listed(table.loc[table[group].isna(), 'animal'])})" if "animal" in table else ""
        raise DataError(f"some rows have no group{who}", expected="the group of every animal")

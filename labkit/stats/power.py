"""How many animals the next experiment needs, and what more slices of each would buy instead.

Sub-units are averaged to their unit before a test, so they enter through the variance of the mean of a unit,
``s_animal² + s_slice² / m + ...``: more slices lower the second part alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from labkit.errors import DataError
from labkit.stats.comparison import Comparison
from labkit.stats.planned import Plan, Power

__all__ = ["detectable", "power", "power_table", "sample_size", "variance_components"]


def power(
    n: int | Mapping[str, int],
    *,
    means: Mapping[str, float],
    sd: float | Mapping[str, float],
    subunits: Mapping[str, float] | None = None,
    test: str = "dunnett",
    finding: str = "any",
    control: str | None = None,
    doses: Mapping[str, float] | None = None,
    per_block: int | None = None,
    scale: str = "linear",
    alpha: float = 0.05,
) -> Power:
    """Chance that an experiment of given size gives P < alpha, if the means are as supposed.

    Parameters
    ----------
    n
        Units (animals) per group: one number for all, or by group.
    means
        Supposed mean of each group, in order, the control first. What matters are differences worth finding,
        not those that the last experiment happened to show: power at the observed effect only repeats its P.
    sd
        SD between units; or by level from the outermost, such as ``{"animal": 15.0, "slice": 10.0}``, as
        `variance_components` takes from a comparison. With blocks, that within a block.
    subunits
        Number of each inner level in the one around it, such as ``{"slice": 2}``. Where numbers will vary,
        their harmonic mean is exact for the mean variance of units.
    test
        "anova" (any difference; noncentral F), "dunnett" (each group against control; quadrature over the
        shared control and the shared SD), or "trend" (linear over dose; noncentral t).
    finding
        For Dunnett's test: "any" of the groups that differ, "all" of them, or the name of one group.
    control
        Name of the control; the first group if not given.
    doses
        Dose of each group, for the trend.
    per_block
        Units of each group in a block (lanes of each group on a membrane): blocks are complete then, their
        variance drops out, and each costs one degree of freedom.
    scale
        "log" for ratios: `means` are geometric means or folds of control, `sd` is of natural logs.

    Returns
    -------
    Power

    Raises
    ------
    DataError
        For a design that cannot be tested, or arguments that do not fit each other.

    Examples
    --------
    >>> means = {"vehicle": 130.0, "low": 140.0, "high": 155.0}
    >>> round(power(8, means=means, sd=16.0, test="anova").power, 3)
    0.748
    >>> found = power(8, means=means, sd={"animal": 12.0, "slice": 15.0}, subunits={"slice": 2})
    >>> round(found.unit_sd, 2), round(found.power, 3)
    (16.02, 0.773)
    """
    design = Plan.of(
        n, means=means, sd=sd, subunits=subunits, test=test, finding=finding, control=control, doses=doses,
        per_block=per_block, scale=scale, alpha=alpha,
    )  # fmt: skip
    return design.result()


def sample_size(*, power: float = 0.8, most: int = 1000, **design: Any) -> Power:
    """The fewest units per group with which `power` is reached.

    Parameters
    ----------
    power
        Wanted.
    most
        Units per group at which the search ends.
    design
        Arguments of `labkit.stats.power` but for n.

    Returns
    -------
    Power
        At that n, so usually a little above what was wanted.

    Raises
    ------
    DataError
        As `labkit.stats.power`; also when `most` units do not suffice.

    Examples
    --------
    >>> found = sample_size(means={"vehicle": 130.0, "low": 140.0, "high": 155.0}, sd=16.0, test="anova")
    >>> found.n["vehicle"], round(found.power, 3)
    (9, 0.807)
    """
    if not 0 < power < 1:
        raise DataError(f"power is {power}", expected="a number between 0 and 1, such as 0.8")
    step = design.get("per_block") or 1
    first = Plan.of(step, checked=False, **design)
    if first.alpha >= power:
        raise DataError(f"power is {power} at alpha {first.alpha}", expected="a power above alpha")
    low = 0
    # Twice as many until enough, then halved: power rises with n.
    high = 1
    while not _reaches(first, high * step, power):
        low, high = high, 2 * high
        if low * step >= most:
            found = f"{most} units per group"
            raise DataError(
                f"{found} do not reach a power of {power:g}",
                expected="means that differ by enough beside sd",
                todo="look at means and sd, which are in one unit, or raise most",
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _reaches(first, middle * step, power) else (middle, high)
    return first.with_n(high * step).result()


def power_table(n: Sequence[int], *, subunits: Mapping[str, Sequence[float]], **design: Any) -> pd.DataFrame:
    """What more units buy, and what more sub-units of each: power at every pair of numbers.

    Parameters
    ----------
    n
        Numbers of units per group.
    subunits
        Numbers of one inner level, such as ``{"slice": (1, 2, 4)}``; other inner levels by a single number.
    design
        Further arguments of `labkit.stats.power`.

    Returns
    -------
    DataFrame
        Power, indexed by n with a column for each number of sub-units.

    Examples
    --------
    >>> plan = {"means": {"vehicle": 130.0, "drug": 150.0}, "sd": {"animal": 12.0, "slice": 15.0}}
    >>> power_table((5, 10), subunits={"slice": (1, 4)}, **plan).round(2).to_dict("index")
    {5: {1: 0.31, 4: 0.5}, 10: {1: 0.6, 4: 0.85}}
    """
    varied = [level for level, numbers in subunits.items() if np.ndim(numbers) > 0]
    if len(varied) != 1:
        raise DataError(
            f"{len(varied)} inner levels have several numbers", expected="one, such as {'slice': (1, 2, 4)}"
        )
    level, fixed = varied[0], {name: m for name, m in subunits.items() if name != varied[0]}
    cells = {
        m: [power(units, subunits={**fixed, level: m}, **design) for units in n] for m in subunits[level]
    }
    table = pd.DataFrame({m: [cell.power for cell in column] for m, column in cells.items()}, index=list(n))
    return table.rename_axis(index=next(iter(cells.values()))[0].unit, columns=level)


def detectable(n: int, *, groups: Sequence[str], power: float = 0.8, **design: Any) -> float:
    """The difference of one group from all others, which are alike, that is found with `power`.

    Parameters
    ----------
    n
        Units per group.
    groups
        Names in order, the control first; it is the last that differs.
    design
        Further arguments of `labkit.stats.power`.

    Returns
    -------
    float
        In the unit of sd; a ratio on a log scale.

    Examples
    --------
    >>> round(detectable(20, groups=("vehicle", "drug"), sd=1.0), 3)
    0.909
    """
    scale = design.get("scale", "linear")
    start = 1.0 if scale == "log" else 0.0

    def at(size: float) -> Power:
        moved = float(np.exp(size)) if scale == "log" else size
        means = {**dict.fromkeys(groups, start), groups[-1]: moved}
        return Plan.of(n, means=means, **design).result()

    one = at(1.0).unit_sd
    size = float(optimize.brentq(lambda d: at(d * one).power - power, 1e-6, 100.0, xtol=1e-10)) * one
    return float(np.exp(size)) if scale == "log" else size


def variance_components(comparison: Comparison, *, upper: float | None = None) -> dict[str, float]:
    """SD by level of a comparison, as `power` takes them: of its mixed model, else between units alone.

    Parameters
    ----------
    comparison
        With sub-units (`nested`) for more than one level.
    upper
        Confidence of an upper limit in place of the estimate, such as 0.8: an SD from few animals is as
        likely too low as too high, and an experiment planned on it too small in half of all cases. All levels
        are raised by the factor of the units' SD.

    Returns
    -------
    dict
        From the outermost level; of natural logs when the comparison is.

    Examples
    --------
    >>> from labkit.stats.compare import compare
    >>> table = pd.DataFrame({"animal": list("abcdef"), "group": ["vehicle"] * 3 + ["drug"] * 3})
    >>> table["ltp"] = [120.0, 130.0, 140.0, 150.0, 160.0, 170.0]
    >>> variance_components(compare(table, "ltp", group="group", order=["vehicle", "drug"]))
    {'animal': 10.0}
    """
    unit = comparison.unit or "unit"
    df = comparison.omnibus.df[-1] if comparison.omnibus.symbol == "F" else np.nan
    if comparison.adjusted is not None:
        found = {unit: comparison.adjusted.residual_sd}
    else:
        df = float(len(comparison.units) - len(comparison.groups))
        found = {unit: float(np.sqrt((comparison.units["residual"] ** 2).sum() / df))}
    mixed = comparison.mixed
    if mixed is not None and comparison.nested and unit in mixed.random:
        levels = [level for level in mixed.random if level != comparison.block]
        inner = [level for level in comparison.nested if level not in levels]
        names = {**{level: level for level in levels}, "residual": inner[0] if inner else "value"}
        found = {names[level]: float(mixed.variance.loc[level, "sd"]) for level in (*levels, "residual")}
    if upper is not None:
        if not 0 < upper < 1:
            raise DataError(f"upper is {upper}", expected="a confidence between 0 and 1, such as 0.8")
        raised = float(np.sqrt(df / stats.chi2.ppf(1 - upper, df)))
        found = {level: sd * raised for level, sd in found.items()}
    return found


def _reaches(design: Plan, n: int, power: float) -> bool:
    at = design.with_n(n)
    return at.df >= 1 and at.result().power >= power

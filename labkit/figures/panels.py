"""The panels that papers of the field show; each takes tables and axes, draws, and gives the axes back.

Points are shown wherever there are few enough to see. Every panel says in its own text what n counts and
what its bars are.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from labkit.columns import axis_label
from labkit.errors import DataError
from labkit.figures import marks, style
from labkit.figures.courses import (
    ERRORS,
    Error,
    animal_courses,
    counts,
    group_courses,
    half_width,
    need,
    subunit_column,
)

if TYPE_CHECKING:
    from labkit.stats import Comparison

__all__ = ["dose_superplot", "fold_plot", "time_course"]


def time_course(
    ax: Axes,
    table: pd.DataFrame,
    *,
    value: str = "percent_of_baseline",
    group: str = "group",
    unit: str = "animal",
    subunit: str | None = None,
    groups: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    bin_min: float = 2.0,
    error: Error = "ci",
    induction: str = "HFS",
    baseline_min: tuple[float, float] | None = None,
    post_min: tuple[float, float] | None = None,
) -> Axes:
    """Draw the time course of each group: mean of its animals with a band, arrow at induction, line at 100 %.

    Parameters
    ----------
    ax
        Where to draw.
    table
        One row per response: `group`, `unit`, ``time_min`` (0 is induction), `value`, and a column for slices
        (`subunit`; by default ``recording``, ``slice`` or ``code``). One pathway only.
    groups, labels, colours
        Order (control first; by default that of the categories), names to print, and colours of groups.
    bin_min
        Responses of a slice are averaged in bins of this many minutes.
    error
        What the band is: ``"ci"`` (95 % confidence interval of the mean), ``"sd"`` or ``"sem"``; the legend
        says it.
    induction
        Text at the arrow; '' for none.
    baseline_min, post_min
        Spans of time to shade, in minutes from induction: those that the summary was made from.

    Raises
    ------
    DataError
        If a column is missing or nothing is left to draw.
    """
    subunit = subunit_column(table, subunit)
    courses = animal_courses(table, value=value, group=group, unit=unit, subunit=subunit, bin_min=bin_min)
    means = group_courses(courses, value=value, group=group, error=error)
    order = _order(courses, group, groups)
    colours = dict(style.group_colours(order)) | dict(colours or {})
    measured = table[table[value].notna()]
    names = []
    for i, name in enumerate(order):
        line = _with_gaps(means[means[group].astype(str) == name], bin_min)
        n = counts(measured[measured[group].astype(str) == name], unit, subunit)
        names.append(
            textwrap.fill(
                f"{_label(name, labels)}, " + f"n = {n}".replace(" ", "\u00a0"), 34, break_long_words=False
            )
        )
        ax.fill_between(
            line["time_min"], line["low"], line["high"], color=colours[name], alpha=0.22, linewidth=0
        )
        ax.plot(line["time_min"], line["mean"], color=colours[name],
                marker=style.MARKERS[i % len(style.MARKERS)], markersize=2.4, markeredgewidth=0,
                label=names[-1])  # fmt: skip
    drawn = means[means[group].astype(str).isin(order)]
    reference = 100.0 if value in marks.PERCENTS else np.nan
    marks.frame_y(ax, np.append(drawn[["mean", "low", "high"]].to_numpy(), reference))
    if value in marks.PERCENTS:
        marks.reference_line(ax, reference)
    for span, text in ((baseline_min, "baseline"), (post_min, "compared")):
        if span:
            marks.shade(ax, span, text)
    arrow = induction != "" and drawn["time_min"].min() < 0 < drawn["time_min"].max()
    if arrow:
        marks.arrow(ax, 0, induction)
    ax.set_xlabel(axis_label("time_min"))
    ax.set_ylabel(marks.axis_text(value))
    title = f"mean ± {ERRORS[error]}; n = {_counted(unit, subunit)}"
    marks.legend_above(ax, names, title=title, up_pt=marks.ARROW_PT if arrow else 0)
    return ax


def dose_superplot(
    ax: Axes,
    units: pd.DataFrame | None = None,
    subunits: pd.DataFrame | None = None,
    comparison: Comparison | None = None,
    *,
    value: str | None = None,
    group: str = "group",
    unit: str = "animal",
    subunit: str = "slice",
    groups: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    error: Error = "ci",
) -> Axes:
    """Draw animals as large points, their slices as small ones, and each group's mean with its bar.

    Parameters
    ----------
    ax
        Where to draw.
    units
        One row per animal: `group`, `unit`, `value`; by default the units that were compared.
    subunits
        One row per slice with `unit` and `value`; None when there is nothing below the animal. Values
        without a row in `units` are not drawn.
    comparison
        Its `posthoc` table gives the exact P of each group against control, drawn as brackets (in one row if
        there are more than four); nothing is computed here.
    value
        Endpoint, by default the one compared; the label of the axis comes from the declared columns.
    groups, labels, colours
        Order (control first; by default that of the categories), names to print, and colours of groups.
    error
        What the bar beside the points is: ``"ci"``, ``"sd"`` or ``"sem"``; the x label says it.

    Raises
    ------
    DataError
        If a column is missing, nothing is left to draw, or an animal has two rows in `units`.
    """
    if comparison is not None:
        value = value or comparison.value
        units = comparison.units if units is None else units
        groups = list(comparison.groups.index) if groups is None else groups
    value = value or "potentiation_percent"
    if units is None:
        raise DataError("there is neither a table nor a comparison to draw", expected="one row per " + unit)
    need(units, [group, unit, value])
    units = units.dropna(subset=[value])
    twice = units.loc[units[unit].duplicated(), unit]
    if len(twice):
        raise DataError(
            f"{unit} {twice.iloc[0]!r} has two rows",
            expected=f"one row per {unit}",
            todo="average within it first",
        )
    order = _order(units, group, groups)
    colours = dict(style.group_colours(order)) | dict(colours or {})
    small = None
    if subunits is not None:
        need(subunits, [unit, value])
        small = subunits[subunits[value].notna() & subunits[unit].isin(units[unit])]

    spread = units.groupby(units[group].astype(str))[value].agg(["mean", "std", "size"]).reindex(order)
    half = half_width(spread["std"], spread["size"], error).fillna(0.0)
    reference = [100.0] if value in marks.PERCENTS else []
    parts = [
        units[value],
        spread["mean"] - half,
        spread["mean"] + half,
        reference,
        [] if small is None else small[value],
    ]
    ax.set_xlim(-0.5, len(order) - 0.3)
    marks.frame_y(ax, np.concatenate([np.asarray(part, float) for part in parts]))
    for at in reference:
        marks.reference_line(ax, at)

    wide, high = marks.points_per_unit(ax)
    room = 0.56 * wide * high * float(np.ptp(ax.get_ylim()))
    point = float(np.clip(np.sqrt(0.35 * room / spread["size"].max()), 2.5, 5.0))  # diameter in points
    ticks = []
    for x, name in enumerate(order):
        own = units[units[group].astype(str) == name]
        offset = marks.swarm(own[value].to_numpy(float), point / wide, point / high, 0.28)
        across = dict(zip(own[unit], x + offset, strict=True))
        if small is not None:
            below = small[small[unit].isin(own[unit])]
            ends = below.groupby(unit, sort=False, observed=True)[value].agg(["min", "max"])
            look = {"color": colours[name], "alpha": 0.6, "zorder": 2}
            ax.vlines([across[key] for key in ends.index], ends["min"], ends["max"], linewidth=0.4, **look)
            ax.scatter(
                [across[key] for key in below[unit]], below[value], s=(0.45 * point) ** 2, linewidth=0, **look
            )
        ax.scatter(
            across.values(),
            own[value],
            s=point**2,
            color=colours[name],
            edgecolor="white",
            linewidth=0.4,
            zorder=3,
        )
        ax.errorbar(x + 0.41, spread.loc[name, "mean"], half[name], color="black", marker="_", markersize=5,
                    markeredgewidth=0.9, capsize=1.5, elinewidth=0.8, capthick=0.8, zorder=4)  # fmt: skip
        n = f"{len(own)}" if small is None else f"{len(own)} ({len(below)})"
        ticks.append((_label(name, labels), n))
    marks.group_ticks(ax, ticks)
    ax.set_ylabel(marks.axis_text(value))
    counted = _counted(unit, None if small is None else subunit)
    ax.set_xlabel(f"bars: mean, {ERRORS[error]}; n = {counted}", fontsize=marks.small_pt())
    if comparison is not None:
        marks.against_control(ax, order, str(comparison.control), _p_values(comparison, order))
    return ax


def fold_plot(
    ax: Axes,
    comparison: Comparison,
    *,
    title: str = "",
    labels: Mapping[str, str] | None = None,
    error: Error = "ci",
) -> Axes:
    """Draw an endpoint that was compared as logarithms: each animal as fold of the control, on a log axis.

    Blocks and covariates are taken out, and one constant, the control's mean, is the fold of 1, so that the
    control keeps its spread. Bars are the geometric mean with its interval.

    Parameters
    ----------
    ax, comparison
        Where to draw, and a comparison on scale "log" or "logged".
    title
        Name of the endpoint; by default its column.
    labels, error
        As for `dose_superplot`.

    Raises
    ------
    DataError
        If the comparison is not of logarithms.
    """
    if comparison.scale == "linear":
        raise DataError("the comparison is not of logarithms", todo="draw it with dose_superplot")
    value = "adjusted" if comparison.adjusted is not None else comparison.value
    centres = comparison.groups["adjusted_mean" if comparison.adjusted is not None else "mean"]
    units = comparison.units.assign(fold=comparison.units[value] - centres[comparison.control])
    shown = units[[comparison.group, str(comparison.unit), "fold"]]
    dose_superplot(
        ax, shown, None, comparison, value="fold", group=comparison.group, unit=str(comparison.unit),
        labels=labels, error=error,
    )  # fmt: skip
    marks.reference_line(ax, 0.0)
    marks.fold_axis(ax)
    control = _label(str(comparison.control), labels)
    ax.set_ylabel(f"{title or comparison.value} (fold of {control})")
    ax.set_xlabel(ax.get_xlabel().replace("mean", "geometric mean"), fontsize=marks.small_pt())
    return ax


def _order(table: pd.DataFrame, group: str, groups: Sequence[str] | None) -> list[str]:
    """Groups that have rows, in the order asked for, else in that of the categories."""
    present = table[group]
    if groups is None:
        known = isinstance(present.dtype, pd.CategoricalDtype)
        groups = list(present.cat.categories) if known else list(dict.fromkeys(present.dropna()))
    there = set(present.dropna().astype(str))
    order = [str(name) for name in groups if str(name) in there]
    if not order:
        raise DataError(
            "no row belongs to a group", expected=f"one of {', '.join(map(str, groups)) or 'the groups'}"
        )
    return order


def _with_gaps(line: pd.DataFrame, bin_min: float) -> pd.DataFrame:
    """The course on every bin from first to last, a missing bin being a gap, and a gap at induction."""
    start = line["time_min"].min()
    steps = np.round((line["time_min"] - start) / bin_min).astype(int)
    full = line.set_index(steps)[["mean", "low", "high"]].reindex(range(int(steps.max()) + 1))
    full = full.assign(time_min=start + bin_min * full.index.to_numpy())
    induction = pd.DataFrame({"mean": [np.nan], "low": [np.nan], "high": [np.nan], "time_min": [0.0]})
    return pd.concat([full[full["time_min"] < 0], induction, full[full["time_min"] > 0]], ignore_index=True)


def _label(name: str, labels: Mapping[str, str] | None) -> str:
    return str((labels or {}).get(name, name))


def _counted(unit: str, subunit: str | None) -> str:
    below = {"recording": "slices", "code": "slices"}.get(subunit or "", f"{subunit}s")
    return f"{unit}s ({below})" if subunit else f"{unit}s"


def _p_values(comparison: Comparison, order: Sequence[str]) -> dict[str, float]:
    """Adjusted P of each group against control, by name of the group; {} when no such test was made."""
    table, control = comparison.posthoc, str(comparison.control)
    pairs = zip(table["group"].astype(str), table["reference"].astype(str), table["p_adjusted"], strict=True)
    return {
        name: float(p) for name, other, p in pairs if other == control and name in order and control in order
    }

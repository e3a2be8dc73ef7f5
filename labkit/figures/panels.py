"""The panels that papers of the field show; each takes tables and axes, draws, and gives the axes back.

Points are shown wherever there are few enough to see. Every panel says in its own text what n counts and what its
bars are.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.columns import COLUMNS, axis_label
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

__all__ = ["dose_superplot", "mean_traces", "slice_grid", "time_course"]

TEST, CONTROL_PATHWAY, WARNING = "#0072B2", "#767676", "#A33B00"
TRACES = ("#767676", TEST, "#D55E00", "#009E73")
PERCENTS = ("percent_of_baseline", "potentiation_percent")  # of baseline: 100 is no change
MM_PER_POINT = 25.4 / 72


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
    """Draw the time course of each group: mean of its animals with a band, arrow at induction, dotted line at 100 %.

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
        What the band is: ``"ci"`` (95 % confidence interval of the mean), ``"sd"`` or ``"sem"``; the legend says it.
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
        names.append(textwrap.fill(f"{_label(name, labels)}, " + f"n = {n}".replace(" ", "\u00a0"), 34, break_long_words=False))
        ax.fill_between(line["time_min"], line["low"], line["high"], color=colours[name], alpha=0.22, linewidth=0)
        ax.plot(line["time_min"], line["mean"], color=colours[name], marker=style.MARKERS[i % len(style.MARKERS)],
                markersize=2.4, markeredgewidth=0, label=names[-1])  # fmt: skip
    drawn = means[means[group].astype(str).isin(order)]
    reference = 100.0 if value in PERCENTS else np.nan
    marks.frame_y(ax, np.append(drawn[["mean", "low", "high"]].to_numpy(), reference))
    if value in PERCENTS:
        marks.reference_line(ax, reference)
    for span, text in ((baseline_min, "baseline"), (post_min, "compared")):
        if span:
            marks.shade(ax, span, text)
    arrow = induction != "" and drawn["time_min"].min() < 0 < drawn["time_min"].max()
    if arrow:
        marks.arrow(ax, 0, induction)
    ax.set_xlabel(axis_label("time_min"))
    ax.set_ylabel(_y_text(value))
    title = f"mean ± {ERRORS[error]}; n = {_counted(unit, subunit)}"
    marks.legend_above(ax, names, title=title, up_pt=marks.ARROW_PT if arrow else 0)
    return ax


def dose_superplot(
    ax: Axes,
    units: pd.DataFrame,
    subunits: pd.DataFrame | None = None,
    comparison: Comparison | None = None,
    *,
    value: str = "potentiation_percent",
    group: str = "group",
    unit: str = "animal",
    subunit: str = "slice",
    groups: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    error: Error = "ci",
) -> Axes:
    """Draw animals as large points, their slices as small ones on the same line, and each group's mean with its bar.

    Parameters
    ----------
    ax
        Where to draw.
    units
        One row per animal: `group`, `unit`, `value`. These are the points that were compared.
    subunits
        One row per slice with `unit` and `value`; None when there is nothing below the animal. Values without a row
        in `units` are not drawn.
    comparison
        Its `posthoc` table gives the exact P of each group against control, drawn as brackets (in one row when there
        are more than four); nothing is computed here.
    value
        Endpoint; the label of the axis comes from the declared columns.
    groups, labels, colours
        Order (control first; by default that of the categories), names to print, and colours of groups.
    error
        What the bar beside the points is: ``"ci"``, ``"sd"`` or ``"sem"``; the x label says it.

    Raises
    ------
    DataError
        If a column is missing, nothing is left to draw, or an animal has two rows in `units`.
    """
    need(units, [group, unit, value])
    units = units.dropna(subset=[value])
    twice = units.loc[units[unit].duplicated(), unit]
    if len(twice):
        raise DataError(
            f"{unit} {twice.iloc[0]!r} has two rows", expected=f"one row per {unit}", todo="average within it first"
        )
    order = _order(units, group, groups)
    colours = dict(style.group_colours(order)) | dict(colours or {})
    small = None
    if subunits is not None:
        need(subunits, [unit, value])
        small = subunits[subunits[value].notna() & subunits[unit].isin(units[unit])]

    spread = units.groupby(units[group].astype(str))[value].agg(["mean", "std", "size"]).reindex(order)
    half = half_width(spread["std"], spread["size"], error).fillna(0.0)
    reference = [100.0] if value in PERCENTS else []
    parts = [units[value], spread["mean"] - half, spread["mean"] + half, reference, [] if small is None else small[value]]
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
            ax.scatter([across[key] for key in below[unit]], below[value], s=(0.45 * point) ** 2, linewidth=0, **look)
        ax.scatter(across.values(), own[value], s=point**2, color=colours[name], edgecolor="white", linewidth=0.4, zorder=3)
        ax.errorbar(x + 0.41, spread.loc[name, "mean"], half[name], color="black", marker="_", markersize=5,
                    markeredgewidth=0.9, capsize=1.5, elinewidth=0.8, capthick=0.8, zorder=4)  # fmt: skip
        n = f"{len(own)}" if small is None else f"{len(own)} ({len(below)})"
        ticks.append((_label(name, labels), n))
    marks.group_ticks(ax, ticks)
    ax.set_ylabel(_y_text(value))
    counted = _counted(unit, None if small is None else subunit)
    ax.set_xlabel(f"bars: mean, {ERRORS[error]}; n = {counted}", fontsize=rcParams["xtick.labelsize"])
    if comparison is not None:
        marks.against_control(ax, order, _p_values(comparison, order))
    return ax


def mean_traces(
    ax: Axes,
    time_ms: np.ndarray,
    traces: Mapping[str, np.ndarray],
    *,
    colours: Mapping[str, str] | None = None,
    scale: tuple[float, float] | None = None,
    blank_ms: tuple[float, float] | None = None,
) -> Axes:
    """Draw mean responses over each other with an L-shaped scale bar (ms, mV) in place of axes.

    Parameters
    ----------
    ax
        Where to draw; its axes are switched off.
    time_ms
        Time from the stimulus, (n,) ms.
    traces
        Label and (n,) mV of each trace, the first (baseline) in grey.
    scale
        Lengths of the scale bar in ms and mV; by default round numbers near a fifth of what is shown.
    blank_ms
        Span left out of the drawing, such as the stimulus artefact, so that it does not set the height.

    Raises
    ------
    DataError
        If there is no trace, or a trace is not as long as `time_ms`.
    """
    time_ms = np.asarray(time_ms, float)
    wrong = [label for label, values in traces.items() if np.shape(values) != time_ms.shape]
    if not traces or wrong:
        found = f"the trace {wrong[0]!r} has another length than its times" if wrong else "there is no trace to draw"
        raise DataError(found, expected=f"traces of {time_ms.size} points")
    shown = np.ones(time_ms.size, bool)
    if blank_ms is not None:
        shown = (time_ms < blank_ms[0]) | (time_ms > blank_ms[1])
    stack = np.where(shown, np.array([np.asarray(values, float) for values in traces.values()]), np.nan)
    for i, (label, values) in enumerate(zip(traces, stack, strict=True)):
        ax.plot(time_ms, values, color=(colours or {}).get(label, TRACES[i % len(TRACES)]), linewidth=0.8, label=label)
    bottom, top = np.nanmin(stack), np.nanmax(stack)
    span_ms, span_mV = time_ms[-1] - time_ms[0], (top - bottom) or 1.0
    ms, mV = scale or (marks.round_number(span_ms / 5), marks.round_number(span_mV / 5))
    right, foot = time_ms[-1], bottom - 0.02 * span_mV
    ax.plot([right - ms, right, right], [foot, foot, foot + mV], color="black", linewidth=1, solid_joinstyle="miter")
    ax.autoscale_view()
    beside = {"textcoords": "offset points", "fontsize": rcParams["xtick.labelsize"], "annotation_clip": False}
    ax.annotate(f"{ms:g} ms", (right - ms / 2, foot), (0, -2), ha="center", va="top", **beside)
    ax.annotate(f"{mV:g} mV", (right, foot + mV / 2), (2, 0), ha="left", va="center", **beside)
    ax.set_axis_off()
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(traces))
    return ax


def slice_grid(
    courses: Any,
    summary: pd.DataFrame | None = None,
    *,
    value: str = "percent_of_baseline",
    columns: int = 5,
    width_mm: float = 183.0,
    row_mm: float = 27.0,
    baseline_min: tuple[float, float] | None = None,
    post_min: tuple[float, float] | None = None,
) -> Figure:
    """Draw every slice in a small panel of its own, under its code name, test and control pathway apart.

    All panels share their axes; a response far outside the others stands as a triangle at the edge.

    Parameters
    ----------
    courses
        One row per response: ``code``, ``time_min``, `value`, and ``role`` (test, control) or ``pathway``; or an
        object that holds this table as ``time_course``, and a ``summary``. No other column is read, so the figure
        stays blind.
    summary
        One row per slice and pathway with ``code`` and ``flags``; a flagged slice says its flags above its panel.
    columns, width_mm, row_mm
        Panels in a row, width of the figure, height of a row.
    baseline_min, post_min
        Spans of time to shade, in minutes from induction.

    Raises
    ------
    DataError
        If a column is missing or nothing is left to draw.
    """
    if not isinstance(courses, pd.DataFrame):
        courses, summary = courses.time_course, courses.summary if summary is None else summary
    need(courses, ["code", "time_min", value])
    codes = sorted(courses["code"].astype(str).unique())
    column = next((name for name in ("role", "pathway") if name in courses), None)
    role = courses[column].astype(str) if column else pd.Series("test", index=courses.index)
    roles = sorted(role.unique(), key=lambda name: (name == "control", name))
    columns = max(1, min(columns, len(codes)))
    rows = -(-len(codes) // columns)
    head_mm, foot_mm, title_mm = 11.0, 10.0, 7.0
    high_mm = rows * row_mm + head_mm + foot_mm - title_mm
    fig = Figure(figsize=(width_mm / style.MM_PER_INCH, high_mm / style.MM_PER_INCH))
    # Fixed margins: laying out forty panels by constraint takes seconds.
    grid = fig.add_gridspec(
        rows, columns, left=13 / width_mm, right=1 - 2 / width_mm, bottom=foot_mm / high_mm,
        top=1 - head_mm / high_mm, wspace=0.12, hspace=title_mm / (row_mm - title_mm),
    )  # fmt: skip
    panels = grid.subplots(sharex=True, sharey=True, squeeze=False).ravel()
    low, high = _limits(courses[value].to_numpy(float))
    panels[0].set_ylim(low, high)
    looks = [{"marker": "o", "color": TEST}, {"marker": "s", "color": CONTROL_PATHWAY, "markerfacecolor": "white"}]
    panel_mm = (width_mm - 15) / columns * 0.9
    for i, (ax, code) in enumerate(zip(panels, codes, strict=False)):
        own = courses["code"].astype(str) == code
        for name, look in zip(roles, looks * len(roles), strict=False):
            part = courses[own & (role == name)]
            ax.plot(part["time_min"], part[value], linestyle="", markersize=1.7, markeredgewidth=0.4, label=name, **look)
            for edge, beyond, marker in ((low, part[value] < low, 11), (high, part[value] > high, 10)):
                ax.plot(part["time_min"][beyond], np.full(beyond.sum(), edge), linestyle="", marker=marker, markersize=3,
                        color=look["color"], markeredgewidth=0, clip_on=False)  # fmt: skip
        if value in PERCENTS:
            marks.reference_line(ax, 100.0)
        for span in filter(None, (baseline_min, post_min)):
            marks.shade(ax, span)
        ax.axvline(0, color="black", linewidth=0.4, zorder=1)
        ax.set_title(code, loc="left", fontweight="bold", pad=2, fontsize=6)
        width = int((panel_mm - 7) / (5 * 0.48 * MM_PER_POINT))  # characters of 5 pt beside the code
        words = textwrap.fill(_flags(summary, code), width, max_lines=2, placeholder=" …")
        ax.set_title(words, loc="right", pad=2, fontsize=5, color=WARNING, linespacing=0.95)
        ax.tick_params(labelbottom=i + columns >= len(codes), labelleft=i % columns == 0, labelsize=6)
    for ax in panels[len(codes) :]:
        ax.remove()
    fig.supxlabel(axis_label("time_min"), fontsize=rcParams["axes.labelsize"], y=1.5 / high_mm)
    fig.supylabel(_y_text(value), fontsize=rcParams["axes.labelsize"], x=1.5 / width_mm)
    if len(roles) > 1:
        names = [f"{name} pathway" if column == "role" else name for name in roles]
        handles = panels[0].get_legend_handles_labels()[0]
        fig.legend(handles, names, loc="upper left", bbox_to_anchor=(11 / width_mm, 1), ncols=len(roles), markerscale=2)
    return fig


def _order(table: pd.DataFrame, group: str, groups: Sequence[str] | None) -> list[str]:
    """Groups that have rows, in the order asked for, else in that of the categories."""
    present = table[group]
    if groups is None:
        known = isinstance(present.dtype, pd.CategoricalDtype)
        groups = list(present.cat.categories) if known else list(dict.fromkeys(present.dropna()))
    there = set(present.dropna().astype(str))
    order = [str(name) for name in groups if str(name) in there]
    if not order:
        raise DataError("no row belongs to a group", expected=f"one of {', '.join(map(str, groups)) or 'the groups'}")
    return order


def _with_gaps(line: pd.DataFrame, bin_min: float) -> pd.DataFrame:
    """The course on every bin from first to last, a missing bin being a gap, and a gap at induction."""
    start = line["time_min"].min()
    steps = np.round((line["time_min"] - start) / bin_min).astype(int)
    full = line.set_index(steps)[["mean", "low", "high"]].reindex(range(int(steps.max()) + 1))
    full = full.assign(time_min=start + bin_min * full.index.to_numpy())
    induction = pd.DataFrame({"mean": [np.nan], "low": [np.nan], "high": [np.nan], "time_min": [0.0]})
    return pd.concat([full[full["time_min"] < 0], induction, full[full["time_min"] > 0]], ignore_index=True)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Limits that a few stray values cannot stretch until every panel is flat; those are drawn at the edge."""
    low, high = np.nanpercentile(values, [0.5, 99.5])
    margin = 0.3 * ((high - low) or 1.0)
    least, most = np.nanmin(values), np.nanmax(values)
    return max(least, low - margin) - 0.1 * margin, min(most, high + margin) + 0.1 * margin


def _label(name: str, labels: Mapping[str, str] | None) -> str:
    return str((labels or {}).get(name, name))


def _counted(unit: str, subunit: str | None) -> str:
    below = {"recording": "slices", "code": "slices"}.get(subunit or "", f"{subunit}s")
    return f"{unit}s ({below})" if subunit else f"{unit}s"


def _y_text(value: str) -> str:
    if value == "percent_of_baseline":
        return f"{COLUMNS[value].label} (% of baseline)"
    return axis_label(value) if value in COLUMNS else value


def _flags(summary: pd.DataFrame | None, code: str) -> str:
    if summary is None or "flags" not in summary or "code" not in summary:
        return ""
    words = summary.loc[summary["code"].astype(str) == code, "flags"].fillna("").astype(str)
    return "; ".join(dict.fromkeys(flag for text in words for flag in text.split("; ") if flag))


def _p_values(comparison: Comparison, order: Sequence[str]) -> dict[str, float]:
    """Adjusted P of each group against control, by name of the group."""
    table = comparison.posthoc
    need(table, ["group", "control", "p_adjusted"])
    table = table[table["control"].astype(str) == order[0]]
    return {str(row.group): float(row.p_adjusted) for row in table.itertuples() if str(row.group) in order}

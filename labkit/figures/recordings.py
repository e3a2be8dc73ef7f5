"""Panels of single recordings: mean traces, and every slice of a study at a glance."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.columns import axis_label
from labkit.errors import DataError
from labkit.figures import marks, style
from labkit.figures.courses import need

__all__ = ["mean_traces", "slice_grid"]

TEST, CONTROL_PATHWAY, WARNING = "#0072B2", "#767676", "#A33B00"
TRACES = ("#767676", TEST, "#D55E00", "#009E73")
POINT_MM = 25.4 / 72


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
        found = (
            f"the trace {wrong[0]!r} has another length than its times"
            if wrong
            else "there is no trace to draw"
        )
        raise DataError(found, expected=f"traces of {time_ms.size} points")
    shown = np.ones(time_ms.size, bool)
    if blank_ms is not None:
        shown = (time_ms < blank_ms[0]) | (time_ms > blank_ms[1])
    stack = np.where(shown, np.array([np.asarray(values, float) for values in traces.values()]), np.nan)
    for i, (label, values) in enumerate(zip(traces, stack, strict=True)):
        ax.plot(
            time_ms,
            values,
            color=(colours or {}).get(label, TRACES[i % len(TRACES)]),
            linewidth=0.8,
            label=label,
        )
    bottom, top = np.nanmin(stack), np.nanmax(stack)
    span_ms, span_mV = time_ms[-1] - time_ms[0], (top - bottom) or 1.0
    ms, mV = scale or (marks.round_number(span_ms / 5), marks.round_number(span_mV / 5))
    right, foot = time_ms[-1], bottom - 0.02 * span_mV
    ax.plot(
        [right - ms, right, right],
        [foot, foot, foot + mV],
        color="black",
        linewidth=1,
        solid_joinstyle="miter",
    )
    ax.autoscale_view()
    beside = {"textcoords": "offset points", "fontsize": marks.small_pt(), "annotation_clip": False}
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
        One row per response: ``code``, ``time_min``, `value`, and ``role`` (test, control) or ``pathway``;
        or an object that holds this table as ``time_course``, and a ``summary``. No other column is read,
        so the figure stays blind.
    summary
        One row per slice and pathway with ``code`` and ``flags``; a flagged slice says its flags above its
        panel.
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
    looks = [
        {"marker": "o", "color": TEST},
        {"marker": "s", "color": CONTROL_PATHWAY, "markerfacecolor": "white"},
    ]
    panel_mm = (width_mm - 15) / columns * 0.9
    for i, (ax, code) in enumerate(zip(panels, codes, strict=False)):
        own = courses["code"].astype(str) == code
        for name, look in zip(roles, looks * len(roles), strict=False):
            part = courses[own & (role == name)]
            ax.plot(
                part["time_min"],
                part[value],
                linestyle="",
                markersize=1.7,
                markeredgewidth=0.4,
                label=name,
                **look,
            )
            for edge, beyond, marker in ((low, part[value] < low, 11), (high, part[value] > high, 10)):
                ax.plot(part["time_min"][beyond], np.full(beyond.sum(), edge), linestyle="", marker=marker,
                        markersize=3, color=look["color"], markeredgewidth=0, clip_on=False)  # fmt: skip
        if value in marks.PERCENTS:
            marks.reference_line(ax, 100.0)
        for span in filter(None, (baseline_min, post_min)):
            marks.shade(ax, span)
        ax.axvline(0, color="black", linewidth=0.4, zorder=1)
        ax.set_title(code, loc="left", fontweight="bold", pad=2, fontsize=6)
        width = int((panel_mm - 7) / (5 * 0.48 * POINT_MM))  # characters of 5 pt beside the code
        words = textwrap.fill(_flags(summary, code), width, max_lines=2, placeholder=" …")
        ax.set_title(words, loc="right", pad=2, fontsize=5, color=WARNING, linespacing=0.95)
        ax.tick_params(labelbottom=i + columns >= len(codes), labelleft=i % columns == 0, labelsize=6)
    for ax in panels[len(codes) :]:
        ax.remove()
    fig.supxlabel(axis_label("time_min"), fontsize=rcParams["axes.labelsize"], y=1.5 / high_mm)
    fig.supylabel(marks.axis_text(value), fontsize=rcParams["axes.labelsize"], x=1.5 / width_mm)
    if len(roles) > 1:
        names = [f"{name} pathway" if column == "role" else name for name in roles]
        handles = panels[0].get_legend_handles_labels()[0]
        fig.legend(
            handles,
            names,
            loc="upper left",
            bbox_to_anchor=(11 / width_mm, 1),
            ncols=len(roles),
            markerscale=2,
        )
    return fig


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Limits that a few stray values cannot stretch until every panel is flat."""
    low, high = np.nanpercentile(values, [0.5, 99.5])
    margin = 0.3 * ((high - low) or 1.0)
    least, most = np.nanmin(values), np.nanmax(values)
    return max(least, low - margin) - 0.1 * margin, min(most, high + margin) + 0.1 * margin


def _flags(summary: pd.DataFrame | None, code: str) -> str:
    if summary is None or "flags" not in summary or "code" not in summary:
        return ""
    words = summary.loc[summary["code"].astype(str) == code, "flags"].fillna("").astype(str)
    return "; ".join(dict.fromkeys(flag for text in words for flag in text.split("; ") if flag))

"""Marks that several panels share: brackets with exact P, labels that fit, points that stay apart.

Lengths are in points (1/72 inch), so that a mark looks the same in a small panel and in a large one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.transforms import offset_copy

from labkit.columns import COLUMNS, axis_label

ARROW_PT = 8.0
PERCENTS = ("percent_of_baseline", "potentiation_percent")  # of baseline: 100 is no change

__all__ = [
    "ARROW_PT", "PERCENTS", "against_control", "arrow", "axis_text", "fold_axis", "frame_y", "group_ticks",
    "legend_above", "p_text", "points_per_unit", "reference_line",
    "round_number", "shade", "small_pt", "swarm", "text_width",
]  # fmt: skip


def small_pt() -> float:
    """Size in points of the smaller text of the style in use."""
    return FontProperties(size=rcParams["xtick.labelsize"]).get_size_in_points()


def axis_text(value: str) -> str:
    """Label of the axis on which a declared column is drawn, the unit in brackets."""
    if value == "percent_of_baseline":
        return f"{COLUMNS[value].label} (% of baseline)"
    return axis_label(value) if value in COLUMNS else value


def shade(ax: Axes, span: tuple[float, float], text: str = "") -> Axes:
    """Shade a span of the x axis behind the data, such as the baseline, with a word on top."""
    ax.axvspan(*span, color="#E8E8E8", linewidth=0, zorder=0)
    if text:
        ax.annotate(
            text, (sum(span) / 2, 1), (0, -1.5), xycoords=ax.get_xaxis_transform(), ha="center", va="top",
            textcoords="offset points", fontsize=small_pt() - 1, color="#4D4D4D",
        )  # fmt: skip
    return ax


def arrow(ax: Axes, x: float, text: str) -> None:
    """A small arrow in a strip of `ARROW_PT` above the axes that points down at x, with a word beside it."""
    strip = offset_copy(ax.get_xaxis_transform(), fig=ax.figure, y=ARROW_PT / 2, units="points")
    ax.plot(
        [x], [1], "v", transform=strip, color="black", markersize=4, clip_on=False, scalex=False, scaley=False
    )
    ax.annotate(
        text, (x, 1), (4, 0), xycoords=strip, textcoords="offset points", ha="left", va="center",
        fontsize=small_pt(), annotation_clip=False,
    )  # fmt: skip


def reference_line(ax: Axes, at: float) -> None:
    """A dotted line across the panel, such as 100 % of baseline."""
    ax.axhline(at, color="black", linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)


def frame_y(ax: Axes, values: np.ndarray) -> None:
    """Set the y axis to hold the values with a margin."""
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    span = (high - low) or abs(high) or 1.0
    ax.set_ylim(low - 0.06 * span, high + 0.06 * span)


def fold_axis(ax: Axes) -> None:
    """Ticks of a y axis of natural logarithms at round folds, such as 0.5, 1 and 2."""
    low, high = ax.get_ylim()
    for steps in (
        (0.1, 1, 10),
        (0.25, 0.5, 1, 2, 4),
        (0.5, 0.7, 1, 1.4, 2, 2.8),
        (0.6, 0.8, 1, 1.25, 1.5, 2, 2.5),
    ):
        folds = [fold for fold in steps if low <= np.log(fold) <= high]
        if len(folds) >= 3:
            break
    ax.set_yticks(np.log(folds), [f"{fold:g}" for fold in folds])


def points_per_unit(ax: Axes) -> tuple[float, float]:
    """Points per unit of x and of y, as the axes stand before they are laid out."""
    box, (width, height) = ax.get_position(), ax.figure.get_size_inches() * 72
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    return box.width * width / (x1 - x0), box.height * height / (y1 - y0)


@lru_cache(maxsize=1024)
def text_width(text: str, size: float) -> float:
    """Width of the longest line of a text in points."""
    font = FontProperties(size=size)
    return max(text_to_path.get_text_width_height_descent(line, font, False)[0] for line in text.split("\n"))


def swarm(values: np.ndarray, wide: float, high: float, most: float) -> np.ndarray:
    """Offsets in x that keep points of size `wide` x `high` apart, as near the middle as they fit.

    No offset is larger than `most`; where that leaves no free place, the freest is taken.

    >>> swarm(np.array([1.0, 5.0, 1.0]), 0.4, 1.0, 0.5).round(1).tolist()
    [0.0, 0.0, 0.4]
    """
    offsets, placed = np.zeros(values.size), np.empty((0, 2))
    steps = np.arange(0, most + 1e-9, min(wide / 4, most))
    candidates = np.concatenate(
        [[0.0], np.stack([steps[1:], -steps[1:]], axis=1).ravel()]
    )  # 0, +1, -1, +2, ...
    for i in np.argsort(values, kind="stable"):
        near = placed[np.abs(placed[:, 1] - values[i]) < high]
        across = (near[:, 0][None, :] - candidates[:, None]) / wide
        up = (near[:, 1] - values[i])[None, :] / high
        gap = np.hypot(across, up).min(axis=1, initial=np.inf)
        free = np.flatnonzero(gap >= 1 - 1e-9)
        offsets[i] = candidates[free[0] if free.size else int(np.argmax(gap))]
        placed = np.vstack([placed, [offsets[i], values[i]]])
    return offsets


def group_ticks(ax: Axes, ticks: Sequence[tuple[str, str]]) -> None:
    """Names of groups with n under them: wrapped to their column, slanted where a word is wider.

    `ticks` holds the name of each group and its n, such as ``("vehicle", "7 (14)")``.
    """
    size = small_pt()
    column = 0.96 * points_per_unit(ax)[0]
    ax.set_xticks(range(len(ticks)))
    fits = max(text_width(word, size) for name, count in ticks for word in [*name.split(), count]) <= column
    if fits:
        long = [f"n = {count}" for _, count in ticks]
        lower = (
            long if max(text_width(text, size) for text in long) <= column else [count for _, count in ticks]
        )
        ax.set_xticklabels(
            [_wrapped(name, size, column) + "\n" + n for (name, _), n in zip(ticks, lower, strict=True)]
        )
        return
    # Lines of a slanted label share the width of a column, seen along the slant.
    slant = 60
    lines = max(1, int(column * np.sin(np.radians(slant)) / (1.1 * size)))
    counts = [f"n = {count}".replace(" ", "\u00a0") for _, count in ticks]
    labels = [_in_lines(f"{name}, {n}", lines) for (name, _), n in zip(ticks, counts, strict=True)]
    ax.set_xticklabels(labels, rotation=slant, ha="right", rotation_mode="anchor")


def _in_lines(text: str, lines: int) -> str:
    """A text broken at blanks into at most so many lines, as short as that allows."""
    return next(
        "\n".join(broken)
        for characters in range(1, len(text) + 1)
        if len(broken := textwrap.wrap(text, characters, break_long_words=False)) <= lines
    )


def _wrapped(name: str, size: float, width_pt: float) -> str:
    """A name broken at blanks into lines no wider than so many points, where its words allow that."""
    lines: list[str] = []
    for word in name.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width_pt:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def against_control(ax: Axes, order: Sequence[str], control: str, p_values: Mapping[str, float]) -> None:
    """Exact P of each group against control in a strip above the axes.

    Up to four comparisons get a bracket each; more stand in one row, or brackets would dwarf the data.
    """
    size = small_pt()
    at = {name: x for x, name in enumerate(order)}

    def write(x: float, text: str, up_pt: float) -> None:
        ax.annotate(
            text, (x, 1), (0, up_pt), xycoords=ax.get_xaxis_transform(), textcoords="offset points",
            ha="center", va="bottom", fontsize=size, annotation_clip=False,
        )  # fmt: skip

    if len(p_values) > 4:
        write(at[control], "P v\ncontrol", 2)
        for name, p in p_values.items():
            write(at[name], p_text(p).removeprefix("= ").replace("< ", "<").replace("> ", ">"), 2)
        return
    for level, (name, p) in enumerate(
        sorted(p_values.items(), key=lambda item: abs(at[item[0]] - at[control]))
    ):
        up = 3 + level * (size + 3.5)
        strip = offset_copy(ax.get_xaxis_transform(), fig=ax.figure, y=up, units="points")
        foot = offset_copy(ax.get_xaxis_transform(), fig=ax.figure, y=up - 2, units="points")
        line = {"color": "black", "clip_on": False, "scalex": False, "scaley": False}
        ax.plot([at[control], at[name]], [1, 1], transform=strip, linewidth=0.6, **line)
        ax.plot(
            [at[control], at[name]],
            [1, 1],
            transform=foot,
            linestyle="",
            marker=2,
            markersize=2,
            markeredgewidth=0.6,
            **line,
        )
        write((at[control] + at[name]) / 2, f"P {p_text(p)}", up + 0.5)


def legend_above(ax: Axes, names: Sequence[str], *, title: str, up_pt: float = 0.0) -> None:
    """Legend over the axes and `up_pt` above them, in as many columns as fit the panel."""
    wide = ax.get_position().width * ax.figure.get_size_inches()[0] * 72
    entry = max(text_width(name, small_pt()) for name in names) + 20
    columns = max(1, min(len(names), int(wide / entry)))
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, title=title, alignment="left",
        bbox_transform=offset_copy(ax.transAxes, fig=ax.figure, y=up_pt, units="points"),
    )  # fmt: skip


def p_text(p: float) -> str:
    """Exact P with two significant digits, at most four decimals.

    >>> p_text(0.0312), p_text(0.4571), p_text(0.00004), p_text(0.9999)
    ('= 0.031', '= 0.46', '< 0.0001', '> 0.99')
    """
    if not np.isfinite(p):
        return "not computed"
    if p < 1e-4:
        return "< 0.0001"
    if p > 0.99:
        return "> 0.99"
    return f"= {p:.{min(4, max(2, 1 - int(np.floor(np.log10(p)))))}f}"


def round_number(x: float) -> float:
    """The largest of 1, 2, 5 x 10^k that is not above x.

    >>> round_number(0.37), round_number(6.0)
    (0.2, 5.0)
    """
    power = 10.0 ** np.floor(np.log10(x))
    return float(max(step * power for step in (1, 2, 5) if step * power <= x * (1 + 1e-9)))

"""The static picture of a study's windows: small plots side by side, for reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labkit.pickers.sheet import AMBER, INK, Legend, Sheet, columns_for

__all__ = ["Panel", "window_grid"]

_LINES = ["#6b6b6b", "#0072b2", "#c0392b", "#8a4a86"]
_WINDOW, _BLANK, _FRAME = "#fbe3b0", "#e2e2e2", "#b5b5b5"


@dataclass(frozen=True, eq=False)
class Panel:
    """One small plot: a trace or more with a window, and the status of that window.

    Attributes
    ----------
    title, status, note
        What stands above the plot; `status` is one of `sheet.MARKS`, `note` a reason or remark ('' for none).
    time_ms : (n,) ndarray
        Times after the stimulus.
    traces : dict of str to (n,) ndarray
        Values in mV, by label.
    window_ms, blank_ms
        The window, and the blanked part that does not count for the scale.
    """

    title: str
    status: str
    time_ms: np.ndarray
    traces: Mapping[str, np.ndarray]
    window_ms: tuple[float, float]
    blank_ms: tuple[float, float] | None = None
    note: str = ""


def window_grid(panels: Sequence[Panel], *, width: int = 1000) -> tuple[bytes, tuple[int, int]]:
    """Draw all panels as one PNG.

    Time is the same in every plot; the height of each is its own, with a bar of so many mV beside it, since
    windows are judged by the shape of the response.

    Parameters
    ----------
    panels
        At least one `Panel`.
    width
        Width in CSS pixels; the bitmap has twice as many, for sharp print and screens.

    Returns
    -------
    png : bytes
    size : tuple of int
        Width and height in CSS pixels.
    """
    from matplotlib.collections import LineCollection, PolyCollection

    columns = columns_for(len(panels))
    rows = math.ceil(len(panels) / columns)
    head, foot, gap = 32, 34, 14
    wide = (width - gap * (columns + 1)) / columns
    wide = min(wide, 420)
    tall = min(0.62 * wide, 170) + 20
    sheet = Sheet(width, round(head + foot + rows * (tall + gap)))

    span = _common_span(panels)
    fills: dict[str, list] = {_BLANK: [], _WINDOW: []}
    lines: dict[tuple[str, float], list] = {}
    for k, panel in enumerate(panels):
        left = gap + (k % columns) * (wide + gap)
        top = head + (k // columns) * (tall + gap)
        box = (left, top + 20, wide, tall - 20)
        low, high = _scale(panel, span)

        def x(time, box=box):
            return box[0] + (np.clip(time, *span) - span[0]) / (span[1] - span[0]) * box[2]

        def y(value, box=box, low=low, high=high):
            inside = np.where((value >= low) & (value <= high), value, np.nan)  # an artefact leaves a gap
            return box[1] + (high - inside) / (high - low) * box[3]

        def rectangle(times, box=box, x=x):
            a, b = x(np.asarray(times))
            return [(a, box[1]), (b, box[1]), (b, box[1] + box[3]), (a, box[1] + box[3])]

        if panel.blank_ms:
            fills[_BLANK].append(rectangle(panel.blank_ms))
        fills[_WINDOW].append(rectangle(panel.window_ms))
        shown = (panel.time_ms >= span[0]) & (panel.time_ms <= span[1])
        pale = 0.35 if panel.status == "excluded" else 1.0
        for colour, values in zip(_LINES * len(panel.traces), panel.traces.values(), strict=False):
            points = np.column_stack([x(panel.time_ms[shown]), y(values[shown])])
            lines.setdefault((colour, pale), []).append(points)
        for edge in panel.window_ms:
            lines.setdefault((AMBER, 1.0), []).append([(x(edge), box[1]), (x(edge), box[1] + box[3])])
        frame = [(box[0], box[1]), (box[0], box[1] + box[3]), (box[0] + box[2], box[1] + box[3])]
        lines.setdefault((_FRAME, 1.0), []).append(frame)

        said = f"{panel.window_ms[0]:.2f}–{panel.window_ms[1]:.2f}"
        sheet.title(left, top + 10, wide, panel.status, panel.title, said)
        if panel.note:
            sheet.note(left, box[1] + 7, wide, panel.status, panel.note)
        # The scale bar stands at the right, above or below the traces, where there is more room.
        bar = _round_down(0.4 * (high - low))
        rise = bar / (high - low) * box[3]
        late = shown & (panel.time_ms > span[0] + 0.65 * (span[1] - span[0]))
        paths = [y(values[late]) for values in panel.traces.values()]
        reach = np.concatenate([path[np.isfinite(path)] for path in paths])
        above = reach.size > 0 and reach.min() - box[1] > box[1] + box[3] - reach.max()
        foot_of_bar = box[1] + rise + (18 if panel.note else 4) if above else box[1] + box[3] - 7
        right = box[0] + box[2] - 3
        lines.setdefault((INK, 1.0), []).append([(right, foot_of_bar), (right, foot_of_bar - rise)])
        sheet.text(right - 4, foot_of_bar - rise / 2, f"{bar:g} mV", ha="right", plate=True, fontsize=5.6)
        if k >= len(panels) - columns:  # the lowest plot of its column carries the times
            for time in _ticks(span):
                lines[(_FRAME, 1.0)].append([(x(time), top + tall), (x(time), top + tall + 3)])
                sheet.text(x(time), top + tall + 9, f"{time:g}", ha="center", fontsize=5.8)

    for colour, shapes in fills.items():
        sheet.axes.add_collection(PolyCollection(shapes, facecolor=colour, edgecolor="none", zorder=0))
    for (colour, pale), paths in lines.items():
        sheet.axes.add_collection(LineCollection(paths, colors=colour, alpha=pale, linewidths=0.8, zorder=1))
    legend = Legend(sheet)
    labels = dict.fromkeys(label for panel in panels for label in panel.traces)
    for label, colour in zip(labels, _LINES * len(labels), strict=False):
        legend.line(label, color=colour)
    legend.area("slope window (ms)", color=_WINDOW)
    if any(panel.blank_ms for panel in panels):
        legend.area("blanked", color=_BLANK)
    legend.statuses(panel.status for panel in panels)
    said = "Time after the stimulus (ms), the same in every plot"
    sheet.text(width / 2, sheet.size[1] - 10, said, ha="center")
    return sheet.png(), sheet.size


def _common_span(panels: Sequence[Panel]) -> tuple[float, float]:
    """Times from just before the stimulus to well after every window, as far as the traces go."""
    start = max(-1.0, min(float(panel.time_ms[0]) for panel in panels))
    first = min(panel.window_ms[0] for panel in panels)
    end = max(12.0, 2 * max(panel.window_ms[1] for panel in panels))
    return min(start, first), min(end, max(float(panel.time_ms[-1]) for panel in panels))


def _scale(panel: Panel, span: tuple[float, float]) -> tuple[float, float]:
    """Lowest and highest value shown, leaving out what is blanked, with a margin."""
    seen = (panel.time_ms >= span[0]) & (panel.time_ms <= span[1])
    if panel.blank_ms:
        seen &= (panel.time_ms < panel.blank_ms[0]) | (panel.time_ms > panel.blank_ms[1])
    values = np.concatenate([np.asarray(values)[seen] for values in panel.traces.values()])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    margin = 0.08 * (high - low) or 0.5
    return low - margin, high + margin


def _round_down(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `value`.

    >>> _round_down(0.37), _round_down(1.0), _round_down(73)
    (0.2, 1.0, 50.0)
    """
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return next(m * power for m in (5, 2, 1) if m * power <= value * (1 + 1e-9))


def _ticks(span: tuple[float, float]) -> list[float]:
    step = _round_down((span[1] - span[0]) / 2.5)
    return [k * step for k in range(math.ceil(span[0] / step), math.floor(span[1] / step) + 1)]

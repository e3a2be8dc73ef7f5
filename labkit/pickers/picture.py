"""The static picture of a study's windows: small plots side by side, for reports."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["MARKS", "Panel", "window_grid"]

# A status is told by its mark and its word; the colour only helps (4.5:1 on white).
MARKS = {
    "confirmed": ("✓", "#00705a"),
    "changed": ("◆", "#0063a0"),
    "proposed": ("○", "#5f5f5f"),
    "moved": ("◇", "#a86400"),
    "excluded": ("✕", "#b3450a"),
}
_LINES = ["#6b6b6b", "#0072b2", "#c0392b", "#8a4a86"]
_INK, _MUTED = "#1f1f1f", "#5f5f5f"


@dataclass(frozen=True, eq=False)
class Panel:
    """One small plot: a trace or more with a window, and the status of that window.

    Attributes
    ----------
    title, status, note
        What stands above the plot; `status` is one of `MARKS`, `note` a reason or remark ('' for none).
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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure
    from PIL import Image

    columns = next(
        c for most, c in [(3, len(panels)), (12, 4), (36, 6), (math.inf, 8)] if len(panels) <= most
    )
    rows = math.ceil(len(panels) / columns)
    head, foot, gap = 32, 34, 14
    wide = (width - gap * (columns + 1)) / columns
    wide = min(wide, 420)
    tall = min(0.62 * wide, 170) + 20
    height = round(head + foot + rows * (tall + gap))

    # One axes in CSS pixels holds every plot: a hundred axes would take ten times as long.
    figure = Figure(figsize=(width / 100, height / 100), dpi=200)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    text = {"fontsize": 6.6, "color": _INK, "va": "center", "parse_math": False}
    over = {**text, "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}}

    span = _common_span(panels)
    fills: dict[str, list] = {"#e2e2e2": [], "#fbe3b0": []}
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
            fills["#e2e2e2"].append(rectangle(panel.blank_ms))
        fills["#fbe3b0"].append(rectangle(panel.window_ms))
        shown = (panel.time_ms >= span[0]) & (panel.time_ms <= span[1])
        pale = 0.35 if panel.status == "excluded" else 1.0
        for colour, values in zip(_LINES * len(panel.traces), panel.traces.values(), strict=False):
            points = np.column_stack([x(panel.time_ms[shown]), y(values[shown])])
            lines.setdefault((colour, pale), []).append(points)
        for edge in panel.window_ms:
            lines.setdefault(("#a86400", 1.0), []).append([(x(edge), box[1]), (x(edge), box[1] + box[3])])
        frame = [(box[0], box[1]), (box[0], box[1] + box[3]), (box[0] + box[2], box[1] + box[3])]
        lines.setdefault(("#b5b5b5", 1.0), []).append(frame)

        mark, colour = MARKS[panel.status]
        axes.text(left + 1, top + 10, mark, **{**text, "color": colour, "fontsize": 8, "fontweight": "bold"})
        axes.text(left + 15, top + 10, panel.title, **{**text, "fontweight": "bold"})
        said = f"{panel.window_ms[0]:.2f}–{panel.window_ms[1]:.2f}"
        axes.text(left + wide, top + 10, said, ha="right", **{**text, "color": _MUTED, "fontsize": 6})
        if panel.note:
            fits = int(wide / 5.2)
            note = panel.note if len(panel.note) <= fits else panel.note[: fits - 1] + "…"
            axes.text(
                left + wide / 2, box[1] + 7, note, ha="center", **{**over, "color": colour, "fontsize": 6}
            )
        # The scale bar stands at the right, above or below the traces, where there is more room.
        bar = _round_down(0.4 * (high - low))
        rise = bar / (high - low) * box[3]
        late = shown & (panel.time_ms > span[0] + 0.65 * (span[1] - span[0]))
        paths = [y(values[late]) for values in panel.traces.values()]
        reach = np.concatenate([path[np.isfinite(path)] for path in paths])
        above = reach.size > 0 and reach.min() - box[1] > box[1] + box[3] - reach.max()
        foot_of_bar = box[1] + rise + (18 if panel.note else 4) if above else box[1] + box[3] - 7
        right = box[0] + box[2] - 3
        lines.setdefault((_INK, 1.0), []).append([(right, foot_of_bar), (right, foot_of_bar - rise)])
        axes.text(right - 4, foot_of_bar - rise / 2, f"{bar:g} mV", ha="right", **{**over, "fontsize": 5.6})
        if k >= len(panels) - columns:  # the lowest plot of its column carries the times
            for time in _ticks(span):
                lines[("#b5b5b5", 1.0)].append([(x(time), top + tall), (x(time), top + tall + 3)])
                axes.text(x(time), top + tall + 9, f"{time:g}", ha="center", **{**text, "fontsize": 5.8})

    for colour, shapes in fills.items():
        axes.add_collection(PolyCollection(shapes, facecolor=colour, edgecolor="none", zorder=0))
    for (colour, pale), paths in lines.items():
        axes.add_collection(LineCollection(paths, colors=colour, alpha=pale, linewidths=0.8, zorder=1))
    _legend(axes, panels, text)
    axes.text(
        width / 2, height - 10, "Time after the stimulus (ms), the same in every plot", ha="center", **text
    )
    file = io.BytesIO()
    canvas.draw()
    # Few colours are in use: a palette looks the same at a third of the size.
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
    image.quantize(255, method=Image.Quantize.FASTOCTREE).save(file, format="png", optimize=True)
    return file.getvalue(), (width, height)


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


def _legend(axes, panels: Sequence[Panel], text: dict) -> None:
    """Which line and which mark means what, on one line above the plots."""
    at = 10.0
    for label, colour in zip(dict.fromkeys(n for p in panels for n in p.traces), _LINES * 9, strict=False):
        axes.plot([at, at + 18], [14, 14], color=colour, linewidth=1.4)
        axes.text(at + 23, 14, label, **text)
        at += 23 + 4.5 * len(label) + 18
    axes.fill_between([at, at + 14], 8, 20, color="#fbe3b0", linewidth=0)
    axes.text(at + 19, 14, "slope window (ms)", **text)
    at += 19 + 4.5 * 17 + 20
    if any(panel.blank_ms for panel in panels):
        axes.fill_between([at, at + 14], 8, 20, color="#e2e2e2", linewidth=0)
        axes.text(at + 19, 14, "blanked", **text)
        at += 19 + 4.5 * 7 + 18
    for status in [status for status in MARKS if any(panel.status == status for panel in panels)]:
        mark, colour = MARKS[status]
        axes.text(at, 14, mark, **{**text, "color": colour, "fontsize": 8, "fontweight": "bold"})
        axes.text(at + 13, 14, status, **text)
        at += 13 + 4.5 * len(status) + 16

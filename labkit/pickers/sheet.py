"""The sheet of small plots that stands in a report: titles with status marks, a legend, a PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["AMBER", "INK", "LANE", "MARKS", "MUTED", "PAINT", "TEXT", "Legend", "Sheet", "columns_for"]

# A status is told by its mark and its word; the colour only helps (4.5:1 on white).
MARKS = {
    "confirmed": ("✓", "#00705a"),
    "changed": ("◆", "#0063a0"),
    "proposed": ("○", "#5f5f5f"),
    "moved": ("◇", "#a86400"),
    "excluded": ("✕", "#b3450a"),
}
INK, MUTED, AMBER = "#1f1f1f", "#5f5f5f", "#a86400"
LANE = "#0072b2"
PAINT = {"saturated": "#e5007d", "coloured": "#00a0b0"}  # pixels of an image that are marked
TEXT = {"fontsize": 6.6, "color": INK, "va": "center", "parse_math": False}
_WIDE = 4.5  # CSS pixels of an average letter at this size


def columns_for(n: int) -> int:
    """How many plots stand in a row."""
    return next(c for most, c in [(3, n), (12, 4), (36, 6), (math.inf, 8)] if n <= most)


class Sheet:
    """A white sheet in CSS pixels, y downwards; the bitmap has twice as many, for sharp print and screens.

    One axes holds every plot: a hundred axes would take ten times as long.
    """

    def __init__(self, width: int, height: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width / 100, height / 100), dpi=200)
        self.size = (width, height)
        self._canvas = FigureCanvasAgg(figure)
        self.axes = figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.axis("off")

    def text(self, x: float, y: float, words: str, **changes: Any) -> None:
        """Words at a place; `plate=True` lays them on a pale ground."""
        if changes.pop("plate", False):
            changes["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
        self.axes.text(x, y, words, **{**TEXT, **changes})

    def title(self, x: float, y: float, width: float, status: str, title: str, said: str) -> None:
        """The line above a plot: the mark of its status, its name, and at the right what is said of it."""
        mark, colour = MARKS[status]
        self.text(x + 1, y, mark, color=colour, fontsize=8, fontweight="bold")
        self.text(x + 15, y, title, fontweight="bold")
        self.text(x + width, y, said, ha="right", color=MUTED, fontsize=6)

    def note(self, x: float, y: float, width: float, status: str, words: str) -> None:
        """A remark on the plot itself, cut where it does not fit."""
        fits = int(width / 5.2)
        words = words if len(words) <= fits else words[: fits - 1] + "…"
        self.text(
            x + width / 2, y, words, ha="center", plate=True, color=MARKS[status][1], fontsize=6, zorder=4
        )

    def png(self, *, greys: int = 0) -> bytes:
        """The sheet as a PNG of few colours: it looks the same as with all of them at a third of the size.

        With `greys`, so many of them in equal steps and the colours of marks and lines in shades, as images
        need; else whatever colours are used most.
        """
        from PIL import Image

        self._canvas.draw()
        image = Image.fromarray(np.asarray(self._canvas.buffer_rgba())[:, :, :3])
        if greys:
            palette = Image.new("P", (1, 1))
            palette.putpalette(_palette(greys))
            image = image.quantize(palette=palette, dither=Image.Dither.NONE)
        else:
            image = image.quantize(255, method=Image.Quantize.FASTOCTREE)
        file = io.BytesIO()
        image.save(file, format="png", optimize=True)
        return file.getvalue()


def _palette(greys: int) -> list[int]:
    """Greys, and each colour in steps to white and to black, as 768 numbers at the most."""
    colours = dict.fromkeys([AMBER, LANE, *PAINT.values(), *(colour for _, colour in MARKS.values())])
    shades = [np.linspace(0, 255, greys)[:, None].repeat(3, axis=1)]
    for colour in colours:
        rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
        part = np.linspace(0, 1, 10)[1:, None]
        shades += [255 + part * (rgb - 255), part[:-1] * rgb]
    return np.rint(np.concatenate(shades)).astype(int).ravel().tolist()


class Legend:
    """What lines, areas and marks mean, on one line at the head of a sheet."""

    def __init__(self, sheet: Sheet, y: float = 14.0) -> None:
        self._sheet, self._y, self._at = sheet, y, 10.0

    def line(self, label: str, **style: Any) -> None:
        self._sheet.axes.plot([self._at, self._at + 18], [self._y] * 2, **{"linewidth": 1.4, **style})
        self._word(label, 23)

    def area(self, label: str, **style: Any) -> None:
        self._sheet.axes.fill_between(
            [self._at, self._at + 14], self._y - 6, self._y + 6, **{"linewidth": 0, **style}
        )
        self._word(label, 19)

    def statuses(self, used: Iterable[str], words: Mapping[str, str] | None = None) -> None:
        """The mark of each status in use, named by its own word or another one."""
        used, words = set(used), words or {}
        for status, (mark, colour) in MARKS.items():
            if status in used:
                self._sheet.text(self._at, self._y, mark, color=colour, fontsize=8, fontweight="bold")
                self._word(words.get(status, status), 13)

    def _word(self, label: str, indent: float) -> None:
        self._sheet.text(self._at + indent, self._y, label)
        self._at += indent + _WIDE * len(label) + 18

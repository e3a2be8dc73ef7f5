"""The static picture of a study's blots: small uncropped images with lanes and windows, for reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labkit.pickers.display import COLOURED, SATURATED, display
from labkit.pickers.shapes import Band, Lanes, corners
from labkit.pickers.sheet import AMBER, LANE, MARKS, PAINT, Legend, Sheet, columns_for

__all__ = ["BlotPanel", "blot_grid"]

_GREYS = 48  # more of them cannot be told apart at this size, and cost more bytes


@dataclass(frozen=True, eq=False)
class BlotPanel:
    """One blot: its image, and where it is measured.

    Attributes
    ----------
    title, said, status, note
        What stands above the image: name, remark at the right, one of `sheet.MARKS`, and a reason or remark.
    image
        A `labkit.blots.BlotImage`.
    lanes, band
        As they are stored.
    excluded_lanes
        Reasons by number; these lanes are crossed out.
    """

    title: str
    said: str
    status: str
    image: Any
    lanes: Lanes
    band: Band
    note: str = ""
    excluded_lanes: Mapping[int, str] = field(default_factory=dict)


def blot_grid(panels: Sequence[BlotPanel], *, width: int = 1000) -> tuple[bytes, tuple[int, int]]:
    """Draw all blots as one PNG: protein dark, contrast stretched for each image by itself.

    Parameters
    ----------
    panels
        At least one `BlotPanel`.
    width
        Width in CSS pixels.

    Returns
    -------
    png : bytes
    size : tuple of int
        Width and height in CSS pixels.
    """
    from matplotlib.collections import LineCollection

    columns = columns_for(len(panels))
    head, title, gap = 30, 20, 14
    wide = min((width - gap * (columns + 1)) / columns, 420)
    rows = [panels[k : k + columns] for k in range(0, len(panels), columns)]
    talls = [max(_scale(panel, wide) * panel.image.signal.shape[0] for panel in row) for row in rows]
    sheet = Sheet(width, round(head + sum(tall + title + gap for tall in talls)))
    lines: dict[tuple[str, float], list] = {}
    top = head
    for row, tall in zip(rows, talls, strict=True):
        for k, panel in enumerate(row):
            left = gap + k * (wide + gap)
            sheet.title(left, top + 10, wide, panel.status, panel.title, panel.said)
            _draw(sheet, lines, panel, (left, top + title), _scale(panel, wide))
            if panel.note:
                foot = top + title + _scale(panel, wide) * panel.image.signal.shape[0]
                sheet.note(left, foot - 8, wide, panel.status, panel.note)
        top += tall + title + gap
    for (colour, thick), paths in lines.items():
        sheet.axes.add_collection(LineCollection(paths, colors=colour, linewidths=thick, zorder=3))
    legend = Legend(sheet)
    legend.line("lane", color=LANE)
    legend.area("window of the target", facecolor="none", edgecolor=AMBER, linewidth=1)
    for which, colour in PAINT.items():
        if any(np.any(getattr(panel.image, which)) for panel in panels):
            legend.area(f"{which} pixels", color=colour)
    if any(panel.excluded_lanes for panel in panels):
        legend.line("excluded lane", color=MARKS["excluded"][1])
    legend.statuses(panel.status for panel in panels)
    return sheet.png(greys=_GREYS), sheet.size


def _scale(panel: BlotPanel, wide: float) -> float:
    """CSS pixels per pixel of the image: as wide as the column, but not much taller than wide."""
    height, width = panel.image.signal.shape
    return min(wide / width, 1.1 * wide / height)


def _draw(sheet: Sheet, lines: dict, panel: BlotPanel, at: tuple[float, float], scale: float) -> None:
    """The image with its overlays; `lines` collects them, to be drawn at once."""
    height, width = panel.image.signal.shape
    right, bottom = at[0] + scale * width, at[1] + scale * height
    sheet.axes.imshow(
        _small(panel, round(1.5 * scale * width)),
        extent=(at[0], right, bottom, at[1]), aspect="auto", interpolation="bilinear", zorder=1,
    )  # fmt: skip
    sheet.axes.set(xlim=(0, sheet.size[0]), ylim=(sheet.size[1], 0))

    def path(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(at[0] + scale * x, at[1] + scale * y) for x, y in points]

    lane_top, lane_bottom = panel.lanes["roi"][:2]
    boxes = corners(panel.lanes, panel.band)
    frame = path((0, 0), (width, 0), (width, height), (0, height), (0, 0))
    lines.setdefault(("#b5b5b5", 0.6), []).append(frame)
    for number, ((a, b, _), box) in enumerate(zip(panel.lanes["lanes"], boxes, strict=True), 1):
        x0, y0, x1, y1 = box
        lines.setdefault((LANE, 0.4), []).append(path((a, lane_top), (b, lane_bottom)))
        lines.setdefault((AMBER, 0.8), []).append(path((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)))
        if number in panel.excluded_lanes:
            cross = lines.setdefault((MARKS["excluded"][1], 1.0), [])
            cross += [path((x0, y0), (x1, y1)), path((x0, y1), (x1, y0))]
    n = len(boxes)
    pitch = scale * (panel.lanes["roi"][3] - panel.lanes["roi"][2]) / n
    for number, (a, *_) in enumerate(panel.lanes["lanes"], 1):
        if pitch >= 9 or number in (1, n):
            [(x, y)] = path((a, lane_top))
            y = max(y - 5, at[1] + 5)
            sheet.text(x, y, str(number), ha="center", fontsize=4.6, color=LANE, plate=True, zorder=4)


def _small(panel: BlotPanel, width: int) -> np.ndarray:
    """(h, w, 3) picture of about so many pixels across: protein dark, marked pixels in colour."""
    shape = panel.image.signal.shape
    copy = display(panel.image, most_pixels=max(1, round(width * width * shape[0] / shape[1])))
    linear = (copy.grey / np.float32(255)) ** 2
    low, high = np.quantile(linear, [0.01, 0.998])
    grey = 1 - np.clip((linear - low) / ((high - low) or 1.0), 0, 1)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    for mark, which in ((COLOURED, "coloured"), (SATURATED, "saturated")):
        picture[copy.marks == mark] = [int(PAINT[which][k : k + 2], 16) / 255 for k in (1, 3, 5)]
    return 0.5 + 0.5 * picture if panel.status == "excluded" else picture

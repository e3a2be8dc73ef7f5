"""The static picture of a study's dendrites: small projections with path and spines, for reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labkit.pickers.dendrite_images import Looks
from labkit.pickers.sheet import Legend, Sheet, columns_for

__all__ = ["CLASS_MARKS", "DendritePanel", "dendrite_grid", "projected"]

# A class is told by its shape; the colour (of the Wong palette) only helps.
CLASS_MARKS = {
    "mushroom": ("o", "#e69f00"),
    "thin": ("^", "#56b4e9"),
    "stubby": ("s", "#009e73"),
    "filopodium": ("D", "#cc79a7"),
    "unclassified": ("P", "#f0e442"),
}
_LINE = "#d55e00"
_GREYS = 20  # more could not be told apart at this size, and would double the bytes
_MARGIN_UM = 4.0


@dataclass(frozen=True, eq=False)
class DendritePanel:
    """One dendrite: its projection, path and spines.

    Attributes
    ----------
    title, status, note
        `status` is one of `labkit.pickers.sheet.MARKS`; `note` a remark ('' for none).
    grey : (h, w) uint8 ndarray
        Projection, in the contrast in which it is shown.
    um_per_px
        Size of its pixels.
    path : (n, 2) ndarray
        Row and column of the points of the path; empty if it is not traced.
    spines : sequence of (row, column, class)
    said
        What stands beside the title.
    """

    title: str
    status: str
    grey: np.ndarray
    um_per_px: float
    path: np.ndarray
    spines: Sequence[tuple[float, float, str]]
    said: str
    note: str = ""


def projected(
    looks: Looks, path_um: np.ndarray, spines_um: np.ndarray, *, most_px: int = 260
) -> dict[str, Any]:
    """Projection of a stack around a path (all of it without one), with path and spines on it.

    Returns
    -------
    dict
        `grey`, `um_per_px`, `path` of a `DendritePanel`, and `spines` as an (n, 2) array of rows and columns.
    """
    z, y, x = looks.item.shape
    box = (0, y, 0, x)
    planes = (0, z - 1)
    if len(path_um):
        voxels = looks.item.to_voxels(np.concatenate([path_um, spines_um]) if len(spines_um) else path_um)
        margin = np.array(
            [0 if z == 1 else 1.0 / looks.item.voxel_um[0], *_MARGIN_UM / looks.item.voxel_um[1:]]
        )
        low = np.floor(voxels.min(axis=0) - margin).astype(int)
        high = np.ceil(voxels.max(axis=0) + margin).astype(int)
        planes = (max(0, low[0]), min(z - 1, high[0]))
        box = (max(0, low[1]), min(y, high[1] + 1), max(0, low[2]), min(x, high[2] + 1))
    step = max(1, math.ceil(max(box[1] - box[0], box[3] - box[2]) / most_px))
    grey = looks.frame(planes, box, step)
    low_value, high_value = looks.window
    part = (looks.levels[grey] - low_value) / (high_value - low_value)
    shown = (np.clip(part, 0, 1) ** 0.7 * 255).astype(np.uint8)
    origin = np.array([box[0], box[2]])

    def to_px(um: np.ndarray) -> np.ndarray:
        return (looks.item.to_voxels(um)[:, 1:] - origin + 0.5) / step if len(um) else np.empty((0, 2))

    return {
        "grey": shown, "um_per_px": float(looks.item.voxel_um[2]) * step,
        "path": to_px(path_um), "spines": to_px(spines_um),
    }  # fmt: skip


def dendrite_grid(panels: Sequence[DendritePanel], *, width: int = 1000) -> tuple[bytes, tuple[int, int]]:
    """Draw all panels as one PNG.

    Parameters
    ----------
    panels
        At least one.
    width
        Width in CSS pixels; the bitmap has twice as many.

    Returns
    -------
    png : bytes
    size : tuple of int
        Width and height in CSS pixels.
    """
    from matplotlib.collections import LineCollection

    columns = columns_for(len(panels))
    rows = math.ceil(len(panels) / columns)
    head, foot, gap = 32, 10, 14
    wide = min((width - gap * (columns + 1)) / columns, 420.0)
    tall = min(0.8 * wide, 260.0) + 20
    sheet = Sheet(width, round(head + foot + rows * (tall + gap)))
    paths = []
    spines: dict[str, list[tuple[float, float]]] = {}
    for k, panel in enumerate(panels):
        left, top = gap + (k % columns) * (wide + gap), head + (k // columns) * (tall + gap)
        sheet.title(left, top + 10, wide, panel.status, panel.title, panel.said)
        h, w = panel.grey.shape
        scale = min(wide / w, (tall - 20) / h)
        x0, y0 = left + (wide - w * scale) / 2, top + 20 + (tall - 20 - h * scale) / 2
        sheet.axes.fill_between(
            [left, left + wide], top + 20, top + tall, color="#161616", linewidth=0, zorder=0
        )
        pale = 0.45 if panel.status == "excluded" else 1.0
        sheet.axes.imshow(
            _small(panel.grey, scale), extent=(x0, x0 + w * scale, y0 + h * scale, y0), cmap="gray", vmin=0,
            vmax=255, alpha=pale, interpolation="nearest", zorder=1,
        )  # fmt: skip
        if len(panel.path):
            paths.append(np.column_stack([x0 + panel.path[:, 1] * scale, y0 + panel.path[:, 0] * scale]))
        for row, column, spine_class in panel.spines:
            spines.setdefault(spine_class, []).append((x0 + column * scale, y0 + row * scale))
        _scale_bar(sheet, left, top + tall, scale / panel.um_per_px)
        if panel.note:
            sheet.note(left, top + 20 + (tall - 20) / 2, wide, panel.status, panel.note)
    sheet.axes.add_collection(LineCollection(paths, colors=_LINE, linewidths=0.5, alpha=0.8, zorder=2))
    for spine_class, places in spines.items():
        shape, colour = CLASS_MARKS[spine_class]
        sheet.axes.scatter(
            *np.transpose(places),
            marker=shape,
            s=7,
            color=colour,
            edgecolors="black",
            linewidths=0.3,
            zorder=3,
        )
    sheet.axes.set(xlim=(0, sheet.size[0]), ylim=(sheet.size[1], 0), aspect="auto")
    legend = Legend(sheet)
    legend.line("path", color=_LINE)
    for spine_class, (shape, colour) in CLASS_MARKS.items():
        if spine_class in spines:
            legend.line(
                f" {spine_class}", color=colour, marker=shape, markersize=4, markevery=[1], linestyle="none",
                markeredgecolor="black", markeredgewidth=0.4,
            )  # fmt: skip
    legend.statuses((panel.status for panel in panels), {"proposed": "not traced"})
    return sheet.png(), sheet.size


def _small(grey: np.ndarray, scale: float) -> np.ndarray:
    """No more pixels than are seen, and few greys: noise that nobody can see is most of a file."""
    step = max(1, round(1 / scale))
    h, w = (n // step * step for n in grey.shape)
    small = grey[:h, :w].reshape(h // step, step, w // step, step).mean(axis=(1, 3))
    return np.round(small / 255 * (_GREYS - 1)) * (255 / (_GREYS - 1))


def _scale_bar(sheet: Sheet, left: float, bottom: float, px_per_um: float) -> None:
    """The longest of 1, 2, 5, 10, ... µm that is no wider than 50 pixels, in the corner."""
    size = max(
        (m * 10.0**e for e in range(-1, 4) for m in (1, 2, 5) if m * 10.0**e * px_per_um <= 50), default=0.1
    )
    sheet.axes.plot(
        [left + 5, left + 5 + size * px_per_um], [bottom - 5] * 2, color="white", linewidth=1.2, zorder=4
    )
    sheet.text(left + 5, bottom - 12, f"{size:g} µm", color="white", fontsize=5)

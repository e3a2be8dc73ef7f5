"""The dendrite picker: paths are traced and spines corrected, a whole study in one widget.

The browser shows the planes, zooms, and drags points and marks on its own. It sends finished steps only, each
as a message with a number. Python applies each to its picks and answers with that number, the state
of all dendrites, and points and marks of the one in hand. Planes, the traced line with its straightened
strip, and crops of spines are asked for by the way, when they are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from labkit.errors import DataError, LabkitError
from labkit.pickers import spines_marks as marks
from labkit.pickers.dendrite_files import DendriteFiles
from labkit.pickers.dendrite_images import CROP_HALF_UM, CROP_PX, STRIP_HALF_UM, Looks, along
from labkit.pickers.dendrite_items import DendriteItem
from labkit.pickers.dendrite_picture import DendritePanel, dendrite_grid, projected
from labkit.pickers.widget import PickerWidget, one_module, one_sheet

__all__ = ["DendritePicker"]

_LINE_STEP_UM = 0.1  # points of the line that the browser draws


class DendritePicker(DendriteFiles, PickerWidget):
    """All dendrites of a study in one widget.

    Shown in JupyterLab it is the live picker; in a report it is a picture of the dendrites with their status.
    Picks are stored in the picks file beside each raw file, as ``path NEURON-DENDRITE`` (points z, y, x in
    µm) and ``spines NEURON-DENDRITE`` (marks, the removed ones too), and exclusions as ``exclude
    NEURON-DENDRITE``.

    Parameters
    ----------
    items
        At least one `DendriteItem`, in the order in which they are shown.
    trace
        Called with a stack and (K, 3) points in µm; gives an object with `path_um` (n, 3), `length_um` and
        `radius_um`.
    detect
        Called with a stack and what `trace` gave; gives a table with z_um, y_um, x_um, and where it has them
        confidence and spine_class.
    measure
        Called with a stack, what `trace` gave and (n, 3) points in µm of spines that a person added; gives a
        table like that of `detect`, one row per point. None: they are unclassified until a person says.
    blind
        Show codes only and store ``blind: true``. Otherwise file names are shown beside the codes.
    by
        Who is picking. Default: the login name.
    repeat, seed
        Share of the dendrites that are shown a second time, at the end and under another code, to learn how
        far the person agrees with themselves; and the seed of the draw. Their picks are named ``... again``.

    Raises
    ------
    DataError
        If there are no items, or two of them would store the same pick.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from types import SimpleNamespace
    >>> folder = tempfile.TemporaryDirectory()
    >>> raw = Path(folder.name, "n1.tif")
    >>> _ = raw.write_bytes(b"raw")
    >>> stack = SimpleNamespace(data=np.eye(64, dtype=np.uint8)[None].repeat(5, 0), voxel_um=(0.5, 0.1, 0.1))
    >>> def trace(stack, waypoints_um):
    ...     return SimpleNamespace(path_um=waypoints_um, length_um=8.5, radius_um=np.full(2, 0.3))
    >>> def detect(stack, dendrite):
    ...     return pd.DataFrame({"z_um": [1.0], "y_um": [2.0], "x_um": [2.5], "spine_class": ["thin"]})
    >>> item = DendriteItem("D417", raw, "1-1", stack)
    >>> picker = DendritePicker([item], trace=trace, detect=detect, by="ana")
    >>> picker
    Paths and spines of 1 dendrite: 0 confirmed, 0 changed, 1 not traced
    >>> picker.draw(0, [(1, 0, 0), (1, 6, 6)])
    >>> picker.find(0)
    >>> picker.add(0, (1, 4, 3.5), "stubby")
    >>> picker.confirm(0)
    >>> picker.dendrites()["D417"].spines[["z_um", "spine_class", "origin"]].values.tolist()
    [[1.0, 'thin', 'auto'], [1.0, 'stubby', 'added']]
    >>> picker.agreement()[["code", "precision", "recall"]].values.tolist()
    [['D417', 1.0, 0.5], ['all', 1.0, 0.5]]
    >>> folder.cleanup()
    """

    _esm = one_module(
        "axes.js", "page.js", "view.js", "dendrite_frames.js", "dendrite_view.js", "dendrite_plot.js",
        "dendrite_page.js", "dendrite_strip.js", "dendrite_input.js", "dendrite_hand.js",
        "dendrite_asked.js", "dendrite.js",
    )  # fmt: skip
    _css = one_sheet("picker.css", "dendrite.css")
    _items = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(
        self,
        items: Sequence[DendriteItem],
        *,
        trace: Callable[[Any, np.ndarray], Any],
        detect: Callable[[Any, Any], pd.DataFrame],
        measure: Callable[[Any, Any, np.ndarray], pd.DataFrame] | None = None,
        blind: bool = True,
        by: str | None = None,
        repeat: float = 0.1,
        seed: int = 0,
    ) -> None:
        self._looks: dict[int, Looks] = {}
        self._in_hand = 0
        DendriteFiles.__init__(
            self,
            items,
            trace=trace,
            detect=detect,
            measure=measure,
            blind=blind,
            by=by,
            repeat=repeat,
            seed=seed,
        )
        self._start(_items=[self._described(item) for item in self._all])

    # -- how it looks where no browser runs it

    def _picture(self) -> tuple[bytes, tuple[int, int], str]:
        items = self._firsts()
        panels = [self._panel(item) for item in items]
        png, size = dendrite_grid(panels)
        said = "One small projection each, with the path as a line and a mark for each spine by its class."
        if len(panels) <= 12:
            said += " " + "; ".join(f"{panel.title} {panel.said}" for panel in panels) + "."
        return png, size, said

    def _panel(self, item: DendriteItem) -> DendritePanel:
        own = marks.present(self._value(item, f"spines{item.pick_suffix}"))
        points = self._value(item, f"path{item.pick_suffix}")
        path, said, note = np.empty((0, 3)), "not traced", self._reason(item)
        if points:
            try:
                traced = self._traced_through(item, points)
                path = np.asarray(traced.path_um, float)
                said = f"{float(traced.length_um):.1f} µm, {len(own)} spine{'' if len(own) == 1 else 's'}"
            except LabkitError:
                said = "cannot be traced"
        if self._problem(item):
            note = "check again"
        places = np.array([[mark["z"], mark["y"], mark["x"]] for mark in own]).reshape(-1, 3)
        seen = projected(self._looks_of(item), path, places)
        spines = [
            (row, column, mark["class"]) for (row, column), mark in zip(seen.pop("spines"), own, strict=True)
        ]
        return DendritePanel(item.code, self._settled(item), **seen, spines=spines, said=said, note=note)

    def _looks_of(self, item: DendriteItem) -> Looks:
        if id(item.stack) not in self._looks:
            self._looks[id(item.stack)] = Looks(item)
        return self._looks[id(item.stack)]

    # -- the browser

    def _described(self, item: DendriteItem) -> dict[str, Any]:
        """What never changes of a dendrite."""
        return {
            "code": item.code,
            "file": "" if self._blind else item.file.name,
            "excludes": item.code,
            "shape": list(item.shape),
            "voxel": item.voxel_um.tolist(),
            "dark": item.is_brightfield,
        }

    def _snapshot_of(self, item: DendriteItem) -> dict[str, Any]:
        return {**super()._snapshot_of(item), "spines": len(marks.present(self._marks(item)))}

    def _snapshot(self, **answer: Any) -> dict[str, Any]:
        item = self._all[self._in_hand]
        points = self._points(item)
        hand = {
            "index": self._in_hand, "points": points, "key": repr(points), "stale": self._is_stale(item),
            "marks": self._marks(item),
        }  # fmt: skip
        return {**super()._snapshot(**answer), "hand": hand}

    def _do(self, index: int, step: Any) -> None:
        self._item(index)
        self._in_hand = index
        super()._do(index, step)

    def _heard(self, widget: Any, message: Any, buffers: Any) -> None:
        """What is looked at is asked for by the way; all else is a step."""
        asked = {
            "open": self._open_item,
            "frame": self._send_frame,
            "line": self._send_line,
            "crops": self._send_crops,
        }
        what = message.get("do") if isinstance(message, dict) else None
        if what not in asked:
            with_index = isinstance(message, dict) and _is_index(message.get("index"), len(self._all))
            self._in_hand = message["index"] if with_index else self._in_hand
            super()._heard(widget, message, buffers)
            return
        try:
            asked[what](self._item(message["index"]), message)
        except (LabkitError, KeyError, TypeError, ValueError) as error:
            said = self._in_words(error, self._all[0]) if isinstance(error, LabkitError) else "not understood"
            self.send({"failed": {"do": what, "index": message.get("index"), "error": said}})

    def _open_item(self, item: DendriteItem, message: dict[str, Any]) -> None:
        looks = self._looks_of(item)
        told = {"index": message["index"], "levels": looks.levels.tolist(), "window": list(looks.window)}
        self.send({"opened": told})
        self._in_hand = message["index"]
        self._publish()

    def _send_frame(self, item: DendriteItem, message: dict[str, Any]) -> None:
        planes, box, step = message["planes"], message["box"], int(message["step"])
        first, last = (int(plane) for plane in planes)
        top, bottom, left, right = (int(edge) for edge in box)
        _, y, x = item.shape
        if not (0 <= top < bottom <= y and 0 <= left < right <= x and 1 <= step <= max(y, x)):
            raise DataError(f"the part {box} is not in the image", where=item.name)
        grey = self._looks_of(item).frame((first, last), (top, bottom, left, right), step)
        told = {
            "index": message["index"],
            "key": message["key"],
            "height": grey.shape[0],
            "width": grey.shape[1],
        }
        self.send({"frame": told}, buffers=[grey.tobytes()])

    def _send_line(self, item: DendriteItem, message: dict[str, Any]) -> None:
        """The traced path, thinned out, and the strip along it; an error in its place where there is none."""
        told: dict[str, Any] = {"index": message["index"], "key": message["key"], "error": "", "line": []}
        strip = np.empty((0, 0), np.uint8)
        points = self._points(item)
        if points and repr(points) == message["key"]:
            try:
                dendrite = self._traced_through(item, points)
            except LabkitError as error:
                told["error"] = self._in_words(error, item)
            else:
                path = _thinned(np.asarray(dendrite.path_um, float))
                strip, um_per_px = self._looks_of(item).strip(path)
                told |= {
                    "line": np.round(path, 3).tolist(), "length": float(dendrite.length_um),
                    "flags": str(getattr(dendrite, "flags", "")), "height": strip.shape[0],
                    "width": strip.shape[1], "um_per_px": um_per_px, "half_um": STRIP_HALF_UM,
                }  # fmt: skip
        self.send({"line": told}, buffers=[strip.tobytes()])

    def _send_crops(self, item: DendriteItem, message: dict[str, Any]) -> None:
        """Crops around places, and where these lie along the path."""
        at = np.array(message["at"], float).reshape(-1, 3)
        looks, line = self._looks_of(item), self._line(item)
        crops = b"".join(looks.crop(place).tobytes() for place in at)
        lying = along(line, at).round(3).tolist() if line is not None else [None] * len(at)
        told = {
            "index": message["index"], "key": message["key"], "at": message["at"], "along": lying,
            "size": CROP_PX, "half_um": CROP_HALF_UM,
        }  # fmt: skip
        self.send({"crops": told}, buffers=[crops])

    def _apply(self, message: dict[str, Any]) -> int | None:
        planes = message.get("planes")
        match message:
            case {"do": "path", "index": index, "points": points}:
                self.draw(index, points, planes=planes)
            case {"do": "find", "index": index}:
                self.find(index)
            case {"do": "add", "index": index, "at": at}:
                self.add(index, at, message.get("class"), planes=planes)
            case {"do": "remove", "index": index, "at": at}:
                self.remove(index, at)
            case {"do": "shift", "index": index, "at": at, "to": to}:
                self.shift(index, at, to, planes=planes)
            case {"do": "reclass", "index": index, "at": at, "class": spine_class}:
                self.reclass(index, at, spine_class)
            case {"do": "undo"}:
                shown = self.undo()
                self._in_hand = self._in_hand if shown is None else shown
                return shown
            case _:
                return super()._apply(message)
        return None

    def _move_to(self, message: dict[str, Any]) -> None:
        """Each edit was a step of its own: confirming adds none."""


def _is_index(value: Any, n: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < n


def _thinned(path_um: np.ndarray) -> np.ndarray:
    """The path with points no nearer than 0.1 µm to each other, its ends kept."""
    steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path_um, axis=0), axis=1))])
    kept = [0]
    for k in range(1, len(path_um) - 1):
        if steps[k] - steps[kept[-1]] >= _LINE_STEP_UM:
            kept.append(k)
    return path_um[[*kept, len(path_um) - 1]]

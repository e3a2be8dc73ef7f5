"""The lanes picker: lanes and the target's window on every blot of a study, confirmed or moved by a person.

Zoom, contrast and a drag in progress stay in the browser. An image is sent once, when its blot is opened; a
finished step arrives here as one message, is applied by the same methods that a script calls, and is answered
with the state of all blots.
"""

from __future__ import annotations

from typing import Any

import traitlets

from labkit.errors import DataError
from labkit.pickers.display import display
from labkit.pickers.lanes_items import LanesItem, with_polarity
from labkit.pickers.lanes_picture import BlotPanel, blot_grid
from labkit.pickers.regions import RegionPicks
from labkit.pickers.widget import PickerWidget, one_module, one_sheet

__all__ = ["LanesPicker"]


class LanesPicker(RegionPicks, PickerWidget):
    """Lanes and windows of all blots of a study in one widget.

    Shown in JupyterLab it is the live picker; in a report it is a picture of the blots with their status.

    Parameters
    ----------
    items
        The blots, in the order shown.
    blind
        Whether file names are hidden; kept with each pick.
    by
        Who picks; default: ``LABKIT_USER`` or the login name.
    exclude_name, exclude_lane_name
        Names of the exclusions in the picks file; ``{target}``, ``{code}`` and ``{lane}`` are filled in.
        Without ``{target}`` an exclusion holds for all targets on the image.

    Raises
    ------
    DataError
        If there is no item, or two items would store the same pick.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from labkit import blots
    >>> folder = tempfile.TemporaryDirectory()
    >>> raw = Path(folder.name, "gel.tif")
    >>> _ = raw.write_bytes(b"raw data")
    >>> y, x = np.mgrid[:80, :120]
    >>> bands = sum(np.exp(-(((x - c) / 12) ** 4) - ((y - 40) / 4) ** 2) for c in (30, 90))
    >>> image = blots.as_image(np.uint16(1000 + 20000 * bands), polarity="bright")
    >>> lanes = {"roi": [5, 75, 0, 120], "lanes": [[30, 30, 14], [90, 90, 14]]}
    >>> band = {"centres": [40, 40], "half_height": 9}
    >>> picker = LanesPicker([LanesItem("B417", "PSD-95", "M1", raw, image, lanes, band)], by="ana")
    >>> picker
    Lanes and windows of 1 blot: 0 confirmed, 0 changed, 1 proposed
    >>> picker.move(0, band={"centres": [41, 39], "half_height": 9})
    >>> picker.confirm(0)
    >>> picker.regions()["B417"].band
    {'centres': [41.0, 39.0], 'half_height': 9.0}
    >>> picker
    Lanes and windows of 1 blot: 0 confirmed, 1 changed, 0 proposed
    >>> folder.cleanup()
    """

    _movable = ("lanes", "band", "polarity")
    _esm = one_module(
        "axes.js", "page.js", "view.js", "lanes_shape.js", "lanes_image.js", "lanes_page.js",
        "lanes_plot.js", "lanes_input.js", "lanes.js",
    )  # fmt: skip
    _css = one_sheet("picker.css", "lanes.css")
    _items = traitlets.List(traitlets.Dict()).tag(sync=True)

    def _ready(self) -> None:
        groups = list(dict.fromkeys(item.files for item in self._all))
        self._start(_items=[self._described(item, groups.index(item.files)) for item in self._all])

    def _picture(self) -> tuple[bytes, tuple[int, int], str]:
        png, size = blot_grid([self._panel(item) for item in self._all])
        said = "One small uncropped image each, protein dark: lanes as lines, the target's window as boxes."
        told = [
            f"{item.name}: {len(self._value(item, 'lanes')['lanes'])} lanes"
            + "".join(f", lane {lane} excluded ({reason})" for lane, reason in self._lanes_out(item).items())
            for item in self._all
        ]
        return png, size, f"{said} {'; '.join(told)}." if len(told) <= 12 else said

    def _panel(self, item: LanesItem) -> BlotPanel:
        return BlotPanel(
            item.name,
            item.membrane,
            self._settled(item),
            with_polarity(item.image, self._value(item, "polarity")),
            self._value(item, "lanes"),
            self._value(item, self._band_name(item)),
            self._reason(item) or ("check again" if self._problem(item) else ""),
            self._lanes_out(item),
        )

    # -- the browser

    def _described(self, item: LanesItem, group: int) -> dict[str, Any]:
        """What never changes of a blot; blots of one group share an image."""
        shared = [other.target for other in self._sharing(item)]
        return {
            "code": item.code,
            "target": item.target,
            "membrane": item.membrane,
            "file": "" if self._blind else item.file.name,
            "group": group,
            "excludes": f"{item.membrane} ({' and '.join(shared)})" if len(shared) > 1 else item.name,
            "shape": list(item.shape),
            "roles": list(item.roles),
            "polarity": item.image.polarity,
            "lanes": item.proposed_lanes,
            "band": item.proposed_band,
            "strips": [list(part) for part in item.strips],
            "warnings": [self._without_names(str(warning), item) for warning in item.image.warnings],
        }

    def _snapshot_of(self, item: LanesItem) -> dict[str, Any]:
        return {
            **super()._snapshot_of(item),
            "lanes": self._shown(item, "lanes"),
            "band": self._shown(item, self._band_name(item)),
            "polarity": self._shown(item, "polarity"),
            "out": {str(lane): reason for lane, reason in self._lanes_out(item).items()},
        }

    def _heard(self, widget: Any, message: Any, buffers: Any) -> None:
        """Images are asked for by the way; all else is a step."""
        match message:
            case {"do": "image", "index": index}:
                try:
                    item = self._item(index)
                except DataError:
                    return
                copy = display(item.image)
                height, width = copy.grey.shape
                told = {"index": index, "width": width, "height": height}
                told |= {"low": copy.low, "high": copy.high, "factor": copy.factor}
                self.send({"image": told}, buffers=[copy.packed()])
            case _:
                super()._heard(widget, message, buffers)

    def _apply(self, message: dict[str, Any]) -> int | None:
        match message:
            case {"do": "propose", "index": index, "n": n, "roi": [_, _, _, _] as roi}:
                self.propose(index, n, roi)
            case {"do": "reset", "index": index}:
                self.reset(index)
            case {"do": "exclude", "index": index, "reason": str(reason), "lane": int(lane)}:
                self.exclude(index, reason, lane=lane)
            case {"do": "include", "index": index, "lane": int(lane)}:
                self.include(index, lane=lane)
            case _:
                return super()._apply(message)
        return None

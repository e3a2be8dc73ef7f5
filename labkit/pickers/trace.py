"""The trace picker: the slope window of every trace of a study, confirmed or moved by a person.

What is only looked at (zoom, a drag in progress, which trace is open) stays in the browser. A finished step
arrives here as one message, is applied by the same methods that a script calls, and is answered with the
state of all traces.
"""

from __future__ import annotations

from typing import Any

import traitlets

from labkit.pickers.items import TraceItem
from labkit.pickers.picture import Panel, window_grid
from labkit.pickers.widget import PickerWidget, one_module, one_sheet
from labkit.pickers.windows import WindowPicks

__all__ = ["TraceItem", "TracePicker"]


class TracePicker(WindowPicks, PickerWidget):
    """All slope windows of a study in one widget.

    Shown in JupyterLab it is the live picker; in a report it is a picture of the windows with their status.

    Parameters
    ----------
    items
        The traces, in the order shown.
    blind
        Whether file names are hidden; kept with each pick.
    by
        Who picks; default: ``LABKIT_USER`` or the login name.
    pick_name, exclude_name
        Names of the two picks in the picks file; ``{pathway}`` and ``{code}`` are filled in. Without
        ``{pathway}`` an exclusion holds for all pathways of the recording.

    Raises
    ------
    DataError
        If there is no item, or two items would store the same pick.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> raw = Path(folder.name, "rec01.abf")
    >>> _ = raw.write_bytes(b"raw data")
    >>> time_ms = np.arange(-5, 40, 0.05)
    >>> trace = np.where(time_ms > 3, -(time_ms - 3) * np.exp((3 - time_ms) / 4), 0)
    >>> item = TraceItem("R01", "S0", (raw,), time_ms, {"baseline": trace}, (3.5, 5.0))
    >>> picker = TracePicker([item], by="ana")
    >>> picker
    Slope windows of 1 trace: 0 confirmed, 0 changed, 1 proposed
    >>> picker.move(0, 3.4, 4.9)
    >>> picker.confirm(0)
    >>> picker.windows()
    {('R01', 'S0'): (3.4, 4.9)}
    >>> TracePicker([item])
    Slope windows of 1 trace: 0 confirmed, 1 changed, 0 proposed
    >>> folder.cleanup()
    """

    _movable = ("window",)
    _esm = one_module(
        "axes.js", "page.js", "view.js", "trace_page.js", "trace_plot.js", "trace_input.js", "trace.js"
    )
    _css = one_sheet("picker.css", "trace.css")
    _items = traitlets.List(traitlets.Dict()).tag(sync=True)
    _traces = traitlets.List(traitlets.Bytes()).tag(sync=True)

    def _ready(self) -> None:
        self._start(
            _items=[self._described(item) for item in self._all],
            _traces=[item.packed() for item in self._all],
        )

    def _picture(self) -> tuple[bytes, tuple[int, int], str]:
        png, size = window_grid([self._panel(item) for item in self._all])
        labels = dict.fromkeys(label for item in self._all for label in item.traces_mV)
        said = f"One small plot each: mean traces ({', '.join(labels)}), slope window shaded."
        if len(self._all) <= 12:
            told = ["{} {:.2f} to {:.2f} ms".format(item.name, *self._window(item)) for item in self._all]
            said += f" {'; '.join(told)}."
        return png, size, said

    def _panel(self, item: TraceItem) -> Panel:
        note = self._reason(item) or ("check again" if self._problem(item) else "")
        return Panel(
            item.name,
            self._settled(item),
            item.time_ms,
            item.traces_mV,
            self._window(item),
            item.blank_ms,
            note,
        )

    # -- the browser

    def _described(self, item: TraceItem) -> dict[str, Any]:
        """What never changes of a trace, its values apart."""
        shared = [other.pathway for other in self._sharing(item)]
        return {
            "code": item.code,
            "pathway": item.pathway,
            "file": "" if self._blind else ", ".join(file.name for file in item.files),
            "excludes": f"{item.code} ({' and '.join(shared)})" if len(shared) > 1 else item.name,
            "labels": list(item.traces_mV),
            "n": item.time_ms.size,
            "proposal": item.proposal_ms,
            "blank": item.blank_ms,
        }

    def _snapshot_of(self, item: TraceItem) -> dict[str, Any]:
        return {**super()._snapshot_of(item), "window": self._shown(item, self._window_name(item))}

    def _move_as_told(self, index: int, moved: dict[str, Any]) -> None:
        a, b = moved["window"]
        self.move(index, a, b)

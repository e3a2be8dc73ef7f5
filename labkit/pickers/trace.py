"""The trace picker: the slope window of every trace of a study, confirmed or moved by a person.

What is only looked at (zoom, a drag in progress, which trace is open) stays in the browser. A finished step
arrives here as one message, is applied by the same methods that a script calls, and is answered with the
state of all traces.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from labkit.errors import LabkitError
from labkit.pickers.items import TraceItem
from labkit.pickers.picture import Panel, window_grid
from labkit.pickers.windows import Mark, WindowPicks

__all__ = ["TraceItem", "TracePicker"]

_HERE = Path(__file__).parent


def _one_module(*names: str) -> str:
    """Scripts joined into the one module that a widget can be, without their imports from each other."""
    text = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
    return re.sub(r'^import \{[^}]*\} from "\./[^"]*";\n', "", text, flags=re.MULTILINE)


class TracePicker(WindowPicks, anywidget.AnyWidget):
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

    _esm = _one_module("axes.js", "trace_page.js", "trace_plot.js", "trace_input.js", "trace.js")
    _css = (_HERE / "trace.css").read_text(encoding="utf-8")
    _items = traitlets.List(traitlets.Dict()).tag(sync=True)
    _traces = traitlets.List(traitlets.Bytes()).tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        items: Sequence[TraceItem],
        *,
        blind: bool = True,
        by: str | None = None,
        pick_name: str = "window_ms {pathway}",
        exclude_name: str = "exclude",
    ) -> None:
        WindowPicks.__init__(self, items, blind=blind, by=by, pick_name=pick_name, exclude_name=exclude_name)
        anywidget.AnyWidget.__init__(
            self,
            _items=[self._described(mark) for mark in self._marks],
            _traces=[mark.item.packed() for mark in self._marks],
            _state=self._snapshot(),
        )
        self.on_msg(self._heard)

    # -- how it looks where no browser runs it

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        png, (width, height) = window_grid([_panel(mark) for mark in self._marks])
        data["text/plain"] = repr(self)
        data["image/png"] = base64.b64encode(png).decode("ascii")
        labels = dict.fromkeys(label for mark in self._marks for label in mark.item.traces_mV)
        alt = f"{self!r}. One small plot each: mean traces ({', '.join(labels)}), slope window shaded."
        if len(self._marks) <= 12:
            told = ["{} {:.2f} to {:.2f} ms".format(mark.item.name, *mark.window) for mark in self._marks]
            alt += f" {'; '.join(told)}."
        return data, {**metadata, "image/png": {"alt": alt, "width": width, "height": height}}

    # -- the browser

    def _described(self, mark: Mark) -> dict[str, Any]:
        """What never changes of a trace, its values apart."""
        item = mark.item
        shared = [other.item.pathway for other in self._sharing(mark)]
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

    def _snapshot(self, **answer: Any) -> dict[str, Any]:
        """What is known of every trace, as an answer to a message or to nobody."""
        marks = [
            {
                "window": mark.draft or mark.window,
                "status": "moved" if mark.draft and not mark.reason else mark.status,
                "reason": mark.reason,
                "problem": mark.problem,
                "at": mark.stored.at if mark.stored else "",
                "by": mark.stored.by if mark.stored else "",
                "fresh": mark.fresh,
            }
            for mark in self._marks
        ]
        nobody = {"view": "", "number": 0, "show": None, "error": ""}
        return {"items": marks, "undo": bool(self._steps), **nobody, **answer}

    def _publish(self) -> None:
        self._state = self._snapshot()

    def _heard(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """Apply one message of the browser and answer it; whatever it holds, nothing is raised or lost."""
        message = message if isinstance(message, dict) else {}
        error, show = "", None
        with self.hold_sync():  # the browser gets the answer only, not the steps to it
            try:
                show = self._apply(message)
            except LabkitError as problem:
                error = str(problem)
                with contextlib.suppress(LabkitError):
                    show = message.get("index")
                    error = self._in_words(problem, self._mark(show).item)
            except (TypeError, ValueError):
                error = "The picker did not understand its own page: reload the page; what was saved is safe."
            self._state = self._snapshot(
                view=message.get("view"), number=message.get("number"), show=show, error=error
            )

    def _apply(self, message: dict[str, Any]) -> int | None:
        """Do what a message asks; the index of the trace to show, if it should be another one."""
        match message:
            case {"do": "move", "index": index, "window": [a, b]}:
                self.move(index, a, b)
            case {"do": "confirm", "index": index, "window": [a, b]}:
                self.move(index, a, b)
                self.confirm(index)
            case {"do": "exclude", "index": index, "reason": str(reason)}:
                self.exclude(index, reason)
            case {"do": "include", "index": index}:
                self.include(index)
            case {"do": "undo"}:
                return self.undo()
            case _:
                raise ValueError(message)
        return None


def _panel(mark: Mark) -> Panel:
    item = mark.item
    return Panel(
        item.name, mark.status, item.time_ms, item.traces_mV, mark.window, item.blank_ms,
        mark.reason or ("check again" if mark.problem else ""),
    )  # fmt: skip

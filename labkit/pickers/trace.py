"""The trace picker: the slope window of every trace of a study, confirmed or moved by a person.

What is only looked at (zoom, a drag in progress, which trace is open) stays in the browser. A finished step
arrives here as one message, is applied by the same methods that a script calls, and is answered with the
state of all traces.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from labkit import picks
from labkit.errors import DataError, LabkitError, PickError
from labkit.pickers.items import TraceItem, Window
from labkit.pickers.picture import Panel, window_grid

__all__ = ["TraceItem", "TracePicker"]

_HERE = Path(__file__).parent


def _one_module(*names: str) -> str:
    """Scripts joined into the one module that a widget can be, without their imports from each other."""
    text = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
    return re.sub(r'^import \{[^}]*\} from "\./[^"]*";\n', "", text, flags=re.MULTILINE)


@dataclass
class _Mark:
    """What is known of the window of one item."""

    stored: picks.Pick | None = None
    exclusion: picks.Pick | None = None
    draft: Window | None = None
    problem: str = ""
    fresh: bool = False  # stored in this session

    @property
    def reason(self) -> str:
        return str(self.exclusion.value) if self.exclusion else ""


class TracePicker(anywidget.AnyWidget):
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

    _esm = _one_module("axes.js", "trace_page.js", "trace_plot.js", "trace.js")
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
        self._traced = tuple(items)
        self._blind, self._by = blind, by
        self._names = [pick_name.format(pathway=item.pathway, code=item.code) for item in self._traced]
        self._exclude_names = [
            exclude_name.format(pathway=item.pathway, code=item.code) for item in self._traced
        ]
        self._refuse_clashes()
        self._marks = self._load()
        self._steps: list[tuple[int, _Mark]] = []
        self._answering = False
        super().__init__(
            _items=[self._described(i) for i in range(len(self._traced))],
            _traces=[item.packed() for item in self._traced],
            _state=self._snapshot(),
        )
        self.on_msg(self._heard)

    # -- what was picked

    def windows(self, *, strict: bool | None = None) -> dict[tuple[str, str], Window]:
        """The window of each (code, pathway) in ms after the stimulus: the stored one, else the proposal.

        A window that was moved but not yet confirmed does not count.

        Parameters
        ----------
        strict
            Refuse proposals that nobody has confirmed, those of excluded traces apart. Default: the
            environment variable ``LABKIT_STRICT``.

        Raises
        ------
        PickError
            If stored picks cannot be used, or, in strict mode, are missing.
        """
        broken = [mark.problem for mark in self._marks if mark.problem]
        if broken:
            raise PickError(broken[0].rstrip("."), todo=f"{len(broken)} in all" if len(broken) > 1 else "")
        if picks.strict_mode() if strict is None else strict:
            missing = [
                i.name for i, m in zip(self._traced, self._marks, strict=True) if not (m.stored or m.reason)
            ]
            if missing:
                named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
                raise PickError(
                    f"{len(missing)} of {len(self._traced)} windows are confirmed by nobody ({named})",
                    todo="open the notebook and confirm them, or accept the proposals without strict mode",
                )
        return {(item.code, item.pathway): self._kept(i) for i, item in enumerate(self._traced)}

    def status(self) -> pd.DataFrame:
        """One row per trace: code, pathway, window_start_ms, window_end_ms, origin, excluded.

        `origin` is *proposed*, *confirmed* or *changed*; `excluded` is the reason, '' when included.
        """
        rows = [
            (item.code, item.pathway, *np.round(self._kept(i), 3), _origin(mark), mark.reason)
            for i, (item, mark) in enumerate(zip(self._traced, self._marks, strict=True))
        ]
        columns = ["code", "pathway", "window_start_ms", "window_end_ms", "origin", "excluded"]
        return pd.DataFrame(rows, columns=columns)

    def picks(self) -> list[picks.Pick]:
        """Every pick that counts, for the provenance of a result: windows, proposed or not, exclusions."""
        used = []
        for i, (item, mark) in enumerate(zip(self._traced, self._marks, strict=True)):
            proposal = {"kind": "window", "value": list(item.proposal_ms), "unit": "ms", "origin": "proposed"}
            used.append(mark.stored or picks.Pick(name=self._names[i], **proposal))
            if mark.exclusion and mark.exclusion not in used:
                used.append(mark.exclusion)
        return used

    def caution(self) -> str:
        """What a reader must know before trusting the windows; '' when a person has looked at all of them."""
        proposed = sum(not (mark.stored or mark.reason) for mark in self._marks)
        if not proposed:
            return ""
        return (
            f"{proposed} of {len(self._marks)} slope windows are proposals of labkit that nobody has "
            "confirmed; confirm them in the picker of notebook 1."
        )

    # -- what a person does, in the widget or in a script

    def confirm(self, index: int) -> None:
        """Store the window of trace `index` (from 0, in the order shown) as it stands, moved or not.

        Its origin is *confirmed* when it is the proposal, else *changed*. A stored window that did not move
        stays as it is.

        Raises
        ------
        PickError
            If it cannot be stored; a moved window is kept in the picker.
        """
        self._do(index, self._confirm)

    def move(self, index: int, a: float, b: float) -> None:
        """Move the window of trace `index` to [a, b] ms; it counts, and is stored, once confirmed."""
        window = self._item(index).checked(a, b)

        def step(i: int, mark: _Mark) -> None:
            mark.draft = None if window == self._kept(i) and not mark.problem else window

        self._do(index, step)

    def exclude(self, index: int, reason: str) -> None:
        """Exclude the recording of trace `index`, for a reason in words."""
        reason = " ".join(str(reason).split())
        if not reason:
            raise PickError(
                "no reason is given for the exclusion", todo="say in words why", where=self._item(index).name
            )
        self._do(index, lambda i, mark: self._store_exclusion(i, reason, "changed"))

    def include(self, index: int) -> None:
        """Take an exclusion back; it stays in the history of the picks file."""
        if self._item(index) and self._marks[index].reason:
            self._do(index, lambda i, mark: self._store_exclusion(i, "", "confirmed"))

    def undo(self) -> int | None:
        """Take the last step of this session back; its trace's index, or None when there is none left."""
        if not self._steps:
            return None
        index, before = self._steps[-1]
        mark = self._marks[index]
        if mark.stored != before.stored:
            self._put_back(index, self._names[index], before.stored)
        if mark.exclusion != before.exclusion:
            self._put_back(index, self._exclude_names[index], before.exclusion)
            self._share_exclusion(index, before.exclusion)
        self._marks[index] = before
        self._steps.pop()
        self._publish()
        return index

    # -- how it looks

    def __repr__(self) -> str:
        origins = ["excluded" if mark.reason else _origin(mark) for mark in self._marks]
        count = {origin: origins.count(origin) for origin in ("confirmed", "changed", "proposed", "excluded")}
        said = ", ".join(f"{n} {origin}" for origin, n in count.items() if n or origin != "excluded")
        n = len(origins)
        return f"Slope windows of {n} trace{'' if n == 1 else 's'}: {said}"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        png, (width, height) = window_grid([self._panel(i) for i in range(len(self._traced))])
        data["text/plain"] = repr(self)
        data["image/png"] = base64.b64encode(png).decode("ascii")
        labels = dict.fromkeys(label for item in self._traced for label in item.traces_mV)
        alt = f"{self!r}. One small plot each: mean traces ({', '.join(labels)}), slope window shaded."
        if len(self._traced) <= 12:
            told = [
                f"{item.name} {a:.2f} to {b:.2f} ms"
                for item, (a, b) in zip(self._traced, map(self._kept, range(len(self._traced))), strict=True)
            ]
            alt += f" {'; '.join(told)}."
        return data, {**metadata, "image/png": {"alt": alt, "width": width, "height": height}}

    def _panel(self, index: int) -> Panel:
        item, mark = self._traced[index], self._marks[index]
        status = "excluded" if mark.reason else _origin(mark)
        return Panel(
            item.name, status, item.time_ms, item.traces_mV, self._kept(index), item.blank_ms,
            mark.reason or ("check again" if mark.problem else ""),
        )  # fmt: skip

    # -- storing

    def _confirm(self, index: int, mark: _Mark) -> None:
        item = self._traced[index]
        window = mark.draft or self._kept(index)
        if mark.stored is None or mark.draft is not None:
            origin = "confirmed" if window == item.proposal_ms else "changed"
            mark.stored = picks.save(
                item.files, self._names[index], list(window), kind="window", unit="ms",
                origin=origin, by=self._by, blind=self._blind,
            )  # fmt: skip
            mark.fresh = True
        mark.draft, mark.problem = None, ""

    def _store_exclusion(self, index: int, reason: str, origin: picks.Origin) -> None:
        pick = picks.save(
            self._traced[index].files, self._exclude_names[index], reason, kind="exclusion",
            origin=origin, by=self._by, blind=self._blind,
        )  # fmt: skip
        self._share_exclusion(index, pick)

    def _share_exclusion(self, index: int, pick: picks.Pick | None) -> None:
        for other in self._sharing(index):
            self._marks[other].exclusion = pick

    def _sharing(self, index: int) -> list[int]:
        """Traces that the exclusion of this one holds for: it and the other pathways of its recording."""
        own = (self._traced[index].files, self._exclude_names[index])
        return [i for i, name in enumerate(self._exclude_names) if (self._traced[i].files, name) == own]

    def _put_back(self, index: int, name: str, pick: picks.Pick | None) -> None:
        files = self._traced[index].files
        if pick is None:
            picks.remove(files, name, reason="undone")
        else:
            picks.save(files, name, **pick.model_dump(exclude={"name", "software"}))

    def _do(self, index: int, step: Callable[[int, _Mark], None]) -> None:
        """Do one step that can be undone; when it fails nothing has changed."""
        self._item(index)
        mark = self._marks[index]
        before = _Mark(**vars(mark))
        try:
            step(index, mark)
        except LabkitError:
            self._marks[index] = before
            raise
        if mark != before:
            self._steps.append((index, before))
        self._publish()

    def _item(self, index: int) -> TraceItem:
        if (
            isinstance(index, bool)
            or not isinstance(index, int | np.integer)
            or not 0 <= index < len(self._traced)
        ):
            raise DataError(
                f"there is no trace {index!r}", expected=f"a number from 0 to {len(self._traced) - 1}"
            )
        return self._traced[index]

    def _kept(self, index: int) -> Window:
        """The window that counts."""
        pick = self._marks[index].stored
        return (float(pick.value[0]), float(pick.value[1])) if pick else self._traced[index].proposal_ms

    # -- loading

    def _refuse_clashes(self) -> None:
        if not self._traced:
            raise DataError("there is no trace to pick on", todo="check the study's list of recordings")
        keys = [(item.files, name) for item, name in zip(self._traced, self._names, strict=True)]
        for i, key in enumerate(keys):
            first = keys.index(key)
            if first != i:
                names = f"{self._traced[first].name} and {self._traced[i].name}"
                raise DataError(
                    f"{names} would store the same pick", expected="one trace per file and pathway"
                )

    def _load(self) -> list[_Mark]:
        marks = []
        known: dict[tuple[Path, ...], dict[str, picks.Pick] | PickError] = {}
        for item, name, exclude_name in zip(self._traced, self._names, self._exclude_names, strict=True):
            if item.files not in known:
                known[item.files] = self._stored(item)
            found = known[item.files]
            if isinstance(found, PickError):
                marks.append(_Mark(problem=self._in_words(found, item)))
                continue
            mark = _Mark(stored=found.get(name), exclusion=found.get(exclude_name))
            if mark.stored is not None:
                try:
                    item.checked(*mark.stored.value)
                except (DataError, TypeError, ValueError):
                    problem = f"{item.name}: the stored window does not fit this trace; confirm it again."
                    mark = _Mark(exclusion=mark.exclusion, problem=problem)
            marks.append(mark)
        return marks

    def _stored(self, item: TraceItem) -> dict[str, picks.Pick] | PickError:
        """All picks of a recording, its bytes compared once, or the error that keeps them from being used."""
        try:
            sidecar = picks.load(item.files)
            if sidecar is None or not sidecar.picks:
                return {}
            picks.get(item.files, next(iter(sidecar.picks)), strict=False)
        except PickError as error:
            return error
        return dict(sidecar.picks)

    # -- the browser

    def _described(self, index: int) -> dict[str, Any]:
        item = self._traced[index]
        shared = [self._traced[i].pathway for i in self._sharing(index)]
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
        marks = [
            {
                "window": mark.draft or self._kept(i),
                "status": "excluded" if mark.reason else "moved" if mark.draft else _origin(mark),
                "reason": mark.reason,
                "problem": mark.problem,
                "at": mark.stored.at if mark.stored else "",
                "by": mark.stored.by if mark.stored else "",
                "fresh": mark.fresh,
            }
            for i, mark in enumerate(self._marks)
        ]
        nobody = {"view": "", "number": 0, "show": None, "error": ""}
        return {"items": marks, "undo": bool(self._steps), **nobody, **answer}

    def _publish(self, **answer: Any) -> None:
        if not self._answering:
            self._state = self._snapshot(**answer)

    def _heard(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """Apply one message of the browser and answer it; whatever it holds, nothing is raised or lost."""
        message = message if isinstance(message, dict) else {}
        error, show = "", None
        self._answering = True
        try:
            show = self._apply(message)
        except LabkitError as problem:
            error = str(problem)
            with contextlib.suppress(LabkitError):
                show = message.get("index")
                error = self._in_words(problem, self._item(show))
        except (TypeError, ValueError):
            error = "The picker did not understand its own page: reload the page; what was saved is safe."
        finally:
            self._answering = False
        self._publish(view=message.get("view"), number=message.get("number"), show=show, error=error)

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

    def _in_words(self, error: LabkitError, item: TraceItem) -> str:
        """The error as one sentence that, while blind, names the code and no file."""
        clauses = [error.found, error.expected and f"expected {error.expected}", error.todo]
        sentence = f"{item.name}: {'; '.join(clause for clause in clauses if clause)}"
        if self._blind:
            for file in item.files:
                for name in (str(file), file.name, file.stem):
                    sentence = sentence.replace(name, item.code)
        return sentence.rstrip(".") + "."


def _origin(mark: _Mark) -> str:
    return mark.stored.origin if mark.stored else "proposed"

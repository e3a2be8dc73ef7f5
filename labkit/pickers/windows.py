"""What was picked: the slope window of each trace and the exclusions, loaded, stored, undone; no widget.

A window *counts* when it is stored, else the proposal counts; a window that was only moved is a draft.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from labkit import picks
from labkit.errors import DataError, LabkitError, PickError
from labkit.pickers.items import TraceItem, Window
from labkit.picks import Origin, Pick

__all__ = ["Mark", "WindowPicks"]


@dataclass
class Mark:
    """One trace and what is known of its window."""

    item: TraceItem
    pick_name: str
    exclude_name: str
    stored: Pick | None = None
    exclusion: Pick | None = None
    draft: Window | None = None
    problem: str = ""
    fresh: bool = False  # stored in this session

    @property
    def window(self) -> Window:
        """The window that counts."""
        if self.stored is None:
            return self.item.proposal_ms
        return float(self.stored.value[0]), float(self.stored.value[1])

    @property
    def origin(self) -> Origin:
        return self.stored.origin if self.stored else "proposed"

    @property
    def reason(self) -> str:
        """Why the recording is excluded, '' when it is included."""
        return str(self.exclusion.value) if self.exclusion else ""

    @property
    def status(self) -> str:
        """*excluded*, else the origin of the window that counts."""
        return "excluded" if self.reason else self.origin


class WindowPicks:
    """Slope windows and exclusions of all traces of a study; the parameters are those of `TracePicker`."""

    def __init__(
        self,
        items: Sequence[TraceItem],
        *,
        blind: bool = True,
        by: str | None = None,
        pick_name: str = "window_ms {pathway}",
        exclude_name: str = "exclude",
    ) -> None:
        self._blind, self._by = blind, by
        self._marks = [
            Mark(
                item,
                *(name.format(pathway=item.pathway, code=item.code) for name in (pick_name, exclude_name)),
            )
            for item in items
        ]
        self._refuse_clashes()
        self._load()
        self._steps: list[tuple[int, Mark]] = []  # index of each step's trace, and its mark before the step

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
        missing = self._unconfirmed()
        if missing and (picks.strict_mode() if strict is None else strict):
            named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise PickError(
                f"{len(missing)} of {len(self._marks)} windows are confirmed by nobody ({named})",
                todo="open the notebook and confirm them, or accept the proposals without strict mode",
            )
        return {(mark.item.code, mark.item.pathway): mark.window for mark in self._marks}

    def status(self) -> pd.DataFrame:
        """One row per trace: code, pathway, window_start_ms, window_end_ms, origin, excluded.

        `origin` is *proposed*, *confirmed* or *changed*; `excluded` is the reason, '' when included.
        """
        rows = [
            (mark.item.code, mark.item.pathway, *np.round(mark.window, 3), mark.origin, mark.reason)
            for mark in self._marks
        ]
        columns = ["code", "pathway", "window_start_ms", "window_end_ms", "origin", "excluded"]
        return pd.DataFrame(rows, columns=columns)

    def picks(self) -> list[Pick]:
        """Every pick that counts, for the provenance of a result: windows, proposed or not, exclusions."""
        used = []
        for mark in self._marks:
            proposal = {"kind": "window", "value": list(mark.item.proposal_ms), "unit": "ms"}
            used.append(mark.stored or Pick(name=mark.pick_name, origin="proposed", **proposal))
            if mark.exclusion and mark.exclusion not in used:
                used.append(mark.exclusion)
        return used

    def caution(self) -> str:
        """What a reader must know before trusting the windows; '' when a person has looked at all of them."""
        proposed = len(self._unconfirmed())
        if not proposed:
            return ""
        return (
            f"{proposed} of {len(self._marks)} slope windows are proposals of labkit that nobody has "
            "confirmed; confirm them in the picker of notebook 1."
        )

    def __repr__(self) -> str:
        statuses = [mark.status for mark in self._marks]
        count = {
            status: statuses.count(status) for status in ("confirmed", "changed", "proposed", "excluded")
        }
        said = ", ".join(f"{n} {status}" for status, n in count.items() if n or status != "excluded")
        n = len(statuses)
        return f"Slope windows of {n} trace{'' if n == 1 else 's'}: {said}"

    def _unconfirmed(self) -> list[str]:
        """Names of the traces whose proposal nobody has looked at, excluded ones apart."""
        return [mark.item.name for mark in self._marks if not (mark.stored or mark.reason)]

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
        self._do(index, self._store_window)

    def move(self, index: int, a: float, b: float) -> None:
        """Move the window of trace `index` to [a, b] ms; it counts, and is stored, once confirmed."""
        window = self._mark(index).item.checked(a, b)

        def step(mark: Mark) -> None:
            mark.draft = None if window == mark.window and not mark.problem else window

        self._do(index, step)

    def exclude(self, index: int, reason: str) -> None:
        """Exclude the recording of trace `index`, for a reason in words."""
        reason = " ".join(str(reason).split())
        if not reason:
            name = self._mark(index).item.name
            raise PickError("no reason is given for the exclusion", todo="say in words why", where=name)
        self._do(index, lambda mark: self._store_exclusion(mark, reason, "changed"))

    def include(self, index: int) -> None:
        """Take an exclusion back; it stays in the history of the picks file."""
        if self._mark(index).reason:
            self._do(index, lambda mark: self._store_exclusion(mark, "", "confirmed"))

    def undo(self) -> int | None:
        """Take the last step of this session back; its trace's index, or None when there is none left."""
        if not self._steps:
            return None
        index, before = self._steps[-1]
        mark = self._marks[index]
        if mark.stored != before.stored:
            _put_back(mark.item, mark.pick_name, before.stored)
        if mark.exclusion != before.exclusion:
            _put_back(mark.item, mark.exclude_name, before.exclusion)
            self._share_exclusion(mark, before.exclusion)
        self._marks[index] = before
        self._steps.pop()
        self._publish()
        return index

    def _do(self, index: int, step: Callable[[Mark], None]) -> None:
        """Do one step that can be undone; when it fails nothing has changed."""
        mark = self._mark(index)
        before = dataclasses.replace(mark)
        try:
            step(mark)
        except LabkitError:
            self._marks[index] = before
            raise
        if mark != before:
            self._steps.append((index, before))
        self._publish()

    def _publish(self) -> None:
        """A step is done: called for whoever shows the picks."""

    def _mark(self, index: int) -> Mark:
        n = len(self._marks)
        if isinstance(index, bool) or not isinstance(index, int | np.integer) or not 0 <= index < n:
            raise DataError(f"there is no trace {index!r}", expected=f"a number from 0 to {n - 1}")
        return self._marks[index]

    # -- storing

    def _store_window(self, mark: Mark) -> None:
        window = mark.draft or mark.window
        if mark.stored is None or mark.draft is not None:
            mark.stored = picks.save(
                mark.item.files, mark.pick_name, list(window), kind="window", unit="ms",
                origin="confirmed" if window == mark.item.proposal_ms else "changed",
                by=self._by, blind=self._blind,
            )  # fmt: skip
            mark.fresh = True
        mark.draft, mark.problem = None, ""

    def _store_exclusion(self, mark: Mark, reason: str, origin: Origin) -> None:
        pick = picks.save(
            mark.item.files, mark.exclude_name, reason, kind="exclusion",
            origin=origin, by=self._by, blind=self._blind,
        )  # fmt: skip
        self._share_exclusion(mark, pick)

    def _share_exclusion(self, mark: Mark, pick: Pick | None) -> None:
        for other in self._sharing(mark):
            other.exclusion = pick

    def _sharing(self, mark: Mark) -> list[Mark]:
        """What the exclusion of this trace holds for: it and the other pathways of its recording."""
        own = (mark.item.files, mark.exclude_name)
        return [other for other in self._marks if (other.item.files, other.exclude_name) == own]

    # -- loading

    def _refuse_clashes(self) -> None:
        if not self._marks:
            raise DataError("there is no trace to pick on", todo="check the study's list of recordings")
        first: dict[tuple[tuple[Path, ...], str], Mark] = {}
        for mark in self._marks:
            other = first.setdefault((mark.item.files, mark.pick_name), mark)
            if other is not mark:
                raise DataError(
                    f"{other.item.name} and {mark.item.name} would store the same pick",
                    expected="one trace per file and pathway",
                )

    def _load(self) -> None:
        known: dict[tuple[Path, ...], dict[str, Pick] | PickError] = {}
        for mark in self._marks:
            item = mark.item
            if item.files not in known:
                known[item.files] = _stored(item)
            found = known[item.files]
            if isinstance(found, PickError):
                mark.problem = self._in_words(found, item)
                continue
            mark.stored, mark.exclusion = found.get(mark.pick_name), found.get(mark.exclude_name)
            if mark.stored is not None:
                try:
                    item.checked(*mark.stored.value)
                except (DataError, TypeError, ValueError):
                    mark.stored = None
                    mark.problem = (
                        f"{item.name}: the stored window does not fit this trace; confirm it again."
                    )

    def _in_words(self, error: LabkitError, item: TraceItem) -> str:
        """The error as one sentence that, while blind, names the code and no file."""
        clauses = [error.found, error.expected and f"expected {error.expected}", error.todo]
        sentence = f"{item.name}: {'; '.join(clause for clause in clauses if clause)}"
        if self._blind:
            for file in item.files:
                for name in (str(file), file.name, file.stem):
                    sentence = sentence.replace(name, item.code)
        return sentence.rstrip(".") + "."


def _stored(item: TraceItem) -> dict[str, Pick] | PickError:
    """All picks of a recording, its bytes compared once, or the error that keeps them from being used."""
    try:
        sidecar = picks.load(item.files)
        if sidecar is None or not sidecar.picks:
            return {}
        picks.get(item.files, next(iter(sidecar.picks)), strict=False)
    except PickError as error:
        return error
    return dict(sidecar.picks)


def _put_back(item: TraceItem, name: str, pick: Pick | None) -> None:
    if pick is None:
        picks.remove(item.files, name, reason="undone")
    else:
        picks.save(item.files, name, **pick.model_dump(exclude={"name", "software"}))

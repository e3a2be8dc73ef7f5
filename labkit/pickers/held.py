"""The picks of a whole study while a picker is open: loaded, drafted, stored, excluded, undone; no widget.

A pick *counts* when it is stored, else its proposal counts; what was only moved is a draft and does not.
Several items may look at one raw file; what is known of its picks is then shared by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from labkit import picks
from labkit.errors import DataError, LabkitError, PickError
from labkit.picks import Origin, Pick

__all__ = ["Held", "HeldPicks", "Item"]

Files = tuple[Path, ...]


class Item(Protocol):
    """What a picker picks on: a blind code, a name for messages, and the raw files."""

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def files(self) -> Files: ...


T = TypeVar("T", bound=Item)


@dataclass
class Held:
    """What is known of the picks of one raw file, by the name of the pick."""

    stored: dict[str, Pick] = field(default_factory=dict)
    drafts: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)  # names stored in this session

    def copy(self) -> Held:
        return Held(dict(self.stored), dict(self.drafts), dict(self.problems), set(self.fresh))


class HeldPicks(Generic[T]):
    """The picks of all items of a study, each by name.

    A subclass says which picks make an item (`_names`, `_proposal`, `_checked`) and what they are called.
    """

    _thing = "item"  # what one item is
    _picked = "picks"  # what is picked on it, several
    _where = "the notebook"  # where the picker stands

    def __init__(self, items: Sequence[T], *, blind: bool, by: str | None) -> None:
        self._all, self._blind, self._by = list(items), blind, by
        self._held: dict[Files, Held] = {}
        self._steps: list[tuple[int, Files, Held]] = []  # item of each step, and what was held before it
        if not self._all:
            raise DataError(f"there is no {self._thing} to pick on", todo="check the study's list of files")
        self._refuse_clashes()
        self._load()

    # -- what a subclass says

    def _names(self, item: T) -> tuple[str, ...]:
        """Names of the picks that are all stored once the item is confirmed; the last is its own alone."""
        raise NotImplementedError

    def _exclude_name(self, item: T) -> str:
        raise NotImplementedError

    def _proposal(self, item: T, name: str) -> Any:
        """What labkit proposes, in the form that is stored."""
        raise NotImplementedError

    def _checked(self, item: T, name: str, value: Any) -> Any:
        """The value in the form that is stored, or a `DataError`."""
        raise NotImplementedError

    def _kind(self, name: str) -> dict[str, str]:
        """Kind and unit of a pick."""
        raise NotImplementedError

    # -- what is known

    def _stored(self, item: T, name: str) -> Pick | None:
        """The stored pick, when it holds for this item."""
        return self._held[item.files].stored.get(name)

    def _value(self, item: T, name: str) -> Any:
        """What counts."""
        pick = self._stored(item, name)
        return self._proposal(item, name) if pick is None else self._checked(item, name, pick.value)

    def _shown(self, item: T, name: str) -> Any:
        """The draft, else what counts."""
        drafts = self._held[item.files].drafts
        return drafts[name] if name in drafts else self._value(item, name)

    def _origin(self, item: T) -> Origin:
        """Of an item: *changed* when one of its picks is, *proposed* when one of them is not stored."""
        origins = {pick.origin if pick else "proposed" for pick in self._stored_picks(item)}
        return next(origin for origin in ("proposed", "changed", "confirmed") if origin in origins)

    def _reason(self, item: T) -> str:
        """Why the item is excluded, '' when it is included."""
        pick = self._held[item.files].stored.get(self._exclude_name(item))
        return str(pick.value) if pick else ""

    def _settled(self, item: T) -> str:
        """*excluded*, else the origin of what counts."""
        return "excluded" if self._reason(item) else self._origin(item)

    def _status(self, item: T) -> str:
        """The same, with *moved* where a draft waits to be confirmed."""
        drafts = self._held[item.files].drafts
        moved = any(name in drafts for name in self._names(item)) and not self._reason(item)
        return "moved" if moved else self._settled(item)

    def _problem(self, item: T) -> str:
        problems = self._held[item.files].problems
        return next((problems[name] for name in self._names(item) if name in problems), "")

    def _stored_picks(self, item: T) -> list[Pick | None]:
        return [self._stored(item, name) for name in self._names(item)]

    def _unconfirmed(self) -> list[T]:
        """Items that nobody has confirmed, excluded ones apart."""
        return [item for item in self._all if None in self._stored_picks(item) and not self._reason(item)]

    def _snapshot_of(self, item: T) -> dict[str, Any]:
        """What a page shows of every kind of item: its status, and who confirmed it when."""
        stored = [pick for pick in self._stored_picks(item) if pick]
        complete = len(stored) == len(self._names(item))
        latest = max(stored, key=lambda pick: pick.at) if complete else None
        return {
            "status": self._status(item),
            "reason": self._reason(item),
            "problem": self._problem(item),
            "at": latest.at if latest else "",
            "by": latest.by if latest else "",
            "fresh": bool(self._held[item.files].fresh.intersection(self._names(item))),
        }

    # -- what a notebook asks

    def picks(self) -> list[Pick]:
        """Every pick that counts, for the provenance of a result: proposed ones too, and exclusions."""
        used: dict[tuple[Files, str], Pick] = {}
        for item in self._all:
            for name in self._names(item):
                stored = self._stored(item, name)
                proposed = Pick(
                    name=name, value=self._value(item, name), origin="proposed", **self._kind(name)
                )
                used.setdefault((item.files, name), stored or proposed)
            for name in self._exclusions(item):
                used.setdefault((item.files, name), self._held[item.files].stored[name])
        return list(used.values())

    def caution(self) -> str:
        """What a reader must know before trusting the picks; '' when a person has looked at all of them."""
        proposed = len(self._unconfirmed())
        if not proposed:
            return ""
        return (
            f"{proposed} of {len(self._all)} {self._picked} are proposals of labkit that nobody has "
            f"confirmed; confirm them in the picker of {self._where}."
        )

    def __repr__(self) -> str:
        statuses = [self._settled(item) for item in self._all]
        told = ("confirmed", "changed", "proposed", "excluded")
        count = {status: statuses.count(status) for status in told}
        said = ", ".join(f"{n} {status}" for status, n in count.items() if n or status != "excluded")
        n = len(statuses)
        return f"{self._picked.capitalize()} of {n} {self._thing}{'' if n == 1 else 's'}: {said}"

    def _refuse(self, strict: bool | None) -> None:
        """Raise when stored picks cannot be used, or, in strict mode, are missing."""
        broken = [problem for item in self._all if (problem := self._problem(item))]
        if broken:
            raise PickError(broken[0].rstrip("."), todo=f"{len(broken)} in all" if len(broken) > 1 else "")
        missing = [item.name for item in self._unconfirmed()]
        if missing and (picks.strict_mode() if strict is None else strict):
            named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise PickError(
                f"{len(missing)} of {len(self._all)} {self._picked} are confirmed by nobody ({named})",
                todo="open the notebook and confirm them, or accept the proposals without strict mode",
            )

    # -- what a person does, in the widget or in a script

    def confirm(self, index: int) -> None:
        """Store what is shown of item `index` (from 0, in the order shown), moved or not.

        The origin is *confirmed* where it is the proposal, else *changed*. What is stored and did not move
        stays as it is.

        Raises
        ------
        PickError
            If it cannot be stored; what was moved is kept in the picker.
        """
        self._do(index, self._confirm)

    def exclude(self, index: int, reason: str) -> None:
        """Exclude item `index`, for a reason in words, and all that shares its exclusion."""
        item = self._item(index)
        reason = self._reason_in_words(reason, item)
        self._do(index, lambda item, held: self._store(item, held, self._exclude_name(item), reason))

    def include(self, index: int) -> None:
        """Take an exclusion back; it stays in the history of the picks file."""
        item = self._item(index)
        if self._reason(item):
            self._do(index, lambda item, held: self._store(item, held, self._exclude_name(item), ""))

    def undo(self) -> int | None:
        """Take the last step of this session back; its item's index, or None when there is none left."""
        if not self._steps:
            return None
        index, files, before = self._steps[-1]
        now = self._held[files].stored
        for name in now.keys() | before.stored.keys():
            pick = before.stored.get(name)
            if pick == now.get(name):
                continue
            if pick is None:
                picks.remove(files, name, reason="undone")
            else:
                picks.save(files, name, **pick.model_dump(exclude={"name", "software"}))
        self._held[files] = before
        self._steps.pop()
        self._publish()
        return index

    def _do(self, index: int, step: Callable[[T, Held], None]) -> None:
        """Do one step that can be undone; when it fails, only what was stored by then has changed."""
        item = self._item(index)
        before = self._held[item.files].copy()
        held = self._held[item.files]
        try:
            step(item, held)
        except LabkitError:
            held.drafts, held.problems = before.drafts, before.problems
            raise
        finally:
            if held != before:
                self._steps.append((index, item.files, before.copy()))
        self._publish()

    def _ready(self) -> None:
        """All is loaded: called for whoever shows the picks."""

    def _publish(self) -> None:
        """A step is done: called alike."""

    def _item(self, index: int) -> T:
        n = len(self._all)
        if isinstance(index, bool) or not isinstance(index, int | np.integer) or not 0 <= index < n:
            raise DataError(f"there is no {self._thing} {index!r}", expected=f"a number from 0 to {n - 1}")
        return self._all[index]

    # -- drafting and storing

    def _draft(self, item: T, held: Held, name: str, value: Any) -> None:
        """Keep a checked value as a draft, unless it is what counts already."""
        if value == self._value(item, name) and name not in held.problems:
            held.drafts.pop(name, None)
        else:
            held.drafts[name] = value

    def _confirm(self, item: T, held: Held) -> None:
        for name in self._names(item):
            if self._stored(item, name) is None or name in held.drafts or name in held.problems:
                self._store(item, held, name, self._shown(item, name))
            held.drafts.pop(name, None)
            held.problems.pop(name, None)

    def _store(self, item: T, held: Held, name: str, value: Any) -> None:
        if name in self._names(item):
            kind = self._kind(name)
            origin = "confirmed" if value == self._proposal(item, name) else "changed"
        else:
            kind = {"kind": "exclusion"}
            origin = "changed" if value else "confirmed"
        stored = list(value) if isinstance(value, tuple) else value
        held.stored[name] = picks.save(
            item.files, name, stored, origin=origin, by=self._by, blind=self._blind, **kind
        )
        held.fresh.add(name)

    def _reason_in_words(self, reason: Any, item: T) -> str:
        words = " ".join(str(reason).split())
        if not words:
            raise PickError("no reason is given for the exclusion", todo="say in words why", where=item.name)
        return words

    def _exclusions(self, item: T) -> list[str]:
        """Names of the stored exclusions that hold for the item."""
        name = self._exclude_name(item)
        return [name] if name in self._held[item.files].stored else []

    def _sharing(self, item: T) -> list[T]:
        """The items that one exclusion holds for."""
        own = (item.files, self._exclude_name(item))
        return [other for other in self._all if (other.files, self._exclude_name(other)) == own]

    # -- loading

    def _refuse_clashes(self) -> None:
        first: dict[tuple[Files, str], T] = {}
        for item in self._all:
            other = first.setdefault((item.files, self._names(item)[-1]), item)
            if other is not item:
                raise DataError(
                    f"{other.name} and {item.name} would store the same pick",
                    expected=f"each {self._thing} with a pick of its own",
                )

    def _load(self) -> None:
        """Read the picks of all files; the bytes of each are compared once."""
        for files in dict.fromkeys(item.files for item in self._all):
            items = [item for item in self._all if item.files == files]
            held = self._held[files] = Held()
            try:
                sidecar = picks.load(files)
                if sidecar is not None and sidecar.picks:
                    picks.get(files, next(iter(sidecar.picks)), strict=False)
                    held.stored = dict(sidecar.picks)
            except PickError as error:
                held.problems = {self._names(item)[-1]: self._in_words(error, item) for item in items}
            for item in items:
                self._refuse_unfit(item, held)

    def _refuse_unfit(self, item: T, held: Held) -> None:
        """Stored picks that cannot be used on the item are told, and not used."""
        for name in self._names(item):
            try:
                if name in held.stored:
                    self._checked(item, name, held.stored[name].value)
            except (LabkitError, TypeError, ValueError):
                del held.stored[name]
                held.problems[name] = (
                    f"{item.name}: the stored {name} does not fit this {self._thing}; confirm it again."
                )

    def _in_words(self, error: LabkitError, item: T) -> str:
        """The error as one sentence that, while blind, names the code and no file."""
        clauses = [error.found, error.expected and f"expected {error.expected}", error.todo]
        return self._without_names(f"{item.name}: {'; '.join(clause for clause in clauses if clause)}", item)

    def _without_names(self, sentence: str, item: T) -> str:
        if self._blind:
            for file in item.files:
                for name in (str(file), file.name, file.stem):
                    sentence = sentence.replace(name, item.code)
        return sentence.rstrip(".") + "."

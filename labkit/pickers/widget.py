"""What every picker does as a widget: scripts joined, messages answered, a picture in the bundle."""

from __future__ import annotations

import base64
import contextlib
import re
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from labkit.errors import LabkitError
from labkit.pickers.held import HeldPicks

__all__ = ["PickerWidget", "one_module", "one_sheet"]

_HERE = Path(__file__).parent


def one_module(*names: str) -> str:
    """Scripts joined into the one module that a widget can be, without their imports from each other."""
    text = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
    return re.sub(r'^import \{[^}]*\} from "\./[^"]*";\n', "", text, flags=re.MULTILINE)


def one_sheet(*names: str) -> str:
    """Style sheets joined."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


class PickerWidget(HeldPicks, anywidget.AnyWidget):
    """The widget side of a picker; the picks do what the messages ask.

    `_state` goes to the browser only: what is known of every item, as an answer to a message or to nobody.
    """

    _movable: tuple[str, ...] = ()  # what a message may say is moved
    _state = traitlets.Dict().tag(sync=True, echo_update=False)

    def _start(self, **traits: Any) -> None:
        """Become a widget once the picks are loaded."""
        anywidget.AnyWidget.__init__(self, _state=self._snapshot(), **traits)
        self.on_msg(self._heard)

    def _publish(self) -> None:
        self._state = self._snapshot()

    def _snapshot(self, **answer: Any) -> dict[str, Any]:
        nobody = {"view": "", "number": 0, "show": None, "error": ""}
        marks = [self._snapshot_of(item) for item in self._all]
        return {"items": marks, "undo": bool(self._steps), **nobody, **answer}

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
                    error = self._in_words(problem, self._item(show))
            except (KeyError, TypeError, ValueError):
                error = "The picker did not understand its own page: reload the page; what was saved is safe."
            self._state = self._snapshot(
                view=message.get("view"), number=message.get("number"), show=show, error=error
            )

    def _apply(self, message: dict[str, Any]) -> int | None:
        """Do what a message asks; the index of the item to show, if it should be another one."""
        moved = {name: message[name] for name in self._movable if message.get(name) is not None}
        match message:
            case {"do": "confirm", "index": index}:
                if moved:
                    self._move_as_told(index, moved)
                self.confirm(index)
            case {"do": "move", "index": index} if moved:
                self._move_as_told(index, moved)
            case {"do": "exclude", "index": index, "reason": str(reason)}:
                self.exclude(index, reason)
            case {"do": "include", "index": index}:
                self.include(index)
            case {"do": "undo"}:
                return self.undo()
            case _:
                raise ValueError(message)
        return None

    def _move_as_told(self, index: int, moved: dict[str, Any]) -> None:
        self.move(index, **moved)

    def _picture(self) -> tuple[bytes, tuple[int, int], str]:
        """What stands in a report: a PNG, its size in CSS pixels, and what to say of it beside the counts."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        png, (width, height), said = self._picture()
        data["text/plain"] = repr(self)
        data["image/png"] = base64.b64encode(png).decode("ascii")
        alt = f"{self!r}. {said}"
        return data, {**metadata, "image/png": {"alt": alt, "width": width, "height": height}}

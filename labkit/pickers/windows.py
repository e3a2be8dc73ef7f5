"""What was picked on traces: the slope window of each, and the exclusions of recordings; no widget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from labkit.pickers.held import Held, HeldPicks
from labkit.pickers.items import TraceItem, Window

__all__ = ["WindowPicks"]


class WindowPicks(HeldPicks[TraceItem]):
    """Slope windows and exclusions of all traces of a study; the parameters are those of `TracePicker`."""

    _thing, _picked, _where = "trace", "slope windows", "notebook 1"

    def __init__(
        self,
        items: Sequence[TraceItem],
        *,
        blind: bool = True,
        by: str | None = None,
        pick_name: str = "window_ms {pathway}",
        exclude_name: str = "exclude",
    ) -> None:
        self._pick_name, self._excluded_by = pick_name, exclude_name
        super().__init__(items, blind=blind, by=by)
        self._ready()

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
        self._refuse(strict)
        return {(item.code, item.pathway): self._window(item) for item in self._all}

    def status(self) -> pd.DataFrame:
        """One row per trace: code, pathway, window_start_ms, window_end_ms, origin, excluded.

        `origin` is *proposed*, *confirmed* or *changed*; `excluded` is the reason, '' when included.
        """
        rows = [
            (
                item.code,
                item.pathway,
                *np.round(self._window(item), 3),
                self._origin(item),
                self._reason(item),
            )
            for item in self._all
        ]
        columns = ["code", "pathway", "window_start_ms", "window_end_ms", "origin", "excluded"]
        return pd.DataFrame(rows, columns=columns)

    def move(self, index: int, a: float, b: float) -> None:
        """Move the window of trace `index` to [a, b] ms; it counts, and is stored, once confirmed."""
        window = self._item(index).checked(a, b)

        def step(item: TraceItem, held: Held) -> None:
            self._draft(item, held, self._window_name(item), window)

        self._do(index, step)

    # -- names and values of the picks

    def _window_name(self, item: TraceItem) -> str:
        return self._pick_name.format(pathway=item.pathway, code=item.code)

    def _names(self, item: TraceItem) -> tuple[str, ...]:
        return (self._window_name(item),)

    def _exclude_name(self, item: TraceItem) -> str:
        return self._excluded_by.format(pathway=item.pathway, code=item.code)

    def _window(self, item: TraceItem) -> Window:
        """The window that counts."""
        return self._value(item, self._window_name(item))

    def _proposal(self, item: TraceItem, name: str) -> Window:
        return item.proposal_ms

    def _checked(self, item: TraceItem, name: str, value: Any) -> Window:
        return item.checked(*value)

    def _kind(self, name: str) -> dict[str, str]:
        return {"kind": "window", "unit": "ms"}

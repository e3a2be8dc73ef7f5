"""What was picked on blots: lanes, the window of each target, polarity, exclusions; no widget.

Lanes and polarity belong to the image, and with it to every target on it; a window belongs to its target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import pandas as pd

from labkit.errors import DataError
from labkit.pickers.held import Held, HeldPicks
from labkit.pickers.lanes_items import LanesItem, with_polarity
from labkit.pickers.shapes import Band, carried, even_lanes
from labkit.picks import Pick

__all__ = ["RegionPicks", "Regions"]


@dataclass(frozen=True, eq=False)
class Regions:
    """Where one target is measured.

    Attributes
    ----------
    lanes, band
        As a person left them, else as they were proposed; of the same classes as the proposals.
    polarity
        How bands look in the file: *bright* or *dark*.
    excluded
        Why the whole blot is excluded, '' when it is included.
    excluded_lanes : dict of int to str
        Why a lane is excluded, by its number from 1.
    """

    lanes: Any
    band: Any
    polarity: str
    excluded: str
    excluded_lanes: Mapping[int, str]


class RegionPicks(HeldPicks[LanesItem]):
    """Lanes and windows of all blots of a study; the parameters are those of `LanesPicker`."""

    _thing, _picked, _where = "blot", "lanes and windows", "notebook 2"

    def __init__(
        self,
        items: Sequence[LanesItem],
        *,
        blind: bool = True,
        by: str | None = None,
        exclude_name: str = "exclude",
        exclude_lane_name: str = "exclude lane {lane}",
    ) -> None:
        self._excluded_by, self._lane_excluded_by = exclude_name, exclude_lane_name
        super().__init__(items, blind=blind, by=by)
        self._ready()

    # -- what a notebook asks

    def regions(self, *, strict: bool | None = None) -> dict[str, Regions]:
        """Where each blot is measured, by code: what is stored, else the proposal.

        What was moved but not yet confirmed does not count.

        Parameters
        ----------
        strict
            Refuse proposals that nobody has confirmed, those of excluded blots apart. Default: the
            environment variable ``LABKIT_STRICT``.

        Raises
        ------
        PickError
            If stored picks cannot be used, or, in strict mode, are missing.
        """
        self._refuse(strict)
        return {
            item.code: Regions(
                _as_given(item.lanes, item.proposed_lanes, self._value(item, "lanes")),
                _as_given(item.band, item.proposed_band, self._value(item, self._band_name(item))),
                self._value(item, "polarity"),
                self._reason(item),
                self._lanes_out(item),
            )
            for item in self._all
        }

    def status(self) -> pd.DataFrame:
        """One row per blot: code, target, status, n_lanes, excluded.

        `status` is *proposed*, *confirmed*, *changed* or *excluded*; `excluded` gives the reasons, of the
        blot or of single lanes, '' when all is included.
        """
        rows = []
        for item in self._all:
            lanes_out = [f"lane {lane}: {reason}" for lane, reason in self._lanes_out(item).items()]
            reasons = "; ".join(filter(None, [self._reason(item), *lanes_out]))
            n_lanes = len(self._value(item, "lanes")["lanes"])
            rows.append((item.code, item.target, self._settled(item), n_lanes, reasons))
        return pd.DataFrame(rows, columns=["code", "target", "status", "n_lanes", "excluded"])

    def caution(self) -> str:
        """What a reader must know before trusting the picks; '' when a person has looked at all of them."""
        amiss = [
            f"{item.code} has {n} lanes where the sheet of lanes lists {len(item.roles)}"
            for item in self._all
            if item.roles
            and not self._reason(item)
            and (n := len(self._value(item, "lanes")["lanes"])) != len(item.roles)
        ]
        sentence = f"{'; '.join(amiss)}: mend the lanes, or the sheet." if amiss else ""
        return " ".join(filter(None, [super().caution(), sentence]))

    # -- what a person does, in the widget or in a script

    def move(self, index: int, *, lanes: Any = None, band: Any = None, polarity: str | None = None) -> None:
        """Move what is given of blot `index`; it counts, and is stored, once confirmed.

        Where the number of lanes changes, the windows of all targets on the image are carried along.

        Raises
        ------
        DataError
            If lanes and window do not fit the image or each other.
        """
        item = self._item(index)
        given = {"lanes": lanes, "polarity": polarity, self._band_name(item): band}
        new = {name: self._checked(item, name, value) for name, value in given.items() if value is not None}
        n = len(new.get("lanes", self._shown(item, "lanes"))["lanes"])
        if band is not None and len(new[self._band_name(item)]["centres"]) != n:
            raise DataError(
                f"the window has {len(new[self._band_name(item)]['centres'])} centres in {n} lanes",
                expected="one for each lane", where=item.name,
            )  # fmt: skip

        def step(item: LanesItem, held: Held) -> None:
            if "lanes" in new:
                self._carry(item, held, new["lanes"])
            for name, value in new.items():
                self._draft(item, held, name, value)

        self._do(index, step)

    def propose(self, index: int, n_lanes: int | None = None, roi: Sequence[float] | None = None) -> None:
        """Place the lanes of blot `index` anew, `n_lanes` of them in a region (top, bottom, left, right)."""
        item = self._item(index)
        lanes, band = self._shown(item, "lanes"), self._shown(item, self._band_name(item))
        n_lanes = len(lanes["lanes"]) if n_lanes is None else int(n_lanes)
        roi = lanes["roi"] if roi is None else [float(value) for value in roi]
        if n_lanes < 1:
            raise DataError(f"{n_lanes} lanes are asked for", expected="1 or more", where=item.name)
        if item.propose is None:
            even = item.checked("lanes", even_lanes(n_lanes, roi))
            self.move(index, lanes=even, band=carried(band, even, before=lanes))
            return
        image = with_polarity(item.image, self._shown(item, "polarity"))
        found, window = item.propose(image, n_lanes, tuple(roi), float(median(band["centres"])))
        self.move(index, lanes=found, band=window)

    def reset(self, index: int) -> None:
        """Back to what was proposed for blot `index`; stored once confirmed."""
        item = self._item(index)
        self.move(index, lanes=item.proposed_lanes, band=item.proposed_band, polarity=item.image.polarity)

    def exclude(self, index: int, reason: str, *, lane: int | None = None) -> None:
        """Exclude blot `index`, or one lane of it (numbered from 1), for a reason in words."""
        if lane is None:
            super().exclude(index, reason)
            return
        item = self._item(index)
        name, words = self._lane_name(item, lane), self._reason_in_words(reason, item)
        self._do(index, lambda item, held: self._store(item, held, name, words))

    def include(self, index: int, *, lane: int | None = None) -> None:
        """Take an exclusion back; it stays in the history of the picks file."""
        item = self._item(index)
        if lane is None:
            super().include(index)
        elif lane in self._lanes_out(item):
            name = self._lane_name(item, lane)
            self._do(index, lambda item, held: self._store(item, held, name, ""))

    # -- names and values of the picks

    def _band_name(self, item: LanesItem) -> str:
        return f"band {item.target}"

    def _names(self, item: LanesItem) -> tuple[str, ...]:
        return "lanes", "polarity", self._band_name(item)

    def _exclude_name(self, item: LanesItem) -> str:
        return self._excluded_by.format(target=item.target, code=item.code)

    def _lane_name(self, item: LanesItem, lane: int) -> str:
        n = len(self._shown(item, "lanes")["lanes"])
        if isinstance(lane, bool) or not isinstance(lane, int) or not 1 <= lane <= n:
            raise DataError(f"there is no lane {lane!r}", expected=f"a number from 1 to {n}", where=item.name)
        return self._lane_excluded_by.format(target=item.target, code=item.code, lane=lane)

    def _lanes_out(self, item: LanesItem) -> dict[int, str]:
        """Reasons of the excluded lanes by number."""
        stored = self._held[item.files].stored
        n = max(len(self._shown(item, "lanes")["lanes"]), len(self._value(item, "lanes")["lanes"]))
        names = {
            lane: self._lane_excluded_by.format(target=item.target, code=item.code, lane=lane)
            for lane in range(1, n + 1)
        }
        return {
            lane: str(stored[name].value)
            for lane, name in names.items()
            if name in stored and stored[name].value
        }

    def _exclusions(self, item: LanesItem) -> list[str]:
        stored = self._held[item.files].stored
        of_lanes = [self._lane_name(item, lane) for lane in self._lanes_out(item)]
        return super()._exclusions(item) + [name for name in of_lanes if name in stored]

    def _proposal(self, item: LanesItem, name: str) -> Any:
        if name == "lanes":
            return item.proposed_lanes
        return item.image.polarity if name == "polarity" else item.proposed_band

    def _checked(self, item: LanesItem, name: str, value: Any) -> Any:
        return item.checked(name if name in ("lanes", "polarity") else "band", value)

    def _kind(self, name: str) -> dict[str, str]:
        if name == "polarity":
            return {"kind": "polarity"}
        return {"kind": "lanes" if name == "lanes" else "band", "unit": "px"}

    # -- windows follow the number of lanes

    def _stored(self, item: LanesItem, name: str) -> Pick | None:
        """A stored window holds for as many lanes as it was made on."""
        pick = super()._stored(item, name)
        if pick is not None and name == self._band_name(item):
            n = len(self._value(item, "lanes")["lanes"])
            return pick if len(pick.value["centres"]) == n else None
        return pick

    def _value(self, item: LanesItem, name: str) -> Any:
        value = super()._value(item, name)
        if name != self._band_name(item) or self._stored(item, name):
            return value
        outdated = super()._stored(item, name)
        band: Band = value if outdated is None else item.checked("band", outdated.value)
        lanes = self._value(item, "lanes")
        if len(band["centres"]) == len(lanes["lanes"]):
            return band
        return carried(band, lanes, before=item.proposed_lanes)

    def _carry(self, item: LanesItem, held: Held, lanes: Any) -> None:
        """Windows of all targets on the image follow to another number of lanes, as drafts."""
        before, n = self._shown(item, "lanes"), len(lanes["lanes"])
        for other in self._all:
            if other.files != item.files:
                continue
            name = self._band_name(other)
            if len(self._shown(other, name)["centres"]) == n:
                continue
            if len(self._value(other, name)["centres"]) == n:
                held.drafts.pop(name, None)  # back to as many lanes as count
            else:
                held.drafts[name] = carried(self._shown(other, name), lanes, before=before)


def _as_given(given: Any, proposal: Any, value: Any) -> Any:
    """A stored value in the class of the proposal; the proposal itself where it counts."""
    if value == proposal:
        return given
    return type(given).from_pick(value) if hasattr(given, "from_pick") else value

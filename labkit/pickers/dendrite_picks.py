"""Paths and spine marks of a whole study while a picker is open; no widget.

Nobody proposes a path: a dendrite is open until a person traced it. Two or more points are clicked, the path
between them is traced, spines are found along it, and the person corrects the marks. Points and marks of one
dendrite are stored together, as ``path NEURON-DENDRITE`` and ``spines NEURON-DENDRITE``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from labkit import picks
from labkit.errors import DataError, LabkitError, PickError
from labkit.pickers import spines_marks as marks
from labkit.pickers.dendrite_images import brightest_z
from labkit.pickers.dendrite_items import DendriteItem, Waypoints, checked_waypoints, with_repeats
from labkit.pickers.held import Held, HeldPicks
from labkit.pickers.spines_compare import Look, Repeats, agreement, repeats
from labkit.picks import Pick

__all__ = ["DendritePicks", "PickedDendrite"]

_NEAR_PATH_UM = 2.0  # how far in depth from the path a spine is looked for under a click on a projection


@dataclass(frozen=True, eq=False)
class PickedDendrite:
    """One dendrite as a person left it.

    Attributes
    ----------
    waypoints_um : (K, 3) ndarray
        Points that were clicked: z, y, x.
    dendrite
        What `trace` gave for them: the path, its length and radius.
    spines : DataFrame
        One row per spine: z_um, y_um, x_um, spine_class, origin (auto, added, moved, reclassed), confidence.
    removed : DataFrame
        The same of what was found and a person removed.
    origin
        *confirmed* where the marks were left as they were found, else *changed*.
    excluded
        Why the dendrite is excluded, '' when it is included.
    """

    waypoints_um: np.ndarray
    dendrite: Any
    spines: pd.DataFrame
    removed: pd.DataFrame
    origin: str
    excluded: str


class DendritePicks(HeldPicks[DendriteItem]):
    """Paths and marks of all dendrites of a study; the parameters are those of `DendritePicker`."""

    _thing, _picked, _where = "dendrite", "dendrites", "notebook 3"

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
        self._trace, self._detect, self._measure = trace, detect, measure
        self._traced: dict[tuple[str, str], Any] = {}  # by code and points
        self._found: dict[str, str] = {}  # the points on whose path spines were found last, by code
        super().__init__(with_repeats(items, share=repeat, seed=seed), blind=blind, by=by)

    # -- what a notebook asks

    def dendrites(self, *, strict: bool | None = None) -> dict[str, PickedDendrite]:
        """Path and spines of each dendrite that a person confirmed, by code.

        A dendrite that is not traced, or not confirmed since, is left out; `caution` says how many are.
        Second looks are in `repeatability`.

        Parameters
        ----------
        strict
            Refuse to go on while dendrites are open, excluded ones apart. Default: the environment variable
            ``LABKIT_STRICT``.

        Raises
        ------
        PickError
            If stored picks cannot be used, or, in strict mode, are missing.
        """
        self._refuse(strict)
        return {item.code: self._picked_of(item) for item in self._firsts() if self._is_complete(item)}

    def status(self) -> pd.DataFrame:
        """One row per dendrite: code, dendrite, status, spines, excluded; second looks are left out.

        `status` is *not traced*, *confirmed*, *changed* or *excluded*.
        """
        rows = []
        for item in self._firsts():
            n = len(marks.present(self._value(item, _spines(item))))
            status = self._settled(item)
            told = "not traced" if status == "proposed" else status
            rows.append((item.code, item.dendrite, told, n, self._reason(item)))
        return pd.DataFrame(rows, columns=["code", "dendrite", "status", "spines", "excluded"])

    def agreement(self) -> pd.DataFrame:
        """Precision and recall of the detector against the confirmed marks, per dendrite and in all.

        Columns as `labkit.pickers.spines_compare.agreement` lists them. Excluded dendrites and second looks
        are left out.
        """
        used = [item for item in self._firsts() if self._is_complete(item) and not self._reason(item)]
        return agreement({item.code: self._value(item, _spines(item)) for item in used})

    def repeatability(self) -> Repeats:
        """Both looks at each dendrite that was confirmed twice and is not excluded."""
        first = {item.code: item for item in self._firsts()}
        looks = [
            [self._look(one) for one in (first[again.repeat_of], again)]
            for again in self._agains()
            if all(
                self._is_complete(one) and not self._reason(one) for one in (first[again.repeat_of], again)
            )
        ]
        return repeats(looks)

    def picks(self) -> list[Pick]:
        """Every pick that counts, for the provenance of a result: paths, marks, exclusions."""
        return [pick for pick in super().picks() if pick.origin != "proposed"]

    def caution(self) -> str:
        """What a reader must know before trusting the picks; '' when nothing is open."""
        first, again = self._open(self._firsts()), self._open(self._agains())
        said = []
        if first:
            said.append(
                f"{len(first)} of {len(self._firsts())} dendrites are not traced and confirmed, so no table "
                f"holds them; trace them in the picker of {self._where}."
            )
        if again:
            said.append(
                f"{len(again)} of {len(self._agains())} second looks at a dendrite are open, so the "
                "agreement of the person with themselves rests on fewer."
            )
        return " ".join(said)

    def __repr__(self) -> str:
        items = self._firsts()
        statuses = [self._settled(item) for item in items]
        told = {
            "confirmed": "confirmed",
            "changed": "changed",
            "proposed": "not traced",
            "excluded": "excluded",
        }
        count = {word: statuses.count(status) for status, word in told.items()}
        said = ", ".join(f"{n} {word}" for word, n in count.items() if n or word != "excluded")
        again = self._agains()
        done = len(again) - len(self._open(again))
        return f"Paths and spines of {len(items)} dendrite{'' if len(items) == 1 else 's'}: {said}" + (
            f"; {done} of {len(again)} shown again confirmed" if again else ""
        )

    # -- what a person does, in the widget or in a script

    def draw(self, index: int, waypoints_um: Any, *, planes: tuple[int, int] | None = None) -> None:
        """Lay the path of item `index` through points (z, y, x) in µm; it counts once confirmed.

        Where z is None or NaN the brightest place under the point is taken, among the planes from first to
        last of `planes` if they are given. No points take the path away.

        Raises
        ------
        DataError
            If the points cannot be used, or no path can be traced through them.
        """
        item = self._item(index)
        points = [] if len(waypoints_um) == 0 else self._placed(item, waypoints_um, planes)
        if points:
            self._traced_through(item, points)
        self._do(index, lambda item, held: self._draft(item, held, _path(item), points))

    def find(self, index: int) -> None:
        """Find spines along the path of item `index`; what a person marked or removed stays."""
        item = self._item(index)
        points = self._points(item)
        if not points:
            raise DataError("no path is traced", todo="click two or more points", where=item.name)
        dendrite = self._traced_through(item, points)
        table = self._called(item, "the spines could not be found", self._detect, item.stack, dendrite)
        again = marks.merged(self._marks(item), marks.found(table))
        self._found[item.code] = repr(points)
        self._mark(index, again)

    def add(
        self, index: int, at_um: Any, spine_class: str | None = None, *, planes: tuple[int, int] | None = None
    ) -> None:
        """Add a spine to item `index` at (z, y, x) in µm; z None or NaN as in `draw`, near the path's depth.

        Without a class it is measured, where the picker was given how; else it is *unclassified*.
        """
        item = self._item(index)
        at = self._spine_place(item, at_um, planes)
        self._mark(index, marks.added(self._marks(item), at, spine_class or self._measured_class(item, at)))

    def remove(self, index: int, at_um: Any) -> None:
        """Remove the spine of item `index` that stands at a place; a removed one comes back."""
        self._mark(index, marks.removed(self._marks(self._item(index)), at_um))

    def shift(self, index: int, at_um: Any, to_um: Any, *, planes: tuple[int, int] | None = None) -> None:
        """Move the spine of item `index` that stands at a place to another one; z None or NaN as in `add`."""
        item = self._item(index)
        self._mark(index, marks.moved(self._marks(item), at_um, self._spine_place(item, to_um, planes)))

    def reclass(self, index: int, at_um: Any, spine_class: str) -> None:
        """Give the spine of item `index` that stands at a place another class."""
        self._mark(index, marks.reclassed(self._marks(self._item(index)), at_um, spine_class))

    def _mark(self, index: int, changed: list[marks.Mark]) -> None:
        self._do(index, lambda item, held: self._draft(item, held, _spines(item), changed))

    # -- what is known of an item

    def _firsts(self) -> list[DendriteItem]:
        return [item for item in self._all if not item.repeat_of]

    def _agains(self) -> list[DendriteItem]:
        return [item for item in self._all if item.repeat_of]

    def _open(self, items: Sequence[DendriteItem]) -> list[DendriteItem]:
        return [item for item in items if not (self._is_complete(item) or self._reason(item))]

    def _is_complete(self, item: DendriteItem) -> bool:
        return None not in self._stored_picks(item)

    def _points(self, item: DendriteItem) -> Waypoints:
        """As shown."""
        return self._shown(item, _path(item))

    def _marks(self, item: DendriteItem) -> list[marks.Mark]:
        """As shown."""
        return self._shown(item, _spines(item))

    def _is_stale(self, item: DendriteItem) -> bool:
        """Whether spines were not looked for since the path changed."""
        moved = _path(item) in self._held[item.files].drafts
        return moved and bool(self._points(item)) and self._found.get(item.code) != repr(self._points(item))

    def _line(self, item: DendriteItem) -> np.ndarray | None:
        """(n, 3) traced path as shown."""
        points = self._points(item)
        return np.asarray(self._traced_through(item, points).path_um, float) if points else None

    def _picked_of(self, item: DendriteItem) -> PickedDendrite:
        points, own = self._value(item, _path(item)), self._value(item, _spines(item))
        gone = [mark for mark in own if mark["origin"] == "removed"]
        return PickedDendrite(
            np.array(points), self._traced_through(item, points), marks.table(marks.present(own)),
            marks.table(gone), self._origin(item), self._reason(item),
        )  # fmt: skip

    def _look(self, item: DendriteItem) -> Look:
        dendrite = self._traced_through(item, self._value(item, _path(item)))
        return Look(item.code, float(dendrite.length_um), self._value(item, _spines(item)))

    # -- what the given functions say

    def _traced_through(self, item: DendriteItem, points: Waypoints) -> Any:
        key = (item.repeat_of or item.code, repr(points))
        if key not in self._traced:
            self._traced[key] = self._called(
                item, "no path could be traced", self._trace, item.stack, np.array(points)
            )
        return self._traced[key]

    def _measured_class(self, item: DendriteItem, at: Sequence[float]) -> str:
        points = self._points(item)
        if self._measure is None or not points:
            return "unclassified"
        dendrite = self._traced_through(item, points)
        table = self._called(
            item, "the spine could not be measured", self._measure, item.stack, dendrite, np.array([at])
        )
        return marks.found(table)[0]["class"]

    def _called(self, item: DendriteItem, failed: str, function: Callable[..., Any], *given: Any) -> Any:
        """What a function answers; whatever it raises is told to the person as one sentence."""
        try:
            return function(*given)
        except LabkitError:
            raise
        except Exception as error:
            raise DataError(f"{failed} ({type(error).__name__}: {error})", where=item.name) from error

    def _placed(
        self,
        item: DendriteItem,
        points: Any,
        planes: Any,
        *,
        near: np.ndarray | None = None,
        checked: bool = True,
    ) -> Waypoints:
        """Points with a z each, those clicked on a projection at the brightest place under them."""
        try:
            given = [[None if z is None else float(z), float(y), float(x)] for z, y, x in points]
            planes = None if planes is None else tuple(int(plane) for plane in planes)
        except (TypeError, ValueError) as error:
            raise DataError("the points cannot be read", expected="z, y, x in µm", where=item.name) from error
        placed = []
        for z, y, x in given:
            if z is None or np.isnan(z):
                if not item.inside((0.0, y, x)):
                    raise DataError("a point lies outside the stack", where=item.name)
                z = brightest_z(item, y, x, planes if near is None else _around(item, near, y, x, planes))
            placed.append([round(value, 3) + 0.0 for value in (z, y, x)])
        return checked_waypoints(item, placed) if checked else placed

    def _spine_place(self, item: DendriteItem, at: Any, planes: Any) -> list[float]:
        (place,) = self._placed(item, [at], planes, near=self._line(item), checked=False)
        if not item.inside(place):
            raise DataError("the spine lies outside the stack", where=item.name)
        return place

    # -- names and values of the picks

    def _names(self, item: DendriteItem) -> tuple[str, ...]:
        return _path(item), _spines(item)

    def _exclude_name(self, item: DendriteItem) -> str:
        return "exclude" + item.pick_suffix

    def _proposal(self, item: DendriteItem, name: str) -> Any:
        return []

    def _checked(self, item: DendriteItem, name: str, value: Any) -> Any:
        if name == _path(item):
            return checked_waypoints(item, value)
        return marks.checked_marks(value)

    def _kind(self, name: str) -> dict[str, str]:
        return {"kind": name.split(" ")[0], "unit": "um"}

    def _confirm(self, item: DendriteItem, held: Held) -> None:
        if not self._points(item):
            raise PickError(
                "no path is traced", todo="click two or more points on the dendrite", where=item.name
            )
        if self._is_stale(item):
            raise PickError(
                "spines were not looked for along this path", todo="find them first", where=item.name
            )
        super()._confirm(item, held)

    def _store(self, item: DendriteItem, held: Held, name: str, value: Any) -> None:
        if name not in self._names(item):
            return super()._store(item, held, name, value)
        edited = name == _spines(item) and any(mark["origin"] != "auto" for mark in value)
        held.stored[name] = picks.save(
            item.files, name, value, origin="changed" if edited else "confirmed",
            by=self._by, blind=self._blind, **self._kind(name),
        )  # fmt: skip
        held.fresh.add(name)
        return None

    def _refuse(self, strict: bool | None) -> None:
        super()._refuse(False)
        missing = [item.name for item in self._open(self._all)]
        if missing and (picks.strict_mode() if strict is None else strict):
            named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise PickError(
                f"{len(missing)} of {len(self._all)} dendrites are not traced and confirmed ({named})",
                todo="open notebook 3 and trace them, or exclude them with a reason",
            )


def _path(item: DendriteItem) -> str:
    return "path" + item.pick_suffix


def _spines(item: DendriteItem) -> str:
    return "spines" + item.pick_suffix


def _around(
    item: DendriteItem, path_um: np.ndarray, y: float, x: float, planes: tuple[int, int] | None
) -> tuple[int, int]:
    """Planes near the depth of the path where it passes a place, within `planes` where they are given."""
    if item.shape[0] == 1:
        return 0, 0
    z = path_um[np.argmin(np.hypot(path_um[:, 1] - y, path_um[:, 2] - x)), 0]
    low, high = ((z + shift) / item.voxel_um[0] for shift in (-_NEAR_PATH_UM, _NEAR_PATH_UM))
    first, last = int(np.floor(low)), int(np.ceil(high))
    if planes is not None and not (planes[1] < first or planes[0] > last):
        first, last = max(first, planes[0]), min(last, planes[1])
    return first, last

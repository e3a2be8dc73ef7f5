"""What the picker of lanes shows and picks on: the image of a target, with the lanes and window proposed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.pickers.shapes import Band, Lanes, checked_band, checked_lanes

__all__ = ["LanesItem", "find_again", "lane_items", "with_polarity"]

POLARITIES = ("bright", "dark")
Proposal = tuple[Any, Any]  # lanes and window, as labkit.blots gives them or as they are stored
Part = tuple[float, float]
Propose = Callable[[Any, int, Sequence[float], float], Proposal]


@dataclass(frozen=True, eq=False)
class LanesItem:
    """The image of one target on one membrane, with the lanes and the window that the kit proposes.

    Attributes
    ----------
    code, target, membrane
        Blind code of the blot, the target, and the name of the membrane; all that is shown while blind.
    file
        Raw file of the image; picks are stored beside it. Items of one file share lanes and polarity.
    image
        A `labkit.blots.BlotImage`: `signal` (H, W) high for protein, `saturated` and `coloured` (H, W) bool,
        `polarity`, `bit_depth`, `warnings`.
    lanes, band
        Proposals: `labkit.blots` objects, or mappings as they are stored.
    roles
        What each lane holds by the sheet of lanes (sample, ladder, reference, ...), never whose; empty when
        not known. As many as lanes are expected.
    propose
        Called with an image, a number of lanes, a region (top, bottom, left, right) and the row where the
        window is now; gives lanes and window anew. None: lanes are placed evenly over the region and the
        window is carried along.
    strips
        Distance from the window, and height, of the two strips in which the background is measured: parts of
        the half height of the window, and the least in pixels. Shown only; those of `labkit.blots.measure`.

    Raises
    ------
    DataError
        If image, lanes and window do not fit each other.
    """

    code: str
    target: str
    membrane: str
    file: Path
    image: Any
    lanes: Any
    band: Any
    roles: tuple[str, ...] = ()
    propose: Propose | None = None
    strips: tuple[Part, Part] = ((0.2, 2.0), (0.5, 4.0))

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "file", Path(self.file))
        set_(self, "roles", tuple(map(str, self.roles)))
        if np.ndim(self.image.signal) != 2 or self.image.polarity not in POLARITIES:
            raise DataError(
                f"the image has the shape {np.shape(self.image.signal)} and the polarity "
                f"{self.image.polarity!r}",
                expected="rows and columns of grey values, bright or dark", where=self.name,
            )  # fmt: skip
        lanes, band = self.proposed_lanes, self.proposed_band
        if len(lanes["lanes"]) != len(band["centres"]):
            raise DataError(
                f"{len(lanes['lanes'])} lanes and a window in {len(band['centres'])} lanes are proposed",
                expected="the window in each lane", where=self.name,
            )  # fmt: skip

    @property
    def name(self) -> str:
        """Code and target, as in ``B417 PSD-95``."""
        return f"{self.code} {self.target}"

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file,)

    @property
    def shape(self) -> tuple[int, int]:
        return np.shape(self.image.signal)

    @cached_property
    def proposed_lanes(self) -> Lanes:
        """The proposal in the form in which it is stored."""
        return self.checked("lanes", self.lanes)

    @cached_property
    def proposed_band(self) -> Band:
        return self.checked("band", self.band)

    def checked(self, what: str, value: Any) -> Any:
        """Lanes, band or polarity in the form that is stored, or a `DataError` that names the blot."""
        try:
            if what == "polarity":
                if value not in POLARITIES:
                    raise DataError(f"the polarity is {value!r}", expected="bright or dark")
                return str(value)
            return {"lanes": checked_lanes, "band": checked_band}[what](_plain(value), self.shape)
        except DataError as error:
            raise DataError(error.found, expected=error.expected, todo=error.todo, where=self.name) from error


def _plain(value: Any) -> Any:
    return value.as_pick() if hasattr(value, "as_pick") else value


def with_polarity(image: Any, polarity: str) -> Any:
    """The image as it looks with another polarity, to look at and to find lanes in: not to be measured.

    The signal is turned round within its own range, so it is that of the file but for a constant. Which
    pixels are saturated at the other end is not known.
    """
    if polarity == image.polarity:
        return image
    signal = np.asarray(image.signal)
    return dataclasses.replace(
        image,
        signal=signal.min() + signal.max() - signal,
        saturated=np.zeros(signal.shape, bool),
        polarity=polarity,
        polarity_stated=True,
    )


def find_again(image: Any, n_lanes: int, roi: Sequence[float], near_px: float) -> Proposal:
    """Lanes and window as `labkit.blots` finds them in a region, the window near a row."""
    from labkit import blots

    lanes = blots.find_lanes(image, n_lanes, roi=roi)
    inside = roi[0] <= near_px < roi[1]
    return lanes, blots.find_band(image, lanes, near_px=near_px if inside else None)


def lane_items(
    images: Mapping[str, Any],
    proposals: Mapping[str, Proposal],
    blots: pd.DataFrame,
    *,
    lanes: pd.DataFrame | None = None,
    propose: Propose | None = find_again,
) -> list[LanesItem]:
    """The items of a `LanesPicker`, in the order of the table of blots.

    Parameters
    ----------
    images
        `labkit.blots.BlotImage` by code.
    proposals
        Lanes and window by code.
    blots
        The study's table of blots: columns code, file, membrane, target.
    lanes
        The study's table of lanes: columns membrane, lane, role; tells how many lanes there must be, and
        which of them hold a ladder or nothing.
    propose
        See `LanesItem`; by default `labkit.blots` finds lanes and window anew.

    Raises
    ------
    DataError
        If a blot has no image or no proposal.
    """
    roles: dict[str, tuple[str, ...]] = {}
    if lanes is not None:
        for membrane, rows in lanes.sort_values("lane").groupby("membrane"):
            roles[str(membrane)] = tuple(rows["role"].replace("", "sample"))
    items = []
    for row in blots.itertuples():
        if row.code not in images or row.code not in proposals:
            raise DataError(
                f"there is no image or no proposal for {row.code}",
                expected="one of each for every blot", todo="read all blots of the study",
            )  # fmt: skip
        names = {name: getattr(row, name) for name in ("code", "target", "membrane", "file")}
        found, band = proposals[row.code]
        held = roles.get(row.membrane, ())
        items.append(
            LanesItem(**names, image=images[row.code], lanes=found, band=band, roles=held, propose=propose)
        )
    return items

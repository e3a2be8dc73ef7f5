"""What stands in the lanes of a study's membranes, and everything that keeps it from becoming a ratio.

L lanes of samples and of the reference sample, T targets. A membrane has the same lanes in all its images, so
target and loading control of one lane come from the same sample, loaded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from labkit.errors import DataError, Problem

__all__ = [
    "LaneTable",
    "Loading",
    "absent",
    "controls_of",
    "lane_table",
    "listed",
    "numeric",
    "unknown",
    "unready",
]

#: One control for all targets, several whose geometric mean counts, or either for each target.
Loading = str | Sequence[str] | Mapping[str, str | Sequence[str]]

_NEEDED = ("membrane", "target", "lane", "animal", "volume")
_TEXT = ("membrane", "target", "animal", "replicate", "role", "flags", "excluded")
_MEASURED = ("volume", "lod", "saturated", "ug")


@dataclass(frozen=True, eq=False)
class LaneTable:
    """The lanes that hold a sample or the reference, and what was measured in each.

    Attributes
    ----------
    lanes
        L rows, by membrane and lane: ``membrane, lane, animal, replicate, role``.
    targets
        Names of the T targets, in the order of the alphabet.
    volume, lod
        (L, T), in the unit of the bands; NaN where the target was not measured.
    saturated
        (L, T), whether any pixel of the band is clipped.
    on
        (L, T), whether the lane's membrane has the target at all.
    flags, excluded
        (L, T) texts, '' where nothing was said.
    """

    lanes: pd.DataFrame
    targets: tuple[str, ...]
    volume: np.ndarray
    lod: np.ndarray
    saturated: np.ndarray
    on: np.ndarray
    flags: np.ndarray
    excluded: np.ndarray

    def having(self, *targets: str) -> np.ndarray:
        """(L,) whether the lane's membrane has all these targets."""
        columns = [self.targets.index(target) for target in targets if target in self.targets]
        if len(columns) < len(targets):
            return np.zeros(len(self.lanes), bool)
        return self.on[:, columns].all(axis=1)


def numeric(bands: pd.DataFrame) -> pd.DataFrame:
    """The table of bands with texts that are texts, numbers that are numbers, and every column there.

    Raises
    ------
    DataError
        If columns are missing, no row is left, or a cell that should be a number is none.
    """
    missing = [name for name in _NEEDED if name not in bands]
    if missing or bands.empty:
        found = f"the table has no column {missing[0]}" if missing else "the table of bands is empty"
        raise DataError(found, expected="one row for each band of each lane, with lanes.csv joined")
    table = pd.DataFrame(index=pd.RangeIndex(len(bands)))
    for name in _TEXT:
        given = bands[name] if name in bands else pd.Series("", index=bands.index)
        table[name] = _texts(given)
    table["role"] = table["role"].where(table["role"] != "", "sample")
    for name in ("lane", *_MEASURED):
        given = bands[name] if name in bands else pd.Series(np.nan, index=bands.index)
        try:
            table[name] = pd.to_numeric(given).to_numpy(float, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise DataError(f"column {name} of the bands holds a text", expected="numbers") from error
    if table["lane"].isna().any():
        raise DataError("a band has no lane", expected="the number of its lane, from 1 at the left")
    table["lane"] = table["lane"].astype(int)
    return table.sort_values(["membrane", "lane", "target"], kind="stable", ignore_index=True)


def _texts(given: pd.Series) -> np.ndarray:
    """Texts without blanks around them; whole numbers as a sheet shows them, nothing as ''."""
    if pd.api.types.is_float_dtype(given) and (given.dropna() % 1 == 0).all():
        given = given.astype("Int64")
    return given.astype(object).where(given.notna(), "").astype(str).str.strip().to_numpy(object)


def controls_of(loading: Loading, target: str) -> tuple[str, ...]:
    """Loading controls of a target; none when the mapping does not name it.

    Examples
    --------
    >>> controls_of("GAPDH", "PSD-95")
    ('GAPDH',)
    >>> controls_of({"PSD-95": ["GAPDH", "β-actin"]}, "PSD-95")
    ('GAPDH', 'β-actin')
    """
    given = loading.get(target, ()) if isinstance(loading, Mapping) else loading
    names = (given,) if isinstance(given, str) else given
    return tuple(dict.fromkeys(name for name in names if name))


def lane_table(bands: pd.DataFrame, *, volume: str = "volume") -> tuple[LaneTable, list[Problem]]:
    """The lanes of samples and references by targets, and what is wrong with them whatever is asked.

    Parameters
    ----------
    bands
        The study-level table of bands: one row per blot and lane.
    volume
        The column of volumes: ``volume`` or ``volume_arpls``.

    Returns
    -------
    LaneTable
        Of a band that is there twice it has the last.
    list of Problem
        Bands there twice, lanes without an animal, animals twice on a membrane under one replicate.

    Raises
    ------
    DataError
        If columns are missing, or no lane holds a sample.
    """
    if volume not in bands:
        raise DataError(f"the table has no column {volume}", expected="the table of bands")
    table = numeric(bands.assign(volume=bands[volume]))
    table = table[table["role"].isin(("sample", "reference"))].reset_index(drop=True)
    if not (table["role"] == "sample").any():
        raise DataError("no lane holds a sample", expected="lanes with role sample and the animal they hold")
    row = table.groupby(["membrane", "lane"], sort=True).ngroup().to_numpy()
    column, targets = pd.factorize(table["target"], sort=True)
    shape = (int(row.max()) + 1, len(targets))

    def spread(values: np.ndarray, empty: object) -> np.ndarray:
        out = np.full(shape, empty, dtype=object if isinstance(empty, str) else type(empty))
        out[row, column] = values
        return out

    first = np.unique(row, return_index=True)[1]
    lanes = table.loc[first, ["membrane", "lane", "animal", "replicate", "role"]].reset_index(drop=True)
    membrane, _ = pd.factorize(lanes["membrane"])
    on = np.zeros((int(membrane.max()) + 1, len(targets)), bool)
    on[membrane[row], column] = True
    laid = LaneTable(
        lanes=lanes,
        targets=tuple(map(str, targets)),
        volume=spread(table["volume"].to_numpy(), np.nan),
        lod=spread(table["lod"].to_numpy(), np.nan),
        saturated=spread(table["saturated"].to_numpy() > 0, False),
        on=on[membrane],
        flags=spread(table["flags"].to_numpy(), ""),
        excluded=spread(table["excluded"].to_numpy(), ""),
    )
    return laid, [*_twice(table), *_animals_amiss(lanes)]


def unknown(table: LaneTable, names: Iterable[str]) -> Iterator[Problem]:
    """Names that no membrane has."""
    for name in dict.fromkeys(names):
        if name not in table.targets:
            yield Problem(
                f"no membrane has {name!r}",
                expected=f"one of {', '.join(table.targets)}",
                todo="correct it in [blots] of study.toml, or add its images to blots.csv",
                where="study.toml, [blots]",
            )


def absent(table: LaneTable, target: str) -> Iterator[Problem]:
    """Membranes none of whose animals has the target on any membrane: an image is not in the sheet."""
    samples = (table.lanes["role"] == "sample").to_numpy()
    has = table.lanes["animal"].isin(set(table.lanes["animal"][samples & table.having(target)]))
    lacking = ~(has & samples).groupby(table.lanes["membrane"]).transform("any")
    for membrane, rows in table.lanes[samples & lacking].groupby("membrane"):
        yield Problem(
            f"membrane {membrane!r} has no {target}, nor has another membrane with its animals "
            f"({listed(rows['animal'])})",
            expected=f"an image of {target} for each animal",
            todo=f"add its row, or take {target} out of [blots] in study.toml",
            where="blots.csv",
        )


def unready(
    table: LaneTable, target: str, controls: Sequence[str], rows: np.ndarray, *, whole: bool = True
) -> Iterator[Problem]:
    """What keeps a target from being divided by its controls in some lanes.

    Parameters
    ----------
    rows
        (L,) the lanes in question.
    whole
        Whether the controls are loading controls, which have to be given and to be others than the target.
    """
    if whole and not controls and rows.any():
        expected = "the target that each lane is divided by"
        yield Problem(
            f"{target} has no loading control", expected=expected, where="study.toml, [blots], loading"
        )
    if target in controls:
        yield Problem(
            f"{target} is its own loading control",
            expected="another target",
            where="study.toml, [blots], loading",
        )
    for control in controls:
        for membrane in table.lanes.loc[rows & ~table.having(control), "membrane"].unique():
            yield Problem(
                f"membrane {membrane!r} has {target} but not its loading control {control}",
                expected=f"an image of {control} of the same membrane",
                todo="add its row, or name another control in [blots] loading of study.toml",
                where="blots.csv",
            )
    for name in (target, *controls):
        if name in table.targets:
            yield from _unmeasured(table, name, rows & table.having(name))


def _twice(table: pd.DataFrame) -> Iterator[Problem]:
    twice = table[table.duplicated(["membrane", "target", "lane"])]
    for (membrane, target), rows in twice.groupby(["membrane", "target"]):
        yield Problem(
            f"{target} is there twice in lane {listed(rows['lane'])} of membrane {membrane!r}",
            expected="one image of each target on a membrane",
            todo="keep the one whose bands are not saturated, and take the other row out",
            where="blots.csv",
        )


def _animals_amiss(lanes: pd.DataFrame) -> Iterator[Problem]:
    samples = lanes[lanes["role"] == "sample"]
    for membrane, rows in samples[samples["animal"] == ""].groupby("membrane"):
        yield Problem(
            f"lane {listed(rows['lane'])} of membrane {membrane!r} holds a sample of no animal",
            expected="the animal whose sample the lane holds",
            todo="fill in column animal, or say in column role what the lane holds",
            where="lanes.csv",
        )
    keys = ["membrane", "animal", "replicate"]
    named = samples[samples["animal"] != ""]
    for (membrane, animal), rows in named[named.duplicated(keys, keep=False)].groupby(keys[:2]):
        yield Problem(
            f"animal {animal!r} is in lanes {listed(rows['lane'])} of membrane {membrane!r} with the same "
            "replicate or none",
            expected="each lane of an animal with a replicate of its own",
            todo="number them 1, 2, ... in column replicate, or correct the animal",
            where="lanes.csv",
        )


def _unmeasured(table: LaneTable, target: str, rows: np.ndarray) -> Iterator[Problem]:
    column = table.targets.index(target)
    lost = rows & ~np.isfinite(table.volume[:, column]) & (table.excluded[:, column] == "")
    for membrane, lanes in table.lanes[lost].groupby("membrane"):
        yield Problem(
            f"{target} was not measured in lane {listed(lanes['lane'])} of membrane {membrane!r}",
            expected="a volume in every lane that lanes.csv has, be it nearly nothing",
            todo="measure the lane, correct lanes.csv, or exclude the lane with a reason",
            where="lanes.csv",
        )


def listed(values: Iterable[object]) -> str:
    """Each value once, in order, joined by commas.

    >>> listed([3, 4, 3])
    '3, 4'
    """
    return ", ".join(dict.fromkeys(map(str, values)))

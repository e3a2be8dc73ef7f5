"""The tables of a study's raw files: a row for each recording, blot, lane or dendrite, under blind codes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from labkit.study.consistency import resolve
from labkit.study.models import BlotRow, DendriteRow, LaneRow, RecordingRow
from labkit.study.rows import Row

__all__ = ["blots_table", "dendrites_table", "lanes_table", "recordings_table"]


def recordings_table(folder: Path, rows: Iterable[RecordingRow], seed: int) -> pd.DataFrame:
    """One row per slice, in the order of the sheet; columns as `Study.recordings` lists them."""
    rows = list(rows)
    names = [row.recording for row in rows]
    columns = {
        "recording": names,
        "code": _codes(names, seed, "R"),
        "files": [tuple(resolve(folder, name) for name in row.files) for row in rows],
        "animal": [row.animal for row in rows],
        "slice": [row.slice for row in rows],
        "test_pathway": [row.test_pathway or "S0" for row in rows],
        "control_pathway": [row.control_pathway or "" for row in rows],
        "channel": pd.Series([row.channel for row in rows], dtype=object),
        "unit": pd.Series([row.unit for row in rows], dtype=object),
        "induction_s": [math.nan if row.induction_s is None else row.induction_s for row in rows],
        "note": [row.note for row in rows],
    }
    return _with_extra(columns, rows)


def blots_table(folder: Path, rows: Iterable[BlotRow], seed: int) -> pd.DataFrame:
    """One row per image of a target, in the order of the sheet; columns as `Study.blots` lists them."""
    rows = list(rows)
    names = [f"{row.membrane} {row.target}" for row in rows]
    columns = {
        "blot": names,
        "code": _codes(names, seed, "B"),
        "file": [resolve(folder, row.file) for row in rows],
        "membrane": [row.membrane for row in rows],
        "target": [row.target for row in rows],
        "polarity": pd.Series([row.polarity for row in rows], dtype=object),
        "exposure": [row.exposure for row in rows],
        "note": [row.note for row in rows],
    }
    return _with_extra(columns, rows)


def lanes_table(rows: Iterable[LaneRow]) -> pd.DataFrame:
    """One row per lane, membranes in the order of the sheet; columns as `Study.lanes` lists them."""
    rows = list(rows)
    columns = {
        "membrane": [row.membrane for row in rows],
        "lane": pd.Series([row.lane for row in rows], dtype=int),
        "animal": [row.animal or "" for row in rows],
        "replicate": [row.replicate or "1" for row in rows],
        "role": [row.role or "sample" for row in rows],
        "ug": [math.nan if row.ug is None else row.ug for row in rows],
        "note": [row.note for row in rows],
    }
    table = _with_extra(columns, rows)
    place = {name: i for i, name in enumerate(dict.fromkeys(table["membrane"]))}
    order = table["membrane"].map(place) * 100 + table["lane"]
    return table.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def dendrites_table(folder: Path, rows: Iterable[DendriteRow], seed: int) -> pd.DataFrame:
    """One row per dendrite, in the order of the sheet; columns as `Study.images` lists them."""
    rows = list(rows)
    names = [row.name for row in rows]
    columns = {
        "image": names,
        "code": _codes(names, seed, "D"),
        "file": [resolve(folder, row.file) for row in rows],
        "animal": [row.animal for row in rows],
        "neuron": [row.neuron for row in rows],
        "dendrite": [row.dendrite for row in rows],
        "channel": pd.Series([row.channel for row in rows], dtype=object),
        "voxel_um": pd.Series(
            [
                None if None in (size := (row.voxel_z_um, row.voxel_y_um, row.voxel_x_um)) else size
                for row in rows
            ],
            dtype=object,
        ),
        "modality": pd.Series([row.modality for row in rows], dtype=object),
        "note": [row.note for row in rows],
    }
    return _with_extra(columns, rows)


def _with_extra(columns: dict[str, object], rows: Sequence[Row]) -> pd.DataFrame:
    extra = pd.DataFrame([row.model_extra or {} for row in rows])
    return pd.concat([pd.DataFrame(columns), extra], axis="columns")


def _codes(names: list[str], seed: int, letter: str) -> list[str]:
    """A blind code such as R417 for each recording or blot, in the order of `names`.

    A code is drawn from a hash of seed and name, so it does not depend on the other rows. Only where two
    names draw the same number does the lower row draw again: adding rows at the end never changes a code, and
    adding them elsewhere hardly ever does. Each fourth draw allows one more digit, so there is always room.
    """
    codes: dict[str, None] = {}
    for name in names:
        for draw in range(1000):
            digest = hashlib.sha256(f"{seed}|{draw}|{name}".encode()).digest()
            low = 10 ** (2 + draw // 4)
            code = f"{letter}{low + int.from_bytes(digest[:16]) % (9 * low)}"
            if code not in codes:
                codes[code] = None
                break
    return list(codes)

"""Whether the rows of the sheets agree with each other, with study.toml and with the files that are there."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from labkit.errors import Problem, place
from labkit.study.models import AnimalRow, BlotRow, DendriteRow, LaneRow, RecordingRow
from labkit.study.rows import Sheet
from labkit.study.validation import near, nearest, show

__all__ = ["animals_amiss", "dendrites_twice", "files_amiss", "resolve", "slices_twice", "strangers"]


def dendrites_twice(sheet: Sheet[DendriteRow]) -> Iterator[Problem]:
    """Dendrites that stand in two rows, and voxel sizes of which a part is missing."""
    seen: dict[str, int] = {}
    for number, row in sheet.rows.items():
        first = seen.setdefault(row.name, number) if row.animal and row.neuron and row.dendrite else number
        if first != number:
            yield Problem(
                f"animal {row.animal!r}, neuron {row.neuron!r}, dendrite {row.dendrite!r} stands in row "
                f"{first} already",
                expected="one row for each dendrite",
                todo="correct the neuron or the dendrite, or take the row out",
                where=place(sheet.file, number, "dendrite"),
            )
        sizes = {"voxel_z_um": row.voxel_z_um, "voxel_y_um": row.voxel_y_um, "voxel_x_um": row.voxel_x_um}
        missing = [name for name, size in sizes.items() if size is None]
        if 0 < len(missing) < 3:
            yield Problem(
                f"{' and '.join(missing)} is empty",
                expected="all three sizes of a voxel in µm, or none where the file states them",
                todo="fill it in; a flat image takes the depth of focus or 1 as voxel_z_um",
                where=place(sheet.file, number, missing[0]),
            )


def slices_twice(sheet: Sheet[RecordingRow]) -> Iterator[Problem]:
    """Slices that stand in two rows."""
    seen: dict[str, int] = {}
    for number, row in sheet.rows.items():
        first = seen.setdefault(row.recording, number) if row.animal and row.slice else number
        if first != number:
            yield Problem(
                f"animal {row.animal!r}, slice {row.slice!r} stands in row {first} already",
                expected="one row for each slice",
                todo="join the files of one slice by ; in one row, or correct the slice",
                where=place(sheet.file, number, "slice"),
            )


def files_amiss(
    folder: Path,
    sheet: Sheet[RecordingRow] | Sheet[BlotRow] | Sheet[DendriteRow],
    *,
    column: str = "files",
    shared: bool = False,
) -> Iterator[Problem]:
    """Files that are not there, and files that two rows claim, unless they may be `shared`."""
    claimed: dict[Path, int] = {}
    taken = {resolve(folder, name) for row in sheet.rows.values() for name in row.files}
    for number, row in sheet.rows.items():
        at = place(sheet.file, number, column)
        for name in row.files:
            path = resolve(folder, name)
            if not _is_file(path):
                yield Problem(
                    f"the file {show(name)} is not there",
                    expected="a path that starts from the study folder",
                    todo=_nearest_file(folder, name, taken),
                    where=at,
                )
                continue
            first = claimed.setdefault(path.resolve(), 0)
            if first and not shared:
                yield Problem(
                    f"the file {name!r} is named "
                    + (f"in row {first} already" if first != number else "twice"),
                    expected="each file once",
                    todo="correct one of the two",
                    where=at,
                )
            claimed[path.resolve()] = first or number


def _nearest_file(folder: Path, name: str, taken: set[Path]) -> str:
    """What to do about a file that is not there; files that a row names already are no suggestion."""
    parts = [part.strip() for part in name.split(",")]
    if len(parts) > 1 and all(_is_file(resolve(folder, part)) for part in parts):
        return "join several files by ; in place of the comma"
    wanted = resolve(folder, name)
    try:
        here = [p for p in wanted.parent.iterdir() if p not in taken] if wanted.parent.is_dir() else []
        below = [p / wanted.name for p in folder.iterdir() if _is_file(p / wanted.name)]
    except OSError:
        return "correct the name"
    meant = nearest(wanted.name, [p.name for p in here], cutoff=0.75)
    found = [p for p in here if p.stem == wanted.name] + below + [p for p in here if p.name == meant]
    if found:
        return f"write {Path(os.path.relpath(found[0], folder)).as_posix()!r} if that is meant"
    return "copy the file there, or correct the name"


def resolve(folder: Path, name: str) -> Path:
    """The file of that name; accented letters may be composed in one system and decomposed in the other."""
    # Not Path.resolve: a link to a raw file stays where it is, and its picks beside it.
    path = Path(os.path.abspath(folder / name))  # noqa: PTH100
    if not name.isascii() and not _is_file(path) and path.parent.is_dir():
        wanted = unicodedata.normalize("NFC", path.name)
        for other in path.parent.iterdir():
            if unicodedata.normalize("NFC", other.name) == wanted:
                return other
    return path


def _is_file(path: Path) -> bool:
    """False also where the system refuses to look: a name too long, a folder that is closed."""
    try:
        return path.is_file()
    except OSError:
        return False


def animals_amiss(sheet: Sheet[AnimalRow], groups: list[str]) -> Iterator[Problem]:
    """Animals that stand in two rows, and groups that do not fit those of study.toml."""
    seen: dict[str, tuple[int, str]] = {}
    used: set[str] = set()
    for number, row in sheet.rows.items():
        first, group = seen.setdefault(row.animal, (number, row.group)) if row.animal else (number, row.group)
        if first != number:
            two = f" in group {group!r}, here in {row.group!r}" if group != row.group else ""
            yield Problem(
                f"animal {row.animal!r} stands in row {first} already{two}",
                expected="one row for each animal",
                todo="remove the wrong row, or correct the name of the animal",
                where=place(sheet.file, number, "animal"),
            )
        if groups and row.group and row.group not in groups:
            yield Problem(
                f"found {row.group!r}",
                expected=f"a group of study.toml ({', '.join(groups)})",
                todo=near(row.group, groups) or "correct it, or add the group to study.toml",
                where=place(sheet.file, number, "group"),
            )
        used |= {row.group, nearest(row.group, groups)} if row.group else set()
    for name in groups if used else ():
        if name not in used:
            yield Problem(
                f"group {name!r} has no animals",
                expected=f"at least one row of it in {sheet.file}",
                todo="add its animals, or take the group out of study.toml",
                where=place(sheet.file, None, "group"),
            )


def strangers(sheet: Sheet[RecordingRow] | Sheet[LaneRow], animals: Sheet[AnimalRow]) -> Iterator[Problem]:
    """Recordings, lanes and dendrites of animals that have no row of their own."""
    known = {row.animal for row in animals.rows.values()} - {""}
    for number, row in sheet.rows.items():
        if known and row.animal and row.animal not in known:
            yield Problem(
                f"animal {row.animal!r} is not in {animals.file}",
                expected="an animal with a group",
                todo=near(row.animal, known, cutoff=0.75) or f"add the animal to {animals.file}",
                where=place(sheet.file, number, "animal"),
            )

"""Whether the sheets of blots and lanes agree with each other: every membrane whole, every lane said once."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.errors import Problem, place
from labkit.study.models import ROLES, BlotRow, LaneRow
from labkit.study.rows import Sheet
from labkit.study.validation import near, show

__all__ = ["blots_amiss", "lanes_amiss", "targets_amiss"]


def blots_amiss(blots: Sheet[BlotRow], lanes: Sheet[LaneRow]) -> Iterator[Problem]:
    """Targets that two images of one membrane claim, and membranes that only one of the two sheets has."""
    seen: dict[tuple[str, str], int] = {}
    for number, row in blots.rows.items():
        if not row.membrane or not row.target:
            continue
        first = seen.setdefault((row.membrane, row.target), number)
        if first != number:
            yield Problem(
                f"membrane {row.membrane!r} has an image of {row.target!r} in row {first} already",
                expected="one image of each target on a membrane",
                todo="keep the one whose bands are not saturated, and take the other row out",
                where=place(blots.file, number, "target"),
            )
    for sheet, other in ((blots, lanes), (lanes, blots)):
        known = {row.membrane for row in other.rows.values()} - {""}
        told: set[str] = set()
        for number, row in sheet.rows.items():
            if known and row.membrane and row.membrane not in known | told:
                told.add(row.membrane)
                yield Problem(
                    f"membrane {row.membrane!r} is not in {other.file}",
                    expected=f"a membrane of both sheets; {other.file} has {', '.join(sorted(known))}",
                    todo=near(row.membrane, known, cutoff=0.75)
                    or f"add it to {other.file}, or take it out here",
                    where=place(sheet.file, number, "membrane"),
                )


def lanes_amiss(sheet: Sheet[LaneRow]) -> Iterator[Problem]:
    """Lanes that are said twice, left out, or hold what their role does not allow."""
    membranes: dict[str, dict[int, int]] = {}
    replicates: dict[tuple[str, str, str], tuple[int, int]] = {}
    for number, row in sheet.rows.items():
        yield from _role_amiss(sheet.file, number, row)
        if not row.membrane or not row.lane:
            continue
        first = membranes.setdefault(row.membrane, {}).setdefault(row.lane, number)
        if first != number:
            yield Problem(
                f"lane {row.lane} of membrane {row.membrane!r} stands in row {first} already",
                expected="one row for each lane",
                todo="correct the number of the lane, or take the row out",
                where=place(sheet.file, number, "lane"),
            )
            continue
        if row.animal and (row.role or "sample") == "sample":
            who = (row.membrane, row.animal, row.replicate or "1")
            lane, at = replicates.setdefault(who, (row.lane, number))
            if at != number:
                yield Problem(
                    f"animal {row.animal!r} is in lane {lane} of membrane {row.membrane!r} too, "
                    "with the same replicate",
                    expected="each lane of an animal with a replicate of its own",
                    todo="number them 1, 2, ... in column replicate, or correct the animal",
                    where=place(sheet.file, number, "animal"),
                )
    for membrane, numbers in membranes.items():
        missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
        if missing:
            yield Problem(
                f"membrane {membrane!r} has {max(numbers)} lanes, but lane {', '.join(map(str, missing))} "
                "has no row",
                expected="every lane from left to right, empty ones and the ladder too",
                todo="add the row, with what the lane holds in column role",
                where=place(sheet.file, None, "lane"),
            )


def _role_amiss(file: str, number: int, row: LaneRow) -> Iterator[Problem]:
    role = row.role or "sample"
    if role == "sample" and not row.animal:
        yield Problem(
            "the cell is empty",
            expected="the animal whose sample the lane holds",
            todo=f"fill it in, or say in column role what the lane holds ({', '.join(ROLES[1:])})",
            where=place(file, number, "animal"),
        )
    if role in ("ladder", "empty") and row.animal:
        yield Problem(
            f"found {show(row.animal)} in a lane whose role is {role}",
            expected="no animal there",
            todo="empty the cell, or write sample in column role",
            where=place(file, number, "animal"),
        )
    if role == "dilution" and row.ug is None:
        yield Problem(
            "the cell is empty",
            expected="the amount of protein in µg, as the lane belongs to a dilution series",
            todo="fill it in, or write reference in column role",
            where=place(file, number, "ug"),
        )


def targets_amiss(sheet: Sheet[BlotRow], named: dict[str, tuple[str, ...]]) -> Iterator[Problem]:
    """Targets that a setting names and no blot has; `named` holds them by setting."""
    known = {row.target for row in sheet.rows.values()} - {""}
    for setting, targets in named.items():
        for target in dict.fromkeys(targets):
            if known and target not in known:
                yield Problem(
                    f"found {target!r}, which is no target in {sheet.file}",
                    expected=f"one of {', '.join(sorted(known))}",
                    todo=near(target, known) or "correct it, or add its images",
                    where=f"study.toml, [blots], {setting}",
                )

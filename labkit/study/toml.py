"""study.toml read and checked: what is wrong with it is said in the words of the file, all at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from labkit.errors import LabkitError, Problem
from labkit.study.settings import (
    LTP,
    Blinding,
    Blots,
    Endpoint,
    Group,
    Reporting,
    Spines,
    Statistics,
    StudyFile,
)
from labkit.study.sheets import decode, unreadable
from labkit.study.validation import explain, near, show

__all__ = ["read_settings"]

FILE = "study.toml"


def read_settings(folder: Path) -> tuple[StudyFile | None, dict[str, Any], list[LabkitError]]:
    """Read study.toml of a study folder.

    Returns
    -------
    file
        None when there is any problem.
    data
        The file as it stands; empty when it is no TOML.
    problems
        Not there, not TOML, or each setting that is unknown or out of range.
    """
    path = folder / FILE
    try:
        data = tomllib.loads(decode(path.read_bytes(), path, legacy=False))
    except FileNotFoundError:
        return None, {}, [_missing(folder)]
    except OSError as error:
        return None, {}, [unreadable(path, error)]
    except Problem as problem:
        return None, {}, [problem]
    except tomllib.TOMLDecodeError as error:
        return None, {}, [_syntax(path, error)]
    try:
        return StudyFile.model_validate(data), data, []
    except ValidationError as error:
        return None, data, list(_problems(error))


def _missing(folder: Path) -> Problem:
    others = sorted(
        p.name for p in folder.iterdir() if p.name.lower().startswith("study") and "toml" in p.name.lower()
    )
    return Problem(
        f"there is no {FILE} in {folder}" + (f", but there is {others[0]}" if others else ""),
        expected="a study folder",
        todo=f"rename it to {FILE}"
        if others
        else "name the right folder, or make a study with: labkit new PATH",
    )


def _syntax(path: Path, error: tomllib.TOMLDecodeError) -> Problem:
    said = re.fullmatch(
        r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", str(error), re.DOTALL
    )
    what, number = (said["what"], said["line"]) if said else (str(error), None)
    lines = decode(path.read_bytes(), path, legacy=False).splitlines()
    line = lines[int(number) - 1].strip() if number and int(number) <= len(lines) else ""
    if re.search(r"=\s*[+-]?\d+,\d", line):
        todo = "write a decimal point instead of the comma"
    elif what.startswith("Cannot"):
        todo = "write each name and each section once"
    else:
        todo = "put text in quotation marks, and close each quotation mark and bracket"
    return Problem(
        f"found {show(line)}, which is not TOML ({what})" if line else f"the text is not TOML ({what})",
        expected='lines such as: title = "My study"',
        todo=todo,
        where=f"{FILE}, line {number}" if number else f"{FILE}, at its end",
    )


def _problems(error: ValidationError) -> Iterator[Problem]:
    for entry in error.errors():
        loc = entry["loc"]
        if entry["type"] == "extra_forbidden":
            yield _unknown(loc, entry["input"])
        elif entry["type"] == "missing":
            yield Problem(f"{loc[-1]} is missing", expected=_EXPECTED.get(str(loc[-1]), "a value"),
                          todo=_WRITE.get(str(loc[-1]), "add it"), where=_where(loc[:-1]))  # fmt: skip
        else:
            found, expected, todo = explain(entry)
            if loc == ("groups",) and entry["type"] != "labkit":
                expected, todo = _EXPECTED["groups"], _WRITE["groups"]
            yield Problem(found, expected=expected, todo=todo, where=_where(loc))


def _unknown(loc: tuple[int | str, ...], value: Any) -> Problem:
    """A name that is no setting: misspelt, or written in the wrong section."""
    name, section = str(loc[-1]), _SECTIONS.get(str(loc[0]), StudyFile) if len(loc) > 1 else StudyFile
    homes = [at for at, model in {"": StudyFile, **_SECTIONS}.items() if name in model.model_fields]
    if homes:
        todo = (
            f"move it to {_where((homes[0],), '')}"
            if homes[0]
            else "move it to the top, above the first section"
        )
    else:
        todo = near(name, section.model_fields) or "take it out"
    kind = "section" if isinstance(value, dict) else "setting"
    return Problem(f"there is no {kind} {name!r} here", expected=f"one of {', '.join(section.model_fields)}",
                   todo=todo, where=_where(loc[:-1]))  # fmt: skip


def _where(loc: tuple[int | str, ...], file: str = FILE) -> str:
    """The place of a setting as the file writes it: "study.toml, [statistics], alpha"."""
    head, rest = (str(loc[0]) if loc else ""), [str(step) for step in loc[1:]]
    if head == "groups":
        place = [f"[[groups]] number {int(rest[0]) + 1}", *rest[1:]] if rest else ["[[groups]]"]
    elif head == "endpoints" and rest:
        place = [f"[endpoints.{rest[0]}]", *rest[1:]]
    elif head in _SECTIONS:
        place = [f"[{head}]", *rest]
    else:
        place = [head, *rest]
    return ", ".join(part for part in (file, *place) if part)


_SECTIONS: dict[str, type[BaseModel]] = {
    "groups": Group, "ltp": LTP, "blots": Blots, "spines": Spines, "statistics": Statistics,
    "blinding": Blinding, "reporting": Reporting, "endpoints": Endpoint,
}  # fmt: skip
_EXPECTED = {
    "title": "the title of the study",
    "groups": "one section [[groups]] for each group",
    "name": "a name",
}
_WRITE = {
    "title": 'add title = "..." above the first section',
    "groups": 'add [[groups]] and below it name = "vehicle", the control first',
    "name": 'add name = "..." as animals.csv spells it',
}

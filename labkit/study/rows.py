"""What a row of each sheet must hold, and the check of a whole sheet against it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from labkit.errors import LabkitError, Problem, StudyError, place
from labkit.study.sheets import find_sheet, read_sheet
from labkit.study.validation import Number, Optional, Text, explain, nearest, wrong

__all__ = ["AnimalRow", "RecordingRow", "Row", "Sheet", "read_rows"]


class Row(BaseModel):
    """A row of some sheet; `sheet` is its name, `kept_back` the headings it must not have and why."""

    model_config = ConfigDict(frozen=True, extra="allow")
    sheet: ClassVar[str]
    kept_back: ClassVar[dict[str, str]] = {}


AnyRow = TypeVar("AnyRow", bound=Row)


def _files(value: Any) -> Any:
    """Split "a.abf; ltp\\b.abf" into a.abf and ltp/b.abf."""
    if not isinstance(value, str):
        return value
    files = tuple(part.strip().replace("\\", "/") for part in re.split(r"[;\n]", value) if part.strip())
    if not files:
        raise wrong(
            "the file or files of the slice",
            "fill it in, several files joined by ;",
            found="the cell is empty",
        )
    return files


def _channel(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d+", value) else value


def _pathway(value: Any) -> Any:
    if isinstance(value, str):
        if re.fullmatch(r"[sS]?\d+", value):
            return "S" + value.lstrip("sS")
        raise wrong("a pathway: S0, S1, ...", "write S0 for the first stimulated pathway, S1 for the second")
    return value


def _voltage(value: Any) -> Any:
    if isinstance(value, str):
        for unit in ("V", "mV", "µV"):
            if value.replace("μ", "µ").replace("u", "µ").casefold() == unit.casefold():
                return unit
        raise wrong(
            "a unit of voltage: V, mV or µV", "write mV for a field recording, or leave the cell empty"
        )
    return value


class RecordingRow(Row):
    """One slice: its files, and what the files do not say themselves."""

    sheet: ClassVar[str] = "recordings"
    kept_back: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("group", "dose", "treatment", "drug"), "it stands in animals.csv alone"),
        **dict.fromkeys(("recording", "code"), "labkit makes it"),
    }

    files: Annotated[tuple[str, ...], BeforeValidator(_files)]
    animal: Text
    slice: Text
    test_pathway: Annotated[str | None, BeforeValidator(_pathway), Optional] = None
    control_pathway: Annotated[str | None, BeforeValidator(_pathway), Optional] = None
    channel: Annotated[int | str | None, BeforeValidator(_channel), Optional] = None
    unit: Annotated[str | None, BeforeValidator(_voltage), Optional] = None
    induction_s: Annotated[Number | None, Optional] = Field(default=None, ge=0)
    note: str = ""

    @field_validator("control_pathway")
    @classmethod
    def _not_the_test_pathway(cls, control: str | None, info: ValidationInfo) -> str | None:
        if control is not None and control == (info.data.get("test_pathway", "") or "S0"):
            raise wrong(
                "another pathway than test_pathway (S0 when that is empty)",
                "correct one of them, or leave control_pathway empty",
            )
        return control

    @property
    def recording(self) -> str:
        """The name made from animal and slice."""
        return f"{self.animal}-{self.slice}"


class AnimalRow(Row):
    """One animal and its group; sex, cage, batch and the like may stand beside."""

    sheet: ClassVar[str] = "animals"
    kept_back: ClassVar[dict[str, str]] = {"dose": "it stands in study.toml, once for each group"}

    animal: Text
    group: Text


@dataclass(frozen=True)
class Sheet(Generic[AnyRow]):
    """A sheet after its check: name of the file, rows by their number in the spreadsheet, problems.

    A cell that is wrong, or its column missing, is empty in `rows`, so that the others can still be checked.
    """

    file: str
    rows: dict[int, AnyRow]
    problems: tuple[LabkitError, ...]


def read_rows(folder: Path, model: type[AnyRow]) -> Sheet[AnyRow]:
    """Read the sheet of `model` and check its headings and each of its rows."""
    file = f"{model.sheet}.csv"
    try:
        path = find_sheet(folder, model.sheet)
        file = path.name
        table = read_sheet(path, known=model.model_fields)
    except StudyError as error:
        return Sheet(file, {}, error.problems)
    except Problem as problem:
        return Sheet(file, {}, (problem,))
    problems = _headings(list(table.columns), model, file)
    rows: dict[int, AnyRow] = {}
    for number, cells in zip(table.index, table.to_dict("records"), strict=True):
        try:
            rows[number] = model.model_validate(cells)
        except ValidationError as error:
            rows[number] = _without_wrong_cells(model, cells, {entry["loc"][0] for entry in error.errors()})
            for entry in error.errors():
                if entry["type"] != "missing":  # a missing column is one problem, not one a row
                    found, expected, todo = explain(entry)
                    at = place(file, number, str(entry["loc"][0]))
                    problems.append(Problem(found, expected=expected, todo=todo, where=at))
    return Sheet(file, rows, tuple(problems))


def _without_wrong_cells(model: type[AnyRow], cells: dict[str, str], wrong_names: set[Any]) -> AnyRow:
    required = {name for name in wrong_names if model.model_fields[name].is_required()}
    right = {name: text for name, text in cells.items() if name not in wrong_names}
    row = model.model_validate({**right, **dict.fromkeys(required, "?")})
    return row.model_copy(update={name: () if name == "files" else "" for name in required})


def _headings(headings: list[str], model: type[Row], file: str) -> list[LabkitError]:
    """Headings that are missing, that resemble a known one, and that must not be there."""
    problems: list[LabkitError] = []
    fields = model.model_fields
    others = [heading for heading in headings if heading not in fields]
    required = [name for name, field in fields.items() if field.is_required()]
    for name in (name for name in fields if name not in headings):
        meant = nearest(name, others, cutoff=0.6 if name in required else 0.8)
        if name in required:
            found, expected = f"there is no column {name}", f"the headings {', '.join(required)}"
            todo = f"rename the column {meant!r} to {name}" if meant else f"add the column {name}"
        elif meant:
            found, expected = f"the column {meant!r} is not known", f"{name}, or a name that is less like it"
            todo = f"rename it to {name} if that is meant"
        else:
            continue
        problems.append(Problem(found, expected=expected, todo=todo, where=place(file)))
    for heading in headings:
        reason = model.kept_back.get(heading.casefold())
        if reason:
            found = f"there is a column {heading!r}"
            problems.append(
                Problem(
                    found, expected=f"none, since {reason}", todo="remove or rename it", where=place(file)
                )
            )
    return problems

"""A whole sheet checked against what each of its rows must hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from labkit.errors import LabkitError, Problem, StudyError, place
from labkit.study.sheets import NothingThere, find_sheet, read_sheet
from labkit.study.validation import explain, nearest

__all__ = ["Row", "Sheet", "read_rows"]


class Row(BaseModel):
    """A row of some sheet; `sheet` is its name, `kept_back` the headings it must not have and why."""

    model_config = ConfigDict(frozen=True, extra="allow")
    sheet: ClassVar[str]
    kept_back: ClassVar[dict[str, str]] = {}


AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True)
class Sheet(Generic[AnyRow]):
    """A sheet after its check: name of the file, rows by their number in the spreadsheet, problems.

    A cell that is wrong, or its column missing, is empty in `rows`, so that the others can still be checked.
    """

    file: str
    rows: dict[int, AnyRow]
    problems: tuple[LabkitError, ...]

    @property
    def unused(self) -> bool:
        """Whether the sheet is not there or holds no row: the study has nothing of its kind."""
        return bool(self.problems) and all(isinstance(problem, NothingThere) for problem in self.problems)


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
    row = model.model_validate({**right, **dict.fromkeys(required, "1")})  # which any kind of cell accepts
    return row.model_copy(update={name: type(getattr(row, name))() for name in required})


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

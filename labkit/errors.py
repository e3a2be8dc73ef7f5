"""The one family of errors that a user can mend.

Every message is one sentence: where, what was found, what was expected, what to do. The command line
prints it without a traceback; anything that is not a `LabkitError` is a bug of labkit's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

__all__ = [
    "DataError",
    "ImageError",
    "LabkitError",
    "PickError",
    "Problem",
    "RecordingError",
    "ResultError",
    "StudyError",
    "together",
]

K = TypeVar("K")
V = TypeVar("V")


class LabkitError(Exception):
    """A mistake in the user's files or arguments, told in one sentence.

    Parameters
    ----------
    found
        What was found, as a clause without a full stop.
    expected
        What was expected instead.
    todo
        What the user should do next, as an imperative.
    where
        The file, and if it helps row and column, as `place` writes them.

    Examples
    --------
    >>> where = place("recordings.csv", 4)
    >>> print(LabkitError("the unit is 'pA'", expected="a voltage", todo="set unit to mV", where=where))
    recordings.csv, row 4: the unit is 'pA'; expected a voltage; set unit to mV.
    """

    def __init__(self, found: str, *, expected: str = "", todo: str = "", where: str | Path = "") -> None:
        self.found, self.expected, self.todo, self.where = found, expected, todo, str(where)
        clauses = [found, expected and f"expected {expected}", todo]
        super().__init__(
            (f"{where}: " if where else "") + "; ".join(c for c in clauses if c).rstrip(".") + "."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors come back from worker processes whole, not only as their text.
        return _rebuilt, (type(self), self.found, self.expected, self.todo, self.where)


class RecordingError(LabkitError):
    """A recording that cannot be read or measured as asked."""


class ImageError(LabkitError):
    """An image or a stack of images that cannot be read or measured as asked."""


class PickError(LabkitError):
    """A pick that is missing, damaged, or was made on other bytes."""


class ResultError(LabkitError):
    """A result table that is missing, damaged, or does not fit the study."""


class DataError(LabkitError):
    """A table that cannot answer the question put to it."""


class Problem(LabkitError):
    """One thing that is wrong with a study; `StudyError` collects them."""


class StudyError(LabkitError):
    """Everything that is wrong with a study, told at once; `problems` holds one sentence each."""

    def __init__(self, problems: Iterable[LabkitError]) -> None:
        self.problems = tuple(problems)
        Exception.__init__(self, "\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


def _rebuilt(kind: type[LabkitError], found: str, expected: str, todo: str, where: str) -> LabkitError:
    return kind(found, expected=expected, todo=todo, where=where)


def together(jobs: Mapping[K, Callable[[], V]]) -> dict[K, V]:
    """What every job makes, by its key; or all that goes wrong, told together.

    A problem that names no place is told with its key: a code, a file, or several of these.

    Raises
    ------
    StudyError
        One sentence for each problem; the same sentence is told once.

    Examples
    --------
    >>> together({"R100": lambda: 1, "R200": lambda: 2})
    {'R100': 1, 'R200': 2}
    """
    made: dict[K, V] = {}
    problems: dict[str, LabkitError] = {}
    for key, job in jobs.items():
        try:
            made[key] = job()
        except StudyError as error:
            problems |= {str(problem): problem for problem in error.problems}
        except LabkitError as error:
            where = error.where or _key_in_words(key)
            told = type(error)(error.found, expected=error.expected, todo=error.todo, where=where)
            problems[str(told)] = told
    if problems:
        raise StudyError(problems.values())
    return made


def _key_in_words(key: Any) -> str:
    if isinstance(key, tuple):
        return _key_in_words(key[0]) if isinstance(key[0], Path) else ", ".join(map(_key_in_words, key))
    return key.name if isinstance(key, Path) else str(key)


def place(file: str | Path, row: int | None = None, column: str | None = None) -> str:
    """Where a problem stands; `row` counts as a spreadsheet does, the header being row 1.

    >>> place("animals.csv", 7, "group")
    'animals.csv, row 7, column group'
    """
    parts = [Path(file).name, row and f"row {row}", column and f"column {column}"]
    return ", ".join(str(part) for part in parts if part)

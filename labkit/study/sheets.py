"""One sheet of a study, read as people save it.

A sheet is a table with one heading row. It may be CSV in any of the shapes that spreadsheet programs write
(comma, semicolon or tab; UTF-8 with or without byte order mark, UTF-16, Windows-1252) or an Excel workbook.
Every cell comes back as text, so that animal "007" stays "007"; numbers are made where a column is known to
hold them.

Blank rows are skipped, and so are comments: rows whose first cell starts with "# ", and above the headings
any row that starts with "#". An animal named "#12" is therefore an animal.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd

from labkit.errors import Problem, StudyError, place
from labkit.study.validation import nearest

__all__ = ["SHEETS", "NothingThere", "decode", "find_sheet", "read_sheet", "unreadable"]

#: Names of all sheets that a study may have.
SHEETS = ("recordings", "blots", "lanes", "images", "animals")

_DELIMITERS = (",", ";", "\t")
_TEXT, _BOOKS = (".csv", ".tsv", ".txt"), (".xlsx", ".xlsm")
_FOREIGN = (".xls", ".xlsb", ".ods", ".numbers", ".csv.txt", ".csv.csv")
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u202f"), " ") | dict.fromkeys(map(ord, "\u200b\ufeff"), "")
_NAMES = {",": "a comma (a decimal comma, say)", ";": "a semicolon", "\t": "a tab"}
_UNNAMED = re.compile(r"(Unnamed: \d+)?")
_SAVE = "save it again from the spreadsheet program as .xlsx or as CSV (UTF-8)"


class NothingThere(Problem):
    """A sheet that is not there or has no rows, which is well where the study does without it."""


def find_sheet(folder: str | Path, name: str) -> Path:
    """The file that holds sheet `name` ("animals"): a .csv, .tsv or .txt, or an .xlsx in its place.

    Raises
    ------
    Problem
        If there is none, more than one, or one in a format that is not read.
    """
    files = [path for path in sorted(Path(folder).iterdir()) if path.name.lower().startswith(f"{name}.")]
    found = [path for path in files if path.name.lower() in {name + suffix for suffix in _TEXT + _BOOKS}]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(
            f"{' and '.join(path.name for path in found)} are both there",
            expected="one of them",
            todo="keep the one that holds, and move the other away",
            where=f"{name}.csv",
        )
    foreign = [path.name for path in files if path.name.lower() in {name + suffix for suffix in _FOREIGN}]
    foreign += _misspelt(folder, name)
    kind = Problem if foreign else NothingThere
    raise kind(
        f"the sheet is not there, but {foreign[0]} is" if foreign else "the sheet is not there",
        expected=f"{name}.csv or {name}.xlsx in the study folder",
        todo=f"save it as {name}.xlsx or {name}.csv" if foreign else "add it: labkit new writes an example",
        where=f"{name}.csv",
    )


def _misspelt(folder: str | Path, name: str) -> list[str]:
    """A file that seems to be meant for this sheet, such as blot.csv for blots.csv."""
    sheets = {
        path.stem: path.name for path in Path(folder).iterdir() if path.suffix.lower() in _TEXT + _BOOKS
    }
    meant = nearest(name, [stem for stem in sheets if stem.lower() not in SHEETS], cutoff=0.85)
    return [sheets[meant]] if meant else []


def read_sheet(path: str | Path, *, known: Iterable[str] = ()) -> pd.DataFrame:
    """Read a sheet as text.

    Parameters
    ----------
    path
        CSV or Excel file. Of a workbook the sheet with the file's own name is read, else the first.
    known
        Headings to recognise however capitals and spaces stand: "Test pathway" is read as "test_pathway".

    Returns
    -------
    DataFrame of str, one row per data row; '' where a cell is empty. The index, named "row", counts rows as
    the spreadsheet shows them, so that a message can name them.

    Raises
    ------
    StudyError
        With every problem of the sheet: unreadable, no rows, a heading twice, cells without a heading.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "animals.csv"
    >>> _ = file.write_bytes("# our mice\\r\\nAnimal;Group\\r\\n007;vehicle\\r\\n".encode("utf-16"))
    >>> read_sheet(file, known=["animal", "group"]).reset_index().to_dict("records")
    [{'row': 3, 'animal': '007', 'group': 'vehicle'}]
    """
    path, known = Path(path), tuple(known)
    try:
        if path.suffix.lower() in _BOOKS:
            delimiter, records = "", _workbook(path)
        else:
            delimiter, records = _records(decode(path.read_bytes(), path), path)
    except OSError as error:
        raise StudyError([unreadable(path, error)]) from error
    except Problem as problem:
        raise StudyError([problem]) from problem

    rows: list[tuple[int, list[str]]] = []
    for number, record in enumerate(records, start=1):
        cells = [cell.translate(_SPACES).strip() for cell in record]
        if any(cells) and not _is_comment(cells[0], heading=not rows):
            rows.append((number, cells))
    if not rows:
        headings = "headings" + (f" such as {', '.join(known)}" if known else "")
        raise StudyError([_nothing(path, "the sheet is empty", headings)])
    headings = [_heading(cell, known) for cell in rows[0][1]]
    problems = list(_misfits(path, headings, rows, delimiter))
    if problems:
        raise StudyError(problems)
    if len(rows) == 1:
        raise StudyError(
            [_nothing(path, "the sheet has headings but no rows", "at least one row below them")]
        )

    width = len(headings)
    body = [(cells + [""] * width)[:width] for _, cells in rows[1:]]
    index = pd.Index([number for number, _ in rows[1:]], name="row")
    table = pd.DataFrame(body, columns=range(width), index=index, dtype=str)
    keep = [i for i in range(width) if not (_UNNAMED.fullmatch(headings[i]) and (table[i] == "").all())]
    return table[keep].set_axis([headings[i] for i in keep], axis="columns")


def decode(data: bytes, path: str | Path, *, legacy: bool = True) -> str:
    """Text of a file in UTF-8 or UTF-16, or with `legacy` in Windows-1252, without its byte order mark.

    Raises
    ------
    Problem
        If the bytes are no text.
    """
    line = 1
    for encoding in _encodings(data, legacy):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Problem(
            "the file is an Excel workbook with the wrong ending",
            expected="text",
            todo="rename it to .xlsx, or save it as CSV",
            where=place(path),
        )
    raise Problem(
        "the file is not text in UTF-8" + ("" if legacy else f" (first seen in line {line})"),
        expected="text in UTF-8",
        todo=_SAVE if legacy else "save it again from a text editor with the encoding UTF-8",
        where=place(path),
    )


def _encodings(data: bytes, legacy: bool) -> list[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ["utf-16"]
    if data[1:200:2].count(0) > data[:200:2].count(0) == 0:
        return ["utf-16-le"]  # "Unicode text" that has lost its mark
    if b"\0" in data:
        return []
    return ["utf-8-sig", "cp1252"] if legacy else ["utf-8-sig"]


def unreadable(path: Path, error: OSError) -> Problem:
    """The sentence for a file that the system will not open."""
    return Problem(
        f"the file cannot be read ({error.strerror or error})",
        todo="close it in other programs and make sure that you may read it",
        where=place(path),
    )


def _records(text: str, path: Path) -> tuple[str, list[list[str]]]:
    """The delimiter and the records of a CSV text, one record per spreadsheet row."""
    match = re.match(r"sep=(.)\r?\n?", text)  # Excel's own first line, which Excel does not show as a row
    text = text[match.end() :] if match else text
    delimiter = match[1] if match else max(_DELIMITERS, key=lambda mark: _headings_split_by(mark, text))
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Problem(
            f"the quotation marks do not match ({error})",
            expected='a closing " for each opening one',
            todo=_SAVE,
            where=place(path),
        ) from error
    whole_rows = [record[0] if record else "" for record in records]
    if all(len(record) < 2 for record in records) and _headings_split_by(",", "\n".join(whole_rows)) > 1:
        # A spreadsheet that expects semicolons keeps each line of a comma file as one quoted cell.
        return ",", list(csv.reader(whole_rows))
    return delimiter, records


def _headings_split_by(delimiter: str, text: str) -> int:
    """How many headings a text has if `delimiter` is its delimiter."""
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            cells = [cell.translate(_SPACES).strip(" ,;\t") for cell in record]
            if any(cells) and not _is_comment(cells[0], heading=True):
                return sum(map(bool, cells))
    except csv.Error:
        pass
    return 0


def _workbook(path: Path) -> list[list[str]]:
    """The rows of an Excel workbook as text."""
    import openpyxl

    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl names every feature of the file that it does not keep
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            named = [sheet for sheet in book.worksheets if sheet.title.strip().lower() == path.stem.lower()]
            sheet = (named or book.worksheets)[0]
            sheet.reset_dimensions()  # what the file says of its own size may be wrong
            return [[_cell(cell) for cell in row] for row in sheet.iter_rows()]
    except OSError:
        raise
    except Exception as error:  # a damaged workbook fails in many ways, none of them documented
        raise Problem(
            "the file is not an Excel workbook, or is damaged",
            expected="a workbook",
            todo=_SAVE,
            where=place(path),
        ) from error


def _cell(cell) -> str:
    """A workbook's cell as the text that the user sees, without rounding."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and re.fullmatch("0+", cell.number_format or ""):
        return str(value).zfill(len(cell.number_format))
    if hasattr(value, "isoformat"):
        return value.isoformat().removesuffix("T00:00:00")
    return str(value)


def _is_comment(first: str, *, heading: bool) -> bool:
    return first == "#" or first.startswith("#" if heading else "# ")


def _heading(cell: str, known: tuple[str, ...]) -> str:
    plain = re.sub(r"\W+", "_", cell).strip("_").casefold()
    return plain if plain in known else cell


def _nothing(path: Path, found: str, expected: str) -> NothingThere:
    return NothingThere(
        found,
        expected=expected,
        todo="fill it in with a spreadsheet program (rows that start with # are only comments)",
        where=place(path),
    )


def _misfits(
    path: Path, headings: list[str], rows: list[tuple[int, list[str]]], delimiter: str
) -> Iterator[Problem]:
    """Headings that stand twice, and cells that stand under no heading."""
    top = rows[0][0]
    for heading in sorted({h for h in headings if h and headings.count(h) > 1}):
        yield Problem(
            f"the heading {heading!r} stands {headings.count(heading)} times",
            expected="each heading once",
            todo="rename or remove the others",
            where=place(path, top),
        )
    bare = {i for i, heading in enumerate(headings) if not heading}
    for number, cells in rows[1:]:
        if _overflows(cells, len(headings), delimiter):
            mark = _NAMES.get(delimiter, repr(delimiter))
            quoted = f"put quotation marks around a cell that holds {mark} itself"
            yield Problem(
                f"the row has {len(cells)} cells but there are {len(headings)} headings",
                expected="a heading for each cell",
                todo=f"{quoted}, or add the heading" if delimiter else "add the heading, or empty the cells",
                where=place(path, number),
            )
        for i in sorted(bare):
            if i < len(cells) and cells[i]:
                bare.discard(i)
                yield Problem(
                    f"the cell {cells[i]!r} stands in column {i + 1}, which has no heading",
                    expected=f"a heading for it in row {top}",
                    todo="add the heading, or empty the column",
                    where=place(path, number),
                )


def _overflows(cells: list[str], width: int, delimiter: str) -> bool:
    """Whether a row is longer than the headings, other than by blanks at its end.

    A decimal comma without quotation marks splits "12,5" in two and pushes a blank over the edge.
    """
    if len(cells) <= width:
        return False
    halves = any(re.fullmatch(r"-?\d+,\d+", ",".join(pair)) for pair in pairwise(cells))
    return any(cells[width:]) or (delimiter == "," and halves)

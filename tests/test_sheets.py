"""Sheets as people save them come back as the same text; what cannot be read is said in a sentence."""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import tempfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labkit.errors import Problem, StudyError
from labkit.study.sheets import decode, find_sheet, read_sheet

HEADINGS = ["animal", "group", "note"]
ROWS = [["007", "vehicle", "größer"], ["a 2", "10 mg/kg", ""]]


def write_csv(rows, *, delimiter=",", encoding="utf-8", end="\r\n"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    return text.getvalue().encode(encoding)


def cells(data, *, name="animals.csv", known=HEADINGS):
    """Rows that `read_sheet` makes of the bytes, each with its row number in front."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        table = read_sheet(path, known=known)
    return [list(table.columns)] + [
        [number, *row] for number, row in zip(table.index, table.to_numpy(), strict=True)
    ]


def sentence(data, *, name="animals.csv"):
    with pytest.raises(StudyError) as caught:
        cells(data, name=name)
    return [str(problem) for problem in caught.value.problems]


EXPECTED = [HEADINGS, [2, *ROWS[0]], [3, *ROWS[1]]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_every_way_a_spreadsheet_saves_text(encoding, delimiter, end):
    assert cells(write_csv([HEADINGS, *ROWS], delimiter=delimiter, encoding=encoding, end=end)) == EXPECTED


def test_utf_16_big_endian():
    data = b"\xfe\xff" + write_csv([HEADINGS, *ROWS], delimiter="\t", encoding="utf-16-be")
    assert cells(data) == EXPECTED


# Cells as people type them: without blanks at the ends, which are taken off, and without control characters.
plain = st.text(st.characters(codec="cp1252", exclude_categories=("Cc", "Zs")), max_size=12)
words = st.builds(" ".join, st.lists(plain.filter(bool), max_size=3))
tables = st.lists(st.tuples(words, words, words), min_size=1, max_size=6).filter(
    lambda rows: all(any(row) and row[0] != "#" and not row[0].startswith("# ") for row in rows)
)


@settings(max_examples=150, deadline=None)
@given(
    rows=tables,
    delimiter=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_is_written_is_read_back(rows, delimiter, encoding, end):
    data = write_csv([HEADINGS, *rows], delimiter=delimiter, encoding=encoding, end=end)
    if encoding == "cp1252":
        with contextlib.suppress(UnicodeDecodeError):
            # Windows-1252 bytes that happen to be UTF-8 cannot be told from it.
            assume(data.decode("utf-8") == data.decode("cp1252"))
    expected = [[number, *row] for number, row in enumerate(rows, start=2)]
    assert cells(data) == [HEADINGS, *expected]


@settings(max_examples=40, deadline=None)
@given(rows=tables)
def test_a_workbook_reads_as_the_csv_does(rows):
    assume(
        not any(cell.startswith("=") for row in rows for cell in row)
    )  # a workbook takes these for formulas
    book = openpyxl.Workbook()
    for row in [HEADINGS, *rows]:
        book.active.append([cell or None for cell in row])
        for cell in book.active[book.active.max_row]:
            cell.data_type = cell.data_type if cell.value is None else "s"
    buffer = io.BytesIO()
    book.save(buffer)
    assert cells(buffer.getvalue(), name="animals.xlsx") == cells(write_csv([HEADINGS, *rows]))


def test_comments_blank_rows_and_blanks_keep_the_row_numbers():
    text = (
        "#our mice, spring\n"
        "\n"
        "# second comment\n"
        " Animal ;GROUP; Note ;;\n"
        "a1 ;\u00a0vehicle\u00a0;\u202f12,5 ;;\n"
        ";;;;\n"
        "# a9;vehicle;;;\n"
        "#12;vehicle;x\u00a0y;;\n"
    )
    assert cells(text.encode()) == [HEADINGS, [5, "a1", "vehicle", "12,5"], [8, "#12", "vehicle", "x y"]]


def test_quoted_cells_may_hold_delimiters_and_lines_and_count_as_one_row():
    text = 'animal,group,note\n"a, 1",vehicle,"two\nlines; ""said"""\na2,vehicle,\n'
    assert cells(text.encode())[1:] == [
        [2, "a, 1", "vehicle", 'two\nlines; "said"'],
        [3, "a2", "vehicle", ""],
    ]


def test_empty_columns_without_a_name_are_dropped_and_named_ones_kept():
    text = "animal,group,Unnamed: 2,cage,\na1,vehicle,,,\n"
    assert cells(text.encode()) == [["animal", "group", "cage"], [2, "a1", "vehicle", ""]]


def test_short_rows_are_filled_and_surplus_blanks_dropped():
    text = "animal,group,note\na1,vehicle\na2,vehicle,x,,\n"
    assert cells(text.encode())[1:] == [[2, "a1", "vehicle", ""], [3, "a2", "vehicle", "x"]]


def test_the_line_that_tells_excel_the_delimiter_is_no_row():
    assert cells(b"sep=;\r\nanimal;group\r\na,1;vehicle\r\n") == [["animal", "group"], [2, "a,1", "vehicle"]]


def test_lines_that_a_semicolon_spreadsheet_keeps_in_one_cell():
    text = '"# a comment"\r\n"animal,group"\r\n\r\n"a1,""x, y"""\r\n'
    assert cells(text.encode()) == [["animal", "group"], [4, "a1", "x, y"]]


@pytest.mark.parametrize("text", ['"animal","group"\n"a1","vehicle"\n', "sep=;\nanimal;group\na1;vehicle\n"])
def test_a_byte_order_mark_does_not_hide_what_follows_it(text):
    assert cells(text.encode("utf-8-sig")) == [["animal", "group"], [2, "a1", "vehicle"]]


def test_headings_are_known_in_any_spelling_and_others_left_alone():
    text = "Animal,Test pathway,Cage No.\n1,S0,4\n"
    assert cells(text.encode(), known=["animal", "test_pathway"])[0] == ["animal", "test_pathway", "Cage No."]


def test_workbook_cells_read_as_the_user_sees_them():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["# a comment"])
    sheet.append([])
    sheet.append(["Animal", "group", "padded", "weight", "born", "ok", None, None])
    sheet.append([12, "vehicle", 7, 21.25, datetime.date(2025, 3, 5), True, None, " "])
    sheet.append([13.0, "vehicle\u00a0", 12, 1 / 3, datetime.datetime(2025, 3, 5, 9, 30), None])
    for row in (4, 5):
        sheet.cell(row, 3).number_format = "000"
    book.create_sheet("notes").append(["not this one"])
    buffer = io.BytesIO()
    book.save(buffer)
    assert cells(buffer.getvalue(), name="animals.xlsx") == [
        ["animal", "group", "padded", "weight", "born", "ok"],
        [4, "12", "vehicle", "007", "21.25", "2025-03-05", "TRUE"],
        [5, "13", "vehicle", "012", "0.3333333333333333", "2025-03-05T09:30:00", ""],
    ]


def test_the_sheet_with_the_file_s_own_name_is_read_wherever_it_stands():
    book = openpyxl.Workbook()
    book.active.append(["something", "else"])
    sheet = book.create_sheet("Animals")
    sheet.append(["animal", "group"])
    sheet.append(["a1", "vehicle"])
    buffer = io.BytesIO()
    book.save(buffer)
    assert cells(buffer.getvalue(), name="animals.xlsx")[1:] == [[2, "a1", "vehicle"]]


FILL = "; fill it in with a spreadsheet program (rows that start with # are only comments)."
SAVE = "save it again from the spreadsheet program as .xlsx or as CSV (UTF-8)."


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ["animals.csv: the sheet is empty; expected headings such as animal, group, note" + FILL]),
        (
            b"# x\n,,\n",
            ["animals.csv: the sheet is empty; expected headings such as animal, group, note" + FILL],
        ),
        (
            b"animal,group\n# a1,vehicle\n",
            ["animals.csv: the sheet has headings but no rows; expected at least one row below them" + FILL],
        ),
        (
            b"animal,group,Animal\na1,vehicle,a1\n",
            [
                "animals.csv, row 1: the heading 'animal' stands 2 times; expected each heading once; "
                "rename or remove the others."
            ],
        ),
        (
            b"animal,group,note\na1,vehicle,\na2,vehicle,12,5\n",
            [
                "animals.csv, row 3: the row has 4 cells but there are 3 headings; "
                "expected a heading for each cell; "
                "put quotation marks around a cell that holds a comma (a decimal comma, say) itself, "
                "or add the heading."
            ],
        ),
        (
            b"animal,weight,note\na1,12,5,\n",  # a split number that pushes only a blank over the edge
            [
                "animals.csv, row 2: the row has 4 cells but there are 3 headings; "
                "expected a heading for each cell; "
                "put quotation marks around a cell that holds a comma (a decimal comma, say) itself, "
                "or add the heading."
            ],
        ),
        (
            b"animal,group,\na1,vehicle,\na2,vehicle,9\na3,vehicle,9\n",
            [
                "animals.csv, row 3: the cell '9' stands in column 3, which has no heading; "
                "expected a heading for it in row 1; add the heading, or empty the column."
            ],
        ),
        (
            b'animal,group\na1,"vehicle\n',
            [
                "animals.csv: the quotation marks do not match (unexpected end of data); "
                'expected a closing " for each opening one; ' + SAVE
            ],
        ),
        (
            b"\x00\x01\x02" * 70,
            ["animals.csv: the file is not text in UTF-8; expected text in UTF-8; " + SAVE],
        ),
        (b"animal\x81", ["animals.csv: the file is not text in UTF-8; expected text in UTF-8; " + SAVE]),
        (
            b"PK\x03\x04\x00\x00\x00",
            [
                "animals.csv: the file is an Excel workbook with the wrong ending; expected text; "
                "rename it to .xlsx, or save it as CSV."
            ],
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(data, expected):
    assert sentence(data) == expected


@pytest.mark.parametrize("data", [b"", b"animal,group\na1,vehicle\n", b"PK\x03\x04 cut off"])
def test_a_workbook_that_is_none(data):
    assert sentence(data, name="animals.xlsx") == [
        "animals.xlsx: the file is not an Excel workbook, or is damaged; expected a workbook; " + SAVE
    ]


def test_a_workbook_cut_anywhere_gives_a_sentence():
    book = openpyxl.Workbook()
    book.active.append(HEADINGS)
    book.active.append(ROWS[0])
    buffer = io.BytesIO()
    book.save(buffer)
    whole = buffer.getvalue()
    for length in range(0, len(whole) - 1, 97):
        assert "damaged" in sentence(whole[:length], name="animals.xlsx")[0]


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_table_or_sentences(data):
    problems = []
    rows = []
    try:
        rows = cells(data)
    except StudyError as error:
        problems = [str(problem) for problem in error.problems]
    assert (len(rows) > 1) != bool(problems)
    assert all(problem.startswith("animals.csv") for problem in problems)


def test_a_sheet_that_is_a_folder(tmp_path):
    with pytest.raises(
        StudyError, match=r"^animals.csv: the file cannot be read \(Is a directory\); close it"
    ):
        read_sheet(tmp_path.joinpath("animals.csv").mkdir() or tmp_path / "animals.csv")


def test_decode_without_legacy_refuses_windows_text():
    with pytest.raises(Problem, match=r"^study.toml: the file is not text in UTF-8 \(first seen in line 2\)"):
        decode("title = 1\nunit = 'µg'\n".encode("cp1252"), "study.toml", legacy=False)


@pytest.mark.parametrize("name", ["animals.csv", "Animals.CSV", "animals.txt", "animals.tsv", "animals.xlsx"])
def test_find_sheet_by_any_ending(tmp_path, name):
    for other in (name, "~$animals.xlsx", "animals.csv.json", "animals_old.csv"):
        (tmp_path / other).touch()
    assert find_sheet(tmp_path, "animals") == tmp_path / name


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            [],
            "animals.csv: the sheet is not there; expected animals.csv or animals.xlsx in the study folder; "
            "add it: labkit new writes an example.",
        ),
        (
            ["animals.ods"],
            "animals.csv: the sheet is not there, but animals.ods is; "
            "expected animals.csv or animals.xlsx in the study folder; save it as animals.xlsx or "
            "animals.csv.",
        ),
        (
            ["animals.csv", "animals.xlsx"],
            "animals.csv: animals.csv and animals.xlsx are both there; expected one of them; "
            "keep the one that holds, and move the other away.",
        ),
    ],
)
def test_find_sheet_says_what_is_there(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(Problem) as caught:
        find_sheet(tmp_path, "animals")
    assert str(caught.value) == expected

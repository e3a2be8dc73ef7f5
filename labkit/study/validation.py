"""What pydantic finds wrong, said as labkit says it: what was found, what was expected, what to do.

Also the types of single cells that sheets share: numbers with a decimal point or comma, cells that must be
filled, cells that may be empty.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

__all__ = ["Number", "Optional", "Sentence", "Text", "explain", "near", "nearest", "show", "wrong"]

_EMPTY = frozenset({"", "-", "–", "—", "na", "n/a", "n.a.", "nan", "none", "null"})
_A_NUMBER = "write digits with a decimal point, such as 0.05, without unit or quotation marks"


class Sentence(NamedTuple):
    """The three clauses of a problem."""

    found: str
    expected: str
    todo: str


def wrong(expected: str, todo: str = "", found: str = "") -> PydanticCustomError:
    """An error for a validator to raise; `explain` gives its clauses back."""
    return PydanticCustomError("labkit", "{expected}", {"expected": expected, "todo": todo, "found": found})


def explain(error: Any) -> Sentence:
    """The clauses for one entry of ``ValidationError.errors()``."""
    kind, ctx = error["type"], error.get("ctx", {})
    found = f"found {show(error.get('input'))}"
    if kind == "labkit":
        return Sentence(ctx["found"] or found, ctx["expected"], ctx["todo"] or "correct it")
    if kind in _RANGES:
        words, key = _RANGES[kind]
        return Sentence(found, f"a number {words} {ctx[key]:g}", "correct the number")
    if kind == "literal_error":
        names = re.findall(r"'([^']*)'", ctx["expected"])
        return Sentence(found, ctx["expected"], near(str(error["input"]), names) or "write one of these")
    if kind.startswith(("float_", "finite_")):
        return Sentence(found, "a number", _A_NUMBER)
    if kind.startswith("int_"):
        return Sentence(found, "a whole number", "write digits only")
    if kind.startswith("bool_"):
        return Sentence(found, "true or false", "write true or false, without quotation marks")
    if kind.startswith("string_too_short"):
        return Sentence("the text is empty", "a name", "fill it in")
    if kind.startswith("string_"):
        return Sentence(found, "text", "put it in quotation marks")
    if kind.startswith(("tuple_", "list_")):
        return Sentence(found, "a list in square brackets", 'write it as ["first", "second"] or [50, 60]')
    if kind.startswith(("model_", "dict_")):
        return Sentence(
            found, "a section with settings of its own", "see the study.toml that labkit new writes"
        )
    if kind == "too_short":
        return Sentence("nothing stands here", "at least one entry", "fill it in, or take it out")
    return Sentence(found, error["msg"].removeprefix("Input should be "), "correct it")


def near(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str:
    """What to do about a word that resembles a known one; '' when it resembles none.

    Examples
    --------
    >>> near("alhpa", ["alpha", "omnibus"])
    "write 'alpha' if that is meant"
    """
    meant = nearest(word, words, cutoff=cutoff)
    return f"write {meant!r} if that is meant" if meant else ""


def nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The known word that `word` resembles most, whatever its capitals; '' when it resembles none."""
    spelt = {name.casefold(): name for name in words}
    close = difflib.get_close_matches(word.casefold(), spelt, n=1, cutoff=cutoff)
    return spelt[close[0]] if close else ""


def show(value: Any) -> str:
    """A value as the user wrote it, cut to a length that fits a sentence."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 80 else text[:77] + "..."


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace(" ", "")
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", text):
        raise wrong(
            "a number", f"write {text.replace(',', '')} or {text.replace(',', '.', 1)}, whichever it is"
        )
    if not re.fullmatch(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", text):
        raise wrong("a number", "write digits alone; the unit stands in the heading")
    return text.replace(",", ".")


def _filled(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise wrong("a name", "fill it in", found="the cell is empty")
    return value


def _none_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().casefold() in _EMPTY else value


#: A cell with a number, its decimal mark a point or a comma.
Number = Annotated[float, BeforeValidator(_number)]
#: A cell that must hold text.
Text = Annotated[str, BeforeValidator(_filled)]
#: Marks a cell that may be empty; "-" and "NA" count as empty.
Optional = BeforeValidator(_none_if_empty)

_RANGES = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("of at most", "le"),
}

"""HTML of a report between the notebook and the reader: made safe, made accessible, given contents."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from nbformat import NotebookNode

__all__ = ["description", "digest", "finish", "heading", "tidy"]

WIDGET = "application/vnd.jupyter.widget-view+json"
# Nothing of these belongs in a document: programs, other documents, and what changes the head.
UNSAFE = [
    "script",
    "iframe",
    "object",
    "embed",
    "applet",
    "link",
    "meta",
    "base",
    "form",
    "noscript",
    "template",
]
LOADING = ("src", "srcset", "poster", "background", "data")
WARNING = re.compile(r"^\S.*?:\d+: UserWarning: (?P<text>.+)$", re.MULTILINE)
PROSE = 240  # characters from which on a cell is a paragraph, and as wide as one


def heading(notebook: NotebookNode) -> str:
    """The first top heading of a notebook, '' when there is none."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^#\s+(.+?)\s*#*$", text, re.MULTILINE)
    return found.group(1) if found else ""


def tidy(notebook: NotebookNode, notice: Callable[[str], Any]) -> NotebookNode:
    """A copy of a run notebook with what a reader of paper can use.

    Widgets give way to their pictures. On standard error only the warnings meant for users (UserWarning) are
    kept, as notices; deprecations and the like are for developers.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs for kept in _kept(output, notice)]
    return notebook


def _kept(output: NotebookNode, notice: Callable[[str], Any]) -> list[NotebookNode]:
    from nbformat.v4 import new_output

    if output.output_type == "stream" and output.name == "stderr":
        texts = dict.fromkeys(found["text"].strip() for found in WARNING.finditer(output.text))
        return [new_output("display_data", notice(text)._repr_mimebundle_()) for text in texts]
    data = output.get("data", {})
    if WIDGET in data:
        del data[WIDGET]
        if not any(kind.startswith(("image/", "text/html")) for kind in data):
            return []  # its text is the name of a Python class
    return [] if set(data) == {"text/plain"} and not data["text/plain"].strip() else [output]


def description(output: NotebookNode) -> str:
    """Alternative text of an image whose metadata hold none."""
    text = output.data.get("text/plain", "")
    return "Picture without a description" if not text or text.startswith("<") else text


def finish(html: str, title: str) -> str:
    """Make the main part safe and accessible, bring its cautions to the top, and fill the contents bar."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    main = soup.find("main")
    _make_safe(main)
    first = main.find("h1")
    if first is None:
        first = soup.new_tag("h1")
        first.string = title
        main.insert(0, first)
    for table in main.find_all("table"):
        _dress(table, soup)
    for box in main.select(".notice"):
        box.attrs.pop("style", None)
    anchor = first
    for box in main.select(".notice.caution"):
        anchor.insert_after(box.extract())
        anchor = box
    _fill_contents(soup, main)
    return str(soup)


def digest(name: str, html: str) -> SimpleNamespace:
    """Heading, first sentence and cautions of a finished report."""
    from bs4 import BeautifulSoup

    main = BeautifulSoup(html, "html.parser").find("main")
    lead = next((p for p in main.find_all("p") if not p.find_parent(class_="notice")), None)
    lead = " ".join(lead.get_text().split()) if lead else ""
    cautions = dict.fromkeys(" ".join(box.get_text().split()) for box in main.select(".notice.caution"))
    sentence = re.match(r".+?[.!?](?=\s|$)", lead)
    return SimpleNamespace(
        name=name,
        heading=main.find("h1").get_text().strip() or name,
        lead=sentence.group() if sentence else lead,
        cautions=list(cautions),
    )


def _make_safe(main: Tag) -> None:
    for tag in main.find_all(UNSAFE):
        tag.decompose()
    for tag in main.find_all("style"):
        if tag.has_attr("scoped") or re.search(r"url\s*\(|@import|expression", tag.get_text(), re.IGNORECASE):
            tag.decompose()
    for tag in main.find_all(True):
        for name, value in list(tag.attrs.items()):
            text = re.sub(r"\s", "", " ".join(value) if isinstance(value, list) else str(value)).lower()
            elsewhere = name in LOADING and not text.startswith("data:image/")
            if name in ("href", "xlink:href") and tag.name != "a":
                elsewhere = not text.startswith(("#", "data:image/"))
            program = name.startswith("on") or "javascript:" in text or (name == "style" and "url(" in text)
            if elsewhere or program:
                del tag[name]

    for image in main.find_all("img"):
        if not image.has_attr("src"):
            image.replace_with(image.get("alt", ""))


def _dress(table: Tag, soup: BeautifulSoup) -> None:
    """Headers that say what they head, words to the left, numbers to the right, and room to scroll."""
    table.attrs.pop("border", None)
    for tag in table.find_all(["tr", "th"]):
        tag.attrs.pop("style", None)
    _merge_header(table)
    for cell in table.select("thead th"):
        for text in cell.find_all(string=re.compile("_")):
            parts = text.split("_")  # a column's name may break after each of its words
            text.replace_with(
                *[piece for part in parts[:-1] for piece in (part + "_", soup.new_tag("wbr"))], parts[-1]
            )
    for cell in table.find_all("th"):
        if not cell.get_text().strip():
            cell.name = "td"  # a header without a text heads nothing
        elif not cell.has_attr("scope"):
            cell["scope"] = "row" if cell.find_parent("tbody") else "col"
    body = [row.find_all(["th", "td"], recursive=False) for row in table.select("tbody > tr")]
    columns = max(map(len, body), default=0)
    heads = [row.find_all(["th", "td"], recursive=False) for row in table.select("thead > tr")]
    for i in range(1, columns + 1):  # from the right: rows of a nested index lack the cells that span them
        cells = [row[-i] for row in body if len(row) >= i]
        if not all(map(_is_number, cells)):
            for cell in cells + [row[-i] for row in heads if len(row) >= i]:
                _add_class(cell, "words")
    for cell in table.select("tbody td"):
        if len(cell.get_text()) <= 24:
            _add_class(cell, "keep")
        elif len(cell.get_text()) > PROSE:
            _add_class(cell, "prose")
    if len(body) <= 20:
        _add_class(table, "short")
    if columns > 8:
        _add_class(table, "wide")
    before = table.find_previous(["h1", "h2", "h3"])
    label = "Table" + (f": {' '.join(before.get_text().split())}" if before else "")
    table.wrap(
        soup.new_tag("div", attrs={"class": "scroll", "tabindex": "0", "role": "region", "aria-label": label})
    )


def _add_class(tag: Tag, name: str) -> None:
    tag["class"] = [*tag.get("class", []), name]


def _merge_header(table: Tag) -> None:
    """Put the name of the index, which pandas writes in a row of its own, beside the names of the columns."""
    rows = [row.find_all("th", recursive=False) for row in table.select("thead > tr")]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):
        return
    if all(
        not (top.get_text().strip() and below.get_text().strip()) for top, below in zip(*rows, strict=True)
    ):
        for top, below in zip(*rows, strict=True):
            if below.get_text().strip():
                top.replace_with(below.extract())
        table.select("thead > tr")[1].decompose()


def _is_number(cell: Tag) -> bool:
    text = cell.get_text().strip().rstrip("%").strip().replace("−", "-")
    return cell.name == "td" and bool(
        re.fullmatch(r"|nan|none|<na>|[<>=]?\s*[-+]?[\d.,]+(e[-+]?\d+)?", text.lower())
    )


def _fill_contents(soup: BeautifulSoup, main: Tag) -> None:
    """Give each heading an address and list those below the title."""
    nav, taken = soup.find("nav"), {"main", "contents", "how-this-was-made"}
    items = soup.new_tag("ol")
    for tag in main.find_all(["h1", "h2", "h3"]):
        base = re.sub(r"[^\w]+", "-", tag.get_text().lower()).strip("-") or "section"
        name, again = base, 1
        while name in taken:
            again += 1
            name = f"{base}-{again}"
        taken.add(name)
        tag["id"] = name
        if tag.name != "h1":
            items.append(_item(soup, name, tag.get_text(), tag.name))
    items.append(_item(soup, "how-this-was-made", "How this was made", "h2"))
    label = soup.new_tag("p")
    label.string = "Contents"
    nav.extend([label, items])


def _item(soup: BeautifulSoup, address: str, text: str, level: str) -> Tag:
    link = soup.new_tag("a", href=f"#{address}")
    link.string = " ".join(text.split())
    item = soup.new_tag("li", attrs={"class": level})
    item.append(link)
    return item

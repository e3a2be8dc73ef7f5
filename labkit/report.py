"""From notebooks to self-contained HTML reports: run them on a study, then write everything at once.

A report opens without network, in print, and without a picture: no script, no address is loaded (its own
security policy forbids both), every image has its description, and the foot names versions, settings and
hashes. Reports are written after every notebook has succeeded; until then those of the last run stay as
they are.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from labkit import errors, picks, results
from labkit import files as _files
from labkit.errors import LabkitError, ResultError
from labkit.execute import NotebookError, execute_all

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from labkit.study import Study

__all__ = ["Heading", "NotebookError", "Notice", "heading", "notice", "run"]

TEMPLATES = Path(__file__).with_name("templates")
STATISTICS = 4  # notebooks from this number on read the tables that those before it write
METHODS = {1: "recordings", 2: "blots", 3: "images"}  # what a notebook works on; a study may do without


@dataclass(frozen=True)
class Notice:
    """A remark that stands out in notebook and report; a caution is moved to the top of the report."""

    text: str
    kind: str = "caution"

    def __repr__(self) -> str:
        return f"Notice: {self.text}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        look = "border-left: 5px solid #8a3b00; background: #fff6e8; color: #1d2126; padding: 0.5em 1em"
        html = f'<div class="notice {self.kind}" role="note" style="{look}"><p>{escape(self.text)}</p></div>'
        return {"text/plain": repr(self), "text/html": html}


@dataclass(frozen=True)
class Heading:
    """A heading that a cell of code puts above what it shows."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": f"<h3>{escape(self.text)}</h3>"}


def heading(text: str) -> Heading:
    """A heading above one of several things that a cell shows.

    >>> heading("Table 1")
    Table 1
    """
    return Heading(" ".join(text.split()))


def notice(text: str, *, kind: str = "caution") -> Notice | None:
    """Say something that no reader should miss, such as picks that nobody has confirmed.

    Parameters
    ----------
    text
        One or two sentences; '' gives None, which shows nothing.
    kind
        ``"caution"`` goes to the top of the report and to the page of all reports; ``"note"`` stays in its
        place.

    Examples
    --------
    >>> notice("3 of 12 windows are proposals that nobody has confirmed.")
    Notice: 3 of 12 windows are proposals that nobody has confirmed.
    """
    if kind not in ("caution", "note"):
        raise errors.DataError(f"there is no notice of kind {kind!r}", expected="caution or note")
    text = " ".join(text.split())
    return Notice(text, kind) if text else None


def run(
    study_path: Path | str,
    *,
    notebooks: Sequence[int | str] | None = None,
    jobs: int = 1,
    strict: bool = False,
    output: Path | str | None = None,
    progress: Callable[[str], object] | None = None,
    notebooks_dir: Path | str | None = None,
) -> list[Path]:
    """Run the notebooks on a study and write one HTML report each, and index.html.

    Parameters
    ----------
    study_path
        The study folder.
    notebooks
        Which to run, by number or name; by default all.
    jobs
        How many may run side by side, each in its own kernel; the statistics wait for the others.
    strict
        Refuse picks that nobody has confirmed.
    output
        Folder of the reports; by default ``reports`` in the study.
    progress
        Called with one line for each notebook; by default the line goes to standard error.
    notebooks_dir
        Where the notebooks are; by default those of the project, or those installed with the package.

    Returns
    -------
    list of Path
        The reports, then index.html.

    Raises
    ------
    LabkitError
        The one that a notebook raised, or a study or folder that does not fit; earlier reports stay as they
        were.
    NotebookError
        A notebook stopped for any other reason.
    """
    from labkit.study import open_study

    study = open_study(study_path)
    folder = Path(notebooks_dir) if notebooks_dir else _notebooks_dir()
    everything = [path for path in _numbered(folder) if _applies(path, study)]
    chosen = _chosen(everything, notebooks)
    if jobs < 1:
        raise LabkitError(f"jobs is {jobs}", expected="1 or more")
    target = Path(output) if output else study.reports
    say = progress or (lambda line: print(line, file=sys.stderr, flush=True))
    made_here = not target.exists()
    staging = _staging(target)
    try:
        first = [path for path in chosen if _number(path) < STATISTICS]
        last = [path for path in chosen if _number(path) >= STATISTICS]
        executed = execute_all(first, study.path, jobs=jobs, strict=strict, say=say)
        for path in last:
            executed |= execute_all([path], study.path, jobs=1, strict=strict, say=say)
        made = _provenance(study, study_path, strict)
        pages = {path.stem: _render(executed[path], path, made) for path in chosen}
        for path in everything:
            old = target / f"{path.stem}.html"
            if path.stem not in pages and old.is_file():
                pages[path.stem] = old.read_text(encoding="utf-8")
        pages = dict(sorted(pages.items()))
        pages["index"] = _contents(pages, study, made)
        new = [*(path.stem for path in chosen), "index"]
        return _publish({f"{name}.html": pages[name] for name in new}, staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if made_here:
            with suppress(OSError):  # it holds reports now, or is gone
                target.rmdir()


# ---- which notebooks, and where to


def _notebooks_dir() -> Path:
    package = Path(__file__).resolve().parent
    return next(
        (path for path in (package.parent / "notebooks", package / "notebooks") if path.is_dir()), package
    )


def _number(path: Path) -> int:
    return int(re.match(r"\d+", path.name).group())  # type: ignore[union-attr]


def _numbered(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*.ipynb") if path.name[0].isdigit())
    if not found:
        raise LabkitError("there are no notebooks", expected="01_ltp.ipynb and others", where=folder)
    return found


def _applies(path: Path, study: Study) -> bool:
    """Whether the study has what a notebook works on."""
    method = METHODS.get(_number(path))
    return method is None or not getattr(study, method).empty


def _chosen(everything: list[Path], wanted: Sequence[int | str] | None) -> list[Path]:
    if wanted is None:
        return everything
    chosen = set()
    for name in wanted:
        text = str(name).removesuffix(".ipynb")
        matches = [
            path
            for path in everything
            if text == path.stem or (text.isdigit() and int(text) == _number(path))
        ]
        if not matches:
            known = ", ".join(f"{_number(path)} ({path.stem})" for path in everything)
            raise LabkitError(
                f"there is no notebook {text}, or the study has nothing for it", expected=f"one of {known}"
            )
        chosen.update(matches)
    return [path for path in everything if path in chosen]


def _staging(target: Path) -> Path:
    """A folder inside the target, made first, so that a place that cannot be written says so at once."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".labkit-", dir=target))
    except OSError as error:
        raise _unwritable(target, error) from error


def _publish(pages: dict[str, str], staging: Path, target: Path) -> list[Path]:
    """All pages on disk first, then each put in its place."""
    try:
        for name, html in pages.items():
            _files.write_text_whole(staging / name, html)
        return [(staging / name).replace(target / name) for name in pages]
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> ResultError:
    return ResultError(
        f"the reports cannot be written ({error.strerror or error})",
        where=target,
        todo="make room or make the folder writable, or choose another with --output",
    )


# ---- provenance


def _provenance(study: Study, given: Path | str, strict: bool) -> SimpleNamespace:
    """What the foot of every report says."""
    shown = Path(given)
    sheets = sorted(
        path for path in study.path.iterdir()
        if path.suffix.lower() in (".toml", ".csv", ".xlsx") and not path.name.startswith(("~$", "."))
    )  # fmt: skip
    try:
        hashed = {path: _files.sha256(path) for path in sheets}
        for paths in study.raw_files().values():
            beside = picks.sidecar_path(paths)
            for path in [*paths, *([beside] if beside.exists() else [])]:
                hashed[path] = _files.sha256(path)
    except OSError as error:
        raise ResultError(
            f"an input cannot be read ({error.strerror})", where=error.filename or study.path
        ) from error
    settings = study.settings.model_dump(mode="json", exclude={"blinding", "reporting"})
    return SimpleNamespace(
        study=study,
        title=study.title,
        css=(TEMPLATES / "report" / "report.css").read_text(encoding="utf-8"),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        parameters={
            "study": shown.name if shown.is_absolute() else shown.as_posix(),
            "picks": "only confirmed ones (strict)"
            if strict or picks.strict_mode()
            else "confirmed, else proposed",
        }
        | {name: "; ".join(_lines(value)) for name, value in settings.items()},
        versions=results.versions(),
        hashed=hashed,
        sheets=[(path.name, hashed[path]) for path in sheets],
    )


def _lines(section: dict[str, Any]) -> list[str]:
    """Settings of a section; those of a part of it, such as an endpoint, in brackets behind its name."""
    return [
        f"{name} ({_in_words(value)})" if isinstance(value, dict) else f"{name} = {_in_words(value)}"
        for name, value in section.items()
    ] or ["none"]


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        parts = [f"{name} = {_in_words(item)}" for name, item in value.items() if item != ""]
        return ", ".join(parts) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value)) or "none"
    return "from the data" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _named_inputs(made: SimpleNamespace, *, blind: bool, method: str | None = None) -> dict[str, Any]:
    """Hashes of raw files and picks, under code names while the dose could be guessed from a file's name."""
    raw, chosen = [], []
    files = made.study.raw_files(method)
    for code, paths in files.items():
        for i, path in enumerate(paths, 1):
            name = path.name if not blind else code if len(paths) == 1 else f"{code}, file {i}"
            raw.append((name, made.hashed[path]))
        if stored := made.hashed.get(picks.sidecar_path(paths)):
            chosen.append((code if blind else paths[0].name, stored))
    return {
        "blind": blind,
        "raw": sorted(raw),
        "picks": sorted(chosen),
        "sources": len(files),
    }


# ---- HTML


def _render(notebook: NotebookNode, path: Path, made: SimpleNamespace) -> str:
    """One notebook as a page that needs nothing else."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    from labkit import page

    shown = [
        "image/png",
        "image/svg+xml",
        "image/jpeg",
        "text/html",
        "text/markdown",
        "text/latex",
        "text/plain",
    ]
    exporter = HTMLExporter(
        config=Config(NbConvertBase={"display_data_priority": shown}), template_name="report",
        extra_template_basedirs=[str(TEMPLATES)], exclude_input=True, exclude_anchor_links=True,
    )  # fmt: skip
    blind = made.study.blind and _number(path) < STATISTICS
    facts = {key: value for key, value in vars(made).items() if key not in ("study", "hashed")}
    facts |= _named_inputs(made, blind=blind, method=METHODS.get(_number(path)))
    facts["sheets"] = [*made.sheets, (path.name, _files.sha256(path))]
    heading = page.heading(notebook) or path.stem
    tidy = page.tidy(notebook, notice)
    html, _ = exporter.from_notebook_node(
        tidy, resources={"labkit": SimpleNamespace(**facts, heading=heading, alt=page.description)}
    )
    return page.finish(html, heading)


def _contents(pages: dict[str, str], study: Study, made: SimpleNamespace) -> str:
    """The page that lists the reports, their cautions, and the hashes of what was made."""
    from jinja2 import Environment, FileSystemLoader

    from labkit import page

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "report"), autoescape=False
    )  # every text has | e
    tables = sorted(study.results.glob("*.csv")) if study.results.is_dir() else []
    outputs = SimpleNamespace(
        reports=[(f"{name}.html", hashlib.sha256(html.encode()).hexdigest()) for name, html in pages.items()],
        tables=[(path.name, _files.sha256(path)) for path in tables],
    )
    facts = {key: value for key, value in vars(made).items() if key not in ("study", "hashed")}
    return environment.get_template("contents.html.j2").render(
        made=SimpleNamespace(**facts, **_named_inputs(made, blind=study.blind)),
        reports=[page.digest(name, html) for name, html in pages.items()],
        outputs=outputs,
    )

"""Result tables with their provenance: a CSV, and beside it a JSON that says what it was made from.

Both are written whole, the table last, so that a table never stands beside a provenance that is not its own.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from labkit import files as _files
from labkit.columns import COLUMNS
from labkit.errors import ResultError
from labkit.picks import Pick

__all__ = ["provenance", "read", "versions", "write"]

_PACKAGES = (
    "labkit",
    "numpy",
    "scipy",
    "pandas",
    "statsmodels",
    "matplotlib",
    "pyabf",
    "tifffile",
    "pybaselines",
    "scikit-image",
)
_TEXTS = (
    *("recording", "code", "animal", "slice", "pathway", "role", "flags", "excluded", "refused", "comment"),
    *("membrane", "target", "replicate", "endpoint", "loading_target", "neuron", "dendrite"),
)
_DIGITS = "%.10g"  # more than any recording carries, few enough to be the same on every platform


def write(
    path: Path | str,
    table: pd.DataFrame,
    *,
    inputs: Iterable[Path] = (),
    picks: Iterable[Pick] = (),
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Write a table as CSV with a JSON of its inputs' hashes, picks, settings and versions beside it.

    Parameters
    ----------
    path
        Where the CSV goes; folders are made as needed.
    table
        One row per smallest unit. The index is not written.
    inputs
        Raw files that the table was made from.
    picks
        Picks that were used.
    settings
        Everything else that decides the numbers.

    Raises
    ------
    ResultError
        If the folder cannot be written; an earlier table then stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> table = pd.DataFrame({"animal": ["a1"], "potentiation_percent": [150.5]})
    >>> file = write(Path(folder) / "ltp.csv", table)
    >>> read(file)["potentiation_percent"].tolist()
    [150.5]
    """
    path = Path(path)
    text = table.to_csv(index=False, float_format=_DIGITS, lineterminator="\n")
    paths = sorted({Path(file) for file in inputs}, key=lambda file: file.as_posix())
    record = {
        "format": "labkit result 1",
        "table": path.name,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "rows": len(table),
        "columns": {
            name: {"unit": COLUMNS[name].unit, "meaning": COLUMNS[name].meaning}
            for name in table
            if name in COLUMNS
        },
        "inputs": {file.name: _files.sha256(file) for file in paths},
        "picks": [pick.model_dump(mode="json") for pick in picks],
        "settings": dict(settings or {}),
        "versions": versions(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _files.write_text_whole(
            _beside(path), json.dumps(record, indent=1, ensure_ascii=False, default=str) + "\n"
        )
        _files.write_text_whole(path, text)
    except OSError as error:
        if not path.exists():  # a provenance alone would be half a result
            _beside(path).unlink(missing_ok=True)
        raise ResultError(
            f"the table could not be written ({error.strerror or error})",
            where=path,
            todo="make room or make the folder writable, then run the cell again",
        ) from error
    return path


def read(path: Path | str, *, made_by: str = "its notebook") -> pd.DataFrame:
    """Read a result table, checked against its provenance.

    Identifiers (animal, slice, recording, code, membrane and the like) come back as text. `made_by` names the
    notebook to run when the table is missing.

    Raises
    ------
    ResultError
        If the table or its provenance is missing, or the table was changed by hand.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ResultError("the table is not there yet", where=path, todo=f"run {made_by} first") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(
            f"the table cannot be read ({error})", where=path, todo=f"run {made_by} again"
        ) from error
    if provenance(path, made_by=made_by).get("sha256") != hashlib.sha256(text.encode()).hexdigest():
        raise ResultError(
            "the table was changed after it was written",
            where=path,
            todo=f"run {made_by} again; corrections belong into picks, which keep their reason",
        )
    table = pd.read_csv(
        StringIO(text), dtype=dict.fromkeys(_TEXTS, str), keep_default_na=False, na_values=[""]
    )
    words = [name for name in _TEXTS if name in table]
    table[words] = table[words].fillna("")
    return table


def provenance(path: Path | str, *, made_by: str = "its notebook") -> dict[str, Any]:
    """What a result table was made from, as its JSON says."""
    path = _beside(Path(path))
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(
            "the table's provenance is missing or damaged", where=path, todo=f"run {made_by} again"
        ) from error
    if not isinstance(record, dict):
        raise ResultError("the table's provenance is damaged", where=path, todo=f"run {made_by} again")
    return record


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a number."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in _PACKAGES}


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")

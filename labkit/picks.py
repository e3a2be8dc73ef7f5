"""What a person chose, beside the raw file it was chosen on.

A pick is a window, a region, a time or an exclusion. Picks of `rec01.abf` live in `rec01.abf.picks.json` next
to it: a small JSON file that travels with the data, merges in git, names who picked what and when, whether
blind, and keeps every pick that was replaced. It carries the sha256 of the bytes that were looked at, so that
a pick is never applied to other data.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from labkit import files as _files
from labkit.errors import PickError

__all__ = ["Pick", "Sidecar", "get", "load", "remove", "save", "sidecar_path", "strict_mode"]

FORMAT = "labkit picks 1"
Origin = Literal["proposed", "confirmed", "changed"]
Files = Path | str | Sequence[Path | str]


class Pick(BaseModel):
    """One choice: its value with unit, and its provenance.

    `origin` is *proposed* (the kit's own, looked at by nobody), *confirmed* (a person accepted the proposal)
    or *changed* (a person moved it). `at` is UTC in ISO format; `blind` says whether it was made blind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str
    value: Any
    unit: str = ""
    origin: Origin = "confirmed"
    by: str = ""
    at: str = ""
    software: str = ""
    blind: bool = True
    note: str = ""


class Replaced(BaseModel):
    """A pick that no longer holds, kept with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pick: Pick
    until: str
    reason: str


class Sidecar(BaseModel):
    """The whole picks file of one recording, blot or image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["labkit picks 1"] = FORMAT
    source: dict[str, str]
    picks: dict[str, Pick] = {}
    history: list[Replaced] = []


def sidecar_path(files: Files) -> Path:
    """Where the picks of these files are kept: beside the first of them.

    >>> sidecar_path("ltp/rec01.abf").as_posix()
    'ltp/rec01.abf.picks.json'
    """
    first = _paths(files)[0]
    return first.with_name(first.name + ".picks.json")


def load(files: Files) -> Sidecar | None:
    """Read and check the picks of these files; None when nobody has picked yet.

    Raises
    ------
    PickError
        If the picks file is damaged.
    """
    path = sidecar_path(files)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PickError(f"the picks cannot be read ({error})", where=path, todo=_MEND) from error
    try:
        return Sidecar.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(step) for step in first["loc"])
        raise PickError(
            f"the picks file is damaged ({at + ': ' if at else ''}{first['msg']})", where=path, todo=_MEND
        ) from error


def get(
    files: Files,
    name: str,
    *,
    proposal: Any = None,
    kind: str = "",
    unit: str = "",
    strict: bool | None = None,
) -> Pick:
    """The stored pick, else the proposal, marked as nobody's.

    Parameters
    ----------
    files
        The raw file, or the files of one recording; the picks lie beside the first.
    name
        Which pick, such as ``"window_ms S0"``.
    proposal, kind, unit
        What the kit would choose; given back with origin *proposed* when nothing is stored.
    strict
        Refuse to fall back on a proposal. Default: the environment variable ``LABKIT_STRICT``.

    Raises
    ------
    PickError
        If the stored pick was made on other bytes; in strict mode also if none is stored.
    """
    sidecar = load(files)
    if sidecar and name in sidecar.picks:
        changed = _changed(files, sidecar)
        if changed:
            raise PickError(
                f"the pick {name!r} was made on other bytes of {', '.join(changed)}",
                where=sidecar_path(files),
                todo="bring the original file back, or open the picker and confirm the pick on the new data",
            )
        return sidecar.picks[name]
    if strict_mode() if strict is None else strict:
        raise PickError(
            f"nobody has confirmed the pick {name!r}",
            where=_paths(files)[0],
            todo="open the notebook and confirm it, or run without strict mode to accept the proposal",
        )
    return Pick(name=name, kind=kind, value=proposal, unit=unit, origin="proposed", software=_software())


def save(
    files: Files,
    name: str,
    value: Any,
    *,
    kind: str,
    unit: str = "",
    origin: Origin = "confirmed",
    by: str | None = None,
    blind: bool = True,
    note: str = "",
    at: str | None = None,
) -> Pick:
    """Store one pick; the one it replaces goes to the history.

    Picks made earlier on other bytes are retired to the history too, since they no longer belong to the file.

    Raises
    ------
    PickError
        If the picks file is damaged or cannot be written; what was stored before is then untouched.
    """
    now = at or datetime.now(UTC).isoformat(timespec="seconds")
    pick = Pick(
        name=name, kind=kind, value=value, unit=unit, origin=origin,
        by=_person() if by is None else by, at=now, software=_software(), blind=blind, note=note,
    )  # fmt: skip
    picks, history = _current(files, now)
    if name in picks:
        history.append(Replaced(pick=picks[name], until=now, reason="replaced"))
    _write(files, {**picks, name: pick}, history)
    return pick


def remove(files: Files, name: str, *, reason: str = "removed", at: str | None = None) -> None:
    """Take a pick back; it stays in the history. Does nothing when there is none."""
    now = at or datetime.now(UTC).isoformat(timespec="seconds")
    picks, history = _current(files, now)
    if name in picks:
        history.append(Replaced(pick=picks.pop(name), until=now, reason=reason))
        _write(files, picks, history)


def strict_mode() -> bool:
    """Whether only picks that are stored may be used (``LABKIT_STRICT=1``)."""
    return os.environ.get("LABKIT_STRICT", "0") not in ("", "0")


_MEND = "restore it from a copy, or move it away and pick again"


def _paths(files: Files) -> list[Path]:
    return [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]


def _changed(files: Files, sidecar: Sidecar) -> list[str]:
    """Names of files whose bytes are not the ones that were picked on, missing and added files among them."""
    now = _hashes(files)
    return sorted(
        name for name in now.keys() | sidecar.source.keys() if now.get(name) != sidecar.source.get(name)
    )


def _hashes(files: Files) -> dict[str, str]:
    try:
        return {path.name: _files.sha256(path) for path in _paths(files)}
    except OSError as error:
        raise PickError(
            f"the raw file cannot be read ({error.strerror})", where=error.filename or ""
        ) from error


def _current(files: Files, now: str) -> tuple[dict[str, Pick], list[Replaced]]:
    """Picks that still hold, and the history with those that do not."""
    sidecar = load(files)
    if sidecar is None:
        return {}, []
    history = list(sidecar.history)
    if _changed(files, sidecar):
        reason = "the raw file changed"
        return {}, history + [Replaced(pick=p, until=now, reason=reason) for p in sidecar.picks.values()]
    return dict(sidecar.picks), history


def _write(files: Files, picks: dict[str, Pick], history: list[Replaced]) -> None:
    path = sidecar_path(files)
    try:
        sidecar = Sidecar(source=_hashes(files), picks=picks, history=history)
        text = json.dumps(sidecar.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
        _files.write_text_whole(path, text)
    except OSError as error:
        raise PickError(
            f"the pick could not be saved ({error.strerror or error})",
            where=path,
            todo="make room or make the folder writable, then confirm again; earlier picks are untouched",
        ) from error


def _person() -> str:
    try:
        return os.environ.get("LABKIT_USER") or getpass.getuser()
    except (KeyError, OSError):  # no login name, as in some containers
        return "unknown"


def _software() -> str:
    from labkit import __version__

    return f"labkit {__version__}"

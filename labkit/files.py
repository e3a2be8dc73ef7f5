"""Files written whole or not at all, and the fingerprint of a file's bytes."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

__all__ = ["sha256", "write_bytes_whole", "write_text_whole"]


def write_bytes_whole(path: str | Path, data: bytes) -> Path:
    """Write `data` to `path` so that a reader finds the old bytes or the new ones, never half of either.

    The bytes go to a temporary file in the same folder, which then takes the place of `path`; it is
    removed when anything fails. An `OSError` (full disk, read-only folder) passes through, `path` as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes_whole(Path(folder, "a.bin"), b"123").read_bytes()
    b'123'
    """
    path = Path(path)
    # A plain open keeps the user's umask, which tempfile would not.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        os.replace(temporary, path)  # noqa: PTH105 - the name that tests and readers look for
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def write_text_whole(path: str | Path, text: str) -> Path:
    """Write `text` as UTF-8, line ends as they stand, whole or not at all (see `write_bytes_whole`)."""
    return write_bytes_whole(path, text.encode("utf-8"))


def sha256(path: str | Path) -> str:
    """SHA-256 of the bytes of a file, as 64 hexadecimal digits.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sha256(write_text_whole(Path(folder, "a.txt"), "abc"))[:8]
    'ba7816bf'
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from labkit.files import sha256, write_bytes_whole, write_text_whole


def test_text_is_written_as_it_stands(tmp_path):
    path = write_text_whole(tmp_path / "a.txt", "µV\r\nx\n")
    assert path.read_bytes() == b"\xc2\xb5V\r\nx\n"


def test_sha256_of_abc(tmp_path):
    # FIPS 180-2, appendix B.1.
    path = write_bytes_whole(tmp_path / "abc", b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("step", ["replace", "write"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = write_text_whole(tmp_path / "a.csv", "old")

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    if step == "replace":
        monkeypatch.setattr(os, "replace", full)
    else:
        real_open = Path.open

        def open_that_cannot_write(self, *args, **kwargs):
            file = real_open(self, *args, **kwargs)

            class Full:
                __enter__ = lambda _: Full  # noqa: E731
                __exit__ = lambda *_: file.close()  # noqa: E731
                write = staticmethod(full)

            return Full()

        monkeypatch.setattr(Path, "open", open_that_cannot_write)
    with pytest.raises(OSError, match="No space left"):
        write_text_whole(path, "new")
    monkeypatch.undo()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.csv": "old"}


def test_an_interrupt_leaves_nothing_half_written(tmp_path, monkeypatch):
    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text_whole(tmp_path / "a.csv", "new")
    assert list(tmp_path.iterdir()) == []

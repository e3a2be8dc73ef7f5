"""What a user gets wrong, end to end: one clear sentence, exit status 1, nothing half-written."""

from __future__ import annotations

import os
import re
from datetime import datetime

import numpy as np
import pytest

from labkit.cli import main
from labkit.demo import field
from labkit.demo.abf import stimulus, write_abf1, write_abf2

RATE_HZ, N_POINTS, STIMULUS = 10_000, 400, 50
TIME_MS = (np.arange(N_POINTS) - STIMULUS) / RATE_HZ * 1e3


def write(path, *, n_sweeps=8, day=1, writer=write_abf2, **options):
    rng = np.random.default_rng(day)
    sweeps = field.response(TIME_MS, rng=rng, slope_mV_per_ms=np.full(n_sweeps, 0.5))
    options = {"epochs": stimulus(N_POINTS, STIMULUS), "tags": [(100.0, "HFS")]} | options
    start_s = 30.0 * np.arange(n_sweeps)
    return writer(
        path, sweeps, rate_hz=RATE_HZ, start_s=start_s, recorded_at=datetime(2026, 1, day), **options
    )


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    (folder / "ltp").mkdir(parents=True)
    (folder / "study.toml").write_text(
        'title = "Bad input"\n[[groups]]\nname = "vehicle"\ndose = 0\n[[groups]]\nname = "drug"\ndose = 10\n'
    )
    names = [f"a{k}" for k in range(4)]
    rows = [f"ltp/{name}.abf,{name},1" for name in names]
    (folder / "recordings.csv").write_text("files,animal,slice\n" + "\n".join(rows) + "\n")
    groups = ["vehicle", "vehicle", "drug", "drug"]
    rows = [f"{name},{group}" for name, group in zip(names, groups, strict=True)]
    (folder / "animals.csv").write_text("animal,group\n" + "\n".join(rows) + "\n")
    for day, name in enumerate(names, 1):
        write(folder / "ltp" / f"{name}.abf", day=day, writer=write_abf1 if day % 2 else write_abf2)
    return folder


def replaced(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def cut(path, part):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])


NOT_ABF = "a0.abf: the file is not an ABF file"
BAD = {
    "not an ABF": (lambda s: (s / "ltp/a0.abf").write_text("time,mV\n1,2\n"), NOT_ABF),
    "empty": (lambda s: (s / "ltp/a0.abf").write_bytes(b""), "a0.abf: the file is empty"),
    "truncated header, ABF1": (lambda s: cut(s / "ltp/a0.abf", 0.1), "a0.abf: the file is truncated"),
    "truncated header, ABF2": (lambda s: cut(s / "ltp/a1.abf", 0.1), "a1.abf: the file is truncated"),
    "truncated data, ABF1": (lambda s: cut(s / "ltp/a0.abf", 0.6), "a0.abf: the file is truncated"),
    "truncated data, ABF2": (lambda s: cut(s / "ltp/a1.abf", 0.6), "a1.abf: the file is truncated"),
    "wrong channel": (
        lambda s: replaced(
            s / "recordings.csv", "slice\nltp/a0.abf,a0,1", "slice,channel\nltp/a0.abf,a0,1,IN 7"
        ),
        "a0.abf: there is no channel 'IN 7'; expected one of: 0 = IN 0 (mV)",
    ),
    "no stimulus": (
        lambda s: write_abf2(s / "ltp/a0.abf", np.zeros((4, 400)), rate_hz=RATE_HZ, start_s=[0, 30, 60, 90]),
        "a0.abf: no stimulus was found",
    ),
    "one sweep": (
        lambda s: write(s / "ltp/a0.abf", n_sweeps=1, tags=[]),
        "a0.abf: neither the file nor the sheet says",
    ),
    "a missing file": (
        lambda s: (s / "ltp/a2.abf").unlink(),
        "recordings.csv, row 4, column files: the file 'ltp/a2.abf'",
    ),
    "an animal without group": (
        lambda s: replaced(s / "animals.csv", "a1,vehicle", "a1,"),
        "animals.csv, row 3, column group:",
    ),
    "a recorded animal that is not listed": (
        lambda s: replaced(s / "animals.csv", "a1,vehicle\n", ""),
        "recordings.csv, row 3, column animal: animal 'a1' is not in animals.csv",
    ),
    "a group without animals": (
        lambda s: replaced(s / "animals.csv", "drug", "vehicle"),
        "group 'drug' has no animals",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_check_says_it_in_one_sentence(study, capsys, case):
    spoil, sentence = BAD[case]
    assert main(["check", str(study)]) == 0
    spoil(study)
    capsys.readouterr()
    assert main(["check", str(study)]) == 1
    out, err = capsys.readouterr()
    said = err.splitlines()
    assert out == ""
    assert any(sentence in line for line in said[:-1]), err
    assert all(line.endswith(".") for line in said[:-1])
    assert re.fullmatch(r"\d+ problems? in .*", said[-1])
    assert "Traceback" not in err


def report(study, *options):
    return main(["report", str(study), *options])


def test_picks_from_other_bytes_stop_the_report(study, capsys):
    from labkit import picks

    picks.save(study / "ltp/a0.abf", "window_ms S0", [3.0, 4.5], kind="window", unit="ms", by="ana")
    write(study / "ltp/a0.abf", day=9)
    assert report(study, "--notebook", "1") == 1
    err = capsys.readouterr().err
    assert "other bytes" in err
    assert "Traceback" not in err
    assert not (study / "results").exists()
    assert not (study / "reports").exists()


def test_strict_refuses_what_nobody_confirmed(study, capsys):
    assert report(study, "--notebook", "1", "--strict") == 1
    err = capsys.readouterr().err
    assert "4 of 4 slope windows are confirmed by nobody" in err
    assert not (study / "results").exists()


@pytest.mark.skipif(
    os.name != "posix", reason="folders are made read-only by their mode on POSIX systems only"
)
def test_a_read_only_folder_is_told_and_left_as_it_was(study, capsys):
    before = sorted(path.name for path in study.iterdir())
    study.chmod(0o555)
    try:
        if os.access(study, os.W_OK):
            pytest.skip("this user may write everywhere: a read-only folder cannot be made")
        assert report(study, "--notebook", "1") == 1
    finally:
        study.chmod(0o755)
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "Permission denied" in err or "permission denied" in err
    assert sorted(path.name for path in study.iterdir()) == before


def test_a_full_disk_is_told_and_nothing_half_is_left(study, capsys, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert main(["new", str(study.parent / "other")]) == 1
    err = capsys.readouterr().err
    assert "no space left on device" in err.lower()
    assert "Traceback" not in err
    assert not list(study.parent.rglob("*.tmp"))

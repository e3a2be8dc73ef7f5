"""The command line: exit status, sentences on standard error, help that answers at once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import types
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import labkit
from labkit import picks
from labkit.cli import main
from labkit.demo.abf import stimulus, write_abf2
from labkit.errors import RecordingError, StudyError

RIGHT = {
    "study.toml": 'title = "My study"\n[[groups]]\nname = "vehicle"\n[[groups]]\nname = "drug"\n',
    "recordings.csv": "files,animal,slice\na.abf,a1,1\nb.abf; c.abf,a2,1\nd.abf,a2,2\n",
    "animals.csv": "animal,group\na1,drug\na2,vehicle\na3,drug\n",
}


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    for name, text in RIGHT.items():
        (folder / name).write_text(text)
    trace = np.where(np.arange(400) >= 50, -np.exp(-np.arange(400) / 80), 0) * np.ones((4, 1))
    for minute, name in enumerate("abcd"):
        write_abf2(
            folder / f"{name}.abf", trace, rate_hz=10_000, start_s=np.arange(4) * 15.0, tags=[(20.0, "HFS")],
            epochs=stimulus(400, 50), recorded_at=datetime(2026, 1, 1, 12, minute),
        )  # fmt: skip
    return folder


@pytest.fixture
def fake(monkeypatch):
    """Put a function in the place of a module that a command imports."""

    def put(module, **functions):
        stand_in = types.ModuleType(f"labkit.{module}")
        vars(stand_in).update(functions)
        monkeypatch.setitem(sys.modules, f"labkit.{module}", stand_in)
        monkeypatch.setattr(labkit, module, stand_in, raising=False)

    return put


def raiser(error):
    def function(*_args, **_kwargs):
        raise error

    return function


def run(*arguments, **options):
    command = [sys.executable, "-m", "labkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


# --- check


def test_check_sums_up_a_right_study(study, capsys):
    assert main(["check", str(study)]) == 0
    out, err = capsys.readouterr()
    assert out == (
        "My study: all is well\n"
        "groups:     vehicle 1 animal, drug 2 animals\n"
        "recordings: 3 slices of 2 animals in 4 files\n"
    )
    assert err == ""


def test_check_says_every_problem_and_how_many(study, capsys):
    (study / "a.abf").unlink()
    (study / "animals.csv").write_text("animal,group\na1,drug\na2,vehikel\n")
    assert main(["check", str(study)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "recordings.csv, row 2, column files: the file 'a.abf' is not there; expected a path that "
        "starts from the "
        "study folder; copy the file there, or correct the name.\n"
        "animals.csv, row 3, column group: found 'vehikel'; expected a group of study.toml (vehicle, drug); "
        "write 'vehicle' if that is meant.\n"
        f"2 problems in {study}\n"
    )


def test_check_opens_every_recording(study, capsys):
    (study / "a.abf").write_bytes((study / "a.abf").read_bytes()[:700])
    quiet = np.zeros((2, 400))
    write_abf2(study / "b.abf", quiet, rate_hz=10_000, start_s=[0, 15], unit="pA")
    write_abf2(study / "d.abf", quiet, rate_hz=10_000, start_s=[0, 15], epochs=stimulus(400, 50))
    (study / "recordings.csv").write_text(
        "files,animal,slice,control_pathway\na.abf,a1,1,\nb.abf,a2,1,\nd.abf,a2,2,S1\n"
    )
    assert main(["check", str(study)]) == 1
    err = capsys.readouterr().err
    assert "a.abf: the file is truncated" in err
    assert "b.abf: channel IN 0 is in pA; expected a voltage; name the right channel" in err
    assert "b.abf: no stimulus was found in any sweep" in err
    assert "d.abf: control_pathway is 'S1'; expected a pathway of the recording (S0)" in err
    assert "d.abf: neither the file nor the sheet says when LTP was induced" in err
    assert err.endswith(f"\n5 problems in {study}\n")


def test_check_knows_an_induction_that_was_picked(study, capsys):
    quiet = np.zeros((2, 400))
    write_abf2(study / "d.abf", quiet, rate_hz=10_000, start_s=[0, 15], epochs=stimulus(400, 50))
    assert main(["check", str(study)]) == 1
    assert "says when LTP was induced" in capsys.readouterr().err
    picks.save(study / "d.abf", "induction_s", 10.0, kind="time", unit="s")
    assert main(["check", str(study)]) == 0


def test_check_counts_one_problem_as_one(study, capsys):
    (study / "a.abf").unlink()
    assert main(["check", str(study)]) == 1
    assert capsys.readouterr().err.endswith(f"\n1 problem in {study}\n")


def test_the_study_comes_from_the_environment_when_it_is_not_named(study, capsys, monkeypatch):
    monkeypatch.setenv("LABKIT_STUDY", str(study))
    assert main(["check"]) == 0
    monkeypatch.setenv("LABKIT_STUDY", str(study / "nowhere"))
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith(f"the study folder {study / 'nowhere'} is not there; expected")


def test_the_demo_study_is_the_default(monkeypatch, fake):
    seen = []
    fake("report", run=lambda path, **_: seen.append(path) or [])
    monkeypatch.delenv("LABKIT_STUDY", raising=False)
    assert main(["report"]) == 0
    assert seen == [Path("data/demo")]


# --- new


def test_new_then_check_says_what_to_fill_in(tmp_path, capsys):
    path = tmp_path / "my study"
    assert main(["new", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"A new study is in {path}\n")
    assert f"labkit check '{path}'" in out
    assert err == ""
    assert main(["check", str(path)]) == 1
    err = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in err[:2]] == ["recordings.csv", "animals.csv"]
    assert err[2:] == [f"2 problems in {path}"]


def test_new_does_not_touch_what_is_there(study, capsys):
    assert main(["new", str(study)]) == 1
    assert capsys.readouterr().err == (
        f"{study} is not empty; expected a new or empty folder; name another folder.\n"
    )
    assert (study / "animals.csv").read_text() == RIGHT["animals.csv"]


# --- report and demo


def test_report_hands_its_arguments_on_and_lists_what_was_written(fake, capsys):
    seen = {}

    def report(path, **options):
        seen.update(options, path=path)
        options["progress"]("01_ltp")
        return [Path("r/01_ltp.html"), Path("r/index.html")]

    fake("report", run=report)
    command = ["report", "data/x", "--notebook", "1", "--notebook", "4"]
    assert main([*command, "--jobs", "2", "--strict", "--output", "r"]) == 0
    progress = seen.pop("progress")
    assert seen == {
        "path": Path("data/x"),
        "notebooks": [1, 4],
        "jobs": 2,
        "strict": True,
        "output": Path("r"),
    }
    assert callable(progress)
    out, err = capsys.readouterr()
    assert out == f"{Path('r/01_ltp.html')}\n{Path('r/index.html')}\n"
    assert err == "01_ltp\n"


def test_report_asks_for_all_notebooks_by_default(fake):
    seen = {}
    fake("report", run=lambda path, **options: seen.update(options) or [])
    assert main(["report", "x"]) == 0
    del seen["progress"]
    assert seen == {"notebooks": None, "jobs": 1, "strict": False, "output": None}


def test_demo_says_where_it_is(fake, capsys, tmp_path):
    seen = []
    fake("demo", write=seen.append)
    assert main(["demo", str(tmp_path)]) == 0
    assert seen == [tmp_path]
    assert capsys.readouterr().out == f"The demo study is in {tmp_path}\nlabkit report {tmp_path}\n"


# --- what goes wrong


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RecordingError("the file is "
                        "empty", todo="copy it "
                                      "again", where="a.abf"), "a.abf: the file is empty; copy it again."),
        (StudyError([RecordingError("one"), RecordingError("two")]), "one.\ntwo."),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/results/ltp.csv"),
            "/x/results/ltp.csv: no space left on device; make room on the disk, or choose a folder on "
            "another one.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/a.abf"),
            "/x/a.abf: permission denied; close the file in other programs, or ask for the right to use "
            "the folder.",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/x"),
            "/x: read-only file system; choose a folder that can be written.",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file or "
                                         "directory", "/x"), "/x: no such file or directory; correct "
                                                             "the path."),
        (OSError("the network drive went "
                 "away"), "the network drive went away; try again, or choose another folder."),
    ],
)  # fmt: skip
def test_what_a_user_can_mend_is_a_sentence_and_status_1(fake, capsys, error, sentence):
    fake("report", run=raiser(error))
    assert main(["report", "x"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == sentence + "\n"


def test_an_interrupt_is_status_130(fake, capsys):
    fake("report", run=raiser(KeyboardInterrupt()))
    assert main(["report", "x"]) == 130
    assert capsys.readouterr().err.startswith("interrupted: ")


def test_a_mistake_of_labkit_s_own_keeps_its_traceback(fake):
    fake("report", run=raiser(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        main(["report", "x"])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("step", ["mkdir", "replace"])
def test_new_on_a_disk_that_does_not_take_it(tmp_path, monkeypatch, capsys, number, step):
    def refuse(first, *_args, **_kwargs):
        raise OSError(number, os.strerror(number), str(first))

    monkeypatch.setattr(*((os, "replace") if step == "replace" else (Path, "mkdir")), refuse)
    assert main(["new", str(tmp_path / "mine")]) == 1
    monkeypatch.undo()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert os.strerror(number).lower() in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk"
)
def test_output_to_a_full_disk_is_a_sentence(study):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "labkit", "check", study]
        environment = {**os.environ, "PYTHONUNBUFFERED": ""}  # fails at the end, not in print
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, env=environment
        )
    assert done.returncode == 1
    sentence = "no space left on device; make room on the disk, or choose a folder on another one."
    assert done.stderr == sentence + "\n"


@pytest.mark.skipif(os.name != "posix", reason="the pipe is made by a POSIX shell")
def test_a_reader_that_leaves_early_is_no_error(study):
    shell = f"PYTHONUNBUFFERED=1 {sys.executable} -m labkit check {study} | true"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


# --- usage


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["chekc"], ["new"], ["check", "a", "b"], ["report", "--notebook", "one"],
        ["report", "--jobs", "0"], ["report", "--notebook", "-1"], ["demo"], ["check", "--strict"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_command_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: labkit" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["new", "check", "report", "demo"])
def test_each_command_explains_itself_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert f"example:\n  labkit {command} " in out


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom labkit.cli import main\ntry:\n    main(['report', '--help'])\nexcept "
        "SystemExit:\n    pass\n"
        "print('heavy:', sorted({'numpy', 'pandas', 'pydantic', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("heavy: []\n")


def test_version():
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout == f"labkit {labkit.__version__}\n"


def test_a_whole_run_in_a_process_of_its_own(tmp_path):
    done = run("check", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "the study folder nowhere is not there; expected a folder with study.toml; "
        "correct the path, or make a study with: labkit new PATH.",
        "1 problem in nowhere",
    ]


def test_the_package_offers_open_study(study):
    assert labkit.open_study(study).title == "My study"
    with pytest.raises(AttributeError, match="no attribute 'opne_study'"):
        _ = labkit.opne_study

"""The command line: labkit new, check, report, demo.

Exit status 0 when all is well, 1 when the user has something to mend (said in sentences on standard error), 2
when the command itself is wrong, 130 when interrupted. Heavy parts are imported by the commands that need
them.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.errors import LabkitError

__all__ = ["main"]

_DEFAULT = "data/demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; a wrong command line raises SystemExit(2)."""
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except LabkitError as error:
        _say(error)
        return 1
    except BrokenPipeError:
        _drop_output()  # the reader, such as head, has seen enough
        return 1
    except OSError as error:
        _drop_output()
        _say(_sentence(error))
        return 1
    except KeyboardInterrupt:
        _say("interrupted: what was already written is whole, nothing is half-written")
        return 130


def _new(options: argparse.Namespace) -> int:
    from labkit.study import new

    folder = new(options.path)
    print(f"A new study is in {folder}")
    print("1. Say in study.toml which groups there are.")
    print(
        "2. Copy recordings into ltp/ and images of membranes into blots/; list them in recordings.csv, "
        "blots.csv and lanes.csv, and the animals in animals.csv."
    )
    print(f"3. labkit check {_quoted(folder)}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from labkit.study import check, open_study

    path = _study(options)
    problems = check(path)
    if not problems:
        from labkit import blots, ltp, picks, spines

        study = open_study(path)
        files = study.raw_files("recordings")
        picked = {code: picks.get(files[code], "induction_s", strict=False).value for code in files}
        problems = ltp.amiss(study.recordings, picked=picked)
        problems += blots.amiss(study.blots, study.lanes)
        problems += spines.amiss(study.images)
    if problems:
        for problem in problems:
            _say(problem)
        _say(f"{len(problems)} problem{'s' * (len(problems) > 1)} in {path}")
        return 1
    study = open_study(path)
    sizes = study.animals()["group"].value_counts(sort=False)
    print(f"{study.title}: all is well")
    print("groups:     " + ", ".join(f"{name} {_count(n, 'animal')}" for name, n in sizes.items()))
    slices, lanes = study.recordings, study.lanes
    if len(slices):
        files = slices["files"].explode().nunique()
        print(f"recordings: {_count(len(slices), 'slice')} of {_count(slices['animal'].nunique(), 'animal')}"
              f" in {_count(files, 'file')}")  # fmt: skip
    if len(study.blots):
        animals = lanes.loc[lanes["animal"] != "", "animal"].nunique()
        membranes = _count(lanes["membrane"].nunique(), "membrane")
        print(f"blots:      {_count(len(study.blots), 'image')} of {membranes}"
              f" with {_count(len(lanes), 'lane')} of {_count(animals, 'animal')}")  # fmt: skip
    if len(study.images):
        animals = _count(study.images["animal"].nunique(), "animal")
        files = _count(study.images["file"].nunique(), "file")
        print(f"spines:     {_count(len(study.images), 'dendrite')} of {animals} in {files}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from labkit import report

    written = report.run(
        _study(options),
        notebooks=options.notebook,
        jobs=options.jobs,
        strict=options.strict,
        output=options.output,
        progress=_progress,
    )
    for path in written:
        print(path)
    return 0


def _demo(options: argparse.Namespace) -> int:
    from labkit import demo

    demo.write(options.path)
    print(f"The demo study is in {options.path}")
    print(f"labkit report {_quoted(options.path)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labkit",
        description="From raw recordings and blots to statistics, figures and a report.",
        epilog="Each command has its own help: labkit report --help",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Any, summary: str, example: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=run)
        return sub

    def study(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "study",
            metavar="STUDY",
            nargs="?",
            help=f"study folder (default: the environment variable LABKIT_STUDY, else {_DEFAULT})",
        )

    sub = command("new", _new, "write an empty study with commented examples", "labkit new data/mine")
    sub.add_argument("path", metavar="PATH", type=Path, help="a folder that is new or empty")

    sub = command("check", _check, "say everything that is wrong with a study", "labkit check data/mine")
    study(sub)

    sub = command(
        "report",
        _report,
        "run the notebooks of a study and write its HTML reports",
        "labkit report data/mine --notebook 1 --notebook 4 --jobs 2",
    )
    study(sub)
    sub.add_argument(
        "--notebook",
        metavar="N",
        type=_positive,
        action="append",
        help="run only this notebook, by its number; may be given more than once (default: all)",
    )
    sub.add_argument(
        "--jobs", metavar="N", type=_positive, default=1, help="notebooks run side by side (default: 1)"
    )
    sub.add_argument("--strict", action="store_true", help="refuse picks that nobody has confirmed")
    sub.add_argument(
        "--output", metavar="DIR", type=Path, help="folder of the reports (default: STUDY/reports)"
    )

    sub = command("demo", _demo, "write the simulated demo study", "labkit demo data/demo")
    sub.add_argument("path", metavar="PATH", type=Path, help="a folder that is new or empty")
    return parser


class _Version(argparse.Action):
    """--version that looks the version up only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from labkit import __version__

        print(f"labkit {__version__}")
        parser.exit()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return int(text)


def _study(options: argparse.Namespace) -> Path:
    return Path(options.study or os.environ.get("LABKIT_STUDY") or _DEFAULT)


def _sentence(error: OSError) -> LabkitError:
    """What a failure of the system means to the user."""
    where = error.filename2 or error.filename or ""
    todo = {
        errno.ENOSPC: "make room on the disk, or choose a folder on another one",
        errno.EDQUOT: "your quota is used up: make room, or choose a folder on another disk",
        errno.EROFS: "choose a folder that can be written",
        errno.EACCES: "close the file in other programs, or ask for the right to use the folder",
        errno.EPERM: "choose another folder, or ask for the right to use this one",
        errno.ENOENT: "correct the path",
    }.get(error.errno, "try again, or choose another folder")
    found = error.strerror or str(error)
    return LabkitError(found[:1].lower() + found[1:], todo=todo, where=where)


def _drop_output() -> None:
    """Keep output that cannot be written from failing a second time when Python exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: object) -> None:
    print(text, file=sys.stderr, flush=True)


def _progress(text: object) -> None:
    _say(text)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))

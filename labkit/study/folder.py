"""A study folder: open it blind, check it whole, join the treatment at the very end.

`open_study` reads study.toml and the sheets that list raw files. Which animal had which treatment stands in
the sheet of animals, which only `Study.animals` and `check` open: until then it is not in memory at all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from labkit.errors import LabkitError, Problem, ResultError, StudyError
from labkit.study.blank import new
from labkit.study.consistency import (
    animals_amiss,
    dendrites_twice,
    files_amiss,
    slices_twice,
    strangers,
)
from labkit.study.membranes import blots_amiss, lanes_amiss, targets_amiss
from labkit.study.models import AnimalRow, BlotRow, DendriteRow, LaneRow, RecordingRow
from labkit.study.raw import blots_table, dendrites_table, lanes_table, recordings_table
from labkit.study.rows import Sheet, read_rows
from labkit.study.settings import Group, Settings, group_names
from labkit.study.sheets import unreadable
from labkit.study.toml import read_settings
from labkit.study.validation import near

__all__ = ["METHODS", "Group", "Study", "check", "new", "open_study"]

#: The tables of a study that list raw files, and the sheets of the same name.
METHODS = ("recordings", "blots", "images")
_ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, repr=False, eq=False)
class Study:
    """A study as `open_study` gives it, without any animal's treatment.

    Attributes
    ----------
    path
        The study folder.
    title, groups, settings
        From study.toml; the first group is the control.
    recordings
        One row per slice: recording (animal-slice), code, files (tuple of Path), animal, slice, test_pathway,
        control_pathway ('' if none), channel and unit (None if not given), induction_s (s, NaN if not given),
        note, and any further column of the sheet as text. Rows stand in the order of the codes while the
        study is blind (the sheet may be sorted by group), else in the order of the sheet. No rows when the
        study has no such method; the same holds for the other tables.
    blots
        One row per image of a target: blot (membrane and target), code, file (Path), membrane, target,
        polarity (bright, dark, or None to be proposed), exposure, note, and further columns; ordered alike.
    lanes
        One row per lane of a membrane: membrane, lane (from 1 at the left), animal ('' where there is none),
        replicate, role (sample, ladder, reference, dilution, empty), ug (µg, NaN if not given), note.
    images
        One row per dendrite in an image: image (animal-neuron-dendrite), code, file (Path), animal, neuron,
        dendrite, channel, voxel_um ((z, y, x) or None where the file says it), modality (None to be read from
        the image), note, and further columns; ordered as `recordings` are.
    """

    path: Path
    title: str
    groups: tuple[Group, ...]
    settings: Settings
    recordings: pd.DataFrame
    blots: pd.DataFrame
    lanes: pd.DataFrame
    images: pd.DataFrame
    figures: Path

    @property
    def control(self) -> str:
        """Name of the group that the others are compared with."""
        return self.groups[0].name

    @property
    def blind(self) -> bool:
        """Whether pickers show codes in place of names."""
        return self.settings.blinding.blind

    @property
    def results(self) -> Path:
        """Folder of the result tables."""
        return self.path / "results"

    @property
    def reports(self) -> Path:
        """Folder of the HTML reports."""
        return self.path / "reports"

    def raw_files(self, method: str | None = None) -> dict[str, tuple[Path, ...]]:
        """The files behind each code: of ``"recordings"``, ``"blots"`` or ``"images"``, or of all.

        An image that several rows share stands under the first of their codes.
        """
        found: dict[tuple[Path, ...], str] = {}
        for name in METHODS if method is None else (method,):
            table = getattr(self, name)
            files = table["files"] if "files" in table else table["file"].map(lambda file: (file,))
            for code, paths in zip(table["code"], files, strict=True):
                found.setdefault(paths, code)
        return {code: paths for paths, code in found.items()}

    def animals(self) -> pd.DataFrame:
        """The sheet of animals: animal, group (ordered, control first), dose (NaN if none), others as text.

        This is the moment of unblinding: nothing else reads the treatment.

        Raises
        ------
        StudyError
            With every problem of the sheet.
        """
        names = [group.name for group in self.groups]
        sheet = read_rows(self.path, AnimalRow)
        problems = [*sheet.problems, *animals_amiss(sheet, names)]
        if problems:
            raise StudyError(problems)
        table = pd.DataFrame([row.model_dump() for row in sheet.rows.values()])
        table["group"] = pd.Categorical(table["group"], categories=names, ordered=True)
        dose = table["group"].map({group.name: group.dose for group in self.groups})
        table.insert(2, "dose", dose.astype(float))
        return table

    def join(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add `group` and `dose` to a table that has a column `animal`; rows and index stay as they are.

        Raises
        ------
        ResultError
            If there is no such column, or an animal is not in the sheet of animals.
        """
        if "animal" not in table:
            raise ResultError(
                "the table has no column animal",
                expected="one row per animal or part of one",
                todo="keep the column animal when you make the table",
            )
        animals = self.animals().set_index("animal")
        names = table["animal"].astype(str)
        unknown = sorted(set(names) - set(animals.index))
        if unknown:
            raise ResultError(
                f"the table has animals that are not in animals.csv: {', '.join(unknown)}",
                expected="animals of this study",
                todo="add them to animals.csv with their group",
                where=self.path,
            )
        added = animals.loc[names]
        rest = table.drop(columns=["group", "dose"], errors="ignore")
        return rest.assign(group=added["group"].array, dose=added["dose"].array)

    def summary(self) -> pd.DataFrame:
        """Numbers of what the study has: one row, safe to show while blind."""
        animals = {*self.recordings["animal"], *self.lanes["animal"], *self.images["animal"]} - {""}
        counts = {
            "recordings": len(self.recordings),
            "membranes": self.blots["membrane"].nunique(),
            "blots": len(self.blots),
            "dendrites": len(self.images),
            "animals": len(animals),
            "files": len({file for files in self.raw_files().values() for file in files}),
        }
        return pd.DataFrame([{what: n for what, n in counts.items() if n}])

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {what}" for what, n in self.summary().iloc[0].items())
        return f"<Study {self.title!r}{', blind' if self.blind else ''}: {counts}>"

    def _repr_html_(self) -> str:
        state = "blind: codes are shown, not names" if self.blind else "not blind"
        return f"<p><strong>{escape(self.title)}</strong> ({state})</p>{self.summary().to_html(index=False)}"


def open_study(path: str | Path, *, needs: str = "") -> Study:
    """Open a study folder without learning any animal's treatment.

    Parameters
    ----------
    path
        The folder with study.toml. A relative path is looked for in the working directory, then the project.
    needs
        The method without which there is nothing to do: "recordings", "blots" or "images".

    Raises
    ------
    StudyError
        With everything that is wrong with study.toml and the sheets of raw files, or when the study has
        nothing of what is needed.

    Examples
    --------
    >>> from labkit.study import new, open_study
    >>> import tempfile
    >>> folder = new(Path(tempfile.mkdtemp()) / "mine")
    >>> (folder / "ltp" / "a.abf").touch()
    >>> _ = (folder / "recordings.csv").write_text("files,animal,slice\\nltp/a.abf,007,1\\n")
    >>> open_study(folder).recordings[["recording", "test_pathway"]].to_dict("records")
    [{'recording': '007-1', 'test_pathway': 'S0'}]
    """
    folder = _folder(path)
    study_file, _, problems = read_settings(folder)
    sheets = _raw_sheets(folder)
    problems += _raw_problems(folder, *sheets)
    if study_file is not None:
        problems += targets_amiss(sheets[1], study_file.blots.named)
    if problems or study_file is None:
        raise StudyError(problems)
    rows = [list(sheet.rows.values()) for sheet in sheets]
    seed, blind = study_file.blinding.seed, study_file.blinding.blind
    tables = [
        recordings_table(folder, rows[0], seed),
        blots_table(folder, rows[1], seed),
        dendrites_table(folder, rows[3], seed),
    ]
    if blind:
        tables = [table.sort_values("code", ignore_index=True) for table in tables]
    study = Study(
        path=folder,
        title=study_file.title,
        groups=study_file.groups,
        settings=study_file.settings,
        recordings=tables[0],
        blots=tables[1],
        lanes=lanes_table(rows[2]),
        images=tables[2],
        figures=folder / study_file.figures,
    )
    if needs and getattr(study, needs).empty:
        raise StudyError(
            [
                Problem(
                    f"the study has no {needs}",
                    expected=f"rows in {needs}.csv",
                    todo="list them there, or leave this notebook out",
                    where=folder.name,
                )
            ]
        )
    return study


def check(path: str | Path) -> list[LabkitError]:
    """Everything that is wrong with a study folder, each in one sentence; empty when all is well.

    Unlike `open_study` this reads the sheet of animals too, and says nothing about it but what is wrong.
    """
    try:
        folder = _folder(path)
    except StudyError as error:
        return list(error.problems)
    study_file, data, problems = read_settings(folder)
    animals, sheets = read_rows(folder, AnimalRow), _raw_sheets(folder)
    recordings, blots, lanes, images = sheets
    problems += [
        *_raw_problems(folder, *sheets),
        *(targets_amiss(blots, study_file.blots.named) if study_file else ()),
        *animals.problems,
        *animals_amiss(animals, group_names(data)),
        *strangers(recordings, animals),
        *strangers(lanes, animals),
        *strangers(images, animals),
    ]
    statistics = data.get("statistics")
    unit = statistics.get("unit", "animal") if isinstance(statistics, dict) else "animal"
    columns = next((list(row.model_dump()) for row in animals.rows.values()), [])
    if columns and isinstance(unit, str) and unit not in columns:
        problems.append(
            Problem(
                f"found {unit!r}, which is no column of {animals.file}",
                expected=f"one of {', '.join(columns)}",
                todo=near(unit, columns) or 'write "animal"',
                where="study.toml, [statistics], unit",
            )
        )
    return problems


def _folder(path: str | Path) -> Path:
    """The study folder, from the working directory or the project."""
    given = Path(path).expanduser()
    tried = [given] if given.is_absolute() else [Path.cwd() / given, _ROOT / given]
    folders = [p.parent if p.name == "study.toml" else p for p in tried]
    for folder in folders:
        if folder.is_dir():
            try:
                next(folder.iterdir(), None)
            except OSError as error:
                raise StudyError([unreadable(folder, error)]) from error
            return Path(os.path.abspath(folder))  # noqa: PTH100
    found = "is a file" if any(folder.is_file() for folder in folders) else "is not there"
    raise StudyError(
        [
            Problem(
                f"the study folder {given} {found}",
                expected="a folder with study.toml",
                todo="correct the path, or make a study with: labkit new PATH",
            )
        ]
    )


_RawSheets = tuple[Sheet[RecordingRow], Sheet[BlotRow], Sheet[LaneRow], Sheet[DendriteRow]]


def _raw_sheets(folder: Path) -> _RawSheets:
    models = RecordingRow, BlotRow, LaneRow, DendriteRow
    return tuple(read_rows(folder, model) for model in models)  # type: ignore[return-value]


def _raw_problems(
    folder: Path,
    recordings: Sheet[RecordingRow],
    blots: Sheet[BlotRow],
    lanes: Sheet[LaneRow],
    images: Sheet[DendriteRow],
) -> list[LabkitError]:
    """What is wrong with the sheets of raw files; a study may do without a method, but not without all."""
    has_blots, has_images = not (blots.unused and lanes.unused), not images.unused
    problems: list[LabkitError] = []
    if not (recordings.unused and (has_blots or has_images)):
        problems += [*recordings.problems, *slices_twice(recordings), *files_amiss(folder, recordings)]
    if has_blots:
        problems += [*blots.problems, *lanes.problems, *blots_amiss(blots, lanes), *lanes_amiss(lanes)]
        problems += files_amiss(folder, blots, column="file", shared=True)
    if has_images:
        problems += [*images.problems, *dendrites_twice(images)]
        problems += files_amiss(folder, images, column="file", shared=True)
    return problems

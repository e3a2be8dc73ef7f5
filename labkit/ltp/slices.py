"""All slices of a study at once: read them, look them over, measure them, and put them in % of baseline.

Each call does for every row of a study's recordings what `read`, `measure` and `plasticity` do for one, and tells all
mistakes together. Rows are named by the blind code, so that what a notebook shows gives no file away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from labkit.errors import LabkitError, Problem, StudyError
from labkit.ltp.plasticity import Plasticity, plasticity
from labkit.ltp.recording import Recording, read
from labkit.ltp.response import MeanTrace, mean_trace, measure

__all__ = ["amiss", "count_flags", "inductions", "mean_traces", "measure_slices", "overview", "plasticity_slices", "read_slices"]

Windows = Mapping[tuple[str, str], tuple[float, float]]
_IDENTITY = ["code", "recording", "animal", "slice", "pathway", "role"]


def read_slices(slices: pd.DataFrame) -> dict[str, Recording]:
    """Read every recording of a study.

    Parameters
    ----------
    slices
        One row per slice with ``code``, ``files``, ``channel`` and ``unit``, as `Study.recordings` has them.

    Returns
    -------
    dict
        The `Recording` of each code, in the order of the codes, so that the order of the sheet gives nothing away.

    Raises
    ------
    StudyError
        If files cannot be read: one sentence for each of them.
    """
    recordings, problems = {}, []
    for row in slices.sort_values("code").itertuples():
        try:
            recordings[row.code] = read(row.files, channel=row.channel, unit=row.unit)
        except LabkitError as problem:
            problems.append(problem)
    if problems:
        raise StudyError(problems)
    return recordings


def amiss(slices: pd.DataFrame) -> list[LabkitError]:
    """What would stop the analysis of a study's recordings, or make it doubtful: one sentence each.

    Every file is opened; damaged ones, those without a stimulus or a voltage, pathways that the file does not have,
    and recordings whose induction nobody states are told, each with the first file of its recording.
    """
    problems: list[LabkitError] = []
    for row in slices.itertuples():
        where = row.files[0].name
        try:
            recording = read(row.files, channel=row.channel, unit=row.unit)
        except LabkitError as problem:
            problems.append(problem)
            continue
        there = sorted(set(recording.pathway))
        for role in ("test_pathway", "control_pathway"):
            wanted = getattr(row, role)
            if wanted and wanted not in there:
                problems.append(
                    Problem(f"{role} is {wanted!r}", expected=f"a pathway of the recording ({', '.join(there)})",
                            todo=f"correct {role} in the sheet of recordings", where=where)
                )  # fmt: skip
        if recording.unit != "mV":
            problems.append(
                Problem(f"channel {recording.channel} is in {recording.unit}", expected="a voltage",
                        todo="name the right channel, or say the true unit, in the sheet of recordings", where=where)
            )  # fmt: skip
        if not len(recording.stimuli):
            problems.append(
                Problem("no stimulus was found in any sweep", expected="test pulses", where=where,
                        todo="check the channel and the file")
            )  # fmt: skip
        elif not (np.isfinite(recording.induction_s) or np.isfinite(row.induction_s)):
            problems.append(
                Problem("neither the file nor the sheet says when LTP was induced", where=where,
                        expected="a train of pulses, a tag that names it, or induction_s",
                        todo="write the seconds since the first sweep into column induction_s")
            )  # fmt: skip
    return problems


def overview(recordings: Mapping[str, Recording]) -> pd.DataFrame:
    """What each recording holds: one row per code with sweeps, minutes, pathways, stimuli and the reader's warnings."""
    rows = [
        {
            "code": code,
            "files": len(recording.paths),
            "sweeps": recording.n_sweeps,
            "minutes": round(float(recording.start_s[-1] - recording.start_s[0]) / 60, 1),
            "rate_khz": round(recording.rate_hz / 1000, 3),
            "pathways": ", ".join(dict.fromkeys(sorted(recording.pathway))),
            "stimuli": _stimuli_in_words(recording.stimuli),
            "warnings": "; ".join(recording.warnings),
        }
        for code, recording in recordings.items()
    ]
    return pd.DataFrame(rows).set_index("code")


def inductions(
    recordings: Mapping[str, Recording],
    slices: pd.DataFrame,
    *,
    picked: Mapping[str, float | None] | None = None,
) -> pd.DataFrame:
    """When LTP was induced in each recording, and who says so.

    A time that a person picked counts before the one of the sheet, and that before the one found in the file.

    Returns
    -------
    DataFrame
        Per code: ``induction_s`` (seconds since the first sweep; NaN when nobody knows), the same in ``minutes``, and
        ``source`` (picked, sheet, file, or unknown).
    """
    sheet = slices.set_index("code")["induction_s"]
    rows = {}
    for code, recording in recordings.items():
        stated = {"picked": (picked or {}).get(code), "sheet": sheet[code], "file": recording.induction_s}
        known = {
            source: float(time) for source, time in stated.items() if time is not None and np.isfinite(time)
        }
        rows[code] = next(((time, source) for source, time in known.items()), (np.nan, "unknown"))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["induction_s", "source"]).rename_axis("code")
    return table.assign(minutes=(table["induction_s"] / 60).round(2))


def mean_traces(
    recordings: Mapping[str, Recording],
    induction_s: Mapping[str, float] | pd.Series | None = None,
    *,
    window_ms: tuple[float, float] | None = None,
) -> dict[tuple[str, str], MeanTrace]:
    """The mean response of each pathway of each recording, before and after induction, with a proposed window.

    `window_ms`, where the study states one, is proposed for all in place of what each mean response suggests.
    """
    traces = {
        (code, pathway): mean_trace(
            recording, pathway=pathway, induction_s=None if induction_s is None else induction_s[code]
        )
        for code, recording in recordings.items()
        for pathway in sorted(set(recording.pathway))
    }
    if window_ms is None:
        return traces
    return {key: replace(trace, proposal_ms=tuple(window_ms)) for key, trace in traces.items()}


def measure_slices(recordings: Mapping[str, Recording], windows: Windows, **options: Any) -> pd.DataFrame:
    """Measure every response of every recording: the rows of `measure`, with their ``code`` in front.

    `windows` holds the window of each (code, pathway) in ms after the stimulus; `options` go to `measure`.
    """
    tables = {}
    for code, recording in recordings.items():
        own = {pathway: window for (owner, pathway), window in windows.items() if owner == code}
        tables[code] = measure(recording, window_ms=own, **options)
    return pd.concat(tables, names=["code"]).reset_index("code").reset_index(drop=True)


def count_flags(responses: pd.DataFrame) -> pd.DataFrame:
    """Which flags the responses of each pathway bear, and how many of them: one row per code, pathway and flag.

    Numbers in a flag are left out, so that latencies of 2.1 and 3.4 ms count as one kind.
    """
    each = responses[["code", "pathway", "flags"]].assign(flags=responses["flags"].str.split("; ")).explode("flags")
    each["flags"] = each["flags"].str.replace(r"\s*-?\d+(\.\d+)?", "", regex=True)
    counted = each[each["flags"] != ""].groupby(["code", "pathway", "flags"]).size().rename("flagged").reset_index()
    total = responses.groupby(["code", "pathway"]).size().rename("responses")
    return counted.join(total, on=["code", "pathway"])


def plasticity_slices(
    responses: pd.DataFrame,
    induction_s: Mapping[str, float] | pd.Series,
    slices: pd.DataFrame,
    **options: Any,
) -> Plasticity:
    """Potentiation of every recording: the tables of `plasticity` for all codes, with animal, slice and role.

    The role of a pathway is *test*, *control*, or *other*, as the study's sheet says. `options` go to `plasticity`.

    Raises
    ------
    StudyError
        If the potentiation of some recordings cannot be worked out: one sentence for each.
    """
    courses, summaries, problems = {}, {}, []
    for code, own in responses.groupby("code", sort=False):
        try:
            one = plasticity(own.drop(columns="code"), induction_s=float(induction_s[code]), **options)
        except LabkitError as problem:
            problems.append(
                LabkitError(problem.found, expected=problem.expected, todo=problem.todo, where=code)
            )
            continue
        courses[code], summaries[code] = one.time_course, one.summary
    if problems:
        raise StudyError(problems)
    return Plasticity(time_course=_named(courses, slices), summary=_named(summaries, slices))


def _named(tables: dict[str, pd.DataFrame], slices: pd.DataFrame) -> pd.DataFrame:
    """One table of all codes, with the identity of each row in front."""
    table = pd.concat(tables, names=["code"]).reset_index("code").reset_index(drop=True)
    who = slices[["code", "recording", "animal", "slice", "test_pathway", "control_pathway"]]
    table = table.merge(who, on="code", how="left", validate="many_to_one")
    table["role"] = np.select(
        [table["pathway"] == table["test_pathway"], table["pathway"] == table["control_pathway"]],
        ["test", "control"],
        default="other",
    )
    rest = [name for name in table if name not in [*_IDENTITY, "test_pathway", "control_pathway"]]
    return table[_IDENTITY + rest]


def _stimuli_in_words(stimuli: pd.DataFrame) -> str:
    """Such as ``320 test + 3 HFS``.

    >>> _stimuli_in_words(pd.DataFrame({"kind": ["test", "test", "HFS"]}))
    '2 test + 1 HFS'
    """
    return " + ".join(f"{n} {kind}" for kind, n in stimuli["kind"].value_counts().items()) or "none found"

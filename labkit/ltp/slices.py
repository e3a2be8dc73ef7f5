"""All slices of a study at once: read them, look them over, measure them, and put them in % of baseline.

Each call does for every row of a study's recordings what `read`, `measure` and `plasticity` do for one, and
tells all mistakes together. Rows are named by the blind code, so that what a notebook shows gives no file
away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from labkit.errors import DataError, LabkitError, Problem, together
from labkit.ltp.plasticity import Plasticity, plasticity
from labkit.ltp.recording import Recording, read
from labkit.ltp.response import MeanTrace, mean_trace, measure
from labkit.ltp.stimuli import INDUCING

__all__ = [
    "amiss",
    "count_flags",
    "inductions",
    "mean_traces",
    "measure_slices",
    "overview",
    "plasticity_slices",
    "read_slices",
]

Windows = Mapping[tuple[str, str], tuple[float, float]]
_IDENTITY = ["code", "recording", "animal", "slice", "pathway", "role"]
_UNKNOWN = "time of induction unknown"


def read_slices(slices: pd.DataFrame) -> dict[str, Recording]:
    """Read every recording of a study.

    Parameters
    ----------
    slices
        One row per slice with ``code``, ``files``, ``channel`` and ``unit``, as `Study.recordings` has them.

    Returns
    -------
    dict
        The `Recording` of each code, in the order of the codes: that of the sheet gives nothing away.

    Raises
    ------
    StudyError
        If files cannot be read: one sentence for each of them.
    """
    rows = slices.sort_values("code").itertuples()
    return together({row.code: partial(read, row.files, channel=row.channel, unit=row.unit) for row in rows})


def amiss(slices: pd.DataFrame, *, picked: Mapping[str, float | None] | None = None) -> list[LabkitError]:
    """What would stop the analysis of a study's recordings, or make it doubtful: one sentence each.

    Every file is opened; damaged ones, those without a stimulus or a voltage, pathways that the file does not
    have, and recordings whose induction nobody states are told, each with the first file of its recording.
    `picked` holds the times of induction that a person picked, by code.
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
                    Problem(
                        f"{role} is {wanted!r}",
                        expected=f"a pathway of the recording ({', '.join(there)})",
                        todo=f"correct {role} in the sheet of recordings",
                        where=where,
                    )
                )
        if recording.unit != "mV":
            problems.append(
                Problem(
                    f"channel {recording.channel} is in {recording.unit}",
                    expected="a voltage",
                    todo="name the right channel, or say the true unit, in the sheet of recordings",
                    where=where,
                )
            )
        if not len(recording.stimuli):
            problems.append(
                Problem(
                    "no stimulus was found in any sweep",
                    expected="test pulses",
                    todo="check the channel and the file",
                    where=where,
                )
            )
        elif (picked or {}).get(row.code) is None and not np.isfinite(
            [recording.induction_s, row.induction_s]
        ).any():
            problems.append(
                Problem(
                    "neither the file nor the sheet says when LTP was induced",
                    expected="a train of pulses, a tag that names it, or induction_s",
                    todo="write the seconds since the first sweep into column induction_s",
                    where=where,
                )
            )
    return problems


def overview(recordings: Mapping[str, Recording]) -> pd.DataFrame:
    """What each recording holds: per code sweeps, minutes, pathways, stimuli and the reader's warnings."""
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
        Per code: ``induction_s`` (seconds since the first sweep; NaN when nobody knows), the same in
        ``minutes``, and ``source`` (picked, sheet, file, or unknown).
    """
    sheet = slices.set_index("code")["induction_s"]
    rows = {}
    for code, recording in recordings.items():
        stated = {"picked": (picked or {}).get(code), "sheet": sheet[code], "file": recording.induction_s}
        known = ((float(s), who) for who, s in stated.items() if s is not None and np.isfinite(s))
        rows[code] = next(known, (np.nan, "unknown"))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["induction_s", "source"])
    return table.rename_axis("code").assign(minutes=(table["induction_s"] / 60).round(2))


def mean_traces(
    recordings: Mapping[str, Recording],
    induction_s: Mapping[str, float] | pd.Series | None = None,
    *,
    window_ms: tuple[float, float] | None = None,
) -> dict[tuple[str, str], MeanTrace]:
    """The mean response of each pathway before and after induction, with a proposed window.

    The keys are (code, pathway), without pathways that only induction uses. `window_ms`, where the study
    states one, is proposed for all in place of what each mean response suggests.

    Raises
    ------
    StudyError
        If recordings have no response to average: one sentence for each of them.
    """
    jobs = {}
    for code, recording in recordings.items():
        when = None if induction_s is None else induction_s[code]
        for pathway in _tested(recording):
            jobs[code, pathway] = partial(mean_trace, recording, pathway=pathway, induction_s=when)
    traces = together(jobs)
    if window_ms is None:
        return traces
    return {key: replace(trace, proposal_ms=tuple(window_ms)) for key, trace in traces.items()}


def measure_slices(recordings: Mapping[str, Recording], windows: Windows, **options: Any) -> pd.DataFrame:
    """Measure every response of every recording: the rows of `measure`, with their ``code`` in front.

    `windows` holds the window of each (code, pathway) in ms after the stimulus; `options` go to `measure`.
    Its warnings come with the table as ``attrs["warnings"]``, each with its codes.

    Raises
    ------
    StudyError
        If recordings cannot be measured as asked: one sentence for each of them.
    """
    own: dict[str, dict[str, tuple[float, float]]] = {code: {} for code in recordings}
    for (code, pathway), window in windows.items():
        if code in own:
            own[code][pathway] = window
    tables = together(
        {code: partial(measure, one, window_ms=own[code], **options) for code, one in recordings.items()}
    )
    table = pd.concat(tables, names=["code"]).reset_index("code").reset_index(drop=True)
    said: dict[str, list[str]] = {}
    for code, one in tables.items():
        for text in one.attrs["warnings"]:
            said.setdefault(text, []).append(code)
    table.attrs = {"warnings": tuple(f"{text} ({', '.join(codes)})" for text, codes in said.items())}
    return table


def count_flags(responses: pd.DataFrame) -> pd.DataFrame:
    """Which flags the responses bear, and how many of them: one row per code, pathway and flag.

    Numbers in a flag are left out, so that a signal/noise of 2.1 and one of 1.4 count as one kind.
    """
    where = ["code", "pathway"]
    each = responses[[*where, "flags"]].assign(flags=responses["flags"].str.split("; ")).explode("flags")
    number = r"-?\d+(?:\.\d+)?"
    words = each["flags"].str.replace(rf"\s*{number}\)", ")", regex=True)
    each["flags"] = words.str.replace(number, "…", regex=True)
    counted = each[each["flags"] != ""].groupby([*where, "flags"]).size().rename("flagged").reset_index()
    return counted.join(responses.groupby(where).size().rename("responses"), on=where)


def plasticity_slices(
    responses: pd.DataFrame,
    induction_s: Mapping[str, float] | pd.Series,
    slices: pd.DataFrame,
    **options: Any,
) -> Plasticity:
    """Potentiation of every recording: the tables of `plasticity` for all codes, with animal, slice and role.

    The role of a pathway is *test*, *control*, or *other*, as the study's sheet says. `options` go to
    `plasticity`.

    Returns
    -------
    Plasticity
        Codes in the order of `responses`. A recording whose time of induction is not known (NaN) keeps its
        rows: ``time_min``, ``percent_of_baseline`` and every value of the summary are NaN, ``n_baseline`` and
        ``n_post`` are 0, and the flag is *time of induction unknown*.

    Raises
    ------
    DataError
        If no recording has a known time of induction.
    StudyError
        If the potentiation of some recordings cannot be worked out: one sentence for each.
    """
    each = {str(code): own.drop(columns="code") for code, own in responses.groupby("code", sort=False)}
    known = {code: float(induction_s[code]) for code in each if np.isfinite(induction_s[code])}
    if not known:
        raise DataError(
            "no recording has a known time of induction",
            expected="the seconds since its first sweep for at least one",
            todo="write them into column induction_s of the sheet of recordings, or run "
            'picks.save(files["CODE"], "induction_s", SECONDS, kind="time", unit="s") for each recording',
        )
    made = together(
        {code: partial(plasticity, each[code], induction_s=known[code], **options) for code in known}
    )
    like = next(iter(made.values()))
    made = {code: made[code] if code in made else _without_induction(own, like) for code, own in each.items()}
    return Plasticity(
        time_course=_named({code: one.time_course for code, one in made.items()}, slices),
        summary=_named({code: one.summary for code, one in made.items()}, slices),
    )


def _tested(recording: Recording) -> list[str]:
    """Pathways that have responses; all there are when there is no stimulus, so that somebody says so."""
    tests = recording.stimuli.loc[~recording.stimuli["kind"].isin(INDUCING), "sweep"]
    return sorted({str(name) for name in (recording.pathway[tests] if len(tests) else recording.pathway)})


def _without_induction(own: pd.DataFrame, like: Plasticity) -> Plasticity:
    """The rows of a recording whose time of induction is not known, in the columns of one whose is."""
    course = own[own["pulse"] == 1].reindex(columns=like.time_course.columns)
    said = {"pathway": sorted(own["pathway"].unique()), "n_baseline": 0, "n_post": 0, "flags": _UNKNOWN}
    return Plasticity(course, pd.DataFrame(said).reindex(columns=like.summary.columns))


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

"""Several files as one recording: their order, one clock for all, and whether they belong together.

Files are joined as they were recorded, by the date in their headers, whatever their names; the clock of the
whole starts with the first sweep.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.errors import RecordingError
from labkit.ltp.abf import AbfFile
from labkit.ltp.channels import Choice

__all__ = ["Joined", "join", "refuse_strangers"]


class Joined(NamedTuple):
    """Files in order, with one row for each sweep of all; `tags` are (seconds, comment) on the same clock."""

    files: list[AbfFile]
    start_s: NDArray[np.float64]
    file_index: NDArray[np.int64]
    tags: list[tuple[float, str]]
    warnings: list[str]


def join(files: list[AbfFile]) -> Joined:
    """Put files in the order of recording and on one clock.

    Parameters
    ----------
    files
        At least one. When one has no date, all are joined back to back in the order given.

    Raises
    ------
    RecordingError
        If one file was recorded while another still was.
    """
    undated = [file.path.name for file in files if file.recorded_at is None]
    warnings = []
    if undated and len(files) > 1:
        names = ", ".join(undated)
        warnings.append(
            f"no date of recording in {names}; the files are joined back to back in the order given"
        )
        offsets = _back_to_back(files)
    else:
        files = sorted(files, key=_begun) if len(files) > 1 else files
        offsets = _by_date(files)
    start_s = np.concatenate([file.start_s + offset for file, offset in zip(files, offsets, strict=True)])
    tags = [
        (round(time + offset - start_s[0], 6), comment)
        for file, offset in zip(files, offsets, strict=True)
        for time, comment in file.tags
    ]
    file_index = np.repeat(np.arange(len(files)), [len(file.lengths) for file in files])
    return Joined(files, start_s - start_s[0], file_index, tags, warnings)


def _begun(file: AbfFile) -> datetime:
    return file.recorded_at + timedelta(seconds=float(file.start_s[0]))


def _back_to_back(files: list[AbfFile]) -> list[float]:
    """What to add to the clock of each file, so that each begins one interval after the last sweep."""
    offsets, end = [], 0.0
    for file in files:
        offsets.append(end - file.start_s[0])
        interval_s = float(np.median(np.diff(file.start_s))) if len(file.start_s) > 1 else 0.0
        end = offsets[-1] + file.start_s[-1] + max(file.lengths[-1] / file.rate_hz, interval_s)
    return offsets


def _by_date(files: list[AbfFile]) -> list[float]:
    """What to add to the clock of each file, so that all count from the date of the first."""
    offsets = [0.0]
    for before, after in pairwise(files):
        end = offsets[-1] + before.start_s[-1] + before.lengths[-1] / before.rate_hz
        offsets.append((after.recorded_at - files[0].recorded_at).total_seconds())
        # The date of a file is that of a computer clock, good to some tens of ms.
        if offsets[-1] + after.start_s[0] < end - 0.1:
            found = f"it was recorded while {before.path.name} still was"
            todo = "give each file once, and only files of one slice"
            raise RecordingError(found, expected="files that follow one another", todo=todo, where=after.path)
    return offsets


def refuse_strangers(files: list[AbfFile], choices: list[Choice]) -> None:
    """Refuse files that differ in rate, channel or unit, and so cannot be one recording."""
    first, ours = files[0], choices[0]
    for file, choice in zip(files[1:], choices[1:], strict=True):
        if abs(file.rate_hz / first.rate_hz - 1) > 1e-6:
            found = f"it was sampled at {file.rate_hz:g} Hz, {first.path.name} at {first.rate_hz:g} Hz"
        elif (choice.channel.name, choice.unit) != (ours.channel.name, ours.unit):
            names = [f"{one.channel.name} in {one.channel.unit}" for one in (choice, ours)]
            found = f"its channel is {names[0]}, that of {first.path.name} {names[1]}"
        else:
            continue
        todo = "join only files of one recording, and name the channel if they have several"
        raise RecordingError(found, todo=todo, where=file.path)

"""What a picker shows and picks on: traces as arrays, with the window that the kit proposes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labkit.errors import DataError

__all__ = ["TraceItem", "Window", "trace_items"]

Window = tuple[float, float]
_DIGITS = 4  # of a time in ms: a tenth of a microsecond, far below any sample interval
_LEAST_SAMPLES = 3  # a line through two points always fits


@dataclass(frozen=True, eq=False)
class TraceItem:
    """The mean traces of one pathway of one recording, with the window that the kit proposes.

    Attributes
    ----------
    code, pathway
        Blind code of the recording and name of the pathway; all that is shown while blind.
    files
        Raw files of the recording; picks are stored beside the first.
    time_ms : (n,) ndarray
        Times after the stimulus, rising.
    traces_mV : dict of str to (n,) ndarray
        Mean traces by label; NaN where there is no value.
    proposal_ms
        Proposed window, start and end in ms after the stimulus.
    blank_ms
        The part around the stimulus artefact that measuring leaves out, or None.

    Raises
    ------
    DataError
        If the shapes do not fit or the window is not inside the trace.
    """

    code: str
    pathway: str
    files: tuple[Path, ...]
    time_ms: np.ndarray
    traces_mV: Mapping[str, np.ndarray]
    proposal_ms: Window
    blank_ms: Window | None = None

    def __post_init__(self) -> None:
        files = (self.files,) if isinstance(self.files, str | Path) else self.files
        set_ = object.__setattr__
        set_(self, "files", tuple(Path(file) for file in files))
        set_(self, "time_ms", np.asarray(self.time_ms, dtype=float))
        set_(self, "traces_mV", {str(k): np.asarray(v, dtype=float) for k, v in self.traces_mV.items()})
        if not self.files:
            raise DataError(
                "no raw file is named", todo="name the files that the traces come from", where=self.name
            )
        if (
            self.time_ms.ndim != 1
            or self.time_ms.size < _LEAST_SAMPLES
            or not (np.diff(self.time_ms) > 0).all()
        ):
            raise DataError(
                f"the times have the shape {self.time_ms.shape}", where=self.name,
                expected=f"{_LEAST_SAMPLES} or more rising times in one row",
            )  # fmt: skip
        shapes = {label: values.shape for label, values in self.traces_mV.items()}
        if not shapes or set(shapes.values()) != {self.time_ms.shape}:
            raise DataError(
                f"the traces have the shapes {shapes}", where=self.name,
                expected=f"at least one trace, each with one value for each of the {self.time_ms.size} times",
            )  # fmt: skip
        set_(self, "proposal_ms", self.checked(*self.proposal_ms))
        if self.blank_ms is not None:
            set_(self, "blank_ms", (float(self.blank_ms[0]), float(self.blank_ms[1])))

    @property
    def name(self) -> str:
        """Code and pathway, as in ``R07 S0``."""
        return f"{self.code} {self.pathway}"

    def checked(self, start: float, end: float) -> Window:
        """The window rounded to what is stored, or a `DataError` when it cannot be one."""
        low, high = self.time_ms[0], self.time_ms[-1]
        found = f"the window from {start} to {end} ms cannot be used"
        if not all(
            isinstance(value, int | float | np.number) and math.isfinite(value) for value in (start, end)
        ):
            raise DataError(found, expected="two numbers", where=self.name)
        start, end = round(float(start), _DIGITS), round(float(end), _DIGITS)
        slack = (high - low) / (self.time_ms.size - 1) / 100  # a sample that rounding left outside is inside
        inside = ((self.time_ms >= start - slack) & (self.time_ms <= end + slack)).sum()
        if start < low - slack or end > high + slack or inside < _LEAST_SAMPLES:
            raise DataError(
                found,
                expected=f"{_LEAST_SAMPLES} samples or more between {low:g} and {high:g} ms",
                where=self.name,
            )
        return start, end

    def packed(self) -> bytes:
        """Times as float64, then each trace as float32, one after the other: what the browser unpacks."""
        parts = [self.time_ms.astype("<f8"), *(trace.astype("<f4") for trace in self.traces_mV.values())]
        return b"".join(part.tobytes() for part in parts)


def trace_items(
    traces: Mapping[tuple[str, str], Any], files: Mapping[str, Sequence[Path]]
) -> list[TraceItem]:
    """The items of a `TracePicker` from the mean traces by (code, pathway) and the files of each code."""
    return [
        TraceItem(
            code=code,
            pathway=pathway,
            files=files[code],
            time_ms=trace.time_ms,
            traces_mV=trace.traces_mV,
            proposal_ms=trace.proposal_ms,
            blank_ms=trace.blank_ms,
        )
        for (code, pathway), trace in traces.items()
    ]

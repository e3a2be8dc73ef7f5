"""Where the numbers of a recording lie, and windows cut from there without reading the rest.

Notation: windows are k x n. Data stay in the files: they are mapped when asked for, one stretch at a time, so
that memory holds what is asked for and no more. What is kept of a file pickles in a few bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.errors import RecordingError

__all__ = ["Held", "Mapped", "fill_windows"]

_ROWS_AT_ONCE = 256


class Mapped(NamedTuple):
    """One channel of the data of one file; value = number in the file x gain + offset."""

    path: Path
    size: int
    data_start: int
    dtype: str
    n_channels: int
    channel: int
    gain: float
    offset: float

    def frames(self, first: int, last: int) -> NDArray[Any]:
        """The raw values between two frames, as a map that is let go with its last reader."""
        start = self.data_start + first * self.n_channels * np.dtype(self.dtype).itemsize
        shape = (last - first, self.n_channels)
        return np.memmap(self.path, self.dtype, "r", start, shape)[:, self.channel]

    def check(self) -> None:
        """Refuse a file that has gone or changed since its header was read."""
        try:
            size = self.path.stat().st_size
        except OSError:
            found, todo = "the file is no longer there", "put it back and read the recording again"
            raise RecordingError(found, todo=todo, where=self.path) from None
        if size != self.size:
            raise RecordingError(
                "the file has changed since it was read", todo="read it again", where=self.path
            )


class Held(NamedTuple):
    """Data that are already in memory, sweep after sweep."""

    values: NDArray[np.float64]
    gain: float = 1.0
    offset: float = 0.0

    def frames(self, first: int, last: int) -> NDArray[Any]:
        return self.values[first:last]

    def check(self) -> None:
        pass


def fill_windows(
    out: NDArray[np.float64],
    rows: NDArray[np.int64],
    source: Mapped | Held,
    *,
    first: NDArray[np.int64],
    length: NDArray[np.int64],
    start: NDArray[np.int64],
) -> None:
    """Put the windows of one source into `rows` of `out`, which holds NaN.

    Parameters
    ----------
    out
        (k, n) all windows.
    rows
        Those that lie in `source`.
    first, length, start
        One for each of `rows`: frame with which the sweep begins, points of the sweep, point of the sweep at
        which the window begins. What lies outside the sweep stays NaN.

    Raises
    ------
    RecordingError
        If the file has gone or changed since its header was read.
    """
    source.check()
    # A few rows at a time: a page of the file stays in memory as long as its map.
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        some = slice(at, at + _ROWS_AT_ONCE)
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number in the file stays none
            _fill(out, rows[some], source, first[some], length[some], start[some])


def _fill(out: Any, rows: Any, source: Mapped | Held, first: Any, length: Any, start: Any) -> None:
    n_points = out.shape[1]
    lowest, highest = int(first.min()), int((first + length).max())
    frames = source.frames(lowest, highest)
    inside = (start >= 0) & (start + n_points <= length)
    if inside.any():
        windows = np.lib.stride_tricks.sliding_window_view(frames, n_points)
        out[rows[inside]] = windows[(first + start - lowest)[inside]]
    for row, a, m, s in zip(*(x[~inside].tolist() for x in (rows, first, length, start)), strict=True):
        begin, end = max(0, s), min(m, s + n_points)
        if begin < end:
            out[row, begin - s : end - s] = frames[a - lowest + begin : a - lowest + end]
    out[rows] = out[rows] * source.gain + source.offset

"""Amplitude and slope between marks that a person set."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from labkit.errors import DataError

__all__ = ["measure_marks", "span_of"]

_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*%?\s*")


def span_of(method: str) -> tuple[float, float] | None:
    """The two percentages of a method such as ``20-80``; None for a method that names none.

    >>> span_of("20-80"), span_of("max")
    ((20.0, 80.0), None)
    """
    found = _SPAN.fullmatch(method)
    if found is None:
        return None
    low, high = float(found[1]), float(found[2])
    if not 0 <= low < high <= 100:
        raise DataError(f"the method is {method!r}", expected="two rising percentages, such as 20-80")
    return low, high


def measure_marks(
    traces: ArrayLike, *, start: ArrayLike, peak: ArrayLike, rate_hz: float, method: str = "20-90"
) -> pd.DataFrame:
    """Amplitude and slope of responses whose start and peak a person marked.

    The amplitude is the difference between the two marked samples. The slope is that of the least-squares
    line through all samples between the two that come nearest to the stated percentages of the amplitude,
    counted from the start in either direction; it keeps its sign. Nothing is filtered. This is the
    definition of Heim et al. (2021), STAR Protocols, doi:10.1016/j.xpro.2021.100902. On a noisy trace the
    nearest sample may lie well before or after the rise, so that the slope is less steep than the rise:
    compare only what was measured alike.

    Parameters
    ----------
    traces
        (M, N) mV, one response a row, or (N,).
    start, peak
        (M,) samples of the marks, from 0.
    rate_hz
        Sampling rate.
    method
        The percentages.

    Returns
    -------
    DataFrame
        One row per trace: ``amplitude_mV``, ``slope_mV_per_ms`` (signed), ``first`` and ``last`` sample of
        the line. NaN where a mark is NaN, or where both percentages fall on one sample.

    Raises
    ------
    DataError
        If marks lie outside of the traces, or the peak does not lie after the start.

    Examples
    --------
    >>> measure_marks([0.0, 0.0, -1.0, -2.0, -2.0], start=1, peak=3, rate_hz=1000, method="0-100").round(3)
       amplitude_mV  slope_mV_per_ms  first  last
    0           2.0             -1.0      1     3
    """
    values = np.atleast_2d(np.asarray(traces, float))
    marks = [np.broadcast_to(np.asarray(mark, float), (len(values),)) for mark in (start, peak)]
    span = span_of(method)
    if span is None:
        raise DataError(f"the method is {method!r}", expected="two percentages, such as 20-90")
    known = np.isfinite(marks[0]) & np.isfinite(marks[1])
    first, last = (np.where(known, mark, 0).astype(np.int64) for mark in marks)
    wrong = known & ((first < 0) | (last >= values.shape[1]) | (last <= first))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"trace {row} is marked at samples {first[row]} and {last[row]}",
            expected=f"start before peak, within 0 to {values.shape[1] - 1}",
        )
    at, rows = np.arange(values.shape[1]), np.arange(len(values))
    between = (at >= first[:, None]) & (at <= last[:, None])
    away = np.where(between, np.abs(values - values[rows, first][:, None]), np.inf)
    amplitude = away[rows, last]
    ends = np.sort(
        [np.argmin(np.abs(away - amplitude[:, None] * part / 100), axis=1) for part in span], axis=0
    )
    used = (at >= ends[0][:, None]) & (at <= ends[1][:, None])
    count = used.sum(axis=1)
    time_ms = at * 1e3 / rate_hz
    centred = np.where(used, time_ms - np.sum(used * time_ms, axis=1, keepdims=True) / count[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.sum(centred * values, axis=1) / np.sum(centred**2, axis=1)
    missing = ~known
    return pd.DataFrame(
        {
            "amplitude_mV": np.where(missing, np.nan, amplitude),
            "slope_mV_per_ms": np.where(missing | (count < 2), np.nan, slope),
            "first": ends[0],
            "last": ends[1],
        }
    )

"""The table of stimuli: pulses grouped into tests, pairs and trains, pathways named, induction found.

Here pulses have times already, from whatever source; `labkit.ltp.programmed` and `labkit.ltp.jumps` find
them, and `labkit.ltp.locating` decides between the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labkit.errors import RecordingError

__all__ = ["INDUCING", "complete", "empty", "given", "group_begins", "induction_s", "name_pathways", "table"]

INDUCING = ("HFS", "TBS", "LFS")
_TYPES = {
    "sweep": np.int64,
    "time_ms": float,
    "pulses": np.int64,
    "interval_ms": float,
    "kind": object,
    "source": object,
}
_INDUCTION = re.compile(
    r"\b(HFS|TBS|LFS|theta|tetan\w*|high[- ]freq\w*|low[- ]freq\w*|(LTP|LTD) ?ind\w*|induc\w*)", re.I
)
_NOT_INDUCTION = re.compile(r"\b(no|not|without|before|pre|after|post|end|min|since|until)\b", re.I)


def empty() -> pd.DataFrame:
    """A table of no stimuli."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _TYPES.items()})


def group_begins(sweep: NDArray[Any], when: NDArray[Any], gap: float) -> NDArray[np.int64]:
    """Positions at which a new sweep or, after more than `gap`, a new group begins."""
    if not len(when):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.r_[True, (np.diff(sweep) != 0) | (np.diff(when) >= gap)])


def table(sweep: ArrayLike, time_ms: ArrayLike, source: str) -> pd.DataFrame:
    """Group single pulses into stimuli and name each kind.

    Pulses up to 500 ms apart in one sweep are one stimulus. One pulse is a *test*, two are a *pair*. Bursts
    of at least 10 pulses at 12 ms or less are *HFS*; two or more bursts of 3 to 6 pulses at 25 ms or less,
    repeated every 120 to 350 ms, are *TBS*; 100 or more pulses or pairs every 0.5 to 2 s in one sweep are
    *LFS*. What is left is a *train*. The limits are choices made to hold the common protocols (100 pulses at
    100 Hz; 4 at 100 Hz every 200 ms; 900 at 1 Hz), not a standard.

    Parameters
    ----------
    sweep, time_ms
        (n,) sweep and time of each pulse.
    source
        Where the times come from.

    Returns
    -------
    DataFrame
        ``sweep``, ``time_ms`` (first pulse), ``pulses``, ``interval_ms`` (mean within bursts; NaN for one
        pulse), ``kind``, ``source``.

    Examples
    --------
    >>> stimuli = table([0, 0, 1], [50.0, 100.0, 50.0], "given")
    >>> stimuli[["sweep", "pulses", "interval_ms", "kind"]].to_numpy().tolist()
    [[0, 2, 50.0, 'pair'], [1, 1, nan, 'test']]
    """
    sweep, time_ms = np.asarray(sweep, np.int64), np.asarray(time_ms, float)
    order = np.lexsort((time_ms, sweep))
    sweep, time_ms = sweep[order], time_ms[order]
    begins = group_begins(sweep, time_ms, 500.0)
    if not len(begins):
        return empty()
    pulses = np.diff(np.r_[begins, len(time_ms)])
    interval = np.diff(time_ms, prepend=np.nan)
    interval[begins] = np.nan

    # Bursts within a stimulus: pulses at 50 ms or less.
    bursts = group_begins(sweep, time_ms, 50.0)
    burst_pulses = np.diff(np.r_[bursts, len(time_ms)])
    first_burst = np.searchsorted(bursts, begins)
    n_bursts = np.diff(np.r_[first_burst, len(bursts)])
    fewest, most = (f.reduceat(burst_pulses, first_burst) for f in (np.minimum, np.maximum))
    apart = np.diff(time_ms[bursts], prepend=np.nan)
    apart[first_burst] = np.nan
    nearest, farthest = (f.reduceat(apart, first_burst) for f in (np.fmin, np.fmax))
    within = interval.copy()
    within[bursts] = np.nan
    mean_within, mean_all = (_mean_of_groups(x, begins) for x in (within, interval))

    kind = np.full(len(begins), "train", object)
    kind[pulses == 1] = "test"
    kind[pulses == 2] = "pair"
    kind[(fewest >= 10) & (mean_within <= 12)] = "HFS"
    theta = (n_bursts >= 2) & (nearest >= 120) & (farthest <= 350)
    kind[theta & (fewest >= 3) & (most <= 6) & (mean_within <= 25)] = "TBS"
    result = pd.DataFrame(
        {
            "sweep": sweep[begins],
            "time_ms": time_ms[begins],
            "pulses": pulses,
            "interval_ms": np.where(np.isnan(mean_within), mean_all, mean_within),
            "kind": kind,
            "source": np.full(len(begins), source, object),
        }
    )
    return _slow_trains(result)


def _mean_of_groups(values: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    total = np.add.reduceat(np.where(known, values, 0.0), begins)
    count = np.add.reduceat(known.astype(np.int64), begins)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _slow_trains(stimuli: pd.DataFrame) -> pd.DataFrame:
    """Join 100 or more single pulses or pairs at about 1 Hz within one sweep into one row."""
    sweep, time_ms = stimuli["sweep"].to_numpy(), stimuli["time_ms"].to_numpy()
    single = stimuli["pulses"].to_numpy() <= 2
    apart = np.diff(time_ms)
    linked = (np.diff(sweep) == 0) & (apart <= 2000) & single[1:] & single[:-1]
    begins = np.flatnonzero(np.r_[True, ~linked])
    sizes = np.diff(np.r_[begins, len(stimuli)])
    if sizes.max() < 100:
        return stimuli
    keep = np.ones(len(stimuli), bool)
    pulses, interval, kind = (stimuli[name].to_numpy(copy=True) for name in ("pulses", "interval_ms", "kind"))
    for begin, size in zip(begins[sizes >= 100], sizes[sizes >= 100], strict=True):
        keep[begin + 1 : begin + size] = False
        pulses[begin] = pulses[begin : begin + size].sum()
        interval[begin] = np.diff(time_ms[begin : begin + size]).mean()
        kind[begin] = "LFS"
    stimuli = stimuli.assign(pulses=pulses, interval_ms=interval, kind=kind)
    return stimuli[keep].reset_index(drop=True)


def given(times_ms: ArrayLike, lengths_ms: NDArray[np.float64]) -> pd.DataFrame:
    """Stimuli at the same times in every sweep that is long enough.

    Raises
    ------
    RecordingError
        If a time is not a number or lies in no sweep.
    """
    times = np.sort(np.atleast_1d(np.asarray(times_ms, float)).ravel())
    if not len(times) or not np.isfinite(times).all() or times[0] < 0 or times[-1] >= lengths_ms.max():
        found = f"stimulus times {times.tolist()} ms"
        raise RecordingError(
            found, expected=f"times from 0 to {lengths_ms.max():g} ms, the length of a sweep"
        )
    sweep, which = np.nonzero(times[None, :] < lengths_ms[:, None])
    return table(sweep, times[which], "given")


def complete(stimuli: pd.DataFrame, *, n_sweeps: int) -> pd.DataFrame:
    """A user's table of stimuli with all columns; those that are missing are those of single test pulses.

    Raises
    ------
    RecordingError
        If sweeps or times are missing, or name sweeps that do not exist.
    """
    missing = [name for name in ("sweep", "time_ms") if name not in stimuli]
    if missing:
        raise RecordingError(
            f"the table of stimuli has no column {missing[0]}", expected="sweep and time_ms at least"
        )
    defaults = {"pulses": 1, "interval_ms": np.nan, "kind": "test", "source": "given"}
    absent = {name: value for name, value in defaults.items() if name not in stimuli}
    result = stimuli.assign(**absent)[list(_TYPES)]
    sweep = result["sweep"].to_numpy()
    if len(sweep) and not 0 <= sweep.min() <= sweep.max() < n_sweeps:
        raise RecordingError(f"a stimulus in sweep {sweep.max()}", expected=f"sweeps 0 to {n_sweeps - 1}")
    return result.sort_values(["sweep", "time_ms"], ignore_index=True)


def name_pathways(lines: Iterable[NDArray[np.int64]]) -> tuple[NDArray[np.str_], list[str]]:
    """The pathway of each sweep, from the lines that stimulate it: S0 for the lowest, S1 for the next.

    Parameters
    ----------
    lines
        For each file, (2, n) masks of the digital and of the analogue lines of its sweeps. The same line is
        the same pathway in all files; lines that every sweep uses tell nothing and are left out.

    Returns
    -------
    tuple
        (n,) names, and warnings.

    Examples
    --------
    >>> name_pathways([np.array([[1, 2, 1, 2], [0, 0, 0, 0]])])[0].tolist()
    ['S0', 'S1', 'S0', 'S1']
    """
    masks = np.concatenate(list(lines), axis=1)
    for mask in masks:
        used = np.unique(mask[mask > 0])
        if len(used) < 2:
            continue
        common = np.bitwise_and.reduce(used)
        if (used & ~common).all():
            mask, used = mask & ~common, np.unique(used & ~common)
        names = np.array([f"S{i}" for i in range(len(used))])
        where = np.searchsorted(used, mask)
        warnings = []
        if (mask == 0).any():
            warnings.append(f"{int((mask == 0).sum())} sweeps use no stimulus line; they are counted to S0")
        if len(used) > 2:
            warnings.append(
                f"the sweeps use {len(used)} combinations of stimulus lines, named S0 to S{len(used) - 1}"
            )
        return names[where], warnings
    return np.full(masks.shape[1], "S0"), []


def induction_s(stimuli: pd.DataFrame, start_s: NDArray[np.float64], tags: pd.DataFrame) -> float:
    """Start of the last train that induces; else of the last tag that names an induction; else NaN.

    Parameters
    ----------
    stimuli, tags
        As in `Recording`.
    start_s
        (N,) start of each sweep.

    Examples
    --------
    >>> tags = pd.DataFrame({"time_s": [1.0, 1200.0], "comment": ["before HFS", "HFS 1"], "sweep": [0, 80]})
    >>> induction_s(empty(), np.zeros(100), tags)
    1200.0
    """
    inducing = stimuli[stimuli["kind"].isin(INDUCING)]
    if len(inducing):
        return float((start_s[inducing["sweep"]] + inducing["time_ms"].to_numpy() / 1e3).max())
    named = [
        time_s
        for time_s, text in zip(tags["time_s"], tags["comment"], strict=True)
        if _INDUCTION.search(text) and not _NOT_INDUCTION.search(text)
    ]
    return float(named[-1]) if named else np.nan

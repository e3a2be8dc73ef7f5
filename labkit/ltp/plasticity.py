"""From single responses to plasticity: time from induction, % of baseline, and one row for each pathway.

Limits of quality (drift, volley) are the lab's choice; they are given as arguments and stated in the flags.
Nothing is left out here: leave out rows before, for a reason that a person gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from labkit.errors import DataError

__all__ = ["Plasticity", "plasticity"]

_NEEDED = ("time_s", "pathway", "pulse", "slope_mV_per_ms", "volley_mV", "flags")
# A mean of fewer is not one.
_LEAST_RESPONSES = 2
# Above this part of doubtful responses the row says so.
_MANY = 0.25


@dataclass(frozen=True)
class Plasticity:
    """Time course and summary of one recording.

    Attributes
    ----------
    time_course
        One row per response to a single or first pulse: the columns of `measure` with ``time_min`` (from
        induction) and ``percent_of_baseline``.
    summary
        One row per pathway: ``baseline_slope_mV_per_ms``, ``post_slope_mV_per_ms``,
        ``potentiation_percent``, ``baseline_drift_percent``, ``volley_change_percent``,
        ``paired_pulse_ratio``, ``n_baseline``, ``n_post``, ``flags``.
    """

    time_course: pd.DataFrame
    summary: pd.DataFrame


def plasticity(
    responses: pd.DataFrame,
    *,
    induction_s: float | None = None,
    baseline_min: float = 20,
    normalise_min: float = 10,
    post_min: tuple[float, float] = (50, 60),
    drift_limit_percent: float = 10,
    volley_limit_percent: float = 20,
) -> Plasticity:
    """Express the slopes of one recording in % of baseline and sum up each pathway.

    Parameters
    ----------
    responses
        From `measure`; rows of one recording.
    induction_s
        Start of induction in seconds since the start of the recording; by default what `measure` was told.
    baseline_min
        Minutes before induction over which drift is judged.
    normalise_min
        Minutes before induction whose mean slope is 100 %.
    post_min
        Start and end, in minutes after induction, of the responses that make the result.
    drift_limit_percent, volley_limit_percent
        A greater drift of the baseline, or change of the fibre volley, is flagged.

    Returns
    -------
    Plasticity
        ``baseline_drift_percent`` is the change of the regression line from the first to the last response
        of the baseline, in % of its mean; ``volley_change_percent`` that of the mean volley from the
        normalising minutes to `post_min`; ``paired_pulse_ratio`` the mean second over the mean first slope
        of the pairs at baseline. A value is NaN when fewer than two responses make it, or its divisor is
        not above 0, and then a flag says why (NaN without a flag: no pairs were given, or no room for a
        volley).

    Raises
    ------
    DataError
        If the time of induction is unknown or lies outside of the recording, or columns are missing.

    Examples
    --------
    >>> minutes = np.arange(-20, 60, 0.5)
    >>> table = pd.DataFrame({"time_s": 60 * (minutes + 20), "pathway": "S0", "pulse": 1, "flags": ""})
    >>> table["slope_mV_per_ms"] = np.where(minutes < 0, 0.2, 0.3)
    >>> table["volley_mV"] = 0.1
    >>> summary = plasticity(table, induction_s=1200).summary
    >>> summary[["pathway", "potentiation_percent", "n_baseline", "n_post"]].round(1)
      pathway  potentiation_percent  n_baseline  n_post
    0      S0                 150.0          20      20
    """
    missing = [name for name in _NEEDED if name not in responses]
    if missing or responses.empty:
        found = f"the table has no column {missing[0]}" if missing else "the table of responses is empty"
        raise DataError(found, expected="the table that measure gives")
    for name, value in (("baseline_min", baseline_min), ("normalise_min", normalise_min)):
        if not value > 0:
            raise DataError(f"{name} is {value:g}", expected="minutes above 0")
    if not 0 <= post_min[0] < post_min[1]:
        raise DataError(f"post_min is {tuple(post_min)}", expected="a rising pair of minutes after induction")
    when = _induction(responses, induction_s)
    time_min = (responses["time_s"].to_numpy(float) - when) / 60
    course = responses.copy()
    course.insert(course.columns.get_loc("time_s") + 1, "time_min", time_min)
    rows, percents = [], np.full(len(course), np.nan)
    for name in sorted(course["pathway"].unique()):
        own = (course["pathway"] == name).to_numpy()
        row = _summarise(
            course[own], baseline_min, normalise_min, post_min, drift_limit_percent, volley_limit_percent
        )
        rows.append({"pathway": name, **row})
        percents[own] = 100 * course.loc[own, "slope_mV_per_ms"] / row["baseline_slope_mV_per_ms"]
    course.insert(course.columns.get_loc("slope_mV_per_ms") + 1, "percent_of_baseline", percents)
    course = course[(course["pulse"] == 1).to_numpy()].reset_index(drop=True)
    return Plasticity(time_course=course, summary=pd.DataFrame(rows))


def _induction(responses: pd.DataFrame, induction_s: float | None) -> float:
    when = responses.attrs.get("induction_s", np.nan) if induction_s is None else induction_s
    if when is None or not np.isfinite(when):
        raise DataError(
            "the time of induction is not known",
            expected="seconds since the start of the recording",
            todo="pick it on the time course, or give induction_s in recordings.csv",
        )
    first, last = (float(x) for x in (responses["time_s"].min(), responses["time_s"].max()))
    if not first < when < last:
        raise DataError(
            f"induction is given at {when:g} s",
            expected=f"a time within the recording, {first:.0f} to {last:.0f} s",
            todo="give it in seconds since the first sweep",
        )
    return float(when)


def _summarise(
    own: pd.DataFrame,
    baseline_min: float,
    normalise_min: float,
    post_min: tuple[float, float],
    drift_limit: float,
    volley_limit: float,
) -> dict[str, object]:
    """The summary of one pathway."""
    time = own["time_min"].to_numpy()
    single = (own["pulse"] == 1).to_numpy()
    slope, volley = own["slope_mV_per_ms"].to_numpy(float), own["volley_mV"].to_numpy(float)
    # The clock of the recording is good to some ms; a response on the edge belongs inside.
    edge = 1e-3
    known = single & np.isfinite(slope)
    spans = {
        "drift": (time >= -baseline_min - edge) & (time < 0),
        "baseline": (time >= -normalise_min - edge) & (time < 0),
        "post": (time >= post_min[0] - edge) & (time <= post_min[1] + edge),
    }
    flags: list[str] = []
    words = {
        "baseline": f"in the last {normalise_min:g} min of baseline",
        "post": f"{post_min[0]:g} to {post_min[1]:g} min after induction",
    }
    means = {}
    usual = float(np.median(np.diff(time[single]))) if single.sum() > 1 else np.nan
    for part, where in words.items():
        used = known & spans[part]
        n = int(used.sum())
        means[part] = float(slope[used].mean()) if n >= _LEAST_RESPONSES else np.nan
        length = normalise_min if part == "baseline" else post_min[1] - post_min[0]
        if n < _LEAST_RESPONSES:
            ends = f"; the last response is at {time[single].max():.0f} min" if part == "post" else ""
            flags.append(f"{'no' if n == 0 else 'only one'} response {where}{ends}")
        elif n < 0.5 * length / usual:
            flags.append(f"only {n} of {length / usual:.0f} responses {where}")
        doubtful = int((used & (own["flags"] != "").to_numpy()).sum())
        if n and doubtful > _MANY * n:
            flags.append(f"{doubtful} of {n} responses {where} are flagged")
    baseline, post = means["baseline"], means["post"]
    if np.isfinite(baseline) and baseline <= 0:
        flags.append(f"mean baseline slope is {baseline:.3g} mV/ms")
        potentiation = np.nan
    else:
        potentiation = 100 * post / baseline
    drift = _drift(time, slope, known & spans["drift"])
    begins = -float(time[single].min()) if single.any() else 0.0
    step = usual if np.isfinite(usual) else 0.0
    if begins < baseline_min - max(step, 0.5):
        flags.append(f"baseline of {max(begins, 0):.0f} instead of {baseline_min:g} min")
    if abs(drift) > drift_limit:
        flags.append(f"baseline drifts by {drift:+.0f} % (limit {drift_limit:g} %)")
    change, doubt = _volley_change(volley, single & spans["baseline"], single & spans["post"])
    flags += [doubt] if doubt else []
    if abs(change) > volley_limit:
        flags.append(f"fibre volley changes by {change:+.0f} % (limit {volley_limit:g} %)")
    return {
        "baseline_slope_mV_per_ms": baseline,
        "post_slope_mV_per_ms": post,
        "potentiation_percent": potentiation,
        "baseline_drift_percent": drift,
        "volley_change_percent": change,
        "paired_pulse_ratio": _pair_ratio(own, spans["baseline"]),
        "n_baseline": int((known & spans["baseline"]).sum()),
        "n_post": int((known & spans["post"]).sum()),
        "flags": "; ".join(flags),
    }


def _drift(time: np.ndarray, slope: np.ndarray, used: np.ndarray) -> float:
    """Change of the regression line over the baseline in % of the mean; NaN under three responses."""
    if used.sum() < 3 or not slope[used].mean() > 0:
        return np.nan
    t, y = time[used], slope[used]
    per_min = np.sum((t - t.mean()) * (y - y.mean())) / np.sum((t - t.mean()) ** 2)
    return float(100 * per_min * (t.max() - t.min()) / y.mean())


def _volley_change(volley: np.ndarray, before: np.ndarray, after: np.ndarray) -> tuple[float, str]:
    """Change of the mean volley in %, or NaN and why when the baseline shows no volley to compare with."""
    early, late = (volley[part & np.isfinite(volley)] for part in (before, after))
    if len(early) < _LEAST_RESPONSES or len(late) < _LEAST_RESPONSES:
        return np.nan, ""
    error = early.std(ddof=1) / np.sqrt(len(early))
    if early.mean() <= 3 * error or early.mean() <= 0:
        return np.nan, "no fibre volley stands out at baseline"
    return float(100 * (late.mean() / early.mean() - 1)), ""


def _pair_ratio(own: pd.DataFrame, early: np.ndarray) -> float:
    """Mean second over mean first slope of the pairs at baseline; NaN without pairs."""
    keys = ["sweep"] if "sweep" in own else ["time_min"]
    table = own[early]
    second = table[table["pulse"] == 2]
    if second.empty:
        return np.nan
    first = table[(table["pulse"] == 1) & table[keys[0]].isin(second[keys[0]])]
    mean = first["slope_mV_per_ms"].mean()
    return float(second["slope_mV_per_ms"].mean() / mean) if mean > 0 else np.nan

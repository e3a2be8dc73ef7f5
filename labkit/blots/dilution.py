"""Whether a target's volume grows with its amount, told by a dilution series on the membrane itself.

n lanes of one sample at amounts ``x`` (µg), volumes ``y``. A ratio of volumes is a ratio of amounts only
where ``y = b x``: an offset (``y = a + b x``, background) and a ceiling (``y = V x / (K + x)``, antibody or
detector) both bend it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from labkit.blots.membrane import listed, numeric
from labkit.errors import DataError

__all__ = ["flag_range", "linear_range"]

_SERIES = ("dilution", "reference")
# Two amounts always lie on a line.
_LEAST_AMOUNTS = 3
# Level of the test that a line through the origin does not do.
_ALPHA = 0.05
_COLUMNS = [
    "membrane", "target", "n_amounts", "low_ug", "high_ug", "low_volume", "high_volume", "slope",
    "residual_percent", "model", "p_proportional", "offset_percent", "half_saturation_ug", "flags",
]  # fmt: skip


def linear_range(
    bands: pd.DataFrame,
    *,
    targets: Sequence[str] = (),
    limit_percent: float = 10,
    volume: str = "volume",
) -> pd.DataFrame:
    """Amounts over which the volume of each target is proportional to the amount, by its dilution series.

    Parameters
    ----------
    bands
        The study-level table of bands. Lanes of role dilution or reference with their amount in ``ug`` make
        the series of a membrane: they hold one sample.
    targets
        By default every target of a membrane that has a series.
    limit_percent
        Greatest departure of an amount's volume from the line through the origin, within the range.
    volume
        Column of volumes.

    Returns
    -------
    DataFrame
        One row per membrane and target with a series: ``n_amounts``; ``low_ug, high_ug`` and ``low_volume,
        high_volume`` (on the line, in the unit of the bands), the ends of the range; ``slope`` and
        ``residual_percent`` (the greatest) of the line within the range; ``model``, what the whole series
        follows (proportional, affine, saturating), with ``p_proportional``, the P of the line through the
        origin against the better of the other two; ``offset_percent`` of the affine model, in % of its volume
        at the middle amount, and ``half_saturation_ug`` K of the saturating one; ``flags``. NaN where there
        is no range or no model; ``offset_percent`` and ``half_saturation_ug`` are given whichever model is
        chosen. No rows where no lane is one of a series.

    Raises
    ------
    DataError
        If columns are missing, a target named has no series, or series have fewer than three amounts.

    Notes
    -----
    Errors of volumes grow with the volume, so all fits are of relative residuals, each by linear
    least squares: ``sum (b x / y - 1)²``, ``sum ((a + b x) / y - 1)²``, and ``sum ((c + d x) y / x - 1)²``
    with ``V = 1/d, K = c/d`` and d not below 0. The other model is chosen where its F test rejects the line
    at 5 %, Bonferroni's 2.5 % for each of the two. The range is the longest run of neighbouring amounts, at
    least three, whose geometric mean volumes all lie within the limit of the line through the origin fitted
    to that run; of equally long ones that of the smallest residual. Amounts with a saturated lane, a volume
    not above 0 or one below the limit of detection cannot be in it.

    Examples
    --------
    A detector that gives out above 20 µg:

    >>> series = pd.DataFrame({"membrane": "M1", "target": "GAPDH", "role": "dilution", "animal": "",
    ...     "lane": [1, 2, 3, 4, 5], "ug": [2.5, 5, 10, 20, 40], "volume": [25.0, 50, 100, 200, 280]})
    >>> linear_range(series)[["target", "low_ug", "high_ug", "low_volume", "high_volume"]].round(1)
      target  low_ug  high_ug  low_volume  high_volume
    0  GAPDH     2.5     20.0        25.0        200.0
    """
    if not limit_percent > 0:
        raise DataError(f"limit_percent is {limit_percent:g}", expected="% above 0")
    if volume not in bands:
        raise DataError(f"the table has no column {volume}", expected="the table of bands")
    table = numeric(bands.assign(volume=bands[volume]))
    series = table[table["role"].isin(_SERIES) & (table["ug"] > 0) & (table["excluded"] == "")]
    if len(targets):
        series = series[series["target"].isin([str(target) for target in targets])]
    rows = [
        {"membrane": membrane, "target": target, **_judged(own, limit_percent)}
        for (membrane, target), own in series.groupby(["membrane", "target"], sort=True)
        if own["ug"].nunique() >= _LEAST_AMOUNTS
    ]
    if series.empty and not len(targets):
        return pd.DataFrame(columns=_COLUMNS)
    if not rows:
        of = f" of {listed(targets)}" if len(targets) else ""
        raise DataError(
            f"no membrane has a dilution series{of}",
            expected="three amounts or more of one sample, with role dilution and its µg in lanes.csv",
        )
    return pd.DataFrame(rows)[_COLUMNS]


def flag_range(bands: pd.DataFrame, ranges: pd.DataFrame) -> pd.DataFrame:
    """Flag samples whose volume lies outside of the linear range of their membrane and target.

    Parameters
    ----------
    bands
        The study-level table of bands.
    ranges
        From `linear_range`, of the same column of volumes.

    Returns
    -------
    DataFrame
        The bands, with the reason added to ``flags``. Membranes and targets without a series are not judged.

    Examples
    --------
    >>> bands = pd.DataFrame({"membrane": "M1", "target": "GAPDH", "role": ["dilution"] * 3 + ["sample"] * 2,
    ...     "animal": ["", "", "", "A1", "A2"], "lane": [1, 2, 3, 4, 5], "ug": [5, 10, 20, None, None],
    ...     "volume": [50.0, 100, 200, 90, 260]})
    >>> flag_range(bands, linear_range(bands))["flags"].tolist()[3:]
    ['', 'above the linear range of its membrane (260, range 50 to 200)']
    """
    out = bands.copy()
    known = ranges.set_index(["membrane", "target"])
    keys = pd.MultiIndex.from_frame(out[["membrane", "target"]].astype(str))
    low, high = (known[name].reindex(keys).to_numpy(float) for name in ("low_volume", "high_volume"))
    role = out["role"].fillna("sample").replace("", "sample") if "role" in out else "sample"
    volume = out["volume"].to_numpy(float)
    sample = np.asarray(role == "sample") & keys.isin(known.index)
    none = sample & np.isnan(low)
    below, above = sample & (volume < low), sample & (volume > high)
    flags = out["flags"].fillna("").to_list() if "flags" in out else [""] * len(out)
    for i in np.flatnonzero(none | below | above):
        side = "below" if below[i] else "above"
        said = (
            "its membrane's dilution series has no linear range"
            if none[i]
            else f"{side} the linear range of its membrane "
            f"({volume[i]:.3g}, range {low[i]:.3g} to {high[i]:.3g})"
        )
        flags[i] = f"{flags[i]}; {said}" if flags[i] else said
    return out.assign(flags=flags)


@dataclass(frozen=True)
class _Fit:
    """A model of the series: its two numbers, and P of the line through the origin against it."""

    first: float
    second: float
    p: float


def _judged(own: pd.DataFrame, limit_percent: float) -> dict[str, object]:
    """Range and model of one series."""
    with np.errstate(invalid="ignore"):
        usable = (own["volume"] > 0) & ~(own["volume"] < own["lod"])
    clipped = own["saturated"] > 0
    flags = []
    amounts = np.sort(own["ug"].unique())
    spoiled = set(own.loc[~usable | clipped, "ug"])
    for what, bad in (("saturated", clipped), ("below the limit of detection", ~usable)):
        if bad.any():
            flags.append(f"{what} at {listed(f'{ug:g}' for ug in np.sort(own.loc[bad, 'ug'].unique()))} µg")
    good = own[~own["ug"].isin(spoiled)]
    mean = np.exp(np.log(good["volume"]).groupby(good["ug"]).mean())
    found = _longest(amounts, mean, limit_percent / 100)
    row: dict[str, object] = {"n_amounts": len(amounts)}
    if found is None:
        flags.append(f"no three neighbouring amounts are proportional within {limit_percent:g} %")
        names = ("low_ug", "high_ug", "low_volume", "high_volume", "slope", "residual_percent")
        row |= dict.fromkeys(names, np.nan)
    else:
        low, high, slope, residual = found
        row |= {"low_ug": low, "high_ug": high, "low_volume": slope * low, "high_volume": slope * high}
        row |= {"slope": slope, "residual_percent": 100 * residual}
    kept = own[usable & ~clipped]
    row |= _model(kept["ug"].to_numpy(), kept["volume"].to_numpy())
    if row["model"] == "affine":
        flags.append(
            f"an offset of {row['offset_percent']:+.0f} % at the middle amount: check the background"
        )
    elif row["model"] == "saturating":
        flags.append(f"saturates, half at {row['half_saturation_ug']:.3g} µg")
    return {**row, "flags": "; ".join(flags)}


def _longest(amounts: np.ndarray, mean: pd.Series, limit: float) -> tuple[float, float, float, float] | None:
    """Longest run of amounts on a line through the origin: its ends, its slope, and the worst residual."""
    best: tuple[int, float, tuple[float, float, float, float]] | None = None
    for start in range(len(amounts)):
        for stop in range(start + _LEAST_AMOUNTS, len(amounts) + 1):
            run = amounts[start:stop]
            if not np.isin(run, mean.index).all():
                break
            per_ug = mean[run].to_numpy() / run
            slope = _proportional(per_ug)
            worst = float(np.abs(per_ug / slope - 1).max())
            if worst < limit and (best is None or (-len(run), worst) < best[:2]):
                best = (-len(run), worst, (float(run[0]), float(run[-1]), slope, worst))
    return None if best is None else best[2]


def _proportional(per_ug: np.ndarray) -> float:
    """Slope b that minimises ``sum (b x / y - 1)²``."""
    inverse = 1 / per_ug
    return float(inverse.sum() / (inverse**2).sum())


def _model(x: np.ndarray, y: np.ndarray) -> dict[str, object]:
    """What the series follows, by relative least squares."""
    nothing = {"model": "", "p_proportional": np.nan, "offset_percent": np.nan, "half_saturation_ug": np.nan}
    if np.unique(x).size < _LEAST_AMOUNTS:
        return nothing
    affine, bent = _affine(x, y), _saturating(x, y)
    middle = float(np.exp(np.log(np.unique(x)).mean()))
    p, name = min((affine.p, "affine"), (bent.p, "saturating"))
    return {
        "model": name if p < _ALPHA / 2 else "proportional",
        "p_proportional": min(1.0, 2 * p),
        "offset_percent": 100 * affine.first / (affine.first + affine.second * middle),
        "half_saturation_ug": bent.first / bent.second if bent.second > 0 else np.inf,
    }


def _affine(x: np.ndarray, y: np.ndarray) -> _Fit:
    """a and b of ``a + b x``."""
    design = np.column_stack([1 / y, x / y])
    (a, b), *_ = np.linalg.lstsq(design, np.ones_like(y), rcond=None)
    return _Fit(float(a), float(b), _p_of_line(design, np.array([a, b]), design[:, 1]))


def _saturating(x: np.ndarray, y: np.ndarray) -> _Fit:
    """c and d of ``x / (c + d x)``; d = 0, a line, where the volumes bend upwards."""
    from scipy.optimize import nnls

    design = np.column_stack([y / x, y])
    (c, d), _ = nnls(design, np.ones_like(y))
    return _Fit(float(c), float(d), _p_of_line(design, np.array([c, d]), design[:, 0]))


def _p_of_line(design: np.ndarray, found: np.ndarray, line: np.ndarray) -> float:
    """P of the line through the origin, one column of the design, against the whole of it."""
    from scipy.stats import f

    squares = np.sum((design @ found - 1) ** 2)
    without = np.sum((line * line.sum() / (line @ line) - 1) ** 2)
    df = len(line) - 2
    # A fit that leaves no residual is limited by the last digits of the volumes.
    return float(f.sf(max(without - squares, 0.0) / max(squares / df, 1e-24), 1, df))

"""Dose and response: the four-parameter Hill curve on experimental units, refused where doses do not show it.

A curve drawn through four doses has an EC50, whatever the data; its interval tells whether that means
anything. So intervals are those of the profile likelihood, and what they leave open is said in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from labkit.errors import DataError
from labkit.stats import sentences, validate, words
from labkit.stats import trend as trends
from labkit.stats.oneway import Outcome
from labkit.stats.sigmoid import Doses, Sigmoid, fit, limits, profile_limits
from labkit.stats.units import experimental_units

__all__ = ["DoseResponse", "hill"]

Array = NDArray[np.float64]

_NAMES = ("bottom", "top", "log_ec50", "hill")
_SHOWN = ("bottom", "top", "log_ec50", "ec50", "hill")


@dataclass(frozen=True, eq=False, repr=False)
class DoseResponse:
    """A Hill curve fitted to units.

    Attributes
    ----------
    value, dose, unit
        Columns fitted; `unit` None when each row was a unit.
    alpha
        Intervals are at ``1 - alpha``.
    parameters
        Indexed by ``bottom, top, log_ec50`` (natural logarithm), ``ec50, hill``: ``value, se, wald_low,
        wald_high``, ``ci_low, ci_high`` of the profile likelihood (infinite where the doses set no limit),
        and ``fixed``. `hill` is negative when the response falls with dose; `bottom` is always the lower
        plateau.
    doses
        Indexed by dose: ``n, mean, sd, fitted``.
    n, df
        Units, and residual degrees of freedom.
    rss, sigma
        Residual sum of squares, and residual SD.
    lack_of_fit
        F test of the curve against the means of the doses; None when no dose has two units.
    dropped
        One row per row of the table left out, with the reason.
    warnings
        Sentences that a reader should see.
    """

    value: str
    dose: str
    unit: str | None
    alpha: float
    parameters: pd.DataFrame
    doses: pd.DataFrame
    n: int
    df: int
    rss: float
    sigma: float
    lack_of_fit: Outcome | None
    dropped: pd.DataFrame
    warnings: tuple[str, ...]
    _curve: Sigmoid
    _covariance: Array

    def at(self, doses: ArrayLike) -> pd.DataFrame:
        """The curve at any doses, for a figure.

        Returns
        -------
        DataFrame
            ``dose, mean, ci_low, ci_high``: mean response and its pointwise interval by the delta method.
        """
        doses = np.atleast_1d(np.asarray(doses, dtype=float))
        if not (np.isfinite(doses) & (doses >= 0)).all():
            raise DataError("a dose is negative or not finite", expected="doses of 0 or more")
        with np.errstate(divide="ignore"):
            log_x = np.log(doses)
        mean, gradient = self._curve.mean(log_x), self._curve.gradient(log_x)
        se = np.sqrt(np.einsum("ij,jk,ik->i", gradient, self._covariance, gradient))
        half = stats.t.isf(self.alpha / 2, self.df) * se
        return pd.DataFrame({"dose": doses, "mean": mean, "ci_low": mean - half, "ci_high": mean + half})

    def summary(self) -> str:
        """The curve as a paper reports it: EC50, slope, plateaus with intervals, n of what, lack of fit."""
        return sentences.dose_response(self)

    def __repr__(self) -> str:
        return self.summary()


def hill(
    table: pd.DataFrame,
    value: str,
    *,
    dose: str = "dose",
    unit: str | None = "animal",
    nested: Sequence[str] = (),
    bottom: float | None = None,
    top: float | None = None,
    slope: float | None = None,
    alpha: float = 0.05,
    excluded: str | None = "excluded",
) -> DoseResponse:
    """Fit ``bottom + (top - bottom) / (1 + (EC50 / dose)^hill)`` to units by least squares.

    At dose 0 the curve is its plateau without drug, exactly: no small number stands for 0. The fit starts
    from the lowest valleys of a grid, so it does not depend on a guess. Intervals hold every value of a
    parameter with which the best curve leaves a residual sum of squares up to ``RSS + sigma² t²``, t on N - p
    degrees of freedom (Bates DM, Watts DG, Nonlinear Regression Analysis, 1988, section 6.1). Wald intervals
    stand beside them, and are too narrow when the doses hardly show a plateau.

    Parameters
    ----------
    table
        Tidy table, one row per smallest thing measured.
    value, dose
        Columns of the response and of the dose, in any unit; EC50 is in that unit.
    unit, nested
        As in `compare`: sub-units are averaged to the unit.
    bottom, top, slope
        Lower plateau, upper plateau, or Hill slope (its size) known from elsewhere, and then not estimated.
    alpha
        Intervals are at ``1 - alpha``.
    excluded
        As in `compare`.

    Returns
    -------
    DoseResponse

    Raises
    ------
    DataError
        When the doses cannot tell the parameters: not more doses than parameters; no plateau, or no response
        to dose, within the doses; or a step with no dose on the rise. The sentence says what can be reported
        instead. An EC50 within the doses whose interval is open on one side is given, with a warning.

    Examples
    --------
    >>> doses = np.repeat([0.0, 1.0, 3.0, 10.0, 30.0, 100.0], 3)
    >>> rise = 100 + 50 * doses**1.5 / (doses**1.5 + 5.0**1.5)
    >>> table = pd.DataFrame({"dose": doses, "ltp": rise + np.tile([-2.0, 0.0, 2.0], 6)})
    >>> curve = hill(table, "ltp", unit=None)
    >>> curve.parameters.loc[["ec50", "hill"], "value"].round(3).tolist()
    [5.0, 1.5]
    """
    validate.level(alpha)
    fixed = _fixed(bottom=bottom, top=top, slope=slope)
    units = experimental_units(
        table, value, group=dose, unit=unit, nested=nested, dose=dose, excluded=excluded
    )
    samples = {
        str(name): part.to_numpy()
        for name, part in units.table.groupby(dose, observed=True, sort=True)[value]
    }
    at, gathered = _gathered(samples, units.doses)
    instead = _instead(samples, units.doses, alpha)
    free = [name for name in _NAMES if name not in fixed]
    if not free:
        raise DataError("every parameter is fixed", expected="at least one to estimate")
    if at.x.size <= len(free):
        raise DataError(
            f"{at.x.size} {'dose' if at.x.size == 1 else 'doses'} cannot show a curve of {len(free)} "
            f"parameters ({validate.join(free)}): it runs through any means, and its EC50 means nothing",
            expected=f"at least {len(free) + 1} doses",
            todo=f"measure more doses, or fix a plateau or the slope that is known from elsewhere; {instead}",
        )
    best, held = _best(at, fixed)
    df = int(at.n.sum()) - len(free)
    sigma = float(np.sqrt(best.rss / df))
    _refuse_no_plateau(at, best, instead)
    gradient = best.gradient(at.log_x)
    covariance = sigma**2 * _inverse(gradient.T * at.n @ gradient)
    parameters = _parameters(at, best, held, covariance, df, alpha)
    _refuse_open(parameters, at, best, dose, instead)
    gathered["fitted"] = best.mean(at.log_x)
    lack = _lack_of_fit(at, best, len(free))
    return DoseResponse(
        value=value,
        dose=dose,
        unit=unit,
        alpha=float(alpha),
        parameters=parameters,
        doses=gathered,
        n=int(at.n.sum()),
        df=df,
        rss=best.rss,
        sigma=sigma,
        lack_of_fit=lack,
        dropped=units.dropped,
        warnings=(*_units_warnings(units.warnings), *_warnings(parameters, lack, alpha)),
        _curve=best,
        _covariance=covariance,
    )


def _fixed(*, bottom: float | None, top: float | None, slope: float | None) -> dict[str, float]:
    fixed = {
        name: float(x)
        for name, x in (("bottom", bottom), ("top", top), ("hill", slope and abs(slope)))
        if x is not None
    }
    for name, x in fixed.items():
        if not np.isfinite(x) or (name == "hill" and x == 0):
            raise DataError(f"{name} is fixed at {x}", expected="a finite number, and a slope that is not 0")
    if "bottom" in fixed and "top" in fixed and fixed["bottom"] >= fixed["top"]:
        raise DataError(
            f"bottom is fixed at {bottom:g} and top at {top:g}", expected="the lower plateau below the upper"
        )
    return fixed


def _gathered(samples: dict[str, Array], doses: dict[str, float]) -> tuple[Doses, pd.DataFrame]:
    if len(samples) > 1:
        samples = validate.check(samples, test="A Hill curve", spread="total")
    else:
        samples = {name: np.sort(values) for name, values in samples.items()}
    parts = list(samples.values())
    if lost := [name for name in samples if not np.isfinite(doses[name])]:
        raise DataError(f"a dose is missing for {validate.join(lost)}", expected="a dose for each value")
    x = np.array([doses[name] for name in samples])
    n = np.array([part.size for part in parts], dtype=float)
    mean = np.array([part.mean() for part in parts])
    ss = np.array([((part - m) ** 2).sum() for part, m in zip(parts, mean, strict=True)])
    sd = np.where(n > 1, np.sqrt(ss / np.maximum(n - 1, 1)), np.nan)
    table = pd.DataFrame({"n": n.astype(int), "mean": mean, "sd": sd}, index=pd.Index(x, name="dose"))
    return Doses(x, n, mean, float(ss.sum())), table


def _best(at: Doses, fixed: dict[str, float]) -> tuple[Sigmoid, dict[int, float]]:
    """The better of a rising and a falling curve, and what was fixed, by place in `sigmoid.PARAMETERS`."""
    ways = []
    for low, high in ((0, 1), (1, 0)):
        places = {"bottom": low, "top": high, "hill": 3}
        held = {places[name]: x for name, x in fixed.items()}
        ways.append((fit(at, held), held))
        if not {"bottom", "top"} & set(fixed):
            break  # without plateaus fixed the one fit rises or falls as the data do
    # A plateau fixed as the lower one must come out as the lower one.
    fitting = [(curve, held) for (curve, held), up in zip(ways, (True, False), strict=False)
               if len(ways) == 1 or (curve.theta[1] >= curve.theta[0]) == up]  # fmt: skip
    if not fitting:
        said = validate.join(f"{name} fixed at {x:g}" for name, x in fixed.items())
        raise DataError(
            f"with {said} no curve keeps the lower plateau below the upper",
            expected="plateaus on the two sides of the responses",
            todo="correct the fixed plateau, or leave it free",
        )
    return min(fitting, key=lambda way: way[0].rss)


def _refuse_no_plateau(at: Doses, best: Sigmoid, instead: str) -> None:
    """A best fit at the end of what can be told apart has its plateau nowhere."""
    rise = abs(best.theta[1] - best.theta[0])
    if rise > 100 * np.ptp(at.mean) or best.theta[3] <= 1.001 * limits(at)[3][0]:
        raise _no_plateau(instead)


def _no_plateau(instead: str) -> DataError:
    return DataError(
        "the responses reach no plateau within the doses, so EC50 and the plateau can be of any size",
        expected="doses at which the response levels off",
        todo=f"measure further doses, or fix the plateau if it is known from elsewhere; {instead}",
    )


def _refuse_open(parameters: pd.DataFrame, at: Doses, best: Sigmoid, dose: str, instead: str) -> None:
    """Intervals that say nothing of EC50 or of the slope."""
    ec50, slope = parameters.loc["ec50"], parameters.loc["hill"]
    seen = at.x[at.x > 0]
    open_low, open_high = ec50["ci_low"] == 0, np.isinf(ec50["ci_high"])
    if open_low and open_high:
        raise DataError(
            "the responses fit any EC50: they hardly follow the dose",
            expected="responses that rise or fall with dose",
            todo=f"report the comparison of {dose}s with the control; {instead}",
        )
    if (open_high and ec50["value"] > seen.max()) or (open_low and ec50["value"] < seen.min()):
        raise _no_plateau(instead)
    share = (best.mean(at.log_x) - best.theta[0]) / (best.theta[1] - best.theta[0])
    if (
        np.isinf(slope[["ci_low", "ci_high"]].astype(float)).any()
        and not ((share > 0.05) & (share < 0.95)).any()
    ):
        step = min(max(int(np.searchsorted(at.log_x, best.theta[2])), 1), at.x.size - 1)
        raise DataError(
            f"the response steps between {at.x[step - 1]:g} and {at.x[step]:g} with no dose on the rise, so "
            "the slope and EC50 cannot be told",
            expected="at least one dose between the plateaus",
            todo=f"measure {dose}s in between, or fix the slope (slope=1); {instead}",
        )


def _parameters(
    at: Doses, best: Sigmoid, held: dict[int, float], covariance: Array, df: int, alpha: float
) -> pd.DataFrame:
    t = float(stats.t.isf(alpha / 2, df))
    allowed = best.rss * (1 + t**2 / df)
    falls = best.theta[1] < best.theta[0]
    names = ("top", "bottom", "log_ec50", "hill") if falls else _NAMES
    rows = {}
    se = dict(zip(best.free, np.sqrt(np.diag(covariance)), strict=True))
    for i, name in enumerate(names):
        x = float(best.theta[i])
        if i in held:
            row = (x, 0.0, x, x, x, x, True)
        else:
            exact = not best.rss > 1e-24 * (at.n @ (at.mean - at.mean.mean()) ** 2)
            step = t * se[i] if np.isfinite(se[i]) else 1.0
            step = min(max(step, 1e-6 * (abs(x) or 1.0)), 2.0 if i > 1 else 10 * np.ptp(at.mean))
            low, high = (x, x) if exact else profile_limits(at, best, i, held, step=step, allowed=allowed)
            row = (x, se[i], x - t * se[i], x + t * se[i], low, high, False)
        if name == "hill" and falls:
            x, size, wald_low, wald_high, low, high, known = row
            row = (-x, size, -wald_high, -wald_low, -high, -low, known)
        rows[name] = row
    x, size, *ends, known = rows["log_ec50"]
    rows["ec50"] = (np.exp(x), np.exp(x) * size, *np.exp(ends), known)
    columns = ["value", "se", "wald_low", "wald_high", "ci_low", "ci_high", "fixed"]
    return (
        pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        .loc[list(_SHOWN)]
        .rename_axis("parameter")
    )


def _inverse(matrix: Array) -> Array:
    """Inverse after scaling: the parameters differ in size by their units."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    return scale[:, None] * np.linalg.pinv(matrix * np.outer(scale, scale), rcond=1e-14) * scale


def _lack_of_fit(at: Doses, best: Sigmoid, n_free: int) -> Outcome | None:
    df1, df2 = at.x.size - n_free, int(at.n.sum()) - at.x.size
    if df2 == 0 or at.ss_within == 0:
        return None
    f = float((best.rss - at.ss_within) / df1 / (at.ss_within / df2))
    return Outcome("lack of fit", "F", f, (df1, df2), float(stats.f.sf(f, df1, df2)), int(at.n.sum()))


def _instead(samples: dict[str, Array], doses: dict[str, float], alpha: float) -> str:
    """What the same data do allow, as a clause."""
    try:
        row = trends.trend(samples, doses=doses, alpha=alpha).loc["dose"]
    except DataError:
        return "until then report the mean of each dose"
    like = row["ci_high"] - row["ci_low"]
    return (
        "the linear trend can be reported: "
        f"{words.number(row['slope'], like=like, sign=True)} per unit of dose "
        f"{words.interval(row['ci_low'], row['ci_high'], like=like)}, {words.p_value(row['p'], alpha=alpha)}"
    )


def _units_warnings(said: Sequence[str]) -> list[str]:
    """Doses have an order of their own; that groups without one have none does not matter here."""
    return [text for text in said if "has no order of its own" not in text]


def _warnings(parameters: pd.DataFrame, lack: Outcome | None, alpha: float) -> list[str]:
    said = []
    ec50, slope = parameters.loc["ec50"], parameters.loc["hill"]
    if np.isinf(ec50["ci_high"]):
        said.append(
            f"The doses set no upper limit to EC50 and its plateau: report that EC50 is above "
            f"{words.number(ec50['ci_low'])}."
        )
    elif ec50["ci_low"] == 0:
        said.append(
            f"The doses set no lower limit to EC50: report that it is below {words.number(ec50['ci_high'])}."
        )
    if np.isinf([slope["ci_low"], slope["ci_high"]]).any():
        steeper = min(abs(slope["ci_low"]), abs(slope["ci_high"]))
        said.append(
            "Too few doses lie on the rise to limit the Hill slope: report that its size is above "
            f"{words.number(steeper)}."
        )
    if lack is not None and lack.p < alpha:
        said.append(
            "The means of the doses stray from the curve by more than units vary: another shape fits better."
        )
    return said

"""Are groups as good as alike: equivalence to the control within a margin that was stated beforehand.

A P above 0.05 does not show that nothing happened. Two one-sided tests (TOST) do: that the difference is
above the lower margin, and below the upper one. Both together say that the interval of the difference lies
within the margin, which is what a figure draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special, stats

from labkit.errors import DataError
from labkit.stats import sentences, validate
from labkit.stats.comparison import Comparison
from labkit.stats.integrals import legendre, spread_nodes

__all__ = ["Equivalence", "equivalence"]

ADJUST = ("dunnett", "none")

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Equivalence:
    """Each group against the control, tested for being as good as alike.

    Attributes
    ----------
    value, control
        What was compared, and the control.
    margin
        Lowest and highest difference that count as alike: of means, or ratios when `scale` is not "linear".
    adjust
        "dunnett" or "bonferroni" (over all groups), or "none" (each by itself).
    alpha
        Level of each claim; intervals are at ``1 - 2 alpha``.
    scale
        As the comparison's.
    contrasts
        One row per group: ``contrast, group, reference, difference, ci_low, ci_high, se, df, p_lower,
        p_upper, p, p_adjusted, equivalent``; with logs also ``ratio, ratio_low, ratio_high``. `p` is the
        larger of the two one-sided P, and `equivalent` whether the interval lies within the margin, which is
        ``p_adjusted < alpha``.
    """

    value: str
    control: str
    margin: tuple[float, float]
    adjust: str
    alpha: float
    scale: str
    contrasts: pd.DataFrame

    def summary(self) -> str:
        """The result in a sentence: margin, differences with their intervals, P, and what they show."""
        return sentences.equivalence(self)

    def __repr__(self) -> str:
        return self.summary()


def equivalence(
    comparison: Comparison,
    *,
    margin: float | tuple[float, float],
    adjust: str = "dunnett",
    alpha: float | None = None,
) -> Equivalence:
    """Test each group for equivalence to the control, from a comparison that is already made.

    Differences, standard errors and degrees of freedom are those of the comparison's contrasts against the
    control, so blocks and covariates stay in the model. Each group is tested twice, one-sided at `alpha`:
    Schuirmann DJ (1987) J Pharmacokinet Biopharm 15:657. With "dunnett" the chance of any wrong claim among
    the groups stays below `alpha`: P is the largest probability, over all ways in which groups may lie at the
    one or the other margin, that any of the k - 1 one-sided t exceeds the one seen (Bofinger E, Bofinger M
    (1995) J R Stat Soc B 57:721); groups at opposite margins are the worst, so it is a little stricter than
    the one-sided test of Dunnett.

    Parameters
    ----------
    comparison
        Of means: with `posthoc` "dunnett", "tukey", or "games-howell" (an SE and df for each pair).
    margin
        The difference that is too small to matter, stated before the data are seen: one number for both
        sides, or the lower and the upper. On a log scale a ratio, such as 1.25 (for 0.8 to 1.25).
    adjust
        "dunnett" when any group may be claimed equivalent, "none" when each claim was planned by itself.
        Where Dunnett's integral does not hold (variances or df of their own, covariates, unequal blocks), P
        is Bonferroni's, and the result says so.
    alpha
        Level of each one-sided test; by default that of the comparison.

    Raises
    ------
    DataError
        For a margin that is none, a comparison by ranks, and contrasts whose P is not known.

    Examples
    --------
    >>> from labkit.stats.compare import compare
    >>> table = pd.DataFrame({"animal": list("abcdefgh"), "group": ["vehicle"] * 4 + ["drug"] * 4})
    >>> table["slope"] = [1.00, 1.10, 0.90, 1.00, 1.05, 0.95, 1.00, 1.08]
    >>> result = compare(table, "slope", group="group", order=["vehicle", "drug"])
    >>> found = equivalence(result, margin=0.2).contrasts
    >>> found[["difference", "ci_low", "ci_high", "p"]].round(4).values.tolist()
    [[0.02, -0.0768, 0.1168, 0.0056]]
    """
    validate.choice(adjust, ADJUST, name="adjust")
    alpha = validate.level(comparison.alpha if alpha is None else alpha)
    low, high = _margin(margin, ratio=comparison.scale != "linear")
    table = _against_control(comparison)
    difference, se, df = (table[name].to_numpy(float) for name in ("difference", "se", "df"))
    above, below = (difference - low) / se, (high - difference) / se
    table["p_lower"], table["p_upper"] = stats.t.sf(above, df), stats.t.sf(below, df)
    table["p"] = table[["p_lower", "p_upper"]].max(axis=1)
    t = np.minimum(above, below)
    lam = None if adjust == "none" or len(table) == 1 else _lam(comparison, table)
    if lam is not None:
        table["p_adjusted"] = [_worst(x, lam, df[0]) for x in t]
        half = _critical(alpha, lam, float(df[0])) * se
    else:
        adjust = "none" if adjust == "none" or len(table) == 1 else "bonferroni"
        times = 1 if adjust == "none" else len(table)
        table["p_adjusted"] = np.minimum(1.0, times * table["p"])
        half = stats.t.isf(alpha / times, df) * se
    table["ci_low"], table["ci_high"] = difference - half, difference + half
    table["equivalent"] = (table["ci_low"] > low) & (table["ci_high"] < high)
    columns = ["contrast", "group", "reference", "difference", "ci_low", "ci_high", "se", "df", "p_lower",
               "p_upper", "p", "p_adjusted", "equivalent"]  # fmt: skip
    table = table[columns].reset_index(drop=True)
    if comparison.scale != "linear":
        for name, source in (("ratio", "difference"), ("ratio_low", "ci_low"), ("ratio_high", "ci_high")):
            table[name] = np.exp(table[source])
        low, high = float(np.exp(low)), float(np.exp(high))
    return Equivalence(
        value=comparison.value,
        control=comparison.control,
        margin=(low, high),
        adjust=adjust,
        alpha=alpha,
        scale=comparison.scale,
        contrasts=table,
    )


def _margin(margin: float | tuple[float, float], *, ratio: bool) -> tuple[float, float]:
    """Lower and upper margin, of logs for ratios."""
    ends = np.atleast_1d(np.asarray(margin, dtype=float))
    if ratio and ends.size == 1:
        ends = np.array([1 / ends[0], ends[0]]) if ends[0] > 0 else ends
    elif ends.size == 1:
        ends = np.array([-ends[0], ends[0]])
    none = 1.0 if ratio else 0.0
    if (
        ends.size != 2
        or not np.isfinite(ends).all()
        or not ends[0] < none < ends[1]
        or (ratio and ends[0] <= 0)
    ):
        raise DataError(
            f"the margin is {margin}",
            expected="a ratio above 1, or two around 1" if ratio else "a difference above 0, or two around 0",
            todo="state the largest difference that does not matter, from before the data were seen",
        )
    low, high = np.log(ends) if ratio else ends
    return float(low), float(high)


def _against_control(comparison: Comparison) -> pd.DataFrame:
    table, control = comparison.posthoc, comparison.control
    if "difference" not in table or not len(table):
        if comparison.omnibus.symbol != "F" or comparison.posthoc_test == "dunn":
            raise DataError(
                "ranks have no difference to be within a margin",
                expected="a comparison of means",
                todo="compare with omnibus='anova' and posthoc='dunnett'",
            )
        raise DataError("the comparison has no contrasts", expected="posthoc='dunnett'")
    # All pairs are written later less earlier, so the control may stand on either side.
    turned = table["group"] == control
    table = table[(table["reference"] == control) | turned].copy()
    flip = turned.reindex(table.index).to_numpy()
    table["difference"] = np.where(flip, -table["difference"], table["difference"])
    table["group"], table["reference"] = np.where(flip, table["reference"], table["group"]), control
    table["contrast"] = [f"{name} − {control}" for name in table["group"]]
    table["df"] = table["df"].astype(float)
    if table["se"].isna().any():
        unknown = table.loc[table["se"].isna(), "contrast"]
        raise DataError(
            f"the standard error of {validate.join(unknown)} is not known",
            expected="groups that vary",
            todo="leave these groups out, or pool the variance with posthoc='dunnett'",
        )
    return table


def _lam(comparison: Comparison, table: pd.DataFrame) -> Array | None:
    """lam of contrasts whose correlations are products, as a shared control and equal variances make them."""
    model = comparison.adjusted
    equal_blocks = model is not None and not model.covariates and np.ptp(model.cells.to_numpy()) == 0
    if comparison.posthoc_test == "games-howell" or not (model is None or equal_blocks):
        return None
    n = comparison.groups["n"]
    own = n[table["group"]].to_numpy(float)
    return np.sqrt(own / (own + n[comparison.control]))


def _worst(t: float, lam: Array, df: float) -> float:
    """The largest chance, over the sides on which groups lie, that any one-sided t exceeds the one seen."""
    return max(_any_exceeds(t, sides * lam, df) for sides in _sides(lam.size))


def _sides(size: int) -> list[Array]:
    """Signs of the contrasts; turning all round changes nothing."""
    return [np.array([1.0, *rest]) for rest in product((1.0, -1.0), repeat=size - 1)]


def _any_exceeds(t: float, lam: Array, df: float) -> float:
    """P(max_i T_i > t) for one-sided t with correlations lam_i lam_j."""
    s, weight_s = spread_nodes(df, np.inf)
    x, w = legendre(200)
    z, weight_z = 9.5 * x, 9.5 * w * np.exp(-((9.5 * x) ** 2) / 2) / np.sqrt(2 * np.pi)
    log_inside = np.zeros((z.size, s.size))
    for lam_i in lam:
        outside = special.ndtr((lam_i * z[:, None] - t * s) / np.sqrt(1 - lam_i**2))
        log_inside += np.log1p(-np.minimum(outside, 1 - 1e-16))
    return min(1.0, float(weight_z @ -np.expm1(log_inside) @ weight_s))


def _critical(alpha: float, lam: Array, df: float) -> float:
    low, high = stats.t.isf([alpha, alpha / lam.size], df)
    return float(optimize.brentq(lambda t: _worst(t, lam, df) - alpha, low * 0.999, high * 1.001, xtol=1e-10))

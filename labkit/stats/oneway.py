"""Groups described, and the tests of any difference between them.

Notation: k groups, n_i units in group i, N units in all. All tests are two-sided. Deviations are taken from
values shifted by a common constant, so that a large offset (raw ADC counts) costs no digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from labkit.stats.validate import Checked, Samples, check, constant

__all__ = ["Anova", "Moments", "Outcome", "assumptions", "describe", "kruskal", "moments", "one_way", "welch"]


@dataclass(frozen=True)
class Outcome:
    """What a test gives.

    Attributes
    ----------
    test
        Its name.
    symbol
        Letter of the statistic: F, H, z, t.
    statistic, df, p
        The statistic, its degrees of freedom, and the two-sided P.
    n
        Units used.
    """

    test: str
    symbol: str
    statistic: float
    df: tuple[float, ...]
    p: float
    n: int


@dataclass(frozen=True)
class Anova(Outcome):
    """A one-way ANOVA with its sums of squares."""

    ss_between: float
    ss_within: float

    @property
    def ms_between(self) -> float:
        """Mean square between groups."""
        return self.ss_between / self.df[0]

    @property
    def ms_within(self) -> float:
        """Mean square within groups."""
        return self.ss_within / self.df[1]

    @property
    def r2(self) -> float:
        """Part of the sum of squares that lies between groups."""
        return self.ss_between / (self.ss_between + self.ss_within)

    @property
    def residual_sd(self) -> float:
        """Square root of the mean square within groups."""
        return float(np.sqrt(self.ms_within))


@dataclass(frozen=True, eq=False)
class Moments:
    """Numbers, means and sums of squares of k groups: all that the parametric contrasts need.

    Attributes
    ----------
    names : tuple of str, k
    n : (k,) units per group
    mean : (k,) means of the values less `shift`
    ss : (k,) sums of squared deviations from the mean of the group
    shift
        What was taken from all values.
    """

    names: tuple[str, ...]
    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    ss: NDArray[np.float64]
    shift: float

    @property
    def df_within(self) -> int:
        """N - k."""
        return int(self.n.sum() - self.n.size)

    @property
    def ms_within(self) -> float:
        """Pooled variance."""
        return float(self.ss.sum() / self.df_within)

    @property
    def variance(self) -> NDArray[np.float64]:
        """(k,) variances; NaN for a single value."""
        return np.where(self.n > 1, self.ss / np.maximum(self.n - 1, 1), np.nan)


def moments(samples: Checked) -> Moments:
    """Moments of samples that `check` has passed."""
    shift = float(np.median(np.concatenate(list(samples.values()))))
    shifted = [values - shift for values in samples.values()]
    mean = np.array([values.mean() for values in shifted])
    ss = np.array([((values - m) ** 2).sum() for values, m in zip(shifted, mean, strict=True)])
    return Moments(tuple(samples), np.array([values.size for values in shifted]), mean, ss, shift)


def describe(samples: Samples, *, confidence: float = 0.95) -> pd.DataFrame:
    """n, mean, SD, SEM, median and confidence interval of each group.

    The interval is that of Student's t on the group's own SD (not the pooled one): ``mean ± t(n - 1) SD /
    sqrt(n)``.

    Returns
    -------
    DataFrame
        Indexed by group, in the order given: ``n, mean, sd, sem, median, ci_low, ci_high``; SD, SEM and
        interval are NaN for a single value.

    Examples
    --------
    >>> describe({"vehicle": [1.0, 2.0, 3.0]}).reset_index().round(3)
         group  n  mean   sd    sem  median  ci_low  ci_high
    0  vehicle  3   2.0  1.0  0.577     2.0  -0.484    4.484
    """
    rows = {}
    for name, given in samples.items():
        values = np.sort(np.asarray(given, dtype=float))
        n = values.size
        if n == 0:
            rows[name] = {"n": 0}
            continue
        shift = float(np.median(values))
        mean = shift + float((values - shift).mean())
        sd = float(np.std(values - shift, ddof=1)) if n > 1 else np.nan
        sem = sd / np.sqrt(n)
        half = float(stats.t.isf((1 - confidence) / 2, n - 1)) * sem if n > 1 else np.nan
        rows[name] = {
            "n": n, "mean": mean, "sd": sd, "sem": sem, "median": shift,
            "ci_low": mean - half, "ci_high": mean + half,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")


def one_way(samples: Samples) -> Anova:
    """One-way analysis of variance: do the means differ, variances taken as equal?

    Parameters
    ----------
    samples
        Values of each group, one per experimental unit.

    Returns
    -------
    Anova
        F on (k - 1, N - k) degrees of freedom (`scipy.stats.f_oneway`), with the sums of squares.

    Raises
    ------
    DataError
        Fewer than two groups, a value that is not finite, no degrees of freedom or no variance within groups.

    Examples
    --------
    >>> outcome = one_way({"vehicle": [1, 2, 3], "drug": [3, 4, 5]})
    >>> outcome.statistic, outcome.df, outcome.ss_between
    (6.0, (1, 4), 6.0)
    """
    checked = check(samples, test="One-way ANOVA")
    m = moments(checked)
    result = stats.f_oneway(*[values - m.shift for values in checked.values()])
    grand = (m.n * m.mean).sum() / m.n.sum()
    between = float((m.n * (m.mean - grand) ** 2).sum())
    df = (m.n.size - 1, m.df_within)
    return Anova(
        "one-way ANOVA",
        "F",
        float(result.statistic),
        df,
        float(result.pvalue),
        int(m.n.sum()),
        between,
        float(m.ss.sum()),
    )


def welch(samples: Samples) -> Outcome:
    """Welch's one-way ANOVA: do the means differ, each group with a variance of its own?

    Computed by `statsmodels.stats.oneway.anova_oneway`; the second degrees of freedom are fractional.
    Welch BL (1951) Biometrika 38:330.

    Raises
    ------
    DataError
        As `one_way`; also when a group has one value, or values that are all the same.

    Examples
    --------
    >>> outcome = welch({"vehicle": [1, 2, 3], "drug": [3, 4, 5]})
    >>> round(outcome.statistic, 6), round(outcome.df[1], 6)
    (6.0, 4.0)
    """
    from statsmodels.stats.oneway import anova_oneway

    checked = check(samples, test="Welch's ANOVA", minimum=2, spread="each")
    shift = moments(checked).shift
    result = anova_oneway(
        [values - shift for values in checked.values()], use_var="unequal", welch_correction=True
    )
    n = sum(values.size for values in checked.values())
    df = (int(result.df_num), float(result.df_denom))
    return Outcome("Welch's ANOVA", "F", float(result.statistic), df, float(result.pvalue), n)


def kruskal(samples: Samples) -> Outcome:
    """Kruskal-Wallis test on ranks: does one group tend to higher values than another?

    H, corrected for ties, is referred to chi-squared on k - 1 degrees of freedom (`scipy.stats.kruskal`): the
    P is rough when groups have fewer than five values, and cannot be small then.

    Raises
    ------
    DataError
        Fewer than two groups, a value that is not finite, or values that are all the same.

    Examples
    --------
    >>> outcome = kruskal({"vehicle": [1, 2, 3], "drug": [4, 5, 6]})
    >>> round(outcome.statistic, 4), round(outcome.p, 4)
    (3.8571, 0.0495)
    """
    checked = check(samples, test="The Kruskal-Wallis test", spread="total")
    result = stats.kruskal(*checked.values())
    n = sum(values.size for values in checked.values())
    return Outcome(
        "Kruskal-Wallis test", "H", float(result.statistic), (len(checked) - 1,), float(result.pvalue), n
    )


def assumptions(samples: Samples) -> pd.DataFrame:
    """Equal variances and normal residuals, tested to be looked at and never to choose a test.

    Choosing by such a test makes the error rate of the whole unknown, and with few animals a departure that
    matters is seldom found; look at the residuals too.

    Returns
    -------
    DataFrame
        Indexed by test: Brown-Forsythe (Levene's on medians), Bartlett, and Shapiro-Wilk on residuals from
        the group means; ``statistic, df1, df2, p, note``. NaN with the reason in `note` where a test cannot
        be made.

    Examples
    --------
    >>> assumptions({"vehicle": [1, 2, 4], "drug": [3, 5, 9]}).loc["Brown-Forsythe", ["df1", "df2"]].tolist()
    [1.0, 4.0]
    """
    checked = check(samples, test="A test of assumptions", spread="none")
    m = moments(checked)
    k, n = m.n.size, int(m.n.sum())
    groups = [values - m.shift for values in checked.values()]
    rows = [("Brown-Forsythe", k - 1, n - k, *_brown_forsythe(groups))]
    rows.append(("Bartlett", k - 1, np.nan, *_bartlett(groups)))
    rows.append(("Shapiro-Wilk on residuals", np.nan, np.nan, *_shapiro(groups)))
    table = pd.DataFrame(rows, columns=["test", "df1", "df2", "statistic", "p", "note"]).set_index("test")
    return table[["statistic", "df1", "df2", "p", "note"]].astype({"df1": float, "df2": float})


Tested = tuple[float, float, str]


def _brown_forsythe(groups: Sequence[NDArray[np.float64]]) -> Tested:
    deviations = [np.abs(values - np.median(values)) for values in groups]
    if all(constant(d) for d in deviations):
        return np.nan, np.nan, "deviations from the median are the same within each group"
    result = stats.levene(*groups, center="median")
    return float(result.statistic), float(result.pvalue), ""


def _bartlett(groups: Sequence[NDArray[np.float64]]) -> Tested:
    if any(values.size < 2 or constant(values) for values in groups):
        return np.nan, np.nan, "a group has no variance of its own"
    result = stats.bartlett(*groups)
    return float(result.statistic), float(result.pvalue), ""


def _shapiro(groups: Sequence[NDArray[np.float64]]) -> Tested:
    residuals = np.concatenate([values - values.mean() for values in groups])
    if residuals.size < 3 or all(constant(values) for values in groups):
        return np.nan, np.nan, "fewer than three residuals, or none that varies"
    if residuals.size > 5000:
        return np.nan, np.nan, "not accurate above 5000 values"
    result = stats.shapiro(residuals)
    return float(result.statistic), float(result.pvalue), ""

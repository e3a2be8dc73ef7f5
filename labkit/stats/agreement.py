"""How well two looks at the same things agree: the intraclass correlation, and Cohen's kappa of classes.

N things, each looked at k times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labkit.errors import DataError

__all__ = ["Agreement", "icc", "kappa"]


@dataclass(frozen=True)
class Agreement:
    """A measure of agreement with its interval: `what` it is, and the number of things `n` it comes from."""

    what: str
    value: float
    ci_low: float
    ci_high: float
    n: int


def icc(looks: ArrayLike, *, alpha: float = 0.05) -> Agreement:
    """Intraclass correlation of single looks, absolute agreement: ICC(2,1).

    Parameters
    ----------
    looks
        (N, k) numbers: one row per thing, one column per look. Rows with NaN are left out.
    alpha
        The interval is at ``1 - alpha``.

    Returns
    -------
    Agreement
        Near 1 where looks differ little beside things; NaN with fewer than two things, or no variation.

    Raises
    ------
    DataError
        If there are fewer than two looks.

    Notes
    -----
    Two-way random model (Shrout and Fleiss 1979), so a look that is always higher counts as disagreement;
    interval by McGraw and Wong (1996).

    Examples
    --------
    >>> round(icc([[10, 11], [14, 14], [8, 9], [12, 12]]).value, 2)
    0.96
    """
    from scipy.stats import f

    table = np.asarray(looks, float)
    if table.ndim != 2 or table.shape[1] < 2:
        raise DataError(
            f"the looks have the shape {table.shape}", expected="one column per look, two or more"
        )
    table = table[np.isfinite(table).all(axis=1)]
    n, k = table.shape
    what = "ICC(2,1)"
    if n < 2 or np.ptp(table) == 0:
        return Agreement(what, np.nan, np.nan, np.nan, n)
    things, columns = table.mean(axis=1), table.mean(axis=0)
    between = k * np.sum((things - table.mean()) ** 2) / (n - 1)
    of_looks = n * np.sum((columns - table.mean()) ** 2) / (k - 1)
    rest = np.sum((table - things[:, None] - columns + table.mean()) ** 2) / ((n - 1) * (k - 1))
    value = (between - rest) / (between + (k - 1) * rest + k * (of_looks - rest) / n)
    if rest == 0 and of_looks == 0:
        return Agreement(what, 1.0, 1.0, 1.0, n)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    df = (a * of_looks + b * rest) ** 2 / (
        (a * of_looks) ** 2 / (k - 1) + (b * rest) ** 2 / ((n - 1) * (k - 1))
    )
    low, high = f.ppf(1 - alpha / 2, n - 1, df), f.ppf(1 - alpha / 2, df, n - 1)
    shared = k * of_looks + (k * n - k - n) * rest
    return Agreement(
        what,
        float(value),
        float(n * (between - low * rest) / (low * shared + n * between)),
        float(n * (high * between - rest) / (shared + n * high * between)),
        n,
    )


def kappa(first: Sequence[str], second: Sequence[str], *, alpha: float = 0.05) -> Agreement:
    """Cohen's kappa of the classes that two looks gave to the same things.

    Parameters
    ----------
    first, second
        (N,) classes. Things that either look did not see do not belong here.
    alpha
        The interval is at ``1 - alpha``, by the asymptotic standard error.

    Returns
    -------
    Agreement
        0 is the agreement of chance; NaN where only one class was given, or there are no things.

    Raises
    ------
    DataError
        If the looks are not of as many things.

    Examples
    --------
    >>> round(kappa(["thin", "thin", "stubby", "thin"], ["thin", "stubby", "stubby", "thin"]).value, 2)
    0.5
    """
    if len(first) != len(second):
        raise DataError(f"{len(first)} and {len(second)} classes are given", expected="one from each look")
    names = sorted(set(first) | set(second))
    n, what = len(first), "Cohen's kappa"
    if len(names) < 2:
        return Agreement(what, np.nan, np.nan, np.nan, n)
    from scipy.stats import norm
    from statsmodels.stats.inter_rater import cohens_kappa

    at = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    np.add.at(table, ([at[name] for name in first], [at[name] for name in second]), 1)
    found = cohens_kappa(table)
    half = norm.ppf(1 - alpha / 2) * float(found.std_kappa)
    return Agreement(what, float(found.kappa), float(found.kappa) - half, float(found.kappa) + half, n)

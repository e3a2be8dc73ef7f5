"""A planned experiment: can it be tested, and how likely does it find what is supposed to be there.

Everything is exact for balanced designs, by noncentral distributions and quadrature; nothing is simulated.

Notation: k groups of n_i units with true means mu_i; sigma the SD of the mean of a unit; nu the residual
degrees of freedom; delta_i = mu_i / sigma.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from labkit.errors import DataError
from labkit.stats import sentences, validate
from labkit.stats.integrals import critical_many_to_one, legendre, spread_nodes

__all__ = ["Plan", "Power"]

TESTS = ("anova", "dunnett", "trend")

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Power:
    """The chance that an experiment finds what is supposed to be there.

    Attributes
    ----------
    test
        "anova", "dunnett" or "trend".
    power
        Chance that the test gives P < `alpha`; for Dunnett's of what `finding` says.
    finding
        "any" or "all" of the groups that differ, or the name of one.
    n
        Units per group, by group.
    means
        Supposed means by group, as given (geometric means on a log scale).
    control, scale, alpha
        As given.
    sd, subunits
        SD by level and numbers of sub-units in the level around, as given.
    unit
        Name of the experimental unit.
    unit_sd
        SD of the mean of a unit; on a log scale, of natural logs.
    per_block
        Units of each group in a block; None without blocks.
    df
        Degrees of freedom of the test.
    contrasts
        For Dunnett's test, indexed by group: ``difference`` (of logs on a log scale), ``power``, each
        contrast by itself at the critical value of all; empty otherwise.
    """

    test: str
    power: float
    finding: str
    n: dict[str, int]
    means: dict[str, float]
    control: str
    scale: str
    alpha: float
    sd: dict[str, float]
    subunits: dict[str, float]
    unit: str
    unit_sd: float
    per_block: int | None
    df: tuple[float, ...]
    contrasts: pd.DataFrame

    @property
    def n_total(self) -> int:
        """Units in all groups."""
        return sum(self.n.values())

    def summary(self) -> str:
        """The sentence for a protocol: what is supposed, the test, n and the power."""
        return sentences.power(self)

    def __repr__(self) -> str:
        return self.summary()


@dataclass(frozen=True, eq=False)
class Plan:
    """An experiment, checked and on the scale of the test."""

    n: dict[str, int]
    mu: Array
    plan: Power
    doses: dict[str, float] | None

    @property
    def alpha(self) -> float:
        return self.plan.alpha

    @classmethod
    def of(
        cls,
        n: int | Mapping[str, int],
        *,
        means: Mapping[str, float],
        sd: float | Mapping[str, float],
        subunits: Mapping[str, float] | None = None,
        test: str = "dunnett",
        finding: str = "any",
        control: str | None = None,
        doses: Mapping[str, float] | None = None,
        per_block: int | None = None,
        scale: str = "linear",
        alpha: float = 0.05,
        checked: bool = True,
    ) -> Plan:
        validate.choice(test, TESTS, name="test")
        validate.choice(scale, ("linear", "log"), name="scale")
        names = [str(name) for name in means]
        mu = np.array([float(x) for x in means.values()])
        if len(names) < 2:
            raise DataError("one mean is given", expected="the means of at least two groups")
        if scale == "log" and not (mu > 0).all():
            raise DataError("a mean is not above 0", expected="geometric means, or folds of control")
        mu = np.log(mu) if scale == "log" else mu
        if not np.isfinite(mu).all() or np.ptp(mu) == 0:
            raise DataError(
                "the means do not differ" if np.isfinite(mu).all() else "a mean is not finite",
                expected="the difference that is worth finding",
            )
        control = names[0] if control is None else str(control)
        validate.choice(control, names, name="control")
        if test == "dunnett":
            validate.choice(
                finding, ("any", "all", *(name for name in names if name != control)), name="finding"
            )
        if test == "trend":
            _check_doses(doses, names)
        levels = dict(sd) if isinstance(sd, Mapping) else {"unit": float(sd)}
        inner = dict(subunits or {})
        counts = (
            dict.fromkeys(names, int(n))
            if not isinstance(n, Mapping)
            else {str(g): int(m) for g, m in n.items()}
        )
        if list(counts) != names and set(counts) != set(names):
            raise DataError(
                f"n is given for {validate.join(counts)}", expected=f"n for {validate.join(names)}"
            )
        counts = {name: counts[name] for name in names}
        made = Power(
            test=test, power=np.nan, finding=finding if test == "dunnett" else "", n=counts,
            means={name: float(x) for name, x in zip(names, means.values(), strict=True)}, control=control,
            scale=scale, alpha=validate.level(alpha), sd=levels, subunits=inner, unit=next(iter(levels)),
            unit_sd=_unit_sd(levels, inner), per_block=per_block, df=(), contrasts=pd.DataFrame(),
        )  # fmt: skip
        design = cls(counts, mu, made, dict(doses) if doses is not None else None)
        if checked:
            design.check()
        return design

    def with_n(self, n: int) -> Plan:
        counts = dict.fromkeys(self.n, n)
        return replace(self, n=counts, plan=replace(self.plan, n=counts))

    @property
    def df(self) -> int:
        """Residual degrees of freedom."""
        used, per_block = len(self.n), self.plan.per_block
        if per_block:
            used += next(iter(self.n.values())) // per_block - 1
        return sum(self.n.values()) - used

    def check(self) -> None:
        """Refuse what cannot be tested."""
        if min(self.n.values()) < 1:
            raise DataError("n is below 1", expected="at least one unit in each group")
        per_block = self.plan.per_block
        if per_block is not None:
            n = set(self.n.values())
            if per_block < 1 or len(n) > 1 or min(n) % per_block:
                raise DataError(
                    f"n is {validate.join(sorted(n))} with {per_block} of each group in a block",
                    expected=f"one n for all groups, a multiple of {per_block}: blocks are complete",
                )
        if self.df < 1:
            raise DataError(
                "no degrees of freedom are left to show how much units vary",
                expected="more units, or fewer blocks",
            )

    def result(self) -> Power:
        """The power at this n."""
        made, n = self.plan, np.array(list(self.n.values()), dtype=float)
        delta = self.mu / made.unit_sd
        if made.test == "anova":
            df1 = len(n) - 1
            around = delta - delta @ n / n.sum()
            critical = float(stats.f.isf(made.alpha, df1, self.df))
            found = 1 - float(special.ncfdtr(df1, self.df, n @ around**2, critical))
            return replace(made, power=found, df=(df1, self.df))
        if made.test == "trend":
            dose = np.array([self.doses[name] for name in self.n], dtype=float)
            used = np.isfinite(dose)
            c = np.where(used, dose - dose[used].mean(), 0.0)
            shift = abs(float(c @ delta)) / np.sqrt((c**2 / n).sum())
            return replace(made, power=_beyond(shift, self.df, made.alpha), df=(self.df,))
        return self._dunnett(made, n, delta)

    def _dunnett(self, made: Power, n: Array, delta: Array) -> Power:
        zero = list(self.n).index(made.control)
        others = [i for i in range(len(n)) if i != zero]
        names = [list(self.n)[i] for i in others]
        lam = np.sqrt(n[others] / (n[others] + n[zero]))
        shift = (delta[others] - delta[zero]) / np.sqrt(1 / n[others] + 1 / n[zero])
        critical = critical_many_to_one(made.alpha, lam, self.df)
        each = [_beyond(abs(x), self.df, made.alpha, critical=critical) for x in shift]
        contrasts = pd.DataFrame(
            {"difference": self.mu[others] - self.mu[zero], "power": each},
            index=pd.Index(names, name="group"),
        )
        differ = shift != 0
        if made.finding in names:
            found = float(contrasts.loc[made.finding, "power"])
        elif differ.sum() == 1:
            # Chance findings among groups that do not differ are not power.
            found = float(contrasts["power"].to_numpy()[differ][0])
        else:
            found = _jointly(critical, lam[differ], shift[differ], self.df, every=made.finding == "all")
        return replace(made, power=found, df=(self.df,), contrasts=contrasts)


def _check_doses(doses: Mapping[str, float] | None, names: Sequence[str]) -> None:
    if doses is None or set(map(str, doses)) != set(names):
        raise DataError(
            "test='trend' needs a dose of each group",
            expected=f"doses by group: {validate.join(names)}",
            todo="give doses, NaN for a group without one",
        )
    known = [float(x) for x in doses.values() if np.isfinite(x)]
    if len(set(known)) < 2:
        raise DataError("fewer than two doses differ", expected="doses for a trend")


def _unit_sd(levels: Mapping[str, float], subunits: Mapping[str, float]) -> float:
    """SD of the mean of a unit over its sub-units, level by level."""
    outermost, *inner = levels
    if list(subunits) != inner and set(subunits) != set(inner):
        raise DataError(
            f"sd is given for {validate.join(levels)}, and subunits for "
            f"{validate.join(subunits) if subunits else 'none'}",
            expected=f"subunits for {validate.join(inner)}" if inner else "sd by level, the unit first",
        )
    if not all(np.isfinite(sd) and sd >= 0 for sd in levels.values()):
        raise DataError("an SD is negative or not finite", expected="SD of 0 or more")
    if not all(m > 0 for m in subunits.values()):
        raise DataError("a number of subunits is not above 0", expected="1 or more in each unit")
    variance, count = levels[outermost] ** 2, 1.0
    for level in inner:
        count *= subunits[level]
        variance += levels[level] ** 2 / count
    if variance == 0:
        raise DataError("every SD is 0", expected="units that vary")
    return float(np.sqrt(variance))


def _beyond(shift: float, df: int, alpha: float, *, critical: float | None = None) -> float:
    """P(|T| > critical) for the noncentral t."""
    critical = float(stats.t.isf(alpha / 2, df)) if critical is None else critical
    s, weight = spread_nodes(df, np.inf)
    return float((special.ndtr(shift - critical * s) + special.ndtr(-shift - critical * s)) @ weight)


def _jointly(critical: float, lam: Array, shift: Array, df: int, *, every: bool) -> float:
    """Chance that any, or every, one of the contrasts exceeds the critical value."""
    s, weight_s = spread_nodes(df, np.inf)
    x, w = legendre(200)
    z, weight_z = 9.5 * x, 9.5 * w * np.exp(-((9.5 * x) ** 2) / 2) / np.sqrt(2 * np.pi)
    product = np.ones((z.size, s.size))
    for lam_i, shift_i in zip(lam, shift, strict=True):
        c = np.sqrt(1 - lam_i**2)
        at, reach = (shift_i + lam_i * z[:, None]) / c, critical * s / c
        outside = special.ndtr(at - reach) + special.ndtr(-at - reach)
        product *= outside if every else 1 - outside
    both = float(weight_z @ product @ weight_s)
    return both if every else 1 - both

"""Groups followed over time: a mixed analysis of variance, group between animals and time within them.

Values of one animal at neighbouring times are alike, more so than at distant ones, and F then finds too
much. The degrees of freedom of tests within animals are multiplied by epsilon to make up for that, by
Greenhouse and Geisser's estimate (a little careful) or Huynh and Feldt's (a little liberal).

Notation: n animals in g groups, T times; Y (n, T) values; M (T, T - 1) orthonormal contrasts of times; S the
covariance of Y M within groups, on n - g degrees of freedom; d = T - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, stats

from labkit.errors import DataError
from labkit.stats import oneway, posthoc, validate, words
from labkit.stats.linear import indicators, least_squares
from labkit.stats.oneway import Outcome
from labkit.stats.rows import level_order, read_rows, rows_named

__all__ = ["MixedAnova", "Sphericity", "mixed_anova"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sphericity:
    """How far differences between times are from having one variance.

    Attributes
    ----------
    greenhouse_geisser, huynh_feldt
        Estimates of epsilon: 1 when they have, 1 / (T - 1) at the worst. Huynh and Feldt's can exceed 1, and
        counts as 1 then.
    mauchly_w, mauchly_p
        Mauchly's test that epsilon is 1, to be looked at and never to choose; NaN with two times, and with
        too few animals for it.
    """

    greenhouse_geisser: float
    huynh_feldt: float
    mauchly_w: float
    mauchly_p: float


@dataclass(frozen=True, eq=False, repr=False)
class MixedAnova:
    """A mixed analysis of variance of groups and times.

    Attributes
    ----------
    value, group, time, unit
        Columns compared.
    alpha
        Level of significance.
    terms
        Indexed by term (group, time, "group:time"): ``ss, ss_error, df, df_error, statistic, p`` (not
        corrected), ``df_gg, df_error_gg, p_gg, df_hf, df_error_hf, p_hf`` (corrected by epsilon; for the
        group, which needs none, as not corrected), ``partial_eta2, generalised_eta2``.
    sphericity
        Epsilon and Mauchly's test.
    cells
        Indexed by group and time: ``n, mean, sd, sem``.
    posthoc
        Dunnett's test of the means over time of each animal, each group against the control.
    at_times
        The same at each time alone, named in its column; P adjusted within the time only.
    control
        Name of the control.
    units
        Animals by time: one row per animal, its group, and a column for each time.
    n, n_incomplete
        Animals used, and animals left out because a time is missing.
    dropped
        One row per row of the table that was left out, with the reason.
    warnings
        Sentences that a reader should see.
    """

    value: str
    group: str
    time: str
    unit: str
    alpha: float
    terms: pd.DataFrame
    sphericity: Sphericity
    cells: pd.DataFrame
    posthoc: pd.DataFrame
    at_times: pd.DataFrame
    control: str
    units: pd.DataFrame
    n: int
    n_incomplete: int
    dropped: pd.DataFrame
    warnings: tuple[str, ...]

    def summary(self) -> str:
        """The tests in a sentence, those within animals with Greenhouse and Geisser's correction."""
        said = []
        for term, row in self.terms.iterrows():
            df = (float(row["df_gg"]), float(row["df_error_gg"]))
            found = Outcome("mixed ANOVA", "F", float(row["statistic"]), df, float(row["p_gg"]), self.n)
            said.append(
                f"{term} {words.outcome(found, alpha=self.alpha)}, η²G = {row['generalised_eta2']:.2f}"
            )
        eps = self.sphericity.greenhouse_geisser
        text = (
            f"{self.value} by {self.group} and {self.time}: mixed ANOVA (type III, Greenhouse-Geisser ε = "
            f"{eps:.2f}), {'; '.join(said)}; n = {self.n} {words.plural(self.unit)}."
        )
        return " ".join([text, *self.warnings])

    def __repr__(self) -> str:
        return self.summary()


def mixed_anova(
    table: pd.DataFrame,
    value: str,
    *,
    group: str,
    time: str,
    unit: str = "animal",
    nested: Sequence[str] = (),
    control: str | None = None,
    alpha: float = 0.05,
    order: Sequence[str] | None = None,
    excluded: str | None = "excluded",
) -> MixedAnova:
    """Compare the course of groups of animals, each measured at the same times.

    Parameters
    ----------
    table
        Tidy table, one row per animal and time (or per sub-unit, which are averaged first).
    value, group, unit, nested, control, alpha, order, excluded
        As in `compare`.
    time
        Column of the times, or of other conditions that each animal goes through. An animal without a value
        at some time is left out and counted; `mixed_model` uses what it has.

    Returns
    -------
    MixedAnova
        Type III: groups count alike whatever their numbers. Geisser S, Greenhouse SW (1958) Ann Math Stat
        29:885; Huynh H, Feldt LS (1976) J Educ Stat 1:69, with the error degrees of freedom of the groups;
        Mauchly JW (1940) Ann Math Stat 11:204; Olejnik S, Algina J (2003) Psychol Methods 8:434 for
        generalised η².

    Raises
    ------
    DataError
        As `compare`; also with one time, when an animal stands in two groups, and when too few animals are
        complete.

    Examples
    --------
    >>> rows = [(a, "v" if a < "d" else "w", t) for a in "abcdef" for t in (0, 10, 20)]
    >>> table = pd.DataFrame(rows, columns=["animal", "group", "time"])
    >>> table["slope"] = [10, 11, 10, 9, 12, 10, 11, 10, 12, 10, 14, 15, 11, 15, 19, 9, 16, 16]
    >>> result = mixed_anova(table, "slope", group="group", time="time", order=["v", "w"])
    >>> result.terms["statistic"].round(3).to_dict()
    {'group': 28.125, 'time': 14.982, 'group:time': 9.164}
    """
    validate.level(alpha)
    rows = read_rows(
        table, value, group=group, unit=unit, nested=nested, factors=[time], order=order, excluded=excluded,
        arguments={"factor": [], "time": [time]},
    )  # fmt: skip
    kept = rows.kept.rename(columns={f"factor {time}": "time"})
    warnings = _repeated(kept, table, unit, time, nested)
    levels = ["unit", "time", *[f"level {name}" for name in nested]]
    means = kept
    for depth in range(len(levels), 1, -1):
        means = means.groupby(["group", *levels[:depth]], sort=False)["value"].mean().reset_index()
    times = level_order(table[time], kept["time"])
    wide = means.set_index(["group", "unit", "time"])["value"].unstack("time")[times]  # noqa: PD010
    whole = wide.dropna()
    incomplete = len(wide) - len(whole)
    present = set(whole.index.get_level_values("group"))
    names = [name for name in rows.names if name in present]
    _refuse(whole, names, times, wide, unit, time)
    if incomplete:
        left = wide.index[wide.isna().any(axis=1)].get_level_values("unit")
        gone = [name for name in rows.names if name not in names and name in set(kept["group"])]
        warnings.append(
            f"{incomplete} of {len(wide)} {words.plural(unit)} have no value at some {time} and are left out "
            f"({validate.join(left[:6])}{' ...' if incomplete > 6 else ''})"
            f"{f', with them all of {validate.join(gone)}' if gone else ''}; a mixed model would use them."
        )
    control = validate.control(control, names, ordered=rows.ordered, group=group, first=rows.names[0])
    whole = pd.concat([whole.xs(name, level="group", drop_level=False).sort_index() for name in names])
    member = pd.Categorical(whole.index.get_level_values("group"), categories=names).codes.astype(np.intp)
    y = whole.to_numpy(float)
    shift = float(np.median(y))
    terms, sphericity = _tested(y - shift, member, len(names), (group, time))
    if not np.isfinite(sphericity.mauchly_p) and len(times) > 2:
        warnings.append(f"Too few {words.plural(unit)} for Mauchly's test of sphericity.")
    by_group = {name: y[member == i] for i, name in enumerate(names)}
    at_times = []
    for j, level in enumerate(times):
        samples = {name: values[:, j] for name, values in by_group.items()}
        if any(not validate.constant(part) for part in samples.values()):
            found = posthoc.dunnett(samples, control=control, alpha=alpha)
            found.insert(0, time, level)
            at_times.append(found)
    over = {name: values.mean(axis=1) for name, values in by_group.items()}
    units = whole.reset_index().rename(columns={"group": group, "unit": unit})
    units.columns.name = None
    return MixedAnova(
        value=value,
        group=group,
        time=time,
        unit=unit,
        alpha=float(alpha),
        terms=terms,
        sphericity=sphericity,
        cells=_cells(by_group, times, group, time),
        posthoc=posthoc.dunnett(over, control=control, alpha=alpha),
        at_times=pd.concat(at_times, ignore_index=True) if at_times else pd.DataFrame(),
        control=control,
        units=units,
        n=len(y),
        n_incomplete=incomplete,
        dropped=_dropped(rows.dropped, kept, wide, unit, group, time),
        warnings=tuple(warnings),
    )


def _repeated(
    kept: pd.DataFrame, table: pd.DataFrame, unit: str, time: str, nested: Sequence[str]
) -> list[str]:
    """Several rows of an animal at one time: copies are refused, others averaged and told."""
    if nested:
        return []
    again = kept.duplicated(["unit", "time"], keep=False).to_numpy()
    copies = again & table.iloc[kept.index].duplicated(keep=False).to_numpy()
    if copies.any():
        raise DataError(
            f"{rows_named(kept['row'][copies])} are the same in every column",
            expected=f"one row for each {unit} and {time}",
            todo="remove the copies, or name what distinguishes them in nested",
        )
    if not again.any():
        return []
    return [
        f"Several rows of the same {unit} and {time} are averaged ({rows_named(kept['row'][again], most=4)})."
    ]


def _refuse(
    whole: pd.DataFrame, names: Sequence[str], times: Sequence[str], wide: pd.DataFrame, unit: str, time: str
) -> None:
    every = list(dict.fromkeys(wide.index.get_level_values("group")))
    if len(times) < 2:
        raise DataError(
            f"all values are at one {time}" if times else "there are no values",
            expected=f"at least two of {time}",
            todo=f"use compare: {validate.still(every)} without {time}",
        )
    if len(names) < 2:
        found = f"only {validate.join(names)} has" if names else "no group has"
        raise DataError(
            f"{found} {words.plural(unit)} with a value at each {time} ({', '.join(times)})",
            expected="complete courses in at least two groups",
            todo=f"use mixed_model, which takes incomplete ones, or leave out a {time} that many lack; "
            f"{validate.still(every)} at each {time} alone",
        )
    if len(whole) <= len(names):
        raise DataError(
            f"every group has a single complete {unit}, so nothing shows how much {words.plural(unit)} vary",
            expected=f"at least two complete {words.plural(unit)} in one group",
            todo="no comparison can be made until more are measured",
        )


def _tested(
    y: Array, member: NDArray[np.intp], g: int, names: tuple[str, str]
) -> tuple[pd.DataFrame, Sphericity]:
    n, t = y.shape
    d = t - 1
    group = indicators(member, g)
    # The mean over time, times sqrt(T), beside d orthonormal contrasts: together all of Y.
    contrasts = linalg.helmert(t).T
    over = least_squares(y.mean(axis=1) * np.sqrt(t), group)
    within = [least_squares(y @ column, group) for column in contrasts.T]
    errors = np.column_stack([fit.residuals for fit in within])
    s = errors.T @ errors / (n - g)
    equal = np.full((1, g), 1 / g)
    differ = np.diff(np.eye(g), axis=0)
    ss_units, ss_error = over.ss_residual, float((errors**2).sum())
    if ss_units <= 1e-20 * float((y**2).sum()) or ss_error <= 1e-20 * float((y**2).sum()):
        raise DataError(
            "all units of a group are the same, or change alike, so nothing shows how much they vary",
            expected="units that vary within groups",
            todo="check the measurement and the column",
        )
    ss = {
        names[0]: (_squares(over, differ), g - 1, ss_units, n - g),
        names[1]: (sum(_squares(fit, equal) for fit in within), d, ss_error, (n - g) * d),
        f"{names[0]}:{names[1]}": (
            sum(_squares(fit, differ) for fit in within), (g - 1) * d, ss_error, (n - g) * d,
        ),
    }  # fmt: skip
    sphericity = _sphericity(s, n, g)
    rows = {}
    for i, (term, (part, df, error, df_error)) in enumerate(ss.items()):
        f = (part / df) / (error / df_error)
        row = {"ss": part, "ss_error": error, "df": df, "df_error": df_error, "statistic": f}
        row["p"] = float(stats.f.sf(f, df, df_error))
        for short, eps in (
            ("gg", sphericity.greenhouse_geisser), ("hf", min(sphericity.huynh_feldt, 1.0)),
        ):  # fmt: skip
            eps = 1.0 if i == 0 else eps
            row[f"df_{short}"], row[f"df_error_{short}"] = eps * df, eps * df_error
            row[f"p_{short}"] = float(stats.f.sf(f, eps * df, eps * df_error))
        row["partial_eta2"] = part / (part + error)
        row["generalised_eta2"] = part / (part + ss_units + ss_error)
        rows[term] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("term"), sphericity


def _squares(fit: object, contrasts: Array) -> float:
    """Sum of squares of contrasts of group means."""
    estimate = contrasts @ fit.beta
    return float(estimate @ np.linalg.solve(contrasts @ fit.unscaled @ contrasts.T, estimate))


def _sphericity(s: Array, n: int, g: int) -> Sphericity:
    d, df = s.shape[0], n - g
    gg = float(np.trace(s) ** 2 / (d * (s**2).sum()))
    bottom = d * (df - d * gg)
    hf = ((df + 1) * d * gg - 2) / bottom if bottom > 0 else np.inf
    if d == 1:
        return Sphericity(1.0, 1.0, np.nan, np.nan)
    if df < d:
        return Sphericity(gg, hf, np.nan, np.nan)
    sign, log_det = np.linalg.slogdet(s)
    log_w = log_det - d * np.log(np.trace(s) / d) if sign > 0 else -np.inf
    rho = 1 - (2 * d**2 + d + 2) / (6 * d * df)
    # R has T for d in one place of this coefficient. It moves P by less than the expansion is wrong by, and
    # is kept so that P agrees.
    last = 3 * (d + 1) + 2
    second = (d + 2) * (d - 1) * (d - 2) * (2 * d**3 + 6 * d**2 + last) / (288 * (df * d * rho) ** 2)
    z, k = -df * rho * log_w, d * (d + 1) / 2 - 1
    first = stats.chi2.sf(z, k)
    p = float(first + second * (stats.chi2.sf(z, k + 4) - first))
    return Sphericity(gg, hf, float(np.exp(log_w)), p if np.isfinite(log_w) else 0.0)


def _cells(by_group: dict[str, Array], times: Sequence[str], group: str, time: str) -> pd.DataFrame:
    parts = [
        oneway.describe({level: values[:, j] for j, level in enumerate(times)})[["n", "mean", "sd", "sem"]]
        for values in by_group.values()
    ]
    return pd.concat(parts, keys=list(by_group), names=[group, time])


def _dropped(
    dropped: pd.DataFrame, kept: pd.DataFrame, wide: pd.DataFrame, unit: str, group: str, time: str
) -> pd.DataFrame:
    """Rows left out, and those of animals that lack a time."""
    partial = set(wide.index[wide.isna().any(axis=1)].get_level_values("unit"))
    lost = kept[kept["unit"].isin(partial)].assign(reason=f"{unit} without a value at some {time}")
    every = pd.concat([dropped, lost])[["row", "unit", "group", "reason"]].sort_index().reset_index(drop=True)
    every.columns = ["row", unit, group, "reason"]
    return every

"""Results in words, as a paper prints them."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from labkit.columns import COLUMNS, axis_label
from labkit.stats.validate import join

if TYPE_CHECKING:
    from labkit.stats.compare import Comparison
    from labkit.stats.mixed import MixedModel
    from labkit.stats.oneway import Outcome

__all__ = [
    "contrasts_in_row",
    "dropped",
    "fold",
    "interval",
    "label",
    "methods",
    "mixed",
    "number",
    "outcome",
    "p_value",
    "plural",
    "summary",
]

# Smaller P say nothing more: they lean on the far tail of a model.
_SMALLEST = 1e-10


def p_value(p: float, *, alpha: float = 0.05) -> str:
    """P exactly, to three digits, or to as many as keep it on its side of `alpha`.

    >>> p_value(0.04321), p_value(0.049996), p_value(2.5e-7), p_value(0.9999), p_value(1e-20)
    ('P = 0.0432', 'P = 0.049996', 'P = 2.5 × 10⁻⁷', 'P > 0.999', 'P < 10⁻¹⁰')
    """
    if not isfinite(p):
        return "P not known"
    if p > 0.999:
        return "P > 0.999"
    if p < _SMALLEST:
        return f"P < {_power(_SMALLEST)}"
    if p < 1e-4:
        mantissa, exponent = f"{p:.1e}".split("e")
        return f"P = {mantissa} × {_power(10.0 ** int(exponent))}"
    digits = 3
    while float(f"{p:.{digits}g}") == alpha != p and digits < 15:
        digits += 1
    return f"P = {p:.{digits}g}"


def _power(x: float) -> str:
    return "10" + str(round(log10(x))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def number(x: float, *, like: float | None = None, sign: bool = False) -> str:
    """A number to the decimals at which `like` (a spread; by default the number itself) has three digits.

    >>> number(151.234, like=12.3), number(-0.5, like=0.01, sign=True), number(1234.5)
    ('151.2', '−0.5000', '1234')
    """
    if not isfinite(x):
        return "not known"
    like = abs(x if like is None or not isfinite(like) else like)
    decimals = min(max(2 - floor(log10(like)), 0), 12) if like > 0 else 2
    return f"{x:{'+' if sign else ''}.{decimals}f}".replace("-", "−")


def interval(low: float, high: float, *, like: float | None = None) -> str:
    """An interval in brackets.

    >>> interval(-1.234, 5.678, like=1.0)
    '[−1.23, 5.68]'
    """
    return f"[{number(low, like=like)}, {number(high, like=like)}]"


def outcome(result: Outcome, *, alpha: float = 0.05) -> str:
    """Statistic, degrees of freedom and P.

    >>> from labkit.stats.oneway import one_way
    >>> outcome(one_way({"vehicle": [1, 2, 3], "drug": [3, 4, 5]}))
    'F(1, 4) = 6.00, P = 0.0705'
    """
    df = ", ".join(f"{x:.0f}" if float(x).is_integer() else f"{x:.1f}" for x in result.df)
    symbol = f"{result.symbol}({df})" if df else result.symbol
    return f"{symbol} = {number(result.statistic)}, {p_value(result.p, alpha=alpha)}"


def summary(c: Comparison) -> str:
    """The result of a comparison in sentences; see `Comparison.summary`."""
    percent = f"{100 * (1 - c.alpha):g}% CI"
    sentences = [f"{label(c.value)} by {c.group}: {_omnibus(c, percent)}; {_count(c)}."]
    if len(c.posthoc):
        test = _TESTS[c.posthoc_test].format(control=c.control)
        if c.adjusted is not None:
            test = _of_adjusted(c)
        sentences.append(f"{test}: {_contrasts(c, percent)}.")
    if len(c.trend):
        row = c.trend.loc["dose"]
        if "ratio" in row:
            size = f"{fold(row)} per unit of dose"
        else:
            width = row["ci_high"] - row["ci_low"]
            slope = number(row["slope"], like=width, sign=True)
            size = f"{slope} per unit of dose {interval(row['ci_low'], row['ci_high'], like=width)}"
        sentences.append(
            f"Linear trend over dose: {size}, "
            f"t({row['df']:.0f}) = {number(row['statistic'])}, {p_value(row['p'], alpha=c.alpha)}."
        )
    if c.jonckheere is not None:
        j = c.jonckheere
        p = j.p_exact if isfinite(j.p_exact) else j.p
        exact = " (exact)" if isfinite(j.p_exact) else ""
        sentences.append(
            f"Jonckheere-Terpstra: z = {number(j.statistic)}, {p_value(p, alpha=c.alpha)}{exact}."
        )
    if len(c.dropped):
        sentences.append(dropped(c.dropped))
    return " ".join(sentences)


_TESTS = {
    "dunnett": "Dunnett's test against {control}",
    "tukey": "Tukey's test of all pairs",
    "games-howell": "Games-Howell test of all pairs",
    "dunn": "Dunn's test of all pairs with Holm's adjustment",
}
_OMNIBUS = {
    "one-way ANOVA": "one-way analysis of variance, variances taken as equal",
    "Welch's ANOVA": "Welch's analysis of variance, which does not take variances as equal",
    "Kruskal-Wallis test": "the Kruskal-Wallis test on ranks",
}


def _omnibus(c: Comparison, percent: str) -> str:
    said = f"{c.omnibus.test}, {outcome(c.omnibus, alpha=c.alpha)}"
    effects = c.effects.set_index("effect")
    part, prefix = ("partial ", "partial_") if c.adjusted is not None else ("", "")
    if f"{prefix}eta2" in effects.index:
        eta = effects.loc[f"{prefix}eta2"]
        omega = effects.loc[f"{prefix}omega2", "value"]
        ci = f"{percent} {eta['ci_low']:.2f} to {eta['ci_high']:.2f}"
        return f"{said}, {part}η² = {eta['value']:.2f} ({ci}), {part}ω² = {omega:.2f}"
    return f"{said}, rank ε² = {effects.loc['rank_epsilon2', 'value']:.2f}"


def _count(c: Comparison) -> str:
    unit = plural(c.unit) if c.unit else "rows, each an independent unit"
    groups = join(f"{row.n} {name}" for name, row in zip(c.groups.index, c.groups.itertuples(), strict=True))
    total, inner = int(c.groups["n"].sum()), int(c.groups["n_subunits"].sum())
    said = f"n = {total} {unit} ({groups})"
    if inner != total:
        said += f", from {inner} {plural(c.nested[0]) if c.nested else 'values'}"
    return said


def _contrasts(c: Comparison, percent: str) -> str:
    said = []
    spread = float(c.groups["sd"].median()) or None
    g = c.effects[c.effects["effect"] == "hedges_g"].set_index("group")
    for i, row in enumerate(c.posthoc.to_dict("records")):
        if "ratio" in row:
            value = fold(row, percent if i == 0 else "")
        elif "difference" in row:
            ci = interval(row["ci_low"], row["ci_high"], like=spread)
            value = (
                f"{number(row['difference'], like=spread, sign=True)} ({percent + ' ' if i == 0 else ''}{ci})"
            )
        else:
            value = f"z = {number(row['statistic'])}"
        contrast = f"{row['group']} / {row['reference']}" if "ratio" in row else row["contrast"]
        text = f"{contrast} {value}, {p_value(row['p_adjusted'], alpha=c.alpha)}"
        if (
            row["reference"] == c.control
            and row["group"] in g.index
            and np.isfinite(g.loc[row["group"], "value"])
        ):
            size = g.loc[row["group"]]
            bounds = interval(size["ci_low"], size["ci_high"], like=1.0)
            text += f", g = {number(size['value'], like=1.0)} {bounds}"
        said.append(text)
    return "; ".join(said)


def fold(row: Mapping[str, float], percent: str = "") -> str:
    """A ratio with its interval.

    >>> fold({"ratio": 1.4234, "ratio_low": 1.1, "ratio_high": 1.8421}, "95% CI")
    '1.42-fold (95% CI 1.10 to 1.84)'
    """
    # Near 1, as for a trend per unit of dose, the ratio alone would show nothing.
    like = min(row["ratio"], 10 * (row["ratio_high"] - row["ratio_low"]))
    low, high = (number(row[end], like=like) for end in ("ratio_low", "ratio_high"))
    return f"{number(row['ratio'], like=like)}-fold ({percent + ' ' if percent else ''}{low} to {high})"


def _of_adjusted(c: Comparison) -> str:
    """Which contrasts of adjusted means, and how P is adjusted."""
    if c.posthoc_test == "tukey":
        return "Tukey's test of all pairs of adjusted means"
    how = {"Holm": "Holm's method on t tests", "none": "t test", "multivariate t": "Dunnett's test"}
    return f"{how[c.adjusted.adjustment]} against {c.control}, adjusted means"


def _model_terms(c: Comparison) -> str:
    """What stands in the model beside the group."""
    parts = [f"{c.block} as block"] if c.block else []
    if c.covariates:
        parts.append(f"{join(c.covariates)} as {'covariate' if len(c.covariates) == 1 else 'covariates'}")
    return join(parts)


def dropped(rows: pd.DataFrame) -> str:
    """How many rows were left out, and why."""
    counts = rows["reason"].value_counts(sort=False)
    reasons = join(f"{reason} ({n})" for reason, n in counts.items())
    return f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} left out: {reasons}."


def methods(c: Comparison) -> str:
    """How a comparison was made; see `Comparison.methods`."""
    names = list(c.groups.index)
    said = []
    if c.unit is None:
        said.append("Each row was taken as an independent experimental unit.")
    else:
        levels = [*(plural(level) for level in c.nested)] or ["repeated values"]
        several = c.groups["n_subunits"].sum() > c.groups["n"].sum()
        averaged = f"; {join(levels)} were averaged to it first" if several else ""
        said.append(f"The experimental unit was the {c.unit}{averaged}.")
    if c.scale != "linear":
        said.append(
            "Natural logarithms of the values were compared, so differences between groups are ratios of "
            "geometric means."
        )
    if c.adjusted is not None:
        said.append(
            f"{join(names)} were compared by a linear model with {_model_terms(c)} (F test of the group "
            "given the rest)."
        )
    else:
        said.append(f"{join(names)} were compared by {_OMNIBUS[c.omnibus.test]}.")
    if c.adjusted is not None and c.posthoc_test != "none":
        said.append(
            f"Then adjusted means were contrasted ({_of_adjusted(c).removesuffix(', adjusted means')}), with "
            "P adjusted for multiplicity and simultaneous confidence intervals."
        )
    elif c.posthoc_test in ("dunnett", "tukey", "games-howell"):
        against = {
            "dunnett": f"each group was compared with {c.control} by Dunnett's test",
            "tukey": "all pairs of groups were compared by Tukey's test",
            "games-howell": "all pairs of groups were compared by the Games-Howell test",
        }[c.posthoc_test]
        said.append(
            f"Then {against}, with P adjusted for multiplicity and simultaneous confidence intervals."
        )
    elif c.posthoc_test == "dunn":
        said.append(
            "Then all pairs of groups were compared by Dunn's test on ranks, P adjusted by Holm's method."
        )
    if c.mixed is not None:
        said.append(
            f"As a sensitivity analysis all values were compared by a {_mixed_model(c.mixed)}, with "
            f"contrasts against {c.control}{_ADJUSTED[c.mixed.adjustment]}."
        )
    if len(c.trend):
        said.append(
            "Trend with dose was tested by linear contrasts of "
            f"{'group' if c.adjusted is None else 'adjusted'} means (rank, dose and log(1 + dose))"
            f"{' and by the Jonckheere-Terpstra test' if c.jonckheere is not None else ''}."
        )
    elif c.jonckheere is not None:
        said.append("Trend with dose was tested by the Jonckheere-Terpstra test.")
    if c.adjusted is not None:
        said.append(
            "Effects are given as partial η² and ω² (interval of the noncentral F) and as Hedges' g, the "
            f"difference of adjusted means from {c.control} over the residual SD (noncentral t)."
        )
    else:
        said.append(
            "Effects are given as η² and ω² (η² with the interval of the noncentral F) and as Hedges' g "
            f"against {c.control} (interval of the noncentral t)."
            if c.omnibus.symbol == "F"
            else "Effects are given as ε² of ranks, and as Hedges' g against "
            f"{c.control} (interval of the noncentral t)."
        )
    said.append(
        f"All tests were two-sided at α = {c.alpha:g}. Equality of variances (Brown-Forsythe, Bartlett) and "
        "normality of residuals (Shapiro-Wilk) were examined but did not decide which test was made."
    )
    return " ".join(said)


def mixed(m: MixedModel) -> str:
    """The result of a mixed model in sentences.

    >>> from labkit.stats.mixed import mixed_model
    >>> slices = pd.DataFrame({"animal": list("aabbccdd"), "group": ["vehicle"] * 4 + ["drug"] * 4})
    >>> slices["ltp"] = [120.0, 124, 130, 131, 150, 144, 141, 138]
    >>> said = mixed(mixed_model(slices, "ltp", group="group", order=["vehicle", "drug"]))
    >>> print(said.replace("; ", ";\\n").replace(": ", ":\\n"))
    ltp by group:
    linear mixed model with random intercepts of animals (REML, Kenward-Roger df), F(1, 2) = 9.00, P = 0.0955;
    n = 8 values and 4 animals;
    78% between animals of the variance that groups leave. Against vehicle:
    drug − vehicle +17.00 (95% CI [−7.39, 41.39]), P = 0.0955.
    """
    n = join([f"{m.n_rows} values", *(f"{n} {plural(level)}" for level, n in m.n_levels.items())])
    parts = join(f"{100 * m.variance.loc[level, 'icc']:.0f}% between {plural(level)}" for level in m.random)
    sentences = [
        f"{label(m.value)} by {m.group}: {_mixed_model(m)}, {outcome(m.omnibus, alpha=m.alpha)}; n = {n}; "
        f"{parts} of the variance that groups leave."
    ]
    spread = float(np.sqrt(m.variance["variance"].sum()))
    contrasts = contrasts_in_row(m.posthoc, spread=spread, alpha=m.alpha)
    sentences.append(f"Against {m.control}{_ADJUSTED[m.adjustment]}: {contrasts}.")
    return " ".join([*sentences, *m.warnings])


def contrasts_in_row(table: pd.DataFrame, *, spread: float, alpha: float) -> str:
    """Differences (or ratios) with interval and adjusted P, to the decimals of how much values spread."""
    percent, said = f"{100 * (1 - alpha):g}% CI", []
    for row in table.to_dict("records"):
        first = "" if said else percent
        if "ratio" in row:
            size = f"{row['group']} / {row['reference']} {fold(row, first)}"
        else:
            ci = interval(row["ci_low"], row["ci_high"], like=spread)
            difference = number(row["difference"], like=spread, sign=True)
            size = f"{row['contrast']} {difference} ({first + ' ' if first else ''}{ci})"
        said.append(f"{size}, {p_value(row['p_adjusted'], alpha=alpha)}")
    return "; ".join(said)


_ADJUSTED = {
    "multivariate t": ", adjusted by the multivariate t",
    "Holm": ", adjusted by Holm's method",
    "none": "",
}
_DENOMINATOR = {"kenward-roger": "Kenward-Roger", "satterthwaite": "Satterthwaite"}


def _mixed_model(m: MixedModel) -> str:
    levels = join([plural(level) for level in m.random])
    return f"linear mixed model with random intercepts of {levels} (REML, {_DENOMINATOR[m.method]} df)"


def label(value: str) -> str:
    """A column as a sentence names it: by its label with unit, where it has one."""
    return axis_label(value) if value in COLUMNS else value


def plural(noun: str) -> str:
    """Several of a thing that a column is named after."""
    return noun if noun.endswith("s") else f"{noun}s"

"""Results in words, as a paper prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from labkit.columns import COLUMNS, axis_label
from labkit.stats.validate import join

if TYPE_CHECKING:
    from labkit.stats.compare import Comparison
    from labkit.stats.equivalence import Equivalence
    from labkit.stats.hill import DoseResponse
    from labkit.stats.mixed import MixedModel
    from labkit.stats.oneway import Outcome
    from labkit.stats.power import Power

__all__ = [
    "dose_response",
    "equivalence",
    "interval",
    "methods",
    "mixed",
    "number",
    "outcome",
    "p_value",
    "plural",
    "power",
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
    sentences = [f"{_label(c.value)} by {c.group}: {_omnibus(c, percent)}; {_count(c)}."]
    if len(c.posthoc):
        test = _TESTS[c.posthoc_test].format(control=c.control)
        if c.adjusted is not None:
            test = _of_adjusted(c)
        sentences.append(f"{test}: {_contrasts(c, percent)}.")
    if len(c.trend):
        row = c.trend.loc["dose"]
        if "ratio" in row:
            size = f"{_times(row)} per unit of dose"
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
        sentences.append(_dropped(c.dropped))
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
            value = _times(row, percent if i == 0 else "")
        elif "difference" in row:
            ci = interval(row["ci_low"], row["ci_high"], like=spread)
            value = (
                f"{number(row['difference'], like=spread, sign=True)} ({percent + ' ' if i == 0 else ''}{ci})"
            )
        else:
            value = f"z = {number(row['statistic'])}"
        text = f"{row['contrast']} {value}, {p_value(row['p_adjusted'], alpha=c.alpha)}"
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


def _times(row: Mapping[str, float], percent: str = "") -> str:
    """A ratio with its interval, to the decimals of how wide it is."""
    width = row["ratio_high"] - row["ratio_low"]
    ci = interval(row["ratio_low"], row["ratio_high"], like=width)
    return f"×{number(row['ratio'], like=width)} ({percent + ' ' if percent else ''}{ci})"


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


def _dropped(dropped: pd.DataFrame) -> str:
    counts = dropped["reason"].value_counts(sort=False)
    reasons = join(f"{reason} ({n})" for reason, n in counts.items())
    return f"{len(dropped)} {'row' if len(dropped) == 1 else 'rows'} left out: {reasons}."


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
        f"{_label(m.value)} by {m.group}: {_mixed_model(m)}, {outcome(m.omnibus, alpha=m.alpha)}; n = {n}; "
        f"{parts} of the variance that groups leave."
    ]
    spread = float(np.sqrt(m.variance["variance"].sum()))
    percent = f"{100 * (1 - m.alpha):g}% CI "
    contrasts = []
    for row in m.posthoc.to_dict("records"):
        ci = interval(row["ci_low"], row["ci_high"], like=spread)
        size = number(row["difference"], like=spread, sign=True)
        p = p_value(row["p_adjusted"], alpha=m.alpha)
        contrasts.append(f"{row['contrast']} {size} ({'' if contrasts else percent}{ci}), {p}")
    sentences.append(f"Against {m.control}{_ADJUSTED[m.adjustment]}: {'; '.join(contrasts)}.")
    return " ".join([*sentences, *m.warnings])


_ADJUSTED = {
    "multivariate t": ", adjusted by the multivariate t",
    "Holm": ", adjusted by Holm's method",
    "none": "",
}
_DENOMINATOR = {"kenward-roger": "Kenward-Roger", "satterthwaite": "Satterthwaite"}


def _mixed_model(m: MixedModel) -> str:
    levels = join([plural(level) for level in m.random])
    return f"linear mixed model with random intercepts of {levels} (REML, {_DENOMINATOR[m.method]} df)"


def _label(value: str) -> str:
    return axis_label(value) if value in COLUMNS else value


def plural(noun: str) -> str:
    """Several of a thing that a column is named after."""
    return noun if noun.endswith("s") else f"{noun}s"


def dose_response(curve: DoseResponse) -> str:
    """A Hill curve in sentences; see `DoseResponse.summary`."""
    percent = f"{100 * (1 - curve.alpha):g}% CI"
    spread = curve.sigma

    def said(name: str, text: str, *, like: float | None = None, first: bool = False) -> str:
        row = curve.parameters.loc[name]
        value = number(row["value"], like=like)
        if row["fixed"]:
            return f"{text} {value} (fixed)"
        low, high = (number(row[end], like=like) for end in ("ci_low", "ci_high"))
        return f"{text} {value} ({percent + ' ' if first else ''}{_range(low, high, row)})"

    rises = curve.parameters.loc["hill", "value"] > 0
    ends = [said("bottom", "bottom", like=spread), said("top", "top", like=spread)]
    unit = plural(curve.unit) if curve.unit else "rows, each an independent unit,"
    sentences = [
        f"Hill curve of {_label(curve.value)} over {curve.dose}: {said('ec50', 'EC50', first=True)}, "
        f"{said('hill', 'Hill slope', like=1.0)}, {join(ends if rises else ends[::-1])}; "
        f"n = {curve.n} {unit} at {len(curve.doses)} doses."
    ]
    if curve.lack_of_fit is not None:
        sentences.append(f"Lack of fit: {outcome(curve.lack_of_fit, alpha=curve.alpha)}.")
    if len(curve.dropped):
        sentences.append(_dropped(curve.dropped))
    return " ".join([*sentences, *curve.warnings])


def _range(low: str, high: str, row: pd.Series) -> str:
    """Two limits in words, an open one as what it leaves."""
    if np.isinf(row["ci_high"]):
        return f"above {low}" if row["ci_low"] > 0 or np.isfinite(row["ci_low"]) else "not limited"
    return f"below {high}" if np.isinf(row["ci_low"]) else f"{low} to {high}"


def power(p: Power) -> str:
    """The power of a planned experiment in a sentence; see `Power.summary`."""
    unit = plural(p.unit)
    sizes = set(p.n.values())
    many = (
        f"{sizes.pop()} {unit} per group"
        if len(sizes) == 1
        else f"{join(f'{n} {g}' for g, n in p.n.items())}"
    )
    if p.subunits:
        many += (
            f", {join(f'{m:g} {plural(level) if m != 1 else level}' for level, m in p.subunits.items())} each"
        )
    if p.per_block:
        many += f", in complete blocks with {p.per_block} of each group"
    tested = {
        "anova": "one-way analysis of variance",
        "dunnett": f"Dunnett's test against {p.control}",
        "trend": "the linear trend over dose",
    }[p.test]
    found = {"any": " for any of the groups that differ", "all": " for all groups that differ"}
    finding = found.get(p.finding, f" for {p.finding}" if p.finding else "")
    means = join(f"{number(x, like=_step(p.means.values()))} {name}" for name, x in p.means.items())
    spread = join(f"{number(sd)} between {plural(level)}" for level, sd in p.sd.items())
    kind = "geometric means" if p.scale == "log" else "means"
    logs = " of natural logarithms" if p.scale == "log" else ""
    return (
        f"With {many}, {tested} at α = {p.alpha:g} has a power of {100 * p.power:.0f} %{finding}, if {kind} "
        f"are {means} and the SD{logs} is {spread}."
    )


def _step(values: Iterable[float]) -> float:
    """The smallest difference of values that differ: the spread to which they are printed."""
    gaps = np.diff(np.unique(list(values)))
    return float(gaps.min()) if gaps.size else 1.0


def equivalence(e: Equivalence) -> str:
    """Equivalence to the control in sentences; see `Equivalence.summary`."""
    ratio = "ratio" in e.contrasts
    low, high = (number(x) for x in e.margin)
    percent = f"{100 * (1 - 2 * e.alpha):g}% CI"
    how = {
        "dunnett": ", P and intervals adjusted for the number of groups (Bofinger and Bofinger)",
        "bonferroni": ", P and intervals adjusted by Bonferroni's method",
        "none": "",
    }[e.adjust]
    said = []
    for i, row in enumerate(e.contrasts.to_dict("records")):
        names = ("ratio", "ratio_low", "ratio_high") if ratio else ("difference", "ci_low", "ci_high")
        size, *ends = (row[name] for name in names)
        like = ends[1] - ends[0]
        first = percent + " " if i == 0 else ""
        verdict = "equivalent" if row["equivalent"] else "not shown to be equivalent"
        said.append(
            f"{row['contrast']} {number(size, like=like, sign=not ratio)} "
            f"({first}{interval(*ends, like=like)}), {p_value(row['p_adjusted'], alpha=e.alpha)}, {verdict}"
        )
    what = "ratios" if ratio else "differences"
    return (
        f"{_label(e.value)}: equivalence to {e.control} for {what} between {low} and {high} by two one-sided "
        f"tests at α = {e.alpha:g}{how}: {'; '.join(said)}."
    )

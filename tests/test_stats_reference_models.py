"""Covariates, two factors, repeated measures and factorial mixed models against R, read at full precision.

``LABKIT_REFERENCE_CASES`` names another folder with the same PLAN.csv, data and expected. Run as a program,
this file prints digits of agreement per need, labkit's beside statsmodels', that docs/statistics.md shows.
"""

from __future__ import annotations

import json
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_stats_reference import CASES, ids, no_cases, plan, prepared

from labkit import stats
from labkit.errors import DataError
from labkit.stats.rows import label as name_of

PRINTED = "the reference is printed to 15 digits, and P lose two"
RANDOM = "R integrates the multivariate t at random, to some 1e-6, and its quantile to 1e-4"
SEARCH = "lme4 ends its search at 1e-6 of the variances, which moves F by ten times that where F is near 0"
CODING = "lmerTest's df2 of several contrasts at once depends on how they are written"


class Pair(NamedTuple):
    """Our numbers for a need, the reference's, how near they must be, and why not nearer."""

    need: str
    ours: Any
    theirs: Any
    relative: float
    absolute: float
    reason: str


class Case(NamedTuple):
    """A row of PLAN.csv with its table and what R says of it."""

    row: pd.Series
    table: pd.DataFrame
    result: dict[str, Any]
    published: dict[str, Any]


@cache
def load(name: str) -> Case:
    row = plan().set_index("id").loc[name]
    expected = json.loads((CASES / "expected" / f"{name}.json").read_text())
    table = pd.read_csv(CASES / "data" / f"{row['file']}.csv")
    prep = row["prep"]
    if "paste(" in prep:
        for made, columns in re.findall(r"d\$(\w+)<-paste\(([^)]*)\)", prep):
            parts = [table[part.strip().removeprefix("d$")].astype(str) for part in columns.split(",")]
            table = table.assign(**{made: parts[0].str.cat(parts[1:], sep=" ")})
        prep = ""
    return Case(row, prepared(table, row["subset"], prep), expected["result"], expected.get("published", {}))


def order(case: Case, column: str) -> dict[str, Any]:
    """Levels in R's order, which is that of a control given, or the alphabet's."""
    found = sorted(case.table[column].dropna().unique())
    return {"control": case.row["control"] or name_of(found[0])}


# Analysis of covariance.


@cache
def covariates(name: str) -> stats.Adjusted:
    case = load(name)
    return stats.ancova(
        case.table, case.row["y"], group=case.row["group"], covariate=case.row["covariate"].split(),
        control=case.row["control"], unit=None, order=case.result["levels"],
    )  # fmt: skip


def ancova(name: str) -> Iterator[Pair]:
    case, model = load(name), covariates(name)
    r = case.result
    names = {f"x{i + 1}": column for i, column in enumerate(case.row["covariate"].split())}
    names |= {"g": case.row["group"], "Residuals": "residual"}
    type2 = pd.DataFrame(r["type2"]).set_index("term")
    terms = model.terms.loc[[names[term] for term in type2.index]]
    yield Pair("ANCOVA: sums of squares", terms["ss"], type2["ss"], 1e-10, 0, PRINTED)
    yield Pair("ANCOVA: F", terms["statistic"][:-1], type2["F"][:-1], 1e-10, 0, PRINTED)
    yield Pair("ANCOVA: P", terms["p"][:-1], type2["p"][:-1], 1e-10, 0, PRINTED)
    same = model.same_slopes
    slopes = [r["slopes_homogeneity"][key] for key in ("F", "df1", "df2", "p")]
    yield Pair("ANCOVA: slopes alike, F and P", [same.statistic, *same.df, same.p], slopes, 1e-10, 0, PRINTED)
    means = pd.DataFrame(r["adjusted_means"]).set_index("group").loc[model.means.index]
    columns = ["mean", "se", "df", "ci_low", "ci_high"]
    yield Pair("ANCOVA: adjusted means, SE, CI", model.means[columns].to_numpy(),
               means[["emmean", *columns[1:]]].to_numpy(), 1e-10, 0, PRINTED)  # fmt: skip
    versus = pd.DataFrame({key: part for key, part in r["dunnett_mvt"].items() if key != "p_error"})
    assert model.posthoc["group"].tolist() == [str(x) for x in versus["comparison"]]
    ours = model.posthoc
    yield Pair("ANCOVA: contrasts, SE, t", ours[["difference", "se", "statistic"]].to_numpy(),
               versus[["estimate", "se", "t"]].to_numpy(), 1e-9, 0, PRINTED)  # fmt: skip
    yield Pair("ANCOVA: Dunnett's P", ours["p_adjusted"], versus["p"], 0, 1e-5, RANDOM)
    width = 3e-4 * ours["se"].to_numpy()[:, None]
    gap = (ours[["ci_low", "ci_high"]].to_numpy() - versus[["ci_low", "ci_high"]].to_numpy()) / width * 3e-4
    yield Pair("ANCOVA: Dunnett's CI, in SE", gap, np.zeros_like(gap), 0, 3e-4, RANDOM)
    slope = [r["coef"][f"x{i + 1}"] for i in range(len(model.slopes))]
    yield Pair("ANCOVA: slopes", model.slopes["slope"], slope, 1e-9, 0, PRINTED)


# Two factors.


@cache
def factors(name: str) -> stats.TwoWay:
    case = load(name)
    return stats.two_way(
        case.table, case.row["y"], group=case.row["group"], by=case.row["time"], unit=None, posthoc="tukey",
        **order(case, case.row["group"]),
    )  # fmt: skip


def twoway(name: str) -> Iterator[Pair]:
    r, model = load(name).result, factors(name)
    for kind, ours in (("type2", model.type2), ("type3", model.type3)):
        theirs = pd.DataFrame(r[kind]).set_index("term").drop(index="(Intercept)", errors="ignore")
        said = f"two-way, type {'I' * int(kind[-1])}"
        yield Pair(f"{said}: sums of squares", ours["ss"], theirs["ss"], 1e-10, 0, PRINTED)
        yield Pair(f"{said}: F", ours["statistic"][:-1], theirs["F"][:-1], 1e-10, 0, PRINTED)
        yield Pair(f"{said}: P", ours["p"][:-1], theirs["p"][:-1], 1e-10, 0, PRINTED)
    eta = pd.DataFrame(r["partial_eta2_type2"])
    yield Pair("partial η²", model.type2["partial_eta2"][:-1], eta["value"], 1e-10, 0, PRINTED)
    ours = model.type2[["partial_eta2_low", "partial_eta2_high"]].to_numpy()[:-1]
    yield Pair("CI of partial η²", ours, eta[["ci_low", "ci_high"]].to_numpy(), 0, 1e-5,
               "the R package finds bounds by optim to 1e-6")  # fmt: skip
    found = model.simple_posthoc.set_index([model.by, "group", "reference"])
    rows = []
    for row in r["simple_effects_A_within_B"]:
        a, b = row["contrast"].split(" - ")
        for group, reference, sign in ((a, b, 1), (b, a, -1)):
            if (str(row["B"]), group, reference) in found.index:
                ours = found.loc[(str(row["B"]), group, reference)]
                bounds = [sign * ours[end] for end in ("ci_low", "ci_high")[::sign]]
                rows.append((sign * ours["difference"], *bounds, ours["se"], ours["df"], ours["p_adjusted"]))
    theirs = pd.DataFrame(r["simple_effects_A_within_B"])
    assert len(rows) == len(theirs)
    rows = np.array(rows)
    exact = theirs[["estimate", "SE", "df"]].to_numpy()
    yield Pair("simple effects: difference, SE", rows[:, [0, 3, 4]], exact, 1e-9, 1e-12, PRINTED)
    reason = "R's ptukey and qtukey stop at 1e-8"
    yield Pair("simple effects: Tukey's P", rows[:, 5], theirs["p.value"], 0, 2e-6, reason)
    bounds = theirs[["lower.CL", "upper.CL"]].to_numpy()
    yield Pair("simple effects: Tukey's CI", rows[:, 1:3], bounds, 1e-5, 1e-7, reason)


# Repeated measures.


@cache
def repeated(name: str) -> stats.MixedAnova:
    case = load(name)
    return stats.mixed_anova(
        case.table, case.row["y"], group=case.row["group"], time=case.row["time"], unit=case.row["animal"],
        **order(case, case.row["group"]),
    )  # fmt: skip


def mixed_rm(name: str) -> Iterator[Pair]:
    case, model = load(name), repeated(name)
    r = case.result["afex"]
    univariate = pd.DataFrame(r["univariate"]).set_index("term").drop(index="(Intercept)")
    terms = model.terms
    assert model.n == r["subjects_used"]
    columns = {"ss": "ss", "ss_error": "ss_error", "df": "num_df", "df_error": "den_df"}
    yield Pair("mixed ANOVA: sums of squares", terms[list(columns)].to_numpy(),
               univariate[list(columns.values())].to_numpy(), 1e-10, 0, PRINTED)  # fmt: skip
    for i, term in enumerate(("group", "time", "interaction")):
        ours, theirs = terms.iloc[i], univariate.iloc[i]
        both = [ours["statistic"], ours["p"]], [theirs["F"], theirs["p"]]
        yield Pair(f"mixed ANOVA: F and P of {term}", *both, 1e-10, 0, PRINTED)
    s = model.sphericity
    if r["gg_hf"]:  # two times need no correction
        corrected, within = pd.DataFrame(r["gg_hf"]), terms.iloc[1:]
        gg = [corrected["gg_eps"][0], *corrected["p_gg"]]
        yield Pair(
            "Greenhouse-Geisser: ε and P", [s.greenhouse_geisser, *within["p_gg"]], gg, 1e-9, 0, PRINTED
        )
        hf = [corrected["hf_eps"][0], *corrected["p_hf"]]
        yield Pair("Huynh-Feldt: ε and P", [s.huynh_feldt, *within["p_hf"]], hf, 1e-9, 0, PRINTED)
    if r["mauchly"] and r["mauchly"][0]["W"] is not None:
        mauchly = [r["mauchly"][0][key] for key in ("W", "p")]
        yield Pair("Mauchly: W and P", [s.mauchly_w, s.mauchly_p], mauchly, 1e-9, 0, PRINTED)
    for label, column, key in (
        ("generalised η²", "generalised_eta2", "ges"),
        ("partial η²", "partial_eta2", "pes"),
    ):
        yield Pair(f"mixed ANOVA: {label}", terms[column], list(r[key].values()), 1e-10, 0, PRINTED)


# Mixed models.


class Formula(NamedTuple):
    """An R formula of factors and random intercepts, in the arguments of `mixed_factorial`."""

    factors: tuple[str, ...]
    interactions: bool
    random: tuple[str, ...]
    crossed: tuple[str, ...]


def parsed(formula: str, table: pd.DataFrame) -> Formula:
    fixed = re.sub(r"\+?\(1\|[^)]*\)", "", formula.replace(" ", "")).split("~")[1]
    terms = re.findall(r"\(1\|([^)]*)\)", formula.replace(" ", ""))
    factors = tuple(re.split(r"[*+]", fixed.strip("+")))
    if len(terms) == 1:
        return Formula(factors, "*" in fixed, tuple(terms[0].split("/")), ())
    # Fewest levels first: the next is nested when each of its levels lies in one of those before.
    names = sorted(terms, key=lambda name: table[name].nunique())
    for outer, inner in pairwise(names):
        if len(table[[inner, outer]].drop_duplicates()) > table[inner].nunique():
            return Formula(factors, "*" in fixed, (), tuple(names))
    return Formula(factors, "*" in fixed, tuple(names), ())


@cache
def lmm_model(name: str, method: str) -> stats.FactorialModel:
    case = load(name)
    if case.row["design"] == "mixed_rm":
        formula = Formula((case.row["group"], case.row["time"]), True, (case.row["animal"],), ())
    else:
        formula = parsed(case.row["formula"], case.table)
    return stats.mixed_factorial(
        case.table, case.row["y"], factors=formula.factors, random=formula.random, crossed=formula.crossed,
        interactions=formula.interactions, method=method, **order(case, formula.factors[0]),
    )  # fmt: skip


def r_model(name: str) -> dict[str, Any]:
    result = load(name).result
    return result.get("lmm", result)


def lmm(name: str) -> Iterator[Pair]:
    r = r_model(name)
    for label, method in (("Kenward-Roger", "kenward-roger"), ("Satterthwaite", "satterthwaite")):
        if r["singular"] and method == "satterthwaite":
            continue
        model = lmm_model(name, method)
        assert model.singular == r["singular"]
        theirs = pd.DataFrame(r[f"anova_{label}"]).set_index("term")
        ours = model.terms.loc[theirs.index]
        assert ours["df1"].tolist() == theirs["num_df"].tolist()
        several = method == "satterthwaite"
        if method == "kenward-roger":
            # Names in R: "dend", or "pair:(slice:animal)" from the innermost.
            parts = {level.split(":")[0]: part for level, part in r["varcomp"].items()}
            parts["residual"] = parts.pop("Residual")
            variance = [parts[level] for level in model.variance.index]
            yield Pair(
                "mixed model: log likelihood", [model.log_likelihood], [r["reml_loglik"]], 1e-8, 0, SEARCH
            )
            yield Pair("mixed model: variance components", model.variance["variance"], variance, 1e-4,
                       1e-8 * max(variance), SEARCH)  # fmt: skip
        yield Pair(f"{label}: F per term", ours["statistic"], theirs["F"], 1e-4, 0, SEARCH)
        yield Pair(f"{label}: df2 per term", ours["df2"], theirs["den_df"], 1e-2 if several else 1e-4, 0,
                   CODING if several else SEARCH)  # fmt: skip
        yield Pair(f"{label}: P per term", ours["p"], theirs["p"], 1e-2 if several else 1e-4, 0,
                   CODING if several else SEARCH)  # fmt: skip


DESIGNS: dict[str, Callable[[str], Iterator[Pair]]] = {
    "ancova": ancova, "twoway": twoway, "mixed_rm": mixed_rm, "lmm": lmm,
}  # fmt: skip
EVERY = [pytest.param(d, name, id=name) for d in DESIGNS for name in ids(d)] or [
    pytest.param(None, None, marks=no_cases[0].marks)
]


@pytest.mark.parametrize(("design", "name"), EVERY)
def test_models_agree_with_r(design, name):
    for need, ours, theirs, relative, absolute, reason in DESIGNS[design](name):
        np.testing.assert_allclose(
            np.asarray(ours, float), np.asarray(theirs, float), rtol=relative, atol=absolute,
            err_msg=f"{need} ({reason})",
        )  # fmt: skip


@pytest.mark.parametrize("name", ids("mixed_rm") or no_cases)
def test_random_animals_on_a_time_course_agree_with_r(name):
    for need, ours, theirs, relative, absolute, reason in lmm(name):
        np.testing.assert_allclose(ours, theirs, rtol=relative, atol=absolute, err_msg=f"{need} ({reason})")


@pytest.mark.parametrize(
    "name", [n for n in (*ids("lmm"), *ids("mixed_rm")) if r_model(n)["singular"]] or no_cases
)
def test_satterthwaite_is_refused_on_a_singular_fit(name):
    with pytest.raises(DataError, match="is estimated as 0, and Satterthwaite's degrees of freedom"):
        lmm_model(name, "satterthwaite")


@pytest.mark.parametrize(
    "name", [n for n in ids("lmm") if load(n).published and not r_model(n)["singular"]] or no_cases
)
def test_published_tables_are_reproduced_to_the_digits_printed(name):
    model = lmm_model(name, "satterthwaite")
    for row in load(name).published["table"]:
        ours = model.terms.loc[row["term"]]
        for key, column in (("F", "statistic"), ("den_df", "df2"), ("p", "p")):
            printed = f"{row[key]:.15g}"
            decimals = len(printed.split(".")[1]) if "." in printed and "e" not in printed else 6
            # The last digit may be rounded either way, and df2 of several contrasts depends on their coding.
            near = 1.01 * 10.0**-decimals
            coding = 1e-3 * row[key] if key == "den_df" and row["num_df"] > 1 else 0.0
            assert ours[column] == pytest.approx(row[key], abs=max(near, coding)), key


@pytest.mark.parametrize(
    "name", [n for n in ids("nested") if "membrane" in load(n).row["formula"]] or no_cases
)
def test_blocks_that_are_random_and_blocks_that_are_fixed(name):
    """Alike with all cells filled; else near, for the random ones use what lies between blocks too."""
    case = load(name)
    arguments = {"group": case.row["group"], "control": case.row["control"]}
    fixed = stats.blocked(case.table, case.row["y"], block="membrane", unit=case.row["animal"],
                          order=list(dict.fromkeys(case.table[case.row["group"]])), **arguments)  # fmt: skip
    kr = case.result["lmm"]["anova_Kenward-Roger"][0]
    full = np.ptp(fixed.cells.to_numpy()) == 0 and not case.result["lmm"]["singular"]
    assert fixed.omnibus.statistic == pytest.approx(kr["F"], rel=1e-4 if full else 0.1)
    assert fixed.omnibus.df[1] == pytest.approx(kr["den_df"], rel=1e-4 if full else 0.1)


# statsmodels beside, for the printed table.


def by_statsmodels(design: str, name: str) -> Iterator[tuple[str, Any, Any]]:
    """Need, what statsmodels gives and what R does; nothing where it has no such test."""
    from statsmodels.formula.api import ols
    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.stats.anova import anova_lm

    case = load(name)
    row, r = case.row, case.result
    if design == "ancova":
        table = case.table.assign(y=case.table[row["y"]], g=case.table[row["group"]].astype(str))
        columns = [f"x{i + 1}" for i, _ in enumerate(row["covariate"].split())]
        for x, column in zip(columns, row["covariate"].split(), strict=True):
            table[x] = case.table[column]
        type2 = pd.DataFrame(r["type2"]).set_index("term")
        found = anova_lm(ols(f"y ~ C(g) + {' + '.join(columns)}", table).fit(), typ=2)
        found = found.rename(index={"C(g)": "g", "Residual": "Residuals"}).loc[type2.index]
        yield "ANCOVA: sums of squares", found["sum_sq"], type2["ss"]
        yield "ANCOVA: F", found["F"][:-1], type2["F"][:-1]
        yield "ANCOVA: P", found["PR(>F)"][:-1], type2["p"][:-1]
    if design == "twoway":
        table = case.table.assign(
            y=case.table[row["y"]], a=case.table[row["group"]], b=case.table[row["time"]]
        )
        for kind, coded in (
            ("type2", "C(a)*C(b)"),
            ("type3", "C(a, Sum)*C(b, Sum)"),
            ("treatment", "C(a)*C(b)"),
        ):
            theirs = pd.DataFrame(r["type2" if kind == "type2" else "type3"]).set_index("term")
            theirs = theirs.drop(index="(Intercept)", errors="ignore")
            found = anova_lm(ols(f"y ~ {coded}", table).fit(), typ=2 if kind == "type2" else 3)
            found = found.drop(index="Intercept", errors="ignore")
            said = {"type2": "two-way, type II", "type3": "two-way, type III",
                    "treatment": "two-way, type III (default coding)"}[kind]  # fmt: skip
            yield f"{said}: F", found["F"][:-1].to_numpy(), theirs["F"][:-1].to_numpy()
            yield f"{said}: P", found["PR(>F)"][:-1].to_numpy(), theirs["p"][:-1].to_numpy()
    if design == "lmm":
        formula = parsed(row["formula"], case.table)
        fixed = " * ".join(f"C(Q('{name}'), Sum)" for name in formula.factors)
        outer, *inner = formula.random or formula.crossed
        table = case.table.dropna(subset=[row["y"]]).assign(y=case.table[row["y"]])
        parts = {}
        for depth, level in enumerate(inner):
            names = [table[level_].astype(str) for level_ in (outer, *inner[: depth + 1])]
            table[f"path{depth}"] = names[0].str.cat(names[1:], sep="/")
            parts[level] = f"0 + C(path{depth})"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = MixedLM.from_formula(
                f"y ~ {fixed}", table, groups=outer, re_formula="1", vc_formula=parts
            ).fit()
        variance = {outer: float(np.asarray(fit.cov_re).ravel()[0]), "residual": fit.scale}
        variance |= dict(zip(sorted(parts), fit.vcomp, strict=True))
        theirs = {level.split(":")[0]: part for level, part in r["varcomp"].items()}
        theirs["residual"] = theirs.pop("Residual")
        yield "mixed model: log likelihood", [fit.llf], [r["reml_loglik"]]
        yield "mixed model: variance components", [variance[k] for k in theirs], list(theirs.values())


def agreement(ours: Any, theirs: Any, *, absolute: bool) -> float:
    """-log10 of the largest relative error (absolute where that is asked), 15 at most."""
    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    error = np.abs(a - b)
    if not absolute:
        scale = np.abs(b).max() if np.any(b == 0) else np.abs(b)
        error = error / np.maximum(scale, 1e-300)
    return -math.log10(max(float(error.max()), 1e-15))


def digits() -> pd.DataFrame:
    """Digits of agreement with R, labkit's and statsmodels'."""
    ours: dict[str, list[float]] = {}
    peers: dict[str, list[float]] = {}
    runs = [(d, name) for d in DESIGNS for name in ids(d)] + [("lmm", name) for name in ids("mixed_rm")]
    for design, name in runs:
        for pair in DESIGNS[design](name):
            found = agreement(pair.ours, pair.theirs, absolute=pair.relative == 0)
            ours.setdefault(pair.need, []).append(found)
        if load(name).row["design"] == design:
            for need, a, b in by_statsmodels(design, name):
                peers.setdefault(need, []).append(agreement(a, b, absolute=False))
    rows = []
    for need in [*ours, *(need for need in peers if need not in ours)]:
        row = {"need": need}
        for label, found in (("labkit", ours.get(need)), ("statsmodels", peers.get(need))):
            row[f"{label} fewest"] = min(found) if found else np.nan
            row[f"{label} median"] = float(np.median(found)) if found else np.nan
        rows.append(row | {"cases": len(ours.get(need, peers.get(need)))})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    print(digits().round(1).to_string(index=False))

"""The one-way family against values from R, NIST and exact arithmetic, read at full precision.

``LABKIT_REFERENCE_CASES`` names another folder with the same PLAN.csv, MANIFEST.csv, data and expected.
Run as a program, this file prints the digits of agreement per need that docs/statistics.md shows.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labkit import stats
from labkit.errors import DataError

CASES = Path(
    os.environ.get(
        "LABKIT_REFERENCE_CASES", Path(__file__).resolve().parents[2] / "shared" / "real" / "stats"
    )
)


@dataclass(frozen=True, eq=False)
class Case:
    """One data set and what a reference says of it."""

    id: str
    table: pd.DataFrame
    y: str
    group: str
    control: str | None
    dose: str | None
    unit: str | None
    result: dict[str, Any]
    exact: dict[str, float]

    @property
    def order(self) -> list[str]:
        return [str(row["group"]) for row in self.result["groups"] if row["n"]]

    @cached_property
    def units(self) -> stats.Units:
        return stats.experimental_units(
            self.table, self.y, group=self.group, unit=self.unit, dose=self.dose, order=self.order
        )

    @cached_property
    def samples(self) -> dict[str, np.ndarray]:
        table = self.units.table
        return {
            name: part[self.y].to_numpy()
            for name, part in table.groupby(self.group, observed=True, sort=True)
        }


def prepared(table: pd.DataFrame, subset: str, prep: str) -> pd.DataFrame:
    """The few R expressions that PLAN.csv holds, carried out with pandas."""
    if subset:
        table = table.query(re.sub(r"%in%\s*c\(([^)]*)\)", r"in [\1]", subset))
    if not prep:
        return table
    if found := re.fullmatch(r"aggregate\((\w+)~([\w+]+),d,mean\)", prep):
        keys = found[2].split("+")
        return table.groupby(keys, sort=False, as_index=False)[found[1]].mean()
    if found := re.fullmatch(r"\{d\$(\w+)<-log\(d\$(\w+)\); d\}", prep):
        return table.assign(**{found[1]: np.log(table[found[2]])})
    pytest.skip(f"the preparation {prep!r} is not known to this test")


def plan() -> pd.DataFrame:
    path = CASES / "PLAN.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False) if path.exists() else pd.DataFrame()


def ids(*designs: str) -> list[str]:
    table = plan()
    if not len(table):
        return []
    known = [name for name in table["id"] if (CASES / "expected" / f"{name}.json").exists()]
    return [name for name in table.loc[table["design"].isin(designs), "id"] if name in known]


def load(name: str) -> Case:
    row = plan().set_index("id").loc[name]
    expected = json.loads((CASES / "expected" / f"{name}.json").read_text())
    table = prepared(pd.read_csv(CASES / "data" / f"{row['file']}.csv"), row["subset"], row["prep"])
    result = expected["result"].get("animal_means_oneway", expected["result"])
    unit = row["animal"] if row["design"] == "nested" else ""
    return Case(
        name, table, row["y"], row["group"], row["control"] or None, row["dose"] or None, unit or None,
        result, expected.get("exact", {}),
    )  # fmt: skip


Numbers = dict[str, np.ndarray]


def column(rows: Any, *names: str) -> np.ndarray:
    """Numbers of R's tables: lists of rows, or columns where one row is a bare number; null is NaN."""
    if isinstance(rows, list):
        found = [[row[name] for row in rows] for name in names]
    else:
        found = [np.atleast_1d(np.array(rows[name], dtype=object)) for name in names]
    return np.array([[math.nan if x is None else float(x) for x in part] for part in found])


@dataclass(frozen=True)
class Need:
    """How one need is computed here, where the reference stands, and how near they must be.

    `names` are the reference's columns; `reason` says why the tolerance is what it is.
    """

    key: str
    names: tuple[str, ...]
    ours: Callable[[Case], np.ndarray]
    relative: float
    absolute: float | np.ndarray
    reason: str


def outcome(test: Callable[..., stats.Outcome], *, df: bool = True) -> Callable[[Case], np.ndarray]:
    def ours(case: Case) -> np.ndarray:
        result = test(case.samples)
        return np.array([[result.statistic], [result.p], *([[x] for x in result.df] if df else [])])

    return ours


def table(test: Callable[[Case], pd.DataFrame], *names: str) -> Callable[[Case], np.ndarray]:
    return lambda case: test(case)[list(names)].to_numpy(float).T


@cache
def tukey(case: Case) -> pd.DataFrame:
    return stats.tukey(case.samples)


@cache
def games_howell(case: Case) -> pd.DataFrame:
    return stats.games_howell(case.samples)


@cache
def dunnett(case: Case) -> pd.DataFrame:
    return stats.dunnett(case.samples, control=case.control)


@cache
def explained(case: Case) -> pd.DataFrame:
    return stats.variance_explained(stats.one_way(case.samples))


@cache
def hedges(case: Case) -> pd.DataFrame:
    return stats.hedges_g(case.samples, control=case.control)


@cache
def jonckheere(case: Case) -> stats.Jonckheere:
    return stats.jonckheere(case.samples)


def assumption(name: str, *names: str) -> Callable[[Case], np.ndarray]:
    return lambda case: stats.assumptions(case.samples).loc[[name], list(names)].to_numpy(float).T


def anova(case: Case) -> np.ndarray:
    a = stats.one_way(case.samples)
    return np.array([[x] for x in (a.statistic, a.p, *a.df, a.ss_between, a.ss_within, a.r2)])


def critical(case: Case) -> np.ndarray:
    d = dunnett(case)
    return ((d["ci_high"] - d["difference"]) / d["se"]).to_numpy()[:1][None]


R_TUKEY = (
    "R's ptukey is 2 % off at P = 8e-5 on 6 degrees of freedom, and off Student's t for two groups of two; "
    "labkit's distribution meets Student's t and agrees with SciPy's to 1e-9 (test_stats_integrals.py)"
)
FROM_15_DIGITS = "the reference is printed to 15 digits"
NEEDS = [
    Need("groups", ("n", "mean", "sd", "sem", "median", "ci95_low", "ci95_high"),
         table(lambda c: stats.describe(c.samples), "n", "mean", "sd", "sem", "median", "ci_low", "ci_high"),
         1e-10, 1e-12, FROM_15_DIGITS),
    Need("anova", ("F", "p", "df_between", "df_within", "ss_between", "ss_within", "r2"), anova, 1e-10, 1e-12,
         FROM_15_DIGITS),
    Need("welch", ("F", "p", "df1", "df2"), outcome(stats.welch), 1e-10, 1e-12, FROM_15_DIGITS),
    Need("kruskal", ("H", "p", "df"), outcome(stats.kruskal), 1e-10, 1e-12, FROM_15_DIGITS),
    Need("levene_median", ("F", "p", "df1", "df2"),
         assumption("Brown-Forsythe", "statistic", "p", "df1", "df2"), 1e-10, 1e-12, FROM_15_DIGITS),
    Need("bartlett", ("K2", "p", "df"), assumption("Bartlett", "statistic", "p", "df1"), 1e-10, 1e-12,
         FROM_15_DIGITS),
    Need("shapiro_residuals", ("W", "p"), assumption("Shapiro-Wilk on residuals", "statistic", "p"),
         1e-5, 1e-9,
         "two programs of Royston's polynomial approximation"),
    Need("tukey", ("p",), table(tukey, "p_adjusted"), 0, 2e-6,
         R_TUKEY),
    Need("tukey", ("diff", "ci_low", "ci_high"),
         table(tukey, "difference", "ci_low", "ci_high"), 1e-6, 1e-7,
         R_TUKEY),
    Need("games_howell", ("p",), table(games_howell, "p_adjusted"), 0, 2e-6,
         R_TUKEY),
    Need("games_howell", ("se", "diff_b_minus_a", "t", "df"),
         table(games_howell, "se", "difference", "statistic", "df"), 1e-10, 1e-12,
         FROM_15_DIGITS),
    Need("games_howell", ("ci_low", "ci_high"),
         table(games_howell, "ci_low", "ci_high"), 3e-6, 1e-7,
         R_TUKEY),
    Need("dunnett", ("p",), table(dunnett, "p_adjusted"), 0, 1e-10,
         "both by quadrature"),
    Need("dunnett", ("estimate", "se", "t", "ci_low", "ci_high"),
         table(dunnett,
               "difference", "se", "statistic", "ci_low", "ci_high"),
         1e-9, 1e-11, "the reference's root is found to 1e-10"),
    Need("dunnett", ("crit_95",), critical, 1e-9, 0, "the reference's root is found to 1e-10"),
    *(Need(f"pairwise_{reference}", (f"p_{method}",),
           table(lambda c, v=variance, m=name: stats.pairwise(c.samples, variance=v, method=m), "p_adjusted"),
           1e-9, 1e-13, "t of a difference loses a digit where means nearly agree")
      for reference, variance in (("pooled", "pooled"), ("welch", "separate"))
      for method, name in (("raw", "none"), ("holm", "holm"), ("bh", "bh"), ("bonferroni", "bonferroni"),
                           ("sidak", "sidak"))),
    Need("dunn", ("z", "p_raw", "p_holm"),
         table(lambda c: stats.dunn(c.samples), "statistic", "p", "p_adjusted"),
         1e-10, 1e-12, FROM_15_DIGITS),
    Need("trend", ("estimate", "se", "t", "df", "p"),
         table(lambda c: stats.trend(c.samples, doses=c.units.doses),
               "estimate", "se", "statistic", "df", "p"),
         1e-10, 1e-12, FROM_15_DIGITS),
    Need("jonckheere", ("J", "mean", "var", "z", "p_two_sided", "p_exact_two_sided"),
         lambda c: np.array([[getattr(jonckheere(c), name)]
                             for name in ("j", "mean", "variance", "statistic", "p", "p_exact")]),
         1e-10, 1e-12, FROM_15_DIGITS),
    Need("effect", ("value",), table(explained, "value"),
         1e-10, 1e-12, FROM_15_DIGITS),
    Need("effect", ("ci_low", "ci_high"),
         lambda c: explained(c)[["ci_low", "ci_high"]].to_numpy().T,
         0, np.array([1e-5, 1e-3, 1e-3]),
         "the R package finds bounds by optim: to 1e-6 for η², but for ω² and ε² near 0 it stops 6e-4 short"),
    Need("hedges_g_vs_control", ("g",), table(hedges, "value"),
         1e-10, 1e-12, FROM_15_DIGITS),
    Need("hedges_g_vs_control", ("ci_low", "ci_high"),
         table(hedges, "ci_low", "ci_high"), 0, 1e-5,
         "the R package finds its bounds by optim to some 1e-6"),
]  # fmt: skip


def theirs(case: Case, need: Need) -> np.ndarray | None:
    """The reference's numbers; None when it has none, as R's errors are."""
    part = case.result.get(need.key)
    if part is None or (isinstance(part, dict) and "error" in part):
        return None
    if need.key == "groups":
        part = [row for row in part if row["n"]]
    if need.key == "trend":
        part = [part[scale] for scale in ("rank", "dose", "log1p_dose") if scale in part]
    if need.key == "effect":
        part = [part[name] for name in ("eta2", "omega2", "epsilon2")]
    if need.key == "hedges_g_vs_control":
        part = [part[name] for name in case.order if name in part]
    if need.key == "jonckheere":
        part = {"p_exact_two_sided": None} | part
    if need.key == "bartlett" and part["K2"] is None:
        part = part | {"p": None}
    if case.exact and need.key == "anova":
        part = part | {name: case.exact[name] for name in ("F", "p", "ss_between", "ss_within")}
        part["r2"] = part["ss_between"] / (part["ss_between"] + part["ss_within"])
    numbers = column(part, *need.names)
    return numbers if numbers.size else None


def varies_within(case: Case) -> bool:
    return any(np.ptp(values) > 0 for values in case.samples.values())


def compared(case: Case, need: Need) -> tuple[np.ndarray, np.ndarray, np.ndarray] | str:
    """Our numbers, theirs and how near they must be, or in words what went unlike."""
    reference = theirs(case, need)
    try:
        ours = need.ours(case)
    except DataError as refusal:
        known = reference is not None and np.isfinite(reference[0]).all()
        if known and varies_within(case):
            return f"labkit refuses ({refusal}) where the reference has numbers"
        return (np.empty(0),) * 3
    if reference is None:
        return (np.empty(0),) * 3
    if ours.shape != reference.shape:
        return f"{ours.shape} numbers where the reference has {reference.shape}"
    # Where the statistic itself is undefined, degrees of freedom and bounds say nothing.
    known = np.broadcast_to(np.isfinite(reference[0]) & np.isfinite(reference[-1]), reference.shape)
    if np.isfinite(ours[0][~known[0]]).any() and need.key not in ("groups", "jonckheere"):
        return "labkit has numbers where the reference has none"
    known = known if need.key not in ("groups", "jonckheere") else np.isfinite(reference)
    return ours[known], reference[known], np.broadcast_to(need.absolute, reference.shape)[known]


def smallest_df(case: Case, need: Need) -> float:
    test = tukey if need.key == "tukey" else games_howell
    return float(test(case)["df"].min())


def failures(case: Case) -> Iterator[str]:
    for need in NEEDS:
        if need.key not in case.result:
            continue
        both = compared(case, need)
        if isinstance(both, str):
            yield f"{need.key} {need.names}: {both}"
            continue
        ours, reference, absolute = both
        relative = need.relative
        if case.exact and need.key != "anova":
            # With an offset of 1e9 the reference itself has lost half of its 15 digits.
            relative, absolute = max(relative, 1e-5), np.maximum(absolute, 1e-5)
        if need.reason == R_TUKEY and smallest_df(case, need) < 5:
            relative, absolute = (relative and 5e-3), 1e-4
        near = np.isclose(ours, reference, rtol=relative, atol=absolute, equal_nan=True)
        if not near.all():
            yield f"{need.key} {need.names}: {ours[~near]} is not {reference[~near]} ({need.reason})"


ABSENT = pytest.mark.skipif(not len(plan()), reason=f"the reference cases are not at {CASES}")
no_cases = [pytest.param(None, marks=pytest.mark.skip(reason=f"the reference cases are not at {CASES}"))]


@pytest.mark.parametrize("name", ids("oneway") or no_cases)
def test_one_way_family_agrees_with_r(name):
    assert list(failures(load(name))) == []


@pytest.mark.parametrize("name", ids("nested") or no_cases)
def test_averages_over_the_unit_agree_with_r(name):
    case = load(name)
    assert list(failures(case)) == []
    result = stats.compare(
        case.table, case.y, group=case.group, unit=case.unit, control=case.control, order=case.order
    )
    assert result.groups["n_subunits"].sum() == len(case.table.dropna(subset=[case.y]))
    # Both from the same formula; R prints 15 digits.
    assert result.omnibus.p == pytest.approx(case.result["anova"]["p"], rel=1e-10)


@pytest.mark.parametrize("name", ids("degenerate") or no_cases)
def test_degenerate_data_give_the_reference_or_a_sentence(name):
    """R's errors and nulls must be refusals here; R's rounding noise (no variance) must be one too."""
    row = plan().set_index("id").loc[name]
    values = pd.read_csv(CASES / "data" / f"{row['file']}.csv")
    arguments = {"group": row["group"], "unit": None, "control": row["control"]}
    if np.isinf(values[row["y"]]).any():
        with pytest.raises(DataError, match="infinite in row"):
            stats.compare(values, row["y"], **arguments)
        return
    case = load(name)
    if len(case.samples) < 2:
        with pytest.raises(DataError, match="only group"):
            stats.compare(values, row["y"], **arguments)
        return
    if all(np.size(part) == 1 for part in case.samples.values()):
        with pytest.raises(DataError, match="single value"):
            stats.compare(values, row["y"], **arguments)
        return
    if not varies_within(case):
        with pytest.raises(DataError, match=r"no group varies|all 15 values"):
            stats.compare(values, row["y"], **arguments)
        if case.result["kruskal"].get("H") is None:
            with pytest.raises(DataError):
                stats.kruskal(case.samples)
        else:
            assert stats.kruskal(case.samples).p == pytest.approx(case.result["kruskal"]["p"], rel=1e-10)
        return
    assert list(failures(case)) == []
    result = stats.compare(values, row["y"], **arguments)
    assert len(result.dropped) == values[row["y"]].isna().sum()
    for name, part in case.samples.items():
        if len(part) == 1 or np.ptp(part) == 0:
            assert any(f"'{name}'" in said and "still" in said for said in result.warnings)


def nist() -> list[str]:
    return sorted(path.stem for path in (CASES / "expected").glob("nist_*.json"))


@ABSENT
@pytest.mark.parametrize("name", nist() or no_cases)
def test_nist_certified_values(name):
    """NIST StRD. Values as float64 limit F to 4.2 digits where 13 leading digits are constant (SmLs07-09)."""
    expected = json.loads((CASES / "expected" / f"{name}.json").read_text())
    values = pd.read_csv(CASES / "data" / f"{name}.csv")
    y, group = expected["columns"]["y"], expected["columns"]["group"]
    result = stats.one_way({str(k): part.to_numpy() for k, part in values.groupby(group)[y]})
    certified = expected["result"]
    leading = math.log10(np.abs(values[y]).max() / math.sqrt(certified["ms_within"]))
    # Rounding to float64 moves a value by some 1e-17 of its leading digits, counted in residual SD.
    tolerance = max(1e-10, 2e-17 * 10**leading)
    assert result.df == (certified["df_between"], certified["df_within"])
    for ours, name in (
        (result.statistic, "F"), (result.ss_between, "ss_between"), (result.ss_within, "ss_within"),
        (result.r2, "r2"), (result.residual_sd, "resid_sd"),
    ):  # fmt: skip
        assert ours == pytest.approx(certified[name], rel=tolerance), name


def digits() -> pd.DataFrame:
    """Digits of agreement: -log10 of the relative error, or of the absolute where that is what is asked."""
    found: dict[str, list[float]] = {}
    for name in [*ids("oneway"), *ids("nested")]:
        case = load(name)
        for need in NEEDS:
            if need.key not in case.result or case.exact:
                continue
            both = compared(case, need)
            if isinstance(both, str) or not both[0].size:
                continue
            error = np.abs(both[0] - both[1])
            if need.relative:
                error = np.where(np.abs(both[1]) > 1e-12, error / np.maximum(np.abs(both[1]), 1e-300), error)
            label = f"{need.key}: {', '.join(need.names)}"
            found.setdefault(label, []).append(-math.log10(max(np.nanmax(error), 1e-15)))
    rows = [(label, len(d), min(d), float(np.median(d))) for label, d in found.items()]
    return pd.DataFrame(rows, columns=["need", "cases", "fewest", "median"])


if __name__ == "__main__":
    print(digits().round(1).to_string(index=False))

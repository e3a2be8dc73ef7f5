"""Tables of several endpoints: folds of control, families, curves, equivalence, and the ARRIVE items."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit import stats, tables
from labkit.errors import DataError

GROUPS = ["vehicle", "low", "high"]
LABELS = {"vehicle": "Vehicle", "low": "10 mg/kg", "high": "30 mg/kg"}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.fixture
def lanes() -> pd.DataFrame:
    """Three animals a group on three membranes; logs 0.1 apart, so that geometric means and SD are by hand.

    Vehicle has geometric mean 2, low 3, high 4; the geometric SD is e^0.1 in each group.
    """
    rows = [
        (f"{group}{i}", f"B{i}", group, dose, centre * np.exp(0.1 * (i - 1)))
        for group, dose, centre in zip(GROUPS, (0.0, 10.0, 30.0), (2.0, 3.0, 4.0), strict=True)
        for i in range(3)
    ]
    return pd.DataFrame(rows, columns=["animal", "membrane", "group", "dose", "psd95"])


def compare(table, value="psd95", **arguments) -> stats.Comparison:
    return stats.compare(table, value, **{"group": "group", "order": GROUPS, "dose": "dose"} | arguments)


def test_logs_are_shown_as_folds_of_control(lanes):
    found = tables.by_group({"psd95": compare(lanes, scale="log")}, labels=LABELS)
    assert list(found) == ["psd95, fold of Vehicle"]
    assert found.iloc[:, 0].to_dict() == {
        "Vehicle": "1.00 ×/÷ 1.11 (n = 3)",
        "10 mg/kg": "1.50 ×/÷ 1.11 (n = 3)",
        "30 mg/kg": "2.00 ×/÷ 1.11 (n = 3)",
    }


def test_p_may_stand_in_the_cell(lanes):
    result = compare(lanes, scale="log")
    found = tables.by_group({"psd95": result}, titles={"psd95": "PSD-95"}, p=True)["PSD-95"]
    p = [f"{x:.3g}" if x >= 1e-4 else f"{x:.1e}" for x in result.posthoc["p_adjusted"]]
    assert found.tolist() == [
        "1.00 ×/÷ 1.11 (n = 3)",
        f"1.50 ×/÷ 1.11 (n = 3, P = {p[0]})",
        f"2.00 ×/÷ 1.11 (n = 3, P = {p[1]})",
    ]


def test_with_blocks_the_means_are_those_that_are_compared(lanes):
    """The membranes tell all of the spread here, but for what is added; raw SD would be that of membranes."""
    lanes["psd95"] *= np.exp(np.tile([1.0, -1.0, 0.0], 3) + 0.05 * np.array([1, -1, 0, 0, 1, -1, -1, 0, 1]))
    result = compare(lanes, scale="log", block="membrane")
    found = tables.by_group({"psd95": result}).iloc[:, 0]
    assert found["low"].startswith("1.50 ×/÷ 1.05")
    assert found["high"].startswith("2.00 ×/÷ 1.05")
    assert compare(lanes, scale="log").groups["sd"].min() > 0.9
    said = tables.legend({"psd95": result}, labels=LABELS)
    assert said == (
        "Folds are geometric means over that of Vehicle, ×/÷ the geometric SD over animals; adjusted for "
        "membrane where it stands in the model."
    )


def test_the_legend_names_both_kinds_of_spread(lanes):
    both = {"a": compare(lanes), "b": compare(lanes, scale="log")}
    assert tables.legend(both) == (
        "Mean ± SD over animals; folds are geometric means over that of vehicle, ×/÷ the geometric SD over "
        "animals."
    )
    assert tables.legend({"a": compare(lanes)}) == "Mean ± SD over animals."


def test_an_endpoint_that_could_not_be_compared_keeps_its_column(lanes):
    both = {"psd95": compare(lanes), "creb": DataError("there are no values")}
    found = tables.by_group(both)
    assert found["creb"].tolist() == ["not compared"] * 3
    assert "creb" not in tables.contrasts(both).index.get_level_values(0)
    assert tables.legend(both) == "Mean ± SD over animals."


def test_contrasts_of_logs_are_ratios(lanes):
    linear, logs = compare(lanes), compare(lanes, scale="log")
    found = tables.contrasts({"untransformed": linear, "psd95": logs}, labels=LABELS)
    assert list(found) == ["Difference or ratio (95% CI)", "Adjusted P", "Hedges' g (95% CI)"]
    assert ("psd95", "10 mg/kg / Vehicle") in found.index
    assert ("untransformed", "10 mg/kg − Vehicle") in found.index
    cell = plain(found.loc[("psd95", "10 mg/kg / Vehicle")].iloc[0])
    row = logs.posthoc.iloc[0]
    assert cell == f"1.50 ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})"
    assert next(iter(tables.contrasts({"psd95": logs}))) == "Ratio (95% CI)"
    assert next(iter(tables.contrasts({"untransformed": linear}))) == "Difference (95% CI)"


def test_pairs_that_name_the_control_last_count_too(lanes):
    found = tables.omnibus({"a": compare(lanes, posthoc="tukey", control="low")})
    assert {"P, vehicle", "P, high"} <= set(found.columns)


def test_families_are_set_out(lanes):
    made = {"psd95": compare(lanes), "b": DataError("there are no values")}
    found = tables.families(stats.families(made, primary=["psd95"]), titles={"psd95": "PSD-95"})
    primary, secondary = "primary (Holm)", "secondary (Benjamini-Hochberg)"
    assert found.index.tolist() == [(primary, "PSD-95"), (secondary, "b")]
    assert found.loc[(primary, "PSD-95"), "Decision"] == "difference"
    assert found.loc[(secondary, "b"), ["P", "Adjusted P", "Decision"]].tolist() == [
        "", "", "not tested: there are no values",
    ]  # fmt: skip


def test_curves_are_set_out():
    doses = np.repeat([0.0, 1.0, 3.0, 10.0, 30.0, 100.0], 3)
    rise = 100 + 50 * doses / (doses + 5.0)
    table = pd.DataFrame({"dose": doses, "ltp": rise + np.tile([-2.0, 0.0, 2.0], 6)})
    curve = stats.hill(table, "ltp", unit=None)
    fixed = stats.hill(table, "ltp", unit=None, slope=1.0)
    found = tables.hill({"ltp": curve, "held": fixed, "other": DataError("no plateau")}, dose_unit="mg/kg")
    ec50 = curve.parameters.loc["ec50"]
    assert plain(found.loc["ltp", "EC50, mg/kg (95% CI)"]) == (
        f"5.00 ({ec50['ci_low']:.2f} to {ec50['ci_high']:.2f})"
    )
    assert found.loc["held", "Hill slope (95% CI)"] == "1.00 (fixed)"
    assert found.loc["other", "Note"] == "not fitted: no plateau."
    assert "Note" not in tables.hill({"ltp": curve})
    wide = table.assign(ltp=rise + np.tile([-12.0, 0.0, 12.0], 6)).query("dose < 20")
    open_end = stats.hill(wide, "ltp", unit=None, slope=1.0)
    assert "(above " in tables.hill({"ltp": open_end}).loc["ltp", "EC50 (95% CI)"]
    assert "no upper limit to EC50" in tables.hill({"ltp": open_end}).loc["ltp", "Note"]


def test_equivalence_is_set_out(lanes):
    results = {
        "psd95": stats.equivalence(compare(lanes, scale="log"), margin=1.7),
        "untransformed": stats.equivalence(compare(lanes), margin=0.2),
        "none": DataError("ranks have no difference"),
    }
    found = tables.equivalence(results, labels=LABELS)
    row = found.loc[("psd95", "10 mg/kg / Vehicle")]
    assert row["Margin"] == "0.588 to 1.70"
    assert plain(row["Difference or ratio (90% CI)"]).startswith("1.50 (1.")
    assert found.loc[("untransformed", "30 mg/kg − Vehicle"), "Equivalent"] == "not shown"
    assert found.loc[("none", ""), "Equivalent"] == "not tested: ranks have no difference."
    assert list(found)[-1] == "Equivalent"


# ARRIVE


def filled(lanes, **arguments) -> pd.DataFrame:
    made = {"psd95": compare(lanes, scale="log"), "untransformed": compare(lanes)}
    return tables.arrive(made, **{"primary": ["psd95"], "labels": LABELS} | arguments).droplevel("Topic")


def test_what_the_kit_knows_is_filled_in(lanes):
    excluded = pd.DataFrame({"group": ["low", "low", "high"], "excluded": ["bubble", "bubble", ""]})
    found = filled(lanes, excluded=excluded, software={"labkit": "1.0", "scipy": "1.17"})
    said = found["Reported"]
    assert said["1a"] == "Vehicle (control), 10 mg/kg, 30 mg/kg"
    assert said["1b"] == "the animal"
    assert (
        said["2a"]
        == "psd95: Vehicle 3, 10 mg/kg 3, 30 mg/kg 3; untransformed: Vehicle 3, 10 mg/kg 3, 30 mg/kg 3"
    )
    assert said["3b"] == "Vehicle: none; 10 mg/kg: bubble (2); 30 mg/kg: none"
    assert said["6a"] == "primary: psd95; secondary: untransformed"
    assert "Software: labkit 1.0, scipy 1.17." in said["7a"]
    # The two endpoints were compared in different ways, so each has its paragraph.
    assert "psd95: The experimental unit" in said["7a"]
    assert "untransformed: The experimental unit" in said["7a"]
    assert "Vehicle 1 ×/÷ 1.1" in said["10a"]
    assert "-fold" in said["10b"]
    assert found["Stated"][["1a", "2a", "3b", "7a", "10b"]].tolist() == ["yes"] * 5


def test_what_nobody_said_is_asked_for(lanes):
    found = filled(lanes)
    open_items = found.index[found["Stated"] == "to be stated"].tolist()
    assert open_items == ["2b", "3a", "3b", "4a", "4b", "5", "8", "9"]
    assert found.loc["4a", "Reported"] == "State whether and how animals were allotted to groups at random."
    said = {
        "sample_size": "by power", "criteria": "drift", "randomisation": "by lot", "confounders": "balanced",
        "blinding": "all", "animals": "mice", "procedures": "gavage",
    }  # fmt: skip
    stated = filled(lanes, excluded=pd.DataFrame({"group": [], "excluded": []}), **said)
    assert (stated["Stated"] == "yes").all()
    assert stated.loc["4a", "Reported"] == "by lot"


def test_an_endpoint_without_comparison_is_told(lanes):
    made = {"psd95": compare(lanes), "creb": DataError("there are no values")}
    found = tables.arrive(made, primary=["psd95", "creb"]).droplevel("Topic")
    assert found.loc["6a", "Reported"] == "primary: psd95, creb; not compared: creb (there are no values.)"
    with pytest.raises(DataError, match="primary endpoint 'ltp' was not compared"):
        tables.arrive(made, primary=["ltp"])
    with pytest.raises(DataError, match="no endpoint was compared"):
        tables.arrive({"creb": DataError("there are no values")}, primary=[])

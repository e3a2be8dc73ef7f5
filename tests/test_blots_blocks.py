"""The membrane as block: balance, % of control to look at, and the division that is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import blots, stats
from labkit.errors import DataError

GROUPS = ("vehicle", "low", "high")


def measured(membranes=4, animals=1, *, seed=0, groups=GROUPS):
    """Log ratios at random, each group on each membrane with so many animals."""
    rng = np.random.default_rng(seed)
    rows = [
        {"animal": f"{m}{group}{i}", "membrane": f"M{m}", "endpoint": "PSD-95", "group": group}
        for m in range(1, membranes + 1)
        for group in groups
        for i in range(animals)
    ]
    table = pd.DataFrame(rows)
    gain = dict(zip(sorted(table["membrane"].unique()), rng.normal(0, 1, membranes), strict=True))
    table["log_ratio"] = table["membrane"].map(gain) + rng.normal(0, 0.3, len(table))
    return table


# --- balance ---


def test_balance_counts_what_can_be_compared():
    table = measured(2, 2)
    table.loc[0, "log_ratio"] = np.nan
    table["excluded"] = np.where(table["animal"] == "2high1", "smear", "")
    cells = blots.balance(table).set_index("membrane")
    assert cells.loc["M1", ["vehicle", "low", "high"]].tolist() == [1, 2, 2]
    assert cells.loc["M2", ["vehicle", "low", "high"]].tolist() == [2, 2, 1]
    assert (cells["flags"] == "").all()
    assert (cells["endpoint"] == "PSD-95").all()


def test_groups_stand_in_the_order_of_the_study():
    table = measured()
    table["group"] = pd.Categorical(table["group"], GROUPS, ordered=True)
    assert list(blots.balance(table)) == ["endpoint", "membrane", *GROUPS, "flags"]


def test_a_group_missing_on_a_membrane_is_told():
    table = measured(3)
    table = table[~((table["membrane"] == "M2") & (table["group"] == "high"))]
    table = table[~((table["membrane"] == "M3") & (table["group"] != "low"))]
    flags = blots.balance(table).set_index("membrane")["flags"]
    assert flags["M1"] == ""
    assert flags["M2"] == "no high"
    assert flags["M3"] == "no high; no vehicle; only one group, which says nothing"


def test_groups_on_separate_membranes_cannot_be_compared():
    table = measured(2)
    table = table[(table["membrane"] == "M1") == (table["group"] == "vehicle")]
    flags = blots.balance(table).set_index("membrane")["flags"]
    assert "vehicle cannot be compared with high, low: no membrane joins them" in flags["M1"]
    assert "high, low cannot be compared with vehicle" in flags["M2"]
    with pytest.raises(DataError, match=r"share no membrane: .*vehicle"):
        blots.percent_of_control(table, control="vehicle")


def test_a_chain_of_membranes_joins_groups():
    """Vehicle and low on M1, low and high on M2: vehicle and high meet through low."""
    table = measured(2)
    table = table[~((table["membrane"] == "M1") & (table["group"] == "high"))]
    table = table[~((table["membrane"] == "M2") & (table["group"] == "vehicle"))]
    assert not blots.balance(table)["flags"].str.contains("cannot be compared").any()
    table["log_ratio"] = table["membrane"].map({"M1": 0.0, "M2": 5.0}) + table["group"].map(
        {"vehicle": 0.0, "low": 0.5, "high": 0.8}
    )
    percent = blots.percent_of_control(table, control="vehicle").groupby("group")["percent_of_control"].mean()
    expected = {"vehicle": 100, "low": 100 * np.exp(0.5), "high": 100 * np.exp(0.8)}
    assert percent.to_dict() == pytest.approx(expected)


# --- % of control ---


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-5, 5), st.sampled_from(["M1", "M3"]))
def test_percent_of_control_does_not_know_how_bright_a_membrane_is(seed, shift, membrane):
    table = measured(3, 2, seed=seed)
    moved = table.assign(log_ratio=table["log_ratio"] + shift * (table["membrane"] == membrane))
    first, second = (
        blots.percent_of_control(t, control="vehicle")["percent_of_control"] for t in (table, moved)
    )
    np.testing.assert_allclose(second, first, rtol=1e-9)


def test_control_keeps_its_spread_about_a_geometric_mean_of_100():
    shown = blots.percent_of_control(measured(4, 1), control="vehicle").query("group == 'vehicle'")
    logs = np.log(shown["percent_of_control"])
    assert np.exp(logs.mean()) == pytest.approx(100)
    assert logs.std() > 0.05


def test_difference_of_groups_is_that_of_the_blocked_model():
    """Unbalanced, against statsmodels: the mean log % of a group is its coefficient."""
    from statsmodels.formula.api import ols

    table = measured(4, 2, seed=3).drop(index=[0, 5, 11, 12])
    fit = ols("log_ratio ~ C(group, Treatment('vehicle')) + C(membrane)", table).fit()
    shown = blots.percent_of_control(table, control="vehicle")
    logs = np.log(shown["percent_of_control"] / 100).groupby(shown["group"]).mean()
    for group in ("low", "high"):
        assert logs[group] == pytest.approx(fit.params[f"C(group, Treatment('vehicle'))[T.{group}]"])


def test_excluded_and_refused_rows_have_no_percent_and_no_weight():
    table = measured(3, 2)
    without = blots.percent_of_control(table.drop(index=[1, 4]), control="vehicle")["percent_of_control"]
    table["excluded"] = ""
    table.loc[1, ["log_ratio", "excluded"]] = [50.0, "smear"]
    table.loc[4, "log_ratio"] = np.nan
    shown = blots.percent_of_control(table, control="vehicle")["percent_of_control"]
    assert shown.isna().to_numpy().nonzero()[0].tolist() == [1, 4]
    np.testing.assert_allclose(shown.drop(index=[1, 4]), without)


def test_each_endpoint_has_its_own_constant():
    one = measured(3)
    two = one.assign(endpoint="CREB", log_ratio=one["log_ratio"] + 7)
    shown = blots.percent_of_control(pd.concat([one, two]), control="vehicle")
    first, second = (
        shown.loc[shown["endpoint"] == name, "percent_of_control"] for name in ("PSD-95", "CREB")
    )
    np.testing.assert_allclose(second, first)


# --- the division that is refused ---


def refused(values, table, control="vehicle"):
    try:
        blots.refuse_own_control(
            table.assign(y=values), "y", group="group", membrane="membrane", control=control
        )
    except DataError as error:
        return str(error)
    return ""


def own(table, mean, *, scale=1.0, logs=False):
    """Ratios divided by the control of their membrane."""
    ratio = np.exp(table["log_ratio"])
    control = ratio[table["group"] == "vehicle"].groupby(table["membrane"]).agg(mean)
    divided = scale * ratio / table["membrane"].map(control)
    return np.log(divided) if logs else divided


def geometric(values):
    return np.exp(np.log(values).mean())


@pytest.mark.parametrize("animals", [1, 3])
@pytest.mark.parametrize(
    ("mean", "options", "said"),
    [
        ("mean", {}, "is 1,"),
        ("mean", {"scale": 100}, "is 100,"),
        ("mean", {"scale": 7.5}, "is 7.5,"),
        (geometric, {}, "is 1,"),
        (geometric, {"logs": True}, "is 0,"),
    ],
)
def test_membranes_divided_by_their_own_control_are_refused(animals, mean, options, said):
    table = measured(3, animals)
    error = refused(own(table, mean, **options), table)
    assert f"on each of 3 membranes the mean y of vehicle {said}" in error.replace("e-17", "")
    assert ("no spread is left" in error) == (animals == 1)


@pytest.mark.parametrize(("scale", "decimals"), [(1, 2), (1, 4), (100, 0), (100, 1)])
def test_a_rounded_sheet_is_recognised(scale, decimals):
    table = measured(3, 3, seed=4)
    error = refused(np.round(own(table, "mean", scale=scale), decimals), table)
    assert f"is {scale}," in error


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 5), st.integers(1, 3))
def test_measured_ratios_are_not(seed, membranes, animals):
    """Nor with few decimals: two means within half a hundredth of 1 would be one case in thousands."""
    table = measured(membranes, animals, seed=seed)
    assert refused(table["log_ratio"], table) == ""
    assert refused(np.exp(table["log_ratio"]), table) == ""
    assert refused(np.round(np.exp(table["log_ratio"]), 3), table) == ""


def test_one_constant_for_all_membranes_is_no_division_by_own_control():
    table = measured(3, 2)
    ratio = np.exp(table["log_ratio"])
    assert refused(ratio / ratio[table["group"] == "vehicle"].mean(), table) == ""
    assert refused(blots.percent_of_control(table, control="vehicle")["percent_of_control"], table) == ""
    single = measured(1, 4)
    assert refused(own(single, "mean"), single) == ""


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (measured().drop(columns="group"), "no column group"),
        (measured().iloc[:0], "empty"),
        (measured().assign(group=[None] + ["low"] * 11), "some rows have no group \\(1vehicle0\\)"),
    ],
)
def test_mistakes_are_told(table, words):
    with pytest.raises(DataError, match=words):
        blots.balance(table)
    with pytest.raises(DataError, match=words):
        blots.percent_of_control(table, control="vehicle")


def test_an_unknown_control_is_told():
    with pytest.raises(DataError, match="no ratio of PSD-95 belongs to the control group 'saline'"):
        blots.percent_of_control(measured(), control="saline")


def test_from_bands_to_the_blocked_comparison():
    """One refused animal, so unbalanced: F and P of the table as statsmodels' type II has them."""
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    truth = measured(3, 2, seed=5)
    bands = truth.assign(lane=truth.groupby("membrane").cumcount() + 1)
    bands = pd.concat(
        [
            bands.assign(target="PSD-95", volume=100 * np.exp(bands["log_ratio"])),
            bands.assign(target="GAPDH", volume=100.0),
        ],
        ignore_index=True,
    ).drop(columns=["group", "log_ratio", "endpoint"])
    bands.loc[3, "volume"] = -1.0
    found = blots.ratios(bands, loading="GAPDH").merge(truth[["animal", "group"]], on="animal")
    result = stats.compare(
        found, "log_ratio", group="group", block="membrane", scale="logged", order=GROUPS, control="vehicle"
    )
    kept = truth.drop(index=3)
    table = anova_lm(ols("log_ratio ~ C(group) + C(membrane)", kept).fit(), typ=2)
    assert result.omnibus.statistic == pytest.approx(table.loc["C(group)", "F"], rel=1e-9)
    assert result.omnibus.p == pytest.approx(table.loc["C(group)", "PR(>F)"], rel=1e-9)
    assert len(result.dropped) == 1

"""Tables for readers: numbers set out as worked out by hand, rounded, and counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit import stats, tables
from labkit.errors import DataError

LABELS = {"vehicle": "Vehicle", "drug": "10 mg/kg"}
SPACE = "\u00a0"
# Three animals a group: means 100 and 150, both with the standard deviation 10.
ANIMALS = pd.DataFrame(
    {
        "animal": ["a", "b", "c", "d", "e", "f"],
        "group": ["vehicle"] * 3 + ["drug"] * 3,
        "potentiation_percent": [90.0, 100, 110, 140, 150, 160],
        "baseline_slope_mV_per_ms": [0.21, 0.31, 0.41, 0.31, 0.41, 0.51],
    }
)


def compare(value: str = "potentiation_percent", **options) -> stats.Comparison:
    table = options.pop("table", ANIMALS)
    return stats.compare(table, value, group="group", order=["vehicle", "drug"], control="vehicle", **options)


def plain(text: str) -> str:
    """With ordinary spaces, and none that break a line left."""
    return text.replace(SPACE, " ")


# by group


def test_groups_stand_in_order_with_mean_sd_and_n():
    compared = {name: compare(name) for name in ("potentiation_percent", "baseline_slope_mV_per_ms")}
    found = tables.by_group(compared, labels=LABELS)
    assert found.index.name == "Treatment group"
    assert found.to_dict("index") == {
        "Vehicle": {
            "Potentiation (% of baseline)": "100 ± 10 (n = 3)",
            "Baseline fEPSP slope (mV/ms)": "0.310 ± 0.100 (n = 3)",
        },
        "10 mg/kg": {
            "Potentiation (% of baseline)": "150 ± 10 (n = 3)",
            "Baseline fEPSP slope (mV/ms)": "0.410 ± 0.100 (n = 3)",
        },
    }
    assert list(found.index) == ["Vehicle", "10 mg/kg"]


def test_groups_go_by_their_own_names_without_labels():
    assert list(tables.by_group({"potentiation_percent": compare()}).index) == ["vehicle", "drug"]


def test_one_animal_has_no_standard_deviation():
    alone = compare(table=ANIMALS.iloc[:4])
    assert tables.by_group({"potentiation_percent": alone}).loc["drug"].item() == "140 ± unknown (n = 1)"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (151.234, "151"),
        (31.4159, "31.4"),
        (0.031244, "0.0312"),
        (1234.5, "1234"),
        (0.0, "0.00"),
        (-6.81, "−6.81"),
    ],
)
def test_three_digits_are_given(number, text):
    assert tables.cells.number(number) == text


def test_nothing_is_less_than_zero_by_rounding():
    assert tables.cells.number(-0.04, 151.0) == "0"
    assert tables.cells.number(-0.6, 151.0) == "−1"
    assert tables.cells.number(np.nan) == ""


# contrasts


def test_a_contrast_has_its_difference_and_effect_with_intervals():
    """By hand: two groups of 3 with SD 10, so SE = 10 √(2/3), on 4 df, t(0.975) = 2.776445."""
    found = tables.contrasts({"potentiation_percent": compare()}, labels=LABELS)
    assert list(found.index) == [("Potentiation (% of baseline)", "10 mg/kg − Vehicle")]
    half = 2.776445 * 10 * np.sqrt(2 / 3)
    row = found.iloc[0]
    assert plain(row["Difference (95% CI)"]) == f"50.0 ({50 - half:.1f} to {50 + half:.1f})"
    # d = 5; Hedges' correction for 4 degrees of freedom is Γ(2) / (√2 Γ(1.5)) = 0.797885.
    assert plain(row["Hedges' g (95% CI)"]).startswith(f"{5 * 0.797885:.2f} (")
    # t = 50 / 8.164966 = 6.123724 on 4 degrees of freedom: two-sided P = 0.0036 (R: 2 * pt(-6.123724, 4)).
    assert row["Adjusted P"] == "0.0036"
    # A number and its interval stay on one line.
    assert " " not in row["Difference (95% CI)"] + row["Hedges' g (95% CI)"]


def test_a_negative_difference_has_a_true_minus():
    turned = ANIMALS.assign(potentiation_percent=200 - ANIMALS["potentiation_percent"])
    row = tables.contrasts({"potentiation_percent": compare(table=turned)}).iloc[0]
    assert plain(row["Difference (95% CI)"]).startswith("−50.0 (−72.7 to −27.3)")


def test_the_level_of_the_interval_is_that_of_the_comparison():
    found = tables.contrasts({"potentiation_percent": compare(alpha=0.01)})
    assert list(found) == ["Difference (99% CI)", "Adjusted P", "Hedges' g (99% CI)"]


def test_ranks_have_no_difference_in_the_unit():
    row = tables.contrasts({"potentiation_percent": compare(omnibus="kruskal", posthoc="dunn")}).iloc[0]
    assert row["Difference (95% CI)"] == ""
    # Ranks 1-3 against 4-6: z = 3 / √(6·7/12 · 2/3) = 1.963961, two-sided P = 0.0495 by the normal table.
    assert row["Adjusted P"] == "0.0495"


def test_a_comparison_without_contrasts_gives_an_empty_table():
    found = tables.contrasts({"potentiation_percent": compare(posthoc="none")})
    assert found.empty
    assert list(found.index.names) == ["Endpoint", "Contrast"]
    both = tables.contrasts(
        {"potentiation_percent": compare(posthoc="none"), "baseline_slope_mV_per_ms": compare()}
    )
    assert [endpoint for endpoint, _ in both.index] == ["Baseline fEPSP slope (mV/ms)"]


# omnibus and assumptions


def test_each_test_has_a_row():
    """F = t² = 37.5 of the two groups above; H = 27 / 7 of ranks 1-3 against 4-6, P = 0.0495."""
    why = DataError("the group 'drug' has no animal", todo="add some")
    found = tables.omnibus(
        {"as planned": compare(), "by ranks": compare(omnibus="kruskal", posthoc="dunn"), "of none": why},
        labels=LABELS,
    )
    planned, ranks, none = (found.loc[name] for name in ("as planned", "by ranks", "of none"))
    assert plain(planned["Statistic"]) == "F(1, 4) = 37.50"
    assert planned[["P", "P, 10 mg/kg", "n"]].tolist() == ["0.0036", "0.0036", "6"]
    assert plain(ranks["Statistic"]) == "H(1) = 3.86"
    assert ranks["P"] == "0.0495"
    assert none["Test"] == "not made: the group 'drug' has no animal; add some."
    assert none[["Statistic", "P", "n"]].tolist() == ["", "", ""]
    assert " " not in planned["Statistic"]


def test_assumptions_say_what_is_not_known():
    same = ANIMALS.assign(potentiation_percent=[90.0, 100, 110, 150, 150, 150])
    found = tables.assumptions(compare(table=same))
    assert found.index.name == "Test"
    assert found.loc["Bartlett", ["Statistic", "P"]].tolist() == ["not known", "not known"]
    assert found.loc["Bartlett", "Note"] == "a group has no variance of its own"
    # Distances from the median are 10, 0, 10 and thrice 0: 200/3 between the groups, 200/3 within on 4 df.
    assert found.loc["Brown-Forsythe", "Statistic"] == "4.000"


# what was counted


def test_slices_and_animals_are_counted_by_hand():
    groups = pd.Categorical(
        ["v", "v", "v", "d", "d"], categories=["v", "d", "h"], ordered=True
    )  # nobody had the highest dose
    slices = pd.DataFrame(
        {
            "group": groups,
            "animal": ["a", "a", "b", "c", "d"],
            "excluded": ["", "drift", "", "drift", ""],
            "flags": ["volley", "", "", "drift", ""],
            "potentiation_percent": [np.nan, 120.0, 130.0, 140.0, 150.0],
        }
    )
    found = tables.numbers(slices)
    assert found.to_dict("index") == {
        "v": {"animals": 2, "animals compared": 2, "slices": 3, "slices excluded": 1, "slices flagged": 1},
        "d": {"animals": 2, "animals compared": 1, "slices": 2, "slices excluded": 1, "slices flagged": 1},
        "h": {"animals": 0, "animals compared": 0, "slices": 0, "slices excluded": 0, "slices flagged": 0},
    }
    # The one slice of a that is not excluded has no value.
    valued = tables.numbers(slices, value="potentiation_percent")
    assert valued["animals compared"].tolist() == [1, 1, 0]
    assert "cages compared" in tables.numbers(slices.rename(columns={"animal": "cage"}), unit="cage")


# picks


def picks(*made: tuple[str, str, bool]) -> dict:
    return {"picks": [{"origin": origin, "by": by, "blind": blind} for origin, by, blind in made]}


def test_picks_are_told_by_origin_person_and_blinding():
    made = picks(
        ("confirmed", "ben", True),
        ("changed", "ana", False),
        ("confirmed", "", True),
        ("proposed", "", True),
        ("proposed", "", True),
    )
    assert tables.picks_in_words(made) == (
        "5 picks: 2 confirmed, 1 changed by hand, 2 proposed and confirmed by nobody; "
        "by ana, ben, unknown; 2 of 3 made blind."
    )
    assert tables.unconfirmed(made) == 2


def test_picks_that_nobody_made_have_no_person():
    made = picks(("proposed", "", True))
    assert tables.picks_in_words(made) == "1 pick: 1 proposed and confirmed by nobody."
    assert tables.picks_in_words({}) == "0 picks: none."
    assert tables.unconfirmed({}) == 0


# labels


def test_a_result_table_is_labelled_and_rounded():
    table = pd.DataFrame(
        {
            "code": ["R1", "R2"],
            "slope_mV_per_ms": [0.312456, np.nan],
            "potentiation_percent": [151.2345, 98.76],
            "flags": ["", "saturated"],
            "excluded": ["", ""],
            "paired_pulse_ratio": [np.nan, np.nan],
            "rig temperature": [31.23456, 32.0],
        }
    )
    before = table.copy()
    found = tables.labelled(table)
    # Percentages to one decimal, all else to three, also what the lab adds.
    assert list(found) == [
        "Code",
        "fEPSP slope (mV/ms)",
        "Potentiation (% of baseline)",
        "Flags",
        "rig temperature",
    ]
    assert found.iloc[0].tolist() == ["R1", 0.312, 151.2, "", 31.235]
    assert tables.labelled(table, digits=1).iloc[0, 1] == 0.3
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0499999, "0.05"),
        (0.000123456, "0.000123"),
        (0.0000999, "1.0e-04"),
        (0.99899, "0.999"),
        (0.9991, "> 0.999"),
        (1.0, "> 0.999"),
    ],
)
def test_p_has_three_digits(p, text):
    assert tables.cells.p(p) == text

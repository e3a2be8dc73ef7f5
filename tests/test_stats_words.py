"""Sentences: numbers as printed, and nothing claimed that was not computed."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import stats
from labkit.columns import axis_label
from labkit.stats.words import interval, number, p_value


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.2, "P = 0.2"),
        (0.0125, "P = 0.0125"),
        (0.00012345, "P = 0.000123"),
        (1e-4, "P = 0.0001"),
        (9.99e-5, "P = 1.0 × 10⁻⁴"),
        (3.21e-9, "P = 3.2 × 10⁻⁹"),
        (1e-12, "P < 10⁻¹⁰"),
        (0.0, "P < 10⁻¹⁰"),
        (1.0, "P > 0.999"),
        (0.05, "P = 0.05"),
        (0.0500001, "P = 0.0500001"),
        (0.0499999, "P = 0.0499999"),
        (math.nan, "P not known"),
    ],
)
def test_p(p, said):
    assert p_value(p) == said


@given(st.floats(1e-9, 0.99), st.sampled_from([0.05, 0.01, 0.1]))
def test_p_never_crosses_the_level_by_rounding(p, alpha):
    text = p_value(p, alpha=alpha).removeprefix("P = ")
    digits, _, power = text.partition(" × 10⁻")
    printed = float(digits) * 10.0 ** -int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")) or 0)
    assert (printed < alpha) == (p < alpha)
    # Two digits below 1e-4, three above.
    assert printed == pytest.approx(p, rel=0.05 if power else 0.005)


def test_numbers_have_the_decimals_of_their_spread():
    assert number(151.23456, like=12.3) == "151.2"
    assert number(0.0123456, like=0.00045) == "0.012346"
    assert number(-3.0, like=1.0) == "−3.00"
    assert number(3.0, like=1.0, sign=True) == "+3.00"
    assert number(5.0, like=0.0) == "5.00"
    assert number(math.nan) == "not known"
    assert interval(-1, 2, like=10) == "[−1.0, 2.0]"


@pytest.fixture
def slices():
    values = {"vehicle": [118.0, 124, 121, 127], "high": [140.0, 149, 138, 145]}
    rows = [
        (f"{group[0]}{animal}", slice_, group, {"vehicle": 0.0, "high": 20.0}[group], value + slice_)
        for group, animals in values.items()
        for animal, value in enumerate(animals)
        for slice_ in (0, 1)
    ]
    return pd.DataFrame(rows, columns=["animal", "slice", "group", "dose", "potentiation_percent"])


def compare(slices, **arguments):
    given = {"group": "group", "nested": ("slice",), "order": ["vehicle", "high"]} | arguments
    return stats.compare(slices, "potentiation_percent", **given)


def test_the_sentence_names_test_statistic_df_p_effect_and_n_of_what(slices):
    """Means 123 and 143.5; SS within 45 + 74 = 119 on 6; F = 840.5 / (119 / 6) = 42.4.

    Half-width t(0.975, 6) sqrt(119 / 6 / 2) = 7.71; g = 0.869 x 20.5 / 4.453;
    ω² = (840.5 - 19.8) / (959.5 + 19.8).
    """
    assert compare(slices).summary() == (
        f"{axis_label('potentiation_percent')} by group: one-way ANOVA, F(1, 6) = 42.4, P = 0.000626, "
        "η² = 0.88 (95% CI 0.49 to 0.95), ω² = 0.84; n = 8 animals (4 vehicle and 4 high), from 16 slices. "
        "Dunnett's test against vehicle: high − vehicle +20.50 (95% CI [12.79, 28.21]), P = 0.000626, "
        "g = 4.00 [1.46, 6.48]."
    )


def test_the_methods_name_the_unit_the_tests_and_the_level(slices):
    said = compare(slices, dose="dose", alpha=0.01).methods()
    assert said.startswith("The experimental unit was the animal; slices were averaged to it first.")
    for words in (
        "vehicle and high were compared by one-way",
        "compared with vehicle by Dunnett's",
        "α = 0.01",
    ):
        assert words in said
    assert "did not decide which test was made" in said
    assert "Each row was taken as an independent" in compare(slices, unit=None, nested=()).methods()


@pytest.mark.parametrize(
    ("omnibus", "posthoc", "said"),
    [
        (
            "welch",
            "games-howell",
            ("Welch's ANOVA, F(1, ", "Games-Howell test of all pairs: high − vehicle +20.50"),
        ),
        (
            "kruskal",
            "dunn",
            ("H(1) = 5.33, P = 0.0209, rank ε² = 0.76", "high − vehicle z = 2.31, P = 0.0209"),
        ),
        ("anova", "tukey", ("Tukey's test of all pairs: high − vehicle +20.50 (95% CI [12.79, 28.21])",)),
    ],
)
def test_each_test_is_called_by_its_name(slices, omnibus, posthoc, said):
    """All of one group rank above the other: H = 12 / 72 (100 / 4 + 676 / 4) - 27 = 5.33, and z its root."""
    summary = compare(slices, omnibus=omnibus, posthoc=posthoc).summary()
    assert all(words in summary for words in said), summary


def test_trends_are_told_with_their_slope(slices):
    said = compare(slices, dose="dose").summary()
    # 20.5 % over a dose of 20.
    assert "Linear trend over dose: +1.025 per unit of dose [0.640, 1.410], t(6) = 6.51" in said
    assert "Jonckheere-Terpstra: z = 2.31, P = 0.0286 (exact)." in said  # 2 of the 70 orders


def test_what_was_left_out_is_told(slices):
    slices.loc[0, "potentiation_percent"] = math.nan
    slices["excluded"] = ["", "slice moved"] + [""] * 14
    said = compare(slices).summary()
    assert said.endswith("2 rows left out: value missing (1) and slice moved (1).")
    assert "n = 7 animals (3 vehicle and 4 high), from 14 slices" in said


def test_a_comparison_shows_itself_as_its_sentence(slices):
    result = compare(slices)
    assert repr(result) == result.summary()


# Designs: each is told as it was made.


@pytest.fixture
def lanes():
    """Logs with differences of log 1.5 and log 2 from vehicle, three membranes, a weight."""
    noise = [0.10, -0.10, 0.0, -0.05, 0.10, -0.05, 0.02, 0.03, -0.05]
    rows = [
        (
            f"{group}{i}",
            f"B{i}",
            group,
            fold * math.exp(0.4 * i + noise[3 * j + i]),
            20.0 + noise[(5 * i + j) % 9],
        )
        for j, (group, fold) in enumerate((("vehicle", 2.0), ("low", 3.0), ("high", 4.0)))
        for i in range(3)
    ]
    return pd.DataFrame(rows, columns=["animal", "membrane", "group", "psd95", "weight"])


def blot(lanes, **arguments):
    given = {"group": "group", "order": ["vehicle", "low", "high"]} | arguments
    return stats.compare(lanes, "psd95", **given)


def test_ratios_are_told_as_folds_with_their_interval(lanes):
    result = blot(lanes, scale="log", block="membrane")
    row = result.posthoc.iloc[0]
    assert f"low / vehicle 1.50-fold (95% CI {row['ratio_low']:.2f} to {row['ratio_high']:.2f}), P = " in (
        result.summary()
    )
    assert "high / vehicle 2.00-fold (" in result.summary()
    assert "−" not in result.summary().split("adjusted means: ")[1].split(", P")[0]


@pytest.mark.parametrize(
    ("arguments", "said", "unsaid"),
    [
        ({"block": "membrane"}, "a linear model with membrane as block", "covariate"),
        ({"covariate": "weight"}, "a linear model with weight as covariate", "block"),
        (
            {"block": "membrane", "covariate": "weight"},
            "membrane as block and weight as covariate",
            "Jonckheere",
        ),
        ({"scale": "log"}, "Natural logarithms of the values were compared", "linear model"),
        ({"scale": "logged"}, "differences between groups are ratios of geometric means", "linear model"),
        ({}, "one-way analysis of variance", "ogarithm"),
        ({"block": "membrane", "posthoc": "none"}, "membrane as block", "contrasted"),
    ],
)
def test_the_methods_tell_the_design_and_nothing_else(lanes, arguments, said, unsaid):
    methods = blot(lanes, **arguments).methods()
    assert said in methods
    assert unsaid not in methods
    assert methods.count("..") == 0
    assert "α = 0.05" in methods


def test_every_number_of_the_summary_is_that_of_the_tables(lanes):
    """F, its df, P and the folds as printed, read back."""
    result = blot(lanes, scale="log", block="membrane")
    said = result.summary()
    assert f"F(2, 4) = {result.omnibus.statistic:.1f}, {p_value(result.omnibus.p)}" in said
    for row in result.posthoc.to_dict("records"):
        assert p_value(row["p_adjusted"]) in said

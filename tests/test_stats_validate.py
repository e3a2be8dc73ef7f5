"""Every refusal has one sentence, which says what can still be compared."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.errors import DataError
from labkit.stats import (
    dunn,
    dunnett,
    games_howell,
    hedges_g,
    jonckheere,
    kruskal,
    one_way,
    trend,
    tukey,
    welch,
)
from labkit.stats.validate import cautions, check, choice, constant, level

FINE = {"vehicle": [1.0, 2.0, 4.0], "low": [2.0, 3.0, 5.0], "high": [4.0, 6.0, 7.0]}


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        ({}, "no group has values; expected at least two groups"),
        ({"vehicle": [1, 2]}, "only group 'vehicle' has values; expected at least two groups"),
        ({"vehicle": [1, 2], "low": []}, "only group 'vehicle' has values"),
        (FINE | {"low": []}, "group 'low' has no values; .*: vehicle and high can still be compared"),
        (
            FINE | {"low": [1, np.nan]},
            "group 'low' has values that are missing or infinite; .* without it, vehicle and high can",
        ),
        (FINE | {"low": [1, np.inf]}, "group 'low' has values that are missing or infinite"),
        ({"vehicle": [1], "low": [2], "high": [4]}, "every group has a single value"),
        ({"vehicle": [3, 3], "low": [3, 3]}, "all 4 values are 3; .* no comparison can be made"),
        ({"vehicle": [1, 1], "low": [3, 3]}, "no group varies: .* only ranks can be compared"),
    ],
)
@pytest.mark.parametrize("test", [one_way, welch, dunnett, tukey, games_howell, hedges_g, trend])
def test_the_parametric_tests_refuse_in_the_same_words(test, samples, sentence):
    if not samples and test in (dunnett, hedges_g):
        samples = {"vehicle": []}
    with pytest.raises(DataError, match=sentence):
        test(samples)


@pytest.mark.parametrize("test", [kruskal, dunn, jonckheere])
def test_ranks_need_no_variance_within_groups_but_some_in_all(test):
    test({"vehicle": [1, 1], "low": [3, 3]})
    with pytest.raises(DataError, match="all 4 values are 3"):
        test({"vehicle": [3, 3], "low": [3, 3]})


def test_welch_names_the_group_that_it_cannot_weigh():
    with pytest.raises(
        DataError, match=r"and group 'low' has fewer; .*: vehicle and high can still be compared"
    ):
        welch(FINE | {"low": [1]})
    with pytest.raises(
        DataError, match=r"and group 'low' has none: .*: vehicle and high can still be compared"
    ):
        welch(FINE | {"low": [2, 2, 2]})


def test_an_unknown_control_or_choice_names_the_known():
    with pytest.raises(
        DataError, match="control 'saline' is not among the groups; expected one of vehicle, low and"
    ):
        dunnett(FINE, control="saline")
    with pytest.raises(DataError, match="omnibus is 'anovva'; expected one of 'anova' or 'welch'"):
        choice("anovva", ("anova", "welch"), name="omnibus")
    with pytest.raises(DataError, match="alpha is 5; expected a number between 0 and 1"):
        level(5)


def test_cautions_name_single_and_constant_groups():
    checked = check(FINE | {"N2A": [1], "flat": [3, 3]}, test="A test")
    single, same = cautions(checked, unit="animal")
    assert single.startswith("Group 'N2A' has a single animal: no SD and no CI")
    assert "vehicle, low, high and flat can still be compared without that assumption" in single
    assert same.startswith("Group 'flat' has no variance")
    assert cautions(check(FINE, test="A test")) == ()
    assert all("variance of the other groups" not in said for said in cautions(checked, ranks=True))


def test_constant_allows_the_rounding_of_means_and_no_more():
    mean = np.mean([0.1, 0.1, 0.1])
    assert mean != 0.1
    assert constant(np.array([0.1, mean]))
    # NIST's hardest sets hold differences of 0.1 on 1e12, some 800 units of rounding.
    assert not constant(np.array([1e12 + 0.1, 1e12 + 0.2]))

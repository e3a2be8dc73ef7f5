"""Agreement of two looks against published values and arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DataError
from labkit.stats import icc, kappa

# Shrout and Fleiss (1979), Psychological Bulletin 86:420, table 2: six targets, four judges.
SHROUT = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_icc_is_the_published_one():
    found = icc(SHROUT)
    assert found.value == pytest.approx(0.29, abs=0.005)  # printed with two digits
    # the interval that the R package psych documents for these data, two digits
    assert (found.ci_low, found.ci_high) == pytest.approx((0.02, 0.76), abs=0.005)
    assert found.n == 6


def test_icc_by_hand():
    """Two things, two looks: 1, 1 and 3, 3 agree wholly; a look one higher for all lowers it."""
    assert icc([[1, 1], [3, 3]]).value == 1
    # MS between 4, of looks 1, rest 0: (4 - 0) / (4 + 0 + 2 (1 - 0) / 2) = 0.8
    assert icc([[1, 2], [3, 4]]).value == pytest.approx(0.8)


@settings(max_examples=30, deadline=None)
@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(0, 5))
def test_icc_does_not_depend_on_unit_zero_or_order(shift, scale, turn):
    there = icc(SHROUT).value
    moved = np.roll(np.array(SHROUT, float), turn, axis=0) * scale + shift
    assert icc(moved).value == pytest.approx(there, rel=1e-6)  # cancellation at shift / scale = 1e4


def test_what_cannot_be_known_is_nan_and_what_is_wrong_is_told():
    assert np.isnan(icc([[1, 1], [1, 1]]).value)
    assert np.isnan(icc([[1, 2], [np.nan, 2]]).value)
    assert np.isnan(kappa(["a"], ["a"]).value)
    with pytest.raises(DataError, match="one column per look"):
        icc([1, 2, 3])
    with pytest.raises(DataError, match="2 and 1 classes"):
        kappa(["a", "b"], ["a"])


def test_kappa_by_hand():
    """20, 5, 10 and 15 of 50: observed 0.7, by chance 0.5 (Wikipedia's example), so 0.4."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = kappa(first, second)
    assert found.value == pytest.approx(0.4)
    assert found.ci_low < 0.4 < found.ci_high
    assert kappa(second, first).value == pytest.approx(0.4)

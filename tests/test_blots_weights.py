"""Molecular weights from markers whose course is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import blots
from labkit.demo import membrane
from labkit.errors import DataError

KDA = [250, 150, 100, 75, 50, 37, 25, 20, 15, 10]


def straight(kda):
    """Rows of proteins that run straight in the logarithm: 250 kDa at row 50, 10 kDa at row 450."""
    return membrane.log_rows(kda, first=(250, 50.0), last=(10, 450.0))


@pytest.mark.parametrize("method", ["linear", "quadratic", "pchip"])
def test_a_straight_course_is_recovered_by_every_method(method):
    ladder = blots.weights(KDA, position_px=straight(KDA), method=method)
    kda, beyond = ladder.weight_at(straight([95, 43, 42, 38, 16]))
    assert kda == pytest.approx([95, 43, 42, 38, 16], rel=1e-6)
    assert not beyond.any()
    assert ladder.error_percent == pytest.approx(0, abs=1e-6)


def bent(kda):
    """A parabola that runs on ever less."""
    share = np.log10(250 / np.asarray(kda, float)) / np.log10(25)
    return 50 + 500 * share - 100 * share**2


def test_a_bent_course_is_followed_and_a_line_says_how_wrong_it_is():
    line = blots.weights(KDA, position_px=bent(KDA), method="linear")
    best = blots.weights(KDA, position_px=bent(KDA))
    assert best.method in ("quadratic", "pchip")
    assert best.error_percent < 0.5 * line.error_percent
    assert best.weight_at(bent([43]))[0] == pytest.approx([43], rel=0.02)
    # What the residual promises: markers left out are missed by so much.
    assert line.error_percent > 5


def test_residuals_are_of_markers_left_out():
    """By hand: between 100 kDa at 100 and 25 kDa at 300, row 200 is 50 kDa; the marker says 55."""
    ladder = blots.weights([100, 55, 25], position_px=[100, 200, 300])
    assert ladder.method == "linear"
    assert ladder.residual_percent[1] == pytest.approx(100 * (50 / 55 - 1))
    assert ladder.error_percent == pytest.approx(100 * (1 - 50 / 55))


def test_few_markers_get_a_line():
    assert blots.weights(KDA[:4], position_px=bent(KDA[:4])).method == "linear"


@settings(max_examples=40, deadline=None)
@given(row=st.floats(-200, 700))
def test_no_weight_beyond_the_markers(row):
    ladder = blots.weights(KDA, position_px=straight(KDA))
    kda, beyond = ladder.weight_at(row)
    assert beyond == (row < 50 or row > 450)
    assert np.isnan(kda) == beyond
    assert beyond or 10 - 1e-9 <= kda <= 250 + 1e-9


def test_order_of_the_markers_does_not_matter():
    first = blots.weights(KDA, position_px=straight(KDA))
    second = blots.weights(KDA[::-1], position_px=straight(KDA)[::-1])
    assert second.weight_at([123.0, 300.0])[0] == pytest.approx(first.weight_at([123.0, 300.0])[0])


@pytest.mark.parametrize(
    ("kda", "rows", "options", "words"),
    [
        ([100, 50], [1, 2, 3], {}, "3 rows and 2 weights"),
        ([100], [1], {}, "two or more"),
        ([50, 100], [1, 2], {}, "50, 100 kDa from top to bottom; expected weights that fall"),
        ([100, 50], [1, 1], {}, "each at a row of its own"),
        ([100, -50], [1, 2], {}, "expected weights that fall"),
        ([100, 50], [1, 2], {"method": "cubic"}, "expected linear or quadratic or pchip"),
        ([100, 50], [1, 2], {"method": "quadratic"}, "three or more"),
        ([100, 50], [1, 2], {"smile": blots.Band(np.zeros(4), 3.0)}, "the ladder lane is None"),
        ([100, 99, 10], [1, 50, 51], {"method": "quadratic"}, "turns within the ladder"),
    ],
)
def test_ladders_that_cannot_be(kda, rows, options, words):
    with pytest.raises(DataError, match=words):
        blots.weights(kda, position_px=rows, **options)


@pytest.fixture(scope="module")
def gel():
    """A ladder in lane 1 and one target of 43 kDa in lanes 2 to 6; a smile of 12 px."""
    x = 40.0 + 56 * np.arange(6)
    layout = membrane.Layout((500, 360), x, width_px=30.0, smile_px=12.0)
    ladder = np.zeros((len(KDA), 6))
    ladder[:, 0] = 3e5
    target = np.array([[0, 4e5, 3e5, 5e5, 2e5, 4e5]])
    light = membrane.bands(ladder, rows_px=straight(KDA), layout=layout)
    light += membrane.bands(target, rows_px=straight([43]), layout=layout)
    rng = np.random.default_rng(0)
    light += membrane.background(layout, rng=rng)
    return blots.as_image(membrane.photograph(light, rng=rng), polarity="bright"), layout


def test_markers_are_found_and_weigh_the_target(gel):
    image, layout = gel
    lanes = blots.find_lanes(image, 6)
    rows = blots.find_markers(image, lanes, lane=1, n=len(KDA))
    assert rows == pytest.approx([layout.bands_y(row)[0] for row in straight(KDA)], abs=0.7)
    band = blots.find_band(image, lanes, near_px=float(straight([43])[0]))
    ladder = blots.weights(KDA, position_px=rows, smile=band, lane=1)
    table = blots.measure(image, lanes, band=band, ladder=ladder)
    # With the smile taken back, a row of error is 0.8 % of weight here; the row of the target in the ladder
    # lane is that of the curve.
    assert table["weight_kda"].to_numpy() == pytest.approx(np.full(6, 43.0), rel=0.03)
    # Without it, the middle lanes run 9 rows lower and weigh less.
    flat = blots.weights(KDA, position_px=rows)
    assert blots.measure(image, lanes, band=band, ladder=flat)["weight_kda"].iloc[3] < 41


def test_bands_beyond_the_ladder_are_flagged(gel):
    image, _ = gel
    lanes = blots.find_lanes(image, 6)
    ladder = blots.weights([50, 37, 25], position_px=straight([50, 37, 25]))
    table = blots.measure(image, lanes, band=blots.Band(np.full(6, 60.0), 10.0), ladder=ladder)
    assert table["weight_kda"].isna().all()
    assert table["flags"].str.contains("beyond the markers").all()


def test_markers_that_do_not_stand_out_are_told(gel):
    image, _ = gel
    lanes = blots.find_lanes(image, 6)
    assert len(blots.find_markers(image, lanes, lane=1)) == len(KDA)
    with pytest.raises(DataError, match="markers stand out in lane 2; expected 10"):
        blots.find_markers(image, lanes, lane=2, n=10)
    with pytest.raises(DataError, match="the ladder lane is 9; expected 1 to 6"):
        blots.find_markers(image, lanes, lane=9)

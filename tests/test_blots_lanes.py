"""Lanes of simulated membranes whose lanes are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import blots
from labkit.demo import membrane
from labkit.errors import DataError

# Lanes are 40 px apart and 26 px wide here: 2 px is a twentieth of the pitch, less than the 15 % that are
# left out.
NEAR_PX = 2.0


def picture(volumes, *, shape=(200, 420), rows=(100,), seed=1, x=None, **options):
    """A membrane with lanes 40 px apart, its image and its layout; volumes (B, N) or (N,)."""
    volumes = np.atleast_2d(np.asarray(volumes, float))
    n = volumes.shape[1]
    x = shape[1] / 2 + 40.0 * (np.arange(n) - (n - 1) / 2) if x is None else np.asarray(x, float)
    layout = membrane.Layout(shape=shape, x_px=x, width_px=26.0, **options)
    rng = np.random.default_rng(seed)
    light = membrane.bands(volumes, rows_px=rows, layout=layout) + membrane.background(layout, rng=rng)
    return blots.as_image(membrane.photograph(light, rng=rng), polarity="bright"), layout


def worst(lanes, layout, row=100.0):
    return float(np.abs(lanes.centre(row) - layout.lanes_x(row)).max())


@pytest.mark.parametrize("n", [2, 3, 5, 8, 10])
def test_lanes_stand_where_they_were_loaded(n):
    image, layout = picture(np.full(n, 4e5))
    lanes = blots.find_lanes(image, n)
    assert worst(lanes, layout) < NEAR_PX
    # 85 % of the 40 px between two lanes, less than 5 % off.
    assert lanes.half_width_px == pytest.approx(np.full(n, 17.0), rel=0.05)
    assert lanes.flags == ("",) * n


@pytest.mark.parametrize("n", [3, 6, 10])
def test_number_of_lanes_is_proposed(n):
    volumes = np.random.default_rng(n).uniform(1e5, 6e5, n)
    image, layout = picture(volumes)
    lanes = blots.find_lanes(image)
    assert len(lanes) == n
    assert worst(lanes, layout) < NEAR_PX


def test_a_strong_lane_does_not_hide_weak_ones():
    """Sixty to one, and the weak bands still ten times the noise of a pixel at their peak."""
    image, layout = picture([1e5, 6e6, 1e5, 1e5, 3e6, 1e5, 1e5, 1e5])
    assert worst(blots.find_lanes(image, 8), layout) < NEAR_PX


def test_empty_lanes_are_placed_by_the_comb_and_flagged():
    image, layout = picture([4e5, 4e5, 0, 3e5, 4e5, 0, 0, 5e5, 4e5])
    lanes = blots.find_lanes(image, 9)
    assert worst(lanes, layout) < NEAR_PX
    empty = [lane for lane, flag in enumerate(lanes.flags) if "nothing stands out" in flag]
    assert empty == [2, 5, 6]


def test_smile_and_skew_do_not_move_lanes():
    image, layout = picture(np.full(9, 4e5), smile_px=25.0, skew=0.03)
    assert worst(blots.find_lanes(image, 9), layout) < NEAR_PX


@pytest.mark.parametrize("lean", [-0.05, 0.04])
def test_leaning_lanes_are_followed(lean):
    """Three degrees over 150 rows are 8 px, a fifth of the pitch."""
    volumes = np.full((4, 8), 4e5)
    rows = (30, 80, 130, 180)
    image, layout = picture(volumes, rows=rows, lean=lean)
    lanes = blots.find_lanes(image, 8)
    for row in rows:
        assert worst(lanes, layout, float(row)) < NEAR_PX + 1  # the angle is sought in steps of 0.5 degrees


def test_uneven_lanes_leave_the_comb():
    x = np.array([40, 78, 122, 158, 204, 240, 283, 318.0])
    image, layout = picture(np.full(8, 4e5), x=x)
    assert worst(blots.find_lanes(image, 8), layout) < NEAR_PX


def test_membrane_edges_specks_and_text_are_no_lanes():
    image, layout = picture(np.full(6, 4e5), shape=(200, 420))
    values = image.signal.copy()
    values[:15], values[:, :12], values[-6:] = 3000, 3000, 9000  # edges and a rim
    values[30:38, 300:303] = 20000  # a stroke of text
    rng = np.random.default_rng(3)
    for y, x in zip(rng.integers(20, 180, 30), rng.integers(20, 400, 30), strict=True):
        values[y : y + 2, x : x + 2] += 20000
    lanes = blots.find_lanes(blots.as_image(values, polarity="bright"), 6)
    assert worst(lanes, layout) < NEAR_PX


def test_ladder_of_other_rows_is_left_out_when_the_count_says_so():
    """Eight sample lanes with a band on one row, and a ladder with six others, all alike in pitch."""
    volumes = np.zeros((7, 9))
    volumes[0, 1:] = 3e5
    volumes[1:, 0] = 2e5
    image, layout = picture(volumes, rows=(100, 20, 45, 70, 125, 150, 180))
    lanes = blots.find_lanes(image, 8)
    assert np.abs(lanes.centre(100.0) - layout.x_px[1:]).max() < NEAR_PX


def test_region_holds_the_comb():
    """Told to look at the right half only, it finds the four lanes there."""
    image, layout = picture(np.full(8, 4e5))
    lanes = blots.find_lanes(image, 4, roi=(60, 140, 210, 370))
    assert np.abs(lanes.centre(100.0) - layout.x_px[4:]).max() < NEAR_PX
    assert (lanes.top_px, lanes.bottom_px, lanes.left_px, lanes.right_px) == (60, 140, 210, 370)
    assert len(blots.find_lanes(image, roi=(60, 140, 210, 370))) == 4


def test_confidence_tells_bands_from_noise():
    image, _ = picture(np.full(8, 4e5))
    noise = np.random.default_rng(0).normal(600, 40, (200, 420)).astype(np.uint16)
    sure = blots.find_lanes(image, 8).confidence
    unsure = blots.find_lanes(blots.as_image(noise, polarity="bright"), 8).confidence
    assert sure > 0.8 > 0.5 > unsure


@pytest.fixture(scope="module")
def uneven():
    return picture([4e5, 2e5, 6e5, 1e5, 3e5, 5e5, 2e5], smile_px=10.0)[0]


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(0.01, 100), level=st.floats(-1e4, 1e4), ramp=st.floats(-5, 5))
def test_contrast_and_background_do_not_move_lanes(uneven, factor, level, ramp):
    base = blots.find_lanes(uneven, 7)
    other = factor * (uneven.signal + level + ramp * np.arange(uneven.shape[0])[:, np.newaxis])
    lanes = blots.find_lanes(blots.as_image(other, polarity="bright"), 7)
    # A ramp changes which side of a band is the higher one, by a part of a pixel here.
    assert np.abs(lanes.centre(100.0) - base.centre(100.0)).max() < 1.0


def test_mirrored_and_moved_images_give_mirrored_and_moved_lanes(uneven):
    """To a tenth of a pixel: blocks of two pixels begin at the other end."""
    base = blots.find_lanes(uneven, 7).centre(100.0)
    mirrored = blots.find_lanes(blots.as_image(uneven.signal[:, ::-1], polarity="bright"), 7).centre(100.0)
    assert uneven.shape[1] - 1 - mirrored[::-1] == pytest.approx(base, abs=0.5)
    moved = np.roll(uneven.signal, 10, axis=1)
    assert blots.find_lanes(blots.as_image(moved, polarity="bright"), 7).centre(100.0) == pytest.approx(
        base + 10, abs=0.5
    )


@pytest.mark.parametrize(
    ("n", "roi", "words"),
    [
        (0, None, "0 lanes are asked for"),
        (-2, None, "-2 lanes are asked for"),
        (2.5, None, "2.5 lanes are asked for"),
        (90, None, "90 lanes are asked for in a region of"),
        (8, (60, 140, 300, 340), "8 lanes are asked for in a region of 40 columns"),
        (4, (60, 140, 500, 600), "expected a region within the image"),
        (4, (140, 60, 0, 100), "expected a region within the image"),
        (4, (60, 62, 0, 100), "less than 5 px"),
        (4, "all", "roi is 'all'"),
    ],
)
def test_what_cannot_be_is_refused(n, roi, words):
    image, _ = picture(np.full(8, 4e5))
    with pytest.raises(DataError, match=words):
        blots.find_lanes(image, n, roi=roi)


def test_an_image_without_bands_has_no_number_of_lanes():
    with pytest.raises(DataError, match="nothing in the image looks like"):
        blots.find_lanes(blots.as_image(np.full((100, 100), 7.0), polarity="bright"))


def test_lanes_survive_as_a_pick():
    image, _ = picture(np.full(6, 4e5), lean=0.03)
    lanes = blots.find_lanes(image, 6)
    back = blots.Lanes.from_pick(lanes.as_pick())
    assert back.centre(77.0) == pytest.approx(lanes.centre(77.0), abs=0.011)
    assert back.half_width_px == pytest.approx(lanes.half_width_px, abs=0.006)
    assert back.confidence == 1.0


@pytest.mark.parametrize(
    "pick",
    [
        {},
        {"roi": [0, 10, 0, 10], "lanes": []},
        {"roi": [0, 10, 0], "lanes": [[1, 1, 1]]},
        {"roi": [0, 10, 0, 10], "lanes": [[1, 1, 0]]},
        {"roi": [0, 10, 0, 10], "lanes": [[1, float("nan"), 1]]},
        {"roi": [10, 0, 0, 10], "lanes": [[1, 1, 1]]},
        {"roi": [0, 10, 0, 10], "lanes": [["a", 1, 1]]},
    ],
)
def test_damaged_picks_are_told(pick):
    with pytest.raises(DataError, match="pick of the lanes"):
        blots.Lanes.from_pick(pick)

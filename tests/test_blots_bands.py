"""Windows and volumes of simulated membranes whose bands are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import blots
from labkit.blots.background import arpls_baseline
from labkit.demo import membrane
from labkit.errors import DataError

SHAPE = (240, 360)
X = np.array([40.0, 96.0, 152.0, 208.0, 264.0, 320.0])
VOLUMES = np.array([4e5, 1e5, 8e5, 2e5, 6e5, 3e5])


def lanes_at(x=X, half=24.0, shape=SHAPE):
    """Lanes wide enough for the whole band: what is measured is then the volume that was stated."""
    roi = [0, shape[0], 0, shape[1]]
    return blots.Lanes.from_pick({"roi": roi, "lanes": [[value, value, half] for value in x]})


def light(volumes=VOLUMES, *, rows=(120.0,), smile=0.0, **options):
    layout = membrane.Layout(shape=SHAPE, x_px=X, width_px=30.0, smile_px=smile)
    return membrane.bands(np.atleast_2d(volumes), rows_px=rows, layout=layout, **options), layout


def photographed(signal, layout, *, seed=0, level=600.0, **options):
    rng = np.random.default_rng(seed)
    under = membrane.background(layout, rng=rng, level=level, **options)
    return blots.as_image(membrane.photograph(signal + under, rng=rng), polarity="bright")


def window(row=120.0, half=16.0, n=6):
    return blots.Band(np.full(n, row), half)


# Volumes


def test_stated_volumes_are_measured_without_noise():
    """Soft edges leave 1 in 10 000 outside of the window."""
    signal, _ = light()
    image = blots.as_image(signal + 500.0, polarity="bright")
    table = blots.measure(image, lanes_at(), band=window())
    assert table["volume"].to_numpy() == pytest.approx(VOLUMES, rel=1e-3)
    assert table["volume_arpls"].to_numpy() == pytest.approx(VOLUMES, rel=0.02)
    assert table["lane"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["raw"].to_numpy() == pytest.approx((table["background"] + table["volume"]).to_numpy())
    assert set(table["flags"]) == {""}


def test_stated_volumes_are_measured_on_an_uneven_noisy_membrane():
    """The limit of detection is three standard deviations of the noise; shot noise of a band is below 1 %."""
    signal, layout = light()
    image = photographed(signal, layout, gradient=(0.8, 0.5))
    table = blots.measure(image, lanes_at(), band=window())
    error = table["volume"].to_numpy() - VOLUMES
    assert np.all(np.abs(error) < table["lod"].to_numpy() + 0.01 * VOLUMES)
    assert np.all(table["lod"] < 0.15 * VOLUMES)


def test_a_box_is_summed_by_hand():
    """A 10 x 5 block of 40 on a ramp: 2000, whatever the ramp; the window of 17 x 13 px holds it whole."""
    signal = np.zeros((60, 90)) + 3.0 * np.arange(60)[:, np.newaxis]
    signal[28:33, 40:50] += 40
    lanes = blots.Lanes.from_pick({"roi": [0, 60, 0, 90], "lanes": [[44.5, 44.5, 8.5]]})
    row = blots.measure(
        blots.as_image(signal, polarity="bright"), lanes, band=blots.Band(np.array([30.0]), 6.5)
    ).iloc[0]
    assert row["volume"] == pytest.approx(2000)
    assert row["raw"] == pytest.approx(17 * 13 * 90 + 2000)


def test_edge_pixels_count_for_their_part():
    """Moved by a quarter pixel, a window in an even field of 10 beside an edge gains a quarter row of it."""
    signal = np.zeros((60, 40))
    signal[30:] = 10.0
    lanes = blots.Lanes.from_pick({"roi": [0, 60, 0, 40], "lanes": [[20, 20, 5]]})
    image = blots.as_image(signal, polarity="bright")
    raws = [
        blots.measure(image, lanes, band=blots.Band(np.array([y]), 4.0))["raw"].iloc[0] for y in (29.5, 29.75)
    ]
    assert raws == pytest.approx([4 * 10 * 10, 4.25 * 10 * 10])


def test_what_lies_below_the_background_is_negative():
    signal = np.full((60, 40), 100.0)
    signal[28:33, 15:26] -= 30
    lanes = blots.Lanes.from_pick({"roi": [0, 60, 0, 40], "lanes": [[20, 20, 8]]})
    row = blots.measure(
        blots.as_image(signal, polarity="bright"), lanes, band=blots.Band(np.array([30.0]), 6.0)
    ).iloc[0]
    assert row["volume"] == pytest.approx(-30 * 5 * 11)
    assert "below the limit of detection" in row["flags"]


def test_leaning_lanes_are_integrated_along_their_line():
    x = X[1:5]
    layout = membrane.Layout(shape=SHAPE, x_px=x, width_px=30.0, lean=0.1)
    signal = membrane.bands(np.full((2, 4), 3e5), rows_px=[60.0, 180.0], layout=layout)
    top, bottom = layout.lanes_x(0.0), layout.lanes_x(240.0)
    pick = {"roi": [0, 240, 0, 360], "lanes": np.column_stack([top, bottom, np.full(4, 24.0)]).tolist()}
    table = blots.measure(
        blots.as_image(signal + 100, polarity="bright"),
        blots.Lanes.from_pick(pick),
        band={"a": window(60.0, n=4), "b": window(180.0, n=4)},
    )
    # Bands stand upright while the lane leans by 3 px over the window: 0.1 % of the soft edge is lost.
    assert table["volume"].to_numpy() == pytest.approx(np.full(8, 3e5), rel=5e-3)


@pytest.fixture(scope="module")
def blot():
    signal, layout = light(rows=(80.0,), smile=12.0)
    return photographed(signal, layout)


def columns(table, *names):
    return table[[*names]].to_numpy(float)


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(1e-3, 1e3))
def test_volumes_scale_with_the_signal(blot, factor):
    names = ("raw", "background", "volume", "lod")
    first = blots.measure(blot, lanes_at(), band=window(78.0))
    scaled = blots.as_image(factor * blot.signal, polarity="bright")
    second = blots.measure(scaled, lanes_at(), band=window(78.0))
    assert columns(second, *names) == pytest.approx(factor * columns(first, *names), rel=1e-9)
    # arPLS stops at a tolerance of its own, on the same path.
    assert columns(second, "volume_arpls") == pytest.approx(factor * columns(first, "volume_arpls"), rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(level=st.floats(-1e4, 1e4), ramp=st.floats(-50, 50))
def test_level_and_ramp_along_the_lane_change_nothing(blot, level, ramp):
    first = blots.measure(blot, lanes_at(), band=window(78.0))
    other = blot.signal + level + ramp * np.arange(SHAPE[0])[:, np.newaxis]
    second = blots.measure(blots.as_image(other, polarity="bright"), lanes_at(), band=window(78.0))
    # 1e-9 of the greatest sum: rounding.
    assert columns(second, "volume", "lod") == pytest.approx(columns(first, "volume", "lod"), abs=1e-2)
    assert columns(second, "volume_arpls") == pytest.approx(columns(first, "volume_arpls"), rel=1e-3)


def test_a_mirrored_image_permutes_the_lanes(blot):
    first = blots.measure(blot, lanes_at(), band=window(78.0))
    mirrored = blots.as_image(blot.signal[:, ::-1], polarity="bright")
    second = blots.measure(mirrored, lanes_at(SHAPE[1] - 1 - X[::-1]), band=window(78.0))
    assert columns(second, "volume", "lod")[::-1] == pytest.approx(columns(first, "volume", "lod"), rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(down=st.integers(-20, 20), right=st.integers(-10, 10))
def test_a_moved_image_moves_positions_only(blot, down, right):
    first = blots.measure(blot, lanes_at(), band=window(78.0))
    moved = blots.as_image(np.roll(blot.signal, (down, right), (0, 1)), polarity="bright")
    second = blots.measure(moved, lanes_at(X + right), band=window(78.0 + down))
    assert columns(second, "volume") == pytest.approx(columns(first, "volume"), rel=1e-9)
    assert columns(second, "position_px") == pytest.approx(columns(first, "position_px") + down)


def test_a_lane_is_measured_without_regard_to_the_others(blot):
    whole = blots.measure(blot, lanes_at(), band=window(78.0))
    values = blot.signal.copy()
    values[:, :70] *= 3  # other lanes, twice as bright
    some = blots.measure(blots.as_image(values, polarity="bright"), lanes_at(X[2:4]), band=window(78.0, n=2))
    pd.testing.assert_frame_equal(
        some.drop(columns="lane"), whole.iloc[2:4].reset_index(drop=True).drop(columns="lane")
    )


def test_order_of_windows_does_not_matter(blot):
    one = {"a": window(78.0), "b": window(150.0)}
    first = blots.measure(blot, lanes_at(), band=one)
    second = blots.measure(blot, lanes_at(), band=dict(reversed(one.items())))
    pd.testing.assert_frame_equal(
        first, second.sort_values(["band", "lane"]).reset_index(drop=True), check_dtype=True
    )


# Limit of detection


def test_empty_windows_exceed_the_limit_as_often_as_three_deviations_do():
    """1000 windows of noise: 0.13 % is expected; more than 7 of them (5 in 100 000 by Poisson) is a fault.

    The spread of what they measure is a third of the limit, to 7 % (three standard errors of a deviation from
    1000).
    """
    rng = np.random.default_rng(5)
    ratios = []
    for _ in range(50):
        image = blots.as_image(rng.normal(600, 40, (120, 1200)).round().astype(np.uint16), polarity="bright")
        lanes = lanes_at(30.0 + 60 * np.arange(20), shape=(120, 1200))
        table = blots.measure(image, lanes, band=window(60.3, 12.0, n=20))
        ratios.append((table["volume"] / table["lod"]).to_numpy())
    ratios = np.concatenate(ratios)
    assert (ratios > 1).sum() <= 7
    assert 3 * ratios.std() == pytest.approx(1.0, abs=0.07)
    assert abs(ratios.mean()) < 3 * ratios.std() / np.sqrt(len(ratios))


def test_weak_lanes_are_flagged_and_keep_their_number():
    signal, layout = light([4e5, 0, 3e3, 2e5, 1e5, 0])
    image = photographed(signal, layout)
    table = blots.measure(image, lanes_at(), band=window())
    weak = table["flags"].str.contains("below the limit of detection")
    assert weak.tolist() == [False, True, True, False, False, True]
    assert np.isfinite(table["volume"]).all()


def test_a_clipped_background_is_limited_by_its_grey_values():
    """Every background pixel is 0: the limit is then that of rounding, 1/sqrt(12), and not nothing."""
    signal, _ = light(VOLUMES / 100)
    image = blots.as_image(np.uint8(np.rint(signal)), polarity="bright")
    table = blots.measure(image, lanes_at(), band=window())
    area = 48 * 32
    assert np.all(table["lod"] > 3 * np.sqrt(area / 12))
    assert np.all(table["lod"] < 10 * np.sqrt(area / 12))


# Flags


def test_saturated_pixels_are_counted():
    signal, _ = light()
    rng = np.random.default_rng(0)
    values = membrane.photograph(signal + 600, rng=rng, clipped_at=1500)
    image = blots.as_image(values, polarity="bright")
    table = blots.measure(image, lanes_at(), band=window())
    clipped = [int(image.saturated[104:137, int(x) - 24 : int(x) + 25].sum()) for x in X]
    assert table["n_at_max"].tolist() == clipped
    assert (table["flags"].str.contains("saturated") == (np.array(clipped) > 0)).all()
    assert any(clipped)
    assert not all(clipped)
    # The window holds 33 x 49 pixels by half or more.
    assert table["saturated"].to_numpy() == pytest.approx(np.array(clipped) / (33 * 49), rel=0.05)


def test_a_neighbouring_band_does_not_pass_for_background():
    """A second band in the strip below: the valley between both is taken, and said so."""
    signal, _ = light([VOLUMES, np.full(6, 9e5)], rows=(120.0, 148.0))
    image = blots.as_image(signal + 500.0, polarity="bright")
    table = blots.measure(image, lanes_at(), band=window(120.0, 13.0))
    assert table["flags"].str.contains("a band below reaches into the background").all()
    # Without the valley, the strip reads a third of the neighbour's height: most volumes would be negative.
    assert table["volume"].to_numpy() == pytest.approx(VOLUMES, rel=0.05)


def test_windows_that_overlap_are_told():
    signal, _ = light()
    image = blots.as_image(signal + 500.0, polarity="bright")
    near = {"CREB": window(120.0), "actin": window(150.0), "PSD-95": window(40.0)}
    flags = blots.measure(image, lanes_at(), band=near).set_index("band")["flags"]
    assert flags["CREB"].str.contains("the window overlaps that of actin").all()
    assert flags["actin"].str.contains("the window overlaps that of CREB").all()
    assert not flags["PSD-95"].str.contains("overlaps").any()


@pytest.mark.parametrize(("row", "side"), [(14.0, "above"), (226.0, "below")])
def test_a_window_at_the_border_has_one_strip(row, side):
    signal, _ = light(rows=(row,))
    image = blots.as_image(signal + 500.0, polarity="bright")
    table = blots.measure(image, lanes_at(), band=window(row, 13.0))
    assert table["flags"].str.contains(f"no room for the background {side}").all()
    assert table["volume"].to_numpy() == pytest.approx(VOLUMES, rel=0.01)


def test_a_window_cut_by_the_border_is_told():
    signal, _ = light(rows=(5.0,))
    image = blots.as_image(signal + 500.0, polarity="bright")
    table = blots.measure(image, lanes_at(), band=window(5.0))
    assert table["flags"].str.contains("cut by the border").all()
    sides = blots.measure(image, lanes_at(np.array([10.0]), half=24.0), band=window(120.0, n=1))
    assert "cut by the border" in sides["flags"].iloc[0]


def test_without_any_strip_there_is_no_volume():
    image = blots.as_image(np.random.default_rng(0).normal(500, 10, (30, 60)), polarity="bright")
    lanes = blots.Lanes.from_pick({"roi": [0, 30, 0, 60], "lanes": [[30, 30, 10]]})
    row = blots.measure(image, lanes, band=blots.Band(np.array([15.0]), 14.0)).iloc[0]
    assert np.isnan(row["volume"])
    assert np.isfinite(row["raw"])
    assert "no room for the background above; no room for the background below" in row["flags"]


def test_specks_are_told_in_the_window_and_ignored_in_the_strips():
    signal, layout = light()
    clean = photographed(signal, layout)
    values = clean.signal.copy()
    values[119:122, 39:42] += 60000  # in the window of lane 1
    values[97:100, 150:153] += 60000  # in the upper strip of lane 3
    dirty = blots.as_image(values, polarity="bright")
    first, second = (blots.measure(image, lanes_at(), band=window()) for image in (clean, dirty))
    assert not first["flags"].str.contains("speck").any()
    assert second["flags"].str.contains("bright speck").tolist() == [True, *[False] * 5]
    assert second["volume"].iloc[2] == pytest.approx(first["volume"].iloc[2], rel=0.005)


def test_dust_is_told():
    signal, layout = light()
    values = photographed(signal, layout).signal.copy()
    values[112:129, 95:98] = 0
    table = blots.measure(blots.as_image(values, polarity="bright"), lanes_at(), band=window())
    assert table["flags"].str.contains("dust").tolist() == [False, True, *[False] * 4]


def test_disagreement_of_the_backgrounds_is_told():
    """A hollow under the band: the line passes over it and arPLS follows it."""
    signal, layout = light(np.full(6, 1e5))
    rows = np.arange(SHAPE[0])[:, np.newaxis]
    hollow = 5000 * np.exp(-(((rows - 120) / 45) ** 2) / 2)
    image = photographed(signal - hollow, layout, level=8000)
    table = blots.measure(image, lanes_at(), band=window())
    assert table["flags"].str.contains("arPLS background differs by|below the limit").all()


def test_lane_flags_and_painted_pixels_come_along():
    signal, _ = light()
    grey = membrane.photograph(signal + 600, rng=np.random.default_rng(0))
    rgb = np.repeat(grey[..., np.newaxis], 3, axis=2)
    rgb[118:120, 95:98] = (65535, 0, 0)
    image = blots.as_image(rgb, polarity="bright")
    table = blots.measure(image, lanes_at(), band=window())
    assert table["flags"].str.contains("6 px are painted over").tolist() == [False, True, *[False] * 4]


@pytest.mark.parametrize(
    ("lanes", "band", "words"),
    [
        (lanes_at(np.array([900.0])), window(n=1), "lane 1 is outside of the image"),
        (lanes_at(), window(500.0), "row 500 of lane 1 is outside of the image"),
        (lanes_at(), window(n=4), "the window has 4 lanes; expected 6"),
        (lanes_at(), {"CREB": window(n=4)}, "the window of CREB has 4 lanes"),
    ],
)
def test_windows_that_cannot_be_measured_are_refused(blot, lanes, band, words):
    with pytest.raises(DataError, match=words):
        blots.measure(blot, lanes, band=band)


def test_unknown_background_is_refused(blot):
    with pytest.raises(DataError, match="expected linear or arpls"):
        blots.measure(blot, lanes_at(), band=window(78.0), background="rolling ball")


def test_arpls_can_be_the_background(blot):
    linear = blots.measure(blot, lanes_at(), band=window(78.0))
    other = blots.measure(blot, lanes_at(), band=window(78.0), background="arpls")
    assert (other["volume"] == linear["volume_arpls"]).all()
    assert columns(other, "raw") == pytest.approx(
        columns(other, "background") + columns(other, "volume"), rel=1e-12
    )


def test_arpls_is_straight_under_a_band_on_a_ramp():
    y = np.arange(400.0)
    ramp = 50 + 0.2 * y
    rng = np.random.default_rng(0)
    profile = ramp + 300 * np.exp(-(((y - 200) / 8) ** 2) / 2) + rng.normal(0, 1, 400)
    # One grey value is the noise.
    assert np.abs(arpls_baseline(profile, 20.0) - ramp)[20:-20].max() < 2.0


# Finding


def test_the_window_follows_smile_and_keeps_one_height():
    signal, layout = light(smile=25.0)
    image = photographed(signal, layout)
    band = blots.find_band(image, lanes_at())
    assert band.centre_px == pytest.approx(layout.bands_y(120.0), abs=1.0)
    # The box of 8 px with edges of 2.6 px falls to 5 % at 8.3 px, one or two more where it lies askew in its
    # lane, and the window is 1.3 times as high.
    assert 1.3 * 8.3 < band.half_height_px < 1.3 * 10.5
    table = blots.measure(image, lanes_at(), band=band)
    error = table["volume"].to_numpy() - VOLUMES
    assert np.all(np.abs(error) < table["lod"].to_numpy() + 0.02 * VOLUMES)


def test_empty_lanes_lie_on_the_curve_through_the_others():
    signal, layout = light([4e5, 0, 3e5, 0, 4e5, 3e5], smile=20.0)
    band = blots.find_band(photographed(signal, layout), lanes_at())
    assert band.centre_px == pytest.approx(layout.bands_y(120.0), abs=2.0)


def test_the_strongest_common_band_is_found_and_a_near_one_when_told():
    volumes = [np.full(6, 2e5), np.full(6, 5e5), [0, 0, 9e5, 0, 0, 0]]
    signal, layout = light(volumes, rows=(60.0, 130.0, 190.0), smile=10.0)
    image = photographed(signal, layout)
    assert blots.find_band(image, lanes_at()).centre_px == pytest.approx(layout.bands_y(130.0), abs=1.0)
    near = blots.find_band(image, lanes_at(), near_px=62.0)
    assert near.centre_px == pytest.approx(layout.bands_y(60.0), abs=1.0)


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0.01, 100), level=st.floats(-1e4, 1e4))
def test_contrast_does_not_move_the_window(blot, factor, level):
    first = blots.find_band(blot, lanes_at())
    image = blots.as_image(factor * (blot.signal + level), polarity="bright")
    second = blots.find_band(image, lanes_at())
    assert second.centre_px == pytest.approx(first.centre_px, abs=1e-6)
    assert second.half_height_px == pytest.approx(first.half_height_px, abs=1e-6)


def test_a_moved_image_moves_the_window(blot):
    moved = blots.as_image(np.roll(blot.signal, 30, axis=0), polarity="bright")
    first, second = blots.find_band(blot, lanes_at()), blots.find_band(moved, lanes_at())
    assert second.centre_px == pytest.approx(first.centre_px + 30, abs=0.05)


def test_nothing_to_follow_is_told():
    image = blots.as_image(np.full((100, 360), 500.0), polarity="bright")
    with pytest.raises(DataError, match="no band stands out"):
        blots.find_band(image, lanes_at(shape=(100, 360)))


def test_a_row_outside_of_the_region_is_refused(blot):
    with pytest.raises(DataError, match="near row 900; expected a row within"):
        blots.find_band(blot, lanes_at(), near_px=900)


def test_windows_survive_as_picks():
    band = blots.Band(np.array([10.123, 11.0]), 7.777)
    back = blots.Band.from_pick(band.as_pick())
    assert back.centre_px.tolist() == [10.12, 11.0]
    assert back.half_height_px == 7.78


@pytest.mark.parametrize(
    "pick",
    [
        {},
        {"centres": [], "half_height": 3},
        {"centres": [1], "half_height": 0},
        {"centres": [None], "half_height": 3},
    ],
)
def test_damaged_windows_are_told(pick):
    with pytest.raises(DataError, match="pick of the band"):
        blots.Band.from_pick(pick)


def test_every_band_of_a_gel_is_found_and_measured():
    volumes = np.array([VOLUMES, VOLUMES[::-1], np.full(6, 4e5)])
    signal, layout = light(volumes, rows=(50.0, 120.0, 190.0))
    table = blots.measure(photographed(signal, layout), lanes_at())
    assert table.groupby("lane")["band"].apply(list).tolist() == [["1", "2", "3"]] * 6
    error = table.sort_values(["band", "lane"])["volume"].to_numpy() - volumes.ravel()
    assert np.all(np.abs(error) < table["lod"].max() + 0.02 * volumes.ravel())


# Doublets


def pair(apart, *, noise=20.0, ratio=2.0, sigma=6.0):
    """Two Gaussian bands, `apart` standard deviations apart, the lower one `ratio` times stronger."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    signal = np.full(SHAPE, 600.0)
    for centre, height in zip(X, (2000, 3000, 4000, 2500, 6000, 3500), strict=True):
        across = np.exp(-(((x - centre) / 20) ** 6))
        for row, part in ((120 + apart * sigma / 2, 1.0), (120 - apart * sigma / 2, 1 / ratio)):
            signal = signal + across * height * part * np.exp(-(((y - row) / sigma) ** 2) / 2)
    return blots.as_image(signal + rng.normal(0, noise, SHAPE), polarity="bright")


@pytest.mark.parametrize(
    ("apart", "method", "within"),
    # Two Gaussians hold their own here, but the valley cuts through both tails at four deviations.
    [(2.25, "gaussian", 0.02), (3.0, "gaussian", 0.02), (4.5, "valley", 0.03), (6.0, "valley", 0.02)],
)
def test_doublets_are_split_alike_in_all_lanes(apart, method, within):
    image = pair(apart)
    band = window(120.0, 3 * apart + 22)
    table = blots.doublet(image, lanes_at(), band, names=("p-CREB", "ATF-1"))
    assert table.attrs["method"] == method
    parts = table.pivot_table(index="lane", columns="band", values="volume")
    assert (parts["ATF-1"] / parts["p-CREB"]).to_numpy() == pytest.approx(np.full(6, 2.0), rel=within)
    whole = blots.measure(image, lanes_at(), band=band)["volume"].to_numpy()
    assert parts.sum(axis=1).to_numpy() == pytest.approx(whole)
    rows = table.pivot_table(index="lane", columns="band", values="position_px")
    assert (rows["ATF-1"] - rows["p-CREB"]).to_numpy() == pytest.approx(np.full(6, 6 * apart), rel=0.1)


@pytest.mark.parametrize("apart", [0.0, 1.0])
def test_what_cannot_be_told_apart_stays_one_band(apart):
    table = blots.doublet(pair(apart), lanes_at(), window(120.0, 24.0))
    assert table.attrs["method"] == "unresolved"
    assert table["band"].tolist() == ["upper+lower"] * 6
    assert table["flags"].str.contains("unresolved doublet").all()


def test_the_method_can_be_told_and_is_checked():
    table = blots.doublet(pair(4.5), lanes_at(), window(120.0, 35.0), method="gaussian")
    assert table.attrs["method"] == "gaussian"
    assert blots.doublet(pair(4.5), lanes_at(), window(), method="unresolved").attrs["method"] == "unresolved"
    with pytest.raises(DataError, match="expected valley or gaussian or unresolved"):
        blots.doublet(pair(4.5), lanes_at(), window(), method="eye")

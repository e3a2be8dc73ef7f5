"""Real blots: published densities, twins of one file, and images whose truth is stated by others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from labkit import blots

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "blots"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="real blots are not beside this checkout")

# Gels of LDHA: image, table, gel. The images are exports for display with their whites and blacks cut off:
# ranks agree with the published densities, and ratios come out too small.
LDHA = {
    "lf_02_a_ldha_2018-04-21.tif": ("lf_02_hif1a_ldha_immunoblots_2018-04-24.csv", "a"),
    "lf_02_c_ldha_2018-04-21.tif": ("lf_02_hif1a_ldha_immunoblots_2018-04-24.csv", "c"),
    "lf_bay_a_ldha_2018-12-17.tif": ("lf_bay_hif1a_ldha_immunoblots_2018-12-17.csv", "a"),
    "lf_bay_c_ldha_2018-12-17.tif": ("lf_bay_hif1a_ldha_immunoblots_2018-12-17.csv", "c"),
    "pasmc_05_a_ldha_2020-10-08.tif": ("pasmc_05_hif1a_ldha_immunoblots_2020-10-08.csv", "a"),
    "pasmc_05_d_ldha_2020-10-08.tif": ("pasmc_05_hif1a_ldha_immunoblots_2020-10-08.csv", "d"),
}


def measured(image, n):
    lanes = blots.find_lanes(image, n)
    band = blots.find_band(image, lanes)
    return lanes, band, blots.measure(image, lanes, band=band)


@pytest.fixture(scope="module")
def published():
    out = {}
    for name, (table, gel) in LDHA.items():
        rows = pd.read_csv(REAL / "copeland" / table, encoding="utf-8-sig")
        density = rows.loc[rows["gel"] == gel, "ldha"].to_numpy(float)
        image = blots.read(REAL / "copeland" / name)
        out[name] = image, density, measured(image, len(density))
    return out


def test_polarity_is_proposed_right(published):
    assert {image.polarity for image, *_ in published.values()} == {"dark"}


@pytest.mark.parametrize("name", LDHA)
def test_ranks_agree_with_published_densities(published, name):
    _, density, (_, _, table) = published[name]
    assert stats.spearmanr(table["volume"], density)[0] >= 0.90


def test_ranks_and_slopes_agree_in_the_median(published):
    found = [(table["volume"].to_numpy(), density) for _, density, (_, _, table) in published.values()]
    assert np.median([stats.spearmanr(volume, density)[0] for volume, density in found]) >= 0.95
    slopes = [np.polyfit(np.log(density), np.log(volume), 1)[0] for volume, density in found]
    assert 0.7 <= np.median(slopes) <= 1.1


@pytest.mark.parametrize("name", LDHA)
def test_windows_stand_on_the_bands(published, name):
    """Most of what is darker than half of the strongest lies in the windows."""
    image, _, (lanes, band, _) = published[name]
    dark = image.signal > image.signal.max() / 2
    inside = np.zeros(dark.shape, bool)
    for lane, row in enumerate(band.centre_px):
        x, half = lanes.centre(row)[lane], lanes.half_width_px[lane]
        rows = slice(round(row - band.half_height_px), round(row + band.half_height_px) + 1)
        inside[rows, round(x - half) : round(x + half) + 1] = True
    # The outer part of a lane is left out, and with it a tenth of bands that touch each other.
    assert (dark & inside).sum() > 0.8 * dark.sum()


@pytest.mark.parametrize("name", LDHA)
def test_clipping_is_told(published, name):
    *_, (_, _, table) = published[name]
    assert table["flags"].str.contains("saturated").any()


@pytest.fixture(scope="module")
def western():
    image = blots.read(REAL / "chemidoc" / "test4_imglab_analysis.tif")
    return image, *measured(image, 16)


def test_sixteen_lanes_and_a_smile_are_followed(western):
    """By eye: lanes from column 85 to 632, the band from row 355 on the left to 385 on the right."""
    _, lanes, band, table = western
    x = lanes.centre(370.0)
    assert x[[0, -1]] == pytest.approx([85, 632], abs=6)
    assert np.diff(x) == pytest.approx(np.full(15, np.diff(x).mean()), rel=0.15)
    assert band.centre_px[0] == pytest.approx(356, abs=3)
    assert band.centre_px[11:15] == pytest.approx(np.full(4, 385), abs=3)
    assert (table["volume"] > table["lod"]).all()
    assert np.flatnonzero(table["n_at_max"]).tolist() == [11]


@pytest.mark.parametrize("twin", ["test4_ref_inv.tif", "test4.1sc"])
def test_twins_of_one_image_give_equal_volumes(western, twin):
    image, _, _, table = western
    other = blots.read(REAL / "chemidoc" / twin)
    assert other.polarity == ("dark" if "inv" in twin else "bright")
    assert other.signal.shape == image.signal.shape
    again = measured(other, 16)[2]
    assert again["volume"].to_numpy() == pytest.approx(table["volume"].to_numpy(), rel=1e-6)


@pytest.mark.parametrize(("name", "clipped"), [("test2", True), ("test4", True), ("test5", False)])
def test_plateaus_are_told(name, clipped):
    image = blots.read(REAL / "chemidoc" / f"{name}_imglab_analysis.tif")
    assert image.saturated.any() == clipped


def test_dots_of_an_array_are_measured_as_lanes():
    """Seven columns of dots; the first row is the stronger one."""
    image = blots.read(REAL / "chemidoc" / "test5_imglab_analysis.tif")
    lanes = blots.find_lanes(image)
    assert len(lanes) == 7
    assert lanes.centre(230.0) == pytest.approx([136, 215, 292, 370, 446, 525, 603], abs=5)


def test_clean_bands_of_stated_truth():
    """In the boxes that their makers give, on images with gradients, blotches, noise and scratches."""
    errors = []
    for path in sorted((REAL / "synthetic_truth").glob("*.json")):
        picture = next(other for other in path.parent.glob(f"{path.stem}.*") if other.suffix != ".json")
        image = blots.read(picture, polarity="bright")
        for one in json.loads(path.read_text())["bands"]:
            if one["qc_flags"]:
                continue
            roi = one["roi"]
            x, y = roi["x"] + roi["width"] / 2 - 0.5, roi["y"] + roi["height"] / 2 - 0.5
            lane = {"roi": [0, image.shape[0], 0, image.shape[1]], "lanes": [[x, x, roi["width"] / 2]]}
            band = blots.Band(np.array([y]), roi["height"] / 2)
            volume = blots.measure(image, blots.Lanes.from_pick(lane), band=band)["volume"].iloc[0]
            errors.append(abs(volume / one["true_integrated_intensity_dn"] - 1))
    assert len(errors) > 100
    # Their own best background, arPLS, errs by 1.4 %.
    assert np.median(errors) <= 0.014

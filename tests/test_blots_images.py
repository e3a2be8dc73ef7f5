"""All blots of a study at once: looked for at their weights, measured, and told by code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile

from labkit import blots
from labkit.demo import membrane
from labkit.errors import StudyError
from labkit.study import open_study

DEMO = Path(__file__).parents[1] / "data" / "demo"
LADDER = (100.0, 70.0, 50.0, 35.0, 25.0)
WEIGHTS = {"strong": 40.0, "weak": 80.0}
LAYOUT = membrane.Layout((300, 400), np.linspace(40, 360, 8))
TRUE = {"strong": np.r_[0, np.linspace(3e6, 6e6, 7)], "weak": np.r_[0, np.linspace(1e6, 4e5, 7)]}


def rows_px(kda):
    return np.ravel(membrane.log_rows(kda, first=(100.0, 40.0), last=(25.0, 260.0)))


@pytest.fixture
def make(tmp_path):
    """A membrane of a ladder and seven samples with two targets in one image, as a study's tables."""

    def make_study(*, dark=False, lanes=8):
        rng = np.random.default_rng(5)
        targets = membrane.bands(np.array(list(TRUE.values())), rows_px=rows_px([40.0, 80.0]), layout=LAYOUT)
        ladder = np.zeros((len(LADDER), 8))
        ladder[:, 0] = 8e5
        light = targets + membrane.bands(ladder, rows_px=rows_px(list(LADDER)), layout=LAYOUT)
        image = membrane.photograph(light + 2000.0, rng=rng, dark_bands=dark)
        tifffile.imwrite(tmp_path / "a.tif", image)
        rows = [("B100", tmp_path / "a.tif", "M1", target, None) for target in TRUE]
        table = pd.DataFrame(rows, columns=["code", "file", "membrane", "target", "polarity"])
        held = pd.DataFrame({"membrane": "M1", "lane": range(1, lanes + 1), "replicate": "1", "ug": np.nan})
        held["animal"] = [""] + [f"a{i}" for i in range(1, lanes)]
        held["role"] = ["ladder"] + ["sample"] * (lanes - 1)
        return table.assign(code=["B100", "B200"]), held

    return make_study


def regions_of(proposals, images, *, excluded="", lanes_out=None):
    return {
        code: SimpleNamespace(
            lanes=lanes,
            band=band,
            polarity=images[code].polarity,
            excluded=excluded,
            excluded_lanes=lanes_out or {},
        )
        for code, (lanes, band) in proposals.items()
    }


def test_an_image_of_two_targets_is_read_once_and_each_is_found_at_its_weight(make):
    table, held = make()
    images = blots.read_blots(table)
    assert images["B100"] is images["B200"]
    proposals = blots.propose(images, table, held, ladder_kda=LADDER, weights_kda=WEIGHTS)
    for code, target in zip(table["code"], table["target"], strict=True):
        # half a pixel: bands are placed to a part of a pixel, the curve through weak ones less well
        assert proposals[code][1].centre_px[1:] == pytest.approx(
            np.repeat(rows_px(WEIGHTS[target]), 7), abs=0.5
        ), target
    measured = blots.measure_blots(
        images, regions_of(proposals, images), table, held, ladder_kda=LADDER, weights_kda=WEIGHTS
    )
    for target, volumes in TRUE.items():
        own = measured[(measured["target"] == target) & (measured["role"] == "sample")]
        assert own["animal"].tolist() == [f"a{i}" for i in range(1, 8)]
        share = own["volume"].to_numpy() / volumes[1:]
        # a window of 130 % of the band holds 95 to 100 % of it, in all lanes alike; noise adds 1 %
        assert np.median(share) == pytest.approx(0.975, abs=0.025)
        assert share / np.median(share) == pytest.approx(1, abs=0.03)
        assert own["weight_kda"].median() == pytest.approx(
            WEIGHTS[target], rel=0.02
        )  # the ladder has 5 markers
        assert (own["flags"] == "").all()


def test_without_weights_the_strongest_band_is_proposed_and_a_wrong_one_is_flagged(make):
    table, held = make()
    images = blots.read_blots(table)
    proposals = blots.propose(images, table, held)
    for _, band in proposals.values():
        assert band.centre_px[1:] == pytest.approx(np.repeat(rows_px(40.0), 7), abs=0.5)
    measured = blots.measure_blots(
        images, regions_of(proposals, images), table, held, ladder_kda=LADDER, weights_kda=WEIGHTS
    )
    flagged = measured[measured["target"] == "weak"]["flags"]
    assert flagged.str.contains("the band runs at 40.* kDa where 80 is expected").all()
    assert not measured[measured["target"] == "strong"]["flags"].str.contains("kDa").any()


def test_a_ladder_that_is_not_the_one_listed_is_not_trusted(make):
    table, held = make()
    images = blots.read_blots(table)
    other = (250.0, 150.0, 100.0, 37.0, 25.0)
    proposals = blots.propose(images, table, held, ladder_kda=other, weights_kda=WEIGHTS)
    assert proposals["B200"][1].centre_px[1:] == pytest.approx(np.repeat(rows_px(40.0), 7), abs=0.5)


def test_dark_bands_measure_as_bright_ones_do(make):
    found = {}
    for dark in (False, True):
        table, held = make(dark=dark)
        images = blots.read_blots(table)
        assert images["B100"].polarity == ("dark" if dark else "bright")
        proposals = blots.propose(images, table, held, ladder_kda=LADDER, weights_kda=WEIGHTS)
        found[dark] = blots.measure_blots(images, regions_of(proposals, images), table, held)["volume"]
    np.testing.assert_allclose(found[True], found[False], rtol=1e-9)  # the same noise, turned round


def test_a_picked_polarity_counts_before_that_of_the_sheet(make):
    table, _ = make()
    images = blots.read_blots(table.assign(polarity="bright"), picked={"B100": "dark"})
    assert images["B100"].polarity == "dark"
    assert blots.overview(images, table)["bands"].tolist() == ["dark (stated)"] * 2


def test_exclusions_stand_in_the_table_and_every_lane_keeps_its_value(make):
    table, held = make()
    images = blots.read_blots(table)
    regions = regions_of(blots.propose(images, table, held), images, lanes_out={3: "a bubble"})
    measured = blots.measure_blots(images, regions, table, held)
    assert (
        measured.loc[measured["excluded"] != "", ["lane", "excluded"]].to_numpy().tolist()
        == [[3, "a bubble"]] * 2
    )
    assert measured["volume"].notna().all()


def test_what_does_not_fit_is_told_for_all_blots_together(make):
    table, held = make()
    images = blots.read_blots(table)
    regions = regions_of(blots.propose(images, table, held), images)
    with pytest.raises(StudyError) as caught:
        blots.measure_blots(images, regions, table, held[:-1])
    said = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in said] == ["B100", "B200"]
    assert "the blot has 8 lanes where the sheet of lanes lists 7" in said[0]
    for region in regions.values():
        region.polarity = "dark"
    with pytest.raises(StudyError, match="read as bright, but its bands were picked as dark"):
        blots.measure_blots(images, regions, table, held)


def test_images_that_cannot_be_read_are_told_with_their_file(make):
    table, held = make()
    table.loc[1, "file"] = table["file"][0].with_name("b.tif")
    (table["file"][1]).write_bytes(b"no image")
    (problem,) = blots.amiss(table, held)
    assert problem.where == "b.tif"
    with pytest.raises(StudyError, match=r"b\.tif"):
        blots.read_blots(table)
    assert (
        len(blots.amiss(table[:1], pd.concat([held] * 40).assign(lane=range(1, 321)))) == 1
    )  # too many lanes


def test_flags_are_counted_by_blot_without_their_numbers():
    bands = pd.DataFrame(
        {
            "code": "B1", "target": "t", "role": ["sample", "sample", "ladder", "reference"],
            "flags": ["saturated: 12 px", "saturated: 3 px; odd", "saturated: 9 px", ""],
        }
    )  # fmt: skip
    counted = blots.count_flags(bands)
    assert counted.to_dict("records") == [
        {"code": "B1", "target": "t", "flags": "odd", "lanes_flagged": 1, "lanes": 3},
        {"code": "B1", "target": "t", "flags": "saturated: … px", "lanes_flagged": 2, "lanes": 3},
    ]


def test_the_membranes_of_the_demo_measure_what_was_put_into_them():
    lab = open_study(DEMO)
    settings = lab.settings.blots
    chosen = lab.blots[lab.blots["membrane"].isin(["A1", "B2", "C3"])]
    images = blots.read_blots(chosen)
    proposals = blots.propose(images, chosen, lab.lanes, **settings.bands)
    measured = blots.measure_blots(images, regions_of(proposals, images), chosen, lab.lanes, **settings.bands)
    truth = pd.read_csv(DEMO / "truth" / "blots_lanes.csv")[["membrane", "target", "lane", "true_volume"]]
    both = measured[measured["role"] == "sample"].merge(truth, on=["membrane", "target", "lane"])
    share = (both["volume"] / both["true_volume"]).groupby([both["membrane"], both["target"]])
    assert share.median().between(0.94, 1).all()
    # a doublet split by fitting errs by a per cent, single bands by their noise of 0.3 %
    assert (share.std() < 0.02).all()


def test_the_background_that_is_asked_for_is_taken_of_doublets_too():
    lab = open_study(DEMO)
    settings = lab.settings.blots
    chosen = lab.blots[lab.blots["blot"] == "B1 p-CREB"]
    images = blots.read_blots(chosen)
    regions = regions_of(blots.propose(images, chosen, lab.lanes, **settings.bands), images)
    found = blots.measure_blots(images, regions, chosen, lab.lanes, background="arpls", **settings.bands)
    np.testing.assert_array_equal(found["volume"], found["volume_arpls"])

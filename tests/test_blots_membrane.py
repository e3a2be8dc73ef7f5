"""What keeps bands from becoming ratios is told in one sentence each, and all at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit import blots
from labkit.errors import DataError, StudyError


def table(animals="abcdef", *, membranes=("M1", "M2"), targets=("PSD-95", "GAPDH"), **columns):
    """Bands of 100: each membrane has the animals in lanes 1, 2, ..."""
    rows = [
        {"membrane": membrane, "target": target, "lane": lane, "animal": membrane + animal, "volume": 100.0}
        for membrane in membranes
        for target in targets
        for lane, animal in enumerate(animals, 1)
    ]
    return pd.DataFrame(rows).assign(role="sample", replicate="", **columns)


def problems(bands, **asked):
    with pytest.raises(StudyError) as caught:
        blots.ratios(bands, **{"loading": "GAPDH", **asked})
    return [str(problem) for problem in caught.value.problems]


def where(bands, membrane, target, *lanes):
    """Rows of a target on a membrane, of all or some lanes."""
    there = (bands["membrane"] == membrane) & (bands["target"] == target)
    return there & bands["lane"].isin(lanes) if lanes else there


def test_a_whole_study_passes():
    assert len(blots.ratios(table(), loading="GAPDH")) == 12


def test_a_membrane_without_a_target_names_its_animals():
    bands = table()
    (said,) = problems(bands[~where(bands, "M2", "PSD-95")])
    assert said.startswith("blots.csv: membrane 'M2' has no PSD-95")
    assert "M2a, M2b, M2c, M2d, M2e, M2f" in said


def test_a_target_on_another_membrane_of_the_same_animals_is_enough():
    """Two membranes of the same animals, PSD-95 on the first and synaptophysin on the second."""
    bands = table(targets=("PSD-95", "synaptophysin", "GAPDH"))
    bands["animal"] = bands["animal"].str[2:]
    bands = bands[~where(bands, "M2", "PSD-95") & ~where(bands, "M1", "synaptophysin")]
    found = blots.ratios(bands, loading="GAPDH")
    assert found.groupby("endpoint")["membrane"].unique().map(list).to_dict() == {
        "PSD-95": ["M1"],
        "synaptophysin": ["M2"],
    }


def test_a_membrane_without_its_control_is_told():
    bands = table()
    (said,) = problems(bands[~where(bands, "M1", "GAPDH")])
    assert "membrane 'M1' has PSD-95 but not its loading control GAPDH" in said


def test_lanes_without_a_band_are_told_together():
    """A row that is not there, and a volume that is none; a lane excluded with a reason is neither."""
    bands = table()
    bands.loc[where(bands, "M1", "PSD-95", 3, 5), ["volume", "excluded"]] = [np.nan, ""]
    bands.loc[where(bands, "M1", "GAPDH", 4), ["volume", "excluded"]] = [np.nan, "bubble"]
    bands.loc[where(bands, "M1", "PSD-95", 6), "volume"] = np.inf
    said = problems(bands[~where(bands, "M2", "GAPDH", 2)])
    assert len(said) == 2
    assert any("GAPDH was not measured in lane 2 of membrane 'M2'" in one for one in said)
    assert any("PSD-95 was not measured in lane 3, 5, 6 of membrane 'M1'" in one for one in said)


@pytest.mark.parametrize("replicate", [["", ""], ["1", "1"], [np.nan, np.nan]])
def test_an_animal_twice_needs_replicates(replicate):
    bands = table()
    for target in ("PSD-95", "GAPDH"):
        bands.loc[where(bands, "M1", target, 2), "animal"] = "M1a"
        for lane, name in zip((1, 2), replicate, strict=True):
            bands.loc[where(bands, "M1", target, lane), "replicate"] = name
    (said,) = problems(bands)
    assert said.startswith(
        "lanes.csv: animal 'M1a' is in lanes 1, 2 of membrane 'M1' with the same replicate"
    )
    numbered = bands.assign(replicate=bands["lane"])
    found = blots.ratios(numbered, loading="GAPDH").set_index("animal")
    assert found.loc["M1a", "n_replicates"] == 2


def test_everything_is_told_at_once():
    bands = pd.concat([table(), table(membranes=["M1"], targets=["GAPDH"])], ignore_index=True)
    bands.loc[where(bands, "M2", "PSD-95", 1), "animal"] = ""
    bands.loc[where(bands, "M2", "GAPDH", 1), "animal"] = ""
    bands.loc[where(bands, "M2", "GAPDH", 4), "volume"] = np.nan
    bands = bands[~where(bands, "M1", "PSD-95")]
    said = "\n".join(problems(bands, targets=["PSD-95", "PSD95"]))
    for part in (
        "GAPDH is there twice in lane 1, 2, 3, 4, 5, 6 of membrane 'M1'",
        "lane 1 of membrane 'M2' holds a sample of no animal",
        "no membrane has 'PSD95'",
        "membrane 'M1' has no PSD-95",
        "GAPDH was not measured in lane 4 of membrane 'M2'",
    ):
        assert part in said
    assert len(said.splitlines()) == 5


def test_pairs_are_looked_after_too():
    """CREB stands apart from p-CREB, and one of the two membranes has no control."""
    bands = table(membranes=("M1p", "M1t"), targets=("p-CREB", "CREB", "GAPDH"))
    bands["animal"] = bands["animal"].str[3:]
    bands = bands[~where(bands, "M1p", "CREB") & ~where(bands, "M1t", "p-CREB")]
    assert len(blots.ratios(bands, loading="GAPDH", phospho=[("p-CREB", "CREB")])) == 6
    (said,) = problems(bands[~where(bands, "M1t", "GAPDH")], phospho=[("p-CREB", "CREB")])
    assert "membrane 'M1t' has CREB but not its loading control GAPDH" in said
    (said,) = problems(bands, phospho=[("p-CREB", "CREB")], loading={"p-CREB": "GAPDH"})
    assert said.startswith("study.toml, [blots], loading: CREB has no loading control")


def test_a_pair_on_one_membrane_needs_no_control():
    bands = table(targets=("p-CREB", "CREB"))
    assert len(blots.ratios(bands, loading="", phospho=[("p-CREB", "CREB")])) == 12


@pytest.mark.parametrize(
    ("loading", "words"),
    [
        ({"PSD-95": "PSD-95"}, "PSD-95 is its own loading control"),
        ({"other": "GAPDH"}, "PSD-95 has no loading control"),
        (["GAPDH", "actin"], "no membrane has 'actin'"),
    ],
)
def test_controls_that_cannot_be(loading, words):
    (said, *_) = problems(table(), targets=["PSD-95"], loading=loading)
    assert words in said


@pytest.mark.parametrize(
    ("bands", "asked", "words"),
    [
        (table().iloc[:0], {}, "empty"),
        (table().drop(columns="lane"), {}, "no column lane"),
        (table().assign(role="ladder"), {}, "no lane holds a sample"),
        (table(), {"targets": [], "loading": ["GAPDH", "PSD-95"]}, "nothing to divide"),
        (table(), {"volume": "volume_arpls"}, "no column volume_arpls"),
        (table().assign(volume="much"), {}, "column volume of the bands holds a text"),
        (table().assign(lane=np.nan), {}, "no lane"),
        (table(), {"replicate_limit_percent": 0}, "replicate_limit_percent is 0"),
    ],
)
def test_tables_that_are_none(bands, asked, words):
    with pytest.raises(DataError, match=words):
        blots.ratios(bands, **{"loading": "GAPDH", **asked})

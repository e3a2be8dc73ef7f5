"""Log ratios against volumes made from stated amounts, loads and membranes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import blots
from labkit.columns import COLUMNS
from labkit.errors import StudyError

REAL = Path(__file__).parents[2] / "shared" / "real" / "blots" / "copeland"
PAIR = ("p-CREB", "CREB")
# Products and logs of volumes lose some units in the last place.
EXACT = 1e-12


def study(amounts, *, targets=("PSD-95", "GAPDH"), replicates=1, seed=0, role="sample"):
    """Bands of membranes given as {membrane: {animal: log amount of the target}}, loads at random.

    The first target bears the amount, all others one that never changes; each membrane multiplies each
    target by a number of its own, each lane by its load.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for membrane, animals in amounts.items():
        gain = dict(zip(targets, np.exp(rng.normal(0, 1, len(targets))), strict=True))
        lanes = [(animal, replicate) for animal in animals for replicate in range(1, replicates + 1)]
        for lane, (animal, replicate) in enumerate(lanes, 1):
            load = np.exp(rng.normal())
            for target in targets:
                amount = np.exp(animals[animal]) if target == targets[0] else 1.0
                row = {"membrane": membrane, "lane": lane, "animal": animal, "replicate": replicate}
                rows.append({**row, "target": target, "volume": 1000 * load * gain[target] * amount})
    table = pd.DataFrame(rows).assign(role=role, lod=1e-9, saturated=False, flags="", excluded="")
    table.attrs["gain"] = gain
    return table


def at(bands, **where):
    """Rows in which all columns have these values."""
    return np.logical_and.reduce([bands[name] == value for name, value in where.items()])


def ratios(bands, **asked):
    return blots.ratios(bands, **{"loading": "GAPDH", **asked})


def within(table, value="log_ratio"):
    """Values less the mean of their membrane: what a block leaves, by animal."""
    left = table[value] - table.groupby("membrane")[value].transform("mean")
    return pd.Series(left.to_numpy(), index=table["animal"]).sort_index()


SIX = {"M1": {"a": 0.0, "b": 0.4, "c": -0.3}, "M2": {"d": 0.1, "e": 0.7, "f": 1.0}}


def test_amounts_come_back_whatever_the_load_and_the_membrane():
    found = ratios(study(SIX))
    expected = {k: v - np.mean(list(own.values())) for own in SIX.values() for k, v in own.items()}
    assert within(found).to_dict() == pytest.approx(expected, abs=EXACT)
    assert list(found["endpoint"].unique()) == ["PSD-95"]
    assert (found[["flags", "refused", "excluded"]] == "").all(axis=None)
    assert found["replicate_cv_percent"].isna().all()


def test_log_ratio_is_that_of_the_columns_beside_it():
    bands = study(SIX, targets=("PSD-95", "GAPDH", "actin"), replicates=2)
    bands["volume"] *= np.random.default_rng(1).lognormal(0, 0.1, len(bands))
    found = ratios(bands, targets=["PSD-95"], loading=["GAPDH", "actin"])
    assert (found["loading_target"] == "GAPDH × actin").all()
    np.testing.assert_allclose(
        found["log_ratio"], np.log(found["target_volume"] / found["loading_volume"]), atol=EXACT
    )


def test_technical_lanes_are_averaged_on_logs():
    """Ratios 1 and 4: the geometric mean is 2; s of their logs is log(4)/sqrt(2)."""
    bands = study({"M1": {"a": 0.0, "b": 0.0}}, replicates=2)
    bands["volume"] = 10.0
    bands.loc[at(bands, target="PSD-95", lane=2), "volume"] = 40.0
    row = ratios(bands).set_index("animal").loc["a"]
    assert row["log_ratio"] == pytest.approx(np.log(2), abs=EXACT)
    assert row["n_replicates"] == 2
    assert row["replicate_cv_percent"] == pytest.approx(100 * np.sqrt(np.expm1(np.log(4) ** 2 / 2)))
    assert row["flags"] == "CV of PSD-95 on M1 between 2 lanes is 127 % (limit 20 %)"
    assert ratios(bands, replicate_limit_percent=130)["flags"].eq("").all()


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-3, 1e3), st.sampled_from(["M1", "M2"]), st.sampled_from(["PSD-95", "GAPDH", None]))
def test_a_membrane_brighter_by_any_factor_only_moves_its_block(k, membrane, target):
    bands = study(SIX, replicates=2)
    where = at(bands, membrane=membrane) & (True if target is None else at(bands, target=target))
    brighter = bands.assign(volume=np.where(where, k, 1) * bands["volume"])
    first, second = ratios(bands), ratios(brighter)
    np.testing.assert_allclose(within(second), within(first), atol=1e-11)
    other = (first["membrane"] != membrane).to_numpy()
    np.testing.assert_array_equal(second.loc[other, "log_ratio"], first.loc[other, "log_ratio"])


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(1, 6))
def test_a_lane_loaded_with_any_amount_has_the_same_ratio(k, lane):
    bands = study(SIX, replicates=2)
    more = bands.assign(volume=np.where(at(bands, membrane="M1", lane=lane), k, 1) * bands["volume"])
    np.testing.assert_allclose(ratios(more)["log_ratio"], ratios(bands)["log_ratio"], atol=1e-11)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_animals_do_not_matter(random):
    bands = study(SIX, targets=("p-CREB", "CREB", "GAPDH"), replicates=2)
    asked = {"targets": ["CREB"], "phospho": [PAIR]}
    order = list(range(len(bands)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(ratios(bands.iloc[order], **asked), ratios(bands, **asked))
    names = dict(zip("abcdef", random.sample([f"animal {i}" for i in range(6)], 6), strict=True))
    renamed = ratios(bands.assign(animal=bands["animal"].map(names)), **asked)
    key = ["endpoint", "membrane", "animal"]
    first = ratios(bands, **asked)
    first["animal"] = first["animal"].map(names)
    pd.testing.assert_frame_equal(
        renamed.sort_values(key, ignore_index=True), first.sort_values(key, ignore_index=True)
    )


def test_each_target_may_have_its_own_control():
    bands = study(SIX, targets=("PSD-95", "GAPDH", "synaptophysin", "total protein"))
    found = ratios(bands, loading={"PSD-95": "GAPDH", "synaptophysin": ["total protein", "GAPDH"]})
    assert found.groupby("endpoint")["loading_target"].first().to_dict() == {
        "PSD-95": "GAPDH",
        "synaptophysin": "total protein × GAPDH",
    }
    volumes = bands.set_index(["animal", "target"])["volume"]
    expected = np.log(volumes["a", "synaptophysin"]) - 0.5 * (
        np.log(volumes["a", "total protein"]) + np.log(volumes["a", "GAPDH"])
    )
    row = found[at(found, animal="a", endpoint="synaptophysin")].iloc[0]
    assert row["log_ratio"] == pytest.approx(expected, abs=EXACT)


def test_numbers_in_the_sheet_become_the_same_names():
    """A sheet may hold animals and replicates as whole numbers."""
    bands = study({"M1": {"1": 0.0, "2": 0.4}}, replicates=2)
    numbered = bands.assign(animal=bands["animal"].astype(float))
    pd.testing.assert_frame_equal(ratios(numbered), ratios(bands))


# --- phosphorylated over total ---


def apart(seed=0, replicates=1):
    """p-CREB and CREB of the same animals on membranes M1p, M2p and M1t, M2t; p-CREB bears the amount."""
    p = study({f"{m}p": own for m, own in SIX.items()}, targets=("p-CREB", "GAPDH"), replicates=replicates)
    t = study(
        {f"{m}t": dict.fromkeys(own, 0.0) for m, own in SIX.items()},
        targets=("CREB", "GAPDH"),
        seed=seed + 1,
        replicates=replicates,
    )
    return pd.concat([p, t], ignore_index=True)


def test_phospho_over_total_on_two_membranes():
    found = ratios(apart(), phospho=[PAIR])
    assert list(found["endpoint"].unique()) == ["p-CREB/CREB"]
    assert sorted(found["membrane"].unique()) == ["M1p+M1t", "M2p+M2t"]
    expected = {k: v - np.mean(list(own.values())) for own in SIX.values() for k, v in own.items()}
    assert within(found).to_dict() == pytest.approx(expected, abs=EXACT)
    by_hand = np.log(
        found["target_volume"]
        / found["loading_volume"]
        * found["total_loading_volume"]
        / found["total_volume"]
    )
    np.testing.assert_allclose(found["log_ratio"], by_hand, atol=EXACT)
    assert (found["loading_target"] == "GAPDH").all()


def test_phospho_over_total_in_one_lane_needs_no_control():
    bands = study(SIX, targets=("p-CREB", "CREB", "GAPDH"))
    bands.loc[at(bands, target="GAPDH"), "saturated"] = True
    found = ratios(bands, phospho=[PAIR])
    assert sorted(found["membrane"].unique()) == ["M1", "M2"]
    np.testing.assert_allclose(
        found["log_ratio"], np.log(found["target_volume"] / found["total_volume"]), atol=EXACT
    )
    assert (found["refused"] == "").all()
    assert (found["loading_target"] == "").all()


def test_an_animal_without_its_total_stays_with_a_reason():
    bands = apart()
    bands = bands[~(at(bands, membrane="M1t", animal="b"))]
    row = ratios(bands, phospho=[PAIR]).set_index("animal").loc["b"]
    assert np.isnan(row["log_ratio"])
    assert row["refused"] == "CREB is on no other membrane of this animal"


def test_a_saturated_total_is_refused_like_a_control():
    for bands, membrane in ((apart(), "M1t"), (study(SIX, targets=("p-CREB", "CREB")), "M1")):
        bands.loc[at(bands, membrane=membrane, target="CREB", animal="a"), "saturated"] = True
        rows = ratios(bands, phospho=[PAIR]).set_index("animal")
        assert rows.loc["a", "refused"] == "CREB is saturated in lane 1, which hides how much there is"
        assert np.isnan(rows.loc["a", "log_ratio"])
        assert rows["log_ratio"].drop("a").notna().all()


# --- what is refused, what is flagged ---


@pytest.mark.parametrize(
    ("target", "columns", "words"),
    [
        ("PSD-95", {"volume": -5.0}, "PSD-95 is not above its background in lane 1 (volume -5)"),
        ("GAPDH", {"volume": 0.0}, "GAPDH is not above its background in lane 1 (volume 0)"),
        (
            "PSD-95",
            {"volume": 5.0, "lod": 6.0},
            "PSD-95 is below its limit of detection in lane 1 (volume 5, limit 6)",
        ),
        ("GAPDH", {"saturated": True}, "GAPDH is saturated in lane 1, which hides how much there is"),
    ],
)
def test_what_has_no_honest_logarithm_is_refused_and_kept(target, columns, words):
    bands = study(SIX)
    bands["saturated"] = bands["saturated"].astype(object)
    bands.loc[at(bands, target=target, animal="a"), list(columns)] = list(columns.values())
    found = ratios(bands)
    assert len(found) == 6
    row = found.set_index("animal").loc["a"]
    assert np.isnan(row["log_ratio"])
    assert row["refused"] == words
    assert row["n_replicates"] == 0
    assert found.set_index("animal")["log_ratio"].drop("a").notna().all()
    # The doubtful number itself stays to be looked at.
    number = "target_volume" if target == "PSD-95" else "loading_volume"
    assert row[number] == pytest.approx(bands.loc[at(bands, target=target, animal="a"), "volume"].item())


@pytest.mark.parametrize("clipped", [True, 12, 0.03])
def test_a_saturated_target_is_flagged(clipped):
    """However saturation was counted: as a fact, in pixels or as a share."""
    bands = study(SIX)
    bands["saturated"] = np.where(at(bands, target="PSD-95", animal="a"), clipped, 0)
    row = ratios(bands).set_index("animal").loc["a"]
    assert np.isfinite(row["log_ratio"])
    assert row["flags"] == "PSD-95 is saturated in lane 1: differences look smaller than they are"


def test_of_two_lanes_one_with_a_bad_control_is_left_out():
    bands = study(SIX, replicates=2)
    clean = ratios(bands).set_index("animal")
    bands.loc[at(bands, target="GAPDH", membrane="M1", lane=1), ["saturated", "volume"]] = [True, 1.0]
    row = ratios(bands).set_index("animal").loc["a"]
    assert row["log_ratio"] == pytest.approx(clean.loc["a", "log_ratio"], abs=EXACT)
    assert row["n_replicates"] == 1
    assert row["flags"].startswith("a lane is left out: GAPDH is saturated in lane 1")
    assert row["refused"] == ""


def test_of_two_lanes_one_with_too_weak_a_target_refuses_both():
    """The mean of the other alone would be too high."""
    bands = study(SIX, replicates=2)
    bands.loc[at(bands, target="PSD-95", membrane="M1", lane=1), "volume"] = -1.0
    row = ratios(bands).set_index("animal").loc["a"]
    assert np.isnan(row["log_ratio"])
    assert "PSD-95 is not above its background in lane 1" in row["refused"]


def test_excluded_lanes_do_not_count_unless_there_is_no_other():
    bands = study(SIX, replicates=2)
    clean = ratios(bands).set_index("animal")
    bad = at(bands, target="PSD-95", membrane="M1", lane=1)
    bands.loc[bad, ["volume", "excluded"]] = [-7.0, "bubble"]
    row = ratios(bands).set_index("animal").loc["a"]
    assert row["log_ratio"] == pytest.approx(clean.loc["a", "log_ratio"], abs=EXACT)
    assert (row["excluded"], row["flags"]) == ("", "lane 1 excluded: bubble")
    bands = study(SIX)
    bands.loc[at(bands, target="GAPDH", animal="a"), "excluded"] = "smear"
    row = ratios(bands).set_index("animal").loc["a"]
    assert row["excluded"] == "smear"
    assert row["log_ratio"] == pytest.approx(ratios(study(SIX)).set_index("animal").loc["a", "log_ratio"])


def test_flags_of_bands_come_along():
    bands = study(SIX)
    bands.loc[at(bands, target="GAPDH", animal="e"), "flags"] = "unresolved doublet"
    flags = ratios(bands).set_index("animal")["flags"]
    assert flags["e"] == "GAPDH, lane 2: unresolved doublet"
    assert (flags.drop("e") == "").all()


# --- reference sample ---


def with_reference(*membranes):
    """A reference of log amount 0.5 on these membranes, in a lane behind the samples."""
    bands = study({m: {**own, "ref": 0.5} if m in membranes else own for m, own in SIX.items()})
    is_reference = bands["animal"] == "ref"
    return bands.assign(role=np.where(is_reference, "reference", "sample"))


def test_the_reference_is_the_scale_of_every_membrane():
    """All membranes then read the same amounts, less the reference's."""
    found = ratios(with_reference("M1", "M2")).set_index("animal")
    expected = {k: v - 0.5 for own in SIX.values() for k, v in own.items()}
    assert found["log_ratio"].to_dict() == pytest.approx(expected, abs=EXACT)
    assert set(found["membrane"]) == {"M1", "M2"}
    assert (found["flags"] == "").all()


def test_a_reference_on_some_membranes_only_is_not_used():
    found, plain = ratios(with_reference("M2")), ratios(study(SIX))
    assert found["flags"].unique() == [
        "the reference sample gives a ratio on membrane M2 only, and was not used as scale"
    ]
    np.testing.assert_allclose(within(found), within(plain), atol=EXACT)
    lost = with_reference("M1", "M2")
    lost.loc[at(lost, membrane="M1", target="GAPDH", animal="ref"), "saturated"] = True
    assert ratios(lost)["flags"].str.contains("on membrane M2 only").all()


def test_ladder_empty_and_dilution_lanes_are_no_samples():
    bands = study(SIX)
    for i, role in enumerate(("ladder", "empty", "dilution")):
        extra = bands[at(bands, membrane="M1", animal="a")].assign(role=role, animal="", lane=20 + i)
        bands = pd.concat([bands, extra], ignore_index=True)
    pd.testing.assert_frame_equal(ratios(bands), ratios(study(SIX)))


# --- one animal on several membranes ---

TWICE = {"M1": {"a": 0.0, "b": 0.4, "c": -0.3}, "M2": {"a": 0.0, "b": 0.4, "c": -0.3}}


def test_replicate_membranes_are_averaged():
    found = ratios(study(TWICE))
    assert len(found) == 3
    assert list(found["membrane"].unique()) == ["M1, M2"]
    assert (found["n_replicates"] == 2).all()
    assert within(found).to_dict() == pytest.approx({"a": -1 / 30, "b": 11 / 30, "c": -1 / 3}, abs=EXACT)
    assert (found["flags"] == "").all()


def test_animals_are_compared_only_within_the_same_set_of_membranes():
    """a and b stand on both, c and d on M2 alone; M2 is brighter, which must not show."""
    bands = study({"M1": {"a": 0.0, "b": 0.4}, "M2": {"a": 0.0, "b": 0.4, "c": 0.1, "d": 0.6}})
    found = ratios(bands)
    assert found.set_index("animal")["membrane"].to_dict() == {
        "a": "M1, M2", "b": "M1, M2", "c": "M2", "d": "M2"
    }  # fmt: skip
    assert within(found).to_dict() == pytest.approx({"a": -0.2, "b": 0.2, "c": -0.25, "d": 0.25}, abs=EXACT)


def test_a_membrane_that_failed_an_animal_does_not_name_its_block():
    bands = study(TWICE)
    bands.loc[at(bands, membrane="M2", animal="a", target="GAPDH"), "saturated"] = True
    found = ratios(bands).set_index("animal")
    assert found.loc["a", "membrane"] == "M1"
    assert found.loc["b", "membrane"] == "M1, M2"
    assert "M2 not used: GAPDH is saturated in lane 1" in found.loc["a", "flags"]
    assert "no other animal has a ratio on the same membranes" in found.loc["a", "flags"]
    bands.loc[at(bands, membrane="M1", animal="a", target="GAPDH"), "volume"] = -1.0
    row = ratios(bands).set_index("animal").loc["a"]
    assert np.isnan(row["log_ratio"])
    assert "saturated" in row["refused"]
    assert "not above its background" in row["refused"]


def test_a_membrane_excluded_for_an_animal_does_not_count_unless_all_are():
    bands = study(TWICE)
    apart = {m: ratios(bands[at(bands, membrane=m)]).set_index("animal")["log_ratio"] for m in TWICE}
    bands.loc[at(bands, membrane="M1", animal="a", target="PSD-95"), "excluded"] = "bubble"
    row = ratios(bands).set_index("animal").loc["a"]
    assert row["log_ratio"] == pytest.approx(apart["M2"]["a"], abs=EXACT)
    assert (row["membrane"], row["excluded"]) == ("M2", "")
    assert "M1 not used: bubble" in row["flags"]
    bands.loc[at(bands, membrane="M2", animal="a", target="GAPDH"), "excluded"] = "smear"
    row = ratios(bands).set_index("animal").loc["a"]
    assert row["log_ratio"] == pytest.approx((apart["M1"]["a"] + apart["M2"]["a"]) / 2, abs=EXACT)
    assert (row["membrane"], row["excluded"]) == ("M1, M2", "bubble; smear")


def test_an_animal_that_lacks_a_target_keeps_its_row():
    """Lane 3 of M2 was not loaded with f; on M1, with the other target, it was."""
    first = study({"M1": SIX["M2"]}, targets=("synaptophysin", "GAPDH"))
    second = study({"M2": {k: v for k, v in SIX["M2"].items() if k != "f"}})
    found = ratios(pd.concat([first, second], ignore_index=True)).set_index(["endpoint", "animal"])
    assert found.loc[("PSD-95", "f"), "refused"] == "PSD-95 is on no membrane of this animal"
    assert found.loc[("PSD-95", "f"), "membrane"] == "M1"
    assert len(found) == 6


# --- the control alone ---


def test_loading_table_has_the_control_of_every_animal():
    bands = study(SIX, targets=("PSD-95", "GAPDH", "actin"), replicates=2)
    table = blots.loading_table(bands, loading={"PSD-95": "GAPDH", "x": ["GAPDH", "actin"]})
    assert list(table["loading_target"].unique()) == ["GAPDH", "GAPDH × actin"]
    logs = np.log(bands.set_index(["target", "animal", "replicate"])["volume"]).sort_index()
    one = table.set_index(["loading_target", "animal"])["log_loading"]
    assert one["GAPDH", "a"] == pytest.approx(logs["GAPDH", "a"].mean(), abs=EXACT)
    both = (logs["GAPDH", "a"].mean() + logs["actin", "a"].mean()) / 2
    assert one["GAPDH × actin", "a"] == pytest.approx(both, abs=EXACT)
    bands.loc[at(bands, target="GAPDH", animal="a"), "saturated"] = True
    row = blots.loading_table(bands, loading="GAPDH").set_index("animal").loc["a"]
    assert np.isnan(row["log_loading"])
    assert "GAPDH is saturated in lane 1" in row["refused"]


def test_loading_table_is_of_samples_only():
    table = blots.loading_table(with_reference("M1", "M2"), loading="GAPDH")
    assert sorted(table["animal"]) == list("abcdef")
    with pytest.raises(StudyError, match="no membrane has 'tubulin'"):
        blots.loading_table(study(SIX), loading="tubulin")


@pytest.mark.skipif(not REAL.is_dir(), reason="no real blots beside the project (../shared/real/blots)")
def test_published_densities_over_total_protein():
    """Three real membranes of 8 lanes whose densities were published, total protein as loading control."""
    published = pd.read_csv(REAL / "lf_02_hif1a_ldha_immunoblots_2018-04-24.csv")
    bands = published.melt(
        id_vars=["gel", "lane"], value_vars=["blot", "hif1a", "ldha"], var_name="target", value_name="volume"
    ).rename(columns={"gel": "membrane"})
    bands["animal"] = bands["membrane"] + bands["lane"].astype(str)
    found = ratios(bands, loading="blot").set_index(["endpoint", "animal"])["log_ratio"]
    published.index = published["gel"] + published["lane"].astype(str)
    for target in ("hif1a", "ldha"):
        expected = np.log(published[target] / published["blot"])
        np.testing.assert_allclose(found[target].sort_index(), expected.sort_index(), atol=EXACT)


def test_every_column_is_declared():
    bands = study(SIX, targets=("p-CREB", "CREB", "GAPDH"))
    made = [ratios(bands, phospho=[PAIR]), blots.loading_table(bands, loading="GAPDH")]
    made.append(blots.percent_of_control(made[0].assign(group="vehicle"), control="vehicle"))
    assert [name for table in made for name in table if name not in COLUMNS] == []

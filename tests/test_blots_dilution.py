"""Linear range against series made from a line, an offset and a ceiling."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import blots
from labkit.columns import COLUMNS
from labkit.errors import DataError

AMOUNTS = np.array([1.25, 2.5, 5, 10, 20, 40])


def series(volume, *, ug=AMOUNTS, membrane="M1", target="GAPDH", role="dilution", **columns):
    ug = np.asarray(ug, float)
    return pd.DataFrame({"ug": ug, "lane": np.arange(1, len(ug) + 1), "volume": volume}).assign(
        membrane=membrane, target=target, role=role, animal="", **columns
    )


def judged(*args, **kwargs):
    options = {k: kwargs.pop(k) for k in ("limit_percent",) if k in kwargs}
    return blots.linear_range(series(*args, **kwargs), **options).iloc[0]


def test_a_line_through_the_origin_is_linear_throughout():
    row = judged(30 * AMOUNTS)
    assert row["model"] == "proportional"
    assert row[["low_ug", "high_ug", "n_amounts"]].tolist() == [1.25, 40, 6]
    assert row["slope"] == pytest.approx(30)
    assert row["low_volume"] == pytest.approx(37.5)
    assert row["high_volume"] == pytest.approx(1200)
    assert row["residual_percent"] == pytest.approx(0, abs=1e-9)
    assert row["offset_percent"] == pytest.approx(0, abs=1e-9)
    assert row["flags"] == ""
    # `target` is plain enough to need no declaration.
    assert {name for name in row.index if name not in COLUMNS} <= {"target"}


def test_a_ceiling_is_found_and_its_half_saturation():
    """y = V x / (K + x), V = 1000, K = 30: at 40 µg it is 57 % short of the line of the start."""
    row = judged(1000 * AMOUNTS / (30 + AMOUNTS))
    assert row["model"] == "saturating"
    assert row["half_saturation_ug"] == pytest.approx(30)
    assert row["p_proportional"] < 1e-6
    # Per µg the volumes fall as 1/(30 + x): 1.25, 2.5 and 5 differ by 11 %, each within 10 % of their line;
    # with 10 they would differ by 28 %.
    assert row["low_ug"] == 1.25
    assert row["high_ug"] == 5
    assert row["flags"] == "saturates, half at 30 µg"


def test_an_offset_is_found():
    """a = 50 and b = 10; the middle amount (geometric) of the six is 7.07 µg."""
    row = judged(50 + 10 * AMOUNTS)
    assert row["model"] == "affine"
    assert row["offset_percent"] == pytest.approx(100 * 50 / (50 + 10 * np.sqrt(50)))
    assert row["flags"].endswith("an offset of +41 % at the middle amount: check the background")


def test_the_line_has_the_least_squares_of_relative_residuals():
    """Held against a search by scipy over the slope; the search stops some 1e-8 of it away."""
    from scipy.optimize import minimize_scalar

    ratio = np.array([1.06, 0.95, 1.0, 1.07, 0.97, 1.02])
    row = judged(30 * AMOUNTS * ratio)
    assert row["high_ug"] == 40
    found = minimize_scalar(lambda b: np.sum((b / (30 * ratio) - 1) ** 2), bracket=(20, 40))
    assert row["slope"] == pytest.approx(found.x, rel=1e-5)
    assert row["slope"] != pytest.approx(30 * ratio.mean(), rel=1e-3)


def test_a_hard_ceiling_ends_the_range():
    row = judged(np.minimum(30 * AMOUNTS, 650))
    assert row[["low_ug", "high_ug"]].tolist() == [1.25, 20]
    assert row["high_volume"] == pytest.approx(600)


def test_limit_is_of_the_residual_within_the_range():
    """One amount 15 % too strong in the middle breaks the range at 10 %, not at 20 %."""
    volume = 30 * AMOUNTS * [1, 1, 1, 1.15, 1, 1]
    assert judged(volume, limit_percent=20)[["low_ug", "high_ug"]].tolist() == [1.25, 40]
    assert judged(volume)["high_ug"] < 40 or judged(volume)["low_ug"] > 1.25
    for limit in (5, 10, 20):
        assert judged(volume, limit_percent=limit)["residual_percent"] < limit


def test_saturated_and_missing_amounts_are_outside():
    columns = {"saturated": [0, 0, 0, 0, 0, 9], "lod": 50.0}
    row = judged(30 * AMOUNTS, **columns)
    assert row[["low_ug", "high_ug"]].tolist() == [2.5, 20]
    assert "saturated at 40 µg" in row["flags"]
    assert "below the limit of detection at 1.25 µg" in row["flags"]
    row = judged(30 * AMOUNTS * [1, 1, -1, 1, 1, -1])
    assert np.isnan(row["low_ug"])
    assert "no three neighbouring amounts are proportional within 10 %" in row["flags"]


def test_repeated_amounts_count_by_their_geometric_mean():
    """Two lanes each, 1.2 times and 1/1.2 times the line."""
    ug = np.repeat(AMOUNTS, 2)
    row = judged(30 * ug * np.tile([1.2, 1 / 1.2], 6), ug=ug)
    assert row["residual_percent"] == pytest.approx(0, abs=1e-9)
    assert row[["n_amounts", "high_ug"]].tolist() == [6, 40]


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e6), st.floats(1e-2, 1e2), st.integers(0, 1000))
def test_units_do_not_matter(brighter, heavier, seed):
    rng = np.random.default_rng(seed)
    volume = 1000 * AMOUNTS / (60 + AMOUNTS) * rng.lognormal(0, 0.05, len(AMOUNTS))
    first = judged(volume)
    second = judged(brighter * volume, ug=heavier * AMOUNTS)
    assert second["model"] == first["model"]
    for name, factor in (("low_ug", heavier), ("high_ug", heavier), ("high_volume", brighter)):
        assert second[name] == pytest.approx(factor * first[name], rel=1e-6, nan_ok=True)
    assert second["p_proportional"] == pytest.approx(first["p_proportional"], rel=1e-4, abs=1e-9)


def models(volume, n, seed):
    """What n series with 8 % of error are said to follow."""
    rng = np.random.default_rng(seed)
    each = [series(volume * rng.lognormal(0, 0.08, len(AMOUNTS)), membrane=f"M{i}") for i in range(n)]
    return blots.linear_range(pd.concat(each))["model"]


def test_a_true_line_is_rarely_called_bent():
    """5 % is asked for at most (Bonferroni over two models); 300 series have a standard error of 1.3 %."""
    assert (models(30 * AMOUNTS, 300, 0) != "proportional").mean() < 0.05 + 2 * 0.013


def test_a_bent_line_is_mostly_found():
    """Half saturation at the highest amount."""
    assert (models(1000 * AMOUNTS / (40 + AMOUNTS), 50, 1) == "saturating").mean() > 0.8


def test_samples_are_held_against_the_series_of_their_own_membrane():
    samples = pd.DataFrame(
        {"membrane": ["M1", "M1", "M1", "M2", "M3"], "volume": [30.0, 600, 1500, 1500, 1500]}
    ).assign(target="GAPDH", role="sample", animal=list("abcde"), lane=10, flags="")
    samples.loc[1, "flags"] = "smear"
    bands = pd.concat(
        [series(30 * AMOUNTS), series(300 * AMOUNTS, membrane="M2"), samples], ignore_index=True
    )
    flagged = blots.flag_range(bands, blots.linear_range(bands)).tail(5)["flags"].tolist()
    assert flagged == [
        "below the linear range of its membrane (30, range 37.5 to 1.2e+03)",
        "smear",
        "above the linear range of its membrane (1.5e+03, range 37.5 to 1.2e+03)",
        "",
        "",
    ]


def test_flags_of_the_range_reach_the_ratio():
    bands = pd.concat(
        [
            series(30 * AMOUNTS),
            pd.DataFrame({"volume": [900.0, 1500.0], "lane": [7, 8], "animal": ["a", "b"]}).assign(
                membrane="M1", target="GAPDH", role="sample"
            ),
            pd.DataFrame({"volume": [10.0, 20.0], "lane": [7, 8], "animal": ["a", "b"]}).assign(
                membrane="M1", target="PSD-95", role="sample"
            ),
        ],
        ignore_index=True,
    )
    found = blots.ratios(blots.flag_range(bands, blots.linear_range(bands)), loading="GAPDH")
    assert found["flags"].tolist()[0] == ""
    assert found["flags"].tolist()[1].startswith("GAPDH, lane 8: above the linear range of its membrane")


def test_a_reference_with_its_amount_belongs_to_the_series():
    bands = pd.concat([series(30 * AMOUNTS[:2], ug=AMOUNTS[:2]), series([300.0], ug=[10], role="reference")])
    assert blots.linear_range(bands).iloc[0]["n_amounts"] == 3


@pytest.mark.parametrize(
    ("bands", "options", "words"),
    [
        (series(30 * AMOUNTS[:2], ug=AMOUNTS[:2]), {}, "three amounts or more"),
        (series(30 * AMOUNTS), {"targets": ["actin"]}, "no membrane has a dilution series of actin"),
        (series(30 * AMOUNTS), {"limit_percent": 0}, "limit_percent is 0"),
        (series(30 * AMOUNTS), {"volume": "volume_arpls"}, "no column volume_arpls"),
    ],
)
def test_mistakes_are_told(bands, options, words):
    with pytest.raises(DataError, match=words):
        blots.linear_range(bands, **options)


def test_a_study_without_a_series_has_an_empty_table_and_nothing_is_flagged():
    bands = series(30 * AMOUNTS, role="sample")
    ranges = blots.linear_range(bands)
    assert ranges.empty
    assert "high_volume" in ranges
    assert blots.flag_range(bands, ranges)["flags"].eq("").all()

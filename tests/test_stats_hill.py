"""The Hill curve: truth recovered, laws kept, intervals as defined, what the doses do not show refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as sp

from labkit import stats
from labkit.errors import DataError

DOSES = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
NAMES = ["bottom", "top", "log_ec50", "hill"]


def response(doses, *, bottom=100.0, top=150.0, ec50=5.0, hill=1.5) -> np.ndarray:
    doses = np.asarray(doses, dtype=float)
    with np.errstate(divide="ignore"):
        return bottom + (top - bottom) / (1 + (ec50 / doses) ** hill)


def study(doses=DOSES, *, per_dose=4, sd=4.0, seed=1, **truth) -> pd.DataFrame:
    at = np.repeat(doses, per_dose)
    noise = np.random.default_rng(seed).normal(0, sd, at.size) if sd else 0.0
    return pd.DataFrame(
        {"animal": [f"m{i}" for i in range(at.size)], "dose": at, "ltp": response(at, **truth) + noise}
    )


@settings(max_examples=25, deadline=None)
@given(
    st.floats(1.0, 30.0),
    st.floats(0.6, 3.0),
    st.floats(-50, 50),
    st.floats(1.0, 100.0),
    st.booleans(),
)
def test_truth_without_noise_is_recovered(ec50, hill, bottom, rise, falls):
    truth = {"bottom": bottom, "top": bottom + rise, "ec50": ec50, "hill": -hill if falls else hill}
    table = study(sd=0.0, bottom=bottom + rise if falls else bottom,
                  top=bottom if falls else bottom + rise, ec50=ec50, hill=hill)  # fmt: skip
    found = stats.hill(table, "ltp").parameters["value"]
    # The residual sum of squares is flat to 1e-16 of itself within some 1e-6 of the truth.
    for name, value in truth.items():
        assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-5 * rise), name


def test_estimates_lie_within_their_errors_of_the_truth():
    """Over 40 seeded studies the standardised errors have a mean near 0 and an SD near 1 (slopes skew)."""
    z = []
    for seed in range(30):
        found = stats.hill(study(per_dose=8, seed=seed), "ltp", alpha=0.5).parameters.loc[NAMES]
        truth = np.array([100.0, 150.0, np.log(5.0), 1.5])
        z.append((found["value"].to_numpy() - truth) / found["se"].to_numpy())
    # A mean of 30 has an SE of 0.18, their SD one of 0.13.
    assert np.abs(np.mean(z, axis=0)).max() < 0.5
    assert np.std(z, axis=0).min() > 0.7
    assert np.std(z, axis=0).max() < 1.4


@pytest.mark.parametrize("which", range(4))
def test_profile_limits_are_where_the_best_remaining_curve_is_just_too_bad(which):
    """With the parameter held at its limit, a search of another kind finds RSS = RSS_min + sigma² t²."""
    table = study()
    curve = stats.hill(table, "ltp")
    x, y = table["dose"].to_numpy(), table["ltp"].to_numpy()
    best = curve.parameters.loc[NAMES, "value"].to_numpy()
    target = curve.rss + curve.sigma**2 * sp.t.isf(0.025, curve.df) ** 2
    rest = [i for i in range(4) if i != which]

    def rss(free, held):
        theta = np.empty(4)
        theta[rest], theta[which] = free, held
        fitted = response(x, bottom=theta[0], top=theta[1], ec50=np.exp(theta[2]), hill=theta[3])
        return ((y - fitted) ** 2).sum()

    for end in ("ci_low", "ci_high"):
        held = curve.parameters.loc[NAMES[which], end]
        found = optimize.minimize(
            rss, best[rest], args=(held,), method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-9, "maxiter": 20_000, "maxfev": 20_000},
        )  # fmt: skip
        assert found.fun == pytest.approx(target, rel=1e-6)


def same(one: stats.DoseResponse, other: stats.DoseResponse, *, values=None, rel=1e-6) -> None:
    columns = ["value", "se", "ci_low", "ci_high"]
    expected = one.parameters.loc[NAMES, columns] if values is None else values
    near = {"rel": rel, "abs": 1e-9}
    assert other.parameters.loc[NAMES, columns].to_numpy() == pytest.approx(expected.to_numpy(), **near)


def test_the_unit_of_dose_moves_ec50_alone():
    one = stats.hill(study(), "ltp")
    other = stats.hill(study().assign(dose=lambda t: t["dose"] * 1000), "ltp")
    columns = ["value", "ci_low", "ci_high"]
    expected = one.parameters.loc[NAMES].copy()
    expected.loc["log_ec50", columns] += np.log(1000)
    same(one, other, values=expected[["value", "se", "ci_low", "ci_high"]])
    assert other.lack_of_fit.p == pytest.approx(one.lack_of_fit.p, rel=1e-9)


def test_the_unit_of_response_moves_the_plateaus_alone():
    one = stats.hill(study(), "ltp")
    other = stats.hill(study().assign(ltp=lambda t: 3 * t["ltp"] - 70), "ltp")
    expected = one.parameters.loc[NAMES, ["value", "se", "ci_low", "ci_high"]].copy()
    expected.loc[["bottom", "top"]] *= 3
    expected.loc[["bottom", "top"], ["value", "ci_low", "ci_high"]] -= 70
    same(one, other, values=expected)


def test_a_mirrored_response_mirrors_the_curve():
    one = stats.hill(study(), "ltp").parameters
    other = stats.hill(study().assign(ltp=lambda t: -t["ltp"]), "ltp").parameters
    assert other.loc["hill", "value"] == pytest.approx(-one.loc["hill", "value"], rel=1e-6)
    for here, there in (("bottom", "top"), ("top", "bottom"), ("hill", "hill")):
        assert other.loc[here, ["ci_low", "ci_high"]].tolist() == pytest.approx(
            [-one.loc[there, "ci_high"], -one.loc[there, "ci_low"]], rel=1e-6
        )
    assert other.loc["ec50", "ci_high"] == pytest.approx(one.loc["ec50", "ci_high"], rel=1e-6)


def test_order_of_rows_changes_no_bit():
    table = study()
    shuffled = table.sample(frac=1, random_state=3)
    one, other = stats.hill(table, "ltp"), stats.hill(shuffled, "ltp")
    pd.testing.assert_frame_equal(one.parameters, other.parameters, check_exact=True)
    assert one.summary() == other.summary()


def test_dose_0_is_exact():
    """A dose of 10⁻⁹ of the EC50 leaves 10^(-13.5) of the rise, so it stands for 0 to rounding."""
    table = study()
    nearly = table.assign(dose=table["dose"].replace(0.0, 5e-9))
    same(stats.hill(table, "ltp"), stats.hill(nearly, "ltp"), rel=1e-5)
    at = stats.hill(table, "ltp").at([0.0, 5.0])
    assert at.loc[0, "mean"] == stats.hill(table, "ltp").parameters.loc["bottom", "value"]


def test_slices_are_averaged_to_the_animal():
    table = study()
    slices = pd.concat(
        [table.assign(slice="a", ltp=table["ltp"] - 3), table.assign(slice="b", ltp=table["ltp"] + 3)]
    )
    one, other = stats.hill(table, "ltp"), stats.hill(slices, "ltp", nested=("slice",))
    same(one, other)
    assert other.n == len(table)


def test_the_band_is_that_of_the_fit():
    curve = stats.hill(study(), "ltp")
    at = curve.at([0.0, 5.0, 1e9])
    # At dose 0 the curve is `bottom`, far out `top`, so the band is their Wald interval.
    for row, name in ((0, "bottom"), (2, "top")):
        expected = curve.parameters.loc[name, ["value", "wald_low", "wald_high"]].tolist()
        assert at.loc[row, ["mean", "ci_low", "ci_high"]].tolist() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(DataError, match="a dose is negative"):
        curve.at([-1.0])


def test_lack_of_fit_by_hand():
    table = study()
    curve = stats.hill(table, "ltp")
    within = table.groupby("dose")["ltp"].var(ddof=1).sum() * 3
    f = (curve.rss - within) / 3 / (within / 21)
    assert curve.lack_of_fit.statistic == pytest.approx(f, rel=1e-9)
    assert curve.lack_of_fit.df == (3, 21)
    assert stats.hill(study(per_dose=1), "ltp").lack_of_fit is None


def test_a_hump_is_said_to_be_no_hill_curve():
    table = study(sd=2.0)
    table.loc[table["dose"] == 100, "ltp"] = [100.0, 101, 102, 103]
    curve = stats.hill(table, "ltp", slope=1.0)
    assert any("stray from the curve" in said for said in curve.warnings)


def test_what_is_known_need_not_be_estimated():
    """Four doses show a curve of three parameters; the fixed one has no error."""
    table = study((0.0, 1.0, 10.0, 100.0))
    curve = stats.hill(table, "ltp", slope=1.5)
    assert curve.df == 16 - 3
    assert curve.parameters.loc["hill", ["value", "se", "fixed"]].tolist() == [1.5, 0.0, True]
    assert curve.parameters.loc["ec50", "value"] == pytest.approx(5.0, rel=0.3)
    assert "Hill slope 1.50 (fixed)" in curve.summary()
    both = stats.hill(table, "ltp", bottom=100.0, top=150.0)
    assert both.df == 16 - 2
    assert both.parameters.loc["top", "value"] == 150.0
    falling = stats.hill(table.assign(ltp=-table["ltp"]), "ltp", bottom=-150.0)
    assert falling.parameters.loc["bottom", "value"] == -150.0
    assert falling.parameters.loc["hill", "value"] < 0


REFUSED = [
    (study((0.0, 1.0, 3.0, 10.0)), {}, "4 doses cannot show a curve of 4 .* linear trend can be reported: "),
    (study((0.0,)), {}, "1 dose cannot show a curve"),
    (study((0.0, 0.1, 0.2, 0.3, 0.4), ec50=50, top=3000, hill=1, sd=0.5), {}, "no plateau within the doses"),
    (study(top=100.001, seed=5), {}, "(hardly follow the dose|steps|no plateau).*linear trend"),
    (study((0.0, 1.0, 2.0, 20.0, 40.0), hill=8.0, sd=1.0), {}, "steps between 2 and 20 with no dose on the"),
    (study().assign(ltp=5.0), {}, "all 28 values are 5"),
    (study(), {"bottom": 150.0, "top": 100.0}, "bottom is fixed at 150 and top at 100"),
    (study(), {"slope": 0.0}, "hill is fixed at 0"),
    (study(), {"bottom": 500.0}, "bottom fixed at 500 no curve keeps the lower plateau below"),
    (study(), {"alpha": 7}, "alpha is 7"),
    (study().assign(dose=lambda t: -t["dose"]), {}, "is negative or infinite"),
    (study().assign(dose="10 mg"), {}, "holds '10 mg'"),
    (study().assign(ltp=np.inf), {}, "infinite"),
    (study().drop(columns="dose"), {}, "no column 'dose'"),
]


@pytest.mark.parametrize(("table", "arguments", "sentence"), REFUSED)
def test_what_the_doses_do_not_show_is_refused(table, arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        stats.hill(table, "ltp", **arguments)


def test_an_open_interval_is_said():
    """Means on the curve, EC50 within the doses, and units that vary by a third of the rise."""
    at = np.repeat([0.0, 0.5, 1.0, 3.0, 10.0], 3)
    table = pd.DataFrame({"dose": at, "ltp": response(at, hill=1.0) + np.tile([-15.0, 0.0, 15.0], 5)})
    curve = stats.hill(table, "ltp", unit=None)
    assert curve.parameters.loc["ec50", "value"] == pytest.approx(5.0, rel=1e-4)
    assert np.isinf(curve.parameters.loc["ec50", "ci_high"])
    assert any(said.startswith("The doses set no upper limit to EC50") for said in curve.warnings)
    assert "EC50 5.00 (95% CI above " in curve.summary()


def test_the_summary_reports_what_a_paper_does():
    said = stats.hill(study(), "ltp").summary()
    for words in ("EC50 ", "(95% CI ", "Hill slope", "n = 28 animals at 7 doses", "Lack of fit: F(3, 21) = "):
        assert words in said

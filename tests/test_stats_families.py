"""Families of endpoints: adjusted as by hand, in the stated family, and nothing lost on the way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sp

from labkit import stats
from labkit.errors import DataError

GROUPS = ["vehicle", "low", "high"]
EFFECTS = {"ltp": 3.0, "density": 2.2, "psd95": 1.0, "volley": 0.0, "length": 1.5}


@pytest.fixture(scope="module")
def made() -> dict[str, stats.Comparison]:
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"group": np.repeat(GROUPS, 6), "dose": np.repeat([0.0, 1.0, 2.0], 6)})
    table["animal"] = [f"m{i}" for i in range(len(table))]
    for name, effect in EFFECTS.items():
        table[name] = rng.normal(0, 1.0, len(table)) + effect * table["dose"] / 2
    return {name: stats.compare(table, name, group="group", order=GROUPS, dose="dose") for name in EFFECTS}


def by_holm(p) -> np.ndarray:
    """The definition: the i-th smallest of m times (m - i), and never below the one before."""
    order = np.argsort(p)
    steps = np.maximum.accumulate([(len(p) - i) * p[j] for i, j in enumerate(order)])
    out = np.empty(len(p))
    out[order] = np.minimum(1, steps)
    return out


def by_benjamini_hochberg(p) -> np.ndarray:
    order = np.argsort(p)
    steps = np.minimum.accumulate([len(p) / (i + 1) * p[order[i]] for i in reversed(range(len(p)))])[::-1]
    out = np.empty(len(p))
    out[order] = np.minimum(1, steps)
    return out


def test_each_family_has_its_method(made):
    found = stats.families(made, primary=["ltp", "density"]).set_index("endpoint")
    assert list(found.index) == ["ltp", "density", "psd95", "volley", "length"]
    assert found["family"].tolist() == ["primary"] * 2 + ["secondary"] * 3
    assert found["p"].tolist() == [made[name].omnibus.p for name in found.index]
    assert found["p_adjusted"].to_numpy()[:2] == pytest.approx(by_holm(found["p"].to_numpy()[:2]))
    assert found["p_adjusted"].to_numpy()[2:] == pytest.approx(
        by_benjamini_hochberg(found["p"].to_numpy()[2:])
    )
    assert found["method"].tolist() == ["Holm"] * 2 + ["Benjamini-Hochberg"] * 3
    assert ((found["p_adjusted"] < 0.05) == (found["decision"] == "difference")).all()
    assert set(found["decision"]) == {"difference", "no difference shown"}


def test_the_order_is_that_of_the_primary_family(made):
    assert stats.families(made, primary=["density", "ltp"])["endpoint"].tolist()[:2] == ["density", "ltp"]


def test_all_contrasts_of_a_family_can_be_adjusted_together(made):
    found = stats.families(made, primary=["ltp", "density"], over="contrasts")
    assert found["tested"].tolist()[:2] == ["low − vehicle", "high − vehicle"]
    t = [abs(x) for name in ("ltp", "density") for x in made[name].posthoc["statistic"]]
    raw = 2 * sp.t.sf(t, 15)
    assert found["p"].to_numpy()[:4] == pytest.approx(raw)
    assert found["p_adjusted"].to_numpy()[:4] == pytest.approx(by_holm(raw))


def test_trends_can_be_the_question(made):
    found = stats.families(made, primary=["ltp"], over="trend").set_index("endpoint")
    assert found.loc["ltp", "p_adjusted"] == made["ltp"].trend.loc["dose", "p"]
    assert set(found["tested"]) == {"linear trend over dose"}


def test_one_endpoint_alone_is_not_adjusted(made):
    found = stats.families({"ltp": made["ltp"]}, primary=["ltp"]).iloc[0]
    assert found["p_adjusted"] == found["p"] == made["ltp"].omnibus.p


def test_an_endpoint_that_could_not_be_compared_stays_and_says_why(made):
    both = dict(made) | {"ltp": DataError("only group 'vehicle' has values")}
    found = stats.families(both, primary=["ltp", "density"]).set_index("endpoint")
    assert found.loc["ltp", "decision"] == "not tested: only group 'vehicle' has values"
    assert np.isnan(found.loc["ltp", "p_adjusted"])
    # It takes no part in the family.
    assert found.loc["density", "p_adjusted"] == made["density"].omnibus.p


def test_nothing_is_claimed_where_nothing_was_tested(made):
    none = {"ltp": stats.compare(made["ltp"].units, "ltp", group="group", posthoc="none")}
    for over, why in (("contrasts", "no contrasts were made"), ("trend", "no trend over dose was tested")):
        found = stats.families(none, primary=["ltp"], over=over).iloc[0]
        assert found["decision"] == f"not tested: {why}"


def test_wrong_families_are_refused(made):
    with pytest.raises(DataError, match="no comparison of 'creb'; expected primary endpoints among ltp, "):
        stats.families(made, primary=["creb"])
    other = stats.compare(made["ltp"].units, "ltp", group="group", alpha=0.01)
    with pytest.raises(DataError, match=r"α of 0\.01 and 0\.05; expected one level"):
        stats.families(dict(made) | {"ltp": other}, primary=["ltp"])
    with pytest.raises(DataError, match="over is 'all'"):
        stats.families(made, primary=["ltp"], over="all")


def test_the_methods_say_how_several_endpoints_were_handled(made):
    found = stats.families(made, primary=["ltp", "density"])
    assert stats.multiplicity(found) == (
        "P of the 2 primary endpoints (ltp and density) were adjusted over their tests by Holm's method; "
        "P of the 3 secondary endpoints (psd95, volley and length) were adjusted over their tests by the "
        "method of Benjamini and Hochberg."
    )
    some = {name: made[name] for name in ("ltp", "density", "volley")}
    found = stats.families(some, primary=["ltp", "density"], over="contrasts")
    assert "(ltp and density) were adjusted over 4 tests by Holm's" in stats.multiplicity(found)
    one = stats.families(some, primary=["ltp", "density"])
    assert stats.multiplicity(one).endswith("; P of the one secondary endpoint (volley) stands as it is.")
    assert stats.multiplicity(found.iloc[:0]) == ""

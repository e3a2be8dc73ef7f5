"""The Hill curve against R (minpack.lm, nls), at full precision; curves that no data can show are refused."""

from __future__ import annotations

import json
import math
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_stats_reference import CASES, ids, no_cases, plan, prepared

from labkit import stats
from labkit.errors import DataError

NAMES = ("bottom", "top", "log_ec50", "hill")


@cache
def case(name: str) -> tuple[pd.DataFrame, str, str]:
    row = plan().set_index("id").loc[name]
    table = prepared(pd.read_csv(CASES / "data" / f"{row['file']}.csv"), row["subset"], row["prep"])
    return table, row["y"], row["dose"]


@pytest.mark.parametrize("name", ids("hill") or no_cases)
def test_hill_curves_agree_with_r(name):
    table, y, dose = case(name)
    if table[dose].nunique() <= 4:
        # R answers; but a curve of four parameters runs through any four means.
        with pytest.raises(DataError, match=r"cannot show a curve of 4 parameters .* linear trend"):
            stats.hill(table, y, dose=dose, unit=None)
        return
    r = json.loads((CASES / "expected" / f"{name}.json").read_text())["result"]
    curve = stats.hill(table, y, dose=dose, unit=None)
    found = curve.parameters
    # R's search stops at 1e-8 of the residual sum of squares, which leaves parameters to some 1e-5, and takes
    # the SE at that point.
    for parameter in NAMES:
        near = {"abs": 1e-4 * r["se"][parameter]}
        assert found.loc[parameter, "value"] == pytest.approx(r["params"][parameter], rel=1e-5, **near)
        assert found.loc[parameter, "se"] == pytest.approx(r["se"][parameter], rel=1e-4)
    assert found.loc["ec50", "value"] == pytest.approx(r["params"]["ec50"], rel=1e-5)
    assert (curve.n, curve.df) == (r["n"], r["df"])
    assert curve.rss == pytest.approx(r["rss"], rel=1e-9)
    assert curve.sigma == pytest.approx(r["sigma"], rel=1e-9)
    wald = found.loc["log_ec50", ["wald_low", "wald_high"]].tolist()
    assert wald == pytest.approx(r["wald_ci_log_ec50"], rel=1e-4)
    lack = curve.lack_of_fit
    theirs = r["lack_of_fit"]
    assert lack.df == (theirs["df1"], theirs["df2"])
    assert (lack.statistic, lack.p) == pytest.approx((theirs["F"], theirs["p"]), rel=1e-8)
    if "error" not in r["profile_ci"]:
        for parameter in NAMES:
            # R draws a spline through a few points of the profile.
            near = {"rel": 1e-4, "abs": 2e-3 * r["se"][parameter]}
            ours = found.loc[parameter, ["ci_low", "ci_high"]].tolist()
            assert ours == pytest.approx(r["profile_ci"][parameter], **near)


def digits() -> pd.DataFrame:
    """Digits of agreement with R: -log10 of the relative error."""
    found: dict[str, list[float]] = {}
    for name in ids("hill"):
        table, y, dose = case(name)
        if table[dose].nunique() <= 4:
            continue
        r = json.loads((CASES / "expected" / f"{name}.json").read_text())["result"]
        curve = stats.hill(table, y, dose=dose, unit=None)
        ours = curve.parameters.loc[list(NAMES)]
        pairs = {
            "parameters": (ours["value"], [r["params"][p] for p in NAMES]),
            "standard errors": (ours["se"], [r["se"][p] for p in NAMES]),
            "residual sum of squares": ([curve.rss], [r["rss"]]),
            "lack of fit: F and P": (
                [curve.lack_of_fit.statistic, curve.lack_of_fit.p],
                [r["lack_of_fit"]["F"], r["lack_of_fit"]["p"]],
            ),
        }
        if "error" not in r["profile_ci"]:
            theirs = np.array([r["profile_ci"][p] for p in NAMES]).ravel()
            pairs["profile intervals"] = (ours[["ci_low", "ci_high"]].to_numpy().ravel(), theirs)
        for need, (a, b) in pairs.items():
            a, b = np.asarray(a, float), np.asarray(b, float)
            found.setdefault(need, []).append(-math.log10(max((np.abs(a - b) / np.abs(b)).max(), 1e-15)))
    rows = [(need, len(d), min(d), float(np.median(d))) for need, d in found.items()]
    return pd.DataFrame(rows, columns=["need", "cases", "fewest", "median"])


if __name__ == "__main__":
    print(digits().round(1).to_string(index=False))

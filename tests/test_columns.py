"""Every column of every result table is declared once, with a unit that its name agrees with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labkit import columns, ltp, stats
from labkit.columns import COLUMNS, axis_label, describe
from labkit.demo import field

RESULTS = Path(__file__).parents[1] / "data" / "demo" / "results"
# What the end of a name says about the unit.
ENDINGS = {
    "mV_per_ms": "mV/ms",
    "percent": "%",
    "mV": "mV",
    "ms": "ms",
    "s": "s",
    "min": "min",
    "Hz": "Hz",
    "ug": "µg",
    "px": "px",
    "kda": "kDa",
    "um": "µm",
    "um3": "µm³",
    "per_10um": "1/10 µm",
}


def unit_in(name: str) -> str | None:
    """Unit that a name ends in, the longest first; None when it ends in none."""
    return next((unit for end, unit in ENDINGS.items() if name.endswith(f"_{end}")), None)


@pytest.fixture(scope="module")
def responses() -> pd.DataFrame:
    """Pairs of pulses, so that no column is left out for want of what it holds."""
    t = np.arange(-100, 1100) / 20
    one = field.response(t, rng=np.random.default_rng(1), slope_mV_per_ms=np.full(90, 0.4))
    second = field.response(t - 30, rng=None, slope_mV_per_ms=np.full(90, 0.5))
    recording = ltp.Recording.from_arrays(
        one + second, rate_hz=20_000, stimuli=[5.0, 35.0], start_s=60.0 * np.arange(90), induction_s=1190
    )
    return ltp.measure_slices({"R1": recording}, {})


@pytest.fixture(scope="module")
def plasticity(responses) -> ltp.Plasticity:
    row = {"code": "R1", "recording": "a-1", "animal": "a", "slice": "1"}
    row |= {"test_pathway": "S0", "control_pathway": ""}
    return ltp.plasticity_slices(responses, {"R1": 1190.0}, pd.DataFrame([row]))


def undeclared(table: pd.DataFrame) -> list[str]:
    return [name for name in table if name not in COLUMNS]


def test_names_are_declared_once():
    names = [column.name for column in columns._DECLARED]
    assert sorted(COLUMNS) == sorted(names)


def test_a_declaration_is_complete():
    for name, column in COLUMNS.items():
        assert column.name == name
        assert re.fullmatch(r"[a-z][A-Za-z0-9_]*", name), name
        for words in (column.label, column.meaning):
            assert words, name
            assert words == words.strip(), name
        assert not column.meaning.endswith("."), name
        # The unit goes into the brackets that `axis_label` adds.
        assert "(" not in column.unit + column.label, name


def test_a_unit_in_the_name_is_the_unit_declared():
    """A percentage may say of what."""
    for name, column in COLUMNS.items():
        unit = unit_in(name)
        if unit == "%":
            assert column.unit.split(" ")[0] == "%", name
        elif unit is not None:
            assert column.unit == unit, name


def test_every_unit_declared_stands_in_the_name():
    for name, column in COLUMNS.items():
        if column.unit:
            assert unit_in(name) or name in ("percent_of_baseline", "ug"), name


def test_endings_tell_units_apart():
    """`unit_in` itself: the longest ending counts, and letters at the end of a word do not."""
    assert [unit_in(name) for name in ("slope_mV_per_ms", "latency_ms", "time_s", "flags")] == [
        *("mV/ms", "ms", "s"),
        None,
    ]


def test_what_measuring_gives_is_declared(responses, plasticity):
    for table in (responses, plasticity.time_course, plasticity.summary):
        assert undeclared(table) == []
    # Pairs are in: the column that only they fill holds a number.
    assert plasticity.summary["paired_pulse_ratio"].notna().all()
    assert undeclared(ltp.count_flags(responses)) == []


@pytest.mark.parametrize(
    ("omnibus", "posthoc"),
    [
        ("anova", "dunnett"),
        ("anova", "tukey"),
        ("welch", "games-howell"),
        ("kruskal", "dunn"),
        ("anova", "none"),
    ],
)
def test_contrasts_are_declared(omnibus, posthoc):
    table = pd.DataFrame(
        {"animal": list("abcdef"), "group": ["v"] * 3 + ["d"] * 3, "x": [1.0, 2, 3, 3, 5, 4]}
    )
    made = stats.compare(table, "x", group="group", order=["v", "d"], omnibus=omnibus, posthoc=posthoc)
    assert undeclared(made.posthoc) == []


def test_the_result_tables_of_the_demo_are_declared():
    found = sorted(RESULTS.glob("*.csv"))
    if not found:
        pytest.skip("the notebooks have not been run on the demo study: there are no result tables yet")
    assert {path.name for path in found} >= {
        "ltp.csv",
        "ltp_time_course.csv",
        "blots.csv",
        "blot_ratios.csv",
        "contrasts.csv",
        "table_1.csv",
        "table_2.csv",
        "spines.csv",
        "spine_density.csv",
        "table_3.csv",
    }
    labels = {axis_label(name) for name in COLUMNS} | {"Treatment group"}
    for path in found:
        names = set(pd.read_csv(path, nrows=1).columns)
        # Tables for readers are headed by labels, all others by names.
        known = labels if path.name.startswith("table_") else set(COLUMNS)
        assert {name for name in names - known if ", fold of " not in name} == set(), path.name


def test_a_label_has_its_unit_in_brackets():
    assert axis_label("time_min") == "Time from induction (min)"
    assert axis_label("r2") == "R²"


def test_a_table_is_described_by_its_declared_columns_alone():
    found = describe(pd.DataFrame(columns=["latency_ms", "temperature", "code"]))
    assert found.index.tolist() == ["latency_ms", "code"]
    assert found["unit"].tolist() == ["ms", ""]
    assert found.loc["latency_ms", "meaning"] == "time from the stimulus to the foot of the fEPSP"

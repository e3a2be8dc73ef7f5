"""No reference case falls through: each is the parameter of a test, in whatever module that test stands."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_stats_reference import ABSENT, CASES, plan

# What each design is tested by. A design that is not named here has no test at all.
DESIGNS = {
    "oneway": "test_stats_reference",
    "degenerate": "test_stats_reference",
    "nested": "test_stats_mixed",
    "hill": "test_stats_reference_hill",
    "lmm": "test_stats_reference_models",
    "mixed_rm": "test_stats_reference_models",
    "twoway": "test_stats_reference_models",
    "ancova": "test_stats_reference_models",
}


def claimed() -> dict[str, set[str]]:
    """Names of cases that tests are given as parameters, by test module."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("test_stats_*.py")):
        if path.stem == Path(__file__).stem:
            continue
        module = importlib.import_module(path.stem)
        given = set()
        for name, test in vars(module).items():
            if not name.startswith("test_") or getattr(test, "__module__", None) != module.__name__:
                continue
            for mark in getattr(test, "pytestmark", []):
                if mark.name == "parametrize":
                    given |= {value for row in mark.args[1] for value in _texts(row)}
        found[path.stem] = given
    return found


def _texts(row: object) -> list[str]:
    """Text in one set of parameters: a bare value, several, or pytest's own set of them."""
    values = row.values if isinstance(row, type(pytest.param())) else row
    values = values if isinstance(values, list | tuple) else [values]
    return [value for value in values if isinstance(value, str)]


@ABSENT
def test_every_case_with_expected_values_is_tested():
    by_module = claimed()
    everything = set().union(*by_module.values())
    expected = {path.stem for path in (CASES / "expected").glob("*.json")}
    assert sorted(expected - everything) == []


@ABSENT
def test_every_row_of_the_plan_has_data_expected_values_and_a_known_design():
    table = plan()
    unknown = sorted(set(table["design"]) - set(DESIGNS))
    assert unknown == [], f"no test knows the designs {unknown}"
    for folder, column, suffix in (("data", "file", "csv"), ("expected", "id", "json")):
        missing = [name for name in table[column] if not (CASES / folder / f"{name}.{suffix}").exists()]
        assert missing == [], f"without a file in {folder}: {missing}"


@ABSENT
@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_each_design_is_tested_where_it_is_said_to_be(design):
    table = plan()
    here = [
        name
        for name in table.loc[table["design"] == design, "id"]
        if (CASES / "expected" / f"{name}.json").exists()
    ]
    given = claimed().get(DESIGNS[design], set())
    assert sorted(set(here) - given) == []

"""The table of stimuli: kinds of known protocols, tables made by hand, names of pathways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import RecordingError
from labkit.ltp import stimuli

# ------------------------------------------------------------------ kinds


@pytest.mark.parametrize(
    ("times", "kind", "interval"),
    [
        ([50.0], "test", np.nan),
        ([50.0, 100.0], "pair", 50.0),
        (50 + 10.0 * np.arange(100), "HFS", 10.0),
        (50 + 5.0 * np.arange(20), "HFS", 5.0),
        (np.add.outer(200.0 * np.arange(10), 10.0 * np.arange(4)).ravel(), "TBS", 10.0),
        (np.add.outer(200.0 * np.arange(5), 10.0 * np.arange(5)).ravel(), "TBS", 10.0),
        (1000.0 * np.arange(900), "LFS", 1000.0),
        (50 + 20.0 * np.arange(5), "train", 20.0),
        (50 + 100.0 * np.arange(50), "train", 100.0),
        (50 + 10.0 * np.arange(9), "train", 10.0),
    ],
)
def test_kind_of_one_sweep(times: list[float], kind: str, interval: float) -> None:
    table = stimuli.table(np.full(len(times), 3), times, "given")
    assert table[["sweep", "kind", "pulses"]].to_numpy().tolist() == [[3, kind, len(times)]]
    np.testing.assert_allclose(table["interval_ms"], [interval])
    assert table["time_ms"].tolist() == [times[0]]


def test_what_is_apart_is_apart() -> None:
    """Pulses a second apart are tests unless there are 100; trains 20 s apart are trains of their own."""
    assert stimuli.table(np.zeros(99), 1000.0 * np.arange(99), "given")["kind"].unique().tolist() == ["test"]
    trains = np.add.outer(20_000.0 * np.arange(3), 10.0 * np.arange(100)).ravel()
    table = stimuli.table(np.zeros(300), trains, "given")
    assert table[["time_ms", "pulses", "kind"]].to_numpy().tolist() == [
        [0.0, 100, "HFS"],
        [20_000.0, 100, "HFS"],
        [40_000.0, 100, "HFS"],
    ]
    assert stimuli.table([0, 0, 1, 1], [5.0, 55.0, 5.0, 605.0], "given")["kind"].tolist() == [
        "pair",
        "test",
        "test",
    ]


def test_low_frequency_pairs_count_all_pulses() -> None:
    pairs = np.add.outer(1000.0 * np.arange(100), [0.0, 50.0]).ravel()
    table = stimuli.table(np.zeros(200), pairs, "given")
    assert table[["pulses", "interval_ms", "kind"]].to_numpy().tolist() == [[200, 1000.0, "LFS"]]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4000)), min_size=1, max_size=60, unique=True),
    st.randoms(),
)
@settings(deadline=None)
def test_pulses_are_neither_lost_nor_made(pulses: list[tuple[int, int]], random: object) -> None:
    """Whatever the grouping: every pulse counts once, the order of the input does not matter."""
    shuffled = random.sample(pulses, len(pulses))
    table = stimuli.table(*zip(*shuffled, strict=True), "given")
    assert table["pulses"].sum() == len(pulses)
    assert table.equals(stimuli.table(*zip(*sorted(pulses), strict=True), "given"))
    assert table["time_ms"].isin([time for _, time in pulses]).all()


def test_times_given_by_hand() -> None:
    table = stimuli.given([10.0, 60.0], np.array([100.0, 50.0]))
    assert table[["sweep", "time_ms", "kind"]].to_numpy().tolist() == [[0, 10.0, "pair"], [1, 10.0, "test"]]
    for wrong in (-1.0, 100.0, np.nan, []):
        with pytest.raises(RecordingError, match="times from 0 to 100 ms"):
            stimuli.given(wrong, np.array([100.0, 50.0]))


def test_table_made_by_hand() -> None:
    table = stimuli.complete(stimuli.empty().assign()[["sweep", "time_ms"]], n_sweeps=2)
    assert table.empty
    assert list(table) == list(stimuli.empty())
    with pytest.raises(RecordingError, match="no column time_ms"):
        stimuli.complete(stimuli.empty()[["sweep"]], n_sweeps=2)
    one = stimuli.given(5.0, np.array([100.0, 100.0, 100.0]))
    with pytest.raises(RecordingError, match="sweep 2"):
        stimuli.complete(one, n_sweeps=2)


# ------------------------------------------------------------------ pathways


@pytest.mark.parametrize(
    ("digital", "names"),
    [
        ([1, 1, 1], ["S0", "S0", "S0"]),
        ([2, 2, 2], ["S0", "S0", "S0"]),
        ([0, 0, 0], ["S0", "S0", "S0"]),
        ([2, 1, 2], ["S1", "S0", "S1"]),
        ([9, 10, 9], ["S0", "S1", "S0"]),  # bit 3 in all sweeps tells nothing
    ],
)
def test_pathway_names(digital: list[int], names: list[str]) -> None:
    found, warnings = stimuli.name_pathways([np.array([digital, [0] * len(digital)])])
    assert found.tolist() == names
    assert warnings == []


def test_one_line_is_one_pathway_in_all_files() -> None:
    baseline, induction = np.array([[1, 2, 1, 2], [0] * 4]), np.array([[2, 2], [0, 0]])
    assert stimuli.name_pathways([baseline, induction])[0].tolist() == ["S0", "S1", "S0", "S1", "S1", "S1"]

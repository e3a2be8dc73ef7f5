"""Result tables come back as written, and a table that is not what its provenance says is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit import files, picks, results
from labkit.errors import ResultError


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "animal": ["007", "012", "012"],
            "flags": ["", "baseline drift 12 %", ""],
            "sweep": [0, 1, 2],
            "potentiation_percent": [150.123456789, np.nan, -1e-12],
        }
    )


def test_a_table_comes_back_as_written(tmp_path, table):
    back = results.read(results.write(tmp_path / "results" / "ltp.csv", table))
    pd.testing.assert_frame_equal(back, table, check_dtype=False, rtol=1e-9)
    assert back["animal"].tolist() == ["007", "012", "012"]


def test_provenance_names_inputs_picks_settings_and_versions(tmp_path, table):
    raw = tmp_path / "rec01.abf"
    raw.write_bytes(b"bytes")
    pick = picks.save(raw, "window_ms S0", [1, 2], kind="window", unit="ms", by="ana")
    path = results.write(
        tmp_path / "ltp.csv", table, inputs=[raw], picks=[pick], settings={"method": "20-80"}
    )
    record = results.provenance(path)
    assert record["inputs"] == {"rec01.abf": files.sha256(raw)}
    assert record["picks"][0]["by"] == "ana"
    assert record["settings"] == {"method": "20-80"}
    assert record["columns"]["potentiation_percent"]["unit"] == "% of baseline"
    assert record["versions"]["numpy"] == np.__version__


def test_the_same_table_gives_the_same_bytes(tmp_path, table):
    first, second = (results.write(tmp_path / name / "ltp.csv", table) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert results._beside(first).read_bytes() == results._beside(second).read_bytes()


def test_a_missing_table_says_what_to_run(tmp_path):
    with pytest.raises(ResultError, match=r"ltp\.csv: the table is not there yet; run notebook 01 first\."):
        results.read(tmp_path / "ltp.csv", made_by="notebook 01")


def test_a_table_changed_by_hand_is_refused(tmp_path, table):
    path = results.write(tmp_path / "ltp.csv", table)
    path.write_text(path.read_text().replace("150.1", "190.1"))
    with pytest.raises(ResultError, match="changed after it was written"):
        results.read(path)


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_damaged_provenance_is_told(tmp_path, table, damage):
    path = results.write(tmp_path / "ltp.csv", table)
    results._beside(path).write_text(damage)
    with pytest.raises(ResultError, match=r"ltp\.csv\.json: .*damaged"):
        results.read(path)


def test_a_full_disk_leaves_the_old_table(tmp_path, table, monkeypatch):
    path = results.write(tmp_path / "ltp.csv", table)
    before = path.read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(ResultError, match=r"could not be written \(No space left on device\); make room"):
        results.write(path, table.iloc[:1])
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert len(results.read(path)) == len(table)


def test_a_disk_that_fills_up_between_provenance_and_table_leaves_neither(tmp_path, table, monkeypatch):
    whole = files.write_text_whole

    def fills(path, text):
        if path.suffix == ".csv":
            raise OSError(28, "No space left on device")
        return whole(path, text)

    monkeypatch.setattr(files, "write_text_whole", fills)
    with pytest.raises(ResultError, match="No space left"):
        results.write(tmp_path / "ltp.csv", table)
    assert list(tmp_path.iterdir()) == []

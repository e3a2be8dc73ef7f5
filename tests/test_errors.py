"""Errors speak in one sentence and survive the way back from a worker process."""

from __future__ import annotations

import pickle

from labkit.errors import Problem, RecordingError, StudyError, place


def test_a_sentence_names_place_finding_expectation_and_step():
    error = RecordingError(
        "the unit is 'pA'", expected="a voltage", todo="set unit to mV.", where=place("r.csv", 4, "unit")
    )
    assert str(error) == "r.csv, row 4, column unit: the unit is 'pA'; expected a voltage; set unit to mV."


def test_errors_survive_pickling():
    error = RecordingError("found", expected="wanted", todo="do", where="a.abf")
    study = StudyError([error, Problem("second")])
    back = pickle.loads(pickle.dumps(study))
    assert str(back) == str(study)
    assert [type(problem) for problem in back.problems] == [RecordingError, Problem]
    assert (back.problems[0].expected, back.problems[0].where) == ("wanted", "a.abf")

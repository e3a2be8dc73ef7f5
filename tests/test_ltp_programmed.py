"""Programmed pulses, against waveform tables worked out by hand."""

from __future__ import annotations

import numpy as np

from labkit.ltp.abf_header import Digital, Epoch, Protocol
from labkit.ltp.programmed import programmed
from labkit.ltp.stimuli import name_pathways

RATE = 20_000.0


def step(number: int, points: int, *, level: float = 0.0, **more: float) -> Epoch:
    whole = {"dac": 0, "kind": 1, "level_step": 0.0, "points_step": 0, "period": 0, "width": 0} | more
    return Epoch(number=number, points=points, level=level, **whole)


def test_durations_and_levels_that_change() -> None:
    """Sweeps of 640 points: the first epoch starts at point 10; it lengthens by 5 points a sweep."""
    epochs = (step(0, 100, points_step=5), step(1, 2, level=5.0, level_step=-5.0), step(2, 50))
    found = programmed(Protocol(epochs, dacs={0: 0.0}), np.full(3, 640), RATE).dac
    # In sweep 1 the pulse has the level of rest: there is none.
    assert found.sweep.tolist() == [0, 2]
    assert found.point.tolist() == [110, 120]


def test_pulse_trains_of_an_analogue_output() -> None:
    epochs = (step(0, 90), step(1, 350, level=5.0, kind=3, period=100, width=2))
    found = programmed(Protocol(epochs, dacs={0: 0.0}), np.full(2, 640), RATE).dac
    assert found.point.tolist() == [100, 200, 300] * 2


def test_an_output_that_is_off_gives_no_pulse() -> None:
    epochs = (step(0, 90), step(1, 2, level=5.0))
    assert not len(programmed(Protocol(epochs), np.full(2, 640), RATE).dac.point)


def test_commands_to_a_cell_are_no_pulses() -> None:
    """A membrane test (long), and a short step on the way to another level."""
    epochs = (
        step(0, 100, level=-70.0),
        step(1, 20, level=-75.0),
        step(2, 200, level=-80.0),
        step(3, 50, level=-70.0),
    )
    found = programmed(Protocol(epochs, dacs={0: -70.0}), np.full(1, 640), RATE)
    assert not len(found.dac.point)


def test_digital_bits_in_turn() -> None:
    """Bit 0 on even and bit 1 on odd sweeps, as Clampex alternates them; a bit that stays high rises once."""
    digital = {1: Digital(1, 0, 2, 0), 2: Digital(1, 0, 2, 0), 3: Digital(0, 0, 0, 0), 4: Digital(1, 0, 2, 0)}
    epochs = (step(0, 90), step(1, 10), step(2, 10), step(3, 80), step(4, 10))
    protocol = Protocol(epochs, digital=digital, alternate_digital=True)
    found = programmed(protocol, np.full(2, 640), RATE)
    assert found.digital.point.tolist() == [100, 200] * 2
    assert found.digital.line.tolist() == [1, 1, 2, 2]
    same = programmed(Protocol(epochs, digital=digital), np.full(2, 640), RATE)
    assert same.digital.line.tolist() == [1, 1, 1, 1]


def test_digital_trains() -> None:
    epochs = (step(0, 90), step(1, 200, period=50, width=2))
    protocol = Protocol(epochs, digital={1: Digital(0, 4, 0, 8)}, alternate_digital=True)
    found = programmed(protocol, np.full(2, 640), RATE).digital
    assert found.point.tolist() == [100, 150, 200, 250] * 2
    assert found.line.tolist() == [4] * 4 + [8] * 4


def test_analogue_outputs_in_turn() -> None:
    """The first output serves even sweeps, the second odd ones."""
    epochs = tuple(step(n, p, level=v, dac=dac) for dac in (0, 1) for n, p, v in [(0, 90, 0.0), (1, 2, 5.0)])
    protocol = Protocol(epochs, dacs={0: 0.0, 1: 0.0}, alternate_dac=True)
    found = programmed(protocol, np.full(4, 640), RATE)
    assert found.dac.line.tolist() == [1, 2, 1, 2]
    assert name_pathways([found.lines(4)])[0].tolist() == ["S0", "S1", "S0", "S1"]


def test_a_user_list_is_not_guessed() -> None:
    epochs = (step(0, 90), step(1, 2, level=5.0))
    found = programmed(Protocol(epochs, dacs={0: 0.0}, user_list=True), np.full(2, 640), RATE)
    assert not len(found.dac.point)
    assert "user list" in found.warnings[0]

"""Field recordings of long-term potentiation: read a recording, measure its responses, sum up plasticity.

``read`` gives a `Recording`; ``propose_window`` says where its fEPSPs rise; ``measure`` gives one row per
response; ``plasticity`` puts them in % of baseline.
"""

from __future__ import annotations

from labkit.ltp.marks import measure_marks
from labkit.ltp.plasticity import Plasticity, plasticity
from labkit.ltp.recording import Recording, read
from labkit.ltp.response import measure
from labkit.ltp.window import MeanTrace, mean_responses, mean_trace, propose_window

__all__ = [
    "MeanTrace",
    "Plasticity",
    "Recording",
    "mean_responses",
    "mean_trace",
    "measure",
    "measure_marks",
    "plasticity",
    "propose_window",
    "read",
]

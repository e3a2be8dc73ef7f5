"""Field recordings of long-term potentiation: read a recording, measure its responses, sum up plasticity.

``read`` gives a `Recording`; ``propose_window`` says where its fEPSPs rise; ``measure`` gives one row per
response; ``plasticity`` puts them in % of baseline.
"""

from __future__ import annotations

from labkit.ltp.marks import measure_marks
from labkit.ltp.plasticity import Plasticity, plasticity
from labkit.ltp.recording import Recording, read
from labkit.ltp.response import measure
from labkit.ltp.slices import (
    amiss,
    count_flags,
    inductions,
    mean_traces,
    measure_slices,
    overview,
    plasticity_slices,
    read_slices,
)
from labkit.ltp.window import MeanTrace, mean_responses, mean_trace, propose_window

__all__ = [
    "MeanTrace",
    "Plasticity",
    "Recording",
    "amiss",
    "count_flags",
    "inductions",
    "mean_responses",
    "mean_trace",
    "mean_traces",
    "measure",
    "measure_marks",
    "measure_slices",
    "overview",
    "plasticity",
    "plasticity_slices",
    "propose_window",
    "read",
    "read_slices",
]

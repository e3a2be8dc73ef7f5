"""Pickers: widgets for JupyterLab in which a person confirms, moves or excludes what the kit proposes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.pickers.trace import TraceItem, TracePicker

__all__ = ["TraceItem", "TracePicker", "trace_items"]


def trace_items(
    traces: Mapping[tuple[str, str], Any], files: Mapping[str, Sequence[Path]]
) -> list[TraceItem]:
    """The items of a `TracePicker` from the mean traces by (code, pathway) and the files of each code."""
    return [
        TraceItem(
            code=code,
            pathway=pathway,
            files=files[code],
            time_ms=trace.time_ms,
            traces_mV=trace.traces_mV,
            proposal_ms=trace.proposal_ms,
            blank_ms=trace.blank_ms,
        )
        for (code, pathway), trace in traces.items()
    ]

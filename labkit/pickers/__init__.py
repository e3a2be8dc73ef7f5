"""Pickers: widgets for JupyterLab in which a person confirms, moves or excludes what the kit proposes."""

from labkit.pickers.trace import TraceItem, TracePicker

__all__ = ["TraceItem", "TracePicker"]

"""Pickers: widgets for JupyterLab in which a person confirms, moves or excludes what the kit proposes."""

from __future__ import annotations

from labkit.pickers.items import TraceItem, trace_items
from labkit.pickers.lanes import LanesPicker
from labkit.pickers.lanes_items import LanesItem, lane_items
from labkit.pickers.regions import Regions
from labkit.pickers.trace import TracePicker

__all__ = ["LanesItem", "LanesPicker", "Regions", "TraceItem", "TracePicker", "lane_items", "trace_items"]

"""Pickers: widgets for JupyterLab in which a person confirms, moves or excludes what the kit proposes."""

from __future__ import annotations

from labkit.pickers.dendrite import DendritePicker
from labkit.pickers.dendrite_items import DendriteItem, dendrite_items
from labkit.pickers.dendrite_picks import PickedDendrite
from labkit.pickers.items import TraceItem, trace_items
from labkit.pickers.lanes import LanesPicker
from labkit.pickers.lanes_items import LanesItem, lane_items
from labkit.pickers.regions import Regions
from labkit.pickers.trace import TracePicker

__all__ = [
    "DendriteItem", "DendritePicker", "LanesItem", "LanesPicker", "PickedDendrite", "Regions", "TraceItem",
    "TracePicker", "dendrite_items", "lane_items", "trace_items",
]  # fmt: skip

"""Western blots: read an image, find its lanes and bands, measure them.

``read`` gives a `BlotImage` whose signal grows with protein; ``as_image`` takes an array for one.
"""

from __future__ import annotations

from labkit.blots.bands import Band, find_band
from labkit.blots.blocks import balance, percent_of_control, refuse_own_control
from labkit.blots.dilution import flag_range, linear_range
from labkit.blots.doublets import doublet
from labkit.blots.image import BlotImage, as_image, read
from labkit.blots.images import amiss, count_flags, measure_blots, overview, propose, propose_one, read_blots
from labkit.blots.lanes import Lanes, find_lanes
from labkit.blots.polarity import propose_polarity
from labkit.blots.ratios import loading_table, ratios
from labkit.blots.volumes import measure
from labkit.blots.weights import Ladder, find_markers, weights

__all__ = [
    "Band",
    "BlotImage",
    "Ladder",
    "Lanes",
    "amiss",
    "as_image",
    "balance",
    "count_flags",
    "doublet",
    "find_band",
    "find_lanes",
    "find_markers",
    "flag_range",
    "linear_range",
    "loading_table",
    "measure",
    "measure_blots",
    "overview",
    "percent_of_control",
    "propose",
    "propose_one",
    "propose_polarity",
    "ratios",
    "read",
    "read_blots",
    "refuse_own_control",
    "weights",
]

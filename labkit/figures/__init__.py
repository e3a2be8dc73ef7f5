"""Publication figures: journal styles, panels of the field, and saving with alternative text."""

from labkit.figures.composites import blots_figure, ltp_figure, spines_figure
from labkit.figures.marks import shade
from labkit.figures.panels import dose_superplot, fold_plot, time_course
from labkit.figures.recordings import mean_traces, slice_grid
from labkit.figures.style import PRESETS, Published, figure, group_colours, letter, publish, show, use

__all__ = [
    "PRESETS",
    "Published",
    "blots_figure",
    "dose_superplot",
    "figure",
    "fold_plot",
    "group_colours",
    "letter",
    "ltp_figure",
    "mean_traces",
    "publish",
    "shade",
    "show",
    "slice_grid",
    "spines_figure",
    "time_course",
    "use",
]

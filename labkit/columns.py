"""Every column of every result table, declared once: name, unit, label, meaning.

Tables, axis labels and documentation read this declaration; a column that is not declared here has no label.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

__all__ = ["COLUMNS", "Column", "axis_label", "describe"]


class Column(NamedTuple):
    """One column: its name in tables, its unit ('' if it has none), a label for axes, and what it means."""

    name: str
    unit: str
    label: str
    meaning: str


_DECLARED = [
    # which response
    Column("recording", "", "Recording", "one slice: the name made from animal and slice"),
    Column("code", "", "Code", "blind code of the recording"),
    Column("animal", "", "Animal", "the experimental unit"),
    Column("slice", "", "Slice", "slice of that animal"),
    Column("image", "", "Image", "one dendrite: the name made from animal, neuron and dendrite"),
    Column("neuron", "", "Neuron", "neuron of that animal"),
    Column("dendrite", "", "Dendrite", "dendrite of that neuron"),
    Column("part", "", "Part", "which part of the animal: slice, neuron, dendrite or membrane"),
    Column("group", "", "Group", "treatment group, in the order of study.toml"),
    Column("dose", "", "Dose", "dose of the group, in the unit of study.toml"),
    Column(
        "sweep",
        "",
        "Sweep",
        "sweep number within the recording, from 0; the first one when sweeps are averaged",
    ),
    Column("time_s", "s", "Time", "time of the stimulus since the start of the recording"),
    Column(
        "time_min", "min", "Time from induction", "time of the stimulus since induction; negative before it"
    ),
    Column("pathway", "", "Pathway", "stimulated pathway (S0, S1, ...)"),
    Column(
        "role", "", "Role", "of a pathway: test (receives the induction) or control; of a lane: what it holds"
    ),
    Column("pulse", "", "Pulse", "1 for a test pulse or the first of a pair, 2 for the second of a pair"),
    Column("n_averaged", "", "Sweeps averaged", "number of sweeps averaged into this response"),
    # one response
    Column(
        "slope_mV_per_ms",
        "mV/ms",
        "fEPSP slope",
        "magnitude of the initial slope of the fEPSP by the method chosen",
    ),
    Column(
        "max_slope_mV_per_ms",
        "mV/ms",
        "Maximum slope",
        "magnitude of the steepest 1-ms line on the rising phase",
    ),
    Column(
        "fixed_slope_mV_per_ms",
        "mV/ms",
        "Slope in a fixed window",
        "slope of the line fitted inside the window itself",
    ),
    Column(
        "amplitude_mV",
        "mV",
        "fEPSP amplitude",
        "magnitude of the fEPSP peak from the baseline before the stimulus",
    ),
    Column("latency_ms", "ms", "Latency", "time from the stimulus to the foot of the fEPSP"),
    Column("volley_mV", "mV", "Fibre volley", "amplitude of the presynaptic fibre volley"),
    Column(
        "population_spike_mV",
        "mV",
        "Population spike",
        "height of the population spike above the line between its two shoulders; 0 when there is none",
    ),
    Column("polarity", "", "Polarity", "-1 for a negative-going fEPSP, +1 for a positive-going one"),
    Column("r2", "", "R²", "coefficient of determination of the slope's line"),
    Column(
        "snr",
        "",
        "Signal/noise",
        "fEPSP amplitude over the standard deviation of the baseline before the stimulus",
    ),
    Column("baseline_noise_mV", "mV", "Baseline noise", "standard deviation before the stimulus"),
    Column("flags", "", "Flags", "what makes the value doubtful, in words; empty when nothing does"),
    # one pathway of one slice
    Column(
        "percent_of_baseline",
        "%",
        "fEPSP slope",
        "slope as % of the mean slope of the last minutes of baseline",
    ),
    Column(
        "baseline_slope_mV_per_ms",
        "mV/ms",
        "Baseline fEPSP slope",
        "mean slope of the last minutes before induction",
    ),
    Column(
        "post_slope_mV_per_ms",
        "mV/ms",
        "Post-HFS fEPSP slope",
        "mean slope of the stated minutes after induction",
    ),
    Column(
        "potentiation_percent",
        "% of baseline",
        "Potentiation",
        "post slope as % of the baseline slope; 100 is no change",
    ),
    Column(
        "baseline_drift_percent",
        "%",
        "Baseline drift",
        "change of the fitted line over the baseline, as % of its mean",
    ),
    Column(
        "volley_change_percent", "%", "Volley change", "change of the mean fibre volley from baseline to post"
    ),
    Column("paired_pulse_ratio", "", "Paired-pulse ratio", "second over first response at baseline"),
    Column("n_baseline", "", "Baseline responses", "responses in the baseline mean"),
    Column("n_post", "", "Post responses", "responses in the post mean"),
    Column("flagged", "", "Flagged responses", "number of responses that bear the flag"),
    Column("responses", "", "Responses", "number of responses measured"),
    Column("excluded", "", "Excluded", "reason for exclusion given by a person; empty when included"),
    # one lane of one blot
    Column("target", "", "Target", "the protein that the antibody shows"),
    Column("lane", "", "Lane", "lane of the membrane, 1 at the left"),
    Column("replicate", "", "Replicate", "which of the lanes of an animal on one membrane"),
    Column("ug", "µg", "Protein loaded", "amount of protein in the lane, where the sheet says it"),
    Column("position_px", "px", "Position", "row of the window's middle"),
    Column("weight_kda", "kDa", "Weight", "molecular weight at the window's middle, by the ladder"),
    Column("raw", "", "Raw volume", "sum of the signal over the window, in grey values"),
    Column("background", "", "Background", "part of the raw volume that the membrane makes"),
    Column("volume", "", "Volume", "raw volume less the background; negative where that is higher"),
    Column("volume_arpls", "", "Volume over arPLS", "the same over the baseline of the lane around it"),
    Column("lod", "", "Limit of detection", "three standard deviations of the volume of an empty window"),
    Column("saturated", "", "Clipped part", "part of the window's pixels at the greatest value"),
    Column("n_at_max", "", "Clipped pixels", "pixels of the window at the greatest value"),
    Column("lanes", "", "Lanes", "number of lanes that hold a sample, the reference or a dilution"),
    Column("lanes_flagged", "", "Lanes flagged", "number of lanes that bear the flag"),
    # one animal on one membrane
    Column("membrane", "", "Membrane", "membrane, or set of them, that the ratio comes from"),
    Column("endpoint", "", "Endpoint", "the target, or the phosphorylated target over its total"),
    Column(
        "log_ratio",
        "",
        "Log ratio",
        "natural logarithm of target over loading control, lanes of the animal averaged; NaN if refused",
    ),
    Column("n_replicates", "", "Lanes", "technical lanes of the animal that were averaged"),
    Column(
        "replicate_cv_percent",
        "%",
        "CV between lanes",
        "coefficient of variation of the ratio between lanes of one animal; NaN for a single lane",
    ),
    Column("target_volume", "", "Target volume", "geometric mean volume of the target over those lanes"),
    Column("loading_volume", "", "Control volume", "geometric mean volume of the loading control"),
    Column("loading_target", "", "Loading control", "the target, or targets, that each lane is divided by"),
    Column("total_volume", "", "Total volume", "volume of the total of a phosphorylated target"),
    Column(
        "total_loading_volume",
        "",
        "Control volume of the total",
        "volume of the loading control on the membrane of the total; NaN when it is the same membrane",
    ),
    Column("refused", "", "Refused", "why there is no ratio; empty when there is one"),
    Column("log_loading", "", "Log loading control", "natural logarithm of the loading control's volume"),
    Column(
        "percent_of_control",
        "",
        "% of control",
        "ratio less the effect of its membrane, as % of the control's geometric mean; not for testing",
    ),
    # one dilution series
    Column("n_amounts", "", "Amounts", "different amounts in the dilution series"),
    Column("low_ug", "µg", "Range from", "least amount of the linear range"),
    Column("high_ug", "µg", "Range to", "greatest amount of the linear range"),
    Column("low_volume", "", "Volume from", "volume at the lower end of the linear range"),
    Column("high_volume", "", "Volume to", "volume at the upper end of the linear range"),
    Column("slope", "", "Slope", "volume per µg of the line through the origin within the range"),
    Column("residual_percent", "%", "Residual", "greatest departure from that line within the range"),
    Column("model", "", "Model", "what the series follows: proportional, affine or saturating"),
    Column(
        "p_proportional",
        "",
        "P of proportionality",
        "P of the line through the origin against a bent one",
    ),
    Column("offset_percent", "%", "Offset", "intercept of the affine model, as % of its middle volume"),
    Column("half_saturation_ug", "µg", "Half saturation", "amount at half of the ceiling"),
    # one contrast of two groups
    Column("contrast", "", "Contrast", "the two groups compared"),
    Column("reference", "", "Reference", "group that the other one is compared with"),
    Column(
        "difference",
        "",
        "Difference",
        "mean of the group less that of the reference, in the unit of the endpoint",
    ),
    Column("rank_difference", "", "Rank difference", "mean rank of the group less that of the reference"),
    Column(
        "ci_low",
        "",
        "Lower limit",
        "lower end of the confidence interval of the difference, in the unit of the endpoint",
    ),
    Column(
        "ci_high",
        "",
        "Upper limit",
        "upper end of the confidence interval of the difference, in the unit of the endpoint",
    ),
    Column(
        "se",
        "",
        "SE",
        "standard error of the difference, in the unit of the endpoint; of ranks for a rank difference",
    ),
    Column("statistic", "", "Statistic", "difference over its standard error"),
    Column("df", "", "df", "degrees of freedom of the statistic"),
    Column("p", "", "P", "two-sided P of this contrast alone"),
    Column("p_adjusted", "", "Adjusted P", "two-sided P, adjusted for the number of contrasts"),
    # one contrast on a scale of logarithms
    Column("ratio", "", "Ratio", "geometric mean of the group over that of the reference"),
    Column("ratio_low", "", "Ratio, lower limit", "lower end of the confidence interval of the ratio"),
    Column("ratio_high", "", "Ratio, upper limit", "upper end of the confidence interval of the ratio"),
    # families of endpoints, equivalence, Hill curves
    Column("family", "", "Family", "primary or secondary, as study.toml says"),
    Column("tested", "", "Tested", "the test, or the contrast, that P belongs to"),
    Column("method", "", "Method", "how P is adjusted within the family"),
    Column("decision", "", "Decision", "what the adjusted P shows, or why nothing was tested"),
    Column("p_lower", "", "P, lower margin", "one-sided P that the difference lies below the lower margin"),
    Column("p_upper", "", "P, upper margin", "one-sided P that the difference lies above the upper margin"),
    Column("equivalent", "", "Equivalent", "whether the interval lies within the margin"),
    Column("parameter", "", "Parameter", "parameter of the Hill curve"),
    Column("value", "", "Value", "estimate, in the unit of the endpoint or of the dose"),
    Column("wald_low", "", "Wald, lower limit", "lower end of the interval from the standard error"),
    Column("wald_high", "", "Wald, upper limit", "upper end of the interval from the standard error"),
    Column("fixed", "", "Fixed", "whether the parameter was known and not estimated"),
    # one spine
    Column("z_um", "µm", "Depth", "depth of the middle of the spine's head, from the first plane"),
    Column("y_um", "µm", "y", "middle of the spine's head down the image, from the first row"),
    Column("x_um", "µm", "x", "middle of the spine's head across the image, from the first column"),
    Column("position_um", "µm", "Position", "distance of the spine's foot along the dendrite from its start"),
    Column("side", "", "Side", "side of the dendrite, seen along its path: left or right"),
    Column(
        "length_um", "µm", "Length", "of a spine from the edge of the shaft to its tip; of a dendrite in 3-D"
    ),
    Column("head_width_um", "µm", "Head width", "full width at half maximum across the head, in the plane"),
    Column("neck_width_um", "µm", "Neck width", "least full width at half maximum between shaft and head"),
    Column("neck_length_um", "µm", "Neck length", "from the edge of the shaft to the head"),
    Column("volume_um3", "µm³", "Spine volume", "ball of the head's width and cylinder of the neck's"),
    Column(
        "brightness_over_shaft", "", "Brightness over shaft", "of the head over that of the shaft beside it"
    ),
    Column("confidence", "", "Confidence", "0 to 1; 0.5 where the spot is as clear as detection asks for"),
    Column("origin", "", "Origin", "auto, added, moved, removed or reclassed by a person"),
    Column("spine_class", "", "Spine class", "stubby, thin, mushroom, filopodium or unclassified"),
    Column("class_margin_percent", "%", "Class margin", "least change of one size that changes the class"),
    # one dendrite
    Column("length_mip_um", "µm", "Length in projection", "length of the dendrite's path without its depth"),
    Column("counted_length_um", "µm", "Counted length", "length of the dendrite without its end zones"),
    Column("n_spines", "", "Spines", "number of spines outside of the end zones"),
    Column("density_per_10um", "1/10 µm", "Spine density", "spines per 10 µm of counted length"),
    *(
        Column(f"{name}_per_10um", "1/10 µm", f"{name.capitalize()} density", f"{name} spines per 10 µm")
        for name in ("stubby", "thin", "mushroom", "filopodium", "unclassified")
    ),
    # what a detector found, against a person
    Column("detected", "", "Detected", "spines that were found along the path"),
    Column("kept", "", "Kept", "detected spines that the person left, moved by 0.6 µm at most or reclassed"),
    Column("false", "", "False", "detected spines that the person removed or moved away"),
    Column("missed", "", "Missed", "spines that the person added, or moved a mark to from farther away"),
    Column("reclassed", "", "Reclassed", "kept spines to which the person gave another class"),
    Column("precision", "", "Precision", "part of the detected spines that was kept"),
    Column("recall", "", "Recall", "part of the spines that was detected"),
    Column("f1", "", "F1", "harmonic mean of precision and recall"),
]

COLUMNS = {column.name: column for column in _DECLARED}


def axis_label(name: str) -> str:
    """Label with unit in parentheses, as journals ask.

    >>> axis_label("slope_mV_per_ms")
    'fEPSP slope (mV/ms)'
    """
    column = COLUMNS[name]
    return f"{column.label} ({column.unit})" if column.unit else column.label


def describe(table: pd.DataFrame) -> pd.DataFrame:
    """Unit and meaning of each declared column of a table, one row each."""
    known = [COLUMNS[name] for name in table.columns if name in COLUMNS]
    return pd.DataFrame(known, columns=list(Column._fields)).drop(columns="label").set_index("name")

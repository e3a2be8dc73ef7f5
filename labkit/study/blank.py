"""An empty study, with examples that are comments until a person takes the # away."""

from __future__ import annotations

import secrets
from pathlib import Path

from labkit.errors import Problem, StudyError
from labkit.files import write_text_whole

__all__ = ["new"]

_STUDY = """\
# What is common to the whole study. Text after # is a comment; a setting behind # shows its default.

title = "Levomilnacipran and hippocampal LTP"

# Folder of the figures, if it is not figures/ in this folder.
# figures = "figures"

# The groups in the order of tables and figures; the first is the control.
# name: as animals.csv spells it.  label: as figures show it, if not the name.

[[groups]]
name = "vehicle"
dose = 0
unit = "mg/kg"

[[groups]]
name = "levomilnacipran 10"
label = "10 mg/kg"
dose = 10
unit = "mg/kg"

[[groups]]
name = "levomilnacipran 30"
label = "30 mg/kg"
dose = 30
unit = "mg/kg"

[blinding]
blind = true            # pickers show a code, never the name of a file or an animal
seed = {seed}             # decides the codes: leave it as it is

[ltp]
# method = "20-80"            # slope between 20 and 80 % of the amplitude; or "max" or "fixed"
# average = 1                 # sweeps averaged into one response
# window_ms = [2.0, 8.0]      # after the stimulus, the same for all recordings; else picked for each
# baseline_min = 20           # minutes before induction
# normalise_min = 10          # last minutes of the baseline, whose mean is 100 %
# post_min = [50, 60]         # minutes after induction that are compared between groups
# drift_limit_percent = 10    # a baseline that drifts more is flagged
# volley_limit_percent = 20   # a fibre volley that changes more is flagged

[blots]
# loading = "GAPDH"           # each lane is divided by it; of the same membrane. Total protein may be one
# targets = ["PSD-95", "synaptophysin"]   # all but the loading control and the pairs below, if not given
# phospho = [["p-CREB", "CREB"]]          # phosphorylated over total, each with its own loading control
# background = "linear"       # between strips above and below the band; or "arpls"
# gap_limit_percent = 10      # a band on which the two backgrounds differ more is flagged
# replicate_limit_percent = 20            # lanes of one animal that vary more (CV) are flagged
# ladder_kda = [250, 150, 100, 75, 50, 37, 25, 20]
# doublets = {{ "p-CREB" = "upper" }}       # of two bands the upper is p-CREB, the lower ATF-1
# weights_kda = {{ "PSD-95" = 95 }}         # where a target is expected, to check the band that is picked

[spines]
# rule = "rodriguez2008"      # or "risher2014", for Golgi
# sensitivity = 1             # 2 finds fainter spines, 0.5 only clear ones
# resolution_um = 0.3         # of the microscope (FWHM): widths near it are flagged
# end_um = 2.5                # left out of count and length at either end of a dendrite
# repeat = 0.1                # part of the dendrites shown a second time, to know one's own precision
# thresholds = {{ mushroom_head_um = 0.4 }}   # other limits of the rule

[statistics]
# alpha = 0.05
# omnibus = "anova"           # or "welch" (unequal variances), "kruskal" (ranks); choose beforehand
# posthoc = "dunnett"         # each group with the control; or "tukey", "games-howell", "dunn"
# unit = "animal"             # the experimental unit: a column of animals.csv
# primary = ["potentiation_percent"]

[reporting]                   # sentences for the table that referees ask for (ARRIVE)
# animals = "C57BL/6J mice of both sexes, 10 weeks old, from our own colony."
# procedures = "Drug or vehicle by gavage, once a day for 14 days."
# sample_size = "Seven animals a group find a difference of 30 % with a power of 80 %."
# criteria = "Slices whose baseline drifts by more than 10 % are excluded; set beforehand."
# randomisation = "Animals were allotted to groups at random within cages."
# confounders = "Each cage, day and membrane holds all groups."
# blinding = "Doses were coded by a colleague until all picks were made."

[endpoints.potentiation_percent]
# scale = "linear"            # or "log"
"""

_RECORDINGS = """\
# One row for each slice. Rows that start with # are comments.
# files: from this folder on; several files of one slice are joined by a semicolon (a.abf; b.abf).
# animal and slice: any text. The treatment does not belong here but in animals.csv.
# test_pathway and control_pathway: S0 or S1; empty means S0 and none.
# channel and unit: only if the file is wrong.
# induction_s: seconds from the first sweep to the induction; only if the file does not say.
files,animal,slice,test_pathway,control_pathway,channel,unit,induction_s,note
# ltp/m01_slice1.abf,m01,1,S0,S1,,,,an example: write your own rows below
"""

_BLOTS = """\
# One row for each image of a target. Rows that start with # are comments.
# file: from this folder on, as the imager saved it (16-bit TIFF, .1sc), never a screenshot.
# membrane: any text; images of one membrane share it. target: the antibody, as study.toml spells it.
# polarity: how the bands look in the file, bright or dark; empty lets labkit propose it.
# A study without blots leaves this sheet and lanes.csv as they are.
file,membrane,target,polarity,exposure,note
# blots/m1_psd95.tif,1,PSD-95,,10 s,an example: write your own rows below
"""

_LANES = """\
# One row for each lane, from the left, empty ones and the ladder too. Rows that start with # are comments.
# animal: as in animals.csv. The treatment does not belong here.
# replicate: 1, 2, ... where an animal has several lanes on one membrane.
# role: sample (also when empty), ladder, reference (one sample on every membrane), dilution, empty.
# ug: micrograms of protein loaded; needed for a dilution series only.
membrane,lane,animal,replicate,role,ug,note
# 1,1,,,ladder,,
# 1,2,m01,1,sample,20,
"""

_IMAGES = """\
# One row for each dendrite. Rows that start with # are comments.
# file: from this folder on; several dendrites of one image name it in a row each.
# voxel_z_um, voxel_y_um, voxel_x_um: only if the file does not say, or is wrong.
# modality: fluorescence or brightfield (Golgi); empty lets labkit look.
# A study without spines leaves this sheet as it is.
file,animal,neuron,dendrite,channel,voxel_z_um,voxel_y_um,voxel_x_um,modality,note
# spines/m01_n1.tif,m01,1,1,,0.3,0.1,0.1,,an example: write your own rows below
"""

_ANIMALS = """\
# One row for each animal: its group as study.toml spells it. Further columns may stand beside.
# Only the statistics read this sheet.
animal,group,sex
# m01,vehicle,f
# m02,levomilnacipran 10,m
"""


def new(path: str | Path) -> Path:
    """Write an empty study: study.toml and the sheets with commented examples, and folders of raw files.

    Parameters
    ----------
    path
        A folder that does not exist yet, or is empty.

    Raises
    ------
    StudyError
        If there is something in the folder, or a file in its place.
    OSError
        If it cannot be written; nothing is then left behind.
    """
    folder = Path(path).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        found = f"{folder} is not empty" if folder.is_dir() else f"{folder} is a file"
        raise StudyError([Problem(found, expected="a new or empty folder", todo="name another folder")])
    texts = {
        "study.toml": _STUDY.format(seed=10_000 + secrets.randbelow(90_000)),
        "recordings.csv": _RECORDINGS,
        "blots.csv": _BLOTS,
        "lanes.csv": _LANES,
        "images.csv": _IMAGES,
        "animals.csv": _ANIMALS,
    }
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    made: list[Path] = []
    try:
        for each in (*reversed(missing), *(folder / name for name in ("ltp", "blots", "spines"))):
            each.mkdir()
            made.append(each)
        for name, text in texts.items():
            made.append(write_text_whole(folder / name, text))
    except BaseException:
        for each in reversed(made):
            each.rmdir() if each.is_dir() else each.unlink()
        raise
    return folder

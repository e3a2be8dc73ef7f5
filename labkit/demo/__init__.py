"""The demo study: a simulated study in real file formats, whose true values are known."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labkit.demo import blots, ltp, spine_truth, spines
from labkit.demo.confirmed import confirm
from labkit.errors import LabkitError
from labkit.files import write_bytes_whole, write_text_whole

__all__ = ["write"]

_MARK = "# The demo study, written by `labkit demo`"
_NOTES = {
    "baseline drift": "slice deteriorated a little before HFS?",
    "wrong unit": "amplifier was still in voltage clamp: the file says pA, it is mV",
    "volley change": "bumped the table shortly after HFS",
    "glitches": "microscope lamp switched",
    "two channels": "second electrode in stratum pyramidale",
    "file order": "",
}


def write(path: str | Path, *, seed: int = ltp.SEED) -> Path:
    """Write the demo study: recordings, blots, stacks, sheets, settings, picks, and its truth.

    The same seed gives the same values. A demo study of that seed that already stands in `path` is written
    again: its raw files, sheets and settings are replaced, while picks and results stay.

    Parameters
    ----------
    path
        A folder that does not exist, is empty, or holds this demo study.
    seed
        Of the simulation. Truth is drawn anew for each seed, from the same groups.

    Returns
    -------
    Path
        The folder of the study.

    Raises
    ------
    LabkitError
        If the folder holds anything else, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = write(Path(tempfile.mkdtemp()) / "demo")  # doctest: +SKIP
    >>> sorted(file.stem for file in folder.glob("*.csv"))  # doctest: +SKIP
    ['animals', 'blots', 'images', 'lanes', 'recordings']
    """
    folder = Path(path)
    mark = f"{_MARK}, seed {seed}."
    _refuse_other_contents(folder, mark)
    animals, slices = ltp.design(seed=seed)
    membranes = blots.design(animals, seed=seed)
    dendrites = spines.design(animals, seed=seed)
    try:
        for name in ("ltp", "blots", "spines", "truth"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        # First, so that a folder left half-written is known as the demo study and can be written again.
        write_text_whole(folder / "study.toml", _study_toml(mark))
        _write_sheets(folder, animals, slices, membranes, dendrites)
        _write_truth(folder / "truth", slices, membranes, dendrites)
        for item in slices:
            ltp.write_slice(item, folder / "ltp")
        blots.write_membranes(membranes, folder / "blots")
        spines.write_stacks(dendrites, folder / "spines")
        confirm(folder, dendrites)
    except OSError as error:
        raise LabkitError(
            f"the demo study cannot be written ({error.strerror or error})",
            todo="choose a folder on a disk with 30 MB to spare where you may write",
            where=folder,
        ) from error
    return folder


def _refuse_other_contents(folder: Path, mark: str) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise LabkitError("this is a file", expected="a folder", todo="choose another name", where=folder)
    settings = folder / "study.toml"
    known = settings.is_file() and settings.read_bytes().startswith(mark.encode())
    if any(folder.iterdir()) and not known:
        raise LabkitError(
            "the folder is not empty",
            expected="a new folder, an empty one, or the demo study of the same seed",
            todo="choose another folder",
            where=folder,
        )


def _study_toml(mark: str) -> str:
    groups = "".join(
        f'\n[[groups]]\nname = "{name}"\nlabel = "{label}"\ndose = {dose}\nunit = "mg/kg"\n'
        for name, label, dose, _ in ltp.GROUPS
    )
    weights = ", ".join(f'"{target}" = {kda:g}' for target, kda in blots.KDA.items())
    return f"""{mark}
title = "Levomilnacipran and synaptic plasticity: a simulated study"
figures = "../../figures"
{groups}
[ltp]
baseline_min = 20
normalise_min = 10
post_min = [50, 60]
drift_limit_percent = 10
volley_limit_percent = 20

[blots]
loading = "{blots.LOADING}"
targets = {list(blots.TARGETS)}
phospho = [{list(blots.PHOSPHO)}]
ladder_kda = {[round(kda) for kda in blots.LADDER]}
weights_kda = {{ {weights} }}
doublets = {{ "p-CREB" = "upper" }}

[statistics]
alpha = 0.05
omnibus = "anova"
posthoc = "dunnett"
unit = "animal"
primary = ["potentiation_percent", "PSD-95", "density_per_10um"]

[blinding]
blind = true
seed = 17

[reporting]
animals = "Simulated: 21 animals in 7 cages, each cage with one animal of each group."
procedures = "None: every raw file was simulated from the values in truth/."
sample_size = "Seven animals a group, as is usual in the field."
criteria = "Slices whose baseline drifts by more than 10 % are excluded; set beforehand."
randomisation = "Animals were allotted to groups by a random number within each cage."
confounders = "Each cage and each set of membranes holds all groups, and lanes are in random order."

[endpoints.potentiation_percent]
[endpoints.PSD-95]
scale = "log"
[endpoints.synaptophysin]
scale = "log"
[endpoints."p-CREB/CREB"]
scale = "log"
[endpoints.density_per_10um]
[endpoints.mushroom_per_10um]
[endpoints.thin_per_10um]
[endpoints.stubby_per_10um]
"""


def _write_sheets(
    folder: Path,
    animals: pd.DataFrame,
    slices: tuple[ltp.Slice, ...],
    membranes: blots.Blots,
    dendrites: spines.Spines,
) -> None:
    """Sheets of raw files as a script writes them, animals.csv as a German Excel saves it."""
    rows = []
    for item in slices:
        files = [f"ltp/{name}" for name in ltp.file_names(item)]
        if item.planted == "file order":
            files = [files[0], files[2], files[1]]
        rows.append(
            {
                "files": "; ".join(files),
                "animal": item.animal,
                "slice": item.slice,
                "test_pathway": item.test,
                "control_pathway": item.control,
                "channel": "radiatum" if item.planted == "two channels" else "",
                "unit": "mV" if item.planted == "wrong unit" else "",
                "induction_s": f"{ltp.INDUCTION_S:g}" if item.layout == "sheet" else "",
                "rig": item.rig,
                "note": _NOTES.get(item.planted, ""),
            }
        )
    text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    write_text_whole(folder / "recordings.csv", text)
    of_blots, of_lanes = blots.sheets(membranes)
    for name, table in {"blots": of_blots, "lanes": of_lanes, "images": spines.sheet(dendrites)}.items():
        written = table.to_csv(index=False, float_format="%g", lineterminator="\n")
        write_text_whole(folder / f"{name}.csv", written)
    excel = animals.to_csv(index=False, sep=";", decimal=",", lineterminator="\r\n")
    write_bytes_whole(folder / "animals.csv", b"\xef\xbb\xbf" + excel.encode())


def _write_truth(
    folder: Path, slices: tuple[ltp.Slice, ...], membranes: blots.Blots, dendrites: spines.Spines
) -> None:
    for name, table in (blots.true_values(membranes) | spine_truth.true_values(dendrites)).items():
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        write_text_whole(folder / f"{name}.csv", text)
    truth = pd.DataFrame([row for item in slices for row in ltp.true_values(item)])
    write_text_whole(
        folder / "truth.csv", truth.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    )
    test = truth[truth["role"] == "test"]
    of_animals = test.groupby(["group", "animal"])["potentiation_percent"].mean().groupby("group")
    groups = pd.DataFrame(
        [
            {
                "group": name,
                "dose_mg_per_kg": dose,
                "stated_mean_percent": mean,
                "stated_animal_sd": ltp.ANIMAL_SD,
                "stated_slice_sd": ltp.SLICE_SD,
                "n_animals": len(of_animals.get_group(name)),
                "n_slices": int((test["group"] == name).sum()),
                "drawn_mean_percent": of_animals.get_group(name).mean(),
                "drawn_sd_of_animals": of_animals.get_group(name).std(),
            }
            for name, _, dose, mean in ltp.GROUPS
        ]
    )
    write_text_whole(
        folder / "groups.csv", groups.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    )
    write_text_whole(folder / "README.md", _README)


_README = """# The truth behind the demo study

Everything here is known because recordings, blots and stacks were simulated. No notebook reads it; tests
compare with it.

- `truth.csv`: one row for each pathway of each slice. The mean true fEPSP slope of the last 10 minutes of
  baseline and of minutes 50-60 after induction, their ratio, the drift of the baseline over 20 minutes, the
  change of the fibre volley, and what was planted.
- `groups.csv`: the means and standard deviations that potentiation was drawn from, and what was drawn. The
  seed is one whose animals lie near the stated means; it says nothing about the drug.

- `blots_lanes.csv`: the true volume of each target in each lane, where its band lies, and what was planted;
  `blots.csv`: the true log ratio of each animal; `blots_groups.csv`: the fold changes it was drawn from.
- `spines.csv`: every spine on a traced dendrite with its class and sizes; `spines_dendrites.csv`: length,
  counts and densities of each dendrite; `spines_groups.csv`: the densities that they were drawn from.

The slope is that of the least-squares line through the noise-free fEPSP between 20 and 80 % of its peak.
Means are over the responses as simulated, which vary by 4 % from one to the next; measuring adds the noise
of the recording. Slices of an animal share the animal's own deviation from its group.

What was planted, in one slice each unless said otherwise:

- baseline drift: responses fall by about 17 % during the baseline, and further after it;
- wrong unit: the header says pA of a recording in mV; recordings.csv puts it right;
- volley change: the fibre volley falls by 28 % after induction and takes the fEPSP with it, so the
  potentiation in the table is the one to be measured, not that of the synapses;
- glitches: an electrical disturbance in three sweeps (two slices);
- two channels: the field in stratum pyramidale besides the one in stratum radiatum that recordings.csv names;
- file order: recordings.csv lists the files in another order than they were recorded.

On the blots, in the lanes that blots_lanes.csv names:

- a saturated band of the loading control (membrane A2): no ratio may be made from that lane;
- a band lost to an air bubble (p-CREB on B3), below the limit of detection;
- CREB on C3 with dark bands on a light ground, as another imager writes it;
- PSD-95 and synaptophysin of A4 in one image;
- ATF-1 just below p-CREB, which the antibody shows as well;
- a dilution series of the reference sample on A4, B4 and C4; tubulin levels off above some 30 µg.

In the stacks, as spines_dendrites.csv names them: a dendrite that touches the last plane, two dendrites in
one file, a file without the size of its voxels, one Golgi-stained dendrite, and axons that cross in many. The
marks are those of a careful person who errs in a few of a hundred decisions.
"""

"""The western blots of the demo study, simulated from stated truth, on the animals of its recordings.

Four sets of animals, each with every group; three membranes a set. Membrane A is probed for PSD-95 and
synaptophysin, B for p-CREB, C for CREB, and each for its loading control. What a perfect measurement would
find is known for every band. The rest is as blots are: lanes in random order, unequal loading, membranes and
exposures that differ, smile and skew, uneven background, speckles, and planted mistakes.

The loading control is beta-III-tubulin throughout. At 55 kDa it stands clear of all the targets, so that a
membrane can be probed for both: GAPDH (37 kDa) would run into synaptophysin (38), actin (42) into CREB (43).

Membranes and images draw from streams of their own, so that one can be made again without the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.demo import ltp, membrane

__all__ = [
    "FOLDS",
    "LOADING",
    "PHOSPHO",
    "TARGETS",
    "Blots",
    "Membrane",
    "design",
    "sheets",
    "true_values",
    "write_membranes",
]

Floats = NDArray[np.float64]

LOADING, PHOSPHO = "tubulin", ("p-CREB", "CREB")
TARGETS = ("PSD-95", "synaptophysin")
# Endpoint: true fold change of each group, as ltp.GROUPS orders them, and the SD of animals in logarithms.
FOLDS = {
    "PSD-95": ((1.0, 1.25, 1.55), 0.16),
    "synaptophysin": ((1.0, 1.2, 1.45), 0.14),
    "p-CREB/CREB": ((1.0, 1.35, 1.8), 0.20),
}
CREB_SD = 0.12
# Standard deviations of logarithms: lanes differ in what was loaded, the same for every target, and in
# transfer and detection, of each target its own; membranes and exposures differ in how bright a target is.
LOADING_SD, LANE_SD, MEMBRANE_SD = 0.13, 0.05, 0.25

# What each kind of membrane is probed for, the loading control last; apparent weight; height of a usual band.
KINDS = {"A": ("PSD-95", "synaptophysin", LOADING), "B": ("p-CREB", LOADING), "C": ("CREB", LOADING)}
KDA = {"PSD-95": 95.0, "synaptophysin": 38.0, "p-CREB": 43.0, "CREB": 43.0, LOADING: 55.0}
PEAKS = {"PSD-95": 12000, "synaptophysin": 15000, "p-CREB": 6000, "CREB": 10000, LOADING: 23000}
EXPOSURES = {"PSD-95": "60 s", "synaptophysin": "20 s", "p-CREB": "180 s", "CREB": "45 s", LOADING: "5 s"}
# What the antibodies bind besides: weight, and height as a part of the target's. The antibody to
# phosphorylated CREB knows ATF-1 as well, which runs just below it.
BESIDES = {"p-CREB": ((40.0, 0.45),), "PSD-95": ((72.0, 0.06),), "CREB": ((62.0, 0.05),)}
LADDER = {150.0: 0.5, 100.0: 0.5, 75.0: 1.0, 50.0: 0.6, 37.0: 0.5, 25.0: 0.9}

N_LANES, SHAPE = 15, (340, 664)
PITCH_PX, WIDTH_PX, HEIGHT_PX = 41.0, 29.0, 8.0
FIRST, LAST = (150.0, 34.0), (25.0, 312.0)
# Samples are loaded at 20 ug; tubulin is no longer linear above some 30 ug of brain lysate.
SAMPLE_UG, TUBULIN_KNEE_UG = 20.0, 45.0
DILUTIONS_UG = (60.0, 40.0, 20.0, 10.0, 5.0, 2.5)
# How often the animals of a set are loaded; what is left of a membrane is the ladder, the reference, empty
# lanes, and in the last set the dilutions of the reference.
REPLICATES = ((2, 2, 2, 2, 2, 2), (2, 2, 2, 2, 2, 1), (3, 2, 2, 2, 2, 1), (2, 2, 2))
# Where what was planted, in one lane each.
SATURATED, BUBBLE = ("A2", LOADING), ("B3", "p-CREB")
OVERLOAD, SATURATION, BUBBLE_LEAVES = 1.7, 1.7, 0.001
# Written by another instrument, with dark bands; two targets in one image.
DARK, TOGETHER = ("C3", "CREB"), ("A4", TARGETS)
# One whose animals lie near the stated means, so that the demo study finds about what was put into it.
_STREAM = 604


@dataclass(frozen=True, eq=False)
class Membrane:
    """One membrane as planned.

    `lanes` has a row for each of N lanes: lane, animal, replicate, role, ug; `loaded_ug` is what they truly
    hold, (N,); `volumes` the true volume of each target's band in each lane, (N,) each, in grey values,
    before the camera clips it.
    """

    name: str
    index: int
    seed: int
    lanes: pd.DataFrame
    loaded_ug: Floats
    volumes: dict[str, Floats]
    layout: membrane.Layout
    planted: dict[str, int]  # what was planted, and in which lane

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.volumes)

    @property
    def images(self) -> tuple[tuple[str, ...], ...]:
        """The targets of each image."""
        if self.name == TOGETHER[0]:
            return (TOGETHER[1], *((t,) for t in self.targets if t not in TOGETHER[1]))
        return tuple((target,) for target in self.targets)

    def file(self, targets: tuple[str, ...]) -> str:
        return f"{self.name}_{'_'.join(targets)}.tif"


@dataclass(frozen=True, eq=False)
class Blots:
    """All membranes, and the true logarithms of the animals: a column for each endpoint, and CREB."""

    membranes: tuple[Membrane, ...]
    animals: pd.DataFrame


def design(animals: pd.DataFrame, *, seed: int = ltp.SEED) -> Blots:
    """Plan the membranes of a study.

    Parameters
    ----------
    animals
        animal, group, cage; each cage with an animal of each group of ltp.GROUPS, as `ltp.design` gives them.
    seed
        Of the simulation. Truth is drawn anew for each seed, from the same groups.

    Returns
    -------
    Blots
    """
    truth = _animals(animals, _rng(seed, 0))
    cages = list(dict.fromkeys(animals["cage"]))
    sets = [cages[i : i + 2] for i in range(0, len(cages), 2)]
    membranes = []
    for number, (members, replicates) in enumerate(zip(sets, REPLICATES, strict=True), start=1):
        own = truth[animals["cage"].isin(members).to_numpy()]
        for kind, targets in KINDS.items():
            name, index = f"{kind}{number}", len(membranes) + 1
            rng = _rng(seed, index)
            lanes = _lanes(own["animal"].tolist(), replicates, dilutions=number == len(sets), rng=rng)
            layout = _layout(rng)
            loaded, volumes, planted = _volumes(name, lanes, targets, truth, rng)
            membranes.append(Membrane(name, index, seed, lanes, loaded, volumes, layout, planted))
    return Blots(tuple(membranes), truth)


def _rng(seed: int, *key: int) -> np.random.Generator:
    """A stream for the animals (0), for each membrane (its index), and for each image of a membrane."""
    return np.random.default_rng(np.random.SeedSequence([seed, _STREAM], spawn_key=key))


def _animals(animals: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The true logarithms of each animal."""
    groups = [name for name, *_ in ltp.GROUPS]
    place = animals["group"].map(groups.index).to_numpy()
    truth = animals[["animal", "group"]].reset_index(drop=True)
    for endpoint, (folds, spread) in FOLDS.items():
        truth[endpoint] = np.log(folds)[place] + rng.normal(0.0, spread, len(truth))
    truth["CREB"] = rng.normal(0.0, CREB_SD, len(truth))
    return truth


def _abundance(truth: pd.DataFrame, target: str) -> Floats:
    """How much of a target there is in each animal, against the loading control."""
    if target == LOADING:
        return np.ones(len(truth))
    if target == PHOSPHO[0]:
        return np.exp(truth["CREB"] + truth["p-CREB/CREB"]).to_numpy()
    return np.exp(truth[target]).to_numpy()


def _lanes(
    animals: list[str], replicates: tuple[int, ...], *, dilutions: bool, rng: np.random.Generator
) -> pd.DataFrame:
    """What lanes hold: the ladder at the left, samples and the reference in random order, empty ones."""
    samples = [
        (animal, str(number), "sample", np.nan)
        for animal, count in zip(rng.permutation(animals).tolist(), replicates, strict=True)
        for number in range(1, count + 1)
    ]
    mixed = [*samples, ("", "", "reference", np.nan)]
    mixed = [mixed[i] for i in rng.permutation(len(mixed))]
    if dilutions:
        mixed += [("", "", "dilution", ug) for ug in DILUTIONS_UG]
    rows = [("", "", "ladder", np.nan), *mixed]
    rows += [("", "", "empty", np.nan)] * (N_LANES - len(rows))
    table = pd.DataFrame(rows, columns=["animal", "replicate", "role", "ug"])
    table.insert(0, "lane", np.arange(1, N_LANES + 1))
    return table


def _layout(rng: np.random.Generator) -> membrane.Layout:
    middle = (SHAPE[1] - 1) / 2 + rng.uniform(-6, 6)
    x_px = middle + PITCH_PX * (np.arange(N_LANES) - (N_LANES - 1) / 2) + rng.normal(0.0, 0.8, N_LANES)
    return membrane.Layout(
        shape=SHAPE,
        x_px=x_px,
        width_px=WIDTH_PX,
        lean=rng.uniform(-0.025, 0.025),
        skew=rng.uniform(-0.02, 0.02),
        smile_px=rng.uniform(3.0, 16.0),
    )


def _volumes(
    name: str, lanes: pd.DataFrame, targets: tuple[str, ...], truth: pd.DataFrame, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats], dict[str, int]]:
    """What the lanes truly hold, true volumes of each target in them, and what was planted."""
    sample = (lanes["role"] == "sample").to_numpy()
    ug = np.where(sample | (lanes["role"] == "reference"), SAMPLE_UG, lanes["ug"].fillna(0.0))
    # Dilutions are pipetted with care: what they are said to hold is what they hold.
    ug = ug * np.exp(rng.normal(0.0, LOADING_SD, N_LANES) * np.where(lanes["role"] == "dilution", 0.2, 1.0))
    spread = {target: rng.normal(0.0, LANE_SD, N_LANES) for target in targets}
    chosen = int(rng.choice(lanes.index[sample]))
    planted = {}
    if name == SATURATED[0]:
        # The lane is so much overloaded that it alone is clipped.
        others = np.delete(ug * np.exp(spread[LOADING]), chosen).max()
        ug[chosen] = OVERLOAD * others / np.exp(spread[LOADING][chosen])
        planted["saturated"] = chosen + 1
    volumes = {}
    for target in targets:
        of_animals = pd.Series(_abundance(truth, target), index=truth["animal"])
        # The reference, and its dilutions, are the pool of all animals.
        abundance = np.where(sample, lanes["animal"].map(of_animals), of_animals.mean())
        amount = ug / SAMPLE_UG
        if target == LOADING:
            amount = amount / (1 + (ug / TUBULIN_KNEE_UG) ** 4) ** 0.25
        values = amount * abundance * np.exp(spread[target])
        scale = PEAKS[target] * np.exp(rng.normal(0.0, MEMBRANE_SD))
        if (name, target) == SATURATED:
            scale = SATURATION * membrane.CLIPPED_AT / values.max()
        if (name, target) == BUBBLE:
            values[chosen] *= BUBBLE_LEAVES
            planted["bubble"] = chosen + 1
        volumes[target] = values * scale * WIDTH_PX * HEIGHT_PX
    return ug, volumes, planted


def write_membranes(blots: Blots, folder: str | Path) -> tuple[Path, ...]:
    """Simulate the images of all membranes and write them as 16-bit TIFF into `folder`.

    The same design gives the same bytes, with the same versions of the libraries that compress them.

    Parameters
    ----------
    blots
        From `design`.
    folder
        Where files go, an existing folder.

    Returns
    -------
    tuple of Path
    """
    import tifffile

    written = []
    for item in blots.membranes:
        for targets in item.images:
            path = Path(folder) / item.file(targets)
            dark = (item.name, targets[0]) == DARK
            # As Image Lab writes: white is said to be 0, and high values are signal.
            tifffile.imwrite(
                path,
                _picture(item, targets, dark=dark),
                byteorder=">" if dark else "<",
                photometric="minisblack" if dark else "miniswhite",
                compression="zlib" if dark else "lzw",
                predictor=True,
                metadata=None,
                software=False,
                resolution=(50, 50),
                resolutionunit="centimeter",
            )
            written.append(path)
    return tuple(written)


def _picture(item: Membrane, targets: tuple[str, ...], *, dark: bool) -> NDArray[np.uint16]:
    """The file's pixels of one image."""
    rng = _rng(item.seed, item.index, 1 + item.targets.index(targets[0]))
    lanes, layout = item.lanes, item.layout
    amount = item.loaded_ug / SAMPLE_UG
    light = membrane.background(
        layout,
        rng=rng,
        level=rng.uniform(350, 900),
        gradient=tuple(rng.uniform(-0.5, 0.5, 2)),
        blotch=rng.uniform(0.05, 0.12),
        speckles=int(rng.integers(3, 14)),
        speckle_level=3000.0,
        streaks=amount * rng.uniform(20, 90) * rng.uniform(0.6, 1.4, N_LANES),
    )
    shape = {"layout": layout, "height_px": HEIGHT_PX, "bleed": 0.03}
    area = WIDTH_PX * HEIGHT_PX
    for target in targets:
        volumes = item.volumes[target]
        tail = 0.1 if target == "synaptophysin" else 0.03
        light += membrane.bands(volumes, rows_px=_row(KDA[target]), tail=tail, **shape)
        for kda, part in BESIDES.get(target, ()):
            # Of these bands each lane has its own, so that nobody takes them for the target.
            others = amount * PEAKS[target] * area * part * np.exp(rng.normal(0.0, 0.25, N_LANES))
            if (item.name, target) == BUBBLE:
                others[item.planted["bubble"] - 1] *= BUBBLE_LEAVES
            light += membrane.bands(others, rows_px=_row(kda), **shape)
    ladder = (lanes["role"] == "ladder").to_numpy()
    marks = np.array(list(LADDER.values()))[:, np.newaxis] * 0.3 * PEAKS[targets[0]] * area * ladder
    light += membrane.bands(marks, rows_px=_row(list(LADDER)), **shape)
    return membrane.photograph(light, rng=rng, dark_bands=dark)


def _row(kda: float | list[float]) -> Floats:
    return membrane.log_rows(kda, first=FIRST, last=LAST)


def sheets(blots: Blots) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the lab writes down: the tables of blots.csv and lanes.csv.

    Returns
    -------
    blots : DataFrame
        file, membrane, target, polarity, exposure, note; one row for each target of each membrane.
    lanes : DataFrame
        membrane, lane, animal, replicate, role, ug; one row for each lane of each membrane.
    """
    rows = [
        {
            "file": f"blots/{item.file(targets)}",
            "membrane": item.name,
            "target": target,
            "polarity": "dark" if (item.name, target) == DARK else "",
            "exposure": EXPOSURES[targets[0]],
            "note": "imager of the institute next door" if (item.name, target) == DARK else "",
        }
        for item in blots.membranes
        for targets in item.images
        for target in targets
    ]
    lanes = pd.concat([item.lanes.assign(membrane=item.name) for item in blots.membranes], ignore_index=True)
    return pd.DataFrame(rows), lanes[["membrane", "lane", "animal", "replicate", "role", "ug"]]


def true_values(blots: Blots) -> dict[str, pd.DataFrame]:
    """What a perfect measurement finds.

    Returns
    -------
    dict of DataFrame
        ``blots_lanes``, one row for each target in each lane: membrane, target, lane, animal, replicate,
        role, ug, loaded_ug (what it truly holds), true_volume (grey values, before the camera clips), x_px,
        y_px (where the band's centre lies; NaN where there is none), planted. ``blots``, one row for each
        animal and endpoint: animal, group, endpoint, true_log_ratio (natural; to the loading control, or
        p-CREB to CREB, each to its own). ``blots_groups``, one row for each endpoint and group: the fold
        change and the SD that animals were drawn from, and what was drawn.
    """
    lanes = pd.concat([_true_lanes(item, t) for item in blots.membranes for t in item.targets])
    animals = blots.animals.melt(
        id_vars=["animal", "group"], value_vars=list(FOLDS), var_name="endpoint", value_name="true_log_ratio"
    )
    groups = []
    for endpoint, (folds, spread) in FOLDS.items():
        for (name, *_), fold in zip(ltp.GROUPS, folds, strict=True):
            drawn = blots.animals.loc[blots.animals["group"] == name, endpoint]
            groups.append(
                {
                    "endpoint": endpoint,
                    "group": name,
                    "stated_fold": fold,
                    "stated_mean_log_ratio": np.log(fold),
                    "stated_animal_sd": spread,
                    "n_animals": len(drawn),
                    "drawn_mean_log_ratio": drawn.mean(),
                    "drawn_sd_of_animals": drawn.std(),
                }
            )
    return {
        "blots_lanes": lanes.reset_index(drop=True),
        "blots": animals,
        "blots_groups": pd.DataFrame(groups),
    }


def _true_lanes(item: Membrane, target: str) -> pd.DataFrame:
    row = float(_row(KDA[target]))
    volume = item.volumes[target]
    planted = np.full(N_LANES, "", dtype=object)
    for what, (_, where) in {"saturated": SATURATED, "bubble": BUBBLE}.items():
        if what in item.planted and where == target:
            planted[item.planted[what] - 1] = what
    table = item.lanes.assign(
        membrane=item.name,
        target=target,
        loaded_ug=item.loaded_ug,
        true_volume=volume,
        x_px=np.where(volume > 0, item.layout.lanes_x(row), np.nan),
        y_px=np.where(volume > 0, item.layout.bands_y(row), np.nan),
        planted=planted,
    )
    return table[
        [
            *("membrane", "target", "lane", "animal", "replicate", "role", "ug"),
            *("loaded_ug", "true_volume", "x_px", "y_px", "planted"),
        ]
    ]

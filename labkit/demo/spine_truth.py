"""What a perfect measurement of the demo study's dendrites finds: their truth, set out as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labkit.demo import ltp
from labkit.demo.spines import (
    ANIMAL_SD,
    CLASSES,
    DENDRITE_SD,
    DENSITIES,
    END_UM,
    Dendrite,
    Image,
    Spines,
)

__all__ = ["true_values"]


def true_values(design: Spines) -> dict[str, pd.DataFrame]:
    """What a perfect measurement finds.

    Returns
    -------
    dict of DataFrame
        ``spines_dendrites``, one row for each dendrite: animal, group, neuron, dendrite, file, length_um
        (between the points that are traced), counted_length_um, n_spines and n_<class> (counted),
        density_per_10um and <class>_per_10um, planted. ``spines``, one row for each spine on a traced part:
        animal, neuron, dendrite, position_um, z_um, y_um, x_um (of the middle of the head; outside of the
        stack where the border cuts it), spine_class, length_um, head_width_um, neck_width_um, neck_length_um,
        counted. ``spines_groups``, one row for each class and all together, and group: the mean that
        densities were drawn from, and what was drawn; means of animals, an animal's being that of its
        dendrites.
    """
    pairs = [(image, item) for image in design.images for item in image.dendrites]
    dendrites = pd.DataFrame([_true_dendrite(image, item) for image, item in pairs])
    spines = pd.concat([_true_spines(item) for _, item in pairs], ignore_index=True)
    columns = {"all": "density_per_10um"} | {kind: f"{kind}_per_10um" for kind in CLASSES}
    of_animals = dendrites.groupby(["group", "animal"])[list(columns.values())].mean()
    stated = {"all": np.sum(list(DENSITIES.values()), axis=0), **DENSITIES}
    groups = []
    for kind, column in columns.items():
        for place, (name, *_) in enumerate(ltp.GROUPS):
            own = of_animals.loc[name, column]
            groups.append(
                {
                    "spine_class": kind,
                    "group": name,
                    "stated_mean_per_10um": stated[kind][place],
                    "stated_animal_sd": ANIMAL_SD if kind == "all" else np.nan,
                    "stated_dendrite_sd": DENDRITE_SD if kind == "all" else np.nan,
                    "n_animals": len(own),
                    "n_dendrites": int((dendrites["group"] == name).sum()),
                    "drawn_mean_per_10um": own.mean(),
                    "drawn_sd_of_animals": own.std(),
                }
            )
    return {"spines_dendrites": dendrites, "spines": spines, "spines_groups": pd.DataFrame(groups)}


def _true_dendrite(image: Image, item: Dendrite) -> dict[str, object]:
    counted = item.spines.loc[item.counted, "spine_class"]
    numbers = {kind: int((counted == kind).sum()) for kind in CLASSES}
    length = item.length_um - 2 * END_UM
    return {
        "animal": item.animal,
        "group": item.group,
        "neuron": item.neuron,
        "dendrite": item.dendrite,
        "file": f"spines/{image.file}",
        "length_um": item.length_um,
        "counted_length_um": length,
        "n_spines": len(counted),
        **{f"n_{kind}": number for kind, number in numbers.items()},
        "density_per_10um": 10 * len(counted) / length,
        **{f"{kind}_per_10um": 10 * number / length for kind, number in numbers.items()},
        "planted": "; ".join(image.planted),
    }


def _true_spines(item: Dendrite) -> pd.DataFrame:
    table = item.spines.assign(
        animal=item.animal,
        neuron=item.neuron,
        dendrite=item.dendrite,
        length_um=item.spines["gap_um"] + item.spines["head_width_um"],
        neck_length_um=item.spines["gap_um"].clip(lower=0.0),
        counted=item.counted,
    )[item.along]
    return table[
        [
            *("animal", "neuron", "dendrite", "position_um", "z_um", "y_um", "x_um", "spine_class"),
            *("length_um", "head_width_um", "neck_width_um", "neck_length_um", "counted"),
        ]
    ]

"""The dendrites of the demo study, simulated from stated truth, on the animals of its recordings.

One or two dendrites of each animal, a stack of each: a dendrite that runs through the picture, with mushroom,
thin and stubby spines. What a perfect measurement would find is known for every spine. The rest is as stacks
are: tilted dendrites, a focus that is longer than wide, few photons, puncta and axons of other neurons, voxel
sizes told in one way or another, and planted oddities.

Notation: positions (z, y, x) in um, voxel (0, 0, 0) at 0 um. A dendrite is traced, and its spines are known,
between two points near the borders of its picture; it goes on beyond them. Counted are the spines that stand
more than `END_UM` from both, as `labkit.spines.density` counts them.

Images draw from streams of their own, so that one can be made again without the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.demo import ltp
from labkit.demo.dendrite import centre_line, place_spines

__all__ = [
    "CLASSES",
    "DENSITIES",
    "Dendrite",
    "Image",
    "Spines",
    "design",
    "sheet",
    "write_stacks",
]

Floats = NDArray[np.float64]

CLASSES = ("mushroom", "thin", "stubby")
# Spines per 10 um: means of each group, as ltp.GROUPS orders them, and the SD of animals, and of the
# dendrites of an animal, in all classes together. Classes grow and shrink with the whole.
DENSITIES = {"mushroom": (3.0, 3.7, 4.7), "thin": (4.4, 5.2, 6.2), "stubby": (2.1, 2.1, 2.1)}
ANIMAL_SD, DENDRITE_SD = 1.0, 0.8
# Standard deviation of the logarithm by which a class differs between dendrites, beside the whole.
CLASS_SD = 0.10
# Least and greatest head diameter, neck diameter and neck length in um, each drawn evenly. A stubby spine is
# a ball that is sunk into the shaft by a part of its diameter: its neck length is negative.
SIZES = {
    "mushroom": ((0.50, 0.85), (0.15, 0.25), (0.40, 0.80)),
    "thin": ((0.27, 0.35), (0.10, 0.15), (0.60, 1.10)),
    "stubby": ((0.55, 0.80), (0.55, 0.80), (-0.25, -0.12)),
}
SHAFT_UM = (0.50, 0.70)
# Neighbours on one side of the shaft stand so far apart; spines point so far out of the plane at most, and
# lean along the shaft by so much.
APART_UM, ANGLE_DEG, LEAN_UM = 0.85, 25.0, 0.3
# A shaft wanders from its smooth line by this standard deviation, over some such distance.
WANDER_UM, WANDER_OVER_UM = 0.06, 1.0
# No spine stands so near the places where counting begins and ends, so that no count hangs on a hair.
END_UM, CLEAR_UM = 2.5, 0.4

VOXEL_UM = {"fluorescence": (0.3, 0.08, 0.08), "brightfield": (0.6, 0.08, 0.08)}
COLUMNS_PX = (336, 364)
# From the path to the first and last plane, to the first and last row, and from its ends to the sides.
PAD_UM = (1.2, 3.0, 0.7)
# Distance of the points of a centre line.
STEP_UM = 0.02
# Whole dendrites reach so far beyond the sides of the picture. In one picture of two, their distance.
BEYOND_UM, BETWEEN_UM = 3.0, 5.5

# The second dendrites of the seven animals of a group, in random order.
SECONDS = ("", "", "", "same neuron", "same neuron", "other neuron", "other neuron")
# Which of these, as group and number within the group, are in one file with the first, or Golgi-stained.
TOGETHER, GOLGI = (1, 0), (0, 1)
# What is planted in the image of the first dendrite of an animal, by the number of the animal, from 0.
Z_BORDER, WITHOUT_SIZE = 8, 14
# One whose animals lie near the stated means, so that the demo study finds about what was put into it.
_STREAM = 845


@dataclass(frozen=True, eq=False)
class Dendrite:
    """One dendrite as planned.

    Attributes
    ----------
    animal, group, neuron, dendrite
        Where it comes from.
    whole_um
        (M, 3) centre line of the shaft, also beyond the picture, in even steps.
    traced
        Indices in it of the first and the last point that are traced.
    shaft_um
        Diameter.
    spines
        One row per spine, also beyond the picture: ``position_um`` along the shaft from the first traced
        point, ``side``, ``angle`` and ``lean_um`` of where it points, ``spine_class``, ``head_width_um``,
        ``neck_width_um``, ``gap_um`` from the shaft to the head; ``z_um, y_um, x_um``, the middle of the
        head, and ``foot_z_um, foot_y_um, foot_x_um``, where it stands on the centre line.
    """

    animal: str
    group: str
    neuron: str
    dendrite: str
    whole_um: Floats
    traced: tuple[int, int]
    shaft_um: float
    spines: pd.DataFrame

    @property
    def name(self) -> str:
        return f"{self.animal}-{self.neuron}-{self.dendrite}"

    @property
    def path_um(self) -> Floats:
        """(N, 3) centre line between the ends that are traced."""
        first, last = self.traced
        return self.whole_um[first : last + 1]

    @property
    def length_um(self) -> float:
        return float(np.linalg.norm(np.diff(self.path_um, axis=0), axis=1).sum())

    @property
    def along(self) -> NDArray[np.bool_]:
        """Which spines stand on the traced part."""
        return self.spines["position_um"].between(0, self.length_um).to_numpy()

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which spines stand on the traced part, clear of its ends."""
        return self.spines["position_um"].between(END_UM, self.length_um - END_UM).to_numpy()


@dataclass(frozen=True, eq=False)
class Image:
    """One file: its dendrites, and what else it shows.

    `written` is how the file tells its voxel size: *ome*, *imagej*, or *plain*, which is not at all.
    `planted` names what is odd about it.
    """

    index: int
    seed: int
    file: str
    shape: tuple[int, int, int]
    modality: str
    written: str
    axons: int
    planted: tuple[str, ...]
    dendrites: tuple[Dendrite, ...] = field(repr=False)

    @property
    def voxel_um(self) -> tuple[float, float, float]:
        return VOXEL_UM[self.modality]

    def rng(self, *part: int) -> np.random.Generator:
        """A stream for each part of an image: 0 its plan, 1 its picture, 2 a person's looks at it."""
        return _rng(self.seed, self.index, *part)


@dataclass(frozen=True, eq=False)
class Spines:
    """All images, and the true densities of the animals: animal, group, density_per_10um."""

    images: tuple[Image, ...]
    animals: pd.DataFrame

    def find(self, animal: str, neuron: str, dendrite: str) -> tuple[Image, Dendrite]:
        """The image and the plan of one dendrite.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        for image in self.images:
            for item in image.dendrites:
                if (item.animal, item.neuron, item.dendrite) == (animal, neuron, dendrite):
                    return image, item
        raise KeyError(f"{animal}-{neuron}-{dendrite}")


def design(animals: pd.DataFrame, *, seed: int = ltp.SEED) -> Spines:
    """Plan the dendrites of a study.

    Parameters
    ----------
    animals
        animal, group; seven animals of each group of ltp.GROUPS, as `ltp.design` gives them.
    seed
        Of the simulation. Truth is drawn anew for each seed, from the same groups.

    Returns
    -------
    Spines
    """
    rng = _rng(seed, 0)
    groups = [name for name, *_ in ltp.GROUPS]
    place = animals["group"].map(groups.index).to_numpy()
    truth = animals[["animal", "group"]].reset_index(drop=True)
    stated = np.sum(list(DENSITIES.values()), axis=0)
    truth["density_per_10um"] = stated[place] + rng.normal(0.0, ANIMAL_SD, len(truth))
    seconds = _seconds(place, rng)
    images: list[Image] = []
    for number, (animal, group, own) in enumerate(truth.itertuples(index=False, name=None)):
        second = seconds[number]
        names = [[("1", "1")]]
        if second == "one file":
            names[0].append(("1", "2"))
        elif second:
            names.append([("1", "2") if second == "same neuron" else ("2", "1")])
        for k, inside in enumerate(names):
            options = {"golgi": k == 1 and second == "Golgi"}
            if k == 0:
                options |= {"border": number == Z_BORDER, "sizeless": number == WITHOUT_SIZE}
            images.append(
                _image(
                    (animal, group), inside, place[number], own, seed=seed, index=len(images) + 1, **options
                )
            )
    return Spines(tuple(images), truth)


def _rng(seed: int, *key: int) -> np.random.Generator:
    """A stream for the animals (0), and for the parts of each image (its index from 1, the part)."""
    return np.random.default_rng(np.random.SeedSequence([seed, _STREAM], spawn_key=key))


def _seconds(place: NDArray[np.int_], rng: np.random.Generator) -> list[str]:
    """What second dendrite each animal has: '', same neuron, one file, other neuron or Golgi."""
    out = np.full(len(place), "", dtype=object)
    for group in range(len(ltp.GROUPS)):
        members = rng.permutation(np.flatnonzero(place == group))
        # Images with planted oddities of their own stay plain otherwise.
        members = sorted(members, key=lambda i: i in (Z_BORDER, WITHOUT_SIZE), reverse=True)
        out[members] = SECONDS
    for (group, nth), word, among in (
        (TOGETHER, "one file", "same neuron"),
        (GOLGI, "Golgi", "other neuron"),
    ):
        out[np.flatnonzero((place == group) & (out == among))[nth]] = word
    return out.tolist()


def _image(
    owner: tuple[str, str],
    names: list[tuple[str, str]],
    place: int,
    density: float,
    *,
    seed: int,
    index: int,
    golgi: bool = False,
    border: bool = False,
    sizeless: bool = False,
) -> Image:
    """Plan one image of one or two dendrites of an animal."""
    rng = _rng(seed, index, 0)
    modality = "brightfield" if golgi else "fluorescence"
    voxel = np.array(VOXEL_UM[modality])
    columns = int(rng.integers(*COLUMNS_PX))
    wide = (columns - 1) * voxel[2]
    axons = 0 if golgi else (0, 1, 0, 0, 1, 0, 2)[index % 7]
    lines = [_line(rng, wide) for _ in names]
    # Depth: clear of both sides, or touching the first plane. Rows: one dendrite below the other.
    top = PAD_UM[1]
    for k, (line, traced) in enumerate(lines):
        inside = line[traced[0] : traced[1] + 1]
        depth = 0.05 if border else PAD_UM[0] + 0.9 * k
        line += np.array([depth, top, 0.0]) - [*inside.min(axis=0)[:2], 0.0]
        top = inside[:, 1].max() + BETWEEN_UM
    reach = np.max([line[a : b + 1].max(axis=0) for line, (a, b) in lines], axis=0)
    planes, rows = np.ceil((reach[:2] + PAD_UM[:2]) / voxel[:2]).astype(int) + 1
    dendrites = []
    for (neuron, dendrite), (line, traced) in zip(names, lines, strict=True):
        own = max(density + rng.normal(0.0, DENDRITE_SD), 1.0)
        shaft = float(rng.uniform(*SHAFT_UM))
        spines = _spines(rng, line, traced, own, place, shaft)
        dendrites.append(Dendrite(*owner, neuron, dendrite, line, traced, shaft, spines))
    named = f"{owner[0]}_n{names[0][0]}" + ("" if len(names) > 1 else f"_d{names[0][1]}")
    planted = {
        "crossing axon": axons > 0,
        "z border": border,
        "two dendrites": len(names) > 1,
        "no voxel size": sizeless,
        "Golgi": golgi,
    }
    written = "plain" if sizeless else "imagej" if golgi or index % 4 == 3 else "ome"
    return Image(
        index=index,
        seed=seed,
        file=named + (".ome.tif" if written == "ome" else ".tif"),
        shape=(int(planes), int(rows), columns),
        modality=modality,
        written=written,
        axons=axons,
        planted=tuple(word for word, so in planted.items() if so),
        dendrites=tuple(dendrites),
    )


def _line(rng: np.random.Generator, wide_um: float) -> tuple[Floats, tuple[int, int]]:
    """A whole centre line from left to right, and the indices of its traced ends."""
    from scipy.ndimage import gaussian_filter1d

    tilt = float(rng.choice((-1, 1)) * rng.uniform(0.03, 0.11))
    line = centre_line(rng, length_um=1.2 * (wide_um + 2 * BEYOND_UM), tilt=tilt, bend=0.25, step_um=STEP_UM)
    wander = gaussian_filter1d(rng.standard_normal((len(line), 2)), WANDER_OVER_UM / STEP_UM, axis=0)
    line[:, :2] += WANDER_UM * wander / wander.std()
    line[:, 2] -= BEYOND_UM
    line = _even(line[line[:, 2] < wide_um + BEYOND_UM])
    inside = np.flatnonzero((line[:, 2] >= PAD_UM[2]) & (line[:, 2] <= wide_um - PAD_UM[2]))
    return line, (int(inside[0]), int(inside[-1]))


def _even(line: Floats) -> Floats:
    """The same line by points that are evenly apart along it."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, along[-1], round(along[-1] / STEP_UM) + 1)
    return np.stack([np.interp(at, along, axis) for axis in line.T], axis=1)


def _spines(
    rng: np.random.Generator,
    line: Floats,
    traced: tuple[int, int],
    density: float,
    place: int,
    shaft_um: float,
) -> pd.DataFrame:
    """Draw the spines of a dendrite: as many as its density asks for between the end zones, and beyond."""
    step = float(np.linalg.norm(line[1] - line[0]))
    before, length = traced[0] * step, (traced[1] - traced[0]) * step
    after = (len(line) - 1 - traced[1]) * step
    counted = (END_UM, length - END_UM)
    zones = [
        (-before, counted[0] - CLEAR_UM),
        (counted[0] + CLEAR_UM, counted[1] - CLEAR_UM),
        (counted[1] + CLEAR_UM, length + after),
    ]
    numbers = [rng.poisson(density / 10 * (high - low)) for low, high in zones]
    numbers[1] = round(density / 10 * (counted[1] - counted[0]))
    shares = np.array([means[place] for means in DENSITIES.values()])
    shares = shares * np.exp(rng.normal(0.0, CLASS_SD, len(shares)))
    rows = []
    for number, (low, high) in zip(numbers, zones, strict=True):
        kinds = rng.permutation(np.repeat(CLASSES, _shared_out(number, shares)))
        sides = rng.permutation(np.arange(number) % 2) * 2 - 1
        position = np.empty(number)
        for side in (-1, 1):
            here = sides == side
            position[here] = _apart(rng, int(here.sum()), low, high)
        for kind, side, at in zip(kinds, sides, position, strict=True):
            head, neck, gap = (float(rng.uniform(*bounds)) for bounds in SIZES[kind])
            angle, lean = rng.uniform(-ANGLE_DEG, ANGLE_DEG), rng.uniform(-LEAN_UM, LEAN_UM) * (gap > 0)
            rows.append((at, side, angle, lean, kind, head, min(neck, head), gap))
    names = ["position_um", "side", "angle", "lean_um", "spine_class"]
    names += ["head_width_um", "neck_width_um", "gap_um"]
    table = pd.DataFrame(rows, columns=names).sort_values("position_um", ignore_index=True)
    at = table["position_um"] + before
    _, feet = place_spines(line, table.assign(position_um=at), shaft_um)
    heads, _ = place_spines(line, table.assign(position_um=at + table["lean_um"]), shaft_um)
    table[["z_um", "y_um", "x_um"]] = heads
    table[["foot_z_um", "foot_y_um", "foot_x_um"]] = feet
    return table


def _shared_out(number: int, shares: Floats) -> NDArray[np.int_]:
    """Whole numbers in proportion to the shares whose sum is `number`: the largest remainders are raised."""
    exact = number * shares / shares.sum()
    out = np.floor(exact).astype(int)
    out[np.argsort(out - exact, kind="stable")[: number - out.sum()]] += 1
    return out


def _apart(rng: np.random.Generator, n: int, low: float, high: float) -> Floats:
    """Places between two bounds that are `APART_UM` or more from one another, each such set as likely."""
    room = max(high - low - max(n - 1, 0) * APART_UM, 0.0)
    apart = min(APART_UM, (high - low) / max(n - 1, 1))
    return low + np.sort(rng.uniform(0, room, n)) + apart * np.arange(n)


def write_stacks(design: Spines, folder: str | Path) -> tuple[Path, ...]:
    """Simulate all images and write them as 8-bit TIFF into `folder`.

    The same design gives the same bytes, with the same versions of the libraries that compress them.

    Parameters
    ----------
    design
        From `design`.
    folder
        Where files go, an existing folder.

    Returns
    -------
    tuple of Path
    """
    from labkit.demo.confocal import picture, write_stack

    return tuple(
        write_stack(Path(folder) / image.file, picture(image), image=image) for image in design.images
    )


def sheet(design: Spines) -> pd.DataFrame:
    """What the lab writes down: the table of images.csv, one row for each dendrite.

    Returns
    -------
    DataFrame
        file, animal, neuron, dendrite, channel, voxel_z_um, voxel_y_um, voxel_x_um, modality, note. Voxel
        sizes stand where the file does not tell them.
    """
    rows = []
    for image in design.images:
        sizes = image.voxel_um if image.written == "plain" else (np.nan,) * 3
        notes = {"no voxel size": "exported without its scale", "two dendrites": "both run in one stack"}
        note = "; ".join(words for word, words in notes.items() if word in image.planted)
        for item in image.dendrites:
            rows.append(
                {
                    "file": f"spines/{image.file}",
                    "animal": item.animal,
                    "neuron": item.neuron,
                    "dendrite": item.dendrite,
                    "channel": "",
                    **dict(zip(("voxel_z_um", "voxel_y_um", "voxel_x_um"), sizes, strict=True)),
                    "modality": "brightfield" if image.modality == "brightfield" else "",
                    "note": "Golgi-Cox, other hemisphere" if "Golgi" in image.planted else note,
                }
            )
    return pd.DataFrame(rows)

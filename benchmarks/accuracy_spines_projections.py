"""Detection on projections with boxes around spines, by the rule and by the learned scorer.

Called by ``accuracy_spines.py``. A person's clicks on the dendrites are stood in for by branches of an
automatic skeleton near which two or more spines are annotated: that tells which dendrites were annotated, and
nothing on where along them spines stand. Images with near-duplicates elsewhere in the set stay in one fold.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import convolve, gaussian_filter
from scipy.spatial import cKDTree

from labkit import spines
from labkit.errors import LabkitError

# The images state no scale. All boxes of an image are alike; their side is taken as 1.5 um, and every length
# here is in this unit.
BOX_UM = 1.5
# A spine is found within half a box of the middle of its box.
WITHIN_UM = BOX_UM / 2
GRID_UM, SHORTEST_UM, NEAR_UM, REACH_UM, APART_UM = 0.15, 5.0, 2.0, 2.2, 0.5
SHIFTS = 10


def boxes(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """(n, 3) middle (y, x) and height of each box, in pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an image without boxes
        rows = np.loadtxt(path, ndmin=2)
    if not rows.size:
        return np.zeros((0, 3))
    return rows[:, [2, 1, 4]] * (shape[0], shape[1], shape[0])


def branches(image: np.ndarray, pixel_um: float) -> list[np.ndarray]:
    """Branches (k, 2) of the skeleton of what is ridge-like, in pixels, without short spurs."""
    from skimage.filters import apply_hysteresis_threshold, sato
    from skimage.morphology import label, skeletonize
    from skimage.transform import rescale

    factor = pixel_um / GRID_UM
    log = np.log(gaussian_filter(image.astype(float), 0.1 / pixel_um) + 10)
    ridge = sato(rescale(log, factor, order=1, anti_aliasing=True), sigmas=[2.0, 3.5], black_ridges=False)
    mask = apply_hysteresis_threshold(ridge, *np.percentile(ridge, [90, 97]))
    parts = label(mask, connectivity=1)
    mask &= np.bincount(parts.ravel())[parts] > 150
    skeleton = skeletonize(mask)
    for _ in range(2):
        skeleton, found = _split(skeleton, SHORTEST_UM / GRID_UM / 2)
    return [np.array(one) / factor for one in found if len(one) * GRID_UM >= SHORTEST_UM]


def _split(skeleton: np.ndarray, spur: float) -> tuple[np.ndarray, list[list[tuple[int, int]]]]:
    """The skeleton without spurs, and its branches between junctions."""
    skeleton = skeleton.copy()
    neighbours = convolve(skeleton.astype(int), np.ones((3, 3), int), mode="constant") - 1
    points = set(zip(*np.nonzero(skeleton), strict=True))
    junctions = {p for p in points if neighbours[p] > 2}
    rest = points - junctions

    def around(p: tuple[int, int]) -> list[tuple[int, int]]:
        near = [(p[0] + a, p[1] + b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
        return [q for q in near if q in points]

    seen: set[tuple[int, int]] = set()
    kept = []
    starts = sorted(p for p in rest if sum(q in rest for q in around(p)) <= 1)
    for start in [*starts, *sorted(rest)]:
        if start in seen:
            continue
        branch = [start]
        seen.add(start)
        while onward := [q for q in around(branch[-1]) if q in rest and q not in seen]:
            branch.append(onward[0])
            seen.add(onward[0])
        free = not all(any(q in junctions for q in around(end)) for end in (branch[0], branch[-1]))
        if len(branch) < spur and free:
            for p in branch:
                skeleton[p] = False
        else:
            kept.append(branch)
    from skimage.morphology import skeletonize

    return skeletonize(skeleton), kept


def read(folder: Path, name: str) -> tuple[spines.Stack, np.ndarray, list[spines.Dendrite]]:
    """One image, its annotated spines (n, 2) in um, and the dendrites near which they are."""
    from skimage.io import imread

    image = np.asarray(imread(folder / "images" / name))
    image = image[..., 0] if image.ndim == 3 else image
    marked = boxes(folder / "labels" / f"{Path(name).stem}.txt", image.shape)
    if not len(marked):
        return None, np.zeros((0, 2)), []
    pixel_um = BOX_UM / float(np.median(marked[:, 2]))
    stack = spines.Stack.from_array(image, voxel_um=(pixel_um, pixel_um), modality="fluorescence")
    marks = marked[:, :2] * pixel_um
    dendrites = []
    for branch in branches(image, pixel_um):
        branch = np.clip(branch, 0, np.array(image.shape) - 1)
        if (cKDTree(branch * pixel_um).query(marks)[0] < NEAR_UM).sum() < 2:
            continue
        n = max(int(len(branch) * GRID_UM / 8), 1)
        try:
            dendrite = spines.trace(stack, branch[np.linspace(0, len(branch) - 1, n + 1).round().astype(int)])
        except LabkitError:
            continue  # a ring, whose ends are one point
        if dendrite.length_um > 3:
            dendrites.append(dendrite)
    return stack, marks, dendrites


def beside(marks: np.ndarray, dendrites: list[spines.Dendrite]) -> np.ndarray:
    """Whether each mark stands beside a dendrite, and not beyond its end."""
    out = np.zeros(len(marks), bool)
    for dendrite in dendrites:
        distance, index = cKDTree(dendrite.path_um[:, 1:]).query(marks)
        out |= (distance < REACH_UM) & (index > 0) & (index < len(dendrite.path_um) - 1)
    return out


def check_projections(folder: Path, *, quick: bool) -> None:
    from accuracy_spines import f1, most_pairs

    from labkit.spines.scorer import Examples, compare, examples

    listed = pd.read_csv(folder / "near_duplicate_groups.csv")
    if quick:
        listed = listed[listed["group"] % 4 == 0]
    print(f"\n{folder}: {len(listed)} projections in {listed['group'].nunique()} groups of near-duplicates")
    print(
        "  dendrites: branches of a skeleton with two or more spines beside them; lengths in the unit in\n"
        f"  which a box is {BOX_UM} um wide; a spine is found within half a box, one to one; folds keep\n"
        "  groups together\n"
    )
    rng = np.random.default_rng(0)
    several, by_chance, marked, counted = [], [0, 0, 0], 0, 0
    for row in listed.itertuples():
        stack, marks, dendrites = read(folder, row.image)
        marked += len(marks)
        if not dendrites:
            continue
        own = marks[beside(marks, dendrites)]
        counted += len(own)
        found = []
        for dendrite in dendrites:
            # A mark belongs to the dendrite that is closest to it.
            others = [d for d in dendrites if d is not dendrite]
            mine = cKDTree(dendrite.path_um[:, 1:]).query(own)[0] if len(own) else np.zeros(0)
            theirs = np.min(
                [cKDTree(d.path_um[:, 1:]).query(own)[0] for d in others] or [np.full(len(own), np.inf)],
                axis=0,
            )
            told = np.column_stack([np.zeros((mine <= theirs).sum()), own[mine <= theirs]])
            several.append(examples(stack, dendrite, told, group=str(row.group), image=row.image))
            found.append(spines.detect(stack, dendrite)[["y_um", "x_um"]].to_numpy())
        for _ in range(SHIFTS):
            by = [rng.uniform(2, max(dendrite.length_um - 2, 3)) for dendrite in dendrites]
            moved = np.concatenate(
                [_shifted(p, d.path_um, b) for p, d, b in zip(found, dendrites, by, strict=True)]
            )
            near = np.linalg.norm(moved[:, None] - own[None], axis=-1) <= WITHIN_UM
            by_chance[0] += most_pairs(near)
            by_chance[1] += len(moved)
            by_chance[2] += len(own)
    table = compare(Examples.joined(several))
    print(f"  {marked} spines annotated, {counted} beside these dendrites")
    print(f"\n  {'':10}{'hits':>7}{'found':>7}{'true':>7}{'precision':>11}{'recall':>8}{'F1':>8}")
    for one in table.itertuples():
        print(
            f"  {one.method:10}{one.hits:7d}{one.found:7d}{one.true:7d}"
            f"{one.precision:11.2f}{one.recall:8.2f}{one.f1:8.3f}"
        )
    print(f"  {'chance':10}{'':32}{'':8}{f1(*by_chance):8.3f}  (the rule's, shifted along the dendrites)")


def _shifted(places: np.ndarray, path: np.ndarray, by_um: float) -> np.ndarray:
    from accuracy_spines import shifted

    return shifted(places, path, by_um) if len(places) else places

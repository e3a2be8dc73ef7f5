"""How right the measures of spines are: on real images with annotations, and on stated truth.

    python benchmarks/accuracy_spines.py [--data FOLDER] [--simulated] [--quick]

A folder, or any folder in it, is read by what lies in it: ``dendrites.csv`` and ``spines.csv`` with a stack
(length and detection in three dimensions), ``images`` and ``labels`` with ``near_duplicate_groups.csv``
(detection in projections, by the rule and by the learned scorer), ``masks`` with ``classes.csv`` (classes).
Without a folder these are looked for where this project keeps real data, and the simulated table follows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from labkit import spines
from labkit.demo.dendrite import simulate
from labkit.spines.straighten import normals, resample, smooth, steps_um

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "real" / "spines"
# The stacks of this kind carry no scale in the file; their owner states it.
VOXEL_UM = (1.0, 0.12, 0.12)
TOLERANCES_UM = (0.6, 1.0)
SHIFTS = 200


def f1(hits: float, found: float, true: float) -> float:
    return 2 * hits / (found + true) if found + true else float("nan")


def most_pairs(near: np.ndarray) -> int:
    """Greatest number of pairs, each row and column in one at most."""
    if not near.size:
        return 0
    i, j = linear_sum_assignment(-near.astype(float))
    return int(near[i, j].sum())


# Stacks


def on_axis(places: np.ndarray, anchor: np.ndarray, tip: np.ndarray) -> np.ndarray:
    """Distance (n, m) of places from the lines between anchor and tip, in the plane."""
    axis = tip - anchor
    part = ((places[:, None] - anchor) * axis).sum(-1) / np.maximum((axis**2).sum(-1), 1e-12)
    return np.linalg.norm(places[:, None] - anchor - np.clip(part, 0, 1)[..., None] * axis, axis=-1)


def shifted(places: np.ndarray, path: np.ndarray, by_um: float) -> np.ndarray:
    """Places (y, x) moved along the dendrite, and around its end to its start, at the same side."""
    along = steps_um(path)
    left, _ = normals(path)
    foot = cKDTree(path[:, 1:]).query(places)[1]
    offset = np.sum((places - path[foot][:, 1:]) * left[foot][:, 1:], axis=1)
    there = np.searchsorted(along, (along[foot] + by_um) % along[-1]).clip(0, len(path) - 1)
    return path[there][:, 1:] + offset[:, None] * left[there][:, 1:]


def check_stack(folder: Path) -> None:
    print(f"\n{folder}: dendrites in a stack, voxel {' x '.join(f'{v:g}' for v in VOXEL_UM)} um")
    print(
        "  clicks: first, middle and last point of the annotator's line; length: of that line, smoothed\n"
        "  over 1 um as the path is; a spine is found when the head's middle lies within the tolerance of\n"
        "  the annotated line from anchor to tip, in the plane, one to one; chance: the same after shifting\n"
        f"  all that was found along the dendrite at random, mean of {SHIFTS}\n"
    )
    stack = spines.read(folder / "stack.tif", voxel_um=VOXEL_UM)
    lines, marks = (pd.read_csv(folder / f"{name}.csv") for name in ("dendrites", "spines"))
    rng = np.random.default_rng(0)
    rows = []
    for number, line in lines.groupby("dendrite"):
        points = line[["z", "y", "x"]].to_numpy(float)
        annotated = steps_um(smooth(resample(stack.to_um(points), 0.1), 0.1, 1.0))[-1]
        dendrite = spines.trace(stack, points[[0, len(points) // 2, -1]])
        table = spines.detect(stack, dendrite)
        own = marks[marks["dendrite"] == number]
        anchor, tip = (own[[f"{e}_y", f"{e}_x"]].to_numpy() * VOXEL_UM[1] for e in ("anchor", "tip"))
        position = dendrite.position_um[cKDTree(dendrite.path_um[:, 1:]).query(anchor)[1]]
        print(
            f"  dendrite {number}: length {dendrite.length_um:.1f} um, annotator {annotated:.1f} um "
            f"({100 * (dendrite.length_um / annotated - 1):+.1f} %), in projection "
            f"{dendrite.length_mip_um:.1f} um"
        )
        for zone in ("whole", "without end zones"):
            low, high = (0.0, dendrite.length_um) if zone == "whole" else spines.counted_span(dendrite)
            found = table[table["position_um"].between(low, high)][["y_um", "x_um"]].to_numpy()
            kept = (position >= low) & (position <= high)
            for tolerance in TOLERANCES_UM:
                hits = most_pairs(on_axis(found, anchor[kept], tip[kept]) <= tolerance)
                chance = [
                    most_pairs(
                        on_axis(shifted(found, dendrite.path_um, by), anchor[kept], tip[kept]) <= tolerance
                    )
                    for by in rng.uniform(2.0, dendrite.length_um - 2.0, SHIFTS)
                ]
                rows.append((number, zone, tolerance, hits, len(found), kept.sum(), np.mean(chance)))
    names = ["dendrite", "counted", "tolerance_um", "hits", "found", "true", "chance"]
    table = pd.DataFrame(rows, columns=names)
    pooled = (
        table.groupby(["counted", "tolerance_um"], as_index=False)[names[3:]].sum().assign(dendrite="all")
    )
    table = pd.concat([table, pooled[names]]).sort_values(["counted", "tolerance_um"], kind="stable")
    print(f"\n  {'counted':18}{'within':>8}{'dendrite':>10}{'hits':>6}{'found':>7}{'true':>6}", end="")
    print(f"{'precision':>11}{'recall':>8}{'F1':>7}{'chance':>8}{'density':>9}")
    for r in table.itertuples():
        print(
            f"  {r.counted:18}{r.tolerance_um:5.1f} um{r.dendrite!s:>10}{r.hits:6d}{r.found:7d}{r.true:6d}"
            f"{r.hits / max(r.found, 1):11.2f}{r.hits / max(r.true, 1):8.2f}"
            f"{f1(r.hits, r.found, r.true):7.2f}{f1(r.chance, r.found, r.true):8.2f}"
            f"{100 * (r.found / max(r.true, 1) - 1):+8.0f} %"
        )


# Masks with classes

# A mask has no scale. The size of a pixel in um is chosen on the training folds alone, as are thresholds.
SCALES_UM = np.geomspace(0.002, 0.05, 30)


def mask_profile(mask: np.ndarray) -> np.ndarray:
    """Widths of a mask from its base (last row) to its tip, one for each row."""
    rows = np.flatnonzero(mask.any(axis=1))
    return mask[rows[0] : rows[-1] + 1].sum(axis=1)[::-1].astype(float)


def mask_sizes(mask: np.ndarray) -> dict[str, float]:
    """Length, head and neck of a mask in pixels; the base, a tenth of the length, is the dendrite's edge."""
    width = mask_profile(mask)
    n = len(width)
    body = width[max(n // 10, 1) :]
    head_at = int(np.argmax(np.where(np.arange(len(body)) >= 0.3 * len(body), body, 0)))
    return {
        "length_um": float(n),
        "head_width_um": float(body[head_at]),
        "neck_width_um": float(body[: head_at + 1].min()),
    }


def mask_features(mask: np.ndarray) -> np.ndarray:
    """Shape of a mask: widths along its axis, sizes, and their ratios."""
    sizes = mask_sizes(mask)
    length, head, neck = sizes.values()
    width = mask_profile(mask)
    profile = np.interp(np.linspace(0, 1, 15), np.linspace(0, 1, len(width)), width)
    ratios = [head / neck, length / head, width.sum() / length, mask.sum() / (length * head), width[0] / head]
    return np.concatenate([profile / length, profile, [length, head, neck, *ratios]])


def check_classes(folder: Path) -> None:
    from skimage.io import imread
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import cohen_kappa_score
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    listed = pd.read_csv(folder / "classes.csv")
    masks = [np.asarray(imread(folder / "masks" / name)) > 0 for name in listed["mask"]]
    truth = listed["spine_class"].to_numpy(str)
    sizes = pd.DataFrame([mask_sizes(mask) for mask in masks])
    shapes = np.array([mask_features(mask) for mask in masks])
    print(f"\n{folder}: {len(truth)} masks with classes, 10-fold cross-validation, 5 times")
    print(
        "  rules: the scale, which the masks lack, is chosen on the training folds, as is the C of the\n"
        "  support vectors\n"
    )
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    forest = RandomForestClassifier(300, min_samples_leaf=2, class_weight="balanced", random_state=0)
    vectors = make_pipeline(StandardScaler(), SVC())
    machine = GridSearchCV(vectors, {"svc__C": [0.3, 1.0, 3.0, 10.0]}, cv=5)
    learned = {"logistic": logistic, "random forest": forest, "support vectors": machine}
    results: dict[str, list[np.ndarray]] = {name: [] for name in [*spines.RULES, *learned]}
    by_scale = {
        rule: np.array(
            [spines.classify(sizes * s, rule=rule)["spine_class"].to_numpy(str) for s in SCALES_UM]
        )
        for rule in spines.RULES
    }
    for seed in range(5):
        guesses = {name: np.empty(len(truth), object) for name in results}
        folds = StratifiedKFold(10, shuffle=True, random_state=seed)
        for train, test in folds.split(shapes, truth):
            for rule, classes in by_scale.items():
                best = int(np.argmax((classes[:, train] == truth[train]).mean(axis=1)))
                guesses[rule][test] = classes[best, test]
            for name, model in learned.items():
                guesses[name][test] = model.fit(shapes[train], truth[train]).predict(shapes[test])
        for name, guess in guesses.items():
            results[name].append(guess.astype(str))
    print(f"  {'':16}{'agreement':>11}{'balanced':>10}{'kappa':>7}")
    for name, guesses_of in results.items():
        scores = [((g == truth).mean(), balanced(truth, g), cohen_kappa_score(truth, g)) for g in guesses_of]
        mean = np.mean(scores, axis=0)
        print(f"  {name:16}{100 * mean[0]:9.1f} %{100 * mean[1]:8.1f} %{mean[2]:7.2f}")
    commonest = pd.Series(truth).value_counts(normalize=True).iloc[0]
    print(f"  {'commonest class':16}{100 * commonest:9.1f} %")
    human = spines.HUMAN_AGREEMENT
    print(
        f"  eight experts on other spines: {100 * human['pairwise']:.0f} % pairwise, kappa {human['kappa']}"
    )


def balanced(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean recall of the classes that occur."""
    return float(np.mean([(guess[truth == name] == name).mean() for name in np.unique(truth)]))


# Simulated truth

CASES: dict[str, dict[str, object]] = {
    "plain": {},
    "steep (tilt 0.4)": {"tilt": 0.4},
    "three axons cross": {"axons": 3},
    "dim (20 photons)": {"photons": 20.0},
    "very dim (8 photons)": {"photons": 8.0},
    "planes 1 um apart": {"voxel_um": (1.0, 0.12, 0.12)},
    "blurred (2.5, 0.5 um)": {"fwhm_um": (2.5, 0.5)},
    "thick shaft (1 um)": {"shaft_um": 1.0},
    "Golgi, 15 specks": {"modality": "brightfield", "specks": 15},
}


def simulated(seed: int, **options: object) -> tuple:
    made = simulate(seed=seed, **options)
    stack = spines.Stack.from_array(
        made.voxels, voxel_um=made.voxel_um, modality=options.get("modality", "fluorescence")
    )
    dendrite = spines.trace(stack, made.waypoints)
    return made, dendrite, spines.detect(stack, dendrite)


def paired(table: pd.DataFrame, truth: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both tables that belong together, within 0.6 um in the plane."""
    columns = ["y_um", "x_um"]
    apart = np.linalg.norm(table[columns].to_numpy()[:, None] - truth[columns].to_numpy()[None], axis=-1)
    i, j = linear_sum_assignment(np.where(apart <= 0.6, apart - 10, 0.0))
    near = apart[i, j] <= 0.6
    return i[near], j[near]


def check_simulated(seeds: int) -> None:
    print(
        f"\nsimulated dendrites, {seeds} of 40 um with 30 spines each (a third each stubby, thin, mushroom)\n"
    )
    print(f"  {'':24}{'length error: mean':>19}{'worst':>8}{'density':>10}{'precision':>11}{'recall':>8}")
    confusion = []
    for name, options in CASES.items():
        errors, counted, true, hits, found, total = [], 0, 0, 0, 0, 0
        for seed in range(seeds):
            made, dendrite, table = simulated(seed, **options)
            errors.append(100 * (dendrite.length_um / made.length_um - 1))
            low, high = spines.counted_span(dendrite)
            counted += int(spines.density(table, dendrite)["n_spines"].iloc[0])
            true += int(made.spines["position_um"].between(low, high).sum())
            i, j = paired(table, made.spines)
            hits, found, total = hits + len(i), found + len(table), total + len(made.spines)
            if name == "plain":
                confusion.append((table.iloc[i].reset_index(drop=True), made.spines.iloc[j]))
        worst = max(errors, key=abs)
        print(
            f"  {name:24}{np.mean(errors):17.2f} %{worst:6.2f} %{100 * (counted / true - 1):+8.1f} %"
            f"{hits / max(found, 1):11.2f}{hits / total:8.2f}"
        )
    table, truth = (pd.concat(part, ignore_index=True) for part in zip(*confusion, strict=True))
    for limit in (0.35, 0.5):
        classes = spines.classify(table, thresholds={"mushroom_head_um": limit})["spine_class"]
        right = (classes == truth["spine_class"]).mean()
        print(f"\n  rodriguez2008, mushroom from {limit} um: {100 * right:.0f} % of {len(table)} right")
        counts = pd.crosstab(truth["spine_class"].rename("true"), classes.rename("found"))
        print("    " + counts.to_string().replace("\n", "\n    "))
    print("\n  median widths of mushrooms, and bias of lengths, by the focus (FWHM; in depth 1.5 um)\n")
    print(f"  {'focus':>8}{'head: true':>12}{'found':>8}{'bias':>8}", end="")
    print(f"{'neck: true':>12}{'found':>8}{'length bias':>13}")
    for focus in (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6):
        parts = []
        for seed in range(max(seeds // 2, 1)):
            made, _, table = simulated(
                seed, n_spines=20, kinds=("mushroom",), fwhm_um=(1.5, focus), photons=200.0
            )
            i, j = paired(table, made.spines)
            parts.append(
                pd.concat(
                    [
                        table.iloc[i].reset_index(drop=True),
                        made.spines.iloc[j].reset_index(drop=True).add_prefix("true_"),
                    ],
                    axis=1,
                )
            )
        m = pd.concat(parts)
        head, neck = m["true_head_width_um"].median(), m["true_neck_width_um"].median()
        print(
            f"  {focus:5.2f} um{head:12.2f}{m['head_width_um'].median():8.2f}"
            f"{(m['head_width_um'] - m['true_head_width_um']).median():+8.2f}{neck:12.2f}"
            f"{m['neck_width_um'].median():8.2f}{(m['length_um'] - m['true_length_um']).median():+13.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=None, help="a folder of one of the kinds, or of several")
    parser.add_argument("--simulated", action="store_true", help="only the simulated table")
    parser.add_argument("--quick", action="store_true", help="fewer images and dendrites")
    arguments = parser.parse_args()
    if not arguments.simulated:
        given = arguments.data or REAL
        if not given.is_dir():
            parser.error(f"there is no folder {given}")
        for folder in [given, *sorted(path for path in given.rglob("*") if path.is_dir())]:
            if (folder / "dendrites.csv").exists():
                check_stack(folder)
            if (folder / "near_duplicate_groups.csv").exists():
                from accuracy_spines_projections import check_projections

                check_projections(folder, quick=arguments.quick)
            if (folder / "classes.csv").exists():
                check_classes(folder)
    if arguments.simulated or arguments.data is None:
        check_simulated(3 if arguments.quick else 8)


if __name__ == "__main__":
    main()

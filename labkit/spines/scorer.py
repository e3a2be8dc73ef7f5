"""A scorer learned from a lab's own corrections, for where it finds spines better than the rule does.

Nothing is shipped ready-made: what a spine looks like depends on the label and the microscope. The scorer
looks at many more spots than the rule does, those on the shaft among them, and learns from a person's
corrected tables which are spines. `compare` says by cross-validation over groups (animals) whether it beats
the rule; use it only then. It is kept as its training data and not as a model: it can be read by any version,
looked at, and is fitted anew in seconds.

Notation: n candidates, F features. Needs the extra ``labkit[learn]`` (scikit-learn).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import DataError
from labkit.spines.dendrite import Dendrite
from labkit.spines.detect import Spots, Surroundings, find_spots, spots_at, surroundings
from labkit.spines.measure import measure
from labkit.spines.stack import Stack

__all__ = ["Examples", "Scorer", "compare", "detect_learned", "examples", "fit"]

Floats = NDArray[np.float64]

# Two candidates are no closer than this, and neither are two spines that are given out.
_APART_UM, _SPINES_APART_UM = 0.3, 0.5
# A candidate is the spine that a person marked within this distance.
_SAME_UM = 0.75
# Contrast over its surroundings, in the shaft's brightness, under which nothing is a candidate.
_FAINT = 0.02
# Window around a candidate that is looked at, along and outward, and the parts of it that are kept.
_PATCH_UM = np.arange(-10, 11) * 0.12
_COMPONENTS = 40
_SCALES_UM = (0.25, 0.4, 0.7)
_FOLDS = 5
_FEWEST = 40


@dataclass(frozen=True, eq=False)
class Examples:
    """Candidates with features, and which of them are spines.

    Attributes
    ----------
    features
        (n, F) numbers.
    place_um
        (n, 3) where they lie.
    rule_score
        (n,) score of the rule; NaN where the rule would not look.
    is_spine
        (n,) what a person says.
    group
        (n,) what they belong to, as animals: never split between training and testing.
    image
        (n,) dendrites or images in which places can be compared.
    missed
        Number of spines that no candidate stands for.
    """

    features: Floats
    place_um: Floats
    rule_score: Floats
    is_spine: NDArray[np.bool_]
    group: NDArray[np.str_]
    image: NDArray[np.str_]
    missed: int = 0

    @classmethod
    def joined(cls, several: Iterable[Examples]) -> Examples:
        """All examples together."""
        parts = list(several)
        if not parts:
            raise DataError("there are no examples", expected="those of corrected dendrites")
        arrays = ("features", "place_um", "rule_score", "is_spine", "group", "image")
        return cls(
            *(np.concatenate([getattr(one, name) for one in parts]) for name in arrays),
            missed=sum(one.missed for one in parts),
        )


def examples(
    stack: Stack,
    dendrite: Dendrite,
    spines_um: Floats,
    *,
    group: str,
    image: str,
    within_um: float = _SAME_UM,
) -> Examples:
    """Candidates beside a dendrite, told by a person's spines.

    Parameters
    ----------
    stack, dendrite
        From `read` and `trace`.
    spines_um
        (m, 3) the spines that a person confirmed or added.
    group, image
        Animal, and a name for the dendrite or image.
    within_um
        A candidate that lies so close to a spine, in the plane, and closest of all, is that spine.
    """
    from scipy.optimize import linear_sum_assignment

    around = surroundings(stack, dendrite)
    spots = _candidates(around)
    n, marked = len(spots.score), np.asarray(spines_um, float).reshape(-1, 3)
    is_spine = np.zeros(n, bool)
    if n and len(marked):
        apart = np.linalg.norm(spots.place_um[:, None, 1:] - marked[None, :, 1:], axis=-1)
        i, j = linear_sum_assignment(np.where(apart <= within_um, apart - 10 * within_um, 0.0))
        is_spine[i[apart[i, j] <= within_um]] = True
    rule = np.where(_by_rule(around, spots), spots.score, np.nan)
    return Examples(
        _features(around, spots),
        spots.place_um,
        rule,
        is_spine,
        np.full(n, group),
        np.full(n, image),
        missed=len(marked) - int(is_spine.sum()),
    )


def _maps(around: Surroundings) -> dict[str, NDArray[np.float32]]:
    """Maps (S, U) in which spines are spots, each in parts of the shaft's brightness."""
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    step = around.straight.step_um
    contrast = np.maximum(around.contrast, 1e-6 * np.abs(around.brightness).max())[:, None]
    level = (around.brightness - around.floor[:, None]) / contrast
    excess = (around.brightness - around.shaft) / contrast
    # On a scale of logarithms a faint spine beside a bright shaft is as large as a bright one.
    log = np.log(np.maximum(level, 0) + 0.05)
    maps = {"level": level, "excess": excess}
    for scale in _SCALES_UM:
        maps[f"spot {scale}"] = level - gaussian_filter(level, scale / step, mode="nearest")
        maps[f"excess {scale}"] = excess - gaussian_filter(excess, scale / step, mode="nearest")
        maps[f"log {scale}"] = log - gaussian_filter(log, scale / step, mode="nearest")
    maps["along"] = excess - gaussian_filter1d(excess, 0.5 / step, axis=0, mode="nearest")
    return maps


def _candidates(around: Surroundings) -> Spots:
    """Peaks of several maps within reach of the dendrite, on the shaft too; the clearer of two close ones."""
    from scipy.ndimage import maximum_filter
    from scipy.spatial import cKDTree

    maps = _maps(around)
    step = around.straight.step_um
    allowed = (around.outside_um < 2.6) & np.isfinite(around.score)
    size = 2 * round(_APART_UM / step) + 1
    peaks = np.zeros(allowed.shape, bool)
    for name in ("excess 0.4", "log 0.25", "along"):
        one = np.where(allowed, maps[name], -np.inf)
        peaks |= (maximum_filter(one, size=size, mode="nearest") == one) & allowed & (one > _FAINT)
    s, u = np.nonzero(peaks)
    clear = maps["excess 0.4"][s, u] + maps["log 0.4"][s, u]
    order = np.argsort(-clear, kind="stable")
    s, u = s[order], u[order]
    kept = np.ones(len(s), bool)
    if len(s):
        for a, b in sorted(cKDTree(np.column_stack([s, u]) * step).query_pairs(_APART_UM)):
            if kept[a]:
                kept[b] = False
    return spots_at(around, s[kept], u[kept])


def _by_rule(around: Surroundings, spots: Spots) -> NDArray[np.bool_]:
    """Which of the candidates the rule, however sensitive, would give out."""
    found = find_spots(around, threshold=0.5)
    taken = np.zeros(len(spots.s), bool)
    for s, u in zip(found.s, found.u, strict=True):
        near = np.hypot(spots.s - s, spots.u - u) * around.straight.step_um
        if len(near) and near.min() <= _APART_UM:
            taken[np.argmin(near)] = True
    return taken


def _features(around: Surroundings, spots: Spots) -> Floats:
    """Numbers (n, F) on each candidate that depend on neither gain nor offset nor side."""
    from scipy.ndimage import map_coordinates

    s, u = spots.s, spots.u
    step, across = around.straight.step_um, around.straight.across_um
    maps = _maps(around)
    middle = len(across) // 2
    side = np.where(u >= middle, 1, -1)
    contrast = around.contrast / max(float(np.median(around.contrast)), 1e-30)
    columns = [
        around.outside_um[s, u],
        np.abs(across[u]),
        np.log(np.maximum(contrast[s], 1e-3)),
        np.clip(spots.score, -50, 50),
        spots.contact,
        np.minimum(s, len(around.contrast) - 1 - s) * step,
        *(one[s, u] for one in maps.values()),
    ]
    level = maps["level"]
    ways = np.linspace(0, 3, 13) / step
    radial = map_coordinates(
        level, [np.repeat(s[:, None], 13, axis=1), middle + side[:, None] * ways], order=1, mode="nearest"
    )
    lengthwise = map_coordinates(
        level,
        [s[:, None] + np.linspace(-2, 2, 17) / step, np.repeat(u[:, None], 17, axis=1)],
        order=1,
        mode="nearest",
    )
    along, outward = np.meshgrid(_PATCH_UM / step, _PATCH_UM / step, indexing="ij")
    patch = map_coordinates(
        level,
        [s[:, None, None] + along, u[:, None, None] + side[:, None, None] * outward],
        order=1,
        mode="nearest",
    )
    patch = np.log(np.maximum(patch, 0) + 0.05).reshape(len(s), len(_PATCH_UM) ** 2)
    return np.column_stack([*columns, radial, lengthwise, patch]).astype(float)


@dataclass(frozen=True, eq=False)
class Scorer:
    """A fitted scorer.

    Attributes
    ----------
    data
        The examples that it was fitted to.
    threshold
        Probability from which on a candidate is a spine, set on the examples by cross-validation.
    provenance
        Versions, numbers and accuracy, as `fit` found them.
    """

    data: Examples
    threshold: float
    provenance: dict[str, Any]
    _model: Any

    def probability(self, features: Floats) -> Floats:
        """(n,) probability that each candidate is a spine."""
        return _probability(self._model, features)

    def save(self, path: str | Path) -> Path:
        """Write the examples, the threshold and the provenance as one ``.npz`` file."""
        path = Path(path)
        names = ("features", "place_um", "rule_score", "is_spine", "group", "image")
        arrays = {name: getattr(self.data, name) for name in names}
        told = json.dumps({**self.provenance, "threshold": self.threshold, "missed": self.data.missed})
        with path.open("wb") as file:
            np.savez_compressed(file, provenance=np.array(told), **arrays)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Scorer:
        """Read a scorer and fit it anew, to the same examples with the same seed."""
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as file:
                told = json.loads(str(file["provenance"]))
                names = ("features", "place_um", "rule_score", "is_spine", "group", "image")
                data = Examples(*(file[name] for name in names), missed=told.pop("missed"))
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"this is no saved scorer ({error})", expected="a file that save wrote", where=path.name
            ) from error
        return cls(data, told.pop("threshold"), told, _fitted(data.features, data.is_spine))


def fit(data: Examples) -> Scorer:
    """Fit a scorer, with its threshold and its accuracy by cross-validation over groups.

    Raises
    ------
    DataError
        If there are fewer than 40 spines or other spots, or fewer than two groups.
    """
    import sklearn

    table, threshold = _validated(data)
    provenance = {
        "scikit-learn": sklearn.__version__,
        "groups": sorted(set(data.group.tolist())),
        "n_spines": int(data.is_spine.sum()),
        "accuracy": table.to_dict("records"),
    }
    return Scorer(data, threshold, provenance, _fitted(data.features, data.is_spine))


def compare(data: Examples) -> pd.DataFrame:
    """Rule and scorer on examples that neither has seen.

    Returns
    -------
    DataFrame
        One row for the rule and one for the scorer: ``method``, ``hits``, ``found``, ``true``,
        ``precision``, ``recall``, ``f1``. Groups are dealt to 5 folds (fewer when there are fewer); the
        threshold of either is set on the other folds.

    Raises
    ------
    DataError
        As `fit`.
    """
    return _validated(data)[0]


def _validated(data: Examples) -> tuple[pd.DataFrame, float]:
    groups = np.unique(data.group)
    few = min(int(data.is_spine.sum()), int((~data.is_spine).sum()))
    if few < _FEWEST or len(groups) < 2:
        raise DataError(
            f"there are {few} spines or other spots in {len(groups)} groups",
            expected=f"{_FEWEST} or more of both in two groups or more",
            todo="correct more dendrites first",
        )
    order = np.random.default_rng(0).permutation(len(groups))
    fold_of = dict(zip(groups[order], np.arange(len(groups)) % min(_FOLDS, len(groups)), strict=True))
    fold = np.array([fold_of[group] for group in data.group])
    learned = np.empty(len(fold))
    for one in np.unique(fold):
        train, test = fold != one, fold == one
        learned[test] = _probability(_fitted(data.features[train], data.is_spine[train]), data.features[test])
    rows, thresholds = [], {}
    for method, score in (("rule", np.nan_to_num(data.rule_score, nan=-np.inf)), ("scorer", learned)):
        kept = _apart(data, score)
        hits = found = 0
        grid = np.unique(np.quantile(score[kept & np.isfinite(score)], np.linspace(0, 0.99, 100)))
        for one in np.unique(fold):
            train = kept & (fold != one)
            best = _best(score[train], data.is_spine[train], int(data.is_spine[fold != one].sum()), grid)
            given = kept & (fold == one) & (score >= best)
            hits, found = hits + int(data.is_spine[given].sum()), found + int(given.sum())
        true = int(data.is_spine.sum()) + data.missed
        rows.append(
            {
                "method": method, "hits": hits, "found": found, "true": true,
                "precision": hits / max(found, 1), "recall": hits / max(true, 1),
                "f1": 2 * hits / (found + true),
            }
        )  # fmt: skip
        thresholds[method] = _best(score[kept], data.is_spine[kept], int(data.is_spine.sum()), grid)
    return pd.DataFrame(rows), float(thresholds["scorer"])


def _best(score: Floats, is_spine: NDArray[np.bool_], true: int, grid: Floats) -> float:
    """Threshold of the greatest F1."""
    order = np.argsort(-score)
    hits = np.concatenate([[0], np.cumsum(is_spine[order])])
    found = np.searchsorted(-score[order], -grid, side="right")
    return float(grid[np.argmax(2 * hits[found] / (found + true))])


def _apart(data: Examples, score: Floats) -> NDArray[np.bool_]:
    """Whether each is the best of those within 0.5 um of it, taken from the best downward."""
    from scipy.spatial import cKDTree

    kept = np.isfinite(score)
    for image in np.unique(data.image):
        own = np.flatnonzero((data.image == image) & kept)
        own = own[np.argsort(-score[own], kind="stable")]
        for a, b in sorted(cKDTree(data.place_um[own]).query_pairs(_SPINES_APART_UM)) if len(own) else ():
            if kept[own[a]]:
                kept[own[b]] = False
    return kept


def _fitted(features: Floats, is_spine: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Principal components of the patches, and boosted trees on these and the other features."""
    try:
        from sklearn.decomposition import PCA
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise DataError(
            "scikit-learn is not installed", todo="install labkit[learn], or use the rule"
        ) from error

    size = len(_PATCH_UM) ** 2
    n = min(_COMPONENTS, len(features))
    parts = PCA(n, svd_solver="randomized", random_state=0).fit(features[:, -size:])
    trees = HistGradientBoostingClassifier(
        max_iter=250, learning_rate=0.05, max_leaf_nodes=15, l2_regularization=1.0, random_state=0
    )
    # Some thousand rows are fitted faster by one thread than by several that wait for each other.
    with threadpool_limits(1):
        trees.fit(np.column_stack([features[:, :-size], parts.transform(features[:, -size:])]), is_spine)
    return parts, trees


def _probability(model: tuple[Any, Any], features: Floats) -> Floats:
    if len(features) == 0:
        return np.zeros(0)
    parts, trees = model
    size = len(_PATCH_UM) ** 2
    seen = np.column_stack([features[:, :-size], parts.transform(features[:, -size:])])
    return trees.predict_proba(seen)[:, 1]


def detect_learned(stack: Stack, dendrite: Dendrite, scorer: Scorer) -> pd.DataFrame:
    """Find spines as `detect` does, by a learned scorer; ``confidence`` is its probability."""
    around = surroundings(stack, dendrite)
    spots = _candidates(around)
    probability = scorer.probability(_features(around, spots))
    own = Examples(
        np.zeros((len(probability), 0)), spots.place_um, probability, np.zeros(len(probability), bool),
        np.full(len(probability), ""), np.full(len(probability), ""),
    )  # fmt: skip
    chosen = _apart(own, probability) & (probability >= scorer.threshold)
    table = measure(stack, dendrite, spots.place_um[chosen])
    flags = table.pop("flags")
    table = table.assign(confidence=probability[chosen].round(3), origin="auto", spine_class="", flags=flags)
    return table.sort_values("position_um", kind="stable", ignore_index=True)

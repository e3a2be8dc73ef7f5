"""The learned scorer: what it learns on simulated dendrites, that groups are kept apart, and its file."""

from __future__ import annotations

import numpy as np
import pytest

from labkit import spines
from labkit.demo.dendrite import simulate
from labkit.errors import DataError
from labkit.spines.scorer import Examples, Scorer, compare, detect_learned, examples, fit

pytest.importorskip("sklearn", reason="the extra 'learn' is not installed")

PLACE = ["z_um", "y_um", "x_um"]


def dendrite(seed):
    made = simulate(seed=seed, length_um=30.0, n_spines=18, axons=2, photons=30.0)
    stack = spines.Stack.from_array(made.voxels, voxel_um=made.voxel_um, modality="fluorescence")
    return made, stack, spines.trace(stack, made.waypoints)


@pytest.fixture(scope="module")
def data() -> Examples:
    parts = []
    for seed in range(5):
        made, stack, path = dendrite(seed)
        parts.append(
            examples(stack, path, made.spines[PLACE].to_numpy(), group=f"animal {seed}", image=str(seed))
        )
    return Examples.joined(parts)


@pytest.fixture(scope="module")
def scorer(data) -> Scorer:
    return fit(data)


def test_every_spine_has_a_candidate(data):
    assert data.is_spine.sum() + data.missed == 5 * 18
    assert data.missed <= 2
    assert (~data.is_spine).sum() > 200


def test_rule_and_scorer_on_animals_not_seen(data):
    """Easy images: both find nearly all; what is compared is counted alike."""
    table = compare(data).set_index("method")
    assert table.loc["rule", "f1"] > 0.85
    assert table.loc["scorer", "f1"] > 0.85
    assert (table["true"] == 90).all()
    for row in table.itertuples():
        assert row.f1 == pytest.approx(2 * row.hits / (row.found + row.true))
        assert row.hits <= min(row.found, row.true)


def test_labels_without_meaning_are_not_learned(data):
    """Shuffled labels: what is found by chance, and no leak from training to testing."""
    from dataclasses import replace

    shuffled = np.random.default_rng(0).permutation(data.is_spine)
    table = compare(replace(data, is_spine=shuffled)).set_index("method")
    assert table.loc["scorer", "f1"] < 0.4


def test_groups_are_not_split(data, monkeypatch):
    """The model for a fold is never fitted to rows of its own animals."""
    import sys

    module = sys.modules["labkit.spines.scorer"]
    seen = []
    fitted = module._fitted
    monkeypatch.setattr(module, "_fitted", lambda x, y: seen.append(len(y)) or fitted(x, y))
    compare(data)
    sizes = sorted(len(data.group) - (data.group == group).sum() for group in np.unique(data.group))
    assert sorted(seen) == sizes


def test_a_saved_scorer_gives_the_same(tmp_path, scorer, data):
    again = Scorer.load(scorer.save(tmp_path / "scorer.npz"))
    assert np.array_equal(again.probability(data.features), scorer.probability(data.features))
    assert again.threshold == scorer.threshold
    assert again.provenance == scorer.provenance
    assert scorer.provenance["groups"] == [f"animal {i}" for i in range(5)]
    (tmp_path / "other.npz").write_bytes(b"no")
    with pytest.raises(DataError, match="no saved scorer"):
        Scorer.load(tmp_path / "other.npz")


def test_detecting_with_it(scorer):
    """On a dendrite that it has not seen; the table is like that of the rule."""
    made, stack, path = dendrite(7)
    table = detect_learned(stack, path, scorer)
    assert list(table.columns) == list(spines.detect(stack, path).columns)
    near = np.linalg.norm(
        table[PLACE[1:]].to_numpy()[:, None] - made.spines[PLACE[1:]].to_numpy()[None], axis=-1
    )
    assert (near.min(axis=0) < 0.6).mean() > 0.8
    assert (near.min(axis=1) < 0.6).mean() > 0.8
    assert table["confidence"].between(scorer.threshold - 0.001, 1).all()


def test_gain_and_offset_do_not_matter(data):
    made, stack, path = dendrite(0)
    other = spines.Stack.from_array(made.voxels * 3.0 + 50, voxel_um=made.voxel_um, modality="fluorescence")
    told = made.spines[PLACE].to_numpy()
    one, two = (examples(s, path, told, group="a", image="a") for s in (stack, other))
    assert one.features.shape == two.features.shape
    assert np.allclose(one.features, two.features, atol=0.02)


def test_too_few_examples(data):
    from dataclasses import replace

    with pytest.raises(DataError, match=r"in 1 groups.*correct more dendrites"):
        fit(replace(data, group=np.full(len(data.group), "one")))
    few = replace(data, is_spine=np.zeros(len(data.group), bool))
    with pytest.raises(DataError, match="there are 0 spines"):
        compare(few)
    with pytest.raises(DataError, match="no examples"):
        Examples.joined([])

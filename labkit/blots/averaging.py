"""Averages on the way to one value per animal: over its lanes on a membrane, then over its membranes.

All tables here have one row per animal and membrane (or set of membranes): ``animal, membrane, value``
(natural logarithm), ``n_replicates``, ``variance`` (between single lanes of the animal, NaN for one), the
four volumes, ``loading_target, flags, refused, excluded``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from labkit.blots.membrane import LaneTable

__all__ = ["by_membrane", "over_membranes", "paired"]

_VOLUMES = ["target_volume", "loading_volume", "total_volume", "total_loading_volume"]
_TEXTS = ("membrane", "loading_target", "flags", "refused", "excluded")


def by_membrane(
    table: LaneTable,
    over: Sequence[str],
    under: Sequence[str],
    rows: np.ndarray,
    *,
    limit_percent: float,
    clipped_refused: bool = False,
) -> pd.DataFrame:
    """Mean log ratio of the lanes of each animal on each membrane.

    Parameters
    ----------
    table
        L lanes by T targets.
    over, under
        Targets above and below the line; several stand for their geometric mean, none below for 1.
    rows
        (L,) the lanes that count, of animals or of the reference.
    limit_percent
        A greater coefficient of variation between lanes is flagged.
    clipped_refused
        Whether saturation above the line is refused too, as it always is below.

    Returns
    -------
    DataFrame
        By membrane and animal. Lanes that a person excluded do not count, unless all of them are; then the
        row has their mean and the reasons in ``excluded``.
    """
    at = np.flatnonzero(rows)
    lanes = table.lanes.iloc[at].reset_index(drop=True)
    columns = [table.targets.index(name) for name in (*over, *under)]
    sign = np.array([1 / len(over)] * len(over) + [-1 / max(len(under), 1)] * len(under))
    volume, lod = table.volume[np.ix_(at, columns)], table.lod[np.ix_(at, columns)]
    clipped = table.saturated[np.ix_(at, columns)]
    above = np.arange(len(columns)) < len(over)
    with np.errstate(invalid="ignore"):
        weak = ~(volume > 0) | (volume < lod)
    barred = clipped & (~above | clipped_refused)
    logs = np.log(np.where(weak, np.nan, volume))
    single = np.where(barred.any(axis=1), np.nan, logs @ sign)
    reasons, notes = _texts(table, at, columns, weak, barred, clipped & ~barred)
    excluded = [_joined(row) if any(row) else "" for row in table.excluded[np.ix_(at, columns)]]

    # The reference is one sample whatever the sheet calls it.
    animal = lanes["animal"].where(lanes["role"] == "sample", "")
    groups = lanes.assign(animal=animal).groupby(["membrane", "animal"], sort=True)
    group = groups.ngroup().to_numpy()
    n_groups = int(group.max()) + 1 if len(group) else 0
    included = np.array([text == "" for text in excluded], bool)
    used = included | ~_any(group, included, n_groups)[group]
    # A target too weak in one lane refuses the animal; a control that fails costs its lane only.
    hopeless = _any(group, used & weak[:, above].any(axis=1), n_groups)
    good = used & np.isfinite(single)
    shown = np.where(_any(group, good, n_groups)[group] & ~hopeless[group], good, used)
    n, value, variance = _moments(group, np.where(good, single, 0), good & ~hopeless[group], n_groups)
    volumes = [_centre(group, volume[:, part], shown, n_groups) for part in (above, ~above)]

    out = groups[["membrane", "animal"]].first().reset_index(drop=True)
    out["value"], out["n_replicates"], out["variance"] = value, n, variance
    out["target_volume"], out["loading_volume"] = volumes
    out["total_volume"] = out["total_loading_volume"] = np.nan
    out["loading_target"] = " × ".join(under)
    flags: list[list[str]] = [[] for _ in range(n_groups)]
    refused: list[list[str]] = [[] for _ in range(n_groups)]
    left: list[list[str]] = [[] for _ in range(n_groups)]
    for i in np.flatnonzero([bool(a or b or c) for a, b, c in zip(reasons, notes, excluded, strict=True)]):
        g = group[i]
        if used[i]:
            flags[g] += notes[i]
            refused[g] += reasons[i]
            left[g] += [excluded[i]] if excluded[i] else []
        else:
            flags[g].append(f"lane {lanes['lane'][i]} excluded: {excluded[i]}")
    cv = 100 * np.sqrt(np.expm1(variance))
    for g in range(n_groups):
        if n[g] and refused[g]:
            flags[g].append(f"a lane is left out: {'; '.join(refused[g])}")
            refused[g] = []
        if cv[g] > limit_percent:
            what = f"{' × '.join(over)} on {out['membrane'][g]}"
            flags[g].append(f"CV of {what} between {n[g]} lanes is {cv[g]:.0f} % (limit {limit_percent:g} %)")
    out["flags"] = [_joined(texts) for texts in flags]
    out["refused"] = [_joined(texts) for texts in refused]
    out["excluded"] = [_joined(texts) for texts in left]
    return out


def over_membranes(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per animal: the mean over its membranes, with the set of them as its block.

    The mean over membranes 1 ... m bears the mean of their m effects. Animals averaged over the same set bear
    the same, so a block for each set takes it out whole, however the sets overlap; with the same animals on
    all of them there is one set and the average loses nothing. Membranes on which the animal has no ratio, or
    was excluded, do not count and do not name the set: counting them would leave a part of another membrane's
    effect in the animal. A set of a single animal tells nothing of groups.

    Parameters
    ----------
    rows
        One row per animal and membrane.

    Returns
    -------
    DataFrame
        The same columns; ``membrane`` lists the membranes averaged, as in ``"M1, M2"``.

    Examples
    --------
    >>> rows = pd.DataFrame({"animal": ["A1", "A1"], "membrane": ["M1", "M2"], "value": [0.1, 0.3],
    ...     "n_replicates": 1, "variance": np.nan, "target_volume": 1.0, "loading_volume": 1.0,
    ...     "total_volume": np.nan, "total_loading_volume": np.nan, "loading_target": "GAPDH", "flags": "",
    ...     "refused": "", "excluded": ""})
    >>> over_membranes(rows)[["animal", "membrane", "value", "n_replicates"]]
      animal membrane  value  n_replicates
    0     A1   M1, M2    0.2             2
    """
    if not rows["animal"].duplicated().any():
        return rows
    own = rows.sort_values(["animal", "membrane"], kind="stable", ignore_index=True)
    group, animals = pd.factorize(own["animal"])
    n_groups = len(animals)
    finite = own["value"].notna().to_numpy()
    good = finite & (own["excluded"] == "").to_numpy()
    some_good, some_finite = _any(group, good, n_groups), _any(group, finite, n_groups)
    used = np.where(some_good[group], good, np.where(some_finite[group], finite, True))
    lanes = own["n_replicates"].to_numpy()
    repeated = used & own["variance"].notna().to_numpy()

    def added(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.bincount(group[rows], values[rows], minlength=n_groups)

    df = added(lanes - 1, repeated)
    squares = added(own["variance"].to_numpy() * (lanes - 1), repeated)
    out = {
        "animal": animals,
        "value": _moments(group, own["value"].to_numpy(), used & finite, n_groups)[1],
        "n_replicates": added(lanes, used).astype(int),
        "variance": np.divide(squares, df, out=np.full(n_groups, np.nan), where=df > 0),
    }
    for name in _VOLUMES:
        out[name] = _centre(group, own[[name]].to_numpy(), used, n_groups)
    texts = {name: [[] for _ in animals] for name in _TEXTS}
    for g, u, row in zip(group, used, own.itertuples(), strict=True):
        if u:
            texts["membrane"][g].append(row.membrane)
            texts["loading_target"][g].append(row.loading_target)
            texts["flags"][g].append(row.flags)
        elif some_finite[g]:
            texts["flags"][g].append(f"{row.membrane} not used: {row.refused or row.excluded}")
        if not some_finite[g]:
            texts["refused"][g].append(row.refused)
        if not some_good[g]:
            texts["excluded"][g].append(row.excluded)
    texts["membrane"] = [", ".join(dict.fromkeys(names)) for names in texts["membrane"]]
    for name in _TEXTS[1:]:
        texts[name] = [_joined(said) for said in texts[name]]
    return pd.DataFrame(out | texts)[list(rows.columns)]


def paired(over: pd.DataFrame, under: pd.DataFrame, *, names: tuple[str, str]) -> pd.DataFrame:
    """Log ratio of two targets on different membranes, each already divided by its own control.

    Parameters
    ----------
    over, under
        One row per animal: of the phosphorylated target, and of its total.
    names
        Names of the two.

    Returns
    -------
    DataFrame
        One row per animal of either; ``membrane`` is ``"M1p+M1t"``. ``n_replicates`` are the lanes of the
        phosphorylated target; ``variance`` is the sum of both, where both are known.
    """
    both = over.merge(under, on="animal", how="outer", suffixes=("_over", "_under"), sort=True)
    both = both.astype({f"{c}_{s}": object for c in _TEXTS for s in ("over", "under")})
    text = {c: [both[f"{c}_{s}"].fillna("") for s in ("over", "under")] for c in _TEXTS}
    absent = [
        f"{' and '.join(n for n, lost in zip(names, (a, b), strict=True) if lost)} is on no other membrane "
        "of this animal"
        if a or b
        else ""
        for a, b in zip(both["membrane_over"].isna(), both["membrane_under"].isna(), strict=True)
    ]
    return pd.DataFrame(
        {
            "membrane": _pairwise(text["membrane"], "+"),
            "animal": both["animal"],
            "value": both["value_over"] - both["value_under"],
            "n_replicates": both["n_replicates_over"].fillna(0).astype(int),
            "variance": both["variance_over"] + both["variance_under"],
            "target_volume": both["target_volume_over"],
            "loading_volume": both["loading_volume_over"],
            "total_volume": both["target_volume_under"],
            "total_loading_volume": both["loading_volume_under"],
            "loading_target": _pairwise(text["loading_target"], " / "),
            "flags": _pairwise(text["flags"], "; "),
            "refused": _pairwise([*text["refused"], absent], "; "),
            "excluded": _pairwise(text["excluded"], "; "),
        }
    )


def _pairwise(columns: Sequence[Iterable[str]], by: str) -> list[str]:
    return [by.join(dict.fromkeys(filter(None, texts))) for texts in zip(*columns, strict=True)]


def _texts(
    table: LaneTable,
    at: np.ndarray,
    columns: Sequence[int],
    weak: np.ndarray,
    barred: np.ndarray,
    compressed: np.ndarray,
) -> tuple[list[list[str]], list[list[str]]]:
    """Per lane why it has no ratio, and what is doubtful about it."""
    reasons: list[list[str]] = [[] for _ in at]
    notes: list[list[str]] = [[] for _ in at]
    flags = table.flags[np.ix_(at, columns)]
    lane = table.lanes["lane"].to_numpy()
    for i, j in np.argwhere(weak | barred | compressed | (flags != "")):
        name, k, row, column = table.targets[columns[j]], lane[at[i]], at[i], columns[j]
        volume, lod = table.volume[row, column], table.lod[row, column]
        if weak[i, j]:
            reasons[i].append(_weakness(name, k, volume, lod))
        if barred[i, j]:
            reasons[i].append(f"{name} is saturated in lane {k}, which hides how much there is")
        if compressed[i, j]:
            notes[i].append(f"{name} is saturated in lane {k}: differences look smaller than they are")
        if flags[i, j]:
            notes[i].append(f"{name}, lane {k}: {flags[i, j]}")
    return reasons, notes


def _weakness(name: str, lane: int, volume: float, lod: float) -> str:
    if not np.isfinite(volume):
        return f"{name} was not measured in lane {lane}"
    if volume > 0:
        return f"{name} is below its limit of detection in lane {lane} (volume {volume:.3g}, limit {lod:.3g})"
    return f"{name} is not above its background in lane {lane} (volume {volume:.3g})"


def _any(group: np.ndarray, what: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(group[what], minlength=n) > 0


def _moments(
    group: np.ndarray, values: np.ndarray, used: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number, mean and variance of the values of each group; NaN where there are too few."""
    group, values = group[used], values[used]
    count = np.bincount(group, minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(group, values, minlength=n) / count
        squares = np.bincount(group, (values - mean[group]) ** 2, minlength=n)
        return count, np.where(count > 0, mean, np.nan), np.where(count > 1, squares / (count - 1), np.nan)


def _centre(group: np.ndarray, volume: np.ndarray, used: np.ndarray, n: int) -> np.ndarray:
    """Geometric mean of the volumes of each group; the plain mean where one is not above 0."""
    wide = volume.shape[1]
    group, used, flat = np.repeat(group, wide), np.repeat(used, wide), volume.ravel()
    used &= np.isfinite(flat)
    _, plain, _ = _moments(group, flat, used, n)
    positive = ~_any(group, used & ~(flat > 0), n)
    logs = np.log(np.where(flat > 0, flat, 1))
    return np.where(positive, np.exp(_moments(group, logs, used, n)[1]), plain)


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(filter(None, texts)))

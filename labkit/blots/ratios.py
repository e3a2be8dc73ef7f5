"""From the volumes of bands to one log ratio per animal, membrane and endpoint.

In lane l, with target T and controls C_1 ... C_c of the same lane, ``y_l = log T_l - mean_j log C_jl``
(natural logarithms). Lanes of one animal on one membrane are the same sample: the mean of their ``y``, the
geometric mean of their ratios, is one value of one animal. What a membrane does to all its lanes (transfer,
antibody, exposure) multiplies volumes, so it adds a constant to ``y``: the statistics take it out as a block,
and nothing is divided by a group's own lanes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from labkit.blots.averaging import by_membrane, over_membranes, paired
from labkit.blots.membrane import (
    LaneTable,
    Loading,
    absent,
    controls_of,
    lane_table,
    listed,
    unknown,
    unready,
)
from labkit.errors import DataError, Problem, StudyError

__all__ = ["loading_table", "ratios"]

_RATIOS = [
    "animal", "membrane", "endpoint", "log_ratio", "n_replicates", "replicate_cv_percent", "target_volume",
    "loading_volume", "loading_target", "total_volume", "total_loading_volume", "flags", "refused",
    "excluded",
]  # fmt: skip
_LOADING = [
    "animal", "membrane", "loading_target", "log_loading", "n_replicates", "replicate_cv_percent", "flags",
    "refused", "excluded",
]  # fmt: skip


def ratios(
    bands: pd.DataFrame,
    *,
    loading: Loading,
    targets: Sequence[str] = (),
    phospho: Sequence[tuple[str, str]] = (),
    replicate_limit_percent: float = 20,
    volume: str = "volume",
) -> pd.DataFrame:
    """Log ratio of each target to its loading control, one row per animal, membrane and endpoint.

    Parameters
    ----------
    bands
        The study-level table of bands, one row per blot and lane: ``membrane, target, lane, animal, volume``,
        and as far as they are there ``replicate, role, lod, saturated, flags, excluded``. Volumes in any
        unit.
    loading
        Name of the loading control (a single protein or total protein); several names, whose geometric mean
        counts; or a mapping from target to either.
    targets
        Endpoints; by default every target that is neither a control nor in `phospho`.
    phospho
        Pairs of a phosphorylated target and its total; the endpoint is called ``"p-CREB/CREB"``.
    replicate_limit_percent
        A greater coefficient of variation between the lanes of one animal is flagged.
    volume
        ``"volume"``, or ``"volume_arpls"`` for the same with the other background.

    Returns
    -------
    DataFrame
        ``animal, membrane, endpoint``; ``log_ratio``, natural logarithm, NaN where it was refused;
        ``n_replicates`` lanes averaged and ``replicate_cv_percent`` between them (``100 sqrt(exp(s²) - 1)``,
        s the standard deviation of their log ratios; NaN for a single lane); ``target_volume``,
        ``loading_volume``, ``total_volume``, ``total_loading_volume`` (geometric means of the lanes averaged;
        the plain mean where one is not above 0; NaN where there is none) and ``loading_target``; ``flags``,
        doubts in words; ``refused``, why there is no ratio; ``excluded``, the reason that a person gave, for
        an animal all of whose lanes are excluded. Sorted by endpoint, membrane, animal.

    Raises
    ------
    DataError
        If columns are missing, no lane holds a sample, or no endpoint is asked for.
    StudyError
        If targets, controls or bands are missing, or bands or animals are there twice: one sentence for each.

    Notes
    -----
    *Refused* is what has no honest logarithm: a target or a control that is not above 0 or below
    its limit of detection, and a control that is saturated, for clipping hides unequal loading. A saturated
    target is flagged: it makes differences smaller, never larger. Of an animal with several lanes one whose
    control fails is left out, with a flag; one whose target is too weak refuses them all, for a mean of the
    stronger lanes would be too high.

    A *phosphorylated target* on the membrane of its total is divided by the total in the same lane; the
    control cancels and is not used, and a saturated total is refused as a control is. On two membranes each
    has its own control, ``(log p - log C_p) - (log t - log C_t)``, and the block is called ``"M1p+M1t"``.

    A *reference* sample (role reference) that is on all membranes of a target is subtracted, on each
    membrane, as its scale; the membrane stays a block, for the reference has an error of its own. Where only
    some membranes have it, it is not used and a flag says so.

    *An animal on several membranes* makes one row, the mean over them, whose block is the set of its
    membranes: see `labkit.blots.averaging.over_membranes`.

    Examples
    --------
    Two animals on one membrane; twice the target in twice the load is the same ratio.

    >>> bands = pd.DataFrame({"membrane": "M1", "target": ["PSD-95", "PSD-95", "GAPDH", "GAPDH"],
    ...     "lane": [1, 2, 1, 2], "animal": ["A1", "A2", "A1", "A2"], "volume": [50.0, 100.0, 100.0, 200.0]})
    >>> ratios(bands, loading="GAPDH")[["animal", "membrane", "endpoint", "log_ratio"]].round(4)
      animal membrane endpoint  log_ratio
    0     A1       M1   PSD-95    -0.6931
    1     A2       M1   PSD-95    -0.6931
    """
    if not replicate_limit_percent > 0:
        raise DataError(f"replicate_limit_percent is {replicate_limit_percent:g}", expected="% above 0")
    lanes, problems = lane_table(bands, volume=volume)
    pairs = [(str(p), str(t)) for p, t in phospho]
    asked = [str(target) for target in targets] or _others(lanes, pairs, loading)
    members = list(chain(*pairs))
    problems += unknown(lanes, [*asked, *members])
    for target in asked:
        controls = controls_of(loading, target)
        problems += unknown(lanes, controls)
        problems += absent(lanes, target) if target in lanes.targets else []
        problems += unready(lanes, target, controls, lanes.having(target))
    for p, t in pairs:
        together, alone = _split(lanes, p, t)
        problems += chain(*(absent(lanes, name) for name in (p, t) if name in lanes.targets))
        problems += unready(lanes, p, (t,), together, whole=False)
        for name, rows in alone.items():
            problems += unready(lanes, name, controls_of(loading, name), rows)
    _tell(problems)
    made = {}
    for target in asked:
        controls, rows = controls_of(loading, target), lanes.having(target)
        made[target] = over_membranes(_divided(lanes, target, controls, rows, replicate_limit_percent))
    for p, t in pairs:
        made[f"{p}/{t}"] = _phospho(lanes, p, t, loading, replicate_limit_percent)
    if not made:
        raise DataError(
            "there is nothing to divide by the loading control",
            expected="targets, or pairs of a phosphorylated target and its total",
        )
    return _finished(lanes, made).rename(columns={"value": "log_ratio"})[_RATIOS]


def loading_table(
    bands: pd.DataFrame,
    *,
    loading: Loading,
    replicate_limit_percent: float = 20,
    volume: str = "volume",
) -> pd.DataFrame:
    """The loading controls alone, to test whether the treatment moves them.

    A ratio to a control that the treatment changes is no measure of the target. The control itself, compared
    between groups with the membrane as block, shows it; pipetting makes it scatter, which is no harm.

    Parameters
    ----------
    bands, loading, replicate_limit_percent, volume
        As `ratios` takes them. Each set of controls that `loading` names is asked for once.

    Returns
    -------
    DataFrame
        ``animal, membrane, loading_target``; ``log_loading``, natural logarithm of the volume, the mean over
        controls, lanes of the animal and its membranes; NaN where it was refused; ``n_replicates,
        replicate_cv_percent, flags, refused, excluded`` as in `ratios`.

    Raises
    ------
    DataError, StudyError
        As `ratios`.

    Examples
    --------
    >>> bands = pd.DataFrame({"membrane": "M1", "target": "GAPDH", "lane": [1, 2, 3], "replicate": [1, 2, 1],
    ...     "animal": ["A1", "A1", "A2"], "volume": [100.0, 121.0, 200.0]})
    >>> table = loading_table(bands, loading="GAPDH")
    >>> table[["animal", "log_loading", "n_replicates", "replicate_cv_percent"]].round(3)
      animal  log_loading  n_replicates  replicate_cv_percent
    0     A1        4.700             2                 13.54
    1     A2        5.298             1                   NaN
    """
    lanes, problems = lane_table(bands, volume=volume)
    named = list(loading) if isinstance(loading, Mapping) else [""]
    sets = list(dict.fromkeys(controls_of(loading, target) for target in named))
    if not any(sets):
        raise DataError("no loading control is named", expected="a target that lanes are divided by")
    problems += unknown(lanes, chain(*sets))
    for first, *rest in filter(None, sets):
        problems += unready(lanes, first, rest, lanes.having(first, *rest), whole=False)
    _tell(problems)
    made = {}
    for own in filter(None, sets):
        rows = lanes.having(*own) & (lanes.lanes["role"] == "sample").to_numpy()
        each = by_membrane(lanes, own, (), rows, limit_percent=replicate_limit_percent, clipped_refused=True)
        made[" × ".join(own)] = over_membranes(each)
    table = _finished(lanes, made).rename(columns={"value": "log_loading"})
    return table.assign(loading_target=table["endpoint"])[_LOADING]


def _tell(problems: Sequence[Problem]) -> None:
    if problems:
        raise StudyError({str(problem): problem for problem in problems}.values())


def _others(lanes: LaneTable, pairs: Sequence[tuple[str, str]], loading: Loading) -> list[str]:
    """Every target that has another use neither in a pair nor as a control."""
    used = set(chain(*pairs)).union(*(controls_of(loading, target) for target in lanes.targets))
    return [target for target in lanes.targets if target not in used]


def _split(lanes: LaneTable, p: str, t: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Lanes whose membrane has both of a pair, and the lanes of each on membranes that have it alone."""
    together = lanes.having(p, t)
    alone = {name: lanes.having(name) & ~together for name in (p, t)}
    # The total of another membrane is of use only where the phosphorylated target needs it.
    return together, alone if alone[p].any() else {}


def _divided(
    lanes: LaneTable,
    target: str,
    controls: tuple[str, ...],
    rows: np.ndarray,
    limit: float,
    *,
    clipped_refused: bool = False,
) -> pd.DataFrame:
    """One row per animal and membrane, less the reference sample where all membranes have it."""
    is_reference = (lanes.lanes["role"] == "reference").to_numpy()
    table, reference = (
        by_membrane(
            lanes, (target,), controls, rows & part, limit_percent=limit, clipped_refused=clipped_refused
        )
        for part in (~is_reference, is_reference)
    )
    if reference.empty:
        return table
    usable = reference[reference["value"].notna() & (reference["excluded"] == "")]
    scale = table["membrane"].map(usable.set_index("membrane")["value"])
    if scale.notna().all():
        return table.assign(value=table["value"] - scale)
    where = f"on membrane {listed(usable['membrane'])} only" if len(usable) else "on no membrane"
    said = f"the reference sample gives a ratio {where}, and was not used as scale"
    return table.assign(flags=[f"{flags}; {said}" if flags else said for flags in table["flags"]])


def _phospho(lanes: LaneTable, p: str, t: str, loading: Loading, limit: float) -> pd.DataFrame:
    """One row per animal: the phosphorylated target over its total."""
    together, alone = _split(lanes, p, t)
    direct = _divided(lanes, p, (t,), together, limit)
    total = direct["loading_volume"]
    direct = direct.assign(total_volume=total, loading_volume=np.nan, loading_target="")
    if not alone:
        return over_membranes(direct)
    # What the total divides has to be whole, as a control has to.
    over, under = (
        over_membranes(
            _divided(lanes, name, controls_of(loading, name), alone[name], limit, clipped_refused=name == t)
        )
        for name in (p, t)
    )
    # An animal whose pair is on one membrane needs no total from elsewhere.
    under = under[under["animal"].isin(over["animal"]) | ~under["animal"].isin(direct["animal"])]
    return over_membranes(pd.concat([direct, paired(over, under, names=(p, t))], ignore_index=True))


def _finished(lanes: LaneTable, made: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """All endpoints below each other, every animal in each of them."""
    samples = lanes.lanes[lanes.lanes["role"] == "sample"]
    homes = samples.groupby("animal")["membrane"].agg(listed)
    tables = []
    for endpoint, table in made.items():
        lost = homes[~homes.index.isin(table["animal"])]
        rows = pd.DataFrame(
            {
                "animal": lost.index,
                "membrane": lost.to_numpy(),
                "n_replicates": 0,
                "refused": [f"{endpoint} is on no membrane of this animal"] * len(lost),
            }
        )
        whole = pd.concat([table, rows], ignore_index=True) if len(lost) else table
        whole = whole.sort_values(["membrane", "animal"], kind="stable").assign(endpoint=endpoint)
        tables.append(_lone(whole))
    table = pd.concat(tables, ignore_index=True)
    text = ["loading_target", "flags", "refused", "excluded"]
    table[text] = table[text].fillna("")
    table["replicate_cv_percent"] = 100 * np.sqrt(np.expm1(table["variance"]))
    return table


def _lone(table: pd.DataFrame) -> pd.DataFrame:
    """Flag animals that share their membranes with nobody: their block takes up all that they could say."""
    counted = table["value"].notna() & (table["excluded"].fillna("") == "")
    sizes = table.loc[counted, "membrane"].value_counts()
    if len(sizes) < 2:
        return table
    lone = counted & (table["membrane"].map(sizes) == 1)
    said = "no other animal has a ratio on the same membranes, so with membrane as block it says nothing"
    flags = [
        f"{flags}; {said}" if own and flags else said if own else flags
        for flags, own in zip(table["flags"], lone, strict=True)
    ]
    return table.assign(flags=flags)

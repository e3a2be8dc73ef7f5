"""All blots of a study at once: read them, propose where each is measured, and measure them.

Each call does for every row of a study's blots what `read`, `find_lanes`, `find_band` and `measure` do for
one, and tells all mistakes together. Rows are named by the blind code; what a lane holds is joined last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd

from labkit.blots.bands import Band, find_band
from labkit.blots.doublets import doublet
from labkit.blots.image import BlotImage, read
from labkit.blots.lanes import Lanes, find_lanes
from labkit.blots.volumes import measure
from labkit.blots.weights import Ladder, find_markers, weights
from labkit.errors import DataError, LabkitError, together

__all__ = ["amiss", "count_flags", "measure_blots", "overview", "propose", "propose_one", "read_blots"]

_HOLDS = ["membrane", "lane", "animal", "replicate", "role", "ug"]
# A band whose weight is off by more is hardly the target: prestained markers run up to 10 % off.
_WEIGHT_OFF = 0.15
# A ladder whose markers miss each other by more is not the one of the settings, or was not found whole.
_LADDER_ERROR_PERCENT = 8.0
# The window of a doublet: so many times as high, and so far towards the band beside the target.
_DOUBLET_HEIGHT, _DOUBLET_SHIFT = 1.4, 0.4

Proposals = dict[str, tuple[Lanes, Band]]


class Region(Protocol):
    """Where a blot is measured, and what of it a person left out."""

    lanes: Lanes
    band: Band
    polarity: str
    excluded: str
    excluded_lanes: Mapping[int, str]


def read_blots(
    blots: pd.DataFrame, *, picked: Mapping[str, str | None] | None = None
) -> dict[str, BlotImage]:
    """Read the image of every blot of a study.

    Parameters
    ----------
    blots
        One row per blot with ``code, file, polarity``, as `Study.blots` has them.
    picked
        Polarities that a person picked, by code; they count before those of the sheet.

    Returns
    -------
    dict
        The `BlotImage` of each code, in the order of the codes. Blots that share a file share the image.

    Raises
    ------
    StudyError
        If files cannot be read: one sentence for each of them.
    """
    of_file: dict[Any, str] = {}
    for source in ({row.code: row.polarity for row in blots.itertuples()}, picked or {}):
        for row in blots.itertuples():
            if polarity := source.get(row.code):
                of_file[row.file] = polarity
    images = together(
        {file: partial(read, file, polarity=of_file.get(file)) for file in blots["file"].unique()}
    )
    return {row.code: images[row.file] for row in blots.sort_values("code").itertuples()}


def amiss(blots: pd.DataFrame, lanes: pd.DataFrame) -> list[LabkitError]:
    """What would stop the analysis of a study's blots, or make it doubtful: one sentence each.

    Every image is opened; those that cannot be read, and those that do not hold as many lanes as the sheet
    says, are told with their file.
    """
    problems: list[LabkitError] = []
    counts = lanes.groupby("membrane")["lane"].max()
    for file, rows in blots.groupby("file", sort=False):
        try:
            image = read(file, polarity=rows["polarity"].dropna().iloc[0] if rows["polarity"].any() else None)
            find_lanes(image, int(counts[rows["membrane"].iloc[0]]))
        except LabkitError as problem:
            problems.append(
                type(problem)(problem.found, expected=problem.expected, todo=problem.todo, where=file.name)
            )
    return problems


def overview(images: Mapping[str, BlotImage], blots: pd.DataFrame) -> pd.DataFrame:
    """What each image is: per code membrane, target, size, bits, polarity, clipped pixels and warnings."""
    names = {row.code: row for row in blots.itertuples()}
    rows = [
        {
            "code": code,
            "membrane": names[code].membrane,
            "target": names[code].target,
            "pixels": " × ".join(str(n) for n in reversed(image.signal.shape)),
            "bits": image.bit_depth,
            "bands": f"{image.polarity} ({'stated' if image.polarity_stated else 'proposed'})",
            "clipped": int(image.saturated.sum()),
            "warnings": "; ".join(text.rstrip(".") for text in image.warnings),
        }
        for code, image in images.items()
    ]
    return pd.DataFrame(rows).set_index("code")


def propose(
    images: Mapping[str, BlotImage],
    blots: pd.DataFrame,
    lanes: pd.DataFrame,
    *,
    ladder_kda: Sequence[float] = (),
    weights_kda: Mapping[str, float] | None = None,
    doublets: Mapping[str, str] | None = None,
) -> Proposals:
    """Lanes and the target's window of every blot, as the kit would place them.

    Parameters
    ----------
    images
        From `read_blots`.
    blots, lanes
        The study's tables; how many lanes a membrane has, and where its ladder runs, stands in `lanes`.
    ladder_kda, weights_kda
        Weights of the ladder's markers and of targets: where both are known and the ladder is seen in the
        image, the target is looked for at its weight, else the strongest band of most lanes is taken.
    doublets
        Which band of a pair each target is, *upper* or *lower*: its window then holds both.

    Raises
    ------
    StudyError
        If lanes or bands of some blots cannot be found: one sentence for each.
    """
    rows = {row.code: row for row in blots.itertuples()}
    found = together(
        {code: partial(_lanes_of, images[code], lanes, row.membrane) for code, row in rows.items()}
    )
    jobs = {
        code: partial(
            _band_of,
            images[code],
            found[code],
            kda=(weights_kda or {}).get(row.target),
            ladder_kda=ladder_kda,
            ladder_lane=_ladder_lane(lanes, row.membrane),
            pair=(doublets or {}).get(row.target),
        )
        for code, row in rows.items()
    }
    bands = together(jobs)
    return {code: (found[code], bands[code]) for code in images}


def propose_one(
    image: BlotImage, n_lanes: int, roi: Sequence[float], near_px: float | None = None
) -> tuple[Lanes, Band]:
    """Lanes and window anew for a number of lanes and a region, as the picker asks when they are changed."""
    lanes = find_lanes(image, n_lanes, roi=roi)
    inside = near_px is not None and lanes.top_px <= near_px < lanes.bottom_px
    return lanes, find_band(image, lanes, near_px=near_px if inside else None)


def measure_blots(
    images: Mapping[str, BlotImage],
    regions: Mapping[str, Region],
    blots: pd.DataFrame,
    lanes: pd.DataFrame,
    *,
    background: str = "linear",
    gap_limit_percent: float = 10,
    ladder_kda: Sequence[float] = (),
    weights_kda: Mapping[str, float] | None = None,
    doublets: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Measure the target's band in every lane of every blot.

    Parameters
    ----------
    images
        From `read_blots`.
    regions
        Lanes, window, polarity and exclusions of each code, as the picker gives them.
    blots, lanes
        The study's tables.
    background, gap_limit_percent
        See `measure`; volumes over the two backgrounds that differ by more are flagged.
    ladder_kda, weights_kda, doublets
        As for `propose`: a band that lies off its target's weight is flagged, and of a doublet the target's
        own band is given, split alike in all lanes.

    Returns
    -------
    DataFrame
        One row per blot and lane: ``code, membrane, target, lane, animal, replicate, role, ug``, the columns
        of `measure`, and ``excluded``, a person's reason or ''.

    Raises
    ------
    StudyError
        If blots cannot be measured, or have other lanes than the sheet: one sentence for each.
    """
    jobs = {}
    for row in blots.itertuples():
        holds = lanes[lanes["membrane"] == row.membrane]
        jobs[row.code] = partial(
            _measured,
            images[row.code],
            regions[row.code],
            row,
            holds,
            kda=(weights_kda or {}).get(row.target),
            ladder_kda=ladder_kda,
            ladder_lane=_ladder_lane(lanes, row.membrane),
            pair=(doublets or {}).get(row.target),
            options={"background": background, "gap_limit_percent": gap_limit_percent},
        )
    made = together(jobs)
    table = pd.concat([made[code] for code in images], ignore_index=True)
    first = ["code", "target", *_HOLDS]
    return table[[*first, *(name for name in table if name not in [*first, "band"])]]


def count_flags(bands: pd.DataFrame) -> pd.DataFrame:
    """Which flags the bands bear, and in how many lanes: one row per code, target and flag.

    Ladders and empty lanes are left out, and so are the numbers in a flag.
    """
    where = ["code", "target"]
    held = bands[~bands["role"].isin(["ladder", "empty"])]
    each = held[[*where, "flags"]].assign(flags=held["flags"].str.split("; ")).explode("flags")
    words = each["flags"].str.replace(r"[+-]?\d[\d.,e+]*", "…", regex=True)
    counted = each.assign(flags=words)[words != ""].groupby([*where, "flags"]).size().rename("lanes_flagged")
    return counted.reset_index().join(held.groupby("code").size().rename("lanes"), on="code")


def _measured(
    image: BlotImage,
    region: Region,
    row: Any,
    holds: pd.DataFrame,
    *,
    kda: float | None,
    ladder_kda: Sequence[float],
    ladder_lane: int | None,
    pair: str | None,
    options: dict[str, Any],
) -> pd.DataFrame:
    if len(region.lanes) != len(holds):
        raise DataError(
            f"the blot has {len(region.lanes)} lanes where the sheet of lanes lists {len(holds)}",
            expected="the same lanes in both",
            todo="mend the lanes in the picker, or the sheet",
        )
    if image.polarity != region.polarity:
        raise DataError(
            f"the image was read as {image.polarity}, but its bands were picked as {region.polarity}",
            todo="run the notebook again from the cell that reads the images",
        )
    ladder = _calibrated(image, region.lanes, ladder_kda, ladder_lane, smile=region.band)
    if pair:
        names = (row.target, "beside") if pair == "upper" else ("beside", row.target)
        table = doublet(image, region.lanes, region.band, names=names, **options)
        if table.attrs["method"] != "unresolved":
            table = table[table["band"] == row.target].reset_index(drop=True)
    else:
        table = measure(image, region.lanes, band=region.band, ladder=ladder, **options)
    if kda and ladder is not None:
        _flag_weight(table, kda)
    table = table.merge(holds[_HOLDS], on="lane", how="left", validate="one_to_one")
    reasons = [region.excluded or region.excluded_lanes.get(lane, "") for lane in table["lane"]]
    return table.assign(code=row.code, target=row.target, excluded=reasons)


def _flag_weight(table: pd.DataFrame, kda: float) -> None:
    """Flags the lanes of a blot whose band, by the middle of all lanes, lies off the target's weight."""
    found = float(np.nanmedian(table["weight_kda"])) if table["weight_kda"].notna().any() else np.nan
    if abs(found / kda - 1) > _WEIGHT_OFF:
        words = f"the band runs at {found:.3g} kDa where {kda:g} is expected"
        table["flags"] = [f"{flags}; {words}" if flags else words for flags in table["flags"]]


def _lanes_of(image: BlotImage, lanes: pd.DataFrame, membrane: str) -> Lanes:
    return find_lanes(image, int((lanes["membrane"] == membrane).sum()))


def _ladder_lane(lanes: pd.DataFrame, membrane: str) -> int | None:
    own = lanes.loc[(lanes["membrane"] == membrane) & (lanes["role"] == "ladder"), "lane"]
    return int(own.iloc[0]) if len(own) else None


def _band_of(
    image: BlotImage,
    lanes: Lanes,
    *,
    kda: float | None,
    ladder_kda: Sequence[float],
    ladder_lane: int | None,
    pair: str | None,
) -> Band:
    near = None
    ladder = _calibrated(image, lanes, ladder_kda, ladder_lane) if kda else None
    if ladder is not None:
        rows = np.arange(np.ceil(ladder.position_px[0]), ladder.position_px[-1])
        near = float(rows[np.argmin(np.abs(np.log(ladder.weight_at(rows)[0] / kda)))])
    band = find_band(image, lanes, near_px=near)
    if pair is None:
        return band
    towards = 1 if pair == "upper" else -1
    shift = towards * _DOUBLET_SHIFT * band.half_height_px
    return Band(band.centre_px + shift, _DOUBLET_HEIGHT * band.half_height_px)


def _calibrated(
    image: BlotImage,
    lanes: Lanes,
    ladder_kda: Sequence[float],
    lane: int | None,
    *,
    smile: Band | None = None,
) -> Ladder | None:
    """The ladder of an image, None where it has none or its markers are not seen, as is usual."""
    if lane is None or len(ladder_kda) < 2:
        return None
    try:
        markers = find_markers(image, lanes, lane=lane, n=len(ladder_kda))
        ladder = weights(ladder_kda, position_px=markers, smile=smile, lane=lane if smile else None)
    except DataError:
        return None
    return ladder if ladder.error_percent <= _LADDER_ERROR_PERCENT else None

"""Where along a dendrite spines stand.

The surroundings of the path are laid out straight. What is alike all along it is the shaft, whatever its
calibre and blur; a spine is a spot beside it that is brighter than the place would be without it.

Notation: S positions along the path, U offsets across it, W in depth; n spots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.errors import ImageError
from labkit.spines.dendrite import Dendrite
from labkit.spines.measure import measure
from labkit.spines.stack import Stack
from labkit.spines.straighten import Straightened, straighten

__all__ = ["Spots", "Surroundings", "detect", "find_spots", "spots_at", "surroundings"]

Floats = NDArray[np.float32]

# A spot is a difference of Gaussians: as wide as a small head, against its surroundings.
_SPOT_UM, _AROUND_UM = 0.15, 0.5
# Planes are averaged over this much in depth, and searched so far from the path's own depth.
_DEPTH_UM, _REACH_DEPTH_UM = 0.5, 1.5
# The shaft at an offset is a low percentile along so much of the path: spines fill less than half of it.
_SHAFT_PERCENTILE, _SHAFT_WINDOW_UM = 35, 8.0
# A spot lies so far outside of the edge of the shaft.
_OUTSIDE_UM, _REACH_UM = 0.1, 1.8
# Two spots are no closer than this, along and across.
_APART_UM = (0.5, 0.7)
# Irregularity of a shaft, as a part of its brightness; it adds to the noise as independent of it.
_TEXTURE = 0.02
# Spot over noise at sensitivity 1. Set on images apart from those that the accuracy is reported of.
_THRESHOLD = 5.0
# The part of its peak down to which a spot's voxels tell its centre.
_CENTRE_PART = 0.3
# Golgi: beside dendrites lie specks of stain. Of a spot's excess over the shaft's glow the way to the shaft
# keeps this part, down to so far from the shaft's edge.
_CONTACT = {"fluorescence": 0.0, "brightfield": 0.12}
_CLEAR_UM = 0.15
# What goes on outward with this part of its brightness, up to so far from the path, is a fibre that crosses.
_CROSSING, _CROSSING_UM = 0.5, 3.8
# Brightness of the ground, in its noise, that chance may reach among the places looked at.
_CHANCE = 6.0


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Maps (S, U) of what lies beside a dendrite.

    Attributes
    ----------
    straight
        The volume and its coordinates.
    brightness
        Greatest signal within the depth searched.
    depth_um
        Offset in depth at which it was found.
    shaft
        What `brightness` would be without spines.
    outside_um
        Distance from the edge of the shaft, negative inside.
    contrast
        (S,) brightness of the shaft over its surroundings.
    floor
        (S,) signal beside the dendrite.
    score
        Spot over noise; minus infinity beyond the edge of the image.
    last_um
        Depth of the last plane.
    """

    straight: Straightened
    brightness: Floats
    depth_um: Floats
    shaft: Floats
    outside_um: Floats
    contrast: Floats
    floor: Floats
    score: Floats
    last_um: float


@dataclass(frozen=True, eq=False)
class Spots:
    """Spots found beside a dendrite.

    Attributes
    ----------
    s, u
        (n,) indices of the peak on the grid of the straightened surroundings.
    position_um, across_um
        (n,) centre along the path and across it.
    place_um
        (n, 3) centre (z, y, x).
    score
        (n,) spot over noise.
    contact
        (n,) excess over the shaft's glow at the weakest place on the way to the shaft, over that of the spot.
    """

    s: NDArray[np.intp]
    u: NDArray[np.intp]
    position_um: NDArray[np.float64]
    across_um: NDArray[np.float64]
    place_um: NDArray[np.float64]
    score: NDArray[np.float64]
    contact: NDArray[np.float64]


def detect(
    stack: Stack, dendrite: Dendrite, *, sensitivity: float = 1.0, contact: float | None = None
) -> pd.DataFrame:
    """Find the spines of a traced dendrite and measure each.

    Parameters
    ----------
    stack, dendrite
        From `read` and `trace`.
    sensitivity
        Spines are spots of 5 times the noise over `sensitivity`: 2 finds fainter ones, 0.5 only clear ones.
        The noise is that of the image plus 2 % of the shaft's brightness.
    contact
        Part of its excess that a spot must keep on the way to the shaft. By default 0.12 in brightfield,
        where specks of stain lie beside dendrites and necks are opaque, and 0 in fluorescence, where thin
        necks may be dark.

    Returns
    -------
    DataFrame
        One row per spine in the order along the dendrite, with the columns of `measure` and
        ``confidence``, ``origin`` (auto) and ``spine_class`` (empty until `classify`). The confidence is
        ``score / (score + threshold at sensitivity 1)``: 0.5 at that threshold and near 1 for what nobody
        would dispute. Spines of the end zones are in the table; `density` leaves them out.

    Raises
    ------
    ImageError
        If `sensitivity` is not above 0, or the dendrite is shorter than 2 um.

    Notes
    -----
    Spines above and below the shaft are hidden by it, in projection and, given the length of the focus, in
    three dimensions. How many depends on the calibre: compare densities of dendrites of like calibre only.
    """
    if not (np.isfinite(sensitivity) and sensitivity > 0):
        raise ImageError(f"sensitivity is {sensitivity}", expected="a number above 0; 1 is usual")
    around = surroundings(stack, dendrite)
    needed = _CONTACT[stack.modality] if contact is None else contact
    spots = find_spots(around, threshold=_THRESHOLD / sensitivity, contact=needed)
    table = measure(stack, dendrite, spots.place_um)
    table["confidence"] = np.round(spots.score / (spots.score + _THRESHOLD), 3)
    table["origin"] = "auto"
    table["spine_class"] = ""
    flags = table.pop("flags")
    table["flags"] = flags
    return table.sort_values("position_um", kind="stable", ignore_index=True)


def surroundings(stack: Stack, dendrite: Dendrite) -> Surroundings:
    """Straighten a dendrite and tell apart shaft, noise and spots.

    Raises
    ------
    ImageError
        If the dendrite is shorter than 2 um.
    """
    from scipy.ndimage import gaussian_filter, gaussian_filter1d, percentile_filter

    if dendrite.length_um < 2.0:
        raise ImageError(
            f"the path is {dendrite.length_um:.1f} um long", expected="2 um or more", todo="pick a longer one"
        )
    straight = straighten(stack, dendrite.path_um)
    step, depths = straight.step_um, straight.depth_um
    volume = straight.volume
    if len(depths) > 1:
        volume = gaussian_filter1d(volume, _DEPTH_UM / (depths[1] - depths[0]), axis=1, mode="nearest")
        searched = np.abs(depths) <= _REACH_DEPTH_UM + 1e-9
        volume, depths = volume[:, searched], depths[searched]
    volume = gaussian_filter(volume, (_SPOT_UM / step, 0, _SPOT_UM / step), mode="nearest")
    best = volume.argmax(axis=1)
    bright = np.take_along_axis(volume, best[:, None], axis=1)[:, 0]
    shaft = percentile_filter(
        bright, _SHAFT_PERCENTILE, size=(min(round(_SHAFT_WINDOW_UM / step), len(bright)), 1), mode="nearest"
    )
    shaft = gaussian_filter1d(shaft, 1.0 / step, axis=0, mode="nearest")
    outside, contrast, floor = _edges(shaft, straight.across_um, step)
    excess = bright - shaft
    spot = excess - gaussian_filter(excess, _AROUND_UM / step, mode="nearest")
    # Noise of the same filter where no shaft is, along the dendrite as the background changes.
    beside = np.median(np.abs(spot[:, np.abs(straight.across_um) > 1.5]), axis=1)
    window = min(round(10.0 / step), len(beside))
    noise = 1.4826 * percentile_filter(beside, 50, size=window, mode="nearest")
    # A noise-free image has no noise beside the dendrite either; rounding is what is left.
    scale = np.sqrt(noise**2 + (_TEXTURE * contrast) ** 2) + 1e-6 * np.abs(bright).max()
    score = spot / np.maximum(scale, 1e-30)[:, None]
    return Surroundings(
        straight,
        bright,
        depths[best].astype(np.float32),
        shaft,
        outside,
        contrast,
        floor,
        np.where(_inside(stack, straight), score, -np.inf).astype(np.float32),
        float((stack.shape[0] - 1) * stack.scale_um[0]),
    )


def _inside(stack: Stack, straight: Straightened) -> NDArray[np.bool_]:
    """(S, U) whether a place lies on the image."""
    inside = np.ones((len(straight.position_um), len(straight.across_um)), bool)
    for axis in (1, 2):
        place = straight.path_um[:, axis, None] + straight.across_um[None] * straight.left[:, axis, None]
        inside &= (place >= 0) & (place <= (stack.shape[axis] - 1) * stack.voxel_um[axis])
    return inside


def _edges(shaft: Floats, across_um: NDArray[np.float64], step: float) -> tuple[Floats, Floats, Floats]:
    """Distance (S, U) from the edge of the shaft at half of its height; its height (S,) and floor (S,)."""
    from scipy.ndimage import gaussian_filter1d

    middle = len(across_um) // 2
    top = shaft[:, np.abs(across_um) < 0.35].max(axis=1)
    floor = np.percentile(shaft, 15, axis=1).astype(np.float32)
    beyond = shaft < ((top + floor) / 2)[:, None]
    outside = np.empty_like(shaft)
    for sign, side in ((1, slice(middle, None)), (-1, slice(middle, None, -1))):
        one = beyond[:, side]
        edge = np.where(one.any(axis=1), one.argmax(axis=1), one.shape[1] - 1) * step
        edge = gaussian_filter1d(edge, 0.5 / step, mode="nearest")
        outside[:, side] = (sign * across_um[side])[None] - edge[:, None]
    return outside, top - floor, floor


def find_spots(around: Surroundings, *, threshold: float, contact: float = 0.0) -> Spots:
    """Spots beside the shaft whose score is above the threshold and which touch the shaft as asked.

    Spots of a fibre that crosses the dendrite and goes on outward are left out.

    Parameters
    ----------
    around
        From `surroundings`.
    threshold
        Least score.
    contact
        Least part of a spot's excess that is kept on the way to the shaft; 0 asks for nothing.
    """
    from scipy.ndimage import maximum_filter

    straight = around.straight
    step = straight.step_um
    allowed = (around.outside_um > _OUTSIDE_UM) & (around.outside_um < _REACH_UM)
    score = np.where(allowed, around.score, -np.inf)
    size = tuple(2 * round(apart / step) + 1 for apart in _APART_UM)
    peaks = (maximum_filter(score, size=size, mode="constant", cval=-np.inf) == score) & (score > threshold)
    s, u = np.nonzero(peaks)
    chosen = (_touching(around, s, u) >= contact) & ~_crossing(around, s, u)
    return spots_at(around, s[chosen], u[chosen])


def spots_at(around: Surroundings, s: NDArray[np.intp], u: NDArray[np.intp]) -> Spots:
    """Centres, scores and contact of the spots with peaks at these points of the grid."""
    straight = around.straight
    step = straight.step_um
    along, across = _centres(around, s, u)
    nearest = np.clip(np.round(along / step).astype(int), 0, len(straight.position_um) - 1)
    place = straight.to_um(nearest, across, around.depth_um[s, u])
    # The voxels of the first and last plane are continued beyond them.
    place[:, 0] = np.clip(place[:, 0], 0, around.last_um)
    return Spots(s, u, along, across, place, around.score[s, u].astype(float), _touching(around, s, u))


def _touching(around: Surroundings, s: NDArray[np.intp], u: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n,) excess over the shaft's glow at the weakest place on the way to the shaft, over that of the spot.

    The way may lean: at each offset the brightest within 0.3 um along the dendrite counts. It ends where the
    glow of the shaft itself drowns what touches it.
    """
    from scipy.ndimage import maximum_filter1d

    if len(s) == 0:
        return np.zeros(0)
    step = around.straight.step_um
    excess = np.maximum(around.brightness - around.shaft, 0)
    ways = maximum_filter1d(excess, 2 * round(0.3 / step) + 1, axis=0, mode="nearest")[s]
    offsets = np.arange(excess.shape[1])[None]
    middle = excess.shape[1] // 2
    inner = np.minimum(u, 2 * middle - u)[:, None]
    folded = np.minimum(offsets, 2 * middle - offsets)
    same_side = (offsets >= middle) == (u[:, None] >= middle)
    clear = around.outside_um[s] >= np.minimum(_CLEAR_UM, around.outside_um[s, u])[:, None]
    weakest = np.where(same_side & (folded >= inner) & clear, ways, np.inf).min(axis=1)
    return np.clip(weakest / np.maximum(excess[s, u], 1e-12), 0, 1)


def _crossing(around: Surroundings, s: NDArray[np.intp], u: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(n,) whether brightness goes on outward from a spot without a gap, within 45 degrees to either side."""
    straight = around.straight
    step, across = straight.step_um, straight.across_um
    over = around.brightness - around.floor[:, None]
    beside = over[:, np.abs(across) > 1.5]
    noise = 1.4826 * float(np.median(np.abs(beside - np.median(beside))))
    last = int(np.searchsorted(across, _CROSSING_UM))
    out = np.zeros(len(s), bool)
    for i, (row, column) in enumerate(zip(s, u, strict=True)):
        # Mirrored, so that outward is always towards greater offsets.
        side = over if across[column] > 0 else over[:, ::-1]
        start = column if across[column] > 0 else over.shape[1] - 1 - column
        needed = max(_CROSSING * side[row, start], _CHANCE * noise)
        offsets = np.arange(start + round(0.4 / step), last + 1)
        reach = offsets - start
        out[i] = len(offsets) > 0 and all(
            side[max(row - k, 0) : row + k + 1, offset].max() > needed
            for k, offset in zip(reach, offsets, strict=True)
        )
    return out


def _centres(
    around: Surroundings, s: NDArray[np.intp], u: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre of mass of each spot down to a part of its peak, as position along and across in um."""
    from skimage.segmentation import watershed

    straight = around.straight
    n = len(s)
    if n == 0:
        return np.zeros(0), np.zeros(0)
    seeds = np.zeros(around.score.shape, np.int32)
    seeds[s, u] = np.arange(1, n + 1)
    labels = watershed(-around.score, seeds, mask=(around.score > 0) & (around.outside_um > 0))
    rows, columns = np.nonzero(labels)
    owner = labels[rows, columns]
    weight = around.score[rows, columns].astype(float)
    used = weight > _CENTRE_PART * np.concatenate([[0], around.score[s, u]])[owner]
    rows, columns, owner, weight = rows[used], columns[used], owner[used], weight[used]
    mass = np.bincount(owner, weight, n + 1)[1:]
    # A spot on the shaft itself, or fainter than its surroundings, has no such voxels: its peak has to do.
    alone = mass == 0
    mass[alone] = 1.0
    along = np.bincount(owner, weight * straight.position_um[rows], n + 1)[1:] / mass
    across = np.bincount(owner, weight * straight.across_um[columns], n + 1)[1:] / mass
    along[alone], across[alone] = straight.position_um[s[alone]], straight.across_um[u[alone]]
    return along, across

"""An even comb laid over the bands of a gel: where its lanes are, how many, and how they lean.

The image is shrunk, what is thin in the running direction and rises above both sides of itself is kept and
compressed, and a comb of equal teeth is laid over the sum along the lanes. The comb places a lane that holds
nothing as well, which no search for peaks can do. The teeth are then let go, each to its own bands, held by
their neighbours.

Notation: an energy image has h rows and w columns of shrunken pixels, a profile w columns, a comb n teeth.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = [
    "band_energy",
    "column_profile",
    "even_combs",
    "heights",
    "lane_lean",
    "propose_count",
    "settle",
    "shrink",
    "teeth_of",
]

# Rows of a slab when the lean is sought.
_SLAB = 8
# Most lanes that are proposed without being told; combs of gels have up to 26 wells.
_MOST = 30
# More lanes than so many fill more than a quarter of an image.
_USUAL_MOST = 12


def shrink(values: np.ndarray, factor: int) -> np.ndarray:
    """Means of blocks; what is left over at the lower and right edge is dropped."""
    height, width = (size // factor for size in values.shape)
    values = values[: height * factor, : width * factor]
    if factor == 1:
        return values
    # Rows first: adding whole rows runs along memory.
    rows = values.reshape(height, factor, width * factor).sum(axis=1)
    return rows.reshape(height, width, factor).sum(axis=2) / factor**2


def _box_mean(values: np.ndarray, half: int) -> np.ndarray:
    """Running mean over 2 half + 1 rows; edges repeat."""
    padded = np.pad(values, ((half + 1, half), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0)
    return (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)


def band_energy(small: np.ndarray) -> np.ndarray:
    """What rises above both of its sides in the running direction, at three thicknesses, compressed.

    Against the higher side: the edge of a membrane and a shaded background give nothing.
    """
    from scipy import ndimage

    height, width = small.shape
    smooth = ndimage.gaussian_filter1d(small, 0.004 * width, axis=1)
    best = np.zeros_like(small)
    for part in (0.005, 0.01, 0.02):
        half = max(1, round(part * height))
        mean = _box_mean(smooth, half)
        offset = 3 * half + 1
        padded = np.pad(mean, ((offset, offset), (0, 0)), mode="edge")
        above, below = padded[: -2 * offset], padded[2 * offset :]
        rise = mean - np.maximum(above, below)
        some = rise[::3, ::3]
        noise = 1.4826 * np.median(np.abs(some - np.median(some)))
        np.maximum(best, rise - 3 * noise, out=best)
    # Specks and strokes of text are narrower than any lane.
    narrow = max(2, round(0.012 * width))
    best = ndimage.grey_opening(best, size=(1, narrow))
    # One strong lane must not outweigh all others: above 2 % of the strongest, energy grows as a logarithm.
    strongest = best.max()
    # An even image holds only the rounding errors of its sums.
    if strongest <= 1e-9 * np.abs(small).max():
        return np.zeros_like(best)
    return np.log1p(best / (0.02 * strongest))


def _sheared(energy: np.ndarray, lean: float) -> np.ndarray:
    """Rows moved so that lanes that lean by `lean` columns a row stand upright; the middle row stays."""
    height, width = energy.shape
    if lean == 0:
        return energy
    shift = np.rint(lean * (np.arange(height) - (height - 1) / 2)).astype(int)
    columns = np.arange(width) + shift[:, None]
    inside = (columns >= 0) & (columns < width)
    return np.where(inside, np.take_along_axis(energy, np.clip(columns, 0, width - 1), axis=1), 0.0)


def _weights(energy: np.ndarray) -> np.ndarray:
    """Weight of each row: how much of the width holds bands there, smiles of 5 % of the height allowed."""
    from scipy import ndimage

    rows = energy.sum(axis=1)
    return ndimage.gaussian_filter1d(rows, 0.03 * len(rows), mode="constant")


def column_profile(energy: np.ndarray, lean: float) -> np.ndarray:
    """Energy along the lanes; rows in which many lanes have a band count most, so that a ladder does not."""
    weights = _weights(energy)
    # The root brings weak lanes nearer to strong ones, so that a comb is not laid over the strong ones alone.
    profile = np.sqrt(weights @ _sheared(energy, lean))
    greatest = profile.max()
    return profile / greatest if greatest > 0 else profile


def lane_lean(energy: np.ndarray, n: int, pitch: float, first: float) -> float:
    """Columns a row by which the lanes lean: the angle at which the comb catches most, 0 unless it shows.

    One row of bands says nothing of the lean; then no angle gains 5 % over upright. A best angle at the end
    of the range is no optimum.
    """
    angles = np.radians(np.arange(-6.0, 6.01, 0.5))
    weighted = np.sqrt(_weights(energy))[:, None] * energy
    # Slabs of rows are moved as one: at 6 degrees their ends are half a column off.
    slabs = np.add.reduceat(weighted, np.arange(0, len(energy), _SLAB), axis=0)
    starts = first + np.arange(-round(pitch / 2), round(pitch / 2) + 1)
    at = np.clip(np.rint(starts[:, None] + pitch * np.arange(n)), 0, energy.shape[1] - 1).astype(int)
    caught = [
        teeth_of(_sheared(slabs, _SLAB * np.tan(angle)).sum(axis=0), pitch)[at].sum(axis=1).max()
        for angle in angles
    ]
    best = int(np.argmax(caught))
    if best in (0, len(angles) - 1) or caught[best] < 1.05 * caught[len(angles) // 2]:
        return 0.0
    return float(np.tan(angles[best]))


def teeth_of(profile: np.ndarray, pitch: float) -> np.ndarray:
    """For a lane centred at each column: mean of its middle less the mean of the gaps on both sides."""
    width = len(profile)
    pad = int(np.ceil(pitch))
    sums = np.concatenate([[0.0], np.cumsum(np.pad(profile, pad))])
    at = np.arange(width) + pad + 0.5
    grid = np.arange(len(sums))

    def mean(low: float, high: float) -> np.ndarray:
        return (np.interp(at + high, grid, sums) - np.interp(at + low, grid, sums)) / (high - low)

    middle = mean(-0.3 * pitch, 0.3 * pitch)
    gaps = mean(-0.6 * pitch, -0.4 * pitch) + mean(0.4 * pitch, 0.6 * pitch)
    return middle - gaps / 2


def even_combs(
    profile: np.ndarray, counts: np.ndarray, least: float, *, told: bool
) -> dict[int, tuple[float, float]]:
    """Pitch and first centre of the best even comb for each number of teeth that fits.

    With a region drawn by a person (`told`) the comb fills it; otherwise it may be anywhere in it, but fills
    a quarter of it.
    """
    width, most = len(profile), int(counts.max())
    best: dict[int, tuple[float, float]] = {}
    score = dict.fromkeys(counts.tolist(), -np.inf)
    narrowest = max(least, (0.75 if told else 0.25) * width / min(most, _USUAL_MOST))
    pitches = [min(narrowest, width / most)]
    # From one pitch to the next the outer teeth of the longest comb move by half of this part of a pitch; to
    # propose a number the scores themselves must be right.
    step = 0.15 if len(counts) > 1 else 0.25
    widest = width / max(counts.min() - 0.3, 1.0)
    while pitches[-1] < widest:
        pitches.append(pitches[-1] * (1 + step / max(2, min(most, width / pitches[-1]))))
    for pitch in pitches:
        fit = counts[counts <= width / pitch + 0.3]
        if told:
            fit = fit[fit >= 0.75 * width / pitch]
        if not len(fit):
            continue
        teeth = np.pad(teeth_of(profile, pitch), (0, int(np.ceil(pitch))))
        starts = np.arange(round(0.3 * pitch), min(round(1.3 * pitch), width) if told else width)
        at = np.rint(starts[:, None] + pitch * np.arange(fit.max())).astype(int)
        sums = np.cumsum(teeth[np.minimum(at, len(teeth) - 1)], axis=1)
        for n in fit.tolist():
            inside = int(np.searchsorted(at[:, n - 1], width - 0.3 * pitch))
            if inside:
                first = int(np.argmax(sums[:inside, n - 1]))
                if sums[first, n - 1] > score[n]:
                    score[n], best[n] = sums[first, n - 1], (float(pitch), float(starts[first]))
    return best


def propose_count(profile: np.ndarray, least: float, *, told: bool) -> tuple[int, float]:
    """Number of lanes that stand out most, and its lead over the second as a share; 0 if nothing stands out.

    A lane counts by its height above the higher of the two valleys beside it, so that two lanes in one flat
    band count nothing; each costs 30 % of what the stronger half of them hold, so that lanes do not grow into
    empty membrane.
    """
    scores: dict[int, float] = {}
    counts = np.arange(1, min(_MOST, int(len(profile) / least)) + 1)
    for n, (pitch, first) in even_combs(profile, counts, least, told=told).items():
        height = heights(profile, settle(profile, n, pitch, first), pitch)
        scores[n] = float(height.sum() - 0.3 * n * np.sort(height)[n // 2 :].mean())
    ranked = sorted(scores, key=scores.__getitem__, reverse=True)
    if not ranked or scores[ranked[0]] <= 0:
        return 0, 0.0
    second = max((scores[n] for n in ranked[1:]), default=0.0)
    return ranked[0], 1 - max(second, 0.0) / scores[ranked[0]]


def heights(profile: np.ndarray, centres: np.ndarray, pitch: float) -> np.ndarray:
    """Of each lane, the profile at its centre less that in the higher of the valleys beside it."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter1d(profile, 0.1 * pitch, mode="constant")
    at = np.clip(np.rint(centres).astype(int), 0, len(smooth) - 1)
    ends = np.concatenate([[at[0] - round(0.6 * pitch)], at, [at[-1] + round(0.6 * pitch)]])
    valleys = np.array([smooth[max(a, 0) : max(b, 0) + 1].min(initial=np.inf) for a, b in pairwise(ends)])
    return smooth[at] - np.maximum(valleys[:-1], valleys[1:])


def settle(profile: np.ndarray, n: int, pitch: float, first: float) -> np.ndarray:
    """Centres let go from the comb, each to its own bands within 0.4 pitch, links resisting stretch."""
    teeth = teeth_of(profile, pitch)
    reach = max(1, round(0.4 * pitch))
    offsets = np.arange(-reach, reach + 1)
    even = first + pitch * np.arange(n)
    at = np.rint(even)[:, None] + offsets
    inside = (at >= 0) & (at < len(teeth))
    gain = np.where(inside, teeth[np.clip(at, 0, len(teeth) - 1).astype(int)], -np.inf)
    stiff = 8 * max(float(np.median(gain.max(axis=1))), 1e-12)
    total, back = gain[0], []
    for lane in range(1, n):
        stretch = (at[lane][:, None] - at[lane - 1][None, :]) / pitch - 1
        ways = total[None, :] - stiff * stretch**2
        back.append(np.argmax(ways, axis=1))
        total = gain[lane] + ways.max(axis=1)
    chosen = [int(np.argmax(total))]
    for step in reversed(back):
        chosen.append(int(step[chosen[-1]]))
    centres = at[np.arange(n), chosen[::-1]]
    # The top of a parabola through three samples gives the rest of a pixel.
    safe = np.clip(centres.astype(int), 1, len(teeth) - 2)
    left, here, right = teeth[safe - 1], teeth[safe], teeth[safe + 1]
    curve = left - 2 * here + right
    part = np.divide(0.5 * (left - right), curve, out=np.zeros(n), where=curve < 0)
    return centres + np.clip(part, -0.5, 0.5)

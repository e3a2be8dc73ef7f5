"""Volumes of bands: what is in the window, less the membrane under it, and what makes it doubtful.

A pixel at the edge of a window counts for the part that lies inside, so that a volume changes smoothly when a
window is moved. Pixels below the background keep their sign: clamped, they would add to every band. Each
window is measured from its own pixels and the strips beside it: no other lane, no contrast, no order enters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from labkit.blots.background import Strip, arpls_baseline, row_levels, strip_level
from labkit.blots.bands import Band
from labkit.blots.lanes import Lanes, lane_profiles
from labkit.errors import DataError

if TYPE_CHECKING:
    from labkit.blots.image import BlotImage
    from labkit.blots.weights import Ladder

__all__ = ["measure", "net_profile"]

BACKGROUNDS = ("linear", "arpls")
# Between window and strip, and height of a strip, as parts of the half height of the window.
_GAP, _STRIP = 0.2, 0.5
_LEAST_GAP_PX, _LEAST_STRIP_PX = 2.0, 4.0
# Variance of the mean of the middle half of normal noise, over that of the mean of all.
_MIDMEAN = 1.19
# Profile for arPLS, in half heights on either side of the band.
_AROUND = 8.0
# A strip stands in a neighbouring band when it lies so far above the lowest point on the way to it: in noise,
# and as a part of the band's height.
_VALLEY_NOISE, _VALLEY_PART = 4.0, 0.05
# Specks are narrower than so many pixels, so much of the band's height, and such a part of the volume.
_SPECK_PX, _SPECK_HEIGHT, _SPECK_PART = 3, 0.4, 0.02


def measure(
    image: BlotImage,
    lanes: Lanes,
    *,
    band: Band | Mapping[str, Band] | None = None,
    background: str = "linear",
    gap_limit_percent: float = 10,
    ladder: Ladder | None = None,
) -> pd.DataFrame:
    """Volumes of bands, one row per lane and band.

    Parameters
    ----------
    image
        From `read` or `as_image`.
    lanes
        From `find_lanes` or a pick.
    band
        The window of a target, or a mapping of names to windows; by default every band found in each lane,
        numbered from the top.
    background
        "linear": a line between strips above and below the window; "arpls": the baseline of the lane. Both
        volumes are given always; this one goes into ``volume``.
    gap_limit_percent
        Volumes over the two that differ by more are flagged.
    ladder
        From `weights`, for ``weight_kda``; NaN without it and beyond its markers.

    Returns
    -------
    DataFrame
        ``lane`` (from 1), ``band``, ``position_px`` (row of the window's middle), ``weight_kda``, ``raw``
        (sum over the window), ``background`` (under it), ``volume`` (raw less background, negative where the
        background is higher), ``volume_arpls``, ``lod`` (three standard deviations of what an empty window
        measures), ``saturated`` (part of the window's pixels that are clipped), ``n_at_max`` (their number),
        ``flags``. Sums are in grey values times pixels. Volumes are NaN, and flagged, when neither strip lies
        in the image.

    Raises
    ------
    DataError
        If a lane or window lies outside of the image, a window has another number of lanes than `lanes`, or
        `background` is unknown.

    Notes
    -----
    The limit of detection rests on 1.4826 MAD of the pixels of the strips, and counts the error of the
    background as well: its share in the variance is the area of the window over that of both strips.

    Examples
    --------
    Three bands of 2000 on a membrane that gets brighter downwards:

    >>> from labkit.blots import Band, Lanes, as_image
    >>> signal = 100.0 + np.arange(60)[:, None] + np.zeros((1, 90))
    >>> for left in (10, 40, 70):
    ...     signal[28:33, left : left + 10] += 40
    >>> pick = {"roi": [0, 60, 0, 90], "lanes": [[x, x, 8] for x in (14.5, 44.5, 74.5)]}
    >>> table = measure(
    ...     as_image(signal, polarity="bright"),
    ...     Lanes.from_pick(pick),
    ...     band=Band(np.array([30.0, 30.0, 30.0]), 6.0),
    ... )
    >>> table["volume"].round(6).tolist()
    [2000.0, 2000.0, 2000.0]
    """
    if background not in BACKGROUNDS:
        raise DataError(f"the background is {background!r}", expected=" or ".join(BACKGROUNDS))
    windows = _windows(image, lanes, band)
    rows = [_measure(image, lanes, *window, gap_limit_percent / 100) for window in windows]
    table = pd.DataFrame(rows, columns=[*_COLUMNS])
    _flag_meetings(table, windows)
    if background == "arpls":
        table["volume"] = table["volume_arpls"]
        table["background"] = table["raw"] - table["volume"]
    if ladder is not None:
        table["weight_kda"], beyond = ladder.weight_at(
            table["position_px"].to_numpy(), table["lane"].to_numpy()
        )
        for row in np.flatnonzero(beyond):
            _add_flag(table, row, "beyond the markers of the ladder: no weight")
    return table


_COLUMNS = (
    "lane",
    "band",
    "position_px",
    "weight_kda",
    "raw",
    "background",
    "volume",
    "volume_arpls",
    "lod",
    "saturated",
    "n_at_max",
    "flags",
)


def _windows(
    image: BlotImage, lanes: Lanes, band: Band | Mapping[str, Band] | None
) -> list[tuple[int, str, float, float]]:
    """Lane, name, row of the middle and half height of every window."""
    if band is None:
        return _every_band(np.asarray(image.signal), lanes)
    named = {"": band} if isinstance(band, Band) else dict(band)
    out = []
    for name, one in named.items():
        if len(one.centre_px) != len(lanes):
            raise DataError(
                f"the window{' of ' + name if name else ''} has {len(one.centre_px)} lanes",
                expected=f"{len(lanes)}, as many as were picked",
                todo="pick the band again on these lanes",
            )
        out += [(lane, name, float(y), float(one.half_height_px)) for lane, y in enumerate(one.centre_px)]
    return out


def _every_band(signal: np.ndarray, lanes: Lanes) -> list[tuple[int, str, float, float]]:
    """Every band that stands out of its lane; one half height for all, so that they can be compared."""
    from scipy import ndimage
    from scipy import signal as filters

    top, bottom = max(round(lanes.top_px), 0), min(round(lanes.bottom_px), signal.shape[0])
    profiles = np.nan_to_num(lane_profiles(signal, lanes))[:, top:bottom]
    sigma = max(1.0, 0.003 * (bottom - top))
    smooth = ndimage.gaussian_filter1d(profiles, sigma, axis=1)
    step = np.diff(profiles, axis=1)
    noise = 1.4826 * np.median(np.abs(step - np.median(step, axis=1, keepdims=True)), axis=1) / np.sqrt(2)
    strongest = float(np.ptp(smooth, axis=1).max())
    found, halves = [], []
    for lane in range(len(lanes)):
        least = max(5 * noise[lane] / np.sqrt(2 * np.sqrt(np.pi) * sigma), 0.02 * strongest)
        if not least > 0:
            continue
        peaks, _ = filters.find_peaks(smooth[lane], prominence=least)
        widths = filters.peak_widths(smooth[lane], peaks, rel_height=0.5)[0]
        halves += [1.3 * 2.08 * width / 2 for width in widths]
        found += [(lane, str(number), float(peak + top)) for number, peak in enumerate(peaks, start=1)]
    half = float(np.median(halves)) if halves else 1.0
    return [(lane, name, row, half) for lane, name, row in found]


@dataclass(frozen=True, eq=False)
class _Cut:
    """The part of the image around one window; R rows, C columns.

    `pixels` (R, C), `across` (R, C) the part of each pixel that lies inside the lane, `along` (R,) the part
    inside the window, `rows` (R,) of the image, `left` its first column, `signal_sum` (R,) over the lane.
    """

    rows: np.ndarray
    left: int
    pixels: np.ndarray
    across: np.ndarray
    along: np.ndarray
    signal_sum: np.ndarray
    centre: float
    half: float

    @cached_property
    def breadth(self) -> np.ndarray:
        return self.across.sum(axis=1)

    def levels(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows between two edges, their levels, and their pixels less that level."""
        picked = np.flatnonzero((self.rows + 0.5 > low) & (self.rows - 0.5 < high))
        if not len(picked):
            return self.rows[:0], np.zeros(0), np.zeros((0, 1))
        inside = self.across[picked] >= 0.5
        count = int(inside.sum(axis=1).min())
        if not count:
            return self.rows[:0], np.zeros(0), np.zeros((0, 1))
        start = np.argmax(inside, axis=1)[:, None] + np.arange(count)
        pixels = np.take_along_axis(self.pixels[picked], start, axis=1)
        levels = row_levels(pixels)
        return self.rows[picked], levels, pixels - levels[:, None]


def _cut(image: BlotImage, lanes: Lanes, lane: int, name: str, centre: float, half: float) -> _Cut:
    signal = np.asarray(image.signal)
    height, width = signal.shape
    around = max(_AROUND * half, half + 12)
    first, last = max(int(centre - around), 0), min(int(np.ceil(centre + around)) + 1, height)
    wide = float(lanes.half_width_px[lane])
    rows = np.arange(first, last)
    x = lanes.centre(rows)[lane]
    left = max(int(np.floor(x.min(initial=np.inf) - wide)), 0) if len(x) else 0
    right = min(int(np.ceil(x.max(initial=-np.inf) + wide)) + 1, width) if len(x) else 0
    if right <= left or not -0.5 < centre < height - 0.5:
        raise DataError(
            f"the window {name and name + ' '}at row {centre:g} of lane {lane + 1} is outside of the image",
            expected=f"a place within {height} rows and {width} columns",
            todo="pick the lanes or the band again",
        )
    pixels = signal[first:last, left:right]
    if lanes.x_top_px[lane] == lanes.x_bottom_px[lane]:  # upright: one row of parts serves all
        part = np.clip(wide + 0.5 - np.abs(np.arange(left, right) - x[0]), 0.0, 1.0)
        across, sums = np.broadcast_to(part, pixels.shape), pixels @ part
    else:
        across = np.clip(wide + 0.5 - np.abs(np.arange(left, right) - x[:, None]), 0.0, 1.0)
        sums = np.einsum("ij,ij->i", pixels, across)
    along = np.clip(half + 0.5 - np.abs(rows - centre), 0.0, 1.0)
    return _Cut(rows, left, pixels, across, along, sums, centre, half)


def _measure(
    image: BlotImage, lanes: Lanes, lane: int, name: str, centre: float, half: float, gap_limit: float
) -> dict[str, object]:
    """One window: its row of the table."""
    cut = _cut(image, lanes, lane, name, centre, half)
    breadth = cut.breadth
    area, raw = float(cut.along @ breadth), float(cut.along @ cut.signal_sum)
    flags = [lanes.flags[lane]] if lanes.flags[lane] else []
    if area < 0.98 * 4 * half * float(lanes.half_width_px[lane]):
        flags.append("cut by the border of the image")
    level, slope, n_strips, noise, told = _line(cut)
    flags += told
    under = (level + slope * (cut.rows - centre)) * breadth
    below = float(cut.along @ under)
    volume = raw - below
    lod = 3 * _at_least(noise, cut) * np.sqrt(area + _MIDMEAN * area**2 / n_strips) if n_strips else np.nan
    profile = cut.signal_sum / np.maximum(breadth, 1e-9)
    baseline = arpls_baseline(profile, half)
    by_arpls = float(cut.along @ ((profile - baseline) * breadth))
    box, inside = _inside(cut)
    clipped, coloured = (np.count_nonzero(mask[box] & inside) for mask in (image.saturated, image.coloured))
    peak = float(np.max((profile - level - slope * (cut.rows - centre))[cut.along > 0.5], initial=0.0))
    if clipped:
        flags.append(f"saturated: {clipped} px at the greatest value")
    if coloured:
        flags.append(f"{coloured} px are painted over")
    if volume <= lod:
        flags.append("below the limit of detection")
    elif abs(by_arpls - volume) > gap_limit * abs(volume):
        flags.append(f"volume over the arPLS background differs by {100 * (by_arpls / volume - 1):+.0f} %")
    flags += _specks(cut, peak, noise, max(volume, lod) if n_strips else 0.0)
    return {
        "lane": lane + 1,
        "band": name,
        "position_px": centre,
        "weight_kda": np.nan,
        "raw": raw,
        "background": below,
        "volume": volume,
        "volume_arpls": by_arpls,
        "lod": lod,
        "saturated": clipped / max(np.count_nonzero(inside), 1),
        "n_at_max": clipped,
        "flags": "; ".join(flags),
    }


def net_profile(
    image: BlotImage, lanes: Lanes, lane: int, band: Band
) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows of one window, the mean signal over the lane less the background there, and its noise.

    `lane` counts from 0.
    """
    cut = _cut(image, lanes, lane, "", float(band.centre_px[lane]), float(band.half_height_px))
    level, slope, _, noise, _ = _line(cut)
    inside = cut.along >= 0.5
    breadth = np.maximum(cut.breadth, 1e-9)
    net = cut.signal_sum / breadth - level - slope * (cut.rows - cut.centre)
    return cut.rows[inside], net[inside], noise / np.sqrt(float(breadth.max()))


def _inside(cut: _Cut) -> tuple[tuple[slice, slice], np.ndarray]:
    """The part of the image around the window, and which of its pixels lie inside by half or more."""
    rows = np.flatnonzero(cut.along >= 0.5)
    low, high = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
    first = int(cut.rows[0])
    columns = slice(cut.left, cut.left + cut.pixels.shape[1])
    return (slice(first + low, first + high), columns), cut.across[low:high] >= 0.5


def _line(cut: _Cut) -> tuple[float, float, float, float, list[str]]:
    """Level at the window's middle, slope per row, pixels it rests on (as one sample), noise, and flags."""
    gap, tall = max(_GAP * cut.half, _LEAST_GAP_PX), max(_STRIP * cut.half, _LEAST_STRIP_PX)
    ends = {}
    for side, name in ((-1, "above"), (1, "below")):
        near, far = cut.centre + side * cut.half, cut.centre + side * (cut.half + gap + tall)
        rows, levels, rest = cut.levels(min(near, far), max(near, far))
        inner, outer = cut.centre + side * (cut.half + gap), far
        width = rest.shape[1]
        strip = strip_level(rows, levels, min(inner, outer), max(inner, outer), width) if len(rows) else None
        ends[name] = (strip, rows, levels, rest)
    flags = [f"no room for the background {name}" for name, end in ends.items() if end[0] is None]
    strips = {name: end[0] for name, end in ends.items() if end[0] is not None}
    if not strips:
        return np.nan, 0.0, 0.0, np.nan, flags
    rest = np.concatenate([ends[name][3].ravel() for name in strips])
    noise = 1.4826 * float(np.median(np.abs(rest)))
    level, slope = _through(strips, cut.centre)
    # The worse side first: a strip in a neighbour tilts the line, which makes the other side look bad too.
    for _ in range(len(strips)):
        depths = {}
        for name in strips:
            _, rows, levels, pixels = ends[name]
            smooth = np.convolve(np.pad(levels, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
            off = smooth - level - slope * (rows - cut.centre)
            depths[name] = (-float(off.min()), int(np.argmin(off)), noise / np.sqrt(pixels.shape[1]))
        name = max(depths, key=lambda side: depths[side][0])
        depth, at, spread = depths[name]
        peak = float(np.max(cut.signal_sum / np.maximum(cut.breadth, 1e-9) * (cut.along > 0.5))) - level
        if depth <= max(_VALLEY_NOISE * spread, _VALLEY_PART * peak) or f"a band {name}" in " ".join(flags):
            break
        _, rows, levels, pixels = ends[name]
        valley = float(rows[at])
        strips[name] = strip_level(rows, levels, valley - 1.5, valley + 1.5, pixels.shape[1]) or strips[name]
        flags.append(f"a band {name} reaches into the background: taken from the valley")
        level, slope = _through(strips, cut.centre)
    return level, slope, _effective(strips, cut.centre), noise, flags


def _through(strips: dict[str, Strip], centre: float) -> tuple[float, float]:
    """Level at a row and slope of the line through the strips; flat through one alone."""
    ends = list(strips.values())
    if len(ends) == 1:
        return ends[0].level, 0.0
    slope = (ends[1].level - ends[0].level) / (ends[1].row_px - ends[0].row_px)
    return ends[0].level + slope * (centre - ends[0].row_px), slope


def _effective(strips: dict[str, Strip], centre: float) -> float:
    """Pixels that, averaged, would know the level at the window's middle as well as the line does."""
    ends = list(strips.values())
    if len(ends) == 1:
        return ends[0].n_pixels
    part = (centre - ends[0].row_px) / (ends[1].row_px - ends[0].row_px)
    return 1 / ((1 - part) ** 2 / ends[0].n_pixels + part**2 / ends[1].n_pixels)


def _at_least(noise: float, cut: _Cut) -> float:
    """Noise, but not less than the rounding to grey values: a clipped background has no noise of its own."""
    if noise > 0:
        return noise
    steps = np.diff(np.unique(cut.pixels))
    return float(steps.min()) / np.sqrt(12) if len(steps) else 0.0


def _specks(cut: _Cut, peak: float, noise: float, volume: float) -> list[str]:
    """Whether specks, scratches or dust, which are narrower than a band, carry part of the volume."""
    rows = np.flatnonzero(cut.along >= 0.5)
    low, high = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
    pixels, across = cut.pixels[low:high], cut.across[low:high]
    if pixels.shape[1] <= 2 * _SPECK_PX or not np.isfinite(noise):
        return []
    middle = pixels[:, _SPECK_PX:-_SPECK_PX]
    left, right = pixels[:, : -2 * _SPECK_PX], pixels[:, 2 * _SPECK_PX :]
    least = max(8 * noise, _SPECK_HEIGHT * peak)
    inside = across[:, _SPECK_PX:-_SPECK_PX] >= 0.5
    told = []
    for words, excess in (
        ("a bright speck or scratch", middle - np.maximum(left, right)),
        ("dust or a dark scratch", np.minimum(left, right) - middle),
    ):
        total = float(excess[(excess > least) & inside].sum())
        if total > _SPECK_PART * volume > 0:
            told.append(f"{words} lies in the window")
    return told


def _flag_meetings(table: pd.DataFrame, windows: list[tuple[int, str, float, float]]) -> None:
    """Flags windows of one lane that overlap, on both."""
    for a, (lane, name, centre, half) in enumerate(windows):
        for b in range(a + 1, len(windows)):
            other_lane, other, row, other_half = windows[b]
            if other_lane == lane and abs(row - centre) < half + other_half:
                _add_flag(table, a, f"the window overlaps that of {other}")
                _add_flag(table, b, f"the window overlaps that of {name}")


def _add_flag(table: pd.DataFrame, row: int, words: str) -> None:
    before = table.loc[row, "flags"]
    table.loc[row, "flags"] = f"{before}; {words}" if before else words

"""Two bands in one window: split in the valley, by two Gaussians, or not at all, in all lanes alike.

Of a pair of 2 to 1, a split in the valley loses a third of the weaker band when the two are 2.5 standard
deviations apart, and nothing at four; two Gaussians err by some per cent at 2.5. What cannot be told apart is
reported as one band. The choice holds for all lanes of a blot, whether strong or weak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from labkit.blots.bands import Band
from labkit.blots.lanes import Lanes
from labkit.blots.volumes import measure, net_profile
from labkit.errors import DataError

if TYPE_CHECKING:
    from labkit.blots.image import BlotImage

__all__ = ["doublet"]

METHODS = ("valley", "gaussian", "unresolved")
# A dip is clear when the valley is below this part of the lower peak, by so many times the noise.
_DIP, _DIP_NOISE = 0.6, 4.0
# Two Gaussians are believed when they leave at most this part of what one leaves, and lie so far apart.
_LEAVES, _APART = 0.35, 2.0
# So many of the lanes that hold enough must agree.
_AGREE = 0.7
_ENOUGH = 5.0


def doublet(
    image: BlotImage,
    lanes: Lanes,
    band: Band,
    *,
    method: str | None = None,
    names: tuple[str, str] = ("upper", "lower"),
    background: str = "linear",
    gap_limit_percent: float = 10,
) -> pd.DataFrame:
    """Volumes of the two bands of a doublet.

    Parameters
    ----------
    image, lanes, band
        As for `measure`; the window holds both bands.
    method
        "valley", "gaussian" or "unresolved"; by default the first of them that fits most lanes.
    names
        Of the upper and the lower band.
    background, gap_limit_percent
        As for `measure`.

    Returns
    -------
    DataFrame
        The columns of `measure`, two rows for each lane, or one, named by both names and flagged, when the
        two cannot be told apart. Shares of the window's volumes: the two rows of a lane add up to what
        `measure` gives. The method is in ``attrs["method"]``.

    Raises
    ------
    DataError
        If the method is unknown.

    Notes
    -----
    Gaussians share one width; width and distance are the medians over lanes with enough signal, so that in
    every lane only the heights and the place of the pair are free. One broad band with a flat top looks like
    two equal ones: ask only where the antibody is known to show two.

    Examples
    --------
    Gaussian bands of 1 to 2, three standard deviations apart:

    >>> from labkit.blots import Lanes, as_image
    >>> y, x = np.mgrid[:120, :60]
    >>> two = np.exp(-(((y - 51) / 6) ** 2) / 2) + 2 * np.exp(-(((y - 69) / 6) ** 2) / 2)
    >>> image = as_image(100 + 1000 * two * (abs(x - 30) < 15), polarity="bright")
    >>> lanes = Lanes.from_pick({"roi": [0, 120, 0, 60], "lanes": [[30, 30, 18]]})
    >>> table = doublet(image, lanes, Band(np.array([60.0]), 32.0))
    >>> table.attrs["method"], table["band"].tolist()
    ('gaussian', ['upper', 'lower'])
    >>> round(float(table["volume"].iloc[1] / table["volume"].iloc[0]), 2)
    2.0
    """
    if method is not None and method not in METHODS:
        raise DataError(f"the method is {method!r}", expected=" or ".join(METHODS))
    whole = measure(image, lanes, band=band, background=background, gap_limit_percent=gap_limit_percent)
    pieces = [net_profile(image, lanes, lane, band) for lane in range(len(lanes))]
    enough = (whole["volume"] > _ENOUGH * whole["lod"]).to_numpy()
    if not enough.any():
        enough = (whole["volume"] == whole["volume"].max()).to_numpy()
    shares = None
    if method in (None, "valley"):
        shares = _by_valley(pieces, band, enough, told=method is not None)
        chosen = "valley"
    if shares is None and method in (None, "gaussian"):
        shares = _by_gaussians(pieces, band, enough, told=method is not None)
        chosen = "gaussian"
    if shares is None:
        one = whole.assign(band="+".join(names))
        one["flags"] = [
            f"{flags}; unresolved doublet" if flags else "unresolved doublet" for flags in one["flags"]
        ]
        one.attrs["method"] = "unresolved"
        return one
    upper, rows = shares
    out = []
    for part, (name, share, row) in enumerate(zip(names, (upper, 1 - upper), rows.T, strict=True)):
        table = whole.assign(band=name, position_px=row, order=2 * np.arange(len(whole)) + part)
        for column in ("raw", "background", "volume", "volume_arpls"):
            table[column] = whole[column] * share
        out.append(table)
    table = pd.concat(out).sort_values("order").drop(columns="order").reset_index(drop=True)
    table.attrs["method"] = chosen
    return table


Pieces = list[tuple[np.ndarray, np.ndarray, float]]


def _by_valley(
    pieces: Pieces, band: Band, enough: np.ndarray, *, told: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Share of the upper band and rows of both, split at the lowest point between two peaks."""
    offsets, peaks = np.full(len(pieces), np.nan), np.full((len(pieces), 2), np.nan)
    for lane, (rows, net, noise) in enumerate(pieces):
        smooth = np.convolve(np.pad(net, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
        found = _two_peaks(smooth)
        if found is None:
            continue
        first, valley, last = found
        lower = min(smooth[first], smooth[last])
        if smooth[valley] < _DIP * lower and lower - smooth[valley] > _DIP_NOISE * noise:
            offsets[lane] = rows[valley] - band.centre_px[lane]
            peaks[lane] = rows[[first, last]] - band.centre_px[lane]
    clear = np.isfinite(offsets)
    if not clear.any() or (not told and (clear & enough).sum() < _AGREE * enough.sum()):
        return None
    offsets = np.where(clear, offsets, np.median(offsets[clear]))
    peaks = np.where(clear[:, None], peaks, np.median(peaks[clear], axis=0))
    share = np.full(len(pieces), np.nan)
    for lane, (rows, net, _) in enumerate(pieces):
        above = np.clip(band.centre_px[lane] + offsets[lane] + 0.5 - rows, 0.0, 1.0)
        share[lane] = np.sum(net * above) / np.sum(net)
    return share, band.centre_px[:, None] + peaks


def _two_peaks(smooth: np.ndarray) -> tuple[int, int, int] | None:
    """Upper peak, valley and lower peak of the two peaks that the deepest valley parts."""
    from scipy.signal import find_peaks

    peaks, found = find_peaks(smooth, prominence=1e-12)
    if len(peaks) < 2:
        return None
    first, last = np.sort(peaks[np.argsort(found["prominences"])[::-1][:2]])
    return int(first), int(first + np.argmin(smooth[first : last + 1])), int(last)


def _by_gaussians(
    pieces: Pieces, band: Band, enough: np.ndarray, *, told: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Share of the upper band and rows of both, by two Gaussians of one width."""
    fits = np.full((len(pieces), 3), np.nan)  # place of the pair, distance, width
    good = np.zeros(len(pieces), bool)
    for lane in np.flatnonzero(enough):
        rows, net, _ = pieces[lane]
        fit, left = _fit_pair(rows, net, band.centre_px[lane], band.half_height_px)
        fits[lane] = fit
        good[lane] = left < _LEAVES and fit[1] > _APART * fit[2]
    if good.sum() < _AGREE * enough.sum() and not (told and good.any()):
        return None
    _, apart, width = np.median(fits[good], axis=0)
    place = np.median(fits[good, 0] - band.centre_px[good])
    share, at = np.empty(len(pieces)), np.empty((len(pieces), 2))
    for lane, (rows, net, _) in enumerate(pieces):
        tried = band.centre_px[lane] + place
        if good[lane]:
            tried = tried + np.linspace(-width, width, 41)
        tried = np.atleast_1d(tried)
        heights, left = zip(*(_heights(rows, net, middle, apart, width) for middle in tried), strict=True)
        best = int(np.argmin(left))
        share[lane] = heights[best][0] / sum(heights[best]) if sum(heights[best]) > 0 else np.nan
        at[lane] = tried[best] - apart / 2, tried[best] + apart / 2
    return share, at


def _pair(rows: np.ndarray, middle: float, apart: float, width: float) -> np.ndarray:
    ends = np.array([middle - apart / 2, middle + apart / 2])
    return np.exp(-(((rows[:, None] - ends) / width) ** 2) / 2)


def _heights(
    rows: np.ndarray, net: np.ndarray, middle: float, apart: float, width: float
) -> tuple[np.ndarray, float]:
    """Heights of a pair, not below 0, and the root of the sum of squares that is left."""
    from scipy.optimize import nnls

    return nnls(_pair(rows, middle, apart, width), net)


def _fit_pair(rows: np.ndarray, net: np.ndarray, centre: float, half: float) -> tuple[np.ndarray, float]:
    """Place, distance and width of the best pair, and what it leaves as a part of what one leaves."""
    from scipy.optimize import minimize

    def left(values: np.ndarray) -> float:
        middle, apart, width = values
        # Outside of these the two change roles or become one.
        if apart < 0 or not 0.05 * half < width < half or abs(middle - centre) > half:
            return float(np.linalg.norm(net)) * 2
        return _heights(rows, net, middle, apart, width)[1]

    starts = [
        (centre + move * half, apart * half, 0.2 * half) for move in (-0.2, 0, 0.2) for apart in (0.5, 0.8)
    ]
    options = {"xatol": 1e-3 * half, "fatol": 1e-6 * float(np.linalg.norm(net)), "maxiter": 400}
    pairs = [minimize(left, start, method="Nelder-Mead", options=options) for start in starts]
    pair = min(pairs, key=lambda fit: fit.fun)
    one = minimize(
        lambda values: left(np.array([values[0], 0.0, values[1]])),
        (float(np.sum(rows * np.clip(net, 0, None)) / np.sum(np.clip(net, 0, None))), 0.4 * half),
        method="Nelder-Mead",
        options=options,
    )
    return pair.x, float(pair.fun / one.fun) if one.fun > 0 else 1.0

"""The image of a western blot made from stated truth: bands of known volume, a membrane, a camera.

Notation: an image has H rows and W columns, a membrane N lanes and B bands in each. Volumes, levels and noise
are in grey values of the camera; pixel (0, 0) has its centre at x = y = 0.

A band is a box with soft edges (a box convolved with a Gaussian) across its lane and another along it, so it
is smooth and slightly flat-topped, and is integrated over each pixel: its pixels sum to its volume exactly,
unless it leaves the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

__all__ = ["CLIPPED_AT", "STEP", "Layout", "background", "bands", "log_rows", "photograph"]

Floats = NDArray[np.float64]

#: A 12-bit camera whose values are stored four bits up: the plateau of a real ChemiDoc.
CLIPPED_AT, STEP = 4095 * 16, 16


@dataclass(frozen=True, eq=False)
class Layout:
    """Where lanes run and bands lie.

    Attributes
    ----------
    shape
        H, W.
    x_px
        (N,) centres of the lanes in the middle row.
    width_px
        Width of a band at half height.
    lean
        Columns that a lane moves to the right with each row downwards.
    skew
        Rows that a band lies lower with each column to the right.
    smile_px
        Rows by which a band lies lower in the middle of the image than at its sides.
    """

    shape: tuple[int, int]
    x_px: Floats
    width_px: float = 30.0
    lean: float = 0.0
    skew: float = 0.0
    smile_px: float = 0.0

    @property
    def n_lanes(self) -> int:
        return len(self.x_px)

    def lanes_x(self, y_px: ArrayLike) -> Floats:
        """Centres of the lanes at row `y_px`, (N,); at (M, 1) rows, (M, N)."""
        middle = (self.shape[0] - 1) / 2
        return np.asarray(self.x_px) + self.lean * (np.asarray(y_px, np.float64) - middle)

    def bent(self, row_px: float, x_px: ArrayLike) -> Floats:
        """Rows at which a band lies in columns `x_px`, if it lies at `row_px` in the middle of the image."""
        half = (self.shape[1] - 1) / 2
        off = np.asarray(x_px, np.float64) - half
        return row_px + self.skew * off - self.smile_px * (off / half) ** 2

    def bands_y(self, row_px: float) -> Floats:
        """Rows of a band's centre in each lane, (N,)."""
        return self.bent(row_px, self.lanes_x(row_px))


def bands(
    volumes: ArrayLike,
    *,
    rows_px: ArrayLike,
    layout: Layout,
    height_px: float = 8.0,
    softness_px: float = 2.6,
    tail: float = 0.0,
    bleed: float = 0.0,
) -> Floats:
    """The light of the bands alone, without noise.

    Parameters
    ----------
    volumes
        (B, N) sums over all pixels of each band; 0 where a lane has none. Also (N,) for one band.
    rows_px
        (B,) where each band lies in the middle of the image.
    layout
        Lanes and bend of the bands.
    height_px, softness_px
        Height of the box, which is that at half maximum if it is at least three times the softness; and the
        standard deviation of the Gaussian that softens its edges, also those across the lane. A box that is
        low beside its softness gives a Gaussian band, a high one a flat top.
    tail
        Part of the volume in a smear above the band, where protein trails.
    bleed
        Part of the volume that light scattered in the membrane spreads over the neighbouring lanes.

    Returns
    -------
    ndarray
        (H, W) float64. The volume of each band, tail and bleed included, is that which was stated.

    Examples
    --------
    >>> layout = Layout(shape=(80, 120), x_px=np.array([30.0, 90.0]))
    >>> light = bands([1000.0, 500.0], rows_px=[40.0], layout=layout)
    >>> round(float(light[:, :60].sum()), 4), round(float(light[:, 60:].sum()), 4)
    (1000.0, 500.0)
    """
    volumes, rows = np.atleast_2d(np.asarray(volumes, np.float64)), np.atleast_1d(rows_px)
    height, width = layout.shape
    x, y = np.arange(width), np.arange(height)[:, np.newaxis]
    light = np.zeros(layout.shape)
    wide = 0.4 * float(np.median(np.diff(layout.x_px))) if layout.n_lanes > 1 else layout.width_px
    for volume, row in zip(volumes, rows, strict=True):
        centres = layout.lanes_x(row)[:, np.newaxis]
        across = (1 - bleed) * _soft_box(x - centres, layout.width_px, softness_px)
        if bleed:
            across += bleed * _soft_box(x - centres, layout.width_px, wide)
        bent = layout.bent(row, x)
        # Further off there is less than 1e-15 of the band.
        far = 2 * height_px + 13 * softness_px
        near = slice(max(0, int(bent.min() - far)), max(0, int(bent.max() + far) + 2))
        off = y[near] - bent
        along = (1 - tail) * _soft_box(off, height_px, softness_px)
        if tail:
            along += tail * _soft_box(off + height_px, 1.5 * height_px, 1.5 * softness_px)
        light[near] += along * (volume @ across)
    return light


def _soft_box(off: Floats, width: float, softness: float) -> Floats:
    """A box of area 1 convolved with a Gaussian, integrated over pixels that are `off` its middle."""

    def integral(z: Floats) -> Floats:  # of the normal distribution function
        return z * ndtr(z) + np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    def below(edge: Floats) -> Floats:
        left, right = (edge + width / 2) / softness, (edge - width / 2) / softness
        return softness / width * (integral(left) - integral(right))

    return below(off + 0.5) - below(off - 0.5)


def background(
    layout: Layout,
    *,
    rng: np.random.Generator,
    level: float = 600.0,
    gradient: tuple[float, float] = (0.0, 0.0),
    blotch: float = 0.0,
    speckles: int = 0,
    speckle_level: float = 4000.0,
    streaks: ArrayLike = 0.0,
) -> Floats:
    """The light of a membrane without bands, and without noise.

    Parameters
    ----------
    layout
        Size, and lanes for the streaks.
    rng
        Places blotches and speckles.
    level
        Mean grey value.
    gradient
        By how much of the level the background rises from top to bottom and from left to right.
    blotch
        Standard deviation of uneven washing, as a part of the level, over some tenths of the image.
    speckles, speckle_level
        Number of dots of antibody, and the mean of their heights.
    streaks
        Grey values that a lane is brighter than the membrane beside it, one number or (N,).

    Returns
    -------
    ndarray
        (H, W) float64.
    """
    from scipy import ndimage

    height, width = layout.shape
    down = np.linspace(-0.5, 0.5, height)[:, np.newaxis]
    light = level * (1 + gradient[0] * down + gradient[1] * np.linspace(-0.5, 0.5, width))
    if blotch:
        coarse = ndimage.gaussian_filter(rng.standard_normal((24, 24)), 2.5, mode="reflect")
        zoom = (height / 24, width / 24)
        even = ndimage.zoom(coarse, zoom, order=3, mode="nearest", grid_mode=True)
        light += level * blotch * (even - even.mean()) / even.std()
    streaks = np.broadcast_to(np.asarray(streaks, np.float64), layout.n_lanes)
    if streaks.any():
        lines = layout.lanes_x(np.arange(height)[:, np.newaxis])
        for streak, line in zip(streaks, lines.T, strict=True):
            near = slice(
                max(0, int(line.min() - layout.width_px)), max(0, int(line.max() + layout.width_px) + 2)
            )
            off = np.arange(width)[near] - line[:, np.newaxis]
            light[:, near] += streak * layout.width_px * _soft_box(off, layout.width_px, 3.0)
    for _ in range(speckles):
        top, left = rng.integers(0, height), rng.integers(0, width)
        size, peak = rng.uniform(0.6, 1.6), speckle_level * rng.exponential()
        rows, columns = slice(max(0, top - 6), top + 7), slice(max(0, left - 6), left + 7)
        y, x = np.mgrid[rows, columns][:, : height - rows.start, : width - columns.start]
        light[rows, columns] += peak * np.exp(-((y - top) ** 2 + (x - left) ** 2) / (2 * size**2))
    return light


def photograph(
    light: Floats,
    *,
    rng: np.random.Generator,
    per_electron: float = 3.0,
    read_noise: float = 20.0,
    clipped_at: int = CLIPPED_AT,
    step: int = STEP,
    dark_bands: bool = False,
) -> NDArray[np.uint16]:
    """The file that a camera makes of the light: noise, clipping, digits.

    Parameters
    ----------
    light
        (H, W) grey values without noise.
    rng
        Of the noise.
    per_electron
        Grey values for each electron: the variance of the shot noise over the light.
    read_noise
        Its standard deviation, in grey values.
    clipped_at, step
        Greatest grey value, and the distance between grey values: 4095 x 16 and 16 as of a 12-bit camera.
    dark_bands
        Whether the instrument writes 65535 less the value.

    Returns
    -------
    ndarray
        (H, W) uint16.

    Examples
    --------
    >>> picture = photograph(np.full((4, 4), 1e6), rng=np.random.default_rng(0))
    >>> np.unique(picture).tolist() == [CLIPPED_AT]
    True
    """
    spread = np.sqrt(per_electron * np.clip(light, 0.0, None) + read_noise**2)
    noisy = light + spread * rng.standard_normal(light.shape)
    digits = np.clip(np.rint(noisy / step) * step, 0, clipped_at).astype(np.uint16)
    return np.uint16(65535) - digits if dark_bands else digits


def log_rows(kda: ArrayLike, *, first: tuple[float, float], last: tuple[float, float]) -> Floats:
    """Rows at which proteins of `kda` run, even in the logarithm of their weight.

    Parameters
    ----------
    kda
        Apparent molecular weights.
    first, last
        (kDa, row) of two weights.

    Examples
    --------
    >>> log_rows([100, 10**1.5, 10], first=(100, 0.0), last=(10, 200.0)).tolist()
    [0.0, 100.0, 200.0]
    """
    (kda_0, row_0), (kda_1, row_1) = first, last
    share = np.log(np.asarray(kda, np.float64) / kda_0) / np.log(kda_1 / kda_0)
    return row_0 + share * (row_1 - row_0)

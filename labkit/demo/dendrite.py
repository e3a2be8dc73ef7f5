"""Dendrites made from stated truth: a shaft, spines of known sizes, crossing axons, a microscope, its noise.

Notation: positions (z, y, x) in um, voxel (0, 0, 0) at 0 um. Label fills the shaft, heads and necks evenly,
so that a voxel holds as much of it as of their volume; the microscope blurs it by a Gaussian whose full
widths at half maximum are stated. Truth is stated, not measured: the length of a spine is from the surface of
the shaft to the tip, widths are diameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = [
    *("KINDS", "Simulated", "ball", "centre_line", "fill", "place_spines"),
    *("segment", "simulate", "spine_table", "tube"),
]

Floats = NDArray[np.float64]

# Least and greatest head diameter, neck diameter and neck length in um, each drawn evenly. A stubby spine
# is a ball that is sunk into the shaft by a part of its diameter: its neck length is negative.
KINDS = {
    "mushroom": ((0.60, 0.90), (0.15, 0.25), (0.5, 0.9)),
    "thin": ((0.35, 0.45), (0.10, 0.15), (0.7, 1.2)),
    "stubby": ((0.70, 0.90), (0.70, 0.90), (-0.25, -0.15)),
}
# Distance of the points by which volumes are filled, well below a voxel.
_GRAIN_UM = 0.03
# Label is spread over this much more than the picture, so that nothing fades at its border.
_MARGIN_UM = 3.0
# Optical density of a shaft in brightfield, and the part of the light that strays.
_OPAQUE, _STRAY = 3.0, 0.04
_SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))


@dataclass(frozen=True, eq=False)
class Simulated:
    """A stack and the truth behind it.

    Attributes
    ----------
    voxels
        (Z, Y, X) image, uint16, or uint8 in brightfield.
    voxel_um
        Size of a voxel along z, y and x.
    path_um
        (N, 3) centre line of the shaft.
    length_um
        Its length.
    spines
        One row per spine: ``position_um`` along the shaft, ``z_um, y_um, x_um`` of the middle of the head,
        ``spine_class``, ``length_um``, ``head_width_um``, ``neck_width_um``, ``neck_length_um``.
    """

    voxels: NDArray[np.uint16] | NDArray[np.uint8]
    voxel_um: tuple[float, float, float]
    path_um: Floats
    length_um: float
    spines: pd.DataFrame

    @property
    def waypoints(self) -> Floats:
        """(3, 3) voxel indices of start, middle and end, as a person would click them."""
        return self.path_um[[0, len(self.path_um) // 2, -1]] / np.array(self.voxel_um)


def centre_line(
    rng: np.random.Generator, *, length_um: float, tilt: float = 0.1, bend: float = 0.3, step_um: float = 0.02
) -> Floats:
    """(N, 3) a smooth curve of exactly the length given, mostly along x.

    Parameters
    ----------
    tilt
        Slope of its depth: 0.1 is 1 um deeper every 10 um.
    bend
        Amplitude in radians of its waves across, which are 25 to 50 um long.

    Examples
    --------
    >>> path = centre_line(np.random.default_rng(0), length_um=20.0)
    >>> round(float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()), 6)
    20.0
    """
    n = round(length_um / step_um)
    along = (np.arange(n) + 0.5) * step_um
    heading = sum(
        bend / 2 * np.sin(2 * np.pi * (along / wave + rng.random())) for wave in rng.uniform(25.0, 50.0, 2)
    )
    down = np.arctan(tilt) + 0.03 * np.sin(2 * np.pi * (along / 40.0 + rng.random()))
    steps = np.stack([np.sin(down), np.cos(down) * np.sin(heading), np.cos(down) * np.cos(heading)], axis=1)
    steps *= length_um / n
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])


def spine_table(
    rng: np.random.Generator,
    *,
    length_um: float,
    n_spines: int,
    apart_um: float = 1.6,
    kinds: tuple[str, ...] = tuple(KINDS),
    free_um: float = 2.5,
) -> pd.DataFrame:
    """Draw spines: where they stand, to which side they point, and their sizes.

    Neighbours on the same side stand `apart_um` or more apart, none stands within `free_um` of an end, and
    all point within 25 degrees of the plane of the image, where they can be seen.
    """
    rows: list[dict[str, object]] = []
    taken: dict[int, list[float]] = {1: [], -1: []}
    for i in range(n_spines):
        for _ in range(1000):
            position, side = rng.uniform(free_um, length_um - free_um), int(rng.choice((1, -1)))
            if all(abs(position - other) >= apart_um for other in taken[side]):
                break
        else:
            raise ValueError(f"{n_spines} spines do not fit on {length_um:g} um, {apart_um:g} um apart")
        taken[side].append(position)
        kind = kinds[i % len(kinds)]
        head, neck, gap = (float(rng.uniform(*bounds)) for bounds in KINDS[kind])
        rows.append(
            {
                "position_um": position,
                "side": side,
                "angle": float(rng.uniform(-25, 25)),
                "spine_class": kind,
                "length_um": gap + head,
                "head_width_um": head,
                "neck_width_um": min(neck, head),
                "neck_length_um": max(gap, 0.0),
                "gap_um": gap,
            }
        )
    return pd.DataFrame(rows).sort_values("position_um", ignore_index=True)


def simulate(
    *,
    seed: int = 0,
    length_um: float = 40.0,
    n_spines: int = 30,
    shaft_um: float = 0.6,
    tilt: float = 0.1,
    bend: float = 0.3,
    voxel_um: tuple[float, float, float] = (0.5, 0.1, 0.1),
    fwhm_um: tuple[float, float] = (1.5, 0.35),
    photons: float = 60.0,
    axons: int = 0,
    modality: str = "fluorescence",
    specks: int = 0,
    kinds: tuple[str, ...] = tuple(KINDS),
    apart_um: float = 1.6,
) -> Simulated:
    """A stack of one dendrite with spines of stated sizes.

    Parameters
    ----------
    seed
        Of everything that is drawn.
    length_um, n_spines, shaft_um
        Length of the dendrite, its spines, diameter of its shaft.
    tilt, bend
        As in `centre_line`.
    voxel_um
        (z, y, x).
    fwhm_um
        Full width at half maximum of the focus, in depth and in the plane.
    photons
        Mean count at the brightest of the shaft; the background has a twentieth. Noise is that of counts.
    axons
        Number of thin axons that cross in the picture, 1 to 2 um above or below the dendrite.
    modality
        ``brightfield`` gives a Golgi-like image: dark on bright, with `specks` of stain beside the dendrite.
    kinds
        Of `KINDS`, in turn.
    apart_um
        Least distance of neighbours on one side.

    Returns
    -------
    Simulated

    Examples
    --------
    >>> made = simulate(length_um=15.0, n_spines=4)
    >>> len(made.spines), made.voxels.dtype
    (4, dtype('uint16'))
    """
    rng = np.random.default_rng(seed)
    path = centre_line(rng, length_um=length_um, tilt=tilt, bend=bend)
    spines = spine_table(rng, length_um=length_um, n_spines=n_spines, kinds=kinds, apart_um=apart_um)
    pad = np.array([2.5, 4.5, 2.0])
    path = path - path.min(axis=0) + pad
    shape = np.ceil((path.max(axis=0) + pad) / voxel_um).astype(int)
    solids = [tube(path, shaft_um / 2)]
    heads, feet = place_spines(path, spines, shaft_um)
    for i, spine in enumerate(spines.itertuples()):
        solids.append(ball(heads[i], spine.head_width_um / 2))
        if spine.gap_um > 0:
            solids.append(tube(segment(feet[i], heads[i]), spine.neck_width_um / 2))
    shaft_only = fill(solids[:1], shape, voxel_um, fwhm_um)
    extent = np.array(shape) * voxel_um
    for _ in range(axons):
        solids.append(tube(_axon(rng, path, extent), 0.2))
    for _ in range(specks):
        solids.append(ball(_beside(rng, path, extent), float(rng.uniform(0.15, 0.3))))
    label = fill(solids, shape, voxel_um, fwhm_um) / shaft_only.max()
    if modality == "brightfield":
        # The stain is opaque: a shaft lets a thousandth of the light through, and what is seen of it is light
        # that strays. A thin neck is nearly as black.
        light = 4000.0 * (10 ** (-_OPAQUE * label) + _STRAY)
        voxels = np.clip(np.round(rng.poisson(light) / 20.0), 0, 255).astype(np.uint8)
    else:
        voxels = rng.poisson(photons * (label + 0.05)).astype(np.uint16)
    spines[["z_um", "y_um", "x_um"]] = heads
    return Simulated(voxels, voxel_um, path, length_um, spines.drop(columns=["gap_um", "angle", "side"]))


def place_spines(path: Floats, spines: pd.DataFrame, shaft_um: float) -> tuple[Floats, Floats]:
    """Middles of the heads and feet of the spines, (n, 3) each.

    Positions count from the start of the path, whose points are evenly apart. Needed of each spine:
    position_um, side (1 or -1), angle out of the plane in degrees, gap_um and head_width_um.
    """
    n = len(path) - 1
    index = np.clip(np.round(spines["position_um"] / np.linalg.norm(path[1] - path[0])).astype(int), 1, n - 1)
    tangent = path[index + 1] - path[index - 1]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    left = np.stack([np.zeros(len(index)), -tangent[:, 2], tangent[:, 1]], axis=1)
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    below = np.cross(tangent, left)
    angle = np.radians(spines["angle"].to_numpy())[:, None]
    outward = spines["side"].to_numpy()[:, None] * np.cos(angle) * left + np.sin(angle) * below
    reach = shaft_um / 2 + spines["gap_um"].to_numpy() + spines["head_width_um"].to_numpy() / 2
    return path[index] + reach[:, None] * outward, path[index]


def segment(start: Floats, end: Floats) -> Floats:
    """(n, 3) points of a straight line, close together."""
    n = max(int(np.ceil(np.linalg.norm(end - start) / 0.02)), 1)
    return start + np.linspace(0, 1, n + 1)[:, None] * (end - start)


def _axon(rng: np.random.Generator, path: Floats, extent: Floats) -> Floats:
    """A straight line through the whole picture that passes above or below a point of the dendrite."""
    middle = path[rng.integers(len(path) // 5, 4 * len(path) // 5)].copy()
    middle[0] += rng.choice((-1, 1)) * rng.uniform(1.0, 2.0)
    angle = rng.uniform(np.pi / 4, 3 * np.pi / 4)
    reach = float(np.hypot(extent[1], extent[2]))
    way = np.array([0.0, np.sin(angle), np.cos(angle)])
    line = segment(middle - reach * way, middle + reach * way)
    near = (line[:, 1:] > -_MARGIN_UM) & (line[:, 1:] < extent[1:] + _MARGIN_UM)
    return line[near.all(axis=1)]


def _beside(rng: np.random.Generator, path: Floats, extent: Floats) -> Floats:
    """A place 1.6 to 3.5 um beside the dendrite: close, and not in touch with it."""
    point = path[rng.integers(len(path) // 10, 9 * len(path) // 10)]
    place = point + np.array([0.0, rng.choice((-1, 1)) * rng.uniform(1.8, 3.5), 0.0])
    return np.clip(place, 0, extent)


def ball(centre: Floats, radius: float) -> Floats:
    """Points (z, y, x, volume) that fill a ball evenly."""
    n = max(int(np.ceil(radius / _GRAIN_UM)), 3)
    grid = np.linspace(-radius, radius, 2 * n + 1)
    z, y, x = np.meshgrid(grid, grid, grid, indexing="ij", sparse=True)
    inside = np.nonzero(z**2 + y**2 + x**2 <= radius**2)
    points = np.stack([grid[i] for i in inside], axis=1)
    return np.column_stack([centre + points, np.full(len(points), 4 / 3 * np.pi * radius**3 / len(points))])


def tube(line: Floats, radius: float) -> Floats:
    """Points (z, y, x, volume) that fill a round tube evenly, cross-section by cross-section of its line."""
    n = max(int(np.ceil(radius / _GRAIN_UM)), 3)
    grid = np.linspace(-radius, radius, 2 * n + 1)
    a, b = (v.ravel() for v in np.meshgrid(grid, grid))
    inside = a**2 + b**2 <= radius**2
    a, b = a[inside], b[inside]
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    other = np.where(np.abs(tangent[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(tangent, other)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    points = line[:, None] + a[None, :, None] * first[:, None] + b[None, :, None] * second[:, None]
    length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    volume = np.pi * radius**2 * length / (len(line) * len(a))
    return np.column_stack([points.reshape(-1, 3), np.full(points.shape[0] * len(a), volume)])


def fill(
    solids: list[Floats],
    shape: NDArray[np.int_],
    voxel_um: tuple[float, float, float],
    fwhm_um: tuple[float, float],
) -> Floats:
    """Volume of the solids per voxel, blurred by the focus."""
    from scipy.ndimage import gaussian_filter

    voxel = np.array(voxel_um)
    margin = np.ceil(_MARGIN_UM / voxel).astype(int)
    whole = np.array(shape) + 2 * margin
    total = np.zeros(int(np.prod(whole)))
    for solid in solids:
        index = np.round(solid[:, :3] / voxel).astype(int) + margin
        inside = ((index >= 0) & (index < whole)).all(axis=1)
        flat = np.ravel_multi_index(tuple(index[inside].T), tuple(whole))
        total += np.bincount(flat, solid[inside, 3], total.size)
    sigma = np.array([fwhm_um[0], fwhm_um[1], fwhm_um[1]]) * _SIGMA_PER_FWHM / voxel
    blurred = gaussian_filter(total.reshape(whole), sigma, mode="constant")
    return blurred[tuple(slice(m, m + n) for m, n in zip(margin, shape, strict=True))]

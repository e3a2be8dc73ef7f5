"""Pictures of planned dendrites as a microscope takes them, and the files that it writes.

Label fills shafts, heads and necks, so that a voxel holds as much of it as of their volume; the focus blurs
it by a Gaussian that is longer than wide. A confocal microscope with counting detectors writes photons; one
in brightfield writes the light that a stain of some density lets through.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labkit.demo.dendrite import ball, fill, segment, tube

if TYPE_CHECKING:
    from labkit.demo.spines import Dendrite, Image

__all__ = ["FWHM_UM", "picture", "write_stack"]

Floats = NDArray[np.float64]

# Full width at half maximum of the focus, in depth and in the plane.
FWHM_UM = {"fluorescence": (0.60, 0.20), "brightfield": (1.10, 0.28)}
# Mean counts of a usual place of the shaft, and beside the dendrite.
PHOTONS, DARK_PHOTONS = (50.0, 75.0), (0.45, 0.75)
# Standard deviation of the logarithm by which the calibre of a shaft varies, and over what distance.
CALIBRE_SD, CALIBRE_OVER_UM = 0.08, 0.6
PUNCTA = (6, 14)
# Brightfield: grey value of clear glass, electrons for each grey value, optical density of a usual shaft,
# specks of stain beside the dendrite.
GLASS, ELECTRONS, OPTICAL_DENSITY, SPECKS = 212.0, 25.0, 0.8, 7


def picture(image: Image) -> NDArray[np.uint8]:
    """(Z, Y, X) voxels of a planned image."""
    rng = image.rng(1)
    extent = (np.array(image.shape) - 1) * image.voxel_um
    solids = [solid for item in image.dendrites for solid in _label(item, rng)]
    paths = [item.path_um for item in image.dendrites]
    if image.modality == "brightfield":
        solids += [ball(_beside(rng, paths, extent), rng.uniform(0.10, 0.22)) for _ in range(SPECKS)]
    else:
        for _ in range(rng.integers(*PUNCTA)):
            solids.append(ball(_beside(rng, paths, extent), rng.uniform(0.10, 0.22)))
        for _ in range(image.axons):
            solids += _axon(rng, paths[0], extent)
    label = fill([np.concatenate(solids)], np.array(image.shape), image.voxel_um, FWHM_UM[image.modality])
    usual = []
    for path in paths:
        z, y, x = np.clip(np.round(path / image.voxel_um).astype(int), 0, np.array(image.shape) - 1).T
        usual.append(np.median(label[z, y, x]))
    label /= np.mean(usual)
    if image.modality == "brightfield":
        light = ELECTRONS * GLASS * _uneven_light(rng, image.shape[1:]) * 10 ** (-OPTICAL_DENSITY * label)
        return np.clip(np.rint(rng.poisson(light) / ELECTRONS), 0, 255).astype(np.uint8)
    expected = rng.uniform(*PHOTONS) * label + rng.uniform(*DARK_PHOTONS)
    return np.minimum(rng.poisson(expected), 255).astype(np.uint8)


def _label(item: Dendrite, rng: np.random.Generator) -> list[Floats]:
    """What a dendrite and its spines fill: points (z, y, x, volume)."""
    from scipy.ndimage import gaussian_filter1d

    whole = item.whole_um
    step = float(np.linalg.norm(whole[1] - whole[0]))
    waves = gaussian_filter1d(rng.standard_normal(len(whole)), CALIBRE_OVER_UM / step, mode="reflect")
    wide = np.exp(CALIBRE_SD * waves / waves.std())[:, np.newaxis]
    # Each cross-section of an even tube made wider or narrower, with the volume that it then has.
    shaft = tube(whole, item.shaft_um / 2).reshape(len(whole), -1, 4)
    shaft[..., :3] = whole[:, np.newaxis] + wide[..., np.newaxis] * (shaft[..., :3] - whole[:, np.newaxis])
    shaft[..., 3] *= wide**2
    solids = [shaft.reshape(-1, 4)]
    heads = item.spines[["z_um", "y_um", "x_um"]].to_numpy()
    feet = item.spines[["foot_z_um", "foot_y_um", "foot_x_um"]].to_numpy()
    for head, foot, spine in zip(heads, feet, item.spines.itertuples(), strict=True):
        solids.append(ball(head, spine.head_width_um / 2))
        if spine.gap_um > 0:
            solids.append(tube(segment(foot, head), spine.neck_width_um / 2))
    return solids


def _beside(rng: np.random.Generator, paths: list[Floats], extent: Floats) -> Floats:
    """A place in the picture that is 2 um or more from every dendrite, seen along z."""
    while True:
        place = rng.uniform(0, extent)
        if all(np.hypot(*(path - place)[:, 1:].T).min() >= 2.0 for path in paths):
            return place


def _axon(rng: np.random.Generator, path: Floats, extent: Floats) -> list[Floats]:
    """A thin, wavy fibre with boutons through the picture, 0.8 to 1.6 um above or below the dendrite."""
    middle = path[rng.integers(len(path) // 5, 4 * len(path) // 5)].copy()
    middle[0] += rng.choice((-1, 1)) * rng.uniform(0.8, 1.6)
    middle[0] = np.clip(middle[0], 0.0, extent[0])
    angle = rng.uniform(np.pi / 4, 3 * np.pi / 4)
    way, aside = np.array([0, np.sin(angle), np.cos(angle)]), np.array([0, np.cos(angle), -np.sin(angle)])
    at = np.arange(-extent[1] - 3.0, extent[1] + 3.0, 0.02)
    wave = 0.35 * np.sin(2 * np.pi * (at / rng.uniform(6.0, 9.0) + rng.random()))
    fibre = middle + at[:, np.newaxis] * way + wave[:, np.newaxis] * aside
    solids = [tube(fibre, rng.uniform(0.10, 0.15))]
    for bouton in np.arange(at[0] + rng.uniform(0.0, 4.0), at[-1], 4.0):
        near = fibre[np.argmin(np.abs(at - bouton - rng.normal(0.0, 0.6)))]
        solids.append(ball(near, rng.uniform(0.22, 0.34)))
    return solids


def _uneven_light(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Illumination that falls by some per cent from one side to the other."""
    down, right = rng.uniform(-0.06, 0.06, 2)
    return (
        1 + down * np.linspace(-0.5, 0.5, shape[0])[:, np.newaxis] + right * np.linspace(-0.5, 0.5, shape[1])
    )


def write_stack(path: Path, voxels: NDArray[np.uint8], *, image: Image) -> Path:
    """Write voxels as OME-TIFF, as an ImageJ hyperstack, or as a TIFF that does not know its scale."""
    import tifffile

    z, y, x = image.voxel_um
    options: dict[str, object] = {"metadata": None}
    if image.written == "ome":
        unit = dict.fromkeys(("PhysicalSizeXUnit", "PhysicalSizeYUnit", "PhysicalSizeZUnit"), "µm")
        size = {"PhysicalSizeX": x, "PhysicalSizeY": y, "PhysicalSizeZ": z}
        # A name of the file's own, as the format asks for; a random one would change with each writing.
        unique = f"urn:uuid:{image.seed:08x}-0000-4000-8000-{image.index:012x}"
        options = {"ome": True, "metadata": {"axes": "ZYX", "UUID": unique, **size, **unit}}
    elif image.written == "imagej":
        options = {"imagej": True, "metadata": {"axes": "ZYX", "spacing": z, "unit": "micron"}}
        options |= {"resolution": (1 / x, 1 / y)}
    # Counts of few photons: differences of neighbours would be no smaller than the counts themselves.
    tifffile.imwrite(
        path, voxels, compression="zlib", photometric="minisblack", software=False,
        rowsperstrip=voxels.shape[1], **options,
    )  # fmt: skip
    return path

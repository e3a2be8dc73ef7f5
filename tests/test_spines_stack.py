"""Reading stacks: voxel size told, given, missing or absurd; axes, channels, damage; what stays unread."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from labkit import spines
from labkit.errors import ImageError
from labkit.spines.formats import Planes

RNG = np.random.default_rng(0)
VOXELS = RNG.poisson(5, (6, 64, 80)).astype(np.uint16)
VOXELS[2:4, 20:40, 20:60] += 200
IMAGEJ = {"resolution": (1 / 0.1, 1 / 0.1), "imagej": True}


def write(path, data, **options):
    tifffile.imwrite(path, data, **options)
    return path


def imagej(path, data=VOXELS, *, axes="ZYX", spacing=0.5, unit="um", **options):
    metadata = {"axes": axes, "spacing": spacing, "unit": unit}
    return write(path, data, metadata=metadata, **{**IMAGEJ, **options})


def test_imagej_tells_the_voxel(tmp_path):
    stack = spines.read(imagej(tmp_path / "a.tif"))
    assert stack.voxel_um == pytest.approx((0.5, 0.1, 0.1))
    assert stack.modality == "fluorescence"
    assert np.array_equal(stack.data, VOXELS)


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1000.0), ("mm", 1e-3), ("micron", 1.0)])
def test_units_of_imagej(tmp_path, unit, factor):
    """Written by another tool: ImageJ stores pixels per unit and the distance of planes in that unit."""
    path = imagej(tmp_path / "a.tif", spacing=0.5 * factor, unit=unit, resolution=(10 / factor, 10 / factor))
    assert spines.read(path).voxel_um == pytest.approx((0.5, 0.1, 0.1), rel=1e-3)


def test_ome_tells_the_voxel_and_its_unit(tmp_path):
    metadata = {"axes": "ZYX", "PhysicalSizeZ": 500.0, "PhysicalSizeZUnit": "nm"}
    metadata |= {f"PhysicalSize{a}": 0.12 for a in "XY"} | {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
    stack = spines.read(write(tmp_path / "a.ome.tif", VOXELS, metadata=metadata, ome=True))
    assert stack.voxel_um == pytest.approx((0.5, 0.12, 0.12))


def test_plain_tiff_in_centimetres(tmp_path):
    path = write(tmp_path / "a.tif", VOXELS[0], resolution=(1e5, 1e5), resolutionunit="CENTIMETER")
    stack = spines.read(path)
    assert stack.voxel_um[1:] == pytest.approx((0.1, 0.1))
    assert stack.is_plane
    assert np.isnan(stack.voxel_um[0])


@pytest.mark.parametrize(
    "options",
    [{}, {"resolution": (72, 72), "resolutionunit": "INCH"}, {"imagej": True, "metadata": {"axes": "ZYX"}}],
    ids=str,
)
def test_a_missing_voxel_is_asked_for(tmp_path, options):
    with pytest.raises(ImageError, match=r"is not known.*voxel_um"):
        spines.read(write(tmp_path / "a.tif", VOXELS, **options))


def test_a_missing_distance_of_planes_is_asked_for(tmp_path):
    path = write(tmp_path / "a.tif", VOXELS, resolution=(1e5, 1e5), resolutionunit="CENTIMETER")
    with pytest.raises(ImageError, match="distance of the planes is not known"):
        spines.read(path)


@pytest.mark.parametrize(
    ("voxel", "words"),
    [
        ((500, 100, 100), "nanometres, divide by 1000"),
        ((0.5, 0.1, 20), "pixels of 0.01 to 1 um"),
        ((0.5, 0.0, 0.1), "pixels of"),
        ((0.5, 0.1), r"expected \(z, y, x\)"),
        ((0.5, np.nan, 0.1), "is not known"),
    ],
)
def test_an_absurd_voxel_is_refused(tmp_path, voxel, words):
    with pytest.raises(ImageError, match=words):
        spines.read(imagej(tmp_path / "a.tif"), voxel_um=voxel)


def test_what_is_given_wins_and_is_told(tmp_path):
    stack = spines.read(imagej(tmp_path / "a.tif"), voxel_um=(0.5, 0.2, 0.2))
    assert stack.voxel_um == (0.5, 0.2, 0.2)
    assert "the file says pixels of 0.1 um" in stack.warnings[0]


def test_a_stack_without_named_axes_is_depth(tmp_path):
    path = write(tmp_path / "a.tif", VOXELS)
    assert spines.read(path, voxel_um=(0.5, 0.1, 0.1)).shape == VOXELS.shape


def test_depth_saved_as_channels(tmp_path):
    many = np.concatenate([VOXELS, VOXELS])
    path = imagej(tmp_path / "a.tif", many, axes="CYX")
    with pytest.raises(ImageError, match=r"12 channels and no depth.*axes='ZYX'"):
        spines.read(path, voxel_um=(0.5, 0.1, 0.1))
    assert spines.read(path, voxel_um=(0.5, 0.1, 0.1), axes="ZYX").shape == many.shape


def test_time_points_are_refused(tmp_path):
    path = imagej(tmp_path / "a.tif", np.stack([VOXELS, VOXELS]), axes="TZYX")
    with pytest.raises(ImageError, match="save one time point"):
        spines.read(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_channels_are_chosen_never_guessed(tmp_path, compression):
    both = np.stack([VOXELS, VOXELS + 7], axis=1)
    options = {} if compression is None else {"compression": compression, "imagej": False, "ome": True}
    metadata = {"axes": "ZCYX", "PhysicalSizeZ": 0.5, "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
    path = tmp_path / ("a.ome.tif" if compression else "a.tif")
    if compression:
        write(path, both, metadata=metadata, compression=compression, ome=True)
    else:
        imagej(path, both, axes="ZCYX", **options)
    with pytest.raises(ImageError, match=r"2 channels.*which channel shows the dendrites"):
        spines.read(path)
    stack = spines.read(path, channel=1)
    cut = (slice(1, 4), slice(10, 30), slice(5, 70))
    assert np.array_equal(stack.data[cut], VOXELS[cut] + 7)
    with pytest.raises(ImageError, match="channel = 0 to 1"):
        spines.read(path, channel=2)


def test_an_uncompressed_file_is_mapped_and_a_compressed_one_read_by_planes(tmp_path):
    """What bounds the memory: neither is loaded, and of the second only planes that are cut are decoded."""
    mapped = spines.read(imagej(tmp_path / "a.tif"))
    assert isinstance(mapped.data, np.memmap)
    path = write(tmp_path / "b.tif", VOXELS, compression="zlib")
    stack = spines.read(path, voxel_um=(0.5, 0.1, 0.1))
    assert isinstance(stack.data, Planes)
    assert np.array_equal(stack.data[2:5, 3:9, 7:11], VOXELS[2:5, 3:9, 7:11])
    decoded = []
    counted = Planes(
        VOXELS.shape, VOXELS.dtype, lambda numbers: (decoded.append(z) or VOXELS[z] for z in numbers)
    )
    assert counted[3:5, :2, :2].shape == (2, 2, 2)
    assert decoded == [3, 4]


def test_big_endian_voxels(tmp_path):
    path = write(tmp_path / "a.tif", VOXELS, byteorder=">")
    stack = spines.read(path, voxel_um=(0.5, 0.1, 0.1))
    assert np.array_equal(stack.signal((slice(None),) * 3), VOXELS.astype(np.float32))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_truncated_file(tmp_path, compression):
    path = write(tmp_path / "a.tif", RNG.integers(0, 60000, VOXELS.shape, np.uint16), compression=compression)
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(ImageError, match=r"ends early|cannot be read"):
        spines.read(path, voxel_um=(0.5, 0.1, 0.1))


def test_no_image_at_all(tmp_path):
    (tmp_path / "a.tif").write_text("x")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(ImageError, match="cannot be read as TIFF"):
        spines.read(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"'.doc' are not read"):
        spines.read(tmp_path / "a.doc")
    with pytest.raises(ImageError, match="no such file"):
        spines.read(tmp_path / "b.tif")
    with pytest.raises(ImageError, match="all voxels looked at are 0"):
        spines.Stack.from_array(np.zeros((3, 50, 50)), voxel_um=(1, 0.1, 0.1))


def test_a_colour_image(tmp_path):
    """Grey saved in colour is one channel; real colours are chosen from, or averaged for Golgi stain."""
    from skimage.io import imsave

    grey = (255 - np.minimum(VOXELS[2], 250)).astype(np.uint8)
    imsave(tmp_path / "grey.png", np.stack([grey] * 3, axis=-1), check_contrast=False)
    stack = spines.read(tmp_path / "grey.png", voxel_um=(0.1, 0.1))
    assert stack.shape == (1, *grey.shape)
    assert stack.modality == "brightfield"
    assert "taken as brightfield" in stack.warnings[0]
    colour = np.stack([grey, grey // 2, grey], axis=-1)
    imsave(tmp_path / "colour.png", colour, check_contrast=False)
    with pytest.raises(ImageError, match=r"3 colours.*'mean' for Golgi"):
        spines.read(tmp_path / "colour.png", voxel_um=(0.1, 0.1))
    mean = spines.read(tmp_path / "colour.png", voxel_um=(0.1, 0.1), channel="mean")
    assert np.allclose(mean.data[0], colour.mean(axis=-1), atol=1e-3)


def test_optical_density():
    """Light of a tenth, a hundredth: densities of 1 and 2 over clear glass of 200."""
    image = np.full((64, 64), 200.0)
    image[10, 10], image[20, 20] = 20.0, 2.0
    stack = spines.Stack.from_array(image, voxel_um=(0.1, 0.1), modality="brightfield")
    density = stack.signal((slice(None),) * 3)[0]
    assert density[10, 10] == pytest.approx(1, abs=1e-6)
    assert density[20, 20] == pytest.approx(2, abs=1e-6)
    assert density[0, 0] == 0


def test_projection_is_the_greatest_of_all_planes():
    stack = spines.Stack.from_array(VOXELS, voxel_um=(0.5, 0.1, 0.1))
    assert np.array_equal(stack.projection(), VOXELS.max(axis=0))
    assert np.array_equal(
        stack.projection((slice(4, 6), slice(3, 9), slice(None))), VOXELS[4:6, 3:9].max(axis=0)
    )

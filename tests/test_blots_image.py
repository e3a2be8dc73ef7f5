"""Images of blots: read as stored whatever the format, turned right, clipping told, nonsense refused."""

from __future__ import annotations

import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labkit import blots
from labkit.blots.formats import read_pixels
from labkit.blots.polarity import UNSURE_BELOW, propose_polarity
from labkit.blots.saturation import plateau
from labkit.demo import membrane
from labkit.errors import ImageError

REAL = Path(__file__).parents[2] / "shared" / "real" / "blots"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="real blots are not here (../shared/real/blots)")
TEST4 = REAL / "chemidoc" / "test4_imglab_analysis.tif"

LAYOUT = membrane.Layout((150, 260), np.linspace(30.0, 230.0, 6), 24.0, smile_px=4.0)


def picture(*, peak: float = 20_000.0, seed: int = 7, dark: bool = False) -> np.ndarray:
    """A small blot of six bands, the fourth `peak` high, with the noise of a camera."""
    rng = np.random.default_rng(seed)
    volumes = peak * 24 * 8 / 0.85 * np.array([0.3, 0.5, 0.2, 1.0, 0.6, 0.4])
    light = membrane.bands(volumes, rows_px=[80.0], layout=LAYOUT)
    light += membrane.background(LAYOUT, rng=rng, level=700.0, gradient=(0.3, 0.2))
    return membrane.photograph(light, rng=rng, dark_bands=dark)


BLOT = picture()
EIGHT = (BLOT >> 8).astype(np.uint8)


def real_images() -> list[tuple[Path, str]]:
    """Every real or foreign simulated image, and how its bands look to a person."""
    found = [(p, "dark") for p in sorted((REAL / "copeland").glob("*.tif"))]
    for p in sorted((REAL / "chemidoc").glob("*")):
        if p.suffix in (".tif", ".1sc"):
            found.append((p, "dark" if "inv" in p.name else "bright"))
    made = (REAL / "synthetic_truth").glob("*")
    return found + [(p, "bright") for p in sorted(made) if p.suffix != ".json"]


# Formats: what is stored is what is read


def written(path: Path, how: str) -> Path:
    """The blot in one of the formats that keep its values."""
    if how == "png":
        path.write_bytes(imagecodecs.png_encode(BLOT))
        return path
    options = {
        "plain": {},
        "lzw": {"compression": "lzw", "predictor": True},
        "tiled": {"compression": "zlib", "tile": (64, 64)},
        "miniswhite": {"photometric": "miniswhite"},
        "big-endian": {"byteorder": ">"},
        "bigtiff": {"bigtiff": True},
        "planar rgb": {"photometric": "rgb", "planarconfig": "separate"},
    }[how]
    data = np.stack([BLOT] * 3) if how == "planar rgb" else BLOT
    tifffile.imwrite(path, data, **options)
    return path


@pytest.mark.parametrize(
    "how", ["png", "plain", "lzw", "tiled", "miniswhite", "big-endian", "bigtiff", "planar rgb"]
)
def test_lossless_formats_give_the_stored_values(tmp_path, how):
    # The extension says nothing.
    image = blots.read(written(tmp_path / "blot.jpg", how))
    assert np.array_equal(image.signal, BLOT)
    assert image.signal.dtype == np.float64
    assert (image.bit_depth, image.polarity, image.polarity_stated) == (16, "bright", False)
    assert image.warnings == ()
    assert image.path == tmp_path / "blot.jpg"


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "uint32", "int16", "int32", "float16", "float32", "float64"]
)
def test_types_of_values(tmp_path, dtype):
    """LI-COR writes half floats; their values are those of the file, not a cast of them."""
    values = (EIGHT if dtype == "uint8" else BLOT // 4).astype(dtype)
    tifffile.imwrite(tmp_path / "blot.tif", values)
    image = blots.read(tmp_path / "blot.tif")
    assert np.array_equal(image.signal, values.astype(np.float64))
    assert image.bit_depth == 8 * np.dtype(dtype).itemsize


def test_twelve_bits_that_are_packed(tmp_path):
    values = (BLOT >> 4).astype(np.uint16)
    tifffile.imwrite(tmp_path / "blot.tif", values, bitspersample=12)
    image = blots.read(tmp_path / "blot.tif", polarity="dark")
    assert image.bit_depth == 12
    assert np.array_equal(image.signal, 4095.0 - values)


def test_the_scale_of_a_gel_file_is_undone(tmp_path):
    """Molecular Dynamics stores square roots: signal = value squared times the factor."""
    tags = [(33445, 4, 1, 2, True), (33446, 5, 1, (1, 21025), True)]
    tifffile.imwrite(tmp_path / "scan.gel", BLOT, extratags=tags, metadata=None)
    image = blots.read(tmp_path / "scan.gel")
    np.testing.assert_allclose(image.signal, BLOT.astype(float) ** 2 / 21025, rtol=1e-15)
    assert any("square-root" in w for w in image.warnings)
    with tifffile.TiffFile(tmp_path / "scan.gel") as file:
        assert file.is_mdgel
        # tifffile computes in single precision.
        np.testing.assert_allclose(image.signal, file.series[0].asarray(), rtol=1e-6)
    tifffile.imwrite(tmp_path / "linear.gel", BLOT, extratags=[(33445, 4, 1, 128, True), tags[1]])
    assert np.array_equal(blots.read(tmp_path / "linear.gel").signal, BLOT)


@needs_real
def test_a_1sc_file_holds_what_image_lab_exports():
    image = blots.read(REAL / "chemidoc" / "test4.1sc")
    assert np.array_equal(image.signal, tifffile.imread(TEST4))


@needs_real
def test_damaged_1sc_files(tmp_path):
    data = (REAL / "chemidoc" / "test4.1sc").read_bytes()
    (tmp_path / "a.1sc").write_bytes(data[:-1000])
    with pytest.raises(ImageError, match=r"a\.1sc: the \.1sc file is cut short"):
        blots.read(tmp_path / "a.1sc")
    for change, match in [
        ({0xA0 + 10 * 20: struct.pack("<H", 131)}, "is not known"),
        ({0xE5A0: struct.pack("<H", 695)}, "how wide and high"),
        ({0x20: b"PowerPC Form"}, "Intel byte order"),
    ]:
        changed = bytearray(data)
        for at, new in change.items():
            changed[at : at + len(new)] = new
        (tmp_path / "b.1sc").write_bytes(changed)
        with pytest.raises(ImageError, match=match):
            blots.read(tmp_path / "b.1sc")


def test_several_images_in_a_file(tmp_path):
    path = tmp_path / "blot.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(BLOT[::4, ::4])
        file.write(BLOT)
        file.write(BLOT[::2, ::2])
    image = blots.read(path)
    assert np.array_equal(image.signal, BLOT)
    assert any("3 images; the largest is read" in w for w in image.warnings)
    tifffile.imwrite(path, np.stack([BLOT, picture(seed=8)]), photometric="minisblack")
    image = blots.read(path)
    assert np.array_equal(image.signal, BLOT)
    assert any("2 images of the same size and the first is read" in w for w in image.warnings)
    tifffile.imwrite(path, np.stack([BLOT, picture(seed=8)]), imagej=True)
    assert any("2 images of the same size" in w for w in blots.read(path).warnings)


def test_jpeg_is_read_and_told(tmp_path):
    path = tmp_path / "blot.tif"
    path.write_bytes(imagecodecs.jpeg_encode(EIGHT, level=95))
    image = blots.read(path)
    assert any("this is a JPEG" in w for w in image.warnings)
    assert sum("8 bits" in w for w in image.warnings) == 1
    # Quality 95 changes a grey value by a few.
    assert np.abs(image.signal - EIGHT).max() <= 8
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(ImageError, match="the JPEG is cut short"):
        blots.read(path)
    tifffile.imwrite(path, EIGHT, compression="jpeg", compressionargs={"level": 95})
    assert any("a JPEG or the like" in w for w in blots.read(path).warnings)


# Colour


def test_grey_in_colour_and_alpha(tmp_path):
    rgb = np.dstack([EIGHT] * 3)
    opaque = np.full(EIGHT.shape, 255, np.uint8)
    for values in (rgb, np.dstack([EIGHT, opaque]), np.dstack([rgb, opaque])):
        (tmp_path / "blot.png").write_bytes(imagecodecs.png_encode(values))
        image = blots.read(tmp_path / "blot.png")
        assert np.array_equal(image.signal, EIGHT)
        assert not image.coloured.any()
        assert not any("colour" in w or "transparent" in w for w in image.warnings)
    opaque[:2, :3] = 0
    assert any("6 pixels are transparent" in w for w in blots.as_image(np.dstack([rgb, opaque])).warnings)


def test_painted_pixels_are_counted_and_masked():
    rgb = np.dstack([EIGHT] * 3)
    rgb[79:81, 140:145] = (255, 0, 0)
    image = blots.as_image(rgb)
    mask = np.zeros(EIGHT.shape, bool)
    mask[79:81, 140:145] = True
    assert np.array_equal(image.coloured, mask)
    assert np.array_equal(image.signal[~mask], EIGHT[~mask])
    assert any("10 pixels are painted over in colour" in w for w in image.warnings)


def test_nearly_grey_is_grey():
    """A JPEG with colours rounds its channels apart."""
    rng = np.random.default_rng(2)
    rgb = np.clip(np.dstack([EIGHT] * 3).astype(int) + rng.integers(-3, 4, (*EIGHT.shape, 3)), 0, 255)
    image = blots.as_image(rgb.astype(np.uint8))
    assert not image.coloured.any()
    assert np.abs(image.signal - EIGHT).max() <= 3


@pytest.mark.parametrize(
    ("paint", "left"), [((255, 0, 0), 0), ((0, 0, 255), 0), ((255, 255, 0), 255), ((9, 90, 200), 90)]
)
def test_the_middle_channel_counts_under_paint(paint, left):
    rgb = np.dstack([EIGHT] * 3)
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        rgb[5, 6] = np.array(paint)[list(order)]
        image = blots.as_image(rgb)
        assert image.signal[5, 6] == left
        assert image.coloured.sum() == 1


@needs_real
def test_image_lab_paints_saturated_pixels_red():
    image = blots.read(REAL / "copeland" / "lf_05-bay_ab_membrane_2021-01-04.tif")
    assert image.coloured.sum() == 70
    # The middle channel is the band beneath the paint: black.
    assert (image.signal[image.coloured] == 255).all()


def test_colour_is_refused():
    rng = np.random.default_rng(4)
    green = np.dstack([np.zeros_like(EIGHT), EIGHT, np.zeros_like(EIGHT)])
    for values in (rng.integers(0, 256, (60, 60, 3)).astype(np.uint8), green, green // 10):
        with pytest.raises(ImageError, match=r"the image is in colour,.*export the channel of the bands"):
            blots.as_image(values)


def test_palettes(tmp_path):
    ramp = np.stack([np.arange(256, dtype=np.uint16) * 257] * 3)
    path = tmp_path / "blot.tif"
    tifffile.imwrite(path, EIGHT, photometric="palette", colormap=ramp[:, ::-1])
    image = blots.read(path, polarity="bright")
    assert np.array_equal(image.signal, 255.0 - EIGHT)
    assert image.bit_depth == 8
    fire = np.stack([ramp[0], ramp[0] // 2, ramp[0][::-1]])
    tifffile.imwrite(path, EIGHT, photometric="palette", colormap=fire)
    with pytest.raises(ImageError, match="in colour"):
        blots.read(path)


# Refused in one sentence


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "the file is empty"),
        (bytes(5000), "nothing but zeros"),
        (b"%PDF-1.7 ...", "the file is a PDF"),
        (b"PK\x03\x04....", "a document of an office program"),
        (b"BM......", "a BMP picture"),
        (b"lane,volume\n1,2\n", "of a format that is not known"),
        (b"II*\0", "damaged or cut short"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "the image has no pixels"),
        (imagecodecs.png_encode(BLOT)[:900], "damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n", "the PNG is cut short"),
        (b"\xff\xd8\xff", "damaged or cut short"),
        (b"\xaf\xafStable File Version 2.0 \r\n", "Intel byte order"),
    ],
)
def test_foreign_and_damaged_files(tmp_path, data, match):
    path = tmp_path / "blot.tif"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=match) as caught:
        blots.read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert caught.value.todo


def test_no_file(tmp_path):
    with pytest.raises(ImageError, match="there is no such file"):
        blots.read(tmp_path / "no.tif")
    with pytest.raises(ImageError, match="this is a folder"):
        blots.read(tmp_path)
    with pytest.raises(ImageError, match="cannot be opened"):
        blots.read("a\0b.tif")


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_truncated_tiffs_never_pass(tmp_path, compression):
    """Cut at every tenth: refused each time, or the pixels are all there."""
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, BLOT, compression=compression, rowsperstrip=16)
    data = whole.read_bytes()
    for part in range(1, 10):
        (tmp_path / "cut.tif").write_bytes(data[: len(data) * part // 10])
        with pytest.raises(ImageError):
            blots.read(tmp_path / "cut.tif")


def test_a_damaged_header_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "blot.tif"
    tifffile.imwrite(path, BLOT)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(900_000)
        file.pages[0].tags["ImageLength"].overwrite(900_000)
    with pytest.raises(ImageError, match="900000 x 900000 pixels"):
        blots.read(path)


def test_too_few_shades(tmp_path):
    path = tmp_path / "blot.tif"
    tifffile.imwrite(path, BLOT > 5000)
    with pytest.raises(ImageError, match="black and white only"):
        blots.read(path)
    path.write_bytes(imagecodecs.png_encode(EIGHT))
    data = bytearray(path.read_bytes())
    data[24] = 4
    path.write_bytes(data)
    with pytest.raises(ImageError, match="16 shades of grey"):
        blots.read(path)
    with pytest.raises(ImageError, match="type bool"):
        blots.as_image(BLOT > 5000)
    assert any("two grey values only" in w for w in blots.as_image(np.where(BLOT > 5000, 255, 0)).warnings)
    assert any("nothing to measure" in w for w in blots.as_image(np.full((30, 30), 7)).warnings)


def test_pixels_that_are_no_numbers(tmp_path):
    values = BLOT.astype(np.float32)
    values[10, 20], values[30, 40] = np.nan, np.inf
    tifffile.imwrite(tmp_path / "blot.tif", values)
    with pytest.raises(
        ImageError, match="2 pixels are not a number or infinite, the first in row 11, column 21"
    ):
        blots.read(tmp_path / "blot.tif")


@pytest.mark.parametrize(
    "values", [np.zeros((0, 5)), np.zeros(5), np.zeros((2, 2, 2, 2)), np.zeros((9, 9, 5))]
)
def test_shapes_that_are_no_image(values):
    with pytest.raises(ImageError, match=r"the shape|channels"):
        blots.as_image(values)


def test_polarity_must_be_one_of_two():
    with pytest.raises(ImageError, match="'white'; expected bright or dark"):
        blots.as_image(BLOT, polarity="white")


# Polarity


@needs_real
def test_polarity_of_every_real_image(capsys):
    rows = []
    for path, truth in real_images():
        image = blots.read(path)
        unsure = any("not clear" in w for w in image.warnings)
        rows.append((path.name, "membrane" in path.name, image.polarity == truth, unsure))
    table = pd.DataFrame(rows, columns=["file", "total_protein", "right", "unsure"])
    with capsys.disabled():
        print(f" polarity right on {table['right'].sum()} of {len(table)} images", end="")
    assert len(table) >= 43
    # One film that is black all over: a person cannot see its bands either.
    assert table["right"].sum() >= len(table) - 1
    assert table.loc[table["total_protein"], "right"].all()
    # Never wrong without saying so, and hardly ever unsure.
    assert table.loc[~table["right"], "unsure"].all()
    assert table["unsure"].sum() <= 2


@given(seed=st.integers(0, 50), dark=st.booleans())
@settings(max_examples=15, deadline=None)
def test_polarity_of_simulated_blots(seed, dark):
    image = blots.as_image(picture(seed=seed, dark=dark))
    assert image.polarity == ("dark" if dark else "bright")
    assert image.warnings == ()


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(3, 40), st.integers(3, 40)), elements=st.integers(-999, 999))
)
@settings(max_examples=60, deadline=None)
def test_a_negative_has_the_other_polarity(values):
    polarity, confidence = propose_polarity(values)
    other, same = propose_polarity(-values)
    assert 0 <= confidence <= 1
    assert confidence == pytest.approx(same, abs=1e-9)
    assert other != polarity or confidence < 1e-9


def test_noise_alone_leaves_polarity_open():
    noise = np.random.default_rng(1).normal(1000, 30, (200, 300))
    assert propose_polarity(noise)[1] < UNSURE_BELOW
    assert any("not clear from the image" in w for w in blots.as_image(noise).warnings)


def test_a_stated_polarity_is_kept_and_doubted():
    image = blots.as_image(BLOT, polarity="dark")
    assert (image.polarity, image.polarity_stated) == ("dark", True)
    assert np.array_equal(image.signal, 65535.0 - BLOT)
    assert any("said to be dark, but look bright" in w for w in image.warnings)
    image = blots.as_image(BLOT, polarity="bright")
    assert (image.polarity, image.polarity_stated, image.warnings) == ("bright", True, ())


@needs_real
def test_the_inverted_twin_gives_the_same_volumes():
    one = blots.read(TEST4)
    other = blots.read(REAL / "chemidoc" / "test4_ref_inv.tif")
    assert (one.polarity, other.polarity) == ("bright", "dark")
    # Both of 16 bits: 65535 less the twin's value is the value itself.
    np.testing.assert_allclose(other.signal - one.signal, 0.0, atol=1e-6)
    assert np.array_equal(one.saturated, other.saturated)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_numbers_without_a_scale_are_turned_about_their_greatest(dtype):
    values = picture(dark=True).astype(dtype)
    image = blots.as_image(values)
    assert image.polarity == "dark"
    assert np.array_equal(image.signal, values.max() - values.astype(np.float64))


# Clipping


@needs_real
@pytest.mark.parametrize(("name", "n_saturated"), [("test2", 2560), ("test4", 9), ("test5", 0)])
def test_plateaus_of_the_chemidoc(name, n_saturated):
    image = blots.read(REAL / "chemidoc" / f"{name}_imglab_analysis.tif")
    assert image.saturated.sum() == n_saturated
    assert any("saturated" in w for w in image.warnings) == (n_saturated > 0)


@needs_real
def test_every_ldha_gel_is_saturated():
    paths = sorted((REAL / "copeland").glob("*ldha*.tif"))
    assert len(paths) >= 6
    for path in paths:
        image = blots.read(path)
        assert image.saturated.sum() >= 100, path.name
        assert (image.signal[image.saturated] == 255).all()
        told = " ".join(image.warnings)
        assert "saturated at 0" in told
        assert "8 bits" in told
        assert "background was cut off or rounded away" in told


@needs_real
def test_plateaus_of_images_whose_clipping_is_known():
    for path in sorted((REAL / "synthetic_truth").glob("*.json")):
        truth = pd.read_json(path, typ="series")
        file = next(p for p in path.parent.glob(f"{path.stem}.*") if p.suffix != ".json")
        clipped = sum(band["clipped_pixel_count"] for band in truth["bands"])
        found = int(blots.read(file, polarity="bright").saturated.sum())
        assert (found > 0) == (clipped > 0), path.stem
        # Pixels where two bands overlap count twice in the truth; a JPEG blurs the plateau.
        assert found <= clipped, path.stem


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("top", [65520, 64024])
def test_a_plateau_is_found_at_any_height_and_either_end(dark, top):
    values = np.minimum(picture(peak=75_000.0), top)
    clipped = values == top
    assert 30 < clipped.sum() < 400
    image = blots.as_image(65535 - values if dark else values)
    assert np.array_equal(image.saturated, clipped)
    assert any(f"{clipped.sum()} pixels are saturated" in w for w in image.warnings)


def test_hot_pixels_do_not_hide_a_plateau():
    values = np.minimum(picture(peak=75_000.0), 64_000)
    values[5, 5], values[9, 200] = 65_500, 65_535
    image = blots.as_image(values)
    assert image.saturated.sum() == (values >= 64_000).sum()


def test_what_is_no_plateau():
    assert not blots.as_image(BLOT).saturated.any()
    # Single pixels at the full scale, that do not touch.
    values = BLOT.copy()
    values[10:100:10, 5] = 65_535
    assert not blots.as_image(values).saturated.any()
    # An image of 8 bits whose greatest value some pixels share, as they do the one below.
    assert not blots.as_image(EIGHT).saturated.any()


@given(seed=st.integers(0, 100), top=st.floats(0.3, 0.9))
@settings(max_examples=15, deadline=None)
def test_the_mask_holds_all_pixels_of_the_plateau(seed, top):
    values = picture(seed=seed).astype(float)
    values = np.minimum(values, top * values.max())
    found = plateau(values, end="high")
    if found.n_pixels:
        assert np.array_equal(found.mask, values == values.max())
    mirrored = plateau(-values, end="low")
    assert np.array_equal(mirrored.mask, found.mask)


# Display exports


def test_a_background_that_was_cut_off_is_told():
    values = np.clip(BLOT.astype(int) - 700, 0, None).astype(np.uint16)
    told = " ".join(blots.as_image(values).warnings)
    assert "% of the pixels have the value 0, where the background was cut off" in told


def test_stretched_contrast_is_told():
    low, high = np.percentile(BLOT, [5, 99])
    stretched = np.clip((BLOT - low) / (high - low), 0, 1)
    for values in ((stretched * 255).astype(np.uint8), (stretched * 65535).astype(np.uint16)):
        image = blots.as_image(values)
        assert any("the contrast was stretched until 1 %" in w for w in image.warnings), image.warnings


def test_a_comb_in_eight_bits_is_told():
    """Contrast or gamma changed after rounding leaves grey values that no pixel has."""
    noise = np.random.default_rng(6).normal(0, 12, BLOT.shape)
    plain = np.clip(EIGHT.astype(float) + 60 + noise, 0, 255).astype(np.uint8)
    for changed in (plain * 1.3 - 30, 255 * (plain / 255) ** 0.6):
        told = blots.as_image(np.clip(changed, 0, 255).astype(np.uint8)).warnings
        assert any("do not occur at all" in w for w in told), told
    told = blots.as_image(plain).warnings
    assert any("cannot be seen" in w for w in told)
    assert not any("do not occur" in w for w in told)


def test_eight_bits_dressed_as_sixteen_are_told():
    told = blots.as_image(EIGHT.astype(np.uint16) * 257).warnings
    assert any("made from an 8-bit image" in w for w in told)
    # A camera of 12 bits has steps as well, but more of them.
    assert set(np.unique(BLOT) % 16) == {0}
    assert blots.as_image(BLOT).warnings == ()


@needs_real
def test_every_warning_is_a_sentence_that_says_what_to_do():
    for path, _ in real_images():
        for warning in blots.read(path).warnings:
            assert "\n" not in warning
            assert any(word in warning for word in ("export", "expose", "look at", "save each")), warning
    assert read_pixels(TEST4).bit_depth == 16

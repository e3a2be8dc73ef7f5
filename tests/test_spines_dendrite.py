"""The path: length against arithmetic and simulated truth, voxels of any shape, clicks without depth."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from labkit import spines
from labkit.demo.dendrite import simulate
from labkit.errors import ImageError
from labkit.spines.straighten import normals, resample, smooth, steps_um

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "spines" / "two_photon_stack"
needs_stack = pytest.mark.skipif(not REAL.exists(), reason="the real two-photon stack is not there")
# Ends of the path are centred on the click, which a voxel's rounding and the focus move by a little.
WITHIN = 0.01


@functools.lru_cache(maxsize=8)
def simulated(**options):
    return simulate(**{"length_um": 30.0, "n_spines": 15, **options})


def stack_of(made, voxels=None, voxel_um=None):
    return spines.Stack.from_array(
        made.voxels if voxels is None else voxels, voxel_um=voxel_um or made.voxel_um, modality="fluorescence"
    )


def off_path(found, true):
    """Greatest distance in the plane of the path found from the true one, without the last um of its ends."""
    inner = found[10:-10]
    return float(cKDTree(true[:, 1:]).query(inner[:, 1:])[0].max())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tilt", [0.0, 0.15, 0.4])
def test_length_within_a_percent_of_the_truth(seed, tilt):
    made = simulated(seed=seed, tilt=tilt)
    dendrite = spines.trace(stack_of(made), made.waypoints)
    assert dendrite.length_um == pytest.approx(made.length_um, rel=WITHIN)
    # The true line is the middle of the shaft; a spine and the noise move the found one by less than a voxel.
    assert off_path(dendrite.path_um, made.path_um) < 0.2
    # Across a tilted dendrite the focus is not upright, which moves the ends of the path along it by 0.2 um.
    true_mip = steps_um(made.path_um * (0, 1, 1))[-1]
    assert dendrite.length_mip_um == pytest.approx(true_mip, rel=WITHIN + 0.4 / 30)


def test_a_tilted_dendrite_is_longer_than_its_projection():
    """4 um deeper over 10 um: sqrt(1 + 0.16) = 1.077."""
    made = simulated(tilt=0.4, seed=1)
    dendrite = spines.trace(stack_of(made), made.waypoints)
    assert dendrite.length_um / dendrite.length_mip_um == pytest.approx(1.077, abs=0.02)


def test_the_path_of_a_straight_line_by_arithmetic():
    """From (z, y, x) = (2, 3, 3) to (6, 15, 18) um: sqrt(16 + 144 + 225)."""
    voxel = np.array([0.5, 0.1, 0.12])
    a, b = np.array([2.0, 3.0, 3.0]), np.array([6.0, 15.0, 18.0])
    image = np.zeros((18, 190, 180))
    for part in np.linspace(-0.1, 1.1, 6000):
        index = np.round((a + part * (b - a)) / voxel).astype(int)
        image[tuple(index)] += 1
    image = gaussian_filter(image, 0.25 / voxel)
    stack = spines.Stack.from_array(image, voxel_um=voxel, modality="fluorescence")
    dendrite = spines.trace(stack, np.array([a, b]) / voxel)
    assert dendrite.length_um == pytest.approx(np.sqrt(16 + 144 + 225), rel=0.002)
    assert dendrite.length_mip_um == pytest.approx(np.sqrt(144 + 225), rel=0.002)


def test_clicks_without_depth_find_it():
    made = simulated(seed=2, tilt=0.15)
    with_depth = spines.trace(stack_of(made), made.waypoints)
    without = spines.trace(stack_of(made), made.waypoints[:, 1:])
    # The plane found is that of the brightest voxel, not of the middle: one plane is 0.5 um.
    assert np.abs(without.waypoints[:, 0] - made.waypoints[:, 0]).max() < 2.5
    assert without.length_um == pytest.approx(with_depth.length_um, rel=0.02)


@settings(max_examples=6, deadline=None)
@given(factor=st.floats(0.6, 1.6))
def test_length_scales_with_the_voxel(factor):
    """The same numbers on voxels `factor` as large: a dendrite that much longer (smoothing is in um)."""
    made = simulated(seed=0)
    scaled = tuple(v * factor for v in made.voxel_um)
    dendrite = spines.trace(stack_of(made, voxel_um=scaled), made.waypoints)
    assert dendrite.length_um == pytest.approx(factor * made.length_um, rel=0.015)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirroring_mirrors_the_path(axis):
    made = simulated(seed=1)
    flipped = np.flip(made.voxels, axis)
    waypoints = made.waypoints.copy()
    waypoints[:, axis] = made.voxels.shape[axis] - 1 - waypoints[:, axis]
    there = spines.trace(stack_of(made), made.waypoints)
    back = spines.trace(stack_of(made, voxels=flipped), waypoints)
    assert back.length_um == pytest.approx(there.length_um, rel=2e-3)
    mirrored = back.path_um.copy()
    mirrored[:, axis] = (made.voxels.shape[axis] - 1) * made.voxel_um[axis] - mirrored[:, axis]
    # The search for the least cost may go to either side of a tie; centring brings both together.
    assert cKDTree(there.path_um).query(mirrored)[0].max() < 0.1


def test_brightness_does_not_matter():
    made = simulated(seed=1)
    plain = spines.trace(stack_of(made), made.waypoints)
    other = spines.trace(stack_of(made, voxels=made.voxels * 7.5 + 100.0), made.waypoints)
    assert np.allclose(plain.path_um, other.path_um, atol=0.02)
    assert np.allclose(plain.radius_um, other.radius_um, atol=0.02)


def test_the_other_way_round():
    made = simulated(seed=0)
    there = spines.trace(stack_of(made), made.waypoints)
    back = spines.trace(stack_of(made), made.waypoints[::-1])
    assert back.length_um == pytest.approx(there.length_um, rel=2e-3)


def test_a_brighter_neighbour_does_not_draw_the_path():
    """A second, five times brighter dendrite runs 4 um beside; without the cut at the clicks the path
    would change over to it."""
    made = simulated(seed=0, tilt=0.0, bend=0.05)
    shift = round(4.0 / made.voxel_um[1])
    wide = np.pad(made.voxels, ((0, 0), (0, shift), (0, 0)), mode="edge").astype(float)
    wide[:, shift:] += 5.0 * made.voxels
    dendrite = spines.trace(stack_of(made, voxels=wide), made.waypoints[[0, -1]])
    assert off_path(dendrite.path_um, made.path_um) < 0.4


def test_radius_holds_the_blur():
    """A shaft of 0.6 um under a focus of 0.35 um shows half of its FWHM, between the two limits."""
    made = simulated(seed=0, n_spines=2)
    dendrite = spines.trace(stack_of(made), made.waypoints)
    low, high = 0.3 * 0.87, 0.5 * np.hypot(0.6, 0.35)
    assert low < np.median(dendrite.radius_um) < high


def test_a_path_through_the_dark_is_flagged():
    made = simulated(seed=0)
    y, x = made.voxels.shape[1] - 3, made.voxels.shape[2] - 3
    dendrite = spines.trace(stack_of(made), [(5, 3, 3), (5, 3, x // 2)])
    assert "hardly brighter than their sides" in dendrite.flags
    assert spines.trace(stack_of(made), made.waypoints).flags == ""
    assert y > 3


def test_one_plane_has_no_depth():
    made = simulated(seed=0)
    stack = spines.Stack.from_array(made.voxels.max(axis=0), voxel_um=(0.1, 0.1), modality="fluorescence")
    dendrite = spines.trace(stack, made.waypoints[:, 1:])
    assert "length is that in projection" in dendrite.flags
    assert dendrite.length_um == dendrite.length_mip_um
    assert np.all(dendrite.path_um[:, 0] == 0)


@pytest.mark.parametrize(
    ("waypoints", "words"),
    [
        ([(5, 20, 20)], "two or more points"),
        ([(5, 20, 20), (5, 20, 9999)], "point 2 .* outside the stack"),
        ([(5, 20, np.nan), (5, 20, 50)], "point 1 .* outside the stack"),
        ([(5, 20, 20), (5, 20, 20)], "two points that follow each other are the same"),
        ([(5, 20, 20, 1), (5, 20, 50, 1)], "two or more points"),
    ],
)
def test_bad_clicks(waypoints, words):
    with pytest.raises(ImageError, match=words):
        spines.trace(stack_of(simulated()), waypoints)


def test_smoothing_keeps_ends_and_straight_lines():
    line = np.linspace((0.0, 1, 2), (3.0, 5, 9), 200)
    assert np.allclose(smooth(line, 0.05, 1.0), line, atol=1e-9)
    wiggly = line + np.random.default_rng(0).normal(0, 0.1, line.shape)
    assert np.allclose(smooth(wiggly, 0.05, 1.0)[[0, -1]], wiggly[[0, -1]], atol=1e-9)


def test_smoothing_shortens_an_arc_as_the_docstring_says():
    """Half a circle of 10 um under 1 um: 0.5 % shorter."""
    angle = np.linspace(0, np.pi, 4000)
    arc = np.stack([np.zeros_like(angle), 10 * np.cos(angle), 10 * np.sin(angle)], axis=1)
    step = steps_um(arc)[-1] / (len(arc) - 1)
    inner = slice(600, -600)
    ratio = steps_um(smooth(arc, step, 1.0)[inner])[-1] / steps_um(arc[inner])[-1]
    assert ratio == pytest.approx(1 - 1 / 200, abs=3e-4)


def test_resampling_and_directions():
    corner = np.array([[0.0, 0, 0], [0, 0, 4], [0, 3, 4]])
    path = resample(corner, 0.5)
    assert steps_um(path)[-1] == pytest.approx(7, abs=0.2)
    assert np.allclose(path[[0, -1]], corner[[0, -1]])
    along_x = np.column_stack([np.zeros(9), np.zeros(9), np.arange(9.0)])
    left, below = normals(along_x)
    assert np.allclose(left, (0, -1, 0))
    assert np.allclose(below, (1, 0, 0))
    steep = np.column_stack([np.arange(9.0), np.zeros(9), np.zeros(9)])
    left, below = normals(steep)
    assert np.allclose(np.sum(left * below, axis=1), 0)
    assert np.allclose(np.linalg.norm(left, axis=1), 1)


@needs_stack
@pytest.mark.parametrize("number", [1, 4])
def test_the_real_stack_agrees_with_its_annotator(number):
    """Within 2 % of the annotator's line, smoothed alike; the annotator's z is in whole planes of 1 um."""
    table = pd.read_csv(REAL / "dendrites.csv")
    points = table.loc[table["dendrite"] == number, ["z", "y", "x"]].to_numpy(float)
    stack = spines.read(REAL / "stack.tif", voxel_um=(1.0, 0.12, 0.12))
    line = smooth(resample(stack.to_um(points), 0.1), 0.1, 1.0)
    dendrite = spines.trace(stack, points[[0, len(points) // 2, -1]])
    assert dendrite.length_um == pytest.approx(steps_um(line)[-1], rel=0.02)
    distance = cKDTree(line[:, 1:]).query(dendrite.path_um[:, 1:])[0]
    assert distance.mean() < 0.12  # one pixel

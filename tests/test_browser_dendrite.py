"""The dendrite picker in JupyterLab with a real mouse and a real keyboard, in Chromium."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest
from browser import chromium, foreign_requests, jupyterlab, needs_chromium, open_notebook, wait_for_pick

from labkit import picks

pytestmark = needs_chromium

REAL = Path(__file__).parent.parent.parent / "shared" / "real" / "spines" / "two_photon_stack"
REAL_VOXEL_UM = (0.5, 0.12, 0.12)
VOXEL_UM, SHAPE = (0.5, 0.1, 0.1), (24, 256, 384)
# A dendrite from x = 3 to 35 µm at y = 12, z = 6 µm; spines beside it, of which the detector finds three.
SPINES = [(6.0, 10.8, 8.0), (6.0, 13.3, 15.0), (6.5, 10.7, 22.0)]
MISSED = (6.0, 13.2, 28.0)

SIMULATED = f"""
import numpy as np
import pandas as pd
from pathlib import Path
from types import SimpleNamespace
from labkit.pickers import DendriteItem, DendritePicker
z, y, x = (np.arange(n) * size for n, size in zip({SHAPE}, {VOXEL_UM}))
z, y, x = z[:, None, None], y[:, None], x
off = np.clip(3 - x, 0, None) + np.clip(x - 35, 0, None)
light = 150 * np.exp(-((z - 6) ** 2 + (y - 12) ** 2 + off**2) / (2 * 0.35**2))
for sz, sy, sx in {[*SPINES, MISSED]}:
    light += 110 * np.exp(-((z - sz) ** 2 + (y - sy) ** 2 + (x - sx) ** 2) / (2 * 0.25**2))
light += np.random.default_rng(1).normal(12, 3, light.shape)
light[:, :32, :32] = 10 * np.arange({SHAPE[0]})[:, None, None]  # a corner that tells the plane
voxels = np.clip(light, 0, 255).astype(np.uint8)
stack = SimpleNamespace(data=voxels, voxel_um={VOXEL_UM}, modality="fluorescence")

def trace(stack, waypoints_um):
    n = [max(2, int(np.linalg.norm(b - a) / 0.1)) for a, b in zip(waypoints_um, waypoints_um[1:])]
    path = np.concatenate([np.linspace(a, b, k) for a, b, k in zip(waypoints_um, waypoints_um[1:], n)])
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    return SimpleNamespace(path_um=path, length_um=length, radius_um=np.full(len(path), 0.35))

def detect(stack, dendrite):
    table = pd.DataFrame({SPINES}, columns=["z_um", "y_um", "x_um"])
    return table.assign(spine_class=["thin", "mushroom", "stubby"], confidence=[0.9, 0.8, 0.3])

items = []
for k in range(3):
    file = Path(f"n{{k}}.tif").resolve()
    items.append(DendriteItem(f"D{{101 + k}}", file, f"1-{{k + 1}}", stack))
picker = DendritePicker(items, trace=trace, detect=detect, by="ana")
picker
"""
REAL_CELL = f"""
from pathlib import Path
from labkit.pickers import DendriteItem, DendritePicker
from labkit.spines.dendrite import trace
from labkit.spines.detect import detect
from labkit.spines.measure import measure
from labkit.spines.stack import read
stack = read(r"{REAL / "stack.tif"}", voxel_um={REAL_VOXEL_UM}, modality="fluorescence")
items = [DendriteItem("D101", Path("n0.tif").resolve(), "1-1", stack)]
picker = DendritePicker(
    items, trace=lambda stack, um: trace(stack, stack.to_voxels(um)), detect=detect, measure=measure, by="ana"
)
picker
"""

SHOWN = "() => document.querySelector('.lk-plot canvas')?.dataset.plane"
SUM = "said => document.querySelector('.lk-sum').textContent.includes(said)"
# How long it takes from a turn of the wheel until the canvas holds the other plane.
WATCH = """() => {
    globalThis.turns = [];
    const canvas = document.querySelector('.lk-plot canvas');
    canvas.addEventListener('wheel', () => {
        const [from, start] = [canvas.dataset.plane, performance.now()];
        const look = () => {
            if (canvas.dataset.plane !== from) turns.push(performance.now() - start);
            else if (performance.now() - start < 5000) requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    }, { capture: true });
}"""
# Pixels of the canvas around a place on the page, as rows of [red, green, blue].
PIXELS = """([x, y, reach]) => {
    const canvas = document.querySelector('.lk-plot canvas');
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const side = Math.round((2 * reach + 1) * ratio);
    const from = [(x - box.left - reach) * ratio, (y - box.top - reach) * ratio];
    const data = canvas.getContext('2d').getImageData(...from, side, side).data;
    return [...Array(side * side).keys()].map((k) => [...data.slice(4 * k, 4 * k + 3)]);
}"""


class Screen:
    """Where a place of the stack lies on the page while the whole image is in view."""

    def __init__(self, page, shape, voxel_um) -> None:
        self.page, self.voxel = page, voxel_um
        self.extent = (shape[1] * voxel_um[1], shape[2] * voxel_um[2])

    def at(self, y_um: float, x_um: float) -> tuple[float, float]:
        box = self.page.locator(".lk-plot canvas").bounding_box()
        scale = min(box["height"] / self.extent[0], box["width"] / self.extent[1])
        left = box["x"] + (box["width"] - self.extent[1] * scale) / 2
        top = box["y"] + (box["height"] - self.extent[0] * scale) / 2
        return left + (x_um + self.voxel[2] / 2) * scale, top + (y_um + self.voxel[1] / 2) * scale

    def click(self, y_um: float, x_um: float) -> None:
        self.page.mouse.click(*self.at(y_um, x_um))

    def pixels(self, y_um: float, x_um: float, *, reach: int = 2) -> np.ndarray:
        return np.array(self.page.evaluate(PIXELS, [*self.at(y_um, x_um), reach]))


def orange(pixels: np.ndarray) -> int:
    """How many pixels have the colour of the path."""
    return int(((pixels[:, 0] - pixels[:, 2] > 90) & (pixels[:, 0] > pixels[:, 1] + 40)).sum())


def open_picker(browser, address: str, shape, voxel_um):
    page = browser.new_context(viewport={"width": 1280, "height": 1150}).new_page()
    foreign = foreign_requests(page)
    open_notebook(page, address)
    page.locator(".lk-dendrites .lk-plot canvas").wait_for()
    page.evaluate("() => document.querySelector('.jp-OutputArea-output .lk-dendrites').scrollIntoView()")
    page.wait_for_function(SHOWN)
    return page, foreign, Screen(page, shape, voxel_um)


def trace_by_mouse(page, screen: Screen, points_um) -> None:
    """Click along the dendrite in the projection; the traced line is shown."""
    for _, y, x in points_um:
        screen.click(y, x)
    page.wait_for_function(
        "() => !document.querySelector('.lk-busy').textContent && "
        "document.querySelector('.lk-sum').textContent.includes('µm')"
    )


def turn_planes(page, screen: Screen, middle, *, n: int = 12) -> list[float]:
    """Turn the wheel over the image, a plane at a time; milliseconds until each was shown."""
    page.mouse.move(*screen.at(*middle))
    page.evaluate(WATCH)
    for k in range(n):
        page.mouse.wheel(0, 100 if k < n // 2 else -100)
        page.wait_for_function("n => turns.length === n", arg=k + 1)
    return page.evaluate("() => turns")


def save_and_reload(page) -> None:
    """Ctrl S saves the notebook, also from within the picker; the page is then loaded anew."""
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload()
    page.locator(".lk-dendrites .lk-plot canvas").wait_for()
    page.evaluate("() => document.querySelector('.jp-OutputArea-output .lk-dendrites').scrollIntoView()")


def plane(page) -> str:
    return page.evaluate(SHOWN)


def test_a_person_traces_corrects_saves_and_finds_it_again(tmp_path):
    for k in range(3):
        (tmp_path / f"n{k}.tif").write_bytes(b"raw bytes of stack %d" % k)
    with jupyterlab(tmp_path, SIMULATED) as address, chromium() as browser:
        page, foreign, screen = open_picker(browser, address, SHAPE, VOXEL_UM)
        assert plane(page) == f"0-{SHAPE[0] - 1}", "all planes at first"
        assert screen.pixels(12, 12).mean() > screen.pixels(20, 12).mean() + 100, "the dendrite is seen"

        # the path: three points, the middle one put between the others afterwards
        assert orange(screen.pixels(12, 15, reach=4)) == 0
        trace_by_mouse(page, screen, [(6, 12, 3), (6, 12, 35)])
        page.wait_for_function(SUM, arg="32.0 µm")
        assert orange(screen.pixels(12, 15, reach=4)) > 5, "the line is drawn on the dendrite"
        screen.click(12.0, 25.0)
        page.keyboard.press("Enter")
        page.wait_for_function(SUM, arg="3 spines")

        # planes by the wheel: each is shown, and shown soon
        page.keyboard.press("0")
        page.keyboard.press("v")
        page.wait_for_function(
            "() => /^(\\d+)-\\1$/.test(document.querySelector('.lk-plot canvas').dataset.plane)"
        )
        greys = {}
        for _ in range(4):
            page.mouse.move(*screen.at(20, 20))
            before = plane(page)
            page.mouse.wheel(0, 100)
            page.wait_for_function(f"before => ({SHOWN})() !== before", arg=before)
            greys[int(plane(page).split("-")[0])] = screen.pixels(1.5, 1.5).mean()
        assert list(greys) == sorted(greys)
        assert (np.diff(list(greys.values())) > 4).all(), f"the corner tells the plane: {greys}"
        turns = turn_planes(page, screen, (20, 20))
        assert median(turns) < 100, f"milliseconds until a plane is shown: {turns}"

        # a spine added, classed and dragged; one removed, and JupyterLab's keys kept off
        page.keyboard.press("v")
        page.keyboard.press("v")
        page.wait_for_function(f"all => ({SHOWN})() === all", arg=f"0-{SHAPE[0] - 1}")
        screen.click(MISSED[1] + 0.4, MISSED[2])
        page.wait_for_function(SUM, arg="4 spines")
        page.keyboard.press("m")
        page.locator(".lk-crop[aria-pressed=true][title^=mushroom]").wait_for()
        white = screen.pixels(MISSED[1] + 0.4, MISSED[2], reach=14)
        assert (white.min(axis=1) > 240).sum() > 20, "a ring around the chosen spine"
        page.mouse.move(*screen.at(MISSED[1] + 0.4, MISSED[2]))
        page.mouse.down()
        page.mouse.move(*screen.at(MISSED[1], MISSED[2]), steps=8)
        page.mouse.up()
        screen.click(*SPINES[0][1:])
        page.keyboard.press("Delete")
        page.wait_for_function(SUM, arg="3 spines")
        # x would cut the cell, b insert one, 0 0 restart the kernel
        for key in ("x", "Escape", "0", "0", "b", "y"):
            page.keyboard.press(key)
        assert page.locator(".jp-Notebook .jp-CodeCell").count() == 1
        page.locator(".lk-plot canvas").focus()
        page.keyboard.press("Enter")

        path = wait_for_pick(tmp_path / "n0.tif", "path 1-1")
        spines = wait_for_pick(tmp_path / "n0.tif", "spines 1-1")
        # a click is good to a pixel of the screen, 0.07 µm here; depth is that of the brightest plane
        np.testing.assert_allclose(path.value, [(6, 12, 3), (6, 12, 25), (6, 12, 35)], atol=0.1)
        assert (path.kind, path.unit, path.by, path.blind, path.origin) == (
            "path",
            "um",
            "ana",
            True,
            "confirmed",
        )
        kept = {mark["origin"]: mark for mark in spines.value}
        assert [mark["origin"] for mark in spines.value] == ["removed", "auto", "auto", "added"]
        assert spines.origin == "changed"
        assert kept["added"]["class"] == "mushroom"
        np.testing.assert_allclose([kept["added"][k] for k in "zyx"], MISSED, atol=0.11)
        page.locator(".lk-progress", has_text="1 of 3 confirmed").wait_for()
        assert page.locator(".lk-title").inner_text() == "D102"

        # after a reload all is shown again
        save_and_reload(page)
        page.locator(".lk-row").first.click()
        page.locator(".lk-pill[data-status=changed]").wait_for()
        page.wait_for_function(SUM, arg="3 spines")
        page.keyboard.press("Escape")
        page.locator(".lk-plot canvas").focus()
        page.keyboard.press("0")
        page.wait_for_function(SUM, arg="32.0 µm")
        assert orange(screen.pixels(12, 15, reach=4)) > 5
        assert page.locator(".lk-crop").count() == 3
        assert foreign == []


def test_a_dendrite_of_a_real_stack_is_traced_and_corrected(tmp_path):
    if not (REAL / "stack.tif").exists():
        pytest.skip(f"{REAL} is not here: the picker is tried on a simulated stack only")
    lines = pd.read_csv(REAL / "dendrites.csv")
    line = lines.loc[lines["dendrite"] == 1, ["z", "y", "x"]].to_numpy() * REAL_VOXEL_UM
    length = np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
    tips = pd.read_csv(REAL / "spines.csv")
    tips = tips.loc[tips["dendrite"] == 1, ["tip_z", "tip_y", "tip_x"]].to_numpy() * REAL_VOXEL_UM
    (tmp_path / "n0.tif").write_bytes(b"raw bytes")
    with jupyterlab(tmp_path, REAL_CELL) as address, chromium() as browser:
        page, foreign, screen = open_picker(browser, address, (34, 1024, 1024), REAL_VOXEL_UM)
        points = line[[0, len(line) // 2, -1]]
        trace_by_mouse(page, screen, points)
        page.keyboard.press("Enter")
        page.locator(".lk-crop").first.wait_for()
        found = page.locator(".lk-crop").count()

        page.keyboard.press("0")
        page.keyboard.press("v")
        page.wait_for_function(
            "() => /^(\\d+)-\\1$/.test(document.querySelector('.lk-plot canvas').dataset.plane)"
        )
        turns = turn_planes(page, screen, (60, 60))
        assert median(turns) < 100, f"milliseconds until a plane is shown: {turns}"

        # a mark of the gallery leads to its place; it is removed, and another one is added
        page.locator(".lk-crop").first.click()
        page.locator(".lk-crop[aria-pressed=true]").wait_for()
        page.locator(".lk-plot canvas").focus()
        page.keyboard.press("Delete")
        page.wait_for_function("n => document.querySelectorAll('.lk-crop').length === n", arg=found - 1)
        page.keyboard.press("0")
        far = [np.linalg.norm(line - tip, axis=1).min() for tip in tips]
        tip = tips[int(np.argmax(far))] + (0, 3.0, 0)  # beside the dendrite, where nothing was found
        page.keyboard.press("v")
        screen.click(tip[1], tip[2])
        page.wait_for_function("n => document.querySelectorAll('.lk-crop').length === n", arg=found)
        page.keyboard.press("s")
        page.locator(".lk-crop[aria-pressed=true][title^=stubby]").wait_for()
        page.keyboard.press("Enter")

        path = wait_for_pick(tmp_path / "n0.tif", "path 1-1")
        spines = wait_for_pick(tmp_path / "n0.tif", "spines 1-1")
        # a pixel of the screen is 0.25 µm here; depth is that of the brightest plane near the click
        np.testing.assert_allclose(np.array(path.value)[:, 1:], points[:, 1:], atol=0.3)
        origins = [mark["origin"] for mark in spines.value]
        assert (origins.count("removed"), origins.count("added")) == (1, 1)
        assert origins.count("auto") == found - 1
        assert spines.value[origins.index("added")]["class"] == "stubby"

        save_and_reload(page)
        page.wait_for_function("n => document.querySelectorAll('.lk-crop').length === n", arg=found)
        told = page.locator(".lk-sum").inner_text()
        # the annotator's line is not smoothed, and 4 to 8 % longer for it
        assert float(told.split()[0]) == pytest.approx(length, rel=0.1)
        assert picks.load(tmp_path / "n0.tif").picks["spines 1-1"] == spines
        assert foreign == []

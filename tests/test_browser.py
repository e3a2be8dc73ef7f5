"""The trace picker in JupyterLab with a real mouse and a real keyboard, in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import chromium, foreign_requests, jupyterlab, needs_chromium, open_notebook, wait_for_pick

from labkit import picks

pytestmark = needs_chromium

# Responses with a known course: a foot at 3 ms, a steep phase to 5 ms, and twice the size after induction.
NOTEBOOK = """
import numpy as np
from pathlib import Path
from labkit.pickers import TraceItem, TracePicker
time_ms = np.arange(-5, 45, 0.05)
rise = np.clip(time_ms - 3, 0, None)
noise = np.random.default_rng(7)
shape = -rise * np.exp(-rise / 3)
items = []
for k in range({n}):
    for pathway in ("S0", "S1"):
        size = noise.uniform(0.4, 0.8)
        gain = 1.6 if pathway == "S0" else 1.02
        artefact = 3 * np.exp(-np.clip(time_ms, 0, None) / 0.2) * (time_ms >= 0)
        traces = {{
            label: factor * size * shape + artefact + 0.008 * noise.standard_normal(time_ms.size)
            for label, factor in [("baseline", 1.0), ("after induction", gain)]
        }}
        file = Path(f"rec{{k:02d}}.abf").resolve()
        items.append(TraceItem(f"R{{k + 1:02d}}", pathway, (file,), time_ms, traces, (3.3, 4.8), (-0.2, 1.0)))
picker = TracePicker(items, by="ana")
picker
"""


def recordings(folder: Path, n: int = 3) -> str:
    """Write `n` raw files; the code of a cell that shows the picker of their traces."""
    for k in range(n):
        (folder / f"rec{k:02d}.abf").write_bytes(b"raw bytes of recording %d" % k)
    return NOTEBOOK.format(n=n)


def wait_for_paint(page) -> None:
    page.locator(".lk-trace canvas").wait_for()
    page.wait_for_function("() => document.querySelector('.lk-trace .lk-number').value !== ''")


def window(page) -> tuple[float, float]:
    """The window as the two number fields tell it."""
    return tuple(float(page.locator(".lk-number").nth(k).input_value()) for k in (0, 1))


def wait_for_window(page, start: float, end: float) -> None:
    """Two decimals are shown, so each may be 0.005 off."""
    page.wait_for_function(
        """([start, end]) => [...document.querySelectorAll('.lk-number')].every(
            (field, k) => Math.abs(field.value - [start, end][k]) < 0.006)""",
        arg=[start, end],
    )


def drag(page, edge: str, by_px: float, *, steps: int = 12) -> None:
    box = page.locator(f".lk-handle[data-edge={edge}]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by_px, y, steps=steps)
    page.mouse.up()


# The colour that the canvas itself shows at x on the page, high in the plot, above the traces.
COLOUR = """x => {
    const canvas = document.querySelector('.lk-trace canvas');
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    return [...canvas.getContext('2d').getImageData((x - box.left) * ratio, 16 * ratio, 1, 1).data];
}"""


def colour(page, x: float) -> str:
    return page.evaluate(f"x => ({COLOUR})(x).join()", x)


def test_a_person_moves_confirms_excludes_and_finds_it_again(tmp_path):
    with jupyterlab(tmp_path, recordings(tmp_path)) as address, chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        foreign = foreign_requests(page)
        open_notebook(page, address)
        wait_for_paint(page)
        assert window(page) == (3.3, 4.8)
        canvas = page.locator(".lk-trace canvas")

        # the end edge dragged by a real mouse: numbers and pixels change, nothing is stored yet
        box = page.locator(".lk-handle[data-edge=end]").bounding_box()
        beside = box["x"] + box["width"] / 2 + 25  # right of the edge now, inside the window after the drag
        ground = colour(page, beside)
        drag(page, "end", 40)
        page.mouse.move(5, 5)
        page.locator(".lk-row[data-status=moved]").wait_for()
        start, end = window(page)
        assert start == 3.3
        assert end > 5.2
        page.wait_for_function(f"ground => ({COLOUR})({beside}).join() !== ground", arg=ground)
        red, green, blue = (int(part) for part in colour(page, beside).split(",")[:3])
        assert red > green > blue, "the canvas shows the window, in amber, where the edge was dragged past"
        assert picks.load(tmp_path / "rec00.abf") is None

        # Shift and an arrow: ten samples of 0.05 ms
        canvas.focus()
        page.keyboard.press("Shift+ArrowRight")
        wait_for_window(page, start + 0.5, end + 0.5)
        page.keyboard.press("Enter")
        pick = wait_for_pick(tmp_path / "rec00.abf", "window_ms S0")
        assert pick.value == pytest.approx([start + 0.5, end + 0.5], abs=0.006)
        assert (pick.origin, pick.by, pick.unit, pick.blind) == ("changed", "ana", "ms", True)
        page.locator(".lk-progress", has_text="1 of 6 confirmed").wait_for()
        assert page.locator(".lk-title").inner_text() == "R01 · S1"

        # an exclusion needs a reason
        page.keyboard.press("PageDown")
        page.keyboard.press("x")
        page.keyboard.press("Enter")
        assert page.locator(".lk-form").is_visible()
        page.keyboard.type("baseline drift")
        page.keyboard.press("Enter")
        page.locator(".lk-pill", has_text="excluded: baseline drift").wait_for()
        assert wait_for_pick(tmp_path / "rec01.abf", "exclude").value == "baseline drift"

        # JupyterLab's own keys (x cuts a cell, 0 0 restarts the kernel) stayed out of it, Ctrl S did not
        assert page.locator(".jp-Notebook .jp-CodeCell").count() == 1
        assert page.evaluate("() => jupyterapp.shell.currentWidget.context.model.dirty")
        page.keyboard.press("Control+s")
        page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")

        # after a reload the picks are still shown
        page.reload()
        wait_for_paint(page)
        page.locator(".lk-row").first.click()
        page.locator(".lk-pill[data-status=changed]").wait_for()
        wait_for_window(page, start + 0.5, end + 0.5)
        assert page.locator(".lk-row[data-status=excluded]").count() == 2
        assert foreign == []

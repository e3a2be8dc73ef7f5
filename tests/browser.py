"""JupyterLab and Chromium for the tests that drive a picker with a real mouse and a real keyboard."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from labkit import picks

CHROMIUM = next(
    (path for path in ("/usr/bin/chromium", shutil.which("chromium")) if path and Path(path).exists()), None
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: the pickers are not tried with a mouse"
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 60_000  # a busy machine starts a kernel in 2 to 20 s


@contextlib.contextmanager
def jupyterlab(folder: Path, code: str, *, theme: str = "JupyterLab Light"):
    """JupyterLab on a free port with a notebook of one cell; gives the notebook's address."""
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code.strip(), id="picker")],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(book, folder / "picker.ipynb")
    own = folder / "jupyter"
    themes = own / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    themes.parent.mkdir(parents=True)
    themes.write_text(json.dumps({"theme": theme}))
    news = own / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "LABKIT"))} | {
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_DATA_DIR": str(own / "data"),
        "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "IPYTHONDIR": str(own / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + PATIENCE_MS / 1000
            while True:
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api", timeout=5):
                    break
                assert server.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < deadline, "JupyterLab did not start"
                time.sleep(0.1)
            yield f"{address}/lab/tree/picker.ipynb"
        finally:
            server.terminate()
            server.wait(20)


@contextlib.contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def open_notebook(page, address: str) -> None:
    """Open the notebook and run its cell."""
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_function("() => globalThis.jupyterapp?.commands.hasCommand('notebook:run-all-cells')")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")


def foreign_requests(page) -> list[str]:
    """A list that fills with the addresses of other machines that the page asks for anything."""
    foreign: list[str] = []

    def note(request) -> None:
        if "127.0.0.1" not in request.url and request.url.startswith("http"):
            foreign.append(request.url)

    page.on("request", note)
    return foreign


def wait_for_pick(file: Path, name: str) -> picks.Pick:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        sidecar = picks.load(file)
        if sidecar and name in sidecar.picks:
            return sidecar.picks[name]
        time.sleep(0.02)
    raise AssertionError(f"{name} was not saved")

"""The project's files agree: one list of dependencies, a lock without addresses, thin notebooks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_conda_door_lists_nothing_of_its_own():
    lines = [line.split("#")[0].rstrip() for line in (ROOT / "environment.yml").read_text().splitlines()]
    items = [line.strip()[2:] for line in lines if line.strip().startswith("- ")]
    assert items == ["conda-forge", f"python{PROJECT['requires-python']}", "pip", "pip:", "-e .[dev]"]


def test_lock_holds_every_dependency_with_a_hash_and_no_address():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock, re.MULTILINE))
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=!~ ;]", item)[0].lower().replace("_", "-") for item in wanted}
    assert names <= locked, f"run make lock: {sorted(names - locked)} are not in requirements.lock"
    entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)


def test_installed_versions_satisfy_the_project():
    from importlib import metadata

    from packaging.requirements import Requirement

    for item in PROJECT["dependencies"]:
        requirement = Requirement(item)
        assert requirement.specifier.contains(metadata.version(requirement.name)), item


def test_licences_of_the_core_are_permissive():
    from importlib import metadata

    from packaging.requirements import Requirement

    for item in PROJECT["dependencies"]:
        meta = metadata.metadata(Requirement(item).name)
        stated = " ".join(
            [meta.get("License-Expression") or "", (meta.get("License") or "")[:80]]
            + [c for c in meta.get_all("Classifier") or [] if c.startswith("License")]
        )
        assert stated.strip(), f"{item} states no licence"
        assert not re.search(r"\bA?GPL", stated), f"{item}: {stated}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin(path):
    cells = json.loads(path.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) <= 12
    assert not any(re.search(r"^\s*(async def|def|class|lambda)\b", source, re.MULTILINE) for source in code)
    assert any("parameters" in cell["metadata"].get("tags", []) for cell in cells)
    outputs = json.dumps([cell.get("outputs", []) for cell in cells])
    assert str(ROOT) not in outputs, "an output shows a path of this machine"
    assert all(cell.get("outputs") is not None for cell in cells if cell["cell_type"] == "code")


def test_javascript_parses():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the pickers' JavaScript is not checked")
    scripts = sorted((ROOT / "labkit").rglob("*.js"))
    assert scripts
    for script in scripts:
        done = subprocess.run(
            [node, "--input-type=module", "--check"], input=script.read_text(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{script.name}: {done.stderr}"


def test_nothing_ships_a_machine_path_or_registry_address():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is not a git checkout: the list of shipped files is not known")
    registry = re.compile(
        r"https?://[a-z0-9.-]*(py" + r"pi|pythonhosted|npmjs|deb" + r"ian)[a-z0-9.-]*", re.IGNORECASE
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".abf", ".png", ".pdf", ".tif"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not registry.search(text), f"{name} names a package registry"
        assert str(ROOT) + "/" not in text, f"{name} holds a path of this machine"

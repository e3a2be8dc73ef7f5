"""The pickers' scripts in node: their maths without a page, and whether the joined module parses."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parent.parent / "labkit" / "pickers"


def _node(script: str, *options: str) -> str:
    tool = shutil.which("node")
    if tool is None:
        pytest.skip("node is not installed: the picker's script is not tried")
    command = [tool, "--input-type=module", *options]
    done = subprocess.run(command, input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def maths(script: str, expression: str) -> Any:
    """Value of an expression in the words of a script that needs no page."""
    source = (SCRIPTS / script).read_text(encoding="utf-8")
    return json.loads(_node(f"{source}\nconsole.log(JSON.stringify({expression}));"))


def check_module(script: str, style: str) -> None:
    """A widget's module parses, imports nothing and asks for nothing from outside."""
    _node(script, "--check")
    assert "import " not in script.split("export default")[0].replace("important", "")
    assert "://" not in script + style

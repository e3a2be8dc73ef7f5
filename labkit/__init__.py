"""Synaptic plasticity by three methods on the same animals, from raw files to statistics and a report."""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "open_study"]


def __getattr__(name: str) -> Any:
    # Both are looked up when first used, so that the command line answers --help at once.
    if name == "__version__":
        from importlib import metadata

        return metadata.version("labkit")
    if name == "open_study":
        from labkit.study import open_study

        return open_study
    raise AttributeError(f"module 'labkit' has no attribute {name!r}")

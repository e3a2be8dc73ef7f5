"""Paths of a picker taken from files of other programs, and confirmed dendrites written for them."""

from __future__ import annotations

from pathlib import Path

from labkit.errors import DataError
from labkit.pickers.dendrite_picks import DendritePicks
from labkit.pickers.dendrite_roi import read_rois, write_rois
from labkit.pickers.swc import read_swc, spaced, write_swc

__all__ = ["DendriteFiles"]


class DendriteFiles(DendritePicks):
    """`DendritePicks` that read and write SWC and regions of ImageJ."""

    def take(self, index: int, file: str | Path) -> None:
        """Take the path of item `index` from a file: SWC, or a line or set of ImageJ (.roi, .zip).

        Of a long tracing, points no farther apart than 8 µm are taken, and the path is traced through them.
        """
        item = self._item(index)
        file = Path(file)
        if file.suffix.lower() == ".swc":
            pieces = read_swc(file)
            if len(pieces) != 1:
                raise DataError(
                    f"the tracing has {len(pieces)} branches", expected="one", where=file.name,
                    todo="save the dendrite alone",
                )  # fmt: skip
            self.draw(index, spaced(pieces[0][0]))
        else:
            self.draw(index, read_rois(file, voxel_um=item.voxel_um)[0])

    def export(self, folder: str | Path) -> list[Path]:
        """Write each confirmed dendrite as ``CODE.swc`` (path and radius) and ``CODE.zip`` (for ImageJ)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for item in self._firsts():
            if self._is_complete(item):
                picked = self._picked_of(item)
                path, radius = picked.dendrite.path_um, getattr(picked.dendrite, "radius_um", None)
                written.append(write_swc(folder / f"{item.code}.swc", path, radius))
                size = item.voxel_um
                written.append(
                    write_rois(folder / f"{item.code}.zip", picked.waypoints_um, picked.spines, voxel_um=size)
                )
        return written

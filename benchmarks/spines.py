"""How long tracing, finding and measuring spines take, and how much memory, beside a ridge filter.

    python benchmarks/spines.py [--runs N] [--no-sato]

Three simulated dendrites of 90 um are put into a stack of 60 planes of 1024 x 1024 pixels, 16 bit, 0.12 um a
pixel, which is written to a temporary folder and read from there. Times are CPU seconds of one process, the
least of N runs; memory is by how much the peak of a new process grows over that of one that has only imported
the same modules. ``skimage.filters.sato`` with one sigma on the whole stack, the first step of many
pipelines, runs once in the same run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from labkit import spines
from labkit.demo import dendrite as simulated

VOXEL_UM = (1.0, 0.12, 0.12)
SHAPE = (60, 1024, 1024)
LENGTH_UM, N_SPINES, N_DENDRITES = 90.0, 70, 3
PEAK = """
import sys
def peak():
    try:
        lines = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except OSError:
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
import numpy as np, tifffile, scipy.ndimage, scipy.spatial
import skimage.filters, skimage.graph, skimage.segmentation
from labkit import spines
before = peak()
"""


def make(folder: Path) -> tuple[Path, list[np.ndarray]]:
    """The stack as a file, and the clicks on each of its dendrites."""
    rng = np.random.default_rng(0)
    whole = rng.poisson(60 * 0.05, SHAPE).astype(np.uint16)
    clicks = []
    for i in range(N_DENDRITES):
        made = simulated.simulate(
            seed=i, length_um=LENGTH_UM, n_spines=N_SPINES, voxel_um=VOXEL_UM, bend=0.15, apart_um=1.2
        )
        at = np.array([10, 20 + i * 330, 20])
        z, y, x = made.voxels.shape
        whole[at[0] : at[0] + z, at[1] : at[1] + y, at[2] : at[2] + x] = made.voxels
        clicks.append(made.waypoints + at)
    path = folder / "stack.tif"
    tifffile.imwrite(path, whole, imagej=True, metadata={"axes": "ZYX"})
    return path, clicks


def tiled(path: Path, times: int) -> Path:
    """The same stack with `times` as many pixels along y and x."""
    larger = path.with_name(f"tiled_{times}.tif")
    voxels = np.tile(tifffile.imread(path), (1, times, times))
    tifffile.imwrite(larger, voxels, imagej=voxels.nbytes < 2**32, bigtiff=voxels.nbytes >= 2**32)
    return larger


def run(path: Path, clicks: list[np.ndarray]) -> tuple[float, float, int]:
    """CPU seconds of tracing and of finding with measuring, and the number of spines."""
    stack = spines.read(path, voxel_um=VOXEL_UM, modality="fluorescence", axes="ZYX")
    tracing = finding = 0.0
    count = 0
    for waypoints in clicks:
        begun = time.process_time()
        dendrite = spines.trace(stack, waypoints)
        traced = time.process_time()
        count += len(spines.detect(stack, dendrite))
        tracing, finding = tracing + traced - begun, finding + time.process_time() - traced
    return tracing, finding, count


def least(path: Path, clicks: list[np.ndarray], runs: int) -> tuple[float, float, int]:
    run(path, clicks[:1])  # imports and the cache of the operating system
    return min((run(path, clicks) for _ in range(runs)), key=lambda one: one[0] + one[1])


def growth(code: str) -> float:
    """MB by which the peak memory of a new process grows over the imports, while it runs `code`."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + code + "\nprint(peak() - before)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-sato", action="store_true", help="leave out the filter (some minutes, 10 GB)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path, clicks = make(Path(name))
        print(f"{' x '.join(map(str, SHAPE))} uint16, {path.stat().st_size / 1e6:.0f} MB\n")
        print(f"  {'dendrite':>12}{'stack':>18}{'trace, s':>11}{'detect, s':>11}{'sum, s':>9}{'spines':>8}")
        largest = {1: path}
        for n, times in ((1, 1), (2, 1), (3, 1), (3, 2), (3, 4)):
            if times not in largest:
                largest[times] = tiled(path, times)
            tracing, finding, count = least(largest[times], clicks[:n], arguments.runs)
            size = f"{SHAPE[0]} x {SHAPE[1] * times} x {SHAPE[2] * times}"
            print(f"  {n * LENGTH_UM:9.0f} um{size:>18}{tracing:11.2f}{finding:11.2f}", end="")
            print(f"{tracing + finding:9.2f}{count:8d}")
            if (n, times) == (3, 1):
                whole = tracing + finding
        listed = [one.tolist() for one in clicks]
        for times in (1, 4):
            code = (
                f"path, options = {str(largest[times])!r}, dict(modality='fluorescence', axes='ZYX')\n"
                f"stack = spines.read(path, voxel_um={VOXEL_UM}, **options)\n"
                f"for clicks in {listed}:\n    spines.detect(stack, spines.trace(stack, clicks))"
            )
            print(f"\n  peak memory over the imports, {times}-fold stack: {growth(code):.0f} MB", end="")
        print()
        if not arguments.no_sato:
            voxels = tifffile.imread(path).astype(np.float32)
            from skimage.filters import sato

            begun = time.process_time()
            sato(voxels, sigmas=[2.0], black_ridges=False)
            seconds = time.process_time() - begun
            print(f"\n  sato, one sigma, whole stack: {seconds:.0f} s; {seconds / whole:.0f} times as long")


if __name__ == "__main__":
    main()

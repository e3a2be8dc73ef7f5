"""How long reading and measuring take, and how much memory, beside pyABF in the same run.

    python benchmarks/ltp.py [--runs N] [--no-big]

Two recordings are written to a temporary folder: an LTP experiment of usual size (480 sweeps of 2000
points) and a long one (5500 sweeps of 10000 points, 110 MB). Both are in the cache of the operating system
when they are timed, so that raw reading is as fast as it can be. Times are the least and the median of N
runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyabf

from labkit import ltp
from labkit.demo import abf, field

RATE_HZ = 20_000.0
STIMULUS = 600  # points: the first that Clampex allows in 10000 points is 156
SETSWEEP_CALLS = 20


def write(path: Path, *, sweeps: int, points: int) -> Path:
    """A recording that alternates nothing and is tested every 30 s, with some noise that repeats."""
    rng = np.random.default_rng(1)
    time_ms = (np.arange(points) - STIMULUS) / RATE_HZ * 1e3
    several = field.response(time_ms, rng=rng, slope_mV_per_ms=0.44 * rng.normal(1, 0.03, 40), latency_ms=2.6)
    several = several.astype(np.float32)
    return abf.write_abf1(
        path,
        [several[i % 40] for i in range(sweeps)],
        rate_hz=RATE_HZ,
        start_s=30.0 * np.arange(sweeps),
        epochs=abf.stimulus(points, STIMULUS),
    )


def timed(function: Callable[[], object], runs: int) -> tuple[float, float]:
    """Least and median seconds; the first run is not counted."""
    function()
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begun)
    return min(seconds), float(np.median(seconds))


def setsweep_loop(path: Path) -> float:
    """Seconds that fetching all sweeps one by one with pyABF takes, extrapolated from some calls."""
    recording = pyabf.ABF(str(path))
    begun = time.perf_counter()
    for i in range(SETSWEEP_CALLS):
        recording.setSweep(i)
    return (time.perf_counter() - begun) / SETSWEEP_CALLS * recording.sweepCount


def memory_growth(path: Path) -> float:
    """MB by which the peak memory of a new process grows while it reads and measures."""
    code = (
        "import resource, sys, numpy as np; from labkit import ltp; from labkit.demo import field\n"
        "def peak():\n"
        "    try:\n"
        "        lines = open('/proc/self/status').read().splitlines()\n"
        "        return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        "    except OSError:\n"
        "        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "t = (np.arange(500) - 100) / 20.0\n"
        "some = field.response(t, rng=np.random.default_rng(0), slope_mV_per_ms=np.full(8, 0.5))\n"
        "ltp.measure(ltp.Recording.from_arrays(some, rate_hz=20000.0, stimuli=5.0))\n"
        "before = peak()\n"
        "ltp.measure(ltp.read(sys.argv[1]))\n"
        "print((peak() - before) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def report(path: Path, *, runs: int) -> None:
    """Print times of one file and their ratios to raw reading."""
    size = path.stat().st_size / 2**20
    recording = ltp.read(path)
    raw = timed(lambda: np.fromfile(path, np.int16), runs)
    rows = [
        ("np.fromfile, all of the file", raw),
        ("labkit: read", timed(lambda: ltp.read(path), runs)),
        ("labkit: measure, all measures", timed(lambda: ltp.measure(recording), runs)),
        ("labkit: read and measure", timed(lambda: ltp.measure(ltp.read(path)), runs)),
        ("pyabf.ABF, load only", timed(lambda: pyabf.ABF(str(path)), min(runs, 3))),
    ]
    loop = setsweep_loop(path)
    rows.append((f"pyabf setSweep loop ({SETSWEEP_CALLS} calls, extrapolated)", (loop, loop)))
    print(
        f"\n{recording.n_sweeps} sweeps x {recording.n_points} points, {size:.0f} MB at {RATE_HZ / 1e3:g} kHz"
    )
    print(f"  {'':48}{'least, ms':>10}{'median, ms':>12}{'ratio to raw':>14}")
    for name, (least, middle) in rows:
        print(f"  {name:48}{1e3 * least:10.1f}{1e3 * middle:12.1f}{least / raw[0]:14.1f}")
    growth = memory_growth(path)
    print(f"  peak memory grows by {growth:.0f} MB: {growth / size:.2f} of the file")


def main() -> int:
    """Run both sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="runs of each timing (default: 7)")
    parser.add_argument("--no-big", action="store_true", help="leave the 110 MB file out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(write(Path(folder) / "usual.abf", sweeps=480, points=2000), runs=arguments.runs)
        if not arguments.no_big:
            report(write(Path(folder) / "long.abf", sweeps=5500, points=10_000), runs=arguments.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())

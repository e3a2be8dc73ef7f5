"""What labkit reads from a folder of recordings, file by file, and whether it falls into the known traps.

    python benchmarks/accuracy_recordings.py [--data FOLDER]
 The traps are files of pyABF's own collection (MIT licence) whose truth is known from the vendor's format:
the synch array, the waveform table, or the recording itself. What pyABF answers stands beside, from the same
run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyabf

from labkit.errors import RecordingError
from labkit.ltp.abf import open_abf
from labkit.ltp.recording import Recording, read

ROOT = Path(__file__).resolve().parents[1]


class Trap(NamedTuple):
    """One fact that is easily got wrong: how to find it, what it is, and how near is right."""

    file: str
    what: str
    expected: float
    tolerance: float
    find: Callable[[Recording], float]
    peer: Callable[[pyabf.ABF], float] | None = None
    channel: str | None = None


def interval_s(recording: Recording) -> float:
    """Median time from the start of one sweep to that of the next."""
    return float(np.median(np.diff(recording.start_s)))


def first_ms(recording: Recording) -> float:
    """Time of the first stimulus within its sweep."""
    return float(recording.stimuli["time_ms"].iloc[0])


def pulses(recording: Recording) -> float:
    """Pulses of the first stimulus."""
    return float(recording.stimuli["pulses"].iloc[0])


def _peer_interval(abf: pyabf.ABF) -> float:
    return abf.sweepIntervalSec


# Tolerances: one tick of the synch array for times (12.5 µs, 62 µs in File_axon_7), one point for stimuli.
TRAPS = (
    Trap("05210017_vc_abf1.abf", "sweep interval, s", 60, 2e-5, interval_s, _peer_interval),
    Trap("File_axon_3.abf", "sweep interval, s", 90, 2e-5, interval_s, _peer_interval),
    Trap("f1.abf", "sweep interval, s", 3, 2e-5, interval_s, _peer_interval),
    Trap("multichannelAbf1WithTags.abf", "sweep interval, s", 2, 2e-5, interval_s, _peer_interval),
    Trap("File_axon_7.abf", "sweep interval, s", 8.93, 5e-3, interval_s, _peer_interval),
    Trap("File_axon_7.abf", "sampling rate, Hz", 1e6 / 2480, 1e-6, lambda r: r.rate_hz, lambda a: a.dataRate),
    Trap(
        "2018_11_16_sh_0006.abf",
        "sweep of the tag",
        36,
        0,
        lambda r: r.tags["sweep"].iloc[0],
        lambda a: a.tagSweeps[0],
    ),
    Trap(
        "2020_06_16_0000.abf",
        "points of sweep 1",
        70040,
        0,
        lambda r: r.lengths[1],
        lambda a: a.sweepPointCount,
    ),
    Trap(
        "2020_06_16_0001.abf",
        "points of sweep 1",
        11040,
        0,
        lambda r: r.lengths[1],
        lambda a: a.sweepPointCount,
    ),
    Trap("File_axon_3.abf", "stimulus, ms", 17.5, 0.05, first_ms),
    Trap("f1.abf", "pulses at 50 Hz", 5, 0, pulses, channel="CH1"),
    Trap("17o05026_vc_stim.abf", "light pulse, ms", 1156.25, 0.05, first_ms),
    # The protocol is named after 15 pulses, but the output that has them is switched off; the other gives 20.
    Trap("18425108.abf", "pulses of the enabled output", 20, 0, pulses),
    Trap("18425108_abf1.abf", "pulses of the enabled output", 20, 0, pulses),
    Trap("opto_aps_good_units.abf", "pulses at 10 Hz", 50, 0, pulses),
    Trap(
        "opto_aps_bad_units.abf", "warnings of a unit that is no voltage", 1, 0, lambda r: _unit_warnings(r)
    ),
    Trap(
        "sine sweep magnitude 20.abf",
        "warnings of a unit that is no voltage",
        1,
        0,
        lambda r: _unit_warnings(r),
    ),
    Trap("invalidDate-abf1.abf", "dates in the header", 0, 0, lambda r: float(r.recorded_at is not None)),
    Trap("invalidDate-abf2.abf", "dates in the header", 0, 0, lambda r: float(r.recorded_at is not None)),
)


def _unit_warnings(recording: Recording) -> float:
    return float(sum("not a voltage" in text for text in recording.warnings))


def read_all(folder: Path) -> None:
    """Print what each file of a folder holds, or why it is refused."""
    for path in sorted(folder.glob("*.abf")):
        print(path.name)
        try:
            file, recording = open_abf(path), read(path)
        except RecordingError as refused:
            print(f"    refused: {refused}")
            continue
        every = f"every {interval_s(recording):.6g} s" if recording.n_sweeps > 1 else "one sweep"
        lengths = sorted({int(length) for length in recording.lengths})
        points = " or ".join(map(str, lengths[:3])) + (", ..." if len(lengths) > 3 else "")
        print(
            f"    {file.version} {file.mode}; channel {recording.channel} in {recording.unit}; "
            f"{recording.rate_hz:.6g} Hz; {recording.n_sweeps} x {points} points, {every}"
        )
        for tag in recording.tags.itertuples():
            print(f"    tag in sweep {tag.sweep}, {tag.time_s:.6g} s: {tag.comment}")
        names, counts = np.unique(recording.pathway, return_counts=True)
        print("    pathways: " + ", ".join(f"{a} {n} sweeps" for a, n in zip(names, counts, strict=True)))
        groups = recording.stimuli.groupby(["kind", "pulses", "source"]).agg(
            {"time_ms": "first", "sweep": "size"}
        )
        for (kind, n, source), row in groups.iterrows():
            print(f"    stimuli: {row.sweep:g} x {kind} of {n} at {row.time_ms:.6g} ms ({source})")
        if groups.empty:
            print("    stimuli: none")
        for text in recording.warnings:
            print(f"    warning: {text}")


def check_traps(folder: Path) -> bool:
    """Print expected and found for every trap; True when none was fallen into."""
    good = True
    print(f"{'file':30} {'fact':38} {'expected':>10} {'found':>10} {'ok':>4} {'pyABF':>10}")
    for trap in TRAPS:
        path = folder / trap.file
        if not path.exists():
            print(f"{trap.file:30} {trap.what:38} not in the folder")
            continue
        found = float(trap.find(read(path, channel=trap.channel)))
        ok = abs(found - trap.expected) <= trap.tolerance
        good &= ok
        peer = f"{trap.peer(pyabf.ABF(path, loadData=False)):10.6g}" if trap.peer else f"{'-':>10}"
        values = f"{trap.expected:10.6g} {found:10.6g} {'yes' if ok else 'NO':>4} {peer}"
        print(f"{trap.file:30} {trap.what:38} {values}")
    return good


def main() -> int:
    """Read the folder, then the traps; 1 when a trap was fallen into, 2 when the folder is not there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/real/ltp/pyabf", metavar="FOLDER")
    folder = parser.parse_args().data
    if not folder.is_dir():
        print(f"{folder}: there is no such folder; name one with --data", file=sys.stderr)
        return 2
    read_all(folder)
    print()
    return 0 if check_traps(folder) else 1


if __name__ == "__main__":
    sys.exit(main())

"""How right the measures of field potentials are: on real recordings, on hand marks, and on stated truth.

    python benchmarks/accuracy_ltp.py [--data FOLDER] [--simulated] [--seeds N]

A folder is read by what lies in it: ``conditions.csv`` with recordings of input-output curves (and a table
``reference_<recording>.csv`` from another program beside any of them), ``*_markings.mat`` with hand marks and
measured results, or other recordings, whose reading is then checked by ``accuracy_recordings.py``. Without a
folder the first two kinds are looked for where this project keeps real data, and the simulated table follows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from labkit import ltp
from labkit.demo import field

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "real" / "ltp"

# The other program's definition of the slope: mean of the repeats, Savitzky-Golay of 21 samples and order
# 3, the steepest sample 2.5 to 5 ms after the start of the sweep, and the line through it and four samples
# on either side.
REFERENCE = {"method": "max", "smooth_ms": 1.05, "line_ms": 0.4, "polarity": -1}
REFERENCE_WINDOW_MS = (2.5, 5.0)
WITHIN_PERCENT = 1.0

# n responses before and as many after an induction that makes 150 %.
N, PERCENT, RATE_HZ = 400, 150.0, 20_000.0
SHAPES = {
    "rise 1.5, decay 8, power 2": (1.5, 8.0, 2.0),
    "rise 1.0, decay 6, power 3": (1.0, 6.0, 3.0),
    "rise 2.0, decay 12, power 1": (2.0, 12.0, 1.0),
    "rise 2.5, decay 12, power 2": (2.5, 12.0, 2.0),
    "rise 0.7, decay 10, power 3": (0.7, 10.0, 3.0),
}
CASES = {
    "nothing": {},
    "0.3 mV, 20 µV noise": {"amplitude": 0.3},
    "latency +0.3 ms": {"later": 0.3},
    "population spike": {"spike": 0.3},
    "artefact tail x2": {"tail": (0.3, 1.2)},
    "large slow tail x2": {"tail": (0.8, 2.5)},
    "all at 0.3 mV": {"amplitude": 0.3, "later": 0.3, "spike": 0.3, "tail": (0.8, 2.5)},
    "early spike": {"spike": 0.4, "spike_at": 0.75},
}


# Input-output curves


def check_curves(folder: Path) -> bool:
    """Repeats, monotony and the two slopes of every recording of `conditions.csv`, then the references."""
    conditions = pd.read_csv(folder / "conditions.csv")
    print(f"\n{folder}: {len(conditions)} input-output curves")
    print(
        "  CV: of the repeats of one intensity, median over responding intensities;\n"
        "  monotone: no step down by more than 5 %; ratio: 20-80 % slope over maximum slope of the means,\n"
        "  least to greatest over responding intensities\n"
    )
    print(
        f"  {'recording':18}{'region':7}{'window, ms':>12}{'tail, ms':>9}   {'CV %: 20-80':>11}{'max':>6}",
        end="",
    )
    print(
        f"{'plain 20-80':>13}   {'monotone: 20-80':>16}{'max':>5}{'plain':>7}   {'ratio':>11}{'flagged':>9}"
    )
    rows = []
    for one in conditions.itertuples():
        repeats = int(one.repeats)
        recording = ltp.read(folder / one.file)
        single, mean = ltp.measure(recording), ltp.measure(recording, average=repeats)
        intensities = len(mean)
        # The noise of single responses is known from a few samples only; that of the whole recording, well.
        amplitude = mean["amplitude_mV"].to_numpy()
        responding = amplitude > 10 * float(mean["baseline_noise_mV"].median())
        plain, plain_mean = plain_slope(recording, 1), plain_slope(recording, repeats)

        def scatter(values: np.ndarray, shape=(intensities, repeats), counted=responding) -> float:
            table = np.asarray(values, float).reshape(shape)
            return float(np.median((table.std(axis=1, ddof=1) / np.abs(table.mean(axis=1)))[counted])) * 100

        def monotone(values: np.ndarray, counted=responding) -> bool:
            kept = np.asarray(values, float)[counted]
            return bool(np.all(np.diff(kept) > -0.05 * kept[:-1]))

        slope, steepest = mean["slope_mV_per_ms"].to_numpy(), mean["max_slope_mV_per_ms"].to_numpy()
        ratio = (slope / steepest)[responding]
        window, tail = mean.attrs["window_ms"]["S0"], mean.attrs["tail_ms"]["S0"]
        row = {
            "cv": scatter(single["slope_mV_per_ms"]),
            "cv_max": scatter(single["max_slope_mV_per_ms"]),
            "cv_plain": scatter(plain),
            "monotone": monotone(slope),
            "monotone_max": monotone(steepest),
            "monotone_plain": monotone(plain_mean),
            "least": ratio.min(),
            "least_unflagged": ratio[(mean["flags"] == "").to_numpy()[responding]].min(),
            "plain_least": (plain_mean / steepest)[responding].min(),
        }
        rows.append(row)
        print(
            f"  {Path(one.file).stem:18}{one.region:7}{window[0]:6.2f}-{window[1]:.2f}{tail:9.2f}   ", end=""
        )
        print(
            f"{row['cv']:11.1f}{row['cv_max']:6.1f}{row['cv_plain']:13.1f}   {row['monotone']!s:>16}", end=""
        )
        print(
            f"{row['monotone_max']!s:>6}{row['monotone_plain']!s:>6}   {ratio.min():5.2f}-{ratio.max():.2f}",
            end="",
        )
        print(f"{int((mean['flags'][responding] != '').sum()):6} of {int(responding.sum())}")
    table = pd.DataFrame(rows)
    print(
        f"\n  median CV: 20-80 {table['cv'].median():.2f} %, maximum {table['cv_max'].median():.2f} %, "
        f"plain 20-80 {table['cv_plain'].median():.2f} %; monotone: {table['monotone'].sum()}, "
        f"{table['monotone_max'].sum()}, {table['monotone_plain'].sum()} of {len(table)}"
    )
    sane = bool((table["least"] > 0.4).all() and (table["least_unflagged"] > 0.5).all())
    print(
        f"  least ratio of the two slopes {table['least'].min():.2f}, of responses without a flag "
        f"{table['least_unflagged'].min():.2f} (plain 20-80 {table['plain_least'].min():.2f}): "
        f"{'no slope collapses' if sane else 'SLOPES COLLAPSE'}"
    )
    agree = [check_reference(path, conditions) for path in sorted(folder.glob("reference_*.csv"))]
    return sane and all(agree)


def check_reference(path: Path, conditions: pd.DataFrame) -> bool:
    """Slopes of one recording against another program's table, by that program's definition."""
    stem = path.stem.removeprefix("reference_")
    row = conditions[conditions["file"].str.startswith(stem)].iloc[0]
    recording = ltp.read(path.parent / row["file"])
    reference = pd.read_csv(path)
    at_ms = float(recording.stimuli["time_ms"].median())
    window = tuple(x - at_ms for x in REFERENCE_WINDOW_MS)
    repeats = int(row["repeats"])
    theirs = reference["epsp_slope"].to_numpy()
    ours = ltp.measure(recording, average=repeats, window_ms=window, **REFERENCE)[
        "slope_mV_per_ms"
    ].to_numpy()
    default = ltp.measure(recording, average=repeats)["slope_mV_per_ms"].to_numpy()
    away = 100 * (ours / theirs - 1)
    within = int((np.abs(away) <= WITHIN_PERCENT).sum())
    print(f"\n  {path.name}: slopes in mV/ms")
    print(
        f"  {'µA':>6}{'reference':>12}{'by its definition':>20}{'away, %':>12}{'20-80 %':>12}{'away, %':>10}"
    )
    for i, intensity in enumerate(reference["stim_intensity"]):
        print(f"  {intensity:6g}{theirs[i]:12.4f}{ours[i]:20.4f}{away[i]:12.1e}", end="")
        print(f"{default[i]:12.4f}{100 * (default[i] / theirs[i] - 1):10.1f}")
    print(f"  {within} of {len(theirs)} within {WITHIN_PERCENT:g} %")
    return within == len(theirs)


def plain_slope(recording: ltp.Recording, average: int) -> np.ndarray:
    """20-80 % of the way from baseline to the lowest point of each low-passed trace: what many scripts do."""
    start = recording.stimuli["time_ms"].to_numpy() * recording.rate_hz / 1e3
    sweeps, point = recording.sweeps_mV, round(float(np.median(start)))
    time_ms = (np.arange(sweeps.shape[1]) - point) / recording.rate_hz * 1e3
    up = -sweeps.reshape(-1, average, sweeps.shape[1]).mean(axis=1)
    return plain_20_80(
        up - up[:, : point - 1].mean(axis=1, keepdims=True), time_ms, blank_ms=0.7, smooth=True
    )


def plain_20_80(up: np.ndarray, time_ms: np.ndarray, *, blank_ms: float, smooth: bool) -> np.ndarray:
    """Line between the last samples under 20 and 80 % of the greatest sample 2 to 10 ms after stimulation."""
    if smooth:
        from scipy.signal import butter, sosfiltfilt

        first, last = np.searchsorted(time_ms, (-1e-9, blank_ms))
        up = up.copy()
        up[:, first : last + 1] = np.linspace(0, 1, last - first + 1) * up[:, [last]]
        rate_hz = 1e3 / (time_ms[1] - time_ms[0])
        up = sosfiltfilt(butter(2, 1000, fs=rate_hz, output="sos"), up, axis=1)
    inside = np.flatnonzero((time_ms >= 2.0) & (time_ms <= 10.0))
    out = []
    for trace in up:
        peak = inside[0] + int(np.argmax(trace[inside]))
        low, high = (np.flatnonzero(trace[:peak] <= part * trace[peak])[-1:] for part in (0.2, 0.8))
        rows = slice(int(low[0]) if low.size else 0, (int(high[0]) if high.size else 0) + 2)
        out.append(np.polyfit(time_ms[rows], trace[rows], 1)[0])
    return np.array(out)


# Hand marks


def check_marks(folder: Path) -> bool:
    """Amplitudes and slopes between hand marks against those measured by another program."""
    from scipy.io import loadmat

    good = True
    for path in sorted(folder.glob("*_markings.mat")):
        other = path.with_name(path.name.replace("_markings", "_results"))
        if not other.exists():
            continue
        held, results = loadmat(path), loadmat(other)["results"][0, 0]
        marks, theirs = held["markings"][0, 0], results["all_traces"][0, 0]
        low, high = (100 * float(x) for x in results["slope_area"].ravel())
        away = []
        for where in np.ndindex(held["traces"].shape):
            ours = ltp.measure_marks(
                held["traces"][where].T,
                start=marks["starts"][where].ravel().astype(float) - 1,
                peak=marks["peaks"][where].ravel().astype(float) - 1,
                rate_hz=20_000,
                method=f"{low:g}-{high:g}",
            )
            for column, name in (("amplitude_mV", "Amp"), ("slope_mV_per_ms", "Slope")):
                away.append(np.abs(ours[column].to_numpy() - theirs[name][where].ravel()))
        n = sum(map(len, away)) // 2
        worst = [float(np.max(np.concatenate(part))) for part in (away[::2], away[1::2])]
        ok = max(worst) < 1e-9
        print(f"\n{path}: {n} hand-marked responses, {low:g}-{high:g} %")
        print(f"  greatest difference: amplitude {worst[0]:.1e} mV, slope {worst[1]:.1e} mV/ms", end="")
        print("" if ok else "  DIFFERENT")
        good &= ok
    return good


# Stated truth


def simulate(case: dict, shape: tuple[float, float, float], seed: int) -> tuple[ltp.Recording, float]:
    """A recording of N responses, an induction, and N more of 150 %; and the true slope at baseline."""
    rise, decay, power = shape
    truth = field.fepsp_shape(rise_ms=rise, decay_ms=decay, power=power)
    after = np.repeat([0.0, 1.0], N)
    amplitude = case.get("amplitude", 1.0)
    level, decay_ms = case.get("tail", (0.3, 1.2))
    doubled = 1 + after if "tail" in case else np.ones(2 * N)
    latency = 2.6 + case.get("later", 0.0) * after
    time_ms = (np.arange(500) - 100) / RATE_HZ * 1e3
    sweeps = field.response(
        time_ms,
        rng=np.random.default_rng(seed),
        slope_mV_per_ms=amplitude * truth.slope_per_mV * (1 + (PERCENT / 100 - 1) * after),
        latency_ms=latency,
        rise_ms=rise,
        decay_ms=decay,
        power=power,
        volley_mV=0.1 * amplitude,
        population_spike_mV=case.get("spike", 0.0) * amplitude * PERCENT / 100 * after,
        population_spike_ms=latency + case.get("spike_at", 0.95) * truth.peak_ms,
        tail_mV=level * amplitude * doubled,
        tail_ms=decay_ms,
        noise_mV=0.02,
    )
    start_s = 30.0 * np.arange(2 * N)
    recording = ltp.Recording.from_arrays(
        sweeps, rate_hz=RATE_HZ, stimuli=5.0, start_s=start_s, induction_s=float(start_s[N] - 15)
    )
    return recording, amplitude * truth.slope_per_mV


def all_methods(recording: ltp.Recording) -> dict[str, np.ndarray]:
    """The slope of each response by each method."""
    table = ltp.measure(recording)
    sweeps = recording.sweeps_mV
    time_ms = np.arange(sweeps.shape[1]) / recording.rate_hz * 1e3 - 5.0
    up = -(sweeps - sweeps[:, time_ms < -0.5].mean(axis=1, keepdims=True))
    return {
        "20-80 % (default)": table["slope_mV_per_ms"].to_numpy(),
        "20-80 %, tail left in": ltp.measure(recording, remove_tail=False)["slope_mV_per_ms"].to_numpy(),
        "10-90 %": ltp.measure(recording, method="10-90")["slope_mV_per_ms"].to_numpy(),
        "maximum slope": table["max_slope_mV_per_ms"].to_numpy(),
        "fixed window": table["fixed_slope_mV_per_ms"].to_numpy(),
        "amplitude": table["amplitude_mV"].to_numpy(),
        "plain 20-80 %, raw": plain_20_80(up, time_ms, blank_ms=0.7, smooth=False),
        "plain 20-80 %, 1 kHz": plain_20_80(up, time_ms, blank_ms=0.7, smooth=True),
    }


def check_simulated(seeds: int) -> bool:
    """Potentiation that each method reads where 150 % is true, and the scatter of single responses."""
    print(
        f"\nSimulated: {N} + {N} responses at 20 kHz, 20 µV noise, true potentiation {PERCENT:g} %, "
        f"{seeds} seeds"
    )
    shape = next(iter(SHAPES))
    print(f"\n  What each method reads, in % (and SD of single baseline responses in %); {shape}\n")
    found: dict[str, dict[str, list]] = {}
    for name, case in CASES.items():
        for seed in range(seeds):
            recording, _ = simulate(case, SHAPES[shape], seed)
            for method, values in all_methods(recording).items():
                found.setdefault(method, {}).setdefault(name, []).append(_reading(values))
    width = max(map(len, CASES)) + 3
    print("  " + " " * 24 + "".join(f"{name:>{width}}" for name in CASES))
    for method, cases in found.items():
        cells = (f"{np.mean(x, axis=0)[0]:.1f} ({np.mean(x, axis=0)[1]:.1f})" for x in cases.values())
        print(f"  {method:24}" + "".join(f"{cell:>{width}}" for cell in cells))
    print(
        "\n  The default on other shapes of the fEPSP: "
        "what it reads ± SD over seeds, and bias of the baseline slope in %\n"
    )
    print("  " + " " * 30 + "".join(f"{name:>{width}}" for name in CASES))
    worst = 0.0
    for shape, form in SHAPES.items():
        cells = []
        for name, case in CASES.items():
            reads, biases = [], []
            for seed in range(seeds):
                recording, true = simulate(case, form, seed)
                slope = ltp.measure(recording)["slope_mV_per_ms"].to_numpy()
                reads.append(_reading(slope)[0])
                biases.append(100 * (slope[:N].mean() / true - 1))
            if name != "early spike":
                worst = max(worst, abs(float(np.mean(reads)) - PERCENT))
            cells.append(f"{np.mean(reads):.1f}±{np.std(reads):.1f} {np.mean(biases):+.1f}")
        print(f"  {shape:30}" + "".join(f"{cell:>{width}}" for cell in cells))
    ok = worst <= 2.0
    print(
        f"\n  The default is at most {worst:.1f} points off ('early spike', a harder case, apart): ", end=""
    )
    print("within 2 points" if ok else "MORE THAN 2 POINTS")
    return ok


def _reading(values: np.ndarray) -> tuple[float, float]:
    """Potentiation in %, and SD of the baseline in % of its mean."""
    before, after = values[:N], values[N:]
    return float(100 * after.mean() / before.mean()), float(100 * before.std(ddof=1) / before.mean())


def check_folder(folder: Path) -> bool:
    """Whatever the folder holds."""
    if (folder / "conditions.csv").exists():
        return check_curves(folder)
    if any(folder.glob("*_markings.mat")):
        return check_marks(folder)
    import accuracy_recordings

    return bool(accuracy_recordings.check_traps(folder))


def main() -> int:
    """Exit status 1 when something is off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, action="append", help="folder of real recordings; may be repeated"
    )
    parser.add_argument("--simulated", action="store_true", help="the simulated table as well")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each simulated case (default: 3)")
    arguments = parser.parse_args()
    folders = arguments.data or [path for path in (REAL / "evoked", REAL / "slutsky") if path.is_dir()]
    good = []
    for folder in folders:
        if not folder.is_dir():
            parser.error(f"there is no folder {folder}")
        good.append(check_folder(folder))
    if arguments.simulated or not arguments.data:
        good.append(check_simulated(arguments.seeds))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())

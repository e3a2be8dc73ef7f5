"""The LTP recordings of the demo study, simulated from stated truth.

Three groups of animals, some slices from each, a field recording from each slice: 20 minutes of test pulses,
three trains of high-frequency stimulation (HFS), 60 minutes of test pulses. What a perfect measurement would
find is known for every pathway. The rest is as rigs leave it: two versions of the file format, one file or
three, one pathway or two in turn, induction known from the protocol, a tag or only the sheet, noise, and
planted mistakes. M responses of N points.

Slices draw from streams of their own, so that one of them can be made again without the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labkit.demo import abf, field

__all__ = [
    "ANIMAL_SD",
    "GROUPS",
    "SEED",
    "SLICE_SD",
    "Slice",
    "design",
    "file_names",
    "true_values",
    "write_slice",
]

Floats = NDArray[np.float64]

# One whose animals lie near the stated means, so that the demo study finds about what was put into it.
SEED = 101
# Name in animals.csv, label in figures, dose in mg/kg, mean potentiation in % of baseline.
GROUPS = (
    ("vehicle", "Vehicle", 0, 135.0),
    ("levomilnacipran 10 mg/kg", "10 mg/kg", 10, 150.0),
    ("levomilnacipran 30 mg/kg", "30 mg/kg", 30, 165.0),
)
ANIMAL_SD, SLICE_SD = 14.0, 9.0
RESPONSE_CV = 0.04
SLICES_OF_ANIMALS = (1, 1, 2, 2, 2, 2, 3)
PLANTED = (
    *("baseline drift", "wrong unit", "volley change", "glitches"),
    *("two channels", "file order", "glitches"),
)

BASELINE_S, POST_S, INTERVAL_S = 1200, 3600, 30
# The third and last train begins so long after the first sweep; it is time zero.
INDUCTION_S = 1245.0
TRAINS_S = (-40.0, -20.0, 0.0)
FIRST_POST_S = 30.0
SWEEP_MS, STIMULUS_MS = 40.0, 5.0
TRAIN_SWEEP_MS, TRAIN_STIMULUS_MS, TRAIN_PULSES, TRAIN_PERIOD_MS = 1100.0, 50.0, 100, 10.0
# Clampex starts the first sweep a little after the clock of the file.
LEAD_S = 0.021
POST_MINUTES, NORMALISE_MINUTES = (50.0, 60.0), 10.0
_TAGS = ("HFS 3x100 Hz", "tetanus", "LTP induction", "hfs 3x1s")


@dataclass(frozen=True)
class Slice:
    """One slice as planned: where it comes from, how it is recorded, how much it potentiates."""

    index: int
    seed: int
    animal: str
    slice: str
    group: str
    plateau_percent: float
    recorded_at: datetime
    rig: str  # "A" writes ABF2, "B" writes ABF1
    numbers: tuple[int, ...]  # of its files, within the day
    layout: str  # "tag", "three files" or "sheet": how the induction is documented
    test: str  # pathway that receives HFS
    control: str  # the other one, or ''
    population_spike: bool
    planted: str

    @property
    def recording(self) -> str:
        return f"{self.animal}-{self.slice}"

    @property
    def rate_hz(self) -> float:
        """Single pathways are sampled at 20 kHz on rig A, all others at 10 kHz."""
        return 20_000.0 if self.rig == "A" and not self.control else 10_000.0


def design(*, seed: int = SEED) -> tuple[pd.DataFrame, tuple[Slice, ...]]:
    """Animals and slices of the study.

    Each cage holds one animal of each group, allotted by chance; cages alternate between males and females.

    Returns
    -------
    animals : DataFrame
        animal, group, sex, cage, batch, weight_g.
    slices : tuple of Slice
        In order of recording.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    animals, slices = [], []
    counts = [rng.permutation(SLICES_OF_ANIMALS) for _ in GROUPS]
    day = datetime(2026, 3, 2)
    for cage in range(len(SLICES_OF_ANIMALS)):
        male = cage % 2 == 0
        for place in rng.permutation(len(GROUPS)):
            name, _, _, mean = GROUPS[place]
            animal = f"M{len(animals) + 1:02d}"
            weight = float(rng.normal(28.0 if male else 22.5, 1.2))
            sex, batch = "M" if male else "F", 1 + cage // 3
            animals.append((animal, name, sex, f"C{cage + 1}", batch, round(weight, 1)))
            own = mean + rng.normal(0.0, ANIMAL_SD)
            start = day + timedelta(hours=10, minutes=float(rng.uniform(0, 40)))
            number = int(rng.integers(0, 3))
            for j in range(counts[place][cage]):
                index = len(slices)
                three, two, swapped = index % 5 in (1, 3), index % 3 != 2, index % 7 == 4
                numbers = tuple(number + k for k in range(3 if three else 1))
                number += 2 + int(rng.integers(1, 4))
                slices.append(
                    Slice(
                        index=index,
                        seed=seed,
                        animal=animal,
                        slice=str(j + 1),
                        group=name,
                        plateau_percent=own + rng.normal(0.0, SLICE_SD),
                        recorded_at=start.replace(microsecond=start.microsecond // 1000 * 1000),
                        rig="B" if len(animals) % 3 == 2 else "A",
                        numbers=numbers,
                        layout="three files" if three else "sheet" if index in (12, 27) else "tag",
                        test="S1" if two and swapped else "S0",
                        control="" if not two else "S0" if swapped else "S1",
                        population_spike=index % 4 == 0,
                        planted="",
                    )
                )
                start += timedelta(minutes=float(rng.uniform(100, 125)))
            day += timedelta(days=3 if day.weekday() == 4 else 1)
    table = pd.DataFrame(animals, columns=["animal", "group", "sex", "cage", "batch", "weight_g"])
    return table, _with_planted(slices)


def _with_planted(slices: list[Slice]) -> tuple[Slice, ...]:
    """Plant one mistake each in slices of animals that have another slice."""
    second = [s.index for s in slices if s.slice == "2"]
    for index, planted in zip(second[::2], PLANTED, strict=False):
        changes: dict[str, Any] = {"planted": planted}
        if planted == "file order" and slices[index].layout != "three files":
            first = slices[index].numbers[0]
            changes |= {"layout": "three files", "numbers": (first, first + 1, first + 2)}
        if planted == "two channels":
            changes |= {"layout": "tag", "numbers": slices[index].numbers[:1]}
        slices[index] = replace(slices[index], **changes)
    return tuple(slices)


def file_names(item: Slice) -> tuple[str, ...]:
    """Date and number within the day, as Clampex 10 writes them, or Clampex 9 with a hexadecimal month."""
    date = item.recorded_at
    if item.rig == "A":
        return tuple(f"{date:%Y_%m_%d}_{number:04d}.abf" for number in item.numbers)
    return tuple(f"{date:%y}{date.month:X}{date:%d}{number:03d}.abf" for number in item.numbers)


@dataclass(frozen=True)
class _Pathway:
    """Test pulses of one pathway: seconds after the first sweep, and what they truly evoke, (M,) each."""

    name: str
    bit: int
    time_s: Floats
    slope: Floats
    expected: Floats  # the slope without the variation from response to response
    volley_mV: Floats
    latency_ms: Floats
    shape: dict[str, Any]  # what does not change: artefact, rise, decay, time of the volley
    spike_mV: float

    @property
    def minutes(self) -> Floats:
        return (self.time_s - INDUCTION_S) / 60

    def waves(self, time_ms: Floats, **changes: Any) -> Floats:
        """Noise-free responses, (M, N) mV."""
        spike = self.spike_mV * (self.slope / self.expected[0]) ** 2
        values = {"slope_mV_per_ms": self.slope, "latency_ms": self.latency_ms, "volley_mV": self.volley_mV}
        values |= {"population_spike_mV": spike, **self.shape, **changes}
        return field.response(time_ms, rng=None, **values)


def _pathways(item: Slice, rng: np.random.Generator) -> tuple[_Pathway, ...]:
    """The test pathway and the control pathway, if there is one, in the order of their outputs."""
    names = sorted(filter(None, [item.test, item.control]))
    pathways = []
    for turn, name in enumerate(names):
        test = name == item.test
        delay = turn * INTERVAL_S / len(names)
        before = delay + np.arange(0.0, BASELINE_S, INTERVAL_S)
        after = INDUCTION_S + FIRST_POST_S + delay + np.arange(0.0, POST_S, INTERVAL_S)
        time_s = np.concatenate([before, after])
        minutes = (time_s - INDUCTION_S) / 60
        slope = rng.uniform(0.28, 0.5)
        plateau = item.plateau_percent if test else rng.normal(100.0, 3.0)
        # Post-tetanic and short-term potentiation above the plateau; a brief depression of the other pathway.
        early = rng.normal(0.6, 0.12) if test else rng.normal(-0.08, 0.02)
        later = rng.normal(0.15, 0.04) if test else 0.0
        t = np.clip(minutes, 0.0, None)
        gained = plateau / 100 + early * np.exp(-t / 3) + later * np.exp(-t / 12)
        expected = slope * np.where(minutes < 0, 1.0, gained)
        volley = np.full(time_s.size, rng.uniform(0.1, 0.2))
        if item.planted == "baseline drift":
            expected = expected * (1 - 0.25 * -np.expm1(-time_s / 1200) / -np.expm1(-4.0))
        if item.planted == "volley change" and test:
            lost = np.where(minutes < 0, 1.0, 0.72)
            expected, volley = expected * lost, volley * lost
        drift_ms = rng.uniform(0.0, 0.25) * time_s / time_s[-1]
        pathways.append(
            _Pathway(
                name=name,
                bit=1 << int(name[1:]),
                time_s=time_s,
                slope=expected * (1 + RESPONSE_CV * rng.standard_normal(time_s.size)),
                expected=expected,
                volley_mV=volley,
                latency_ms=rng.uniform(2.5, 3.0) + drift_ms + 0.03 * rng.standard_normal(time_s.size),
                shape={
                    "rise_ms": rng.uniform(1.3, 1.8),
                    "decay_ms": rng.uniform(7.0, 10.0),
                    "volley_ms": rng.uniform(1.3, 1.5),
                    "pulse_mV": rng.uniform(3.0, 8.0),
                    "tail_mV": rng.uniform(0.15, 0.45),
                    "tail_ms": rng.uniform(0.7, 1.2),
                },
                spike_mV=rng.uniform(0.08, 0.15) if item.population_spike else 0.0,
            )
        )
    return tuple(pathways)


def _rng(item: Slice, part: int) -> np.random.Generator:
    """A stream for each part of a slice: 0 its truth, 1 its noise."""
    return np.random.default_rng(np.random.SeedSequence(item.seed, spawn_key=(item.index, part)))


def true_values(item: Slice) -> list[dict[str, Any]]:
    """What a perfect measurement of each pathway of a slice gives, one row for each pathway.

    Means are over the responses as they were simulated, with their variation but without noise; the drift is
    that of the least-squares line over the baseline. `planted` names what is wrong with the recording.
    """
    rows = []
    for p in _pathways(item, _rng(item, 0)):
        baseline = (p.minutes >= -NORMALISE_MINUTES) & (p.minutes < 0)
        post = (p.minutes >= POST_MINUTES[0]) & (p.minutes <= POST_MINUTES[1])
        whole = (p.minutes >= -BASELINE_S / 60) & (p.minutes < 0)
        per_minute = np.polyfit(p.minutes[whole], p.expected[whole], 1)[0]
        before, after = p.slope[baseline].mean(), p.slope[post].mean()
        rows.append(
            {
                "recording": item.recording,
                "animal": item.animal,
                "slice": item.slice,
                "group": item.group,
                "pathway": p.name,
                "role": "test" if p.name == item.test else "control",
                "plateau_percent": item.plateau_percent if p.name == item.test else np.nan,
                "baseline_slope_mV_per_ms": before,
                "post_slope_mV_per_ms": after,
                "potentiation_percent": 100 * after / before,
                "baseline_drift_percent": 100 * per_minute * BASELINE_S / 60 / p.expected[whole].mean(),
                "volley_change_percent": 100 * (p.volley_mV[post].mean() / p.volley_mV[baseline].mean() - 1),
                "population_spike_mV": p.spike_mV,
                "induction_s": INDUCTION_S,
                "induction_known_from": item.layout,
                "rig": item.rig,
                "rate_hz": item.rate_hz,
                "planted": item.planted,
            }
        )
    return rows


def write_slice(item: Slice, folder: str | Path) -> tuple[Path, ...]:
    """Simulate one slice and write its recording files into `folder`, in order of recording."""
    writer = abf.write_abf2 if item.rig == "A" else abf.write_abf1
    named = zip(file_names(item), _files(item), strict=True)
    return tuple(writer(Path(folder) / name, **options) for name, options in named)


def _files(item: Slice) -> Iterator[dict[str, Any]]:
    """The arguments of the ABF writer for each file of a slice."""
    pathways, rng = _pathways(item, _rng(item, 0)), _rng(item, 1)
    time_s = np.concatenate([p.time_s for p in pathways])
    order = np.argsort(time_s, kind="stable")
    time_s = time_s[order]
    n_points = round(SWEEP_MS / 1000 * item.rate_hz)
    time_ms = np.round(np.arange(n_points) * 1000 / item.rate_hz - STIMULUS_MS, 6)
    sweeps = np.concatenate([p.waves(time_ms) for p in pathways])[order]
    hum_mV = rng.uniform(0.0, 0.01)
    sweeps += _noise(sweeps.shape, rng, item, hum_mV) + _offset(time_s, rng)
    if item.planted == "glitches":
        _add_glitches(sweeps, rng)
    if item.planted == "two channels":
        waves = [p.waves(time_ms, polarity=1, tail_mV=0.1, volley_mV=0.03) for p in pathways]
        other = 0.6 * np.concatenate(waves)[order] + _noise(sweeps.shape, rng, item, hum_mV)
        sweeps = np.stack([other, sweeps], axis=1)

    at = round(STIMULUS_MS / 1000 * item.rate_hz)
    bits, two = [p.bit for p in pathways], len(pathways) > 1
    common = {
        "rate_hz": item.rate_hz,
        "unit": "pA" if item.planted == "wrong unit" else "mV",
        "channel": ("pyramidale", "radiatum") if item.planted == "two channels" else "fEPSP",
        "full_scale": 50.0 if item.rig == "A" else 100.0,
    }
    test = common | {
        "epochs": abf.stimulus(n_points, at, bits=bits[0], alternate=bits[1] if two else 0),
        "alternating": two,
        "protocol": "D:\\Protocols\\LTP two pathways.pro" if two else "D:\\Protocols\\LTP.pro",
    }
    if item.layout != "three files":
        tags = [(LEAD_S + 300.0, "bath 31.5 C")] if item.index % 2 else []
        if item.layout == "tag":
            tags.append((LEAD_S + INDUCTION_S, _TAGS[item.index % len(_TAGS)]))
        start_s = LEAD_S + time_s
        yield test | {"sweeps": sweeps, "start_s": start_s, "recorded_at": item.recorded_at, "tags": tags}
        return
    before = time_s < INDUCTION_S
    train_s = INDUCTION_S + np.array(TRAINS_S)
    parts = [
        (test, sweeps[before], time_s[before]),
        (common | _train_protocol(item), _train_sweeps(item, pathways, rng, hum_mV), train_s),
        (test, sweeps[~before], time_s[~before]),
    ]
    for settings, values, times in parts:
        moment = item.recorded_at + timedelta(seconds=float(times[0]))
        yield settings | {"sweeps": values, "start_s": LEAD_S + times - times[0], "recorded_at": moment}


def _train_protocol(item: Slice) -> dict[str, Any]:
    """HFS on the test pathway alone: a train on its digital output."""
    per_ms = item.rate_hz / 1000
    n_points, at = round(TRAIN_SWEEP_MS * per_ms), round(TRAIN_STIMULUS_MS * per_ms)
    period, width = round(TRAIN_PERIOD_MS * per_ms), round(0.1 * per_ms)
    bits = 1 << int(item.test[1:])
    epochs = abf.stimulus(n_points, at, bits=bits, pulses=TRAIN_PULSES, period=period, width=width)
    return {"epochs": epochs, "protocol": "D:\\Protocols\\HFS 100 Hz.pro"}


def _train_sweeps(
    item: Slice, pathways: tuple[_Pathway, ...], rng: np.random.Generator, hum_mV: float
) -> Floats:
    """Three sweeps of 100 responses each, that grow smaller as transmitter runs out."""
    pathway = next(p for p in pathways if p.name == item.test)
    last = int(np.flatnonzero(pathway.minutes < 0)[-1])
    pulse = np.arange(TRAIN_PULSES)
    one = replace(
        pathway,
        slope=pathway.expected[last] * (0.25 + 0.75 * np.exp(-pulse / 12)),
        volley_mV=pathway.volley_mV[last] * (0.7 + 0.3 * np.exp(-pulse / 30)),
        latency_ms=np.full(TRAIN_PULSES, pathway.latency_ms[last]),
    )
    per_ms = item.rate_hz / 1000
    waves = one.waves(np.arange(round(SWEEP_MS * per_ms)) / per_ms)
    sweep = np.zeros(round(TRAIN_SWEEP_MS * per_ms))
    for i, wave in enumerate(waves):
        start = round((TRAIN_STIMULUS_MS + i * TRAIN_PERIOD_MS) * per_ms)
        sweep[start : start + wave.size] += wave[: sweep.size - start]
    return sweep + _noise((len(TRAINS_S), sweep.size), rng, item, hum_mV)


def _noise(shape: tuple[int, ...], rng: np.random.Generator, item: Slice, hum_mV: float) -> Floats:
    return field.noise(shape, rng=rng, rate_hz=item.rate_hz, white_mV=0.02, slow_mV=0.015, mains_mV=hum_mV)


def _offset(time_s: Floats, rng: np.random.Generator) -> Floats:
    """Slow drift of the electrode's potential, (M, 1) mV."""
    return (rng.uniform(-0.2, 0.2) + rng.uniform(-0.3, 0.3) * time_s / time_s[-1])[:, np.newaxis]


def _add_glitches(sweeps: Floats, rng: np.random.Generator) -> None:
    """A switch nearby disturbs three sweeps during the response."""
    for k in rng.choice(len(sweeps), size=3, replace=False):
        start = round(sweeps.shape[1] * rng.uniform(0.2, 0.35))
        after = np.arange(sweeps.shape[1] - start)
        sweeps[k, start:] += rng.uniform(2.0, 4.0) * np.exp(-after / (0.03 * sweeps.shape[1]))

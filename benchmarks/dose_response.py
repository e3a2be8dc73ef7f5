"""Do intervals of EC50 hold what they promise: the profile's beside the Wald interval that curve_fit gives.

    python benchmarks/dose_response.py [--studies N]

Studies are drawn from a known Hill curve (100 to 150, slope 1.2, SD 8, eight animals a dose). An interval
holds when it covers the true EC50; a refusal counts apart, with how often curve_fit answered there, and how
far off.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from scipy import optimize
from scipy import stats as sp

from labkit import stats
from labkit.errors import DataError

DESIGNS = {
    "plateau seen": ((0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), 5.0),
    "plateau hardly seen": ((0.0, 1.0, 3.0, 10.0, 30.0), 10.0),
    "no plateau": ((0.0, 1.0, 3.0, 10.0, 30.0), 60.0),
    "four doses": ((0.0, 3.0, 10.0, 30.0), 10.0),
}
BOTTOM, TOP, SLOPE, SD, ANIMALS = 100.0, 150.0, 1.2, 8.0, 8


def curve(dose: np.ndarray, bottom: float, top: float, log_ec50: float, slope: float) -> np.ndarray:
    """The Hill curve as it is mostly written, with a small number in the place of dose 0."""
    with np.errstate(over="ignore"):
        return bottom + (top - bottom) / (1 + np.exp(slope * (log_ec50 - np.log(np.maximum(dose, 1e-9)))))


def by_curve_fit(dose: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """EC50 and its Wald interval from the usual start; NaN when the search fails."""
    start = (y.min(), y.max(), np.log(np.median(dose[dose > 0])), 1.0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, covariance = optimize.curve_fit(curve, dose, y, start, maxfev=20_000)
    except RuntimeError:
        return (np.nan,) * 3
    half = sp.t.isf(0.025, y.size - 4) * np.sqrt(covariance[2, 2])
    return tuple(np.exp(np.clip([found[2], found[2] - half, found[2] + half], -700, 700)))


def run(doses: tuple[float, ...], ec50: float, studies: int) -> dict[str, str]:
    """Shares of studies, and seconds of both."""
    rng = np.random.default_rng(1)
    dose = np.repeat(doses, ANIMALS)
    held, wald, refused, far, seconds = [], [], 0, [], np.zeros(2)
    for _ in range(studies):
        y = curve(dose, BOTTOM, TOP, np.log(ec50), SLOPE) + rng.normal(0, SD, dose.size)
        begun = time.process_time()
        estimate, low, high = by_curve_fit(dose, y)
        seconds[0] += time.process_time() - begun
        begun = time.process_time()
        try:
            fitted = stats.hill(pd.DataFrame({"dose": dose, "y": y}), "y", unit=None).parameters.loc["ec50"]
        except DataError:
            refused += 1
            if np.isfinite(estimate):
                far.append(max(estimate / ec50, ec50 / estimate))
            continue
        finally:
            seconds[1] += time.process_time() - begun
        held.append(fitted["ci_low"] <= ec50 <= fitted["ci_high"])
        wald.append(low <= ec50 <= high)

    def share(hits: list[bool]) -> str:
        return f"{100 * np.mean(hits):.1f} %" if hits else "-"

    return {
        "refused": f"{100 * refused / studies:.0f} %",
        "profile holds": share(held),
        "curve_fit holds": share(wald),
        "curve_fit where refused": f"{len(far)} answers, median {np.median(far):.2g}-fold off"
        if far
        else "-",
        "time ratio": f"{seconds[1] / seconds[0]:.0f}",
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=300)
    studies = parser.parse_args().studies
    table = {name: run(doses, ec50, studies) for name, (doses, ec50) in DESIGNS.items()}
    print(pd.DataFrame.from_dict(table, orient="index").to_string())


if __name__ == "__main__":
    main()

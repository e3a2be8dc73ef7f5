"""How right the volumes of western blots are: against published densities, twins of a file, and stated truth.

    python benchmarks/accuracy_blots.py [--data FOLDER ...]

A folder is read by what lies in it: tables with the columns gel, lane and one for each protein beside images
named ..._GEL_PROTEIN_..._DATE.tif; images with a twin (..._ref_inv.tif) or the instrument's own file (.1sc);
images with their truth beside them (.json with bands). Without a folder, those of this project's real data
are read. Beside our numbers stand those of peers, in the same windows and in the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import signal, stats

from labkit import blots
from labkit.errors import LabkitError

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "real" / "blots"
IMAGES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")

# Lanes counted by eye, and whether the greatest values form a plateau, for images that bring no table.
LANES_BY_EYE = {"test4": 16}
CLIPPED_BY_EYE = {"test1": True, "test2": True, "test3": False, "test4": True, "test5": False}


# Peers


def lanes_by_peaks(image: blots.BlotImage) -> int:
    """Peaks of the sum along the columns with a prominence of 5 %: what a first script does."""
    profile = image.signal.sum(axis=0)
    return len(signal.find_peaks(profile, prominence=0.05 * np.ptp(profile))[0])


def box(image: blots.BlotImage, lanes: blots.Lanes, band: blots.Band, lane: int, margin: int = 0):
    """Pixels of a window, whole ones, and of a border of some pixels around it."""
    height, width = image.signal.shape
    x, y = float(lanes.centre(band.centre_px[lane])[lane]), float(band.centre_px[lane])
    wide, high = float(lanes.half_width_px[lane]), float(band.half_height_px)
    rows = slice(max(round(y - high) - margin, 0), min(round(y + high) + margin + 1, height))
    columns = slice(max(round(x - wide) - margin, 0), min(round(x + wide) + margin + 1, width))
    return rows, columns


def by_border(image: blots.BlotImage, lanes: blots.Lanes, band: blots.Band) -> np.ndarray:
    """Sum less the median of a border of 3 px on all four sides."""
    out = []
    for lane in range(len(lanes)):
        inner, outer = (image.signal[box(image, lanes, band, lane, margin)] for margin in (0, 3))
        frame = np.ones(outer.shape, bool)
        frame[3:-3, 3:-3] = False
        out.append(inner.sum() - np.median(outer[frame]) * inner.size)
    return np.array(out)


def by_ball(image: blots.BlotImage, lanes: blots.Lanes, band: blots.Band, under: np.ndarray) -> np.ndarray:
    """Sum less the rolling ball under it."""
    return np.array([(image.signal - under)[box(image, lanes, band, i)].sum() for i in range(len(lanes))])


def ball(image: blots.BlotImage) -> np.ndarray:
    from skimage.restoration import rolling_ball

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return rolling_ball(image.signal, radius=25)


# Published densities


def agreement(volume: np.ndarray, published: np.ndarray) -> tuple[float, float, float]:
    """Spearman, Pearson, and slope of log volume over log density, lanes at or below 0 left out of it."""
    above = (volume > 0) & (published > 0)
    slope = np.polyfit(np.log(published[above]), np.log(volume[above]), 1)[0] if above.sum() > 2 else np.nan
    return (
        float(stats.spearmanr(volume, published)[0]),
        float(stats.pearsonr(volume, published)[0]),
        float(slope),
    )


def tables_of(folder: Path) -> dict[str, pd.DataFrame]:
    """Tables of densities by the name of the experiment, which ends where the name of a protein begins."""
    out = {}
    for path in sorted(folder.glob("*.csv")):
        table = pd.read_csv(path, encoding="utf-8-sig")
        if not {"gel", "lane"} <= set(table.columns):
            continue
        words = path.stem.split("_")
        length = next((i for i, word in enumerate(words) if word in table.columns), None)
        if length:
            out["_".join(words[:length])] = table
    return out


def gels_of(folder: Path) -> list[tuple[Path, str, str, pd.DataFrame | None]]:
    """Image, gel, protein and its rows of the table, None when no table has them."""
    tables, out = tables_of(folder), []
    for path in sorted(folder.glob("*.tif")):
        names = [name for name in tables if path.stem.startswith(f"{name}_")]
        if not names:
            continue
        name = max(names, key=len)
        gel, protein, *_ = [*path.stem[len(name) + 1 :].split("_"), ""]
        table = tables[name]
        rows = table[table["gel"].astype(str).isin(list(gel))].reset_index(drop=True)
        known = protein in table.columns and len(rows) > 1 and rows[protein].notna().sum() > 2
        out.append((path, gel, protein, rows if known else None))
    return out


def check_published(folder: Path) -> bool:
    """Agreement with published densities of every gel, first of all of LDHA."""
    gels = gels_of(folder)
    left_out = [path.name for path, *_, rows in gels if rows is None]
    print(f"\n{folder}: published densities")
    print("  lanes: in the table / proposed without being told / peaks of the column sums; told for the rest")
    print(
        "  r_s Spearman, r Pearson, slope of log volume over log density; clipped: lanes told as saturated\n"
    )
    print(
        f"  {'image':40}{'lanes':>14}{'r_s':>8}{'r':>7}{'slope':>7}{'error %':>9}{'clipped':>9}"
        f"{'   border 4 sides: r_s, slope':>30}{'ball 25: r_s, slope':>22}"
    )
    found = []
    for path, _, protein, rows in gels:
        if rows is None:
            continue
        image = blots.read(path)
        published = rows[protein].to_numpy(float)
        kept = np.isfinite(published)
        try:
            proposed = len(blots.find_lanes(image))
        except LabkitError:
            proposed = 0
        lanes = blots.find_lanes(image, len(rows))
        try:
            band = blots.find_band(image, lanes)
        except LabkitError as err:
            print(f"  {path.stem[:39]:40}{len(rows):6}   {err}")
            continue
        table = blots.measure(image, lanes, band=band)
        volume = table["volume"].to_numpy()
        ours = agreement(volume[kept], published[kept])
        error = scaled_error(volume[kept], published[kept])
        border = agreement(by_border(image, lanes, band)[kept], published[kept])
        rolled = agreement(by_ball(image, lanes, band, ball(image))[kept], published[kept])
        clipped = int((table["n_at_max"] > 0).sum())
        counts = f"{len(rows)} / {proposed} / {lanes_by_peaks(image)}"
        print(
            f"  {path.stem[:39]:40}{counts:>14}{ours[0]:8.3f}{ours[1]:7.3f}{ours[2]:7.2f}"
            f"{100 * error:9.0f}{clipped:9}"
            f"{border[0]:23.3f}{border[2]:7.2f}{rolled[0]:15.3f}{rolled[2]:7.2f}"
        )
        found.append(
            {
                "protein": protein,
                "count": len(rows),
                "proposed": proposed,
                "peaks": lanes_by_peaks(image),
                "r_s": ours[0],
                "r": ours[1],
                "slope": ours[2],
                "clipped": clipped,
                "border": border[0],
                "ball": rolled[0],
            }
        )
    if left_out:
        print(f"\n  no column of densities for {len(left_out)} images: {', '.join(left_out)}")
    if not found:
        return True
    table = pd.DataFrame(found)
    print()
    for protein, own in table.groupby("protein"):
        print(
            f"  {protein:8}{len(own):3} gels: median r_s {own['r_s'].median():.3f} (least "
            f"{own['r_s'].min():.3f}), r {own['r'].median():.3f}, slope {own['slope'].median():.2f}; "
            f"border r_s {own['border'].median():.3f}, ball r_s {own['ball'].median():.3f};\n"
            f"{'':18}number proposed right {(own['proposed'] == own['count']).sum()}, with the ladder "
            f"{(own['proposed'] == own['count'] + 1).sum()}, by peaks "
            f"{(own['peaks'] == own['count']).sum()}; clipped told on {(own['clipped'] > 0).sum()}"
        )
    own = table[table["protein"] == "ldha"]
    if own.empty:
        return True
    met = {
        "median Spearman >= 0.95": own["r_s"].median() >= 0.95,
        "Spearman >= 0.90 each": own["r_s"].min() >= 0.90,
        "median slope 0.7 to 1.1": 0.7 <= own["slope"].median() <= 1.1,
        "clipping told on each": (own["clipped"] > 0).all(),
    }
    print("  ldha: " + "; ".join(f"{name}: {'met' if ok else 'MISSED'}" for name, ok in met.items()))
    return all(met.values())


def scaled_error(volume: np.ndarray, published: np.ndarray) -> float:
    """Mean absolute relative error after one common factor."""
    ratio = volume / published
    return float(np.mean(np.abs(ratio / np.median(ratio) - 1)))


# Twins


def check_twins(folder: Path) -> bool:
    """Equal volumes of an image, its inverted twin and the instrument's file; clipping; the smile."""
    print(f"\n{folder}: twins of one image")
    groups: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        name = path.stem.split("_")[0]
        kind = (
            "inverted"
            if path.stem.endswith("_ref_inv")
            else {".1sc": "own file", ".tif": "export"}.get(path.suffix.lower())
        )
        if kind:
            groups.setdefault(name, {})[kind] = path
    right = True
    for name, files in groups.items():
        if "export" not in files:
            continue
        image = blots.read(files["export"])
        clipped = bool(image.saturated.any())
        by_eye = CLIPPED_BY_EYE.get(name)
        verdict = "" if by_eye is None else (" (right)" if clipped == by_eye else " (WRONG)")
        right &= by_eye is None or clipped == by_eye
        told = f"plateau of {int(image.saturated.sum())} px" if clipped else "no plateau"
        full = int((image.signal == 2**image.bit_depth - 1).sum())
        print(f"  {name}: {image.polarity}, {told}{verdict}; pixels at the full scale: {full}")
        proposed = len(blots.find_lanes(image))
        count = LANES_BY_EYE.get(name)
        lanes = blots.find_lanes(image, count or proposed)
        band = blots.find_band(image, lanes)
        volume = blots.measure(image, lanes, band=band)["volume"].to_numpy()
        bend = float(np.ptp(band.centre_px))
        print(
            f"    lanes: {count or '-'} by eye, {proposed} proposed, {lanes_by_peaks(image)} by peaks; "
            f"the band bends by {bend:.0f} px; volumes {volume.min():.3g} to {volume.max():.3g}"
        )
        for kind in ("inverted", "own file"):
            if kind not in files:
                continue
            other = blots.read(files[kind])
            lanes_2 = blots.find_lanes(other, count or proposed)
            again = blots.measure(other, lanes_2, band=blots.find_band(other, lanes_2))["volume"].to_numpy()
            worst = float(np.max(np.abs(again / volume - 1)))
            right &= worst <= 1e-6
            print(
                f"    {kind}: {other.polarity}, volumes differ by {worst:.1e} at most "
                f"({'equal' if worst <= 1e-6 else 'NOT EQUAL'})"
            )
    return bool(right)


# Stated truth


def check_truth(folder: Path) -> bool:
    """Errors of clean bands whose truth is stated, in the boxes given and in windows that we found."""
    print(f"\n{folder}: stated truth")
    given, own, counts = [], [], []
    for path in sorted(folder.glob("*.json")):
        truth = json.loads(path.read_text())
        pictures = [path.with_suffix(end) for end in IMAGES if path.with_suffix(end).exists()]
        if "bands" not in truth or not pictures:
            continue
        image = blots.read(pictures[0])
        if image.polarity != "bright":
            print(f"  {path.stem}: polarity is proposed wrongly; stated for the rest")
            image = blots.read(pictures[0], polarity="bright")
        bands = pd.DataFrame(truth["bands"])
        bands["clean"] = [not flags for flags in bands["qc_flags"]]
        given += in_boxes(image, path.stem, bands)
        n_lanes = len(truth["lanes"])
        try:
            proposed = len(blots.find_lanes(image))
        except LabkitError:
            proposed = 0
        counts.append((n_lanes, proposed, lanes_by_peaks(image)))
        own += in_own_windows(image, path.stem, bands, n_lanes)
    if not given:
        return True
    boxes, windows = pd.DataFrame(given), pd.DataFrame(own)
    clean = boxes[boxes["clean"]]
    n = np.array(counts)
    print(f"  {len(n)} images, {len(boxes)} bands, {len(clean)} of them clean by their makers")
    print(
        f"  number of lanes right: proposed {np.sum(n[:, 1] == n[:, 0])}, "
        f"peaks of the column sums {np.sum(n[:, 2] == n[:, 0])} of {len(n)}\n"
    )
    print(f"  {'clean bands, in the boxes given':42}{'median':>8}{'mean':>8}{'bias':>8}   % of the truth")
    for name, label in (
        ("linear", "line between strips (ours)"),
        ("arpls", "arPLS (ours)"),
        ("border", "border median, four sides"),
        ("ball", "rolling ball 25, raw image"),
        ("none", "no background"),
    ):
        error = 100 * (clean[name] / clean["truth"] - 1)
        print(f"  {label:42}{error.abs().median():8.2f}{error.abs().mean():8.2f}{error.median():8.2f}")
    median = float((100 * (clean["linear"] / clean["truth"] - 1)).abs().median())
    unmarked = clean[clean["flags"] == ""]
    error = 100 * (unmarked["linear"] / unmarked["truth"] - 1)
    print(
        f"  {f'of these, {len(unmarked)} that we do not flag':42}{error.abs().median():8.2f}"
        f"{error.abs().mean():8.2f}{error.median():8.2f}"
    )
    own_clean = windows[windows["clean"]]
    print(f"\n  {'clean bands, in windows that we found':42}{'median':>8}{'mean':>8}{'bias':>8}")
    for label, scale in (("as measured, of the whole band", 1.0), ("after one factor for each target", None)):
        for name in ("linear", "arpls"):
            factor = own_clean[f"{name}_factor"] if scale is None else scale
            error = 100 * (own_clean[name] / factor / own_clean["truth"] - 1)
            print(
                f"  {f'{label} ({name})':42}{error.abs().median():8.2f}{error.abs().mean():8.2f}"
                f"{error.median():8.2f}"
            )
    told = boxes["flags"].str.contains("saturated")
    known = boxes["qc"].str.contains("saturated")
    print(
        f"\n  saturated by their makers {known.sum()}: told {(known & told).sum()}; told besides "
        f"{(~known & told).sum()}"
    )
    off = clean[(clean["linear"] / clean["truth"] - 1).abs() > 0.15]
    print(f"  clean bands that we miss by more than 15 %: {len(off)}, flagged {(off['flags'] != '').sum()}")
    for row in off.itertuples():
        missed = 100 * (row.linear / row.truth - 1)
        print(f"    {row.band:32}{missed:+8.0f} %   {row.flags or 'no flag'}")
    print(f"  median error of clean bands <= 1.4 %: {'met' if median <= 1.4 else 'MISSED'}")
    return median <= 1.4


def in_boxes(image: blots.BlotImage, name: str, bands: pd.DataFrame) -> list[dict[str, object]]:
    """Every band in the box that its makers give."""
    height, width = image.signal.shape
    under = ball(image)
    rows = []
    for one in bands.itertuples():
        roi = one.roi
        half = roi["width"] / 2, roi["height"] / 2
        x, y = roi["x"] + half[0] - 0.5, roi["y"] + half[1] - 0.5
        lanes = blots.Lanes.from_pick({"roi": [0, height, 0, width], "lanes": [[x, x, half[0]]]})
        band = blots.Band(np.array([y]), half[1])
        row = blots.measure(image, lanes, band=band).iloc[0]
        rows.append(
            {
                "band": one.band_id,
                "truth": one.true_integrated_intensity_dn,
                "clean": one.clean,
                "qc": " ".join(one.qc_flags),
                "linear": row["volume"],
                "arpls": row["volume_arpls"],
                "none": row["raw"],
                "border": by_border(image, lanes, blots.Band(np.array([y]), half[1] - 0.5))[0],
                "ball": by_ball(image, lanes, blots.Band(np.array([y]), half[1] - 0.5), under)[0],
                "flags": row["flags"],
            }
        )
    return rows


def in_own_windows(
    image: blots.BlotImage, name: str, bands: pd.DataFrame, n_lanes: int
) -> list[dict[str, object]]:
    """Every row of bands in lanes and a window that we find, near the row that its makers name."""
    lanes = blots.find_lanes(image, n_lanes)
    rows = []
    for _, target in bands.groupby("row_index"):
        by_lane = target.groupby("lane_index")
        truth = by_lane["true_total_intensity_dn"].sum().reindex(range(n_lanes), fill_value=0.0).to_numpy()
        clean = by_lane["clean"].all().reindex(range(n_lanes), fill_value=False).to_numpy()
        try:
            band = blots.find_band(image, lanes, near_px=float(target["nominal_center_y_px"].mean()))
        except LabkitError as err:
            print(f"  {name}: {err}")
            continue
        table = blots.measure(image, lanes, band=band)
        used = clean & (truth > 0)
        factors = {
            kind: np.median(table[column].to_numpy()[used] / truth[used]) if used.any() else np.nan
            for kind, column in (("linear", "volume"), ("arpls", "volume_arpls"))
        }
        for lane in np.flatnonzero(truth > 0):
            rows.append(
                {
                    "truth": truth[lane],
                    "clean": clean[lane],
                    "linear": table["volume"].iloc[lane],
                    "arpls": table["volume_arpls"].iloc[lane],
                    "linear_factor": factors["linear"],
                    "arpls_factor": factors["arpls"],
                }
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", metavar="FOLDER", help="folders of blots")
    chosen = parser.parse_args().data
    folders = chosen or sorted(path for path in REAL.glob("*") if path.is_dir())
    if not folders:
        print(f"no real data in {REAL.name}; give --data FOLDER")
        return 0
    results = []
    for folder in folders:
        if not folder.is_dir():
            print(f"{folder}: there is no such folder")
            results.append(False)
            continue
        checks = []
        if tables_of(folder):
            checks.append(check_published)
        if any(folder.glob("*_ref_inv.*")) or any(folder.glob("*_analysis.tif")):
            checks.append(check_twins)
        if any('"bands"' in path.read_text() for path in folder.glob("*.json")):
            checks.append(check_truth)
        if not checks:
            print(f"{folder}: neither densities, nor twins, nor stated truth")
        results += [check(folder) for check in checks]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

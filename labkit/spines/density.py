"""Spines per 10 um of dendrite, total and by class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labkit.errors import DataError
from labkit.spines.classify import CLASSES
from labkit.spines.dendrite import Dendrite

__all__ = ["counted_span", "density"]

# On less dendrite than this, one spine more or less is a tenth of the result.
_SHORT_UM = 10.0


def counted_span(dendrite: Dendrite, *, end_um: float = 2.5) -> tuple[float, float]:
    """Positions along the path between which spines and length count.

    At either end `end_um` is left out, or more where a thicker branch lights up the surroundings.

    Raises
    ------
    DataError
        If `end_um` is negative or nothing is left.
    """
    if not (np.isfinite(end_um) and end_um >= 0):
        raise DataError(f"end_um is {end_um}", expected="a length in um, 0 or above")
    start, end = max(end_um, dendrite.clear_um[0]), dendrite.length_um - end_um
    end = min(end, dendrite.clear_um[1]) if end_um > 0 else dendrite.length_um
    start = start if end_um > 0 else 0.0
    if end <= start:
        raise DataError(
            f"nothing is left of a dendrite of {dendrite.length_um:.1f} um without its end zones",
            expected="a longer path, or a smaller end_um",
        )
    return start, end


def density(spines: pd.DataFrame, dendrite: Dendrite, *, end_um: float = 2.5) -> pd.DataFrame:
    """Count the spines of a dendrite per 10 um, without its end zones.

    Parameters
    ----------
    spines
        From `detect`, corrected and classified or not. Rows of origin ``removed`` do not count.
    dendrite
        From `trace`.
    end_um
        End zone that is left out of both count and length at either end: at branch points and tips spines
        of other branches cannot be told apart. Where the surroundings of an end are lit by a thicker branch,
        the zone reaches to where they are dark. 0 counts everything.

    Returns
    -------
    DataFrame
        One row: ``length_um`` (whole), ``length_mip_um``, ``counted_length_um``, ``n_spines``,
        ``density_per_10um``, ``<class>_per_10um`` for each class, ``flags``. Spines without a class count as
        unclassified.

    Raises
    ------
    DataError
        If the table is not one of spines, or nothing is left of the dendrite.

    Examples
    --------
    >>> path = np.column_stack([np.zeros(251), np.zeros(251), np.linspace(0, 25, 251)])
    >>> dendrite = Dendrite(path, 25.0, 25.0, np.full(251, 0.4), (0.0, 25.0), np.zeros((2, 3)))
    >>> spines = pd.DataFrame({"position_um": [1.0, 5.0, 9.0, 24.0], "origin": "auto", "spine_class": "thin"})
    >>> density(spines, dendrite)[["counted_length_um", "n_spines", "density_per_10um"]]
       counted_length_um  n_spines  density_per_10um
    0               20.0         2               1.0
    """
    for name in ("position_um", "origin", "spine_class"):
        if name not in spines:
            raise DataError(f"the table has no column {name}", expected="the table that detect gives")
    start, end = counted_span(dendrite, end_um=end_um)
    length = end - start
    position = spines["position_um"].to_numpy(float)
    present = (spines["origin"] != "removed").to_numpy()
    counted = present & (position >= start) & (position <= end)
    names = spines["spine_class"].where(spines["spine_class"].isin(CLASSES), "unclassified")[counted]
    flags = [dendrite.flags] if dendrite.flags else []
    if length < _SHORT_UM:
        flags.append(f"only {length:.1f} um are counted")
    lit = (start - end_um, dendrite.length_um - end_um - end)
    for extra, which in zip(lit, ("start", "end"), strict=True):
        if end_um > 0 and extra > 0.05:
            flags.append(f"{extra:.1f} um more left out at the {which}: lit by a thicker branch")
    border = (
        int(spines["flags"].str.contains("plane").to_numpy(bool)[counted].sum()) if "flags" in spines else 0
    )
    if border:
        flags.append(f"{border} spines touch the first or last plane")
    row = {
        "length_um": dendrite.length_um,
        "length_mip_um": dendrite.length_mip_um,
        "counted_length_um": length,
        "n_spines": int(counted.sum()),
        "density_per_10um": 10 * counted.sum() / length,
        **{f"{name}_per_10um": 10 * (names == name).sum() / length for name in CLASSES},
        "flags": "; ".join(flags),
    }
    return pd.DataFrame([row])

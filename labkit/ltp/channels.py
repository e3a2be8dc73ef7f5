"""Which channel of a file is taken, and what its numbers are in mV.

Headers are often wrong about units, and no number tells; what tells is the size of the responses, so a size
that field potentials do not have is reported together with the unit that would mend it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from labkit.errors import RecordingError
from labkit.ltp.abf import AbfFile
from labkit.ltp.abf_header import Channel

if TYPE_CHECKING:
    from labkit.ltp.recording import Recording

__all__ = ["Choice", "doubtful_unit", "pick_channel"]

_TO_MV = {"v": 1e3, "mv": 1.0, "uv": 1e-3}
# Evoked field potentials lie in this range; what lies outside is more often a wrong unit than a response.
_PLAUSIBLE_MV = (0.02, 10.0)


class Choice(NamedTuple):
    """The channel taken of one file, the unit of its values, and the factor from the header's unit to it."""

    index: int
    channel: Channel
    unit: str
    to_mV: float
    warnings: list[str]


def pick_channel(file: AbfFile, wanted: str | int | None, unit: str | None) -> Choice:
    """The channel of that name or number, or the first that records a voltage.

    Parameters
    ----------
    file
        The file.
    wanted
        Name, number from 0, or None.
    unit
        What the numbers really are, when the header is wrong.

    Raises
    ------
    RecordingError
        If there is no such channel, its scale is absurd, or `unit` is no voltage.
    """
    channels, warnings = file.channels, []
    if wanted is None:
        voltages = [i for i, channel in enumerate(channels) if _in_voltage(channel.unit) is not None]
        index, *others = voltages or range(len(channels))
        if others:
            names = ", ".join(f"{channels[i].name} ({channels[i].unit})" for i in others)
            warnings.append(f"channel {channels[index].name} is taken; the file also has {names}")
    else:
        index = _named(file, wanted)
    channel = channels[index]
    scaled = 1e-12 < abs(channel.gain) < 1e9 and abs(channel.offset) < 1e9
    if file.dtype == "<i2" and not scaled:
        found = f"the scale of channel {channel.name} in the header is zero or absurd"
        raise RecordingError(found, todo="copy the file again, or take another channel", where=file.path)
    if unit is not None and _in_voltage(unit) is None:
        raise RecordingError(f"the unit is {unit!r}", expected="mV, uV or V", where=file.path)
    factor = _in_voltage(channel.unit if unit is None else unit)
    if factor is None:
        warnings.append(
            f"channel {channel.name} is in {channel.unit}, not a voltage; its numbers stand as they are "
            '(if they really are mV, read with unit="mV")'
        )
        return Choice(index, channel, channel.unit, 1.0, warnings)
    return Choice(index, channel, "mV", factor, warnings)


def _named(file: AbfFile, wanted: str | int) -> int:
    names = [channel.name.casefold() for channel in file.channels]
    text = str(wanted).strip().casefold()
    if not isinstance(wanted, (int, np.integer)) and text in names:
        return names.index(text)
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    there = ", ".join(f"{i} = {channel.name} ({channel.unit})" for i, channel in enumerate(file.channels))
    raise RecordingError(f"there is no channel {wanted!r}", expected=f"one of: {there}", where=file.path)


def _in_voltage(unit: str) -> float | None:
    """Factor to mV, or None for what is no voltage.

    >>> [_in_voltage(unit) for unit in ("mV", "µV", "uv", "V", "pA")]
    [1.0, 0.001, 0.001, 1000.0, None]
    """
    return _TO_MV.get(unit.strip().replace("\u00b5", "u").replace("\u03bc", "u").casefold())


def doubtful_unit(recording: Recording, choice: Choice) -> list[str]:
    """A warning when responses have a size that field potentials do not, with the unit that would mend it."""
    if choice.unit != "mV":
        return []
    size = _response_size(recording)
    low, high = _PLAUSIBLE_MV
    if not np.isfinite(size) or low <= size <= high:
        return []
    raw = size / choice.to_mV
    better = [name for name, factor in (("mV", 1.0), ("uV", 1e-3), ("V", 1e3)) if low <= raw * factor <= high]
    advice = f'; if the numbers in the file are {better[0]}, read with unit="{better[0]}"' if better else ""
    return [f"responses of about {size:.2g} mV; field potentials are {low:g} to {high:g} mV{advice}"]


def _response_size(recording: Recording) -> float:
    """Largest deflection in mV 2 to 20 ms after test pulses, on the median of up to 32 of each pathway."""
    tests = recording.stimuli[recording.stimuli["kind"].isin(["test", "pair"])]
    rate_hz, largest = recording.rate_hz, np.nan
    before, after = (int(np.ceil(t * rate_hz)) for t in (5e-3, 20e-3))
    for pathway in np.unique(recording.pathway):
        own = recording.pathway[tests["sweep"].to_numpy(np.int64)] == pathway
        rows = tests[own].iloc[:: max(1, len(tests) // 32)]
        if rows.empty:
            continue
        point = np.round(rows["time_ms"].to_numpy() * 1e-3 * rate_hz).astype(np.int64)
        windows = recording.segments_mV(rows["sweep"].to_numpy(), point - before, before + after)
        known = ~np.isnan(windows).any(axis=0)
        windows = windows[:, known]
        when = (np.arange(before + after) - before)[known]
        rest, response = windows[:, when < 0], windows[:, when >= 2e-3 * rate_hz]
        if rest.size and response.size:
            curve = np.median(response - np.median(rest, axis=1, keepdims=True), axis=0)
            largest = np.fmax(largest, np.abs(curve).max())
    return float(largest)

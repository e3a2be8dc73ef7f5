"""Axon binary files written from arrays: ABF 2.9 (pCLAMP 10 and later) and ABF 1.83 (pCLAMP 9 and earlier).

S sweeps, C channels, N points. Both versions carry what an LTP recording needs and what readers disagree
about: the synch array (when each sweep began), tags, digital epochs, and the alternating digital output by
which Clampex drives two pathways in turn. Integers are little-endian, sections begin at multiples of 512
bytes, and samples are 16-bit counts of a converter that saturates at its ends.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from labkit.demo.abf_bytes import (
    ADC_COUNTS,
    ADC_RANGE_V,
    BLOCK,
    Block,
    Stored,
    blocks,
    encode,
    milliseconds,
    padded,
    whole,
)
from labkit.errors import DataError

__all__ = ["Epoch", "stimulus", "write_abf1", "write_abf2"]

# The order of the section index that starts at byte 76 of an ABF2 file.
_SECTIONS = (
    *("Protocol", "ADC", "DAC", "Epoch", "ADCPerDAC", "EpochPerDAC", "UserList", "StatsRegion", "Math"),
    *("Strings", "Data", "Tag", "Scope", "Delta", "VoiceTag", "Synch", "Annotation", "Stats"),
)


@dataclass(frozen=True)
class Epoch:
    """One column of Clampex's waveform table, on the first analogue output.

    `digital` bits are high throughout the epoch, `train` bits give pulses of `width` points every `period`
    points. When the outputs alternate, sweeps 1, 3, 5, ... use `alternate` and `alternate_train` instead.
    """

    points: int
    digital: int = 0
    train: int = 0
    alternate: int = 0
    alternate_train: int = 0
    period: int = 0
    width: int = 0
    level: float = 0.0


def stimulus(
    n_points: int,
    at: int,
    *,
    bits: int = 1,
    alternate: int = 0,
    pulses: int = 1,
    period: int = 0,
    width: int = 1,
) -> tuple[Epoch, ...]:
    """Epochs of a sweep of `n_points` whose digital output rises first at point `at`.

    Clampex holds the first 1/64 of a sweep before its first epoch, so `at` cannot be earlier.

    Parameters
    ----------
    bits, alternate
        Output bits on even and on odd sweeps: 1 is output 0, 2 is output 1, 4 is output 2.
    pulses, period
        A train of so many pulses, so many points apart, when `pulses` is more than 1.

    Examples
    --------
    >>> for epoch in stimulus(400, 50, bits=1, alternate=2):
    ...     print(epoch.points, epoch.digital, epoch.alternate)
    44 0 0
    1 1 2
    """
    hold = n_points // 64
    length = width if pulses == 1 else pulses * period
    if at < hold or at + length > n_points or (pulses > 1 and period <= width):
        raise DataError(
            f"{pulses} pulses {period} points apart from point {at} do not fit a sweep of {n_points} points",
            expected=f"a first pulse at or after point {hold}, and the last one inside the sweep",
        )
    wait = (Epoch(at - hold),) if at > hold else ()
    if pulses == 1:
        return (*wait, Epoch(width, digital=bits, alternate=alternate))
    return (*wait, Epoch(length, train=bits, alternate_train=alternate, period=period, width=width))


def write_abf2(
    path: str | Path,
    sweeps: np.ndarray | Sequence[np.ndarray],
    *,
    rate_hz: float,
    start_s: Sequence[float] | np.ndarray | None = None,
    recorded_at: datetime = datetime(2026, 1, 1, 12),
    unit: str | Sequence[str] = "mV",
    channel: str | Sequence[str] = "IN 0",
    full_scale: float | Sequence[float] = 10.0,
    epochs: Sequence[Epoch] = (),
    alternating: bool = False,
    tags: Sequence[tuple[float, str]] = (),
    gap_free: bool = False,
    protocol: str = "C:\\Protocols\\field.pro",
    comment: str = "",
) -> Path:
    """Write an ABF 2.9 file.

    Parameters
    ----------
    sweeps
        (S, N) for one channel or (S, C, N) for several, in `unit`; int16 arrays are converter counts. A list
        of (N,) or (C, N) arrays of different lengths makes a file of variable-length sweeps.
    rate_hz
        Samples per second and channel. The header stores the interval in µs as float32.
    start_s
        Start of each sweep in seconds after `recorded_at`, (S,); sweeps follow without a gap when it is None.
    unit, channel, full_scale
        One value, or one for each channel. `full_scale` is the value, in the unit, at which the converter
        saturates; one count is `full_scale` / 32768, and values are rounded to the nearest count.
    epochs, alternating
        Waveform table with its digital outputs, and whether they alternate from sweep to sweep.
    tags
        (seconds after `recorded_at`, comment of at most 56 characters).
    gap_free
        One sweep recorded without protocol (operation mode 3): no synch array, as Clampex writes it.

    Raises
    ------
    DataError
        Shapes that do not fit together, values that are not finite, or text that the format cannot hold.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_abf2(folder / "a.abf", np.zeros((2, 400)), rate_hz=10_000, start_s=[0, 15]).stat().st_size
    5632
    """
    file = Stored(sweeps, rate_hz, start_s, unit, channel, full_scale, tags, gap_free, 2)
    strings: list[str] = []

    def text(value: str) -> int:
        """Index of a string; they count from 1, and 0 means none."""
        if not value:
            return 0
        strings.append(value)
        return len(strings)

    header = Block(BLOCK)
    creator, protocol_index, comment_index = text("Clampex"), text(protocol), text(comment)
    header.put("4s", 0, b"ABF2")
    header.put("4B", 4, 0, 0, 9, 2)
    header.put("IIII", 8, BLOCK, file.n_sweeps, int(f"{recorded_at:%Y%m%d}"), milliseconds(recorded_at))
    header.put("HHH", 28, 1, 0, 1)
    header.put("4B", 56, 3, 0, 7, 10)
    header.put("I", 60, creator)
    header.put("I", 72, protocol_index)

    settings = Block(BLOCK)
    settings.put("hf", 0, file.mode, file.interval_us)
    settings.put("I", 10, 1)
    settings.put("ff", 14, file.synch_us, 0.0)
    settings.put("iiiii", 22, int(file.lengths[0]) * file.n_channels, 16, file.n_sweeps, 1, 1)
    settings.put("f", 62, file.sweep_interval_s)
    settings.put("i", 70, 1)
    settings.put("ffii", 110, ADC_RANGE_V, ADC_RANGE_V, ADC_COUNTS, ADC_COUNTS)
    settings.put("hhh", 126, 2, 0, int(bool(comment)))
    settings.put("i", 132, comment_index)
    settings.put("h", 140, int(_drives_outputs(epochs)))
    settings.put("h", 150, 1)
    settings.put("h", 184, int(alternating))
    settings.put("hhhhh", 198, 16, 4, 16, 8, 6)

    adcs = Block(128 * file.n_channels)
    for i, (name, symbol, scale) in enumerate(zip(file.names, file.units, file.scales, strict=True)):
        adcs.put("h", 128 * i, i)
        adcs.put("f", 128 * i + 6, 1.0)
        adcs.put("hhffffffff", 128 * i + 24, i, i, 1.0, 1.0, 0.0, scale, 0.0, 1.0, 0.0, 2000.0)
        adcs.put("ii", 128 * i + 74, text(name), text(symbol))
    n_dacs = max(4, file.n_channels)
    dacs = Block(256 * n_dacs)
    for i in range(n_dacs):
        dacs.put("h", 256 * i, i)
        dacs.put("f", 256 * i + 8, 1.0)
        dacs.put("fiii", 256 * i + 16, 1.0, 0, text(f"AO #{i}"), text("mV"))
        dacs.put("hh", 256 * i + 40, int(i == 0 and bool(epochs)), 1)

    outputs, waveform = Block(32 * len(epochs)), Block(48 * len(epochs))
    for i, e in enumerate(epochs):
        outputs.put("5h", 32 * i, i, e.digital, e.train, e.alternate, e.alternate_train)
        waveform.put("hhhffiiii", 48 * i, i, 0, 1, e.level, 0.0, e.points, 0, e.period, e.width)

    joined = b"".join(encode(string, 255) + b"\0" for string in strings)
    longest = max(len(string) for string in strings) + 1
    soup = struct.pack("<4s4I24x", b"SSCH", 1, len(strings), longest, len(joined)) + joined

    before = [
        ("Protocol", BLOCK, 1, settings.bytes),
        ("ADC", 128, file.n_channels, adcs.bytes),
        ("DAC", 256, n_dacs, dacs.bytes),
        ("EpochPerDAC", 48, len(epochs), waveform.bytes),
        ("Epoch", 32, len(epochs), outputs.bytes),
        ("Strings", len(soup), len(strings), soup),
    ]
    after = [("Synch", 8, len(file.synch), file.synch.tobytes()), ("Tag", 64, len(tags), file.tag_section())]

    position, index = 1, {}
    for name, size, count, content in before:
        index[name] = (position, size, count)
        position += blocks(len(content))
    index["Data"] = (position, 2, file.n_samples)
    position += blocks(2 * file.n_samples)
    for name, size, count, content in after:
        index[name] = (position, size, count)
        position += blocks(len(content))
    for name, (start, size, count) in index.items():
        header.put("IIq", 76 + 16 * _SECTIONS.index(name), start if count else 0, size if count else 0, count)

    path = Path(path)
    with whole(path) as out:
        out.write(header.bytes)
        for *_, content in before:
            out.write(padded(content))
        file.write_data(out)
        for *_, content in after:
            out.write(padded(content))
        # Readers that take each string to be as long as the whole section read this far.
        out.truncate(max(out.tell(), BLOCK * index["Strings"][0] + len(soup) * len(strings)))
    return path


def write_abf1(
    path: str | Path,
    sweeps: np.ndarray | Sequence[np.ndarray],
    *,
    rate_hz: float,
    start_s: Sequence[float] | np.ndarray | None = None,
    recorded_at: datetime = datetime(2006, 1, 1, 12),
    unit: str | Sequence[str] = "mV",
    channel: str | Sequence[str] = "IN 0",
    full_scale: float | Sequence[float] = 10.0,
    epochs: Sequence[Epoch] = (),
    alternating: bool = False,
    tags: Sequence[tuple[float, str]] = (),
    gap_free: bool = False,
    protocol: str = "C:\\Protocols\\field.pro",
    comment: str = "",
) -> Path:
    """Write an ABF 1.83 file; arguments as for `write_abf2`, with at most ten epochs.

    The header is the fixed one of 6144 bytes. Its group 22 holds the alternating digital pattern: for each of
    ten epochs the levels (from byte 5878) and the trains (5898), then whether they are used (5918).

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_abf1(folder / "a.abf", np.zeros((2, 400)), rate_hz=10_000, start_s=[0, 15]).stat().st_size
    8704
    """
    file = Stored(sweeps, rate_hz, start_s, unit, channel, full_scale, tags, gap_free, 1)
    if len(epochs) > 10:
        raise DataError(f"{len(epochs)} epochs were given", expected="at most 10 in an ABF1 file")
    data_block = 12
    synch_block = data_block + blocks(2 * file.n_samples)
    tag_block = synch_block + blocks(file.synch.nbytes)
    padding = [0] * (10 - len(epochs))

    h = Block(data_block * BLOCK)
    seconds, thousandths = divmod(milliseconds(recorded_at), 1000)
    h.put("4sfhihi", 0, b"ABF ", 1.83, file.mode, file.n_samples, 0, file.n_sweeps)
    h.put("iiifhh", 20, int(f"{recorded_at:%Y%m%d}"), seconds, 0, 1.83, 1, 0)
    h.put("iii", 40, data_block, tag_block if tags else 0, len(tags))
    h.put("iihh", 92, synch_block if len(file.synch) else 0, len(file.synch), 0, 1)
    h.put("hff", 120, file.n_channels, file.interval_us / file.n_channels, 0.0)
    h.put("ff", 130, file.synch_us, 0.0)
    h.put("iiiii", 138, int(file.lengths[0]) * file.n_channels, 16, file.n_sweeps, 1, 1)
    h.put("f", 178, file.sweep_interval_s)
    h.put("i", 190, 1)
    h.put("ffii", 244, ADC_RANGE_V, ADC_RANGE_V, ADC_COUNTS, ADC_COUNTS)
    h.put("h", 260, 2)
    h.put("16s56sh", 294, b"Clampex".ljust(16), encode(comment[:56], 56).ljust(56), thousandths)
    used = list(range(file.n_channels))
    h.put("16h16h", 378, *range(16), *used, *[-1] * (16 - len(used)))
    for i in range(16):
        known = i < file.n_channels
        h.put("10s", 442 + 10 * i, encode(file.names[i] if known else f"IN {i}", 10).ljust(10))
        h.put("8s", 602 + 8 * i, encode(file.units[i] if known else "V", 8).ljust(8))
        h.put("f", 922 + 4 * i, file.scales[i] if known else 1.0)
        # Programmable gain, display gain, signal gain, telegraphed gain.
        for offset in (730, 794, 1050, 4576):
            h.put("f", offset + 4 * i, 1.0)
    for i in range(4):
        h.put("10s", 1306 + 10 * i, encode(f"AO #{i}", 10).ljust(10))
        h.put("8s", 1346 + 8 * i, b"mV".ljust(8))
        h.put("f", 2074 + 4 * i, 1.0)
    h.put("h", 1436, int(_drives_outputs(epochs)))
    h.put("10h", 1588, *(e.digital for e in epochs), *padding)
    h.put("i", 2034, data_block * BLOCK)
    h.put("10i", 2136, *(e.period for e in epochs), *padding)
    h.put("10i", 2216, *(e.width for e in epochs), *padding)
    h.put("hhhh", 2296, int(bool(epochs)), 0, 1, 1)
    h.put("10h", 2308, *(1 for _ in epochs), *padding)
    h.put("10f", 2348, *(e.level for e in epochs), *padding)
    h.put("10i", 2508, *(e.points for e in epochs), *padding)
    h.put("10hh", 2668, *(e.train for e in epochs), *padding, 1)
    h.put("256s128s", 4898, encode(protocol, 256).ljust(256), encode(comment, 128).ljust(128))
    h.put("4h", 5798, 9, 2, 1, 9)
    h.put("h", 5876, 0)
    h.put("10h", 5878, *(e.alternate for e in epochs), *padding)
    h.put("10h", 5898, *(e.alternate_train for e in epochs), *padding)
    h.put("h", 5918, int(alternating))

    path = Path(path)
    with whole(path) as out:
        out.write(h.bytes)
        file.write_data(out)
        out.write(padded(file.synch.tobytes()))
        out.write(padded(file.tag_section()))
    return path


def _drives_outputs(epochs: Sequence[Epoch]) -> bool:
    return any(e.digital or e.train or e.alternate or e.alternate_train for e in epochs)

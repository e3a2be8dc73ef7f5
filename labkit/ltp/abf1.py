"""The header of an ABF1 file: fixed places in its first 6144 bytes.

All of it is read here from the bytes, because pyABF takes neither the synch array nor the digital outputs
from it, rounds the rate, and loses the micro sign.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np

from labkit.ltp.abf_header import (
    BLOCK,
    Channel,
    Digital,
    Epoch,
    Header,
    Protocol,
    damaged,
    date_time,
    gain_of,
    refuse_cut,
    synch_entries,
    tag_entries,
    text_of,
    truncated,
)

__all__ = ["parse_abf1"]

# In files as old as these the header ends at byte 2048, and what lies beyond are data.
_OLD_HEADER, _HEADER = 2048, 6144


def parse_abf1(file: BinaryIO, size: int) -> Header:
    """The header of an ABF1 file of `size` bytes; a part beyond its end is refused."""
    file.seek(0)
    raw = file.read(_HEADER)
    version, mode, n_values, skipped, n_sweeps = struct.unpack_from("<fhihi", raw, 4)
    data_block, tag_block, n_tags = struct.unpack_from("<iii", raw, 40)
    synch_block, n_synch, data_format = struct.unpack_from("<iih", raw, 92)
    n_channels, interval_us = struct.unpack_from("<hf", raw, 120)
    if not 1 <= n_channels <= 16:
        raise damaged(f"it counts {n_channels} channels")
    if data_block >= 4 and data_block * BLOCK > size:
        raise truncated(" within its header")
    if data_block < 4 or n_values < 0 or skipped < 0:
        raise damaged("it says impossible things of where the data lie")
    width = 4 if data_format == 1 else 2
    refuse_cut(n_sweeps, n_values, (size - data_block * BLOCK) // width - skipped)
    synch, tags = (synch_block * BLOCK, 8, n_synch), (tag_block * BLOCK, 64, n_tags)
    for name, (start, each, count) in {"synch": synch, "tag": tags}.items():
        if start < 0 or count < 0:
            raise damaged(f"its {name} section has {count} entries")
        if start and count and start + each * count > size:
            raise truncated(f": its {name} section lies beyond its end")
    raw = raw[: data_block * BLOCK].ljust(_HEADER, b"\0")  # short headers: the rest counts as zero
    extended = data_block * BLOCK > _OLD_HEADER and version >= 1.6

    def at(offset: int, dtype: str, count: int) -> list[Any]:
        known = extended or offset < _OLD_HEADER
        return np.frombuffer(raw, dtype, count, offset).tolist() if known else [0] * count

    date, seconds = at(20, "<i4", 2)
    return Header(
        version=f"ABF {version:.2f}",
        mode=mode,
        channels=_channels(at, n_channels),
        interval_us=interval_us * n_channels,  # the file says it of values, whatever their channel
        synch_unit_us=at(130, "<f4", 1)[0],
        synch=synch_entries(file, synch),
        interval_s=at(178, "<f4", 1)[0],
        n_sweeps=n_sweeps,
        n_values=n_values,
        values_per_sweep=at(138, "<i4", 1)[0],
        data_start=data_block * BLOCK + skipped * width,
        dtype={0: "<i2", 1: "<f4"}.get(data_format, ""),
        recorded_at=date_time(date, seconds * 1000 + at(366, "<i2", 1)[0]),
        tags=tag_entries(file, tags),
        protocol=_protocol(at) if extended else Protocol(),
    )


def _channels(at: Any, n_channels: int) -> list[Channel]:
    range_v, resolution = at(244, "<f4", 1)[0], at(252, "<i4", 1)[0]
    names, units = at(442, "S10", 16), at(602, "S8", 16)
    scale, signal, programmable, telegraph, instrument_offset, signal_offset = (
        at(offset, "<f4", 16) for offset in (922, 1050, 730, 4576, 986, 1114)
    )
    telegraphed = at(4512, "<i2", 16)
    channels = []
    for k in at(410, "<i2", 16)[:n_channels]:
        if not 0 <= k < 16:
            raise damaged(f"it samples from input {k}")
        factors = [scale[k], signal[k], programmable[k]] + [telegraph[k]] * (telegraphed[k] == 1)
        gain = gain_of(range_v, resolution, factors)
        offset = instrument_offset[k] - signal_offset[k]
        channels.append(Channel(text_of(names[k]), text_of(units[k]), gain, offset))
    return channels


def _protocol(at: Any) -> Protocol:
    """Waveform and digital outputs: ten epochs on each of two analogue outputs."""
    kinds, (levels, level_steps) = at(2308, "<i2", 20), (at(offset, "<f4", 20) for offset in (2348, 2428))
    counts = [at(offset, "<i4", 20) for offset in (2508, 2588, 2136, 2216)]
    columns = zip(kinds, levels, level_steps, *counts, strict=True)
    digital = zip(*(at(offset, "<i2", 10) for offset in (1588, 2668, 5878, 5898)), strict=True)
    outputs = zip(at(2296, "<i2", 2), at(2300, "<i2", 2), at(5298, "<f4", 2), strict=True)
    return Protocol(
        epochs=tuple(Epoch(i // 10, i % 10, *column) for i, column in enumerate(columns) if column[0]),
        dacs={dac: holding for dac, (on, source, holding) in enumerate(outputs) if on and source == 1},
        digital={i: Digital(*(bits & 0xFFFF for bits in row)) for i, row in enumerate(digital)}
        if at(1436, "<i2", 1)[0]
        else {},
        digital_dac=at(1440, "<i2", 1)[0],
        digital_holding=at(1584, "<i2", 1)[0] & 0xFFFF,
        alternate_digital=bool(at(5918, "<i2", 1)[0]),
        alternate_dac=bool(at(5876, "<i2", 1)[0]),
        user_list=any(at(3360, "<i2", 4)),
    )

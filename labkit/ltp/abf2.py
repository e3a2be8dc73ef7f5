"""The header of an ABF2 file: a table of sections, and the entries of each.

pyABF reads the fixed sections (header, protocol, inputs). The others are read here from the bytes, because
pyABF leaves out when sweeps began, digital trains and alternate patterns, and mistakes some units.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from labkit.ltp.abf_header import (
    BLOCK,
    Channel,
    Digital,
    Epoch,
    Header,
    Protocol,
    damaged,
    date_time,
    entries,
    gain_of,
    refuse_cut,
    synch_entries,
    tag_entries,
    text_of,
    truncated,
)

__all__ = ["parse_abf2"]

# Where the table names each section, and the bytes of an entry that are read here.
_SECTIONS = {
    "protocol": (76, 208),
    "adc": (92, 82),
    "dac": (108, 132),
    "digital": (124, 10),
    "epoch": (156, 30),
    "user list": (172, 10),
    "strings": (220, 1),
    "data": (236, 2),
    "tag": (252, 64),
    "synch": (316, 8),
}
# Fields of entries, from their start; V stands for bytes that are passed over.
_DIGITAL = [(name, "<i2") for name in ("number", *Digital._fields)]
_EPOCH = [(name, "<i2") for name in ("number", "dac", "kind")]
_EPOCH += [(name, "<f4") for name in ("level", "level_step")]
_EPOCH += [(name, "<i4") for name in ("points", "points_step", "period", "width")]
_DAC = [("number", "<i2"), ("_1", "V14"), ("holding", "<f4"), ("_2", "V20"), ("on", "<i2"), ("source", "<i2")]
_USER_LIST = [("_1", "V4"), ("parameter", "<i2")]

Sections = dict[str, tuple[int, int, int]]


def parse_abf2(file: BinaryIO, size: int) -> Header:
    """The header of an ABF2 file of `size` bytes; a part beyond its end is refused."""
    file.seek(0)
    raw = file.read(BLOCK)
    (n_sweeps,) = struct.unpack_from("<I", raw, 12)
    sections = _sections(raw, size, n_sweeps)

    from pyabf.abf2.adcSection import ADCSection
    from pyabf.abf2.headerV2 import HeaderV2
    from pyabf.abf2.protocolSection import ProtocolSection

    head, protocol, adc = HeaderV2(file), ProtocolSection(file), ADCSection(file)
    data_start, data_width, n_values = sections["data"]
    return Header(
        version=f"ABF {head.abfVersionDict['major']}.{head.abfVersionDict['minor']}",
        mode=protocol.nOperationMode,
        channels=_channels(adc, protocol, sections["adc"][2], _strings(file, sections["strings"])),
        interval_us=protocol.fADCSequenceInterval,
        synch_unit_us=protocol.fSynchTimeUnit,
        synch=synch_entries(file, sections["synch"]),
        interval_s=protocol.fEpisodeStartToStart,
        n_sweeps=n_sweeps,
        n_values=n_values,
        values_per_sweep=protocol.lNumSamplesPerEpisode,
        data_start=data_start,
        dtype={(0, 2): "<i2", (1, 4): "<f4"}.get((head.nDataFormat, data_width), ""),
        recorded_at=date_time(head.uFileStartDate, head.uFileStartTimeMS),
        tags=tag_entries(file, sections["tag"]),
        protocol=_protocol(file, sections, protocol),
    )


def _sections(raw: bytes, size: int, n_sweeps: int) -> Sections:
    """Start, width of an entry and count of each section, none of them beyond the end of the file."""
    sections = {}
    for name, (offset, least) in _SECTIONS.items():
        block, width, count = struct.unpack_from("<IIq", raw, offset)
        if count and (count < 0 or width < least or width > size):
            raise damaged(f"its {name} section has {count} entries of {width} bytes")
        sections[name] = (block * BLOCK, width, count)
    start, width, n_values = sections["data"]
    refuse_cut(n_sweeps, n_values, (size - start) // max(width, 1))
    for name, (start, width, count) in sections.items():
        # The strings are one heap, however many they are; their width is that of all.
        if count and start + width * (1 if name == "strings" else count) > size:
            raise truncated(f": its {name} section lies beyond its end")
    for name in ("protocol", "adc"):
        if not 1 <= sections[name][2] <= 64:
            raise damaged(f"its {name} section has {sections[name][2]} entries")
    if max(sections[name][2] for name in ("dac", "digital", "epoch", "user list")) > 1000:
        raise damaged("its protocol has more than 1000 entries")
    return sections


def _strings(file: BinaryIO, section: tuple[int, int, int]) -> list[str]:
    """The strings that headers point to by number, from 1; 44 bytes of description come before them."""
    start, width, count = section
    if not count:
        return []
    file.seek(start)
    raw = file.read(width)
    if raw[:4] != b"SSCH":
        raise damaged("its strings cannot be found")
    return ["", *(text_of(string) for string in raw[44:].split(b"\0"))]


def _channels(adc: object, protocol: object, n_channels: int, strings: list[str]) -> list[Channel]:
    def string(index: int) -> str:
        return strings[index] if 0 < index < len(strings) else "?"

    channels = []
    for i in range(n_channels):
        factors = [adc.fInstrumentScaleFactor[i], adc.fSignalGain[i], adc.fADCProgrammableGain[i]]
        if adc.nTelegraphEnable[i] == 1:
            factors.append(adc.fTelegraphAdditGain[i])
        gain = gain_of(protocol.fADCRange, protocol.lADCResolution, factors)
        offset = adc.fInstrumentOffset[i] - adc.fSignalOffset[i]
        name, unit = string(adc.lADCChannelNameIndex[i]), string(adc.lADCUnitsIndex[i])
        channels.append(Channel(name, unit, gain, offset))
    return channels


def _protocol(file: BinaryIO, sections: Sections, protocol: object) -> Protocol:
    """Waveform table and digital outputs; `protocol` is pyABF's section of that name."""
    epochs = entries(file, sections["epoch"], _EPOCH)
    outputs = entries(file, sections["dac"], _DAC)
    digital = entries(file, sections["digital"], _DIGITAL) if protocol.nDigitalEnable else ()
    return Protocol(
        epochs=tuple(Epoch(*(row[name].item() for name in Epoch._fields)) for row in epochs),
        dacs={
            int(row["number"]): float(row["holding"]) for row in outputs if row["on"] and row["source"] == 1
        },
        digital={
            int(row["number"]): Digital(*(int(row[name]) & 0xFFFF for name in Digital._fields))
            for row in digital
        },
        digital_dac=protocol.nActiveDACChannel,
        digital_holding=protocol.nDigitalHolding & 0xFFFF,
        alternate_digital=bool(protocol.nAlternateDigitalOutputState),
        alternate_dac=bool(protocol.nAlternateDACOutputState),
        # 0 stands in unused entries.
        user_list=bool((entries(file, sections["user list"], _USER_LIST)["parameter"] > 0).any()),
    )

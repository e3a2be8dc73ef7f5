"""What a row of each sheet holds: a slice, a blot, a lane, a dendrite, an animal."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from labkit.study.rows import Row
from labkit.study.validation import Number, Optional, Text, near, wrong

__all__ = ["ROLES", "AnimalRow", "BlotRow", "DendriteRow", "LaneRow", "RecordingRow"]

#: What a lane may hold. A reference is the same sample on every membrane, a dilution one of a series of it.
ROLES = ("sample", "ladder", "reference", "dilution", "empty")
_BLIND = dict.fromkeys(("group", "dose", "treatment", "drug"), "it stands in animals.csv alone")


def _files(value: Any) -> Any:
    """Split "a.abf; ltp\\b.abf" into a.abf and ltp/b.abf."""
    if not isinstance(value, str):
        return value
    files = tuple(part.strip().replace("\\", "/") for part in re.split(r"[;\n]", value) if part.strip())
    if not files:
        raise wrong(
            "the file or files of the slice",
            "fill it in, several files joined by ;",
            found="the cell is empty",
        )
    return files


def _channel(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d+", value) else value


def _pathway(value: Any) -> Any:
    if isinstance(value, str):
        if re.fullmatch(r"[sS]?\d+", value):
            return "S" + value.lstrip("sS")
        raise wrong("a pathway: S0, S1, ...", "write S0 for the first stimulated pathway, S1 for the second")
    return value


def _voltage(value: Any) -> Any:
    if isinstance(value, str):
        for unit in ("V", "mV", "µV"):
            if value.replace("μ", "µ").replace("u", "µ").casefold() == unit.casefold():
                return unit
        raise wrong(
            "a unit of voltage: V, mV or µV", "write mV for a field recording, or leave the cell empty"
        )
    return value


class RecordingRow(Row):
    """One slice: its files, and what the files do not say themselves."""

    sheet: ClassVar[str] = "recordings"
    kept_back: ClassVar[dict[str, str]] = {
        **_BLIND,
        **dict.fromkeys(("recording", "code"), "labkit makes it"),
    }

    files: Annotated[tuple[str, ...], BeforeValidator(_files)]
    animal: Text
    slice: Text
    test_pathway: Annotated[str | None, BeforeValidator(_pathway), Optional] = None
    control_pathway: Annotated[str | None, BeforeValidator(_pathway), Optional] = None
    channel: Annotated[int | str | None, BeforeValidator(_channel), Optional] = None
    unit: Annotated[str | None, BeforeValidator(_voltage), Optional] = None
    induction_s: Annotated[Number | None, Optional] = Field(default=None, ge=0)
    note: str = ""

    @field_validator("control_pathway")
    @classmethod
    def _not_the_test_pathway(cls, control: str | None, info: ValidationInfo) -> str | None:
        if control is not None and control == (info.data.get("test_pathway", "") or "S0"):
            raise wrong(
                "another pathway than test_pathway (S0 when that is empty)",
                "correct one of them, or leave control_pathway empty",
            )
        return control

    @property
    def recording(self) -> str:
        """The name made from animal and slice."""
        return f"{self.animal}-{self.slice}"


def _one_file(value: Any) -> Any:
    return value.strip().replace("\\", "/") if isinstance(value, str) else value


def _word_of(words: tuple[str, ...], expected: str) -> Any:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or value.casefold() in words:
            return value.casefold() if isinstance(value, str) else value
        raise wrong(f"{expected}: {', '.join(words)}", near(value, words) or "write one of these")

    return check


def _lane_number(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[1-9]\d?", value):
        return int(value)
    raise wrong("the number of the lane, 1 for the one at the left", "write a whole number from 1")


class BlotRow(Row):
    """One image of one target on one membrane. An image of several targets has a row for each."""

    sheet: ClassVar[str] = "blots"
    kept_back: ClassVar[dict[str, str]] = {
        **_BLIND,
        "code": "labkit makes it",
        **dict.fromkeys(("animal", "lane"), "it stands in lanes.csv"),
    }

    file: Annotated[Text, BeforeValidator(_one_file)]
    membrane: Text
    target: Text
    polarity: Annotated[
        str | None, BeforeValidator(_word_of(("bright", "dark"), "how the bands look")), Optional
    ] = None
    exposure: str = ""
    note: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The file, as other sheets have several of them."""
        return (self.file,) if self.file else ()


class LaneRow(Row):
    """One lane of one membrane, the same in all its images."""

    sheet: ClassVar[str] = "lanes"
    kept_back: ClassVar[dict[str, str]] = _BLIND

    membrane: Text
    lane: Annotated[int, BeforeValidator(_lane_number)]
    animal: Annotated[str | None, Optional] = None
    replicate: Annotated[str | None, Optional] = None
    role: Annotated[str | None, BeforeValidator(_word_of(ROLES, "what the lane holds")), Optional] = None
    ug: Annotated[Number | None, Optional] = Field(default=None, gt=0)
    note: str = ""


class DendriteRow(Row):
    """One dendrite in one image. An image of several dendrites has a row for each."""

    sheet: ClassVar[str] = "images"
    kept_back: ClassVar[dict[str, str]] = {**_BLIND, "code": "labkit makes it"}

    file: Annotated[Text, BeforeValidator(_one_file)]
    animal: Text
    neuron: Text
    dendrite: Text
    channel: Annotated[int | str | None, BeforeValidator(_channel), Optional] = None
    voxel_z_um: Annotated[Number | None, Optional] = Field(default=None, gt=0)
    voxel_y_um: Annotated[Number | None, Optional] = Field(default=None, gt=0)
    voxel_x_um: Annotated[Number | None, Optional] = Field(default=None, gt=0)
    modality: Annotated[
        str | None,
        BeforeValidator(_word_of(("fluorescence", "brightfield"), "how the image was made")),
        Optional,
    ] = None
    note: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The file, as other sheets have several of them."""
        return (self.file,) if self.file else ()

    @property
    def name(self) -> str:
        """The name made from animal, neuron and dendrite."""
        return f"{self.animal}-{self.neuron}-{self.dendrite}"


class AnimalRow(Row):
    """One animal and its group; sex, cage, batch and the like may stand beside."""

    sheet: ClassVar[str] = "animals"
    kept_back: ClassVar[dict[str, str]] = {"dose": "it stands in study.toml, once for each group"}

    animal: Text
    group: Text

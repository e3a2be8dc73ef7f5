"""study.toml: the groups of a study and the settings that decide its numbers, with their defaults.

A setting that is not in the file has the default given here; a name that is not known is never ignored.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from labkit.columns import COLUMNS
from labkit.study.validation import near, wrong

__all__ = [
    "LTP",
    "Blinding",
    "Blots",
    "Endpoint",
    "Group",
    "Reporting",
    "Settings",
    "Spines",
    "Statistics",
    "StudyFile",
    "group_names",
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


def _pair(value: Any) -> Any:
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(v) in (int, float) for v in value):
        if value[0] < value[1]:
            return tuple(value)
        raise wrong("the earlier time first", f"write {[value[1], value[0]]} if that is meant")
    raise wrong("two numbers in square brackets", "write it as [50, 60]")


Pair = Annotated[tuple[float, float], BeforeValidator(_pair)]
Positive = Annotated[float, Field(gt=0)]


class Group(_Section):
    """One group: `name` as animals.csv spells it, `dose` in `unit` (NaN if none), `label` for figures."""

    name: str = Field(min_length=1)
    dose: float = Field(default=math.nan, ge=0)
    unit: str = ""
    label: str = ""

    @model_validator(mode="before")
    @classmethod
    def _label_is_name(cls, data: Any) -> Any:
        return (
            {**data, "label": data.get("label") or data.get("name", "")} if isinstance(data, dict) else data
        )


class LTP(_Section):
    """How responses are measured, and when a recording is doubtful."""

    method: str = "20-80"
    average: int = Field(default=1, ge=1)
    window_ms: Pair | None = None
    baseline_min: Positive = 20
    normalise_min: float = Field(default=10, gt=0, validate_default=True)
    post_min: Pair = (50, 60)
    drift_limit_percent: Positive = 10
    volley_limit_percent: Positive = 20

    @property
    def plasticity(self) -> dict[str, Any]:
        """The settings that decide % of baseline, as the arguments of `labkit.ltp.plasticity`."""
        return self.model_dump(
            include={
                "baseline_min",
                "normalise_min",
                "post_min",
                "drift_limit_percent",
                "volley_limit_percent",
            }
        )

    @field_validator("method")
    @classmethod
    def _known_method(cls, method: str) -> str:
        share = re.fullmatch(r"(\d{1,2})-(\d{1,3})", method)
        if method in ("max", "fixed") or (share and int(share[1]) < int(share[2]) <= 100):
            return method
        raise wrong("'20-80' or another share of the amplitude, 'max' or 'fixed'", "write one of these")

    @field_validator("normalise_min")
    @classmethod
    def _normalise_within_baseline(cls, minutes: float, info: ValidationInfo) -> float:
        baseline = info.data.get("baseline_min", minutes)
        if minutes > baseline:
            raise wrong(
                f"at most baseline_min, which is {baseline:g}",
                "shorten normalise_min or lengthen baseline_min",
                found=f"it is {minutes:g}",
            )
        return minutes


class Blots(_Section):
    """Which targets make a ratio, and when a band is doubtful.

    `loading` names the control that each lane is divided by, one for all or one for each target; `phospho`
    holds pairs of a phosphorylated target and its total. `targets` () stands for every other target. A target
    of which the antibody shows two bands is named in `doublets`, with the band that is its own.
    """

    loading: str | dict[str, str] = ""
    targets: tuple[str, ...] = ()
    phospho: tuple[tuple[str, str], ...] = ()
    background: Literal["linear", "arpls"] = "linear"
    gap_limit_percent: Positive = 10
    replicate_limit_percent: Positive = 20
    ladder_kda: tuple[Positive, ...] = ()
    weights_kda: dict[str, Positive] = {}
    doublets: dict[str, Literal["upper", "lower"]] = {}

    @property
    def bands(self) -> dict[str, Any]:
        """What is known of where targets run, as `labkit.blots` takes it."""
        return self.model_dump(include={"ladder_kda", "weights_kda", "doublets"})

    @property
    def ratios(self) -> dict[str, Any]:
        """The settings that decide which ratios are made, as the arguments of `labkit.blots.ratios`."""
        return self.model_dump(include={"loading", "targets", "phospho", "replicate_limit_percent"})

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """The targets that each setting names."""
        loading = self.loading if isinstance(self.loading, dict) else {"": self.loading}
        return {
            "loading": tuple(name for name in (*loading, *loading.values()) if name),
            "targets": self.targets,
            "phospho": tuple(name for pair in self.phospho for name in pair),
            "weights_kda": tuple(self.weights_kda),
            "doublets": tuple(self.doublets),
        }

    @field_validator("ladder_kda")
    @classmethod
    def _ladder_falls(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if list(weights) != sorted(weights, reverse=True) or len(set(weights)) < len(weights):
            raise wrong(
                "the weights from the top of the membrane down, each once", "sort them, largest first"
            )
        return weights


class Spines(_Section):
    """How spines are found, named and counted, and how many dendrites are shown twice."""

    sensitivity: Positive = 1
    rule: Literal["rodriguez2008", "risher2014"] = "rodriguez2008"
    thresholds: dict[str, Positive] = {}
    resolution_um: Positive | None = None
    end_um: float = Field(default=2.5, ge=0)
    repeat: float = Field(default=0.1, ge=0, le=1)

    @property
    def finder(self) -> dict[str, Any]:
        """The settings that decide what a spine is, as the arguments of `labkit.spines.Finder`."""
        return self.model_dump(include={"sensitivity", "rule", "thresholds", "resolution_um"})


class Statistics(_Section):
    """The tests, chosen before the data are seen."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    omnibus: Literal["anova", "welch", "kruskal"] = "anova"
    posthoc: Literal["dunnett", "tukey", "games-howell", "dunn", "none"] = "dunnett"
    unit: str = Field(default="animal", min_length=1)
    primary: tuple[str, ...] = ()


class Blinding(_Section):
    """Whether pickers hide what a recording is, and the seed of the codes shown instead."""

    blind: bool = True
    seed: int = 1


class Reporting(_Section):
    """What only the lab can say of its study, in sentences, for the table that a paper's referees ask for."""

    animals: str = ""
    procedures: str = ""
    sample_size: str = ""
    criteria: str = ""
    randomisation: str = ""
    confounders: str = ""
    blinding: str = ""


class Endpoint(_Section):
    """One result column that groups are compared by; `label` '' takes the column's own."""

    label: str = ""
    scale: Literal["linear", "log"] = "linear"


class Settings(_Section):
    """Everything in study.toml that decides a number."""

    ltp: LTP = LTP()
    blots: Blots = Blots()
    spines: Spines = Spines()
    blinding: Blinding = Blinding()
    reporting: Reporting = Reporting()
    endpoints: dict[str, Endpoint] = Field(default={"potentiation_percent": Endpoint()}, min_length=1)
    statistics: Statistics = Field(
        default=Statistics(), validate_default=True
    )  # after endpoints, which it names

    @field_validator("endpoints")
    @classmethod
    def _known_endpoints(cls, endpoints: dict[str, Endpoint]) -> dict[str, Endpoint]:
        for name in endpoints:
            meant = near(name, COLUMNS, cutoff=0.85)
            if name not in COLUMNS and meant:
                raise wrong("the name of a result column", meant, found=f"there is no result {name!r}")
        return endpoints

    @field_validator("statistics")
    @classmethod
    def _primary_are_endpoints(cls, statistics: Statistics, info: ValidationInfo) -> Statistics:
        endpoints = info.data.get("endpoints", statistics.primary)
        for name in statistics.primary:
            if name not in endpoints:
                raise wrong(
                    f"one of the endpoints ({', '.join(endpoints)})",
                    near(name, endpoints) or f"add a section [endpoints.{name}]",
                    found=f"primary names {name!r}, which is no endpoint",
                )
        return statistics

    @property
    def primary(self) -> tuple[str, ...]:
        """The endpoints that the study stands on: those named in [statistics], else the first."""
        return self.statistics.primary or tuple(self.endpoints)[:1]


class StudyFile(Settings):
    """The whole of study.toml."""

    title: str = Field(min_length=1)
    groups: tuple[Group, ...] = Field(min_length=1)
    figures: str = "figures"

    @field_validator("groups", mode="before")
    @classmethod
    def _names_once(cls, groups: Any) -> Any:
        names = group_names({"groups": groups})
        folded = [name.casefold() for name in names]
        for name in names:
            if folded.count(name.casefold()) > 1:
                raise wrong("each group once", "rename one of them", found=f"two groups are named {name!r}")
        return groups

    @property
    def settings(self) -> Settings:
        """The settings without title and groups."""
        return Settings.model_construct(**{name: getattr(self, name) for name in Settings.model_fields})


def group_names(data: dict[str, Any]) -> list[str]:
    """Names of the groups in a study.toml that may hold mistakes."""
    groups = data.get("groups")
    names = (
        [group.get("name") for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    )
    return [name.strip() for name in names if isinstance(name, str) and name.strip()]

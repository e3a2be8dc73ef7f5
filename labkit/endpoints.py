"""The endpoints of a study: where results meet treatment, for every method that the study has.

Notebooks 1 to 3 write tables without treatment; here they are joined with the animals, and each number that
groups are compared by gets what its comparison needs: the column, the levels within the animal, the block,
the scale. The statistics themselves are those of `labkit.stats`, chosen in study.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from labkit import blots, results, stats
from labkit.columns import COLUMNS
from labkit.errors import DataError, ResultError
from labkit.study import Study

__all__ = ["TABLES", "Endpoint", "Endpoints", "load"]

#: The tables of a study by number: title and endpoints (table 2 holds the ratios that the study makes).
TABLES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "Electrophysiology (LTP)",
        ("baseline_slope_mV_per_ms", "post_slope_mV_per_ms", "potentiation_percent"),
    ),
    2: ("Synaptic proteins", ()),
    3: (
        "Dendritic spines",
        ("density_per_10um", "mushroom_per_10um", "thin_per_10um", "stubby_per_10um"),
    ),
}
_BLOCKED_POSTHOC = ("dunnett", "tukey", "none")


@dataclass(frozen=True, eq=False)
class Endpoint:
    """One number that groups are compared by.

    Attributes
    ----------
    name, title
        As study.toml names it, and as tables and figures write it.
    table
        Number of the table that it stands in.
    rows
        One row per smallest thing measured, with ``animal, group, dose, excluded, flags`` and `value`.
    value
        Column of the number.
    nested
        Levels within the animal, from the outermost.
    block
        Column of what was measured together, or None.
    scale
        "linear", "log" (logarithms are taken) or "logged" (they are logarithms).
    """

    name: str
    title: str
    table: int
    rows: pd.DataFrame
    value: str
    nested: tuple[str, ...] = ()
    block: str | None = None
    scale: str = "linear"

    def question(self, study: Study) -> dict[str, Any]:
        """What `stats.compare` is asked beside table and value, by the plan of the study.

        Where membranes are blocks, tests that know no block give way to the ANOVA and to Dunnett's test.
        """
        plan = study.settings.statistics
        omnibus, posthoc = plan.omnibus, plan.posthoc
        if self.block:
            omnibus, posthoc = "anova", posthoc if posthoc in _BLOCKED_POSTHOC else "dunnett"
        return {
            "group": "group", "unit": plan.unit, "nested": self.nested, "block": self.block, "dose": "dose",
            "control": study.control, "scale": self.scale, "omnibus": omnibus, "posthoc": posthoc,
            "alpha": plan.alpha,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Endpoints:
    """All endpoints of a study that its results hold, and what else the statistics show.

    Attributes
    ----------
    study
        The study.
    by_name
        Each `Endpoint`, in the order of the tables.
    made_from
        What each result table was made from, by its method.
    beside
        Tables that are looked at beside: ``control_pathway``, ``time_course``, ``bands``, ``loading``,
        ``spines``, as far as the study has them.
    """

    study: Study
    by_name: dict[str, Endpoint]
    made_from: dict[str, dict[str, Any]]
    beside: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def titles(self) -> dict[str, str]:
        """How each endpoint is written."""
        return {name: one.title for name, one in self.by_name.items()}

    @property
    def labels(self) -> dict[str, str]:
        """How each group is written."""
        return {group.name: group.label for group in self.study.groups}

    @property
    def primary(self) -> tuple[str, ...]:
        """The endpoints that the study stands on, as far as they were measured."""
        return tuple(name for name in self.study.settings.primary if name in self.by_name)

    @property
    def picks(self) -> dict[str, Any]:
        """The picks behind all results, as `labkit.tables.picks_in_words` takes them."""
        return {"picks": [pick for made in self.made_from.values() for pick in made.get("picks", [])]}

    def compare(self) -> dict[str, stats.Comparison | DataError]:
        """The comparison of every endpoint as planned; the reason in its place where none can be made."""
        return {name: self._compared(one) for name, one in self.by_name.items()}

    def table(self, number: int, compared: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the comparisons that stand in a table."""
        return {name: compared[name] for name, one in self.by_name.items() if one.table == number}

    def tables(self) -> dict[int, str]:
        """Numbers and titles of the tables that this study has."""
        there = {one.table for one in self.by_name.values()}
        return {number: title for number, (title, _) in TABLES.items() if number in there}

    def main(self, compared: Mapping[str, stats.Comparison | DataError]) -> dict[str, stats.Comparison]:
        """The comparisons of the primary endpoints, as far as they could be made."""
        made = {name: compared[name] for name in self.primary}
        return {name: one for name, one in made.items() if not isinstance(one, DataError)}

    def contrasts(self, compared: Mapping[str, stats.Comparison | DataError]) -> pd.DataFrame:
        """Every contrast of every endpoint, unrounded, for a result table."""
        made = {name: one.posthoc for name, one in compared.items() if not isinstance(one, DataError)}
        return pd.concat(made, names=["endpoint"]).reset_index("endpoint").reset_index(drop=True)

    def exclusions(self) -> pd.DataFrame:
        """Group and reason of every row that a person excluded."""
        table = self.doubtful()
        return table.loc[table["excluded"] != "", ["group", "excluded"]]

    def course(self, name: str = "potentiation_percent") -> pd.DataFrame:
        """The time course of the recordings that count."""
        rows = self.by_name[name].rows
        included = rows.loc[rows["excluded"] == "", ["code", "pathway"]]
        return self.beside["time_course"].merge(included, on=["code", "pathway"])

    def sensitivity(self, name: str, planned: stats.Comparison) -> dict[str, Any]:
        """The question of an endpoint asked in other ways beside the planned one: other tests, other rows."""
        one = self.by_name[name]
        asked: dict[str, Any] = {"as planned": planned}
        if one.nested:
            asked[f"mixed model of all {one.nested[-1]}s"] = planned.mixed
        kept = one.rows[one.rows["flags"] == ""]
        variants: dict[str, dict[str, Any]] = {"without flagged": {"table": kept}}
        if one.block:
            variants["membrane not in the model"] = {"table": one.rows, "block": None}
            variants["by ranks, membrane not in the model"] = {
                "table": one.rows, "block": None, "omnibus": "kruskal", "posthoc": "dunn",
            }  # fmt: skip
        else:
            variants["by ranks"] = {"table": one.rows, "omnibus": "kruskal", "posthoc": "dunn"}
            variants["variances not taken as equal"] = {
                "table": one.rows, "omnibus": "welch", "posthoc": "games-howell",
            }  # fmt: skip
        if one.table == 1 and len(self.beside.get("control_pathway", ())):
            variants["control pathway"] = {"table": self.beside["control_pathway"]}
        return asked | stats.sensitivity(variants, one.value, **one.question(self.study))

    def loading(self) -> dict[str, stats.Comparison | DataError]:
        """Each loading control compared between groups: one that the treatment moves makes no ratio."""
        table = self.beside.get("loading", pd.DataFrame(columns=["loading_target"]))
        rows = {}
        for target, own in table.groupby("loading_target", sort=True):
            logs = own.rename(columns={"log_loading": target})
            one = Endpoint(target, target, 2, logs, target, block="membrane", scale="logged")
            rows[f"{target} (loading control)"] = one
        return {name: self._compared(_with_blocks(one)) for name, one in rows.items()}

    def next_experiment(
        self,
        compared: Mapping[str, stats.Comparison | DataError],
        *,
        n: Sequence[int] = (5, 7, 10, 15, 20, 30),
        power: float = 0.8,
    ) -> pd.DataFrame:
        """The smallest effect of the highest group that so many units a group would find, by this variance.

        A difference in the unit of the endpoint, or a ratio to the control, that Dunnett's test shows with
        the given power. Sub-units are as many as now. One row per endpoint, one column per `n`.
        """
        names = [group.name for group in self.study.groups]
        rows = {}
        for name, comparison in compared.items():
            if isinstance(comparison, DataError):
                continue
            sd = stats.variance_components(comparison)
            scale = "linear" if comparison.scale == "linear" else "log"
            inner = list(sd)[1:]
            each = comparison.units["n_subunits"]
            subunits = {inner[0]: len(each) / float((1 / each).sum())} if len(inner) == 1 else None
            if len(inner) > 1:  # deeper nesting: what matters is how much the animals themselves scatter
                sd = {next(iter(sd)): float(comparison.units["residual"].std(ddof=len(names)))}
            rows[self.by_name[name].title] = {
                size: stats.detectable(
                    size,
                    groups=names,
                    power=power,
                    sd=sd,
                    subunits=subunits,
                    scale=scale,
                    alpha=comparison.alpha,
                )
                for size in n
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("endpoint")

    def figures(self, compared: Mapping[str, stats.Comparison | DataError]) -> dict[str, tuple[Any, str]]:
        """The figure of each method, in the style in use, with its alternative text, by file name."""
        from labkit import figures

        drawn = {}
        potentiation = compared.get("potentiation_percent")
        if isinstance(potentiation, stats.Comparison):
            rows = self.by_name["potentiation_percent"].rows
            drawn["ltp"] = figures.ltp_figure(
                self.course(), rows[rows["excluded"] == ""], potentiation,
                labels=self.labels, post_min=self.study.settings.ltp.post_min,
            )  # fmt: skip
        proteins = self.table(2, compared)
        if any(isinstance(one, stats.Comparison) for one in proteins.values()):
            drawn["blots"] = figures.blots_figure(proteins, titles=self.titles, labels=self.labels)
        densities = self.table(3, compared)
        if any(isinstance(one, stats.Comparison) for one in densities.values()):
            rows = self.by_name[next(iter(densities))].rows
            counted = rows[rows["excluded"] == ""]
            drawn["spines"] = figures.spines_figure(densities, counted, labels=self.labels)
        return drawn

    def numbers(self) -> pd.DataFrame:
        """Per endpoint and group: units, units compared; rows measured, excluded, without value, flagged."""
        unit, parts = self.study.settings.statistics.unit, {}
        for one in self.by_name.values():
            rows = one.rows
            out, missing = rows["excluded"] != "", rows[one.value].isna()
            counted = rows[~out & ~missing]
            by = {"observed": False}
            parts[one.title] = pd.DataFrame(
                {
                    f"{unit}s": rows.groupby("group", **by)[unit].nunique(),
                    f"{unit}s compared": counted.groupby("group", **by)[unit].nunique(),
                    "measured": rows.groupby("group", **by).size(),
                    "excluded": out.groupby(rows["group"], **by).sum(),
                    "no value": (missing & ~out).groupby(rows["group"], **by).sum(),
                    "flagged": rows["flags"].ne("").groupby(rows["group"], **by).sum(),
                }
            ).rename(index=self.labels)
        return pd.concat(parts, names=["endpoint"])

    def balance(self) -> pd.DataFrame:
        """How many animals of each group every membrane compares; empty where the study has no blots."""
        parts = [
            one.rows.rename(columns={one.value: "log_ratio"})
            for one in self.by_name.values()
            if one.table == 2
        ]
        if not parts:
            return pd.DataFrame()
        counts = blots.balance(pd.concat(parts, ignore_index=True))
        names = {name: label for name, label in self.labels.items() if name in counts}
        return counts.rename(columns=names)

    def doubtful(self) -> pd.DataFrame:
        """Every row that is excluded, has no value, or bears a flag: once for each table of results."""
        parts, seen = [], set()
        for one in self.by_name.values():
            rows = one.rows
            said = rows["flags"]
            if "refused" in rows:
                said = said.where(rows["refused"] == "", rows["refused"])
            part = rows[["animal", "group", "excluded"]].assign(
                endpoint=one.title if one.table == 2 else TABLES[one.table][0],
                part=_parts(rows),
                group=rows["group"].astype(str).replace(self.labels),
                flags=said,
            )
            key = part["endpoint"].iloc[0] if len(part) else ""
            if key not in seen:
                seen.add(key)
                parts.append(part[(part["excluded"] != "") | (part["flags"] != "")])
        columns = ["endpoint", "animal", "group", "part", "excluded", "flags"]
        table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
        return table[columns].fillna("")

    def _compared(self, one: Endpoint) -> stats.Comparison | DataError:
        try:
            if one.block:
                blots.refuse_own_control(
                    one.rows, one.value, group="group", membrane=one.block, control=self.study.control
                )
            return stats.compare(one.rows, one.value, **one.question(self.study))
        except DataError as problem:
            return problem


def load(study: Study) -> Endpoints:
    """Read the results of every method that the study has, and join them with the animals.

    This is the moment of unblinding.

    Raises
    ------
    ResultError
        If the results of a method are missing or were changed: the sentence names the notebook to run.
    """
    by_name: dict[str, Endpoint] = {}
    made_from, beside = {}, {}
    if len(study.recordings):
        file = study.results / "ltp.csv"
        slices = study.join(results.read(file, made_by="notebook 1"))
        courses = results.read(study.results / "ltp_time_course.csv", made_by="notebook 1")
        made_from["recordings"] = results.provenance(file)
        test = slices[slices["role"] == "test"]
        for name in TABLES[1][1]:
            by_name[name] = _endpoint(study, name, 1, test, nested=("slice",))
        beside |= {"control_pathway": slices[slices["role"] == "control"], "time_course": study.join(courses)}
    if len(study.blots):
        file = study.results / "blot_ratios.csv"
        ratios = study.join(results.read(file, made_by="notebook 2"))
        made_from["blots"] = results.provenance(file)
        for name, own in ratios.groupby("endpoint", sort=False):
            own = own.rename(columns={"log_ratio": str(name)})
            one = _endpoint(study, str(name), 2, own, block="membrane", scale="logged")
            by_name[one.name] = _with_blocks(one)
        bands = results.read(study.results / "blots.csv", made_by="notebook 2")
        beside["bands"] = bands
        beside["loading"] = study.join(_loading(study, bands))
    if len(study.images):
        file = study.results / "spine_density.csv"
        dendrites = study.join(results.read(file, made_by="notebook 3"))
        made_from["images"] = results.provenance(file)
        for name in TABLES[3][1]:
            by_name[name] = _endpoint(study, name, 3, dendrites, nested=("neuron", "dendrite"))
        beside["spines"] = study.join(results.read(study.results / "spines.csv", made_by="notebook 3"))
    if not by_name:
        raise ResultError("the study has no results", todo="run notebooks 1 to 3 first", where=study.results)
    return Endpoints(study, by_name, made_from, beside)


def _endpoint(study: Study, name: str, table: int, rows: pd.DataFrame, **given: Any) -> Endpoint:
    """An endpoint with the label and the scale that study.toml gives it."""
    stated = study.settings.endpoints.get(name)
    own = COLUMNS[name].label if name in COLUMNS else name
    scale = given.pop("scale", "log" if stated is not None and stated.scale == "log" else "linear")
    title = stated.label if stated is not None and stated.label else own
    return Endpoint(name, title, table, rows, given.pop("value", name), scale=scale, **given)


def _with_blocks(one: Endpoint) -> Endpoint:
    """The endpoint without its block where there is but one: nothing is then to be taken out."""
    if one.block and one.rows[one.block].nunique() < 2:
        return Endpoint(one.name, one.title, one.table, one.rows, one.value, one.nested, None, one.scale)
    return one


def _parts(rows: pd.DataFrame) -> pd.Series:
    """Which part of the animal each row is, such as "slice 2"."""
    said = pd.Series("", index=rows.index)
    for name in ("slice", "neuron", "dendrite", "membrane"):
        if name in rows:
            said += np.where(said == "", "", ", ") + f"{name} " + rows[name].astype(str)
    return said


def _loading(study: Study, bands: pd.DataFrame) -> pd.DataFrame:
    settings = study.settings.blots
    return blots.loading_table(
        bands, loading=settings.loading, replicate_limit_percent=settings.replicate_limit_percent
    )

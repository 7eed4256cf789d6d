"""Clusters by name or path: a TOML file, read strictly, in which every number has its source.

Each key is a table: ``value`` for what is fixed or known, ``low``, ``likely`` and ``high`` for what is uncertain, and
``source``, which holds a date or says "assumption". ``Cluster.sample`` fixes all uncertain numbers at once; the event
simulation takes such a sample.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import ConfigDict, Discriminator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Tag, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from bench.base.errors import UserError
from bench.shot.load import named_file, read_text, read_toml, shown
from bench.shot.problem import NOTHING, Got, Problem
from bench.shot.table import UNIT, WHEN_MISSING, WHEN_NO_TABLE, Table, expected, validate

CLUSTERS = Path(__file__).parent / "clusters"
GPUS_MAX = 1_000_000
SOURCE_MAX = 400
DATED = re.compile(r"\b(?:19|20)\d\d\b")
ASSUMED = re.compile(r"\bassumption\b", re.IGNORECASE)


@dataclass(frozen=True)
class Range:
    """An uncertain number: as likely below ``likely`` as above it, never outside ``low`` to ``high``."""

    low: float
    likely: float
    high: float

    def at(self, u: float) -> float:
        """The value at quantile u: low at 0, likely at 0.5, high at 1; even in the logarithm where all are positive."""
        a, b, part = (self.low, self.likely, 2.0 * u) if u <= 0.5 else (self.likely, self.high, 2.0 * u - 1.0)
        if part <= 0.0 or a == b:
            return a
        if part >= 1.0:
            return b
        if self.low > 0.0:
            return math.exp(math.log(a) + part * (math.log(b) - math.log(a)))
        return a + part * (b - a)

    @property
    def uncertain(self) -> bool:
        return self.low < self.high


@dataclass(frozen=True)
class Entry:
    """One key of a cluster file, for whoever lists what a projection stands on."""

    name: str
    meaning: str
    unit: str
    value: Range | int | str
    source: str

    @property
    def assumed(self) -> bool:
        return bool(ASSUMED.search(self.source))


@dataclass(frozen=True)
class Key:
    """What a key means, which numbers it takes, and in which unit."""

    meaning: str
    low: float = 0.0
    high: float = 0.0
    unit: str = ""

    def __get_pydantic_core_schema__(self, value: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read the table that states such a value."""
        bounds = Field(ge=self.low, le=self.high, json_schema_extra={UNIT: self.unit})
        if value is str:
            return no_info_after_validator_function(lambda table: table.value, handler.generate_schema(_Words))
        if value is int:
            count = handler.generate_schema(_Known[Annotated[int, bounds]])
            return no_info_after_validator_function(lambda table: table.value, count)
        number = Annotated[float, bounds]
        known, between = Annotated[_Known[number], Tag("value")], Annotated[_Between[number], Tag("low")]
        either = handler.generate_schema(Annotated[known | between, Discriminator(_known_or_between)])
        return no_info_after_validator_function(lambda table: table.range(), either)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | KEY_NOTES | {"description": self.meaning}


class ClusterFile(Table):
    """A number of GPUs, what feeds them, what slows them, and what they cost."""

    gpu_kind: Annotated[str, Key("the GPU, and how its speed is known")]
    currency: Annotated[str, Key("what prices are in")]
    gpu_count: Annotated[int, Key("GPUs in use at once", 1, GPUS_MAX)]
    gpus_per_node: Annotated[int, Key("GPUs of one node", 1, 1024)]
    cpu_cores_per_node: Annotated[int, Key("CPU cores of one node, for merging and encoding", 1, 65536)]
    link_streams: Annotated[int, Key("files on the way at once over the network link", 1, 100_000)]
    gpu_speed: Annotated[Range, Key("speed of one GPU, relative to the measured card", 1e-3, 1e3, "x")]
    dispatch_s: Annotated[Range, Key("scheduler's time for one task, one task after another", 0.0, 1e4, "s")]
    startup_s: Annotated[
        Range, Key("start of a task on a GPU that did another shot or kind of task before", 0.0, 1e5, "s")
    ]
    storage_bandwidth_bytes_per_s: Annotated[Range, Key("shared storage, all clients together", 1e3, 1e18, "bytes/s")]
    storage_client_bandwidth_bytes_per_s: Annotated[Range, Key("shared storage, one task", 1e3, 1e18, "bytes/s")]
    link_bandwidth_bytes_per_s: Annotated[Range, Key("network link to the studio", 1.0, 1e18, "bytes/s")]
    link_latency_s: Annotated[Range, Key("round trip over the link", 0.0, 1e3, "s")]
    link_handshake_s: Annotated[Range, Key("protocol and file system, for each file sent", 0.0, 1e4, "s")]
    gpu_sigma: Annotated[
        Range, Key("standard deviation of speed between GPUs of one kind, over the mean", 0.0, 2.0, "x")
    ]
    outlier_share: Annotated[Range, Key("share of GPUs that are slow outliers", 0.0, 1.0, "share")]
    outlier_factor: Annotated[Range, Key("times that an outlier takes longer", 1.0, 1e3, "x")]
    failures_per_gpu_hour: Annotated[
        Range, Key("failures of a GPU that lose its task, in an hour of work", 0.0, 3600.0, "1/h")
    ]
    restart_s: Annotated[Range, Key("from a failure until the GPU works again", 0.0, 1e7, "s")]
    pue: Annotated[Range, Key("energy of the building over energy of the machines", 1.0, 10.0, "x")]
    gpu_power_w: Annotated[Range, Key("power of one working GPU", 1.0, 1e5, "W")]
    host_power_ratio: Annotated[Range, Key("power of a node over that of its GPUs", 1.0, 10.0, "x")]
    price_per_gpu_hour: Annotated[Range, Key("price of a GPU-hour", 0.0, 1e6, "currency/h")]
    price_per_kwh: Annotated[Range, Key("price of electricity", 0.0, 1e4, "currency/kWh")]


class Cluster(ClusterFile):
    """What a cluster file says, and where every number of it comes from."""

    name: str
    path: str
    sources: dict[str, str]  # by key

    @property
    def node_count(self) -> int:
        return math.ceil(self.gpu_count / self.gpus_per_node)

    @property
    def ranges(self) -> dict[str, Range]:
        """Every number that has a range, by key, in the order of the class."""
        return {name: value for name in _keys() if isinstance(value := getattr(self, name), Range)}

    def entries(self) -> list[Entry]:
        """Every key with its meaning, unit and source."""
        return [
            Entry(
                name, key.meaning, key.unit.replace("currency", self.currency), getattr(self, name), self.sources[name]
            )
            for name, key in _keys().items()
        ]

    def with_gpus(self, gpu_count: int) -> Cluster:
        """The same cluster with another number of GPUs; storage and link stay."""
        if not 1 <= gpu_count <= GPUS_MAX:
            raise UserError(f"GPUs: expected a whole number from 1 to {GPUS_MAX:,}, got {gpu_count:g}")
        sources = {**self.sources, "gpu_count": "asked for: assumption"}
        return self.model_copy(update={"gpu_count": gpu_count, "sources": sources})

    def sample(self, quantiles: Mapping[str, float] | None = None) -> ClusterSample:
        """Every number fixed: at its quantile (0 low, 0.5 likely, 1 high) where one is given, else at ``likely``."""
        at = quantiles or {}
        numbers = {name: value.at(at[name]) if name in at else value.likely for name, value in self.ranges.items()}
        return ClusterSample(
            gpu_count=self.gpu_count,
            cpu_slots=self.node_count * self.cpu_cores_per_node,
            link_streams=self.link_streams,
            **numbers,
        )


@dataclass(frozen=True, kw_only=True)
class ClusterSample:
    """A cluster with every number fixed. The defaults are an ideal one: no overhead, no failure, no contention."""

    gpu_count: int
    cpu_slots: int = 1_000_000  # merge and encode tasks at once
    link_streams: int = 1
    gpu_speed: float = 1.0
    dispatch_s: float = 0.0
    startup_s: float = 0.0
    storage_bandwidth_bytes_per_s: float = math.inf
    storage_client_bandwidth_bytes_per_s: float = math.inf
    link_bandwidth_bytes_per_s: float = math.inf
    link_latency_s: float = 0.0
    link_handshake_s: float = 0.0
    gpu_sigma: float = 0.0
    outlier_share: float = 0.0
    outlier_factor: float = 1.0
    failures_per_gpu_hour: float = 0.0
    restart_s: float = 0.0
    pue: float = 1.0
    gpu_power_w: float = 1.0
    host_power_ratio: float = 1.0
    price_per_gpu_hour: float = 0.0
    price_per_kwh: float = 0.0


@cache
def _keys() -> dict[str, Key]:
    """The keys of a cluster file in their order."""
    return {
        name: next(each for each in field.metadata if isinstance(each, Key))
        for name, field in ClusterFile.model_fields.items()
    }


def cluster_names() -> tuple[str, ...]:
    """Names of the clusters that ship, found by scanning."""
    return tuple(sorted(path.stem for path in CLUSTERS.glob("*.toml")))


def load_cluster(name_or_path: str | Path) -> Cluster:
    """The cluster of that name, or of that file. Raises UserError: one line with file, key and what was expected."""
    path, given = named_file(name_or_path, CLUSTERS), shown(os.fspath(name_or_path))
    return parse_cluster(read_text(path, given), given, shown(path.stem))


def parse_cluster(text: str, path: str, name: str) -> Cluster:
    """The cluster of a file's text; raises UserError."""

    def read(table: dict[str, object]) -> Cluster:
        file = validate(ClusterFile, table)
        stated = {key: value["source"] for key, value in table.items() if isinstance(value, dict)}
        sources = {key: str(stated[key]) for key in _keys()}
        return Cluster.model_construct(name=name, path=path, sources=sources, **dict(file))

    return read_toml(text, path, read)


# --- what a file may say ---------------------------------------------------------------------------------------
WORDS_LINE = "a line of at most 120 characters"
SOURCE_LINE = f'a line of at most {SOURCE_MAX} characters with a year, or the word "assumption"'
KEY_NOTES = {
    WHEN_MISSING: "a table (the key is required)",
    WHEN_NO_TABLE: "a table with value, or low, likely and high, and source",
}


def _say_what_is_missing(schema: JsonSchemaValue) -> None:
    for node in schema["properties"].values():
        node[WHEN_MISSING] = expected(node)


class _Sourced(Table):
    """The table of one key. Its source comes before all else: a number without one is worth nothing."""

    model_config = ConfigDict(json_schema_extra=_say_what_is_missing)

    @model_validator(mode="before")
    @classmethod
    def _validate_source(cls, table: object) -> object:
        if isinstance(table, dict) and not _is_source(table.get("source")):
            raise Problem("source", SOURCE_LINE, table.get("source", NOTHING))
        return table


def _is_source(value: object) -> bool:
    if not isinstance(value, str) or len(value) > SOURCE_MAX or not value.isprintable():
        return False
    return bool(DATED.search(value) or ASSUMED.search(value))


Source = Annotated[str, Field(description=SOURCE_LINE)]
Number = TypeVar("Number", int, float)


class _Words(_Sourced):
    value: str = Field(min_length=1, max_length=120, description=WORDS_LINE)
    source: Source

    def validate_together(self) -> None:
        if not self.value.isprintable():
            raise Problem("value", WORDS_LINE, self.value)


class _Known(_Sourced, Generic[Number]):
    value: Number
    source: Source

    def range(self) -> Range:
        return Range(self.value, self.value, self.value)


class _Between(_Sourced, Generic[Number]):
    low: Number
    likely: Number
    high: Number
    source: Source

    def validate_together(self) -> None:
        if not self.low <= self.likely <= self.high:
            raise Problem("", "low <= likely <= high", Got(f"{self.low:g}, {self.likely:g}, {self.high:g}"))

    def range(self) -> Range:
        return Range(self.low, self.likely, self.high)


def _known_or_between(table: object) -> str | None:
    return ("value" if "value" in table else "low") if isinstance(table, dict) else None

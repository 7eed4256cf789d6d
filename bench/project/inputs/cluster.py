"""Clusters by name or path: a TOML file, read strictly, in which every number has its source.

Each key is a table: ``value`` for what is fixed or known, ``low``, ``likely`` and ``high`` for what is uncertain, and
``source``, which holds a date or says "assumption". ``Cluster.sample`` fixes all uncertain numbers at once; the event
simulation takes such a sample.
"""

# ruff: noqa: RUF009 (a field's default is the check of its key)

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.base.errors import UserError
from bench.shot.checking import NOTHING, Got, Problem, Read, read_number, read_whole
from bench.shot.load import named_file, read_text, read_toml, shown

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
class _Key:
    """What a key means and which values it takes."""

    meaning: str
    unit: str
    low: float
    high: float
    whole: bool = False

    def read_one(self) -> Read:
        if self.whole:
            return read_whole(int(self.low), int(self.high))
        return read_number(self.low, self.high, self.unit)


def _count(meaning: str, low: int, high: int) -> Any:
    return dataclasses.field(metadata={"key": _Key(meaning, "", low, high, whole=True)})


def _range(meaning: str, unit: str, low: float, high: float) -> Any:
    return dataclasses.field(metadata={"key": _Key(meaning, unit, low, high)})


def _words(meaning: str) -> Any:
    return dataclasses.field(metadata={"words": meaning})


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A number of GPUs, what feeds them, what slows them, and what they cost."""

    name: str
    path: str
    sources: Mapping[str, str]  # by key

    gpu_kind: str = _words("the GPU, and how its speed is known")
    currency: str = _words("what prices are in")
    gpu_count: int = _count("GPUs in use at once", 1, GPUS_MAX)
    gpus_per_node: int = _count("GPUs of one node", 1, 1024)
    cpu_cores_per_node: int = _count("CPU cores of one node, for merging and encoding", 1, 65536)
    link_streams: int = _count("files on the way at once over the network link", 1, 100_000)
    gpu_speed: Range = _range("speed of one GPU, relative to the measured card", "x", 1e-3, 1e3)
    dispatch_s: Range = _range("scheduler's time for one task, one task after another", "s", 0.0, 1e4)
    startup_s: Range = _range("start of a task on a GPU that did another shot or kind of task before", "s", 0.0, 1e5)
    storage_bandwidth_bytes_per_s: Range = _range("shared storage, all clients together", "bytes/s", 1e3, 1e18)
    storage_client_bandwidth_bytes_per_s: Range = _range("shared storage, one task", "bytes/s", 1e3, 1e18)
    link_bandwidth_bytes_per_s: Range = _range("network link to the studio", "bytes/s", 1.0, 1e18)
    link_latency_s: Range = _range("round trip over the link", "s", 0.0, 1e3)
    link_handshake_s: Range = _range("protocol and file system, for each file sent", "s", 0.0, 1e4)
    gpu_sigma: Range = _range("standard deviation of speed between GPUs of one kind, over the mean", "x", 0.0, 2.0)
    outlier_share: Range = _range("share of GPUs that are slow outliers", "share", 0.0, 1.0)
    outlier_factor: Range = _range("times that an outlier takes longer", "x", 1.0, 1e3)
    failures_per_gpu_hour: Range = _range(
        "failures of a GPU that lose its task, in an hour of work", "1/h", 0.0, 3600.0
    )
    restart_s: Range = _range("from a failure until the GPU works again", "s", 0.0, 1e7)
    pue: Range = _range("energy of the building over energy of the machines", "x", 1.0, 10.0)
    gpu_power_w: Range = _range("power of one working GPU", "W", 1.0, 1e5)
    host_power_ratio: Range = _range("power of a node over that of its GPUs", "x", 1.0, 10.0)
    price_per_gpu_hour: Range = _range("price of a GPU-hour", "currency/h", 0.0, 1e6)
    price_per_kwh: Range = _range("price of electricity", "currency/kWh", 0.0, 1e4)

    @property
    def node_count(self) -> int:
        return math.ceil(self.gpu_count / self.gpus_per_node)

    @property
    def ranges(self) -> dict[str, Range]:
        """Every number that has a range, by key, in the order of the class."""
        return {field.name: getattr(self, field.name) for field in _fields() if field.type == "Range"}

    def entries(self) -> list[Entry]:
        """Every key with its meaning, unit and source."""
        found = []
        for field in _fields():
            key = field.metadata.get("key")
            meaning, unit = (key.meaning, key.unit) if key else (field.metadata["words"], "")
            unit = unit.replace("currency", self.currency)
            found.append(Entry(field.name, meaning, unit, getattr(self, field.name), self.sources[field.name]))
        return found

    def with_gpus(self, gpu_count: int) -> Cluster:
        """The same cluster with another number of GPUs; storage and link stay."""
        if not 1 <= gpu_count <= GPUS_MAX:
            raise UserError(f"GPUs: expected a whole number from 1 to {GPUS_MAX:,}, got {gpu_count:g}")
        sources = {**self.sources, "gpu_count": "asked for: assumption"}
        return dataclasses.replace(self, gpu_count=gpu_count, sources=sources)

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


def _fields() -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(Cluster) if field.metadata]


def cluster_names() -> tuple[str, ...]:
    """Names of the clusters that ship, found by scanning."""
    return tuple(sorted(path.stem for path in CLUSTERS.glob("*.toml")))


def load_cluster(name_or_path: str | Path) -> Cluster:
    """The cluster of that name, or of that file. Raises UserError: one line with file, key and what was expected."""
    path, given = named_file(name_or_path, CLUSTERS), shown(os.fspath(name_or_path))
    return parse_cluster(read_text(path, given), given, shown(path.stem))


def parse_cluster(text: str, path: str, name: str) -> Cluster:
    """The cluster of a file's text; raises UserError."""
    return read_toml(text, path, lambda table: _read_cluster(table, path, name))


def _read_cluster(table: dict[str, Any], path: str, name: str) -> Cluster:
    known = {field.name: field for field in _fields()}
    for key in table:
        if key not in known:
            raise Problem(_plain(key), "one of " + ", ".join(known), Got("an unknown key"))
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for key, field in known.items():
        if key not in table:
            raise Problem(key, "a table (the key is required)", NOTHING)
        if not isinstance(table[key], dict):
            raise Problem(key, "a table with value, or low, likely and high, and source", table[key])
        sources[key] = _read_source(table[key].get("source", NOTHING), f"{key}.source")
        numbers = {inner: value for inner, value in table[key].items() if inner != "source"}
        if "words" in field.metadata:
            values[key] = _read_words(numbers, key)
        elif field.metadata["key"].whole:
            values[key] = _read_keys(numbers, key, ("value",), field.metadata["key"].read_one())[0]
        else:
            values[key] = _read_range(numbers, key, field.metadata["key"].read_one())
    return Cluster(name=name, path=path, sources=sources, **values)


def _plain(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else shown(ascii(key))[:60]


def _read_keys(numbers: dict[str, Any], key: str, names: tuple[str, ...], read: Read) -> list[Any]:
    for inner in numbers:
        if inner not in names:
            raise Problem(f"{key}.{_plain(inner)}", "one of " + ", ".join((*names, "source")), Got("an unknown key"))
    return [read(numbers.get(inner, NOTHING), f"{key}.{inner}") for inner in names]


def _read_range(numbers: dict[str, Any], key: str, read: Read) -> Range:
    if "value" in numbers:
        (value,) = _read_keys(numbers, key, ("value",), read)
        return Range(value, value, value)
    low, likely, high = _read_keys(numbers, key, ("low", "likely", "high"), read)
    if not low <= likely <= high:
        raise Problem(key, "low <= likely <= high", Got(f"{low:g}, {likely:g}, {high:g}"))
    return Range(low, likely, high)


def _read_words(numbers: dict[str, Any], key: str) -> str:
    def read(value: Any, inner: str) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= 120 or not value.isprintable():
            raise Problem(inner, "a line of at most 120 characters", value)
        return value

    return str(_read_keys(numbers, key, ("value",), read)[0])


def _read_source(value: Any, key: str) -> str:
    expected = f'a line of at most {SOURCE_MAX} characters with a year, or the word "assumption"'
    if not isinstance(value, str) or len(value) > SOURCE_MAX or not value.isprintable():
        raise Problem(key, expected, value)
    if not DATED.search(value) and not ASSUMED.search(value):
        raise Problem(key, expected, value)
    return value

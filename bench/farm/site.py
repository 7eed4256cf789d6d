"""Sites by name or path: a TOML file, read strictly, that says where a farm's workers run and what they have.

A site has one or several pools: so many equal nodes of one provider. ``Pool`` explains every key. What a file leaves
out follows from what it says (``workers``, ``threads``), on this machine from what is found here.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.base.errors import UserError
from bench.shot.load import named_file, read_text, read_toml, shown
from bench.shot.problem import NOTHING, Problem
from bench.shot.quantities import FROM_LIST, Tables
from bench.shot.table import Table, expected, json_schema, validate

SITES = Path(__file__).parent / "sites"
POOLS_MAX, NODES_MAX, LINES_MAX = 16, 10_000, 40
LINE = "a line of 1 to 400 printable characters"
WORD = "1 to 120 of A-Z, a-z, 0-9 and ._:/@+-"
NAME = "1 to 40 of A-Z, a-z, 0-9, _ and -, a letter or digit first"
WORDS = r"^[A-Za-z0-9._:/@+-]{1,120}$"
PRINTABLE = r"^[^\p{C}\p{Zl}\p{Zp}]+$"
HEARTBEAT_S = 30  # half a minute after a node went away its tasks are somebody else's
SECONDS_OF = (3600, 60, 1)

Line = Annotated[str, Field(max_length=400, pattern=PRINTABLE, description=LINE)]
Lines = Annotated[tuple[Line, ...], Field(max_length=LINES_MAX), FROM_LIST]
Volume = Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,120}:/[A-Za-z0-9._/-]{1,200}$", description="CLAIM:/PATH")]
Provider = Literal["local", "slurm", "pbs", "lsf", "kubernetes"]

# Which of the keys that only some providers have
KEYS_OF = {
    "local": frozenset[str](),
    "slurm": frozenset({"partition", "account", "queue", "wall_time", "scheduler_options"}),
    "pbs": frozenset({"account", "queue", "wall_time", "scheduler_options"}),
    "lsf": frozenset({"account", "queue", "wall_time", "scheduler_options"}),
    "kubernetes": frozenset({"namespace", "image", "volumes"}),
}
NEEDED = {
    "local": (),
    "slurm": ("cores_per_node",),
    "pbs": ("cores_per_node",),
    "lsf": ("cores_per_node",),
    "kubernetes": ("image", "cores_per_node", "memory_gib_per_node"),
}


class Pool(Table):
    """[[pool]]: equal nodes of one provider."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$", description=NAME)
    provider: Provider = Field(description="what starts the workers: this machine, or a scheduler")
    partition: str | None = Field(default=None, pattern=WORDS, description=f"{WORD}: Slurm's partition")
    account: str | None = Field(default=None, pattern=WORDS, description=f"{WORD}: who is charged")
    queue: str | None = Field(default=None, pattern=WORDS, description=f"{WORD}: the queue; Slurm's quality of service")
    namespace: str | None = Field(default=None, pattern=WORDS, description=f"{WORD}: of Kubernetes")
    image: str | None = Field(default=None, pattern=WORDS, description=f"{WORD}: the container with Shotmark in it")
    volumes: Annotated[tuple[Volume, ...], Field(max_length=16), FROM_LIST] = Field(
        default=(), description="claims of Kubernetes and where a pod has them"
    )
    nodes: int = Field(default=1, ge=1, le=NODES_MAX, description="so many at once")
    gpus_per_node: int | None = Field(default=None, ge=0, le=64, description="of a node; on this machine all")
    cores_per_node: int | None = Field(default=None, ge=1, le=4096, description="CPU cores of a node")
    workers_per_node: int | None = Field(default=None, ge=1, le=1024, description="the GPUs, or 1, unless said")
    threads_per_worker: int | None = Field(default=None, ge=1, le=4096, description="cores over workers unless said")
    memory_gib_per_node: int | None = Field(default=None, ge=1, le=65_536, description="asked of the scheduler, GiB")
    wall_time: str = Field(
        default="01:00:00",
        pattern=r"^[0-9]{2,3}:[0-5][0-9]:[0-5][0-9]$",
        description="HH:MM:SS, from 00:02:00: how long a node may be had at a time",
    )
    setup: Lines = Field(default=(), description="lines of the shell that run first on a node: modules, environment")
    scheduler_options: Lines = Field(default=(), description="for the scheduler, such as #SBATCH --constraint=a100")
    backend: Literal["auto", "numba", "cupy"] = Field(default="auto", description="what the workers compute with")
    address: str | None = Field(default=None, pattern=WORDS, description=f"{WORD}: this machine, as nodes see it")
    heartbeat_s: int = Field(
        default=HEARTBEAT_S, ge=6, le=110, description="a node that is silent for so long has gone away, s"
    )

    @property
    def wall_time_s(self) -> int | None:
        """How long a node is had at a time; None where it is not limited."""
        if "wall_time" not in KEYS_OF[self.provider]:
            return None
        return sum(int(part) * of for part, of in zip(self.wall_time.split(":"), SECONDS_OF, strict=True))

    @property
    def gpus(self) -> int:
        return self.gpus_per_node or 0

    @property
    def workers(self) -> int:
        """Workers of a node."""
        return self.workers_per_node or self.gpus or 1

    @property
    def cores(self) -> int:
        return self.cores_per_node or 1

    @property
    def threads(self) -> int:
        """Threads of a worker."""
        return self.threads_per_worker or max(1, self.cores // self.workers)

    def here(self, gpus: int, cores: int) -> Pool:
        """The same with what this machine has, where the file does not say it and the provider is this machine."""
        if self.provider != "local":
            return self
        known = {"gpus_per_node": gpus, "cores_per_node": cores}
        return self.model_copy(update={key: value for key, value in known.items() if getattr(self, key) is None})

    def validate_together(self) -> None:
        for key in sorted(set().union(*KEYS_OF.values()) - KEYS_OF[self.provider]):
            if key in self.model_fields_set:
                has = [name for name, keys in KEYS_OF.items() if key in keys]
                none = f"nothing: provider {self.provider} has none, only {', '.join(has)}"
                raise Problem(key, none, getattr(self, key))
        for key in NEEDED[self.provider]:
            if getattr(self, key) is None:
                what = expected(_pool_schema()["properties"][key])
                raise Problem(key, f"{what} (provider {self.provider} needs it)", NOTHING)
        if self.wall_time_s is not None and self.wall_time_s < 120:
            raise Problem("wall_time", "HH:MM:SS from 00:02:00", self.wall_time)
        if self.provider == "local" and self.nodes > 1:
            raise Problem("nodes", "1: this machine is one node", self.nodes)
        threads, cores = self.threads_per_worker, self.cores_per_node
        if threads is not None and cores is not None and threads * self.workers > cores:
            most = f"at most {max(1, cores // self.workers)}: {cores} cores over {self.workers} workers"
            raise Problem("threads_per_worker", most, threads)
        if self.backend == "cupy" and self.gpus_per_node == 0:
            raise Problem("backend", '"auto" or "numba", for gpus_per_node is 0', self.backend)
        if self.gpus > 0 and self.backend == "numba":
            raise Problem("backend", '"auto" or "cupy", for gpus_per_node asks for GPUs', self.backend)


class SiteFile(Table):
    """A whole site file."""

    pool: Tables[Pool] = Field(min_length=1, max_length=POOLS_MAX, description="[[pool]] tables: its nodes")

    def validate_together(self) -> None:
        again = [name for name, count in Counter(pool.name for pool in self.pool).items() if count > 1]
        if again:
            second = [number for number, pool in enumerate(self.pool) if pool.name == again[0]][1]
            raise Problem(f"pool[{second}].name", "a name that no other pool has", again[0])


@dataclass(frozen=True)
class Site:
    """A loaded site."""

    name: str  # of the file, without folder and ending
    path: str  # as it was given
    text: str  # what the file says
    pools: tuple[Pool, ...]  # in the file's order: the first is given the simulation

    @property
    def workers(self) -> int:
        """Workers that all nodes have together."""
        return sum(pool.nodes * pool.workers for pool in self.pools)

    @property
    def providers(self) -> str:
        """Their names, each once."""
        return "+".join(dict.fromkeys(pool.provider for pool in self.pools))

    def here(self, gpus: int, cores: int) -> Site:
        """The same with what this machine has."""
        return Site(self.name, self.path, self.text, tuple(pool.here(gpus, cores) for pool in self.pools))


@cache
def _pool_schema() -> dict[str, dict[str, dict[str, object]]]:
    return json_schema(Pool)


def site_names() -> tuple[str, ...]:
    """Names of the sites that ship, found by scanning."""
    return tuple(sorted(path.stem for path in SITES.glob("*.toml")))


def load_site(name_or_path: str | Path) -> Site:
    """The site of that name, or of that file. Raises UserError: one line with file, key and what was expected."""
    path, given = named_file(name_or_path, SITES), shown(os.fspath(name_or_path))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", path.stem):
        raise UserError(f"{given}: the file's name: expected 1 to 80 of A-Z, a-z, 0-9, ., _ and - before .toml")
    return parse_site(read_text(path, given), given, path.stem)


def parse_site(text: str, path: str, name: str) -> Site:
    """The site of a file's text; raises UserError."""
    file = read_toml(text, path, lambda table: validate(SiteFile, table))
    return Site(name, path, text, file.pool)

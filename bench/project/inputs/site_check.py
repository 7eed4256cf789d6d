"""What ``shotmark farm check`` found on a site: ``results/sites/NAME.json``, read strictly, with every number measured.

A projection takes from it what a task costs beside its work (queue, start-up, dispatch, storage), what a worker needs
for a frame alone, and how much longer when all workers of the site are busy: there they may share cores.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.base.errors import UserError
from bench.base.files import load_json
from bench.shot.load import shown
from bench.shot.problem import Got, Problem
from bench.shot.quantities import FROM_LIST, Tables
from bench.shot.table import UNIT, Table, validate

SCHEMA = 1
FOLDER = "sites"  # below the results
FILE_BYTES_MAX = 4 * 2**20
NODES_MAX, WORKERS_MAX, TIMES_MAX = 4096, 1024, 10_000
DAY_S = 86_400.0

PLAIN = r"^[^\p{C}\p{Zl}\p{Zp}]*$"  # printable: no control characters, no second line
Text = Annotated[str, Field(min_length=1, max_length=300, pattern=PLAIN)]
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=PLAIN)]
Seconds = Annotated[float, Field(ge=0.0, le=30 * DAY_S, json_schema_extra={UNIT: "s"})]
Rate = Annotated[float, Field(ge=1.0, le=1e15, json_schema_extra={UNIT: "bytes/s"})]
Measured = Annotated[tuple[Seconds, ...], Field(min_length=1, max_length=TIMES_MAX), FROM_LIST]

TEXT, NAME = "text of 1 to 300 printable characters", "text of 1 to 120 printable characters"


class FrameTimes(Table):
    """Seconds of one frame on one worker, stage by stage."""

    shot: Name = Field(description=f"{NAME}: the shot")
    size: Literal["S", "M", "L", "XL"] = Field(description="its size")
    frame: int = Field(ge=1, le=100_000, description="which frame")
    simulate_s: Seconds = Field(description="simulating from the frame before")
    surface_s: Seconds = Field(description="building the surface")
    trace_s: Seconds = Field(description="tracing and resolving")
    write_s: Seconds = Field(description="writing picture and state")

    @property
    def render_s(self) -> float:
        """All but the simulation and the writing."""
        return self.surface_s + self.trace_s


class WorkerCheck(Table):
    """One worker of a node: what it runs on, and how fast it is."""

    worker: Name = Field(description=f"{NAME}: its number on the node")
    backend: Literal["numba", "cupy"] = Field(description="what it computes with")
    threads: int = Field(ge=1, le=65_536, description="of the CPU, at once")
    device: Text = Field(description=f"{TEXT}: the GPU's UUID, or the processor and its threads")
    python: Name = Field(description=f"{NAME}: version")
    numba: Name = Field(description=f"{NAME}: version")
    cupy: Name | None = Field(default=None, description=f"{NAME}: version")
    version: Name = Field(description=f"{NAME}: version of Shotmark")
    kernels: Name = Field(description=f"{NAME}: digest of the kernels' source")
    import_s: Seconds = Field(description="importing Shotmark, alone")
    start_s: Seconds = Field(description="scene, kernels from a warm cache, first touch, alone")
    hashes: Annotated[str, Field(max_length=300, pattern=r"^(golden|differ: [^\p{C}\p{Zl}\p{Zp}]+)$")] = Field(
        description='"golden", or "differ: " and what differs'
    )
    alone: FrameTimes | None = Field(default=None, description="a frame while no other worker of the site works")
    together: FrameTimes | None = Field(default=None, description="the same while all workers of the site work")

    @property
    def slowing(self) -> float | None:
        """Times that a frame takes longer while all workers work; None where one of the two was not measured."""
        if self.alone is None or self.together is None:
            return None
        before = self.alone.simulate_s + self.alone.render_s
        return (self.together.simulate_s + self.together.render_s) / before if before > 0.0 else None

    def validate_together(self) -> None:
        if self.alone is not None and self.together is not None:
            same = [(one.shot, one.size, one.frame) for one in (self.alone, self.together)]
            if same[0] != same[1]:
                raise Problem("together", "shot, size and frame of alone", Got(" ".join(map(str, same[1]))))


class NodeCheck(Table):
    """One node: its cores, its memory, its view of the shared folder, its workers."""

    node: Name = Field(description=f"{NAME}: the node's name")
    machine: Name = Field(description=f"{NAME}: the machine's boot id, or its name where there is none")
    cores: int = Field(ge=1, le=65_536, description="that the workers may use")
    memory_bytes: int = Field(ge=1, le=2**60, description="of the node")
    write_bytes_per_s: Rate = Field(description="one large file to the shared folder")
    read_bytes_per_s: Rate = Field(description="the same file back")
    sync_s: Seconds = Field(description="writing one small file whole")
    visible_s: Seconds = Field(description="from the rename of a file until the submitting side sees it")
    workers: Tables[WorkerCheck] = Field(min_length=1, max_length=WORKERS_MAX, description="its workers")

    def validate_together(self) -> None:
        _require_different("workers", [one.worker for one in self.workers], "worker")


class SiteCheck(Table):
    """What was found on a site, and when. ``document`` is what its file holds."""

    site: Name = Field(description=f"{NAME}: the site's name")
    provider: Name = Field(description=f"{NAME}: how its workers are started")
    checked: Name = Field(description="a time with its zone, such as 2026-11-30T15:00:00+00:00")
    version: Name = Field(description=f"{NAME}: version of Shotmark that checked")
    queue_s: Measured = Field(description="from submitting a block of nodes until its first worker")
    dispatch_s: Measured = Field(description="of one task, one after another, of empty ones")
    latency_s: Measured = Field(description="one empty task, there and back")
    nodes: Tables[NodeCheck] = Field(min_length=1, max_length=NODES_MAX, description="its nodes")

    @property
    def date(self) -> str:
        return self.checked[:10]

    @property
    def worker_count(self) -> int:
        return sum(len(node.workers) for node in self.nodes)

    @property
    def cores(self) -> int:
        """Of all machines. Nodes of one machine share its cores; of these the largest number counts."""
        of_machine: dict[str, int] = {}
        for node in self.nodes:
            of_machine[node.machine] = max(node.cores, of_machine.get(node.machine, 0))
        return sum(of_machine.values())

    def document(self) -> dict[str, object]:
        """What the file of this check holds; ``parse_check`` reads it."""
        return {"schema": SCHEMA, **self.model_dump(mode="json")}

    def validate_together(self) -> None:
        _require_different("nodes", [node.node for node in self.nodes], "node")
        try:
            zone = datetime.fromisoformat(self.checked).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            raise Problem("checked", "a time with its zone, such as 2026-11-30T15:00:00+00:00", self.checked)


def _require_different(key: str, names: list[str], what: str) -> None:
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise Problem(key, f"another {what} in each", Got(f"{name!r} {count} times"))


def check_path(results: Path, site: str) -> Path:
    """Where the check of a site of this name lies in a results folder."""
    return results / FOLDER / f"{site}.json"


def load_check(path: Path) -> SiteCheck:
    """Read a check from a file that may be anything; raises UserError: file, key, what was expected."""
    return parse_check(load_json(path, FILE_BYTES_MAX), shown(str(path)))


def parse_check(document: object, path: str) -> SiteCheck:
    """The check of a document; raises UserError. ``path`` is what the message calls it."""
    try:
        if not isinstance(document, dict):
            raise Problem("the file", "a site's check, an object", document)
        version = document.get("schema", Got("nothing"))
        if version != SCHEMA or isinstance(version, bool):
            raise Problem("schema", str(SCHEMA), version)
        return validate(SiteCheck, {key: value for key, value in document.items() if key != "schema"})
    except Problem as problem:
        raise UserError(f"{path}: {problem}") from None

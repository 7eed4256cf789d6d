"""What a piece of work says of itself: who did it, when, and how long each part of it took.

It stands in the entry of the frame that it belongs to, and in the log of a farm.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TypeAlias

from bench.pipeline.frame import SURFACE

MadeDocument: TypeAlias = Mapping[str, object]
MADE_MAX = 100_000  # pieces of one frame
SIMULATED, RENDERED, PART, ASSEMBLED = "simulate", "render", "part", "assemble"
KINDS = (SIMULATED, RENDERED, PART, ASSEMBLED)


@dataclass(frozen=True)
class Place:
    """Who works: a process on a device of a node."""

    device: str  # a GPU's UUID, or the CPU's model and the number of threads
    backend: str
    node: str = field(default_factory=lambda: os.environ.get("SLURMD_NODENAME") or platform.node())
    worker: str | None = field(default_factory=lambda: os.environ.get("PARSL_WORKER_RANK"))
    pid: int = field(default_factory=os.getpid)


@dataclass(frozen=True)
class Made:
    """A piece of work. Times are of the system's clock, seconds since 1970; None: it had no such part."""

    task: str  # in words: ``render 7``
    kind: str  # one of KINDS
    frame: int
    node: str
    device: str
    backend: str
    pid: int
    worker: str | None
    begun_s: float
    ended_s: float
    part: tuple[int, int, int, int, int, int] | None = None  # x and y low, high, sample low, high; high ends excluded
    start_s: float | None = None  # of it, scene and first touch, where this piece paid for them
    wait_s: float | None = None  # before it began, since its state was there
    simulate_s: float | None = None
    load_s: float | None = None
    surface_s: float | None = None
    trace_s: float | None = None  # until its sums or its picture were on the host
    write_s: float | None = None

    @classmethod
    def at(cls, place: Place, task: str, kind: str, frame: int, begun_s: float, ended_s: float, **more: object) -> Made:
        """A piece of work of somebody."""
        return cls(task, kind, frame, begun_s=begun_s, ended_s=ended_s, **asdict(place), **more)  # type: ignore[arg-type]

    @classmethod
    def simulated(cls, place: Place, frame: int, begun_s: float, ended_s: float, **more: float) -> Made:
        """One frame of a simulation."""
        return cls.at(
            place, f"simulate {frame}", SIMULATED, frame, begun_s, ended_s, **{"simulate_s": ended_s - begun_s, **more}
        )

    @classmethod
    def rendered(cls, place: Place, frame: int, begun_s: float, ended_s: float, **more: float) -> Made:
        """One whole picture."""
        return cls.at(place, f"render {frame}", RENDERED, frame, begun_s, ended_s, **more)

    def ending(self, ended_s: float, write_s: float) -> Made:
        """The same, with what it took to write at its end."""
        return replace(self, ended_s=ended_s, write_s=write_s)

    def document(self) -> dict[str, object]:
        """As JSON has it, times to the microsecond."""
        told = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return {**told, "part": list(self.part) if self.part else None}


class Laps:
    """Seconds of a picture's surface, and from there until it, or its sums, are on the host."""

    def __init__(self) -> None:
        self._begun_s = self._surface_s = time.perf_counter()

    def __call__(self, stage: str) -> None:
        if stage == SURFACE:
            self._surface_s = time.perf_counter()

    def read(self) -> tuple[float, float]:
        return self._surface_s - self._begun_s, time.perf_counter() - self._surface_s


def made_documents(found: object) -> list[MadeDocument]:
    """Documents of pieces in what a file says; what is none is left out."""
    if not isinstance(found, list):
        return []
    return [one for one in found[:MADE_MAX] if isinstance(one, dict) and one.get("kind") in KINDS]

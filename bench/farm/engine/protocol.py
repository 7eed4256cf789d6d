"""What the dispatcher asks of an engine: workers that are there, tasks out, results back; tests have one of their own.

An engine never tries a task again and keeps no order: both are the dispatcher's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

Order = Mapping[str, object]  # what a worker is told: plain values


@dataclass(frozen=True)
class Returned:
    """A task that came back, or will not."""

    ticket: int  # that submit gave
    answer: Mapping[str, object] | None  # what the worker says; None where it says nothing
    lost: str | None = None  # why there is no answer: the worker is gone, or what it runs broke


class Engine(Protocol):
    """Workers of all pools, and their clock."""

    def now(self) -> float:
        """Unix time, s."""

    def workers(self) -> Mapping[str, int]:
        """Workers of each pool that are connected now and take tasks."""

    def submit(self, pool: str, order: Order) -> int:
        """Hand a task to any free worker of a pool; returns its ticket."""

    def wait(self, most_s: float) -> list[Returned]:
        """What has come back, waiting for the first for so long at the most."""

    def queue(self) -> str:
        """What the workers that are not there are waiting for, in words; empty where all are there."""

    def problem(self) -> str | None:
        """Why no worker will ever come; None while one may."""

    def renew(self, pool: str, sound: Collection[str]) -> None:
        """Give back the nodes of a pool that hold a task without doing any; those of the blocks ``sound`` are well."""

    def close(self) -> None:
        """Give all nodes back; what runs on them ends."""

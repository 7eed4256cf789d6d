"""What a machine proved, part by part, inside the record that it is shared with; written anew after every part.

The record is one of the usual form: its rows are the shots, and ``shotmark.certificate`` holds the parts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest_benchmark

from bench import __version__
from bench.base.files import dump
from bench.record import machine
from bench.record.schema import SCHEMA
from bench.record.store import Slot

PASSED, FAILED, NOTED, LEFT_OUT = "passed", "FAILED", "noted", "left out"
CERTIFICATE_SCHEMA = 1


@dataclass(frozen=True)
class Finding:
    """What one part found."""

    verdict: str  # PASSED, FAILED, NOTED (a figure without a limit) or LEFT_OUT
    line: str
    data: Any = None  # of JSON


@dataclass
class Certificate:
    """Parts in the order in which they were done."""

    slot: Slot
    run: dict[str, Any]
    budget_s: float
    clock: Callable[[], float] = time.monotonic
    parts: dict[str, Finding] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    complete: bool = False
    _begun: float = 0.0
    _time: str = ""

    def __post_init__(self) -> None:
        self._begun = self.clock()
        self._time = datetime.now(UTC).isoformat()

    @property
    def left_s(self) -> float:
        return self.budget_s - (self.clock() - self._begun)

    @property
    def failed(self) -> list[str]:
        return [name for name, found in self.parts.items() if found.verdict == FAILED]

    def document(self) -> dict[str, Any]:
        """For ``shotmark.certificate`` of the record."""
        return {
            "schema": CERTIFICATE_SCHEMA,
            "begun": self._time,
            "complete": self.complete,
            "budget_s": self.budget_s,
            "spent_s": self.clock() - self._begun,
            "parts": [
                {"part": name, "verdict": f.verdict, "line": f.line, "seconds": self.seconds.get(name), "data": f.data}
                for name, f in self.parts.items()
            ],
        }

    def rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows and rejected rows that the record has so far."""
        if not self.slot.path.exists():
            return [], []
        found = json.loads(self.slot.path.read_bytes())
        return found["benchmarks"], found["shotmark"]["rejected"]

    def save(self) -> None:
        """Write the record with what is known now."""
        if self.slot.path.exists():
            document = json.loads(self.slot.path.read_bytes())
        else:
            document = self._blank()
        own = document["shotmark"]
        own["certificate"], own["complete"], own["run"] = self.document(), self.complete, self.run
        own["peak_memory_bytes"] = machine.peak_memory_bytes()
        self.slot.write(dump(document))

    def _blank(self) -> dict[str, Any]:
        """A record without rows, in pytest-benchmark's form."""
        return {
            "machine_info": machine.pytest_benchmark_view(machine.describe()),
            "commit_info": machine.pytest_benchmark_commit(machine.commit()),
            "benchmarks": [],
            "datetime": self._time,
            "version": pytest_benchmark.__version__,
            "shotmark": {"schema": SCHEMA, "version": __version__, "begun": self._time, "rejected": []},
        }

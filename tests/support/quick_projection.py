"""A projection of few draws, for tests."""

from __future__ import annotations

from typing import Any

from bench.project.output.projection import Effort, project
from bench.project.output.result import Projection
from bench.record.schema import Record
from tests.support.project_record import make_record

QUICK = Effort(worlds=12, measured_worlds=8, film_worlds=3, sweep_worlds=6, tornado=False)


def quick(record: Record | None = None, **arguments: Any) -> Projection:
    """Of the usual record unless said: a film of 20 shots on 100 GPUs."""
    return project(record or make_record(), **{"effort": QUICK, "film_shots": 20, "gpus": 100, **arguments})

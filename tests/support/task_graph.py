"""What tests ask of a graph of tasks."""

from __future__ import annotations

import numpy as np

from bench.project.model.graph import Tasks


def seconds_of(tasks: Tasks, kind: int) -> float:
    """Sum of the durations of all tasks of a kind."""
    if not tasks.task_count:
        return 0.0
    sums = np.add.reduceat(tasks.duration_s, tasks.first[:-1].astype(np.int64), dtype=np.float64)
    return float(sums[tasks.kind == kind].sum())


def bytes_of(tasks: Tasks) -> int:
    """Memory that the arrays of a graph take."""
    return sum(value.nbytes for value in vars(tasks).values() if isinstance(value, np.ndarray))

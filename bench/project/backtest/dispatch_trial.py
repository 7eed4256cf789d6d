"""Does the event simulation foretell a real scheduler? Sleep tasks on many local worker processes, and both times.

Two numbers of the scheduler are measured first, on other tasks than those of the trial: how many tasks a second it
hands out, and how long one task takes beyond its sleep. The rest is what the event simulation has to know by itself:
which task goes where, and when the last one ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import Unavailable
from bench.project.inputs.cluster import ClusterSample
from bench.project.model.events import simulate
from bench.project.model.graph import RENDER, SIMULATE, Tasks, make_tasks

SLEEPERS = Path(__file__).with_name("sleepers.py")
CASE_S = 2.0  # what a case is made to last
CASES = (("tasks", 8, 5), ("tasks", 64, 5), ("tasks", 256, 5), ("short", 64, 100), ("shot", 16, 5), ("shot", 128, 5))
REPLICATES = 40
CALIBRATION_TASKS = 2000
SLEEPERS_LIMIT_S = 120.0


@dataclass(frozen=True)
class Scheduler:
    """What handing out a task costs here."""

    dispatch_s: float  # one after another
    latency_s: float  # of each task, beside others


@dataclass(frozen=True)
class Trial:
    """One graph, foretold and run."""

    case: str
    workers: int
    task_count: int
    work_s: float
    longest_s: float  # of one task
    mean_s: float  # of one task
    predicted_s: float  # event simulation that is told how long each task lasts
    blind_s: tuple[float, ...]  # event simulation that knows half of the recorded durations, drawn anew each time
    measured_s: float

    @property
    def linear_s(self) -> float:
        """Work over workers."""
        return self.work_s / self.workers


def measure_s(graphs: Sequence[Tasks], workers: int) -> list[float]:
    """Seconds that each graph takes on real worker processes. Raises Unavailable where there cannot be any."""
    lines = "".join(json.dumps(_plain(tasks)) + "\n" for tasks in graphs)
    command = [sys.executable, "-I", "-S", str(SLEEPERS), str(workers)]
    try:
        done = subprocess.run(
            command, input=lines, capture_output=True, text=True, timeout=SLEEPERS_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"the dispatch trial could not run {workers} workers: {type(error).__name__}") from None
    return [float(line) for line in done.stdout.splitlines()]


def _plain(tasks: Tasks) -> dict[str, object]:
    return {
        "duration_s": [float(value) for value in tasks.duration_s],
        "first": tasks.first.tolist(),
        "edges": [tasks.edge_to[a:b].tolist() for a, b in pairwise(tasks.edge_first)],
        "needs": tasks.needs.tolist(),
        "priority": chain_priority(tasks).tolist(),
    }


def chain_priority(tasks: Tasks) -> NDArray[np.float32]:
    """Seconds of the longest chain that begins with each group: what the event simulation takes first."""
    behind = np.zeros(tasks.group_count, np.float32)
    for group in reversed(range(tasks.group_count)):
        after = tasks.edge_to[tasks.edge_first[group] : tasks.edge_first[group + 1]]
        longest = float(tasks.duration_s[tasks.first[group] : tasks.first[group + 1]].max())
        behind[group] = longest + (float(behind[after].max()) if len(after) else 0.0)
    return behind


def calibrate(workers: int = 16) -> Scheduler:
    """Hand out tasks of no length to many workers, and short ones to one after another."""
    empty = _independent(np.zeros(CALIBRATION_TASKS))
    nap_s, naps = 0.01, 50
    chain = make_tasks(duration_s=[nap_s] * naps, kind=[SIMULATE] * naps, edges=(range(naps - 1), range(1, naps)))
    empty_s, chain_s = measure_s([empty, chain], workers)
    dispatch_s = empty_s / CALIBRATION_TASKS
    return Scheduler(dispatch_s=dispatch_s, latency_s=max(0.0, chain_s / naps - nap_s - dispatch_s))


def predict_s(tasks: Tasks, workers: int, scheduler: Scheduler) -> float:
    """The event simulation's answer, on equal workers that never fail."""
    sample = ClusterSample(gpu_count=workers, dispatch_s=scheduler.dispatch_s)
    late = replace(tasks, duration_s=tasks.duration_s + np.float32(scheduler.latency_s))
    return simulate(late, sample, priority=chain_priority(tasks)).makespan_s


def _independent(durations: NDArray[np.float64]) -> Tasks:
    return make_tasks(duration_s=durations, kind=np.full(len(durations), RENDER), edges=([], []))


def _shot(durations: NDArray[np.float64], frames: int, parts: int) -> Tasks:
    """A chain of frames, each with its parts behind it: the chain's steps take a fourth of a part's time."""
    chain = np.arange(frames) * 2
    per_group = np.empty((frames, 1 + parts))
    per_group[:, 0] = 0.25 * durations[:frames]
    per_group[:, 1:] = durations[: frames * parts].reshape(frames, parts)
    edges = (np.concatenate([chain[:-1], chain]), np.concatenate([chain[1:], chain + 1]))
    return make_tasks(
        duration_s=per_group.ravel(),
        kind=np.tile([SIMULATE, RENDER], frames),
        count=np.tile([1, parts], frames),
        edges=edges,
    )


def trials(recorded_s: Sequence[float], scheduler: Scheduler | None = None, case_s: float = CASE_S) -> list[Trial]:
    """Foretell, then run: single tasks on 8, 64 and 256 workers, many short ones, and shots on 16 and 128.

    recorded_s: durations that were measured somewhere, four at least; they are drawn from with a fixed seed, and scaled
    so that a case lasts about ``case_s``. The whole takes eight times as long.
    """
    known = scheduler or calibrate()
    recorded = np.asarray(recorded_s, np.float64)
    generator = np.random.default_rng(1)
    return [_trial(case, workers, waves, recorded, known, case_s, generator) for case, workers, waves in CASES]


def _trial(
    case: str,
    workers: int,
    waves: int,
    recorded: NDArray[np.float64],
    scheduler: Scheduler,
    case_s: float,
    generator: np.random.Generator,
) -> Trial:
    count = workers * waves
    scale = case_s / waves / recorded.mean()
    parts = max(1, workers // 4)

    def graph(of: NDArray[np.float64]) -> Tasks:
        drawn = scale * generator.choice(of, count)
        return _shot(drawn, count // parts, parts) if case == "shot" else _independent(drawn)

    blind = [predict_s(graph(recorded[::2]), workers, scheduler) for _ in range(REPLICATES)]
    tasks = graph(recorded)
    predicted_s = predict_s(tasks, workers, scheduler)
    (measured_s,) = measure_s([tasks], workers)
    seconds = tasks.duration_s.astype(np.float64)
    return Trial(
        case=case,
        workers=workers,
        task_count=tasks.task_count,
        work_s=float(seconds.sum()),
        longest_s=float(seconds.max()),
        mean_s=float(seconds.mean()),
        predicted_s=predicted_s,
        blind_s=tuple(blind),
        measured_s=measured_s,
    )

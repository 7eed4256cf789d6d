"""The event simulation: closed forms, bounds that no schedule can break, and cases that have to hurt."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.project.cluster import ClusterSample
from bench.project.events import Outcome, simulate
from bench.project.graph import RENDER, SIMULATE, Tasks, make_tasks

NO_EDGES: tuple[list[int], list[int]] = ([], [])
GB = 1e9


def independent(durations: list[float]) -> Tasks:
    return make_tasks(duration_s=durations, kind=[RENDER] * len(durations), edges=NO_EDGES)


def chain(durations: list[float], kind: int = SIMULATE) -> Tasks:
    count = len(durations)
    return make_tasks(duration_s=durations, kind=[kind] * count, edges=(range(count - 1), range(1, count)))


def run(tasks: Tasks, gpus: int, seed: int = 0, **numbers: Any) -> Outcome:
    return simulate(tasks, ClusterSample(gpu_count=gpus, **numbers), seed)


# --- Closed forms --------------------------------------------------------------------------------------


def test_no_tasks_take_no_time() -> None:
    outcome = run(make_tasks(duration_s=[], kind=[], edges=NO_EDGES), 10)
    assert outcome.finished and outcome.makespan_s == 0.0 and outcome.utilisation == 0.0 and outcome.gpu_hours == 0.0


@pytest.mark.parametrize("gpus", [1, 2, 1000])
def test_one_task_takes_its_time(gpus: int) -> None:
    outcome = run(independent([7.5]), gpus)
    assert outcome.makespan_s == outcome.chain_s == outcome.busy_gpu_s == 7.5
    assert outcome.utilisation == pytest.approx(1.0 / gpus)


@pytest.mark.parametrize(("tasks", "gpus"), [(1, 1), (7, 3), (8, 4), (1020, 1000), (60, 60), (5, 100)])
def test_identical_tasks_come_in_waves(tasks: int, gpus: int) -> None:
    assert run(independent([2.0] * tasks), gpus).makespan_s == 2.0 * math.ceil(tasks / gpus)


@pytest.mark.parametrize("gpus", [1, 2, 1000])
def test_a_chain_is_not_helped_by_gpus(gpus: int) -> None:
    outcome = run(chain([2.0] * 60), gpus)
    assert outcome.makespan_s == outcome.chain_s == 120.0
    assert outcome.utilisation == pytest.approx(1.0 / gpus)


@pytest.mark.parametrize("gpus", [1, 4, 50, 1000])
def test_serial_part_and_even_rest_follow_amdahl(gpus: int) -> None:
    tasks = make_tasks(duration_s=[16.0, 1.0], count=[1, 1000], kind=[SIMULATE, RENDER], edges=([0], [1]))
    assert run(tasks, gpus).makespan_s == 16.0 + 1000.0 / gpus

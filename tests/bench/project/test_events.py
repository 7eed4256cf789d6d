"""The event simulation: closed forms, a plain scheduler beside it, and bounds that no schedule can break."""

from __future__ import annotations

import heapq
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.project.inputs.cluster import ClusterSample
from bench.project.model import loop
from bench.project.model.events import Outcome, simulate
from bench.project.model.graph import ENCODE, RENDER, SIMULATE, TRANSFER, Tasks, make_tasks
from tests.support.task_graph import bytes_of

NO_EDGES: tuple[list[int], list[int]] = ([], [])
CLOSE = 1e-5  # a chain's length is kept in float32


def independent(durations: Any, kind: int = RENDER, **sizes: float) -> Tasks:
    return make_tasks(duration_s=durations, kind=[kind] * len(durations), edges=NO_EDGES, **sizes)


def chain(durations: Any, kind: int = SIMULATE, **sizes: float) -> Tasks:
    count = len(durations)
    return make_tasks(duration_s=durations, kind=[kind] * count, edges=(range(count - 1), range(1, count)), **sizes)


def run(tasks: Tasks, gpus: int, seed: int = 0, **numbers: Any) -> Outcome:
    return simulate(tasks, ClusterSample(gpu_count=gpus, **numbers), seed)


# --- Closed forms --------------------------------------------------------------------------------------


def test_no_tasks_take_no_time() -> None:
    outcome = run(make_tasks(duration_s=[], kind=[], edges=NO_EDGES), 10)
    assert outcome.finished and outcome.makespan_s == 0.0 and outcome.utilisation == 0.0


@pytest.mark.parametrize("gpus", [1, 2, 1000])
def test_one_task_takes_its_time(gpus: int) -> None:
    outcome = run(independent([7.5]), gpus)
    assert outcome.makespan_s == outcome.chain_s == outcome.longest_task_s == outcome.busy_gpu_s == 7.5
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
def test_a_serial_part_and_an_even_rest_follow_amdahl(gpus: int) -> None:
    tasks = make_tasks(duration_s=[16.0, 1.0], count=[1, 1000], kind=[SIMULATE, RENDER], edges=([0], [1]))
    assert run(tasks, gpus).makespan_s == 16.0 + 1000.0 / gpus


def test_speed_scales_gpu_tasks_and_leaves_cpu_tasks() -> None:
    assert run(chain([3.0, 5.0]), 1, gpu_speed=0.5).makespan_s == 16.0
    assert run(chain([3.0, 5.0], ENCODE), 1, gpu_speed=0.5).makespan_s == 8.0


def test_cpu_tasks_wait_for_cores_and_not_for_gpus() -> None:
    assert run(independent([2.0] * 12, ENCODE), 1, cpu_slots=4).makespan_s == 6.0
    both = make_tasks(duration_s=[2.0] * 4, kind=[ENCODE, ENCODE, RENDER, RENDER], edges=NO_EDGES)
    assert run(both, 1, cpu_slots=1).makespan_s == 4.0


def test_the_longest_chain_goes_first() -> None:
    # Three tasks and a chain of three on two GPUs: started last, the chain would take 5
    tasks = make_tasks(duration_s=[1.0] * 6, kind=[RENDER] * 6, edges=([3, 4], [4, 5]))
    assert run(tasks, 2).makespan_s == 3.0
    last = simulate(tasks, ClusterSample(gpu_count=2), priority=np.array([3, 3, 3, 0, 0, 0], np.float32))
    assert last.makespan_s == 4.0


def test_a_group_waits_for_every_task_of_the_groups_before_it() -> None:
    tasks = make_tasks(duration_s=[1.0, 2.0, 9.0, 4.0], count=[3, 1], kind=[RENDER, RENDER], edges=([0], [1]))
    assert run(tasks, 10).makespan_s == 13.0


def test_when_each_shot_ends() -> None:
    tasks = make_tasks(duration_s=[1.0, 5.0, 2.0], kind=[RENDER] * 3, edges=NO_EDGES, shot=[0, 1, 0])
    assert run(tasks, 3).shot_end_s.tolist() == [2.0, 5.0]


# --- A plain scheduler, and bounds ---------------------------------------------------------------------


def plain_makespan_s(tasks: Tasks, gpus: int) -> float:
    """List scheduling, longest chain first, on equal GPUs without overhead: the obvious way."""
    first, after = (
        tasks.first.tolist(),
        [tasks.edge_to[a:b].tolist() for a, b in pairwise(tasks.edge_first)],
    )
    durations = [[float(d) for d in tasks.duration_s[a:b]] for a, b in pairwise(first)]
    behind: dict[int, np.float32] = {}
    for group in reversed(range(tasks.group_count)):
        longest = max((float(behind[other]) for other in after[group]), default=0.0)
        behind[group] = np.float32(longest + max(durations[group]))
    needs, left = tasks.needs.tolist(), [len(part) for part in durations]
    ready = [(-behind[g], g, d) for g in range(tasks.group_count) if needs[g] == 0 for d in range(left[g])]
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        ready.sort()
        while ready and len(running) < gpus:
            _, group, task = ready.pop(0)
            heapq.heappush(running, (now + durations[group][task], group))
        now = running[0][0]
        while running and running[0][0] == now:  # all that end together, before anything starts
            _, group = heapq.heappop(running)
            left[group] -= 1
            if left[group] == 0:
                for other in after[group]:
                    needs[other] -= 1
                    if needs[other] == 0:
                        ready += [(-behind[other], other, d) for d in range(left[other])]
    return now


@st.composite
def graphs(draw: st.DrawFn) -> Tasks:
    """Any graph of a few groups. No two sums of durations are equal, so there is one schedule."""
    groups = draw(st.integers(1, 12))
    counts = draw(st.lists(st.integers(1, 4), min_size=groups, max_size=groups))
    total = sum(counts)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    durations = generator.uniform(0.1, 10.0, total) ** draw(st.sampled_from([1, 3]))
    pairs = [(a, b) for a in range(groups) for b in range(a + 1, groups)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20)) if pairs else []
    kinds = draw(st.lists(st.sampled_from([SIMULATE, RENDER]), min_size=groups, max_size=groups))
    return make_tasks(
        duration_s=durations, kind=kinds, count=counts, edges=([a for a, _ in edges], [b for _, b in edges])
    )


@settings(max_examples=300, deadline=None)
@given(graphs(), st.integers(1, 9), st.integers(0, 8))
def test_no_schedule_breaks_its_bounds(tasks: Tasks, gpus: int, more: int) -> None:
    outcome = run(tasks, gpus)
    work_s = float(tasks.duration_s.sum(dtype=np.float64))
    assert outcome.busy_gpu_s == pytest.approx(work_s)
    assert outcome.makespan_s == pytest.approx(plain_makespan_s(tasks, gpus))
    assert outcome.makespan_s >= max(work_s / gpus, outcome.chain_s) * (1.0 - CLOSE)
    # Graham 1969: no list schedule is longer, and more GPUs make it longer by no more than this factor
    assert outcome.makespan_s <= (work_s / gpus + outcome.chain_s * (1.0 - 1.0 / gpus)) * (1.0 + CLOSE)
    wider = run(tasks, gpus + more).makespan_s
    assert wider <= outcome.makespan_s * (1.0 + (gpus - 1) / (gpus + more)) * (1.0 + CLOSE)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(1, 5), st.integers(0, 1000))
def test_overheads_never_make_it_faster_than_work_and_chain_allow(tasks: Tasks, gpus: int, seed: int) -> None:
    numbers = {"dispatch_s": 0.1, "startup_s": 1.0, "failures_per_gpu_hour": 60.0, "restart_s": 3.0}
    outcome = run(tasks, gpus, seed, **numbers)
    if outcome.finished:
        overhead_s = outcome.lost_s + outcome.restart_s + outcome.startup_s
        work_s = float(tasks.duration_s.sum(dtype=np.float64))
        assert outcome.busy_gpu_s == pytest.approx(work_s)
        assert outcome.makespan_s >= max(work_s / gpus, outcome.chain_s) * (1.0 - CLOSE)
        assert outcome.makespan_s <= work_s + overhead_s + outcome.dispatch_wait_s + CLOSE
    else:
        assert outcome.makespan_s == math.inf and outcome.failures > 1000


def test_a_seed_gives_the_same_again_and_the_graph_stays_as_it_was(rng: np.random.Generator) -> None:
    tasks = independent(rng.lognormal(3.0, 1.0, 500))
    before = [value.copy() for value in vars(tasks).values() if isinstance(value, np.ndarray)]
    numbers = {"gpu_sigma": 0.1, "failures_per_gpu_hour": 1.0, "restart_s": 10.0, "outlier_share": 0.1}
    one, two, other = (run(tasks, 20, seed, **numbers) for seed in (5, 5, 6))
    assert one.makespan_s == two.makespan_s and one.failures == two.failures and one.lost_s == two.lost_s
    assert one.makespan_s != other.makespan_s
    after = [value for value in vars(tasks).values() if isinstance(value, np.ndarray)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after))


def test_compiled_ahead_is_what_a_run_calls() -> None:
    run(independent([1.0]), 1)
    simulate(independent([1.0]), ClusterSample(gpu_count=2), 3, task_sigma=0.1, priority=np.ones(1, np.float32))
    run(chain([1.0, 2.0], TRANSFER), 1)
    loop.compile_now()
    assert len(loop.run.signatures) == 1


@pytest.mark.slow
def test_a_million_tasks() -> None:
    count = 1_000_000
    tasks = make_tasks(duration_s=np.full(count, 4.0), kind=np.full(count, RENDER), edges=NO_EDGES)
    outcome = run(tasks, 1000)
    assert outcome.makespan_s == 4000.0 and outcome.event_count == count and bytes_of(tasks) < 40_000_000

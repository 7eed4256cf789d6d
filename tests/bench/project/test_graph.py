"""Graphs of shots and films: which task waits for which, how many there are, and what they move."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import ArrayLike

from bench.project.inputs.cluster import ClusterSample
from bench.project.model.events import simulate
from bench.project.model.graph import (
    ENCODE,
    KINDS,
    MERGE,
    RENDER,
    SIMULATE,
    TRANSFER,
    ShotTasks,
    Tasks,
    film_tasks,
    make_tasks,
)
from tests.support.task_graph import bytes_of, seconds_of

SHOT = ShotTasks(frames=5, simulate_s=2.0, surface_s=0.0, trace_s=8.0, resolve_s=0.0, encode_s=0.0)


def shot_tasks(
    frames: int,
    simulate_s: ArrayLike,
    surface_s: ArrayLike,
    trace_s: ArrayLike,
    resolve_s: ArrayLike,
    encode_s: ArrayLike,
    parts: int = 1,
    *,
    simulate_gpus: int = 1,
    efficiency: float = 1.0,
    **sizes: float,
) -> Tasks:
    """One shot."""
    names = ("simulate_s", "surface_s", "trace_s", "resolve_s", "encode_s")
    seconds = dict(zip(names, (simulate_s, surface_s, trace_s, resolve_s, encode_s)))
    shot = ShotTasks(frames=frames, parts=parts, **seconds, **sizes)
    return film_tasks([shot], simulate_gpus=simulate_gpus, efficiency=efficiency)


def edges_of(tasks: Tasks) -> set[tuple[int, int]]:
    """Every edge as numbers of groups."""
    spans = pairwise(tasks.edge_first)
    return {(group, int(to)) for group, (a, b) in enumerate(spans) for to in tasks.edge_to[a:b]}


def makespan_s(tasks: Tasks, gpus: int) -> float:
    return simulate(tasks, ClusterSample(gpu_count=gpus)).makespan_s


def test_a_frame_goes_through_its_steps_and_follows_the_frame_before() -> None:
    tasks = shot_tasks(2, 1.0, 0.5, 6.0, 0.4, 0.3, 8, merge_s=0.1, state_bytes=8.0, part_bytes=2.0, frame_bytes=1.0)
    assert tasks.kind.tolist() == [SIMULATE, RENDER, MERGE, ENCODE, TRANSFER] * 2
    assert np.diff(tasks.first).tolist() == [1, 8, 1, 1, 1] * 2
    assert edges_of(tasks) == {(0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 7), (7, 8), (8, 9), (0, 5)}
    assert tasks.needs.tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    # Each part of a frame builds the surface for itself
    assert tasks.duration_s[1:9] == pytest.approx(np.full(8, 0.5 + 6.4 / 8))
    assert tasks.read_bytes.tolist() == [8.0, 8.0, 16.0, 2.0, 1.0] * 2
    assert tasks.write_bytes.tolist() == [8.0, 2.0, 2.0, 1.0, 1.0] * 2


def test_steps_that_take_no_time_have_no_task() -> None:
    tasks = shot_tasks(3, 0.0, 0.0, 4.0, 0.0, 0.0)
    assert tasks.kind.tolist() == [RENDER] * 3 and not edges_of(tasks)
    tasks = shot_tasks(3, 2.0, 0.0, 0.0, 0.0, 0.0)
    assert tasks.kind.tolist() == [SIMULATE] * 3 and edges_of(tasks) == {(0, 1), (1, 2)}


def test_a_shot_on_many_gpus_is_its_chain_and_one_frame() -> None:
    assert makespan_s(shot_tasks(60, 10.0, 0.0, 4.0, 0.0, 0.0), 2) == 60 * 10.0 + 4.0
    assert makespan_s(shot_tasks(60, 1.0, 0.0, 100.0, 0.0, 0.0), 1000) == 60.0 + 100.0
    assert makespan_s(shot_tasks(60, 1.0, 0.0, 100.0, 0.0, 0.0, 10), 1000) == 60.0 + 10.0
    assert makespan_s(shot_tasks(60, 1.0, 0.0, 100.0, 0.0, 0.0), 1) == 60 * 101.0


def test_a_simulation_split_over_gpus_loses_to_efficiency() -> None:
    tasks = shot_tasks(10, 8.0, 0.0, 0.0, 0.0, 0.0, simulate_gpus=4, efficiency=0.8)
    assert tasks.task_count == 40
    assert makespan_s(tasks, 4) == pytest.approx(10 * 8.0 / (4 * 0.8))
    assert makespan_s(tasks, 2) == pytest.approx(2 * makespan_s(tasks, 4))
    assert makespan_s(shot_tasks(10, 8.0, 0.0, 0.0, 0.0, 0.0, simulate_gpus=1), 4) == 80.0


def test_frames_may_each_have_their_own_times() -> None:
    simulate_s = np.arange(1.0, 6.0)
    tasks = shot_tasks(5, simulate_s, 0.0, 10.0 * simulate_s, 0.0, 0.0)
    assert (
        seconds_of(tasks, SIMULATE) == 15.0 and seconds_of(tasks, RENDER) == 150.0 and seconds_of(tasks, ENCODE) == 0.0
    )
    assert makespan_s(tasks, 5) == 15.0 + 50.0


def test_a_film_is_its_shots_side_by_side() -> None:
    film = film_tasks([dataclasses.replace(SHOT, frames=n) for n in (1, 5, 3)])
    assert film.shot_count == 3 and seconds_of(film, SIMULATE) == 18.0
    assert film.shot.tolist() == [0] * 2 + [1] * 10 + [2] * 6
    outcome = simulate(film, ClusterSample(gpu_count=100))
    assert outcome.shot_end_s.tolist() == [10.0, 18.0, 14.0]


def test_kinds_are_counted_apart() -> None:
    tasks = shot_tasks(4, 1.0, 1.0, 6.0, 0.0, 2.0, 3, merge_s=0.5)
    found = {name: seconds_of(tasks, kind) for kind, name in enumerate(KINDS)}
    assert found == {"simulate": 4.0, "render": 36.0, "merge": 2.0, "encode": 8.0, "transfer": 0.0}
    assert simulate(tasks, ClusterSample(gpu_count=3)).seconds == pytest.approx(found)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"duration_s": [1.0, -1.0]}, "not negative"),
        ({"duration_s": [1.0, float("nan")]}, "finite"),
        ({"duration_s": [1.0, float("inf")]}, "finite"),
        ({"edges": ([1], [0])}, "lower to a higher"),
        ({"edges": ([0], [2])}, "lower to a higher"),
        ({"edges": ([-1], [1])}, "lower to a higher"),
        ({"count": [1, 0]}, "at least one task"),
        ({"duration_s": [1.0] * 4, "count": [1, 2]}, "durations"),
        ({"count": [100_000_000, 1]}, "at most"),
        ({"write_bytes": -1.0}, "not negative"),
    ],
)
def test_graphs_that_cannot_be(numbers: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_tasks(**{"duration_s": [1.0, 1.0], "kind": [RENDER, RENDER], "edges": ([], []), **numbers})  # type: ignore[arg-type]


def test_shots_that_cannot_be() -> None:
    for wrong in ({"frames": 0}, {"parts": 0}, {"frames": 10**9}):
        with pytest.raises(ValueError, match="expected"):
            film_tasks([dataclasses.replace(SHOT, **wrong)])
    with pytest.raises(ValueError, match="efficiency"):
        film_tasks([SHOT], efficiency=0.0)
    with pytest.raises(ValueError, match="at least one GPU"):
        film_tasks([SHOT], simulate_gpus=0)


def test_a_graph_takes_tens_of_bytes_a_task() -> None:
    tasks = film_tasks([dataclasses.replace(SHOT, parts=17, frame_bytes=1.0, encode_s=1.0)] * 100)
    assert tasks.task_count == 100 * 5 * 21 and bytes_of(tasks) < 20 * tasks.task_count

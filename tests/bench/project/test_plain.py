"""The compiled event simulation beside the obvious one, with every overhead at once, on any small graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.project.inputs.cluster import ClusterSample, load_cluster
from bench.project.model.events import FAILURES_A_TASK, FAILURES_MIN, simulate
from bench.project.model.graph import KINDS, ShotTasks, Tasks, film_tasks, make_tasks
from bench.project.model.limits import bounds_s
from tests.reference.cluster_events import Plain

TOTALS = ("busy_gpu_s", "failures", "lost_s", "dispatch_wait_s", "startup_s", "storage_wait_s", "storage_bytes")


def compare(tasks: Tasks, sample: ClusterSample, seed: int, task_sigma: float = 0.0) -> None:
    outcome = simulate(tasks, sample, seed, task_sigma=task_sigma)
    plain = Plain(tasks, sample, seed, task_sigma).run(FAILURES_MIN + FAILURES_A_TASK * tasks.task_count)
    assert outcome.makespan_s == pytest.approx(plain["makespan_s"], rel=1e-9)
    assert outcome.chain_s == pytest.approx(plain["chain_s"], rel=1e-6)  # the plain one rounds every step to float32
    for name in (*TOTALS, "link_bytes"):
        assert getattr(outcome, name) == pytest.approx(plain[name], rel=1e-9, abs=1e-9), name
    for name in KINDS:
        assert outcome.seconds[name] == pytest.approx(plain[name], rel=1e-9, abs=1e-9), name
    # No schedule comes below what one cause alone takes; a chain's length is that on GPUs of the mean speed
    even = sample.gpu_sigma == task_sigma == 0.0
    bounds = {name: bound for name, bound in bounds_s(outcome, sample).items() if name != "chain" or even}
    assert max(bounds.values()) <= outcome.makespan_s * (1.0 + 1e-6)


@st.composite
def anything(draw: st.DrawFn) -> Tasks:
    """A graph of all kinds of tasks, some of no length, with sizes."""
    groups = draw(st.integers(1, 14))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = generator.integers(1, 5, groups)
    pairs = [(a, b) for a in range(groups) for b in range(a + 1, groups)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)) if pairs else []
    there = generator.random((3, groups)) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    return make_tasks(
        duration_s=generator.uniform(0.0, 10.0, int(counts.sum())),
        kind=generator.integers(0, len(KINDS), groups),
        count=counts,
        shot=generator.integers(0, 3, groups),
        edges=([a for a, _ in edges], [b for _, b in edges]),
        read_bytes=there[0] * generator.uniform(0.0, 5.0, groups),
        write_bytes=there[1] * generator.uniform(0.0, 5.0, groups),
    )


@st.composite
def samples(draw: st.DrawFn) -> ClusterSample:
    def some(*values: float) -> float:
        return draw(st.sampled_from([0.0, *values]))

    return ClusterSample(
        gpu_count=draw(st.integers(1, 6)),
        cpu_slots=draw(st.integers(1, 4)),
        link_streams=draw(st.integers(1, 4)),
        gpu_speed=draw(st.sampled_from([0.5, 1.0, 3.0])),
        dispatch_s=some(0.03, 0.7),
        startup_s=some(1.3),
        storage_bandwidth_bytes_per_s=draw(st.sampled_from([0.7, 2.1, 40.0])),
        storage_client_bandwidth_bytes_per_s=draw(st.sampled_from([1.1, 60.0])),
        link_bandwidth_bytes_per_s=draw(st.sampled_from([0.9, 50.0])),
        link_latency_s=some(0.4),
        link_handshake_s=some(1.7),
        gpu_sigma=some(0.2),
        outlier_share=some(0.3),
        outlier_factor=1.5,
        failures_per_gpu_hour=some(30.0, 600.0),
        restart_s=some(4.3),
    )


@settings(max_examples=250, deadline=None)
@given(anything(), samples(), st.integers(0, 2**31), st.sampled_from([0.0, 0.4]))
def test_any_graph_on_any_cluster(tasks: Tasks, sample: ClusterSample, seed: int, task_sigma: float) -> None:
    compare(tasks, sample, seed, task_sigma)


@pytest.mark.parametrize("name", ["guian-1000", "studio-64", "workstation"])
def test_a_small_film_on_a_cluster_that_ships(name: str, rng: np.random.Generator) -> None:
    shots = [
        ShotTasks(
            frames=frames,
            simulate_s=rng.uniform(5.0, 50.0, frames),
            surface_s=1.0,
            trace_s=rng.uniform(20.0, 200.0, frames),
            resolve_s=0.1,
            encode_s=2.0,
            merge_s=0.2,
            parts=3,
            state_bytes=5e9,
            part_bytes=1e8,
            frame_bytes=5e7,
        )
        for frames in (4, 6, 3, 5)
    ]
    compare(film_tasks(shots, simulate_gpus=2), load_cluster(name).with_gpus(7).sample(), 11)

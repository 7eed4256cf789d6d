"""What a real cluster adds to a schedule: scheduler, start-up, storage, link, unequal and failing GPUs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.project.inputs.cluster import ClusterSample
from bench.project.model.events import Outcome, gpu_factors, simulate
from bench.project.model.graph import ENCODE, RENDER, SIMULATE, TRANSFER, make_tasks
from bench.project.model.limits import bounds_s, flags
from tests.bench.project.test_events import NO_EDGES, chain, independent, run
from tests.bench.project.test_graph import shot_tasks


def bound_by(outcome: Outcome, sample: ClusterSample) -> str:
    """Name of the largest bound."""
    return max(bounds_s(outcome, sample).items(), key=lambda bound: bound[1])[0]


def test_one_scheduler_hands_out_one_task_after_another() -> None:
    assert run(independent([0.0] * 100), 1000, dispatch_s=0.5).makespan_s == 50.0
    assert run(independent([10.0] * 4), 4, dispatch_s=0.5).makespan_s == 12.0
    assert run(chain([1.0] * 10), 5, dispatch_s=0.5).makespan_s == 15.0


def test_start_up_is_paid_when_the_shot_or_the_kind_of_task_changes() -> None:
    assert run(chain([1.0] * 10), 5, startup_s=7.0).makespan_s == 17.0
    assert run(independent([1.0] * 10), 2, startup_s=7.0).startup_s == 14.0
    mixed = make_tasks(duration_s=[1.0] * 4, kind=[RENDER] * 4, edges=([0, 1, 2], [1, 2, 3]), shot=[0, 1, 0, 1])
    assert run(mixed, 1, startup_s=7.0).makespan_s == 32.0
    kinds = make_tasks(duration_s=[1.0] * 3, kind=[SIMULATE, RENDER, SIMULATE], edges=([0, 1], [1, 2]))
    assert run(kinds, 1, startup_s=7.0).makespan_s == 24.0


def test_storage_is_shared_by_all() -> None:
    numbers = {"storage_bandwidth_bytes_per_s": 1e9}
    written = independent([5.0] * 8, write_bytes=2e9)
    assert run(written, 1, **numbers).makespan_s == 8 * 7.0
    assert run(written, 8, **numbers).makespan_s == 5.0 + 8 * 2.0
    read = independent([5.0] * 8, read_bytes=2e9)
    assert run(read, 8, **numbers).makespan_s == 8 * 2.0 + 5.0
    assert run(read, 8, **numbers).storage_bytes == 16e9


def test_no_task_is_served_faster_than_its_port() -> None:
    outcome = run(
        independent([5.0] * 8, write_bytes=2e9),
        8,
        storage_bandwidth_bytes_per_s=1e12,
        storage_client_bandwidth_bytes_per_s=1e9,
    )
    assert outcome.makespan_s == pytest.approx(7.0)


def test_a_simulation_that_goes_on_in_place_reads_its_state_once() -> None:
    tasks = chain([1.0] * 6, read_bytes=3e9)
    assert run(tasks, 4, storage_bandwidth_bytes_per_s=1e9).makespan_s == 3.0 + 6.0


def test_parts_of_one_frame_on_one_gpu_read_its_state_once() -> None:
    tasks = make_tasks(duration_s=[1.0], count=[5], kind=[RENDER], edges=NO_EDGES, read_bytes=[3e9])
    numbers = {"storage_bandwidth_bytes_per_s": 1e9}
    assert run(tasks, 1, **numbers).makespan_s == 8.0
    assert run(tasks, 5, **numbers).makespan_s == 16.0


def test_large_files_wait_for_the_link_and_small_ones_for_handshakes() -> None:
    numbers = {"link_bandwidth_bytes_per_s": 1e9, "link_latency_s": 0.25, "link_handshake_s": 0.75}
    large = independent([0.0] * 10, TRANSFER, write_bytes=4e9)
    assert run(large, 1, link_streams=8, **numbers).makespan_s == 40.0 + 1.0
    small = independent([0.0] * 800, TRANSFER, write_bytes=1.0)
    assert run(small, 1, link_streams=8, **numbers).makespan_s == pytest.approx(
        99.875 + 1.0
    )  # the last one leaves an eighth early
    outcome = run(large, 1, link_streams=1, **numbers)
    assert outcome.makespan_s == 50.0 and outcome.link_bytes == 40e9


def test_the_link_does_not_take_a_gpu_and_what_follows_waits_for_it() -> None:
    tasks = make_tasks(
        duration_s=[0.0, 3.0, 4.0], kind=[TRANSFER, RENDER, RENDER], edges=([0], [2]), write_bytes=[10e9, 0.0, 0.0]
    )
    assert run(tasks, 1, link_bandwidth_bytes_per_s=1e9).makespan_s == 14.0


def test_gpus_are_unequal_in_the_same_way_in_clusters_of_any_size() -> None:
    sample = ClusterSample(gpu_count=20_000, gpu_sigma=0.08, outlier_share=0.02, outlier_factor=1.5)
    factors = gpu_factors(sample, 1)
    assert factors.mean() == pytest.approx(1.01, abs=0.005)
    assert np.mean(factors > 1.35) == pytest.approx(0.02, abs=0.004)
    assert factors[factors < 1.3].std() == pytest.approx(0.08, abs=0.01)
    few = gpu_factors(ClusterSample(gpu_count=10, gpu_sigma=0.08, outlier_share=0.02, outlier_factor=1.5), 1)
    assert np.array_equal(few, factors[:10]) and not np.array_equal(few, gpu_factors(sample, 2)[:10])
    assert np.array_equal(gpu_factors(ClusterSample(gpu_count=5, gpu_speed=0.5), 1), np.full(5, 2.0))


def test_the_slowest_gpu_decides_when_all_have_one_task() -> None:
    sample = ClusterSample(gpu_count=50, gpu_sigma=0.2)
    assert simulate(independent([10.0] * 50), sample, 3).makespan_s == pytest.approx(
        10.0 * gpu_factors(sample, 3).max()
    )


def test_spread_of_tasks_keeps_their_mean() -> None:
    outcome = simulate(independent([2.0] * 20_000), ClusterSample(gpu_count=100), task_sigma=0.5)
    assert outcome.busy_gpu_s == pytest.approx(40_000.0, rel=0.02)


def test_a_failure_costs_what_is_known_for_it() -> None:
    """A task of length d that starts again at each failure takes (e^(rate d) - 1) (1 / rate + restart) on average."""
    rate_per_s, length_s, restart_s = 0.1, 12.0, 5.0
    numbers = {"failures_per_gpu_hour": rate_per_s * 3600.0, "restart_s": restart_s}
    times = [run(independent([length_s]), 1, seed, **numbers).makespan_s for seed in range(4000)]
    expected_s = math.expm1(rate_per_s * length_s) * (1.0 / rate_per_s + restart_s)
    assert np.mean(times) == pytest.approx(expected_s, rel=0.05)


def test_failures_come_at_their_rate_and_lose_no_task(rng: np.random.Generator) -> None:
    tasks = independent(rng.uniform(600.0, 7200.0, 3000))
    outcome = run(tasks, 200, failures_per_gpu_hour=0.05, restart_s=600.0)
    hours = (outcome.busy_gpu_s + outcome.lost_s) / 3600.0
    assert outcome.failures == pytest.approx(0.05 * hours, rel=0.2)
    assert outcome.busy_gpu_s == pytest.approx(float(tasks.duration_s.sum(dtype=np.float64)))
    assert outcome.restart_s == outcome.failures * 600.0 and outcome.makespan_s > outcome.busy_gpu_s / 200


# --- Cases that have to hurt ---------------------------------------------------------------------------


def test_failing_every_minute_gives_up_with_a_flag() -> None:
    sample = ClusterSample(gpu_count=100, failures_per_gpu_hour=60.0, restart_s=60.0)
    outcome = simulate(independent([3600.0] * 500), sample)
    assert not outcome.finished and outcome.makespan_s == math.inf and outcome.utilisation == 0.0
    assert "gave up" in flags(outcome, sample)[0]


def test_short_tasks_survive_failing_every_minute() -> None:
    sample = ClusterSample(gpu_count=100, failures_per_gpu_hour=60.0, restart_s=60.0)
    outcome = simulate(independent([20.0] * 5000), sample)
    assert outcome.finished and outcome.makespan_s > 1.2 * 1000.0
    assert any("failures" in flag for flag in flags(outcome, sample))


def test_a_heavy_tail_spreads_the_replicates() -> None:
    sample = ClusterSample(gpu_count=100)
    tasks = independent([10.0] * 1000)
    spread = {
        sigma: [simulate(tasks, sample, seed, task_sigma=sigma).makespan_s for seed in range(40)]
        for sigma in (0.1, 2.0)
    }
    assert np.ptp(spread[2.0]) > 20.0 * np.ptp(spread[0.1])


def test_one_huge_frame_is_all_that_counts() -> None:
    sample = ClusterSample(gpu_count=1000)
    outcome = simulate(independent([10.0] * 999 + [5000.0]), sample)
    assert outcome.makespan_s == 5000.0 and outcome.utilisation < 0.01
    assert bound_by(outcome, sample) == "chain" and any("one task alone" in flag for flag in flags(outcome, sample))


def test_bound_by_storage_more_gpus_do_not_help() -> None:
    made = {}
    for gpus in (100, 1000):
        sample = ClusterSample(gpu_count=gpus, storage_bandwidth_bytes_per_s=1e9)
        outcome = simulate(independent([10.0] * 4000, write_bytes=1e9), sample)
        assert bound_by(outcome, sample) == "storage" and any("storage" in flag for flag in flags(outcome, sample))
        made[gpus] = outcome.makespan_s
    assert made[1000] == pytest.approx(made[100], rel=0.01)


def test_nothing_is_flagged_where_all_is_well() -> None:
    sample = ClusterSample(gpu_count=10, storage_bandwidth_bytes_per_s=1e12, dispatch_s=0.001)
    tasks = shot_tasks(60, 1.0, 0.0, 100.0, 0.0, 1.0, 4, state_bytes=1e9, part_bytes=1e6, frame_bytes=1e6)
    outcome = simulate(tasks, sample)
    assert flags(outcome, sample) == () and bound_by(outcome, sample) == "work"
    assert all(value <= outcome.makespan_s for value in bounds_s(outcome, sample).values())


def test_cores_that_encode_do_not_count_as_gpu_time() -> None:
    tasks = make_tasks(duration_s=[4.0, 50.0], kind=[RENDER, ENCODE], edges=([0], [1]))
    outcome = run(tasks, 1, failures_per_gpu_hour=0.0)
    assert outcome.busy_gpu_s == 4.0 and outcome.seconds["encode"] == 50.0 and outcome.makespan_s == 54.0

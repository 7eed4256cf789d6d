"""What holds a graph of tasks back, and signs that its projected time is not to be trusted."""

from __future__ import annotations

import math

from bench.project.inputs.cluster import ClusterSample
from bench.project.model.events import Outcome

STORAGE_SHARE, LOST_SHARE, SCHEDULER_SHARE = 0.2, 0.05, 0.2  # of the time that GPUs are taken, worth a word
LONG_TASK = 0.5  # of the makespan


def bounds_s(outcome: Outcome, sample: ClusterSample) -> dict[str, float]:
    """Times below which no schedule can come, each from one cause alone. The largest says what to change."""
    return {
        "work": outcome.busy_gpu_s / outcome.gpu_count,
        "chain": outcome.chain_s,
        "storage": outcome.storage_bytes / sample.storage_bandwidth_bytes_per_s,
        "scheduler": outcome.handed_out * sample.dispatch_s,
        "link": outcome.seconds["transfer"],
    }


def flags(outcome: Outcome, sample: ClusterSample) -> tuple[str, ...]:
    """A line for each sign that the answer hangs on something that is known badly."""
    if not outcome.finished:
        return (f"tasks fail faster than they end: gave up after {outcome.failures:,} failures",)
    found = []
    taken_s = outcome.busy_gpu_s + outcome.storage_wait_s + outcome.lost_s + outcome.restart_s
    taken_s += outcome.startup_s + outcome.dispatch_wait_s
    shares = (
        (outcome.storage_wait_s, STORAGE_SHARE, "reading and writing"),
        (outcome.lost_s + outcome.restart_s, LOST_SHARE, "failures"),
        (outcome.dispatch_wait_s, SCHEDULER_SHARE, "waiting for the scheduler"),
    )
    for seconds, limit, what in shares:
        if taken_s > 0.0 and seconds > limit * taken_s:
            found.append(f"{what} takes {100.0 * seconds / taken_s:.0f} % of the time that GPUs are taken")
    if outcome.task_count > 1 and outcome.longest_task_s > LONG_TASK * outcome.makespan_s > 0.0:
        share = 100.0 * outcome.longest_task_s / outcome.makespan_s
        found.append(f"one task alone takes {share:.0f} % of the time: more GPUs do not help")
    by_cause = bounds_s(outcome, sample)
    for name in ("storage", "scheduler", "link"):
        if by_cause[name] > 0.5 * outcome.makespan_s > 0.0 and math.isfinite(by_cause[name]):
            found.append(f"the {name} is busy {100.0 * by_cause[name] / outcome.makespan_s:.0f} % of the time")
    return tuple(found)

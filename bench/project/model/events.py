"""A graph of tasks on a cluster, event by event.

List scheduling: whenever a GPU is free and a task is ready, the ready task with the longest chain of work behind it
starts there (critical path first). Around it stand:

* one scheduler, which hands out tasks one after another, ``dispatch_s`` each;
* GPUs of unequal speed, log-normal with a share of slow outliers; GPU k is equally slow in clusters of every size;
* a start-up, unless the GPU's last task was of the same kind and shot: scene and kernels are loaded then;
* shared storage that serves reads and writes first come, first served, and no task faster than its own port allows.
  A simulation that goes on where it ran before, and a second part of the same frame, find their state in memory;
* failures, exponential in the time that a GPU works: the task is lost and starts again, on another GPU or the same;
* CPU cores for merging and encoding, and one network link with latency and a handshake for each file.

Time and sums are float64. Random numbers are hashes of seed, purpose and index, so a seed gives the same result
whatever the number of replicates or their order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.project.inputs.cluster import ClusterSample
from bench.project.model import loop
from bench.project.model.graph import KINDS, MERGE, TRANSFER, Tasks

FAILURES_A_TASK = 20  # beyond so many failures for each task, and FAILURES_MIN, a simulation gives up
FAILURES_MIN = 1000


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one simulated run of a graph took. Projected, never measured."""

    makespan_s: float  # infinite where the run gave up: tasks fail faster than they end
    finished: bool
    chain_s: float  # longest chain of tasks, on GPUs of the mean speed that wait for no other task
    longest_task_s: float  # on a GPU of the mean speed
    busy_gpu_s: float  # GPU time in work that counted
    seconds: dict[str, float]  # of work that counted, by kind of task; of transfers: time on the link
    gpu_count: int
    task_count: int
    handed_out: int  # tasks that the scheduler starts: all but transfers
    failures: int
    lost_s: float  # GPU time in work that was lost
    restart_s: float  # GPU time until failed GPUs worked again
    dispatch_wait_s: float  # GPUs and cores waiting for the scheduler
    startup_s: float  # GPUs starting up
    storage_wait_s: float  # GPUs and cores reading and writing
    storage_bytes: float
    link_bytes: float
    event_count: int
    shot_end_s: NDArray[np.float64]  # when the last task of each shot ended

    @property
    def utilisation(self) -> float:
        """Share of the cluster's GPU time in work that counted."""
        held = self.makespan_s * self.gpu_count
        return self.busy_gpu_s / held if held > 0.0 and math.isfinite(held) else 0.0


def gpu_factors(sample: ClusterSample, seed: int) -> NDArray[np.float64]:
    """Times that each GPU takes longer than the measured one; GPU k has the same luck in every cluster."""
    index = np.arange(sample.gpu_count, dtype=np.uint64)
    u, v, w = (_uniforms(seed, purpose, index) for purpose in (0, 1, 2))
    z = np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v)
    # The measured card is a usual one: the mean is 1, not the median
    sigma = math.sqrt(math.log1p(sample.gpu_sigma**2))
    slow = np.exp(sigma * z - 0.5 * sigma * sigma)
    slow[w < sample.outlier_share] *= sample.outlier_factor
    return slow / sample.gpu_speed


def _uniforms(seed: int, purpose: int, index: NDArray[np.uint64]) -> NDArray[np.float64]:
    """``loop.uniform`` for an array of indices, without a compiler."""
    with np.errstate(over="ignore"):
        found: NDArray[np.float64] = loop.uniform.py_func(seed, purpose, index)  # type: ignore[no-untyped-call]
    return found


def simulate(
    tasks: Tasks,
    sample: ClusterSample,
    seed: int = 0,
    *,
    task_sigma: float = 0.0,
    priority: NDArray[np.float32] | None = None,
) -> Outcome:
    """Run ``tasks`` on a cluster once.

    task_sigma: spread of a GPU task's time around its duration (log-normal, mean kept). priority: one number for each
    group, the highest first; without it the longest chain of work goes first.
    """
    inputs = np.zeros(loop.INPUTS)
    inputs[loop.DISPATCH], inputs[loop.STARTUP] = sample.dispatch_s, sample.startup_s
    inputs[loop.STORAGE], inputs[loop.CLIENT] = (
        sample.storage_bandwidth_bytes_per_s,
        sample.storage_client_bandwidth_bytes_per_s,
    )
    inputs[loop.LINK], inputs[loop.LATENCY] = sample.link_bandwidth_bytes_per_s, sample.link_latency_s
    inputs[loop.HANDSHAKE], inputs[loop.STREAMS] = sample.link_handshake_s, sample.link_streams
    inputs[loop.FAILURE], inputs[loop.RESTART] = sample.failures_per_gpu_hour / 3600.0, sample.restart_s
    inputs[loop.NOISE], inputs[loop.SPEED] = task_sigma, sample.gpu_speed
    outputs, shot_end_s = np.zeros(loop.OUTPUTS), np.zeros(tasks.shot_count)
    ranks = np.full(max(1, tasks.group_count), np.nan, np.float32) if priority is None else priority.copy()
    counts = np.diff(tasks.first)
    # More cores than tasks for them never start one
    on_cpu = (tasks.kind >= MERGE) & (tasks.kind < TRANSFER)
    cpu_slots = min(sample.cpu_slots, int(counts[on_cpu].sum()))
    finished = loop.run(
        int(seed),
        FAILURES_MIN + FAILURES_A_TASK * tasks.task_count,
        inputs,
        gpu_factors(sample, seed),
        cpu_slots,
        tasks.duration_s,
        tasks.first,
        tasks.kind,
        tasks.shot,
        tasks.read_bytes,
        tasks.write_bytes,
        tasks.edge_first,
        tasks.edge_to,
        tasks.needs.copy(),
        ranks,
        outputs,
        shot_end_s,
    )
    seconds = dict(zip(KINDS, map(float, outputs[loop.BY_KIND :])))
    failures = int(outputs[loop.FAILURES])
    return Outcome(
        makespan_s=float(outputs[loop.MAKESPAN]) if finished else math.inf,
        finished=bool(finished),
        chain_s=float(outputs[loop.CHAIN]),
        longest_task_s=float(outputs[loop.LONGEST]),
        busy_gpu_s=seconds["simulate"] + seconds["render"],
        seconds=seconds,
        gpu_count=sample.gpu_count,
        task_count=tasks.task_count,
        handed_out=int(counts[tasks.kind != TRANSFER].sum()),
        failures=failures,
        lost_s=float(outputs[loop.LOST]),
        restart_s=failures * sample.restart_s,
        dispatch_wait_s=float(outputs[loop.DISPATCH_WAIT]),
        startup_s=float(outputs[loop.STARTUP_TIME]),
        storage_wait_s=float(outputs[loop.STORAGE_WAIT]),
        storage_bytes=float(outputs[loop.STORAGE_BYTES]),
        link_bytes=float(outputs[loop.LINK_BYTES]),
        event_count=int(outputs[loop.EVENTS]),
        shot_end_s=shot_end_s,
    )

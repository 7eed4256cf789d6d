"""One shot, or a film of many, in one world: graphs of tasks from seconds of stages, run event by event."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.backend.limits import usable_cores
from bench.project.inputs.cluster import ClusterSample
from bench.project.model import limits
from bench.project.model.costs import Basis
from bench.project.model.events import Outcome, simulate
from bench.project.model.graph import F64, SPLIT_EFFICIENCY, ShotTasks, Tasks, film_tasks
from bench.project.model.scenario import Pair, Scenario, Seconds
from kernels.base.constants import PIXEL_WORDS

NEAR = 1.05  # a shot has stopped getting faster when it is this near to its best
PROBED_GPUS = tuple(2**n for n in range(15))
LENGTH_QUANTILE = 3.27  # of a normal distribution: one in 1,900


@dataclass(frozen=True)
class Job:
    """What is asked for of a shot."""

    frames: int
    simulate_gpus: int = 1  # that one simulation is split over
    efficiency: float = SPLIT_EFFICIENCY[1]  # of a simulation that is split
    frame_s: float | None = None  # a user's own seconds of a frame on a machine like the measured one

    def seconds(self, found: Seconds) -> Seconds:
        """The world's seconds of a frame; those of a user's own frame keep the shares and the CPU to GPU ratios."""
        if self.frame_s is None:
            return found
        factor = self.frame_s / found.cpu_s
        return Seconds({k: v * factor for k, v in found.cpu.items()}, {k: v * factor for k, v in found.gpu.items()})


def parts_for(frames: int, gpus: int) -> int:
    """Render tasks of a frame that give every GPU one of a shot's tasks."""
    return max(1, math.ceil(gpus / max(1, frames)))


def shot_tasks(basis: Basis, seconds: Seconds, scenario: Scenario, frames: int, parts: int) -> ShotTasks:
    """A shot's frames as the event simulation takes them."""
    course = basis.frame_factors(frames)
    pixels = basis.there.pixels
    return ShotTasks(
        frames=frames,
        simulate_s=seconds.gpu["simulate"] * course["simulate"],
        surface_s=seconds.gpu["surface"] * course["surface"],
        trace_s=seconds.gpu["trace"] * course["trace"],
        resolve_s=seconds.gpu["resolve"] * course["resolve"],
        encode_s=seconds.gpu["encode"] * course["encode"],
        parts=parts,
        merge_s=seconds.cpu["resolve"] * basis.threads,  # adding up pixel sums costs what resolving does, on one core
        state_bytes=basis.there.particles * scenario.values["state_bytes"],
        part_bytes=pixels * PIXEL_WORDS * 4.0,
        frame_bytes=pixels * scenario.values["frame_bytes"],
    )


def shot_graph(pair: Pair, index: int, scenario: Scenario, job: Job, gpus: int) -> Tasks:
    parts = parts_for(job.frames, gpus)
    shot = shot_tasks(pair.cpu, job.seconds(scenario.shots[index]), scenario, job.frames, parts)
    return film_tasks([shot], simulate_gpus=min(gpus, job.simulate_gpus), efficiency=job.efficiency)


def shot_outcome(pair: Pair, index: int, scenario: Scenario, job: Job, gpus: int) -> Outcome:
    """A shot alone on ``gpus`` GPUs of the cluster."""
    return simulate(shot_graph(pair, index, scenario, job, gpus), scenario.sample(gpus), scenario.seed)


def cpu_shot_s(pair: Pair, index: int, scenario: Scenario, job: Job) -> float:
    """The shot on the measured CPU, frame after frame."""
    seconds = job.seconds(scenario.shots[index])
    course = pair.cpu.frame_factors(job.frames)
    return float(sum(seconds.cpu[name] * course[name].sum() for name in seconds.cpu))


def gpu_chain_s(pair: Pair, index: int, scenario: Scenario, job: Job) -> float:
    """The simulation of the shot alone on one GPU of the cluster: what no number of GPUs shortens."""
    seconds = job.seconds(scenario.shots[index])
    speed = scenario.sample(1).gpu_speed
    return float(seconds.gpu["simulate"] * pair.cpu.frame_factors(job.frames)["simulate"].sum()) / speed


@dataclass(frozen=True)
class Enough:
    """The number of GPUs beyond which a shot gets no faster, and what holds it."""

    gpus: int
    best_s: float
    why: str


CHAIN = "the simulation: frame follows frame"
CAUSES: dict[str, Callable[[ClusterSample], ClusterSample]] = {
    "storage": lambda s: dataclasses.replace(
        s, storage_bandwidth_bytes_per_s=math.inf, storage_client_bandwidth_bytes_per_s=math.inf
    ),
    "handing out tasks": lambda s: dataclasses.replace(s, dispatch_s=0.0),
    "starting up": lambda s: dataclasses.replace(s, startup_s=0.0),
    "the link": lambda s: dataclasses.replace(
        s, link_bandwidth_bytes_per_s=math.inf, link_latency_s=0.0, link_handshake_s=0.0
    ),
    "failures": lambda s: dataclasses.replace(s, failures_per_gpu_hour=0.0),
}


def enough_gpus(pair: Pair, index: int, scenario: Scenario, job: Job) -> Enough:
    """Double the GPUs until nothing is gained; then take one cause away after the other."""
    times = {n: shot_outcome(pair, index, scenario, job, n).makespan_s for n in PROBED_GPUS}
    best = min(times.values())
    if not math.isfinite(best):
        return Enough(1, best, "failures: tasks are lost faster than they end")
    gpus = next(n for n, t in times.items() if t <= NEAR * best)
    most = min(times, key=lambda n: times[n])
    graph, sample = shot_graph(pair, index, scenario, job, most), scenario.sample(most)
    without = {cause: simulate(graph, change(sample), scenario.seed).makespan_s for cause, change in CAUSES.items()}
    quick = dataclasses.replace(scenario, shots=tuple(_without_simulation(job.seconds(s)) for s in scenario.shots))
    unbound = dataclasses.replace(job, frame_s=None)
    without[CHAIN] = shot_outcome(pair, index, quick, unbound, most).makespan_s
    why = min(without, key=lambda cause: without[cause])
    if without[why] > 0.9 * best:
        why = "too few tasks: every task builds the surface for itself"
    return Enough(gpus, best, why)


def _without_simulation(seconds: Seconds) -> Seconds:
    return Seconds(seconds.cpu, {**seconds.gpu, "simulate": 0.0})


# --- a film ---------------------------------------------------------------------------------------------


def lengths(shots: int, mean_frames: float, longest: float) -> NDArray[np.int64]:
    """Frames of each shot: log-normal around the mean, one shot in 1,900 ``longest`` times the average."""
    root = LENGTH_QUANTILE**2 - 2.0 * math.log(longest)
    sigma = LENGTH_QUANTILE - math.sqrt(root) if root > 0.0 else LENGTH_QUANTILE
    u = (np.arange(shots) + 0.5) / shots
    made = np.exp(sigma * _normal_quantile(u))
    made *= mean_frames / made.mean()
    # Shots of every length come in any order
    order = np.argsort((np.arange(shots) * 0.6180339887498949) % 1.0, kind="stable")
    return np.maximum(1, np.round(made[order])).astype(np.int64)


def _normal_quantile(u: F64) -> F64:
    """Quantiles of the normal distribution, by the standard library."""
    from statistics import NormalDist

    inverse = NormalDist().inv_cdf
    return np.array([inverse(float(x)) for x in u])


@dataclass(frozen=True)
class FilmOutcome:
    """A film in one world, every frame made once."""

    makespan_s: float
    utilisation: float
    gpu_hours: float  # the whole cluster, from start to end
    busy_gpu_hours: float
    energy_kwh: float
    price: float
    energy_price: float
    storage_bytes: float
    link_bytes: float
    upload_s: float  # finished frames alone, over the link
    frames: int
    task_count: int
    finished: bool
    flags: tuple[str, ...]  # signs that the time is not to be trusted


def film_outcome(
    pairs: Sequence[Pair], scenario: Scenario, job: Job, film_shots: int, gpus: int, part_frames: float = math.inf
) -> FilmOutcome:
    """All shots of a film at once on the cluster, equally many like each of ``pairs``.

    part_frames: of a film of more frames about so many are simulated, on as many times fewer GPUs with their share of
    storage, link and scheduler; what is counted is that of the whole film. A GPU has as many shots as in the whole
    film, whatever divides by what.
    """
    thin = max(1, min(math.ceil(film_shots * job.frames / part_frames), gpus, film_shots))
    few = max(1, round(gpus / thin))
    shots = max(1, round(film_shots * few / gpus))
    frames = lengths(shots, job.frames, scenario.values["length"])
    parts = parts_for(int(frames.sum()), few)
    kinds = [(number % len(pairs), int(count)) for number, count in enumerate(frames)]
    of_kind = {
        (index, count): shot_tasks(pairs[index].cpu, job.seconds(scenario.shots[index]), scenario, count, parts)
        for index, count in set(kinds)
    }
    made = [of_kind[kind] for kind in kinds]
    sample = thinned(scenario.sample(gpus), few)
    tasks = film_tasks(made, simulate_gpus=min(few, job.simulate_gpus), efficiency=job.efficiency)
    found = simulate(tasks, sample, scenario.seed)
    whole = film_shots / shots
    hours = found.makespan_s * gpus / 3600.0
    energy = hours * sample.gpu_power_w * sample.host_power_ratio * sample.pue / 1000.0
    return FilmOutcome(
        makespan_s=found.makespan_s,
        utilisation=found.utilisation,
        gpu_hours=hours,
        busy_gpu_hours=found.busy_gpu_s / 3600.0 * whole,
        energy_kwh=energy,
        price=hours * sample.price_per_gpu_hour,
        energy_price=energy * sample.price_per_kwh,
        storage_bytes=found.storage_bytes * whole,
        link_bytes=found.link_bytes * whole,
        upload_s=upload_s(found.link_bytes, float(frames.sum()), sample),
        frames=round(float(frames.sum()) * whole),
        task_count=round(found.task_count * whole),
        finished=found.finished,
        flags=limits.flags(found, sample),
    )


def thinned(sample: ClusterSample, gpus: int) -> ClusterSample:
    """The same cluster with fewer GPUs and their share of everything that all share."""
    factor = sample.gpu_count / gpus
    if factor == 1.0:
        return sample
    return dataclasses.replace(
        sample,
        gpu_count=gpus,
        cpu_slots=max(1, round(sample.cpu_slots / factor)),
        storage_bandwidth_bytes_per_s=sample.storage_bandwidth_bytes_per_s / factor,
        link_bandwidth_bytes_per_s=sample.link_bandwidth_bytes_per_s / factor,
        link_handshake_s=(sample.link_handshake_s + sample.link_latency_s) * factor,
        dispatch_s=sample.dispatch_s * factor,
    )


Answer = TypeVar("Answer")


def in_threads(answer: Callable[[Scenario], Answer], worlds: Sequence[Scenario]) -> list[Answer]:
    """``answer`` of every world, on several cores: the event loop does not hold the interpreter's lock."""
    with ThreadPoolExecutor(max_workers=min(4, usable_cores())) as pool:
        return list(pool.map(answer, worlds))


def upload_s(size_bytes: float, files: float, sample: ClusterSample, bandwidth: float | None = None) -> float:
    """Seconds to send files over the link: bandwidth, or handshakes where the files are small."""
    delay = files * (sample.link_latency_s + sample.link_handshake_s) / sample.link_streams
    return max(size_bytes / (bandwidth or sample.link_bandwidth_bytes_per_s), delay)

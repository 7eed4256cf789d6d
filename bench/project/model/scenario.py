"""Draws of everything that a projection does not know: each is one consistent world in which tasks are then run.

Two layers, told apart everywhere. *Measured*: samples are resampled, fits are refitted, and the growth is off by what
it was off by on sizes that it had not seen. *Assumed*: every number of ``assumptions.toml`` and every range of the
cluster file, by Latin hypercube, so that few draws cover each range evenly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.project.inputs.assumptions import assumptions
from bench.project.inputs.cluster import Cluster, ClusterSample
from bench.project.model.costs import Basis
from bench.project.model.graph import F64
from bench.record.schema import STAGES

SEED = 20251223
LIKELY, FAST, SLOW = 0.5, 0.0, 1.0  # quantiles


@dataclass(frozen=True)
class Pair:
    """A shot on the CPU that was measured, and on a GPU where that was measured too."""

    cpu: Basis
    gpu: Basis | None
    relative: float  # its particle-sound-steps/s over those of the fastest shot of the record

    @property
    def gpu_basis(self) -> str:
        return f"measured: {self.gpu.source}" if self.gpu else "assumption"


@dataclass(frozen=True)
class Seconds:
    """Seconds of one frame at the wanted size, by stage."""

    cpu: dict[str, float]  # on all threads of the measured machine
    gpu: dict[str, float]  # on one reference GPU; encoding stays on the CPU

    @property
    def cpu_s(self) -> float:
        return sum(self.cpu.values())


@dataclass(frozen=True)
class Scenario:
    """One world."""

    values: Mapping[str, float]  # of assumptions.toml
    quantiles: Mapping[str, float]  # of the cluster's ranges
    shots: tuple[Seconds, ...]  # in the order of the pairs
    seed: int
    cluster: Cluster = field(repr=False)

    def sample(self, gpus: int) -> ClusterSample:
        return self.cluster.with_gpus(gpus).sample(self.quantiles)


def assumed_names(cluster: Cluster) -> list[str]:
    """Every number that is uncertain by assumption, ours first."""
    return [*assumptions(), *(name for name, value in cluster.ranges.items() if value.uncertain)]


def make(
    pairs: Sequence[Pair],
    cluster: Cluster,
    *,
    stage_s: Sequence[tuple[dict[str, float], dict[str, float] | None]] | None = None,
    relative: Sequence[float] | None = None,
    quantiles: Mapping[str, float] | None = None,
    seed: int = SEED,
) -> Scenario:
    """A world from its quantiles, likely where none is given, and what was measured of each shot, likewise.

    stage_s: stages in seconds (CPU, GPU or None); relative: like ``Pair.relative``.
    """
    at = quantiles or {}
    values = {name: a.range.at(at.get(name, LIKELY)) for name, a in assumptions().items()}
    shots = []
    for index, pair in enumerate(pairs):
        cpu, gpu = stage_s[index] if stage_s is not None else likely_seconds(pair)
        shots.append(_seconds(pair, cpu, gpu, relative[index] if relative is not None else pair.relative, values))
    own = {name: value for name, value in at.items() if name in cluster.ranges}
    return Scenario(values=values, quantiles=own, shots=tuple(shots), seed=seed, cluster=cluster)


def likely_seconds(pair: Pair) -> tuple[dict[str, float], dict[str, float] | None]:
    cpu = {name: stage.seconds for name, stage in pair.cpu.stages.items()}
    return cpu, {name: stage.seconds for name, stage in pair.gpu.stages.items()} if pair.gpu else None


def _grown(basis: Basis, seconds: Mapping[str, float], growth: float) -> dict[str, float]:
    """Where growth is not fitted, an assumption says how the cost of an item changes."""
    unfitted = {name for name, stage in basis.stages.items() if not stage.growth_draws and basis.here != basis.there}
    return {name: value * (growth if name in unfitted else 1.0) for name, value in seconds.items()}


def _seconds(
    pair: Pair,
    cpu: Mapping[str, float],
    gpu: Mapping[str, float] | None,
    relative: float,
    values: Mapping[str, float],
) -> Seconds:
    grown = _grown(pair.cpu, cpu, values["growth"])
    if pair.gpu is not None and gpu is not None:
        on_gpu = _grown(pair.gpu, gpu, values["growth"])
    else:
        core_s = {name: value * pair.cpu.threads for name, value in grown.items()}
        on_gpu = {
            "simulate": pair.cpu.there.particle_sound_steps / (values["gpu_simulate"] * relative),
            "surface": core_s["surface"] / values["gpu_other"],
            "trace": core_s["trace"] / values["gpu_trace"],
            "resolve": core_s["resolve"] / values["gpu_other"],
        }
    return Seconds(grown, {**{stage: on_gpu.get(stage, 0.0) for stage in STAGES}, "encode": grown["encode"]})


def latin_hypercube(generator: np.random.Generator, rows: int, count: int) -> F64:
    """``count`` quantiles for each of ``rows`` numbers, one in every ``count``-th of the range, in any order.

    Two lines of our own: ``scipy.stats.qmc`` takes 0.6 s to load, a fifth of the projection that ends a run.
    """
    order = np.argsort(generator.random((rows, count)), axis=1)
    return (order + generator.random((rows, count))) / count


def draw(pairs: Sequence[Pair], cluster: Cluster, count: int, *, assumed: bool, seed: int = SEED) -> list[Scenario]:
    """``count`` worlds. Without ``assumed`` only what was measured varies; assumptions stay at their likely values."""
    generator = np.random.Generator(np.random.PCG64(seed))
    cpu, rates = zip(*(pair.cpu.draw(generator, count) for pair in pairs))
    gpu = [pair.gpu.draw(generator, count)[0] if pair.gpu else None for pair in pairs]
    # Which shot is the fastest, and by how much, is as uncertain as what was measured of it
    relative = np.array(rates) / np.max(rates, axis=0)
    names = assumed_names(cluster) if assumed else []
    u = latin_hypercube(generator, len(names), count)
    found = []
    for index in range(count):
        stage_s = [(_at(one, index), _at(other, index) if other is not None else None) for one, other in zip(cpu, gpu)]
        quantiles = {name: float(u[row, index]) for row, name in enumerate(names)}
        found.append(
            make(pairs, cluster, stage_s=stage_s, relative=relative[:, index], quantiles=quantiles, seed=seed + index)
        )
    return found


def _at(draws: Mapping[str, F64], index: int) -> dict[str, float]:
    return {name: float(values[index]) for name, values in draws.items()}


def pairs_of(cpu: Sequence[Basis], gpu: Mapping[str, Basis]) -> list[Pair]:
    """Shots with what is known of them on a GPU."""
    fastest = max(b.particle_sound_steps_per_s for b in cpu)
    return [Pair(b, gpu.get(b.shot), b.particle_sound_steps_per_s / fastest) for b in cpu]

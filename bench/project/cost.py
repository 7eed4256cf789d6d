"""Seconds of one frame, stage by stage: measured, grown to another size, and carried over to a GPU.

Growth from the measured size to the target: ``simulate`` goes with particles x substeps (for water particles^(4/3),
since the substep shrinks with the cell), ``surface`` with particles, ``trace`` with pixels x samples per pixel,
``resolve`` and ``encode`` with pixels. Encoding stays on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import UserError
from bench.estimate import estimate, probe
from bench.project.assumptions import assumptions
from bench.record import Record, Row
from bench.shot import load_shot
from bench.stats import summarize

STAGES = ("simulate", "surface", "trace", "resolve", "encode")


@dataclass(frozen=True)
class FrameCost:
    """Seconds of one frame."""

    simulate_s: float
    surface_s: float
    trace_s: float
    resolve_s: float
    encode_s: float

    @property
    def total_s(self) -> float:
        return self.simulate_s + self.surface_s + self.trace_s + self.resolve_s + self.encode_s


@dataclass(frozen=True)
class Work:
    """What one frame of a shot at one size has to do."""

    particles: float
    particle_substeps: float
    pixels: float
    samples: float


@dataclass(frozen=True)
class Measured:
    """One shot of a record: its rows by stage, and its work."""

    shot: str
    size: str
    threads: int
    rows: dict[str, Row]
    work: Work

    @property
    def particle_substeps_per_s(self) -> float:
        return self.work.particle_substeps / (summarize(self.rows["simulate"].samples_s).median or float("inf"))


def measured_shots(record: Record, backend: str) -> list[Measured]:
    """The verified shots of a record on one back-end that have every stage, in the record's order."""
    groups: dict[tuple[str, str], dict[str, Row]] = {}
    for row in record.rows:
        if row.backend == backend and row.verified is not None:
            groups.setdefault((row.shot, row.size), {})[row.stage] = row
    found = []
    for (shot, size), rows in groups.items():
        if all(stage in rows for stage in STAGES):
            work = _work(rows["simulate"])
            if work is not None:
                found.append(Measured(shot, size, rows["simulate"].threads or 1, rows, work))
    return found


def _work(row: Row) -> Work | None:
    numbers = [row.work.get(name) for name in ("particle_count", "particle_substeps", "width", "height", "samples")]
    if not all(isinstance(value, int) and value > 0 for value in numbers):
        return None
    particles, substeps, width, height, samples = (float(value) for value in numbers if isinstance(value, int))
    return Work(particles, substeps, width * height, samples)


def cpu_cost(shot: Measured, case: str) -> FrameCost:
    """Seconds of the measured frame: the median, or an end of its interval (of its range where n is small)."""
    seconds = {}
    for stage in STAGES:
        found = summarize(shot.rows[stage].samples_s)
        low, high = (found.low, found.high) if found.low is not None else (found.minimum, found.maximum)
        seconds[f"{stage}_s"] = float({"fast": low, "likely": found.median, "slow": high}[case] or 0.0)
    return FrameCost(**seconds)


def target_work(shot: Measured, size: str) -> Work:
    """Work of a frame of the same shot at another size; raises UserError where the shot or the size is not known."""
    if size == shot.size:
        return shot.work
    loaded = load_shot(shot.shot)
    found = probe(loaded)
    here, there = estimate(loaded, shot.size, found), estimate(loaded, size, found)
    particles = there.particle_count / here.particle_count
    substeps = there.substeps_per_frame / here.substeps_per_frame
    return Work(
        particles=shot.work.particles * particles,
        particle_substeps=shot.work.particle_substeps * particles * substeps,
        pixels=float(there.pixel_count),
        samples=float(there.sample_count),
    )


def grow(cost: FrameCost, here: Work, there: Work, case: str) -> FrameCost:
    """The cost at another size: proportional to the work, times the assumed change of the cost of an item."""
    factor = assumptions()["growth"].at(case) if there != here else 1.0
    return FrameCost(
        simulate_s=cost.simulate_s * factor * there.particle_substeps / here.particle_substeps,
        surface_s=cost.surface_s * factor * there.particles / here.particles,
        trace_s=cost.trace_s * factor * there.samples / here.samples,
        resolve_s=cost.resolve_s * factor * there.pixels / here.pixels,
        encode_s=cost.encode_s * factor * there.pixels / here.pixels,
    )


def gpu_cost(
    cost: FrameCost, shot: Measured, there: Work, case: str, fastest_per_s: float, on_gpu: Measured | None
) -> FrameCost:
    """The frame on one GPU: by the measured ratio of each stage where a GPU record has the shot, else by assumption.

    fastest_per_s: particle-substeps/s of the record's fastest shot; a slower one (heat, viscosity) is taken to be
    slower on a GPU by the same factor.
    """
    if on_gpu is not None:
        ratio = {
            stage: (summarize(on_gpu.rows[stage].samples_s).median or 0.0)
            / (summarize(shot.rows[stage].samples_s).median or 1.0)
            for stage in STAGES
        }
        return FrameCost(**{f"{stage}_s": getattr(cost, f"{stage}_s") * ratio[stage] for stage in STAGES})
    known = assumptions()
    relative = shot.particle_substeps_per_s / fastest_per_s
    return FrameCost(
        simulate_s=there.particle_substeps / (known["gpu_simulate"].at(case) * relative),
        surface_s=cost.surface_s * shot.threads / known["gpu_other"].at(case),
        trace_s=cost.trace_s * shot.threads / known["gpu_trace"].at(case),
        resolve_s=cost.resolve_s * shot.threads / known["gpu_other"].at(case),
        encode_s=cost.encode_s,
    )


def matching_gpu(records: Sequence[Record], shot: Measured) -> tuple[Measured, Record] | None:
    """The newest GPU measurement of the same shot at the same size that did the same work."""
    for record in sorted(records, key=lambda r: r.time, reverse=True):
        for found in measured_shots(record, "cupy"):
            if (found.shot, found.size, found.work) == (shot.shot, shot.size, shot.work):
                return found, record
    return None


def check_size(size: str | None) -> None:
    if size is not None and size not in ("S", "M", "L", "XL"):
        raise UserError(f"--size: expected S, M, L or XL, got {size[:40]!r}")

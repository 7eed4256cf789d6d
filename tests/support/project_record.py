"""Records for tests of the projection: one shot or a ladder of sizes whose times follow a law that the test chooses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.project.inputs.evidence import Work
from bench.record.schema import STAGES, Record, Row

SECONDS = {"simulate": 1.0, "surface": 0.1, "trace": 4.0, "resolve": 0.01, "encode": 0.05}
WORK = {
    "particle_count": 135_000,
    "particle_substeps": 4_455_000,
    "substeps": 33,
    "active_blocks": 870,
    "width": 320,
    "height": 134,
    "samples": 686_080,
}


def make_row(
    stage: str,
    backend: str = "numba",
    factor: float = 1.0,
    shot: str = "wave",
    size: str = "S",
    frame: int = 3,
    work: Mapping[str, int] | None = None,
    samples_s: tuple[float, ...] | None = None,
) -> Row:
    seconds = SECONDS[stage] * factor
    return Row(
        shot=shot,
        size=size,
        backend=backend,
        threads=2 if backend == "numba" else None,
        stage=stage,
        frame=frame,
        samples_s=samples_s or (seconds, seconds * 1.1, seconds * 0.9),
        verified="repeat",
        state_sha256=None,
        picture_sha256=None,
        work=dict(work or WORK),
        work_sha256=None,
        cold_s=None,
        compile_s=None,
        kernels_s={},
    )


def make_record(*rows: Row, run: dict[str, Any] | None = None, machine: str = "here") -> Record:
    return Record(
        path=Path("results/here/0001.json"),
        time="2026-01-01T00:00:00+00:00",
        machine_id=machine,
        commit="0" * 40,
        clean=True,
        complete=True,
        run=run or {},
        peak_memory_bytes=None,
        rows=rows or tuple(make_row(stage) for stage in SECONDS),
        rejected=(),
    )


def counts(work: Work) -> dict[str, int]:
    """A row's work manifest."""
    return {
        "particle_count": round(work.particles),
        "particle_substeps": round(work.particles * work.sound_steps),
        "substeps": round(work.sound_steps),
        "active_blocks": round(work.blocks),
        "width": round(work.pixels / 100),
        "height": 100,
        "samples": round(work.samples),
    }


def ladder(edges: Iterable[int] = (1, 2, 3, 4, 6)) -> list[Work]:
    """Sizes of one shot: 15,000 particles times the cube of each edge."""
    return [Work(15_000.0 * n**3, 12.0 * n, 150.0 * n**3, 10_000.0 * n * n, 160_000.0 * n * n) for n in edges]


def series(
    laws: Mapping[str, Callable[[Work], float]],
    shots: Iterable[str] = ("wave",),
    noise: Callable[[str, int], float] = lambda stage, index: 1.0,
    works: Iterable[Work] | None = None,
) -> Record:
    """A record of sizes in which each stage takes what its law says, times the noise of that size."""
    rows = [
        make_row(
            stage,
            shot=shot,
            size=f"c{index}",
            work=counts(work),
            samples_s=tuple(laws[stage](work) * noise(stage, index) * x for x in (1.0, 1.01, 1.02)),
        )
        for shot in shots
        for index, work in enumerate(works or ladder())
        for stage in STAGES
    ]
    return make_record(*rows, run={"series": "sizes"})


LAWS: dict[str, Callable[[Work], float]] = {
    "simulate": lambda w: 1e-4 * w.sound_steps + 4e-8 * w.particle_sound_steps,
    "surface": lambda w: 1e-5 * w.detail**2 + 2e-7 * w.particles,
    "trace": lambda w: 1.5e-6 * w.samples,
    "resolve": lambda w: 1e-4 + 5e-9 * w.pixels,
    "encode": lambda w: 4e-7 * w.pixels,
}


def with_samples(record: Record, stage: str, samples_s: tuple[float, ...]) -> Record:
    """The record with other raw seconds of one stage."""
    rows = [dataclasses.replace(r, samples_s=samples_s) if r.stage == stage else r for r in record.rows]
    return dataclasses.replace(record, rows=tuple(rows))

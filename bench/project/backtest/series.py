"""Records that a projection is tested on: a ladder of sizes, the frames of a shot, and workers side by side.

They are ordinary records, verified and timed by the same suite as ``shotmark run``, of the shipped shots at sizes that
this module makes up: small enough that a machine of two cores has made them all in a quarter of an hour. They lie apart
from a user's records, in ``results/series/``; ``run.series`` says of which kind one is.

sizes    one shot at five sizes, the largest with 64 times the particles of the smallest: what growth is fitted to
frames   every second frame of a shot: what pilot frames have to predict
workers  one process, then two at the same time, each with one thread
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.backend.numba_cpu import NumbaBackend
from bench.backend.protocol import Backend
from bench.base.errors import CheckFailed, UserError
from bench.base.progress import Progress
from bench.check.golden import definition_sha256
from bench.measure.meter import Round, ShotCase, ShotMeter
from bench.measure.plugin import new_slot, record_meters
from bench.pipeline.frame import FRAME_DEFAULT, Makers
from bench.project.backtest.ladder import FRAME_STEP, SERIES, Step
from bench.project.inputs.evidence import series_folder
from bench.record.write import Draft
from bench.shot.load import Shot
from bench.shot.schema import Size


def resized(shot: Shot, steps: Sequence[Step]) -> Shot:
    """The shot at sizes of the ladder in place of its own, named after their cells."""
    smallest = shot.size("S")
    sizes = {}
    for step in steps:
        cells = max(8, 4 * round(step.cells_factor * smallest.cells_x / 4.0))
        sizes[f"c{cells}"] = Size(
            cells_x=cells,
            width=step.width,
            height=step.height,
            samples=step.samples,
            voxel_per_cell=smallest.voxel_per_cell,
            max_depth=smallest.max_depth,
        )
    return shot.with_sizes(sizes)


class SizeCase(ShotCase):
    """A case that goes by its frame too, so that one record holds many frames of a shot."""

    def identity(self, backend: Backend) -> str:
        return f"{self.shot_name}-{self.size}-f{self.frame:03d}-{backend.name}"


class SeriesMeter(ShotMeter):
    """Goes on from the state that the meter before it left, where that is an earlier frame of the same shot."""

    def __init__(
        self, case: ShotCase, backend: Backend, makers: Makers, pictures: Path, states: dict[Any, Any]
    ) -> None:
        super().__init__(case, backend, makers, pictures)
        self._states = states

    def _cold_pass(self, progress: Any, within: Any) -> Round:
        key = (self.case.shot_name, self.case.size)
        begun = self._states.get(key)
        scene = self._build_scene(within) if begun is None else begun[0]
        simulation, renderer = self.makers.simulation(scene, self.backend), self.makers.renderer(scene, self.backend)
        reached = 0
        if begun is not None:
            simulation.restore(begun[2])
            reached = begun[1]
        for frame in range(reached + 1, self.case.frame):
            progress(f"simulate {frame}/{self.case.frame}")
            simulation.advance_frame()
        prepared = self._prepare(scene, simulation, renderer)
        self._states.clear()
        self._states[key] = (scene, self.case.frame - 1, prepared.saved)
        progress("first frame")
        self.run_frame()
        self.result.first = first = self._round()
        return first


def cases_of(kind: str, shots: Sequence[Shot]) -> list[ShotCase]:
    """What a series measures, in order."""
    cases: list[ShotCase] = []
    one = SERIES[kind]
    for shot in shots:
        made = resized(shot, one.steps)
        digest = definition_sha256(made)
        frames = range(1, shot.frames + 1, FRAME_STEP) if one.every_frame else [FRAME_DEFAULT]
        for size in made.sizes:
            for frame in frames:
                last = min(frame, shot.frames)
                cases.append(SizeCase(made, made.name, size, last, one.rounds, definition_sha256=digest))
    return cases


def measure_series(
    kind: str,
    shots: Sequence[Shot],
    results: Path,
    makers: Makers,
    progress: Progress,
    *,
    threads: int | None = None,
    workers: int = 1,
) -> Path:
    """Measure one record of a series and return its path; ``workers`` is how many run like this one at the same time.

    Raises CheckFailed where nothing verified, and what else ends a run.
    """
    backend = NumbaBackend(threads)
    slot = new_slot(series_folder(results))
    states: dict[Any, Any] = {}
    meters = [SeriesMeter(case, backend, makers, slot.pictures, states) for case in cases_of(kind, shots)]
    run = {"series": kind, "shots": [shot.name for shot in shots], "threads": threads, "workers": workers}
    try:
        record_meters(meters, Draft(slot, run), slot.path.parent, progress)
    finally:
        shutil.rmtree(slot.pictures, ignore_errors=True)  # a series keeps times and hashes
    return slot.path


def run_workers(count: int, shots: Sequence[str], results: Path) -> None:
    """Run ``count`` processes of one thread at the same time, each of which makes a record. Raises CheckFailed."""
    if not 1 <= count <= 64:
        raise UserError(f"--workers: expected 1 to 64, not {count}")
    command = [sys.executable, "-m", "bench", "backtest", "--measure", "worker", "--workers", str(count)]
    command += ["--results", str(results), *[word for shot in shots for word in ("--shot", shot)]]
    running = [subprocess.Popen(command) for _ in range(count)]
    codes = [process.wait() for process in running]
    if any(codes):
        raise CheckFailed("a worker did not finish")

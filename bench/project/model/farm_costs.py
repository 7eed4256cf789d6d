"""What each frame of a shot takes on one lone worker of a site, stage by stage, in every draw.

A record of the shot says what its stages take and how they grow (``costs``); ``farm check`` says what one frame takes
on the site's own workers, and sets the level there: what the record foretells of the checked frame is held against what
was measured of it. Without a record the check alone is scaled in proportion to the work; without either, assumptions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

import numpy as np

from bench.base.errors import UserError
from bench.pipeline.scene.estimate import Estimate
from bench.project.inputs.assumptions import assumptions
from bench.project.inputs.evidence import Work, WorkAtSizes, points_of, series_records, work_of
from bench.project.inputs.site_check import FrameTimes
from bench.project.model.costs import Basis, Evidence, basis, before_seconds, measured_shots
from bench.project.model.fit import proportional
from bench.project.model.graph import F64
from bench.record.read import in_order
from bench.record.schema import Record
from bench.record.statistics import median
from bench.shot.load import Shot

PARTS = ("simulate", "surface", "trace", "encode")  # encode: resolving too
STAGES_OF = {"simulate": ("simulate",), "surface": ("surface",), "trace": ("trace",), "encode": ("resolve", "encode")}
ASSUMED_OF = {"simulate": "core_simulate", "surface": "core_surface", "trace": "core_trace", "encode": "core_pixel"}
OTHER_SHOT = 0.5  # standard deviation of the logarithm: another shot's cost of the same work
DRIFT_LEAST, DRIFT_MOST = 0.02, 0.3  # of a machine, from one hour to another
THREADS_HELP = 0.9  # exponent of the threads where no series says: twice as many are 2^0.9 times as fast


@dataclass(frozen=True)
class FrameCosts:
    """Seconds of each part of a frame on one lone worker."""

    draws: dict[str, F64]  # of the measured frame, by part: one number a draw
    course: dict[str, F64]  # by part, frame by frame of the shot, over the measured frame
    noise: float  # standard deviation of the logarithm, from frame to frame
    stands_on: tuple[str, ...]  # records, as MACHINE/FILE

    def seconds(self, part: str, draw: int, frame: int) -> float:
        course = self.course[part]
        return float(self.draws[part][draw] * course[min(frame, len(course)) - 1])


class Costs:
    """What records and checked frames say of one shot at one size."""

    def __init__(
        self, shot: Shot, size: str, samples: int | None, records: Sequence[Record], machine: str | None
    ) -> None:
        self.shot, self.size, self.machine = shot, size, machine
        self.samples = samples or shot.size(size).samples
        self.records = in_order(records)
        self.evidence = Evidence(self.records)

    @cached_property
    def estimate(self) -> Estimate:
        return WorkAtSizes(self.shot).at(self.size)

    @cached_property
    def work(self) -> Work:
        """Of a frame, as the estimate has it."""
        it = self.estimate
        sound_steps, blocks = float(it.sound_steps_per_frame), float(max(1, it.active_block_count))
        return Work(float(it.particle_count), sound_steps, blocks, float(it.pixel_count), float(it.sample_count))

    def frame_costs(
        self,
        backend: str,
        threads: int,
        checked: Sequence[FrameTimes],
        values: Mapping[str, F64],
        generator: np.random.Generator,
        drift_share: float = 1.0,
    ) -> FrameCosts:
        """On a worker of this back-end and so many threads. ``checked``: frames that such workers made alone;
        ``values``: every assumption, one number a draw; ``drift_share``: of the drift between records.
        """
        count = len(next(iter(values.values())))
        found = self._by_record(backend, threads, count, generator)
        if found is None:
            found = self._by_work(backend, threads, values)
        draws, source = found
        draws = {part: draws[part].copy() for part in PARTS}
        if checked:
            draws = self._levelled(draws, source, backend, threads, checked, values, generator)
        draws["trace"] *= self.samples / self.shot.size(self.size).samples
        for part in PARTS:
            draws[part] *= np.exp(drift_share * self.drift(part) * generator.standard_normal(count))
        course = {part: self._course(source, part) for part in PARTS}
        noise = self._noise(source)
        stands_on = ("/".join(Path(source.source).parts[-2:]),) if source else ()
        return FrameCosts(draws, course, noise, stands_on)

    def scene_s(self, backend: str) -> float | None:
        """Scene, upload and first touch of this shot, for each particle, by the newest record that says."""
        for record in reversed([r for r in self.records if not r.run.get("series")]):
            for rows in measured_shots(record, backend):
                seconds, work = before_seconds(rows), work_of(rows["simulate"])
                if rows["simulate"].shot == self.shot.name and seconds is not None and work is not None:
                    return seconds / work.particles
        return None

    def compile_s(self) -> float | None:
        """What a record of this machine took to compile ahead."""
        for record in reversed(self.records):
            ahead = record.run.get("compiled_ahead")
            seconds = ahead.get("wall_s") if isinstance(ahead, dict) else None
            if record.machine_id == self.machine and isinstance(seconds, float) and 1.0 < seconds < 1e5:
                return seconds
        return None

    # --- levels ------------------------------------------------------------------------------
    def _basis(self, shot: str, size: str, backend: str) -> Basis | None:
        """The shot on this back-end by the newest record of this machine, else of another; None without one."""
        mine = sorted((r for r in self.records if not r.run.get("series")), key=lambda r: r.machine_id == self.machine)
        for record in reversed(mine):
            for rows in measured_shots(record, backend):
                if rows["simulate"].shot == shot:
                    try:
                        return basis(record, rows, size, self.evidence)
                    except UserError:  # a shot that is known here no longer, or has no such size
                        return None
        return None

    def _by_record(
        self, backend: str, threads: int, count: int, generator: np.random.Generator
    ) -> tuple[dict[str, F64], Basis | None] | None:
        found = self._basis(self.shot.name, self.size, backend)
        if found is None:
            return None
        return self._drawn(found, threads, count, generator), found

    def _drawn(self, found: Basis, threads: int, count: int, generator: np.random.Generator) -> dict[str, F64]:
        stages, _ = found.draw(generator, count)
        made = {part: sum((stages[s] for s in STAGES_OF[part]), np.zeros(count)) for part in PARTS}
        if found.backend == "numba" and threads != found.threads:
            for part in ("simulate", "surface", "trace"):
                made[part] = made[part] * (found.threads / threads) ** self.threads_help(part)
        return made

    def _by_work(self, backend: str, threads: int, values: Mapping[str, F64]) -> tuple[dict[str, F64], Basis | None]:
        """In proportion to the work, at assumed costs."""
        work = self.work
        items = {
            "simulate": work.particle_sound_steps,
            "surface": work.particles,
            "trace": work.samples,
            "encode": work.pixels,
        }
        made = {part: items[part] * values[ASSUMED_OF[part]] for part in PARTS}
        if backend == "numba":
            return {p: s / (threads**THREADS_HELP if p != "encode" else 1.0) for p, s in made.items()}, None
        likely = {name: one.likely for name, one in assumptions().items()}
        made["simulate"] = np.full_like(made["simulate"], work.particle_sound_steps / likely["gpu_simulate"])
        made["surface"], made["trace"] = made["surface"] / likely["gpu_other"], made["trace"] / likely["gpu_trace"]
        return made, None

    def _levelled(
        self,
        draws: dict[str, F64],
        source: Basis | None,
        backend: str,
        threads: int,
        checked: Sequence[FrameTimes],
        values: Mapping[str, F64],
        generator: np.random.Generator,
    ) -> dict[str, F64]:
        """Times what was measured of the checked frame over what is foretold of it."""
        one, count = checked[0], len(draws["trace"])
        known = source if (one.shot, one.size) == (self.shot.name, self.size) else None
        foretold: dict[str, F64] | None = None
        apart = 0.0
        if known is not None:
            foretold = {part: draws[part] * self._course(known, part)[one.frame - 1] for part in PARTS}
        elif source is not None and (other := self._basis(one.shot, one.size, backend)) is not None:
            drawn = self._drawn(other, threads, count, generator)
            foretold = {part: drawn[part] * self._course(other, part, one.frame)[-1] for part in PARTS}
        if foretold is None:
            try:
                foretold, apart = self._checked_by_work(one, backend, threads, values), OTHER_SHOT
            except UserError:  # the checked shot is not known here
                return draws
        if one.shot == self.shot.name:
            apart = 0.0
        for part in ("simulate", "surface", "trace"):
            seconds = median([getattr(each, f"{part}_s") for each in checked]) or 0.0
            if seconds > 0.0:
                level = seconds / foretold[part]
                draws[part] = draws[part] * level * np.exp(apart * generator.standard_normal(count))
        return draws

    def _checked_by_work(
        self, one: FrameTimes, backend: str, threads: int, values: Mapping[str, F64]
    ) -> dict[str, F64]:
        from bench.shot.load import load_shot

        shot = self.shot if one.shot == self.shot.name else load_shot(one.shot)
        return Costs(shot, one.size, None, (), None)._by_work(backend, threads, values)[0]

    # --- course, drift, noise, threads -------------------------------------------------------
    def _course(self, source: Basis | None, part: str, frames: int | None = None) -> F64:
        """Over the shot, or its first ``frames``."""
        count = self.shot.frames
        if source is None:
            return np.ones(frames or count)
        name = STAGES_OF[part][-1]
        return source.frame_factors(count)[name][: frames or count]

    def drift(self, part: str) -> float:
        """Standard deviation of the logarithm between the records of one machine: what an hour is worth."""
        groups: dict[tuple[object, ...], list[float]] = {}
        for record in self.records:
            for row in record.rows:
                middle = median(row.samples_s) or 0.0
                if row.stage == STAGES_OF[part][-1] and middle > 0.0 and not record.run.get("series"):
                    key = record.machine_id, row.backend, row.threads, row.shot, row.size, row.frame
                    groups.setdefault(key, []).append(math.log(middle))
        squares = [float(np.var(found, ddof=1)) for found in groups.values() if len(found) > 1]
        return min(DRIFT_MOST, max(DRIFT_LEAST, math.sqrt(fmean(squares)))) if squares else 0.1

    def _noise(self, source: Basis | None) -> float:
        """Between two rounds of the same frame."""
        if source is None:
            return 0.1
        samples = np.log(np.asarray(source.stages["trace"].samples_s))
        return float(np.std(samples, ddof=1)) if len(samples) > 1 else 0.05

    def threads_help(self, part: str) -> float:
        """Exponent with which threads help a part: from the same case on one thread and on more, where both are."""
        stage = STAGES_OF[part][-1]
        lone = [r for r in series_records(self.records, "workers") if r.run.get("workers") == 1]
        single = {(p.shot, p.size, p.frame): p for p in points_of(lone, (stage,)) if p.threads == 1}
        found = []
        for point in points_of(series_records(self.records, "sizes"), (stage,)):
            other = single.get((point.shot, point.size, point.frame))
            if other is not None and other.machine == point.machine and (point.threads or 1) > 1:
                alone_s = other.seconds * proportion(stage, other.work, point.work)
                found.append(math.log(alone_s / point.seconds) / math.log(point.threads or 1))
        return min(1.1, max(0.0, median(found) or THREADS_HELP)) if found else THREADS_HELP


def proportion(stage: str, here: Work, there: Work) -> float:
    """How much more a stage has to do there, counted as the first hypothesis of the stage counts it."""
    law = proportional(stage)
    return law.seconds(there) / law.seconds(here)

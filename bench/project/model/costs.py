"""Seconds of a frame, stage by stage: measured here, grown to another size, over the course of a shot.

Growth: a law that was fitted to a series of sizes (``fit``) says by which factor a stage grows from the
measured size to the wanted one; the record says what the measured size takes on its machine. Without a series, time
grows in proportion to the work and an assumption says how uncertain that is. The course of a shot, frame by frame,
comes from a series of frames; without one every frame costs what the measured one does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from bench.base.errors import UserError
from bench.project.inputs.evidence import Point, Work, WorkAtSizes, merged, points_of, series_records, work_of
from bench.project.model.fit import BEYOND, Model, distance, fit, proportional, resampled_laws
from bench.project.model.graph import F64
from bench.record.schema import STAGES, Record, Row
from bench.record.statistics import median, summarize
from bench.shot.load import load_shot

LAW_DRAWS = 60
HEAVY_TAIL = 2.0  # slowest of a figure's samples over its median
COURSE_MOST = 3.0  # dearest frame of a shot over the average one
WORTH_A_WORD = 0.01  # share of a frame below which a stage's oddities are not worth one
FILM_SIZE = "XL"


@dataclass(frozen=True)
class Stage:
    """One stage of one shot at the wanted size."""

    name: str
    samples_s: tuple[float, ...]  # raw, at the measured size
    growth: float  # seconds there over seconds here
    growth_draws: tuple[float, ...]  # the same from resampled fits; empty without a fit
    sigma: float  # standard deviation of the logarithm: what the law was off by on sizes it had not seen
    law: str  # what the growth stands on
    course: tuple[float, ...] = ()  # frame by frame, relative to the measured one
    extrapolated: float = 1.0  # work there over work of the nearest measured size
    beyond: bool = False  # further out than the evidence spans
    signs: tuple[str, ...] = ()  # that its time is not to be trusted

    @property
    def here_s(self) -> float:
        return median(self.samples_s) or 0.0

    @property
    def seconds(self) -> float:
        """Of the measured frame at the wanted size."""
        return self.here_s * self.growth


@dataclass(frozen=True)
class Basis:
    """One shot on one back-end: what was measured, and what it grows to."""

    shot: str
    measured_size: str
    size: str
    backend: str
    threads: int
    source: str  # path of the record
    here: Work
    there: Work
    stages: dict[str, Stage]
    flags: tuple[str, ...] = ()

    @property
    def particle_sound_steps_per_s(self) -> float:
        """At the measured size."""
        return self.here.particle_sound_steps / self.stages["simulate"].here_s

    @property
    def fitted(self) -> bool:
        """Whether growth is fitted, or the measured size is the wanted one."""
        return all(stage.growth_draws for stage in self.stages.values()) or self.here == self.there

    def frame_factors(self, frames: int) -> dict[str, F64]:
        """Cost of each of ``frames`` frames over that of the measured one, by stage."""
        return {name: _stretched(stage.course or (1.0,), frames) for name, stage in self.stages.items()}

    def draw(self, generator: np.random.Generator, count: int) -> tuple[dict[str, F64], F64]:
        """``count`` draws of each stage's seconds, and of the particle-sound-steps/s at the measured size.

        Resampled measurements, resampled fits, error of the growth.
        """
        found = {}
        for name, stage in self.stages.items():
            samples = np.asarray(stage.samples_s)
            here_s = np.median(samples[generator.integers(0, len(samples), (count, len(samples)))], axis=1)
            growth = np.full(count, stage.growth)
            if stage.growth_draws:
                growth = np.asarray(stage.growth_draws)[generator.integers(0, len(stage.growth_draws), count)]
            found[name] = here_s * growth * np.exp(stage.sigma * generator.standard_normal(count))
            if name == "simulate":
                rate = self.here.particle_sound_steps / here_s
        return found, rate


@cache
def _stretched(course: tuple[float, ...], frames: int) -> F64:
    """A course with as many frames as are wanted, even between those that are known."""
    at = np.linspace(0.0, 1.0, frames) if frames > 1 else np.zeros(1)
    return np.interp(at, np.linspace(0.0, 1.0, len(course)), course)


def measured_shots(record: Record, backend: str) -> list[dict[str, Row]]:
    """Rows by stage of every verified shot that has all stages, in the record's order.

    Of several sizes and frames the first, of several numbers of threads the largest.
    """
    groups: dict[tuple[str, str, int, int], dict[str, Row]] = {}
    for row in record.rows:
        usable = row.backend == backend and row.verified is not None and work_of(row) is not None
        if usable and (median(row.samples_s) or 0.0) > 0.0:
            groups.setdefault((row.shot, row.size, row.frame, row.threads or 0), {})[row.stage] = row
    whole = {key: rows for key, rows in groups.items() if all(stage in rows for stage in STAGES)}
    found: dict[str, dict[str, Row]] = {}
    for shot, size, frame, _ in whole:
        if shot not in found:
            found[shot] = whole[max(key for key in whole if key[:3] == (shot, size, frame))]
    return list(found.values())


def before_seconds(rows: Mapping[str, Row]) -> float | None:
    """What came before a shot's first frame beside the program's start: scene, upload, first touch; None unknown."""
    row = rows.get("frame")
    known = [value for value in (row.before_s or {}).values() if value is not None] if row is not None else []
    return sum(known) if known else None


def scene_seconds(record: Record, size: str | None) -> float | None:
    """The same at ``size``, of the shot that takes the longest; in proportion to the particles. None unknown."""
    found = []
    for rows in measured_shots(record, "numba"):
        seconds, here = before_seconds(rows), work_of(rows["simulate"])
        if seconds is not None and here is not None:
            _, there = _target(rows["simulate"], here, size)
            found.append(seconds * there.particles / here.particles)
    return max(found, default=None)


class Evidence:
    """All records that may say how a stage grows, fitted once."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self._models: dict[tuple[str, str, str], Model | None] = {}
        self._points: dict[str, list[Point]] = {}

    def points(self, kind: str) -> list[Point]:
        if kind not in self._points:
            self._points[kind] = merged(points_of(series_records(self.records, kind)))
        return self._points[kind]

    def model(self, stage: str, backend: str, machine: str) -> tuple[Model | None, str]:
        """The model of a stage from this machine's series, else from another machine's, and which machine's it is."""
        machines = list(dict.fromkeys(p.machine for p in self.points("sizes") if p.backend == backend))
        for name in sorted(machines, key=lambda m: m != machine):
            key = (stage, backend, name)
            if key not in self._models:
                chosen = [p for p in self.points("sizes") if p.backend == backend and p.machine == name]
                self._models[key] = fit(chosen, stage)
            if self._models[key] is not None:
                return self._models[key], name
        return None, ""

    def course(self, shot: str, stage: str, frame: int) -> tuple[float, ...]:
        """Cost of the frames of a shot over that of ``frame``; empty without a series of frames."""
        series = [p for p in self.points("frames") if (p.shot, p.stage) == (shot, stage)]
        if not series:
            return ()
        like = [p for p in series if (p.machine, p.size) == (series[-1].machine, series[-1].size)]
        frames = sorted(like, key=lambda p: p.frame)
        numbers, seconds = [p.frame for p in frames], [p.seconds for p in frames]
        reference = float(np.interp(frame, numbers, seconds))
        return tuple(value / reference for value in seconds)


def basis(record: Record, rows: dict[str, Row], size: str | None, evidence: Evidence) -> Basis:
    """The shot of these rows at ``size``; without one, at film size where the shot has it, else as measured.

    Raises UserError where the shot is not known here or does not have that size.
    """
    first = rows["simulate"]
    here = work_of(first)
    assert here is not None
    name, there = _target(first, here, size)
    stages = {stage: _stage(rows[stage], here, there, evidence, record.machine_id) for stage in STAGES}
    whole_s = sum(stage.here_s for stage in stages.values())
    flags = [sign for stage in stages.values() if stage.here_s >= WORTH_A_WORD * whole_s for sign in stage.signs]
    beyond = {stage.name: stage.extrapolated for stage in stages.values() if stage.beyond}
    if beyond:
        factors = ", ".join(f"{stage} {factor:,.0f} x" for stage, factor in beyond.items())
        flags.append(f"{first.shot} is extrapolated further than the measured sizes span: {factors}")
    return Basis(
        shot=first.shot,
        measured_size=first.size,
        size=name,
        backend=first.backend,
        threads=first.threads or 1,
        source=str(record.path),
        here=here,
        there=there,
        stages=stages,
        flags=tuple(dict.fromkeys(flags)),
    )


def _target(row: Row, here: Work, size: str | None) -> tuple[str, Work]:
    wanted = size or FILM_SIZE
    if wanted == row.size:
        return wanted, here
    try:
        return wanted, _sizes(row.shot).work(here, row.size, wanted)
    except UserError:
        if size is not None:
            raise
        return row.size, here


@cache
def _sizes(shot: str) -> WorkAtSizes:
    """Of a shot that ships; its bodies are filled once, for the CPU's measurement and the GPU's."""
    return WorkAtSizes(load_shot(shot))


def _stage(row: Row, here: Work, there: Work, evidence: Evidence, machine: str) -> Stage:
    tail, heavy = _tail(row)
    course = evidence.course(row.shot, row.stage, row.frame)
    found = Stage(
        name=row.stage,
        samples_s=row.samples_s,
        growth=1.0,
        growth_draws=(),
        sigma=tail,
        law="as measured",
        course=course,
        signs=heavy + _huge_frame(row, course),
    )
    if here == there:
        return found
    model, where = evidence.model(row.stage, row.backend, machine)
    if model is None or row.shot not in model.laws:
        line = proportional(row.stage)
        law = f"in proportion to {line.terms[0]}: assumption"
        return replace(found, growth=line.seconds(there) / line.seconds(here), law=law)
    points = model.points[row.shot]
    spanned = distance(row.stage, points[0].work, points[-1].work)
    nearest = min(distance(row.stage, p.work, there) for p in points)
    draws = [drawn.seconds(there) / drawn.seconds(here) for drawn in resampled_laws(model, row.shot, LAW_DRAWS)]
    texts = [" + ".join(t for t, c in zip(one.terms, one.coefficients) if c > 0.0) for one in model.laws[row.shot]]
    return replace(
        found,
        growth=model.predict(row.shot, there)[0] / model.predict(row.shot, here)[0],
        growth_draws=tuple(draws),
        sigma=math.hypot(model.spread(nearest), tail),
        law=f"{', or '.join(dict.fromkeys(texts))}; fitted on {where}",
        extrapolated=math.exp(nearest),
        beyond=nearest > BEYOND * spanned,
    )


def _tail(row: Row) -> tuple[float, tuple[str, ...]]:
    """Standard deviation of the logarithm that a heavy tail of the samples adds, and what to say of it."""
    found = summarize(row.samples_s)
    slowest, middle = found.maximum or 0.0, found.median or 1.0
    if slowest <= HEAVY_TAIL * middle:
        return 0.0, ()
    sign = f"heavy tail: {row.shot} {row.stage} took {slowest / middle:.1f} times its median once"
    return math.log(slowest / middle) / 2.0, (sign,)


def _huge_frame(row: Row, course: Sequence[float]) -> tuple[str, ...]:
    if not course or max(course) <= COURSE_MOST * sum(course) / len(course):
        return ()
    factor = max(course) * len(course) / sum(course)
    return (f"one huge frame: {row.shot} {row.stage} has a frame of {factor:.1f} times the average",)

"""What the backtest holds out: what a part of the measurements predicts, and what was measured then.

Every prediction is made by the same code that a projection uses, with what it is to predict taken away first, the
choice of the model and the width of the interval included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.project.inputs.evidence import Point, groups_by
from bench.project.model.fit import SIMPLER, distance, fit, ordered, proportional
from bench.project.model.graph import F64
from bench.record.schema import STAGES

UPPER = 0.9  # quantile at which an 80 % interval ends
Z80 = NormalDist().inv_cdf(UPPER)  # half of an 80 % interval, in standard deviations
PILOTS = (3, 6, 10, 15)
PILOT_STAGES = ("simulate", "surface", "trace", "frame")
WHOLE_FRAME = "size, whole frame"
NOISE = 0.02  # what two equal runs differ by on a shared machine
# BRL-CAD ray tracing on an SGI Origin 2000 with 64 processors, relative throughput: N. Gunther, Guerrilla Capacity
# Planning (2007), as given in the R package usl, data set raytracer
RAYTRACER = {1: 20, 4: 78, 8: 130, 12: 170, 16: 190, 20: 200, 24: 210, 28: 230, 32: 260, 48: 280, 64: 310}
RAYTRACER_KNOWN = 16


@dataclass(frozen=True)
class HeldOut:
    """One measurement that was held out: its prediction from the others, and what it was."""

    row: str  # of the table
    label: str
    predicted_s: float
    low_s: float | None  # 80 % interval; None where the prediction has none
    high_s: float | None
    measured_s: float
    linear_s: float  # in proportion to the work
    farm_s: float | None = None  # (pending x mean + slowest) / running; None where there are no tasks to count

    @property
    def error(self) -> float:
        return self.predicted_s / self.measured_s - 1.0

    @property
    def linear_error(self) -> float:
        return self.linear_s / self.measured_s - 1.0

    @property
    def farm_error(self) -> float | None:
        return None if self.farm_s is None else self.farm_s / self.measured_s - 1.0

    @property
    def covered(self) -> bool | None:
        if self.low_s is None or self.high_s is None:
            return None
        return self.low_s <= self.measured_s <= self.high_s


def around(row: str, label: str, predicted: float, sigma: float, measured: float, linear: float) -> HeldOut:
    """With an interval that is even in the logarithm."""
    width = math.exp(Z80 * sigma)
    return HeldOut(row, label, predicted, predicted / width, predicted * width, measured, linear)


def noise_of(point: Point) -> float:
    """Standard deviation of the logarithm of a point's fastest round: how far the next one is, at least ``NOISE``."""
    samples = sorted(point.samples_s)
    return max(NOISE, math.log(samples[min(1, len(samples) - 1)] / samples[0]))


def sizes_held_out(points: Sequence[Point]) -> list[HeldOut]:
    """Predict the largest size of every shot from those below it, and again from those below the second largest."""
    cases = []
    for left_out in (1, 2):
        models = {stage: fit(_smaller(points, stage, left_out), stage) for stage in STAGES}
        for shot, series in groups_by(points, lambda p: p.shot).items():
            by_stage = {stage: ordered([p for p in series if p.stage == stage]) for stage in STAGES}
            predicted, measured, linear, variance = 0.0, 0.0, 0.0, 0.0
            for stage in STAGES:
                model = models[stage]
                if model is None or shot not in model.laws:
                    continue
                largest, last = by_stage[stage][-1], by_stage[stage][-1 - left_out]
                seconds, apart = model.predict(shot, largest.work)
                far = distance(stage, last.work, largest.work)
                sigma = math.hypot(model.spread(far), noise_of(largest), apart)
                scaled = last.seconds * law_ratio(stage, last, largest)
                text = f"{shot} {stage}, {far_text(far)} the work"
                cases.append(around(f"size, {stage}", text, seconds, sigma, largest.seconds, scaled))
                predicted += seconds
                measured += largest.seconds
                linear += scaled
                variance += (sigma * seconds) ** 2
            if predicted > 0.0:
                sigma = math.sqrt(variance) / predicted
                text = f"{shot} whole frame, {left_out} size{'s' * (left_out > 1)} left out"
                cases.append(around(WHOLE_FRAME, text, predicted, sigma, measured, linear))
    return cases


def _smaller(points: Sequence[Point], stage: str, left_out: int) -> list[Point]:
    """Points of a stage without the ``left_out`` largest sizes of each shot."""
    shots = groups_by([p for p in points if p.stage == stage], lambda p: p.shot)
    return [point for series in shots.values() for point in ordered(series)[:-left_out]]


def law_ratio(stage: str, here: Point, there: Point) -> float:
    """Work there over work here, counted as the first hypothesis of the stage counts it."""
    law = proportional(stage)
    return law.seconds(there.work) / law.seconds(here.work)


def far_text(far: float) -> str:
    return f"{math.exp(far):.1f} x"


def frames_held_out(points: Sequence[Point]) -> list[HeldOut]:
    """From a few pilot frames, evenly spaced, the whole shot. Beside it: the first frames' mean, and OpenCue's sum."""
    cases = []
    piloted = [p for p in points if p.stage in PILOT_STAGES]
    for (shot, stage), series in groups_by(piloted, lambda p: (p.shot, p.stage)).items():
        frames = sorted(series, key=lambda p: p.frame)
        seconds = np.array([p.seconds for p in frames])
        number = np.array([float(p.frame) for p in frames])
        for count in PILOTS:
            if len(frames) < 2 * count:
                continue
            chosen = np.unique(np.round(np.linspace(0, len(frames) - 1, count)).astype(int))
            total = float(seconds.sum())
            found, sigma = predict_frames(number[chosen], seconds[chosen], number)
            sigma = math.hypot(sigma, NOISE / math.sqrt(count))
            first = seconds[:count]
            linear = float(first.mean()) * len(frames)
            case = around("frames", f"{shot} {stage}, {count} of {len(frames)}", found, sigma, total, linear)
            pending = len(frames) - count
            farm = pending * float(first.mean()) + float(first.max()) + float(first.sum())
            cases.append(replace(case, farm_s=farm))
    return cases


def predict_frames(known: F64, seconds: F64, wanted: F64) -> tuple[float, float]:
    """Seconds of all ``wanted`` frames from a few known ones, and the standard deviation of its logarithm.

    Between two known frames the time changes evenly. How far single frames lie from that is seen by leaving each inner
    one out: its error holds its own scatter and half of its neighbours' (variance 3/2). The sum keeps of that scatter
    what k - 1 gaps average out, and a smooth course, which is a sixth of it wrong, stays below. Few inner frames say
    little about their scatter: Student's factor widens for that.
    """
    total = float(np.interp(wanted, known, seconds).sum())
    errors = []
    for index in range(1, len(known) - 1):
        kept = np.arange(len(known)) != index
        errors.append(float(np.interp(known[index], known[kept], seconds[kept]) / seconds[index] - 1.0))
    if not errors:
        return total, 0.5
    scatter = math.sqrt(sum(e * e for e in errors) / len(errors) / 1.5)
    sigma = scatter * math.sqrt(1.0 / (len(known) - 1) + 1.0 / len(wanted))
    return total, student_factor(len(errors)) * sigma


def student_factor(degrees: int) -> float:
    """How much wider an 80 % interval is when its scatter is known from so few errors: Student's t over the normal."""
    from scipy.special import stdtrit  # what scipy.stats.t.ppf calls, without the second that scipy.stats takes to load

    return float(stdtrit(degrees, UPPER)) / Z80


def workers_held_out(alone: Sequence[Point], together: Sequence[Sequence[Point]]) -> list[HeldOut]:
    """From one process alone, and from the other shots' slowing when two run, this shot's time when two run.

    ``together`` holds the points of each of the workers that ran at the same time.
    """
    slowed = {}
    for point in alone:
        key = (point.shot, point.size, point.stage)
        beside = [p for worker in together for p in worker if (p.shot, p.size, p.stage) == key]
        if len(beside) == len(together) > 1:
            slowed[key] = (point, beside)
    cases = []
    for (shot, size, stage), (point, beside) in slowed.items():
        others = [
            math.log(max(p.seconds for p in found) / lone.seconds)
            for (other, _, where), (lone, found) in slowed.items()
            if where == stage and other != shot
        ]
        if len(others) < 2:
            continue
        workers = len(together)
        count = min(len(p.samples_s) for p in beside)
        truth = count * max(p.seconds for p in beside)
        factor, sigma = math.exp(fmean(others)), float(np.std(others, ddof=1))
        sigma = math.hypot(sigma * math.sqrt(1.0 + 1.0 / len(others)), noise_of(point))
        predicted = count * point.seconds * factor
        linear = count * point.seconds
        case = around("workers", f"{shot} {size} {stage}, {workers} processes", predicted, sigma, truth, linear)
        farm = (workers * count * fmean(point.samples_s) + max(point.samples_s)) / workers
        cases.append(replace(case, farm_s=farm))
    return cases


Number = TypeVar("Number", float, NDArray[np.float64])


def speedup(serial: float, coherence: float, workers: Number) -> Number:
    """Throughput over that of one worker: Gunther's universal scalability law; without coherence Amdahl's (1967)."""
    return workers / (1.0 + serial * (workers - 1.0) + coherence * workers * (workers - 1.0))


def _law_of(known: dict[int, int], contended: bool) -> Callable[[int], float]:
    """Rates by workers: the largest known one, times what a law that was fitted to all says it grows by."""
    last = max(known)
    serial, coherence = fit_scaling(known, contended)
    most = speedup(serial, coherence, float(last))
    return lambda workers: known[last] * speedup(serial, coherence, float(workers)) / most


def fit_scaling(known: Mapping[int, int], contended: bool) -> tuple[float, float]:
    """(serial, coherence) that minimise the squared relative errors; coherence 0 unless work is ``contended`` for."""
    from scipy.optimize import least_squares

    workers = np.array(sorted(known), np.float64)
    rate = np.array([known[int(p)] for p in workers], np.float64)

    def errors(x: F64) -> F64:
        share = speedup(float(x[0]), float(x[1]) if contended else 0.0, workers) / rate
        # The best rate of a single worker, in closed form
        return share * float(share.sum() / (share**2).sum()) - 1.0

    start, most = ((0.03, 1e-4), (0.5, 1e-2)) if contended else ((0.03,), (0.5,))
    found = least_squares(errors, start, bounds=(0.0, most), x_scale=start, xtol=1e-12, ftol=1e-12, gtol=1e-12).x
    return float(found[0]), float(found[1]) if contended else 0.0


def processors_held_out(known_to: int = RAYTRACER_KNOWN) -> list[HeldOut]:
    """The published series: fit up to ``known_to`` processors, predict the rest. Seconds are those of one work unit.

    Amdahl or the universal law, whichever predicts the largest known count better from the smaller ones.
    """
    known = {p: x for p, x in RAYTRACER.items() if p <= known_to}
    counts = sorted(known)
    errors: dict[bool, list[tuple[float, float]]] = {}
    for contended in (False, True):
        for last in range(3, len(counts)):
            rate = _law_of({p: known[p] for p in counts[:last]}, contended)
            for target in counts[last:]:
                far = math.log(target / counts[last - 1])
                errors.setdefault(contended, []).append((far, math.log(rate(target) / known[target])))
    scores = {contended: math.sqrt(fmean(e * e / far for far, e in found)) for contended, found in errors.items()}
    chosen = scores[False] > SIMPLER * scores[True]  # the longer law has to predict better by that factor
    rate = _law_of(known, chosen)
    cases = []
    for target in sorted(p for p in RAYTRACER if p > known_to):
        far = math.log(target / counts[-1])
        sigma = scores[chosen] * (math.sqrt(far) if far < 1.0 else far)
        label = f"fitted to {known_to} processors, predicted {target}"
        cases.append(
            around(
                "published", label, 1.0 / rate(target), sigma, 1.0 / RAYTRACER[target], 1.0 / (target * RAYTRACER[1])
            )
        )
    return cases

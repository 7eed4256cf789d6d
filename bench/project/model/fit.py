"""Seconds of a stage as a fixed part and a growth part, fitted to measured sizes.

A hypothesis is a short list of terms (a term is a product of work counts), the time their sum with coefficients that
are not negative. Which hypothesis stands is decided by leaving the largest sizes out and predicting them, not by how
closely it follows the points that it was fitted to; of two that predict alike the shorter one is taken. What a model
was off by on the sizes that it had not seen is its hold-out error, and it grows with the distance: an exponent that is
wrong by d is off by d ln(factor).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.project.inputs.evidence import Point, Work, groups_by

Term = Callable[[Work], float]

TERMS: dict[str, Term] = {
    "1": lambda w: 1.0,
    "sound-steps": lambda w: w.sound_steps,
    "particle-sound-steps": lambda w: w.particle_sound_steps,
    "particle-sound-steps log2 particles": lambda w: w.particle_sound_steps * math.log2(max(2.0, w.particles)),
    "block-sound-steps": lambda w: w.blocks * w.sound_steps,
    "particles": lambda w: w.particles,
    "particles^(2/3)": lambda w: w.detail**2,
    "blocks": lambda w: w.blocks,
    "samples": lambda w: w.samples,
    "samples log2 particles": lambda w: w.samples * math.log2(max(2.0, w.particles)),
    "samples x path length": lambda w: w.samples * w.detail,
    "pixels": lambda w: w.pixels,
}
HYPOTHESES: dict[str, tuple[tuple[str, ...], ...]] = {
    "simulate": (
        ("particle-sound-steps",),
        ("sound-steps", "particle-sound-steps"),
        ("particle-sound-steps", "block-sound-steps"),
        ("sound-steps", "particle-sound-steps log2 particles"),
        ("sound-steps", "particle-sound-steps", "block-sound-steps"),
    ),
    "surface": (
        ("particles",),
        ("1", "particles"),
        ("1", "particles^(2/3)"),
        ("particles^(2/3)", "particles"),
        ("1", "blocks"),
    ),
    "trace": (
        ("samples",),
        ("1", "samples"),
        ("samples", "samples x path length"),
        ("samples log2 particles",),
    ),
    "resolve": (("pixels",), ("1", "pixels")),
    "encode": (("pixels",), ("1", "pixels")),
}
DRIVERS: dict[str, Term] = {  # what the distance of an extrapolation is counted in
    "simulate": TERMS["particle-sound-steps"],
    "surface": TERMS["particles"],
    "trace": TERMS["particles"],  # samples are independent of each other; what a sample costs follows the detail
    "resolve": TERMS["pixels"],
    "encode": TERMS["pixels"],
}
SIMPLER = 1.15  # a longer hypothesis has to predict better by this factor
ERROR_NONE = 1e-9  # a smaller one is rounding, and tells no two hypotheses apart
ALIKE = 1.5  # hypotheses that predict worse by less than this factor are not told apart
ERROR_LEAST = 0.02  # nobody's hold-out error is smaller than this: the clock of a shared machine
POINTS_LEAST = 3  # sizes that a fit needs; with fewer, time is taken to be proportional to the work
BOOTSTRAP_SEED = 20251223
BEYOND = 1.0  # a prediction further out than the evidence spans (in logarithms) is flagged


@dataclass(frozen=True)
class CostLaw:
    """Terms and their coefficients (seconds)."""

    terms: tuple[str, ...]
    coefficients: tuple[float, ...]

    def seconds(self, work: Work) -> float:
        return sum(c * TERMS[name](work) for name, c in zip(self.terms, self.coefficients))


def solve(terms: Sequence[str], works: Sequence[Work], seconds: Sequence[float]) -> CostLaw:
    """Least squares of the relative errors, coefficients not negative (Lawson and Hanson 1974)."""
    from scipy.optimize import nnls  # 0.2 s, which only a fit needs

    matrix = np.array([[TERMS[name](work) for name in terms] for work in works], np.float64)
    matrix /= np.asarray(seconds, np.float64)[:, None]
    scale = matrix.max(axis=0)
    if not np.any(scale > 0.0):
        raise ValueError("no term of this hypothesis grows with the work")
    scale[scale <= 0.0] = 1.0
    found, _ = nnls(matrix / scale, np.ones(len(works)))
    return CostLaw(tuple(terms), tuple(float(c) for c in found / scale))


def ordered(points: Sequence[Point]) -> list[Point]:
    """Points from the least work to the most."""
    return sorted(points, key=lambda p: DRIVERS[p.stage](p.work))


@dataclass(frozen=True)
class HoldOutError:
    """What a fit was off by on one size that it had not seen."""

    shot: str
    stage: str
    distance: float  # ln(work of the predicted size / work of the largest size that was fitted)
    error: float  # ln(predicted / measured)


def hold_out(terms: Sequence[str], points: Sequence[Point]) -> list[HoldOutError]:
    """Errors on every size larger than those fitted, for every start of the series of at least three sizes.

    Two sizes would be met exactly by any two terms, and say nothing of them; they are used where there are but three.
    """
    series = ordered(points)
    least = min(POINTS_LEAST, len(series) - 1)
    found = []
    for known in range(least, len(series)):
        law = solve(terms, [p.work for p in series[:known]], [p.seconds for p in series[:known]])
        for point in series[known:]:
            far = distance(point.stage, series[known - 1].work, point.work)
            if far > 0.0:
                error = math.log(law.seconds(point.work) / point.seconds)
                found.append(HoldOutError(point.shot, point.stage, far, error))
    return found


def score(found: Sequence[HoldOutError]) -> float:
    """Root mean square of the error over the root of the distance; infinite without a case."""
    if not found:
        return math.inf
    return math.sqrt(sum((case.error**2) / case.distance for case in found) / len(found))


@dataclass(frozen=True)
class Model:
    """What the fit of one stage says about the shots that it was fitted to."""

    stage: str
    alike: tuple[tuple[str, ...], ...]  # hypotheses that predicted about as well, the chosen one first
    laws: Mapping[str, tuple[CostLaw, ...]]  # by shot, one for each of these: they may differ much far out
    points: Mapping[str, tuple[Point, ...]]  # by shot, from the least work to the most
    held_out: tuple[HoldOutError, ...]  # of the chosen terms

    @property
    def error_per_distance(self) -> float:
        """Standard deviation of ln(predicted / measured) one factor e away."""
        return max(ERROR_LEAST, score(self.held_out)) if self.held_out else 0.5

    def spread(self, distance: float) -> float:
        """Standard deviation of the logarithm, that far from what was measured.

        Out to the farthest size that was ever held out the error grows like the root of the distance, as those sizes
        show; beyond, like the distance itself, because an exponent may be wrong.
        """
        seen = max((case.distance for case in self.held_out), default=1.0)
        if distance <= seen:
            return self.error_per_distance * math.sqrt(distance)
        return self.error_per_distance * distance / math.sqrt(seen)

    def predict(self, shot: str, work: Work) -> tuple[float, float]:
        """(seconds, standard deviation of their logarithm between the laws that predict alike)."""
        logs = [math.log(law.seconds(work)) for law in self.laws[shot]]
        return math.exp(sum(logs) / len(logs)), float(np.std(logs))


def fit(points: Sequence[Point], stage: str) -> Model | None:
    """The model of one stage from points of one back-end and machine; None where no shot has enough sizes."""
    series = {
        shot: ordered(found)
        for shot, found in groups_by([p for p in points if p.stage == stage], lambda p: p.shot).items()
        if len({p.work for p in found}) >= POINTS_LEAST
    }
    if not series:
        return None
    best: tuple[float, tuple[str, ...], list[HoldOutError]] | None = None
    scores = {}
    for terms in HYPOTHESES[stage]:
        cases = [case for found in series.values() for case in hold_out(terms, found)]
        value = scores[terms] = score(cases)
        if best is None or max(value, ERROR_NONE) * SIMPLER < best[0]:
            best = value, terms, cases
    assert best is not None
    value, terms, cases = best
    others = [one for one in HYPOTHESES[stage] if one != terms and scores[one] <= ALIKE * max(value, ERROR_LEAST)]
    alike = (terms, *others)
    laws = {
        shot: tuple(solve(one, [p.work for p in found], [p.seconds for p in found]) for one in alike)
        for shot, found in series.items()
    }
    return Model(stage, alike, laws, {shot: tuple(found) for shot, found in series.items()}, tuple(cases))


def proportional(stage: str) -> CostLaw:
    """Without a fit: time in proportion to the work."""
    return CostLaw((HYPOTHESES[stage][0][0],), (1.0,))


def distance(stage: str, here: Work, there: Work) -> float:
    """How far apart two sizes are, as the logarithm of the ratio of the stage's work; never negative."""
    driver = DRIVERS[stage]
    return abs(math.log(driver(there) / driver(here)))


def resampled_laws(model: Model, shot: str, count: int) -> list[CostLaw]:
    """Laws fitted to the fastest of resampled seconds (bootstrap, Efron 1979), those that predict alike in turn."""
    points = model.points[shot]
    generator = np.random.Generator(np.random.PCG64(BOOTSTRAP_SEED))
    draws = []
    for point in points:
        samples = np.asarray(point.samples_s)
        draws.append(samples[generator.integers(0, len(samples), (count, len(samples)))].min(axis=1))
    works = [p.work for p in points]
    terms = model.alike
    return [solve(terms[index % len(terms)], works, [float(d[index]) for d in draws]) for index in range(count)]

"""What scipy computes for the projection is what plain code computes, and what plain code draws is what scipy draws."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from bench.project.backtest.held_out import RAYTRACER, Z80, fit_scaling, speedup, student_factor
from bench.project.inputs.evidence import Work
from bench.project.model.fit import HYPOTHESES, TERMS, solve
from bench.project.model.scenario import latin_hypercube
from bench.record.schema import STAGES
from tests.support.project_record import LAWS, ladder


def best_subset(terms: tuple[str, ...], works: list[Work], seconds: list[float]) -> np.ndarray:
    """Least squares without negative coefficients, the plain way: every subset of the terms, and the best of them."""
    matrix = np.array([[TERMS[name](work) for name in terms] for work in works]) / np.array(seconds)[:, None]
    best, least = np.zeros(len(terms)), math.inf
    for count in range(len(terms), 0, -1):
        for chosen in itertools.combinations(range(len(terms)), count):
            part = matrix[:, chosen]
            scale = part.max(axis=0)
            found, *_ = np.linalg.lstsq(part / scale, np.ones(len(works)), rcond=None)
            error = float(np.sum((part / scale @ found - 1.0) ** 2))
            if np.all(found >= 0.0) and error < least * (1.0 - 1e-9):
                best, least = np.zeros(len(terms)), error
                best[list(chosen)] = found / scale
    return best


@pytest.mark.parametrize("stage", STAGES)
def test_a_fit_is_the_best_of_all_subsets_of_terms(stage: str, rng: np.random.Generator) -> None:
    # Blocks that are not in proportion to the particles: no term may be a multiple of another
    works = [dataclasses.replace(work, blocks=work.blocks * float(rng.uniform(0.5, 2.0))) for work in ladder()]
    for terms in HYPOTHESES[stage]:
        for _ in range(20):
            seconds = [LAWS[stage](work) * float(rng.lognormal(0.0, 0.3)) for work in works]
            law, plain = solve(terms, works, seconds), best_subset(terms, works, seconds)
            assert [c > 0.0 for c in law.coefficients] == [c > 0.0 for c in plain]
            assert law.coefficients == pytest.approx(plain, rel=1e-9)


def test_students_factor_is_that_of_the_tables() -> None:
    # 90 % points of Student's t by degrees of freedom, as tables give them, over that of the normal distribution
    points = {1: 3.078, 2: 1.886, 3: 1.638, 4: 1.533, 6: 1.440, 9: 1.383, 13: 1.350, 30: 1.310}
    for degrees, point in points.items():
        assert student_factor(degrees) == pytest.approx(point / 1.2816, rel=5e-4)
        assert student_factor(degrees) == pytest.approx(stats.t.ppf(0.9, degrees) / stats.norm.ppf(0.9), rel=1e-12)
    assert pytest.approx(stats.norm.ppf(0.9), rel=1e-15) == Z80


@pytest.mark.parametrize("contended", [False, True])
@pytest.mark.parametrize("known_to", [8, 12, 16])
def test_a_scaling_law_is_the_best_that_a_fine_grid_finds(known_to: int, contended: bool) -> None:
    known = {count: rate for count, rate in RAYTRACER.items() if count <= known_to}
    workers, rate = (np.array(side, np.float64) for side in (list(known), list(known.values())))

    def errors(serial: np.ndarray, coherence: np.ndarray) -> np.ndarray:
        share = speedup(serial[:, None, None], coherence[None, :, None], workers) / rate  # type: ignore[arg-type]
        single = share.sum(axis=2) / (share**2).sum(axis=2)
        return ((single[:, :, None] * share - 1.0) ** 2).sum(axis=2)

    serial, coherence = fit_scaling(known, contended)
    assert 0.0 <= serial <= 0.5 and 0.0 <= coherence <= 1e-2 and (contended or coherence == 0.0)
    steps = np.concatenate([[0.0], np.geomspace(1e-5, 0.5, 400)])
    grid = errors(steps, np.concatenate([[0.0], np.geomspace(1e-7, 1e-2, 200)]) if contended else np.zeros(1))
    found = errors(np.array([serial]), np.array([coherence])).item()
    assert 0.95 * grid.min() < found <= grid.min()


def test_quantiles_are_drawn_as_a_latin_hypercube_of_scipy() -> None:
    rows, count, repeats = 6, 16, 600
    generator = np.random.Generator(np.random.PCG64(1))
    ours = np.array([latin_hypercube(generator, rows, count) for _ in range(repeats)])
    theirs = np.array([qmc.LatinHypercube(rows, rng=seed).random(count).T for seed in range(repeats)])
    for drawn in (ours, theirs):
        # One draw in every part of the range, anywhere in it
        assert np.array_equal(np.sort(np.floor(drawn * count), axis=2), np.broadcast_to(np.arange(count), drawn.shape))
        assert stats.kstest((drawn * count % 1.0).ravel(), "uniform").pvalue > 0.01
        # Rows do not know of each other, and no place in a row is like another
        assert abs(np.mean([np.corrcoef(one)[0, 1] for one in drawn])) < 3.0 / math.sqrt(repeats * count)
        assert stats.kstest(drawn[:, 2, 5], "uniform").pvalue > 0.01
    # The same law of a mean over the draws of something that depends on all rows; independent draws scatter more
    means = [np.exp(drawn.sum(axis=1)).mean(axis=1) for drawn in (ours, theirs, generator.random(ours.shape))]
    assert stats.ks_2samp(means[0], means[1]).pvalue > 0.01
    assert np.std(means[0]) == pytest.approx(np.std(means[1]), rel=0.1)
    assert np.std(means[2]) > 2.0 * np.std(means[0])

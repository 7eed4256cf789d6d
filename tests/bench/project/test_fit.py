"""Cost models: they find the law that made the data, are chosen by what they predict, and know how wrong they are."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bench.project.inputs.evidence import Work, merged, points_of
from bench.project.model.fit import HYPOTHESES, fit, hold_out, ordered, proportional, resampled_laws, solve
from bench.record.schema import STAGES
from bench.record.statistics import median
from tests.support.project_record import LAWS, ladder, make_record, series, with_samples


@pytest.mark.parametrize("stage", STAGES)
def test_an_exact_law_is_found_and_extrapolated(stage: str) -> None:
    model = fit(points_of([series(LAWS)]), stage)
    assert model is not None
    far = Work(1.3e8, 200.0, 1.2e6, 7e6, 3.6e9)
    assert model.laws["wave"][0].seconds(far) == pytest.approx(LAWS[stage](far), rel=1e-6)
    assert model.error_per_distance == 0.02  # no error was seen, and none is believed to be smaller


@pytest.mark.parametrize("stage", STAGES)
def test_coefficients_are_never_negative(stage: str) -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    for _ in range(20):
        works = ladder()
        for terms in HYPOTHESES[stage]:
            law = solve(terms, works, [float(x) for x in generator.lognormal(0.0, 1.0, len(works))])
            assert all(c >= 0.0 for c in law.coefficients)
            assert law.seconds(works[0]) <= law.seconds(works[-1])


def test_the_longer_hypothesis_has_to_predict_better() -> None:
    laws = {**LAWS, "resolve": lambda w: 5e-9 * w.pixels}
    model = fit(points_of([series(laws)]), "resolve")
    assert model is not None and model.alike[0] == ("pixels",)


def test_leaving_out_never_sees_what_it_predicts() -> None:
    broken = series(LAWS, noise=lambda stage, index: 3.0 if index == 4 else 1.0)
    points = [p for p in points_of([broken]) if p.stage == "encode"]
    errors = [case.error for case in hold_out(("pixels",), points)]
    assert len(errors) == 3 and min(errors) == pytest.approx(-math.log(3.0), rel=1e-3)
    assert all(case.distance > 0.0 for case in hold_out(("pixels",), points))


def test_noise_widens_the_spread() -> None:
    def spread(sigma: float, seed: int) -> float:
        draws = np.random.Generator(np.random.PCG64(seed)).standard_normal(5)
        model = fit(points_of([series(LAWS, noise=lambda stage, index: math.exp(sigma * draws[index]))]), "trace")
        assert model is not None
        return model.spread(1.0)

    quiet, noisy, wild = (median([spread(sigma, seed) for seed in range(40)]) for sigma in (0.0, 0.1, 0.4))
    assert quiet is not None and noisy is not None and wild is not None
    # About as wide as the noise, and in proportion to it
    assert quiet == pytest.approx(0.02) and 0.05 < noisy < 0.2 and 2.0 < wild / noisy < 6.0


def test_the_spread_grows_with_the_distance() -> None:
    model = fit(points_of([series(LAWS)]), "simulate")
    assert model is not None
    spreads = [model.spread(d) for d in (0.0, 0.5, 1.0, 3.0, 6.0, 12.0)]
    assert spreads[0] == 0.0 and spreads == sorted(spreads)
    assert spreads[-1] / spreads[-2] == pytest.approx(2.0)


def test_too_few_sizes_are_no_fit() -> None:
    assert fit(points_of([series(LAWS, works=ladder((1, 2)))]), "simulate") is None
    assert fit([], "simulate") is None


def test_resampled_laws_scatter_around_the_law() -> None:
    points = points_of([series(LAWS)])
    model = fit(points, "trace")
    assert model is not None
    work = ordered([p for p in points if p.stage == "trace"])[-1].work
    drawn = [law.seconds(work) for law in resampled_laws(model, "wave", 40)]
    assert min(drawn) <= LAWS["trace"](work) <= max(drawn) and max(drawn) < 1.03 * min(drawn)


def test_without_a_fit_time_is_proportional_to_the_work() -> None:
    one, two = ladder((1, 2))
    ratio = proportional("simulate").seconds(two) / proportional("simulate").seconds(one)
    assert ratio == pytest.approx(16.0)  # eight times the particles, twice the substeps


def test_a_series_that_is_measured_again_gains_rounds() -> None:
    first, again = series(LAWS), series(LAWS, noise=lambda stage, index: 0.9 if index == 2 else 1.5)
    points = merged(points_of([first, again]))
    assert len(points) == len(points_of([first])) and all(len(p.samples_s) == 6 for p in points)
    for one, alone in zip(points, points_of([first])):
        assert one.seconds == pytest.approx(alone.seconds * (0.9 if one.size == "c2" else 1.0))


def test_a_time_of_zero_is_no_evidence() -> None:
    stopped = series(LAWS, noise=lambda stage, index: 0.0 if index == 2 else 1.0)
    once = with_samples(make_record(), "trace", (0.0, 4.0, 4.1))
    assert {p.size for p in points_of([stopped])} == {"c0", "c1", "c3", "c4"}
    assert {p.stage for p in points_of([once])} == set(STAGES) - {"trace"}


def test_rounds_of_another_commit_are_not_merged() -> None:
    old = dataclasses.replace(series(LAWS, noise=lambda stage, index: 0.5), commit="1" * 40)
    assert merged(points_of([old, series(LAWS)])) == merged(points_of([series(LAWS)]))


def test_laws_that_cannot_be_told_apart_widen_what_lies_far_out() -> None:
    generator = np.random.Generator(np.random.PCG64(2))
    noise = [math.exp(0.1 * x) for x in generator.standard_normal(5)]
    model = fit(points_of([series(LAWS, noise=lambda stage, index: noise[index])]), "trace")
    assert model is not None and len(model.alike) > 1
    near, far = ladder((6, 60))
    assert model.predict("wave", far)[1] > 2.0 * model.predict("wave", near)[1] > 0.0
    laws = [law.seconds(far) for law in model.laws["wave"]]
    assert min(laws) < model.predict("wave", far)[0] < max(laws)

"""What the published cases measure with: gauges, depths, energies and laws, against what can be said by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.check.validate.bodies import _whole_energy
from bench.check.validate.dam_breaks import _arrival
from bench.check.validate.films import DEPTH_M, SLOPE_M_PER_S2, Law
from bench.check.validate.flow import Flow, G, points_scene, shot_scene, with_substeps
from bench.check.validate.volume import depth_m
from bench.check.validate.waves import AMPLITUDE_M, crest, first_mode, sloshing_scene, solitary_scene
from bench.pipeline.scene.blocks_of_water import box_points
from bench.pipeline.scene.build import Scene
from bench.pipeline.scene.needs import scene_steps

CELL_M = 0.1
WATER = 'kind = "water"\nspeed_limit_m_per_s = 3.0\n[[body]]\nkind = "box"\n{}\n'


def layer(surface: np.ndarray | None = None) -> Scene:
    """Water 0.8 m deep in a box of 3.2 m x 0.8 m, or up to a surface over each column of particles."""
    points = box_points((0, 0, 0), (32, 8, 12), CELL_M)
    high = 0.8 if surface is None else np.interp(points[:, 0], np.linspace(0.0, 3.2, 200), surface)
    return points_scene(
        points[points[:, 2] < high], (32, 8, 16), CELL_M, sound_speed_m_per_s=30.0, speed_limit_m_per_s=3.0
    )


def flow_of(scene: Scene) -> Flow:
    return Flow(scene, NumbaBackend(1))


def test_the_depth_of_still_water_and_of_water_with_a_wave() -> None:
    assert depth_m(flow_of(layer())) == pytest.approx(0.8, rel=1e-6)
    x = np.linspace(0.0, 3.2, 200)
    waved = flow_of(layer(0.8 + 0.2 * np.cos(np.pi * x / 3.2)))
    assert depth_m(waved) == pytest.approx(0.8, rel=0.004)
    assert 2.0 * waved.position[:, 2].mean() == pytest.approx(0.8 * (1.0 + 0.5 * 0.25**2), rel=0.004)


def test_a_gauge_reads_the_water_over_it() -> None:
    flow = flow_of(layer())
    assert flow.gauge((1.0, 0.0), (1.2, 0.8)) == pytest.approx(0.8)
    assert flow.gauge((1.0, 0.0), (1.2, 1.6)) == pytest.approx(0.4)  # half of it outside


def test_cells_are_counted() -> None:
    counts = flow_of(layer()).cell_counts()
    assert set(counts.tolist()) == {8} and len(counts) == 32 * 8 * 8


def test_energy_is_that_of_the_closed_forms() -> None:
    scene = layer()
    assert flow_of(scene).energy() == pytest.approx(G * 0.4)
    scene.velocity[:, 0] = 2.0
    assert flow_of(scene).energy() == pytest.approx(G * 0.4 + 2.0)
    before = _whole_energy(flow_of(scene))
    scene.position[:, 3] = 0.99
    # K / rho = c^2 / 7; to second order (1 - J)^2 * 7 / 2 of it
    assert _whole_energy(flow_of(scene)) - before == pytest.approx(900.0 / 7.0 * 3.5 * 1e-4, rel=0.05)
    scene.position[:, 3] = 1.01
    assert _whole_energy(flow_of(scene)) == pytest.approx(before)


@pytest.mark.parametrize("factor", [2, 4])
def test_more_substeps_are_of_the_same_liquid(factor: int) -> None:
    scene = dataclasses.replace(layer(), frame_dt_s=0.25)
    finer = with_substeps(scene, float(factor))
    assert np.array_equal(finer.material, scene.material)
    first, second = (scene_steps(one, one.speed_limit_m_per_s) for one in (scene, finer))
    # Sound asks for them: they go into as many transfers as before, whole numbers of them into each
    assert second.substeps == pytest.approx(first.substeps, rel=0.1)
    steps = first.substeps * first.sound_steps
    assert second.substeps * second.sound_steps == pytest.approx(factor * steps, abs=second.substeps)
    assert flow_of(finer).simulation.advance_frame().substeps == second.substeps


def test_a_standing_wave_starts_with_its_amplitude() -> None:
    assert first_mode(flow_of(sloshing_scene(12))) == pytest.approx(AMPLITUDE_M, rel=0.02)


def test_a_solitary_wave_starts_where_and_as_high_as_it_is_said() -> None:
    scene, high = solitary_scene(8)
    assert crest(flow_of(scene), 1.7) == pytest.approx((1.8, high), rel=0.02)


def test_when_a_gauge_gets_wet() -> None:
    time = np.array([0.0, 1.0, 2.0, 3.0])
    assert _arrival(time, np.array([0.0, 0.0, 0.2, 0.3]), 0.05) == pytest.approx(1.25)
    assert np.isnan(_arrival(time, np.zeros(4), 0.05))


def test_a_film_s_law_ends_in_nusselt_s_profile() -> None:
    u = Law(200.0, 0.0, 0.0, 1000.0).profile(3.0, 0.0)
    z = (np.arange(len(u)) + 0.5) * DEPTH_M / len(u)
    assert u == pytest.approx(SLOPE_M_PER_S2 * (DEPTH_M * z - 0.5 * z * z) / 0.2, rel=0.004)


def test_a_film_s_law_ends_in_bingham_s_profile_and_stops_below_yield() -> None:
    at_floor = 1000.0 * SLOPE_M_PER_S2 * DEPTH_M
    u = Law(200.0, 0.4 * at_floor, 1000.0, 1.0e5).profile(3.0, 0.0)
    sheared = 0.6 * DEPTH_M  # the plug is where the stress is below 0.4 of that at the floor
    assert u[-1] == pytest.approx(SLOPE_M_PER_S2 * sheared**2 / (2.0 * 0.2), rel=0.02)
    assert np.ptp(u[len(u) * 2 // 3 :]) < 0.01 * u[-1]
    stopped = Law(100.0, at_floor / 0.7, 1000.0, 1.0e6).profile(1.0, 0.2)
    assert abs(stopped).max() < 1e-4


def test_a_shot_s_scene_is_as_its_text_says() -> None:
    scene = shot_scene(WATER.format("min_m = [0.0, 0.0, 0.0]\nmax_m = [1.0, 1.0, 0.5]"), (2.0, 1.0, 1.0), 20, rate=50)
    assert scene.domain == (20, 10, 10) and scene.frame_dt_s == 0.02 and scene.initial_count == 8 * 10 * 10 * 5

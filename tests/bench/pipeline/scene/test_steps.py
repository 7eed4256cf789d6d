"""How a frame is cut: no step is too long, fewer would be, and the estimate says what the run does."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backend.numba_cpu import NumbaBackend
from bench.pipeline.scene import needs
from bench.pipeline.scene.blocks_of_water import water_scene
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.scene.estimate import estimate
from bench.pipeline.scene.needs import Steps, scene_steps, steps_of_frame, substeps_of
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot, shot_names
from kernels.base import constants as k
from tests.support.tiny_shot import box_body, plain_shot

ROUNDING = 1.0 + 1e-12
SPEED = st.floats(0.05, 100.0)
CUTS = st.fixed_dictionaries(
    {
        "frame_dt_s": st.floats(1e-3, 0.1),
        "cell_size_m": st.floats(0.01, 1.0),
        "sound_speed_m_per_s": st.floats(0.5, 500.0),
        "speed_m_per_s": SPEED,
        "kinematic_viscosity_m2_per_s": st.one_of(st.just(0.0), st.floats(1e-7, 0.1)),
        "thinnest_m": st.one_of(st.just(math.inf), st.floats(1e-3, 2.0)),
        "conduction_s": st.one_of(st.just(math.inf), st.floats(1e-4, 1.0)),
    }
)


def kept(cut: dict[str, float], steps: Steps) -> bool:
    """Whether a frame keeps every limit; thin solids and stiffness ask no more than one sound step a substep."""
    cell, speed, viscosity = cut["cell_size_m"], cut["speed_m_per_s"], cut["kinematic_viscosity_m2_per_s"]
    substep_s = cut["frame_dt_s"] / steps.substeps
    sound_step_s = substep_s / steps.sound_steps
    return (
        (cut["sound_speed_m_per_s"] + speed) * sound_step_s <= needs.COURANT * cell * ROUNDING
        and viscosity * sound_step_s <= needs.DIFFUSION * cell**2 * ROUNDING
        and speed * substep_s <= needs.TRAVEL * cell * ROUNDING
        and substep_s <= cut["conduction_s"] * ROUNDING
        and (
            steps.sound_steps == 1
            or (
                speed * substep_s <= needs.TRAVEL_IN_SOLID * cut["thinnest_m"] * ROUNDING
                and cut["sound_speed_m_per_s"] * substep_s <= needs.SOUND_TRAVEL * cell * ROUNDING
            )
        )
    )


@given(CUTS)
def test_no_limit_is_broken_and_fewer_steps_would_break_one(cut: dict[str, float]) -> None:
    steps = steps_of_frame(**cut)
    assert kept(cut, steps)
    if steps.sound_steps > 1:
        assert not kept(cut, Steps(steps.substeps, steps.sound_steps - 1))
    if steps.substeps > 1:
        assert not kept(cut, Steps(steps.substeps - 1, steps.sound_steps))


def test_sound_ten_times_the_flow_s_speed_makes_four_sound_steps() -> None:
    """(10 + 1) v dt <= dx / 2 and 10 v T <= 1.9 dx: 4.2 sound steps a substep."""
    steps = steps_of_frame(1.0, 0.1, 10.0, 1.0, 0.0)
    assert steps == Steps(55, 4) and steps_of_frame(1.0, 0.1, 10.0, 1.0, 0.0, conduction_s=0.01) == Steps(110, 2)
    # Viscosity: dt <= dx^2 / (4 nu), 280 sound steps
    assert steps_of_frame(1.0, 0.1, 10.0, 1.0, 0.7) == Steps(56, 5)
    # More steps of a liquid that is as stiff: of the same substeps
    assert steps_of_frame(1.0, 0.1, 21.0, 1.0, 0.0, stiffness_m_per_s=10.0) == Steps(55, 8)
    # The solid, an eighth of 2 cm at 1 m/s: 2.5 ms, below the 4.5 ms of a sound step
    assert steps_of_frame(1.0, 0.1, 10.0, 1.0, 0.0, thinnest_m=0.02) == Steps(220, 1)
    assert steps_of_frame(1.0, 0.1, 10.0, 1.0, 0.0, thinnest_m=0.08) == Steps(110, 2)


@pytest.mark.parametrize(
    ("collider", "thinnest_m"),
    [
        ('kind = "sphere"\ncentre_m = [0.8, 0.8, 0.8]\nradius_m = 0.3', 0.6),
        ('kind = "box"\nmin_m = [0.4, 0.4, 0.4]\nmax_m = [0.8, 0.5, 1.2]', 0.1),
        ('kind = "capsule"\nfrom_m = [0.4, 0.8, 0.8]\nto_m = [1.2, 0.8, 0.8]\nradius_m = 0.04', 0.08),
        ('kind = "cylinder"\ncentre_m = [0.8, 0.8, 0.8]\nradius_m = 0.03\nheight_m = 0.5', 0.06),
        ('kind = "cylinder"\ncentre_m = [0.8, 0.8, 0.8]\nradius_m = 0.3\nheight_m = 0.05', 0.05),
    ],
)
def test_the_thinnest_solid_is_found(collider: str, thinnest_m: float) -> None:
    material = '[material]\nkind = "water"\nspeed_limit_m_per_s = 2.0\n'
    wide = '[[collider]]\nkind = "sphere"\ncentre_m = [0.3, 0.3, 0.3]\nradius_m = 0.4\n'
    middle = material + wide + f"[[collider]]\n{collider}\n" + box_body("[0.0, 0.0, 1.3]", "[1.6, 1.6, 1.6]")
    shot = plain_shot(middle)
    scene = build_scene(shot, "S", threads=1)
    assert needs.thinnest_m(scene.solids) == pytest.approx(thinnest_m, rel=1e-6)
    stated = estimate(shot, "S")
    found = scene_steps(scene, scene.speed_limit_m_per_s)
    assert (stated.substeps_per_frame, stated.sound_steps_per_substep) == (found.substeps, found.sound_steps)


def test_without_a_solid_nothing_is_passed_by() -> None:
    assert needs.thinnest_m(np.zeros((1, k.COLLIDER_WORDS), np.float32)) == math.inf


@pytest.mark.parametrize("size", ["S", "M"])
@pytest.mark.parametrize("name", shot_names())
def test_the_estimate_is_what_the_run_does(name: str, size: str) -> None:
    shot = load_shot(name)
    simulation = Simulation(build_scene(shot, size, room=1), NumbaBackend(1))
    first = simulation._begin_frame()
    stated = estimate(shot, size)
    assert len(first.substeps) == stated.substeps_per_frame > 1
    assert [one.sound_steps for one in first.substeps[1:]] == [stated.sound_steps_per_substep] * (
        stated.substeps_per_frame - 1
    )
    assert first.dt_s == pytest.approx(simulation.scene.frame_dt_s / stated.substeps_per_frame)


def test_the_work_of_a_frame_counts_both_steps() -> None:
    water = '[material]\nkind = "water"\nspeed_limit_m_per_s = 2.0\n'
    shot = plain_shot(water + box_body("[0.0, 0.0, 0.0]", "[0.8, 0.8, 0.8]"))
    simulation, stated = Simulation(build_scene(shot, "S"), NumbaBackend(1)), estimate(shot, "S")
    first, second = simulation.advance_frame(), simulation.advance_frame()
    assert first.substeps == second.substeps == stated.substeps_per_frame
    whole, each = stated.sound_steps_per_frame, stated.sound_steps_per_substep
    assert each > 1 and (first.sound_steps, second.sound_steps) == (whole - each + (each + 1) // 2, whole)
    for work in (first, second):
        least, most = work.particle_substeps / work.substeps, work.particle_count
        assert least * work.sound_steps <= work.particle_sound_steps * ROUNDING <= most * work.sound_steps * ROUNDING


def heated(conductivity: float) -> Scene:
    scene = water_scene(np.full((1, 3), 0.4), (8, 8, 8), 0.1, frame_dt_s=0.1)
    scene.material[[k.MATERIAL_CONDUCTIVITY, k.MATERIAL_SPECIFIC_HEAT]] = conductivity, 1000.0
    return dataclasses.replace(scene, has_heat=True, temperature=np.full(1, 1400.0, np.float32))


@given(st.floats(1e2, 1e7), st.booleans())
def test_heat_steps_fill_a_frame_and_none_is_too_long(conductivity: float, from_rest: bool) -> None:
    scene = heated(conductivity)
    steps = scene_steps(scene, scene.speed_limit_m_per_s)
    substeps = substeps_of(scene, steps, from_rest)
    assert len(substeps) == steps.substeps
    assert sum(one.heat_dt_s for one in substeps) == pytest.approx(scene.frame_dt_s)
    limit_s = needs.conduction_s(scene.material, scene.cell_size_m)
    assert substeps[0].heat_dt_s > 0.0 and max(one.heat_dt_s for one in substeps) <= limit_s * ROUNDING
    first = (steps.sound_steps + 1) // 2 if from_rest else steps.sound_steps
    assert [one.sound_steps for one in substeps] == [first] + [steps.sound_steps] * (steps.substeps - 1)

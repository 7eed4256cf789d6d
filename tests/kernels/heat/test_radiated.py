"""Heat that lava radiates, against the law of Stefan and Boltzmann and the area of its free surface."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels.base import constants as k
from tests.kernels.heat.heat_state import State, black_w_per_m2, heat_j, heat_step, lattice, lava, radiating_m2, turned

F32 = np.float32
LOW = k.WALL_CELLS


def pool(cell_size_m: float, jitter: float = 0.0, depth: float = 3.0, edge: int = 16) -> State:
    """Lava of 1400 K over the whole floor of a box, which does not conduct."""
    points = lattice((LOW,) * 3, (LOW + edge, LOW + edge, LOW + depth), jitter)
    blocks = (edge + 2 * LOW) // 4
    state = lava(points, (blocks, blocks, 4), cell_size_m, 1400.0)
    state["material_in"][k.MATERIAL_CONDUCTIVITY] = 0
    return state


@pytest.mark.parametrize("jitter", [0.0, 0.15])
@pytest.mark.parametrize("cell_size_m", [1 / 16, 1 / 32, 0.1, 0.0455, 0.0179, 0.0089])
def test_a_pool_radiates_what_stefan_and_boltzmann_say(cell_size_m, jitter):
    """At the cells of a published case and of the lava's sizes S, M, L and XL, for two seconds."""
    state = pool(cell_size_m, jitter)
    before = heat_j(state)
    for _ in range(48):
        heat_step(state)
    area, seconds = (16 * cell_size_m) ** 2, 48 * float(state["heat_dt_s"])
    assert (before - heat_j(state)) / area == pytest.approx(black_w_per_m2(state) * seconds, rel=0.05)


@pytest.mark.parametrize("depth", [1.5, 2.0, 3.0, 3.25, 3.7, 4.0])
def test_what_a_pool_radiates_does_not_depend_on_where_its_surface_lies(depth):
    state = pool(0.1, depth=depth)
    heat_step(state)
    assert radiating_m2(state) == pytest.approx(1.6**2, rel=0.04)


def test_only_the_free_surface_cools():
    """By a layer of particles and a half at the most; nothing inside, on the floor or at the walls."""
    state = pool(0.1, depth=4.0)
    for _ in range(24):
        heat_step(state)
    z, lost = state["position_in"][:, 2] / 0.1 - LOW, 1400 - state["temperature_in"].astype(np.float64)
    share = [lost[(z > a) & (z < a + 0.5)].sum() / lost.sum() for a in (3.5, 3.0, 2.5)]
    assert share[0] > 0.55 and share[0] + share[1] > 0.85 and sum(share) > 0.97
    assert lost[z < 1.5].max() < 1e-3


@pytest.mark.parametrize("degrees", [0.0, 15.0, 30.0, 45.0])
def test_lava_on_a_slope_radiates_by_its_own_area(degrees):
    """A layer on inclined ground, its lattice level: the surface is a staircase of particles."""
    edge, tangent = 24, math.tan(math.radians(degrees))
    points = lattice((LOW, LOW, LOW), (LOW + edge, LOW + edge, 40), 0.1)
    above = (points[:, 2] - 6.3 - tangent * (points[:, 0] - LOW)) * math.cos(math.radians(degrees))
    points = points[(above > 0) & (above < 3)]
    state = lava(points, (8, 8, 11), 0.1, 1400.0)
    x = np.arange(41) * 0.1
    state["terrain_in"] = np.repeat((0.63 + tangent * (x - 0.1 * LOW))[:, None], 41, 1).astype(F32)
    state["terrain_geometry_in"] = np.array([0, 0, 0.1, k.TERRAIN_STICK], F32)
    heat_step(state)
    whole = 0.01 * edge**2 / math.cos(math.radians(degrees))
    assert radiating_m2(state) == pytest.approx(whole, rel=0.06)  # 45 degrees: the walls shade an edge of a cell
    if degrees <= 30:
        assert radiating_m2(state) == pytest.approx(whole, rel=0.04)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 45.0])
def test_a_turned_cube_in_the_air_radiates_from_all_sides(degrees):
    points = lattice((-8,) * 3, (8,) * 3, 0.1) @ turned(degrees).T + 20.3
    state = lava(points, (10, 10, 10), 0.05, 1400.0)
    heat_step(state)
    assert radiating_m2(state) == pytest.approx(6 * 0.8**2, rel=0.03)


def test_a_ball_radiates_from_all_sides():
    points = lattice((-8,) * 3, (8,) * 3, 0.1)
    points = points[(points**2).sum(axis=1) < 64] + 20.3
    state = lava(points, (10, 10, 10), 0.05, 1400.0)
    heat_step(state)
    radius = 0.05 * (3 * len(points) / 8 / (4 * math.pi)) ** (1 / 3)
    assert radiating_m2(state) == pytest.approx(4 * math.pi * radius**2, rel=0.05)


@pytest.mark.parametrize("gap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("thickness", [0.5, 1.0, 2.0])
def test_lava_on_a_shelf_radiates_upwards_only(thickness, offset, gap):
    """Wherever its nodes lie in the shelf, and where the lava does not quite touch it."""
    top = LOW + 6 + offset
    points = lattice((LOW, LOW, top + gap), (LOW + 16, LOW + 16, top + gap + 3), 0.1)
    state = lava(points, (6, 6, 6), 0.1, 1400.0)
    box = state["collider_in"][0]
    box[k.COLLIDER_KIND] = k.COLLIDER_BOX
    box[k.COLLIDER_A : k.COLLIDER_A + 3] = 1.2, 1.2, 0.1 * (top - thickness / 2)
    box[k.COLLIDER_B : k.COLLIDER_B + 3] = 2, 2, 0.1 * thickness / 2
    heat_step(state)
    assert radiating_m2(state) == pytest.approx(1.6**2, rel=0.05)
    z, lost = state["position_in"][:, 2] / 0.1, 1400 - state["temperature_in"]
    assert lost[z < top + gap + 0.7].sum() < 0.05 * lost.sum()


def test_lava_beside_a_pillar_radiates_upwards_only():
    points = lattice((LOW,) * 3, (LOW + 20, LOW + 20, LOW + 5), 0.1)
    away = np.hypot(points[:, 0] - 14.2, points[:, 1] - 13.7)
    state = lava(points[away > 3], (7, 7, 4), 0.1, 1400.0)
    pillar = state["collider_in"][0]
    pillar[k.COLLIDER_KIND] = k.COLLIDER_CYLINDER
    pillar[k.COLLIDER_A : k.COLLIDER_A + 3] = 1.42, 1.37, 0.9
    pillar[k.COLLIDER_B : k.COLLIDER_B + 3] = 0.3, 0, 0.8
    heat_step(state)
    assert radiating_m2(state) == pytest.approx(2.0**2 - math.pi * 0.3**2, rel=0.04)

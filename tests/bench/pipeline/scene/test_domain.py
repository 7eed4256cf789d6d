"""The domain is what was asked for, to half a cell on every axis, and holds the liquid there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.pipeline.render import trace_parameters
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.simulate import Simulation
from bench.pipeline.surface import Surface
from bench.shot.extent import cell_size_m, domain_cells, fitted, grid_cells
from bench.shot.load import load_shot, shot_names
from kernels.base import constants as k
from tests.support.tiny_shot import box_body, plain_shot, water

TANK_M = (3.22, 1.0, 1.0)  # SPHERIC's second test


def tank(cells_x: int, height_m: float = 0.2) -> Scene:
    """Water on the whole floor of the tank."""
    low, high = "[0.0, 0.0, 0.0]", f"[3.22, 1.0, {height_m}]"
    middle = water() + box_body(low, high, "hydrostatic = true")
    return build_scene(plain_shot(middle, str(list(TANK_M)), cells_x), "S", threads=1)


@pytest.mark.parametrize("cells_x", [24, 48, 96, 104])
def test_a_domain_is_as_long_as_it_was_asked_for_within_half_a_cell(cells_x: int) -> None:
    scene = tank(cells_x)
    cell = scene.cell_size_m
    assert scene.domain[0] == cells_x
    assert all(abs(n * cell - length) <= 0.5 * cell for n, length in zip(scene.domain, TANK_M))
    # The grid's box is whole blocks, with room behind both walls
    assert all(n % k.BLOCK_EDGE == 0 for n in scene.cells)
    assert all(0 <= n - (d + 2 * k.WALL_CELLS) < k.BLOCK_EDGE for n, d in zip(scene.cells, scene.domain))


@pytest.mark.parametrize("cells_x", [24, 48])
def test_water_fills_the_domain_to_its_walls_and_is_held_there(cells_x: int) -> None:
    scene = tank(cells_x)
    cell = scene.cell_size_m
    low = k.WALL_CELLS * cell
    high = low + np.array(scene.domain) * cell
    begins = scene.position[:, :3].astype(np.float64)
    assert (begins > low).all() and (begins < high).all()
    # Eight a cell, in every cell that touches a wall
    spots = np.floor((begins - low) / cell).astype(int)
    wide, deep = scene.domain[0], scene.domain[1]
    for axis, last in ((0, wide - 1), (1, deep - 1)):
        at_wall = np.count_nonzero(spots[:, axis] == last)
        assert at_wall == np.count_nonzero(spots[:, axis] == 0) > 0
    simulation = Simulation(scene, NumbaBackend(1))
    for _ in range(6):
        simulation.advance_frame()
    ends = np.array(simulation.position)[: simulation.particle_count, :3].astype(np.float64)
    assert (ends > low).all() and (ends < high).all()
    # Nothing pulls it away from the walls, nor lets it sink into the space behind them
    for axis in range(2):
        assert ends[:, axis].max() > high[axis] - 0.5 * cell and ends[:, axis].min() < low + 0.5 * cell
    stands = 2.0 * (ends[:, 2].mean() - low)
    assert stands == pytest.approx(2.0 * (begins[:, 2].mean() - low), rel=0.02)


def test_a_picture_s_walls_are_the_domain_s() -> None:
    scene = tank(24)
    cell = scene.cell_size_m
    picture = Surface(scene, NumbaBackend(1)).picture
    high = (np.array(scene.domain) + k.WALL_CELLS) * cell
    assert np.allclose(picture[k.PICTURE_HIGH_X : k.PICTURE_HIGH_Z + 1], high, rtol=1e-6)
    scene.look[k.LOOK_MIRROR_Y_HIGH] = 1.0
    traced = trace_parameters(scene, picture)
    assert traced[k.TRACE_HIGH_Y] == pytest.approx(high[1], rel=1e-6)
    assert traced[k.TRACE_HIGH_X] == pytest.approx(scene.cells[0] * cell, rel=1e-6)


@pytest.mark.parametrize("name", shot_names())
def test_shipped_shots_are_whole_blocks_at_every_size(name: str) -> None:
    shot = load_shot(name)
    for size in shot.sizes.values():
        domain = domain_cells(shot.file.domain, size)
        assert all(n % k.BLOCK_EDGE == 0 for n in domain)
        assert grid_cells(domain) == tuple(n + 2 * k.WALL_CELLS for n in domain)
        cell = cell_size_m(shot.file.domain, size)
        assert np.allclose([n * cell for n in domain], shot.file.domain.size_m, rtol=1e-12)
        assert fitted(shot.file, size) is shot.file


@pytest.mark.parametrize(
    ("centre", "direction", "radius_m"),
    [
        ([0.0, 0.5, 0.5], [1.0, 0.0, 0.0], 0.2),
        ([0.5, 1.0, 0.5], [0.0, -1.0, 0.0], 0.2),
        ([0.5, 0.5, 1.0], [0.0, 0.0, -1.0], 0.2),
        ([0.2, 0.5, 0.5], [0.0, 1.0, 0.0], 0.2),
        ([0.5, 0.5, 0.9], [0.0, 0.0, -1.0], 0.5),
    ],
)
def test_a_disc_in_a_wall_pours(centre: list[float], direction: list[float], radius_m: float) -> None:
    """Also where the grid's wall stands up to half a cell before the one that was asked for."""
    pour = f"[[emitter]]\ncentre_m = {centre}\nradius_m = {radius_m}\ndirection = {direction}\nspeed_m_per_s = 1.0\n"
    scene = build_scene(plain_shot(water() + pour, "[3.22, 1.0, 1.0]", 24), "S", threads=1)
    simulation = Simulation(scene, NumbaBackend(1))
    for _ in range(3):
        simulation.advance_frame()
    disc = scene.emitters[0]
    poured_m3 = np.pi * disc.radius_m**2 * 3 / 24
    assert disc.radius_m == pytest.approx(radius_m, abs=scene.cell_size_m)
    assert simulation.particle_count == pytest.approx(poured_m3 / (scene.cell_size_m**3 / 8), abs=1.5)


def fallen(walls: str, gravity: str) -> float:
    """How far (m) a block of water on the floor and at a wall has moved along gravity in a quarter of a second."""
    middle = water() + box_body("[0.0, 0.4, 0.0]", "[0.4, 0.8, 0.4]") + f"[force]\ngravity_m_per_s2 = {gravity}\n"
    file = plain_shot(middle, "[1.2, 1.2, 1.2]", 24)
    if walls:
        sides = dict.fromkeys(("x_min", "z_min"), walls)
        held = file.file.domain.model_copy(update={"walls": file.file.domain.walls.model_copy(update=sides)})
        file = replace(file, file=file.file.model_copy(update={"domain": held}))
    scene = build_scene(file, "S", threads=1)
    simulation = Simulation(scene, NumbaBackend(1))
    for _ in range(6):
        simulation.advance_frame()
    along = np.array(scene.force[k.FORCE_GRAVITY_X : k.FORCE_GRAVITY_Z + 1]) / 9.81
    ends = np.array(simulation.position)[: simulation.particle_count, :3]
    return float((ends.mean(axis=0) - scene.position[:, :3].mean(axis=0)) @ along)


@pytest.mark.parametrize("gravity", ["[0.0, 0.0, 9.81]", "[9.81, 0.0, 0.0]"])
def test_walls_let_water_go_unless_they_are_asked_to_hold_it(gravity: str) -> None:
    """Gravity upwards lets it fall up, sideways away from the wall; ``slip`` keeps what touches it."""
    free = 0.5 * 9.81 * 0.25**2
    assert fallen("", gravity) == pytest.approx(free, rel=0.03)
    assert fallen("slip", gravity) < 0.95 * free

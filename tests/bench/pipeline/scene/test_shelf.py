"""A solid that ends at a wall of the domain goes on behind it: a shelf from wall to wall is tight."""

from __future__ import annotations

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.extent import BEHIND_CELLS
from kernels.base import constants as k
from tests.support.tiny_shot import box_body, plain_shot, water

TANK_M = "[1.0, 0.5, 2.0]"
LOAD = box_body("[0.0, 0.0, 1.0]", "[1.0, 0.5, 1.8]", "hydrostatic = true")


def collider(low: str, high: str, boundary: str) -> str:
    return f'[[collider]]\nkind = "box"\nmin_m = {low}\nmax_m = {high}\nboundary = "{boundary}"\n'


def shelf(more: str, body: str = LOAD, cells_x: int = 24) -> Scene:
    return build_scene(plain_shot(water() + body + more, TANK_M, cells_x), "S", threads=1)


def after(scene: Scene, frames: int) -> np.ndarray:
    """Places of the particles (m) in the shot's frame."""
    simulation = Simulation(scene, NumbaBackend(1))
    for _ in range(frames):
        simulation.advance_frame()
    place = np.array(simulation.position)[: simulation.particle_count, :3].astype(np.float64)
    return place - k.WALL_CELLS * scene.cell_size_m


@pytest.mark.parametrize(
    ("foot", "reach", "boundary"),
    [(0.9, 0.0, "separate"), (0.97, 0.0, "slip"), (0.9, 0.1, "separate"), (0.9, -0.015, "slip")],
)
def test_water_stands_on_a_shelf_from_wall_to_wall(foot: float, reach: float, boundary: str) -> None:
    """Also where it ends 0.1 m behind the walls, or a third of a cell before them."""
    low, high = f"[{-reach}, {-reach}, {foot}]", f"[{1.0 + reach}, {0.5 + reach}, 1.0]"
    scene = shelf(collider(low, high, boundary))
    z = after(scene, 24)[:, 2]
    cell = scene.cell_size_m
    assert np.count_nonzero(z < 1.0 - 0.5 * cell) == 0
    assert z.min() == pytest.approx(1.0, abs=0.5 * cell)
    assert 1.0 + 2.0 * (z.mean() - 1.0) == pytest.approx(1.8, abs=0.5 * cell)


def test_what_ends_at_a_wall_goes_on_behind_it_for_the_liquid_only() -> None:
    scene = shelf(
        collider("[0.0, 0.2, 0.9]", "[1.0, 0.3, 1.0]", "slip")
        + '[[collider]]\nkind = "cylinder"\ncentre_m = [0.3, 0.2, 0.2]\nradius_m = 0.1\nheight_m = 0.4\n'
        + '[[collider]]\nkind = "sphere"\ncentre_m = [0.3, 0.2, 0.0]\nradius_m = 0.1\n'
        + collider("[0.4, 0.2, 0.4]", "[0.6, 0.3, 0.5]", "slip")
    )
    cell, behind = scene.cell_size_m, (k.WALL_CELLS + BEHIND_CELLS) * scene.cell_size_m
    offset = k.WALL_CELLS * cell
    seen, met = scene.colliders.astype(np.float64), scene.solids.astype(np.float64)
    a, b = slice(k.COLLIDER_A, k.COLLIDER_A + 3), slice(k.COLLIDER_B, k.COLLIDER_B + 3)
    assert np.allclose(seen[0, a] - offset, [0.5, 0.25, 0.95]) and np.allclose(seen[0, b], [0.5, 0.05, 0.05])
    assert np.allclose(met[0, a], seen[0, a]) and np.allclose(met[0, b], [0.5 + behind, 0.05, 0.05])
    # A cylinder from the floor up: its foot goes on below, its top stays
    assert met[1, k.COLLIDER_A + 2] + met[1, k.COLLIDER_B + 2] == pytest.approx(0.4 + offset)
    assert met[1, k.COLLIDER_A + 2] - met[1, k.COLLIDER_B + 2] == pytest.approx(offset - behind)
    assert np.array_equal(met[2:], seen[2:])


def test_no_liquid_is_put_into_the_slit_before_a_wall() -> None:
    scene = shelf(
        collider("[0.02, -1.0, -1.0]", "[0.3, 2.0, 3.0]", "slip"), box_body("[0.0, 0.0, 0.0]", "[1.0, 0.5, 0.5]")
    )
    assert (scene.position[:, 0] - k.WALL_CELLS * scene.cell_size_m).min() > 0.3

"""Inputs of mpm_grid: nodes on the faces, axes and middles of solids, far from walls, and under an aslant gravity.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import numpy as np

from kernels.base import constants as k
from kernels.mpm import mpm_grid
from kernels.mpm.mpm_collide import CONTACT, SETTLED, THIN
from tests.twin_cases.mpm.substep import (
    DX,
    F32,
    INSIDE_HIGH,
    INSIDE_LOW,
    Arguments,
    Maker,
    arguments_of,
    box,
    particles,
    vortex,
)

# --- Solids whose faces, axes and middles are on nodes -------------------------------------------

HELD = float(CONTACT)  # cells: a node so far from a solid is just held
SLIM = float(THIN) / 2  # cells: half of what is just thin
BOX, CAPSULE, CYLINDER = k.COLLIDER_BOX, k.COLLIDER_CAPSULE, k.COLLIDER_CYLINDER
# In cells: kind, then A, B and C of a collider
FLUSH: dict[str, tuple[tuple[int, tuple[float, ...]], ...]] = {
    "on a cube's middle planes": ((BOX, (8, 10, 12, 3, 3, 3, 0)),),
    "on a brick's middle planes": ((BOX, (8, 10, 12, 3, 2, 4, 0.5)),),
    "on a tile's middle planes": ((BOX, (8, 10, 12, 4, 4, SLIM + 0.25, 0)),),
    "on a plate's middle planes": ((BOX, (8, 10, 12, 3, SLIM, 4, 0.25)), (BOX, (8, 15, 9, 1, 4, 4, 0))),
    "in a ball's middle": ((k.COLLIDER_SPHERE, (8, 10, 12, 2)), (k.COLLIDER_SPHERE, (8, 10, 17, SLIM))),
    "on a capsule's axis": ((CAPSULE, (8, 10, 10, 8, 10, 14, SLIM)), (CAPSULE, (5, 7, 16, 11, 13, 16, 2))),
    "on a capsule of no length": ((CAPSULE, (8, 10, 12, 8, 10, 12, 2)),),
    "on a column's axis": ((CYLINDER, (8, 10, 12, 2, 0, 4, 0)),),
    "on a disc's axis": ((CYLINDER, (8, 10, 12, 4, 0, SLIM, 0.5)),),
    "on a drum's axis": ((CYLINDER, (8, 10, 12, 3, 0, 3, 1)),),
    "on a pipe's axis": ((k.COLLIDER_VESSEL, (8, 10, 0, HELD)),),
    "in a pipe": ((k.COLLIDER_VESSEL, (8, 10, 0, 3)),),
    "between two solids": ((BOX, (8, 10, 9, 4, 4, 2, 0)), (k.COLLIDER_SPHERE, (8, 10, 14, 2))),
}


def solids(rows: tuple[tuple[int, tuple[float, ...]], ...], boundary: int = k.BOUNDARY_SEPARATE) -> Maker:
    """Colliders stated in cells, in a box full of particles."""

    def make(rng: np.random.Generator) -> Arguments:
        state = box(rng)
        state["force"][k.FORCE_SKIN_FRICTION] = 0.25
        state["collider"] = np.zeros((len(rows), k.COLLIDER_WORDS), F32)
        for row, (kind, words) in zip(state["collider"], rows):
            row[: k.COLLIDER_A] = kind, boundary
            places = k.COLLIDER_A, k.COLLIDER_B, k.COLLIDER_C
            if kind in (k.COLLIDER_SPHERE, k.COLLIDER_VESSEL):
                row[places[0] : places[0] + 3], row[places[1]] = np.array(words[:3]) * DX, words[3] * DX
            else:
                row[places[0] : places[0] + 3] = np.array(words[:3]) * DX
                row[places[1] : places[1] + 3], row[places[2]] = np.array(words[3:6]) * DX, words[6] * DX
        return state

    return make


def moving(rows: tuple[tuple[int, tuple[float, ...]], ...], boundary: int, axes: tuple[int, ...]) -> Maker:
    """The same, somewhat later in a frame in which the solids move, along some axes alone."""

    def make(rng: np.random.Generator) -> Arguments:
        state = solids(rows, boundary)(rng)
        state["step"][[k.STEP_FRAME_TIME, k.STEP_TIME]] = 0.5, 0.53125
        velocity = np.zeros((len(rows), 3), F32)
        velocity[:, axes] = rng.normal(0.0, 1.0, (len(rows), len(axes)))
        state["collider"][:, k.COLLIDER_VELOCITY : k.COLLIDER_VELOCITY + 3] = velocity
        # Where they are by now is where they stand without motion: on nodes
        state["collider"][:, k.COLLIDER_A : k.COLLIDER_A + 3] -= velocity * F32(0.03125)
        return state

    return make


WAYS = ((0,), (1,), (2,), (0, 1, 2))


def faint_beside_solids(rng: np.random.Generator) -> Arguments:
    """Velocities that round to -0, which a solid at rest leaves as they are."""
    state = solids(FLUSH["between two solids"], k.BOUNDARY_SLIP)(rng)
    state["step"][k.STEP_VELOCITY_UNIT] = 1e-44
    return state


def ground(height: float, step: float = 0.0, spacing: float = 1.0) -> Maker:
    """Terrain, in cells: as high everywhere, or with a step in the middle that rises over one spacing."""

    def make(rng: np.random.Generator) -> Arguments:
        state = box(rng)
        state["force"][k.FORCE_SKIN_FRICTION] = 0.5
        state["terrain_geometry"][:] = 0, 0, spacing * DX, k.TERRAIN_SEPARATE
        state["terrain"] = np.full((24, 24), height * DX, F32)
        state["terrain"][8:] += F32(step * DX)
        return state

    return make


GROUND: dict[str, Maker] = {
    **{f"ground {height} cells high": ground(height) for height in (8.25, 9.0, 9 - HELD)},
    "ground where the share's pieces meet": ground(8.5 + float(SETTLED)),
    "a cliff": ground(4.5, 15.0),
    "a steep slope far below": ground(-6.0, 40.0),
    "ground just near": ground(4.0),
}


def far_from_walls(rng: np.random.Generator) -> Arguments:
    """Liquid in blocks where no wall is near, so that vortex, ground or solid alone is why a node is asked."""
    return particles(rng, 300, [16, 20, 18], [24, 28, 26], cells=(40, 48, 44))


def far_vortex(rng: np.random.Generator) -> Arguments:
    state, words = far_from_walls(rng), vortex(rng)["force"]
    state["force"][k.VORTEX_ON :] = words[k.VORTEX_ON :]
    state["force"][[k.VORTEX_X, k.VORTEX_REACH, k.VORTEX_Z_HIGH]] = 0, 2, 3
    return state


def far_ground(rng: np.random.Generator) -> Arguments:
    state = far_from_walls(rng)
    state["terrain_geometry"][:] = 0, 0, 48 * DX, k.TERRAIN_STICK
    state["terrain"][:] = 22 * DX
    return state


def far_sphere(rng: np.random.Generator) -> Arguments:
    state = far_from_walls(rng)
    state["collider"][0, : k.COLLIDER_A] = k.COLLIDER_SPHERE, k.BOUNDARY_SLIP
    state["collider"][0, k.COLLIDER_A : k.COLLIDER_B + 1] = np.array([20, 24, 22, 3]) * DX
    return state


def near_walls(cell_size_m: float, *fewer: int) -> Maker:
    """Cells of a size by which a node a cell inside a wall, times the size and over it, comes out nearer the wall."""

    def make(rng: np.random.Generator) -> Arguments:
        state = particles(rng, 2000, INSIDE_LOW, INSIDE_HIGH, dx=cell_size_m)
        state["walls"][k.DOMAIN_X : k.DOMAIN_Z + 1] -= np.array(fewer, np.int32)
        return state

    return make


def walls_with_a_skin(rng: np.random.Generator) -> Arguments:
    state = particles(rng, 2000, INSIDE_LOW, INSIDE_HIGH)
    state["walls"][:6] = k.BOUNDARY_SEPARATE
    state["force"][k.FORCE_SKIN_FRICTION] = 0.5
    return state


# --- Gravity ------------------------------------------------------------------------------------


def aslant(rng: np.random.Generator) -> Arguments:
    """Another gravity along each axis."""
    arguments: Arguments = mpm_grid.KERNEL.example(rng, 300)
    arguments["force_in"][[k.FORCE_GRAVITY_X, k.FORCE_GRAVITY_Y, k.FORCE_GRAVITY_Z]] = 1.5, -2.5, -9.0
    return arguments


CASES: dict[str, dict[str, Maker]] = {
    "mpm_grid": {
        "gravity aslant": aslant,
        **{label: arguments_of("mpm_grid", solids(rows)) for label, rows in FLUSH.items()},
        "on a slippery cube's middle planes": arguments_of(
            "mpm_grid", solids(FLUSH["on a cube's middle planes"], k.BOUNDARY_SLIP)
        ),
        **{
            f"{label}, moving": arguments_of("mpm_grid", moving(rows, n % 3, WAYS[n % 4]))
            for n, (label, rows) in enumerate(FLUSH.items())
        },
        **{label: arguments_of("mpm_grid", maker) for label, maker in GROUND.items()},
        **{
            maker.__name__: arguments_of("mpm_grid", maker)
            for maker in (far_from_walls, far_vortex, far_ground, far_sphere, faint_beside_solids, walls_with_a_skin)
        },
        "nearer low walls": arguments_of("mpm_grid", near_walls(0.066, 0, 0, 0)),
        "nearer high walls": arguments_of("mpm_grid", near_walls(0.1951, 0, 1, 2)),
    }
}

"""Inputs of the surface's and the fog's kernels at the edges of what makes a brick air, liquid or neither.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from kernels.base import constants as k
from tests.twin_cases.surface import (
    CELL,
    CUT,
    F32,
    GOES_ON,
    MIXED,
    OPEN,
    SPACING,
    TURNED,
    Arguments,
    Chain,
    Maker,
    pool,
)

ONE_OPEN = [tuple(k.WALL_OPEN if wall == at else k.WALL_CONTINUE for wall in range(6)) for at in range(6)]


def scattered(rng: np.random.Generator, walls: tuple[int, ...], number: int, voxel: Any = SPACING) -> Chain:
    """Lone particles and effects in a box of many bricks."""
    cells = (24, 16, 20)
    liquid, effects = (rng.uniform(0, 0.125, (number, 3)) * cells for _ in range(2))
    return Chain(liquid, effects, cells=cells, walls=walls, voxel=voxel)


def brimful(
    rng: np.random.Generator,
    walls: tuple[int, ...],
    short: int,
    margin: int,
    cells: tuple[int, int, int] = (16, 12, 20),
    voxel: Any = SPACING,
    rim: tuple[int, int] = (2, 2),
) -> Chain:
    """Just as many particles in each cell as make it full, but for ``short`` cells: bricks inside and at the rim.

    margin: empty cells at the rim; rim: how many cells inside of it walls stand, the low and the high ones.
    """
    axes = [np.arange(margin, n - margin) + 0.5 for n in cells]
    centre = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    points = np.delete(np.repeat(centre, 2, axis=0), rng.choice(2 * len(centre), short, replace=False), axis=0)
    return Chain(points * float(CELL), cells=cells, walls=walls, voxel=voxel, rim=rim)


def never_full(rng: np.random.Generator) -> Chain:
    """27 bricks of liquid, the middle one of which only its values show to be nothing else."""
    return Chain(pool(rng, 0.0, (1.5, 1.5, 1.5)), cells=(12, 12, 12), full=1000)


def longer_than_wide(rng: np.random.Generator) -> Chain:
    """Liquid that walls cut, in a grid with other numbers of bricks along y and z than two and two."""
    return Chain(pool(rng, 0.2, (1.3, 0.8, 1.3)), cells=(12, 8, 12), walls=CUT)


def level(rng: np.random.Generator, sign: int) -> Arguments:
    """A plane surface through nodes: the nearest ones of the bricks in the middle are just two voxels away."""
    arguments = never_full(rng).before["surf_distance"]
    entry, value = arguments["entry_in"], arguments["value_in"]
    gy, gz = arguments["grid_in"][1:3]
    node = 8 * (entry // (gy * gz))[:, None] + np.arange(k.BRICK_NODES) // 81
    value[: len(entry), :, 0] = F32(sign) * (node - 18).astype(F32) * arguments["picture_in"][k.PICTURE_VOXEL]
    return arguments


def _scattered() -> dict[str, functools.partial[Chain]]:
    return {
        f"scattered {walls[0]} {number}": functools.partial(scattered, walls=walls, number=number)
        for walls, number in itertools.product((OPEN, CUT), (3, 6, 10, 15))
    } | {"scattered, small voxels": functools.partial(scattered, walls=OPEN, number=8, voxel=F32(0.3) * CELL)}


def _brimful() -> dict[str, functools.partial[Chain]]:
    brims = itertools.product((OPEN, CUT, GOES_ON, MIXED), (0, 4, 9), (0, 2))
    made = {
        f"brimful {''.join(map(str, walls))} {short} {margin}": functools.partial(
            brimful, walls=walls, short=short, margin=margin
        )
        for walls, short, margin in (*brims, *((walls, 0, 2) for walls in ONE_OPEN))
    }
    # What must be full then ends just at the rim
    sixth = functools.partial(brimful, walls=OPEN, short=0, margin=0, cells=(8, 8, 8), voxel=CELL / F32(6))
    # Empty cells before a wall, through which the liquid would go on
    gap = functools.partial(brimful, walls=TURNED, short=0, margin=2, cells=(16, 16, 20), rim=(2, 0))
    # Bricks that end just two voxels before the walls
    near = functools.partial(brimful, walls=CUT, short=0, margin=0, cells=(16, 16, 20), rim=(3, 3))
    return made | {
        "brimful, voxels of a sixth of a cell": sixth,
        "brimful, but for a gap": gap,
        "brimful, near walls": near,
    }


def _of(scene: functools.partial[Chain], kernel: str) -> Maker:
    return lambda rng: scene(rng).before[kernel]


def between_nodes(rng: np.random.Generator, offset: float) -> Arguments:
    """A plane surface between nodes: what is marched to is as far from one neighbour as from the other."""
    arguments = level(rng, sign=1)
    value = arguments["value_in"][: len(arguments["entry_in"]), :, 0]
    value += F32(offset) * arguments["picture_in"][k.PICTURE_VOXEL]
    return arguments


def at_reach(rng: np.random.Generator) -> Arguments:
    """Two particles just as far from nodes as they reach, where rounding would leave them some weight."""
    points = np.array([[0.31, 0.5, 0.5], [0.565, 0.5, 0.5]])
    arguments = Chain(points, cells=(8, 8, 8)).before["surf_field"]
    picture = arguments["picture_in"]
    for reach in np.arange(0.125, 0.1875, 2.0**-10, F32):
        square = reach * reach
        if float(square) * float(F32(1) / square) < 1:
            break
    else:
        raise AssertionError("no such reach")
    picture[k.PICTURE_REACH] = reach
    arguments["binned_in"][:2, 0] = 0.4375 - reach, 0.4375 + reach
    return arguments


def last_bit_of_lean(rng: np.random.Generator) -> Arguments:
    """Walls so far from a plane of nodes that their lean shows every rounding of the polynomial it comes from."""
    arguments = Chain(rng.uniform(0.05, 0.95, (1500, 3)), walls=GOES_ON).before["surf_field"]
    arguments["picture_in"][k.PICTURE_LOW_X : k.PICTURE_LOW_X + 3] = 0.2241058349609375  # one in ten thousand does
    return arguments


def bumpy(rng: np.random.Generator) -> Chain:
    """Drops on and under ground of every height, which rises by most of a brick within it."""
    heights = rng.uniform(0.05, 0.95, (5, 5)).astype(F32)
    ground = np.array([0, 0, 0.25, k.TERRAIN_SLIP], F32)
    return Chain(rng.uniform(0, 1, (500, 3)), walls=OPEN, terrain=(ground, heights))


def gorge(rng: np.random.Generator) -> Chain:
    """High ground, but for a gorge in the first row of bricks."""
    heights = np.repeat(np.array([[0.9], [0.05], [0.9], [0.85], [0.9]], F32), 5, axis=1)
    ground = np.array([0, 0, 0.25, k.TERRAIN_SLIP], F32)
    return Chain(rng.uniform(0, 1, (300, 3)), walls=OPEN, terrain=(ground, heights))


def over_slope(rng: np.random.Generator) -> Chain:
    """A sheet of particles on nodes, over ground that comes as close to each as to no other."""
    axis = np.arange(4, 13) / 16
    points = np.stack(np.meshgrid(axis, axis, [0.5], indexing="ij"), -1).reshape(-1, 3)
    heights = np.array([[0.36, 0.39], [0.45, 0.497]], F32)
    return Chain(points, walls=OPEN, terrain=(np.array([0.2, 0.2, 0.6, k.TERRAIN_SLIP], F32), heights))


CASES: dict[str, dict[str, Maker]] = {
    "surf_bricks": {label: _of(scene, "surf_bricks") for label, scene in (_scattered() | _brimful()).items()},
    "surf_field": {
        "at reach": at_reach,
        "last bit of lean": last_bit_of_lean,
        **{scene.__name__: _of(functools.partial(scene), "surf_field") for scene in (bumpy, gorge, over_slope)},
    },
    "fog_bricks": {label: _of(scene, "fog_bricks") for label, scene in _scattered().items()},
    "surf_distance": {
        "never full": lambda rng: never_full(rng).before["surf_distance"],
        "longer than wide": lambda rng: longer_than_wide(rng).before["surf_distance"],
        "level": functools.partial(level, sign=1),
        **{f"between nodes {offset}": functools.partial(between_nodes, offset=offset) for offset in (0.3, 0.7)},
        "level, liquid above": functools.partial(level, sign=-1),
    },
}

"""Inputs of the surface's and the fog's kernels at the edges of what makes a brick air, liquid or neither.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from kernels import constants as k
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


def scattered(rng: np.random.Generator, walls: tuple[int, ...], number: int) -> Chain:
    """Lone particles and effects in a box of many bricks."""
    cells = (24, 16, 20)
    liquid, effects = (rng.uniform(0, 0.125, (number, 3)) * cells for _ in range(2))
    return Chain(liquid, effects, cells=cells, walls=walls)


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
    }


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
    return made | {"brimful, voxels of a sixth of a cell": sixth, "brimful, but for a gap": gap}


def _of(scene: functools.partial[Chain], kernel: str) -> Maker:
    return lambda rng: scene(rng).before[kernel]


CASES: dict[str, dict[str, Maker]] = {
    "surf_bricks": {label: _of(scene, "surf_bricks") for label, scene in (_scattered() | _brimful()).items()},
    "fog_bricks": {label: _of(scene, "fog_bricks") for label, scene in _scattered().items()},
    "surf_distance": {
        "never full": lambda rng: never_full(rng).before["surf_distance"],
        "level": functools.partial(level, sign=1),
        "level, liquid above": functools.partial(level, sign=-1),
    },
}

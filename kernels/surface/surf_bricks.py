"""Which bricks of the surface get values: those near the liquid's surface.

A brick is air where no particle is near enough to put a surface within two voxels of it; it is inside where every cell
in and around it is full, walls apart; all others get values. Cells beyond a wall that the liquid continues through do
not count. An inside brick and an air brick never touch: the cells around an inside brick hold particles, and whatever
touches it is near them.

start_in int32[cells + 1]: ``surf_scan``. class_out int32[gx*gy*gz] = 0 (values), BRICK_OUTSIDE or BRICK_INSIDE.

Paper: none.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, HALF, ONE, TWO, kernel
from kernels.base.constants import (
    BRICK_EDGE,
    BRICK_INSIDE,
    BRICK_OUTSIDE,
    PICTURE_CELL,
    PICTURE_FULL,
    PICTURE_HIGH_X,
    PICTURE_LOW_X,
    PICTURE_MARGIN,
    PICTURE_RADIUS,
    PICTURE_VOXEL,
    PICTURE_WORDS,
    WALL_CONTINUE,
    WALL_CUT,
    WALL_OPEN,
)
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import peek, poke
from kernels.surface.surf_count import clamp_cell, pool
from kernels.surface.surf_lanes import device_call, inlined, task_call

EIGHT = F32(8.0)
# Particles are looked for a little beyond their kernel, so that no brick's rounding decides whether one counts
SLACK = F32(1.0001)
# Default settings, in particle spacings: the kernel's radius makes a single particle as large as its share of the
# volume and puts a flat surface where it belongs, both with the same radius (0.246 REACH)
REACH_SPACINGS = F32(2.52)
RADIUS_SHARE = F32(0.24609)  # of the reach: distance of a half space's weighted centroid from its surface


@inlined
def clamp_to_walls(x, axis, walls, picture):
    """The coordinate nearest to x that the level set is evaluated at: walls that are not open hold it back."""
    low, high = picture[PICTURE_LOW_X + axis], picture[PICTURE_HIGH_X + axis]
    if walls[2 * axis] != WALL_OPEN and x < low:
        return low
    if walls[2 * axis + 1] != WALL_OPEN and x > high:
        return high
    return x


@inlined
def cell_range(low, high, inverse_cell, cells):
    """First and last cell that an interval (m) reaches."""
    return clamp_cell(low * inverse_cell, cells), clamp_cell(high * inverse_cell, cells)


@inlined
def domain_cells(axis, cells, walls, inverse_cell, picture):
    """First and last cell that can hold liquid."""
    first, last = np.int64(0), np.int64(cells - 1)
    if walls[2 * axis] != WALL_OPEN:
        first = clamp_cell(picture[PICTURE_LOW_X + axis] * inverse_cell + HALF, cells)
    if walls[2 * axis + 1] != WALL_OPEN:
        last = max(first, clamp_cell(picture[PICTURE_HIGH_X + axis] * inverse_cell + HALF, cells + 1) - 1)
    return first, last


@inlined
def any_particle(i0, i1, j0, j1, k0, k1, cells_y, cells_z, start):
    """Whether a box of cells holds a particle."""
    for i in range(i0, i1 + 1):
        for j in range(j0, j1 + 1):
            row = (i * cells_y + j) * cells_z
            if peek(start, row + k1 + 1) > peek(start, row + k0):
                return True
    return False


@inlined
def _all_full(i0, i1, j0, j1, k0, k1, cells_y, cells_z, full, start):
    for i in range(i0, i1 + 1):
        for j in range(j0, j1 + 1):
            row = (i * cells_y + j) * cells_z
            for k in range(k0, k1 + 1):
                if peek(start, row + k + 1) - peek(start, row + k) < full:
                    return False
    return True


@device_call
def _axis_ranges(brick, axis, cells, walls, picture):
    """(first, last) cell near the brick, (first, last) cell that must be full, and whether it may be inside."""
    voxel, cell = picture[PICTURE_VOXEL], picture[PICTURE_CELL]
    inverse_cell = ONE / cell
    low = clamp_to_walls(EIGHT * voxel * F32(brick), axis, walls, picture)
    high = clamp_to_walls(EIGHT * voxel * F32(brick + 1), axis, walls, picture)
    near = picture[PICTURE_RADIUS] + picture[PICTURE_MARGIN] + TWO * voxel
    a, b = cell_range(low - near, high + near, inverse_cell, cells)
    first, last = domain_cells(axis, cells, walls, inverse_cell, picture)
    deep = cell + TWO * voxel
    c, d = cell_range(low - deep, high + deep, inverse_cell, cells)
    # What reaches past the last cell that can hold liquid is open, unless the wall there continues it
    inside = not (walls[2 * axis] == WALL_CUT and low - TWO * voxel < picture[PICTURE_LOW_X + axis])
    inside = inside and not (walls[2 * axis + 1] == WALL_CUT and high + TWO * voxel > picture[PICTURE_HIGH_X + axis])
    inside = inside and not (walls[2 * axis] == WALL_OPEN and low - deep < F32(0.0))
    inside = inside and not (walls[2 * axis + 1] == WALL_OPEN and high + deep > cell * F32(cells))
    return a, b, max(c, first), min(d, last), inside


@kernel
def cpu(cells_x, cells_y, cells_z, grid_in, walls_in, picture_in, start_in, class_out):
    for column in numba.prange(grid_in[0] * grid_in[1]):
        _classify_column(
            np.int64(column), cells_x, cells_y, cells_z, grid_in, walls_in, picture_in, start_in, class_out
        )


@task_call
def _classify_column(column, cells_x, cells_y, cells_z, grid, walls, picture, start, class_out):
    gy, gz = np.int64(grid[1]), np.int64(grid[2])
    full = np.int32(picture[PICTURE_FULL])
    i0, i1, i2, i3, inside_x = _axis_ranges(column // gy, 0, cells_x, walls, picture)
    j0, j1, j2, j3, inside_y = _axis_ranges(column % gy, 1, cells_y, walls, picture)
    for brick_z in range(gz):
        k0, k1, k2, k3, inside_z = _axis_ranges(brick_z, 2, cells_z, walls, picture)
        result = BRICK_OUTSIDE
        if any_particle(i0, i1, j0, j1, k0, k1, cells_y, cells_z, start):
            result = 0
            if inside_x and inside_y and inside_z and _all_full(i2, i3, j2, j3, k2, k3, cells_y, cells_z, full, start):
                result = BRICK_INSIDE
        poke(class_out, column * gz + brick_z, np.int32(result))


def traffic(**arguments):
    bricks = arguments["class_out"].size
    return Traffic(items=bricks, bytes_read=4 * arguments["start_in"].size, bytes_written=4 * bricks, flops=0)


def picture_parameters(cell_size_m, spacing_m, voxel_m, fog_voxel_m, low, high, heat=False):
    """picture float32[PICTURE_WORDS] with the default settings; spacing_m is that of particles at rest."""
    from kernels.base import constants as c

    cell, spacing, voxel, fog_voxel = F32(cell_size_m), F32(spacing_m), F32(voxel_m), F32(fog_voxel_m)
    picture = np.zeros(PICTURE_WORDS, np.float32)
    picture[c.PICTURE_CELL] = cell
    picture[c.PICTURE_VOXEL] = voxel
    # Far enough that each node around the surface sees a particle, near enough that 8 nodes in a row hold all it sees
    reach = min(max(REACH_SPACINGS * spacing, F32(2.15) * voxel), F32(2.9) * voxel)
    picture[c.PICTURE_REACH] = reach
    picture[c.PICTURE_RADIUS] = RADIUS_SHARE * F32(reach)
    picture[c.PICTURE_LOW_X : c.PICTURE_LOW_X + 3] = low
    picture[c.PICTURE_HIGH_X : c.PICTURE_HIGH_X + 3] = high
    picture[c.PICTURE_MARGIN] = F32(0.35) * spacing
    picture[c.PICTURE_FOAM_REACH] = min(max(F32(2.0) * spacing, F32(1.5) * voxel), F32(2.9) * voxel)
    picture[c.PICTURE_FOG_VOXEL] = fog_voxel
    picture[c.PICTURE_FOG_REACH] = F32(1.75) * fog_voxel
    picture[c.PICTURE_HEAT] = F32(1.0 if heat else 0.0)
    # A quarter of the particles at rest
    fill = (cell / spacing) * (cell / spacing) * (cell / spacing)
    picture[c.PICTURE_FULL] = F32(max(1, round(float(fill) / 4)))
    return picture


def picture_grid(cells, picture):
    """grid int32[6]: surface bricks, then fog bricks, on each axis, that cover the simulation's box."""
    from kernels.base.constants import PICTURE_FOG_VOXEL

    edges = []
    for slot in (PICTURE_VOXEL, PICTURE_FOG_VOXEL):
        edge = float(picture[slot]) * BRICK_EDGE
        edges += [max(1, int(np.ceil(n * float(picture[PICTURE_CELL]) / edge - 1e-4))) for n in cells]
    return np.array(edges, np.int32)


def binned_pool(rng, size, heat=False):
    """A binned jittered pool between walls, as arguments that several kernels share, by name."""
    cells, cell_size_m, number, position = pool(rng, size)
    cell = np.floor(position[:, :3] / cell_size_m).astype(np.int64)
    key = (cell[:, 0] * cells + cell[:, 1]) * cells + cell[:, 2]
    start = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=cells**3))]).astype(np.int32)
    order = np.argsort(key, kind="stable")
    spacing = cell_size_m / TWO
    edge = F32(round((number / 8) ** (1 / 3))) * cell_size_m
    low, high = F32(4) * cell_size_m, F32(4) * cell_size_m + edge
    picture = picture_parameters(cell_size_m, spacing, spacing, cell_size_m, low, high, heat)
    return {
        "cells_x": cells,
        "cells_y": cells,
        "cells_z": cells,
        "grid_in": picture_grid((cells, cells, cells), picture),
        "walls_in": np.array([WALL_CONTINUE] * 5 + [WALL_OPEN], np.int32),
        "picture_in": picture,
        "start_in": start,
        "binned_in": position[order],
        "binned_heat_in": rng.uniform(900.0, 1400.0, number).astype(F32),
    }


def example(rng, size):
    """About ``size`` particles."""
    arguments = binned_pool(rng, size)
    arguments["class_out"] = np.zeros(int(np.prod(arguments["grid_in"][:3])), np.int32)
    return {name: arguments[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="surf_bricks", item="brick", cpu=cpu, traffic=traffic, example=example)

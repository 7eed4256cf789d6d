"""Which bricks of the fog get values: those that a spray or ember particle's kernel reaches.

start_in int32[cells + 1]: spray and embers binned by cell (``surf_scan``). class_out int32[gx*gy*gz] = 0 (values) or
BRICK_OUTSIDE.

Paper: none.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ONE, kernel
from kernels.base.constants import BRICK_OUTSIDE, PICTURE_CELL, PICTURE_FOG_REACH, PICTURE_FOG_VOXEL
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import poke
from kernels.surface.surf_bricks import any_particle, binned_pool, cell_range
from kernels.surface.surf_lanes import inlined, task_call

EIGHT = F32(8.0)


@inlined
def _cells_near(brick, cells, picture):
    """First and last cell whose particles may reach the brick, along one axis."""
    edge, reach = EIGHT * picture[PICTURE_FOG_VOXEL], picture[PICTURE_FOG_REACH]
    return cell_range(edge * F32(brick) - reach, edge * F32(brick + 1) + reach, ONE / picture[PICTURE_CELL], cells)


@kernel
def cpu(cells_x, cells_y, cells_z, grid_in, picture_in, start_in, class_out):
    for column in numba.prange(np.int64(grid_in[3]) * np.int64(grid_in[4])):
        _classify_column(np.int64(column), cells_x, cells_y, cells_z, grid_in, picture_in, start_in, class_out)


@task_call
def _classify_column(column, cells_x, cells_y, cells_z, grid, picture, start, class_out):
    gy, gz = np.int64(grid[4]), np.int64(grid[5])
    i0, i1 = _cells_near(column // gy, cells_x, picture)
    j0, j1 = _cells_near(column % gy, cells_y, picture)
    for brick_z in range(gz):
        k0, k1 = _cells_near(brick_z, cells_z, picture)
        result = np.int32(BRICK_OUTSIDE)
        if any_particle(i0, i1, j0, j1, k0, k1, cells_y, cells_z, start):
            result = np.int32(0)
        poke(class_out, column * gz + brick_z, result)


def traffic(**arguments):
    # Two words tell a brick whose first cells hold a particle; only an empty one reads a pair for every row of cells
    bricks = arguments["class_out"].size
    return Traffic(items=bricks, bytes_read=8 * bricks, bytes_written=4 * bricks, flops=0)


def example(rng, size):
    """About ``size`` particles."""
    arguments = binned_pool(rng, size)
    arguments["class_out"] = np.zeros(int(np.prod(arguments["grid_in"][3:])), np.int32)
    return {name: arguments[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="fog_bricks", item="brick", cpu=cpu, traffic=traffic, example=example)

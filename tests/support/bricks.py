"""Bricks: 8^3 voxels with 9^3 node values each, in a dense table. Conversions from and to dense arrays.

table int32[gx*gy*gz], z fastest: the brick's index, or BRICK_OUTSIDE / BRICK_INSIDE. value float32[capacity,729,2];
node (a,b,c) of a brick at index (a*9+b)*9+c. Neighbouring bricks hold the nodes of their shared faces twice, with equal
bits, so that the trilinear interpolant has no cracks. Node (0,0,0) of brick (0,0,0) lies at the origin.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32
from kernels.base.constants import (
    BRICK_EDGE,
    BRICK_INSIDE,
    BRICK_NODES,
    BRICK_NODES_EDGE,
    BRICK_OUTSIDE,
    SURFACE_CHANNELS,
)

BAND_VOXELS = F32(3.0)  # signed distances are clamped to +- this many voxels


def bricks_from_dense(array, voxel, level_set=True):
    """(grid int32[3], table, value) of a dense node-centred array float32[nx,ny,nz] or [nx,ny,nz,2].

    Nodes are padded to whole bricks with the nearest value. With ``level_set``, a brick whose first channel is nowhere
    nearer to 0 than BAND_VOXELS * voxel gets no values; otherwise (fog) a brick where it is 0 everywhere.
    """
    array = np.asarray(array, np.float32)
    if array.ndim == 3:
        array = np.stack([array, np.zeros_like(array)], axis=-1)
    grid = np.array([max(1, -(-(n - 1) // BRICK_EDGE)) for n in array.shape[:3]], np.int32)
    pad = [(0, int(g) * BRICK_EDGE + 1 - n) for g, n in zip(grid, array.shape[:3])]
    array = np.pad(array, [*pad, (0, 0)], mode="edge")
    table = np.full(int(np.prod(grid)), BRICK_OUTSIDE, np.int32)
    bricks = []
    far = np.float32(BAND_VOXELS * F32(voxel))
    for entry, (i, j, k) in enumerate(np.ndindex(*grid)):
        x, y, z = (slice(BRICK_EDGE * n, BRICK_EDGE * n + BRICK_NODES_EDGE) for n in (i, j, k))
        brick = array[x, y, z].reshape(BRICK_NODES, SURFACE_CHANNELS)
        if level_set and np.all(brick[:, 0] >= far):
            continue
        if level_set and np.all(brick[:, 0] <= -far):
            table[entry] = BRICK_INSIDE
        elif level_set or np.any(brick[:, 0] != 0):
            table[entry] = len(bricks)
            bricks.append(brick)
    value = np.zeros((max(1, len(bricks)), BRICK_NODES, SURFACE_CHANNELS), np.float32)
    if bricks:
        value[:] = np.stack(bricks)
    return grid, table, value


def dense_from_bricks(grid, table, value, outside=0.0, inside=0.0):
    """Dense float32[8 gx + 1, 8 gy + 1, 8 gz + 1, 2]; first channel ``outside``/``inside`` where no brick is."""
    gx, gy, gz = (int(n) for n in grid[:3])
    dense = np.zeros((BRICK_EDGE * gx + 1, BRICK_EDGE * gy + 1, BRICK_EDGE * gz + 1, SURFACE_CHANNELS), np.float32)
    dense[..., 0] = outside
    # A shared node belongs to whichever brick has values, so those are written last
    for with_values in (False, True):
        for entry, (i, j, k) in enumerate(np.ndindex(gx, gy, gz)):
            brick = int(table[entry])
            x, y, z = (slice(BRICK_EDGE * n, BRICK_EDGE * n + BRICK_NODES_EDGE) for n in (i, j, k))
            if not with_values and brick == BRICK_INSIDE:
                dense[x, y, z, 0] = inside
            elif with_values and brick >= 0:
                dense[x, y, z] = value[brick].reshape(9, 9, 9, SURFACE_CHANNELS)
    return dense

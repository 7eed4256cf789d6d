"""Smooth a signed distance in its band: three binomial filters on each axis, held near where it was.

    phi <- phi + (phi(-1) - 2 phi + phi(+1)) / 4   along z, y, x, three times

is a short step of mean curvature flow: it takes out the lumps of single particles (variance 1.5 voxels^2 on each axis).
The result stays within PICTURE_MARGIN of the unsmoothed distance, so that droplets and thin sheets survive. Values
that are all equal stay so to the last bit.

table_in int32[gx*gy*gz], entry_in int32[cap]; value_in, value_out float32[cap,729,2]: two different arrays; the second
channel is copied.

Paper: none; binomial filters.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, kernel
from kernels.base.constants import (
    BRICK_NODES,
    COUNT_SURFACE_BRICKS,
    PICTURE_MARGIN,
    PICTURE_VOXEL,
    SURFACE_CHANNELS,
)
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import load16, peek, poke, splat16, store, vadd, vfma, vsub
from kernels.surface.surf_distance import example as distance_example
from kernels.surface.surf_lanes import (
    HALO,
    TILE_EDGE,
    TILE_PAD,
    TILE_ROW,
    TILE_WORDS,
    device_call,
    inlined,
    load_tile,
    task_call,
)

TASKS = 256
QUARTER = F32(0.25)
BAND = F32(3.0)
STRIDE_X, STRIDE_Y = TILE_EDGE * TILE_ROW, TILE_ROW


@inlined
def _filter(low, centre, high):
    difference = vadd(vsub(low, centre), vsub(high, centre))
    return vfma(difference, splat16(QUARTER), centre)


@device_call
def _smooth_tile(filters, tile, other):
    """Filters on each axis, in ``tile``; what is valid shrinks by one node a filter."""
    for step in range(1, filters + 1):
        for a in range(step - 1, TILE_EDGE + 1 - step):
            for b in range(step - 1, TILE_EDGE + 1 - step):
                at = TILE_PAD + a * STRIDE_X + b * STRIDE_Y
                store(other, at, _filter(load16(tile, at - 1), load16(tile, at), load16(tile, at + 1)))
        for a in range(step - 1, TILE_EDGE + 1 - step):
            for b in range(step, TILE_EDGE - step):
                at = TILE_PAD + a * STRIDE_X + b * STRIDE_Y
                row = _filter(load16(other, at - STRIDE_Y), load16(other, at), load16(other, at + STRIDE_Y))
                store(tile, at, row)
        for a in range(step, TILE_EDGE - step):
            for b in range(step, TILE_EDGE - step):
                at = TILE_PAD + a * STRIDE_X + b * STRIDE_Y
                row = _filter(load16(tile, at - STRIDE_X), load16(tile, at), load16(tile, at + STRIDE_X))
                store(other, at, row)
        for a in range(step, TILE_EDGE - step):
            for b in range(step, TILE_EDGE - step):
                at = TILE_PAD + a * STRIDE_X + b * STRIDE_Y
                store(tile, at, load16(other, at))


@kernel
def cpu(counts_in, grid_in, picture_in, table_in, entry_in, value_in, value_out):
    for task in numba.prange(TASKS):
        _smooth_task(
            np.int64(task),
            np.int64(counts_in[COUNT_SURFACE_BRICKS]), grid_in, picture_in, table_in, entry_in, value_in,
            value_out,
        )  # fmt: skip


@task_call
def _smooth_task(task, bricks, grid, picture, table, entry, value_in, value_out):
    words = TILE_WORDS + 2 * TILE_PAD
    tile, other = np.zeros(words, np.float32), np.zeros(words, np.float32)
    gx, gy, gz = np.int64(grid[0]), np.int64(grid[1]), np.int64(grid[2])
    band = BAND * picture[PICTURE_VOXEL]
    margin = picture[PICTURE_MARGIN]
    filters = min(np.int64(grid[0]), 0) + HALO  # not a literal, for which the compiler would unroll
    for brick in range(task, bricks, TASKS):
        load_tile(np.int64(entry[brick]), gx, gy, gz, table, value_in, band, -band, tile)
        _smooth_tile(filters, tile, other)
        for a in range(9):
            for b in range(9):
                at = TILE_PAD + (a + HALO) * STRIDE_X + (b + HALO) * STRIDE_Y + HALO
                out = SURFACE_CHANNELS * (brick * BRICK_NODES + (a * 9 + b) * 9)
                for c in range(9):
                    raw, phi = peek(value_in, out + 2 * c), peek(tile, at + c)
                    if phi > raw + margin:
                        phi = raw + margin
                    if phi < raw - margin:
                        phi = raw - margin
                    poke(value_out, out + 2 * c, phi)
                    poke(value_out, out + 2 * c + 1, peek(value_in, out + 2 * c + 1))


def traffic(**arguments):
    bricks = int(arguments["counts_in"][COUNT_SURFACE_BRICKS])
    nodes = bricks * BRICK_NODES
    rows = sum(2 * (17 - 2 * s) * (17 - 2 * s) + (15 - 2 * s) * (15 - 2 * s) for s in (1, 2, 3))
    table = 4 * arguments["table_in"].size
    return Traffic(
        items=nodes, bytes_read=8 * nodes + table, bytes_written=8 * nodes, flops=5 * 16 * rows * bricks + 4 * nodes
    )


def example(rng, size):
    """About ``size`` particles."""
    arguments = distance_example(rng, size)
    return {name: arguments[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="surf_smooth", item="node", cpu=cpu, traffic=traffic, example=example)

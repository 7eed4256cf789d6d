"""From an implicit function to a signed distance in a band of three voxels around the surface.

Nodes next to the surface: |phi| / |grad phi|, with central differences (one-sided ones where the liquid or the air is
thinner than a voxel). The others: two Jacobi steps of the Eikonal equation |grad u| = 1, upwind (Rouy & Tourin 1992),
which is all that a band of three voxels needs, clamped. No node's sign changes.

The last pass (``last`` = 1) also closes the liquid flush with walls of WALL_CUT, and takes bricks out of table_out that
are farther than two voxels from the surface everywhere. outside, inside: the implicit function where no brick is, m.
table_in int32[gx*gy*gz], entry_in int32[cap]; value_in, value_out float32[cap,729,2]: two different arrays.

Paper: Rouy and Tourin 1992 (upwind Eikonal equation).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, HALF, ONE, TWO, ZERO, kernel
from kernels.base.constants import (
    BRICK_INSIDE,
    BRICK_NODES,
    BRICK_OUTSIDE,
    COUNT_SURFACE_BRICKS,
    PICTURE_HIGH_X,
    PICTURE_LOW_X,
    PICTURE_RADIUS,
    PICTURE_REACH,
    PICTURE_VOXEL,
    SURFACE_CHANNELS,
    WALL_CUT,
)
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import load16, peek, poke, splat16, store, vabs, vadd, vdiv, vfma, vmax, vmin, vmul, vsub
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
    vpick,
    vsqrt,
)

TASKS = 256
BAND = F32(3.0)  # voxels
NEAR = F32(2.0)  # voxels: a brick all of whose nodes are farther from the surface is taken out of the table
SLOPE_MIN = F32(0.05)  # of the field per voxel, against division by nothing
THREE, THIRD = F32(3.0), F32(1.0 / 3.0)
STRIDE_X, STRIDE_Y = TILE_EDGE * TILE_ROW, TILE_ROW


@inlined
def _slope(tile, at, step, centre, sign):
    """(squared difference per voxel along one axis, least sign of the two neighbours) of a row."""
    low, high = load16(tile, at - step), load16(tile, at + step)
    central = vmul(vsub(high, low), splat16(HALF))
    forward, backward = vabs(vsub(high, centre)), vabs(vsub(centre, low))
    # Negative where a neighbour lies on the other side
    to_low, to_high = vmul(sign, low), vmul(sign, high)
    thin = vmax(to_low, to_high)
    slope = vpick(thin, vmax(forward, backward), central)
    return vmul(slope, slope), vmin(to_low, to_high)


@inlined
def _eikonal_step(a, b, c):
    """Upwind solution of |grad u| = 1 from the least neighbours a, b, c on each axis, in voxels."""
    one, two, half = splat16(ONE), splat16(TWO), splat16(HALF)
    low, high = vmin(a, b), vmax(a, b)
    least = vmin(low, c)
    rest = vmax(low, c)
    middle, most = vmin(high, rest), vmax(high, rest)
    first = vadd(least, one)
    d = vsub(middle, least)
    second = vmul(vadd(vadd(least, middle), vsqrt(vmax(vsub(two, vmul(d, d)), splat16(ZERO)))), half)
    result = vpick(vsub(middle, first), second, first)
    total = vadd(vadd(least, middle), most)
    squares = vfma(most, most, vfma(middle, middle, vmul(least, least)))
    root = vsub(vmul(total, total), vmul(splat16(THREE), vsub(squares, one)))
    third = vmul(vadd(total, vsqrt(vmax(root, splat16(ZERO)))), splat16(THIRD))
    return vpick(vsub(most, result), third, result)


@device_call
def _initial_distance(tile, voxel, fixed, distance):
    """In voxels: |phi| / |grad phi| next to the surface (fixed = -1; first order), BAND elsewhere (fixed = 1)."""
    one = splat16(ONE)
    for a in range(1, TILE_EDGE - 1):
        for b in range(1, TILE_EDGE - 1):
            at = TILE_PAD + a * STRIDE_X + b * STRIDE_Y
            centre = load16(tile, at)
            sign = vpick(centre, splat16(-ONE), one)
            x, near_x = _slope(tile, at, STRIDE_X, centre, sign)
            y, near_y = _slope(tile, at, STRIDE_Y, centre, sign)
            z, near_z = _slope(tile, at, 1, centre, sign)
            near = vmin(vmin(near_x, near_y), near_z)
            slope = vmax(vsqrt(vadd(vadd(x, y), z)), splat16(SLOPE_MIN * voxel))
            guess = vmin(vdiv(vabs(centre), slope), one)
            store(fixed, at, vpick(near, splat16(-ONE), one))
            store(distance, at, vpick(near, guess, splat16(BAND)))


@device_call
def _march(step, fixed, source, target):
    """One Jacobi step on what lies ``step`` + 1 words inside the tile."""
    for a in range(1 + step, TILE_EDGE - 1 - step):
        for b in range(1 + step, TILE_EDGE - 1 - step):
            at = TILE_PAD + a * STRIDE_X + b * STRIDE_Y
            x = vmin(load16(source, at - STRIDE_X), load16(source, at + STRIDE_X))
            y = vmin(load16(source, at - STRIDE_Y), load16(source, at + STRIDE_Y))
            z = vmin(load16(source, at - 1), load16(source, at + 1))
            old = load16(source, at)
            store(target, at, vpick(load16(fixed, at), old, vmin(old, _eikonal_step(x, y, z))))


@device_call
def _write_distance(tile, distance, band, voxel, brick, value_in, value_out):
    """Write a brick's distances, in metres and with the sign of ``tile``; copy the second channel."""
    for a in range(9):
        for b in range(9):
            at = TILE_PAD + (a + HALO) * STRIDE_X + (b + HALO) * STRIDE_Y + HALO
            phi = vmin(vmul(load16(distance, at), splat16(voxel)), splat16(band))
            store(distance, at, vpick(load16(tile, at), vsub(splat16(ZERO), phi), phi))
            out = SURFACE_CHANNELS * (brick * BRICK_NODES + (a * 9 + b) * 9)
            for c in range(9):
                poke(value_out, out + 2 * c, peek(distance, at + c))
                poke(value_out, out + 2 * c + 1, peek(value_in, out + 2 * c + 1))


@device_call
def _cut(brick, entry, axis, gy, gz, voxel, band, walls, picture, value):
    """Close the liquid of a brick flush with the walls of one axis."""
    for node in range(BRICK_NODES):
        index = 8 * (entry // (gy * gz)) + node // 81
        if axis == 1:
            index = 8 * ((entry // gz) % gy) + (node // 9) % 9
        if axis == 2:
            index = 8 * (entry % gz) + node % 9
        x = F32(index) * voxel
        beyond = -band
        if walls[2 * axis] == WALL_CUT and picture[PICTURE_LOW_X + axis] - x > beyond:
            beyond = picture[PICTURE_LOW_X + axis] - x
        if walls[2 * axis + 1] == WALL_CUT and x - picture[PICTURE_HIGH_X + axis] > beyond:
            beyond = x - picture[PICTURE_HIGH_X + axis]
        if beyond > band:
            beyond = band
        at = SURFACE_CHANNELS * (brick * BRICK_NODES + node)
        if beyond > peek(value, at):
            poke(value, at, beyond)


@device_call
def _whole(brick, near, index, value):
    """Table entry of a brick: BRICK_OUTSIDE or BRICK_INSIDE where no node is nearer to the surface than ``near``."""
    first = SURFACE_CHANNELS * BRICK_NODES * brick
    least, most = peek(value, first), peek(value, first)
    for node in range(1, BRICK_NODES):
        phi = peek(value, first + SURFACE_CHANNELS * node)
        least = phi if phi < least else least
        most = phi if phi > most else most
    if least >= near:
        return np.int32(BRICK_OUTSIDE)
    if most <= -near:
        return np.int32(BRICK_INSIDE)
    return index


@kernel
def cpu(
    counts_in, last, outside, inside, grid_in, walls_in, picture_in, table_in, entry_in, value_in, value_out, table_out
):
    for task in numba.prange(TASKS):
        _distance_task(
            np.int64(task),
            np.int64(counts_in[COUNT_SURFACE_BRICKS]), last, outside, inside, grid_in, walls_in, picture_in,
            table_in, entry_in, value_in, value_out, table_out,
        )  # fmt: skip


@task_call
def _distance_task(
    task, bricks, last, outside, inside, grid, walls, picture, table, entry, value_in, value_out, table_out
):  # fmt: skip
    words = TILE_WORDS + 2 * TILE_PAD
    tile, fixed = np.zeros(words, np.float32), np.zeros(words, np.float32)
    near, far = np.zeros(words, np.float32), np.zeros(words, np.float32)
    gx, gy, gz = np.int64(grid[0]), np.int64(grid[1]), np.int64(grid[2])
    voxel = picture[PICTURE_VOXEL]
    band = BAND * voxel
    first_step = np.int64(last) * 0 + 1  # not a literal, for which Numba would compile the march twice
    for brick in range(task, bricks, TASKS):
        e = np.int64(entry[brick])
        load_tile(e, gx, gy, gz, table, value_in, outside, inside, tile)
        _initial_distance(tile, voxel, fixed, near)
        _march(first_step, fixed, near, far)
        _march(first_step + 1, fixed, far, near)
        _write_distance(tile, near, band, voxel, brick, value_in, value_out)
        if last != 0:
            for axis in range(3):
                if walls[2 * axis] == WALL_CUT or walls[2 * axis + 1] == WALL_CUT:
                    _cut(brick, e, axis, gy, gz, voxel, band, walls, picture, value_out)
            poke(table_out, e, _whole(brick, NEAR * voxel, np.int32(brick), value_out))


def traffic(**arguments):
    nodes = int(arguments["counts_in"][COUNT_SURFACE_BRICKS]) * BRICK_NODES
    table = 4 * arguments["table_in"].size
    # Rows of 16 words: 13^2 of about 45 operations, then 11^2 and 9^2 of about 30
    flops = 16 * (13 * 13 * 45 + (11 * 11 + 9 * 9) * 30) * (nodes // BRICK_NODES)
    return Traffic(items=nodes, bytes_read=8 * nodes + table, bytes_written=8 * nodes, flops=flops)


def filled_pool(rng, size):
    """``classified_pool`` with the field's values: arguments that the later brick kernels share."""
    from kernels.surface import surf_field

    arguments = surf_field.classified_pool(rng, size)
    field = surf_field.example(np.random.default_rng(0), 0)
    cells = arguments["start_in"].size
    field.update(arguments, foam_start_in=np.zeros(cells, np.int32))
    field["value_out"] = np.zeros((len(arguments["entry_in"]), BRICK_NODES, SURFACE_CHANNELS), F32)
    surf_field.cpu(**{name: field[name] for name in surf_field.KERNEL.argument_names})
    return {**arguments, "value_in": field["value_out"]}


def example(rng, size):
    """About ``size`` particles, the last pass."""
    arguments = filled_pool(rng, size)
    picture = arguments["picture_in"]
    arguments |= {
        "last": 1,
        "outside": F32(picture[PICTURE_REACH] - picture[PICTURE_RADIUS]),
        "inside": -picture[PICTURE_RADIUS],
        "value_out": np.zeros_like(arguments["value_in"]),
        "table_out": arguments["table_in"].copy(),
    }
    return {name: arguments[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="surf_distance", item="node", cpu=cpu, traffic=traffic, example=example)

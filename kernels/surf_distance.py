"""From an implicit function to a signed distance in a band of three voxels around the surface.

Nodes next to the surface: |phi| / |grad phi|, with central differences (one-sided ones where the liquid or the air is
thinner than a voxel). The others: two Jacobi steps of the Eikonal equation |grad u| = 1, upwind (Rouy & Tourin 1992),
which is all that a band of three voxels needs, clamped. No node's sign changes.

The last pass (``last`` = 1) also closes the liquid flush with walls of WALL_CUT, and takes bricks out of table_out that
are farther than two voxels from the surface everywhere. outside, inside: the implicit function where no brick is, m.
table_in int32[gx*gy*gz], entry_in int32[cap]; value_in, value_out float32[cap,729,2]: two different arrays.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.common import F32, HALF, ONE, TWO, ZERO, device, kernel
from kernels.constants import (
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
from kernels.kernel import Kernel, Traffic
from kernels.surf_lanes import (
    HALO,
    TILE_EDGE,
    TILE_PAD,
    TILE_ROW,
    TILE_WORDS,
    device_call,
    load_tile,
    vpick,
    vsqrt,
)
from kernels.vector import load16, peek, poke, splat16, store, vabs, vadd, vdiv, vfma, vmax, vmin, vmul, vsub

TASKS = 256
STEPS = 2
BAND = F32(3.0)  # voxels
NEAR = F32(2.0)  # voxels: a brick all of whose nodes are farther from the surface is taken out of the table
SLOPE_MIN = F32(0.05)  # of the field per voxel, against division by nothing
THIRD = F32(1.0 / 3.0)
STRIDE_X, STRIDE_Y = TILE_EDGE * TILE_ROW, TILE_ROW


@device
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


@device
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
    root = vsub(vmul(total, total), vmul(splat16(F32(3.0)), vsub(squares, one)))
    third = vmul(vadd(total, vsqrt(vmax(root, splat16(ZERO)))), splat16(THIRD))
    return vpick(vsub(most, result), third, result)


@device_call
def _initial_distance(tile, voxel, fixed, distance):
    """distance: |phi| / |grad phi| next to the surface (fixed = -1), BAND elsewhere (fixed = 1); in voxels."""
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


@device
def wall_distance(x, axis, walls, picture):
    """How far x lies beyond the walls that cut the liquid (negative: inside them)."""
    distance = F32(-1.0e30)
    if walls[2 * axis] == WALL_CUT:
        distance = picture[PICTURE_LOW_X + axis] - x
    if walls[2 * axis + 1] == WALL_CUT and x - picture[PICTURE_HIGH_X + axis] > distance:
        distance = x - picture[PICTURE_HIGH_X + axis]
    return distance


@kernel
def cpu(
    counts_in, last, outside, inside, grid_in, walls_in, picture_in, table_in, entry_in, value_in, value_out, table_out
):
    for task in numba.prange(TASKS):
        _distance_task(
            task, np.int64(counts_in[COUNT_SURFACE_BRICKS]), last, outside, inside, grid_in, walls_in, picture_in,
            table_in, entry_in, value_in, value_out, table_out,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _distance_task(
    task, bricks, last, outside, inside, grid, walls, picture, table, entry, value_in, value_out, table_out
):  # fmt: skip
    words = TILE_WORDS + 2 * TILE_PAD
    tile, fixed = np.zeros(words, np.float32), np.zeros(words, np.float32)
    near, far = np.zeros(words, np.float32), np.zeros(words, np.float32)
    gx, gy, gz = np.int64(grid[0]), np.int64(grid[1]), np.int64(grid[2])
    voxel = picture[PICTURE_VOXEL]
    band = BAND * voxel
    for brick in range(task, bricks, TASKS):
        e = np.int64(entry[brick])
        load_tile(e, gx, gy, gz, table, value_in, 0, outside, inside, tile)
        _initial_distance(tile, voxel, fixed, near)
        _march(1, fixed, near, far)
        _march(2, fixed, far, near)
        # Write distances with their sign
        least, most = F32(1.0e30), F32(-1.0e30)
        for a in range(9):
            beyond_x = wall_distance(F32(8 * (e // (gy * gz)) + a) * voxel, 0, walls, picture)
            for b in range(9):
                beyond_y = wall_distance(F32(8 * ((e // gz) % gy) + b) * voxel, 1, walls, picture)
                beyond = beyond_x if beyond_x > beyond_y else beyond_y
                at = TILE_PAD + (a + HALO) * STRIDE_X + (b + HALO) * STRIDE_Y + HALO
                out = SURFACE_CHANNELS * (brick * BRICK_NODES + (a * 9 + b) * 9)
                for c in range(9):
                    phi = peek(near, at + c) * voxel
                    if phi > band:
                        phi = band
                    if peek(tile, at + c) < ZERO:
                        phi = -phi
                    if last != 0:
                        cut = wall_distance(F32(8 * (e % gz) + c) * voxel, 2, walls, picture)
                        if beyond > cut:
                            cut = beyond
                        if cut > band:
                            cut = band
                        if cut > phi:
                            phi = cut
                        if phi < least:
                            least = phi
                        if phi > most:
                            most = phi
                    poke(value_out, out + 2 * c, phi)
                    poke(value_out, out + 2 * c + 1, peek(value_in, out + 2 * c + 1))
        if last != 0:
            if least >= NEAR * voxel:
                poke(table_out, e, np.int32(BRICK_OUTSIDE))
            elif most <= -NEAR * voxel:
                poke(table_out, e, np.int32(BRICK_INSIDE))


def traffic(**arguments):
    nodes = int(arguments["counts_in"][COUNT_SURFACE_BRICKS]) * BRICK_NODES
    table = 4 * arguments["table_in"].size
    # Rows of 16 words: 13^2 of about 45 operations, then 11^2 and 9^2 of about 30
    flops = 16 * (13 * 13 * 45 + (11 * 11 + 9 * 9) * 30) * (nodes // BRICK_NODES)
    return Traffic(items=nodes, bytes_read=8 * nodes + table, bytes_written=8 * nodes, flops=flops)


def filled_pool(rng, size):
    """``classified_pool`` with the field's values: arguments that the later brick kernels share."""
    from kernels import surf_field

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
    return {
        "last": 1,
        "outside": F32(picture[PICTURE_REACH] - picture[PICTURE_RADIUS]),
        "inside": -picture[PICTURE_RADIUS],
        **{n: arguments[n] for n in ("counts_in", "grid_in", "walls_in", "picture_in", "table_in", "entry_in")},
        "value_in": arguments["value_in"],
        "value_out": np.zeros_like(arguments["value_in"]),
        "table_out": arguments["table_in"].copy(),
    }


KERNEL = Kernel(name="surf_distance", item="node", cpu=cpu, traffic=traffic, example=example)

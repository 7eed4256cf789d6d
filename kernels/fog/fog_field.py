"""Extinction and glow temperature of spray and embers at the nodes of the fog's bricks.

    sigma(x) = sum pi radius_i^2 W(|x - x_i|),   W(s) = 315 / (64 pi R^3) (1 - s^2 / R^2)^3

so that the integral of the extinction is the particles' cross-section (geometric optics, without diffraction). The
second channel is the mean temperature of the embers, weighted by their share of the extinction; 0 without embers.

binned_in float32[cap,4] = x, y, z, radius (m), binned_heat_in float32[cap]: K, 0 for spray (``surf_sort``). Each node's
sums run over cells in ascending order and over a cell's particles in their order: shared nodes get equal bits.
value_out float32[cap,729,2].

Paper: Mueller, Charypar and Gross 2003 (the kernel W, poly6).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ONE, ZERO, kernel
from kernels.base.constants import (
    BRICK_NODES,
    COUNT_FOG_BRICKS,
    COUNT_WORDS,
    FOG_CHANNELS,
    PICTURE_CELL,
    PICTURE_FOG_REACH,
    PICTURE_FOG_VOXEL,
)
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import load8, peek, poke, splat8, store, vadd, vfma, vmax, vmul, vsub
from kernels.surface.surf_bricks import SLACK, binned_pool, cell_range
from kernels.surface.surf_field import NOWHERE, first_node
from kernels.surface.surf_lanes import device_call, inlined, task_call

TASKS = 256
ROW = 16
BLOCK = 3 * ROW  # words of a row's sums: extinction, the embers' part of it, that times their temperature
ROWS = 81
EIGHT = F32(8.0)
KERNEL_CONSTANT = F32(315.0 / 64.0)  # pi of the cross-section and of the kernel cancel


@device_call
def _splat(p, bi, bj, bk, voxel, reach, inverse_voxel, binned, binned_heat, node_z, sums):
    """Add particle p to every row of the brick that it reaches."""
    px, py, pz = peek(binned, 4 * p), peek(binned, 4 * p + 1), peek(binned, 4 * p + 2)
    radius, heat = peek(binned, 4 * p + 3), peek(binned_heat, p)
    far = reach * SLACK
    if pz + far < peek(node_z, 0) or pz - far > peek(node_z, 8):
        return
    square = reach * reach
    scale = splat8(KERNEL_CONSTANT * radius * radius / (square * reach))
    minus_inverse_square = splat8(-ONE / square)
    window = first_node(pz - far, inverse_voxel, bk)
    if window > 8:
        return
    dz = vsub(load8(node_z, window), splat8(pz))
    zz = vmul(dz, dz)
    for a in range(first_node(px - far, inverse_voxel, bi), 9):
        dx = F32(8 * bi + a) * voxel - px
        if dx > far:
            break
        for b in range(first_node(py - far, inverse_voxel, bj), 9):
            dy = F32(8 * bj + b) * voxel - py
            if dy > far:
                break
            q = vadd(splat8(dx * dx + dy * dy), zz)
            t = vmax(vfma(q, minus_inverse_square, splat8(ONE)), splat8(ZERO))
            w = vmul(vmul(vmul(t, t), t), scale)
            at = (a * 9 + b) * BLOCK + window
            store(sums, at, vadd(load8(sums, at), w))
            if heat > ZERO:
                store(sums, at + ROW, vadd(load8(sums, at + ROW), w))
                store(sums, at + 2 * ROW, vfma(w, splat8(heat), load8(sums, at + 2 * ROW)))


@kernel
def cpu(
    counts_in, cells_x, cells_y, cells_z, grid_in, picture_in, entry_in, start_in, binned_in, binned_heat_in, value_out
):  # fmt: skip
    for task in numba.prange(TASKS):
        _field_task(
            np.int64(task),
            np.int64(counts_in[COUNT_FOG_BRICKS]), cells_x, cells_y, cells_z, grid_in, picture_in, entry_in,
            start_in, binned_in, binned_heat_in, value_out,
        )  # fmt: skip


@task_call
def _field_task(
    task, bricks, cells_x, cells_y, cells_z, grid, picture, entry, start, binned, binned_heat, value
):  # fmt: skip
    sums = np.empty(ROWS * BLOCK, np.float32)
    node_z = np.full(ROW + 8, NOWHERE, np.float32)
    for brick in range(task, bricks, TASKS):
        _field_brick(
            brick, cells_x, cells_y, cells_z, grid, picture, entry, start, binned, binned_heat, node_z, sums, value
        )


@inlined
def _field_brick(
    brick, cells_x, cells_y, cells_z, grid, picture, entry, start, binned, binned_heat, node_z, sums, value
):  # fmt: skip
    gy, gz = np.int64(grid[4]), np.int64(grid[5])
    e = np.int64(entry[brick])
    bi, bj, bk = e // (gy * gz), (e // gz) % gy, e % gz
    voxel, reach = picture[PICTURE_FOG_VOXEL], picture[PICTURE_FOG_REACH]
    inverse_voxel, inverse_cell = ONE / voxel, ONE / picture[PICTURE_CELL]
    edge, far = EIGHT * voxel, reach * SLACK
    for c in range(9):
        poke(node_z, c, F32(8 * bk + c) * voxel)
    for n in range(0, ROWS * BLOCK, 8):
        store(sums, n, splat8(ZERO))
    # Sum over the particles of every cell near the brick
    i0, i1 = cell_range(edge * F32(bi) - far, edge * F32(bi + 1) + far, inverse_cell, cells_x)
    j0, j1 = cell_range(edge * F32(bj) - far, edge * F32(bj + 1) + far, inverse_cell, cells_y)
    k0, k1 = cell_range(edge * F32(bk) - far, edge * F32(bk + 1) + far, inverse_cell, cells_z)
    for i in range(i0, i1 + 1):
        for j in range(j0, j1 + 1):
            row = (i * cells_y + j) * cells_z
            for p in range(np.int64(peek(start, row + k0)), np.int64(peek(start, row + k1 + 1))):
                _splat(p, bi, bj, bk, voxel, reach, inverse_voxel, binned, binned_heat, node_z, sums)
    for row in range(ROWS):
        for c in range(9):
            at = row * BLOCK + c
            glow, heat = peek(sums, at + ROW), ZERO
            if glow > ZERO:
                heat = peek(sums, at + 2 * ROW) / glow
            out = FOG_CHANNELS * (brick * BRICK_NODES + row * 9 + c)
            poke(value, out, peek(sums, at))
            poke(value, out + 1, heat)


def traffic(**arguments):
    bricks, particles = int(arguments["counts_in"][COUNT_FOG_BRICKS]), int(arguments["start_in"][-1])
    picture = arguments["picture_in"]
    seen = 4.19 * float(picture[PICTURE_FOG_REACH] / picture[PICTURE_FOG_VOXEL]) ** 3
    return Traffic(
        items=particles,
        bytes_read=20 * particles + 4 * arguments["start_in"].size,
        bytes_written=8 * bricks * BRICK_NODES,
        flops=int(13 * seen * particles),
    )


def example(rng, size):
    """About ``size`` particles, half of them embers."""
    from kernels.base.constants import ERROR_FOG_CAPACITY
    from kernels.fog import fog_bricks
    from kernels.surface import surf_number

    arguments = binned_pool(rng, size)
    binned = arguments["binned_in"]
    binned[:, 3] = rng.uniform(0.002, 0.01, len(binned))
    heat = arguments["binned_heat_in"]
    arguments["binned_heat_in"] = np.where(rng.random(len(heat)) < 0.5, heat, F32(0)).astype(F32)
    table = np.zeros(int(np.prod(arguments["grid_in"][3:])), np.int32)
    fog_bricks.cpu(*(arguments[n] for n in fog_bricks.KERNEL.argument_names[:-1]), table)
    entry = np.zeros(max(1, int((table == 0).sum())), np.int32)
    counts = np.zeros(COUNT_WORDS, np.int32)
    surf_number.cpu(COUNT_FOG_BRICKS, ERROR_FOG_CAPACITY, counts, table, table.copy(), entry)
    value = np.zeros((len(entry), BRICK_NODES, FOG_CHANNELS), F32)
    arguments.update(counts_in=counts, entry_in=entry, value_out=value)
    return {name: arguments[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="fog_field", item="particle", cpu=cpu, traffic=traffic, example=example)

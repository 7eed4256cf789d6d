"""The liquid's implicit function at the nodes of the surface's bricks: distance to the averaged particle position.

    phi(x) = |x - sum w_i x_i / sum w_i| - r,    w_i = max(0, 1 - |x - x_i|^2 / R^2)^3

(Zhu & Bridson 2005, "Animating sand as a fluid"). r is the distance of a half space's weighted centroid from its
surface, so a flat pool's surface stands half a particle spacing above its top particles and a lone particle becomes a
ball of its own volume. Nodes whose 27 surrounding cells are all full are inside without a sum.

Second channel: the kernel-weighted mean temperature (PICTURE_HEAT), or the share of the surface that foam covers,
sum 4 (radius / R_f)^2 w: particles spread evenly in a plane give number per area times their cross-section.

Nodes beyond walls (except open ones) and below the terrain take the value of the nearest point that liquid can reach.
Near those solids the average leans away from them, as no particle lies beyond. What a full half space would lean by at
that distance is taken off, so the surface meets a solid at a right angle and leaves no gap.

A particle adds to the rows of eight nodes that it reaches. Each node's sums run over cells in ascending order and over
a cell's particles in their order, whichever brick asks: shared nodes get equal bits. binned_in float32[cap,4],
binned_heat_in float32[cap], start_in int32[cells + 1]: ``surf_sort``; foam_* likewise. value_out float32[cap,729,2].

Paper: Zhu and Bridson 2005 (averaged particle positions).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from kernels.base.common import F32, ONE, ZERO, fma, kernel
from kernels.base.constants import (
    BRICK_NODES,
    COUNT_SURFACE_BRICKS,
    COUNT_WORDS,
    PICTURE_CELL,
    PICTURE_FOAM_REACH,
    PICTURE_FULL,
    PICTURE_HEAT,
    PICTURE_HIGH_X,
    PICTURE_LOW_X,
    PICTURE_RADIUS,
    PICTURE_REACH,
    PICTURE_VOXEL,
    SURFACE_CHANNELS,
    WALL_OPEN,
)
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import load8, peek, poke, splat8, store, vadd, vfma, vmax, vmul, vsub
from kernels.mpm.mpm_collide import terrain_height, terrain_normal
from kernels.surface.surf_bricks import SLACK, binned_pool, cell_range, clamp_to_walls, domain_cells
from kernels.surface.surf_count import clamp_cell
from kernels.surface.surf_lanes import device_call, inlined, task_call

TASKS = 256  # bricks are dealt to these in turn
ROW = 16  # words of a row: 9 nodes and what a vector may reach beyond them
BLOCK = 5 * ROW  # words of a row's sums: weight, weighted offset (3), weighted heat
ROWS = 81
NOWHERE = F32(1.0e15)  # m, coordinate of the words beyond a row
EIGHT, FOUR = F32(8.0), F32(4.0)
# Polynomials of ``lean``
MOMENT, MASS = F32(0.1), F32(128.0 / 315.0)
MASS_8, MASS_6, MASS_4, MASS_2 = F32(1.0 / 9.0), F32(-4.0 / 7.0), F32(6.0 / 5.0), F32(-4.0 / 3.0)


@device_call
def place_nodes(bi, bj, bk, voxel, walls, picture, terrain_geometry, terrain, node_x, node_y, node_z, moved):
    """Where each node is evaluated. node_x, node_y: per row; node_z: per word; moved: 1 where a row's z is not regular.

    Returns (low, high) z of them all.
    """
    z_low, z_high = NOWHERE, -NOWHERE
    for a in range(9):
        x = clamp_to_walls(F32(8 * bi + a) * voxel, 0, walls, picture)
        for b in range(9):
            y = clamp_to_walls(F32(8 * bj + b) * voxel, 1, walls, picture)
            row = a * 9 + b
            node_x[row], node_y[row], moved[row] = x, y, 0
            ground = -NOWHERE
            if terrain_geometry[3] != ZERO:
                ground = terrain_height(terrain_geometry, terrain, x, y)
            for c in range(9):
                regular = F32(8 * bk + c) * voxel
                z = clamp_to_walls(regular, 2, walls, picture)
                if z < ground:
                    z = ground
                if z != regular:
                    moved[row] = 1
                if z < z_low:
                    z_low = z
                if z > z_high:
                    z_high = z
                node_z[row * ROW + c] = z
            for c in range(9, ROW):
                node_z[row * ROW + c] = NOWHERE
    return z_low, z_high


@inlined
def first_node(x, inverse_voxel, brick):
    """A node of the brick not above coordinate x, 0 at least."""
    at = x * inverse_voxel - EIGHT * F32(brick)
    if not at > ZERO:
        return np.int64(0)
    return np.int64(at)


@inlined
def _add_row(sums, base, window, nz, q, dx, dy, pz, heat, minus_inverse_square, with_heat):
    """Add one particle to eight nodes of a row; q = squared distance to the row."""
    at = base + window
    dz = vsub(nz, splat8(pz))
    t = vmax(vfma(vfma(dz, dz, splat8(q)), splat8(minus_inverse_square), splat8(ONE)), splat8(ZERO))
    w = vmul(vmul(t, t), t)
    store(sums, at, vadd(load8(sums, at), w))
    store(sums, at + ROW, vfma(w, splat8(dx), load8(sums, at + ROW)))
    store(sums, at + 2 * ROW, vfma(w, splat8(dy), load8(sums, at + 2 * ROW)))
    store(sums, at + 3 * ROW, vfma(w, dz, load8(sums, at + 3 * ROW)))
    if with_heat:
        store(sums, at + 4 * ROW, vfma(w, splat8(heat), load8(sums, at + 4 * ROW)))


@inlined
def _add_foam(sums, base, window, nz, q, pz, amount, minus_inverse_square):
    dz = vsub(nz, splat8(pz))
    t = vmax(vfma(vfma(dz, dz, splat8(q)), splat8(minus_inverse_square), splat8(ONE)), splat8(ZERO))
    at = base + window + 4 * ROW
    store(sums, at, vfma(vmul(vmul(t, t), t), splat8(amount), load8(sums, at)))


@device_call
def _splat(
    p, foam, with_heat, reach, inverse_voxel, bi, bj, bk, z_low, z_high, binned, binned_heat, node_x, node_y, node_z,
    moved, sums,
):  # fmt: skip
    """Add particle p to every row of the brick that it reaches."""
    px, py, pz = peek(binned, 4 * p), peek(binned, 4 * p + 1), peek(binned, 4 * p + 2)
    square = reach * reach
    reach = reach * SLACK
    if pz + reach < z_low or pz - reach > z_high:
        return
    minus_inverse_square = -ONE / square
    heat = ZERO
    if foam:
        radius = peek(binned, 4 * p + 3)
        heat = FOUR * radius * radius / square
    elif with_heat:
        heat = peek(binned_heat, p)
    window = first_node(pz - reach, inverse_voxel, bk)
    for a in range(9):
        dx = peek(node_x, 9 * a) - px
        if dx > reach or dx < -reach:
            continue
        for b in range(9):
            row = 9 * a + b
            dy = peek(node_y, row) - py
            q = dx * dx + dy * dy
            if q >= square:
                continue
            # Rows that are bent by a wall or the ground are added whole
            first, last = window, window
            if peek(moved, row) != 0:
                first, last = np.int64(0), np.int64(8)
            while first <= last:
                if first <= 8:
                    nz = load8(node_z, row * ROW + first)
                    if foam:
                        _add_foam(sums, row * BLOCK, first, nz, q, pz, heat, minus_inverse_square)
                    else:
                        _add_row(sums, row * BLOCK, first, nz, q, dx, dy, pz, heat, minus_inverse_square, with_heat)
                first += 8


@device_call
def _splat_cells(
    foam, with_heat, reach, inverse_voxel, inverse_cell, bi, bj, bk, z_low, z_high, cells_x, cells_y, cells_z, start,
    binned, binned_heat, node_x, node_y, node_z, moved, sums,
):  # fmt: skip
    """Add the particles of every cell that reaches the brick, in ascending order."""
    far = reach * SLACK
    i0, i1 = cell_range(peek(node_x, 0) - far, peek(node_x, ROWS - 1) + far, inverse_cell, cells_x)
    j0, j1 = cell_range(peek(node_y, 0) - far, peek(node_y, ROWS - 1) + far, inverse_cell, cells_y)
    k0, k1 = cell_range(z_low - far, z_high + far, inverse_cell, cells_z)
    for i in range(i0, i1 + 1):
        for j in range(j0, j1 + 1):
            row = (i * cells_y + j) * cells_z
            for p in range(np.int64(peek(start, row + k0)), np.int64(peek(start, row + k1 + 1))):
                _splat(
                    p, foam, with_heat, reach, inverse_voxel, bi, bj, bk, z_low, z_high, binned, binned_heat, node_x,
                    node_y, node_z, moved, sums,
                )  # fmt: skip


@inlined
def _full_around(i, j, k, i0, i1, j0, j1, k0, k1, cells_y, cells_z, full, start):
    """Whether the 27 cells around cell (i,j,k), as far as they can hold liquid, are full."""
    for a in range(max(i - 1, i0), min(i + 1, i1) + 1):
        for b in range(max(j - 1, j0), min(j + 1, j1) + 1):
            row = (a * cells_y + b) * cells_z
            for c in range(max(k - 1, k0), min(k + 1, k1) + 1):
                if peek(start, row + c + 1) - peek(start, row + c) < full:
                    return False
    return True


@inlined
def lean(distance, reach):
    """How far (m) the average of a half space leans away from a solid plane at ``distance``.

    The kernel's share in a plane at height z (in reaches) is (1 - z^2)^4, up to a factor: the lean is its first moment
    over its integral, both from -distance to 1.
    """
    h = distance / reach
    if not h > ZERO:
        h = ZERO
    if h >= ONE:
        return ZERO
    s = h * h
    t = ONE - s
    moment = MOMENT * (t * t * t * t * t)
    mass = fma(fma(fma(fma(s, MASS_8, MASS_6), s, MASS_4), s, MASS_2), s, ONE)
    return reach * (moment / fma(mass, h, MASS))


@device_call
def wall_lean(x, axis, reach, walls, picture):
    """Signed lean along one axis of the walls that are not open."""
    total = ZERO
    if walls[2 * axis] != WALL_OPEN:
        total = lean(x - picture[PICTURE_LOW_X + axis], reach)
    if walls[2 * axis + 1] != WALL_OPEN:
        total -= lean(picture[PICTURE_HIGH_X + axis] - x, reach)
    return total


@kernel
def cpu(
    counts_in, cells_x, cells_y, cells_z, grid_in, walls_in, picture_in, terrain_geometry_in, terrain_in, entry_in,
    start_in, binned_in, binned_heat_in, foam_start_in, foam_in, value_out,
):  # fmt: skip
    for task in numba.prange(TASKS):
        _field_task(
            np.int64(task),
            np.int64(counts_in[COUNT_SURFACE_BRICKS]), cells_x, cells_y, cells_z, grid_in, walls_in, picture_in,
            terrain_geometry_in, terrain_in, entry_in, start_in, binned_in, binned_heat_in, foam_start_in, foam_in,
            value_out,
        )  # fmt: skip


@task_call
def _field_task(
    task, bricks, cells_x, cells_y, cells_z, grid, walls, picture, terrain_geometry, terrain, entry, start, binned,
    binned_heat, foam_start, foam, value,
):  # fmt: skip
    sums = np.empty(ROWS * BLOCK, np.float32)
    node_x, node_y, moved = np.empty(ROWS, np.float32), np.empty(ROWS, np.float32), np.empty(ROWS, np.int32)
    node_z = np.empty(ROWS * ROW, np.float32)
    for brick in range(task, bricks, TASKS):
        _field_brick(
            brick, cells_x, cells_y, cells_z, grid, walls, picture, terrain_geometry, terrain, entry, start, binned,
            binned_heat, foam_start, foam, node_x, node_y, node_z, moved, sums, value,
        )  # fmt: skip


@inlined
def _field_brick(
    brick, cells_x, cells_y, cells_z, grid, walls, picture, terrain_geometry, terrain, entry, start, binned,
    binned_heat, foam_start, foam, node_x, node_y, node_z, moved, sums, value,
):  # fmt: skip
    gy, gz = np.int64(grid[1]), np.int64(grid[2])
    e = np.int64(entry[brick])
    bi, bj, bk = e // (gy * gz), (e // gz) % gy, e % gz
    voxel, reach, radius = picture[PICTURE_VOXEL], picture[PICTURE_REACH], picture[PICTURE_RADIUS]
    inverse_voxel, inverse_cell = ONE / voxel, ONE / picture[PICTURE_CELL]
    with_heat = picture[PICTURE_HEAT] != ZERO
    z_low, z_high = place_nodes(
        bi, bj, bk, voxel, walls, picture, terrain_geometry, terrain, node_x, node_y, node_z, moved
    )
    # Sum over the liquid's particles, then over the foam's
    for n in range(0, ROWS * BLOCK, 8):
        store(sums, n, splat8(ZERO))
    for n in range(2):
        second = n == 1
        at_start, at_binned, far = start, binned, reach
        if second:
            if with_heat or foam_start[foam_start.shape[0] - 1] == 0:
                continue
            at_start, at_binned, far = foam_start, foam, picture[PICTURE_FOAM_REACH]
        _splat_cells(
            second, with_heat, far, inverse_voxel, inverse_cell, bi, bj, bk, z_low, z_high, cells_x, cells_y, cells_z,
            at_start, at_binned, binned_heat, node_x, node_y, node_z, moved, sums,
        )  # fmt: skip
    # Turn sums into distances
    i0, i1 = domain_cells(0, cells_x, walls, inverse_cell, picture)
    j0, j1 = domain_cells(1, cells_y, walls, inverse_cell, picture)
    k0, k1 = domain_cells(2, cells_z, walls, inverse_cell, picture)
    full = np.int32(picture[PICTURE_FULL])
    for row in range(ROWS):
        i = min(max(clamp_cell(node_x[row] * inverse_cell, cells_x), i0), i1)
        j = min(max(clamp_cell(node_y[row] * inverse_cell, cells_y), j0), j1)
        last_k, deep = np.int64(-1), False
        lean_x = wall_lean(node_x[row], np.int64(0), reach, walls, picture)
        lean_y = wall_lean(node_y[row], np.int64(1), reach, walls, picture)
        ground, nx, ny, nz = -NOWHERE, ZERO, ZERO, ONE
        if terrain_geometry[3] != ZERO:
            ground = terrain_height(terrain_geometry, terrain, node_x[row], node_y[row])
            nx, ny, nz = terrain_normal(terrain_geometry, terrain, node_x[row], node_y[row])
        for c in range(9):
            at = row * BLOCK + c
            weight, extra = peek(sums, at), peek(sums, at + 4 * ROW)
            phi = reach - radius
            if weight > ZERO:
                height = node_z[row * ROW + c]
                off_ground = lean((height - ground) * nz, reach)
                x = peek(sums, at + ROW) / weight + lean_x + off_ground * nx
                y = peek(sums, at + 2 * ROW) / weight + lean_y + off_ground * ny
                z = peek(sums, at + 3 * ROW) / weight + off_ground * nz
                z += wall_lean(height, np.int64(2), reach, walls, picture)
                phi = math.sqrt(x * x + y * y + z * z) - radius
                if with_heat:
                    extra = extra / weight
            if not with_heat and extra > ONE:
                extra = ONE
            k = min(max(clamp_cell(node_z[row * ROW + c] * inverse_cell, cells_z), k0), k1)
            if k != last_k:
                last_k = k
                deep = _full_around(i, j, k, i0, i1, j0, j1, k0, k1, cells_y, cells_z, full, start)
            if deep:
                phi = -radius
            out = SURFACE_CHANNELS * ((brick * BRICK_NODES) + row * 9 + c)
            poke(value, out, phi)
            poke(value, out + 1, extra)


def traffic(**arguments):
    bricks = int(arguments["counts_in"][COUNT_SURFACE_BRICKS])
    particles = int(arguments["start_in"][-1])
    picture = arguments["picture_in"]
    reach = float(picture[PICTURE_REACH] / picture[PICTURE_VOXEL])
    # A node within reach of the surface sees the particles of a ball: rows of them, and 13 operations each
    spacing = float(picture[PICTURE_REACH]) / 2.52
    seen = 4.19 * (reach * float(picture[PICTURE_VOXEL]) / spacing) ** 3
    heat = 4 if picture[PICTURE_HEAT] else 0
    return Traffic(
        items=bricks * BRICK_NODES,
        bytes_read=(16 + heat) * particles + 4 * arguments["start_in"].size,
        bytes_written=8 * bricks * BRICK_NODES,
        flops=int(13 * seen * bricks * BRICK_NODES / 2),
    )


def classified_pool(rng, size, heat=False):
    """``binned_pool`` with its bricks classified and numbered: arguments that the brick kernels share."""
    from kernels.base.constants import ERROR_SURFACE_CAPACITY
    from kernels.surface import surf_bricks, surf_number

    arguments = binned_pool(rng, size, heat)
    table = np.zeros(int(np.prod(arguments["grid_in"][:3])), np.int32)
    shared = {n: arguments[n] for n in surf_bricks.KERNEL.argument_names if n in arguments}
    surf_bricks.cpu(**shared, class_out=table)
    entry = np.zeros(max(1, int((table == 0).sum())), np.int32)
    counts = np.zeros(COUNT_WORDS, np.int32)
    surf_number.cpu(COUNT_SURFACE_BRICKS, ERROR_SURFACE_CAPACITY, counts, table, table.copy(), entry)
    return {**arguments, "counts_in": counts, "table_in": table, "entry_in": entry}


def example(rng, size):
    """About ``size`` particles of water."""
    arguments = classified_pool(rng, size)
    cells = arguments["start_in"].size - 1
    arguments |= {
        "terrain_geometry_in": np.zeros(4, F32),
        "terrain_in": np.zeros((2, 2), F32),
        "foam_start_in": np.zeros(cells + 1, np.int32),
        "foam_in": np.zeros((1, 4), F32),
        "value_out": np.zeros((len(arguments["entry_in"]), BRICK_NODES, SURFACE_CHANNELS), F32),
    }
    return {name: arguments[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="surf_field", item="node", cpu=cpu, traffic=traffic, example=example)

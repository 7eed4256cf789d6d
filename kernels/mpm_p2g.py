"""Particles to grid: mass and momentum of each block's nodes, exact in any order (MLS-MPM, Hu et al. 2018; APIC).

With v, C = dv/dx and stress sigma of a particle at distance d from a node, in units of a particle's mass:
momentum = w (v + C d - dt (4 / dx^2) (J / density) sigma d) = w (v + A d / dx),
A = dx C - dt (4 / dx) (J / density) sigma, sigma = -p I + mu (C + C^T - 2/3 tr C I), p = K (J^-7 - 1).

One task is a block. The particles of one base cell are summed in their sorted order in float32, 27 nodes at once:
nine rows of three nodes with four channels each (16 lanes, 12 used), held in registers. Each sum is rounded once to
fixed point and added to the block's arena as integers, so which cell comes first no longer matters.

position_in float32[n, 4] = x y z (grid-local m), J; velocity_in float32[n, 12] = v, dv/dx, dv/dy, dv/dz;
viscosity_in float32[n] Pa s, or length 1: then it is material[MATERIAL_VISCOSITY]; order_in, cell_start_in of
``mpm_sort``; arena_out int32[capacity * ARENA_WORDS]: per active block [6][6][6][4] momentum x y z in 1 / velocity
scale, mass in 2^-22 particle masses; the arena of a block without particles is left alone.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.common import F32, ONE, device, kernel
from kernels.constants import (
    ARENA_WORDS,
    BLOCK_NODES,
    COUNT_BLOCKS,
    COUNT_PARTICLES,
    MATERIAL_BULK_MODULUS,
    MATERIAL_DENSITY,
    MATERIAL_VISCOSITY,
    STEP_DT,
    STEP_VELOCITY_SCALE,
)
from kernels.kernel import Kernel, Traffic
from kernels.mpm_common import (
    FOUR,
    MASS_SCALE,
    TASK_GRAIN,
    all_x,
    all_y,
    all_z,
    four_nodes,
    half4,
    one4,
    weights,
)
from kernels.tasks import fetch_add, thread_count
from kernels.vector import (
    keep_in_memory,
    lane,
    load4,
    load16,
    make_blend,
    make_constant,
    make_shuffle,
    peek,
    splat4,
    splat16,
    store,
    vadd,
    vfloor,
    vfma,
    vmul,
    vround_to_int,
    vsub,
)

TWO_THIRDS = F32(2.0 / 3.0)
ARENA_STRIDE_I, ARENA_STRIDE_J = 144, 24  # words from one plane and one row of an arena to the next

zero4, zero16 = make_constant([0.0] * 4), make_constant([0.0] * 16)
no_count16 = make_constant([0] * 16, "i32")
mass4 = make_constant([0.0, 0.0, 0.0, 1.0])
below16 = make_constant([-1.0] * 4 + [0.0] * 4 + [1.0] * 4 + [0.0] * 4)  # node minus nearest node along z
three_nodes16 = make_constant([1.0] * 12 + [0.0] * 4)
four_times = make_shuffle([0, 1, 2, 3] * 4, 4)
by_node = make_shuffle([0] * 4 + [1] * 4 + [2] * 4 + [3] * 4, 4)
drop_first = make_shuffle([1, 2, 3, 3], 4)
keep_three = make_blend([0, 1, 2, 7])  # three lanes of a, the last of b
first_lane, second_lane, third_lane = make_blend([4, 1, 2, 7]), make_blend([0, 5, 2, 7]), make_blend([0, 1, 6, 7])
pair_x, pair_y, pair_z = make_blend([0, 4, 0, 4]), make_blend([1, 5, 1, 5]), make_blend([2, 6, 2, 6])
triple_x, triple_y, triple_z = make_blend([0, 1, 4, 4]), make_blend([0, 1, 5, 5]), make_blend([0, 1, 6, 6])


@kernel
def cpu(
    cell_size_m,
    counts_in,
    step_in,
    material_in,
    position_in,
    velocity_in,
    viscosity_in,
    order_in,
    cell_start_in,
    arena_out,
):
    taken = np.zeros(1, np.int64)
    for _task in numba.prange(thread_count()):
        _blocks(
            cell_size_m,
            counts_in,
            step_in,
            material_in,
            position_in,
            velocity_in,
            viscosity_in,
            order_in,
            cell_start_in,
            arena_out,
            taken,
        )


@numba.njit(error_model="numpy")
def _blocks(
    cell_size_m,
    counts_in,
    step_in,
    material_in,
    position_in,
    velocity_in,
    viscosity_in,
    order_in,
    cell_start_in,
    arena_out,
    taken,
):
    blocks = np.int64(counts_in[COUNT_BLOCKS])
    inverse_cell = ONE / cell_size_m
    stress_scale = FOUR * step_in[STEP_DT] / (cell_size_m * material_in[MATERIAL_DENSITY])
    pressure_scale = stress_scale * material_in[MATERIAL_BULK_MODULUS]
    viscosity = material_in[MATERIAL_VISCOSITY]
    per_particle = viscosity_in.shape[0] > 1
    viscous = per_particle or viscosity != F32(0.0)
    momentum_scale = step_in[STEP_VELOCITY_SCALE]
    # The fourth node of a row is not the row's: what its lanes hold must come to nothing
    scale = vmul(four_nodes(momentum_scale, momentum_scale, momentum_scale, MASS_SCALE), three_nodes16())
    share = np.empty(16, np.float32)  # P_ij = w_i w_j of the particle in hand, rows of four
    while True:
        slot = fetch_add(taken, 0, TASK_GRAIN)
        if slot >= blocks:
            break
        for s in range(slot, min(slot + TASK_GRAIN, blocks)):
            if peek(cell_start_in, s * BLOCK_NODES) == peek(cell_start_in, (s + 1) * BLOCK_NODES):
                continue
            for word in range(0, ARENA_WORDS, 16):
                store(arena_out, s * ARENA_WORDS + word, no_count16())
            for cell in range(BLOCK_NODES):
                begin = np.int64(peek(cell_start_in, s * BLOCK_NODES + cell))
                end = np.int64(peek(cell_start_in, s * BLOCK_NODES + cell + 1))
                if begin == end:
                    continue
                # Sum the particles of one base cell
                a00 = a01 = a02 = a10 = a11 = a12 = a20 = a21 = a22 = zero16()
                for place in range(begin, end):
                    p = np.int64(peek(order_in, place))
                    position = load4(position_in, 4 * p)
                    scaled = vmul(position, splat4(inverse_cell))
                    g = vsub(vsub(scaled, vfloor(vsub(scaled, half4()))), one4())
                    w0, w1, w2 = weights(g)
                    wx = triple_x(pair_x(w0, w1), w2)  # w_0 w_1 w_2 of one axis
                    wy = triple_y(pair_y(w0, w1), w2)
                    wz = triple_z(pair_z(w0, w1), w2)
                    store(share, 0, vmul(all_x(wx), wy))
                    store(share, 4, vmul(all_y(wx), wy))
                    store(share, 8, vmul(all_z(wx), wy))
                    # Affine field A, by columns
                    v = load4(velocity_in, 12 * p)
                    cx = load4(velocity_in, 12 * p + 3)
                    cy = load4(velocity_in, 12 * p + 6)
                    cz = drop_first(load4(velocity_in, 12 * p + 8))
                    volume = lane(position, 3)
                    r = ONE / volume
                    r2 = r * r
                    push = pressure_scale * (r2 * r2 * r2 - volume)
                    if viscous:
                        mu = viscosity
                        if per_particle:
                            mu = peek(viscosity_in, p)
                        drag = stress_scale * (volume * mu)
                        trace = lane(cx, 0) + lane(cy, 1) + lane(cz, 2)
                        ax, ay, az = _viscous(cx, cy, cz, cell_size_m, drag, drag * TWO_THIRDS * trace + push)
                    else:
                        diagonal = splat4(push)
                        size = splat4(cell_size_m)
                        ax = vfma(cx, size, first_lane(zero4(), diagonal))
                        ay = vfma(cy, size, second_lane(zero4(), diagonal))
                        az = vfma(cz, size, third_lane(zero4(), diagonal))
                    ax, ay, az = keep_three(ax, zero4()), keep_three(ay, zero4()), keep_three(az, zero4())
                    # Velocity at the nearest node, lane 3 is mass
                    back = vsub(zero4(), g)
                    b = vfma(all_x(back), ax, keep_three(v, mass4()))
                    b = vfma(all_y(back), ay, b)
                    b = vfma(all_z(back), az, b)
                    # Rows of three nodes
                    wz16 = by_node(wz)
                    zx = vmul(wz16, four_times(ax))
                    zy = vmul(wz16, four_times(ay))
                    middle = vmul(wz16, vfma(four_times(az), below16(), four_times(b)))
                    low, high = vsub(middle, zx), vadd(middle, zx)
                    keep_in_memory()
                    a00 = vfma(splat16(peek(share, 0)), vsub(low, zy), a00)
                    a01 = vfma(splat16(peek(share, 1)), low, a01)
                    a02 = vfma(splat16(peek(share, 2)), vadd(low, zy), a02)
                    a10 = vfma(splat16(peek(share, 4)), vsub(middle, zy), a10)
                    a11 = vfma(splat16(peek(share, 5)), middle, a11)
                    a12 = vfma(splat16(peek(share, 6)), vadd(middle, zy), a12)
                    a20 = vfma(splat16(peek(share, 8)), vsub(high, zy), a20)
                    a21 = vfma(splat16(peek(share, 9)), high, a21)
                    a22 = vfma(splat16(peek(share, 10)), vadd(high, zy), a22)
                # Round to fixed point, add to the arena
                at = s * ARENA_WORDS + ((cell >> 4) * 36 + (cell >> 2 & 3) * 6 + (cell & 3)) * 4
                _add_row(arena_out, at, a00, scale)
                _add_row(arena_out, at + ARENA_STRIDE_J, a01, scale)
                _add_row(arena_out, at + 2 * ARENA_STRIDE_J, a02, scale)
                at += ARENA_STRIDE_I
                _add_row(arena_out, at, a10, scale)
                _add_row(arena_out, at + ARENA_STRIDE_J, a11, scale)
                _add_row(arena_out, at + 2 * ARENA_STRIDE_J, a12, scale)
                at += ARENA_STRIDE_I
                _add_row(arena_out, at, a20, scale)
                _add_row(arena_out, at + ARENA_STRIDE_J, a21, scale)
                _add_row(arena_out, at + 2 * ARENA_STRIDE_J, a22, scale)


@device
def _viscous(cx, cy, cz, cell_size_m, drag, diagonal):
    """Columns of A with viscous stress: dx C - drag (C + C^T) + diagonal I."""
    tx = triple_x(pair_x(cx, cy), cz)
    ty = triple_y(pair_y(cx, cy), cz)
    tz = triple_z(pair_z(cx, cy), cz)
    size, against, d = splat4(cell_size_m), splat4(-drag), splat4(diagonal)
    ax = vfma(vadd(cx, tx), against, vfma(cx, size, first_lane(zero4(), d)))
    ay = vfma(vadd(cy, ty), against, vfma(cy, size, second_lane(zero4(), d)))
    az = vfma(vadd(cz, tz), against, vfma(cz, size, third_lane(zero4(), d)))
    return ax, ay, az


@device
def _add_row(arena, at, total, scale):
    store(arena, at, vadd(load16(arena, at), vround_to_int(vmul(total, scale))))


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = _blocks_with_particles(arguments)
    viscosity = 4 * particles if arguments["viscosity_in"].size > 1 else 0
    return Traffic(
        items=particles,
        bytes_read=(4 + 16 + 48) * particles + viscosity + 4 * BLOCK_NODES * blocks,
        bytes_written=4 * ARENA_WORDS * blocks,
        flops=604 * particles,
        atomics=27 * 4 * particles,
    )


def _blocks_with_particles(arguments):
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    first = arguments["cell_start_in"][: blocks * BLOCK_NODES + 1 : BLOCK_NODES]
    return int(np.count_nonzero(np.diff(first)))


def example(rng, size):
    from kernels.mpm_example import make_state

    state = make_state(rng, size, "mpm_sort")
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="mpm_p2g", item="particle", cpu=cpu, traffic=traffic, example=example)

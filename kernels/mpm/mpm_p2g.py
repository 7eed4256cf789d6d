"""Particles to grid: mass and momentum of each block's nodes, exact in any order (MLS-MPM, Hu et al. 2018; APIC).

With v, C = dv/dx and stress sigma of a particle at distance d from a node, in units of a particle's mass:
momentum = w (v + C d - dt (4 / dx^2) (J / density) sigma d) = w (v + A d / dx),
A = dx C - dt (4 / dx) (J / density) sigma, sigma = -p I + mu (C + C^T - 2/3 tr C I), p = K max(J^-7 - 1, 0):
a liquid bears no tension.

One task is a block. The particles of one base cell are summed in their sorted order in float32, 27 nodes at once:
nine rows of three nodes with four channels each (16 lanes, 12 used), held in registers. Each sum is rounded once to
fixed point and added to the block's arena as integers, so which cell comes first no longer matters.

position_in float32[n, 4] = x y z (grid-local m), J; velocity_in float32[n, 12] = v, dv/dx, dv/dy, dv/dz;
viscosity_in float32[n] Pa s, or length 1: then it is material[MATERIAL_VISCOSITY]; order_in, cell_start_in of
``mpm_sort``; arena_out int32[capacity * ARENA_WORDS]: per active block [6][6][6][4] momentum x y z in 1 / velocity
scale, mass in 2^-22 particle masses; the arena of a block without particles is left alone.

Paper: Hu et al. 2018 (MLS-MPM); Jiang et al. 2015 (APIC); Monaghan 1994 (equation of state).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ONE, device, kernel
from kernels.base.constants import (
    ARENA_PLANE,
    ARENA_ROW,
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
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.tasks import new_pieces, next_piece, thread_count
from kernels.base.vector import (
    keep_rolled,
    load4,
    load16,
    make_constant,
    make_shuffle,
    peek,
    poke,
    prefetch,
    prefetch_write,
    splat16,
    store,
    vadd,
    vdiv,
    vfma,
    vmax,
    vmul,
    vround_to_int,
    vsub,
)
from kernels.mpm.mpm_common import FOUR, MASS_SCALE, arena_word
from kernels.mpm.mpm_lanes import (
    STRIDE,
    batch_end,
    in_quads,
    list_particles,
    load_fields,
    load_four,
    one16,
    spline16,
    transpose,
    zero16,
)

PREFETCH_WORDS = -(-ARENA_WORDS // BLOCK_NODES)  # of the next arena, by each cell
RECORD_WORDS = 80  # of four particles: b, columns of A, weights along z; sixteen words each

two_thirds16 = make_constant([float(F32(2.0 / 3.0))] * 16)
no_count16 = make_constant([0] * 16, "i32")
below16 = make_constant([-1.0] * 4 + [0.0] * 4 + [1.0] * 4 + [0.0] * 4)  # node minus nearest node along z
mass16 = make_constant([float(MASS_SCALE)] * 16)
four_times = make_shuffle([0, 1, 2, 3] * 4, 4)
by_node = make_shuffle([0] * 4 + [1] * 4 + [2] * 4 + [3] * 4, 4)
# In each group of four lanes: its lane k four times; some lanes of a, elsewhere those of b
pick_0, pick_1, pick_2, pick_3 = (make_shuffle([lane & 12 | k for lane in range(16)], 16) for k in range(4))
first_of, second_of, third_of = in_quads([0, 4, 4, 4]), in_quads([4, 1, 4, 4]), in_quads([4, 4, 2, 4])
first_three = in_quads([0, 1, 2, 4])
# Columns and rows of dv/dx out of (v, xx), (xy xz yx yy), (yz zx zy zz); what comes fourth does not matter
column_x, column_y, column_z = in_quads([3, 4, 5, 6]), in_quads([2, 3, 4, 5]), in_quads([1, 2, 3, 3])
row_y, row_z, xx_yx, and_zx = (
    in_quads([0, 3, 6, 6]),
    in_quads([1, 4, 7, 7]),
    in_quads([3, 6, 6, 6]),
    in_quads([0, 1, 5, 5]),
)


@kernel
def cpu(
    cell_size_m, counts_in, step_in, material_in, position_in, velocity_in, viscosity_in, order_in, cell_start_in,
    arena_out,
):  # fmt: skip
    pieces = new_pieces(thread_count())
    for _task in numba.prange(thread_count()):
        _blocks(
            cell_size_m, counts_in, step_in, material_in, position_in, velocity_in, viscosity_in, order_in,
            cell_start_in, arena_out, pieces,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _blocks(
    cell_size_m, counts_in, step_in, material_in, position_in, velocity_in, viscosity_in, order_in, cell_start_in,
    arena_out, pieces,
):  # fmt: skip
    blocks = np.int64(counts_in[COUNT_BLOCKS])
    particles = np.int64(counts_in[COUNT_PARTICLES])
    index = np.empty(STRIDE, np.int32)
    record = np.empty(STRIDE // 4 * RECORD_WORDS, np.float32)
    share = np.empty(STRIDE * 9 + 16, np.float32)  # w_i w_j, one row each
    while True:
        first_slot, end_slot = next_piece(pieces, blocks)
        if first_slot == end_slot:
            break
        for s in range(first_slot, end_slot):
            if peek(cell_start_in, s * BLOCK_NODES) == peek(cell_start_in, (s + 1) * BLOCK_NODES):
                continue
            for word in range(0, ARENA_WORDS, 16):
                store(arena_out, s * ARENA_WORDS + word, no_count16())
            cell = 0
            while cell < BLOCK_NODES:
                end = batch_end(cell_start_in, s, cell)
                begin = np.int64(peek(cell_start_in, s * BLOCK_NODES + cell))
                count = np.int64(peek(cell_start_in, s * BLOCK_NODES + end)) - begin
                if count > 0:
                    groups = list_particles(order_in, begin, count, index)
                    prepare(
                        groups, ONE, cell_size_m, step_in, material_in, position_in, velocity_in, viscosity_in, index,
                        record, share,
                    )  # fmt: skip
                    for c in range(cell, end):
                        prefetch_write(arena_out, (s + 1) * ARENA_WORDS + c * PREFETCH_WORDS)
                        first = np.int64(peek(cell_start_in, s * BLOCK_NODES + c))
                        last = np.int64(peek(cell_start_in, s * BLOCK_NODES + c + 1))
                        if first < last:
                            at = s * ARENA_WORDS + arena_word(c)
                            scatter(
                                first - begin, last - begin, begin + count, particles, position_in, velocity_in,
                                order_in, record, share, arena_out, at,
                            )  # fmt: skip
                cell = end


@device
def prepare(
    groups, momentum, cell_size_m, step_in, material_in, position_in, velocity_in, viscosity_in, index, record, share,
):  # fmt: skip
    """What P2G needs of each particle of a batch: velocity b at the nearest node, columns of A, weights.

    ``momentum``: 1, or 0 to leave out v and C d: what stays is the push of the stress.

    What depends on position alone is worked out with a particle a lane, velocity and A with four lanes a particle:
    to bring twelve words into lanes and back would take longer than what is done with them.
    """
    inverse_cell = splat16(ONE / cell_size_m)
    # Fields come out in units of fixed point: its scale is a power of two, so no rounding changes
    scale = step_in[STEP_VELOCITY_SCALE]
    scale16, size = splat16(scale * momentum), splat16(cell_size_m * scale * momentum)
    stress = FOUR * step_in[STEP_DT] / (cell_size_m * material_in[MATERIAL_DENSITY])
    stress_scale = splat16(stress * scale)
    pressure_scale = splat16(stress * material_in[MATERIAL_BULK_MODULUS] * scale)
    per_particle = viscosity_in.shape[0] > 1
    viscous = per_particle or material_in[MATERIAL_VISCOSITY] != F32(0.0)
    for group in range(groups):
        x, y, z, volume = load_fields(position_in, 4, 0, index, group)
        pressure = pressure_of(volume, pressure_scale)
        drag = zero16()
        if viscous:
            if per_particle:
                mu = _gather16(viscosity_in, index, group, share)
            else:
                mu = splat16(material_in[MATERIAL_VISCOSITY])
            drag = vmul(stress_scale, vmul(volume, mu))
        # Weights
        gx, wx0, wx1, wx2 = spline16(x, inverse_cell)
        gy, wy0, wy1, wy2 = spline16(y, inverse_cell)
        gz, wz0, wz1, wz2 = spline16(z, inverse_cell)
        at = group * 16
        store(share, at, vmul(wx0, wy0))
        store(share, at + STRIDE, vmul(wx0, wy1))
        store(share, at + 2 * STRIDE, vmul(wx0, wy2))
        store(share, at + 3 * STRIDE, vmul(wx1, wy0))
        store(share, at + 4 * STRIDE, vmul(wx1, wy1))
        store(share, at + 5 * STRIDE, vmul(wx1, wy2))
        store(share, at + 6 * STRIDE, vmul(wx2, wy0))
        store(share, at + 7 * STRIDE, vmul(wx2, wy1))
        store(share, at + 8 * STRIDE, vmul(wx2, wy2))
        gx, gy, gz = vsub(zero16(), gx), vsub(zero16(), gy), vsub(zero16(), gz)
        at, i = group * 4 * RECORD_WORDS, group * 16
        weights = transpose(wz0, wz1, wz2, zero16())
        fixed = viscous, pressure, drag, gx, gy, gz, scale16, size
        _affine(velocity_in, index, i, pick_0, fixed, weights[0], record, at)
        _affine(velocity_in, index, i + 1, pick_1, fixed, weights[1], record, at + RECORD_WORDS)
        _affine(velocity_in, index, i + 2, pick_2, fixed, weights[2], record, at + 2 * RECORD_WORDS)
        _affine(velocity_in, index, i + 3, pick_3, fixed, weights[3], record, at + 3 * RECORD_WORDS)


@device
def _affine(velocity_in, index, i, pick, group, weights, record, at):
    """Record of particles i, i + 4, i + 8 and i + 12, four lanes each; ``pick`` takes their values from a group's."""
    viscous, pressure, drag, gx, gy, gz, scale, size = group
    a = load_four(velocity_in, 12, 0, index, i)  # v, xx; xy: dv_y/dx
    b = load_four(velocity_in, 12, 4, index, i)  # xy xz yx yy
    c = load_four(velocity_in, 12, 8, index, i)  # yz zx zy zz
    cx, cy, cz = column_x(a, b), column_y(b, c), column_z(c, c)
    diagonal = pick(pressure)
    if viscous:
        trace = pick_3(vadd(vadd(a, b), c))
        diagonal = vfma(vmul(pick(drag), two_thirds16()), trace, diagonal)
    ax = vfma(cx, size, first_of(diagonal, zero16()))
    ay = vfma(cy, size, second_of(diagonal, zero16()))
    az = vfma(cz, size, third_of(diagonal, zero16()))
    if viscous:
        against = vsub(zero16(), pick(drag))
        ax = vfma(vadd(cx, and_zx(xx_yx(a, b), c)), against, ax)
        ay = vfma(vadd(cy, row_y(b, c)), against, ay)
        az = vfma(vadd(cz, row_z(b, c)), against, az)
    nearest = vfma(pick(gz), az, vfma(pick(gy), ay, vfma(pick(gx), ax, vmul(a, scale))))
    # The mass channel must not even see a velocity that is not finite, or the node that should tell would seem empty
    ax, ay, az = first_three(ax, zero16()), first_three(ay, zero16()), first_three(az, zero16())
    nearest = first_three(nearest, mass16())
    store(record, at, nearest)
    store(record, at + 16, ax)
    store(record, at + 32, ay)
    store(record, at + 48, az)
    store(record, at + 64, weights)


@device
def _gather16(array, index, group, share):
    """Sixteen words of an array, by way of the spare words of ``share``."""
    for i in range(16):
        poke(share, 9 * STRIDE + i, peek(array, np.int64(peek(index, group * 16 + i))))
    return load16(share, 9 * STRIDE)


@device
def scatter(
    first, last, ahead, particles, position_in, velocity_in, order_in, record, share, arena_out, at,
):  # fmt: skip
    """Sum the particles of one base cell at 27 nodes, round to fixed point, add to the arena.

    Each particle prefetches one of the next batch, which begins at place ``ahead``: one by one, no request has to wait.
    """
    a00 = a01 = a02 = a10 = a11 = a12 = a20 = a21 = a22 = zero16()
    for i in range(first, last):
        keep_rolled()
        p = np.int64(peek(order_in, min(ahead + i, particles - 1)))
        prefetch(position_in, p * 4)
        prefetch(velocity_in, p * 12)
        own = (i >> 4 << 2 | i & 3) * RECORD_WORDS + (i & 12)
        b = four_times(load4(record, own))
        ax = four_times(load4(record, own + 16))
        ay = four_times(load4(record, own + 32))
        az = four_times(load4(record, own + 48))
        wz = by_node(load4(record, own + 64))
        zx, zy = vmul(wz, ax), vmul(wz, ay)
        middle = vmul(wz, vfma(az, below16(), b))
        low, high = vsub(middle, zx), vadd(middle, zx)
        a00 = vfma(splat16(peek(share, i)), vsub(low, zy), a00)
        a01 = vfma(splat16(peek(share, i + STRIDE)), low, a01)
        a02 = vfma(splat16(peek(share, i + 2 * STRIDE)), vadd(low, zy), a02)
        a10 = vfma(splat16(peek(share, i + 3 * STRIDE)), vsub(middle, zy), a10)
        a11 = vfma(splat16(peek(share, i + 4 * STRIDE)), middle, a11)
        a12 = vfma(splat16(peek(share, i + 5 * STRIDE)), vadd(middle, zy), a12)
        a20 = vfma(splat16(peek(share, i + 6 * STRIDE)), vsub(high, zy), a20)
        a21 = vfma(splat16(peek(share, i + 7 * STRIDE)), high, a21)
        a22 = vfma(splat16(peek(share, i + 8 * STRIDE)), vadd(high, zy), a22)
    add_rows(arena_out, at, a00, a01, a02)
    add_rows(arena_out, at + ARENA_PLANE, a10, a11, a12)
    add_rows(arena_out, at + 2 * ARENA_PLANE, a20, a21, a22)


@device
def pressure_of(volume, scale):
    """scale max(J^-6 - J, 0) of sixteen particles."""
    r = vdiv(one16(), volume)
    r2 = vmul(r, r)
    return vmul(scale, vmax(vsub(vmul(vmul(r2, r2), r2), volume), zero16()))


@device
def add_rows(arena, at, a, b, c):
    """``_add_row`` at three nodes along y."""
    _add_row(arena, at, a)
    _add_row(arena, at + ARENA_ROW, b)
    _add_row(arena, at + 2 * ARENA_ROW, c)


@device
def _add_row(arena, at, total):
    """Add sums to an arena. They fit int32 by the scale of ``mpm_control``; of a velocity that is not finite they are
    anything, in a state that is refused."""
    store(arena, at, vadd(load16(arena, at), vround_to_int(total)))


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = blocks_with_particles(arguments)
    viscosity = 4 * particles if arguments["viscosity_in"].size > 1 else 0
    return Traffic(
        items=particles,
        bytes_read=(4 + 16 + 48) * particles + viscosity + 4 * BLOCK_NODES * blocks,
        bytes_written=4 * ARENA_WORDS * blocks,
        flops=604 * particles,
        atomics=27 * 4 * filled_cells(arguments),
    )


def blocks_with_particles(arguments):
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    first = arguments["cell_start_in"][: blocks * BLOCK_NODES + 1 : BLOCK_NODES]
    return int(np.count_nonzero(np.diff(first)))


def filled_cells(arguments):
    first = arguments["cell_start_in"][: int(arguments["counts_in"][COUNT_BLOCKS]) * BLOCK_NODES + 1]
    return int(np.count_nonzero(np.diff(first)))


def example(rng, size):
    from kernels.mpm.mpm_example import make_state

    state = make_state(rng, size, "mpm_sort")
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_p2g",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("mpm_p2g", threads=192, blocks_per_sm=6),),
)

"""Grid to particles: new velocities, positions, volume ratios and keys, written in sorted order (APIC; MLS-MPM).

v = sum w v_node, C = (4 / dx^2) sum w v_node (x_node - x), x += dt v, J *= 1 + dt tr C. One task is a block: its
6^3 nodes are copied from up to eight blocks, the nine rows of three nodes of one base cell stay in registers for all
its particles. With d_i = i - 1 - g a sum over w_i d_i S_i is written (w_2 S_2 - w_0 S_0) - g sum w_i S_i.

J is then held against the density at the particle (``mpm_volume``), for which nodes' mass and its gradient are gathered
too. J stays in [VOLUME_RATIO_MIN, VOLUME_RATIO_MAX], positions inside the walls.

position_in, order_in, cell_start_in, block_id_in, slot_in: see ``mpm_p2g``, ``mpm_sort``; node_in float32[capacity,
64, 4] = velocity (m/s), mass; position_out, velocity_out, key_out like their twins of the last step, at the sorted
places; peak_out float32[capacity + 1, PEAK_WORDS]: a row per active block (``mpm_common``), zeros where it holds none.

Paper: Hu et al. 2018 (MLS-MPM); Jiang et al. 2015 (APIC).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import ONE, ZERO, bits_float, device, float_bits, kernel
from kernels.base.constants import (
    ARENA_EDGE,
    ARENA_PLANE,
    ARENA_ROW,
    ARENA_WORDS,
    BLOCK_EDGE,
    BLOCK_NODES,
    BLOCK_WORDS,
    COUNT_BLOCKS,
    COUNT_PARTICLES,
    NODE_ROW,
    STEP_DT,
    STEP_FULL,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.tasks import new_pieces, next_piece, thread_count
from kernels.base.vector import (
    join4,
    largest,
    load4,
    load8,
    load16,
    make_blend,
    make_constant,
    peek,
    poke,
    prefetch,
    prefetch_write,
    smallest,
    splat4,
    splat8,
    splat16,
    store,
    vadd,
    vand,
    vfloor,
    vfma,
    vmax,
    vmin,
    vmul,
    vshift_right,
    vsub,
    vto_int,
)
from kernels.base.vector_bits import vbits
from kernels.mpm.mpm_common import (
    FOUR,
    PEAK_GRADIENT,
    PEAK_SPEED_X,
    PEAK_VOLUME_MAX,
    PEAK_VOLUME_MIN,
    PEAK_WORDS,
    arena_word,
    position_limits,
    walled_cells,
)
from kernels.mpm.mpm_lanes import (
    STRIDE,
    batch_end,
    half16,
    list_particles,
    load_fields,
    load_quads,
    quad_0,
    quad_1,
    quad_2,
    quad_word,
    spline16,
    store_fields,
    zero16,
)
from kernels.solid.mpm_volume import SLOPE_SHARE, VOLUME_RATIO_MAX, VOLUME_RATIO_MIN, corrected

# Rows of the work array
X, Y, Z, VOLUME = 0, 1, 2, 3
WEIGHT_X, WEIGHT_Y, WEIGHT_Z = 4, 8, 12  # w_0 w_1 w_2 and -g
MASS, WORK_ROWS = 16, 20  # nodes' mass at the particle and its gradient, of particles i, i + 4, i + 8, i + 12 in a row

two16, three16, four16, sixty_four16 = (make_constant([value] * 16, "i32") for value in (2, 3, 4, 64))
no_sign16 = make_constant([0x7FFFFFFF] * 16, "i32")
no_bits16, all_bits16 = make_constant([0] * 16, "i32"), make_constant([0x7FFFFFFF] * 16, "i32")
zero8 = make_constant([0.0] * 8)
pair_0, pair_1, pair_2 = (make_blend([*range(4 * k, 4 * k + 4), *range(16 + 4 * k, 20 + 4 * k)]) for k in range(3))
first_eight = make_blend([0, 1, 2, 8, 9, 10, 12, 13])  # v, dv/dx, dv/dy without z
last_four = make_blend([14, 0, 1, 2])  # dv_z/dy, dv/dz
of_mass = make_blend([3, 11, 15, 7])  # mass, dm/dx, dm/dy, dm/dz


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, walls_in, position_in, order_in, cell_start_in,
    block_id_in, slot_in, node_in, position_out, velocity_out, key_out, peak_out,
):  # fmt: skip
    pieces = new_pieces(thread_count())
    for _task in numba.prange(thread_count()):
        _blocks(
            blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, walls_in, position_in, order_in,
            cell_start_in, block_id_in, slot_in, node_in, position_out, velocity_out, key_out, peak_out, pieces,
        )  # fmt: skip


@device
def _copy_halo(blocks_y, blocks_z, block, slot_in, node_in, halo):
    """The 6^3 nodes from a block's lowest one on; nodes of a block that is not active are 0."""
    for i in range(2):
        for j in range(2):
            low = np.int64(peek(slot_in, block + (i * blocks_y + j) * blocks_z))
            high = np.int64(peek(slot_in, block + (i * blocks_y + j) * blocks_z + 1))
            for a in range(4 - 2 * i):
                for b in range(4 - 2 * j):
                    row = (a * BLOCK_EDGE + b) * NODE_ROW
                    to = ((4 * i + a) * ARENA_EDGE + 4 * j + b) * ARENA_ROW
                    if low >= 0:
                        store(halo, to, load16(node_in, low * BLOCK_WORDS + row))
                    else:
                        store(halo, to, zero16())
                    if high >= 0:
                        store(halo, to + NODE_ROW, load8(node_in, high * BLOCK_WORDS + row))
                    else:
                        store(halo, to + NODE_ROW, zero8())


@device
def _prefetch_halo(blocks_y, blocks_z, block, slot_in, node_in):
    """Prefetch the nodes that the next block needs and this one, below it along z, did not."""
    for i in range(2):
        for j in range(2):
            high = np.int64(peek(slot_in, block + (i * blocks_y + j) * blocks_z + 1))
            if high >= 0:
                for a in range(4 - 2 * i):
                    for b in range(4 - 2 * j):
                        prefetch(node_in, high * BLOCK_WORDS + (a * BLOCK_EDGE + b) * NODE_ROW)


@numba.njit(error_model="numpy")
def _blocks(
    blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, walls_in, position_in, order_in, cell_start_in,
    block_id_in, slot_in, node_in, position_out, velocity_out, key_out, peak_out, pieces,
):  # fmt: skip
    blocks = np.int64(counts_in[COUNT_BLOCKS])
    index = np.empty(STRIDE, np.int32)
    work = np.empty(STRIDE * WORK_ROWS, np.float32)
    halo = np.zeros(ARENA_WORDS, np.float32)  # laid out like an arena
    gradient_scale = FOUR * (ONE / cell_size_m)
    particles = np.int64(counts_in[COUNT_PARTICLES])
    while True:
        first_slot, end_slot = next_piece(pieces, blocks)
        if first_slot == end_slot:
            break
        for s in range(first_slot, end_slot):
            for word in range(PEAK_WORDS):
                poke(peak_out, s * PEAK_WORDS + word, ZERO)
            if peek(cell_start_in, s * BLOCK_NODES) == peek(cell_start_in, (s + 1) * BLOCK_NODES):
                continue
            _copy_halo(blocks_y, blocks_z, np.int64(peek(block_id_in, s)), slot_in, node_in, halo)
            _prefetch_halo(blocks_y, blocks_z, np.int64(peek(block_id_in, min(s + 1, blocks - 1))), slot_in, node_in)
            cell = 0
            while cell < BLOCK_NODES:
                end = batch_end(cell_start_in, s, cell)
                begin = np.int64(peek(cell_start_in, s * BLOCK_NODES + cell))
                count = np.int64(peek(cell_start_in, s * BLOCK_NODES + end)) - begin
                if count > 0:
                    groups = list_particles(order_in, begin, count, index)
                    _prepare(groups, cell_size_m, position_in, index, work)
                    for c in range(cell, end):
                        first = np.int64(peek(cell_start_in, s * BLOCK_NODES + c))
                        last = np.int64(peek(cell_start_in, s * BLOCK_NODES + c + 1))
                        if first < last:
                            at = arena_word(c)
                            _gather(
                                first - begin, last - begin, begin, begin + count, particles, position_in, order_in,
                                work, halo, at, gradient_scale, velocity_out, position_out,
                            )  # fmt: skip
                    _move(
                        groups, begin, count, blocks_y, blocks_z, cell_size_m, step_in, walls_in, velocity_out, index,
                        work, position_out, key_out, peak_out, s,
                    )  # fmt: skip
                cell = end


@device
def _prepare(groups, cell_size_m, position_in, index, work):
    """Positions and weights of a batch, one row each."""
    inverse_cell = splat16(ONE / cell_size_m)
    for group in range(groups):
        at = group * 16
        x, y, z, volume = load_fields(position_in, 4, 0, index, group)
        store(work, at + X * STRIDE, x)
        store(work, at + Y * STRIDE, y)
        store(work, at + Z * STRIDE, z)
        store(work, at + VOLUME * STRIDE, volume)
        _prepare_axis(x, inverse_cell, work, at + WEIGHT_X * STRIDE)
        _prepare_axis(y, inverse_cell, work, at + WEIGHT_Y * STRIDE)
        _prepare_axis(z, inverse_cell, work, at + WEIGHT_Z * STRIDE)


@device
def _prepare_axis(x, inverse_cell, work, at):
    """Weights w_0 w_1 w_2 and -g along one axis."""
    g, w0, w1, w2 = spline16(x, inverse_cell)
    store(work, at, w0)
    store(work, at + STRIDE, w1)
    store(work, at + 2 * STRIDE, w2)
    store(work, at + 3 * STRIDE, vsub(zero16(), g))


@device
def _gather(
    first, last, begin, ahead, particles, position_in, order_in, work, halo, at, gradient_scale, velocity_out,
    position_out,
):  # fmt: skip
    """Velocity and its gradient for the particles of one base cell.

    Each prefetches what a particle of the next batch, which begins at place ``ahead``, will read and write.
    """
    gradient4, gradient8 = splat4(gradient_scale), splat8(gradient_scale)
    r00, r01, r02 = load16(halo, at), load16(halo, at + ARENA_ROW), load16(halo, at + 2 * ARENA_ROW)
    at += ARENA_PLANE
    r10, r11, r12 = load16(halo, at), load16(halo, at + ARENA_ROW), load16(halo, at + 2 * ARENA_ROW)
    at += ARENA_PLANE
    r20, r21, r22 = load16(halo, at), load16(halo, at + ARENA_ROW), load16(halo, at + 2 * ARENA_ROW)
    for i in range(first, last):
        prefetch(position_in, np.int64(peek(order_in, min(ahead + i, particles - 1))) * 4)
        prefetch_write(velocity_out, (ahead + i) * 12)
        prefetch_write(position_out, (ahead + i) * 4)
        x, y, z = i + WEIGHT_X * STRIDE, i + WEIGHT_Y * STRIDE, i + WEIGHT_Z * STRIDE
        # Along y: sum w_j R_j, and w_2 R_2 - w_0 R_0
        w0, w1, w2 = splat16(peek(work, y)), splat16(peek(work, y + STRIDE)), splat16(peek(work, y + 2 * STRIDE))
        q, u = vmul(w0, r00), vmul(w2, r02)
        s0, t0 = vfma(w1, r01, vadd(q, u)), vsub(u, q)
        q, u = vmul(w0, r10), vmul(w2, r12)
        s1, t1 = vfma(w1, r11, vadd(q, u)), vsub(u, q)
        q, u = vmul(w0, r20), vmul(w2, r22)
        s2, t2 = vfma(w1, r21, vadd(q, u)), vsub(u, q)
        # Along x
        w0, w1, w2 = splat16(peek(work, x)), splat16(peek(work, x + STRIDE)), splat16(peek(work, x + 2 * STRIDE))
        q, u = vmul(w0, s0), vmul(w2, s2)
        v16 = vfma(w1, s1, vadd(q, u))
        x16 = vfma(splat16(peek(work, x + 3 * STRIDE)), v16, vsub(u, q))
        y16 = vfma(w2, t2, vfma(w1, t1, vmul(w0, t0)))
        y16 = vfma(splat16(peek(work, y + 3 * STRIDE)), v16, y16)
        # Along z
        z0, z1, z2 = splat4(peek(work, z)), splat4(peek(work, z + STRIDE)), splat4(peek(work, z + 2 * STRIDE))
        c, d = vmul(z0, quad_0(v16)), vmul(z2, quad_2(v16))
        v = vfma(z1, quad_1(v16), vadd(c, d))
        cz = vmul(vfma(splat4(peek(work, z + 3 * STRIDE)), v, vsub(d, c)), gradient4)
        # dv/dx and dv/dy side by side
        z0, z1, z2 = splat8(peek(work, z)), splat8(peek(work, z + STRIDE)), splat8(peek(work, z + 2 * STRIDE))
        cxy = vfma(z1, pair_1(x16, y16), vmul(z0, pair_0(x16, y16)))
        cxy = vmul(vfma(z2, pair_2(x16, y16), cxy), gradient8)
        store(work, MASS * STRIDE + quad_word(i), of_mass(join4(v, cz), cxy))
        to = (begin + i) * 12
        store(velocity_out, to, first_eight(join4(v, cz), cxy))
        store(velocity_out, to + 8, last_four(join4(cz, cz), cxy))


@device
def _move(
    groups, begin, count, blocks_y, blocks_z, cell_size_m, step_in, walls_in, velocity_out, index, work, position_out,
    key_out, peak_out, s,
):  # fmt: skip
    """Positions, volume ratios, keys and peaks of a batch, from the velocities just written."""
    inverse_cell = splat16(ONE / cell_size_m)
    dt = splat16(step_in[STEP_DT])
    low, high_x = position_limits(walled_cells(walls_in, 0), cell_size_m)
    _, high_y = position_limits(walled_cells(walls_in, 1), cell_size_m)
    _, high_z = position_limits(walled_cells(walls_in, 2), cell_size_m)
    per_full_cell = ONE / step_in[STEP_FULL]
    slope_share = splat16(SLOPE_SHARE * per_full_cell * cell_size_m)
    fast_x = fast_y = fast_z = steep = wide = no_bits16()
    tight = all_bits16()
    # Particles of the batch now stand in a row; the last one again where a group is not full
    for i in range(groups * 16):
        poke(index, i, begin + min(i, count - 1))
    for i in range(count, groups * 16):
        store(work, MASS * STRIDE + quad_word(i), load4(work, MASS * STRIDE + quad_word(count - 1)))
    for group in range(groups):
        vx, vy, vz, xx = load_fields(velocity_out, 12, 0, index, group)
        xy, xz, yx, yy = load_fields(velocity_out, 12, 4, index, group)
        yz, zx, zy, zz = load_fields(velocity_out, 12, 8, index, group)
        at = group * 16
        x = _moved(load16(work, at + X * STRIDE), vx, dt, low, high_x)
        y = _moved(load16(work, at + Y * STRIDE), vy, dt, low, high_y)
        z = _moved(load16(work, at + Z * STRIDE), vz, dt, low, high_z)
        volume = load16(work, at + VOLUME * STRIDE)
        rate = vmul(volume, vadd(vadd(xx, yy), zz))
        volume = _moved(volume, rate, dt, VOLUME_RATIO_MIN, VOLUME_RATIO_MAX)
        mass = load_quads(work, MASS * STRIDE + at * 4)
        volume = corrected(volume, splat16(per_full_cell), slope_share, *mass)
        # Keys
        bx, by, bz = _base(x, inverse_cell), _base(y, inverse_cell), _base(z, inverse_cell)
        block = vadd(vmul(vshift_right(bx, two16()), splat16(np.int32(blocks_y))), vshift_right(by, two16()))
        block = vadd(vmul(block, splat16(np.int32(blocks_z))), vshift_right(bz, two16()))
        inner = vadd(vmul(vand(bx, three16()), four16()), vand(by, three16()))
        key = vadd(vmul(block, sixty_four16()), vadd(vmul(inner, four16()), vand(bz, three16())))
        # Peaks, as bits of non-negative floats
        fast_x, fast_y, fast_z = _peak(fast_x, vx), _peak(fast_y, vy), _peak(fast_z, vz)
        steep = _peak(_peak(_peak(steep, xx), xy), xz)
        steep = _peak(_peak(_peak(steep, yx), yy), yz)
        steep = _peak(_peak(_peak(steep, zx), zy), zz)
        wide, tight = vmax(wide, vbits(volume)), vmin(tight, vbits(volume))
        left = count - at
        if left >= 16:
            store_fields(position_out, (begin + at) * 4, 4, x, y, z, volume)
            store(key_out, begin + at, key)
        else:
            store_fields(work, 0, 4, x, y, z, volume)
            store(index, 0, key)
            for i in range(left):
                store(position_out, (begin + at + i) * 4, load4(work, i * 4))
                poke(key_out, begin + at + i, peek(index, i))
    _raise_peaks(peak_out, s, (fast_x, fast_y, fast_z), steep, wide, tight, cell_size_m)


@device
def _moved(x, rate, dt, low, high):
    """x + dt rate, kept between two limits; what is not a number becomes the lower one."""
    return vmin(vmax(vfma(dt, rate, x), splat16(low)), splat16(high))


@device
def _base(x, inverse_cell):
    return vto_int(vfloor(vsub(vmul(x, inverse_cell), half16())))


@device
def _peak(bits, value):
    return vmax(bits, vand(vbits(value), no_sign16()))


@device
def _raise_peaks(peak_out, s, fast, steep, wide, tight, cell_size_m):
    """Join a batch's peaks with its block's."""
    at = s * PEAK_WORDS
    for axis in range(3):
        _raise_peak(peak_out, at + PEAK_SPEED_X + axis, bits_float(largest(fast[axis])))
    _raise_peak(peak_out, at + PEAK_GRADIENT, bits_float(largest(steep)) * cell_size_m)
    _raise_peak(peak_out, at + PEAK_VOLUME_MAX, bits_float(largest(wide)))
    low = bits_float(smallest(tight))
    old = peek(peak_out, at + PEAK_VOLUME_MIN)
    if old == ZERO or low < old:
        poke(peak_out, at + PEAK_VOLUME_MIN, low)


@device
def _raise_peak(peak_out, at, value):
    poke(peak_out, at, value if float_bits(value) > float_bits(peek(peak_out, at)) else peek(peak_out, at))


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    return Traffic(
        items=particles,
        bytes_read=(16 + 4) * particles + blocks * (4 * BLOCK_NODES + 16 * BLOCK_NODES + 4),
        bytes_written=(16 + 48 + 4) * particles + 4 * PEAK_WORDS * blocks,
        flops=(42 + 4 * 120 + 17 + 18) * particles,  # weights, four channels, what moves, the density's correction
    )


def example(rng, size):
    from kernels.mpm.mpm_example import make_state

    state = make_state(rng, size, "mpm_sort", "mpm_p2g", "mpm_grid")
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_g2p",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("mpm_g2p", threads=128, blocks_per_sm=5),),
)

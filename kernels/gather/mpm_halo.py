"""What the kernels that go from grid to particles share: a block's nodes, weights, velocity and its gradient, peaks.

The 6^3 nodes that a block's particles reach are copied from up to eight blocks; the nine rows of three nodes of one
base cell then stay in registers for all its particles. With d_i = i - 1 - g a sum over w_i d_i S_i is written
(w_2 S_2 - w_0 S_0) - g sum w_i S_i.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import ONE, device, float_bits
from kernels.base.constants import ARENA_EDGE, ARENA_PLANE, ARENA_ROW, BLOCK_EDGE, BLOCK_WORDS, NODE_ROW
from kernels.base.vector import (
    join4,
    load8,
    load16,
    make_blend,
    make_constant,
    peek,
    poke,
    prefetch,
    prefetch_write,
    splat4,
    splat8,
    splat16,
    store,
    vadd,
    vand,
    vfma,
    vmax,
    vmin,
    vmul,
    vsub,
)
from kernels.base.vector_bits import vbits
from kernels.mpm.mpm_lanes import STRIDE, load_fields, quad_0, quad_1, quad_2, quad_word, spline16, zero16

# Rows of the work array
X, Y, Z, VOLUME = 0, 1, 2, 3
WEIGHT_X, WEIGHT_Y, WEIGHT_Z = 4, 8, 12  # w_0 w_1 w_2 and -g
MASS, WORK_ROWS = 16, 20  # nodes' mass at the particle and its gradient, of particles i, i + 4, i + 8, i + 12 in a row

no_sign16 = make_constant([0x7FFFFFFF] * 16, "i32")
no_bits16, all_bits16 = make_constant([0] * 16, "i32"), make_constant([0x7FFFFFFF] * 16, "i32")
zero8 = make_constant([0.0] * 8)
pair_0, pair_1, pair_2 = (make_blend([*range(4 * k, 4 * k + 4), *range(16 + 4 * k, 20 + 4 * k)]) for k in range(3))
first_eight = make_blend([0, 1, 2, 8, 9, 10, 12, 13])  # v, dv/dx, dv/dy without z
last_four = make_blend([14, 0, 1, 2])  # dv_z/dy, dv/dz
of_mass = make_blend([3, 11, 15, 7])  # mass, dm/dx, dm/dy, dm/dz


@device
def copy_halo(blocks_y, blocks_z, block, slot_in, node_in, halo):
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
def prefetch_halo(blocks_y, blocks_z, block, slot_in, node_in):
    """Prefetch the nodes that the next block needs and this one, below it along z, did not."""
    for i in range(2):
        for j in range(2):
            high = np.int64(peek(slot_in, block + (i * blocks_y + j) * blocks_z + 1))
            if high >= 0:
                for a in range(4 - 2 * i):
                    for b in range(4 - 2 * j):
                        prefetch(node_in, high * BLOCK_WORDS + (a * BLOCK_EDGE + b) * NODE_ROW)


@device
def prepare(groups, cell_size_m, position_in, index, work):
    """Positions and weights of a batch, one row each."""
    inverse_cell = splat16(ONE / cell_size_m)
    for group in range(groups):
        at = group * 16
        x, y, z, volume = load_fields(position_in, 4, 0, index, group)
        store(work, at + X * STRIDE, x)
        store(work, at + Y * STRIDE, y)
        store(work, at + Z * STRIDE, z)
        store(work, at + VOLUME * STRIDE, volume)
        prepare_axis(x, inverse_cell, work, at + WEIGHT_X * STRIDE)
        prepare_axis(y, inverse_cell, work, at + WEIGHT_Y * STRIDE)
        prepare_axis(z, inverse_cell, work, at + WEIGHT_Z * STRIDE)


@device
def prepare_axis(x, inverse_cell, work, at):
    """Weights w_0 w_1 w_2 and -g along one axis."""
    g, w0, w1, w2 = spline16(x, inverse_cell)
    store(work, at, w0)
    store(work, at + STRIDE, w1)
    store(work, at + 2 * STRIDE, w2)
    store(work, at + 3 * STRIDE, vsub(zero16(), g))


@device
def gather(
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
def moved(x, rate, dt, low, high):
    """x + dt rate, kept between two limits; what is not a number becomes the lower one."""
    return vmin(vmax(vfma(dt, rate, x), splat16(low)), splat16(high))


@device
def peak(bits, value):
    return vmax(bits, vand(vbits(value), no_sign16()))


@device
def raise_peak(peak_out, at, value):
    poke(peak_out, at, value if float_bits(value) > float_bits(peek(peak_out, at)) else peek(peak_out, at))

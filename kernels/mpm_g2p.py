"""Grid to particles: new velocities, positions, volume ratios and keys, written in sorted order (APIC; MLS-MPM).

v = sum w v_node, C = (4 / dx^2) sum w v_node (x_node - x), x += dt v, J *= 1 + dt tr C. One task is a block: its
6^3 nodes are copied from up to eight blocks, the nine rows of three nodes of one base cell stay in registers for all
its particles. With d_i = i - 1 - g a sum over w_i d_i S_i is written (w_2 S_2 - w_0 S_0) - g sum w_i S_i.

J is kept within [VOLUME_RATIO_MIN, VOLUME_RATIO_MAX] (``mpm_common``), positions inside the walls.

position_in, order_in, cell_start_in, block_id_in, slot_in: see ``mpm_p2g``, ``mpm_sort``; node_in float32[capacity,
64, 4] = velocity (m/s), mass; position_out, velocity_out, key_out like their twins of the last step, at the sorted
places; peak_out float32[capacity + 1, PEAK_WORDS]: a row per active block (``mpm_common``), zeros where it holds none.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.common import ONE, bits_float, device, kernel
from kernels.constants import BLOCK_NODES, COUNT_BLOCKS, COUNT_PARTICLES, STEP_DT
from kernels.kernel import Kernel, Traffic
from kernels.mpm_common import (
    FOUR,
    PEAK_GRADIENT,
    PEAK_SPEED_X,
    PEAK_SPEED_Y,
    PEAK_SPEED_Z,
    PEAK_VOLUME_MAX,
    PEAK_VOLUME_MIN,
    PEAK_WORDS,
    TASK_GRAIN,
    VOLUME_RATIO_MAX,
    VOLUME_RATIO_MIN,
    all_z,
    half4,
    one4,
    position_limits,
    weights,
)
from kernels.mpm_p2g import keep_three, zero4
from kernels.tasks import fetch_add, thread_count
from kernels.vector import (
    keep_in_memory,
    lane,
    load4,
    load8,
    load16,
    make_blend,
    make_constant,
    make_shuffle,
    peek,
    poke,
    splat4,
    splat16,
    store,
    vadd,
    vand,
    vbits,
    vfloor,
    vfma,
    vmax,
    vmin,
    vmul,
    vshift_right,
    vsub,
    vto_int,
)

HALO_WORDS = 880  # 6^3 nodes of four words, and 16 spare
STORE_WORDS = 16  # weights and offsets of the particle in hand

two4, three4 = make_constant([2] * 4, "i32"), make_constant([3] * 4, "i32")
no_sign4 = make_constant([0x7FFFFFFF] * 4, "i32")
no_bits4 = make_constant([0] * 4, "i32")
all_bits4 = make_constant([0x7FFFFFFF] * 4, "i32")
cell_stride4 = make_constant([16, 4, 1, 0], "i32")
at_node_0, at_node_1, at_node_2 = (make_shuffle([4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3], 16) for k in range(3))
last_of_y_and_z = make_blend([2, 4, 5, 6])  # dv_z/dy, then dv/dz
zero8 = make_constant([0.0] * 8)
zero16 = make_constant([0.0] * 16)


@kernel
def cpu(
    blocks_x,
    blocks_y,
    blocks_z,
    cell_size_m,
    counts_in,
    step_in,
    position_in,
    order_in,
    cell_start_in,
    block_id_in,
    slot_in,
    node_in,
    position_out,
    velocity_out,
    key_out,
    peak_out,
):
    taken = np.zeros(1, np.int64)
    for _task in numba.prange(thread_count()):
        _blocks(
            blocks_x,
            blocks_y,
            blocks_z,
            cell_size_m,
            counts_in,
            step_in,
            position_in,
            order_in,
            cell_start_in,
            block_id_in,
            slot_in,
            node_in,
            position_out,
            velocity_out,
            key_out,
            peak_out,
            taken,
        )


@device
def _quad(a, b, c, d, work, at):
    """Four scalars as a vector, by way of memory."""
    poke(work, at, a)
    poke(work, at + 1, b)
    poke(work, at + 2, c)
    poke(work, at + 3, d)
    return load4(work, at)


@device
def _copy_halo(blocks_y, blocks_z, block, slot_in, node_in, halo):
    """The 6^3 nodes from a block's lowest one on; nodes of a block that is not active are 0."""
    for i in range(2):
        for j in range(2):
            low = np.int64(peek(slot_in, block + (i * blocks_y + j) * blocks_z))
            high = np.int64(peek(slot_in, block + (i * blocks_y + j) * blocks_z + 1))
            for a in range(4 - 2 * i):
                for b in range(4 - 2 * j):
                    row = (a * 4 + b) * 16
                    to = ((4 * i + a) * 6 + 4 * j + b) * 24
                    if low >= 0:
                        store(halo, to, load16(node_in, low * 256 + row))
                    else:
                        store(halo, to, zero16())
                    if high >= 0:
                        store(halo, to + 16, load8(node_in, high * 256 + row))
                    else:
                        store(halo, to + 16, zero8())


@numba.njit(error_model="numpy")
def _blocks(
    blocks_x,
    blocks_y,
    blocks_z,
    cell_size_m,
    counts_in,
    step_in,
    position_in,
    order_in,
    cell_start_in,
    block_id_in,
    slot_in,
    node_in,
    position_out,
    velocity_out,
    key_out,
    peak_out,
    taken,
):
    blocks = np.int64(counts_in[COUNT_BLOCKS])
    inverse_cell = ONE / cell_size_m
    dt = step_in[STEP_DT]
    work = np.empty(STORE_WORDS, np.float32)
    stride = np.empty(4, np.int32)
    halo = np.zeros(HALO_WORDS, np.float32)
    low_x, high_x = position_limits(blocks_x * 4, cell_size_m)
    low_y, high_y = position_limits(blocks_y * 4, cell_size_m)
    low_z, high_z = position_limits(blocks_z * 4, cell_size_m)
    lowest = _quad(low_x, low_y, low_z, VOLUME_RATIO_MIN, work, 0)
    highest = _quad(high_x, high_y, high_z, VOLUME_RATIO_MAX, work, 0)
    block_stride = _quad(64 * blocks_y * blocks_z, 64 * blocks_z, 64, 0, stride, 0)
    inverse4, dt4, gradient4 = splat4(inverse_cell), splat4(dt), splat4(FOUR * inverse_cell)
    while True:
        slot = fetch_add(taken, 0, TASK_GRAIN)
        if slot >= blocks:
            break
        for s in range(slot, min(slot + TASK_GRAIN, blocks)):
            store(peak_out, s * PEAK_WORDS, zero8())
            if peek(cell_start_in, s * BLOCK_NODES) == peek(cell_start_in, (s + 1) * BLOCK_NODES):
                continue
            _copy_halo(blocks_y, blocks_z, np.int64(peek(block_id_in, s)), slot_in, node_in, halo)
            fastest, steepest, widest, tightest = no_bits4(), no_bits4(), no_bits4(), all_bits4()
            for cell in range(BLOCK_NODES):
                begin = np.int64(peek(cell_start_in, s * BLOCK_NODES + cell))
                end = np.int64(peek(cell_start_in, s * BLOCK_NODES + cell + 1))
                if begin == end:
                    continue
                at = ((cell >> 4) * 36 + (cell >> 2 & 3) * 6 + (cell & 3)) * 4
                r00, r01, r02 = load16(halo, at), load16(halo, at + 24), load16(halo, at + 48)
                r10, r11, r12 = load16(halo, at + 144), load16(halo, at + 168), load16(halo, at + 192)
                r20, r21, r22 = load16(halo, at + 288), load16(halo, at + 312), load16(halo, at + 336)
                for place in range(begin, end):
                    p = np.int64(peek(order_in, place))
                    position = load4(position_in, 4 * p)
                    scaled = vmul(position, inverse4)
                    g = vsub(vsub(scaled, vfloor(vsub(scaled, half4()))), one4())
                    w0, w1, w2 = weights(g)
                    back = vsub(zero4(), g)
                    store(work, 0, w0)
                    store(work, 4, w1)
                    store(work, 8, w2)
                    store(work, 12, back)
                    keep_in_memory()
                    # Along y
                    q, u = vmul(splat16(peek(work, 1)), r00), vmul(splat16(peek(work, 9)), r02)
                    s0, t0 = vfma(splat16(peek(work, 5)), r01, vadd(q, u)), vsub(u, q)
                    q, u = vmul(splat16(peek(work, 1)), r10), vmul(splat16(peek(work, 9)), r12)
                    s1, t1 = vfma(splat16(peek(work, 5)), r11, vadd(q, u)), vsub(u, q)
                    q, u = vmul(splat16(peek(work, 1)), r20), vmul(splat16(peek(work, 9)), r22)
                    s2, t2 = vfma(splat16(peek(work, 5)), r21, vadd(q, u)), vsub(u, q)
                    # Along x
                    wx0, wx1, wx2 = splat16(peek(work, 0)), splat16(peek(work, 4)), splat16(peek(work, 8))
                    q, u = vmul(wx0, s0), vmul(wx2, s2)
                    v16 = vfma(wx1, s1, vadd(q, u))
                    x16 = vfma(splat16(peek(work, 12)), v16, vsub(u, q))
                    y16 = vfma(wx2, t2, vfma(wx1, t1, vmul(wx0, t0)))
                    y16 = vfma(splat16(peek(work, 13)), v16, y16)
                    # Along z
                    wz0, wz1, wz2 = splat4(peek(work, 2)), splat4(peek(work, 6)), splat4(peek(work, 10))
                    q, u = vmul(wz0, at_node_0(v16)), vmul(wz2, at_node_2(v16))
                    v = vfma(wz1, at_node_1(v16), vadd(q, u))
                    cz = vmul(vfma(all_z(back), v, vsub(u, q)), gradient4)
                    cx = vfma(wz1, at_node_1(x16), vmul(wz0, at_node_0(x16)))
                    cx = vmul(vfma(wz2, at_node_2(x16), cx), gradient4)
                    cy = vfma(wz1, at_node_1(y16), vmul(wz0, at_node_0(y16)))
                    cy = vmul(vfma(wz2, at_node_2(y16), cy), gradient4)
                    # Move; lane 3 is J
                    trace = lane(cx, 0) + lane(cy, 1) + lane(cz, 2)
                    rate = keep_three(v, splat4(lane(position, 3) * trace))
                    moved = vmin(vmax(vfma(dt4, rate, position), lowest), highest)
                    store(position_out, 4 * place, moved)
                    store(velocity_out, 12 * place, v)
                    store(velocity_out, 12 * place + 3, cx)
                    store(velocity_out, 12 * place + 6, cy)
                    store(velocity_out, 12 * place + 8, last_of_y_and_z(cy, cz))
                    base = vto_int(vfloor(vsub(vmul(moved, inverse4), half4())))
                    key = vadd(
                        vmul(vshift_right(base, two4()), block_stride), vmul(vand(base, three4()), cell_stride4())
                    )
                    poke(key_out, place, np.int32(lane(key, 0) + lane(key, 1) + lane(key, 2)))
                    # Peaks, as bits of non-negative floats
                    fastest = vmax(fastest, vand(vbits(v), no_sign4()))
                    steepest = vmax(steepest, vand(vbits(cx), no_sign4()))
                    steepest = vmax(steepest, vand(vbits(cy), no_sign4()))
                    steepest = vmax(steepest, vand(vbits(cz), no_sign4()))
                    widest, tightest = vmax(widest, vbits(moved)), vmin(tightest, vbits(moved))
            _write_peaks(peak_out, s, fastest, steepest, widest, tightest, cell_size_m)


@device
def _write_peaks(peak_out, s, fastest, steepest, widest, tightest, cell_size_m):
    poke(peak_out, s * PEAK_WORDS + PEAK_SPEED_X, bits_float(lane(fastest, 0)))
    poke(peak_out, s * PEAK_WORDS + PEAK_SPEED_Y, bits_float(lane(fastest, 1)))
    poke(peak_out, s * PEAK_WORDS + PEAK_SPEED_Z, bits_float(lane(fastest, 2)))
    entry = bits_float(np.int32(max(lane(steepest, 0), lane(steepest, 1), lane(steepest, 2))))
    poke(peak_out, s * PEAK_WORDS + PEAK_GRADIENT, entry * cell_size_m)
    poke(peak_out, s * PEAK_WORDS + PEAK_VOLUME_MIN, bits_float(lane(tightest, 3)))
    poke(peak_out, s * PEAK_WORDS + PEAK_VOLUME_MAX, bits_float(lane(widest, 3)))


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    return Traffic(
        items=particles,
        bytes_read=(16 + 4) * particles + blocks * (4 * BLOCK_NODES + 16 * BLOCK_NODES + 4),
        bytes_written=(16 + 48 + 4) * particles + 4 * PEAK_WORDS * blocks,
        flops=618 * particles,
    )


def example(rng, size):
    from kernels.mpm_example import make_state

    state = make_state(rng, size, "mpm_sort", "mpm_p2g", "mpm_grid")
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="mpm_g2p", item="particle", cpu=cpu, traffic=traffic, example=example)

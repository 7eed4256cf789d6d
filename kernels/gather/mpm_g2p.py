"""Grid to particles: new velocities, positions, volume ratios and keys, written in sorted order (APIC; MLS-MPM).

v = sum w v_node, C = (4 / dx^2) sum w v_node (x_node - x), x += T v, J *= 1 + dt tr C; T = dt step[STEP_SOUND_STEPS]
is the substep, dt its last sound step (``mpm_strain``). A particle moves along the velocity that it is left with: so
no angular momentum is made. One task is a block (``mpm_halo``).

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

from kernels.base.common import ONE, ZERO, bits_float, device, kernel
from kernels.base.constants import (
    ARENA_WORDS,
    BLOCK_NODES,
    COUNT_BLOCKS,
    COUNT_PARTICLES,
    STEP_DT,
    STEP_FULL,
    STEP_SOUND_STEPS,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.tasks import new_pieces, next_piece, thread_count
from kernels.base.vector import (
    largest,
    load4,
    load16,
    make_constant,
    peek,
    poke,
    smallest,
    splat16,
    store,
    vadd,
    vand,
    vfloor,
    vmax,
    vmin,
    vmul,
    vshift_right,
    vsub,
    vto_int,
)
from kernels.base.vector_bits import vbits
from kernels.gather.mpm_halo import (
    MASS,
    VOLUME,
    WORK_ROWS,
    X,
    Y,
    Z,
    all_bits16,
    copy_halo,
    gather,
    moved,
    no_bits16,
    peak,
    prefetch_halo,
    prepare,
    raise_peak,
)
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
    quad_word,
    store_fields,
)
from kernels.solid.mpm_volume import SLOPE_SHARE, VOLUME_RATIO_MAX, VOLUME_RATIO_MIN, corrected

two16, three16, four16, sixty_four16 = (make_constant([value] * 16, "i32") for value in (2, 3, 4, 64))


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
            copy_halo(blocks_y, blocks_z, np.int64(peek(block_id_in, s)), slot_in, node_in, halo)
            prefetch_halo(blocks_y, blocks_z, np.int64(peek(block_id_in, min(s + 1, blocks - 1))), slot_in, node_in)
            cell = 0
            while cell < BLOCK_NODES:
                end = batch_end(cell_start_in, s, cell)
                begin = np.int64(peek(cell_start_in, s * BLOCK_NODES + cell))
                count = np.int64(peek(cell_start_in, s * BLOCK_NODES + end)) - begin
                if count > 0:
                    groups = list_particles(order_in, begin, count, index)
                    prepare(groups, cell_size_m, position_in, index, work)
                    for c in range(cell, end):
                        first = np.int64(peek(cell_start_in, s * BLOCK_NODES + c))
                        last = np.int64(peek(cell_start_in, s * BLOCK_NODES + c + 1))
                        if first < last:
                            at = arena_word(c)
                            gather(
                                first - begin, last - begin, begin, begin + count, particles, position_in, order_in,
                                work, halo, at, gradient_scale, velocity_out, position_out,
                            )  # fmt: skip
                    _move(
                        groups, begin, count, blocks_y, blocks_z, cell_size_m, step_in, walls_in, velocity_out, index,
                        work, position_out, key_out, peak_out, s,
                    )  # fmt: skip
                cell = end


@device
def _move(
    groups, begin, count, blocks_y, blocks_z, cell_size_m, step_in, walls_in, velocity_out, index, work, position_out,
    key_out, peak_out, s,
):  # fmt: skip
    """Positions, volume ratios, keys and peaks of a batch, from the velocities just written."""
    inverse_cell = splat16(ONE / cell_size_m)
    dt, flight = splat16(step_in[STEP_DT]), splat16(step_in[STEP_DT] * step_in[STEP_SOUND_STEPS])
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
        x = moved(load16(work, at + X * STRIDE), vx, flight, low, high_x)
        y = moved(load16(work, at + Y * STRIDE), vy, flight, low, high_y)
        z = moved(load16(work, at + Z * STRIDE), vz, flight, low, high_z)
        volume = load16(work, at + VOLUME * STRIDE)
        rate = vmul(volume, vadd(vadd(xx, yy), zz))
        volume = moved(volume, rate, dt, VOLUME_RATIO_MIN, VOLUME_RATIO_MAX)
        mass = load_quads(work, MASS * STRIDE + at * 4)
        volume = corrected(volume, splat16(per_full_cell), slope_share, *mass)
        # Keys
        bx, by, bz = _base(x, inverse_cell), _base(y, inverse_cell), _base(z, inverse_cell)
        block = vadd(vmul(vshift_right(bx, two16()), splat16(np.int32(blocks_y))), vshift_right(by, two16()))
        block = vadd(vmul(block, splat16(np.int32(blocks_z))), vshift_right(bz, two16()))
        inner = vadd(vmul(vand(bx, three16()), four16()), vand(by, three16()))
        key = vadd(vmul(block, sixty_four16()), vadd(vmul(inner, four16()), vand(bz, three16())))
        # Peaks, as bits of non-negative floats
        fast_x, fast_y, fast_z = peak(fast_x, vx), peak(fast_y, vy), peak(fast_z, vz)
        steep = peak(peak(peak(steep, xx), xy), xz)
        steep = peak(peak(peak(steep, yx), yy), yz)
        steep = peak(peak(peak(steep, zx), zy), zz)
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
def _base(x, inverse_cell):
    return vto_int(vfloor(vsub(vmul(x, inverse_cell), half16())))


@device
def _raise_peaks(peak_out, s, fast, steep, wide, tight, cell_size_m):
    """Join a batch's peaks with its block's."""
    at = s * PEAK_WORDS
    for axis in range(3):
        raise_peak(peak_out, at + PEAK_SPEED_X + axis, bits_float(largest(fast[axis])))
    raise_peak(peak_out, at + PEAK_GRADIENT, bits_float(largest(steep)) * cell_size_m)
    raise_peak(peak_out, at + PEAK_VOLUME_MAX, bits_float(largest(wide)))
    low = bits_float(smallest(tight))
    old = peek(peak_out, at + PEAK_VOLUME_MIN)
    if old == ZERO or low < old:
        poke(peak_out, at + PEAK_VOLUME_MIN, low)


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

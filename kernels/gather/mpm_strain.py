"""Between the sound steps of a substep: volume ratios J after what the nodes' velocities did to them.

Sound is ten times as fast as the liquid, so pressure asks for steps that are short and motion does not. A substep
moves particles once, over step[STEP_SOUND_STEPS] steps of dt in which they stand still: their pressure (``mpm_p2g``)
changes the nodes' velocities (``mpm_grid``), these change J *= 1 + dt div v, and so on; ``mpm_g2p`` does the last one.
Each transfer smooths velocities a little, so a flow that is transferred a fourth as often keeps its waves longer, and
how long no longer depends on how stiff the liquid is. A liquid without viscosity needs div v alone: div v =
(4 / dx) sum_ijk (d_i v_x + d_j v_y + d_k v_z) w_i w_j w_k, d_i = i - 1 - g. Of a viscous one the whole gradient and
the velocity are written over velocity_inout, from which the next stress follows.

position_inout float32[n, 4]: only J changes; velocity_inout float32[n, 12]; both at the particles' own places, by way
of order_in; peak_out: see ``mpm_g2p``, without speeds. Where a sort has stopped nothing changes. Other arrays: see
``mpm_g2p``, ``mpm_p2g``.

Paper: Klemp and Wilhelmson 1978 (sound in short steps within long ones); Hu et al. 2018 (MLS-MPM).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import ONE, ZERO, bits_float, device, kernel
from kernels.base.constants import (
    ARENA_PLANE,
    ARENA_ROW,
    ARENA_WORDS,
    BLOCK_NODES,
    COUNT_BLOCKS,
    COUNT_PARTICLES,
    MATERIAL_VISCOSITY,
    STEP_DT,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.tasks import new_pieces, next_piece, thread_count
from kernels.base.vector import (
    join4,
    join8,
    largest,
    load4,
    load16,
    peek,
    poke,
    prefetch,
    smallest,
    splat16,
    store,
    vadd,
    vfma,
    vmax,
    vmin,
    vmul,
)
from kernels.base.vector_bits import vbits
from kernels.gather.mpm_halo import (
    MASS,
    VOLUME,
    WORK_ROWS,
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
    PEAK_VOLUME_MAX,
    PEAK_VOLUME_MIN,
    PEAK_WORDS,
    arena_word,
    stopped,
)
from kernels.mpm.mpm_lanes import (
    PRODUCT_ROWS,
    QUADS,
    STRIDE,
    along_x,
    along_y,
    batch_end,
    list_particles,
    load_fields,
    load_quads,
    one16,
    quad_0,
    quad_1,
    quad_2,
    quad_word,
    store_products,
    transpose,
)
from kernels.solid.mpm_volume import VOLUME_RATIO_MAX, VOLUME_RATIO_MIN


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, material_in, viscosity_in, order_in,
    cell_start_in, block_id_in, slot_in, node_in, position_inout, velocity_inout, peak_out,
):  # fmt: skip
    pieces = new_pieces(thread_count())
    for _task in numba.prange(thread_count()):
        _blocks(
            blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, material_in, viscosity_in, order_in,
            cell_start_in, block_id_in, slot_in, node_in, position_inout, velocity_inout, peak_out, pieces,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _blocks(
    blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, material_in, viscosity_in, order_in,
    cell_start_in, block_id_in, slot_in, node_in, position_inout, velocity_inout, peak_out, pieces,
):  # fmt: skip
    if stopped(counts_in):
        return
    blocks = np.int64(counts_in[COUNT_BLOCKS])
    particles = np.int64(counts_in[COUNT_PARTICLES])
    index = np.empty(STRIDE, np.int32)
    work = np.empty(STRIDE * WORK_ROWS, np.float32)
    record = np.zeros(STRIDE * PRODUCT_ROWS, np.float32)  # of a viscous liquid: rows like those of velocity_inout
    halo = np.zeros(ARENA_WORDS, np.float32)
    gradient_scale = FOUR * (ONE / cell_size_m)
    viscous = viscosity_in.shape[0] > 1 or material_in[MATERIAL_VISCOSITY] != ZERO
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
                    if viscous:
                        prepare(groups, cell_size_m, position_inout, index, work)
                    else:
                        _prepare(groups, cell_size_m, position_inout, index, work, record)
                    for c in range(cell, end):
                        first = np.int64(peek(cell_start_in, s * BLOCK_NODES + c)) - begin
                        last = np.int64(peek(cell_start_in, s * BLOCK_NODES + c + 1)) - begin
                        if first < last:
                            at = arena_word(c)
                            if viscous:
                                gather(
                                    first, last, 0, begin + count, particles, position_inout, order_in, work, halo, at,
                                    gradient_scale, record, record,
                                )  # fmt: skip
                            else:
                                _diverge(
                                    first, last, begin + count, particles, position_inout, order_in, work, record, halo,
                                    at,
                                )  # fmt: skip
                    _strain(
                        viscous, groups, count, cell_size_m, step_in, gradient_scale, index, work, record,
                        position_inout, velocity_inout, peak_out, s,
                    )  # fmt: skip
                cell = end


@device
def _prepare(groups, cell_size_m, position_in, index, work, record):
    """Volume ratios of a batch in a row, and each particle's weights."""
    inverse_cell = splat16(ONE / cell_size_m)
    for group in range(groups):
        at = group * 16
        x, y, z, volume = load_fields(position_in, 4, 0, index, group)
        store(work, at + VOLUME * STRIDE, volume)
        store_products(record, at, x, y, z, inverse_cell, one16(), one16())


@device
def _diverge(first, last, ahead, particles, position_in, order_in, work, record, halo, at):
    """dx / 4 of dv_x/dx, dv_y/dy, dv_z/dz for the particles of one base cell, where a batch's masses would stand."""
    r00, r01, r02 = load16(halo, at), load16(halo, at + ARENA_ROW), load16(halo, at + 2 * ARENA_ROW)
    at += ARENA_PLANE
    r10, r11, r12 = load16(halo, at), load16(halo, at + ARENA_ROW), load16(halo, at + 2 * ARENA_ROW)
    at += ARENA_PLANE
    r20, r21, r22 = load16(halo, at), load16(halo, at + ARENA_ROW), load16(halo, at + 2 * ARENA_ROW)
    for i in range(first, last):
        prefetch(position_in, np.int64(peek(order_in, min(ahead + i, particles - 1))) * 4)
        y0, y1, y2 = along_y(record, i, 0), along_y(record, i, 1), along_y(record, i, 2)
        s0 = vfma(y2, r02, vfma(y1, r01, vmul(y0, r00)))
        s1 = vfma(y2, r12, vfma(y1, r11, vmul(y0, r10)))
        s2 = vfma(y2, r22, vfma(y1, r21, vmul(y0, r20)))
        t = vmul(along_x(record, i, 0), s0)
        t = vfma(along_x(record, i, 1), s1, t)
        t = vfma(along_x(record, i, 2), s2, t)
        own = QUADS * STRIDE + i * 16
        u = vmul(load4(record, own), quad_0(t))
        u = vfma(load4(record, own + 4), quad_1(t), u)
        u = vfma(load4(record, own + 8), quad_2(t), u)
        store(work, MASS * STRIDE + quad_word(i), u)


@device
def _strain(
    viscous, groups, count, cell_size_m, step_in, gradient_scale, index, work, record, position_inout, velocity_inout,
    peak_out, s,
):  # fmt: skip
    """Volume ratios and peaks of a batch; of a viscous liquid the rows of velocity and gradient too."""
    dt = splat16(step_in[STEP_DT])
    steep = wide = no_bits16()
    tight = all_bits16()
    # The last one again where a group is not full
    for i in range(count, groups * 16):
        if viscous:
            for word in range(0, 12, 4):
                store(record, i * 12 + word, load4(record, (count - 1) * 12 + word))
        else:
            store(work, MASS * STRIDE + quad_word(i), load4(work, MASS * STRIDE + quad_word(count - 1)))
    for group in range(groups):
        at = group * 16
        if viscous:
            xx, yy, zz, steep = _gradients(record, at * 12, steep)
            divergence = vadd(vadd(xx, yy), zz)
        else:
            xx, yy, zz, _ = load_quads(work, MASS * STRIDE + at * 4)
            divergence = vmul(splat16(gradient_scale), vadd(vadd(xx, yy), zz))
        volume = load16(work, at + VOLUME * STRIDE)
        volume = moved(volume, vmul(volume, divergence), dt, VOLUME_RATIO_MIN, VOLUME_RATIO_MAX)
        store(work, at + VOLUME * STRIDE, volume)
        wide, tight = vmax(wide, vbits(volume)), vmin(tight, vbits(volume))
    for i in range(count):
        p = np.int64(peek(index, i))
        poke(position_inout, p * 4 + 3, peek(work, i + VOLUME * STRIDE))
        if viscous:
            for word in range(0, 12, 4):
                store(velocity_inout, p * 12 + word, load4(record, i * 12 + word))
    at = s * PEAK_WORDS
    raise_peak(peak_out, at + PEAK_GRADIENT, bits_float(largest(steep)) * cell_size_m)
    raise_peak(peak_out, at + PEAK_VOLUME_MAX, bits_float(largest(wide)))
    low = bits_float(smallest(tight))
    old = peek(peak_out, at + PEAK_VOLUME_MIN)
    if old == ZERO or low < old:
        poke(peak_out, at + PEAK_VOLUME_MIN, low)


@device
def _gradients(record, at, steep):
    """dv_x/dx, dv_y/dy, dv_z/dz of sixteen rows, and the largest entry of dv/dx so far."""
    _vx, _vy, _vz, xx = _columns(record, at)
    xy, xz, yx, yy = _columns(record, at + 4)
    yz, zx, zy, zz = _columns(record, at + 8)
    steep = peak(peak(peak(steep, xx), xy), xz)
    steep = peak(peak(peak(steep, yx), yy), yz)
    steep = peak(peak(peak(steep, zx), zy), zz)
    return xx, yy, zz, steep


@device
def _columns(record, at):
    """Four words of sixteen rows, from ``at`` on, one vector each."""
    a = _four_rows(record, at)
    b = _four_rows(record, at + 12)
    c = _four_rows(record, at + 24)
    d = _four_rows(record, at + 36)
    return transpose(a, b, c, d)


@device
def _four_rows(record, at):
    return join8(
        join4(load4(record, at), load4(record, at + 48)), join4(load4(record, at + 96), load4(record, at + 144))
    )


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    viscous = arguments["viscosity_in"].size > 1 or float(arguments["material_in"][MATERIAL_VISCOSITY]) != 0.0
    return Traffic(
        items=particles,
        bytes_read=(16 + 4) * particles + blocks * (4 * BLOCK_NODES + 16 * BLOCK_NODES + 4),
        # J stands among the words of a position, which memory gets back whole
        bytes_written=(16 + (48 if viscous else 0)) * particles + 4 * PEAK_WORDS * blocks,
        # Weights; of a viscous liquid four channels, else slopes and a sum each of three channels; what changes J
        flops=(42 + 4 * 120 + 7 if viscous else 42 + 18 + 3 * 65 + 8) * particles,
    )


def example(rng, size):
    from kernels.mpm.mpm_example import make_state

    state = make_state(rng, size, "mpm_sort", "mpm_p2g", "mpm_grid")
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_strain",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(
        Pass("mpm_strain", threads=128, blocks_per_sm=9),
        Pass("mpm_strain_viscous", threads=128, blocks_per_sm=5),
    ),
)

"""Between the sound steps of a substep: the push of the particles' stress alone, to nodes that keep their velocity.

What ``mpm_p2g`` gives without v and C d (see ``mpm_strain``), in its units and its layout. Of a liquid without
viscosity sigma is a pressure, and what a node is given is a product along the axes: of w_i d_i w_j w_k for x,
w_i w_j d_j w_k for y, w_i w_j w_k d_k for z, with the distance d_i = i - 1 - g in cells. A viscous liquid's is summed
as ``mpm_p2g`` sums, with v and C d times 0. The mass at the nodes comes along, because a push is divided by it in the
same way as a momentum: no memory of the transfer is needed.

Arrays: see ``mpm_p2g``; velocity_in is read where there is viscosity. Where a sort has stopped the arenas hold nothing
that anybody reads.

Paper: Klemp and Wilhelmson 1978 (sound in short steps within long ones); Hu et al. 2018 (MLS-MPM).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import ONE, ZERO, device, kernel
from kernels.base.constants import (
    ARENA_PLANE,
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
from kernels.base.vector import keep_rolled, load16, peek, prefetch, prefetch_write, splat16, store, vfma, vmul
from kernels.mpm.mpm_common import FOUR, arena_word
from kernels.mpm.mpm_lanes import (
    PRODUCT_ROWS,
    QUADS,
    STRIDE,
    along_x,
    along_y,
    batch_end,
    list_particles,
    load_fields,
    store_products,
    zero16,
)
from kernels.mpm.mpm_p2g import (
    PREFETCH_WORDS,
    RECORD_WORDS,
    add_rows,
    blocks_with_particles,
    filled_cells,
    mass16,
    no_count16,
    prepare,
    pressure_of,
    scatter,
)


@kernel
def cpu(
    cell_size_m, counts_in, step_in, material_in, position_in, velocity_in, viscosity_in, order_in, cell_start_in,
    arena_out,
):  # fmt: skip
    pieces = new_pieces(thread_count())
    for _task in numba.prange(thread_count()):
        if viscosity_in.shape[0] > 1 or material_in[MATERIAL_VISCOSITY] != ZERO:
            _viscous_blocks(
                cell_size_m, counts_in, step_in, material_in, position_in, velocity_in, viscosity_in, order_in,
                cell_start_in, arena_out, pieces,
            )  # fmt: skip
        else:
            _blocks(
                cell_size_m, counts_in, step_in, material_in, position_in, order_in, cell_start_in, arena_out, pieces
            )


@numba.njit(error_model="numpy")
def _blocks(cell_size_m, counts_in, step_in, material_in, position_in, order_in, cell_start_in, arena_out, pieces):
    blocks = np.int64(counts_in[COUNT_BLOCKS])
    particles = np.int64(counts_in[COUNT_PARTICLES])
    index = np.empty(STRIDE, np.int32)
    record = np.zeros(STRIDE * PRODUCT_ROWS, np.float32)
    while True:
        first_slot, end_slot = next_piece(pieces, blocks)
        if first_slot == end_slot:
            break
        for s in range(first_slot, end_slot):
            if peek(cell_start_in, s * BLOCK_NODES) == peek(cell_start_in, (s + 1) * BLOCK_NODES):
                continue
            _clear(arena_out, s)
            cell = 0
            while cell < BLOCK_NODES:
                end, begin, count = _batch(cell_start_in, s, cell)
                if count > 0:
                    groups = list_particles(order_in, begin, count, index)
                    _prepare(groups, cell_size_m, step_in, material_in, position_in, index, record)
                    for c in range(cell, end):
                        prefetch_write(arena_out, (s + 1) * ARENA_WORDS + c * PREFETCH_WORDS)
                        first = np.int64(peek(cell_start_in, s * BLOCK_NODES + c)) - begin
                        last = np.int64(peek(cell_start_in, s * BLOCK_NODES + c + 1)) - begin
                        if first < last:
                            _push(
                                first, last, begin + count, particles, position_in, order_in, record, arena_out,
                                s * ARENA_WORDS + arena_word(c),
                            )  # fmt: skip
                cell = end


@numba.njit(error_model="numpy")
def _viscous_blocks(
    cell_size_m, counts_in, step_in, material_in, position_in, velocity_in, viscosity_in, order_in, cell_start_in,
    arena_out, pieces,
):  # fmt: skip
    blocks = np.int64(counts_in[COUNT_BLOCKS])
    particles = np.int64(counts_in[COUNT_PARTICLES])
    index = np.empty(STRIDE, np.int32)
    record = np.empty(STRIDE // 4 * RECORD_WORDS, np.float32)
    share = np.empty(STRIDE * 9 + 16, np.float32)
    while True:
        first_slot, end_slot = next_piece(pieces, blocks)
        if first_slot == end_slot:
            break
        for s in range(first_slot, end_slot):
            if peek(cell_start_in, s * BLOCK_NODES) == peek(cell_start_in, (s + 1) * BLOCK_NODES):
                continue
            _clear(arena_out, s)
            cell = 0
            while cell < BLOCK_NODES:
                end, begin, count = _batch(cell_start_in, s, cell)
                if count > 0:
                    groups = list_particles(order_in, begin, count, index)
                    prepare(
                        groups, ZERO, cell_size_m, step_in, material_in, position_in, velocity_in, viscosity_in, index,
                        record, share,
                    )  # fmt: skip
                    for c in range(cell, end):
                        prefetch_write(arena_out, (s + 1) * ARENA_WORDS + c * PREFETCH_WORDS)
                        first = np.int64(peek(cell_start_in, s * BLOCK_NODES + c)) - begin
                        last = np.int64(peek(cell_start_in, s * BLOCK_NODES + c + 1)) - begin
                        if first < last:
                            scatter(
                                first, last, begin + count, particles, position_in, velocity_in, order_in, record,
                                share, arena_out, s * ARENA_WORDS + arena_word(c),
                            )  # fmt: skip
                cell = end


@device
def _clear(arena_out, s):
    for word in range(0, ARENA_WORDS, 16):
        store(arena_out, s * ARENA_WORDS + word, no_count16())


@device
def _batch(cell_start_in, s, cell):
    """(cell after the batch that starts at ``cell``, place of its first particle, how many it has)."""
    end = batch_end(cell_start_in, s, cell)
    begin = np.int64(peek(cell_start_in, s * BLOCK_NODES + cell))
    return end, begin, np.int64(peek(cell_start_in, s * BLOCK_NODES + end)) - begin


@device
def _prepare(groups, cell_size_m, step_in, material_in, position_in, index, record):
    """Weights of a batch, those along z times what pressure gives and times the mass."""
    inverse_cell = splat16(ONE / cell_size_m)
    stress = FOUR * step_in[STEP_DT] / (cell_size_m * material_in[MATERIAL_DENSITY])
    scale = splat16(stress * material_in[MATERIAL_BULK_MODULUS] * step_in[STEP_VELOCITY_SCALE])
    for group in range(groups):
        x, y, z, volume = load_fields(position_in, 4, 0, index, group)
        store_products(record, group * 16, x, y, z, inverse_cell, pressure_of(volume, scale), mass16())


@device
def _push(first, last, ahead, particles, position_in, order_in, record, arena_out, at):
    """What ``_scatter`` sums, of pressure alone: products of three weights."""
    a00 = a01 = a02 = a10 = a11 = a12 = a20 = a21 = a22 = zero16()
    for i in range(first, last):
        keep_rolled()
        prefetch(position_in, np.int64(peek(order_in, min(ahead + i, particles - 1))) * 4)
        z = load16(record, QUADS * STRIDE + i * 16)
        y0, y1, y2 = along_y(record, i, 0), along_y(record, i, 1), along_y(record, i, 2)
        row = vmul(z, along_x(record, i, 0))
        a00, a01, a02 = vfma(y0, row, a00), vfma(y1, row, a01), vfma(y2, row, a02)
        row = vmul(z, along_x(record, i, 1))
        a10, a11, a12 = vfma(y0, row, a10), vfma(y1, row, a11), vfma(y2, row, a12)
        row = vmul(z, along_x(record, i, 2))
        a20, a21, a22 = vfma(y0, row, a20), vfma(y1, row, a21), vfma(y2, row, a22)
    add_rows(arena_out, at, a00, a01, a02)
    add_rows(arena_out, at + ARENA_PLANE, a10, a11, a12)
    add_rows(arena_out, at + 2 * ARENA_PLANE, a20, a21, a22)


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = blocks_with_particles(arguments)
    viscous = arguments["viscosity_in"].size > 1 or float(arguments["material_in"][MATERIAL_VISCOSITY]) != 0.0
    viscosity = 4 if arguments["viscosity_in"].size > 1 else 0
    return Traffic(
        items=particles,
        bytes_read=(4 + 16 + (48 if viscous else 0) + viscosity) * particles + 4 * BLOCK_NODES * blocks,
        bytes_written=4 * ARENA_WORDS * blocks,
        # Inviscid: weights and slopes, pressure, those along z times it and the mass, their products, 27 sums of four
        flops=(604 if viscous else 42 + 18 + 7 + 9 + 36 + 2 * 108) * particles,
        atomics=27 * 4 * filled_cells(arguments),
    )


def example(rng, size):
    from kernels.mpm.mpm_example import make_state

    state = make_state(rng, size, "mpm_sort", "mpm_p2g", "mpm_grid", "mpm_strain", "mpm_control")
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_push",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("mpm_push", threads=192, blocks_per_sm=6),),
)

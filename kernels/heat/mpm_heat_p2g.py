"""Scatter the particles' temperatures into their blocks' arenas.

Node i gets sum_p w_ip (T_p - T_a) and sum_p w_ip. The sums over the particles of one base cell are float32, in sorted
order; each is rounded once to fixed point (int64: 2^-20 K, 2^-30 particle masses) and added to the arena, so no order
of cells or threads changes a bit. The heat step runs before ``mpm_p2g`` in a substep and borrows its arenas.

position_in float32[cap,4], temperature_in float32[cap], order_in int32[cap], cell_start_in int32[block_cap * 64 + 1],
block_id_in int32[block_cap]; arena_out int64[block_cap, ARENA_INT64]: node (a, b, c) of 6^3 at ((a*6 + b)*6 + c) * 2.

Paper: Harlow 1964 (particle in cell); Steffen, Kirby and Berzins 2008 (quadratic B-splines).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, HALF, ONE, ZERO, device, kernel, round_even
from kernels.base.constants import (
    ARENA_EDGE,
    ARENA_NODES,
    ARENA_WORDS,
    BLOCK_NODES,
    COUNT_BLOCKS,
    COUNT_PARTICLES,
    MATERIAL_AMBIENT_TEMPERATURE,
)
from kernels.base.kernel import Kernel, Pass, Traffic

ARENA_INT64 = ARENA_WORDS // 2  # as many bytes as an arena of P2G
HEAT_SCALE, WEIGHT_SCALE = F32(1 << 20), F32(1 << 30)
THREE_QUARTERS = F32(0.75)


@device
def weight_row(g, w):
    """Quadratic B-spline weights of three nodes for the offset g to the middle one, in cells."""
    w[0] = HALF * (HALF - g) * (HALF - g)
    w[1] = THREE_QUARTERS - g * g
    w[2] = HALF * (HALF + g) * (HALF + g)


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, material_in, position_in, temperature_in, order_in,
    block_id_in, cell_start_in, arena_out,
):  # fmt: skip
    for slot in numba.prange(counts_in[COUNT_BLOCKS]):
        _scatter(
            slot, blocks_y, blocks_z, cell_size_m, material_in, position_in, temperature_in, order_in, block_id_in,
            cell_start_in, arena_out,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _scatter(
    slot, blocks_y, blocks_z, cell_size_m, material_in, position_in, temperature_in, order_in, block_id_in,
    cell_start_in, arena_out,
):  # fmt: skip
    """Clear one block's arena and add its particles cell by cell."""
    arena = arena_out[slot]
    for word in range(ARENA_NODES * 2):
        arena[word] = 0
    if cell_start_in[slot * BLOCK_NODES] == cell_start_in[(slot + 1) * BLOCK_NODES]:
        return
    inverse_cell = ONE / cell_size_m
    ambient = material_in[MATERIAL_AMBIENT_TEMPERATURE]
    block = block_id_in[slot]
    origin_x = block // (blocks_y * blocks_z) * 4
    origin_y = block // blocks_z % blocks_y * 4
    origin_z = block % blocks_z * 4
    wx, wy, wz = np.empty(3, F32), np.empty(3, F32), np.empty(3, F32)
    heat, weight = np.empty(27, F32), np.empty(27, F32)
    for cell in range(BLOCK_NODES):
        begin, end = cell_start_in[slot * BLOCK_NODES + cell], cell_start_in[slot * BLOCK_NODES + cell + 1]
        if begin == end:
            continue
        ca, cb, cc = cell >> 4, (cell >> 2) & 3, cell & 3
        for n in range(27):
            heat[n] = ZERO
            weight[n] = ZERO
        for place in range(begin, end):
            p = order_in[place]
            weight_row(position_in[p, 0] * inverse_cell - F32(origin_x + ca + 1), wx)
            weight_row(position_in[p, 1] * inverse_cell - F32(origin_y + cb + 1), wy)
            weight_row(position_in[p, 2] * inverse_cell - F32(origin_z + cc + 1), wz)
            t = temperature_in[p] - ambient
            for a in range(3):
                for b in range(3):
                    wab = wx[a] * wy[b]
                    for c in range(3):
                        w = wab * wz[c]
                        weight[(a * 3 + b) * 3 + c] += w
                        heat[(a * 3 + b) * 3 + c] += w * t
        for a in range(3):
            for b in range(3):
                for c in range(3):
                    n = (a * 3 + b) * 3 + c
                    # At most some 100 particles of 5000 K: below 2^40 of either
                    at = (((ca + a) * ARENA_EDGE + cb + b) * ARENA_EDGE + cc + c) * 2
                    arena[at] += np.int64(round_even(heat[n] * HEAT_SCALE))
                    arena[at + 1] += np.int64(round_even(weight[n] * WEIGHT_SCALE))


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    return Traffic(
        items=particles,
        bytes_read=(16 + 4 + 4) * particles + 4 * (BLOCK_NODES + 1) * blocks,
        bytes_written=16 * ARENA_NODES * blocks,
        flops=(27 + 9 + 27 * 4) * particles,
    )


def example(rng, size):
    """``size`` particles of hot lava, sorted."""
    from kernels.heat.mpm_heat_example import make_heat_state

    state = make_heat_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_heat_p2g",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("mpm_heat_p2g", threads=64, blocks_per_sm=12),),
)

"""Bring the nodes' change of temperature back to the particles, and let the free surface radiate.

T_p += sum_i w_ip dT_i + q sum_i w_ip (T_i - T_p). Of conduction only the change is interpolated, as FLIP does with
velocity (Brackbill and Ruppel 1986): T itself would be smoothed in every step, which at lava's diffusivity (1e-6 m^2/s)
would be thousands of times the physical conduction. What the nodes cannot see, differences inside a cell, goes by the
share q (``mpm_lava.subgrid_share``). Both sums over all particles are what they are over the nodes: heat is kept.

Then ``mpm_lava.radiate``, with the free surface over liquid of the nodes, sum_i w_ip s_i. The temperature is updated in
place.

Paper: Brackbill and Ruppel 1986 (FLIP); Gerya and Yuen 2003 (subgrid diffusion).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ONE, ZERO, kernel
from kernels.base.constants import (
    ARENA_EDGE,
    ARENA_NODES,
    BLOCK_NODES,
    BLOCK_WORDS,
    COUNT_BLOCKS,
    COUNT_PARTICLES,
    NODE_WORDS,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.heat.mpm_heat_p2g import weight_row
from kernels.heat.mpm_lava import diffusion_number, radiate, subgrid_share


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, counts_in, material_in, position_in, order_in, block_id_in,
    slot_in, cell_start_in, heat_node_in, temperature_inout,
):  # fmt: skip
    for slot in numba.prange(counts_in[COUNT_BLOCKS]):
        _gather(
            slot, blocks_y, blocks_z, heat_dt_s, cell_size_m, material_in, position_in, order_in, block_id_in, slot_in,
            cell_start_in, heat_node_in, temperature_inout,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _gather(
    slot, blocks_y, blocks_z, heat_dt_s, cell_size_m, material_in, position_in, order_in, block_id_in, slot_in,
    cell_start_in, heat_node_in, temperature_inout,
):  # fmt: skip
    """Particles of one block."""
    if cell_start_in[slot * BLOCK_NODES] == cell_start_in[(slot + 1) * BLOCK_NODES]:
        return
    inverse_cell = ONE / cell_size_m
    block = block_id_in[slot]
    block_i, block_j, block_k = block // (blocks_y * blocks_z), block // blocks_z % blocks_y, block % blocks_z
    share = subgrid_share(diffusion_number(heat_dt_s, cell_size_m, material_in))
    # Copy the 6^3 nodes that the block's particles reach
    field = np.zeros((ARENA_NODES, NODE_WORDS), F32)
    for a in range(ARENA_EDGE):
        for b in range(ARENA_EDGE):
            for c in range(ARENA_EDGE):
                source = slot_in[((block_i + (a >> 2)) * blocks_y + block_j + (b >> 2)) * blocks_z + block_k + (c >> 2)]
                if source >= 0:
                    n = ((a & 3) * 4 + (b & 3)) * 4 + (c & 3)
                    for word in range(NODE_WORDS):
                        field[(a * ARENA_EDGE + b) * ARENA_EDGE + c, word] = heat_node_in[source, n, word]
    wx, wy, wz = np.empty(3, F32), np.empty(3, F32), np.empty(3, F32)
    for cell in range(BLOCK_NODES):
        ca, cb, cc = cell >> 4, (cell >> 2) & 3, cell & 3
        for place in range(cell_start_in[slot * BLOCK_NODES + cell], cell_start_in[slot * BLOCK_NODES + cell + 1]):
            p = order_in[place]
            weight_row(position_in[p, 0] * inverse_cell - F32(block_i * 4 + ca + 1), wx)
            weight_row(position_in[p, 1] * inverse_cell - F32(block_j * 4 + cb + 1), wy)
            weight_row(position_in[p, 2] * inverse_cell - F32(block_k * 4 + cc + 1), wz)
            t = temperature_inout[p]
            dt, apart, skin = ZERO, ZERO, ZERO
            for a in range(3):
                for b in range(3):
                    wab = wx[a] * wy[b]
                    for c in range(3):
                        n = ((ca + a) * ARENA_EDGE + cb + b) * ARENA_EDGE + cc + c
                        if field[n, 1] <= ZERO:  # it has no temperature
                            continue
                        w = wab * wz[c]
                        dt += w * field[n, 2]
                        apart += w * (field[n, 0] - t)
                        skin += w * field[n, 3]
            t = t + (dt + share * apart)
            if skin > ZERO:
                t = radiate(t, skin, heat_dt_s, material_in)
            temperature_inout[p] = t


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    return Traffic(
        items=particles,
        bytes_read=(16 + 4 + 4) * particles + (4 * (BLOCK_NODES + 1) + 4 * BLOCK_WORDS) * blocks,
        bytes_written=4 * particles,
        flops=(27 + 9 + 27 * 8 + 40) * particles,
    )


def example(rng, size):
    from kernels.heat.mpm_heat_example import make_heat_state

    state = make_heat_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_heat_g2p",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("mpm_heat_g2p", threads=128, blocks_per_sm=8),),
)

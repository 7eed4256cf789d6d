"""Gather the heat arenas: temperature and fill of every active node.

A node lies in the arenas of up to eight blocks; their integers are summed, so the order does not matter. T is the
weighted mean of the particles' temperatures; fill is the node's mass over that of a full lattice. A node that holds
next to nothing keeps no temperature (fill 0): it takes no part in conduction.

heat_node_out float32[block_cap, 64, 4] = T (K), fill, room for ``mpm_heat_conduct``'s dT, nothing.

Paper: none; second half of mpm_heat_p2g.
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
    MATERIAL_AMBIENT_TEMPERATURE,
    MATERIAL_PARTICLE_VOLUME,
)
from kernels.base.kernel import Kernel, Traffic
from kernels.heat.mpm_heat_p2g import HEAT_SCALE, WEIGHT_SCALE

WEIGHT_MIN = 1 << 20  # 2^-10 particle masses


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, material_in, block_id_in, slot_in, arena_in, heat_node_out
):
    for slot in numba.prange(counts_in[COUNT_BLOCKS]):
        _gather(slot, blocks_y, blocks_z, cell_size_m, material_in, block_id_in, slot_in, arena_in, heat_node_out)


@numba.njit(error_model="numpy")
def _gather(slot, blocks_y, blocks_z, cell_size_m, material_in, block_id_in, slot_in, arena_in, heat_node_out):
    """All nodes of one block."""
    block = block_id_in[slot]
    block_i, block_j, block_k = block // (blocks_y * blocks_z), block // blocks_z % blocks_y, block % blocks_z
    heat, weight = np.zeros(BLOCK_NODES, np.int64), np.zeros(BLOCK_NODES, np.int64)
    for di in range(2):
        for dj in range(2):
            for dk in range(2):
                if block_i < di or block_j < dj or block_k < dk:
                    continue
                source = slot_in[((block_i - di) * blocks_y + block_j - dj) * blocks_z + block_k - dk]
                if source < 0:
                    continue
                # A block one lower reaches only the first two layers of nodes
                for a in range(4 - 2 * di):
                    for b in range(4 - 2 * dj):
                        for c in range(4 - 2 * dk):
                            at = (((a + 4 * di) * ARENA_EDGE + b + 4 * dj) * ARENA_EDGE + c + 4 * dk) * 2
                            heat[(a * 4 + b) * 4 + c] += arena_in[source, at]
                            weight[(a * 4 + b) * 4 + c] += arena_in[source, at + 1]
    volume = material_in[MATERIAL_PARTICLE_VOLUME] / (cell_size_m * cell_size_m * cell_size_m)
    for n in range(BLOCK_NODES):
        temperature, fill = ZERO, ZERO
        if weight[n] >= WEIGHT_MIN:
            mass = F32(weight[n]) * (ONE / WEIGHT_SCALE)
            temperature = material_in[MATERIAL_AMBIENT_TEMPERATURE] + F32(heat[n]) * (ONE / HEAT_SCALE) / mass
            fill = mass * volume
        heat_node_out[slot, n, 0] = temperature
        heat_node_out[slot, n, 1] = fill
        heat_node_out[slot, n, 2] = ZERO
        heat_node_out[slot, n, 3] = ZERO


def traffic(**arguments):
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    return Traffic(
        items=BLOCK_NODES * blocks,
        bytes_read=16 * ARENA_NODES * blocks,
        bytes_written=4 * BLOCK_WORDS * blocks,
        flops=5 * BLOCK_NODES * blocks,
    )


def example(rng, size):
    from kernels.heat.mpm_heat_example import make_heat_state

    state = make_heat_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="mpm_heat_grid", item="node", cpu=cpu, traffic=traffic, example=example)

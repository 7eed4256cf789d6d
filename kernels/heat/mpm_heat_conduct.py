"""Conduct heat between neighbouring nodes for one heat step: explicit, in flux form.

dT_i = kappa dt / dx^2 sum_n min(f_i, f_n) (T_n - T_i) / f_i over the six neighbours n, with the fills f and the thermal
diffusivity kappa = k / (rho c_p). What one node gains its neighbour loses, and a full lattice gives the seven-point
stencil, stable for kappa dt / dx^2 <= 1/6. Reads words 0 and 1 of a node, writes word 2.

heat_node_inout float32[block_cap, 64, 4] = T (K), fill, dT (K), nothing.

Paper: none; the explicit seven-point stencil in flux form.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import ZERO, device, kernel
from kernels.base.constants import (
    BLOCK_NODES,
    COUNT_BLOCKS,
    MATERIAL_CONDUCTIVITY,
    MATERIAL_DENSITY,
    MATERIAL_SPECIFIC_HEAT,
)
from kernels.base.kernel import Kernel, Traffic


@device
def _flux(s, n, temperature, fill, heat_node_inout):
    """Flow from node n of slot s, in kelvins times fill; nothing comes from where nothing is."""
    if s < 0:
        return ZERO
    other = heat_node_inout[s, n, 1]
    if other <= ZERO:
        return ZERO
    if other > fill:
        other = fill
    return other * (heat_node_inout[s, n, 0] - temperature)


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, counts_in, material_in, block_id_in, slot_in, heat_node_inout
):
    for slot in numba.prange(counts_in[COUNT_BLOCKS]):
        _conduct(
            slot, blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, material_in, block_id_in, slot_in,
            heat_node_inout,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _conduct(
    slot, blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, material_in, block_id_in, slot_in, heat_node_inout
):
    """All 64 nodes of one block."""
    block = block_id_in[slot]
    i, j, k = block // (blocks_y * blocks_z), block // blocks_z % blocks_y, block % blocks_z
    row = blocks_y * blocks_z
    low_x = slot_in[block - row] if i > 0 else np.int32(-1)
    high_x = slot_in[block + row] if i < blocks_x - 1 else np.int32(-1)
    low_y = slot_in[block - blocks_z] if j > 0 else np.int32(-1)
    high_y = slot_in[block + blocks_z] if j < blocks_y - 1 else np.int32(-1)
    low_z = slot_in[block - 1] if k > 0 else np.int32(-1)
    high_z = slot_in[block + 1] if k < blocks_z - 1 else np.int32(-1)
    diffusivity = material_in[MATERIAL_CONDUCTIVITY] / (
        material_in[MATERIAL_DENSITY] * material_in[MATERIAL_SPECIFIC_HEAT]
    )
    rate = diffusivity * heat_dt_s / (cell_size_m * cell_size_m)
    own = np.int32(slot)
    for n in range(64):
        fill = heat_node_inout[slot, n, 1]
        if fill <= ZERO:
            continue
        t = heat_node_inout[slot, n, 0]
        a, b, c = n >> 4, (n >> 2) & 3, n & 3
        total = _flux(own if a > 0 else low_x, (n - 16) & 63, t, fill, heat_node_inout)
        total += _flux(own if a < 3 else high_x, (n + 16) & 63, t, fill, heat_node_inout)
        total += _flux(own if b > 0 else low_y, n - 4 if b > 0 else n + 12, t, fill, heat_node_inout)
        total += _flux(own if b < 3 else high_y, n + 4 if b < 3 else n - 12, t, fill, heat_node_inout)
        total += _flux(own if c > 0 else low_z, n - 1 if c > 0 else n + 3, t, fill, heat_node_inout)
        total += _flux(own if c < 3 else high_z, n + 1 if c < 3 else n - 3, t, fill, heat_node_inout)
        heat_node_inout[slot, n, 2] = rate * total / fill


def traffic(**arguments):
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    nodes = BLOCK_NODES * blocks
    return Traffic(items=nodes, bytes_read=8 * nodes, bytes_written=4 * nodes, flops=26 * nodes)


def example(rng, size):
    from kernels.heat.mpm_heat_example import make_heat_state

    state = make_heat_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="mpm_heat_conduct", item="node", cpu=cpu, traffic=traffic, example=example)

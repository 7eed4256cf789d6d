"""Conduct heat between neighbouring nodes for one heat step, and find how much free surface each of them stands for.

dT_i = r sum_n min(f_i, f_n) (T_n - T_i) / f_i over the six neighbours n, with the fills f: explicit, in flux form. What
one node gains its neighbour loses, and a full lattice gives the seven-point stencil, stable for r <= 1/6. r is
kappa dt / dx^2 with the thermal diffusivity kappa = k / (rho c_p), less what the particles' share of their difference
to the nodes conducts (``mpm_lava.subgrid_share``). The free surface is that of ``mpm_skin``. Reads words 0 and 1 of a
node, writes words 2 and 3.

walls_in int32[WALLS_WORDS], collider_in float32[m, COLLIDER_WORDS], terrain_in float32[nx, ny];
heat_node_inout float32[block_cap, 64, 4] = T (K), fill, dT (K), free surface over liquid (1/m).

Paper: none; the explicit seven-point stencil in flux form.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ZERO, device, kernel
from kernels.base.constants import BLOCK_NODES, COUNT_BLOCKS, WALL_CELLS
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.heat.mpm_lava import SMOOTHING, diffusion_number, subgrid_share
from kernels.heat.mpm_skin import FILLED, free_surface, terrain_level
from kernels.mpm.mpm_common import walled_cells


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


@device
def _fill(s, n, heat_node_inout):
    return ZERO if s < 0 else heat_node_inout[s, n, 1]


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, counts_in, material_in, walls_in, collider_in,
    terrain_geometry_in, terrain_in, block_id_in, slot_in, heat_node_inout,
):  # fmt: skip
    for slot in numba.prange(counts_in[COUNT_BLOCKS]):
        _conduct(
            slot, blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, material_in, walls_in, collider_in,
            terrain_geometry_in, terrain_in, block_id_in, slot_in, heat_node_inout,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _conduct(
    slot, blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, material_in, walls_in, collider_in,
    terrain_geometry_in, terrain_in, block_id_in, slot_in, heat_node_inout,
):  # fmt: skip
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
    number = diffusion_number(heat_dt_s, cell_size_m, material_in)
    rate = number - SMOOTHING * subgrid_share(number)
    wall = F32(WALL_CELLS) * cell_size_m
    wall_x = F32(walled_cells(walls_in, 0)) * cell_size_m - wall
    wall_y = F32(walled_cells(walls_in, 1)) * cell_size_m - wall
    own = np.int32(slot)
    around = np.empty(6, F32)
    for n in range(64):
        fill = heat_node_inout[slot, n, 1]
        if fill <= ZERO:
            continue
        t = heat_node_inout[slot, n, 0]
        a, b, c = n >> 4, (n >> 2) & 3, n & 3
        s0, n0 = own if a > 0 else low_x, (n - 16) & 63
        s1, n1 = own if a < 3 else high_x, (n + 16) & 63
        s2, n2 = own if b > 0 else low_y, n - 4 if b > 0 else n + 12
        s3, n3 = own if b < 3 else high_y, n + 4 if b < 3 else n - 12
        s4, n4 = own if c > 0 else low_z, n - 1 if c > 0 else n + 3
        s5, n5 = own if c < 3 else high_z, n + 1 if c < 3 else n - 3
        total = _flux(s0, n0, t, fill, heat_node_inout)
        total += _flux(s1, n1, t, fill, heat_node_inout)
        total += _flux(s2, n2, t, fill, heat_node_inout)
        total += _flux(s3, n3, t, fill, heat_node_inout)
        total += _flux(s4, n4, t, fill, heat_node_inout)
        total += _flux(s5, n5, t, fill, heat_node_inout)
        heat_node_inout[slot, n, 2] = rate * total / fill
        around[0] = _fill(s0, n0, heat_node_inout)
        around[1] = _fill(s1, n1, heat_node_inout)
        around[2] = _fill(s2, n2, heat_node_inout)
        around[3] = _fill(s3, n3, heat_node_inout)
        around[4] = _fill(s4, n4, heat_node_inout)
        around[5] = _fill(s5, n5, heat_node_inout)
        skin = ZERO
        if np.min(around) < FILLED:
            x, y = F32(i * 4 + a) * cell_size_m, F32(j * 4 + b) * cell_size_m
            skin = free_surface(
                x, y, F32(k * 4 + c) * cell_size_m, fill, around, cell_size_m,
                terrain_level(terrain_geometry_in, terrain_in, x, y), wall, wall_x, wall_y, collider_in,
                terrain_geometry_in, terrain_in,
            )  # fmt: skip
        heat_node_inout[slot, n, 3] = skin


def traffic(**arguments):
    """Without the work of the free surface, near which few nodes are."""
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    nodes = BLOCK_NODES * blocks
    return Traffic(items=nodes, bytes_read=8 * nodes, bytes_written=8 * nodes, flops=26 * nodes)


def example(rng, size):
    from kernels.heat.mpm_heat_example import make_heat_state

    state = make_heat_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_heat_conduct",
    item="node",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("mpm_heat_conduct", threads=128, blocks_per_sm=8),),
)

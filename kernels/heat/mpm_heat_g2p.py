"""Bring the nodes' change of temperature back to the particles, and let the free surface radiate.

T_p += sum_i w_ip dT_i: only the change is interpolated, as FLIP does with velocity (Brackbill and Ruppel 1986).
Interpolating T itself would smooth it in every step, which at lava's diffusivity (1e-6 m^2/s) would be thousands of
times the physical conduction.

Exposure s (0..1) from the smoothed fill F = sum_i w_ip min(f_i, 1): 1 for the outermost layer of particles, 0 from
the third on. A particle whose surface normal, -grad F, points into terrain, a collider or a wall is covered, not
exposed. Then ``mpm_lava.radiate``. The temperature is updated in place.

Paper: Brackbill and Ruppel 1986 (FLIP).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from kernels.base.common import F32, ONE, ZERO, device, kernel
from kernels.base.constants import ARENA_EDGE, ARENA_NODES, BLOCK_NODES, COUNT_BLOCKS, COUNT_PARTICLES, WALL_CELLS
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.heat.mpm_heat_p2g import weight_row
from kernels.heat.mpm_lava import radiate
from kernels.mpm.mpm_collide import collider_distance, terrain_height
from kernels.mpm.mpm_common import walled_cells

FILL_EXPOSED, FILL_COVERED = F32(0.72), F32(0.92)  # a lattice of 8 a cell has 0.64, 0.86, 0.96 in its first layers
FOUR = F32(4.0)
STEEP = F32(0.15)  # change of fill per cell from which a surface has a direction
PROBE = F32(1.5)  # cells


@device
def surface_exposure(
    x, y, z, fill, gx, gy, gz, cells_x, cells_y, cells_z, cell_size_m, collider_in, terrain_geometry_in, terrain_in
):
    """Share 0..1 of a particle's skin that sees the sky; (gx, gy, gz) is the change of fill per cell."""
    if fill >= FILL_COVERED:
        return ZERO
    share = ONE
    if fill > FILL_EXPOSED:
        share = (FILL_COVERED - fill) / (FILL_COVERED - FILL_EXPOSED)
    steep = math.sqrt(gx * gx + gy * gy + gz * gz)
    if steep < STEEP:
        return share
    step = -PROBE * cell_size_m / steep
    x, y, z = x + gx * step, y + gy * step, z + gz * step
    wall = F32(WALL_CELLS) * cell_size_m
    if x < wall or y < wall or z < wall:
        return ZERO
    if x > F32(cells_x) * cell_size_m - wall or y > F32(cells_y) * cell_size_m - wall:
        return ZERO
    if terrain_geometry_in[3] != ZERO and z < terrain_height(terrain_geometry_in, terrain_in, x, y):
        return ZERO
    if collider_distance(collider_in, x, y, z) < ZERO:
        return ZERO
    return share


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, counts_in, material_in, walls_in, collider_in,
    terrain_geometry_in, terrain_in, position_in, order_in, block_id_in, slot_in, cell_start_in, heat_node_in,
    temperature_inout,
):  # fmt: skip
    for slot in numba.prange(counts_in[COUNT_BLOCKS]):
        _gather(
            slot, blocks_y, blocks_z, heat_dt_s, cell_size_m, material_in, walls_in, collider_in, terrain_geometry_in,
            terrain_in, position_in, order_in, block_id_in, slot_in, cell_start_in, heat_node_in, temperature_inout,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _gather(
    slot, blocks_y, blocks_z, heat_dt_s, cell_size_m, material_in, walls_in, collider_in, terrain_geometry_in,
    terrain_in, position_in, order_in, block_id_in, slot_in, cell_start_in, heat_node_in, temperature_inout,
):  # fmt: skip
    """Particles of one block."""
    if cell_start_in[slot * BLOCK_NODES] == cell_start_in[(slot + 1) * BLOCK_NODES]:
        return
    inverse_cell = ONE / cell_size_m
    cells_x, cells_y, cells_z = walled_cells(walls_in, 0), walled_cells(walls_in, 1), walled_cells(walls_in, 2)
    block = block_id_in[slot]
    block_i, block_j, block_k = block // (blocks_y * blocks_z), block // blocks_z % blocks_y, block % blocks_z
    # Copy the 6^3 nodes that the block's particles reach: change of temperature, fill
    change, filled = np.zeros(ARENA_NODES, F32), np.zeros(ARENA_NODES, F32)
    for a in range(ARENA_EDGE):
        for b in range(ARENA_EDGE):
            for c in range(ARENA_EDGE):
                source = slot_in[((block_i + (a >> 2)) * blocks_y + block_j + (b >> 2)) * blocks_z + block_k + (c >> 2)]
                if source >= 0:
                    n = ((a & 3) * 4 + (b & 3)) * 4 + (c & 3)
                    change[(a * ARENA_EDGE + b) * ARENA_EDGE + c] = heat_node_in[source, n, 2]
                    fill = heat_node_in[source, n, 1]
                    filled[(a * ARENA_EDGE + b) * ARENA_EDGE + c] = fill if fill < ONE else ONE
    wx, wy, wz = np.empty(3, F32), np.empty(3, F32), np.empty(3, F32)
    for cell in range(BLOCK_NODES):
        ca, cb, cc = cell >> 4, (cell >> 2) & 3, cell & 3
        for place in range(cell_start_in[slot * BLOCK_NODES + cell], cell_start_in[slot * BLOCK_NODES + cell + 1]):
            p = order_in[place]
            x, y, z = position_in[p, 0], position_in[p, 1], position_in[p, 2]
            fx = x * inverse_cell - F32(block_i * 4 + ca + 1)
            fy = y * inverse_cell - F32(block_j * 4 + cb + 1)
            fz = z * inverse_cell - F32(block_k * 4 + cc + 1)
            weight_row(fx, wx)
            weight_row(fy, wy)
            weight_row(fz, wz)
            dt, fill, gx, gy, gz = ZERO, ZERO, ZERO, ZERO, ZERO
            for a in range(3):
                for b in range(3):
                    wab = wx[a] * wy[b]
                    for c in range(3):
                        n = ((ca + a) * ARENA_EDGE + cb + b) * ARENA_EDGE + cc + c
                        w = wab * wz[c]
                        dt += w * change[n]
                        wf = w * filled[n]
                        fill += wf
                        gx += wf * (F32(a - 1) - fx)
                        gy += wf * (F32(b - 1) - fy)
                        gz += wf * (F32(c - 1) - fz)
            exposure = surface_exposure(
                x, y, z, fill, FOUR * gx, FOUR * gy, FOUR * gz, cells_x, cells_y, cells_z, cell_size_m, collider_in,
                 terrain_geometry_in, terrain_in,
            )  # fmt: skip
            t = temperature_inout[p] + dt
            if exposure > ZERO:
                t = radiate(t, exposure, heat_dt_s, material_in)
            temperature_inout[p] = t


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    return Traffic(
        items=particles,
        bytes_read=(16 + 4 + 4) * particles + (4 * (BLOCK_NODES + 1) + 8 * BLOCK_NODES) * blocks,
        bytes_written=4 * particles,
        flops=(27 + 9 + 27 * 16) * particles,
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

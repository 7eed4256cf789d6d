"""What the transfer kernels share: quadratic B-spline weights, keys, peaks, limits, places in an arena.

Quadratic B-spline about the nearest node, with g = X - base - 1 in [-1/2, 1/2):
w_0 = (1/2 - g)^2 / 2, w_1 = 3/4 - g^2, w_2 = (1/2 + g)^2 / 2 (Steffen, Kirby, Berzins 2008).

Peaks: float32[rows, PEAK_WORDS], one row per active block and one last row for particles that did not come out of
``mpm_g2p`` (a scene's first ones, emitted ones). A maximum does not depend on order, so rows may be filled in any.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, HALF, device
from kernels.base.constants import (
    ARENA_CHANNELS,
    ARENA_PLANE,
    ARENA_ROW,
    BLOCK_NODES,
    COUNT_BLOCKS_NEEDED,
    DOMAIN_X,
    MASS_BITS,
    WALL_CELLS,
)
from kernels.base.vector import make_constant, splat16, vadd, vfma, vmul

THREE_QUARTERS = F32(0.75)
FOUR = F32(4.0)

# Liquids are weakly compressible: volume ratios outside these are not physics but damage. The upper limit is where a
# particle forgets that it was stretched: water that flies apart must not come back with room to spare, while the small
# swings of a liquid at rest stay below it and add up to nothing.
VOLUME_RATIO_MIN = F32(0.5)
VOLUME_RATIO_MAX = F32(1.01)

STIFFNESS = 7.0  # exponent of the equation of state p = K (J^-7 - 1)

# Words of a row of peaks
PEAK_SPEED_X, PEAK_SPEED_Y, PEAK_SPEED_Z = 0, 1, 2  # largest |v| component, m/s
PEAK_GRADIENT = 3  # largest |entry of dv/dx| * dx, m/s
PEAK_VOLUME_MIN, PEAK_VOLUME_MAX = 4, 5  # volume ratios
PEAK_WORDS = 8

MASS_SCALE = F32(1 << MASS_BITS)
POSITION_MARGIN = F32(1.0 / 1024.0)  # cells; particles stay this far inside the walls

x_of_four, y_of_four, z_of_four, mass_of_four = (
    make_constant([float(lane % 4 == channel) for lane in range(16)]) for channel in range(4)
)


def bulk_modulus_pa(density_kg_per_m3: float, sound_speed_m_per_s: float) -> float:
    """K of the equation of state, so that sound at rest has its speed."""
    return density_kg_per_m3 * sound_speed_m_per_s * sound_speed_m_per_s / STIFFNESS


@device
def four_nodes(x, y, z, mass):
    """The four channels x y z mass, repeated for four nodes."""
    low = vfma(splat16(x), x_of_four(), vmul(splat16(y), y_of_four()))
    return vadd(low, vfma(splat16(z), z_of_four(), vmul(splat16(mass), mass_of_four())))


@device
def stopped(counts):
    """Whether a sort has found too little room for its blocks: from then on nothing may change the state."""
    return counts[COUNT_BLOCKS_NEEDED] != 0


@device
def walled_cells(walls_in, axis):
    """Cells of the domain along an axis, and WALL_CELLS beyond its wall on either side."""
    return walls_in[DOMAIN_X + axis] + 2 * WALL_CELLS


@device
def position_limits(cells, cell_size_m):
    """(lowest, highest) coordinate of a particle along an axis of ``walled_cells`` cells, in grid-local metres."""
    low = (F32(WALL_CELLS) + POSITION_MARGIN) * cell_size_m
    return low, (F32(cells - WALL_CELLS) - POSITION_MARGIN) * cell_size_m


@device
def base_node(x, inverse_cell):
    """Lowest of the three nodes that a coordinate reaches, as a whole float32; x lies within the walls."""
    shifted = x * inverse_cell - HALF
    whole = F32(np.int32(shifted))
    if whole > shifted:
        whole = whole - F32(1.0)
    return whole


@device
def key_of(bx, by, bz, blocks_y, blocks_z):
    """Sort key of a base node: linear block times BLOCK_NODES, plus the cell in the block."""
    block = ((bx >> 2) * blocks_y + (by >> 2)) * blocks_z + (bz >> 2)
    return np.int32(block * BLOCK_NODES + ((bx & 3) * 4 + (by & 3)) * 4 + (bz & 3))


@device
def arena_word(cell):
    """Word of an arena where the lowest of the 27 nodes of a base cell stands."""
    return (cell >> 4) * ARENA_PLANE + (cell >> 2 & 3) * ARENA_ROW + (cell & 3) * ARENA_CHANNELS

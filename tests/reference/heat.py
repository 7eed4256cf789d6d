"""The heat kernels and the rheology read plainly: loops of float32 scalars, grids held densely.

Each function has its kernel's name and arguments, and fills its outputs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kernels.base import constants as k
from kernels.base.common import exp_f32, log_f32
from kernels.base.common import fma as fused
from kernels.mpm.mpm_collide import collider_distance, terrain_height

F32 = np.float32
ZERO, HALF, ONE, TWO, THREE, FOUR = F32(0), F32(0.5), F32(1), F32(2), F32(3), F32(4)
HEAT_UNITS, WEIGHT_UNITS = F32(2**20), F32(2**30)  # of a kelvin, of a particle mass
FILL_EXPOSED, FILL_COVERED, STEEP, PROBE = F32(0.72), F32(0.92), F32(0.15), F32(1.5)
SIGMA = F32(5.670374419e-8)
AXES = (0, 1, 2)


@njit(error_model="numpy")
def _fma(a, b, c):
    return fused(a, b, c)


def fma(a, b, c):
    return F32(_fma(a, b, c))


def exp(x):
    return F32(exp_f32(x))


def larger(a, b):
    """The second where there is nothing to compare."""
    return a if a > b else b


def smaller(a, b):
    return a if a < b else b


def corner(block, blocks):
    """Lowest node of a linear block."""
    return [4 * int(n) for n in np.unravel_index(block, blocks)]


def spline(g):
    """Weights of the nodes one below, at, and one above the middle one, at the offset g from it."""
    return HALF * (HALF - g) * (HALF - g), F32(0.75) - g * g, HALF * (HALF + g) * (HALF + g)


def particles_of(slot, block, blocks, cell_start_in, order_in):
    """(particles in order, base node) of each base cell of an active block that holds any."""
    low = corner(block, blocks)
    for cell in range(64):
        begin, end = cell_start_in[slot * 64 + cell : slot * 64 + cell + 2]
        if begin < end:
            inner = np.unravel_index(cell, (4, 4, 4))
            yield order_in[begin:end], [low[d] + int(inner[d]) for d in AXES]


def offsets(position, base, cell_size_m):
    """Offset from the middle one of the three nodes along each axis, in cells."""
    inverse = ONE / cell_size_m
    return [position[d] * inverse - F32(base[d] + 1) for d in AXES]


def mpm_heat_p2g(
    blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, material_in, position_in, temperature_in, order_in,
    block_id_in, cell_start_in, arena_out,
):  # fmt: skip
    blocks = (blocks_x, blocks_y, blocks_z)
    for slot in range(counts_in[k.COUNT_BLOCKS]):
        arena = np.zeros((6, 6, 6, 2), np.int64)
        low = corner(block_id_in[slot], blocks)
        for members, base in particles_of(slot, block_id_in[slot], blocks, cell_start_in, order_in):
            for a, b, c in np.ndindex(3, 3, 3):
                heat, weight = ZERO, ZERO
                for p in members:
                    wx, wy, wz = (spline(g) for g in offsets(position_in[p], base, cell_size_m))
                    w = wx[a] * wy[b] * wz[c]
                    weight = weight + w
                    heat = heat + w * (temperature_in[p] - material_in[k.MATERIAL_AMBIENT_TEMPERATURE])
                node = tuple(base[d] - low[d] + (a, b, c)[d] for d in AXES)
                arena[node] += int(np.rint(heat * HEAT_UNITS)), int(np.rint(weight * WEIGHT_UNITS))
        arena_out[slot, : 6**3 * 2] = arena.reshape(-1)


def mpm_heat_grid(
    blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, material_in, block_id_in, slot_in, arena_in, heat_node_out
):
    blocks = (blocks_x, blocks_y, blocks_z)
    active = counts_in[k.COUNT_BLOCKS]
    dense = np.zeros((*(4 * n + 2 for n in blocks), 2), np.int64)
    for block in np.flatnonzero(slot_in >= 0):
        i, j, m = corner(block, blocks)
        dense[i : i + 6, j : j + 6, m : m + 6] += arena_in[slot_in[block], : 6**3 * 2].reshape(6, 6, 6, 2)
    volume = material_in[k.MATERIAL_PARTICLE_VOLUME] / (cell_size_m * cell_size_m * cell_size_m)
    for slot in range(active):
        i, j, m = corner(block_id_in[slot], blocks)
        heat, weight = np.moveaxis(dense[i : i + 4, j : j + 4, m : m + 4].reshape(64, 2), 1, 0)
        mass = weight.astype(F32) / WEIGHT_UNITS
        with np.errstate(all="ignore"):
            temperature = material_in[k.MATERIAL_AMBIENT_TEMPERATURE] + heat.astype(F32) / HEAT_UNITS / mass
        holds = weight >= 2**20
        heat_node_out[slot] = 0
        heat_node_out[slot, :, 0] = np.where(holds, temperature, ZERO)
        heat_node_out[slot, :, 1] = np.where(holds, mass * volume, ZERO)


def dense_nodes(blocks, slot_in, values):
    """Values [slot, 64] on the whole grid, zero where no block is, with a zero layer around."""
    dense = np.zeros([4 * n + 2 for n in blocks], F32)
    for block in np.flatnonzero(slot_in >= 0):
        i, j, m = (n + 1 for n in corner(block, blocks))
        dense[i : i + 4, j : j + 4, m : m + 4] = values[slot_in[block]].reshape(4, 4, 4)
    return dense


def mpm_heat_conduct(
    blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, counts_in, material_in, block_id_in, slot_in, heat_node_inout
):
    blocks = (blocks_x, blocks_y, blocks_z)
    active = counts_in[k.COUNT_BLOCKS]
    t, fill = (dense_nodes(blocks, slot_in, heat_node_inout[:, :, word]) for word in (0, 1))
    kappa = material_in[k.MATERIAL_CONDUCTIVITY] / (
        material_in[k.MATERIAL_DENSITY] * material_in[k.MATERIAL_SPECIFIC_HEAT]
    )
    rate = kappa * heat_dt_s / (cell_size_m * cell_size_m)
    flows = []
    for axis in AXES:
        for step in (1, -1):  # the lower neighbour first
            other_t, other_fill = np.roll(t, step, axis), np.roll(fill, step, axis)
            shared = np.where(other_fill > fill, fill, other_fill)
            flows.append(np.where(other_fill > ZERO, shared * (other_t - t), ZERO))
    total = flows[0]
    for flow in flows[1:]:
        total = total + flow
    with np.errstate(all="ignore"):
        change = rate * total / fill
    for slot in range(active):
        i, j, m = (n + 1 for n in corner(block_id_in[slot], blocks))
        holds = heat_node_inout[slot, :, 1] > ZERO
        own = change[i : i + 4, j : j + 4, m : m + 4].reshape(64)
        heat_node_inout[slot, holds, 2] = own[holds]


def exposure_of(place, fill, slope, cells, cell_size_m, collider_in, terrain_geometry_in, terrain_in):
    """Share of a particle's skin that sees the sky."""
    if fill >= FILL_COVERED:
        return ZERO
    share = ONE if fill <= FILL_EXPOSED else (FILL_COVERED - fill) / (FILL_COVERED - FILL_EXPOSED)
    steep = np.sqrt(slope[0] * slope[0] + slope[1] * slope[1] + slope[2] * slope[2])
    if steep < STEEP:
        return share
    step = -PROBE * cell_size_m / steep
    x, y, z = (place[d] + slope[d] * step for d in AXES)
    wall = F32(k.WALL_CELLS) * cell_size_m
    covered = min(x, y, z) < wall
    covered |= x > F32(cells[0]) * cell_size_m - wall or y > F32(cells[1]) * cell_size_m - wall
    if terrain_geometry_in[3] != ZERO:
        covered |= z < terrain_height(terrain_geometry_in, terrain_in, x, y)
    covered |= collider_distance(collider_in, x, y, z) < ZERO
    return ZERO if covered else share


def radiated(temperature, exposure, dt_s, material_in):
    ambient = material_in[k.MATERIAL_AMBIENT_TEMPERATURE]
    if temperature <= ambient:
        return temperature
    capacity = material_in[k.MATERIAL_DENSITY] * material_in[k.MATERIAL_SPECIFIC_HEAT]
    capacity = capacity * material_in[k.MATERIAL_RADIATING_LAYER]
    a = SIGMA * material_in[k.MATERIAL_EMISSIVITY] * exposure * dt_s / capacity
    growth = ONE + THREE * a * (temperature * temperature * temperature)
    cooled = temperature * exp(-F32(1 / 3) * F32(log_f32(growth)))
    cooled = cooled + a * (ambient * ambient * ambient * ambient)
    if cooled > temperature:
        return temperature
    return ambient if cooled < ambient else cooled


def mpm_heat_g2p(
    blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, counts_in, material_in, walls_in, collider_in,
    terrain_geometry_in, terrain_in, position_in, order_in, block_id_in, slot_in, cell_start_in, heat_node_in,
    temperature_inout,
):  # fmt: skip
    blocks = (blocks_x, blocks_y, blocks_z)
    cells = [n + 2 * k.WALL_CELLS for n in walls_in[k.DOMAIN_X : k.DOMAIN_Z + 1]]
    active = counts_in[k.COUNT_BLOCKS]
    change = dense_nodes(blocks, slot_in, heat_node_in[:, :, 2])
    filled = dense_nodes(blocks, slot_in, np.minimum(heat_node_in[:, :, 1], ONE))
    for slot in range(active):
        for members, base in particles_of(slot, block_id_in[slot], blocks, cell_start_in, order_in):
            for p in members:
                g = offsets(position_in[p], base, cell_size_m)
                wx, wy, wz = (spline(one) for one in g)
                dt, fill, slope = ZERO, ZERO, [ZERO] * 3
                for step in np.ndindex(3, 3, 3):
                    node = tuple(base[d] + step[d] + 1 for d in AXES)
                    w = wx[step[0]] * wy[step[1]] * wz[step[2]]
                    dt = dt + w * change[node]
                    wf = w * filled[node]
                    fill = fill + wf
                    slope = [slope[d] + wf * (F32(step[d] - 1) - g[d]) for d in AXES]
                exposure = exposure_of(
                    position_in[p], fill, [FOUR * one for one in slope], cells, cell_size_m, collider_in,
                    terrain_geometry_in, terrain_in,
                )  # fmt: skip
                t = temperature_inout[p] + dt
                temperature_inout[p] = radiated(t, exposure, heat_dt_s, material_in) if exposure > ZERO else t


def strain_rate(c):
    """sqrt(2 D:D) of an affine velocity c[derivative by, component]."""
    normal = c[0, 0] * c[0, 0] + c[1, 1] * c[1, 1] + c[2, 2] * c[2, 2]
    xy, xz, yz = c[0, 1] + c[1, 0], c[0, 2] + c[2, 0], c[1, 2] + c[2, 1]
    return np.sqrt(TWO * normal + (xy * xy + xz * xz + yz * yz))


def viscosity_of(temperature, rate, material_in):
    above = larger(temperature - material_in[k.MATERIAL_VFT_C], ONE)
    exponent = material_in[k.MATERIAL_VFT_A] + material_in[k.MATERIAL_VFT_B] / above
    viscosity = exp(larger(smaller(F32(2.302585093) * exponent, F32(60)), F32(-60)))
    m = material_in[k.MATERIAL_PAPANASTASIOU]
    if material_in[k.MATERIAL_YIELD_STRESS] > ZERO and m > ZERO:
        liquidus = material_in[k.MATERIAL_LIQUIDUS]
        share = (liquidus - temperature) / (liquidus - material_in[k.MATERIAL_YIELD_TEMPERATURE])
        share = larger(smaller(share, ONE), ZERO)
        rate = larger(rate, F32(1e-3) / m)
        quotient = (ONE - exp(larger(-m * rate, F32(-60)))) / rate
        viscosity = fma(material_in[k.MATERIAL_YIELD_STRESS] * share, quotient, viscosity)
    return smaller(viscosity, material_in[k.MATERIAL_VISCOSITY_MAX])


def mpm_rheology(counts_in, material_in, order_in, temperature_in, velocity_in, temperature_out, viscosity_out):
    if counts_in[k.COUNT_BLOCKS_NEEDED]:
        return
    for n in range(counts_in[k.COUNT_PARTICLES]):
        temperature_out[n] = temperature_in[order_in[n]]
        rate = strain_rate(velocity_in[n, 3:].reshape(3, 3))
        viscosity_out[n] = viscosity_of(temperature_out[n], rate, material_in)

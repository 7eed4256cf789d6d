"""The heat kernels and the rheology read plainly: loops of float32 scalars, grids held densely.

Each function has its kernel's name and arguments, and fills its outputs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kernels.base import constants as k
from kernels.base.common import exp_f32, log_f32
from kernels.base.common import fma as fused
from kernels.mpm.mpm_collide import collider_distance, collider_distance_one, terrain_height, terrain_normal

F32 = np.float32
ZERO, HALF, ONE, TWO, THREE, FOUR = F32(0), F32(0.5), F32(1), F32(2), F32(3), F32(4)
HEAT_UNITS, WEIGHT_UNITS = F32(2**20), F32(2**30)  # of a kelvin, of a particle mass
FILLED, OPEN_MIN, STEEP = F32(0.5), F32(0.75**3) * F32(1 / 6), F32(0.05)
SUBGRID, SMOOTHING = F32(2), F32(0.25)
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


def diffusion_number(heat_dt_s, cell_size_m, material_in):
    """kappa dt / dx^2."""
    kappa = material_in[k.MATERIAL_CONDUCTIVITY] / (
        material_in[k.MATERIAL_DENSITY] * material_in[k.MATERIAL_SPECIFIC_HEAT]
    )
    return kappa * heat_dt_s / (cell_size_m * cell_size_m)


def subgrid_share(number):
    """Share of its difference to the nodes that a particle gives up in one heat step."""
    return SUBGRID * number / (ONE + SUBGRID * number)


class Solids:
    """Walls, colliders and terrain around the node at (x, y): what they leave open, and what they cover."""

    def __init__(self, x, y, cells, cell_size_m, collider_in, terrain_geometry_in, terrain_in):
        self.cell, self.colliders = cell_size_m, collider_in
        self.wall = F32(k.WALL_CELLS) * cell_size_m
        self.high = [F32(cells[d]) * cell_size_m - self.wall for d in (0, 1)]
        self.geometry, self.terrain = terrain_geometry_in, terrain_in
        self.level = ONE
        if terrain_geometry_in[3] != ZERO:
            self.level = F32(terrain_normal(terrain_geometry_in, terrain_in, x, y)[2])

    def beside(self, x, y, z):
        """Signed distances (m) to the domain's sides and bottom, and to the terrain, as steep as at the node."""
        found = [x - self.wall, self.high[0] - x, y - self.wall, self.high[1] - y, z - self.wall]
        if self.geometry[3] != ZERO:
            found.append((z - F32(terrain_height(self.geometry, self.terrain, x, y))) * self.level)
        return found

    def share_beside(self, distance):
        """Share of a node's spline on the near side of a plane."""
        t = distance / self.cell
        a = abs(t)
        if a >= F32(1.5):
            beyond = ZERO
        elif a > HALF:
            beyond = (F32(1.5) - a) * (F32(1.5) - a) * (F32(1.5) - a) * F32(1 / 6)
        else:
            beyond = HALF - a * (F32(0.75) - a * a * F32(1 / 3))
        return ONE - beyond if t > ZERO else beyond

    def open_share(self, x, y, z):
        low_x, high_x, low_y, high_y, *others = (self.share_beside(one) for one in self.beside(x, y, z))
        share = (low_x * high_x) * (low_y * high_y)
        for other in others:
            share = share * other
        return share * self.share_beside(F32(collider_distance(self.colliders, x, y, z)))

    def cover(self, place, out):
        """Whether a look along ``out``, a cell long, leads into one that it faces."""
        distances = []
        for look in (-ONE, F32(-0.5), ZERO, HALF, ONE, F32(1.5)):
            there = [place[d] + look * out[d] for d in AXES]
            each = (F32(collider_distance_one(self.colliders, c, *there)) for c in range(len(self.colliders)))
            distances.append((look, [*self.beside(*there), *each]))
        (_, start), *looks = distances
        return any(
            near < F32(0.125) * self.cell and first - near > HALF * (ONE + look) * self.cell
            for look, found in looks
            for first, near in zip(start, found)
        )


def filled_share(fill, open_share):
    enough = FILLED * open_share
    return ONE if fill >= enough else fill / enough


def free_surface(place, fill, around, solids):
    """Free surface of a node over its liquid's volume, 1/m; ``around`` are its neighbours' fills, x- x+ y- y+ z- z+."""
    if min(around) >= FILLED:
        return ZERO
    cell = solids.cell
    own_open = solids.open_share(*place)
    own = filled_share(fill, own_open)
    own_density = fill / (OPEN_MIN if own_open < OPEN_MIN else own_open)
    drop, slope = [], []
    for axis in AXES:
        side = []
        for n, step in ((2 * axis, -cell), (2 * axis + 1, cell)):
            beside = list(place)
            beside[axis] = beside[axis] + step
            opened = solids.open_share(*beside)
            less = own - filled_share(around[n], opened)
            density = own_density if opened <= OPEN_MIN else around[n] / opened
            side.append((less * min(opened, own_open) if less > ZERO else ZERO, density))
        drop.append(side[0][0] + side[1][0])
        slope.append(side[1][1] - side[0][1])
    steep = np.sqrt(slope[0] * slope[0] + slope[1] * slope[1] + slope[2] * slope[2])
    if steep < STEEP:
        area = np.sqrt(drop[0] * drop[0] + drop[1] * drop[1] + drop[2] * drop[2])
        return area / (fill * cell)
    area = (drop[0] * abs(slope[0]) + drop[1] * abs(slope[1]) + drop[2] * abs(slope[2])) / steep
    if area <= ZERO:
        return ZERO
    out = [-slope[d] * (cell / steep) for d in AXES]
    if solids.cover(place, out):
        return ZERO
    return area / (fill * cell)


def mpm_heat_conduct(
    blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, counts_in, material_in, walls_in, collider_in,
    terrain_geometry_in, terrain_in, block_id_in, slot_in, heat_node_inout,
):  # fmt: skip
    blocks = (blocks_x, blocks_y, blocks_z)
    cells = [n + 2 * k.WALL_CELLS for n in walls_in[k.DOMAIN_X : k.DOMAIN_Z + 1]]
    active = counts_in[k.COUNT_BLOCKS]
    t, fill = (dense_nodes(blocks, slot_in, heat_node_inout[:, :, word]) for word in (0, 1))
    number = diffusion_number(heat_dt_s, cell_size_m, material_in)
    rate = number - SMOOTHING * subgrid_share(number)
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
        low = corner(block_id_in[slot], blocks)
        for n in np.flatnonzero(heat_node_inout[slot, :, 1] > ZERO):
            node = [low[d] + int(inner) for d, inner in zip(AXES, np.unravel_index(n, (4, 4, 4)))]
            x, y, z = (F32(one) * cell_size_m for one in node)
            i, j, m = (one + 1 for one in node)  # past the layer of zeros
            around = [fill[i - 1, j, m], fill[i + 1, j, m], fill[i, j - 1, m], fill[i, j + 1, m]]
            around += [fill[i, j, m - 1], fill[i, j, m + 1]]
            solids = Solids(x, y, cells, cell_size_m, collider_in, terrain_geometry_in, terrain_in)
            heat_node_inout[slot, n, 2] = change[i, j, m]
            heat_node_inout[slot, n, 3] = free_surface((x, y, z), fill[i, j, m], around, solids)


def radiated(temperature, skin_per_m, dt_s, material_in):
    ambient = material_in[k.MATERIAL_AMBIENT_TEMPERATURE]
    if temperature <= ambient:
        return temperature
    capacity = material_in[k.MATERIAL_DENSITY] * material_in[k.MATERIAL_SPECIFIC_HEAT]
    a = SIGMA * material_in[k.MATERIAL_EMISSIVITY] * skin_per_m * dt_s / capacity
    growth = ONE + THREE * a * (temperature * temperature * temperature)
    cooled = temperature * exp(-F32(1 / 3) * F32(log_f32(growth)))
    cooled = cooled + a * (ambient * ambient * ambient * ambient)
    if cooled > temperature:
        return temperature
    return ambient if cooled < ambient else cooled


def mpm_heat_g2p(
    blocks_x, blocks_y, blocks_z, heat_dt_s, cell_size_m, counts_in, material_in, position_in, order_in, block_id_in,
    slot_in, cell_start_in, heat_node_in, temperature_inout,
):  # fmt: skip
    blocks = (blocks_x, blocks_y, blocks_z)
    active = counts_in[k.COUNT_BLOCKS]
    number = diffusion_number(heat_dt_s, cell_size_m, material_in)
    share = subgrid_share(number)
    mean, fill, change, skin = (dense_nodes(blocks, slot_in, heat_node_in[:, :, word]) for word in range(4))
    for slot in range(active):
        for members, base in particles_of(slot, block_id_in[slot], blocks, cell_start_in, order_in):
            for p in members:
                wx, wy, wz = (spline(one) for one in offsets(position_in[p], base, cell_size_m))
                t = temperature_inout[p]
                dt, apart, skin_per_m = ZERO, ZERO, ZERO
                for step in np.ndindex(3, 3, 3):
                    node = tuple(base[d] + step[d] + 1 for d in AXES)
                    w = wx[step[0]] * wy[step[1]] * wz[step[2]]
                    if fill[node] > ZERO:
                        dt = dt + w * change[node]
                        apart = apart + w * (mean[node] - t)
                        skin_per_m = skin_per_m + w * skin[node]
                t = t + (dt + share * apart)
                temperature_inout[p] = radiated(t, skin_per_m, heat_dt_s, material_in) if skin_per_m > ZERO else t


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

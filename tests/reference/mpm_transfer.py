"""The kernels from particles to grid read plainly: scalar loops over 27 nodes, the same written order of operations.

State comes as the dictionary of ``kernels.mpm.mpm_example``; each function gives what its kernel writes. What
comes back from the grid: ``mpm_gather``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kernels.base.common import F32, fma, round_even
from kernels.base.constants import (
    COUNT_PARTICLES,
    DOMAIN_X,
    DOMAIN_Z,
    FORCE_GRAVITY_X,
    FORCE_SKIN_FRICTION,
    MATERIAL_BULK_MODULUS,
    MATERIAL_DENSITY,
    MATERIAL_VISCOSITY,
    STEP_DT,
    STEP_FULL,
    STEP_VELOCITY_SCALE,
    STEP_VELOCITY_UNIT,
    WALL_CELLS,
)
from kernels.mpm.mpm_collide import apply_forces_and_boundaries, level_of_node

ONE, HALF, FOUR, MASS_SCALE = F32(1.0), F32(0.5), F32(4.0), F32(1 << 22)
plain = njit(error_model="numpy")


def sort(state):
    """Active blocks ascending, stable order by key, first place of each (active block, cell)."""
    particles = int(state["counts"][COUNT_PARTICLES])
    key = state["key"][:particles].astype(np.int64)
    blocks_y, blocks_z = state["blocks_y"], state["blocks_z"]
    own = np.unique(key >> 6)
    steps = [(i * blocks_y + j) * blocks_z + k for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    active = np.unique(own[:, None] + np.array(steps))
    slot = np.full(state["slot"].size, -1, np.int32)
    slot[active] = np.arange(active.size)
    order = np.argsort(key, kind="stable").astype(np.int32)
    places = slot[key[order] >> 6] * 64 + (key[order] & 63)
    cell_start = np.searchsorted(places, np.arange(active.size * 64 + 1)).astype(np.int32)
    return active.astype(np.int32), slot, order, cell_start


@plain
def spline(position, inverse_cell):
    """(base node, offset from the nearest node, three weights) along one axis."""
    scaled = position * inverse_cell
    base = np.int64(np.floor(scaled - HALF))
    g = (scaled - F32(base)) - ONE
    w = np.empty(3, np.float32)
    w[0] = (HALF - g) * (HALF - g) * HALF
    w[1] = fma(F32(0.0) - g, g, F32(0.75))
    w[2] = (HALF + g) * (HALF + g) * HALF
    return base, g, w


@plain
def pressure_of(volume, scale):
    """What pressure pushes with at a volume ratio; a liquid bears no tension."""
    r = ONE / volume
    r2 = r * r
    return scale * max(r2 * r2 * r2 - volume, F32(0.0))


@plain
def affine(c, volume, viscosity, momentum, cell_size_m, dt, density, bulk_modulus):
    """A of one particle: a[axis of the node offset, component]; ``momentum`` 0 leaves out what C carries."""
    a = np.empty((3, 3), np.float32)
    stress_scale = FOUR * dt / (cell_size_m * density)
    diagonal = pressure_of(volume, stress_scale * bulk_modulus)
    drag = stress_scale * (volume * viscosity)
    if viscosity != F32(0.0):
        diagonal = fma(drag * F32(2.0 / 3.0), c[0, 0] + c[1, 1] + c[2, 2], diagonal)
    for d in range(3):
        for e in range(3):
            a[d, e] = fma(c[d, e], cell_size_m * momentum, diagonal if d == e else F32(0.0))
            if viscosity != F32(0.0):
                a[d, e] = fma(c[d, e] + c[e, d], -drag, a[d, e])
    return a


@plain
def _p2g(momentum, cell_size_m, step, material, position, velocity, viscosity, order, cell_start, blocks, arena):
    inverse_cell = ONE / cell_size_m
    scale = step[STEP_VELOCITY_SCALE]
    for s in range(blocks):
        for cell in range(64):
            total = np.zeros((3, 3, 3, 4), np.float32)
            begin, end = cell_start[s * 64 + cell], cell_start[s * 64 + cell + 1]
            for place in range(begin, end):
                p = order[place]
                g, w = np.empty(3, np.float32), np.empty((3, 3), np.float32)
                for d in range(3):
                    _base, g[d], w[d] = spline(position[p, d], inverse_cell)
                mu = viscosity[p] if viscosity.shape[0] > 1 else material[MATERIAL_VISCOSITY]
                c = velocity[p, 3:].copy().reshape((3, 3))
                a = affine(
                    c,
                    position[p, 3],
                    mu,
                    momentum,
                    cell_size_m,
                    step[STEP_DT],
                    material[MATERIAL_DENSITY],
                    material[MATERIAL_BULK_MODULUS],
                )
                for channel in range(4):
                    ax = a[0, channel] if channel < 3 else F32(0.0)
                    ay = a[1, channel] if channel < 3 else F32(0.0)
                    az = a[2, channel] if channel < 3 else F32(0.0)
                    b = velocity[p, channel] * momentum if channel < 3 else ONE
                    b = fma(-g[2], az, fma(-g[1], ay, fma(-g[0], ax, b)))
                    for k in range(3):
                        middle = w[2, k] * fma(az, F32(k - 1), b)
                        for i in range(3):
                            plane = middle + F32(i - 1) * (w[2, k] * ax)
                            for j in range(3):
                                value = plane + F32(j - 1) * (w[2, k] * ay)
                                total[i, j, k, channel] = fma(w[0, i] * w[1, j], value, total[i, j, k, channel])
            _add(total, scale, MASS_SCALE, s, cell, arena)


@plain
def _add(total, scale, mass_scale, s, cell, arena):
    """Round a base cell's sums to fixed point and add them to its block's arena."""
    for i in range(3):
        for j in range(3):
            for k in range(3):
                for channel in range(4):
                    unit = scale if channel < 3 else mass_scale
                    whole = np.int32(round_even(total[i, j, k, channel] * unit))
                    arena[s, (cell >> 4) + i, (cell >> 2 & 3) + j, (cell & 3) + k, channel] += whole


def _arenas(state, blocks, momentum):
    arena = np.zeros((blocks, 6, 6, 6, 4), np.int32)
    names = ("cell_size_m", "step", "material", "position", "velocity", "viscosity", "order", "cell_start")
    _p2g(F32(momentum), *(state[name] for name in names), blocks, arena)
    return arena


def p2g(state, blocks):
    """Arenas [blocks, 6, 6, 6, 4]."""
    return _arenas(state, blocks, 1.0)


def is_viscous(state):
    return state["viscosity"].size > 1 or state["material"][MATERIAL_VISCOSITY] != 0.0


def push(state, blocks):
    """The same of the stress alone: p2g without momentum, or of a pressure products along the axes."""
    if is_viscous(state):
        return _arenas(state, blocks, 0.0)
    arena = np.zeros((blocks, 6, 6, 6, 4), np.int32)
    names = ("cell_size_m", "step", "material", "position", "order", "cell_start")
    _push(*(state[name] for name in names), blocks, arena)
    return arena


@plain
def slopes(g, w):
    """w_i d_i, with the distance d_i = i - 1 - g to a node in cells."""
    u = np.empty(3, np.float32)
    u[0], u[1], u[2] = w[0] * (-g - ONE), w[1] * -g, w[2] * (-g + ONE)
    return u


@plain
def _push(cell_size_m, step, material, position, order, cell_start, blocks, arena):
    inverse_cell = ONE / cell_size_m
    stress_scale = FOUR * step[STEP_DT] / (cell_size_m * material[MATERIAL_DENSITY])
    scale = stress_scale * material[MATERIAL_BULK_MODULUS] * step[STEP_VELOCITY_SCALE]
    for s in range(blocks):
        for cell in range(64):
            total = np.zeros((3, 3, 3, 4), np.float32)
            for place in range(cell_start[s * 64 + cell], cell_start[s * 64 + cell + 1]):
                p = order[place]
                w, u = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
                for d in range(3):
                    _base, g, w[d] = spline(position[p, d], inverse_cell)
                    u[d] = slopes(g, w[d])
                pressure = pressure_of(position[p, 3], scale)
                for channel in range(4):
                    x = u[0] if channel == 0 else w[0]
                    y = u[1] if channel == 1 else w[1]
                    z = u[2] if channel == 2 else w[2]
                    factor = pressure if channel < 3 else MASS_SCALE
                    for i in range(3):
                        for k in range(3):
                            row = (z[k] * factor) * x[i]
                            for j in range(3):
                                total[i, j, k, channel] = fma(y[j], row, total[i, j, k, channel])
            _add(total, ONE, ONE, s, cell, arena)


def grid(state, arena, sound_step=0):
    """Node blocks [blocks, 64, 4]: scatter all arenas into one dense grid, then go through its nodes.

    After sound step 0 the sums are what is added to the velocity that the node has.
    """
    cells = [4 * state[f"blocks_{axis}"] for axis in "xyz"]
    dense = np.zeros((*(n + 2 for n in cells), 4), np.int64)
    corners = []
    for s in range(arena.shape[0]):
        i, j, k = np.unravel_index(state["block_id"][s], [n // 4 for n in cells])
        corners.append((4 * i, 4 * j, 4 * k))
        dense[4 * i : 4 * i + 6, 4 * j : 4 * j + 6, 4 * k : 4 * k + 6] += arena[s]
    node = np.zeros((arena.shape[0], 4, 4, 4, 4), np.float32)
    before = np.zeros_like(node)
    if sound_step > 0:
        before[:] = state["node"][: arena.shape[0]].reshape(node.shape)
    _grid(
        np.array(corners, np.int64).reshape(-1, 3),
        *(int(n) + 2 * WALL_CELLS for n in state["walls"][DOMAIN_X : DOMAIN_Z + 1]),
        state["cell_size_m"],
        state["step"],
        state["force"],
        state["walls"],
        state["collider"],
        state["terrain_geometry"],
        state["terrain"],
        dense,
        before,
        node,
    )
    return node.reshape(-1, 64, 4)


@plain
def _grid(
    corners,
    cells_x,
    cells_y,
    cells_z,
    cell_size_m,
    step,
    force,
    walls,
    collider,
    terrain_geometry,
    terrain,
    dense,
    before,
    node,
):
    v = np.empty(3, np.float32)
    for s in range(corners.shape[0]):
        for a in range(4):
            for b in range(4):
                for c in range(4):
                    i, j, k = corners[s, 0] + a, corners[s, 1] + b, corners[s, 2] + c
                    mass = F32(dense[i, j, k, 3])
                    if mass == F32(0.0):
                        continue
                    for d in range(3):
                        kick = step[STEP_DT] * force[FORCE_GRAVITY_X + d]
                        kick = kick + before[s, a, b, c, d]
                        v[d] = fma(F32(dense[i, j, k, d]) / mass, step[STEP_VELOCITY_UNIT], kick)
                    x, y, z = F32(i) * cell_size_m, F32(j) * cell_size_m, F32(k) * cell_size_m
                    level = level_of_node(z, step, force)
                    held = mass * (ONE / MASS_SCALE)
                    skin = step[STEP_DT] * force[FORCE_SKIN_FRICTION] * step[STEP_FULL] / cell_size_m
                    vx, vy, vz, share = apply_forces_and_boundaries(
                        x, y, z, v[0], v[1], v[2], skin / held, level, cells_x, cells_y, cells_z, cell_size_m, step,
                        force, walls, collider, terrain_geometry, terrain,
                    )  # fmt: skip
                    full = held + step[STEP_FULL] * (ONE - share)
                    node[s, a, b, c] = np.array([vx, vy, vz, full], np.float32)

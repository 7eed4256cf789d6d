"""The transfer kernels read plainly: scalar loops over 27 nodes, the same written order of operations.

State comes as the dictionary of ``kernels.mpm.mpm_example``; each function gives what its kernel writes.
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
from kernels.mpm.mpm_common import POSITION_MARGIN

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
def affine(c, volume, viscosity, cell_size_m, dt, density, bulk_modulus):
    """A of one particle: a[axis of the node offset, component]."""
    a = np.empty((3, 3), np.float32)
    stress_scale = FOUR * dt / (cell_size_m * density)
    r = ONE / volume
    r2 = r * r
    diagonal = stress_scale * bulk_modulus * max(r2 * r2 * r2 - volume, F32(0.0))
    drag = stress_scale * (volume * viscosity)
    if viscosity != F32(0.0):
        diagonal = fma(drag * F32(2.0 / 3.0), c[0, 0] + c[1, 1] + c[2, 2], diagonal)
    for d in range(3):
        for e in range(3):
            a[d, e] = fma(c[d, e], cell_size_m, diagonal if d == e else F32(0.0))
            if viscosity != F32(0.0):
                a[d, e] = fma(c[d, e] + c[e, d], -drag, a[d, e])
    return a


@plain
def _p2g(cell_size_m, step, material, position, velocity, viscosity, order, cell_start, blocks, arena):
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
                    cell_size_m,
                    step[STEP_DT],
                    material[MATERIAL_DENSITY],
                    material[MATERIAL_BULK_MODULUS],
                )
                for channel in range(4):
                    ax = a[0, channel] if channel < 3 else F32(0.0)
                    ay = a[1, channel] if channel < 3 else F32(0.0)
                    az = a[2, channel] if channel < 3 else F32(0.0)
                    b = velocity[p, channel] if channel < 3 else ONE
                    b = fma(-g[2], az, fma(-g[1], ay, fma(-g[0], ax, b)))
                    for k in range(3):
                        middle = w[2, k] * fma(az, F32(k - 1), b)
                        for i in range(3):
                            plane = middle + F32(i - 1) * (w[2, k] * ax)
                            for j in range(3):
                                value = plane + F32(j - 1) * (w[2, k] * ay)
                                total[i, j, k, channel] = fma(w[0, i] * w[1, j], value, total[i, j, k, channel])
            for i in range(3):
                for j in range(3):
                    for k in range(3):
                        for channel in range(4):
                            unit = scale if channel < 3 else MASS_SCALE
                            whole = np.int32(round_even(total[i, j, k, channel] * unit))
                            arena[s, (cell >> 4) + i, (cell >> 2 & 3) + j, (cell & 3) + k, channel] += whole


def p2g(state, blocks):
    """Arenas [blocks, 6, 6, 6, 4]."""
    arena = np.zeros((blocks, 6, 6, 6, 4), np.int32)
    _p2g(
        state["cell_size_m"],
        state["step"],
        state["material"],
        state["position"],
        state["velocity"],
        state["viscosity"],
        state["order"],
        state["cell_start"],
        blocks,
        arena,
    )
    return arena


def grid(state, arena):
    """Node blocks [blocks, 64, 4]: scatter all arenas into one dense grid, then go through its nodes."""
    cells = [4 * state[f"blocks_{axis}"] for axis in "xyz"]
    dense = np.zeros((*(n + 2 for n in cells), 4), np.int64)
    corners = []
    for s in range(arena.shape[0]):
        i, j, k = np.unravel_index(state["block_id"][s], [n // 4 for n in cells])
        corners.append((4 * i, 4 * j, 4 * k))
        dense[4 * i : 4 * i + 6, 4 * j : 4 * j + 6, 4 * k : 4 * k + 6] += arena[s]
    node = np.zeros((arena.shape[0], 4, 4, 4, 4), np.float32)
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
                        v[d] = fma(F32(dense[i, j, k, d]) / mass, step[STEP_VELOCITY_UNIT], kick)
                    x, y, z = F32(i) * cell_size_m, F32(j) * cell_size_m, F32(k) * cell_size_m
                    level = level_of_node(z, step, force)
                    vx, vy, vz, share = apply_forces_and_boundaries(
                        x, y, z, v[0], v[1], v[2], level, cells_x, cells_y, cells_z, cell_size_m, step, force,
                        walls, collider, terrain_geometry, terrain,
                    )  # fmt: skip
                    full = mass * (ONE / MASS_SCALE) + step[STEP_FULL] * (ONE - share)
                    node[s, a, b, c] = np.array([vx, vy, vz, full], np.float32)


@plain
def bounded(volume):
    """A volume ratio between the least and the largest one; the least for what is not a number."""
    if not volume > F32(0.5):
        return F32(0.5)
    return volume if volume < F32(1.09375) else F32(1.09375)


@plain
def corrected(volume, mass, cell_size_m, full):
    """A volume ratio after a twentieth of the way to what the mass around (and its gradient) leaves possible."""
    fill = mass[0] * (ONE / full)
    steep = np.sqrt(mass[1] * mass[1] + mass[2] * mass[2] + mass[3] * mass[3])
    # The slope weighs half: an even surface near by explains so much
    highest = max(fma(steep, HALF * (ONE / full) * cell_size_m, fill + F32(0.008)), HALF)
    lowest = max(fill - F32(0.02), min(highest, ONE))
    step = F32(0.0)
    if ONE / lowest < volume:
        step = ONE / lowest - volume
    if ONE / highest > volume:
        step = step + (ONE / highest - volume)
    return bounded(fma(step, F32(0.05), volume))


@plain
def _g2p(blocks, domain, cell_size_m, dt, full, position, order, slot, node, position_out, velocity_out, key_out):
    inverse_cell = ONE / cell_size_m
    gradient = FOUR * inverse_cell
    first = np.empty(3, np.int64)
    g, w = np.empty(3, np.float32), np.empty((3, 3), np.float32)
    sv, sx, sy = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    s, t = np.empty(3, np.float32), np.empty(3, np.float32)
    for place in range(order.shape[0]):
        p = order[place]
        for d in range(3):
            first[d], g[d], w[d] = spline(position[p, d], inverse_cell)
        mass = np.empty(4, np.float32)
        for channel in range(4):
            for k in range(3):
                for i in range(3):
                    row = np.zeros(3, np.float32)
                    for j in range(3):
                        a, b, c = first[0] + i, first[1] + j, first[2] + k
                        at = slot[((a >> 2) * blocks[1] + (b >> 2)) * blocks[2] + (c >> 2)]
                        row[j] = node[at, ((a & 3) * 4 + (b & 3)) * 4 + (c & 3), channel]
                    q, u = w[1, 0] * row[0], w[1, 2] * row[2]
                    s[i], t[i] = fma(w[1, 1], row[1], q + u), u - q
                q, u = w[0, 0] * s[0], w[0, 2] * s[2]
                sv[k] = fma(w[0, 1], s[1], q + u)
                sx[k] = fma(-g[0], sv[k], u - q)
                sy[k] = fma(w[0, 2], t[2], fma(w[0, 1], t[1], w[0, 0] * t[0]))
                sy[k] = fma(-g[1], sv[k], sy[k])
            q, u = w[2, 0] * sv[0], w[2, 2] * sv[2]
            v = fma(w[2, 1], sv[1], q + u)
            by_x = fma(w[2, 2], sx[2], fma(w[2, 1], sx[1], w[2, 0] * sx[0])) * gradient
            by_y = fma(w[2, 2], sy[2], fma(w[2, 1], sy[1], w[2, 0] * sy[0])) * gradient
            by_z = fma(-g[2], v, u - q) * gradient
            if channel < 3:
                velocity_out[place, channel] = v
                velocity_out[place, 3 + channel] = by_x
                velocity_out[place, 6 + channel] = by_y
                velocity_out[place, 9 + channel] = by_z
            else:
                mass[:] = np.array([v, by_x, by_y, by_z], np.float32)
        trace = velocity_out[place, 3] + velocity_out[place, 7] + velocity_out[place, 11]
        key, block = np.int64(0), np.int64(0)
        for d in range(3):
            low = (F32(WALL_CELLS) + POSITION_MARGIN) * cell_size_m
            high = (F32(WALL_CELLS + domain[d]) - POSITION_MARGIN) * cell_size_m
            x = fma(dt, velocity_out[place, d], position[p, d])
            x = min(max(x, low), high)
            position_out[place, d] = x
            base = np.int64(np.floor(x * inverse_cell - HALF))
            block = block * blocks[d] + (base >> 2)
            key = key * 4 + (base & 3)
        volume = bounded(fma(dt, position[p, 3] * trace, position[p, 3]))
        position_out[place, 3] = corrected(volume, mass, cell_size_m, full)
        key_out[place] = block * 64 + key


def g2p(state):
    """(position, velocity, key) at the sorted places."""
    size = int(state["counts"][COUNT_PARTICLES])
    position, velocity = np.zeros((size, 4), np.float32), np.zeros((size, 12), np.float32)
    key = np.zeros(size, np.int32)
    _g2p(
        np.array([state[f"blocks_{axis}"] for axis in "xyz"]),
        state["walls"][DOMAIN_X : DOMAIN_Z + 1],
        state["cell_size_m"],
        state["step"][STEP_DT],
        state["step"][STEP_FULL],
        state["position"],
        state["order"][:size],
        state["slot"],
        state["node"],
        position,
        velocity,
        key,
    )
    return position, velocity, key

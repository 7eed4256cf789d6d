"""The kernels from grid to particles read plainly: scalar loops over 27 nodes, the same written order of operations.

State comes as the dictionary of ``kernels.mpm.mpm_example``; each function gives what its kernel writes.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, fma
from kernels.base.constants import COUNT_PARTICLES, DOMAIN_X, DOMAIN_Z, STEP_DT, STEP_FULL, STEP_SOUND_STEPS, WALL_CELLS
from kernels.mpm.mpm_common import POSITION_MARGIN
from kernels.solid.mpm_volume import CORRECTION, DENSE_MARGIN, THIN_MARGIN
from tests.reference.mpm_transfer import FOUR, HALF, ONE, is_viscous, plain, slopes, spline


@plain
def bounded(volume):
    """A volume ratio between the least and the largest one; the least for what is not a number."""
    if not volume > F32(0.5):
        return F32(0.5)
    return volume if volume < F32(1.09375) else F32(1.09375)


@plain
def corrected(volume, mass, cell_size_m, full):
    """A volume ratio after a share of the way to what the mass around (and its gradient) leaves possible."""
    fill = mass[0] * (ONE / full)
    steep = np.sqrt(mass[1] * mass[1] + mass[2] * mass[2] + mass[3] * mass[3])
    # The slope weighs half: an even surface near by explains so much
    highest = max(fma(steep, HALF * (ONE / full) * cell_size_m, fill + THIN_MARGIN), HALF)
    lowest = max(fill - DENSE_MARGIN, min(highest, ONE))
    step = F32(0.0)
    if ONE / lowest < volume:
        step = ONE / lowest - volume
    if ONE / highest > volume:
        step = step + (ONE / highest - volume)
    return bounded(fma(step, CORRECTION, volume))


@plain
def _gather(position, blocks, inverse_cell, slot, node, row, mass):
    """v, dv/dx, dv/dy, dv/dz of one particle into ``row``, the nodes' mass and its gradient into ``mass``."""
    gradient = FOUR * inverse_cell
    first = np.empty(3, np.int64)
    g, w = np.empty(3, np.float32), np.empty((3, 3), np.float32)
    sv, sx, sy = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    s, t = np.empty(3, np.float32), np.empty(3, np.float32)
    for d in range(3):
        first[d], g[d], w[d] = spline(position[d], inverse_cell)
    for channel in range(4):
        for k in range(3):
            for i in range(3):
                r = nodes_along_y(first, i, k, channel, blocks, slot, node)
                q, u = w[1, 0] * r[0], w[1, 2] * r[2]
                s[i], t[i] = fma(w[1, 1], r[1], q + u), u - q
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
            row[channel], row[3 + channel], row[6 + channel], row[9 + channel] = v, by_x, by_y, by_z
        else:
            mass[0], mass[1], mass[2], mass[3] = v, by_x, by_y, by_z


@plain
def nodes_along_y(first, i, k, channel, blocks, slot, node):
    row = np.zeros(3, np.float32)
    for j in range(3):
        a, b, c = first[0] + i, first[1] + j, first[2] + k
        at = slot[((a >> 2) * blocks[1] + (b >> 2)) * blocks[2] + (c >> 2)]
        row[j] = node[at, ((a & 3) * 4 + (b & 3)) * 4 + (c & 3), channel]
    return row


@plain
def _divergence(position, blocks, inverse_cell, slot, node):
    """Products along the axes: w d along the axis of a component, w along the others."""
    first, w, u = np.empty(3, np.int64), np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    for d in range(3):
        first[d], g, w[d] = spline(position[d], inverse_cell)
        u[d] = slopes(g, w[d])
    part = np.empty(3, np.float32)
    s, t = np.empty(3, np.float32), np.empty(3, np.float32)
    for channel in range(3):
        x = u[0] if channel == 0 else w[0]
        y = u[1] if channel == 1 else w[1]
        z = u[2] if channel == 2 else w[2]
        for k in range(3):
            for i in range(3):
                r = nodes_along_y(first, i, k, channel, blocks, slot, node)
                s[i] = fma(y[2], r[2], fma(y[1], r[1], y[0] * r[0]))
            t[k] = fma(x[2], s[2], fma(x[1], s[1], x[0] * s[0]))
        part[channel] = fma(z[2], t[2], fma(z[1], t[1], z[0] * t[0]))
    return (FOUR * inverse_cell) * (part[0] + part[1] + part[2])


@plain
def _strain(viscous, blocks, cell_size_m, dt, position, order, slot, node, position_out, velocity_out):
    inverse_cell = ONE / cell_size_m
    row, mass = np.empty(12, np.float32), np.empty(4, np.float32)
    for p in order:
        if viscous:
            _gather(position[p], blocks, inverse_cell, slot, node, row, mass)
            velocity_out[p] = row
            divergence = row[3] + row[7] + row[11]
        else:
            divergence = _divergence(position[p], blocks, inverse_cell, slot, node)
        position_out[p, 3] = bounded(fma(dt, position[p, 3] * divergence, position[p, 3]))


def strain(state):
    """(position, velocity) at the particles' own places; what nothing changes as it was."""
    size = int(state["counts"][COUNT_PARTICLES])
    position, velocity = state["position"].copy(), state["velocity"].copy()
    _strain(
        is_viscous(state),
        np.array([state[f"blocks_{axis}"] for axis in "xyz"]),
        state["cell_size_m"],
        state["step"][STEP_DT],
        state["position"],
        state["order"][:size],
        state["slot"],
        state["node"],
        position,
        velocity,
    )
    return position, velocity


@plain
def _g2p(
    blocks, domain, cell_size_m, dt, flight, full, position, order, slot, node, position_out, velocity_out, key_out
):
    inverse_cell = ONE / cell_size_m
    mass = np.empty(4, np.float32)
    for place in range(order.shape[0]):
        p = order[place]
        _gather(position[p], blocks, inverse_cell, slot, node, velocity_out[place], mass)
        trace = velocity_out[place, 3] + velocity_out[place, 7] + velocity_out[place, 11]
        key, block = np.int64(0), np.int64(0)
        for d in range(3):
            low = (F32(WALL_CELLS) + POSITION_MARGIN) * cell_size_m
            high = (F32(WALL_CELLS + domain[d]) - POSITION_MARGIN) * cell_size_m
            x = fma(flight, velocity_out[place, d], position[p, d])
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
        state["step"][STEP_DT] * state["step"][STEP_SOUND_STEPS],
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

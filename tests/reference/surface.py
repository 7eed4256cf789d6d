"""The plain reading of the surface's and the fog's kernels: a loop over nodes, a loop over particles."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.base.common import F32, fma
from kernels.base.constants import (
    BRICK_OUTSIDE,
    PICTURE_CELL,
    PICTURE_FOG_REACH,
    PICTURE_FOG_VOXEL,
    PICTURE_RADIUS,
    PICTURE_REACH,
    PICTURE_VOXEL,
)

ONE, ZERO, HALF, QUARTER = F32(1.0), F32(0.0), F32(0.5), F32(0.25)


@njit(error_model="numpy")
def _sums(x, y, z, reach, particle, extra):
    """Sums of weight, weighted offset and weighted extra at one point, over particles in their order."""
    square = reach * reach
    minus_inverse_square = -ONE / square
    total, sx, sy, sz, heat = ZERO, ZERO, ZERO, ZERO, ZERO
    for p in range(len(particle)):
        dx, dy, dz = x - particle[p, 0], y - particle[p, 1], z - particle[p, 2]
        q = dx * dx + dy * dy
        if q >= square:
            continue
        t = fma(fma(dz, dz, q), minus_inverse_square, ONE)
        if not t > ZERO:
            continue
        w = t * t * t
        total += w
        sx, sy, sz = fma(w, dx, sx), fma(w, dy, sy), fma(w, dz, sz)
        heat = fma(w, extra[p], heat)
    return total, sx, sy, sz, heat


@njit(error_model="numpy")
def field(shape, picture, full, particle, heat):
    """Dense (phi, heat) at every node; full: per cell, whether the 27 cells around it are full. No walls, no terrain.

    ``particle`` stands in bin order.
    """
    voxel, reach, radius = picture[PICTURE_VOXEL], picture[PICTURE_REACH], picture[PICTURE_RADIUS]
    inverse_cell = ONE / picture[PICTURE_CELL]
    out = np.zeros(shape + (2,), np.float32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                x, y, z = F32(i) * voxel, F32(j) * voxel, F32(k) * voxel
                total, sx, sy, sz, extra = _sums(x, y, z, reach, particle, heat)
                phi = reach - radius
                if total > ZERO:
                    a, b, c = sx / total, sy / total, sz / total
                    phi = math.sqrt(a * a + b * b + c * c) - radius
                    out[i, j, k, 1] = extra / total
                a = min(int(x * inverse_cell), full.shape[0] - 1)
                b = min(int(y * inverse_cell), full.shape[1] - 1)
                c = min(int(z * inverse_cell), full.shape[2] - 1)
                if full[a, b, c]:
                    phi = -radius
                out[i, j, k, 0] = phi
    return out


def full_around(cells, start, full):
    """Per cell, whether the 27 cells around it, those outside left out, hold ``full`` particles each."""
    count = np.diff(start).reshape(cells)
    enough = np.pad(count >= full, 1, constant_values=True)
    result = np.ones(cells, bool)
    for i in range(3):
        for j in range(3):
            for k in range(3):
                result &= enough[i : i + cells[0], j : j + cells[1], k : k + cells[2]]
    return result


def box(table):
    """Layers from the first used brick to the end of the table, then from its start behind the last one, per axis."""
    used = np.argwhere(table != BRICK_OUTSIDE)
    if not len(used):
        return np.zeros(6, np.int32)
    return np.concatenate([np.array(table.shape) - used.min(axis=0), used.max(axis=0) + 1]).astype(np.int32)


def smooth(phi, margin):
    """Three binomial filters on each axis (z, y, x), kept within ``margin`` of ``phi``; padded by the nearest value."""
    result = np.pad(phi, 3, mode="edge")
    for _ in range(3):
        for axis in (2, 1, 0):
            low, high = np.roll(result, 1, axis), np.roll(result, -1, axis)
            result = _filter(low, result, high)
    result = result[3:-3, 3:-3, 3:-3]
    result = np.where(result > phi + margin, phi + margin, result)
    return np.where(result < phi - margin, phi - margin, result)


@njit(error_model="numpy")
def _filter(low, centre, high):
    out = np.empty_like(centre)
    for i, value in np.ndenumerate(centre):
        out[i] = fma((low[i] - value) + (high[i] - value), QUARTER, value)
    return out


@njit(error_model="numpy")
def fog(shape, picture, particle, heat):
    """Dense (extinction, glow temperature) at every node; ``particle`` stands in bin order."""
    voxel, reach = picture[PICTURE_FOG_VOXEL], picture[PICTURE_FOG_REACH]
    square = reach * reach
    minus_inverse_square = -ONE / square
    out = np.zeros(shape + (2,), np.float32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                x, y, z = F32(i) * voxel, F32(j) * voxel, F32(k) * voxel
                total, glow, hot = ZERO, ZERO, ZERO
                for p in range(len(particle)):
                    dx, dy, dz = x - particle[p, 0], y - particle[p, 1], z - particle[p, 2]
                    t = fma(dx * dx + dy * dy + dz * dz, minus_inverse_square, ONE)
                    if not t > ZERO:
                        continue
                    radius = particle[p, 3]
                    w = t * t * t * (F32(315.0 / 64.0) * radius * radius / (square * reach))
                    total += w
                    if heat[p] > ZERO:
                        glow += w
                        hot = fma(w, heat[p], hot)
                out[i, j, k, 0] = total
                if glow > ZERO:
                    out[i, j, k, 1] = hot / glow
    return out

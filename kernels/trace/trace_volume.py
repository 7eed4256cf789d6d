"""Device functions: free flight and transmittance in the fog, over bricks with local majorants.

Delta tracking (Woodcock et al. 1965) and ratio tracking (Novak et al. 2014) with a majorant per brick, walked by DDA
(Szirmay-Kalos et al. 2011): an empty brick costs one table look-up. One draw of four random numbers serves one
tentative collision: flight, acceptance, and the two that a real collision's phase function needs.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, ONE, ZERO, bits_float, float_bits, log_f32
from kernels.base.constants import (
    TRACE_FOG_HIGH,
    TRACE_FOG_LOW,
    TRACE_FOG_VOXEL,
    WORK_COLLISIONS,
    WORK_FOG_BRICKS,
)
from kernels.trace.trace_math import (
    U1,
    brick_coordinate,
    brick_value,
    clamp_brick,
    clip_box,
    device_call,
    device_inline,
    inverse_slope,
    random4,
)

EIGHT = F32(8.0)
NO_HIT = F32(-1.0)
TRANSMITTANCE_MIN = F32(1.0e-3)  # below it ratio tracking plays roulette
# No majorant is larger than that over the ray's length: fog so dense is a wall, and in what is denser a step might not
# change t, so that the walk would not end. Where the fog is denser than its majorant every collision is real.
DENSEST = F32(2.0**18)
RECIPROCAL = np.int32(0x7F000000)  # less the bits of a float these are the bits of its reciprocal, to an eighth


@device_inline
def _fog(value, b, x, y, z, channel):
    return brick_value(value, b, clamp_brick(x), clamp_brick(y), clamp_brick(z), channel)


@device_call
def fog_at(px, py, pz, channel, voxel, grid_in, table, value):
    """Channel of the fog at a point; 0 where there is no brick."""
    ny, nz = np.int64(grid_in[4]), np.int64(grid_in[5])
    inverse = ONE / voxel
    x, y, z = px * inverse, py * inverse, pz * inverse
    i = brick_coordinate(x * F32(0.125), np.int64(grid_in[3]))
    j = brick_coordinate(y * F32(0.125), ny)
    k = brick_coordinate(z * F32(0.125), nz)
    b = table[(i * ny + j) * nz + k]
    if b < 0:
        return ZERO
    return _fog(value, b, x - EIGHT * F32(i), y - EIGHT * F32(j), z - EIGHT * F32(k), channel)


@device_call
def fog_walk(
    ox,
    oy,
    oz,
    dx,
    dy,
    dz,
    t_end,
    ratio,
    gain,
    trace_in,
    grid_in,
    table,
    value,
    majorant,
    pixel,
    sample,
    dim,
    seed,
    work,
):
    """Delta tracking: (t, weight, dim, u, v): the first real collision before t_end (t = -1: none), two numbers for it.

    With ``ratio``, ratio tracking: no collision, and ``weight`` is an estimate of the transmittance up to t_end.
    """
    nx, ny, nz = np.int64(grid_in[3]), np.int64(grid_in[4]), np.int64(grid_in[5])
    voxel = trace_in[TRACE_FOG_VOXEL]
    edge = EIGHT * voxel
    ix, iy, iz = inverse_slope(dx), inverse_slope(dy), inverse_slope(dz)
    t, t1 = clip_box(ox, oy, oz, ix, iy, iz, trace_in, TRACE_FOG_LOW, TRACE_FOG_HIGH, t_end)
    if t >= t1:
        return NO_HIT, ONE, dim, ZERO, ZERO
    inverse_edge = ONE / edge
    i = brick_coordinate((ox + dx * t) * inverse_edge, nx)
    j = brick_coordinate((oy + dy * t) * inverse_edge, ny)
    k = brick_coordinate((oz + dz * t) * inverse_edge, nz)
    step_i, step_j, step_k = np.int64(-1), np.int64(-1), np.int64(-1)
    ahead_i, ahead_j, ahead_k = np.int64(0), np.int64(0), np.int64(0)
    if ix > ZERO:
        step_i, ahead_i = np.int64(1), np.int64(1)
    if iy > ZERO:
        step_j, ahead_j = np.int64(1), np.int64(1)
    if iz > ZERO:
        step_k, ahead_k = np.int64(1), np.int64(1)
    tx = (edge * F32(i + ahead_i) - ox) * ix
    ty = (edge * F32(j + ahead_j) - oy) * iy
    tz = (edge * F32(k + ahead_k) - oz) * iz
    inverse_voxel = ONE / voxel
    px, py, pz = ox * inverse_voxel, oy * inverse_voxel, oz * inverse_voxel
    sx, sy, sz = dx * inverse_voxel, dy * inverse_voxel, dz * inverse_voxel
    weight = ONE
    u, v, w = ZERO, ZERO, ZERO
    depth = NO_HIT  # optical depth still to go, in units of the local majorant; drawn in the first brick with fog
    hit = NO_HIT
    bricks, collisions = 0, 0
    while True:
        b = table[(i * ny + j) * nz + k]
        t_exit = tx
        if ty < t_exit:
            t_exit = ty
        if tz < t_exit:
            t_exit = tz
        if t1 < t_exit:
            t_exit = t1
        bricks += 1
        if b >= 0:
            m = majorant[np.uint64(b)] * gain
            densest = DENSEST * bits_float(np.int32(RECIPROCAL - float_bits(t1)))
            if m > densest:
                m = densest
            if depth < ZERO:
                a, u, v, w = random4(pixel, sample, dim, seed)
                dim = np.uint32(dim + U1)
                depth = -log_f32(ONE - a)
            lx, ly, lz = px - EIGHT * F32(i), py - EIGHT * F32(j), pz - EIGHT * F32(k)
            while True:
                ahead = m * (t_exit - t)
                if depth >= ahead:
                    if ahead > ZERO:
                        depth = depth - ahead
                    break
                t = t + depth / m
                collisions += 1
                extinction = gain * _fog(value, b, lx + sx * t, ly + sy * t, lz + sz * t, 0)
                if ratio:
                    weight = weight * (ONE - extinction / m)
                    if weight < TRANSMITTANCE_MIN:
                        if u >= weight / TRANSMITTANCE_MIN:
                            weight = ZERO
                            break
                        weight = TRANSMITTANCE_MIN
                elif u * m < extinction:
                    hit = t
                    break
                a, u, v, w = random4(pixel, sample, dim, seed)
                dim = np.uint32(dim + U1)
                depth = -log_f32(ONE - a)
            if hit >= ZERO or weight == ZERO:
                break
        if t_exit >= t1:
            break
        t = t_exit
        if tx <= ty and tx <= tz:
            i = i + step_i
            if i < 0 or i >= nx:
                break
            tx = (edge * F32(i + ahead_i) - ox) * ix
        elif ty <= tz:
            j = j + step_j
            if j < 0 or j >= ny:
                break
            ty = (edge * F32(j + ahead_j) - oy) * iy
        else:
            k = k + step_k
            if k < 0 or k >= nz:
                break
            tz = (edge * F32(k + ahead_k) - oz) * iz
    work[WORK_FOG_BRICKS] += bricks
    work[WORK_COLLISIONS] += collisions
    return hit, weight, dim, v, w

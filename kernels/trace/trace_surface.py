"""Device functions: rays against the liquid's level set in bricks, its normals and second channel.

The surface is the zero set of the trilinear interpolant of the signed distance phi (m, negative inside). Ray marching:
a DDA through the bricks (Amanatides & Woo 1987), in a brick steps of the distance (sphere tracing, Hart 1996), which is
clamped to a few voxels; a change of sign is refined by false position (Illinois). A ray knows on which side it is:
``sign`` is +1 outside and -1 inside, and sign * phi < 0 means that the surface was crossed.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, HALF, ONE, ZERO
from kernels.base.constants import (
    BRICK_INSIDE,
    TRACE_SURFACE_HIGH,
    TRACE_SURFACE_LOW,
    TRACE_VOXEL,
    WORK_SURFACE_BRICKS,
    WORK_SURFACE_LOOKUPS,
)
from kernels.trace.trace_math import (
    FAR,
    PROGRESS,
    brick_coordinate,
    brick_value,
    clamp_brick,
    clip_box,
    device_call,
    device_inline,
    inverse_slope,
    normalise,
)

EIGHT = F32(8.0)
NO_HIT = F32(-1.0)
STEP_SHARE = F32(0.95)  # of |phi|; a step too far is found by its sign
STEP_MIN = F32(0.3)  # voxels
BAND = F32(3.0)  # voxels: phi where no brick is
REFINEMENTS = 5
CLOSE = F32(1.0e-3)  # voxels: a root that good is good enough


@device_inline
def _phi(value, b, x, y, z):
    return brick_value(value, b, clamp_brick(x), clamp_brick(y), clamp_brick(z), 0)


@device_call
def surface_at(px, py, pz, channel, voxel, grid_in, table, value):
    """Channel at a point: phi (m; a band's width where there is no brick) or heat/foam (0 there)."""
    nx, ny, nz = np.int64(grid_in[0]), np.int64(grid_in[1]), np.int64(grid_in[2])
    inverse = ONE / voxel
    x, y, z = px * inverse, py * inverse, pz * inverse
    i = brick_coordinate(x * F32(0.125), nx)
    j = brick_coordinate(y * F32(0.125), ny)
    k = brick_coordinate(z * F32(0.125), nz)
    b = table[(i * ny + j) * nz + k]
    if b < 0:
        if channel == 1:
            return ZERO
        return -BAND * voxel if b == BRICK_INSIDE else BAND * voxel
    x = clamp_brick(x - EIGHT * F32(i))
    y = clamp_brick(y - EIGHT * F32(j))
    z = clamp_brick(z - EIGHT * F32(k))
    return brick_value(value, b, x, y, z, channel)


@device_call
def surface_normal(px, py, pz, voxel, grid_in, table, value):
    """Unit gradient of phi: central differences over one voxel, which is the trilinear blend of node gradients."""
    h = voxel
    gx = surface_at(px + h, py, pz, 0, voxel, grid_in, table, value) - surface_at(
        px - h, py, pz, 0, voxel, grid_in, table, value
    )
    gy = surface_at(px, py + h, pz, 0, voxel, grid_in, table, value) - surface_at(
        px, py - h, pz, 0, voxel, grid_in, table, value
    )
    gz = surface_at(px, py, pz + h, 0, voxel, grid_in, table, value) - surface_at(
        px, py, pz - h, 0, voxel, grid_in, table, value
    )
    inverse = ONE / voxel
    return normalise(gx * inverse, gy * inverse, gz * inverse)


@device_inline
def _refine(value, b, lx, ly, lz, sx, sy, sz, sign, close, t_a, f_a, t_b, f_b):
    """Root of sign * phi between t_a (f_a > 0) and t_b (f_b <= 0): Illinois steps, until one is within ``close``."""
    t = t_b
    side = 0
    for _ in range(REFINEMENTS):
        t = t_a + (t_b - t_a) * (f_a / (f_a - f_b))
        f = sign * _phi(value, b, lx + sx * t, ly + sy * t, lz + sz * t)
        if f > ZERO:
            t_a, f_a = t, f
            if side == 1:
                f_b = f_b * HALF
            side = 1
        else:
            t_b, f_b = t, f
            if side == -1:
                f_a = f_a * HALF
            side = -1
        if f < close and f > -close:
            break
    return t


@device_call
def surface_hit(ox, oy, oz, dx, dy, dz, t_end, sign, trace_in, grid_in, table, value, work):
    """(t, broken) of the first crossing before t_end, t = -1 without one.

    ``broken`` is 1 where the side changed without a surface: at the rim of a level set that is cut off.
    """
    nx, ny, nz = np.int64(grid_in[0]), np.int64(grid_in[1]), np.int64(grid_in[2])
    voxel = trace_in[TRACE_VOXEL]
    edge = EIGHT * voxel
    ix, iy, iz = inverse_slope(dx), inverse_slope(dy), inverse_slope(dz)
    t, t1 = clip_box(ox, oy, oz, ix, iy, iz, trace_in, TRACE_SURFACE_LOW, TRACE_SURFACE_HIGH, t_end)
    if t >= t1:
        if sign < ZERO and t_end > ZERO:
            return ZERO, 1
        return NO_HIT, 0
    # Set up the walk: brick of the entry point, distance to the next brick plane on each axis
    inverse_edge = ONE / edge
    i = brick_coordinate((ox + dx * t) * inverse_edge, nx)
    j = brick_coordinate((oy + dy * t) * inverse_edge, ny)
    k = brick_coordinate((oz + dz * t) * inverse_edge, nz)
    up_x, up_y, up_z = ix > ZERO, iy > ZERO, iz > ZERO
    tx = (edge * F32(i + 1 if up_x else i) - ox) * ix
    ty = (edge * F32(j + 1 if up_y else j) - oy) * iy
    tz = (edge * F32(k + 1 if up_z else k) - oz) * iz
    inverse_voxel = ONE / voxel
    sx, sy, sz = dx * inverse_voxel, dy * inverse_voxel, dz * inverse_voxel
    step_min = STEP_MIN * voxel
    if step_min < PROGRESS * t1:
        step_min = PROGRESS * t1
    armed = False  # a path that starts on the surface waits until it has clearly left it
    t_last, f_last = t, FAR
    bricks, lookups = 0, 0
    hit, broken = NO_HIT, 0
    f, known = FAR, False
    while True:
        b = table[(i * ny + j) * nz + k]
        t_exit = tx
        if ty < t_exit:
            t_exit = ty
        if tz < t_exit:
            t_exit = tz
        if t1 < t_exit:
            t_exit = t1
        if t_exit < t:
            t_exit = t
        bricks += 1
        if b < 0:
            outside = b != BRICK_INSIDE
            if outside == (sign > ZERO):
                armed = True
            elif armed:
                hit, broken = t, 1
                break
            t_last, f_last = t_exit, FAR
            known = False
        else:
            # March in this brick; its entry has the value of the last brick's exit, where that had values
            lx = ox * inverse_voxel - EIGHT * F32(i)
            ly = oy * inverse_voxel - EIGHT * F32(j)
            lz = oz * inverse_voxel - EIGHT * F32(k)
            first = not known
            while True:
                if not known:
                    f = sign * _phi(value, b, lx + sx * t, ly + sy * t, lz + sz * t)
                    lookups += 1
                    if f > ZERO:
                        armed = True
                    elif armed:
                        hit = t
                        break
                known = False
                if t >= t_exit:
                    known = True
                    break
                first = False
                t_last, f_last = t, f
                step = STEP_SHARE * (f if f > ZERO else -f)
                if step < step_min:
                    step = step_min
                t = t + step
                if t > t_exit:
                    t = t_exit
            if hit >= ZERO:
                if not first and f_last > ZERO:
                    hit = _refine(value, b, lx, ly, lz, sx, sy, sz, sign, CLOSE * voxel, t_last, f_last, t, f)
                    lookups += REFINEMENTS
                break
        # Step to the next brick
        if t_exit >= t1:
            if sign < ZERO and t1 < t_end:
                hit, broken = t1, 1
            break
        t = t_exit
        if tx <= ty and tx <= tz:
            i = i + 1 if up_x else i - 1
            if i < 0 or i >= nx:
                if sign < ZERO:
                    hit, broken = t, 1
                break
            tx = (edge * F32(i + 1 if up_x else i) - ox) * ix
        elif ty <= tz:
            j = j + 1 if up_y else j - 1
            if j < 0 or j >= ny:
                if sign < ZERO:
                    hit, broken = t, 1
                break
            ty = (edge * F32(j + 1 if up_y else j) - oy) * iy
        else:
            k = k + 1 if up_z else k - 1
            if k < 0 or k >= nz:
                if sign < ZERO:
                    hit, broken = t, 1
                break
            tz = (edge * F32(k + 1 if up_z else k) - oz) * iz
    work[WORK_SURFACE_BRICKS] += bricks
    work[WORK_SURFACE_LOOKUPS] += lookups
    return hit, broken

"""Device functions: rays against what does not move: terrain, colliders, floor, the water plane outside.

Terrain is a bilinear height field; a ray steps by its height above ground over the fastest possible approach (steepest
slope), at least a fraction of a cell, and a change of sign is refined by bisection and false position. Colliders are
signed distances (sphere tracing, Hart 1996). A vessel, which holds the fluid from outside, is not drawn.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.base.common import F32, HALF, ONE, ZERO
from kernels.base.constants import (
    COLLIDER_KIND,
    COLLIDER_VESSEL,
    LOOK_FLOOR_ON,
    LOOK_FLOOR_Z,
    LOOK_PLANE_ON,
    LOOK_PLANE_Z,
    SOLID_COLLIDER,
    SOLID_FLOOR,
    SOLID_NONE,
    SOLID_PLANE,
    SOLID_TERRAIN,
    TRACE_HAS_COLLIDERS,
    TRACE_HIGH_X,
    TRACE_HIGH_Y,
    TRACE_LOW_X,
    TRACE_LOW_Y,
    TRACE_TERRAIN_HIGH,
    TRACE_TERRAIN_LOW,
    TRACE_TERRAIN_SLOPE,
    TRACE_VOXEL,
)
from kernels.mpm.mpm_collide import collider_distance_one, terrain_height
from kernels.trace.trace_math import FAR, PROGRESS, clip_axis, device_call, inverse_slope, normalise

TERRAIN_STEP_MIN = F32(0.15)  # terrain cells
NO_HIT = F32(-1.0)
TERRAIN_REFINEMENTS = 6
SPHERE_STEPS = 96
TOUCH = F32(2.0e-3)  # of a surface voxel: closer than that counts as contact
NEAR_PLANE = F32(1.0e-4)


@device_call
def height_at(terrain_geometry_in, terrain_in, x, y):
    """Height of the terrain, m."""
    return terrain_height(terrain_geometry_in, terrain_in, x, y)


@device_call
def terrain_hit(ox, oy, oz, dx, dy, dz, t_end, trace_in, terrain_geometry_in, terrain_in):
    """Distance to the terrain, or -1."""
    spacing = terrain_geometry_in[2]
    # Clip to the terrain's extent and to the layer of heights that it has
    low, high = trace_in[TRACE_TERRAIN_LOW] - spacing, trace_in[TRACE_TERRAIN_HIGH]
    ix, iy, iz = inverse_slope(dx), inverse_slope(dy), inverse_slope(dz)
    x0, y0 = terrain_geometry_in[0] - ox, terrain_geometry_in[1] - oy
    x1 = x0 + spacing * F32(terrain_in.shape[0] - 1)
    y1 = y0 + spacing * F32(terrain_in.shape[1] - 1)
    t, t1 = clip_axis(ZERO, t_end, x0 * ix, x1 * ix)
    t, t1 = clip_axis(t, t1, y0 * iy, y1 * iy)
    t, t1 = clip_axis(t, t1, (low - oz) * iz, (high - oz) * iz)
    if t >= t1:
        return NO_HIT
    rate = trace_in[TRACE_TERRAIN_SLOPE] * math.sqrt(dx * dx + dy * dy) - dz
    if rate < F32(1.0e-6):
        rate = F32(1.0e-6)
    inverse_rate = ONE / rate
    step_min = TERRAIN_STEP_MIN * spacing
    if step_min < PROGRESS * t1:
        step_min = PROGRESS * t1
    armed = False
    t_last, f_last = t, ZERO
    while True:
        f = oz + dz * t - height_at(terrain_geometry_in, terrain_in, ox + dx * t, oy + dy * t)
        if f > ZERO:
            armed = True
        elif armed:
            break
        if t >= t1:
            return NO_HIT
        t_last, f_last = t, f
        step = f * inverse_rate
        if step < step_min:
            step = step_min
        t = t + step
        if t > t1:
            t = t1
    if f_last <= ZERO:
        return t
    # Refine, false position and bisection in turn
    t_a, f_a, t_b, f_b = t_last, f_last, t, f
    for n in range(TERRAIN_REFINEMENTS):
        if n & 1:
            t = HALF * (t_a + t_b)
        else:
            t = t_a + (t_b - t_a) * (f_a / (f_a - f_b))
        f = oz + dz * t - height_at(terrain_geometry_in, terrain_in, ox + dx * t, oy + dy * t)
        if f > ZERO:
            t_a, f_a = t, f
        else:
            t_b, f_b = t, f
    return t_a


@device_call
def visible_distance(collider_in, x, y, z):
    """Signed distance to the nearest collider that is drawn."""
    nearest = FAR
    for c in range(collider_in.shape[0]):
        if np.int32(collider_in[c, COLLIDER_KIND]) != COLLIDER_VESSEL:
            d = collider_distance_one(collider_in, c, x, y, z)
            if d < nearest:
                nearest = d
    return nearest


@device_call
def collider_hit(ox, oy, oz, dx, dy, dz, t_end, touch, collider_in):
    """Distance to the nearest collider, or -1."""
    t = ZERO
    armed = False
    for _ in range(SPHERE_STEPS):
        d = visible_distance(collider_in, ox + dx * t, oy + dy * t, oz + dz * t)
        if d > touch:
            armed = True
        elif armed:
            return t
        if d > F32(1.0e6):
            return NO_HIT
        t = t + (d if d > touch else touch)
        if t >= t_end:
            return NO_HIT
    return NO_HIT


@device_call
def solid_normal(kind, px, py, pz, h, terrain_geometry_in, terrain_in, collider_in):
    """Unit normal of a solid at a point of its surface; h: half the step of the central differences, m."""
    if kind == SOLID_TERRAIN:
        s = HALF * terrain_geometry_in[2]
        gx = height_at(terrain_geometry_in, terrain_in, px + s, py) - height_at(
            terrain_geometry_in, terrain_in, px - s, py
        )
        gy = height_at(terrain_geometry_in, terrain_in, px, py + s) - height_at(
            terrain_geometry_in, terrain_in, px, py - s
        )
        return normalise(-gx, -gy, s + s)
    if kind == SOLID_COLLIDER:
        gx = visible_distance(collider_in, px + h, py, pz) - visible_distance(collider_in, px - h, py, pz)
        gy = visible_distance(collider_in, px, py + h, pz) - visible_distance(collider_in, px, py - h, pz)
        gz = visible_distance(collider_in, px, py, pz + h) - visible_distance(collider_in, px, py, pz - h)
        inverse = ONE / h
        return normalise(gx * inverse, gy * inverse, gz * inverse)
    return ZERO, ZERO, ONE


@device_call
def solid_hit(ox, oy, oz, dx, dy, dz, t_end, beyond, look_in, trace_in, collider_in):
    """(t, kind) of the nearest solid but terrain before t_end; kind SOLID_NONE and t = t_end without one.

    ``beyond``: the path has used up its mirrorings, the plane then lies everywhere and nothing else does.
    """
    kind = SOLID_NONE
    if dz < -NEAR_PLANE:
        if look_in[LOOK_FLOOR_ON] > ZERO:
            t = (look_in[LOOK_FLOOR_Z] - oz) / dz
            if t > ZERO and t < t_end:
                t_end, kind = t, SOLID_FLOOR
        if look_in[LOOK_PLANE_ON] > ZERO:
            t = (look_in[LOOK_PLANE_Z] - oz) / dz
            if t > ZERO and t < t_end:
                x, y = ox + dx * t, oy + dy * t
                outside = x < trace_in[TRACE_LOW_X] or x > trace_in[TRACE_HIGH_X]
                outside = outside or y < trace_in[TRACE_LOW_Y] or y > trace_in[TRACE_HIGH_Y]
                if outside or beyond:
                    t_end, kind = t, SOLID_PLANE
    if beyond:
        return t_end, kind
    if trace_in[TRACE_HAS_COLLIDERS] > ZERO:
        t = collider_hit(ox, oy, oz, dx, dy, dz, t_end, TOUCH * trace_in[TRACE_VOXEL], collider_in)
        if t >= ZERO:
            t_end, kind = t, SOLID_COLLIDER
    return t_end, kind

"""Device functions: the next event of a path or of a shadow ray to the sun, which is what ends a segment of it."""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, ONE, ZERO
from kernels.base.constants import (
    LIQUID_WATER,
    LOOK_FOG_GAIN,
    LOOK_LIQUID,
    LOOK_MIRROR_FOLDS,
    LOOK_MIRROR_X_HIGH,
    LOOK_MIRROR_X_LOW,
    LOOK_MIRROR_Y_HIGH,
    LOOK_MIRROR_Y_LOW,
    SOLID_NONE,
    SOLID_TERRAIN,
    TRACE_HAS_FOG,
    TRACE_HAS_SURFACE,
    TRACE_HIGH_X,
    TRACE_HIGH_Y,
    TRACE_LOW_X,
    TRACE_LOW_Y,
    TRACE_TOP,
    WORK_SEGMENTS,
)
from kernels.trace.trace_math import FAR, device_inline, device_part
from kernels.trace.trace_solid import solid_hit, terrain_hit
from kernels.trace.trace_state import EVENT_FOG, EVENT_LIQUID, EVENT_MIRROR, EVENT_SKY, EVENT_SOLID, Segment
from kernels.trace.trace_surface import surface_hit
from kernels.trace.trace_volume import fog_walk


@device_inline
def mirror_hit(ox, oy, oz, dx, dy, dz, look_in, trace_in):
    """(t, axis) to the nearest mirror wall ahead; axis 0 x, 1 y, -1 none, or where nothing but sky is mirrored."""
    t_end, axis = FAR, -1
    if dx < ZERO and look_in[LOOK_MIRROR_X_LOW] > ZERO:
        t_end, axis = (trace_in[TRACE_LOW_X] - ox) / dx, 0
    if dx > ZERO and look_in[LOOK_MIRROR_X_HIGH] > ZERO:
        t_end, axis = (trace_in[TRACE_HIGH_X] - ox) / dx, 0
    t = FAR
    if dy < ZERO and look_in[LOOK_MIRROR_Y_LOW] > ZERO:
        t = (trace_in[TRACE_LOW_Y] - oy) / dy
    if dy > ZERO and look_in[LOOK_MIRROR_Y_HIGH] > ZERO:
        t = (trace_in[TRACE_HIGH_Y] - oy) / dy
    if t < t_end:
        t_end, axis = t, 1
    if t_end < ZERO:
        t_end = ZERO
    if dz >= ZERO and oz + dz * t_end > trace_in[TRACE_TOP]:
        axis = -1
    return t_end, axis


@device_part
def next_event(ox, oy, oz, dx, dy, dz, sign, folds, to_sun, scene, pixel, sample, dim, seed, work):
    """The segment from o along d: the nearest of mirror, solid, liquid, terrain and fog ends it, or else the sky.

    A ray ``to_sun`` meets no fog but is weakened by it, and stops looking at the first thing that blocks it.
    """
    look_in, trace_in = scene.look_in, scene.trace_in
    work[WORK_SEGMENTS] += 1
    event, t_end, axis, broken = EVENT_SKY, FAR, -1, 0
    weight, u, v = ONE, ZERO, ZERO
    beyond = F32(folds) > look_in[LOOK_MIRROR_FOLDS]
    if not beyond:
        t_end, axis = mirror_hit(ox, oy, oz, dx, dy, dz, look_in, trace_in)
        if axis >= 0:
            event = EVENT_MIRROR
    t_end, solid = solid_hit(ox, oy, oz, dx, dy, dz, t_end, beyond, look_in, trace_in, scene.collider)
    if solid != SOLID_NONE:
        event = EVENT_SOLID
    more = not beyond and not (to_sun and event == EVENT_SOLID)
    if more and trace_in[TRACE_HAS_SURFACE] > ZERO:
        t, broken = surface_hit(
            ox, oy, oz, dx, dy, dz, t_end, sign, trace_in, scene.grid_in, scene.table, scene.value, work
        )
        if t >= ZERO:
            event, t_end, solid = EVENT_LIQUID, t, SOLID_NONE
            more = not (to_sun and np.int32(look_in[LOOK_LIQUID]) != LIQUID_WATER)
    if more and scene.terrain_geometry[3] > ZERO:
        t = terrain_hit(ox, oy, oz, dx, dy, dz, t_end, trace_in, scene.terrain_geometry, scene.terrain)
        if t >= ZERO:
            event, t_end, solid = EVENT_SOLID, t, SOLID_TERRAIN
            more = not to_sun
    if more and trace_in[TRACE_HAS_FOG] > ZERO and sign > ZERO:
        t, weight, dim, u, v = fog_walk(
            ox, oy, oz, dx, dy, dz, t_end, to_sun, look_in[LOOK_FOG_GAIN], trace_in, scene.grid_in, scene.fog_table,
            scene.fog_value, scene.fog_majorant, pixel, sample, dim, seed, work,
        )  # fmt: skip
        if t >= ZERO:
            event, t_end, solid = EVENT_FOG, t, SOLID_NONE
    return Segment(event, t_end, solid, axis, broken, beyond, weight, u, v, dim)

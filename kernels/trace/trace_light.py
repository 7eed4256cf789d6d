"""Device functions: mirror walls, absorption, and the sun's light at a point.

Model of the sun's disc: it is seen by the camera, also in reflections and through water, and it lights matter along
straight lines: through fog, and through water's surface by the Fresnel transmittance of the straight ray and the
water's absorption (no focusing). All other light, glow around the sun included, follows refracted paths.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.base.common import F32, ONE, ZERO, device, exp_f32
from kernels.base.constants import (
    LIQUID_WATER,
    LOOK_ABSORB_R,
    LOOK_FOAM_GAIN,
    LOOK_FOG_GAIN,
    LOOK_IOR,
    LOOK_LIQUID,
    LOOK_MIRROR_FOLDS,
    LOOK_MIRROR_X_HIGH,
    LOOK_MIRROR_X_LOW,
    LOOK_MIRROR_Y_HIGH,
    LOOK_MIRROR_Y_LOW,
    SOLID_NONE,
    TRACE_HAS_FOG,
    TRACE_HAS_SURFACE,
    TRACE_HIGH_X,
    TRACE_HIGH_Y,
    TRACE_LOW_X,
    TRACE_LOW_Y,
    TRACE_TOP,
    TRACE_VOXEL,
    WORK_SEGMENTS,
)
from kernels.trace.trace_math import FAR, device_call, fresnel
from kernels.trace.trace_solid import solid_hit, terrain_hit
from kernels.trace.trace_surface import surface_at, surface_hit, surface_normal
from kernels.trace.trace_volume import fog_walk

OFFSET = F32(0.02)  # voxels, a new ray starts that far from a surface
SHADOW_SEGMENTS = 24


@device
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


@device
def absorb(t, look_in):
    """Transmittance (RGB) of t metres of water."""
    return (
        exp_f32(-look_in[LOOK_ABSORB_R] * t),
        exp_f32(-look_in[LOOK_ABSORB_R + 1] * t),
        exp_f32(-look_in[LOOK_ABSORB_R + 2] * t),
    )


@device_call
def foam_cover(value, look_in):
    """Share of water's surface that foam hides."""
    if value <= ZERO:
        return ZERO
    return ONE - exp_f32(-look_in[LOOK_FOAM_GAIN] * value)


@device_call
def sun_transmittance(ox, oy, oz, dx, dy, dz, sign, folds, scene, pixel, sample, dim, seed, work):
    """(r, g, b, dim): estimate of the share of the sun's light that reaches o along d; sign as in trace_surface."""
    (
        look_in,
        trace_in,
        grid_in,
        table,
        value,
        fog_table,
        fog_value,
        fog_majorant,
        terrain,
        terrain_geometry,
        collider,
    ) = scene
    r, g, b = ONE, ONE, ONE
    voxel = trace_in[TRACE_VOXEL]
    has_surface = trace_in[TRACE_HAS_SURFACE] > ZERO
    for _ in range(SHADOW_SEGMENTS):
        work[WORK_SEGMENTS] += 1
        beyond = F32(folds) > look_in[LOOK_MIRROR_FOLDS]
        t_end, axis = FAR, -1
        if not beyond:
            t_end, axis = mirror_hit(ox, oy, oz, dx, dy, dz, look_in, trace_in)
        _, kind = solid_hit(ox, oy, oz, dx, dy, dz, t_end, beyond, look_in, trace_in, collider)
        if kind != SOLID_NONE:
            return ZERO, ZERO, ZERO, dim
        if beyond:
            return r, g, b, dim
        t, broken = F32(-1.0), 0
        if has_surface:
            t, broken = surface_hit(ox, oy, oz, dx, dy, dz, t_end, sign, trace_in, grid_in, table, value, work)
        if t >= ZERO:
            if np.int32(look_in[LOOK_LIQUID]) != LIQUID_WATER:
                return ZERO, ZERO, ZERO, dim
            t_end, axis = t, -1
        if terrain_geometry[3] > ZERO:
            t_ground = terrain_hit(ox, oy, oz, dx, dy, dz, t_end, trace_in, terrain_geometry, terrain)
            if t_ground >= ZERO:
                return ZERO, ZERO, ZERO, dim
        if sign < ZERO:
            ar, ag, ab = absorb(t_end, look_in)
            r, g, b = r * ar, g * ag, b * ab
        elif trace_in[TRACE_HAS_FOG] > ZERO:
            _, weight, dim, _, _ = fog_walk(
                ox,
                oy,
                oz,
                dx,
                dy,
                dz,
                t_end,
                True,
                look_in[LOOK_FOG_GAIN],
                trace_in,
                grid_in,
                fog_table,
                fog_value,
                fog_majorant,
                pixel,
                sample,
                dim,
                seed,
                work,
            )
            r, g, b = r * weight, g * weight, b * weight
        if r + g + b <= ZERO:
            return ZERO, ZERO, ZERO, dim
        if t >= ZERO:
            # Go straight on through the water's surface
            ox, oy, oz = ox + dx * t, oy + dy * t, oz + dz * t
            if broken == 0:
                nx, ny, nz = surface_normal(ox, oy, oz, voxel, grid_in, table, value)
                cosine = F32(math.fabs(nx * dx + ny * dy + nz * dz))
                if cosine > ONE:
                    cosine = ONE
                # From inside the refracted ray meets the surface at a steeper angle: the air side's cosine is used
                reflect, _ = fresnel(cosine, look_in[LOOK_IOR])
                pass_on = (ONE - reflect) * (
                    ONE - foam_cover(surface_at(ox, oy, oz, 1, voxel, grid_in, table, value), look_in)
                )
                r, g, b = r * pass_on, g * pass_on, b * pass_on
            step = OFFSET * voxel
            ox, oy, oz = ox + dx * step, oy + dy * step, oz + dz * step
            sign = -sign
        elif axis >= 0:
            ox, oy, oz = ox + dx * t_end, oy + dy * t_end, oz + dz * t_end
            if axis == 0:
                dx = -dx
            else:
                dy = -dy
            folds += 1
        else:
            return r, g, b, dim
    return ZERO, ZERO, ZERO, dim

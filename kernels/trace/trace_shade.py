"""Device functions: shading at an event in fog, on a solid or a liquid: emitted light, and how the path goes on.

Fog emits by the collision estimator: (1 - albedo) glow(T) at a real collision.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, ONE, ZERO
from kernels.base.constants import (
    LIQUID_WATER,
    LOOK_COLLIDER_R,
    LOOK_FOAM_R,
    LOOK_FOG_GLOW_GAIN,
    LOOK_FOG_R,
    LOOK_GLOW_GAIN,
    LOOK_IOR,
    LOOK_LAVA_R,
    LOOK_LIQUID,
    LOOK_PLANE_R,
    LOOK_RIPPLE,
    LOOK_RIPPLE_SCALE,
    LOOK_TIME,
    SOLID_COLLIDER,
    TRACE_FOG_VOXEL,
    TRACE_VOXEL,
)
from kernels.trace.trace_liquid import OFFSET, foam_cover, water_choice
from kernels.trace.trace_look import lava_look, plane_normal, ripple_normal, terrain_look
from kernels.trace.trace_math import U1, device_part, random4
from kernels.trace.trace_sky import glow
from kernels.trace.trace_solid import solid_normal
from kernels.trace.trace_state import (
    BOUNCE_DIFFUSE,
    BOUNCE_NONE,
    BOUNCE_PHASE,
    BOUNCE_SPECULAR,
    WHITE,
    Bounce,
    add_light,
    add_scaled_light,
    albedo_of,
    scaled,
    times_rest,
    words3,
)
from kernels.trace.trace_volume import fog_at

SOLID_OFFSET = F32(0.05)  # voxels


@device_part
def shade_fog(px, py, pz, dx, dy, dz, sign, scene, glow_lut_in, light, throughput, dim):
    """A collision in fog: emission where it absorbs, then scattering."""
    look_in = scene.look_in
    albedo = words3(look_in, LOOK_FOG_R)
    if look_in[LOOK_FOG_GLOW_GAIN] > ZERO:
        voxel = scene.trace_in[TRACE_FOG_VOXEL]
        heat = fog_at(px, py, pz, 1, voxel, scene.grid_in, scene.fog_table, scene.fog_value)
        radiance = glow(heat, look_in, glow_lut_in)
        light = add_scaled_light(light, times_rest(throughput, albedo), radiance, look_in[LOOK_FOG_GLOW_GAIN])
    return Bounce(BOUNCE_PHASE, px, py, pz, dx, dy, dz, ZERO, ZERO, ONE, sign, albedo, light, throughput, dim)


@device_part
def shade_solid(solid, in_water, px, py, pz, dx, dy, dz, sign, scene, light, throughput, dim):
    """Ground or collider; ``in_water``: water lies on it, and the path stays in there."""
    look_in, voxel = scene.look_in, scene.trace_in[TRACE_VOXEL]
    nx, ny, nz = solid_normal(solid, px, py, pz, voxel, scene.terrain_geometry, scene.terrain, scene.collider)
    ox, oy, oz = px, py, pz
    if not in_water:
        step = SOLID_OFFSET * voxel
        ox, oy, oz = px + nx * step, py + ny * step, pz + nz * step
    if solid == SOLID_COLLIDER:
        albedo = words3(look_in, LOOK_COLLIDER_R)
    else:
        nx, ny, nz, r, g, b = terrain_look(px, py, pz, nx, ny, nz, look_in)
        albedo = r, g, b
    return Bounce(BOUNCE_DIFFUSE, ox, oy, oz, dx, dy, dz, nx, ny, nz, sign, albedo, light, throughput, dim)


@device_part
def shade_water(
    sea, px, py, pz, dx, dy, dz, nx, ny, nz, sign, fx, fy, foam, travelled, first, scene, light, throughput, pixel,
    sample, dim, seed,
):  # fmt: skip
    """The surface of water: foam, or reflection and refraction; n points out of the water.

    Of the ``sea``, the plane outside the domain: mirror the sky there, or end in the deep's own light.
    """
    look_in = scene.look_in
    step = OFFSET * scene.trace_in[TRACE_VOXEL]
    a, b, _, _ = random4(pixel, sample, dim, seed)
    dim = np.uint32(dim + U1)
    nx, ny, nz = nx * sign, ny * sign, nz * sign
    if sea:
        nx, ny, nz = ZERO, ZERO, ONE
    kind, albedo = BOUNCE_SPECULAR, WHITE
    if not sea and b < foam_cover(foam, look_in):
        kind, albedo = BOUNCE_DIFFUSE, words3(look_in, LOOK_FOAM_R)
    else:
        mx, my, mz = nx, ny, nz
        if sea:
            mx, my, mz = plane_normal(px * fx, py * fy, travelled, look_in)
            mx, my = mx * fx, my * fy
            if mx * dx + my * dy + mz * dz > ZERO:
                mx, my, mz = nx, ny, nz
        elif look_in[LOOK_RIPPLE] > ZERO:
            mx, my, mz = ripple_normal(
                px, py, pz, nx, ny, nz, look_in[LOOK_RIPPLE], look_in[LOOK_RIPPLE_SCALE], look_in[LOOK_TIME]
            )
        eta = look_in[LOOK_IOR]
        if not sea and sign < ZERO:
            eta = ONE / eta
        dx, dy, dz, passed, weight = water_choice(dx, dy, dz, mx, my, mz, nx, ny, nz, eta, first, a)
        throughput = scaled(throughput, weight)
        if sea:
            if passed:
                kind = BOUNCE_NONE
                light = add_light(light, throughput, words3(look_in, LOOK_PLANE_R))
        elif passed:
            sign = -sign
            step = -step
    ox, oy, oz = px + nx * step, py + ny * step, pz + nz * step
    return Bounce(kind, ox, oy, oz, dx, dy, dz, nx, ny, nz, sign, albedo, light, throughput, dim)


@device_part
def shade_lava(px, py, pz, dx, dy, dz, nx, ny, nz, sign, heat, scene, glow_lut_in, light, throughput, dim):
    """The surface of lava: its glow, and a rough crust."""
    look_in = scene.look_in
    step = OFFSET * scene.trace_in[TRACE_VOXEL]
    ox, oy, oz = px + nx * step, py + ny * step, pz + nz * step
    nx, ny, nz, heat, factor = lava_look(px, py, pz, nx, ny, nz, heat, look_in)
    light = add_scaled_light(light, throughput, glow(heat, look_in, glow_lut_in), look_in[LOOK_GLOW_GAIN])
    albedo = albedo_of(words3(look_in, LOOK_LAVA_R), factor)
    return Bounce(BOUNCE_DIFFUSE, ox, oy, oz, dx, dy, dz, nx, ny, nz, sign, albedo, light, throughput, dim)


@device_part
def shade_liquid(
    sea, px, py, pz, dx, dy, dz, nx, ny, nz, sign, fx, fy, other, travelled, first, scene, glow_lut_in, light,
    throughput, pixel, sample, dim, seed,
):  # fmt: skip
    """The liquid's surface, or the sea outside; ``other``: the surface's second channel, foam or temperature."""
    if sea or np.int32(scene.look_in[LOOK_LIQUID]) == LIQUID_WATER:
        bounce = shade_water(
            sea, px, py, pz, dx, dy, dz, nx, ny, nz, sign, fx, fy, other, travelled, first, scene, light, throughput,
            pixel, sample, dim, seed,
        )  # fmt: skip
    else:
        bounce = shade_lava(px, py, pz, dx, dy, dz, nx, ny, nz, sign, other, scene, glow_lut_in, light, throughput, dim)
    return bounce

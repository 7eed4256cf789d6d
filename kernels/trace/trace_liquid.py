"""Device functions: water's absorption and foam, what a ray does at its surface, and where there is none."""

from __future__ import annotations

from kernels.base.common import F32, ONE, TWO, ZERO, exp_f32
from kernels.base.constants import (
    LOOK_ABSORB_R,
    LOOK_FLOOR_ON,
    LOOK_FLOOR_Z,
    LOOK_FOAM_GAIN,
    LOOK_MIRROR_X_HIGH,
    LOOK_MIRROR_X_LOW,
    LOOK_MIRROR_Y_HIGH,
    LOOK_MIRROR_Y_LOW,
    LOOK_PLANE_ON,
    SOLID_COLLIDER,
    SOLID_FLOOR,
    SOLID_NONE,
    SOLID_PLANE,
    SOLID_TERRAIN,
    TRACE_CELL,
    TRACE_HAS_COLLIDERS,
    TRACE_HIGH_X,
    TRACE_HIGH_Y,
    TRACE_LOW_X,
    TRACE_LOW_Y,
    TRACE_LOW_Z,
    TRACE_VOXEL,
)
from kernels.trace.trace_math import device_call, device_inline, fresnel, normalise
from kernels.trace.trace_solid import height_at, visible_distance

NEAR_VOXELS = F32(1.5)  # water that ends that close above ground lies on it
NEAR_CELLS = F32(1.0)  # and that close to a side of the domain goes on outside
REFLECT_SHARE = F32(0.25)  # the least share of a path's first choice that goes to the reflection
COSINE_MIN = F32(1.0e-3)
OFFSET = F32(0.02)  # voxels, a new ray starts that far from a surface


@device_inline
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
def exit_kind(px, py, pz, broken, look_in, trace_in, terrain_geometry, terrain, collider):
    """The solid that a ray inside the water meets at p instead of a surface; SOLID_PLANE is the open sea."""
    near = NEAR_VOXELS * trace_in[TRACE_VOXEL]
    if look_in[LOOK_FLOOR_ON] > ZERO and pz - look_in[LOOK_FLOOR_Z] < near:
        return SOLID_FLOOR
    if terrain_geometry[3] > ZERO and pz - height_at(terrain_geometry, terrain, px, py) < near:
        return SOLID_TERRAIN
    if trace_in[TRACE_HAS_COLLIDERS] > ZERO and visible_distance(collider, px, py, pz) < near:
        return SOLID_COLLIDER
    if look_in[LOOK_PLANE_ON] > ZERO:
        near = NEAR_CELLS * trace_in[TRACE_CELL]
        at_side = broken == 1 or pz - trace_in[TRACE_LOW_Z] < near
        at_side = at_side or (look_in[LOOK_MIRROR_X_LOW] == ZERO and px - trace_in[TRACE_LOW_X] < near)
        at_side = at_side or (look_in[LOOK_MIRROR_X_HIGH] == ZERO and trace_in[TRACE_HIGH_X] - px < near)
        at_side = at_side or (look_in[LOOK_MIRROR_Y_LOW] == ZERO and py - trace_in[TRACE_LOW_Y] < near)
        at_side = at_side or (look_in[LOOK_MIRROR_Y_HIGH] == ZERO and trace_in[TRACE_HIGH_Y] - py < near)
        if at_side:
            return SOLID_PLANE
    return SOLID_NONE


@device_call
def water_choice(dx, dy, dz, nx, ny, nz, gx, gy, gz, eta, even, u):
    """(direction, passed, weight): reflect or refract at a smooth dielectric, chosen by the uniform number u.

    n faces the ray and may be tilted by ripples; g is the untilted normal: a reflection is kept above the surface and
    a refraction below it. ``even`` raises the chance of reflection (importance sampling); weight makes up for it.
    """
    cosine = -(dx * nx + dy * ny + dz * nz)
    if cosine < COSINE_MIN:
        cosine = COSINE_MIN
    if cosine > ONE:
        cosine = ONE
    reflectance, cosine_out = fresnel(cosine, eta)
    chance = reflectance
    if even:
        chance = reflectance + (ONE - reflectance) * REFLECT_SHARE
    if u < chance:
        weight = reflectance / chance
        rx, ry, rz = dx + TWO * cosine * nx, dy + TWO * cosine * ny, dz + TWO * cosine * nz
        above = rx * gx + ry * gy + rz * gz
        if above < COSINE_MIN:
            lift = TWO * COSINE_MIN - above
            rx, ry, rz = rx + lift * gx, ry + lift * gy, rz + lift * gz
        rx, ry, rz = normalise(rx, ry, rz)
        return rx, ry, rz, False, weight
    weight = (ONE - reflectance) / (ONE - chance)
    ratio = ONE / eta
    along = ratio * cosine - cosine_out
    rx, ry, rz = ratio * dx + along * nx, ratio * dy + along * ny, ratio * dz + along * nz
    above = rx * gx + ry * gy + rz * gz
    if above > -COSINE_MIN:
        lift = TWO * COSINE_MIN + above
        rx, ry, rz = rx - lift * gx, ry - lift * gy, rz - lift * gz
    rx, ry, rz = normalise(rx, ry, rz)
    return rx, ry, rz, True, weight

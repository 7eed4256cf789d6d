"""Device functions: how a point of lava, ground or rippled water looks; pure functions of position.

Detail below the simulation's resolution is procedural: octaves of gradient noise with analytic gradients tilt the
normal, mottle the albedo and, on lava, cool the plates of the crust while the cracks between them stay hot.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.base.common import F32, HALF, ONE, TWO, ZERO
from kernels.base.constants import (
    LOOK_LAVA_BUMP,
    LOOK_LAVA_CRUST_K,
    LOOK_LAVA_SCALE,
    LOOK_PLANE_RIPPLE,
    LOOK_PLANE_SCALE,
    LOOK_TERRAIN_A_R,
    LOOK_TERRAIN_B_R,
    LOOK_TERRAIN_BUMP,
    LOOK_TERRAIN_SCALE,
    LOOK_TERRAIN_STEEP,
    LOOK_TERRAIN_WET_Z,
    LOOK_TIME,
)
from kernels.trace.trace_math import device_call, device_inline, noise_gradient, normalise
from kernels.trace.trace_state import albedo_of

THREE = F32(3.0)
OCTAVES = 4
NOISE_REACH = F32(2.0**22)  # lattice steps from the origin: beyond it a float32 tells no more than halves apart
# Rotation between octaves hides the lattice
_TURN_COS, _TURN_SIN = F32(0.8), F32(0.6)


@device_call
def fractal(x, y, z, octaves, ridge):
    """(value, gradient) of a sum of noise octaves; ``ridge`` sums 1 - 2|noise| instead: sharp crests.

    0 beyond NOISE_REACH: what is that fine against its distance averages out. It also keeps the lattice's numbers,
    at most sqrt(3) 2^5 times as large in the last of six octaves, far below 2^31.
    """
    if not (math.fabs(x) < NOISE_REACH and math.fabs(y) < NOISE_REACH and math.fabs(z) < NOISE_REACH):
        octaves = np.int64(0)
    value, gx, gy, gz = ZERO, ZERO, ZERO, ZERO
    weight, scale = HALF, ONE
    # Columns of the rotation that octave n has been through (about z, then about x)
    ax, ay, az = ONE, ZERO, ZERO
    bx, by, bz = ZERO, ONE, ZERO
    cx, cy, cz = ZERO, ZERO, ONE
    for n in range(octaves):
        px = (ax * x + ay * y + az * z) * scale + F32(n) * F32(17.3)
        py = (bx * x + by * y + bz * z) * scale - F32(n) * F32(9.1)
        pz = (cx * x + cy * y + cz * z) * scale + F32(n) * F32(5.7)
        v, vx, vy, vz = noise_gradient(px, py, pz)
        if ridge != 0:
            if v > ZERO:
                vx, vy, vz = -TWO * vx, -TWO * vy, -TWO * vz
                v = ONE - TWO * v
            else:
                vx, vy, vz = TWO * vx, TWO * vy, TWO * vz
                v = ONE + TWO * v
        value = value + weight * v
        slope = weight * scale
        gx = gx + slope * (ax * vx + bx * vy + cx * vz)
        gy = gy + slope * (ay * vx + by * vy + cy * vz)
        gz = gz + slope * (az * vx + bz * vy + cz * vz)
        ax, ay, az, bx, by, bz = (
            _TURN_COS * ax + _TURN_SIN * bx,
            _TURN_COS * ay + _TURN_SIN * by,
            _TURN_COS * az + _TURN_SIN * bz,
            _TURN_COS * bx - _TURN_SIN * ax,
            _TURN_COS * by - _TURN_SIN * ay,
            _TURN_COS * bz - _TURN_SIN * az,
        )
        bx, by, bz, cx, cy, cz = (
            _TURN_COS * bx + _TURN_SIN * cx,
            _TURN_COS * by + _TURN_SIN * cy,
            _TURN_COS * bz + _TURN_SIN * cz,
            _TURN_COS * cx - _TURN_SIN * bx,
            _TURN_COS * cy - _TURN_SIN * by,
            _TURN_COS * cz - _TURN_SIN * bz,
        )
        weight = weight * HALF
        scale = scale * TWO
    return value, gx, gy, gz


@device_inline
def tilt(nx, ny, nz, gx, gy, gz, slope):
    """Normal of a surface that is displaced along n by slope * (noise with gradient g)."""
    along = gx * nx + gy * ny + gz * nz
    return normalise(nx - slope * (gx - along * nx), ny - slope * (gy - along * ny), nz - slope * (gz - along * nz))


@device_call
def lava_look(px, py, pz, nx, ny, nz, heat, look_in):
    """(normal, temperature for the glow, albedo factor) of a point of lava."""
    scale = look_in[LOOK_LAVA_SCALE]
    if scale <= ZERO:
        return nx, ny, nz, heat, ONE
    inverse = ONE / scale
    # Warp the plates so that they look torn, not grown on a lattice
    _, wx, wy, wz = fractal(px * inverse * HALF, py * inverse * HALF, pz * inverse * HALF, np.int64(2), np.int64(0))
    warp = F32(0.35)
    x, y, z = px * inverse + warp * wx, py * inverse + warp * wy, pz * inverse + warp * wz
    plates, gx, gy, gz = fractal(x, y, z, np.int64(OCTAVES), np.int64(1))
    # plates is high on the crests of the ridges: those are the cracks
    crust = (F32(0.75) - plates) * F32(1.1)
    if crust < ZERO:
        crust = ZERO
    if crust > ONE:
        crust = ONE
    temperature = heat - look_in[LOOK_LAVA_CRUST_K] * crust
    nx, ny, nz = tilt(nx, ny, nz, -gx, -gy, -gz, look_in[LOOK_LAVA_BUMP] * HALF)
    return nx, ny, nz, temperature, F32(0.6) + F32(0.8) * crust


@device_call
def terrain_look(px, py, pz, nx, ny, nz, look_in):
    """(normal, albedo RGB) of a point of the ground."""
    scale = look_in[LOOK_TERRAIN_SCALE]
    mottle = ZERO
    steep = look_in[LOOK_TERRAIN_STEEP]
    flat = nz
    if scale > ZERO:
        inverse = ONE / scale
        mottle, gx, gy, gz = fractal(px * inverse, py * inverse, pz * inverse, np.int64(6), np.int64(0))
        nx, ny, nz = tilt(nx, ny, nz, gx, gy, gz, look_in[LOOK_TERRAIN_BUMP])
        flat = flat + F32(0.25) * mottle
    share = (flat - steep) * F32(6.0) + HALF
    if share < ZERO:
        share = ZERO
    if share > ONE:
        share = ONE
    light = ONE + F32(0.6) * mottle
    wet = look_in[LOOK_TERRAIN_WET_Z] + F32(0.15) * mottle * scale
    if pz < wet:
        light = light * F32(0.45)
    a = look_in[LOOK_TERRAIN_B_R] + (look_in[LOOK_TERRAIN_A_R] - look_in[LOOK_TERRAIN_B_R]) * share
    b = look_in[LOOK_TERRAIN_B_R + 1] + (look_in[LOOK_TERRAIN_A_R + 1] - look_in[LOOK_TERRAIN_B_R + 1]) * share
    c = look_in[LOOK_TERRAIN_B_R + 2] + (look_in[LOOK_TERRAIN_A_R + 2] - look_in[LOOK_TERRAIN_B_R + 2]) * share
    r, g, b = albedo_of((a, b, c), light)
    return nx, ny, nz, r, g, b


@device_call
def ripple_normal(px, py, pz, nx, ny, nz, slope, wavelength, time_s):
    """Normal of water with small waves that noise makes, drifting with time."""
    inverse = ONE / wavelength
    drift = time_s * F32(0.35)
    _, gx, gy, gz = fractal(px * inverse + drift, py * inverse, pz * inverse - drift, np.int64(3), np.int64(0))
    return tilt(nx, ny, nz, gx, gy, gz, slope)


@device_call
def plane_normal(px, py, distance, look_in):
    """Normal of the water plane outside: ripples whose short waves fade with distance (m)."""
    wavelength = look_in[LOOK_PLANE_SCALE]
    inverse = ONE / wavelength
    far = distance * inverse * F32(0.004)
    slope = look_in[LOOK_PLANE_RIPPLE] / (ONE + far)
    drift = look_in[LOOK_TIME] * F32(0.35)
    _, gx, gy, _ = fractal(px * inverse + drift, py * inverse, drift, np.int64(OCTAVES), np.int64(0))
    length = math.sqrt(gx * gx + gy * gy)
    limit = THREE  # a slope that a wave can have
    if length > limit:
        gx, gy = gx * limit / length, gy * limit / length
    return normalise(-gx * slope, -gy * slope, ONE)

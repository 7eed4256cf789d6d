"""What effects particles feel around them, as device functions: the liquid's grid, the air, chance.

Effects particles (spray, foam, embers) are carried by the flow and do not act back on it.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, ONE, TWO, ZERO, device, floor_int, pcg4d, sin_cos_f32, unit_float
from kernels.base.constants import (
    EFFECT_PARAM_TURBULENCE,
    EFFECT_PARAM_WIND,
    MATERIAL_PARTICLE_VOLUME,
    VORTEX_ON,
)
from kernels.mpm.mpm_collide import vortex_target

CHUNK = 1024  # effects or liquid particles that one task counts, for the prefix sums
EDDY_CELLS = F32(0.35)  # rad per cell of the larger eddies
EDDY_RATE = F32(2.3)  # rad/s
EDDY_RATIO = F32(2.7)  # the smaller eddies: this much smaller and faster, half as strong
HALF_STRENGTH = F32(0.5)
AXIS_B, AXIS_C = F32(1.19), F32(0.83)


@device
def liquid_at(x, y, z, cell_size_m, blocks_x, blocks_y, blocks_z, slot_in, node_in):
    """(u, v, w, mass in particle masses) of the liquid's grid at a point, trilinear; velocity weighted by mass."""
    gx, gy, gz = x / cell_size_m, y / cell_size_m, z / cell_size_m
    # Without a node in reach there is nothing; NaN and numbers beyond int32 are not asked further
    inside = gx >= -ONE and gx < F32(blocks_x * 4) and gy >= -ONE and gy < F32(blocks_y * 4)
    if not (inside and gz >= -ONE and gz < F32(blocks_z * 4)):
        return ZERO, ZERO, ZERO, ZERO
    i, j, k = floor_int(gx), floor_int(gy), floor_int(gz)
    fx, fy, fz = gx - F32(i), gy - F32(j), gz - F32(k)
    u, v, w, mass = ZERO, ZERO, ZERO, ZERO
    for a in range(2):
        wa = fx if a == 1 else ONE - fx
        bi = (i + a) >> 2
        for b in range(2):
            wb = wa * (fy if b == 1 else ONE - fy)
            bj = (j + b) >> 2
            for c in range(2):
                bk = (k + c) >> 2
                if bi < 0 or bj < 0 or bk < 0 or bi >= blocks_x or bj >= blocks_y or bk >= blocks_z:
                    continue
                s = slot_in[(bi * blocks_y + bj) * blocks_z + bk]
                if s < 0:
                    continue
                n = (((i + a) & 3) * 4 + ((j + b) & 3)) * 4 + ((k + c) & 3)
                m = node_in[s, n, 3] * wb * (fz if c == 1 else ONE - fz)
                u += m * node_in[s, n, 0]
                v += m * node_in[s, n, 1]
                w += m * node_in[s, n, 2]
                mass += m
    if mass > ZERO:
        return u / mass, v / mass, w / mass, mass
    return ZERO, ZERO, ZERO, ZERO


@device
def cell_fill(mass, cell_size_m, material_in):
    """Share of a full cell that a node mass (in particle masses) stands for."""
    return mass * material_in[MATERIAL_PARTICLE_VOLUME] / (cell_size_m * cell_size_m * cell_size_m)


@device
def _eddy(x, y, z, t):
    """Arnold-Beltrami-Childress flow, free of divergence, moving with t; (u, v, w) of order one."""
    sine_x, cosine_x = sin_cos_f32(x + t)
    sine_y, cosine_y = sin_cos_f32(y * AXIS_B - t)
    sine_z, cosine_z = sin_cos_f32(z * AXIS_C + t * AXIS_B)
    return sine_z + cosine_y, sine_x + cosine_z, sine_y + cosine_x


@device
def air_velocity(x, y, z, cell_size_m, time_s, effect_params_in, force_in):
    """(u, v, w) of the air: a share of the driven vortex, and two octaves of turbulence."""
    u, v, w = ZERO, ZERO, ZERO
    strength = effect_params_in[EFFECT_PARAM_TURBULENCE]
    if strength > ZERO:
        scale = EDDY_CELLS / cell_size_m
        t = EDDY_RATE * time_s
        u, v, w = _eddy(x * scale, y * scale, z * scale, t)
        scale *= EDDY_RATIO
        a, b, c = _eddy(x * scale, y * scale, z * scale, t * EDDY_RATIO)
        u = strength * (u + HALF_STRENGTH * a)
        v = strength * (v + HALF_STRENGTH * b)
        w = strength * (w + HALF_STRENGTH * c)
    if force_in[VORTEX_ON] != ZERO and effect_params_in[EFFECT_PARAM_WIND] > ZERO:
        a, b, c, _e_x, _e_y, _angular, weight = vortex_target(force_in, time_s, x, y, z)
        share = effect_params_in[EFFECT_PARAM_WIND] * weight
        u += share * a
        v += share * b
        w += share * c
    return u, v, w


@device
def chance(index, frame, stream, seed):
    """Four float32 in [0, 1) for a particle's index, the frame, and what they are drawn for."""
    a, b, c, d = pcg4d(np.uint32(index), np.uint32(frame), np.uint32(stream), np.uint32(seed))
    return unit_float(a), unit_float(b), unit_float(c), unit_float(d)


@device
def signed(u):
    """[0, 1) to [-1, 1)."""
    return TWO * u - ONE

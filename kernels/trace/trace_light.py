"""Device functions: the sun's light at a point, by next event estimation (Pharr et al., PBR 4e, section 13.2).

Model of the sun's disc: it is seen by the camera, also in reflections and through water, and it lights matter along
straight lines: through fog, and through water's surface by the Fresnel transmittance of the straight ray and the
water's absorption (no focusing). All other light, glow around the sun included, follows refracted paths.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.base.common import F32, ONE, TWO_PI, ZERO
from kernels.base.constants import (
    LIQUID_WATER,
    LOOK_FOG_PHASE,
    LOOK_IOR,
    LOOK_LIQUID,
    SKY_SUN_COS,
    SKY_SUN_R,
    SKY_SUN_X,
    SKY_SUN_Y,
    SKY_SUN_Z,
    SOLID_NONE,
    TRACE_HAS_FOG,
    TRACE_VOXEL,
)
from kernels.trace.trace_event import next_event
from kernels.trace.trace_liquid import OFFSET, absorb, foam_cover
from kernels.trace.trace_math import INV_PI, U1, device_call, device_part, fresnel, phase_hg, random4, sample_cone
from kernels.trace.trace_state import (
    BLACK,
    BOUNCE_PHASE,
    EVENT_LIQUID,
    EVENT_MIRROR,
    WHITE,
    add_light,
    largest,
    scaled,
    times,
    words3,
)
from kernels.trace.trace_surface import surface_at, surface_normal

SHADOW_SEGMENTS = 24
FAINT = F32(0.05)  # radiance; below it the sun's light is looked for by chance only


@device_call
def sun_transmittance(ox, oy, oz, dx, dy, dz, sign, folds, scene, pixel, sample, dim, seed, work):
    """((r, g, b), dim): estimate of the transmittance of a shadow ray from o along d; sign as in trace_surface.

    The fog's part is estimated by ratio tracking.
    """
    look_in, voxel = scene.look_in, scene.trace_in[TRACE_VOXEL]
    water = np.int32(look_in[LOOK_LIQUID]) == LIQUID_WATER
    light = WHITE
    for _ in range(SHADOW_SEGMENTS):
        end = next_event(ox, oy, oz, dx, dy, dz, sign, folds, True, scene, pixel, sample, dim, seed, work)
        dim = end.dim
        if end.solid != SOLID_NONE or (end.event == EVENT_LIQUID and not water):
            return BLACK, dim
        if end.beyond:
            return light, dim
        if sign < ZERO:
            light = times(light, absorb(end.t_end, look_in))
        elif scene.trace_in[TRACE_HAS_FOG] > ZERO:
            light = scaled(light, end.weight)
        if light[0] + light[1] + light[2] <= ZERO:
            return BLACK, dim
        px, py, pz = ox + dx * end.t_end, oy + dy * end.t_end, oz + dz * end.t_end
        if end.event == EVENT_LIQUID:
            # Go straight on through the water's surface
            if end.broken == 0:
                nx, ny, nz = surface_normal(px, py, pz, voxel, scene.grid_in, scene.table, scene.value)
                foam = surface_at(px, py, pz, 1, voxel, scene.grid_in, scene.table, scene.value)
                cosine = F32(math.fabs(nx * dx + ny * dy + nz * dz))
                if cosine > ONE:
                    cosine = ONE
                # From inside the refracted ray meets the surface at a steeper angle: the air side's cosine is used
                reflect, _ = fresnel(cosine, look_in[LOOK_IOR])
                light = scaled(light, (ONE - reflect) * (ONE - foam_cover(foam, look_in)))
            step = OFFSET * voxel
            ox, oy, oz = px + dx * step, py + dy * step, pz + dz * step
            sign = -sign
        elif end.event == EVENT_MIRROR:
            ox, oy, oz = px, py, pz
            if end.axis == 0:
                dx = -dx
            else:
                dy = -dy
            folds += 1
        else:
            return light, dim
    return BLACK, dim


@device_part
def sun_light(bounce, folds, fx, fy, sky_in, scene, light, throughput, pixel, sample, dim, seed, work):
    """(light, dim) after next event estimation at a bounce: one point of the sun's disc, phase function or cosine."""
    look_in = scene.look_in
    a, b, c, _ = random4(pixel, sample, dim, seed)
    dim = np.uint32(dim + U1)
    sx, sy, sz = sample_cone(
        sky_in[SKY_SUN_X] * fx, sky_in[SKY_SUN_Y] * fy, sky_in[SKY_SUN_Z], sky_in[SKY_SUN_COS], a, b
    )
    if bounce.kind == BOUNCE_PHASE:
        share = phase_hg(bounce.dx * sx + bounce.dy * sy + bounce.dz * sz, look_in[LOOK_FOG_PHASE])
    else:
        share = (bounce.nx * sx + bounce.ny * sy + bounce.nz * sz) * INV_PI
    share = share * TWO_PI * (ONE - sky_in[SKY_SUN_COS])
    # Russian roulette for what would hardly be seen
    most = largest(times(throughput, words3(sky_in, SKY_SUN_R))) * share
    if most < FAINT:
        share = share * (FAINT / most) if c * FAINT < most else ZERO
    if share > ZERO:
        arrives, dim = sun_transmittance(
            bounce.ox, bounce.oy, bounce.oz, sx, sy, sz, bounce.sign, folds, scene, pixel, sample, dim, seed, work
        )
        light = add_light(light, times(scaled(throughput, share), arrives), words3(sky_in, SKY_SUN_R))
    return light, dim

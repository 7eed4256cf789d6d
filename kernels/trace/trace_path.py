"""Device function: the radiance along one camera ray, by path tracing (Kajiya 1986; Pharr et al., PBR 4e, ch. 13-14).

A loop over events: the nearest of fog collision, liquid, solid and mirror wall ends a segment (``next_event``); an
event adds light and gives the path a bounce (``shade_*``); the sun lights it by next event estimation (``sun_light``).
Sky and glowing matter are found by the path itself. The sun's disc is seen only by a path that met nothing but mirrors
and clear water; see trace_light for the sun's model.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, ONE, ZERO
from kernels.base.constants import (
    LIQUID_WATER,
    LOOK_FOG_PHASE,
    LOOK_HAZE,
    LOOK_LIQUID,
    LOOK_PLANE_R,
    LOOK_WATER_R,
    SKY_SUN_COS,
    SKY_SUN_R,
    SOLID_NONE,
    SOLID_PLANE,
    TRACE_HAS_SURFACE,
    TRACE_SURFACE_HIGH,
    TRACE_SURFACE_LOW,
    TRACE_VOXEL,
    WORK_PATHS,
    WORK_SCATTERS,
    WORK_SURFACE_HITS,
)
from kernels.trace.trace_event import next_event
from kernels.trace.trace_light import sun_light
from kernels.trace.trace_liquid import OFFSET, absorb, exit_kind
from kernels.trace.trace_math import FAR, U1, device_call, device_part, random4, sample_cosine, sample_phase
from kernels.trace.trace_shade import shade_fog, shade_liquid, shade_solid
from kernels.trace.trace_sky import haze, in_sun, sky_radiance
from kernels.trace.trace_state import (
    BLACK,
    BOUNCE_NONE,
    BOUNCE_PHASE,
    BOUNCE_SPECULAR,
    EVENT_FOG,
    EVENT_LIQUID,
    EVENT_MIRROR,
    EVENT_SKY,
    WHITE,
    add_light,
    add_scaled_light,
    largest,
    scaled,
    times,
    times_rest,
    words3,
)
from kernels.trace.trace_surface import surface_at, surface_normal

SURVIVE_MAX = F32(0.95)  # of a throughput: from it on there is no Russian roulette
FADED = F32(0.1)  # a throughput: below it a path does not go from mirror to mirror for long


@device_part
def camera_sign(ox, oy, oz, scene):
    """1 outside the liquid, -1 for a camera inside water, which is nowhere but in the box around all of it."""
    look_in, trace_in = scene.look_in, scene.trace_in
    low, high = words3(trace_in, TRACE_SURFACE_LOW), words3(trace_in, TRACE_SURFACE_HIGH)
    inside = ox >= low[0] and ox <= high[0] and oy >= low[1] and oy <= high[1] and oz >= low[2] and oz <= high[2]
    distance = ZERO
    if inside and trace_in[TRACE_HAS_SURFACE] > ZERO and np.int32(look_in[LOOK_LIQUID]) == LIQUID_WATER:
        distance = surface_at(ox, oy, oz, 0, trace_in[TRACE_VOXEL], scene.grid_in, scene.table, scene.value)
    return -ONE if distance < ZERO else ONE


@device_part
def pass_water(t, look_in, light, throughput):
    """(light, throughput) after t metres of water: absorption, and its own light, a constant source function."""
    share = absorb(t, look_in)
    light = add_light(light, times_rest(throughput, share), words3(look_in, LOOK_WATER_R))
    return light, times(throughput, share)


@device_part
def pass_air(ran, wx, wy, wz, sky_in, look_in, light, throughput):
    """(light, throughput) after hazy air: it hides a share, and sends its own light."""
    share, r, g, b = haze(ran, wx, wy, wz, sky_in, look_in)
    return add_scaled_light(light, throughput, (r, g, b), share), scaled(throughput, ONE - share)


@device_part
def escape(wx, wy, wz, clear, sky_in, look_in, light, throughput):
    """Light after the path has left for the sky in direction w of the world."""
    r, g, b = sky_radiance(wx, wy, wz, sky_in, look_in)
    if clear and sky_in[SKY_SUN_COS] < ONE and in_sun(wx, wy, wz, sky_in):
        r, g, b = r + sky_in[SKY_SUN_R], g + sky_in[SKY_SUN_R + 1], b + sky_in[SKY_SUN_R + 2]
    return add_light(light, throughput, (r, g, b))


@device_part
def fold(axis, dx, dy, fx, fy):
    """(dx, dy, fx, fy) behind a mirror wall, in the folded space."""
    if axis == 0:
        dx, fx = -dx, -fx
    else:
        dy, fy = -dy, -fy
    return dx, dy, fx, fy


@device_part
def roulette(below, full, throughput, pixel, sample, dim, seed):
    """(survives, throughput, dim): Russian roulette where throughput < ``below``, by the chance throughput / full."""
    survives = True
    most = largest(throughput)
    if most < below:
        a, _, _, _ = random4(pixel, sample, dim, seed)
        dim = np.uint32(dim + U1)
        survives = a * full < most
        throughput = scaled(throughput, full / most)
    return survives, throughput, dim


@device_part
def sample_direction(bounce, look_in, u, v):
    """A new direction: by the fog's phase function about the old one, else by cosine about the normal."""
    if bounce.kind == BOUNCE_PHASE:
        dx, dy, dz = sample_phase(bounce.dx, bounce.dy, bounce.dz, look_in[LOOK_FOG_PHASE], u, v)
    else:
        dx, dy, dz = sample_cosine(bounce.nx, bounce.ny, bounce.nz, u, v)
    return dx, dy, dz


@device_call
def trace_path(
    ox, oy, oz, dx, dy, dz, max_depth, roulette_depth, sky_in, glow_lut_in, scene, pixel, sample, dim, seed, work
):
    """(r, g, b, hit, distance) along a camera ray; hit 0 and distance 0 where it meets nothing."""
    look_in, voxel = scene.look_in, scene.trace_in[TRACE_VOXEL]
    work[WORK_PATHS] += 1
    light, throughput = BLACK, WHITE
    sign = camera_sign(ox, oy, oz, scene)
    clear = True  # nothing but clear water and mirrors so far
    depth, folds = np.int64(0), np.int64(0)
    fx, fy = ONE, ONE  # -1: mirrored axis
    ran = ZERO  # distance since the last event, across mirrors
    alpha, first = ZERO, ZERO
    while True:
        end = next_event(ox, oy, oz, dx, dy, dz, sign, folds, False, scene, pixel, sample, dim, seed, work)
        dim = end.dim
        if sign < ZERO and end.t_end < FAR:
            light, throughput = pass_water(end.t_end, look_in, light, throughput)
        if end.event == EVENT_SKY:
            light = escape(dx * fx, dy * fy, dz, clear, sky_in, look_in, light, throughput)
            break
        px, py, pz = ox + dx * end.t_end, oy + dy * end.t_end, oz + dz * end.t_end
        ran = ran + end.t_end
        if end.event == EVENT_MIRROR:
            ox, oy, oz = px, py, pz
            dx, dy, fx, fy = fold(end.axis, dx, dy, fx, fy)
            folds += 1
            survives, throughput, dim = roulette(FADED, FADED, throughput, pixel, sample, dim, seed)
            if not survives:
                break
            continue
        if alpha == ZERO:
            alpha, first = ONE, ran
        if look_in[LOOK_HAZE] > ZERO and sign > ZERO:
            light, throughput = pass_air(ran, dx * fx, dy * fy, dz, sky_in, look_in, light, throughput)
        travelled, ran = ran, ZERO
        solid, liquid = end.solid, end.event == EVENT_LIQUID
        nx, ny, nz = ZERO, ZERO, ONE
        if liquid:
            nx, ny, nz = surface_normal(px, py, pz, voxel, scene.grid_in, scene.table, scene.value)
            if sign < ZERO:
                # Water that meets ground, or the open sea around the domain, has no surface there
                solid = exit_kind(
                    px, py, pz, end.broken, look_in, scene.trace_in, scene.terrain_geometry, scene.terrain,
                    scene.collider,
                )  # fmt: skip
                step = OFFSET * voxel
                if solid == SOLID_PLANE:
                    light = add_light(light, throughput, words3(look_in, LOOK_PLANE_R))
                    break
                if solid == SOLID_NONE and end.broken == 1:
                    sign = ONE
                    ox, oy, oz = px + dx * step, py + dy * step, pz + dz * step
                    continue
                if solid != SOLID_NONE:
                    # Stay in the water, just before the crossing
                    px, py, pz = px - nx * step, py - ny * step, pz - nz * step
        if end.event == EVENT_FOG:
            work[WORK_SCATTERS] += 1
            bounce = shade_fog(px, py, pz, dx, dy, dz, sign, scene, glow_lut_in, light, throughput, dim)
        else:
            work[WORK_SURFACE_HITS] += 1
            sea = solid == SOLID_PLANE
            if solid != SOLID_NONE and not sea:
                bounce = shade_solid(solid, liquid, px, py, pz, dx, dy, dz, sign, scene, light, throughput, dim)
            else:
                other = ZERO
                if not sea:
                    other = surface_at(px, py, pz, 1, voxel, scene.grid_in, scene.table, scene.value)
                bounce = shade_liquid(
                    sea, px, py, pz, dx, dy, dz, nx, ny, nz, sign, fx, fy, other, travelled, depth == 0, scene,
                    glow_lut_in, light, throughput, pixel, sample, dim, seed,
                )  # fmt: skip
        light, throughput, sign, dim = bounce.light, bounce.throughput, bounce.sign, bounce.dim
        ox, oy, oz = bounce.ox, bounce.oy, bounce.oz
        dx, dy, dz = bounce.dx, bounce.dy, bounce.dz
        depth += 1
        if bounce.kind == BOUNCE_NONE or depth >= max_depth:
            break
        if bounce.kind != BOUNCE_SPECULAR:
            clear = False
            throughput = times(throughput, bounce.albedo)
            u, v = end.u, end.v
            if bounce.kind != BOUNCE_PHASE:
                _, _, u, v = random4(pixel, sample, dim, seed)
                dim = np.uint32(dim + U1)
            if sky_in[SKY_SUN_COS] < ONE:
                light, dim = sun_light(
                    bounce, folds, fx, fy, sky_in, scene, light, throughput, pixel, sample, dim, seed, work
                )
            dx, dy, dz = sample_direction(bounce, look_in, u, v)
        if depth >= roulette_depth:
            survives, throughput, dim = roulette(SURVIVE_MAX, ONE, throughput, pixel, sample, dim, seed)
            if not survives:
                break
    return light[0], light[1], light[2], alpha, first

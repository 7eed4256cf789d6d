"""Device function: the radiance along one camera ray, by path tracing (Kajiya 1986; Pharr et al., PBR 4e, ch. 13-14).

One loop over events: the nearest of fog collision, liquid, solid and mirror wall ends a segment; an event adds light
(emission, the sun by next-event estimation) and sends the path on. Sky and glowing matter are found by the path itself.
The sun's disc is seen only by a path that met nothing but mirrors and clear water; see trace_light for the sun's model.
Fog emits by the collision estimator: (1 - albedo) glow(T) at a real collision.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, ONE, TWO_PI, ZERO, device
from kernels.base.constants import (
    LIQUID_WATER,
    LOOK_COLLIDER_R,
    LOOK_FOAM_R,
    LOOK_FOG_GAIN,
    LOOK_FOG_GLOW_GAIN,
    LOOK_FOG_PHASE,
    LOOK_FOG_R,
    LOOK_GLOW_GAIN,
    LOOK_HAZE,
    LOOK_IOR,
    LOOK_LAVA_R,
    LOOK_LIQUID,
    LOOK_MIRROR_FOLDS,
    LOOK_PLANE_R,
    LOOK_RIPPLE,
    LOOK_RIPPLE_SCALE,
    LOOK_TIME,
    LOOK_WATER_R,
    SKY_SUN_COS,
    SKY_SUN_R,
    SKY_SUN_X,
    SKY_SUN_Y,
    SKY_SUN_Z,
    SOLID_COLLIDER,
    SOLID_NONE,
    SOLID_PLANE,
    SOLID_TERRAIN,
    TRACE_FOG_VOXEL,
    TRACE_HAS_FOG,
    TRACE_HAS_SURFACE,
    TRACE_VOXEL,
    WORK_PATHS,
    WORK_SCATTERS,
    WORK_SEGMENTS,
    WORK_SURFACE_HITS,
)
from kernels.trace.trace_light import OFFSET, absorb, foam_cover, mirror_hit, sun_transmittance
from kernels.trace.trace_liquid import exit_kind, water_choice
from kernels.trace.trace_math import (
    FAR,
    INV_PI,
    U1,
    device_call,
    phase_hg,
    random4,
    sample_cone,
    sample_cosine,
    sample_phase,
)
from kernels.trace.trace_shade import lava_look, plane_normal, ripple_normal, terrain_look
from kernels.trace.trace_sky import glow, haze, in_sun, sky_radiance
from kernels.trace.trace_solid import solid_hit, solid_normal, terrain_hit
from kernels.trace.trace_surface import surface_at, surface_hit, surface_normal
from kernels.trace.trace_volume import fog_at, fog_walk

# What an event asks for after it: nothing more, go on along the ray, sample a diffuse or a phase direction
STOP, GO_ON, DIFFUSE, SCATTER = 0, 1, 2, 3
SURVIVE_MAX = F32(0.95)
FADED = F32(0.1)
FAINT = F32(0.05)  # radiance; below it the sun's light is looked for by chance only
SOLID_OFFSET = F32(0.05)  # voxels


@device
def _flipped(dx, dy, dz, fx, fy):
    """A direction of the folded space in the world."""
    return dx * fx, dy * fy, dz


@device_call
def trace_path(
    ox, oy, oz, dx, dy, dz, max_depth, roulette_depth, sky_in, glow_lut_in, scene, pixel, sample, dim, seed, work
):
    """(r, g, b, hit, distance) along a camera ray; hit 0 and distance 0 where it meets nothing."""
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
    work[WORK_PATHS] += 1
    red, green, blue = ZERO, ZERO, ZERO
    tr, tg, tb = ONE, ONE, ONE  # throughput
    voxel = trace_in[TRACE_VOXEL]
    has_surface, has_fog = trace_in[TRACE_HAS_SURFACE] > ZERO, trace_in[TRACE_HAS_FOG] > ZERO
    water = np.int32(look_in[LOOK_LIQUID]) == LIQUID_WATER
    has_terrain = terrain_geometry[3] > ZERO
    has_sun = sky_in[SKY_SUN_COS] < ONE
    has_haze = look_in[LOOK_HAZE] > ZERO
    sign = ONE
    if has_surface and water and surface_at(ox, oy, oz, 0, voxel, grid_in, table, value) < ZERO:
        sign = -ONE
    clear = True  # nothing but clear water and mirrors so far
    depth, folds = np.int64(0), np.int64(0)
    fx, fy = ONE, ONE  # mirrored axes
    ran = ZERO  # distance since the last event, across mirrors
    alpha, first = ZERO, ZERO
    while True:
        work[WORK_SEGMENTS] += 1
        # Find what ends this segment
        beyond = F32(folds) > look_in[LOOK_MIRROR_FOLDS]
        t_end, axis = FAR, -1
        if not beyond:
            t_end, axis = mirror_hit(ox, oy, oz, dx, dy, dz, look_in, trace_in)
        t_end, kind = solid_hit(ox, oy, oz, dx, dy, dz, t_end, beyond, look_in, trace_in, collider)
        on_surface, broken = False, 0
        if has_surface and not beyond:
            t, broken = surface_hit(ox, oy, oz, dx, dy, dz, t_end, sign, trace_in, grid_in, table, value, work)
            if t >= ZERO:
                on_surface, t_end, kind = True, t, SOLID_NONE
        if has_terrain and not beyond:
            t = terrain_hit(ox, oy, oz, dx, dy, dz, t_end, trace_in, terrain_geometry, terrain)
            if t >= ZERO:
                on_surface, t_end, kind = False, t, SOLID_TERRAIN
        collided, u, v = False, ZERO, ZERO
        if has_fog and sign > ZERO and not beyond:
            t, _, dim, u, v = fog_walk(
                ox,
                oy,
                oz,
                dx,
                dy,
                dz,
                t_end,
                False,
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
            if t >= ZERO:
                collided, on_surface, t_end, kind = True, False, t, SOLID_NONE
        if on_surface or collided or kind != SOLID_NONE:
            axis = -1
        if sign < ZERO and t_end < FAR:
            # Absorption, and the water's own light: a constant source function
            ar, ag, ab = absorb(t_end, look_in)
            red = red + tr * (ONE - ar) * look_in[LOOK_WATER_R]
            green = green + tg * (ONE - ag) * look_in[LOOK_WATER_R + 1]
            blue = blue + tb * (ONE - ab) * look_in[LOOK_WATER_R + 2]
            tr, tg, tb = tr * ar, tg * ag, tb * ab
        if not (on_surface or collided or kind != SOLID_NONE or axis >= 0):
            # Escape to the sky
            wx, wy, wz = _flipped(dx, dy, dz, fx, fy)
            r, g, b = sky_radiance(wx, wy, wz, sky_in, look_in)
            if clear and has_sun and in_sun(wx, wy, wz, sky_in):
                r, g, b = r + sky_in[SKY_SUN_R], g + sky_in[SKY_SUN_R + 1], b + sky_in[SKY_SUN_R + 2]
            red, green, blue = red + tr * r, green + tg * g, blue + tb * b
            break
        px, py, pz = ox + dx * t_end, oy + dy * t_end, oz + dz * t_end
        ran = ran + t_end
        if axis >= 0:
            # Mirror wall: fold the ray
            ox, oy, oz = px, py, pz
            if axis == 0:
                dx, fx = -dx, -fx
            else:
                dy, fy = -dy, -fy
            folds += 1
            # A path that has faded in the water does not go from mirror to mirror for long
            survive = tr if tr > tg else tg
            if tb > survive:
                survive = tb
            if survive < FADED:
                a, _, _, _ = random4(pixel, sample, dim, seed)
                dim = np.uint32(dim + U1)
                if a * FADED >= survive:
                    break
                inverse = FADED / survive
                tr, tg, tb = tr * inverse, tg * inverse, tb * inverse
            continue
        if alpha == ZERO:
            alpha, first = ONE, ran
        if has_haze and sign > ZERO:
            wx, wy, wz = _flipped(dx, dy, dz, fx, fy)
            share, r, g, b = haze(ran, wx, wy, wz, sky_in, look_in)
            red, green, blue = red + tr * r * share, green + tg * g * share, blue + tb * b * share
            share = ONE - share
            tr, tg, tb = tr * share, tg * share, tb * share
        travelled = ran
        ran = ZERO
        event = GO_ON
        ar, ag, ab = ONE, ONE, ONE
        nx, ny, nz = ZERO, ZERO, ONE
        step = OFFSET * voxel
        if on_surface:
            nx, ny, nz = surface_normal(px, py, pz, voxel, grid_in, table, value)
            if sign < ZERO:
                # Water that meets ground, or the open sea around the domain, has no surface there
                kind = exit_kind(px, py, pz, broken, look_in, trace_in, terrain_geometry, terrain, collider)
                if kind == SOLID_PLANE:
                    event = STOP
                    r, g, b = look_in[LOOK_PLANE_R], look_in[LOOK_PLANE_R + 1], look_in[LOOK_PLANE_R + 2]
                    red, green, blue = red + tr * r, green + tg * g, blue + tb * b
                elif kind == SOLID_NONE and broken == 1:
                    sign = ONE
                    ox, oy, oz = px + dx * step, py + dy * step, pz + dz * step
                    continue
                elif kind != SOLID_NONE:
                    # Stay in the water, just before the crossing
                    px, py, pz = px - nx * step, py - ny * step, pz - nz * step
        if event == STOP:
            break
        if collided:
            # Fog: emission by absorption, then scattering
            work[WORK_SCATTERS] += 1
            ar, ag, ab = look_in[LOOK_FOG_R], look_in[LOOK_FOG_R + 1], look_in[LOOK_FOG_R + 2]
            if look_in[LOOK_FOG_GLOW_GAIN] > ZERO:
                heat = fog_at(px, py, pz, 1, trace_in[TRACE_FOG_VOXEL], grid_in, fog_table, fog_value)
                r, g, b = glow(heat, look_in, glow_lut_in)
                gain = look_in[LOOK_FOG_GLOW_GAIN]
                red = red + tr * (ONE - ar) * r * gain
                green = green + tg * (ONE - ag) * g * gain
                blue = blue + tb * (ONE - ab) * b * gain
            event = SCATTER
            ox, oy, oz = px, py, pz
        elif kind == SOLID_PLANE:
            # Water outside the domain: mirror its sky, or end in the deep's own light
            work[WORK_SURFACE_HITS] += 1
            a, _, _, _ = random4(pixel, sample, dim, seed)
            dim = np.uint32(dim + U1)
            nx, ny, nz = plane_normal(px * fx, py * fy, travelled, look_in)
            nx, ny = nx * fx, ny * fy
            if nx * dx + ny * dy + nz * dz > ZERO:
                nx, ny, nz = ZERO, ZERO, ONE
            dx, dy, dz, inside, weight = water_choice(
                dx, dy, dz, nx, ny, nz, ZERO, ZERO, ONE, look_in[LOOK_IOR], depth == 0, a
            )
            tr, tg, tb = tr * weight, tg * weight, tb * weight
            if inside:
                r, g, b = look_in[LOOK_PLANE_R], look_in[LOOK_PLANE_R + 1], look_in[LOOK_PLANE_R + 2]
                red, green, blue = red + tr * r, green + tg * g, blue + tb * b
                break
            ox, oy, oz = px, py, pz + step
        elif kind != SOLID_NONE:
            # Ground or collider
            work[WORK_SURFACE_HITS] += 1
            nx, ny, nz = solid_normal(kind, px, py, pz, voxel, terrain_geometry, terrain, collider)
            event = DIFFUSE
            if not on_surface:
                step = SOLID_OFFSET * voxel
                ox, oy, oz = px + nx * step, py + ny * step, pz + nz * step
            else:
                ox, oy, oz = px, py, pz
            if kind == SOLID_COLLIDER:
                ar, ag, ab = look_in[LOOK_COLLIDER_R], look_in[LOOK_COLLIDER_R + 1], look_in[LOOK_COLLIDER_R + 2]
            else:
                nx, ny, nz, ar, ag, ab = terrain_look(px, py, pz, nx, ny, nz, look_in)
        else:
            work[WORK_SURFACE_HITS] += 1
            heat = surface_at(px, py, pz, 1, voxel, grid_in, table, value)
            if water:
                a, b, _, _ = random4(pixel, sample, dim, seed)
                dim = np.uint32(dim + U1)
                nx, ny, nz = nx * sign, ny * sign, nz * sign
                if b < foam_cover(heat, look_in):
                    event = DIFFUSE
                    ar, ag, ab = look_in[LOOK_FOAM_R], look_in[LOOK_FOAM_R + 1], look_in[LOOK_FOAM_R + 2]
                    ox, oy, oz = px + nx * step, py + ny * step, pz + nz * step
                else:
                    mx, my, mz = nx, ny, nz
                    if look_in[LOOK_RIPPLE] > ZERO:
                        mx, my, mz = ripple_normal(
                            px, py, pz, nx, ny, nz, look_in[LOOK_RIPPLE], look_in[LOOK_RIPPLE_SCALE], look_in[LOOK_TIME]
                        )
                    eta = look_in[LOOK_IOR]
                    if sign < ZERO:
                        eta = ONE / eta
                    dx, dy, dz, inside, weight = water_choice(dx, dy, dz, mx, my, mz, nx, ny, nz, eta, depth == 0, a)
                    tr, tg, tb = tr * weight, tg * weight, tb * weight
                    if inside:
                        sign = -sign
                        step = -step
                    ox, oy, oz = px + nx * step, py + ny * step, pz + nz * step
            else:
                event = DIFFUSE
                ox, oy, oz = px + nx * step, py + ny * step, pz + nz * step
                nx, ny, nz, heat, factor = lava_look(px, py, pz, nx, ny, nz, heat, look_in)
                r, g, b = glow(heat, look_in, glow_lut_in)
                gain = look_in[LOOK_GLOW_GAIN]
                red, green, blue = red + tr * r * gain, green + tg * g * gain, blue + tb * b * gain
                ar, ag, ab = look_in[LOOK_LAVA_R], look_in[LOOK_LAVA_R + 1], look_in[LOOK_LAVA_R + 2]
                ar, ag, ab = ar * factor, ag * factor, ab * factor
        depth += 1
        if depth >= max_depth:
            break
        if event != GO_ON:
            tr, tg, tb = tr * ar, tg * ag, tb * ab
            clear = False
            if not collided:
                a, b, u, v = random4(pixel, sample, dim, seed)
                dim = np.uint32(dim + U1)
            if has_sun:
                # Light from the sun's disc
                a, b, c, _ = random4(pixel, sample, dim, seed)
                dim = np.uint32(dim + U1)
                sx, sy, sz = sample_cone(
                    sky_in[SKY_SUN_X] * fx, sky_in[SKY_SUN_Y] * fy, sky_in[SKY_SUN_Z], sky_in[SKY_SUN_COS], a, b
                )
                if event == SCATTER:
                    share = phase_hg(dx * sx + dy * sy + dz * sz, look_in[LOOK_FOG_PHASE])
                else:
                    share = (nx * sx + ny * sy + nz * sz) * INV_PI
                share = share * TWO_PI * (ONE - sky_in[SKY_SUN_COS])
                # Roulette for what would hardly be seen
                most = tr * sky_in[SKY_SUN_R]
                if tg * sky_in[SKY_SUN_R + 1] > most:
                    most = tg * sky_in[SKY_SUN_R + 1]
                if tb * sky_in[SKY_SUN_R + 2] > most:
                    most = tb * sky_in[SKY_SUN_R + 2]
                most = most * share
                if most < FAINT:
                    share = share * (FAINT / most) if c * FAINT < most else ZERO
                if share > ZERO:
                    r, g, b, dim = sun_transmittance(
                        ox, oy, oz, sx, sy, sz, sign, folds, scene, pixel, sample, dim, seed, work
                    )
                    red = red + tr * share * r * sky_in[SKY_SUN_R]
                    green = green + tg * share * g * sky_in[SKY_SUN_R + 1]
                    blue = blue + tb * share * b * sky_in[SKY_SUN_R + 2]
            if event == SCATTER:
                dx, dy, dz = sample_phase(dx, dy, dz, look_in[LOOK_FOG_PHASE], u, v)
            else:
                dx, dy, dz = sample_cosine(nx, ny, nz, u, v)
        if depth >= roulette_depth:
            # Russian roulette
            survive = tr
            if tg > survive:
                survive = tg
            if tb > survive:
                survive = tb
            if survive < SURVIVE_MAX:
                a, _, _, _ = random4(pixel, sample, dim, seed)
                dim = np.uint32(dim + U1)
                if a >= survive:
                    break
                inverse = ONE / survive
                tr, tg, tb = tr * inverse, tg * inverse, tb * inverse
    return red, green, blue, alpha, first

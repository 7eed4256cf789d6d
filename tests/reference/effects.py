"""The effects particles' kernels read plainly: one particle after the other, in float32 scalars.

Each function has its kernel's name and arguments, and fills its outputs.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from kernels.base import constants as k
from kernels.base.common import sin_cos_f32
from kernels.mpm.mpm_collide import collider_distance, terrain_height, vortex_target

F32 = np.float32
ZERO, HALF, ONE, TWO = F32(0), F32(0.5), F32(1), F32(2)
CHUNK = 1024
SUBSTEPS = 4
WET, DRY, DEEP, RISE_M_PER_S = F32(0.5), F32(0.05), F32(0.9), F32(0.6)
MARGIN_CELLS = F32(3.5)  # of the four cells of a wall
EDDY_PER_CELL, EDDY_RATE, OCTAVE = F32(0.35), F32(2.3), F32(2.7)
EDDY_Y, EDDY_Z = F32(1.19), F32(0.83)
COUNT_STREAM, STATE_STREAM = 1, 8
MOST_OF_A_KIND = 8
WORD = 2**32


def words(key) -> list[int]:
    """pcg4d (Jarzynski and Olano 2020) in whole Python numbers."""
    v = [(one * 1664525 + 1013904223) % WORD for one in key]
    for last in (False, True):
        for n, (a, b) in enumerate(((1, 3), (2, 0), (0, 1), (1, 2))):
            v[n] = (v[n] + v[a] * v[b]) % WORD
        if not last:
            v = [one ^ (one >> 16) for one in v]
    return v


def chance(index, frame, stream, seed):
    key = [int(one) % WORD for one in (index, frame, stream, seed)]
    return [F32(word >> 8) / F32(2**24) for word in words(key)]


def signed(u):
    return TWO * u - ONE


def sin_cos(x):
    return [F32(one) for one in sin_cos_f32(x)]


def liquid_at(place, cell_size_m, cells, slot_in, node_in):
    """(velocity, mass) of the liquid's grid at a point, trilinear."""
    blocks = [n >> 2 for n in cells]
    scaled = [x / cell_size_m for x in place]
    low = [int(np.floor(x)) for x in scaled]
    part = [scaled[d] - F32(low[d]) for d in range(3)]
    momentum, mass = [ZERO] * 3, ZERO
    for step in np.ndindex(2, 2, 2):
        node = [low[d] + step[d] for d in range(3)]
        block = [n >> 2 for n in node]
        if any(not 0 <= block[d] < blocks[d] for d in range(3)):
            continue
        slot = slot_in[(block[0] * blocks[1] + block[1]) * blocks[2] + block[2]]
        if slot < 0:
            continue
        wx, wy, wz = (part[d] if step[d] else ONE - part[d] for d in range(3))
        value = node_in[slot, ((node[0] & 3) * 4 + (node[1] & 3)) * 4 + (node[2] & 3)]
        m = value[3] * (wx * wy) * wz
        momentum = [momentum[d] + m * value[d] for d in range(3)]
        mass = mass + m
    if mass > ZERO:
        return [one / mass for one in momentum], mass
    return [ZERO] * 3, ZERO


def fill_of(mass, cell_size_m, material_in):
    return mass * material_in[k.MATERIAL_PARTICLE_VOLUME] / (cell_size_m * cell_size_m * cell_size_m)


def eddy(place, scale, t):
    """Arnold, Beltrami and Childress' flow."""
    x, y, z = (one * scale for one in place)
    (sx, cx), (sy, cy), (sz, cz) = sin_cos(x + t), sin_cos(y * EDDY_Y - t), sin_cos(z * EDDY_Z + t * EDDY_Y)
    return sz + cy, sx + cz, sy + cx


def air_at(place, time_s, s):
    air = [ZERO] * 3
    strength = s.effect_params_in[k.EFFECT_PARAM_TURBULENCE]
    if strength > ZERO:
        scale, t = EDDY_PER_CELL / s.cell_size_m, EDDY_RATE * time_s
        large, small = eddy(place, scale, t), eddy(place, scale * OCTAVE, t * OCTAVE)
        air = [strength * (large[d] + HALF * small[d]) for d in range(3)]
    wind = s.effect_params_in[k.EFFECT_PARAM_WIND]
    if s.force_in[k.VORTEX_ON] != ZERO and wind > ZERO:
        target = [F32(one) for one in vortex_target(s.force_in, time_s, *place)]
        share = wind * target[6]
        air = [air[d] + share * target[d] for d in range(3)]
    return air


def advance(p, dt, time_s, s):
    """One sub-step of effects particle p; s holds the kernel's arguments."""
    velocity, kinds = s.effect_velocity_inout, s.effect_kind_inout
    velocity[p, 3] -= dt
    if velocity[p, 3] <= ZERO:
        kinds[p] = k.EFFECT_NONE
        return
    cells = (s.cells_x, s.cells_y, s.cells_z)
    place, v = list(s.effect_position_inout[p, :3]), list(velocity[p, :3])
    flow, mass = liquid_at(place, s.cell_size_m, cells, s.slot_in, s.node_in)
    fill = fill_of(mass, s.cell_size_m, s.material_in)
    kind = kinds[p]
    if kind == k.EFFECT_SPRAY and fill > WET:
        foams = s.effect_params_in[k.EFFECT_PARAM_FOAM_RATE] > ZERO
        kind = k.EFFECT_FOAM if foams else k.EFFECT_NONE
    elif kind == k.EFFECT_FOAM and fill < DRY:
        kind = k.EFFECT_SPRAY
    kinds[p] = kind
    if kind == k.EFFECT_FOAM:
        v = [flow[0], flow[1], flow[2] + RISE_M_PER_S if fill > DEEP else flow[2]]
    else:
        air = air_at(place, time_s, s)
        if kind == k.EFFECT_EMBER:
            air[2] = air[2] + s.effect_params_in[k.EFFECT_PARAM_EMBER_RISE]
            cooling = s.effect_params_in[k.EFFECT_PARAM_EMBER_COOLING] * dt
            ambient = s.material_in[k.MATERIAL_AMBIENT_TEMPERATURE]
            excess = s.effect_temperature_inout[p] - ambient
            s.effect_temperature_inout[p] = ambient + excess / (ONE + cooling)
        else:
            v = [v[d] + s.force_in[k.FORCE_GRAVITY_X + d] * dt for d in range(3)]
        drag = s.effect_params_in[k.EFFECT_PARAM_DRAG] * dt
        share = drag / (ONE + drag)
        v = [v[d] + (air[d] - v[d]) * share for d in range(3)]
    place = [place[d] + v[d] * dt for d in range(3)]
    s.effect_position_inout[p, :3], velocity[p, :3] = place, v
    low = MARGIN_CELLS * s.cell_size_m
    high = [F32(n + 2 * k.WALL_CELLS) - MARGIN_CELLS for n in s.walls_in[k.DOMAIN_X : k.DOMAIN_Z + 1]]
    inside = all(low < place[d] < high[d] * s.cell_size_m for d in range(3))
    if inside and s.terrain_geometry_in[3] != ZERO:
        inside = place[2] > terrain_height(s.terrain_geometry_in, s.terrain_in, place[0], place[1])
    if not inside or collider_distance(s.collider_in, *place) < ZERO:
        kinds[p] = k.EFFECT_NONE


def fx_move(**arguments):
    s = SimpleNamespace(**arguments)
    dt = s.frame_dt_s / F32(SUBSTEPS)
    s.alive_out[:] = 0
    for p in range(s.counts_in[k.COUNT_EFFECTS]):
        for step in range(SUBSTEPS):
            if s.effect_kind_inout[p] != k.EFFECT_NONE:
                advance(p, dt, s.time_s + F32(step) * dt, s)
        s.alive_out[p // CHUNK] += s.effect_kind_inout[p] != k.EFFECT_NONE


def ramp(x, low, high):
    if x >= high:
        return ONE
    return ZERO if x <= low else (x - low) / (high - low)


def strain_rate(c):
    normal = c[0, 0] * c[0, 0] + c[1, 1] * c[1, 1] + c[2, 2] * c[2, 2]
    xy, xz, yz = c[0, 1] + c[1, 0], c[0, 2] + c[2, 0], c[1, 2] + c[2, 1]
    return np.sqrt(TWO * normal + (xy * xy + xz * xz + yz * yz))


def births(p, s):
    """(spray, foam, embers) that liquid particle p sends out; s holds the kernel's arguments."""
    params, v = s.effect_params_in, s.velocity_in[p]
    rates = [params[k.EFFECT_PARAM_SPRAY_RATE + n] * s.frame_dt_s for n in range(3)]
    u = chance(p, s.frame, COUNT_STREAM, s.seed)

    def whole():
        return [min(int(rates[n] + u[n]), MOST_OF_A_KIND) for n in range(3)]

    if not any(whole()):
        return 0, 0, 0
    speed = np.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
    torn = ramp(speed, params[k.EFFECT_PARAM_SPEED_LOW], params[k.EFFECT_PARAM_SPEED_HIGH])
    strain = strain_rate(v[3:].reshape(3, 3))
    torn = torn * ramp(strain, params[k.EFFECT_PARAM_STRAIN_LOW], params[k.EFFECT_PARAM_STRAIN_HIGH])
    rates[0], rates[1] = rates[0] * torn, rates[1] * torn
    if rates[2] > ZERO and s.temperature_in[p] < params[k.EFFECT_PARAM_EMBER_TEMPERATURE]:
        rates[2] = ZERO
    _, mass = liquid_at(s.position_in[p, :3], s.cell_size_m, (s.cells_x, s.cells_y, s.cells_z), s.slot_in, s.node_in)
    if fill_of(mass, s.cell_size_m, s.material_in) > params[k.EFFECT_PARAM_SURFACE_FRACTION]:
        return 0, 0, 0
    return tuple(whole())


def fx_birth_count(**arguments):
    s = SimpleNamespace(**arguments)
    s.births_out[:] = 0
    for p in range(s.counts_in[k.COUNT_PARTICLES]):
        s.births_out[p // CHUNK] += sum(births(p, s))


def fx_scan(counts_inout, effect_capacity, alive_in, births_in, alive_offset_out, birth_offset_out):
    alive_offset_out[:] = [sum(alive_in[:n]) for n in range(alive_in.size + 1)]
    birth_offset_out[:] = [sum(births_in[:n]) for n in range(births_in.size + 1)]
    counts_inout[k.COUNT_EFFECTS] = min(alive_in.sum() + births_in.sum(), effect_capacity)


def fx_compact(
    effect_position_in, effect_velocity_in, effect_kind_in, effect_temperature_in, alive_offset_in,
    effect_position_out, effect_velocity_out, effect_kind_out, effect_temperature_out,
):  # fmt: skip
    target = 0
    for chunk in range(alive_offset_in.size - 1):
        p = chunk * CHUNK
        while target < alive_offset_in[chunk + 1]:
            if effect_kind_in[p] != k.EFFECT_NONE:
                effect_position_out[target], effect_velocity_out[target] = effect_position_in[p], effect_velocity_in[p]
                effect_kind_out[target], effect_temperature_out[target] = effect_kind_in[p], effect_temperature_in[p]
                target += 1
            p += 1


def make(p, n, kind, target, s):
    """The n-th newborn of liquid particle p, at place ``target``."""
    params = s.effect_params_in
    *way, age = chance(p, s.frame, STATE_STREAM + 2 * n, s.seed)
    *shift, size = chance(p, s.frame, STATE_STREAM + 2 * n + 1, s.seed)
    scatter = [params[k.EFFECT_PARAM_SCATTER] * signed(u) for u in way]
    if kind == k.EFFECT_EMBER and scatter[2] < ZERO:
        scatter[2] = -scatter[2]
    seconds = age * s.frame_dt_s
    spread = HALF * s.cell_size_m
    for d in range(3):
        place = s.position_in[p, d] + spread * signed(shift[d])
        s.effect_position_out[target, d] = place + scatter[d] * seconds
        s.effect_velocity_out[target, d] = s.velocity_in[p, d] + scatter[d]
    low, high = params[k.EFFECT_PARAM_RADIUS_MIN], params[k.EFFECT_PARAM_RADIUS_MAX]
    s.effect_position_out[target, 3] = low + (high - low) * size * size * size
    low, high = params[k.EFFECT_PARAM_LIFE_MIN], params[k.EFFECT_PARAM_LIFE_MAX]
    s.effect_velocity_out[target, 3] = low + (high - low) * (ONE - size) * shift[0]
    s.effect_kind_out[target] = kind
    s.effect_temperature_out[target] = s.temperature_in[p] if s.temperature_in.size > 1 else ZERO


def fx_birth(**arguments):
    s = SimpleNamespace(**arguments)
    alive, total = int(s.alive_offset_in[-1]), int(s.birth_offset_in[-1])
    room = min(total, s.effect_capacity - alive)
    serial = 0
    for p in range(s.counts_in[k.COUNT_PARTICLES] if total else 0):
        spray, foam, ember = births(p, s)
        kinds = [k.EFFECT_SPRAY] * spray + [k.EFFECT_FOAM] * foam + [k.EFFECT_EMBER] * ember
        for n, kind in enumerate(kinds):
            place = serial * room // total
            if (serial + 1) * room // total > place:
                make(p, n, kind, alive + place, s)
            serial += 1

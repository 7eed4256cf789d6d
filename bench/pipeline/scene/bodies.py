"""Where a body of liquid is and how it flows inside, at a point of the shot's frame.

Each kind of body has a function that packs what its file says into a row of numbers, and under it the compiled
function that reads them in the same order. That one answers with: whether the point is in the body; how high the
body's surface is above it (m); the velocity that the kind implies (m/s; the file's own ``velocity`` is added).
Compiled code knows kinds by number, so it is the same for every shot.

With ``only_inside`` nothing else is asked for: noise is then left out where no value of it could change the answer.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bench.pipeline.scene.exact import (
    PI,
    along_path,
    called,
    clip,
    device,
    noise2,
    noise3,
    path_rows,
    profile,
    profile_rows,
    sin_cos,
    whole_power,
)
from bench.shot.schema import Domain
from bench.shot.shapes import Body, Box, BreakingWave, Column, Cylinder, Flow, Sea, Sphere

BOX, SPHERE, CYLINDER, COLUMN, SEA, BREAKING_WAVE, FLOW = range(7)
SHAPE_WORDS = 22
NOISE_MOST = 1.001  # value noise is nowhere larger, whatever was rounded
Words = Sequence[float]
Lines = list[list[float]]


def shape_words(body: Body, domain: Domain, lines: Lines) -> tuple[int, list[float]]:
    """Kind and words of a body; its line of points, if it has one, goes to the end of ``lines``."""
    kind, words = _kind_and_words(body, domain, lines)
    return kind, [*words, *[0.0] * (SHAPE_WORDS - len(words))]


def _kind_and_words(body: Body, domain: Domain, lines: Lines) -> tuple[int, Words]:
    match body:
        case Box():
            return BOX, (*body.min_m, *body.max_m)
        case Sphere():
            return SPHERE, (*body.centre_m, body.radius_m * body.radius_m)
        case Cylinder():
            return CYLINDER, _cylinder_words(body)
        case Column():
            return COLUMN, _column_words(body, lines)
        case Sea():
            return SEA, _sea_words(body)
        case BreakingWave():
            return BREAKING_WAVE, _breaking_wave_words(body, domain)
        case Flow():
            return FLOW, _flow_words(body, lines)


def add_lines(lines: Lines, rows: Lines) -> tuple[float, float]:
    """Put rows at the end; returns the first and the one after the last."""
    first = len(lines)
    lines += rows
    return float(first), float(len(lines))


@device
def in_body(kind, b, w, lines, x, y, z, ground, only_inside):
    """(inside, surface, velocity x, y, z) of a point; ``b[w]`` is the first of the body's words."""
    if kind == BOX:
        return _box(b, w, x, y, z)
    if kind == SPHERE:
        return _sphere(b, w, x, y, z)
    if kind == CYLINDER:
        return _cylinder(b, w, x, y, z)
    if kind == COLUMN:
        return _column(b, w, lines, x, y, z, only_inside)
    if kind == SEA:
        return _sea(b, w, x, y, z, only_inside)
    if kind == BREAKING_WAVE:
        return _breaking_wave(b, w, x, y, z, ground, only_inside)
    return _flow(b, w, lines, x, y, z, ground, only_inside)


@device
def _box(b, w, x, y, z):
    inside = x >= b[w] and y >= b[w + 1] and z >= b[w + 2] and x < b[w + 3] and y < b[w + 4] and z < b[w + 5]
    return inside, b[w + 5], 0.0, 0.0, 0.0


@device
def _sphere(b, w, x, y, z):
    dx, dy, dz = x - b[w], y - b[w + 1], z - b[w + 2]
    flat2 = dx * dx + dy * dy
    rest = b[w + 3] - flat2
    return rest > dz * dz, b[w + 2] + math.sqrt(0.0 if rest <= 0.0 else rest), 0.0, 0.0, 0.0


def _cylinder_words(b: Cylinder) -> Words:
    axis = [t - f for f, t in zip(b.from_m, b.to_m)]
    length2 = axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]
    radii = b.radius_m * b.radius_m, b.inner_radius_m * b.inner_radius_m
    return (*b.from_m, *axis, 1.0 / length2, *radii, max(b.from_m[2], b.to_m[2]))


@device
def _cylinder(b, w, x, y, z):
    ax, ay, az = b[w + 3], b[w + 4], b[w + 5]
    dx, dy, dz = x - b[w], y - b[w + 1], z - b[w + 2]
    t = (dx * ax + dy * ay + dz * az) * b[w + 6]
    ex, ey, ez = dx - t * ax, dy - t * ay, dz - t * az
    r2 = ex * ex + ey * ey + ez * ez
    return t >= 0.0 and t < 1.0 and r2 < b[w + 7] and r2 >= b[w + 8], b[w + 9], 0.0, 0.0, 0.0


@device
def whirl(dx, dy, core, swirl, updraft):
    """v_t = 2 V q / (1 + q^2) with q = r / core; updraft / (1 + q^4): the shape that ``force.vortex`` drives to."""
    q2 = (dx * dx + dy * dy) / (core * core)
    angular = swirl * 2.0 / (core * (1.0 + q2))
    return -angular * dy, angular * dx, updraft / (1.0 + q2 * q2)


def _column_words(b: Column, lines: Lines) -> Words:
    heights, inner, outer = ([point[k] for point in b.profile_m] for k in range(3))
    span = add_lines(lines, profile_rows(heights, inner, outer))
    foot, top = heights[0], heights[-1]
    rise, wave = 1.0 / (top - foot), 1.0 / b.rough_wavelength_m
    place = foot, top, rise, *b.centre_m, b.sway_m, b.twist_radians
    rough = b.rough_m, 1.6 / max(b.core_m, 1.0e-3), wave, 0.25 * wave
    return (*span, *place, *rough, b.core_m, b.core_growth, b.swirl_m_per_s, b.updraft_m_per_s)


def column_ring(b: Column, z: float, reach: float) -> tuple[float, float, float, float]:
    """(x, y, least and largest squared radius) of a ring that holds all points of the body within ``reach`` of a
    height, as seen from within ``reach`` of them.
    """
    foot, top = b.profile_m[0][0], b.profile_m[-1][0]
    h = min(max((z - foot) / (top - foot), 0.0), 1.0)
    sine, cosine = sin_cos.py_func(h * b.twist_radians)
    slope = b.sway_m * (1.0 + abs(b.twist_radians)) / (top - foot)  # of the axis, at the most
    margin = reach * (2.0 + slope)
    inner, outer = math.inf, 0.0
    for low, high in pairwise(b.profile_m):
        if (low[0] <= z + reach or low is b.profile_m[0]) and (high[0] >= z - reach or high is b.profile_m[-1]):
            steep = 1.5 * reach / (high[0] - low[0])  # of the profile between two points, at the most
            t = min(max((z - low[0]) / (high[0] - low[0]), 0.0), 1.0)
            t = t * t * (3.0 - 2.0 * t)
            inner = min(inner, low[1] + (high[1] - low[1]) * t - steep * abs(high[1] - low[1]))
            outer = max(outer, low[2] + (high[2] - low[2]) * t + steep * abs(high[2] - low[2]))
    inner, outer = inner - margin, outer + b.rough_m * NOISE_MOST + margin
    centre = b.centre_m[0] + b.sway_m * h * sine, b.centre_m[1] + b.sway_m * h * cosine
    return (*centre, inner * inner if inner > 0.0 else -1.0, outer * outer)


@called
def _column(b, w, lines, x, y, z, only_inside):
    foot = b[w + 2]
    if not (z >= foot and z < b[w + 3]):
        return False, z, 0.0, 0.0, 0.0
    first, last = int(b[w]), int(b[w + 1])
    h = clip((z - foot) * b[w + 4], 0.0, 1.0)
    sine, cosine = sin_cos(h * b[w + 8])
    dx = x - (b[w + 5] + b[w + 7] * h * sine)
    dy = y - (b[w + 6] + b[w + 7] * h * cosine)
    r = math.sqrt(dx * dx + dy * dy)
    outer = profile(lines, first, last, np.int64(4), z)
    rough = b[w + 9]
    if r >= outer + rough * NOISE_MOST or not r >= profile(lines, first, last, np.int64(2), z):
        return False, z, 0.0, 0.0, 0.0
    if rough > 0.0 and r > outer - rough * NOISE_MOST:
        # Ropes: noise that is stretched along the helix that the water climbs
        s, c = sin_cos(z * b[w + 10])
        wave = b[w + 11]
        n = noise3((dx * c + dy * s) * wave, (dy * c - dx * s) * wave, z * b[w + 12], np.int64(71))
        outer = outer + n * rough
    if only_inside or not r < outer:
        return r < outer, z, 0.0, 0.0, 0.0
    core = b[w + 13] + b[w + 14] * (z - foot)
    vx, vy, vz = whirl(dx, dy, core, b[w + 15], b[w + 16])
    return True, z, vx, vy, vz


def _chop_words(amplitude_m: float, wavelength_m: float) -> Words:
    return amplitude_m, 1.0 / wavelength_m, 1.0 / (0.43 * wavelength_m)


@device
def _chop(b, w, x, y, seed):
    if b[w] <= 0.0:
        return 0.0
    return b[w] * (0.6 * noise2(x, y, b[w + 1], seed) + 0.4 * noise2(x, y, b[w + 2], seed + 1))


def _sea_words(b: Sea) -> Words:
    low = b.min_m if b.min_m is not None else (-math.inf,) * 3
    high = b.max_m if b.max_m is not None else (math.inf,) * 3
    dip = b.dip_m, *b.dip_centre_m, b.dip_radius_m, 1.0 / (b.dip_radius_m * b.dip_radius_m), b.swirl_m_per_s
    return (b.level_m, *_chop_words(b.chop_m, b.chop_wavelength_m), *low, *high, *dip)


@called
def _sea(b, w, x, y, z, only_inside):
    inside = x >= b[w + 4] and y >= b[w + 5] and z >= b[w + 6]
    if not (inside and x < b[w + 7] and y < b[w + 8] and z < b[w + 9]):
        return False, z, 0.0, 0.0, 0.0
    level, dip = b[w], b[w + 10]
    if only_inside and z < level - (b[w + 1] + dip) * NOISE_MOST:
        return True, z, 0.0, 0.0, 0.0
    surface = level + _chop(b, w + 1, x, y, np.int64(11)) + 0.0
    dx, dy = x - b[w + 11], y - b[w + 12]
    if dip > 0.0:
        q2 = (dx * dx + dy * dy) * b[w + 14]
        surface = surface - dip / ((1.0 + q2) * (1.0 + q2))
    if not z < surface:
        return False, z, 0.0, 0.0, 0.0
    if only_inside or b[w + 15] == 0.0:
        return True, surface, 0.0, 0.0, 0.0
    vx, vy, vz = whirl(dx, dy, b[w + 13], b[w + 15], 0.0)
    return True, surface, vx, vy, vz


def _breaking_wave_words(b: BreakingWave, domain: Domain) -> Words:
    # Variation along the crest: two cosines that meet the side walls at right angles
    side = domain.size_m[1]
    n1 = max(1.0, float(math.floor(2.0 * side / b.vary_wavelength_m + 0.5)))
    crest = b.vary_height, b.vary_crest_m, PI * n1 / side, PI * (n1 + 2.0) / side
    form = b.height_m, b.crest_x_m, b.lean_m, b.lean_power
    elevation = 1.0 / b.front_m, 1.0 / b.back_m, b.trough_m, 2.2 * b.front_m, 1.0 / (1.4 * b.front_m)
    step = 0.02 * b.height_m
    speed = b.wave_speed_m_per_s, b.lip_speed_m_per_s, 0.25 * b.height_m, step, 1.0 / step
    return (b.level_m, *_chop_words(b.chop_m, b.chop_wavelength_m), *crest, *form, *elevation, *speed)


@called
def _breaking_wave(b, w, x, y, z, ground, only_inside):
    level, chop = b[w], b[w + 1] * NOISE_MOST
    if only_inside and z < level - (b[w + 14] * NOISE_MOST + chop):
        return True, z, 0.0, 0.0, 0.0
    one, two = sin_cos(y * b[w + 6])[1], sin_cos(y * b[w + 7])[1]
    height = b[w + 8] * (1.0 + b[w + 4] * (0.65 * one - 0.35 * two))
    crest = b[w + 9] + b[w + 5] * (0.7 * one + 0.3 * two)
    up = clip((z - level) / height, 0.0, 1.5)
    lean = b[w + 10] * whole_power(up, b[w + 11])
    surface = level + _elevation(b, w + 12, x - crest - lean, height)
    if z >= surface + chop:
        return False, z, 0.0, 0.0, 0.0
    if only_inside and z < surface - chop:
        return True, z, 0.0, 0.0, 0.0
    surface = surface + _chop(b, w + 1, x, y, np.int64(23))
    if only_inside or not z < surface:
        return z < surface, z, 0.0, 0.0, 0.0
    # Long-wave velocity under the un-sheared crest; the lip runs ahead
    wave_speed, step = b[w + 17], b[w + 20]
    floor = ground if ground > 0.0 else 0.0
    under = _elevation(b, w + 12, x - crest - 0.5 * lean, height)
    depth = level + under - floor
    depth = depth if depth > b[w + 19] else b[w + 19]
    u = wave_speed * under / depth + b[w + 18] * up * up
    ahead = _elevation(b, w + 12, x - crest - 0.5 * lean + step, height)
    slope = (ahead - under) * b[w + 21]
    share = clip((z - floor) / depth, 0.0, 1.2)
    v = -(wave_speed - wave_speed * under / depth) * slope * share
    if up > 0.6:
        v = v * clip(1.0 - (up - 0.6) * 2.0, 0.0, 1.0)  # the lip is thrown level
    return True, surface, u, 0.0, v


@device
def _elevation(b, w, distance, height):
    """Height above the still level at a distance ahead of the crest (negative: behind)."""
    q = distance * (b[w] if distance > 0.0 else b[w + 1])
    f = 1.0 / (1.0 + q * q)
    t = (distance - b[w + 3]) * b[w + 4]
    g = 1.0 / (1.0 + t * t)
    return height * f * f - b[w + 2] * g * g


def _flow_words(b: Flow, lines: Lines) -> Words:
    span = add_lines(lines, path_rows(b.path_m))
    return (*span, b.lump_m, 1.0 / b.lump_wavelength_m, b.surface_speed_m_per_s)


@called
def _flow(b, w, lines, x, y, z, ground, only_inside):
    distance, half_width, thickness, ex, ey = along_path(lines, int(b[w]), int(b[w + 1]), x, y)
    above, lump = z - ground, b[w + 2]
    if not (distance < half_width and above >= 0.0 and above < thickness + lump * NOISE_MOST):
        return False, z, 0.0, 0.0, 0.0
    q = clip(distance / half_width, 0.0, 1.0)
    q2 = q * q
    if lump > 0.0:
        thickness = thickness + lump * noise2(x, y, b[w + 3], np.int64(37))
    thick = (thickness if thickness > 0.0 else 0.0) * (1.0 - q2 * q2)
    if only_inside or not (q < 1.0 and above < thick):
        return q < 1.0 and above < thick, z, 0.0, 0.0, 0.0
    share = clip(above / (thick if thick > 1.0e-6 else 1.0e-6), 0.0, 1.0)
    speed = b[w + 4] * (1.0 - (1.0 - share) * (1.0 - share)) * (1.0 - q2)
    return True, ground + thick, speed * ex, speed * ey, 0.0

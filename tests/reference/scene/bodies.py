"""Where a body of liquid is, how it moves and how hot it is, at arrays of points in the shot's frame.

Every function is elementwise float64 (``exact``), so the particles are the same on every machine and however the
points are chunked. A body answers with a ``Fill``: which points are in it, the height of its surface above each, and
the velocity that its kind implies (the file's own ``velocity`` is added).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.shot.schema import Domain
from bench.shot.shapes import (
    Body,
    Box,
    BreakingWave,
    Column,
    ConstantTemperature,
    ConstantVelocity,
    Cylinder,
    DepthTemperature,
    Flow,
    Rotation,
    Sea,
    Shear,
    Sphere,
    Swirl,
    Temperature,
    Velocity,
)
from tests.reference.scene.exact import (
    PI,
    Array,
    cell_noise,
    interpolate,
    normalised,
    sin_cos,
    smooth,
    value_noise,
    whole_power,
)
from tests.reference.scene.terrain import NO_TERRAIN, HeightField, along_path

Three = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Points:
    """Points in the shot's frame, with the ground under each (NO_TERRAIN where there is none)."""

    x: Array
    y: Array
    z: Array
    ground: Array

    def pick(self, mask: Array) -> Points:
        return Points(self.x[mask], self.y[mask], self.z[mask], self.ground[mask])


@dataclass(frozen=True)
class Fill:
    """What a body makes of points."""

    inside: Array  # bool
    surface: Array  # m, height of the body's upper surface above or at the point
    velocity: Three  # m/s, beyond the file's ``velocity``


def _still(p: Points) -> Three:
    zero = np.zeros(p.x.shape)
    return zero, zero, zero


def _box(b: Box, p: Points) -> Fill:
    inside = np.ones(p.x.shape, bool)
    for v, low, high in zip((p.x, p.y, p.z), b.min_m, b.max_m):
        inside &= (v >= low) & (v < high)
    return Fill(inside, np.full(p.x.shape, b.max_m[2]), _still(p))


def _sphere(b: Sphere, p: Points) -> Fill:
    dx, dy, dz = p.x - b.centre_m[0], p.y - b.centre_m[1], p.z - b.centre_m[2]
    flat2 = dx * dx + dy * dy
    rest = b.radius_m * b.radius_m - flat2
    return Fill(rest > dz * dz, b.centre_m[2] + np.sqrt(np.clip(rest, 0.0, None)), _still(p))


def _cylinder(b: Cylinder, p: Points) -> Fill:
    axis = [t - f for f, t in zip(b.from_m, b.to_m)]
    length2 = axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]
    dx, dy, dz = p.x - b.from_m[0], p.y - b.from_m[1], p.z - b.from_m[2]
    t = (dx * axis[0] + dy * axis[1] + dz * axis[2]) * (1.0 / length2)
    ex, ey, ez = dx - t * axis[0], dy - t * axis[1], dz - t * axis[2]
    r2 = ex * ex + ey * ey + ez * ez
    inside = (t >= 0.0) & (t < 1.0) & (r2 < b.radius_m * b.radius_m) & (r2 >= b.inner_radius_m * b.inner_radius_m)
    return Fill(inside, np.full(p.x.shape, max(b.from_m[2], b.to_m[2])), _still(p))


def _kaufmann(dx: Array, dy: Array, core: Array | float, swirl: float, updraft: float) -> Three:
    """v_t = 2 V q / (1 + q^2) with q = r / core; updraft / (1 + q^4): the shape that ``force.vortex`` drives to."""
    q2 = (dx * dx + dy * dy) / (core * core)
    angular = swirl * 2.0 / (core * (1.0 + q2))
    return -angular * dy, angular * dx, updraft / (1.0 + q2 * q2)


def _column(b: Column, p: Points) -> Fill:
    heights = [point[0] for point in b.profile_m]
    foot, top = heights[0], heights[-1]
    h = np.clip((p.z - foot) * (1.0 / (top - foot)), 0.0, 1.0)
    sine, cosine = sin_cos(h * b.twist_radians)
    dx = p.x - (b.centre_m[0] + b.sway_m * h * sine)
    dy = p.y - (b.centre_m[1] + b.sway_m * h * cosine)
    r = np.sqrt(dx * dx + dy * dy)
    inner = interpolate(p.z, heights, [point[1] for point in b.profile_m], smoothly=True)
    outer = interpolate(p.z, heights, [point[2] for point in b.profile_m], smoothly=True)
    if b.rough_m > 0.0:
        # Ropes: noise that is stretched along the helix that the water climbs
        turn = p.z * (1.6 / max(b.core_m, 1.0e-3))
        s, c = sin_cos(turn)
        w = 1.0 / b.rough_wavelength_m
        n = value_noise(((dx * c + dy * s) * w, (dy * c - dx * s) * w, p.z * (0.25 * w)), 1.0, 71)
        outer = outer + n * b.rough_m
    inside = (p.z >= foot) & (p.z < top) & (r < outer) & (r >= inner)
    core = b.core_m + b.core_growth * (p.z - foot)
    return Fill(inside, p.z, _kaufmann(dx, dy, core, b.swirl_m_per_s, b.updraft_m_per_s))


def _chop(p: Points, amplitude: float, wavelength: float, seed: int) -> Array | float:
    if amplitude <= 0.0:
        return 0.0
    return amplitude * (
        0.6 * value_noise((p.x, p.y), wavelength, seed) + 0.4 * value_noise((p.x, p.y), 0.43 * wavelength, seed + 1)
    )


def _sea(b: Sea, p: Points) -> Fill:
    surface = b.level_m + _chop(p, b.chop_m, b.chop_wavelength_m, 11) + np.zeros(p.x.shape)
    dx, dy = p.x - b.dip_centre_m[0], p.y - b.dip_centre_m[1]
    q2 = (dx * dx + dy * dy) * (1.0 / (b.dip_radius_m * b.dip_radius_m))
    if b.dip_m > 0.0:
        surface = surface - b.dip_m / ((1.0 + q2) * (1.0 + q2))
    inside = p.z < surface
    if b.min_m is not None:
        inside &= (p.x >= b.min_m[0]) & (p.y >= b.min_m[1]) & (p.z >= b.min_m[2])
    if b.max_m is not None:
        inside &= (p.x < b.max_m[0]) & (p.y < b.max_m[1]) & (p.z < b.max_m[2])
    velocity = _kaufmann(dx, dy, b.dip_radius_m, b.swirl_m_per_s, 0.0) if b.swirl_m_per_s else _still(p)
    return Fill(inside, surface, velocity)


def _breaking_wave(b: BreakingWave, p: Points, domain: Domain) -> Fill:
    # Variation along the crest: two cosines that meet the side walls at right angles
    side = domain.size_m[1]
    n1 = max(1.0, np.floor(2.0 * side / b.vary_wavelength_m + 0.5))
    one = sin_cos(p.y * (PI * n1 / side))[1]
    two = sin_cos(p.y * (PI * (n1 + 2.0) / side))[1]
    height = b.height_m * (1.0 + b.vary_height * (0.65 * one - 0.35 * two))
    crest = b.crest_x_m + b.vary_crest_m * (0.7 * one + 0.3 * two)
    up = np.clip((p.z - b.level_m) / height, 0.0, 1.5)
    lean = b.lean_m * whole_power(up, b.lean_power)
    elevation = _elevation(b, p.x - crest - lean, height)
    chop = _chop(p, b.chop_m, b.chop_wavelength_m, 23)
    surface = b.level_m + elevation + chop
    inside = p.z < surface
    # Long-wave velocity under the un-sheared crest; the lip runs ahead
    floor = np.where(p.ground > 0.0, p.ground, 0.0)
    under = _elevation(b, p.x - crest - 0.5 * lean, height)
    depth = np.maximum(b.level_m + under - floor, 0.25 * b.height_m)
    u = b.wave_speed_m_per_s * under / depth + b.lip_speed_m_per_s * up * up
    step = 0.02 * b.height_m
    ahead = _elevation(b, p.x - crest - 0.5 * lean + step, height)
    slope = (ahead - under) * (1.0 / step)
    share = np.clip((p.z - floor) / depth, 0.0, 1.2)
    w = -(b.wave_speed_m_per_s - b.wave_speed_m_per_s * under / depth) * slope * share
    w = np.where(up > 0.6, w * np.clip(1.0 - (up - 0.6) * 2.0, 0.0, 1.0), w)  # the lip is thrown level
    return Fill(inside, np.maximum(surface, p.z), (u, np.zeros(p.x.shape), w))


def _elevation(b: BreakingWave, distance: Array, height: Array) -> Array:
    """Height above the still level at a distance ahead of the crest (negative: behind)."""
    q = distance * np.where(distance > 0.0, 1.0 / b.front_m, 1.0 / b.back_m)
    f = 1.0 / (1.0 + q * q)
    t = (distance - 2.2 * b.front_m) * (1.0 / (1.4 * b.front_m))
    g = 1.0 / (1.0 + t * t)
    return height * f * f - b.trough_m * g * g


def _flow(b: Flow, p: Points) -> Fill:
    distance, half_width, thickness, ex, ey = along_path(p.x, p.y, b.path_m)
    q = np.clip(distance / half_width, 0.0, 1.0)
    q2 = q * q
    profile = 1.0 - q2 * q2
    if b.lump_m > 0.0:
        thickness = thickness + b.lump_m * value_noise((p.x, p.y), b.lump_wavelength_m, 37)
    thick = np.maximum(thickness, 0.0) * profile
    above = p.z - p.ground
    inside = (q < 1.0) & (above >= 0.0) & (above < thick)
    share = np.clip(above / np.maximum(thick, 1.0e-6), 0.0, 1.0)
    speed = b.surface_speed_m_per_s * (1.0 - (1.0 - share) * (1.0 - share)) * (1.0 - q2)
    return Fill(inside, p.ground + thick, (speed * ex, speed * ey, np.zeros(p.x.shape)))


def _in_body(body: Body, p: Points, domain: Domain) -> Fill:
    match body:
        case Box():
            return _box(body, p)
        case Sphere():
            return _sphere(body, p)
        case Cylinder():
            return _cylinder(body, p)
        case Column():
            return _column(body, p)
        case Sea():
            return _sea(body, p)
        case BreakingWave():
            return _breaking_wave(body, p, domain)
        case Flow():
            return _flow(body, p)


def fill(body: Body, points: Points, domain: Domain) -> Fill:
    """Which points the body holds; never any below the ground."""
    found = _in_body(body, points, domain)
    return Fill(found.inside & (points.z >= points.ground), found.surface, found.velocity)


def velocity_at(velocity: Velocity, p: Points) -> Three:
    """The file's velocity (m/s) at points."""
    if isinstance(velocity, Swirl):
        dx, dy = p.x - velocity.centre_m[0], p.y - velocity.centre_m[1]
        return _kaufmann(dx, dy, velocity.core_m, velocity.swirl_m_per_s, velocity.updraft_m_per_s)
    base = [np.full(p.x.shape, v) for v in velocity.velocity_m_per_s]
    if isinstance(velocity, ConstantVelocity):
        return base[0], base[1], base[2]
    dx, dy, dz = (a - o for a, o in zip((p.x, p.y, p.z), velocity.point_m))
    if isinstance(velocity, Rotation):
        wx, wy, wz = velocity.axis_rad_per_s
        return base[0] + (wy * dz - wz * dy), base[1] + (wz * dx - wx * dz), base[2] + (wx * dy - wy * dx)
    assert isinstance(velocity, Shear)
    gx, gy, gz = velocity.gradient_per_s
    amount = gx * dx + gy * dy + gz * dz
    d = normalised(velocity.direction) if any(velocity.direction) else [0.0, 0.0, 0.0]
    return base[0] + amount * d[0], base[1] + amount * d[1], base[2] + amount * d[2]


def temperature_at(temperature: Temperature, p: Points, surface: Array) -> Array:
    """Temperature (K) at points below a surface."""
    if isinstance(temperature, ConstantTemperature):
        return np.full(p.x.shape, temperature.temperature_k)
    depth = np.clip(surface - p.z, 0.0, None) * (1.0 / temperature.skin_m)
    if isinstance(temperature, DepthTemperature):
        return temperature.surface_k + (temperature.core_k - temperature.surface_k) * smooth(depth)
    t = temperature
    # Bend the plates' borders with noise, so that they are not straight
    bend = 0.22 * t.plate_m
    x = p.x + bend * value_noise((p.x, p.y), 0.5 * t.plate_m, t.seed + 5)
    y = p.y + bend * value_noise((p.x, p.y), 0.5 * t.plate_m, t.seed + 6)
    border, who = cell_noise(x * (1.0 / t.stretch), y, t.plate_m, t.seed)
    crack = smooth(1.0 - border * (2.0 * t.plate_m / max(t.crack_m, 1.0e-6)))
    plate = t.plate_k + (who - 0.5) * 0.25 * (t.crack_k - t.plate_k)
    skin = plate + (t.crack_k - plate) * crack
    dx, dy, dz = (a - o for a, o in zip((p.x, p.y, p.z), t.vent_m))
    grown = smooth(np.sqrt(dx * dx + dy * dy + dz * dz) * (1.0 / t.vent_reach_m))
    skin = t.vent_k + (skin - t.vent_k) * grown
    core = t.vent_k + (t.core_k - t.vent_k) * grown
    return skin + (core - skin) * smooth(depth)


def ground_under(field: HeightField | None, x: Array, y: Array) -> Array:
    return np.full(np.shape(x), NO_TERRAIN) if field is None else field.at(x, y)

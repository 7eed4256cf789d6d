"""How fast and how hot a body's file says that its liquid is at the start, at a point of the shot's frame.

As in ``bodies``: what a file says is packed into words, and the compiled function under it reads them in that order.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.pipeline.scene.bodies import whirl
from bench.pipeline.scene.exact import called, cell_noise, device, noise2, normalised, smooth
from bench.shot.shapes import (
    ConstantTemperature,
    ConstantVelocity,
    DepthTemperature,
    PlatesTemperature,
    Rotation,
    Shear,
    Swirl,
    Temperature,
    Velocity,
)

CONSTANT, ROTATION, SHEAR, SWIRL = range(4)
DEPTH, PLATES = 1, 2  # of temperatures; the constant ones are 0 as well
VELOCITY_WORDS, TEMPERATURE_WORDS = 12, 16


def velocity_words(velocity: Velocity) -> tuple[int, list[float]]:
    """Kind and words of a body's own velocity."""
    kind, words = _velocity(velocity)
    return kind, [*words, *[0.0] * (VELOCITY_WORDS - len(words))]


def _velocity(v: Velocity) -> tuple[int, Sequence[float]]:
    match v:
        case ConstantVelocity():
            return CONSTANT, v.velocity_m_per_s
        case Rotation():
            return ROTATION, (*v.velocity_m_per_s, *v.point_m, *v.axis_rad_per_s)
        case Shear():
            along = normalised(v.direction) if any(v.direction) else [0.0, 0.0, 0.0]
            return SHEAR, (*v.velocity_m_per_s, *v.point_m, *v.gradient_per_s, *along)
        case Swirl():
            return SWIRL, (*v.centre_m, v.core_m, v.swirl_m_per_s, v.updraft_m_per_s)


@device
def velocity_at(kind, b, w, x, y, z):
    """The file's velocity (m/s) at a point; ``b[w]`` is the first of its words."""
    if kind == SWIRL:
        return whirl(x - b[w], y - b[w + 1], b[w + 2], b[w + 3], b[w + 4])
    if kind == CONSTANT:
        return b[w], b[w + 1], b[w + 2]
    dx, dy, dz = x - b[w + 3], y - b[w + 4], z - b[w + 5]
    p, q, r = b[w + 6], b[w + 7], b[w + 8]
    if kind == ROTATION:
        return b[w] + (q * dz - r * dy), b[w + 1] + (r * dx - p * dz), b[w + 2] + (p * dy - q * dx)
    amount = p * dx + q * dy + r * dz
    return b[w] + amount * b[w + 9], b[w + 1] + amount * b[w + 10], b[w + 2] + amount * b[w + 11]


def temperature_words(temperature: Temperature) -> tuple[int, list[float]]:
    """Kind and words of a body's temperature."""
    kind, words = _temperature(temperature)
    return kind, [*words, *[0.0] * (TEMPERATURE_WORDS - len(words))]


def _temperature(t: Temperature) -> tuple[int, Sequence[float]]:
    match t:
        case ConstantTemperature():
            return CONSTANT, (t.temperature_k,)
        case DepthTemperature():
            return DEPTH, (1.0 / t.skin_m, t.surface_k, t.core_k - t.surface_k)
        case PlatesTemperature():
            plates = 0.22 * t.plate_m, 1.0 / (0.5 * t.plate_m), 1.0 / t.stretch, 1.0 / t.plate_m
            crack = 2.0 * t.plate_m / max(t.crack_m, 1.0e-6)
            vent = *t.vent_m, 1.0 / t.vent_reach_m, t.vent_k
            skin = t.plate_k, t.crack_k, t.core_k, float(t.seed)
            return PLATES, (1.0 / t.skin_m, *plates, crack, *vent, *skin, float(_core_is_exact(t)))


def _core_is_exact(t: PlatesTemperature) -> bool:
    """Whether skin + (core - skin) is core to the last bit, whatever the plates are at a point.

    It is where each is at most twice the other: their difference is exact then (Sterbenz), and so is the sum.
    """
    spread = 0.125 * abs(t.crack_k - t.plate_k)
    skins = t.vent_k, t.crack_k, t.plate_k - spread, t.plate_k + spread
    cores = t.vent_k, t.core_k
    return max(skins) < 1.99 * min(cores) and max(cores) < 1.99 * min(skins)


@called
def temperature_at(kind, b, w, x, y, z, surface):
    """Temperature (K) at a point below a surface; ``b[w]`` is the first of its words."""
    if kind == CONSTANT:
        return b[w]
    depth = surface - z
    depth = (0.0 if depth <= 0.0 else depth) * b[w]
    if kind == DEPTH:
        return b[w + 1] + b[w + 2] * smooth(depth)
    dx, dy, dz = x - b[w + 6], y - b[w + 7], z - b[w + 8]
    grown = smooth(math.sqrt(dx * dx + dy * dy + dz * dz) * b[w + 9])
    vent = b[w + 10]
    core = vent + (b[w + 13] - vent) * grown
    if depth >= 1.0 and b[w + 15] != 0.0:
        return core
    # Bend the plates' borders with noise, so that they are not straight
    bend, seed = b[w + 1], int(b[w + 14])
    bent_x = x + bend * noise2(x, y, b[w + 2], seed + 5)
    bent_y = y + bend * noise2(x, y, b[w + 2], seed + 6)
    border, who = cell_noise(bent_x * b[w + 3], bent_y, b[w + 4], seed)
    crack = smooth(1.0 - border * b[w + 5])
    plate = b[w + 11] + (who - 0.5) * 0.25 * (b[w + 12] - b[w + 11])
    skin = plate + (b[w + 12] - plate) * crack
    skin = vent + (skin - vent) * grown
    return skin + (core - skin) * smooth(depth)

"""How fast and how hot a body's file says that its liquid is at the start; where solids are that move.

As in ``bodies``: what a file says is packed into words, and the compiled function under it reads them in that order.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.pipeline.scene.bodies import whirl
from bench.pipeline.scene.exact import PI, Array, called, cell_noise, device, noise2, normalised, sin_cos, smooth
from bench.shot.schema import (
    BOUNDARIES,
    BoxCollider,
    CapsuleCollider,
    CylinderCollider,
    Motion,
    Slide,
    SphereCollider,
)
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
from kernels.base import constants as k

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


# --- Solids ---------------------------------------------------------------------------------------


def collider_rows(colliders: Sequence[object], offset: float) -> Array:
    """What kernels know of solids."""
    out = np.zeros((max(1, len(colliders)), k.COLLIDER_WORDS), np.float32)
    a, b, c = k.COLLIDER_A, k.COLLIDER_B, k.COLLIDER_C
    for row, one in zip(out, colliders):
        if isinstance(one, SphereCollider):
            row[k.COLLIDER_KIND] = k.COLLIDER_SPHERE
            row[a : a + 3] = [v + offset for v in one.centre_m]
            row[b] = one.radius_m
        elif isinstance(one, BoxCollider):
            row[k.COLLIDER_KIND] = k.COLLIDER_BOX
            row[a : a + 3] = [0.5 * (p + q) + offset for p, q in zip(one.min_m, one.max_m)]
            row[b : b + 3] = [0.5 * (q - p) for p, q in zip(one.min_m, one.max_m)]
            row[c] = one.rounding_m
        elif isinstance(one, CapsuleCollider):
            row[k.COLLIDER_KIND] = k.COLLIDER_CAPSULE
            row[a : a + 3] = [v + offset for v in one.from_m]
            row[b : b + 3] = [v + offset for v in one.to_m]
            row[c] = one.radius_m
        elif isinstance(one, CylinderCollider):
            row[k.COLLIDER_KIND] = k.COLLIDER_CYLINDER
            row[a : a + 3] = [v + offset for v in one.centre_m]
            row[b], row[b + 2] = one.radius_m, 0.5 * one.height_m
            row[c] = one.rounding_m
        row[k.COLLIDER_FRICTION] = BOUNDARIES.index(one.boundary)  # type: ignore[attr-defined]
    return out


def moved_m(motion: Motion, time_s: float) -> list[float]:
    """How far a solid is by then from where it began; of a swing only the part of its last turn counts."""
    seconds = max(time_s - motion.start_s, 0.0)
    if isinstance(motion, Slide):
        seconds = min(seconds, motion.end_s - motion.start_s)
        return [v * seconds for v in motion.velocity_m_per_s]
    turns = seconds / motion.period_s
    sine = float(sin_cos.py_func(2.0 * PI * (turns - math.floor(turns)))[0])
    return [a * sine for a in motion.amplitude_m]


def placed(rows: Array, motions: Sequence[Motion | None], time_s: float, frame_dt_s: float) -> Array:
    """Rows of solids as they stand at a time, with how fast they are up to ``frame_dt_s`` later; ``rows``: at 0."""
    out = rows.copy()
    for row, motion in zip(out, motions):
        if motion is None:
            continue
        moved, later = moved_m(motion, time_s), moved_m(motion, time_s + frame_dt_s)
        row[k.COLLIDER_A : k.COLLIDER_A + 3] += np.array(moved)
        if row[k.COLLIDER_KIND] == k.COLLIDER_CAPSULE:
            row[k.COLLIDER_B : k.COLLIDER_B + 3] += np.array(moved)
        row[k.COLLIDER_VELOCITY : k.COLLIDER_VELOCITY + 3] = [(b - a) / frame_dt_s for a, b in zip(moved, later)]
    return out


def fastest_m_per_s(motions: Sequence[Motion | None]) -> float:
    """Speed of the fastest of solids; 0 where none moves."""
    return max((motion.fastest_m_per_s for motion in motions if motion is not None), default=0.0)

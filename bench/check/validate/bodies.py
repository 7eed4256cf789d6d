"""What a free body and a closed box keep: fall, angular momentum, energy that never rises."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Figure, no_more_than, within
from bench.check.validate.flow import SLIP, STIFFNESS, Flow, G, points_scene, resting_ratio
from bench.check.validate.volume import drop_scene
from bench.pipeline.scene.blocks_of_water import box_points
from kernels.base import constants as k


def free_fall(backend: Backend, quick: bool) -> list[Figure]:
    """A block that is thrown, for a quarter of a second."""
    cell = 0.05 if quick else 0.025
    n = round(0.4 / cell)
    points = box_points((n, n, 3 * n), (2 * n, 2 * n, 4 * n), cell)
    scene = points_scene(
        points,
        (3 * n, 3 * n, 5 * n),
        cell,
        sound_speed_m_per_s=30.0,
        speed_limit_m_per_s=3.0,
        velocity=np.tile([1.0, 0.0, 0.0], (len(points), 1)),
    )
    flow = Flow(scene, backend)
    start = flow.position.mean(0)
    flow.advance(6)
    moved = flow.position.mean(0) - start
    t = flow.time_s
    return [
        within("distance fallen, g t^2 / 2, m", 0.5 * G * t * t, float(-moved[2]), 0.01),
        within("distance flown, m", t, float(moved[0]), 0.001),
    ]


def _angular(flow: Flow, centre: np.ndarray) -> float:
    """Angular momentum about an upright axis, a kilogram's, the affine part of the motion included."""
    x, v, c = flow.position - centre, flow.velocity, flow.gradient
    curl = c[:, 0, 1] - c[:, 1, 0]
    return float((x[:, 0] * v[:, 1] - x[:, 1] * v[:, 0] + flow.cell**2 / 4.0 * curl).mean())


def spin_free(backend: Backend, quick: bool) -> list[Figure]:
    """A cube that spins at 4 rad/s in free space."""
    cell, n = 0.05, 8 if quick else 16
    points = box_points((2 * n, 2 * n, 2 * n), (3 * n, 3 * n, 3 * n), cell)  # it flies apart: walls are far away
    centre = points.mean(0)
    x, y = (points - centre).T[:2]
    velocity = np.zeros((len(points), 12))
    velocity[:, 0], velocity[:, 1], velocity[:, 4], velocity[:, 6] = -4.0 * y, 4.0 * x, 4.0, -4.0
    scene = points_scene(
        points,
        (5 * n, 5 * n, 5 * n),
        cell,
        sound_speed_m_per_s=30.0,
        speed_limit_m_per_s=3.0,
        velocity=velocity,
        gravity=(0.0, 0.0, 0.0),
    )
    flow = Flow(scene, backend)
    before = _angular(flow, centre)
    flow.advance(12)
    drift = float(np.abs(flow.velocity.mean(0)).max())
    return [
        within("angular momentum after 0.5 s, m2/s", before, _angular(flow, centre), 0.001),
        no_more_than("speed of the centre of mass, m/s", 0.0, drift, 1.0e-5),
    ]


def spin_vessel(backend: Backend, quick: bool) -> list[Figure]:
    """Water that turns as one in an upright vessel without friction, 3 s."""
    cell, radius, omega, level = 0.05, 0.5, 4.0, 0.35
    n = round(1.2 / cell)
    points = box_points((0, 0, 0), (n, n, 2 * n // 3), cell)
    x, y = points[:, 0] - 0.6, points[:, 1] - 0.6
    r2 = x * x + y * y
    surface = level - omega**2 * radius**2 / (4.0 * G) + omega**2 * r2 / (2.0 * G)
    inside = (r2 < (radius - 0.2 * cell) ** 2) & (points[:, 2] < surface)
    velocity = np.zeros((len(points), 12))
    velocity[:, 0], velocity[:, 1], velocity[:, 4], velocity[:, 6] = -omega * y, omega * x, omega, -omega
    vessel = np.zeros((1, k.COLLIDER_WORDS))
    vessel[0, k.COLLIDER_KIND], vessel[0, k.COLLIDER_FRICTION] = k.COLLIDER_VESSEL, SLIP
    vessel[0, k.COLLIDER_A : k.COLLIDER_A + 2] = 0.6 + k.WALL_CELLS * cell
    vessel[0, k.COLLIDER_B] = radius
    scene = points_scene(
        points[inside],
        (n, n, n),
        cell,
        sound_speed_m_per_s=25.0,
        speed_limit_m_per_s=2.5,
        velocity=velocity[inside],
        volume_ratio=resting_ratio(surface - points[:, 2], 25.0)[inside],
        colliders=vessel,
    )
    flow = Flow(scene, backend)
    centre = np.array([0.6, 0.6, 0.0])
    before = _angular(flow, centre)
    flow.advance(24 if quick else 72)
    return [within(f"angular momentum after {flow.time_s:g} s, m2/s", before, _angular(flow, centre), 0.01)]


def energy(backend: Backend, quick: bool) -> list[Figure]:
    """README's drop: kinetic, potential and elastic energy, frame by frame."""
    flow = Flow(drop_scene(6.0, 24 if quick else 36, rate=96.0), backend)
    first = _whole_energy(flow)
    rise, lowest = 0.0, first
    for _ in range(96):
        flow.advance()
        now = _whole_energy(flow)
        rise, lowest = max(rise, now - lowest), min(lowest, now)
    return [no_more_than("greatest rise, share of the energy at the start", 0.0, rise / first, 1.0e-3)]


def _whole_energy(flow: Flow) -> float:
    """Joules of a kilogram: p = K (J^-7 - 1) stores K (J^-6 / 6 + J - 7/6) of a volume, where water is compressed."""
    ratio = np.minimum(flow.volume_ratio, 1.0)
    stored = ratio ** (1.0 - STIFFNESS) / (STIFFNESS - 1.0) + ratio - STIFFNESS / (STIFFNESS - 1.0)
    bulk, density = (float(flow.scene.material[slot]) for slot in (k.MATERIAL_BULK_MODULUS, k.MATERIAL_DENSITY))
    return flow.energy() + bulk / density * float(stored.mean())


CASES = (
    Case("free-fall", "a block that is thrown", "Galilei 1638", free_fall),
    Case("free-spin", "a cube that spins in free space", "momentum and angular momentum are kept", spin_free),
    Case("vessel", "water that turns in an upright vessel without friction", "angular momentum is kept", spin_vessel),
    Case("energy", "README's dam break and drop in a closed box", "energy never rises", energy),
)

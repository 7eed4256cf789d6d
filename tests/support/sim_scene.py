"""Scenes for physics tests: water as ``shotmark verify`` makes it, and what these tests change about it."""

from __future__ import annotations

import dataclasses

import numpy as np

from bench.pipeline.scene.blocks_of_water import box_points, water_scene
from bench.pipeline.scene.build import EffectsParams, EmitterDisc, Scene, wall_words
from kernels.base import constants as k

F32 = np.float32
STICK, SLIP, SEPARATE = k.BOUNDARY_STICK, k.BOUNDARY_SLIP, k.BOUNDARY_SEPARATE
Three = tuple[float, float, float]


def fill_box(low: Three, high: Three, cell: float) -> np.ndarray:
    """Lattice points (n, 3) between two corners, all in shot-local metres."""
    (a, b, c), (d, e, f) = ([v / cell for v in corner] for corner in (low, high))
    return box_points((a, b, c), (d, e, f), cell)


def make_scene(
    points: np.ndarray,
    cells: tuple[int, int, int],
    cell: float,
    *,
    velocity: np.ndarray | None = None,
    volume_ratio: np.ndarray | None = None,
    temperature: np.ndarray | None = None,
    material: np.ndarray | None = None,
    sound_speed: float = 10.0,
    speed_limit: float = 1.0,
    viscosity: float = 0.0,
    gravity: Three = (0.0, 0.0, -9.81),
    walls: tuple[int, ...] = (SLIP,) * 6,
    colliders: np.ndarray | None = None,
    force: np.ndarray | None = None,
    emitters: tuple[EmitterDisc, ...] = (),
    extra_capacity: int = 0,
    effect_params: np.ndarray | None = None,
    effect_capacity: int = 1,
    frame_rate: float = 24.0,
) -> Scene:
    """A scene whose domain has ``cells`` of edge ``cell`` (m); points are shot-local."""
    base = water_scene(
        points,
        cells,
        cell,
        velocity=velocity,
        volume_ratio=volume_ratio,
        sound_speed_m_per_s=sound_speed,
        speed_limit_m_per_s=speed_limit,
        viscosity_pa_s=viscosity,
        frame_dt_s=1.0 / frame_rate,
    )
    force = base.force if force is None else force
    force[k.FORCE_GRAVITY_X : k.FORCE_GRAVITY_Z + 1] = gravity
    return dataclasses.replace(
        base,
        temperature=base.temperature if temperature is None else temperature.astype(F32),
        has_heat=temperature is not None,
        particle_capacity=len(points) + extra_capacity,
        material=base.material if material is None else material,
        force=force,
        walls=wall_words(walls, cells),
        colliders=base.colliders if colliders is None else colliders.astype(F32),
        solids=base.solids if colliders is None else colliders.astype(F32),
        emitters=emitters,
        effects=EffectsParams(base.effects.effect_params if effect_params is None else effect_params, effect_capacity),
    )

"""Scenes for physics tests, made directly: no shot file, no picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.pipeline.scene.build import EffectsParams, EmitterDisc, Scene
from kernels.base import constants as k

F32 = np.float32
STICK, SLIP, SEPARATE = k.BOUNDARY_STICK, k.BOUNDARY_SLIP, k.BOUNDARY_SEPARATE


def fill_box(low: tuple[float, ...], high: tuple[float, ...], cell: float, per_edge: int = 2) -> np.ndarray:
    """Lattice points (n, 3), shot-local metres, ``per_edge`` to a cell's edge."""
    axes = [(np.arange(round((b - a) / cell * per_edge)) + 0.5) * (cell / per_edge) + a for a, b in zip(low, high)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def water(density: float, sound_speed: float, viscosity: float, particle_volume: float) -> np.ndarray:
    material = np.zeros(k.MATERIAL_WORDS, F32)
    material[k.MATERIAL_DENSITY] = density
    material[k.MATERIAL_BULK_MODULUS] = density * sound_speed**2 / 7.0
    material[k.MATERIAL_VISCOSITY] = viscosity
    material[k.MATERIAL_PARTICLE_VOLUME] = particle_volume
    return material


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
    density: float = 1000.0,
    gravity: tuple[float, float, float] = (0.0, 0.0, -9.81),
    walls: tuple[int, ...] = (SLIP,) * 6,
    colliders: np.ndarray | None = None,
    force: np.ndarray | None = None,
    emitters: tuple[EmitterDisc, ...] = (),
    extra_capacity: int = 0,
    effect_params: np.ndarray | None = None,
    effect_capacity: int = 1,
    frame_rate: float = 24.0,
    per_edge: int = 2,
) -> Scene:
    """A scene whose domain has ``cells`` (multiples of 4) of edge ``cell`` (m); points are shot-local."""
    offset = k.WALL_CELLS * cell
    count = len(points)
    position = np.ones((count, 4), F32)
    position[:, :3] = points + offset
    if volume_ratio is not None:
        position[:, 3] = volume_ratio
    moving = np.zeros((count, 12), F32)
    if velocity is not None:
        moving[:, : velocity.shape[1]] = velocity
    particle_volume = (cell / per_edge) ** 3
    if material is None:
        material = water(density, sound_speed, viscosity, particle_volume)
    if force is None:
        force = np.zeros(k.FORCE_WORDS, F32)
    force[k.FORCE_GRAVITY_X : k.FORCE_GRAVITY_Z + 1] = gravity
    nothing: Any = None
    return Scene(
        shot_name="test",
        title="test",
        size="S",
        seed=0,
        cells=tuple(n + 2 * k.WALL_CELLS for n in cells),  # type: ignore[arg-type]
        cell_size_m=cell,
        position=position,
        velocity=moving,
        temperature=np.zeros(1, F32) if temperature is None else temperature.astype(F32),
        initial_count=count,
        particle_capacity=count + extra_capacity,
        material=material,
        has_heat=temperature is not None,
        sound_speed_m_per_s=sound_speed,
        speed_limit_m_per_s=speed_limit,
        force=force,
        walls=np.array(walls, np.int32),
        colliders=np.zeros((1, k.COLLIDER_WORDS), F32) if colliders is None else colliders.astype(F32),
        terrain=np.zeros((2, 2), F32),
        terrain_geometry=np.zeros(4, F32),
        emitters=emitters,
        effects=EffectsParams(
            np.zeros(k.EFFECT_PARAM_WORDS, F32) if effect_params is None else effect_params, effect_capacity
        ),
        frame_rate=frame_rate,
        frame_count=1,
        frame_dt_s=1.0 / frame_rate,
        start_time=0.0,
        picture=nothing,
        sky=nothing,
        look=nothing,
        glow_lut=nothing,
        shot=nothing,
    )

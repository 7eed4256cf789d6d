"""Small scenes made directly, without a shot file: a block of water in a box, for the checks of ``shotmark verify``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.pipeline.scene.build import EffectsParams, PictureParams, Scene, Three, wall_words
from bench.pipeline.scene.look import glow_lut
from bench.shot.extent import grid_cells
from kernels.base import constants as k
from kernels.mpm.mpm_common import bulk_modulus_pa

PER_EDGE = 2  # particles along a cell's edge
SLAB_POINTS = 100_000  # that are made at a time
DENSITY_KG_PER_M3 = 1000.0


def box_points(low: Three, high: Three, cell_size_m: float) -> np.ndarray:
    """Lattice points (n, 3) between two corners in cells, in metres of the domain."""
    return _grid(_axes(low, high, cell_size_m))


def _axes(low: Three, high: Three, cell_size_m: float) -> list[np.ndarray]:
    spacing = cell_size_m / PER_EDGE
    return [(np.arange(round(PER_EDGE * (b - a))) + 0.5) * spacing + a * cell_size_m for a, b in zip(low, high)]


def _grid(axes: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def filled_box(
    low: Three, high: Three, cell_size_m: float, velocity_at: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Position (n, 4) and velocity (n, 12) of the lattice between two corners in cells, as a scene has them.

    A slab after the other, so that nothing else is ever as large; ``velocity_at`` takes points (m, 3) in metres of the
    domain.
    """
    x, y, z = _axes(low, high, cell_size_m)
    each = len(y) * len(z)
    position = np.ones((len(x) * each, 4), np.float32)
    velocity = np.zeros((len(x) * each, 12), np.float32)
    planes = max(1, SLAB_POINTS // max(1, each))
    for first in range(0, len(x), planes):
        points = _grid((x[first : first + planes], y, z))
        here = slice(first * each, first * each + len(points))
        position[here, :3] = points + k.WALL_CELLS * cell_size_m
        velocity[here, :3] = velocity_at(points)
    return position, velocity


def water_material(
    density_kg_per_m3: float, sound_speed_m_per_s: float, viscosity_pa_s: float, particle_volume_m3: float
) -> np.ndarray:
    """float32[MATERIAL_WORDS] of a liquid without heat."""
    material = np.zeros(k.MATERIAL_WORDS, np.float32)
    material[k.MATERIAL_DENSITY] = density_kg_per_m3
    material[k.MATERIAL_BULK_MODULUS] = bulk_modulus_pa(density_kg_per_m3, sound_speed_m_per_s)
    material[k.MATERIAL_VISCOSITY] = viscosity_pa_s
    material[k.MATERIAL_PARTICLE_VOLUME] = particle_volume_m3
    return material


def water_scene(
    points: np.ndarray,
    cells: tuple[int, int, int],
    cell_size_m: float,
    *,
    velocity: np.ndarray | None = None,
    volume_ratio: np.ndarray | None = None,
    gravity_m_per_s2: float = 9.81,
    sound_speed_m_per_s: float = 20.0,
    speed_limit_m_per_s: float = 2.0,
    viscosity_pa_s: float = 0.0,
    frame_dt_s: float = 1.0 / 24.0,
) -> Scene:
    """Water (1000 kg/m^3) between slip walls; ``cells`` are the domain's.

    ``points`` (n, 3) are in metres of the domain; ``velocity`` is (n, 3) m/s or, with its gradients, (n, 12). Or both
    are those of ``filled_box`` and are kept as they are.
    """
    count = len(points)
    if points.shape[1:] == (4,):
        assert velocity is not None
        position, moving = points, velocity
    else:
        position = np.ones((count, 4), np.float32)
        position[:, :3] = points + k.WALL_CELLS * cell_size_m
        moving = np.zeros((count, 12), np.float32)
        if velocity is not None:
            moving[:, : velocity.shape[1]] = velocity
    if volume_ratio is not None:
        position[:, 3] = volume_ratio
    volume = (cell_size_m / PER_EDGE) ** 3
    material = water_material(DENSITY_KG_PER_M3, sound_speed_m_per_s, viscosity_pa_s, volume)
    force = np.zeros(k.FORCE_WORDS, np.float32)
    force[k.FORCE_GRAVITY_Z] = -gravity_m_per_s2
    return Scene(
        shot_name="check",
        title="check",
        size="S",
        seed=0,
        cells=grid_cells(cells),
        cell_size_m=cell_size_m,
        position=position,
        velocity=moving,
        temperature=np.zeros(1, np.float32),
        initial_count=count,
        particle_capacity=count,
        material=material,
        has_heat=False,
        sound_speed_m_per_s=sound_speed_m_per_s,
        speed_limit_m_per_s=speed_limit_m_per_s,
        force=force,
        walls=wall_words([k.BOUNDARY_SLIP] * 6, cells),
        colliders=np.zeros((1, k.COLLIDER_WORDS), np.float32),
        solids=np.zeros((1, k.COLLIDER_WORDS), np.float32),
        terrain=np.zeros((2, 2), np.float32),
        terrain_geometry=np.zeros(4, np.float32),
        emitters=(),
        effects=EffectsParams(np.zeros(k.EFFECT_PARAM_WORDS, np.float32), 1),
        frame_rate=1.0 / frame_dt_s,
        frame_count=1,
        frame_dt_s=frame_dt_s,
        start_time=0.0,
        picture=PictureParams(
            width=1, height=1, samples=1, voxel_size_m=0.5 * cell_size_m, max_depth=1, seed=0, exposure=0.0
        ),
        sky=np.zeros(k.SKY_WORDS, np.float32),
        look=np.zeros(k.LOOK_WORDS, np.float32),
        glow_lut=glow_lut(),
        camera_path=None,
    )

"""What a scene holds of its liquid and its ground, as ``bench.pipeline.scene.build`` has it: grid-local."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bench.pipeline.scene.build import sound_speed_m_per_s
from bench.shot.extent import WALL_CELLS, cell_size_m, fitted
from bench.shot.load import Shot
from bench.shot.schema import Lava
from kernels.mpm.mpm_common import bulk_modulus_pa
from tests.reference.scene.particles import build_particles
from tests.reference.scene.terrain import build_terrain


@dataclass(frozen=True)
class Filled:
    """Liquid and ground of a scene; float32."""

    position: np.ndarray  # [n, 4] x, y, z (m), J
    velocity: np.ndarray  # [n, 12] m/s and its gradients
    temperature: np.ndarray  # [n] K; [1] without heat
    terrain: np.ndarray  # [x, y] m


def fill(shot: Shot, size: str, seed: int = 0) -> Filled:
    """Place every particle; raises UserError where there is none."""
    shot = replace(shot, file=fitted(shot.file, shot.size(size)))
    file = shot.file
    cell = cell_size_m(file.domain, shot.size(size))
    offset = np.float32(WALL_CELLS * cell)
    field = build_terrain(file.terrain, cell) if file.terrain is not None else None
    bulk = bulk_modulus_pa(file.material.density_kg_per_m3, sound_speed_m_per_s(file))
    made = build_particles(shot, size, field, bulk, seed)
    position = np.ascontiguousarray(made.position)
    position[:, 0:3] += offset
    velocity = np.zeros((len(position), 12), np.float32)
    velocity[:, 0:3] = made.velocity
    hot = isinstance(file.material, Lava)
    temperature = np.ascontiguousarray(made.temperature) if hot else np.zeros(1, np.float32)
    terrain = field.heights + offset if field is not None else np.zeros((2, 2), np.float32)
    return Filled(position, velocity, temperature, terrain)


def blocks_in_use(position: np.ndarray, cell_size_m: float, grid: tuple[int, int, int]) -> int:
    """Blocks that hold a particle's base node, and their neighbours at +1."""
    inverse = np.float32(1.0) / np.float32(cell_size_m)
    base = np.floor(position[:, :3] * inverse - np.float32(0.5)).astype(np.int32) >> 2
    for axis in range(3):
        np.clip(base[:, axis], 0, grid[axis] - 1, out=base[:, axis])
    holds = np.zeros(grid, bool)
    holds[base[:, 0], base[:, 1], base[:, 2]] = True
    for axis in range(3):
        holds |= np.roll(holds, 1, axis)
    return int(np.count_nonzero(holds))

"""What a shot needs at each size, without building that size: particles, blocks, substeps, samples, memory.

The bodies are filled once on a coarse lattice (size S, or coarser). Their volume V and the number of blocks that they
touch there give both for every other size: particles = 8 V / dx^3, blocks = V / (4 dx)^3 + a / dx^2, where the second
term counts the blocks that the liquid only partly fills (its surface) and is fitted to the lattice that was filled.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from bench.pipeline.scene.build import PARTICLES_PER_CELL, emitted_count, sound_speed_m_per_s
from bench.pipeline.scene.exact import Array
from bench.pipeline.scene.particles import build_particles
from bench.pipeline.scene.sizing import BLOCK_RESERVE, COURANT, DIFFUSION
from bench.pipeline.scene.terrain import build_terrain
from bench.shot.extent import WALL_CELLS, cell_size_m, domain_cells
from bench.shot.load import Shot
from bench.shot.schema import Lava, Size
from kernels.base import constants as k

PROBE_CELLS_MAX = 1_000_000  # cells of the domain on the lattice that is filled
# Bytes of what the pipeline keeps: state twice (read, write), sorting, the copy that the surface is made from
PARTICLE_BYTES = 2 * (16 + 48) + 3 * 4 + 24
HEAT_BYTES = 2 * (4 + 4)  # of a particle
EFFECT_BYTES = 2 * 40 + 20
BLOCK_BYTES = 4 * (k.ARENA_WORDS + 5 * k.BLOCK_NODES + 16)
CELL_BYTES = 2 * 4  # of the grid's box: starts of the bins of liquid and of effects
PIXEL_BYTES = 4 * (k.PIXEL_WORDS + 6)
SURFACE_SHELL = 1.5  # bricks that hold a surface, over the liquid's partly filled blocks of the same edge


@dataclass(frozen=True)
class Estimate:
    """What one shot at one size needs."""

    size: str
    particle_count: int  # of the first frame
    particle_capacity: int  # with what the emitters add over the shot
    active_block_count: int
    grid_block_count: int
    substeps_per_frame: int
    frame_count: int
    pixel_count: int
    samples_per_pixel: int
    memory_bytes: dict[str, int]  # by back-end

    @property
    def sample_count(self) -> int:
        """Samples of one frame."""
        return self.pixel_count * self.samples_per_pixel


@dataclass(frozen=True)
class Probe:
    """The bodies of a shot on a coarse lattice."""

    cell_size_m: float
    volume_m3: float
    block_count: int

    @property
    def surface_blocks_m2(self) -> float:
        """Partly filled blocks, times the cell's area: the same at every size."""
        full = self.volume_m3 / (4.0 * self.cell_size_m) ** 3
        return max(0.0, self.block_count - full) * self.cell_size_m**2


def probe(shot: Shot) -> Probe:
    """Fill the bodies at the smallest size, or coarser where that is large."""
    name = next(iter(shot.sizes))
    smallest = shot.sizes[name]
    cells_x = smallest.cells_x
    while cells_x > 16 and math.prod(domain_cells(shot.file.domain, _with_cells(smallest, cells_x))) > PROBE_CELLS_MAX:
        cells_x = max(16, cells_x // 8 * 4)
    coarse = _with_cells(smallest, cells_x)
    file = dataclasses.replace(shot.file, size={name: coarse})
    cell = cell_size_m(file.domain, coarse)
    field = build_terrain(file.terrain, cell) if file.terrain is not None else None
    sound = sound_speed_m_per_s(file)
    bulk = file.material.density_kg_per_m3 * sound * sound / 7.0
    position = build_particles(Shot(path=shot.path, file=file), name, field, bulk, 0).position
    return Probe(cell, len(position) * cell**3 / PARTICLES_PER_CELL, count_blocks(position, cell))


def _with_cells(size: Size, cells_x: int) -> Size:
    return dataclasses.replace(size, cells_x=cells_x)


def count_blocks(position: Array, cell: float) -> int:
    """Blocks with a particle's base node (positions in the shot's frame), and their neighbours at +1."""
    if len(position) == 0:
        return 0
    block = (np.floor(position[:, 0:3] * (1.0 / cell) - 0.5).astype(np.int64) + WALL_CELLS) >> 2
    used = np.unique((block[:, 0] << 40) | (block[:, 1] << 20) | block[:, 2])
    for step in (1 << 40, 1 << 20, 1):
        used = np.union1d(used, used + step)
    return len(used)


def estimate(shot: Shot, size: str, found: Probe | None = None) -> Estimate:
    """Needs of ``shot`` at ``size``; pass the shot's ``probe`` when several sizes are asked for."""
    file, chosen = shot.file, shot.size(size)
    found = found or probe(shot)
    cell = cell_size_m(file.domain, chosen)
    count = int(found.volume_m3 * PARTICLES_PER_CELL / cell**3 + 0.5)
    partly = found.surface_blocks_m2 / cell**2
    active = int(found.volume_m3 / (4.0 * cell) ** 3 + partly + 0.5)
    x, y, z = domain_cells(file.domain, chosen)
    grid_blocks = (x // 4 + 2) * (y // 4 + 2) * (z // 4 + 2)
    capacity = count + emitted_count(file, cell**3 / PARTICLES_PER_CELL)
    effects = int(file.effects.capacity_per_particle * capacity) if file.effects is not None else 1
    room = min(grid_blocks, BLOCK_RESERVE * active + (capacity - count) / (2.0 * k.BLOCK_NODES) + 64.0)
    heat = HEAT_BYTES if isinstance(file.material, Lava) else 0
    needed = capacity * (PARTICLE_BYTES + heat) + effects * EFFECT_BYTES + room * BLOCK_BYTES
    # Picture: bricks of 8^3 voxels along the surface, twice; tables of all bricks and of all cells; the film
    brick = 8.0 * chosen.voxel_per_cell * cell
    bricks = SURFACE_SHELL * partly * (4.0 * cell / brick) ** 2
    needed += 2.0 * bricks * k.BRICK_NODES * k.SURFACE_CHANNELS * 4.0
    needed += grid_blocks * k.BLOCK_NODES * (CELL_BYTES + 3.0 * 4.0 * (cell / brick) ** 3)
    needed += chosen.width * chosen.height * PIXEL_BYTES
    if file.terrain is not None:
        spacing = cell * file.terrain.spacing_per_cell
        needed += 3.0 * 4.0 * file.terrain.size_m[0] * file.terrain.size_m[1] / spacing**2
    total = int(needed)
    return Estimate(
        size=size,
        particle_count=count,
        particle_capacity=capacity,
        active_block_count=active,
        grid_block_count=grid_blocks,
        substeps_per_frame=substeps_per_frame(shot, size),
        frame_count=file.shot.frames,
        pixel_count=chosen.width * chosen.height,
        samples_per_pixel=chosen.samples,
        memory_bytes={"numba": total, "cupy": total},
    )


def substeps_per_frame(shot: Shot, size: str) -> int:
    """Substeps that sound, flow and viscosity ask for in a frame."""
    file = shot.file
    cell = cell_size_m(file.domain, shot.size(size))
    dt = COURANT * cell / (sound_speed_m_per_s(file) + file.material.speed_limit_m_per_s)
    viscosity = file.material.viscosity_max_pa_s if isinstance(file.material, Lava) else file.material.viscosity_pa_s
    if viscosity > 0.0:
        dt = min(dt, DIFFUSION * cell * cell * file.material.density_kg_per_m3 / viscosity)
    return max(1, math.ceil(1.0 / (file.shot.frame_rate * dt)))

"""What a shot needs at each size, without building that size: particles, blocks, steps, samples, memory.

The bodies are filled once on a coarse lattice (size S, or coarser). Their volume V and the number of blocks that they
touch there give both for every other size: particles = 8 V / dx^3, blocks = V / (4 dx)^3 + a / dx^2, where the second
term counts the blocks that the liquid only partly fills (its surface) and is fitted to the lattice that was filled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.pipeline.scene.build import (
    PARTICLES_PER_CELL,
    emitted_count,
    fill_domain,
    material_words,
    sound_speed_m_per_s,
)
from bench.pipeline.scene.motion import collider_rows, fastest_m_per_s
from bench.pipeline.scene.needs import (
    BRICK_RESERVE,
    TERRAIN_BYTES,
    PictureRoom,
    Room,
    Steps,
    active_blocks,
    block_grid,
    block_room,
    host_bytes,
    shot_bytes,
    steps_of,
)
from bench.shot.extent import cell_size_m, domain_cells, fitted, grid_cells
from bench.shot.load import Shot
from bench.shot.schema import Domain, Lava, ShotFile, Size
from kernels.base import constants as k

PROBE_CELLS_MAX = 1_000_000  # cells of the domain on the lattice that is filled
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
    sound_steps_per_substep: int
    frame_count: int
    pixel_count: int
    samples_per_pixel: int
    memory_bytes: dict[str, int]  # by back-end, of the arrays that it runs in
    host_bytes: dict[str, int]  # by back-end, of the host's memory; on a CPU that holds everything

    @property
    def sound_steps_per_frame(self) -> int:
        """Of every frame but the first, whose first substep has half of its sound steps."""
        return self.substeps_per_frame * self.sound_steps_per_substep

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
    resized = shot.with_sizes({name: coarse})
    file = resized.file
    cell = cell_size_m(file.domain, coarse)
    position = fill_domain(resized, name, 0)[1].position
    used = active_blocks(position, cell, _block_grid(file.domain, coarse))
    return Probe(cell, len(position) * cell**3 / PARTICLES_PER_CELL, used)


def _with_cells(size: Size, cells_x: int) -> Size:
    return size.model_copy(update={"cells_x": cells_x})


def _block_grid(domain: Domain, size: Size) -> tuple[int, int, int]:
    return block_grid(grid_cells(domain_cells(domain, size)))


def estimate(shot: Shot, size: str, found: Probe | None = None) -> Estimate:
    """Needs of ``shot`` at ``size``; pass the shot's ``probe`` when several sizes are asked for."""
    file, chosen = shot.file, shot.size(size)
    found = found or probe(shot)
    cell = cell_size_m(file.domain, chosen)
    count = int(found.volume_m3 * PARTICLES_PER_CELL / cell**3 + 0.5)
    partly = found.surface_blocks_m2 / cell**2
    active = int(found.volume_m3 / (4.0 * cell) ** 3 + partly + 0.5)
    grid_blocks = math.prod(_block_grid(file.domain, chosen))
    capacity = count + emitted_count(file, cell**3 / PARTICLES_PER_CELL)
    effects = int(file.effects.capacity_per_particle * capacity) if file.effects is not None else 1
    blocks = block_room(active, capacity - count, PARTICLES_PER_CELL * k.BLOCK_NODES, grid_blocks)
    room = Room(capacity, effects, blocks, isinstance(file.material, Lava))
    brick_cells = k.BRICK_EDGE * chosen.voxel_per_cell
    bricks = BRICK_RESERVE * SURFACE_SHELL * partly * (k.BLOCK_EDGE / brick_cells) ** 2  # along the surface
    pixels = chosen.width * chosen.height
    needed = shot_bytes(room, PictureRoom(grid_blocks * k.BLOCK_NODES, brick_cells, bricks, pixels))
    if file.terrain is not None:
        spacing = cell * file.terrain.spacing_per_cell
        needed += TERRAIN_BYTES * file.terrain.size_m[0] * file.terrain.size_m[1] / spacing**2
    total, host = int(needed), int(host_bytes(room, count))
    steps = _steps(fitted(file, chosen), cell)
    return Estimate(
        size=size,
        particle_count=count,
        particle_capacity=capacity,
        active_block_count=active,
        grid_block_count=grid_blocks,
        substeps_per_frame=steps.substeps,
        sound_steps_per_substep=steps.sound_steps,
        frame_count=file.shot.frames,
        pixel_count=pixels,
        samples_per_pixel=chosen.samples,
        memory_bytes={"numba": total, "cupy": total},
        host_bytes={"numba": total + host, "cupy": host},
    )


def _steps(file: ShotFile, cell: float) -> Steps:
    """Of a frame, as the run has them: by the same words of material and solids."""
    return steps_of(
        1.0 / file.shot.frame_rate,
        cell,
        sound_speed_m_per_s(file),
        file.material.speed_limit_m_per_s,
        material_words(file, cell**3 / PARTICLES_PER_CELL),
        collider_rows(file.collider, 0.0),
        fastest_m_per_s([one.motion for one in file.collider]),
    )

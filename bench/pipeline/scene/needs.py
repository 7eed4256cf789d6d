"""What a shot needs: steps of a frame, room for blocks, bytes. One place for the estimate and for the run.

``estimate`` asks before anything is built, with plain numbers; the simulation asks with the scene that it runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.pipeline.scene.build import Scene
from bench.pipeline.scene.exact import Array
from bench.pipeline.scene.fill import mark_blocks
from bench.pipeline.scene.motion import fastest_m_per_s
from kernels.base import constants as k
from kernels.mpm.mpm_common import PEAK_WORDS, STIFFNESS
from kernels.mpm.mpm_sort import device_scratch_words, scratch_words

F32 = np.float32
COURANT = 0.5  # cells that a sound wave on the fastest flow crosses in a sound step, at the most
SOUND_TRAVEL = 1.9  # cells that sound at rest crosses in a substep: from 2 on it grows by itself in water at rest
TRAVEL = 0.25  # cells that the fastest particle crosses in a substep, at the most
TRAVEL_IN_SOLID = 0.125  # of the thinnest solid that it crosses
CONDUCTION = 1.0 / 6.0  # kappa dt / dx^2, at the most: the seven-point stencil's limit
DIFFUSION = 1.0 / 4.0  # nu dt / dx^2, at the most; the B-spline's Laplacian is softer, 1/3 is still stable
BLOCK_RESERVE = 1.6  # room for blocks over the blocks in use
BLOCKS_SPARE = 64
BRICK_RESERVE = 1.3  # room for bricks over the bricks in use
BRICKS_SPARE = 16

# Bytes of the simulation's arrays: for each particle, effects particle and active block
PARTICLE_BYTES = 2 * (16 + 48) + 2 * 4  # position and velocity, read and written; order and key
HEAT_BYTES = 2 * (4 + 4)  # of a particle: temperature and viscosity, read and written
EFFECT_BYTES = 2 * (16 + 16 + 4 + 4)
BLOCK_BYTES = 4 * (k.ARENA_WORDS + (4 + 1) * k.BLOCK_NODES + 1 + PEAK_WORDS)  # arena, nodes, cells, number, peaks
GRID_BLOCK_BYTES = 4  # where an active block is, for every block of the box
# The sort's scratch before the number of threads is known: a particle's, and a block's of between two and three threads
SORT_PARTICLE_BYTES, SORT_BLOCK_BYTES = 4, 28
# Bytes of what the surface and the picture keep
BINNED_BYTES = 16 + 4  # a particle or effects particle, binned: position and temperature
ORDER_BYTES = 4  # of a particle
CELL_BYTES = 2 * 4  # of the grid's box: starts of the bins of liquid and of effects
BRICK_BYTES = 2 * 4 * k.BRICK_NODES * k.SURFACE_CHANNELS  # of a surface brick that holds values, read and written
TABLE_BYTES = 3 * 4  # of a brick that covers the grid's box, whether it holds values or not
PIXEL_BYTES = 4 * (k.PIXEL_WORDS + 6)
TERRAIN_BYTES = 3 * 4  # of a height: simulation, surface and tracer have it


# Bytes on the host besides, whatever a shot runs on: a particle of a scene, and of a state that is kept or saved
SCENE_BYTES, SCENE_HEAT_BYTES = 16 + 48, 4
KEPT_BYTES, KEPT_HEAT_BYTES, KEPT_EFFECT_BYTES = 16 + 48 + 4, 4 + 4, 16 + 16 + 4 + 4
BUILDING = 1.1  # of a scene's arrays, while it is built


# --- Steps ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Steps:
    """How a frame is cut: particles move once a substep, pressure acts in each of its sound steps."""

    substeps: int  # of a frame
    sound_steps: int  # of a substep


def steps_of_frame(
    frame_dt_s: float,
    cell_size_m: float,
    sound_speed_m_per_s: float,
    speed_m_per_s: float,
    kinematic_viscosity_m2_per_s: float,
    thinnest_m: float = math.inf,
    conduction_s: float = math.inf,
    stiffness_m_per_s: float | None = None,
    solid_speed_m_per_s: float = 0.0,
) -> Steps:
    """The fewest equal steps of a frame in which nothing moves faster than ``speed_m_per_s``.

    Of a sound step of dt: (sound + speed) dt <= COURANT dx, nu dt <= DIFFUSION dx^2. Of a substep T, which holds sound
    steps up to its end: speed T <= TRAVEL dx; no longer than ``conduction_s``, what a heat step may last; and
    speed T <= TRAVEL_IN_SOLID of the thinnest solid, which would be passed by: with more than one sound step, that is,
    for a sheet of no thickness asks for no step of no length. Nor is T longer than sound takes for SOUND_TRAVEL cells,
    of ``stiffness_m_per_s`` where that differs from what CFL is asked of: the shortest waves would turn half round in
    it, in step with the particles.
    """
    longest_s = min(TRAVEL * cell_size_m / speed_m_per_s, conduction_s)
    meeting_m_per_s = speed_m_per_s + solid_speed_m_per_s
    limit_s = COURANT * cell_size_m / (sound_speed_m_per_s + speed_m_per_s)
    if kinematic_viscosity_m2_per_s > 0.0:
        limit_s = min(limit_s, DIFFUSION * cell_size_m * cell_size_m / kinematic_viscosity_m2_per_s)
    steps = max(1, math.ceil(frame_dt_s / min(limit_s, longest_s)))
    stiffness_m_per_s = sound_speed_m_per_s if stiffness_m_per_s is None else stiffness_m_per_s
    longest_s = min(
        longest_s, TRAVEL_IN_SOLID * thinnest_m / meeting_m_per_s, SOUND_TRAVEL * cell_size_m / stiffness_m_per_s
    )
    together = max(1, math.floor(longest_s / (frame_dt_s / steps)))
    substeps = math.ceil(steps / together)
    return Steps(substeps, math.ceil(steps / substeps))


def scene_steps(scene: Scene, speed_m_per_s: float) -> Steps:
    """``steps_of_frame`` of a scene in which nothing moves faster than ``speed_m_per_s``."""
    cell = scene.cell_size_m
    solid_speed, sound = fastest_m_per_s(scene.solid_motion), scene.sound_speed_m_per_s
    return steps_of(scene.frame_dt_s, cell, sound, speed_m_per_s, scene.material, scene.solids, solid_speed)


def steps_of(
    frame_dt_s: float,
    cell_size_m: float,
    sound_speed_m_per_s: float,
    speed_m_per_s: float,
    material: Array,
    solids: Array,
    solid_speed_m_per_s: float = 0.0,
) -> Steps:
    """The same of what kernels know of a material and of solids.

    Sound has its speed at rest, the viscosity is the largest that the material can have.
    """
    viscosity = max(float(material[k.MATERIAL_VISCOSITY]), float(material[k.MATERIAL_VISCOSITY_MAX]))
    density = float(material[k.MATERIAL_DENSITY])
    return steps_of_frame(
        frame_dt_s,
        cell_size_m,
        sound_speed_m_per_s,
        speed_m_per_s,
        viscosity / density,
        thinnest_m(solids),
        conduction_s(material, cell_size_m),
        math.sqrt(STIFFNESS * float(material[k.MATERIAL_BULK_MODULUS]) / density),
        solid_speed_m_per_s,
    )


def thinnest_m(solids: Array) -> float:
    """The least thickness of any solid (m); infinite without one."""
    least = math.inf
    for row in solids:
        kind = int(row[k.COLLIDER_KIND])
        size = row[k.COLLIDER_B : k.COLLIDER_B + 3]
        if kind == k.COLLIDER_SPHERE:
            least = min(least, 2.0 * float(size[0]))
        elif kind == k.COLLIDER_BOX:
            least = min(least, 2.0 * float(size.min()))
        elif kind == k.COLLIDER_CAPSULE:
            least = min(least, 2.0 * float(row[k.COLLIDER_C]))
        elif kind == k.COLLIDER_CYLINDER:
            least = min(least, 2.0 * float(min(size[0], size[2])))
    return least


def conduction_s(material: Array, cell_size_m: float) -> float:
    """How long a heat step may be; without heat nothing conducts."""
    if float(material[k.MATERIAL_CONDUCTIVITY]) <= 0.0:
        return math.inf
    capacity = float(material[k.MATERIAL_DENSITY]) * float(material[k.MATERIAL_SPECIFIC_HEAT])
    return CONDUCTION * cell_size_m**2 / (float(material[k.MATERIAL_CONDUCTIVITY]) / capacity)


def heat_interval(scene: Scene, dt_s: float, substeps: int) -> int:
    """Substeps from one heat step to the next: a frame, or less where conduction asks for it."""
    limit_s = conduction_s(scene.material, scene.cell_size_m)
    return substeps if math.isinf(limit_s) else min(substeps, max(1, math.floor(limit_s / dt_s)))


class Substep(NamedTuple):
    """What may differ between the substeps of a frame: launches depend on nothing else but the side that is read."""

    heat_dt_s: float  # of the heat step that it begins with; 0: none
    sound_steps: int


def substeps_of(scene: Scene, steps: Steps, from_rest: bool) -> tuple[Substep, ...]:
    """A frame's substeps. ``from_rest``: none was before, and the first has half of the sound steps."""
    sound_steps = [steps.sound_steps] * steps.substeps
    if from_rest:
        sound_steps[0] = (steps.sound_steps + 1) // 2
    heat_dt_s = heat_steps(scene, scene.frame_dt_s / steps.substeps, steps.substeps)
    return tuple(map(Substep, heat_dt_s, sound_steps))


def heat_steps(scene: Scene, dt_s: float, substeps: int) -> tuple[float, ...]:
    """For every substep of a frame the length of the heat step that it begins with, 0 where it has none."""
    if not scene.has_heat:
        return (0.0,) * substeps
    every = heat_interval(scene, dt_s, substeps)
    return tuple(dt_s * min(every, substeps - n) if n % every == 0 else 0.0 for n in range(substeps))


# --- Blocks -----------------------------------------------------------------------------------------


def active_blocks(position: Array, cell_size_m: float, grid: Sequence[int]) -> int:
    """Blocks that hold a particle's base node, and their neighbours at +1.

    Positions are grid-local; ``grid`` is the number of blocks on each axis.
    """
    if len(position) == 0:
        return 0
    holds = np.zeros(grid, bool)
    mark_blocks(position, F32(1.0) / F32(cell_size_m), holds)
    for axis in range(3):
        shifted = np.roll(holds, 1, axis)
        holds |= shifted
    return int(np.count_nonzero(holds))


def block_count(scene: Scene) -> int:
    """Active blocks of the initial particles."""
    return active_blocks(scene.position, scene.cell_size_m, block_grid(scene.cells))


def block_grid(cells: Sequence[int]) -> tuple[int, int, int]:
    """Blocks on each axis of a box of so many cells, walls included."""
    x, y, z = (n // k.BLOCK_EDGE for n in cells)
    return x, y, z


def block_room(used: float, emitted: int, particles_per_block: float, grid_blocks: int) -> float:
    """Blocks to make room for, of those of the grid's box.

    Liquid that an emitter adds meets free space: one block holds at least a quarter of its particles at rest.
    """
    return min(float(grid_blocks), BLOCK_RESERVE * used + 4.0 * emitted / particles_per_block + BLOCKS_SPARE)


def more_blocks(used: int, grid: Sequence[int]) -> int:
    """Blocks to make room for when so many are in use, or are needed at once; never more than the grid's box has."""
    return min(math.prod(grid), int(BLOCK_RESERVE * used) + BLOCKS_SPARE)


def block_capacity(scene: Scene, used: int) -> int:
    """Blocks that a simulation of a scene makes room for at its start."""
    per_block = float(scene.cell_size_m) ** 3 * k.BLOCK_NODES / float(scene.material[k.MATERIAL_PARTICLE_VOLUME])
    emitted = scene.particle_capacity - scene.initial_count
    return int(block_room(used, emitted, per_block, math.prod(block_grid(scene.cells))))


def brick_room(used: int) -> int:
    """Bricks to make room for when there is too little; the old ones are gone by then."""
    return int(used * BRICK_RESERVE) + BRICKS_SPARE


# --- Bytes ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """How many of each the arrays of a shot are made for."""

    particles: int
    effects: int
    blocks: float  # active ones; no whole number where they are estimated
    has_heat: bool


@dataclass(frozen=True)
class PictureRoom:
    """What the picture's arrays are made for besides."""

    cells: int  # of the grid's box
    brick_cells: float  # cells along a surface brick's edge
    bricks: float  # surface bricks that hold values
    pixels: int


def state_bytes(room: Room) -> float:
    """Bytes of a simulation's arrays, the sort's scratch left out."""
    per_particle = PARTICLE_BYTES + (HEAT_BYTES if room.has_heat else 0)
    return room.particles * per_particle + room.effects * EFFECT_BYTES + room.blocks * BLOCK_BYTES


def sort_scratch_words(particle_capacity: int, block_capacity: int, threads: int | None) -> int:
    """Words of the sort's scratch with so many threads; None: on a GPU."""
    return scratch_words(particle_capacity, block_capacity, threads) if threads else device_scratch_words()


def simulation_bytes(scene: Scene, threads: int | None) -> int:
    """Bytes that the arrays of a simulation of ``scene`` take at its start; ``threads`` is None on a GPU."""
    blocks, capacity = block_capacity(scene, block_count(scene)), scene.particle_capacity
    state = state_bytes(Room(capacity, scene.effects.effect_capacity, blocks, scene.has_heat))
    scratch = 4 * sort_scratch_words(capacity, blocks, threads)
    return int(state) + scratch + GRID_BLOCK_BYTES * math.prod(block_grid(scene.cells)) + scene.terrain.nbytes


def picture_bytes(room: Room, picture: PictureRoom) -> float:
    """Bytes of what surface, fog and tracer keep."""
    covering = picture.cells / picture.brick_cells**3
    return (
        room.particles * (BINNED_BYTES + ORDER_BYTES)
        + room.effects * BINNED_BYTES
        + picture.bricks * BRICK_BYTES
        + picture.cells * CELL_BYTES
        + covering * TABLE_BYTES
        + picture.pixels * PIXEL_BYTES
    )


def shot_bytes(room: Room, picture: PictureRoom) -> float:
    """Bytes of a simulation and its pictures before it is known what they run on."""
    sort = room.particles * SORT_PARTICLE_BYTES + room.blocks * SORT_BLOCK_BYTES
    return state_bytes(room) + sort + picture_bytes(room, picture)


def host_bytes(room: Room, initial_count: int) -> float:
    """Bytes of a scene and of one copy of its state, as the host holds both beside what a shot runs in.

    A GPU keeps the copy itself where it has the memory; a state that is saved crosses as a whole.
    """
    scene = initial_count * (SCENE_BYTES + (SCENE_HEAT_BYTES if room.has_heat else 0))
    kept = room.particles * (KEPT_BYTES + (KEPT_HEAT_BYTES if room.has_heat else 0))
    return BUILDING * scene + kept + room.effects * KEPT_EFFECT_BYTES

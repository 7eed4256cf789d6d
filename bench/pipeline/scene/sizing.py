"""How long a substep may be and how much memory a simulation takes: numbers from a scene, before anything runs."""

from __future__ import annotations

import math

import numpy as np

from bench.pipeline.scene.build import Scene
from kernels.base import constants as k
from kernels.mpm.mpm_common import PEAK_WORDS

F32 = np.float32
COURANT = 0.6  # cells that a sound wave on the fastest flow crosses in a substep, at the most; noise grows from 1 on
CONDUCTION = 1.0 / 6.0  # kappa dt / dx^2, at the most: the seven-point stencil's limit
DIFFUSION = 1.0 / 4.0  # nu dt / dx^2, at the most; the B-spline's Laplacian is softer, 1/3 is still stable
BLOCK_RESERVE = 1.6  # room for blocks over the blocks in use


def substep_count(scene: Scene, speed_m_per_s: float) -> int:
    """Equal substeps of a frame in which nothing moves faster than ``speed_m_per_s``.

    Courant: (c + v) dt <= COURANT dx, with c the sound speed at rest. Viscous: nu dt <= DIFFUSION dx^2 with the largest
    viscosity that the material can have.
    """
    cell = scene.cell_size_m
    limit = COURANT * cell / (scene.sound_speed_m_per_s + speed_m_per_s)
    slot = k.MATERIAL_VISCOSITY_MAX if scene.has_heat else k.MATERIAL_VISCOSITY
    kinematic = float(scene.material[slot]) / float(scene.material[k.MATERIAL_DENSITY])
    if kinematic > 0.0:
        limit = min(limit, DIFFUSION * cell * cell / kinematic)
    return max(1, math.ceil(scene.frame_dt_s / limit))


def heat_interval(scene: Scene, dt_s: float, substeps: int) -> int:
    """Substeps from one heat step to the next: a frame, or less where conduction asks for it."""
    material = scene.material
    if float(material[k.MATERIAL_CONDUCTIVITY]) <= 0.0:
        return substeps
    capacity = float(material[k.MATERIAL_DENSITY]) * float(material[k.MATERIAL_SPECIFIC_HEAT])
    diffusivity = float(material[k.MATERIAL_CONDUCTIVITY]) / capacity
    limit = CONDUCTION * scene.cell_size_m**2 / diffusivity
    return min(substeps, max(1, math.floor(limit / dt_s)))


def heat_steps(scene: Scene, dt_s: float, substeps: int) -> tuple[float, ...]:
    """For every substep of a frame the length of the heat step that it begins with, 0 where it has none."""
    if not scene.has_heat:
        return (0.0,) * substeps
    every = heat_interval(scene, dt_s, substeps)
    return tuple(dt_s * min(every, substeps - n) if n % every == 0 else 0.0 for n in range(substeps))


def block_count(scene: Scene) -> int:
    """Active blocks of the initial particles: those that hold one, and their neighbours at +1."""
    blocks = [n // k.BLOCK_EDGE for n in scene.cells]
    if scene.initial_count == 0:
        return 0
    inverse = F32(1.0) / F32(scene.cell_size_m)
    base = np.floor(scene.position[:, :3] * inverse - F32(0.5)).astype(np.int32) >> 2
    for axis in range(3):
        np.clip(base[:, axis], 0, blocks[axis] - 1, out=base[:, axis])
    holds = np.zeros(blocks, bool)
    holds[base[:, 0], base[:, 1], base[:, 2]] = True
    for axis in range(3):
        shifted = np.roll(holds, 1, axis)
        holds |= shifted
    return int(np.count_nonzero(holds))


def block_capacity(scene: Scene, used: int) -> int:
    blocks = scene.cells[0] * scene.cells[1] * scene.cells[2] // k.BLOCK_NODES
    # Liquid that an emitter adds meets free space: one block holds at least a quarter of its particles at rest
    emitted = scene.particle_capacity - scene.initial_count
    per_block = float(scene.cell_size_m) ** 3 * k.BLOCK_NODES / float(scene.material[k.MATERIAL_PARTICLE_VOLUME])
    return min(blocks, int(used * BLOCK_RESERVE) + int(4.0 * emitted / per_block) + 64)


def memory_bytes(scene: Scene, threads: int = 1) -> int:
    """Bytes that the arrays of a simulation of ``scene`` take at its start."""
    blocks = scene.cells[0] * scene.cells[1] * scene.cells[2] // k.BLOCK_NODES
    per_particle = 2 * (16 + 48) + 3 * 4 + (2 * 2 * 4 if scene.has_heat else 0)
    per_block = 4 * k.ARENA_WORDS + 16 * k.BLOCK_NODES + 4 * k.BLOCK_NODES + 4 + 4 * PEAK_WORDS + 8 * threads
    return (
        scene.particle_capacity * per_particle
        + block_capacity(scene, block_count(scene)) * per_block
        + blocks * 4
        + scene.effects.effect_capacity * 2 * 40
    )

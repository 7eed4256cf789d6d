"""A small simulation for examples and tests: a block of water in the middle of its box, not yet at rest."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from kernels.base.common import F32
from kernels.base.constants import (
    ARENA_WORDS,
    BLOCK_NODES,
    COLLIDER_WORDS,
    COUNT_BLOCKS,
    COUNT_PARTICLES,
    COUNT_WORDS,
    FORCE_GRAVITY_Z,
    FORCE_WORDS,
    MATERIAL_BULK_MODULUS,
    MATERIAL_DENSITY,
    MATERIAL_PARTICLE_VOLUME,
    MATERIAL_WORDS,
    STEP_DT,
    STEP_FULL,
    STEP_SOUND_STEPS,
    STEP_WORDS,
    WALL_CELLS,
    WALLS_WORDS,
)
from kernels.base.registry import kernel_named
from kernels.mpm.mpm_common import PEAK_WORDS, bulk_modulus_pa
from kernels.mpm.mpm_sort import device_scratch_words, scratch_words

# What a kernel calls an argument, by the name that the state gives it
_SUFFIXES = ("_in", "_inout", "_out")


def make_state(rng: np.random.Generator, size: int, *launched: str) -> dict[str, Any]:
    """Arguments of the transfer kernels by name, for ``size`` particles at 8 a cell, after the kernels ``launched``."""
    edge = max(1, round((size / 8) ** (1 / 3)))  # cells of the cube that holds the particles
    cells = 4 * (-(-(edge + 2 * WALL_CELLS + 4) // 4))
    cell_size_m = 1.0 / cells
    place = rng.random((size, 3), dtype=F32) * F32(edge) + F32((cells - edge) / 2)
    cell = np.floor(place - F32(0.5)).astype(np.int64)
    block = (cell[:, 0] >> 2) * cells * cells + (cell[:, 1] >> 2) * cells + (cell[:, 2] >> 2)
    inner = (cell[:, 0] & 3) * 16 + (cell[:, 1] & 3) * 4 + (cell[:, 2] & 3)
    order = np.lexsort((inner, block))
    position = np.ones((size, 4), F32)
    position[:, :3] = place[order] * F32(cell_size_m)
    position[:, 3] = F32(0.999) + F32(0.002) * rng.random(size, dtype=F32)
    velocity = rng.random((size, 12), dtype=F32) - F32(0.5)
    return make_arguments(position, velocity, (cells, cells, cells), cell_size_m, launched)


def make_arguments(
    position: np.ndarray,
    velocity: np.ndarray,
    cells: tuple[int, int, int],
    cell_size_m: float,
    launched: tuple[str, ...] = (),
    sound_speed_m_per_s: float = 20.0,
    gravity_m_per_s2: float = -9.81,
) -> dict[str, Any]:
    """The same for given particles."""
    size = position.shape[0]
    blocks = [n // 4 for n in cells]
    capacity = min(blocks[0] * blocks[1] * blocks[2], 8 * size + 1)
    volume = cell_size_m**3 / 8
    state: dict[str, Any] = {
        "first_particle": 0,
        "completed_steps": 0,
        "sound_step": 0,
        "blocks_x": blocks[0],
        "blocks_y": blocks[1],
        "blocks_z": blocks[2],
        "cell_size_m": F32(cell_size_m),
        "counts": np.zeros(COUNT_WORDS, np.int32),
        "step": np.zeros(STEP_WORDS, F32),
        "material": np.zeros(MATERIAL_WORDS, F32),
        "force": np.zeros(FORCE_WORDS, F32),
        "walls": np.array([1] * 6 + [n - 2 * WALL_CELLS for n in cells] + [0] * (WALLS_WORDS - 9), np.int32),
        "collider": np.zeros((1, COLLIDER_WORDS), F32),
        "terrain_geometry": np.zeros(4, F32),
        "terrain": np.zeros((2, 2), F32),
        "viscosity": np.zeros(1, F32),
        "position": position,
        "velocity": velocity,
        "key": np.zeros(size, np.int32),
        "position_out": np.zeros_like(position),
        "velocity_out": np.zeros_like(velocity),
        "key_out": np.zeros(size, np.int32),
        "order": np.zeros(size, np.int32),
        "block_id": np.zeros(capacity, np.int32),
        "slot": np.zeros(blocks[0] * blocks[1] * blocks[2], np.int32),
        "cell_start": np.zeros(capacity * BLOCK_NODES + 1, np.int32),
        "scratch": np.zeros(
            max(scratch_words(size, capacity, numba.config.NUMBA_NUM_THREADS), device_scratch_words()), np.int32
        ),
        "arena": np.zeros(capacity * ARENA_WORDS, np.int32),
        "node": np.zeros((capacity, BLOCK_NODES, 4), F32),
        "peak": np.zeros((capacity + 1, PEAK_WORDS), F32),
    }
    state["counts"][COUNT_PARTICLES] = size
    state["counts"][COUNT_BLOCKS] = 0
    state["material"][MATERIAL_DENSITY] = 1000.0
    state["material"][MATERIAL_BULK_MODULUS] = bulk_modulus_pa(1000.0, sound_speed_m_per_s)
    state["material"][MATERIAL_PARTICLE_VOLUME] = volume
    state["force"][FORCE_GRAVITY_Z] = gravity_m_per_s2
    state["step"][STEP_FULL] = 8.0
    state["step"][STEP_SOUND_STEPS] = 1.0
    state["step"][STEP_DT] = 0.3 * cell_size_m / sound_speed_m_per_s
    for name in ("mpm_key", "mpm_control", *launched):
        launch(state, name)
    return _Arguments(state)


class _Arguments(dict[str, Any]):
    """State by argument name: ``position_in``, ``position_inout`` are both ``position``."""

    def __missing__(self, name: str) -> Any:
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                return self[name.removesuffix(suffix)]
        raise KeyError(name)


def launch(state: dict[str, Any], name: str) -> None:
    """Run one kernel on the state."""
    kernel = kernel_named(name)
    arguments = _Arguments(state)
    if name == "mpm_key":
        arguments["key_out"] = state["key"]
    kernel.cpu(*[arguments[argument] for argument in kernel.argument_names])


def swap(state: dict[str, Any]) -> None:
    """After g2p: what it wrote becomes what the next substep reads."""
    for name in ("position", "velocity", "key"):
        state[name], state[f"{name}_out"] = state[f"{name}_out"], state[name]


def substep(state: dict[str, Any]) -> None:
    """One whole substep."""
    for name in ("mpm_sort", "mpm_p2g", "mpm_grid", "mpm_g2p"):
        launch(state, name)
    swap(state)
    state["completed_steps"] = 1
    launch(state, "mpm_control")

"""Example inputs of the heat kernels: a cube of lava on a floor, sorted, with its active blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base.common import F32
from kernels.base.constants import (
    BLOCK_NODES,
    COUNT_BLOCKS,
    COUNT_PARTICLES,
    COUNT_WORDS,
    DOMAIN_X,
    DOMAIN_Z,
    MATERIAL_AMBIENT_TEMPERATURE,
    MATERIAL_CONDUCTIVITY,
    MATERIAL_DENSITY,
    MATERIAL_EMISSIVITY,
    MATERIAL_LIQUIDUS,
    MATERIAL_PAPANASTASIOU,
    MATERIAL_PARTICLE_VOLUME,
    MATERIAL_SPECIFIC_HEAT,
    MATERIAL_VFT_A,
    MATERIAL_VFT_B,
    MATERIAL_VFT_C,
    MATERIAL_VISCOSITY_MAX,
    MATERIAL_WORDS,
    MATERIAL_YIELD_STRESS,
    MATERIAL_YIELD_TEMPERATURE,
    NODE_WORDS,
    WALL_CELLS,
    WALLS_WORDS,
)
from kernels.heat.mpm_heat_p2g import ARENA_INT64


def lava_material(particle_volume: float) -> np.ndarray:
    """Lava of Mauna Ulu, 1974."""
    material = np.zeros(MATERIAL_WORDS, F32)
    for slot, value in (
        (MATERIAL_DENSITY, 2600),
        (MATERIAL_VFT_A, -4.7),
        (MATERIAL_VFT_B, 5429.7),
        (MATERIAL_VFT_C, 595.5),
        (MATERIAL_VISCOSITY_MAX, 2000),
        (MATERIAL_YIELD_STRESS, 200),
        (MATERIAL_PAPANASTASIOU, 10),
        (MATERIAL_SPECIFIC_HEAT, 1150),
        (MATERIAL_CONDUCTIVITY, 2),
        (MATERIAL_EMISSIVITY, 0.95),
        (MATERIAL_AMBIENT_TEMPERATURE, 300),
        (MATERIAL_YIELD_TEMPERATURE, 1100),
        (MATERIAL_LIQUIDUS, 1473),
        (MATERIAL_PARTICLE_VOLUME, particle_volume),
    ):
        material[slot] = value
    return material


def make_heat_state(rng: np.random.Generator, size: int, cell_size_m: float = 0.1) -> dict[str, Any]:
    """About ``size`` particles, 8 a cell, on the floor of a box that leaves air above them."""
    edge = max(2, round(size ** (1 / 3)))
    size = edge**3
    cells = (WALL_CELLS * 2 + (edge + 1) // 2 + 4 + 3) // 4 * 4
    lattice = (np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) / 2
    lattice += WALL_CELLS + rng.uniform(-0.1, 0.1, lattice.shape)
    state = sorted_state((lattice * cell_size_m)[rng.permutation(size)], (cells // 4,) * 3, cell_size_m)
    shape = state["heat_node_out"].shape
    node = np.zeros(shape, F32)
    node[:, :, 0] = rng.uniform(1000, 1500, shape[:2])
    node[:, :, 1] = rng.uniform(0, 1, shape[:2])
    done = node.copy()  # by conduction
    done[:, :, 2] = rng.uniform(-1, 1, shape[:2])
    done[:, :, 3] = rng.uniform(0, 2 / cell_size_m, shape[:2])
    return state | {
        "velocity_in": rng.uniform(-2, 2, (size, 12)).astype(F32),
        "temperature_in": rng.uniform(1000, 1500, size).astype(F32),
        "temperature_inout": rng.uniform(1000, 1500, size).astype(F32),
        "arena_in": rng.integers(0, 1 << 34, state["arena_out"].shape),
        "heat_node_in": done,
        "heat_node_inout": node,
        "temperature_out": np.zeros(size, F32),
        "viscosity_out": np.zeros(size, F32),
    }


def sorted_state(points: np.ndarray, blocks: tuple[int, int, int], cell_size_m: float) -> dict[str, Any]:
    """Lava at ``points`` (n, 3), grid-local metres, sorted, with its active blocks; the domain ends with the box."""
    size = len(points)
    position = np.ones((size, 4), F32)
    position[:, :3] = points
    # Sort, stable, by block and cell of the base node
    inverse = F32(1) / F32(cell_size_m)
    base = np.floor(position[:, :3] * inverse - F32(0.5)).astype(np.int64)
    block = np.ravel_multi_index(tuple(base.T // 4), blocks)
    cell = np.ravel_multi_index(tuple(base.T % 4), (4, 4, 4))
    active = np.zeros([n + 1 for n in blocks], bool)
    filled = np.zeros(blocks, bool)
    filled.reshape(-1)[block] = True
    for i, j, k in np.ndindex(2, 2, 2):
        active[i : i + blocks[0], j : j + blocks[1], k : k + blocks[2]] |= filled
    block_id = np.flatnonzero(active[:-1, :-1, :-1].reshape(-1)).astype(np.int32)
    slot = np.full(filled.size, -1, np.int32)
    slot[block_id] = np.arange(block_id.size)
    place = slot[block] * BLOCK_NODES + cell
    counts = np.zeros(COUNT_WORDS, np.int32)
    counts[COUNT_PARTICLES], counts[COUNT_BLOCKS] = size, block_id.size
    walls = np.ones(WALLS_WORDS, np.int32)
    walls[DOMAIN_X : DOMAIN_Z + 1] = [4 * n - 2 * WALL_CELLS for n in blocks]
    return {
        "blocks_x": blocks[0],
        "blocks_y": blocks[1],
        "blocks_z": blocks[2],
        "cell_size_m": F32(cell_size_m),
        "heat_dt_s": F32(1 / 24),
        "counts_in": counts,
        "material_in": lava_material(cell_size_m**3 / 8),
        "walls_in": walls,
        "collider_in": np.zeros((1, 12), F32),
        "terrain_geometry_in": np.zeros(4, F32),
        "terrain_in": np.zeros((2, 2), F32),
        "position_in": position,
        "order_in": np.argsort(place, kind="stable").astype(np.int32),
        "block_id_in": block_id,
        "slot_in": slot,
        "cell_start_in": np.searchsorted(np.sort(place), np.arange(block_id.size * BLOCK_NODES + 1)).astype(np.int32),
        "arena_out": np.zeros((block_id.size, ARENA_INT64), np.int64),
        "heat_node_out": np.zeros((block_id.size, BLOCK_NODES, NODE_WORDS), F32),
    }

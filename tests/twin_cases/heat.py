"""Inputs of the heat kernels, the rheology and the emitter at their edges.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.base.registry import kernel_named
from kernels.heat.mpm_heat_example import make_heat_state

F32 = np.float32
Arguments = dict[str, Any]
Maker = Callable[[np.random.Generator], Arguments]
DENORMAL = F32(1e-42)
FEW = 216  # particles: a cube of three cells' edge


def only(kernel: str, state: Arguments) -> Arguments:
    names = kernel_named(kernel).argument_names
    return {name: state[name] for name in names}


def _state(rng: np.random.Generator) -> Arguments:
    """A small state, with blocks to spare behind the active ones and colliders, terrain and walls close by."""
    state = make_heat_state(rng, FEW)
    for name in ("arena_in", "arena_out", "heat_node_in", "heat_node_inout", "heat_node_out"):
        array = state[name]
        state[name] = np.concatenate([array, np.full((2, *array.shape[1:]), 7, array.dtype)])
    return state


def plain(rng: np.random.Generator) -> Arguments:
    return _state(rng)


def none(rng: np.random.Generator) -> Arguments:
    """No particle and no block; the arrays keep what they held."""
    state = _state(rng)
    state["counts_in"][:] = 0
    return state


def one(rng: np.random.Generator) -> Arguments:
    """One particle in its block; the other blocks are active and empty."""
    state = _state(rng)
    start = state["cell_start_in"]
    first = int(np.flatnonzero(np.diff(start))[0])
    start[:] = np.where(np.arange(start.size) > first, 1, 0)
    state["counts_in"][k.COUNT_PARTICLES] = 1
    return state


def one_cell(rng: np.random.Generator) -> Arguments:
    """All particles in one cell, on its lower corner, at its centre and close to its edges."""
    state = _state(rng)
    count = 95
    start, cell_size_m = state["cell_start_in"], state["cell_size_m"]
    first = int(np.flatnonzero(np.diff(start))[0])
    start[:] = np.where(np.arange(start.size) > first, count, 0)
    state["counts_in"][k.COUNT_PARTICLES] = count
    block, cell = state["block_id_in"][first // 64], first % 64
    edges = [state[f"blocks_{axis}"] for axis in "xyz"]
    base = 4 * np.array(np.unravel_index(block, edges)) + np.unravel_index(cell, (4, 4, 4))
    share = rng.uniform(0.5, 1.5, (count, 3))
    share[:2] = [[0.5], [1.0]]
    state["order_in"][:count] = rng.permutation(count)
    state["position_in"][:count, :3] = (base + share) * cell_size_m
    return state


def corners(rng: np.random.Generator) -> Arguments:
    """A grid of 2 x 2 x 3 blocks, most of them active, none with particles: each has neighbours that are missing."""
    state = _state(rng)
    state.update(blocks_x=2, blocks_y=2, blocks_z=3)
    state["block_id_in"] = np.array([0, 1, 2, 3, 5, 6, 9, 11], np.int32)
    state["slot_in"] = np.full(12, -1, np.int32)
    state["slot_in"][state["block_id_in"]] = np.arange(8)
    state["counts_in"][:] = 0
    state["counts_in"][k.COUNT_BLOCKS] = 8
    state["cell_start_in"] = np.zeros(8 * 64 + 1, np.int32)
    return state


def covered(rng: np.random.Generator) -> Arguments:
    """Terrain that rises into the lava, a sphere in it, a sphere above it, and one row of no collider."""
    state = _state(rng)
    state["terrain_geometry_in"] = np.array([0.3, 0.3, 0.2, k.TERRAIN_STICK], F32)
    state["terrain_in"] = rng.uniform(0.3, 0.7, (4, 5)).astype(F32)
    colliders = np.zeros((3, k.COLLIDER_WORDS), F32)
    colliders[0, 0], colliders[2, 0] = k.COLLIDER_SPHERE, k.COLLIDER_BOX
    colliders[0, k.COLLIDER_A : k.COLLIDER_B + 1] = 0.45, 0.45, 0.7, 0.12
    colliders[2, k.COLLIDER_A : k.COLLIDER_B + 3] = 0.7, 0.55, 0.6, 0.05, 0.1, 0.1
    state["collider_in"] = colliders
    return state


def cold(rng: np.random.Generator) -> Arguments:
    """At the surroundings' temperature and below, next to no dT, next to no fill."""
    state = _state(rng)
    state["material_in"][k.MATERIAL_AMBIENT_TEMPERATURE] = 0
    for name in ("temperature_in", "temperature_inout"):
        state[name] = (rng.integers(-3, 4, state[name].shape) * DENORMAL).astype(F32)
    for name in ("heat_node_in", "heat_node_inout"):
        state[name][..., 0] = rng.integers(-3, 4, state[name].shape[:2]) * DENORMAL
        state[name][..., 1] = rng.integers(0, 4, state[name].shape[:2]) * DENORMAL
        state[name][..., 2] = rng.integers(-3, 4, state[name].shape[:2]) * DENORMAL
        state[name][..., 3] = rng.integers(0, 4, state[name].shape[:2]) * DENORMAL
    state["arena_in"] = rng.integers(-4, 1 << 21, state["arena_in"].shape)
    state["velocity_in"] *= DENORMAL
    return state


def hot(rng: np.random.Generator) -> Arguments:
    """Temperatures, strain rates and steps far beyond what lava knows."""
    state = _state(rng)
    state["heat_dt_s"] = F32(1e4)
    for name in ("temperature_in", "temperature_inout"):
        state[name] = (10.0 ** rng.uniform(2, 5, state[name].shape)).astype(F32)
    state["heat_node_in"][..., 2] = rng.uniform(-2000, 2000, state["heat_node_in"].shape[:2])
    state["heat_node_in"][..., 3] *= rng.choice(np.array([0, 1, 1e4], F32), state["heat_node_in"].shape[:2])
    state["arena_in"] = rng.integers(-(1 << 50), 1 << 50, state["arena_in"].shape)
    state["velocity_in"] *= F32(1e4)
    return state


def fluid(rng: np.random.Generator) -> Arguments:
    """A melt without a yield stress, whose viscosity hits its bounds."""
    state = _state(rng)
    state["material_in"][k.MATERIAL_YIELD_STRESS] = 0
    state["temperature_in"] = rng.uniform(500, 700, state["temperature_in"].shape).astype(F32)
    return state


def melt(rng: np.random.Generator) -> Arguments:
    """Very many slow particles of every viscosity: a rounding that is off shows in few of them."""
    state = make_heat_state(rng, 27**3)
    state["velocity_in"] *= F32(0.1)
    state["temperature_in"] = rng.uniform(1200, 1500, state["temperature_in"].shape).astype(F32)
    state["material_in"][k.MATERIAL_VISCOSITY_MAX] = 1e6
    return state


def unregularised(rng: np.random.Generator) -> Arguments:
    """A yield stress that Papanastasiou's exponent of 0 switches off."""
    state = _state(rng)
    state["material_in"][k.MATERIAL_PAPANASTASIOU] = 0
    return state


def faint(rng: np.random.Generator) -> Arguments:
    """A yield stress and an exponent below 1, strain rates down to rest."""
    state = _state(rng)
    state["material_in"][[k.MATERIAL_YIELD_STRESS, k.MATERIAL_PAPANASTASIOU]] = 0.5
    state["velocity_in"] *= rng.integers(0, 3, state["velocity_in"].shape[0]).astype(F32)[:, None] * F32(1e-3)
    return state


def full(rng: np.random.Generator) -> Arguments:
    """Nodes that hold more than a full lattice."""
    state = _state(rng)
    for name in ("heat_node_in", "heat_node_inout"):
        state[name][..., 1] = rng.uniform(0.4, 1.6, state[name].shape[:2])
    return state


def stopped(rng: np.random.Generator) -> Arguments:
    """A sort has found too little room: there are no blocks, and temperatures stay as they are."""
    state = _state(rng)
    state["counts_in"][[k.COUNT_BLOCKS_NEEDED, k.COUNT_BLOCKS]] = 500, 0
    return state


def gaps(rng: np.random.Generator) -> Arguments:
    """Particles that reach into blocks which are not there."""
    state = _state(rng)
    occupied = np.diff(state["cell_start_in"][::64]) > 0
    state["slot_in"][state["block_id_in"][~occupied][::2]] = -1
    return state


def box_of_nodes(rng: np.random.Generator) -> Arguments:
    """4 x 4 x 4 blocks without particles, a few of them missing: a domain of 8 x 9 x 8 cells and what is round it."""
    state, edges = _state(rng), (4, 4, 4)
    state.update(zip(("blocks_x", "blocks_y", "blocks_z"), edges), cell_size_m=F32(0.125))
    state["walls_in"][k.DOMAIN_X : k.DOMAIN_Z + 1] = 8, 9, 8
    state["block_id_in"] = np.delete(np.arange(64, dtype=np.int32), [0, 22, 41])
    state["slot_in"] = np.full(64, -1, np.int32)
    state["slot_in"][state["block_id_in"]] = np.arange(61)
    state["counts_in"][[k.COUNT_PARTICLES, k.COUNT_BLOCKS]] = 0, 61
    state["cell_start_in"] = np.zeros(61 * 64 + 1, np.int32)
    node = np.zeros((61, 64, 4), F32)
    node[..., 0] = rng.uniform(1000, 1500, node.shape[:2])
    node[..., 1] = rng.uniform(0, 1.2, node.shape[:2]) * (rng.random(node.shape[:2]) < 0.8)
    state["heat_node_inout"] = node
    return state


def among_colliders(rng: np.random.Generator) -> Arguments:
    """A box of nodes with a collider of each kind in it, and thin ones between its nodes."""
    state = box_of_nodes(rng)
    kinds = (k.COLLIDER_SPHERE, k.COLLIDER_BOX, k.COLLIDER_CAPSULE, k.COLLIDER_CYLINDER, k.COLLIDER_VESSEL)
    colliders = np.zeros((7, k.COLLIDER_WORDS), F32)
    colliders[:5, k.COLLIDER_KIND] = kinds
    colliders[:, k.COLLIDER_A : k.COLLIDER_A + 3] = rng.uniform(0.6, 1.4, (7, 3))
    colliders[0, k.COLLIDER_B] = 0.15
    colliders[1, k.COLLIDER_B : k.COLLIDER_C + 1] = 0.1, 0.2, 0.04, 0.01
    colliders[2, k.COLLIDER_B : k.COLLIDER_C + 1] = 0.9, 1.2, 1.1, 0.1
    colliders[3, k.COLLIDER_B : k.COLLIDER_C + 1] = 0.1, 0, 0.2, 0.02
    colliders[4, k.COLLIDER_B] = 0.55
    colliders[6, k.COLLIDER_KIND] = k.COLLIDER_BOX
    colliders[6, k.COLLIDER_B : k.COLLIDER_B + 3] = 0.3, 0.3, 0.03
    state["collider_in"] = colliders
    return state


def over_terrain(rng: np.random.Generator) -> Arguments:
    """A box of nodes over rough ground, in part of it."""
    state = box_of_nodes(rng)
    state["terrain_geometry_in"] = np.array([0.3, 0.3, 0.2, k.TERRAIN_STICK], F32)
    state["terrain_in"] = rng.uniform(0.7, 1.2, (6, 5)).astype(F32)
    return state


STATES: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        plain, none, one, one_cell, corners, covered, cold, hot, fluid, melt, unregularised, faint, full, gaps, stopped,
        box_of_nodes, among_colliders, over_terrain,
    )
}  # fmt: skip
USED = {
    "mpm_heat_p2g": ("plain", "none", "one", "one_cell", "corners", "cold", "hot"),
    "mpm_heat_grid": ("plain", "none", "corners", "cold", "hot"),
    "mpm_heat_conduct": (
        "plain", "none", "corners", "full", "covered", "cold", "hot", "box_of_nodes", "among_colliders", "over_terrain",
    ),
    "mpm_heat_g2p": ("plain", "none", "one", "one_cell", "corners", "full", "gaps", "cold", "hot"),
    "mpm_rheology": ("plain", "none", "one", "cold", "hot", "fluid", "melt", "unregularised", "faint", "stopped"),
}  # fmt: skip


def _from_state(kernel: str, label: str) -> Maker:
    return lambda rng: only(kernel, STATES[label](rng))


def _emit(rng: np.random.Generator, count: int, direction: tuple[float, ...], heat: bool = True) -> Arguments:
    arguments = kernel_named("mpm_emit").example(rng, max(count, 1))
    room = 5
    for name in ("position_inout", "velocity_inout", "temperature_inout", "viscosity_inout"):
        array = arguments[name]
        arguments[name] = np.full((array.shape[0] + 2 * room, *array.shape[1:]), 7, array.dtype)
    if not heat:
        arguments["temperature_inout"], arguments["viscosity_inout"] = np.zeros((2, 1), F32)
    arguments["first"], arguments["emit_count"] = room, count
    arguments["serial"] = 2**32 - 3  # the words wrap
    emitter = arguments["emitter_in"]
    emitter[k.EMITTER_X : k.EMITTER_DIRECTION], emitter[k.EMITTER_VISCOSITY] = (2, 2.25, 1), 90
    emitter[k.EMITTER_DIRECTION : k.EMITTER_RADIUS] = direction
    return arguments


def _stopped_emit(rng: np.random.Generator) -> Arguments:
    """A sort has found too little room: nothing comes out."""
    arguments = _emit(rng, 300, (0, 0, -1))
    arguments["counts_inout"][k.COUNT_BLOCKS_NEEDED] = 500
    return arguments


CASES: dict[str, dict[str, Maker]] = {
    kernel: {label: _from_state(kernel, label) for label in labels} for kernel, labels in USED.items()
}
CASES["mpm_emit"] = {
    "stopped": _stopped_emit,
    "none": lambda rng: _emit(rng, 0, (0, 0, 1)),
    "one": lambda rng: _emit(rng, 1, (0, 0, 1)),
    "down": lambda rng: _emit(rng, 300, (0, 0, -1)),
    "level": lambda rng: _emit(rng, 257, (1, 0, -0.0), heat=False),
    "slant": lambda rng: _emit(rng, 600, (-0.48, 0.6, 0.64)),
}

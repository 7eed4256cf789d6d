"""Inputs of the effects particles' kernels at their edges.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.base.registry import kernel_named
from kernels.effects.fx_air import CHUNK

F32 = np.float32
Arguments = dict[str, Any]
Maker = Callable[[np.random.Generator], Arguments]
DENORMAL = F32(1e-42)


def _example(kernel: str, rng: np.random.Generator, size: int) -> Arguments:
    arguments: Arguments = kernel_named(kernel).example(rng, size)
    return arguments


# --- fx_move ------------------------------------------------------------------------------------


def move_plain(rng: np.random.Generator) -> Arguments:
    """Some dead ones among them, some that run out of life in the frame."""
    arguments = _example("fx_move", rng, CHUNK + 177)
    size = arguments["effect_kind_inout"].size
    arguments["effect_kind_inout"][rng.random(size) < 0.2] = k.EFFECT_NONE
    arguments["effect_velocity_inout"][::5, 3] = rng.uniform(0, 0.05, arguments["effect_velocity_inout"][::5, 3].shape)
    return arguments


def move_none(rng: np.random.Generator) -> Arguments:
    """No particle: what the arrays hold beyond the count stays; every chunk counts zero."""
    arguments = _example("fx_move", rng, CHUNK + 1)
    arguments["counts_in"][:] = 0
    arguments["alive_out"][:] = 9
    return arguments


def move_one(rng: np.random.Generator) -> Arguments:
    arguments = _example("fx_move", rng, 3)
    arguments["counts_in"][k.COUNT_EFFECTS] = 1
    return arguments


def move_dying(rng: np.random.Generator) -> Arguments:
    """All run out of life, at the first sub-step or a later one."""
    arguments = _example("fx_move", rng, 300)
    arguments["effect_velocity_inout"][:, 3] = rng.uniform(-0.01, 1 / 24, 300)
    return arguments


def move_dead(rng: np.random.Generator) -> Arguments:
    arguments = _example("fx_move", rng, 100)
    arguments["effect_kind_inout"][:] = k.EFFECT_NONE
    return arguments


def move_edges(rng: np.random.Generator) -> Arguments:
    """Particles at and beyond the box, some far outside."""
    arguments = _example("fx_move", rng, 400)
    position = arguments["effect_position_inout"]
    position[:, :3] = rng.uniform(-0.5, 3.7, (400, 3))
    position[::7, :3] = rng.integers(-3, 36, position[::7, :3].shape) * arguments["cell_size_m"]
    position[::11, 2] = 1e4
    return arguments


def move_solids(rng: np.random.Generator) -> Arguments:
    """A vortex with wind, terrain, and colliders of every kind."""
    arguments = _example("fx_move", rng, 400)
    force = arguments["force_in"]
    for slot, value in (
        (k.VORTEX_ON, 1),
        (k.VORTEX_X, 1.6),
        (k.VORTEX_Y, 1.5),
        (k.VORTEX_Z_LOW, 0.5),
        (k.VORTEX_Z_HIGH, 2.5),
        (k.VORTEX_CORE, 0.3),
        (k.VORTEX_SWIRL, 6),
        (k.VORTEX_UPDRAFT, 4),
        (k.VORTEX_INFLOW, 1),
        (k.VORTEX_RATE, 5),
        (k.VORTEX_FLARE, 0.1),
        (k.VORTEX_SWAY, 0.2),
        (k.VORTEX_REACH, 0.8),
    ):
        force[slot] = value
    arguments["effect_params_in"][k.EFFECT_PARAM_WIND] = 0.7
    arguments["terrain_geometry_in"] = np.array([0.4, 0.6, 0.5, k.TERRAIN_SLIP], F32)
    arguments["terrain_in"] = rng.uniform(0.3, 1.5, (5, 4)).astype(F32)
    colliders = np.zeros((6, k.COLLIDER_WORDS), F32)
    colliders[:, k.COLLIDER_KIND] = (
        k.COLLIDER_SPHERE, k.COLLIDER_BOX, 0, k.COLLIDER_CAPSULE, k.COLLIDER_CYLINDER, k.COLLIDER_VESSEL,
    )  # fmt: skip
    centre, shape = slice(k.COLLIDER_A, k.COLLIDER_A + 3), slice(k.COLLIDER_B, k.COLLIDER_C + 1)
    for row, place, measures in (
        (0, (1.0, 1.0, 1.9), (0.3, 0, 0, 0)),
        (1, (2.0, 1.2, 2.0), (0.3, 0.2, 0.25, 0.05)),
        (3, (0.8, 2.2, 1.7), (1.6, 2.4, 2.1, 0.15)),
        (4, (2.2, 2.2, 1.8), (0.2, 0, 0.3, 0.02)),
        (5, (1.6, 1.6, 1.6), (1.3, 0, 0, 0)),
    ):
        colliders[row, centre], colliders[row, shape] = place, measures
    arguments["collider_in"] = colliders
    return arguments


def move_still(rng: np.random.Generator) -> Arguments:
    """No air, no drag, no foam, denormal speeds and masses; nothing happens but life. A vortex that gives no wind."""
    arguments = _example("fx_move", rng, 200)
    arguments["effect_params_in"][:] = 0
    arguments["force_in"][:] = 0
    arguments["force_in"][[k.VORTEX_ON, k.VORTEX_Z_HIGH, k.VORTEX_CORE]] = 1, 9, 1
    x, y = arguments["effect_position_inout"][:2, :2].T
    arguments["force_in"][[k.VORTEX_X, k.VORTEX_Y]] = x[1], y[1]  # 0 / 0 there for one who asks
    arguments["effect_velocity_inout"][:, :3] *= DENORMAL
    arguments["node_in"][:, :, :3] *= DENORMAL
    arguments["node_in"][::2, :, 3] *= DENORMAL
    return arguments


def move_dry(rng: np.random.Generator) -> Arguments:
    """No block of liquid at all: foam comes loose."""
    arguments = _example("fx_move", rng, 200)
    arguments["slot_in"][:] = -1
    return arguments


def move_thresholds(rng: np.random.Generator) -> Arguments:
    """At rest exactly on what decides: fills, walls, terrain, a collider's surface, the end of a life."""
    arguments = _example("fx_move", rng, 7 * 27 + 14)
    dx = F32(0.125)
    arguments["cell_size_m"] = dx
    arguments["material_in"][k.MATERIAL_PARTICLE_VOLUME] = dx * dx * dx  # a node's mass is its fill
    arguments["effect_params_in"][k.EFFECT_PARAM_TURBULENCE] = 0
    arguments["force_in"][:] = 0
    blocks = arguments["slot_in"]
    blocks[blocks >= 0] = np.roll(blocks[blocks >= 0], 110)  # slot 0 lies in the middle
    node = arguments["node_in"]
    fills = np.array([0, 0.05, 0.06, 0.5, 0.51, 0.9, 0.91], F32)
    node[:, :, :3], node[:, :, 3] = 0, fills[rng.integers(0, 7, node.shape[:2])]
    node[0, :, 3] = fills[4]
    arguments["terrain_geometry_in"] = np.array([0, 0, 2, k.TERRAIN_STICK], F32)
    arguments["terrain_in"] = np.array([[0, 0], [0, 0], [4, 4]], F32)
    arguments["collider_in"][0, 0] = k.COLLIDER_SPHERE
    arguments["collider_in"][0, k.COLLIDER_A : k.COLLIDER_B + 1] = 2, 2, 3, 0.25
    position, velocity = arguments["effect_position_inout"], arguments["effect_velocity_inout"]
    position[:, :3] = rng.integers(10, 29, position[:, :3].shape) * dx
    position[:14, :3] = 3
    position[12, :3] = 12 * dx  # on the first node of block (3, 3, 3)
    node[blocks[(3 * 8 + 3) * 8 + 3], 0, 3] = fills[3]
    position[13, :3] = np.array([13, 13, 11]) * dx  # in slot 0
    low, high = 3.5 * dx, 28.5 * dx
    position[:9, :3] = [
        (low, 3, 3), (3, low, 3), (0.5, 3, low), (high, 3, 3.25), (3, high, 3), (3, 3, high),
        (3, 3, 2), (2, 2, 3.25), (2, 2.25, 3),
    ]  # fmt: skip
    velocity[:, :3], velocity[:, 3] = 0, 1
    velocity[9:12, 3] = arguments["frame_dt_s"] / F32(4) * np.arange(1, 4, dtype=F32)
    arguments["effect_kind_inout"][:14] = k.EFFECT_SPRAY
    return arguments


def move_leaving(rng: np.random.Generator) -> Arguments:
    """Gravity to the side, through the walls of the box, over terrain."""
    arguments = move_solids(rng)
    arguments["force_in"][k.FORCE_GRAVITY_X : k.FORCE_GRAVITY_Z + 1] = -60, 45, 30
    arguments["force_in"][k.VORTEX_ON] = 0
    arguments["collider_in"][:] = 0
    arguments["terrain_in"] -= F32(1)
    return arguments


def move_odd_domain(rng: np.random.Generator) -> Arguments:
    """High walls that no block ends at."""
    arguments = move_leaving(rng)
    arguments["walls_in"][k.DOMAIN_X : k.DOMAIN_Z + 1] -= np.array([1, 2, 3], np.int32)
    return arguments


# --- fx_birth_count, fx_birth -------------------------------------------------------------------


def count_plain(rng: np.random.Generator) -> Arguments:
    return _example("fx_birth_count", rng, 2 * CHUNK + 100)


def count_none(rng: np.random.Generator) -> Arguments:
    """No particle; chunks beyond the count send out nothing."""
    arguments = _example("fx_birth_count", rng, 2 * CHUNK)
    arguments["counts_in"][:] = 0
    arguments["births_out"][:] = 9
    return arguments


def count_one(rng: np.random.Generator) -> Arguments:
    """One that sends out as many as can be, of each kind."""
    arguments = count_many(rng)
    arguments["counts_in"][k.COUNT_PARTICLES] = 1
    return arguments


def count_many(rng: np.random.Generator, size: int = 300) -> Arguments:
    arguments = _example("fx_birth_count", rng, size)
    params = arguments["effect_params_in"]
    params[[k.EFFECT_PARAM_SPRAY_RATE, k.EFFECT_PARAM_FOAM_RATE, k.EFFECT_PARAM_EMBER_RATE]] = 400, 90, 200
    params[k.EFFECT_PARAM_SURFACE_FRACTION] = 1e3
    params[k.EFFECT_PARAM_EMBER_TEMPERATURE] = 1000
    return arguments


def count_borders(rng: np.random.Generator) -> Arguments:
    """Births on both sides of where one chunk ends and the next begins."""
    return count_many(rng, 2 * CHUNK + 7)


def count_water(rng: np.random.Generator) -> Arguments:
    """No heat: the temperatures are one word, which nobody reads."""
    arguments = _example("fx_birth_count", rng, 600)
    arguments["effect_params_in"][k.EFFECT_PARAM_EMBER_RATE] = 0
    arguments["effect_params_in"][k.EFFECT_PARAM_SPRAY_RATE] = 40
    arguments["temperature_in"] = np.zeros(1, F32)
    return arguments


def count_ramps(rng: np.random.Generator) -> Arguments:
    """Thresholds that coincide, speeds, strain rates, fills and temperatures on them, and denormal ones."""
    arguments = count_many(rng)
    params = arguments["effect_params_in"]
    params[k.EFFECT_PARAM_SURFACE_FRACTION] = 0
    arguments["position_in"][:, 2] += 1  # above the liquid, or in it
    arguments["temperature_in"][::2] = params[k.EFFECT_PARAM_EMBER_TEMPERATURE]
    params[[k.EFFECT_PARAM_SPEED_LOW, k.EFFECT_PARAM_SPEED_HIGH]] = 2
    params[[k.EFFECT_PARAM_STRAIN_LOW, k.EFFECT_PARAM_STRAIN_HIGH]] = 0, DENORMAL
    velocity = arguments["velocity_in"]
    velocity[::3, :3] = 2, 0, 0
    velocity[1::3, :3] = 0, DENORMAL, 0
    velocity[::2, 3:] *= DENORMAL
    return arguments


def count_slopes(rng: np.random.Generator) -> Arguments:
    """Speeds and strain rates between their thresholds."""
    arguments = count_many(rng)
    params = arguments["effect_params_in"]
    params[[k.EFFECT_PARAM_SPEED_LOW, k.EFFECT_PARAM_SPEED_HIGH]] = 0.5, 8
    params[[k.EFFECT_PARAM_STRAIN_LOW, k.EFFECT_PARAM_STRAIN_HIGH]] = 3, 30
    return arguments


def count_edges(rng: np.random.Generator) -> Arguments:
    arguments = count_many(rng)
    arguments["position_in"][:, :3] = rng.uniform(-0.2, 3.4, (300, 3))
    arguments["effect_params_in"][k.EFFECT_PARAM_SURFACE_FRACTION] = 0.4
    arguments["seed"], arguments["frame"] = 2**32 - 1, 2**31
    return arguments


COUNTS: dict[str, Maker] = {
    "plain": count_plain,
    "none": count_none,
    "one": count_one,
    "many": count_many,
    "borders": count_borders,
    "water": count_water,
    "ramps": count_ramps,
    "slopes": count_slopes,
    "edges": count_edges,
}


def birth_from(count: Arguments, alive: int, room: int | None) -> Arguments:
    """The births of a count's arguments, behind ``alive`` survivors; ``room`` places for them, or enough."""
    from kernels.effects.fx_birth_count import cpu as count_births

    count = dict(count)
    count_births(*count.values())
    births = count.pop("births_out")
    total = int(births.sum())
    capacity = alive + (total if room is None else room)
    names = list(count)
    rows = max(capacity, alive + 1)
    return {
        **{name: count[name] for name in names[:8]},
        "effect_capacity": capacity,
        **{name: count[name] for name in names[8:]},
        "alive_offset_in": np.array([0, alive], np.int32),
        "birth_offset_in": np.concatenate([[0], np.cumsum(births)]).astype(np.int32),
        "effect_position_out": np.full((rows, 4), 7, F32),
        "effect_velocity_out": np.full((rows, 4), 7, F32),
        "effect_kind_out": np.full(rows, 7, np.int32),
        "effect_temperature_out": np.full(rows, 7, F32),
    }


def _birth(label: str, alive: int, room: int | None) -> Maker:
    return lambda rng: birth_from(COUNTS[label](rng), alive, room)


# --- fx_scan, fx_compact ------------------------------------------------------------------------


def scan(rng: np.random.Generator, alive: int, births: int, capacity: int) -> Arguments:
    return {
        "counts_inout": np.full(k.COUNT_WORDS, 5, np.int32),
        "effect_capacity": capacity,
        "alive_in": rng.integers(0, CHUNK + 1, alive).astype(np.int32),
        "births_in": (rng.integers(0, 24 * CHUNK, births) * rng.integers(0, 2, births)).astype(np.int32),
        "alive_offset_out": np.full(alive + 1, -1, np.int32),
        "birth_offset_out": np.full(births + 1, -1, np.int32),
    }


def compact(rng: np.random.Generator, size: int, share: float, stale: int = 0) -> Arguments:
    """``size`` particles of which a share lives, and ``stale`` words behind them that look alive."""
    arguments = _example("fx_compact", rng, size + stale)
    kind = arguments["effect_kind_in"]
    kind[:] = rng.integers(1, 4, size + stale) * (rng.random(size + stale) < share)
    kind[size:] = k.EFFECT_SPRAY
    chunks = (size + stale + CHUNK - 1) // CHUNK
    alive = [int((kind[i * CHUNK : min((i + 1) * CHUNK, size)] != k.EFFECT_NONE).sum()) for i in range(chunks)]
    arguments["alive_offset_in"] = np.concatenate([[0], np.cumsum(alive)]).astype(np.int32)
    for name in ("effect_position", "effect_velocity", "effect_kind", "effect_temperature"):
        arguments[f"{name}_out"][:] = 7
    arguments["effect_position_in"][::3] *= DENORMAL
    return arguments


CASES: dict[str, dict[str, Maker]] = {
    "fx_move": {
        "plain": move_plain,
        "none": move_none,
        "one": move_one,
        "all dying": move_dying,
        "none alive": move_dead,
        "edges of the box": move_edges,
        "vortex and solids": move_solids,
        "still": move_still,
        "dry": move_dry,
        "thresholds": move_thresholds,
        "leaving": move_leaving,
        "odd domain": move_odd_domain,
    },
    "fx_birth_count": COUNTS,
    "fx_birth": {
        "plain": _birth("plain", 4, None),
        "none": _birth("none", 4, None),
        "one": _birth("one", 0, None),
        "many": _birth("many", 1, None),
        "water": _birth("water", 1, None),
        "edges": _birth("edges", 1, None),
        "no room": _birth("many", 4, 0),
        "one place": _birth("many", 4, 1),
        "seven places": _birth("plain", 0, 7),
        "most fit": _birth("many", 2, 3000),
        "less room than survivors": _birth("slopes", 2000, 900),
    },
    "fx_scan": {
        "nothing": lambda rng: scan(rng, 0, 0, 10),
        "one": lambda rng: scan(rng, 1, 1, 10**6),
        "no effects": lambda rng: scan(rng, 0, 3, 10**6),
        "uneven": lambda rng: scan(rng, 3, 1030, 10**8),
        "more than a round": lambda rng: scan(rng, 4100, 4096, 10**9),
        "full": lambda rng: scan(rng, 33, 7, 17),
    },
    "fx_compact": {
        "none": lambda rng: compact(rng, 0, 1.0, stale=5),
        "one": lambda rng: compact(rng, 1, 1.0),
        "none alive": lambda rng: compact(rng, 1500, 0.0),
        "all alive": lambda rng: compact(rng, 2 * CHUNK, 1.0),
        "half alive": lambda rng: compact(rng, 2500, 0.5, stale=700),
        "few alive": lambda rng: compact(rng, 3 * CHUNK - 1, 0.01),
    },
}

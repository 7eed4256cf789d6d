"""Inputs of the effects particles' kernels at the edges of their comparisons.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import numpy as np

from kernels.base import constants as k
from kernels.effects.fx_air import CHUNK, chance
from kernels.effects.fx_source import STREAM_COUNT
from tests.twin_cases.effects import F32, Arguments, Maker, birth_from, count_many, move_solids


def move_axis(rng: np.random.Generator) -> Arguments:
    """Next to the axis of a vortex."""
    arguments = move_solids(rng)
    arguments["force_in"][[k.VORTEX_X, k.VORTEX_Y, k.VORTEX_SWAY]] = 0
    arguments["effect_position_inout"][:, :3] *= np.array([1e-21, 0, 1], F32)
    return arguments


def move_no_core(rng: np.random.Generator) -> Arguments:
    """A vortex whose core is nothing does nothing."""
    arguments = move_solids(rng)
    arguments["force_in"][[k.VORTEX_CORE, k.VORTEX_FLARE]] = 0
    return arguments


def count_no_scatter(rng: np.random.Generator) -> Arguments:
    """Born with the speed of their parent, to the sign of a zero."""
    arguments = count_many(rng)
    arguments["effect_params_in"][[k.EFFECT_PARAM_SCATTER, k.EFFECT_PARAM_LIFE_MAX]] = 0, 2.9
    arguments["velocity_in"][:, 2] = -0.0
    return arguments


def count_just_enough(rng: np.random.Generator) -> Arguments:
    """What is expected and the luckiest particle's number add up to exactly one birth of each kind."""
    arguments = count_many(rng)
    rates = slice(k.EFFECT_PARAM_SPRAY_RATE, k.EFFECT_PARAM_SPEED_LOW)
    arguments["effect_params_in"][k.EFFECT_PARAM_SPEED_LOW : k.EFFECT_PARAM_STRAIN_HIGH + 1] = 0  # all of the potential
    frame, seed = arguments["frame"], arguments["seed"]
    luck = np.array([chance(p, frame, STREAM_COUNT, seed)[:3] for p in range(len(arguments["position_in"]))], F32)
    arguments["effect_params_in"][rates] = F32(1) - luck.max(axis=0)
    arguments["frame_dt_s"] = F32(1)
    return arguments


def count_embers_of_water(rng: np.random.Generator) -> Arguments:
    """Embers are asked for and there is no heat: there are none, and the temperatures are one word."""
    arguments = count_many(rng)
    arguments["temperature_in"] = np.full(1, 5000, F32)
    return arguments


def count_not_finite(rng: np.random.Generator) -> Arguments:
    """Speeds that are no numbers, places beyond every lattice: a state that is refused, once the frame is over."""
    arguments = count_many(rng)
    velocity, position = arguments["velocity_in"], arguments["position_in"]
    velocity[::7, 0], velocity[1::7, 4], velocity[2::7] = np.nan, np.nan, np.inf
    position[3::7, :3], position[4::7, 1], position[5::7, 2] = 1e30, -3e9, np.nan
    position[::21, 0] = -np.inf
    return arguments


def count_outside(rng: np.random.Generator) -> Arguments:
    """On both sides of where the first and the last node are still in reach, on each axis."""
    arguments = count_many(rng, 6 * 40)
    cell, cells = arguments["cell_size_m"], [arguments[f"cells_{axis}"] for axis in "xyz"]
    arguments["slot_in"][:] = np.arange(arguments["slot_in"].size) % len(arguments["node_in"])
    arguments["effect_params_in"][k.EFFECT_PARAM_SURFACE_FRACTION] = 0.3
    for axis in range(3):
        for side, edge in ((0, -1), (1, cells[axis])):
            rows = arguments["position_in"][axis * 80 + side * 40 : axis * 80 + side * 40 + 40, axis]
            rows[:] = cell * F32(edge) + rng.integers(-2, 3, 40).astype(F32) * cell * F32(2**-20)
    return arguments


CASES: dict[str, dict[str, Maker]] = {
    "fx_move": {
        "at the axis": move_axis,
        "no core": move_no_core,
    },
    "fx_birth_count": {
        "no scatter": count_no_scatter,
        "just enough": count_just_enough,
        "embers of water": count_embers_of_water,
        "not finite": count_not_finite,
        "outside": count_outside,
        "many chunks": lambda rng: count_many(rng, 7 * CHUNK),  # more than a small device has blocks
    },
    "fx_birth": {
        "no scatter": lambda rng: birth_from(count_no_scatter(rng), 1, None),
        "embers of water": lambda rng: birth_from(count_embers_of_water(rng), 1, None),
        "not finite": lambda rng: birth_from(count_not_finite(rng), 1, None),
    },
}

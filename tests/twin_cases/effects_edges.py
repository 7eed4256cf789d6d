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


CASES: dict[str, dict[str, Maker]] = {
    "fx_move": {
        "at the axis": move_axis,
        "no core": move_no_core,
    },
    "fx_birth_count": {
        "no scatter": count_no_scatter,
        "just enough": count_just_enough,
        "many chunks": lambda rng: count_many(rng, 7 * CHUNK),  # more than a small device has blocks
    },
    "fx_birth": {
        "no scatter": lambda rng: birth_from(count_no_scatter(rng), 1, None),
    },
}

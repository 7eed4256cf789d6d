"""Inputs of mpm_key at their edges.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.mpm import mpm_key
from kernels.mpm.mpm_common import PEAK_VOLUME_MIN

F32 = np.float32
Arguments = dict[str, Any]
Maker = Callable[[np.random.Generator], Arguments]


def plain(rng: np.random.Generator, size: int = 700) -> Arguments:
    return mpm_key.KERNEL.example(rng, size)


def none(rng: np.random.Generator) -> Arguments:
    """No particle: keys and peaks stay as they are."""
    arguments = plain(rng, 5)
    arguments["counts_inout"][k.COUNT_PARTICLES] = 0
    return arguments


def none_new(rng: np.random.Generator) -> Arguments:
    """None behind the first one; a whole number of blocks of threads."""
    arguments = plain(rng, 512)
    arguments["first_particle"] = 512
    return arguments


def one(rng: np.random.Generator) -> Arguments:
    return plain(rng, 1)


def later(rng: np.random.Generator) -> Arguments:
    """Emitted particles join: the row holds peaks already, some higher, some lower."""
    arguments = plain(rng)
    arguments["first_particle"] = 300
    arguments["peak_inout"][-1, :6] = 0.1, 9.0, 0.0, 0.2, 0.9995, 1.0
    return arguments


def outside(rng: np.random.Generator) -> Arguments:
    """One particle beyond each wall, and one that is nowhere."""
    arguments = plain(rng)
    box = float(arguments["cell_size_m"]) * 4 * np.array([arguments[f"blocks_{axis}"] for axis in "xyz"])
    for axis in range(3):
        arguments["position_in"][axis, axis] = -0.3 * box[axis]
        arguments["position_in"][10 + axis, axis] = 1.2 * box[axis]
    arguments["position_in"][20, 1] = np.nan
    return arguments


def odd_domain(rng: np.random.Generator) -> Arguments:
    """High walls that no block ends at; some particles stand beyond them."""
    arguments = plain(rng)
    arguments["walls_in"][k.DOMAIN_X : k.DOMAIN_Z + 1] -= np.array([3, 2, 5], np.int32)
    return arguments


def one_outside(rng: np.random.Generator) -> Arguments:
    arguments = plain(rng)
    arguments["position_in"][699, 2] = 0.0
    return arguments


def stopped(rng: np.random.Generator) -> Arguments:
    """A sort has found too little room: keys, peaks and errors stay as they are."""
    arguments = outside(rng)
    arguments["counts_inout"][k.COUNT_BLOCKS_NEEDED] = 500
    return arguments


def extreme(rng: np.random.Generator) -> Arguments:
    """Infinite, denormal and absent numbers; volume ratios of 0 and below."""
    arguments = plain(rng)
    velocity, position = arguments["velocity_in"], arguments["position_in"]
    velocity[:] *= F32(1e-40)
    velocity[3, 0], velocity[5, 1], velocity[7, 11] = np.inf, np.nan, 3e38
    position[9, 3], position[11, 3], position[13, 3] = 0.0, -2.0, 1e-42
    return arguments


def still(rng: np.random.Generator) -> Arguments:
    arguments = plain(rng)
    arguments["velocity_in"][:] = 0.0
    arguments["velocity_in"][::3] = -0.0
    return arguments


def steep(word: int) -> Maker:
    """The largest gradient stands in one certain word."""

    def make(rng: np.random.Generator) -> Arguments:
        arguments = plain(rng, 12)
        arguments["velocity_in"][:] = 0.0
        arguments["velocity_in"][np.arange(3), np.arange(3)] = (1.0, -2.0, 3.0)
        arguments["velocity_in"][4, word] = -7.0
        arguments["peak_inout"][-1, PEAK_VOLUME_MIN] = 0.25
        return arguments

    return make


CASES: dict[str, dict[str, Maker]] = {
    "mpm_key": {
        "plain": plain,
        "none": none,
        "none new": none_new,
        "one": one,
        "later": later,
        "outside": outside,
        "odd domain": odd_domain,
        "one outside": one_outside,
        "stopped": stopped,
        "extreme": extreme,
        "still": still,
        **{f"steep in word {word}": steep(word) for word in range(3, 12)},
    }
}

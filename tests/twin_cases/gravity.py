"""Inputs of mpm_grid with another gravity along each axis.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.mpm import mpm_grid

Maker = Callable[[np.random.Generator], dict[str, Any]]


def aslant(rng: np.random.Generator) -> dict[str, Any]:
    arguments = mpm_grid.KERNEL.example(rng, 300)
    arguments["force_in"][[k.FORCE_GRAVITY_X, k.FORCE_GRAVITY_Y, k.FORCE_GRAVITY_Z]] = 1.5, -2.5, -9.0
    return arguments


CASES: dict[str, dict[str, Maker]] = {"mpm_grid": {"gravity aslant": aslant}}

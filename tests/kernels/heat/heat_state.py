"""Lava at given points through the heat kernels, and what it radiates."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.heat import mpm_heat_conduct, mpm_heat_g2p, mpm_heat_grid, mpm_heat_p2g
from kernels.heat.mpm_heat_example import sorted_state

F32 = np.float32
STEPS = (mpm_heat_p2g, mpm_heat_grid, mpm_heat_conduct, mpm_heat_g2p)
SIGMA = 5.670374419e-8
State = dict[str, Any]


def lattice(low: Any, high: Any, jitter: float = 0.0, seed: int = 1) -> np.ndarray:
    """8 points a cell between two corners, in cells, each up to ``jitter`` cells off its place, but not outside."""
    axes = [np.arange(a + 0.25, b, 0.5) for a, b in zip(low, high)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    points = points + np.random.default_rng(seed).uniform(-jitter, jitter, points.shape)
    return np.clip(points, np.array(low) + 0.01, np.array(high) - 0.01)


def turned(degrees: float) -> np.ndarray:
    """About y, then a third of it about x."""
    a, b = np.radians(degrees), np.radians(degrees / 3)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return np.asarray(about_x @ about_y)


def lava(points: np.ndarray, blocks: tuple[int, int, int], cell_size_m: float, temperature_k: Any) -> State:
    """Lava at points in cells of the grid's box, whose arrays pass from kernel to kernel."""
    state = sorted_state(points * cell_size_m, blocks, cell_size_m)
    state["arena_in"] = state["arena_out"]
    state["heat_node_in"] = state["heat_node_inout"] = state["heat_node_out"]
    temperature = np.ascontiguousarray(np.broadcast_to(np.asarray(temperature_k, F32), len(points))).copy()
    state["temperature_in"] = state["temperature_inout"] = temperature
    return state


def heat_step(state: State) -> None:
    for module in STEPS:
        module.cpu(*[state[name] for name in module.KERNEL.argument_names])


def heat_j(state: State) -> float:
    """Heat of all particles."""
    material = state["material_in"].astype(np.float64)
    each = material[k.MATERIAL_DENSITY] * material[k.MATERIAL_SPECIFIC_HEAT] * material[k.MATERIAL_PARTICLE_VOLUME]
    return float(each * state["temperature_in"].astype(np.float64).sum())


def radiating_m2(state: State) -> float:
    """Free surface of all nodes after a heat step."""
    fill, skin = (state["heat_node_out"][..., word].astype(np.float64) for word in (1, 3))
    return float((fill * skin).sum() * float(state["cell_size_m"]) ** 3)


def black_w_per_m2(state: State, temperature_k: float = 1400.0) -> float:
    """Stefan and Boltzmann: what a surface radiates, less what it gets from its surroundings."""
    material = state["material_in"].astype(np.float64)
    ambient = material[k.MATERIAL_AMBIENT_TEMPERATURE]
    return float(SIGMA * material[k.MATERIAL_EMISSIVITY] * (temperature_k**4 - ambient**4))

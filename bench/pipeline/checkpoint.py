"""The state of a simulation as plain host arrays: what the next frame follows from, and nothing else.

Used to repeat a frame from the same state, and to go on with a render. Arrays hold the living particles and effects
only, so their size follows the fluid, not the capacity.
"""

from __future__ import annotations

import numpy as np

from bench.pipeline.simulate import EFFECTS, Simulation
from kernels.base import constants as k

PARTICLES = ("position", "velocity", "key")
HEAT = ("temperature", "viscosity")


def snapshot(simulation: Simulation) -> dict[str, np.ndarray]:
    """Host copies of a simulation's state between two frames."""
    host, arrays = simulation.backend.host, simulation._arrays
    state = {
        "progress": np.array([simulation.frame, simulation.particle_count], np.int64),
        "emitted": np.array([source.emitted for source in simulation._sources], np.int64),
    }
    for name, length in _lengths(simulation, host(arrays["counts"]), simulation.particle_count).items():
        state[name] = np.array(host(arrays[name][:length]))
    return state


def restore(simulation: Simulation, state: dict[str, np.ndarray]) -> None:
    """Put a state back. Raises KeyError or ValueError when it is another scene's."""
    frame, particle_count = (int(value) for value in state["progress"])
    blocks = int(state["counts"][k.COUNT_BLOCKS])
    if len(state["emitted"]) != len(simulation._sources):
        raise ValueError("the state of another scene: emitters")
    if blocks > simulation._block_capacity:
        simulation._make_room(blocks)
    arrays = simulation._arrays
    lengths = _lengths(simulation, state["counts"], particle_count)
    for name, length in lengths.items():
        values, array = state[name], arrays[name]
        fits = values.dtype == array.dtype and values.shape == (length, *array.shape[1:]) and length <= len(array)
        if not fits:
            raise ValueError(f"the state of another scene: {name}")
    for name in lengths:
        simulation.backend.fill(arrays[name], state[name])
    for source, number in zip(simulation._sources, state["emitted"]):
        source.emitted = int(number)
    simulation.frame, simulation.particle_count = frame, particle_count


def _lengths(simulation: Simulation, counts: np.ndarray, particle_count: int) -> dict[str, int]:
    """Rows of each array that a state is made of."""
    return {
        **dict.fromkeys(PARTICLES, particle_count),
        **dict.fromkeys(HEAT if simulation.scene.has_heat else (), particle_count),
        **dict.fromkeys(EFFECTS, int(counts[k.COUNT_EFFECTS])),
        "peak": int(counts[k.COUNT_BLOCKS]),  # of the last substep, from which the next one's length and scale follow
        "counts": k.COUNT_WORDS,
        "step": k.STEP_WORDS,
    }

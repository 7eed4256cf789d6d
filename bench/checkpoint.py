"""The state of a simulation as plain host arrays: what the next frame follows from, and nothing else.

Used to repeat a frame from the same state, and to go on with a render. Arrays hold the living particles and effects
only, so their size follows the fluid, not the capacity.
"""

from __future__ import annotations

import numpy as np

from bench.simulate import EFFECTS, Simulation
from kernels import constants as k

PARTICLES = ("position", "velocity", "key")
HEAT = ("temperature", "viscosity")
WHOLE = ("counts", "step")


def snapshot(simulation: Simulation) -> dict[str, np.ndarray]:
    """Host copies of a simulation's state between two frames."""
    host, arrays = simulation.backend.host, simulation._arrays
    counts = host(arrays["counts"])
    state = {
        "progress": np.array([simulation.frame, simulation.particle_count, int(simulation._has_peaks)], np.int64),
        "emitted": np.array([source.emitted for source in simulation._sources], np.int64),
    }
    lengths = {
        **dict.fromkeys(_particle_names(simulation), simulation.particle_count),
        **dict.fromkeys(EFFECTS, int(counts[k.COUNT_EFFECTS])),
    }
    for name, length in lengths.items():
        state[name] = np.array(host(arrays[name])[:length])
    for name in WHOLE:
        state[name] = np.array(host(arrays[name]))
    return state


def restore(simulation: Simulation, state: dict[str, np.ndarray]) -> None:
    """Put a state back. Raises KeyError or ValueError when it is another scene's."""
    arrays = simulation._arrays
    frame, particle_count, has_peaks = (int(value) for value in state["progress"])
    emitted = state["emitted"]
    if len(emitted) != len(simulation._sources) or particle_count > simulation.scene.particle_capacity:
        raise ValueError("the state of another scene")
    for name in (*_particle_names(simulation), *EFFECTS, *WHOLE):
        values = state[name]
        if values.dtype != arrays[name].dtype or values.shape[1:] != tuple(arrays[name].shape[1:]):
            raise ValueError(f"the state of another scene: {name}")
        if len(values) > len(arrays[name]):
            raise ValueError(f"the state of another scene: {name}")
        simulation.backend.fill(arrays[name], values)
    for source, number in zip(simulation._sources, emitted):
        source.emitted = int(number)
    simulation.frame, simulation.particle_count, simulation._has_peaks = frame, particle_count, bool(has_peaks)


def _particle_names(simulation: Simulation) -> tuple[str, ...]:
    return (*PARTICLES, *HEAT) if simulation.scene.has_heat else PARTICLES

"""Cases of particles for the transfer kernels, and a whole substep of them against the plain reading, bit for bit."""

from __future__ import annotations

import numpy as np

from kernels.base.constants import (
    ARENA_WORDS,
    CELL_COUNT_MAX,
    COUNT_BLOCKS,
    COUNT_CELL_MAX,
    COUNT_ERROR,
    COUNT_PARTICLES,
    STEP_DT,
    STEP_SOUND_STEPS,
    WALL_CELLS,
)
from kernels.mpm.mpm_common import PEAK_WORDS, position_limits
from kernels.mpm.mpm_example import launch, make_arguments, swap
from tests.reference import mpm_gather, mpm_transfer

CELLS = (16, 20, 24)
DX = 1.0 / 16


def particles(rng, size, low, high, speed=1.0, gradient=1.0, volumes=(0.99, 1.01)):
    """Particles spread over [low, high) cells."""
    position = np.ones((size, 4), np.float32)
    limits = [position_limits.py_func(n, np.float32(DX)) for n in CELLS]
    for axis in range(3):
        x = rng.uniform(low[axis], high[axis], size).astype(np.float32) * np.float32(DX)
        position[:, axis] = np.clip(x, *limits[axis])
    position[:, 3] = rng.uniform(*volumes, size)
    velocity = rng.uniform(-1, 1, (size, 12)) * np.repeat([speed, gradient / DX], [3, 9])
    return position, velocity.astype(np.float32)


INSIDE_LOW, INSIDE_HIGH = [WALL_CELLS] * 3, [n - WALL_CELLS for n in CELLS]
CASES = {
    "none": lambda rng: particles(rng, 0, INSIDE_LOW, INSIDE_HIGH),
    "one": lambda rng: particles(rng, 1, INSIDE_LOW, INSIDE_HIGH),
    "box": lambda rng: particles(rng, 3000, INSIDE_LOW, INSIDE_HIGH),
    "sparse": lambda rng: particles(rng, 60, INSIDE_LOW, INSIDE_HIGH, speed=3.0),
    "one cell, full": lambda rng: particles(rng, CELL_COUNT_MAX, [7.5] * 3, [8.5] * 3),
    "one point": lambda rng: particles(rng, 40, [8.0] * 3, [8.0] * 3),
    "low corner": lambda rng: particles(rng, 50, [4.0] * 3, [4.0] * 3),
    "high corner": lambda rng: particles(rng, 50, INSIDE_HIGH, INSIDE_HIGH),
    "on the middle planes": lambda rng: particles(rng, 30, [7.5, 5.5, 9.5], [7.5, 5.5, 9.5]),
    "fast": lambda rng: particles(rng, 500, INSIDE_LOW, INSIDE_HIGH, speed=1e4, gradient=1e4),
    "slow": lambda rng: particles(rng, 500, INSIDE_LOW, INSIDE_HIGH, speed=1e-30, gradient=1e-38),
    "at rest": lambda rng: particles(rng, 500, INSIDE_LOW, INSIDE_HIGH, 0.0, 0.0, (1.0, 1.0)),
    "squeezed": lambda rng: particles(rng, 500, INSIDE_LOW, INSIDE_HIGH, volumes=(0.5, 1.01)),
}


def start(case, seed=1, sound_steps=1):
    state = make_arguments(*CASES[case](np.random.default_rng(seed)), CELLS, DX)
    state["step"][STEP_SOUND_STEPS] = sound_steps
    fastest = max(1.0, np.abs(state["velocity"]).max(initial=0)) * sound_steps
    state["step"][STEP_DT] = min(state["step"][STEP_DT], 0.3 * DX / fastest)
    launch(state, "mpm_key")
    launch(state, "mpm_control")
    return state


def same(a, b):
    """Equal bit for bit, but -0 is 0."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype == np.float32:
        a, b = a + np.float32(0), b + np.float32(0)
    np.testing.assert_array_equal(a.view(np.int32), b.view(np.int32))


def check_substep(state):
    """Run one substep, of as many sound steps as the state says, and compare what every kernel writes."""
    size = state["counts"][COUNT_PARTICLES]
    active, slot, order, cell_start = mpm_transfer.sort(state)
    launch(state, "mpm_sort")
    blocks = int(state["counts"][COUNT_BLOCKS])
    assert blocks == active.size
    same(state["block_id"][:blocks], active)
    same(state["slot"], slot)
    same(state["order"][:size], order)
    same(state["cell_start"][: blocks * 64 + 1], cell_start)
    assert state["counts"][COUNT_CELL_MAX] == np.diff(cell_start).max(initial=0)
    check_scatter(state, "mpm_p2g", mpm_transfer.p2g)
    check_grid(state, 0)
    for number in range(1, int(state["step"][STEP_SOUND_STEPS])):
        check_sound_step(state, number)
    position, velocity, key = mpm_gather.g2p(state)
    launch(state, "mpm_g2p")
    same(state["position_out"][:size], position)
    same(state["velocity_out"][:size], velocity)
    same(state["key_out"][:size], key)
    check_peaks(state, state["position_out"], state["velocity_out"], np.arange(size))
    swap(state)
    launch(state, "mpm_control")
    assert state["counts"][COUNT_ERROR] == 0


def arenas(state):
    """int32[capacity, 6, 6, 6, 4]: momentum or push, mass."""
    return state["arena"].reshape(-1, ARENA_WORDS)[:, :864].reshape(-1, 6, 6, 6, 4)


def filled(state):
    """Which active blocks hold particles: only their arenas mean anything."""
    blocks = int(state["counts"][COUNT_BLOCKS])
    return np.diff(state["cell_start"][: blocks * 64 + 1 : 64]) > 0


def check_scatter(state, name, reference):
    blocks = int(state["counts"][COUNT_BLOCKS])
    arena = reference(state, blocks)
    state["arena"][:] = 12345  # what stood there must not matter
    launch(state, name)
    same(arenas(state)[:blocks][filled(state)], arena[filled(state)])


def check_grid(state, number):
    blocks = int(state["counts"][COUNT_BLOCKS])
    arena = np.where(filled(state)[:, None, None, None, None], arenas(state)[:blocks], 0)
    node = mpm_transfer.grid(state, arena, number)
    state["sound_step"] = number
    launch(state, "mpm_grid")
    same(state["node"][:blocks], node)


def check_sound_step(state, number):
    size, viscous = state["counts"][COUNT_PARTICLES], mpm_transfer.is_viscous(state)
    position, velocity = mpm_gather.strain(state)
    launch(state, "mpm_strain")
    same(state["position"], position)
    same(state["velocity"], velocity)
    check_peaks(state, position, velocity if viscous else None, state["order"][:size], speeds=False)
    state["completed_steps"] = 0
    launch(state, "mpm_control")
    check_scatter(state, "mpm_push", mpm_transfer.push)
    check_grid(state, number)


def check_peaks(state, position, velocity, order, speeds=True):
    """Each active block's row holds the maxima over its particles, of what their kernel knows."""
    expected = np.zeros((state["counts"][COUNT_BLOCKS], PEAK_WORDS), np.float32)
    for s in range(expected.shape[0]):
        begin, end = state["cell_start"][s * 64], state["cell_start"][s * 64 + 64]
        if begin == end:
            continue
        chosen = order[begin:end]
        if speeds:
            expected[s, :3] = np.abs(velocity[chosen, :3]).max(0)
        if velocity is not None:
            expected[s, 3] = np.abs(velocity[chosen, 3:]).max() * state["cell_size_m"]
        expected[s, 4:6] = position[chosen, 3].min(), position[chosen, 3].max()
    same(state["peak"][: expected.shape[0]], expected)

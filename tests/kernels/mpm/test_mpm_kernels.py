"""The transfer kernels against their plain reading, bit for bit, and what a transfer must conserve."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from kernels.base.constants import (
    CELL_COUNT_MAX,
    COUNT_BLOCKS,
    COUNT_BLOCKS_NEEDED,
    COUNT_ERROR,
    COUNT_SUBSTEPS,
    ERROR_CELL_OVERFLOW,
    ERROR_NOT_FINITE,
    ERROR_OUTSIDE,
    ERROR_TOO_FAST,
    FORCE_GRAVITY_Z,
    MATERIAL_VISCOSITY,
    MATERIAL_VISCOSITY_MAX,
    STEP_DT,
    STEP_TIME,
    STEP_VELOCITY_UNIT,
    VORTEX_CORE,
    VORTEX_ON,
    VORTEX_RATE,
    VORTEX_REACH,
    VORTEX_SWIRL,
    VORTEX_Z_HIGH,
)
from kernels.base.registry import kernel_named
from kernels.mpm.mpm_common import position_limits
from kernels.mpm.mpm_example import launch, make_arguments, substep
from kernels.solid.mpm_volume import VOLUME_RATIO_MAX, VOLUME_RATIO_MIN
from tests.kernels.mpm.substeps import CASES, CELLS, DX, INSIDE_HIGH, INSIDE_LOW, check_substep, particles, start


@pytest.mark.parametrize("sound_steps", [1, 4])
@pytest.mark.parametrize("case", CASES)
def test_three_substeps_equal_the_reference(case, sound_steps):
    state = start(case, sound_steps=sound_steps)
    for _ in range(3):
        check_substep(state)


@pytest.mark.parametrize("sound_steps", [1, 3])
@pytest.mark.parametrize("per_particle", [False, True])
def test_viscous_substeps_equal_the_reference(per_particle, sound_steps):
    state = start("box", sound_steps=sound_steps)
    state["material"][[MATERIAL_VISCOSITY, MATERIAL_VISCOSITY_MAX]] = 3.0, 20.0
    if per_particle:
        state["viscosity"] = np.linspace(1.0, 20.0, state["key"].size, dtype=np.float32)
    for _ in range(2):
        check_substep(state)


@pytest.mark.parametrize("sound_steps", [1, 3])
def test_grid_with_obstacles_equals_the_reference(sound_steps):
    state = start("box", sound_steps=sound_steps)
    state["walls"][:6] = 0, 1, 2, 0, 1, 2
    state["collider"][0, :6] = 1, 1, 0.5, 0.6, 0.7, 0.2
    state["terrain_geometry"][:] = 0, 0, 1.2, 1
    state["terrain"][:] = [[0.3, 0.4], [0.35, 0.5]]
    check_substep(state)
    for slot, value in ((VORTEX_ON, 1), (VORTEX_CORE, 0.2), (VORTEX_Z_HIGH, 2), (VORTEX_SWIRL, 1), (VORTEX_RATE, 5)):
        state["force"][slot] = value
    state["force"][VORTEX_REACH] = 0.6
    check_substep(state)


@pytest.mark.parametrize("case", ["box", "sparse", "one"])
def test_threads_do_not_matter(case):
    before = numba.get_num_threads()
    results = []
    try:
        for threads in sorted({1, min(2, numba.config.NUMBA_NUM_THREADS)}):
            numba.set_num_threads(threads)
            state = start(case)
            for _ in range(4):
                substep(state)
            results.append([state[name].tobytes() for name in ("position", "velocity", "key", "step", "counts")])
    finally:
        numba.set_num_threads(before)
    assert all(result == results[0] for result in results)


def momenta(position, velocity):
    """Mass, linear and angular momentum in float64, the affine part (dx^2/4 of C) included."""
    x, v = position[:, :3].astype(float), velocity[:, :3].astype(float)
    c = velocity[:, 3:].reshape(-1, 3, 3).astype(float) * (DX**2 / 4)  # [particle, derivative axis, component]
    spin = np.stack([c[:, 1, 2] - c[:, 2, 1], c[:, 2, 0] - c[:, 0, 2], c[:, 0, 1] - c[:, 1, 0]], 1)
    return x.shape[0], v.sum(0), (np.cross(x, v) + spin).sum(0)


@pytest.mark.parametrize("case", ["one", "sparse", "box"])
def test_transfer_conserves_mass_and_momenta(case):
    """With dt = 0 and no walls in reach, to the rounding of fixed point and float32."""
    rng = np.random.default_rng(3)
    size = {"one": 1, "sparse": 40, "box": 2500}[case]
    state = make_arguments(*particles(rng, size, [6.5] * 3, [9.5, 13.5, 17.5]), CELLS, DX)
    state["step"][STEP_DT] = 0
    launch(state, "mpm_key")
    launch(state, "mpm_control")
    mass, linear, angular = momenta(state["position"], state["velocity"])
    for name in ("mpm_sort", "mpm_p2g", "mpm_grid", "mpm_g2p"):
        launch(state, name)
    node = state["node"][: state["counts"][COUNT_BLOCKS]].astype(float)
    limit = size * 27 * 2.0**-22  # at the most one unit for each of a cell's nodes
    assert abs(node[..., 3].sum() - mass) < limit
    unit = float(state["step"][STEP_VELOCITY_UNIT])
    _, new_linear, new_angular = momenta(state["position_out"], state["velocity_out"])
    np.testing.assert_allclose(new_linear, linear, rtol=0, atol=2 * limit * unit)
    np.testing.assert_allclose(new_angular, angular, rtol=0, atol=4 * limit * unit)


def test_nodes_of_little_mass_do_not_amplify_rounding():
    """A particle's velocity after one transfer is off by a few 2^-22 of the unit, however little a node holds."""
    rng = np.random.default_rng(4)
    position, velocity = particles(rng, 150, [6.6] * 3, [9.4, 13.4, 17.4])  # no wall in reach
    # Right at the edge of a cell a weight is next to nothing
    edge = np.floor(position[:, :3] / DX) + 0.5 + rng.choice([1e-3, -1e-3, 1e-4, 3e-5], (150, 3))
    position[:, :3] = edge * DX
    state = make_arguments(position.astype(np.float32), velocity, CELLS, DX)
    state["step"][STEP_DT] = 0
    state["force"][FORCE_GRAVITY_Z] = 0
    launch(state, "mpm_key")
    launch(state, "mpm_control")
    unit = float(state["step"][STEP_VELOCITY_UNIT])
    for name in ("mpm_sort", "mpm_p2g", "mpm_grid", "mpm_g2p"):
        launch(state, name)
    exact = transfer_float64(state["position"].astype(float), state["velocity"].astype(float))
    got = state["velocity_out"][np.argsort(state["order"])]
    assert np.abs(state["node"][..., :3]).max() <= unit
    assert np.abs(got[:, :3] - exact[:, :3]).max() < 64 * 2.0**-22 * unit
    assert np.abs(got[:, 3:] - exact[:, 3:]).max() * DX < 4 * 1.5 * 64 * 2.0**-22 * unit


def transfer_float64(position, velocity):
    """P2G and G2P of APIC in float64 on a dense grid."""
    x = position[:, :3] / DX
    base = np.floor(x - 0.5).astype(int)
    f = x - base
    w = np.stack([0.5 * (1.5 - f) ** 2, 0.75 - (f - 1) ** 2, 0.5 * (f - 0.5) ** 2])
    grid = np.zeros((*CELLS, 4))
    stencil = []
    for i in range(3):
        for j in range(3):
            for k in range(3):
                offset = np.array([i, j, k]) - f
                weight = w[i, :, 0] * w[j, :, 1] * w[k, :, 2]
                at = tuple((base + [i, j, k]).T)
                value = velocity[:, :3] + np.einsum("pdc,pd->pc", velocity[:, 3:].reshape(-1, 3, 3), offset * DX)
                np.add.at(grid, at, weight[:, None] * np.concatenate([value, np.ones((len(f), 1))], 1))
                stencil.append((at, weight, offset))
    v = np.divide(grid[..., :3], grid[..., 3:], out=np.zeros((*CELLS, 3)), where=grid[..., 3:] > 0)
    out = np.zeros((len(f), 12))
    for at, weight, offset in stencil:
        out[:, :3] += weight[:, None] * v[at]
        out[:, 3:] += (weight[:, None, None] * offset[:, :, None] * v[at][:, None, :] * 4 / DX).reshape(-1, 9)
    return out


def test_mass_is_exact_over_many_substeps():
    """No particle is lost, doubled or sent outside."""
    state = start("box")
    for _ in range(30):
        substep(state)
    assert state["counts"][COUNT_ERROR] == 0
    assert sorted(state["order"]) == list(range(3000))
    assert np.isfinite(state["velocity"]).all()
    for axis, cells in enumerate(CELLS):
        low, high = position_limits.py_func(cells, np.float32(DX))
        assert (state["position"][:, axis] >= low).all() and (state["position"][:, axis] <= high).all()
    assert state["position"][:, 3].min() >= VOLUME_RATIO_MIN and state["position"][:, 3].max() <= VOLUME_RATIO_MAX


def test_free_fall():
    """Away from walls every particle falls with g, to rounding."""
    rng = np.random.default_rng(5)
    position, velocity = particles(rng, 500, [6, 6, 12], [10, 12, 16], 0.0, 0.0, (1.0, 1.0))
    state = make_arguments(position, velocity, CELLS, DX)
    for _ in range(20):
        substep(state)
    fallen = 20 * float(state["step"][STEP_DT]) * -9.81
    np.testing.assert_allclose(state["velocity"][:, 2], fallen, rtol=2e-6)
    assert np.abs(state["velocity"][:, :2]).max() < 1e-6
    assert state["step"][STEP_TIME] == pytest.approx(20 * state["step"][STEP_DT])


def test_a_cell_with_too_many_particles_fails():
    rng = np.random.default_rng(6)
    state = make_arguments(*particles(rng, CELL_COUNT_MAX + 1, [7.5] * 3, [8.5] * 3), CELLS, DX)
    substep(state)
    assert state["counts"][COUNT_ERROR] == ERROR_CELL_OVERFLOW


def test_too_many_blocks_stop_it_and_more_room_lets_it_go_on():
    """Substeps in too little room change nothing; then the same ones give what they would have given at once."""
    state, other = start("box"), start("box")
    whole = state["block_id"]
    kept = {name: state[name].copy() for name in ("position", "velocity", "key", "step")}
    state["block_id"] = whole[:20]
    for _ in range(2):
        substep(state)
    assert state["counts"][COUNT_BLOCKS_NEEDED] > 20 and state["counts"][COUNT_SUBSTEPS] == 0
    assert all(np.array_equal(state[name], values) for name, values in kept.items())
    state["block_id"], state["counts"][COUNT_BLOCKS_NEEDED] = whole, 0
    for _ in range(2):
        substep(state), substep(other)
    assert state["counts"][COUNT_SUBSTEPS] == 2
    for name in ("position", "velocity", "key", "step", "counts"):
        assert np.array_equal(state[name], other[name]), name


def test_a_full_node_does_not_overflow():
    """The heaviest and fastest cells that are allowed stay inside int32."""
    rng = np.random.default_rng(7)
    position, velocity = particles(rng, CELL_COUNT_MAX * 27, [6.5] * 3, [9.5] * 3)
    cell = np.arange(CELL_COUNT_MAX * 27) % 27
    nearest = np.stack([cell // 9, cell // 3 % 3, cell % 3], 1) + 7.0
    # In the outer cells a particle gives most to the middle node from the edge
    position[:, :3] = (nearest + np.sign(8.0 - nearest) * 0.499) * DX
    velocity[:, :3], velocity[:, 3:] = 1.0, 0.0
    state = make_arguments(position, velocity, CELLS, DX)
    for name in ("mpm_sort", "mpm_p2g", "mpm_grid"):
        launch(state, name)
    assert state["counts"][COUNT_ERROR] == 0
    heaviest = state["node"][: state["counts"][COUNT_BLOCKS], :, 3].max()
    assert 0.95 * 1.75**3 * CELL_COUNT_MAX < heaviest < 512
    moving = state["node"][: state["counts"][COUNT_BLOCKS]]
    moving = moving[moving[..., 3] > 1e-3]
    np.testing.assert_allclose(moving[:, 0], 1.0, rtol=0, atol=0.35)


def test_control_reports_what_goes_wrong():
    state = start("box")
    state["velocity"][5, 0] = np.nan
    launch(state, "mpm_key")
    launch(state, "mpm_control")
    assert state["counts"][COUNT_ERROR] == ERROR_NOT_FINITE
    state = start("box")
    state["velocity"][:, 0] = 1e5
    launch(state, "mpm_key")
    launch(state, "mpm_control")
    substep(state)
    assert state["counts"][COUNT_ERROR] & ERROR_TOO_FAST
    state = start("box")
    state["position"][7, 1] = 0.1 * DX
    launch(state, "mpm_key")
    assert state["counts"][COUNT_ERROR] == ERROR_OUTSIDE


def test_not_a_number_stays_inside_memory():
    """A velocity that is not finite spreads, but keys stay in the box and the run is failed."""
    state = start("box")
    substep(state)
    state["velocity"][11, :] = np.inf
    substep(state)
    substep(state)
    blocks = state["blocks_x"] * state["blocks_y"] * state["blocks_z"]
    assert state["key"].min() >= 0 and state["key"].max() < 64 * blocks
    assert state["counts"][COUNT_ERROR] & (ERROR_NOT_FINITE | ERROR_TOO_FAST)


def test_emitted_particles_join():
    """A key kernel over the new ones alone gives the same keys and a scale that covers them."""
    rng = np.random.default_rng(8)
    position, velocity = particles(rng, 1000, INSIDE_LOW, INSIDE_HIGH)
    velocity[900:, 0] = 5.0
    state = make_arguments(position, velocity, CELLS, DX)
    keys, unit = state["key"].copy(), float(state["step"][STEP_VELOCITY_UNIT])
    state["key"][900:] = 0
    state["first_particle"] = 900
    launch(state, "mpm_key")
    launch(state, "mpm_control")
    np.testing.assert_array_equal(state["key"], keys)
    assert 5.0 < state["step"][STEP_VELOCITY_UNIT] <= unit


def test_examples_and_traffic():

    for name in ("mpm_key", "mpm_sort", "mpm_p2g", "mpm_grid", "mpm_strain", "mpm_push", "mpm_g2p", "mpm_control"):
        kernel = kernel_named(name)
        arguments = kernel.example(np.random.default_rng(1), 2000)
        assert tuple(arguments) == kernel.argument_names
        kernel.cpu(*arguments.values())
        traffic = kernel.traffic(**arguments)
        assert traffic.items > 0 and traffic.traffic_bytes > 0

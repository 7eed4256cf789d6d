"""What a substep of several sound steps must keep, and what its pushes may not do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.base.constants import (
    CELL_COUNT_MAX,
    COUNT_BLOCKS,
    COUNT_ERROR,
    FORCE_GRAVITY_Z,
    MASS_BITS,
    MATERIAL_VISCOSITY,
    STEP_DT,
    STEP_SOUND_STEPS,
    STEP_TIME,
    STEP_VELOCITY_SCALE,
)
from kernels.mpm.mpm_example import launch, make_arguments, sound_step, substep, swap
from kernels.solid.mpm_volume import VOLUME_RATIO_MIN
from tests.kernels.mpm.substeps import CASES, CELLS, DX, arenas, filled, particles, start

LIQUIDS = {"inviscid": 0.0, "viscous": 30.0}
STATE = ("position", "velocity", "key", "step", "counts")
WIDE = (32, 32, 32)  # cells
WATER = [7.0, 7.0, 9.0], [10.0, 12.0, 15.0]  # cells; no wall in reach


def floating(liquid: str, volumes: tuple[float, float], size: int = 900) -> dict[str, Any]:
    """Water that no wall and no gravity reaches, on the grid, and pushed."""
    state: dict[str, Any] = make_arguments(
        *particles(np.random.default_rng(5), size, *WATER, volumes=volumes), CELLS, DX, gravity_m_per_s2=0.0
    )
    state["material"][MATERIAL_VISCOSITY] = LIQUIDS[liquid]
    for name in ("mpm_control", "mpm_sort", "mpm_p2g", "mpm_grid", "mpm_strain", "mpm_control", "mpm_push"):
        launch(state, name)
    return state


def places(state: dict[str, Any]) -> np.ndarray:
    """Where the nodes of the active blocks' arenas stand (m): [blocks, 6, 6, 6, 3]."""
    blocks = int(state["counts"][COUNT_BLOCKS])
    shape = [state[f"blocks_{axis}"] for axis in "xyz"]
    corner = 4 * np.stack(np.unravel_index(state["block_id"][:blocks], shape), -1)
    inner = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), -1)
    return (corner[:, None, None, None] + inner) * DX


def arena_sums(state: dict[str, Any]) -> np.ndarray:
    """int64[filled blocks, 6, 6, 6, 4]."""
    return arenas(state)[: state["counts"][COUNT_BLOCKS]][filled(state)].astype(np.int64)


# --- The push -------------------------------------------------------------------------------------


@pytest.mark.parametrize("liquid", LIQUIDS)
def test_a_push_makes_no_momentum_and_no_spin(liquid: str) -> None:
    """In free space what it gives to nodes sums to zero, and so do its torques, to the rounding of fixed point."""
    state = floating(liquid, volumes=(0.9, 0.99))
    push, x = arena_sums(state)[..., :3], places(state)[filled(state)]
    unit_count = np.count_nonzero(push) / 2  # one rounding by half a unit each, or several for more cells
    size = np.abs(push).sum()
    assert size > 1e4 * unit_count
    assert np.abs(push.sum((0, 1, 2, 3))).max() < unit_count + 1e-7 * size
    torque = np.cross(x, push).sum((0, 1, 2, 3))
    assert np.abs(torque).max() < np.abs(x).max() * (unit_count + 1e-7 * size)


@pytest.mark.parametrize("liquid", LIQUIDS)
@pytest.mark.parametrize("case", CASES)
def test_nodes_weigh_what_they_did(case: str, liquid: str) -> None:
    """A push is divided by the mass that it brings: that of the transfer, but for the order of its factors."""
    state = start(case)
    state["material"][MATERIAL_VISCOSITY] = LIQUIDS[liquid]
    for name in ("mpm_control", "mpm_sort", "mpm_p2g"):
        launch(state, name)
    mass = arena_sums(state)[..., 3]
    launch(state, "mpm_push")
    # A unit, or what as many additions round by as a cell has particles at the most
    assert (np.abs(arena_sums(state)[..., 3] - mass) <= np.maximum(1, CELL_COUNT_MAX * mass * 2.0**-24)).all()


@pytest.mark.parametrize("liquid", LIQUIDS)
@pytest.mark.parametrize("side", [0.499, -0.499, 0.02])
def test_the_hardest_push_stays_within_its_unit(liquid: str, side: float) -> None:
    """Full cells of liquid as squeezed as it may be: a node's push is at most its mass in units, so nothing overflows.

    Their particles stand where they give most to the middle node, or all on one side of it.
    """
    size = CELL_COUNT_MAX * 27
    position, velocity = particles(np.random.default_rng(7), size, [6.5] * 3, [9.5] * 3)
    cell = np.arange(size) % 27
    nearest = np.stack([cell // 9, cell // 3 % 3, cell % 3], 1) + 7.0
    position[:, :3] = (nearest + np.where(nearest == 8.0, 1.0, np.sign(8.0 - nearest)) * side) * DX
    position[:, 3] = 1.0
    velocity[:, :3], velocity[:, 3:] = 0.0, -200.0
    state: dict[str, Any] = make_arguments(position, velocity, CELLS, DX, gravity_m_per_s2=0.0)
    state["material"][MATERIAL_VISCOSITY] = LIQUIDS[liquid]
    for name in ("mpm_control", "mpm_sort", "mpm_p2g", "mpm_grid"):
        launch(state, name)
    state["step"][STEP_DT] = 1.0  # one strain alone squeezes to the limit
    launch(state, "mpm_strain")
    assert (state["position"][:, 3] == VOLUME_RATIO_MIN).sum() > size / 2
    state["position"][:, 3] = VOLUME_RATIO_MIN
    state["step"][STEP_DT] = 0.3 * DX / 20
    state["completed_steps"] = 0
    launch(state, "mpm_control")
    launch(state, "mpm_push")
    assert state["counts"][COUNT_ERROR] == 0
    got = arena_sums(state)
    assert got[..., 3].min() >= 0 and (np.abs(got[..., :3]) <= got[..., 3:] + 27).all()
    exact = push_float64(state)
    assert np.abs(exact).max() < 2.0**31
    dense = np.zeros(exact.shape)
    for s, block in enumerate(state["block_id"][: state["counts"][COUNT_BLOCKS]][filled(state)]):
        i, j, k = 4 * np.array(np.unravel_index(block, [n // 4 for n in CELLS]))
        dense[i : i + 6, j : j + 6, k : k + 6] += got[s]
    np.testing.assert_allclose(dense, exact, rtol=0, atol=1e-6 * np.abs(exact).max() + 64)


def push_float64(state: dict[str, Any]) -> np.ndarray:
    """Push and mass of every node in units of fixed point, in float64: momentum = -w dt (4 / dx^2) J / rho sigma d."""
    position = state["position"].astype(float)
    x, volume, mu = position[:, :3] / DX, position[:, 3], float(state["material"][MATERIAL_VISCOSITY])
    gradient = state["velocity"][:, 3:].astype(float).reshape(-1, 3, 3)
    bulk = 1000.0 * 20.0**2 / 7
    sigma = -(bulk * np.maximum(volume**-7 - 1, 0))[:, None, None] * np.eye(3)
    trace = np.einsum("paa->p", gradient)[:, None, None]
    sigma = sigma + mu * (gradient + gradient.transpose(0, 2, 1) - 2 / 3 * trace * np.eye(3))
    factor = -float(state["step"][STEP_DT]) * 4 / DX * volume / 1000.0 * float(state["step"][STEP_VELOCITY_SCALE])
    base = np.floor(x - 0.5).astype(int)
    f = x - base
    w = np.stack([0.5 * (1.5 - f) ** 2, 0.75 - (f - 1) ** 2, 0.5 * (f - 0.5) ** 2])
    out = np.zeros((*CELLS, 4))
    for i, j, k in np.ndindex(3, 3, 3):
        weight = w[i, :, 0] * w[j, :, 1] * w[k, :, 2]
        push = factor[:, None] * np.einsum("pab,pb->pa", sigma, np.array([i, j, k]) - f)
        mass = np.full((len(f), 1), 2.0**MASS_BITS)
        np.add.at(out, tuple((base + [i, j, k]).T), weight[:, None] * np.concatenate([push, mass], 1))
    return out


# --- Substeps -------------------------------------------------------------------------------------


def momenta(state: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Linear and angular momentum about the box's middle, in particle masses; the affine part included."""
    x, v = state["position"][:, :3].astype(float) - np.array(WIDE) / 2 * DX, state["velocity"].astype(float)
    c = v[:, 3:].reshape(-1, 3, 3)  # [particle, derivative axis, component]
    curl = np.stack([c[:, 1, 2] - c[:, 2, 1], c[:, 2, 0] - c[:, 0, 2], c[:, 0, 1] - c[:, 1, 0]], 1)
    return v[:, :3].sum(0), (np.cross(x, v[:, :3]) + DX * DX / 4 * curl).sum(0)


@pytest.mark.parametrize("liquid", LIQUIDS)
def test_a_spinning_cube_keeps_its_spin(liquid: str) -> None:
    """A hundred substeps of five sound steps in free space."""
    lattice = (np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) / 2 - 2
    x, omega = lattice * DX, np.array([1.5, -1.0, 2.0])
    position = np.ones((len(x), 4), np.float32)
    position[:, :3] = x + np.array(WIDE) / 2 * DX
    spin = np.array([[0, omega[2], -omega[1]], [-omega[2], 0, omega[0]], [omega[1], -omega[0], 0]])  # x @ spin = v
    velocity = np.concatenate([x @ spin, np.tile(spin.ravel(), (len(x), 1))], 1).astype(np.float32)
    state: dict[str, Any] = make_arguments(position, velocity, WIDE, DX, gravity_m_per_s2=0.0)
    state["material"][MATERIAL_VISCOSITY] = LIQUIDS[liquid]
    state["step"][STEP_SOUND_STEPS] = 5.0
    linear, angular = momenta(state)
    for _ in range(100):
        substep(state)
    assert state["counts"][COUNT_ERROR] == 0
    seconds = 100 * 5 * float(state["step"][STEP_DT])
    assert state["step"][STEP_TIME] == pytest.approx(seconds) and seconds * np.linalg.norm(omega) > 1.2  # radians
    new_linear, new_angular = momenta(state)
    np.testing.assert_allclose(new_angular, angular, rtol=0, atol=2e-5 * np.linalg.norm(angular))
    np.testing.assert_allclose(new_linear, linear, rtol=0, atol=2e-5 * np.abs(velocity[:, :3]).sum())


@pytest.mark.parametrize("case", ["box", "sparse", "squeezed"])
def test_one_sound_step_is_the_substep_without_any(case: str) -> None:
    """Same bits as sort, scatter, grid and gather alone, whatever velocity the nodes had before."""
    state, other = start(case), start(case)
    for _ in range(3):
        substep(state)
        other["node"][:] = np.nan
        for name in ("mpm_sort", "mpm_p2g", "mpm_grid", "mpm_g2p"):
            launch(other, name)
        swap(other)
        other["completed_steps"] = 1
        launch(other, "mpm_control")
    for name in STATE:
        assert np.array_equal(state[name], other[name]), name


def test_gravity_acts_in_every_sound_step() -> None:
    """Liquid at rest falls as fast as the clock says, however a substep is cut."""
    for sound_steps in (1, 2, 7):
        rng = np.random.default_rng(5)
        state = make_arguments(*particles(rng, 300, [6, 6, 12], [10, 12, 16], 0.0, 0.0, (1.0, 1.0)), CELLS, DX)
        state["step"][STEP_SOUND_STEPS] = sound_steps
        for _ in range(4):
            substep(state)
        fallen = float(state["step"][STEP_TIME]) * float(state["force"][FORCE_GRAVITY_Z])
        assert state["step"][STEP_TIME] == pytest.approx(4 * sound_steps * state["step"][STEP_DT])
        np.testing.assert_allclose(state["velocity"][:, 2], fallen, rtol=3e-6)


@pytest.mark.parametrize("liquid", LIQUIDS)
def test_sound_steps_carry_a_wave_as_short_substeps_do(liquid: str) -> None:
    """Where no particle gets far, a substep of six sound steps is six substeps, but for what their transfers smooth."""
    lattice = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"), -1).reshape(-1, 3)
    x = (lattice + 0.5) / 2 - 4  # cells from the middle
    position = np.zeros((len(x), 4), np.float32)
    position[:, :3] = (x + np.array(WIDE) / 2) * DX
    position[:, 3] = 1 - 0.01 * np.exp(-(x**2).sum(1) / 4)
    ratios = []
    for sound_steps in (6, 1):
        state: dict[str, Any] = make_arguments(
            position.copy(), np.zeros((len(x), 12), np.float32), WIDE, DX, gravity_m_per_s2=0.0
        )
        state["material"][MATERIAL_VISCOSITY] = LIQUIDS[liquid]
        state["step"][STEP_SOUND_STEPS] = sound_steps
        for _ in range(6 // sound_steps):
            substep(state)
        at = np.floor((state["position"][:, :3] / DX - np.array(WIDE) / 2 + 4) * 2).astype(int)
        ratio = np.zeros((16, 16, 16))
        ratio[tuple(at.T)] = state["position"][:, 3]
        ratios.append(ratio[5:11, 5:11, 5:11])  # its middle, which knows of no surface
    change = ratios[1] - position[:, 3].reshape(16, 16, 16)[5:11, 5:11, 5:11]
    assert change.max() > 0.004
    assert np.abs(ratios[0] - ratios[1]).max() < 0.15 * change.max()


@pytest.mark.parametrize("sound_steps", [2, 5])
def test_the_clock_counts_substeps_once(sound_steps: int) -> None:
    state = start("box", sound_steps=sound_steps)
    launch(state, "mpm_sort")
    launch(state, "mpm_p2g")
    launch(state, "mpm_grid")
    for number in range(1, sound_steps):
        sound_step(state, number)
        assert state["step"][STEP_TIME] == 0
    substep(state)
    assert state["step"][STEP_TIME] == pytest.approx(sound_steps * state["step"][STEP_DT])

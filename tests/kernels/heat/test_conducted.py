"""Heat that lava conducts, against the error function: steps that are sharp and steps that are smooth."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from scipy.special import erf

from kernels.base import constants as k
from kernels.heat.mpm_heat_example import make_heat_state
from kernels.heat.mpm_lava import diffusion_number, subgrid_share
from tests.kernels.heat.heat_state import F32, State, heat_step, lattice, lava

CELL_M = 0.05
EDGE = 72  # cells from end to end
JUMP_K = 200.0


def step_of(number: float, width: float, jitter: float) -> tuple[State, np.ndarray]:
    """Lava of 1400 K beside lava of 1200 K, ``width`` cells between them, and its places in cells from the middle.

    A heat step has the diffusion number ``number``.
    """
    low = k.WALL_CELLS
    points = lattice((low,) * 3, (low + EDGE, low + 4, low + 4), jitter)
    x = points[:, 0] - low - EDGE / 2
    state = lava(points, (EDGE // 4 + 2, 3, 3), CELL_M, 1300 - 0.5 * JUMP_K * (erf(x / width) if width else np.sign(x)))
    material = state["material_in"]
    material[[k.MATERIAL_EMISSIVITY, k.MATERIAL_CONDUCTIVITY]] = 0, 2000
    kappa = material[k.MATERIAL_CONDUCTIVITY] / (material[k.MATERIAL_DENSITY] * material[k.MATERIAL_SPECIFIC_HEAT])
    state["heat_dt_s"] = F32(number * CELL_M**2 / kappa)
    return state, x


def off_erf(state: State, x: np.ndarray, width: float) -> np.ndarray:
    """Kelvins from the closed form, of each particle."""
    return np.asarray(state["temperature_in"] - (1300 - 0.5 * JUMP_K * erf(x / width)))


@pytest.mark.parametrize("jitter", [0.0, 0.15])
@pytest.mark.parametrize("number", [1 / 6, 0.05])
def test_a_sharp_step_conducts_away_as_the_error_function(number, jitter):
    """Everywhere, the step included, after 3.6 and after 10 cells; and heat is kept."""
    state, x = step_of(number, 0.0, jitter)
    before, steps = state["temperature_in"].astype(np.float64).mean(), 0
    for cells in (3.6, 10.0):
        while steps < round(cells**2 / 4 / number):
            heat_step(state)
            steps += 1
        off = off_erf(state, x, math.sqrt(4 * number * steps))
        assert np.abs(off).max() < 0.02 * JUMP_K
    assert np.abs(off).max() < 0.01 * JUMP_K
    assert state["temperature_in"].astype(np.float64).mean() == pytest.approx(before, abs=1e-5 * JUMP_K)


@pytest.mark.parametrize("jitter", [0.0, 0.15])
def test_a_smooth_step_conducts_away_as_the_error_function(jitter):
    state, x = step_of(0.1, 2.0, jitter)
    for _ in range(250):
        heat_step(state)
    off = off_erf(state, x, math.sqrt(4 * 0.1 * 250 + 2.0**2))
    assert np.sqrt((off**2).mean()) < 0.3


def test_heat_is_kept_to_the_last_particle():
    """A cube with a free surface, every particle of a temperature of its own: drops that hold next to nothing too."""
    state = make_heat_state(np.random.default_rng(3), 4000)
    state["position_in"][:9, :3] += F32(0.35)
    state = lava(state["position_in"][:, :3] / 0.1, (5, 5, 5), 0.1, state["temperature_in"])
    state["material_in"][[k.MATERIAL_EMISSIVITY, k.MATERIAL_CONDUCTIVITY]] = 0, 2000
    state["heat_dt_s"] = F32(0.15 * 0.01 / (2000 / (2600 * 1150)))
    before = state["temperature_in"].astype(np.float64)
    for _ in range(50):
        heat_step(state)
    after = state["temperature_in"].astype(np.float64)
    assert after.std() < 0.1 * before.std()
    assert after.mean() == pytest.approx(before.mean(), rel=1e-6)


@numba.njit(error_model="numpy")
def share_of(dt_s, cell_size_m, material):
    return subgrid_share(diffusion_number(dt_s, cell_size_m, material))


def test_the_share_of_a_short_step_is_not_rounded_away():
    material = make_heat_state(np.random.default_rng(1), 8)["material_in"]
    for dt_s in (1e-12, 1e-6, 1.0, 1e4):
        number = 2 / (2600 * 1150) * dt_s / 0.01
        assert share_of(F32(dt_s), F32(0.1), material) == pytest.approx(2 * number / (1 + 2 * number), rel=1e-6)

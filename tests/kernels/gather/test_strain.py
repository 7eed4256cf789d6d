"""What a sound step's divergence does to volume ratios, and where it must do nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.base.constants import (
    BLOCK_NODES,
    COUNT_BLOCKS,
    COUNT_BLOCKS_NEEDED,
    MATERIAL_VISCOSITY,
    STEP_DT,
    STEP_SOUND_STEPS,
)
from kernels.mpm.mpm_common import PEAK_GRADIENT, PEAK_VOLUME_MAX, PEAK_VOLUME_MIN
from kernels.mpm.mpm_example import launch, sound_step, substep
from kernels.solid.mpm_volume import VOLUME_RATIO_MAX, VOLUME_RATIO_MIN
from tests.kernels.mpm.substeps import CASES, CELLS, DX, start

LIQUIDS = ("inviscid", "viscous", "viscous by particle")


def sorted_state(liquid: str = "inviscid", case: str = "box") -> dict[str, Any]:
    """A state whose particles are on the grid."""
    state: dict[str, Any] = start(case)
    if liquid == "viscous":
        state["material"][MATERIAL_VISCOSITY] = 3.0
    elif liquid == "viscous by particle":
        state["viscosity"] = np.linspace(1.0, 20.0, state["key"].size, dtype=np.float32)
    for name in ("mpm_sort", "mpm_p2g", "mpm_grid"):
        launch(state, name)
    return state


def set_velocity(state: dict[str, Any], gradient: np.ndarray) -> None:
    """Nodes move with v = (x - middle) @ gradient, gradient[axis, component] (1/s)."""
    blocks = int(state["counts"][COUNT_BLOCKS])
    shape = [state[f"blocks_{axis}"] for axis in "xyz"]
    corner = 4 * np.stack(np.unravel_index(state["block_id"][:blocks], shape), -1)
    inner = np.stack(np.unravel_index(np.arange(BLOCK_NODES), (4, 4, 4)), -1)
    x = (corner[:, None] + inner - np.array(CELLS) / 2) * DX
    state["node"][:blocks, :, :3] = x @ gradient


@pytest.mark.parametrize("liquid", LIQUIDS)
@pytest.mark.parametrize("rate_per_s", [-2.0, 1.5])
def test_an_even_divergence_compounds(liquid: str, rate_per_s: float) -> None:
    """J = J_0 (1 + dt div v)^n, whatever shear and rotation the flow has besides."""
    state = sorted_state(liquid)
    gradient = np.array([[0.7, 3.0, -1.0], [-2.0, 0.1, 0.5], [4.0, 0.3, -0.8]])
    gradient += np.eye(3) * (rate_per_s - np.trace(gradient)) / 3
    state["step"][STEP_DT] = 0.004
    set_velocity(state, gradient)
    before = state["position"].copy()
    for _ in range(8):
        launch(state, "mpm_strain")
    want = before[:, 3] * (1 + 0.004 * rate_per_s) ** 8
    np.testing.assert_allclose(state["position"][:, 3], want, rtol=5e-6)
    assert np.array_equal(state["position"][:, :3], before[:, :3])  # particles stand still


def test_a_viscous_liquid_s_rows_are_the_flow_s() -> None:
    state = sorted_state("viscous")
    gradient = np.array([[0.7, 3.0, -1.0], [-2.0, 0.1, 0.5], [4.0, 0.3, -0.8]])
    set_velocity(state, gradient)
    launch(state, "mpm_strain")
    x = state["position"][:, :3].astype(float) - np.array(CELLS) / 2 * DX
    np.testing.assert_allclose(state["velocity"][:, :3], x @ gradient, atol=1e-5)
    np.testing.assert_allclose(state["velocity"][:, 3:], np.tile(gradient.ravel(), (len(x), 1)), atol=2e-4)
    assert state["peak"][:, PEAK_GRADIENT].max() == pytest.approx(4.0 * DX, rel=1e-4)


def test_an_inviscid_liquid_s_rows_stay() -> None:
    state = sorted_state()
    before = state["velocity"].copy()
    launch(state, "mpm_strain")
    assert np.array_equal(state["velocity"], before)


@pytest.mark.parametrize("liquid", LIQUIDS)
def test_ratios_stay_within_their_limits_and_peaks_tell(liquid: str) -> None:
    state = sorted_state(liquid)
    for rate_per_s, limit, peak in (
        (-300.0, VOLUME_RATIO_MIN, PEAK_VOLUME_MIN),
        (300.0, VOLUME_RATIO_MAX, PEAK_VOLUME_MAX),
    ):
        set_velocity(state, np.eye(3) * rate_per_s)
        state["step"][STEP_DT] = 0.004
        launch(state, "mpm_strain")
        assert (state["position"][:, 3] == limit).all()
        rows = state["peak"][: state["counts"][COUNT_BLOCKS]]
        assert (rows[rows[:, PEAK_VOLUME_MAX] > 0, peak] == limit).all()


@pytest.mark.parametrize("liquid", LIQUIDS)
def test_what_is_not_a_number_becomes_the_least_ratio(liquid: str) -> None:
    state = sorted_state(liquid)
    state["node"][..., 1] = np.nan
    launch(state, "mpm_strain")
    assert (state["position"][:, 3] == VOLUME_RATIO_MIN).all()


@pytest.mark.parametrize("liquid", LIQUIDS)
def test_a_sort_that_has_stopped_lets_nothing_change(liquid: str) -> None:
    """Neither one sound step nor substeps of many; with more room they go on as if nothing had been."""
    state, other = sorted_state(liquid), sorted_state(liquid)
    for one in (state, other):
        one["step"][STEP_SOUND_STEPS] = 3.0
    whole = state["block_id"]
    names = ("position", "velocity", "viscosity", "key", "step")
    before = {name: state[name].copy() for name in names}
    state["block_id"] = whole[:20]
    launch(state, "mpm_sort")
    assert state["counts"][COUNT_BLOCKS_NEEDED] > 20
    sound_step(state, 1)
    for _ in range(2):
        substep(state)
    assert all(np.array_equal(state[name], values) for name, values in before.items())
    state["block_id"], state["counts"][COUNT_BLOCKS_NEEDED] = whole, 0
    for _ in range(2):
        substep(state), substep(other)
    for name in (*names, "counts"):
        assert np.array_equal(state[name], other[name]), name


@pytest.mark.parametrize("case", CASES)
def test_products_and_gradient_give_one_divergence(case: str) -> None:
    """An inviscid liquid's three sums of products are the trace of what a viscous one gathers, to rounding."""
    product, whole = sorted_state(case=case), sorted_state(case=case)
    whole["material"][MATERIAL_VISCOSITY] = 1e-20
    fastest = np.abs(product["node"][..., :3]).max()
    for state in (product, whole):
        state["step"][STEP_DT] = 0.01 * DX / max(fastest, 1.0)
        launch(state, "mpm_strain")
    np.testing.assert_allclose(product["position"][:, 3], whole["position"][:, 3], rtol=0, atol=2e-6)

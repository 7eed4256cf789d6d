"""Lava: laws of viscosity and cooling, heat on the grid."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from kernels.base import constants as k
from kernels.base.common import exp_f32
from kernels.base.vector import load16, store
from kernels.heat import mpm_heat_conduct, mpm_heat_g2p, mpm_heat_grid, mpm_heat_p2g, mpm_rheology
from kernels.heat.mpm_heat_example import lava_material, make_heat_state
from kernels.heat.mpm_lava import exp16, radiate, strain_rate, viscosity16

F32 = np.float32
STEPS = (mpm_heat_p2g, mpm_heat_grid, mpm_heat_conduct, mpm_heat_g2p)


@numba.njit(error_model="numpy")
def viscosities(temperature, rate, material, out):
    for n in range(0, temperature.shape[0], 16):
        store(out, n, viscosity16(load16(temperature, n), load16(rate, n), material))


@numba.njit(error_model="numpy")
def radiate_often(temperature, skin_per_m, dt_s, steps, material):
    for _ in range(steps):
        temperature = radiate(temperature, skin_per_m, dt_s, material)
    return temperature


def joined_state(size: int) -> dict:
    """An example state whose arrays pass from kernel to kernel."""
    state = make_heat_state(np.random.default_rng(3), size)
    state["arena_in"] = state["arena_out"]
    state["heat_node_in"] = state["heat_node_inout"] = state["heat_node_out"]
    state["temperature_inout"] = state["temperature_in"]
    return state


def heat_step(state: dict) -> None:
    for module in STEPS:
        module.cpu(*[state[name] for name in module.KERNEL.argument_names])


def viscosity_of(temperature, rate, material) -> np.ndarray:
    t, g = np.broadcast_arrays(np.asarray(temperature, F32), np.asarray(rate, F32))
    count, padded = t.size, -(-t.size // 16) * 16
    t, g = np.resize(t, padded), np.resize(g, padded)
    out = np.zeros(padded, F32)
    viscosities(t, g, material, out)
    return out[:count]


def test_viscosity_follows_the_melt_law():
    material = lava_material(1.0)
    material[k.MATERIAL_YIELD_STRESS] = 0
    celsius = np.array([1165, 1114, 1050])
    assert viscosity_of(celsius + 273.15, 1.0, material) == pytest.approx([55, 144, 578], rel=0.02)


def test_viscosity_is_capped_even_where_the_law_has_no_value():
    material = lava_material(1.0)
    cold = viscosity_of([1.0, 300.0, 595.5, 596.0, 700.0], 0.0, material)
    assert np.all(cold == material[k.MATERIAL_VISCOSITY_MAX])


def test_yield_stress_is_regularised():
    material = lava_material(1.0)
    material[k.MATERIAL_VISCOSITY_MAX] = 1e9
    rates = np.array([0.0, 1e-6, 1e-2, 1.0, 50.0])
    melt = lava_material(1.0)
    melt[k.MATERIAL_YIELD_STRESS] = 0
    melt[k.MATERIAL_VISCOSITY_MAX] = 1e9
    t = 1200.0
    tau = 200.0 * (1473 - t) / (1473 - 1100)
    expected = [tau * 10 if g == 0 else tau * -math.expm1(-10 * g) / g for g in rates]
    assert viscosity_of(t, rates, material) - viscosity_of(t, rates, melt) == pytest.approx(expected, rel=2e-3)
    assert viscosity_of(1480.0, rates, material) == pytest.approx(viscosity_of(1480.0, rates, melt), rel=1e-6)


@pytest.mark.parametrize("steps", [24, 240, 2400])
def test_radiation_follows_its_closed_form(steps):
    material = lava_material(1.0)
    material[k.MATERIAL_AMBIENT_TEMPERATURE] = 0
    seconds = 100.0
    rate = 5.670374419e-8 * 0.95 / (2600 * 1150 * 0.02)
    expected = (1400.0**-3 + 3 * rate * seconds) ** (-1 / 3)
    got = radiate_often(F32(1400), F32(1 / 0.02), F32(seconds / steps), steps, material)
    assert expected < 1250
    assert got == pytest.approx(expected, rel=2e-4)


def test_radiation_ends_at_the_surroundings():
    material = lava_material(1.0)
    assert radiate_often(F32(1400), F32(50), F32(100.0), 4000, material) == pytest.approx(300.0, abs=2.0)
    assert radiate_often(F32(300), F32(50), F32(100.0), 10, material) == 300.0
    assert radiate_often(F32(1400), F32(0), F32(100.0), 10, material) == 1400.0


def test_lava_under_a_hotter_sky_never_heats_up():
    """The thinnest skin, the least heat capacity, the hottest surroundings that a shot file may name; a second."""
    material = lava_material(1.0)
    material[[k.MATERIAL_DENSITY, k.MATERIAL_SPECIFIC_HEAT]] = 1, 1
    material[k.MATERIAL_AMBIENT_TEMPERATURE] = 4999
    for steps in (1, 2, 10):
        assert 4999 <= radiate_often(F32(5000), F32(1e6), F32(1.0), steps, material) <= 5000


def test_transfer_keeps_mass_and_an_even_temperature():
    state = joined_state(6000)
    count = len(state["position_in"])
    state["material_in"][k.MATERIAL_EMISSIVITY] = 0
    state["temperature_in"][:] = 1234.0
    heat_step(state)
    weight = state["arena_out"].reshape(-1, 220, 2)[:, :216, 1]
    assert weight.sum() / 2.0**30 == pytest.approx(count, rel=1e-7)
    node = state["heat_node_out"]
    assert node[..., 1].sum() * 8 == pytest.approx(count, rel=1e-3)
    assert node[..., 0][node[..., 1] > 0] == pytest.approx(1234.0, abs=0.01)
    assert state["temperature_in"] == pytest.approx(1234.0, abs=1e-3)


def test_conduction_keeps_energy_and_decays_at_its_rate():
    state = joined_state(8000)
    material = state["material_in"]
    material[k.MATERIAL_EMISSIVITY] = 0
    material[k.MATERIAL_CONDUCTIVITY] = 2000.0
    kappa = 2000.0 / (2600 * 1150)
    z = state["position_in"][:, 2] - F32(0.4)
    length = 1.0  # m, 20 particles of 0.05 m
    mode = np.cos(np.pi * z / length)
    state["temperature_in"][:] = 1300 + 100 * mode
    state["heat_dt_s"] = F32(0.1 * 0.01 / kappa)
    steps = 60
    before = state["temperature_in"].astype(np.float64).mean()
    amplitude = 2 * float(np.mean((state["temperature_in"] - before) * mode))
    for _ in range(steps):
        heat_step(state)
    after = state["temperature_in"].astype(np.float64)
    assert after.mean() == pytest.approx(before, abs=0.05)
    decay = 2 * float(np.mean((after - after.mean()) * mode)) / amplitude
    expected = math.exp(-kappa * (np.pi / length) ** 2 * steps * float(state["heat_dt_s"]))
    assert expected < 0.6
    assert decay == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("module", [*STEPS, mpm_rheology])
def test_threads_do_not_change_a_bit(module):
    results = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        arguments = module.KERNEL.example(np.random.default_rng(5), 4000)
        module.cpu(*arguments.values())
        results.append([arguments[name].tobytes() for name in module.KERNEL.output_names])
    assert results[0] == results[1]


@numba.njit(error_model="numpy")
def exponentials(x, one, sixteen):
    for n in range(x.shape[0]):
        one[n] = exp_f32(x[n])
    for n in range(0, x.shape[0], 16):
        store(sixteen, n, exp16(load16(x, n)))


def test_exponentials_of_sixteen_have_the_bits_of_one():
    x = np.random.default_rng(1).uniform(-80, 80, 16000).astype(F32)
    one, sixteen = np.zeros_like(x), np.zeros_like(x)
    exponentials(x, one, sixteen)
    assert np.array_equal(one, sixteen)


@numba.njit(error_model="numpy")
def strain_rates(velocity, out):
    for n in range(out.shape[0]):
        out[n] = strain_rate(velocity, n)


@pytest.mark.parametrize("size", [1, 8, 27, 4096])
def test_rheology_carries_and_finds_each_particles_own(size):
    arguments = mpm_rheology.KERNEL.example(np.random.default_rng(5), size)
    mpm_rheology.cpu(*arguments.values())
    count = len(arguments["order_in"])
    carried = arguments["temperature_in"][arguments["order_in"]]
    assert np.array_equal(arguments["temperature_out"], carried)
    rate = np.zeros(count, F32)
    strain_rates(arguments["velocity_in"], rate)
    assert np.array_equal(arguments["viscosity_out"], viscosity_of(carried, rate, arguments["material_in"]))

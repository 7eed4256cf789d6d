"""Spray, foam and embers: how many are born, where they go, when they end."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from kernels.base import constants as k
from kernels.effects import fx_birth, fx_birth_count, fx_compact, fx_move, fx_scan
from kernels.effects.fx_air import CHUNK

F32 = np.float32
MODULES = (fx_move, fx_birth_count, fx_scan, fx_compact, fx_birth)


@pytest.mark.parametrize("module", MODULES)
def test_threads_do_not_change_a_bit(module):
    results = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        arguments = module.KERNEL.example(np.random.default_rng(5), 5000)
        assert tuple(arguments) == module.KERNEL.argument_names
        module.cpu(*arguments.values())
        results.append([arguments[name].tobytes() for name in module.KERNEL.output_names])
    assert results[0] == results[1]


def test_scan_gives_places_in_order():
    arguments = fx_scan.KERNEL.example(np.random.default_rng(1), 50)
    fx_scan.cpu(*arguments.values())
    assert np.array_equal(arguments["alive_offset_out"][1:], np.cumsum(arguments["alive_in"]))
    assert np.array_equal(arguments["birth_offset_out"][1:], np.cumsum(arguments["births_in"]))
    total = arguments["alive_in"].sum() + arguments["births_in"].sum()
    assert arguments["counts_inout"][k.COUNT_EFFECTS] == min(total, arguments["effect_capacity"])


def test_compaction_keeps_the_living_in_order():
    arguments = fx_compact.KERNEL.example(np.random.default_rng(1), 5 * CHUNK + 17)
    fx_compact.cpu(*arguments.values())
    alive = arguments["effect_kind_in"] != k.EFFECT_NONE
    count = int(alive.sum())
    for name in ("effect_position", "effect_velocity", "effect_kind", "effect_temperature"):
        assert np.array_equal(arguments[f"{name}_out"][:count], arguments[f"{name}_in"][alive])


def count_births(arguments: dict) -> int:
    fx_birth_count.cpu(*arguments.values())
    return int(arguments["births_out"].sum())


def fast_water(size: int) -> dict:
    """Example arguments in which every potential is full."""
    arguments = fx_birth_count.KERNEL.example(np.random.default_rng(2), size)
    params = arguments["effect_params_in"]
    params[k.EFFECT_PARAM_SPEED_HIGH] = params[k.EFFECT_PARAM_STRAIN_HIGH] = 1e-3
    params[k.EFFECT_PARAM_SURFACE_FRACTION] = 1e3
    params[k.EFFECT_PARAM_FOAM_RATE] = params[k.EFFECT_PARAM_EMBER_RATE] = 0
    return arguments


@pytest.mark.parametrize("rate", [2.0, 10.0, 60.0])
def test_births_have_the_stated_mean(rate):
    size = 20000
    arguments = fast_water(size)
    arguments["effect_params_in"][k.EFFECT_PARAM_SPRAY_RATE] = rate
    mean = rate / 24
    spread = np.sqrt(size * (mean % 1) * (1 - mean % 1))
    assert abs(count_births(arguments) - size * mean) < 5 * spread


def test_still_water_sends_out_nothing():
    arguments = fast_water(20000)
    arguments["velocity_in"][:] = 0
    assert count_births(arguments) == 0


def test_deep_water_sends_out_nothing():
    arguments = fast_water(20000)
    arguments["effect_params_in"][k.EFFECT_PARAM_SURFACE_FRACTION] = 0.5
    arguments["position_in"][:, 2] = 0.8  # the example's liquid reaches to 1.6 m
    assert count_births(arguments) == 0


@pytest.mark.parametrize("free", [0, 1, 7, 40])
def test_births_that_do_not_fit_are_thinned_evenly(free):
    arguments = fx_birth.KERNEL.example(np.random.default_rng(4), 4 * CHUNK)
    total = int(arguments["birth_offset_in"][-1])
    assert total > free
    alive = int(arguments["alive_offset_in"][-1])
    arguments["effect_capacity"] = alive + free
    arguments["effect_kind_out"][:] = -1
    fx_birth.cpu(*arguments.values())
    born = arguments["effect_kind_out"] > 0
    assert np.array_equal(np.flatnonzero(born), np.arange(alive, alive + free))


def moving(kind: int, place: tuple[float, float, float], velocity: tuple[float, float, float], life: float) -> dict:
    arguments = fx_move.KERNEL.example(np.random.default_rng(4), 1)
    arguments["effect_params_in"][:] = 0
    arguments["effect_kind_inout"][0] = kind
    arguments["effect_position_inout"][0, :3] = place
    arguments["effect_velocity_inout"][0] = (*velocity, life)
    return arguments


def test_spray_flies_on_a_parabola():
    arguments = moving(k.EFFECT_SPRAY, (1.5, 1.5, 2.0), (2.0, 0.0, 3.0), 1.0)
    fx_move.cpu(*arguments.values())
    x, _, z = arguments["effect_position_inout"][0, :3]
    t = 1 / 24
    assert x == pytest.approx(1.5 + 2 * t, rel=1e-6)
    assert z == pytest.approx(2.0 + 3 * t - 9.81 * t * t / 2, abs=9.81 * t * t / 7)
    assert arguments["effect_velocity_inout"][0, 2] == pytest.approx(3 - 9.81 * t, rel=1e-5)
    assert arguments["effect_velocity_inout"][0, 3] == pytest.approx(1 - t, rel=1e-5)
    assert arguments["alive_out"][0] == 1


@pytest.mark.parametrize(("foam_rate", "kind"), [(0.0, k.EFFECT_NONE), (1.0, k.EFFECT_FOAM)])
def test_spray_that_falls_into_the_liquid(foam_rate, kind):
    arguments = moving(k.EFFECT_SPRAY, (1.5, 1.5, 1.0), (0.0, 0.0, -1.0), 1.0)
    arguments["effect_params_in"][k.EFFECT_PARAM_FOAM_RATE] = foam_rate
    fx_move.cpu(*arguments.values())
    assert arguments["effect_kind_inout"][0] == kind
    assert arguments["alive_out"][0] == int(kind != k.EFFECT_NONE)


def test_foam_drifts_with_the_liquid():
    arguments = moving(k.EFFECT_FOAM, (1.5, 1.5, 1.4), (0.0, 0.0, 0.0), 1.0)
    arguments["node_in"][:, :, :3] = (0.5, -0.25, 0.0)
    fx_move.cpu(*arguments.values())
    assert arguments["effect_position_inout"][0, :2] == pytest.approx([1.5 + 0.5 / 24, 1.5 - 0.25 / 24], rel=1e-5)


def test_embers_rise_and_cool():
    arguments = moving(k.EFFECT_EMBER, (1.5, 1.5, 2.0), (0.0, 0.0, 0.0), 1.0)
    params = arguments["effect_params_in"]
    params[k.EFFECT_PARAM_DRAG], params[k.EFFECT_PARAM_EMBER_RISE] = 5, 3
    params[k.EFFECT_PARAM_EMBER_COOLING] = 1
    arguments["effect_temperature_inout"][0] = 1400
    fx_move.cpu(*arguments.values())
    assert arguments["effect_velocity_inout"][0, 2] == pytest.approx(3 * (1 - np.exp(-5 / 24)), rel=0.03)
    assert arguments["effect_temperature_inout"][0] == pytest.approx(300 + 1100 * np.exp(-1 / 24), rel=1e-3)


@pytest.mark.parametrize(("place", "life"), [((1.5, 1.5, 2.0), 0.01), ((0.36, 1.5, 2.0), 1.0), ((1.5, 1.5, 2.83), 1.0)])
def test_particles_end(place, life):
    arguments = moving(k.EFFECT_SPRAY, place, (-5.0, 0.0, 5.0), life)
    fx_move.cpu(*arguments.values())
    assert arguments["effect_kind_inout"][0] == k.EFFECT_NONE
    assert arguments["alive_out"][0] == 0

"""Lava's heat: what a pool radiates, how a sharp step of temperature conducts away."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Figure, along, no_more_than, within
from bench.check.validate.flow import Flow, shot_scene
from kernels.base import constants as k

STEFAN_BOLTZMANN = 5.670374419e-8  # W/m^2/K^4
HOT_K, AMBIENT_K, EMISSIVITY = 1400.0, 300.0, 0.95
POOL = """
kind = "lava"
speed_limit_m_per_s = 2.0
yield_stress_pa = 0.0
emissivity = 0.95
ambient_temperature_k = 300.0
conductivity_w_per_m_k = 2.0
viscosity_max_pa_s = 500.0
[[body]]
kind = "box"
min_m = [0.0, 0.0, 0.0]
max_m = [1.0, 1.0, 0.5]
hydrostatic = true
temperature = { kind = "constant", temperature_k = 1400.0 }
"""
STEP = """
kind = "lava"
speed_limit_m_per_s = 1.0
density_kg_per_m3 = 1000.0
specific_heat_j_per_kg_k = 1000.0
conductivity_w_per_m_k = 1000.0
emissivity = 0.0
yield_stress_pa = 0.0
vft_a = 0.0
vft_b_k = 0.0
viscosity_max_pa_s = 10.0
[force]
gravity_m_per_s2 = [0.0, 0.0, 0.0]
[[body]]
kind = "box"
min_m = [0.0, 0.0, 0.0]
max_m = [{middle}, {side}, {side}]
temperature = {{ kind = "constant", temperature_k = 1400.0 }}
[[body]]
kind = "box"
min_m = [{middle}, 0.0, 0.0]
max_m = [{end}, {side}, {side}]
temperature = {{ kind = "constant", temperature_k = 1200.0 }}
"""


def radiation(backend: Backend, quick: bool) -> list[Figure]:
    """A pool of 1 m x 1 m at 1400 K for two seconds, at two sizes of cells: J/m^2 that it has lost."""
    seconds, rate = (0.5, 24.0) if quick else (2.0, 24.0)
    figures = []
    for cells in (8, 16) if quick else (16, 32):
        flow = Flow(shot_scene(POOL, (1.0, 1.0, 1.0), cells, rate=rate), backend)
        material = flow.scene.material
        heat = float(material[k.MATERIAL_DENSITY] * material[k.MATERIAL_SPECIFIC_HEAT]) * flow.particle_volume
        flow.advance(round(rate * seconds))
        lost = heat * float((HOT_K - flow.temperature).sum())
        exact = EMISSIVITY * STEFAN_BOLTZMANN * (HOT_K**4 - AMBIENT_K**4) * seconds
        figures.append(within(f"heat lost in {seconds:g} s, cells of 1/{cells} m, J/m2", exact, lost, 0.05))
    return figures


def conduction(backend: Backend, quick: bool) -> list[Figure]:
    """1400 K beside 1200 K, until the step is ten cells wide: sqrt(4 kappa t)."""
    from scipy.special import erf

    cells, dx = 64, 0.05
    kappa = 1000.0 / (1000.0 * 1000.0)
    seconds = (10.0 * dx) ** 2 / (4.0 * kappa)
    text = STEP.format(middle=0.5 * cells * dx, end=cells * dx, side=4.0 * dx)
    flow = Flow(shot_scene(text, (cells * dx, 4.0 * dx, 4.0 * dx), cells, rate=1.0, frames=100), backend)
    flow.advance(round(seconds))
    x = flow.position[:, 0] / dx - 0.5 * cells
    exact = 1300.0 - 100.0 * erf(x / np.sqrt(4.0 * kappa * flow.time_s) * dx)
    off = np.abs(flow.temperature - exact)
    near = np.abs(x) < 0.5
    left = float(flow.temperature[near & (x < 0.0)].mean() - flow.temperature[near & (x > 0.0)].mean())
    expected = float(exact[near & (x < 0.0)].mean() - exact[near & (x > 0.0)].mean())
    return [
        along("temperature along the step, of its 200 K", flow.temperature, exact, 200.0, 0.05),
        no_more_than("farthest from the error function, of its 200 K", 0.0, float(off.max()) / 200.0, 0.05),
        no_more_than("jump that is left in the middle cell, K", expected, left, expected + 10.0),
    ]


CASES = (
    Case("radiation", "a pool of lava at 1400 K radiates", "Stefan 1879, Boltzmann 1884", radiation),
    Case("conduction", "lava of 1400 K beside lava of 1200 K", "Fourier 1822: the error function", conduction),
)

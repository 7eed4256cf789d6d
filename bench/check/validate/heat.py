"""Heat: what a surface radiates against Stefan and Boltzmann, what lava conducts against the error function."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Figure, series, within, within_by
from bench.check.validate.flow import Flow, shot_scene
from bench.pipeline.scene.build import Three

STEFAN_BOLTZMANN = 5.670374419e-8  # W/m^2/K^4
DENSITY, SPECIFIC_HEAT, EMISSIVITY = 2600.0, 1150.0, 0.95
HOT_K, COLD_K, AMBIENT_K = 1400.0, 1200.0, 300.0

LAVA = """
kind = "lava"
density_kg_per_m3 = {density}
specific_heat_j_per_kg_k = {specific_heat}
conductivity_w_per_m_k = {conductivity}
emissivity = {emissivity}
ambient_temperature_k = {ambient}
vft_a = {log_viscosity}
vft_b_k = 0.0
viscosity_max_pa_s = 1000.0
yield_stress_pa = 0.0
speed_limit_m_per_s = {limit}
"""
BODY = """
[[body]]
kind = "box"
min_m = {low}
max_m = {high}
temperature = {{ kind = "constant", temperature_k = {temperature} }}
"""


def _box(low: Three, high: Three, temperature_k: float) -> str:
    return BODY.format(low=[float(v) for v in low], high=[float(v) for v in high], temperature=temperature_k)


# --- Radiation ------------------------------------------------------------------------------------


def _radiating(
    cell_m: float, cells: int, high: Three, limit_m_per_s: float, log_viscosity: float, backend: Backend
) -> Flow:
    """Lava of 1400 K that conducts nothing, between the floor's corner and ``high``; the box is a cube of ``cells``."""
    text = LAVA.format(
        density=DENSITY, specific_heat=SPECIFIC_HEAT, conductivity=0.0, emissivity=EMISSIVITY, ambient=AMBIENT_K,
        log_viscosity=log_viscosity, limit=limit_m_per_s,
    )  # fmt: skip
    edge = cells * cell_m
    scene = shot_scene(text + _box((0.0, 0.0, 0.0), high, HOT_K), (edge, edge, edge), cells, frames=1000)
    return Flow(scene, backend)


def _heat_j_per_m2(flow: Flow, area_m2: float) -> float:
    return float(DENSITY * SPECIFIC_HEAT * flow.particle_volume * flow.temperature.sum() / area_m2)


def _black_w_per_m2() -> float:
    return STEFAN_BOLTZMANN * EMISSIVITY * (HOT_K**4 - AMBIENT_K**4)


def radiated_by_a_pool(backend: Backend, quick: bool) -> list[Figure]:
    """At the cells of two pools of 1 m, and of the shipped lava at sizes S, M, L and XL."""
    figures = []
    for name, cell, cells in (
        ("cells of 1/16 m", 1 / 16, 16),
        ("1/32 m", 1 / 32, 32),
        ("lava S, 0.1 m", 0.1, 12),
        ("lava M, 45 mm", 12 / 264, 12),
        ("lava L, 18 mm", 12 / 672, 12),
        ("lava XL, 8.9 mm", 12 / 1344, 12),
    ):
        if quick and cells == 32:
            continue
        edge = cells * cell
        flow = _radiating(cell, cells, (edge, edge, 3 * cell), 0.5, 2.0, backend)
        before = _heat_j_per_m2(flow, edge**2)
        flow.advance(48)
        lost = (before - _heat_j_per_m2(flow, edge**2)) / 1e3
        figures.append(within(f"heat lost in 2 s, {name}, kJ/m2", 2.0 * _black_w_per_m2() / 1e3, lost, 0.05))
    return figures


def radiated_after_a_fall(backend: Backend, quick: bool) -> list[Figure]:
    """A column of lava falls over the floor of a box and comes to rest: its particles lie anyhow."""
    cells = 12 if quick else 24
    flow = _radiating(1.0 / cells, cells, (0.5, 1.0, 0.75), 4.0, 2.0, backend)
    flow.advance(96)
    before = _heat_j_per_m2(flow, 1.0)
    flow.advance(24)
    return [
        within("heat lost in 1 s, kJ/m2", _black_w_per_m2() / 1e3, (before - _heat_j_per_m2(flow, 1.0)) / 1e3, 0.05)
    ]


# --- Conduction -----------------------------------------------------------------------------------

CELLS, CELL_M = 72, 0.05  # along the lava; four cells wide and high
DIFFUSIVITY = 1.0e3 / (100.0 * 1666.0)  # m^2/s: 0.1 square cells in a frame of 1/24 s


def conducted(backend: Backend, quick: bool) -> list[Figure]:
    """A sharp step of temperature in the middle of a full box without gravity, until it is ten cells wide."""
    from scipy.special import erf

    edge, width = CELLS * CELL_M, 4 * CELL_M
    text = LAVA.format(
        density=100.0, specific_heat=1666.0, conductivity=1.0e3, emissivity=0.0, ambient=AMBIENT_K, log_viscosity=0.0,
        limit=0.05,
    )  # fmt: skip
    text += _box((0.0, 0.0, 0.0), (edge / 2, width, width), HOT_K)
    text += _box((edge / 2, 0.0, 0.0), (edge, width, width), COLD_K) + "\n[force]\ngravity_m_per_s2 = [0.0, 0.0, 0.0]\n"
    flow = Flow(shot_scene(text, (edge, width, width), CELLS, frames=1000), backend)
    middle, jump = 0.5 * (HOT_K + COLD_K), HOT_K - COLD_K
    before = flow.temperature.mean()
    figures = []
    for cells in (3.6, 10.0):
        flow.advance(round((cells * CELL_M) ** 2 / (4.0 * DIFFUSIVITY) * 24.0) - flow.simulation.frame)
        x = flow.position[:, 0] - 0.5 * edge
        off = flow.temperature - (middle - 0.5 * jump * erf(x / np.sqrt(4.0 * DIFFUSIVITY * flow.time_s)))
        farthest = float(np.abs(off).max())
        figures.append(series(f"farthest from erf, {cells:g} cells wide, K", farthest, farthest / jump, 0.05))
        rms = float(np.sqrt((off**2).mean()))
        figures.append(series(f"rms from erf, {cells:g} cells wide, K", rms, rms / jump, 0.005))
    figures.append(within_by("mean temperature, K", before, float(flow.temperature.mean()), 1e-5 * jump))
    return figures


CASES = (
    Case(
        "radiation",
        "pools of lava of 1400 K, cells of 0.1 m to 8.9 mm",
        "Stefan and Boltzmann: epsilon sigma (T^4 - T_a^4)",
        radiated_by_a_pool,
    ),
    Case(
        "radiation-settled",
        "lava of 1400 K after it has fallen and come to rest",
        "Stefan and Boltzmann: epsilon sigma (T^4 - T_a^4)",
        radiated_after_a_fall,
    ),
    Case(
        "conduction",
        "lava of 1400 K beside lava of 1200 K, a sharp step",
        "Carslaw and Jaeger 1959: erf(x / sqrt(4 kappa t)); the mean is kept",
        conducted,
    ),
)

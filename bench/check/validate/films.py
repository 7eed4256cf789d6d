"""Films on a slope, by gravity with a part along the floor: Nusselt's, Bingham's, and where Bingham's stops."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Figure, no_more_than, within
from bench.check.validate.flow import Flow, shot_scene

DEPTH_M, SLOPE_M_PER_S2, DENSITY = 0.2, 1.0, 1000.0
FILM = """
kind = "lava"
density_kg_per_m3 = 1000.0
speed_limit_m_per_s = 2.5
sound_speed_m_per_s = 25.0
vft_a = {log_viscosity}
vft_b_k = 0.0
viscosity_max_pa_s = {cap}
yield_stress_pa = {yield_stress}
papanastasiou_s = {sharpness}
conductivity_w_per_m_k = 0.0
emissivity = 0.0
[force]
gravity_m_per_s2 = [{slope}, 0.0, -4.0]
[[body]]
kind = "box"
min_m = [{first}, 0.0, 0.0]
max_m = [{last}, {width}, {depth}]
temperature = {{ kind = "constant", temperature_k = 1000.0 }}
velocity = {{ kind = "constant", velocity_m_per_s = [{speed}, 0.0, 0.0] }}
"""


class Law:
    """A Papanastasiou liquid with a cap, as the kernels have it."""

    def __init__(self, viscosity: float, yield_stress: float, sharpness: float, cap: float) -> None:
        self.viscosity, self.yield_stress, self.sharpness, self.cap = viscosity, yield_stress, sharpness, cap

    def viscosity_at(self, rate: np.ndarray) -> np.ndarray:
        rate = np.maximum(np.abs(rate), 1.0e-6)
        plastic = self.yield_stress * (1.0 - np.exp(-self.sharpness * rate)) / rate
        return np.asarray(np.minimum(self.viscosity + plastic, self.cap))

    def profile(self, seconds: float, start: float, levels: int = 80, steps: int = 4000) -> np.ndarray:
        """Speed (m/s) at the middles of equal layers of the film after some time: implicit in time, from ``start``."""
        dz, dt = DEPTH_M / levels, seconds / steps
        u = np.full(levels, start)
        for _ in range(steps):
            rate = np.diff(u, prepend=0.0) / np.array([0.5 * dz, *[dz] * (levels - 1)])
            mu = self.viscosity_at(rate)  # at the lower face of each layer
            below = mu / np.array([0.5 * dz, *[dz] * (levels - 1)]) * dt / (DENSITY * dz)
            above = np.append(below[1:], 0.0)
            u = _tridiagonal(-below, 1.0 + below + above, -above, u + dt * SLOPE_M_PER_S2)
        return u


def _tridiagonal(lower: np.ndarray, middle: np.ndarray, upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    from scipy.linalg import solve_banded

    banded = np.zeros((3, len(middle)))
    banded[0, 1:], banded[1], banded[2, :-1] = upper[:-1], middle, lower[1:]
    return np.asarray(solve_banded((1, 1), banded, right))


def film(
    backend: Backend, law: Law, cells: int, seconds: float, start: float = 0.0, length: float = 2.4
) -> tuple[float, float]:
    """(speed of the surface, mean speed), m/s, in the middle of a film of ``length`` (m); its ends are free.

    Half as long, what happens at the ends slows a film with a yield stress by a seventh.
    """
    dx = DEPTH_M / cells
    text = FILM.format(
        log_viscosity=float(np.log10(law.viscosity)),
        cap=law.cap,
        yield_stress=law.yield_stress,
        sharpness=law.sharpness,
        slope=SLOPE_M_PER_S2,
        first=0.4,
        last=0.4 + length,
        width=4.0 * dx,
        depth=DEPTH_M,
        speed=start,
    )
    walls = 'z_min = "stick"\n'
    flow = Flow(
        shot_scene(text, (length + 0.8, 4.0 * dx, 0.4), round((length + 0.8) / dx), rate=20.0, walls=walls), backend
    )
    flow.advance(round(20.0 * seconds))
    x, _, z = flow.position.T
    middle = np.abs(x - 0.4 - 0.5 * length) < 0.3
    u = flow.velocity[:, 0]
    top = middle & (z > DEPTH_M - dx)
    # The surface's speed from the layer under it, whose middle is half a cell lower: the profile is flat there
    return float(u[top].mean()), float(u[middle].mean())


def _expected(law: Law, cells: int, seconds: float, start: float = 0.0) -> tuple[float, float]:
    u = law.profile(seconds, start)
    return float(u[-len(u) // cells :].mean()), float(u.mean())


def nusselt(backend: Backend, quick: bool) -> list[Figure]:
    """Two caps on the viscosity, neither ever reached: only the number of substeps differs."""
    cells, figures = (4, []) if quick else (8, [])
    for cap in (300.0, 2000.0):
        law = Law(200.0, 0.0, 0.0, cap)
        surface, mean = film(backend, law, cells, 0.6)
        exact_surface, exact_mean = _expected(law, cells, 0.6)
        figures += [
            within(f"speed of the top cell, cap {cap:g} Pa s, m/s", exact_surface, surface, 0.05),
            within(f"mean speed, cap {cap:g} Pa s, m/s", exact_mean, mean, 0.05),
        ]
    return figures


def bingham(backend: Backend, quick: bool) -> list[Figure]:
    """A yield stress of 0.4 of the stress at the floor."""
    cells = 4 if quick else 8
    law = Law(200.0, 0.4 * DENSITY * SLOPE_M_PER_S2 * DEPTH_M, 100.0, 2000.0)
    surface, mean = film(backend, law, cells, 0.6)
    exact_surface, exact_mean = _expected(law, cells, 0.6)
    return [
        within("speed of the top cell, m/s", exact_surface, surface, 0.05),
        within("mean speed, m/s", exact_mean, mean, 0.05),
    ]


def bingham_stop(backend: Backend, quick: bool) -> list[Figure]:
    """A film that starts at 0.2 m/s, below and above the depth that its yield stress holds: tau_y / (rho g sin a).

    In place of rest the regularised liquid creeps with its cap, here some mm/s: a higher cap asks for more substeps.
    """
    cells, start, cap = (4, 0.2, 10_000.0) if quick else (8, 0.2, 4000.0)
    figures = []
    for share in (0.7, 2.5):
        law = Law(100.0, DENSITY * SLOPE_M_PER_S2 * DEPTH_M / share, 1000.0, cap)
        _, mean = film(backend, law, cells, 1.0, start)
        _, exact = _expected(law, cells, 1.0, start)
        name = f"mean speed after 1 s at {share:g} of the depth that stops, m/s"
        if share < 1.0:
            figures.append(no_more_than(name, 0.0, mean, 0.005))
        else:
            figures.append(within(name, exact, mean, 0.10))
    return figures


CASES = (
    Case("nusselt-film", "a viscous film on a slope", "Nusselt 1916: u = g s (h z - z^2 / 2) / nu", nusselt),
    Case("bingham-film", "a film with a yield stress on a slope", "Bingham 1922; Papanastasiou 1987", bingham),
    Case("bingham-stop", "films above and below their yield stress", "h = tau_y / (rho g sin a)", bingham_stop),
)

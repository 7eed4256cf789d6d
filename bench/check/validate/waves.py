"""Waves with a closed form: a standing wave's period and decay, a solitary wave's speed and height."""

from __future__ import annotations

import numpy as np
from scipy.optimize import curve_fit

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Row, no_more_than, within
from bench.check.validate.flow import Flow, G, points_scene, resting_ratio, with_substeps
from bench.pipeline.scene.blocks_of_water import box_points
from bench.pipeline.scene.build import Scene

LENGTH_M, DEPTH_M, AMPLITUDE_M = 1.0, 0.5, 0.03  # of the standing wave


# --- Standing wave --------------------------------------------------------------------------------


def sloshing_scene(cells: int, sound_speed_m_per_s: float = 22.0, rate: float = 50.0) -> Scene:
    """A standing wave at its highest; ``cells`` are those of its depth."""
    cell = DEPTH_M / cells
    along_x = round(LENGTH_M / cell)
    points = box_points((0, 0, 0), (along_x, 4, round(1.25 * cells)), cell)
    surface = DEPTH_M + AMPLITUDE_M * np.cos(np.pi * points[:, 0] / LENGTH_M)
    points, surface = (a[points[:, 2] < surface] for a in (points, surface))
    return points_scene(
        points,
        (along_x, 4, (round(1.6 * cells) + 3) // 4 * 4),
        cell,
        sound_speed_m_per_s=sound_speed_m_per_s,
        speed_limit_m_per_s=0.1 * sound_speed_m_per_s,
        volume_ratio=resting_ratio(surface - points[:, 2], sound_speed_m_per_s),
        frame_dt_s=1.0 / rate,
    )


def first_mode(flow: Flow) -> float:
    """Amplitude (m) of the standing wave: the surface against cos(pi x / L), by the mass of the columns."""
    width = 4.0 * flow.cell
    total = np.cos(np.pi * flow.position[:, 0] / LENGTH_M).sum() * flow.particle_volume
    return float(2.0 * total / (LENGTH_M * width))


def swing(backend: Backend, cells: int, seconds: float, substeps: float) -> tuple[float, float]:
    """(period s, decay 1/s) of the standing wave."""
    flow = Flow(with_substeps(sloshing_scene(cells), substeps), backend)
    times, found = [0.0], [first_mode(flow)]
    while flow.time_s < seconds - 1.0e-9:
        flow.advance()
        times.append(flow.time_s)
        found.append(first_mode(flow))

    def law(t: np.ndarray, a: float, decay: float, omega: float, phase: float, mean: float) -> np.ndarray:
        return np.asarray(a * np.exp(-decay * t) * np.cos(omega * t + phase) + mean)

    start = (AMPLITUDE_M, 0.1, 5.3166, 0.0, 0.0)
    (_, decay, omega, _, _), _ = curve_fit(law, np.array(times), np.array(found), start)
    return 2.0 * np.pi / float(omega), float(decay)


def sloshing(backend: Backend, quick: bool) -> list[Row]:
    cells, seconds = (8, 3.6) if quick else (12, 6.0)
    k = np.pi / LENGTH_M
    period_s = 2.0 * np.pi / np.sqrt(G * k * np.tanh(k * DEPTH_M))
    found = {n: swing(backend, cells, seconds, float(n)) for n in (1, 2, 4)}
    decay = found[1][1]
    return [
        within(f"period, {cells} cells deep, s", period_s, found[1][0], 0.01),
        # Half of what it was before the transfer was bettered; water's own viscosity gives 2e-5
        no_more_than(f"decay, {cells} cells deep, 1/s", 0.0, decay, 0.07 if quick else 0.046),
        within("decay with twice the substeps, 1/s", decay, found[2][1], 0.10),
        within("decay with four times the substeps, 1/s", decay, found[4][1], 0.10),
    ]


CASES = (
    Case(
        "sloshing",
        "a standing wave of 3 cm in a box of 1 m, water 0.5 m deep",
        "Airy 1845: omega^2 = g k tanh(k h)",
        sloshing,
    ),
)

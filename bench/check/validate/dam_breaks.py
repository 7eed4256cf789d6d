"""Dam breaks that were measured: Martin and Moyce 1952, SPHERIC test 2 (MARIN), Lobovsky et al. 2014."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Figure, along, no_more_than, series, table, within
from bench.check.validate.flow import SEPARATE, SLIP, STICK, Flow, G, points_scene, resting_ratio, shot_scene
from bench.pipeline.scene.blocks_of_water import box_points

GATE = 0.175  # of Martin and Moyce's time unit: the gate takes it to clear, as in Lethe's example of the same case
SPHERIC_H2_M, SPHERIC_H4_M = 0.992, 2.638  # gauges on the tank's middle line
WET_M = 0.05  # height at which the wave counts as arrived
LOBOVSKY_H_M, LOBOVSKY_GAUGES_M = 0.3, (0.865, 1.114, 1.3625)  # height of the column; gauges H2, H3, H4
TANK = (SEPARATE, SEPARATE, SLIP, SLIP, SEPARATE, SEPARATE)  # of a slab: its sides are planes of symmetry
LOBOVSKY_WET = 0.05  # of the column's height


# --- Martin and Moyce -----------------------------------------------------------------------------


def surge_front(backend: Backend, cells_per_width: int, stiffer: float) -> tuple[np.ndarray, np.ndarray]:
    """(T, Z) of a column of width a and height 2 a; sound is ``stiffer`` times 10 sqrt(4 g a)."""
    a = 0.05715
    cell, sound, unit = a / cells_per_width, stiffer * 10.0 * np.sqrt(4.0 * G * a), np.sqrt(a / (2.0 * G))
    points = box_points((0, 0, 0), (cells_per_width, 4, 2 * cells_per_width), cell)
    width, height = (round(n * cells_per_width) for n in (4.6, 2.2))
    scene = points_scene(
        points,
        (width, 4, height),
        cell,
        sound_speed_m_per_s=sound,
        speed_limit_m_per_s=2.2,
        walls=TANK,
        volume_ratio=resting_ratio(2.0 * a - points[:, 2], sound),
        frame_dt_s=unit / 10.0,
    )
    flow = Flow(scene, backend)
    times, fronts = [0.0], [1.0]
    while times[-1] < 3.25:
        flow.advance()
        x = np.sort(flow.position[:, 0])
        times.append(times[-1] + 0.1)
        fronts.append((x[-len(x) // 500] + cell / 4.0) / a)
    return np.array(times), np.array(fronts)


def martin_moyce(backend: Backend, quick: bool) -> list[Figure]:
    time, front = table("martin_moyce_1952.csv")
    figures = []
    for cells, stiffer in [(8, 1.0), (8, 2.0), (8, 4.0), *([] if quick else [(16, 1.0)])]:
        ours = np.interp(time - GATE, *surge_front(backend, cells, stiffer))
        error = float(np.abs(ours / front - 1.0).mean())
        figures.append(series(f"front over width, {cells} cells, sound x {stiffer:g}", error, error, 0.04))
    return figures


# --- SPHERIC test 2 -------------------------------------------------------------------------------

SPHERIC = """
kind = "water"
speed_limit_m_per_s = 3.3
[[body]]
kind = "box"
min_m = [1.992, 0.0, 0.0]
max_m = [3.22, 1.0, 0.55]
hydrostatic = true
[[collider]]
kind = "box"
min_m = [0.6635, 0.2955, -0.2]
max_m = [0.8245, 0.6985, 0.161]
"""


def spheric(backend: Backend, quick: bool) -> list[Figure]:
    cells, end_s, rate = (52, 3.2, 50.0) if quick else (104, 4.0, 100.0)
    flow = Flow(shot_scene(SPHERIC, (3.22, 1.0, 1.0), cells, rate=rate), backend)
    dx = flow.cell
    times, heights = [], []
    while flow.time_s < end_s - 1.0e-9:
        flow.advance()
        times.append(flow.time_s)
        heights.append(
            [flow.gauge((x - dx, 0.5 - 1.5 * dx), (x + dx, 0.5 + 1.5 * dx)) for x in (SPHERIC_H2_M, SPHERIC_H4_M)]
        )
    t, (h2, h4) = np.array(times), np.array(heights).T
    time, level2, level4 = table("spheric2_levels.csv")
    measured2, measured4 = np.interp(t, time, level2), np.interp(t, time, level4)
    first, whole = t <= 1.5, t <= time[-1]
    late, back = (t > 1.2) & (t < 3.2), time > 1.2
    found = [within("the wave's arrival at H2, s", _arrival(time, level2, WET_M), _arrival(t, h2, WET_M), 0.06)]
    for name, ours, measured in (("H2", h2, measured2), ("H4", h4, measured4)):
        highest = float(measured.max())
        found += [
            along(f"height at {name} to 1.5 s, m of its highest", ours[first], measured[first], highest, 0.05),
            along(f"height at {name} to 2.5 s, m of its highest", ours[whole], measured[whole], highest, 0.06),
        ]
    name = "height of the wave that comes back to H2, m"
    return [*found, no_more_than(name, float(level2[back].max()), float(h2[late].max()), 0.37)]


def _arrival(time: np.ndarray, height: np.ndarray, wet: float) -> float:
    """When a gauge first reads ``wet``."""
    after = int(np.argmax(height > wet))
    if height[after] <= wet or after == 0:
        return float("nan")
    share = (wet - height[after - 1]) / (height[after] - height[after - 1])
    return float(time[after - 1] + share * (time[after] - time[after - 1]))


# --- Lobovsky et al. ------------------------------------------------------------------------------


def lobovsky_levels(backend: Backend, cells: int, floor: int) -> tuple[np.ndarray, np.ndarray]:
    """(t sqrt(g / H), levels over H at the gauges) of the column; ``cells`` are those of its height."""
    h = LOBOVSKY_H_M
    cell, sound, unit = h / cells, 25.0, np.sqrt(h / G)
    points = box_points((0, 0, 0), (2 * cells, cells // 2, cells), cell)
    scene = points_scene(
        points,
        (round(1.61 / cell), cells // 2, 2 * cells),
        cell,
        sound_speed_m_per_s=sound,
        speed_limit_m_per_s=0.1 * sound,
        volume_ratio=resting_ratio(h - points[:, 2], sound),
        walls=(SEPARATE,) * 4 + (floor, SEPARATE),
        frame_dt_s=0.02 * unit,
    )
    flow = Flow(scene, backend)
    times, levels = [0.0], [[0.0, 0.0, 0.0]]
    while times[-1] < 5.0:
        flow.advance()
        times.append(flow.time_s / unit)
        levels.append([flow.gauge((x - cell, 0.0), (x + cell, cells // 2 * cell)) / h for x in LOBOVSKY_GAUGES_M])
    return np.array(times), np.array(levels).T


def lobovsky(backend: Backend, quick: bool) -> list[Figure]:
    cells = 15 if quick else 30
    time, *measured = table("lobovsky_levels.csv")
    t, levels = lobovsky_levels(backend, cells, SEPARATE)
    _, stuck = lobovsky_levels(backend, cells, STICK)
    found = []
    for n, name in enumerate(("H2", "H3", "H4")):
        arrival = _arrival(time, measured[n], LOBOVSKY_WET)
        ours = np.interp(time, t, levels[n])
        found += [
            along(f"level at {name} over the column's height", ours, measured[n], 1.0, 0.035),
            within(f"arrival at {name}, t sqrt(g/H)", arrival, _arrival(t, levels[n], LOBOVSKY_WET), 0.08),
            within(f"the same over a floor that sticks, {name}", arrival, _arrival(t, stuck[n], LOBOVSKY_WET), 0.08),
        ]
    return found


CASES = (
    Case(
        "martin-moyce",
        "a column of water, twice as high as wide, collapses along a dry floor",
        "Martin and Moyce 1952, as digitised in PySPH's examples",
        martin_moyce,
    ),
    Case(
        "spheric-2",
        "a dam breaks onto a box in a tank of 3.22 m",
        "Issa and Violeau 2006, SPHERIC test 2; Kleefsman et al. 2005",
        spheric,
    ),
    Case(
        "lobovsky",
        "a column of 0.6 m x 0.3 m collapses in a narrow tank",
        "Lobovsky et al. 2014, figure 16",
        lobovsky,
    ),
)

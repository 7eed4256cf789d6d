"""The volume of the liquid, and motion that must not depend on what is only a bound: README's drop, dam breaks."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Figure, no_more_than, within
from bench.check.validate.flow import Flow, G, shot_scene
from bench.check.validate.waves import sloshing_scene
from bench.pipeline.scene.build import Scene

CROWD = 16.0  # particles that a cell may hold away from impacts; 8 at rest


def depth_m(flow: Flow) -> float:
    """Depth of a liquid that covers the floor, by its centre of mass; what its waves lift is taken off.

    The centre of mass of a liquid with surface h (1 + e) stands at h (1 + mean e^2) / 2; e by what columns two cells
    wide hold.
    """
    columns = [flow.scene.domain[axis] // 2 for axis in (0, 1)]
    lines = []
    for axis, number in enumerate(columns):
        width = flow.cell * flow.scene.domain[axis] / number
        lines.append(np.clip((flow.position[:, axis] / width).astype(np.int64), 0, number - 1))
    held = np.bincount(lines[0] * columns[1] + lines[1], minlength=columns[0] * columns[1])
    return float(2.0 * flow.position[:, 2].mean() / (1.0 + (held / held.mean()).var()))


# --- README's drop --------------------------------------------------------------------------------

DROP = """
kind = "water"
speed_limit_m_per_s = {limit}
[[body]]
kind = "box"
min_m = [0.0, 0.0, 0.0]
max_m = [1.0, 2.0, 1.0]
hydrostatic = true
[[body]]
kind = "sphere"
centre_m = [2.6, 1.0, 1.5]
radius_m = 0.3
"""
DROP_SIZE_M = (4.0, 2.0, 2.0)


def drop_scene(limit_m_per_s: float, cells: int, rate: float = 24.0) -> Scene:
    return shot_scene(DROP.format(limit=limit_m_per_s), DROP_SIZE_M, cells, rate=rate)


def drop_limits(backend: Backend, quick: bool) -> list[Figure]:
    cells = 24 if quick else 48
    found = {}
    for limit in (3.0, 6.0, 12.0):
        flow = Flow(drop_scene(limit, cells), backend)
        flow.advance(24)
        found[limit] = float(flow.position[:, 0].mean())
    return [
        within(f"centre of mass along x after 1 s, limit {limit:g} m/s for 3, m", found[3.0], found[limit], 0.005)
        for limit in (6.0, 12.0)
    ]


def frame_rates(backend: Backend, quick: bool) -> list[Figure]:
    cells = 24 if quick else 48
    found = {}
    for rate in (24, 12, 96):
        flow = Flow(drop_scene(6.0, cells, float(rate)), backend)
        flow.advance(rate)
        found[rate] = float(flow.position[:, 0].mean())
    name = "centre of mass along x after 1 s, {} frames a second for 24, m"
    return [within(name.format(rate), found[24], found[rate], 0.002) for rate in (12, 96)]


def drop_volume(backend: Backend, quick: bool) -> list[Figure]:
    flow = Flow(drop_scene(6.0, 24 if quick else 48), backend)
    flow.advance(240)
    count = len(flow.position)
    exact = count * flow.particle_volume / (flow.cell**2 * flow.scene.domain[0] * flow.scene.domain[1])
    return [
        within("depth after 10 s, m", exact, depth_m(flow), 0.01),
        no_more_than("particles in a cell after 10 s, at the most", 8.0, float(flow.cell_counts().max()), CROWD),
    ]


# --- A dam break that comes to rest ---------------------------------------------------------------


DAM = """
kind = "water"
speed_limit_m_per_s = {limit}
sound_speed_m_per_s = {sound}
[[body]]
kind = "box"
min_m = [0.0, 0.0, 0.0]
max_m = [0.5, {width}, 0.5]
hydrostatic = true
"""


def settled(backend: Backend, sound: float, cells: int, seconds: float) -> Flow:
    """A column of 0.5 m x 0.5 m falls into a box of 2 m, ``cells`` of it long, and comes to rest 0.125 m deep."""
    width = 4.0 * 2.0 / cells
    text = DAM.format(limit=0.1 * sound, sound=sound, width=width)
    flow = Flow(shot_scene(text, (2.0, width, 1.0), cells), backend)
    flow.advance(round(24.0 * seconds))
    return flow


def dam_volume(backend: Backend, quick: bool) -> list[Figure]:
    fastest = float(np.sqrt(2.0 * G * 0.5))
    figures = []
    for stiffer in (10.0, 20.0):
        flow = settled(backend, stiffer * fastest, 32 if quick else 64, 10.0)
        name = f"sound {stiffer:g} x the fastest"
        figures += [
            within(f"depth after 10 s, {name}, m", 0.125, depth_m(flow), 0.01),
            no_more_than(f"particles in a cell, {name}", 8.0, float(flow.cell_counts().max()), CROWD),
        ]
        if not quick:
            flow.advance(480)
            figures.append(within(f"depth after 30 s, {name}, m", 0.125, depth_m(flow), 0.02))
    return figures


def slosh_volume(backend: Backend, quick: bool) -> list[Figure]:
    cells = 8 if quick else 12
    figures = []
    for sound in (22.0, 44.0):
        flow = Flow(sloshing_scene(cells, sound, 24.0), backend)
        exact = len(flow.position) * flow.particle_volume / (4.0 * flow.cell)
        flow.advance(240)
        name = f"sound {sound:g} m/s"
        figures += [
            within(f"depth after 10 s, {name}, m", exact, depth_m(flow), 0.01),
            no_more_than(f"particles in a cell, {name}", 8.0, float(flow.cell_counts().max()), CROWD),
        ]
        if not quick:
            flow.advance(480)
            figures.append(within(f"depth after 30 s, {name}, m", exact, depth_m(flow), 0.02))
    return figures


CASES = (
    Case(
        "drop-limits",
        "README's dam break and drop, with speed limits of 3, 6 and 12 m/s",
        "the limit is a bound: nothing may depend on it",
        drop_limits,
    ),
    Case(
        "frame-rate",
        "README's dam break and drop at 12, 24 and 96 frames a second",
        "frames are how it is looked at: nothing may depend on them",
        frame_rates,
    ),
    Case("drop-volume", "README's dam break and drop, 10 s", "volume is kept", drop_volume),
    Case("dam-volume", "a column of 0.5 m falls into a box of 2 m and comes to rest", "volume is kept", dam_volume),
    Case("slosh-volume", "a standing wave, 10 s", "volume is kept", slosh_volume),
)

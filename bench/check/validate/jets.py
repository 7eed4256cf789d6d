"""Jets and emitters: trajectories, how high a fountain rises, a level that rises by what is poured in."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Figure, no_more_than, within
from bench.check.validate.flow import Flow, G, shot_scene
from bench.check.validate.volume import depth_m

EMITTER = """
[[emitter]]
centre_m = {centre}
radius_m = {radius}
direction = {direction}
speed_m_per_s = {speed}
end_s = {end}
"""
WATER = """
kind = "water"
speed_limit_m_per_s = {limit}
"""
POOL = """
[[body]]
kind = "box"
min_m = [0.0, 0.0, 0.0]
max_m = {high}
hydrostatic = true
"""


def jet(backend: Backend, quick: bool) -> list[Figure]:
    """Thrown at 4 m/s, two along for one up, for half a second."""
    origin, seconds = np.array([0.3, 0.4, 0.3]), 0.5
    text = WATER.format(limit=5.0) + EMITTER.format(
        centre=origin.tolist(), radius=0.1, direction=[2.0, 0.0, 1.0], speed=4.0, end=10.0
    )
    flow = Flow(shot_scene(text, (2.8, 0.8, 1.2), 56 if quick else 112, frames=12), backend)
    flow.advance(12)
    v = 4.0 * np.array([2.0, 0.0, 1.0]) / np.sqrt(5.0)
    x, _, z = flow.position.T
    age = (x - origin[0]) / v[0]
    parabola = origin[2] + v[2] * age - 0.5 * G * age**2
    # By eighths of the way: not the first, at the vent, nor the last, where the front spreads
    part = np.floor(8.0 * age / seconds)
    off = max(abs(float((z - parabola)[part == n].mean())) for n in range(1, 7))
    speed = float(flow.velocity[:, 0].mean())
    return [
        no_more_than("distance from the parabola, cells, at the most", 0.0, off / flow.cell, 0.5),
        within("mean speed along x, m/s", v[0], speed, 0.005),
    ]


def upward_jet(backend: Backend, quick: bool) -> list[Figure]:
    """Thrown straight up: how high the highest particles come, at 5 m/s over a dry floor."""
    cells, start = 16 if quick else 32, 0.2
    text = WATER.format(limit=6.0) + EMITTER.format(
        centre=[0.4, 0.4, start], radius=0.1, direction=[0.0, 0.0, 1.0], speed=5.0, end=10.0
    )
    flow = Flow(shot_scene(text, (0.8, 0.8, 2.0), cells, frames=60, rate=100.0), backend)
    flow.advance(round(100.0 * 5.0 / G))
    top = float(np.quantile(flow.position[:, 2], 0.99)) - start
    return [within("height over the vent, v^2 / 2 g, m", 25.0 / (2.0 * G), top, 0.05)]


def fountain(backend: Backend, quick: bool) -> list[Figure]:
    """A jet of 7 m/s that begins one cell above a pool."""
    side, dx = 0.8, 0.05 if quick else 0.025
    level, speed = 0.4, 7.0
    start = level + dx
    text = (
        WATER.format(limit=8.0)
        + POOL.format(high=[side, side, level])
        + EMITTER.format(centre=[0.4, 0.4, start], radius=0.1, direction=[0.0, 0.0, 1.0], speed=speed, end=10.0)
    )
    flow = Flow(shot_scene(text, (side, side, 3.6), round(side / dx), frames=80, rate=96.0), backend)
    highest = 0.0
    for _ in range(78):
        flow.advance()
        highest = max(highest, float(np.sort(flow.position[:, 2])[-20]))
    return [within("height over the floor, m", start + speed**2 / (2.0 * G), highest, 0.05)]


def submerged(backend: Backend, quick: bool) -> list[Figure]:
    """A disc of 0.15 m pours 3 m/s into a box of water 0.8 m deep for half a second."""
    cells, rate = (12, 24.0) if quick else (20, 24.0)
    text = (
        WATER.format(limit=4.5)
        + POOL.format(high=[1.0, 1.0, 0.8])
        + EMITTER.format(centre=[0.5, 0.5, 0.3], radius=0.15, direction=[0.0, 0.0, 1.0], speed=3.0, end=0.5)
    )
    flow = Flow(shot_scene(text, (1.0, 1.0, 1.6), cells, frames=72, rate=rate), backend)
    before = flow.scene.initial_count
    start = depth_m(flow)
    flow.advance(72)
    area = flow.cell**2 * flow.scene.domain[0] * flow.scene.domain[1]
    poured = (len(flow.position) - before) * flow.particle_volume / area
    return [
        within("poured in, m of level", np.pi * 0.15**2 * 3.0 * 0.5 / area, poured, 0.01),
        within("the level's rise, m", poured, depth_m(flow) - start, 0.03),
    ]


CASES = (
    Case("jet", "water thrown at 4 m/s, two along for one up", "Galilei 1638: a parabola", jet),
    Case("upward-jet", "water thrown straight up at 5 m/s", "Torricelli 1643: v^2 = 2 g h", upward_jet),
    Case("fountain", "a jet of 7 m/s that begins one cell above a pool", "Torricelli 1643: v^2 = 2 g h", fountain),
    Case("poured-in", "an emitter under water fills a box", "volume is kept", submerged),
)

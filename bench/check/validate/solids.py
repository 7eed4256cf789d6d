"""Walls and solids: nothing goes through, and what nothing holds leaves."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend
from bench.check.validate.case import Case, Figure, no_more_than, within
from bench.check.validate.flow import Flow, G, shot_scene
from bench.pipeline.scene.build import Three

PLATE = """
kind = "water"
speed_limit_m_per_s = 5.0
[[body]]
kind = "box"
min_m = [0.4, 0.2, 0.4]
max_m = [0.8, 0.6, 0.8]
velocity = {{ kind = "constant", velocity_m_per_s = [5.0, 0.0, 0.0] }}
[[collider]]
kind = "box"
min_m = [{low}, -1.0, -1.0]
max_m = [{high}, 2.0, 3.0]
boundary = "{kind}"
"""
SHELF = """
kind = "water"
speed_limit_m_per_s = 5.0
[[body]]
kind = "box"
min_m = [0.0, 0.0, 0.8]
max_m = [0.8, 0.8, 1.2]
hydrostatic = true
[[collider]]
kind = "box"
min_m = [0.0, 0.0, 0.6]
max_m = [0.8, 0.8, 0.8]
boundary = "{kind}"
"""
BLOCK = """
kind = "water"
speed_limit_m_per_s = 4.0
[force]
gravity_m_per_s2 = [0.0, 0.0, {gravity}]
[[body]]
kind = "box"
min_m = {low}
max_m = {high}
velocity = {{ kind = "constant", velocity_m_per_s = [{speed}, 0.0, 0.0] }}
"""
KINDS = ("slip", "separate", "stick")
THICKNESS_CELLS = (0.5, 1.0, 1.5, 2.0, 2.5)
OFFSET_CELLS = (0.0, 0.25, 0.5, 0.73)


def plates(backend: Backend, quick: bool) -> list[Figure]:
    """Water at 5 m/s against a plate: by its thickness in cells and where its front stands between two nodes."""
    dx = 0.05
    chosen = (
        [(0.5, 0.75), (0.5, 0.0), (1.0, 0.25), (2.0, 0.5)]
        if quick
        else [(thick, offset) for thick in THICKNESS_CELLS for offset in (*OFFSET_CELLS, 1.0 - 0.5 * (thick % 1.0))]
    )  # the last: the middle plane lies on nodes, or halfway
    figures = []
    for kind in KINDS:
        most, where = 0, (0.0, 0.0)
        for thick, offset in chosen:
            low = 1.0 + offset * dx
            high = low + thick * dx
            text = PLATE.format(low=low, high=high, kind=kind)
            flow = Flow(shot_scene(text, (1.8, 0.8, 1.2), 36, frames=48, rate=48.0), backend)
            flow.advance(24 if quick else 48)
            behind = int((flow.position[:, 0] > high).sum())
            if behind > most:
                most, where = behind, (thick, offset)
        name = f"particles behind a {kind} plate"
        if most:
            name += f", worst at {where[0]:g} cells, offset {where[1]:g}"
        figures.append(no_more_than(name, 0.0, float(most), 0.0))
    return figures


def shelf(backend: Backend, quick: bool) -> list[Figure]:
    """Water at rest on a shelf that ends where the domain does, on three sides or on four."""
    figures = []
    for kind in KINDS[:2]:
        for length, name in ((1.2, "with a free end"), (0.8, "from wall to wall")):
            flow = Flow(shot_scene(SHELF.format(kind=kind), (length, 0.8, 1.6), round(length / 0.05)), backend)
            flow.advance(6 if quick else 48)
            x, _, z = flow.position.T
            depth = np.minimum(np.minimum(0.8 - z, z - 0.6), 0.8 - x if length > 0.8 else np.inf)
            sunk = max(0.0, float(depth.max())) / flow.cell
            figures.append(no_more_than(f"cells that water sinks into a {kind} shelf {name}", 0.0, sunk, 0.5))
            if length == 0.8:
                under = float((z < 0.6).sum())
                figures.append(no_more_than(f"particles under a {kind} shelf {name}", 0.0, under, 0.0))
    return figures


def walls(backend: Backend, quick: bool) -> list[Figure]:
    """A block of water that leaves a wall, falls from a ceiling, falls up from a floor: as if there were none."""
    cells = 32 if quick else 64

    def block(low: Three, speed: float, gravity: float, frames: int) -> tuple[Flow, np.ndarray]:
        """A block of 0.4 m after some twentieths of a second, and how far it has moved."""
        high = [v + 0.4 for v in low]
        text = BLOCK.format(low=list(low), high=high, speed=speed, gravity=gravity)
        flow = Flow(shot_scene(text, (1.6, 1.2, 1.6), cells, rate=20.0), backend)
        start = flow.position.mean(0)
        flow.advance(frames)
        return flow, flow.position.mean(0) - start

    leaves, _ = block((0.0, 0.4, 0.4), 1.0, 0.0, 5)
    fall_m = 0.5 * G * 0.4**2
    falls, rises = block((0.4, 0.4, 1.2), 0.0, -G, 8)[1], block((0.4, 0.4, 0.0), 0.0, G, 8)[1]
    return [
        within("speed of a block that leaves a wall at 1 m/s", 1.0, float(leaves.velocity[:, 0].mean()), 0.01),
        within("fall from the ceiling in 0.4 s, m", fall_m, float(-falls[2]), 0.02),
        within("rise from the floor in 0.4 s, gravity upwards, m", fall_m, float(rises[2]), 0.02),
    ]


CASES = (
    Case("plates", "water at 5 m/s against thin plates of every kind", "nothing goes through a solid", plates),
    Case("shelf", "water at rest on a shelf flush with the walls", "nothing goes through a solid", shelf),
    Case("walls", "blocks of water that leave walls, floor and ceiling", "Galilei 1638: nothing holds them", walls),
)

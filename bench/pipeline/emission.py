"""What emitters let out: how many particles by when, and the vector that their kernel reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.backend.protocol import Backend, DeviceArray
from bench.pipeline.scene.build import EmitterDisc, Scene
from bench.pipeline.scene.needs import TRAVEL
from kernels.base import constants as k

FLIGHT_CELLS = 1.5  # a particle reaches nodes as far away
WALL_GAP_CELLS = 0.01  # by which a disc keeps clear of walls: more than rounding, and than particles keep


@dataclass
class Source:
    """An emitter's count of what it has let out."""

    emitter: EmitterDisc
    start_s: float  # when it begins, not before the shot does
    flux_per_s: float  # particles
    vector: DeviceArray  # float32[EMITTER_WORDS]
    emitted: int = 0  # particles so far

    @classmethod
    def of(cls, emitter: EmitterDisc, scene: Scene, backend: Backend) -> Source:
        """The source that an emitter of a scene is, with its vector on the device."""
        volume = float(scene.material[k.MATERIAL_PARTICLE_VOLUME])
        flux = math.pi * emitter.radius_m * emitter.radius_m * emitter.speed_m_per_s / volume
        centre, velocity = flown_one_cell(emitter, scene)
        speed = math.sqrt(velocity[0] * velocity[0] + velocity[1] * velocity[1] + velocity[2] * velocity[2])
        centre, radius = within_walls(centre, [v / speed for v in velocity], emitter.radius_m, scene)
        vector = np.zeros(k.EMITTER_WORDS, np.float32)
        vector[k.EMITTER_X : k.EMITTER_X + 3] = centre
        vector[k.EMITTER_DIRECTION : k.EMITTER_DIRECTION + 3] = [v / speed for v in velocity]
        vector[k.EMITTER_RADIUS], vector[k.EMITTER_SPEED] = radius, speed
        vector[k.EMITTER_TEMPERATURE] = emitter.temperature_K
        vector[k.EMITTER_VISCOSITY] = scene.material[k.MATERIAL_VISCOSITY_MAX]
        return cls(emitter, max(emitter.start_s, scene.start_time), max(flux, 1.0e-12), backend.array(vector))

    def due(self, time_s: float) -> int:
        """Particles that have left by ``time_s``: the n-th leaves at (n + 1/2) / flux."""
        seconds = min(time_s, self.emitter.end_s) - self.start_s
        return max(0, math.floor(seconds * self.flux_per_s + 0.5))


def flown_one_cell(emitter: EmitterDisc, scene: Scene) -> tuple[list[float], list[float]]:
    """Where the middle of the disc's liquid is (m), and how fast (m/s), when it has flown FLIGHT_CELLS cells freely.

    That is where it joins the grid. Nearer to the disc it would share nodes with what lies behind the disc, and a node
    has one velocity: a jet just above a pool would give half of its speed to the pool. Slow liquid joins before it
    would have fallen half a cell.
    """
    cell = scene.cell_size_m
    gravity = [float(g) for g in scene.force[k.FORCE_GRAVITY_X : k.FORCE_GRAVITY_Z + 1]]
    pull = math.sqrt(gravity[0] * gravity[0] + gravity[1] * gravity[1] + gravity[2] * gravity[2])
    flight_s = FLIGHT_CELLS * cell / max(emitter.speed_m_per_s, math.sqrt(FLIGHT_CELLS * pull * cell), 1.0e-6)
    velocity = [emitter.speed_m_per_s * d for d in emitter.direction]
    centre = [c + (v + 0.5 * g * flight_s) * flight_s for c, v, g in zip(emitter.centre, velocity, gravity)]
    return centre, [v + g * flight_s for v, g in zip(velocity, gravity)]


def within_walls(
    centre: list[float], direction: list[float], radius_m: float, scene: Scene
) -> tuple[list[float], float]:
    """Middle and radius of a disc whose liquid is within the walls, as far as it flies in a substep.

    In its free flight a disc near a wall would pass it. It is put back along the axis of that wall; where it fills
    the domain from wall to wall, it becomes smaller. A disc that is clear of walls stays as it is.
    """
    cell, low = scene.cell_size_m, (k.WALL_CELLS + WALL_GAP_CELLS) * scene.cell_size_m
    placed, share = list(centre), 1.0
    for axis, (d, cells) in enumerate(zip(direction, scene.domain)):
        reach, ahead = radius_m * math.sqrt(max(0.0, 1.0 - d * d)), d * TRAVEL * cell
        high = (k.WALL_CELLS + cells - WALL_GAP_CELLS) * cell - max(ahead, 0.0)
        least = low - min(ahead, 0.0)
        if 2.0 * reach > high - least:
            share = min(share, 0.5 * (high - least) / reach)
            reach = 0.5 * (high - least)
        placed[axis] = min(max(centre[axis], least + reach), high - reach)
    return placed, radius_m * share

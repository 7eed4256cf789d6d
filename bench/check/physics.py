"""Physics and tracer checks small enough to run before a benchmark: each has a figure, a limit and a closed form.

The tests hold the long versions. A check is a function of a back-end that returns ``Check``; ``CHECKS`` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.backend.numba_cpu import NumbaBackend
from bench.backend.protocol import Backend
from bench.check import tracer
from bench.pipeline.scene.blocks_of_water import DENSITY_KG_PER_M3, box_points, water_scene
from bench.pipeline.scene.build import Scene
from bench.pipeline.scene.needs import scene_steps
from bench.pipeline.simulate import Simulation
from kernels.base import constants as k
from kernels.mpm.mpm_common import bulk_modulus_pa


@dataclass(frozen=True)
class Check:
    """One figure against its limit."""

    name: str
    what: str  # what the figure is, with its unit
    figure: float
    limit: float  # the figure may not be larger

    @property
    def passed(self) -> bool:
        return bool(self.figure <= self.limit)  # a figure that is not a number fails


def _settled(scene: Scene, backend: Backend, frames: int = 1) -> Simulation:
    simulation = Simulation(scene, backend)
    for _ in range(frames):
        simulation.advance_frame()
    return simulation


def _particles(simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Position (n, 4) and velocity (n, 12) on the host, float64."""
    host, count = simulation.backend.host, simulation.particle_count
    position, velocity = (np.asarray(host(a)[:count], np.float64) for a in (simulation.position, simulation.velocity))
    return position, velocity


def _blob_scene(gravity_m_per_s2: float) -> Scene:
    """A cube of water that drifts, spins and falls without touching anything."""
    cell = 0.05
    points = box_points((8, 8, 8), (14, 14, 14), cell)
    centred = points - points.mean(axis=0)
    velocity = np.stack([0.3 - 2.0 * centred[:, 1], 0.2 + 2.0 * centred[:, 0], 0.4 + 0.0 * centred[:, 2]], axis=1)
    return water_scene(points, (24, 24, 24), cell, velocity=velocity, gravity_m_per_s2=gravity_m_per_s2)


def mass(backend: Backend) -> Check:
    """The scatter neither makes nor loses mass."""
    simulation = _settled(_blob_scene(0.0), backend)
    host = backend.host
    blocks = int(host(simulation.counts)[k.COUNT_BLOCKS])
    total = float(np.asarray(host(simulation.node)[:blocks, :, 3], np.float64).sum())
    error = abs(total / simulation.particle_count - 1.0)
    return Check("mass", "relative error of the grid's mass", error, 2.0e-6)


def momentum(backend: Backend) -> Check:
    """A frame without outer forces keeps linear momentum."""
    scene = _blob_scene(0.0)
    before = scene.velocity[:, :3].astype(np.float64).mean(axis=0)
    after = _particles(_settled(scene, backend))[1][:, :3].mean(axis=0)
    return Check("momentum", "change of the mean velocity, m/s", float(np.abs(after - before).max()), 2.0e-6)


def free_fall(backend: Backend) -> Check:
    """A body that touches nothing falls as g t^2 / 2 says."""
    scene = _blob_scene(9.81)
    simulation = Simulation(scene, backend)
    start = float(scene.position[:, 2].astype(np.float64).mean())
    work = simulation.advance_frame()
    # Leapfrog, but for half a sound step that an odd number of them leaves over in the first substep: then the fall is
    # g t dt / 2 more than the closed form. That much is the method's, not an error.
    t, each = scene.frame_dt_s, scene_steps(scene, scene.speed_limit_m_per_s).sound_steps
    over_s = work.dt_s / each * (each % 2)
    expected = start + 0.4 * t - 0.5 * 9.81 * t * (t + over_s)
    found = float(_particles(simulation)[0][:, 2].mean())
    return Check("free fall", "relative error of the fall", abs(found - expected) / (0.5 * 9.81 * t * t), 1.0e-4)


def hydrostatic(backend: Backend) -> Check:
    """Resting water stays at rest, and its pressure at the bottom carries the column."""
    cell, depth, sound = 0.05, 12, 20.0
    points = box_points((0, 0, 0), (8, 8, depth), cell)
    height = depth * cell
    bulk = bulk_modulus_pa(DENSITY_KG_PER_M3, sound)
    pressure = 1000.0 * 9.81 * (height - points[:, 2])
    ratio = (1.0 + pressure / bulk) ** (-1.0 / 7.0)
    scene = water_scene(points, (8, 8, 24), cell, volume_ratio=ratio, sound_speed_m_per_s=sound)
    simulation, slopes = _settled(scene, backend, 8), []
    for _ in range(8):  # sound goes up and down in the column: its pressure is that of a while
        simulation.advance_frame()
        position, _velocity = _particles(simulation)
        z = position[:, 2] - k.WALL_CELLS * cell
        found = bulk * (position[:, 3] ** -7.0 - 1.0)
        middle = (z > 2.0 * cell) & (z < height - 3.0 * cell)
        slopes.append(np.polyfit(z[middle], found[middle], 1)[0])
    error = float(abs(np.mean(slopes) / (-1000.0 * 9.81) - 1.0))
    return Check("hydrostatic", "relative error of dp/dz", error, 0.02)


def same_bits(backend: Backend) -> Check:
    """A splash has the same bits with one thread and with all of them."""
    cell = 0.05
    points = box_points((0, 0, 0), (10, 12, 12), cell)
    scene = water_scene(points, (24, 12, 20), cell, speed_limit_m_per_s=4.0, sound_speed_m_per_s=40.0)
    digests = {_settled(scene, made, 2).state_digest() for made in (backend, NumbaBackend(1))}
    return Check("same bits", "different states of 1 and all threads", float(len(digests) - 1), 0.0)


def white_furnace(backend: Backend) -> Check:
    """Fog that absorbs nothing under an even sky cannot be seen."""
    return Check("white furnace", "distance from radiance 1, in 3 standard errors", tracer.white_furnace(backend), 1.0)


def equilibrium_furnace(backend: Backend) -> Check:
    """Fog that glows as brightly as the sky cannot be seen."""
    figure = tracer.equilibrium_furnace(backend)
    return Check("equilibrium furnace", "distance from radiance 1, in 3 standard errors", figure, 1.0)


def beer_lambert(backend: Backend) -> Check:
    """Transmittance of even fog."""
    figure = tracer.beer_lambert(backend)
    return Check("Beer-Lambert", "distance from exp(-1.5), in 3 standard errors", figure, 1.0)


CHECKS: tuple[Callable[[Backend], Check], ...] = (
    mass,
    momentum,
    free_fall,
    hydrostatic,
    same_bits,
    white_furnace,
    equilibrium_furnace,
    beer_lambert,
)

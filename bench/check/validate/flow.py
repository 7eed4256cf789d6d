"""Scenes of the published cases, from a shot's text or from points, and what is measured on their particles."""

from __future__ import annotations

import dataclasses

import numpy as np

from bench.backend.protocol import Backend
from bench.pipeline.scene.blocks_of_water import water_scene
from bench.pipeline.scene.build import FRICTION_FACTOR, Scene, Three, build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import Shot, parse_shot
from kernels.base import constants as k

G = 9.81  # m/s^2
STICK, SLIP, SEPARATE = k.BOUNDARY_STICK, k.BOUNDARY_SLIP, k.BOUNDARY_SEPARATE
STIFFNESS = 7.0  # exponent of the equation of state

LOOK = """
[[camera.key]]
frame = 1
position_m = [2.0, -3.5, 1.6]
target_m = [2.0, 1.0, 0.5]
focal_length_mm = 28.0
[light]
sun_azimuth_degrees = 120.0
sun_elevation_degrees = 35.0
sun_radiance = [300.0, 270.0, 220.0]
zenith_radiance = [0.3, 0.5, 0.9]
horizon_radiance = [0.9, 0.95, 1.0]
"""  # of a shot that is not looked at
SHOT = (
    """
schema = 1
[shot]
name = "case"
title = "case"
frames = {frames}
frame_rate = {rate}
[domain]
size_m = {size}
{walls}
[size.S]
cells_x = {cells_x}
width = 64
height = 32
samples = 1
"""
    + LOOK
    + "[material]\n"
)


def shot_scene(
    text: str, size_m: Three, cells_x: int, *, frames: int = 24, rate: float = 24.0, walls: str = "", seed: int = 0
) -> Scene:
    """The scene of a shot: ``text`` goes on after [material]; ``walls`` are lines of [domain.walls]."""
    walls = f"[domain.walls]\n{walls}" if walls else ""
    head = SHOT.format(frames=frames, rate=float(rate), size=[float(v) for v in size_m], walls=walls, cells_x=cells_x)
    return build_scene(Shot(path="case.toml", file=parse_shot(head + text, "case.toml")), "S", seed)


def points_scene(
    points: np.ndarray,
    cells: tuple[int, int, int],
    cell_size_m: float,
    *,
    sound_speed_m_per_s: float,
    speed_limit_m_per_s: float,
    velocity: np.ndarray | None = None,
    volume_ratio: np.ndarray | None = None,
    gravity: Three = (0.0, 0.0, -G),
    viscosity_pa_s: float = 0.0,
    friction_factor: float = FRICTION_FACTOR,
    walls: tuple[int, ...] = (SLIP,) * 6,
    colliders: np.ndarray | None = None,
    frame_dt_s: float = 1.0 / 24.0,
) -> Scene:
    """Water at given points, in metres of the domain; a domain of ``cells``."""
    base = water_scene(
        points,
        cells,
        cell_size_m,
        velocity=velocity,
        volume_ratio=volume_ratio,
        sound_speed_m_per_s=sound_speed_m_per_s,
        speed_limit_m_per_s=speed_limit_m_per_s,
        viscosity_pa_s=viscosity_pa_s,
        frame_dt_s=frame_dt_s,
    )
    force, sides = base.force.copy(), base.walls.copy()
    force[k.FORCE_GRAVITY_X : k.FORCE_GRAVITY_Z + 1] = gravity
    force[k.FORCE_SKIN_FRICTION] = friction_factor / 8.0
    sides[:6] = walls
    solid = base.colliders if colliders is None else colliders.astype(np.float32)
    return dataclasses.replace(base, force=force, walls=sides, colliders=solid, solids=solid)


def resting_ratio(depth_m: np.ndarray, sound_speed_m_per_s: float, gravity: float = G) -> np.ndarray:
    """Volume ratio of water at rest at a depth."""
    above = gravity * np.maximum(depth_m, 0.0)
    return np.asarray((1.0 + STIFFNESS * above / sound_speed_m_per_s**2) ** (-1.0 / STIFFNESS))


def with_substeps(scene: Scene, factor: float) -> Scene:
    """The same scene in ``factor`` times as many substeps: the liquid is as stiff, only the time step is shorter."""
    wave = factor * (scene.sound_speed_m_per_s + scene.speed_limit_m_per_s) - scene.speed_limit_m_per_s
    return dataclasses.replace(scene, sound_speed_m_per_s=wave)


class Flow:
    """A scene that runs, with its particles in metres of the domain, float64."""

    def __init__(self, scene: Scene, backend: Backend) -> None:
        self.scene = scene
        self.simulation = Simulation(scene, backend)
        self.cell = scene.cell_size_m
        self.particle_volume = float(scene.material[k.MATERIAL_PARTICLE_VOLUME])

    def advance(self, frames: int = 1) -> None:
        for _ in range(frames):
            self.simulation.advance_frame()

    @property
    def time_s(self) -> float:
        return self.simulation.frame * self.scene.frame_dt_s

    @property
    def position(self) -> np.ndarray:
        """(n, 3), m"""
        offset = k.WALL_CELLS * self.cell
        return self._host(self.simulation.position)[:, :3] - offset

    @property
    def volume_ratio(self) -> np.ndarray:
        """(n,), J"""
        return self._host(self.simulation.position)[:, 3]

    @property
    def velocity(self) -> np.ndarray:
        """(n, 3), m/s"""
        return self._host(self.simulation.velocity)[:, :3]

    @property
    def gradient(self) -> np.ndarray:
        """(n, 3, 3), 1/s: [particle, along, of which component]"""
        return self._host(self.simulation.velocity)[:, 3:].reshape(-1, 3, 3)

    @property
    def temperature(self) -> np.ndarray:
        """(n,), K"""
        return self._host(self.simulation.temperature)

    def _host(self, array: object) -> np.ndarray:
        count = self.simulation.particle_count
        return np.asarray(self.simulation.backend.host(array[:count]), np.float64)  # type: ignore[index]

    # --- Figures ----------------------------------------------------------------------------------

    def cell_counts(self) -> np.ndarray:
        """Particles of each cell that holds any."""
        cells = np.floor(self.position / self.cell).astype(np.int64)
        return np.asarray(np.unique(cells, axis=0, return_counts=True)[1])

    def gauge(self, low: tuple[float, float], high: tuple[float, float]) -> float:
        """Height (m) of the liquid over a rectangle of the floor, if its particles lay at rest in it."""
        x, y = self.position[:, 0], self.position[:, 1]
        inside = (x >= low[0]) & (x < high[0]) & (y >= low[1]) & (y < high[1])
        return float(inside.sum() * self.particle_volume / ((high[0] - low[0]) * (high[1] - low[1])))

    def energy(self, gravity: Three = (0.0, 0.0, -G)) -> float:
        """Kinetic and potential energy of a kilogram, J, the affine part of the motion included."""
        inertia = self.cell**2 / 4.0  # of the quadratic B-spline
        kinetic = 0.5 * (self.velocity**2).sum(1).mean() + 0.5 * inertia * (self.gradient**2).sum((1, 2)).mean()
        return float(kinetic - (self.position @ np.array(gravity)).mean())

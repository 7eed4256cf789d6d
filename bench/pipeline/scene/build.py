"""A shot at one size as arrays: what the simulation and the renderer start from.

All positions in a ``Scene`` are grid-local metres: the grid's box starts WALL_CELLS cells outside the shot's domain, so
x_grid = x_shot + WALL_CELLS * cell_size. The conversion happens here and nowhere else. Everything is made on the host
with exact operations (``bench.pipeline.scene.exact``), so a scene has the same bits on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.backend.numba_settings import using_threads
from bench.base.errors import UserError
from bench.pipeline.scene import fill
from bench.pipeline.scene.camera import camera_vector
from bench.pipeline.scene.exact import Array, normalised
from bench.pipeline.scene.look import glow_lut, look_vector, sky_vector
from bench.pipeline.scene.motion import collider_rows
from bench.pipeline.scene.particles import Particles, build_particles
from bench.pipeline.scene.terrain import HeightField, build_terrain, require_above_ground
from bench.shot.extent import WALL_CELLS, cell_size_m, domain_cells, fitted, grid_cells
from bench.shot.load import Shot
from bench.shot.picture import Camera
from bench.shot.runnable import SOUND_OVER_FLOW
from bench.shot.schema import (
    BOUNDARIES,
    Effects,
    Emitter,
    Lava,
    Motion,
    ShotFile,
    Water,
)
from kernels.base import constants as k
from kernels.base.cache import drop_damaged, say
from kernels.mpm.mpm_common import bulk_modulus_pa

PARTICLES_PER_CELL = 8
# Speed limit x cell over kinematic viscosity: beyond, viscosity is left out. What the grid itself loses of a wave is
# some 200 times as much there, and a liquid without viscosity has the shorter arithmetic.
GRID_REYNOLDS_MOST = 1.0e4
FRICTION_FACTOR = 0.03  # Darcy's, of smooth solids under water
TERRAIN_SHARE = 0.1  # of the time that a scene with terrain takes, about
Three = tuple[float, float, float]


@dataclass(frozen=True)
class EmitterDisc:
    """A disc that pours liquid of one temperature; grid-local."""

    centre: Three
    radius_m: float
    direction: Three  # unit
    speed_m_per_s: float
    temperature_K: float
    start_s: float
    end_s: float


@dataclass(frozen=True)
class EffectsParams:
    effect_params: Array  # float32[EFFECT_PARAM_WORDS]
    effect_capacity: int


@dataclass(frozen=True)
class PictureParams:
    width: int
    height: int
    samples: int
    voxel_size_m: float
    max_depth: int
    seed: int
    exposure: float


@dataclass(frozen=True)
class Scene:
    """One shot at one size; arrays in the layouts that the kernels take."""

    shot_name: str
    title: str
    size: str
    seed: int
    cells: tuple[int, int, int]  # of the grid's box, each a multiple of 4
    cell_size_m: float
    position: Array  # float32[n, 4] x, y, z, J
    velocity: Array  # float32[n, 12] v, dv/dx, dv/dy, dv/dz
    temperature: Array  # float32[n] K; [1] without heat
    initial_count: int
    particle_capacity: int
    material: Array  # float32[MATERIAL_WORDS]
    has_heat: bool
    sound_speed_m_per_s: float
    speed_limit_m_per_s: float
    force: Array  # float32[FORCE_WORDS]
    walls: Array  # int32[WALLS_WORDS] how each wall of the domain holds, and the domain's cells
    colliders: Array  # float32[m, COLLIDER_WORDS], m >= 1; as they are seen
    solids: Array  # the same as the liquid meets them: what ends at a wall of the domain goes on behind it
    terrain: Array  # float32[tx, ty] m
    terrain_geometry: Array  # float32[4] origin x, y, spacing, off or 1 + boundary
    emitters: tuple[EmitterDisc, ...]
    effects: EffectsParams
    frame_rate: float
    frame_count: int
    frame_dt_s: float
    start_time: float
    picture: PictureParams
    sky: Array  # float32[SKY_WORDS]
    look: Array  # float32[LOOK_WORDS]
    glow_lut: Array  # float32[GLOW_LUT_SIZE, 3]
    camera_path: Camera | None  # None in a scene that is only simulated
    collider_motion: tuple[Motion | None, ...] = ()  # of each row of colliders; empty: all stand
    solid_motion: tuple[Motion | None, ...] = ()  # of solids

    @property
    def domain(self) -> tuple[int, int, int]:
        """Cells of the fluid's domain, inside the grid's box."""
        x, y, z = (int(n) for n in self.walls[k.DOMAIN_X : k.DOMAIN_Z + 1])
        return x, y, z

    def camera(self, frame: int) -> Array:
        """float32[CAMERA_WORDS] of a frame (the first frame is 1)."""
        if self.camera_path is None:
            raise ValueError(f"{self.shot_name}: a scene without a camera")
        aspect = self.picture.height / self.picture.width
        return camera_vector(self.camera_path, float(frame), aspect, WALL_CELLS * self.cell_size_m)


def build_scene(
    shot: Shot,
    size: str,
    seed: int = 0,
    *,
    threads: int | None = None,
    tell: Callable[[float], None] = lambda share: None,
    room: int | None = None,
) -> Scene:
    """All arrays of ``shot`` at ``size``, made on so many threads, which change no bit; None: on all usable cores.

    ``tell`` hears again and again what share is done. With ``room`` the scene has no particles, but room for so many:
    pictures can be made of it, of particles that come from elsewhere. Raises UserError where the shot has no such size
    or holds no liquid.
    """
    file, chosen = shot.file, shot.size(size)
    cell = cell_size_m(file.domain, chosen)
    offset = WALL_CELLS * cell
    domain, held = domain_cells(file.domain, chosen), fitted(file, chosen)
    sound = sound_speed_m_per_s(file)
    with using_threads(threads):
        field, particles = fill_domain(shot, size, seed, tell, room is None)
    count = len(particles.position)
    particle_volume = cell * cell * cell / PARTICLES_PER_CELL
    has_heat = isinstance(file.material, Lava)
    terrain = np.zeros((2, 2), np.float32)
    geometry = np.zeros(4, np.float32)
    if field is not None and file.terrain is not None:
        terrain = field.heights
        terrain += np.float32(offset)  # into the grid's box, as the particles are
        geometry[:] = [*(v + offset for v in field.origin), field.spacing, 1 + BOUNDARIES.index(file.terrain.boundary)]
    w = file.domain.walls
    sides = w.x_min, w.x_max, w.y_min, w.y_max, w.z_min, w.z_max
    emitters = tuple(_emitter(e, offset) for e in held.emitter)
    capacity = room if room is not None else count + emitted_count(file, particle_volume)
    if capacity == 0:
        raise UserError(f"{shot.path}: body: expected bodies or emitters that hold liquid, got no particle")
    return Scene(
        shot_name=shot.name,
        title=shot.title,
        size=size,
        seed=seed,
        cells=grid_cells(domain),
        cell_size_m=cell,
        position=particles.position,
        velocity=particles.velocity,
        temperature=particles.temperature,
        initial_count=count,
        particle_capacity=capacity,
        material=material_words(file, particle_volume),
        has_heat=has_heat,
        sound_speed_m_per_s=sound,
        speed_limit_m_per_s=file.material.speed_limit_m_per_s,
        force=_force(file, offset, cell),
        walls=wall_words([BOUNDARIES.index(side) for side in sides], domain),
        colliders=collider_rows(file.collider, offset),
        solids=collider_rows(held.collider, offset),
        terrain=terrain,
        terrain_geometry=geometry,
        emitters=emitters,
        effects=_effects(file.effects, cell, capacity),
        frame_rate=file.shot.frame_rate,
        frame_count=file.shot.frames,
        frame_dt_s=1.0 / file.shot.frame_rate,
        start_time=file.shot.start_s,
        picture=PictureParams(
            width=chosen.width,
            height=chosen.height,
            samples=chosen.samples,
            voxel_size_m=cell * chosen.voxel_per_cell,
            max_depth=chosen.max_depth,
            seed=file.picture.seed + seed,
            exposure=file.picture.exposure,
        ),
        sky=sky_vector(file.light),
        look=look_vector(file, offset),
        glow_lut=glow_lut(),
        camera_path=file.camera,
        collider_motion=tuple(one.motion for one in file.collider),
        solid_motion=tuple(one.motion for one in held.collider),
    )


def fill_domain(
    shot: Shot, size: str, seed: int, tell: Callable[[float], None] = lambda share: None, fills: bool = True
) -> tuple[HeightField | None, Particles]:
    """The ground, in the shot's frame, and the particles over it, if they are wanted."""
    _tell_of_compiling()
    file = shot.file
    cell = cell_size_m(file.domain, file.size[size])
    field, first = None, 0.0
    if file.terrain is not None:
        first = TERRAIN_SHARE
        field = build_terrain(file.terrain, cell, lambda share: tell(TERRAIN_SHARE * share))
        require_above_ground(shot, field, cell)
    if not fills:
        return field, Particles(np.zeros((0, 4), np.float32), np.zeros((0, 12), np.float32), np.zeros(1, np.float32))
    bulk = bulk_modulus_pa(file.material.density_kg_per_m3, sound_speed_m_per_s(file))
    return field, build_particles(shot, size, field, bulk, seed, lambda share: tell(first + (1.0 - first) * share))


def _tell_of_compiling() -> None:
    """A line where the first scene has to wait for the compiler."""
    if not fill.sweep.signatures and not drop_damaged(Path(fill.cache_folder())):
        say("what builds scenes is compiled, which takes some ten seconds; it is kept for the next run")


def wall_words(kinds: Sequence[int], domain: Sequence[int]) -> Array:
    """What kernels know of the walls: how each holds (x- x+ y- y+ z- z+), and the domain's cells along each axis."""
    out = np.zeros(k.WALLS_WORDS, np.int32)
    out[: len(kinds)] = kinds
    out[k.DOMAIN_X : k.DOMAIN_Z + 1] = domain
    return out


def sound_speed_m_per_s(file: ShotFile) -> float:
    return file.material.sound_speed_m_per_s or SOUND_OVER_FLOW * file.material.speed_limit_m_per_s


def material_words(file: ShotFile, particle_volume_m3: float) -> Array:
    """What kernels know of a shot's liquid."""
    m = file.material
    out = np.zeros(k.MATERIAL_WORDS, np.float32)
    out[k.MATERIAL_DENSITY] = m.density_kg_per_m3
    out[k.MATERIAL_BULK_MODULUS] = bulk_modulus_pa(m.density_kg_per_m3, sound_speed_m_per_s(file))
    out[k.MATERIAL_PARTICLE_VOLUME] = particle_volume_m3
    if not isinstance(m, Lava):
        if is_viscous(m, (PARTICLES_PER_CELL * particle_volume_m3) ** (1.0 / 3.0)):
            out[k.MATERIAL_VISCOSITY] = m.viscosity_pa_s
        return out
    for slot, value in (
        (k.MATERIAL_VFT_A, m.vft_a),
        (k.MATERIAL_VFT_B, m.vft_b_k),
        (k.MATERIAL_VFT_C, m.vft_c_k),
        (k.MATERIAL_VISCOSITY_MAX, m.viscosity_max_pa_s),
        (k.MATERIAL_YIELD_STRESS, m.yield_stress_pa),
        (k.MATERIAL_PAPANASTASIOU, m.papanastasiou_s),
        (k.MATERIAL_SPECIFIC_HEAT, m.specific_heat_j_per_kg_k),
        (k.MATERIAL_CONDUCTIVITY, m.conductivity_w_per_m_k),
        (k.MATERIAL_EMISSIVITY, m.emissivity),
        (k.MATERIAL_AMBIENT_TEMPERATURE, m.ambient_temperature_k),
        (k.MATERIAL_YIELD_TEMPERATURE, m.yield_temperature_k),
        (k.MATERIAL_LIQUIDUS, m.liquidus_k),
    ):
        out[slot] = value
    return out


def is_viscous(water: Water, cell_size_m: float) -> bool:
    """True where a grid of such cells notices the viscosity of ``water``."""
    inertia = water.density_kg_per_m3 * water.speed_limit_m_per_s * cell_size_m
    return water.viscosity_pa_s * GRID_REYNOLDS_MOST > inertia


def skin_friction(file: ShotFile, cell_size_m: float) -> float:
    """Shear stress of a solid over density x speed^2; where the grid notices viscosity, only if asked for."""
    m = file.material
    if isinstance(m, Lava) or (m.friction_factor is None and is_viscous(m, cell_size_m)):
        return 0.0
    return (FRICTION_FACTOR if m.friction_factor is None else m.friction_factor) / 8.0


def _force(file: ShotFile, offset: float, cell_size_m: float) -> Array:
    out = np.zeros(k.FORCE_WORDS, np.float32)
    out[k.FORCE_GRAVITY_X : k.FORCE_GRAVITY_Z + 1] = file.force.gravity_m_per_s2
    out[k.FORCE_SKIN_FRICTION] = skin_friction(file, cell_size_m)
    v = file.force.vortex
    if v is None:
        return out
    for slot, value in (
        (k.VORTEX_ON, 1.0),
        (k.VORTEX_X, v.centre_m[0] + offset),
        (k.VORTEX_Y, v.centre_m[1] + offset),
        (k.VORTEX_Z_LOW, v.z_low_m + offset),
        (k.VORTEX_Z_HIGH, v.z_high_m + offset),
        (k.VORTEX_CORE, v.core_m),
        (k.VORTEX_SWIRL, v.swirl_m_per_s),
        (k.VORTEX_UPDRAFT, v.updraft_m_per_s),
        (k.VORTEX_INFLOW, v.inflow_m_per_s),
        (k.VORTEX_RATE, v.rate_per_s),
        (k.VORTEX_FLARE, v.flare),
        (k.VORTEX_SWAY, v.sway_m),
        (k.VORTEX_REACH, v.reach_m),
    ):
        out[slot] = value
    return out


def _emitter(e: Emitter, offset: float) -> EmitterDisc:
    d = normalised(e.direction)
    return EmitterDisc(
        centre=(e.centre_m[0] + offset, e.centre_m[1] + offset, e.centre_m[2] + offset),
        radius_m=e.radius_m,
        direction=(d[0], d[1], d[2]),
        speed_m_per_s=e.speed_m_per_s,
        temperature_K=e.temperature_k,
        start_s=e.start_s,
        end_s=e.end_s,
    )


def emitted_count(file: ShotFile, particle_volume_m3: float) -> int:
    """Upper bound of the particles that the emitters add over all frames."""
    begin, end = file.shot.start_s, file.shot.start_s + file.shot.frames / file.shot.frame_rate
    total = 0
    for e in file.emitter:
        seconds = max(0.0, min(e.end_s, end) - max(e.start_s, begin))
        flux = 3.141592653589793 * e.radius_m * e.radius_m * e.speed_m_per_s / particle_volume_m3
        total += math.ceil(flux * seconds * 1.001) + 64 if seconds > 0.0 else 0
    return total


def _effects(e: Effects | None, cell: float, capacity: int) -> EffectsParams:
    out = np.zeros(k.EFFECT_PARAM_WORDS, np.float32)
    if e is None:
        return EffectsParams(out, 1)
    fine = cell / e.reference_cell_m
    for slot, value in (
        (k.EFFECT_PARAM_SPRAY_RATE, e.spray_per_s * fine),
        (k.EFFECT_PARAM_FOAM_RATE, e.foam_per_s * fine),
        (k.EFFECT_PARAM_EMBER_RATE, e.ember_per_s * fine),
        (k.EFFECT_PARAM_SPEED_LOW, e.speed_m_per_s[0]),
        (k.EFFECT_PARAM_SPEED_HIGH, e.speed_m_per_s[1]),
        (k.EFFECT_PARAM_STRAIN_LOW, e.strain_per_s[0]),
        (k.EFFECT_PARAM_STRAIN_HIGH, e.strain_per_s[1]),
        (k.EFFECT_PARAM_SURFACE_FRACTION, e.surface_fraction),
        (k.EFFECT_PARAM_LIFE_MIN, e.life_s[0]),
        (k.EFFECT_PARAM_LIFE_MAX, e.life_s[1]),
        (k.EFFECT_PARAM_DRAG, e.drag_per_s),
        (k.EFFECT_PARAM_RADIUS_MIN, e.radius_m[0] * fine),
        (k.EFFECT_PARAM_RADIUS_MAX, e.radius_m[1] * fine),
        (k.EFFECT_PARAM_WIND, e.wind),
        (k.EFFECT_PARAM_SCATTER, e.scatter_m_per_s),
        (k.EFFECT_PARAM_TURBULENCE, e.turbulence_m_per_s),
        (k.EFFECT_PARAM_EMBER_TEMPERATURE, e.ember_temperature_k),
        (k.EFFECT_PARAM_EMBER_RISE, e.ember_rise_m_per_s),
        (k.EFFECT_PARAM_EMBER_COOLING, e.ember_cooling_per_s),
    ):
        out[slot] = value
    return EffectsParams(out, max(1, int(e.capacity_per_particle * capacity)))

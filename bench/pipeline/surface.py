"""Order of the kernels that turn particles into bricks: the liquid's level set with heat or foam, and the fog.

Particles, foam, and spray with embers are binned by cell (count, scan, place, sort). The liquid's bricks are classified
and numbered, filled, made a distance, smoothed and made a distance again; the fog's are filled and bounded. The host
reads a few words: how many bricks there are, whether they fit, and the box around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.backend.protocol import Backend, DeviceArray
from bench.base.errors import CheckFailed
from bench.pipeline.frame import Bricks, Fluid
from bench.pipeline.scene.build import Scene
from bench.pipeline.scene.needs import brick_room
from kernels.base import constants as k
from kernels.fog import fog_bricks, fog_field, fog_majorant
from kernels.surface import (
    surf_box,
    surf_bricks,
    surf_count,
    surf_distance,
    surf_field,
    surf_number,
    surf_place,
    surf_scan,
    surf_smooth,
    surf_sort,
)

F32 = np.float32
LIQUID_KINDS = 0
FOAM_KINDS = 1 << k.EFFECT_FOAM
FOG_KINDS = (1 << k.EFFECT_SPRAY) | (1 << k.EFFECT_EMBER)
BAND_VOXELS = 3.0


def wall_kinds(scene: Scene) -> np.ndarray:
    """int32[6], what the level set does at each wall of the domain: goes on where the picture does, else is cut."""
    look = scene.look
    sea = look[k.LOOK_PLANE_ON] > 0
    mirrors = [look[s] > 0 for s in range(k.LOOK_MIRROR_X_LOW, k.LOOK_MIRROR_Y_HIGH + 1)]
    sides = [k.WALL_CONTINUE if sea or mirror else k.WALL_CUT for mirror in mirrors]
    bottom = k.WALL_CONTINUE if sea or look[k.LOOK_FLOOR_ON] > 0 else k.WALL_CUT
    return np.array([*sides, bottom, k.WALL_OPEN], np.int32)


@dataclass(frozen=True)
class Particles:
    """Particles of one kind of binning: which of them, and what they carry."""

    counts: DeviceArray
    slot: int  # of their number in counts
    kinds: int  # bits of the kinds that are binned; LIQUID_KINDS: particles have none
    position: DeviceArray
    kind: DeviceArray
    temperature: DeviceArray


@dataclass(frozen=True)
class Bins:
    """Particles in the order of their cells."""

    start: DeviceArray  # int32[cells + 1]
    position: DeviceArray  # float32[room, 4]
    temperature: DeviceArray  # float32[room]

    @classmethod
    def of(cls, cells: int, room: int, backend: Backend) -> Bins:
        zeros = backend.zeros
        return cls(zeros(cells + 1, np.int32), zeros((room, 4), F32), zeros(room, F32))


@dataclass(frozen=True)
class SurfaceRoom:
    """Arrays for so many bricks of the level set."""

    entry: DeviceArray  # int32[bricks], the brick of the grid that each is
    value: DeviceArray  # float32[bricks, BRICK_NODES, SURFACE_CHANNELS]
    other: DeviceArray  # the same, for a pass that cannot write where it reads

    @classmethod
    def of(cls, bricks: int, backend: Backend) -> SurfaceRoom:
        shape = (bricks, k.BRICK_NODES, k.SURFACE_CHANNELS)
        return cls(backend.zeros(bricks, np.int32), backend.zeros(shape, F32), backend.zeros(shape, F32))


@dataclass(frozen=True)
class FogRoom:
    """Arrays for so many bricks of fog."""

    entry: DeviceArray  # int32[bricks]
    value: DeviceArray  # float32[bricks, BRICK_NODES, FOG_CHANNELS]
    majorant: DeviceArray  # float32[bricks]

    @classmethod
    def of(cls, bricks: int, backend: Backend) -> FogRoom:
        zeros = backend.zeros
        value = zeros((bricks, k.BRICK_NODES, k.FOG_CHANNELS), F32)
        return cls(zeros(bricks, np.int32), value, zeros(bricks, F32))


class Surface:
    """Bricks of one scene on one back-end; made anew for every picture, in arrays that stay."""

    def __init__(self, scene: Scene, backend: Backend) -> None:
        self.scene, self.backend = scene, backend
        cell = scene.cell_size_m
        edge = k.WALL_CELLS * cell
        high = np.array([(n + 2 * k.WALL_CELLS) * cell - edge for n in scene.domain], F32)
        self.picture = surf_bricks.picture_parameters(
            cell, 0.5 * cell, scene.picture.voxel_size_m, cell, np.full(3, edge, F32), high, scene.has_heat
        )
        self.grid = surf_bricks.picture_grid(scene.cells, self.picture)
        cells = scene.cells[0] * scene.cells[1] * scene.cells[2]
        zeros = backend.zeros
        effects = max(1, scene.effects.effect_capacity)
        particles = max(1, scene.particle_capacity)
        surface, fog = (int(n) for n in (np.prod(self.grid[:3]), np.prod(self.grid[3:])))
        self._surface_table, self._fog_table = zeros(surface, np.int32), zeros(fog, np.int32)
        self._surface_class, self._fog_class = zeros(surface, np.int32), zeros(fog, np.int32)
        self._box = zeros(6, np.int32)
        self._walls = backend.array(wall_kinds(scene))
        self._picture, self._grid = backend.array(self.picture), backend.array(self.grid)
        self._terrain, self._geometry = backend.array(scene.terrain), backend.array(scene.terrain_geometry)
        self._order = zeros(max(particles, effects), np.int32)
        self._no_kind = zeros(1, np.int32)
        # Foam is done with when the surface is built, so spray and embers take its place
        self._liquid, self._effects = Bins.of(cells, particles, backend), Bins.of(cells, effects, backend)
        self._surface_room, self._fog_room = SurfaceRoom.of(1, backend), FogRoom.of(1, backend)

    def build(self, fluid: Fluid) -> Bricks:
        """Make the bricks of a state. Raises CheckFailed when a kernel finds a limit broken."""
        counts = self.backend.array(self.backend.host(fluid.counts))
        position, kind, heat = fluid.effect_position, fluid.effect_kind, fluid.effect_temperature
        self._bin(
            Particles(counts, k.COUNT_PARTICLES, LIQUID_KINDS, fluid.position, self._no_kind, fluid.temperature),
            self._liquid,
        )
        self._bin(Particles(counts, k.COUNT_EFFECTS, FOAM_KINDS, position, kind, heat), self._effects)
        surface_count, surface_value = self._build_surface(counts)
        self._bin(Particles(counts, k.COUNT_EFFECTS, FOG_KINDS, position, kind, heat), self._effects)
        fog_count, fog = self._build_fog(counts)
        if int(self.backend.host(counts)[k.COUNT_ERROR]) & (k.ERROR_SURFACE_CAPACITY | k.ERROR_FOG_CAPACITY):
            raise CheckFailed(f"{self.scene.shot_name}: more bricks than there is room for")
        return Bricks(
            surface_count=surface_count,
            surface_table=self._surface_table,
            surface_value=surface_value,
            surface_box=self._used_box(self.grid[:3], self._surface_table, self.picture[k.PICTURE_VOXEL]),
            fog_count=fog_count,
            fog_table=self._fog_table,
            fog_value=fog.value,
            fog_majorant=fog.majorant,
            fog_box=self._used_box(self.grid[3:], self._fog_table, self.picture[k.PICTURE_FOG_VOXEL]),
        )

    def _used_box(self, grid: np.ndarray, table: DeviceArray, voxel_m: float) -> np.ndarray:
        """float32[6], m: low and high corner of the bricks that are not all air; all 0 where all are."""
        self.backend.launch(surf_box.KERNEL, *(int(n) for n in grid), table, self._box)
        words = np.array(self.backend.host(self._box))
        if words[3] == 0:
            return np.zeros(6, F32)
        return np.concatenate([k.BRICK_EDGE * (grid - words[:3]), k.BRICK_EDGE * words[3:]]).astype(F32) * F32(voxel_m)

    def _bin(self, p: Particles, bins: Bins) -> None:
        """Put particles in the order of their cells."""
        cells, cell = self.scene.cells, F32(self.scene.cell_size_m)
        launch, start, order = self.backend.launch, bins.start, self._order
        launch(surf_count.KERNEL, p.counts, p.slot, p.kinds, *cells, cell, p.position, p.kind, start)
        launch(surf_scan.KERNEL, start)
        launch(surf_place.KERNEL, p.counts, p.slot, p.kinds, *cells, cell, p.position, p.kind, start, order)
        launch(
            surf_sort.KERNEL, p.kinds, *cells, cell, p.position, p.kind, p.temperature, start, order, bins.position,
            bins.temperature,
        )  # fmt: skip

    def _build_surface(self, counts: DeviceArray) -> tuple[int, DeviceArray]:
        """Number of the level set's bricks, and their values."""
        x, y, z = self.scene.cells
        grid, walls, picture, classes = self._grid, self._walls, self._picture, self._surface_class
        launch = self.backend.launch
        slot, error, table = k.COUNT_SURFACE_BRICKS, k.ERROR_SURFACE_CAPACITY, self._surface_table
        while True:  # with more room and again where there was too little
            room = self._surface_room
            launch(surf_bricks.KERNEL, x, y, z, grid, walls, picture, self._liquid.start, classes)
            launch(surf_number.KERNEL, slot, error, counts, classes, table, room.entry)
            count = self._bricks_needed(counts)
            if count <= room.entry.shape[0]:
                break
            # Nothing in the old bricks is needed: they go first. Where memory does not hold the new ones, one is left
            self._surface_room = room = SurfaceRoom.of(1, self.backend)
            self._surface_room = SurfaceRoom.of(brick_room(count), self.backend)
        # The level set is rounded away from walls only after it is a distance; the last pass closes it at them
        one, two, entry = room.value, room.other, room.entry
        launch(
            surf_field.KERNEL, counts, x, y, z, grid, walls, picture, self._geometry, self._terrain, entry,
            self._liquid.start, self._liquid.position, self._liquid.temperature, self._effects.start,
            self._effects.position, one,
        )  # fmt: skip
        outside = F32(self.picture[k.PICTURE_REACH] - self.picture[k.PICTURE_RADIUS])
        inside = F32(-self.picture[k.PICTURE_RADIUS])
        band = F32(BAND_VOXELS) * F32(self.picture[k.PICTURE_VOXEL])
        distance = surf_distance.KERNEL
        launch(distance, counts, 0, outside, inside, grid, walls, picture, classes, entry, one, two, table)
        launch(surf_smooth.KERNEL, counts, grid, picture, classes, entry, two, one)
        launch(distance, counts, 1, band, F32(-band), grid, walls, picture, classes, entry, one, two, table)
        return count, two

    def _build_fog(self, counts: DeviceArray) -> tuple[int, FogRoom]:
        """Number of the fog's bricks, and the arrays that hold them."""
        x, y, z = self.scene.cells
        grid, picture, classes, bins = self._grid, self._picture, self._fog_class, self._effects
        launch = self.backend.launch
        slot, error = k.COUNT_FOG_BRICKS, k.ERROR_FOG_CAPACITY
        while True:
            room = self._fog_room
            launch(fog_bricks.KERNEL, x, y, z, grid, picture, bins.start, classes)
            launch(surf_number.KERNEL, slot, error, counts, classes, self._fog_table, room.entry)
            count = self._bricks_needed(counts)
            if count <= room.entry.shape[0]:
                break
            self._fog_room = room = FogRoom.of(1, self.backend)
            self._fog_room = FogRoom.of(brick_room(count), self.backend)
        launch(
            fog_field.KERNEL, counts, x, y, z, grid, picture, room.entry, bins.start, bins.position, bins.temperature,
            room.value,
        )  # fmt: skip
        launch(fog_majorant.KERNEL, counts, slot, room.value, room.majorant)
        return count, room

    def _bricks_needed(self, counts: DeviceArray) -> int:
        """Bricks that were numbered last, whether or not there was room for all."""
        return int(self.backend.host(counts)[k.COUNT_BRICKS_NEEDED])

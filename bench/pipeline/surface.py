"""Order of the kernels that turn particles into bricks: the liquid's level set with heat or foam, and the fog.

Particles, foam, and spray with embers are binned by cell (count, scan, place, sort). The liquid's bricks are classified
and numbered, filled, made a distance, smoothed and made a distance again; the fog's are filled and bounded. The host
reads a few words: how many bricks there are, whether they fit, and the box around them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.backend.protocol import Backend
from bench.base.errors import CheckFailed
from bench.pipeline.scene.build import Scene
from bench.pipeline.simulate import Simulation
from kernels.base import constants as k
from kernels.base.kernel import Kernel
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
RESERVE = 1.3  # bricks that are made room for, over those in use


def wall_kinds(scene: Scene) -> np.ndarray:
    """int32[6], what the level set does at each wall of the domain: goes on where the picture does, else is cut."""
    look = scene.look
    sea = look[k.LOOK_PLANE_ON] > 0
    mirrors = [look[s] > 0 for s in range(k.LOOK_MIRROR_X_LOW, k.LOOK_MIRROR_Y_HIGH + 1)]
    sides = [k.WALL_CONTINUE if sea or mirror else k.WALL_CUT for mirror in mirrors]
    bottom = k.WALL_CONTINUE if sea or look[k.LOOK_FLOOR_ON] > 0 else k.WALL_CUT
    return np.array([*sides, bottom, k.WALL_OPEN], np.int32)


class Surface:
    """Bricks of one scene on one back-end; made anew for every picture."""

    def __init__(self, scene: Scene, backend: Backend) -> None:
        self.scene, self.backend = scene, backend
        cell = scene.cell_size_m
        edge = k.WALL_CELLS * cell
        high = np.array([n * cell - edge for n in scene.cells], F32)
        self.picture = surf_bricks.picture_parameters(
            cell, 0.5 * cell, scene.picture.voxel_size_m, cell, np.full(3, edge, F32), high, scene.has_heat
        )
        self.grid = surf_bricks.picture_grid(scene.cells, self.picture)
        cells = scene.cells[0] * scene.cells[1] * scene.cells[2]
        zeros = backend.zeros
        effects = max(1, scene.effects.effect_capacity)
        particles = max(1, scene.particle_capacity)
        surface, fog = (int(n) for n in (np.prod(self.grid[:3]), np.prod(self.grid[3:])))
        self.surface_table, self.fog_table = zeros(surface, np.int32), zeros(fog, np.int32)
        self.surface_count = self.fog_count = 0
        self._box = zeros(6, np.int32)
        self.surface_box, self.fog_box = np.zeros(6, F32), np.zeros(6, F32)  # m, low and high corner; 0: nothing
        self._walls = backend.array(wall_kinds(scene))
        self._picture, self._grid = backend.array(self.picture), backend.array(self.grid)
        self._terrain = backend.array(scene.terrain), backend.array(scene.terrain_geometry)
        self._class = {"surface": zeros(surface, np.int32), "fog": zeros(fog, np.int32)}
        self._order = zeros(max(particles, effects), np.int32)
        self._no_kind = zeros(1, np.int32)
        # Foam is done with when the surface is built, so spray and embers take its place
        self._binned = {
            name: (zeros(cells + 1, np.int32), zeros((room, 4), F32), zeros(room, F32))
            for name, room in (("liquid", particles), ("effects", effects))
        }
        self._room("surface", 1)
        self._room("fog", 1)

    def _room(self, kind: str, bricks: int) -> None:
        """Arrays for ``bricks`` bricks of a kind."""
        zeros = self.backend.zeros
        if kind == "surface":
            self._surface_entry = zeros(bricks, np.int32)
            self.surface_value, self._other_value = (
                zeros((bricks, k.BRICK_NODES, k.SURFACE_CHANNELS), F32) for _ in range(2)
            )
        else:
            self._fog_entry = zeros(bricks, np.int32)
            self.fog_value = zeros((bricks, k.BRICK_NODES, k.FOG_CHANNELS), F32)
            self.fog_majorant = zeros(bricks, F32)

    def build(self, simulation: Simulation) -> None:
        """Make the bricks of the simulation's present state. Raises CheckFailed when a kernel finds a limit broken."""
        counts = self.backend.array(self.backend.host(simulation.counts))
        position, effects = simulation.position, simulation.effect_position
        self._bin("liquid", counts, k.COUNT_PARTICLES, LIQUID_KINDS, position, self._no_kind, simulation.temperature)
        kind, heat = simulation.effect_kind, simulation.effect_temperature
        self._bin("effects", counts, k.COUNT_EFFECTS, FOAM_KINDS, effects, kind, heat)
        self._build_surface(counts)
        self._bin("effects", counts, k.COUNT_EFFECTS, FOG_KINDS, effects, kind, heat)
        self._build_fog(counts)
        if int(self.backend.host(counts)[k.COUNT_ERROR]) & (k.ERROR_SURFACE_CAPACITY | k.ERROR_FOG_CAPACITY):
            raise CheckFailed(f"{self.scene.shot_name}: more bricks than there is room for")
        self.surface_box = self._used_box(self.grid[:3], self.surface_table, self.picture[k.PICTURE_VOXEL])
        self.fog_box = self._used_box(self.grid[3:], self.fog_table, self.picture[k.PICTURE_FOG_VOXEL])

    def _used_box(self, grid: np.ndarray, table: Any, voxel_m: Any) -> np.ndarray:
        """float32[6], m: low and high corner of the bricks that are not all air; all 0 where all are."""
        self.backend.launch(surf_box.KERNEL, *(int(n) for n in grid), table, self._box)
        words = np.array(self.backend.host(self._box))
        if words[3] == 0:
            return np.zeros(6, F32)
        return np.concatenate([k.BRICK_EDGE * (grid - words[:3]), k.BRICK_EDGE * words[3:]]).astype(F32) * F32(voxel_m)

    def _bin(self, name: str, counts: Any, slot: int, kinds: int, position: Any, kind: Any, heat: Any) -> None:
        start, binned, binned_heat = self._binned[name]
        x, y, z = self.scene.cells
        cell = F32(self.scene.cell_size_m)
        launch = self.backend.launch
        launch(surf_count.KERNEL, counts, slot, kinds, x, y, z, cell, position, kind, start)
        launch(surf_scan.KERNEL, start)
        launch(surf_place.KERNEL, counts, slot, kinds, x, y, z, cell, position, kind, start, self._order)
        launch(
            surf_sort.KERNEL, kinds, x, y, z, cell, position, kind, heat, start, self._order, binned, binned_heat
        )  # fmt: skip

    def _number(self, kind: str, counts: Any, slot: int, error: int, classify: Kernel, args: tuple[Any, ...]) -> int:
        """Classify and number bricks; with more room and again where there was too little. Returns their number."""
        classes = self._class[kind]
        table = self.surface_table if kind == "surface" else self.fog_table
        while True:
            entry = self._surface_entry if kind == "surface" else self._fog_entry
            self.backend.launch(classify, *args, classes)
            self.backend.launch(surf_number.KERNEL, slot, error, counts, classes, table, entry)
            needed = int(self.backend.host(counts)[k.COUNT_BRICKS_NEEDED])
            if needed <= entry.shape[0]:
                return needed
            self._room(kind, int(needed * RESERVE) + 16)

    def _build_surface(self, counts: Any) -> None:
        x, y, z = self.scene.cells
        grid, walls, picture = self._grid, self._walls, self._picture
        start, binned, heat = self._binned["liquid"]
        launch = self.backend.launch
        self.surface_count = self._number(
            "surface",
            counts,
            k.COUNT_SURFACE_BRICKS,
            k.ERROR_SURFACE_CAPACITY,
            surf_bricks.KERNEL,
            (x, y, z, grid, walls, picture, start),
        )
        # The level set is rounded away from walls only after it is a distance; the last pass closes it at them
        classes, entry = self._class["surface"], self._surface_entry
        one, two = self.surface_value, self._other_value
        terrain, geometry = self._terrain
        foam_start, foam, _ = self._binned["effects"]
        launch(
            surf_field.KERNEL, counts, x, y, z, grid, walls, picture, geometry, terrain, entry, start, binned, heat,
            foam_start, foam, one,
        )  # fmt: skip
        outside = F32(self.picture[k.PICTURE_REACH] - self.picture[k.PICTURE_RADIUS])
        inside = F32(-self.picture[k.PICTURE_RADIUS])
        band = F32(BAND_VOXELS) * F32(self.picture[k.PICTURE_VOXEL])
        distance, table = surf_distance.KERNEL, self.surface_table
        launch(distance, counts, 0, outside, inside, grid, walls, picture, classes, entry, one, two, table)
        launch(surf_smooth.KERNEL, counts, grid, picture, classes, entry, two, one)
        launch(distance, counts, 1, band, F32(-band), grid, walls, picture, classes, entry, one, two, table)
        self.surface_value, self._other_value = two, one

    def _build_fog(self, counts: Any) -> None:
        x, y, z = self.scene.cells
        start, binned, heat = self._binned["effects"]
        self.fog_count = self._number(
            "fog",
            counts,
            k.COUNT_FOG_BRICKS,
            k.ERROR_FOG_CAPACITY,
            fog_bricks.KERNEL,
            (x, y, z, self._grid, self._picture, start),
        )
        launch = self.backend.launch
        launch(
            fog_field.KERNEL, counts, x, y, z, self._grid, self._picture, self._fog_entry, start, binned, heat,
            self.fog_value,
        )  # fmt: skip
        launch(fog_majorant.KERNEL, counts, k.COUNT_FOG_BRICKS, self.fog_value, self.fog_majorant)

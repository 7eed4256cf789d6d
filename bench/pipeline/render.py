"""From a simulated state to a picture: surface, trace, resolve, each a method, so that each can be timed alone."""

from __future__ import annotations

import numpy as np

from bench.backend.protocol import Backend, DeviceArray
from bench.pipeline.frame import Bricks, Fluid, Picture, PixelSums, Rendering, Resolved
from bench.pipeline.scene.build import Scene
from bench.pipeline.surface import Surface
from kernels.base import constants as k
from kernels.image import img_resolve, img_trace

F32 = np.float32
ROULETTE_DEPTH = 3
FRAME_STRIDE = 1_000_003  # seeds of frames lie that far apart
SLOPE_MARGIN = 1.001
WORK_NAMES = {
    "paths": k.WORK_PATHS,
    "segments": k.WORK_SEGMENTS,
    "collisions": k.WORK_COLLISIONS,
    "scatters": k.WORK_SCATTERS,
    "surface_hits": k.WORK_SURFACE_HITS,
    "surface_lookups": k.WORK_SURFACE_LOOKUPS,
}


def trace_parameters(scene: Scene, picture: np.ndarray) -> np.ndarray:
    """float32[TRACE_WORDS] without the two brick flags."""
    out = np.zeros(k.TRACE_WORDS, F32)
    cell, look = scene.cell_size_m, scene.look
    # A mirror stands at the wall of the fluid's domain; elsewhere the level set reaches to the rim of the grid's box
    for axis in range(2):
        for side, slot in ((0, k.TRACE_LOW_X), (1, k.TRACE_HIGH_X)):
            mirror = look[k.LOOK_MIRROR_X_LOW + 2 * axis + side] > 0
            margin = k.WALL_CELLS * cell if mirror else 0.0
            out[slot + axis] = margin if side == 0 else scene.cells[axis] * cell - margin
    out[k.TRACE_LOW_Z], out[k.TRACE_HIGH_Z] = 0.0, scene.cells[2] * cell
    out[k.TRACE_VOXEL], out[k.TRACE_FOG_VOXEL] = picture[k.PICTURE_VOXEL], picture[k.PICTURE_FOG_VOXEL]
    kinds = scene.colliders[:, k.COLLIDER_KIND]
    out[k.TRACE_HAS_COLLIDERS] = bool(np.any((kinds != 0) & (kinds != k.COLLIDER_VESSEL)))
    out[k.TRACE_CELL] = cell
    out[k.TRACE_TOP] = out[k.TRACE_HIGH_Z] if out[k.TRACE_HAS_COLLIDERS] else look[k.LOOK_PLANE_Z]
    if scene.terrain_geometry[3] > 0:
        height = scene.terrain.astype(np.float64)
        steepest = [np.abs(np.diff(height, axis=axis)).max() / float(scene.terrain_geometry[2]) for axis in (0, 1)]
        out[k.TRACE_TERRAIN_LOW], out[k.TRACE_TERRAIN_HIGH] = height.min(), height.max()
        out[k.TRACE_TOP] = max(float(out[k.TRACE_TOP]), height.max())
        out[k.TRACE_TERRAIN_SLOPE] = SLOPE_MARGIN * np.sqrt(steepest[0] ** 2 + steepest[1] ** 2)
    return out


class Renderer:
    """Pictures of one scene on one back-end."""

    def __init__(self, scene: Scene, backend: Backend) -> None:
        self.scene, self.backend = scene, backend
        self._surface = Surface(scene, backend)
        self._trace = trace_parameters(scene, self._surface.picture)
        self._grid = backend.array(self._surface.grid)
        self._sky, self._glow_lut = backend.array(scene.sky), backend.array(scene.glow_lut)
        self._terrain, self._geometry = backend.array(scene.terrain), backend.array(scene.terrain_geometry)
        self._colliders = backend.array(scene.colliders)
        shape = (scene.picture.height, scene.picture.width)
        self._rgb, self._variance = backend.zeros((*shape, 3), F32), backend.zeros((*shape, 3), F32)

    def surface(self, fluid: Fluid) -> Bricks:
        """Turn particles into bricks."""
        return self._surface.build(fluid)

    def trace(self, bricks: Bricks, frame: int, samples: int | None = None) -> PixelSums:
        """Trace the picture of a frame (the first is 1) into fresh pixel sums."""
        scene, backend = self.scene, self.backend
        picture = scene.picture
        count = picture.samples if samples is None else samples
        trace, look = self._trace.copy(), scene.look.copy()
        trace[k.TRACE_HAS_SURFACE], trace[k.TRACE_HAS_FOG] = bricks.surface_count > 0, bricks.fog_count > 0
        trace[k.TRACE_SURFACE_LOW : k.TRACE_SURFACE_LOW + 6] = bricks.surface_box
        trace[k.TRACE_FOG_LOW : k.TRACE_FOG_LOW + 6] = bricks.fog_box
        trace[k.TRACE_TOP] = max(trace[k.TRACE_TOP], trace[k.TRACE_SURFACE_HIGH + 2], trace[k.TRACE_FOG_HIGH + 2])
        look[k.LOOK_TIME] += F32(frame * scene.frame_dt_s)
        sums = backend.zeros((picture.height, picture.width, k.PIXEL_WORDS), F32)
        work = backend.zeros((k.TRACE_TASKS, k.WORK_WORDS), np.int64)
        backend.launch(
            img_trace.KERNEL,
            0,
            count,
            *img_trace.WHOLE_PICTURE.values(),
            (picture.seed * FRAME_STRIDE + frame) & 0x7FFFFFFF,
            picture.max_depth,
            ROULETTE_DEPTH,
            backend.array(scene.camera(frame)),
            self._sky,
            backend.array(look),
            self._glow_lut,
            backend.array(trace),
            self._grid,
            bricks.surface_table,
            bricks.surface_value,
            bricks.fog_table,
            bricks.fog_value,
            bricks.fog_majorant,
            self._terrain,
            self._geometry,
            self._colliders,
            sums,
            work,
            backend.zeros(1, np.int32),
        )
        return PixelSums(count, sums, work)

    def resolve(self, sums: PixelSums) -> Resolved:
        """Pixel sums as mean and variance, where they are."""
        self.backend.launch(img_resolve.KERNEL, sums.samples, sums.sums, self._rgb, self._variance)
        return Resolved(sums.samples, self._rgb, self._variance)

    def fetch(self, resolved: Resolved) -> Picture:
        """What was resolved, on the host: all of a frame that has to cross."""
        return Picture(self._own(resolved.rgb), self._own(resolved.variance), resolved.samples)

    def _own(self, array: DeviceArray) -> np.ndarray:
        """Host values that the next picture does not overwrite; what came from a device is a copy already."""
        values = self.backend.host(array)
        return values.copy() if values is array else values

    def work(self, rendering: Rendering) -> dict[str, int]:
        """What was done for a picture: whole numbers, the same on every machine."""
        total = self.backend.host(rendering.pixel_sums.work).sum(axis=0)
        bricks = {"surface_bricks": rendering.bricks.surface_count, "fog_bricks": rendering.bricks.fog_count}
        return {**{name: int(total[slot]) for name, slot in WORK_NAMES.items()}, **bricks}

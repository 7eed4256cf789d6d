"""From a simulated state to a picture: surface, trace, resolve, each a method, so that each can be timed alone.

A picture is traced in pieces where one launch would take long: a display's driver ends what runs for two seconds, and
nothing can stop a launch. Pieces add the same numbers in the same order, whatever they are: their sizes follow the
clock, no bit does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.backend.protocol import Backend, DeviceArray, Stamp
from bench.pipeline.frame import Between, Bricks, Fluid, Picture, PixelSums, Rendering, Resolved
from bench.pipeline.parts import Part, records
from bench.pipeline.scene.build import Scene
from bench.pipeline.scene.motion import placed
from bench.pipeline.surface import Surface
from kernels.base import constants as k
from kernels.image import img_resolve, img_trace
from kernels.trace.trace_tiles import PICTURE_MAX, STRIP

F32 = np.float32
ROULETTE_DEPTH = 3
FRAME_STRIDE = 1_000_003  # seeds of frames lie that far apart
SLOPE_MARGIN = 1.001
# Seconds that a piece is made for; the longest one is meant to stay below LAUNCH_MOST_S on a GPU. On a CPU a launch may
# take as long as it wants: pieces are for what is shown meanwhile, and end with threads that wait.
PIECE_S, CPU_PIECE_S, LAUNCH_MOST_S = 0.15, 2.0, 0.25
FIRST_PATHS, CPU_FIRST_PATHS = 2**21, 2**18  # of the first piece, of which nobody knows how long it takes
FIRST_STRIPS = 4  # about so many of its strips, spread over the picture, tell what the rest will cost
Window = tuple[int, int, int, int]  # x and y low, x and y high: pixels that are launched; high ends excluded
WHOLE: Window = (0, 0, PICTURE_MAX, PICTURE_MAX)
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
            low, high = k.WALL_CELLS * cell, (scene.domain[axis] + 2 * k.WALL_CELLS) * cell - k.WALL_CELLS * cell
            at_wall, at_rim = (low, 0.0) if side == 0 else (high, scene.cells[axis] * cell)
            out[slot + axis] = at_wall if mirror else at_rim
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


@dataclass(frozen=True)
class Piece:
    """What one launch traces: samples of the strips s with strip_low <= s mod strip_period < strip_high."""

    sample_start: int
    sample_count: int
    strip_low: int = 0
    strip_high: int = 1
    strip_period: int = 1

    def rows(self, height: int) -> int:
        """Rows of a picture of that height that lie in it."""
        strips = np.arange(-(-height // STRIP))
        turn = strips % self.strip_period
        taken = strips[(turn >= self.strip_low) & (turn < self.strip_high)]
        return int(np.minimum(STRIP, height - taken * STRIP).sum())

    def paths(self, width: int, height: int) -> int:
        return self.sample_count * width * self.rows(height)


class Pieces:
    """The pieces of a picture, in order: iterate, and say after each how fast it was.

    Pieces go through the strips of some chunks of samples, then of the next chunks: each pixel gets its chunks in
    order. A piece's strips lie all over the picture, so that each costs as much a path as the others, and what one took
    tells what the next will take.
    """

    def __init__(self, width: int, height: int, samples: int, piece_s: float, first_paths: int) -> None:
        self.width, self.height, self.samples = width, height, samples
        self.piece_s, self.first_paths = piece_s, first_paths
        self.paths_per_s: float | None = None  # of the last piece; set it while iterating

    def __iter__(self) -> Iterator[Piece]:
        start = 0
        while start < self.samples:
            count, period = self._group(start)
            low = 0
            while low < period:
                piece = Piece(start, count, low, low + 1, period)
                if low > 0:
                    piece = Piece(start, count, low, low + self._turns(count, period, period - low), period)
                yield piece
                low = piece.strip_high
            start += count

    def _group(self, start: int) -> tuple[int, int]:
        """Samples that go through the picture together, and into how many turns their strips are dealt."""
        chunks = -(-(self.samples - start) // k.SAMPLE_CHUNK)
        of_chunk = k.SAMPLE_CHUNK * self.width * self.height
        strips = -(-self.height // STRIP)
        wanted = self._wanted()
        if start == 0 and chunks * of_chunk <= wanted:
            return self.samples - start, 1
        # A warp's lanes take as many chunks side by side as a power of two allows: of another number some would idle
        if self.paths_per_s is None:
            turns = -(-strips // FIRST_STRIPS)
            together = _power_of_two(min(chunks, wanted * turns // of_chunk))
            period = min(turns, -(-together * of_chunk // wanted))
        else:
            together = _power_of_two(min(chunks, wanted // of_chunk))
            period = min(strips, -(-together * of_chunk // wanted))
        return min(together * k.SAMPLE_CHUNK, self.samples - start), period

    def _turns(self, count: int, period: int, left: int) -> int:
        """Of a group's turns that are left, how many the next piece takes."""
        of_turn = count * self.width * self.height / period
        most = max(1, int(self._wanted() / of_turn))
        return -(-left // -(-left // most))

    def _wanted(self) -> int:
        if self.paths_per_s is None:
            return self.first_paths
        return max(1, int(self.paths_per_s * self.piece_s))


def _power_of_two(most: int) -> int:
    """The largest up to ``most``, 1 at the least."""
    return 1 << max(0, most.bit_length() - 1)


class Renderer:
    """Pictures of one scene on one back-end."""

    def __init__(self, scene: Scene, backend: Backend) -> None:
        self.scene, self.backend = scene, backend
        self._last: tuple[int, Stamp, Stamp] | None = None  # paths of the last piece, stamps before and after it
        self._surface = Surface(scene, backend)
        self._trace = trace_parameters(scene, self._surface.picture)
        self._grid = backend.array(self._surface.grid)
        self._glow_lut = backend.array(scene.glow_lut)
        self._terrain, self._geometry = backend.array(scene.terrain), backend.array(scene.terrain_geometry)
        self._colliders = backend.array(scene.colliders)
        shape = (scene.picture.height, scene.picture.width)
        self._rgb, self._variance = backend.zeros((*shape, 3), F32), backend.zeros((*shape, 3), F32)

    def surface(self, fluid: Fluid) -> Bricks:
        """Turn particles into bricks."""
        return self._surface.build(fluid)

    def trace(
        self, bricks: Bricks, frame: int, samples: int | None = None, between: Between | None = None
    ) -> PixelSums:
        """Trace the picture of a frame (the first is 1) into fresh pixel sums.

        ``between`` is told the share that is done, from piece to piece; what it raises ends the picture.
        """
        picture, backend = self.scene.picture, self.backend
        count = picture.samples if samples is None else samples
        sums = self._fresh_sums()
        work = backend.zeros((k.TRACE_TASKS, k.WORK_WORDS), np.int64)
        self._trace_window(self._same(bricks, frame, sums, work), WHOLE, 0, count, between)
        return PixelSums(count, sums, work)

    def trace_part(
        self, bricks: Bricks, frame: int, part: Part, samples: int, between: Between | None = None
    ) -> np.ndarray:
        """Trace a part of the picture that has ``samples`` a pixel: float32[records, height, width, PIXEL_WORDS].

        Its records, on the host, are the sums that the written order of addition needs (``parts.records``).
        """
        rows, columns = slice(part.y_low, part.y_high), slice(part.x_low, part.x_high)
        work = self.backend.zeros((k.TRACE_TASKS, k.WORK_WORDS), np.int64)
        found, before, whole = [], 0, part.sample_high - part.sample_low
        for first, count in records(part, samples):
            sums = self._fresh_sums()
            done = before

            def told(share: float, done: int = done, count: int = count) -> None:
                if between is not None:
                    between((done + share * count) / whole)

            self._trace_window(self._same(bricks, frame, sums, work), part.window, first, count, told)
            # Whole rows cross: of an array that is no device's, a copy
            found.append(np.array(self.backend.host(sums[rows])[:, columns]))
            before += count
        return np.stack(found)

    def _fresh_sums(self) -> DeviceArray:
        picture = self.scene.picture
        return self.backend.zeros((picture.height, picture.width, k.PIXEL_WORDS), F32)

    def _same(self, bricks: Bricks, frame: int, sums: DeviceArray, work: DeviceArray) -> tuple[object, ...]:
        """What all launches of a picture are handed, after samples, window and strips."""
        scene, backend = self.scene, self.backend
        picture = scene.picture
        trace, look = self._trace.copy(), scene.look.copy()
        trace[k.TRACE_HAS_SURFACE], trace[k.TRACE_HAS_FOG] = bricks.surface_count > 0, bricks.fog_count > 0
        trace[k.TRACE_SURFACE_LOW : k.TRACE_SURFACE_LOW + 6] = bricks.surface_box
        trace[k.TRACE_FOG_LOW : k.TRACE_FOG_LOW + 6] = bricks.fog_box
        trace[k.TRACE_TOP] = max(trace[k.TRACE_TOP], trace[k.TRACE_SURFACE_HIGH + 2], trace[k.TRACE_FOG_HIGH + 2])
        look[k.LOOK_TIME] += F32(frame * scene.frame_dt_s)
        return (
            (picture.seed * FRAME_STRIDE + frame) & 0x7FFFFFFF,
            picture.max_depth,
            ROULETTE_DEPTH,
            scene.camera(frame),
            scene.sky,
            look,
            self._glow_lut,
            trace,
            self._grid,
            bricks.surface_table,
            bricks.surface_value,
            bricks.fog_table,
            bricks.fog_value,
            bricks.fog_majorant,
            self._terrain,
            self._geometry,
            self._placed_colliders(frame),
            sums,
            work,
            backend.zeros(1, np.int32),
        )

    def _placed_colliders(self, frame: int) -> DeviceArray:
        """Solids as they stand in the picture of a frame."""
        scene = self.scene
        if any(motion is not None for motion in scene.collider_motion):
            rows = placed(scene.colliders, scene.collider_motion, frame * scene.frame_dt_s, scene.frame_dt_s)
            self.backend.fill(self._colliders, rows)
        return self._colliders

    def _trace_window(
        self, same: tuple[object, ...], window: Window, first: int, count: int, between: Between | None
    ) -> None:
        """Add samples ``first`` to ``first + count - 1`` of a window's pixels to the sums that ``same`` has."""
        backend, picture = self.backend, self.scene.picture
        width = min(window[2], picture.width) - window[0]
        height = min(window[3], picture.height) - window[1]
        if backend.is_gpu:
            pieces = Pieces(width, height, count, PIECE_S, FIRST_PATHS)
        else:
            pieces = Pieces(width, height, count, CPU_PIECE_S, CPU_FIRST_PATHS)
        whole = count * width * height
        if between is None and not backend.is_gpu:
            self._launch(Piece(0, count), window, first, same)
            return
        pieces.paths_per_s = self._rate()  # of the picture before: a short one is then one launch, and nothing waits
        done = 0
        for piece in pieces:
            paths, before = piece.paths(width, height), backend.clock()
            self._launch(piece, window, first, same)
            self._last = paths, before, backend.clock()
            done += paths
            if done == whole:
                break
            # The only wait: for what says how long the next piece may be
            pieces.paths_per_s = self._rate()
            if between is not None:
                between(done / whole)

    def _rate(self) -> float | None:
        """Paths a second of the last piece, once it is done; None before the first."""
        if self._last is None:
            return None
        paths, before, after = self._last
        return paths / max(float(after - before), 1e-9)

    def _launch(self, piece: Piece, window: Window, first: int, same: tuple[object, ...]) -> None:
        comb = piece.strip_low, piece.strip_high, piece.strip_period
        self.backend.launch(img_trace.KERNEL, first + piece.sample_start, piece.sample_count, *window, *comb, *same)

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


def resolved_on(backend: Backend, sums: np.ndarray, samples: int) -> Picture:
    """The picture of sums that are on the host, float32[height, width, PIXEL_WORDS], of so many samples a pixel."""
    shape = (*sums.shape[:2], 3)
    rgb, variance = backend.zeros(shape, F32), backend.zeros(shape, F32)
    backend.launch(img_resolve.KERNEL, samples, backend.array(sums), rgb, variance)
    return Picture(np.array(backend.host(rgb)), np.array(backend.host(variance)), samples)

"""Path trace one picture: sums of radiance over samples, pixel by pixel.

A launch traces samples ``sample_start`` to ``sample_start + sample_count - 1`` of a region's pixels (see
kernels.trace.trace_tiles) and adds them to what is there. A task takes every TRACE_TASKS-th tile of 8 x 8 pixels, in a
shuffled order that spreads neighbours over threads; on a GPU warps draw their tiles, and tiles_drawn counts them. The
samples of a pixel are summed in registers, SAMPLE_CHUNK at a time, then added to the pixel sums: the order of every
sum is written, and random numbers depend on (pixel, sample, dimension, seed) alone: any number of threads gives the
same bits.

Shapes: camera (16), sky (SKY_WORDS), look (LOOK_WORDS), trace (TRACE_WORDS) float32; glow_lut (256, 3); grid int32
(6) = bricks x y z of the surface, of the fog; tables int32 (bricks); surface and fog values (cap, 729, 2); majorants
(cap); terrain (tx, ty) and geometry (4); colliders (m, 12); pixel_sums (height, width, PIXEL_WORDS), added to;
work int64 (TRACE_TASKS, WORK_WORDS), added to; tiles_drawn int32 (1). Metres, grid-local; see kernels.base.constants
for the slots.

Paper: Kajiya 1986 (path tracing); Woodcock et al. 1965 (delta tracking); Novak et al. 2014 (ratio tracking);
Amanatides and Woo 1987 (DDA); Hart 1996 (sphere tracing); Jarzynski and Olano 2020 (random numbers).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from kernels.base.common import F32, ONE, TWO, ZERO, kernel
from kernels.base.constants import (
    BRICK_NODES,
    CAMERA_FORWARD,
    CAMERA_ORIGIN,
    CAMERA_RIGHT,
    CAMERA_UP,
    CAMERA_WORDS,
    GLOW_LUT_SIZE,
    LOOK_FOG_GAIN,
    LOOK_FOG_PHASE,
    LOOK_FOG_R,
    LOOK_GLOW_HIGH_K,
    LOOK_GLOW_LOW_K,
    LOOK_WORDS,
    PIXEL_ALPHA,
    PIXEL_DEPTH,
    PIXEL_SQUARE,
    PIXEL_SUM,
    PIXEL_WORDS,
    SAMPLE_CHUNK,
    SKY_GROUND_R,
    SKY_HORIZON_R,
    SKY_SUN_COS,
    SKY_WORDS,
    SKY_ZENITH_R,
    TRACE_FOG_HIGH,
    TRACE_FOG_VOXEL,
    TRACE_HAS_FOG,
    TRACE_TASKS,
    TRACE_VOXEL,
    TRACE_WORDS,
    WORK_COLLISIONS,
    WORK_FOG_BRICKS,
    WORK_PATHS,
    WORK_SURFACE_BRICKS,
    WORK_SURFACE_LOOKUPS,
    WORK_WORDS,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.trace.trace_math import U1, device_call, device_part, normalise, random4
from kernels.trace.trace_path import trace_path
from kernels.trace.trace_state import Scene, words3
from kernels.trace.trace_tiles import PICTURE_MAX, STRIP, Region, region_of, strip_row, strips_of

SHUFFLE = 97  # odd, so it visits every residue of a power of two
# The arguments of a launch for every pixel
WHOLE_PICTURE = {
    "x_low": 0,
    "y_low": 0,
    "x_high": PICTURE_MAX,
    "y_high": PICTURE_MAX,
    "strip_low": 0,
    "strip_high": 1,
    "strip_period": 1,
}


class Job(NamedTuple):
    """What a launch traces: which samples of which pixels, how deep, from where, under which sky."""

    sample_start: Any
    sample_count: Any
    region: Region
    seed: Any
    max_depth: Any
    roulette_depth: Any
    camera_in: Any
    sky_in: Any
    glow_lut_in: Any


@device_part
def camera_direction(camera_in, x, y, u, v, step_x, step_y):
    """Camera ray through point (u, v) of the pixel's square; row 0 is the top."""
    sx = (F32(x) + u) * step_x - ONE
    sy = ONE - (F32(y) + v) * step_y
    dx = camera_in[CAMERA_FORWARD] + sx * camera_in[CAMERA_RIGHT] + sy * camera_in[CAMERA_UP]
    dy = camera_in[CAMERA_FORWARD + 1] + sx * camera_in[CAMERA_RIGHT + 1] + sy * camera_in[CAMERA_UP + 1]
    dz = camera_in[CAMERA_FORWARD + 2] + sx * camera_in[CAMERA_RIGHT + 2] + sy * camera_in[CAMERA_UP + 2]
    return normalise(dx, dy, dz)


@device_part
def trace_pixel(x, y, width, height, job, scene, pixel_sums_inout, work):
    """All samples of one pixel, added to its sums in chunks."""
    pixel = np.uint32(y * width + x)
    seed = np.uint32(job.seed)
    step_x, step_y = TWO / F32(width), TWO / F32(height)
    n = 0
    while n < job.sample_count:
        count = job.sample_count - n
        if count > SAMPLE_CHUNK:
            count = SAMPLE_CHUNK
        r_sum, g_sum, b_sum = ZERO, ZERO, ZERO
        r_square, g_square, b_square = ZERO, ZERO, ZERO
        alpha, depth = ZERO, ZERO
        for m in range(count):
            sample = np.uint32(job.sample_start + n + m)
            dim = np.uint32(0)
            u, v, _, _ = random4(pixel, sample, dim, seed)
            dim = np.uint32(dim + U1)
            dx, dy, dz = camera_direction(job.camera_in, x, y, u, v, step_x, step_y)
            ox, oy, oz = words3(job.camera_in, CAMERA_ORIGIN)
            r, g, b, hit, distance = trace_path(
                ox, oy, oz, dx, dy, dz, job.max_depth, job.roulette_depth, job.sky_in, job.glow_lut_in, scene, pixel,
                sample, dim, seed, work,
            )  # fmt: skip
            r_sum, g_sum, b_sum = r_sum + r, g_sum + g, b_sum + b
            r_square, g_square, b_square = r_square + r * r, g_square + g * g, b_square + b * b
            alpha, depth = alpha + hit, depth + distance
        pixel_sums_inout[y, x, PIXEL_SUM] += r_sum
        pixel_sums_inout[y, x, PIXEL_SUM + 1] += g_sum
        pixel_sums_inout[y, x, PIXEL_SUM + 2] += b_sum
        pixel_sums_inout[y, x, PIXEL_SQUARE] += r_square
        pixel_sums_inout[y, x, PIXEL_SQUARE + 1] += g_square
        pixel_sums_inout[y, x, PIXEL_SQUARE + 2] += b_square
        pixel_sums_inout[y, x, PIXEL_ALPHA] += alpha
        pixel_sums_inout[y, x, PIXEL_DEPTH] += depth
        n += count


@device_call
def trace_task(task, tasks, job, scene, pixel_sums_inout, work):
    """Every tile of one task."""
    height, width = pixel_sums_inout.shape[0], pixel_sums_inout.shape[1]
    region = job.region
    tiles_x, strips = (region.x_high - region.x_low + STRIP - 1) // STRIP, strips_of(region)
    tile = (task * SHUFFLE) % tasks
    while tile < tiles_x * strips:
        x0, y0 = region.x_low + (tile % tiles_x) * STRIP, strip_row(region, tile // tiles_x)
        for y in range(y0, min(y0 + STRIP, region.y_high)):
            for x in range(x0, min(x0 + STRIP, region.x_high)):
                trace_pixel(x, y, width, height, job, scene, pixel_sums_inout, work)
        tile += tasks


@kernel
def cpu(
    sample_start, sample_count, x_low, y_low, x_high, y_high, strip_low, strip_high, strip_period, seed, max_depth,
    roulette_depth, camera_in, sky_in, look_in, glow_lut_in, trace_in, grid_in, surface_table_in, surface_value_in,
    fog_table_in, fog_value_in, fog_majorant_in, terrain_in, terrain_geometry_in, collider_in, pixel_sums_inout,
    work_inout, tiles_drawn_inout,
):  # fmt: skip
    """Add ``sample_count`` samples from ``sample_start`` to a region's pixels; paths of up to max_depth - 1 bounces."""
    tasks = work_inout.shape[0]
    height, width = pixel_sums_inout.shape[0], pixel_sums_inout.shape[1]
    for task in prange(tasks):
        region = region_of(x_low, y_low, x_high, y_high, strip_low, strip_high, strip_period, width, height)
        job = Job(sample_start, sample_count, region, seed, max_depth, roulette_depth, camera_in, sky_in, glow_lut_in)
        scene = Scene(
            look_in, trace_in, grid_in, surface_table_in, surface_value_in, fog_table_in, fog_value_in,
            fog_majorant_in, terrain_in, terrain_geometry_in, collider_in,
        )  # fmt: skip
        trace_task(np.int64(task), tasks, job, scene, pixel_sums_inout, work_inout[task])


def traffic(**args: Any) -> Traffic:
    """Compulsory traffic: inputs once, pixel sums both ways. Flops follow the work counters, by class of step."""
    work = np.asarray(args["work_inout"]).sum(axis=0)
    read = sum(np.asarray(v).nbytes for k, v in args.items() if k.endswith("_in"))
    sums = np.asarray(args["pixel_sums_inout"]).nbytes
    flops = (
        60 * int(work[WORK_PATHS])
        + 45 * int(work[WORK_COLLISIONS] + work[WORK_SURFACE_LOOKUPS])
        + 8 * int(work[WORK_FOG_BRICKS] + work[WORK_SURFACE_BRICKS])
    )
    return Traffic(items=int(work[WORK_PATHS]), bytes_read=read + sums, bytes_written=sums, flops=flops)


def example(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """A cloud of 4^3 bricks under an even sky; the picture has ``size`` pixels a side."""
    bricks = 4
    extinction = rng.random((bricks**3, 1, 1), np.float32) * np.float32(8.0)
    fog_value = np.zeros((bricks**3, BRICK_NODES, 2), np.float32)
    fog_value[:, :, :1] = extinction * rng.random((bricks**3, BRICK_NODES, 1), np.float32)
    sky = np.zeros(SKY_WORDS, np.float32)
    for slot in (SKY_ZENITH_R, SKY_HORIZON_R, SKY_GROUND_R):
        sky[slot : slot + 3] = 1.0
    sky[SKY_SUN_COS] = 1.0
    look = np.zeros(LOOK_WORDS, np.float32)
    look[LOOK_FOG_R : LOOK_FOG_R + 3] = 0.9
    look[LOOK_FOG_PHASE], look[LOOK_FOG_GAIN] = 0.3, 1.0
    look[LOOK_GLOW_LOW_K], look[LOOK_GLOW_HIGH_K] = 500.0, 1600.0
    trace = np.zeros(TRACE_WORDS, np.float32)
    trace[TRACE_VOXEL] = trace[TRACE_FOG_VOXEL] = 1.0 / (8 * bricks)
    trace[TRACE_HAS_FOG] = 1.0
    trace[TRACE_FOG_HIGH : TRACE_FOG_HIGH + 3] = 1.0
    camera = np.zeros(CAMERA_WORDS, np.float32)
    camera[CAMERA_ORIGIN : CAMERA_ORIGIN + 3] = (0.5, -1.2, 0.5)
    camera[CAMERA_FORWARD + 1], camera[CAMERA_RIGHT], camera[CAMERA_UP + 2] = 1.0, 0.4, 0.4
    return {
        "sample_start": 0,
        "sample_count": SAMPLE_CHUNK,
        **WHOLE_PICTURE,
        "seed": 1,
        "max_depth": 64,
        "roulette_depth": 64,
        "camera_in": camera,
        "sky_in": sky,
        "look_in": look,
        "glow_lut_in": np.zeros((GLOW_LUT_SIZE, 3), np.float32),
        "trace_in": trace,
        "grid_in": np.array([1, 1, 1, bricks, bricks, bricks], np.int32),
        "surface_table_in": np.full(1, -1, np.int32),
        "surface_value_in": np.zeros((1, BRICK_NODES, 2), np.float32),
        "fog_table_in": np.arange(bricks**3, dtype=np.int32),
        "fog_value_in": fog_value,
        "fog_majorant_in": fog_value[:, :, 0].max(axis=1),
        "terrain_in": np.zeros((2, 2), np.float32),
        "terrain_geometry_in": np.array([0.0, 0.0, 1.0, 0.0], np.float32),
        "collider_in": np.zeros((1, 12), np.float32),
        "pixel_sums_inout": np.zeros((size, size, PIXEL_WORDS), np.float32),
        "work_inout": np.zeros((TRACE_TASKS, WORK_WORDS), np.int64),
        "tiles_drawn_inout": np.zeros(1, np.int32),
    }


KERNEL = Kernel(
    name="img_trace",
    item="sample",
    cpu=cpu,
    traffic=traffic,
    example=example,
    scratch=("tiles_drawn_inout",),
    summed=("work_inout",),
    by_value=("camera_in", "sky_in", "look_in", "trace_in"),
    passes=(Pass("img_trace_start", threads=32, blocks_per_sm=0), Pass("img_trace", threads=128, blocks_per_sm=5)),
)

"""Small scenes for the tracer's tests, as arguments of its kernel by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.image import img_resolve, img_trace
from tests.support.bricks import bricks_from_dense

F32 = np.float32
Args = dict[str, Any]


def empty(width: int, height: int) -> Args:
    """Nothing but a black sky."""
    args = img_trace.example(np.random.default_rng(0), 1)
    for name in ("sky_in", "look_in", "trace_in", "glow_lut_in"):
        args[name][:] = 0
    args["sky_in"][k.SKY_SUN_COS] = 1.0
    args["look_in"][k.LOOK_GLOW_LOW_K], args["look_in"][k.LOOK_GLOW_HIGH_K] = 500.0, 1500.0
    args["look_in"][k.LOOK_TERRAIN_WET_Z] = -1.0e30
    args["trace_in"][k.TRACE_VOXEL] = args["trace_in"][k.TRACE_FOG_VOXEL] = 1.0
    args["grid_in"][:] = 1
    args["fog_table_in"] = np.full(1, -1, np.int32)
    args["fog_value_in"] = np.zeros((1, k.BRICK_NODES, 2), F32)
    args["fog_majorant_in"] = np.zeros(1, F32)
    args["pixel_sums_inout"] = np.zeros((height, width, k.PIXEL_WORDS), F32)
    return args


def even_sky(args: Args, radiance: float = 1.0) -> None:
    for slot in (k.SKY_ZENITH_R, k.SKY_HORIZON_R, k.SKY_GROUND_R):
        args["sky_in"][slot : slot + 3] = radiance


def gradient_sky(args: Args) -> None:
    """Radiance that depends on the direction's z alone, smoothly; see ``gradient_radiance``."""
    sky = args["sky_in"]
    sky[k.SKY_ZENITH_R : k.SKY_ZENITH_R + 3] = (0.4, 0.8, 2.0)
    sky[k.SKY_HORIZON_R : k.SKY_HORIZON_R + 3] = (1.0, 1.0, 1.0)
    sky[k.SKY_GROUND_R : k.SKY_GROUND_R + 3] = (0.3, 0.2, 0.1)
    sky[k.SKY_EXPONENT], sky[k.SKY_GROUND_BLEND] = 1.0, 1.0


def gradient_radiance(z: np.ndarray) -> np.ndarray:
    """The sky of ``gradient_sky`` in float64, for directions' z of any shape; RGB last."""
    up = np.clip(z, 0.0, 1.0)[..., None]
    down = np.clip(-z, 0.0, 1.0)[..., None]
    down = down * down * (3.0 - 2.0 * down)
    horizon = np.ones(3)
    above = horizon + (np.array([0.4, 0.8, 2.0]) - horizon) * up
    below = horizon + (np.array([0.3, 0.2, 0.1]) - horizon) * down
    return np.where(z[..., None] > 0, above, below)


def look_at(args: Args, origin: Any, target: Any, half_width: float, flat: bool = False) -> None:
    """Aim the camera; ``half_width`` is the tangent of half the horizontal angle."""
    height, width = args["pixel_sums_inout"].shape[:2]
    o, forward = np.array(origin, float), np.array(target, float) - np.array(origin, float)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    camera = np.concatenate([o, forward, right * half_width, up * half_width * height / width])
    args["camera_in"][:12] = camera


def add_fog(args: Args, dense: np.ndarray, voxel: float, albedo: Any = 0.0, g: float = 0.0, glow: float = 0.0) -> None:
    """Extinction (and temperature) at nodes float32[nx,ny,nz(,2)]."""
    grid, table, value = bricks_from_dense(dense, voxel, level_set=False)
    args["grid_in"][3:] = grid
    args["fog_table_in"], args["fog_value_in"] = table, value
    args["fog_majorant_in"] = np.ascontiguousarray(value[:, :, 0].max(axis=1))
    args["trace_in"][k.TRACE_FOG_VOXEL], args["trace_in"][k.TRACE_HAS_FOG] = voxel, 1.0
    args["trace_in"][k.TRACE_FOG_HIGH : k.TRACE_FOG_HIGH + 3] = 8 * voxel * grid
    look = args["look_in"]
    look[k.LOOK_FOG_R : k.LOOK_FOG_R + 3] = albedo
    look[k.LOOK_FOG_PHASE], look[k.LOOK_FOG_GAIN], look[k.LOOK_FOG_GLOW_GAIN] = g, 1.0, glow


def add_liquid(args: Args, dense: np.ndarray, voxel: float) -> None:
    """Signed distance and heat or foam at nodes float32[nx,ny,nz(,2)]."""
    grid, table, value = bricks_from_dense(dense, voxel)
    args["grid_in"][:3] = grid
    args["surface_table_in"], args["surface_value_in"] = table, value
    args["trace_in"][k.TRACE_VOXEL], args["trace_in"][k.TRACE_HAS_SURFACE] = voxel, 1.0
    args["trace_in"][k.TRACE_SURFACE_HIGH : k.TRACE_SURFACE_HIGH + 3] = 8 * voxel * grid
    args["look_in"][k.LOOK_IOR] = 1.333


def sphere(nodes: int, voxel: float, centre: Any, radius: float) -> np.ndarray:
    """Signed distance to a sphere at nodes float32[nodes, nodes, nodes], clamped to the band."""
    x, y, z = np.meshgrid(*[np.arange(nodes) * voxel] * 3, indexing="ij")
    distance = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2) - radius
    return np.clip(distance, -3 * voxel, 3 * voxel).astype(F32)


def trace(args: Args, samples: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(mean, variance of the mean) float32[h, w, 3] of a fresh picture."""
    args["pixel_sums_inout"][:], args["work_inout"][:] = 0, 0
    args["sample_count"], args["seed"] = samples, seed
    img_trace.cpu(*args.values())
    rgb = np.zeros((*args["pixel_sums_inout"].shape[:2], 3), F32)
    variance = np.zeros_like(rgb)
    img_resolve.cpu(samples, args["pixel_sums_inout"], rgb, variance)
    return rgb, variance


def mean_and_error(rgb: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over all pixels and its standard error, by channel, float64."""
    pixels = rgb.shape[0] * rgb.shape[1]
    return rgb.mean(axis=(0, 1), dtype=np.float64), np.sqrt(variance.sum(axis=(0, 1), dtype=np.float64)) / pixels


def agrees(rgb: np.ndarray, variance: np.ndarray, expected: Any, sigmas: float = 3.0, rounding: float = 2e-5) -> bool:
    """Whether the picture's mean is within ``sigmas`` standard errors of a value (and float32 rounding)."""
    mean, error = mean_and_error(rgb, variance)
    return bool(np.all(np.abs(mean - expected) <= sigmas * error + rounding))

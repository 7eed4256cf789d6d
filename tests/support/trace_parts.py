"""Parts of small pictures for the tracer's twin: a full sky, liquids, fog, ground, colliders, mirrors."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base import constants as k
from tests.support import trace_scene as scene

F32 = np.float32
Arguments = dict[str, Any]
VOXEL = 0.0617  # no power of two: a factor too much would not show
NODES = 33  # four bricks an edge: a cube of 2 m, nearly


def empty(rng: np.random.Generator, width: int = 16, height: int = 8, samples: int = 2) -> Arguments:
    """A sky with everything in it, nothing else; the pixel sums are not empty."""
    args = scene.empty(width, height)
    args["pixel_sums_inout"][:] = rng.random(args["pixel_sums_inout"].shape, F32)
    args["work_inout"][:] = rng.integers(0, 1000, args["work_inout"].shape)
    args["sample_start"], args["sample_count"] = int(rng.integers(0, 100)), samples
    args["seed"], args["max_depth"], args["roulette_depth"] = int(rng.integers(0, 2**31)), 12, 3
    scene.gradient_sky(args)
    sky = args["sky_in"]
    sky[k.SKY_EXPONENT], sky[k.SKY_GROUND_BLEND] = 0.45, 0.2
    sky[k.SKY_SUN_X : k.SKY_SUN_Z + 1] = (0.48, -0.6, 0.64)
    sky[k.SKY_SUN_COS], sky[k.SKY_SUN_R : k.SKY_SUN_R + 3] = 0.95, (20.0, 18.0, 15.0)
    sky[k.SKY_GLOW_R : k.SKY_GLOW_R + 3], sky[k.SKY_GLOW_WIDTH] = (0.6, 0.5, 0.3), 8.0
    sky[k.SKY_CLOUD_R : k.SKY_CLOUD_R + 3] = (0.9, 0.8, 0.85)
    sky[k.SKY_CLOUD_AMOUNT], sky[k.SKY_CLOUD_SCALE] = 0.4, 1.7
    look = args["look_in"]
    look[k.LOOK_TIME] = 1.75
    look[k.LOOK_TERRAIN_A_R : k.LOOK_TERRAIN_B_B + 1] = rng.random(6, F32)
    look[k.LOOK_COLLIDER_R : k.LOOK_COLLIDER_B + 1] = rng.random(3, F32)
    args["glow_lut_in"][:] = np.sort(rng.random((k.GLOW_LUT_SIZE, 3), F32), axis=0)
    trace = args["trace_in"]
    trace[k.TRACE_HIGH_X : k.TRACE_HIGH_Z + 1] = trace[k.TRACE_TOP] = 2.0
    trace[k.TRACE_CELL] = 0.125
    scene.look_at(args, (1.0, -2.5, 1.3), (1.0, 1.0, 0.8), 0.6)
    return args


def box(args: Arguments, slot: int, low: Any, high: Any) -> None:
    args["trace_in"][slot : slot + 3], args["trace_in"][slot + 3 : slot + 6] = low, high


def ball(centre: Any = (1.0, 1.0, 0.9), radius: float = 0.6) -> np.ndarray:
    return scene.sphere(NODES, VOXEL, centre, radius)


def waves(level: float = 0.9, height: float = 0.12) -> np.ndarray:
    """Signed distance to rolling water."""
    x, y, z = np.meshgrid(*[np.arange(NODES) * VOXEL] * 3, indexing="ij")
    distance = z - level - height * np.sin(3 * x) * np.cos(4 * y + x)
    return np.clip(distance, -3 * VOXEL, 3 * VOXEL).astype(F32)


def add_liquid(rng: np.random.Generator, args: Arguments, distance: np.ndarray, low: float, high: float) -> None:
    """The second channel is random between two values."""
    other = F32(low) + rng.random(distance.shape, F32) * F32(high - low)
    scene.add_liquid(args, np.stack([distance, other], axis=-1), VOXEL)


def add_water(rng: np.random.Generator, args: Arguments, distance: np.ndarray) -> None:
    add_liquid(rng, args, distance, -0.2, 0.6)
    look = args["look_in"]
    look[k.LOOK_ABSORB_R : k.LOOK_ABSORB_B + 1] = (1.4, 0.5, 0.3)
    look[k.LOOK_WATER_R : k.LOOK_WATER_B + 1] = (0.01, 0.05, 0.08)
    look[k.LOOK_FOAM_R : k.LOOK_FOAM_B + 1], look[k.LOOK_FOAM_GAIN] = (0.8, 0.7, 0.75), 1.2
    look[k.LOOK_RIPPLE], look[k.LOOK_RIPPLE_SCALE] = 0.3, 0.21


def add_sea(args: Arguments) -> None:
    look = args["look_in"]
    look[k.LOOK_PLANE_ON], look[k.LOOK_PLANE_Z] = 1.0, 0.9
    look[k.LOOK_PLANE_RIPPLE], look[k.LOOK_PLANE_SCALE] = 0.4, 1.5
    look[k.LOOK_PLANE_R : k.LOOK_PLANE_B + 1] = (0.02, 0.06, 0.07)


def add_mirrors(args: Arguments, sides: Any, folds: float) -> None:
    look = args["look_in"]
    look[k.LOOK_MIRROR_X_LOW : k.LOOK_MIRROR_Y_HIGH + 1] = sides
    look[k.LOOK_MIRROR_FOLDS] = folds


def add_fog(rng: np.random.Generator, args: Arguments, peak: float, albedo: float, g: float, glow: float) -> None:
    """Fog with empty bricks; it glows from the coldest to beyond the table's end."""
    density = rng.random((NODES,) * 3, F32) * F32(peak)
    density[:9, :, 9:25] = 0
    heat = rng.random((NODES,) * 3, F32) * F32(1400.0) + F32(300.0)
    scene.add_fog(args, np.stack([density, heat], axis=-1), VOXEL, (albedo, 0.8 * albedo, 0.6 * albedo), g, glow)


def add_terrain(rng: np.random.Generator, args: Arguments, height: float) -> None:
    args["terrain_in"] = rng.random((9, 10), F32) * F32(height)
    args["terrain_geometry_in"][:] = (-1.0, -1.0, 0.5, 1.0)
    trace, look = args["trace_in"], args["look_in"]
    trace[k.TRACE_TERRAIN_LOW], trace[k.TRACE_TERRAIN_HIGH] = 0.0, height
    trace[k.TRACE_TERRAIN_SLOPE] = 2 * height * 1.42
    look[k.LOOK_TERRAIN_SCALE], look[k.LOOK_TERRAIN_BUMP], look[k.LOOK_TERRAIN_STEEP] = 0.3, 0.2, 0.8
    look[k.LOOK_TERRAIN_WET_Z] = 0.5 * height


def add_colliders(args: Arguments) -> None:
    """One of each kind, a vessel that is not drawn, and an unused row."""
    args["collider_in"] = np.array(
        [
            [0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
            [k.COLLIDER_SPHERE, 0, 0.4, 0.6, 1.2, 0.3, 0, 0, 0, 0, 0, 0],
            [k.COLLIDER_BOX, 0, 1.5, 0.8, 0.5, 0.3, 0.2, 0.4, 0.05, 0, 0, 0],
            [k.COLLIDER_CAPSULE, 0, 0.2, 0.2, 0.2, 0.9, 0.4, 0.7, 0.12, 0, 0, 0],
            [k.COLLIDER_CYLINDER, 0, 1.2, 1.5, 1.0, 0.25, 0, 0.6, 0.04, 0, 0, 0],
            [k.COLLIDER_VESSEL, 0, 1.0, 1.0, 1.0, 0.9, 0, 0, 0, 0, 0, 0],
        ],
        F32,
    )
    args["trace_in"][k.TRACE_HAS_COLLIDERS] = 1.0

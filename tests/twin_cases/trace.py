"""Inputs of the tracer's kernels: small pictures that together take every branch of a path.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.image import img_resolve
from tests.support import trace_scene as scene
from tests.support.trace_parts import (
    NODES,
    VOXEL,
    Arguments,
    add_colliders,
    add_fog,
    add_liquid,
    add_mirrors,
    add_sea,
    add_terrain,
    add_water,
    ball,
    box,
    empty,
    waves,
)

F32 = np.float32
Maker = Callable[[np.random.Generator], Arguments]
DENORMAL = F32(1e-42)


def sky(rng: np.random.Generator) -> Arguments:
    """No matter at all; a camera that looks up, at the horizon and down; overcast."""
    args = empty(rng, 16, 16)
    args["sky_in"][k.SKY_CLOUD_AMOUNT] = 0.9
    scene.look_at(args, (0.0, 0.0, 0.0), (0.48, -0.6, 0.2), 1.2)
    return args


def horizon(rng: np.random.Generator) -> Arguments:
    """Directions within a ten thousandth of the horizon; neither sun nor clouds nor glow."""
    args = empty(rng)
    args["sky_in"][k.SKY_SUN_COS] = 1.0
    args["sky_in"][[k.SKY_CLOUD_AMOUNT, k.SKY_GLOW_WIDTH]] = 0.0
    scene.look_at(args, (0.0, 0.0, 1.0), (0.0, 1.0, 1.0), 5e-4)
    return args


def _pencil(forward: Any, origin: Any) -> Maker:
    """All rays alike, along an axis or nearly; through fog, water and terrain."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 5, 3, 3)
        add_water(rng, args, ball())
        add_fog(rng, args, 1.0, 0.9, 0.4, 0.0)
        add_terrain(rng, args, 0.3)
        args["camera_in"][:12] = (*origin, *forward, *[0.0] * 6)
        return args

    return make


def water(rng: np.random.Generator) -> Arguments:
    """Waves between mirrors on the sides, the open sea before and behind, haze."""
    args = empty(rng, 16, 10, 3)
    add_water(rng, args, waves())
    add_sea(args)
    add_mirrors(args, (1.0, 1.0, 0.0, 0.0), 3.0)
    args["look_in"][k.LOOK_HAZE] = 30.0
    return args


def sea(rng: np.random.Generator) -> Arguments:
    """Mirrors before and behind, calm water, and a steep sea around; a camera close to it."""
    args = empty(rng, 24, 16, 4)
    add_water(rng, args, waves(0.9, 0.02))
    add_sea(args)
    add_mirrors(args, (0.0, 0.0, 1.0, 1.0), 2.0)
    args["look_in"][[k.LOOK_PLANE_RIPPLE, k.LOOK_PLANE_SCALE]] = 6.0, 0.4
    args["look_in"][k.LOOK_RIPPLE] = 3.0
    scene.look_at(args, (-1.6, 0.5, 1.9), (1.0, 1.1, 0.7), 1.4)
    return args


def open_sea(rng: np.random.Generator) -> Arguments:
    """Nothing but sea, looked at often enough to find the steepest of its waves."""
    args = empty(rng, 32, 32, 4)
    add_sea(args)
    args["trace_in"][k.TRACE_HIGH_X : k.TRACE_HIGH_Z + 1] = 0.0
    args["look_in"][k.LOOK_PLANE_SCALE] = 0.05
    scene.look_at(args, (0.0, 0.0, 2.0), (1.0, 1.0, 0.5), 0.8)
    return args


def under_water(rng: np.random.Generator) -> Arguments:
    """The camera in dim water between four mirrors, over a floor; no foam."""
    args = empty(rng, 16, 10, 4)
    add_water(rng, args, waves(1.4))
    add_mirrors(args, (1.0, 1.0, 1.0, 1.0), 6.0)
    look = args["look_in"]
    look[[k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 1.0, 0.0
    look[[k.LOOK_FOAM_GAIN, k.LOOK_RIPPLE]] = 0.0
    scene.look_at(args, (0.5, 0.5, 0.8), (1.0, 1.2, 1.1), 1.0)
    return args


def _cut_water(low: float, high: float) -> Maker:
    def make(rng: np.random.Generator) -> Arguments:
        """Water that the rim of its box cuts off, seen from inside."""
        args = empty(rng, 16, 10, 3)
        add_water(rng, args, waves(1.5))
        box(args, k.TRACE_SURFACE_LOW, low, high)
        scene.look_at(args, (1.0, 0.9, 0.8), (1.3, 1.2, 0.9), 2.0)
        return args

    return make


def wide_boxes(rng: np.random.Generator) -> Arguments:
    """Boxes around water and fog that are larger than their grids, and sides of the domain outside."""
    args = empty(rng, 16, 10, 3)
    add_water(rng, args, waves(0.5))
    add_fog(rng, args, 1.5, 0.9, 0.6, 0.0)
    box(args, k.TRACE_SURFACE_LOW, -1.0, 3.0)
    box(args, k.TRACE_FOG_LOW, -1.0, 3.0)
    add_mirrors(args, (1.0, 1.0, 1.0, 1.0), 2.0)
    scene.look_at(args, (3.2, 2.9, 2.5), (1.0, 1.0, 0.5), 0.8)
    return args


def shore(rng: np.random.Generator) -> Arguments:
    """Water over ground that pierces it, with colliders in it; the sun low, and seen through the water."""
    args = empty(rng, 16, 10, 3)
    add_water(rng, args, waves(0.6))
    args["look_in"][k.LOOK_RIPPLE] = 0.0
    add_terrain(rng, args, 0.9)
    add_colliders(args)
    scene.look_at(args, (1.0, -1.0, 1.6), (1.0, 1.0, 0.5), 0.7)
    return args


def diver(rng: np.random.Generator) -> Arguments:
    """The camera under water, close over ground and between colliders; the open sea beyond."""
    args = empty(rng, 16, 10, 3)
    add_water(rng, args, waves(1.7))
    add_terrain(rng, args, 0.4)
    add_colliders(args)
    add_sea(args)
    args["look_in"][[k.LOOK_PLANE_Z, k.LOOK_TERRAIN_SCALE]] = 1.7, 0.0
    scene.look_at(args, (0.8, 0.9, 0.9), (1.4, 1.1, 0.6), 1.5)
    return args


def rough(rng: np.random.Generator) -> Arguments:
    """Noisy water with bricks missing: all air or all liquid where values were."""
    args = empty(rng, 16, 12, 3)
    add_water(rng, args, waves(0.9, 0.4) + rng.normal(0, 2.0 * VOXEL, (NODES,) * 3).astype(F32))
    table = args["surface_table_in"]
    table[:] = np.where(rng.random(table.size) < 0.3, rng.integers(-2, 0, table.size), table)
    return args


def _tank(mirrors: Any, target: Any) -> Maker:
    """A block of water whose sides lie close to the domain's: they are the open sea to a ray inside."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 16, 12, 4)
        x, y, z = np.meshgrid(*[np.arange(NODES) * VOXEL] * 3, indexing="ij")
        distance = np.maximum(np.maximum(np.abs(x - 1), np.abs(y - 1)), np.abs(z - 0.75)) - 0.7
        distance += 0.25 * np.minimum(0, z - 0.75)  # wider at the bottom
        args["trace_in"][k.TRACE_LOW_X : k.TRACE_LOW_Z + 1] = (0.22, 0.2, 0.0)
        args["trace_in"][k.TRACE_HIGH_X : k.TRACE_HIGH_Z + 1] = (1.78, 1.8, 2.0)
        add_water(rng, args, np.clip(distance, -3 * VOXEL, 3 * VOXEL).astype(F32))
        add_sea(args)
        add_mirrors(args, mirrors, 3.0)
        args["look_in"][k.LOOK_PLANE_Z] = 1.45
        scene.look_at(args, (1.0, 1.01, 0.7), target, 2.0)
        return args

    return make


def diagonal(rng: np.random.Generator) -> Arguments:
    """A ball of water with a core, sun and camera on its diagonal: head-on, a cosine rounds beyond 1."""
    args = empty(rng, 16, 12, 4)
    add_water(rng, args, ball((16 * VOXEL,) * 3, 0.75))
    args["look_in"][[k.LOOK_RIPPLE, k.LOOK_FOAM_GAIN]] = 0.0
    args["collider_in"][0, :6] = (k.COLLIDER_SPHERE, 0, *[16 * VOXEL] * 3, 0.3)
    args["trace_in"][k.TRACE_HAS_COLLIDERS] = 1.0
    args["sky_in"][k.SKY_SUN_X : k.SKY_SUN_COS + 1] = (-0.57735027, -0.57735027, 0.57735027, 0.9999999)
    args["sky_in"][k.SKY_SUN_R : k.SKY_SUN_R + 3] = 1e7
    centre = np.array([16 * VOXEL] * 3)
    scene.look_at(args, centre + (-2.5, -2.5, 2.5), centre, 2e-4)
    return args


def _corridor(folds: float) -> Maker:
    def make(rng: np.random.Generator) -> Arguments:
        """Mirrors on all sides and a low sun: its rays go to and fro until they are given up."""
        args = empty(rng, 16, 10, 2)
        add_mirrors(args, (1.0, 1.0, 1.0, 1.0), folds)
        args["sky_in"][k.SKY_SUN_X : k.SKY_SUN_COS + 1] = (0.6, 0.79995, 0.01, 0.99999)
        args["sky_in"][k.SKY_SUN_R : k.SKY_SUN_R + 3] = 1e7
        args["look_in"][[k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 1.0, 0.3
        add_sea(args)
        args["look_in"][k.LOOK_PLANE_Z] = 0.6
        args["trace_in"][k.TRACE_HIGH_X] = 0.8
        scene.look_at(args, (0.5, 0.5, 0.5), (0.6, 0.8, 0.3), 1.2)
        return args

    return make


def lava(rng: np.random.Generator) -> Arguments:
    """Glowing matter on ground, with embers above it; no sun."""
    args = empty(rng, 24, 16, 4)
    add_liquid(rng, args, waves(0.5), 450.0, 1900.0)
    look = args["look_in"]
    look[k.LOOK_LIQUID] = k.LIQUID_LAVA
    look[k.LOOK_LAVA_R : k.LOOK_LAVA_B + 1] = (0.05, 0.04, 0.03)
    look[[k.LOOK_LAVA_BUMP, k.LOOK_LAVA_SCALE, k.LOOK_LAVA_CRUST_K, k.LOOK_GLOW_GAIN]] = 0.5, 0.4, 350.0, 1.3
    args["sky_in"][k.SKY_SUN_COS] = 1.0
    add_fog(rng, args, 0.5, 0.2, 0.0, 2.0)
    add_terrain(rng, args, 0.7)
    scene.look_at(args, (1.0, -0.5, 2.0), (1.0, 1.0, 0.5), 0.5)
    return args


def plain_lava(rng: np.random.Generator) -> Arguments:
    """Lava without a crust, in the sun, on a floor."""
    args = empty(rng)
    add_liquid(rng, args, ball(), 400.0, 1600.0)
    args["look_in"][[k.LOOK_LIQUID, k.LOOK_GLOW_GAIN]] = k.LIQUID_LAVA, 0.5
    args["look_in"][k.LOOK_LAVA_R : k.LOOK_LAVA_B + 1] = (0.3, 0.2, 0.1)
    args["look_in"][[k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 1.0, 0.1
    return args


def _fog(g: float, peak: float, roulette_depth: int) -> Maker:
    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 12, 8, 3)
        add_fog(rng, args, peak, 1.0, g, 0.0)
        args["roulette_depth"], args["max_depth"] = roulette_depth, 40
        if peak > 50:
            add_mirrors(args, (1.0, 1.0, 1.0, 1.0), 3.0)
        return args

    return make


def _clamped(seed: int) -> Maker:
    """Even fog that scatters at once, and a seed whose first draw rounds to a cosine beyond 1 or -1 in some pixel."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng)
        scene.add_fog(args, np.full((NODES,) * 3, 40.0, F32), VOXEL, 0.9, 0.0015)
        args["seed"], args["sample_start"] = seed, 0
        scene.look_at(args, (1.0, 0.9, 1.0), (1.0, 1.0, 0.9), 0.6)
        return args

    return make


def solids(rng: np.random.Generator) -> Arguments:
    """Colliders and steep ground in the open, without liquid."""
    args = empty(rng, 20, 12)
    add_colliders(args)
    add_terrain(rng, args, 0.8)
    args["trace_in"][k.TRACE_VOXEL] = VOXEL
    args["look_in"][k.LOOK_HAZE] = 10.0
    return args


def below_ground(rng: np.random.Generator) -> Arguments:
    """A camera inside a hill, and colliders close to it: paths start inside solids."""
    args = empty(rng)
    add_terrain(rng, args, 0.8)
    args["terrain_in"][:] += F32(0.2)
    args["trace_in"][k.TRACE_TERRAIN_HIGH] = 1.0
    add_colliders(args)
    args["look_in"][[k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 1.0, 0.5
    scene.look_at(args, (0.4, 0.6, 0.1), (0.5, 0.7, 1.2), 1.5)
    return args


def all_of_it(rng: np.random.Generator) -> Arguments:
    """Something of everything, 35 samples: chunks side by side, the last one not full; few rows of counters."""
    args = empty(rng, 7, 5, 35)
    args["work_inout"] = rng.integers(0, 1000, (7, k.WORK_WORDS))
    add_water(rng, args, waves(0.7))
    add_fog(rng, args, 0.8, 0.9, 0.5, 1.0)
    add_terrain(rng, args, 0.8)
    add_colliders(args)
    add_sea(args)
    add_mirrors(args, (1.0, 0.0, 0.0, 1.0), 3.0)
    args["max_depth"] = 6
    return args


def many_chunks(rng: np.random.Generator) -> Arguments:
    """More chunks than lanes of a warp; a picture one pixel high."""
    args = empty(rng, 3, 1, 33 * k.SAMPLE_CHUNK + 1)
    add_fog(rng, args, 0.5, 0.5, 0.2, 0.0)
    args["max_depth"] = 2
    return args


# --- img_resolve --------------------------------------------------------------------------------


def _resolve(samples: int, height: int, width: int) -> Maker:
    def make(rng: np.random.Generator) -> Arguments:
        args = img_resolve.example(rng, 4)
        sums = rng.random((height, width, k.PIXEL_WORDS), F32) * F32(samples)
        if sums.size:  # nothing, denormals, and a variance that rounding makes negative
            sums[0, 0], sums[0, -1] = 0.0, DENORMAL
            sums[0, 0, k.PIXEL_SQUARE] = -0.0
            sums[-1, 0, k.PIXEL_SQUARE : k.PIXEL_SQUARE + 3] = 0.0
        args["samples"], args["pixel_sums_in"] = samples, sums
        args["rgb_out"], args["variance_out"] = (np.full((height, width, 3), 7, F32) for _ in range(2))
        return args

    return make


CASES: dict[str, dict[str, Maker]] = {
    "img_trace": {
        "sky": sky,
        "horizon": horizon,
        "along x": _pencil((1.0, -1e-12, -1e-12), (-1.0, 1.0, 0.9)),
        "along -y": _pencil((1e-12, -1.0, 0.0), (1.0, 3.0, 0.5)),
        "straight down": _pencil((0.0, 0.0, -1.0), (1.0, 1.0, 3.0)),
        "no direction": _pencil((0.0, 0.0, 0.0), (1.0, 1.0, -1.0)),
        "water": water,
        "sea": sea,
        "open sea": open_sea,
        "under water": under_water,
        "cut water, box beyond the grid": _cut_water(-1.0, 3.0),
        "cut water, box in the grid": _cut_water(0.3, 1.6),
        "wide boxes": wide_boxes,
        "rough": rough,
        "tank, high sides": _tank((0.0, 0.0, 0.0, 0.0), (1.5, 1.4, 0.6)),
        "tank, low sides": _tank((0.0, 0.0, 0.0, 0.0), (0.5, 0.4, 0.6)),
        "tank between mirrors": _tank((0.0, 1.0, 1.0, 0.0), (1.5, 0.8, 0.7)),
        "diagonal": diagonal,
        "corridor": _corridor(100.0),
        "corridor, few folds": _corridor(1.0),
        "shore": shore,
        "diver": diver,
        "lava": lava,
        "plain lava": plain_lava,
        "fog, forward": _fog(0.7, 6.0, 40),
        "fog, even": _fog(0.0, 6.0, 2),
        "fog, nearly even": _fog(0.0015, 12.0, 2),
        "fog, thick": _fog(-0.4, 80.0, 8),
        "fog, cosine above 1": _clamped(365),
        "fog, cosine below -1": _clamped(1449),
        "solids": solids,
        "below ground": below_ground,
        "all of it": all_of_it,
        "many chunks": many_chunks,
        "no samples": lambda rng: {**empty(rng), "sample_count": 0},
        "one bounce": lambda rng: {**solids(rng), "max_depth": 1},
    },
    "img_resolve": {
        "one sample": _resolve(1, 3, 5),
        "two samples": _resolve(2, 4, 1),
        "many": _resolve(100, 7, 33),
        "more samples than an int holds": _resolve(3_000_000_000, 2, 3),
        "no pixel": _resolve(4, 0, 8),
    },
}

"""Pictures at the ends of what a shot file may say: far away, very small, very dense. Each has to be finite.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.shot.quantities import FAR
from kernels.base import constants as k
from tests.support import trace_scene as scene
from tests.support.trace_parts import (
    NODES,
    VOXEL,
    Arguments,
    add_fog,
    add_liquid,
    add_sea,
    add_terrain,
    add_water,
    ball,
    box,
    empty,
    waves,
)
from tests.twin_cases import Maker

F32 = np.float32
FINEST_M = 0.001  # the shortest ripple and the finest grain of ground and crust that a shot file may ask for
SMALL = 2.0**-14  # what a picture of a few metres is made smaller by, to see it from afar


def _sea(height: float, position: Any = (0.0, -100.0)) -> Maker:
    """The sea outside with the finest ripples, just below the horizon, from ``height`` metres above it."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 16, 12)
        add_sea(args)
        look = args["look_in"]
        look[[k.LOOK_PLANE_Z, k.LOOK_PLANE_RIPPLE, k.LOOK_PLANE_SCALE]] = 0.0, 0.5, FINEST_M
        scene.look_at(args, (*position, height), (position[0], position[1] + 1000.0, height - 1.0), 0.001)
        return args

    return make


def far_ground(rng: np.random.Generator) -> Arguments:
    """A floor of the finest grain at the farthest coordinates."""
    args = empty(rng, 16, 12)
    args["look_in"][[k.LOOK_FLOOR_ON, k.LOOK_TERRAIN_SCALE, k.LOOK_TERRAIN_BUMP]] = 1.0, FINEST_M, 4.0
    scene.look_at(args, (FAR, -FAR, 900.0), (FAR, 0.0, 0.0), 0.6)
    return args


def _wide_liquid(liquid: int) -> Maker:
    """A wide body of liquid with the finest ripples, or the finest crust: 10 km from the origin and less."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 16, 12)
        add_water(rng, args, waves(0.9, 0.1))
        wide = 5000.0
        args["trace_in"][:] *= F32(wide)
        look = args["look_in"]
        look[[k.LOOK_LIQUID, k.LOOK_RIPPLE, k.LOOK_RIPPLE_SCALE]] = liquid, 2.0, FINEST_M
        look[[k.LOOK_LAVA_SCALE, k.LOOK_LAVA_BUMP, k.LOOK_LAVA_CRUST_K]] = FINEST_M, 4.0, 100.0
        look[k.LOOK_LAVA_R : k.LOOK_LAVA_B + 1] = 0.3
        scene.look_at(args, (wide, -2.5 * wide, 2 * wide), (wide, wide, 0.8 * wide), 0.6)
        return args

    return make


def _dense(gain: float, distance: float) -> Maker:
    """Fog so dense that its free paths are far below a float32's last place, beside fog that is not there."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 8, 6)
        add_fog(rng, args, 1.0, 0.9, 0.3, 0.0)
        args["look_in"][k.LOOK_FOG_GAIN] = gain
        scene.look_at(args, (1.0, 1.0 - distance, 1.0), (1.0, 1.0, 1.0), 0.8 / distance)
        return args

    return make


def _shrink(args: Arguments) -> None:
    """Make all lengths of the liquid SMALL times as long."""
    args["trace_in"][:] *= F32(SMALL)
    args["surface_value_in"][..., 0] *= F32(SMALL)


def tiny_from_afar(rng: np.random.Generator) -> Arguments:
    """A ball of water whose voxels are far below the last place of its distance, seen past its limb."""
    args = empty(rng, 16, 12)
    add_water(rng, args, ball((1.0, 1.0, 1.0), 0.6))
    _shrink(args)
    middle = SMALL * NODES * VOXEL / 2
    scene.look_at(args, (middle, middle - 400.0, middle), (middle, middle, middle), SMALL / 400.0)
    return args


def tiny_ground_from_afar(rng: np.random.Generator) -> Arguments:
    """Ground whose heights stand closer than the last place of its distance."""
    args = empty(rng, 16, 12)
    add_terrain(rng, args, 0.8)
    trace, geometry = args["trace_in"], args["terrain_geometry_in"]
    slope = trace[k.TRACE_TERRAIN_SLOPE]
    _shrink(args)
    trace[k.TRACE_TERRAIN_SLOPE] = slope
    geometry[:3] *= F32(SMALL)
    args["terrain_in"] *= F32(SMALL)
    scene.look_at(args, (SMALL, -2000.0, 600.0), (SMALL, SMALL, 0.4 * SMALL), SMALL / 2000.0)
    return args


def thick_water_of_a_tiny_box(rng: np.random.Generator) -> Arguments:
    """The strongest absorption, the strongest foam, a refraction that bends nothing."""
    args = empty(rng, 16, 12, 3)
    add_water(rng, args, waves())
    look = args["look_in"]
    look[k.LOOK_ABSORB_R : k.LOOK_ABSORB_B + 1] = 1.0e6
    look[[k.LOOK_FOAM_GAIN, k.LOOK_IOR, k.LOOK_RIPPLE]] = 1.0e4, 1.0, 2.0
    look[k.LOOK_HAZE] = 1.0e-30
    box(args, k.TRACE_LOW_X, (0.0, 0.0, 0.0), (2.0, 2.0, 2.0))
    return args


def white(rng: np.random.Generator) -> Arguments:
    """White ground with mottles under an even sky of 1: what comes back is never more than 1, however often it goes."""
    args = empty(rng, 16, 12, 3)
    add_terrain(rng, args, 0.8)
    look, sky = args["look_in"], args["sky_in"]
    look[k.LOOK_TERRAIN_A_R : k.LOOK_TERRAIN_B_B + 1] = 1.0
    look[k.LOOK_TERRAIN_WET_Z] = -FAR
    scene.even_sky(args)
    sky[k.SKY_SUN_COS], sky[k.SKY_CLOUD_AMOUNT], sky[k.SKY_GLOW_WIDTH] = 1.0, 0.0, 0.0
    args["max_depth"], args["roulette_depth"] = 1024, 3
    return args


def white_crust(rng: np.random.Generator) -> Arguments:
    """The same of a ball of cold lava whose crust is white."""
    args = white(rng)
    args["terrain_geometry_in"][3] = k.TERRAIN_OFF
    add_liquid(rng, args, ball(), 300.0, 300.0)
    look = args["look_in"]
    look[[k.LOOK_LIQUID, k.LOOK_LAVA_SCALE, k.LOOK_LAVA_BUMP, k.LOOK_FLOOR_ON]] = k.LIQUID_LAVA, 0.3, 1.0, 1.0
    look[k.LOOK_LAVA_R : k.LOOK_LAVA_B + 1] = 1.0
    return args


def beside_the_water(rng: np.random.Generator) -> Arguments:
    """A camera far beside the water and lower than its surface, which looks away: it is in the air."""
    args = empty(rng, 16, 12)
    add_water(rng, args, waves())
    scene.look_at(args, (1.0, -400.0, 0.3), (1.0, -500.0, 0.4), 0.6)
    return args


CASES: dict[str, dict[str, Maker]] = {
    "img_trace": {
        "fine ripples from 900 m": _sea(900.0),
        "fine ripples from the highest place": _sea(FAR),
        "fine ripples at the farthest place": _sea(2.0, (FAR, -FAR)),
        "fine ground at the farthest place": far_ground,
        "fine ripples on a wide liquid": _wide_liquid(k.LIQUID_WATER),
        "fine crust on a wide liquid": _wide_liquid(k.LIQUID_LAVA),
        "densest fog": _dense(1.0e6, 3.0),
        "densest fog from afar": _dense(1.0e6, 2.0e4),
        "dense fog from afar": _dense(1.0e4, 2.0e4),
        "tiny liquid from afar": tiny_from_afar,
        "tiny ground from afar": tiny_ground_from_afar,
        "white ground": white,
        "white crust": white_crust,
        "beside the water": beside_the_water,
        "thick water": thick_water_of_a_tiny_box,
    },
}

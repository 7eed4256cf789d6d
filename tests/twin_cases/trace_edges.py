"""Inputs of the tracer at the edges of its comparisons: values that are just equal, parts that are switched off.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.trace.trace_math import TINY
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
    empty,
    waves,
)

F32 = np.float32
Maker = Callable[[np.random.Generator], Arguments]


def _down(x: float, y: float, z: float, height: float = 0.9) -> Maker:
    """One ray straight down on the sea at this height."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 4, 2)
        add_sea(args)
        args["trace_in"][k.TRACE_LOW_X : k.TRACE_HIGH_Z + 1] = (0.0, 0.25, -0.5, 2.0, 2.25, 2.5)
        args["look_in"][k.LOOK_PLANE_Z] = height
        args["camera_in"][:12] = (x, y, z, 0.0, 0.0, -1.0, *[0.0] * 6)
        args["sky_in"][k.SKY_SUN_COS] = 1.0
        return args

    return make


def _glow(temperature: float) -> Maker:
    """Lava without a crust and embers, all of one temperature; the table goes from 500 to 1500 K."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 8, 6)
        add_liquid(rng, args, ball(), temperature, temperature)
        args["look_in"][[k.LOOK_LIQUID, k.LOOK_GLOW_GAIN, k.LOOK_TERRAIN_A_R]] = k.LIQUID_LAVA, 0.5, 0.0
        args["look_in"][k.LOOK_LAVA_R : k.LOOK_LAVA_B + 1] = (0.3, 0.2, 0.1)
        dense = np.stack([np.full((NODES,) * 3, v, F32) for v in (0.4, temperature)], axis=-1)
        scene.add_fog(args, dense, VOXEL, 0.5, 0.001, 1.0)
        args["camera_in"][k.CAMERA_ORIGIN : k.CAMERA_ORIGIN + 3] = (1.0, -2.5, 1.3)
        return args

    return make


def switched_off(rng: np.random.Generator) -> Arguments:
    """Everything is there, and nothing of it counts."""
    args = empty(rng, 12, 8)
    add_water(rng, args, waves())
    add_fog(rng, args, 1.0, 0.9, 0.3, 1.0)
    add_terrain(rng, args, 0.8)
    add_colliders(args)
    add_sea(args)
    look, trace = args["look_in"], args["trace_in"]
    look[[k.LOOK_PLANE_ON, k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 0.0, 0.0, 0.2
    trace[[k.TRACE_HAS_SURFACE, k.TRACE_HAS_FOG, k.TRACE_HAS_COLLIDERS]] = 0.0
    args["terrain_geometry_in"][3] = k.TERRAIN_OFF
    args["sky_in"][k.SKY_GLOW_WIDTH] = 0.7
    return args


def off_in_water(rng: np.random.Generator) -> Arguments:
    """A camera in water near a floor and a sea that are switched off; then only the water's own surface ends a ray."""
    args = empty(rng, 16, 10, 3)
    add_water(rng, args, ball((1.0, 1.0, 0.7), 0.6))
    add_sea(args)
    args["look_in"][[k.LOOK_PLANE_ON, k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 0.0, 0.0, 0.15
    args["look_in"][[k.LOOK_RIPPLE, k.LOOK_FOAM_GAIN]] = 2.5, 0.0
    scene.look_at(args, (1.0, 0.9, 0.7), (1.2, 1.3, 0.5), 2.0)
    return args


def slab(rng: np.random.Generator) -> Arguments:
    """A ball of water just above a floor and the bottom of the sea: what leaves it below is the floor, or the sea."""
    args = off_in_water(rng)
    args["look_in"][[k.LOOK_PLANE_ON, k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 1.0, 1.0, 0.08
    args["trace_in"][k.TRACE_LOW_Z] = 0.1
    return args


def deep(rng: np.random.Generator) -> Arguments:
    """The same over the open sea alone."""
    args = slab(rng)
    args["look_in"][k.LOOK_FLOOR_ON] = 0.0
    return args


def rolled(rng: np.random.Generator) -> Arguments:
    """A camera that stands askew."""
    args = empty(rng)
    right, up = args["camera_in"][6:9].copy(), args["camera_in"][9:12].copy()
    args["camera_in"][6:9], args["camera_in"][9:12] = right + F32(0.5) * up, up - F32(0.5) * right
    return args


def on_one_level(rng: np.random.Generator) -> Arguments:
    """A floor just at the height of the sea."""
    args = _down(-1.0, 1.0, 3.0)(rng)
    args["look_in"][[k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 1.0, args["look_in"][k.LOOK_PLANE_Z]
    return args


def box_in_floor(rng: np.random.Generator) -> Arguments:
    """A box whose top lies just in the floor, as far away as the floor: the floor is what is seen."""
    args = _down(1.0, 1.0, 2.0)(rng)
    args["look_in"][[k.LOOK_PLANE_ON, k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 0.0, 1.0, 0.5
    add_colliders(args)
    args["collider_in"][:, 0] = k.COLLIDER_VESSEL
    args["collider_in"][2, :9] = (k.COLLIDER_BOX, 0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25, 0.0)
    return args


def far_box(rng: np.random.Generator) -> Arguments:
    """A box straight above, just as far away as a step to it may be long."""
    args = box_in_floor(rng)
    args["camera_in"][5] = 1.0
    args["collider_in"][2, 4] = args["camera_in"][2] + 1.0e6 + 0.25
    return args


def many_samples(rng: np.random.Generator) -> Arguments:
    """More chunks of samples than a warp has threads, twice over."""
    args = empty(rng, 2, 1, 64 * k.SAMPLE_CHUNK + 3)
    args["sky_in"][k.SKY_CLOUD_AMOUNT] = 0.9
    return args


def above_mirrors(rng: np.random.Generator) -> Arguments:
    """Level rays above all that is mirrored."""
    args = _walls((1.0, 0.0, 0.0))(rng)
    args["camera_in"][k.CAMERA_ORIGIN + 2] = 2.5
    return args


def _diagonal(forward: Any) -> Maker:
    """Rays through the edges of bricks, some of which have no values: which neighbour comes first shows."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 4, 4)
        add_water(rng, args, waves(0.9, 0.4))
        add_fog(rng, args, 1.0, 0.9, 0.3, 0.0)
        table = args["surface_table_in"]
        table[:] = np.where(rng.random(table.size) < 0.4, rng.integers(-2, 0, table.size), table)
        args["camera_in"][:12] = (*(0.9 - 2 * np.array(forward)), *forward, *[0.0] * 6)
        return args

    return make


def into_a_corner(rng: np.random.Generator) -> Arguments:
    """Rays that meet a mirror and the floor at one distance."""
    args = empty(rng, 4, 2)
    add_mirrors(args, (1.0, 0.0, 0.0, 0.0), 3.0)
    args["look_in"][[k.LOOK_FLOOR_ON, k.LOOK_FLOOR_Z]] = 1.0, 0.5
    args["trace_in"][k.TRACE_LOW_X] = 0.5
    args["camera_in"][:12] = (1.0, 1.0, 1.0, -1.0, 0.0, -1.0, *[0.0] * 6)
    return args


def hardly_a_direction(rng: np.random.Generator) -> Arguments:
    """Rays whose direction is as short as one may be."""
    args = empty(rng, 4, 2)
    x = np.sqrt(TINY)
    while x * x >= TINY:
        x = np.nextafter(x, F32(0))
    y = np.sqrt(TINY - x * x)
    assert x * x + y * y == TINY
    args["camera_in"][:12] = (1.0, 1.0, 1.0, x, y, 0.0, *[0.0] * 6)
    return args


def open_high_x(rng: np.random.Generator) -> Arguments:
    """A block of water before the open sea at the high side of x, between mirrors at the others."""
    args = deep(rng)
    add_water(rng, args, ball((1.3, 1.0, 0.9), 0.55))
    args["trace_in"][k.TRACE_LOW_X : k.TRACE_HIGH_Z + 1] = (0.0, 0.0, -9.0, 1.82, 2.0, 2.0)
    add_mirrors(args, (1.0, 0.0, 1.0, 0.0), 2.0)
    scene.look_at(args, (1.3, 1.0, 0.9), (2.0, 1.1, 0.85), 1.0)
    return args


def _walls(forward: Any) -> Maker:
    """Mirrors on four sides, and rays along an axis exactly: no side may be met across it."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, 4, 2)
        add_mirrors(args, (1.0, 1.0, 1.0, 1.0), 3.0)
        add_fog(rng, args, 1.0, 0.9, 0.3, 0.0)
        args["trace_in"][k.TRACE_LOW_X : k.TRACE_HIGH_Z + 1] = (0.1, 0.2, -0.1, 1.8, 1.9, 2.1)
        args["camera_in"][:12] = (1.0, 0.9, 0.8, *forward, *[0.0] * 6)
        return args

    return make


def long_grids(rng: np.random.Generator) -> Arguments:
    """Grids with another number of bricks along each axis, and a domain with other sides."""
    args = empty(rng, 16, 10, 3)
    x, y, z = np.meshgrid(*(np.arange(n) * VOXEL for n in (25, 49, 17)), indexing="ij")
    distance = z - 0.6 - 0.1 * np.sin(5 * x + 3 * y)
    add_liquid(rng, args, np.clip(distance, -3 * VOXEL, 3 * VOXEL).astype(F32), 0.0, 0.3)
    args["look_in"][k.LOOK_ABSORB_R : k.LOOK_FOAM_GAIN + 1] = (1.0, 0.5, 0.3, 0.8, 0.8, 0.8, 1.0)
    scene.add_fog(args, rng.random((49, 17, 33), F32), VOXEL, 0.9, 0.4)
    args["trace_in"][k.TRACE_LOW_X : k.TRACE_HIGH_Z + 1] = (0.1, 0.3, -0.2, 1.6, 2.7, 1.1)
    add_mirrors(args, (1.0, 0.0, 1.0, 0.0), 2.0)
    add_sea(args)
    scene.look_at(args, (0.5, -1.5, 1.4), (0.7, 1.5, 0.5), 0.7)
    return args


def no_sun(rng: np.random.Generator) -> Arguments:
    """A ray up to where a sun would stand that is switched off, along a direction a rounding longer than 1."""
    args = empty(rng, 4, 2)
    args["camera_in"][:12] = (1.0, 1.0, 1.0, 0.0, 0.0, 1.0, *[0.0] * 6)
    args["sky_in"][k.SKY_SUN_X : k.SKY_SUN_COS + 1] = (0.0, 0.0, np.nextafter(F32(1), F32(2)), 1.0)
    args["sky_in"][k.SKY_SUN_R : k.SKY_SUN_R + 3] = 100.0
    return args


def thick_haze(rng: np.random.Generator) -> Arguments:
    """Air that hides most of what is a metre away, over a floor and colliders."""
    args = empty(rng, 8, 6)
    add_colliders(args)
    args["look_in"][[k.LOOK_HAZE, k.LOOK_FLOOR_ON]] = 0.6, 1.0
    return args


def _region(size: tuple[int, int], samples: int, window: tuple[int, ...], comb: tuple[int, int, int]) -> Maker:
    """A part of a picture of the sky: its window, and which of so many strips."""

    def make(rng: np.random.Generator) -> Arguments:
        args = empty(rng, *size, samples)
        args["max_depth"] = 2
        args.update(zip(("x_low", "y_low", "x_high", "y_high"), window))
        args.update(zip(("strip_low", "strip_high", "strip_period"), comb))
        return args

    return make


CASES: dict[str, dict[str, Maker]] = {
    "img_trace": {
        "a window": _region((21, 19), 2, (3, 2, 14, 13), (0, 1, 1)),
        "a window of chunks": _region((9, 12), 2 * k.SAMPLE_CHUNK, (1, 3, 8, 12), (0, 1, 1)),
        "a window at the end": _region((11, 7), 1, (6, 5, 40, 7), (0, 1, 1)),
        "no window": _region((11, 7), 1, (6, 5, 6, 7), (0, 1, 1)),
        "a window that lies outside": _region((5, 7), 1, (2, 9, 5, 20), (0, 1, 1)),
        "first strips": _region((5, 43), 1, (0, 0, 99, 99), (0, 2, 3)),
        "last strips": _region((5, 43), 3 * k.SAMPLE_CHUNK, (0, 0, 99, 99), (1, 3, 3)),
        "strips of a window": _region((12, 71), 1, (2, 3, 11, 67), (2, 4, 5)),
        "more strips than there are": _region((4, 12), 1, (0, 0, 99, 99), (1, 5, 7)),
        "many strips": _region((1, 163), 1, (0, 0, 99, 999), (1, 3, 3)),
        "none of the strips": _region((4, 12), 1, (0, 0, 99, 99), (3, 5, 7)),
        "sea, low x": _down(0.0, 1.0, 3.0),
        "sea, high x": _down(2.0, 1.0, 3.0),
        "sea, low y": _down(1.0, 0.25, 3.0),
        "sea, high y": _down(1.0, 2.25, 3.0),
        "sea, beyond low y": _down(1.0, 0.2, 3.0),
        "sea, from its own height": _down(-1.0, 0.25, 0.5, 0.5),
        "glow, coldest": _glow(500.0),
        "glow, hottest": _glow(1500.0),
        "no sun": no_sun,
        "switched off": switched_off,
        "switched off in water": off_in_water,
        "slab": slab,
        "deep": deep,
        "open at high x": open_high_x,
        "rolled camera": rolled,
        **{f"diagonal {forward}": _diagonal(forward) for forward in ((1, 1, 0), (0, 1, 1), (1, 0, 1), (-1, -1, -1))},
        "into a corner": into_a_corner,
        "above mirrors": above_mirrors,
        "on one level": on_one_level,
        "box in the floor": box_in_floor,
        "far box": far_box,
        "many samples": many_samples,
        "hardly a direction": hardly_a_direction,
        "mirrors along y": _walls((0.0, -1.0, 0.0)),
        "mirrors along x": _walls((1.0, 0.0, 0.0)),
        "mirrors straight down": _walls((0.0, 0.0, -1.0)),
        "long grids": long_grids,
        "thick haze": thick_haze,
    },
}

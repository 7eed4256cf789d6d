"""The tracer against closed forms: furnaces, transmittance, emission."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.base import constants as k
from tests.support import trace_scene as scene

F32 = np.float32


def cloud(rng: np.random.Generator, nodes: int = 33, peak: float = 12.0) -> np.ndarray:
    """Random extinction with empty stretches, over a unit cube."""
    density = rng.random((nodes, nodes, nodes), F32) * F32(peak)
    density[8:17, :, 9:25] = 0
    density[17:, 17:, :17] *= F32(0.1)
    return density


def furnace(rng: np.random.Generator, albedo: object, g: float, glow: float) -> scene.Args:
    args = scene.empty(24, 24)
    dense = np.stack([cloud(rng), np.full((33, 33, 33), 1000.0, F32)], axis=-1)
    scene.add_fog(args, dense, 1 / 32, albedo, g, glow)
    scene.look_at(args, (0.5, -1.0, 0.6), (0.5, 0.5, 0.5), 0.3)
    args["max_depth"], args["roulette_depth"] = 10000, 10000
    return args


@pytest.mark.parametrize("g", [0.0, 0.6, -0.4])
def test_white_furnace_of_fog(rng, g):
    args = furnace(rng, 1.0, g, 0.0)
    scene.even_sky(args)
    rgb, variance = scene.trace(args, 16)
    assert args["work_inout"].sum(axis=0)[k.WORK_SCATTERS] > 24 * 24 * 16  # it did scatter
    assert scene.agrees(rgb, variance, 1.0)


def test_white_furnace_lit_by_the_sun_alone(rng):
    # A sun that fills the sphere: only next-event estimation and ratio tracking light what scatters
    args = furnace(rng, 1.0, 0.3, 0.0)
    args["sky_in"][k.SKY_SUN_Z], args["sky_in"][k.SKY_SUN_COS] = 1.0, -1.0
    args["sky_in"][k.SKY_SUN_R : k.SKY_SUN_R + 3] = 1.0
    rgb, variance = scene.trace(args, 256)
    _, error = scene.mean_and_error(rgb, variance)
    assert np.all(error < 0.01)
    assert scene.agrees(rgb, variance, 1.0)


@pytest.mark.parametrize("albedo", [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.9, 0.3, 0.6)])
def test_equilibrium_furnace(rng, albedo):
    args = furnace(rng, albedo, 0.3, 1.0)
    scene.even_sky(args)
    args["glow_lut_in"][:] = 1.0
    args["roulette_depth"] = 3
    rgb, variance = scene.trace(args, 256)
    assert scene.agrees(rgb, variance, 1.0)


@pytest.mark.parametrize("threshold", [2, 10000])
def test_roulette_does_not_bias(rng, threshold):
    args = furnace(rng, (0.9, 0.7, 0.5), 0.3, 0.0)
    scene.even_sky(args)
    args["roulette_depth"] = 10000
    exact = scene.trace(args, 256, seed=7)
    args["roulette_depth"] = threshold
    rgb, variance = scene.trace(args, 256, seed=8)
    mean, error = scene.mean_and_error(*exact)
    other, other_error = scene.mean_and_error(rgb, variance)
    assert np.all(np.abs(mean - other) <= 3 * np.hypot(error, other_error) + 1e-5)


def ray_picture(args: scene.Args, y: float, z: float) -> None:
    """All pixels look along +x through (y, z)."""
    scene.look_at(args, (-1.0, y, z), (0.5, y, z), 1e-5)


def test_beer_lambert_uniform_and_linear():
    for slope in (0.0, 3.0):
        args = scene.empty(16, 16)
        x = np.linspace(0, 1, 33, dtype=F32)
        dense = np.broadcast_to((F32(1.0) + F32(slope) * x)[:, None, None], (33, 33, 33)).astype(F32)
        scene.add_fog(args, dense, 1 / 32, 0.0)
        scene.even_sky(args)
        ray_picture(args, 0.45, 0.55)
        rgb, variance = scene.trace(args, 512)
        assert scene.agrees(rgb, variance, np.exp(-(1.0 + slope / 2)))


def test_transmittance_across_a_sharp_edge_is_the_node_centred_one():
    args = scene.empty(16, 16)
    dense = np.zeros((33, 33, 33), F32)
    dense[16:] = 1.0
    scene.add_fog(args, dense, 1 / 32, 0.0)
    scene.even_sky(args)
    ray_picture(args, 0.45, 0.55)
    rgb, variance = scene.trace(args, 1024)
    # Half of the voxel before the edge counts
    assert scene.agrees(rgb, variance, np.exp(-(16 / 32 + 0.5 / 32)))


def test_emission_absorption_slab():
    args = scene.empty(16, 16)
    dense = np.full((33, 33, 33, 2), 1000.0, F32)
    dense[..., 0] = 2.5
    scene.add_fog(args, dense, 1 / 32, 0.0, glow=2.0)
    args["glow_lut_in"][:] = (0.5, 1.0, 3.0)
    ray_picture(args, 0.45, 0.55)
    rgb, variance = scene.trace(args, 512)
    assert scene.agrees(rgb, variance, 2.0 * np.array([0.5, 1.0, 3.0]) * (1 - np.exp(-2.5)))


def test_lava_seen_directly_has_the_table_s_radiance():
    args = scene.empty(8, 8)
    voxel = 1 / 16
    dense = np.full((33, 33, 33, 2), 900.0, F32)
    dense[..., 0] = scene.sphere(33, voxel, (1.0, 1.0, 1.0), 0.7)
    scene.add_liquid(args, dense, voxel)
    look = args["look_in"]
    look[k.LOOK_LIQUID], look[k.LOOK_GLOW_GAIN] = k.LIQUID_LAVA, 2.0
    args["glow_lut_in"][:] = np.linspace(0.0, 1.0, 256)[:, None] * (1.0, 0.5, 0.25)
    scene.look_at(args, (1.0, -3.0, 1.0), (1.0, 1.0, 1.0), 0.05)
    rgb, _ = scene.trace(args, 16)
    # 900 K is 0.4 of the way from 500 K to 1500 K
    np.testing.assert_allclose(rgb, np.broadcast_to([0.8, 0.4, 0.2], rgb.shape), rtol=1e-5)


@pytest.mark.parametrize("sunlit", [False, True])
def test_white_lava_in_a_furnace(sunlit):
    args = scene.empty(16, 16)
    voxel = 1 / 16
    scene.add_liquid(args, scene.sphere(33, voxel, (1.0, 1.0, 1.0), 0.7), voxel)
    args["look_in"][k.LOOK_LIQUID] = k.LIQUID_LAVA
    args["look_in"][k.LOOK_LAVA_R : k.LOOK_LAVA_R + 3] = 1.0
    if sunlit:
        args["sky_in"][k.SKY_SUN_Z], args["sky_in"][k.SKY_SUN_COS] = 1.0, -1.0
        args["sky_in"][k.SKY_SUN_R : k.SKY_SUN_R + 3] = 1.0
    else:
        scene.even_sky(args)
    args["max_depth"] = args["roulette_depth"] = 1000
    scene.look_at(args, (1.0, -3.0, 1.0), (1.0, 1.0, 1.0), 0.2)
    rgb, variance = scene.trace(args, 256)
    # Smoothed normals differ from the trilinear surface's: light may be lost there, but little
    mean, error = scene.mean_and_error(rgb, variance)
    assert np.all(np.abs(mean - 1.0) <= 3 * error + (0.004 if sunlit else 1e-5))


def test_clear_water_in_a_furnace(rng):
    args = scene.empty(16, 16)
    voxel = 1 / 16
    scene.add_liquid(args, scene.sphere(33, voxel, (1.0, 1.0, 1.0), 0.7), voxel)
    scene.even_sky(args)
    args["look_in"][k.LOOK_RIPPLE], args["look_in"][k.LOOK_RIPPLE_SCALE] = 0.1, 0.2
    args["max_depth"] = args["roulette_depth"] = 1000
    scene.look_at(args, (1.0, -3.0, 1.0), (1.0, 1.0, 1.0), 0.3)
    rgb, variance = scene.trace(args, 64)
    assert scene.agrees(rgb, variance, 1.0)

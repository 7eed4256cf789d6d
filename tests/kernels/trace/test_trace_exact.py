"""The tracer's bits: threads, chunks, seeds, and a digest that one bit changes; the dielectric sphere."""

from __future__ import annotations

import hashlib

import numba
import numpy as np
import pytest

from kernels.base import constants as k
from kernels.image import img_trace
from tests.reference.trace_sphere import glass_ball
from tests.support import trace_scene as scene

F32 = np.float32


def mixed_scene(width: int = 48, height: int = 20) -> scene.Args:
    """Water, spray, ground, sun, mirrors: something of everything."""
    args = scene.empty(width, height)
    rng = np.random.default_rng(4)
    voxel = 1 / 16
    dense = np.zeros((33, 33, 33, 2), F32)
    dense[..., 0] = scene.sphere(33, voxel, (1.0, 1.0, 0.9), 0.6)
    dense[..., 1] = rng.random((33, 33, 33), F32) * F32(0.3)
    scene.add_liquid(args, dense, voxel)
    scene.add_fog(args, rng.random((33, 33, 33), F32) * F32(2.0), voxel, 0.9, 0.4)
    scene.gradient_sky(args)
    sky, look, trace = args["sky_in"], args["look_in"], args["trace_in"]
    sky[k.SKY_SUN_X : k.SKY_SUN_Z + 1] = (0.48, -0.6, 0.64)
    sky[k.SKY_SUN_COS], sky[k.SKY_SUN_R : k.SKY_SUN_R + 3] = 0.99, 20.0
    look[k.LOOK_ABSORB_R : k.LOOK_ABSORB_R + 3] = (1.0, 0.3, 0.2)
    look[k.LOOK_FOAM_R : k.LOOK_FOAM_R + 3], look[k.LOOK_FOAM_GAIN] = 0.8, 1.0
    look[k.LOOK_TERRAIN_A_R : k.LOOK_TERRAIN_A_R + 3] = 0.4
    look[k.LOOK_MIRROR_Y_HIGH], look[k.LOOK_MIRROR_FOLDS] = 1.0, 4.0
    trace[k.TRACE_HIGH_X : k.TRACE_HIGH_Z + 1] = trace[k.TRACE_TOP] = 2.0
    args["terrain_in"] = rng.random((9, 9), F32) * F32(0.3)
    args["terrain_geometry_in"][:] = (-1.0, -1.0, 0.5, 1.0)
    trace[k.TRACE_TERRAIN_HIGH], trace[k.TRACE_TERRAIN_SLOPE] = 0.3, 1.2
    args["max_depth"], args["roulette_depth"] = 12, 4
    scene.look_at(args, (1.0, -2.5, 1.3), (1.0, 1.0, 0.8), 0.6)
    return args


def digest(args: scene.Args, samples: int = 16) -> str:
    scene.trace(args, samples)
    return hashlib.sha256(args["pixel_sums_inout"].tobytes()).hexdigest()


def test_same_bits_with_one_and_two_threads():
    args = mixed_scene()
    before = numba.get_num_threads()
    results = []
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            results.append((digest(args), args["work_inout"].sum(axis=0).tolist()))
    finally:
        numba.set_num_threads(before)
    assert results[0] == results[1]
    assert np.isfinite(args["pixel_sums_inout"]).all()
    assert args["pixel_sums_inout"][..., :3].min() >= 0


def test_same_bits_in_one_launch_and_in_two():
    args = mixed_scene()
    whole = digest(args, 32)
    args["pixel_sums_inout"][:] = 0
    args["sample_count"] = 16
    for start in (0, 16):
        args["sample_start"] = start
        img_trace.cpu(*args.values())
    assert hashlib.sha256(args["pixel_sums_inout"].tobytes()).hexdigest() == whole


@pytest.mark.parametrize("name", ["surface_value_in", "fog_value_in", "terrain_in", "look_in", "sky_in", "camera_in"])
def test_one_flipped_bit_changes_the_picture(name):
    args = mixed_scene()
    before = digest(args)
    words = args[name].view(np.uint32).reshape(-1)
    # A word that the picture looks at
    at = {"look_in": k.LOOK_IOR, "sky_in": k.SKY_HORIZON_R, "camera_in": 1}.get(name, words.size // 2)
    bit = 1
    if name == "surface_value_in":
        brick = int(args["surface_table_in"][(2 * 4 + 0) * 4 + 1])  # the ball's side that faces the camera
        at, bit = (brick * k.BRICK_NODES + (1 * 9 + 7) * 9 + 6) * 2, 22
    elif name == "fog_value_in":
        at, bit = (2 * k.BRICK_NODES + 4 * 81 + 4 * 9 + 4) * 2, 23
    words[at] ^= np.uint32(1 << bit)
    assert digest(args) != before


def test_another_seed_gives_another_picture_with_the_same_mean():
    args = mixed_scene(32, 16)
    a, a_variance = scene.trace(args, 1024, seed=1)
    b, b_variance = scene.trace(args, 1024, seed=2)
    assert not np.array_equal(a, b)
    differ = np.abs(a - b) / np.sqrt(np.maximum(a_variance + b_variance, 1e-8))
    # Sidak: with m pixels the family's chance of a false alarm stays at 1 %
    from statistics import NormalDist

    family = 1 - (1 - 0.01) ** (1 / differ.size)
    limit = NormalDist().inv_cdf(1 - family / 2)
    assert (differ < limit).mean() >= 0.9975
    assert differ.max() < limit + 1.5


@pytest.mark.parametrize("absorption", [0.0, 0.8])
def test_water_ball_against_the_analytic_one(absorption):
    args = scene.empty(24, 24)
    voxel, centre, radius = 1 / 24, (1.35, 1.35, 1.35), 1.0
    scene.add_liquid(args, scene.sphere(65, voxel, centre, radius), voxel)
    scene.gradient_sky(args)
    args["look_in"][k.LOOK_ABSORB_R : k.LOOK_ABSORB_R + 3] = absorption
    args["max_depth"] = args["roulette_depth"] = 64
    scene.look_at(args, (1.35, -3.0, 1.9), centre, 0.3)
    rgb, variance = scene.trace(args, 1024)
    expected = glass_ball(args["camera_in"], 24, 24, centre, radius, 1.333, absorption, scene.gradient_radiance, 16)
    # Away from the rim, where a voxel's width is a large share of what the ball reflects
    error = np.asarray(rgb, np.float64) - expected
    noise = np.sqrt(variance.mean(dtype=np.float64))
    excess = np.sqrt(max(0.0, (error**2).mean() - noise**2)) / expected.mean()
    assert excess < 0.02, excess
    assert abs(error.mean()) / expected.mean() < 0.003

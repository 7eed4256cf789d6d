"""The tracer's checks against closed forms, in a cube of fog under an even sky.

Each figure is the distance of the picture's mean from the closed form, in units of three standard errors (and float32
rounding); the limit is 1. Seeds are fixed, so a figure is the same on every machine.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.backend.protocol import Backend
from bench.backend.same_bits import held_by
from kernels.base import constants as k
from kernels.image import img_trace

EDGE = 24  # pixels
SIGMAS = 3.0
ROUNDING = 2.0e-5
NO_ROULETTE = 10_000


def fog_cube(seed: int = 0) -> dict[str, Any]:
    """The tracer's arguments by name: a unit cube of random fog, sky radiance 1."""
    args = img_trace.example(np.random.default_rng(seed), EDGE)
    args["max_depth"], args["roulette_depth"] = NO_ROULETTE, NO_ROULETTE
    return args


def distance(backend: Backend, args: dict[str, Any], samples: int, expected: float) -> float:
    """Trace and compare the mean of all pixels, channel by channel; the worst one counts."""
    args["sample_count"] = samples
    arrays = held_by(backend, img_trace.KERNEL, args)
    backend.launch(img_trace.KERNEL, *[arrays[name] for name in img_trace.KERNEL.argument_names])
    backend.synchronize()
    if backend.host(arrays["work_inout"])[:, k.WORK_COLLISIONS].sum() == 0:
        return math.inf  # nothing was hit: a check of nothing must not pass
    sums = np.asarray(backend.host(arrays["pixel_sums_inout"]), np.float64)
    total, square = (sums[..., word : word + 3] for word in (k.PIXEL_SUM, k.PIXEL_SQUARE))
    mean = total.mean(axis=(0, 1)) / samples
    variance = np.maximum(square - total * total / samples, 0.0) / (samples * (samples - 1.0))
    error = np.sqrt(variance.sum(axis=(0, 1))) / (sums.shape[0] * sums.shape[1])
    return float(np.max(np.abs(mean - expected) / (SIGMAS * error + ROUNDING)))


def white_furnace(backend: Backend) -> float:
    """Fog that absorbs nothing under an even sky cannot be seen."""
    args = fog_cube()
    args["look_in"][k.LOOK_FOG_R : k.LOOK_FOG_R + 3] = 1.0
    return distance(backend, args, 16, 1.0)


def equilibrium_furnace(backend: Backend) -> float:
    """Fog that glows as brightly as the sky cannot be seen either, whatever it absorbs."""
    args = fog_cube()
    args["look_in"][k.LOOK_FOG_R : k.LOOK_FOG_R + 3] = (0.9, 0.3, 0.6)
    args["look_in"][k.LOOK_FOG_GLOW_GAIN] = 1.0
    args["fog_value_in"][:, :, 1] = 1000.0
    args["glow_lut_in"][:] = 1.0
    args["roulette_depth"] = 3
    return distance(backend, args, 128, 1.0)


def beer_lambert(backend: Backend) -> float:
    """Even extinction of 1.5 /m dims what is behind a metre of it to exp(-1.5)."""
    args = fog_cube()
    args["look_in"][k.LOOK_FOG_R : k.LOOK_FOG_R + 3] = 0.0
    args["fog_value_in"][:, :, 0] = 1.5
    args["fog_majorant_in"][:] = 1.5
    # All pixels look straight through the cube.
    args["camera_in"][k.CAMERA_RIGHT], args["camera_in"][k.CAMERA_UP + 2] = 1.0e-5, 1.0e-5
    args["camera_in"][k.CAMERA_ORIGIN : k.CAMERA_ORIGIN + 3] = (0.45, -1.0, 0.55)
    return distance(backend, args, 256, math.exp(-1.5))

"""Film to picture: the mean of the samples of each pixel, and the variance of that mean.

mean = S1 / n;  variance of the mean = max(S2 - S1^2 / n, 0) / (n (n - 1)), 0 for n = 1.

Shapes: film float32 (height, width, 8) = sums of rgb, of their squares, of alpha and depth; rgb and variance float32
(height, width, 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from kernels.base.common import F32, ONE, ZERO, device, kernel
from kernels.base.constants import FILM_SQUARE, FILM_SUM, FILM_WORDS
from kernels.base.kernel import Kernel, Traffic


@device
def resolve_row(y, inverse_n, inverse_pairs, film_in, rgb_out, variance_out):
    """One row of pixels."""
    for x in range(film_in.shape[1]):
        for c in range(3):
            total = film_in[y, x, FILM_SUM + c]
            mean = total * inverse_n
            spread = film_in[y, x, FILM_SQUARE + c] - total * mean
            if not spread > ZERO:
                spread = ZERO
            rgb_out[y, x, c] = mean
            variance_out[y, x, c] = spread * inverse_pairs


@kernel
def cpu(samples, film_in, rgb_out, variance_out):
    """``samples`` is the number that the film's sums hold."""
    inverse_n = ONE / F32(samples)
    inverse_pairs = ZERO
    if samples > 1:
        inverse_pairs = ONE / (F32(samples) * F32(samples - 1))
    for y in prange(film_in.shape[0]):
        resolve_row(y, inverse_n, inverse_pairs, film_in, rgb_out, variance_out)


def traffic(**args: Any) -> Traffic:
    """Six of a film pixel's eight words are needed, in one cache line: all count."""
    film = np.asarray(args["film_in"])
    pixels = film.shape[0] * film.shape[1]
    return Traffic(items=pixels, bytes_read=film.nbytes, bytes_written=pixels * 24, flops=pixels * 15)


def example(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """A square film of ``size`` pixels a side that holds 16 samples."""
    samples = rng.random((16, size, size, 3), np.float32)
    film = np.zeros((size, size, FILM_WORDS), np.float32)
    film[..., FILM_SUM : FILM_SUM + 3] = samples.sum(axis=0)
    film[..., FILM_SQUARE : FILM_SQUARE + 3] = (samples * samples).sum(axis=0)
    return {
        "samples": 16,
        "film_in": film,
        "rgb_out": np.zeros((size, size, 3), np.float32),
        "variance_out": np.zeros((size, size, 3), np.float32),
    }


KERNEL = Kernel(name="img_resolve", item="pixel", cpu=cpu, traffic=traffic, example=example)

"""Pixel sums to picture: the mean of each pixel's samples, and the variance of that mean.

mean = S1 / n;  variance of the mean = max(S2 - S1^2 / n, 0) / (n (n - 1)), 0 for n = 1.

Shapes: pixel_sums float32 (height, width, PIXEL_WORDS) = sums over samples of rgb, of their squares, of alpha and
depth; rgb and variance float32 (height, width, 3).

Paper: none; mean and variance of a sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from kernels.base.common import F32, ONE, ZERO, device, kernel
from kernels.base.constants import PIXEL_SQUARE, PIXEL_SUM, PIXEL_WORDS
from kernels.base.kernel import Kernel, Traffic


@device
def resolve_row(y, inverse_n, inverse_pairs, pixel_sums_in, rgb_out, variance_out):
    """One row of pixels."""
    for x in range(pixel_sums_in.shape[1]):
        for c in range(3):
            total = pixel_sums_in[y, x, PIXEL_SUM + c]
            mean = total * inverse_n
            deviation = pixel_sums_in[y, x, PIXEL_SQUARE + c] - total * mean
            if not deviation > ZERO:
                deviation = ZERO
            rgb_out[y, x, c] = mean
            variance_out[y, x, c] = deviation * inverse_pairs


@kernel
def cpu(samples, pixel_sums_in, rgb_out, variance_out):
    """``samples`` is the number of samples in the pixel sums."""
    inverse_n = ONE / F32(samples)
    inverse_pairs = ZERO
    if samples > 1:
        inverse_pairs = ONE / (F32(samples) * F32(samples - 1))
    for y in prange(pixel_sums_in.shape[0]):
        resolve_row(y, inverse_n, inverse_pairs, pixel_sums_in, rgb_out, variance_out)


def traffic(**args: Any) -> Traffic:
    """Six of a pixel's eight sums are needed, in one cache line: all count."""
    sums = np.asarray(args["pixel_sums_in"])
    pixels = sums.shape[0] * sums.shape[1]
    return Traffic(items=pixels, bytes_read=sums.nbytes, bytes_written=pixels * 24, flops=pixels * 15)


def example(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """A square picture of ``size`` pixels a side with the sums of 16 samples."""
    samples = rng.random((16, size, size, 3), np.float32)
    sums = np.zeros((size, size, PIXEL_WORDS), np.float32)
    sums[..., PIXEL_SUM : PIXEL_SUM + 3] = samples.sum(axis=0)
    sums[..., PIXEL_SQUARE : PIXEL_SQUARE + 3] = (samples * samples).sum(axis=0)
    return {
        "samples": 16,
        "pixel_sums_in": sums,
        "rgb_out": np.zeros((size, size, 3), np.float32),
        "variance_out": np.zeros((size, size, 3), np.float32),
    }


KERNEL = Kernel(name="img_resolve", item="pixel", cpu=cpu, traffic=traffic, example=example)

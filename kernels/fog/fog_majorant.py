"""Largest extinction of each brick: the exact maximum of its 729 node values, which bounds the trilinear interpolant.

value_in float32[cap,729,2] -> majorant_out float32[cap]; bricks beyond the number in counts[count_slot] are left alone.

Paper: Szirmay-Kalos, Toth and Magdics 2011 (local majorants).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import ZERO, kernel
from kernels.base.constants import BRICK_NODES, COUNT_FOG_BRICKS, COUNT_WORDS, FOG_CHANNELS
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import peek, poke
from kernels.surface.surf_lanes import task_call


@kernel
def cpu(counts_in, count_slot, value_in, majorant_out):
    for brick in numba.prange(np.int64(counts_in[count_slot])):
        _largest(np.int64(brick), value_in, majorant_out)


@task_call
def _largest(brick, value, majorant):
    # Four chains, so that comparisons overlap; a maximum has no order
    a, b, c, d = ZERO, ZERO, ZERO, ZERO
    first = FOG_CHANNELS * BRICK_NODES * brick
    for n in range(first, first + FOG_CHANNELS * (BRICK_NODES - 1), 4 * FOG_CHANNELS):
        v = peek(value, n)
        a = v if v > a else a
        v = peek(value, n + FOG_CHANNELS)
        b = v if v > b else b
        v = peek(value, n + 2 * FOG_CHANNELS)
        c = v if v > c else c
        v = peek(value, n + 3 * FOG_CHANNELS)
        d = v if v > d else d
    v = peek(value, first + FOG_CHANNELS * (BRICK_NODES - 1))
    a = v if v > a else a
    a = b if b > a else a
    c = d if d > c else c
    poke(majorant, brick, c if c > a else a)


def traffic(**arguments):
    bricks = int(arguments["counts_in"][arguments["count_slot"]])
    return Traffic(items=bricks, bytes_read=8 * BRICK_NODES * bricks, bytes_written=4 * bricks, flops=0)


def example(rng, size):
    """``size`` bricks."""
    counts = np.zeros(COUNT_WORDS, np.int32)
    counts[COUNT_FOG_BRICKS] = size
    return {
        "counts_in": counts,
        "count_slot": COUNT_FOG_BRICKS,
        "value_in": rng.random((size, BRICK_NODES, FOG_CHANNELS), dtype=np.float32),
        "majorant_out": np.zeros(size, np.float32),
    }


KERNEL = Kernel(name="fog_majorant", item="brick", cpu=cpu, traffic=traffic, example=example)

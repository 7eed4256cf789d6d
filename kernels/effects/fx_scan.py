"""Where each chunk's living and newborn effects particles go: exclusive prefix sums, in chunk order.

alive_in int32[chunks of effects], births_in int32[chunks of liquid] -> alive_offset_out, birth_offset_out, one word
longer each: their last word is the total. counts[COUNT_EFFECTS] becomes the new number. Where births do not all fit
into ``effect_capacity``, ``fx_birth`` keeps an even share of them.

Paper: Blelloch 1990 (prefix sums).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import kernel
from kernels.base.constants import COUNT_EFFECTS, COUNT_WORDS
from kernels.base.kernel import Kernel, Pass, Traffic


@kernel
def cpu(counts_inout, effect_capacity, alive_in, births_in, alive_offset_out, birth_offset_out):
    for task in numba.prange(2):
        if task == 0:
            _scan(alive_in, alive_offset_out)
        else:
            _scan(births_in, birth_offset_out)
    total = np.int64(alive_offset_out[alive_in.shape[0]]) + np.int64(birth_offset_out[births_in.shape[0]])
    counts_inout[COUNT_EFFECTS] = np.int32(min(total, effect_capacity))


@numba.njit(error_model="numpy")
def _scan(number, offset):
    """Exclusive prefix sum of ``number`` into ``offset``, its total last."""
    total = 0
    for chunk in range(number.shape[0]):
        offset[chunk] = total
        total += number[chunk]
    offset[number.shape[0]] = total


def traffic(**arguments):
    words = arguments["alive_in"].size + arguments["births_in"].size
    return Traffic(items=words, bytes_read=4 * words, bytes_written=4 * words, flops=0)


def example(rng, size):
    """``size`` chunks of each."""
    return {
        "counts_inout": np.zeros(COUNT_WORDS, np.int32),
        "effect_capacity": 200 * size,
        "alive_in": rng.integers(0, 300, size).astype(np.int32),
        "births_in": rng.integers(0, 100, size).astype(np.int32),
        "alive_offset_out": np.zeros(size + 1, np.int32),
        "birth_offset_out": np.zeros(size + 1, np.int32),
    }


KERNEL = Kernel(
    name="fx_scan",
    item="chunk",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("fx_scan", threads=1024, blocks_per_sm=0),),
)

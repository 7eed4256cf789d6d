"""Count the words of two arrays that have the same bits: a state against one that was proved.

equal += number of i < words with a[i] = b[i]. Words that are equal are counted, not those that differ: a launch that
does nothing proves nothing. Whole numbers, so the order does not matter.

a_in, b_in int32[>=words], the bits of whatever they hold; equal_inout int64[1].

Paper: none.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import kernel
from kernels.base.kernel import Kernel, Traffic


@kernel
def cpu(words, a_in, b_in, equal_inout):
    equal = 0
    for i in numba.prange(words):
        if a_in[i] == b_in[i]:
            equal += 1
    equal_inout[0] += equal


def traffic(**arguments):
    words = int(arguments["words"])
    return Traffic(items=words, bytes_read=8 * words, bytes_written=0, flops=0)


def example(rng, size):
    """Arrays of ``size`` words, of which a few differ, and what was counted before."""
    a = rng.integers(-(2**31), 2**31, size, dtype=np.int32)
    b = a.copy()
    b[:: max(1, size // 7)] ^= 1
    return {"words": size, "a_in": a, "b_in": b, "equal_inout": np.array([5], np.int64)}


KERNEL = Kernel(name="mpm_equal", item="word", cpu=cpu, traffic=traffic, example=example)

"""Where each cell's particles start: the exclusive prefix sum of the counts, with the total last.

count_inout int32[cells] becomes a copy of it, the running position of ``surf_place``; start_out int32[cells + 1].
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.common import kernel
from kernels.kernel import Kernel, Traffic
from kernels.surf_lanes import task_call
from kernels.vector import peek, poke


@kernel
def cpu(count_inout, start_out):
    for _ in numba.prange(1):
        _scan(count_inout, start_out)


@task_call
def _scan(count, start):
    total = np.int32(0)
    for cell in range(count.shape[0]):
        number = peek(count, cell)
        poke(start, cell, total)
        poke(count, cell, total)
        total = np.int32(total + number)
    poke(start, count.shape[0], total)


def traffic(**arguments):
    cells = arguments["count_inout"].size
    return Traffic(items=cells, bytes_read=4 * cells, bytes_written=8 * cells, flops=0)


def example(rng, size):
    """``size`` cells."""
    return {
        "count_inout": rng.integers(0, 12, size).astype(np.int32),
        "start_out": np.zeros(size + 1, np.int32),
    }


KERNEL = Kernel(name="surf_scan", item="cell", cpu=cpu, traffic=traffic, example=example)

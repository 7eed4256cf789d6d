"""Where each cell's particles end: the inclusive prefix sum of the counts, in place.

start_inout int32[cells + 1] with 0 in the last word, which becomes the total; ``surf_place`` counts each cell down to
its start. On a GPU: sums of chunks (left in each chunk's last word), one block over those, then the chunks.

Paper: Blelloch 1990 (prefix sums).
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import serial_kernel
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.vector import peek, poke


@serial_kernel
def cpu(start_inout):
    total = np.int32(0)
    for cell in range(start_inout.shape[0]):
        total = np.int32(total + peek(start_inout, cell))
        poke(start_inout, cell, total)


def traffic(**arguments):
    cells = arguments["start_inout"].size
    return Traffic(items=cells, bytes_read=4 * cells, bytes_written=4 * cells, flops=0)


def example(rng, size):
    """``size`` cells."""
    start = rng.integers(0, 12, size + 1).astype(np.int32)
    start[-1] = 0
    return {"start_inout": start}


KERNEL = Kernel(
    name="surf_scan",
    item="cell",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("surf_scan_sum"), Pass("surf_scan_chunks", threads=1024, blocks_per_sm=0), Pass("surf_scan")),
)

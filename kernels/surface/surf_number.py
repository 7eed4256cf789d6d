"""Number the bricks that get values, in ascending order of table entry.

class_inout int32[entries]: 0 where a brick gets values, else BRICK_OUTSIDE or BRICK_INSIDE; it becomes the table, and
table_out a copy of it that a later kernel may thin out. entry_out int32[capacity]: table entry of each brick.
counts[count_slot] becomes the number of bricks, counts[COUNT_BRICKS_NEEDED] that of all that should get values; where
those are more than fit, ``error_bit`` is set (otherwise cleared) and the last ones are left out. On a GPU: numbers of
chunks (in table_out, which is written later), one block over those, then the chunks.

Paper: Blelloch 1990 (prefix sums).
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import serial_kernel
from kernels.base.constants import (
    BRICK_OUTSIDE,
    COUNT_BRICKS_NEEDED,
    COUNT_ERROR,
    COUNT_SURFACE_BRICKS,
    COUNT_WORDS,
    ERROR_SURFACE_CAPACITY,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.vector import peek, poke


@serial_kernel
def cpu(count_slot, error_bit, counts_inout, class_inout, table_out, entry_out):
    needed = np.int64(0)
    for e in range(class_inout.shape[0]):
        value = np.int64(peek(class_inout, e))
        if value >= 0:
            if needed < entry_out.shape[0]:
                poke(entry_out, needed, np.int32(e))
                value = needed
            else:
                value = np.int64(BRICK_OUTSIDE)
            needed += 1
        poke(class_inout, e, np.int32(value))
        poke(table_out, e, np.int32(value))
    errors = np.int64(counts_inout[COUNT_ERROR]) & ~error_bit
    if needed > entry_out.shape[0]:
        errors |= error_bit
    counts_inout[COUNT_ERROR] = np.int32(errors)
    counts_inout[COUNT_BRICKS_NEEDED] = np.int32(needed)
    counts_inout[count_slot] = np.int32(min(needed, np.int64(entry_out.shape[0])))


def traffic(**arguments):
    entries = arguments["class_inout"].size
    return Traffic(items=entries, bytes_read=4 * entries, bytes_written=8 * entries, flops=0)


def example(rng, size):
    """``size`` table entries, a third of them bricks."""
    return {
        "count_slot": COUNT_SURFACE_BRICKS,
        "error_bit": ERROR_SURFACE_CAPACITY,
        "counts_inout": np.zeros(COUNT_WORDS, np.int32),
        "class_inout": rng.integers(-2, 1, size).astype(np.int32),
        "table_out": np.zeros(size, np.int32),
        "entry_out": np.zeros(size, np.int32),
    }


KERNEL = Kernel(
    name="surf_number",
    item="table entry",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("surf_number_sum"), Pass("surf_number_chunks", threads=1024, blocks_per_sm=0), Pass("surf_number")),
)

"""Number the bricks that get values, in ascending order of table entry.

class_inout int32[entries]: 0 where a brick gets values, else BRICK_OUTSIDE or BRICK_INSIDE; it becomes the table, and
table_out a copy of it that a later kernel may thin out. entry_out int32[capacity]: table entry of each brick.
counts[count_slot] becomes the number of bricks; where there are more than fit, ``error_bit`` is set and they are left
out.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.common import kernel
from kernels.constants import (
    BRICK_OUTSIDE,
    COUNT_ERROR,
    COUNT_SURFACE_BRICKS,
    COUNT_WORDS,
    ERROR_SURFACE_CAPACITY,
)
from kernels.kernel import Kernel, Traffic
from kernels.surf_lanes import task_call
from kernels.vector import peek, poke


@kernel
def cpu(count_slot, error_bit, counts_inout, class_inout, table_out, entry_out):
    for _ in numba.prange(1):
        _number(count_slot, error_bit, counts_inout, class_inout, table_out, entry_out)


@task_call
def _number(count_slot, error_bit, counts, class_inout, table, entry):
    number = np.int64(0)
    for e in range(class_inout.shape[0]):
        value = np.int64(peek(class_inout, e))
        if value >= 0:
            if number < entry.shape[0]:
                poke(entry, number, np.int32(e))
                value = number
                number += 1
            else:
                counts[COUNT_ERROR] = np.int32(counts[COUNT_ERROR] | np.int32(error_bit))
                value = np.int64(BRICK_OUTSIDE)
        poke(class_inout, e, np.int32(value))
        poke(table, e, np.int32(value))
    counts[count_slot] = np.int32(number)


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


KERNEL = Kernel(name="surf_number", item="table entry", cpu=cpu, traffic=traffic, example=example)

"""The box around all bricks of a table that are not air: what a picture's rays have to walk through.

table_in int32[grid_x*grid_y*grid_z] -> box_out int32[6]: for each axis the number of layers of bricks from the first
used one to the high end of the grid, then for each axis the layer behind the last used one. All 0 where none is used:
maxima from 0 in any order, and the host has a few words to read instead of the table.

Paper: none.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import serial_kernel
from kernels.base.constants import BRICK_OUTSIDE
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.vector import peek, poke


@serial_kernel
def cpu(grid_x, grid_y, grid_z, table_in, box_out):
    for word in range(6):
        poke(box_out, word, np.int32(0))
    for i in range(grid_x):
        for j in range(grid_y):
            row = (i * grid_y + j) * grid_z
            low, high = np.int64(0), np.int64(0)
            for k in range(grid_z):
                if np.int64(peek(table_in, row + k)) != BRICK_OUTSIDE:
                    high = k + 1
                    low = max(low, grid_z - k)
            if high > 0:
                poke(box_out, 0, max(np.int64(peek(box_out, 0)), grid_x - i))
                poke(box_out, 1, max(np.int64(peek(box_out, 1)), grid_y - j))
                poke(box_out, 2, max(np.int64(peek(box_out, 2)), low))
                poke(box_out, 3, max(np.int64(peek(box_out, 3)), i + 1))
                poke(box_out, 4, max(np.int64(peek(box_out, 4)), j + 1))
                poke(box_out, 5, max(np.int64(peek(box_out, 5)), high))


def traffic(**arguments):
    entries = arguments["table_in"].size
    return Traffic(items=entries, bytes_read=4 * entries, bytes_written=24, flops=0)


def example(rng, size):
    """About ``size`` entries, all air but some in the middle."""
    edge = max(1, round(size ** (1 / 3)))
    table = np.full((edge, edge, edge), BRICK_OUTSIDE, np.int32)
    middle = (slice(edge // 3, edge - edge // 4),) * 3
    table[middle] = rng.integers(-2, 1, table[middle].shape)
    return {
        "grid_x": edge,
        "grid_y": edge,
        "grid_z": edge,
        "table_in": table.reshape(-1),
        "box_out": np.zeros(6, np.int32),
    }


KERNEL = Kernel(
    name="surf_box",
    item="table entry",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("surf_box_clear", blocks_per_sm=0), Pass("surf_box")),
)

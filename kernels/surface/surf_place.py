"""Give each particle a place among its cell's: second step of the counting sort.

start_inout int32[cells + 1] holds each cell's end and the total; each cell is counted down to its start. order_out
int32: particle numbers, cell by cell. The order within a cell is whatever the threads made it; ``surf_sort`` puts it
right.

Paper: none; counting sort.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import ONE, kernel
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import poke
from kernels.surface.surf_count import CHUNK, particle_cell, takes_part
from kernels.surface.surf_count import example as count_example
from kernels.surface.surf_lanes import fetch_add32, task_call


@kernel
def cpu(
    counts_in, count_slot, kinds, cells_x, cells_y, cells_z, cell_size_m, position_in, kind_in, start_inout, order_out
):  # fmt: skip
    for chunk in numba.prange((np.int64(counts_in[count_slot]) + CHUNK - 1) // CHUNK):
        _place_chunk(
            np.int64(chunk),
            np.int64(counts_in[count_slot]), kinds, cells_x, cells_y, cells_z, cell_size_m, position_in, kind_in,
            start_inout, order_out,
        )  # fmt: skip


@task_call
def _place_chunk(chunk, number, kinds, cells_x, cells_y, cells_z, cell_size_m, position, kind, start, order):
    inverse_cell = ONE / cell_size_m
    # From the last particle to the first, so that most cells are in order already
    high = number - chunk * CHUNK
    for p in range(high - 1, max(high - CHUNK, 0) - 1, -1):
        if takes_part(p, kinds, kind):
            cell = particle_cell(p, cells_x, cells_y, cells_z, inverse_cell, position)
            place = fetch_add32(start, cell, np.int32(-1))
            poke(order, np.int64(place) - 1, np.int32(p))


def traffic(**arguments):
    number = int(arguments["counts_in"][arguments["count_slot"]])
    return Traffic(items=number, bytes_read=16 * number, bytes_written=4 * number, flops=3 * number, atomics=number)


def starts(arguments):
    """Where each cell of a ``surf_count`` example starts, with the total last."""
    cell = np.floor(arguments["position_in"][:, :3] / arguments["cell_size_m"]).astype(np.int64)
    n = arguments["cells_x"]
    count = np.bincount((cell[:, 0] * n + cell[:, 1]) * n + cell[:, 2], minlength=n**3)
    return np.concatenate([[0], np.cumsum(count)]).astype(np.int32)


def example(rng, size):
    """About ``size`` particles of liquid."""
    arguments = count_example(rng, size)
    start = starts(arguments)
    arguments["start_inout"] = np.append(start[1:], start[-1])
    arguments["order_out"] = np.zeros(len(arguments["position_in"]), np.int32)
    return {name: arguments[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="surf_place", item="particle", cpu=cpu, traffic=traffic, example=example, unordered=("order_out",))

"""Order each cell's particles by number and copy them out cell by cell: third and last step of the counting sort.

After it, binned particles stand in a stable order by cell, whatever the threads were. binned_out float32[cap,4] =
x, y, z and the fourth word of ``position`` (volume ratio, or radius of an effects particle); binned_heat_out
= temperature (K) where the array is longer than 1 (an effects particle's: only of embers), otherwise 0. The CPU sorts
order_inout cell by cell; the GPU counts for each particle those of its cell with a lower number and leaves it as it is.

Paper: none; counting sort.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ZERO, kernel
from kernels.base.constants import EFFECT_EMBER
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import peek, poke
from kernels.surface.surf_count import example as count_example
from kernels.surface.surf_lanes import device_call, task_call
from kernels.surface.surf_place import starts

CELLS = 4096  # cells of one task


@kernel
def cpu(
    kinds, cells_x, cells_y, cells_z, cell_size_m, position_in, kind_in, temperature_in, start_in, order_inout,
    binned_out, binned_heat_out,
):  # fmt: skip
    for task in numba.prange((cells_x * cells_y * cells_z + CELLS - 1) // CELLS):
        _sort_cells(
            np.int64(task),
            kinds, position_in, kind_in, temperature_in, start_in, order_inout, binned_out, binned_heat_out,
        )  # fmt: skip


@device_call
def _shell_sort(order, low, high):
    """Sort order[low:high] ascending (Shell 1959, gaps of Ciura 2001, times 2.25 beyond)."""
    gap = np.int64(1)
    if high - low > 4:
        gap = np.int64(4)
    if high - low > 10:
        gap = np.int64(10)
    if high - low > 23:
        gap = np.int64(23)
    while gap > 10 and gap * 4 < high - low:
        gap = gap * 9 // 4
    while True:
        for n in range(low + gap, high):
            item = peek(order, n)
            m = n
            while m >= low + gap and peek(order, m - gap) > item:
                poke(order, m, peek(order, m - gap))
                m -= gap
            poke(order, m, item)
        if gap == 1:
            break
        if gap > 23:
            gap = max(np.int64(23), gap * 4 // 9)
        elif gap == 23:
            gap = np.int64(10)
        elif gap == 10:
            gap = np.int64(4)
        else:
            gap = np.int64(1)


@task_call
def _sort_cells(task, kinds, position, kind, temperature, start, order, binned, binned_heat):
    for cell in range(task * CELLS, min((task + 1) * CELLS, start.shape[0] - 1)):
        low, high = np.int64(peek(start, cell)), np.int64(peek(start, cell + 1))
        if low == high:
            continue
        _shell_sort(order, low, high)
        for n in range(low, high):
            p = np.int64(peek(order, n))
            for c in range(4):
                poke(binned, 4 * n + c, peek(position, 4 * p + c))
            heat = ZERO
            if temperature.shape[0] > 1 and (kinds == 0 or np.int64(peek(kind, p)) == EFFECT_EMBER):
                heat = peek(temperature, p)
            poke(binned_heat, n, heat)


def traffic(**arguments):
    number = int(arguments["start_in"][-1])
    cells = arguments["start_in"].size
    heat = 4 if arguments["temperature_in"].size > 1 else 0
    return Traffic(items=number, bytes_read=(20 + heat) * number + 4 * cells, bytes_written=24 * number, flops=0)


def example(rng, size):
    """About ``size`` particles of liquid, those of each cell in disorder."""
    arguments = count_example(rng, size)
    position = arguments["position_in"]
    start = starts(arguments)
    cell = np.floor(position[:, :3] / arguments["cell_size_m"]).astype(np.int64)
    n = arguments["cells_x"]
    key = (cell[:, 0] * n + cell[:, 1]) * n + cell[:, 2]
    return {
        "kinds": 0,
        **{name: arguments[name] for name in ("cells_x", "cells_y", "cells_z", "cell_size_m")},
        "position_in": position,
        "kind_in": np.zeros(1, np.int32),
        "temperature_in": rng.uniform(900, 1400, len(position)).astype(F32),
        "start_in": start,
        "order_inout": np.lexsort((rng.random(len(key)), key)).astype(np.int32),
        "binned_out": np.zeros((len(position), 4), F32),
        "binned_heat_out": np.zeros(len(position), F32),
    }


KERNEL = Kernel(name="surf_sort", item="particle", cpu=cpu, traffic=traffic, example=example, scratch=("order_inout",))

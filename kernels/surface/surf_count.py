"""Count the particles of each cell: first step of a counting sort by cell of the simulation grid.

start_out int32[cells_x*cells_y*cells_z + 1], z fastest: each cell's count, and 0 in the last word; ``surf_scan`` and
``surf_place`` turn it into starts in place. Integer additions commute, so the counts do not depend on the threads.
``kinds`` is a bit set over EFFECT_* (bit k: kind k takes part) for effects particles and 0 for the liquid;
``count_slot`` says which word of counts holds the number of particles.

Paper: none; counting sort.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ONE, ZERO, kernel
from kernels.base.constants import COUNT_PARTICLES, COUNT_WORDS
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.vector import peek, poke
from kernels.surface.surf_lanes import fetch_add32, inlined, task_call

CHUNK = 4096  # particles of one task
CLEARED = 1 << 16  # cells that one task clears


@inlined
def clamp_cell(x, cells):
    """Cell 0 .. cells - 1 of a coordinate in cells; NaN gives 0."""
    if not x > ZERO:
        return np.int64(0)
    if x >= F32(cells):
        return cells - 1
    return np.int64(x)


@inlined
def particle_cell(p, cells_x, cells_y, cells_z, inverse_cell, position):
    """Linear cell of particle p; whatever lies outside belongs to the nearest cell."""
    i = clamp_cell(peek(position, 4 * p) * inverse_cell, cells_x)
    j = clamp_cell(peek(position, 4 * p + 1) * inverse_cell, cells_y)
    k = clamp_cell(peek(position, 4 * p + 2) * inverse_cell, cells_z)
    return (i * cells_y + j) * cells_z + k


@inlined
def takes_part(p, kinds, kind):
    """Whether particle p is one of ``kinds``."""
    return kinds == 0 or (kinds >> np.int64(peek(kind, p))) & 1 == 1


@kernel
def cpu(counts_in, count_slot, kinds, cells_x, cells_y, cells_z, cell_size_m, position_in, kind_in, start_out):
    for task in numba.prange((start_out.shape[0] + CLEARED - 1) // CLEARED):
        _clear(np.int64(task), start_out)
    for chunk in numba.prange((np.int64(counts_in[count_slot]) + CHUNK - 1) // CHUNK):
        _count_chunk(
            np.int64(chunk),
            np.int64(counts_in[count_slot]), kinds, cells_x, cells_y, cells_z, cell_size_m, position_in, kind_in,
            start_out,
        )  # fmt: skip


@task_call
def _clear(task, start):
    for cell in range(task * CLEARED, min((task + 1) * CLEARED, start.shape[0])):
        poke(start, cell, np.int32(0))


@task_call
def _count_chunk(chunk, number, kinds, cells_x, cells_y, cells_z, cell_size_m, position, kind, start):
    inverse_cell = ONE / cell_size_m
    for p in range(chunk * CHUNK, min((chunk + 1) * CHUNK, number)):
        if takes_part(p, kinds, kind):
            cell = particle_cell(p, cells_x, cells_y, cells_z, inverse_cell, position)
            fetch_add32(start, cell, np.int32(1))


def traffic(**arguments):
    number = int(arguments["counts_in"][arguments["count_slot"]])
    return Traffic(
        items=number,
        bytes_read=16 * number,
        bytes_written=4 * arguments["start_out"].size,
        flops=3 * number,
        atomics=number,
    )


def pool(rng, size):
    """(cells, cell size, particle count, position): a jittered pool, 8 particles a cell, away from the grid's rim."""
    edge = max(2, round((size / 8) ** (1 / 3)))
    spacing = F32(0.05)
    points = np.stack(np.meshgrid(*[np.arange(2 * edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    position = np.ones((len(points), 4), F32)
    position[:, :3] = (points + 8.5 + rng.uniform(-0.3, 0.3, points.shape)).astype(F32) * spacing
    cells = 4 * ((edge + 8 + 3) // 4)
    return cells, F32(2) * spacing, len(points), position


def example(rng, size):
    """About ``size`` particles of liquid."""
    cells, cell_size_m, number, position = pool(rng, size)
    counts = np.zeros(COUNT_WORDS, np.int32)
    counts[COUNT_PARTICLES] = number
    return {
        "counts_in": counts,
        "count_slot": COUNT_PARTICLES,
        "kinds": 0,
        "cells_x": cells,
        "cells_y": cells,
        "cells_z": cells,
        "cell_size_m": cell_size_m,
        "position_in": position,
        "kind_in": np.zeros(1, np.int32),
        "start_out": np.zeros(cells**3 + 1, np.int32),
    }


KERNEL = Kernel(
    name="surf_count",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("surf_count_clear"), Pass("surf_count")),
)

"""Sort keys and peaks of particles that did not come out of ``mpm_g2p``: a scene's first ones, emitted ones.

Particles first_particle <= p < counts[COUNT_PARTICLES] get a key; the last row of peaks takes their maxima (see
``mpm_common``), and ``mpm_control`` empties it. A particle outside the walls sets ERROR_OUTSIDE.
Where a sort has stopped nothing is done.

position_in float32[>=n, 4] = x y z (grid-local m), J; velocity_in float32[>=n, 12]; key_out int32[>=n];
peak_inout float32[capacity + 1, PEAK_WORDS].

Paper: none.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, bits_float, device, float_bits, kernel
from kernels.base.constants import COUNT_ERROR, COUNT_PARTICLES, ERROR_OUTSIDE
from kernels.base.kernel import Kernel, Traffic
from kernels.base.tasks import thread_count
from kernels.mpm.mpm_common import (
    PEAK_GRADIENT,
    PEAK_SPEED_X,
    PEAK_VOLUME_MAX,
    PEAK_VOLUME_MIN,
    PEAK_WORDS,
    base_node,
    key_of,
    position_limits,
    stopped,
    walled_cells,
)

OUTSIDE = PEAK_WORDS  # word of a task's own row
LEAST_VOLUME = 1  # bits of the least float32: in a row of peaks 0 stands for no particle yet


@kernel
def cpu(
    first_particle, blocks_x, blocks_y, blocks_z, cell_size_m, counts_inout, walls_in, position_in, velocity_in,
    peak_inout, key_out,
):  # fmt: skip
    if stopped(counts_inout):
        return
    threads = thread_count()
    own = np.zeros((threads, 16), np.int32)  # float bits: non-negative floats order as their bits do, NaN above all
    for task in numba.prange(threads):
        _keys(
            task, threads, first_particle, blocks_y, blocks_z, cell_size_m, counts_inout, walls_in, position_in,
            velocity_in, key_out, own,
        )  # fmt: skip
    if first_particle >= np.int64(counts_inout[COUNT_PARTICLES]):
        return
    row = peak_inout.shape[0] - 1
    for task in range(threads):
        for word in range(PEAK_WORDS):
            old = float_bits(peak_inout[row, word])
            new = own[task, word]
            if word == PEAK_VOLUME_MIN:
                better = old == 0 or new < old
            else:
                better = new > old
            if better:
                peak_inout[row, word] = bits_float(new)
        if own[task, OUTSIDE] != 0:
            counts_inout[COUNT_ERROR] |= ERROR_OUTSIDE


@numba.njit(error_model="numpy")
def _keys(
    task, tasks, first_particle, blocks_y, blocks_z, cell_size_m, counts_inout, walls_in, position_in, velocity_in,
    key_out, own,
):  # fmt: skip
    number = np.int64(counts_inout[COUNT_PARTICLES]) - first_particle
    inverse_cell = F32(1.0) / cell_size_m
    own[task, PEAK_VOLUME_MIN] = 0x7F7FFFFF
    for n in range(number * task // tasks, number * (task + 1) // tasks):
        p = first_particle + n
        bx, outside_x = _base(position_in[p, 0], walled_cells(walls_in, 0), cell_size_m, inverse_cell)
        by, outside_y = _base(position_in[p, 1], walled_cells(walls_in, 1), cell_size_m, inverse_cell)
        bz, outside_z = _base(position_in[p, 2], walled_cells(walls_in, 2), cell_size_m, inverse_cell)
        if outside_x or outside_y or outside_z:
            own[task, OUTSIDE] = 1
        key_out[p] = key_of(bx, by, bz, blocks_y, blocks_z)
        for c in range(3):
            _raise_to(own, task, PEAK_SPEED_X + c, velocity_in[p, c])
        for c in range(3, 12):
            _raise_to(own, task, PEAK_GRADIENT, velocity_in[p, c] * cell_size_m)
        _raise_to(own, task, PEAK_VOLUME_MAX, position_in[p, 3])
        volume = float_bits(position_in[p, 3]) & 0x7FFFFFFF
        if volume < LEAST_VOLUME:
            volume = np.int32(LEAST_VOLUME)
        if volume < own[task, PEAK_VOLUME_MIN]:
            own[task, PEAK_VOLUME_MIN] = volume


@device
def _base(x, cells, cell_size_m, inverse_cell):
    low, high = position_limits(cells, cell_size_m)
    outside = not (x >= low and x <= high)
    if not x >= low:
        x = low
    if x > high:
        x = high
    return np.int64(base_node(x, inverse_cell)), outside


@device
def _raise_to(own, task, word, value):
    bits = float_bits(value) & 0x7FFFFFFF
    if bits > own[task, word]:
        own[task, word] = bits


def traffic(**arguments):
    particles = int(arguments["counts_inout"][COUNT_PARTICLES]) - int(arguments["first_particle"])
    return Traffic(items=particles, bytes_read=64 * particles, bytes_written=4 * particles, flops=15 * particles)


def example(rng, size):
    from kernels.mpm.mpm_example import make_state

    state = make_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="mpm_key", item="particle", cpu=cpu, traffic=traffic, example=example)

"""Active blocks, and the stable order of particles by block and cell of their base node.

Counting sort in two levels (Gao et al. 2018 sort for the same purpose): particles by active block with one histogram
per contiguous chunk of particles, then each block's by cell in cache. Stable, so the result does not depend on how many
chunks there are. Keys come nearly sorted, one step after the last sort: runs of one block are counted in a register.

A block is active when a particle of it, or of one of its seven neighbours at -1, reaches its nodes.

key_in int32[>=n]: linear block * 64 + cell in block; order_out int32[>=n]: particle at each place of the sorted order;
block_id_out int32[capacity]: linear ids of the active blocks, ascending;
slot_out int32[blocks_x * blocks_y * blocks_z]: index of a block in that list or -1;
cell_start_out int32[capacity * 64 + 1]: first place of a cell's particles, by slot * 64 + cell;
scratch_inout int32[scratch_words(...)].
Where a cell or the list of blocks overflows, an error bit is set and counts[COUNT_BLOCKS] is 0, so that the kernels
that follow do nothing.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.common import device, kernel
from kernels.constants import (
    BLOCK_NODES,
    CELL_COUNT_MAX,
    COUNT_BLOCKS,
    COUNT_CELL_MAX,
    COUNT_ERROR,
    COUNT_PARTICLES,
    ERROR_BLOCK_CAPACITY,
    ERROR_CELL_OVERFLOW,
)
from kernels.kernel import Kernel, Pass, Traffic
from kernels.mpm_common import TASK_GRAIN
from kernels.tasks import fetch_add, thread_count
from kernels.vector import peek, poke

CLEAR, MARK, NUMBER, COUNT, SCAN, SPREAD, CELLS = range(7)
PHASES = 7
HEAD_WORDS = 16  # per chunk: largest cell count
DEVICE_HEAD, DEVICE_CHUNKS = 16, 1024  # of a GPU's scratch: words before the chunks, chunks of a table at the most


def scratch_words(particle_capacity: int, block_capacity: int, threads: int) -> int:
    """Length of ``scratch_inout``."""
    return particle_capacity + threads * (HEAD_WORDS + 2 * block_capacity)


def device_scratch_words() -> int:
    """Length that ``scratch_inout`` needs on a GPU: sums by chunk of the block table, and of the cells."""
    return DEVICE_HEAD + 2 * DEVICE_CHUNKS


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, counts_inout, key_in, scratch_inout, order_out, block_id_out, slot_out,
    cell_start_out,
):  # fmt: skip
    threads = thread_count()
    taken = np.zeros(1, np.int64)
    for phase in range(PHASES):
        for task in numba.prange(threads):
            _phase(
                phase, task, threads, blocks_x * blocks_y * blocks_z, blocks_y, blocks_z, counts_inout, key_in,
                order_out, block_id_out, slot_out, cell_start_out, scratch_inout, taken,
            )  # fmt: skip
    largest = 0
    for task in range(threads):
        largest = max(largest, scratch_inout[task * HEAD_WORDS])
    counts_inout[COUNT_CELL_MAX] = largest
    if largest > CELL_COUNT_MAX:
        counts_inout[COUNT_ERROR] |= ERROR_CELL_OVERFLOW
        counts_inout[COUNT_BLOCKS] = 0  # what follows has nothing to do, and room for no more than the limit


@numba.njit(error_model="numpy")
def _phase(
    phase, task, tasks, table, blocks_y, blocks_z, counts_inout, key_in, order_out, block_id_out, slot_out,
    cell_start_out, scratch_inout, taken,
):  # fmt: skip
    particles = np.int64(counts_inout[COUNT_PARTICLES])
    capacity = block_id_out.shape[0]
    begin, end = particles * task // tasks, particles * (task + 1) // tasks
    # Scratch: heads, counts by chunk and slot, starts by chunk and slot, order by block
    count_at = tasks * HEAD_WORDS
    start_at = count_at + tasks * capacity
    rough_at = start_at + tasks * capacity
    if phase == CLEAR:
        for block in range(table * task // tasks, table * (task + 1) // tasks):
            slot_out[block] = -1
        scratch_inout[task * HEAD_WORDS] = 0
    elif phase == MARK:
        _mark(key_in, begin, end, blocks_y, blocks_z, slot_out)
    elif phase == NUMBER:
        _number(task, tasks, table, slot_out, block_id_out, counts_inout)
    elif phase == COUNT:
        blocks = np.int64(counts_inout[COUNT_BLOCKS])
        _count(key_in, begin, end, blocks, slot_out, scratch_inout, count_at + task * capacity)
    elif phase == SCAN:
        blocks = np.int64(counts_inout[COUNT_BLOCKS])
        _scan(task, tasks, blocks, capacity, count_at, start_at, scratch_inout, cell_start_out)
    elif phase == SPREAD:
        if counts_inout[COUNT_BLOCKS] > 0:
            _spread(key_in, begin, end, slot_out, scratch_inout, start_at + task * capacity, rough_at)
    else:
        blocks = np.int64(counts_inout[COUNT_BLOCKS])
        _cells(task, blocks, key_in, rough_at, scratch_inout, order_out, cell_start_out, taken)


@device
def _mark(key_in, begin, end, blocks_y, blocks_z, slot_out):
    """Touch the eight blocks that each particle's nodes may lie in; every thread writes the same value."""
    last = -1
    for p in range(begin, end):
        block = np.int64(peek(key_in, p)) >> 6
        if block != last:
            last = block
            for i in range(2):
                for j in range(2):
                    at = block + (i * blocks_y + j) * blocks_z
                    poke(slot_out, at, 0)
                    poke(slot_out, at + 1, 0)


@device
def _number(task, tasks, table, slot_out, block_id_out, counts_inout):
    """Number the touched blocks of one range of the table; those before it are counted again by each task."""
    begin, end = table * task // tasks, table * (task + 1) // tasks
    before = 0
    for block in range(begin):
        before += np.int32(peek(slot_out, block) >= 0)
    if task == tasks - 1:
        total = before
        for block in range(begin, end):
            total += np.int32(peek(slot_out, block) >= 0)
        if total > block_id_out.shape[0]:
            counts_inout[COUNT_ERROR] |= ERROR_BLOCK_CAPACITY
            total = 0
        counts_inout[COUNT_BLOCKS] = total
    for block in range(begin, end):
        if peek(slot_out, block) >= 0:
            if before < block_id_out.shape[0]:
                poke(block_id_out, before, block)
                poke(slot_out, block, before)
            else:
                poke(slot_out, block, 0)
            before += 1


@device
def _count(key_in, begin, end, blocks, slot_out, scratch_inout, count_at):
    """Histogram of one chunk of particles over the active blocks."""
    for slot in range(blocks):
        poke(scratch_inout, count_at + slot, 0)
    if blocks == 0:
        return
    p = begin
    while p < end:
        block = peek(key_in, p) >> 6
        first = p
        p += 1
        while p < end and peek(key_in, p) >> 6 == block:
            p += 1
        at = count_at + peek(slot_out, block)
        poke(scratch_inout, at, peek(scratch_inout, at) + (p - first))


@device
def _scan(task, tasks, blocks, capacity, count_at, start_at, scratch_inout, cell_start_out):
    """First place of each block's particles, and of each chunk's share of them."""
    begin, end = blocks * task // tasks, blocks * (task + 1) // tasks
    place = np.int64(0)
    for chunk in range(tasks):
        at = count_at + chunk * capacity
        for slot in range(begin):
            place += peek(scratch_inout, at + slot)
    for slot in range(begin, end):
        poke(cell_start_out, slot * BLOCK_NODES, place)
        for chunk in range(tasks):
            at = chunk * capacity + slot
            poke(scratch_inout, start_at + at, place)
            place += peek(scratch_inout, count_at + at)
    if task == tasks - 1:
        poke(cell_start_out, blocks * BLOCK_NODES, place)


@device
def _spread(key_in, begin, end, slot_out, scratch_inout, start_at, rough_at):
    """Write a chunk's particles to their block's places."""
    p = begin
    while p < end:
        block = peek(key_in, p) >> 6
        at = start_at + peek(slot_out, block)
        place = rough_at + peek(scratch_inout, at)
        first = place
        while True:
            poke(scratch_inout, place, p)
            place += 1
            p += 1
            if p >= end or peek(key_in, p) >> 6 != block:
                break
        poke(scratch_inout, at, peek(scratch_inout, at) + (place - first))


@device
def _cells(task, blocks, key_in, rough_at, scratch_inout, order_out, cell_start_out, taken):
    """Order the particles of whole blocks by cell."""
    count = np.zeros(BLOCK_NODES, np.int32)
    largest = np.int32(0)
    while True:
        slot = fetch_add(taken, 0, TASK_GRAIN)
        if slot >= blocks:
            break
        for s in range(slot, min(slot + TASK_GRAIN, blocks)):
            begin = np.int64(peek(cell_start_out, s * BLOCK_NODES))
            end = np.int64(peek(cell_start_out, (s + 1) * BLOCK_NODES))
            for cell in range(BLOCK_NODES):
                poke(count, cell, 0)
            for place in range(begin, end):
                cell = peek(key_in, peek(scratch_inout, rough_at + place)) & 63
                poke(count, cell, peek(count, cell) + 1)
            first = begin
            for cell in range(BLOCK_NODES):
                number = peek(count, cell)
                if number > largest:
                    largest = number
                if cell > 0:
                    poke(cell_start_out, s * BLOCK_NODES + cell, first)
                poke(count, cell, first)
                first += number
            for place in range(begin, end):
                p = peek(scratch_inout, rough_at + place)
                cell = peek(key_in, p) & 63
                at = peek(count, cell)
                poke(order_out, at, p)
                poke(count, cell, at + 1)
    poke(scratch_inout, task * HEAD_WORDS, largest)


def traffic(**arguments):
    particles = int(arguments["counts_inout"][COUNT_PARTICLES])
    blocks = int(arguments["counts_inout"][COUNT_BLOCKS])
    table = arguments["slot_out"].size
    return Traffic(
        items=particles,
        bytes_read=4 * particles,
        bytes_written=4 * particles + 4 * table + blocks * (4 + 4 * BLOCK_NODES),
        flops=0,
    )


def example(rng, size):
    """``size`` particles, 8 a cell, in the order of the last step: a few have left their cell."""
    from kernels.mpm_example import make_state

    state = make_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_sort",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    scratch=("scratch_inout",),
    passes=(
        Pass("mpm_sort"),
        Pass("mpm_sort_mark"),
        Pass("mpm_sort_touched"),
        Pass("mpm_sort_number"),
        Pass("mpm_sort_count"),
        Pass("mpm_sort_sum"),
        Pass("mpm_sort_scan"),
        Pass("mpm_sort_place"),
        Pass("mpm_sort_order", threads=64, blocks_per_sm=24),
    ),
)

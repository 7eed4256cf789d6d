"""Active blocks, and the stable order of particles by block and cell of their base node.

Counting sort in two levels (Gao et al. 2018 sort for the same purpose). Keys come nearly sorted, one step after the
last sort, so what is sorted first is runs of one block: listed and counted by contiguous chunk of particles, then
brought to their blocks. Then each block's particles are sorted by cell in cache. Stable, so the result does not depend
on how many chunks there are.

A block is active when a particle of it, or of one of its seven neighbours at -1, reaches its nodes.

key_in int32[>=n]: linear block * 64 + cell in block; order_out int32[>=n]: particle at each place of the sorted order;
block_id_out int32[capacity]: linear ids of the active blocks, ascending;
slot_out int32[blocks_x * blocks_y * blocks_z]: index of a block in that list or -1;
cell_start_out int32[capacity * 64 + 1]: first place of a cell's particles, by slot * 64 + cell;
scratch_inout int32[scratch_words(...)].
Where a cell or the list of blocks overflows, counts[COUNT_BLOCKS] is 0, so that the kernels that follow do nothing. A
cell sets an error bit. The list says in counts[COUNT_BLOCKS_NEEDED] how long it would be: until that is 0 again no sort
does anything, and the substep can be done once more with the room that it needs.

Paper: Gao et al. 2018 (sorting for MPM).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import device, kernel
from kernels.base.constants import (
    BLOCK_NODES,
    CELL_COUNT_MAX,
    COUNT_BLOCKS,
    COUNT_BLOCKS_NEEDED,
    COUNT_CELL_MAX,
    COUNT_ERROR,
    COUNT_PARTICLES,
    ERROR_CELL_OVERFLOW,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.tasks import new_pieces, next_piece, thread_count
from kernels.base.vector import load16, make_constant, peek, poke, splat8, splat16, store, vadd, vshift_right
from kernels.base.vector_bits import lowest_bit, vdiffer
from kernels.mpm.mpm_common import stopped

CLEAR, MARK, NUMBER, COUNT, SCAN, SPREAD, CELLS = range(7)
PHASES = 7
SMALL_TABLE = 1 << 17  # blocks times threads up to which one thread is done before others have woken
BIN_WORDS = CELL_COUNT_MAX + 16  # of a cell's bin: what fits, and what goes beyond
CHANGES = 256  # changes of cell listed at a time
HEAD_WORDS = 16  # per chunk: largest cell count, runs
DEVICE_HEAD, DEVICE_CHUNKS = 16, 1024  # of a GPU's scratch: words before the chunks, chunks of a table at the most

six16 = make_constant([6] * 16, "i32")
eight = make_constant([*range(8)], "i32")


def scratch_words(particle_capacity: int, block_capacity: int, threads: int) -> int:
    """Length of ``scratch_inout``."""
    return particle_capacity + threads * (HEAD_WORDS + 3 * block_capacity)


def device_scratch_words() -> int:
    """Length that ``scratch_inout`` needs on a GPU: sums by chunk of the block table, and of the cells."""
    return DEVICE_HEAD + 2 * DEVICE_CHUNKS


@kernel
def cpu(
    blocks_x, blocks_y, blocks_z, counts_inout, key_in, scratch_inout, order_out, block_id_out, slot_out,
    cell_start_out,
):  # fmt: skip
    if stopped(counts_inout):
        counts_inout[COUNT_BLOCKS] = 0
        return
    threads = thread_count()
    pieces = new_pieces(threads)
    table = blocks_x * blocks_y * blocks_z
    for phase in range(PHASES):
        if phase in (MARK, CELLS) or table * threads > SMALL_TABLE:
            for task in numba.prange(threads):
                _phase(
                    phase, task, threads, table, blocks_y, blocks_z, counts_inout, key_in, order_out, block_id_out,
                    slot_out, cell_start_out, scratch_inout, pieces,
                )  # fmt: skip
        else:
            for task in range(threads):
                _phase(
                    phase, task, threads, table, blocks_y, blocks_z, counts_inout, key_in, order_out, block_id_out,
                    slot_out, cell_start_out, scratch_inout, pieces,
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
    cell_start_out, scratch_inout, pieces,
):  # fmt: skip
    particles = np.int64(counts_inout[COUNT_PARTICLES])
    blocks = np.int64(counts_inout[COUNT_BLOCKS])
    capacity = block_id_out.shape[0]
    begin, end = particles * task // tasks, particles * (task + 1) // tasks
    # Scratch: heads; particles, runs and first places of runs by chunk and slot; runs by block
    count_at = tasks * HEAD_WORDS
    run_at = count_at + tasks * capacity
    start_at = run_at + tasks * capacity
    list_at = start_at + tasks * capacity
    if phase == CLEAR:
        for block in range(table * task // tasks, table * (task + 1) // tasks):
            poke(slot_out, block, -1)
        scratch_inout[task * HEAD_WORDS] = 0
    elif phase == MARK:
        # The runs wait in ``order_out``, which is written last
        scratch_inout[task * HEAD_WORDS + 1] = _mark(key_in, begin, end, blocks_y, blocks_z, slot_out, order_out)
    elif phase == NUMBER:
        _number(task, tasks, table, slot_out, block_id_out, counts_inout)
    elif phase == COUNT:
        runs = np.int64(scratch_inout[task * HEAD_WORDS + 1])
        _count(
            key_in, particles, order_out, begin, runs, blocks, slot_out, scratch_inout, count_at + task * capacity,
            run_at + task * capacity,
        )  # fmt: skip
    elif phase == SCAN:
        _scan(task, tasks, blocks, capacity, count_at, run_at, start_at, scratch_inout, cell_start_out)
    elif phase == SPREAD:
        runs = np.int64(scratch_inout[task * HEAD_WORDS + 1])
        if blocks > 0:
            _distribute(key_in, order_out, begin, runs, slot_out, scratch_inout, start_at + task * capacity, list_at)
    else:
        ends_at = start_at + (tasks - 1) * capacity
        _cells(
            task, blocks, particles, key_in, ends_at, list_at, block_id_out, scratch_inout, order_out, cell_start_out,
            pieces,
        )  # fmt: skip


@device
def _mark(key_in, begin, end, blocks_y, blocks_z, slot_out, run_out):
    """List the places of one chunk where a run of one block begins, and give their number.

    Touch the eight blocks that a run's nodes may lie in; every thread writes the same value.
    """
    runs = 0
    p = begin
    if begin == 0 and end > 0:
        runs = _begin_run(p, key_in, begin, runs, blocks_y, blocks_z, slot_out, run_out)
        p += 1
    while p + 16 <= end:
        found = vdiffer(vshift_right(load16(key_in, p), six16()), vshift_right(load16(key_in, p - 1), six16()))
        while found != 0:
            at = p + np.int64(lowest_bit(found))
            runs = _begin_run(at, key_in, begin, runs, blocks_y, blocks_z, slot_out, run_out)
            found &= found - np.int32(1)
        p += 16
    while p < end:
        if peek(key_in, p) >> 6 != peek(key_in, p - 1) >> 6:
            runs = _begin_run(p, key_in, begin, runs, blocks_y, blocks_z, slot_out, run_out)
        p += 1
    return runs


@device
def _begin_run(p, key_in, begin, runs, blocks_y, blocks_z, slot_out, run_out):
    """Note that a run begins at p, touch its blocks, and give the number of runs."""
    poke(run_out, begin + runs, p)
    for i in range(2):
        for j in range(2):
            at = np.int64(peek(key_in, p) >> 6) + (i * blocks_y + j) * blocks_z
            poke(slot_out, at, 0)
            poke(slot_out, at + 1, 0)
    return runs + 1


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
            counts_inout[COUNT_BLOCKS_NEEDED] = total
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
def _count(key_in, particles, run_in, begin, runs, blocks, slot_out, scratch_inout, count_at, run_at):
    """Particles and runs of one chunk by active block."""
    for slot in range(blocks):
        poke(scratch_inout, count_at + slot, 0)
        poke(scratch_inout, run_at + slot, 0)
    if blocks == 0:
        return
    for run in range(begin, begin + runs):
        first = np.int64(peek(run_in, run))
        block = peek(key_in, first) >> 6
        if run + 1 < begin + runs:
            end = np.int64(peek(run_in, run + 1))
        else:
            end = first + 1
            while end < particles and peek(key_in, end) >> 6 == block:
                end += 1
        slot = np.int64(peek(slot_out, np.int64(block)))
        poke(scratch_inout, count_at + slot, peek(scratch_inout, count_at + slot) + (end - first))
        poke(scratch_inout, run_at + slot, peek(scratch_inout, run_at + slot) + 1)


@device
def _scan(task, tasks, blocks, capacity, count_at, run_at, start_at, scratch_inout, cell_start_out):
    """First place of each block's particles, and of each chunk's share of its runs."""
    begin, end = blocks * task // tasks, blocks * (task + 1) // tasks
    place = run = np.int64(0)
    for chunk in range(tasks):
        at = chunk * capacity
        for slot in range(begin):
            place += peek(scratch_inout, count_at + at + slot)
            run += peek(scratch_inout, run_at + at + slot)
    for slot in range(begin, end):
        poke(cell_start_out, slot * BLOCK_NODES, place)
        for chunk in range(tasks):
            at = chunk * capacity + slot
            place += peek(scratch_inout, count_at + at)
            poke(scratch_inout, start_at + at, run)
            run += peek(scratch_inout, run_at + at)
    if task == tasks - 1:
        poke(cell_start_out, blocks * BLOCK_NODES, place)


@device
def _distribute(key_in, run_in, begin, runs, slot_out, scratch_inout, start_at, list_at):
    """Write a chunk's runs to their blocks' places; the starts become ends."""
    for run in range(begin, begin + runs):
        first = np.int64(peek(run_in, run))
        at = start_at + np.int64(peek(slot_out, np.int64(peek(key_in, first) >> 6)))
        place = np.int64(peek(scratch_inout, at))
        poke(scratch_inout, list_at + place, first)
        poke(scratch_inout, at, place + 1)


@device
def _cells(
    task, blocks, particles, key_in, ends_at, list_at, block_id_out, scratch_inout, order_out, cell_start_out, pieces
):
    """Order the particles of whole blocks by cell: into a bin for each cell, then bin after bin."""
    count = np.zeros(BLOCK_NODES, np.int32)
    start = np.empty(CHANGES + 1, np.int32)
    bins = np.empty(BLOCK_NODES * BIN_WORDS, np.int32)
    largest = np.int32(0)
    while True:
        first_slot, end_slot = next_piece(pieces, blocks)
        if first_slot == end_slot:
            break
        for s in range(first_slot, end_slot):
            first_run = np.int64(0)
            if s > 0:
                first_run = np.int64(peek(scratch_inout, ends_at + s - 1))
            last_run = np.int64(peek(scratch_inout, ends_at + s))
            block = np.int32(peek(block_id_out, s))
            for cell in range(BLOCK_NODES):
                poke(count, cell, 0)
            for run in range(first_run, last_run):
                p = np.int64(peek(scratch_inout, list_at + run))
                more = True
                while more:
                    p, number, more = _list_cells(p, particles, block, key_in, start)
                    _fill_bins(number, key_in, start, count, bins)
            first = np.int64(peek(cell_start_out, s * BLOCK_NODES))
            end = np.int64(peek(cell_start_out, (s + 1) * BLOCK_NODES))
            for cell in range(BLOCK_NODES):
                number = np.int64(peek(count, cell))
                largest = max(largest, np.int32(number))
                if cell > 0:
                    poke(cell_start_out, s * BLOCK_NODES + cell, first)
                _empty_bin(cell * BIN_WORDS, min(number, CELL_COUNT_MAX), first, end, bins, order_out)
                first += number
    poke(scratch_inout, task * HEAD_WORDS, largest)


@device
def _list_cells(p, particles, block, key_in, start_out):
    """Where the cells change among the particles of ``block`` from p on, without a branch that depends on it.

    Returns where it stopped, how many cells it found (one more entry says where the last one ends), and whether the
    list is full.
    """
    stop = min(particles, p + CHANGES)
    number = 0
    last = np.int32(-1)
    while 0 < p <= stop - 16:
        keys = load16(key_in, p)
        if vdiffer(vshift_right(keys, six16()), splat16(block)) != 0:
            break
        found = vdiffer(keys, load16(key_in, p - 1)) | np.int32(number == 0)
        for i in range(16):
            poke(start_out, number, p + i)
            number += np.int64(found >> np.int32(i) & np.int32(1))
        p += 16
        last = np.int32(peek(key_in, p - 1))
    inside = True
    while inside and p < stop:
        key = np.int32(peek(key_in, p))
        inside = key >> 6 == block
        if inside:
            poke(start_out, number, p)
            number += np.int64(key != last)
            last = key
            p += 1
    poke(start_out, number, p)
    return p, number, inside and p < particles


@device
def _fill_bins(number, key_in, start, count_inout, bins_out):
    """Add the listed particles to the bins of their cells, eight at a time; what goes beyond is overwritten later."""
    for run in range(number):
        first = np.int32(peek(start, run))
        length = np.int32(peek(start, run + 1)) - first
        cell = np.int64(peek(key_in, np.int64(first)) & 63)
        at = np.int32(peek(count_inout, cell))
        poke(count_inout, cell, at + length)
        done = np.int32(0)
        while True:
            to = min(at + done, CELL_COUNT_MAX)  # a cell may overflow, its bin must not
            store(bins_out, cell * BIN_WORDS + np.int64(to), vadd(splat8(np.int32(first + done)), eight()))
            done += np.int32(8)
            if done >= length:
                break


@device
def _empty_bin(at, number, first, end, bins, order_out):
    """Copy a bin to its place, sixteen words at a time where no other block's place begins within them."""
    i = 0
    while i < number and first + i + 16 <= end:
        store(order_out, first + i, load16(bins, at + i))
        i += 16
    while i < number:
        poke(order_out, first + i, peek(bins, at + i))
        i += 1


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
    from kernels.mpm.mpm_example import make_state

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

"""The compiled loop of the event simulation: what ``events`` describes, on flat arrays.

Every ready group is in a heap once, whatever its number of tasks, and every busy GPU or core has one coming event; so
a graph of n tasks takes O(n log n) time, and the memory of its groups.
"""

# mypy: disable-error-code="no-untyped-def, assignment, attr-defined"

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
from numba import njit

from bench.project.model.graph import KINDS, MERGE, SIMULATE, TRANSFER
from kernels.base.cache import folder_of_code, keep_code, toolchain

# Words of the vectors that the compiled loop takes and fills
(DISPATCH, STARTUP, STORAGE, CLIENT, LINK, LATENCY, HANDSHAKE, STREAMS, FAILURE, RESTART, NOISE) = range(11)
(SPEED, INPUTS) = range(11, 13)
(MAKESPAN, CHAIN, LOST, DISPATCH_WAIT, STARTUP_TIME, STORAGE_WAIT, STORAGE_BYTES, LINK_BYTES) = range(8)
(FAILURES, EVENTS, LONGEST, BY_KIND) = range(8, 12)
OUTPUTS = BY_KIND + len(KINDS)

COMPUTING, WRITING, FAILING, RESTARTING = range(4)  # what a slot's next event ends


def cache_folder() -> str:
    """Where Numba keeps the machine code: it depends on this text and on ``graph``'s constants.

    Numba takes nothing that it made for a file of another place or time, so both are in the name; and ``toolchain``.
    """
    path = Path(__file__).resolve()
    digest = hashlib.sha256(f"{path} {path.stat().st_mtime_ns}".encode())
    for name in ("graph.py", "loop.py"):
        digest.update((path.parent / name).read_bytes())
    return str(folder_of_code() / f"project-{digest.hexdigest()[:16]}-{toolchain()}")


# Forced: left to itself the compiler calls what returns several values, which makes a run 8 % slower
_inline = njit(error_model="numpy", forceinline=True)


def _kept(function):
    """Compile, with a cache on disk."""
    return keep_code(njit(error_model="numpy", nogil=True)(function), cache_folder())


@_inline
def uniform(seed, purpose, index):
    """In (0, 1): two rounds of splitmix64 over seed, purpose and index. As plain Python it takes arrays of indices."""
    x = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(index) * np.uint64(0xD1342543DE82EF95)
    x = x + np.uint64(purpose) * np.uint64(0x2545F4914F6CDD1D)
    for _ in range(2):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return (np.float64(x >> np.uint64(12)) + 0.5) * 2.0**-52


@_inline
def _push(keys, items, size, key, item):
    """Into a binary heap, smallest key first, then smallest item. Returns its new size."""
    at = size
    while at > 0:
        up = (at - 1) >> 1
        if keys[up] < key or (keys[up] == key and items[up] <= item):
            break
        keys[at] = keys[up]
        items[at] = items[up]
        at = up
    keys[at] = key
    items[at] = item
    return size + 1


@_inline
def _pop(keys, items, size):
    """Take the first item out of a heap. Returns its new size."""
    size -= 1
    key, item = keys[size], items[size]
    at = 0
    while True:
        down = 2 * at + 1
        if down >= size:
            break
        right = down + 1
        if right < size and (keys[right] < keys[down] or (keys[right] == keys[down] and items[right] < items[down])):
            down = right
        if key < keys[down] or (key == keys[down] and item <= items[down]):
            break
        keys[at] = keys[down]
        items[at] = items[down]
        at = down
    keys[at] = key
    items[at] = item
    return size


@_inline
def _take(keys, ready, size, first, taken):
    """The next task of the group at the top of a heap, which leaves with its last one: (task, group, new size)."""
    group = ready[0]
    task = first[group] + taken[group]
    taken[group] += 1
    if task + 1 == first[group + 1]:
        size = _pop(keys, ready, size)
    return task, group, size


@_kept
def run(
    seed,
    failures_max,
    inputs,
    factor,
    cpu_slots,
    duration_s,
    first,
    kind,
    shot,
    read_bytes,
    write_bytes,
    edge_first,
    edge_to,
    needs,
    priority,
    outputs,
    shot_end_s,
):
    """Run the graph to its end. ``needs`` is used up; ``priority`` is filled where its first word is NaN."""
    groups, gpus = len(kind), len(factor)
    slots = gpus + cpu_slots
    link_slot = slots
    dispatch_s, noise = inputs[DISPATCH], inputs[NOISE]
    storage_pace, client_pace = 1.0 / inputs[STORAGE], 1.0 / inputs[CLIENT]
    link_pace = 1.0 / inputs[LINK]
    link_delay_s = inputs[LATENCY] + inputs[HANDSHAKE]
    failure_rate, restart_s = inputs[FAILURE], inputs[RESTART]

    # Length of the longest chain that begins with each group, on GPUs of the mean speed and without waiting for others:
    # successors have higher numbers
    own_priority = groups > 0 and np.isnan(priority[0])
    chain = priority if own_priority else np.empty(groups, np.float32)
    chain_s, longest_s, transfers = 0.0, 0.0, 0
    for group in range(groups - 1, -1, -1):
        behind_s = 0.0
        for edge in range(edge_first[group], edge_first[group + 1]):
            behind_s = max(behind_s, np.float64(chain[edge_to[edge]]))
        alone_s = 0.0
        for task in range(first[group], first[group + 1]):
            alone_s = max(alone_s, np.float64(duration_s[task]))
        size = np.float64(write_bytes[group])
        if kind[group] == TRANSFER:
            transfers += first[group + 1] - first[group]
            alone_s = size * link_pace + link_delay_s
        else:
            if kind[group] < MERGE:
                alone_s /= inputs[SPEED]
            longest_s = max(longest_s, alone_s)
            alone_s += dispatch_s + size * max(storage_pace, client_pace)
        chain[group] = behind_s + alone_s
        chain_s = max(chain_s, behind_s + alone_s)
    outputs[CHAIN], outputs[LONGEST] = chain_s, longest_s

    taken = np.zeros(groups, np.int32)  # tasks of a group that have started
    ended = np.zeros(groups, np.int32)
    gpu_groups = 0
    for group in range(groups):
        if kind[group] < MERGE:
            gpu_groups += 1
    cpu_groups = groups - gpu_groups
    # Ready groups of GPUs and of CPU cores: heaps by falling priority
    gpu_key, gpu_ready = np.empty(gpu_groups, np.float32), np.empty(gpu_groups, np.int32)
    cpu_key, cpu_ready = np.empty(cpu_groups, np.float32), np.empty(cpu_groups, np.int32)
    gpu_size, cpu_size = 0, 0
    # Transfers under way end in the order in which they began
    link_group, link_end = np.empty(transfers, np.int32), np.empty(transfers, np.float64)
    link_head, link_tail = 0, 0
    # Slots: GPUs, then CPU cores; free ones on a stack, the lowest number on top at first
    gpu_free, gpu_idle = np.empty(gpus, np.int32), gpus
    for index in range(gpus):
        gpu_free[index] = gpus - 1 - index
    cpu_free, cpu_idle = np.empty(cpu_slots, np.int32), cpu_slots
    for index in range(cpu_slots):
        cpu_free[index] = slots - 1 - index
    slot_group, slot_task = np.full(slots, np.int32(-1)), np.empty(slots, np.int32)
    slot_phase, slot_start = np.empty(slots, np.int8), np.empty(slots, np.float64)
    slot_work = np.empty(slots, np.float64)
    slot_last = np.full(slots, np.int64(-1))  # shot and kind of the last task
    # A failed task waits here; there are never more of them than GPUs under repair
    retry_task, retry_group, retries = np.empty(gpus, np.int32), np.empty(gpus, np.int32), 0
    # Next event of each busy slot, and of the link
    event_key, event_slot = np.empty(slots + 1, np.float64), np.empty(slots + 1, np.int32)
    events = 0

    now, scheduler_free, storage_free, link_free = 0.0, 0.0, 0.0, 0.0
    done, failures, draws, event_count = 0, 0, 0, 0
    ready_from, ready_to = 0, groups  # groups to look at: all of them at first, then successors by edge
    by_edge = False
    while True:
        # Let what became ready line up
        for index in range(ready_from, ready_to):
            if by_edge:
                group = edge_to[index]
                needs[group] -= 1
            else:
                group = np.int32(index)
            if needs[group] > 0:
                continue
            if kind[group] < MERGE:
                gpu_size = _push(gpu_key, gpu_ready, gpu_size, -priority[group], group)
            elif kind[group] < TRANSFER:
                cpu_size = _push(cpu_key, cpu_ready, cpu_size, -priority[group], group)
            else:
                for _ in range(first[group], first[group + 1]):
                    # Other files fill the link during a handshake, as far as there are streams
                    alone_s = np.float64(write_bytes[group]) * link_pace + link_delay_s
                    hold_s = max(alone_s - link_delay_s, alone_s / inputs[STREAMS])
                    link_free = max(link_free, now) + hold_s
                    link_group[link_tail] = group
                    link_end[link_tail] = link_free - hold_s + alone_s
                    if link_tail == link_head:
                        events = _push(event_key, event_slot, events, link_end[link_tail], np.int32(link_slot))
                    link_tail += 1
                    outputs[BY_KIND + TRANSFER] += hold_s
                    outputs[LINK_BYTES] += np.float64(write_bytes[group])

        # Start tasks while there are both a free slot and a task for it
        while True:
            if gpu_idle > 0 and retries > 0:
                retries -= 1
                task, group = retry_task[retries], retry_group[retries]
                gpu_idle -= 1
                slot = gpu_free[gpu_idle]
            elif gpu_idle > 0 and gpu_size > 0:
                task, group, gpu_size = _take(gpu_key, gpu_ready, gpu_size, first, taken)
                gpu_idle -= 1
                slot = gpu_free[gpu_idle]
            elif cpu_idle > 0 and cpu_size > 0:
                task, group, cpu_size = _take(cpu_key, cpu_ready, cpu_size, first, taken)
                cpu_idle -= 1
                slot = cpu_free[cpu_idle]
            else:
                break
            scheduler_free = max(scheduler_free, now) + dispatch_s
            outputs[DISPATCH_WAIT] += scheduler_free - now
            at = scheduler_free
            same = np.int64(shot[group]) * 8 + kind[group]
            warm = slot_last[slot] == same
            if not warm and slot < gpus:
                at += inputs[STARTUP]
                outputs[STARTUP_TIME] += inputs[STARTUP]
            size = np.float64(read_bytes[group])
            held = warm and (kind[group] == SIMULATE or slot_group[slot] == group)
            if size > 0.0 and not held:
                storage_free = max(storage_free, now) + size * storage_pace
                read = max(storage_free, at + size * client_pace)
                outputs[STORAGE_WAIT] += read - at
                outputs[STORAGE_BYTES] += size
                at = read
            work_s = np.float64(duration_s[task])
            if slot < gpus:
                work_s *= factor[slot]
                if noise > 0.0:
                    u, v = uniform(seed, 3, task), uniform(seed, 4, task)
                    z = math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)
                    work_s *= math.exp(noise * z - 0.5 * noise * noise)
            at += work_s
            slot_last[slot] = same
            slot_group[slot] = group
            slot_task[slot] = task
            slot_start[slot] = now
            slot_work[slot] = work_s
            slot_phase[slot] = COMPUTING
            if failure_rate > 0.0 and slot < gpus:
                fails = now - math.log(uniform(seed, 5, draws)) / failure_rate
                draws += 1
                if fails < at:
                    at = fails
                    slot_phase[slot] = FAILING
            events = _push(event_key, event_slot, events, at, np.int32(slot))

        # Go on to the next event
        ready_from, ready_to, by_edge = 0, 0, True
        if events == 0 or failures > failures_max:
            break
        now, slot = event_key[0], event_slot[0]
        events = _pop(event_key, event_slot, events)
        event_count += 1
        if slot == link_slot:
            group = link_group[link_head]
            link_head += 1
            if link_head < link_tail:
                events = _push(event_key, event_slot, events, link_end[link_head], np.int32(link_slot))
        else:
            group = slot_group[slot]
            phase = slot_phase[slot]
            if phase == FAILING:
                failures += 1
                outputs[LOST] += now - slot_start[slot]
                retry_task[retries], retry_group[retries] = slot_task[slot], group
                retries += 1
                slot_phase[slot] = RESTARTING
                slot_last[slot] = -1
                events = _push(event_key, event_slot, events, now + restart_s, slot)
                continue
            if phase == RESTARTING:
                gpu_free[gpu_idle] = slot
                gpu_idle += 1
                continue
            size = np.float64(write_bytes[group])
            if phase == COMPUTING and size > 0.0:
                storage_free = max(storage_free, now) + size * storage_pace
                at = max(storage_free, now + size * client_pace)
                outputs[STORAGE_WAIT] += at - now
                outputs[STORAGE_BYTES] += size
                if at > now:
                    slot_phase[slot] = WRITING
                    events = _push(event_key, event_slot, events, at, slot)
                    continue
            outputs[BY_KIND + kind[group]] += slot_work[slot]
            if slot < gpus:
                gpu_free[gpu_idle] = slot
                gpu_idle += 1
            else:
                cpu_free[cpu_idle] = slot
                cpu_idle += 1
        done += 1
        outputs[MAKESPAN] = now
        shot_end_s[shot[group]] = now
        ended[group] += 1
        if ended[group] == first[group + 1] - first[group]:
            ready_from, ready_to = edge_first[group], edge_first[group + 1]
    outputs[FAILURES] = failures
    outputs[EVENTS] = event_count
    return done == len(duration_s)


def compile_now():
    """Run nothing once, with the types of a real call."""
    f, i = np.zeros(0, np.float32), np.zeros(0, np.int32)
    one, inputs = np.zeros(1, np.int32), np.ones(INPUTS)
    kind, outputs = np.zeros(0, np.int8), np.zeros(OUTPUTS)
    run(0, 1, inputs, np.ones(1), 0, f, one, kind, i, f, f, one, i, i, np.zeros(1, np.float32), outputs, np.zeros(0))

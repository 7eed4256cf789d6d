"""Loops that reach a machine's limits and do nothing else: copy, read, and chains of fused multiply-adds.

Each runs one task a thread on its own stretch of the arrays, ``repeats`` times over. The pipeline does not call them.
``roof_probe.cu`` does the same on a GPU, and adds to shared memory as a scatter does: DEVICE_PASSES names its entries.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, device, kernel
from kernels.base.kernel import Pass
from kernels.base.tasks import thread_count
from kernels.base.vector import lane, load16, splat16, store, vadd, vfma

LANES = 16
CHAINS_NARROW, CHAINS_WIDE = 6, 12  # independent chains of 16 lanes: fit 16 and 32 vector registers
FACTOR, ADDEND = F32(0.5), F32(0.5)  # x -> (x + 1) / 2 stays near 1

PROBE_THREADS = 256  # of a block on a GPU
PROBE_SHARED_WORDS = 2048  # int32
IN_FLIGHT = 4  # loads of 16 bytes that a thread has on their way
DEVICE_PASSES = {
    "copy": Pass("roof_probe_copy", PROBE_THREADS),  # (repeats, source_in, target_out)
    "read": Pass("roof_probe_read", PROBE_THREADS),  # (repeats, source_in, sums_out float32[threads])
    "multiply_add": Pass("roof_probe_multiply_add", PROBE_THREADS),  # (count, sums_out float32[threads])
    "shared_add": Pass("roof_probe_shared_add", PROBE_THREADS),  # (count, amount, sums_out int32[blocks])
}


@device
def _copy(source, target, first, last, repeats):
    for _ in range(repeats):
        for at in range(first, last, 16):
            store(target, at, load16(source, at))


@device
def _read(source, first, last, repeats):
    a, b, c, d = splat16(F32(0.0)), splat16(F32(0.0)), splat16(F32(0.0)), splat16(F32(0.0))
    for _ in range(repeats):
        for at in range(first, last, 64):
            a = vadd(a, load16(source, at))
            b = vadd(b, load16(source, at + 16))
            c = vadd(c, load16(source, at + 32))
            d = vadd(d, load16(source, at + 48))
    return lane(vadd(vadd(a, b), vadd(c, d)), 0)


@kernel
def copy(repeats, source_in, target_out):
    """target = source; float32[n], n a multiple of 64 times the number of threads."""
    tasks = thread_count()
    length = source_in.size // tasks // 64 * 64
    for task in numba.prange(tasks):
        _copy(source_in, target_out, task * length, (task + 1) * length, repeats)


@kernel
def read(repeats, source_in, sums_out):
    """One sum a thread over its stretch of float32[n]."""
    tasks = thread_count()
    length = source_in.size // tasks // 64 * 64
    for task in numba.prange(tasks):
        sums_out[task] = _read(source_in, task * length, (task + 1) * length, repeats)


@device
def _chains_6(start, count):
    a, b = splat16(FACTOR), splat16(ADDEND)
    x0, x1, x2 = splat16(start), splat16(start + FACTOR), splat16(start - FACTOR)
    x3, x4, x5 = vadd(x0, a), vadd(x1, a), vadd(x2, a)
    for _ in range(count):
        x0, x1, x2 = vfma(x0, a, b), vfma(x1, a, b), vfma(x2, a, b)
        x3, x4, x5 = vfma(x3, a, b), vfma(x4, a, b), vfma(x5, a, b)
    return lane(vadd(vadd(vadd(x0, x1), vadd(x2, x3)), vadd(x4, x5)), 0)


@device
def _chains_12(start, count):
    a, b = splat16(FACTOR), splat16(ADDEND)
    x0, x1, x2 = splat16(start), splat16(start + FACTOR), splat16(start - FACTOR)
    x3, x4, x5 = vadd(x0, a), vadd(x1, a), vadd(x2, a)
    y0, y1, y2 = vadd(x3, a), vadd(x4, a), vadd(x5, a)
    y3, y4, y5 = vadd(y0, a), vadd(y1, a), vadd(y2, a)
    for _ in range(count):
        x0, x1, x2 = vfma(x0, a, b), vfma(x1, a, b), vfma(x2, a, b)
        x3, x4, x5 = vfma(x3, a, b), vfma(x4, a, b), vfma(x5, a, b)
        y0, y1, y2 = vfma(y0, a, b), vfma(y1, a, b), vfma(y2, a, b)
        y3, y4, y5 = vfma(y3, a, b), vfma(y4, a, b), vfma(y5, a, b)
    total = vadd(vadd(vadd(x0, x1), vadd(x2, x3)), vadd(x4, x5))
    return lane(vadd(total, vadd(vadd(vadd(y0, y1), vadd(y2, y3)), vadd(y4, y5))), 0)


@kernel
def multiply_add(wide, count, sums_out):
    """``count`` rounds of 6 (or, wide, 12) independent fused multiply-adds of 16 lanes on every thread."""
    tasks = thread_count()
    for task in numba.prange(tasks):
        if wide:
            sums_out[task] = _chains_12(F32(task), count)
        else:
            sums_out[task] = _chains_6(F32(task), count)


def multiply_add_flops(wide: bool, count: int, threads: int) -> int:
    """Of one call; a fused multiply-add counts two."""
    return 2 * LANES * (CHAINS_WIDE if wide else CHAINS_NARROW) * count * threads


def device_flops(count: int, threads: int) -> int:
    """Of one launch of "multiply_add"; "shared_add" makes ``count`` atomic additions a thread."""
    return 2 * CHAINS_NARROW * count * threads


def stretch(words: int, threads: int) -> np.ndarray:
    """Ones for ``copy`` and ``read``: a whole number of pieces for every thread, written, so that it has its pages."""
    return np.ones(max(64, words // (64 * threads) * 64) * threads, np.float32)

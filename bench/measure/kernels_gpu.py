"""Every kernel alone on a GPU: proved equal to the CPU's to the last bit, then timed by the device's own clock.

Examples grow as ``kernels`` says, against the second-level cache. What a launch changes is copied afresh before
each, outside the clock; a kernel that works in memory finds the cache full of something else, one that works in cache
finds it warm. Not yet run on a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bench.backend.cuda.sm_clock import throttled, usual
from bench.backend.cupy_gpu import CupyBackend
from bench.backend.protocol import Backend
from bench.backend.same_bits import Arguments, differences, fetched, held_by, on_cpu, on_device
from bench.measure.kernels import (
    MEMORY_FACTOR,
    ROUNDS_MAX,
    ROUNDS_MIN,
    SIZE_MAX,
    TIMED_S,
    KernelTable,
    KernelTiming,
    grown_example,
    make_example,
)
from bench.measure.roofs_gpu import measure_device_roofs
from kernels.base.kernel import Kernel, Traffic
from kernels.base.registry import all_kernels

LONG_S = 0.02  # a launch that takes this long is not grown: the CPU has to do the same, for the proof
EXAMPLE_LONG_S = 2.0  # nor one whose example takes this long to make


def prove(kernel: Kernel, backend: Backend, sizes: Sequence[int], threads: int) -> list[str]:
    """What differs between the CPU and the device on examples of several sizes, a line each; none when all is equal."""
    lines = []
    for size in sizes:
        arguments = make_example(kernel, size)
        want, got = on_cpu(kernel, arguments, threads), on_device(kernel, arguments, backend)
        found = differences(kernel, want, got, any_nan=True)
        lines += [f"size {size}: {line}" for line in found]
    return lines


def _launch(kernel: Kernel, backend: CupyBackend, held: Arguments) -> tuple[float, bool]:
    """Seconds of one launch on the device, and whether none of the host's are in them."""
    values = [held[name] for name in kernel.argument_names]
    before, after, in_time = backend.hold.around(lambda: backend.launch(kernel, *values))
    return float(after - before), in_time


def _traffic(kernel: Kernel, arguments: Arguments, backend: CupyBackend) -> tuple[Traffic, float]:
    """Traffic of one launch, and its seconds."""
    held = held_by(backend, kernel, arguments)
    seconds, _ = _launch(kernel, backend, held)
    return kernel.traffic(**fetched(backend, kernel, arguments, held)), seconds


def measure_on_device(
    kernel: Kernel,
    backend: CupyBackend,
    threads: int,
    size: int | None = None,
    size_max: int = SIZE_MAX,
    left_s: Callable[[], float] = lambda: math.inf,
) -> KernelTiming:
    """Prove and time one kernel on a CupyBackend, at ``size`` or where memory is what it works in.

    Raises BudgetSpent before a step that is longer than the time left.
    """

    def launched(arguments: Arguments) -> tuple[Traffic, float]:
        return _traffic(kernel, arguments, backend)

    if size is None:
        target_bytes = (MEMORY_FACTOR + 1) * backend.l2_bytes
        size, arguments, _, _ = grown_example(kernel, launched, target_bytes, LONG_S, EXAMPLE_LONG_S, size_max, left_s)
    else:
        arguments = make_example(kernel, size)
    want, got = on_cpu(kernel, arguments, threads), on_device(kernel, arguments, backend)
    found = differences(kernel, want, got, any_nan=True)
    traffic = kernel.traffic(**want)
    level = "memory" if traffic.traffic_bytes >= MEMORY_FACTOR * backend.l2_bytes else "cache"
    samples = () if found else tuple(_rounds(kernel, backend, arguments, level))
    return KernelTiming(kernel.name, kernel.item, threads, size, traffic, level, samples, "; ".join(found) or None)


def _rounds(kernel: Kernel, backend: CupyBackend, arguments: Arguments, level: str) -> list[float]:
    """Seconds of each launch; what was throttled, or held back too shortly, is done again, a few times."""
    held, pristine = held_by(backend, kernel, arguments), {}
    for name in kernel.output_names:
        value = arguments[name]
        if isinstance(value, np.ndarray):
            pristine[name] = backend.array(value)
    sweep = [backend.zeros(max(1, backend.l2_bytes // 4), np.float32) for _ in range(2 if level == "memory" else 0)]
    clock = backend.sm_clock()
    samples: list[tuple[float, float | None]] = []  # seconds, hertz
    late = 0
    while True:
        good = _at_full_clock(samples)
        enough = len(good) >= ROUNDS_MIN and (sum(good) >= TIMED_S or len(good) >= ROUNDS_MAX)
        if enough or len(samples) - len(good) >= ROUNDS_MIN:
            return good
        for name, first in pristine.items():
            backend.copy(held[name], first)
        if sweep:
            backend.copy(*sweep)
        clock.reset()
        clock.begin()
        seconds, in_time = _launch(kernel, backend, held)
        clock.end()
        hertz = clock.hertz()
        if not in_time and late < ROUNDS_MIN:
            late += 1  # the hold is longer the next time
            continue
        samples.append((seconds, hertz))


def _at_full_clock(samples: Sequence[tuple[float, float | None]]) -> list[float]:
    """Seconds of the samples that are not far below the clock of the first ones: half of those are near it."""
    usual_hz = usual(hertz for _, hertz in samples[:ROUNDS_MIN])
    return [seconds for seconds, hertz in samples if not throttled(hertz, usual_hz)]


def time_on_device(
    kernels: Sequence[Kernel], backend: CupyBackend, threads: int, size: int | None, tell: Callable[[str], None]
) -> KernelTable:
    """Prove and time kernels on a GPU. ``tell`` is told what is being done."""
    tell("compiling for the GPU, measuring its roofs")
    backend.prepare(all_kernels().values())
    roofs = measure_device_roofs(backend)
    timings = []
    for kernel in kernels:
        tell(f"{kernel.name}: proving, timing")
        timings.append(measure_on_device(kernel, backend, threads, size))
    return KernelTable(tuple(timings), roofs)

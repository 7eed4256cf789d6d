"""Every kernel alone, on its own example: proved first (one thread against many, equal bits), then timed.

An example is grown until its traffic is several times the last-level cache, or until one launch takes long enough:
such a kernel is bound by arithmetic, and its rate in bytes is compared with the cache's. What a launch changes is
copied afresh before each, outside the clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.backend.same_bits import Arguments, different_arrays
from bench.base.errors import BudgetSpent, UserError
from bench.measure.roofs import AnyRoofs, Roofs, measure_roofs
from bench.measure.roofs_gpu import DeviceRoofs
from bench.record import machine
from bench.record.statistics import median
from kernels.base.kernel import Kernel, Traffic
from kernels.base.registry import all_kernels

Launch = Callable[[Arguments], tuple[Traffic, float]]  # on copies of the arguments: its traffic, its seconds

SEED = 7
FIRST_SIZE = 32
SIZE_MAX = 2**24
LONG_S = 0.3  # a launch that takes this long is not grown any further
EXAMPLE_LONG_S = 4.0  # nor one whose example takes this long to make
GROWTH, GROWTH_FAST = 2, 8  # of an example's size, where there is far to go
GROWTH_POWER = 2  # what depends on a size may grow as its square
MEMORY_FACTOR = 3  # traffic over last-level cache from which on a kernel is said to work in memory
ROUNDS_MIN, ROUNDS_MAX, TIMED_S = 5, 50, 0.4
MEMORY = "bandwidth of memory"
MARGIN = 1.03  # of a rate above a roof: both are measured


@dataclass(frozen=True)
class KernelTiming:
    """One kernel alone."""

    name: str
    item: str
    threads: int
    size: int  # what its example was made for
    traffic: Traffic
    level: str  # "memory" or "cache": where its traffic is held against a roof
    samples_s: tuple[float, ...]  # empty where the proof failed
    proof: str | None  # why one thread and many, or CPU and GPU, do not agree; None when they do

    @property
    def median_s(self) -> float | None:
        return median(self.samples_s)

    def per_second(self, amount: float) -> float | None:
        """``amount`` a launch as a rate, from the median."""
        return amount / self.median_s if self.median_s else None

    @property
    def items_per_s(self) -> float | None:
        return self.per_second(self.traffic.items)

    @property
    def bytes_per_s(self) -> float | None:
        return self.per_second(self.traffic.traffic_bytes)

    @property
    def flop_per_s(self) -> float | None:
        return self.per_second(self.traffic.flops)

    def bandwidth_roof(self, roofs: AnyRoofs) -> float:
        return roofs.memory_bytes_per_s if self.level == "memory" else roofs.cache_bytes_per_s

    def too_good(self, roofs: AnyRoofs) -> str | None:
        """A claim above a roof is a bug in the claim: say which, from the fastest round; None when all is well."""
        if not self.samples_s:
            return None
        seconds = min(self.samples_s)
        for what, share in self.shares(roofs, seconds).items():
            ratio = share
            if what == MEMORY:
                kept_bytes = min(roofs.kept_bytes, self.traffic.bytes_written)
                ratio -= kept_bytes / seconds / roofs.memory_bytes_per_s
            if ratio > MARGIN:
                return f"claims {ratio:.2f} x the {what}"
        return None

    def problem(self, roofs: AnyRoofs) -> str | None:
        """Why the kernel, or the claim about it, is wrong; None when all is well."""
        return self.proof or self.too_good(roofs)

    def shares(self, roofs: AnyRoofs, seconds: float) -> dict[str, float]:
        """Share of each roof that a launch of that length reaches."""
        found = {
            f"bandwidth of {self.level}": self.traffic.traffic_bytes / seconds / self.bandwidth_roof(roofs),
            "rate of multiply-adds": self.traffic.flops / seconds / roofs.fma_flop_per_s,
        }
        if isinstance(roofs, DeviceRoofs):
            found["rate of shared additions"] = self.traffic.atomics / seconds / roofs.shared_adds_per_s
        return found

    def binding(self, roofs: AnyRoofs) -> tuple[str, float] | None:
        """The roof that is nearest, and the share of it that is reached; None without a time."""
        if not self.median_s:
            return None
        return max(self.shares(roofs, self.median_s).items(), key=lambda item: item[1])


def fresh(kernel: Kernel, arguments: Arguments) -> Arguments:
    """The arguments in the kernel's order; a copy of each array that it changes."""
    changed = set(kernel.output_names)
    return {name: _copy(arguments[name]) if name in changed else arguments[name] for name in kernel.argument_names}


def _copy(value: object) -> object:
    return np.copy(value) if isinstance(value, np.ndarray) else value


def launch(kernel: Kernel, arguments: Arguments, threads: int) -> float:
    """Seconds of one launch; the arguments stand in the kernel's order."""
    import numba

    values = tuple(arguments.values())
    numba.set_num_threads(threads)
    start = time.perf_counter()
    kernel.cpu(*values)
    return time.perf_counter() - start


def many_threads(threads: int | None) -> int:
    """``threads``, or two where there are two: what one thread is held against."""
    import numba

    return max(threads or 1, min(2, int(numba.config.NUMBA_NUM_THREADS)))  # type: ignore[attr-defined]


def disagreement(kernel: Kernel, arguments: Arguments, threads: int) -> str | None:
    """Names of the outputs that one thread and ``threads`` (at least two, where there are two) write differently."""
    many, written = many_threads(threads), []
    for count in (1, many):
        written.append(fresh(kernel, arguments))
        launch(kernel, written[-1], count)
    different = different_arrays(kernel, *written)
    return f"{', '.join(different)} differ between 1 and {many} threads" if different else None


def traffic_after(kernel: Kernel, arguments: Arguments, threads: int) -> tuple[Traffic, float]:
    """Traffic of one launch, and its seconds."""
    written = fresh(kernel, arguments)
    seconds = launch(kernel, written, threads)
    return kernel.traffic(**written), seconds


def make_example(kernel: Kernel, size: int) -> Arguments:
    return kernel.example(np.random.default_rng(SEED), size)


def grown_example(
    kernel: Kernel,
    launched: Launch,
    target_bytes: int,
    long_s: float = LONG_S,
    example_long_s: float = EXAMPLE_LONG_S,
    size_max: int = SIZE_MAX,
    left_s: Callable[[], float] = lambda: math.inf,
) -> tuple[int, Arguments, Traffic, float]:
    """(size, arguments, traffic, seconds) of an example whose launch moves ``target_bytes``, or is long enough.

    Raises BudgetSpent before a step that is longer than the time left.
    """
    size = FIRST_SIZE
    example_s, arguments = _timed_example(kernel, size)
    launched(arguments)  # compiles
    while True:
        traffic, seconds = launched(arguments)
        missing = target_bytes / max(1, traffic.traffic_bytes)
        if missing <= 1.0 or seconds >= long_s or size >= size_max or example_s >= example_long_s:
            return size, arguments, traffic, seconds
        fast = GROWTH_FAST**GROWTH_POWER
        is_short = seconds < long_s / fast and example_s < example_long_s / fast
        growth = GROWTH_FAST if missing > fast and is_short else GROWTH
        if growth**GROWTH_POWER * (example_s + seconds) > left_s():
            raise BudgetSpent(kernel.name)
        size = min(size_max, size * growth)
        example_s, arguments = _timed_example(kernel, size)


def _timed_example(kernel: Kernel, size: int) -> tuple[float, Arguments]:
    start = time.perf_counter()
    arguments = make_example(kernel, size)
    return time.perf_counter() - start, arguments


def measure_kernel(
    kernel: Kernel,
    threads: int,
    llc_bytes: int,
    size: int | None = None,
    left_s: Callable[[], float] = lambda: math.inf,
) -> KernelTiming:
    """Prove and time one kernel, at ``size`` or where memory is what it works in. Raises BudgetSpent."""

    def launched(arguments: Arguments) -> tuple[Traffic, float]:
        return traffic_after(kernel, arguments, threads)

    if size is None:
        target_bytes = (MEMORY_FACTOR + 1) * llc_bytes
        size, arguments, traffic, seconds = grown_example(kernel, launched, target_bytes, left_s=left_s)
    else:
        arguments = make_example(kernel, size)
        traffic, seconds = launched(arguments)
    # What is left to do: the proof, with a launch on one thread, and the rounds
    if (threads + 1 + ROUNDS_MIN) * seconds > left_s():
        raise BudgetSpent(kernel.name)
    level = "memory" if traffic.traffic_bytes >= MEMORY_FACTOR * llc_bytes else "cache"
    proof = disagreement(kernel, arguments, threads)
    samples: list[float] = []
    sweep = np.zeros(2 * llc_bytes if level == "memory" else 0, np.int8)
    while proof is None and (len(samples) < ROUNDS_MIN or (sum(samples) < TIMED_S and len(samples) < ROUNDS_MAX)):
        copies = fresh(kernel, arguments)
        sweep += 1  # drives what was just copied out of the cache: nothing is kept between launches
        samples.append(launch(kernel, copies, threads))
    return KernelTiming(kernel.name, kernel.item, threads, size, traffic, level, tuple(samples), proof)


def measure_against(
    kernel: Kernel,
    threads: int,
    roofs: Roofs,
    size: int | None = None,
    left_s: Callable[[], float] = lambda: math.inf,
) -> tuple[KernelTiming, Roofs]:
    """One kernel and the roofs that it is held against: a busy machine may have lowered them, so only a claim that
    stands twice is above one. Raises BudgetSpent.
    """
    found = measure_kernel(kernel, threads, roofs.llc_bytes, size, left_s)
    if found.too_good(roofs):
        measure_roofs.cache_clear()
        roofs = roofs.raised(measure_roofs(threads))
        found = measure_kernel(kernel, threads, roofs.llc_bytes, found.size)
    return found, roofs


def document(found: KernelTiming, roofs: AnyRoofs) -> dict[str, object]:
    """One kernel for ``--json``."""
    traffic = found.traffic
    binding = found.binding(roofs)
    return {
        "kernel": found.name,
        "item": found.item,
        "size": found.size,
        "items": traffic.items,
        "bytes_read": traffic.bytes_read,
        "bytes_written": traffic.bytes_written,
        "flops": traffic.flops,
        "atomics": traffic.atomics,
        "level": found.level,
        "verified": found.proof is None,
        "problem": found.problem(roofs),
        "median_s": found.median_s,
        "samples_s": list(found.samples_s),
        "items_per_s": found.items_per_s,
        "bytes_per_s": found.bytes_per_s,
        "flop_per_s": found.flop_per_s,
        "copy_bandwidth_ratio": part_of(found.bytes_per_s, roofs.copy_bytes_per_s),
        "level_bandwidth_ratio": part_of(found.bytes_per_s, found.bandwidth_roof(roofs)),
        "binding_roof": binding[0] if binding else None,
        "binding_ratio": binding[1] if binding else None,
        "fma_rate_ratio": part_of(found.flop_per_s, roofs.fma_flop_per_s),
    }


def part_of(rate: float | None, roof: float) -> float | None:
    """A rate as a share of a roof; None where the rate is unknown."""
    return rate / roof if rate is not None else None


@dataclass(frozen=True)
class KernelTable:
    """Kernels timed one after the other on one machine."""

    timings: tuple[KernelTiming, ...]
    roofs: AnyRoofs  # that all of them are held against

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        rows = [document(one, self.roofs) for one in self.timings]
        return {"machine": machine.describe(), **self.roofs.where, "roofs": self.roofs.document(), "kernels": rows}

    def problems(self) -> list[str]:
        """A line for each kernel that is proved wrong, or whose claim is."""
        found = [(one.name, one.problem(self.roofs)) for one in self.timings]
        return [f"{name}: {problem}" for name, problem in found if problem]


def time_kernels(kernels: Sequence[Kernel], threads: int, size: int | None, tell: Callable[[str], None]) -> KernelTable:
    """Prove and time kernels on the CPU. ``tell`` is told what is being done."""
    tell("measuring copy bandwidth and multiply-add rate")
    roofs = measure_roofs(threads)
    timings = []
    for kernel in kernels:
        tell(f"{kernel.name}: compiling, proving, timing")
        found, roofs = measure_against(kernel, threads, roofs, size)
        timings.append(found)
    return KernelTable(tuple(timings), roofs)


def chosen_kernels(names: Sequence[str]) -> list[Kernel]:
    """The kernels of these names; every one where none is named. Raises UserError."""
    known = all_kernels()
    for name in names:
        if name not in known:
            raise UserError(f"{name[:60]!r}: expected a kernel, one of {', '.join(known)}")
    return [known[name] for name in names or known]

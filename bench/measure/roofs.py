"""The limits of this machine, measured: copy and read bandwidth of memory and of cache, and the rate of multiply-adds.

A kernel's rate is shown as a share of these. Bytes are ``Traffic``'s: a copied byte counts as one read and one written,
what the hardware moves besides (the line that a store fetches first) is not counted. A loop that only reads can
therefore be faster than a copy; a rate is impossible only above the larger of the two.
"""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np

MEMORY_LEAST_BYTES = 64 * 2**20  # an array of the copy
CACHE_FACTOR = 4  # arrays are that many times as large as the last-level cache
LLC_UNKNOWN_BYTES = 64 * 2**20
LLC_MOST_BYTES = 512 * 2**20
CACHE_ARRAY_BYTES = 32 * 2**10  # per thread and array: two of them fit any second-level cache
ROUNDS = 5
ROUND_S = 0.05  # a round is at least that long
CHAIN_COUNT = 200_000


@dataclass(frozen=True, kw_only=True)
class AnyRoofs(ABC):
    """What the limits of a CPU and of a GPU have in common: best of the rounds; the raw rates stay beside it."""

    llc_bytes: int  # last-level cache that this process sees, or a guess
    copy_bytes_per_s: float  # memory
    read_bytes_per_s: float
    cache_copy_bytes_per_s: float  # two arrays that stay in cache
    cache_read_bytes_per_s: float
    fma_flop_per_s: float  # a fused multiply-add counts two
    rates: dict[str, tuple[float, ...]]  # every round

    @property
    @abstractmethod
    def where(self) -> dict[str, object]:
        """What they were measured on, for ``--json``."""

    @property
    def kept_bytes(self) -> int:
        """Of what a launch writes, what may still lie in the cache when its time is over."""
        return 0

    @property
    def memory_bytes_per_s(self) -> float:
        """No counted traffic with memory can be faster."""
        return max(self.copy_bytes_per_s, self.read_bytes_per_s)

    @property
    def cache_bytes_per_s(self) -> float:
        """No counted traffic of a working set that stays in cache can be faster."""
        return max(self.cache_copy_bytes_per_s, self.cache_read_bytes_per_s, self.memory_bytes_per_s)

    def document(self) -> dict[str, object]:
        """For ``--json`` and records."""
        return {**vars(self), "rates": {name: list(values) for name, values in self.rates.items()}}

    def raised(self, other: Self) -> Self:
        """The higher of each roof, measured twice."""
        rates = {name: values + other.rates[name] for name, values in self.rates.items()}
        mine, others = vars(self), vars(other)
        higher = {name: max(mine[name], others[name]) for name in mine if name.endswith("_per_s")}
        return dataclasses.replace(self, rates=rates, **higher)


@dataclass(frozen=True, kw_only=True)
class Roofs(AnyRoofs):
    """Of this machine's CPU."""

    threads: int

    @property
    def where(self) -> dict[str, object]:
        return {"threads": self.threads}


def llc_bytes(root: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Size of the last-level cache; 64 MiB where the system does not say."""
    sizes = []
    for path in root.glob("index*/size"):
        try:
            text = path.read_text().strip()
            sizes.append(int(text.rstrip("KMG")) * {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:], 1))
        except (OSError, ValueError):
            continue
    return min(max(sizes, default=LLC_UNKNOWN_BYTES), LLC_MOST_BYTES)


def rates_of(work: float, call: Callable[[int], None], rounds: int = ROUNDS) -> tuple[float, ...]:
    """``work`` per second of ``call(1)``, over rounds of as many repeats as a round's least time takes."""
    call(1)
    repeats = 1
    while True:
        seconds = _timed(call, repeats)
        if seconds >= ROUND_S:
            break
        repeats = max(2 * repeats, int(repeats * 1.2 * ROUND_S / max(seconds, 1e-7)))
    return tuple(work * repeats / _timed(call, repeats) for _ in range(rounds))


def _timed(call: Callable[[int], None], repeats: int) -> float:
    start = time.perf_counter()
    call(repeats)
    return time.perf_counter() - start


@cache
def measure_roofs(threads: int) -> Roofs:
    """Measure this machine with ``threads`` threads; a few seconds, once a process."""
    import numba

    from kernels.base import roof_probe as probe

    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        cache = llc_bytes()
        sums = np.zeros(threads, np.float32)
        rates = {}
        for name, array_bytes in (
            ("", max(MEMORY_LEAST_BYTES, CACHE_FACTOR * cache)),
            ("cache_", CACHE_ARRAY_BYTES * threads),
        ):
            source = probe.stretch(array_bytes // 4, threads)
            target = np.zeros_like(source)
            rates[f"{name}copy"] = rates_of(2 * source.nbytes, lambda n: probe.copy(n, source, target))  # noqa: B023
            rates[f"{name}read"] = rates_of(source.nbytes, lambda n: probe.read(n, source, sums))  # noqa: B023
        for wide in (False, True):
            flops = probe.multiply_add_flops(wide, CHAIN_COUNT, threads)
            rates["fma_wide" if wide else "fma"] = rates_of(
                flops,
                lambda n: probe.multiply_add(wide, n * CHAIN_COUNT, sums),  # noqa: B023
            )
    finally:
        numba.set_num_threads(before)
    return Roofs(
        threads=threads,
        llc_bytes=cache,
        copy_bytes_per_s=max(rates["copy"]),
        read_bytes_per_s=max(rates["read"]),
        cache_copy_bytes_per_s=max(rates["cache_copy"]),
        cache_read_bytes_per_s=max(rates["cache_read"]),
        fma_flop_per_s=max(*rates["fma"], *rates["fma_wide"]),
        rates=rates,
    )

"""The limits of a GPU, measured: copy and read bandwidth of memory and of its cache, multiply-adds, shared additions.

The same figures as ``roofs`` gives for a CPU, by the device's own clock (``roof_probe.cu``). A probe repeats its work
inside one launch of ``ROUND_S``: what lies in the second-level cache is read in microseconds, and a launch of that
length would measure launches. Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.backend.cupy_gpu import CupyBackend, LoadedPass
from bench.measure.roofs import AnyRoofs
from kernels.base import roof_probe

MEMORY_BYTES = 2**29  # an array of the copy: several times any cache
CACHE_SHARE = 8  # two arrays and what else lies there fit when each is that part of the second-level cache
CACHE_UNKNOWN_BYTES = 2**22
CHAIN_COUNT = 2**14
AMOUNT = 3  # that is added; anything but what a compiler knows
ROUNDS = 5
ROUND_S = 0.02  # of one launch; a display's driver allows a hundred times that
LONG_ENOUGH = 0.5  # of it
REPEATS_MOST = 2**24


@dataclass(frozen=True, kw_only=True)
class DeviceRoofs(AnyRoofs):
    """Of one GPU; the last-level cache is its second-level one."""

    device: str
    shared_adds_per_s: float  # atomic additions to shared memory, without two in one bank

    @property
    def kept_bytes(self) -> int:
        """A large second-level cache holds a third of what an example writes: memory gets it after the last stamp."""
        return self.llc_bytes

    @property
    def where(self) -> dict[str, object]:
        return {"device": self.device}


def measure_device_roofs(
    backend: CupyBackend, memory_bytes: int = MEMORY_BYTES, chain_count: int = CHAIN_COUNT, round_s: float = ROUND_S
) -> DeviceRoofs:
    """Measure one device, a CupyBackend; a second or two."""
    probes = {name: backend.load_pass("roof_probe", one) for name, one in roof_probe.DEVICE_PASSES.items()}
    rates: dict[str, tuple[float, ...]] = {}
    cache_bytes = max(2**16, (backend.l2_bytes or CACHE_UNKNOWN_BYTES) // CACHE_SHARE)
    sums = backend.zeros(probes["read"].blocks * probes["read"].threads, np.float32)
    for prefix, length in (("", memory_bytes), ("cache_", min(cache_bytes, memory_bytes))):
        source = backend.array(np.ones(length // 16 * 4, np.float32))
        target = backend.zeros(source.shape, np.float32)
        copy = _bound(backend, probes["copy"], 1, source, target)
        rates[f"{prefix}copy"] = device_rates(backend, 2.0 * source.nbytes, copy, round_s)
        read = _bound(backend, probes["read"], 1, source, sums)
        rates[f"{prefix}read"] = device_rates(backend, float(source.nbytes), read, round_s)
        del source, target, copy, read
    chain = probes["multiply_add"]
    threads = chain.blocks * chain.threads
    sums = backend.zeros(threads, np.float32)
    flops = float(roof_probe.device_flops(chain_count, threads))
    rates["fma"] = device_rates(backend, flops, _bound(backend, chain, chain_count, sums), round_s)
    add = probes["shared_add"]
    totals = backend.zeros(add.blocks, np.int32)
    adds = float(chain_count) * add.blocks * add.threads
    rates["shared_add"] = device_rates(backend, adds, _bound(backend, add, chain_count, AMOUNT, totals), round_s)
    return DeviceRoofs(
        device=backend.device_name,
        llc_bytes=backend.l2_bytes or CACHE_UNKNOWN_BYTES,
        copy_bytes_per_s=max(rates["copy"]),
        read_bytes_per_s=max(rates["read"]),
        cache_copy_bytes_per_s=max(rates["cache_copy"]),
        cache_read_bytes_per_s=max(rates["cache_read"]),
        fma_flop_per_s=max(rates["fma"]),
        shared_adds_per_s=max(rates["shared_add"]),
        rates=rates,
    )


def _bound(backend: CupyBackend, probe: LoadedPass, count: int, *args: object) -> Callable[[int], None]:
    """A launch that does its work so many times over."""
    return lambda repeats: backend.run_pass(probe, repeats * count, *args)


def device_rates(backend: CupyBackend, work: float, call: Callable[[int], None], round_s: float) -> tuple[float, ...]:
    """``work`` a second of the device's time, over rounds of one launch that repeats it until it takes long enough."""

    def seconds(repeats: int) -> float:
        return backend.hold.seconds_of(lambda: call(repeats))

    repeats = 1
    while (found := seconds(repeats)) < LONG_ENOUGH * round_s and repeats < REPEATS_MOST:
        repeats = min(REPEATS_MOST, max(2 * repeats, int(repeats * round_s / max(found, 1e-7))))
    return tuple(work * repeats / seconds(repeats) for _ in range(ROUNDS))

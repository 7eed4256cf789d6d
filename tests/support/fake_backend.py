"""A back-end that runs nothing: the harness is tested with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.backend.numba_cpu import HostArrays
from bench.backend.protocol import Observer
from kernels.base.kernel import Kernel


class FakeBackend(HostArrays):
    """Runs nothing, as a CPU or, without threads, as a GPU: notes launches in ``log``.

    It reads time from a list or counts it up in whole seconds.
    """

    name = "fake"
    observed_apart = False

    def __init__(self, threads: int | None = 1, clock_values: Iterable[float] | None = None) -> None:
        self.threads = threads
        self.is_gpu = threads is None
        self.observer: Observer | None = None
        self.log: list[str] = []
        self._clock = iter(clock_values) if clock_values is not None else iter(range(10**9))

    def launch(self, kernel: Kernel, *args: Any) -> None:
        before = self.clock() if self.observer else 0.0
        self.log.append(kernel.name)
        if self.observer:
            self.observer(kernel.name, before, self.clock())

    def synchronize(self) -> None:
        self.log.append("synchronize")

    def clock(self) -> float:
        return float(next(self._clock))

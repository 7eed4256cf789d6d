"""The CPU through Numba, on all usable cores or a stated number."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import DTypeLike

from bench.backend.energy import EnergyMeter
from bench.backend.limits import usable_cores, usable_memory_bytes
from bench.backend.numba_settings import require_numba, thread_limit, threads_from
from bench.backend.protocol import Direct, Observer, Recording, RegionClock
from bench.base.errors import UserError
from kernels.base.kernel import Kernel


class HostArrays:
    """Of a back-end with the host's arrays, whose launches return when done; a CPU unless it says so."""

    is_gpu = False
    device_name: str | None = None
    device_uuid: str | None = None
    clock_max_hz: float | None = None
    graph_problem: str | None = None
    worker_problem: str | None = None
    last_words: Callable[[str], None] | None = None

    def array(self, values: np.ndarray) -> np.ndarray:
        return np.array(values, order="C", copy=True)

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        return np.zeros(shape, dtype)

    def host(self, array: np.ndarray) -> np.ndarray:
        return array

    def pieces(self, arrays: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        for number, array in enumerate(arrays):
            if array.size:
                yield number, array.reshape(-1).view(np.uint8)

    def copy(self, target: np.ndarray, source: np.ndarray) -> None:
        target[...] = source

    def fill(self, array: np.ndarray, values: np.ndarray) -> None:
        array[: len(values)] = values

    def free_bytes(self) -> int:
        return usable_memory_bytes()

    def lend(self, give_back: Callable[[], None]) -> None:
        """What is kept "on the device" is on the host already."""

    def release(self) -> None:
        """An array's memory goes back when the array does."""

    def prepare(self, kernels: Iterable[Kernel]) -> int:
        """What ``ahead`` has not compiled is compiled on first use."""
        return 0

    def device_count(self) -> int:
        return 0

    def synchronize(self) -> None:
        """A launch returns when it is done: nothing to wait for."""

    def clock(self) -> float:
        return time.perf_counter()

    def recording(self) -> Recording:
        return Direct()

    def sm_clock(self) -> RegionClock | None:
        return None

    def energy_meter(self) -> EnergyMeter | None:
        return None


class NumbaBackend(HostArrays):
    """The CPU. ``threads`` is all usable cores unless stated; it never changes a result."""

    name = "numba"
    observed_apart = False

    def __init__(self, threads: int | None = None) -> None:
        require_numba()
        import numba

        limit = thread_limit()
        if threads is not None and not 1 <= threads <= limit:
            raise UserError(f"--threads: expected a whole number from 1 to {limit} ({threads_from()}), not {threads}")
        self._threads = threads or min(usable_cores(), limit)
        self.threads: int | None = self._threads  # what a record says
        self.observer: Observer | None = None
        self._numba = numba

    def launch(self, kernel: Kernel, *args: object) -> None:
        # Another back-end of this process may have set another number.
        if self._numba.get_num_threads() != self._threads:
            self._numba.set_num_threads(self._threads)
        if self.observer is None:
            kernel.cpu(*args)
            return
        before = self.clock()
        kernel.cpu(*args)
        self.observer(kernel.name, before, self.clock())

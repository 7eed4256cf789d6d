"""Where arrays live and kernels run. A back-end owns arrays, launch, synchronisation and clock, and knows no physics.

``numba`` runs on the CPU's cores; the GPU's back-end is in ``backend_cupy``, and ``devices`` says which can run here.
``FakeBackend`` runs nothing and notes everything: the harness is tested with it.
A clock's readings are stamps: the difference of two is seconds. A CPU's stamp is a plain number, a GPU's an event.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from bench.errors import UserError
from kernels.base.kernel import Kernel

Observer = Callable[[str, Any, Any], None]  # kernel name, stamp before, stamp after


class Recording(Protocol):
    """Sequences of launches that come again and again; a device may keep them whole."""

    def run(self, key: Hashable, launches: Callable[[], None]) -> None:
        """Do ``launches`` or replay them. Equal keys stand for equal kernels with equal arguments."""

    def forget(self) -> None:
        """Drop what was kept: arguments of the same key are other ones from here on."""


class Direct:
    """Nothing is kept: every launch is done."""

    def run(self, key: Hashable, launches: Callable[[], None]) -> None:
        launches()

    def forget(self) -> None: ...


class Backend(Protocol):
    """What simulate, render and measure need of a device."""

    name: str
    threads: int | None  # CPU threads; None on a GPU
    observed_apart: bool  # whether an observer changes how launches are made
    observer: Observer | None  # told of every launch; None costs nothing

    def array(self, values: np.ndarray) -> Any:
        """A copy of a host array on the device, C-contiguous."""

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Any:
        """An array of zeros on the device."""

    def host(self, array: Any) -> np.ndarray:
        """The device array's values on the host; on a CPU it may be the array itself."""

    def fill(self, array: Any, values: np.ndarray) -> None:
        """Overwrite the first rows of a device array by host values, in place."""

    def launch(self, kernel: Kernel, *args: Any) -> None:
        """Run one kernel; on a GPU it is only queued."""

    def synchronize(self) -> None:
        """Wait for everything launched."""

    def clock(self) -> Any:
        """A stamp; the difference of two stamps is seconds."""

    def recording(self) -> Recording:
        """A new store of launches that repeat."""


def affinity_cores() -> int:
    """Logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_quota_cores(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> float | None:
    """Cores' worth of time that the container grants (cgroup v2 or v1), the least on the way up; None: no limit."""
    quotas = []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        version_2 = controllers == ""
        if not version_2 and "cpu" not in controllers.split(","):
            continue
        base = root if version_2 else root / "cpu"
        folder = base / path.lstrip("/")
        for place in (folder, *folder.parents):
            if version_2:
                quota = _read_words(place / "cpu.max")
            else:
                quota = _read_words(place / "cpu.cfs_quota_us") + _read_words(place / "cpu.cfs_period_us")
            if (
                len(quota) == 2
                and quota[0].isdigit()
                and quota[1].isdigit()
                and int(quota[0]) > 0
                and int(quota[1]) > 0
            ):
                quotas.append(int(quota[0]) / int(quota[1]))
            if place == base:
                break
    return min(quotas, default=None)


def _read_words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def cgroup_memory_limit_bytes(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that the container grants; None without a limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        words = _read_words(root / name)
        # Version 1 says "no limit" with a number that no machine has.
        if words and words[0].isdigit() and int(words[0]) < 2**60:
            return int(words[0])
    return None


def usable_cores() -> int:
    """Threads that are worth starting: cores by affinity, less where a container grants less."""
    quota = cgroup_quota_cores()
    cores = affinity_cores()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


class HostArrays:
    """Of a back-end whose arrays are the host's and whose launches return when they are done."""

    def array(self, values: np.ndarray) -> np.ndarray:
        return np.array(values, order="C", copy=True)

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        return np.zeros(shape, dtype)

    def host(self, array: np.ndarray) -> np.ndarray:
        return array

    def fill(self, array: np.ndarray, values: np.ndarray) -> None:
        array[: len(values)] = values

    def synchronize(self) -> None:
        """A launch returns when it is done: nothing to wait for."""

    def clock(self) -> float:
        return time.perf_counter()

    def recording(self) -> Recording:
        return Direct()


class NumbaBackend(HostArrays):
    """The CPU. ``threads`` is all usable cores unless stated; it never changes a result."""

    name = "numba"
    observed_apart = False

    def __init__(self, threads: int | None = None) -> None:
        import numba

        limit = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
        if threads is not None and not 1 <= threads <= limit:
            raise UserError(f"--threads: expected a whole number from 1 to {limit} on this machine, not {threads}")
        self._threads = threads or min(usable_cores(), limit)
        self.threads: int | None = self._threads
        self.observer: Observer | None = None
        self._numba = numba

    def launch(self, kernel: Kernel, *args: Any) -> None:
        # Another back-end of this process may have set another number.
        if self._numba.get_num_threads() != self._threads:
            self._numba.set_num_threads(self._threads)
        if self.observer is None:
            kernel.cpu(*args)
            return
        before = self.clock()
        kernel.cpu(*args)
        self.observer(kernel.name, before, self.clock())


class FakeBackend(HostArrays):
    """Runs nothing: notes launches in ``log`` and reads time from a list or counts it up in whole seconds."""

    name = "fake"
    observed_apart = False

    def __init__(self, threads: int | None = 1, clock_values: Iterable[float] | None = None) -> None:
        self.threads = threads
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


class KernelTimes:
    """An observer that keeps the stamps of every launch, and the seconds of each kernel once they are asked for."""

    def __init__(self) -> None:
        self._launches: list[tuple[str, Any, Any]] = []

    def __call__(self, name: str, before: Any, after: Any) -> None:
        self._launches.append((name, before, after))

    def seconds(self) -> dict[str, float]:
        """Seconds by kernel; call it after a synchronisation, for stamps may be events of a GPU."""
        total: dict[str, float] = {}
        for name, before, after in self._launches:
            total[name] = total.get(name, 0.0) + float(after - before)
        return total

    def launches(self) -> dict[str, int]:
        """Number of launches by kernel."""
        count: dict[str, int] = {}
        for name, _, _ in self._launches:
            count[name] = count.get(name, 0) + 1
        return count

    def clear(self) -> None:
        self._launches.clear()

"""What the pipeline and the meter may ask of a device: arrays, launch, synchronisation and clock. It knows no physics.

``numba_cpu`` runs on the CPU's cores, ``cupy_gpu`` on a GPU; ``choose`` says which can run here.
A clock's readings are stamps: the difference of two is seconds. A CPU's stamp is a plain number, a GPU's an event.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

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

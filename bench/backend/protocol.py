"""What the pipeline and the meter may ask of a device: arrays, launch, synchronisation and clock. It knows no physics.

``numba_cpu`` runs on the CPU's cores, ``cupy_gpu`` on a GPU; ``choose`` says which can run here.
A clock's readings are stamps: the difference of two is seconds. A CPU's stamp is a plain number, a GPU's an event.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import DTypeLike

from bench.backend.energy import EnergyMeter
from kernels.base.kernel import Kernel

DeviceArray = Any  # an array of the back-end's own kind: NumPy's, CuPy's, the emulator's
CupyObject = Any  # a module, stream, event or function of CuPy's, which states no types


class Stamp(Protocol):
    """A moment on a back-end's clock."""

    def __sub__(self, earlier: Self, /) -> float:
        """Seconds between two moments, once the later one has happened."""


Observer = Callable[[str, Stamp, Stamp], None]  # kernel name, stamp before, stamp after


class Recording(Protocol):
    """Sequences of launches that come again and again; a device may keep them whole."""

    def run(self, key: Hashable, launches: Callable[[], None]) -> None:
        """Do ``launches`` or replay them. Equal keys stand for equal kernels with equal arguments.

        ``launches`` may be called once more after it was broken off: it leaves the host's state as it found it.
        """

    def forget(self) -> None:
        """Drop what was kept: arguments of the same key are other ones from here on."""


class Direct:
    """Nothing is kept: every launch is done."""

    def run(self, key: Hashable, launches: Callable[[], None]) -> None:
        launches()

    def forget(self) -> None: ...


class RegionClock(Protocol):
    """How fast a device really ran between two points of its queue."""

    def reset(self) -> None:
        """Before a region; not inside it."""

    def begin(self) -> None:
        """The region starts; only queued."""

    def end(self) -> None:
        """The region ends; only queued."""

    def hertz(self) -> float | None:
        """Cycles a second of the last region; None where they could not be read."""


class Backend(Protocol):
    """What simulate, render and measure need of a device."""

    name: str
    observed_apart: bool  # whether an observer changes how launches are made
    observer: Observer | None  # told of every launch; None costs nothing

    @property
    def is_gpu(self) -> bool:
        """Whether the CUDA twins run; else the Numba versions do."""

    @property
    def threads(self) -> int | None:
        """CPU threads; None on a GPU."""

    @property
    def device_name(self) -> str | None:
        """What the driver calls the GPU; None on a CPU."""

    @property
    def device_uuid(self) -> str | None:
        """Which GPU it is, of several of one name; None on a CPU and where it is not known."""

    @property
    def clock_max_hz(self) -> float | None:
        """The highest clock of the GPU; None where it is not known."""

    @property
    def graph_problem(self) -> str | None:
        """Why launches that repeat are not recorded, once recording has failed."""

    @property
    def worker_problem(self) -> str | None:
        """Why no other process can work on this GPU beside this one; None where one can."""

    # Told why, before a device that never answers ends this process; only a GPU does
    last_words: Callable[[str], None] | None

    # --- Memory ---
    def array(self, values: np.ndarray) -> DeviceArray:
        """A copy of a host array on the device, C-contiguous."""

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> DeviceArray:
        """An array of zeros on the device."""

    def host(self, array: DeviceArray) -> np.ndarray:
        """The device array's values on the host; on a CPU it may be the array itself."""

    def pieces(self, arrays: Sequence[DeviceArray]) -> Iterator[tuple[int, np.ndarray]]:
        """(number of the array, its next bytes on the host), of C-contiguous arrays one after another.

        Bytes are good until the next are asked for: more than a few pieces are never on the host at once.
        """

    def copy(self, target: DeviceArray, source: DeviceArray) -> None:
        """Overwrite a device array by another of its shape and type, where they are."""

    def fill(self, array: DeviceArray, values: np.ndarray) -> None:
        """Overwrite the first rows of a device array by host values, in place."""

    def free_bytes(self) -> int:
        """Bytes that arrays can have: of a GPU's memory what is free, on a CPU all that this process may use."""

    def lend(self, give_back: Callable[[], None]) -> None:
        """A method that lets go of device memory, called before an array fails for want of it; it is kept weakly."""

    def release(self) -> None:
        """Give unused memory back to the system."""

    # --- Launches ---
    def prepare(self, kernels: Iterable[Kernel]) -> int:
        """Compile on all cores what no cache holds; returns how many were compiled. Nothing on a CPU: see ``ahead``."""

    def launch(self, kernel: Kernel, *args: object) -> None:
        """Run one kernel; on a GPU it is only queued."""

    def recording(self) -> Recording:
        """A new store of launches that repeat."""

    def device_count(self) -> int:
        """GPUs that the driver shows to this process; 0 on a CPU."""

    # --- Time and energy ---
    def synchronize(self) -> None:
        """Wait for everything launched."""

    def clock(self) -> Stamp:
        """A stamp; the difference of two stamps is seconds."""

    def sm_clock(self) -> RegionClock | None:
        """A new reader of the multiprocessors' clock; None on a CPU."""

    def energy_meter(self) -> EnergyMeter | None:
        """A new reader of the board's energy counter; None on a CPU."""


class KernelTimes:
    """An observer that keeps the stamps of every launch, and the seconds of each kernel once they are asked for."""

    def __init__(self) -> None:
        self._launches: list[tuple[str, Stamp, Stamp]] = []

    def __call__(self, name: str, before: Stamp, after: Stamp) -> None:
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

"""Energy of one GPU as NVML counts it: informative, for the counter is refreshed slowly and covers the whole board.

Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

LEAST_S = 1.0  # a shorter time says nothing: the counter moves every tenth of a second or so


class Nvml(Protocol):
    """What is called of NVML's Python library."""

    def nvmlInit(self) -> None: ...
    def nvmlDeviceGetHandleByPciBusId(self, bus_id: bytes) -> object: ...
    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int: ...


class EnergyMeter:
    """Joules since the driver was loaded; None wherever they cannot be read."""

    def __init__(self, bus_id: str, nvml: Nvml | None = None) -> None:
        """``bus_id`` names the board (0000:01:00.0): the order of NVML is not that of CUDA."""
        self._millijoules = _open_counter(bus_id, nvml)

    def since(self, before: float | None, seconds: float) -> float | None:
        """Joules since a reading; None where it is not known, or the time too short."""
        now = self.joules()
        return None if before is None or now is None or seconds < LEAST_S else now - before

    def joules(self) -> float | None:
        if self._millijoules is None:
            return None
        try:
            return self._millijoules() * 1e-3
        except Exception:  # a board without the counter
            return None


def _open_counter(bus_id: str, nvml: Nvml | None) -> Callable[[], float] | None:
    """The board's counter, in mJ; None where there is none to read."""
    try:
        library = nvml if nvml is not None else _library()
        library.nvmlInit()
        handle = library.nvmlDeviceGetHandleByPciBusId(bus_id.encode())
        return lambda: float(library.nvmlDeviceGetTotalEnergyConsumption(handle))
    except Exception:  # no library, no driver, no rights: NVML raises its own types for each
        return None


def _library() -> Nvml:
    import pynvml

    return pynvml  # type: ignore[no-any-return]

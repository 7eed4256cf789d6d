"""Energy of one GPU as NVML counts it: informative, for the counter is refreshed slowly and covers the whole board.

Not yet run on a GPU.
"""

from __future__ import annotations

import time
from typing import Any

LEAST_S = 1.0  # a shorter time says nothing: the counter moves every tenth of a second or so


class EnergyMeter:
    """Joules since the driver was loaded; None wherever they cannot be read."""

    def __init__(self, bus_id: str, nvml: Any = None) -> None:
        """``bus_id`` names the board (0000:01:00.0): the order of NVML is not that of CUDA."""
        self._nvml, self._handle = nvml, None
        try:
            if self._nvml is None:
                import pynvml

                self._nvml = pynvml
            self._nvml.nvmlInit()
            self._handle = self._nvml.nvmlDeviceGetHandleByPciBusId(bus_id.encode())
        except Exception:  # no library, no driver, no rights: NVML raises its own types for each
            self._handle = None

    def since(self, before: float | None, seconds: float) -> float | None:
        """Joules since a reading; None where it is not known, or the time too short."""
        now = self.joules()
        return None if before is None or now is None or seconds < LEAST_S else now - before

    def of_frames(self, simulation: Any, renderer: Any, least_s: float, frames_most: int) -> dict[str, Any]:
        """Frames one after another, with nothing between them, for long enough that the counter moves."""
        frames, start, before = 0, time.monotonic(), self.joules()
        while frames == 0 or (time.monotonic() - start < least_s and simulation.frame < frames_most):
            simulation.advance_frame()
            renderer.surface(simulation)
            renderer.trace(simulation.frame)
            renderer.resolve()
            frames += 1
        simulation.backend.synchronize()
        after, seconds = self.joules(), time.monotonic() - start
        joules = None if before is None or after is None else (after - before) / frames
        return {"frames": frames, "seconds": seconds, "joules_per_frame": joules}

    def joules(self) -> float | None:
        if self._handle is None:
            return None
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) * 1e-3
        except Exception:  # a board without the counter
            return None

"""The emulator as a back-end: whole pipelines run on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bench.backend.numba_cpu import HostArrays
from bench.backend.protocol import Observer
from kernels.base.kernel import Kernel
from tests.emulator.launcher import Emulator, guarded


class EmulatorBackend(HostArrays):
    """Implements ``bench.backend.protocol.Backend``; arrays stand between guard zones."""

    name = "emulator"
    is_gpu = True
    threads: int | None = None
    observed_apart = False

    def __init__(self, device_sms: int = 2, checked: bool = False, seed: int = 0) -> None:
        self.emulator = Emulator(device_sms, checked, seed)
        self.observer: Observer | None = None
        self.launched: set[str] = set()  # names of the kernels that ran

    def array(self, values: np.ndarray) -> np.ndarray:
        made = guarded(values.shape, values.dtype)
        made[...] = values
        return made

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        return guarded(shape, dtype)

    def launch(self, kernel: Kernel, *args: Any) -> None:
        before = self.clock()
        self.launched.add(kernel.name)
        self.emulator.launch(kernel, *args)
        if self.observer is not None:
            self.observer(kernel.name, before, self.clock())

"""What stands around every call of the driver: the right device before it, one line for what fails in it.

Not yet run on a GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.backend import patience
from bench.base.errors import Unavailable, one_line

if TYPE_CHECKING:
    from bench.backend.cupy_gpu import CupyBackend


class Told:
    """One line for what the driver reports: a kernel that failed, a device that has gone, memory that is full.

    Inside, the thread's device is the back-end's, whichever it was before: several may be at work in one process.
    """

    __slots__ = ("_backend",)

    def __init__(self, backend: CupyBackend) -> None:
        self._backend = backend

    def __enter__(self) -> None:
        backend = self._backend
        if backend.lost is not None:
            raise Unavailable(backend.lost)
        backend.calls += 1
        backend.inside += 1
        try:
            # A thread that comes here first is on the driver's device 0; asking costs 0.1 us
            if backend.cuda.runtime.getDevice() != backend.device:
                backend.cuda.Device(backend.device).use()
        except BaseException as error:
            self.__exit__(type(error), error)
            raise

    def __exit__(self, kind: object, error: BaseException | None, *trace: object) -> None:
        backend = self._backend
        backend.inside -= 1
        if error is None or isinstance(error, Unavailable):
            return
        if isinstance(error, backend.out_of_memory):
            told = one_line(error)
            raise Unavailable(f"GPU {backend.device} ({backend.device_name}) is out of memory: {told}") from None
        if isinstance(error, backend.failures):
            raise Unavailable(patience.failure(backend.device, error)) from None

"""Host memory that looks like a device's, and copies to it that happen later than they are asked for."""

from __future__ import annotations

import ctypes
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.support.fake_cupy import FakeCupy

POISON = 0xA5  # what a copy brings whose source was freed too early


class FakeArray(np.ndarray):
    """Host memory that looks like a device array."""

    cupy: FakeCupy | None = None
    device = 0

    def __array_finalize__(self, parent: Any) -> None:
        self.cupy, self.device = getattr(parent, "cupy", None), getattr(parent, "device", 0)

    @property
    def data(self) -> Any:  # type: ignore[override]
        if self.cupy is not None:
            self.cupy.clocks.host_s += self.cupy.host_argument_s

        def copy_from_device_async(source: Any, size: int, stream: Any = None) -> None:
            if self.cupy is not None:
                self.cupy.used("copy", stream)
                self.cupy.copies.happen()
            self[...] = source.owner

        def copy_to_host_async(address: int, size: int, stream: Any = None) -> None:
            """The bytes of now, on the host once somebody has waited for them."""
            assert self.cupy is not None and self.flags.c_contiguous and size <= self.nbytes
            self.cupy.used("get", stream)
            self.cupy.copies.happen()
            ctypes.memset(address, POISON, size)
            now = self.tobytes()[:size]
            self.cupy.crossing.append(lambda: ctypes.memmove(address, now, size))

        return SimpleNamespace(
            ptr=self.ctypes.data if self.size else 0,
            owner=self,
            copy_from_device_async=copy_from_device_async,
            copy_to_host_async=copy_to_host_async,
        )

    def get(self) -> np.ndarray:
        if self.cupy is not None:
            self.cupy.used("get")
            self.cupy.waited()
            self.cupy.host_bytes_most = max(self.cupy.host_bytes_most, self.nbytes)
            self.cupy.deliver(None)  # it waits for what the stream had before
        return np.array(self.view(np.ndarray))

    def set(self, values: np.ndarray) -> None:
        assert isinstance(values, np.ndarray) and values.flags.c_contiguous
        assert values.shape == self.shape and values.dtype == self.dtype
        assert self.cupy is not None, "memory of no device"
        self.cupy.used("set")
        self.cupy.copies.queue(self, values)


class Copies:
    """From the host to the device: done when the device gets to them, which nobody knows before a wait."""

    def __init__(self) -> None:
        self._open: list[Copy] = []

    def queue(self, target: FakeArray, source: np.ndarray) -> None:
        self._open.append(Copy(target.view(np.ndarray), source))

    def happen(self) -> None:
        """The device has got to them."""
        for copy in self._open:
            copy.happen()

    def waited(self) -> None:
        """The host knows that they are done: sources may be freed from here on."""
        self.happen()
        lost = sum(copy.lost for copy in self._open)
        for copy in self._open:
            copy.close()
        self._open.clear()
        assert lost == 0, "the source of a copy was freed before anything waited for the copy"


class Copy:
    """One copy that is asked for: it does not keep its source."""

    def __init__(self, target: np.ndarray, source: np.ndarray) -> None:
        self.target, self.lost, self.done = target, False, False
        self._source: weakref.ref[np.ndarray] | None = weakref.ref(source, lambda _: self._freed())

    def happen(self) -> None:
        source = self._source() if self._source is not None else None
        if source is not None and not self.done:
            self.target[...] = source
        self.done = True

    def close(self) -> None:
        """What becomes of the source is nothing to it any more."""
        self._source = None

    def _freed(self) -> None:
        self.lost = True
        self.target.view(np.uint8)[...] = POISON

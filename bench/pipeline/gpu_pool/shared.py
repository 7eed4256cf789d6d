"""Memory that two processes have in common. It has no name: it is gone with the last of them, however they end.

On Linux it is a memory file (memfd), which does not count against the size of /dev/shm, 64 MB in many containers; on
other systems with descriptors an unlinked temporary file. Elsewhere arrays go through the pipe.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Mapping
from multiprocessing import reduction
from typing import Any

import numpy as np

from bench.base import units
from bench.base.errors import Unavailable

ALIGN_BYTES = 4096
Place = tuple[str, str, tuple[int, ...], int]  # name, type, shape, first byte of an array
Handed = list[Place] | dict[str, np.ndarray]  # what goes through the pipe: where arrays lie, or the arrays themselves


class SharedRoom:
    """Memory into which one process writes arrays and from which another reads them; it grows to what is written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None

    @classmethod
    def make(cls) -> SharedRoom | None:
        """A new one, of no size yet; None on a system where processes cannot have one in common."""
        if os.name != "posix":
            return None
        if hasattr(os, "memfd_create"):
            with contextlib.suppress(OSError):  # a kernel or a sandbox without it
                return cls(os.memfd_create("shotmark", os.MFD_CLOEXEC))
        try:
            with tempfile.TemporaryFile(prefix="shotmark-") as file:
                return cls(os.dup(file.fileno()))
        except OSError as error:
            raise Unavailable(f"{tempfile.gettempdir()}: memory to hand frames over: {error.strerror}") from None

    def write(self, arrays: Mapping[str, np.ndarray]) -> list[Place]:
        """Copy arrays in, over what was there, and say where they lie. Raises Unavailable where there is no room."""
        places: list[Place] = []
        end = 0
        for name, array in arrays.items():
            places.append((name, array.dtype.str, array.shape, end))
            end += -(-array.nbytes // ALIGN_BYTES) * ALIGN_BYTES
        if end > os.fstat(self._descriptor).st_size:
            self._grow(end)
        for place, views in zip(places, self._views(places).values(), strict=True):
            views[...] = arrays[place[0]]
        return places

    def read(self, places: list[Place]) -> dict[str, np.ndarray]:
        """The arrays where they lie, until the next ``write``."""
        return self._views(places)

    def close(self) -> None:
        """Let go of it on this side; arrays that were read stay as long as somebody has them."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._map = -1, None

    def _views(self, places: list[Place]) -> dict[str, np.ndarray]:
        size = os.fstat(self._descriptor).st_size
        if size and (self._map is None or len(self._map) < size):
            self._map = mmap.mmap(self._descriptor, size)  # views of the old one keep it as long as they live
        return {
            name: np.ndarray(shape, dtype, self._map, offset) if self._map is not None else np.empty(shape, dtype)
            for name, dtype, shape, offset in places
        }

    def _grow(self, size: int) -> None:
        """Take the memory now: a page that cannot be had later would kill the process that touches it."""
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._descriptor, 0, size)
            else:
                os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise Unavailable(
                f"{units.byte_size(size)} of memory to hand a frame to another process: {error.strerror};"
                " fewer GPUs (CUDA_VISIBLE_DEVICES) or a smaller --size need less"
            ) from None

    def __reduce__(self) -> tuple[Any, ...]:
        """To a process that is being started: its descriptor is handed down."""
        return _handed_down, (reduction.DupFd(self._descriptor),)


def _handed_down(descriptor: Any) -> SharedRoom:
    return SharedRoom(descriptor.detach())


def hand(room: SharedRoom | None, arrays: Mapping[str, np.ndarray]) -> Handed:
    """What has to go through the pipe for arrays to be on the other side."""
    return room.write(arrays) if room is not None else dict(arrays)


def taken(room: SharedRoom | None, handed: Handed) -> dict[str, np.ndarray]:
    """The arrays on the other side, until the next are handed over."""
    if isinstance(handed, dict):
        return handed
    assert room is not None
    return room.read(handed)

"""What crosses from a GPU to the host: large arrays in pieces, and what the driver says of a device.

An array of gigabytes is never on the host as a whole: one piece is read, by a hash or a copy, while the next crosses
into the other of two buffers. Their memory is pinned, so that the device writes it by itself. Not yet run on a GPU.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np

from bench.backend.protocol import CupyObject, DeviceArray

PIECE_BYTES = 32 * 2**20  # 0.6 ms on PCIe 5, 16 ms of hashing: a call of the driver counts for nothing
BUFFERS = 2  # one is read while the other is written

Told = Callable[[], AbstractContextManager[None]]  # around calls of the driver
Wait = Callable[[Callable[[int], int], CupyObject], None]  # a query of the driver's, and what is waited for


def pieces(
    arrays: Sequence[DeviceArray], cuda: CupyObject, stream: CupyObject, told: Told, wait: Wait, idle: list[np.ndarray]
) -> Iterator[tuple[int, np.ndarray]]:
    """(number of the array, its next bytes) of C-contiguous arrays; bytes are good until the next are asked for.

    ``idle`` keeps the buffers from one use to the next.
    """
    with told():
        buffers = [idle.pop() if idle else _pinned(cuda) for _ in range(BUFFERS)]
        events = [cuda.Event() for _ in range(BUFFERS)]
    plan = [
        (number, start, min(start + PIECE_BYTES, array.nbytes))
        for number, array in enumerate(arrays)
        for start in range(0, array.nbytes, PIECE_BYTES)
    ]

    def send(turn: int) -> None:
        number, start, end = plan[turn]
        slot = turn % BUFFERS
        with told():
            source = arrays[number].reshape(-1).view(np.uint8)[start:end]
            source.data.copy_to_host_async(buffers[slot].ctypes.data, end - start, stream)
            events[slot].record(stream)

    try:
        for turn in range(min(1, len(plan))):
            send(turn)
        for turn, (number, start, end) in enumerate(plan):
            if turn + 1 < len(plan):
                send(turn + 1)
            slot = turn % BUFFERS
            with told():
                wait(cuda.runtime.eventQuery, events[slot])
                events[slot].synchronize()
            yield number, buffers[slot][: end - start]
    finally:
        # A copy that nobody waited for is on the same stream as whatever is sent into the buffer next
        idle.extend(buffers)


def _pinned(cuda: CupyObject) -> np.ndarray:
    """A buffer that the device can write by itself; ordinary memory where the system pins no more."""
    try:
        memory = cuda.alloc_pinned_memory(PIECE_BYTES)
    except (cuda.runtime.CUDARuntimeError, MemoryError):
        return np.empty(PIECE_BYTES, np.uint8)
    return np.frombuffer(memory, np.uint8, PIECE_BYTES)


def uuid_text(value: object, is_slice: bool) -> str | None:
    """As NVML writes it; None where CuPy does not hand over all 16 bytes."""
    known = isinstance(value, bytes) and len(value) >= 16
    return f"{'MIG' if is_slice else 'GPU'}-{uuid.UUID(bytes=value[:16])}" if known else None  # type: ignore[index]


def as_text(value: str | bytes) -> str:
    """What the driver calls something."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

"""Parameters of a launch as the driver reads them: values one behind the other, and the address of each.

Packed once for all passes of a kernel. What was packed is kept: a block is found again by its values' own bytes, and
never changed, so that no launch of another thread can change it either. CuPy's own way asks each array for its
interface at each pass, 4.3 us an array. Not yet run on a GPU.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.backend.protocol import DeviceArray

ARRAY = struct.Struct("<Qqii").pack  # struct Array of common.cuh, which an entry takes by value: 24 bytes
WHOLE = struct.Struct("<q").pack
PADDING = b"\0\0\0\0"  # behind a float32: every value begins at a multiple of eight bytes, as the driver may ask for
SCALARS: dict[type, Callable[[Any], bytes]] = {
    np.float32: lambda value: value.tobytes() + PADDING,
    bytes: lambda value: value,  # a vector that goes by value: a multiple of eight bytes
    np.bool_: lambda value: WHOLE(int(value)),
    **dict.fromkeys((int, bool, *(np.dtype(code).type for code in "bBhHiIlLqQ")), WHOLE),
}
DIMENSIONS_MOST = 3
BLOCKS_MOST = 64  # of one kernel: emission changes its numbers each substep, growth of arrays their addresses
ADDRESS_BYTES = 8


class Block:
    """The parameters of one launch. They live until the call returns: the driver copies them, into a graph too."""

    __slots__ = ("_memory", "address")

    def __init__(self, values: tuple[bytes, ...]) -> None:
        behind = ADDRESS_BYTES * len(values)
        self._memory = ctypes.create_string_buffer(behind + sum(map(len, values)))
        self.address = ctypes.addressof(self._memory)  # of the addresses, which come first
        places, at = [], behind
        for value in values:
            places.append(self.address + at)
            at += len(value)
        content = struct.pack(f"<{len(places)}Q", *places) + b"".join(values)
        ctypes.memmove(self._memory, content, len(content))


class Parameters:
    """Blocks of one kernel."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[tuple[bytes, ...], Block] = {}

    def block(self, values: tuple[object, ...]) -> Block:
        """The block of these values. Raises TypeError."""
        key = tuple(map(packed, values))
        found = self._blocks.get(key)
        if found is None:
            if len(self._blocks) >= BLOCKS_MOST:
                self._blocks = {}  # those in use are made anew, which costs less than looking which they are
            found = self._blocks[key] = Block(key)
        return found

    def __len__(self) -> int:
        return len(self._blocks)


def packed(value: DeviceArray) -> bytes:
    """What an entry takes: an array as the 24 bytes of ``Array``, a whole number as int64, others as float32.

    Raises TypeError.
    """
    scalar = SCALARS.get(type(value))
    if scalar is not None:
        return scalar(value)
    shape = getattr(value, "shape", None)
    if not shape:
        raise TypeError(f"{type(value).__name__}: expected an array, a whole number or a float32")
    if not value.flags.c_contiguous or len(shape) > DIMENSIONS_MOST:
        raise TypeError(f"an array of shape {shape}: expected C-contiguous, at most {DIMENSIONS_MOST} axes")
    return ARRAY(value.data.ptr, *shape, *(1, 1)[: DIMENSIONS_MOST - len(shape)])


assert ctypes.sizeof(ctypes.c_void_p) == ADDRESS_BYTES

"""Short vectors that a GPU gets among the parameters of a launch: ``Words`` of the CUDA text, no arrays in its memory.

A multiprocessor reads them through the cache of constants, which nothing else of the tracer uses.
"""

from __future__ import annotations

import numpy as np

from kernels.base.constants import PARAMETER_WORDS
from kernels.base.kernel import Kernel


def by_value(kernel: Kernel, values: tuple[object, ...]) -> tuple[object, ...]:
    """The arguments of a launch, those that the kernel names as the bytes of ``Words``. Raises TypeError."""
    if not kernel.by_value:
        return values
    named = zip(kernel.argument_names, values, strict=True)
    return tuple(words(value) if name in kernel.by_value else value for name, value in named)


def words(value: object) -> bytes:
    """A vector on the host as ``Words``, which an entry takes by value: padded to its length. Raises TypeError."""
    if not isinstance(value, np.ndarray) or value.dtype != np.float32 or value.size > PARAMETER_WORDS:
        raise TypeError(f"{type(value).__name__}: expected at most {PARAMETER_WORDS} float32 on the host")
    return value.tobytes().ljust(4 * PARAMETER_WORDS, b"\0")

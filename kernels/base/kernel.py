"""What is known of every kernel: its function, its arguments, what it costs.

Traffic counts follow RAJAPerf: ideal traffic to main memory for one launch, perfect
caching inside it, none between launches; every address counts in one counter only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Traffic:
    """Work of one launch."""

    items: int  # what the kernel's rate is quoted in: particles, nodes, voxels, samples
    bytes_read: int
    bytes_written: int
    flops: int  # a fused multiply-add counts two
    atomics: int = 0  # read-modify-writes that a GPU twin would make atomic

    @property
    def traffic_bytes(self) -> int:
        return self.bytes_read + self.bytes_written


@dataclass(frozen=True)
class Pass:
    """One launch of a kernel's CUDA twin; the next one starts when it is done. Blocks stay and loop over the items."""

    entry: str  # the ``extern "C" __global__`` function; it takes all the kernel's arguments
    threads: int = 256  # of a block
    blocks_per_sm: int = 8  # 0: one single block
    shared_bytes: int = 0  # dynamic shared memory of a block

    def blocks(self, multiprocessors: int) -> int:
        return max(1, self.blocks_per_sm * multiprocessors)


@dataclass(frozen=True)
class Kernel:
    """One kernel. Arguments stand in the order counts, scalars, ``*_in``, ``*_inout``, ``*_out``."""

    name: str
    item: str  # the name of one item, singular: "particle", "node", "sample"
    cpu: Callable[..., Any]  # the Numba function
    traffic: Callable[..., Traffic]  # the same arguments, after the launch
    example: Callable[[np.random.Generator, int], dict[str, Any]]  # size -> arguments by name
    unordered: tuple[str, ...] = ()  # outputs whose elements may change places; a later kernel puts them in order
    scratch: tuple[str, ...] = ()  # arguments that only carry work from pass to pass: never compared
    summed: tuple[str, ...] = ()  # outputs of which only the sum over rows is stated: a row is what one task did
    by_value: tuple[str, ...] = ()  # vectors of float32 that stay on the host: a GPU gets them among the parameters
    passes: tuple[Pass, ...] = ()  # launches of the CUDA twin, in order; none stated: one of the kernel's own name

    def __post_init__(self) -> None:
        if not self.passes:
            object.__setattr__(self, "passes", (Pass(self.name),))

    @property
    def argument_names(self) -> tuple[str, ...]:
        function = getattr(self.cpu, "py_func", self.cpu)
        return tuple(inspect.signature(function).parameters)

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(n for n in self.argument_names if n.endswith(("_out", "_inout")))

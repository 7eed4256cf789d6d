"""What every kernel says about itself: its function, its arguments, what it costs.

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
class Kernel:
    """One kernel. Arguments stand in the order counts, scalars, ``*_in``, ``*_inout``, ``*_out``."""

    name: str
    item: str  # the name of one item, singular: "particle", "node", "sample"
    cpu: Callable[..., Any]  # the Numba function
    traffic: Callable[..., Traffic]  # the same arguments, after the launch
    example: Callable[[np.random.Generator, int], dict[str, Any]]  # size -> arguments by name
    unordered: tuple[str, ...] = ()  # outputs whose elements may change places; a later kernel puts them in order

    @property
    def argument_names(self) -> tuple[str, ...]:
        function = getattr(self.cpu, "py_func", self.cpu)
        return tuple(inspect.signature(function).parameters)

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(n for n in self.argument_names if n.endswith(("_out", "_inout")))

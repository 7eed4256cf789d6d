"""Compile for every back-end of a run before it starts: on all cores, kept on disk, and no part of a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.backend.ahead import Ahead, compile_ahead
from bench.backend.protocol import Backend
from bench.base.progress import Progress


def prepare(backends: Sequence[Backend], progress: Progress) -> Ahead:
    """Fill Numba's cache for the CPU; a GPU's is filled through its own compiler."""
    made = compile_ahead(progress) if any(one.name == "numba" for one in backends) else Ahead(0, 0.0)
    for backend in backends:
        compile_for_device = getattr(backend, "prepare", None)
        if compile_for_device is not None:
            from kernels.base.registry import all_kernels

            start = time.perf_counter()
            count = compile_for_device(all_kernels().values())
            made = Ahead(made.kernel_count + count, made.wall_s + time.perf_counter() - start)
    return made

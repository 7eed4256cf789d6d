"""Compile for every back-end of a run before it starts: on all cores, kept on disk, and no part of a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.backend.ahead import Ahead, CompiledModule, compile_ahead
from bench.backend.protocol import Backend
from bench.base.progress import Progress


def prepare(backends: Sequence[Backend], progress: Progress, modules: Sequence[CompiledModule] = ()) -> Ahead:
    """Fill Numba's cache for the CPU, with the ``modules`` too; a GPU's is filled through its own compiler."""
    made = compile_ahead(progress, modules) if any(not one.is_gpu for one in backends) else Ahead(0, 0.0)
    for backend in backends:
        if backend.is_gpu:
            from kernels.base.registry import all_kernels

            start = time.perf_counter()
            count = backend.prepare(all_kernels().values())
            made = Ahead(made.kernel_count + count, made.wall_s + time.perf_counter() - start)
    return made

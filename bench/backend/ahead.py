"""Compile the kernels ahead, on all cores: Numba compiles one function at a time, and there are some thirty.

Workers are processes that call each kernel once with its own small example; the machine code lands in Numba's cache on
disk, where the run finds it. Types are part of a kernel's contract, so an example has those of a real call. Nothing
depends on this: what a worker does not finish is compiled on first use.

Other modules may hold compiled functions as well; the caller hands them over (``CompiledModule``). A worker knows one
from a kernel by the dot in its name.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.backend.limits import usable_cores
from bench.backend.protocol import Backend
from bench.base.progress import COMPILE, Progress
from kernels.base.registry import all_kernels, kernel_named

WORKERS_MAX = 4  # the tracer alone takes a fourth of the time
WORTHWHILE = 4  # kernels; fewer are compiled on first use
EXAMPLE_SIZE = 8
WAIT_S = 0.2  # between two looks at what is compiled


class CompiledModule(Protocol):
    """A module with functions of its own that Numba compiles."""

    __name__: str

    def cache_folder(self) -> str:
        """Where Numba keeps their machine code."""

    def compile_now(self) -> None:
        """Call each once."""


@dataclass(frozen=True)
class Ahead:
    """What was compiled ahead."""

    kernel_count: int
    wall_s: float


def uncached(modules: Sequence[CompiledModule] = (), kernels: bool = True) -> list[str]:
    """Names of the kernels, if they are asked for, and of other modules, that Numba's disk cache does not hold."""
    from kernels.base import cache, registry

    folders = [(module.__name__, module.cache_folder()) for module in modules]
    folders += [(name, registry.cache_folder(name)) for name in registry.kernel_names() if kernels]
    return [name for name, folder in folders if not cache.drop_damaged(Path(folder))]


def families(names: list[str]) -> list[list[str]]:
    """Modules each alone, then kernels by prefix, the family with most source first.

    Before anything is allocated, a shot's memory is asked for, and that fills bodies: modules come first.

    A kernel's example may run others of its family: two workers in one family would compile the same kernels.
    """
    from kernels.base import registry

    found: dict[str, list[str]] = {}
    for name in sorted(name for name in names if "." not in name):
        found.setdefault(name.partition("_")[0], []).append(name)
    kernels = sorted(found.values(), key=lambda family: -sum(map(registry.source_bytes, family)))
    return [*([name] for name in names if "." in name), *kernels]


class Compiling:
    """Workers that fill Numba's cache while the caller does something else; ``end`` has to follow."""

    def __init__(self, names: Sequence[str], progress: Progress) -> None:
        self._begun_s = self._last_s = time.perf_counter()
        self._done: list[str] = []  # names, as they come out of the workers
        self._names = frozenset(names)
        self._progress = progress
        waiting: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        workers = min(WORKERS_MAX, usable_cores())
        worthwhile = len(names) >= WORTHWHILE or any("." in name for name in names)
        found = families(list(names)) if workers > 1 and worthwhile else []
        for family in found:
            waiting.put(family)
        if found:
            progress.begin(COMPILE, len(names))
        self._processes: list[subprocess.Popen[str]] = []
        with contextlib.suppress(OSError):  # nothing depends on them: what cannot start compiles nothing ahead
            for _ in range(workers if found else 0):
                self._processes.append(_start_worker())
        self._threads = [
            threading.Thread(target=self._feed, args=(process, waiting), daemon=True) for process in self._processes
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, names: Collection[str] | None = None, left_s: float = math.inf) -> bool:
        """Until these are compiled, or everything, or no worker is left that could; whether it came in time."""
        until = time.monotonic() + left_s
        for thread in self._threads:
            while thread.is_alive():  # a join without a limit would keep Ctrl-C waiting
                if names is not None and self._names & set(names) <= set(self._done):
                    return True
                if time.monotonic() > until:
                    return False
                thread.join(WAIT_S)
        return True

    def __enter__(self) -> Compiling:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    @property
    def working(self) -> bool:
        """Whether something is still to come."""
        return any(thread.is_alive() for thread in self._threads)

    def end(self) -> Ahead:
        """End the workers, whatever they are at; what they made, and how long that took."""
        for process in self._processes:
            process.kill()
            with contextlib.suppress(OSError, ValueError):  # a pipe that broke with its worker
                process.communicate()
        if self._processes:
            self._progress.end(COMPILE, f"{len(self._done)} kernels, kept for the next run")
        self._processes = []
        return Ahead(len(self._done), self._last_s - self._begun_s)

    def _feed(self, process: subprocess.Popen[str], waiting: queue.SimpleQueue[list[str]]) -> None:
        """Give one worker a family at a time, name by name; a worker that dies gets no more."""
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError, ValueError, queue.Empty):
            while True:
                for name in waiting.get_nowait():
                    print(name, file=process.stdin, flush=True)
                    if not process.stdout.readline():
                        return
                    self._done.append(name)
                    self._last_s = time.perf_counter()
                    self._progress.at(COMPILE, len(self._done), name)


def begin(backends: Sequence[Backend], progress: Progress, modules: Sequence[CompiledModule] = ()) -> Compiling:
    """Begin to fill Numba's cache with what these back-ends will ask for; a GPU runs the ``modules`` alone."""
    return Compiling(uncached(modules, kernels=any(not one.is_gpu for one in backends)), progress)


def compile_ahead(progress: Progress, modules: Sequence[CompiledModule] = ()) -> Ahead:
    """Fill Numba's cache with what is missing. Ctrl-C ends the workers."""
    with Compiling(uncached(modules), progress) as compiling:
        compiling.wait()
        return compiling.end()


def _start_worker() -> subprocess.Popen[str]:
    from kernels.base import cache

    # One thread each: the other cores have workers of their own.
    return subprocess.Popen(
        [sys.executable, "-m", "bench.backend.ahead"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "NUMBA_NUM_THREADS": "1", cache.NUMBA_VARIABLE: str(cache.folder_of_code())},
        start_new_session=True,  # Ctrl-C is answered by the parent, once
    )


def prepare(
    backends: Sequence[Backend],
    progress: Progress,
    modules: Sequence[CompiledModule] = (),
    begun: Compiling | None = None,
) -> Ahead:
    """Fill Numba's cache for the CPU, with the ``modules`` too; a GPU's is filled through its own compiler beside.

    ``begun`` is what ``begin`` gave, where that was called before.
    """
    with begun or begin(backends, progress, modules) as compiling:
        start, count = time.perf_counter(), 0
        for backend in backends:
            if backend.is_gpu:
                count += backend.prepare(all_kernels().values())
        on_gpu_s = time.perf_counter() - start
        compiling.wait()
        made = compiling.end()
    return Ahead(made.kernel_count + count, max(made.wall_s, on_gpu_s))


def main() -> None:
    """A worker: names come in by line, and go out again when they are compiled."""
    import numpy as np

    for line in sys.stdin:
        name = line.strip()
        if "." in name:
            importlib.import_module(name).compile_now()
        else:
            kernel = kernel_named(name)
            arguments = kernel.example(np.random.default_rng(0), EXAMPLE_SIZE)
            kernel.cpu(*[arguments[key] for key in kernel.argument_names])
        print(name, flush=True)


if __name__ == "__main__":
    main()

"""python -m tests.bench.backend.cuda.host_cost: what the host does for the launches of water, substeps and sound steps.

Processor time on this machine, with a driver that does nothing: a real one takes some 2 us a launch more. The arrays
are CuPy's where CuPy is installed (it needs no device for that), else the fake's, which are slower to read.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.backend.cuda.parameters import Parameters
from bench.backend.cupy_gpu import CupyBackend
from kernels.base import source
from kernels.base.kernel import Kernel
from kernels.base.registry import all_kernels
from tests.support.fake_cupy import FakeCupy

LAUNCHES = {
    "substep": ("mpm_sort", "mpm_p2g", "mpm_grid", "mpm_g2p", "mpm_control"),
    "further sound step": ("mpm_strain", "mpm_control", "mpm_push", "mpm_grid"),
}
ROUNDS, CALLS = 30, 300


def arrays() -> tuple[str, list[Any]]:
    """Eight arrays, and whose they are."""
    shape = (1000, 4)
    try:
        import cupy
    except ImportError:
        fake = FakeCupy()
        return "fake", [fake.zeros(shape, np.float32) for _ in range(8)]
    memory = cupy.cuda.UnownedMemory(2**40, 2**30, None, device_id=0)
    places = (cupy.cuda.MemoryPointer(memory, n * 2**16) for n in range(8))
    return f"CuPy {cupy.__version__}", [cupy.ndarray(shape, np.float32, place) for place in places]


def least_us(call: Callable[[], object]) -> float:
    """Microseconds of a call: the least of the rounds."""
    found = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        for _ in range(CALLS):
            call()
        found.append((time.thread_time() - start) / CALLS * 1e6)
    return min(found)


def values_of(kernel: Kernel, held: list[Any]) -> list[Any]:
    entry = source.entries(source.assemble(kernel.name))[kernel.passes[0].entry]
    scalars = {"float": np.float32(1)}
    return [
        held[n % len(held)] if parameter.element else scalars.get(parameter.type, 5)
        for n, parameter in enumerate(entry.parameters)
    ]


def main() -> None:
    whose, held = arrays()
    kept = Parameters()
    one, eight = (least_us(lambda count=count: kept.block(tuple(held[:count]))) for count in (1, 8))  # type: ignore[misc]
    print(f"arrays of {whose}: {(eight - one) / 7:.2f} us an array and launch")
    with tempfile.TemporaryDirectory() as folder:
        gpu = CupyBackend(0, FakeCupy(), Path(folder))
        gpu._launch_kernel = lambda *parameters: None
        for what, names in LAUNCHES.items():
            launches = [(kernel, values_of(kernel, held)) for kernel in map(all_kernels().__getitem__, names)]
            for kernel, _ in launches:
                gpu._load(kernel)

            def launched(launches: list[tuple[Kernel, list[Any]]] = launches) -> None:
                for kernel, values in launches:
                    gpu.launch(kernel, *values)

            passes = sum(len(kernel.passes) for kernel, _ in launches)
            arguments = sum(len(values) for _, values in launches)
            print(f"a {what}: {passes} passes, {arguments} arguments, {least_us(launched):.0f} us")


if __name__ == "__main__":
    main()

"""The ``mpm3d`` example that the taichi package ships, driven from outside.

A program of its own: THREADS SUBSTEPS. The example's text is taken as it is; only its back-end becomes the CPU
with a number of threads, and its size the one of 128^3 cells that it ships as a comment. Each line on standard
input runs SUBSTEPS substeps and answers their seconds.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from bench.measure.peers.protocol import answer

EXAMPLE = Path("examples", "simulation", "mpm3d.py")
BACKEND = "ti.init(arch=ti.gpu)"
SIZE_32 = "\ndim, n_grid, steps, dt = 3, 32, 25, 4e-4"
SIZE_128 = "\n# dim, n_grid, steps, dt = 3, 128, 25, 8e-5"


def shipped_text() -> str:
    spec = importlib.util.find_spec("taichi")
    folder = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else Path()
    return (folder / EXAMPLE).read_text(encoding="utf-8")


def at_128(text: str, threads: int) -> str:
    """The example for the CPU and 128^3; raises ValueError where a newer taichi ships another text."""
    for part in (BACKEND, SIZE_32, SIZE_128):
        if text.count(part) != 1:
            raise ValueError(f"the mpm3d example of this taichi has no {part.strip()!r}")
    text = text.replace(BACKEND, f"ti.init(arch=ti.cpu, cpu_max_num_threads={threads}, random_seed=1)")
    return text.replace(SIZE_32, "").replace(SIZE_128, SIZE_128.replace("# ", ""))


def load(text: str) -> ModuleType:
    """Import it from a file of its own: taichi reads the source of its kernels."""
    path = Path(tempfile.mkdtemp(prefix="shotmark-")) / "shipped_mpm3d.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("shipped_mpm3d", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(threads: int, substeps: int) -> None:
    import taichi as ti

    example = load(at_128(shipped_text(), threads))
    example.init()
    example.substep()  # compiles
    ti.sync()
    answer(
        version=".".join(map(str, ti.__version__)),
        particles=int(example.n_particles),
        cells=int(example.n_grid),
        dt_s=float(example.dt),
    )
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(substeps):
            example.substep()
        ti.sync()
        answer(seconds=time.perf_counter() - start, substeps=substeps)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

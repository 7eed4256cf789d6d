"""A new kernel takes two files and the line that calls it: tried in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.source_tree import ROOT, tracked

PYTHON_FILE = '''"""Slow every particle down a little: v = v * SLOW.

velocity_inout float32[>=n, 12]: x y z and the affine part (m/s, 1/s).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, kernel
from kernels.base.constants import COUNT_PARTICLES, COUNT_WORDS
from kernels.base.kernel import Kernel, Pass, Traffic

SLOW = F32(0.99)


@kernel
def cpu(counts_in, velocity_inout):
    for p in numba.prange(counts_in[COUNT_PARTICLES]):
        for c in range(12):
            velocity_inout[p, c] = velocity_inout[p, c] * SLOW


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    return Traffic(items=particles, bytes_read=48 * particles, bytes_written=48 * particles, flops=12 * particles)


def example(rng, size):
    counts = np.zeros(COUNT_WORDS, np.int32)
    counts[COUNT_PARTICLES] = size
    return {"counts_in": counts, "velocity_inout": rng.standard_normal((size + 3, 12)).astype(np.float32)}


KERNEL = Kernel(
    name="mpm_slow",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("mpm_slow", threads=128),),
)
'''
CUDA_FILE = """#include "common.cuh"

extern "C" __global__ void __launch_bounds__(128) mpm_slow(Array<const int> counts_in, Array<float> velocity_inout) {
  long long words = counts_in[COUNT_PARTICLES] * 12LL, stride = (long long)gridDim.x * blockDim.x;
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < words; i += stride) {
    velocity_inout[i] = velocity_inout[i] * SLOW;
  }
}
"""
CALL_AFTER = re.compile(r"( +)self\._run\(mpm_g2p\.KERNEL\)\n")
CALL = r'\g<0>\1self._run(mpm_slow.KERNEL, velocity_inout=self._other["velocity"])\n'
IMPORT_BEFORE = ", mpm_sort\n"
CHECKS = (
    "tests/house/test_house.py",
    "tests/house/test_house_kernels.py",
    "tests/house/test_house_cuda.py",
    "tests/kernels/base/test_cuda_compile.py::test_every_twin_compiles[sm_90]",
    "tests/bench/backend/test_ahead_types.py",
    "tests/emulator/test_emulated_gpu.py",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one more kernel."""
    folder = tmp_path_factory.mktemp("copy")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "kernels/mpm/mpm_slow.py").write_text(PYTHON_FILE)
    (folder / "kernels/mpm/mpm_slow.cu").write_text(CUDA_FILE)
    simulate = folder / "bench/pipeline/simulate.py"
    text = simulate.read_text()
    text, calls = CALL_AFTER.subn(CALL, text)
    assert calls == 1 and text.count(IMPORT_BEFORE) == 1
    text = text.replace(IMPORT_BEFORE, f", mpm_slow{IMPORT_BEFORE}")
    simulate.write_text(text)
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return folder


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """pytest in the copy, that nothing of this checkout gets into but the libraries that are built already."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    environment.setdefault("SHOTMARK_EMULATOR_CACHE", str(ROOT / ".emulator-cache"))
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", *words]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_it_is_found_checked_compiled_and_run(copy: Path) -> None:
    done = run(copy, *CHECKS, "-m", "not slow")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "mpm_slow " in done.stdout, "it stands in the table of what entries take"
    done = run(copy, "tests/kernels/test_twins.py", "-k", "mpm_slow")
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout[-3000:]


@pytest.mark.slow
def test_its_twin_is_held_to_it(copy: Path) -> None:
    twin = copy / "kernels/mpm/mpm_slow.cu"
    try:
        twin.write_text(CUDA_FILE.replace("* SLOW", "* ONE"))
        done = run(copy, "tests/kernels/test_twins.py", "-k", "mpm_slow-example")
        assert done.returncode == 1 and "velocity_inout: " in done.stdout, done.stdout[-3000:]
        twin.write_text(
            CUDA_FILE.replace("counts_in, Array<float> velocity_inout", "velocity_inout, Array<float> counts_in")
        )
        done = run(copy, "tests/house/test_house_cuda.py", "-k", "mpm_slow")
        assert done.returncode == 1, done.stdout[-3000:]
    finally:
        twin.write_text(CUDA_FILE)

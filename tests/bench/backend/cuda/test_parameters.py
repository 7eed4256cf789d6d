"""Parameters of a launch: what the driver reads, how often it is packed, and that what is kept stays little."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.cuda.by_value import words
from bench.backend.cuda.parameters import BLOCKS_MOST, Block, Parameters, packed
from bench.backend.cupy_gpu import CupyBackend
from kernels.base import source
from kernels.base.constants import PARAMETER_WORDS
from kernels.base.kernel import Kernel, Pass
from tests.support.fake_cupy import FakeCupy
from tests.support.source_tree import ROOT

TEXT = "".join(
    f'extern "C" __global__ void toy_{n}(long long n, float x, Array<const float> a_in, Array<float> b_out) {{}}\n'
    for n in range(3)
)
ARGUMENT_S = 1e-6


def toy() -> Kernel:
    return Kernel(
        name="toy",
        item="thing",
        cpu=lambda n, x, a_in, b_out: None,
        traffic=lambda: None,  # type: ignore[arg-type, return-value]
        example=lambda rng, size: {},
        passes=tuple(Pass(f"toy_{n}") for n in range(3)),
    )


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[CupyBackend, FakeCupy, list[Any]]:
    """A back-end, its CuPy, and the values of each pass as the driver read them."""
    calls: list[Any] = []
    monkeypatch.setattr(source, "assemble", lambda name: TEXT)
    cupy = FakeCupy(execute=lambda text, name, blocks, threads, values, shared: calls.append(values))
    cupy.host_argument_s = ARGUMENT_S
    return CupyBackend(0, cupy, tmp_path), cupy, calls


def test_an_array_is_handed_over_as_24_bytes(given: Any) -> None:
    gpu, _, _ = given
    held = gpu.zeros((5, 3), np.float32)
    bytes_ = np.uint64(held.data.ptr).tobytes() + np.int64(5).tobytes() + np.int32(3).tobytes() + np.int32(1).tobytes()
    assert packed(held) == bytes_
    assert packed(gpu.zeros(0, np.int32)) == bytes(16) + np.int32([1, 1]).tobytes()


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (3, np.int64(3)),
        (True, np.int64(1)),
        (np.bool_(True), np.int64(1)),
        (np.int32(-3), np.int64(-3)),
        (np.float32(-0.0), np.float32(-0.0)),
        (np.uint32(0x7FC01234).view(np.float32), np.uint32(0x7FC01234)),
    ],
)
def test_scalars_have_the_width_of_the_entry(value: Any, want: Any) -> None:
    assert packed(value) == want.tobytes() + bytes(8 - want.nbytes)


@pytest.mark.parametrize(
    "value",
    [0.5, np.float64(0.5), "x", None, np.zeros((), np.float32), np.zeros((4, 4)).T[::2], np.zeros((1, 2, 3, 4))],
)
def test_what_an_entry_cannot_take_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        packed(value)


def test_a_vector_goes_by_value_and_padded() -> None:
    """Read as the tracer does, whatever length it has; what a kernel does not name stays an array on the device."""
    vector = np.arange(5, dtype=np.float32)
    passed = packed(words(vector))
    assert len(passed) == 4 * PARAMETER_WORDS and len(passed) % 8 == 0
    found = np.frombuffer(passed, np.float32)
    assert found[:5].tolist() == vector.tolist() and not found[5:].any()
    for wrong in (np.zeros(65, np.float32), np.zeros(4), [1.0]):
        with pytest.raises(TypeError, match="at most 64 float32 on the host"):
            words(wrong)


def test_a_block_holds_the_addresses_of_its_values() -> None:
    values = (b"a" * 24, b"b" * 8, b"c" * 24)
    block = Block(values)
    places = (ctypes.c_uint64 * 3).from_address(block.address)
    assert [ctypes.string_at(place, len(value)) for place, value in zip(places, values)] == list(values)
    assert all(place % 8 == 0 for place in places)


def test_arguments_are_read_once_a_launch_and_not_once_a_pass(given: Any) -> None:
    """CuPy's own call reads them for every pass: 4.3 us an array, 0.45 ms a substep of water."""
    gpu, cupy, calls = given
    a, b = gpu.zeros(4, np.float32), gpu.zeros(4, np.float32)
    gpu.launch(toy(), 7, np.float32(0.5), a, b)
    before = cupy.clocks.host_s
    gpu.launch(toy(), 7, np.float32(0.5), a, b)
    assert cupy.clocks.host_s - before == pytest.approx(2 * ARGUMENT_S)
    assert [values[0] for values in calls] == [7] * 6
    assert {values[2]["data"] for values in calls} == {a.ctypes.data}
    assert {(values[1], values[3]["shape0"]) for values in calls} == {(np.float32(0.5), 4)}


def test_equal_values_are_packed_once(given: Any) -> None:
    gpu, _, _ = given
    kept, a = Parameters(), gpu.zeros(4, np.float32)
    first = kept.block((1, np.float32(0.0), a))
    assert kept.block((1, np.float32(0.0), a)) is first and kept.block((1, np.float32(0.0), a[:4])) is first
    others = [(2, np.float32(0.0), a), (1, np.float32(-0.0), a), (1, np.float32(0.0), a[:3]), (1, a, np.float32(0.0))]
    assert len({id(kept.block(values)) for values in others} | {id(first)}) == 5


def test_what_is_kept_does_not_grow_with_emission_or_with_new_arrays(given: Any) -> None:
    gpu, _, calls = given
    a, b = gpu.zeros(64, np.float32), gpu.zeros(4, np.float32)
    for n in range(1000):  # a number of its own each time, as emission has; an address, as what grows has
        gpu.launch(toy(), n, np.float32(n), a[n % 60 :], b)
    assert [int(values[0]) for values in calls[::3]] == list(range(1000))
    assert 0 < len(gpu._kernels["toy"].parameters) <= BLOCKS_MOST


def test_threads_do_not_write_into_each_other_s_parameters(given: Any) -> None:
    gpu, _, calls = given
    a, b = gpu.zeros(4, np.float32), gpu.zeros(4, np.float32)
    gpu.launch(toy(), 0, np.float32(0), a, b)
    calls.clear()

    def many(first: int) -> None:
        for n in range(first, first + 300):
            gpu.launch(toy(), n, np.float32(n), a, b)

    threads = [threading.Thread(target=many, args=(first,)) for first in (0, 10_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(values[1] == np.float32(values[0]) for values in calls)
    assert sorted({int(values[0]) for values in calls}) == [*range(300), *range(10_000, 10_300)]


DRIVER = """
#include <stdio.h>
#include <string.h>
typedef struct { unsigned long long data; long long shape0; int shape1, shape2; } Array;
int cuDriverGetVersion(int* version) { *version = 12040; return 0; }
int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void* stream, void** parameters, void** extra) {
  Array a; long long n; float x;
  memcpy(&a, parameters[0], 24); memcpy(&n, parameters[1], 8); memcpy(&x, parameters[2], 4);
  printf("%p %u %u %u %u %u %u %u %p %d ", f, gx, gy, gz, bx, by, bz, shared, stream, extra == 0);
  printf("%llx %lld %d %d %lld %g\\n", a.data, a.shape0, a.shape1, a.shape2, n, x);
  return 0;
}
"""
LAUNCH = """
import cupy, numpy as np
from bench.backend.cuda.parameters import Parameters
memory = cupy.cuda.UnownedMemory(0x7F0000000000, 2**20, None, device_id=0)
array = cupy.ndarray((5, 3), np.float32, cupy.cuda.MemoryPointer(memory, 0))
block = Parameters().block((array, -7, np.float32(0.25)))
cupy.cuda.driver.launchKernel(0x1234, 10, 1, 1, 256, 1, 1, 99, 0x55, block.address, 0)
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler")
def test_the_real_cupy_hands_them_to_the_driver_as_they_are(tmp_path: Path) -> None:
    """In place of the driver a library that prints what it is called with."""
    pytest.importorskip("cupy")
    (tmp_path / "driver.c").write_text(DRIVER)
    library = tmp_path / "libcuda.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "driver.c")], check=True)
    paths = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", LAUNCH], env=environment, capture_output=True, text=True)
    assert done.stdout == "0x1234 10 1 1 256 1 1 99 0x55 1 7f0000000000 5 3 1 -7 0.25\n", done.stderr

"""Several devices, streams and threads in one process: all goes to the back-end's own; copies keep their source."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.cupy_gpu import CupyBackend
from bench.base.errors import Unavailable
from kernels.base import source
from kernels.base.kernel import Kernel
from tests.support.fake_cupy import CudaRuntimeError, FakeCupy, FakeGpu

TEXT = 'extern "C" __global__ void toy(long long n, Array<float> x_out) {}'
TOY = Kernel(
    name="toy",
    item="thing",
    cpu=lambda n, x_out: None,
    traffic=lambda: None,  # type: ignore[arg-type, return-value]
    example=lambda rng, size: {},
)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FakeCupy, list[CupyBackend]]:
    """Two back-ends on two devices."""
    monkeypatch.setattr(source, "assemble", lambda name: TEXT)
    cupy = FakeCupy(gpus=(FakeGpu("first"), FakeGpu("second")))
    return cupy, [CupyBackend(number, cupy, tmp_path) for number in range(2)]


def everything(gpu: CupyBackend) -> None:
    """All that a back-end does."""
    held = gpu.zeros(4, np.float32)
    other = gpu.array(np.ones(4, np.float32))
    gpu.fill(held, np.ones(2, np.float32))
    gpu.copy(held, other)
    gpu.launch(TOY, 1, held)
    recording = gpu.recording()
    for _ in range(3):
        recording.run("a", lambda: gpu.launch(TOY, 1, held))
    before = gpu.clock()
    gpu.run_pass(gpu.load_text(TEXT, "text", TOY.passes[0]), 1, held)
    assert gpu.clock() - before > 0.0
    gpu.host(held)
    gpu.synchronize()
    gpu.free_bytes()
    gpu.release()


def test_each_uses_its_own_device_and_stream(two: Any) -> None:
    cupy, gpus = two
    for gpu in (gpus[0], gpus[1], gpus[0]):
        cupy.uses.clear()
        everything(gpu)
        assert {what for what, _, _ in cupy.uses} >= {"memset", "set", "get", "copy", "launch", "graph", "event"}
        assert {use[1:] for use in cupy.uses} == {(gpu.device, gpu._stream.ptr)}
    assert gpus[0]._stream.ptr != gpus[1]._stream.ptr


def test_turn_by_turn_too(two: Any) -> None:
    cupy, gpus = two
    held = [gpu.zeros(4, np.float32) for gpu in gpus]
    cupy.uses.clear()
    for _ in range(3):
        for gpu, array in zip(gpus, held):
            gpu.launch(TOY, 1, array)
            gpu.fill(array, np.ones(4, np.float32))
    assert {use[1:] for use in cupy.uses} == {(gpu.device, gpu._stream.ptr) for gpu in gpus}
    for gpu, array in zip(gpus, held):
        assert gpu.host(array).tolist() == [1.0] * 4


def elsewhere(call: Callable[[], None]) -> None:
    """In a thread of its own; raises what it raises."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def test_from_another_thread_as_well(two: Any) -> None:
    cupy, gpus = two
    for gpu in reversed(gpus):
        cupy.uses.clear()
        elsewhere(lambda gpu=gpu: everything(gpu))  # type: ignore[misc]
        assert {use[1:] for use in cupy.uses} == {(gpu.device, gpu._stream.ptr)}


def test_a_device_that_cannot_be_made_current_is_one_line(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cupy, gpus = two

    def gone() -> int:
        raise CudaRuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")

    monkeypatch.setattr(cupy.cuda.runtime, "getDevice", gone)
    for call in (gpus[0].clock, gpus[0].free_bytes, lambda: gpus[0].zeros(3, np.float32)):
        with pytest.raises(Unavailable, match=r"^GPU 0 failed: cudaErrorNoDevice"):
            call()
    assert gpus[0].inside == 0


def test_a_copy_has_its_source_until_it_is_done(two: Any) -> None:
    """Where a GPU reads the host's memory by itself (Grace, HMM) the copy may run after the call has returned."""
    _, gpus = two
    gpu = gpus[0]
    held = gpu.array(np.full(4, 2.0, np.float32))
    gpu.fill(held, np.full(2, 3.0, np.float32))
    gpu.launch(TOY, 1, held)
    assert gpu.host(held).tolist() == [3.0, 3.0, 2.0, 2.0]
    gpu._sources = Forgetful()  # the fake tells when a source is freed too early
    gpu.fill(held, np.full(2, 4.0, np.float32))
    with pytest.raises(AssertionError, match="freed before anything waited"):
        gpu.synchronize()


class Forgetful(list[np.ndarray]):
    def append(self, value: np.ndarray, /) -> None: ...

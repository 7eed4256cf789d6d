"""The GPU's back-end on a CuPy without a device: what it hands over, keeps, times, and says when something fails."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend import cupy_gpu, nvrtc_cache
from bench.backend.by_value import words
from bench.backend.cupy_gpu import ARGUMENT, CupyBackend, argument
from bench.backend.nvrtc_cache import Compiler, choose_target
from bench.backend.protocol import KernelTimes
from bench.base.errors import CheckFailed, Unavailable
from kernels.base import source
from kernels.base.constants import PARAMETER_WORDS
from kernels.base.kernel import Kernel, Pass
from tests.support.fake_cupy import CudaRuntimeError, FakeCupy, FakeGpu

TEXT = 'extern "C" __global__ void toy(int n) {}\nextern "C" __global__ void toy_second(int n) {}\n'


def kernel(**more: Any) -> Kernel:
    return Kernel(
        name="toy", item="thing", cpu=lambda n, x_in: None, traffic=lambda: None, example=lambda rng, size: {}, **more
    )


@pytest.fixture
def toy_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "assemble", lambda name: TEXT)


def device(tmp_path: Path, cupy: FakeCupy | None = None, number: int = 0) -> tuple[CupyBackend, FakeCupy]:
    cupy = cupy or FakeCupy()
    return CupyBackend(number, cupy, tmp_path), cupy


# --- arrays ----------------------------------------------------------------------------------
def test_arrays_go_and_come_back_unchanged(tmp_path: Path) -> None:
    gpu, _ = device(tmp_path)
    values = np.arange(12, dtype=np.float32).reshape(3, 4).T
    held = gpu.array(values)
    assert held.flags.c_contiguous and np.array_equal(gpu.host(held), values)
    gpu.fill(held, np.zeros((2, 3), np.float32))
    assert np.array_equal(gpu.host(held)[2:], values[2:]) and not gpu.host(held)[:2].any()
    assert not gpu.host(gpu.zeros((5, 2), np.int32)).any()
    assert gpu.host(gpu.array(np.zeros((0, 4), np.float32))).shape == (0, 4)


def test_what_is_copied_lives_until_the_device_has_it(tmp_path: Path) -> None:
    """Where a GPU reads the host's memory by itself (Grace, HMM) the copy may run after the call has returned."""
    gpu, _ = device(tmp_path)
    held = gpu.zeros((3, 4), np.float32)
    for wait in (gpu.synchronize, lambda: gpu.host(held)):
        sources = [np.ones((3, 4), np.float32), np.ones((2, 4), np.float32)]
        alive = [weakref.ref(source) for source in sources]
        gpu.array(sources[0])
        gpu.fill(held, sources[1])
        sources.clear()
        assert all(source() is not None for source in alive)
        wait()
        assert all(source() is None for source in alive)


def test_an_array_is_handed_over_as_24_bytes(tmp_path: Path) -> None:
    gpu, _ = device(tmp_path)
    held = gpu.zeros((5, 3), np.float32)
    packed = argument(held)
    assert packed.shape == () and packed.tobytes() == (
        np.uint64(held.data.ptr).tobytes() + np.int64(5).tobytes() + np.int32(3).tobytes() + np.int32(1).tobytes()
    )
    assert argument(gpu.zeros(1, np.int32))["shape0"] == 1
    assert ARGUMENT.fields["shape1"][1] == 16  # as a C compiler lays it out


@pytest.mark.parametrize(
    ("value", "type_"), [(3, np.int64), (True, np.int64), (np.int32(3), np.int64), (np.float32(0.5), np.float32)]
)
def test_scalars_have_the_width_of_the_entry(value: Any, type_: type) -> None:
    assert type(argument(value)) is type_


def test_a_vector_goes_by_value_and_padded() -> None:
    """Read as the tracer does, whatever length it has; what a kernel does not name stays an array on the device."""
    vector = np.arange(5, dtype=np.float32)
    passed = argument(words(vector))
    assert passed.size == 1 and passed.nbytes == 4 * PARAMETER_WORDS
    found = np.frombuffer(passed.tobytes(), np.float32)
    assert found[:5].tolist() == vector.tolist() and not found[5:].any()
    for wrong in (np.zeros(65, np.float32), np.zeros(4), [1.0]):
        with pytest.raises(TypeError, match="at most 64 float32 on the host"):
            words(wrong)


@pytest.mark.parametrize("value", [0.5, np.float64(0.5), "x", None, np.zeros((4, 4), np.float32).T[::2]])
def test_what_an_entry_cannot_take_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        argument(value)


def test_out_of_memory_is_one_line_and_the_process_goes_on(tmp_path: Path) -> None:
    gpu, cupy = device(tmp_path, FakeCupy(gpus=(FakeGpu("Tiny GPU", memory_bytes=2**20),)))
    with pytest.raises(Unavailable, match=r"GPU 0 \(Tiny GPU\) is out of memory: an array needs .*MiB, .*MiB are free"):
        gpu.zeros(2**20, np.float32)
    assert "free" in cupy.log  # the pool gave back what it held before giving up
    assert not gpu.host(gpu.zeros(1000, np.float32)).any()


def test_a_limit_of_the_pool_counts_as_memory(tmp_path: Path) -> None:
    gpu, _ = device(tmp_path, FakeCupy(pool_limit_bytes=2**20))
    gpu.zeros(2**16, np.float32)
    assert gpu.free_bytes() == 2**20 - 2**18 and gpu.total_bytes() == 2**33


# --- which one it is ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "uuid", "told"),
    [
        ("NVIDIA H200", bytes(range(16)), "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("NVIDIA H200", bytes(range(16)) + b"more", "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("NVIDIA H200 MIG 1g.18gb", bytes(range(16)), "MIG-00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("NVIDIA H200", b"ends at a zero", None),
    ],
)
def test_a_gpu_says_which_one_it_is(name: str, uuid: bytes, told: str | None, tmp_path: Path) -> None:
    gpu, _ = device(tmp_path, FakeCupy(gpus=(FakeGpu(name, uuid=uuid),)))
    assert gpu.device_uuid == told


def test_a_slice_has_no_energy_of_its_own(tmp_path: Path) -> None:
    """The counter is the board's, and what other slices do is in it."""
    gpu, _ = device(tmp_path, FakeCupy(gpus=(FakeGpu("NVIDIA H200 MIG 1g.18gb"),)))
    assert gpu.energy_meter() is None
    gpu, _ = device(tmp_path)
    assert gpu.energy_meter() is not None


# --- launches --------------------------------------------------------------------------------
def test_every_pass_is_launched_with_all_arguments(tmp_path: Path, toy_text: None) -> None:
    calls: list[Any] = []
    gpu, cupy = device(tmp_path, FakeCupy(execute=lambda text, *rest: calls.append(rest)))
    passes = (Pass("toy", threads=128, blocks_per_sm=2), Pass("toy_second", blocks_per_sm=0, shared_bytes=100_000))
    gpu.launch(kernel(passes=passes), 7, gpu.zeros(3, np.float32))
    assert [call[:3] for call in calls] == [("toy", 8, 128), ("toy_second", 1, 256)]
    assert all(call[3][0] == 7 and call[3][1]["shape0"] == 3 for call in calls)
    assert ("allow", 8, 100_000) in cupy.log and ("toy_second", 1, 256, 100_000) in cupy.log


def test_no_more_blocks_than_the_device_holds(tmp_path: Path, toy_text: None) -> None:
    gpu, cupy = device(tmp_path, FakeCupy(resident_blocks=3))
    gpu.launch(kernel(), 1)
    assert cupy.log[-1] == ("toy", 3 * 4, 256, 0)
    gpu, _ = device(tmp_path, FakeCupy(resident_blocks=0))
    with pytest.raises(Unavailable, match="cannot hold one block"):
        gpu.launch(kernel(), 1)


def test_time_is_the_devices(tmp_path: Path, toy_text: None) -> None:
    gpu, _ = device(tmp_path, FakeCupy(launch_s=0.25))
    gpu.observer = times = KernelTimes()
    before = gpu.clock()
    gpu.launch(kernel(), 1)
    gpu.launch(kernel(), 1)
    assert gpu.clock() - before == pytest.approx(0.5)
    assert times.seconds() == {"toy": pytest.approx(0.5)} and times.launches() == {"toy": 2}


def test_a_watchdog_of_the_display_is_named(tmp_path: Path) -> None:
    gpu, cupy = device(tmp_path)
    cupy.failure = CudaRuntimeError("cudaErrorLaunchTimeout: the launch timed out and was terminated")
    with pytest.raises(Unavailable, match=r"cudaErrorLaunchTimeout: .* \(the display's driver .* a smaller --size"):
        gpu.synchronize()


def test_a_failing_device_is_one_line(tmp_path: Path) -> None:
    gpu, cupy = device(tmp_path)
    cupy.failure = CudaRuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")
    with pytest.raises(Unavailable, match=r"GPU 0 failed: cudaErrorIllegalAddress.*saved"):
        gpu.synchronize()


# --- graphs ----------------------------------------------------------------------------------
def test_launches_that_come_again_become_a_graph(tmp_path: Path, toy_text: None) -> None:
    done: list[int] = []
    gpu, cupy = device(tmp_path, FakeCupy(execute=lambda *call: done.append(int(call[4][0]))))
    recording = gpu.recording()

    def launches() -> None:
        gpu.launch(kernel(), len(keys))
        gpu.launch(kernel(), 100)

    keys: list[str] = []
    for key in ("a", "b", "a", "a"):
        keys.append(key)
        recording.run(key, launches)
    # The third call is recorded and run, the fourth replays its arguments
    assert done == [1, 100, 2, 100, 3, 100, 3, 100]
    assert cupy.log.count(("graph of", 2)) == 1 and cupy.log.count("graph") == 2
    recording.forget()
    recording.run("a", launches)
    assert cupy.log.count("graph") == 2


def test_an_observer_sees_launches_not_graphs(tmp_path: Path, toy_text: None) -> None:
    gpu, _ = device(tmp_path)
    recording = gpu.recording()
    gpu.observer = times = KernelTimes()
    for _ in range(3):
        recording.run("a", lambda: gpu.launch(kernel(), 1))
    assert times.launches() == {"toy": 3}


def test_a_driver_without_graphs_still_runs(tmp_path: Path, toy_text: None) -> None:
    gpu, cupy = device(tmp_path, FakeCupy(capture_fails=True))
    recording = gpu.recording()
    for _ in range(3):
        recording.run("a", lambda: gpu.launch(kernel(), 1))
    assert sum(1 for entry in cupy.log if entry[0] == "toy") == 3
    assert gpu.graph_problem is not None and "Capture" in gpu.graph_problem


# --- compiling -------------------------------------------------------------------------------
def test_machine_code_is_kept_by_all_that_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiler(capability: tuple[int, int] = (9, 0), version: tuple[int, int] = (12, 9)) -> Compiler:
        return Compiler(FakeCupy(nvrtc_version=version).cuda.nvrtc, capability, tmp_path)

    first, again = compiler(), compiler()
    assert first.compile_text("a", "a.cu") == again.compile_text("a", "a.cu") == b"a"
    assert (first.compiled, again.compiled) == (1, 0)
    keys = [first.key("a"), compiler().key("b"), compiler((8, 0)).key("a"), compiler(version=(12, 8)).key("a")]
    monkeypatch.setattr(source, "OPTIONS", ("--std=c++17",))
    assert len({first.key("a"), *keys}) == 5


def test_the_options_keep_every_bit(tmp_path: Path) -> None:
    fake = FakeCupy()
    Compiler(fake.cuda.nvrtc, (9, 0), tmp_path).compile_text("a", "a.cu")
    ((_, options),) = fake.cuda.nvrtc.calls
    assert options[0] == "--gpu-architecture=sm_90"
    assert {"--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true"} <= set(options)


def test_a_damaged_cache_is_compiled_anew(tmp_path: Path) -> None:
    fake = FakeCupy()
    Compiler(fake.cuda.nvrtc, (9, 0), tmp_path).compile_text("a", "a.cu")
    (kept,) = tmp_path.glob("*.cubin")
    kept.write_bytes(kept.read_bytes()[:-1])
    again = Compiler(fake.cuda.nvrtc, (9, 0), tmp_path)
    assert again.compile_text("a", "a.cu") == b"a" and again.compiled == 1


def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Compiler(FakeCupy().cuda.nvrtc, (9, 0), tmp_path / "file").compile_text("a", "a.cu") == b"a"


def test_an_error_names_file_and_line(tmp_path: Path) -> None:
    log = 'kernels/toy.cu(3): error: identifier "q" is undefined\n  a = q;\n      ^\n\nkernels/toy.cu(9): error: x\n'
    compiler = Compiler(FakeCupy(compile_log=log).cuda.nvrtc, (9, 0), tmp_path)
    with pytest.raises(CheckFailed, match=r'^kernels/toy.cu\(3\): error: identifier "q" is undefined \(and 1 more\)'):
        compiler.compile_text("a", "kernels/toy.cu")


@pytest.mark.parametrize(
    ("capability", "supported", "target"),
    [
        ((9, 0), (75, 80, 90), ("sm_90", True)),
        ((9, 0), None, ("sm_90", True)),
        ((12, 1), (75, 80, 90), ("compute_90", False)),
        ((8, 7), (75, 80, 90), ("compute_80", False)),
    ],
)
def test_a_device_newer_than_the_compiler_gets_text(
    capability: tuple[int, int], supported: tuple[int, ...] | None, target: tuple[str, bool]
) -> None:
    assert choose_target(capability, supported) == target


def test_a_compiler_that_knows_no_such_device_says_so() -> None:
    with pytest.raises(Unavailable, match="knows no architecture"):
        choose_target((7, 5), (80, 90))


def test_kernels_are_compiled_ahead_once(tmp_path: Path, toy_text: None) -> None:
    gpu, _ = device(tmp_path)
    assert gpu.prepare([kernel()]) == 1 and gpu.prepare([kernel()]) == 0
    other, _ = device(tmp_path)
    assert other.prepare([kernel()]) == 0


# --- the real library ------------------------------------------------------------------------
def test_the_fake_has_the_names_of_the_real_cupy(tmp_path: Path) -> None:
    real = pytest.importorskip("cupy")
    fake = FakeCupy()
    for module in ("runtime", "driver", "nvrtc", "function", "memory"):
        names = [name for name in dir(getattr(fake.cuda, module)) if not name.startswith("_")]
        own = {"cupy", "calls"} if module == "nvrtc" else set()
        assert [name for name in names if name not in own and not hasattr(getattr(real.cuda, module), name)] == []
    for name in ("Device", "Stream", "Event", "get_elapsed_time", "set_allocator"):
        assert hasattr(real.cuda, name)
    for name in ("begin_capture", "end_capture", "synchronize", "use"):
        assert hasattr(real.cuda.Stream, name)
    assert hasattr(real.cuda.Graph, "launch") and hasattr(real, "get_default_memory_pool")
    assert issubclass(real.cuda.memory.OutOfMemoryError, MemoryError)


def test_the_real_nvrtc_makes_machine_code(tmp_path: Path) -> None:
    real = pytest.importorskip("cupy")
    try:
        real.cuda.nvrtc.getVersion()
    except Exception:
        pytest.skip("NVRTC is not installed")
    compiler = Compiler(real.cuda.nvrtc, (9, 0), tmp_path)
    assert compiler.compile_text(TEXT, "toy.cu")[:4] == b"\x7fELF"
    newer = Compiler(real.cuda.nvrtc, (99, 0), tmp_path)
    assert not newer.machine_code and b".target" in newer.compile_text(TEXT, "toy.cu")
    with pytest.raises(CheckFailed, match=r"^kernels/toy.cu\(1\): error: .*sm_90"):
        compiler.compile_text('#line 1 "kernels/toy.cu"\nint x = y;\n', "kernels/toy.cu")


def test_modules_say_that_no_gpu_has_run_them() -> None:
    for module in (cupy_gpu, nvrtc_cache):
        assert "Not yet run on a GPU" in str(module.__doc__)

"""A CuPy that has no device: host memory, a virtual clock, and a driver that says whatever a test wants.

Names and signatures are those of CuPy (``test_backend_cupy`` holds them against an installed one). A "cubin" is the
text that was compiled; what a launched function does is up to ``execute``, and every call is noted in ``log``.
"""

from __future__ import annotations

import ctypes
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

MIB = 2**20
NOT_READY = 600  # cudaErrorNotReady


class CudaRuntimeError(RuntimeError):
    """cudaErrorSomething: text."""


class CudaDriverError(RuntimeError):
    """CUDA_ERROR_SOMETHING: text."""


class NvrtcError(RuntimeError):
    """NVRTC_ERROR_SOMETHING."""


class OutOfMemory(MemoryError):
    """Of the pool."""


class FakeArray(np.ndarray):
    """Host memory that looks like a device array."""

    cupy: FakeCupy | None = None

    def __array_finalize__(self, base: Any) -> None:
        self.cupy = getattr(base, "cupy", None)

    @property
    def data(self) -> Any:  # type: ignore[override]
        def copy_from_device_async(source: Any, size: int) -> None:
            self[...] = source.owner

        def copy_to_host_async(address: int, size: int, stream: Any = None) -> None:
            """The bytes of now, on the host once somebody has waited for them."""
            assert self.cupy is not None and self.flags.c_contiguous and size <= self.nbytes
            ctypes.memset(address, 0x5A, size)
            now = self.tobytes()[:size]
            self.cupy.crossing.append(lambda: ctypes.memmove(address, now, size))

        return SimpleNamespace(
            ptr=self.ctypes.data if self.size else 0,
            owner=self,
            copy_from_device_async=copy_from_device_async,
            copy_to_host_async=copy_to_host_async,
        )

    def get(self) -> np.ndarray:
        assert self.cupy is None or self.cupy.note_host(self.nbytes)
        return np.array(self.view(np.ndarray))

    def set(self, values: np.ndarray) -> None:
        assert isinstance(values, np.ndarray) and values.flags.c_contiguous
        assert values.shape == self.shape and values.dtype == self.dtype
        self[...] = values


@dataclass(frozen=True)
class FakeGpu:
    name: str = "Fake GPU"
    capability: tuple[int, int] = (9, 0)
    memory_bytes: int = 2**33
    multiprocessors: int = 4
    uuid: bytes = bytes(range(16))


@dataclass
class FakeCupy:
    """What ``import cupy`` gives, with everything that Shotmark uses of it."""

    gpus: tuple[FakeGpu, ...] = (FakeGpu(),)
    driver: int = 12040  # 0: no driver
    built_for: int = 12090
    nvrtc_version: tuple[int, int] | None = (12, 9)  # None: the library is missing
    architectures: tuple[int, ...] = (75, 80, 86, 89, 90, 100, 120)
    execute: Callable[[str, str, int, int, list[Any], int], None] = lambda *args: None
    launch_s: float = 1e-3  # virtual seconds of a launch
    resident_blocks: int = 16
    log: list[Any] = field(default_factory=list)
    failure: Exception | None = None  # what the next wait raises
    compile_log: str = ""  # not empty: compiling fails and says this
    capture_fails: bool = False
    hangs_after: int | None = None  # launches: from then on the device does not answer
    arrays_most: int | None = None  # from then on its memory is full
    pool_limit_bytes: int = 0  # 0: none
    ndarray: Any = FakeArray

    def __post_init__(self) -> None:
        self.seconds = 0.0
        self.used_bytes = self.peak_bytes = 0  # of arrays that live
        self.host_bytes_most = 0  # the largest array that came to the host in one piece
        self.crossing: list[Callable[[], Any]] = []  # copies to the host that nobody has waited for
        self.crossed = 0  # those that were waited for
        self.pin_fails = False
        self.launched = self.arrays = 0
        self.attributes: dict[str, int] = {}
        self.captured: list[Callable[[], None]] | None = None
        self.cuda = SimpleNamespace(
            runtime=SimpleNamespace(
                CUDARuntimeError=CudaRuntimeError,
                driverGetVersion=lambda: self.driver,
                runtimeGetVersion=lambda: self.built_for,
                getDeviceCount=self._device_count,
                getDeviceProperties=self._properties,
                deviceGetPCIBusId=lambda index: f"0000:0{index}:00.0",
                streamQuery=lambda pointer: self._query(),
                eventQuery=lambda pointer: self._query(),
                memGetInfo=lambda: (self.gpus[0].memory_bytes - self.used_bytes, self.gpus[0].memory_bytes),
            ),
            driver=SimpleNamespace(
                CUDADriverError=CudaDriverError,
                CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8,
                occupancyMaxActiveBlocksPerMultiprocessor=lambda function, threads, shared: self.resident_blocks,
                funcSetAttribute=lambda function, slot, value: self.log.append(("allow", slot, value)),
            ),
            nvrtc=FakeNvrtc(self),
            function=SimpleNamespace(Module=lambda: FakeModule(self)),
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemory),
            Device=lambda index=0: FakeDevice(self, index),
            Stream=lambda non_blocking=False: FakeStream(self),
            Event=lambda: FakeEvent(self),
            alloc_pinned_memory=self._pinned,
            set_allocator=lambda allocator: self.log.append(("allocator", allocator)),
            get_elapsed_time=lambda a, b: (b.seconds - a.seconds) * 1e3,
        )

    def _query(self) -> int:
        return NOT_READY if self.hangs_after is not None and self.launched > self.hangs_after else 0

    def _device_count(self) -> int:
        if self.driver == 0:
            raise CudaRuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
        if not self.gpus:
            raise CudaRuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
        return len(self.gpus)

    def _properties(self, index: int) -> dict[str, Any]:
        gpu = self.gpus[index]
        return {
            "name": gpu.name.encode(),
            "uuid": gpu.uuid,
            "major": gpu.capability[0],
            "minor": gpu.capability[1],
            "totalGlobalMem": gpu.memory_bytes,
        }

    # --- memory ------------------------------------------------------------------------------
    def empty(self, shape: Any, dtype: Any = float) -> FakeArray:
        needed = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        self.arrays += 1
        if self.arrays_most is not None and self.arrays > self.arrays_most:
            raise OutOfMemory(f"Out of memory allocating {needed:,} bytes")
        if self.used_bytes + needed > self.gpus[0].memory_bytes:
            raise OutOfMemory(f"Out of memory allocating {needed:,} bytes (so far: {self.used_bytes:,} bytes)")
        made = np.full(shape, 0x5A, np.uint8).view(FakeArray) if needed == 0 else self._poisoned(shape, dtype)
        self.used_bytes += needed
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        made.cupy = self
        return made

    def _poisoned(self, shape: Any, dtype: Any) -> FakeArray:
        """Memory that nobody has written yet; 16 bytes in line, as a device's."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        raw = np.full(size + 256, 0x5A, np.uint8)
        at = -raw.ctypes.data % 256
        weakref.finalize(raw, self._freed, size)
        return raw[at : at + size].view(kind).reshape(shape).view(FakeArray)

    def _freed(self, size: int) -> None:
        self.used_bytes -= size

    def _pinned(self, size: int) -> bytearray:
        if self.pin_fails:
            raise CudaRuntimeError("cudaErrorMemoryAllocation: out of memory")
        self.log.append(("pinned", size))
        return bytearray(size)

    def note_host(self, size: int) -> bool:
        self.host_bytes_most = max(self.host_bytes_most, size)
        self.deliver(None)  # it waits for what the stream had before
        return True

    def deliver(self, count: int | None) -> None:
        """Do the first ``count`` copies to the host, counted from the beginning; None: all."""
        many = len(self.crossing) if count is None else max(0, count - self.crossed)
        for one in self.crossing[:many]:
            one()
        del self.crossing[:many]
        self.crossed += many

    def zeros(self, shape: Any, dtype: Any = float) -> FakeArray:
        made = self.empty(shape, dtype) if np.prod(shape) else np.zeros(shape, dtype).view(FakeArray)
        made[...] = 0
        return made

    def get_default_memory_pool(self) -> Any:
        def free_all_blocks() -> None:
            self.log.append("free")

        return SimpleNamespace(
            free_bytes=lambda: 0,
            used_bytes=lambda: self.used_bytes,
            get_limit=lambda: self.pool_limit_bytes,
            free_all_blocks=free_all_blocks,
        )


@dataclass
class FakeDevice:
    cupy: FakeCupy
    id: int

    def use(self) -> None:
        if self.id >= len(self.cupy.gpus):
            raise CudaRuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    @property
    def compute_capability(self) -> str:
        return "{}{}".format(*self.cupy.gpus[self.id].capability)

    @property
    def attributes(self) -> dict[str, int]:
        count = self.cupy.gpus[self.id].multiprocessors
        return {"MultiProcessorCount": count, "L2CacheSize": 50 * MIB, "ClockRate": 1_980_000}


@dataclass
class FakeStream:
    cupy: FakeCupy
    ptr: int = 1

    def use(self) -> None: ...

    def synchronize(self) -> None:
        assert self.cupy._query() == 0, "a wait that nothing ends"
        self.cupy.log.append("synchronize")
        self.cupy.deliver(None)
        if self.cupy.failure is not None:
            failure, self.cupy.failure = self.cupy.failure, None
            raise failure

    def begin_capture(self) -> None:
        if self.cupy.capture_fails:
            raise CudaRuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted")
        self.cupy.captured = []

    def end_capture(self) -> Any:
        captured, self.cupy.captured = self.cupy.captured, None
        assert captured is not None
        self.cupy.log.append(("graph of", len(captured)))

        def launch(stream: Any = None) -> None:
            self.cupy.log.append("graph")
            for one in captured:
                one()

        return SimpleNamespace(launch=launch)


@dataclass
class FakeEvent:
    cupy: FakeCupy
    seconds: float = 0.0
    ptr: int = 2
    copies: int = 0  # to the host that were sent before it

    def record(self, stream: Any = None) -> None:
        assert self.cupy.captured is None, "an event inside a graph has no time"
        self.copies = self.cupy.crossed + len(self.cupy.crossing)
        self.seconds = self.cupy.seconds

    def synchronize(self) -> None:
        assert self.cupy._query() == 0, "a wait that nothing ends"
        self.cupy.deliver(self.copies)


@dataclass
class FakeNvrtc:
    cupy: FakeCupy
    NVRTCError: Any = NvrtcError
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def getVersion(self) -> tuple[int, int]:
        if self.cupy.nvrtc_version is None:
            raise RuntimeError("libnvrtc.so.12: cannot open shared object file")
        return self.cupy.nvrtc_version

    def getSupportedArchs(self) -> tuple[int, ...]:
        return self.cupy.architectures

    def createProgram(self, src: str, name: str, headers: Any, include_names: Any) -> list[Any]:
        assert isinstance(src, str) and not headers and not include_names
        return [src, name]

    def compileProgram(self, prog: list[Any], options: tuple[str, ...]) -> None:
        self.calls.append((prog[1], options))
        if self.cupy.compile_log:
            raise NvrtcError("NVRTC_ERROR_COMPILATION (6)")

    def getProgramLog(self, prog: list[Any]) -> str:
        return self.cupy.compile_log

    def getCUBIN(self, prog: list[Any]) -> bytes:
        return str(prog[0]).encode()

    def getPTX(self, prog: list[Any]) -> str:
        return str(prog[0])

    def destroyProgram(self, prog: list[Any]) -> None:
        prog.clear()


@dataclass
class FakeModule:
    cupy: FakeCupy
    text: str = ""

    def load(self, cubin: bytes) -> None:
        assert isinstance(cubin, bytes)
        self.text = cubin.decode()

    def get_function(self, name: str) -> Any:
        if not re.search(rf"\b{name}\s*\(", self.text):
            raise CudaDriverError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return FakeFunction(self.cupy, self.text, name)


@dataclass
class FakeFunction:
    cupy: FakeCupy
    text: str
    name: str
    ptr: int = 1

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: list[Any], shared_mem: int = 0) -> None:
        cupy = self.cupy
        values = [value.copy() if isinstance(value, np.ndarray) else value for value in args]
        for value in values:
            # What CuPy takes by value: scalars of NumPy, arrays of one element
            assert isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.size == 1), value

        def run() -> None:
            cupy.launched += 1
            cupy.seconds += cupy.launch_s
            cupy.execute(self.text, self.name, grid[0], block[0], values, shared_mem)

        if cupy.captured is not None:
            cupy.captured.append(run)
            return
        cupy.log.append((self.name, grid[0], block[0], shared_mem))
        run()

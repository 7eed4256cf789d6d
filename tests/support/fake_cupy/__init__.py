"""A CuPy that has no device: host memory, two virtual clocks, and a driver that says whatever a test wants.

Names and signatures are those of CuPy (``test_cupy_gpu`` holds them against an installed one). A "cubin" is the
text that was compiled; what a launched function does is up to ``execute``, and every call is noted in ``log``.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.support.fake_cupy.arrays import Copies, FakeArray
from tests.support.fake_cupy.clocks import CLOCK_HZ, HOLD, Clocks
from tests.support.fake_cupy.device import (
    FakeDevice,
    FakeEvent,
    FakeFunction,
    FakeGpu,
    FakeModule,
    FakeStream,
)
from tests.support.fake_cupy.errors import CudaDriverError, CudaRuntimeError, NvrtcError, OutOfMemory
from tests.support.fake_cupy.nvrtc import FakeNvrtc

__all__ = ["CudaDriverError", "CudaRuntimeError", "FakeArray", "FakeCupy", "FakeGpu", "NvrtcError", "OutOfMemory"]

NOT_READY = 600  # cudaErrorNotReady


class Current(threading.local):
    """What a thread works with: a device, and on each device a stream."""

    def __init__(self) -> None:
        self.device = 0
        self.streams: dict[int, FakeStream] = {}


@dataclass
class FakeCupy:
    """What ``import cupy`` gives, with everything that Shotmark uses of it."""

    gpus: tuple[FakeGpu, ...] = (FakeGpu(),)
    driver: int = 12040  # 0: no driver
    built_for: int = 12090
    nvrtc_version: tuple[int, int] | None = (12, 9)  # None: the library is missing
    architectures: tuple[int, ...] = (75, 80, 86, 89, 90, 100, 120)
    execute: Callable[[str, str, int, int, list[Any], int], None] = lambda *args: None
    launch_s: float = 1e-3  # of the device, for a launch, unless ``device_s`` tells
    device_s: Callable[[str, int, int, list[Any]], float] | None = None  # (entry, blocks, threads, values) -> seconds
    host_launch_s: float = 0.0  # of the host, for a call that launches a function or a graph
    host_argument_s: float = 0.0  # of the host, each time that an array's address is read
    host_event_s: float = 0.0  # of the host, for an event
    launch_limit_s: float | None = None  # of the device: what takes longer is ended, as by a display's driver
    resident_blocks: int = 16
    log: list[Any] = field(default_factory=list)
    failure: Exception | None = None  # what the next wait raises
    compile_log: str = ""  # not empty: compiling fails and says this
    capture_fails: int | str | None = None  # at "begin", "end", "instantiate", or at that launch of it
    graph_fails_at: int | None = None  # of all launches of graphs, counted from 1
    hangs_after: int | None = None  # launches: from then on the device does not answer
    arrays_most: int | None = None  # from then on its memory is full
    pool_limit_bytes: int = 0  # 0: none
    ndarray: Any = FakeArray

    def __post_init__(self) -> None:
        self.clocks, self.copies, self.current = Clocks(), Copies(), Current()
        self.streams: dict[int, FakeStream] = {}
        self.events: dict[int, FakeEvent] = {}
        self.functions: dict[int, FakeFunction] = {}
        self.uses: list[tuple[str, int, int]] = []  # what was queued, on which device and stream
        self.used_bytes = self.peak_bytes = 0  # of arrays that live
        self.host_bytes_most = 0  # the largest array that came to the host in one piece
        self.crossing: list[Callable[[], Any]] = []  # copies to the host that nobody has waited for
        self.crossed = 0  # those that were waited for
        self.pin_fails = False
        self.launched = self.arrays = self.graph_launches = 0
        self.captured: list[Callable[[], None]] | None = None
        self._null = FakeStream(self, null=True)
        self.cuda = SimpleNamespace(
            runtime=SimpleNamespace(
                CUDARuntimeError=CudaRuntimeError,
                driverGetVersion=lambda: self.driver,
                runtimeGetVersion=lambda: self.built_for,
                getDeviceCount=self._device_count,
                getDevice=lambda: self.device,
                getDeviceProperties=self._properties,
                deviceGetPCIBusId=lambda index: f"0000:0{index}:00.0",
                streamQuery=lambda pointer: self.query(self.streams[pointer]),
                eventQuery=lambda pointer: self.query(self.events[pointer]),
                memGetInfo=lambda: (self.gpu.memory_bytes - self.used_bytes, self.gpu.memory_bytes),
            ),
            driver=SimpleNamespace(
                CUDADriverError=CudaDriverError,
                CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8,
                occupancyMaxActiveBlocksPerMultiprocessor=lambda function, threads, shared: self.resident_blocks,
                funcSetAttribute=lambda function, slot, value: self.log.append(("allow", slot, value)),
                launchKernel=self._launch,
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

    # --- this thread's device and stream -----------------------------------------------------
    @property
    def device(self) -> int:
        return self.current.device

    @property
    def gpu(self) -> FakeGpu:
        return self.gpus[self.device]

    @property
    def stream(self) -> FakeStream:
        return self.current.streams.get(self.device, self._null)

    def used(self, what: str, stream: FakeStream | None = None) -> None:
        """Note on which device and stream something is queued."""
        self.uses.append((what, self.device, (stream or self.stream).ptr))

    # --- the driver --------------------------------------------------------------------------
    def query(self, what: FakeStream | FakeEvent) -> int:
        if self.hangs_after is not None and self.launched > self.hangs_after:
            return NOT_READY
        self.waited(what.device_id)
        return 0

    def waited(self, device: int | None = None) -> None:
        """The host has waited for a device."""
        self.clocks.wait(self.device if device is None else device)
        self.copies.waited()

    def tell(self) -> None:
        """A wait ends, and with it comes what went wrong before."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def _launch(
        self, f: int, grid_dim_x: int, grid_dim_y: int, grid_dim_z: int, block_dim_x: int, block_dim_y: int,
        block_dim_z: int, shared_mem_bytes: int, stream: int, kernel_params: int, extra: int,
    ) -> None:  # fmt: skip
        assert (grid_dim_y, grid_dim_z, block_dim_y, block_dim_z, extra) == (1, 1, 1, 1, 0)
        self.used("launch", self.streams[stream])
        self.functions[f].launch(grid_dim_x, block_dim_x, shared_mem_bytes, self.streams[stream], kernel_params)

    def run(self, function: FakeFunction, blocks: int, threads: int, shared_bytes: int, values: list[Any]) -> None:
        """One launch on the device, whether by itself or of a graph."""
        self.copies.happen()
        if function.name == HOLD:  # it waits and does nothing
            self.clocks.queue(function.device_id, int(values[0]) / CLOCK_HZ)
            return
        seconds = self.launch_s
        if self.device_s is not None:
            seconds = self.device_s(function.name, blocks, threads, values)
        if seconds > (self.launch_limit_s or math.inf):
            self.failure = CudaRuntimeError("cudaErrorLaunchTimeout: the launch timed out and was terminated")
            return
        self.clocks.queue(function.device_id, seconds)
        self.execute(function.text, function.name, blocks, threads, values, shared_bytes)

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
        self.used("empty")
        if self.arrays_most is not None and self.arrays > self.arrays_most:
            raise OutOfMemory(f"Out of memory allocating {needed:,} bytes")
        if self.used_bytes + needed > self.gpu.memory_bytes:
            raise OutOfMemory(f"Out of memory allocating {needed:,} bytes (so far: {self.used_bytes:,} bytes)")
        made = self._poisoned(shape, dtype)
        self.used_bytes += needed
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        return made

    def _poisoned(self, shape: Any, dtype: Any) -> FakeArray:
        """Memory that nobody has written yet; 16 bytes in line, as a device's."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        raw = np.full(size + 256, 0x5A, np.uint8)
        at = -raw.ctypes.data % 256
        weakref.finalize(raw, self._freed, size)
        made = raw[at : at + size].view(kind).reshape(shape).view(FakeArray)
        made.cupy, made.device = self, self.device
        return made

    def _freed(self, size: int) -> None:
        self.used_bytes -= size

    def _pinned(self, size: int) -> bytearray:
        if self.pin_fails:
            raise CudaRuntimeError("cudaErrorMemoryAllocation: out of memory")
        self.log.append(("pinned", size))
        return bytearray(size)

    def deliver(self, count: int | None) -> None:
        """Do the first ``count`` copies to the host, counted from the beginning; None: all."""
        many = len(self.crossing) if count is None else max(0, count - self.crossed)
        for one in self.crossing[:many]:
            one()
        del self.crossing[:many]
        self.crossed += many

    def zeros(self, shape: Any, dtype: Any = float) -> FakeArray:
        made = self.empty(shape, dtype)
        self.used("memset")
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

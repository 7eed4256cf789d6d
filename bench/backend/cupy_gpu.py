"""The GPU: one process drives one device through CuPy. Arrays, modules, launches, events, graphs, memory.

Everything is queued on one stream of its own; nothing waits but ``host``, ``synchronize`` and the difference of two
stamps, and none of them for ever. CuPy is handed in, so that the tests can hand in a fake. Not yet run on a GPU.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from bench.backend import crossing, patience
from bench.backend.cuda.by_value import by_value
from bench.backend.cuda.graphs import GraphRecording
from bench.backend.cuda.hold import Hold
from bench.backend.cuda.parameters import Block, Parameters
from bench.backend.cuda.sm_clock import SmClock
from bench.backend.cuda.told import Told
from bench.backend.energy import EnergyMeter
from bench.backend.limits import usable_cores
from bench.backend.nvrtc_cache import Compiler, import_cupy
from bench.backend.protocol import CupyObject, DeviceArray, Observer, Recording
from bench.base import units
from bench.base.errors import Unavailable
from kernels.base.kernel import Kernel, Pass

EXCLUSIVE = (1, 3)  # compute modes: one thread alone, which old drivers know, and one process alone
SHARED_BYTES_FREE = 48 * 2**10  # dynamic shared memory that needs no permission


class EventStamp:
    """A moment on the device. The difference of two is seconds, once the later one has happened."""

    __slots__ = ("_backend", "_event")

    def __init__(self, backend: CupyBackend) -> None:
        self._backend = backend
        with backend._told():
            self._event = backend.cuda.Event()
            self._event.record(backend._stream)

    def __sub__(self, earlier: EventStamp, /) -> float:
        cuda = self._backend.cuda
        with self._backend._told():
            self._backend._wait(cuda.runtime.eventQuery, self._event)
            self._event.synchronize()
            return float(cuda.get_elapsed_time(earlier._event, self._event)) * 1e-3


@dataclass(frozen=True)
class LoadedPass:
    """One pass of a kernel on this device."""

    function: CupyObject  # keeps its module loaded
    handle: int  # the driver's, of the function
    blocks: int
    threads: int
    shared_bytes: int


@dataclass(frozen=True)
class LoadedKernel:
    """A kernel on this device."""

    passes: tuple[LoadedPass, ...]
    parameters: Parameters  # packed, and kept: all passes take the same


class CupyBackend:
    """One NVIDIA GPU."""

    name = "cupy"
    is_gpu = True
    threads: int | None = None
    observed_apart = True  # an observer forbids graphs: launches are timed in a frame of their own

    def __init__(self, device: int = 0, cupy: CupyObject = None, cache: Path | None = None) -> None:
        """``device`` counts what the driver shows, as CUDA_VISIBLE_DEVICES leaves it. Raises Unavailable."""
        if cupy is None:
            cupy = import_cupy()
        self._cupy, self.cuda = cupy, cupy.cuda
        self.failures: tuple[type[Exception], ...] = (
            Unavailable,
            self.cuda.runtime.CUDARuntimeError,
            self.cuda.driver.CUDADriverError,
        )
        self.out_of_memory: type[Exception] = self.cuda.memory.OutOfMemoryError
        self._around_calls = Told(self)
        self.observer: Observer | None = None
        self.device = device
        self.device_name = "not yet known"
        self.last_words: Callable[[str], None] | None = None
        self._sources: list[np.ndarray] = []  # of copies to the device that may still be to come
        self._lent: list[weakref.WeakMethod[Callable[[], None]]] = []  # what lets go of memory when it runs out
        self._pinned: list[np.ndarray] = []  # buffers of ``pieces`` that nobody uses
        self.lost: str | None = None  # why this device is asked nothing any more
        self.calls = self.inside = 0  # of the driver, for the watch
        self.host_clock: Callable[[], float] = time.perf_counter  # by which a hold is seen to be long enough
        self._limit_s = patience.limit_s()
        patience.watch(self, self._limit_s)
        with self._told():
            handle = self.cuda.Device(device)
            handle.use()
            attributes = handle.attributes
            self.capability = divmod(int(handle.compute_capability), 10)  # "90" is 9.0, "120" is 12.0
            self.multiprocessors = int(attributes["MultiProcessorCount"])
            self.l2_bytes = int(attributes.get("L2CacheSize", 0))
            khz = attributes.get("ClockRate")
            self.clock_max_hz: float | None = float(khz) * 1e3 if khz else None
            properties = self.cuda.runtime.getDeviceProperties(device)
            self.device_name = crossing.as_text(properties["name"])
            self.is_slice = " MIG " in self.device_name
            self.device_uuid = crossing.uuid_text(properties.get("uuid"), self.is_slice)
            self.bus_id = str(self.cuda.runtime.deviceGetPCIBusId(device))
            self.worker_problem: str | None = None
            if int(attributes.get("ComputeMode", 0)) in EXCLUSIVE:
                self.worker_problem = (
                    f"GPU {device} ({self.device_name}) is in exclusive-process mode and this process has it: no worker"
                    f" can start there; nvidia-smi -i {device} -c DEFAULT lets several in"
                )
            self._stream = self.cuda.Stream(non_blocking=True)
            self._pool = cupy.get_default_memory_pool()
        self.compiler = Compiler(self.cuda.nvrtc, self.capability, cache)
        self._kernels: dict[str, LoadedKernel] = {}
        self._launch_kernel = self.cuda.driver.launchKernel
        self._hold: Hold | None = None
        self._modules: dict[str, CupyObject] = {}
        self.graph_problem: str | None = None  # why nothing is recorded, once recording has failed

    def device_count(self) -> int:
        """GPUs that the driver shows to this process."""
        with self._told():
            return int(self.cuda.runtime.getDeviceCount())

    # --- Memory -------------------------------------------------------------------------------------
    def free_bytes(self) -> int:
        """Bytes that arrays can still have: what the driver shows free and the pool holds unused, within its limit."""
        with self._told():
            free = int(self.cuda.runtime.memGetInfo()[0]) + int(self._pool.free_bytes())
            limit = int(self._pool.get_limit())  # CUPY_GPU_MEMORY_LIMIT; 0 is none
            return min(free, limit - int(self._pool.used_bytes())) if limit else free

    def total_bytes(self) -> int:
        with self._told():
            return int(self.cuda.runtime.memGetInfo()[1])

    def lend(self, give_back: Callable[[], None]) -> None:
        self._lent = [*(found for found in self._lent if found() is not None), weakref.WeakMethod(give_back)]

    def release(self) -> None:
        """Give unused memory back to the driver."""
        self.synchronize()
        with self._told():
            self._pool.free_all_blocks()

    def _allocate(self, shape: int | tuple[int, ...], dtype: DTypeLike, make: CupyObject) -> DeviceArray:
        try:
            return make(shape, dtype)
        except self.out_of_memory:
            lent, self._lent = self._lent, []
            for give_back in (found() for found in lent):
                if give_back is not None:
                    give_back()
            self.release()  # pieces that the pool keeps may be too small each
        try:
            return make(shape, dtype)
        except self.out_of_memory:
            needed = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            free = units.byte_size(self.free_bytes())
            raise Unavailable(
                f"GPU {self.device} ({self.device_name}) is out of memory: an array needs"
                f" {units.byte_size(needed)}, {free} are free; a smaller --size runs"
            ) from None

    def array(self, values: np.ndarray) -> DeviceArray:
        with self._told(), self._stream:
            copy = self._allocate(values.shape, values.dtype, self._cupy.empty)
            if values.size:
                self._send(copy, values)
            return copy

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> DeviceArray:
        with self._told(), self._stream:
            return self._allocate(shape, dtype, self._cupy.zeros)

    def host(self, array: DeviceArray) -> np.ndarray:
        if not array.size:
            return np.empty(array.shape, array.dtype)
        with self._told(), self._stream:
            self._wait(self.cuda.runtime.streamQuery, self._stream)
            self._sources.clear()
            return np.asarray(array.get())

    def pieces(self, arrays: Sequence[DeviceArray]) -> Iterator[tuple[int, np.ndarray]]:
        return crossing.pieces(arrays, self.cuda, self._stream, self._told, self._wait, self._pinned)

    def fill(self, array: DeviceArray, values: np.ndarray) -> None:
        if len(values):
            with self._told(), self._stream:
                self._send(array[: len(values)], values)

    def _send(self, array: DeviceArray, values: np.ndarray) -> None:
        """Queue a copy. A device that reads the host's memory by itself may do it later: the source is kept."""
        source = np.ascontiguousarray(values)
        self._sources.append(source)
        array.set(source)

    def copy(self, target: DeviceArray, source: DeviceArray) -> None:
        """Overwrite a device array by another of its shape and type."""
        if target.shape != source.shape or target.dtype != source.dtype:
            raise ValueError(f"expected {target.dtype}{target.shape}, got {source.dtype}{source.shape}")
        if source.nbytes:
            with self._told():
                target.data.copy_from_device_async(source.data, source.nbytes, self._stream)

    # --- Launches -----------------------------------------------------------------------------------
    def launch(self, kernel: Kernel, *args: object) -> None:
        loaded = self._kernels.get(kernel.name) or self._load(kernel)
        block = loaded.parameters.block(by_value(kernel, args))
        if self.observer is None:
            self._queue(loaded.passes, block)
            return
        before, after, _ = self.hold.around(lambda: self._queue(loaded.passes, block))
        self.observer(kernel.name, before, after)

    def _queue(self, passes: tuple[LoadedPass, ...], block: Block) -> None:
        """Launch passes on this back-end's stream, whichever is the thread's own."""
        with self._told():
            stream, address = self._stream.ptr, block.address
            for one in passes:
                shape = (one.blocks, 1, 1, one.threads, 1, 1, one.shared_bytes)
                self._launch_kernel(one.handle, *shape, stream, address, 0)

    @property
    def hold(self) -> Hold:
        """What keeps the host's time out of short times."""
        if self._hold is None:
            self._hold = Hold(self)
        return self._hold

    def prepare(self, kernels: Iterable[Kernel]) -> int:
        """Compile on all cores what the cache does not hold, and load everything; returns how many were compiled."""
        wanted = [kernel for kernel in kernels if kernel.name not in self._kernels]
        before = self.compiler.compiled
        with ThreadPoolExecutor(max_workers=usable_cores()) as pool:
            made = list(pool.map(lambda kernel: self.compiler.compile_kernel(kernel.name), wanted))
        for kernel, code in zip(wanted, made):
            self._load(kernel, code)
        return self.compiler.compiled - before

    def load_text(self, text: str, label: str, one: Pass) -> LoadedPass:
        """An entry of a text that is no kernel of the pipeline."""
        if label not in self._modules:
            self._modules[label] = self._module(self.compiler.compile_text(text, label))
        with self._told():
            return self._step(self._modules[label], one)

    def load_pass(self, name: str, one: Pass) -> LoadedPass:
        """One entry of a kernel's ``.cu`` that is launched on its own, such as a probe."""
        if name not in self._modules:
            self._modules[name] = self._module(self.compiler.compile_kernel(name))
        with self._told():
            return self._step(self._modules[name], one)

    def run_pass(self, one: LoadedPass, *args: object) -> None:
        """Launch a loaded pass."""
        self._queue((one,), Parameters().block(args))

    def _module(self, code: bytes) -> CupyObject:
        with self._told():
            module = self.cuda.function.Module()
            module.load(code)
            return module

    def _load(self, kernel: Kernel, code: bytes | None = None) -> LoadedKernel:
        module = self._module(code if code is not None else self.compiler.compile_kernel(kernel.name))
        with self._told():
            passes = tuple(self._step(module, one) for one in kernel.passes)
        self._modules[kernel.name] = module
        loaded = self._kernels[kernel.name] = LoadedKernel(passes, Parameters())
        return loaded

    def _step(self, module: CupyObject, one: Pass) -> LoadedPass:
        """A pass, with no more blocks than the device can hold at once: they stay and loop over the items."""
        function, driver = module.get_function(one.entry), self.cuda.driver
        if one.shared_bytes > SHARED_BYTES_FREE:
            slot = driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            driver.funcSetAttribute(function.ptr, slot, one.shared_bytes)
        resident = int(driver.occupancyMaxActiveBlocksPerMultiprocessor(function.ptr, one.threads, one.shared_bytes))
        if resident < 1:
            raise Unavailable(f"{one.entry}: GPU {self.device} ({self.device_name}) cannot hold one block of it")
        blocks = min(one.blocks_per_sm, resident) * self.multiprocessors if one.blocks_per_sm else 1
        return LoadedPass(function, function.ptr, blocks, one.threads, one.shared_bytes)

    # --- Time ---------------------------------------------------------------------------------------
    def synchronize(self) -> None:
        with self._told():
            self._wait(self.cuda.runtime.streamQuery, self._stream)
            self._stream.synchronize()
            self._sources.clear()

    def _wait(self, query: Callable[[int], int], what: CupyObject) -> None:
        """Until a stream or an event is done, or has failed. Raises Unavailable where neither happens."""
        if not patience.wait(lambda: int(query(what.ptr)), self._limit_s):
            self.lost = patience.silence(self.device, self.device_name, self._limit_s)
            if self._cupy is sys.modules.get("cupy"):
                patience.leave_at_the_end()
            raise Unavailable(self.lost)

    def stuck(self) -> None:
        """From the watch: a call of the driver does not return. Says and saves what there is, and ends the process."""
        self.lost = patience.silence(self.device, self.device_name, self._limit_s)
        if self.last_words is not None:
            self.last_words(self.lost)
        patience.leave(self.lost)

    def clock(self) -> EventStamp:
        return EventStamp(self)

    def recording(self) -> Recording:
        return GraphRecording(self)

    def sm_clock(self) -> SmClock:
        return SmClock(self)

    def energy_meter(self) -> EnergyMeter | None:
        """None on a slice: the counter is the whole board's."""
        return None if self.is_slice else EnergyMeter(self.bus_id)

    def _told(self) -> Told:
        """Around every call of the driver."""
        return self._around_calls

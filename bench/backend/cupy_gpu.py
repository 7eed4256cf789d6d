"""The GPU: one process drives one device through CuPy. Arrays, modules, launches, events, graphs, memory.

Everything is queued on one stream of its own; nothing waits but ``host``, ``synchronize`` and the difference of two
stamps, and none of them for ever. CuPy is handed in, so that the tests can hand in a fake. Not yet run on a GPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import struct
import sys
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from bench.backend import patience
from bench.backend.by_value import by_value
from bench.backend.energy import EnergyMeter
from bench.backend.limits import usable_cores
from bench.backend.nvrtc_cache import Compiler, import_cupy
from bench.backend.protocol import CupyObject, DeviceArray, Observer, Recording
from bench.backend.sm_clock import SmClock
from bench.base import units
from bench.base.errors import Unavailable, one_line
from kernels.base.kernel import Kernel, Pass

# struct Array of common.cuh, which an entry takes by value
ARGUMENT = np.dtype([("data", np.uint64), ("shape0", np.int64), ("shape1", np.int32), ("shape2", np.int32)], align=True)
PACK = struct.Struct("<Qqii").pack
SHARED_BYTES_FREE = 48 * 2**10  # dynamic shared memory that needs no permission
GRAPHS_MOST = 64  # kept at once
RECORD_AT = 2  # the call of a key that is recorded; what happens once is not worth it
DIMENSIONS_MOST = 3


class EventStamp:
    """A moment on the device. The difference of two is seconds, once the later one has happened."""

    __slots__ = ("_backend", "_event")

    def __init__(self, backend: CupyBackend) -> None:
        self._backend = backend
        with backend._told():
            self._event = backend._cuda.Event()
            self._event.record(backend._stream)

    def __sub__(self, earlier: EventStamp, /) -> float:
        cuda = self._backend._cuda
        with self._backend._told():
            self._backend._wait(cuda.runtime.eventQuery, self._event)
            self._event.synchronize()
            return float(cuda.get_elapsed_time(earlier._event, self._event)) * 1e-3


@dataclass(frozen=True)
class LoadedPass:
    """One pass of a kernel on this device."""

    function: CupyObject
    blocks: int
    threads: int
    shared_bytes: int

    def launch(self, values: list[np.generic | np.ndarray]) -> None:
        self.function((self.blocks,), (self.threads,), values, shared_mem=self.shared_bytes)


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
        self._cupy, self._cuda = cupy, cupy.cuda
        self.failures: tuple[type[Exception], ...] = (
            Unavailable,
            self._cuda.runtime.CUDARuntimeError,
            self._cuda.driver.CUDADriverError,
        )
        self.observer: Observer | None = None
        self.device = device
        self.device_name = "not yet known"
        self.last_words: Callable[[str], None] | None = None
        self._sources: list[np.ndarray] = []  # of copies to the device that may still be to come
        self.lost: str | None = None  # why this device is asked nothing any more
        self.calls = self.inside = 0  # of the driver, for the watch
        self._limit_s = patience.limit_s()
        patience.watch(self, self._limit_s)
        with self._told():
            handle = self._cuda.Device(device)
            handle.use()
            attributes = handle.attributes
            self.capability = divmod(int(handle.compute_capability), 10)  # "90" is 9.0, "120" is 12.0
            self.multiprocessors = int(attributes["MultiProcessorCount"])
            self.l2_bytes = int(attributes.get("L2CacheSize", 0))
            khz = attributes.get("ClockRate")
            self.clock_max_hz: float | None = float(khz) * 1e3 if khz else None
            properties = self._cuda.runtime.getDeviceProperties(device)
            self.device_name = _text(properties["name"])
            self.is_slice = " MIG " in self.device_name
            self.device_uuid = _uuid(properties.get("uuid"), self.is_slice)
            self.bus_id = str(self._cuda.runtime.deviceGetPCIBusId(device))
            self._stream = self._cuda.Stream(non_blocking=True)
            self._stream.use()
            self._pool = cupy.get_default_memory_pool()
        self.compiler = Compiler(self._cuda.nvrtc, self.capability, cache)
        self._steps: dict[str, tuple[LoadedPass, ...]] = {}
        self._modules: dict[str, CupyObject] = {}
        self.graph_problem: str | None = None  # why nothing is recorded, once recording has failed

    def device_count(self) -> int:
        """GPUs that the driver shows to this process."""
        with self._told():
            return int(self._cuda.runtime.getDeviceCount())

    # --- Memory -------------------------------------------------------------------------------------
    def free_bytes(self) -> int:
        """Bytes that arrays can still have: what the driver shows free and the pool holds unused, within its limit."""
        with self._told():
            free = int(self._cuda.runtime.memGetInfo()[0]) + int(self._pool.free_bytes())
            limit = int(self._pool.get_limit())  # CUPY_GPU_MEMORY_LIMIT; 0 is none
            return min(free, limit - int(self._pool.used_bytes())) if limit else free

    def total_bytes(self) -> int:
        with self._told():
            return int(self._cuda.runtime.memGetInfo()[1])

    def release(self) -> None:
        """Give unused memory back to the driver."""
        self.synchronize()
        with self._told():
            self._pool.free_all_blocks()

    def _allocate(self, shape: int | tuple[int, ...], dtype: DTypeLike, make: CupyObject) -> DeviceArray:
        try:
            return make(shape, dtype)
        except self._cuda.memory.OutOfMemoryError:
            self.release()  # pieces that the pool keeps may be too small each
        try:
            return make(shape, dtype)
        except self._cuda.memory.OutOfMemoryError:
            needed = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            free = units.byte_size(self.free_bytes())
            raise Unavailable(
                f"GPU {self.device} ({self.device_name}) is out of memory: an array needs"
                f" {units.byte_size(needed)}, {free} are free; a smaller --size runs"
            ) from None

    def array(self, values: np.ndarray) -> DeviceArray:
        with self._told():
            copy = self._allocate(values.shape, values.dtype, self._cupy.empty)
            if values.size:
                self._send(copy, values)
            return copy

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> DeviceArray:
        with self._told():
            return self._allocate(shape, dtype, self._cupy.zeros)

    def host(self, array: DeviceArray) -> np.ndarray:
        if not array.size:
            return np.empty(array.shape, array.dtype)
        with self._told():
            self._wait(self._cuda.runtime.streamQuery, self._stream)
            self._sources.clear()
            return np.asarray(array.get())

    def fill(self, array: DeviceArray, values: np.ndarray) -> None:
        if len(values):
            with self._told():
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
                target.data.copy_from_device_async(source.data, source.nbytes)

    # --- Launches -----------------------------------------------------------------------------------
    def launch(self, kernel: Kernel, *args: object) -> None:
        steps = self._steps.get(kernel.name) or self._load(kernel)
        values = [argument(value) for value in by_value(kernel, args)]
        with self._told():
            observer = self.observer
            if observer is None:
                for step in steps:
                    step.launch(values)
                return
            before = self.clock()
            for step in steps:
                step.launch(values)
            observer(kernel.name, before, self.clock())

    def prepare(self, kernels: Iterable[Kernel]) -> int:
        """Compile on all cores what the cache does not hold, and load everything; returns how many were compiled."""
        wanted = [kernel for kernel in kernels if kernel.name not in self._steps]
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
        with self._told():
            one.launch([argument(value) for value in args])

    def _module(self, code: bytes) -> CupyObject:
        with self._told():
            module = self._cuda.function.Module()
            module.load(code)
            return module

    def _load(self, kernel: Kernel, code: bytes | None = None) -> tuple[LoadedPass, ...]:
        module = self._module(code if code is not None else self.compiler.compile_kernel(kernel.name))
        with self._told():
            steps = tuple(self._step(module, one) for one in kernel.passes)
        self._modules[kernel.name] = module
        self._steps[kernel.name] = steps
        return steps

    def _step(self, module: CupyObject, one: Pass) -> LoadedPass:
        """A pass, with no more blocks than the device can hold at once: they stay and loop over the items."""
        function, driver = module.get_function(one.entry), self._cuda.driver
        if one.shared_bytes > SHARED_BYTES_FREE:
            slot = driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            driver.funcSetAttribute(function.ptr, slot, one.shared_bytes)
        resident = int(driver.occupancyMaxActiveBlocksPerMultiprocessor(function.ptr, one.threads, one.shared_bytes))
        if resident < 1:
            raise Unavailable(f"{one.entry}: GPU {self.device} ({self.device_name}) cannot hold one block of it")
        blocks = min(one.blocks_per_sm, resident) * self.multiprocessors if one.blocks_per_sm else 1
        return LoadedPass(function, blocks, one.threads, one.shared_bytes)

    # --- Time ---------------------------------------------------------------------------------------
    def synchronize(self) -> None:
        with self._told():
            self._wait(self._cuda.runtime.streamQuery, self._stream)
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

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """One line for what the driver reports: a kernel that failed, a device that has gone, memory that is full."""
        if self.lost is not None:
            raise Unavailable(self.lost)
        self.calls += 1
        self.inside += 1
        try:
            yield
        except self._cuda.memory.OutOfMemoryError as error:
            told = one_line(error)
            raise Unavailable(f"GPU {self.device} ({self.device_name}) is out of memory: {told}") from None
        except self.failures as error:
            if isinstance(error, Unavailable):
                raise
            raise Unavailable(patience.failure(self.device, error)) from None
        finally:
            self.inside -= 1


class GraphRecording:
    """Launches that repeat, kept as CUDA graphs: one call instead of one for each kernel."""

    def __init__(self, backend: CupyBackend) -> None:
        self._backend = backend
        self._graphs: dict[Hashable, CupyObject] = {}
        self._calls: dict[Hashable, int] = {}

    def run(self, key: Hashable, launches: Callable[[], None]) -> None:
        """Do ``launches``, or replay them: the same kernels with the same arguments whenever the key is the same."""
        device = self._backend
        # An observer times every launch: a graph has no place for its stamps
        if device.observer is not None or device.graph_problem is not None:
            launches()
            return
        if key not in self._graphs:
            self._calls[key] = self._calls.get(key, 0) + 1
            if self._calls[key] < RECORD_AT or not self._record(key, launches):
                launches()
                return
        with device._told():
            self._graphs[key].launch(device._stream)

    def _record(self, key: Hashable, launches: Callable[[], None]) -> bool:
        """Whether the launches could be recorded; nothing of them has run then."""
        device, stream = self._backend, self._backend._stream
        if len(self._graphs) >= GRAPHS_MOST:
            self.forget()
        try:
            stream.begin_capture()
            try:
                launches()
            finally:
                graph = stream.end_capture()
        except device.failures as error:
            device.graph_problem = one_line(error)
            return False
        self._graphs[key] = graph
        return True

    def forget(self) -> None:
        """Drop what was recorded: its arrays are other ones now."""
        self._backend.synchronize()
        self._graphs.clear()
        self._calls.clear()


def argument(value: DeviceArray) -> np.generic | np.ndarray:
    """What CuPy hands to an entry: an array as the 24 bytes of ``Array``, a whole number as int64, others as float32.

    CuPy passes a NumPy array of one element by value whatever its type is. Raises TypeError.
    """
    if hasattr(value, "shape") and value.shape != ():
        if not value.flags.c_contiguous or value.ndim > DIMENSIONS_MOST:
            raise TypeError(f"an array of shape {value.shape}: expected C-contiguous, at most {DIMENSIONS_MOST} axes")
        shape = (*value.shape, 1, 1)
        return np.ndarray((), ARGUMENT, PACK(value.data.ptr, shape[0], shape[1], shape[2]))  # 0.5 us: launches are many
    if isinstance(value, bytes):
        return np.frombuffer(value, f"V{len(value)}").reshape(())
    if isinstance(value, (bool, int, np.integer, np.bool_)):
        return np.int64(value)
    if isinstance(value, np.float32):
        return value
    raise TypeError(f"{type(value).__name__}: expected an array, a whole number or a float32")


def _uuid(value: object, is_slice: bool) -> str | None:
    """As NVML writes it; None where CuPy does not hand over all 16 bytes."""
    known = isinstance(value, bytes) and len(value) >= 16
    return f"{'MIG' if is_slice else 'GPU'}-{uuid.UUID(bytes=value[:16])}" if known else None  # type: ignore[index]


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


assert ARGUMENT.itemsize == 24 and ctypes.sizeof(ctypes.c_void_p) == 8

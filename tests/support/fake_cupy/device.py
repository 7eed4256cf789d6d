"""Devices, streams, events, graphs and modules of a CuPy without a device."""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import source
from kernels.base.constants import PARAMETER_WORDS
from tests.support.fake_cupy.errors import CudaDriverError, CudaRuntimeError

if TYPE_CHECKING:
    from tests.support.fake_cupy import FakeCupy

MIB = 2**20
ARRAY = np.dtype([("data", np.uint64), ("shape0", np.int64), ("shape1", np.int32), ("shape2", np.int32)], align=True)
VALUES = {"long long": "i8", "int": "i4", "float": "f4", "bool": "?", "Words": f"V{4 * PARAMETER_WORDS}"}
numbers = count(1)  # of streams and functions: what the driver calls handles


@dataclass(frozen=True)
class FakeGpu:
    name: str = "Fake GPU"
    capability: tuple[int, int] = (9, 0)
    memory_bytes: int = 2**33
    multiprocessors: int = 4
    uuid: bytes = bytes(range(16))
    compute_mode: int = 0  # 3: one process alone


@dataclass
class FakeDevice:
    cupy: FakeCupy
    id: int

    def use(self) -> None:
        if self.id >= len(self.cupy.gpus):
            raise CudaRuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self.cupy.current.device = self.id

    @property
    def compute_capability(self) -> str:
        return "{}{}".format(*self.cupy.gpus[self.id].capability)

    @property
    def attributes(self) -> dict[str, int]:
        gpu = self.cupy.gpus[self.id]
        return {
            "MultiProcessorCount": gpu.multiprocessors,
            "L2CacheSize": 50 * MIB,
            "ClockRate": 1_980_000,
            "ComputeMode": gpu.compute_mode,
            "KernelExecTimeout": int(self.cupy.launch_limit_s is not None),
        }


class FakeStream:
    def __init__(self, cupy: FakeCupy, null: bool = False) -> None:
        self.cupy, self.device_id = cupy, cupy.device
        self.ptr = 0 if null else next(numbers)
        cupy.streams[self.ptr] = self
        self._before: list[FakeStream] = []

    def use(self) -> None:
        if self.device_id != self.cupy.device:
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id}) does not match with the current device"
            )
        self.cupy.current.streams[self.device_id] = self

    def __enter__(self) -> FakeStream:
        self._before.append(self.cupy.stream)
        self.use()
        return self

    def __exit__(self, *error: object) -> None:
        self.cupy.current.streams[self.device_id] = self._before.pop()

    def synchronize(self) -> None:
        assert self.cupy.query(self) == 0, "a wait that nothing ends"
        self.cupy.log.append("synchronize")
        self.cupy.deliver(None)
        self.cupy.tell()

    def begin_capture(self) -> None:
        if self.cupy.capture_fails == "begin":
            raise CudaRuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted")
        assert self.cupy.captured is None, "a stream that captures already"
        self.cupy.captured = []

    def end_capture(self) -> FakeGraph:
        captured, self.cupy.captured = self.cupy.captured, None
        assert captured is not None, "a stream that captures nothing"
        if self.cupy.capture_fails == "end":
            raise CudaRuntimeError("cudaErrorStreamCaptureInvalidated: operation failed due to a previous error")
        if self.cupy.capture_fails == "instantiate":
            raise CudaRuntimeError("cudaErrorMemoryAllocation: out of memory")
        self.cupy.log.append(("graph of", len(captured)))
        return FakeGraph(self.cupy, captured)


@dataclass
class FakeGraph:
    cupy: FakeCupy
    launches: list[Callable[[], None]]

    def launch(self, stream: Any = None) -> None:
        cupy = self.cupy
        cupy.graph_launches += 1
        if cupy.graph_fails_at == cupy.graph_launches:
            raise CudaRuntimeError("cudaErrorMemoryAllocation: out of memory")
        cupy.used("graph", stream)
        cupy.log.append("graph")
        cupy.clocks.host_s += cupy.host_launch_s
        for one in self.launches:
            one()


class FakeEvent:
    def __init__(self, cupy: FakeCupy) -> None:
        self.cupy, self.seconds, self.ptr, self.device_id = cupy, 0.0, next(numbers), cupy.device
        self.copies = 0  # to the host that were sent before it
        cupy.events[self.ptr] = self

    def record(self, stream: Any = None) -> None:
        assert self.cupy.captured is None, "an event inside a graph has no time"
        self.cupy.used("event", stream)
        self.cupy.clocks.host_s += self.cupy.host_event_s
        self.copies = self.cupy.crossed + len(self.cupy.crossing)
        self.seconds = self.cupy.clocks.reached(self.device_id)

    def synchronize(self) -> None:
        assert self.cupy.query(self) == 0, "a wait that nothing ends"
        self.cupy.deliver(self.copies)
        self.cupy.tell()


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
        function = FakeFunction(self.cupy, self.text, name, next(numbers), self.cupy.device)
        self.cupy.functions[function.ptr] = function
        return SimpleNamespace(ptr=function.ptr)


@functools.cache
def entries_of(text: str) -> dict[str, source.Entry]:
    return source.entries(text)


@dataclass(frozen=True)
class FakeFunction:
    cupy: FakeCupy
    text: str
    name: str
    ptr: int
    device_id: int

    def launch(self, blocks: int, threads: int, shared_bytes: int, stream: FakeStream, parameters: int) -> None:
        """What the driver does: it copies the parameters, by the entry's own types, before the call returns."""
        cupy = self.cupy
        if not stream.device_id == self.device_id == cupy.device:
            raise CudaDriverError("CUDA_ERROR_INVALID_HANDLE: invalid resource handle")
        cupy.clocks.host_s += cupy.host_launch_s
        values = self._copied(parameters)

        def run() -> None:
            cupy.launched += 1
            cupy.run(self, blocks, threads, shared_bytes, values)

        if cupy.captured is not None:
            cupy.captured.append(run)
            if len(cupy.captured) == cupy.capture_fails:
                raise CudaDriverError("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: operation not permitted")
            return
        cupy.log.append((self.name, blocks, threads, shared_bytes))
        run()

    def _copied(self, parameters: int) -> list[Any]:
        known = entries_of(self.text)[self.name].parameters
        places = (ctypes.c_uint64 * len(known)).from_address(parameters) if known else ()
        values = []
        for parameter, place in zip(known, places):
            kind = ARRAY if parameter.element is not None else np.dtype(VALUES[parameter.type])
            assert place % kind.alignment == 0, "a parameter that is not aligned"
            values.append(np.frombuffer(ctypes.string_at(place, kind.itemsize), kind)[0])
        return values

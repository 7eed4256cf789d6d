"""The GPU's back-end with the emulator for a device: arguments, graphs and passes carry the kernels' real text."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.cupy_gpu import CupyBackend
from kernels.base.kernel import Pass
from tests.emulator import Emulator, build, launcher
from tests.support.fake_cupy import FakeCupy, FakeGpu

MULTIPROCESSORS = 2
PASS_S = 7200  # processor time of one pass: a picture of size S in the checked build takes long
NEEDS_COMPILER = pytest.mark.skipif(not build.available(), reason=build.why_not())


class NoClock:
    """In place of a multiprocessor's clock, which an emulator has not."""

    def reset(self) -> None: ...
    def begin(self) -> None: ...
    def end(self) -> None: ...
    def hertz(self) -> None: ...


class EmulatedGpu(CupyBackend):
    """A CupyBackend whose launches run in the emulator."""

    def sm_clock(self) -> Any:
        return NoClock()


def emulated_gpu(cache: Path, seed: int = 0, checked: bool = False, **options: Any) -> EmulatedGpu:
    return EmulatedGpu(0, emulated_cupy(seed, checked, **options), cache)


def emulated_cupy(seed: int = 0, checked: bool = False, **options: Any) -> FakeCupy:
    emulator = Emulator(device_sms=1, checked=checked, seed=seed, limit_s=PASS_S)

    def execute(text: str, entry: str, blocks: int, threads: int, values: list[Any], shared_bytes: int) -> None:
        library, path, entries = launcher._loaded(text, checked)
        known = entries[entry]
        unpacked = [_unpacked(parameter, value) for parameter, value in zip(known.parameters, values, strict=True)]
        one = Pass(entry, threads=threads, blocks_per_sm=blocks, shared_bytes=shared_bytes)
        emulator._pass(library, path, one, known, unpacked)

    gpu = FakeGpu("Emulated GPU", multiprocessors=MULTIPROCESSORS)
    return FakeCupy(gpus=(gpu,), execute=execute, resident_blocks=2, **options)


def _unpacked(parameter: Any, value: Any) -> Any:
    """What the 24 bytes of an array stand for, a vector that came by value, or a plain number."""
    if parameter.type == "Words":
        return np.frombuffer(value.tobytes(), np.float32)
    element = parameter.element
    if element is None:
        return float(value) if parameter.type == "float" else int(value)
    kind = np.dtype(launcher.ELEMENTS[element])
    shape = (int(value["shape0"]), int(value["shape1"]), int(value["shape2"]))
    size = int(np.prod(shape))
    if size == 0:
        return np.zeros(shape, kind)
    memory = (ctypes.c_uint8 * (size * kind.itemsize)).from_address(int(value["data"]))
    return np.frombuffer(memory, kind).reshape(shape)

"""The NVIDIA GPUs that this process may use, as NVML describes them; an empty list without driver or library.

NVML lists every board of the node. What is visible follows from CUDA_VISIBLE_DEVICES as CUDA reads it: numbers, or the
beginnings of UUIDs, up to the first that names nothing. A slice of a board (MIG) is a device of its own, and CUDA shows
one alone. Where CuPy is at work its own list decides: numbers go by speed unless CUDA_DEVICE_ORDER is PCI_BUS_ID.
Not yet run on a GPU.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.record.description import Gpu

T = TypeVar("T")
Handle = Any  # of NVML's, which states no types
UUID_BYTES_LEAST = 4  # CuPy's may end early, at a byte that is zero


@dataclass(frozen=True)
class Device:
    """A board, or a slice of one."""

    handle: Handle
    board: Handle  # the board itself, or the one that a slice is of
    uuid: str | None  # GPU-... of a board, MIG-... of a slice
    bus_id: str | None  # of the board
    is_slice: bool = False
    place: tuple[int, int] | None = None  # of a slice: numbers of its GPU instance and compute instance
    slices: tuple[Device, ...] = ()
    cut: bool = False  # whether a board is in MIG mode: then only its slices can be used

    @property
    def shown(self) -> Device | None:
        """What CUDA makes of the board: itself, or its first slice; None where it is cut and has none."""
        return (self.slices[0] if self.slices else None) if self.cut else self

    def named(self, name: str) -> bool:
        return self.uuid is not None and self.uuid.lower().startswith(name.lower())


def visible(boards: Sequence[Device], names: str | None) -> list[Device]:
    """The devices that CUDA shows; ``names`` is CUDA_VISIBLE_DEVICES, None where it is not set."""
    found: list[Device] = []
    if names is None:
        found = [one for board in boards if (one := board.shown) is not None]
    else:
        for name in names.split(","):
            one = _device_of(name.strip(), boards)
            if one is None or one in found:
                break
            found.append(one)
    first_slice = next((one for one in found if one.is_slice), None)
    return found if first_slice is None else [first_slice]


def _device_of(name: str, boards: Sequence[Device]) -> Device | None:
    if name.isascii() and name.isdigit():
        return boards[int(name)].shown if len(name) < 10 and int(name) < len(boards) else None
    old = re.fullmatch(r"MIG-(GPU-[^/]+)/(\d+)/(\d+)", name)  # of drivers before 470
    if old:
        place = (int(old[2]), int(old[3]))
        slices = [one for board in boards if board.named(old[1]) for one in board.slices]
        return next((one for one in slices if one.place == place), None)
    if name.startswith("MIG-"):
        return next((one for board in boards for one in board.slices if one.named(name)), None)
    if name.startswith("GPU-"):
        return next((board.shown for board in boards if board.named(name)), None)
    return None


def used_by_cupy(boards: Sequence[Device], cupy: Any) -> list[Device] | None:
    """The devices in the order of CuPy's numbers; None where it cannot be asked or shows what NVML does not."""
    try:
        runtime = cupy.cuda.runtime
        asked = [
            (str(runtime.deviceGetPCIBusId(index)), runtime.getDeviceProperties(index).get("uuid"))
            for index in range(int(runtime.getDeviceCount()))
        ]
    except Exception:  # CuPy has its own types for every library
        return None
    found = []
    for bus_id, uuid in asked:
        board = next((one for one in boards if _short_bus_id(one.bus_id) == _short_bus_id(bus_id)), None)
        device = None if board is None else _slice_of(board, uuid) or board.shown
        if device is None:
            return None
        found.append(device)
    return found


def _slice_of(board: Device, uuid: object) -> Device | None:
    if not isinstance(uuid, bytes) or len(uuid) < UUID_BYTES_LEAST:
        return None
    wanted = uuid[:16].hex()
    return next((one for one in board.slices if (one.uuid or "")[4:].replace("-", "").startswith(wanted)), None)


def _short_bus_id(text: str | None) -> str | None:
    """``00000000:01:00.0`` of NVML and ``0000:01:00.0`` of CUDA are the same."""
    return text.lower()[-12:] if text else None


def describe() -> list[Gpu]:
    """The GPUs that this process may use, an empty list without driver or library."""
    try:
        import pynvml as nvml

        nvml.nvmlInit()
    except Exception:  # NVML raises its own types; without it there is nothing to tell
        return []
    try:
        return _describe(nvml)
    except Exception:  # a library that knows less, a name that is no text: a record has a gap then
        return []
    finally:
        with contextlib.suppress(Exception):
            nvml.nvmlShutdown()


def _describe(nvml: Any) -> list[Gpu]:
    def read(function: Callable[..., T], *args: object) -> T | None:
        try:
            return function(*args)
        except nvml.NVMLError:
            return None

    def read_text(function: Callable[..., str | bytes], *args: object) -> str | None:
        value = read(function, *args)
        return value.decode() if isinstance(value, bytes) else value

    def bus_id(handle: Handle) -> str | None:
        found = read(nvml.nvmlDeviceGetPciInfo, handle)
        text = found.busId if found else None
        return text.decode() if isinstance(text, bytes) else text

    def slices_of(board: Handle, where: str | None) -> tuple[Device, ...]:
        handles = [
            read(nvml.nvmlDeviceGetMigDeviceHandleByIndex, board, index)
            for index in range(read(nvml.nvmlDeviceGetMaxMigDeviceCount, board) or 0)
        ]
        found = []
        for handle in handles:
            if handle is not None:  # numbers that no slice has
                place = read(nvml.nvmlDeviceGetGpuInstanceId, handle), read(nvml.nvmlDeviceGetComputeInstanceId, handle)
                known = (place[0], place[1]) if place[0] is not None and place[1] is not None else None
                uuid = read_text(nvml.nvmlDeviceGetUUID, handle)
                found.append(Device(handle, board, uuid, where, is_slice=True, place=known))
        return tuple(found)

    def board_of(handle: Handle) -> Device:
        mode, where = read(nvml.nvmlDeviceGetMigMode, handle), bus_id(handle)
        cut = bool(mode and mode[0])
        slices = slices_of(handle, where) if cut else ()
        return Device(handle, handle, read_text(nvml.nvmlDeviceGetUUID, handle), where, slices=slices, cut=cut)

    def profile_of(device: Device, model: str | None) -> str | None:
        """Such as 1g.10gb: from the name that NVML gives a slice, or from its parts."""
        told = re.search(r"\bMIG (\S+)", model or "")
        if told or not device.is_slice:
            return told[1] if told else None
        parts = read(nvml.nvmlDeviceGetAttributes, device.handle)
        return f"{parts.gpuInstanceSliceCount}g.{round(parts.memorySizeMB / 1024)}gb" if parts else None

    driver = read_text(nvml.nvmlSystemGetDriverVersion)
    cuda = read(nvml.nvmlSystemGetCudaDriverVersion_v2)

    def described(device: Device) -> Gpu:
        """A slice has its own name, memory and UUID; clocks are the board's, and its power is not the slice's."""
        board = device.board
        model = read_text(nvml.nvmlDeviceGetName, device.handle)
        size = read(nvml.nvmlDeviceGetMemoryInfo, device.handle)
        profile = profile_of(device, model)
        if device.is_slice and not (model and "MIG" in model):
            model = f"{read_text(nvml.nvmlDeviceGetName, board) or 'GPU'} MIG {profile or 'slice'}"
        power_mw = None if device.is_slice else read(nvml.nvmlDeviceGetPowerManagementLimit, board)
        clock_mhz = read(nvml.nvmlDeviceGetClockInfo, board, nvml.NVML_CLOCK_SM)
        clock_max_mhz = read(nvml.nvmlDeviceGetMaxClockInfo, board, nvml.NVML_CLOCK_SM)
        memory_mhz = read(nvml.nvmlDeviceGetMaxClockInfo, board, nvml.NVML_CLOCK_MEM)
        ecc, mig = read(nvml.nvmlDeviceGetEccMode, board), read(nvml.nvmlDeviceGetMigMode, board)
        return {
            "model": model,
            "memory_bytes": size.total if size else None,
            "driver": driver,
            "cuda_driver": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
            "power_limit_w": power_mw * 1e-3 if power_mw is not None else None,
            "clock_hz": clock_mhz * 1e6 if clock_mhz is not None else None,
            "clock_max_hz": clock_max_mhz * 1e6 if clock_max_mhz is not None else None,
            "memory_clock_max_hz": memory_mhz * 1e6 if memory_mhz is not None else None,
            "ecc": bool(ecc[0]) if ecc else None,
            "mig": bool(mig[0]) if mig else None,
            "mig_profile": profile,
            "uuid": device.uuid,
        }

    handles = [read(nvml.nvmlDeviceGetHandleByIndex, index) for index in range(read(nvml.nvmlDeviceGetCount) or 0)]
    boards = [board_of(handle) for handle in handles if handle is not None]
    used = visible(boards, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if used and "cupy" in sys.modules:
        used = used_by_cupy(boards, sys.modules["cupy"]) or used
    return [described(device) for device in used]

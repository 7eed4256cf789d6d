"""The NVIDIA GPUs of a machine, as NVML describes them; an empty list without driver or library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bench.record.description import Gpu

T = TypeVar("T")


def describe() -> list[Gpu]:
    """NVIDIA GPUs through NVML, an empty list without driver or library."""
    try:
        import pynvml as nvml

        nvml.nvmlInit()
    except Exception:  # NVML raises its own types; without it there is nothing to tell
        return []

    def read(function: Callable[..., T], *args: object) -> T | None:
        try:
            return function(*args)
        except nvml.NVMLError:
            return None

    def read_text(function: Callable[..., str | bytes], *args: object) -> str | None:
        value = read(function, *args)
        return value.decode() if isinstance(value, bytes) else value

    found: list[Gpu] = []
    driver = read_text(nvml.nvmlSystemGetDriverVersion)
    cuda = read(nvml.nvmlSystemGetCudaDriverVersion_v2)
    for index in range(read(nvml.nvmlDeviceGetCount) or 0):
        handle = read(nvml.nvmlDeviceGetHandleByIndex, index)
        if handle is None:
            continue
        size = read(nvml.nvmlDeviceGetMemoryInfo, handle)
        power_mw = read(nvml.nvmlDeviceGetPowerManagementLimit, handle)
        clock_mhz = read(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM)
        clock_max_mhz = read(nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_SM)
        memory_mhz = read(nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_MEM)
        ecc = read(nvml.nvmlDeviceGetEccMode, handle)
        mig = read(nvml.nvmlDeviceGetMigMode, handle)
        found.append(
            {
                "model": read_text(nvml.nvmlDeviceGetName, handle),
                "memory_bytes": size.total if size else None,
                "driver": driver,
                "cuda_driver": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
                "power_limit_w": power_mw * 1e-3 if power_mw is not None else None,
                "clock_hz": clock_mhz * 1e6 if clock_mhz is not None else None,
                "clock_max_hz": clock_max_mhz * 1e6 if clock_max_mhz is not None else None,
                "memory_clock_max_hz": memory_mhz * 1e6 if memory_mhz is not None else None,
                "ecc": bool(ecc[0]) if ecc else None,
                "mig": bool(mig[0]) if mig else None,
            }
        )
    nvml.nvmlShutdown()
    return found

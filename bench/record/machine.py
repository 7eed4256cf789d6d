"""Who measured: CPU, GPU, memory, limits, versions, commit. What cannot be read is None.

Nothing here needs rights, and nothing fails: a record from an odd machine has more nulls, that is all.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from bench.backend.limits import affinity_cores, cgroup_memory_limit_bytes, cgroup_quota_cores
from bench.record.description import Commit, Cpu, Gpu, Hardware, Machine, Memory

LIBRARIES = ("numba", "llvmlite", "numpy", "pytest", "pytest-benchmark", "click", "rich", "Pillow", "OpenEXR", "psutil")
GPU_LIBRARIES = ("cupy-cuda12x", "cupy-cuda13x", "nvidia-ml-py")
ISA_FLAGS = (
    "avx512f",
    "avx512_bf16",
    "avx512_vnni",
    "avx2",
    "fma",
    "f16c",
    "avx",
    "sse4_2",
    "sve2",
    "sve",
    "asimd",
    "neon",
)
CHECKOUT = Path(__file__).resolve().parents[2]
SLUG_LENGTH_MAX = 60

T = TypeVar("T")


def slug(text: str) -> str:
    """A name that is safe as a folder's on every system: a-z 0-9 and single dashes, never empty, never a dot name."""
    words = re.sub(r"\((?:r|tm)\)|\bcpu\b|\bprocessor\b|@.*$", " ", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:SLUG_LENGTH_MAX].strip("-") or "unknown"


def _proc_cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _cpu_name() -> str | None:
    """The processor's name where /proc/cpuinfo has none: on ARM, macOS and Windows."""
    name: str | None = None
    if sys.platform == "win32":
        import winreg

        with (
            contextlib.suppress(OSError),
            winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key,
        ):
            name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    elif platform.system() == "Darwin":
        name = _output("sysctl", "-n", "machdep.cpu.brand_string")
    else:
        found = re.search(r"^Model name: *(.+)$", _output("lscpu"), re.MULTILINE)
        name = found[1].strip() if found else None
    return name or platform.processor() or None


def _cpu_model() -> tuple[str | None, list[str]]:
    """Model name and the vector instruction sets among its flags."""
    info = _proc_cpuinfo()
    words = info.get("flags") or info.get("Features")
    if words is None and platform.system() == "Darwin":
        words = _output("sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features").lower()
    flags = (words or "").split()
    return info.get("model name") or _cpu_name(), [flag for flag in ISA_FLAGS if flag in flags]


def _read_number(path: str, scale: float = 1.0) -> float | None:
    try:
        return float(Path(path).read_text().split()[0]) * scale
    except (OSError, ValueError, IndexError):
        return None


def _read_text(path: str) -> str | None:
    try:
        return Path(path).read_text().strip() or None
    except OSError:
        return None


def cpu() -> Cpu:
    """The processor and what this process may use of it."""
    import psutil

    model, isa = _cpu_model()
    # kHz in sysfs, MHz in /proc; a container often shows neither.
    policy = "/sys/devices/system/cpu/cpu0/cpufreq"
    try:
        mhz = float(_proc_cpuinfo().get("cpu MHz", "nan"))
    except ValueError:
        mhz = float("nan")
    return {
        "model": model,
        "family": _proc_cpuinfo().get("cpu family"),
        "model_number": _proc_cpuinfo().get("model"),
        "isa": isa,
        "architecture": platform.machine() or None,
        "logical_cores": os.cpu_count(),
        "physical_cores": psutil.cpu_count(logical=False),
        "affinity_cores": affinity_cores(),
        "cgroup_quota_cores": cgroup_quota_cores(),
        "clock_hz": mhz * 1e6 if mhz == mhz else None,
        "clock_max_hz": _read_number(f"{policy}/cpuinfo_max_freq", 1e3),
        "governor": _read_text(f"{policy}/scaling_governor"),
    }


def memory() -> Memory:
    """Main memory, and the container's limit where there is one."""
    import psutil

    return {"total_bytes": psutil.virtual_memory().total, "cgroup_limit_bytes": cgroup_memory_limit_bytes()}


def gpus() -> list[Gpu]:
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


def libraries() -> dict[str, str | None]:
    """Version of every library that matters to a result or a time; None when it is not installed."""
    found: dict[str, str | None] = {}
    for name in (*LIBRARIES, *GPU_LIBRARIES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name not in GPU_LIBRARIES:
                found[name] = None
    return found


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@lru_cache(maxsize=1)
def commit() -> Commit:
    """Commit of the checkout that runs, and whether its tree was clean; nulls when it is not a checkout.

    New files under ``results/`` do not make a tree unclean: every run writes one.
    """
    top = _git("rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != CHECKOUT:
        return {"id": None, "clean": None, "time": None, "branch": None}
    status = _git("status", "--porcelain", "--", ".", ":(exclude)results")
    return {
        "id": _git("rev-parse", "HEAD"),
        "clean": None if status is None else status == "",
        "time": _git("show", "-s", "--format=%cI", "HEAD"),
        "branch": _git("rev-parse", "--abbrev-ref", "HEAD"),
    }


def load_average() -> float | None:
    """Runnable processes over the last minute: a busy machine's times say little."""
    try:
        return float(os.getloadavg()[0])
    except (OSError, AttributeError):
        return None


def threading_layer() -> str | None:
    """How Numba runs its threads (tbb, omp or workqueue); None before the first parallel kernel."""
    import numba

    try:
        return str(numba.threading_layer())
    except ValueError:
        return None


def wait_policy() -> str | None:
    """How long a thread spins before it sleeps while it waits, where OpenMP was told; None: the library's default."""
    spin = os.environ.get("GOMP_SPINCOUNT")
    return os.environ.get("OMP_WAIT_POLICY") or (f"spin {spin}"[:40] if spin else None)


def peak_memory_bytes() -> int | None:
    """Most memory that this process has held so far; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if platform.system() == "Darwin" else 1024)


@lru_cache(maxsize=1)
def _hardware() -> Hardware:
    return {
        "cpu": cpu(),
        "memory": memory(),
        "gpus": gpus(),
        "system": {
            "name": platform.system(),
            "release": platform.release(),
            "libc": " ".join(platform.libc_ver()) or None,
        },
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "libraries": libraries(),
    }


def describe() -> Machine:
    """Everything a record says about this machine."""
    hardware = _hardware()
    return {
        "id": machine_id(hardware),
        **hardware,
        "load_average": load_average(),
        "threading_layer": threading_layer(),
        "wait_policy": wait_policy(),
        "spin_count": os.environ.get("GOMP_SPINCOUNT"),
    }


def machine_id(described: Hardware) -> str:
    """Folder name of a machine: CPU, threads, GPUs, system. Equal hardware shares a folder; no host name leaks."""
    processor = described["cpu"]
    parts = [processor["model"] or processor["architecture"] or "unknown-cpu", f"{processor['affinity_cores']}t"]
    graphics = [g["model"] or "gpu" for g in described["gpus"]]
    if graphics:
        parts.append(f"{len(graphics)}x {graphics[0]}")
    name = slug(" ".join(parts))
    mark = hashlib.sha256(
        repr((parts, described["system"]["name"], described["memory"]["total_bytes"] // 2**30)).encode()
    ).hexdigest()[:6]
    return f"{name}-{mark}"


def pytest_benchmark_commit(found: Commit) -> dict[str, object]:
    """``commit_info`` as pytest-benchmark writes it, of what ``commit`` returned."""
    return {
        "id": found["id"] or "unversioned",
        "time": found["time"],
        "author_time": found["time"],
        "dirty": None if found["clean"] is None else not found["clean"],
        "project": "shotmark",
        "branch": found["branch"],
    }


def pytest_benchmark_view(described: Machine) -> dict[str, object]:
    """``machine_info`` as pytest-benchmark writes it, with our description under ``shotmark``; no host name."""
    processor = described["cpu"]
    return {
        "node": described["id"],
        "processor": processor["model"] or "",
        "machine": processor["architecture"] or "",
        "python_implementation": described["python"]["implementation"],
        "python_version": described["python"]["version"],
        "system": described["system"]["name"],
        "release": described["system"]["release"],
        "cpu": {"brand_raw": processor["model"] or "", "count": processor["logical_cores"]},
        "shotmark": described,
    }

"""The processor: its name, its instruction sets, and what this process may use of it. What cannot be read is None."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from bench.backend.limits import affinity_cores, cgroup_quota_cores
from bench.record.description import Cpu

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


def describe() -> Cpu:
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

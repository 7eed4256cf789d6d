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

# Implementer and part numbers (Main ID Register, Arm Architecture Reference Manual), with the names that lscpu gives
ARM_CORES: dict[str, tuple[str, dict[str, str]]] = {
    "0x41": (
        "ARM",
        {
            "0xd03": "Cortex-A53",
            "0xd05": "Cortex-A55",
            "0xd07": "Cortex-A57",
            "0xd08": "Cortex-A72",
            "0xd09": "Cortex-A73",
            "0xd0a": "Cortex-A75",
            "0xd0b": "Cortex-A76",
            "0xd0c": "Neoverse-N1",
            "0xd40": "Neoverse-V1",
            "0xd41": "Cortex-A78",
            "0xd42": "Cortex-A78AE",
            "0xd44": "Cortex-X1",
            "0xd46": "Cortex-A510",
            "0xd47": "Cortex-A710",
            "0xd48": "Cortex-X2",
            "0xd49": "Neoverse-N2",
            "0xd4a": "Neoverse-E1",
            "0xd4d": "Cortex-A715",
            "0xd4e": "Cortex-X3",
            "0xd4f": "Neoverse-V2",
            "0xd80": "Cortex-A520",
            "0xd81": "Cortex-A720",
            "0xd82": "Cortex-X4",
            "0xd84": "Neoverse-V3",
            "0xd85": "Cortex-X925",
            "0xd87": "Cortex-A725",
            "0xd8e": "Neoverse-N3",
        },
    ),
    "0x43": ("Cavium", {"0x0a1": "ThunderX", "0x0af": "ThunderX2", "0x0b8": "ThunderX3"}),
    "0x46": ("Fujitsu", {"0x001": "A64FX", "0x003": "MONAKA"}),
    "0x48": ("HiSilicon", {"0xd01": "TaiShan-v110", "0xd02": "TaiShan-v120"}),
    "0x4e": ("NVIDIA", {"0x003": "Denver 2", "0x004": "Carmel", "0x010": "Olympus"}),
    "0x51": ("Qualcomm", {"0x001": "Oryon", "0xc00": "Falkor"}),
    "0x61": (
        "Apple",
        {
            "0x022": "Icestorm M1",
            "0x023": "Firestorm M1",
            "0x024": "Icestorm M1 Pro",
            "0x025": "Firestorm M1 Pro",
            "0x028": "Icestorm M1 Max",
            "0x029": "Firestorm M1 Max",
            "0x032": "Blizzard M2",
            "0x033": "Avalanche M2",
        },
    ),
    "0x6d": ("Microsoft", {"0xd49": "Azure Cobalt 100"}),
    "0x70": ("Phytium", {"0x663": "FTC663", "0x862": "FTC862"}),
    "0xc0": ("Ampere", {"0xac3": "Ampere-1", "0xac4": "Ampere-1a"}),
}


def _proc_cpuinfo() -> list[tuple[str, str]]:
    """Keys and values of every processor, in order."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    pairs = (line.partition(":") for line in text.splitlines())
    return [(key.strip(), value.strip()) for key, colon, value in pairs if colon]


def _first(info: list[tuple[str, str]], *keys: str) -> str | None:
    """The first value that one of these keys has; the keys in order."""
    return next((value for wanted in keys for key, value in info if key == wanted and value), None)


def _arm_name(info: list[tuple[str, str]]) -> str | None:
    """An ARM processor's name by the implementer and part numbers of its cores; the numbers where it is not known."""
    implementer, found = "", []
    for key, value in info:
        if key == "CPU implementer":
            implementer = value.lower()
        elif key == "CPU part":
            part = value.lower()
            maker, cores = ARM_CORES.get(implementer, (f"ARM {implementer}", {}))
            found.append(f"{maker} {cores.get(part, part)}")
    return " + ".join(dict.fromkeys(found)) or None  # big cores and small ones


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _cpu_name() -> str | None:
    """The processor's name where /proc/cpuinfo has none: on macOS, Windows and rare systems."""
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
    words = _first(info, "flags", "Features", "isa")
    if words is None and platform.system() == "Darwin":
        words = _output("sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features").lower()
    flags = (words or "").split()
    model = _first(info, "model name") or _arm_name(info) or _first(info, "cpu", "uarch", "cpu model") or _cpu_name()
    return model, [flag for flag in ISA_FLAGS if flag in flags]


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
    info = _proc_cpuinfo()
    # kHz in sysfs, MHz in /proc; a container often shows neither.
    policy = "/sys/devices/system/cpu/cpu0/cpufreq"
    try:
        mhz = float(_first(info, "cpu MHz") or "nan")
    except ValueError:
        mhz = float("nan")
    return {
        "model": model,
        "family": _first(info, "cpu family"),
        "model_number": _first(info, "model"),
        "isa": isa,
        "architecture": platform.machine() or None,
        "logical_cores": psutil.cpu_count(logical=True) or os.cpu_count(),
        "physical_cores": psutil.cpu_count(logical=False),
        "affinity_cores": affinity_cores(),
        "cgroup_quota_cores": cgroup_quota_cores(),
        "clock_hz": mhz * 1e6 if mhz == mhz else None,
        "clock_max_hz": _read_number(f"{policy}/cpuinfo_max_freq", 1e3),
        "governor": _read_text(f"{policy}/scaling_governor"),
    }

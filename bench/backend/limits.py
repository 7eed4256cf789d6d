"""What this process may use: cores by affinity, what a container grants; and why a GPU is left alone."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GpuUnused:
    """Why a GPU that is there is not used, where nobody asked for it by name."""

    reason: str
    helps: str | None  # a command or an action; None where nothing is known

    @property
    def line(self) -> str:
        return f"GPU not used: {self.reason}{f'. What helps: {self.helps}' if self.helps else ''}"


def affinity_cores() -> int:
    """Logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_quota_cores(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> float | None:
    """Cores' worth of time that the container grants (cgroup v2 or v1), the least on the way up; None: no limit."""
    quotas = []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        version_2 = controllers == ""
        if not version_2 and "cpu" not in controllers.split(","):
            continue
        base = root if version_2 else root / "cpu"
        folder = base / path.lstrip("/")
        for place in (folder, *folder.parents):
            if version_2:
                quota = _read_words(place / "cpu.max")
            else:
                quota = _read_words(place / "cpu.cfs_quota_us") + _read_words(place / "cpu.cfs_period_us")
            if (
                len(quota) == 2
                and quota[0].isdigit()
                and quota[1].isdigit()
                and int(quota[0]) > 0
                and int(quota[1]) > 0
            ):
                quotas.append(int(quota[0]) / int(quota[1]))
            if place == base:
                break
    return min(quotas, default=None)


def _read_words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def cgroup_memory_limit_bytes(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that the container grants; None without a limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        words = _read_words(root / name)
        # Version 1 says "no limit" with a number that no machine has.
        if words and words[0].isdigit() and int(words[0]) < 2**60:
            return int(words[0])
    return None


def usable_memory_bytes() -> int:
    """Bytes of memory that this process may use: the machine's, less where a container grants less."""
    import psutil

    limit = cgroup_memory_limit_bytes()
    total = int(psutil.virtual_memory().total)
    return total if limit is None else min(total, limit)


def usable_cores() -> int:
    """Threads that are worth starting: cores by affinity, less where a container grants less."""
    quota = cgroup_quota_cores()
    cores = affinity_cores()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))

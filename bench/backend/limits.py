"""What this process may use: cores by affinity, what a container grants; and why a GPU is left alone."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUP_ROOT, CGROUP_MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


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


def _cgroup_folders(controller: str, root: Path, membership: Path) -> Iterator[tuple[Path, bool]]:
    """(folder, whether it is of version 2) of this process's groups that have a controller, and of all above them."""
    try:
        lines = membership.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    own = [parts for parts in (line.split(":", 2) for line in lines) if len(parts) == 3]
    for _, controllers, path in own or [["0", "", "/"]]:
        version_2 = controllers == ""
        if not version_2 and controller not in controllers.split(","):
            continue
        base = root if version_2 else root / controller
        # A path from outside this namespace ("/../..", or one that is not mounted here) leaves the root at least
        steps = [step for step in path.split("/") if step not in ("", ".", "..")]
        for depth in range(len(steps), -1, -1):
            yield base.joinpath(*steps[:depth]), version_2


def cgroup_quota_cores(root: Path = CGROUP_ROOT, membership: Path = CGROUP_MEMBERSHIP) -> float | None:
    """Cores' worth of time that the container grants (cgroup v2 or v1), the least on the way up; None: no limit."""
    quotas = []
    for place, version_2 in _cgroup_folders("cpu", root, membership):
        if version_2:
            quota = _read_words(place / "cpu.max")
        else:
            quota = _read_words(place / "cpu.cfs_quota_us") + _read_words(place / "cpu.cfs_period_us")
        if len(quota) == 2 and all(found := [_positive(word) for word in quota]):
            quotas.append(found[0] / found[1])
    return min(quotas, default=None)


def _positive(word: str) -> int:
    """The number that a word is; 0 for everything else, and for what only stands for "no limit"."""
    number = int(word) if word.isascii() and word.isdigit() and len(word) < 20 else 0
    return number if number < 2**60 else 0


def _read_words(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").split()
    except OSError:
        return []


def cgroup_memory_limit_bytes(root: Path = CGROUP_ROOT, membership: Path = CGROUP_MEMBERSHIP) -> int | None:
    """Bytes that the container or the batch system's step grants, the least on the way up; None without a limit."""
    limits = []
    for place, version_2 in _cgroup_folders("memory", root, membership):
        words = _read_words(place / ("memory.max" if version_2 else "memory.limit_in_bytes"))
        if words and (limit := _positive(words[0])):
            limits.append(limit)
    return min(limits, default=None)


def address_space_limit_bytes() -> int | None:
    """What ``ulimit -v`` leaves this process; None without a limit, and on systems that have none."""
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return soft if 0 < soft < 2**60 and soft != resource.RLIM_INFINITY else None


def usable_memory_bytes() -> int:
    """Bytes of memory that this process may use: the machine's, less where a container or a limit grants less."""
    import psutil

    limits = (cgroup_memory_limit_bytes(), address_space_limit_bytes())
    return min([int(psutil.virtual_memory().total), *(limit for limit in limits if limit is not None)])


def usable_cores() -> int:
    """Threads that are worth starting: cores by affinity, less where a container grants less."""
    quota = cgroup_quota_cores()
    cores = affinity_cores()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))

"""Who measured: CPU, GPU, memory, limits, versions, commit. What cannot be read is None.

Nothing here needs rights, and nothing fails: a record from an odd machine has more nulls, that is all.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bench.backend.limits import cgroup_memory_limit_bytes
from bench.record import gpus, processor
from bench.record.description import Commit, Hardware, Machine, Memory
from kernels.base import nvrtc

LIBRARIES = ("numba", "llvmlite", "numpy", "pytest", "pytest-benchmark", "click", "rich", "Pillow", "OpenEXR", "psutil")
GPU_LIBRARIES = ("cupy-cuda12x", "cupy-cuda13x", *nvrtc.WHEELS.values(), "nvidia-ml-py")
CHECKOUT = Path(__file__).resolve().parents[2]
SLUG_LENGTH_MAX = 60
X86_64 = ("x86_64", "amd64")  # by Linux and macOS, and by Windows


def slug(text: str) -> str:
    """A name that is safe as a folder's on every system: a-z 0-9 and single dashes, never empty, never a dot name."""
    words = re.sub(r"\((?:r|tm)\)|\bcpu\b|\bprocessor\b|@.*$", " ", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:SLUG_LENGTH_MAX].strip("-") or "unknown"


def memory() -> Memory:
    """Main memory, and the container's limit where there is one."""
    import psutil

    return {"total_bytes": psutil.virtual_memory().total, "cgroup_limit_bytes": cgroup_memory_limit_bytes()}


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


def _git(*arguments: str) -> tuple[str | None, str]:
    """(what git printed, "") or (None, why it printed nothing)."""
    command = ["git", "-C", str(CHECKOUT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10)
    except FileNotFoundError:
        return None, "git is not installed"
    except subprocess.TimeoutExpired:
        return None, "git did not answer within 10 s"
    except OSError as error:
        return None, f"git cannot run: {error.strerror}"
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return None, f"git: {said[0].removeprefix('fatal: ')[:200]}"
    return done.stdout.strip(), ""


@lru_cache(maxsize=1)
def commit() -> Commit:
    """Commit of the checkout that runs, and whether its tree was clean; nulls, and why, when it is not known.

    New files under ``results/`` do not make a tree unclean: every run writes one.
    """
    if not (CHECKOUT / "pyproject.toml").is_file():
        return _no_commit("Shotmark runs from an installed package, not from a checkout")
    top, why = _git("rev-parse", "--show-toplevel")
    if top is None:
        return _no_commit(why)
    if Path(top).resolve() != CHECKOUT:
        return _no_commit("the checkout lies inside another repository")
    status, _ = _git("status", "--porcelain", "--", ".", ":(exclude)results")
    identity, why = _git("rev-parse", "HEAD")
    return {
        "id": identity,
        "clean": None if status is None else status == "",
        "time": _git("show", "-s", "--format=%cI", "HEAD")[0],
        "branch": _git("rev-parse", "--abbrev-ref", "HEAD")[0],
        "why_unversioned": why or None,
    }


def _no_commit(why: str) -> Commit:
    return {"id": None, "clean": None, "time": None, "branch": None, "why_unversioned": why}


def load_average() -> float | None:
    """Runnable processes over the last minute: a busy machine's times say little."""
    try:
        return float(os.getloadavg()[0])
    except (OSError, AttributeError):
        return None


def threading_layer() -> str | None:
    """How Numba runs its threads (tbb, omp or workqueue); None before the first parallel kernel."""
    numba = sys.modules.get("numba")  # not loaded for this: that can fail, and then no kernel has run
    try:
        return str(numba.threading_layer()) if numba is not None else None
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
        "cpu": processor.describe(),
        "memory": memory(),
        "gpus": gpus.describe(),
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
    """Folder name of a machine: CPU, threads, GPUs, system. Equal hardware shares a folder; no host name leaks.

    The threads are the machine's, not those that this process may use (``share_of``). The architecture is named where
    it is not x86-64: an emulated processor reads the real one's name.
    """
    found = described["cpu"]
    architecture = found["architecture"] or "unknown-architecture"
    parts = [found["model"] or "unknown-cpu", f"{found['logical_cores'] or found['affinity_cores']}t"]
    if architecture.lower() not in X86_64:
        parts.insert(1, architecture)
    graphics = [g["model"] or "gpu" for g in described["gpus"]]
    if graphics:
        parts.append(f"{len(graphics)}x {graphics[0]}")
    name = slug(" ".join(parts))
    mark = hashlib.sha256(
        repr((parts, described["system"]["name"], described["memory"]["total_bytes"] // 2**30)).encode()
    ).hexdigest()[:6]
    return f"{name}-{mark}"


@dataclass(frozen=True)
class Share:
    """How much of a machine a process may use; None where it is not known, or not limited."""

    cores: int | None  # logical cores by affinity
    quota_cores: float | None  # cores' worth of time that a container grants

    @property
    def text(self) -> str:
        cores = (
            "an unknown number of cores"
            if self.cores is None
            else f"{self.cores} logical core{'s' if self.cores != 1 else ''}"
        )
        return cores if self.quota_cores is None else f"{cores}, {self.quota_cores:g} cores' worth of time"


def share_of(machine_info: Mapping[str, object]) -> Share:
    """The share that a record's ``machine_info`` tells of; whoever wrote it."""
    described = machine_info.get("shotmark")
    found = described.get("cpu") if isinstance(described, dict) else None
    cpu = found if isinstance(found, dict) else {}
    cores, quota = cpu.get("affinity_cores"), cpu.get("cgroup_quota_cores")
    return Share(
        cores if isinstance(cores, int) else None,
        float(quota) if isinstance(quota, (int, float)) and 0 < quota < 1e6 else None,
    )


def pytest_benchmark_commit(found: Commit) -> dict[str, object]:
    """``commit_info`` as pytest-benchmark writes it, of what ``commit`` returned."""
    return {
        "id": found["id"] or "unversioned",
        "time": found["time"],
        "author_time": found["time"],
        "dirty": None if found["clean"] is None else not found["clean"],
        "project": "shotmark",
        "branch": found["branch"],
        **({"why_unversioned": found["why_unversioned"]} if found["why_unversioned"] else {}),
    }


def pytest_benchmark_view(described: Machine) -> dict[str, object]:
    """``machine_info`` as pytest-benchmark writes it, with our description under ``shotmark``; no host name."""
    found = described["cpu"]
    return {
        "node": described["id"],
        "processor": found["model"] or "",
        "machine": found["architecture"] or "",
        "python_implementation": described["python"]["implementation"],
        "python_version": described["python"]["version"],
        "system": described["system"]["name"],
        "release": described["system"]["release"],
        "cpu": {"brand_raw": found["model"] or "", "count": found["logical_cores"]},
        "shotmark": described,
    }

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
from functools import lru_cache
from pathlib import Path

from bench.backend.limits import cgroup_memory_limit_bytes
from bench.record import gpus, processor
from bench.record.description import Commit, Hardware, Machine, Memory

LIBRARIES = ("numba", "llvmlite", "numpy", "pytest", "pytest-benchmark", "click", "rich", "Pillow", "OpenEXR", "psutil")
GPU_LIBRARIES = ("cupy-cuda12x", "cupy-cuda13x", "nvidia-ml-py")
CHECKOUT = Path(__file__).resolve().parents[2]
SLUG_LENGTH_MAX = 60


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
    """Folder name of a machine: CPU, threads, GPUs, system. Equal hardware shares a folder; no host name leaks."""
    found = described["cpu"]
    parts = [found["model"] or found["architecture"] or "unknown-cpu", f"{found['affinity_cores']}t"]
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

"""The kernels of Shotmark, one name each: ``<name>.py`` holds the Numba version.

Rules that make every back-end give the same bits:

* state is float32, constants are ``numpy.float32`` objects, there is no fast-math;
* a fused multiply-add is written out (``common.fma``), none is left to the compiler;
* nothing depends on the order in which threads arrive: a scatter adds integers
  (fixed point), everything else gathers in one written order;
* ``exp log pow sin cos`` are the ones of ``common``, never a library's.

Numba's disk cache looks only at the file that holds a function, not at what that
function calls. Each kernel therefore has a cache folder named after the sources of
its own file and of all that it imports from here.

A thread that waits for the others spins for some microseconds, the gap between two launches, then sleeps
(``GOMP_SPINCOUNT``). A frame's simulation of ``wave`` S takes 64 ms so, and 139 ms beside two busy processes; asleep at
once it takes 90 ms alone, and OpenMP's default, spinning for milliseconds, up to thirty times as long beside others.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernels.kernel import Kernel

HERE = Path(__file__).parent

# Read by the OpenMP library when Numba loads it, at the first parallel kernel; a user's own choice stands.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


@functools.cache
def _imports(stem: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse((HERE / f"{stem}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "kernels":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kernels."):
            names.add(str(node.module).split(".")[1])
    return {name for name in names if (HERE / f"{name}.py").exists()}


def _needed(stem: str | None) -> list[str]:
    """Names of the sources of ``<stem>.py``: its own and all that it imports from here; of None, every one."""
    if stem is None:
        return sorted(path.stem for path in HERE.glob("*.py"))
    needed: set[str] = set()
    found = {stem}
    while found:
        needed |= found
        found = {name for one in found for name in _imports(one)} - needed
    return sorted(needed)


def source_bytes(stem: str) -> int:
    """Length of a kernel's sources: a first guess at what it costs to compile."""
    return sum((HERE / f"{name}.py").stat().st_size for name in _needed(stem))


def source_digest(stem: str | None = None) -> str:
    """SHA-256 (16 hex digits) of every source here, or of ``<stem>.py`` and all that it imports from here."""
    digest = hashlib.sha256()
    for name in _needed(stem):
        digest.update(name.encode())
        digest.update((HERE / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def cache_base() -> Path:
    """The folder of all machine code that Numba keeps for Shotmark."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) if base else Path(home) / "shotmark" / "numba"


def cache_folder(stem: str) -> str:
    """Where Numba keeps the machine code of the kernels in ``<stem>.py``.

    Numba takes nothing that it made for a file of another place or time: so both are in the name, and a folder
    that holds machine code holds what can be used.
    """
    path = HERE / f"{stem}.py"
    file = hashlib.sha256(f"{path.resolve()} {path.stat().st_mtime_ns}".encode()).hexdigest()[:8]
    return str(cache_base() / f"{stem}-{source_digest(stem)}-{file}")


def kernel_names() -> list[str]:
    """Every file here with a module-level ``KERNEL``; none is imported for it."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\nKERNEL = " in path.read_text(encoding="utf-8"))


def all_kernels() -> dict[str, Kernel]:
    """Every kernel by name."""
    return {name: importlib.import_module(f"kernels.{name}").KERNEL for name in kernel_names()}

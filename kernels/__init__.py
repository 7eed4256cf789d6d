"""The kernels of Shotmark, one name each: ``<name>.py`` holds the Numba version.

Rules that make every back-end give the same bits:

* state is float32, constants are ``numpy.float32`` objects, there is no fast-math;
* a fused multiply-add is written out (``common.fma``), none is left to the compiler;
* nothing depends on the order in which threads arrive: a scatter adds integers
  (fixed point), everything else gathers in one written order;
* ``exp log pow sin cos`` are the ones of ``common``, never a library's.

Numba's disk cache looks only at the file that holds a function, not at what that
function calls. The cache folder is therefore named after all the sources here.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernels.kernel import Kernel

HERE = Path(__file__).parent


def source_digest() -> str:
    """SHA-256 (16 hex digits) of every Python source in this folder."""
    digest = hashlib.sha256()
    for path in sorted(HERE.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _use_cache_folder() -> None:
    import numba

    base = os.environ.get("NUMBA_CACHE_DIR")
    if not base:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        base = str(Path(home) / "shotmark" / "numba")
    numba.config.CACHE_DIR = str(Path(base) / source_digest())


_use_cache_folder()


def all_kernels() -> dict[str, Kernel]:
    """Every kernel by name, found by scanning this folder for a module-level ``KERNEL``."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if path.stem == "__init__" or "\nKERNEL = " not in path.read_text(encoding="utf-8"):
            continue
        found[path.stem] = importlib.import_module(f"kernels.{path.stem}").KERNEL
    return found

"""The list of kernels, found by scanning the rooms, and where Numba keeps their machine code.

A file's name is its kernel's: it stands once in all the rooms together.

Numba's disk cache looks only at the file that holds a function, not at what that function calls. Each kernel therefore
has a cache folder named after the sources of its own file and of all that it imports from here (``cache``).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from kernels.base.cache import folder_of_code, toolchain

if TYPE_CHECKING:
    from kernels.base.kernel import Kernel

HERE = Path(__file__).resolve().parents[1]


@functools.cache
def _modules_of(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*/*.py")) if path.stem != "__init__"}


def _files() -> dict[str, Path]:
    """Every module of every room by its name."""
    return _modules_of(HERE)


def module_names() -> list[str]:
    """Names of all modules, kernels or not."""
    return sorted(_files())


def module_named(stem: str) -> ModuleType:
    """The module ``<stem>.py`` of whichever room has it; raises KeyError."""
    return importlib.import_module(f"kernels.{_files()[stem].parent.name}.{stem}")


@functools.cache
def _imports(stem: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(_files()[stem].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kernels."):
            of_a_room = str(node.module).count(".") == 1
            names |= {alias.name for alias in node.names} if of_a_room else {str(node.module).rpartition(".")[2]}
    return names & _files().keys()


def _needed(stem: str | None) -> list[str]:
    """Names of the sources of ``<stem>.py``: its own and all that it imports from here; of None, every one."""
    if stem is None:
        return sorted(_files())
    needed: set[str] = set()
    found = {stem}
    while found:
        needed |= found
        found = {name for one in found for name in _imports(one)} - needed
    return sorted(needed)


def source_bytes(stem: str) -> int:
    """Length of a kernel's sources: a first guess at what it costs to compile."""
    return sum(_files()[name].stat().st_size for name in _needed(stem))


def source_digest(stem: str | None = None) -> str:
    """SHA-256 (16 hex digits) of every source here, or of ``<stem>.py`` and all that it imports from here."""
    digest = hashlib.sha256()
    for name in _needed(stem):
        digest.update(name.encode())
        digest.update(_files()[name].read_bytes())
    return digest.hexdigest()[:16]


def cache_folder(stem: str) -> str:
    """Where Numba keeps the machine code of the kernels in ``<stem>.py``.

    Numba takes nothing that it made for a file of another place or time, by another version, or for another processor:
    so all are in the name, and a folder that holds machine code holds what can be used.
    """
    path = _files()[stem]
    file = hashlib.sha256(f"{path.resolve()} {path.stat().st_mtime_ns}".encode()).hexdigest()[:8]
    return str(folder_of_code() / f"{stem}-{source_digest(stem)}-{file}-{toolchain()}")


def kernel_names() -> list[str]:
    """Every file here with a module-level ``KERNEL``; none is imported for it."""
    return sorted(name for name, path in _files().items() if "\nKERNEL = " in path.read_text(encoding="utf-8"))


def kernel_named(name: str) -> Kernel:
    """One kernel; its module is imported. Raises KeyError."""
    return module_named(name).KERNEL  # type: ignore[no-any-return]


def all_kernels() -> dict[str, Kernel]:
    """Every kernel by name."""
    return {name: kernel_named(name) for name in kernel_names()}

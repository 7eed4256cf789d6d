"""Where compiled kernels are kept, and a cache that a power cut, another processor or a stranger's file cannot break.

Numba's own cache takes any folder that can be written to, ends in a traceback where a file of it is damaged, and calls
a folder full that holds another processor's code. Here a folder's name says all that its machine code follows from, and
each file has its SHA-256 beside it: what does not fit is dropped and compiled again.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

NUMBA_VARIABLE = "NUMBA_CACHE_DIR"
SEAL = ".sha256"  # ends the name of the file that holds another one's digest
CODE = "*.nb[ic]"  # Numba's files: index and code

BEING_WRITTEN_S = 60.0  # a file without a seal that is older was left by a killed process

_said: set[str] = set()


def say(line: str) -> None:
    """One line on standard error, once a process."""
    if line not in _said:
        _said.add(line)
        print(f"shotmark: {line}", file=sys.stderr, flush=True)


def usable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is created where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False


def folder_of(kind: str, variable: str | None = None) -> Path:
    """The folder for compiled code of a kind, which can be written to; a temporary one where there is no other.

    ``variable`` is the environment's name for it; without one it lies in the user's cache folder. Raises OSError where
    not even a temporary folder can be made.
    """
    names = (variable, "XDG_CACHE_HOME", "HOME")
    return _folder_of(kind, variable, *(os.environ.get(name) for name in names if name))


def folder_of_code() -> Path:
    """The folder of all machine code that Numba keeps for Shotmark."""
    return folder_of("numba", NUMBA_VARIABLE)


@functools.cache
def _folder_of(kind: str, variable: str | None, *environment: str | None) -> Path:
    refused = ""
    for origin, folder in _candidates(kind, variable):
        if usable(folder):
            if refused:
                say(f"{refused}: no file can be written there; compiled kernels are kept in {folder}")
            return folder
        refused = refused or origin
    made = Path(tempfile.mkdtemp(prefix="shotmark-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    # Processes that this one starts look there too
    os.environ["XDG_CACHE_HOME"] = str(made)
    if variable:
        os.environ.pop(variable, None)
    why = f"{refused}: no file can be written there" if refused else "there is no home folder"
    say(
        f"{why}; compiled kernels are kept in a temporary folder, and the next run compiles again"
        f" ({variable or 'XDG_CACHE_HOME'} names another)"
    )
    folder = made / "shotmark" / kind
    folder.mkdir(parents=True)
    return folder


def _candidates(kind: str, variable: str | None) -> Iterator[tuple[str, Path]]:
    """(who names it, folder) of where code of a kind may be kept, what is preferred first."""
    if variable and (named := os.environ.get(variable)):
        yield f"{variable}={named}", Path(os.path.abspath(named))
    if named := os.environ.get("XDG_CACHE_HOME"):
        yield f"XDG_CACHE_HOME={named}", Path(os.path.abspath(named)) / "shotmark" / kind
    with contextlib.suppress(RuntimeError):  # neither HOME nor an entry in the user database
        home = Path.home()
        if home.is_dir():  # a home that is not there is not ours to make
            yield str(home / ".cache"), home / ".cache" / "shotmark" / kind


@functools.cache
def toolchain() -> str:
    """What machine code depends on beside the sources: Python, Numba, LLVM, and the processor it is for."""
    import llvmlite
    import numba
    from numba.core import codegen

    target: tuple[object, ...]
    try:
        target = codegen.JITCPUCodegen("shotmark").magic_tuple()
    except Exception:  # not a public name of Numba's: without it, two processors share a folder as they do in Numba's
        target = (os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES"))
    parts = (sys.version_info[:2], numba.__version__, llvmlite.__version__, target)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def drop_damaged(folder: Path) -> int:
    """Remove machine code that is not what was written; returns how many files could be used."""
    good = damaged = 0
    for path in sorted(folder.rglob(CODE)):
        seal = path.with_name(path.name + SEAL)
        try:
            if seal.exists():
                intact = seal.read_text(encoding="ascii", errors="replace") == _digest(path)
            elif time.time() - path.stat().st_mtime < BEING_WRITTEN_S:
                continue  # another process will seal it; Numba's own checks have to do until then
            else:
                intact = False
        except FileNotFoundError:
            continue  # dropped by another process meanwhile
        except OSError:
            intact = False
        if intact:
            good += 1
            continue
        damaged += 1
        _remove(path)
        _remove(seal)
    if damaged:
        _say_damaged(folder)
    return good


def _say_damaged(folder: Path) -> None:
    say(f"{folder.parent}: compiled kernels there were damaged; they are dropped and compiled again")


def seal_code(folder: Path) -> None:
    """Write the digest of every file that has none yet, or an older one."""
    for path in folder.rglob(CODE):
        seal = path.with_name(path.name + SEAL)
        with contextlib.suppress(FileNotFoundError):  # dropped by another process meanwhile
            digest = ""
            # Again where another process has replaced the file meanwhile: the last seal is then of the last file
            while digest != (found := _digest(path)):
                digest = found
                temporary = seal.with_name(f"{seal.name}.{os.getpid()}")
                temporary.write_text(digest, encoding="ascii")
                os.replace(temporary, seal)


class SealedCache:
    """A function's cache of Numba's, behind the same two calls; nothing that is wrong with a file gets through."""

    def __init__(self, inner: Any, folder: Path) -> None:
        self._inner = inner
        self._folder = folder
        self._looked = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Machine code for a signature; None where it has to be compiled."""
        if not self._looked:
            self._looked = True
            drop_damaged(self._folder)
        try:
            return self._inner.load_overload(sig, target_context)
        except Exception:  # whatever a stranger's bytes make of pickle and LLVM
            self._drop()
            _say_damaged(self._folder)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code; a folder that cannot be written to costs time at the next start, nothing else."""
        try:
            self._inner.save_overload(sig, data)
            seal_code(self._folder)
        except Exception as error:
            self._drop()
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:100] or type(error).__name__
            say(f"{self._folder.parent}: compiled kernels cannot be kept there ({reason}); the next run compiles again")

    def _drop(self) -> None:
        for path in self._folder.rglob(CODE):
            _remove(path)


def keep_code(dispatcher: Any, folder: str) -> Any:
    """Give a function of Numba's a cache on disk in this folder alone; returns the function.

    Without a file system that takes it, the function has no cache: never one beside the sources, whose key does not see
    what a function calls.
    """
    import numba
    from numba.core.caching import FunctionCache

    place = Path(folder)
    config = numba.config
    saved = {name: getattr(config, name, None) for name in ("CACHE_DIR", "CACHE_LOCATOR_CLASSES")}
    try:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = str(place), ""  # type: ignore[attr-defined]
        inner = FunctionCache(dispatcher.py_func)
        if place in Path(inner.cache_path).parents:
            dispatcher._cache = SealedCache(inner, place)
    except (OSError, RuntimeError):  # Numba found no folder
        pass
    finally:
        for name, value in saved.items():
            setattr(config, name, value)
    return dispatcher

"""CUDA text to machine code through NVRTC, kept on disk.

The options are Shotmark's own (``kernels.base.source.OPTIONS``), which CuPy's RawModule would not leave alone: it adds
``-ftz=true``, and its cache does not see included files. Here the text is one string, and the key of the cache is all
that matters to the result: text, options, architecture, version of NVRTC. Not yet run on a GPU.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import os
import threading
import warnings
from pathlib import Path

from bench.backend.protocol import CupyObject
from bench.base.errors import CheckFailed, Unavailable
from bench.base.files import write_atomically
from kernels.base import nvrtc, source
from kernels.base.cache import folder_of

CUPY_VARIABLE = "CUPY_CACHE_DIR"
CAPABILITY_LEAST = (7, 5)  # Turing: what the kernels are written for
DIGEST_BYTES = 32  # SHA-256 that begins a cached file


def import_cupy() -> CupyObject:
    """CuPy, after the compiler's library of the same version of CUDA: from then on CuPy finds this one by its name.

    It keeps what it compiles itself below the home folder, whether that can be written to or not: it is given a folder.
    """
    os.environ[CUPY_VARIABLE] = str(folder_of("cupy", CUPY_VARIABLE))
    for major in nvrtc.WHEELS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError):
            importlib.metadata.version(f"cupy-cuda{major}x")
            nvrtc.load(major)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says of the toolkit is of no use here, and longer than a line
        return importlib.import_module("cupy")


def choose_target(capability: tuple[int, int], supported: tuple[int, ...] | None) -> tuple[str, bool]:
    """(architecture, whether it is machine code) for a device that NVRTC may or may not know.

    A device newer than this NVRTC gets text for the newest architecture that both know; its driver then compiles the
    rest of the way. ``supported`` holds numbers such as 90; None where NVRTC cannot be asked. Raises Unavailable.
    """
    number = 10 * capability[0] + capability[1]
    if supported is None or number in supported:
        return f"sm_{number}", True
    older = [known for known in supported if 10 * CAPABILITY_LEAST[0] + CAPABILITY_LEAST[1] <= known <= number]
    if not older:
        raise Unavailable(f"this NVRTC knows no architecture that a device of capability {number / 10:.1f} can run")
    return f"compute_{max(older)}", False


class Compiler:
    """Machine code for one device; safe to call from several threads at once."""

    def __init__(self, nvrtc: CupyObject, capability: tuple[int, int], folder: Path | None = None) -> None:
        """``nvrtc`` is ``cupy.cuda.nvrtc`` or a fake of it."""
        self._nvrtc = nvrtc
        self.folder = folder or folder_of("cuda")
        self.version: tuple[int, ...] = tuple(nvrtc.getVersion())
        known = getattr(nvrtc, "getSupportedArchs", None)
        self.architecture, self.machine_code = choose_target(capability, tuple(known()) if known else None)
        self.compiled = 0  # texts that were not in the cache
        self._lock = threading.Lock()

    def options(self) -> tuple[str, ...]:
        return source.options(self.architecture)

    def key(self, text: str) -> str:
        """SHA-256 of all that the machine code follows from."""
        parts = ("1", text, *self.options(), self.architecture, repr(self.version))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def compile_kernel(self, name: str) -> bytes:
        """Machine code of a kernel's ``.cu``. Raises CheckFailed with file and line of what is wrong."""
        try:
            text = source.assemble(name)
        except source.SourceError as error:
            raise CheckFailed(str(error)) from None
        return self.compile_text(text, source.label(name))

    def compile_text(self, text: str, label: str) -> bytes:
        path = self.folder / f"{self.key(text)}.{'cubin' if self.machine_code else 'ptx'}"
        kept = _read(path)
        if kept is not None:
            return kept
        made = self._run(text, label)
        with self._lock:
            self.compiled += 1
        # A cache that cannot be written costs time at the next start, nothing else
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, hashlib.sha256(made).digest() + made)
        return made

    def _run(self, text: str, label: str) -> bytes:
        nvrtc = self._nvrtc
        program = nvrtc.createProgram(text, label, (), ())
        try:
            try:
                nvrtc.compileProgram(program, self.options())
            except nvrtc.NVRTCError as error:
                raise CheckFailed(_complaint(nvrtc.getProgramLog(program), label, error, self)) from None
            made = nvrtc.getCUBIN(program) if self.machine_code else nvrtc.getPTX(program)
        finally:
            nvrtc.destroyProgram(program)
        return made if isinstance(made, bytes) else bytes(made, "utf-8")


def _read(path: Path) -> bytes | None:
    """A kept file's content; None where there is none or where it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, made = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    return made if hashlib.sha256(made).digest() == digest else None


def _complaint(log: str, label: str, error: Exception, compiler: Compiler) -> str:
    """The first error of a compiler's log: file, line, what; then how many more there are."""
    errors = [line.strip() for line in log.splitlines() if ": error: " in line or "error:" in line.lower()]
    first = errors[0] if errors else f"{label}: {error}"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    version = ".".join(str(part) for part in compiler.version)
    return f"{first}{more}; NVRTC {version}, {compiler.architecture}"

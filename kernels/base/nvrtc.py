"""Compile CUDA source without a GPU: NVRTC of the wheel nvidia-cuda-nvrtc-cu12, called through ctypes.

The same wheels serve a machine with a GPU: ``load`` makes their library known before CuPy looks for one.

    python -m kernels.base.nvrtc NAME... [--arch sm_90]

prints what each entry of the named ``.cu`` files (all without names) takes at that architecture, or the errors.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import importlib.util
import os
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from kernels.base import source

# By major version of CUDA: the wheel, and where its library lies below site-packages
WHEELS = {12: "nvidia-cuda-nvrtc-cu12", 13: "nvidia-cuda-nvrtc"}
FILES = {
    12: ("cuda_nvrtc/lib/libnvrtc.so.12", "cuda_nvrtc/bin/nvrtc64_120_0.dll"),
    13: ("cu13/lib/libnvrtc.so.13", "cu13/bin/x86_64/nvrtc64_130_0.dll", "cu13/bin/nvrtc64_130_0.dll"),
}
CODE = ".text."  # begins the name of an entry's section
LIBRARY_MISSING = f"NVRTC is not installed: pip install {WHEELS[12]} (Linux and Windows have it, macOS has not)"


class CompileError(Exception):
    """NVRTC's own words, with file and line."""


@dataclass(frozen=True)
class Resources:
    """What one entry takes."""

    registers: int  # a thread
    spill_bytes: int  # a thread: stores and loads of spilled registers
    stack_bytes: int  # a thread: local memory, spills included
    shared_bytes: int  # a block, static

    @property
    def row(self) -> str:
        return f"{self.registers:5d} {self.spill_bytes:7d} {self.stack_bytes:7d} {self.shared_bytes:8d}"


@functools.cache
def library_path(major: int | None = None) -> Path | None:
    """The library of an installed wheel, of that major version of CUDA or of the lowest; None without one."""
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or []) if found else []:
        for name in FILES.get(major, ()) if major is not None else sum(FILES.values(), ()):
            if (path := Path(folder) / name).is_file():
                return path
    return None


@functools.cache
def load(major: int | None = None) -> ctypes.CDLL | None:
    """The wheel's library, loaded under its own name: who asks for it by name afterwards gets this one; None without.

    Raises OSError where the file is no library.
    """
    path = library_path(major)
    if path is None:
        return None
    if hasattr(os, "add_dll_directory"):  # Windows: NVRTC loads a second library from beside it
        os.add_dll_directory(str(path.parent))
    return ctypes.CDLL(str(path))


def _library() -> ctypes.CDLL:
    library = load()
    if library is None:
        raise CompileError(LIBRARY_MISSING)
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def version() -> tuple[int, int]:
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compile_text(
    text: str, architecture: str = "sm_90", verbose: bool = False, form: str = "CUBIN"
) -> tuple[bytes, str]:
    """(cubin, log) of an assembled text; in the form "PTX" its text in place of the cubin.

    Raises CompileError with NVRTC's messages.
    """
    library = _library()
    program = ctypes.c_void_p()
    made = library.nvrtcCreateProgram(
        ctypes.byref(program), text.encode(), b"assembled.cu", 0, None, None
    )  # #line marks name the real files
    if made != 0:
        raise CompileError(library.nvrtcGetErrorString(made).decode())
    try:
        told = [*source.options(architecture), *(["--ptxas-options=-v"] if verbose else [])]
        words = (ctypes.c_char_p * len(told))(*(word.encode() for word in told))
        result = library.nvrtcCompileProgram(program, len(told), words)
        log = _string(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program).rstrip(b"\0").decode()
        if result != 0:
            raise CompileError(log.strip() or library.nvrtcGetErrorString(result).decode())
        return _string(library[f"nvrtcGet{form}Size"], library[f"nvrtcGet{form}"], program), log
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _string(size_of: ctypes._NamedFuncPointer, read: ctypes._NamedFuncPointer, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    size_of(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(max(1, size.value))
    read(program, buffer)
    return buffer.raw[: size.value]


def resources(log: str) -> dict[str, Resources]:
    """What ptxas said about every entry, from the log of a verbose compilation."""
    found = {}
    for part in re.split(r"Compiling entry function '", log)[1:]:
        name = part.split("'", 1)[0]

        def number(pattern: str, part: str = part) -> int:
            return sum(int(value) for value in re.findall(pattern, part))

        found[name] = Resources(
            registers=number(r"Used (\d+) registers"),
            spill_bytes=number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
            stack_bytes=number(r"(\d+) bytes stack frame"),
            shared_bytes=number(r"(\d+) bytes smem"),
        )
    return found


def code_bytes(cubin: bytes) -> dict[str, int]:
    """Bytes of machine code of each entry, which have to fit the instruction caches. A cubin is an ELF file."""
    (table,) = struct.unpack_from("<Q", cubin, 0x28)
    size, count, names = struct.unpack_from("<HHH", cubin, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", cubin, table + n * size) for n in range(count)]
    found = {}
    for name, _kind, _flags, _address, _offset, length in sections:
        start = sections[names][4] + name
        text = cubin[start : cubin.index(b"\0", start)].decode()
        if text.startswith(CODE):
            found[text.removeprefix(CODE)] = length
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels.base.nvrtc", description="Compile .cu without a GPU.")
    parser.add_argument("names", nargs="*", help="kernels; all that have a .cu when none is named")
    parser.add_argument("--arch", default="sm_90", help="sm_75, sm_80, sm_90, sm_120 or 'all'")
    chosen = parser.parse_args(arguments)
    names = chosen.names or source.twins()
    architectures = source.ARCHITECTURES if chosen.arch == "all" else (chosen.arch,)
    print(f"{'entry':32s} {'arch':7s} {'regs':>5s} {'spill B':>7s} {'stack B':>7s} {'shared B':>8s} {'code B':>8s}")
    failed = False
    for name in names:
        for architecture in architectures:
            try:
                text = source.assemble(name)
                cubin, log = compile_text(text, architecture, verbose=True)
            except (CompileError, source.SourceError) as error:
                print(f"{name} ({architecture}):\n{error}", file=sys.stderr)
                failed = True
                continue
            code = code_bytes(cubin)
            for entry, taken in sorted(resources(log).items()):
                print(f"{entry:32s} {architecture:7s} {taken.row} {code[entry]:8d}")
            for line in log.splitlines():
                if "warning" in line:
                    print(line)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

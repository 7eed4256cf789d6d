"""Compile CUDA source without a GPU: NVRTC of the wheel nvidia-cuda-nvrtc-cu12, called through ctypes.

    python -m kernels.base.nvrtc NAME... [--arch sm_90]

prints what each entry of the named ``.cu`` files (all without names) takes at that architecture, or the errors.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from kernels.base import source

LIBRARY_MISSING = "NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12"


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
def library_path() -> Path | None:
    """The wheel's library; None without the wheel."""
    try:
        found = importlib.util.find_spec("nvidia.cuda_nvrtc")
    except ModuleNotFoundError:
        found = None
    for folder in (found.submodule_search_locations or []) if found else []:
        for pattern in ("lib/libnvrtc.so.*", "bin/nvrtc64_*.dll"):
            for path in sorted(Path(folder).glob(pattern)):
                return path
    return None


@functools.cache
def _library() -> ctypes.CDLL:
    path = library_path()
    if path is None:
        raise CompileError(LIBRARY_MISSING)
    library = ctypes.CDLL(str(path))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def version() -> tuple[int, int]:
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compile_text(text: str, architecture: str = "sm_90", verbose: bool = False) -> tuple[bytes, str]:
    """(cubin, log) of an assembled text. Raises CompileError with NVRTC's messages."""
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
        return _string(library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN, program), log
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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels.base.nvrtc", description="Compile .cu without a GPU.")
    parser.add_argument("names", nargs="*", help="kernels; all that have a .cu when none is named")
    parser.add_argument("--arch", default="sm_90", help="sm_75, sm_80, sm_90, sm_120 or 'all'")
    chosen = parser.parse_args(arguments)
    names = chosen.names or source.twins()
    architectures = source.ARCHITECTURES if chosen.arch == "all" else (chosen.arch,)
    print(f"{'entry':32s} {'arch':7s} {'regs':>5s} {'spill B':>7s} {'stack B':>7s} {'shared B':>8s}")
    failed = False
    for name in names:
        for architecture in architectures:
            try:
                text = source.assemble(name)
                _, log = compile_text(text, architecture, verbose=True)
            except (CompileError, source.SourceError) as error:
                print(f"{name} ({architecture}):\n{error}", file=sys.stderr)
                failed = True
                continue
            for entry, taken in sorted(resources(log).items()):
                print(f"{entry:32s} {architecture:7s} {taken.row}")
            for line in log.splitlines():
                if "warning" in line:
                    print(line)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

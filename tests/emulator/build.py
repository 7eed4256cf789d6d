"""Builds the emulator and one kernel's text into a shared library, once per content."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from kernels.base import source

HERE = Path(__file__).resolve().parent
CPP = HERE / "cpp"
ROOT = HERE.parent.parent
FLAGS = ("-std=c++20", "-fPIC", "-fvisibility=hidden", "-g1", "-w")
KERNEL_FLAGS = ("-O1", "-ffp-contract=off", "-fno-fast-math", "-fno-math-errno", "-fno-trapping-math")
PLAIN_FLAGS = ("-fwrapv",)
# No race detector for CPUs and no run-time of its own is linked: checker.cpp defines what the compiler calls.
CHECKED_FLAGS = (
    "-fsanitize=thread,alignment,bounds,shift,signed-integer-overflow,float-cast-overflow,integer-divide-by-zero",
    "-std=gnu++17",  # as NVRTC reads it: from C++20 on a negative number may be shifted
    "--param=tsan-instrument-func-entry-exit=0",
)
KEPT_S = 14 * 86400  # a library that nobody has used since goes
_DYNAMIC = re.compile(
    r"extern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s+)?((?:unsigned |signed |long )*\w+)\s+(\w+)\s*\[\s*\]\s*;"
)
_FIXED = re.compile(r"__shared__\s+((?:unsigned |signed |long )*\w+)\s+(\w+[^;]*);")


class BuildError(Exception):
    """g++ is missing or did not like the text."""


@functools.cache
def _found_compiler() -> str | None:
    return shutil.which("g++")


@functools.cache
def why_not() -> str:
    """Why the emulator cannot be built on this machine; nothing where it can."""
    found = _found_compiler()
    if found is None:
        return "g++ is not installed: the emulator cannot be built"
    try:
        asked = [found, "--version"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C"})
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{found} cannot be run ({error}): the emulator cannot be built"
    # macOS has a clang of that name, which knows neither these flags nor what they make the compiler call
    if "Free Software Foundation" not in done.stdout:
        name = done.stdout.strip().split("\n")[0] or f"exit code {done.returncode}"
        return f"{found} is not GNU's ({name}): the emulator cannot be built"
    if sys.platform != "linux":  # sections that the linker finds, link.h, the calling convention of the fibres
        return f"the emulator is written for Linux, not {sys.platform}"
    return ""


def available() -> bool:
    return not why_not()


def compiler() -> str:
    """Path of the compiler. Raises BuildError."""
    if why_not():
        raise BuildError(why_not())
    found = _found_compiler()
    assert found is not None
    return found


@functools.cache
def _machine_flags() -> tuple[str, ...]:
    """A fused multiply-add in one instruction where the CPU has it; the library's is as exact and slow."""
    if platform.machine() == "x86_64":
        try:
            words = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        except OSError:
            return ()
        if re.search(r"^flags.*\bfma\b.*\bsse4_1\b|^flags.*\bsse4_1\b.*\bfma\b", words, re.MULTILINE):
            return ("-mfma", "-msse4.1")
    return ()


@functools.cache
def _runtime_text() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted([*CPP.glob("*.h"), *CPP.glob("*.cpp")]))


def folder() -> Path:
    """Where libraries are kept between runs."""
    return Path(os.environ.get("SHOTMARK_EMULATOR_CACHE") or ROOT / ".emulator-cache")


def translated(text: str) -> str:
    """What changes in a kernel's text: an array of dynamic shared memory becomes a pointer to the block's, any other
    variable in shared memory gets a gap behind it in the checked build (see cpp/emulator.h)."""
    text = _DYNAMIC.sub(r"\1* const \2 = reinterpret_cast<\1*>(emulator_dynamic);", text)
    return _FIXED.sub(_apart, text)


def _apart(found: re.Match[str]) -> str:
    each = (re.fullmatch(r"\s*(\w+)\s*(.*?)\s*", one, re.DOTALL) for one in found[2].split(","))
    return " ".join(f"EMULATOR_SHARED({found[1]}, {one[1]}, {one[2]})" if one else found[0] for one in each)


def wrapped(text: str) -> str:
    """A kernel's text as the compiler gets it."""
    exported = '__attribute__((visibility("default"), no_sanitize_thread))'
    calls = []
    for entry in source.entries(text).values():
        values = ", ".join(
            f"*static_cast<{parameter.type}*>(values[{n}])" for n, parameter in enumerate(entry.parameters)
        )
        head = f'extern "C" {exported} void emulator_call_{entry.name}(void** values)'
        calls.append(f"{head} {{ {entry.name}({values}); }}\n")
    return (
        '#include "emulator.h"\nnamespace {\n'
        + translated(text)
        + '}\n#line 1 "calls of the entries"\n'
        + "".join(calls)
    )


def flags_of(checked: bool) -> tuple[str, ...]:
    """What the compiler is told about a kernel's text."""
    return (*FLAGS, *KERNEL_FLAGS, *_machine_flags(), *(CHECKED_FLAGS if checked else PLAIN_FLAGS))


def library(text: str, checked: bool) -> Path:
    """The shared library of an assembled text. Raises BuildError with the compiler's messages."""
    flags = flags_of(checked)
    key = hashlib.sha256("\0".join([compiler(), *flags, _runtime_text(), text]).encode()).hexdigest()[:24]
    path = folder() / f"{key}.so"
    if not path.exists():
        folder().mkdir(parents=True, exist_ok=True)
        own = folder() / f"{key}.{os.getpid()}"
        kernel, made = own.with_suffix(f".{os.getpid()}.cpp"), own.with_suffix(f".{os.getpid()}.so")
        kernel.write_text(wrapped(text), encoding="utf-8")
        try:
            told = [compiler(), *flags, f"-I{CPP}", "-c", str(kernel), "-o", f"{own}.o"]
            _compile(told)
            # Linked without -fsanitize: its functions are the checker's
            objects = [str(_object(name, checked)) for name in _parts(checked)]
            _compile([compiler(), "-shared", f"{own}.o", *objects, "-o", str(made)])
            os.replace(made, path)
            _forget_old()
        finally:
            for leftover in (kernel, made, Path(f"{own}.o")):
                leftover.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.utime(path)
    return path


def _forget_old() -> None:
    """Keep the folder from growing with every edit; what is used is touched, so it stays."""
    oldest = time.time() - KEPT_S
    for path in folder().glob("*.so"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def _parts(checked: bool) -> tuple[str, ...]:
    return ("runtime", "warp", "atomics", "memory", "checker" if checked else "unchecked")


def _object(name: str, checked: bool) -> Path:
    flags = (*FLAGS, "-O2")
    key = hashlib.sha256("\0".join([compiler(), *flags, _runtime_text()]).encode()).hexdigest()[:24]
    path = folder() / f"{name}-{key}.o"
    if not path.exists():
        own = path.with_suffix(f".{os.getpid()}.o")
        _compile([compiler(), *flags, "-c", str(CPP / f"{name}.cpp"), "-o", str(own)])
        os.replace(own, path)
    return path


def _compile(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")


def line_of(path: Path, offset: int) -> str | None:
    """``file:line`` of a code address in a library; None when it cannot be found out."""
    tool = shutil.which("addr2line")
    if tool is None or offset == 0:
        return None
    # The address is the one behind the call
    done = subprocess.run([tool, "-i", "-e", str(path), hex(offset - 1)], capture_output=True, text=True)
    lines = [re.sub(r" \(discriminator \d+\)$", "", line) for line in done.stdout.split("\n") if line]
    lines = [line[line.rfind("kernels/") :] if "kernels/" in line else line for line in lines]
    return " < ".join(line for line in lines if not line.startswith("?") and "emulator.h" not in line) or None

"""CUDA source text: everything that a ``.cu`` needs in one string, and the options that it is compiled with.

``<name>.cu`` starts with lines like ``#include "mpm_common.cuh"``. ``assemble(name)`` pastes each included file
once, where it is first asked for, with ``#line`` marks, so that a compiler names the real file and line, and so that
no cache can miss a change. Nothing else is included: no standard header, no folder of headers.

Before the text of ``x.cu`` or ``x.cuh`` stand the constants of ``x.py``: every module-level ``numpy.float32`` as
``constexpr float`` with its exact value, whole numbers as ``constexpr int`` (``long long`` or ``unsigned`` where the
value or its type asks for it). Imported constants belong to the file that they come from: include its ``.cuh``.
``common.cuh`` brings those of ``constants.py`` and ``common.py``. Leading underscores are dropped. Two constants of
one name must have one value; SourceError names both files where they do not.

Try a file without a GPU (needs the wheel nvidia-cuda-nvrtc-cu12, part of the extra ``dev``):

    python -m kernels.base.nvrtc mpm_key mpm_p2g --arch sm_90

prints errors with file and line, and registers, spills and shared memory of every entry.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base.registry import module_named

HERE = Path(__file__).resolve().parents[1]
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_120")

# The same bits everywhere: no contraction, no flushing, correctly rounded division and square root.
OPTIONS = (
    "--std=c++14",
    "--fmad=false",
    "--ftz=false",
    "--prec-div=true",
    "--prec-sqrt=true",
    "--generate-line-info",
    "--diag-suppress=177",  # a generated constant that is not used
)

_INCLUDE = re.compile(r'^#include "(\w+)\.cuh"[ \t]*$', re.MULTILINE)
_ENTRY = re.compile(
    r'extern\s+"C"\s+__global__\s+(?:__launch_bounds__\s*\(([^()]*)\)\s*)?void\s+'
    r"(?:__launch_bounds__\s*\(([^()]*)\)\s*)?(\w+)\s*\(([^()]*)\)"
)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


class SourceError(Exception):
    """A ``.cu`` or ``.cuh`` cannot be assembled."""


@dataclass(frozen=True)
class Parameter:
    type: str  # as written, one blank between words: "Array<const float>", "long long", "float"
    name: str

    @property
    def element(self) -> str | None:
        """The element type of an array, without const; None of a scalar."""
        match = re.fullmatch(r"Array<(?:const )?(.*)>", self.type)
        return match[1] if match else None

    @property
    def written(self) -> bool:
        return self.type.startswith("Array<") and not self.type.startswith("Array<const ")


@dataclass(frozen=True)
class Entry:
    """An ``extern "C" __global__`` function."""

    name: str
    parameters: tuple[Parameter, ...]
    thread_limit: int | None  # of __launch_bounds__; None without, or where it is no plain number or constant


def options(architecture: str) -> tuple[str, ...]:
    """What NVRTC is told; ``architecture`` is a real one (sm_90), so that it makes machine code."""
    return (f"--gpu-architecture={architecture}", *OPTIONS)


def _file(stem: str, suffix: str) -> Path | None:
    """The file of that name in whichever room has it."""
    return next(HERE.glob(f"*/{stem}{suffix}"), None)


def label(stem: str, suffix: str = ".cu") -> str:
    """What a compiler calls a file: its path in the project; without its room where there is no such file."""
    path = _file(stem, suffix)
    return f"kernels/{path.relative_to(HERE).as_posix() if path else stem + suffix}"


def has_twin(name: str) -> bool:
    """Whether the kernel has a CUDA version."""
    return _file(name, ".cu") is not None


def twins() -> tuple[str, ...]:
    """Names of all ``.cu`` files."""
    return tuple(sorted(path.stem for path in HERE.glob("*/*.cu")))


def assemble(name: str) -> str:
    """The whole text of ``<name>.cu``."""
    path = _file(name, ".cu")
    if path is None:
        raise SourceError(f"{label(name)}: no such file")
    return paste(path.read_text(encoding="utf-8"), label(name), name)


def paste(text: str, whose: str, module: str | None = None) -> str:
    """``text`` with its includes and constants. Errors call it ``whose``; its own constants are those of ``module``."""
    seen: dict[str, tuple[str, str]] = {}  # constant -> (file, line of C++)
    done: set[str] = set()
    return _pasted(text, whose, module, done, seen)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entries(text: str) -> dict[str, Entry]:
    """The entries of an assembled text by name."""
    found = {}
    text = _COMMENT.sub(" ", text)
    for before, behind, name, stated in _ENTRY.findall(text):
        parameters = []
        for part in filter(str.strip, stated.split(",")):
            words = re.fullmatch(r"\s*(.*?)\s*(\w+)\s*", part, re.DOTALL)
            if words is None or not words[1]:
                raise SourceError(f"{name}: cannot read the parameter {part.strip()!r}")
            kind = re.sub(r"\s*([<>])\s*", r"\1", re.sub(r"\s+", " ", words[1]))
            parameters.append(Parameter(kind, words[2]))
        found[name] = Entry(name, tuple(parameters), _thread_limit(text, (before or behind).split(",")[0].strip()))
    return found


def _thread_limit(text: str, stated: str) -> int | None:
    if re.fullmatch(r"\d+", stated):
        return int(stated)
    constant = re.search(rf"constexpr\s+\w+\s+{stated}\s*=\s*(\d+)\s*;", text) if stated.isidentifier() else None
    return int(constant[1]) if constant else None


def _pasted(text: str, whose: str, module: str | None, done: set[str], seen: dict[str, tuple[str, str]]) -> str:
    parts = []
    at = 0
    for match in _INCLUDE.finditer(text):
        stem = match[1]
        if stem not in done:
            done.add(stem)
            path = _file(stem, ".cuh")
            line = text.count("\n", 0, match.start()) + 1
            if path is None:
                raise SourceError(f"{whose}:{line}: {label(stem, '.cuh')}: no such file")
            parts.append(_pasted(path.read_text(encoding="utf-8"), label(stem, ".cuh"), stem, done, seen))
        at = match.end()
    if re.search(r"^\s*#\s*include", text[at:], re.MULTILINE):
        raise SourceError(f'{whose}: only #include "name.cuh" lines can be pasted')
    if _COMMENT.sub("", _INCLUDE.sub("", text[:at])).strip():
        raise SourceError(f"{whose}: the #include lines come first")
    modules = ([module] if module else []) if module != "common" else ["constants", "common"]
    for name in modules:
        parts.append(_declared(name, seen))
    line = text.count("\n", 0, at) + 1
    return "".join(parts) + f'#line {line} "{whose}"\n' + text[at:].lstrip(" \t") + "\n"


def _declared(module: str, seen: dict[str, tuple[str, str]]) -> str:
    lines = []
    file = label(module, ".py")
    for name, value in constants(module).items():
        line = _line(name, value)
        if line is None:
            continue
        known = seen.get(name.lstrip("_"))
        if known is None:
            seen[name.lstrip("_")] = file, line
            lines.append(line)
        elif known[1] != line:
            raise SourceError(f"{file}: {name} has another value in {known[0]}: rename one of them")
    return f'#line 1 "constants of {file}"\n' + "".join(line + "\n" for line in lines)


@functools.cache
def constants(module: str) -> dict[str, Any]:
    """Numbers that ``<module>.py`` itself assigns at module level, by name; {} without such a file."""
    path = _file(module, ".py")
    if path is None:
        return {}
    values = vars(module_named(module))
    names = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                elements = target.elts if isinstance(target, ast.Tuple) else [target]
                names += [element.id for element in elements if isinstance(element, ast.Name)]
    return {name: values[name] for name in names if isinstance(values.get(name), (int, np.integer, np.floating))}


def _line(name: str, value: Any) -> str | None:
    name = name.lstrip("_")
    if isinstance(value, (bool, np.bool_)):
        return f"constexpr bool {name} = {str(bool(value)).lower()};"
    if isinstance(value, np.float32):
        if not np.isfinite(value):  # NVRTC has no constant expression for these
            return f"#define {name} __int_as_float({int(value.view(np.uint32)):#010x})"
        return f"constexpr float {name} = {float_text(value)};"
    if isinstance(value, np.uint32):
        return f"constexpr unsigned {name} = {int(value)}u;"
    if isinstance(value, (int, np.integer)):
        number = int(value)
        if not isinstance(value, np.int64) and -(2**31) < number < 2**31:
            return f"constexpr int {name} = {number};"
        if -(2**63) < number < 2**63:
            return f"constexpr long long {name} = {number}ll;"
    return None


def float_text(value: np.float32) -> str:
    """A finite float32 as C++ that stands for exactly its bits."""
    number = float(value)
    # C++14 has no hexadecimal floats; nine digits name every float32.
    text = f"{number:.9g}"
    assert np.float32(text) == value
    return (text if "." in text or "e" in text else text + ".0") + "f"

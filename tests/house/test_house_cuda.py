"""The rules of ``.cu`` and ``.cuh`` files, read from their text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kernels.base import source
from kernels.base.registry import all_kernels
from tests.support.source_tree import ROOT, kernel_files, tracked

# What would give other bits on another device, or nothing that the emulator knows
BANNED = {
    r"__(shfl|shfl_up|shfl_down|shfl_xor|ballot|any|all)\s*\(": "warp operations end in _sync",
    r"\b(expf?|logf?|log2f?|exp2f?|powf?|sinf?|cosf?|sincosf?|tanf?|tanhf?|rsqrtf?)\s*\(": "common.cuh has its own",
    r"__(expf|logf|powf|sinf|cosf|fdividef|frsqrt_rn|saturatef|frcp_approx\w*)\s*\(": "a fast function is not exact",
    r"\bdouble\b": "float64",
    r"\bfmin[f]?\s*\(|\bfmax[f]?\s*\(": "NaN and -0 differ: write comparisons",
    r"\batomicAdd_\w+|\b__reduce_\w+": "sm_75 lacks it",
    r"\basm\b": "inline assembly is not portable",
    r"\bprintf\b|\bassert\s*\(": "a kernel says nothing",
}
FLOAT = re.compile(r"(?<![\w.])(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?(?![\w.])")


def cuda_files() -> list[Path]:
    return [ROOT / name for name in tracked() if name.startswith("kernels/") and name.endswith((".cu", ".cuh"))]


def code_of(path: Path) -> list[str]:
    """Lines without comments."""
    text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), path.read_text(encoding="utf-8"), flags=re.S)
    return [re.sub(r"//.*", "", line) for line in text.split("\n")]


def test_every_kernel_of_the_pipeline_has_a_twin() -> None:
    assert [path.stem for path in kernel_files() if not path.with_suffix(".cu").exists()] == []


def test_every_twin_stands_beside_its_python_file() -> None:
    """A ``.cuh`` too, unless it holds what only a GPU needs; it is used then."""
    asked_for = {name for path in cuda_files() for name in re.findall(r'#include "(\w+)\.cuh"', path.read_text())}
    assert [path.name for path in cuda_files() if path.suffix == ".cu" and not path.with_suffix(".py").exists()] == []
    assert [path.name for path in cuda_files() if path.suffix == ".cuh" and path.stem not in asked_for] == []


def test_nothing_that_is_not_exact_everywhere() -> None:
    wrong = []
    for path in cuda_files():
        for number, line in enumerate(code_of(path), 1):
            wrong += [
                f"{path.name}:{number}: {line.strip()} ({why})"
                for pattern, why in BANNED.items()
                if re.search(pattern, line)
            ]
    assert wrong == []


def test_no_literal_of_float64() -> None:
    wrong = [
        f"{path.name}:{number}: {line.strip()}"
        for path in cuda_files()
        for number, line in enumerate(code_of(path), 1)
        if FLOAT.search(line)
    ]
    assert wrong == []


def test_no_float_is_added_atomically() -> None:
    """Order would matter. Only int, unsigned and unsigned long long have atomics here; the emulator has no other."""
    header = (ROOT / "tests/emulator/cpp/emulator.h").read_text(encoding="utf-8")
    assert re.findall(r"^EMULATOR_ATOMICS\((.*)\)$", header, re.MULTILINE) == ["int", "unsigned", "unsigned long long"]


@pytest.mark.parametrize("name", [path.stem for path in kernel_files()])
def test_entries_and_arguments_are_the_python_version_s(name: str) -> None:
    if not source.has_twin(name):
        pytest.skip("reported above")
    kernel = all_kernels()[name]
    found = source.entries(source.assemble(name))
    assert [one.entry for one in kernel.passes] == list(dict.fromkeys(one.entry for one in kernel.passes)), "twice"
    assert {one.entry for one in kernel.passes} == set(found)
    for one in kernel.passes:
        entry = found[one.entry]
        assert one.entry == name or one.entry.startswith(f"{name}_"), "an entry begins with its kernel's name"
        assert tuple(parameter.name for parameter in entry.parameters) == kernel.argument_names
        assert entry.thread_limit is not None, f"{one.entry} states __launch_bounds__"
        assert one.threads <= entry.thread_limit and one.threads % 32 == 0
        for parameter in entry.parameters:
            assert (parameter.type == "Words") == (parameter.name in kernel.by_value), parameter.name
            if parameter.name.endswith("_in"):
                assert not parameter.written, f"{one.entry}: {parameter.name} is Array<const ...>"
            if parameter.name.endswith(("_out", "_inout")):
                assert parameter.element is None or parameter.written, f"{one.entry}: {parameter.name} is written"


def test_scratch_is_an_argument() -> None:
    for kernel in all_kernels().values():
        assert {*kernel.scratch, *kernel.unordered, *kernel.summed, *kernel.by_value} <= set(kernel.argument_names), (
            kernel.name
        )

"""Assembling CUDA text: includes once, constants exact, lines marked, parameters read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kernels.base import constants, source


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(source, "HERE", tmp_path)
    room = tmp_path / "room"
    room.mkdir()
    return room


def test_each_file_is_pasted_once_where_it_is_first_asked_for(folder: Path) -> None:
    (folder / "a.cuh").write_text("int in_a;\n")
    (folder / "b.cuh").write_text('#include "a.cuh"\nint in_b;\n')
    (folder / "c.cu").write_text('// Says what it is\n#include "b.cuh"\n#include "a.cuh"\n\nint in_c;\n')
    text = source.assemble("c")
    assert [text.count(f"int in_{name};") for name in "abc"] == [1, 1, 1]
    assert text.index("in_a") < text.index("in_b") < text.index("in_c")
    assert '#line 3 "kernels/room/c.cu"\n\n\nint in_c;' in text and "#include" not in text


def test_what_cannot_be_pasted_is_said_with_file_and_line(folder: Path) -> None:
    (folder / "c.cu").write_text('\n#include "gone.cuh"\n')
    with pytest.raises(source.SourceError, match=r"kernels/room/c\.cu:2: kernels/gone\.cuh: no such file"):
        source.assemble("c")
    for line in ("#include <math.h>", '#include "other.h"'):
        (folder / "c.cu").write_text(f"{line}\n")
        with pytest.raises(source.SourceError, match="can be pasted"):
            source.assemble("c")
    (folder / "a.cuh").write_text("int in_a;\n")
    (folder / "c.cu").write_text('int early;\n#include "a.cuh"\n')
    with pytest.raises(source.SourceError, match=r"kernels/room/c\.cu: the #include lines come first"):
        source.assemble("c")
    with pytest.raises(source.SourceError, match=r"kernels/none\.cu: no such file"):
        source.assemble("none")


def test_constants_are_exact() -> None:
    text = source.paste('#include "common.cuh"\n', "kernels/x.cu")
    assert f"constexpr int ARENA_WORDS = {constants.ARENA_WORDS};" in text
    assert "constexpr float HALF = 0.5f;" in text and "constexpr unsigned A = 1664525u;" in text
    assert "#define INF __int_as_float(0x7f800000)" in text
    assert "constexpr float LN2_LOW = -0.000212194442f;" in text


@pytest.mark.parametrize("value", [1.0, 0.1, -3.4028235e38, 1e-45, 1.1754944e-38, 16777216.0, 1 / 3])
def test_a_float_s_text_has_its_bits(value: float) -> None:
    text = source.float_text(np.float32(value))
    assert text.endswith("f") and ("." in text or "e" in text)
    assert np.float32(text[:-1]).tobytes() == np.float32(value).tobytes()


def test_two_values_of_one_name_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"a": {"_X": np.float32(1)}, "b": {"X": np.float32(1), "Y": 2}, "c": {"X": 3}}
    monkeypatch.setattr(source, "constants", lambda module: values.get(module, {}))
    for name in "ab":
        (folder / f"{name}.cuh").write_text("\n")
    (folder / "c.cu").write_text('#include "a.cuh"\n#include "b.cuh"\n')
    with pytest.raises(source.SourceError, match=r"kernels/c\.py: X has another value in kernels/a\.py"):
        source.assemble("c")
    del values["c"]
    assert source.assemble("c").count("constexpr float X = 1.0f;") == 1


def test_entries_are_read_with_their_parameters() -> None:
    text = """
    constexpr int THREADS = 192;
    __device__ int helper(int a) { return a; }
    extern "C" __global__ void __launch_bounds__(THREADS, 5)
        one(long long n, float dt, // a comment, with a comma
            Array<const float> x_in, Array< int > y_out) {}
    extern "C" __global__ void two() {}
    extern "C" __global__ __launch_bounds__(64) void three(unsigned int seed) {}
    """
    found = source.entries(text)
    assert list(found) == ["one", "two", "three"]
    assert [(p.type, p.name) for p in found["one"].parameters] == [
        ("long long", "n"), ("float", "dt"), ("Array<const float>", "x_in"), ("Array<int>", "y_out"),
    ]  # fmt: skip
    assert [p.element for p in found["one"].parameters] == [None, None, "float", "int"]
    assert [p.written for p in found["one"].parameters] == [False, False, False, True]
    assert [entry.thread_limit for entry in found.values()] == [192, None, 64]


def test_every_twin_assembles() -> None:
    for name in source.twins():
        assert f'/{name}.cu"' in source.assemble(name)

"""Every ``.cu`` compiles for every architecture that Shotmark is written for; no GPU and no driver is needed."""

from __future__ import annotations

import functools

import pytest

from kernels.base import nvrtc, source

needs_nvrtc = pytest.mark.skipif(nvrtc.library_path() is None, reason=nvrtc.LIBRARY_MISSING)
TABLE_ARCHITECTURE = "sm_90"
HEAD = f"{'entry':28s} {'registers':>9s} {'spilled B':>9s} {'stack B':>9s} {'shared B':>9s}"


@functools.cache
def compiled(name: str, architecture: str) -> tuple[bytes, str]:
    """(cubin, verbose log) of a twin: other tests look at it too."""
    return nvrtc.compile_text(source.assemble(name), architecture, verbose=True)


@needs_nvrtc
@pytest.mark.parametrize("architecture", source.ARCHITECTURES)
def test_every_twin_compiles(architecture: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And spills nothing: a spilled register is traffic to memory that no prediction knows."""
    rows, wrong = [], []
    for name in source.twins():
        text = source.assemble(name)
        cubin, log = compiled(name, architecture)
        taken = nvrtc.resources(log)
        assert cubin[:4] == b"\x7fELF"
        assert set(taken) == set(source.entries(text)), name
        for entry, its in taken.items():
            rows.append(
                f"{entry:28s} {its.registers:9d} {its.spill_bytes:9d} {its.stack_bytes:9d} {its.shared_bytes:9d}"
            )
            if its.spill_bytes or its.stack_bytes:
                wrong.append(f"{entry}: {its.spill_bytes} bytes spilled, {its.stack_bytes} bytes of local memory")
    if architecture == TABLE_ARCHITECTURE:
        with capsys.disabled():
            print("\n".join(["", f"What each entry takes at {architecture}", HEAD, *rows]))
    assert wrong == []


@needs_nvrtc
def test_an_error_names_file_and_line() -> None:
    text = source.paste('#include "common.cuh"\n\n__device__ int wrong() { return nothing; }\n', "kernels/wrong.cu")
    with pytest.raises(nvrtc.CompileError, match=r'kernels/wrong\.cu\(3\): error: identifier "nothing" is undefined'):
        nvrtc.compile_text(text)


@needs_nvrtc
def test_a_spill_is_seen() -> None:
    """More live values than registers are allowed."""
    values = 80
    body = "".join(f"float v{n} = data[{n} * 32 + t];\n" for n in range(values))
    body += "__syncthreads();\n" + "".join(
        f"data[{n} * 64 + t] = v{n} * v{(n * 7 + 1) % values};\n" for n in range(values)
    )
    text = (
        f'extern "C" __global__ void __launch_bounds__(1024, 2) planted(float* data) {{ int t = threadIdx.x;\n{body}}}'
    )
    _, log = nvrtc.compile_text(text, verbose=True)
    taken = nvrtc.resources(log)["planted"]
    assert taken.registers <= 32 and taken.spill_bytes > 0


@needs_nvrtc
def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert nvrtc.main(["mpm_key"]) == 0
    assert "mpm_key" in capsys.readouterr().out
    assert nvrtc.main(["no_such_kernel"]) == 1
    assert "kernels/no_such_kernel.cu: no such file" in capsys.readouterr().err


def test_options_keep_every_bit() -> None:
    told = source.options("sm_90")
    for needed in ("--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true", "--gpu-architecture=sm_90"):
        assert needed in told
    assert not any("fast" in word for word in told)

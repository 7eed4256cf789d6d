"""What the compiler made of it: the instructions that a probe stands for, and kinds that no hot kernel may have.

Needs nvdisasm (part of the extra ``dev`` on Linux); NVRTC makes the machine code, no GPU is needed.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from bench.backend.cuda import hold, sm_clock
from bench.check.certify.session import HOT
from kernels.base import nvrtc, source
from tests.kernels.base.test_cuda_compile import compiled, needs_nvrtc

PROBES = ("roof_probe_copy", "roof_probe_read", "roof_probe_multiply_add", "roof_probe_shared_add")
OPCODE = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)", re.MULTILINE)


@functools.cache
def nvdisasm() -> str | None:
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or []) if found else []:
        for path in sorted(Path(folder).glob("*/bin/nvdisasm")):
            return str(path)
    return shutil.which("nvdisasm")


needs_nvdisasm = pytest.mark.skipif(
    nvdisasm() is None or nvrtc.library_path() is None,
    reason="nvdisasm or NVRTC is not installed: pip install nvidia-cuda-nvdisasm nvidia-cuda-nvrtc-cu12",
)
on_each = pytest.mark.parametrize("architecture", source.ARCHITECTURES)


@functools.cache
def machine_code(cubin: bytes) -> dict[str, str]:
    """Machine code by entry, in words."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "code.cubin"
        path.write_bytes(cubin)
        told = subprocess.run([str(nvdisasm()), "-c", str(path)], capture_output=True, text=True, check=True).stdout
    parts = re.split(r"^\.text\.(\w+):", told, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def instructions(cubin: bytes, entry: str) -> Counter[str]:
    return Counter(OPCODE.findall(machine_code(cubin)[entry]))


def of_kind(found: Counter[str], kind: str) -> Counter[str]:
    """Instructions that begin so: LDG is the kind of LDG.E.128."""
    return Counter({name: count for name, count in found.items() if re.match(rf"{kind}(?![A-Z])", name)})


@needs_nvdisasm
@on_each
def test_a_probe_has_the_instruction_that_it_stands_for(architecture: str) -> None:
    cubin, _ = compiled("roof_probe", architecture)
    copy, read, multiply_add, shared_add = (instructions(cubin, entry) for entry in PROBES)
    for found in (copy, read):
        loads = of_kind(found, "LDG")  # past the first-level cache: coherent for the whole GPU
        assert loads and all(re.match(r"LDG\.E\.128\.STRONG\.GPU", name) for name in loads), loads
        assert loads.total() > 4, "several on their way at once"
    stores = of_kind(copy, "STG")
    assert stores and all(re.match(r"STG\.E\.128", name) for name in stores), stores
    assert of_kind(multiply_add, "FFMA").total() >= 6 * 16, "sixteen rounds of six"
    assert not of_kind(multiply_add, "LDG")
    atomics = of_kind(shared_add, "ATOMS")
    assert set(atomics) == {"ATOMS.ADD"} and atomics.total() >= 16, atomics


@needs_nvdisasm
def test_an_addition_of_one_would_be_another_instruction() -> None:
    """What the probe measured before: so it must not know what it adds."""
    text = source.assemble("roof_probe").replace("atomicAdd(&words[at], added)", "atomicAdd(&words[at], 1)")
    cubin, _ = nvrtc.compile_text(text, "sm_90")
    assert "ATOMS.POPC.INC.32" in instructions(cubin, "roof_probe_shared_add")


@needs_nvdisasm
@on_each
def test_the_scatter_adds_as_its_probe_does(architecture: str) -> None:
    atomics = of_kind(instructions(compiled("mpm_p2g", architecture)[0], "mpm_p2g"), "ATOMS")
    assert set(atomics) == {"ATOMS.ADD"}, atomics


@needs_nvdisasm
@on_each
def test_clocks_read_clocks(architecture: str) -> None:
    """Twice at least where it waits: a time that is read once never passes."""
    for module, entry, least in ((hold, "hold_stream", 2), (sm_clock, "sm_clock", 1)):
        text = source.paste(module.TEXT.read_text(encoding="utf-8"), module.TEXT.name)
        cubin, _ = nvrtc.compile_text(text, architecture)
        assert machine_code(cubin)[entry].count("SR_CLOCK") >= least


@needs_nvdisasm
@pytest.mark.slow
@on_each
def test_hot_kernels_have_no_local_memory_and_no_double_precision(architecture: str) -> None:
    wrong = {}
    for name in HOT:
        cubin, _ = compiled(name, architecture)
        for entry in machine_code(cubin):
            found = instructions(cubin, entry)
            assert found["EXIT"] > 0
            kinds = {kind: of_kind(found, kind) for kind in ("LDL", "STL", "DADD", "DMUL", "DFMA", "F2F")}
            wrong |= {f"{entry} {kind}": dict(count) for kind, count in kinds.items() if count}
    assert wrong == {}


@needs_nvrtc
@pytest.mark.slow
def test_no_result_is_flushed_or_approximate() -> None:
    """By PTX: machine code uses flushing inside exact division, where it changes no result."""
    wrong = {}
    for name in source.twins():
        text = nvrtc.compile_text(source.assemble(name), "compute_75", form="PTX")[0].decode()
        assert ".visible .entry" in text
        found = Counter(re.findall(r"\b[a-z]+(?:\.[a-z0-9]+)*\.(?:ftz|approx)[a-z0-9.]*", text))
        wrong |= {name: dict(found)} if found else {}
    assert wrong == {}


@needs_nvrtc
def test_the_bytes_of_code_are_those_of_its_instructions() -> None:
    cubin, _ = compiled("roof_probe", "sm_90")
    found = nvrtc.code_bytes(cubin)
    assert set(found) == set(PROBES) and all(length > 0 and length % 128 == 0 for length in found.values())
    if nvdisasm() is not None:
        for entry, length in found.items():
            assert 16 * instructions(cubin, entry).total() == length

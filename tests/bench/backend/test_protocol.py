"""Every back-end has every member of the protocol: nobody has to ask whether it has one."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from bench.backend.ahead import prepare
from bench.backend.cupy_gpu import CupyBackend
from bench.backend.numba_cpu import NumbaBackend
from bench.backend.protocol import Backend
from bench.base.progress import Silent
from kernels.base.registry import kernel_names
from tests.emulator.backend import EmulatorBackend
from tests.emulator.gpu import emulated_gpu
from tests.support.fake_backend import FakeBackend
from tests.support.fake_cupy import FakeCupy
from tests.support.source_tree import ROOT, sources

MEMBERS = {*inspect.get_annotations(Backend), *(name for name in vars(Backend) if not name.startswith("_"))}


def back_ends(folder: Path) -> list[Any]:
    gpus = [CupyBackend(0, FakeCupy(), folder), emulated_gpu(folder)]
    return [NumbaBackend(1), *gpus, EmulatorBackend(), FakeBackend(), FakeBackend(threads=None)]


def test_no_member_is_missing(tmp_path: Path) -> None:
    assert {"is_gpu", "free_bytes", "sm_clock", "observer"} <= MEMBERS
    for backend in back_ends(tmp_path):
        assert [name for name in sorted(MEMBERS) if not hasattr(backend, name)] == [], backend


def test_a_gpu_has_no_cpu_threads_and_a_cpu_no_gpu_s_parts(tmp_path: Path) -> None:
    for backend in back_ends(tmp_path):
        assert backend.is_gpu == (backend.threads is None)
        if not backend.is_gpu:
            assert (backend.device_name, backend.clock_max_hz, backend.graph_problem) == (None, None, None)
            assert backend.sm_clock() is None and backend.energy_meter() is None and backend.device_count() == 0
    gpu = CupyBackend(0, FakeCupy(), tmp_path)
    assert (gpu.device_name, gpu.clock_max_hz, gpu.device_count()) == ("Fake GPU", 1.98e9, 1)


def test_nobody_guesses_what_a_back_end_is_or_can() -> None:
    guess = re.compile(r"backend\.threads is\b|getattr\([\w.]*(backend|device|gpu)\b,")
    wrong = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources("bench")
        for line in path.read_text(encoding="utf-8").splitlines()
        if guess.search(line)
    ]
    assert wrong == []


def test_only_a_gpu_is_prepared_through_its_own_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    gpu, cpu = FakeBackend(threads=None), FakeBackend()

    def compiled(kernels: Any) -> int:
        asked.append(len(list(kernels)))
        return 5

    monkeypatch.setattr(gpu, "prepare", compiled)
    monkeypatch.setattr("bench.backend.ahead.compile_ahead", lambda progress, modules: pytest.fail("on a CPU only"))
    assert prepare([gpu], Silent()).kernel_count == 5 and asked == [len(kernel_names())]
    monkeypatch.undo()
    assert cpu.prepare([]) == 0

"""A GPU that fails while it is measured, the GPU being the emulator: the CPU's result is there, and the reason too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bench.backend import choose, patience
from bench.backend.choose import Choice
from bench.base.errors import EXIT_CHECK_FAILED, EXIT_UNAVAILABLE
from bench.check import cases
from bench.cli.main import main
from bench.record.read import read_record
from bench.record.schema import Record
from tests.emulator.gpu import NEEDS_COMPILER, EmulatedGpu, emulated_cupy
from tests.support.fake_cupy import FakeArray, FakeCupy
from tests.support.tiny_shot import write_tiny_shot

pytestmark = [pytest.mark.slow, NEEDS_COMPILER]


def run(folder: Path, *more: str) -> Result:
    words = ["run", str(write_tiny_shot(folder)), "--frames", "1", "--rounds", "3", "--threads", "1"]
    return CliRunner().invoke(main, [*words, "--results", str(folder / "results"), *more])


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the tiny shot's first frame has to be."""
    done = run(tmp_path_factory.mktemp("proved"), "--backend", "numba", "--json")
    (shot,) = json.loads(done.stdout)["shots"]
    return {"state": shot["state_sha256"], "picture": shot["picture_sha256"]}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, proved: dict[str, str], tmp_path: Path) -> Any:
    """Let ``auto`` find a GPU, and give the tiny shot a golden frame."""
    monkeypatch.setattr(patience, "watch", lambda *asked: None)  # it would end this process
    monkeypatch.setattr(cases, "is_shipped", lambda shot: True)
    monkeypatch.setattr(cases, "load_golden", lambda: {"pool": {"S": {"frames": {"1": proved}}}})

    def give(cupy: FakeCupy, by_name: bool = False) -> FakeCupy:
        gpu = EmulatedGpu(0, cupy, tmp_path / "cache")
        monkeypatch.setattr(choose, "choose_backends", lambda *asked: Choice([gpu], None, by_name))
        return cupy

    return give


def the_record(folder: Path) -> Record:
    (path,) = (folder / "results").glob("*/*.json")
    return read_record(path)


def check_that_the_cpu_did_it(record: Record, reason: str) -> None:
    assert record.complete and {(row.backend, row.verified) for row in record.rows} == {("numba", "golden")}
    assert {entry.backend for entry in record.rejected} == {"cupy"} and reason in record.rejected[0].reason


def test_wrong_bits_in_the_first_frame(given: Any, tmp_path: Path) -> None:
    given(emulated_cupy())

    def get(self: Any) -> np.ndarray:
        """One bit of each picture is another one on its way to the host."""
        found = np.array(self.view(np.ndarray))
        if found.dtype == np.float32 and found.ndim == 3:
            found.view(np.int32)[0, 0, 0] ^= 1
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeArray, "get", get)
        done = run(tmp_path)
    assert done.exit_code == EXIT_CHECK_FAILED, done.output
    check_that_the_cpu_did_it(the_record(tmp_path), "the picture's SHA-256")
    assert "the GPU gave no result for pool: the CPU does; the record says why" in done.stderr
    assert "pool S cupy did not verify: the picture's SHA-256" in done.stdout and "pool S numba" in done.stdout
    assert "Traceback" not in done.output


def test_memory_that_is_full_at_the_third_array(given: Any, tmp_path: Path) -> None:
    given(emulated_cupy(arrays_most=2))
    done = run(tmp_path)
    assert done.exit_code == EXIT_UNAVAILABLE, done.output
    check_that_the_cpu_did_it(the_record(tmp_path), "GPU 0 (Emulated GPU) is out of memory: an array needs")
    assert "pool S cupy could not be measured: GPU 0 (Emulated GPU) is out of memory" in done.stdout


def test_a_wait_that_nothing_ends(given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(patience.VARIABLE, "0.2")
    given(emulated_cupy(hangs_after=5))
    done = run(tmp_path)
    assert done.exit_code == EXIT_UNAVAILABLE, done.output
    check_that_the_cpu_did_it(the_record(tmp_path), "GPU 0 (Emulated GPU) did not answer for 0.2 s")


def test_kernels_that_cannot_be_compiled(given: Any, tmp_path: Path) -> None:
    given(emulated_cupy(compile_log="kernels/x.cu(1): error: no such architecture"))
    done = run(tmp_path)
    assert done.exit_code == 0, done.output
    record = the_record(tmp_path)
    assert {row.backend for row in record.rows} == {"numba"} and not record.rejected
    assert record.gpu_unused is not None and "no such architecture" in record.gpu_unused.reason
    assert record.gpu_unused.line in done.stderr


def test_memory_that_is_taken_before_it_starts(given: Any, tmp_path: Path) -> None:
    cupy = given(emulated_cupy())
    cupy.used_bytes = cupy.gpus[0].memory_bytes
    done = run(tmp_path)
    assert done.exit_code == 0, done.output
    record = the_record(tmp_path)
    assert record.gpu_unused is not None and "of the GPU's memory, 0 B are free" in record.gpu_unused.reason


def test_a_gpu_that_was_asked_for_is_not_replaced(given: Any, tmp_path: Path) -> None:
    given(emulated_cupy(arrays_most=2), by_name=True)
    done = run(tmp_path, "--backend", "cupy")
    assert done.exit_code == EXIT_UNAVAILABLE and the_record(tmp_path).rows == ()


def test_nor_is_one_that_nothing_can_be_compiled_for(given: Any, tmp_path: Path) -> None:
    given(emulated_cupy(compile_log="kernels/x.cu(1): error: no such architecture"), by_name=True)
    done = run(tmp_path, "--backend", "cupy")
    assert done.exit_code == EXIT_CHECK_FAILED and "no such architecture" in done.stderr

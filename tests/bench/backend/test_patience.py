"""A GPU that does not answer: waits end, a call that does not return ends the process, and what was finished stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.backend import patience
from bench.backend.cupy_gpu import CupyBackend
from bench.base.errors import EXIT_UNAVAILABLE, Unavailable, UserError
from bench.record.read import read_record
from tests.support.fake_cupy import CudaRuntimeError, FakeCupy, OutOfMemory
from tests.support.source_tree import ROOT

LIMIT_S = 0.05


class Clock:
    """Seconds that pass with each look and with each pause."""

    def __init__(self, look_s: float) -> None:
        self.at_s, self.look_s = 0.0, look_s
        self.pauses: list[float] = []

    def now(self) -> float:
        self.at_s += self.look_s
        return self.at_s

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.at_s += seconds


@pytest.mark.parametrize("status", [0, 700, 719])
def test_a_wait_ends_when_the_device_is_done_or_has_failed(status: int) -> None:
    answers = iter([600, 600, status])
    assert patience.wait(lambda: next(answers), 1.0)


def test_a_wait_ends_at_its_limit() -> None:
    clock = Clock(1e-3)
    assert not patience.wait(lambda: 600, 7.0, clock.now, clock.pause)
    assert 7.0 < clock.at_s < 7.01


def test_no_time_is_longer_by_more_than_a_ten_thousandth() -> None:
    clock = Clock(1e-5)
    assert patience.wait(lambda: 0 if clock.at_s > 20.0 else 600, 600.0, clock.now, clock.pause)
    assert 20.0 < clock.at_s < 20.0 * (1.0 + patience.PAUSE_SHARE) + 1e-4
    # A frame of a small shot is done before there is any pause
    clock = Clock(1e-5)
    patience.wait(lambda: 0 if clock.at_s > 0.4 else 600, 600.0, clock.now, clock.pause)
    assert clock.pauses == []


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "1e9", "1 h"])
def test_a_limit_that_is_none_is_bad_input(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(patience.VARIABLE, text)
    with pytest.raises(UserError, match=r"^SHOTMARK_GPU_TIMEOUT_S: expected seconds, above 0 and up to 1000000, not '"):
        patience.limit_s()


def test_the_limit_is_ten_minutes_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(patience.VARIABLE, raising=False)
    assert patience.limit_s() == 600.0
    monkeypatch.setenv(patience.VARIABLE, "2.5")
    assert patience.limit_s() == 2.5


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short limit, and no thread that could end this process."""
    monkeypatch.setenv(patience.VARIABLE, str(LIMIT_S))
    monkeypatch.setattr(patience, "watch", lambda *asked: None)


def hanging(folder: Path) -> tuple[CupyBackend, FakeCupy]:
    cupy = FakeCupy()
    gpu = CupyBackend(0, cupy, folder)
    cupy.hangs_after = -1
    return gpu, cupy


def test_every_way_to_wait_has_the_limit(tmp_path: Path, impatient: None) -> None:
    line = r"^GPU 0 \(Fake GPU\) did not answer for 0\.05 s: .* SHOTMARK_GPU_TIMEOUT_S .*--backend numba$"
    gpu, _ = hanging(tmp_path)
    with pytest.raises(Unavailable, match=line):
        gpu.synchronize()
    gpu, cupy = hanging(tmp_path)
    cupy.hangs_after = None
    held, before = gpu.zeros(3, np.float32), gpu.clock()
    after = gpu.clock()
    cupy.hangs_after = -1
    with pytest.raises(Unavailable, match=line):
        gpu.host(held)
    gpu, cupy = hanging(tmp_path)
    before, after = gpu.clock(), gpu.clock()
    with pytest.raises(Unavailable, match=line):
        after - before
    gpu, _ = hanging(tmp_path)
    with pytest.raises(Unavailable, match=line):
        gpu.release()


def test_a_device_that_is_lost_is_asked_nothing_more(tmp_path: Path, impatient: None) -> None:
    gpu, cupy = hanging(tmp_path)
    with pytest.raises(Unavailable):
        gpu.synchronize()
    asked = list(cupy.log)
    for call in (gpu.synchronize, gpu.clock, gpu.release, gpu.free_bytes, lambda: gpu.zeros(3, np.float32)):
        with pytest.raises(Unavailable, match="did not answer"):
            call()
    assert cupy.log == asked


def test_a_failure_that_shows_in_a_clock_is_one_line_too(tmp_path: Path) -> None:
    gpu, cupy = CupyBackend(0, cupy := FakeCupy(), tmp_path), cupy

    def fail(*asked: object) -> float:
        raise CudaRuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    before, after = gpu.clock(), gpu.clock()
    cupy.cuda.get_elapsed_time = fail
    with pytest.raises(Unavailable, match="GPU 0 failed: cudaErrorIllegalAddress"):
        after - before
    cupy.cuda.Event = fail
    with pytest.raises(Unavailable, match="GPU 0 failed: cudaErrorIllegalAddress"):
        gpu.clock()


def test_memory_that_is_full_elsewhere_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only where an array is made: CuPy takes memory for copies as well."""
    gpu, cupy = CupyBackend(0, cupy := FakeCupy(), tmp_path), cupy
    held = gpu.zeros(3, np.float32)

    def full(self: object, values: object) -> None:
        raise OutOfMemory("Out of memory allocating 12 bytes")

    monkeypatch.setattr(type(held), "set", full)
    with pytest.raises(Unavailable, match=r"^GPU 0 \(Fake GPU\) is out of memory: Out of memory allocating 12 bytes"):
        gpu.fill(held, np.zeros(3, np.float32))


STUCK = """
import sys, time
from pathlib import Path
from bench.backend.cupy_gpu import CupyBackend
from bench.measure.plugin import measure
from kernels.base import source
from tests.support.fake_backend import FakeBackend
from tests.support.fake_cupy import FakeCupy
from tests.support.fake_shot import Workshop, case

source.assemble = lambda name: f'extern "C" __global__ void {name}(int n) {{}}'
folder = Path(sys.argv[1])
gpu = CupyBackend(0, FakeCupy(execute=lambda *launch: time.sleep(60)), folder / "cache")
gpu.sm_clock = lambda: None
measure([case("one"), case("two")], [FakeBackend(), gpu], Workshop().makers(), folder / "results", {})
"""


def test_a_call_that_never_returns_ends_the_process_and_saves(tmp_path: Path) -> None:
    """A launch into a full queue waits in the driver, where nothing reaches it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), patience.VARIABLE: "1"}
    command = [sys.executable, "-c", STUCK, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == EXIT_UNAVAILABLE, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("shotmark: GPU 0 (Fake GPU) did not answer for 1 s: ")
    (path,) = (tmp_path / "results").glob("*/*.json")
    record = read_record(path)
    assert {(row.shot, row.backend) for row in record.rows} == {("one", "fake")} and not record.complete
    assert {(entry.shot, entry.backend) for entry in record.rejected} == {("one", "cupy")}
    assert all(entry.unavailable and entry.reason in line for entry in record.rejected)
    assert [each.name for each in path.parent.iterdir() if each.suffix == ".lock" and each.name != ".lock"] == []


AT_THE_END = """
import sys
from bench.backend.cupy_gpu import CupyBackend
from tests.support.fake_cupy import FakeCupy

fake = FakeCupy()
sys.modules["cupy"] = fake
gpu = CupyBackend(0, fake)
fake.hangs_after = -1
try:
    gpu.synchronize()
except Exception as error:
    print(type(error).__name__)

class Forever:
    def __del__(self):
        while True:
            pass

kept = Forever()
"""


def test_a_process_does_not_wait_for_a_lost_device_at_its_end(tmp_path: Path) -> None:
    """What CuPy holds is freed when Python ends, and freeing waits for the device."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path), patience.VARIABLE: "0.2"}
    command = [sys.executable, "-c", AT_THE_END]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_UNAVAILABLE, "Unavailable\n", "")

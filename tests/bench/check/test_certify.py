"""certify to its end: on the CPU, and on a GPU that is the emulator; its parts, its budget, its file."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from bench.backend.energy import EnergyMeter
from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import UserError
from bench.check import cases, certify, physics
from bench.check import sanitizer as sanitize
from bench.check.certify import Certifier, Limits
from bench.cli.commands.certify import parse_budget
from bench.cli.main import main
from bench.measure import kernels as kernel_bench
from bench.measure import roofs, roofs_gpu
from bench.measure.plugin import new_slot
from bench.measure.roofs_gpu import DeviceRoofs
from bench.record.certificate import FAILED, LEFT_OUT, NOTED, PASSED, CertificateDraft, Finding
from bench.record.read import read_record
from bench.record.write import Draft
from bench.report.certificate import show
from kernels.base.kernel import Kernel, Traffic
from kernels.base.registry import all_kernels
from tests.emulator.gpu import NEEDS_COMPILER, emulated_cupy, emulated_gpu
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

ROOFS = roofs.Roofs(
    threads=1,
    llc_bytes=2**20,
    copy_bytes_per_s=1e12,
    read_bytes_per_s=1e12,
    cache_copy_bytes_per_s=1e13,
    cache_read_bytes_per_s=1e13,
    fma_flop_per_s=1e13,
    rates={"copy": (1e12,)},
)


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Limits:
    monkeypatch.setattr(roofs, "measure_roofs", lambda threads: ROOFS)
    monkeypatch.setattr(physics, "CHECKS", (physics.free_fall,))
    monkeypatch.setattr(sanitize, "PROGRAM", "no-such-sanitizer")
    return Limits(
        twin_sizes=(1, 20),
        kernel_size=20,
        kernels=("mpm_key", "mpm_sort"),
        shots=(str(write_tiny_shot(tmp_path)),),
        sizes=("S", "M"),
        rounds=3,
        frame=2,
        water_cells=(4, 4),
        water_rounds=2,
        energy_s=0.0,
    )


def certifier(backend: Any, folder: Path, limits: Limits, budget_s: float = 500.0) -> Certifier:
    results = folder / "results"
    certificate = CertificateDraft(Draft(new_slot(results), {"command": "certify"}), budget_s)
    cpu = backend if backend.name == "numba" else NumbaBackend(1)
    return Certifier(backend, cpu, certificate, results, limits)


def parts_of(path: Path) -> dict[str, dict[str, Any]]:
    document = json.loads(path.read_text())["shotmark"]["certificate"]
    return {part["part"]: part for part in document["parts"]}


def test_a_cpu_is_certified_to_the_end(tmp_path: Path, limits: Limits) -> None:
    told: list[str] = []
    certificate = certifier(NumbaBackend(1), tmp_path, limits).run(told.append)
    assert certificate.draft.complete and not certificate.failed
    verdicts = {name: found.verdict for name, found in certificate.parts.items()}
    assert told == list(verdicts)
    assert {verdicts[name] for name in ("twins", "shots S", "shots M", "kernels", "checks")} == {PASSED}
    assert verdicts["roofs"] == verdicts["water"] == NOTED
    assert {verdict for name, verdict in verdicts.items() if name.startswith(("sanitizer", "energy"))} == {LEFT_OUT}
    record = read_record(certificate.draft.slot.path)
    assert record.complete and {row.size for row in record.rows} == {"S", "M"} and not record.rejected
    assert parts_of(certificate.draft.slot.path)["kernels"]["data"][0]["kernel"] == "mpm_key"


@pytest.mark.slow
@NEEDS_COMPILER
def test_a_gpu_is_certified_to_the_end_in_the_emulator(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name in DeviceRoofs.__dataclass_fields__ if name.endswith("_per_s")]
    roofs_of_a_clock_that_counts = DeviceRoofs(
        device="Emulated GPU", llc_bytes=2**20, rates={}, **dict.fromkeys(names, 1e15)
    )
    monkeypatch.setattr(roofs_gpu, "measure_device_roofs", lambda backend, **options: roofs_of_a_clock_that_counts)
    every = replace(limits, kernels=(), twin_sizes=(1, 8), kernel_size=8)
    certificate = certifier(emulated_gpu(tmp_path, launch_s=1.0), tmp_path, every).run()
    assert certificate.draft.complete and not certificate.failed, {n: f.line for n, f in certificate.parts.items()}
    verdicts = {name: found.verdict for name, found in certificate.parts.items()}
    assert {verdicts[name] for name in ("twins", "shots S", "shots M", "kernels", "checks")} == {PASSED}
    assert certificate.parts["twins"].line.startswith(f"CPU = GPU to the last bit: {len(all_kernels())} kernels")
    assert len(certificate.parts["kernels"].data) == len(all_kernels())
    assert certificate.parts["water"].data["graphs"] == "used"
    assert certificate.parts["sanitizer racecheck"].data["verdict"] == "not installed"
    record = read_record(certificate.draft.slot.path)
    rows = {(row.size, row.backend): row for row in record.rows if row.stage == "frame"}
    assert set(rows) == {(size, backend) for size in ("S", "M") for backend in ("numba", "cupy")}
    for size in ("S", "M"):
        assert rows[size, "numba"].state_sha256 == rows[size, "cupy"].state_sha256
        assert rows[size, "numba"].picture_sha256 == rows[size, "cupy"].picture_sha256
    assert sorted(certificate.draft.slot.pictures.glob("*.png"))


def test_what_the_time_does_not_hold_is_named(tmp_path: Path, limits: Limits) -> None:
    certificate = certifier(NumbaBackend(1), tmp_path, limits, budget_s=1e-3).run()
    assert {found.verdict for found in certificate.parts.values()} == {LEFT_OUT} and certificate.draft.complete
    record = read_record(certificate.draft.slot.path)
    assert record.rows == () and record.complete


def test_kernels_are_gone_on_with_when_time_is_left(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = iter([False, True])
    real = Certifier.kernels

    def kernels(self: Certifier, which: Any) -> Any:
        monkeypatch.setattr(Certifier, "_late", property(lambda self: next(late, False)))
        return real(self, which)

    monkeypatch.setattr(Certifier, "kernels", kernels)
    told: list[str] = []
    certificate = certifier(NumbaBackend(1), tmp_path, replace(limits, sizes=("S",))).run(told.append)
    assert told[-1] == "kernels, the rest" and certificate.parts["kernels"].verdict == PASSED
    assert [row["kernel"] for row in certificate.parts["kernels"].data] == ["mpm_key", "mpm_sort"]


def test_a_wrong_twin_fails_and_the_rest_goes_on(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Certifier, "_disagreement", lambda self, kernel, size: "key_out: 3 of 20 differ")
    monkeypatch.setattr(Certifier, "shots", lambda self, size: 1 / 0)
    certificate = certifier(NumbaBackend(1), tmp_path, limits).run()
    assert certificate.parts["twins"].line == "2 of 2 kernels differ; mpm_key: key_out: 3 of 20 differ"
    assert certificate.parts["shots S"].line == "ZeroDivisionError: division by zero"
    assert certificate.failed == ["twins", "shots S", "shots M"] and certificate.parts["kernels"].verdict == PASSED


def test_what_was_found_before_a_stop_is_on_disk(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Certifier, size: str) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Certifier, "shots", stop)
    stopped = certifier(NumbaBackend(1), tmp_path, limits)
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    assert list(parts_of(stopped.certificate.draft.slot.path)) == ["compile", "twins"]
    assert not read_record(stopped.certificate.draft.slot.path).complete


def test_kernels_that_were_timed_before_a_stop_are_on_disk(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = kernel_bench.measure_kernel

    def measure_kernel(kernel: Kernel, *args: Any) -> Any:
        if kernel.name == "mpm_sort":
            raise KeyboardInterrupt
        return real(kernel, *args)

    monkeypatch.setattr(kernel_bench, "measure_kernel", measure_kernel)
    stopped = certifier(NumbaBackend(1), tmp_path, replace(limits, sizes=("S",)))
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    part = parts_of(stopped.certificate.draft.slot.path)["kernels"]
    assert part["verdict"] == LEFT_OUT and [row["kernel"] for row in part["data"]] == ["mpm_key"]


def test_a_kernel_that_is_longer_than_the_time_left_is_left_out(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def traffic_after(kernel: Kernel, *args: Any) -> Any:
        return Traffic(1, 1, 1, 1), 400.0 if kernel.name == "mpm_key" else 1e-3

    monkeypatch.setattr(kernel_bench, "traffic_after", traffic_after)
    found = certifier(NumbaBackend(1), tmp_path, replace(limits, sizes=("S",))).run().parts["kernels"]
    assert found.verdict == LEFT_OUT and [row["kernel"] for row in found.data] == ["mpm_sort"]


def test_a_wrong_shot_does_not_end_the_others(tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = limits.shots
    second = tmp_path / "second.toml"
    second.write_text(Path(first).read_text().replace('name = "pool"', 'name = "second"'))
    wrong = {"state": "0" * 64, "picture": "0" * 64}
    monkeypatch.setattr(cases, "is_shipped", lambda shot: True)
    monkeypatch.setattr(cases, "expected", lambda golden, name, size, frame: wrong if name == "pool" else None)
    certificate = certifier(NumbaBackend(1), tmp_path, replace(limits, shots=(first, str(second)))).run()
    found = certificate.parts["shots S"]
    assert found.verdict == FAILED and "pool-S-numba: the state's SHA-256" in found.line
    assert any(line.startswith("second S numba 1 thread: the same bits") for line in found.data["lines"])


def test_one_core_holds_no_threads_against_each_other(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_bench, "many_threads", lambda threads: 1)
    found = certifier(NumbaBackend(1), tmp_path, limits).run().parts["twins"]
    assert found.verdict == LEFT_OUT and found.line.startswith("one core")


def test_the_command_prints_a_short_table_last(tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certify, "Limits", lambda: limits)
    arguments = ["certify", "--backend", "numba", "--threads", "1", "--results", str(tmp_path / "r")]
    done = CliRunner().invoke(main, [*arguments, "--budget", "5m"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("record ") and any(line.startswith("pool S numba 1 thread: the same") for line in lines)
    assert any(line.split()[:2] == ["twins", "passed"] for line in lines)
    monkeypatch.setattr(Certifier, "run", lambda self, tell: self.certificate)
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert json.loads(done.stdout)["parts"] == []


def test_it_needs_none_of_the_optional_packages(tmp_path: Path) -> None:
    """An image with cupy, numba, numpy, click, pytest, pytest-benchmark, rich, Pillow, psutil and nvidia-ml-py."""
    missing = ["OpenEXR", "cpuinfo", "hypothesis", "imageio_ffmpeg", "matplotlib", "mitsuba", "scipy", "taichi"]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({missing!r})); from bench.cli.main import main;"
        f"main(['certify', '--backend', 'numba', '--budget', '0.1', '--results', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("the file to share") and len(list(tmp_path.glob("*/*.json"))) == 1


@pytest.mark.parametrize(("text", "seconds"), [("9m", 540.0), ("90", 90.0), ("1.5h", 5400.0), (" 30S ", 30.0)])
def test_a_budget_is_a_time(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1m", "9 parsecs", "nan", "1e9", "9999999m"])
def test_what_is_no_time_is_bad_input(text: str) -> None:
    with pytest.raises(UserError, match="--budget: expected"):
        parse_budget(text)
    assert CliRunner().invoke(main, ["certify", "--backend", "all"]).exit_code == 2


# --- what certify uses -----------------------------------------------------------------------
@pytest.mark.needs("sh")
@pytest.mark.parametrize(
    ("script", "verdict", "line"),
    [
        ("echo ========= ERROR SUMMARY: 0 errors", "clean", "ERROR SUMMARY: 0 errors"),
        ("echo '========= Invalid __global__ write: error'; exit 86", "errors", "Invalid __global__ write: error"),
        ("echo '========= ERROR SUMMARY: 3 errors'; exit 1", "errors", "ERROR SUMMARY: 3 errors"),
        ("exit 1", "failed", "exit code 1"),
        (
            "echo '========= Error: Target application terminated before first instrumented API call'; exit 1",
            "failed",
            "Error: Target application terminated before first instrumented API call",
        ),
        ("sleep 20", "no time", "not done after 1 s"),
    ],
)
def test_a_sanitizer_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, verdict: str, line: str
) -> None:
    program = tmp_path / sanitize.PROGRAM
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = sanitize.run_tool("memcheck", 0, 1.0, child=("true",))
    assert (found.verdict, found.line) == (verdict, line)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("clean", PASSED), ("errors", FAILED), ("failed", LEFT_OUT), ("no time", LEFT_OUT), ("not installed", LEFT_OUT)],
)
def test_a_sanitizer_that_cannot_start_proves_nothing(said: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitize, "run_tool", lambda *asked: sanitize.ToolResult("memcheck", said, "why"))
    certifier = SimpleNamespace(on_gpu=True, _gpu=SimpleNamespace(device=0), _left_s=lambda: 1.0)
    assert Certifier.sanitizer(certifier, "memcheck").verdict == verdict  # type: ignore[arg-type]


@pytest.mark.needs("sh", "os.killpg")
def test_what_a_sanitizer_watched_ends_with_it(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        sanitize._run(["sh", "-c", f"sleep 60 & echo $! > {told}; wait"], 2.0)
    watched = int(told.read_text())
    until = time.monotonic() + 20.0
    while psutil.pid_exists(watched) and psutil.Process(watched).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_sanitizer_ends_where_a_system_knows_no_groups_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has neither killpg nor SIGKILL."""
    for name, missing in (("os", "killpg"), ("signal", "SIGKILL")):
        whole = vars(getattr(sanitize, name))
        reduced = SimpleNamespace(**{key: value for key, value in whole.items() if key != missing})
        monkeypatch.setattr(sanitize, name, reduced)
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        sanitize._run([sys.executable, "-c", "import time; time.sleep(60)"], 1.0)
    assert time.monotonic() - start < 30.0


@NEEDS_COMPILER
def test_what_a_sanitizer_watches_runs_without_the_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cupy = emulated_cupy()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["sanitize", "0", "mpm_key"])
    sanitize.main()
    assert capsys.readouterr().out == "mpm_key\n" and cupy.log[0] == ("allocator", None)


def test_energy_is_unknown_where_it_cannot_be_read() -> None:
    class Nvml:
        def __init__(self, broken: str = "") -> None:
            self.broken = broken

        def __getattr__(self, name: str) -> Any:
            if name == self.broken:
                raise RuntimeError("not supported")
            return lambda *args: 12_500

    assert EnergyMeter("0000:01:00.0", Nvml()).joules() == 12.5
    for broken in ("nvmlInit", "nvmlDeviceGetHandleByPciBusId", "nvmlDeviceGetTotalEnergyConsumption"):
        assert EnergyMeter("0000:01:00.0", Nvml(broken)).joules() is None


def test_the_table_shows_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate = CertificateDraft(Draft(new_slot(tmp_path), {}), 1.0)
    certificate.note("twins", Finding(FAILED, "1 of 2 kernels differ [red]"), 1.0)
    show(certificate.certificate(), certificate.draft.path)
    assert "1 of 2 kernels differ [red]" in capsys.readouterr().out

"""certify to its end: on the CPU, and on a GPU that is the emulator; its parts, its budget, its file."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.backend.energy import EnergyMeter
from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import UserError
from bench.check import cases, physics
from bench.check import sanitizer as sanitize
from bench.check.certify import certifier, proofs, session, shots, speed
from bench.check.certify.certifier import certify
from bench.check.certify.order import steps
from bench.check.certify.session import HOT, Limits, Session
from bench.check.golden import golden_frames, load_golden
from bench.cli.commands.proofs.certify import parse_budget
from bench.cli.main import main
from bench.measure import kernels as kernel_bench
from bench.measure import roofs, roofs_gpu
from bench.measure.plugin import new_slot
from bench.measure.roofs_gpu import DeviceRoofs
from bench.record.certificate import FAILED, LEFT_OUT, NOTED, PASSED, CertificateDraft, Finding
from bench.record.read import read_record
from bench.record.write import Draft
from bench.report.certificate import show
from bench.shot.load import shot_names
from kernels.base.kernel import Kernel, Traffic
from kernels.base.registry import all_kernels
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
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


TINY: dict[str, Any] = {
    "twin_sizes": (1, 20),
    "kernel_size": 20,
    "kernels": ("mpm_key", "mpm_sort"),
    "rounds": 3,
    "frame": 2,
    "water_cells": (4, 4),
    "water_rounds": 2,
    "energy_s": 0.0,
}


def roofs_of_a_clock_that_counts() -> DeviceRoofs:
    """No time of such a clock is above them."""
    names = [name for name in DeviceRoofs.__dataclass_fields__ if name.endswith("_per_s")]
    return DeviceRoofs(device="Emulated GPU", llc_bytes=2**20, rates={}, **dict.fromkeys(names, 1e15))


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Limits:
    monkeypatch.setattr(roofs, "measure_roofs", lambda threads: ROOFS)
    monkeypatch.setattr(physics, "CHECKS", (physics.free_fall,))
    monkeypatch.setattr(sanitize, "PROGRAM", "no-such-sanitizer")
    return Limits(shots=(str(write_tiny_shot(tmp_path)),), sizes=("S", "M"), **TINY)


def begun(backend: Any, folder: Path, limits: Limits, budget_s: float = 500.0) -> Session:
    results = folder / "results"
    certificate = CertificateDraft(Draft(new_slot(results), {"command": "certify"}), budget_s)
    cpu = backend if backend.name == "numba" else NumbaBackend(1)
    return Session(backend, cpu, certificate, results, limits)


KERNELS = ("twins", "kernels", "other twins", "other kernels")


def parts_of(path: Path) -> dict[str, dict[str, Any]]:
    document = json.loads(path.read_text())["shotmark"]["certificate"]
    return {part["part"]: part for part in document["parts"]}


def test_a_cpu_is_certified_to_the_end(tmp_path: Path, limits: Limits) -> None:
    told: list[str] = []
    certificate = certify(begun(NumbaBackend(1), tmp_path, limits), told.append)
    assert certificate.draft.complete and not certificate.failed
    verdicts = {name: found.verdict for name, found in certificate.parts.items()}
    assert told == list(verdicts)
    assert {verdicts[name] for name in (*KERNELS, "shots S", "shots M", "checks")} == {PASSED}
    assert verdicts["roofs"] == verdicts["water"] == NOTED
    assert {verdict for name, verdict in verdicts.items() if name.startswith(("sanitizer", "energy"))} == {LEFT_OUT}
    record = read_record(certificate.draft.slot.path)
    assert record.complete and {row.size for row in record.rows} == {"S", "M"} and not record.rejected
    parts = parts_of(certificate.draft.slot.path)
    assert [parts[name]["data"][0]["kernel"] for name in ("kernels", "other kernels")] == ["mpm_sort", "mpm_key"]
    begins = [part["begun_s"] for part in parts.values()]
    assert begins == sorted(begins) and begins[-1] <= certificate.spent_s


@pytest.mark.slow
@NEEDS_COMPILER
def test_a_gpu_is_certified_to_the_end_in_the_emulator(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roofs_gpu, "measure_device_roofs", lambda backend, **options: roofs_of_a_clock_that_counts())
    every = replace(limits, kernels=(), twin_sizes=(1, 8), kernel_size=8, rounds=2)
    asked = begun(emulated_gpu(tmp_path, launch_s=1e-3), tmp_path, every)
    with Onlooker(asked.certificate.draft.path) as onlooker:
        certificate = certify(asked, onlooker.told.append)
    onlooker.check(tmp_path)
    assert certificate.draft.complete and not certificate.failed, {n: f.line for n, f in certificate.parts.items()}
    verdicts = {name: found.verdict for name, found in certificate.parts.items()}
    assert {verdicts[name] for name in (*KERNELS, "shots S", "shots M", "checks")} == {PASSED}
    hot, others = len(HOT), len(all_kernels()) - len(HOT)
    for name, number in (("twins", hot), ("other twins", others)):
        assert certificate.parts[name].line.startswith(f"CPU = GPU to the last bit: {number} kernels")
    assert [len(certificate.parts[name].data) for name in ("kernels", "other kernels")] == [hot, others]
    assert certificate.parts["water"].data["graphs"] == "used"
    assert certificate.parts["sanitizer racecheck"].data["verdict"] == "not installed"
    record = read_record(certificate.draft.slot.path)
    rows = {(row.size, row.backend): row for row in record.rows if row.stage == "frame"}
    assert set(rows) == {("S", "numba"), ("S", "cupy"), ("M", "cupy")}
    assert rows["S", "numba"].state_sha256 == rows["S", "cupy"].state_sha256
    assert rows["S", "numba"].picture_sha256 == rows["S", "cupy"].picture_sha256
    assert sorted(certificate.draft.slot.pictures.glob("*.png"))


def test_what_the_time_does_not_hold_is_named(tmp_path: Path, limits: Limits) -> None:
    certificate = certify(begun(NumbaBackend(1), tmp_path, limits, budget_s=1e-3))
    assert {found.verdict for found in certificate.parts.values()} == {LEFT_OUT} and certificate.draft.complete
    record = read_record(certificate.draft.slot.path)
    assert record.rows == () and record.complete


def test_what_matters_most_comes_first() -> None:
    """Nothing that a GPU can do waits for Numba, golden shots come before speed, and what is slow by nature is last."""
    names = [step.name for step in steps(Limits(), on_gpu=True)]
    assert names == [
        "compile", "roofs", "water",
        "twins", "shots S", "shots M", "shots L",
        "kernels", "shots XL",
        "other twins", "energy", "checks",
        "sanitizer memcheck", "sanitizer racecheck", "other kernels", "sanitizer initcheck",
    ]  # fmt: skip
    on_cpu = [step.name for step in steps(Limits(), on_gpu=False)]
    assert sorted(on_cpu) == sorted(names) and on_cpu[:3] == ["compile", "twins", "shots S"]


def test_m_and_above_need_no_cpu_beside_the_gpu() -> None:
    limits = Limits()
    assert limits.cpu_sizes == ("S",) and limits.sizes == ("S", "M", "L", "XL")
    golden = load_golden()
    assert all(golden_frames(golden, name, "M") == [1, limits.frame] for name in shot_names())
    assert set(speed.GPU_SIZES) == set(limits.hot)


def test_a_wrong_twin_fails_and_the_rest_goes_on(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "disagreement_of", lambda session, kernel, size: "key_out: 3 of 20 differ")
    monkeypatch.setattr(shots, "shots", lambda session, size: 1 / 0)
    certificate = certify(begun(NumbaBackend(1), tmp_path, limits))
    assert certificate.parts["twins"].line == "1 of 1 kernels differ; mpm_sort: key_out: 3 of 20 differ"
    assert certificate.parts["shots S"].line == "ZeroDivisionError: division by zero"
    assert certificate.failed == ["twins", "shots S", "shots M", "other twins"]
    assert certificate.parts["kernels"].verdict == PASSED


def test_what_was_found_before_a_stop_is_on_disk(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(session: Session, size: str) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(shots, "shots", stop)
    stopped = begun(NumbaBackend(1), tmp_path, limits)
    with pytest.raises(KeyboardInterrupt):
        certify(stopped)
    assert list(parts_of(stopped.certificate.draft.slot.path)) == ["compile", "twins"]
    assert not read_record(stopped.certificate.draft.slot.path).complete


class Onlooker:
    """Reads the record again and again while it grows: what it sees is what a kill at that moment would leave."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []  # names of parts, each as it begins
        self.looks: list[tuple[list[str], str | None]] = []  # (parts told of before, what lay on disk then)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(0.02):
            told = list(self.told)
            text = self.path.read_text() if self.path.exists() else None
            if not self.looks or (told, text) != self.looks[-1]:
                self.looks.append((told, text))

    def __enter__(self) -> Onlooker:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def check(self, tmp_path: Path) -> None:
        """Every part that had ended by then lies there, with its time, in a record that can be read."""
        assert len(self.looks) > len(self.told)
        copy = tmp_path / "seen.json"
        for told, text in self.looks:
            ended = told[:-1]  # the last one had begun
            if text is None:
                assert not ended
                continue
            copy.write_text(text)
            record, parts = read_record(copy), parts_of(copy)
            assert list(parts)[: len(ended)] == ended and all(parts[name]["seconds"] is not None for name in ended)
            assert {row.size for row in record.rows} >= {name[-1] for name in ended if name.startswith("shots")}
            assert not record.complete or ended == self.told[:-1]


# A whole command, as tiny as it gets; what it tells comes out as it is told
KILLED = """
import sys
from pathlib import Path
from bench.backend.numba_cpu import NumbaBackend
from bench.check.certify.certifier import certify
from bench.check.certify.session import Limits
from tests.bench.check.test_certify import TINY, begun
folder, shot = Path(sys.argv[1]), sys.argv[2]
asked = begun(NumbaBackend(1), folder, Limits(shots=(shot,), sizes=("S", "M"), **TINY))
certify(asked, lambda name: print(name, flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", ["twins", "shots M", "kernels"])
def test_a_kill_leaves_what_had_ended(tmp_path: Path, after: str) -> None:
    """Killed for good soon after a part began, wherever it was."""
    shot = write_tiny_shot(tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(shot)]
    told: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        while after not in told:
            told.append(process.stdout.readline().strip())
            assert told[-1], told
        time.sleep(0.05)
        process.kill()
        told += process.stdout.read().split("\n")[:-1]
    (path,) = (tmp_path / "results").rglob("*.json")
    record = read_record(path)
    assert not record.complete and list(parts_of(path))[: len(told) - 1] == told[:-1]


def test_kernels_that_were_timed_before_a_stop_are_on_disk(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = kernel_bench.measure_kernel

    def measure_kernel(kernel: Kernel, *args: Any) -> Any:
        if kernel.name == "mpm_grid":
            raise KeyboardInterrupt
        return real(kernel, *args)

    monkeypatch.setattr(kernel_bench, "measure_kernel", measure_kernel)
    stopped = begun(NumbaBackend(1), tmp_path, replace(limits, sizes=("S",), kernels=("mpm_sort", "mpm_grid")))
    with pytest.raises(KeyboardInterrupt):
        certify(stopped)
    part = parts_of(stopped.certificate.draft.slot.path)["kernels"]
    assert part["verdict"] == LEFT_OUT and [row["kernel"] for row in part["data"]] == ["mpm_sort"]


def test_a_kernel_that_is_longer_than_the_time_left_is_left_out(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def traffic_after(kernel: Kernel, *args: Any) -> Any:
        return Traffic(1, 1, 1, 1), 400.0 if kernel.name == "mpm_grid" else 1e-3

    monkeypatch.setattr(kernel_bench, "traffic_after", traffic_after)
    two = replace(limits, sizes=("S",), kernels=("mpm_sort", "mpm_grid"))
    found = certify(begun(NumbaBackend(1), tmp_path, two)).parts["kernels"]
    assert found.verdict == LEFT_OUT and [row["kernel"] for row in found.data] == ["mpm_sort"]


def test_a_wrong_shot_does_not_end_the_others(tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = limits.shots
    second = tmp_path / "second.toml"
    second.write_text(Path(first).read_text().replace('name = "pool"', 'name = "second"'))
    wrong = {"state": "0" * 64, "picture": "0" * 64}
    monkeypatch.setattr(cases, "is_shipped", lambda shot: True)
    monkeypatch.setattr(cases, "golden_frames", lambda golden, name, size: [])
    monkeypatch.setattr(cases, "expected", lambda golden, name, size, frame: wrong if name == "pool" else None)
    certificate = certify(begun(NumbaBackend(1), tmp_path, replace(limits, shots=(first, str(second)))))
    found = certificate.parts["shots S"]
    assert found.verdict == FAILED and "pool-S-numba: the state's SHA-256" in found.line
    assert any(line.startswith("second S numba 1 thread: the same bits") for line in found.data["lines"])


def test_one_core_holds_no_threads_against_each_other(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_bench, "many_threads", lambda threads: 1)
    found = certify(begun(NumbaBackend(1), tmp_path, limits)).parts["twins"]
    assert found.verdict == LEFT_OUT and found.line.startswith("one core")


def test_the_command_prints_a_short_table_last(tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "Limits", lambda: limits)
    arguments = ["certify", "--backend", "numba", "--threads", "1", "--results", str(tmp_path / "r")]
    done = CliRunner().invoke(main, [*arguments, "--budget", "5m"])
    assert done.exit_code == 0, done.output
    assert "pool-S-numba: starts" in done.stderr and "shots S ..." in done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("record ") and any(line.startswith("pool S numba 1 thread: the same") for line in lines)
    assert any(line.split()[:2] == ["twins", "passed"] for line in lines)
    monkeypatch.setattr(certifier, "certify", lambda session, tell: session.certificate)
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

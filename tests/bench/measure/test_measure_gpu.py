"""Measuring on a GPU: kernels apart from the frame, throttled rounds, and a device that runs out of memory."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.backend import patience
from bench.backend.cuda.sm_clock import hertz, throttled, usual
from bench.backend.cupy_gpu import CupyBackend
from bench.backend.energy import EnergyMeter
from bench.base.errors import EXIT_CHECK_FAILED, EXIT_UNAVAILABLE, Unavailable, UserError
from bench.measure.meter import ShotMeter
from bench.measure.plugin import measure
from bench.pipeline import makers
from bench.record.compare import compare, pairs_of
from bench.record.read import read_record
from bench.report.run import Run
from kernels.base import source
from tests.support.fake_backend import FakeBackend
from tests.support.fake_cupy import FakeCupy
from tests.support.fake_shot import Workshop, case


class FakeGpu(FakeBackend):
    """A back-end that is observed apart and has a clock that a test sets."""

    name = "cupy"
    observed_apart = True
    clock_max_hz = 2.0e9
    device_name = "Fake GPU"
    device_uuid = "GPU-1"

    def __init__(self, clocks_hz: Any = None) -> None:
        super().__init__(threads=None)
        self.observed: list[bool] = []
        self.released = 0
        self._clocks_hz = iter(clocks_hz) if clocks_hz is not None else None

    def launch(self, kernel: Any, *args: Any) -> None:
        if kernel.name == "mpm_p2g":
            self.observed.append(self.observer is not None)
        super().launch(kernel, *args)

    def energy_meter(self) -> Any:
        readings = iter(range(0, 1000, 10))
        meter = EnergyMeter("", SimpleNamespace())
        meter.joules = lambda: float(next(readings))  # type: ignore[method-assign]
        return meter

    def sm_clock(self) -> Any:
        return self

    def reset(self) -> None: ...
    def begin(self) -> None: ...
    def end(self) -> None: ...

    def hertz(self) -> float | None:
        return next(self._clocks_hz) if self._clocks_hz is not None else None

    def release(self) -> None:
        self.released += 1


def test_kernels_are_timed_in_a_frame_of_their_own(tmp_path: Path) -> None:
    gpu = FakeGpu()
    shot = ShotMeter(case(rounds=2), gpu, Workshop().makers(), tmp_path)
    shot.verify()
    gpu.observed.clear()
    shot.round_count()
    shot.restore()
    shot.run_frame()
    shot.keep()
    assert gpu.observed == [False, True]
    (done,) = shot.result.rounds
    assert done.seconds["kernels"] == 5.0 and set(done.kernels_s) >= {"mpm_p2g", "img_trace"}
    assert done.transfer_s > 0.0 and done.seconds["encode"] > done.transfer_s


def test_later_rounds_are_compared_where_the_first_was_hashed(tmp_path: Path) -> None:
    shop = Workshop(compares=True)
    record = read_record(measure([case(rounds=3)], [FakeGpu()], shop.makers(), tmp_path, {}).path)
    # A warm-up, if any, and three rounds of two frames each
    assert shop.proofs[:2] == ["hash", "hash"] and set(shop.proofs[2:]) == {"compare"} and len(shop.proofs) >= 8
    assert "keep to compare" in shop.log
    assert {row.stage: row.states_compared for row in record.rows}["frame"] == 3
    assert [row.stage for row in record.rows if row.states_compared is not None] == ["frame"]
    hashed = Workshop()
    record = read_record(measure([case(rounds=3)], [FakeGpu()], hashed.makers(), tmp_path / "two", {}).path)
    assert set(hashed.proofs) == {"hash"} and {row.states_compared for row in record.rows} == {None}


def test_a_round_that_compares_unequal_is_hashed_and_rejected(tmp_path: Path) -> None:
    shop = Workshop(compares=True, state_of=lambda frame, call: "odd" if call == 6 else f"state {frame}")
    record = read_record(measure([case(rounds=3)], [FakeGpu()], shop.makers(), tmp_path, {}).path)
    assert record.rows == () and "the state's SHA-256" in record.rejected[0].reason
    assert shop.proofs[-2:] == ["compare", "hash"]


def test_throttled_rounds_are_marked_repeated_and_in_no_figure(tmp_path: Path) -> None:
    # Two proofs, then rounds of two frames each: the timed one and the observed one
    clocks = [2e9, 2e9, 2e9, 2e9, 1e9, 2e9, 1.9e9, 2e9, 1.9e9, 2e9, 1.9e9, 2e9]
    record_path = measure([case(rounds=3)], [FakeGpu(clocks)], Workshop().makers(), tmp_path, {}).path
    record = read_record(record_path)
    assert {len(row.samples_s) for row in record.rows} == {3}
    rows = {row["extra_info"]["stage"]: row for row in json.loads(record_path.read_text())["benchmarks"]}
    assert rows["frame"]["extra_info"]["sm_clock_hz"] == [2e9, 1.9e9, 1.9e9]
    assert len(rows["frame"]["extra_info"]["throttled_s"]) == 1
    assert rows["frame"]["extra_info"]["joules"] == [10.0, 10.0, 10.0]
    assert rows["frame"]["stats"]["rounds"] == 3 and rows["frame"]["extra_info"]["device"] == "Fake GPU"
    assert {row["extra_info"]["device_uuid"] for row in rows.values()} == {"GPU-1"}
    assert {row.device_uuid for row in record.rows} == {"GPU-1"}
    assert rows["encode"]["extra_info"]["transfer_s"] > 0.0


def clocks_of(rounds: list[float], after: float) -> Any:
    """Clocks of two proofs, and of rounds of two frames each: the timed one and the observed one."""
    yield from (2e9, 2e9)
    for hz in rounds:
        yield from (hz, hz)
    while True:
        yield after


def test_a_card_that_sustains_less_than_its_boost_clock_is_not_throttled(tmp_path: Path) -> None:
    """A T4 at 70 W runs at 0.7 of 1,590 MHz: nothing is marked, nothing repeated, and the share is a note."""
    gpu = FakeGpu(1.4e9 for _ in range(1000))
    record = read_record(measure([case(rounds=3)], [gpu], Workshop().makers(), tmp_path, {}).path)
    assert {len(row.samples_s) for row in record.rows} == {3} and all(not row.throttled_s for row in record.rows)
    assert {row.sm_clock_share for row in record.rows if row.stage == "frame"} == {0.7}
    assert {row.sm_clock_share for row in record.rows if row.stage != "frame"} == {None}


@pytest.mark.parametrize(
    ("rounds", "kept", "marked"),
    [
        ([1.9, 1.9, 1.9, 1.3, 1.3, 1.3], 3, 9),  # half way: those after it are marked, and made up for until the end
        ([1.9, 1.9, 1.9, 1.9, 1.9, 1.3], 5, 7),
        ([1.9, 1.3, 1.3, 1.3, 1.3, 1.3], 6, 0),  # one round of boost; the others are what the card sustains
        ([1.3, 1.3, 1.3, 1.3, 1.3, 1.3], 6, 0),
    ],
)
def test_a_run_whose_clock_falls_half_way_is_marked(
    tmp_path: Path, rounds: list[float], kept: int, marked: int
) -> None:
    gpu = FakeGpu(clocks_of([ghz * 1e9 for ghz in rounds], 1.3e9))
    record = read_record(measure([case(rounds=6)], [gpu], Workshop().makers(), tmp_path, {}).path)
    (frame,) = (row for row in record.rows if row.stage == "frame")
    assert (len(frame.samples_s), len(frame.throttled_s or ())) == (kept, marked)
    assert frame.sm_clock_hz is not None and len(frame.sm_clock_hz) == kept


def test_the_usual_clock_is_what_half_of_a_run_reached() -> None:
    assert usual([1.0, 3.0]) == 3.0 and usual([1.0, 2.0, 3.0]) == 2.0 and usual([None, 2.0]) == 2.0
    assert usual([]) is None and usual([None]) is None


def test_out_of_memory_leaves_a_line_and_the_next_shot_runs(tmp_path: Path) -> None:
    gpu = FakeGpu()
    workshop = Workshop(fail_at=2, failure=Unavailable("GPU 0 (Fake GPU) is out of memory: an array needs 2 GiB"))
    record = read_record(measure([case("large"), case("small")], [gpu], workshop.makers(), tmp_path, {}).path)
    assert {row.shot for row in record.rows} == {"small"} and gpu.released == 1
    assert {entry.shot for entry in record.rejected} == {"large"}
    assert "out of memory" in record.rejected[0].reason and Run(record, (), None).exit_code == EXIT_UNAVAILABLE


def test_what_the_gpu_could_not_do_is_done_by_the_cpu(tmp_path: Path) -> None:
    """Asked for is a result: the GPU's reason and the CPU's rows stand in one record."""
    gpu, cpu = FakeGpu(), FakeBackend()
    workshop = Workshop(fail_at=2, failure=Unavailable("GPU 0 (Fake GPU) is out of memory: an array needs 2 GiB"))
    told: list[Any] = []

    def instead(shots: Any) -> Any:
        told.extend(shots)
        return cpu

    cases = [case("large"), case("small")]
    record = read_record(measure(cases, [gpu], workshop.makers(), tmp_path, {}, instead=instead).path)
    assert {(row.shot, row.backend) for row in record.rows} == {("small", "cupy"), ("large", "fake")}
    assert {(entry.shot, entry.backend) for entry in record.rejected} == {("large", "cupy")}
    assert record.complete and told == ["large"] and Run(record, (), None).exit_code == EXIT_UNAVAILABLE


def test_nothing_is_done_twice_where_nothing_failed(tmp_path: Path) -> None:
    def instead(shots: Any) -> Any:
        raise AssertionError

    record = read_record(measure([case()], [FakeGpu()], Workshop().makers(), tmp_path, {}, instead=instead).path)
    assert record.complete and {row.backend for row in record.rows} == {"cupy"}


def test_a_lost_gpu_costs_no_other_shot_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first wait that nothing ends, the GPU is asked nothing more, and the CPU does all of it."""
    monkeypatch.setenv(patience.VARIABLE, "0.05")
    monkeypatch.setattr(patience, "watch", lambda *asked: None)
    monkeypatch.setattr(source, "assemble", lambda name: f'extern "C" __global__ void {name}(int n) {{}}')
    cupy = FakeCupy(hangs_after=20)
    gpu = CupyBackend(0, cupy, tmp_path / "cache")
    gpu.sm_clock = lambda: None  # type: ignore[assignment, method-assign, return-value]
    cases = [case(name) for name in ("one", "two", "three")]
    draft = measure(
        cases, [gpu], Workshop().makers(), tmp_path / "results", {}, instead=lambda shots: FakeBackend(threads=1)
    )
    record = read_record(draft.path)
    assert cupy.launched < 40 and record.complete
    assert {(row.shot, row.backend) for row in record.rows} == {(each.shot_name, "fake") for each in cases}
    assert {(entry.shot, entry.backend) for entry in record.rejected} == {(each.shot_name, "cupy") for each in cases}
    assert all("did not answer for 0.05 s" in entry.reason for entry in record.rejected)
    assert Run(record, (), None).exit_code == EXIT_UNAVAILABLE


def test_other_bits_are_no_lack_of_memory(tmp_path: Path) -> None:
    workshop = Workshop(state_of=lambda frame, call: f"state {call}")
    record = read_record(measure([case()], [FakeGpu()], workshop.makers(), tmp_path, {}).path)
    assert Run(record, (), None).exit_code == EXIT_CHECK_FAILED


def test_all_and_one_thread_are_each_held_against_the_gpu(tmp_path: Path) -> None:
    many, one = FakeBackend(threads=4), FakeBackend(threads=1)
    many.name = one.name = "numba"
    path = measure([case()], [many, one, FakeGpu()], Workshop().makers(), tmp_path, {}).path
    pairs = pairs_of(read_record(path))
    assert [(a.name[5:], b.name[5:]) for a, b in pairs] == [("numba 4 threads", "cupy"), ("numba 1 thread", "cupy")]
    for a, b in pairs:
        lines = compare(a, b)
        assert {line.stage for line in lines} >= {"kernels", "resident", "frame"}
        assert all(line.ratio.ratio and line.a and line.b for line in lines), [line.why_not for line in lines]


def test_what_does_not_fit_a_gpu_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shot:
        name = "wave"

    class Estimate:
        sound_steps_per_frame = 43
        memory_bytes = {"numba": 1, "cupy": 3 * 2**30}  # noqa: RUF012
        host_bytes = {"numba": 1, "cupy": 5 * 2**30}  # noqa: RUF012

    gpu: Any = FakeGpu()
    gpu.free_bytes = lambda: 2**30
    monkeypatch.setattr(makers, "estimate", lambda shot, size: Estimate)
    with pytest.raises(Unavailable, match=r"wave at size L needs 3\.00 GiB of the GPU's memory, 1\.00 GiB are free"):
        makers.require_memory(Shot(), "L", gpu)  # type: ignore[arg-type]
    # The host holds the scene, and a state that is saved
    gpu.free_bytes = lambda: 2**33
    monkeypatch.setattr(makers, "usable_memory_bytes", lambda: 2**32)
    with pytest.raises(
        UserError, match=r"^wave at size L needs 5\.00 GiB of memory beside the GPU's, this machine has 4"
    ):
        makers.require_memory(Shot(), "L", gpu)  # type: ignore[arg-type]


def test_the_clock_is_read_from_six_words() -> None:
    assert hertz([1000, 5_000, 1, 1000 + 198_000, 5_000 + 100_000, 1]) == pytest.approx(1.98e9)  # type: ignore[arg-type]
    assert hertz([1000, 5_000, 0, 199_000, 105_000, 1]) is None  # type: ignore[arg-type]
    assert hertz([1000, 5_000, 1, 199_000, 6_000, 1]) is None  # type: ignore[arg-type]
    assert throttled(1.4e9, 2e9) and not throttled(1.6e9, 2e9) and not throttled(None, 2e9) and not throttled(1e9, None)

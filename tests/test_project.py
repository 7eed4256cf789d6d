"""The projection: closed forms of the schedule, growth of the costs, and that it can never pass for a measurement."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from bench.cli import main
from bench.errors import UserError
from bench.project import project, summary
from bench.project.assumptions import CASES, assumptions, claims
from bench.project.cost import STAGES, FrameCost, Work, cpu_cost, grow, measured_shots, target_work
from bench.project.schedule import amdahl_s, film_bounds_s, shot_makespan_s, split_for
from bench.project.table import explain, lines
from bench.record import Record, Row, parse_record

SECONDS = {"simulate": 1.0, "surface": 0.1, "trace": 4.0, "resolve": 0.01, "encode": 0.05}
WORK = {"particle_count": 135_000, "particle_substeps": 4_455_000, "width": 320, "height": 134, "samples": 686_080}


def make_row(stage: str, backend: str = "numba", factor: float = 1.0, shot: str = "wave") -> Row:
    return Row(
        shot=shot,
        size="S",
        backend=backend,
        threads=2 if backend == "numba" else None,
        stage=stage,
        frame=3,
        samples_s=(SECONDS[stage] * factor, SECONDS[stage] * factor * 1.1, SECONDS[stage] * factor * 0.9),
        verified="repeat",
        state_sha256=None,
        picture_sha256=None,
        work=dict(WORK),
        work_sha256=None,
        cold_s=None,
        compile_s=None,
        kernels_s={},
    )


def make_record(*rows: Row) -> Record:
    return Record(
        path=Path("results/here/0001.json"),
        time="2026-01-01T00:00:00+00:00",
        machine={},
        machine_id="here",
        commit="0" * 40,
        clean=True,
        complete=True,
        run={},
        peak_memory_bytes=None,
        rows=rows or tuple(make_row(stage) for stage in SECONDS),
        rejected=(),
    )


# --- Schedule -------------------------------------------------------------------------------------------


def test_no_task_and_one_task() -> None:
    assert shot_makespan_s(3.0, 5.0, 0, 1, 10) == 0.0
    for gpus in (1, 2, 1000):
        assert shot_makespan_s(3.0, 5.0, 1, 1, gpus) == 8.0


def test_pure_chain_is_not_helped_by_gpus() -> None:
    for gpus in (1, 2, 7, 1000):
        assert shot_makespan_s(2.0, 0.0, 60, 4, gpus) == 120.0


@pytest.mark.parametrize(("gpus", "tasks"), [(1, 1), (3, 7), (4, 8), (1000, 1020), (60, 60)])
def test_identical_tasks_without_a_chain_come_in_waves(gpus: int, tasks: int) -> None:
    assert shot_makespan_s(0.0, 2.0, 1, tasks, gpus) == pytest.approx(2.0 * math.ceil(tasks / gpus))


def test_rendering_hides_behind_a_slow_chain() -> None:
    assert shot_makespan_s(10.0, 4.0, 6, 1, 2) == 6 * 10.0 + 4.0


def test_one_frame_a_gpu_waits_for_the_last_frame_only() -> None:
    assert shot_makespan_s(1.0, 100.0, 60, 1, 60) == 60.0 + 100.0


def test_fine_tasks_approach_amdahl() -> None:
    serial, parallel = 1.0, 1000.0
    made = shot_makespan_s(serial, parallel / 100_000, 1, 100_000, 50)
    assert made == pytest.approx(amdahl_s(serial, parallel, 50), rel=1e-3)
    assert amdahl_s(serial, parallel, 1) == serial + parallel


times = st.floats(0.0, 100.0)


@given(times, times, st.integers(1, 20), st.integers(1, 6), st.integers(1, 40))
def test_makespan_lies_between_its_bounds(step: float, task: float, frames: int, split: int, gpus: int) -> None:
    made = shot_makespan_s(step, task, frames, split, gpus)
    work = frames * (step + split * task)
    chain = frames * step + task
    assert made >= max(work / gpus, chain) * (1 - 1e-12)
    assert made <= (work / gpus + chain) * (1 + 1e-12)
    assert shot_makespan_s(step, task, frames, split, gpus + 1) <= made * (1 + 1e-12)


def test_every_gpu_gets_a_task() -> None:
    assert split_for(60, 1000) == 17 and split_for(60, 60) == 1 and split_for(60, 1) == 1


def test_film_bounds() -> None:
    assert film_bounds_s([10.0] * 100, 10.0, 1) == (1000.0, 1000.0)
    least, most = film_bounds_s([10.0] * 100, 25.0, 50)
    assert (least, most) == (25.0, 20.0 + 25.0 * 0.98)


# --- Costs ----------------------------------------------------------------------------------------------


def test_growth_is_proportional_to_the_work() -> None:
    cost = FrameCost(1.0, 1.0, 1.0, 1.0, 1.0)
    grown = grow(cost, Work(1.0, 1.0, 1.0, 1.0), Work(8.0, 16.0, 4.0, 12.0), "likely")
    assert dataclasses.astuple(grown) == (16.0, 8.0, 12.0, 4.0, 4.0)
    assert grow(cost, Work(1.0, 1.0, 1.0, 1.0), Work(1.0, 1.0, 1.0, 1.0), "slow") == cost


def test_water_grows_with_particles_to_the_four_thirds() -> None:
    (shot,) = measured_shots(make_record(), "numba")
    work = target_work(shot, "XL")
    particles = work.particles / shot.work.particles
    substeps = work.particle_substeps / shot.work.particle_substeps
    assert substeps == pytest.approx(particles ** (4 / 3), rel=0.05)
    assert work.samples == 4096 * 1716 * 512


def test_cases_come_from_the_samples() -> None:
    (shot,) = measured_shots(make_record(), "numba")
    assert [cpu_cost(shot, case).simulate_s for case in CASES] == pytest.approx([0.9, 1.0, 1.1])


# --- Document -------------------------------------------------------------------------------------------


def test_document_is_labelled_and_ordered() -> None:
    document = project(make_record(), gpus=1000)
    assert document["kind"] == "projected" and document["record"]["path"].endswith("0001.json")
    (shot,) = document["shots"]
    for key in ("cpu_s", "one_gpu_s", "one_frame_a_gpu_s", "gpus_s", "chain_s"):
        low, likely, high = (shot[key][name] for name in ("low", "likely", "high"))
        assert 0.0 < low < likely < high
        assert shot["chain_s"]["likely"] <= shot["gpus_s"]["likely"] <= shot["one_frame_a_gpu_s"]["likely"]
    assert shot["size"] == "XL" and shot["tasks_per_frame"] == 17 and shot["gpu_basis"] == "assumption"
    assert document["film"]["shots"] == 1900
    assert summary(make_record(), gpus=1000) == document
    json.dumps(document, allow_nan=False)


def test_a_projection_is_no_record() -> None:
    with pytest.raises(UserError, match="no record"):
        parse_record(project(make_record()), Path("made.json"))


def test_what_is_printed_says_projected() -> None:
    printed = list(lines(project(make_record())))
    assert "Projected" in printed[0]
    assert all("projected" in str(table.title) for table in printed if isinstance(table, Table))


def test_a_gpu_record_takes_the_place_of_the_assumption() -> None:
    gpu = make_record(*[make_row(stage, "cupy", 0.01) for stage in SECONDS])
    document = project(make_record(), size="S", gpus=1, others=[gpu])
    (shot,) = document["shots"]
    assert shot["gpu_basis"].startswith("measured: ")
    assert shot["cpu_to_gpu_ratio"]["likely"] == pytest.approx(100.0, rel=0.02)  # dispatch is on top


def test_rows_that_did_not_verify_are_not_projected() -> None:
    rows = [dataclasses.replace(make_row(stage), verified=None) for stage in SECONDS]
    assert summary(make_record(*rows)) is None
    with pytest.raises(UserError, match="expected verified CPU rows"):
        project(make_record(*rows))


def test_a_shot_of_ones_own_stays_at_its_size() -> None:
    document = project(make_record(*[make_row(stage, shot="mine") for stage in SECONDS]))
    assert document["shots"][0]["size"] == "S"


@pytest.mark.parametrize(
    "arguments",
    [["--gpus", "0"], ["--gpus", "1000000000000"], ["--size", "XXL"], ["--seconds", "nan"], ["--shots", "-1"]],
)
def test_bad_arguments_are_one_line(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.cmd_project.list_records", lambda folder: ([make_record()], []))
    result = CliRunner().invoke(main, ["project", "--results", str(tmp_path), *arguments])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1


def test_no_record_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["project", "--results", str(tmp_path)])
    assert result.exit_code == 2 and "shotmark run" in result.stderr


def test_every_number_that_was_not_measured_has_a_source() -> None:
    for assumption in assumptions().values():
        assert assumption.source and assumption.fast > 0 and assumption.slow > 0
    for claim in claims().values():
        assert claim["source"] and claim["text"]
    assert explain(project(make_record())).row_count == len(assumptions())
    assert set(STAGES) == set(SECONDS)

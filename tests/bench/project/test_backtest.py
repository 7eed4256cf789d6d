"""The backtest: cases are scored against what was measured, and the table says where the bar is missed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.cli.main import main
from bench.measure.meter import ShotMeter
from bench.project.backtest.bar import BacktestRow, backtest, overall
from bench.project.backtest.dispatch_file import read_trial, trials_held_out
from bench.project.backtest.dispatch_trial import Trial
from bench.project.backtest.held_out import (
    RAYTRACER,
    HeldOut,
    around,
    frames_held_out,
    predict_frames,
    processors_held_out,
    sizes_held_out,
    speedup,
    workers_held_out,
)
from bench.project.backtest.ladder import KINDS, LADDER
from bench.project.backtest.series import SeriesMeter, SizeCase, cases_of, resized
from bench.project.backtest.table import as_document, cells_of
from bench.project.inputs.evidence import points_of
from bench.record.schema import STAGES
from bench.shot.load import load_shot
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import Workshop
from tests.support.project_record import LAWS, make_record, make_row, series
from tests.support.source_tree import ROOT


def case(predicted: float, measured: float, sigma: float = 0.1) -> HeldOut:
    return around("size", "a case", predicted, sigma, measured, 2.0 * measured)


def test_a_case_knows_its_error_and_whether_it_was_held() -> None:
    assert case(1.1, 1.0).error == pytest.approx(0.1) and case(1.1, 1.0).covered
    assert not case(1.2, 1.0).covered and case(1.2, 1.0).linear_error == 1.0


def test_a_row_says_which_part_of_the_bar_it_misses() -> None:
    good = [case(1.0 + 0.01 * i, 1.0) for i in range(-8, 9)] + [case(1.19, 1.0), case(1.18, 1.0), case(0.85, 1.0)]
    assert BacktestRow("a", "good", tuple(good)).misses == []
    bad = BacktestRow("a", "bad", tuple(case(1.5, 1.0) for _ in range(12)))
    assert bad.misses == ["median 50.0 %", "12 of 12 over 20 %", "interval holds 0.0 %"]
    narrow = BacktestRow("a", "too wide", tuple(case(1.0, 1.0) for _ in range(12)))
    assert narrow.misses == ["interval holds 100.0 %"]
    assert overall([bad, narrow]).coverage == 0.5


def test_sizes_that_follow_a_law_are_predicted() -> None:
    cases = sizes_held_out(points_of([series(LAWS, ("lava", "wave"))]))
    assert len(cases) == 2 * 2 * (len(STAGES) + 1)
    assert max(abs(one.error) for one in cases) < 0.01 and all(one.covered for one in cases)
    # Half the law is not proportional to the work, so linear scaling is off
    assert max(abs(one.linear_error) for one in cases) > 0.1


def test_what_is_predicted_is_not_used() -> None:
    honest = {c.label: c.predicted_s for c in sizes_held_out(points_of([series(LAWS)]))}
    lied = series(LAWS, noise=lambda stage, index: 7.0 if index == 4 else 1.0)
    for one in sizes_held_out(points_of([lied])):
        assert one.predicted_s == pytest.approx(honest[one.label], rel=1e-9)


def test_frames_between_pilots_change_evenly() -> None:
    wanted = np.arange(1.0, 61.0)
    total, sigma = predict_frames(np.array([1.0, 30.0, 60.0]), np.array([2.0, 4.9, 7.9]), wanted)
    assert total == pytest.approx(float(np.interp(wanted, [1, 30, 60], [2.0, 4.9, 7.9]).sum()))
    assert sigma < 0.03
    _, rough = predict_frames(np.array([1.0, 30.0, 60.0]), np.array([2.0, 9.0, 2.0]), wanted)
    assert rough > 0.3


def test_frame_cases_compare_with_the_first_frames() -> None:
    rows = [make_row(s, factor=1.0 + f / 60.0, frame=f) for f in range(1, 61) for s in STAGES]
    cases = frames_held_out(points_of([make_record(*rows, run={"series": "frames"})]))
    assert {one.row for one in cases} == {"frames"} and len(cases) == 3 * 4
    for one in cases:
        assert abs(one.error) < 0.01 < abs(one.linear_error)
        assert one.farm_s is not None


def test_workers_learn_the_slowing_from_the_other_shots() -> None:
    def rows(factor: float) -> list[object]:
        return [make_row(s, shot=n, factor=factor) for n in ("lava", "tornado", "wave") for s in STAGES]

    alone, slower = (points_of([make_record(*rows(f))]) for f in (1.0, 1.25))  # type: ignore[arg-type]
    cases = workers_held_out(alone, [slower, slower])
    assert len(cases) == 15
    for one in cases:
        assert one.error == pytest.approx(0.0, abs=1e-9) and one.linear_error == pytest.approx(-0.2)


def test_the_published_series_meets_the_figures_of_the_literature() -> None:
    assert speedup(0.0, 0.0, 64.0) == 64.0 and speedup(0.1, 0.0, 4.0) == pytest.approx(1.0 / (0.1 + 0.9 / 4.0))
    cases = processors_held_out()
    assert [one.measured_s for one in cases] == [1.0 / RAYTRACER[p] for p in (20, 24, 28, 32, 48, 64)]
    assert max(abs(one.error) for one in cases) < 0.12
    assert cases[-1].linear_error == pytest.approx(310 / 1280 - 1.0)


def test_the_committed_series_are_scored() -> None:
    found = backtest(ROOT / "results")
    assert [result.letter for result in found] == sorted(result.letter for result in found)
    for cells in cells_of(found):
        assert all(isinstance(cell, str) for cell in cells)
    made = as_document(found)
    assert made["kind"] == "backtest" and all(row["n"] or row["why_none"] for row in made["rows"])
    assert {row["row"] for row in made["rows"] if row["n"]} == {"a", "b", "c", "d", "e", "g", None}


def test_every_row_has_cases_or_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sizes = series(LAWS, ("my own shot", "wave"))
    few = make_record(run={"series": "workers", "workers": 1})
    monkeypatch.setattr("bench.project.backtest.bar.list_records", lambda folder: ([sizes, few], []))
    found = backtest(tmp_path)
    assert [len(result.cases) for result in found if result.letter == "a"] == [4] * (1 + len(STAGES))
    assert all(result.cases or result.why_none for result in found)


def test_rows_without_records_say_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["backtest", "--results", str(tmp_path)])
    assert result.exit_code == 0 and "--measure" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--measure", "sizes", "--shot", "nosuch"],
        ["--measure", "all"],
        ["--measure", "sizes", "--workers", "2"],
        ["--workers", "2"],
        ["--json", "--markdown"],
    ],
)
def test_bad_arguments_end_with_2(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["backtest", "--results", str(tmp_path), *arguments])
    assert result.exit_code == 2


def test_a_series_is_made_of_the_shipped_shot() -> None:
    shot = load_shot("wave")
    made = resized(shot, LADDER)
    assert list(made.sizes) == ["c40", "c56", "c80", "c112", "c160"]
    assert made.file.body == shot.file.body and all(size.cells_x % 4 == 0 for size in made.sizes.values())
    for kind in KINDS:
        identities = {(one.shot_name, one.size, one.frame) for one in cases_of(kind, [shot])}
        assert len(identities) == len(cases_of(kind, [shot]))
    assert (LADDER[-1].cells_factor / LADDER[0].cells_factor) ** 3 == 64.0  # times the particles


def test_a_series_of_frames_goes_on_where_it_was(tmp_path: Path) -> None:
    workshop, states = Workshop(), {}  # type: ignore[var-annotated]
    cases = [SizeCase(None, "fake", "c8", frame, 4) for frame in (2, 4, 5)]
    meters = [SeriesMeter(one, FakeBackend(), workshop.makers(), tmp_path, states) for one in cases]
    for meter in meters:
        meter.verify()
    assert len({meter.identity for meter in meters}) == 3 and workshop.log.count("scene") == 1
    # Frames 1, 2 and its repeat; 2, 3, 4 and its repeat; 4, 5 and its repeat
    simulated = [int(line.split()[1]) for line in workshop.log if line.startswith("simulate")]
    assert simulated == [1, 2, 2, 2, 3, 4, 4, 4, 5, 5]
    alone = ShotMeter(cases[-1], FakeBackend(), Workshop().makers(), tmp_path)
    alone.verify()
    assert meters[-1].result.first is not None and alone.result.first is not None
    assert meters[-1].result.first.state_sha256 == alone.result.first.state_sha256
    assert meters[-1].result.first.work == alone.result.first.work


def trial(**changes: object) -> Trial:
    numbers = {"work_s": 80.0, "longest_s": 2.0, "mean_s": 1.0, "predicted_s": 10.1, "measured_s": 10.0}
    return Trial(
        **{"case": "tasks", "workers": 8, "task_count": 80, "blind_s": (9.0, 10.0, 11.0), **numbers, **changes}
    )  # type: ignore[arg-type]


def write_trial(path: Path, found: Trial, **changes: object) -> Path:
    document = {"kind": "dispatch trial", "schema": 1, "trials": [vars(found)], **changes}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_trial_of_the_scheduler_is_read_and_scored(tmp_path: Path) -> None:
    (read,) = read_trial(write_trial(tmp_path / "dispatch_1.json", trial()))
    assert read == trial()
    told, blind = trials_held_out([read])
    assert told.error == pytest.approx(0.01) and told.covered is None
    assert blind.covered and blind.linear_error == 0.0 and blind.farm_error == pytest.approx(0.0125)


@pytest.mark.parametrize(
    ("found", "changes"),
    [
        (trial(measured_s=-1.0), {}),
        (trial(blind_s=()), {}),
        (trial(case="x\x1b[0m"), {}),
        (trial(workers="many"), {}),
        (trial(), {"schema": 2}),
        (trial(), {"trials": []}),
        (trial(), {"trials": ["x"]}),
    ],
)
def test_a_bad_trial_is_one_line(found: Trial, changes: dict[str, object], tmp_path: Path) -> None:
    folder = tmp_path / "series" / "machine"
    folder.mkdir(parents=True)
    write_trial(folder / "dispatch_1.json", found, **changes)
    result = CliRunner().invoke(main, ["backtest", "--results", str(tmp_path)])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and "dispatch_1.json" in result.stderr

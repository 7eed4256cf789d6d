"""Rows are made in one place, of the rounds; pytest-benchmark drives the rounds and recognises the rows as its own."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_benchmark.stats import Stats

from bench.base.errors import Stopped
from bench.base.progress import Silent
from bench.measure.meter import ShotMeter
from bench.measure.plugin import Plugin, measure, measure_into, meters_of, new_slot
from bench.measure.rows import SUITE
from bench.project.backtest import series as backtest
from bench.project.backtest.series import SizeCase
from bench.record.read import read_record
from bench.record.schema import STAGES
from bench.record.write import Draft
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import Workshop, case, digest


def rows_on_disk(path: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(path.read_text())["benchmarks"]}


@pytest.fixture
def fixtures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The ``benchmark`` fixtures of the frames that are measured."""
    seen: list[Any] = []
    real = Plugin.keeper_of

    def keeper_of(self: Plugin, meter: ShotMeter, warm_up_rounds: int, benchmark: Any) -> Any:
        seen.append(benchmark)
        return real(self, meter, warm_up_rounds, benchmark)

    monkeypatch.setattr(Plugin, "keeper_of", keeper_of)
    return seen


def test_the_frame_s_row_is_what_pytest_benchmark_would_write(tmp_path: Path, fixtures: list[Any]) -> None:
    path = measure([case()], [FakeBackend()], Workshop().makers(), tmp_path, {}).path
    row = rows_on_disk(path)["frame[fake-S-fake]"]
    (benchmark,) = fixtures
    theirs = benchmark.stats.as_dict(include_data=True)
    for name in ("group", "name", "fullname", "param", "options"):
        assert row[name] == theirs[name], name
    assert list(row) == list(theirs) and list(row["stats"]) == list(theirs["stats"])
    assert row["stats"]["rounds"] == theirs["stats"]["rounds"] == 6
    stats = Stats()
    for sample in row["stats"]["data"]:
        stats.update(sample)
    assert {**stats.as_dict(), "data": stats.data, "iterations": 1} == row["stats"]


def test_laps_are_rows_of_the_frame_s_own_rounds(tmp_path: Path) -> None:
    rows = rows_on_disk(measure([case()], [FakeBackend()], Workshop().makers(), tmp_path, {}).path)
    laps = {stage: rows[f"stage[fake-S-fake-{stage}]"] for stage in (*STAGES, "kernels", "resident")}
    whole = rows["frame[fake-S-fake]"]
    assert len(rows) == 8
    for stage, row in laps.items():
        assert row["fullname"] == f"bench/measure/suite.py::{row['name']}" and row["group"] == whole["group"]
        assert row["param"] == f"fake-S-fake-{stage}" and row["params"] == {"shot": "fake-S-fake", "stage": stage}
        assert row["options"] == {**whole["options"], "timer": "_replay_clock"}
        assert row["extra_info"]["stage"] == stage and row["extra_info"]["cache"] == "warm"
    sums = [sum(laps) for laps in zip(*(laps[stage]["stats"]["data"] for stage in STAGES), strict=True)]
    assert sums == whole["stats"]["data"]
    assert laps["kernels"]["extra_info"]["kernels_s"] and whole["extra_info"]["kernels_s"] is None


def test_a_stop_in_the_second_shot_keeps_its_rounds_too(tmp_path: Path) -> None:
    # Ten frames of the first shot, then two to reach the second's, its repeat and two rounds
    workshop = Workshop(fail_at=15, failure=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        measure([case("one"), case("two")], [FakeBackend()], workshop.makers(), tmp_path, {})
    (path,) = tmp_path.glob("*/*.json")
    record = read_record(path)
    assert not record.complete
    rounds = {shot: {len(row.samples_s) for row in record.rows if row.shot == shot} for shot in ("one", "two")}
    assert rounds == {"one": {6}, "two": {2}}


def test_what_did_not_verify_is_named_stage_by_stage(tmp_path: Path) -> None:
    wrong = {"state": digest("other"), "picture": digest("picture 2")}
    path = measure([case(expected=wrong)], [FakeBackend()], Workshop().makers(), tmp_path, {}).path
    record = read_record(path)
    assert record.complete and record.rows == ()
    assert [entry.stage for entry in record.rejected] == ["frame", *STAGES, "kernels", "resident"]
    assert all(entry.expected == wrong and not entry.unavailable for entry in record.rejected)


def test_a_series_is_recorded_like_any_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [SizeCase(**{**vars(case("fake", frame=frame)), "definition_sha256": None}) for frame in (1, 3)]
    monkeypatch.setattr(backtest, "NumbaBackend", lambda threads: FakeBackend())
    monkeypatch.setattr(backtest, "cases_of", lambda kind, shots: asked)
    shots: Any = [SimpleNamespace(name="fake")]
    path = backtest.measure_series("frames", shots, tmp_path, Workshop().makers(), Silent(), threads=1)
    record = read_record(path)
    assert path.is_relative_to(tmp_path / "series") and record.complete and record.run["series"] == "frames"
    assert set(rows_on_disk(path)) >= {"frame[fake-S-f001-fake]", "stage[fake-S-f003-fake-trace]"}
    assert {row.frame for row in record.rows} == {1, 3} and len(record.rows) == 16
    assert not path.with_suffix("").exists(), "its pictures go"
    assert len({row.work_sha256 for row in record.rows}) == 2


def test_folders_above_that_cannot_be_listed_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode 711, as homes of most clusters have: pytest would list every parent of its suite."""
    real, above = os.scandir, {str(folder) for folder in SUITE.parents} - {str(SUITE.parent)}

    def scandir(path: Any = ".") -> Any:
        if str(path) in above:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert measure([case()], [FakeBackend()], Workshop().makers(), tmp_path, {}).path.is_file()


def test_settings_of_the_users_pytest_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"PYTEST_ADDOPTS": "-n 2 --cov -x -k nothing", "PYTEST_PLUGINS": "nope", "PYTEST_DEBUG": "1"}
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    assert measure([case()], [FakeBackend()], Workshop().makers(), tmp_path, {}).path.is_file()
    assert {name: os.environ.get(name) for name in theirs} == theirs
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ


def test_the_signal_that_stopped_a_run_is_not_forgotten(tmp_path: Path) -> None:
    """pytest tells only that it was interrupted; the exit code needs to know by what."""
    with pytest.raises(Stopped) as stop:
        measure([case()], [FakeBackend()], Workshop(fail_at=6, failure=Stopped(15)).makers(), tmp_path, {})
    (path,) = tmp_path.glob("*/*.json")
    assert stop.value.number == 15 and stop.value.__notes__ == [f"{path} holds what was finished"]
    with pytest.raises(KeyboardInterrupt) as early:
        measure([case()], [FakeBackend()], Workshop(fail_at=1, failure=KeyboardInterrupt()).makers(), tmp_path, {})
    assert early.value.__notes__ == ["nothing was finished"]


@pytest.mark.parametrize("is_gpu", [True, False])
def test_a_deadline_ends_a_picture_between_its_pieces_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_gpu: bool
) -> None:
    """On a CPU a picture stays whole: a piece has a price, and would be in its time."""
    workshop, pictures = Workshop(), tmp_path / "pictures"
    (meter,) = meters_of([case(frame=1)], [FakeBackend(None if is_gpu else 1)], workshop.makers(), pictures)
    deadline = time.monotonic() + 3600.0
    monkeypatch.setattr(time, "monotonic", lambda: deadline + 1.0 if "trace" in workshop.log else deadline - 1.0)
    plugin = measure_into(Draft(new_slot(tmp_path), {}), [meter], tmp_path, deadline=deadline)
    assert plugin.left_out == [meter.identity] and not meter.result.rejected
    assert workshop.log[-1] == ("between" if is_gpu else "encode") and workshop.log.count("trace") == 1

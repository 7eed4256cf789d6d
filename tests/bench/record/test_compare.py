"""A ratio only where both sides verified, did the same work and gave the same output."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.base.errors import UserError
from bench.cli.main import main
from bench.measure.plugin import measure
from bench.record.compare import Side, choose, compare, compare_rows, sides_of, why_no_ratio
from bench.record.read import read_record
from bench.record.schema import Record, Row
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import Workshop, case


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of one shot in one results folder."""
    results = tmp_path_factory.mktemp("results")
    return [measure([case()], [FakeBackend()], Workshop().makers(), results, {}).path for _ in range(2)]


@pytest.fixture
def row(paths: list[Path]) -> Row:
    found = read_record(paths[0]).row("fake", "trace")
    assert found is not None
    return found


def test_ratio_is_a_s_time_over_b_s(row: Row) -> None:
    slow = replace(row, samples_s=tuple(4.0 * s for s in row.samples_s))
    line = compare_rows(slow, row)
    assert line.ratio.ratio == 4.0
    assert (line.verdict, line.why_not) == ("slower", None)
    assert line.a is not None and line.b is not None and line.a.median == 4.0 * (line.b.median or 0.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"verified": None}, "B not verified"),
        ({"frame": 9}, "other frames: 2 and 9"),
        ({"work_sha256": "0" * 64, "work": {"samples": 1}}, "other work: active_blocks"),
        ({"work_sha256": None}, "the work is not known"),
        ({"state_sha256": "0" * 64}, "other output: the states'"),
        ({"picture_sha256": "0" * 64}, "other output: the pictures'"),
        ({"picture_sha256": None}, "the picture's hash is not known"),
    ],
)
def test_no_ratio_where_work_or_output_differ(row: Row, change: dict[str, Any], reason: str) -> None:
    line = compare_rows(row, replace(row, **change))
    assert line.ratio.ratio is None and line.verdict is None
    assert line.why_not is not None and line.why_not.startswith(reason)
    assert line.a is not None and line.b is not None, "absolute times are shown all the same"


def test_a_stage_that_one_side_lacks_is_said(row: Row) -> None:
    assert why_no_ratio(row, None) == "only A has it"
    assert why_no_ratio(None, row) == "only B has it"


def test_two_backends_of_one_record_come_first(paths: list[Path]) -> None:
    older, newer = (read_record(path) for path in paths)
    assert [side.record for side in choose([older, newer])] == [older, newer]
    both = replace(older, rows=(*older.rows, *(replace(row, backend="numba") for row in older.rows)))
    assert [side.backend for side in choose([both, newer])] == ["numba", "fake"]
    assert [side.backend for side in sides_of(both)] == ["numba", "fake"]
    lines = compare(*choose([both, newer]))
    assert all(line.ratio.ratio == 1.0 and line.verdict == "same" for line in lines)
    assert [line.stage for line in lines][-3:] == ["kernels", "resident", "frame"]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_records_cannot_be_compared(paths: list[Path], count: int) -> None:
    with pytest.raises(UserError, match="two records are needed"):
        choose([read_record(paths[0])][:count])


def test_shots_that_only_one_side_has_are_listed(paths: list[Path]) -> None:
    record = read_record(paths[0])
    other = replace(record, rows=tuple(replace(row, shot="other") for row in record.rows))

    def side(of: Record) -> Side:
        return Side(of, "fake")

    lines = compare(side(record), side(other))
    assert {(line.shot, line.why_not) for line in lines} == {("fake", "only A has it"), ("other", "only B has it")}


def test_command_prints_both_times_and_the_ratio(paths: list[Path]) -> None:
    results = paths[0].parent.parent
    done = CliRunner().invoke(main, ["compare", "0001", "0002", "--results", str(results), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert {stage["stage"] for stage in document["stages"]} >= {"simulate", "trace", "frame"}
    for stage in document["stages"]:
        assert stage["ratio"] == 1.0 and stage["a"]["median_s"] == stage["b"]["median_s"] > 0.0
    shown = CliRunner().invoke(main, ["compare", "--results", str(results)])
    assert shown.exit_code == 0 and "1.00 x" in shown.output


@pytest.mark.parametrize("arguments", [["0009"], ["0001"], ["no/such.json", "0001"]])
def test_records_that_are_not_there_are_one_line(paths: list[Path], arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["compare", *arguments, "--results", str(paths[0].parent.parent)])
    assert done.exit_code == 2
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1

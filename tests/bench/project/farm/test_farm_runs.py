"""Row (g) of the backtest: kept farm runs, read strictly, each a case that was foretold before it began."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import UserError
from bench.project.backtest.bar import backtest
from bench.project.backtest.farm_runs import (
    FarmFigures,
    FarmProjected,
    FarmRun,
    Faults,
    Interval,
    farm_held_out,
    keep_run,
    kept_runs,
    read_run,
)
from bench.project.backtest.table import as_document, cells_of
from bench.record.read import list_records

FIGURES = ("makespan_s", "chain_s", "wait_s", "dispatch_s", "start_s", "load_s", "render_s", "write_s", "utilisation")


def farm_run(middle_s: float | None = 95.0, took_s: float = 100.0, minute: int = 0, **more: Any) -> FarmRun:
    """Foretold from 10 % below its middle to 10 % above."""
    span = Interval(p10=None, p50=None, p90=None)
    if middle_s is not None:
        span = Interval(p10=0.9 * middle_s, p50=middle_s, p90=1.1 * middle_s)
    small = Interval(p10=0.1, p50=0.2, p90=0.3)
    values: dict[str, Any] = {
        "began": f"2026-11-30T15:{minute:02d}:00+00:00", "version": "0.1.0", "site": "three", "shot": "wave",
        "size": "S",
        "samples": 16, "frames": 60, "pieces": None, "workers": 6, "cores": 2, "threads": 1, "sessions": 1,
        "faults": Faults(), "retried": 0, "stands_on": ("here/0001.json",), "assumed": ("poll",),
        "projected": FarmProjected(**{name: span if name == "makespan_s" else small for name in FIGURES}),
        "actual": FarmFigures(**{name: took_s if name == "makespan_s" else 0.2 for name in FIGURES}),
        "linear_s": 40.0, "farm_formula_s": 50.0,
    }  # fmt: skip
    return FarmRun(**(values | more))


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    run = farm_run()
    path = keep_run(run, tmp_path)
    assert path.name == "run_20261130_150000_three_wave-S.json" and read_run(path) == run
    assert keep_run(run, tmp_path) == path and kept_runs(tmp_path) == [run]
    with pytest.raises(UserError, match="the same run, found another"):
        keep_run(farm_run(took_s=101.0), tmp_path)
    assert kept_runs(tmp_path) == [run]


def test_it_is_not_taken_for_a_record(tmp_path: Path) -> None:
    keep_run(farm_run(), tmp_path)
    assert list_records(tmp_path) == ([], [])


def test_a_name_of_a_site_is_no_path(tmp_path: Path) -> None:
    path = keep_run(farm_run(site="../../etc", shot="/a b"), tmp_path)
    assert path.parent == tmp_path / "farm" and read_run(path).site == "../../etc"


def test_each_run_is_a_case(tmp_path: Path) -> None:
    for minute, (middle_s, took_s) in enumerate([(95.0, 100.0), (105.0, 100.0), (80.0, 100.0), (None, 100.0)]):
        keep_run(farm_run(middle_s, took_s, minute), tmp_path)
    (row,) = [row for row in backtest(tmp_path) if row.letter == "g"]
    assert len(row.cases) == 3  # of a run that was foretold never to end nothing can be off
    assert row.median_error == pytest.approx(0.05) and row.worst is not None and row.worst.error == pytest.approx(-0.2)
    assert row.coverage == pytest.approx(2 / 3) and row.linear_error == pytest.approx(0.6)
    assert row.farm_error == pytest.approx(0.5)
    cells = cells_of([row])[0]
    assert cells[0] == "(g) farm: a run foretold before it began" and cells[1:4] == ("3", "5.0 %", "-20.0 %")
    document: Any = as_document([row])
    assert document["rows"][0]["cases"][0]["label"] == "wave S, 60 frames on three, 6 workers"


def test_without_a_run_the_row_says_how_to_make_one(tmp_path: Path) -> None:
    (row,) = [row for row in backtest(tmp_path) if row.letter == "g"]
    assert not row.cases and row.why_none == "no run: shotmark farm report OUT --keep"


def test_a_label_tells_of_pieces_and_faults() -> None:
    run = farm_run(pieces=24, frames=1, faults=Faults(lost=2, elsewhere=1))
    assert run.label == "wave S, 1 frame in 24 parts on three, 6 workers, 3 faults"
    assert [case.measured_s for case in farm_held_out([run])] == [100.0]


def put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        inner: Any = document
        for step in steps:
            inner = inner[step]
        inner[last] = value

    return change


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another kind": (put("kind", "projected"), "kind: expected \"farm run\", got 'projected'"),
    "another schema": (put("schema", 2), "schema: expected 1, got 2"),
    "an unknown key": (put("price", 3), "price: expected one of began"),
    "no interval": (lambda d: d["projected"].pop("makespan_s"), "projected.makespan_s: expected a value"),
    "no makespan": (put("actual.makespan_s", None), "actual.makespan_s: expected a number from 0.001"),
    "a makespan of text": (put("actual.makespan_s", "9"), "actual.makespan_s: expected a number from 0.001"),
    "no work": (put("linear_s", 0), "linear_s: expected a number from 0.001"),
    "half a worker": (put("workers", 1.5), "workers: expected a whole number from 1"),
    "faults of another kind": (put("faults.bored", 1), "faults.bored: expected one of failed, lost, hung"),
    "no time": (put("began", "noon"), "began: expected a time with its zone"),
    "a site that paints": (put("site", "\x1b[0m"), "site: expected text of 1 to 120"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(name: str, tmp_path: Path) -> None:
    change, expected = WRONG[name]
    document: Any = json.loads(json.dumps(farm_run().document()))
    change(document)
    path = tmp_path / "farm" / "x.json"
    path.parent.mkdir()
    path.write_text(json.dumps(document))
    with pytest.raises(UserError) as found:
        backtest(tmp_path)
    text = str(found.value)
    assert expected in text and text.startswith(str(path)) and text.isprintable()


@pytest.mark.parametrize("content", ["", "[]", "3", "{", '{"kind": 1}', "[" * 50_000])
def test_what_is_no_run_is_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError) as found:
        read_run(path)
    assert len(str(found.value).splitlines()) == 1

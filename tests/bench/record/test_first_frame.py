"""The parts of the way to the first frame: what a meter notes, what a record keeps, what is said of it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import UserError
from bench.base.files import dump
from bench.measure.meter import Round, ShotResult
from bench.pipeline.frame import STAGES
from bench.record.first_frame import FirstFrame, first_frame_of, process_age_s
from bench.record.read import parse_record, read_record
from bench.record.schema import Record
from bench.record.write import document_of
from bench.report.shots import first_frame_lines, list_shots
from bench.shot.load import load_shot
from tests.support.source_tree import ROOT

COMMITTED = sorted((ROOT / "results").glob("**/[0-9]*.json"))
BEFORE = {"scene": 0.5, "upload": 0.25, "first_touch": 0.125}


def noted(record: Record, **run: Any) -> Record:
    """The record as a run of today would have written it."""
    rows = tuple(replace(row, before_s=BEFORE, compile_s=2.0) if row.stage == "frame" else row for row in record.rows)
    return replace(record, rows=rows, run={**record.run, "start_s": 1.0, "compiled_ahead": {"wall_s": 4.0}, **run})


def rows_of(record: Record) -> Any:
    first = record.rows[0]
    return [row for row in record.rows if (row.shot, row.size, row.backend) == (first.shot, first.size, first.backend)]


def test_what_first_calls_took_over_later_ones() -> None:
    result = ShotResult(compile_s=3.0, scene_compile_s=1.0)
    assert result.before_s() == {"scene": None, "upload": None, "first_touch": None}
    result.cold_s = {"scene": 1.5, "upload": 0.25, **dict.fromkeys(STAGES, 2.0)}
    warm = {**dict.fromkeys(STAGES, 1.0), "encode": 4.0}
    result.rounds = [Round(warm, {}, "", "", {})]
    # Four stages took a second longer, of which two were the compiler's; one was faster, which makes up for nothing
    assert result.before_s() == {"scene": 0.5, "upload": 0.25, "first_touch": 2.0}
    result.compile_s = None
    assert result.before_s()["first_touch"] is None


def test_the_parts_add_up_and_unknown_stays_unknown() -> None:
    record = noted(read_record(COMMITTED[0]))
    found = first_frame_of(record, rows_of(record))
    assert found is not None and found.frame_s is not None
    assert found == FirstFrame(1.0, 6.0, 0.5, 0.25, 0.125, found.frame_s)
    assert found.total_s == pytest.approx(7.875 + found.frame_s)
    assert "start 1.00 s, compiling 6.00 s, scene 500 ms, upload 250 ms, first touch 125 ms" in found.in_words()
    for wrong in (None, "1", -1.0, float("nan"), True):
        record = noted(read_record(COMMITTED[0]), start_s=wrong)
        found = first_frame_of(record, rows_of(record))
        assert found is not None and found.start_s is None and found.total_s is None


def test_a_record_keeps_them_and_older_ones_stay_readable() -> None:
    old = read_record(COMMITTED[0])
    assert first_frame_of(old, rows_of(old)) is None
    assert "before_s" not in document_of(old)["benchmarks"][0]["extra_info"]  # type: ignore[index]
    new = noted(old)
    document: Any = json.loads(dump(document_of(new)))
    assert [row.before_s for row in parse_record(document, old.path).rows] == [row.before_s for row in new.rows]
    for wrong in ({"scene": -1.0}, {"scene": "long"}, [1.0]):
        document["benchmarks"][0]["extra_info"]["before_s"] = wrong
        with pytest.raises(UserError, match=r"benchmarks\[0\]\.extra_info\.before_s: expected"):
            parse_record(document, Path("a.json"))


def test_shots_tells_of_the_newest_record_and_scales_the_rest() -> None:
    record = noted(read_record(COMMITTED[0]))
    shot, size = record.rows[0].shot, record.rows[0].size
    (listed,) = list_shots([load_shot(shot)], [record])
    by_size = {one.need.size: one for one in listed.sizes}
    assert by_size[size].measured
    (other,) = {"M", "S"} - {size}
    assert not by_size[other].measured
    here, there = by_size[size].first_frame, by_size[other].first_frame
    assert here is not None and there is not None and here.start_s == there.start_s == 1.0
    assert here.scene_s is not None and there.scene_s is not None
    ratio = by_size[other].need.particle_count / by_size[size].need.particle_count
    assert there.scene_s / here.scene_s == pytest.approx(ratio, rel=0.1)
    lines = first_frame_lines(listed)
    assert len(lines) == len(listed.sizes) and sum(" about " in line for line in lines) == len(lines) - 1
    (unknown,) = list_shots([load_shot(shot)], [])
    assert first_frame_lines(unknown) == []


def test_a_process_knows_its_age() -> None:
    age = process_age_s()
    assert age is not None and 0.0 < age < time.time()

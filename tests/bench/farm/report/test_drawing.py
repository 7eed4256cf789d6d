"""The drawing of a farm run: a row a worker, a bar a piece, the same bytes, and nobody's name is markup."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench.farm.report.compare import report
from bench.farm.report.drawing import BAD, KINDS, bars_of, drawing
from bench.farm.report.files import read_files
from tests.bench.farm.report.made_up_run import MadeUp, made_up_run

SVG = "{http://www.w3.org/2000/svg}"


def drawn(made: MadeUp, out: Path) -> str:
    return drawing(report(read_files(made.write(out))))


def bars(svg: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(svg).iter(f"{SVG}rect") if one.find(f"{SVG}title") is not None]


def test_a_row_a_worker_and_a_bar_a_piece(tmp_path: Path) -> None:
    svg = drawn(made_up_run(frames=12), tmp_path)
    words = [one.text for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert [word for word in words if word in WORKERS] == WORKERS
    titles = [one.findtext(f"{SVG}title") or "" for one in bars(svg)]
    assert sum("trace" in title for title in titles) >= 12 and sum(": simulate" in title for title in titles) == 12
    assert svg == drawn(made_up_run(frames=12), tmp_path)  # the same bytes


WORKERS = ["gb1/0", "gb1/1", "gb2/0", "gb2/1", "gb3/0", "gb3/1"]


@pytest.mark.parametrize("losses", [[], [(9.0, 1), (14.0, 0), (20.0, 5)]])
def test_no_two_bars_of_a_worker_lie_over_each_other(losses: list[tuple[float, int]], tmp_path: Path) -> None:
    found = report(read_files(made_up_run(frames=24, losses=losses).write(tmp_path)))
    rows = bars_of(found)
    assert sum(bar.what == BAD for row in rows.values() for bar in row) == len(losses)
    for name, row in rows.items():
        for one, after in itertools.pairwise(row):
            assert one.end_s <= after.begin_s + 1e-6, (name, one, after)
            assert 0.0 <= one.begin_s <= one.end_s <= found.actual.clock.total_s + 1e-6
        assert {bar.what for bar in row} <= {*KINDS, BAD}


def test_names_are_escaped_and_cut(tmp_path: Path) -> None:
    made = made_up_run(shot='<script>alert("x")</script>', node="</text><script>&" + "n" * 60)
    svg = drawn(made, tmp_path)
    tree = ElementTree.fromstring(svg)
    assert not list(tree.iter(f"{SVG}script")) and "<script" not in svg
    longest = max(len(one.text or "") for one in tree.iter(f"{SVG}text"))
    assert longest <= 110


def test_nodes_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    found = report(read_files(made_up_run(workers=12, nodes=12).write(tmp_path)))
    assert [name for name, _ in bars_of(found)] == [f"gb{n}" for n in range(1, 13)]


def test_it_is_readable_on_a_dark_page_and_by_everybody(tmp_path: Path) -> None:
    svg = drawn(made_up_run(), tmp_path)
    assert "@media(prefers-color-scheme:dark)" in svg
    fills = set(re.findall(r'fill="(#[0-9A-Fa-f]{6})"', svg))
    assert set(KINDS.values()) <= fills and len(set(KINDS.values())) == len(KINDS)


def test_a_large_run_is_drawn_and_says_what_is_left_out(tmp_path: Path) -> None:
    svg = drawn(made_up_run(frames=30, workers=210, nodes=210), tmp_path)
    assert "and 10 more workers" in svg and len(svg) < 1_000_000


def test_a_run_of_nothing_is_drawn(tmp_path: Path) -> None:
    made = made_up_run(frames=1)
    made.events, made.manifest = made.events[:1], {"frames": {}}
    made.projection["at_s"] = made.events[0]["at_s"]
    assert ElementTree.fromstring(drawn(made, tmp_path)).tag == f"{SVG}svg"

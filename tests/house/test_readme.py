"""README's figures come from the committed record, and its pictures are there."""

from __future__ import annotations

import re

import pytest

from bench.project.backtest.bar import backtest
from bench.project.backtest.table import markdown as as_markdown
from bench.project.output.markdown import hours_or_days, verdicts
from bench.project.output.projection import known_records, project
from bench.record.read import list_records
from bench.record.schema import Record
from bench.report.markdown import markdown
from bench.shot.load import load_shot
from tests.support.source_tree import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_a_committed_record() -> None:
    assert shown() is not None


def shown() -> Record | None:
    """The record whose table stands in README."""
    records, unreadable = list_records(ROOT / "results")
    assert records and not unreadable
    return next((record for record in records if markdown(record) in README), None)


def test_every_picture_exists() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert len(pictures) == 4
    assert all((ROOT / name).is_file() for name in pictures)


def test_the_example_shot_is_valid(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "drop.toml"
    path.write_text(text, encoding="utf-8")
    assert load_shot(str(path)).name == "drop"


def test_the_backtest_is_that_of_the_committed_series() -> None:
    assert as_markdown(backtest(ROOT / "results")) in README


@pytest.mark.slow
def test_hours_or_days_are_projected_from_that_record() -> None:
    record = shown()
    assert record is not None
    made = project(record, others=known_records(ROOT / "results"))
    assert hours_or_days(made) in README
    assert verdicts(made.claims) in README

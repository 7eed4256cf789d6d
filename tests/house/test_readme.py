"""The documents are true: README's figures are the committed record's, and what is named is there."""

from __future__ import annotations

import re
import tomllib

import pytest

from bench.farm.site import load_site
from bench.project.backtest.bar import backtest
from bench.project.backtest.table import markdown as as_markdown
from bench.project.output.markdown import hours_or_days, verdicts
from bench.project.output.projection import known_records, project
from bench.record.read import list_records
from bench.record.schema import Record
from bench.report.markdown import markdown
from bench.shot.load import load_shot
from tests.support.source_tree import ROOT, tracked

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
    assert len(pictures) == 5
    assert all((ROOT / name).is_file() for name in pictures)


def test_every_path_that_a_document_names_exists() -> None:
    """A path in back-ticks, from the root or from the document's own folder."""
    wrong, seen = [], 0
    for name in tracked():
        if not name.endswith(".md") or name in ("CHANGELOG.md", "CONTRIBUTING.md"):
            continue
        text = re.sub(r"^```.*?^```$", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for path in re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|cuh?|md|toml|json|csv))`", text):
            seen += 1
            places = [ROOT / path, (ROOT / name).parent / path]
            by_name = [other for other in tracked() if "/" not in path and other.endswith(f"/{path}")]
            if not by_name and not any(place.exists() for place in places):
                wrong.append(f"{name}: {path}")
    assert seen > 40 and wrong == []


def test_the_picture_of_the_house_is_the_one_of_the_contracts() -> None:
    """Every room is in it, and every arrow goes down."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (rooms,) = [one["layers"] for one in contracts if one.get("containers") == ["bench"]]
    picture = (ROOT / "bench/README.md").read_text(encoding="utf-8").split("```mermaid\n")[1].split("```")[0]
    order = {room: place for place, room in enumerate([*rooms, "kernels"])}
    drawn = set(re.findall(r"^ +(\w+)\[", picture, re.MULTILINE))
    assert drawn == order.keys() - {"__main__"}
    arrows = [
        (one.strip(), other.strip())
        for ones, others in re.findall(r"^ +([\w &]+) --> ([\w &]+)$", picture, re.MULTILINE)
        for one in ones.split("&")
        for other in others.split("&")
    ]
    assert {end for arrow in arrows for end in arrow} == drawn
    assert all(order[one] < order[other] for one, other in arrows)


def test_the_example_shot_is_valid(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "drop.toml"
    path.write_text(example("[shot]"), encoding="utf-8")
    assert load_shot(str(path)).name == "drop"


def test_the_example_site_is_valid(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "centre.toml"
    path.write_text(example("[[pool]]"), encoding="utf-8")
    assert load_site(str(path)).workers == 32


def example(table: str) -> str:
    """The file that README shows which has such a table."""
    (text,) = (text for text in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if f"{table}\n" in text)
    return text


def test_the_backtest_is_that_of_the_committed_series() -> None:
    assert as_markdown(backtest(ROOT / "results")) in README


@pytest.mark.slow
def test_hours_or_days_are_projected_from_that_record() -> None:
    record = shown()
    assert record is not None
    made = project(record, others=known_records(ROOT / "results"))
    assert hours_or_days(made) in README
    assert verdicts(made.claims) in README

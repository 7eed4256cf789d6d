"""A record whose run was stopped is called incomplete by all that show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.cli.main import main
from bench.project.output.projection import project
from tests.support.quick_projection import QUICK
from tests.support.source_tree import ROOT

WHOLE = next((ROOT / "results").glob("*/0004_*.json"))


@pytest.fixture(params=[True, False], ids=["complete", "incomplete"])
def complete(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def path(tmp_path: Path, complete: bool) -> Path:
    return put(tmp_path, complete)


def put(folder: Path, complete: bool, stages: set[str] | None = None) -> Path:
    """The committed record, whole or stopped, with rows of these stages alone."""
    document = json.loads(WHOLE.read_text(encoding="utf-8"))
    document["shotmark"]["complete"] = complete
    if stages is not None:
        document["benchmarks"] = [b for b in document["benchmarks"] if b["extra_info"]["stage"] in stages]
    found = folder / "results" / "machine" / WHOLE.name
    found.parent.mkdir(parents=True)
    found.write_text(json.dumps(document))
    return found


def run(path: Path, *words: str) -> Any:
    return CliRunner().invoke(main, [words[0], str(path), *words[1:], "--results", str(path.parent.parent)])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "__kwdefaults__", {**project.__kwdefaults__, "effort": QUICK})
    monkeypatch.setattr("bench.project.output.projection.known_records", lambda results: [])


def test_report(path: Path, complete: bool) -> None:
    done = run(path, "report")
    assert done.exit_code == 0 and done.stderr == ""
    assert ("This record is incomplete: its run was stopped" in done.stdout) != complete


def test_compare(path: Path, complete: bool) -> None:
    done = run(path, "compare", str(WHOLE))
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("   incomplete: its run was stopped") == (0 if complete else 1)
    document = json.loads(run(path, "compare", str(WHOLE), "--json").stdout)
    assert (document["a"]["complete"], document["b"]["complete"]) == (complete, True)
    assert document["b"]["remark"] is None
    assert document["a"]["remark"] is None if complete else document["a"]["remark"].startswith("incomplete: ")


def test_project(path: Path, complete: bool, quick: None) -> None:
    words = ("project", "--gpus", "10", "--shots", "2", "--shot", "wave")
    done = run(path, *words)
    assert done.exit_code == 0, done.stderr
    assert (", incomplete; cluster" in done.stdout) != complete
    assert (f"{WHOLE.name} is incomplete: its run was stopped" in done.stdout) != complete
    document = json.loads(run(path, *words, "--json").stdout)
    assert document["record"]["complete"] == complete
    assert any("incomplete" in flag for flag in document["flags"]) != complete
    shown = run(path, *words, "--markdown").stdout
    assert shown.startswith("The record is incomplete: ") != complete
    figures = run(path, *words, "--csv")
    assert figures.stdout.startswith("kind,of,") and ("incomplete" in figures.stderr) != complete


def test_project_says_which_stages_a_stopped_run_has(tmp_path: Path) -> None:
    path = put(tmp_path, False, {"simulate", "surface"})
    done = run(path, "project", "--shot", "wave")
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"shotmark: {path}: expected verified CPU rows of every stage of a shot wave (this record")
    assert "(this record is incomplete: its run was stopped" in line and "wave S simulate, surface" in line
    assert line.endswith("shotmark run makes them")


def test_project_of_a_whole_run_that_lacks_stages_does_not_call_it_incomplete(tmp_path: Path) -> None:
    done = run(put(tmp_path, True, {"simulate"}), "project", "--shot", "wave")
    assert done.exit_code == 2 and "incomplete" not in done.stderr

"""``shotmark project``: what it prints, and what it says of arguments and files that it cannot use."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.base.files import CHECKOUT
from bench.cli.main import main
from bench.project.output.projection import project
from tests.support.project_record import make_record
from tests.support.quick_projection import QUICK


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("bench.record.read.list_records", lambda folder: ([make_record()], []))
    monkeypatch.setattr("bench.project.output.projection.list_records", lambda folder: ([], []))
    monkeypatch.setattr(project, "__kwdefaults__", {**project.__kwdefaults__, "effort": QUICK})
    return CliRunner().invoke(main, ["project", *arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--gpus", "0"],
        ["--gpus", "1000000000000"],
        ["--size", "XXL"],
        ["--seconds", "nan"],
        ["--frames", "0"],
        ["--shots", "-1"],
        ["--shots", "100000", "--seconds", "3600"],
        ["--sweep", "1,2,x"],
        ["--sweep", "0"],
        ["--sweep", "1000000000000"],
        ["--my-frame-hours", "-1"],
        ["--my-frame-hours", "inf"],
        ["--simulate-gpus", "0"],
        ["--shot", "nosuch"],
        ["--cluster", "nosuch"],
        ["--plot", "here.pdf"],
        ["--json", "--csv"],
    ],
)
def test_bad_arguments_are_one_line(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(arguments, monkeypatch)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and not result.stdout


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("price_per_gpu_hour", "value = -1.0"),
        ("gpu_count", "value = 0"),
        ("gpu_count", "value = 1000000000000"),
        ("pue", "value = nan"),
        ("unknown_key", "value = 1"),
    ],
)
def test_bad_cluster_files_are_one_line(key: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (CHECKOUT / "bench/project/inputs/clusters/workstation.toml").read_text(encoding="utf-8")
    entry = f'[{key}]\n{text}\nsource = "assumption"\n'
    parts = re.split(r"(?m)^(?=\[)", whole)
    path = tmp_path / "mine.toml"
    path.write_text("".join(p for p in parts if not p.startswith(f"[{key}]")) + "\n" + entry, encoding="utf-8")
    result = run(["--cluster", str(path)], monkeypatch)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and key in result.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"schema": 1', '"schema": 2'),
        lambda text: text[: len(text) // 2],
        lambda text: re.sub(r'("data": \[\s*)[0-9.e-]+', r"\1NaN", text, count=1),
        lambda text: re.sub(r'("data": \[\s*)[0-9.e-]+', r"\1-1.0", text, count=1),
        lambda text: "[]",
    ],
)
def test_bad_records_are_one_line(change: Any, tmp_path: Path) -> None:
    (source,) = (CHECKOUT / "results").glob("*/0001_*.json")
    text = source.read_text(encoding="utf-8")
    path = tmp_path / "0001_x.json"
    path.write_text(change(text), encoding="utf-8")
    assert change(text) != text
    result = CliRunner().invoke(main, ["project", str(path)])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and str(path) in result.stderr


def test_no_record_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["project", "--results", str(tmp_path)])
    assert result.exit_code == 2 and "shotmark run" in result.stderr


def test_the_command_prints_and_explains(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--shots", "20", "--gpus", "100", "--sweep", "1,100", "--plot", "-", "--explain"]
    result = run(arguments, monkeypatch)
    assert result.exit_code == 0, result.output
    for text in ("Projected", "P10", "cannot be told", "what it stands on", "both logarithmic", "assumption"):
        assert text in result.stdout
    as_json = run(["--shots", "20", "--gpus", "100", "--json"], monkeypatch)
    assert json.loads(as_json.stdout)["kind"] == "projected"


def test_asking_for_help_loads_nothing_heavy() -> None:
    heavy = ("numba", "scipy", "pydantic", "rich", "pytest", "matplotlib")
    program = (
        "import sys; import bench.cli.commands.project, bench.cli.commands.backtest;"
        f" print(sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout == "[]\n"

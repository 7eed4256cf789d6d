"""The main job for real: one shot from the command line to a record, proved and repeatable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.record.read import read_record
from tests.support.source_tree import ROOT

pytestmark = pytest.mark.slow


def shotmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, text=True, cwd=ROOT)


def run_wave(results: Path, *more: str) -> dict[str, Any]:
    done = shotmark("run", "wave", "--rounds", "1", "--frames", "3", "--results", str(results), "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_a_run_is_one_json_document_with_record_and_pictures(tmp_path: Path) -> None:
    document = run_wave(tmp_path)
    record = read_record(Path(document["record"]))
    assert record.complete and not record.rejected and record.peak_memory_bytes
    (shot,) = document["shots"]
    assert shot["verified"] == "golden"
    assert len(shot["state_sha256"]) == len(shot["picture_sha256"]) == 64
    seconds = {stage: entry["median_s"] for stage, entry in shot["stages"].items()}
    assert seconds["kernels"] < seconds["resident"] < seconds["frame"]
    # The whole has its own stamps around the stages': it holds them all, and next to nothing besides
    stages = sum(seconds[s] for s in ("simulate", "surface", "trace", "resolve", "encode"))
    assert stages <= seconds["frame"] <= stages * 1.0005
    assert [Path(path).suffix for path in document["pictures"]] in ([[".exr", ".png"], [".png"]])


def test_threads_and_runs_do_not_change_a_bit(tmp_path: Path) -> None:
    first, second = run_wave(tmp_path, "--threads", "1"), run_wave(tmp_path)
    for key in ("state_sha256", "picture_sha256", "work_sha256"):
        assert first["shots"][0][key] == second["shots"][0][key]
    done = shotmark("compare", "0001", "0002", "--results", str(tmp_path), "--json")
    stages = json.loads(done.stdout)["stages"]
    assert all(stage["ratio"] is not None and stage["why_no_ratio"] is None for stage in stages)


def test_a_shot_of_one_s_own_runs_by_its_path(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    text = (ROOT / "bench" / "shot" / "shots" / "wave.toml").read_text()
    own.write_text(text.replace('name = "wave"', 'name = "mine"', 1))
    done = shotmark("run", str(own), "--rounds", "1", "--frames", "1", "--results", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    (shot,) = json.loads(done.stdout)["shots"]
    assert (shot["shot"], shot["verified"]) == ("mine", "repeat")


def test_a_render_makes_frames_and_goes_on(tmp_path: Path) -> None:
    arguments = ("render", "wave", "--out", str(tmp_path), "--samples", "1", "--format", "png")
    done = shotmark(*arguments, "--frames", "1-4")
    assert done.returncode == 0, done.stderr
    whole = json.loads((tmp_path / "manifest.json").read_text())["frames"]
    (tmp_path / "wave.0003.png").unlink()
    (tmp_path / "wave.0004.png").unlink()
    done = shotmark(*arguments, "--frames", "3-5")
    assert done.returncode == 0, done.stderr
    again = json.loads((tmp_path / "manifest.json").read_text())["frames"]
    for entry in (*whole.values(), *again.values()):
        assert [piece["kind"] for piece in entry.pop("made")] == ["simulate", "render"]  # and its times
    assert {number: again[number] for number in whole} == whole
    assert (tmp_path / "wave.0005.png").exists()

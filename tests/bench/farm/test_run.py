"""Whole runs by real workers on this machine: the frames of one process, whatever is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("parsl", reason="the farm's engine is Parsl, of the extra farm")

from bench.farm.log import read_log
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

TWO = '[[pool]]\nname = "here"\nprovider = "local"\nworkers_per_node = 2\ncores_per_node = 2\nheartbeat_s = 6\n'
FRAMES = 12


def shotmark(*words: object, **more: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench", *map(str, words)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def done(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, err
    assert "Traceback" not in err and "defect" not in err, err
    return out, err


def hashes(folder: Path) -> dict[str, tuple[str, str]]:
    frames = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["frames"]
    return {number: (entry["state_sha256"], entry["picture_sha256"]) for number, entry in frames.items()}


def events(out: Path, name: str) -> list[dict[str, Any]]:
    return [one for one in read_log(out / "farm" / "log.jsonl") if one["event"] == name]


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_shot(tmp_path_factory.mktemp("shot"))


@pytest.fixture(scope="module")
def alone(shot: Path) -> dict[str, tuple[str, str]]:
    """What one process makes of the shot, on one thread."""
    out = shot.parent / "alone"
    done(shotmark("render", shot, "--out", out, "--threads", 1))
    return hashes(out)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(TWO, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_shot_has_the_frames_of_one_process(
    shot: Path, alone: dict[str, tuple[str, str]], site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told, said = done(shotmark("farm", "run", shot, "--site", site, "--out", out))
    assert told == f"frames   {out}\n" and f"{FRAMES} frames made, 0 were there" in said
    assert hashes(out) == alone and len(list(out.glob("pool.*.png"))) == FRAMES
    assert not list((out / "fluid").iterdir()) and not list((out / "farm" / "now").iterdir())
    begin, end = events(out, "begin"), events(out, "end")
    assert [one["outcome"] for one in end] == ["done"] and end[0]["frames"] == FRAMES
    assert begin[0]["site"] == "two" and begin[0]["workers_wanted"] == 2 and begin[0]["frames"] == list(range(1, 13))
    for one in events(out, "worker"):
        assert one["backend"] == "numba" and one["threads"] == 1 and one["device"].endswith("1 thread")
    made = [piece for one in events(out, "task") for piece in one["made"]]
    assert Counter(piece["kind"] for piece in made)["simulate"] == FRAMES
    tasks = len(events(out, "task"))
    told, said = done(shotmark("farm", "run", shot, "--site", site, "--out", out))
    assert f"0 frames made, {FRAMES} were there" in said and len(events(out, "task")) == tasks
    assert len(events(out, "begin")) == 2 and events(out, "end")[-1]["outcome"] == "done"


@pytest.mark.slow
def test_frames_in_pieces_have_the_same_bits(
    shot: Path, alone: dict[str, tuple[str, str]], site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done(shotmark("farm", "run", shot, "--site", site, "--out", out, "--frames", "2-5", "--pieces", 3))
    assert hashes(out) == {number: alone[number] for number in ("2", "3", "4", "5")}
    assert any(one["kind"] == "part" for one in events(out, "task")) and not list((out / "sums").iterdir())


def working(out: Path, kind: str, most_s: float = 120.0) -> int:
    """The process that is at a task of a kind."""
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        for path in (out / "farm" / "now").glob("*.json"):
            try:
                note = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if note["task"]["kind"] == kind and list((out / "fluid").glob("00000[3-9].npz")):
                return int(note["pid"])
        time.sleep(0.01)
    raise AssertionError(f"nobody ever was at {kind}")


@pytest.mark.slow
def test_a_killed_worker_costs_nothing_that_was_finished(
    shot: Path, alone: dict[str, tuple[str, str]], site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = shotmark("farm", "run", shot, "--size", "M", "--site", site, "--out", out)
    os.kill(working(out, "simulate"), signal.SIGKILL)
    _, said = done(process)
    lost = [one for one in events(out, "task") if one["outcome"] == "lost"]
    assert [one["kind"] for one in lost] == ["simulate"] and lost[0]["node"] and "tried again" in said
    made = [(piece["kind"], piece["frame"]) for one in events(out, "task") for piece in one["made"]]
    rendered = Counter(frame for kind, frame in made if kind == "render")
    assert rendered == Counter(range(1, FRAMES + 1)), "nothing finished is made twice"
    reference = tmp_path / "alone"
    done(shotmark("render", shot, "--size", "M", "--out", reference, "--threads", 1))
    assert hashes(out) == hashes(reference)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_goes_on(
    shot: Path, alone: dict[str, tuple[str, str]], site: Path, tmp_path: Path, number: int, code: int
) -> None:
    out = tmp_path / "out"
    process = shotmark("farm", "run", shot, "--site", site, "--out", out)
    pid = working(out, "simulate")
    process.send_signal(number)
    _, said = done(process, code)
    assert said.strip().splitlines()[-1].startswith(f"shotmark: stopped; {out} keeps what was finished")
    assert events(out, "end")[-1]["outcome"] == "stopped"
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists(), "its workers end with it"
    done(shotmark("farm", "run", shot, "--site", site, "--out", out))
    assert hashes(out) == alone
    made = [piece["frame"] for one in events(out, "task") for piece in one["made"] if piece["kind"] == "render"]
    assert sorted(made) == list(range(1, FRAMES + 1))


@pytest.mark.slow
def test_what_stands_in_the_way_is_one_line(shot: Path, site: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    slurm = tmp_path / "slurm.toml"
    slurm.write_text('[[pool]]\nname = "p"\nprovider = "slurm"\ncores_per_node = 2\n', encoding="utf-8")
    bad = tmp_path / "bad.toml"
    bad.write_text('[[pool]]\nname = "p"\n', encoding="utf-8")
    environment = {"PATH": os.path.dirname(sys.executable)}
    for words, code, says in (
        (["--site", bad], 2, "pool[0].provider: expected"),
        (["--site", "nowhere"], 2, "expected one of kubernetes, local, slurm"),
        (["--site", slurm], 3, "provider slurm needs sbatch"),
        (["--site", site, "--out", tmp_path / "a b"], 2, "expected a path of"),
        (["--site", site, "--out", bad], 2, "expected a folder"),
        (["--site", site, "--frames", "99"], 2, "--frames"),
        (["--site", site, "--size", "XL"], 2, "--size"),
    ):
        process = subprocess.run(
            [sys.executable, "-m", "bench", "farm", "run", str(shot), "--out", str(out), *map(str, words)],
            cwd=ROOT,
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert process.returncode == code and says in process.stderr, process.stderr
        assert len(process.stderr.splitlines()) == 1, process.stderr

"""Real tasks in real processes: killed at any moment, stopped as a batch system stops them, twice at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.base.files import TEMPORARY_PREFIX
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

pytestmark = pytest.mark.slow
FRAMES = "1-6"
WORDS = ("--backend", "numba", "--threads", "1", "--samples", "600", "--frames", FRAMES)


def start(shot: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", "render", str(shot), *WORDS, "--out", str(out), *more]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(shot: Path, out: Path, *more: str) -> None:
    process = start(shot, out, *more)
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 0, told


def frames(out: Path) -> dict[str, Any]:
    found = json.loads((out / "manifest.json").read_text())["frames"]
    return {number: (entry["state_sha256"], entry["picture_sha256"], entry["files"]) for number, entry in found.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("whole")
    shot = write_tiny_shot(folder)
    run(shot, folder / "out")
    return shot, frames(folder / "out")


def test_killed_at_any_moment_each_task_goes_on(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    shot, expected = whole
    chance = random.Random(1)
    finished: dict[str, bytes] = {}
    for task in (("--states-only",), ("--from-states", "--tile", "0,0,12,2"), ("--from-states",), ("--assemble",)):
        for _ in range(3):
            process = start(shot, tmp_path, *task)
            try:
                process.communicate(timeout=chance.uniform(0.5, 3.5))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            entries = {path.name: path.read_bytes() for path in (tmp_path / "entries").glob("*.json")}
            assert finished.items() <= entries.items(), "what is finished is neither lost nor made again"
            finished = entries
        run(shot, tmp_path, *task)
    assert frames(tmp_path) == expected
    left = [path for path in tmp_path.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]
    assert left == [] and list((tmp_path / "claims").iterdir()) == []


def test_a_batch_system_stops_it(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """TERM, as it is sent some time before the kill: exit code 143, a line, and the same command goes on."""
    shot, expected = whole
    run(shot, tmp_path, "--states-only")
    process = start(shot, tmp_path, "--from-states")
    while not list((tmp_path / "entries").glob("*.json")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=60)[1]
    done = len(list((tmp_path / "entries").glob("*.json")))
    assert process.returncode == 143 and "keeps what was finished: the same command goes on" in told
    assert 1 <= done <= len(expected) and list((tmp_path / "claims").iterdir()) == []
    run(shot, tmp_path, "--from-states")
    run(shot, tmp_path, "--assemble")
    assert frames(tmp_path) == expected


def test_all_at_once_and_each_thing_is_made_once(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    shot, expected = whole
    for task in (("--states-only",), ("--from-states",), ("--assemble",)):
        together = [start(shot, tmp_path, *task) for _ in range(3)]
        told = [process.communicate(timeout=300)[1] for process in together]
        assert [process.returncode for process in together] == [0, 0, 0], told
        made = sum(int(text.rsplit(" made,", 1)[0].rsplit(" ", 1)[1]) for text in told)
        assert made == (0 if task == ("--assemble",) else len(expected))
    assert frames(tmp_path) == expected


def test_a_full_disk_loses_nothing(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Of files at least: a limit on their size stands for one."""
    resource = pytest.importorskip("resource")
    shot, expected = whole
    command = [sys.executable, "-m", "bench", "render", str(shot), *WORDS, "--out", str(tmp_path), "--states-only"]

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, preexec_fn=small, env={**os.environ})
    assert done.returncode == 2 and "the disk is full" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "fluid").iterdir())
    run(shot, tmp_path, "--states-only")
    run(shot, tmp_path, "--from-states")
    run(shot, tmp_path, "--assemble")
    assert frames(tmp_path) == expected

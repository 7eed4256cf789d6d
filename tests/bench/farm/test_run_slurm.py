"""Runs on a real Slurm of three emulated nodes: six workers, killed one after another, and a node that is drained."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("parsl", reason="the farm's engine is Parsl, of the extra farm")

from tests.bench.farm.test_run import FRAMES, done, events, hashes, shotmark, working
from tests.support.tiny_shot import write_tiny_shot

SITE = """[[pool]]
name = "gpu"
provider = "slurm"
partition = "{partition}"
nodes = 3
gpus_per_node = 2
cores_per_node = 2
threads_per_worker = 1
wall_time = "{wall}"
address = "127.0.0.1"
heartbeat_s = 6
"""
KILL_EVERY_S = 2.0


def partition_of(slurm: Any) -> str:
    return str(slurm.run("sinfo", "-h", "-o", "%R").split()[0])


@pytest.fixture
def environment(slurm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``farm run`` is started with: the environment of a user of this Slurm."""
    for name in list(os.environ):
        if name not in slurm.environment:
            monkeypatch.delenv(name)
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)


def write_site(folder: Path, slurm: Any, partition: str | None = None, wall: str = "00:10:00") -> Path:
    path = folder / "three.toml"
    path.write_text(SITE.format(partition=partition or partition_of(slurm), wall=wall), encoding="utf-8")
    return path


def alone(shot: Path, folder: Path, size: str = "S") -> dict[str, tuple[str, str]]:
    out = folder / "alone"
    done(shotmark("render", shot, "--size", size, "--out", out, "--threads", 1))
    return hashes(out)


@pytest.mark.usefixtures("environment")
def test_six_workers_make_the_frames_of_one_process(slurm: Any, tmp_path: Path) -> None:
    out, shot = tmp_path / "out", write_tiny_shot(tmp_path)
    done(shotmark("farm", "run", shot, "--site", write_site(tmp_path, slurm), "--out", out, "--pieces", 2))
    assert hashes(out) == alone(shot, tmp_path)
    assert len({one["node"] for one in events(out, "task")}) >= 2
    assert events(out, "begin")[0]["workers_wanted"] == 6
    assert not slurm.run("squeue", "-h").strip(), "its jobs end with it"


@pytest.mark.usefixtures("environment")
def test_killed_workers_and_a_drained_node_cost_nothing_that_was_finished(slurm: Any, tmp_path: Path) -> None:
    out, shot = tmp_path / "out", write_tiny_shot(tmp_path)
    process = shotmark("farm", "run", shot, "--size", "M", "--site", write_site(tmp_path, slurm), "--out", out)
    drained = ""
    try:
        os.kill(working(out, "simulate"), signal.SIGKILL)
        drained = sorted(slurm.nodes())[1]
        slurm.run("scontrol", "update", f"nodename={drained}", "state=drain", "reason=test")
        jobs = slurm.run("squeue", "-h", "-w", drained, "-o", "%i").split()
        if jobs:
            slurm.run("scancel", *jobs)
        killed: set[int] = set()
        while process.poll() is None:
            time.sleep(KILL_EVERY_S)
            for one in events(out, "worker"):
                if one["pid"] not in killed and one["node"] != drained:
                    killed.add(one["pid"])
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(one["pid"], signal.SIGKILL)
                    break
        done(process)
    finally:
        if drained:
            slurm.run("scontrol", "update", f"nodename={drained}", "state=resume")
    assert hashes(out) == alone(shot, tmp_path, "M")
    made = [piece for one in events(out, "task") for piece in one["made"] if piece["kind"] in ("render", "assemble")]
    assert Counter(piece["frame"] for piece in made) == Counter(range(1, FRAMES + 1)), "nothing finished is made twice"
    assert Counter(one["outcome"] for one in events(out, "task"))["lost"] >= 1


@pytest.mark.usefixtures("environment")
def test_a_partition_that_does_not_exist_is_one_line(slurm: Any, tmp_path: Path) -> None:
    shot = write_tiny_shot(tmp_path)
    site = write_site(tmp_path, slurm, partition="nowhere")
    _, said = done(shotmark("farm", "run", shot, "--site", site, "--out", tmp_path / "out"), 2)
    assert said.strip().endswith(f"partition: expected one of {partition_of(slurm)}, got 'nowhere'")
    assert len(said.splitlines()) == 1


@pytest.mark.usefixtures("environment")
def test_a_job_that_slurm_refuses_is_one_line(slurm: Any, tmp_path: Path) -> None:
    shot, site = write_tiny_shot(tmp_path), write_site(tmp_path, slurm)
    site.write_text(site.read_text(encoding="utf-8") + 'scheduler_options = ["#SBATCH --gres=tpu:1"]\n')
    _, said = done(shotmark("farm", "run", shot, "--site", site, "--out", tmp_path / "out"), 3)
    assert "no worker started: sbatch: error:" in said.splitlines()[-1]

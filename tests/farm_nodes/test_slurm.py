"""The emulated Slurm is what it says: nodes, GPUs, requeue, and nothing left of it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.farm_nodes import slurm as emulated
from tests.farm_nodes.faults import faults, give_back, kill_one, take_away, workers
from tests.farm_nodes.slurm import Slurm, free_ports, start, until, why_not
from tests.support.source_tree import ROOT

WAIT_S = 60.0
# A worker with a child that ends when it does
HELPED = """import llvmlite.binding, os, time
out, into = os.pipe()
if os.fork():
    time.sleep(600)
os.close(into)
os.read(out, 1)"""


def submit(slurm: Slurm, script: str, *options: str) -> str:
    return slurm.run("sbatch", "--parsable", "--output=/dev/null", *options, given=f"#!/bin/sh\n{script}\n").strip()


def test_each_job_of_a_gpu_has_one_of_its_own(slurm: Slurm, tmp_path: Path) -> None:
    """Six jobs at once: each sees the number of one GPU of its node, and no two the same."""
    script = f'echo "$SLURMD_NODENAME $CUDA_VISIBLE_DEVICES" > {tmp_path}/$SLURM_ARRAY_TASK_ID.part\n'
    script += f"mv {tmp_path}/$SLURM_ARRAY_TASK_ID.part {tmp_path}/$SLURM_ARRAY_TASK_ID\n"
    script += f"until [ -e {tmp_path}/5 ] && [ -e {tmp_path}/0 ]; do sleep 0.1; done; sleep 1"
    job = submit(slurm, script, "--array=0-5", "--gres=gpu:1")
    assert slurm.wait(job, seconds=WAIT_S) == {job: "COMPLETED"}
    said = sorted((tmp_path / str(at)).read_text().split() for at in range(6))
    assert said == [[node, number] for node in ("gb1", "gb2", "gb3") for number in ("0", "1")]


def test_a_job_is_queued_again_when_its_node_goes_down(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, f"echo $SLURMD_NODENAME >> {tmp_path}/ran; [ $(wc -l < {tmp_path}/ran) -gt 1 ] || sleep 600")
    until(lambda: (tmp_path / "ran").exists() and slurm.state(job) == "RUNNING", WAIT_S, "the job")
    node = (tmp_path / "ran").read_text().strip()
    take_away(slurm, node, "down")
    try:
        assert slurm.wait(job, seconds=2 * WAIT_S) == {job: "COMPLETED"}
    finally:
        give_back(slurm, node)
    first, second = (tmp_path / "ran").read_text().split()
    assert first == node != second


def test_a_drained_node_gets_no_new_work(slurm: Slurm, tmp_path: Path) -> None:
    told = list(faults(slurm, None, {"gb2": "drain"}, 0.0, random.Random(1), seconds=0.5))
    try:
        assert told == [{"fault": "drain", "node": "gb2"}]
        job = submit(slurm, f"echo $SLURMD_NODENAME > {tmp_path}/$SLURM_ARRAY_TASK_ID", "--array=0-5")
        assert slurm.wait(job, seconds=WAIT_S) == {job: "COMPLETED"}
    finally:
        give_back(slurm, "gb2")
    assert {(tmp_path / str(at)).read_text().strip() for at in range(6)} == {"gb1", "gb3"}
    until(lambda: set(slurm.nodes().values()) == {"idle"}, WAIT_S, "all nodes")


def test_a_worker_is_killed_and_nothing_else(slurm: Slurm) -> None:
    """Of a job's processes only the one that has the compiler loaded; its parent and a sleeper are left alone.

    Nor is its child taken for a worker, which has the compiler too.
    """
    job = submit(slurm, f"sleep 600 & {sys.executable} -c '{HELPED}'\nwait")
    rng = random.Random(1)
    until(lambda: any(worker.children() for worker in workers(slurm)), WAIT_S, "a worker with a child")
    (worker,) = workers(slurm)
    due = {"fault": "kill", "node": worker.environ()["SLURMD_NODENAME"], "pid": worker.pid}
    assert kill_one(slurm, rng) == due
    until(lambda: not workers(slurm), WAIT_S, "its end")
    assert kill_one(slurm, rng) is None and slurm.state(job) == "RUNNING"
    slurm.run("scancel", job)
    slurm.wait(job, seconds=WAIT_S)


def test_faults_come_from_a_command_line(slurm: Slurm, tmp_path: Path) -> None:
    """As the farm's own trial has them: workers killed time and again, a node drained, each a line of JSON."""
    job = submit(slurm, f"while true; do {sys.executable} -c 'import llvmlite.binding, time; time.sleep(600)'; done")
    words = ["--every", "1", "--drain", "gb3", "--after", "2", "--seconds", "6"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.farm_nodes.faults", *words],
            env={**slurm.environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        told = [json.loads(line) for line in done.stdout.splitlines()]
        kinds = [line["fault"] for line in told]
        assert kinds.count("drain") == 1 and kinds.count("kill") >= 2
        killed = [line["pid"] for line in told if line["fault"] == "kill"]
        assert len(set(killed)) == len(killed) and slurm.state(job) == "RUNNING"
        assert slurm.nodes()["gb3"].startswith("drain")
    finally:
        give_back(slurm, "gb3")
        slurm.run("scancel", job)
        slurm.wait(job, seconds=WAIT_S)


def test_by_hand_it_says_what_is_wrong(tmp_path: Path) -> None:
    def say(*words: str) -> tuple[int, str]:
        env = {name: value for name, value in os.environ.items() if name != "SLURM_CONF"}
        words = (sys.executable, "-m", *words)
        done = subprocess.run(words, env={**env, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60)
        return done.returncode, (done.stdout + done.stderr).splitlines()[-1]

    code, line = say("tests.farm_nodes.faults", "--every", "1")
    assert code == 2 and "--conf or SLURM_CONF: expected the slurm.conf of an emulated Slurm" in line
    assert say("tests.farm_nodes.faults", "--conf", str(tmp_path / "no"))[0] == 2


@pytest.mark.slurm
@pytest.mark.slow
def test_nothing_is_left_of_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A Slurm beside another one, with a job that does not want to end: all its processes have ended, by process id."""
    if reason := why_not():
        pytest.skip(reason)
    other = start(tmp_path_factory.mktemp("s"), nodes=1, gpus=0)
    try:
        with pytest.raises(RuntimeError, match="a Slurm runs here already"):
            start(other.folder)
        submit(other, f"trap '' TERM; echo $$ > {other.folder}/pid; while true; do sleep 1; done")
        until(lambda: (other.folder / "pid").exists() and len(other.processes()) >= 5, WAIT_S, "the job")
        found = other.processes()
        assert int((other.folder / "pid").read_text()) in {process.pid for process in found}
    finally:
        other.stop()
    assert not other.processes() and not [process for process in found if emulated.alive(process)]


def test_another_slurm_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLURM_CONF", "elsewhere")
    monkeypatch.setenv("SBATCH_PARTITION", "gold")
    environment = Slurm(tmp_path).environment
    assert environment["SLURM_CONF"] == str(tmp_path / "slurm.conf") and "SBATCH_PARTITION" not in environment


def test_a_process_id_that_was_given_away_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/slurmd.gb1.pid").write_text(str(os.getpid()))
    (tmp_path / "run/munged.pid").write_text("no number")
    slurm = Slurm(tmp_path)
    assert slurm.daemons() == {} and slurm.processes() == []
    slurm.stop()
    assert psutil.pid_exists(os.getpid())


@pytest.mark.needs("os.fork")
def test_a_process_that_nobody_asked_for_has_ended_all_the_same() -> None:
    """In a container the first process may ask for none of those that were left to it."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    process = psutil.Process(child.pid)
    assert emulated.alive(process)
    child.kill()
    until(lambda: not emulated.alive(process), WAIT_S, "its end")
    assert process.is_running(), "it is still in the system's table"
    child.wait()
    assert not emulated.alive(process)


def test_it_says_why_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulated, "program", lambda name: None if name == "munged" else name)
    assert why_not() in ("this system has no munged (Debian: slurm-wlm and munge)", "this system is not Linux")
    monkeypatch.setattr(emulated, "program", lambda name: name)
    monkeypatch.setattr("os.geteuid", lambda: 1000, raising=False)
    assert why_not() in ("the emulated Slurm needs root", "this system is not Linux")


def test_ports_are_free_and_no_two_the_same() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20 and all(port > 1023 for port in ports)

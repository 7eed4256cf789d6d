"""The Slurm script: what it hands on is what was meant, whatever a path is called; and real Slurm makes the shot."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from bench.base.errors import UserError
from bench.farm.export import export
from bench.farm.export.slurm import ARRAY_MAX, OF_LOGS
from bench.pipeline.folder.shot_folder import parse_frames
from tests.bench.farm.export.made import NASTY, WORDS, entries, job, program, rendered_alone, tiny
from tests.farm_nodes.faults import kill_one
from tests.farm_nodes.slurm import until

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")

# As nasty as Slurm lets a folder be
QUIET = "".join(character for character in NASTY if character not in OF_LOGS)


def programs(folder: Path, **scripts: str) -> dict[str, str]:
    """Surroundings in which these programs of Slurm, and shotmark, are shell scripts."""
    at = folder / "programs"
    at.mkdir(parents=True, exist_ok=True)
    for name, script in scripts.items():
        (at / name).write_text(f"#!/bin/bash\n{script}\n")
        (at / name).chmod(0o755)
    return {**os.environ, "PATH": f"{at}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_ID": "7"}


def bash(script: Path, *words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", script, *words], env=env, capture_output=True, text=True, timeout=60)


def written(at: Path, **options: Any) -> Path:
    path = at / "job.sh"
    path.write_text(export(job(**options), "slurm"))
    return path


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(WORDS.filter(lambda name: not set(name) & set(OF_LOGS)))
@hypothesis.example(QUIET)
@hypothesis.example("'; exit 9 #")
@hypothesis.example("$(exit 9)")
@hypothesis.example(")")
def test_no_folder_breaks_out_of_the_script(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("s")
    env = programs(folder, shotmark=f'printf "%s\\0" "$@" > {folder}/said')
    made = job(f"/{name}", frames=range(1, 8), chunk=3, pieces=2)
    script = written(folder, folder=f"/{name}", frames=range(1, 8), chunk=3, pieces=2)
    said = []
    for step, element in (("simulate", 0), *(("render", element) for element in range(6)), ("assemble", 0)):
        done = bash(script, f"task:{step}", env={**env, "SLURM_ARRAY_TASK_ID": str(element)})
        assert (done.returncode, done.stderr) == (0, "")
        said.append((folder / "said").read_text().split("\0")[:-1])
    renders = [made.render(frames, tile) for frames in ("1-3", "4-6", "7") for tile in made.tiles]
    assert said == [made.simulate("1-7"), *renders, made.assemble("1-7")]


def test_it_queues_three_jobs_that_wait_for_each_other(tmp_path: Path) -> None:
    script = written(tmp_path, folder=tmp_path / QUIET, frames=range(1, 61, 3), gpu=True, threads=4)
    count = f"n=$(($(cat {tmp_path}/n 2>/dev/null || echo 40) + 1)); echo $n > {tmp_path}/n"
    env = programs(tmp_path, sbatch=f'{count}\nprintf "%s\\0" "$@" > {tmp_path}/said$n\necho "$n;cluster"')
    done = bash(script, "--partition=a b", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["simulate 41", "render 42", "assemble 43"]
    simulate, render, assemble = ((tmp_path / f"said{n}").read_text().split("\0")[:-1] for n in (41, 42, 43))
    always = ["--parsable", f"--chdir={tmp_path / QUIET}/logs", "--kill-on-invalid-dep=yes"]
    assert simulate == [
        *always, "--output=simulate-%j.log", "--cpus-per-task=4", "--gres=gpu:1", "--partition=a b", str(script),
        "task:simulate",
    ]  # fmt: skip
    assert render[3:7] == ["--output=render-%A_%a.log", "--dependency=afterok:41", "--array=0-4", "--cpus-per-task=4"]
    assert render[7:] == ["--gres=gpu:1", "--partition=a b", str(script), "task:render"]
    assert assemble[3:6] == ["--output=assemble-%j.log", "--dependency=afterok:42", "--cpus-per-task=4"]
    assert "--gres=gpu:1" not in assemble and (tmp_path / QUIET / "logs").is_dir()


def test_what_sbatch_refuses_ends_it(tmp_path: Path) -> None:
    script = written(tmp_path, folder=tmp_path / "out")
    env = programs(tmp_path, sbatch='echo "invalid partition specified: gold" >&2; exit 1')
    done = bash(script, "--partition=gold", env=env)
    assert done.returncode == 1 and done.stdout == "" and done.stderr == "invalid partition specified: gold\n"


@pytest.mark.parametrize(("code", "tries"), [(0, 1), (2, 1), (3, 1), (1, 1), (137, 3), (139, 3)])
def test_a_task_that_dies_is_tried_three_times_and_one_that_says_why_once(
    code: int, tries: int, tmp_path: Path
) -> None:
    script = written(tmp_path)
    env = programs(tmp_path, shotmark=f"echo x >> {tmp_path}/tries; exit {code}", scontrol="exit 9")
    assert bash(script, "task:simulate", env=env).returncode == code
    assert (tmp_path / "tries").read_text().splitlines() == ["x"] * tries


SLOW = """trap 'echo told >> {at}/told; exit 143' TERM
echo x >> {at}/tries
for i in $(seq 300); do sleep 0.1; done"""


@pytest.mark.parametrize(
    ("number", "restarts", "requeued"),
    [(signal.SIGUSR1, 0, True), (signal.SIGUSR1, 50, False), (signal.SIGTERM, 0, False)],
)
def test_a_job_whose_time_ends_is_queued_again(number: int, restarts: int, requeued: bool, tmp_path: Path) -> None:
    """Told before its time ends (USR1), not when it is cancelled (TERM): either way the task is asked to end, once."""
    script = written(tmp_path)
    env = programs(tmp_path, shotmark=SLOW.format(at=tmp_path), scontrol=f'echo "$@" > {tmp_path}/requeued')
    process = subprocess.Popen(
        ["bash", script, "task:simulate"],
        env={**env, "SLURM_RESTART_COUNT": str(restarts)},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 30
    while not (tmp_path / "tries").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 143
    assert (tmp_path / "told").read_text() == "told\n" and (tmp_path / "tries").read_text() == "x\n"
    assert (tmp_path / "requeued").exists() == requeued
    if requeued:
        assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    assert ("give it more with --time" in told) == (restarts == 50)


def test_setup_runs_in_each_task_and_may_use_what_is_not_set(tmp_path: Path) -> None:
    script = written(tmp_path, setup=["if true; then", '\texport GREETING="$NOT_SET it\'s {me}"', "fi\n"])
    env = programs(tmp_path, shotmark=f'echo "$GREETING" > {tmp_path}/said')
    assert bash(script, "task:assemble", env=env).returncode == 0
    assert (tmp_path / "said").read_text() == " it's {me}\n"


def test_an_array_has_room_for_all(tmp_path: Path) -> None:
    """Frames of a task grow with the shot and the pieces; as many as asked for are refused where they are too few."""
    for frames, pieces in ((1, 1), (60, 1), (4004, 1), (4005, 1), (100_000, 1), (60, 16), (60, 100), (2000, 500)):
        text = export(job(frames=range(1, frames + 1), pieces=pieces), "slurm")
        listed = text[text.index("chunks=(") : text.index(")\ntiles")].split()[1:]
        found = [frame for part in listed for frame in parse_frames(part, frames)]
        assert found == list(range(1, frames + 1))
        elements = len(listed) * max(1, len(job(pieces=pieces).tiles))
        assert f"--array=0-{elements - 1} " in text and elements <= ARRAY_MAX
    assert "--array=0-1000 " in export(job(frames=range(1, 1002), chunk=1), "slurm")
    with pytest.raises(UserError, match=r"^--chunk: expected at least 2 for 1002 frames in 1 pieces, got 1"):
        export(job(frames=range(1, 1003), chunk=1), "slurm")
    with pytest.raises(UserError, match=r"^--pieces: Slurm takes 1001 elements"):
        export(job(pieces=1000), "slurm")


def test_slurm_takes_each_step(slurm: Any, tmp_path: Path) -> None:
    script = written(tmp_path, folder=tmp_path / "out", gpu=True)
    for step in ("simulate", "render", "assemble"):
        slurm.run("sbatch", "--test-only", "--time=10", "--gres=gpu:1", str(script), f"task:{step}")
    with pytest.raises(RuntimeError, match="invalid partition"):
        slurm.run("sbatch", "--test-only", "--partition=gold", str(script), "task:simulate")


def test_slurm_takes_it_from_a_job_too_and_a_cancelled_step_ends_the_others(slurm: Any, tmp_path: Path) -> None:
    """``sbatch FILE`` queues the steps from a node; the task of a cancelled one is told, what waits for it goes."""
    shell = f"""trap 'echo told >> {tmp_path}/told; exit 143' TERM
echo x >> {tmp_path}/begun
for i in $(seq 600); do sleep 0.1; done"""
    env = programs(tmp_path, shotmark=shell)
    script = written(tmp_path, folder=tmp_path / QUIET, frames=range(1, 4))
    outer = slurm.run(
        "sbatch", "--parsable", f"--output={tmp_path}/queued", str(script), "--time=5", also={"PATH": env["PATH"]}
    ).strip()
    assert slurm.wait(outer, seconds=60) == {outer: "COMPLETED"}
    steps = dict(line.split() for line in (tmp_path / "queued").read_text().splitlines())
    assert list(steps) == ["simulate", "render", "assemble"]
    until((tmp_path / "begun").exists, 60, "the task")
    slurm.run("scancel", steps["simulate"])
    assert slurm.wait(*steps.values(), seconds=60) == dict.fromkeys(steps.values(), "CANCELLED")
    assert (tmp_path / "told").read_text() == "told\n" and (tmp_path / "begun").read_text() == "x\n"


def test_slurm_makes_the_shot(slurm: Any, tmp_path: Path) -> None:
    """Pieces of frames on several nodes, in a folder with a nasty name, end in the hashes of one thread.

    The simulation is killed once, as by a kernel that is short of memory: it is begun again.
    """
    shot = tiny(tmp_path)
    out = tmp_path / QUIET / "out"
    options = {"frames": range(1, 4), "chunk": 2, "pieces": 2, "threads": 1}
    (tmp_path / QUIET).mkdir(parents=True)
    script = written(tmp_path / QUIET, folder=out, shot=str(shot), **options)
    alone = rendered_alone(shot, tmp_path / "alone", "1-3")
    path = {"PATH": f"{program(tmp_path)}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", script, "--time=30"], env={**slurm.environment, **path}, capture_output=True, text=True, check=True
    )
    jobs = [line.split()[1] for line in done.stdout.splitlines()]
    until(lambda: kill_one(slurm, random.Random(1)) is not None, 60, "a task to kill")
    states = slurm.wait(*jobs, seconds=240)
    logs = "".join(log.read_text() for log in sorted((out / "logs").iterdir()))
    assert states == dict.fromkeys(jobs, "COMPLETED"), logs
    assert entries(out) == alone
    assert "attempt 1 of 3 ended with 137" in logs
    # Simulated, traced in two pieces, put together: each on a node of this Slurm
    for frame in json.loads((out / "manifest.json").read_text())["frames"].values():
        assert [piece["kind"] for piece in frame["made"]] == ["simulate", "part", "part", "assemble"]
        assert {piece["node"] for piece in frame["made"]} <= set(slurm.nodes())


def test_slurm_queues_a_job_again_whose_time_ends(slurm: Any, tmp_path: Path) -> None:
    """A task that needs more time than its job has: told, asked to end, queued again, done in the second go."""
    shell = f"""trap 'echo told >> {tmp_path}/told; exit 143' TERM
[ ! -e {tmp_path}/told ] || exit 0
for i in $(seq 600); do sleep 0.1; done"""
    env = programs(tmp_path, shotmark=shell)
    script = written(tmp_path, folder=tmp_path / "out")
    job_id = slurm.run(
        "sbatch", "--parsable", "--time=1", "--signal=B:USR1@58", "--output=/dev/null", str(script), "task:simulate",
        also={"PATH": env["PATH"]},
    ).strip()  # fmt: skip
    assert slurm.wait(job_id, seconds=120) == {job_id: "COMPLETED"}
    assert (tmp_path / "told").read_text() == "told\n"

"""Parsl as the engine: what each provider is asked for, and real workers on this machine that die, and are replaced."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("parsl", reason="the farm's engine is Parsl, of the extra farm")

from bench.base.errors import Unavailable, UserError
from bench.farm.engine import interchange, parsl_engine, providers
from bench.farm.engine.parsl_engine import ParslEngine, require_engine
from bench.farm.engine.protocol import Returned
from bench.farm.site import Pool, Site, parse_site
from tests.bench.farm.engine import echo

TWO = '[[pool]]\nname = "here"\nprovider = "local"\nworkers_per_node = 2\ncores_per_node = 2\nheartbeat_s = 6\n'
FULL = {
    "slurm": 'partition = "gpu"\naccount = "me"\nqueue = "night"\nscheduler_options = ["#SBATCH --constraint=a100"]',
    "pbs": 'account = "me"\nqueue = "night"\nscheduler_options = ["#PBS -m n"]',
    "lsf": 'account = "me"\nqueue = "night"',
    "kubernetes": 'namespace = "farm"\nimage = "registry/shotmark:1"\nvolumes = ["render:/render", "cache:/cache"]',
}


def site(text: str = TWO) -> Site:
    return parse_site(text, "mine.toml", "mine")


def pool(provider: str, more: str = "") -> Pool:
    text = f'[[pool]]\nname = "p"\nprovider = "{provider}"\nnodes = 3\ngpus_per_node = 2\ncores_per_node = 8\n'
    return site(f"{text}memory_gib_per_node = 64\n{FULL[provider]}\n{more}").pools[0]


def until(come: Callable[[], object], most_s: float = 30.0) -> None:
    end = time.monotonic() + most_s
    while not come():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ParslEngine]:
    made = ParslEngine(site(), tmp_path, echo.call)
    yield made
    made.close()


# --- what is asked for -----------------------------------------------------------------------
@pytest.mark.parametrize("provider", sorted(FULL))
def test_parsl_takes_what_a_pool_says(provider: str) -> None:
    from parsl import providers as theirs

    given = providers.arguments_of(pool(provider))
    signature = inspect.signature(getattr(theirs, providers.CLASSES[provider]).__init__)
    signature.bind(None, **given)
    assert given["init_blocks"] == given["max_blocks"] == 3 and given["nodes_per_block"] == 1


def test_kubernetes_gets_what_its_provider_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsl's own class, which checks every type; the package kubernetes is a fake, nothing was run on a cluster."""
    from parsl.providers.kubernetes import kube

    monkeypatch.setattr(kube, "_kubernetes_enabled", True)
    fake = types.SimpleNamespace(
        load_kube_config=lambda: None, config_exception=types.SimpleNamespace(ConfigException=OSError)
    )
    monkeypatch.setattr(kube, "config", fake, raising=False)
    client = types.SimpleNamespace(CoreV1Api=lambda: None, BatchV1Api=lambda: None)
    monkeypatch.setattr(kube, "client", client, raising=False)
    made = providers.provider_of(pool("kubernetes", 'setup = ["export A=1"]'))
    assert (made.namespace, made.image, made.max_blocks) == ("farm", "registry/shotmark:1", 3)
    assert made.persistent_volumes == [("render", "/render"), ("cache", "/cache")]
    assert made.extra_limits == made.extra_requests == {"nvidia.com/gpu": "2"}
    assert (made.init_cpu, made.max_mem) == (8, "64Gi")
    assert "export A=1" in made.worker_init and "PATH=" not in made.worker_init


def test_slurm_is_asked_for_a_part_of_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    made = providers.provider_of(pool("slurm", 'wall_time = "02:00:00"'))
    for line in ("partition=gpu", "account=me", "qos=night", "gpus-per-node=2", "constraint=a100"):
        assert f"#SBATCH --{line}" in made.scheduler_options
    assert "exclusive" not in made.scheduler_options and made.mem_per_node == 64 and made.cores_per_node == 8
    assert made.walltime == "02:00:00" and made.status_polling_interval == providers.STATUS_INTERVAL_S
    asked: list[str] = []
    monkeypatch.setattr(made, "execute_wait", lambda command: asked.append(command) or (0, "", ""))
    jobs = [str(number) for number in range(120)]
    made.resources = {job: {} for job in jobs}
    assert made.cancel(jobs) == [True] * 120 and len(asked) == 3, "hundreds in one scancel time out"


def test_a_node_stops_before_its_wall_time() -> None:
    two_hours = pool("slurm", 'wall_time = "02:00:00"')
    assert providers.drain_s(two_hours, 0.0) == 7170
    assert providers.drain_s(two_hours, 600.0) == 7200 - 720
    assert providers.drain_s(two_hours, 1e9) == 3600
    assert providers.drain_s(pool("kubernetes"), 600.0) is None


def test_workers_are_pinned_and_told_their_threads() -> None:
    assert providers.accelerators(pool("slurm")) == {"available_accelerators": ["0", "1"]}
    shared = pool("slurm", "workers_per_node = 4")
    assert providers.accelerators(shared) == {"available_accelerators": ["0", "0", "1", "1"]}
    assert providers.accelerators(site().pools[0]) == {}
    lines = providers.first_lines(pool("slurm", 'setup = ["module load cuda", "export NUMBA_NUM_THREADS=99"]'))
    assert lines[-1] == "export NUMBA_NUM_THREADS=4" and "module load cuda" in lines
    assert any(str(Path(sys.executable).parent) in line for line in lines)
    assert lines[0] == 'export SHOTMARK_GPUS="${CUDA_VISIBLE_DEVICES:-0,1}"', "not by what nvidia-smi counts"
    assert providers.first_lines(site().pools[0])[0] == "export SHOTMARK_GPUS="


# --- what is not there -------------------------------------------------------------------------
@pytest.mark.parametrize(("provider", "program"), [("slurm", "sbatch"), ("pbs", "qsub"), ("lsf", "bsub")])
def test_no_scheduler_is_one_line(monkeypatch: pytest.MonkeyPatch, provider: str, program: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match=f"provider {provider} needs {program}, which is not in PATH"):
        providers.require_provider(pool(provider))


@pytest.mark.parametrize(
    ("script", "error", "says"),
    [
        ("echo gpu; echo cpu", UserError, "mine.toml: pool p: partition: expected one of cpu, gpu, got 'night'"),
        ("echo sinfo: error: no controller >&2; exit 1", Unavailable, "does not answer: sinfo: error: no controller"),
        ("echo retrying >&2; exec sleep 60", Unavailable, "does not answer: retrying"),
    ],
)
def test_what_slurm_says_no_to_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, error: type[Exception], says: str
) -> None:
    program = tmp_path / "sinfo"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(providers, "ANSWER_WITHIN_S", 0.5)
    night = pool("slurm").model_copy(update={"partition": "night"})
    with pytest.raises(error) as caught:
        providers.require_partition(night, "mine.toml")
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_no_parsl_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "parsl", None)
    with pytest.raises(Unavailable, match=r"Parsl, is not installed .*: pip install 'shotmark\[farm\]'"):
        require_engine(site(), tmp_path)


def test_a_path_that_parsl_cannot_take_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a path of"):
        require_engine(site(), tmp_path / "sp ace")


# --- real workers ------------------------------------------------------------------------------
def test_tasks_go_out_and_come_back(engine: ParslEngine) -> None:
    until(lambda: engine.workers()["here"] == 2)
    tickets = [engine.submit("here", {"number": number}) for number in range(20)]
    found: list[Returned] = []
    until(lambda: found.extend(engine.wait(0.1)) or len(found) == 20)
    assert sorted(one.ticket for one in found) == tickets
    assert all(one.answer is not None and one.answer["number"] == one.ticket - 1 for one in found)
    assert engine.problem() is None and engine.queue() == ""


@pytest.mark.slow
def test_a_worker_that_dies_is_told_and_another_one_comes(engine: ParslEngine) -> None:
    until(lambda: engine.workers()["here"] == 2)
    engine.submit("here", {"die": True})
    found: list[Returned] = []
    until(lambda: found.extend(engine.wait(0.1)) or found)
    assert found[0].answer is None and "loss of worker" in str(found[0].lost)
    found.clear()
    for _ in range(4):
        engine.submit("here", {"after": True})
    until(lambda: found.extend(engine.wait(0.1)) or len(found) == 4)
    assert all(one.answer is not None for one in found)


@pytest.mark.slow
def test_a_node_that_goes_away_is_asked_for_again(engine: ParslEngine) -> None:
    until(lambda: engine.workers()["here"] == 2)
    engine.submit("here", {"sleep_s": 60.0})
    jobs = engine._kernel.executors["here"].provider.resources
    first = next(iter(jobs))
    os.killpg(os.getpgid(int(first)), signal.SIGKILL)
    found: list[Returned] = []
    until(lambda: found.extend(engine.wait(0.1)) or found)
    assert found[0].answer is None and "loss of manager" in str(found[0].lost)
    until(lambda: len(jobs) == 2 and engine.workers()["here"] == 2)
    engine.submit("here", {"after": True})
    until(lambda: found.extend(engine.wait(0.1)) or len(found) == 2)
    assert found[1].answer is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "says"), [("exit 7", "workers failed to register"), ("echo no such module >&2; exit 1", "no such module")]
)
def test_nodes_that_never_bring_a_worker_are_given_up_with_what_they_said(
    tmp_path: Path, line: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parsl.providers import LocalProvider

    monkeypatch.setattr(LocalProvider, "status_polling_interval", 1)
    engine = ParslEngine(site(TWO + f'setup = ["{line}"]\n'), tmp_path, echo.call)
    try:
        until(lambda: engine.workers()["here"] > 0 or engine.problem())
        said = str(engine.problem())
        assert said.startswith("pool here: no worker started: ") and "\n" not in said
        assert says in said, said
    finally:
        engine.close()


def test_the_interchange_ends_with_whoever_started_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import os, time; print(os.getpid(), os.getpid() == os.getsid(0), flush=True); time.sleep(60)")
    start = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-P', *sys.argv[1:]], stdout=subprocess.PIPE);"
        " print(p.stdout.readline().decode().strip(), flush=True)"
    )
    told = subprocess.run(
        [sys.executable, "-c", start, str(interchange.__file__), str(script)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert told[1] == "True", "a session of its own: a terminal's Ctrl-C is not for it"
    until(lambda: not alive(int(told[0])))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.slow
def test_close_ends_the_workers(tmp_path: Path) -> None:
    engine = ParslEngine(site(), tmp_path, echo.call)
    until(lambda: engine.workers()["here"] == 2)
    engine.submit("here", {})
    found: list[Returned] = []
    until(lambda: found.extend(engine.wait(0.1)) or found)
    assert found[0].answer is not None
    pid = int(str(found[0].answer["pid"]))
    engine.close()
    until(lambda: not alive(pid))
    engine.close()


def test_parsl_writes_into_the_folder_alone(tmp_path: Path, engine: Any) -> None:
    assert (tmp_path / "000" / "parsl.log").is_file()
    assert not (Path.cwd() / "runinfo").exists()
    assert parsl_engine.PLAIN_PATH.fullmatch(str(tmp_path))


@pytest.mark.slow
def test_a_node_whose_time_comes_is_asked_for_again_before_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsl_engine, "drain_s", lambda pool, longest_s: 6)
    engine = ParslEngine(site(), tmp_path, echo.call)
    try:
        until(lambda: engine.workers()["here"] == 2)
        jobs = engine._kernel.executors["here"].provider.resources
        first = engine.submit("here", {"sleep_s": 15.0})
        until(lambda: engine.workers()["here"] == 0, 20.0)
        until(lambda: len(jobs) == 2, 8.0)
        found = engine.wait(0.0)
        assert not found, "it has not ended yet"
        until(lambda: engine.workers()["here"] == 2)
        until(lambda: found.extend(engine.wait(0.1)) or found)
        assert found[0].ticket == first and found[0].answer is not None, "what it had it brought to its end"
    finally:
        engine.close()


@pytest.mark.slow
def test_an_interchange_that_ends_is_told_and_its_nodes_are_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = site(TWO.replace("heartbeat_s = 6", "heartbeat_s = 60"))  # the workers do not notice by themselves
    engine = ParslEngine(patient, tmp_path, echo.call)
    until(lambda: engine.workers()["here"] == 2)
    engine.submit("here", {})
    found: list[Returned] = []
    until(lambda: found.extend(engine.wait(0.1)) or found)
    assert found[0].answer is not None
    executor = engine._kernel.executors["here"]
    executor.interchange_proc.kill()
    until(engine.problem)
    assert "Parsl's interchange has ended" in str(engine.problem())
    until(lambda: engine.workers()["here"] == 0)
    monkeypatch.setattr(parsl_engine, "CLOSE_S", 3.0)
    engine.close()
    pid = int(str(found[0].answer["pid"]))
    until(lambda: not alive(pid), 5.0)

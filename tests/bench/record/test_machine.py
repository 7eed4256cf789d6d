"""What a record says about the machine; and what it says when nothing can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.backend import choose, limits
from bench.backend.numba_cpu import NumbaBackend
from bench.backend.protocol import KernelTimes
from bench.base.errors import Unavailable, UserError
from bench.record import machine, processor
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import kernel
from tests.support.source_tree import ROOT


def test_description_is_json_without_host_name() -> None:
    import platform

    text = json.dumps(machine.pytest_benchmark_view(machine.describe()), allow_nan=False)
    assert f'"{platform.node()}"' not in text
    described = machine.describe()
    assert described["cpu"]["logical_cores"] >= described["cpu"]["affinity_cores"] >= 1
    assert described["memory"]["total_bytes"] > 2**28
    assert described["libraries"]["numba"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz", "intel-xeon-platinum-8488c"),
        ("AMD EPYC 9654 96-Core Processor", "amd-epyc-9654-96-core"),
        ("../../etc/passwd", "etc-passwd"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("  ", "unknown"),
        ("...", "unknown"),
        ("CON\x00\n" + "x" * 500, ("con-" + "x" * 500)[:60]),
        ("日本", "unknown"),
    ],
)
def test_slug_is_safe_as_a_folder(text: str, name: str) -> None:
    assert machine.slug(text) == name


ARM = "processor : 0\nFeatures : fp asimd\nCPU implementer : {}\nCPU architecture: 8\nCPU part : {}\n\n"
BIG_AND_SMALL = ARM.format("0x41", "0xd05") + ARM.format("0x61", "0x023")
SYSCTL = {"machdep.cpu.brand_string": "Apple M3 Max\n", "machdep.cpu.features": "FMA AVX1.0\n"}


@pytest.mark.parametrize(
    ("system", "proc", "told", "model", "isa"),
    [
        ("Linux", "model name\t: AMD EPYC\nflags\t: fma avx2 sse4_2\n", {}, "AMD EPYC", ["avx2", "fma", "sse4_2"]),
        (
            "Linux",
            "Features\t: asimd sve\n",
            {"lscpu": "Model name:   Neoverse-V2\nx: y"},
            "Neoverse-V2",
            ["sve", "asimd"],
        ),
        ("Linux", ARM.format("0x41", "0xd4f") * 2, {}, "ARM Neoverse-V2", ["asimd"]),
        (
            "Linux",
            ARM.format("0x41", "0xd05") + ARM.format("0x41", "0xd41"),
            {},
            "ARM Cortex-A55 + ARM Cortex-A78",
            ["asimd"],
        ),
        ("Linux", ARM.format("0x41", "0xfff"), {}, "ARM 0xfff", ["asimd"]),
        ("Linux", ARM.format("0x99", "0x001"), {}, "ARM 0x99 0x001", ["asimd"]),
        ("Linux", "cpu\t: POWER9, altivec supported\n", {}, "POWER9, altivec supported", []),
        ("Linux", "", {}, "the platform's word", []),
        ("Darwin", "", {"sysctl": SYSCTL}, "Apple M3 Max", ["fma"]),
        ("Darwin", "", {}, "the platform's word", []),
    ],
)
def test_a_processor_is_named_on_every_system(
    monkeypatch: pytest.MonkeyPatch, system: str, proc: str, told: dict[str, Any], model: str, isa: list[str]
) -> None:
    def output(*command: str) -> str:
        found = told.get(command[0], "")
        return found if isinstance(found, str) else "".join(found.get(key, "") for key in command[2:]).strip()

    read_text = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, **how: proc if str(self) == "/proc/cpuinfo" else read_text(self, **how)
    )
    monkeypatch.setattr(processor, "_output", output)
    monkeypatch.setattr(processor.platform, "system", lambda: system)
    monkeypatch.setattr(processor.platform, "processor", lambda: "the platform's word")
    assert processor._cpu_model() == (model, isa)


def test_a_command_that_is_not_there_says_nothing() -> None:
    assert processor._output("no-such-command-here") == "" == processor._output("false")
    assert processor._output("echo", "a", "b") == "a b"


def test_machines_with_other_hardware_have_other_folders() -> None:
    described = machine.describe()
    other: dict[str, Any] = {**described, "memory": {"total_bytes": 2**50, "cgroup_limit_bytes": None}}
    gpu = {**described, "gpus": [{"model": "NVIDIA H200"}]}
    emulated = {**described, "cpu": {**described["cpu"], "architecture": "riscv64"}}
    names = {machine.machine_id(each) for each in (described, other, gpu, emulated)}
    assert len(names) == 4
    assert any("1x-nvidia-h200" in name for name in names) and any("riscv64" in name for name in names)


def test_a_share_of_a_machine_is_the_same_machine() -> None:
    """``taskset -c 0``, a container's quota: other times, and the same hardware."""
    described = machine.describe()
    cpu: Any = {**described["cpu"], "affinity_cores": 1, "cgroup_quota_cores": 0.5}
    pinned: Any = {**described, "cpu": cpu}
    assert machine.machine_id(pinned) == machine.machine_id(described)
    whole, part = (machine.share_of(machine.pytest_benchmark_view(each)) for each in (described, pinned))
    assert whole != part and part.text == "1 logical core, 0.5 cores' worth of time"
    for document in ({}, {"shotmark": 3}, {"shotmark": {"cpu": [1]}}, {"shotmark": {"cpu": {"affinity_cores": "x"}}}):
        assert machine.share_of(document) == machine.Share(None, None)


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2, reason="needs two cores to choose"
)
def test_a_pinned_run_has_the_folder_of_the_whole_machine() -> None:
    program = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from bench.record import machine; print(machine.describe()['id'])"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == machine.describe()["id"]


@pytest.fixture
def asked_anew() -> Iterator[None]:
    machine.commit.cache_clear()
    yield
    machine.commit.cache_clear()


def test_an_installed_package_has_no_commit(asked_anew: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CHECKOUT", tmp_path)
    found = machine.commit()
    assert found["id"] is None and found["clean"] is None and "not from a checkout" in str(found["why_unversioned"])


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (None, "git is not installed"),
        (
            "echo 'fatal: detected dubious ownership in repository at x' >&2; exit 128",
            "git: detected dubious ownership",
        ),
        ("echo 'fatal: not a git repository' >&2; exit 128", "git: not a git repository"),
        ("exit 3", "git: exit code 3"),
        ("echo /elsewhere", "the checkout lies inside another repository"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for git")
def test_a_commit_that_is_not_known_says_why(
    asked_anew: None, script: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None:
        (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = machine.commit()
    assert found["id"] is None and says in str(found["why_unversioned"])
    view = machine.pytest_benchmark_commit(found)
    assert view["id"] == "unversioned" and view["why_unversioned"] == found["why_unversioned"]


STEP = "0::/job_1/step_0/user/task_0\n"


@pytest.mark.parametrize(
    ("files", "membership", "cores"),
    [
        ({}, "0::/\n", None),
        ({"cpu.max": "max 100000"}, "0::/\n", None),
        ({"cpu.max": "150000 100000"}, "0::/\n", 1.5),
        ({"cpu.max": "400000 100000", "a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000"}, "0::/a/b\n", 2.0),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu,cpuacct:/\n", 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu:/\n", None),
        ({"cpu.max": "garbage"}, "0::/\n", None),
        ({"cpu.max": "9" * 5000 + " 1"}, "0::/\n", None),
        ({"cpu.max": "150000 100000"}, "no colons\n", 1.5),
        ({"cpu.max": "150000 100000"}, "", 1.5),
        ({"cpu.max": "150000 100000"}, "0::/../../elsewhere\n", 1.5),
    ],
)
def test_container_limits_are_read(tmp_path: Path, files: dict[str, str], membership: str, cores: float | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "membership").write_text(membership)
    assert limits.cgroup_quota_cores(tmp_path, tmp_path / "membership") == cores


@pytest.mark.parametrize(
    ("files", "membership", "limit"),
    [
        ({}, "0::/\n", None),
        ({"memory.max": "max"}, "0::/\n", None),
        ({"memory.max": "1000"}, "0::/\n", 1000),
        # Slurm: the limit stands at the step, below the root and above the process's own group
        ({"job_1/step_0/memory.max": "4194304000", "job_1/step_0/user/memory.max": "max"}, STEP, 4194304000),
        ({"job_1/memory.max": "3000", "job_1/step_0/memory.max": "5000"}, STEP, 3000),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, "4:memory:/\n", None),
        ({"memory/slurm/memory.limit_in_bytes": "7000"}, "4:memory:/slurm/step\n", 7000),
        ({"memory.max": "garbage"}, "0::/\n", None),
        ({"memory.max": ""}, "0::/\n", None),
        ({"memory.max": "1000"}, "no colons\n0::/\n", 1000),
        ({"memory.max": "1000"}, "\x00\n", 1000),
    ],
)
def test_the_least_limit_of_memory_counts(
    tmp_path: Path, files: dict[str, str], membership: str, limit: int | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "membership").write_text(membership)
    assert limits.cgroup_memory_limit_bytes(tmp_path, tmp_path / "membership") == limit
    assert limits.cgroup_memory_limit_bytes(tmp_path / "no", tmp_path / "no") is None


def test_a_limit_of_address_space_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limits")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (2**30, 2**40))
    assert limits.usable_memory_bytes() <= 2**30
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert limits.address_space_limit_bytes() is None


def test_an_unavailable_back_end_says_what_is_missing() -> None:
    states = {state.name: state for state in choose.available_backends()}
    assert states["numba"].available
    if states["cupy"].available:
        pytest.skip("CuPy runs here")
    assert states["cupy"].reason and states["cupy"].install
    with pytest.raises(Unavailable, match=r"back-end cupy cannot run here: .* What helps: "):
        choose.make_backends("cupy")
    assert [made.name for made in choose.make_backends("all")] == ["numba"]


def test_unknown_back_ends_and_thread_counts_are_bad_input() -> None:
    for choice, threads in (("opencl", None), ("numba", 0), ("numba", 10**6)):
        with pytest.raises(UserError):
            choose.make_backends(choice, threads)


def test_launches_are_told_to_the_observer() -> None:
    device = FakeBackend(clock_values=[1.0, 3.0, 10.0, 10.5])
    device.observer = times = KernelTimes()
    device.launch(kernel("p2g"))
    device.launch(kernel("p2g"))
    assert times.seconds() == {"p2g": 2.5} and times.launches() == {"p2g": 2}
    assert KernelTimes().seconds() == {}


def test_numba_back_end_copies_what_it_is_given() -> None:
    import numpy as np

    device = NumbaBackend(1)
    source = np.arange(6.0).reshape(2, 3).T
    copy = device.array(source)
    source[0, 0] = 99.0
    assert copy.flags.c_contiguous and copy[0, 0] == 0.0
    assert device.clock() <= device.clock()

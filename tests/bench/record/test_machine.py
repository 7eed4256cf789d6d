"""What a record says about the machine; and what it says when nothing can be read."""

from __future__ import annotations

import json
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
    names = {machine.machine_id(each) for each in (described, other, gpu)}
    assert len(names) == 3
    assert any("1x-nvidia-h200" in name for name in names)


def test_a_folder_that_is_no_checkout_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CHECKOUT", tmp_path)
    machine.commit.cache_clear()
    try:
        assert machine.commit() == {"id": None, "clean": None, "time": None, "branch": None}
    finally:
        machine.commit.cache_clear()


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
    ],
)
def test_container_limits_are_read(tmp_path: Path, files: dict[str, str], membership: str, cores: float | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "membership").write_text(membership)
    assert limits.cgroup_quota_cores(tmp_path, tmp_path / "membership") == cores


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

"""compute-sanitizer as certify calls it: what it says is believed, and a tool that cannot work has proved nothing."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bench.check import sanitizer as sanitize
from bench.check.certify import proofs
from bench.check.certify.session import Limits
from bench.record.certificate import FAILED, LEFT_OUT, PASSED
from tests.emulator.gpu import NEEDS_COMPILER, emulated_cupy


@pytest.mark.needs("sh")
@pytest.mark.parametrize(
    ("script", "verdict", "line"),
    [
        ("echo ========= ERROR SUMMARY: 0 errors", "clean", "ERROR SUMMARY: 0 errors"),
        ("echo '========= Invalid __global__ write: error'; exit 86", "errors", "Invalid __global__ write: error"),
        ("echo '========= ERROR SUMMARY: 3 errors'; exit 1", "errors", "ERROR SUMMARY: 3 errors"),
        ("exit 1", "failed", "exit code 1"),
        (
            "echo '========= Error: Target application terminated before first instrumented API call'; exit 1",
            "failed",
            "Error: Target application terminated before first instrumented API call",
        ),
        ("sleep 20", "no time", "not done after 1 s"),
        (
            "echo went through mpm_p2g; echo went through mpm_g2p; sleep 20",
            "no time",
            "not done after 1 s; 2 kernels without an error until then",
        ),
        ("echo '========= Invalid __shared__ read: error'; sleep 20", "errors", "Invalid __shared__ read: error"),
        ("echo '========= Error: Race reported between'; sleep 20", "errors", "Error: Race reported between"),
        ("echo '========= Error: no debugger allowed'; sleep 20", "no time", "not done after 1 s"),
    ],
)
def test_a_sanitizer_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, verdict: str, line: str
) -> None:
    program = tmp_path / sanitize.PROGRAM
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = sanitize.run_tool("memcheck", 0, 1.0, child=("true",))
    assert (found.verdict, found.line) == (verdict, line)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("clean", PASSED), ("errors", FAILED), ("failed", LEFT_OUT), ("no time", LEFT_OUT), ("not installed", LEFT_OUT)],
)
def test_a_sanitizer_that_cannot_start_proves_nothing(said: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitize, "run_tool", lambda *asked: sanitize.ToolResult("memcheck", said, "why"))
    asked: Any = SimpleNamespace(on_gpu=True, gpu=SimpleNamespace(device=0), left_s=1.0, limits=Limits())
    assert proofs.sanitizer(asked, "memcheck").verdict == verdict


@pytest.mark.needs("sh", "os.killpg")
def test_what_a_sanitizer_watched_ends_with_it(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    assert sanitize._run(["sh", "-c", f"sleep 60 & echo $! > {told}; wait"], 2.0) == (None, "")
    watched = int(told.read_text())
    until = time.monotonic() + 20.0
    while psutil.pid_exists(watched) and psutil.Process(watched).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_sanitizer_ends_where_a_system_knows_no_groups_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has neither killpg nor SIGKILL."""
    for name, missing in (("os", "killpg"), ("signal", "SIGKILL")):
        whole = vars(getattr(sanitize, name))
        reduced = SimpleNamespace(**{key: value for key, value in whole.items() if key != missing})
        monkeypatch.setattr(sanitize, name, reduced)
    start = time.monotonic()
    assert sanitize._run([sys.executable, "-c", "import time; time.sleep(60)"], 1.0) == (None, "")
    assert time.monotonic() - start < 30.0


@NEEDS_COMPILER
def test_what_a_sanitizer_watches_runs_without_the_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cupy = emulated_cupy()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["sanitize", "0", "mpm_key"])
    sanitize.main()
    assert capsys.readouterr().out == f"{sanitize.DONE}mpm_key\n" and cupy.log[0] == ("allocator", None)

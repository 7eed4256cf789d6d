"""What Linux alone has is asked for, never taken for granted: every module imports without it.

Nothing can be run on macOS or Windows from here. What is known to be missing there is taken away, and what every
command needs has to work all the same.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.support.source_tree import ROOT

# Of the documentation of os, signal and the modules marked "Availability: Unix"
NOT_ON_WINDOWS = """
import importlib, os, pathlib, pkgutil, signal, sys

# Libraries first: how they find their way on Windows is their business
import click, filelock, numba, numba.np.ufunc.parallel, numpy, PIL.Image, psutil, pydantic, pytest
import pytest_benchmark.plugin
import rich.console, rich.live, rich.progress, rich.table, scipy.optimize, scipy.special, scipy.stats
import multiprocessing.connection, multiprocessing.pool, subprocess, tempfile, threading

for name in (
    "fork forkpty killpg setsid getpgid sched_getaffinity sched_setaffinity getloadavg uname statvfs fstatvfs mkfifo"
    " wait4 waitid geteuid getuid getgid chown nice posix_spawn O_NONBLOCK"
).split():
    if hasattr(os, name):
        delattr(os, name)
for name in [name for name in dir(signal) if name.startswith("SIG")]:
    if name not in ("SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_IGN SIG_BLOCK").split():
        delattr(signal, name)
for name in ("alarm", "setitimer", "pthread_sigmask", "sigwait"):
    if hasattr(signal, name):
        delattr(signal, name)


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("resource", "fcntl", "pwd", "grp", "termios", "posix", "readline"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())

import bench, kernels

for package in (bench, kernels):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.startswith("bench.entry") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)

from bench.backend import limits
from bench.cli import start
from bench.record import machine

start._answer_signals()
described = machine.describe()
assert described["cpu"]["affinity_cores"] >= 1 and limits.usable_memory_bytes() > 0
assert machine.load_average() is None and machine.peak_memory_bytes() is None
print("every module")
"""


def test_every_module_imports_without_what_windows_lacks() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", NOT_ON_WINDOWS], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "every module\n", done.stderr


@pytest.mark.parametrize("file", ["pyproject.toml", "Makefile", "README.md", "CONTRIBUTING.md"])
def test_every_place_names_the_same_pythons(file: str) -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', project)
    assert found is not None
    first, after = int(found[1]), int(found[2])
    text = (ROOT / file).read_text(encoding="utf-8")
    named = {int(minor) for minor in re.findall(r"\bPython 3\.(\d+)", text)} | {
        int(minor) for pair in re.findall(r"Python 3\.(\d+) to 3\.(\d+)", text) for minor in pair
    }
    if file == "Makefile":
        assert f"(3, {first}) <= sys.version_info[:2] < (3, {after})" in text
        assert f"Python 3.{first} to 3.{after - 1}" in text
    assert all(first <= minor < after for minor in named), named
    if file in ("README.md", "CONTRIBUTING.md"):
        assert f"Python 3.{first} to 3.{after - 1}" in text

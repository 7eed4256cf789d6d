"""Settings of Numba's that cannot work: one line that names the variable, from every command that compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.commands import all_commands
from tests.support.source_tree import ROOT

WITHOUT_NUMBA = ("compare", "devices", "report")  # what only reads works all the same
# What a command cannot do without
WORDS = {
    "render": ["wave"],
    "farm run": ["wave"],
    "farm report": ["out"],
    "farm export": ["wave", "--to", "slurm", "--out", "out"],
}
GROUPS = {"farm"}

SETTINGS = [
    ({"NUMBA_NUM_THREADS": "0"}, "NUMBA_NUM_THREADS: expected a whole number from 1, not '0'"),
    ({"NUMBA_NUM_THREADS": "-3"}, "NUMBA_NUM_THREADS: expected a whole number from 1, not '-3'"),
    ({"NUMBA_NUM_THREADS": "many"}, "NUMBA_NUM_THREADS: expected a whole number from 1, not 'many'"),
    ({"NUMBA_THREADING_LAYER": "junk"}, "NUMBA_THREADING_LAYER: expected one of default, "),
    ({"NUMBA_THREADING_LAYER_PRIORITY": "omp"}, "NUMBA_THREADING_LAYER_PRIORITY=omp: "),
    ({"NUMBA_DISABLE_JIT": "1"}, "NUMBA_DISABLE_JIT=1: expected 0 or nothing"),
    ({"NUMBA_CPU_FEATURES": "avx2"}, "NUMBA_CPU_FEATURES: expected such as +avx2,-avx512f, not 'avx2'"),
    ({"NUMBA_OPT": "fast"}, "NUMBA_OPT: Numba cannot read 'fast'"),
    ({"NUMBA_OPT": "fast", "PYTHONWARNINGS": "error"}, "NUMBA_OPT: Numba cannot read 'fast'"),
]


def shotmark(*words: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("environment", "line"), SETTINGS, ids=[" ".join(map("=".join, s[0].items())) for s in SETTINGS]
)
def test_a_setting_that_cannot_work_is_one_line(environment: dict[str, str], line: str) -> None:
    done = shotmark("run", "wave", **environment)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"shotmark: {line}") and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("name", sorted({" ".join(words) for words in all_commands()} - GROUPS))
def test_every_command_that_compiles_says_it(name: str, tmp_path: Path) -> None:
    done = shotmark(*name.split(), *WORDS.get(name, ()), NUMBA_NUM_THREADS="0")
    if name in WITHOUT_NUMBA:
        assert done.returncode == 0 and "Traceback" not in done.stderr
        return
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("shotmark: NUMBA_NUM_THREADS: expected") and done.stderr.count("\n") == 1, done.stderr


def test_a_layer_that_is_not_installed_is_named() -> None:
    done = shotmark("shots", "wave", NUMBA_THREADING_LAYER="tbb")
    if done.returncode == 0:
        pytest.skip("TBB is installed")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("shotmark: NUMBA_THREADING_LAYER=tbb: Numba has no such threads here: ")


def test_a_layer_that_is_there_is_used() -> None:
    assert shotmark("shots", "wave", NUMBA_THREADING_LAYER="workqueue").returncode == 0


def test_a_file_of_settings_is_named_too(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="Numba reads the file with PyYAML")
    (tmp_path / ".numba_config.yaml").write_text("disable_jit: 1\n")
    done = shotmark("shots", "wave", folder=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("shotmark: .numba_config.yaml: disable_jit"), done.stderr


@pytest.mark.parametrize(
    ("environment", "threads", "says"),
    [
        (
            {"NUMBA_NUM_THREADS": "1"},
            "2",
            "--threads: expected a whole number from 1 to 1 (NUMBA_NUM_THREADS is 1), not 2",
        ),
        ({}, "100000", "(the cores that this process may use), not 100000"),
    ],
)
def test_more_threads_than_there_can_be_say_why(environment: dict[str, str], threads: str, says: str) -> None:
    done = shotmark("run", "wave", "--threads", threads, **environment)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and says in done.stderr, done.stderr


def test_devices_says_what_is_wrong() -> None:
    done = shotmark("devices", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0 and "back-end numba  cannot run: NUMBA_DISABLE_JIT=1: expected" in done.stdout

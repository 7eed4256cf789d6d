"""A command starts quickly: its module imports nothing heavy, and so ``shotmark --help``, which imports them all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.house.commands import all_commands
from tests.support.source_tree import ROOT

HEAVY = {"numba", "numpy", "scipy", "pydantic", "rich", "PIL", "pytest", "psutil", "filelock", "parsl"}
OURS = {"kernels", "bench.pipeline.scene", "bench.measure.plugin", "bench.project.model"}


@pytest.mark.parametrize("words", [["--help"], *([*words, "--help"] for words in all_commands())], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    """``-X importtime`` would name the milliseconds; a clock has no place in a test."""
    ask = "import sys; from bench.cli.main import main; main(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", ask, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    *told, modules = done.stdout.splitlines()
    assert told[0].startswith("Usage:")
    loaded = set(modules.split())
    assert "click" in loaded and sorted(loaded & (HEAVY | OURS)) == []

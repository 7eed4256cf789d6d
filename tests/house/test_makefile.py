"""Which CuPy ``make`` installs: the one that fits the driver, none without one. Nothing is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.source_tree import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

MODULE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc 12.2.0\n"
OPEN_MODULE = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (dvs-builder@U22)\n"


def lines_of(target: str, folder: Path, smi: str | None = None, module: str | None = None) -> list[str]:
    """What make would do where nvidia-smi says ``smi`` and the kernel module ``module``."""
    programs = folder / "bin"
    programs.mkdir()
    tool = programs / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexit 9\n" if smi is None else f"#!/bin/sh\necho '{smi}'\n")
    tool.chmod(0o755)
    version = folder / "version"
    if module is not None:
        version.write_text(module)
    words = ["make", "-n", target, f"VENV={folder}/venv", f"DRIVER_FILE={version}"]
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("smi", "module", "extra"),
    [
        ("535.104.05", None, "cuda12"),
        ("525.60.13", None, "cuda12"),
        ("580.65.06", None, "cuda13"),
        ("470.256.02", None, None),
        (None, None, None),
        ("NVIDIA-SMI has failed because it couldn't communicate", None, None),
        (None, MODULE.format("535.104.05"), "cuda12"),
        (None, OPEN_MODULE.format("580.65.06"), "cuda13"),
        (None, "NVRM version: something else\n", None),
    ],
)
def test_the_driver_decides_which_cupy_is_installed(
    smi: str | None, module: str | None, extra: str | None, tmp_path: Path
) -> None:
    told = lines_of("run", tmp_path, smi.replace("'", "") if smi else None, module)
    (installs,) = [line for line in told if " install -q " in line]
    assert installs.endswith(f'-e ".[{extra}]"' if extra else '-e "."')
    # A driver that comes later, or another one, sets up anew; its CuPy does not land beside the other one
    assert f"touch {tmp_path}/venv/.ready-run{f'-{extra}' if extra else ''}" in told
    removed = [line.split()[-1] for line in told if " uninstall " in line]
    assert removed == {"cuda12": ["cupy-cuda13x"], "cuda13": ["cupy-cuda12x"], None: []}[extra]


def test_development_gets_cupy_as_well(tmp_path: Path) -> None:
    told = lines_of("setup", tmp_path, "580.65.06")
    assert any(line.endswith('-e ".[dev,cuda13]"') for line in told)

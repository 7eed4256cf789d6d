"""What is installed is what is checked out: all files are in the wheel, and every way to start it does the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.source_tree import copy_project, tracked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, made without a network."""
    pytest.importorskip("setuptools", minversion="77", reason="building a wheel needs setuptools 77 or newer")
    copy, out = copy_project(tmp_path_factory.mktemp("copy")), tmp_path_factory.mktemp("wheel")
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of an environment where the wheel is installed; what it depends on is this environment's."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True, symlinks=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    command = [programs / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run(command, check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # Behind its own packages, and without what makes the checkout importable here
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def test_a_wheel_holds_the_same_files(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packed = {name for name in names if ".dist-info/" not in name}
    # The command's own package has a name of its own, so that nobody else's bench can stand before it
    wanted = {name for name in tracked() if name.split("/")[0] in ("bench", "kernels")}
    assert packed == {name.removeprefix("bench/entry/") for name in wanted}
    assert "shotmark/__init__.py" in packed
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_every_way_to_start_it_does_the_same_from_any_folder(installed: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def told(*words: object, folder: Path = tmp_path) -> str:
        command = [str(word) for word in words]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = told(installed / "python", "-c", "import bench; print(bench.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent), "the checkout, not the wheel"
    ways = ([installed / "shotmark"], [installed / "python", "-m", "bench"])
    other = tmp_path / "other"
    other.mkdir()
    for words in (["--version"], ["--help"], ["shots", "wave"]):
        assert len({told(*way, *words, folder=folder) for way in ways for folder in (tmp_path, other)}) == 1, words
    shots = json.loads(told(installed / "shotmark", "shots", "--json"))["shots"]
    assert {shot["shot"] for shot in shots} >= {"lava", "tornado", "wave"}
    assert list(other.iterdir()) == []


def test_results_go_to_the_folder_where_it_is_started(installed: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    line = "from bench.base.files import default_results; print(default_results())"
    command = [str(installed / "python"), "-c", line]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()).resolve() == (tmp_path / "results").resolve()


def test_another_kernels_installed_over_ours_is_one_line(installed: Path, tmp_path: Path) -> None:
    """pip says nothing when PyPI's ``kernels`` overwrites our file."""
    (site,) = installed.parent.glob("lib/python*/site-packages")
    ours = site / "kernels" / "__init__.py"
    kept = ours.read_bytes()
    ours.write_text('"""Kernel Hub client."""\n')
    try:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [str(installed / "shotmark"), "devices"], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
    finally:
        ours.write_bytes(kept)
    assert done.returncode == 3 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "another package named kernels was installed over Shotmark's" in done.stderr

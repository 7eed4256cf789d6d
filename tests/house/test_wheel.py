"""What is installed is what is checked out: all files are in the wheel, and every way to start it does the same."""

from __future__ import annotations

import ast
import email
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kernels.base import nvrtc
from tests.support.source_tree import ROOT, copy_project, tracked

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
    assert packed == {name.removeprefix("bench/cli/entry/") for name in wanted}
    assert "shotmark/__init__.py" in packed
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


# Where there are wheels of CuPy and NVRTC, and where there are none
WITH_GPU = [("linux", "x86_64"), ("linux", "aarch64"), ("win32", "AMD64")]
WITHOUT = [("darwin", "arm64"), ("darwin", "x86_64"), ("win32", "ARM64")]


def required(wheel: Path, extra: str, system: str = "linux", machine: str = "x86_64") -> set[str]:
    """What pip installs for the wheel and one of its extras on such a system."""
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        told = email.message_from_bytes(packed.read(name))
    assert extra in told.get_all("Provides-Extra", [])
    where = {"extra": extra, "sys_platform": system, "platform_machine": machine}
    asked = [Requirement(line) for line in told.get_all("Requires-Dist", [])]
    return {str(canonicalize_name(one.name)) for one in asked if one.marker is None or one.marker.evaluate(where)}


def test_an_extra_brings_all_that_the_gpu_s_back_end_loads(wheel: Path) -> None:
    """On a machine with nothing but the driver: CuPy has the runtime in it, the compiler is a wheel of its own."""
    for major, compiler in nvrtc.WHEELS.items():
        for system, machine in WITH_GPU:
            found = required(wheel, f"cuda{major}", system, machine)
            assert found >= {f"cupy-cuda{major}x", compiler, "nvidia-ml-py", "numpy"}, (system, machine)
        for system, machine in WITHOUT:
            found = required(wheel, f"cuda{major}", system, machine)
            assert not found & {f"cupy-cuda{major}x", compiler}, (system, machine)


def test_every_import_of_the_back_end_is_installed_by_the_extra(wheel: Path) -> None:
    """Each name that a module of the back-end or of the kernels imports, in a function or not."""
    named = {
        name.split(".")[0]
        for folder in ("bench/backend", "kernels")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imported(node)
    }
    brought_by = {"cupy": "cupy-cuda12x", "pynvml": "nvidia-ml-py", "llvmlite": "numba"}
    foreign = named - set(sys.stdlib_module_names) - {"bench", "kernels"}
    assert foreign >= {"cupy", "pynvml", "numba"}
    assert {brought_by.get(name, name) for name in foreign} <= required(wheel, "cuda12")


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module]
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "import_module"
    return [each.value for each in node.args if isinstance(each, ast.Constant)] if called else []  # type: ignore[attr-defined]


def test_development_needs_no_wheel_that_is_not_there(wheel: Path) -> None:
    for system, machine in WITHOUT:
        assert nvrtc.WHEELS[12] not in required(wheel, "dev", system, machine), (system, machine)
    for system, machine in WITH_GPU:
        assert nvrtc.WHEELS[12] in required(wheel, "dev", system, machine), (system, machine)
        # Tests alone use it, and leave out what it is for where it is missing
        assert ("nvidia-cuda-nvdisasm" in required(wheel, "dev", system, machine)) == (system == "linux")


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

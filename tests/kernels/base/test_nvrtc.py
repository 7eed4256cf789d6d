"""The compiler's library is found in its wheel, and by CuPy as well, on a machine that has no toolkit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.base import nvrtc
from tests.support.source_tree import ROOT

# What CuPy 13 does on Linux: it asks the system by name, and knows nothing of wheels
CUPY = """
import ctypes
def version(name):
    major, minor = ctypes.c_int(), ctypes.c_int()
    ctypes.CDLL(name).nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value
"""


def in_a_fresh_process(line: str, *folders: Path) -> str:
    path = os.pathsep.join(str(folder) for folder in (*folders, ROOT))
    done = subprocess.run(
        [sys.executable, "-c", line], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def packages(folder: Path, *names: str) -> Path:
    """A folder of packages: files by their names, empty but for CuPy."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (folder / "cupy.py").write_text(CUPY)
    return folder


@pytest.mark.skipif(sys.platform != "linux" or nvrtc.library_path(12) is None, reason="a Linux with NVRTC's wheel")
def test_cupy_finds_the_wheel_s_library_by_its_name(tmp_path: Path) -> None:
    folder = packages(tmp_path, "cupy_cuda12x-13.4.1.dist-info/METADATA")
    (folder / "cupy_cuda12x-13.4.1.dist-info" / "METADATA").write_text("Name: cupy-cuda12x\nVersion: 13.4.1\n")
    load = "from bench.backend.nvrtc_cache import import_cupy; print(import_cupy().version('libnvrtc.so.12'))"
    assert in_a_fresh_process(load, folder) == "12"


def test_each_cupy_gets_the_compiler_of_its_own_cuda(tmp_path: Path) -> None:
    """Both wheels may be there, such as with another package that computes on the GPU."""
    names = [f"nvidia/{next(iter(nvrtc.FILES[major]))}" for major in nvrtc.WHEELS]
    folder = packages(tmp_path, *names)
    line = "from kernels.base import nvrtc; print(*map(nvrtc.library_path, (12, 13, None)))"
    assert in_a_fresh_process(line, folder) == " ".join(str(folder / name) for name in (*names, names[0]))


@pytest.mark.parametrize("major", nvrtc.WHEELS)
def test_a_library_that_is_none_does_not_hinder_the_import(tmp_path: Path, major: int) -> None:
    name = f"cupy_cuda{major}x-13.6.0.dist-info/METADATA"
    folder = packages(tmp_path, f"nvidia/{next(iter(nvrtc.FILES[major]))}", name)
    (folder / name).write_text(f"Name: cupy-cuda{major}x\nVersion: 13.6.0\n")
    line = "from bench.backend.nvrtc_cache import import_cupy; print(import_cupy().__name__)"
    assert in_a_fresh_process(line, folder) == "cupy"


@pytest.mark.parametrize("asked", [None, "/dev/null/x"])
@pytest.mark.parametrize("home", ["/nonexistent", "own"])
def test_cupy_is_given_a_folder_that_can_be_written_to(tmp_path: Path, asked: str | None, home: str) -> None:
    """A shared home that is read-only, no home at all: CuPy's cache and ours are elsewhere, and a line says so."""
    folder = packages(tmp_path / "packages", "x")
    (tmp_path / "own").mkdir()
    line = (
        "import os; from bench.backend.nvrtc_cache import Compiler, folder_of, import_cupy; import_cupy();"
        "place = os.environ['CUPY_CACHE_DIR']; open(os.path.join(place, 'x'), 'w'); print(place, folder_of('cuda'))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "HOME": str(tmp_path / home)}
    environment |= {"HOME": home} if home.startswith("/") else {}
    environment |= {"CUPY_CACHE_DIR": asked} if asked else {}
    environment |= {"TMPDIR": str(tmp_path)}
    for name in ("XDG_CACHE_HOME", *(() if asked else ("CUPY_CACHE_DIR",))):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-c", line], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cupy, cuda = map(Path, done.stdout.split())
    assert (cupy.name, cuda.name) == ("cupy", "cuda") and cupy.parent == cuda.parent and tmp_path in cupy.parents
    if home == "own" and asked is None:
        assert done.stderr == "" and cupy.exists()
        return
    assert done.stderr.count("\n") == 1, done.stderr
    assert ("CUPY_CACHE_DIR=/dev/null/x" if asked else "no home folder") in done.stderr
    assert home == "own" or not cupy.exists(), "a temporary folder goes with its process"

"""The cache of compiled kernels: damaged files, other processors, folders that cannot be used; never a traceback."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernels.base import cache, registry
from tests.support.source_tree import ROOT

# Compiles one small kernel, or loads it, and says how often the compiler ran and where the code lies
PROGRAM = """
import numpy as np
from numba.core import event
clock = event.TimingListener()
event.register("numba:compile", clock)
from kernels.effects.fx_scan import KERNEL
arguments = KERNEL.example(np.random.default_rng(0), 8)
KERNEL.cpu(*[arguments[name] for name in KERNEL.argument_names])
print("compiled" if clock.done else "loaded", KERNEL.cpu._cache.cache_path)
"""


def run(**environment: str | None) -> tuple[bool, Path, str]:
    """(whether it was compiled, where the code lies, standard error)."""
    wanted = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={name: value for name, value in wanted.items() if value is not None},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    verdict, _, place = done.stdout.strip().partition(" ")
    return verdict == "compiled", Path(place), done.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one kernel in it."""
    folder = tmp_path_factory.mktemp("numba")
    assert run(NUMBA_CACHE_DIR=str(folder))[0] and not run(NUMBA_CACHE_DIR=str(folder))[0]
    return folder


def truncate(path: Path) -> None:
    os.truncate(path, 10)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)


def overwrite_with_its_digest(path: Path) -> None:
    """What a seal does not see: Numba's own reading has to fail in peace."""
    truncate(path)
    seal = path.with_name(path.name + cache.SEAL)
    seal.write_text(hashlib.sha256(path.read_bytes()).hexdigest())


def remove_seal(path: Path) -> None:
    path.with_name(path.name + cache.SEAL).unlink()
    os.utime(path, (1e9, 1e9))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "ending"),
    [
        (truncate, "*.nbi"),
        (empty, "*.nbc"),
        (overwrite, "*.nb?"),
        (overwrite_with_its_digest, "*.nbi"),
        (overwrite_with_its_digest, "*.nbc"),
        (remove_seal, "*.nb?"),
    ],
)
def test_a_damaged_file_is_dropped_and_compiled_again(filled: Path, spoil: Callable[[Path], None], ending: str) -> None:
    for path in [*filled.rglob(ending)]:
        spoil(path)
    compiled, place, told = run(NUMBA_CACHE_DIR=str(filled))
    assert compiled and filled in place.parents
    assert told.count("\n") == 1 and told.startswith(f"shotmark: {filled}: compiled kernels there were damaged"), told
    compiled, _, told = run(NUMBA_CACHE_DIR=str(filled))
    assert not compiled and told == ""


@pytest.mark.slow
def test_first_runs_at_once_share_an_empty_cache(tmp_path: Path) -> None:
    """A job array on a shared home: all end well, and leave a cache that the next takes as it is."""
    with ThreadPoolExecutor(6) as pool:
        ran = list(pool.map(lambda _: run(NUMBA_CACHE_DIR=str(tmp_path)), range(6)))
    assert any(compiled for compiled, _, _ in ran) and {told for _, _, told in ran} == {""}
    assert run(NUMBA_CACHE_DIR=str(tmp_path))[::2] == (False, "")
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in (".nbi", ".nbc", cache.SEAL)
    ]


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/nothing", "file/x", "n" * 300])
def test_a_folder_that_cannot_be_used_is_named_and_another_is_taken(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    asked = place if place.startswith("/") else str(tmp_path / place)
    home = tmp_path / "home"
    home.mkdir()
    _, found, told = run(NUMBA_CACHE_DIR=asked, XDG_CACHE_HOME=None, HOME=str(home))
    assert home in found.parents
    assert told.count("\n") == 1 and f"NUMBA_CACHE_DIR={asked}: no file can be written there" in told


@pytest.mark.slow
def test_without_any_folder_a_temporary_one_is_used_and_goes_away(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    nowhere = {"NUMBA_CACHE_DIR": None, "XDG_CACHE_HOME": "/dev/null/x", "HOME": "/dev/null/y"}
    compiled, place, told = run(**nowhere, TMPDIR=str(temporary))
    assert compiled and temporary in place.parents and not [*temporary.iterdir()]
    assert told.count("\n") == 1 and "kept in a temporary folder, and the next run compiles again" in told
    assert not [*ROOT.glob("kernels/**/__pycache__/*.nbi")], "Numba's own choice: beside the sources, and stale soon"


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    home = tmp_path / "gone"
    run(NUMBA_CACHE_DIR=None, XDG_CACHE_HOME=None, HOME=str(home))
    assert not home.exists()


def test_code_of_another_processor_does_not_fill_the_cache(filled: Path) -> None:
    """A second kind of node on a shared home compiles ahead like the first."""
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    ask = "from kernels.base import registry; print(registry.cache_folder('fx_scan'))"

    def folder(**environment: str) -> Path:
        command = [sys.executable, "-c", ask]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(filled), **environment}
        return Path(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip())

    assert cache.drop_damaged(folder()) > 0
    assert folder(**generic) != folder() and cache.drop_damaged(folder(**generic)) == 0


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    young, old, sealed = (tmp_path / f"{name}.nbc" for name in ("young", "old", "sealed"))
    for path in (sealed, young, old):
        path.write_bytes(b"code")
        if path == sealed:
            cache.seal_code(tmp_path)
    os.utime(old, (1e9, 1e9))
    assert cache.drop_damaged(tmp_path) == 1
    assert young.exists() and sealed.exists() and not old.exists()


class Inner:
    """A cache of Numba's that a test breaks."""

    cache_path = "x"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def load_overload(self, sig: object, target_context: object) -> str:
        if self.error:
            raise self.error
        return "code"

    def save_overload(self, sig: object, data: object) -> None:
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [EOFError("Ran out of input"), OSError(28, "No space left on device"), MemoryError()])
def test_whatever_goes_wrong_costs_a_compilation(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_said", set())
    kept = cache.SealedCache(Inner(error), tmp_path / "kernel")
    assert kept.load_overload("sig", "target") is None
    kept.save_overload("sig", "code")
    assert kept.cache_path == "x"
    damaged, cannot = capsys.readouterr().err.strip().split("\n")
    assert "damaged" in damaged and "cannot be kept there" in cannot
    assert cache.SealedCache(Inner(), tmp_path).load_overload("sig", "target") == "code"


def test_every_kernel_keeps_its_code_in_a_folder_of_its_own() -> None:
    for name, kernel in registry.all_kernels().items():
        assert isinstance(kernel.cpu._cache, cache.SealedCache), name
        assert Path(registry.cache_folder(name)) in Path(kernel.cpu._cache.cache_path).parents, name


@pytest.mark.skipif(os.name == "nt", reason="Windows has no user database of this kind")
def test_a_user_without_a_home_and_without_an_entry_gets_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pwd

    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "XDG_CACHE_HOME", cache.NUMBA_VARIABLE):
        monkeypatch.setenv(name, "x")  # so that what is set meanwhile goes again
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cache, "_said", set())
    cache._folder_of.cache_clear()
    try:
        first, again = cache.folder_of_code(), cache.folder_of_code()
    finally:
        cache._folder_of.cache_clear()
    assert first == again and tmp_path in first.parents and first.is_dir()
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and told.startswith(
        "shotmark: there is no home folder; compiled kernels are kept in a"
    )

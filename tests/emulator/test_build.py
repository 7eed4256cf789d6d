"""Where the emulator cannot be built, its tests are left out with a reason and do not fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator import build

GNU = "g++ (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc."
APPLE = "Apple clang version 15.0.0 (clang-1500.3.9.4)\nTarget: arm64-apple-darwin23.6.0"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What was found out about the compiler holds for one test here."""
    for cached in (build._found_compiler, build.why_not):
        cached.cache_clear()
    yield
    for cached in (build._found_compiler, build.why_not):
        cached.cache_clear()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, version: str, code: int = 0) -> None:
    program = folder / "g++"
    program.write_text(f"#!/bin/sh\necho '{version}'\nexit {code}\n")
    program.chmod(0o755)


def test_without_a_compiler(path: Path) -> None:
    assert build.why_not() == "g++ is not installed: the emulator cannot be built"
    assert not build.available()
    with pytest.raises(build.BuildError, match="is not installed"):
        build.compiler()


@pytest.mark.needs("sh")
@pytest.mark.parametrize(
    ("version", "code", "said"),
    [(APPLE, 0, "is not GNU's (Apple clang version 15.0.0"), ("", 1, "is not GNU's (exit code 1)")],
)
def test_another_compiler_of_that_name(path: Path, version: str, code: int, said: str) -> None:
    put(path, version, code)
    assert said in build.why_not() and not build.available()
    with pytest.raises(build.BuildError, match="the emulator cannot be built"):
        build.compiler()


@pytest.mark.needs("sh")
def test_a_compiler_that_cannot_be_run(path: Path) -> None:
    (path / "g++").write_bytes(b"\x00 no program")
    (path / "g++").chmod(0o755)
    assert "cannot be run" in build.why_not()


@pytest.mark.needs("sh")
@pytest.mark.parametrize(("platform", "said"), [("linux", ""), ("darwin", "is written for Linux, not darwin")])
def test_gnus_compiler(path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, said: str) -> None:
    put(path, GNU)
    monkeypatch.setattr(build.sys, "platform", platform)
    assert said in build.why_not() and build.available() == (said == "")

"""The command line: exit codes, one line for what is wrong, and nothing but JSON where JSON is asked for."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bench.backend.choose import BACKEND_NAMES
from bench.base.errors import CheckFailed, Unavailable, UserError
from bench.cli.main import LazyGroup, main
from bench.pipeline.frame import MOVIE, STILLS
from tests.support.source_tree import ROOT

COMMANDS = ROOT / "bench" / "cli" / "commands"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("project", "--gpus", "1e12"), "'1e12' is not a valid integer"),
        (("run", "--nope"), "No such option '--nope'"),
        (("nope",), "No such command 'nope'"),
        (("project", "--gpus"), "requires an argument"),
    ],
)
def test_an_option_that_cannot_be_read_is_one_line(words: tuple[str, ...], says: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    (line,) = done.stderr.strip().split("\n")
    assert says in line and "--help" in line


def test_help_lists_every_command_with_one_sentence() -> None:
    done = run("--help")
    assert done.exit_code == 0
    files = [path for folder in (COMMANDS, COMMANDS / "proofs") for path in folder.glob("[a-z]*.py")]
    assert len(files) > 12
    for name in (path.stem for path in files):
        assert f"\n  {name} " in done.output
        assert run(name, "--help").exit_code == 0


def test_what_several_commands_take_is_said_once() -> None:
    """An option of ``bench.cli.options`` is not written out in a command; back-ends are named as they are known."""
    shared = ("--json", "--results", "--threads", "--backend", "--device")
    for path in COMMANDS.glob("**/[a-z]*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [name for name in shared if re.search(rf"click\.option\(\s*\"{name}\"", text)], path.name
    for name in ("run", "render", "verify", "certify", "kernels"):
        told = run(name, "--help").output
        assert all(re.search(rf"--backend .*\b{backend}\b", told) for backend in BACKEND_NAMES), told
    assert f"Of {', '.join((*STILLS, MOVIE))}." in run("render", "--help").output


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (CheckFailed("the state differs"), 1),
        (UserError("a.toml: key: expected a number\nnot two lines"), 2),
        (Unavailable("no GPU"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "results/x.json"), 2),
        (PermissionError(errno.EACCES, "Permission denied", "results"), 2),
        (MemoryError(), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_what_ends_a_command_is_one_line_and_a_code(
    raised: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def failing() -> None:
        raise raised

    monkeypatch.setattr(LazyGroup, "get_command", lambda self, ctx, name: failing)
    done = run("run")
    assert done.exit_code == code
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("shotmark: ")
    assert "Traceback" not in done.stderr


def test_a_full_disk_says_what_is_kept_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def failing() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "results/m/0001.json")

    monkeypatch.setattr(LazyGroup, "get_command", lambda self, ctx, name: failing)
    assert run("run").stderr == (
        "shotmark: results/m/0001.json: the disk is full (No space left on device); what was finished is kept."
        " Free space and run again\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run", "no-such-shot"),
        ("run", "no/such/file.toml"),
        ("run", "--size", "XXL"),
        ("run", "--backend", "opencl"),
        ("run", "--threads", "0"),
        ("run", "--threads", "many"),
        ("run", "--frames", "0"),
        ("run", "--frames", "1000000"),
        ("run", "wave", "wave"),
        ("compare", "0001", "0002", "--results", "/nonexistent"),
    ],
)
def test_bad_input_is_exit_code_2_without_a_traceback(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr and done.stderr.strip()


def test_a_back_end_that_cannot_run_is_exit_code_3() -> None:
    done = run("run", "--backend", "cupy")
    if done.exit_code == 0:
        pytest.skip("CuPy runs here")
    assert done.exit_code == 3
    assert len(done.stderr.splitlines()) == 1 and "What helps" in done.stderr


def test_a_results_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = run("run", "wave", "--results", str(blocked))
    assert done.exit_code == 2
    assert done.stderr == f"shotmark: {blocked}: expected a folder\n" or "expected a folder" in done.stderr


def test_devices_names_every_back_end() -> None:
    done = run("devices", "--json")
    document = json.loads(done.stdout)
    assert [state["name"] for state in document["backends"]] == ["numba", "cupy"]
    for state in document["backends"]:
        assert state["available"] or (state["reason"] and state["install"])
    assert "back-end numba" in run("devices").output


def test_shots_lists_what_every_size_needs() -> None:
    document = json.loads(run("shots", "wave", "--json").stdout)
    (shot,) = document["shots"]
    assert [size["size"] for size in shot["sizes"]] == ["S", "M", "L", "XL"]
    memory = [size["memory_bytes"]["numba"] for size in shot["sizes"]]
    assert memory == sorted(memory) and memory[0] > 0
    assert all(size["frame_estimate_s"] is None or size["frame_estimate_s"] > 0 for size in shot["sizes"])

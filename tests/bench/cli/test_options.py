"""Options of fixed words: help lists them, a shell completes them, and any other word is one line with all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete, get_completion_class
from click.testing import CliRunner

from bench.cli.main import main
from bench.pipeline.folder.pictures import read_formats
from bench.pipeline.frame import MOVIE, STILLS
from bench.project.inputs.cluster import cluster_names
from bench.shot.load import shot_names
from bench.shot.sizes import SIZE_NAMES
from kernels.base.registry import kernel_names
from tests.support.tiny_shot import write_tiny_shot

COMMANDS = {name: main.get_command(click.Context(main), name) for name in main.list_commands(click.Context(main))}


def completed(*words: str) -> list[str]:
    """What a shell is told after these words, the last one half typed; without the word for files."""
    found = ShellComplete(main, {}, "shotmark", "_SHOTMARK_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [item.value for item in found if item.type == "plain"]


@pytest.mark.parametrize("option", ["--size", "--backend", "--measure"])
def test_fixed_words_are_a_choice_in_every_command(option: str) -> None:
    seen = 0
    for name, command in COMMANDS.items():
        assert command is not None
        for param in command.params:
            numbers = isinstance(param.type, click.types.IntParamType)  # --size of kernels is a number
            if option not in param.opts or numbers:
                continue
            seen += 1
            assert isinstance(param.type, click.Choice)
            shown = "|".join(param.type.choices)
            assert f"{option} [{shown}]" in CliRunner().invoke(main, [name, "--help"]).output
            assert completed(name, option, "") == list(param.type.choices)
    assert seen == {"--size": 4, "--backend": 6, "--measure": 1}[option]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("render", "wave", "--size", "s"), "--size: expected one of S, M, L, XL, got 's'"),
        (("run", "--size", ""), "--size: expected one of S, M, L, XL, got ''"),
        (("project", "--size", "XXL"), "--size: expected one of S, M, L, XL, got 'XXL'"),
        (("run", "--backend", "gpu"), "--backend: expected one of auto, all, numba, cupy, got 'gpu'"),
        (("verify", "--backend", "CUPY"), "--backend: expected one of auto, all, numba, cupy, got 'CUPY'"),
        (
            ("render", "wave", "--backend", "all"),
            "--backend: expected one of auto, numba, cupy, got 'all': each frame is made once",
        ),
        (
            ("kernels", "--backend", "all"),
            "--backend: expected one of numba, cupy, auto, got 'all': a GPU is held against the CPU in any case",
        ),
        (
            ("validate", "--backend", "all"),
            "--backend: expected one of auto, numba, cupy, got 'all': the back-ends give the same bits",
        ),
        (
            ("certify", "--backend", "all"),
            "--backend: expected one of auto, numba, cupy, got 'all': a GPU is held against the CPU in any case",
        ),
        (("render", "wave", "--format", "gif"), "--format: expected some of png, exr, mp4, not 'gif'"),
        (
            ("render", "wave", "--frames", "5-1"),
            "--frames: expected frames from 1 to 60, not '5-1': the first, 5, is after the last, 1",
        ),
    ],
)
def test_another_word_is_one_line_with_what_there_is(words: tuple[str, ...], line: str) -> None:
    done = CliRunner().invoke(main, list(words))
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"shotmark: {line}\n")


def test_a_size_that_a_shot_of_your_own_has_not_is_said_with_those_that_it_has(tmp_path: Path) -> None:
    shot = write_tiny_shot(tmp_path)
    done = CliRunner().invoke(main, ["render", str(shot), "--size", "XL", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert done.stderr == f"shotmark: --size: expected one of S, M, the sizes of {shot}, got 'XL'\n"


def test_names_are_completed(tmp_path: Path) -> None:
    assert completed("render", "") == list(shot_names()) == completed("run", "wave", "")
    assert completed("run", "wa") == ["wave"] == completed("project", "--shot", "wa")
    assert completed("render", "wave", "--size", "") == list(SIZE_NAMES)
    assert completed("project", "--cluster", "") == list(cluster_names())
    assert completed("validate", "drop-") == ["drop-limits", "drop-volume"]
    assert completed("kernels", "fog_") == [name for name in kernel_names() if name.startswith("fog_")] != []
    machine = tmp_path / "results" / "machine"
    machine.mkdir(parents=True)
    for name in ("0001_abc_20260101.json", "0002_def_20260102.json", "notes.json"):
        (machine / name).write_text("{}")
    for command in ("report", "compare", "project"):
        known = ["--results", str(tmp_path / "results")]
        assert completed(command, *known, "000") == ["0001_abc_20260101", "0002_def_20260102"]
        assert completed(command, *known, "0002") == ["0002_def_20260102"]
        assert completed(command, "--results", str(tmp_path / "nothing"), "0002") == []


def test_the_last_of_several_formats_is_completed() -> None:
    assert completed("render", "wave", "--format", "") == [*STILLS, MOVIE]
    assert completed("render", "wave", "--format", "png,e") == ["png,exr"]
    assert read_formats(completed("render", "wave", "--format", "pn")[0]) == ("png",)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_asks_and_is_answered(shell: str) -> None:
    """As the shells' own scripts do: by the variable that README names."""
    assert get_completion_class(shell) is not None

    def ask(variables: dict[str, str]) -> Any:
        return CliRunner().invoke(
            main, env={"_SHOTMARK_COMPLETE": f"{shell}_complete", **variables}, prog_name="shotmark"
        )

    words = {"COMP_WORDS": "shotmark render wave --size X", "COMP_CWORD": "X" if shell == "fish" else "4"}
    done = ask(words)
    assert done.exit_code == 0 and "XL" in done.output and "Traceback" not in done.output
    files = ask({"COMP_WORDS": "shotmark render ./my", "COMP_CWORD": "./my" if shell == "fish" else "2"})
    assert "file" in files.output, "a shot may be a file"


def test_a_size_without_golden_hashes_is_bad_input() -> None:
    """It is not a proof that failed."""
    done = CliRunner().invoke(main, ["verify", "wave", "--size", "L"])
    assert done.exit_code == 2 and "golden.json has none of wave L" in str(done.output) + str(done.exception)


def test_a_group_alone_shows_what_it_has() -> None:
    done = CliRunner().invoke(main, ["farm"])
    assert "Usage: shotmark farm" in done.output or "Usage: main farm" in done.output
    assert "\n  check " in done.output and "\n  run " in done.output and "says more" not in done.output

"""What ``render``'s options for tasks mean, and which do not go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.base.errors import UserError
from bench.cli.main import main
from bench.pipeline.parts import Part
from bench.pipeline.tasks.asked import Samples, parse_samples, part_of_picture
from tests.support.tiny_shot import write_tiny_shot


@pytest.mark.parametrize(
    ("text", "samples"),
    [(None, Samples()), ("64", Samples(64)), ("0-15", Samples(None, 0, 15)), ("16-31/64", Samples(64, 16, 31))],
)
def test_samples_are_read(text: str | None, samples: Samples) -> None:
    assert parse_samples(text) == samples


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "1-", "-3", "0-3/", "0-3/0", "1000001", "1.5", "²", "0-3-5"])
def test_wrong_samples_are_one_line(text: str) -> None:
    with pytest.raises(UserError, match="--samples: expected"):
        parse_samples(text)


def test_a_part_is_of_the_picture() -> None:
    assert part_of_picture(None, Samples(9), 320, 134, 9) is None
    assert part_of_picture("0, 8,320,134", Samples(), 320, 134, 16) == Part(0, 8, 320, 134, 0, 16)
    assert part_of_picture(None, Samples(None, 4, 15), 320, 134, 16) == Part(0, 0, 320, 134, 4, 16)


@pytest.mark.parametrize(
    ("tile", "samples"),
    [("0,0,321,8", None), ("5,0,5,8", None), ("0,0,8", None), ("a", None), ("-1,0,5,5", None), (None, "0-16"),
     ("0,0,8,8", "16-17"), (None, "5-4")],
)  # fmt: skip
def test_a_part_outside_the_picture_is_one_line(tile: str | None, samples: str | None) -> None:
    with pytest.raises(UserError, match=r"^--(tile|samples): expected"):
        part_of_picture(tile, parse_samples(samples), 320, 134, 16)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--states-only --from-states", "--states-only and --from-states: expected one of them"),
        ("--assemble --from-states", "--from-states and --assemble: expected one of them"),
        ("--tile 0,0,4,4", "--tile: expected --from-states beside it"),
        ("--states-only --samples 0-0", "--samples of a range: expected --from-states beside it"),
        ("--from-states --tile 0,0,99,4", "--tile: expected 0 <= X0 < X1 <= 12 and 0 <= Y0 < Y1 <= 5, not '0,0,99,4'"),
        ("--from-states --device all", "--device: expected the number of one GPU beside --from-states, not all"),
    ],
)
def test_options_that_do_not_go_together(words: str, line: str, tmp_path: Path) -> None:
    shot, out = write_tiny_shot(tmp_path), tmp_path / "out"
    command = ["render", str(shot), "--backend", "numba", "--out", str(out), *words.split()]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2 and done.stdout == "" and done.stderr.startswith(f"shotmark: {line}")
    assert done.stderr.count("\n") == 1 and not out.exists()


def test_what_is_not_there_is_exit_code_3(tmp_path: Path) -> None:
    shot, out = write_tiny_shot(tmp_path), tmp_path / "out"
    for task, line in (("--from-states", "frame 1 has no state"), ("--assemble", "frame 1 lacks every part")):
        command = ["render", str(shot), "--backend", "numba", "--frames", "1", "--out", str(out), task]
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 3 and line in done.stderr.splitlines()[-1]

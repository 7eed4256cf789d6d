"""The steps of a shot as command lines: what ``render`` takes, and nothing that breaks out of a line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.base.errors import UserError
from bench.cli.commands.render import command as render_command
from bench.cli.main import main
from bench.farm.export import FORMS, export
from bench.farm.export.job import SETUP_BYTES_MAX, chunks_of
from bench.pipeline.folder.rows import frames_text, rows_of
from bench.pipeline.folder.shot_folder import parse_frames
from bench.pipeline.parts import tiles
from tests.bench.farm.export.made import job
from tests.support.source_tree import ROOT


def exported(*words: str) -> tuple[int, str, list[str]]:
    done = CliRunner().invoke(main, ["farm", "export", *words])
    return done.exit_code, done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_three_steps_that_render_takes(form: str) -> None:
    made = job(samples=2, threads=3, pieces=3, gpu=True)
    for words in (made.simulate("1-60"), made.render("1-4", made.tiles[0]), made.assemble("1-60")):
        assert words[0] == "render"
        context = render_command.make_context("render", words[1:])
        assert (context.params["shot"], context.params["threads"], context.params["samples"]) == ("wave", 3, "2")
    assert made.assemble("1")[-3:] == ["--backend", "numba", "--assemble"]
    code, text, told = exported("wave", "--to", form, "--out", "x", "--samples", "2", "--pieces", "3")
    assert (code, told) == (0, [])
    assert all(option in text for option in ("--states-only", "--from-states", "--assemble", "--tile", *made.tiles))
    assert "cupy" not in text


def test_pieces_are_tiles_that_cover_the_picture() -> None:
    size = job().tiles
    assert size == []
    made = job(pieces=5)
    assert [tuple(map(int, tile.split(","))) for tile in made.tiles] == tiles(320, 134, 5)


def test_a_file_of_a_user_s_is_named_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    from tests.support.tiny_shot import write_tiny_shot

    write_tiny_shot(tmp_path)
    made = job("frames", "./pool.toml")
    assert (made.shot, made.out) == (f"{tmp_path}/pool.toml", f"{tmp_path}/frames")
    assert job().shot == "wave"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("wave", "--to", "tractor", "--out", "x"), "--to: expected one of openjd, opencue, slurm, got 'tractor'"),
        (("wave", "--out", "x"), "Missing option '--to'"),
        (("wave", "--to", "slurm"), "Missing option '--out'"),
        (("waves", "--to", "slurm", "--out", "x"), "waves: expected one of lava, tornado, wave"),
        (("no.toml", "--to", "slurm", "--out", "x"), "no.toml: the file: expected a TOML file, got nothing"),
        (("wave", "--to", "slurm", "--out", "x", "--size", "XXL"), "--size: expected one of S, M, L, XL, got 'XXL'"),
        (("wave", "--to", "slurm", "--out", "x", "--frames", "50-70"), "not '50-70': the shot ends at 60"),
        (("wave", "--to", "slurm", "--out", "x", "--frames", "all,"), "--frames: expected frames such as"),
        (("wave", "--to", "slurm", "--out", "x", "--format", "gif"), "--format: expected some of png, exr, mp4"),
        (("wave", "--to", "slurm", "--out", "x", "--chunk", "0"), "Invalid value for '--chunk'"),
        (("wave", "--to", "slurm", "--out", "x", "--pieces", "0"), "Invalid value for '--pieces'"),
        (("wave", "--to", "slurm", "--out", "x", "--samples", "0"), "Invalid value for '--samples'"),
        (("wave", "--to", "slurm", "--out", "x", "--threads", "0"), "--threads: expected at least 1, got 0"),
        (("wave", "--to", "slurm", "--out", "a\nb"), "--out: expected characters that can be printed, on one line"),
        (("wave", "--to", "openjd", "--out", "a\x1bb"), "--out: expected characters that can be printed, on one line"),
        (("wave", "--to", "opencue", "--out", "a\u2028b"), "--out: expected characters that can be printed"),
        (("wave", "--to", "slurm", "--out", "x", "--setup", "a\x07"), "--setup: expected characters that can be"),
        (("wave", "--to", "slurm", "--out", "x", "--setup", "x" * 20_000), f"at most {SETUP_BYTES_MAX} bytes"),
        (("wave", "--to", "slurm", "--out", "x", "--file", "no/such/folder"), "no/such/folder: No such file"),
        (("wave", "--to", "slurm", "--out", "x", "--pieces", "900", "--chunk", "1"), "--chunk: expected at least 60"),
        (("wave", "--to", "slurm", "--out", "100%"), "--out: Slurm takes % in a log's path for its own, got"),
        (("wave", "--to", "slurm", "--out", "a\\b"), "--out: Slurm takes \\ in a log's path for its own, got"),
        (("wave", "--to", "openjd", "--out", "x" * 2000), "--out: OpenJD takes 1024 characters, got"),
        (("wave", "--to", "openjd", "--out", "x", "--setup", "echo {{x}}"), "--setup: OpenJD takes {{ and }} for"),
        (("wave", "--to", "opencue", "--out", "o'clock"), "which takes ' for its own even between quotes"),
        (("wave", "--to", "opencue", "--out", "#IFRAME#"), "which takes # for its own even between quotes"),
        (
            ("wave", "--to", "opencue", "--out", "x", "--frames", "1,2,4-7", "--chunk", "2"),
            "evenly spaced frames alone",
        ),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text, told = exported(*words)
    assert (code, text, len(told)) == (2, "", 1), told
    assert says in told[0] and list(tmp_path.iterdir()) == []


def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--out: expected characters that can be printed, on one line"):
        job(tmp_path / "a\udcffb")


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_written_whole_and_stands_on_its_own(form: str, tmp_path: Path) -> None:
    code, text, told = exported("wave", "--to", form, "--out", "x", "--file", str(tmp_path / "job"))
    assert (code, text, told) == (0, "", [])
    assert (tmp_path / "job").read_text() == export(job(), form)
    assert [path.name for path in tmp_path.iterdir()] == ["job"]


@pytest.mark.parametrize("words", [["export", "wave", "--to", "slurm", "--out", "x"], ["report", "x"]], ids=" ".join)
def test_a_numba_that_cannot_compile_is_one_line(words: list[str], tmp_path: Path) -> None:
    """As of every command that imports the kernels."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "farm", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "shotmark: NUMBA_DISABLE_JIT=1: expected 0 or nothing: the kernels cannot run uncompiled\n"


@pytest.mark.parametrize("form", FORMS)
def test_standard_output_loses_no_letter_of_a_path(form: str) -> None:
    """Whatever a terminal can show: what is written is run."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "farm", "export", "wave", "--to", form, "--out", "/山 ü"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == export(job("/山 ü"), form)


def test_a_template_is_json() -> None:
    assert json.loads(export(job(), "openjd"))["specificationVersion"] == "jobtemplate-2023-09"


def test_frames_are_written_as_they_are_read() -> None:
    rng = random.Random(1)
    for _ in range(300):
        frames = sorted(rng.sample(range(1, 40), rng.randint(1, 39)))
        assert parse_frames(frames_text(frames), 60) == frames
        assert [frame for row in rows_of(frames) for frame in row] == frames
        size = rng.randint(1, 9)
        chunks = [parse_frames(text, 60) for text in chunks_of(frames, size)]
        assert [frame for chunk in chunks for frame in chunk] == frames
        assert all(len(chunk) == size for chunk in chunks[:-1]) and 1 <= len(chunks[-1]) <= size
    assert frames_text([1, 2, 3, 5, 9, 13, 17, 30]) == "1-3,5-17:4,30"
    assert frames_text([1, 3, 5], "x") == "1-5x2"
